"""Tunnels: every port's, one in another, what is none although it comes to a tunnel's port, and tshark's opinion."""

from __future__ import annotations

import shutil
import struct
import subprocess
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.capture.frames import (
    DATAGRAM,
    INNER,
    LABELS,
    LAYER_ROWS,
    OUTER6,
    PORT_ROWS,
    TCP4,
    TCP6,
    TEREDO_ORIGIN,
    UDP4,
    VXLAN,
    Row,
    expected,
    gre,
    inside,
    ipv4,
    ipv6,
    kind,
    mac,
    pktap,
    tagged,
    udp,
)
from tests.capture.test_links import peeled, reason, segment
from tlswire.capture.layers import MAX_TUNNELS
from tlswire.capture.links import Peeler
from tlswire.capture.tunnels import OVER_UDP

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def tunnel(frame: bytes, linktype: int = 1) -> str | None:
    found, ignored = peeled(linktype, frame)
    assert found is not None, ignored
    return found[6].tunnel if found[6] is not None else None


def test_no_port_of_a_tunnel_is_without_a_frame_here() -> None:
    assert {row.key for row in PORT_ROWS} == {(17, port) for port in OVER_UDP}


@pytest.mark.parametrize("row", PORT_ROWS, ids=[row.name for row in PORT_ROWS])
def test_a_tunnel_is_known_by_either_port_and_over_ipv6(row: Row) -> None:
    for ip in inside(row):
        body = row.wrap(ip)[34:]
        for ports in (body[2:4] + body[:2], body[2:4] * 2, body[:4]):
            for outer in (ipv4(17, ports + body[4:]), ipv6(17, ports + body[4:], OUTER6)):
                assert segment(1, mac(outer)) == (*expected(ip)[1:], 0)
                assert tunnel(mac(outer)) == row.tunnel


# One in another

NESTED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gre": ("gre", lambda ip: ipv4(47, gre(0, 0x6558) + mac(ip))),
    "ipip": ("ipip", lambda ip: ipv4(4, ip) if ip[0] >> 4 == 4 else ipv4(41, ip)),
    "vxlan": ("vxlan", lambda ip: ipv4(17, udp(4789, VXLAN + mac(ip)))),
    "geneve": ("geneve", lambda ip: ipv4(17, udp(6081, b"\0\0" + kind(ip) + bytes(4) + ip))),
    "gtp": ("gtp", lambda ip: ipv4(17, udp(2152, struct.pack(">BBHI", 0x30, 255, len(ip), 5) + ip))),
    "mpls": ("mpls", lambda ip: ipv4(137, LABELS + ip)),
}


@given(st.lists(st.sampled_from(sorted(NESTED)), min_size=1, max_size=MAX_TUNNELS), st.booleans())
def test_tunnels_are_named_from_the_outermost_to_the_innermost(names: list[str], pktapped: bool) -> None:
    ip = TCP4
    for name in reversed(names):
        ip = NESTED[name][1](ip)
    assert tunnel(mac(ip)) == "/".join(names)
    assert segment(1, tagged(0x8100, b"\0\1")(ip)) == (*expected(TCP4)[1:], 0)
    if pktapped:
        found, _ = peeled(258, pktap(ip, 12))
        assert found is not None
        assert found[6] is not None
        assert (found[6].tunnel, found[6].process) == ("/".join(names), "Safari")


@pytest.mark.parametrize("name", NESTED)
def test_more_tunnels_than_eight_are_too_many(name: str) -> None:
    ip = TCP4
    for _ in range(MAX_TUNNELS):
        ip = NESTED[name][1](ip)
    assert tunnel(mac(ip)) == "/".join([name] * MAX_TUNNELS)
    for _ in range(20):
        ip = NESTED[name][1](ip)
        assert reason(1, mac(ip)) == f"more than {MAX_TUNNELS} tunnels in one another"


def test_families_of_ip_in_ip_are_told_apart() -> None:
    assert tunnel(mac(ipv4(4, ipv4(41, TCP6)))) == "ipip/6in4"
    assert tunnel(mac(ipv6(4, ipv4(4, TCP4)))) == "4in6/ipip"
    assert tunnel(mac(ipv6(41, ipv6(4, TCP4)))) == "6in6/4in6"


# No tunnel


def quic(seed: int, first: int = 0xC3) -> bytes:
    random = Random(seed)
    return bytes([first]) + b"\0\0\0\1\x08" + random.randbytes(8) + b"\0\0\x44\x9e" + random.randbytes(1182)


def dtls(size: int = 200) -> bytes:
    return b"\x16\xfe\xfd\0\0\0\0\0\0\0\0" + struct.pack(">H", size) + b"\1" + bytes(size - 1)


@pytest.mark.parametrize("port", OVER_UDP)
@pytest.mark.parametrize("first", [0xC0, 0xC3, 0xD1, 0xE2, 0xF3])
def test_quic_on_a_port_of_a_tunnel_remains_a_datagram(port: int, first: int) -> None:
    for seed in range(50):
        for body in (udp(443, quic(seed, first), port), udp(port, quic(seed, first), 443)):
            assert segment(1, mac(ipv4(17, body, INNER))) == (ipv4(17, body, INNER)[12:24], body, 0)
            assert tunnel(mac(ipv4(17, body, INNER))) is None


@pytest.mark.parametrize("port", OVER_UDP)
def test_short_headers_of_quic_on_a_port_of_a_tunnel_hardly_ever_look_like_one(port: int) -> None:
    random, missed = Random(port), 0
    for _ in range(3000):
        body = udp(443, bytes([0x40 | random.randrange(64)]) + random.randbytes(600), port)
        peeler, frame = Peeler(), mac(ipv4(17, body, INNER))
        found = peeler.peel(1, frame, 0, len(frame))
        missed += found is None or found[1][-4:] != body[:4]
    assert missed < 20


@pytest.mark.parametrize("port", OVER_UDP)
@pytest.mark.parametrize("payload", [b"", b"\1", bytes(3), dtls(), b"\xff" * 60, b"GET / HTTP/1.1\r\n\r\n"])
def test_other_bytes_on_a_port_of_a_tunnel_remain_a_datagram(port: int, payload: bytes) -> None:
    body = udp(port, payload)
    assert segment(1, mac(ipv4(17, body, INNER)))[1:] == (body, 0)
    assert tunnel(mac(ipv4(17, body, INNER))) is None


@pytest.mark.parametrize(
    ("port", "head"),
    [
        (4789, b"\0\0\0\0\0\0\1\0"),
        (4789, b"\x0c\0\0\0\0\0\1\0"),
        (4789, b"\x08\0\0\0\0\0\1\1"),
        (4790, b"\x88\0\0\0\0\0\1\0"),
        (4790, b"\x0c\0\0\x09\0\0\1\0"),
        (6081, b"\x40\0\x65\x58\0\0\1\0"),
        (6081, b"\0\x01\x65\x58\0\0\1\0"),
        (6081, b"\0\0\x65\x58\0\0\1\1"),
        (2152, b"\x30\x01\0\x40\0\0\0\1"),
        (2152, b"\x20\xff\0\x40\0\0\0\1"),
        (1701, b"\xc8\x02\0\x14\0\0\0\0"),
        (1701, b"\x40\x02\xff\xff\0\1\0\2"),
        (1701, b"\x10\x02\0\1\0\2"),
        (1701, b"\0\1\0\1\0\2"),
        (4754, b"\x40\0\x08\0"),
        (4754, b"\0\1\x08\0"),
        (37008, b"\2\0\0\1\1"),
        (37008, b"\1\4\0\1\1"),
        (37008, b"\1\0\0\x63\1"),
        (37008, b"\1\0\0\1" + b"\x0a\xff"),
        (6635, LABELS[:4]),
        (3544, b"\0\1\xff\xff"),
    ],
)
def test_headers_that_no_tunnel_has_are_none(port: int, head: bytes) -> None:
    body = udp(port, head + (TCP4 if port in {2152, 4754, 1701, 6635} else mac(TCP4)))
    assert segment(1, mac(ipv4(17, body, INNER)))[1:] == (body, 0)


@pytest.mark.parametrize("port", [2152, 3544, 6635])
def test_ip_that_does_not_fit_its_datagram_makes_no_tunnel(port: int) -> None:
    head = {2152: struct.pack(">BBHI", 0x30, 255, 40, 5), 3544: TEREDO_ORIGIN, 6635: LABELS}[port]
    body = udp(port, head + TCP6[:4] + struct.pack(">H", 9000) + TCP6[6:])
    assert segment(1, mac(ipv4(17, body, INNER)))[1:] == (body, 0)


@given(st.sampled_from(sorted(OVER_UDP)), st.binary(max_size=80), st.binary(max_size=4))
def test_random_bytes_on_a_port_of_a_tunnel_are_a_segment_or_are_counted(port: int, data: bytes, head: bytes) -> None:
    peeled(1, mac(ipv4(17, udp(port, data))))
    peeled(1, mac(ipv4(17, udp(port, head + TCP4))))


@given(st.sampled_from([47, 97, 115, 137]), st.binary(max_size=80), st.binary(max_size=16))
def test_random_bytes_in_a_tunnel_of_ip_are_a_segment_or_are_counted(number: int, data: bytes, head: bytes) -> None:
    peeled(1, mac(ipv4(number, data)))
    peeled(1, mac(ipv4(number, head + TCP4)))


@pytest.mark.parametrize(
    ("number", "body", "said"),
    [
        (47, gre(0x2001, 0x880B, b"\0\0\0\1"), "PPTP acknowledgements"),
        (47, gre(0x2081, 0x880B, b"\0\0\0\1\0\0\0\7"), "PPTP acknowledgements"),
        (47, gre(0x4000, 0x0800, bytes(8)) + TCP4, "GRE with a source route or of an unknown version"),
        (47, gre(0x0002, 0x0800) + TCP4, "GRE with a source route or of an unknown version"),
        (47, gre(0, 0x1234) + TCP4, "Ethernet type 0x1234"),
        (115, bytes(4) + b"\xc8\3\0\x14" + bytes(12), "L2TP control messages"),
        (115, b"\0\0\0\7" + bytes(60), "L2TPv3 with an unknown cookie"),
        (137, LABELS[:4], "packets cut in a header"),
    ],
)
def test_what_a_tunnel_holds_beside_packets_has_a_name(number: int, body: bytes, said: str) -> None:
    assert reason(1, mac(ipv4(number, body))) == said


@pytest.mark.parametrize("units", [0, 1, 255])
@pytest.mark.parametrize("chained", [0x85, 0xC0, 1])
def test_extension_headers_of_gtp_without_end_end(units: int, chained: int) -> None:
    more = bytes([0, 0, 0, chained]) + bytes([units, *bytes(max(units * 4 - 2, 0)), chained]) * 50
    body = udp(2152, struct.pack(">BBHI", 0x34, 255, len(more), 5) + more)
    assert segment(1, mac(ipv4(17, body)))[1:] == (body, 0)


def test_tags_of_tzsp_without_end_end() -> None:
    body = udp(37008, b"\1\0\0\1" + bytes(60000))
    assert segment(1, mac(ipv4(17, body)))[1:] == (body, 0)


def test_a_datagram_inside_a_tunnel_keeps_its_own_length() -> None:
    frame = mac(ipv4(17, udp(4789, VXLAN + mac(UDP4) + bytes(20))))
    assert segment(1, frame)[1:] == (DATAGRAM, 0)


# tshark's opinion


def block(number: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", number) + size + body + size


def pcapng(frames: list[tuple[int, bytes]]) -> bytes:
    """A capture with an interface for every frame."""
    out = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    out += [block(1, struct.pack("<HHI", linktype, 0, 0)) for linktype, _ in frames]
    out += [
        block(6, struct.pack("<IIIII", number, 0, 0, len(frame), len(frame)) + frame)
        for number, (_, frame) in enumerate(frames)
    ]
    return b"".join(out)


# What the tshark this was written with (4.4) does not know, or only when told.
NOT_TSHARK = frozenset(
    {
        "null, family 10",
        "null, family 23",
        "rvictl",
        "ppp of pppd",
        "NFLOG, big endian",
        "PKTAP 258, big endian",
        "QinQ 9200",
        "PPP",
        "MPLS, Ethernet with a control word",
        "MPLS, Ethernet without one",
        "extension header 135",
        "extension header 139",
        "GRE, PPP",
        "GRE, VLAN",
        "ERSPAN III, IP",
        "IP in IP of old",
        "L2TPv3",
        "L2TPv3, cookie of 4",
        "L2TPv3, cookie of 8 and sublayer",
        "L2TPv3 over UDP",
        "L2TPv3 over UDP, cookie",
        "VXLAN-GPE, Ethernet",
        "VXLAN of Linux",
    }
)


def test_tshark_finds_the_same_ports(tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    rows = [row for row in (*LAYER_ROWS, *PORT_ROWS) if row.name not in NOT_TSHARK]
    wrapped = [(row, ip) for row in rows for ip in inside(row) if ip in {TCP4, TCP6}]
    path = tmp_path / "rows.pcapng"
    path.write_bytes(pcapng([(row.linktype, row.wrap(ip)) for row, ip in wrapped]))
    fields = ("-T", "fields", "-E", "occurrence=l", "-e", "tcp.srcport", "-e", "tcp.dstport")
    told = subprocess.run([tshark, "-n", "-r", str(path), *fields], capture_output=True, text=True, check=True).stdout
    theirs = [(row.name, *line.split("\t")[:2]) for (row, _), line in zip(wrapped, told.splitlines(), strict=True)]
    assert theirs == [(row.name, "50123", "443") for row, _ in wrapped]
