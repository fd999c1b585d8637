from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlswire.probe.dialogue import (
    MAX_HEARD,
    MAX_LINES,
    NEVER,
    Step,
    Talk,
    Whole,
    begins_tls,
    coded,
    ends,
    line,
    octets,
    through,
    told,
    until,
)


@pytest.mark.parametrize(
    ("whole", "data", "length"),
    [
        (line, b"a\nb\n", 2),
        (line, b"a\r", 0),
        (coded, b"220 a\r\n220 b\r\n", 7),
        (coded, b"220\r\n", 5),
        (coded, b"220\n", 4),
        (coded, b"220-a\r\n220 b\r\nc", 14),
        (coded, b"220-a\r\n220\r\n", 12),
        (coded, b"220-a\r\n221 b\r\n220-c\r\n220 d\r\n", 28),
        (coded, b"220-a\r\n220-b\r\n", 0),
        (coded, b"220-a\r\n220 b", 0),
        (coded, b"22", 0),
        (coded, b"", 0),
        (coded, b"2x", NEVER),
        (coded, b"2200", NEVER),
        (coded, b"* OK", NEVER),
        (until(rb"OK\b"), b"a\nok then\nb\n", 10),
        (until(rb"OK\b"), b"a OK\nOKAY\n", 0),
        (until(rb"OK\b"), b"OK", 0),
        (through(rb"<b>", b"<"), b"<a><b><c>", 6),
        (through(rb"<b>", b"<"), b"<a><b", 0),
        (octets(2), b"abc", 2),
        (octets(2), b"a", 0),
    ],
)
def test_where_a_reply_ends(whole: Whole, data: bytes, length: int) -> None:
    assert whole(data, 0) == length
    if length >= 0:
        # The same when it was seen growing.
        seen = 0
        for end in range(len(data) + 1):
            found = whole(data[:end], seen)
            if found:
                assert found == length == end
                return
            seen = end
        assert length == 0


TEXTS = st.lists(st.sampled_from([b"a", b"OK", b"OK ", b"\r\n", b"\n", b"220-", b"220 ", b"<", b"<b", b">", b"1"])).map(
    b"".join
)


@given(data=TEXTS, cuts=st.sets(st.integers(0, 200)))
@pytest.mark.parametrize("whole", [line, coded, until(rb"OK\b"), through(rb"<b[^<>]*>", b"<")])
def test_what_was_seen_before_makes_no_difference(whole: Whole, data: bytes, cuts: set[int]) -> None:
    seen = 0
    for end in sorted(cut for cut in cuts if cut < len(data)):
        if whole(data[:end], 0):
            return
        seen = end
    assert whole(data, seen) == whole(data, 0)


def test_steps_are_said_in_turn_and_replies_may_come_together() -> None:
    ours = Talk("x", (Step(b"", line), Step(b"one", line), Step(lambda last: last[::-1], line), Step(b"bye")))
    assert ours.to_send() == b""
    assert not ours.feed(b"hi\nab")
    assert ours.to_send() == b"one"
    assert ours.feed(b"\ncd\nrest")
    assert ours.to_send() == b"\nbabye"
    assert ours.to_send() == b""
    assert (ours.ready, ours.rest) == (True, b"rest")
    assert ours.said == [
        (False, b"hi\n"),
        (True, b"one"),
        (False, b"ab\n"),
        (True, b"\nba"),
        (False, b"cd\n"),
        (True, b"bye"),
    ]


def test_a_step_that_says_none_is_skipped_and_a_secret_is_not_kept() -> None:
    ours = Talk("x", (Step(lambda _: None, line), Step(b"password", line, shown=b"***")))
    assert ours.to_send() == b"password"
    assert ours.said == [(True, b"***")]


def test_a_dialogue_without_replies_is_ready_at_once() -> None:
    ours = Talk("x", (Step(b"a"), Step(b"b")))
    assert (ours.ready, ours.to_send()) == (True, b"ab")


def test_a_blank_reply_is_no_consent() -> None:
    ours = Talk("x", (Step(b"", line, ends(b"OK")),))
    assert ours.feed(b"\r\n")
    assert (ours.ready, ours.refusal) == (False, "refuses: (blank)")


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize("data", [b"x" * (MAX_HEARD + 1), b"a\n" * (MAX_LINES + 1)])
def test_a_reply_has_bounds(data: bytes, size: int) -> None:
    ours = Talk("x", (Step(b"", until(b"OK")),))
    assert any(ours.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert ours.refusal.startswith("talks on without an end to its x reply: ")
    assert not ours.ready


def test_all_replies_together_have_bounds() -> None:
    ours = Talk("x", (Step(b"", line),) * 100)
    while not ours.feed(b"y" * 1000 + b"\n"):
        pass
    assert "talks on" in ours.refusal


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"", False),
        (b"2", False),
        (b"\x16", None),
        (b"\x16\x03", None),
        (b"\x16\x03\x01\x00", None),
        (b"\x16\x03\x01\x00\x01", True),
        (b"\x16\x02", False),
        (b"\x16\x03\x09", False),
        (b"\x15\x03\x03\x00\x02", True),
        (b"\x15\x03\x03\x00\x03", False),
    ],
)
def test_records_are_told_from_replies(data: bytes, answer: bool | None) -> None:
    assert begins_tls(data) is answer


@given(st.binary())
def test_what_is_told_is_one_printable_line_of_bounded_length(reply: bytes) -> None:
    text = told(reply)
    assert text.isprintable()
    assert text.isascii()
    assert 0 < len(text) <= 200
