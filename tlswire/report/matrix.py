"""Clients against servers, as a person reads it: a row for each client.

Everything that may come from outside passes ``printable``. Must not import ``check``, ``policy`` or ``cli``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.report.text import Paint
    from tlswire.results.verdict import Cell, Verdict

_COLOURS = {"fail": "31", "unknown": "33", "warn": "33", "pass": "32"}
# So many servers stand side by side.
MOST_COLUMNS = 5


def rows(cells: Sequence[Cell], paint: Paint) -> Iterator[str]:
    """What each client gets at one server."""
    width = max(len(printable(cell.client)) for cell in cells)
    for cell in cells:
        got = _got(cell) if cell.handshake.version else printable(cell.handshake.ending)
        broken = f"  {', '.join(cell.broken)}" if cell.broken else ""
        yield f"  {printable(cell.client):<{width}}  {_mark(cell, paint, 7)}  {got}{broken}"


def _got(cell: Cell) -> str:
    shown = cell.handshake
    parts = [shown.version, shown.suite, shown.group]
    if shown.version != "TLS 1.3":
        parts.append("extended master secret" if shown.extended_master_secret else "no extended master secret")
    if not shown.finished:
        parts.append(f"then {printable(shown.ending)}")
    return "  ".join(part for part in parts if part)


def crossed(verdicts: Sequence[Verdict], names: Sequence[str], paint: Paint) -> Iterator[str]:
    """Clients by servers: the verdict and the version in each place. ``names`` are those of the servers."""
    clients = list(dict.fromkeys(cell.client for verdict in verdicts for cell in verdict.matrix))
    width = max(len(printable(client)) for client in clients)
    widths = [max(len(name), len("unknown SSLv3.0")) for name in names]
    yield f"  {'':<{width}}" + "".join(f"  {name:<{size}}" for name, size in zip(names, widths, strict=True)).rstrip()
    for client in clients:
        line = f"  {printable(client):<{width}}"
        for verdict, size in zip(verdicts, widths, strict=True):
            cell = next((one for one in verdict.matrix if one.client == client), None)
            version = (cell.handshake.version if cell is not None and cell.handshake.finished else None) or "-"
            line += f"  {_mark(cell, paint, 7)} {version:<{size - 8}}" if cell is not None else f"  {'':<{size}}"
        yield line.rstrip()


def _mark(cell: Cell, paint: Paint, width: int) -> str:
    return paint(f"{cell.verdict:<{width}}", _COLOURS.get(cell.verdict))
