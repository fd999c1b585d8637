"""What a hello may draw, by its bytes: one row a rule, and rules for all hellos."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.fuzz.cases.rows import MODERN, OLDER, base_of
from tlswire.fuzz.edits import Edit, applied
from tlswire.fuzz.expect import Expected, expected
from tlswire.fuzz.fields import encode
from tlswire.fuzz.generate import base_tree
from tlswire.fuzz.model import ANYTHING, NEGOTIATE, alerts
from tlswire.fuzz.script import Ground
from tlswire.fuzz.strategies import client_hellos, mutations
from tlswire.wire.handshake import CLIENT_HELLO_BODY
from tlswire.wire.primitives import build

LAWS = settings(max_examples=60, deadline=None, database=None, derandomize=True)
GROUND = Ground()
LESS = (*NEGOTIATE, *alerts(40, 71))
FORM = alerts(50, 47)
EXT = "extensions"
NAME, GROUPS, SCHEMES, ALPN, VERSIONS, SHARES, RENEGOTIATION, FORMATS, EMS = (
    f"{EXT}/{name}"
    for name in (
        *("server_name", "supported_groups", "signature_algorithms", "application_layer_protocol_negotiation"),
        *("supported_versions", "key_share", "renegotiation_info", "ec_point_formats", "extended_master_secret"),
    )
)


def of(base: str, *edits: Edit) -> Expected:
    return expected(encode(applied(base_tree(GROUND, base), edits)), base_of(GROUND, base))


ROWS = [
    # A broken form, wherever it is, and whoever reads it.
    (MODERN, Edit("length-by", "session_id", 1), FORM, ()),
    (MODERN, Edit("size", "session_id", 33), FORM, ()),
    (MODERN, Edit("append", "suites", b"\0"), FORM, ()),
    (OLDER, Edit("length-to", EXT, 0xFFFF), FORM, ()),
    (OLDER, Edit("append", "", b"\0"), FORM, ()),
    # A broken body, for those that have to read it.
    (MODERN, Edit("length-by", f"{SHARES}/body/value", 1), FORM, ("tls13",)),
    (MODERN, Edit("append", f"{ALPN}/body", b"\0"), FORM, ("tls13", "alpn")),
    (MODERN, Edit("append", f"{NAME}/body", b"\0"), alerts(50, 47, 112), ("tls13",)),
    (MODERN, Edit("append", f"{FORMATS}/body", b"\0"), ANYTHING, ("tls13",)),
    (OLDER, Edit("append", f"{FORMATS}/body", b"\0"), FORM, ("tls12", "ecdhe12")),
    (OLDER, Edit("append", f"{EMS}/body", b"\0"), FORM, ("tls12", "ems")),
    (OLDER, Edit("append", f"{NAME}/body", b"\0"), ANYTHING, ("tls12",)),
    # Well formed, and nothing lost.
    (MODERN, Edit("size", "session_id", 5), NEGOTIATE, ("tls13",)),
    (MODERN, Edit("insert", "suites", b"\x0a\x0a"), NEGOTIATE, ("tls13",)),
    (MODERN, Edit("append", EXT, bytes.fromhex("12340001ff")), NEGOTIATE, ("tls13",)),
    (MODERN, Edit("reverse", EXT), NEGOTIATE, ("tls13",)),
    (MODERN, Edit("drop", f"{ALPN}"), NEGOTIATE, ("tls13",)),
    (MODERN, Edit("code", "legacy_version", 0x03FF), NEGOTIATE, ("tls13",)),
    (OLDER, Edit("append", "compression", b"\x40"), NEGOTIATE, ("tls12",)),
    # Well formed, and something lost.
    (MODERN, Edit("drop", "suites/[0]"), LESS, ("tls13",)),
    (MODERN, Edit("code", f"{GROUPS}/body/value/[2]", 0x0A0A), LESS, ("tls13",)),
    (OLDER, Edit("drop", f"{SCHEMES}/body/value/[0]"), LESS, ("tls12",)),
    (OLDER, Edit("drop", EMS), (*NEGOTIATE, *alerts(40)), ("tls12",)),
    (OLDER, Edit("code", "legacy_version", 0x0304), (*NEGOTIATE, *alerts(70)), ("tls12",)),
    # Nothing in common.
    (OLDER, Edit("data", "suites", b"\x0a\x0a"), alerts(40, 71), ("tls12",)),
    (MODERN, Edit("data", f"{SCHEMES}/body/value", b"\x0a\x0a"), alerts(40, 71), ("tls13",)),
    (MODERN, Edit("data", f"{VERSIONS}/body/value", b"\x0a\x0a"), alerts(70), ("tls13",)),
    # Well formed, and forbidden.
    (MODERN, Edit("data", "compression", b"\1\0"), FORM, ("tls13",)),
    (OLDER, Edit("data", "compression", b"\1"), alerts(50, 47, 40), ("tls12",)),
    (MODERN, Edit("drop", SHARES), alerts(109), ("tls13",)),
    (MODERN, Edit("drop", GROUPS), alerts(109), ("tls13",)),
    (MODERN, Edit("drop", SCHEMES), alerts(109), ("tls13",)),
    (MODERN, Edit("duplicate", GROUPS, 1), alerts(47, 50, 10, 110), ("tls13",)),
    (MODERN, Edit("code", "legacy_version", 0x0300), alerts(70), ("tls13",)),
    (OLDER, Edit("code", "legacy_version", 0x0300), alerts(70), ("tls12",)),
    (OLDER, Edit("data", f"{RENEGOTIATION}/body", b"\1x"), alerts(40, 50, 47), ("tls12", "renegotiation-info")),
    # Shares.
    (MODERN, Edit("data", f"{SHARES}/body/value", b""), ("retry",), ("tls13", "retry")),
    (
        MODERN,
        Edit("size", f"{SHARES}/body/value/[0]/key_exchange", 31),
        ("retry", *alerts(50, 47, 40)),
        ("tls13", "x25519"),
    ),
    # What no clause decides.
    (MODERN, Edit("data", f"{NAME}/body/value/[0]/name", b"elsewhere"), ANYTHING, ("tls13",)),
    (MODERN, Edit("duplicate", "suites/[0]", 1), ANYTHING, ("tls13",)),
    (MODERN, Edit("code", f"{EMS}/type", 42), ANYTHING, ("tls13",)),
    (MODERN, Edit("data", f"{SHARES}/body/value/[0]/key_exchange", bytes(32)), ANYTHING, ("tls13",)),
]


@pytest.mark.parametrize(
    ("base", "edit", "allowed", "needs"), ROWS, ids=[f"{base}: {edit}"[:60] for base, edit, *_ in ROWS]
)
def test_a_change_may_draw_what_its_clause_says(
    base: str, edit: Edit, allowed: tuple[str, ...], needs: tuple[str, ...]
) -> None:
    found = of(base, edit)
    assert sorted(found.allowed) == sorted(allowed)
    assert found.needs == needs
    assert (found.level == "unspecified") == (allowed == ANYTHING)
    assert found.version == (
        0 if found.allowed not in {NEGOTIATE, ("retry",)} else 0x0304 if base == MODERN else 0x0303
    )


def test_a_server_may_name_any_of_several_faults() -> None:
    found = of(MODERN, Edit("drop", SHARES), Edit("data", "compression", b"\1"))
    assert sorted(found.allowed) == sorted(alerts(109, 50, 47))


def test_what_comes_before_the_break_may_be_named_first() -> None:
    broken = Edit("length-by", EXT, 1)
    assert of(OLDER, broken).allowed == FORM
    assert "alert:40" in of(OLDER, Edit("data", f"{RENEGOTIATION}/body", b"\1x"), broken).allowed
    assert "alert:70" in of(OLDER, Edit("code", "legacy_version", 0x0300), broken).allowed


def test_a_pre_shared_key_has_to_be_last() -> None:
    psk = bytes.fromhex("0029002b") + bytes.fromhex("000700016100000000") + bytes.fromhex("002120") + bytes(32)
    psk = psk[:2] + (len(psk) - 4).to_bytes(2, "big") + psk[4:]
    assert of(MODERN, Edit("append", EXT, psk)).allowed == ANYTHING
    early = of(MODERN, Edit("insert", EXT, psk))
    assert "alert:47" in early.allowed
    assert "flight" not in early.allowed
    assert early.needs == ("tls13", "psk13")


def test_a_hello_of_both_versions_without_its_versions_is_one_of_tls_1_2() -> None:
    found = of(MODERN, Edit("drop", VERSIONS))
    assert {"flight", "alert:70"} <= set(found.allowed)
    assert found.needs == ("tls12",)


@LAWS
@given(st.sampled_from((MODERN, OLDER)), st.data())
def test_any_mutation_has_an_expectation(base: str, data: st.DataObject) -> None:
    found = of(base, *data.draw(mutations(base_tree(GROUND, base))))
    assert found.allowed
    assert len(set(found.allowed)) == len(found.allowed)
    assert "close" in found.allowed or found.allowed in {NEGOTIATE, ("retry",)}


@LAWS
@given(st.binary(max_size=120))
def test_any_bytes_have_an_expectation(body: bytes) -> None:
    assert expected(body, GROUND.modern).allowed


@LAWS
@given(client_hellos(versions=st.just((0x0304, 0x0303)), protocols=st.just((b"http/1.1",))))
def test_a_valid_hello_is_expected_to_be_answered(hello: object) -> None:
    found = expected(build(CLIENT_HELLO_BODY, hello), GROUND.modern)
    # The shares of probes are not those of the ground: another point, which a server may know to be of low order.
    assert found.allowed in {NEGOTIATE, ANYTHING}
