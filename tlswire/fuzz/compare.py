"""Results side by side: the vector of reactions of each server, what differs, and how far they are from one another.

Pure. A case counts only where a server was asked and gave the same answer whenever it was: what a stack lacks is no
difference, and what is flaky tells nothing. Must not import anything of tlswire but ``results``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire import __version__
from tlswire.results.fuzz_compare import Compared, Differing, FuzzCompare, Reaction
from tlswire.results.scan import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tlswire.results.fuzz import CaseResult, Fuzz

# Case id -> class of reaction.
Vector = dict[str, str]


def vector(fuzz: Fuzz) -> Vector:
    """The reactions of one server that hold."""
    return {case.id: case.reaction for case in fuzz.cases if _holds(case)}


def _holds(case: CaseResult) -> bool:
    return bool(case.reaction) and case.verdict in {"conforms", "deviates"}


def distance(one: Mapping[str, str], other: Mapping[str, str]) -> float | None:
    """The share, 0 to 1, of common cases with different reactions; None where no case is common."""
    common = one.keys() & other.keys()
    if not common:
        return None
    return sum(one[name] != other[name] for name in common) / len(common)


def compare(results: Sequence[Fuzz]) -> FuzzCompare:
    """The results of the same cases, in columns in this order."""
    vectors = [vector(fuzz) for fuzz in results]
    known = {case.id: case for fuzz in results for case in fuzz.cases}
    by_id = [{case.id: case for case in fuzz.cases} for fuzz in results]
    rows = [_row(case, [cases.get(name) for cases in by_id]) for name, case in known.items()]
    differing = [row for row in rows if _differs(row)]
    return FuzzCompare(
        seed=results[0].seed if results else 0,
        cases=len(known),
        same=len(known) - len(differing),
        columns=[_column(fuzz) for fuzz in results],
        rows=differing,
        alike=_alike(vectors),
        distances=[[_rounded(distance(one, other)) for other in vectors] for one in vectors],
        tool=Tool("tlswire", __version__),
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _row(case: CaseResult, cells: Sequence[CaseResult | None]) -> Differing:
    return Differing(
        id=case.id,
        name=case.name,
        group=case.group,
        difference=case.difference,
        clause=case.clause,
        level=case.level,
        allowed=case.allowed,
        reactions=[
            Reaction(reaction="", verdict="unknown")
            if cell is None
            else Reaction(reaction=cell.reaction, verdict=cell.verdict)
            for cell in cells
        ],
    )


def _differs(row: Differing) -> bool:
    """Whether two servers that were asked react differently, or only one of them as it should."""
    held = {(one.reaction, one.verdict) for one in row.reactions if one.verdict in {"conforms", "deviates"}}
    return len(held) > 1


def _alike(vectors: Sequence[Vector]) -> list[list[int]]:
    groups: dict[frozenset[tuple[str, str]], list[int]] = {}
    for at, one in enumerate(vectors):
        if one:
            groups.setdefault(frozenset(one.items()), []).append(at)
    return list(groups.values())


def _column(fuzz: Fuzz) -> Compared:
    verdicts = [case.verdict for case in fuzz.cases]
    return Compared(
        target=fuzz.target,
        reachable=fuzz.reachable,
        complete=fuzz.complete,
        features=fuzz.features,
        conforms=verdicts.count("conforms"),
        deviates=verdicts.count("deviates"),
        unknown=verdicts.count("unknown"),
        not_applicable=verdicts.count("not-applicable"),
        connections=fuzz.connections,
        elapsed_s=fuzz.elapsed_s,
        notes=fuzz.notes,
        error=fuzz.error,
        likeness=fuzz.likeness,
    )
