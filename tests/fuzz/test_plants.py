from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tlswire.fuzz.campaign import Options, fuzz_address
from tlswire.fuzz.cases import CASES
from tlswire.fuzz.line import Bounds
from tlswire.lab.plants import SHOWN_BY
from tlswire.lab.server import running
from tlswire.probe.transport import Address

if TYPE_CHECKING:
    from tlswire.results.fuzz import Fuzz


def run(who: str, *names: str, generate: int = 0) -> Fuzz:
    cases = tuple(case for case in CASES if not names or case.id in names)
    with running(who) as lab:
        options = Options(generate=generate, bounds=Bounds(timeout=2))
        return asyncio.run(fuzz_address("lab", Address(lab.host, lab.port), cases, options))


def test_the_strict_server_conforms_to_the_whole_catalogue_and_to_what_the_grammar_makes() -> None:
    result = run("strict", generate=500)
    assert {case.id: case.reasons for case in result.cases if case.verdict in {"deviates", "unknown"}} == {}
    assert result.findings == []
    assert result.complete
    assert len(result.cases) >= 900


@pytest.mark.parametrize("plant", sorted(SHOWN_BY))
def test_a_planted_fault_is_found_by_the_cases_that_show_it(plant: str) -> None:
    result = run(plant, *SHOWN_BY[plant])
    found = {case.id for case in result.cases if case.verdict == "deviates"}
    assert found, [(case.id, case.reaction, case.reasons) for case in result.cases]
    assert result.findings
    assert {case for finding in result.findings for case in finding.cases} == found
