from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlswire.probe.exchange import MAX_ANSWER, MAX_WARNINGS, Answer, HelloReader
from tlswire.probe.transport import Outcome
from tlswire.wire.handshake import SERVER_HELLO_BODY, encode_handshake
from tlswire.wire.messages import HRR_RANDOM, ServerHello
from tlswire.wire.primitives import build
from tlswire.wire.records import ALERT, APPLICATION_DATA, HANDSHAKE, fragment, sslv2_record


def server_hello(random: bytes = bytes(32), version: int = 0x0303) -> bytes:
    body = build(SERVER_HELLO_BODY, ServerHello(version, random, b"", 0xC02F, 0, None))
    return fragment(HANDSHAKE, version, encode_handshake(2, body))


def alert(description: int, level: int = 2) -> bytes:
    return fragment(ALERT, 0x0303, bytes([level, description]))


def read(*pieces: bytes, end: str = "close", whole: bool = False) -> Answer:
    reader = HelloReader(whole_flight=whole)
    for piece in pieces:
        if reader.feed(piece):
            end = "done"
            break
    return reader.answer(b"hello", Outcome(end, 0.0, 0.0, 0.1))


NO_KINDS = sslv2_record(b"\x04\x00\x01\x00\x02" + struct.pack(">HHH", 0, 0, 4) + b"abcd")
ONE_KIND = sslv2_record(b"\x04\x00\x01\x00\x02" + struct.pack(">HHH", 0, 3, 4) + b"\x01\x00\x80abcd")


@pytest.mark.parametrize(
    ("data", "kind", "accepts"),
    [
        (server_hello(), "hello", True),
        (server_hello(HRR_RANDOM), "retry", True),
        (alert(40), "alert", False),
        (alert(0, 1), "alert", False),
        (alert(112, 1) + server_hello(), "hello", True),
        (alert(112, 1), "close", False),
        (alert(90, 1) * (MAX_WARNINGS + 1), "fault", False),
        (fragment(HANDSHAKE, 0x0303, encode_handshake(0, b"")) + server_hello(), "hello", True),
        (fragment(HANDSHAKE, 0x0303, encode_handshake(11, b"")), "fault", False),
        (fragment(APPLICATION_DATA, 0x0303, b"x"), "fault", False),
        (fragment(HANDSHAKE, 0x0303, encode_handshake(2, b"short")), "fault", False),
        (fragment(HANDSHAKE, 0x0303, b"\x02\xff\xff\xff"), "fault", False),
        (b"\x16\x03\x03\x00\x00", "fault", False),
        (b"\x16\x03\x03\xff\xff", "fault", False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not-tls", False),
        (b"220 mail.example ESMTP\r\n", "not-tls", False),
        (b"", "close", False),
        (server_hello()[:20], "close", False),
        (ONE_KIND, "hello", True),
        (NO_KINDS, "hello", False),
        (sslv2_record(b"\x00\x00\x01"), "alert", False),
        (sslv2_record(b"\x07"), "fault", False),
    ],
)
def test_kinds_of_answers(data: bytes, kind: str, accepts: bool) -> None:
    answer = read(data)
    assert (answer.kind, answer.accepts) == (kind, accepts)
    assert read(*(data[at : at + 1] for at in range(len(data)))).kind == kind


def test_an_answer_that_breaks_off_is_no_silence() -> None:
    assert read(b"", end="timeout").kind == "timeout"
    stalled = read(server_hello()[:9], end="timeout")
    assert stalled.kind == "stalled"
    assert stalled.reason == "9 bytes came, no complete message"


def test_reasons_are_printable() -> None:
    assert read(b"HTTP/1.1 \x1b[31m\r\n").reason.isprintable()


def test_the_whole_flight_goes_on_to_server_hello_done() -> None:
    rest = fragment(HANDSHAKE, 0x0303, encode_handshake(11, b"\0\0\0") + encode_handshake(14, b""))
    answer = read(server_hello() + rest, whole=True)
    assert [message.type for message in answer.messages] == [2, 11, 14]
    assert [message.type for message in read(server_hello() + rest).messages] == [2]


def test_endless_data_is_bounded() -> None:
    reader = HelloReader(whole_flight=True)
    block = fragment(APPLICATION_DATA, 0x0303, bytes(16000))
    fed = 0
    reader.feed(server_hello())
    while not reader.feed(block):
        fed += len(block)
        assert fed <= MAX_ANSWER + 2 * len(block)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_random_bytes_give_an_answer(data: bytes, cut: int) -> None:
    whole, split = read(data), read(data[:cut], data[cut:])
    assert whole.kind == split.kind
    assert whole.reason.isprintable()
