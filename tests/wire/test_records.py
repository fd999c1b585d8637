"""Record framing and the Deframer: any split of a stream gives the same messages, and every bound holds."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.errors import WireError
from tlswire.wire.handshake import encode_handshake
from tlswire.wire.primitives import build, parse
from tlswire.wire.records import (
    ALERT,
    ALERT_BODY,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    MAX_CIPHERTEXT,
    MAX_EMPTY_RECORDS,
    RECORD,
    SSLV2,
    Alert,
    Deframer,
    Message,
    TLSRecord,
    fragment,
    sslv2_record,
)

from .laws import check

LAWS = settings(max_examples=60, deadline=None, database=None, derandomize=True)
CCS = fragment(CHANGE_CIPHER_SPEC, 0x0303, b"\x01")
HELLO = encode_handshake(1, b"\x03\x03" + bytes(40))


def feed_in_pieces(data: bytes, cuts: list[int]) -> tuple[list[Message], Deframer]:
    deframer = Deframer()
    found: list[Message] = []
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        found += deframer.feed(data[start:end])
    return found, deframer


def messages(data: bytes) -> list[Message]:
    return feed_in_pieces(data, [])[0]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int, bytes]]]:
    """A stream of records and the (content, type, body) it holds."""
    stream = b""
    expected: list[tuple[int, int, bytes]] = []
    for content in draw(st.lists(st.sampled_from([HANDSHAKE, ALERT, APPLICATION_DATA, SSLV2]), max_size=4)):
        if content == HANDSHAKE:
            flight = draw(st.lists(st.tuples(st.integers(0, 25), st.binary(max_size=40)), min_size=1, max_size=3))
            whole = b"".join(encode_handshake(kind, body) for kind, body in flight)
            stream += fragment(HANDSHAKE, 0x0303, whole, draw(st.integers(1, 50)))
            expected += [(HANDSHAKE, kind, body) for kind, body in flight]
        elif content == ALERT:
            body = draw(st.binary(min_size=2, max_size=2))
            stream += fragment(ALERT, 0x0303, body, draw(st.integers(1, 2)))
            expected.append((ALERT, 0, body))
        else:
            body = draw(st.binary(min_size=2, max_size=40))
            stream += sslv2_record(body) if content == SSLV2 else fragment(content, 0x0303, body)
            expected.append((SSLV2, body[0], body[1:]) if content == SSLV2 else (content, 0, body))
    return stream, expected


@LAWS
@given(streams(), st.data())
def test_any_split_gives_the_same_messages(
    case: tuple[bytes, list[tuple[int, int, bytes]]], data: st.DataObject
) -> None:
    stream, expected = case
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    found, deframer = feed_in_pieces(stream, cuts)
    assert deframer.error is None
    assert deframer.pending == 0
    assert [(message.content, message.type, message.body) for message in found] == expected
    assert found == messages(stream)
    assert [message.offset for message in found] == sorted(message.offset for message in found)


@LAWS
@given(st.binary(max_size=80), st.data())
def test_any_split_of_any_bytes_gives_the_same_outcome(stream: bytes, data: st.DataObject) -> None:
    found, deframer = feed_in_pieces(stream, data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    whole, at_once = feed_in_pieces(stream, [])
    assert found == whole
    assert deframer.pending == at_once.pending
    assert str(deframer.error) == str(at_once.error)
    if deframer.error is not None:
        assert deframer.error.offset is not None
        assert 0 <= deframer.error.offset <= len(stream)


@LAWS
@given(st.data())
def test_laws_of_the_record_and_alert_grammars(data: st.DataObject) -> None:
    check(RECORD, data, open_end=False)
    check(ALERT_BODY, data, open_end=False)


def test_offsets_are_those_of_the_first_byte() -> None:
    first, second = encode_handshake(2, b"abcd"), encode_handshake(11, b"efghij")
    stream = fragment(HANDSHAKE, 0x0301, first + second, 10) + fragment(ALERT, 0x0301, b"\x02\x28")
    assert messages(stream) == [
        Message(HANDSHAKE, 0x0301, 2, b"abcd", 5),
        Message(HANDSHAKE, 0x0301, 11, b"efghij", 13),
        Message(ALERT, 0x0301, 0, b"\x02\x28", 5 + 10 + 5 + 8 + 5),
    ]
    assert stream[13] == 11


def test_byte_by_byte() -> None:
    stream = fragment(HANDSHAKE, 0x0301, HELLO, 7)
    found, deframer = feed_in_pieces(stream, list(range(len(stream))))
    assert [message.body for message in found] == [HELLO[4:]]
    assert deframer.records == -(-len(HELLO) // 7)


def test_alert_split_over_records() -> None:
    stream = fragment(ALERT, 0x0303, b"\x02\x28", 1)
    assert messages(stream) == [Message(ALERT, 0x0303, 0, b"\x02\x28", 5)]


def test_pending_counts_what_is_held_back() -> None:
    deframer = Deframer()
    deframer.feed(fragment(HANDSHAKE, 0x0303, HELLO[:10]) + b"\x16\x03")
    assert deframer.pending == 12
    assert deframer.error is None


# Streams a peer must not send: bytes, path and offset of the error, how many messages came before it.
FAULTS: dict[str, tuple[bytes, str, int, int]] = {
    "empty handshake record": (fragment(HANDSHAKE, 0x0303, b""), "record.length", 3, 0),
    "empty alert record": (CCS + fragment(ALERT, 0x0303, b""), "record.length", 9, 1),
    "empty SSLv2 record": (b"\x80\x00", "record.length", 0, 0),
    "endless empty data": (
        fragment(APPLICATION_DATA, 0x0303, b"") * (MAX_EMPTY_RECORDS + 1),
        "record.length",
        5 * MAX_EMPTY_RECORDS + 3,
        0,
    ),
    "oversized record": (b"\x16\x03\x03" + (MAX_CIPHERTEXT + 1).to_bytes(2, "big"), "record.length", 3, 0),
    "not TLS": (b"HTTP/1.1 400", "record.type", 0, 0),
    "not TLS any more": (CCS + b"\r\n", "record.type", 6, 1),
    "oversized message": (fragment(HANDSHAKE, 0x0303, b"\x0b\xff\xff\xff"), "handshake.length", 6, 0),
    "interleaved": (fragment(HANDSHAKE, 0x0303, HELLO[:9]) + CCS, "record.type", 19, 0),
    "interleaved alert": (
        fragment(HANDSHAKE, 0x0303, HELLO[:9]) + fragment(ALERT, 0x0303, b"\x02\x28"),
        "record.type",
        19,
        0,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_of_the_peer_is_kept_not_raised(name: str) -> None:
    stream, path, offset, count = FAULTS[name]
    deframer = Deframer()
    found = deframer.feed(stream)
    assert len(found) == count
    assert isinstance(deframer.error, WireError)
    assert (deframer.error.path, deframer.error.offset) == (path, offset)
    assert deframer.feed(fragment(HANDSHAKE, 0x0303, HELLO)) == []
    assert deframer.pending == 0


def test_empty_application_data_is_allowed() -> None:
    stream = fragment(APPLICATION_DATA, 0x0303, b"") * MAX_EMPTY_RECORDS + fragment(APPLICATION_DATA, 0x0303, b"x")
    assert [message.body for message in messages(stream)] == [b"x"]


def test_largest_record_is_allowed() -> None:
    stream = fragment(APPLICATION_DATA, 0x0303, bytes(MAX_CIPHERTEXT), MAX_CIPHERTEXT)
    assert [len(message.body) for message in messages(stream)] == [MAX_CIPHERTEXT]


def test_bound_on_messages_is_the_callers() -> None:
    deframer = Deframer(max_message=10)
    assert deframer.feed(fragment(HANDSHAKE, 0x0303, encode_handshake(1, bytes(10)))) != []
    deframer.feed(fragment(HANDSHAKE, 0x0303, encode_handshake(1, bytes(11))))
    assert deframer.error is not None
    assert "bound of 10" in str(deframer.error)


def test_sslv2_record() -> None:
    assert messages(sslv2_record(b"\x04abc")) == [Message(SSLV2, 0x0002, 4, b"abc", 2)]
    with pytest.raises(WireError):
        sslv2_record(bytes(0x8000))


def test_protected_records_come_out_whole() -> None:
    secret = bytes.fromhex("0000000000000001a1b2c3d4")
    stream = CCS + fragment(HANDSHAKE, 0x0303, secret) + fragment(ALERT, 0x0303, secret)
    assert [(message.content, message.type, message.body) for message in messages(stream)] == [
        (CHANGE_CIPHER_SPEC, 0, b"\x01"),
        (HANDSHAKE, 0, secret),
        (ALERT, 0, secret),
    ]


@pytest.mark.parametrize("size", [6, 20, 1000])
def test_hello_after_change_cipher_spec_is_in_clear(size: int) -> None:
    # RFC 9846 appendix E.4: a client sends ChangeCipherSpec before its second ClientHello, in any fragments.
    found = messages(CCS + fragment(HANDSHAKE, 0x0303, HELLO, size) + fragment(HANDSHAKE, 0x0303, b"\x99" * 30))
    assert [(message.type, message.body) for message in found] == [(0, b"\x01"), (1, HELLO[4:]), (0, b"\x99" * 30)]


def test_version_of_the_last_fragment_counts() -> None:
    stream = fragment(HANDSHAKE, 0x0301, HELLO[:9]) + fragment(HANDSHAKE, 0x0303, HELLO[9:])
    assert [message.version for message in messages(stream)] == [0x0303]


def test_fragment_of_nothing_is_one_empty_record() -> None:
    assert fragment(APPLICATION_DATA, 0x0303, b"") == bytes.fromhex("1703030000")


def test_record_grammar_reads_what_fragment_writes() -> None:
    data = fragment(HANDSHAKE, 0x0301, HELLO)
    assert parse(RECORD, data) == TLSRecord(HANDSHAKE, 0x0301, HELLO)
    assert build(RECORD, TLSRecord(HANDSHAKE, 0x0301, HELLO)) == data


def test_alert_says_what_it_means() -> None:
    assert parse(ALERT_BODY, b"\x02\x28") == Alert(2, 40)
    assert Alert(2, 40).name == "handshake_failure"
    assert (Alert(2, 40).fatal, Alert(1, 90).fatal, Alert(1, 0).fatal) == (True, False, True)
