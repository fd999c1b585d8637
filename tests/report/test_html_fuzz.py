"""The page of a campaign: findings with their bytes first, every case below, nothing from outside but as text."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from tlswire.fuzz.campaign import Options, fuzz_address
from tlswire.fuzz.cases import chosen
from tlswire.fuzz.line import Bounds
from tlswire.lab.server import running
from tlswire.probe.transport import Address
from tlswire.report.html import fuzz, fuzz_page

from .pages import checked, holds_hostile, poisoned

if TYPE_CHECKING:
    from tlswire.results import Fuzz

replace = msgspec.structs.replace


def fuzzed(character: str, *patterns: str) -> Fuzz:
    with running(character) as lab:
        options = Options(bounds=Bounds(timeout=1), stack="lab 1.0")
        return asyncio.run(fuzz_address("127.0.0.1", Address("127.0.0.1", lab.port), chosen(patterns), options))


@pytest.fixture(scope="module")
def planted() -> Fuzz:
    return fuzzed("wrong-alert", "sni", "alpn", "K2?")


def test_findings_come_first_with_clause_difference_bytes_and_replay(planted: Fuzz) -> None:
    document = checked(fuzz_page([planted]))
    text = document.text
    assert f"{len(planted.findings)} findings" in text
    assert text.index("Findings") < text.index("Sent, field by field") < text.index("Cases")
    for finding in planted.findings:
        assert finding.sent in text
        assert finding.clause in text
        assert all(difference in text for difference in finding.differences)
        replay = f"--cases {finding.case} --seed 0 --server-name localhost"
        assert f"tlswire fuzz 127.0.0.1:{planted.target.port} {replay}" in text
    assert "legacy_version  0x0303 TLS 1.2" in text
    assert "lab 1.0" in text


def test_a_finding_is_replayed_from_its_folder_or_its_bytes_where_no_case_makes_it(planted: Fuzz) -> None:
    first, second, *_ = planted.findings
    kept = replace(first, evidence="some where/x")
    made = replace(second, case="g-0123456789ab")
    text = checked(fuzz_page([replace(planted, findings=[kept, made])])).text
    assert f"tlswire replay 'some where/x' --to 127.0.0.1:{planted.target.port}" in text
    assert f"tlswire replay {second.sent} --to 127.0.0.1:{planted.target.port}" in text


def test_every_case_has_a_row_that_can_be_filtered_in_three_ways(planted: Fuzz) -> None:
    document = checked(fuzz_page([planted]))
    rows = [row for row in document.all("tr") if row.get("data-verdict")]
    assert len(rows) == len(planted.cases)
    assert {row.get("data-reaction") for row in rows} == {case.reaction or "not sent" for case in planted.cases}
    boxes = {box.get("data-by") for box in document.all("fieldset")}
    assert boxes == {"verdict", "reaction", "group"}
    links = [link.get("href") for link in document.all("a") if any(row in link.above for row in rows)]
    assert len(links) == sum(len(finding.cases) for finding in planted.findings)


def test_what_has_no_findings_says_why(planted: Fuzz) -> None:
    fine = replace(planted, findings=[])
    assert "No findings" in checked(fuzz_page([fine])).text
    cut = checked(fuzz_page([replace(fine, complete=False, notes=["interrupted"])])).text
    assert "Incomplete" in cut
    assert "interrupted" in cut
    gone = replace(fine, cases=[], features=[], error="unreachable: Connection refused", complete=False)
    text = checked(fuzz_page([gone])).text
    assert "Not fuzzed" in text
    assert "unreachable: Connection refused" in text


def test_several_servers_stand_one_below_the_other(planted: Fuzz) -> None:
    document = checked(fuzz_page([planted, replace(planted, findings=[])]))
    assert [article.get("aria-labelledby") for article in document.all("article")] == ["c1", "c2"]
    assert document.one("h1").text == "2 servers"


def test_hostile_text_stays_text(planted: Fuzz) -> None:
    evil = poisoned(planted)
    findings = [
        replace(one, sent=true.sent, received=true.received)
        for one, true in zip(evil.findings, planted.findings, strict=True)
    ]
    holds_hostile(checked(fuzz_page([replace(evil, findings=findings)])))


def test_a_page_has_bounds_and_says_what_is_left_off(planted: Fuzz, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "MAX_CASES", 5)
    monkeypatch.setattr(fuzz, "MAX_FINDINGS", 1)
    monkeypatch.setattr(fuzz, "MAX_LINES", 10)
    document = checked(fuzz_page([planted]))
    rows = [row for row in document.all("tr") if row.get("data-verdict")]
    assert [row.get("data-verdict") for row in rows] == ["deviates"] * 5
    assert f"{len(planted.cases) - 5} cases more are left off" in document.text
    assert f"{len(planted.findings) - 1} findings more are left off" in document.text
    assert "lines left off; tlswire decode shows them" in document.text
