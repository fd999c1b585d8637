"""The answer to ``robot``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations


class Flight(msgspec.Struct, frozen=True):
    """The reactions to five blocks of RSA in one shape of flight, seen in ``runs`` runs.

    ``flight``: complete has ChangeCipherSpec and Finished behind the ClientKeyExchange, short has not. Blocks are
    correct, begin (not 00 02), zero (the 00 is misplaced), none (no 00), version. ``different`` null: runs did not
    agree, or brought no reaction.
    """

    flight: Literal["complete", "short"]
    reactions: dict[str, str]
    different: bool | None
    runs: int
    proof: Proof


class Robot(QuestionAnswer, frozen=True, kw_only=True):
    """Whether the server tells well padded blocks of RSA from badly padded ones (ROBOT).

    ``oracle``: a strong one tells how a block begins, a weak one only whether all of it is right; ``unknown`` where
    nothing stable was seen.
    """

    version: str | None = None
    suite: str | None = None
    suite_name: str | None = None
    oracle: Literal["none", "weak", "strong", "unknown"] = "unknown"
    flights: list[Flight] = msgspec.field(default_factory=list)
