from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.run import run
from tlswire.fuzz.campaign import Options, fuzz_address
from tlswire.fuzz.cases import chosen
from tlswire.fuzz.compare import compare, distance, vector
from tlswire.fuzz.line import Bounds
from tlswire.fuzz.stacks import ENOUGH, NEAR, Stack, known, nearest, read, written
from tlswire.lab.server import running
from tlswire.probe.transport import Address
from tlswire.report.fuzz_compare import letter, render
from tlswire.report.html import fuzz_compare_page

if TYPE_CHECKING:
    from pathlib import Path

    from tlswire.results.fuzz import Fuzz

CASES = chosen(("sni",))
CASES_OF_ALL = chosen(())
IDS = st.text("ABCDEFGH0123456789-", min_size=1, max_size=5)
VECTORS = st.dictionaries(IDS, st.sampled_from(("flight", "retry", "alert:50", "close", "hang")), max_size=20)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)
STACKS = st.lists(st.builds(Stack, TEXT, TEXT, TEXT, VECTORS), max_size=5)


def campaign(character: str) -> Fuzz:
    with running(character) as lab:
        options = Options(bounds=Bounds(timeout=1))
        return asyncio.run(fuzz_address("lab", Address(lab.host, lab.port), CASES, options))


@pytest.fixture(scope="module")
def strict() -> Fuzz:
    return campaign("strict")


def changed(result: Fuzz, at: int, **facts: object) -> Fuzz:
    cases = list(result.cases)
    cases[at] = msgspec.structs.replace(cases[at], **facts)
    return msgspec.structs.replace(result, cases=cases)


def test_servers_that_react_alike_have_no_rows_and_one_group(strict: Fuzz) -> None:
    result = compare([strict, strict])
    assert (result.rows, result.same, result.alike) == ([], len(CASES), [[0, 1]])
    assert result.distances == [[0.0, 0.0], [0.0, 0.0]]


def test_a_case_that_is_reacted_to_differently_is_a_row(strict: Fuzz) -> None:
    other = changed(strict, 0, reaction="alert:80", verdict="deviates")
    result = compare([strict, other, strict])
    assert [row.id for row in result.rows] == [strict.cases[0].id]
    assert [one.reaction for one in result.rows[0].reactions] == [
        strict.cases[0].reaction,
        "alert:80",
        strict.cases[0].reaction,
    ]
    assert result.alike == [[0, 2], [1]]
    assert result.distances[0][1] == round(1 / len(vector(strict)), 4)
    assert "alert:80!" in render(result)


def test_the_same_reaction_that_only_one_may_show_is_a_row(strict: Fuzz) -> None:
    result = compare([strict, changed(strict, 0, verdict="deviates")])
    assert len(result.rows) == 1


@pytest.mark.parametrize("facts", [{"reaction": "", "verdict": "not-applicable"}, {"verdict": "unknown"}])
def test_what_a_server_was_not_asked_or_is_flaky_is_no_difference(strict: Fuzz, facts: dict[str, str]) -> None:
    result = compare([strict, changed(strict, 0, **facts)])
    assert result.rows == []
    assert result.distances[0][1] == 0
    assert result.alike == [[0], [1]]


@given(VECTORS, VECTORS)
def test_distance_is_symmetric_a_share_and_none_where_nothing_is_common(
    one: dict[str, str], other: dict[str, str]
) -> None:
    share = distance(one, other)
    assert share == distance(other, one)
    assert (share is None) == (not one.keys() & other.keys())
    assert share is None or 0 <= share <= 1
    assert distance(one, one) == (0 if one else None)


@given(STACKS)
def test_a_table_of_stacks_is_read_as_it_was_written(stacks: list[Stack]) -> None:
    assert list(read(written(stacks))) == stacks


def test_the_shipped_table_is_in_order_and_everything_in_it_is_itself() -> None:
    assert len(known()) >= 20
    assert len({stack.name + stack.version for stack in known()}) == len(known())
    for stack in known():
        first = nearest(stack.vector)[0]
        assert (first.implementation, first.distance, first.near) == (stack.implementation, 0, True)


def test_a_server_unlike_any_stack_is_named_by_none() -> None:
    odd = dict.fromkeys((case.id for case in CASES_OF_ALL), "hang")
    assert not any(one.near for one in nearest(odd))


def test_few_common_cases_name_nobody() -> None:
    whole = {f"A{number}": "flight" for number in range(4 * ENOUGH)}
    few = dict(list(whole.items())[: ENOUGH - 1])
    some = dict(list(whole.items())[: ENOUGH + 1])
    stacks = [Stack("few", "x", "1", few), Stack("some", "x", "1", some), Stack("whole", "x", "1", whole)]
    assert [one.name for one in nearest(whole, stacks) if one.near] == ["whole"]
    assert not any(one.near for one in nearest(few, stacks))


def test_a_stack_is_near_up_to_the_bound_only() -> None:
    whole = {f"A{number}": "flight" for number in range(100)}
    for changes, near in ((int(100 * NEAR), True), (int(100 * NEAR) + 1, False)):
        other = whole | {f"A{number}": "close" for number in range(changes)}
        assert [one.near for one in nearest(other, [Stack("x", "x", "1", whole)])] == [near]


def test_letters_go_on_behind_z() -> None:
    assert [letter(at) for at in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_the_page_holds_columns_rows_and_distances_as_text(strict: Fuzz) -> None:
    hostile = msgspec.structs.replace(strict, notes=["<script>alert(1)</script>\x1b[31m"])
    page = fuzz_compare_page(compare([hostile, changed(strict, 0, reaction="alert:80")])).decode()
    assert "<script>alert(1)" not in page
    assert "\x1b" not in page
    assert strict.cases[0].name in page
    assert "alert:80" in page


def test_the_command_compares_and_has_a_column_for_a_server_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "compared.json"
    with running("strict") as one, running("wrong-alert") as other:
        done = run(
            *("fuzz", f"127.0.0.1:{one.port}", "--compare", f"127.0.0.1:{other.port}", "--compare", "127.0.0.1:1"),
            *("--compare", "nohost.invalid", "--cases", "sni", "--identify", "--json", str(file)),
            *("--html", str(tmp_path / "compared.html")),
        )
    assert done.code == 4, done.err
    result = json.loads(file.read_text(encoding="utf-8"))
    assert [column["reachable"] for column in result["columns"]] == [True, True, False, False]
    assert result["rows"]
    assert "unreachable" in done.out
    assert "looks like no known stack" in done.out
    assert (tmp_path / "compared.html").stat().st_size > 10_000


def test_nothing_is_sent_anywhere_when_one_of_the_targets_may_not_be_tested() -> None:
    with running("strict") as lab:
        done = run("fuzz", f"127.0.0.1:{lab.port}", "--compare", "192.0.2.1", "--cases", "sni")
    assert done.code == 2
    assert "192.0.2.1" in done.err
    assert done.out == ""


def test_compare_does_not_go_with_what_is_about_one_server() -> None:
    done = run("fuzz", "127.0.0.1:1", "--compare", "127.0.0.1:2", "--stack", "x")
    assert done.code == 2
    assert "--compare" in done.err
