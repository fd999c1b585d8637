"""Scans and verdicts as Markdown for a ticket or a pull request: what is broken, what proves it, what to change.

GitHub's dialect, tables and HTML entities. Whatever servers may have said is text: no tag, no cell, no link, no mention.
Must not import anything of tlswire but ``escape``, ``report`` and ``results``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.report.items import ORDER, sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.report.items import Item, Result, Sheet
    from tlswire.results.verdict import Fix

# An entity is never markup, in every dialect; a backslash is, within tables and code. Within words and hosts nothing is:
# a bare link needs www. or ://, emphasis by underscores an end of a word.
_MARKUP = re.compile(r"[][\\`*<>#!|~&$@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
_MOST = 8
_TOLD = ("fail", "unknown", "warn", "note")
_NAMES = {"pass": "Kept", "skip": "Not applicable"}


def chunks(results: Iterable[Result], *, whole: bool = True) -> Iterator[bytes]:
    """The file: the list of targets where there are several, then a section each; not ``whole``: there should be more."""
    sheets = [sheet(result) for result in results]
    if not whole:
        yield _lines(("**The run was cut short: there should be more targets.**", ""))
    if len(sheets) > 1:
        yield _lines(_overview(sheets))
    for of in sheets:
        yield _lines(_section(of))


def text(value: str) -> str:
    """A string as Markdown that shows it and does nothing else; hosts of mail and names of users become code, where
    nobody is notified of them.
    """
    return code(value) if "@" in value else _escaped(value)


def code(value: str) -> str:
    """A string as Markdown, set as code. Backticks could not hold a bar within a table."""
    return f"<code>{_escaped(value)}</code>" if value else ""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a table of cells that are Markdown already."""
    titles = list(head)
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _escaped(value: str) -> str:
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", printable(value))


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _overview(sheets: list[Sheet]) -> Iterator[str]:
    yield from table(
        ("verdict", "target", "by", "rules"),
        ((of.outcome, code(of.where), text(of.judge), of.summary) for of in sheets),
    )
    yield ""


def _section(of: Sheet) -> Iterator[str]:
    yield f"## {of.outcome.upper()} {code(of.where)} {text(of.judge)}"
    yield ""
    yield f"Judged by: {text(of.title)}. {of.summary}."
    told = [item for outcome in _TOLD for item in of.items if item.outcome == outcome]
    if told:
        yield ""
        yield from table(("", "rule", "what was seen", "what to change"), map(_row, told))
    for outcome in ORDER:
        names = [text(item.name) for item in of.items if item.outcome == outcome]
        if outcome in _NAMES and names:
            yield ""
            yield f"{_NAMES[outcome]}: {', '.join(names)}"
    yield ""
    for fix in of.fixes:
        yield from _fix(fix)


def _fix(fix: Fix) -> Iterator[str]:
    yield f"### {text(fix.title) or code(fix.fix)}"
    yield ""
    told = (("For", ", ".join(fix.rules)), ("Takes", fix.since), ("Note", fix.note), ("How sure", fix.verified))
    yield from (f"- {name}: {text(said)}" for name, said in told if said)
    if fix.run:
        yield "- Run:"
        yield from _fenced(fix.run)
    if fix.text:
        instead = f" in place of {', '.join(map(code, fix.instead_of))}" if fix.instead_of else ""
        yield f"- Paste ({text(fix.where)}){instead}:"
        yield from _fenced(fix.text)
        yield f"- Then: {code(fix.reload)}"
    yield ""


def _fenced(pasted: str) -> Iterator[str]:
    """A block to copy, in a fence that is longer than any within it."""
    fence = "`" * (max((len(run) for run in re.findall("`+", pasted)), default=0) + 3)
    yield f"  {fence}"
    yield from ("  " + "\t".join(map(printable, line.split("\t"))) for line in pasted.split("\n"))
    yield f"  {fence}"


def _row(item: Item) -> tuple[str, str, str, str]:
    more = len(item.evidence) - _MOST
    source = f"<br>{text(item.source)}" if item.source else ""
    return (
        item.outcome,
        f"<code>{_escaped(item.name)}</code><br>{text(item.title)}{source}",
        "<br>".join((*map(code, item.evidence[:_MOST]), *([f"and {more} more"] if more > 0 else []))),
        text(item.remedy),
    )
