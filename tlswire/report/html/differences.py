"""What differs between the addresses of one host: facts side by side, of which only those that differ are shown.

Must not import anything of tlswire but ``results`` and ``report``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.report import answers
from tlswire.report.findings import merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.results.scan import Scan

MAX_ROWS = 200
_YES, _NO = "yes", "no"


class Row(msgspec.Struct, frozen=True):
    """One fact and what it is at every address."""

    fact: str
    values: tuple[str, ...]


class Comparison(msgspec.Struct, frozen=True):
    """Addresses of ``host`` side by side: ``rows`` differ, ``same`` facts do not; ``left_off`` rows more differ."""

    host: str
    addresses: tuple[str, ...]
    rows: tuple[Row, ...]
    same: int
    left_off: int


def compare(host: str, scans: Sequence[Scan]) -> Comparison:
    """The comparison of scans of one host."""
    told = [dict(_facts(scan)) for scan in scans]
    names = dict.fromkeys(name for facts in told for name in facts)
    rows = []
    for name in names:
        values = tuple(facts.get(name, _missing(name)) for facts in told)
        if len(set(values)) > 1:
            rows.append(Row(name, values))
    addresses = tuple(scan.target.address or scan.target.host for scan in scans)
    return Comparison(host, addresses, tuple(rows[:MAX_ROWS]), len(names) - len(rows), len(rows[MAX_ROWS:]))


def _missing(name: str) -> str:
    return _NO if name.startswith(("Suite", "Problem")) else "not known"


def _facts(scan: Scan) -> Iterator[tuple[str, str]]:
    """Every fact by its name. Suites and problems are there or are not."""
    yield "Reached", _YES if scan.reachable else f"no: {scan.error}"
    if not scan.reachable:
        return
    yield "Complete", _YES if scan.complete else _NO
    for version in scan.versions:
        yield version.version, f"{version.verdict}, {len(version.suites)} suites" if version.suites else version.verdict
        if version.suites:
            yield f"Order of {version.version}", f"the {version.preference}'s: first {version.suites[0].name}"
        for suite in version.suites:
            yield f"Suite {suite.name} in {version.version}", _YES
    for problem in merged(scan.findings):
        yield f"Problem {problem.category}: {problem.text}", ", ".join(problem.versions) or _YES
    for name in scan.answers.__struct_fields__:
        answer = getattr(scan.answers, name)
        if answer is not None:
            yield answers.title(name), "\n".join(line.text for line in answers.lines(name, answer, verbose=False))
