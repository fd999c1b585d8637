"""DOOR: link types and Ethernet types, one row each, and the peeler that goes from a frame to its segment.

Plain Ethernet with TCP or UDP does not come here (``capture.streams`` reads it in place). Numbers of link types are
those of the pcap registry (draft-ietf-opsawg-pcaplinktype). Must not import anything of tlswire but ``escape`` and
the layers of ``capture``.
"""

from __future__ import annotations

import struct
from collections import Counter
from functools import lru_cache
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
    PPP_FRAME,
    Key,
    Layer,
    Origin,
    Packet,
    bare_ip,
    nibble,
    origin,
)
from tlswire.escape import printable

if TYPE_CHECKING:
    Segment = tuple[int, bytes, bytes, int, int, int, Origin | None]

# Headers around one segment, tags and labels included.
MAX_LAYERS = 48

_CUT = "packets cut in a header"


def ethernet(packet: Packet) -> Key | None:
    """IEEE 802.3; a capture of rvictl says Ethernet and holds bare IP."""
    buffer, at = packet.buffer, packet.at
    kind = int.from_bytes(buffer[at + 12 : at + 14], "big")
    # A type of IP with that IP behind it is Ethernet: ``capture.streams`` takes it so before it comes here.
    if _IP_TYPES.get(kind) != buffer[at + 14] >> 4 and _is_bare(packet):
        return bare_ip(packet)
    packet.at = at + 14
    return (ETHERTYPE, kind) if kind > 1500 else llc(packet)


_IP_TYPES = {0x0800: 4, 0x86DD: 6}


def _is_bare(packet: Packet) -> bool:
    """Whether IP begins where Ethernet should.

    Stations whose address begins with 0x4 or 0x6 are many, so all else must fit too: length, protocol, and the header
    checksum (none where the hardware makes it) or the prefixes of the addresses, which IPv6 has instead of one.
    """
    buffer, at = packet.buffer, packet.at
    size, first = packet.end - at, buffer[at]
    if first >> 4 == 4 and size >= (first & 15) << 2 >= 20:
        total = int.from_bytes(buffer[at + 2 : at + 4], "big")
        if total < size or buffer[at + 9] not in _PROTOCOLS:
            return False
        words = struct.unpack_from(f">{(first & 15) << 1}H", buffer, at)
        return not words[5] or not sum(words) % 0xFFFF
    if first >> 4 == 6 and size >= 48:
        total = 40 + int.from_bytes(buffer[at + 4 : at + 6], "big")
        if total < size or buffer[at + 6] not in _PROTOCOLS:
            return False
        return _is_used(buffer[at + 8 : at + 24]) and _is_used(buffer[at + 24 : at + 40])
    return False


def _is_used(address: bytes) -> bool:
    """Whether it is of 2000::/3, fc00::/6 (local, multicast) or 64:ff9b::/32 (RFC 6052, RFC 8215), or ::1."""
    first = address[0]
    return first >> 5 == 1 or first >= 0xFC or address[:4] == b"\0\x64\xff\x9b" or not any(address[:15])


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
    while not buffer[at + 2] & 1:
        at += 4
    packet.at = at + 4
    if (key := nibble(packet)) is not None:
        return key
    if not buffer[at + 4] >> 4 and not tunnels.holds_ethernet(packet):
        packet.at += 4  # a control word (RFC 4385 section 3)
    return ETHERNET


def pppoe(packet: Packet) -> Key:
    """A session's packet (RFC 2516 section 4)."""
    packet.at += 6
    return PPP_FRAME


def ppp(packet: Packet) -> Key:
    """RFC 1661 and RFC 1662: address and control may be left out, a small protocol may have one byte."""
    buffer, at = packet.buffer, packet.at
    if buffer[at : at + 2] == b"\xff\x03":
        at += 2
    elif buffer[at] in {0x0F, 0x8F}:  # no protocol of PPP begins so (RFC 1661 section 2)
        return CISCO_HDLC
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
    return _FAMILIES.get(number) or packet.ignore(f"address family {number if number < 256 else 'unknown'}")


# Linux and Windows, then IPv6 as NetBSD, FreeBSD and Darwin number it.
_FAMILIES: dict[int, Key] = {2: IPV4, 10: IPV6, 23: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}


def pktap(packet: Packet) -> Key | None:
    """Apple's packet tap: link type, interface and process of the packet (struct pktap_header of Darwin's pktap.h)."""
    at = packet.at
    # The length is well below 65536, so two of its bytes tell the order.
    header = _PKTAP if packet.buffer[at + 2 : at + 4] == b"\0\0" else _PKTAP_BIG
    size, following, linktype, pid, name = header.unpack_from(packet.buffer, at)
    if not header.size <= size <= packet.end - at:
        return packet.ignore("PKTAP headers of impossible length")
    if following == 0:
        return packet.ignore("PKTAP without a packet")
    if pid > 0 or name[0]:
        packet.pid = pid
        packet.process = _process(name)
    packet.at = at + size
    return LINK, linktype


# Length, what follows, link type; behind name, flags, family and sizes: pid and name of the process, padded.
_PKTAP = struct.Struct("<III40xi17s3x")
_PKTAP_BIG = struct.Struct(">III40xi17s3x")


@lru_cache(maxsize=1024)
def _process(name: bytes) -> str:
    return printable(name.partition(b"\0")[0].decode("utf-8", "backslashreplace"))


def nflog(packet: Packet) -> Key | None:
    """Linux netfilter log: attributes in the order of the host, one of which is the packet."""
    buffer, at = packet.buffer, packet.at + 4
    # Types are small numbers.
    order = ">HH" if not buffer[at + 2] and buffer[at + 3] else "<HH"
    while at + 4 <= packet.end:
        length, kind = struct.unpack_from(order, buffer, at)
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


CISCO_HDLC = (LINK, 104)


def tag(size: int) -> Layer:
    """A tag behind an Ethernet type, the next type in its last two bytes."""
    return typed(size, size - 2)


# The layers that remember nothing; those of IP's fragments belong to a peeler.
LAYERS: dict[Key, Layer] = {
    (LINK, 0): family,
    ETHERNET: ethernet,
    PPP_FRAME: ppp,
    (LINK, 12): bare_ip,
    (LINK, 14): bare_ip,
    (LINK, 50): ppp,
    (LINK, 51): pppoe,
    BARE_IP: bare_ip,
    CISCO_HDLC: typed(4, 2),
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
    (LINK, 166): behind(2, PPP_FRAME),  # pppd says in place of the address which way a packet goes
    (LINK, 192): wireless.ppi,
    (LINK, 204): behind(1, PPP_FRAME),
    (LINK, 228): bare_ip,
    (LINK, 229): bare_ip,
    (LINK, 239): nflog,
    (LINK, 258): pktap,
    (LINK, 276): typed(20, 0),  # Linux cooked, version 2
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

# What may stand in IP's field for a protocol: what we read and what we know by name.
_PROTOCOLS = frozenset(number for table, number in (*LAYERS, *_NAMES) if table == IP) | {44}


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
        # Behind a frame stand others: lengths that lie must not reach them.
        packet = Packet(buffer[start:end], 0, end - start)
        layers = self._layers
        key = (LINK, linktype)
        try:
            for _ in range(MAX_LAYERS):
                layer = layers.get(key)
                if layer is None:
                    packet.reason = _NAMES.get(key) or f"{_TABLES[key[0]]} {_number(key)}"
                    break
                following = layer(packet)
                if packet.at > packet.end:
                    packet.reason = _CUT
                    break
                if following is None:
                    break
                key = following
            else:
                packet.reason = f"more than {MAX_LAYERS} headers in one another"
        except (IndexError, struct.error):
            packet.reason = _CUT
        if packet.reason is not None:
            self.ignored[packet.reason] += 1
            return None
        if not packet.protocol:
            return None  # a fragment that waits for others
        source = None
        if packet.tunnels or packet.process is not None:
            source = origin("/".join(packet.tunnels) or None, packet.pid, packet.process)
        return (
            packet.protocol,
            packet.key,
            packet.buffer,
            packet.at,
            packet.end,
            packet.missing,
            source,
        )


def _number(key: Key) -> str:
    if key[1] > 0xFFFF:
        return "unknown"  # so that hostile numbers do not make reasons without end
    return f"0x{key[1]:04x}" if key[0] in {ETHERTYPE, PPP} else str(key[1])
