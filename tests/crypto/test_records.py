"""A direction decrypted as it goes: any split gives the same messages, keys change between two of them, bounds hold."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.crypto.protection import Protection, protection13, protections12
from tlswire.crypto.records import MAX_CHANGE_CIPHER_SPECS, RecordStream
from tlswire.errors import WireError
from tlswire.wire.handshake import encode_handshake
from tlswire.wire.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    MAX_CIPHERTEXT,
    MAX_EMPTY_RECORDS,
    Deframer,
    Message,
    fragment,
    sslv2_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LAWS = settings(max_examples=80, deadline=None, database=None, derandomize=True)
CCS = fragment(CHANGE_CIPHER_SPEC, 0x0303, b"\x01")
HELLO, FINISHED = encode_handshake(2, b"\3\3" + bytes(40)), encode_handshake(20, bytes(32))


def tls13(secret: int = 1) -> Protection:
    return protection13(0x1301, bytes((secret,)) * 32)


def tls12(suite: int = 0x002F, version: int = 0x0301) -> Protection:
    return protections12(version, suite, bytes(48), bytes(32), bytes(32), rng=Random(1))[0]


def read(
    data: bytes,
    keys: dict[int, Protection],
    cuts: tuple[int, ...] = (),
    *,
    max_message: int = 1 << 18,
    forgive: int = 0,
) -> tuple[list[Message], RecordStream]:
    """Everything in ``data``; ``keys`` are taken up after so many messages."""
    stream = RecordStream(max_message=max_message, forgive=forgive)
    found: list[Message] = []
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        for message in stream.feed(data[start:end]):
            found.append(message)
            if len(found) in keys:
                stream.protect(keys[len(found)])
    return found, stream


def bodies(found: list[Message]) -> list[tuple[int, int, bytes]]:
    return [(message.content, message.type, message.body) for message in found]


@st.composite
def connections(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int, bytes]], Callable[[], dict[int, Protection]]]:
    """A side of a connection: the stream, what it says, and after how many messages which keys are to be used."""
    modern = draw(st.booleans())
    stream = fragment(HANDSHAKE, 0x0303, HELLO, draw(st.integers(1, 60)))
    said = [(HANDSHAKE, 2, HELLO[4:])]
    changes: list[int] = []
    if not modern:
        stream += CCS
        said.append((CHANGE_CIPHER_SPEC, 0, b"\x01"))

    def make(number: int) -> Protection:
        return tls13(number) if modern else tls12()

    for number in range(draw(st.integers(1, 3 if modern else 1))):
        changes.append(len(said))
        writer = make(number)
        stream += CCS * (modern and draw(st.integers(0, 2)))
        for content in draw(st.lists(st.sampled_from([HANDSHAKE, ALERT, APPLICATION_DATA]), min_size=1, max_size=4)):
            if content == HANDSHAKE:
                flight = draw(st.lists(st.tuples(st.integers(0, 25), st.binary(max_size=40)), min_size=1, max_size=3))
                whole = b"".join(encode_handshake(kind, body) for kind, body in flight)
                size = draw(st.integers(1, 90))
                pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
                said += [(HANDSHAKE, kind, body) for kind, body in flight]
            else:
                pieces = [draw(st.binary(min_size=2, max_size=2))]
                said.append((content, 0, pieces[0]))
            stream += b"".join(writer.seal(content, piece) for piece in pieces)
        # A change of keys begins a record, and so a message.
        stream += writer.seal(APPLICATION_DATA, b"last")
        said.append((APPLICATION_DATA, 0, b"last"))
    return stream, said, lambda: {at: make(number) for number, at in enumerate(changes)}


@LAWS
@given(connections(), st.data())
def test_any_split_gives_the_same_messages(
    case: tuple[bytes, list[tuple[int, int, bytes]], Callable[[], dict[int, Protection]]], data: st.DataObject
) -> None:
    stream, said, keys = case
    cuts = tuple(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    found, reader = read(stream, keys(), cuts)
    assert reader.error is None
    assert bodies(found) == said
    assert reader.pending == 0
    assert found == read(stream, keys())[0]
    offsets = [message.offset for message in found]
    assert offsets == sorted(offsets)
    # Every offset is that of a record's body, but in clear, where it is the message's own.
    starts = set()
    at = 0
    while at < len(stream):
        starts.add(at + 5)
        at += 5 + int.from_bytes(stream[at + 3 : at + 5], "big")
    assert set(offsets) <= starts


@LAWS
@given(st.binary(max_size=80), st.booleans(), st.data())
def test_any_split_of_any_bytes_gives_the_same_outcome(noise: bytes, modern: bool, data: st.DataObject) -> None:
    stream = fragment(HANDSHAKE, 0x0303, HELLO) + noise
    cuts = tuple(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    outcomes = []
    for where in (cuts, ()):
        found, reader = read(stream, {1: tls13() if modern else tls12()}, where)
        outcomes.append((found, str(reader.error), reader.pending))
    assert outcomes[0] == outcomes[1]


@LAWS
@given(
    st.lists(st.sampled_from([HANDSHAKE, ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, 0x80, 0]), max_size=4),
    st.binary(max_size=30),
)
def test_before_keys_it_is_the_deframer(kinds: list[int], body: bytes) -> None:
    stream = b"".join(fragment(kind, 0x0303, body) for kind in kinds)
    deframer = Deframer()
    expected = deframer.feed(stream)
    found, reader = read(stream, {})
    assert found == expected
    assert str(reader.error) == str(deframer.error)
    if reader.error is None:
        assert reader.pending == deframer.pending


def test_keys_change_between_two_messages_of_one_feed() -> None:
    handshake, application = tls13(1), tls13(2)
    stream = fragment(HANDSHAKE, 0x0303, HELLO) + CCS + handshake.seal(HANDSHAKE, FINISHED)
    stream += application.seal(APPLICATION_DATA, b"said")
    found, reader = read(stream, {1: tls13(1), 2: tls13(2)})
    assert reader.error is None
    assert bodies(found) == [(HANDSHAKE, 2, HELLO[4:]), (HANDSHAKE, 20, bytes(32)), (APPLICATION_DATA, 0, b"said")]
    assert found[0].offset == 5
    assert [stream[message.offset - 5] for message in found] == [HANDSHAKE, APPLICATION_DATA, APPLICATION_DATA]


def test_offset_of_a_message_over_several_records_is_that_of_the_first() -> None:
    writer = tls13()
    head = fragment(HANDSHAKE, 0x0303, HELLO)
    first, second = writer.seal(HANDSHAKE, FINISHED + FINISHED[:9]), writer.seal(HANDSHAKE, FINISHED[9:] + FINISHED)
    found, _ = read(head + first + second, {1: tls13()})
    at = len(head) + 5
    assert [message.offset for message in found[1:]] == [at, at, at + len(first)]


def test_what_is_not_asked_for_waits() -> None:
    writer = tls13()
    stream = RecordStream()
    stream.protect(tls13())
    messages = stream.feed(writer.seal(APPLICATION_DATA, b"one") + writer.seal(APPLICATION_DATA, b"two"))
    assert next(messages).body == b"one"
    assert stream.pending > 0
    assert [message.body for message in stream.feed(writer.seal(APPLICATION_DATA, b"three"))] == [b"two", b"three"]
    assert stream.pending == 0
    assert next(stream.feed(writer.seal(HANDSHAKE, FINISHED + FINISHED))).type == 20
    assert [message.type for message in stream.feed(b"")] == [20]


def fail(stream: bytes, keys: dict[int, Protection], *, max_message: int = 1 << 18, forgive: int = 0) -> WireError:
    _, reader = read(stream, keys, max_message=max_message, forgive=forgive)
    assert reader.error is not None
    assert list(reader.feed(stream)) == []
    assert list(reader.feed(b"\x16")) == []
    return reader.error


PLAIN = fragment(HANDSHAKE, 0x0303, HELLO)


@pytest.mark.parametrize(
    ("stream", "path", "reason"),
    [
        (PLAIN, "record.protected", "a record of type handshake in clear"),
        (fragment(APPLICATION_DATA, 0x0303, bytes(40)), "record.protected", "bad tag"),
        (fragment(APPLICATION_DATA, 0x0303, b"short"), "record.protected", "5 bytes are too few"),
        (fragment(APPLICATION_DATA, 0x0303, b""), "record.protected", "0 bytes are too few"),
        (fragment(CHANGE_CIPHER_SPEC, 0x0303, b"\2"), "record.type", "ChangeCipherSpec of 1 bytes, not one 01"),
        (fragment(CHANGE_CIPHER_SPEC, 0x0303, b"\1\1"), "record.type", "ChangeCipherSpec of 2 bytes, not one 01"),
        (CCS * (MAX_CHANGE_CIPHER_SPECS + 1), "record.type", "more than 16 ChangeCipherSpecs"),
        (tls13().seal(CHANGE_CIPHER_SPEC, b"\1"), "record.type", "change_cipher_spec in a protected record"),
        (tls13().seal(0x80, b"\1"), "record.type", "content type 128 in a protected record"),
        (tls13().seal(99, b"\1"), "record.type", "content type 99 in a protected record"),
        (tls13().seal(HANDSHAKE, b""), "record.length", "record of length 0"),
        (tls13().seal(HANDSHAKE, b"\x0b\xff\xff\xff"), "handshake.length", "bound of 262144"),
        (b"\x17\3\3\xff\xff", "record.length", "length 65535 is over"),
        (b"HTTP/1.1", "record.type", "0x48 begins no TLS"),
        (sslv2_record(b"\4abc"), "record.type", "an SSLv2 record where records are protected"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_fault_of_a_protected_stream_is_kept_not_raised(stream: bytes, path: str, reason: str) -> None:
    error = fail(PLAIN + stream, {1: tls13()})
    assert error.path == path
    assert reason in error.reason
    assert error.offset is not None
    assert len(PLAIN) <= error.offset < len(PLAIN + stream)


def test_fault_is_found_where_it_is_and_what_came_before_is_told() -> None:
    writer = tls13()
    good = writer.seal(APPLICATION_DATA, b"good")
    stream = PLAIN + good + b"\x17\3\3\0\x20" + bytes(32)
    found, reader = read(stream, {1: tls13()})
    assert [message.body for message in found[1:]] == [b"good"]
    assert reader.error is not None
    assert (reader.error.path, reader.error.offset) == ("record.protected", len(PLAIN + good))


def test_interleaved_records_are_a_fault() -> None:
    writer = tls13()
    stream = writer.seal(HANDSHAKE, FINISHED[:9]) + writer.seal(ALERT, b"\2\x28")
    assert "interrupted by another record" in fail(PLAIN + stream, {1: tls13()}).reason


def test_messages_do_not_go_over_a_change_of_keys() -> None:
    # RFC 9846 section 5.1: half a message before, or another behind in the same record.
    half = fail(fragment(HANDSHAKE, 0x0303, HELLO + FINISHED[:9]), {1: tls13()})
    whole = fail(fragment(HANDSHAKE, 0x0303, HELLO + FINISHED), {1: tls13()})
    writer = tls13(1)
    later = fail(PLAIN + writer.seal(HANDSHAKE, FINISHED + FINISHED), {1: tls13(1), 2: tls13(2)})
    assert {error.reason for error in (half, whole, later)} == {
        "a handshake message goes over a change of keys (RFC 9846 5.1)"
    }
    assert (half.offset, whole.offset, later.offset) == (0, 0, len(PLAIN))
    second = fail(
        PLAIN + fragment(HANDSHAKE, 0x0303, FINISHED[:5]) + fragment(HANDSHAKE, 0x0303, FINISHED[5:9]), {1: tls13()}
    )
    assert second.path == "record.protected"
    stream = RecordStream()
    assert len(list(stream.feed(PLAIN + fragment(HANDSHAKE, 0x0303, FINISHED[:5])))) == 1
    stream.protect(tls13())
    assert stream.error is not None
    assert stream.error.offset == len(PLAIN)


def test_empty_application_data_is_counted_in_a_row() -> None:
    writer = tls12()
    stream = PLAIN + CCS
    for _ in range(MAX_EMPTY_RECORDS * 2):  # what some senders of TLS 1.0 do against BEAST
        stream += writer.seal(APPLICATION_DATA, b"") + writer.seal(APPLICATION_DATA, b"x")
    found, reader = read(stream, {2: tls12()})
    assert reader.error is None
    assert len(found) == 2 + MAX_EMPTY_RECORDS * 2
    stream += b"".join(writer.seal(APPLICATION_DATA, b"") for _ in range(MAX_EMPTY_RECORDS + 1))
    assert fail(stream, {2: tls12()}).reason == "more than 16 empty records in a row"


def test_alert_in_clear_from_a_peer_without_keys_is_told() -> None:
    found, reader = read(PLAIN + fragment(ALERT, 0x0303, b"\2\x28"), {1: tls13()})
    assert bodies(found[1:]) == [(ALERT, 0, b"\2\x28")]
    assert reader.error is None
    assert fail(PLAIN + CCS + fragment(ALERT, 0x0303, b"\2\x28"), {2: tls12()}).path == "record.protected"


def test_rejected_early_data_is_forgiven_to_a_bound() -> None:
    early, handshake = tls13(9), tls13(1)
    rejected = b"".join(early.seal(APPLICATION_DATA, bytes(60)) for _ in range(3))
    good = handshake.seal(HANDSHAKE, FINISHED)
    found, reader = read(PLAIN + rejected + good, {1: tls13(1)}, forgive=len(rejected))
    assert bodies(found[1:]) == [(HANDSHAKE, 20, bytes(32))]
    assert reader.skipped == 3
    assert fail(PLAIN + rejected + good, {1: tls13(1)}, forgive=len(rejected) - 1).path == "record.protected"
    # Once a record has opened, nothing is forgiven.
    assert fail(PLAIN + good + rejected, {1: tls13(1)}, forgive=1000).path == "record.protected"


def test_bound_on_messages_is_the_callers() -> None:
    writer = tls13()
    stream = PLAIN + writer.seal(HANDSHAKE, encode_handshake(11, bytes(51)))
    assert "bound of 50" in fail(stream, {1: tls13()}, max_message=50).reason
    assert read(stream, {1: tls13()}, max_message=51)[1].error is None


def test_largest_record_is_allowed() -> None:
    stream = RecordStream()
    found = list(stream.feed(fragment(APPLICATION_DATA, 0x0303, bytes(MAX_CIPHERTEXT), MAX_CIPHERTEXT)))
    assert len(found[0].body) == MAX_CIPHERTEXT


def test_it_tells_whether_it_is_protected() -> None:
    stream = RecordStream()
    assert not stream.protected
    stream.protect(tls13())
    assert stream.protected


@pytest.mark.parametrize(
    ("data", "early"),
    [
        (b"", False),
        (fragment(HANDSHAKE, 0x0303, HELLO), False),
        (fragment(ALERT, 0x0303, b"\2\x28"), False),
        (fragment(APPLICATION_DATA, 0x0303, b"sealed"), True),
        (b"\x17", True),
        (CCS, True),  # nobody knows yet what stands behind it
        (CCS * 3 + b"\x16\3", True),
        (CCS + fragment(APPLICATION_DATA, 0x0303, b"sealed"), True),
        (CCS + fragment(HANDSHAKE, 0x0303, bytes(range(0x80, 0xA8))), True),
        (CCS + fragment(ALERT, 0x0303, bytes(26)), True),
        (CCS + fragment(HANDSHAKE, 0x0303, b"\1" + HELLO[1:]), False),
        (CCS + fragment(HANDSHAKE, 0x0303, HELLO), False),
    ],
)
def test_what_looks_as_if_it_were_under_keys_is_told(data: bytes, early: bool) -> None:
    stream = RecordStream()
    stream.feed(data)
    assert stream.early == early
    stream.protect(tls13(1))
    assert not stream.early


def test_whether_the_last_message_was_protected_is_told() -> None:
    stream = RecordStream()
    writer = tls13(1)
    assert [(message.type, stream.opened) for message in stream.feed(fragment(HANDSHAKE, 0x0303, HELLO))] == [
        (2, False)
    ]
    stream.protect(tls13(1))
    sealed = writer.seal(HANDSHAKE, encode_handshake(8, b"\0\0") + encode_handshake(20, b"x"))
    clear = fragment(ALERT, 0x0303, b"\2\x28")
    found = [(message.content, stream.opened) for message in stream.feed(sealed + clear)]
    assert found == [(HANDSHAKE, True), (HANDSHAKE, True), (ALERT, False)]


def test_records_in_clear_are_looked_at_before_they_are_waited_for() -> None:
    heads: list[bytes] = []

    def admit(head: bytes) -> None:
        heads.append(head)
        if head[:1] == b"\x15":
            raise WireError("no alerts here", "record.type")

    stream = RecordStream(admit=admit)
    hello = fragment(HANDSHAKE, 0x0303, HELLO)
    assert len(list(stream.feed(hello + hello[:4]))) == 1
    assert heads == [hello[:5], hello[:4]]
    assert len(list(stream.feed(hello[4:] + b"\x15\3\3"))) == 1
    assert stream.error is not None
    assert stream.error.reason == "no alerts here"
    protected = RecordStream(admit=admit)
    protected.protect(tls13())
    assert bodies(list(protected.feed(tls13().seal(ALERT, b"\1\0")))) == [(ALERT, 0, b"\1\0")]
    assert protected.error is None


def test_a_message_ends_its_record_or_does_not() -> None:
    stream = RecordStream()
    for data, ends in ((HELLO, [True]), (HELLO * 2, [False, True]), (HELLO + b"\x02", [False])):
        before = stream.position
        record = fragment(HANDSHAKE, 0x0303, data)
        assert [stream.aligned for _ in stream.feed(record)] == ends
        assert stream.position - before == len(record)
