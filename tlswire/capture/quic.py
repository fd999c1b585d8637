"""One UDP flow of QUIC: the handshake messages of its Initials, and of its Handshake packets where their secrets are known.

The keys are those of the connection id that the client used first (RFC 9001 section 5.2), of the server's choice after
a Retry; they stay when ids change. CRYPTO data is put together from any order. Everything kept is bounded. Must not
import anything of tlswire but ``errors``, ``wire`` and ``crypto``; no I/O.
"""

from __future__ import annotations

from bisect import bisect, insort

from tlswire.capture.decrypted import HANDSHAKE_SECRETS, Secrets, State
from tlswire.crypto.quic import Keys, initial_keys, open_cut_initial, open_packet, secret_keys
from tlswire.errors import WireError
from tlswire.wire.cursor import escaped
from tlswire.wire.messages import HRR_RANDOM
from tlswire.wire.quic import CryptoFrame, LongPacket, is_google, read_frames, read_long_packet, rules_of
from tlswire.wire.records import HANDSHAKE, Message

MAX_CRYPTO = 1 << 17
MAX_PIECES = 256
MAX_HELD = 4
MAX_EARLY = 16  # Handshake packets that came before the ServerHello
MAX_PAST = 8
PATIENCE = 64  # datagrams that bring nothing new

CLIENT_HELLO, SERVER_HELLO, FINISHED = 1, 2, 20

# The side that sent it, a message, and whether it was opened with a key log.
Sent = tuple[int, Message, bool]


def looks_like_quic(buffer: bytes, start: int, end: int, missing: int = 0) -> bool:
    """Whether a datagram begins with a long header of a known version, with lengths that fit."""
    if end - start < 21 or not buffer[start] & 0x80:
        return False
    version = int.from_bytes(buffer[start + 1 : start + 5], "big")
    if version and rules_of(version) is None:
        return is_google(version) and buffer[start] & 0x40 != 0
    try:
        packet = read_long_packet(buffer, start, end, missing)
    except WireError:
        return False
    if packet.kind == "negotiation":
        return any(rules_of(code) is not None for code in packet.versions)
    return packet.kind != "initial" or packet.end - packet.number >= 20


class _Stream:
    """CRYPTO data of one side: ``data`` up to the first hole; what came beyond it in ``later``: offsets and pieces in
    order, without overlaps.
    """

    __slots__ = ("conflict", "data", "dropped", "later", "taken")

    def __init__(self) -> None:
        self.data = bytearray()
        self.later: list[tuple[int, bytes]] = []
        self.taken = 0
        self.conflict = False
        self.dropped = False

    def extend(self, pieces: list[tuple[int, bytes]]) -> bool:
        """Whether the frames of a packet, by offset and data, brought anything new."""
        if len(pieces) < 2 and not self.later:
            return bool(pieces) and self.add(*pieces[0])
        # Browsers strew pieces in any order, but hardly ever do they overlap.
        row = sorted(self.later + pieces)
        if _are_apart(row, len(self.data)):
            self.later = row
            self._advance()
            return bool(pieces)
        return sum(self.add(offset, piece) for offset, piece in pieces) > 0

    def add(self, offset: int, piece: bytes) -> bool:
        """Whether the frame brought anything new; the first copy of a byte wins."""
        data, later = self.data, self.later
        end = offset + len(piece)
        if end > MAX_CRYPTO:
            self.dropped = True
            return False
        if offset == len(data) and not later:  # nearly always
            data += piece
            return bool(piece)
        place = bisect(later, (offset, b""))
        before = later[place - 1] if place else (0, data)
        if before[0] + len(before[1]) <= offset and (place == len(later) or end <= later[place][0]):
            fresh = [(offset, piece)] if piece else []
        else:
            fresh = self._unknown(offset, piece)
        if not fresh:
            return False
        if len(later) >= MAX_PIECES and fresh[0][0] != len(data):
            self.dropped = True
            return False
        for part in fresh:
            insort(later, part)
        self._advance()
        return True

    def _advance(self) -> None:
        """Take what waited and now continues ``data``."""
        data, later = self.data, self.later
        while later and later[0][0] == len(data):
            data += later.pop(0)[1]

    def _unknown(self, offset: int, piece: bytes) -> list[tuple[int, bytes]]:
        """The parts of a piece that are not there yet."""
        fresh = []
        at, end = offset, offset + len(piece)
        for begin, held in ((0, self.data), *self.later):
            stop = begin + len(held)
            if stop <= at:
                continue
            if begin >= end:
                break
            if at < begin:
                fresh.append((at, piece[at - offset : begin - offset]))
                at = begin
            last = min(end, stop)
            self.conflict = self.conflict or held[at - begin : last - begin] != piece[at - offset : last - offset]
            at = last
        if at < end:
            fresh.append((at, piece[at - offset :]))
        return fresh

    def messages(self) -> list[Message]:
        """The handshake messages completed since the last call."""
        found = []
        while len(self.data) >= self.taken + 4:
            length = int.from_bytes(self.data[self.taken + 1 : self.taken + 4], "big")
            end = self.taken + 4 + length
            if end > len(self.data):
                break
            body = bytes(self.data[self.taken + 4 : end])
            found.append(Message(HANDSHAKE, 0, self.data[self.taken], body, self.taken))
            self.taken = end
        return found

    def close(self) -> None:
        """Nothing more is wanted: only the beginning of a message that is not complete stays."""
        del self.data[: self.taken]
        self.taken = 0
        self.later = []


def _are_apart(row: list[tuple[int, bytes]], end: int) -> bool:
    """Whether pieces in order overlap neither one another nor what there is up to ``end``, and keep within the bounds."""
    for offset, piece in row:
        if offset < end or not piece:
            return False
        end = offset + len(piece)
    return end <= MAX_CRYPTO and len(row) <= MAX_PIECES


class QuicFlow:
    """Reads the Initials of one connection; sides are 0 and 1 as the caller numbers them.

    ``client`` is the side that is the client, once known; ``restart`` says that the datagram just given begins another
    connection, for another QuicFlow. A client that begins anew as the server bade it, with Retry or Version
    Negotiation, is in the same connection.
    """

    def __init__(self, secrets: Secrets | None = None) -> None:
        self.version: int | None = None
        self.client: int | None = None
        self.done = False
        self.restart = False
        self.retry = False
        self.closed: tuple[int, str, bool] | None = None
        self.notes: list[str] = []
        self._dcid: bytes | None = None  # what the keys come from
        self._past: list[tuple[int, bytes]] = []  # versions and ids of attempts the client gave up
        self._retries: list[bytes] = []  # ids that servers chose in Retry packets
        self._refused = False  # by Version Negotiation
        self._streams = (_Stream(), _Stream())
        self._secrets = secrets
        self._keys: dict[int, Keys] = {}  # of Handshake packets, by the side that sends them
        self._opened: tuple[_Stream, ...] = ()  # of Handshake packets, with their keys
        self._finished = [False, False]
        self._early: list[tuple[int, bytes]] = []
        self._chose = False
        self._keyed = 0  # sides whose Handshake packets have keys
        self._openings = self._failures = 0  # of such packets
        self._held: list[tuple[int, bytes]] = []
        self._idle = 0
        self._hello: bytes | None = None

    def datagram(self, side: int, buffer: bytes, start: int, end: int, missing: int = 0) -> list[Sent]:
        """Every message completed by a datagram.

        ``missing`` bytes of its end were not captured.
        """
        found: list[Sent] = []
        known = self._dcid is not None
        self._packets(side, buffer, start, end, missing, found)
        if self.restart:
            return []
        if not known and self._dcid is not None:
            held, self._held = self._held, []
            for sender, data in held:
                self._packets(sender, data, 0, len(data), 0, found)
        if not found:
            self._idle += 1
            if self._idle >= PATIENCE and not self.done:
                self._finish()
        return found

    def partial(self) -> list[tuple[int, int, int, bytes]]:
        """(side, type, length, body up to the first hole) of messages that are not complete, when the flow ended."""
        self._finish()
        if self.decryption == "failed":
            self._note("the secrets of the key log do not open the session's packets")
        elif self.decryption == "partial":
            missing = [self._name(side) for side in (0, 1) if not self._finished[side]]
            self._note(f"decrypted in part: no Finished of {' and '.join(sorted(missing))}")
        found = []
        for side, stream in enumerate(self._streams):
            rest = bytes(stream.data)
            if len(rest) >= 4:
                found.append((side, rest[0], int.from_bytes(rest[1:4], "big"), rest[4:]))
        return found

    def _packets(self, side: int, buffer: bytes, start: int, end: int, missing: int, found: list[Sent]) -> None:
        at, dcid = start, None
        while at < end and buffer[at] & 0x80 and not self.restart:
            try:
                packet = read_long_packet(buffer, at, end, missing)
            except WireError:
                return  # padding, or of a version that is built otherwise
            if dcid is not None and packet.dcid != dcid:
                return  # RFC 9000 section 12.2: what does not go to the first packet's connection is ignored
            dcid = packet.dcid
            if packet.kind != "handshake":
                self._packet(side, buffer, end, packet, found)
            elif (self._keys or not self.done) and packet.end <= end and self._secrets:
                self._handshake(side, buffer, packet, found)
            at = packet.end

    def _packet(self, side: int, buffer: bytes, end: int, packet: LongPacket, found: list[Sent]) -> None:
        if packet.kind == "negotiation":
            if self._heeded(side) and self._dcid in {None, packet.scid}:  # RFC 8999 section 6
                offered = ", ".join(f"0x{code:08X}" for code in packet.versions[:16])
                self._note(f"Version Negotiation: the server offers {offered}")
                self._refused = True
        elif is_google(packet.version):
            self._note(f"{packet.version.to_bytes(4, 'big').decode('ascii', 'replace')} is not read")
            self._finish()
        elif packet.kind == "initial":
            payload = self._open(side, buffer, end, packet)
            if payload is not None and not self.done:
                self.version = packet.version
                self._frames(side, payload, found, cut=packet.end > end)
        elif packet.kind == "retry" and self._heeded(side) and rules_of(packet.version) is not None:
            self.retry = True
            if len(self._retries) < MAX_PAST:
                self._retries.append(packet.scid)
            self._note("Retry: the client had to prove its address (RFC 9000 8.1.2)")

    def _handshake(self, side: int, buffer: bytes, packet: LongPacket, found: list[Sent]) -> None:
        """A Handshake packet, which waits for the ServerHello where it came before it."""
        if not self._chose and not self.done and len(self._early) < MAX_EARLY:
            self._early.append((side, buffer[packet.start : packet.end]))
        if side not in self._keys:
            return
        opened = open_packet(self._keys[side], buffer, packet)
        if opened is None:
            self._failures += 1
        else:
            self._openings += 1
            self._frames(side, opened[1], found, cut=False, streams=self._opened)
            if self.closed is not None:
                self._finish()

    def _heeded(self, side: int) -> bool:
        """Whether a client would heed a Retry or Version Negotiation (RFC 9000 sections 6.2 and 17.2.5.2)."""
        return self.client is None or (side != self.client and not self._streams[side].data and not self.done)

    def _open(self, side: int, buffer: bytes, end: int, packet: LongPacket) -> bytes | None:
        """The payload of an Initial, with the keys we have or those of its own connection id."""
        if (packet.version, packet.dcid) in self._past:
            return None
        refused = self._refused and side == self.client and packet.version != self.version
        if self._dcid is not None:
            keys = initial_keys(packet.version, self._dcid, server=side != self.client)
            payload = _payload(keys, buffer, end, packet)
            if payload is not None:
                if refused:
                    self._begin_anew(packet)
                return payload
        payload = _payload(initial_keys(packet.version, packet.dcid), buffer, end, packet)
        if payload is None or (packet.end > end and not _likely(payload)):
            self._unopened(side, buffer, end, packet)
            return None
        if self.done:
            self.restart = True
        elif self._dcid is None:
            self._dcid, self.client = packet.dcid, side
        elif refused or (side == self.client and packet.dcid in self._retries):
            self._begin_anew(packet)
        else:
            self.restart = True
        return None if self.restart else payload

    def _unopened(self, side: int, buffer: bytes, end: int, packet: LongPacket) -> None:
        if self.done or packet.end > end or rules_of(packet.version) is None:
            return
        if self._dcid is not None:
            self._note(f"{self._name(side)}: an Initial that the connection's keys do not open")
        elif len(self._held) < MAX_HELD:
            self._held.append((side, buffer[packet.start : packet.end]))

    def _begin_anew(self, packet: LongPacket) -> None:
        """The client's next attempt: other keys, and its messages from the first byte on."""
        if self.version is not None and self._dcid is not None and len(self._past) < MAX_PAST:
            self._past.append((self.version, self._dcid))
        self._dcid = packet.dcid
        self._refused = False
        self._streams = (_Stream(), _Stream())

    def _frames(
        self, side: int, payload: bytes, found: list[Sent], *, cut: bool, streams: tuple[_Stream, ...] | None = None
    ) -> None:
        """The frames of a packet: of an Initial, or of one that was opened with a key log (``streams``)."""
        stream = (streams or self._streams)[side]
        pieces = []
        try:
            for frame in read_frames(payload, cut=cut):
                if isinstance(frame, CryptoFrame):
                    pieces.append((frame.offset, frame.data))
                else:
                    self.closed = self.closed or (frame.error, escaped(frame.reason[:256]), streams is not None)
        except WireError as error:
            self._note(str(error))
        if stream.extend(pieces):
            self._idle = 0
        if stream.conflict:
            self._note("overlapping CRYPTO frames differ: the first copy was taken")
        if stream.dropped:
            self._note("CRYPTO frames too far ahead or too scattered were dropped")
        if streams is None:
            self._messages(side, found)
        else:
            self._opened_messages(side, found)

    def _messages(self, side: int, found: list[Sent]) -> None:
        for message in self._streams[side].messages():
            if message.type == CLIENT_HELLO:
                if message.body == self._hello:
                    continue  # sent again after a Retry, as RFC 9000 section 17.2.5.3 wants it
                self._hello = message.body
            found.append((side, message, False))
            if message.type == SERVER_HELLO and message.body[2:34] != HRR_RANDOM and self._hello is not None:
                self._chosen(self._hello[2:34], message.body, found)

    def _chosen(self, client_random: bytes, body: bytes, found: list[Sent]) -> None:
        """The server chose: all that is left is protected, and only secrets open it."""
        early, self._early, self._chose = self._early, [], True
        known = self._secrets.of(client_random) if self._secrets else {}
        at = 35 + (body[34] if len(body) > 34 else 0)
        suite = int.from_bytes(body[at : at + 2], "big")
        for role, label in enumerate(HANDSHAKE_SECRETS):
            keys = secret_keys(self.version or 0, suite, known[label]) if label in known else None
            if keys is not None:
                self._keyed += 1
                self._opened = self._opened or (_Stream(), _Stream())
                self._keys[(self.client or 0) ^ role] = keys
            elif known:
                self._note(f"the key log has no {label} of this session" + " that QUIC can use" * (label in known))
        for side, data in early:
            self._packets(side, data, 0, len(data), 0, found)
        if not self._keys:
            self._finish()

    def _opened_messages(self, side: int, found: list[Sent]) -> None:
        for message in self._opened[side].messages():
            found.append((side, message, True))
            if message.type == FINISHED:
                self._finished[side] = True
        if all(self._finished):
            self._finish()

    @property
    def decryption(self) -> State | None:
        """What became of the Handshake packets; None as long as there can be none, or no key log."""
        if not self._chose or not self._secrets:
            return None
        if all(self._finished) or (self.closed is not None and self.closed[2] and self._keyed == 2):
            return "complete"
        if self._failures and not self._openings:
            return "failed"
        return "partial" if self._keyed else "no-secrets"

    def _name(self, side: int) -> str:
        return "client" if side == self.client else "server"

    def _note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < 8:
            self.notes.append(text)

    def _finish(self) -> None:
        """Nothing more to learn: what was kept to go on is dropped."""
        if self.done:
            return
        self.done = True
        self._held = []
        self._hello = None
        self._keys = {}
        self._early = []
        for number, stream in enumerate(self._streams + self._opened):
            if stream.later:
                self._note(f"{self._name(number % 2)}: CRYPTO bytes from {len(stream.data)} on were not captured")
            stream.close()


def _payload(keys: Keys | None, buffer: bytes, end: int, packet: LongPacket) -> bytes | None:
    """The payload of an Initial, of which the capture may have cut the end; None where these are not its keys."""
    if keys is None:
        return None
    if packet.end <= end:
        opened = open_packet(keys, buffer, packet)
        return None if opened is None else opened[1]
    payload = open_cut_initial(keys, buffer, end, packet)
    try:
        list(read_frames(payload, cut=True))
    except WireError:
        return None
    return payload or None


def _likely(payload: bytes) -> bool:
    """Whether the beginning of a payload is one: wrong keys give bytes that hardly ever read as padding or CRYPTO."""
    return not any(payload) or any(isinstance(frame, CryptoFrame) for frame in read_frames(payload, cut=True))
