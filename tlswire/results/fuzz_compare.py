"""``tlswire.fuzz-compare/1``: how several servers reacted to the same cases, and where they differ; and what a server
looks like among the stacks that are known.

Must not import anything of tlswire but the rest of ``results``; holds no logic.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.scan import Target, Tool  # noqa: TC001 - msgspec reads the annotations

FUZZ_COMPARE_SCHEMA: Literal["tlswire.fuzz-compare/1"] = "tlswire.fuzz-compare/1"


class Likeness(msgspec.Struct, frozen=True, kw_only=True):
    """A known stack and how far it is: ``distance`` is the share, 0 to 1, of the ``cases`` that both were asked to which
    they react differently; ``near`` whether that is close enough to name it.
    """

    name: str
    implementation: str
    version: str
    distance: float
    cases: int
    near: bool


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One server: a column. Counts are of cases by verdict; ``likeness`` is null where nobody asked for it."""

    target: Target
    reachable: bool
    complete: bool
    features: list[str]
    conforms: int
    deviates: int
    unknown: int
    not_applicable: int
    connections: int
    elapsed_s: float
    notes: list[str]
    error: str | None
    likeness: list[Likeness] | None = None


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """What one server did; ``reaction`` is empty where it was not asked."""

    reaction: str
    verdict: Literal["conforms", "deviates", "not-applicable", "unknown"]


class Differing(msgspec.Struct, frozen=True, kw_only=True):
    """A case to which servers react differently: a row, with a reaction for each of the columns."""

    id: str
    name: str
    group: str
    difference: str
    clause: str
    level: Literal["MUST", "SHOULD", "MAY", "unspecified"]
    allowed: list[str]
    reactions: list[Reaction]


class FuzzCompare(msgspec.Struct, frozen=True, kw_only=True):
    """``tlswire.fuzz-compare/1``. ``rows`` are the cases that tell the servers apart; all of them agree on ``same`` of the
    ``cases``. ``alike`` groups columns, by position, that react equally to everything; ``distances`` are shares, 0 to 1,
    of the cases both were asked, null where there are none.
    """

    schema: Literal["tlswire.fuzz-compare/1"] = FUZZ_COMPARE_SCHEMA
    seed: int
    cases: int
    same: int
    columns: list[Compared]
    rows: list[Differing]
    alike: list[list[int]]
    distances: list[list[float | None]]
    tool: Tool
