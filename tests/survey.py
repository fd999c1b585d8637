"""`python -m tests.survey [--only NAME,...] [--list]`: every stack that is installed is started, the whole catalogue is
run against it twice, and what was seen is written down: docs/survey.md for people, tlswire/fuzz/stacks.csv for --identify.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.catalogue import available
from tests.servers.process import ServerError, serving
from tests.servers.stacks import BY_STACK, STACKS, Stack
from tlswire.fuzz import stacks
from tlswire.fuzz.campaign import Options, fuzz_address
from tlswire.fuzz.cases import CASES
from tlswire.fuzz.compare import Vector, compare, vector
from tlswire.probe.transport import Address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.results.fuzz import CaseResult, Finding, Fuzz

PAGE = Path(__file__).parent.parent / "docs" / "survey.md"
RUNS = 2
MAX_CASES = 12


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One stack and what it did in every run."""

    stack: Stack
    runs: tuple[Fuzz, ...]

    @property
    def vector(self) -> Vector:
        """The reactions that were the same in every run."""
        vectors = [vector(run) for run in self.runs]
        return {name: said for name, said in vectors[0].items() if all(one.get(name) == said for one in vectors)}

    def changing(self) -> Iterator[tuple[CaseResult, ...]]:
        """The cases that were not believed, or whose reactions differ between runs."""
        for seen in zip(*(run.cases for run in self.runs), strict=True):
            if len({(one.reaction, one.verdict) for one in seen}) > 1 or any(one.verdict == "unknown" for one in seen):
                yield seen


def fuzzed(port: int) -> Fuzz:
    """One run of the whole catalogue."""
    return asyncio.run(fuzz_address("127.0.0.1", Address("127.0.0.1", port), CASES, Options()))


def once(name: str) -> Fuzz:
    """One run against a stack that is started for it."""
    stack = BY_STACK[name]
    with serving(stack.name, stack.row.recipe) as server:
        return fuzzed(server.port)


def survey(stack: Stack) -> Surveyed:
    """The stack, started anew for every run."""
    return Surveyed(stack, tuple(once(stack.name) for _ in range(RUNS)))


def table(surveyed: Sequence[Surveyed]) -> str:
    """The shipped table of what stacks look like."""
    return stacks.written(
        stacks.Stack(one.stack.told(), one.stack.implementation, one.stack.version(), one.vector) for one in surveyed
    )


def page(surveyed: Sequence[Surveyed]) -> str:
    """docs/survey.md."""
    return "".join(f"{line}\n" for line in _page(surveyed))


def _page(surveyed: Sequence[Surveyed]) -> Iterator[str]:
    implementations = {one.stack.implementation for one in surveyed}
    yield "# How TLS stacks react to hellos at the edge"
    yield ""
    yield (
        f"{len(CASES)} cases of the catalogue (`tlswire fuzz --list`) against {len(surveyed)} stacks of"
        f" {len(implementations)} implementations, made by `make survey`; every stack was started twice. A deviation was seen"
        " three times in a row, between handshakes that worked. What a stack lacks it is not judged on. Many run with"
        " everything switched on that they can (`tests/servers/stacks.py`), so this tells what the libraries do, not how"
        " safe their defaults are."
    )
    yield ""
    yield "| stack | TLS | conform | deviate | not applicable | not believed | findings | connections | seconds |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|"
    for one in surveyed:
        first = one.runs[0]
        verdicts = [case.verdict for case in first.cases]
        counts = (verdicts.count(name) for name in ("conforms", "deviates", "not-applicable", "unknown"))
        seconds = min(run.elapsed_s for run in one.runs)
        yield (
            f"| {one.stack.told()} | {one.stack.implementation} {one.stack.version()} |"
            f" {' | '.join(map(str, counts))} | {len(first.findings)} | {first.connections} | {seconds:.1f} |"
        )
    yield ""
    yield from _alike(surveyed)
    yield "## Deviations"
    for one in surveyed:
        yield ""
        yield f"### {one.stack.told()}, {one.stack.implementation} {one.stack.version()}"
        yield ""
        for finding in one.runs[0].findings:
            yield _finding(finding)
        if not one.runs[0].findings:
            yield "None."
        changing = list(one.changing())
        if changing:
            yield ""
            yield "Not the same every time, so no finding:"
            yield ""
            for seen in changing:
                shown = ", ".join(dict.fromkeys(case.reaction or case.verdict for case in seen))
                told = next((case.reasons[0] for case in seen if case.verdict == "unknown"), shown)
                yield f"- {seen[0].id} {seen[0].name}: {told}"


def _alike(surveyed: Sequence[Surveyed]) -> Iterator[str]:
    """How many of them can be told apart, and how far implementations are."""
    result = compare([one.runs[0] for one in surveyed])
    within: list[float] = []
    between: list[float] = []
    for a, b in itertools.combinations(range(len(surveyed)), 2):
        share = result.distances[a][b]
        same = surveyed[a].stack.implementation == surveyed[b].stack.implementation
        if share is not None:
            (within if same else between).append(share)
    yield (
        f"{len(result.rows)} of the {result.cases} cases tell some of them apart; of {len(surveyed)} vectors of reactions"
        f" {len(result.alike)} are different."
    )
    if within and between:
        yield (
            f"Two stacks of one implementation differ in {100 * sum(within) / len(within):.1f} % of the cases both were"
            f" asked on average (at most {100 * max(within):.1f} %), of two implementations in"
            f" {100 * sum(between) / len(between):.1f} % (at least {100 * min(between):.1f} %)."
        )
    yield ""


def _finding(finding: Finding) -> str:
    cases = ", ".join(finding.cases[:MAX_CASES])
    more = len(finding.cases) - MAX_CASES
    return f"- {finding.level}: {finding.text} ({cases}{f' and {more} more' if more > 0 else ''})"


def main() -> None:
    options = _options()
    surveyed = []
    for stack in STACKS:
        if options.only and stack.name not in options.only:
            continue
        reason = available(stack.row)
        if reason is not None or options.list:
            print(f"{stack.name:18} {reason or 'available'}")
            continue
        try:
            one = survey(stack)
        except ServerError as error:
            print(f"{stack.name:18} {error}")
            continue
        surveyed.append(one)
        first, changing = one.runs[0], len(list(one.changing()))
        seconds = " and ".join(f"{run.elapsed_s:.2f} s" for run in one.runs)
        print(f"{stack.name:18} {len(first.findings):3} findings, {changing} not the same twice, {seconds}", flush=True)
    if options.only or options.list:
        return
    PAGE.write_text(page(surveyed), encoding="utf-8")
    stacks.TABLE.write_text(table(surveyed), encoding="utf-8")
    print(f"{len(surveyed)} stacks written to {PAGE.name} and {stacks.TABLE.name}", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.survey", description="Run the catalogue against every stack."
    )
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="some, and write nothing")
    parser.add_argument("--list", action="store_true", help="the stacks, and whether they can run here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
