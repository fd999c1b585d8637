"""The answer to ``renegotiation``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

# What became of a hello sent under the keys of a complete handshake. refused: already the first handshake of such a
# client is; fault: the server goes on, but against the protocol.
Outcome = Literal["renegotiated", "warning", "alert", "close", "silence", "refused", "fault", "unknown"]
# To a hello that says renegotiation_info, or the SCSV in its place: answered empty as it must be, not at all, with
# something else; null where it was not asked.
Signal = Literal["answered", "absent", "wrong", "unknown"]


class Attempt(msgspec.Struct, frozen=True):
    """One connection: how many renegotiations of those tried it took, and the ``answer`` to the last: its alert, its
    ending, or why nothing is known.
    """

    outcome: Outcome
    completed: int
    answer: str
    proof: Proof


class Renegotiation(QuestionAnswer, frozen=True, kw_only=True):
    """Renegotiation in ``version``, begun by the client: ``secure`` with renegotiation_info (null where the server does
    not answer it), ``insecure`` by a client that never said it.
    """

    version: str = ""
    extension: Signal | None = None
    scsv: Signal | None = None
    secure: Attempt | None = None
    insecure: Attempt | None = None
