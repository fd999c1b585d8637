"""The answer to ``padding``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

# By what a server tells apart: see docs/questions.md.
Kind = Literal["poodle-tls", "zombie-poodle", "goldendoodle", "zero-length", "other"]


class CbcSuite(msgspec.Struct, frozen=True):
    """The reactions to malformed records of one suite in one version, seen in ``runs`` runs.

    ``kinds`` are the oracles they make; ``observable`` whether they differ without the keys, too (alerts are encrypted:
    one looks like another). ``different`` null: runs did not agree, or brought no reaction.
    """

    version: str
    code: str
    name: str
    reactions: dict[str, str]
    different: bool | None
    kinds: list[Kind]
    observable: bool
    runs: int
    proof: Proof


class Padding(QuestionAnswer, frozen=True, kw_only=True):
    """Whether records of CBC tell what is wrong with them, by version and by cipher and MAC."""

    suites: list[CbcSuite] = msgspec.field(default_factory=list)
