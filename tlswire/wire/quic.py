"""QUIC packets as far as they stand in clear, and the frames of an Initial once its protection is taken off.

Sources: RFC 9000 sections 16, 17.2 and 19, RFC 9369 section 3.2 (version 2), RFC 8999 (what all versions share).
Keys and decryption stand in ``crypto.quic``. Must not import anything of tlswire but ``errors`` and the rest of
``wire``; no I/O.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NEGOTIATION, V1, V2, V2_DRAFT = 0, 0x00000001, 0x6B3343CF, 0x709A50C4

PacketKind = Literal["initial", "0-rtt", "handshake", "retry", "negotiation"]
_KINDS: tuple[PacketKind, ...] = ("initial", "0-rtt", "handshake", "retry")
# RFC 9369 section 3.2: version 2 turns the types by one.
_KINDS2: dict[int, tuple[PacketKind, ...]] = dict.fromkeys((V2, V2_DRAFT), ("retry", "initial", "0-rtt", "handshake"))

# How a version protects its Initials: the rows of the table in ``crypto.quic``.
Rules = Literal["draft-22", "draft-23", "draft-29", "v1", "v2-draft", "v2"]
_RULES: dict[int, Rules] = {
    V1: "v1",  # RFC 9001
    V2: "v2",  # RFC 9369
    V2_DRAFT: "v2-draft",  # draft-ietf-quic-v2-04; in IANA's registry beside version 2 (RFC 9369 section 9)
    # draft-ietf-quic-transport numbered its versions by the draft; the salt changed with 23, 29 and 33.
    0xFF000016: "draft-22",
    **dict.fromkeys(range(0xFF000017, 0xFF00001D), "draft-23"),
    **dict.fromkeys(range(0xFF00001D, 0xFF000021), "draft-29"),
    **dict.fromkeys(range(0xFF000021, 0xFF000023), "v1"),
    # mvfst: its first version kept an old salt, two are other names of version 1.
    0xFACEB001: "draft-22",
    0xFACEB003: "v1",
    0xFACEB004: "v1",
}

_PADDINGS = re.compile(b"\0+")
_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO, _CLOSE = 0, 1, 2, 3, 6, 0x1C
_RETRY_TAG = 16
_GOOGLE = (0x5130, 0x5430)  # Q0, T0


class LongPacket(msgspec.Struct, frozen=True):
    """A packet with a long header: ``start``, ``number`` (offset of the packet number) and ``end`` in its datagram.

    ``token`` is that of an Initial or of a Retry; ``versions`` are those of a Version Negotiation packet. ``end`` lies
    behind the datagram's when the capture cut it.
    """

    kind: PacketKind
    version: int
    dcid: bytes
    scid: bytes
    token: bytes
    start: int
    number: int
    end: int
    versions: tuple[int, ...] = ()


class CryptoFrame(msgspec.Struct, frozen=True):
    """CRYPTO (RFC 9000 section 19.6): ``data`` stands at ``offset`` of the handshake stream."""

    offset: int
    data: bytes


class CloseFrame(msgspec.Struct, frozen=True):
    """CONNECTION_CLOSE of the transport (RFC 9000 section 19.19)."""

    error: int
    frame_type: int
    reason: bytes


def rules_of(version: int) -> Rules | None:
    """The rules by which a version protects its Initials; None where they are unknown."""
    found = _RULES.get(version)
    if found is None and version >> 8 == 0xFACEB0:
        return "draft-23"  # every other version of mvfst takes this salt
    if found is None and version & 0x0F0F0F0F == 0x0A0A0A0A:
        return "v1"  # made to be refused (RFC 9000 section 15): clients protect it as the version they know
    return found


def is_google(version: int) -> bool:
    """Whether a version is one of Google's before the IETF's (Q0xx, T0xx), which protect otherwise."""
    return version >> 16 in _GOOGLE


def varint(value: int) -> bytes:
    """A variable-length integer in its shortest form (RFC 9000 section 16). Raises WireError where it does not fit."""
    for size, limit in ((1, 6), (2, 14), (4, 30), (8, 62)):
        if 0 <= value < 1 << limit:
            return (value | (size.bit_length() - 1) << (8 * size - 2)).to_bytes(size, "big")
    raise WireError(f"{value} does not fit in 62 bits")


def read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable-length integer at ``at`` and where it ends. Raises WireError."""
    first = data[at] if at < end else 0xFF
    if first < 0x40:  # nearly always this or the next
        return first, at + 1
    if first < 0x80 and at + 1 < end:
        return (first - 0x40) * 256 + data[at + 1], at + 2
    size = 1 << (first >> 6)
    if at + size > end:
        raise WireError("a variable-length integer is cut short", "varint", at)
    return int.from_bytes(data[at : at + size], "big") & (1 << (8 * size - 2)) - 1, at + size


def read_long_packet(data: bytes, at: int, end: int, missing: int = 0) -> LongPacket:
    """The packet with a long header at ``at`` of a datagram that ends at ``end`` (RFC 9000 section 17.2).

    ``missing`` bytes of the datagram were not captured. Raises WireError for anything else.
    """
    start = at
    if end - at < 7 or not data[at] & 0x80:
        raise WireError("no long header", "packet", at)
    version = int.from_bytes(data[start + 1 : start + 5], "big")
    # Where the lengths of both connection ids stand, and the end of the second.
    first, second = start + 5, start + 6 + data[start + 5]
    at = second + 1 + (data[second] if second < end else 255)
    # RFC 8999 section 5.1 allows 255 bytes, RFC 9000 section 17.2 the versions known here 20.
    most = 255 if version == NEGOTIATION else 20
    if at > end or second - first > most + 1 or at - second > most + 1:
        bad, at = (first, second) if second > end or second - first > most + 1 else (second, at)
        raise WireError(f"a connection id of {at - bad - 1} bytes", "packet.connection_id", bad)
    dcid, scid = data[first + 1 : second], data[second + 1 : at]
    if version == NEGOTIATION:
        if (end - at) % 4 and not missing:
            raise WireError(f"{end - at} bytes are no list of versions", "negotiation.versions", at)
        versions = struct.unpack(f">{(end - at) // 4}I", data[at : at + (end - at) // 4 * 4])
        return LongPacket("negotiation", 0, dcid, scid, b"", start, at, end, versions)
    kind = _KINDS2.get(version, _KINDS)[data[start] >> 4 & 3]
    token = b""
    if kind == "retry":
        if end - at < _RETRY_TAG:
            raise WireError("no room for the integrity tag", "retry", at)
        return LongPacket(kind, version, dcid, scid, data[at : end - _RETRY_TAG], start, at, end)
    if kind == "initial":
        length, at = read_varint(data, at, end)
        if length > end - at:
            raise WireError(f"length says {length} bytes, {end - at} left", "initial.token", at)
        token, at = data[at : at + length], at + length
    length, at = read_varint(data, at, end)
    if length > end + missing - at:
        raise WireError(f"length says {length} bytes, {end - at} left", f"{kind}.length", at)
    return LongPacket(kind, version, dcid, scid, token, start, at, at + length)


def read_frames(payload: bytes, *, cut: bool = False) -> Iterator[CryptoFrame | CloseFrame]:
    """The frames of an Initial that say something (RFC 9000 section 12.4), in order; WireError at the first bad one.

    Of a ``cut`` payload the last frame may be short.
    """
    at, end = 0, len(payload)
    while at < end:
        kind = payload[at]
        if kind == _PADDING and (run := _PADDINGS.match(payload, at)):  # most of an Initial: skipped in one step
            at = run.end()
            continue
        if kind == _PING:  # browsers strew them between CRYPTO frames
            at += 1
            continue
        read = _FRAMES.get(kind)
        if read is None:
            raise WireError(f"frame type 0x{kind:02x} does not belong into an Initial (RFC 9000 12.4)", "frame", at)
        try:
            frame, at = read(payload, at + 1, end, cut)
        except WireError:
            if cut:
                return
            raise
        if frame is not None:
            yield frame


def _ack(payload: bytes, at: int, end: int, _cut: bool) -> tuple[None, int]:
    for _ in range(2):  # largest acknowledged, delay
        _, at = read_varint(payload, at, end)
    count, at = read_varint(payload, at, end)
    for _ in range(1 + 2 * count):
        _, at = read_varint(payload, at, end)
    return None, at


def _ack_ecn(payload: bytes, at: int, end: int, cut: bool) -> tuple[None, int]:
    _, at = _ack(payload, at, end, cut)
    for _ in range(3):
        _, at = read_varint(payload, at, end)
    return None, at


def _crypto(payload: bytes, at: int, end: int, cut: bool) -> tuple[CryptoFrame, int]:
    offset, at = read_varint(payload, at, end)
    data, at = _opaque(payload, at, end, cut, "crypto")
    return CryptoFrame(offset, data), at


def _close(payload: bytes, at: int, end: int, cut: bool) -> tuple[CloseFrame, int]:
    error, at = read_varint(payload, at, end)
    frame_type, at = read_varint(payload, at, end)
    reason, at = _opaque(payload, at, end, cut, "connection_close")
    return CloseFrame(error, frame_type, reason), at


def _opaque(payload: bytes, at: int, end: int, cut: bool, name: str) -> tuple[bytes, int]:
    length, at = read_varint(payload, at, end)
    if length > end - at and not cut:
        raise WireError(f"length says {length} bytes, {end - at} left", f"{name}.length", at)
    return payload[at : at + length], at + length


_FRAMES: dict[int, Callable[[bytes, int, int, bool], tuple[CryptoFrame | CloseFrame | None, int]]] = {
    _ACK: _ack,
    _ACK_ECN: _ack_ecn,
    _CRYPTO: _crypto,
    _CLOSE: _close,
}


def crypto_frame(frame: CryptoFrame) -> bytes:
    """The bytes of a CRYPTO frame."""
    return bytes((_CRYPTO,)) + varint(frame.offset) + varint(len(frame.data)) + frame.data


def initial_header(version: int, dcid: bytes, scid: bytes, token: bytes, number: int, length: int) -> bytes:
    """The header of an Initial in clear: a packet number of four bytes, ``length`` bytes of protected payload."""
    first = 0xC3 | _KINDS2.get(version, _KINDS).index("initial") << 4
    head = struct.pack(">BI", first, version) + bytes((len(dcid),)) + dcid + bytes((len(scid),)) + scid
    return head + varint(len(token)) + token + varint(length + 4) + number.to_bytes(4, "big")
