"""The rows of extensions, shares, PSKs, retries, tickets, ECH and renegotiation: what they send is what they say."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tlswire.fuzz.cases import (
    alpn,
    ech,
    extensions,
    groups,
    psk,
    renegotiation,
    resumption,
    retries,
    shares,
    sigalgs,
    sni,
)
from tlswire.fuzz.cases.rows import OLDER
from tlswire.fuzz.features import NAMES
from tlswire.fuzz.model import FLIGHT, RETRY, UNSPECIFIED
from tlswire.fuzz.script import SECP256R1, Ground
from tlswire.hello.edit import KEY_SHARE
from tlswire.wire.extensions import decode_extension
from tlswire.wire.handshake import parse_client_hello
from tlswire.wire.messages import HRR_RANDOM, Extension, ServerHello
from tlswire.wire.records import HANDSHAKE, Deframer

if TYPE_CHECKING:
    from tlswire.fuzz.model import Case
    from tlswire.wire.messages import ClientHello

TABLE = Path(__file__).parents[3] / "shared" / "facts" / "fuzz-cases.csv"
FROM_TABLE = (extensions, sni, alpn, groups, sigalgs, shares, psk, retries)
NEW = (resumption, ech, renegotiation)
CASES: tuple[Case, ...] = tuple(case for module in (*FROM_TABLE, *NEW) for case in module.CASES)
GROUND = Ground(seed=1)
OTHER = Ground(seed=1)
RETRY_FOR_P256 = ServerHello(
    0x0303,
    HRR_RANDOM,
    GROUND.modern.session_id,
    0x1301,
    0,
    (Extension(43, b"\3\4"), Extension(KEY_SHARE, SECP256R1.to_bytes(2, "big")), Extension(44, b"\0\3abc")),
)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}-{case.name}")


def negotiates(case: Case) -> bool:
    return case.level != UNSPECIFIED and set(case.allowed) <= {FLIGHT, RETRY}


def hello_in(payload: bytes) -> ClientHello:
    """The first hello of a payload, read strictly, with every extension a row stands for."""
    message = next(item for item in Deframer().feed(payload) if item.content == HANDSHAKE)
    hello = parse_client_hello(message.body)
    for item in hello.extensions or ():
        decode_extension(item.type, item.data, "ch")
    return hello


def test_every_row_of_the_table_is_here_by_its_name() -> None:
    if not TABLE.exists():
        pytest.skip("no ../shared/facts/fuzz-cases.csv")
    here = {case.group for module in FROM_TABLE for case in module.CASES}
    with TABLE.open(encoding="utf-8") as file:
        table = {(row["id"], row["group"], row["name"]) for row in csv.DictReader(file) if row["group"] in here}
    rows = {(case.id, case.group, case.name) for case in CASES}
    assert len(table) == 187
    assert table <= rows
    assert len(rows - table) >= 40


def test_ids_and_names_are_unique() -> None:
    assert len({case.id for case in CASES}) == len({case.name for case in CASES}) == len(CASES)


@each_case
def test_a_case_sends_the_same_for_the_same_seed(case: Case) -> None:
    one, two = case.make(GROUND), case.make(OTHER)
    assert (one.payload, one.message) == (two.payload, two.message)
    if one.again is not None and two.again is not None:
        assert one.again(RETRY_FOR_P256) == two.again(RETRY_FOR_P256)


@each_case
def test_a_case_names_its_clause_and_known_features(case: Case) -> None:
    assert re.match(r"(RFC \d+|FIPS 203|draft-[\w-]+)\b", case.clause)
    assert set(case.needs) <= NAMES
    assert case.allowed


@each_case
def test_a_case_differs_from_its_base(case: Case) -> None:
    script = case.make(GROUND)
    base = (OLDER, GROUND.older) if case.base == OLDER else (case.base, GROUND.modern)
    assert base[0] == case.base
    if script.client is None:
        assert script.payload.find(base[1].random) > 0
        assert hello_or_none(script.payload) != base[1]


def hello_or_none(payload: bytes) -> object:
    try:
        return hello_in(payload)
    except Exception:  # noqa: BLE001 - whatever does not parse is no base
        return None


@pytest.mark.parametrize("case", [case for case in CASES if negotiates(case)], ids=lambda case: case.id)
def test_what_must_negotiate_is_well_formed(case: Case) -> None:
    script = case.make(GROUND)
    if case.id in {"E25", "T41"} or case.group == "renegotiation":
        assert hello_in(script.payload).legacy_version == 0x0303
        return
    hello = hello_in(script.payload)
    assert len(set(hello.extension_types)) == len(hello.extension_types)
    assert set(hello.key_shares) <= set(hello.groups)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.make(GROUND).again is not None], ids=lambda case: case.id
)
def test_the_second_hello_is_the_message_in_the_bytes(case: Case) -> None:
    again = case.make(GROUND).again
    assert again is not None
    data, message = again(RETRY_FOR_P256)
    found = [item for item in Deframer().feed(data) if item.content == HANDSHAKE]
    if message:
        assert message[4:] == found[0].body
        assert data.count(b"\x14\3\3") <= 2
    else:
        assert not found


def test_the_correct_second_hello_changes_the_share_and_the_cookie_alone() -> None:
    script = next(case for case in CASES if case.id == "X01").make(GROUND)
    assert script.again is not None
    data, _ = script.again(RETRY_FOR_P256)
    first, second = hello_in(script.payload), hello_in(data)
    assert first.key_shares == ()
    assert second.key_shares == (SECP256R1,)
    assert second.extension(44) == b"abc"
    others = [item for item in second.extensions or () if item.type not in {KEY_SHARE, 44}]
    assert others == [item for item in first.extensions or () if item.type != KEY_SHARE]
    assert (first.random, first.session_id, first.suites) == (second.random, second.session_id, second.suites)


def test_the_x_beyond_the_field_is_on_the_curve_once_it_is_reduced() -> None:
    script = next(case for case in CASES if case.id == "K23").make(GROUND)
    (entry,) = hello_in(script.payload).extension(KEY_SHARE)
    p = shares._P
    x, y = int.from_bytes(entry.key_exchange[1:33], "big"), int.from_bytes(entry.key_exchange[33:], "big")
    assert x >= p
    assert (y * y - (x - p) ** 3 + 3 * (x - p)) % p == shares._B
