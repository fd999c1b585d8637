"""The geometry of the page's pictures: where cells, bars and marks stand. The templates draw them as inline SVG.

Widths that follow the page are percentages, so that no picture needs to be scaled. Must not import anything of
tlswire but ``report.table``.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from tlswire.report.table import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY = 86400
_SOON = 30  # days: a certificate that ends so soon is worth a look
COLUMNS = 24  # cells in a row of a strip: what a narrow screen takes
PITCH = 13


class Cell(msgspec.Struct, frozen=True):
    """A square of a strip: its place in pixels, its colour by ``kind``, and what it stands for."""

    x: int
    y: int
    kind: str
    title: str


class Strip(msgspec.Struct, frozen=True):
    """Squares in rows, as wide and high as said, in pixels."""

    width: int
    height: int
    cells: tuple[Cell, ...]


def strip(cells: Sequence[tuple[str, str]]) -> Strip:
    """A strip of (kind, title), in their order."""
    rows = -(-len(cells) // COLUMNS)
    placed = tuple(
        Cell(at % COLUMNS * PITCH, at // COLUMNS * PITCH, kind, title) for at, (kind, title) in enumerate(cells)
    )
    return Strip(min(len(cells), COLUMNS) * PITCH, rows * PITCH, placed)


HEIGHT = 128  # of columns over time, in pixels


class Column(msgspec.Struct, frozen=True):
    """A column over time: place and width in percent, and for each kind of session (place, height) in pixels."""

    x: float
    width: float
    start: str
    sessions: int
    weak: int
    failed: int
    stack: tuple[tuple[str, float, float], ...]


def columns(times: Sequence[tuple[float, int, int, int]]) -> tuple[Column, ...]:
    """A column for every (start in seconds, sessions, weak ones, failed ones), weak ones on the ground."""
    tallest = max((sessions for _, sessions, _, _ in times), default=0)
    width = 100 / len(times) if times else 0.0
    made = []
    for at, (start, sessions, weak, failed) in enumerate(times):
        stack, top = [], float(HEIGHT)
        for kind, count in (("weak", weak), ("legacy", failed), ("info", sessions - weak - failed)):
            if count:
                height = max(count / tallest * HEIGHT, 1.0)
                top -= height
                stack.append((kind, round(top, 1), round(height, 1)))
        made.append(
            Column(round(at * width, 3), round(width * 0.86, 3), moment(start), sessions, weak, failed, tuple(stack))
        )
    return tuple(made)


class Bar(msgspec.Struct, frozen=True):
    """A span of time: where it begins and how wide it is, in percent of the picture; ``said`` tells it in words."""

    start: float
    width: float
    kind: str
    said: str


class Timeline(msgspec.Struct, frozen=True):
    """Validity of certificates one below the other: a bar each (None: it says none), and where now is, in percent."""

    bars: tuple[Bar | None, ...]
    now: float


def validity(spans: Sequence[tuple[str | None, str | None]], now: str) -> Timeline | None:
    """Spans of RFC 3339 times, the leaf's first, which sets the scale: a root is valid for so long that beside it
    nobody would see the leaf. None where the leaf says nothing.
    """
    times = [_seconds(span) for span in spans]
    leaf, today = times[0] if times else None, _moment(now)
    if leaf is None or today is None:
        return None
    begin, end = min(leaf[0], today), max(leaf[1], today)
    margin = (end - begin) * 0.1 or 1.0
    begin, end = begin - margin, end + margin

    def place(moment: float) -> float:
        return round(min(max((moment - begin) / (end - begin), 0), 1) * 100, 2)

    def bar(first: float, last: float) -> Bar:
        days = int((last - today) // _DAY)
        if today > last:
            kind, left = "weak", f"expired {-days:,} days ago"
        elif today < first:
            kind, left = "weak", "not yet valid"
        else:
            kind, left = ("legacy" if days < _SOON else "strong"), f"{days:,} days left"
        said = f"{_date(first)} to {_date(last)}, {left}"
        return Bar(place(first), round(place(last) - place(first), 2), kind, said)

    return Timeline(tuple(None if span is None else bar(*span) for span in times), place(today))


def _date(seconds: float) -> str:
    return moment(seconds)[:10]


def _seconds(span: tuple[str | None, str | None]) -> tuple[float, float] | None:
    start, end = _moment(span[0]), _moment(span[1])
    return None if start is None or end is None or end < start else (start, end)


def _moment(text: str | None) -> float | None:
    try:
        return None if text is None else datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
