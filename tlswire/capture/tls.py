"""One TCP connection read for TLS: where TLS begins, behind whatever dialogue and on any port, and where it goes on.

TLS is told by the bytes of a hello: at the beginning of a stream, or behind a preamble (STARTTLS, CONNECT, SOCKS).
After missing bytes a side goes on at the next segment that begins with records. Must not import anything of tlswire
but ``wire``, ``registry``, ``crypto`` and the rest of ``capture``.
"""

from __future__ import annotations

import re

import msgspec

from tlswire.capture.decrypted import Decryption, Secrets
from tlswire.capture.flights import UsualRecords
from tlswire.capture.preambles import name_of
from tlswire.capture.sessions import SessionBuilder
from tlswire.crypto.records import RecordStream
from tlswire.wire.records import APPLICATION_DATA, HANDSHAKE, MAX_CIPHERTEXT, Deframer

# What may come before TLS on one side; dialogues are shorter, bulk data is not followed.
MAX_PREAMBLE = 1 << 15
_MARK = 1 << 10  # so much of each side's beginning names the dialogue

# A hello in other bytes: record header, ClientHello or ServerHello of less than 128 KiB, its version (drafts of TLS 1.3
# put 0x7fxx there in ServerHello).
_HELLO = re.compile(
    rb"\x16\x03[\x00-\x04][\x00-\x48].(?:\x01[\x00\x01]..\x03[\x00-\x04]|\x02\x00..(?:\x03[\x00-\x04]|\x7f))", re.DOTALL
)
_ALERT = re.compile(rb"\x15\x03[\x00-\x04]\x00(?:\x02[\x01\x02]|\x01[\x01\x02]\x15\x03[\x00-\x04]\x00\x01)", re.DOTALL)
_ALERT_RECORD = 7
_HELLO_HEAD = 11
MAX_HELD = 1 << 15  # bytes of a side that wait for a hello that stands behind them

WAITING, READING, LOST = range(3)

_HANDSHAKE_TYPES = frozenset({0, 1, 2, 4, 11, 12, 13, 14, 15, 16, 20, 22})


class Side(msgspec.Struct, eq=False):
    """One direction: what state its reader is in, what came before TLS, and the deframer once TLS began.

    ``seen`` counts the bytes before TLS, of which ``before`` holds the first and ``tail`` the last; ``frame`` is the last
    one that brought bytes of TLS. ``lost`` were not captured before TLS (how many, told by which frame), ``spoken`` is what
    ``seen`` was when the other side began TLS, and ``skip`` what is left of a record of which bytes were lost. Records are
    read by ``usual`` first, by ``deframer`` from the first on that is not.
    """

    state: int = WAITING
    seen: int = 0
    before: bytes = b""
    tail: bytes = b""
    frame: int = 0
    lost: tuple[int, int] = (0, 0)
    spoken: int = 0
    skip: int = 0
    usual: UsualRecords | None = None
    deframer: Deframer | RecordStream | None = None

    def leave_usual(self) -> None:
        """Something is not usual: from here on a deframer reads."""
        if self.usual is not None:
            self.deframer, self.usual = self.usual.deframer(), None


def _both() -> tuple[Side, Side]:
    return Side(), Side()


class TlsStream(msgspec.Struct, eq=False):
    """The consumer of a TCP flow's bytes (``capture.tcp.Consumer``).

    ``builder`` is made when TLS is found: most flows of a capture have none. ``encrypted_only`` says that there were
    records whose handshake came before the capture. With ``secrets`` at hand records are opened as far as they go.
    """

    midstream: bool
    secrets: Secrets | None = None
    decryption: Decryption | None = None
    builder: SessionBuilder | None = None
    done: bool = False
    encrypted_only: bool = False
    held: bool = False  # something waits for keys
    sides: tuple[Side, Side] = msgspec.field(default_factory=_both)

    def data(self, side: int, data: bytes, frame: int) -> None:
        """The next bytes of one side."""
        half = self.sides[side]
        if half.state != READING:
            data = self._begin(side, half, data) if half.state == WAITING else self._resume(side, half, data)
            if not data:
                return
        builder = self.builder
        if builder is None:
            return
        half.frame = frame
        if half.usual is not None:
            data = half.usual.feed(builder, side, data, frame)
            if not data:
                self.done = builder.done
                return
            half.leave_usual()
        if self.decryption is None:
            self._deframe(builder, side, half, data)
        elif half.deframer is not None:
            held = self.held
            half.deframer.feed(data)
            self._read(side)
            if held:
                self._read(1 - side)

    def _deframe(self, builder: SessionBuilder, side: int, half: Side, data: bytes) -> None:
        deframer = half.deframer
        if deframer is None:
            return
        for message in deframer.feed(data):
            builder.message(side, message, half.frame)
        if deframer.error is not None:
            builder.fault(side, str(deframer.error), half.frame)
            half.state = LOST
        self.done = builder.done

    def _read(self, side: int, *, hold: bool = True) -> None:
        """Take the messages of a side that may be decrypted: each may change the keys of what follows it."""
        half, builder, decryption = self.sides[side], self.builder, self.decryption
        stream = half.deframer
        if not isinstance(stream, RecordStream) or builder is None or decryption is None:
            return
        messages = stream.feed(b"")
        while not (hold and self._waits(side, stream)) and (message := next(messages, None)) is not None:
            builder.opened[side] = stream.opened
            if stream.opened:
                builder.hidden(side)
            builder.message(side, message, half.frame)
            decryption.follow(side, message, builder.client, builder.selected)
            if stream.protected and decryption.blind[side]:
                half.state = LOST
                break
        if stream.protected and (stream.skipped or stream.error is not None):
            builder.hidden(side)
        if stream.error is not None:
            if stream.protected:
                decryption.stopped(side, stream.error)
            else:
                builder.fault(side, str(stream.error), half.frame)
            half.state = LOST
        self.done = builder.done and decryption.over

    def _waits(self, side: int, stream: RecordStream) -> bool:
        """Whether a record comes whose keys are made of a hello that stands behind it in the capture.

        The order of segments holds for each side, not between both; and a client may send early data.
        """
        builder, decryption = self.builder, self.decryption
        if builder is None or decryption is None:
            return False
        self.held = decryption.expects(side, builder.client) and stream.pending <= MAX_HELD and stream.early
        return self.held

    def gap(self, side: int, missing: int, frame: int) -> None:
        """So many bytes of one side were not captured."""
        half = self.sides[side]
        half.leave_usual()
        builder, decryption = self.builder, self.decryption
        if half.state == WAITING or builder is None:
            half.seen += missing
            half.lost = (half.lost[0] + missing, frame)
            self.midstream = True
            return
        if decryption is not None:
            self._read(side, hold=False)
            decryption.lost(side, missing, frame)
        if not builder.encrypted[side]:
            left = half.skip or (half.deframer.missing if half.deframer is not None else 0)
            half.skip = max(left - missing, 0)
            _keep_partial(builder, side, half)
            builder.missing(side, missing, frame)
            half.state = LOST
        elif decryption is not None and decryption.blind[side]:
            half.state = LOST

    def note(self, text: str) -> None:
        """Something to tell of the connection."""
        if self.builder is not None:
            self.builder.note(text)

    def finish(self) -> SessionBuilder | None:
        """The flow ended: the builder with what was incomplete and what was spoken before TLS; None without TLS."""
        builder = self.builder
        if builder is None:
            return None
        if self.decryption is not None:
            self._finish_decryption(builder, self.decryption)
        for side, half in enumerate(self.sides):
            if half.state == READING and not builder.encrypted[side]:
                _keep_partial(builder, side, half)
        if self.midstream:
            for side, half in enumerate(self.sides):
                if half.lost[0]:
                    builder.missing(side, *half.lost)
        one, other = self.sides
        if one.before or other.before or one.tail or other.tail:
            self._finish_dialogue(builder)
        return builder

    def _finish_dialogue(self, builder: SessionBuilder) -> None:
        """What was spoken before TLS, or in its place."""
        client = builder.client or 0
        asked, answered = self.sides[client], self.sides[1 - client]
        said = answered.before if answered.state != WAITING else answered.before[: answered.spoken]
        if (asked.state != WAITING and asked.before) or said:
            builder.protocol = name_of(asked.before[:_MARK], said[:_MARK])
        if answered.state == WAITING and (more := answered.seen - answered.spoken - answered.lost[0]) > 0:
            builder.note(f"the server answered with {more} bytes that are not TLS")

    def _finish_decryption(self, builder: SessionBuilder, decryption: Decryption) -> None:
        for side, half in enumerate(self.sides):
            if half.state == READING and self.held:
                self._read(side, hold=False)
        builder.decryption = decryption.state
        if builder.client is not None and not decryption.blind[1 - builder.client]:
            builder.tickets = builder.tickets or 0
        for text in decryption.notes:
            builder.note(text)

    def _begin(self, side: int, half: Side, data: bytes) -> bytes:
        """Bytes of a side that speaks no TLS yet: the part from where TLS begins, empty where it does not."""
        if not half.seen and _HELLO.match(data):
            return self._reading(side, half, data)
        fresh = half.seen == len(half.before)  # nothing was dropped yet
        old = half.before if fresh else half.tail
        whole = old + data if old else data
        answer = max(half.spoken - half.seen + len(old), 0)  # where the answer to the other side's hello begins
        if (at := _begins_at(whole, len(old), fresh=fresh)) is not None:
            if half.seen + at and self.builder is None and self._is_plain(half, whole[:at] if fresh else half.before):
                self.done = True
                return b""
        elif self.builder is not None and _ALERT.match(whole, answer):
            at = answer
        elif _ALERT.match(data) and (
            self.builder is not None or (self.midstream and len(data) == _ALERT_RECORD and not half.seen)
        ):
            at = len(old)  # also a refusal of a hello that was not captured
        elif self.midstream and plausible_records(data):
            if data[0] == APPLICATION_DATA and self.builder is None:
                self.encrypted_only = self.done = True
                return b""
            at = len(old)
        else:
            half.seen += len(data)
            half.tail = whole[-_HELLO_HEAD:]
            if fresh:
                half.before = whole[:_MARK]
            self.done = half.seen > MAX_PREAMBLE and self.builder is None
            return b""
        if fresh:
            half.before = whole[: min(at, _MARK)]
        return self._reading(side, half, whole[at:])

    def _reading(self, side: int, half: Side, data: bytes) -> bytes:
        """TLS begins on this side, with ``data``."""
        half.state = READING
        if self.builder is None:
            self.builder = SessionBuilder("tcp")
            if self.secrets:
                self.decryption = Decryption(self.secrets)
            other = self.sides[1 - side]
            other.spoken = other.seen
        if self.decryption is None:
            half.usual = UsualRecords()
        else:
            half.deframer = self.decryption.stream(side)
        return data

    def _is_plain(self, half: Side, before: bytes) -> bool:
        """Whether a hello is part of what a protocol carries that does not go over to TLS."""
        sides = [(before if side is half else side.before)[:_MARK] for side in self.sides]
        return "http" in {name_of(*sides), name_of(*reversed(sides))}

    def _resume(self, side: int, half: Side, data: bytes) -> bytes:
        """Bytes behind a hole: from the end of the record it was in, or all of them when they begin with one."""
        if self.builder is None or self.builder.encrypted[side]:
            return b""
        if half.skip:
            skipped = min(half.skip, len(data))
            half.skip -= skipped
            data = data[skipped:]
        if not plausible_records(data):
            return b""
        half.state = READING
        half.deframer = Deframer() if self.decryption is None else self.decryption.stream(side)
        return data


def tls_stream(secrets: Secrets | None, *, midstream: bool) -> TlsStream:
    """The reader of a connection. Secrets that come later in the capture are not for it."""
    return TlsStream(midstream, secrets or None)


def _keep_partial(builder: SessionBuilder, side: int, half: Side) -> None:
    if half.usual is not None and half.usual.pieces:
        half.leave_usual()
    if half.deframer is not None:
        whole, unfinished = half.deframer.give_up()
        for message in whole:
            builder.message(side, message, half.frame)
        if unfinished is not None:
            builder.partial(side, *unfinished, half.frame)
    half.deframer = None


def _begins_at(data: bytes, new: int, *, fresh: bool) -> int | None:
    """Where a hello begins in ``data``, of which ``new`` bytes were looked at before.

    ``fresh``: nothing came before ``data``, so an SSLv2 hello or one in tiny records may begin there.
    """
    found = _HELLO.search(data, max(new - _HELLO_HEAD, 0))
    if found is not None:
        return found.start()
    if fresh and (_tiny_records(data) or is_sslv2_hello(data)):
        return 0
    return None


def _tiny_records(data: bytes) -> bool:
    """Whether handshake records, the first of them too short for what tells a hello, begin one."""
    at, head = 0, b""
    while at + 5 <= len(data) and len(head) < 6:
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if data[at : at + 2] != b"\x16\x03" or data[at + 2] > 4 or not 0 < length <= MAX_CIPHERTEXT:
            break
        head += data[at + 5 : at + 5 + length]
        at += 5 + length
    return len(head) >= 6 and head[0] in {1, 2} and head[1] <= 1 and head[4] == 3 and head[5] <= 4


def is_sslv2_hello(data: bytes) -> bool:
    """Whether an SSLv2 record with a ClientHello (SSL 0.2 draft, RFC 5246 E.2) or ServerHello fills these bytes."""
    if len(data) < 11 or not data[0] & 0x80:
        return False
    length = int.from_bytes(data[:2], "big") & 0x7FFF
    if data[2] == 1:
        version, suites, session, challenge = (int.from_bytes(data[i : i + 2], "big") for i in (3, 5, 7, 9))
        known = version == 2 or 0x0300 <= version <= 0x0304
        return known and suites % 3 == 0 and suites > 0 and 9 + suites + session + challenge == length
    if data[2] == 4 and len(data) >= 13:
        certificate, suites, connection = (int.from_bytes(data[i : i + 2], "big") for i in (7, 9, 11))
        version = int.from_bytes(data[5:7], "big")
        return version == 2 and suites % 3 == 0 and 11 + certificate + suites + connection == length
    return False


def plausible_records(data: bytes) -> bool:
    """Whether a segment begins with a record: every header in it must be sound (RFC 9846 section 5.1)."""
    at, end = 0, len(data)
    while at + 5 <= end:
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if not 20 <= data[at] <= 23 or data[at + 1] != 3 or data[at + 2] > 4 or not 0 < length <= MAX_CIPHERTEXT:
            return False
        if at == 0 and data[0] == HANDSHAKE and not _plausible_handshake(data[5:9], length):
            return False
        at += 5 + length
    return at > 0


def _plausible_handshake(header: bytes, length: int) -> bool:
    if len(header) < 4:
        return True
    size = int.from_bytes(header[1:4], "big")
    return header[0] in _HANDSHAKE_TYPES and (size + 4 <= length or (header[0] == 11 and size < 1 << 17))
