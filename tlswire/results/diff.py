"""``tlswire.diff/1``: what changed between two results of the same targets, and which of it is for the worse.

Must not import anything of tlswire but ``results``; holds no logic.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.scan import Tool  # noqa: TC001 - msgspec reads the annotations

DIFF_SCHEMA: Literal["tlswire.diff/1"] = "tlswire.diff/1"

# unknown: one of the results does not say, so nobody can tell whether something changed. neutral: neither good nor bad.
Direction = Literal["regression", "unknown", "improvement", "neutral"]
About = Literal[
    "target", "address", "policy", "verdict", "rule", "node", "handshake", "version", "suite", "finding", "certificate"
]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference: of ``subject``, in one line; ``old`` and ``new`` as the results have it (null: not there)."""

    direction: Direction
    about: About
    subject: str
    text: str
    old: str | None = None
    new: str | None = None


class TargetDiff(msgspec.Struct, frozen=True, kw_only=True):
    """One target: ``found`` says in which of the results it is; only what is in both can be compared."""

    host: str
    port: int
    address: str | None
    starttls: str | None
    policy: str | None
    found: Literal["both", "old", "new"]
    changes: list[Change]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many changes there are of each direction."""

    regression: int
    unknown: int
    improvement: int
    neutral: int


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """``tlswire.diff/1``: two files of results, of the schema ``of``, compared target by target."""

    schema: Literal["tlswire.diff/1"] = DIFF_SCHEMA
    of: str
    old: str
    new: str
    counts: Counts
    targets: list[TargetDiff]
    tool: Tool
