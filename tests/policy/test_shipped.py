"""The policies that come with tlswire: each loads, says on whose word its rules are, and fails nobody from memory."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tlswire.check.survey import questions_for
from tlswire.policy.facts import ANCHORS, FEATURES, KINDS, OFFERS, POSITIONS
from tlswire.policy.load import read_policy
from tlswire.policy.model import CATEGORIES, OPERATORS, category
from tlswire.policy.observed.scans import QUESTION_OF_FEATURE, QUESTION_OF_KIND
from tlswire.policy.shipped import names, shipped
from tlswire.registry import GROUPS, SUITES
from tlswire.scan.questions import QUESTIONS

if TYPE_CHECKING:
    from tlswire.policy.model import Rule

PROJECT = Path(__file__).parent.parent.parent
DOCUMENT = (PROJECT / "docs" / "policies.md").read_text(encoding="utf-8")
GUIDELINES = PROJECT.parent / "shared" / "policies"
MUST_SHIP = {
    "apple-mdm-27",
    "apple-ats",
    *(f"mozilla-{name}{edition}" for name in ("modern", "intermediate") for edition in ("", "-5.7", "-5.8")),
    "mozilla-old",
    "nist-800-52r2",
    "bsi-tr-02102-2",
    "rfc9325",
    "pci-dss-4",
    "fips-140-3",
    "cnsa-1",
}


def test_all_are_there() -> None:
    assert set(names()) >= MUST_SHIP


@pytest.mark.parametrize("name", names())
def test_a_policy_names_its_edition_and_sorts_its_rules(name: str) -> None:
    policy = shipped(name)
    assert policy.name == name
    assert policy.edition
    order = [CATEGORIES.index(category(rule.id) or "") for rule in policy.rules]
    assert order == sorted(order)


@pytest.mark.parametrize("name", names())
def test_nothing_fails_on_the_word_of_our_memory_alone(name: str) -> None:
    for rule in shipped(name).rules:
        assert rule.verified
        assert rule.level == "should" or not rule.verified.startswith("from memory"), rule.id


@pytest.mark.parametrize("name", names())
def test_every_rule_can_be_told_in_one_line_of_evidence(name: str) -> None:
    for rule in shipped(name).rules:
        assert rule.fault, rule.id
        assert not rule.title.endswith(".")
        assert rule.remedy.endswith("."), rule.id


def test_a_survey_asks_what_the_rules_look_at_and_nothing_else() -> None:
    assert questions_for([shipped("mozilla-modern")]) == ("certificates", "groups")
    assert "renegotiation" in questions_for([shipped("rfc9325")])
    assert {*QUESTION_OF_KIND.values(), *QUESTION_OF_FEATURE.values()} <= set(QUESTIONS)
    assert set(QUESTION_OF_FEATURE) == set(FEATURES) - {"plain-http"}
    assert set(QUESTION_OF_KIND) <= set(KINDS)


def rule(policy: str, name: str) -> Rule:
    return next(rule for rule in shipped(policy).rules if rule.id == name)


def wanted(policy: str, name: str, field: str) -> set[Any]:
    found = next(one.wanted for one in rule(policy, name).passes[0] if one.field == field)
    return set(found) if isinstance(found, tuple) else {found}


@pytest.mark.skipif(not GUIDELINES.exists(), reason="the guideline files of Mozilla are not beside the project")
@pytest.mark.parametrize("edition", ["5.7", "5.8", "6.0"])
@pytest.mark.parametrize("level", ["modern", "intermediate", "old"])
def test_mozilla_says_what_its_file_says(edition: str, level: str) -> None:
    known = json.loads((GUIDELINES / f"mozilla-{edition}.json").read_text())["configurations"].get(level)
    if level == "old" and edition != "5.7":
        return
    name = f"mozilla-{level}" + ("" if edition == "6.0" or level == "old" else f"-{edition}")
    codes = {SUITES.find(suite).code for suite in known["ciphersuites"]}
    assert wanted(name, "suite-tls13", "suite") == codes
    assert wanted(name, "group-allowed", "group") == {GROUPS.find(curve).code for curve in known["tls_curves"]}
    assert wanted(name, "validity-maximum", "validity_days") == {known["maximum_certificate_lifespan"]}
    assert wanted(name, "plaintext-hsts", "hsts_seconds") == {known["hsts_min_age"]}
    old = [one.wanted for one in rule(name, "version-old").when]
    assert old == [{"TLSv1.3": 0x0303, "TLSv1.2": 0x0302, "TLSv1": 0x0300}[min(known["tls_versions"])]]
    if level != "modern":
        assert wanted(name, "suite-tls12", "suite") == {SUITES.find(suite).code for suite in known["ciphers"]["iana"]}
        assert wanted(name, "key-size-dhe", "bits") == {known["dh_param_size"]}
        assert wanted(name, "key-size-rsa", "bits") == {known["rsa_key_size"]}
        order = "server" if known["server_preferred_order"] else "client"
        assert wanted(name, "version-preference", "preference") == {order}


# The document and the tables say the same.


def _column(title: str) -> set[str]:
    section = DOCUMENT.partition(f"\n### {title}\n")[2].partition("\n#")[0]
    return set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE))


def test_the_vocabulary_is_documented_as_the_tables_have_it() -> None:
    assert _column("Kinds") == set(KINDS)
    assert _column("Operators") == set(OPERATORS)
    assert _column("Features") == set(FEATURES)
    assert _column("Offers") == set(OFFERS)
    assert _column("Categories") == set(CATEGORIES)
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|$", DOCUMENT, re.MULTILINE))
    for kind, fields in KINDS.items():
        assert set(re.findall(r"`(\w+)`", rows[kind])) == set(fields), kind
    for word in (*POSITIONS, *ANCHORS):
        assert f"`{word}`" in DOCUMENT


def test_the_document_lists_every_policy() -> None:
    assert _column("Shipped") == set(names())


def test_the_example_of_the_document_is_a_policy() -> None:
    text = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)[0]
    policy = read_policy("example.toml", text.encode(), shipped)
    assert len(policy.rules) > 2
