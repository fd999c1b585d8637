"""The answer to ``tolerance`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from textwrap import shorten
from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.tolerance import Tolerance, Tolerated

TITLE = "Tolerance of unusual hellos"
_WORDS = {
    "same": "as usual",
    "other": "another choice",
    "refused": "refused",
    "silent": "no answer",
    "broken": "breaks the protocol",
    "unknown": "unknown",
    "unasked": "not asked",
}
_LONGEST = 60


def lines(answer: Tolerance, *, verbose: bool) -> Iterator[Line]:
    """How many are borne, and each that is not; with ``verbose`` every one."""
    asked = [case for case in answer.cases if case.verdict not in {"unasked", "unknown"}]
    failed = [case for case in asked if not case.borne]
    if answer.cases:
        yield Line(f"{len(asked) - len(failed)} of {len(asked)} hellos are borne")
    for case in answer.cases if verbose else failed:
        yield Line(_line(case), "unknown" if case.verdict == "unknown" else "" if case.borne else case.category)
    if verbose:
        for name, chosen in (("usual", answer.usual), ("older", answer.older)):
            if chosen:
                yield Line(f"the {name} hello gets {chosen}")


def _line(case: Tolerated) -> str:
    what = f"{case.topic}: {case.title}"
    detail = case.chosen if case.verdict == "other" else "" if case.verdict == "same" else case.answer
    size = f"{case.size} bytes" if case.size else ""
    return (
        f"  {what:<48}  {size:>11}  {_WORDS[case.verdict]:<19}  {shorten(detail, _LONGEST, placeholder='...')}".rstrip()
    )
