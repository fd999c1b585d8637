"""SARIF: the parts of 2.1.0 that are used, as a schema written by hand from OASIS's text. The numbers are its sections."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema  # type: ignore[import-untyped]  # has no stubs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlswire.escape import printable
from tlswire.report.items import Result, sheet
from tlswire.report.sarif import LEVELS, chunks

from .asked import every, hostile, scan, unreached, verdict


def closed(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


TEXT = closed("text", text={"type": "string", "minLength": 1})  # 3.11, 3.12
HASHES = {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}
RULE = closed(  # 3.49
    "id",
    id={"type": "string"},
    shortDescription=TEXT,
    help=TEXT,
    properties=closed("tags", tags={"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
)
PHYSICAL = closed(  # 3.29
    "artifactLocation",
    artifactLocation=closed("uri", uri={"type": "string", "format": "uri-reference", "minLength": 1}),
    region=closed("startLine", startLine={"type": "integer", "minimum": 1}),
)
NAMED = {"type": "string", "minLength": 1}
LOGICAL = closed("name", name=NAMED, fullyQualifiedName=NAMED, kind={"const": "resource"})  # 3.33
RESULT = closed(  # 3.27
    "ruleId message",
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    level={"enum": ["note", "warning", "error"]},
    message=TEXT,
    locations={
        "type": "array",
        "minItems": 1,
        "items": closed(physicalLocation=PHYSICAL, logicalLocations={"type": "array", "items": LOGICAL}),
    },
    fingerprints=HASHES,
    partialFingerprints=HASHES,
)
DRIVER = closed("name", name=NAMED, version=NAMED, rules={"type": "array", "items": RULE})  # 3.19
CALL = closed("executionSuccessful", executionSuccessful={"type": "boolean"})  # 3.20
RUN = closed(  # 3.14
    "tool results",
    tool=closed("driver", driver=DRIVER),
    results={"type": "array", "items": RESULT},
    invocations={"type": "array", "items": CALL},
)
SARIF = closed(  # 3.13
    "version runs",
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs={"type": "array", "items": RUN},
)
VALIDATOR = jsonschema.Draft202012Validator(SARIF)


def results_of(*results: Result) -> list[dict[str, Any]]:
    whole = json.loads(b"".join(chunks(results)))
    VALIDATOR.validate(whole)
    (run,) = whole["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for found in run["results"]:
        assert rules[found["ruleIndex"]]["id"] == found["ruleId"]
    found_results: list[dict[str, Any]] = run["results"]
    return found_results


def prints(*results: Result) -> list[str]:
    return [found["fingerprints"]["tlswire/1"] for found in results_of(*results)]


def test_the_schema_of_this_test_refuses_something() -> None:
    for broken in ({}, {"version": "2.1.0", "runs": [{}]}, {"version": "2.0.0", "runs": []}):
        assert not VALIDATOR.is_valid(broken)


def test_a_result_for_all_that_is_not_in_order() -> None:
    found = {entry["ruleId"].removeprefix("apple-mdm-27/"): entry["level"] for entry in results_of(verdict())}
    levels = {"fail": "error", "warn": "warning", "unknown": "note"}
    assert found == {rule.id: levels[rule.verdict] for rule in verdict().rules if rule.verdict in levels}
    assert found["validity-825"] == "error"


def test_results_of_every_kind_are_valid() -> None:
    counts = [sum(item.outcome in LEVELS for item in sheet(result).items) for result in every()]
    assert all(counts)
    assert len(results_of(*every())) == sum(counts)
    assert results_of() == []


def test_rules_tell_remedy_and_source() -> None:
    (run,) = json.loads(b"".join(chunks([verdict()])))["runs"]
    (rule,) = (rule for rule in run["tool"]["driver"]["rules"] if rule["id"] == "apple-mdm-27/validity-825")
    assert rule["shortDescription"]["text"] == "A certificate is valid for at most 825 days"
    assert rule["help"]["text"].startswith("Remedy: Have the certificate issued anew")
    assert "\nSource: KB 103769" in rule["help"]["text"]
    assert run["tool"]["driver"]["version"] == verdict().tool.version


@pytest.mark.parametrize("whole", [True, False])
def test_a_run_that_was_cut_short_says_so(*, whole: bool) -> None:
    value = json.loads(b"".join(chunks([scan()], whole=whole)))
    VALIDATOR.validate(value)
    assert value["runs"][0]["invocations"] == [{"executionSuccessful": whole}]


def test_who_was_not_reached_does_not_look_repaired() -> None:
    assert [(entry["ruleId"], entry["level"]) for entry in results_of(*unreached())] == [
        ("scan/reachable", "note"),
        ("apple-mdm-27/reachable", "note"),
    ]


def test_fingerprints_stay_when_texts_and_addresses_change() -> None:
    assert len(set(prints(scan()))) == len(prints(scan())) > 0
    for result in (scan(), verdict()):
        target = msgspec.structs.replace(result.target, address="192.0.2.9")
        moved = msgspec.structs.replace(result, target=target, started="2027-01-01T00:00:00.000Z", elapsed_s=1.0)
        assert prints(moved) == prints(result)
        elsewhere = msgspec.structs.replace(target, port=1)
        assert not set(prints(msgspec.structs.replace(result, target=elsewhere))) & set(prints(result))
    counted = [msgspec.structs.replace(finding, text="other") for finding in scan().findings]
    assert prints(msgspec.structs.replace(scan(), findings=counted)) == prints(scan())


@pytest.mark.parametrize("host", ["a.example", "2001:db8::1", "../x", "https:", "a b%"])
def test_a_location_is_a_relative_reference(host: str) -> None:
    """GitHub rejects a file for a scheme that is not that of its checkout."""
    target = msgspec.structs.replace(scan().target, host=host, port=443)
    for found in results_of(msgspec.structs.replace(scan(), target=target)):
        (place,) = found["locations"]
        uri = place["physicalLocation"]["artifactLocation"]["uri"]
        assert urlsplit(uri)[:2] == ("", "")
        assert [unquote(part) for part in uri.split("/")] == [host, "443"]
        assert place["logicalLocations"][0]["fullyQualifiedName"].startswith("tls://")


@given(st.text() | st.text(st.characters(codec=None)))
def test_no_text_is_a_link_or_a_placeholder(text: str) -> None:
    for found in results_of(*hostile(text)):
        said = found["message"]["text"]
        plain = said.replace(r"\[", "[").replace(r"\]", "]").replace("{{", "{").replace("}}", "}")
        assert printable(text) in plain
        rest = said.replace(r"\[", "").replace(r"\]", "").replace("{{", "").replace("}}", "")
        assert not set(rest) & set("[]{}")
