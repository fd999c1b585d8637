"""Whole chains: every problem told and no other, whatever is sent, within bounded time."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

import certifi
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no stubs

from tests.certificates.cases import (
    CASES,
    HOST,
    Case,
    Given,
    below,
    chain,
    described,
    dns_name,
    told,
)
from tests.certificates.made import der, rsa_key
from tests.certificates.mint import (
    NOW,
    constraints,
    embedded,
    features,
    intermediate,
    leaf,
    mint,
    names,
    root,
    sct,
    sct_list,
)
from tests.certificates.staples import answer, staple
from tlswire.certificates.chain import MAX_CERTIFICATES
from tlswire.certificates.der import element
from tlswire.certificates.paths import MAX_PATHS
from tlswire.certificates.problems import KINDS, Problem
from tlswire.certificates.report import describe_chain
from tlswire.certificates.stores import Anchors, read_anchors
from tlswire.errors import UsageError
from tlswire.results.certificates import ChainReport

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_NAME = {case.name: case for case in CASES}
# Loose enough for a busy machine; each of these would take minutes without its bound.
SECONDS = 5


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_chain_has_these_problems_and_no_others(case: Case) -> None:
    report = described(case.make())
    assert Counter(told(report)) == Counter(case.expected.split())
    for problem in problems_of(report):
        assert problem.text.isprintable()
        assert (problem.category, problem.source) == (KINDS[problem.id].category, KINDS[problem.id].source)


def test_there_is_a_chain_for_every_problem_that_can_be_told() -> None:
    assert {word.partition(":")[2] for case in CASES for word in case.expected.split()} == set(KINDS)


@pytest.mark.parametrize("case", CASES[::9], ids=lambda case: case.name)
def test_a_report_is_the_same_each_time_and_comes_back_from_json_as_its_schema_says(case: Case) -> None:
    made = case.make()
    report = described(made)
    assert described(made) == report
    data = msgspec.json.encode(report)
    assert msgspec.json.decode(data, type=ChainReport) == report
    Draft202012Validator(msgspec.json.schema(ChainReport)).validate(msgspec.json.decode(data))


def test_what_is_said_of_a_good_chain() -> None:
    own = mint("leaf", intermediate(), more=(features(5), embedded(sct_list(sct(1_735_700_000_123)))))
    report = described(
        below(own, staple=staple([answer(own, intermediate())], intermediate()), scts=sct_list(sct(log=b"M" * 32)))
    )
    assert report.now == "2025-06-01T00:00:00Z"
    assert [item.subject for item in report.certificates] == ["CN=leaf", "CN=intermediate"]
    assert report.host is not None
    assert (report.host.ok, report.host.matched) == (True, HOST)
    assert report.staple is not None
    assert (report.staple.certificate, report.staple.signer, report.staple.matches) == ("good", "issuer", True)
    assert [(item.origin, item.log_id) for item in report.scts] == [
        ("certificate", "4c" * 32),
        ("handshake", "4d" * 32),
    ]
    (verdict,) = report.verdicts
    assert (verdict.valid, verdict.store, verdict.anchors) == (True, "given", 1)
    assert [(step.subject, step.presented, step.anchor) for step in verdict.path] == [
        ("CN=leaf", 0, False),
        ("CN=intermediate", 1, False),
        ("CN=root p256", None, True),
    ]


def test_every_store_has_its_own_verdict() -> None:
    stores = {"ours": Anchors("ours", [root().der]), "theirs": Anchors("theirs", [root("rsa").der])}
    report = describe_chain([leaf().der, intermediate().der], now=NOW, anchors=stores)
    assert [(verdict.store, verdict.valid) for verdict in report.verdicts] == [("ours", True), ("theirs", False)]
    assert report.chain.complete is True
    assert report.host is None


def test_the_time_is_that_of_utc_and_never_a_guess() -> None:
    here = NOW.astimezone(dt.timezone(dt.timedelta(hours=5)))
    assert describe_chain([leaf().der], now=here) == describe_chain([leaf().der], now=NOW)
    with pytest.raises(UsageError, match="time zone"):
        describe_chain([leaf().der], now=NOW.replace(tzinfo=None))


# The public roots.


@cache
def public() -> Anchors:
    return read_anchors("certifi", certifi.contents().encode())


def test_a_public_root_that_is_sent_alone_is_trusted_but_no_server() -> None:
    anchors = public()
    (isrg,) = [item for item in anchors if "ISRG Root X1" in item.subject]
    report = describe_chain([isrg.der], now=NOW, anchors={"certifi": anchors})
    (verdict,) = report.verdicts
    assert len(verdict.path) == 1
    assert verdict.path[0].anchor
    assert [item.id for item in verdict.problems] == ["key-purpose"]


def test_a_certificate_that_only_names_a_public_root_as_its_issuer_is_found_out() -> None:
    anchors = public()
    (isrg,) = [item for item in anchors if "ISRG Root X1" in item.subject]
    assert isrg.layout is not None
    forged = mint("leaf", root("rsa"), issuer=isrg.layout.subject, issuer_key_id=bytes.fromhex("00" * 20))
    report = describe_chain([forged.der], now=NOW, anchors={"certifi": anchors}, host=HOST)
    (verdict,) = report.verdicts
    assert [step.sha256 for step in verdict.path] == [report.certificates[0].sha256, isrg.sha256]
    assert [item.id for item in verdict.problems] == ["signature-bad"]


# Hostile servers.


def spent(given: Given) -> tuple[ChainReport, float]:
    start = time.perf_counter()
    report = described(given)
    return report, time.perf_counter() - start


def test_ten_thousand_certificates_cost_no_more_than_a_few() -> None:
    many = [mint("leaf", intermediate()).der, intermediate().der]
    many += [many[1][:-4] + at.to_bytes(4, "big") for at in range(10_000)]
    report, seconds = spent(Given(many))
    assert (report.chain.count, report.chain.read) == (10_002, MAX_CERTIFICATES)
    assert len(report.certificates) == MAX_CERTIFICATES
    assert report.verdicts[0].valid
    assert seconds < SECONDS


def test_sixteen_mebibytes_are_not_read() -> None:
    whole = der(0x30, leaf().der[4:] + bytes((1 << 24) - 9000))
    report, seconds = spent(Given([whole, whole, intermediate().der]))
    assert report.certificates[0].length == len(whole)
    assert [item.id for item in report.certificates[0].problems] == ["too-large"]
    assert seconds < SECONDS


def test_thousands_of_names_under_thousands_of_constraints_are_not_all_compared() -> None:
    many = tuple(dns_name(f"{at}.example") for at in range(4000))
    middle = mint("middle", root(), ca=True, more=(constraints(excluded=many),))
    own = mint("leaf", middle, more=(names(*many, dns_name(HOST)),))
    report, seconds = spent(chain(own, middle))
    assert [item.id for item in report.verdicts[0].problems] == ["constraint-unchecked"]
    assert report.host is not None
    assert report.host.ok
    assert seconds < SECONDS


def test_keys_that_are_slow_to_check_are_not_all_checked() -> None:
    slow = rsa_key((1 << 16383) + 1)
    issuers = [mint("middle", root(), ca=True, spki=slow[:-3] + at.to_bytes(3, "big")) for at in range(62)]
    own = mint("leaf", mint("middle", ca=True, kind="rsa"))
    report, seconds = spent(chain(own, *issuers))
    assert not report.verdicts[0].valid
    assert report.verdicts[0].paths <= MAX_PATHS
    assert seconds < SECONDS


SOUND = ("clean", "rsa signed with pss", "ml-dsa", "scts", "address", "an old root vouches for a new one")
ODD = ("names within constraints", "staple of a delegate", "staple with scts", "dsa", "a curve spelt out", "version 1")


@cache
def original(name: str) -> Given:
    return BY_NAME[name].make()


@st.composite
def mutated(draw: st.DrawFn) -> Given:
    """A chain of which some bytes are others, missing or there twice."""
    made = original(draw(st.sampled_from(SOUND + ODD)))
    parts = [*made.ders, made.staple or b"", made.scts or b""]
    changes = st.tuples(
        st.integers(0, 5), st.integers(0, 1 << 16), st.integers(0, 9), st.booleans(), st.binary(max_size=9)
    )
    for which, place, size, doubled, new in draw(st.lists(changes, min_size=1, max_size=4)):
        part = parts[which % len(parts)]
        at = place % (len(part) + 1)
        middle = part[at : at + size] * 2 if doubled else new
        parts[which % len(parts)] = part[:at] + middle + part[at + size :]
    *ders, stapled, scts = parts
    return Given(ders, made.anchors, made.host, stapled or None, scts or None)


def nodes(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Where the elements of DER begin and end, those inside others after them."""
    end = len(data) if end is None else end
    while at < end:
        item = element(data, at, end)
        yield item.start, item.end
        if item.tag & 0x20:
            yield from nodes(data, item.body, item.end)
        at = item.end


def grafted(data: bytes, place: int, new: bytes) -> bytes:
    """DER with one element replaced; what is around it has the right lengths again."""

    def rebuilt(at: int, end: int) -> bytes:
        found = b""
        while at < end:
            item = element(data, at, end)
            if (item.start, item.end) == target:
                found += new
            elif item.start <= target[0] and target[1] <= item.end:
                found += der(item.tag, rebuilt(item.body, item.end))
            else:
                found += item.whole
            at = item.end
        return found

    listed = list(nodes(data))
    target = listed[place % len(listed)]
    return rebuilt(0, len(data))


@st.composite
def grafts(draw: st.DrawFn) -> Given:
    """A chain of which an element here and there is another one, found elsewhere or made up, and all lengths right."""
    made = original(draw(st.sampled_from(SOUND + ODD)))
    ders = list(made.ders)
    plain = st.builds(der, st.sampled_from([1, 2, 3, 4, 5, 6, 12, 19, 22, 23, 24, 128, 130]), st.binary(max_size=12))
    made_up = plain | st.builds(der, st.sampled_from([48, 49, 160, 163]), plain)
    for which, place, other, new in draw(
        st.lists(st.tuples(*[st.integers(0, 1 << 12)] * 3, made_up), min_size=1, max_size=3)
    ):
        data = ders[which % len(ders)]
        listed = list(nodes(data))
        start, end = listed[other % len(listed)]
        ders[which % len(ders)] = grafted(data, place, data[start:end] if other % 2 else new)
    return Given(ders, made.anchors, made.host, made.staple, made.scts)


@settings(max_examples=400, deadline=dt.timedelta(seconds=SECONDS), database=None, derandomize=True)
@given(mutated() | grafts())
def test_whatever_is_sent_is_described_in_printable_words(made: Given) -> None:
    report = described(made)
    assert len(report.certificates) == len(made.ders)
    for problem in problems_of(report):
        assert problem.id in KINDS
        assert problem.text.isprintable()
    assert msgspec.json.decode(msgspec.json.encode(report), type=ChainReport) == report


@settings(max_examples=200, deadline=dt.timedelta(seconds=SECONDS), database=None, derandomize=True)
@given(
    st.lists(st.binary(max_size=60), max_size=4), st.binary(max_size=60), st.binary(max_size=60), st.text(max_size=20)
)
def test_garbage_is_described_as_such(ders: list[bytes], stapled: bytes, scts: bytes, host: str) -> None:
    report = described(Given(ders, host=host, staple=stapled, scts=scts))
    assert all(details.error for details in report.certificates)
    assert not any(verdict.valid for verdict in report.verdicts)
    assert report.host is None or not report.host.ok


def problems_of(report: ChainReport) -> Iterator[Problem]:
    for details in report.certificates:
        yield from details.problems
    yield from report.chain.problems
    for verdict in report.verdicts:
        yield from verdict.problems
    if report.staple is not None:
        yield from report.staple.problems
    yield from report.problems
