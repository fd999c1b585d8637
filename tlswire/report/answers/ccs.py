"""The answer to ``ccs`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.ccs import Ccs

TITLE = "ChangeCipherSpec injection (CVE-2014-0224)"
_BEHIND = {
    "garbage": "with a record behind it that nothing opens",
    "sealed": "with a record that the keys of an empty secret open",
    "alone": "with nothing behind it",
}


def lines(answer: Ccs, *, verbose: bool) -> Iterator[Line]:
    """One line; with ``verbose`` the reactions."""
    if answer.vulnerable is not None:
        if answer.vulnerable:
            yield Line("vulnerable: an early ChangeCipherSpec is taken, with keys of an empty secret", "weak")
        else:
            yield Line("not vulnerable: an early ChangeCipherSpec is refused")
    if verbose:
        for behind, how in answer.reactions.items():
            yield Line(f"  {answer.version}  {_BEHIND[behind]:<50}  {how}")
