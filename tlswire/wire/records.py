"""Record framing: TLS records (RFC 9846 section 5.1), SSLv2 records, and the Deframer that turns bytes into messages.

Hot path: records are walked with ``struct``; Construct only sees the messages inside. Bounds are part of the contract:
one Deframer never holds more than one record and one message of at most ``max_message`` bytes.
Must not import anything of tlswire but ``errors``, ``registry`` and ``wire.primitives``. DTLS and QUIC live elsewhere.
"""

from __future__ import annotations

import struct

import msgspec

from tlswire.errors import WireError
from tlswire.registry import ALERTS, CONTENT_TYPES, VERSIONS
from tlswire.wire.primitives import Opaque, Record, UInt

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT = 20, 21, 22, 23, 24
SSLV2 = 0x80  # not a content type: marks messages that arrived in SSLv2 records

MAX_PLAINTEXT = 1 << 14  # RFC 9846 section 5.1
MAX_CIPHERTEXT = MAX_PLAINTEXT + 2048  # RFC 5246 section 6.2.3
MAX_EMPTY_RECORDS = 16

# Type 24..27 are heartbeat, tls12_cid, ack, return_routability_check; anything else is not TLS.
_CONTENT_TYPES = frozenset(range(20, 28))
HEADER = struct.Struct(">BHH")
_MESSAGE = struct.Struct(">I")  # type and length


class TLSRecord(msgspec.Struct, frozen=True):
    """TLSPlaintext or TLSCiphertext as framed: ``fragment`` is 0..65535 bytes, bounds are the Deframer's matter."""

    type: int
    version: int
    fragment: bytes


RECORD = Record(TLSRecord, type=UInt(1, CONTENT_TYPES), version=UInt(2, VERSIONS), fragment=Opaque(2))


class Alert(msgspec.Struct, frozen=True):
    """An alert as sent in clear: level 1 warning, 2 fatal (RFC 9846 section 6)."""

    level: int
    description: int

    @property
    def fatal(self) -> bool:
        """Whether the connection ends: a fatal level, or close_notify."""
        return self.level != 1 or self.description == 0

    @property
    def name(self) -> str:
        """The registered name, such as ``handshake_failure``."""
        return ALERTS[self.description].name


ALERT_BODY = Record(Alert, level=UInt(1), description=UInt(1, ALERTS))


class Message(msgspec.Struct, frozen=True):
    """One complete message: ``type`` is the handshake (or SSLv2) message type, 0 for other content.

    ``body`` leaves the handshake header out; ``offset`` is where the message began in the stream (its first byte,
    record header not counted); ``version`` is the record's version (0x0002 for SSLv2 records).
    """

    content: int
    version: int
    type: int
    body: bytes
    offset: int


class Deframer:
    """Bytes of one direction in, in pieces of any size; complete messages out, across records and segments.

    Peer faults do not raise: ``error`` holds the WireError (its offset counts from the stream's first byte) and
    everything after it is ignored; messages found before it are still returned. Nothing is decrypted here: after
    ChangeCipherSpec, handshake and alert records are handed out whole, as type 0, unless they are in clear (what follows
    a HelloRetryRequest and its compatibility ChangeCipherSpec, RFC 9846 appendix E.4). ``consumed`` bytes of records came
    before, with a ChangeCipherSpec among them where it is ``protected`` from the start.
    """

    __slots__ = (
        "_buffer",
        "_consumed",
        "_empties",
        "_max_message",
        "_partial",
        "_partial_kind",
        "_partial_offset",
        "_protected",
        "error",
        "records",
    )

    def __init__(self, *, max_message: int = 1 << 18, consumed: int = 0, protected: bool = False) -> None:
        self.error: WireError | None = None
        self._protected = protected
        self.records = 0
        self._max_message = max_message
        self._buffer = b""
        self._consumed = consumed
        self._partial = bytearray()
        self._partial_kind: tuple[int, int] = (0, 0)
        self._partial_offset = 0
        self._empties = 0

    @property
    def pending(self) -> int:
        """Bytes held back because their record or message is not complete."""
        return len(self._buffer) + len(self._partial)

    @property
    def missing(self) -> int:
        """Bytes that the record whose header came still needs; 0 between records."""
        buffer = self._buffer
        if len(buffer) < 5 or buffer[0] & 0x80:
            return 0
        return 5 + int.from_bytes(buffer[3:5], "big") - len(buffer)

    def give_up(self) -> tuple[list[Message], tuple[int, int, int, bytes] | None]:
        """Nothing more will come: the whole messages of the record whose end is missing, and what is unfinished."""
        whole: list[Message] = []
        left = self.unfinished()
        while left is not None and len(left[3]) >= left[2]:
            version, kind, length, body = left
            whole.append(Message(HANDSHAKE, version, kind, body[:length], self._consumed))
            rest = body[length:]
            left = (version, rest[0], int.from_bytes(rest[1:4], "big"), rest[4:]) if len(rest) >= 4 else None
        return whole, left

    def unfinished(self) -> tuple[int, int, int, bytes] | None:
        """The handshake message whose end has not come: (record version, type, length, body so far)."""
        version = self._partial_kind[1]
        data = bytes(self._partial) if self._partial_kind[0] == HANDSHAKE else b""
        if len(self._buffer) > 5 and self._buffer[0] == HANDSHAKE and not (self._protected and not data):
            version = version if data else int.from_bytes(self._buffer[1:3], "big")
            data += self._buffer[5:]
        if len(data) < 4:
            return None
        return version, data[0], int.from_bytes(data[1:4], "big"), data[4:]

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by ``data``."""
        if self.error is not None:
            return []
        if self._buffer:
            data = self._buffer + data
        found: list[Message] = []
        try:
            self._buffer = self._walk(data, found)
        except WireError as error:
            self.error = error
            self._buffer = b""
            self._partial.clear()
        return found

    def _walk(self, data: bytes, found: list[Message]) -> bytes:
        """Take every complete record of ``data``; what is left of it."""
        at, end, before = 0, len(data), self._consumed
        while end - at >= 2:
            if data[at] in _CONTENT_TYPES:
                if end - at < 5:
                    break
                content, version, length = HEADER.unpack_from(data, at)
                start = at + 5
                if length > MAX_CIPHERTEXT:
                    reason = f"length {length} is over 2^14+2048 (RFC 5246 6.2.3)"
                    raise WireError(reason, "record.length", before + at + 3)
            elif data[at] & 0x80:
                content, version, length = SSLV2, 0x0002, (data[at] & 0x7F) << 8 | data[at + 1]
                start = at + 2
            else:
                raise WireError(f"0x{data[at]:02x} begins no TLS or SSLv2 record", "record.type", before + at)
            stop = start + length
            if stop > end:
                break
            self._consumed = before + stop
            self.records += 1
            if content == HANDSHAKE and length >= 4 and not self._partial and not self._protected:
                (header,) = _MESSAGE.unpack_from(data, start)
                if (header & 0xFFFFFF) + 4 == length <= self._max_message:
                    found.append(Message(content, version, header >> 24, data[start + 4 : stop], before + start))
                else:
                    self._several(version, data, start, stop, before + start, found)
            elif content == APPLICATION_DATA and length and not self._partial:
                found.append(Message(content, version, 0, data[start:stop], before + start))
            else:
                self._record(content, version, data[start:stop], before + start, found)
            at = stop
        return data[at:]

    def _several(self, version: int, data: bytes, at: int, end: int, offset: int, found: list[Message]) -> None:
        """The messages of a handshake record with nothing before it; what is left of it waits for the next record."""
        while end - at >= 4:
            (header,) = _MESSAGE.unpack_from(data, at)
            length = header & 0xFFFFFF
            stop = at + 4 + length
            if stop > end or length > self._max_message:
                break
            found.append(Message(HANDSHAKE, version, header >> 24, data[at + 4 : stop], offset))
            offset += stop - at
            at = stop
        if at < end:
            self._assemble(HANDSHAKE, version, data[at:end], offset, found)

    def _record(self, content: int, version: int, fragment: bytes, offset: int, found: list[Message]) -> None:
        """The messages of any record."""
        if not fragment:
            self._empty_record(content, offset)
        elif content == SSLV2:
            found.append(Message(SSLV2, version, fragment[0], fragment[1:], offset))
        elif content not in {HANDSHAKE, ALERT} or (
            self._protected and not self._partial and not in_clear(content, fragment)
        ):
            self._finish_partial(content, version, offset)
            self._protected = self._protected or content == CHANGE_CIPHER_SPEC
            found.append(Message(content, version, 0, fragment, offset))
        else:
            self._assemble(content, version, fragment, offset, found)

    def _empty_record(self, content: int, offset: int) -> None:
        # RFC 9846 section 5.1: only application data may come in empty fragments.
        self._empties += 1
        if content != APPLICATION_DATA or self._empties > MAX_EMPTY_RECORDS:
            raise WireError("record of length 0 (RFC 9846 5.1)", "record.length", offset - 2)

    def _finish_partial(self, content: int, version: int, offset: int) -> None:
        if self._partial and self._partial_kind != (content, version):
            kind = CONTENT_TYPES[self._partial_kind[0]].name
            raise WireError(
                f"{kind} message of which {len(self._partial)} bytes came is interrupted by another record"
                " (RFC 9846 5.1)",
                "record.type",
                offset,
            )

    def _assemble(self, content: int, version: int, fragment: bytes, offset: int, found: list[Message]) -> None:
        """Messages that go over the borders of records."""
        partial = self._partial
        if partial and self._partial_kind[0] != content:
            self._finish_partial(content, version, offset)
        held = len(partial)
        if not held:
            self._partial_offset = offset
        self._partial_kind = (content, version)
        partial += fragment
        position = 0
        while True:
            at = offset + position - held if position >= held else self._partial_offset
            header, length = self._message_size(content, partial, position, at)
            if length is None or len(partial) < position + header + length:
                break
            kind = partial[position] if content == HANDSHAKE else 0
            start = position + header
            found.append(Message(content, version, kind, bytes(partial[start : start + length]), at))
            position = start + length
        if position:
            self._partial_offset = at
        del partial[:position]

    def _message_size(self, content: int, data: bytearray, position: int, offset: int) -> tuple[int, int | None]:
        if content == ALERT:
            return 0, 2
        if len(data) < position + 4:
            return 4, None
        length = int.from_bytes(data[position + 1 : position + 4], "big")
        if length > self._max_message:
            raise WireError(
                f"length {length} is over this reader's bound of {self._max_message}",
                "handshake.length",
                offset + 1,
            )
        return 4, length


def in_clear(content: int, fragment: bytes | bytearray) -> bool:
    """Whether a record after ChangeCipherSpec is not encrypted: one that begins a hello, or an alert without a MAC."""
    if content == ALERT:
        return len(fragment) == 2
    return len(fragment) >= 6 and fragment[0] in {1, 2} and fragment[4] == 3 and fragment[5] <= 4 and not fragment[1]


def fragment(content: int, version: int, data: bytes, size: int = MAX_PLAINTEXT) -> bytes:
    """``data`` in records of at most ``size`` bytes each (RFC 9846 section 5.1); no data gives one empty record."""
    pieces = range(0, len(data), size) if data else (0,)
    return b"".join(
        HEADER.pack(content, version, len(piece)) + piece for piece in (data[at : at + size] for at in pieces)
    )


def sslv2_record(data: bytes) -> bytes:
    """``data`` in one SSLv2 record with a two-byte header (SSL 0.2 draft, section 1.1); at most 32767 bytes."""
    if len(data) > 0x7FFF:
        raise WireError(f"{len(data)} bytes do not fit an SSLv2 record of 32767")
    return struct.pack(">H", 0x8000 | len(data)) + data
