from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.hello.builder import client_hello, encode_client_hello
from tlswire.probe.exchange import Answer
from tlswire.results.answers.ephemeral import Keys
from tlswire.scan.randomness import Heard, Key, keys, keys_of, randoms, session_ids
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.messages import Extension, ServerHello

LAWS = settings(max_examples=60, deadline=None, database=None, derandomize=True)
NOW = 1_750_000_000.0


def hello(random: bytes, session_id: bytes = b"", version: int = 0x0303) -> ServerHello:
    return ServerHello(version, random, session_id, 0xC02F, 0)


def heard(random: bytes, at: float = NOW, session_id: bytes = b"", offered: bytes | None = b"") -> Heard:
    return Heard(hello(random, session_id), (), offered, at)


def drawn(count: int, seed: int = 1) -> list[bytes]:
    rng = Random(seed)
    return [rng.randbytes(32) for _ in range(count)]


def timed(at: float, rest: bytes) -> bytes:
    return int(at).to_bytes(4, "big") + rest[4:]


def test_randoms_that_are_drawn_are_all_different_and_no_clock() -> None:
    found = randoms([heard(random, NOW + at) for at, random in enumerate(drawn(50))])
    assert (found.seen, found.distinct, found.constant, found.clock, found.skew_s) == (50, 50, 0, False, None)


@pytest.mark.parametrize("skew", [0.0, 3600.0, -7200.0, -1_700_000_000.0])
def test_a_clock_is_found_however_wrong_it_is(skew: float) -> None:
    times = [NOW + 7.3 * at for at in range(12)]
    found = randoms([heard(timed(at + skew, random), at) for at, random in zip(times, drawn(12), strict=True)])
    assert found.clock is True
    assert found.skew_s is not None
    assert abs(found.skew_s - skew) <= 1


def test_a_clock_in_some_of_the_randoms_is_none() -> None:
    # TLS 1.2 with the time and TLS 1.3 without: no word about the server as a whole.
    some = [heard(timed(NOW, random)) for random in drawn(4)] + [heard(random) for random in drawn(4, seed=2)]
    assert randoms(some).clock is False


def test_two_hellos_are_too_few_to_tell_a_clock() -> None:
    assert randoms([heard(timed(NOW, random)) for random in drawn(2)]).clock is None


def test_randoms_that_come_again_or_are_one_byte_are_counted() -> None:
    found = randoms([heard(bytes(32)), heard(bytes(32)), *(heard(random) for random in drawn(3))])
    assert (found.seen, found.distinct, found.constant) == (5, 4, 2)


def test_session_ids_are_told_by_what_clients_without_one_get() -> None:
    one, other, third = drawn(3)
    assert session_ids([heard(one), heard(other)])[0] == "empty"
    assert session_ids([heard(one, session_id=one), heard(one, session_id=other)])[0] == "fresh"
    assert session_ids([heard(one, session_id=one), heard(one, session_id=one)])[0] == "repeated"
    assert session_ids([heard(one, session_id=one), heard(one)])[0] == "mixed"
    assert session_ids([])[0] == "unknown"
    # Those that resume, those of TLS 1.3 and those nobody kept say nothing.
    resumed = heard(one, session_id=one, offered=one)
    modern = Heard(ServerHello(0x0303, one, third, 0x1301, 0, (Extension(43, b"\x03\x04"),)), (), b"", NOW)
    assert session_ids([resumed, modern, heard(one, session_id=third, offered=None)]) == ("unknown", [])


def test_keys_are_counted_by_exchange_and_group() -> None:
    one, two = Key("ECDHE", "x25519", b"1"), Key("ECDHE", "x25519", b"2")
    other = Key("DHE", "2048 bits", b"1")
    rows = keys([Heard(hello(bytes(32)), pair, b"", NOW) for pair in ((one, other), (one,), (two, other))])
    assert rows == [Keys("DHE", "2048 bits", 2, 1), Keys("ECDHE", "x25519", 3, 2)]


def share_of(group: int, value: bytes) -> Answer:
    body = encode_extension(51, KeyShareEntry(group, value), "sh")
    extensions = (Extension(43, b"\x03\x04"), Extension(51, body))
    return Answer("hello", hello=ServerHello(0x0303, bytes(32), b"", 0x1301, 0, extensions))


def test_a_hybrid_share_is_two_keys() -> None:
    ciphertext, point = b"\1" * 1088, b"\2" * 32
    assert list(keys_of(share_of(0x11EC, ciphertext + point))) == [
        Key("TLS 1.3", "MLKEM768", ciphertext),
        Key("TLS 1.3", "x25519", point),
    ]
    # One of the wrong length is compared as it is.
    assert list(keys_of(share_of(0x11EC, b"\3" * 7))) == [Key("TLS 1.3", "X25519MLKEM768", b"\3" * 7)]


@LAWS
@given(st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=70))
def test_no_share_is_too_strange_to_compare(group: int, value: bytes) -> None:
    found = list(keys_of(share_of(group, value)))
    assert b"".join(key.public for key in found) == value


def test_an_answer_without_a_hello_has_no_keys() -> None:
    sent = encode_client_hello(client_hello(0x0303, (0xC02F,), rng=Random(1)))
    assert list(keys_of(Answer("close", sent=sent))) == []
