"""The answer to ``groups`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.groups import Groups

TITLE = "Key exchange groups"
_ORDER = {"server": "in the server's order", "client": "the client's order decides", "unknown": ""}


def lines(answer: Groups, *, verbose: bool) -> Iterator[Line]:
    """A line a version; with ``verbose`` one a group."""
    for version in answer.versions:
        names = ", ".join(group.name for group in version.groups) or "none"
        order = _ORDER[version.preference]
        yield Line(f"{version.version}  {names}{f'  ({order})' if order and not verbose else ''}")
        if verbose:
            for group in version.groups:
                how = "asked for by a HelloRetryRequest" if group.answer == "retry" else ""
                quantum = "post-quantum" if group.post_quantum else f"{group.bits} bits"
                yield Line(f"  {group.code}  {group.name:<24}  {quantum:<12}  {how}".rstrip())
        if version.unknown:
            yield Line(f"{version.version}  {len(version.unknown)} of {version.tried} unknown", "unknown")
