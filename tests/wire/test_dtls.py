"""DTLS: laws of its grammars, and the Deframer under loss, repetition, reordering and lies. Bytes are made by hand."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise, permutations
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.errors import WireError
from tlswire.hello.builder import client_hello
from tlswire.wire.dtls import (
    BAD_VERSION,
    CLIENT_HELLO_BODY,
    DTLS10,
    DTLS12,
    DTLS13,
    FRAGMENT,
    HELLO_VERIFY_REQUEST_BODY,
    MAX_MESSAGE,
    MAX_OPEN,
    MAX_RUNS,
    RECORD,
    DtlsDeframer,
    DTLSRecord,
    HandshakeFragment,
    HelloVerifyRequest,
    begun_hello,
    encode_dtls_client_hello,
    fragment_dtls,
    looks_like_dtls,
    parse_dtls_client_hello,
    tls_equivalent,
)
from tlswire.wire.handshake import parse_client_hello
from tlswire.wire.primitives import build, parse
from tlswire.wire.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, MAX_CIPHERTEXT, Message

from .dtls_made import bodies, datagram, feed, piece, record, whole
from .laws import check

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello
    from tlswire.wire.primitives import Grammar

LAWS = settings(max_examples=60, deadline=None, database=None, derandomize=True)
BODY = bytes(range(250)) * 4


@pytest.mark.parametrize("grammar", [RECORD, FRAGMENT, HELLO_VERIFY_REQUEST_BODY])
@LAWS
@given(data=st.data())
def test_laws_of_records_fragments_and_verify_requests(grammar: Grammar, data: st.DataObject) -> None:
    check(grammar, data, open_end=False)


@LAWS
@given(data=st.data())
def test_laws_of_the_client_hello_with_its_cookie(data: st.DataObject) -> None:
    check(CLIENT_HELLO_BODY, data, open_end=True)


def test_records_fragments_and_verify_requests_stand_on_the_wire_as_the_rfc_lays_them_out() -> None:
    # RFC 6347 sections 4.1 and 4.2.2.
    data = bytes.fromhex("16 fefd 0001 000000000a0b 000f" + "01 000010 0002 000004 000003 616263")
    value = parse(RECORD, data)
    assert value == DTLSRecord(22, 0xFEFD, 1, bytes.fromhex("000000000a0b"), data[13:])
    assert parse(FRAGMENT, value.fragment) == HandshakeFragment(1, 16, 2, 4, b"abc")
    assert record(22, data[13:], epoch=1, sequence=0x0A0B) == data
    assert piece(1, 2, 16, 4, b"abc") == data[13:]
    assert build(HELLO_VERIFY_REQUEST_BODY, HelloVerifyRequest(0xFEFF, b"abc")) == bytes.fromhex("feff03616263")


def hello(seed: int = 1) -> ClientHello:
    made = client_hello(0x0303, (0xC02B, 0xC02F), rng=Random(seed))
    return msgspec.structs.replace(made, legacy_version=DTLS12)


def test_cookie_stands_between_session_id_and_suites() -> None:
    value = hello()
    body = encode_dtls_client_hello(value, b"cookie")
    assert body[:35] == b"\xfe\xfd" + value.random + b"\0"
    assert body[35:42] == b"\x06cookie"
    assert parse_dtls_client_hello(body) == (value, b"cookie")
    assert parse_client_hello(body[:35] + body[42:]) == value


def test_faults_of_a_hello_count_from_the_offset_that_is_given() -> None:
    with pytest.raises(WireError) as caught:
        parse_dtls_client_hello(encode_dtls_client_hello(hello())[:-1], 1000)
    assert caught.value.path.startswith("client_hello")
    assert caught.value.offset is not None
    assert caught.value.offset > 1000


def test_hello_that_does_not_fit_cannot_be_encoded() -> None:
    with pytest.raises(WireError):
        encode_dtls_client_hello(hello(), bytes(256))


@pytest.mark.parametrize(
    ("dtls", "tls"), [(DTLS10, 0x0302), (DTLS12, 0x0303), (DTLS13, 0x0304), (BAD_VERSION, 0x0302), (0x1234, 0x1234)]
)
def test_each_version_has_the_messages_of_a_tls_version(dtls: int, tls: int) -> None:
    assert tls_equivalent(dtls) == tls


@pytest.mark.parametrize("version", [DTLS10, DTLS12, DTLS13, BAD_VERSION])
@pytest.mark.parametrize("size", [1, 7, 100, 999, 1000, 4000])
def test_what_is_fragmented_is_put_together_again(size: int, version: int) -> None:
    deframer = DtlsDeframer()
    found = feed(deframer, *fragment_dtls(1, BODY, 5, size, version))
    assert found == [Message(HANDSHAKE, version, 1, BODY, 5)]
    assert deframer.error is None
    assert deframer.version == version
    assert deframer.pending() == []


def test_records_of_a_flight_are_numbered_without_repetition() -> None:
    flight = fragment_dtls(1, BODY, 0, 1) + fragment_dtls(1, BODY, 1, 1)
    numbers = [parse(RECORD, data).sequence for data in flight]
    assert numbers == sorted(set(numbers))


def test_message_of_no_bytes_is_one_fragment() -> None:
    (data,) = fragment_dtls(14, b"", 3, 100)
    assert data[13:] == whole(14, 3, b"")[13:]
    assert bodies(DtlsDeframer().feed(data)) == [(14, 3, b"")]


def test_fragments_may_come_in_any_order() -> None:
    pieces = [datagram(1, 0, len(BODY), at, BODY[at : at + 200]) for at in range(0, len(BODY), 200)]
    for order in permutations(pieces):
        deframer = DtlsDeframer()
        assert feed(deframer, *order[:-1]) == []
        assert bodies(feed(deframer, order[-1])) == [(1, 0, BODY)]


@LAWS
@given(st.data())
def test_any_overlapping_repeated_fragments_that_cover_a_message_make_it(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 60))
    body = BODY[:length]
    spans = st.tuples(st.integers(0, length), st.integers(0, length)).map(sorted)
    pieces = [datagram(2, 7, length, at, body[at:end]) for at, end in data.draw(st.lists(spans, max_size=12))]
    covering = data.draw(st.lists(st.integers(0, length), max_size=4).map(lambda cuts: sorted({0, *cuts, length})))
    pieces += [datagram(2, 7, length, at, body[at:end]) for at, end in pairwise(covering)]
    deframer = DtlsDeframer()
    found = feed(deframer, *data.draw(st.permutations(pieces)))
    assert bodies(found) == [(2, 7, body)]
    assert deframer.pending() == []
    assert deframer.error is None


def test_first_copy_of_a_byte_counts() -> None:
    deframer = DtlsDeframer()
    feed(deframer, datagram(1, 0, 10, 3, b"ddd"))
    feed(deframer, datagram(1, 0, 10, 0, b"xxxxxxxx"))
    assert bodies(feed(deframer, datagram(1, 0, 10, 2, b"yyyyyyyy"))) == [(1, 0, b"xxxdddxxyy")]


def test_messages_may_be_interleaved() -> None:
    deframer = DtlsDeframer()
    order = [(2, 0), (11, 1), (12, 2)]
    for kind, number in order:
        assert feed(deframer, datagram(kind, number, 6, 0, b"abc")) == []
    found = feed(deframer, *(datagram(kind, number, 6, 3, b"def") for kind, number in reversed(order)))
    assert bodies(found) == [(kind, number, b"abcdef") for kind, number in reversed(order)]


def test_several_fragments_and_records_share_a_datagram() -> None:
    flight = piece(2, 1, 3, 0, b"abc") + piece(11, 2, 4, 0, b"de") + piece(11, 2, 4, 2, b"fg")
    data = record(HANDSHAKE, flight) + record(CHANGE_CIPHER_SPEC, b"\x01") + record(HANDSHAKE, b"sealed", epoch=1)
    assert [(item.content, item.type, item.body) for item in DtlsDeframer().feed(data)] == [
        (HANDSHAKE, 2, b"abc"),
        (HANDSHAKE, 11, b"defg"),
        (CHANGE_CIPHER_SPEC, 0, b"\x01"),
        (APPLICATION_DATA, 0, b"sealed"),
    ]


def test_retransmission_is_handed_out_once() -> None:
    deframer = DtlsDeframer()
    pieces = [datagram(1, 0, len(BODY), at, BODY[at : at + 300]) for at in range(0, len(BODY), 300)]
    assert len(feed(deframer, *pieces, *pieces, whole(1, 0, BODY))) == 1
    assert bodies(feed(deframer, whole(1, 1, BODY), whole(1, 0, BODY[:-1]))) == [(1, 1, BODY), (1, 0, BODY[:-1])]


def test_retransmission_of_which_a_part_came_is_not_pending() -> None:
    deframer = DtlsDeframer()
    feed(deframer, whole(1, 0, BODY), datagram(1, 0, len(BODY), 0, BODY[:400]))
    assert deframer.pending() == []
    other = bytes(reversed(BODY))
    feed(deframer, datagram(1, 0, len(BODY) + 1, 0, other[:400]))
    assert deframer.pending() == [(1, len(BODY) + 1, other[:400])]


def test_pending_is_what_came_before_the_first_hole() -> None:
    deframer = DtlsDeframer()
    feed(deframer, datagram(1, 0, 100, 50, bytes(10)))
    assert deframer.pending() == [(1, 100, b"")]
    feed(deframer, datagram(1, 0, 100, 0, b"abc"), datagram(1, 0, 100, 3, b"def"))
    assert deframer.pending() == [(1, 100, b"abcdef")]


@pytest.mark.parametrize(
    ("lie", "path"),
    [
        (piece(1, 0, 10, 0, b"abcde", size=6), "handshake.fragment_length"),  # more than there is
        (piece(1, 0, 10, 6, b"abcde"), "handshake.fragment_length"),  # beyond the end of the message
        (piece(1, 0, 4, 0, b"abcde"), "handshake.fragment_length"),
        (piece(1, 0, MAX_MESSAGE + 1, 0, b"abcde"), "handshake.length"),
        (b"\x01\0\0", "handshake"),
    ],
)
def test_fragment_that_lies_about_its_length_is_dropped_and_the_next_is_read(lie: bytes, path: str) -> None:
    deframer = DtlsDeframer()
    feed(deframer, datagram(1, 0, 10, 0, b"01234"))
    assert feed(deframer, record(HANDSHAKE, lie)) == []
    assert deframer.error is not None
    assert deframer.error.path == path
    assert bodies(feed(deframer, datagram(1, 0, 10, 5, b"56789"))) == [(1, 0, b"0123456789")]


def test_fragment_of_another_length_spoils_no_message() -> None:
    deframer = DtlsDeframer()
    feed(deframer, datagram(1, 0, 10, 0, b"01234"), datagram(1, 0, 11, 0, b"lies"), datagram(2, 0, 10, 0, b"lies"))
    assert bodies(feed(deframer, datagram(1, 0, 10, 5, b"56789"))) == [(1, 0, b"0123456789")]
    assert deframer.pending() == []


@pytest.mark.parametrize(
    ("data", "path", "offset"),
    [
        (b"\x80" + bytes(30), "record.type", 0),
        (b"\x00\x01" + bytes(30), "record.type", 0),
        (record(HANDSHAKE, BODY)[:12], "record.type", 0),
        (record(HANDSHAKE, BODY)[:-1], "record.length", 11),
        (record(APPLICATION_DATA, bytes(MAX_CIPHERTEXT + 1), epoch=1), "record.length", 11),
        (record(HANDSHAKE, BODY, version=0x0303), "record.version", 1),
    ],
)
def test_what_is_no_record_is_an_error_that_does_not_last(data: bytes, path: str, offset: int) -> None:
    deframer = DtlsDeframer()
    assert deframer.feed(data) == []
    assert deframer.error is not None
    assert (deframer.error.path, deframer.error.offset) == (path, offset)
    assert bodies(deframer.feed(whole(1, 0, BODY))) == [(1, 0, BODY)]


def test_record_before_a_bad_one_counts() -> None:
    deframer = DtlsDeframer()
    assert bodies(deframer.feed(whole(1, 0, BODY) + b"\x99" * 20)) == [(1, 0, BODY)]
    assert deframer.error is not None
    assert deframer.error.offset == len(whole(1, 0, BODY))


def test_alert_in_clear_and_one_that_is_sealed() -> None:
    deframer = DtlsDeframer()
    found = feed(deframer, record(ALERT, b"\x02\x28"), record(ALERT, b"\x02\x28 with a MAC", epoch=1))
    assert [(item.content, item.body) for item in found] == [
        (ALERT, b"\x02\x28"),
        (APPLICATION_DATA, b"\x02\x28 with a MAC"),
    ]


@pytest.mark.parametrize("content", [26, 24, APPLICATION_DATA])
def test_nothing_else_in_clear_is_taken_for_encrypted(content: int) -> None:
    # RFC 9147 section 7: an ACK of hellos is in clear.
    data = record(content, bytes(18)) + whole(1, 0, BODY)
    assert bodies(DtlsDeframer().feed(data)) == [(1, 0, BODY)]


@pytest.mark.parametrize("first", [0x20, 0x2D, 0x3F])
def test_unified_header_is_encrypted_up_to_the_end_of_its_datagram(first: int) -> None:
    # RFC 9147 section 4: 001CSLEE.
    deframer = DtlsDeframer()
    found = deframer.feed(whole(2, 0, b"server hello") + bytes([first]) + bytes(40))
    assert [(item.content, item.version) for item in found] == [(HANDSHAKE, DTLS12), (APPLICATION_DATA, DTLS13)]
    assert deframer.error is None


def test_connection_id_is_encrypted_whatever_its_size() -> None:
    # RFC 9146 section 4: the id stands between sequence number and length.
    for size in (0, 1, 8, 255):
        data = bytes.fromhex("19 fefd 0001 000000000001") + b"\xff" * size + b"\0\x10" + bytes(16)
        deframer = DtlsDeframer()
        assert [item.content for item in deframer.feed(data)] == [APPLICATION_DATA]
        assert deframer.error is None


@pytest.mark.parametrize("cut", [1, 100, 500, len(BODY) - 1, len(BODY)])
def test_datagram_cut_by_the_capture_keeps_its_beginning(cut: int) -> None:
    deframer = DtlsDeframer()
    assert deframer.feed(whole(1, 0, BODY)[:-cut], cut) == []
    assert deframer.error is None
    assert deframer.pending() == [(1, len(BODY), BODY[:-cut])]
    assert bodies(feed(deframer, datagram(1, 0, len(BODY), len(BODY) - cut, BODY[-cut:]))) == [(1, 0, BODY)]


def test_every_cut_of_a_flight_gives_what_is_whole_in_it_and_no_error() -> None:
    flight = (
        record(HANDSHAKE, piece(2, 0, 40, 0, BODY[:40]) + piece(11, 1, 60, 0, BODY[:60]))
        + record(CHANGE_CIPHER_SPEC, b"\x01")
        + record(ALERT, b"\x01\x5a")
        + record(HANDSHAKE, bytes(20), epoch=1)
    )
    complete = DtlsDeframer().feed(flight)
    for size in range(1, len(flight)):
        deframer = DtlsDeframer()
        found = deframer.feed(flight[:size], len(flight) - size)
        whole_ones = [item for item in found if item.content != APPLICATION_DATA]
        assert whole_ones == complete[: len(whole_ones)]
        # Only a record header of which not even all came cannot be told from noise.
        assert deframer.error is None or deframer.error.path == "record.type"


def test_cut_that_is_shorter_than_the_lie_is_an_error() -> None:
    deframer = DtlsDeframer()
    deframer.feed(whole(1, 0, BODY)[:-10], 9)
    assert deframer.error is not None
    assert deframer.error.path == "record.length"
    assert deframer.pending() == []


@LAWS
@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(0, 40))
def test_random_datagrams_never_raise(datagrams: list[bytes], missing: int) -> None:
    deframer = DtlsDeframer()
    for data in datagrams:
        deframer.feed(data, missing)
        looks_like_dtls(data, 0, len(data), missing)
        begun_hello(data, 0, len(data), missing)
    deframer.pending()


@LAWS
@given(st.data())
def test_flipped_bytes_of_a_flight_never_raise(data: st.DataObject) -> None:
    flight = bytearray(
        record(HANDSHAKE, piece(2, 0, 9, 0, BODY[:4]) + piece(2, 0, 9, 4, BODY[4:9])) + whole(14, 1, b"")
    )
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(flight) - 1), st.integers(0, 255)), max_size=4)):
        flight[at] = value
    deframer = DtlsDeframer()
    assert sum(len(item.body) for item in deframer.feed(bytes(flight))) <= len(flight)
    deframer.pending()


def test_open_messages_are_bounded_and_the_oldest_goes() -> None:
    deframer = DtlsDeframer()
    for number in range(MAX_OPEN + 1):
        feed(deframer, datagram(11, number, 10, 0, b"abc"))
    assert len(deframer.pending()) == MAX_OPEN
    assert feed(deframer, datagram(11, 0, 10, 3, b"defghij")) == []
    assert bodies(feed(deframer, datagram(11, MAX_OPEN, 10, 3, b"defghij"))) == [(11, MAX_OPEN, b"abcdefghij")]


def test_fragments_apart_from_one_another_are_bounded() -> None:
    deframer = DtlsDeframer()
    length = 4 * MAX_RUNS
    feed(deframer, *(datagram(11, 0, length, at, b"x") for at in range(0, length, 2)))
    feed(deframer, *(datagram(11, 0, length, at, b"y") for at in range(1, length, 2)))
    ((_, _, begun),) = deframer.pending()
    assert begun == b"xy" * MAX_RUNS
    assert bodies(feed(deframer, datagram(11, 0, length, 0, b"z" * length))) == [(11, 0, b"z" * length)]


def test_small_fragments_of_large_messages_take_little_memory() -> None:
    lies = [datagram(11, number, MAX_MESSAGE, MAX_MESSAGE - 1, b"x") for number in range(MAX_OPEN)]
    tracemalloc.start()
    deframers = [DtlsDeframer() for _ in range(50)]
    for deframer in deframers:
        feed(deframer, *lies)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 50 * MAX_OPEN * 1024


def test_largest_message_in_fragments_of_one_byte_is_no_hard_work() -> None:
    # 131072 fragments, many a record: quadratic work would not end in the time a test has.
    body = bytes(MAX_MESSAGE)
    deframer = DtlsDeframer()
    step = MAX_CIPHERTEXT // 13
    found = []
    for begin in range(0, MAX_MESSAGE, step):
        last = min(begin + step, MAX_MESSAGE)
        found += deframer.feed(
            record(HANDSHAKE, b"".join(piece(11, 0, MAX_MESSAGE, at, b"\0") for at in range(begin, last)))
        )
    assert [len(item.body) for item in found] == [len(body)]


def test_what_was_handed_out_is_remembered_within_bounds() -> None:
    deframer = DtlsDeframer()
    for number in range(300):
        assert len(feed(deframer, whole(1, number, b"abc"))) == 1
    assert feed(deframer, whole(1, 299, b"abc")) == []
    assert len(feed(deframer, whole(1, 0, b"abc"))) == 1


HELLO = encode_dtls_client_hello(hello())
FIRST = whole(1, 0, HELLO)


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (FIRST, True),
        (record(HANDSHAKE, piece(1, 0, len(HELLO), 0, HELLO), version=DTLS10), True),
        (record(HANDSHAKE, piece(1, 0, len(HELLO), 0, HELLO), version=BAD_VERSION), True),
        (datagram(1, 0, len(HELLO), 50, HELLO[50:]), True),
        (whole(3, 0, bytes.fromhex("feff 03 616263")), True),
        (whole(2, 1, BODY), True),
        (whole(20, 1, BODY), False),
        (record(HANDSHAKE, piece(1, 0, len(HELLO), 0, HELLO), version=0x0303), False),
        (record(HANDSHAKE, piece(1, 0, len(HELLO), 0, HELLO), version=0xFE00), False),
        (record(HANDSHAKE, piece(1, 0, len(HELLO), 0, HELLO), epoch=1), False),
        (record(APPLICATION_DATA, piece(1, 0, len(HELLO), 0, HELLO)), False),
        (record(HANDSHAKE, piece(1, 0, 10, 0, HELLO)), False),
        (record(HANDSHAKE, piece(1, 0, 500, 0, HELLO, size=400)), False),
        (FIRST[:-1], False),
        (FIRST[:24], False),
        (b"", False),
    ],
)
def test_what_looks_like_dtls(data: bytes, looks: bool) -> None:
    assert looks_like_dtls(b"__" + data + b"__", 2, 2 + len(data)) is looks


def test_cut_datagram_looks_like_dtls_as_long_as_its_handshake_header_is_there() -> None:
    for size in range(len(FIRST)):
        assert looks_like_dtls(FIRST, 0, size, len(FIRST) - size) is (size >= 25)
        assert not looks_like_dtls(FIRST, 0, size, len(FIRST) - size - 1)


def test_begun_hello_tells_message_seq_and_random() -> None:
    random = hello().random
    assert begun_hello(b"__" + FIRST, 2, 2 + len(FIRST)) == (0, random)
    assert begun_hello(whole(1, 7, HELLO), 0, len(FIRST)) == (7, random)
    assert begun_hello(datagram(1, 0, len(HELLO), 0, HELLO[:10]), 0, 35) == (0, random[:8])
    assert begun_hello(FIRST, 0, 40, len(FIRST) - 40) == (0, random[:13])
    assert begun_hello(datagram(1, 0, len(HELLO), 0, HELLO[:1]), 0, 26) == (0, b"")
    assert begun_hello(datagram(1, 0, len(HELLO), 9, HELLO[9:]), 0, len(FIRST) - 9) is None
    assert begun_hello(whole(2, 0, HELLO), 0, len(FIRST)) is None
