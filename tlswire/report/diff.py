"""A difference as a person reads it: what got worse first, a line a change. As text, or as Markdown for a pull request.

Everything that may come from outside passes ``printable``. Must not import anything of tlswire but ``escape``,
``report`` and ``results``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from tlswire.escape import printable
from tlswire.report import markdown
from tlswire.report.text import Paint
from tlswire.results.diff import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.diff import Change, Diff, TargetDiff

_BOLD, _DIM = "1", "2"
_COLOURS = {"regression": "31", "unknown": "33", "improvement": "32"}
_ORDER: tuple[Direction, ...] = get_args(Direction)
_FOUND = {"old": "only in the old results", "new": "only in the new results"}


def render(diff: Diff, *, colour: bool = False) -> str:
    """The whole report, ending in a newline."""
    paint = Paint(colour=colour)
    return "".join(f"{line}\n" for line in (*_targets(diff, paint), *_footer(diff, paint)))


def to_markdown(diff: Diff) -> str:
    """The same as a table of changes."""
    rows = [
        (change.direction, markdown.code(_label(target)), markdown.text(change.text))
        for target in diff.targets
        for change in _sorted(target)
    ]
    rows += [("neutral", markdown.code(_label(one)), _FOUND[one.found]) for one in diff.targets if one.found != "both"]
    rows.sort(key=lambda row: _ORDER.index(row[0]))
    table = markdown.table(("", "target", "change"), rows) if rows else ()
    return "".join(f"{line}\n" for line in (f"{_summary(diff)}.", "", *table))


def _targets(diff: Diff, paint: Paint) -> Iterator[str]:
    for target in diff.targets:
        if target.found != "both" or target.changes:
            yield paint(_label(target), _BOLD) + (f"  {_FOUND[target.found]}" if target.found != "both" else "")
            for change in _sorted(target):
                label = paint(f"{change.direction:<11}", _COLOURS.get(change.direction, _DIM))
                yield f"  {label}  {printable(change.text)}"


def _sorted(target: TargetDiff) -> list[Change]:
    return sorted(target.changes, key=lambda change: _ORDER.index(change.direction))


def _label(target: TargetDiff) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    line = f"{host}:{target.port}"
    if target.address not in {None, target.host}:
        line += f" ({target.address})"
    extra = (target.starttls and f"STARTTLS {target.starttls}", target.policy)
    return printable("  ".join(part for part in (line, *extra) if part))


def _footer(diff: Diff, paint: Paint) -> Iterator[str]:
    same = sum(target.found == "both" and not target.changes for target in diff.targets)
    if same:
        yield f"unchanged: {same} of {len(diff.targets)}"
    yield paint(_summary(diff), _BOLD)


def _summary(diff: Diff) -> str:
    counts = diff.counts
    regressions = "1 regression" if counts.regression == 1 else f"{counts.regression} regressions"
    improvements = "1 improvement" if counts.improvement == 1 else f"{counts.improvement} improvements"
    return f"{regressions}, {counts.unknown} not known, {improvements}, {counts.neutral} neutral"
