"""Facts judged: three values, any and every, rules that give way, gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tlswire.policy.engine import MOST_EVIDENCE, judge, overall
from tlswire.policy.facts import Facts, Subject
from tlswire.policy.load import read_policy

if TYPE_CHECKING:
    from tlswire.policy.model import Policy

RULE = """
[rules.{name}]
level = "{level}"
title = "T"
of = "suite"
need = "{need}"
when = {{ forward_secrecy = true }}
pass = [{{ bits = {{ at-least = 128 }} }}, {{ aead = true }}]
source = "S"
remedy = "R"
"""
HEAD = 'name = "own"\ntitle = "Own"\nedition = "1"\n'


def policy(need: str = "every", level: str = "must", more: str = "") -> Policy:
    return read_policy("own.toml", (HEAD + RULE.format(name="suite-x", level=level, need=need) + more).encode())


def suite(text: str, node: str = "") -> Subject:
    """A suite from three signs, for forward secrecy, 128 bits and AEAD: + yes, - no, ? unknown."""
    signs = [{"+": True, "-": False, "?": None}[sign] for sign in text]
    bits = None if signs[1] is None else 128 if signs[1] else 64
    return Subject("suite", text, {"forward_secrecy": signs[0], "bits": bits, "aead": signs[2]}, node=node)


# Suites that were seen, and the verdict where every one, and where any one must pass.
TABLE = [
    ("", "not-applicable", "fail"),
    ("+++", "pass", "pass"),
    ("++-", "pass", "pass"),
    ("+-+", "pass", "pass"),
    ("+--", "fail", "fail"),
    ("+?+", "pass", "pass"),
    ("+?-", "unknown", "unknown"),
    ("+??", "unknown", "unknown"),
    ("---", "not-applicable", "fail"),
    ("?--", "unknown", "fail"),
    ("?++", "not-applicable", "unknown"),
    ("+++ +--", "fail", "pass"),
    ("+++ +??", "unknown", "pass"),
    ("+-- +??", "fail", "unknown"),
    ("+++ ---", "pass", "pass"),
    ("+++ ?--", "unknown", "pass"),
    ("+++ ?++", "pass", "pass"),
]


@pytest.mark.parametrize(("seen", "every", "any_"), TABLE)
def test_three_values(seen: str, every: str, any_: str) -> None:
    facts = Facts([suite(text) for text in seen.split()])
    assert judge(policy("every"), facts)[0].verdict == every
    assert judge(policy("any"), facts)[0].verdict == any_


@pytest.mark.parametrize(
    ("seen", "every", "any_"),
    [("", "unknown", "unknown"), ("+++", "unknown", "pass"), ("+--", "fail", "unknown"), ("---", "unknown", "unknown")],
)
def test_a_gap_leaves_open_what_is_not_decided_by_what_was_seen(seen: str, every: str, any_: str) -> None:
    facts = Facts([suite(text) for text in seen.split()], {"suite": "the line went dead"})
    told = judge(policy("every"), facts)[0]
    assert told.verdict == every
    assert judge(policy("any"), facts)[0].verdict == any_
    assert (every == "unknown") == any(item.text == "the line went dead" for item in told.evidence)


def test_a_broken_should_is_a_warning() -> None:
    assert judge(policy(level="should"), Facts([suite("+--")]))[0].verdict == "warn"


def test_every_node_must_have_one_where_any_one_is_enough() -> None:
    facts = Facts([suite("+++", "a"), suite("+--", "a"), suite("+--", "b")])
    told = judge(policy("any"), facts)[0]
    assert (told.verdict, {item.node for item in told.evidence}) == ("fail", {"b"})


def test_a_rule_gives_way_to_a_broken_one_that_explains_it() -> None:
    later = RULE.format(name="tolerance-x", level="must", need="every") + 'unless = ["suite"]\n'
    told = {rule.id: rule for rule in judge(policy(more=later), Facts([suite("+--")]))}
    assert told["tolerance-x"].verdict == "not-applicable"
    assert told["tolerance-x"].evidence[0].text == "explained by suite-x"
    warned = judge(policy(level="should", more=later), Facts([suite("+--")]))
    assert {rule.id: rule.verdict for rule in warned} == {"suite-x": "warn", "tolerance-x": "fail"}


def test_evidence_is_bounded_and_what_is_left_out_is_counted() -> None:
    told = judge(policy(), Facts([suite("+--")] * 20))[0]
    assert [item.text for item in told.evidence][MOST_EVIDENCE:] == [f"and {20 - MOST_EVIDENCE} more"]


@pytest.mark.parametrize(
    ("seen", "level", "whole"),
    [("+++", "must", "pass"), ("+--", "must", "fail"), ("+--", "should", "warn"), ("+??", "must", "unknown")],
)
def test_the_whole_is_as_good_as_its_worst_rule(seen: str, level: str, whole: str) -> None:
    assert overall(judge(policy(level=level), Facts([suite(seen)]))) == whole


def test_an_unknown_should_leaves_the_whole_known() -> None:
    assert overall(judge(policy(level="should"), Facts([suite("+??")]))) == "pass"
