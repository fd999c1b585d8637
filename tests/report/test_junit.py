from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree as ET

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tlswire.escape import printable
from tlswire.report.items import Result, sheet
from tlswire.report.junit import chunks

from .asked import every, hostile, scan, unreached, verdict

TAGS = ("failure", "error", "skipped")


def suites(*results: Result) -> list[ET.Element]:
    root = ET.fromstring(b"".join(chunks(results)))
    assert root.tag == "testsuites"
    return list(root)


def test_a_verdict_is_a_testsuite_and_a_rule_a_testcase() -> None:
    (suite,) = suites(verdict())
    cases = {case.get("name"): case for case in suite}
    assert list(cases) == ["reachable", *(rule.id for rule in verdict().rules)]
    assert {case.get("classname") for case in suite} == {f"apple-mdm-27 127.0.0.1:{verdict().target.port}"}
    for rule in verdict().rules:
        elements = [child.tag for child in cases[rule.id]]
        expected = {
            "pass": "",
            "fail": "failure",
            "unknown": "error",
            "not-applicable": "skipped",
            "warn": "system-out",
        }
        assert elements == [expected[rule.verdict]] * (rule.verdict != "pass"), rule.id
    broken = cases["validity-825"].find("failure")
    assert broken is not None
    assert broken.text is not None
    assert "is valid for 7305 days\nremedy: " in broken.text
    assert "\nsource: KB 103769" in broken.text


def test_the_sums_are_those_of_the_testcases() -> None:
    for suite, result in zip(suites(*every()), every(), strict=True):
        found = Counter(child.tag for case in suite for child in case)
        assert not {*found} - {*TAGS, "system-out"}
        assert suite.get("tests") == str(len(suite)) == str(len(sheet(result).items))
        assert suite.get("failures") == str(found["failure"])
        assert suite.get("errors") == str(found["error"])
        assert suite.get("skipped") == str(found["skipped"])


def test_no_testcase_hides_another() -> None:
    scans = msgspec.structs.replace(scan(), findings=scan().findings * 3)
    (suite,) = suites(scans)
    names = [(case.get("classname"), case.get("name")) for case in suite]
    assert len(set(names)) == len(names) == 2 + 3 * len(scan().findings)


def test_only_the_second_address_of_a_name_is_in_its_name() -> None:
    def at(address: str) -> Result:
        target = msgspec.structs.replace(scan().target, host="a.example", port=443, address=address)
        return msgspec.structs.replace(scan(), target=target)

    assert [suite.get("name") for suite in suites(at("192.0.2.1"), at("192.0.2.2"))] == [
        "scan a.example:443",
        "scan a.example:443 (192.0.2.2)",
    ]


def test_who_was_not_reached_is_an_error() -> None:
    for suite in suites(*unreached()):
        (case,) = suite
        assert case.get("name") == "reachable"
        assert [child.tag for child in case] == ["error"]


def test_what_could_only_warn_is_no_error_when_it_is_unknown() -> None:
    rules = [msgspec.structs.replace(rule, verdict="unknown") for rule in verdict().rules]
    (suite,) = suites(msgspec.structs.replace(verdict(), rules=rules))
    elements = {case.get("name"): [child.tag for child in case] for case in suite}
    for rule in rules:
        assert elements[rule.id] == (["error"] if rule.level == "must" else ["system-out"])
    assert suite.get("errors") == str(sum(rule.level == "must" for rule in rules))


def test_a_run_that_was_cut_short_is_an_error() -> None:
    *others, last = ET.fromstring(b"".join(chunks([scan()], whole=False)))
    assert len(others) == 1
    assert [child.tag for case in last for child in case] == ["error"]
    assert last.get("errors") == "1"


def test_an_exempt_target_breaks_nothing() -> None:
    exempt = msgspec.structs.replace(verdict(), verdict="exempt")
    for result in (exempt, msgspec.structs.replace(exempt, rules=[])):
        (suite,) = suites(result)
        assert {child.tag for case in suite for child in case} == {"skipped"}
        assert suite.get("failures") == suite.get("errors") == "0"


@given(st.text() | st.text(st.characters(codec=None)))
def test_every_text_is_kept_but_for_what_is_not_printable(text: str) -> None:
    for suite in suites(*hostile(text)):
        said = "\n".join(suite.itertext())
        assert printable(text) in said
        assert printable(text) in (suite.get("name") or "")
