"""The table of flows: bounded whatever comes, what is given up is told, and what is over costs nothing."""

from __future__ import annotations

import os
import tracemalloc
from typing import Any

import pytest

from captures.packets import ACK, SYN
from tlswire.capture.flows import BUCKETS, MAX_FLOWS, MAX_SKIPPED
from tlswire.capture.streams import Streams

from .made import APPLICATION, CHANGE, CLIENT, FINISHED, SERVER, Wire, hello, packets, read, turns

SLOW = os.environ.get("TLSWIRE_SLOW") == "1"


def strangers(count: int, payload: bytes, flags: int) -> Any:
    """One segment each of so many connections."""
    frame = Wire("10.0.0.0").segment(CLIENT, 0, payload, flags)
    return packets(frame[:26] + number.to_bytes(4, "big") + frame[30:] for number in range(1, count + 1))


ONE_PACKET = {
    "syn": (b"", SYN),
    "hello": (hello(), ACK),
    "binary": (bytes(100), ACK),
    "request": (b"GET / HTTP/1.1\r\n", ACK),
}
# The slow run has the million that a scan of the whole net leaves behind.
MANY = dict.fromkeys(ONE_PACKET, 45_000) | ({"syn": 1_000_000} if SLOW else {})


@pytest.mark.parametrize("kind", ONE_PACKET)
def test_flows_of_one_packet_stay_bounded_and_are_told(kind: str) -> None:
    payload, flags = ONE_PACKET[kind]
    many = MANY[kind]
    streams = Streams("made")
    told = most = 0
    room = BUCKETS * MAX_FLOWS
    for item in streams.follow(strangers(many, payload, flags)):
        told += 1
        if told % 1000 == 0:
            most = max(most, len(streams._tcp))
        if told <= many - room:
            assert item.session.notes == ["the flow table was full: nothing was read after this"]
    assert max(most, len(streams._tcp)) <= 2 * room
    assert told == (many if kind == "hello" else 0)
    assert streams.counts.flows == many
    assert streams.counts.evicted == many - room


def test_memory_does_not_grow_with_the_number_of_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlswire.capture.flows.MAX_FLOWS", 64)
    marks = []
    for count in (8_000, 32_000):  # all bounded tables are full before the first is over
        streams = Streams("made")
        tracemalloc.start()
        for _ in streams.follow(strangers(count, b"", SYN)):
            pass
        marks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert marks[1] < marks[0] * 1.1


def test_flows_that_need_no_more_looking_at_are_bounded() -> None:
    streams = Streams("made")
    assert list(streams.follow(strangers(BUCKETS * MAX_SKIPPED + 20_000, APPLICATION, ACK))) == []
    assert len(streams._done) <= 2 * BUCKETS * MAX_SKIPPED
    assert streams.counts.evicted == 0
    assert streams.counts.encrypted_only == BUCKETS * MAX_SKIPPED + 20_000


def test_a_flow_whose_handshake_is_over_yields_nothing_twice_and_holds_nothing() -> None:
    wire = Wire()
    frames = wire.opening() + wire.talk(*turns())
    noise = [(side, data) for side in (CLIENT, SERVER) for data in (APPLICATION, hello(), CHANGE + FINISHED, bytes(99))]
    for _ in range(50):
        frames += wire.talk(*noise)
    frames += [wire.segment(CLIENT, wire.said[0] + 10_000, APPLICATION), *wire.closing()]
    streams = Streams("made")
    assert len(list(streams.follow(packets(frames)))) == 1
    assert (streams.counts.flows, streams.counts.encrypted_only) == (1, 0)
    assert len(streams._tcp) == 0
    assert not any(streams._live)


def test_idle_handshakes_give_way_where_there_are_many_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlswire.capture.flows.MANY", 1)
    lines = []
    for number in range(3):
        wire = Wire("10.0.0.1", ports=(50000 + 256 * number, 443))
        lines += wire.opening() + wire.talk((CLIENT, hello(b"%d.example" % number)))
    found = read(lines, gap=45).sessions
    assert [item.server_name for item in found] == ["0.example", "1.example", "2.example"]
    assert found[0].notes == ["nothing came for two minutes: not followed any further"]
    assert found[-1].notes == []
