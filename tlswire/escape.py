"""Strings from outside made fit for a terminal: one place, used by every writer. Imports nothing of tlswire."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""``text`` with everything that is not printable (controls, escapes, bidirectional marks) as ``\xNN`` escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
