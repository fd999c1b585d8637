"""Servers side by side as the page shows them: columns, the matrix of what differs, and distances.

Values for the template ``fuzz_compare``; nothing is escaped here, the template does it. Must not import anything of
tlswire but ``results`` and ``report``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.report.fuzz_compare import letter, likeness_lines, name, word
from tlswire.report.html.fuzz import LEVELS, VERDICTS

if TYPE_CHECKING:
    from tlswire.results.fuzz_compare import Compared, Differing, FuzzCompare

MAX_ROWS = 3000


class Column(msgspec.Struct, frozen=True):
    """One server."""

    letter: str
    name: str
    compared: Compared
    likeness: tuple[str, ...]


class Cell(msgspec.Struct, frozen=True):
    """One reaction; ``kind`` gives its colour (empty: none)."""

    kind: str
    word: str


class Row(msgspec.Struct, frozen=True):
    """One case."""

    case: Differing
    kind: str
    cells: tuple[Cell, ...]


class Comparison(msgspec.Struct, frozen=True):
    """The page. ``distances`` are percents as text, ``left_off`` rows more differ."""

    result: FuzzCompare
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    left_off: int
    alike: tuple[str, ...]
    distances: tuple[tuple[str, ...], ...]


def comparison(result: FuzzCompare) -> Comparison:
    """How a comparison is shown."""
    return Comparison(
        result=result,
        columns=tuple(_column(at, one) for at, one in enumerate(result.columns)),
        rows=tuple(_row(row) for row in result.rows[:MAX_ROWS]),
        left_off=len(result.rows[MAX_ROWS:]),
        alike=tuple(", ".join(letter(at) for at in group) for group in result.alike if len(group) > 1),
        distances=tuple(
            tuple("-" if share is None else f"{100 * share:.1f}" for share in shares) for shares in result.distances
        ),
    )


def _column(at: int, compared: Compared) -> Column:
    likeness = () if compared.likeness is None else tuple(likeness_lines(compared.likeness))
    return Column(letter(at), name(compared), compared, likeness)


def _row(row: Differing) -> Row:
    cells = tuple(Cell("" if one.verdict == "conforms" else VERDICTS[one.verdict], word(one)) for one in row.reactions)
    return Row(row, LEVELS[row.level], cells)
