"""Generated hellos: many, distinct, the same for one seed, of every kind, each with what it may draw."""

from __future__ import annotations

import hashlib
from functools import cache
from random import Random

import pytest

from tlswire.fuzz.cases.rows import MODERN, OLDER, base_of
from tlswire.fuzz.edits import KINDS
from tlswire.fuzz.expect import expected
from tlswire.fuzz.fields import Block, walk
from tlswire.fuzz.generate import Mutation, base_tree, edits_of, generated
from tlswire.fuzz.model import ANYTHING, FLIGHT, Case
from tlswire.fuzz.oracle import GENERATED
from tlswire.fuzz.script import Ground
from tlswire.wire.records import Deframer

GROUND = Ground()
MANY = 5000

# The bytes of 300 cases of seed 7: changed on purpose only.
SEED, SOME = 7, 300
DIGEST = "4399c51187b49e2c791fd87ab798b37f262f27bc8a60921d369718d569442d4a"


@cache
def many() -> tuple[Case, ...]:
    return tuple(generated(GROUND, MANY, SEED))


def digest(cases: tuple[Case, ...]) -> str:
    return hashlib.sha256(b"".join(case.make(GROUND).payload for case in cases)).hexdigest()


def test_one_seed_gives_5000_hellos_no_two_alike() -> None:
    assert len(many()) == MANY
    assert len({case.id for case in many()}) == MANY
    assert len({case.make(GROUND).payload for case in many()}) == MANY


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert digest(many()[:SOME]) == DIGEST
    assert digest(tuple(generated(Ground(), SOME, SEED))) == DIGEST


def test_another_seed_gives_other_hellos() -> None:
    assert digest(tuple(generated(GROUND, 50, SEED + 1))) != digest(many()[:50])


def test_no_more_are_made_than_were_asked_for() -> None:
    assert list(generated(GROUND, 0)) == []
    assert len(list(generated(GROUND, 3))) == 3


def test_every_case_says_what_it_is() -> None:
    for case in many():
        assert case.group == GENERATED
        assert case.difference
        assert case.clause
        assert case.allowed
        assert case.base in {MODERN, OLDER}
        assert (case.level == "unspecified") == (case.allowed == ANYTHING)


@pytest.mark.parametrize("base", [MODERN, OLDER])
def test_every_length_of_the_grammar_lies(base: str) -> None:
    tree = base_tree(GROUND, base)
    made = list(edits_of(tree, Random(1)))
    for path, field in walk(tree):
        if isinstance(field, Block):
            told = {(edit.kind, edit.value) for edit in made if edit.path == path}
            top = (1 << 8 * field.width) - 1
            assert {("length-by", 1), ("length-by", -1), ("length-to", 0), ("length-to", top)} <= told
    assert {edit.kind for edit in made} == set(KINDS)


@pytest.mark.parametrize("base", [MODERN, OLDER])
def test_every_extension_is_bent_in_every_way(base: str) -> None:
    tree = base_tree(GROUND, base)
    made = list(edits_of(tree, Random(1)))
    for path, field in walk(tree):
        if path.startswith("extensions/") and path.count("/") == 1:
            assert {"drop", "duplicate", "move"} <= {edit.kind for edit in made if edit.path == path}
            assert len({edit.value for edit in made if edit.path == f"{path}/type"}) > 60
            body = next(item for name, item in walk(field) if name == "body")
            assert isinstance(body, Block)
            cut = {edit.value for edit in made if (edit.kind, edit.path) == ("size", f"{path}/body")}
            assert cut >= set(range(1, sum(len(part.data) for _, part in walk(body) if hasattr(part, "data"))))


def test_most_lies_about_a_length_must_be_refused() -> None:
    lies = [case for case in many() if case.name.startswith("length-") and "+" not in case.name]
    strict = [case for case in lies if case.level == "MUST"]
    assert len(lies) > 250
    assert len(strict) > 0.85 * len(lies)
    assert not any(FLIGHT in case.allowed for case in strict)


def test_most_of_all_is_decided_by_a_clause() -> None:
    assert sum(case.level == "MUST" for case in many()) > MANY / 2


def test_hellos_fit_one_reader() -> None:
    for case in many()[::20]:
        deframer = Deframer()
        (message,) = deframer.feed(case.make(GROUND).payload)
        assert deframer.error is None
        assert message.body == case.make(GROUND).message[4:]


@pytest.mark.parametrize("base", [MODERN, OLDER])
def test_a_mutation_of_nothing_is_the_valid_hello(base: str) -> None:
    script = Mutation(base).script(GROUND)
    assert expected(script.message[4:], base_of(GROUND, base)).allowed == ("flight", "retry")
