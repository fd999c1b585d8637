"""The answer to ``heartbleed`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.heartbleed import Heartbleed

TITLE = "Heartbleed (CVE-2014-0160)"


def lines(answer: Heartbleed, *, verbose: bool) -> Iterator[Line]:
    """One line; with ``verbose`` what was asked and what came."""
    if answer.vulnerable is None:
        return
    if answer.vulnerable:
        yield Line(f"vulnerable: {answer.leaked} bytes of memory came back, and were not looked at", "weak")
    else:
        why = "the heartbeat that lies was not answered" if answer.heartbeats else "no heartbeats in its ServerHello"
        yield Line(f"not vulnerable: {why}")
    if verbose and answer.heartbeats:
        alive = "was answered" if answer.alive else "was not answered"
        yield Line(f"  {answer.version}  {answer.asked} bytes asked for beyond those sent; an honest heartbeat {alive}")
