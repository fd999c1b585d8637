"""The answer to ``exposure`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.exposure import Exposure, Vulnerability

TITLE = "Known attacks"
_DEPENDS = {"": "", "client": "if clients take part; ", "implementation": "if the implementation makes the mistake; "}
_WIDTH = 90


def lines(answer: Exposure, *, verbose: bool) -> Iterator[Line]:
    """Names by verdict; with ``verbose`` each with its reason and what to change."""
    if verbose:
        for row in answer.vulnerabilities:
            yield from _row(row)
        return
    yes = [row for row in answer.vulnerabilities if row.exposed == "yes"]
    worst = "weak" if any(row.category == "weak" for row in yes) else "legacy"
    yield from _names("exposed", [row for row in yes if not row.depends], worst)
    yield from _names(
        "exposed, if clients or the implementation take part", [row for row in yes if row.depends], "legacy"
    )
    yield from _names("unknown", [row for row in answer.vulnerabilities if row.exposed == "unknown"], "unknown")
    yield from _names("not exposed", [row for row in answer.vulnerabilities if row.exposed == "no"], "")


def _names(heading: str, rows: list[Vulnerability], colour: str) -> Iterator[Line]:
    if rows:
        text = f"{heading}: {', '.join(row.name for row in rows)}"
        yield from (Line(part, colour) for part in textwrap.wrap(text, _WIDTH, subsequent_indent="  "))


def _row(row: Vulnerability) -> Iterator[Line]:
    colour = {"yes": row.category, "unknown": "unknown"}.get(row.exposed, "")
    first, *more = textwrap.wrap(row.why, _WIDTH) or [""]
    yield Line(f"{row.name:<23}  {row.exposed:<7}  {first}", colour)
    if row.exposed == "yes":
        cve = f"{', '.join(row.cve)}; " if row.cve else ""
        more += textwrap.wrap(f"{cve}{_DEPENDS[row.depends]}{row.remedy}", _WIDTH)
    yield from (Line(f"{'':<34}{part}") for part in more)
