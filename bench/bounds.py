"""What tlswire promises, as a table, and whether a run keeps it.

Ratios are medians of the ratios of each round: both sides of one share the machine's mood.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.measure import Series

# By target and tool.
Results = Mapping[tuple[str, str], Series]
BEST_PEER = "best peer"


@dataclass(frozen=True, slots=True)
class Check:
    """One number and its limit: of the row itself, or divided by the same number of `versus` at the same target."""

    quantity: str
    limit: float
    versus: str = ""
    above: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """All checks of one row; a scan must also be right."""

    target: str
    tool: str
    checks: tuple[Check, ...]


BOUNDS = (
    Bound("a", "tlswire each", (Check("wall", 1.0, "sslscan"), Check("connections", 10, "sslscan", above=True))),
    Bound("a", "tlswire eliminate", (Check("wall", 0.7, "sslscan"), Check("connections", 260))),
    Bound("a", "tlswire 65,536 codes", (Check("wall", 2.0),)),
    Bound("b", "tlswire eliminate", (Check("wall", 0.25), Check("connections", 25))),
    Bound("b, questions", "tlswire --questions default", (Check("wall", 1.0), Check("connections", 150))),
    Bound("a + 100 ms", "tlswire each", (Check("wall", 0.2, BEST_PEER),)),
    Bound("-", "tlswire --help", (Check("wall", 0.15),)),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check with what was measured; None where its other side was not measured."""

    check: Check
    measured: float | None

    @property
    def met(self) -> bool | None:
        """None while nothing was measured to compare with."""
        if self.measured is None:
            return None
        return self.measured > self.check.limit if self.check.above else self.measured <= self.check.limit

    def __str__(self) -> str:
        check = self.check
        name = f"{check.quantity} / {check.versus}" if check.versus else check.quantity
        sign = ">" if check.above else "<="
        measured = "not measured" if self.measured is None else f"{self.measured:.4g}"
        verdict = {True: "met", False: "MISSED", None: "open"}[self.met]
        return f"{name} {measured} {sign} {check.limit:g}: {verdict}"


def best_peer(results: Results, target: str) -> Series | None:
    """The fastest peer at a target."""
    peers = (series for series in results.values() if series.is_peer and series.target == target)
    return min(peers, key=lambda series: series.wall, default=None)


def ratio(series: Series, other: Series) -> float:
    """How much longer than `other` it takes."""
    return statistics.median(mine.wall / its.wall for mine, its in zip(series.runs, other.runs, strict=True))


def judge(results: Results, series: Series) -> Iterator[Outcome]:
    """The row's bounds, if it has any."""
    for bound in BOUNDS:
        if (bound.target, bound.tool) != (series.target, series.tool):
            continue
        for check in bound.checks:
            yield Outcome(check, _measured(results, series, check))
        if series.found is not None:
            right, wrong = series.found
            yield Outcome(Check("missing or wrong", 0), len(series.truth) - right + wrong)


def _measured(results: Results, series: Series, check: Check) -> float | None:
    if not check.versus:
        return series.wall if check.quantity == "wall" else series.connections
    other = (
        best_peer(results, series.target) if check.versus == BEST_PEER else results.get((series.target, check.versus))
    )
    if other is None:
        return None
    if check.quantity == "wall":
        return ratio(series, other)
    if series.connections is None or not other.connections:
        return None
    return series.connections / other.connections
