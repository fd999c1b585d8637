"""Connections in a capture: however their segments are cut, ordered and repeated, and how they begin and end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captures.packets import ACK, FIN, PSH, RST, SYN, ethernet, ipv4, udp
from tlswire.capture.streams import Streams
from tlswire.capture.tcp import PATIENCE

from .made import (
    ALERT,
    APPLICATION,
    CHANGE,
    CLIENT,
    FINISHED,
    KEY_EXCHANGE,
    SERVER,
    Turn,
    Wire,
    answer,
    gist,
    hello,
    one,
    packets,
    read,
    turns,
    whole,
)

FEW = settings(max_examples=60, deadline=None, database=None, derandomize=True)
ISNS = st.one_of(st.integers(2**32 - 2000, 2**32 - 1), st.integers(0, 2**32 - 1))
WHOLE = gist(one(whole()))
STREAMS = tuple(b"".join(data for side, data in turns() if side == wanted) for wanted in (CLIENT, SERVER))

Piece = tuple[int, int, int]  # side, from, to


@st.composite
def pieces(draw: st.DrawFn, side: int, start: int, stop: int) -> list[Piece]:
    """A stretch of one side's bytes cut anywhere, in any order, with repeated and overlapping pieces among them."""
    places = draw(st.lists(st.integers(start, stop), max_size=8, unique=True))
    cut = [(side, *pair) for pair in pairwise(sorted({start, *places, stop}))]
    spans = st.tuples(st.integers(start, stop), st.integers(start, stop)).map(sorted)
    again = [(side, low, high) for low, high in draw(st.lists(spans, max_size=4))]
    return draw(st.permutations(cut + again))


@st.composite
def flights(draw: st.DrawFn) -> list[list[Piece]]:
    """The handshake turn by turn, each turn in any order."""
    said = [0, 0]
    found = []
    for side, data in turns():
        found.append(draw(pieces(side, said[side], said[side] + len(data))))
        said[side] += len(data)
    return found


def segments(wire: Wire, arranged: list[Piece], acks: tuple[int, int] = (0, 0)) -> list[bytes]:
    return [wire.segment(side, start, STREAMS[side][start:stop], ack=acks[1 - side]) for side, start, stop in arranged]


def opened() -> tuple[Wire, list[bytes]]:
    wire = Wire()
    return wire, wire.opening()


# Order


@FEW
@given(isn=st.tuples(ISNS, ISNS), arranged=flights())
def test_segments_of_a_flight_in_any_order_give_the_same_session(
    isn: tuple[int, int], arranged: list[list[Piece]]
) -> None:
    wire = Wire(isn=isn)
    frames = wire.opening()
    for flight in arranged:
        frames += segments(wire, flight, (wire.said[0], wire.said[1]))
        side = flight[0][0]
        wire.said[side] = max(wire.said[side], *(stop for _, _, stop in flight))
        frames.append(wire.segment(1 - side, wire.said[1 - side]))  # and it is acknowledged
    assert gist(one(frames + wire.closing())) == WHOLE


@FEW
@given(isn=st.tuples(ISNS, ISNS), data=st.data())
def test_segments_of_both_sides_in_any_order_give_the_same_session(isn: tuple[int, int], data: st.DataObject) -> None:
    both = [data.draw(pieces(side, 0, len(STREAMS[side]))) for side in (CLIENT, SERVER)]
    sides = data.draw(st.permutations([CLIENT] * len(both[0]) + [SERVER] * len(both[1])))
    wire = Wire(isn=isn)
    frames = wire.opening() + segments(wire, [both[side].pop() for side in sides])
    wire.said = [len(stream) for stream in STREAMS]
    assert gist(one(frames + wire.closing())) == WHOLE


@FEW
@given(data=st.data())
def test_pieces_put_together_as_a_stack_would_need_no_handshake_before_them(data: st.DataObject) -> None:
    wire = Wire()
    sizes = data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=6))
    frames: list[bytes] = []
    for side, said in turns():
        at = 0
        while at < len(said):
            size = sizes[len(frames) % len(sizes)]
            frames.append(wire.say(side, said[at : at + size]))
            at += size
    assert gist(one(frames)) == WHOLE


@pytest.mark.parametrize("versions", ["4", "6"])
def test_every_frame_twice_changes_nothing(versions: str) -> None:
    ends = ("10.0.0.1", "192.0.2.1") if versions == "4" else ("2001:db8::1", "2001:db8::2")
    frames = whole(Wire(*ends))
    session = one([frame for frame in frames for _ in range(2)])
    assert (session.client.address, session.server.port) == (ends[0], 443)
    assert gist(session) == gist(one(frames))


@pytest.mark.parametrize("back", [1, 2, 3, 5])
def test_frames_that_are_late_by_some_change_nothing(back: int) -> None:
    wire, frames = opened()
    frames += wire.talk(*turns(), size=100)
    for at in range(3, len(frames) - back, back + 1):
        frames[at : at + back + 1] = [*frames[at + 1 : at + back + 1], frames[at]]
    assert gist(one(frames + wire.closing())) == WHOLE


@pytest.mark.parametrize("late", [1, 2, 3, 4, 6])
def test_a_syn_that_is_seen_again_after_data_is_no_new_connection(late: int) -> None:
    wire, frames = opened()
    syn = frames[0]
    frames += wire.talk(*turns(), size=100)
    frames.insert(3 + late, syn)
    assert gist(one(frames + wire.closing())) == WHOLE


# Beginnings


def test_data_of_the_syn_is_read() -> None:
    # TCP Fast Open (RFC 7413).
    for isn in ((1000, 5000), (2**32 - 1, 2**32 - 1), (2**32 - 2, 0)):
        wire = Wire(isn=isn)
        first = hello()
        frames = [
            wire.segment(CLIENT, 0, first, SYN),
            wire.segment(SERVER, 0, flags=SYN | ACK, ack=len(first)),
        ]
        wire.said[CLIENT] = len(first)
        frames += wire.talk(*turns()[1:])
        # And that the SYN is sent again with its data is no new connection.
        frames.insert(1, wire.segment(CLIENT, 0, first, SYN))
        assert gist(one(frames + wire.closing())) == WHOLE


@pytest.mark.parametrize("seen", [(), (0,), (1,), (2,), (0, 2), (1, 2)])
def test_a_handshake_of_tcp_that_was_missed_in_part(seen: tuple[int, ...]) -> None:
    wire = Wire()
    opening = wire.opening()
    assert gist(one([*(opening[at] for at in seen), *wire.talk(*turns()), *wire.closing()])) == WHOLE


def test_a_capture_that_begins_amid_application_data_has_no_session() -> None:
    wire = Wire()
    frames = wire.talk(*[(side, APPLICATION) for side in (CLIENT, SERVER) * 20])
    found = read(frames + wire.closing())
    assert found.sessions == []
    assert (found.flows, found.encrypted_only) == (1, 1)


def test_a_capture_that_begins_inside_a_record_has_no_session() -> None:
    wire = Wire()
    frames = wire.talk((SERVER, APPLICATION[50:]), *[(side, APPLICATION) for side in (SERVER, CLIENT) * 5])
    found = read(frames)
    assert found.sessions == []
    assert found.encrypted_only == 1


def test_a_capture_that_begins_with_the_servers_answer() -> None:
    wire = Wire()
    session = one(wire.talk(*turns()[1:]) + wire.closing())
    assert (session.client.port, session.server.port) == (50000, 443)
    assert (session.hellos, session.suite, session.outcome) == ([], "0xC02F", "established")
    assert len(session.certificates) == 1


def test_a_capture_that_begins_with_the_clients_second_flight() -> None:
    wire = Wire()
    session = one(wire.talk(*turns()[2:]) + wire.closing())
    assert (session.client.port, session.server.port) == (50000, 443)
    assert (session.hellos, session.server_hellos, session.outcome) == ([], [], "established")


# One side


def half(side: int) -> list[bytes]:
    wire = Wire()
    kept = [wire.opening()[side]]
    for speaker, data in turns():
        spoken = wire.talk((speaker, data))
        kept += spoken if speaker == side else [wire.segment(side, wire.said[side])]
    return [*kept, wire.closing()[side]]


def test_the_clients_side_alone() -> None:
    session = one(half(CLIENT))
    assert session.client.port == 50000
    assert session.hellos[0].sha256 == WHOLE.hellos[0].sha256
    assert (session.server_hellos, session.outcome) == ([], "unanswered")


def test_the_servers_side_alone() -> None:
    session = one(half(SERVER))
    assert session.client.port == 50000
    assert session.hellos == []
    assert gist(session).server_hellos == WHOLE.server_hellos
    assert gist(session).certificates == WHOLE.certificates


@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_one_side_of_a_long_connection_is_told_before_its_end(side: int) -> None:
    wire, frames = opened()
    for speaker, data in turns():
        said = wire.talk((speaker, data))
        frames += said if speaker == side else []
    more = [wire.talk((side, APPLICATION))[0] for _ in range(200)]
    streams = Streams("made")
    found = streams.follow(packets(frames + more + [wire.reset(side)]))
    assert next(found).order[0] < len(frames + more)
    assert list(found) == []


# Ends


def ending(wire: Wire, how: str, side: int) -> list[bytes]:
    if how == "fin":
        return wire.closing()
    return [wire.reset(side)] if how == "rst" else []


@pytest.mark.parametrize(
    ("said", "end", "outcome"),
    [
        (1, "fin", "closed"),
        (1, "rst", "reset"),
        (1, "", "unanswered"),
        (2, "fin", "closed"),
        (2, "rst", "reset"),
        (2, "", "incomplete"),
        (6, "fin", "established"),
        (6, "rst", "established"),
        (6, "", "established"),
    ],
)
def test_how_a_connection_ends(said: int, end: str, outcome: str) -> None:
    wire, frames = opened()
    frames += wire.talk(*turns()[:said])
    frames += ending(wire, end, SERVER)
    session = one(frames)
    assert session.outcome == outcome
    assert session.notes == []


@pytest.mark.parametrize("flags", [FIN | PSH | ACK, RST | ACK])
def test_bytes_that_come_with_the_end_are_read(flags: int) -> None:
    wire, frames = opened()
    frames += [*wire.talk((CLIENT, hello())), wire.say(SERVER, ALERT, flags), wire.say(CLIENT, b"", FIN | ACK)]
    assert [alert.description for alert in one(frames).alerts] == ["handshake_failure"]


def test_what_waits_behind_a_hole_is_told_at_the_end() -> None:
    wire, frames = opened()
    first, rest = hello()[:50], hello()[50:]
    frames += [wire.segment(CLIENT, 50, rest), *wire.closing()]
    assert read(frames).sessions == []  # what is left of a hello without its head is nothing
    wire, frames = opened()
    frames += [wire.say(CLIENT, first), wire.segment(CLIENT, 100, hello()[100:])]
    session = one([*frames, wire.reset(SERVER)])
    assert [item.partial for item in session.hellos] == [True]
    assert session.outcome == "reset"


def test_bytes_that_come_again_after_the_end_are_no_new_session() -> None:
    wire, frames = opened()
    frames += [*wire.talk((CLIENT, hello())), wire.say(SERVER, ALERT)]
    again = frames[-1]
    assert len(read([*frames, *wire.closing(), again]).sessions) == 1


def test_a_fin_that_overtakes_the_last_bytes_does_not_end_them() -> None:
    wire, frames = opened()
    first, last = hello()[:100], hello()[100:]
    late = wire.say(CLIENT, first)
    frames += [wire.say(CLIENT, last, FIN | ACK), wire.say(SERVER, ALERT, FIN | ACK), late]
    assert [item.partial for item in one(frames).hellos] == [False]


# The same ports again


@pytest.mark.parametrize("end", ["fin", "rst", "nothing"])
@pytest.mark.parametrize("said", [1, 2, 6])
def test_ports_used_again_are_two_sessions(said: int, end: str) -> None:
    frames = []
    for name, isn in ((b"first.example", (1000, 5000)), (b"second.example", (2**31, 77))):
        wire = Wire(isn=isn)
        frames += wire.opening() + wire.talk(*turns(name)[:said])
        frames += ending(wire, end, CLIENT)
    found = read(frames).sessions
    assert [item.server_name for item in found] == ["first.example", "second.example"]
    assert [len(item.hellos) for item in found] == [1, 1]
    replaced = ["the same ports began a new connection"]
    assert [item.notes for item in found] == [replaced if end == "nothing" and said < 6 else [], []]


def test_ports_used_again_with_a_syn_that_was_not_captured() -> None:
    frames = whole(Wire())
    wire = Wire(isn=(2**31, 77))
    frames += wire.talk(*turns(b"second.example"))
    found = read(frames).sessions
    assert [item.server_name for item in found] == ["www.example.com", "second.example"]


def test_connections_with_the_same_ports_between_others_are_others() -> None:
    wires = [
        Wire("10.0.0.1", "192.0.2.1"),
        Wire("10.0.0.2", "192.0.2.1"),
        Wire("10.0.0.1", "192.0.2.2"),
        Wire("10.0.0.1", "192.0.2.1", (50001, 443)),
        Wire("10.0.0.1", "192.0.2.1", (50000, 8443)),
        Wire("2001:db8::1", "2001:db8::2"),
        Wire("2001:db8::1", "2001:db8::3"),
    ]
    lines = [wire.opening() + wire.talk(*turns(b"%d.example" % at)) for at, wire in enumerate(wires)]
    found = read([frame for turn in zip(*lines, strict=True) for frame in turn]).sessions
    assert sorted(item.server_name or "" for item in found) == [f"{at}.example" for at in range(len(wires))]
    assert {item.outcome for item in found} == {"established"}


def test_both_ends_with_one_port_and_one_address() -> None:
    session = one(whole(Wire("127.0.0.1", "127.0.0.2", (4433, 4433))))
    assert (session.client.address, session.server.address) == ("127.0.0.1", "127.0.0.2")


# Keep-alives and copies


def test_keep_alives_change_nothing() -> None:
    wire, frames = opened()
    for turn in turns():
        frames += wire.talk(turn, size=300)
        for side in (CLIENT, SERVER):
            frames += [wire.segment(side, wire.said[side] - 1, data) for data in (b"", b"\0")]
            frames.append(wire.segment(1 - side, wire.said[1 - side]))
    assert gist(one(frames + wire.closing())) == WHOLE


def test_an_overlap_that_says_something_else_is_noted_and_the_first_copy_taken() -> None:
    wire, frames = opened()
    first = hello(b"first.example")
    other = hello(b"other.example")
    assert len(first) == len(other)
    frames += [wire.say(CLIENT, first[:200]), wire.segment(CLIENT, 20, other[20:]), wire.say(SERVER, ALERT)]
    session = one(frames)
    assert session.server_name == "first.example"
    assert session.notes == ["overlapping segments differ: the first copy was taken"]


def test_an_overlap_of_what_waits_is_noted_and_the_first_copy_taken() -> None:
    wire, frames = opened()
    first, other = hello(b"first.example"), hello(b"other.example")
    frames += [wire.segment(CLIENT, at, data[at:]) for at, data in ((30, first), (20, other), (0, other))]
    frames.append(wire.say(SERVER, ALERT))
    session = one(frames)
    assert session.server_name == "first.example"
    assert session.notes == ["overlapping segments differ: the first copy was taken"]


# What is no TCP conversation that can be read


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(frames=st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=120), st.integers(0, 63)), max_size=12))
def test_random_bytes_give_no_session(frames: list[tuple[int, bytes, int]]) -> None:
    wire = Wire()
    found = read(wire.segment(side, at * 7, data, flags) for at, (side, data, flags) in enumerate(frames))
    assert found.sessions == []


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(places=st.lists(st.tuples(st.integers(0, 11), st.integers(12, 80), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_headers_never_stop_the_walk(places: list[tuple[int, int, int]]) -> None:
    frames = [bytearray(frame) for frame in whole()]
    for number, at, value in places:
        frame = frames[number % len(frames)]
        frame[at % len(frame)] = value
    # The connection itself may be lost with them: the one behind it may not.
    other = whole(Wire("10.9.9.9", "192.0.2.99"))
    found = read([*map(bytes, frames), *other]).sessions
    assert "10.9.9.9" in {item.client.address for item in found}


def test_udp_on_the_same_ports_is_another_flow() -> None:
    wire = Wire()
    datagram = ethernet(ipv4(17, "10.0.0.1", "192.0.2.1", udp(50000, 443, hello())))
    frames = [frame for item in whole(wire) for frame in (item, datagram)]
    assert gist(one(frames)) == WHOLE


@pytest.mark.parametrize("acks", [PATIENCE - 1, PATIENCE + 3])
def test_acknowledgements_without_bytes_tell_that_a_hole_will_stay(acks: int) -> None:
    wire, frames = opened()
    first: Turn = (CLIENT, hello())
    frames += wire.talk(first)
    flight = answer()
    hole = wire.segment(SERVER, 500, flight[500:600])
    frames += [wire.segment(SERVER, 0, flight[:500]), wire.segment(SERVER, 600, flight[600:])]
    wire.said[SERVER] = len(flight)
    frames += [wire.segment(CLIENT, wire.said[CLIENT]) for _ in range(acks)]
    frames.append(hole)
    frames += wire.talk((CLIENT, KEY_EXCHANGE + CHANGE + FINISHED), (SERVER, CHANGE + FINISHED))
    session = one(frames)
    assert session.outcome == "established"
    assert bool(session.notes) == (acks > PATIENCE)
    assert len(session.certificates) == (acks < PATIENCE)
