"""The catalogue as a table: ids and names are unique and those of the source, clauses and reactions are well formed,
scripts are the same bytes every time and bounded, and what must be negotiated is a hello by the strict grammar.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from tlswire.errors import WireError
from tlswire.fuzz import model
from tlswire.fuzz.cases import CASES, chosen
from tlswire.fuzz.features import NAMES
from tlswire.fuzz.fields import encode
from tlswire.fuzz.model import FLIGHT, NEGOTIATE, Case
from tlswire.fuzz.script import Ground, Script
from tlswire.registry import VERSIONS
from tlswire.wire.handshake import parse_client_hello

SOURCE = Path(__file__).parents[3] / "shared" / "facts" / "fuzz-cases.csv"
RECORDS = {"record", "handshake", "body", "version", "size", "foreign", "baseline"}
REACTIONS = {*model.WAITING, model.NOT_TLS}
# "RFC 9846 4.2.2, 6 (RFC 8446 4.1.2); RFC 5246 7.4.1.2": documents in a row, each with its sections.
_SECTION = r"[0-9A-F][0-9.]*"
_DOCUMENT = rf"RFC \d{{4}}(?: {_SECTION}(?:, {_SECTION})*)?"
CLAUSE = re.compile(rf"{_DOCUMENT}(?: \({_DOCUMENT}\))?(?:; {_DOCUMENT}(?: \({_DOCUMENT}\))?)*")
# What a script may take: seconds of pauses, bytes.
LONGEST, LARGEST = 0.3, 1 << 18

OURS = [case for case in CASES if case.group in RECORDS]


@pytest.fixture(scope="module")
def scripts() -> dict[str, Script]:
    ground = Ground(7)
    return {case.id: case.make(ground) for case in OURS}


def _source() -> dict[str, dict[str, str]]:
    if not SOURCE.exists():
        pytest.skip("../shared is not there")
    with SOURCE.open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_no_id_and_no_name_is_given_twice() -> None:
    for names in ([case.id for case in CASES], [case.name for case in CASES]):
        assert [name for name, count in Counter(names).items() if count > 1] == []


def test_every_row_of_the_source_is_there_under_its_name() -> None:
    known = {case.id: case for case in CASES}
    for id_, row in _source().items():
        case = known.get(id_)
        assert case is not None, id_
        assert (case.name, case.group) == (row["name"], row["group"]), id_
        if case.group in RECORDS:
            assert (case.base, case.difference) == (row["base"], row["difference"]), id_


@pytest.mark.parametrize("group", sorted({case.group for case in CASES}))
def test_rows_say_what_they_are_in_known_words(group: str) -> None:
    for case in chosen((group,)):
        assert case.difference, case.id
        assert case.allowed, case.id
        for token in case.allowed:
            assert token in REACTIONS or re.fullmatch(r"alert:\d{1,3}", token), (case.id, token)
        assert set(case.needs) <= NAMES, case.id
        assert case.version == 0 or case.version in VERSIONS, case.id
        assert case.level in {"MUST", "SHOULD", "MAY", "unspecified"}, case.id


def test_clauses_name_documents_and_sections() -> None:
    assert [(case.id, case.clause) for case in OURS if not CLAUSE.fullmatch(case.clause)] == []


def test_a_clause_is_there_for_every_demand() -> None:
    assert [case.id for case in CASES if case.level != "unspecified" and not case.clause] == []


def test_scripts_are_the_same_bytes_for_the_same_ground(scripts: dict[str, Script]) -> None:
    again = Ground(7)
    for case in OURS:
        script = case.make(again)
        known = scripts[case.id]
        assert (script.payload, script.message, script.cuts) == (known.payload, known.message, known.cuts), case.id


def test_two_seeds_are_two_sets_of_bytes(scripts: dict[str, Script]) -> None:
    other = Ground(8)
    same = [case.id for case in OURS if case.make(other).payload == scripts[case.id].payload]
    fixed = {case.id for case in OURS if case.group == "foreign" and not scripts[case.id].message}
    assert set(same) <= fixed | {"H04", "H45"} | {f"H{n}" for n in (16, 17)}


def test_scripts_are_bounded_in_time_and_size(scripts: dict[str, Script]) -> None:
    for id_, script in scripts.items():
        assert script.pause * len(script.cuts) <= LONGEST, id_
        assert len(script.payload) <= LARGEST or id_ == "Z28", id_
        assert list(script.cuts) == sorted(set(script.cuts)), id_
        assert all(0 < cut < len(script.payload) for cut in script.cuts), id_


def _readable(body: bytes) -> bool:
    try:
        parse_client_hello(body)
    except WireError:
        return False
    return True


def test_what_must_be_negotiated_is_a_hello_by_the_grammar(scripts: dict[str, Script]) -> None:
    for case in OURS:
        tree = scripts[case.id].tree
        if case.allowed == NEGOTIATE and tree is not None:
            assert _readable(encode(tree)), case.id


def test_what_must_be_misread_is_none(scripts: dict[str, Script]) -> None:
    """A decode_error is right only for bytes that the grammar refuses, up to the bodies of extensions."""
    bodies = [case for case in OURS if case.allowed == model.alerts(50) and case.group in {"handshake", "body"}]
    assert len(bodies) > 30
    for case in bodies:
        message = scripts[case.id].message
        said = int.from_bytes(message[1:4], "big")
        assert not _readable(message[4 : 4 + said]), case.id


def test_more_than_a_hello_is_read_to_its_end(scripts: dict[str, Script]) -> None:
    behind = [id_ for id_, script in scripts.items() if script.tail]
    assert {"R35", "R36", "R37", "R55", "H40", "F17", "F18"} <= set(behind)
    for case in OURS:
        script = scripts[case.id]
        assert not script.tail or script.message or case.group == "foreign", case.id


def test_a_hello_that_must_be_refused_is_not_let_through_by_its_row() -> None:
    """A MUST row that allows a flight and an alert at once is one where texts disagree: it says so."""
    for case in OURS:
        both = FLIGHT in case.allowed and any(token.startswith("alert") for token in case.allowed)
        if case.level == "MUST" and both:
            assert case.peers or case.version, case.id


def test_chosen_rows_are_those_that_match() -> None:
    def ids(*patterns: str) -> set[str]:
        return {case.id for case in chosen(patterns)}

    assert ids("R01", "sid-3*") == {"R01", "C03", "C04", "C05"}
    assert ids("baseline") == {"B01", "B02"}
    assert isinstance(chosen(())[0], Case)
