"""Servers side by side as a person reads it: a column each, a row for every case that tells them apart.

Everything that may come from outside passes ``printable``. Must not import anything of tlswire but ``escape``,
``report`` and ``results``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.report.items import typed
from tlswire.report.text import Paint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.results.fuzz_compare import Compared, Differing, FuzzCompare, Likeness, Reaction

_BOLD, _DIM, _RED, _YELLOW = "1", "2", "31", "33"
# What stands behind a reaction that deviates, where colours are not to be seen.
MARK = "!"
NOT_ASKED = "-"
# Some reactions are long words in a narrow column.
_SHORT = {"hello-then-abort": "hello+abort"}
_NARROWEST = 12
_NEIGHBOURS = 3


def render(result: FuzzCompare, *, colour: bool = False, verbose: bool = False) -> str:
    """The whole report, ending in a newline; ``verbose`` tells what differs and the clause in every row."""
    paint = Paint(colour=colour)
    return "".join(f"{line}\n" for line in _lines(result, paint, verbose=verbose))


def _lines(result: FuzzCompare, paint: Paint, *, verbose: bool) -> Iterator[str]:
    for at, column in enumerate(result.columns):
        yield from _head(at, column, paint)
    yield ""
    there = [at for at, column in enumerate(result.columns) if column.error is None]
    if len(there) > 1:
        yield from _matrix(result, there, paint, verbose=verbose)
        yield from _groups(result, there, paint)
    yield paint(
        f"{result.cases} cases: {len(result.rows)} tell the servers apart, the rest draw the same from all", _BOLD
    )


def name(column: Compared) -> str:
    """How a column is called: host and port, as they can be typed."""
    return typed(column.target)


def letter(at: int) -> str:
    """What stands above a column: A, B, ... AA."""
    return (letter(at // 26 - 1) if at >= 26 else "") + chr(ord("A") + at % 26)


def _head(at: int, column: Compared, paint: Paint) -> Iterator[str]:
    yield paint(f"{letter(at):<3}{printable(name(column))}", _BOLD) + "  " + _state(column, paint)
    for note in column.notes:
        yield paint(f"   {printable(note)}", _DIM)
    if column.likeness is not None:
        yield from (f"   {line}" for line in likeness_lines(column.likeness))


def _state(column: Compared, paint: Paint) -> str:
    if column.error is not None:
        return paint(printable(column.error), _RED)
    unknown = f", {column.unknown} unknown" if column.unknown else ""
    lacking = f", {column.not_applicable} not applicable" if column.not_applicable else ""
    return f"{column.conforms} conform, {column.deviates} deviate{unknown}{lacking}; {column.elapsed_s:.1f} s"


def likeness_lines(likeness: Sequence[Likeness]) -> Iterator[str]:
    """What a server looks like: the nearest known stack, or that there is none near; then the others."""
    near = [one for one in likeness if one.near]
    if near:
        yield f"looks like {_stack(near[0])}: {_share(near[0])}"
    else:
        yield "looks like no known stack" + (f"; the nearest is {_stack(likeness[0])}" if likeness else "")
    for one in likeness[:_NEIGHBOURS]:
        if not near or one is not near[0]:
            yield f"  {100 * one.distance:5.1f} %  {_stack(one)}"


def _stack(one: Likeness) -> str:
    return printable(f"{one.implementation} {one.version} ({one.name})")


def _share(one: Likeness) -> str:
    return f"{100 * one.distance:.1f} % of {one.cases} cases differ"


def word(reaction: Reaction) -> str:
    """A cell: the reaction, marked where it deviates."""
    shown = _SHORT.get(reaction.reaction, reaction.reaction) or NOT_ASKED
    return f"{shown}{MARK}" if reaction.verdict == "deviates" else shown


def _matrix(result: FuzzCompare, there: Sequence[int], paint: Paint, *, verbose: bool) -> Iterator[str]:
    if not result.rows:
        return
    width = max(len(f"{row.id:<6}{row.name}") for row in result.rows)
    yield paint(f"{'':<{width}}" + "".join(f"  {letter(at):<{_NARROWEST}}" for at in there).rstrip(), _BOLD)
    group = ""
    for row in result.rows:
        if row.group != group:
            group = row.group
            yield paint(group, _DIM)
        yield _row(row, there, width, paint)
        if verbose:
            yield paint(f"{'':<6}{printable(row.difference)}; {row.clause} {row.level}", _DIM)
    yield ""
    yield paint(f"{MARK} deviates from the clause   {NOT_ASKED} not asked: the server lacks the feature", _DIM)


def _row(row: Differing, there: Sequence[int], width: int, paint: Paint) -> str:
    line = f"{row.id:<6}{row.name}".ljust(width)
    for at in there:
        cell = row.reactions[at]
        colour = {"deviates": _RED, "unknown": _YELLOW, "not-applicable": _DIM}.get(cell.verdict)
        line += f"  {paint(f'{word(cell):<{_NARROWEST}}', colour)}"
    return line.rstrip()


def _groups(result: FuzzCompare, there: Sequence[int], paint: Paint) -> Iterator[str]:
    alike = [group for group in result.alike if len(group) > 1]
    for group in alike:
        yield f"{', '.join(letter(at) for at in group)} react alike to everything"
    if len(there) > 2:
        yield paint("share of cases that differ, percent", _DIM)
        yield "   " + "".join(f"{letter(at):>6}" for at in there)
        for at in there:
            shares = (result.distances[at][other] for other in there)
            yield f"{letter(at):<3}" + "".join(f"{'-' if one is None else f'{100 * one:.1f}':>6}" for one in shares)
        yield ""
