"""What tables for people share: counts in words, cells that fit, columns that give way to the width of a terminal.

Must not import anything of tlswire but ``results`` and ``report.escape``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlswire.results.session import Endpoint, Session

WIDTH = 120
GAP = "  "
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLURALS = {"address": "addresses"}
_ENDINGS = {
    "reset": "connection reset",
    "closed": "connection closed",
    "unanswered": "no answer",
    "incomplete": "incomplete",
    "established": "established",
}


class Column(msgspec.Struct, frozen=True):
    """A column at least ``least`` wide. Where it is narrow, those with the highest ``rank`` go first.

    What room is left goes to the lowest ranks up to ``most``, to one that is ``greedy`` before all others. ``keep``
    says which end of a long cell matters, ``right`` that cells are numbers.
    """

    title: str
    least: int
    most: int
    rank: int
    keep: Literal["start", "end"] = "start"
    right: bool = False
    greedy: bool = False


def layout(columns: Sequence[Column], width: int | None) -> list[int]:
    """The width of every column, 0 for those that go; None for ``width`` takes everything as wide as it gets."""
    if width is None:
        return [column.most for column in columns]
    widths = [column.least for column in columns]
    for place in sorted(range(len(columns)), key=lambda place: -columns[place].rank):
        if _total(widths) <= width:
            break
        widths[place] = 0
    for place in sorted(range(len(columns)), key=lambda place: (not columns[place].greedy, columns[place].rank)):
        if widths[place]:
            widths[place] += max(0, min(columns[place].most - widths[place], width - _total(widths)))
    return widths


def _total(widths: list[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + len(GAP) * (len(shown) - 1)


def line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str], *, cut: bool = True) -> str:
    """One line of a table; without ``cut`` long cells push the rest to the right."""
    parts = []
    for column, width, text in zip(columns, widths, cells, strict=True):
        if width:
            shown = fit(text, width, column.keep) if cut else text
            parts.append(shown.rjust(width) if column.right else shown.ljust(width))
    return GAP.join(parts).rstrip()


def fit(text: str, width: int, keep: Literal["start", "end"] = "start") -> str:
    """``text``, or as much of one end as ``width`` takes with an ellipsis."""
    if len(text) <= width:
        return text
    return f"{text[: width - 1]}…" if keep == "start" else f"…{text[len(text) - width + 1 :]}"


def counted(number: int, word: str) -> str:
    """``1 session``, ``1,200 sessions``."""
    return f"{number:,} {word if number == 1 else _PLURALS.get(word, word + 's')}"


def listed(names: Sequence[str], width: int, *, open_end: bool = False) -> str:
    """As many ``names`` as fit into ``width``, the first always, and how many are left; ``open_end``: at least."""
    at_least = "at least " if open_end else ""
    for shown in range(len(names), 0, -1):
        left = len(names) - shown
        more = f" and {at_least}{left or 1} more" if left or open_end else ""
        text = ", ".join(names[:shown])
        if len(text) + len(more) <= width:
            return text + more
    return fit(names[0], max(width - len(more), 8), "end") + more if names else ""


def endpoint(peer: Endpoint) -> str:
    """Address and port."""
    return f"[{peer.address}]:{peer.port}" if ":" in peer.address else f"{peer.address}:{peer.port}"


def moment(seconds: float) -> str:
    """RFC 3339 UTC with microseconds; empty where a capture has no times, or none that a calendar knows."""
    try:
        return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if seconds else ""
    except OverflowError:
        return ""


def ending(session: Session) -> str:
    """How a session ended, with the alert that ended it."""
    if session.outcome == "alert":
        fatal = [alert for alert in session.alerts if alert.level == "fatal"] or session.alerts
        return f"{printable(fatal[-1].description)} from {fatal[-1].sender}" if fatal else "alert"
    return _ENDINGS[session.outcome]
