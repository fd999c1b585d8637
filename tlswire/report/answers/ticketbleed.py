"""The answer to ``ticketbleed`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.ticketbleed import Ticketbleed

TITLE = "Ticketbleed (CVE-2016-9244)"


def lines(answer: Ticketbleed, *, verbose: bool) -> Iterator[Line]:
    """One line; with ``verbose`` what became of the ticket."""
    if answer.vulnerable is None:
        return
    if answer.vulnerable:
        yield Line(f"vulnerable: {answer.leaked} bytes of memory came back, and were not looked at", "weak")
    else:
        yield Line("not vulnerable: a session id of one byte is not filled up")
    if verbose:
        became = "taken" if answer.taken else "not taken"
        yield Line(f"  {answer.version}  the ticket with a session id of one byte was {became}")
