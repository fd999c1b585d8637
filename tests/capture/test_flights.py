"""A usual handshake read in one walk, against the same read by a deframer: nothing may tell them apart."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from captures.packets import Packet, pcap
from tlswire.capture import tls
from tlswire.capture.flights import UsualRecords
from tlswire.capture.reader import open_reading

from .made import (
    ALERT,
    APPLICATION,
    CHANGE,
    CLIENT,
    FINISHED,
    KEY_EXCHANGE,
    SERVER,
    SSLV2_HELLO,
    TLS13,
    Wire,
    answer,
    answer_records,
    hello,
)

if TYPE_CHECKING:
    from tlswire.capture.assemble import Found
    from tlswire.capture.sessions import SessionBuilder

OWN = sorted(
    path for path in (Path(__file__).parents[2] / "captures").rglob("*.pcap*") if path.stat().st_size < 1 << 21
)
SOUP = (
    hello(),
    hello(versions=(TLS13,)),
    hello(seed=1),
    answer(),
    *answer_records(),
    KEY_EXCHANGE,
    CHANGE,
    FINISHED,
    CHANGE + FINISHED,
    APPLICATION,
    ALERT,
    SSLV2_HELLO,
    b"\x16\x03\x03\0\0",
    b"\x17\x05\x05\0\1x",
    b"\x14\x03\x03\0\1\1" * 70,
    b"220 ready\r\n",
)


def file(frames: list[bytes]) -> bytes:
    return pcap(Packet(number, frame) for number, frame in enumerate(frames))


class Counting(UsualRecords):
    """Counts the segments that were usual to their end."""

    usual: ClassVar[int] = 0

    def feed(self, builder: SessionBuilder, side: int, data: bytes, frame: int) -> bytes:
        left = super().feed(builder, side, data, frame)
        Counting.usual += not left
        return left


class Refusing(UsualRecords):
    """Leaves everything to the deframer."""

    def feed(self, _builder: SessionBuilder, _side: int, data: bytes, _frame: int) -> bytes:
        return data


def both(source: Any) -> tuple[list[Found], list[Found], int]:
    """What is read in one walk where it can be, what is read by a deframer, and how many segments the walk took."""
    Counting.usual = 0
    with patch.object(tls, "UsualRecords", Counting), open_reading(source()) as reading:
        walked = list(reading)
    with patch.object(tls, "UsualRecords", Refusing), open_reading(source()) as reading:
        deframed = list(reading)
    return walked, deframed, Counting.usual


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_every_capture_gives_the_same_in_the_same_order(path: Path) -> None:
    walked, deframed, _ = both(lambda: path)
    assert walked == deframed


def test_usual_handshakes_need_no_deframer() -> None:
    wire = Wire()
    first = hello()
    turns = [(CLIENT, first), (SERVER, answer(first)), (CLIENT, KEY_EXCHANGE + CHANGE + FINISHED)]
    frames = wire.opening() + wire.talk(*turns, (SERVER, CHANGE + FINISHED))
    spoken = len(frames) - len(wire.opening())
    for told, times in ((frames, spoken), (frames[:-1], spoken - 1), (frames[:4], 1)):
        walked, deframed, usual = both(lambda told=told: io.BytesIO(file(told)))
        assert (len(walked), usual) == (1, times)
        assert walked == deframed


CERTIFICATE = answer_records()[1]


@example([(CLIENT, CERTIFICATE), (SERVER, CERTIFICATE)], 51, False, 2)
@given(
    st.lists(st.tuples(st.sampled_from((CLIENT, SERVER)), st.sampled_from(SOUP)), max_size=12),
    st.integers(1, 1400),
    st.booleans(),
    st.integers(0, 2),
)
def test_any_records_of_both_sides_give_the_same(
    said: list[tuple[int, bytes]], size: int, closed: bool, begun: int
) -> None:
    wire = Wire()
    begin = [(CLIENT, hello()), (SERVER, answer())][:begun]
    frames = wire.opening() + wire.talk(*begin, *said, size=max(size, 40)) + (wire.closing() if closed else [])
    walked, deframed, _ = both(lambda: io.BytesIO(file(frames)))
    assert walked == deframed
