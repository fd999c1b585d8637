"""The answer to ``clientauth`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from textwrap import shorten, wrap
from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.clientauth import ClientAuth, ClientAuths

TITLE = "Client certificates"
_WIDTH, _NAME = 106, 95
_POLICIES = {
    "never": "not asked for",
    "optional": "asked for, not required: the handshake is completed without one",
    "required": "required: without one the handshake ends with {outcome}",
    "application": "asked for, and required above TLS: {application}",
    "unknown": "asked for; whether it is required could not be seen ({outcome})",
}


def lines(answer: ClientAuths, *, verbose: bool) -> Iterator[Line]:
    """A line for versions that do the same; with ``verbose`` what certificates are taken."""
    told: dict[str, list[ClientAuth]] = {}
    for version in answer.versions:
        text = _POLICIES[version.policy].format(outcome=version.outcome, application=version.application)
        told.setdefault(text, []).append(version)
    for text, versions in told.items():
        yield Line(f"{', '.join(version.version for version in versions)}  {text}")
    if not verbose:
        asking = next((version for version in answer.versions if version.authority_count), None)
        if asking is not None:
            yield Line(f"  from {_some(asking)}")
        return
    takes: dict[tuple[str, ...], list[str]] = {}
    for version in answer.versions:
        if version.policy != "never":
            takes.setdefault(tuple(_takes(version)), []).append(version.version)
    for texts, names in takes.items():
        yield Line(f"{', '.join(names)}  takes")
        yield from map(Line, texts)
    said = next((version.application for version in answer.versions if version.application), "")
    if said:
        yield Line(f"a request without one is answered by: {said}")


def _some(version: ClientAuth) -> str:
    more = version.authority_count - 1
    return shorten(version.authorities[0], _NAME, placeholder="...") + (
        f" and {more} other authorities" if more else ""
    )


def _takes(version: ClientAuth) -> Iterator[str]:
    for label, names in (("types", version.types), ("schemes", version.schemes)):
        if names:
            yield from wrap(f"  {label:<7}  {', '.join(names)}", _WIDTH, subsequent_indent=" " * 11)
    for name in version.authorities or ["any authority"]:
        yield f"  from     {shorten(name, _NAME, placeholder='...')}"
    if version.authority_count > len(version.authorities):
        yield f"  and {version.authority_count - len(version.authorities)} others"
