"""Link layers: a frame of every row down to its segment, what lies, what is cut, and what is no packet at all."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tlswire
from tests.capture.frames import (
    LABELS,
    LAYER_ROWS,
    MACS,
    PORT_ROWS,
    SEGMENT,
    STATIONS,
    TCP4,
    TCP6,
    UDP4,
    Row,
    attribute,
    expected,
    inside,
    ipv4,
    ipv6,
    kind,
    mac,
    nflog,
    pktap,
    snap,
    tagged,
    wifi,
)
from tests.cli.run import run
from tests.report.made import ALERT, HOSTILE, conversation, hello_message, pcap, record
from tlswire.capture.files import open_capture
from tlswire.capture.layers import LINK
from tlswire.capture.links import LAYERS, MAX_LAYERS, Peeler
from tlswire.escape import printable

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from tlswire.capture.layers import Key, Packet
    from tlswire.capture.links import Segment

ROWS = (*LAYER_ROWS, *PORT_ROWS)
LINKTYPES = sorted(number for table, number in LAYERS if table == LINK)
SHARED = Path(__file__).parents[3] / "shared" / "captures"
CUT = "packets cut in a header"

rows = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


def peeled(linktype: int, frame: bytes) -> tuple[Segment | None, Counter[str]]:
    """What is found in a frame, which what stands around it in the buffer must not change."""
    alone, embedded = Peeler(), Peeler()
    found = alone.peel(linktype, frame, 0, len(frame))
    for behind in (bytes(64), b"\xff" * 64, b"\x45" * 64):
        again = embedded.peel(linktype, behind + frame + behind, 64, 64 + len(frame))
        assert again == found
        assert embedded.ignored == alone.ignored
        embedded = Peeler()
    if found is None:
        assert alone.ignored.total() == 1
        assert all(len(reason) < 60 and reason.isprintable() for reason in alone.ignored)
    else:
        protocol, key, buffer, at, end, missing, _ = found
        assert not alone.ignored
        assert protocol in {6, 17}
        assert len(key) in {12, 36}
        assert 0 <= at <= end - {6: 20, 17: 8}[protocol] <= len(buffer)
        assert key[-4:] == buffer[at : at + 4]
        assert missing >= 0
    return found, alone.ignored


def segment(linktype: int, frame: bytes) -> tuple[bytes, bytes, int]:
    """Addresses and ports, the bytes of the segment, and how many more there were."""
    found, ignored = peeled(linktype, frame)
    assert found is not None, ignored
    _, key, buffer, at, end, missing, _ = found
    return key, buffer[at:end], missing


def reason(linktype: int, frame: bytes) -> str:
    found, ignored = peeled(linktype, frame)
    assert found is None
    return next(iter(ignored))


# Every row


@rows
def test_every_row_leads_to_the_segment(row: Row) -> None:
    for ip in inside(row):
        found, ignored = peeled(row.linktype, row.wrap(ip))
        assert found is not None, ignored
        protocol, key, buffer, at, end, missing, origin = found
        assert (protocol, key, buffer[at:end]) == expected(ip)
        assert missing == 0
        assert (origin and origin.tunnel) == row.tunnel


def test_no_row_of_the_layers_is_without_a_frame_here() -> None:
    assert {row.key for row in LAYER_ROWS} == set(LAYERS)


@pytest.mark.parametrize("row", LAYER_ROWS, ids=[row.name for row in LAYER_ROWS])
def test_a_frame_of_a_row_goes_through_its_layer(row: Row) -> None:
    peeler = Peeler()
    seen: list[Key] = []

    def spy(packet: Packet) -> Key | None:
        seen.append(row.key)
        return LAYERS[row.key](packet)

    peeler._layers[row.key] = spy
    for ip in inside(row):
        frame = row.wrap(ip)
        assert peeler.peel(row.linktype, frame, 0, len(frame)) is not None
    assert seen


@rows
def test_a_segment_cut_by_snaplen_says_how_much_is_missing(row: Row) -> None:
    for ip in inside(row):
        frame = row.wrap(ip)
        _, key, whole = expected(ip)
        behind = len(frame) - frame.index(whole) - len(whole)
        for size in range(len(frame)):
            found, ignored = peeled(row.linktype, frame[:size])
            left = size - (len(frame) - behind - len(whole))
            if found is not None and found[1] == key:
                _, _, buffer, at, end, missing, _ = found
                assert buffer[at:end] == whole[: max(left, 0)]
                assert missing == max(len(whole) - left, 0)
            elif found is None:
                assert left < {6: 20, 17: 8}[expected(ip)[0]], ignored


# Hostile bytes


@given(st.sampled_from(LINKTYPES), st.binary(max_size=120))
def test_random_bytes_are_a_segment_or_are_counted(linktype: int, data: bytes) -> None:
    peeled(linktype, data)


@given(st.sampled_from(ROWS), st.data())
def test_frames_with_bytes_changed_are_a_segment_or_are_counted(row: Row, data: st.DataObject) -> None:
    frame = bytearray(row.wrap(data.draw(st.sampled_from(inside(row)))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at : at + 1] = data.draw(st.binary(max_size=3))
        if not frame:
            break
    peeled(row.linktype, bytes(frame))


ENDLESS: dict[str, tuple[int, bytes]] = {
    "VLAN tags": (1, MACS + b"\x81\0\0\x64" * 20000),
    "extension headers": (101, ipv6(60, bytes([60, 0, 1, 4, 0, 0, 0, 0]) * 8000)),
    "authentication": (101, ipv6(51, bytes([51, 0, 0, 0, 0, 0, 0, 0]) * 8000)),
    "PPI": (192, struct.pack("<BBHI", 0, 0, 0, 192) + bytes(100)),
    "NSH": (1, MACS + b"\x89\x4f\0\0\0\4" + bytes(100)),
    "802.1ah": (1, (MACS + b"\x88\xe7\0\0\0\0") * 3000),
    "Ethernet in Ethernet": (1, (MACS + b"\x65\x58") * 3000),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_headers_without_end_end(name: str) -> None:
    assert reason(*ENDLESS[name]) == f"more than {MAX_LAYERS} headers in one another"


@pytest.mark.parametrize("frame", [MACS + b"\x88\x47" + bytes(60000), MACS + b"\x88\x47" + b"\0\0\1\0" * 10000])
def test_a_label_stack_without_end_is_a_cut_header_or_ethernet(frame: bytes) -> None:
    assert reason(1, frame) in {CUT, "Ethernet type 0x0000", "LLC without IP"}


def test_unknown_numbers_make_a_bounded_number_of_reasons() -> None:
    peeler = Peeler()
    for number in range(1 << 16, (1 << 16) + 5000):
        for linktype, frame in (
            (0, struct.pack("<I", number * 0x1357) + TCP4),
            (192, struct.pack("<BBHI", 0, 0, 8, number) + TCP4),
            (258, pktap(TCP4, number)),
        ):
            assert peeler.peel(linktype, frame, 0, len(frame)) is None
    assert len(peeler.ignored) == 2


@pytest.mark.parametrize(
    ("linktype", "frame", "said"),
    [
        (1, MACS + b"\x08\x06" + bytes(46), "ARP"),
        (1, MACS + b"\x88\xe5" + bytes(46), "MACsec"),
        (1, MACS + b"\x12\x34" + bytes(46), "Ethernet type 0x1234"),
        (1, MACS + b"\0\x26\x42\x42\x03" + bytes(43), "LLC without IP"),
        (1, mac(ipv4(1, bytes(40))), "ICMP"),
        (1, mac(ipv4(200, bytes(40))), "IP protocol 200"),
        (1, mac(ipv6(59, b"")), "IPv6 without a payload"),
        (1, mac(b"\x35" + TCP4[1:], b"\x08\x00"), "no IPv4 header where one was promised"),
        (1, mac(b"\x44" + TCP4[1:], b"\x08\x00"), "no IPv4 header where one was promised"),
        (1, mac(b"\x50" + TCP6[1:], b"\x86\xdd"), "no IPv6 header where one was promised"),
        (9, b"\xff\x03\xc0\x21" + bytes(8), "PPP LCP"),
        (0, struct.pack("<I", 7) + TCP4, "address family 7"),
        (12, b"\x77" * 40, "neither IPv4 nor IPv6 behind a header that promises IP"),
        (147, TCP4, "link type 147"),
        (10, TCP4, "link type 10 (FDDI)"),
        (1, b"", CUT),
    ],
)
def test_what_is_ignored_has_a_name(linktype: int, frame: bytes, said: str) -> None:
    assert reason(linktype, frame) == said


# Ethernet


@pytest.mark.parametrize("padding", [b"", b"\0", b"\xaa" * 6, SEGMENT])
def test_padding_of_ethernet_is_no_payload(padding: bytes) -> None:
    for ip in (TCP4, TCP6):
        assert segment(1, mac(ip) + padding) == (*expected(ip)[1:], 0)
        assert segment(1, tagged(0x8100, b"\0\x64")(ip) + padding) == (*expected(ip)[1:], 0)


@pytest.mark.parametrize("source", ["8.0.4.4", "129.0.1.2", "136.100.7.8", "136.71.0.1", "10.0.0.1"])
def test_bare_ip_of_rvictl_is_told_whatever_address_stands_at_the_type(source: str) -> None:
    ip = ipv4(6, SEGMENT, (source, "198.51.100.7"))
    assert segment(1, ip) == (*expected(ip)[1:], 0)
    cut = segment(1, ip[:60])
    assert cut == (ip[12:24], SEGMENT[:40], len(SEGMENT) - 40)


@pytest.mark.parametrize("source", ["2001:db8:800::1", "2a02:1:8100::1", "fe80::1", "fd00:0:8864::2", "64:ff9b::1"])
def test_bare_ipv6_of_rvictl_is_told_whatever_address_stands_at_the_type(source: str) -> None:
    ip = ipv6(6, SEGMENT, (source, "2001:db8::2"))
    assert segment(1, ip) == (*expected(ip)[1:], 0)


def test_bare_ip_without_a_header_checksum_is_told() -> None:
    ip = TCP4[:10] + b"\0\0" + TCP4[12:]
    assert segment(1, ip) == (*expected(ip)[1:], 0)
    assert reason(1, TCP4[:10] + b"\x12\x34" + TCP4[12:]).startswith("Ethernet type")


def test_bare_ip_that_is_not_tls_is_named_for_what_it_is() -> None:
    assert reason(1, ipv4(1, bytes(40))) == "ICMP"
    assert reason(1, ipv6(58, bytes(40))) == "ICMPv6"


# A station whose address looks like the start of IP, with what stands where IP has its length.
@pytest.mark.parametrize("first", [0x45, 0x46, 0x4C, 0x60, 0x64])
@pytest.mark.parametrize("wrap", [mac, tagged(0x8100, b"\0\x64"), tagged(0x88A8, b"\0\x64")])
def test_stations_whose_address_begins_as_ip_does_are_no_bare_ip(first: int, wrap: Callable[[bytes], bytes]) -> None:
    for ip in (TCP4, TCP6):
        frame = wrap(ip)
        size = len(frame) if first >> 4 == 4 else len(frame) - 40
        for length in (size, size + 1, 0xFFFF):
            for third in (0, 6, 17):
                stations = bytearray(MACS)
                stations[0] = first
                at = 2 if first >> 4 == 4 else 4
                stations[at : at + 2] = length.to_bytes(2, "big")
                stations[9 if first >> 4 == 4 else 6] = third
                assert segment(1, bytes(stations) + frame[12:]) == (*expected(ip)[1:], 0)


def test_a_capture_of_rvictl_has_all_the_hellos_of_the_one_it_was_made_of() -> None:
    path = SHARED / "FoxIO-LLC+ja4" / "pcap" / "tls3.pcapng"
    if not path.exists():
        pytest.skip("../shared/captures is not there")
    with open_capture(path) as capture:
        frames = [buffer[start:end] for _, _, _, buffer, start, end, _ in capture.packets()]
    theirs = [hello.ja3 for found in tlswire.sessions(path) for hello in found.hellos]
    ours = [
        hello.ja3
        for found in tlswire.sessions(io.BytesIO(pcap(*(frame[14:] for frame in frames))))
        for hello in found.hellos
    ]
    assert len(ours) == 13
    assert ours == theirs


# PKTAP


def process(frame: bytes, linktype: int = 258) -> tuple[int | None, str | None] | None:
    found, ignored = peeled(linktype, frame)
    assert found is not None, ignored
    origin = found[6]
    return (origin.pid, origin.process) if origin is not None else None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("linktype", [149, 258])
@pytest.mark.parametrize("size", [76, 108, 156, 1000])
def test_pktap_names_the_process(order: str, linktype: int, size: int) -> None:
    frame = pktap(mac(TCP4), 1, order=order, size=size)
    assert process(frame, linktype) == (77, "Safari")
    assert segment(linktype, frame) == (*expected(TCP4)[1:], 0)


def test_pktap_without_a_process_says_none() -> None:
    assert process(pktap(TCP4, 12, pid=-1, name=b"")) is None
    assert process(pktap(TCP4, 12, pid=0, name=b"")) is None
    assert process(pktap(TCP4, 12, pid=0, name=b"kernel_task")) == (0, "kernel_task")
    assert process(pktap(TCP4, 12, pid=5, name=b"")) == (5, "")


def test_a_process_name_fills_its_field_and_ends_at_the_first_zero() -> None:
    assert process(pktap(TCP4, 12, name=b"0123456789abcdefg")) == (77, "0123456789abcdefg")
    assert process(pktap(TCP4, 12, name=b"ab\0cdef")) == (77, "ab")
    assert process(pktap(TCP4, 12, name=b"caf\xe9 \xf0\x9f\x90\x9f")) == (77, "caf\\xe9 \N{FISH}")


@pytest.mark.parametrize("order", ["<", ">"])
def test_pktap_without_a_packet_is_counted(order: str) -> None:
    assert reason(258, pktap(mac(TCP4), 1, order=order, next_=0)) == "PKTAP without a packet"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("size", [0, 1, 75, 5000, 0xFFFF, 0xFFFFFFFF])
def test_pktap_of_impossible_length_is_counted(order: str, size: int) -> None:
    frame = pktap(mac(TCP4), 1, order=order)
    broken = struct.pack(order + "I", size) + frame[4:]
    assert reason(258, broken) in {"PKTAP headers of impossible length", CUT}


def test_pktap_in_pktap_keeps_the_inner_process() -> None:
    assert process(pktap(pktap(mac(TCP4), 1, pid=2, name=b"inner"), 258)) == (2, "inner")


def made_by(name: bytes) -> bytes:
    """A capture of PKTAP whose connection belongs to a process of that name."""
    turns = conversation("10.0.0.1", "192.0.2.1", 443, (0, record(22, hello_message())), (1, ALERT))
    data = bytearray(pcap(*(pktap(frame, 1, name=name) for frame in turns)))
    struct.pack_into("<I", data, 20, 258)
    return bytes(data)


def test_hostile_names_of_processes_come_out_escaped(tmp_path: Path) -> None:
    name = HOSTILE.encode()[-16:]
    path = tmp_path / "hostile.pcap"
    path.write_bytes(made_by(name))
    places = {form: tmp_path / f"out.{form}" for form in ("jsonl", "csv")}
    outcome = run("pcap", path, *(part for form, place in places.items() for part in (f"--{form}", place)))
    written = [outcome.raw.decode(), *(place.read_text(encoding="utf-8") for place in places.values())]
    for text in (*written, outcome.err):
        assert "\x1b" not in text
        assert "\u202e" not in text
    told = json.loads(written[1])
    assert told["process"] == {"pid": 77, "name": printable(name.decode())}


# 802.11


def data_frame(ip: bytes, *, subtype: int = 0, flags: int = 2, more: bytes = b"", pad: bytes = b"") -> bytes:
    fourth = b"\2\0\0\0\0\4" if flags & 3 == 3 else b""
    return bytes([subtype << 4 | 8, flags]) + b"\0\0" + STATIONS + b"\x10\0" + fourth + more + pad + snap(ip)


WIRELESS = {
    "to the access point": {"flags": 1},
    "ad hoc": {"flags": 0},
    "WDS": {"flags": 3},
    "QoS": {"subtype": 8, "more": b"\0\0"},
    "QoS, WDS": {"subtype": 8, "flags": 3, "more": b"\0\0"},
    "QoS, HT control": {"subtype": 8, "flags": 0x82, "more": bytes(6)},
    "QoS, WDS, HT control": {"subtype": 8, "flags": 0x83, "more": bytes(6)},
    "data with acknowledgement": {"subtype": 1},
    "retry": {"flags": 0x0A},
}


@pytest.mark.parametrize("name", WIRELESS)
def test_headers_of_80211_have_their_length(name: str) -> None:
    for ip in (TCP4, TCP6, UDP4):
        assert segment(105, data_frame(ip, **WIRELESS[name])) == (*expected(ip)[1:], 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", WIRELESS)
def test_80211_headers_may_be_padded_and_end_in_a_checksum(name: str) -> None:
    plain = data_frame(TCP4, **WIRELESS[name])  # type: ignore[arg-type]
    pad = bytes(-(len(plain) - len(snap(TCP4))) % 4)
    frame = data_frame(TCP4, **WIRELESS[name], pad=pad)  # type: ignore[arg-type]
    head = struct.pack("<BBHIBB", 0, 0, 10, 2, 0x30, 0)
    assert segment(127, head + frame + b"\xde\xad\xbe\xef") == (*expected(TCP4)[1:], 0)


PADDED = data_frame(TCP4, subtype=8, more=b"\0\0", pad=b"\0\0")
RADIOTAP = {
    "flags": struct.pack("<BBHIB", 0, 0, 9, 2, 0x20),
    "TSFT, flags": struct.pack("<BBHIQB", 0, 0, 17, 3, 99, 0x20),
    "two words, flags": struct.pack("<BBHIIB", 0, 0, 13, 1 << 31 | 2, 0, 0x20),
    "two words, TSFT aligned, flags": struct.pack("<BBHII4xQB", 0, 0, 29, 1 << 31 | 3, 0, 99, 0x20) + bytes(3),
    "three words, TSFT, flags": struct.pack("<BBHIIIQB", 0, 0, 25, 1 << 31 | 3, 1 << 31, 2, 99, 0x20),
    "more than is read": struct.pack("<BBHIBBHH", 0, 0, 14, 0x0E, 0x20, 2, 2412, 0xA0),
}


@pytest.mark.parametrize("name", RADIOTAP)
def test_flags_of_radiotap_are_found_behind_what_stands_before_them(name: str) -> None:
    head = bytearray(RADIOTAP[name])
    struct.pack_into("<H", head, 2, len(head))
    assert segment(127, bytes(head) + PADDED) == (*expected(TCP4)[1:], 0)
    without = bytes(head).replace(b"\x20", b"\x00", 1)
    assert segment(127, without + data_frame(TCP4, subtype=8, more=b"\0\0")) == (*expected(TCP4)[1:], 0)


def test_present_words_without_end_are_read_to_the_end_of_the_header() -> None:
    head = struct.pack("<BBH", 0, 0, 4 + 400) + b"\xff\xff\xff\xff" * 100
    peeled(127, head + wifi(TCP4))


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (data_frame(TCP4, flags=0x42), "802.11 encrypted data"),
        (data_frame(TCP4, subtype=8, more=b"\x80\0"), "802.11 aggregates"),
        (data_frame(TCP4, subtype=4), "802.11 frames without data"),
        (data_frame(TCP4, subtype=12, more=b"\0\0"), "802.11 frames without data"),
        (b"\x80\0" + wifi(TCP4)[2:], "802.11 frames without data"),
        (b"\xd4\0" + bytes(8), "802.11 frames without data"),
        (b"\x09\x02" + wifi(TCP4)[2:], "802.11 frames without data"),
        (wifi(TCP4).replace(b"\xaa\xaa\x03", b"\x42\x42\x03"), "802.11 data without SNAP"),
        (wifi(TCP4).replace(kind(TCP4), b"\x88\x8e", 1), "EAPOL"),
    ],
)
def test_other_frames_of_80211_are_counted_by_what_they_are(frame: bytes, said: str) -> None:
    assert reason(105, frame) == said


@pytest.mark.parametrize("linktype", LINKTYPES)
def test_ppi_may_name_any_link_type(linktype: int) -> None:
    for row in LAYER_ROWS:
        if row.linktype == linktype:
            ip = inside(row)[0]
            frame = struct.pack("<BBHI", 0, 0, 8, linktype) + row.wrap(ip)
            assert segment(192, frame) == (*expected(ip)[1:], 0)


# NFLOG, MPLS


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("length", [0, 1, 3, 0x7FFF, 0xFFFF])
def test_attributes_of_nflog_with_bad_lengths_end_the_search(order: str, length: int) -> None:
    assert reason(239, b"\2\0\0\0" + struct.pack(order + "HH", length, 1) + attribute(9, TCP4, order)) in {
        "NFLOG without a packet",
        CUT,
    }


def test_an_nflog_packet_ends_with_its_attribute() -> None:
    assert segment(239, nflog(TCP4) + attribute(5, bytes(4))) == (*expected(TCP4)[1:], 0)
    short = b"\2\0\0\0" + attribute(9, TCP4[:50])
    assert segment(239, short + bytes(40)) == (TCP4[12:24], SEGMENT[:30], len(SEGMENT) - 30)


def test_an_nflog_attribute_longer_than_the_frame_gives_what_is_there() -> None:
    frame = b"\2\0\0\0" + struct.pack("<HH", 0x7FFF, 9) + TCP4[:60]
    assert segment(239, frame) == (TCP4[12:24], SEGMENT[:40], len(SEGMENT) - 40)


@pytest.mark.parametrize("first", [0x00, 0x02, 0x10, 0x3C, 0x84, 0xFC])
def test_ethernet_in_mpls_is_found_whatever_its_first_station_is(first: int) -> None:
    inner = bytes([first]) + mac(TCP4)[1:]
    assert segment(1, MACS + b"\x88\x47" + LABELS + inner) == (*expected(TCP4)[1:], 0)
    assert segment(1, MACS + b"\x88\x47" + LABELS + bytes(4) + inner) == (*expected(TCP4)[1:], 0)
