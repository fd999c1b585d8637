"""The answer to ``padding`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.padding import CbcSuite, Padding

TITLE = "Padding oracles of CBC"
_RECORDS = {
    "mac": "bad MAC, good padding",
    "padding": "good MAC, bad padding",
    "both": "bad MAC, bad padding",
    "longer": "padding longer than the record",
    "only": "nothing but padding",
    "empty-mac": "no data, bad MAC",
    "empty-padding": "no data, bad padding",
    "good": "as it should be",
}


def lines(answer: Padding, *, verbose: bool) -> Iterator[Line]:
    """A line for all suites that are alike; with ``verbose`` one a suite, and the reactions where they differ."""
    groups: dict[tuple[str, str], list[CbcSuite]] = {}
    for suite in answer.suites:
        groups.setdefault(_outcome(suite), []).append(suite)
    for (outcome, category), suites in groups.items():
        versions = ", ".join(dict.fromkeys(suite.version for suite in suites))
        yield Line(f"{outcome} ({versions})", category)
        for suite in suites if verbose else ():
            yield Line(f"  {suite.version}  {suite.code}  {suite.name}")
            if suite.different is False:
                yield Line(f"    {suite.reactions['mac']} for all")
                continue
            for record, how in suite.reactions.items():
                yield Line(f"    {_RECORDS[record]:<32}  {how}")


def _outcome(suite: CbcSuite) -> tuple[str, str]:
    if suite.different is None:
        return "unknown", "unknown"
    if not suite.different:
        return "not vulnerable: malformed records are taken alike", ""
    seen = "" if suite.observable else ", in encrypted alerts"
    return f"vulnerable: {', '.join(suite.kinds)}{seen}", "weak"
