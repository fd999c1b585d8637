"""What devices' logs say, as a person reads it: servers worst first, under each its broken rules with proof and remedy.

Plain text of at most 110 columns; colour only when asked for. Everything that comes from a log passes ``printable``.
Must not import ``policy`` or ``cli``.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.report.table import counted, fit
from tlswire.report.text import Paint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.results.applelog import AppleLog, Counted, LogFinding, LogServer, Phase

_RED, _YELLOW, _BOLD, _DIM = "31", "33", "1", "2"
WIDTH = 110
_COLOURS: dict[Phase, str] = {"enforced": _RED, "unknown": _YELLOW, "audit": _YELLOW}
_PHASES: dict[Phase, str] = {
    "enforced": "refused",
    "audit": "warned of",
    "unknown": "seen, refused or not is not said",
}
_SURE = {"second-hand": "the line's form is known second-hand", "derived": "told by its likeness to known lines"}
# A report for people ends somewhere; the JSON has all.
_MOST = 200


def render(log: AppleLog, *, colour: bool = False, verbose: bool = False) -> str:
    """The whole report, ending in a newline; ``verbose`` adds where each finding stands and how its line is known."""
    return "\n".join(_lines(log, Paint(colour=colour), verbose=verbose)) + "\n"


def _lines(log: AppleLog, paint: Paint, *, verbose: bool) -> Iterator[str]:
    read = f"{counted(len(log.logs), 'log')}, {counted(sum(item.lines for item in log.logs), 'line')}"
    if log.servers:
        yield (
            paint(f"{counted(len(log.servers), 'server')} named by Apple devices, {log.policy}", _BOLD) + f"  ({read})"
        )
    else:
        yield paint("Nothing found", _BOLD) + f"  ({read})"
    for server in log.servers[:_MOST]:
        yield ""
        yield from _server(server, paint, verbose=verbose)
    if len(log.servers) > _MOST:
        yield ""
        yield f"{counted(len(log.servers) - _MOST, 'server')} more: --json has them all"
    problems = [problem for item in log.logs for problem in item.problems]
    untold = sum(item.untold for item in log.logs)
    if problems:
        yield ""
        yield paint("Not read", _BOLD)
        yield from (line for problem in problems for line in _wrapped(problem, 2))
        if untold:
            yield f"  and {counted(untold, 'place')} more"
    if log.notes:
        yield ""
        yield from (line for note in log.notes for line in _wrapped(note, 0))


def _server(server: LogServer, paint: Paint, *, verbose: bool) -> Iterator[str]:
    name = fit(printable(server.server), WIDTH) if server.server is not None else "a server whose name the device hid"
    yield paint(name, _BOLD)
    width = max(len(_title(finding)) for finding in server.findings)
    told: set[str] = set()
    for finding in server.findings:
        title = paint(f"{_title(finding):<{width}}", _COLOURS[finding.phase])
        yield f"  {title}  {_PHASES[finding.phase]}, {counted(finding.count, 'time')}"
        yield from _wrapped(finding.meaning + _listed(": ", finding.details, bare=True), width + 4)
        for reason in finding.reasons:
            rule = f" ({reason.rule})" if reason.rule else ""
            yield from _wrapped(f"{reason.at}: {reason.meaning}, {reason.check}{rule}", width + 4)
        yield from _wrapped(f"{_when(finding)}{_listed('by ', finding.processes)}", width + 4)
        if finding.remedy not in told:
            told.add(finding.remedy)
            yield from _wrapped(f"remedy: {finding.remedy}", width + 4)
        if verbose:
            sure = f" [{_SURE[finding.sureness]}]" if finding.sureness in _SURE else ""
            for text in (f"first: {finding.where}, {finding.id}", f"source: {finding.source}{sure}"):
                yield from (paint(line, _DIM) for line in _wrapped(text, width + 4))


def _title(finding: LogFinding) -> str:
    return finding.rule or "no rule named"


def _when(finding: LogFinding) -> str:
    if finding.first is None:
        return ""
    first, last = (_second(time) for time in (finding.first, finding.last or finding.first))
    return f"{first}  " if first == last else f"{first} to {last}  "


def _second(time: str) -> str:
    """A time without its fraction."""
    whole, dot, rest = time.partition(".")
    return whole + rest.lstrip("0123456789") if dot else time


def _listed(before: str, items: Sequence[Counted], *, bare: bool = False) -> str:
    """Names with how often; ``bare`` leaves the number out where there is one name only."""
    if not items:
        return ""
    return before + ", ".join(item.text if bare and len(items) == 1 else f"{item.text} {item.count}x" for item in items)


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * width
    shown = printable(text).strip()
    return textwrap.wrap(shown, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ") if shown else []
