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

    from tlswire.results.scan import Scan, Version

MAX_ROWS = 200


# A fact is known by the category of the problem that it is (empty: it is none) and by its name.
Fact = tuple[str, str]


class Row(msgspec.Struct, frozen=True):
    """One fact and what it is in every column, as lines."""

    category: str
    fact: str
    values: tuple[tuple[str, ...], ...]


class Comparison(msgspec.Struct, frozen=True):
    """Addresses of ``host`` side by side: those that answer alike share one of the ``columns``.

    ``rows`` differ, ``same`` facts do not; ``left_off`` rows more differ.
    """

    host: str
    addresses: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    same: int
    left_off: int


def compare(host: str, scans: Sequence[Scan]) -> Comparison:
    """The comparison of scans of one host."""
    told = [dict(_facts(scan, _common(scans))) for scan in scans]
    known = dict.fromkeys(fact for facts in told for fact in facts)
    differing = [fact for fact in known if len({facts.get(fact) for facts in told}) > 1]
    columns: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for scan, facts in zip(scans, told, strict=True):
        values = tuple(facts.get(fact, _missing(fact)) for fact in differing)
        columns.setdefault(values, []).append(scan.target.address or scan.target.host)
    rows = [Row(*fact, tuple(values[at] for values in columns)) for at, fact in enumerate(differing)]
    return Comparison(
        host=host,
        addresses=len(scans),
        columns=tuple(", ".join(addresses) for addresses in columns.values()),
        rows=tuple(rows[:MAX_ROWS]),
        same=len(known) - len(rows),
        left_off=len(rows[MAX_ROWS:]),
    )


def _common(scans: Sequence[Scan]) -> dict[str, set[str]]:
    """The suites that every address has that accepts a version."""
    common: dict[str, set[str]] = {}
    for scan in scans:
        for version in scan.versions:
            if version.suites:
                names = {suite.name for suite in version.suites}
                common[version.version] = common.get(version.version, names) & names
    return common


def _missing(fact: Fact) -> tuple[str, ...]:
    return ("no",) if fact[0] else ("not known",)


def _facts(scan: Scan, common: dict[str, set[str]]) -> Iterator[tuple[Fact, tuple[str, ...]]]:
    if not scan.reachable:
        yield ("", "Reached"), ("no", scan.error or "")
        return
    yield ("", "Reached"), ("yes",)
    yield ("", "Complete"), ("yes" if scan.complete else "no",)
    for problem in merged(scan.findings):
        yield (problem.category, problem.text), (", ".join(problem.versions) or "yes",)
    for version in scan.versions:
        suites = f", {len(version.suites)} suites" if version.suites else ""
        yield ("", version.version), (version.verdict + suites,)
        yield from _suites(version, common)
    for name in scan.answers.__struct_fields__:
        answer = getattr(scan.answers, name)
        if answer is not None:
            lines = tuple(line.text for line in answers.lines(name, answer, verbose=False))
            yield ("", answers.title(name)), lines


def _suites(version: Version, common: dict[str, set[str]]) -> Iterator[tuple[Fact, tuple[str, ...]]]:
    name = version.version
    if name in common:
        only = tuple(suite.name for suite in version.suites if suite.name not in common[name])
        yield ("", f"{name}: suites that not all have"), only or ("none",)
        order = f"the {version.preference}'s, {version.suites[0].name} first" if version.suites else "none"
        yield ("", f"{name}: order"), (order,)
