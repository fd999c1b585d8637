"""Transformations of what is around the IP packet: link layers, tunnels, and IP's own fragments."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Any

from captures.packets import ETHERNET, Packet, Transformation, checksum, ethernet, ipv4, ipv6, pcap, recorded, udp

if TYPE_CHECKING:
    from collections.abc import Callable

BASE, BASE6 = "tls13", "ipv6"
PROCESS = {"pid": 4242, "name": "nsurlsessiond"}
OUTER, OUTER6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")


def _relink(wrap: Callable[[bytes], bytes], linktype: int = ETHERNET, *, base: str = BASE, order: str = "<") -> bytes:
    """``wrap`` gets the IP packet."""
    return pcap(
        [packet._replace(data=wrap(packet.data[14:]), length=0) for packet in recorded(base)], linktype, order=order
    )


def _kind(ip: bytes) -> int:
    return 0x86DD if ip[0] >> 4 == 6 else 0x0800


def _mac(ip: bytes) -> bytes:
    return ethernet(ip)


def _vlan(ip: bytes) -> bytes:
    return ethernet(struct.pack(">HH", 100, _kind(ip)) + ip, 0x8100)


def _qinq(ip: bytes) -> bytes:
    return ethernet(struct.pack(">HHHH", 10, 0x8100, 100, _kind(ip)) + ip, 0x88A8)


def _mpls(ip: bytes) -> bytes:
    return ethernet(struct.pack(">II", 1000 << 12 | 64, 2000 << 12 | 1 << 8 | 64) + ip, 0x8847)


def _pppoe(ip: bytes) -> bytes:
    return ethernet(struct.pack(">BBHHH", 0x11, 0, 1, len(ip) + 2, 0x57 if ip[0] >> 4 == 6 else 0x21) + ip, 0x8864)


def _padded(ip: bytes) -> bytes:
    return ethernet(ip).ljust(60, b"\xaa")


def _sll(ip: bytes) -> bytes:
    return struct.pack(">HHH8sH", 0, 1, 6, b"\2\0\0\0\0\1", _kind(ip)) + ip


def _sll2(ip: bytes) -> bytes:
    return struct.pack(">HHIHBB8s", _kind(ip), 0, 1, 1, 0, 6, b"\2\0\0\0\0\1") + ip


def _family(order: str, family: int) -> Callable[[bytes], bytes]:
    return lambda ip: struct.pack(order + "I", family) + ip


def _bare(ip: bytes) -> bytes:
    return ip


def _ppp(ip: bytes) -> bytes:
    return b"\xff\x03\x00\x21" + ip


def _ppp_short(ip: bytes) -> bytes:
    return b"\x00\x21" + ip


def _hdlc(ip: bytes) -> bytes:
    return struct.pack(">BBH", 0x0F, 0, _kind(ip)) + ip


_STATIONS = bytes.fromhex("020000000002 020000000001 020000000003")


def _wireless(ip: bytes) -> bytes:
    """An 802.11 QoS data frame from an access point, LLC and SNAP."""
    return b"\x88\x02\0\0" + _STATIONS + b"\x10\0" + b"\0\0" + b"\xaa\xaa\x03\0\0\0" + struct.pack(">H", _kind(ip)) + ip


def _radiotap(ip: bytes) -> bytes:
    return struct.pack("<BBHIBx", 0, 0, 10, 1 << 1, 0) + _wireless(ip)


def _pktap(inner: int, interface: bytes, ip: bytes) -> bytes:
    """Apple's header of a packet, as in libpcap's pktap.h: 108 bytes in the host's order."""
    frame = ethernet(ip) if inner == ETHERNET else ip
    kind, unit = (6, 0) if inner == ETHERNET else (1, 3)
    family = 30 if ip[0] >> 4 == 6 else 2
    head = struct.pack(
        "<III24sIIIIi20sIHHi20s",
        108,
        1,
        inner,
        interface,
        2,
        family,
        len(frame) - len(ip),
        0,
        PROCESS["pid"],
        str(PROCESS["name"]).encode(),
        0,
        kind,
        unit,
        -1,
        b"",
    )
    return head.ljust(108, b"\0") + frame


def _gre(ip: bytes) -> bytes:
    return _outer(47, struct.pack(">HH", 0, _kind(ip)) + ip)


def _gre_keyed(ip: bytes) -> bytes:
    body = struct.pack(">HHHHII", 0xB000, 0x6558, 0, 0, 7, 1) + ethernet(ip)
    return _outer(47, body[:4] + struct.pack(">H", checksum(body)) + body[6:])


def _erspan(ip: bytes) -> bytes:
    return _outer(47, struct.pack(">HHIHHI", 0x1000, 0x88BE, 1, 0x1000 | 100, 5, 0) + ethernet(ip))


def _erspan_first(ip: bytes) -> bytes:
    return _outer(47, struct.pack(">HH", 0, 0x88BE) + ethernet(ip))


def _vxlan(ip: bytes) -> bytes:
    return _over_udp(4789, struct.pack(">BBHI", 8, 0, 0, 77 << 8) + ethernet(ip))


def _geneve(ip: bytes) -> bytes:
    option = struct.pack(">HBBI", 0x0101, 1, 1, 9)
    return _over_udp(6081, struct.pack(">BBHI", len(option) // 4, 0, 0x6558, 77 << 8) + option + ethernet(ip))


def _gtp(ip: bytes) -> bytes:
    return _over_udp(2152, struct.pack(">BBHI", 0x30, 255, len(ip), 5) + ip)


def _gtp_extended(ip: bytes) -> bytes:
    """With the PDU session container of 5G."""
    extra = struct.pack(">HBB", 0, 0, 0x85) + b"\x01\x00\x09\x00"
    return _over_udp(2152, struct.pack(">BBHI", 0x34, 255, len(ip) + len(extra), 5) + extra + ip)


def _l2tp(ip: bytes) -> bytes:
    body = b"\xff\x03\x00\x21" + ip
    return _over_udp(1701, struct.pack(">HHHH", 0x4002, 8 + len(body), 1, 2) + body)


def _teredo(ip: bytes) -> bytes:
    return _over_udp(3544, ip)


def _in4(protocol: int) -> Callable[[bytes], bytes]:
    return lambda ip: _outer(protocol, ip)


def _in6(ip: bytes) -> bytes:
    return ethernet(ipv6(4, *OUTER6, ip))


def _outer(protocol: int, payload: bytes) -> bytes:
    return ethernet(ipv4(protocol, *OUTER, payload))


def _over_udp(port: int, payload: bytes) -> bytes:
    return _outer(17, udp(50000 if port not in {3544, 1701, 2152} else port, port, payload))


def _fragments(size: int, *, backwards: bool = False) -> bytes:
    """Every packet in IPv4 fragments of ``size`` bytes."""
    found = []
    for number, packet in enumerate(recorded(BASE)):
        ip = packet.data[14:]
        head, body = ip[:20], ip[20:]
        pieces = []
        for at in range(0, len(body), size):
            more = at + size < len(body)
            piece = body[at : at + size]
            start = head[:2] + struct.pack(">HHH", 20 + len(piece), number + 1, at // 8 | more << 13) + head[8:10]
            pieces.append(start + struct.pack(">H", checksum(start + head[12:20])) + head[12:20] + piece)
        found += [Packet(packet.time, ethernet(piece)) for piece in (reversed(pieces) if backwards else pieces)]
    return pcap(found)


def _fragments6(size: int) -> bytes:
    """Every packet with hop-by-hop and destination options, in fragments."""
    found = []
    for number, packet in enumerate(recorded(BASE6)):
        ip = packet.data[14:]
        body = bytes([ip[6], 0, 1, 4, 0, 0, 0, 0]) + ip[40:]  # destination options, then TCP
        for at in range(0, len(body), size):
            piece = body[at : at + size]
            more = at + size < len(body)
            hop = bytes([44, 0, 1, 4, 0, 0, 0, 0])
            payload = hop + struct.pack(">BBHI", 60, 0, at | more, number + 1) + piece
            head = ip[:4] + struct.pack(">HB", len(payload), 0) + ip[7:40]
            found.append(Packet(packet.time, ethernet(head + payload)))
    return pcap(found)


def _row(
    name: str,
    shows: str,
    wrap: Callable[[bytes], bytes],
    linktype: int = ETHERNET,
    *,
    base: str = BASE,
    order: str = "<",
    **changes: Any,
) -> Transformation:
    return Transformation(
        f"{name}.pcap", shows, (base,), partial(_relink, wrap, linktype, base=base, order=order), changes
    )


TRANSFORMATIONS: tuple[Transformation, ...] = (
    _row("link-vlan", "802.1Q", _vlan),
    _row("link-qinq", "802.1ad and 802.1Q", _qinq),
    _row("link-mpls", "MPLS, two labels", _mpls),
    _row("link-pppoe", "PPPoE", _pppoe),
    _row("link-pppoe6", "PPPoE with IPv6", _pppoe, base=BASE6),
    _row("link-padded", "Ethernet with padding behind short packets", _padded),
    _row("link-sll", "Linux cooked", _sll, 113),
    _row("link-sll2", "Linux cooked, version 2", _sll2, 276),
    _row("link-sll2-ipv6", "Linux cooked, version 2, with IPv6", _sll2, 276, base=BASE6),
    _row("link-null", "BSD loopback", _family("<", 2), 0),
    _row("link-null-big", "BSD loopback of a big-endian machine", _family(">", 2), 0, order=">"),
    _row("link-null-swapped", "BSD loopback whose header is not in the order of the file", _family(">", 2), 0),
    _row("link-null-ipv6", "BSD loopback with IPv6 as Darwin numbers it", _family("<", 30), 0, base=BASE6),
    _row("link-loop", "OpenBSD loopback", _family(">", 2), 108),
    _row("link-raw12", "bare IP, link type 12", _bare, 12),
    _row("link-raw101", "bare IP, link type 101", _bare, 101),
    _row("link-raw101-ipv6", "bare IPv6, link type 101", _bare, 101, base=BASE6),
    _row("link-ipv4", "bare IPv4, link type 228", _bare, 228),
    _row("link-ipv6", "bare IPv6, link type 229", _bare, 229, base=BASE6),
    _row("link-ppp", "PPP with address and control", _ppp, 9),
    _row("link-ppp-short", "PPP without address and control", _ppp_short, 9),
    _row("link-hdlc-ppp", "PPP in HDLC-like framing", _ppp, 50),
    _row("link-chdlc", "Cisco HDLC", _hdlc, 104),
    _row("link-80211", "802.11", _wireless, 105),
    _row("link-radiotap", "802.11 with radiotap", _radiotap, 127),
    _row(
        "link-pktap149",
        "Apple's PKTAP as macOS writes it, Ethernet inside",
        partial(_pktap, 1, b"en0"),
        149,
        process=PROCESS,
    ),
    _row("link-pktap258", "Apple's PKTAP, Ethernet inside", partial(_pktap, 1, b"en0"), 258, process=PROCESS),
    _row("link-pktap258-utun", "Apple's PKTAP, bare IP inside", partial(_pktap, 12, b"utun3"), 258, process=PROCESS),
    _row(
        "link-pktap258-ipv6",
        "Apple's PKTAP, bare IPv6 inside",
        partial(_pktap, 12, b"utun3"),
        258,
        base=BASE6,
        process=PROCESS,
    ),
    _row("link-rvictl", "a capture of rvictl that says Ethernet and holds bare IP", _bare, 1),
    _row("link-rvictl-ipv6", "a capture of rvictl that says Ethernet and holds bare IPv6", _bare, 1, base=BASE6),
    _row("tunnel-gre", "GRE", _gre, tunnel=True),
    _row("tunnel-gre-key", "GRE with checksum, key and sequence, Ethernet inside", _gre_keyed, tunnel=True),
    _row("tunnel-erspan1", "ERSPAN type I", _erspan_first, tunnel=True),
    _row("tunnel-erspan2", "ERSPAN type II", _erspan, tunnel=True),
    _row("tunnel-vxlan", "VXLAN", _vxlan, tunnel=True),
    _row("tunnel-geneve", "Geneve with an option", _geneve, tunnel=True),
    _row("tunnel-6in4", "IPv6 in IPv4", _in4(41), base=BASE6, tunnel=True),
    _row("tunnel-4in6", "IPv4 in IPv6", _in6, tunnel=True),
    _row("tunnel-teredo", "Teredo", _teredo, base=BASE6, tunnel=True),
    _row("tunnel-gtp", "GTP-U", _gtp, tunnel=True),
    _row("tunnel-gtp-extension", "GTP-U with an extension header", _gtp_extended, tunnel=True),
    _row("tunnel-l2tp", "L2TP with PPP inside", _l2tp, tunnel=True),
    _row("tunnel-ipip", "IP in IP", _in4(4), tunnel=True),
    _row("tunnel-vlan-gre", "GRE behind a VLAN tag", lambda ip: _vlan(_gre(ip)[14:]), tunnel=True),
    Transformation("fragments4.pcap", "IPv4 fragments", (BASE,), partial(_fragments, 128)),
    Transformation(
        "fragments4-backwards.pcap", "IPv4 fragments, the last first", (BASE,), partial(_fragments, 128, backwards=True)
    ),
    Transformation("fragments6.pcap", "IPv6 fragments behind extension headers", (BASE6,), partial(_fragments6, 256)),
)
