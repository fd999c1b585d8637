"""Frames around a segment, made by hand: one row a way to wrap IP, for every row of LAYERS and of OVER_UDP."""

from __future__ import annotations

import ipaddress
import struct
from typing import TYPE_CHECKING, NamedTuple

from tlswire.capture.layers import ETHERTYPE, IP, LINK, PPP, Key

if TYPE_CHECKING:
    from collections.abc import Callable

    Wrap = Callable[[bytes], bytes]

MACS = bytes.fromhex("020000000002 020000000001")
OUTER = ("192.0.2.1", "192.0.2.2")
OUTER6 = ("2001:db8::1", "2001:db8::2")
INNER = ("10.1.2.3", "198.51.100.7")
INNER6 = ("fd00::1:2:3", "2001:db8:7::7")
PORTS = struct.pack(">HH", 50123, 443)

# What a TCP segment is here: its ports, a header of 24 bytes and a payload that is easy to tell.
SEGMENT = PORTS + struct.pack(">IIBBHHI", 1000, 2000, 6 << 4, 0x18, 8192, 0, 0x01010101) + bytes(range(200, 250))
DATAGRAM = PORTS + struct.pack(">HH", 8 + 30, 0) + bytes(range(100, 130))


def addresses(source: str, destination: str) -> bytes:
    return ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    return 0xFFFF - (total % 0xFFFF or 0xFFFF)


def ipv4(
    protocol: int,
    payload: bytes,
    ends: tuple[str, str] = OUTER,
    *,
    number: int = 0,
    fragment: int = 0,
    total: int | None = None,
    options: bytes = b"",
) -> bytes:
    size = 20 + len(options)
    total = size + len(payload) if total is None else total
    head = struct.pack(">BBHHHBB", 0x40 | size >> 2, 0, total, number, fragment, 64, protocol)
    rest = addresses(*ends) + options
    return head + struct.pack(">H", checksum(head + rest)) + rest + payload


def ipv6(following: int, payload: bytes, ends: tuple[str, str] = OUTER6, *, length: int | None = None) -> bytes:
    length = len(payload) if length is None else length
    return struct.pack(">IHBB", 6 << 28, length, following, 64) + addresses(*ends) + payload


TCP4, TCP6 = ipv4(6, SEGMENT, INNER), ipv6(6, SEGMENT, INNER6)
UDP4, UDP6 = ipv4(17, DATAGRAM, INNER), ipv6(17, DATAGRAM, INNER6)


def kind(ip: bytes) -> bytes:
    return b"\x86\xdd" if ip[0] >> 4 == 6 else b"\x08\x00"


def mac(ip: bytes, typed: bytes | None = None) -> bytes:
    return MACS + (typed or kind(ip)) + ip


def udp(port: int, payload: bytes, source: int = 50000) -> bytes:
    return struct.pack(">HHHH", source, port, 8 + len(payload), 0) + payload


def tagged(ethertype: int, tag: bytes) -> Wrap:
    """``tag`` stands between an Ethernet type and the next."""
    return lambda ip: mac(tag + kind(ip) + ip, ethertype.to_bytes(2, "big"))


def typed(ethertype: int, head: bytes = b"") -> Wrap:
    return lambda ip: mac(head + ip, ethertype.to_bytes(2, "big"))


def holding_frame(ethertype: int, head: bytes = b"") -> Wrap:
    return lambda ip: mac(head + mac(ip), ethertype.to_bytes(2, "big"))


def ppp(ip: bytes) -> bytes:
    return (b"\x00\x57" if ip[0] >> 4 == 6 else b"\x00\x21") + ip


def snap(ip: bytes) -> bytes:
    return b"\xaa\xaa\x03\0\0\0" + kind(ip) + ip


STATIONS = bytes.fromhex("020000000002 020000000001 020000000003")


def wifi(ip: bytes) -> bytes:
    return b"\x08\x02\0\0" + STATIONS + b"\x10\0" + snap(ip)


def pktap(
    frame: bytes,
    inner: int,
    *,
    order: str = "<",
    pid: int = 77,
    name: bytes = b"Safari",
    size: int = 156,
    next_: int = 1,
) -> bytes:
    """struct pktap_header of Darwin, with the effective process where ``size`` has room for it."""
    head = struct.pack(
        order + "III24sIIIIi17s3xIHHi17s3x", size, next_, inner, b"en0", 2, 2, 14, 0, pid, name, 0, 6, 0, 99, b"other"
    )
    return head.ljust(size, b"\xee")[:size] + frame


def attribute(number: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", 4 + len(value), number) + value + bytes(-len(value) % 4)


def nflog(ip: bytes, order: str = "<") -> bytes:
    before = attribute(1, b"\x08\0\1\0", order) + attribute(10, b"a prefix\0", order)
    # The padding behind the last attribute is not there in every kernel.
    return b"\x02\0\0\0" + before + struct.pack(order + "HH", 4 + len(ip), 9) + ip


class Row(NamedTuple):
    """``wrap`` puts an IP packet into a frame; ``only`` is the version it can hold where it holds one."""

    name: str
    key: Key
    linktype: int
    wrap: Wrap
    tunnel: str | None = None
    only: int = 0


def _link(name: str, number: int, wrap: Wrap, only: int = 0) -> Row:
    return Row(name, (LINK, number), number, wrap, None, only)


def _type(name: str, number: int, wrap: Wrap) -> Row:
    return Row(name, (ETHERTYPE, number), 1, wrap)


def _ip(
    name: str, number: int, head: Wrap, tunnel: str | None = None, only: int = 0, ends: tuple[str, str] = OUTER
) -> Row:
    """``head`` makes what stands behind the outer IP header."""
    outer = ipv4 if ":" not in ends[0] else ipv6
    return Row(name, (IP, number), 1, lambda ip: mac(outer(number, head(ip), ends)), tunnel, only)


def extended(number: int, ip: bytes) -> bytes:
    """An IPv6 packet with an extension header, full of padding, in front of its transport."""
    return ip[:4] + struct.pack(">HB", len(ip) - 32, number) + ip[7:40] + bytes([ip[6], 0, 1, 4, 0, 0, 0, 0]) + ip[40:]


def _option(number: int) -> Row:
    return Row(f"extension header {number}", (IP, number), 1, lambda ip: mac(extended(number, ip)), None, 6)


def _ah(ip: bytes) -> bytes:
    """Authentication of 12 bytes (RFC 4302 section 2)."""
    head = bytes([ip[9], 4, 0, 0]) + bytes(20)
    return mac(ipv4(51, head + ip[20:], INNER))


LABELS = struct.pack(">II", 1000 << 12 | 64, 2000 << 12 | 1 << 8 | 64)
CONTROL_WORD = bytes(4)
VXLAN = struct.pack(">BBHI", 8, 0, 0, 77 << 8)


def gre(flags: int, protocol: int, more: bytes = b"") -> bytes:
    return struct.pack(">HH", flags, protocol) + more


def l2tp2(flags: int, more: bytes, ip: bytes) -> bytes:
    body = more + b"\xff\x03" + ppp(ip)
    length = struct.pack(">H", 2 + 2 + 4 + len(body)) if flags & 0x4000 else b""
    return struct.pack(">H", flags | 2) + length + struct.pack(">HH", 1, 2) + body


LAYER_ROWS: tuple[Row, ...] = (
    _link("null", 0, lambda ip: struct.pack("<I", 30 if ip[0] >> 4 == 6 else 2) + ip),
    _link("null, big endian", 0, lambda ip: struct.pack(">I", 30 if ip[0] >> 4 == 6 else 2) + ip),
    *(
        _link(f"null, family {family}", 0, lambda ip, family=family: struct.pack("<I", family) + ip, 6)  # type: ignore[misc]
        for family in (10, 23, 24, 28)
    ),
    _link("ethernet", 1, mac),
    _link("ethernet, padded", 1, lambda ip: mac(ip).ljust(200, b"\x55")),
    _link("802.3, SNAP", 1, lambda ip: MACS + struct.pack(">H", 8 + len(ip)) + snap(ip)),
    _link("802.3, IP in LLC", 1, lambda ip: MACS + struct.pack(">H", 3 + len(ip)) + b"\x06\x06\x03" + ip, 4),
    _link("rvictl", 1, lambda ip: ip),
    _link("ppp, address and control", 9, lambda ip: b"\xff\x03" + ppp(ip)),
    _link("ppp", 9, ppp),
    _link("ppp, protocol in one byte", 9, lambda ip: ppp(ip)[1:]),
    _link("ppp, Cisco HDLC", 9, lambda ip: b"\x0f\0" + kind(ip) + ip),
    *(_link(f"bare IP {number}", number, lambda ip: ip) for number in (12, 14, 101)),
    _link("bare IPv4", 228, lambda ip: ip, 4),
    _link("bare IPv6", 229, lambda ip: ip, 6),
    _link("ppp in HDLC", 50, lambda ip: b"\xff\x03" + ppp(ip)),
    _link("Cisco HDLC in ppp's", 50, lambda ip: b"\x8f\0" + kind(ip) + ip),
    _link("PPPoE", 51, lambda ip: struct.pack(">BBHH", 0x11, 0, 1, len(ip) + 2) + ppp(ip)),
    _link("Cisco HDLC", 104, lambda ip: b"\x0f\0" + kind(ip) + ip),
    _link("802.11", 105, wifi),
    _link("OpenBSD loopback", 108, lambda ip: struct.pack(">I", 24 if ip[0] >> 4 == 6 else 2) + ip),
    _link("ENC", 109, lambda ip: struct.pack("<III", 24 if ip[0] >> 4 == 6 else 2, 0x1234, 0) + ip),
    _link("SLL", 113, lambda ip: struct.pack(">HHH8s", 0, 1, 6, MACS[:6]) + kind(ip) + ip),
    _link("SLL, LLC", 113, lambda ip: struct.pack(">HHH8sH", 0, 1, 6, MACS[:6], 4) + snap(ip)),
    _link("PFLOG", 117, lambda ip: struct.pack(">BBBB", 61, 24 if ip[0] >> 4 == 6 else 2, 0, 0) + bytes(60) + ip),
    _link("Prism", 119, lambda ip: struct.pack("<II", 0x44, 144) + bytes(136) + wifi(ip)),
    _link("Prism, big endian", 119, lambda ip: struct.pack(">II", 0x44, 144) + bytes(136) + wifi(ip)),
    _link("AVS in Prism's", 119, lambda ip: struct.pack(">II", 0x80211001, 64) + bytes(56) + wifi(ip)),
    _link("radiotap", 127, lambda ip: struct.pack("<BBHI", 0, 0, 8, 0) + wifi(ip)),
    _link("IP over IEEE 1394", 138, lambda ip: bytes(16) + kind(ip) + ip),
    _link("PKTAP 149", 149, lambda ip: pktap(mac(ip), 1)),
    _link("AVS", 163, lambda ip: struct.pack(">II", 0x80211001, 64) + bytes(56) + wifi(ip)),
    _link("ppp of pppd", 166, lambda ip: b"\x01\x03" + ppp(ip)),
    _link("PPI", 192, lambda ip: struct.pack("<BBHI", 0, 0, 12, 105) + bytes(4) + wifi(ip)),
    _link("PPI, Ethernet", 192, lambda ip: struct.pack("<BBHI", 0, 0, 8, 1) + mac(ip)),
    _link("ppp with direction", 204, lambda ip: b"\x01\xff\x03" + ppp(ip)),
    _link("NFLOG", 239, nflog),
    _link("NFLOG, big endian", 239, lambda ip: nflog(ip, ">")),
    _link("PKTAP 258", 258, lambda ip: pktap(mac(ip), 1)),
    _link("PKTAP 258, bare IP", 258, lambda ip: pktap(ip, 12)),
    _link("PKTAP 258, big endian", 258, lambda ip: pktap(ip, 12, order=">")),
    _link("SLL2", 276, lambda ip: kind(ip) + struct.pack(">HIHBB8s", 0, 1, 1, 0, 6, MACS[:6]) + ip),
    Row("ppp: IPv4", (PPP, 0x21), 9, ppp, None, 4),
    Row("ppp: IPv6", (PPP, 0x57), 9, ppp, None, 6),
    Row("ppp: MPLS", (PPP, 0x281), 9, lambda ip: b"\x02\x81" + LABELS + ip),
    _type("Ethernet in Ethernet", 0x6558, holding_frame(0x6558)),
    _type("802.1Q", 0x8100, tagged(0x8100, b"\0\x64")),
    _type("802.1ad", 0x88A8, tagged(0x88A8, b"\0\x0a\x81\0\0\x64")),
    _type("QinQ 9100", 0x9100, tagged(0x9100, b"\0\x64")),
    _type("QinQ 9200", 0x9200, tagged(0x9200, b"\0\x64")),
    _type("PPP", 0x880B, lambda ip: mac(ppp(ip), b"\x88\x0b")),
    _type("MPLS", 0x8847, typed(0x8847, LABELS)),
    _type("MPLS, Ethernet with a control word", 0x8847, holding_frame(0x8847, LABELS + CONTROL_WORD)),
    _type("MPLS, Ethernet without one", 0x8847, holding_frame(0x8847, LABELS)),
    _type("MPLS multicast", 0x8848, typed(0x8848, LABELS[4:])),
    _type(
        "PPPoE in Ethernet",
        0x8864,
        lambda ip: mac(struct.pack(">BBHH", 0x11, 0, 1, len(ip) + 2) + ppp(ip), b"\x88\x64"),
    ),
    _type("802.1ah", 0x88E7, holding_frame(0x88E7, struct.pack(">I", 0x1234))),
    _type("Cisco metadata", 0x8909, tagged(0x8909, bytes.fromhex("0101 0001 0064"))),
    _type("VN-Tag", 0x8926, tagged(0x8926, bytes(4))),
    _type("802.1BR", 0x893F, tagged(0x893F, bytes(6))),
    _type(
        "NSH",
        0x894F,
        lambda ip: mac(
            struct.pack(">BBBBI16s", 0x0F, 0xC6, 1, 2 if ip[0] >> 4 == 6 else 1, 5 << 8 | 255, b"") + ip, b"\x89\x4f"
        ),
    ),
    _type("NSH, Ethernet", 0x894F, holding_frame(0x894F, struct.pack(">BBBBI", 0x0F, 0xC2, 2, 3, 5 << 8 | 255))),
    *(_option(number) for number in (0, 43, 60, 135, 139, 140)),
    _ip("IPv4 in IPv4", 4, lambda ip: ip, "ipip", 4),
    _ip("IPv4 in IPv6", 4, lambda ip: ip, "4in6", 4, OUTER6),
    # Behind an IP header itself the transport is told without asking the table.
    *(Row(f"transport {number}", (IP, number), 1, lambda ip: mac(extended(60, ip)), None, 6) for number in (6, 17)),
    _ip("IPv6 in IPv4", 41, lambda ip: ip, "6in4", 6),
    _ip("IPv6 in IPv6", 41, lambda ip: ip, "6in6", 6, OUTER6),
    _ip("GRE", 47, lambda ip: gre(0, 0)[:2] + kind(ip) + ip, "gre"),
    _ip("GRE, checksum, key, sequence", 47, lambda ip: gre(0xB000, 0x6558, bytes(12)) + mac(ip), "gre", 0, OUTER6),
    _ip("GRE, key (NVGRE)", 47, lambda ip: gre(0x2000, 0x6558, b"\0\x12\x34\0") + mac(ip), "gre"),
    _ip("GRE, VLAN", 47, lambda ip: gre(0, 0x8100, b"\0\x64") + kind(ip) + ip, "gre"),
    _ip("GRE, PPP", 47, lambda ip: gre(0, 0x880B) + ppp(ip), "gre"),
    _ip(
        "PPTP",
        47,
        lambda ip: gre(0x3001, 0x880B, struct.pack(">HHI", len(ip) + 4, 1, 9)) + b"\xff\x03" + ppp(ip),
        "pptp",
    ),
    _ip(
        "PPTP, acknowledging",
        47,
        lambda ip: gre(0x3081, 0x880B, struct.pack(">HHII", len(ip) + 2, 1, 9, 8)) + ppp(ip),
        "pptp",
    ),
    _ip("ERSPAN I", 47, lambda ip: gre(0, 0x88BE) + mac(ip), "erspan"),
    _ip(
        "ERSPAN II",
        47,
        lambda ip: gre(0x1000, 0x88BE, bytes(4) + struct.pack(">HHI", 0x1064, 5, 0)) + mac(ip),
        "erspan",
    ),
    _ip(
        "ERSPAN III",
        47,
        lambda ip: gre(0x1000, 0x22EB, bytes(4) + struct.pack(">HHIHH", 0x2064, 5, 0, 0, 0)) + mac(ip),
        "erspan",
    ),
    _ip(
        "ERSPAN III with a platform's header",
        47,
        lambda ip: gre(0x1000, 0x22EB, bytes(4) + struct.pack(">HHIHH8s", 0x2064, 5, 0, 0, 1, b"")) + mac(ip),
        "erspan",
    ),
    _ip(
        "ERSPAN III, IP",
        47,
        lambda ip: gre(0x1000, 0x22EB, bytes(4) + struct.pack(">HHIHH", 0x2064, 5, 0, 0, 2 << 10)) + ip,
        "erspan",
    ),
    _ip("WCCP", 47, lambda ip: gre(0, 0x883E) + ip, "wccp", 4),
    _ip("WCCP 2", 47, lambda ip: gre(0, 0x883E, b"\0\0\0\0") + ip, "wccp", 4),
    Row("AH", (IP, 51), 1, _ah, None, 4),
    _ip("IP in IP of old", 94, lambda ip: ip, "ipip", 4),
    _ip("EtherIP", 97, lambda ip: b"\x30\0" + mac(ip), "etherip"),
    _ip("L2TPv3", 115, lambda ip: struct.pack(">I", 7) + mac(ip), "l2tp"),
    _ip("L2TPv3, cookie of 4", 115, lambda ip: struct.pack(">II", 7, 0xDEADBEEF) + mac(ip), "l2tp"),
    _ip(
        "L2TPv3, cookie of 8 and sublayer",
        115,
        lambda ip: struct.pack(">IQI", 7, 0xDEADBEEF, 1 << 30) + mac(ip),
        "l2tp",
    ),
    _ip("MPLS in IP", 137, lambda ip: LABELS + ip, "mpls"),
    _ip("MPLS in IPv6", 137, lambda ip: LABELS + ip, "mpls", 0, OUTER6),
)


def _port(name: str, port: int, payload: Wrap, tunnel: str, only: int = 0) -> Row:
    return Row(name, (17, port), 1, lambda ip: mac(ipv4(17, udp(port, payload(ip)))), tunnel, only)


def _gtp(flags: int, more: bytes) -> Wrap:
    return lambda ip: struct.pack(">BBHI", 0x30 | flags, 255, len(more) + len(ip), 5) + more + ip


def _gpe(ip: bytes) -> bytes:
    return struct.pack(">BBBBI", 0x0C, 0, 0, 2 if ip[0] >> 4 == 6 else 1, 77 << 8) + ip


def _teredo(head: bytes) -> Wrap:
    return lambda ip: head + ip


TEREDO_AUTHENTICATION = bytes.fromhex("0001 02 03") + bytes(5) + bytes(9)
TEREDO_ORIGIN = bytes.fromhex("0000 3bcd 3ffffdfe")

PORT_ROWS: tuple[Row, ...] = (
    _port("L2TP", 1701, lambda ip: l2tp2(0x4000, b"", ip), "l2tp"),
    _port("L2TP without length", 1701, lambda ip: l2tp2(0, b"", ip), "l2tp"),
    _port("L2TP, sequence and offset", 1701, lambda ip: l2tp2(0x4A00, b"\0\1\0\2\0\3\xff\xff\xff", ip), "l2tp"),
    _port("L2TPv3 over UDP", 1701, lambda ip: struct.pack(">HHI", 3, 0, 7) + mac(ip), "l2tp"),
    _port("L2TPv3 over UDP, cookie", 1701, lambda ip: struct.pack(">HHIQ", 3, 0, 7, 1 << 63) + mac(ip), "l2tp"),
    _port("GTP-U", 2152, _gtp(0, b""), "gtp"),
    _port("GTP-U, sequence", 2152, _gtp(2, b"\0\1\0\0"), "gtp"),
    _port("GTP-U, extension headers", 2152, _gtp(4, bytes.fromhex("0000 00 85 01 0900 00")), "gtp"),
    _port("Teredo", 3544, _teredo(b""), "teredo", 6),
    _port("Teredo, authentication", 3544, _teredo(TEREDO_AUTHENTICATION), "teredo", 6),
    _port("Teredo, origin", 3544, _teredo(TEREDO_ORIGIN), "teredo", 6),
    _port("Teredo, both", 3544, _teredo(TEREDO_AUTHENTICATION + TEREDO_ORIGIN), "teredo", 6),
    _port("GRE in UDP", 4754, lambda ip: b"\0\0" + kind(ip) + ip, "gre"),
    _port("GRE in UDP, key", 4754, lambda ip: b"\x20\0" + kind(ip) + bytes(4) + ip, "gre"),
    _port("VXLAN", 4789, lambda ip: VXLAN + mac(ip), "vxlan"),
    _port("VXLAN, group policy", 4789, lambda ip: struct.pack(">BBHI", 0x88, 0, 99, 77 << 8) + mac(ip), "vxlan"),
    _port("VXLAN-GPE", 4790, _gpe, "vxlan-gpe"),
    _port("VXLAN-GPE, Ethernet", 4790, lambda ip: VXLAN + mac(ip), "vxlan-gpe"),
    _port(
        "VXLAN-GPE, NSH",
        4790,
        lambda ip: (
            struct.pack(">BBBBI", 0x0C, 0, 0, 4, 77 << 8)
            + struct.pack(">BBBBI", 0x0F, 0xC2, 2, 3, 5 << 8 | 255)
            + mac(ip)
        ),
        "vxlan-gpe",
    ),
    _port("Geneve", 6081, lambda ip: struct.pack(">BBHI", 0, 0, 0x6558, 77 << 8) + mac(ip), "geneve"),
    _port("Geneve, options, IP", 6081, lambda ip: b"\x02\x40" + kind(ip) + b"\0\0\x4d\0" + bytes(8) + ip, "geneve"),
    _port("MPLS in UDP", 6635, lambda ip: LABELS + ip, "mpls"),
    _port("VXLAN of Linux", 8472, lambda ip: VXLAN + mac(ip), "vxlan"),
    _port("TZSP", 37008, lambda ip: b"\1\0\0\1\1" + mac(ip), "tzsp"),
    _port("TZSP, tags, 802.11", 37008, lambda ip: b"\1\0\0\x12" + b"\0\x0a\1\x33\1" + wifi(ip), "tzsp"),
    _port(
        "TZSP, AVS",
        37008,
        lambda ip: b"\1\0\0\x7f\1" + struct.pack(">II", 0x80211001, 64) + bytes(56) + wifi(ip),
        "tzsp",
    ),
)


def inside(row: Row) -> list[bytes]:
    """The IP packets a row may hold."""
    return [ip for ip in (TCP4, UDP4, TCP6, UDP6) if row.only in {0, ip[0] >> 4}]


def expected(ip: bytes) -> tuple[int, bytes, bytes]:
    """Protocol, addresses and ports, and the segment of one of them."""
    if ip[0] >> 4 == 4:
        return ip[9], ip[12:24], ip[20:]
    return ip[6], ip[8:44], ip[40:]
