from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.servers.offers import read_offer
from tlswire.hello.builder import Shape, client_hello, encode_client_hello
from tlswire.hello.edit import read_hello
from tlswire.registry import EXTENSIONS, GREASE, GROUPS, SCHEMES, SCSV, SUITES
from tlswire.scan.questions.tolerance import _GROUPS, _SCHEMES
from tlswire.scan.tolerances import CASES, PAUSE, TOPICS, Base, Case, Sending, case_of, length_of

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello

USUAL_SUITES = (0x1301, 0x1302, 0x1303, 0xC02F, 0xC02B)
SHAPE = Shape(server_name=b"localhost", alpn=(b"h2",), groups=_GROUPS, key_shares=(0x001D,), schemes=_SCHEMES)


def hello_of(versions: tuple[int, ...], suites: tuple[int, ...], shape: Shape = SHAPE) -> ClientHello:
    return client_hello(versions, suites, rng=random.Random(1), shape=shape)


USUAL = hello_of((0x0304, 0x0303), USUAL_SUITES)
OLDER = hello_of((0x0303,), USUAL_SUITES[3:])
FILLERS = tuple(row.code for row in SUITES if row.code not in SCSV and row.code not in USUAL_SUITES)
BASE = Base(USUAL, USUAL, OLDER, FILLERS)


def made(name: str, base: Base = BASE) -> Sending:
    sending = case_of(name).make(base)
    assert sending is not None
    return sending


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_a_hello_that_both_readers_read(case: Case) -> None:
    sending = made(case.name)
    sample = read_hello(sending.payload)
    assert sample.hello == sending.hello
    assert sample.rest == b""
    offer = read_offer(sending.payload)  # the tests' own reader, which knows nothing of tlswire
    assert offer is not None
    assert (offer.size, offer.suites, offer.version) == (
        len(sending.payload),
        sending.hello.suites,
        sending.hello.legacy_version,
    )
    reference = OLDER if case.older else USUAL
    assert set(reference.suites) <= set(offer.suites)
    assert sending.hello.random == reference.random


def test_names_and_titles_tell_cases_apart_and_every_topic_is_used() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert len({(case.topic, case.title) for case in CASES}) == len(CASES)
    assert {case.topic for case in CASES} == set(TOPICS)
    assert {case.category for case in CASES} == {"fault", "info", ""}


@pytest.mark.parametrize("size", [255, 256, 300, 511, 512, 513, 4096, 16384, 65536])
def test_a_size_is_that_of_the_handshake_message(size: int) -> None:
    sending = made(f"size-{size}")
    assert length_of(sending.hello) == size
    records = -(-size // (1 << 14))
    assert len(sending.payload) == size + 5 * records
    if records == 1:
        assert int.from_bytes(sending.payload[3:5], "big") == size


def test_a_hello_that_is_too_long_for_a_size_is_not_made() -> None:
    long = hello_of((0x0304, 0x0303), USUAL_SUITES, msgspec.structs.replace(SHAPE, server_name=b"x" * 200))
    assert case_of("size-255").make(Base(long, long, None)) is None
    assert case_of("size-513").make(Base(long, long, None)) is not None


def test_what_needs_an_older_hello_is_not_made_without_one() -> None:
    without = Base(USUAL, USUAL, None)
    assert {case.name for case in CASES if case.make(without) is None} == {
        *(case.name for case in CASES if case.older),
        "suites-64",
        "suites-128",
        "suites-256",
    }


def test_grease_is_everywhere_in_another_place_each() -> None:
    hello = made("grease").hello
    places = (
        hello.suites[:1],
        hello.groups[:1],
        hello.key_shares[:1],
        (hello.extension_types[0],),
        (hello.extension_types[-1],),
        hello.versions[:1],
        hello.signature_schemes[:1],
    )
    codes = [code for place in places for code in place]
    assert set(codes) <= set(GREASE)
    assert len(set(codes)) == len(codes) - 1  # the share's group is the list's
    assert int.from_bytes(hello.alpn[0], "big") in GREASE
    shares = hello.extension(51)
    assert shares[0].key_exchange == b"\0"  # RFC 8701 section 3.1
    singles = [case.name for case in CASES if case.name.startswith("grease-")]
    assert len(singles) == 7
    for name in singles:
        one = made(name).hello
        assert one != USUAL
        assert one != hello


def test_unknown_codes_are_in_no_table() -> None:
    assert made("unknown-suite").hello.suites[0] not in SUITES
    assert made("unknown-group").hello.groups[0] not in GROUPS
    assert made("unknown-scheme").hello.signature_schemes[0] not in SCHEMES
    assert made("unknown-extension").hello.extension_types[0] not in EXTENSIONS


def test_records_and_segments_are_cut_where_they_say() -> None:
    whole = encode_client_hello(USUAL)
    for version in ("0300", "0301", "0302", "0303", "0304"):
        assert made(f"record-{version}").payload == whole[:1] + bytes.fromhex(version) + whole[3:]
    assert [frame.size for frame in read_hello(made("records-header").payload).frames] == [
        1,
        1,
        1,
        1,
        length_of(USUAL) - 4,
    ]
    first, second = (frame.size for frame in read_hello(made("records-two").payload).frames)
    assert abs(first - second) <= 1
    for name, at in (("segments-two", len(whole) // 2), ("segments-header", 3)):
        sending = made(name)
        assert (sending.payload, sending.cuts and sending.cuts.at) == (whole, (at,))
        assert sending.cuts is not None
        assert sending.cuts.pause == PAUSE


def test_the_post_quantum_share_is_first_and_larger_than_a_packet() -> None:
    for name in ("mlkem", "mlkem-segments"):
        hello = made(name).hello
        assert (hello.groups[0], hello.key_shares) == (0x11EC, (0x11EC, 0x001D))
        assert length_of(hello) > 1448
    assert made("mlkem").cuts is None
    assert made("mlkem-segments").cuts is not None


def test_lists_have_the_length_they_say_and_signals_come_last() -> None:
    for count in (64, 128, 256):
        suites = made(f"suites-{count}").hello.suites
        assert len(set(suites)) == len(suites) == count
        assert suites[: len(USUAL_SUITES)] == USUAL_SUITES
    assert made("signals").hello.suites[-2:] == (0x00FF, 0x5600)
    assert made("extensions-none").hello.extensions is None
    assert made("extensions-empty").hello.extensions == ()
    assert made("extensions-empty").payload[-2:] == b"\0\0"
    last = made("empty-last").hello.extensions
    assert last is not None
    assert last[-1].data == b""
