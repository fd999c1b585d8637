"""The answer to ``fallback``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

# To a hello with TLS_FALLBACK_SCSV: inappropriate_fallback, a ServerHello, something else (``answer``), or nothing known.
Reaction = Literal["inappropriate-fallback", "goes-on", "other", "unknown"]
# Of the ServerHellos of one version: all have the mark, none has, the wrong one, or not all the same.
Marks = Literal["present", "absent", "wrong", "mixed"]


class Signal(msgspec.Struct, frozen=True):
    """What the server made of TLS_FALLBACK_SCSV in ``version``; ``answer`` is its alert or ending."""

    version: str
    reaction: Reaction
    answer: str
    proof: Proof


class Mark(msgspec.Struct, frozen=True):
    """The end of the randoms of ``version``, in ``hellos`` ServerHellos, ``marked`` of them as they should be.

    ``required`` is false where the RFC only says SHOULD: a server that knows TLS 1.2 and not TLS 1.3.
    """

    version: str
    marks: Marks
    required: bool
    hellos: int
    marked: int
    proof: Proof


class Fallback(QuestionAnswer, frozen=True, kw_only=True):
    """Protection against downgrades: ``lower`` is the signal one version below the best, ``best`` in the best one,
    where it means nothing and must not be refused.
    """

    best_version: str = ""
    lower: Signal | None = None
    best: Signal | None = None
    marks: list[Mark] = msgspec.field(default_factory=list)
