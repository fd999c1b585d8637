"""What ``tlswire fuzz --list`` and ``--explain`` show: the catalogue without sending anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.fuzz.campaign import changes
from tlswire.fuzz.cases import case_of
from tlswire.fuzz.script import Ground
from tlswire.wire.tree import explain, render

if TYPE_CHECKING:
    from tlswire.fuzz.model import Case

_MAX_EXPLAINED = 4096


def table(cases: tuple[Case, ...]) -> str:
    """A line a case."""
    return "".join(
        f"{case.id:<6}{case.group:<15}{case.name:<34}{case.level:<12} {' '.join(case.allowed):<40} {case.difference}\n"
        for case in cases
    )


def explained(name: str, seed: int) -> str:
    """One case: the row, the fields that differ, and what is sent, annotated. Raises UsageError."""
    case, ground = case_of(name), Ground(seed)
    script = case.make(ground)
    rows = [
        ("case", f"{case.id} {case.name} ({case.group})"),
        ("base", case.base),
        ("difference", case.difference),
        *(("field", line) for line in changes(case, script, ground)),
        ("clause", case.clause),
        ("level", case.level),
        ("allowed", ", ".join(case.allowed)),
        ("needs", ", ".join(case.needs) or "nothing"),
        ("known", case.history or "-"),
        ("peers", case.peers or "-"),
        ("sends", f"{len(script.payload)} bytes" + (", then FIN" if script.fin else "")),
    ]
    lines = [f"{label:<12}{printable(text)}" for label, text in rows]
    if len(script.payload) <= _MAX_EXPLAINED:
        lines += ["", *render(explain(script.payload)), "", script.payload.hex()]
    return "".join(f"{line}\n" for line in lines)
