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
CLIENT_HELLO, HELLO_VERIFY_REQUEST = 1, 3

MAX_MESSAGE = 1 << 17
MAX_OPEN = 8
MAX_RUNS = 256
_REMEMBERED = 256
_HEAD = 34  # version and random: what tells two hellos apart

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
                (message_seq << 24 | number).to_bytes(6, "big"),
                _fragment_bytes(kind, body, message_seq, at, size),
            ),
        )
        for number, at in enumerate(pieces)
    ]


def _fragment_bytes(kind: int, body: bytes, message_seq: int, at: int, size: int) -> bytes:
    return build(FRAGMENT, HandshakeFragment(kind, len(body), message_seq, at, body[at : at + size]))


def looks_like_dtls(buffer: bytes, start: int, end: int, missing: int = 0) -> bool:
    """Whether a datagram, of which ``missing`` bytes were not captured, begins as a handshake may: in epoch 0."""
    if end - start < 13 + 12 or buffer[start] != HANDSHAKE or buffer[start + 1] not in {0xFE, 0x01}:
        return False
    _, version, epoch, _, _, length = _HEADER.unpack_from(buffer, start)
    if version not in _TLS_VERSIONS or epoch or not 12 <= length <= end + missing - start - 13:
        return False
    kind, high, low, _, offset_high, offset, part_high, part = _FRAGMENT.unpack_from(buffer, start + 13)
    size, at, piece = high << 16 | low, offset_high << 16 | offset, part_high << 16 | part
    return kind in {0, 1, 2, 3, 11} and at + piece <= size and piece + 12 <= length


def begun_hello(buffer: bytes, start: int, end: int, missing: int = 0) -> tuple[int, bytes] | None:
    """The message_seq and the random, as far as it is there, of the ClientHello that a datagram begins with."""
    if not looks_like_dtls(buffer, start, end, missing):
        return None
    kind, _, _, number, offset_high, offset, part_high, part = _FRAGMENT.unpack_from(buffer, start + 13)
    if kind != CLIENT_HELLO or offset_high or offset:
        return None
    stop = min(start + 25 + (part_high << 16 | part), start + 25 + _HEAD, end)
    return number, buffer[start + 27 : stop]


class _Body:
    """The body of a message whose fragments have not all come: the first copy of every byte that did.

    ``runs`` are (where it begins, bytes) in order, with a hole between any two: no more memory than what was sent.
    """

    __slots__ = ("length", "runs")

    def __init__(self, length: int) -> None:
        self.length = length
        self.runs: list[tuple[int, bytearray]] = []

    def add(self, at: int, piece: bytes) -> bool:
        """Take a fragment; whether the body is complete. One too many that lies apart from all others is dropped."""
        end = at + len(piece)
        before = [run for run in self.runs if run[0] + len(run[1]) < at]
        after = [run for run in self.runs if run[0] > end]
        touched = self.runs[len(before) : len(self.runs) - len(after)]
        if not piece or (not touched and len(self.runs) >= MAX_RUNS):
            return False
        first, joined = touched.pop(0) if touched and touched[0][0] <= at else (at, bytearray())
        for begin, held in [*touched, (end, bytearray())]:
            joined += piece[first + len(joined) - at : begin - at]
            joined += held
        self.runs = [*before, (first, joined), *after]
        return len(joined) == self.length

    @property
    def contiguous(self) -> bytes:
        """The beginning of the body, up to the first hole."""
        return bytes(self.runs[0][1]) if self.runs and not self.runs[0][0] else b""


class DtlsDeframer:
    """Datagrams of one direction in, complete messages out; what comes twice is handed out once.

    Messages have the DTLS version of their record and ``offset`` is their message_seq. Records of a later epoch are
    encrypted: handed out as application data. ``error`` holds the last fault; later datagrams are still read.
    """

    def __init__(self) -> None:
        self.error: WireError | None = None
        self.version = DTLS12
        # By message_seq, type and length: a fragment that lies about its length spoils no other.
        self._open: dict[tuple[int, int, int], _Body] = {}
        self._done: dict[tuple[int, int, int], bytes] = {}

    def pending(self) -> list[tuple[int, int, bytes]]:
        """(type, length, body up to the first hole) of the messages that are not complete, retransmissions left out."""
        found = []
        for (number, kind, length), body in self._open.items():
            begun = body.contiguous
            heads = (head for key, head in self._done.items() if key[:2] == (number, kind))
            if not any(head.startswith(begun[:_HEAD]) for head in heads):
                found.append((kind, length, begun))
        return found

    def feed(self, data: bytes, missing: int = 0) -> list[Message]:
        """Messages completed by one datagram, of whose end ``missing`` bytes were not captured."""
        found: list[Message] = []
        try:
            self._walk(data, missing, found)
        except WireError as error:
            self.error = error
        return found

    def _walk(self, data: bytes, missing: int, found: list[Message]) -> None:
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
            cut = max(length - (end - at - 13), 0)
            if length > MAX_CIPHERTEXT or cut > missing:
                raise WireError(f"length says {length} bytes, {end - at - 13} left", "record.length", at + 11)
            fragment = data[at + 13 : at + 13 + length]
            if epoch:
                found.append(Message(APPLICATION_DATA, version, 0, fragment, 0))
            elif content == HANDSHAKE:
                self.version = version
                self._handshake(version, fragment, cut, at + 13, found)
            elif content in {ALERT, CHANGE_CIPHER_SPEC} and not cut:
                # What else may come in clear is an ACK (RFC 9147 section 7), which tells nothing of the session.
                found.append(Message(content, version, 0, fragment, 0))
            at += 13 + length

    def _handshake(self, version: int, data: bytes, cut: int, base: int, found: list[Message]) -> None:
        at = 0
        while at < len(data):
            if len(data) - at < 12:
                if cut:
                    return
                raise WireError(f"{len(data) - at} bytes cannot hold a handshake header", "handshake", base + at)
            kind, high, low, number, offset_high, offset, part_high, part = _FRAGMENT.unpack_from(data, at)
            length, first, size = high << 16 | low, offset_high << 16 | offset, part_high << 16 | part
            piece = data[at + 12 : at + 12 + size]
            if size - len(piece) > cut or first + size > length:
                reason = f"fragment {first}..{first + size} of {length} bytes, {len(piece)} left"
                raise WireError(reason, "handshake.fragment_length", base + at + 9)
            if length > MAX_MESSAGE:
                raise WireError(
                    f"length {length} is over this reader's bound of {MAX_MESSAGE}", "handshake.length", base + at + 1
                )
            body = piece if len(piece) == length else self._assemble((number, kind, length), first, piece)
            if body is not None:
                for key in [key for key in self._open if key[0] == number]:
                    del self._open[key]
                self._deliver(version, kind, number, body, found)
            at += 12 + size

    def _assemble(self, key: tuple[int, int, int], first: int, piece: bytes) -> bytes | None:
        body = self._open.get(key)
        if body is None:
            if len(self._open) >= MAX_OPEN:
                del self._open[next(iter(self._open))]
            body = self._open[key] = _Body(key[2])
        return body.contiguous if body.add(first, piece) else None

    def _deliver(self, version: int, kind: int, number: int, body: bytes, found: list[Message]) -> None:
        """A complete message, unless it is a retransmission (RFC 6347 section 4.2.4)."""
        key = (number, kind, hash(body))
        if key in self._done:
            return
        if len(self._done) >= _REMEMBERED:
            del self._done[next(iter(self._done))]
        self._done[key] = body[:_HEAD]
        found.append(Message(HANDSHAKE, version, kind, body, number))
