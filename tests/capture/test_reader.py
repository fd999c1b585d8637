"""``Reading``: sessions as they are complete, and what was met on the way, while it is read and after it."""

from __future__ import annotations

import io
import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

import tlswire
from tests.report.made import ALERT, capture, conversation, hello_message, pcap, record
from tlswire.capture.flows import BUCKETS, bucket_of
from tlswire.capture.reader import open_reading
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

HELLO = record(22, hello_message())
APPLICATION = record(23, bytes(40))


def ethernet(kind: int, body: bytes) -> bytes:
    return bytes(12) + struct.pack(">H", kind) + body


def reading(data: bytes, **options: Any) -> Any:
    return open_reading(io.BytesIO(data), **options)


def test_sessions_come_when_they_are_over_not_at_the_end() -> None:
    first = conversation("10.0.0.1", "192.0.2.1", 443, (0, HELLO), (1, ALERT))
    second = conversation("10.0.0.2", "192.0.2.1", 443, (0, HELLO), (1, ALERT))
    with reading(pcap(*first, *second)) as opened:
        found = iter(opened)
        assert next(found).session.first_frame == 1
        assert opened.frames <= len(first)
        assert next(found).session.first_frame == len(first) + 1
        assert next(found, None) is None
        assert opened.frames == len(first) + len(second)


def test_sessions_still_open_at_the_end_come_in_the_order_they_began() -> None:
    connections = [conversation(f"10.0.0.{number}", "192.0.2.1", 443, (0, HELLO))[:4] for number in range(9, 0, -1)]
    with reading(pcap(*(frame for turn in zip(*connections, strict=True) for frame in turn))) as opened:
        found = list(opened)
    assert [item.session.first_frame for item in found] == list(range(1, 10))
    assert {item.session.outcome for item in found} == {"unanswered"}
    assert [item.order for item in found] == sorted(item.order for item in found)


def test_sessions_that_end_in_one_frame_come_in_the_order_they_began() -> None:
    with reading(capture(tuple(b"%d.example.com" % number for number in range(20)))) as opened:
        order = [item.order for item in opened]
    assert order == sorted(order)
    assert len(order) == 20


def test_what_was_met_is_counted() -> None:
    good = conversation("10.0.0.1", "192.0.2.1", 443, (0, HELLO), (1, ALERT))
    midstream = conversation("10.0.0.2", "192.0.2.1", 443, (0, APPLICATION), (1, APPLICATION), (0, APPLICATION))[3:-3]
    arp = ethernet(0x0806, bytes(46))
    with reading(pcap(arp, *good, arp, *midstream)) as opened:
        assert len(list(opened)) == 1
    assert opened.ignored == {"ARP": 2}
    assert opened.frames == len(good) + len(midstream) + 2
    assert opened.flows == 2
    assert opened.encrypted_only == 1
    assert opened.evicted == 0
    assert opened.damage == []


def test_damage_is_there_as_soon_as_it_is_met() -> None:
    data = capture()
    with reading(data[:-5]) as opened:
        assert opened.damage == []
        assert len(list(opened)) == 2
        assert opened.damage == [f"capture: cut short: ends at byte {len(data) - 5}, frame 16 needs 70 bytes, 65 left"]
        assert opened.frames == 15


@pytest.mark.parametrize("parts", [2, 5, BUCKETS])
def test_buckets_divide_the_sessions_among_processes(parts: int) -> None:
    data = capture(tuple(b"%d.example.com" % number for number in range(60)))
    with reading(data) as opened:
        whole = list(opened)
        flows = opened.flows
    shares = []
    for part in range(parts):
        with reading(data, buckets=frozenset(range(part, BUCKETS, parts))) as opened:
            shares.append((list(opened), opened.flows, opened.frames))
    assert sorted((item for found, _, _ in shares for item in found), key=lambda item: item.order) == whole
    assert sum(count for _, count, _ in shares) == flows
    assert {frames for _, _, frames in shares} == {60 * 8}


def test_the_walk_gives_a_flow_to_the_process_of_its_bucket() -> None:
    # The walk spells ``bucket_of`` out; who keeps and evicts a flow must be the same for any number of processes.
    data = capture(tuple(b"%d.example.com" % number for number in range(60)))
    for bucket in range(BUCKETS):
        with reading(data, buckets=frozenset({bucket})) as opened:
            for found in opened:
                ends = found.session.client, found.session.server
                addresses = b"".join(ip_address(end.address).packed for end in ends)
                assert bucket_of(addresses + b"".join(end.port.to_bytes(2, "big") for end in ends)) == bucket


def test_a_name_a_size_and_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    data = capture()
    path.write_bytes(data)
    with open_reading(path) as opened:
        assert (opened.name, opened.size) == (str(path), len(data))
        assert opened.position <= len(data)
        list(opened)
        assert opened.position == len(data)


def test_it_is_iterated_once() -> None:
    with reading(capture()) as opened:
        assert len(list(opened)) == 2
        assert list(opened) == []


def test_a_file_that_was_opened_here_is_closed_when_sessions_are_left() -> None:
    # Warnings are errors in the tests: a file that is left open would fail here.
    source = io.BytesIO(capture())
    found = tlswire.sessions(source)
    next(found)
    found.close()  # type: ignore[attr-defined]  # an iterator that is a generator
    assert not source.closed


def test_what_is_no_capture_fails_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "junk").write_bytes(b"GIF89a")
    with pytest.raises(UsageError, match="is no capture"):
        open_reading(tmp_path / "junk")
    with pytest.raises(UsageError, match="is a folder"):
        open_reading(tmp_path)
