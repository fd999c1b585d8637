"""Reassembly of one direction against a model of it: the first copy of every byte, in order, holes told as such."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.capture import tcp
from tlswire.capture.tcp import (
    MAX_WAITING,
    MAX_WAITING_BYTES,
    NOBODY,
    PATIENCE,
    Flow,
    acknowledged,
    flush,
    open_flow,
    segment,
    skip,
    synchronise,
)

if TYPE_CHECKING:
    from random import Random

LAWS = settings(max_examples=300, deadline=None, database=None, derandomize=True)
ANYWHERE: Any = (1, 0, 0, None)
# The wrap at 2^32 is where mistakes live (RFC 9293 section 3.4).
STARTS = st.one_of(st.integers(2**32 - 80, 2**32 - 1), st.integers(0, 2**32 - 1))
STREAM = bytes(range(256))


class Heard:
    """A consumer that keeps what it is told; a hole is told as question marks of the same length."""

    def __init__(self) -> None:
        self.done = False
        self.said = [b"", b""]
        self.gaps: list[int] = []
        self.frames: list[int] = []
        self.notes: set[str] = set()

    def data(self, side: int, data: bytes, frame: int) -> None:
        self.said[side] += data
        self.frames.append(frame)

    def gap(self, side: int, missing: int, frame: int) -> None:
        self.said[side] += b"?" * missing
        self.frames.append(frame)
        self.gaps.append(missing)

    def note(self, text: str) -> None:
        self.notes.add(text)


def opened(isn: int | None = None) -> tuple[Flow, Heard]:
    """A flow whose first side began with a SYN of this number, if any."""
    flow, heard = open_flow(b"one", b"other", ANYWHERE, None), Heard()
    flow.consumer = heard
    if isn is not None:
        synchronise(flow.halves[0], isn)
    return flow, heard


def feed(isn: int, *pieces: tuple[int, bytes], end: bool = True) -> Heard:
    """Segments at these offsets, one a frame."""
    flow, heard = opened(isn)
    for frame, (at, data) in enumerate(pieces, 1):
        segment(flow.halves[0], (isn + 1 + at) % 2**32, data, 0, frame)
    if end:
        flush(flow, len(pieces) + 1)
    return heard


def first_copies(pieces: list[tuple[int, bytes]]) -> bytes:
    """What a receiver that keeps the first copy of every byte has, holes as question marks."""
    known: dict[int, int] = {}
    for at, data in pieces:
        for place, byte in enumerate(data, at):
            known.setdefault(place, byte)
    return bytes(known.get(place, 0x3F) for place in range(max(known, default=-1) + 1))


def arrivals(*, garbled: bool) -> st.SearchStrategy[list[tuple[int, bytes]]]:
    """Pieces of a stream in any order, overlapping as they like, with holes; ``garbled`` ones say something else."""

    def piece(at: int, size: int, mask: int) -> tuple[int, bytes]:
        return at, bytes(byte ^ mask for byte in STREAM[64 + at : 64 + at + size])

    masks = st.sampled_from([0, 0, 0x80]) if garbled else st.just(0)
    return st.lists(st.builds(piece, st.integers(0, 60), st.integers(1, 25), masks), max_size=12)


@LAWS
@given(isn=STARTS, pieces=arrivals(garbled=False))
def test_any_pieces_in_any_order_give_the_stream(isn: int, pieces: list[tuple[int, bytes]]) -> None:
    heard = feed(isn, *pieces)
    assert heard.said == [first_copies(pieces), b""]
    assert not heard.notes
    assert heard.frames == sorted(heard.frames)


@LAWS
@given(isn=STARTS, pieces=arrivals(garbled=True))
def test_the_first_copy_of_a_byte_wins(isn: int, pieces: list[tuple[int, bytes]]) -> None:
    heard = feed(isn, *pieces)
    assert heard.said[0] == first_copies(pieces)
    said = {(place, byte) for at, data in pieces for place, byte in enumerate(data, at)}
    differ = len(said) > len({place for place, _ in said})
    # The bytes of older segments are gone: not every difference can be seen, but none is made up.
    assert differ or not heard.notes


@LAWS
@given(isn=STARTS, cuts=st.lists(st.integers(1, 199), max_size=12, unique=True), dice=st.randoms(use_true_random=False))
def test_nothing_is_held_once_the_stream_is_whole(isn: int, cuts: list[int], dice: Random) -> None:
    places = [0, *sorted(cuts), 200]
    pieces = [(start, STREAM[start:stop]) for start, stop in pairwise(places)]
    dice.shuffle(pieces)
    flow, heard = opened(isn)
    for at, data in pieces:
        segment(flow.halves[0], isn + 1 + at, data, 0, 1)
    half = flow.halves[0]
    assert heard.said[0] == STREAM[:200]
    assert not half.waiting
    assert half.late == half.stale == 0
    assert len(half.recent) <= 2
    assert half.next == (isn + 201) % 2**32


@LAWS
@given(
    isn=STARTS,
    pieces=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20), st.integers(0, 20)), max_size=12),
)
def test_segments_cut_by_the_capture_leave_holes_where_no_other_copy_fills_them(
    isn: int, pieces: list[tuple[int, int, int]]
) -> None:
    flow, heard = opened(isn)
    copies, end = [], 0
    for at, size, missing in pieces:
        segment(flow.halves[0], isn + 1 + at, STREAM[64 + at : 64 + at + size], missing, 1)
        copies.append((at, STREAM[64 + at : 64 + at + size]))
        end = max(end, at + size + missing)
    flush(flow, 2)
    # A copy that comes after a hole was told comes too late: what is told is never told again, and never wrong.
    said = heard.said[0]
    known = first_copies(copies)
    assert len(said) <= end
    assert len(said) >= len(known)
    assert all(byte in {0x3F, STREAM[64 + place]} for place, byte in enumerate(said))


@pytest.mark.parametrize("isn", [0, 2**31 - 5, 2**31, 2**32 - 2, 2**32 - 1])
@pytest.mark.parametrize(
    ("pieces", "said", "conflict"),
    [
        (((0, b"abc"), (3, b"def")), b"abcdef", False),
        (((3, b"def"), (0, b"abc")), b"abcdef", False),
        (((0, b"abcdef"), (0, b"abc"), (0, b"abcdefgh")), b"abcdefgh", False),
        (((0, b"abc"), (2, b"c")), b"abc", False),
        (((0, b"abc"), (2, b"\0")), b"abc", False),  # a keep-alive with garbage
        (((0, b"abc"), (2, b"\0"), (3, b"def")), b"abcdef", False),
        (((0, b"abc"), (1, b"XYdef")), b"abcdef", True),
        (((0, b"abc"), (0, b"aXc")), b"abc", True),
        (((2, b"cd"), (1, b"bXYe"), (0, b"a")), b"abcde", True),
        (((4, b"ef"), (2, b"cdXX"), (0, b"ab")), b"abcdef", True),
        (((2, b"cd"), (0, b"abXXef")), b"abcdef", True),
        (((2, b"cd"), (2, b"XX"), (0, b"ab")), b"abcd", True),
        (((1, b"b"), (3, b"d"), (5, b"f"), (0, b"abcdefg")), b"abcdefg", False),
        (((1, b"b"), (3, b"X"), (0, b"abcde")), b"abcXe", True),
        (((2, b"cd"),), b"??cd", False),
        (((0, b"a"), (4, b"ef"), (2, b"c")), b"a?c?ef", False),
        (((0, b""), (3, b""), (0, b"abc")), b"abc", False),
    ],
)
def test_rows_of_arrivals(isn: int, pieces: tuple[tuple[int, bytes], ...], said: bytes, conflict: bool) -> None:
    heard = feed(isn, *pieces)
    assert heard.said[0] == said
    assert heard.notes == ({"overlapping segments differ: the first copy was taken"} if conflict else set())


def test_bytes_are_told_with_the_frame_that_completed_them() -> None:
    heard = feed(7, (3, b"def"), (6, b"ghi"), (0, b"abc"), (9, b"jkl"))
    assert heard.frames == [3, 3, 3, 4]


def test_without_a_syn_the_stream_begins_at_the_first_segment_seen() -> None:
    flow, heard = opened()
    for seq, data in ((2**32 - 2, b"abc"), (1, b"def"), (2**32 - 5, b"old")):
        segment(flow.halves[0], seq, data, 0, 1)
    assert heard.said[0] == b"abcdef"


def test_the_two_directions_have_nothing_to_do_with_each_other() -> None:
    flow, heard = opened(10)
    synchronise(flow.halves[1], 10)
    segment(flow.halves[0], 11, b"client", 0, 1)
    segment(flow.halves[1], 14, b"ver", 0, 2)
    segment(flow.halves[1], 11, b"ser", 0, 3)
    assert heard.said == [b"client", b"server"]


def test_a_syn_again_changes_nothing_once_there_was_data() -> None:
    flow, heard = opened(99)
    synchronise(flow.halves[0], 500)  # given up and tried again with another number
    segment(flow.halves[0], 501, b"abc", 0, 1)
    synchronise(flow.halves[0], 500)
    synchronise(flow.halves[0], 99)
    segment(flow.halves[0], 504, b"def", 0, 2)
    assert heard.said[0] == b"abcdef"


def test_data_of_the_syn_itself_comes_first() -> None:
    for isn in (0, 2**32 - 2, 2**32 - 1):
        flow, heard = opened(isn)
        segment(flow.halves[0], isn + 1, b"fast", 0, 1)  # as the walk counts it: not yet wrapped
        segment(flow.halves[0], (isn + 5) % 2**32, b"open", 0, 2)
        assert heard.said[0] == b"fastopen"
        assert flow.halves[0].recent[0][0] == (isn + 1) % 2**32


# Patience


def test_a_hole_is_given_up_when_the_peer_has_long_acknowledged_it() -> None:
    flow, heard = opened(0)
    half = flow.halves[0]
    segment(half, 1, b"abc", 0, 1)
    segment(half, 7, b"ghi", 0, 2)
    for frame in range(PATIENCE - 1):
        acknowledged(half, 10, frame)
        acknowledged(half, 4, frame)  # what it has not got it still waits for
    assert heard.said[0] == b"abc"
    acknowledged(half, 10, 77)
    assert heard.said[0] == b"abc???ghi"
    assert heard.frames[-1] == 77


def test_patience_begins_anew_after_each_hole() -> None:
    flow, heard = opened(0)
    half = flow.halves[0]
    segment(half, 4, b"def", 0, 1)
    for _ in range(PATIENCE - 1):
        acknowledged(half, 7, 1)
    segment(half, 1, b"abc", 0, 2)
    segment(half, 10, b"jkl", 0, 3)
    for _ in range(PATIENCE - 1):
        acknowledged(half, 13, 4)
    assert heard.gaps == []
    acknowledged(half, 13, 4)
    assert heard.said[0] == b"abcdef???jkl"


def test_acknowledgements_of_nothing_waiting_are_nothing() -> None:
    flow, heard = opened()
    acknowledged(flow.halves[0], 5, 1)
    skip(flow.halves[0], 1)
    flush(flow, 1)
    synchronise(flow.halves[0], 0)
    for _ in range(2 * PATIENCE):
        acknowledged(flow.halves[0], 50, 1)
    skip(flow.halves[0], 1)
    segment(flow.halves[0], 1, b"abc", 0, 2)
    assert heard.said[0] == b"abc"


# Bounds


@pytest.mark.parametrize(("size", "step", "count"), [(1, 2, MAX_WAITING), (1 << 15, 1 << 16, MAX_WAITING_BYTES >> 15)])
def test_what_waits_is_bounded(size: int, step: int, count: int) -> None:
    flow, heard = opened(0)
    half = flow.halves[0]
    for number in range(count):
        segment(half, 2 + number * step, b"x" * size, 0, number)
    assert heard.said[0] == b""
    for number in range(count, 4 * count):
        segment(half, 2 + number * step, b"x" * size, 0, number)
        assert half.waiting is not None
        assert len(half.waiting) <= MAX_WAITING
        assert half.late == sum(map(len, half.waiting.values())) <= MAX_WAITING_BYTES
    flush(flow, 4 * count)
    assert heard.said[0].count(b"x") == 4 * count * size


def test_copies_of_what_waits_are_not_held_twice() -> None:
    flow, _ = opened(0)
    half = flow.halves[0]
    for start in range(40):
        for size in range(1, 40):
            segment(half, 100 + start, b"x" * size, 0, 1)
    assert half.late == 78
    assert len(half.waiting or ()) <= 78


def test_the_end_is_told_only_to_who_still_listens() -> None:
    flow, heard = opened(0)
    segment(flow.halves[0], 10, b"abc", 0, 1)
    segment(flow.halves[0], 20, b"def", 0, 1)
    heard.done = True
    flush(flow, 2)
    assert heard.said[0] == b""


def test_nobody_takes_everything() -> None:
    flow = open_flow(b"one", b"other", ANYWHERE, None)
    assert flow.consumer is NOBODY
    for at, data in ((0, b"abc"), (1, b"X"), (0, b"aXcX"), (9, b"j")):
        segment(flow.halves[0], at, data, 3, 1)
    flush(flow, 2)
    assert flow.conflict
    assert tcp.NOBODY.done is False
