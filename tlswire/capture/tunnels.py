"""DOOR: what is carried inside IP and UDP, one function a tunnel, one row a port.

A layer over UDP returns None when the bytes are not its own: a port alone proves nothing. Must not import anything of
tlswire but ``capture.layers``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.capture.layers import BARE_IP, ETHERNET, ETHERTYPE, IPV4, IPV6, LINK, PPP_FRAME

if TYPE_CHECKING:
    from tlswire.capture.layers import Key, Layer, Packet

_TRANSPARENT_ETHERNET = 0x6558
_MPLS = (ETHERTYPE, 0x8847)
_NSH = (ETHERTYPE, 0x894F)

_INNER_TYPES = frozenset({b"\x08\x00", b"\x86\xdd", b"\x81\x00", b"\x88\xa8"})


def ipip(packet: Packet) -> Key | None:
    """IPv4 in IP (RFC 2003, RFC 2473)."""
    return packet.tunnel("ipip" if len(packet.addresses) == 8 else "4in6", 0, IPV4)


def ip6(packet: Packet) -> Key | None:
    """IPv6 in IP (RFC 4213, RFC 2473)."""
    return packet.tunnel("6in4" if len(packet.addresses) == 8 else "6in6", 0, IPV6)


def gre(packet: Packet) -> Key | None:
    """RFC 2784, RFC 2890, version 1 of RFC 2637 (PPTP); ERSPAN and NVGRE (RFC 7637) are GRE of other types."""
    buffer, at = packet.buffer, packet.at
    flags = int.from_bytes(buffer[at : at + 2], "big")
    kind = int.from_bytes(buffer[at + 2 : at + 4], "big")
    if flags & 7 == 1:
        if not flags & 0x1000:
            return packet.ignore("PPTP acknowledgements")
        return packet.tunnel("pptp", 12 + 4 * (flags >> 7 & 1), PPP_FRAME)
    if flags & 0x4007:
        return packet.ignore("GRE with a source route or of an unknown version")
    size = 4 + 4 * (flags >> 15) + 4 * (flags >> 13 & 1) + 4 * (flags >> 12 & 1)
    if kind == 0x88BE:
        return packet.tunnel("erspan", size + 8 * (flags >> 12 & 1), ETHERNET)  # types II and I
    if kind == 0x22EB:
        # Type III: what it holds, and whether a platform's header follows.
        content, more = buffer[at + size + 10] >> 2 & 31, 8 * (buffer[at + size + 11] & 1)
        return packet.tunnel("erspan", size + 12 + more, BARE_IP if content == 2 else ETHERNET)
    if kind == 0x883E:
        redirect = 0 if buffer[at + size] >> 4 == 4 else 4
        return packet.tunnel("wccp", size + redirect, IPV4)
    return packet.tunnel("gre", size, ETHERNET if kind == _TRANSPARENT_ETHERNET else (ETHERTYPE, kind))


def etherip(packet: Packet) -> Key | None:
    """RFC 3378."""
    return packet.tunnel("etherip", 2, ETHERNET)


def mpls_in_ip(packet: Packet) -> Key | None:
    """RFC 4023, and over UDP RFC 7510."""
    return packet.tunnel("mpls", 0, _MPLS)


def l2tp3(packet: Packet) -> Key | None:
    """L2TPv3 over IP (RFC 3931 section 4.1.1); the length of the cookie is only in the control messages."""
    if packet.buffer[packet.at : packet.at + 4] == bytes(4):
        return packet.ignore("L2TP control messages")
    return _pseudowire(packet, 4) or packet.ignore("L2TPv3 with an unknown cookie")


def _pseudowire(packet: Packet, header: int) -> Key | None:
    """What stands behind a cookie of 0, 4 or 8 bytes and maybe a sublayer of 4 (RFC 3931 section 4.1)."""
    for size in range(header, header + 16, 4):
        packet.at += size
        found = holds_ethernet(packet)
        packet.at -= size
        if found:
            return packet.tunnel("l2tp", size, ETHERNET)
    return None


def holds_ethernet(packet: Packet) -> bool:
    """Whether an Ethernet frame with IP or a VLAN tag is what is left to peel."""
    at = packet.at + 12
    kind = packet.buffer[at : at + 2]
    if kind not in _INNER_TYPES or at + 2 >= packet.end:
        return False
    return packet.buffer[at + 2] >> 4 == {b"\x08\x00": 4, b"\x86\xdd": 6}.get(kind, packet.buffer[at + 2] >> 4)


# Over UDP


def vxlan(packet: Packet) -> Key | None:
    """RFC 7348; with the group policy bits of draft-smith-vxlan-group-policy."""
    buffer, at = packet.buffer, packet.at
    if buffer[at] & 0x77 or not buffer[at] & 8 or buffer[at + 7]:
        return None
    return packet.tunnel("vxlan", 8, ETHERNET)


def vxlan_gpe(packet: Packet) -> Key | None:
    """draft-ietf-nvo3-vxlan-gpe: VXLAN that names what it carries."""
    buffer, at = packet.buffer, packet.at
    if buffer[at] & 0xC8 != 8 or buffer[at + 7]:
        return None
    key = _NEXT_PROTOCOLS.get(buffer[at + 3]) if buffer[at] & 4 else ETHERNET
    return key and packet.tunnel("vxlan-gpe", 8, key)


def geneve(packet: Packet) -> Key | None:
    """RFC 8926."""
    buffer, at = packet.buffer, packet.at
    if buffer[at] >> 6 or buffer[at + 1] & 0x3F or buffer[at + 7]:
        return None
    kind = int.from_bytes(buffer[at + 2 : at + 4], "big")
    size = 8 + ((buffer[at] & 0x3F) << 2)
    return packet.tunnel("geneve", size, ETHERNET if kind == _TRANSPARENT_ETHERNET else (ETHERTYPE, kind))


def nsh(packet: Packet) -> Key | None:
    """A network service header (RFC 8300) in front of what it steers."""
    buffer, at = packet.buffer, packet.at
    key = _NEXT_PROTOCOLS.get(buffer[at + 3])
    packet.at += (buffer[at + 1] & 0x3F) << 2
    return key or packet.ignore("NSH with an unknown protocol inside")


_NEXT_PROTOCOLS: dict[int, Key] = {1: IPV4, 2: IPV6, 3: ETHERNET, 4: _NSH, 5: _MPLS}


def teredo(packet: Packet) -> Key | None:
    """RFC 4380 section 5.1.1: IPv6, maybe behind authentication and origin indications."""
    buffer, at = packet.buffer, packet.at
    size = 0
    if buffer[at : at + 2] == b"\x00\x01":
        size = 13 + buffer[at + 2] + buffer[at + 3]
    if buffer[at + size : at + size + 2] == b"\x00\x00":
        size += 8
    return packet.tunnel("teredo", size, IPV6) if buffer[at + size] >> 4 == 6 and _fits(packet, size) else None


def _fits(packet: Packet, offset: int) -> bool:
    """Whether an IP header stands there and its length is within the datagram's."""
    buffer, at = packet.buffer, packet.at + offset
    room = packet.end - at + packet.missing
    if buffer[at] >> 4 == 4:
        return 20 <= (buffer[at] & 15) << 2 <= (int.from_bytes(buffer[at + 2 : at + 4], "big") or room) <= room
    return buffer[at] >> 4 == 6 and 40 + int.from_bytes(buffer[at + 4 : at + 6], "big") <= room


def gtp_u(packet: Packet) -> Key | None:
    """A G-PDU of GTP version 1 (3GPP TS 29.281 section 5.1), its extension headers skipped."""
    buffer, at = packet.buffer, packet.at
    if buffer[at] & 0xF0 != 0x30 or buffer[at + 1] != 0xFF:
        return None
    size = 8
    if buffer[at] & 7:
        size = 12
        following = buffer[at + 11] if buffer[at] & 4 else 0
        while following and at + size < packet.end and (units := buffer[at + size]):
            size += units << 2
            following = buffer[at + size - 1]
    return packet.tunnel("gtp", size, BARE_IP) if _fits(packet, size) else None


def l2tp(packet: Packet) -> Key | None:
    """RFC 2661 section 3.1 with PPP inside, or version 3 (RFC 3931 section 4.1.2)."""
    buffer, at = packet.buffer, packet.at
    flags = int.from_bytes(buffer[at : at + 2], "big")
    if flags & 0x8000:
        return None  # a control message
    if flags == 3:
        return _pseudowire(packet, 8)
    if flags & 0x34FF != 2:  # bits that must be 0, and the version
        return None
    size = 6 + 2 * (flags >> 14 & 1) + 4 * (flags >> 11 & 1)
    if flags & 0x4000 and int.from_bytes(buffer[at + 2 : at + 4], "big") > packet.end - at + packet.missing:
        return None
    if flags & 0x0200:
        size += 2 + int.from_bytes(buffer[at + size : at + size + 2], "big")
    return packet.tunnel("l2tp", size, PPP_FRAME)


def gre_in_udp(packet: Packet) -> Key | None:
    """RFC 8086."""
    return gre(packet) if not packet.buffer[packet.at] & 0x4F and not packet.buffer[packet.at + 1] else None


def mpls_in_udp(packet: Packet) -> Key | None:
    """RFC 7510: a label stack with IP behind it."""
    size = 4
    while not packet.buffer[packet.at + size - 2] & 1:
        size += 4
    return mpls_in_ip(packet) if _fits(packet, size) else None


def tzsp(packet: Packet) -> Key | None:
    """TaZmen Sniffer Protocol, in which access points and routers send what they sniff."""
    buffer, at = packet.buffer, packet.at
    key = _SNIFFED.get(int.from_bytes(buffer[at + 2 : at + 4], "big"))
    if buffer[at] != 1 or buffer[at + 1] not in {0, 1} or key is None:
        return None
    size = 4
    while (tag := buffer[at + size]) != 1:  # the end of the tags
        size += 1 if tag == 0 else 2 + buffer[at + size + 1]
    return packet.tunnel("tzsp", size + 1, key)


# 802.11 bare, and behind the headers of Prism and AVS.
_SNIFFED: dict[int, Key] = {1: ETHERNET, 18: (LINK, 105), 119: (LINK, 119), 127: (LINK, 163)}

OVER_UDP: dict[int, Layer] = {
    1701: l2tp,
    2152: gtp_u,
    3544: teredo,
    4754: gre_in_udp,
    4789: vxlan,
    4790: vxlan_gpe,
    6081: geneve,
    6635: mpls_in_udp,
    8472: vxlan,  # what Linux took before the port was assigned
    37008: tzsp,
}
