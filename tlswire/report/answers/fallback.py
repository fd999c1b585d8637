"""The answer to ``fallback`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.fallback import Fallback

TITLE = "Downgrade protection"
_REACTION = {
    "inappropriate-fallback": "honoured",
    "goes-on": "ignored",
    "other": "refused in another way",
    "unknown": "unknown",
}
_COLOUR = {"goes-on": "legacy", "unknown": "unknown"}


def lines(answer: Fallback, *, verbose: bool) -> Iterator[Line]:
    """The signalling suite and the marks; with ``verbose`` each version's."""
    if answer.lower is not None:
        lower = answer.lower
        detail = f" ({lower.answer})" if lower.answer else ""
        yield Line(
            f"TLS_FALLBACK_SCSV in {lower.version}: {_REACTION[lower.reaction]}{detail}",
            _COLOUR.get(lower.reaction, ""),
        )
    if answer.best is not None and (verbose or answer.best.reaction != "goes-on"):
        best = answer.best
        told = "goes on, as it must" if best.reaction == "goes-on" else f"refused ({best.answer})"
        told = "unknown" if best.reaction == "unknown" else told
        colour = {"goes-on": "", "unknown": "unknown"}.get(best.reaction, "fault")
        yield Line(f"TLS_FALLBACK_SCSV in {best.version}, the best version: {told}", colour)
    for kind in ("present", "absent", "wrong", "mixed"):
        rows = [mark for mark in answer.marks if mark.marks == kind]
        if rows:
            colour = "" if kind == "present" else "legacy" if any(mark.required for mark in rows) else ""
            yield Line(f"downgrade marks {kind} in {', '.join(mark.version for mark in rows)}", colour)
    if verbose:
        for mark in answer.marks:
            must = "required" if mark.required else "recommended"
            yield Line(f"  {mark.version}: in {mark.marked} of {mark.hellos} ServerHellos ({must})")
