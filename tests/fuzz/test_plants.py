from __future__ import annotations

import asyncio
import statistics
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


def run(who: str, *names: str, generate: int = 0, shrink: bool = False, timeout: float = 2) -> Fuzz:
    cases = tuple(case for case in CASES if not names or case.id in names)
    with running(who) as lab:
        options = Options(generate=generate, shrink=shrink, bounds=Bounds(timeout=timeout))
        return asyncio.run(fuzz_address("lab", Address(lab.host, lab.port), cases, options))


def test_the_strict_server_conforms_to_the_whole_catalogue_and_to_what_the_grammar_makes() -> None:
    result = run("strict", generate=500)
    assert {case.id: case.reasons for case in result.cases if case.verdict in {"deviates", "unknown"}} == {}
    assert result.findings == []
    assert result.complete
    assert len(result.cases) >= 900


# What a reduction has to end in: lines of differences of which one must be there, for plants of one field.
_LEAST = {
    "long-session-id": "session_id 32 -> 33 bytes",
    "dies-of-session-id": "session_id 32 -> 33 bytes",
    "no-compression": "compression 1 -> 0 bytes",
    "odd-suites": "suites 30 -> 29 bytes",
    "drops-fragments": "in 2 records, cut at 3",
    "one-segment": "in 2 TCP segments",
    "refuses-record-0303": "in records of version 0x0303",
    "refuses-unknown": "extensions: 0x12340000 added",
    "pads-session-id": "session_id 32 -> 31 bytes",
    "by-legacy-version": "legacy_version 0x0303 -> 0x0304",
}
_contacts: list[int] = []


@pytest.mark.parametrize("plant", sorted(SHOWN_BY))
def test_a_planted_fault_is_found_and_reduced_to_what_is_planted(plant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlswire.lab.server.DEAD_FOR", 0.6)
    result = run(plant, *SHOWN_BY[plant], shrink=True, timeout=0.6)
    found = {case.id for case in result.cases if case.verdict == "deviates"}
    assert found, [(case.id, case.reaction, case.reasons) for case in result.cases]
    assert result.findings
    assert {case for finding in result.findings for case in finding.cases} == found
    if plant in _LEAST:
        assert [_LEAST[plant]] in [finding.differences for finding in result.findings]
    _contacts.extend(finding.contacts for finding in result.findings)


def test_half_of_the_reductions_take_300_connections_at_most() -> None:
    if not _contacts:
        pytest.skip("run together with the planted faults")
    assert statistics.median(_contacts) <= 300
