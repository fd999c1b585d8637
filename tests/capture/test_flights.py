"""A usual handshake read at once, against the same read segment by segment: nothing may tell them apart."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from captures.packets import Packet, pcap
from tlswire.capture import tls
from tlswire.capture.flights import read_whole
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


def both(source: Any) -> tuple[list[Found], list[Found], int]:
    """What is read at once where it can be, what is read segment by segment, and how often the first was the case."""
    times = 0

    def counted(sides: Any) -> Any:
        nonlocal times
        builder = read_whole(sides)
        times += builder is not None
        return builder

    with patch.object(tls, "read_whole", counted), open_reading(source()) as reading:
        whole = list(reading)
    with patch.object(tls, "read_whole", lambda _: None), open_reading(source()) as reading:
        pieces = list(reading)
    return whole, pieces, times


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_every_capture_gives_the_same_in_the_same_order(path: Path) -> None:
    whole, pieces, _ = both(lambda: path)
    assert whole == pieces


def test_usual_handshakes_are_read_at_once() -> None:
    wire = Wire()
    first = hello()
    turns = [(CLIENT, first), (SERVER, answer(first)), (CLIENT, KEY_EXCHANGE + CHANGE + FINISHED)]
    frames = wire.opening() + wire.talk(*turns, (SERVER, CHANGE + FINISHED))
    for told in (frames, frames[:-1], frames[:4]):
        whole, pieces, times = both(lambda told=told: io.BytesIO(file(told)))
        assert (len(whole), times) == (1, 1)
        assert whole == pieces


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
    whole, pieces, _ = both(lambda: io.BytesIO(file(frames)))
    assert whole == pieces
