"""IPv4 and IPv6: headers, extension headers and fragments, down to TCP and UDP (RFC 791, RFC 8200, RFC 5722).

Must not import anything of tlswire but ``capture.layers`` and ``capture.tunnels``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tlswire.capture.layers import IP, Key, Packet
from tlswire.capture.tunnels import OVER_UDP

if TYPE_CHECKING:
    from collections import Counter

    from tlswire.capture.layers import Layer

# Datagrams of which fragments wait for the rest, and the pieces of one.
MAX_DATAGRAMS = 512
MAX_PIECES = 1024
MAX_DATAGRAM = 65535

WAITING = "fragments of incomplete IP packets"

_V4 = struct.Struct(">BxHHHxB2x8s")


class Fragments:
    """IP packets in pieces, put together when the last has come. The first copy of a byte wins."""

    def __init__(self, ignored: Counter[str]) -> None:
        self._waiting: dict[tuple[bytes, int, int], dict[int, bytes]] = {}
        self._sizes: dict[tuple[bytes, int, int], int] = {}
        self._ignored = ignored

    def add(self, key: tuple[bytes, int, int], offset: int, data: bytes, *, more: bool) -> bytes | None:
        """One piece: the whole payload when nothing is missing any more. ``key`` is addresses, protocol, number."""
        if offset + len(data) > MAX_DATAGRAM:
            self._ignored["fragments beyond the end of an IP packet"] += 1
            return None
        pieces = self._waiting.get(key)
        if pieces is None:
            if len(self._waiting) == MAX_DATAGRAMS:
                self._forget(next(iter(self._waiting)))
            pieces = self._waiting[key] = {}
        if offset in pieces or len(pieces) == MAX_PIECES:
            return None
        pieces[offset] = data
        self._ignored[WAITING] += 1
        if not more:
            self._sizes[key] = offset + len(data)
        size = self._sizes.get(key)
        if size is None or sum(map(len, pieces.values())) < size or (whole := _joined(pieces, size)) is None:
            return None
        self._ignored[WAITING] -= len(pieces)
        self._forget(key)
        return whole

    def _forget(self, key: tuple[bytes, int, int]) -> None:
        del self._waiting[key]
        self._sizes.pop(key, None)


def _joined(pieces: dict[int, bytes], size: int) -> bytes | None:
    whole = bytearray()
    for offset in sorted(pieces):
        if offset > len(whole):
            return None
        whole += pieces[offset][len(whole) - offset :]
    return bytes(whole[:size]) if len(whole) >= size else None


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
        if total >= size:  # segmentation offload leaves 0 there
            packet.missing = max(at + total - packet.end, 0)
            packet.end = min(at + total, packet.end)
        if fragment & 0x3FFF:
            more = bool(fragment & 0x2000)
            return self._fragment(packet, protocol, number, (fragment & 0x1FFF) << 3, more=more)
        return IP, protocol

    def ipv6(self, packet: Packet) -> Key | None:
        """RFC 8200 section 3."""
        buffer, at = packet.buffer, packet.at
        if buffer[at] >> 4 != 6:
            return packet.ignore("no IPv6 header where one was promised")
        length = int.from_bytes(buffer[at + 4 : at + 6], "big")
        packet.addresses = buffer[at + 8 : at + 40]
        packet.at = at + 40
        if length:  # 0 in jumbograms (RFC 2675) and before segmentation offload
            packet.missing = max(at + 40 + length - packet.end, 0)
            packet.end = min(at + 40 + length, packet.end)
        if len(packet.addresses) < 32:
            raise IndexError
        return IP, buffer[at + 6]

    def fragment6(self, packet: Packet) -> Key | None:
        """RFC 8200 section 4.5."""
        following, place, number = struct.unpack_from(">BxHI", packet.buffer, packet.at)
        packet.at += 8
        if not place & 0xFFF9:
            return IP, following  # an atomic fragment (RFC 6946)
        return self._fragment(packet, following, number, place & 0xFFF8, more=bool(place & 1))

    def _fragment(self, packet: Packet, protocol: int, number: int, offset: int, *, more: bool) -> Key | None:
        if packet.missing:
            return packet.ignore("fragments of IP packets that were cut")
        data = bytes(packet.buffer[packet.at : packet.end])
        whole = self._fragments.add((packet.addresses, protocol, number), offset, data, more=more)
        if whole is None:
            return None
        packet.buffer, packet.at, packet.end = whole, 0, len(whole)
        return IP, protocol


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
    if packet.end - packet.at < 20:
        return packet.ignore("TCP segments cut in their header")
    packet.ports = packet.buffer[packet.at : packet.at + 4]
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
    if 8 <= length < packet.end - at:
        packet.end = at + length
        packet.missing = 0
    packet.ports = ports
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
    if key is None:
        packet.at, packet.tunnels = at, tunnels
    return key
