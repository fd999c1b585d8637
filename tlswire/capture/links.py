"""DOOR: link types and Ethernet types, one row each, and the peeler that goes from a frame to its segment.

Plain Ethernet with TCP or UDP does not come here (``capture.streams`` reads it in place). Numbers of link types are
those of the pcap registry (draft-ietf-opsawg-pcaplinktype). Must not import anything of tlswire but the layers of
``capture``.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING

from tlswire.capture import ip, tunnels, wireless
from tlswire.capture.layers import (
    BARE_IP,
    ETHERNET,
    ETHERTYPE,
    IP,
    IPV4,
    IPV6,
    LINK,
    PPP,
    Key,
    Layer,
    Origin,
    Packet,
    bare_ip,
    origin,
)

if TYPE_CHECKING:
    Segment = tuple[int, bytes, bytes, int, int, int, Origin | None]

# Headers around one segment, tags and labels included.
MAX_LAYERS = 48

_CUT = "packets cut in a header"


def ethernet(packet: Packet) -> Key | None:
    """IEEE 802.3; a capture of rvictl says Ethernet and holds bare IP."""
    buffer, at = packet.buffer, packet.at
    kind = int.from_bytes(buffer[at + 12 : at + 14], "big")
    key = (ETHERTYPE, kind)
    if (kind > 1500 and key not in _IP_TYPES) or (at + 14 < packet.end and buffer[at + 14] >> 4 == _IP_TYPES.get(key)):
        if key not in LAYERS and _is_bare(packet):
            return bare_ip(packet)
        packet.at = at + 14
        return key
    if _is_bare(packet):
        return bare_ip(packet)
    packet.at = at + 14
    return llc(packet) if kind <= 1500 else key


_IP_TYPES: dict[Key, int] = {IPV4: 4, IPV6: 6}


def _is_bare(packet: Packet) -> bool:
    """Whether IP begins where Ethernet should: version, length and protocol must all fit."""
    buffer, at = packet.buffer, packet.at
    size = packet.end - at
    if size >= 20 and buffer[at] >> 4 == 4 and (buffer[at] & 15) >= 5:
        total = int.from_bytes(buffer[at + 2 : at + 4], "big")
        return total >= 20 and (total == size or (total > size >= 40)) and (IP, buffer[at + 9]) in LAYERS
    if size >= 40 and buffer[at] >> 4 == 6:
        total = 40 + int.from_bytes(buffer[at + 4 : at + 6], "big")
        return (total == size or total > size >= 60) and (IP, buffer[at + 6]) in LAYERS
    return False


def llc(packet: Packet) -> Key | None:
    """IEEE 802.2, with the Ethernet type of SNAP."""
    buffer, at = packet.buffer, packet.at
    head = buffer[at : at + 3]
    if head == b"\xaa\xaa\x03":
        packet.at = at + 8
        return ETHERTYPE, int.from_bytes(buffer[at + 6 : at + 8], "big")
    if head == b"\x06\x06\x03":
        packet.at = at + 3
        return IPV4
    return packet.ignore("LLC without IP")


def typed(size: int, place: int) -> Layer:
    """A header of ``size`` bytes with an Ethernet type at ``place``."""

    def layer(packet: Packet) -> Key | None:
        at = packet.at
        kind = int.from_bytes(packet.buffer[at + place : at + place + 2], "big")
        packet.at = at + size
        return (ETHERTYPE, kind) if kind > 1500 else llc(packet)

    return layer


def behind(size: int, key: Key) -> Layer:
    """A header of ``size`` bytes that needs no reading."""

    def layer(packet: Packet) -> Key:
        packet.at += size
        return key

    return layer


def mpls(packet: Packet) -> Key | None:
    """A label stack (RFC 3032); what it carries is told by its first bits (RFC 4928)."""
    buffer, at = packet.buffer, packet.at
    while at + 4 <= packet.end:
        at += 4
        if buffer[at - 2] & 1:
            break
    packet.at = at
    key = _IP_NIBBLES.get(buffer[at] >> 4)
    if key is None:
        packet.at += 0 if buffer[at] >> 4 else 4  # a control word (RFC 4385 section 3)
        return ETHERNET
    return key


_IP_NIBBLES: dict[int, Key] = {4: IPV4, 6: IPV6}


def pppoe(packet: Packet) -> Key:
    """A session's packet (RFC 2516 section 4)."""
    packet.at += 6
    return PPP, 0


def ppp(packet: Packet) -> Key:
    """RFC 1661 and RFC 1662: address and control may be left out, a small protocol may have one byte."""
    buffer, at = packet.buffer, packet.at
    if buffer[at : at + 2] == b"\xff\x03":
        at += 2
    protocol = buffer[at]
    if protocol & 1:
        packet.at = at + 1
    else:
        protocol = protocol << 8 | buffer[at + 1]
        packet.at = at + 2
    return PPP, protocol


def family(packet: Packet) -> Key | None:
    """BSD loopback: an address family in somebody's byte order."""
    at = packet.at
    word = packet.buffer[at : at + 4]
    packet.at = at + 4
    number = min(int.from_bytes(word, "big"), int.from_bytes(word, "little"))
    return _FAMILIES.get(number) or packet.ignore(f"address family {number}")


# Linux and Windows, then IPv6 as NetBSD, FreeBSD and Darwin number it.
_FAMILIES: dict[int, Key] = {2: IPV4, 10: IPV6, 23: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}


def pktap(packet: Packet) -> Key | None:
    """Apple's packet tap: link type, interface and process of the packet (struct pktap_header of Darwin's pktap.h)."""
    buffer, at = packet.buffer, packet.at
    order = "<" if buffer[at + 2 : at + 4] == b"\0\0" else ">"
    size, following, linktype = struct.unpack_from(order + "III", buffer, at)
    if not 76 <= size <= packet.end - at:
        return packet.ignore("PKTAP headers of impossible length")
    if following == 0:
        return packet.ignore("PKTAP without a packet")
    pid = struct.unpack_from(order + "i", buffer, at + 52)[0]
    name = bytes(buffer[at + 56 : at + 73]).partition(b"\0")[0]
    if name or pid > 0:
        packet.pid = pid
        packet.process = name.decode("utf-8", "backslashreplace")
    packet.at = at + size
    return LINK, linktype


def nflog(packet: Packet) -> Key | None:
    """Linux netfilter log: attributes, one of which is the packet."""
    buffer, at = packet.buffer, packet.at + 4
    while at + 4 <= packet.end:
        length, kind = struct.unpack_from("<HH", buffer, at)
        if length < 4:
            break
        if kind == 9:
            packet.at = at + 4
            packet.end = min(packet.end, at + length)
            return BARE_IP
        at += length + 3 & ~3
    return packet.ignore("NFLOG without a packet")


def pflog(packet: Packet) -> Key:
    """OpenBSD's packet filter log: a header padded to a multiple of four."""
    packet.at += packet.buffer[packet.at] + 3 & ~3
    return BARE_IP


def tag(size: int) -> Layer:
    """A tag behind an Ethernet type, the next type in its last two bytes."""
    return typed(size, size - 2)


# The layers that remember nothing; those of IP's fragments belong to a peeler.
LAYERS: dict[Key, Layer] = {
    (LINK, 0): family,
    ETHERNET: ethernet,
    (LINK, 9): ppp,
    (LINK, 12): bare_ip,
    (LINK, 14): bare_ip,
    (LINK, 50): ppp,
    (LINK, 51): pppoe,
    BARE_IP: bare_ip,
    (LINK, 104): typed(4, 2),  # Cisco HDLC
    (LINK, 105): wireless.ieee80211,
    (LINK, 108): family,
    (LINK, 109): behind(12, BARE_IP),  # OpenBSD's ENC
    (LINK, 113): typed(16, 14),  # Linux cooked
    (LINK, 117): pflog,
    (LINK, 119): wireless.prism,
    (LINK, 127): wireless.radiotap,
    (LINK, 138): typed(18, 16),  # IP over IEEE 1394
    (LINK, 149): pktap,
    (LINK, 163): wireless.avs,
    (LINK, 166): ppp,
    (LINK, 192): wireless.ppi,
    (LINK, 204): behind(1, (PPP, 0)),
    (LINK, 228): bare_ip,
    (LINK, 229): bare_ip,
    (LINK, 239): nflog,
    (LINK, 258): pktap,
    (LINK, 276): typed(20, 0),  # Linux cooked, version 2
    (PPP, 0): ppp,
    (PPP, 0x21): lambda _: IPV4,
    (PPP, 0x57): lambda _: IPV6,
    (PPP, 0x281): mpls,
    (ETHERTYPE, 0x6558): lambda _: ETHERNET,
    (ETHERTYPE, 0x8100): tag(4),  # IEEE 802.1Q
    (ETHERTYPE, 0x88A8): tag(4),  # IEEE 802.1ad
    (ETHERTYPE, 0x9100): tag(4),
    (ETHERTYPE, 0x9200): tag(4),
    (ETHERTYPE, 0x880B): ppp,
    (ETHERTYPE, 0x8847): mpls,
    (ETHERTYPE, 0x8848): mpls,
    (ETHERTYPE, 0x8864): pppoe,
    (ETHERTYPE, 0x88E7): behind(4, ETHERNET),  # IEEE 802.1ah
    (ETHERTYPE, 0x8909): tag(8),  # Cisco metadata
    (ETHERTYPE, 0x8926): tag(6),  # VN-Tag
    (ETHERTYPE, 0x893F): tag(8),  # IEEE 802.1BR
    (ETHERTYPE, 0x894F): tunnels.nsh,
    (IP, 0): ip.extension,
    (IP, 4): tunnels.ipip,
    (IP, 6): ip.tcp,
    (IP, 17): ip.udp,
    (IP, 41): tunnels.ip6,
    (IP, 43): ip.extension,
    (IP, 47): tunnels.gre,
    (IP, 51): ip.authentication,
    (IP, 60): ip.extension,
    (IP, 94): tunnels.ipip,
    (IP, 97): tunnels.etherip,
    (IP, 115): tunnels.l2tp3,
    (IP, 135): ip.extension,
    (IP, 137): tunnels.mpls_in_ip,
    (IP, 139): ip.extension,
    (IP, 140): ip.extension,
}

_TABLES = ("link type", "Ethernet type", "IP protocol", "PPP protocol")

# What people expect to be ignored, by name; the rest is counted by number.
_NAMES: dict[Key, str] = {
    (ETHERTYPE, 0x0806): "ARP",
    (ETHERTYPE, 0x8863): "PPPoE discovery",
    (ETHERTYPE, 0x888E): "EAPOL",
    (ETHERTYPE, 0x88CC): "LLDP",
    (ETHERTYPE, 0x88E5): "MACsec",
    (IP, 1): "ICMP",
    (IP, 2): "IGMP",
    (IP, 50): "ESP",
    (IP, 58): "ICMPv6",
    (IP, 59): "IPv6 without a payload",
    (IP, 89): "OSPF",
    (IP, 103): "PIM",
    (IP, 112): "VRRP",
    (IP, 132): "SCTP",
    (PPP, 0x3D): "PPP multilink",
    (PPP, 0x8021): "PPP IPCP",
    (PPP, 0x8057): "PPP IPv6CP",
    (PPP, 0xC021): "PPP LCP",
    (PPP, 0xC023): "PPP PAP",
    (PPP, 0xC223): "PPP CHAP",
    (LINK, 6): "link type 6 (Token Ring)",
    (LINK, 8): "link type 8 (SLIP)",
    (LINK, 10): "link type 10 (FDDI)",
    (LINK, 107): "link type 107 (Frame Relay)",
    (LINK, 143): "link type 143 (DOCSIS)",
    (LINK, 187): "link type 187 (Bluetooth HCI)",
    (LINK, 189): "link type 189 (Linux USB)",
    (LINK, 195): "link type 195 (IEEE 802.15.4)",
    (LINK, 201): "link type 201 (Bluetooth HCI)",
    (LINK, 220): "link type 220 (Linux USB)",
    (LINK, 227): "link type 227 (CAN)",
    (LINK, 230): "link type 230 (IEEE 802.15.4)",
    (LINK, 249): "link type 249 (USBPcap)",
    (LINK, 251): "link type 251 (Bluetooth LE)",
    (LINK, 252): "link type 252 (Wireshark upper PDU)",
}


class Peeler:
    """Goes from frames to segments; ``ignored`` counts, by reason, the frames that hold none."""

    def __init__(self) -> None:
        self.ignored: Counter[str] = Counter()
        internet = ip.InternetProtocol(self.ignored)
        self._layers = LAYERS | {IPV4: internet.ipv4, IPV6: internet.ipv6, (IP, 44): internet.fragment6}

    def peel(self, linktype: int, buffer: bytes, start: int, end: int) -> Segment | None:
        """``(6 or 17, addresses and ports, buffer, start, end, missing, origin)`` of the innermost TCP or UDP header.

        ``buffer`` is another one where fragments were put together; ``missing`` bytes were cut behind ``end``.
        """
        packet = Packet(buffer, start, end)
        key: Key | None = (LINK, linktype)
        try:
            for _ in range(MAX_LAYERS):
                layer = self._layers.get(key)  # type: ignore[arg-type] # None ends the loop below
                if layer is None:
                    packet.reason = _NAMES.get(key) or f"{_TABLES[key[0]]} {_number(key)}"  # type: ignore[arg-type,index]
                    break
                key = layer(packet)
                if packet.at > packet.end:
                    packet.reason = _CUT
                    break
                if key is None:
                    break
        except (IndexError, struct.error):
            packet.reason = _CUT
        if packet.reason is not None or not packet.protocol:
            if packet.reason is not None:
                self.ignored[packet.reason] += 1
            return None
        source = None
        if packet.tunnels or packet.process is not None:
            source = origin("/".join(packet.tunnels) or None, packet.pid, packet.process)
        return (
            packet.protocol,
            packet.addresses + packet.ports,
            packet.buffer,
            packet.at,
            packet.end,
            packet.missing,
            source,
        )


def _number(key: Key) -> str:
    return f"0x{key[1]:04x}" if key[0] in {ETHERTYPE, PPP} else str(key[1])
