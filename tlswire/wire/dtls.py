"""DTLS: records, handshake headers with fragments, the ClientHello with its cookie, and the Deframer of one direction.

Sources: RFC 6347 (1.2), RFC 9147 (1.3), RFC 9146 (connection ids). Datagrams are lost, repeated and reordered: a bad
record is dropped and the next datagram read. Everything held back is bounded. Must not import anything of tlswire but
``errors``, ``registry`` and the rest of ``wire``; no I/O.
"""

from __future__ import annotations

import struct

import msgspec

from tlswire.errors import WireError
from tlswire.registry import COMPRESSION_METHODS, CONTENT_TYPES, HANDSHAKE_TYPES, SUITES, VERSIONS
from tlswire.wire.handshake import Extensions
from tlswire.wire.messages import ClientHello, Extension
from tlswire.wire.primitives import Codes, Fixed, Maybe, Opaque, Record, UInt, build, parse
from tlswire.wire.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, MAX_CIPHERTEXT, Message

DTLS10, DTLS12, DTLS13, BAD_VERSION = 0xFEFF, 0xFEFD, 0xFEFC, 0x0100
HELLO_VERIFY_REQUEST = 3

MAX_MESSAGE = 1 << 17
MAX_OPEN = 8
_REMEMBERED = 256

_TLS_VERSIONS = {DTLS10: 0x0302, DTLS12: 0x0303, DTLS13: 0x0304, BAD_VERSION: 0x0302}
_HEADER = struct.Struct(">BHHHIH")  # type, version, epoch, sequence number in two parts, length
_FRAGMENT = struct.Struct(">BBHHBHBH")  # type, length, message_seq, fragment_offset, fragment_length (24 bits each)


class DTLSRecord(msgspec.Struct, frozen=True):
    """DTLSPlaintext (RFC 6347 section 4.1); ``sequence`` has 48 bits."""

    type: int
    version: int
    epoch: int
    sequence: bytes
    fragment: bytes


class HandshakeFragment(msgspec.Struct, frozen=True):
    """A handshake header of DTLS (RFC 6347 section 4.2.2) and the bytes it covers."""

    type: int
    length: int
    message_seq: int
    fragment_offset: int
    fragment: bytes


class DtlsClientHello(msgspec.Struct, frozen=True):
    """A ClientHello with the cookie of RFC 6347 section 4.2.1 (empty in DTLS 1.3)."""

    legacy_version: int
    random: bytes
    session_id: bytes
    cookie: bytes
    suites: tuple[int, ...]
    compression: tuple[int, ...]
    extensions: tuple[Extension, ...] | None = None


class HelloVerifyRequest(msgspec.Struct, frozen=True):
    """HelloVerifyRequest (RFC 6347 section 4.2.1)."""

    server_version: int
    cookie: bytes


RECORD = Record(
    DTLSRecord,
    type=UInt(1, CONTENT_TYPES),
    version=UInt(2, VERSIONS),
    epoch=UInt(2),
    sequence=Fixed(6),
    fragment=Opaque(2),
)
FRAGMENT = Record(
    HandshakeFragment,
    type=UInt(1, HANDSHAKE_TYPES),
    length=UInt(3),
    message_seq=UInt(2),
    fragment_offset=UInt(3),
    fragment=Opaque(3),
)
CLIENT_HELLO_BODY = Record(
    DtlsClientHello,
    legacy_version=UInt(2, VERSIONS),
    random=Fixed(32),
    session_id=Opaque(1, 0, 32),
    cookie=Opaque(1),
    suites=Codes(2, 2, 2, 0xFFFE, table=SUITES),
    compression=Codes(1, 1, 1, table=COMPRESSION_METHODS),
    extensions=Maybe(Extensions("ch")),
)
HELLO_VERIFY_REQUEST_BODY = Record(HelloVerifyRequest, server_version=UInt(2, VERSIONS), cookie=Opaque(1))


def tls_equivalent(version: int) -> int:
    """The TLS version whose messages a DTLS version has (RFC 6347 section 1, RFC 9147 section 1); others as they are."""
    return _TLS_VERSIONS.get(version, version)


def parse_dtls_client_hello(body: bytes, base: int = 0) -> tuple[ClientHello, bytes]:
    """A ClientHello body of DTLS as the value of TLS, and its cookie. Raises WireError."""
    hello: DtlsClientHello = parse(CLIENT_HELLO_BODY, body, "client_hello", base)
    value = ClientHello(
        hello.legacy_version, hello.random, hello.session_id, hello.suites, hello.compression, hello.extensions
    )
    return value, hello.cookie


def encode_dtls_client_hello(hello: ClientHello, cookie: bytes = b"") -> bytes:
    """The body of a DTLS ClientHello. Raises WireError."""
    value = DtlsClientHello(
        hello.legacy_version, hello.random, hello.session_id, cookie, hello.suites, hello.compression, hello.extensions
    )
    return build(CLIENT_HELLO_BODY, value, "client_hello")


def fragment_dtls(kind: int, body: bytes, message_seq: int, size: int, version: int = DTLS12) -> list[bytes]:
    """A handshake message in records with at most ``size`` bytes of body each, one a datagram, epoch 0."""
    pieces = range(0, len(body), size) if body else (0,)
    return [
        build(
            RECORD,
            DTLSRecord(
                HANDSHAKE,
                version,
                0,
                (message_seq << 8 | number).to_bytes(6, "big"),
                _fragment_bytes(kind, body, message_seq, at, size),
            ),
        )
        for number, at in enumerate(pieces)
    ]


def _fragment_bytes(kind: int, body: bytes, message_seq: int, at: int, size: int) -> bytes:
    return build(FRAGMENT, HandshakeFragment(kind, len(body), message_seq, at, body[at : at + size]))


def looks_like_dtls(buffer: bytes, start: int, end: int) -> bool:
    """Whether a datagram begins with a record of epoch 0 that a handshake may begin with."""
    if end - start < 13 + 12 or buffer[start] != HANDSHAKE or buffer[start + 1] not in {0xFE, 0x01}:
        return False
    _, version, epoch, _, _, length = _HEADER.unpack_from(buffer, start)
    if version not in _TLS_VERSIONS or epoch or not 12 <= length <= end - start - 13:
        return False
    kind, high, low, _, offset_high, offset, part_high, part = _FRAGMENT.unpack_from(buffer, start + 13)
    size, at, piece = high << 16 | low, offset_high << 16 | offset, part_high << 16 | part
    return kind in {0, 1, 2, 3, 11} and at + piece <= size and piece + 12 <= length


class _Open:
    """A message whose fragments have not all come: which bytes are there, the first copy of each."""

    __slots__ = ("body", "have", "kind", "length")

    def __init__(self, kind: int, length: int) -> None:
        self.kind = kind
        self.length = length
        self.body = bytearray(length)
        self.have: list[tuple[int, int]] = []

    def add(self, at: int, piece: bytes) -> bool:
        """Take a fragment; whether the message is complete."""
        end = at + len(piece)
        for start, stop in self._holes(at, end):
            self.body[start:stop] = piece[start - at : stop - at]
        merged: list[tuple[int, int]] = []
        for start, stop in sorted([*self.have, (at, end)]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
            else:
                merged.append((start, stop))
        self.have = merged
        return merged == [(0, self.length)]

    def _holes(self, at: int, end: int) -> list[tuple[int, int]]:
        holes = []
        for start, stop in self.have:
            if at < start:
                holes.append((at, min(start, end)))
            at = max(at, stop)
            if at >= end:
                return holes
        return [*holes, (at, end)]

    @property
    def contiguous(self) -> bytes:
        """The beginning of the body, up to the first hole."""
        return bytes(self.body[: self.have[0][1]]) if self.have and self.have[0][0] == 0 else b""


class DtlsDeframer:
    """Datagrams of one direction in, complete messages out; what comes twice is handed out once.

    Messages have the DTLS version of their record and ``offset`` is their message_seq. Records of a later epoch are
    encrypted: handed out as type 0. ``error`` holds the last fault; later datagrams are still read.
    """

    def __init__(self) -> None:
        self.error: WireError | None = None
        self.version = DTLS12
        self._open: dict[int, _Open] = {}
        self._done: dict[tuple[int, int, int], None] = {}

    def pending(self) -> list[tuple[int, int, bytes]]:
        """(type, length, body up to the first hole) of the messages that are not complete."""
        return [(item.kind, item.length, item.contiguous) for item in self._open.values()]

    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by one datagram."""
        found: list[Message] = []
        try:
            self._walk(data, found)
        except WireError as error:
            self.error = error
        return found

    def _walk(self, data: bytes, found: list[Message]) -> None:
        at, end = 0, len(data)
        while at < end:
            content = data[at]
            if content & 0xE0 == 0x20:
                # The unified header of DTLS 1.3 is always encrypted (RFC 9147 section 4); its length is optional.
                found.append(Message(APPLICATION_DATA, DTLS13, 0, data[at:], 0))
                return
            if not 20 <= content <= 26 or end - at < 13:
                raise WireError(f"0x{content:02x} begins no DTLS record", "record.type", at)
            _, version, epoch, _, _, length = _HEADER.unpack_from(data, at)
            if content == 25:
                # tls12_cid: the connection id stands before the length and its size is not in the record (RFC 9146).
                found.append(Message(APPLICATION_DATA, version, 0, data[at:], 0))
                return
            if version not in _TLS_VERSIONS:
                raise WireError(f"version 0x{version:04x} is none of DTLS", "record.version", at + 1)
            if length > MAX_CIPHERTEXT or length > end - at - 13:
                raise WireError(f"length says {length} bytes, {end - at - 13} left", "record.length", at + 11)
            fragment = data[at + 13 : at + 13 + length]
            if epoch or content not in {HANDSHAKE, ALERT, CHANGE_CIPHER_SPEC}:
                kind = HANDSHAKE if content == HANDSHAKE else APPLICATION_DATA
                found.append(Message(kind, version, 0, fragment, 0))
            elif content == HANDSHAKE:
                self.version = version
                self._handshake(version, fragment, at + 13, found)
            else:
                found.append(Message(content, version, 0, fragment, 0))
            at += 13 + length

    def _handshake(self, version: int, data: bytes, base: int, found: list[Message]) -> None:
        at = 0
        while at < len(data):
            if len(data) - at < 12:
                raise WireError(f"{len(data) - at} bytes cannot hold a handshake header", "handshake", base + at)
            kind, high, low, number, offset_high, offset, part_high, part = _FRAGMENT.unpack_from(data, at)
            length, first, size = high << 16 | low, offset_high << 16 | offset, part_high << 16 | part
            piece = data[at + 12 : at + 12 + size]
            if len(piece) != size or first + size > length:
                reason = f"fragment {first}..{first + size} of {length} bytes, {len(piece)} left"
                raise WireError(reason, "handshake.fragment_length", base + at + 9)
            if length > MAX_MESSAGE:
                raise WireError(
                    f"length {length} is over this reader's bound of {MAX_MESSAGE}", "handshake.length", base + at + 1
                )
            body = piece if size == length else self._assemble(number, kind, length, first, piece)
            if body is not None:
                self._open.pop(number, None)
                self._deliver(version, kind, number, body, found)
            at += 12 + size

    def _assemble(self, number: int, kind: int, length: int, first: int, piece: bytes) -> bytes | None:
        item = self._open.get(number)
        if item is None or (item.kind, item.length) != (kind, length):
            if len(self._open) >= MAX_OPEN:
                del self._open[next(iter(self._open))]
            item = self._open[number] = _Open(kind, length)
        return bytes(item.body) if item.add(first, piece) else None

    def _deliver(self, version: int, kind: int, number: int, body: bytes, found: list[Message]) -> None:
        """A complete message, unless it is a retransmission (RFC 6347 section 4.2.4)."""
        key = (number, kind, hash(body))
        if key in self._done:
            return
        if len(self._done) >= _REMEMBERED:
            del self._done[next(iter(self._done))]
        self._done[key] = None
        found.append(Message(HANDSHAKE, version, kind, body, number))
