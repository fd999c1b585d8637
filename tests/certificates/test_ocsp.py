"""Staples: what they say of the leaf, and who says it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.cases import responder
from tests.certificates.made import number
from tests.certificates.mint import NOW, OCSP_SIGNING, intermediate, leaf, sct, sct_list
from tests.certificates.staples import SHA256, answer, failed, revoked, scts, staple
from tlswire.certificates.model import Staple
from tlswire.certificates.ocsp import staple_facts
from tlswire.certificates.parsed import Parsed
from tlswire.certificates.signatures import Checks

LAWS = settings(max_examples=150, deadline=None, database=None, derandomize=True)


def read(data: bytes, *, now: dt.datetime = NOW) -> Staple:
    return staple_facts(data, Parsed(leaf().der), [Parsed(intermediate().der)], now, Checks())


def test_what_a_good_staple_says() -> None:
    data = staple([answer(leaf(), intermediate())], intermediate())
    assert read(data) == Staple(
        status="successful",
        length=len(data),
        certificate="good",
        serial="5A170000000000000000000000000001",
        produced="2025-05-30T00:00:00Z",
        this_update="2025-05-30T00:00:00Z",
        next_update="2025-06-06T00:00:00Z",
        age_s=2 * 86400,
        responder="CN=intermediate",
        signer="issuer",
        signature="good",
        signature_algorithm="ECDSA SHA-256",
        matches=True,
        responses=1,
    )


def test_what_a_revocation_says() -> None:
    found = read(staple([answer(leaf(), intermediate(), revoked(reason=1), algorithm=SHA256)], intermediate()))
    assert (found.certificate, found.revoked) == ("revoked", "2025-05-01T00:00:00Z")
    assert found.revocation_reason == "keyCompromise"
    assert [item.text for item in found.problems] == ["the certificate was revoked 2025-05-01T00:00:00Z, keyCompromise"]


def test_a_delegate_is_told_from_the_issuer() -> None:
    by = responder(OCSP_SIGNING)
    found = read(staple([answer(leaf(), intermediate())], by, key_hash=by.key_id, certificates=[by]))
    assert (found.signer, found.signature, found.responder) == ("delegate", "good", by.key_id.hex().upper())
    assert found.problems == ()


def test_the_answer_about_the_leaf_counts() -> None:
    others = [answer(leaf(), intermediate(), revoked(), serial=number(at)) for at in range(3)]
    found = read(staple([*others, answer(leaf(), intermediate())], intermediate()))
    assert (found.certificate, found.matches, found.responses) == ("good", True, 4)


@pytest.mark.parametrize(
    ("code", "status"), [(1, "malformed-request"), (2, "internal-error"), (3, "try-later"), (6, "unauthorized")]
)
def test_a_responder_that_fails(code: int, status: str) -> None:
    found = read(failed(code))
    assert (found.status, found.certificate, found.signature) == (status, None, None)


def test_age_counts_from_this_update_and_may_be_negative() -> None:
    data = staple([answer(leaf(), intermediate(), this="20250601010000Z")], intermediate())
    assert read(data).age_s == -3600
    assert read(data, now=NOW + dt.timedelta(hours=2)).age_s == 3600


def test_scts_of_a_staple() -> None:
    found = read(staple([answer(leaf(), intermediate(), extensions=scts(sct_list(sct())))], intermediate()))
    assert [item.origin for item in found.scts] == ["staple"]


def test_no_cut_of_a_staple_is_one() -> None:
    whole = staple([answer(leaf(), intermediate())], intermediate())
    for size in range(len(whole)):
        assert [item.id for item in read(whole[:size]).problems] == ["staple-unreadable"]


@LAWS
@given(st.integers(0, 1 << 12), st.integers(0, 255))
def test_no_staple_with_another_byte_is_good(place: int, value: int) -> None:
    whole = bytearray(staple([answer(leaf(), intermediate())], intermediate()))
    before = whole[place % len(whole)]
    whole[place % len(whole)] = value
    found = read(bytes(whole))
    assert value == before or found.problems
