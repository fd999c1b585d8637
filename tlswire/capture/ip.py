"""IPv4 and IPv6: headers, extension headers and fragments, down to TCP and UDP (RFC 791, RFC 8200, RFC 5722).

Must not import anything of tlswire but ``capture.layers`` and ``capture.tunnels``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec

from tlswire.capture.layers import IP, Key, Packet
from tlswire.capture.tunnels import OVER_UDP

if TYPE_CHECKING:
    from collections import Counter

    from tlswire.capture.layers import Layer

# Packets of which fragments wait for the rest, the fragments of one, and the bytes of all, with what keeps a fragment.
MAX_PACKETS = 512
MAX_PIECES = 1024
MAX_HELD = 1 << 25
OVERHEAD = 256
MAX_PACKET = 65535

WAITING = "fragments of incomplete IP packets"

_V4 = struct.Struct(">BxHHHxB2x8s")
_V6 = struct.Struct(">B3xHBx32s")

# Addresses, protocol (0 for IPv6, whose fragments may differ there), identification.
_Key = tuple[bytes, int, int]


class _Pieces(msgspec.Struct, eq=False, gc=False):
    """The fragments of one packet by the places they begin and end, in the order they came."""

    held: dict[tuple[int, int], bytes]
    protocol: int = 0
    size: int = 0  # 0 until the last fragment tells
    bytes: int = 0


class Fragments:
    """IP packets in pieces, put together when nothing is missing any more. The first copy of a byte wins."""

    def __init__(self, ignored: Counter[str]) -> None:
        self._waiting: dict[_Key, _Pieces] = {}
        self._held = 0
        self._ignored = ignored

    def add(self, key: _Key, protocol: int, offset: int, data: bytes, *, more: bool) -> tuple[int, bytes] | None:
        """One piece: protocol and payload of the packet when it was the last that was missing."""
        end = offset + len(data)
        if end > MAX_PACKET:
            self._ignored["fragments beyond the end of an IP packet"] += 1
            return None
        self._make_room(len(data) + OVERHEAD, new=key not in self._waiting)
        pieces = self._waiting.get(key)
        if pieces is None:
            pieces = self._waiting[key] = _Pieces({})
        if (offset, end) in pieces.held:
            self._ignored["repeated fragments of IP packets"] += 1
            return None
        if len(pieces.held) == MAX_PIECES:
            self._ignored[f"IP packets in more than {MAX_PIECES} fragments"] += 1
            return None
        pieces.held[offset, end] = data
        pieces.bytes += len(data)
        self._held += len(data) + OVERHEAD
        self._ignored[WAITING] += 1
        if not offset:
            pieces.protocol = protocol
        if not more:
            pieces.size = pieces.size or end
        if not pieces.size or pieces.bytes < pieces.size or (whole := _joined(pieces)) is None:
            return None
        self._ignored[WAITING] -= len(pieces.held)
        if not self._ignored[WAITING]:
            del self._ignored[WAITING]
        self._forget(key)
        return pieces.protocol, whole

    def _make_room(self, size: int, *, new: bool) -> None:
        while self._waiting and (self._held + size > MAX_HELD or (new and len(self._waiting) == MAX_PACKETS)):
            self._forget(next(iter(self._waiting)))

    def _forget(self, key: _Key) -> None:
        pieces = self._waiting.pop(key)
        self._held -= pieces.bytes + OVERHEAD * len(pieces.held)


def _joined(pieces: _Pieces) -> bytes | None:
    covered = 0
    for offset, end in sorted(pieces.held):
        if offset > covered:
            return None
        covered = max(covered, end)
    if covered < pieces.size:
        return None
    whole = bytearray(covered)
    for offset, end in reversed(pieces.held):
        whole[offset:end] = pieces.held[offset, end]
    return bytes(whole[: pieces.size])


class InternetProtocol:
    """The layers of IP, which remember fragments."""

    def __init__(self, ignored: Counter[str]) -> None:
        self._fragments = Fragments(ignored)

    def ipv4(self, packet: Packet) -> Key | None:
        """RFC 791 section 3.1."""
        at = packet.at
        head, total, number, fragment, protocol, addresses = _V4.unpack_from(packet.buffer, at)
        size = (head & 15) << 2
        if head >> 4 != 4 or size < 20:
            return packet.ignore("no IPv4 header where one was promised")
        packet.addresses = addresses
        packet.at = at + size
        if total:  # segmentation offload leaves 0 there
            if total < size:
                return packet.ignore("IPv4 packets shorter than their header")
            _shorten(packet, at + total)
        if fragment & 0x3FFF:
            key = (addresses, protocol, number)
            return self._fragment(packet, key, protocol, (fragment & 0x1FFF) << 3, more=bool(fragment & 0x2000))
        # Most of what comes here: not worth another turn of the peeler.
        return tcp(packet) if protocol == 6 else (IP, protocol)

    def ipv6(self, packet: Packet) -> Key | None:
        """RFC 8200 section 3."""
        head, length, following, packet.addresses = _V6.unpack_from(packet.buffer, packet.at)
        if head >> 4 != 6:
            return packet.ignore("no IPv6 header where one was promised")
        packet.at += 40
        if length:  # 0 in jumbograms (RFC 2675) and before segmentation offload
            _shorten(packet, packet.at + length)
        return tcp(packet) if following == 6 else (IP, following)

    def fragment6(self, packet: Packet) -> Key | None:
        """RFC 8200 section 4.5."""
        following, place, number = struct.unpack_from(">BxHI", packet.buffer, packet.at)
        packet.at += 8
        if not place & 0xFFF9:
            return IP, following  # an atomic fragment (RFC 6946)
        key = (packet.addresses, 0, number)
        return self._fragment(packet, key, following, place & 0xFFF8, more=bool(place & 1))

    def _fragment(self, packet: Packet, key: _Key, protocol: int, offset: int, *, more: bool) -> Key | None:
        if packet.missing or packet.at > packet.end:
            return packet.ignore("fragments of IP packets that were cut")
        data = packet.buffer[packet.at : packet.end]
        complete = self._fragments.add(key, protocol, offset, data, more=more)
        if complete is None:
            return None
        protocol, packet.buffer = complete
        packet.at, packet.end = 0, len(packet.buffer)
        return IP, protocol


def _shorten(packet: Packet, end: int) -> None:
    """A header says where the packet ends: what stands behind is padding, what does not was not captured."""
    if end <= packet.end:
        packet.end = end
        packet.missing = 0
    else:
        packet.missing = end - packet.end


def extension(packet: Packet) -> Key | None:
    """Hop-by-hop, routing, destination, mobility, HIP and shim6 headers (RFC 8200 section 4, RFC 7045)."""
    following, length = packet.buffer[packet.at], packet.buffer[packet.at + 1]
    packet.at += (length + 1) << 3
    return IP, following


def authentication(packet: Packet) -> Key | None:
    """AH authenticates and leaves in clear (RFC 4302 section 2)."""
    following, length = packet.buffer[packet.at], packet.buffer[packet.at + 1]
    packet.at += (length + 2) << 2
    return IP, following


def tcp(packet: Packet) -> Key | None:
    """A segment, whose header must be there whole (RFC 9293 section 3.1)."""
    at = packet.at
    if packet.end - at < 20:
        return packet.ignore("TCP segments cut in their header")
    packet.key = packet.addresses + packet.buffer[at : at + 4]
    packet.protocol = 6
    return None


def udp(packet: Packet) -> Key | None:
    """A datagram, or a tunnel on a port known for one (RFC 768)."""
    at = packet.at
    if packet.end - at < 8:
        return packet.ignore("UDP datagrams cut in their header")
    ports = packet.buffer[at : at + 4]
    for port in (ports[2:], ports[:2]):
        tunnel = OVER_UDP.get(int.from_bytes(port, "big"))
        if tunnel is not None and (key := _in_tunnel(packet, tunnel)) is not None:
            return key
    length = int.from_bytes(packet.buffer[at + 4 : at + 6], "big")
    if 8 <= length < packet.end - at + packet.missing:
        _shorten(packet, at + length)
    packet.key = packet.addresses + ports
    packet.protocol = 17
    return None


def _in_tunnel(packet: Packet, tunnel: Layer) -> Key | None:
    """What a tunnel's layer says of the datagram; None where the port is the tunnel's and the bytes are not."""
    at, tunnels = packet.at, packet.tunnels
    packet.at += 8
    try:
        key = tunnel(packet)
    except (IndexError, struct.error):
        key = None
    if key is None or packet.at > packet.end:
        packet.at, packet.tunnels = at, tunnels
        return None
    return key
