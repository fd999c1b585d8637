"""The answer to ``signatures`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.signatures import Signature, Signatures

TITLE = "Signature schemes"
_ORDER = {"server": "  (in the server's order)", "client": "  (the client's order decides)", "unknown": ""}
_WIDTH, _INDENT = 106, " " * 9


def lines(answer: Signatures, *, verbose: bool) -> Iterator[Line]:
    """A version's schemes in a line or two; with ``verbose`` one line a scheme."""
    for version in answer.versions:
        names = ", ".join(scheme.name for scheme in version.schemes) or "none"
        for text in wrap(f"{version.version}  {names}{_ORDER[version.preference]}", _WIDTH, subsequent_indent=_INDENT):
            yield Line(text)
        told = {scheme.code for scheme in version.schemes}
        for scheme in (*version.schemes, *(one for one in version.unoffered if one.code not in told)):
            if verbose or scheme.check == "bad":
                yield Line(_detail(scheme), "fault" if scheme.check == "bad" else "")
        if version.unoffered:
            names = ", ".join(scheme.name for scheme in version.unoffered)
            yield Line(f"{version.version}  ignores what is offered: signs with {names} all the same", "fault")
        if verbose and version.refusals:
            refused = version.tried - len(version.schemes) - len(version.unknown)
            yield Line(f"  refuses the other {refused} with {', '.join(version.refusals)}")
        if version.unknown:
            yield Line(f"{version.version}  {len(version.unknown)} of {version.tried} unknown", "unknown")


def _detail(scheme: Signature) -> str:
    check = scheme.check if scheme.check == "verified" else scheme.reason
    return f"  {scheme.code}  {scheme.name:<24}  {scheme.key:<14}  {check}".rstrip()
