from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlswire.escape import printable
from tlswire.report.csv import cell
from tlswire.report.sheets import SCAN, VERDICT, chunks

from .asked import NASTY, hostile, scan, unreached, verdict

if TYPE_CHECKING:
    from tlswire.report.items import Result


def read(*results: Result) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(chunks(results)).decode(), newline=""), strict=True))


def test_a_scan_has_a_row_for_each_suite_and_each_version_without_one() -> None:
    rows = read(scan())
    expected = [
        (version.version, version.verdict, code)
        for version in scan().versions
        for code in [suite.code for suite in version.suites] or [""]
    ]
    assert [(row["version"], row["version_verdict"], row["code"]) for row in rows] == expected
    assert list(rows[0]) == list(SCAN)
    suite = scan().versions[-1].suites[0]
    assert (rows[-len(scan().versions[-1].suites)]["suite"], suite.grade) == (suite.name, "strong")


def test_a_verdict_has_a_row_for_each_rule() -> None:
    rows = read(verdict(), verdict())
    assert list(rows[0]) == list(VERDICT)
    assert [(row["rule"], row["rule_verdict"]) for row in rows] == [
        (rule.id, rule.verdict) for rule in verdict().rules
    ] * 2
    assert {row["verdict"] for row in rows} == {"fail"}


def test_a_table_is_of_one_kind() -> None:
    mixed, alone = (
        [row["host"] for row in read(*results)] for results in ((scan(), verdict(), scan()), (scan(), scan()))
    )
    assert mixed == alone


def test_who_was_not_reached_has_a_row() -> None:
    for result in unreached():
        (row,) = read(result)
        assert (row["reachable"], row["error"]) == ("false", cell(NASTY))


def test_the_headers_are_a_contract() -> None:
    """New columns go to the end: who reads by place must not be surprised."""
    head = "host,port,address,server_name,starttls,started,reachable,complete,error"
    assert (
        b"".join(chunks([scan()])).decode().startswith(f"{head},version,version_code,version_verdict,preference,code,")
    )
    assert (
        b"".join(chunks([verdict()])).decode().startswith(f"{head},policy,edition,endpoint,role,environment,verdict,")
    )
    assert b"".join(chunks([])) == b""


@pytest.mark.parametrize("text", ["=cmd()", NASTY, "@SUM(1)", '"\r\n'])
def test_no_cell_is_a_formula(text: str) -> None:
    for result in hostile(text):
        for row in read(result):
            assert None not in row
            for value in row.values():
                assert value.isprintable()
                assert not value.startswith(("=", "+", "-", "@"))


@given(st.text() | st.text(st.sampled_from("\"',;=+-@\r\n\t |")))
def test_a_text_comes_back_as_it_is_printed(text: str) -> None:
    for result in hostile(text):
        row = read(result)[0]
        assert row["host"] == cell(text)
        assert row["host"].removeprefix("'").replace("\\x3b", ";") == printable(text).removeprefix("'")
