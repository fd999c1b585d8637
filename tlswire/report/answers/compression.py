"""The answer to ``compression`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.compression import Compression

TITLE = "Compression"
_REACTION = {
    "chosen": "chosen",
    "null": "goes on without compression, which was not offered",
    "other": "goes on with another method, which was not offered",
    "refused": "refused",
    "unknown": "unknown",
}


def lines(answer: Compression, *, verbose: bool) -> Iterator[Line]:
    """A line for all versions alike, or one for each that compresses; with ``verbose`` the illegal hellos."""
    found = [version for version in answer.versions if version.methods]
    for version in found:
        yield Line(f"{version.version}  {', '.join(method.name for method in version.methods)}", "weak")
    none = [version.version for version in answer.versions if not version.methods and not version.unknown]
    if none:
        yield Line(f"{', '.join(none)}  none")
    for version in answer.versions:
        if version.unknown:
            yield Line(f"{version.version}  unknown: {', '.join(version.unknown)}", "unknown")
    if verbose:
        for each in answer.without_null:
            detail = f" ({each.answer})" if each.answer else ""
            yield Line(f"  {each.method} offered without null in {each.version}: {_REACTION[each.reaction]}{detail}")
