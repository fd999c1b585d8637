"""IPv4 and IPv6: lengths that lie or are left out, options, extension headers, fragments, and UDP's length."""

from __future__ import annotations

import itertools
import struct
import tracemalloc
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.capture.frames import (
    DATAGRAM,
    INNER,
    INNER6,
    PORTS,
    SEGMENT,
    TCP4,
    TCP6,
    expected,
    gre,
    ipv4,
    ipv6,
    mac,
    tagged,
    udp,
)
from tests.capture.test_links import peeled, reason, segment
from tlswire.capture.ip import MAX_HELD, MAX_PACKETS, MAX_PIECES, OVERHEAD, WAITING
from tlswire.capture.links import Peeler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.capture.links import Segment

RAW = 101
BIG = PORTS + struct.pack(">IIBBHHI", 1, 2, 6 << 4, 0x18, 8192, 0, 0x01010101) + Random(1).randbytes(1000)


def pieces4(payload: bytes, size: int, *, number: int = 7, protocol: int = 6) -> list[bytes]:
    cuts = range(0, len(payload), size)
    return [
        ipv4(
            protocol,
            payload[at : at + size],
            INNER,
            number=number,
            fragment=at >> 3 | (0x2000 if at + size < len(payload) else 0),
        )
        for at in cuts
    ]


def piece6(offset: int, data: bytes, *, more: bool, number: int = 7, following: int = 6) -> bytes:
    return ipv6(44, struct.pack(">BBHI", following, 0, offset | more, number) + data, INNER6)


def pieces6(payload: bytes, size: int, *, number: int = 7) -> list[bytes]:
    cuts = range(0, len(payload), size)
    return [piece6(at, payload[at : at + size], more=at + size < len(payload), number=number) for at in cuts]


def all_of(frames: Iterable[bytes], peeler: Peeler | None = None, linktype: int = RAW) -> list[Segment]:
    peeler = peeler or Peeler()
    found = [peeler.peel(linktype, frame, 0, len(frame)) for frame in frames]
    return [segment for segment in found if segment is not None]


def bodies(found: Iterable[Segment]) -> list[bytes]:
    return [buffer[at:end] for _, _, buffer, at, end, _, _ in found]


# Lengths


@pytest.mark.parametrize("ip", [ipv4(6, SEGMENT, INNER, total=0), ipv6(6, SEGMENT, INNER6, length=0)])
def test_a_length_of_0_means_all_there_is(ip: bytes) -> None:
    # Segmentation offload and jumbograms (RFC 2675) leave it so.
    assert segment(RAW, ip) == (*expected(ip)[1:], 0)


def test_a_jumbogram_is_read_to_the_end_of_the_frame() -> None:
    body = SEGMENT + bytes(70000)
    option = bytes([6, 0, 0xC2, 4]) + struct.pack(">I", 8 + len(body))
    assert segment(RAW, ipv6(0, option + body, INNER6, length=0))[1:] == (body, 0)


@pytest.mark.parametrize("total", range(1, 20))
def test_an_ipv4_packet_shorter_than_its_header_is_counted(total: int) -> None:
    assert reason(RAW, ipv4(6, SEGMENT, INNER, total=total)) == "IPv4 packets shorter than their header"


@pytest.mark.parametrize("options", [4, 20, 40])
def test_options_of_ipv4_are_skipped(options: int) -> None:
    ip = ipv4(6, SEGMENT, INNER, options=b"\1" * options)
    assert segment(RAW, ip) == (ip[12:20] + PORTS, SEGMENT, 0)
    for size in range(20 + options):
        reason(RAW, ip[:size])


def test_extension_headers_of_every_kind_are_skipped() -> None:
    headers = (0, 43, 60, 135, 139, 140)
    following = (*headers[1:], 44)
    chain = b"".join(bytes([kind, units]) + bytes(6 + 8 * units) for units, kind in enumerate(following))
    authentication = bytes([6, 4, 0, 0]) + bytes(20)
    body = chain + struct.pack(">BBHI", 51, 0, 0, 1) + authentication + SEGMENT
    assert segment(RAW, ipv6(0, body, INNER6)) == (*expected(TCP6)[1:], 0)


def test_a_tcp_header_that_is_not_there_whole_is_counted() -> None:
    assert reason(RAW, ipv4(6, SEGMENT[:19], INNER)) == "TCP segments cut in their header"
    assert reason(RAW, ipv6(17, DATAGRAM[:7], INNER6)) == "UDP datagrams cut in their header"


def with_length(length: int, behind: bytes = b"") -> bytes:
    return DATAGRAM[:4] + struct.pack(">H", length) + DATAGRAM[6:] + behind


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (with_length(len(DATAGRAM), b"behind"), len(DATAGRAM)),
        (with_length(8), 8),
        (with_length(0), len(DATAGRAM)),
        (with_length(7), len(DATAGRAM)),
        (with_length(0xFFFF), len(DATAGRAM)),
    ],
)
def test_a_datagram_ends_where_udp_says_unless_it_lies(body: bytes, size: int) -> None:
    for ip in (ipv4(17, body, INNER), ipv6(17, body, INNER6)):
        assert segment(RAW, ip)[1:] == (body[:size], 0)


def test_what_is_missing_of_a_datagram_is_what_udp_says() -> None:
    ip = ipv4(17, with_length(len(DATAGRAM), b"behind"), INNER)
    assert segment(RAW, ip[:40])[1:] == (ip[20:40], len(DATAGRAM) - 20)


def test_what_an_inner_packet_lacks_is_its_own_count() -> None:
    frame = mac(ipv4(4, TCP4 + bytes(30)))
    key, whole = expected(TCP4)[1:]
    assert segment(1, frame[:-30]) == (key, whole, 0)
    assert segment(1, frame[:-40]) == (key, whole[:-10], 10)
    # Segmentation offload within a tunnel: only the outer packet knows.
    unknown = mac(ipv4(4, ipv4(6, SEGMENT, INNER, total=0)))
    assert segment(1, unknown[:-5]) == (key, SEGMENT[:-5], 5)


# Fragments


@pytest.mark.parametrize("make", [pieces4, pieces6])
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_fragments_come_in_any_order(make: type, order: tuple[int, ...]) -> None:
    frames = make(BIG[:100], 32)
    peeler = Peeler()
    found = all_of((frames[number] for number in order), peeler)
    assert bodies(found) == [BIG[:100]]
    assert found[0][1] == (expected(TCP4) if make is pieces4 else expected(TCP6))[1]
    assert not peeler.ignored


@given(st.data())
def test_fragments_are_put_together_whatever_comes_between_and_again(data: st.DataObject) -> None:
    parts = [("a", frame) for frame in pieces4(BIG, 256)] + [("b", frame) for frame in pieces6(BIG, 128)]
    order = data.draw(st.permutations(parts))
    peeler = Peeler()
    found = []
    repeated = 0
    for at, (_, frame) in enumerate(order):
        found += all_of([frame], peeler)
        if at + 1 < len(order) and data.draw(st.booleans()) and peeler.ignored[WAITING]:
            again = all_of([frame], peeler)
            assert not again
            repeated += 1
    assert bodies(found) == [BIG, BIG]
    left = peeler.ignored["repeated fragments of IP packets"] + peeler.ignored[WAITING]
    assert left == repeated


SPANS = [(start, stop) for start in range(8) for stop in range(start + 1, 9) if stop - start < 8]


@given(st.lists(st.sampled_from(SPANS), max_size=10, unique=True))
def test_of_overlapping_fragments_the_first_copy_of_a_byte_wins(spans: list[tuple[int, int]]) -> None:
    peeler = Peeler()
    wanted = [0] * 64
    for number, (start, stop) in enumerate(dict.fromkeys([*spans, (0, 7), (7, 8)])):
        data = bytes([number + 1]) * (stop - start) * 8
        wanted[start * 8 : stop * 8] = [old or number + 1 for old in wanted[start * 8 : stop * 8]]
        found = all_of([ipv4(6, data, INNER, fragment=start | (0x2000 if stop < 8 else 0))], peeler)
        assert bool(found) == all(wanted)
        if found:
            assert bodies(found) == [bytes(wanted)]
            break
    assert all(wanted)


def test_the_size_of_a_packet_is_what_its_first_last_fragment_says() -> None:
    first = ipv4(6, BIG[:32], INNER, fragment=0x2000)
    last = ipv4(6, BIG[64:80], INNER, fragment=8)
    other = ipv4(6, BIG[64:96], INNER, fragment=8)
    middle = ipv4(6, BIG[32:64], INNER, fragment=0x2004)
    assert bodies(all_of([first, last, other, middle])) == [BIG[:80]]


def test_fragments_of_other_packets_are_not_mixed() -> None:
    a, b = pieces4(BIG, 512, number=1), pieces4(bytes(reversed(BIG)), 512, number=2)
    c = pieces4(BIG, 512, number=1, protocol=17)
    found = bodies(all_of(itertools.chain.from_iterable(zip(a, b, c, strict=True))))
    assert found[:2] == [BIG, bytes(reversed(BIG))]


def test_the_first_fragment_of_ipv6_says_what_the_packet_is() -> None:
    # RFC 8200 section 4.5: the next headers of the others may differ and are not looked at.
    frames = [
        piece6(64, SEGMENT[64:], more=False, following=59),
        piece6(0, SEGMENT[:64], more=True),
    ]
    assert bodies(all_of(frames)) == [SEGMENT]


def test_an_atomic_fragment_is_a_packet_and_waits_for_none() -> None:
    # Also while fragments with its number wait (RFC 6946 section 4).
    peeler = Peeler()
    frames = pieces6(BIG, 512)
    assert not all_of(frames[:1], peeler)
    assert bodies(all_of([piece6(0, SEGMENT, more=False)], peeler)) == [SEGMENT]
    assert bodies(all_of(frames[1:], peeler)) == [BIG]


def test_extension_headers_behind_a_fragment_header_are_read_when_all_is_there() -> None:
    body = bytes([6, 0, 1, 4, 0, 0, 0, 0]) + SEGMENT
    frames = [piece6(32, body[32:], more=False, following=60), piece6(0, body[:32], more=True, following=60)]
    assert bodies(all_of(frames)) == [SEGMENT]


def test_a_packet_of_64_kib_is_put_together_and_a_longer_one_is_not() -> None:
    body = SEGMENT + bytes(65535 - len(SEGMENT))
    assert bodies(all_of(pieces4(body, 1480))) == [body]
    peeler = Peeler()
    assert not all_of(pieces4(body + b"!", 1480), peeler)
    assert peeler.ignored["fragments beyond the end of an IP packet"] == 1
    assert peeler.ignored[WAITING] == 44


def test_fragments_that_were_cut_are_counted() -> None:
    assert reason(RAW, pieces4(BIG, 512)[0][:-1]) == "fragments of IP packets that were cut"


def test_a_fragment_whose_header_is_cut_by_the_packet_around_it_is_counted_once() -> None:
    inner = ipv4(6, SEGMENT, INNER, total=0, fragment=4)
    assert reason(RAW, ipv4(4, inner, total=20 + 16)) == "packets cut in a header"


def test_a_fragment_alone_is_counted_once() -> None:
    for frame in (*pieces4(BIG, 512), *pieces6(BIG, 512)):
        assert peeled(RAW, frame)[1] == {WAITING: 1}


def test_padding_behind_a_fragment_is_none_of_it() -> None:
    frames = [mac(frame) + b"\xaa" * 40 for frame in pieces4(SEGMENT, 40)]
    assert bodies(all_of(frames, linktype=1)) == [SEGMENT]


@pytest.mark.parametrize("make", [pieces4, pieces6])
def test_fragments_within_tunnels_and_of_tunnels_are_put_together(make: type) -> None:
    inner = [ipv4(47, gre(0, 0x6558) + mac(frame)) for frame in make(BIG, 256)]
    outer = [
        mac(piece)
        for number, packet in enumerate(inner)
        for piece in reversed(pieces4(packet[20:], 104, number=number, protocol=47))
    ]
    peeler = Peeler()
    found = all_of(outer, peeler, 1)
    assert bodies(found) == [BIG]
    assert found[0][6] is not None
    assert found[0][6].tunnel == "gre"
    assert not peeler.ignored


def test_a_datagram_of_a_tunnel_may_come_in_fragments() -> None:
    body = udp(4789, struct.pack(">BBHI", 8, 0, 0, 1 << 8) + tagged(0x8100, b"\0\1")(TCP6))
    found = all_of(pieces4(body, 16, protocol=17))
    assert bodies(found) == [SEGMENT]
    assert found[0][6] is not None
    assert found[0][6].tunnel == "vxlan"


# Bounds


def test_no_more_than_so_many_packets_wait_and_the_oldest_gives_way() -> None:
    peeler = Peeler()
    frames = [pieces4(SEGMENT, 40, number=number) for number in range(MAX_PACKETS + 10)]
    assert not all_of((pair[0] for pair in frames), peeler)
    assert len(all_of((pair[1] for pair in frames[10:]), peeler)) == MAX_PACKETS
    assert not all_of((pair[1] for pair in frames[:10]), peeler)
    assert peeler.ignored[WAITING] == 20


def test_no_packet_has_more_than_so_many_pieces() -> None:
    peeler = Peeler()
    body = SEGMENT + bytes(8 * (MAX_PIECES + 10))
    assert not all_of(pieces4(body, 8), peeler)
    assert peeler.ignored[WAITING] == MAX_PIECES
    assert peeler.ignored.total() == -(-len(body) // 8)


def test_fragments_that_never_complete_take_bounded_memory_and_time() -> None:
    peeler = Peeler()
    body = bytes(60000)
    count = 0
    tracemalloc.start()
    for number in range(4):
        for at in range(1, 401):
            frame = ipv4(6, body[: 60000 - at * 8], INNER, number=number, fragment=0x2000 | at)
            count += 1
            assert peeler.peel(RAW, frame, 0, len(frame)) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MAX_HELD + (1 << 20)
    assert peeler.ignored == {WAITING: count}
    assert OVERHEAD * MAX_PIECES * MAX_PACKETS > MAX_HELD
    assert bodies(all_of(pieces4(BIG, 512, number=99), peeler)) == [BIG]


def test_what_was_put_together_leaves_nothing_behind() -> None:
    peeler = Peeler()
    for number in range(2000):
        assert len(all_of(pieces4(SEGMENT, 40, number=number), peeler)) == 1
    fragments = peeler._layers[(1, 0x0800)].__self__._fragments  # type: ignore[attr-defined] # a bound method
    assert (fragments._waiting, fragments._held) == ({}, 0)
