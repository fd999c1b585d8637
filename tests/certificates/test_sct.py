"""Lists of SCTs: read strictly, whatever they come in."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.mint import NOW, sct, sct_list
from tlswire.certificates.model import Sct
from tlswire.certificates.sct import MAX_SCTS, future_scts, read_scts

LAWS = settings(max_examples=200, deadline=None, database=None, derandomize=True)
MOMENTS = st.integers(0, 253_402_214_400_000)


@LAWS
@given(st.lists(st.tuples(MOMENTS, st.binary(min_size=32, max_size=32)), min_size=1, max_size=4))
def test_a_list_is_read_and_no_cut_of_it(items: list[tuple[int, bytes]]) -> None:
    whole = sct_list(*(sct(moment, log) for moment, log in items))
    found, problems = read_scts(whole, "handshake")
    assert problems == []
    assert [item.log_id for item in found] == [log.hex() for _, log in items]
    for item, (moment, _) in zip(found, items, strict=True):
        assert item.time is not None
        since = dt.datetime.fromisoformat(item.time) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        assert since == dt.timedelta(milliseconds=moment)
    for size in range(len(whole)):
        assert [item.id for item in read_scts(whole[:size], "handshake")[1]] == ["scts-unreadable"]
    assert [item.id for item in read_scts(whole + b"\0", "handshake")[1]] == ["scts-unreadable"]


@LAWS
@given(st.binary(max_size=120))
def test_random_bytes_are_no_list(data: bytes) -> None:
    found, problems = read_scts(data, "staple")
    assert problems
    assert all(item.version for item in found)


def test_versions_that_are_not_known_are_kept_as_such() -> None:
    found, problems = read_scts(sct_list(sct(version=3), sct()), "staple")
    assert found[0] == Sct("staple", 3)
    assert found[1].version == 0
    assert [item.id for item in problems] == ["sct-version"]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0",
        sct_list(b"\0\0"),
        sct_list(b"\0\x05\0short"[:7]),
        sct_list(sct(1 << 63)),
        sct_list(sct() + b"x"),
        sct_list(*[sct()] * (MAX_SCTS + 1)),
    ],
    ids=["empty", "empty sct", "short sct", "the end of time", "longer than it says", "too many"],
)
def test_lists_that_are_none(data: bytes) -> None:
    found, problems = read_scts(data, "certificate")
    assert [item.id for item in problems] == ["scts-unreadable"]
    assert len(found) <= MAX_SCTS


def test_signatures_are_called_by_their_schemes() -> None:
    assert read_scts(sct_list(sct()), "certificate")[0][0].signature_algorithm == "ecdsa_secp256r1_sha256"


def test_the_future_begins_a_millisecond_from_now() -> None:
    now = int(NOW.timestamp() * 1000)
    found, _ = read_scts(sct_list(sct(now), sct(now + 1)), "handshake")
    assert [item.text for item in future_scts(found, NOW)] == [
        "an SCT of the handshake is of the future: 2025-06-01T00:00:00.001Z"
    ]
