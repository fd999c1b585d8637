"""What to paste, as a person reads and copies it: where it goes, what it takes the place of, the text, what to do then.

Texts stand by themselves, without marks before their lines, so that they can be copied. Must not import ``check``,
``policy`` or ``cli``.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.report.text import Paint
    from tlswire.results.verdict import Fix

WIDTH = 110
_BOLD, _DIM = "1", "2"


def lines(fix: Fix, paint: Paint, again: str = "") -> Iterator[str]:
    """One fix; ``again`` is the command that checks whether it did."""
    yield paint(printable(fix.title), _BOLD)
    if fix.rules:
        yield from _told("for", ", ".join(fix.rules))
    if fix.run:
        yield from _told("first", "run")
        yield from _pasted(fix.run)
    if fix.text:
        yield from _told("where", fix.where)
        if fix.instead_of:
            yield from _told("in place of", ", ".join(fix.instead_of))
        yield from _pasted(fix.text)
    if fix.text or fix.run:
        yield from _told("then", "; ".join(part for part in (fix.reload if fix.text else "", again) if part))
    yield from _told("takes", fix.since)
    yield from _told("note", fix.note)
    sure = f"{fix.verified}; {fix.source}" if fix.source else fix.verified
    yield from (paint(line, _DIM) for line in _told("how sure", sure))


def _told(what: str, text: str) -> list[str]:
    if not text:
        return []
    return textwrap.wrap(
        printable(f"{what}: {text}"),
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _pasted(text: str) -> Iterator[str]:
    yield ""
    for line in text.split("\n"):
        yield "    " + "\t".join(map(printable, line.split("\t")))
    yield ""
