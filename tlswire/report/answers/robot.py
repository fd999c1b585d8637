"""The answer to ``robot`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.robot import Robot

TITLE = "ROBOT (Bleichenbacher's oracle)"
_BLOCKS = {
    "correct": "a good block",
    "begin": "begins with other bytes than 00 02",
    "zero": "its 00 is misplaced",
    "none": "has no 00",
    "version": "has another version in it",
}
_MEANING = {
    "strong": "vulnerable: tells how a block of RSA begins (a strong oracle)",
    "weak": "vulnerable: tells good blocks of RSA from all others (a weak oracle)",
}


def lines(answer: Robot, *, verbose: bool) -> Iterator[Line]:
    """One line; with ``verbose`` the reaction to every block."""
    if answer.oracle in _MEANING:
        yield Line(_MEANING[answer.oracle], "weak")
    elif answer.oracle == "none" and answer.flights:
        yield Line("not vulnerable: good and bad blocks of RSA are taken alike")
    if verbose:
        for flight in answer.flights:
            runs = f"{flight.runs} runs" if flight.runs > 1 else "1 run"
            yield Line(f"  {answer.version}  {answer.suite_name}, {flight.flight} flights, {runs}")
            for block, how in flight.reactions.items():
                yield Line(f"    {_BLOCKS[block]:<36}  {how}")
