"""TCP connections made of bytes that were sent and received: IP packets with true checksums, and pcapng around them.

A capture made of this is no recording: sequence numbers are ours, acknowledgements are left out, and times are those
that are known. Sources: RFC 791, RFC 8200, RFC 9293, RFC 1071; pcapng: draft-ietf-opsawg-pcapng.
Must not import anything of tlswire.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LINKTYPE_RAW = 101
_SEGMENT = 16000  # well below the 65,535 bytes of an IP packet
_FIN, _SYN, _RESET, _PUSH, _ACK = 1, 2, 4, 8, 16
_TCP = 6

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT = 1
_BYTE_ORDER = 0x1A2B3C4D


def connection(
    client: tuple[str, int],
    server: tuple[str, int],
    said: Iterable[tuple[bool, bytes]],
    received: bytes,
    began: float,
    ended: float,
    *,
    half_closed: bool = False,
    end: str = "",
) -> list[tuple[float, bytes]]:
    """A connection as (seconds, IP packet) pairs: handshake, what was ``said`` as (whether by us, bytes), what was
    ``received`` at the end, and the end itself.

    ``half_closed``: our FIN stands behind what was said; ``end`` is ``close`` or ``reset`` where the server ended it.
    Empty for a ``client`` without a port: it never connected, there is nothing a capture would have seen of a payload.
    """
    if not client[1]:
        return []
    up, down = _Side(client, server, 1000), _Side(server, client, 2000)
    packets = [(began, up.segment(_SYN, down)), (began, down.segment(_SYN | _ACK, up)), (began, up.segment(_ACK, down))]
    for ours, words in said:
        side, other = (up, down) if ours else (down, up)
        packets += [(began, side.segment(_PUSH | _ACK, other, piece)) for piece in _pieces(words)]
    if half_closed:
        packets.append((began, up.segment(_FIN | _ACK, down)))
    packets += [(ended, down.segment(_PUSH | _ACK, up, piece)) for piece in _pieces(received)]
    if end == "reset":
        return [*packets, (ended, down.segment(_RESET | _ACK, up))]
    if end == "close":
        packets.append((ended, down.segment(_FIN | _ACK, up)))
    if not half_closed:
        packets.append((ended, up.segment(_FIN | _ACK, down)))
    return packets


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + _SEGMENT] for at in range(0, len(data), _SEGMENT)]


class _Side:
    """One end of a synthesised connection: its addresses and its next sequence number."""

    def __init__(self, own: tuple[str, int], peer: tuple[str, int], sequence: int) -> None:
        self.own = own
        self.peer = peer
        self.sequence = sequence

    def segment(self, flags: int, other: _Side, data: bytes = b"") -> bytes:
        acknowledged = other.sequence if flags & _ACK else 0
        header = struct.pack(
            ">HHIIBBHHH", self.own[1], self.peer[1], self.sequence, acknowledged, 5 << 4, flags, 65535, 0, 0
        )
        self.sequence += len(data) + bool(flags & (_SYN | _FIN))
        return _ip(self.own[0], self.peer[0], header, data)


def _ip(source: str, target: str, header: bytes, data: bytes) -> bytes:
    addresses = ip_address(source).packed + ip_address(target).packed
    segment = header + data
    checksum = _checksum(addresses + struct.pack(">II", len(segment), _TCP) + segment)
    segment = segment[:16] + struct.pack(">H", checksum) + segment[18:]
    if ":" in source:
        return struct.pack(">IHBB", 6 << 28, len(segment), _TCP, 64) + addresses + segment
    fixed = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, _TCP, 0) + addresses
    return fixed[:10] + struct.pack(">H", _checksum(fixed)) + fixed[12:] + segment


def _checksum(data: bytes) -> int:
    # RFC 1071 section 1
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pcapng(packets: Iterable[tuple[float, bytes]], comment: str) -> bytes:
    """A capture of one section with these packets; ``comment`` stands in its header and at the first packet."""
    blocks = [
        _block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1), comment),
        _block(_INTERFACE, struct.pack("<HHI", LINKTYPE_RAW, 0, 0)),
    ]
    for number, (at, packet) in enumerate(packets):
        micros = round(at * 1e6)  # the resolution of an interface that names none
        head = struct.pack("<IIIII", 0, micros >> 32, micros & 0xFFFFFFFF, len(packet), len(packet))
        blocks.append(_block(_PACKET, head + _padded(packet), "" if number else comment))
    return b"".join(blocks)


def _block(kind: int, body: bytes, comment: str = "") -> bytes:
    if comment:
        text = comment.encode()[:0xFFFF]
        body += struct.pack("<HH", _COMMENT, len(text)) + _padded(text) + bytes(4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
