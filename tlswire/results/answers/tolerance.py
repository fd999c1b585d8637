"""The answer to ``tolerance``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

# same: the choice the unchanged hello gets. other: another one. refused: an alert, a close or a reset. silent: nothing,
# until the time was over. broken: an answer that breaks the protocol. unknown: no answer that holds. unasked: such a
# hello cannot be made for this server, or need not be asked any more.
Verdict = Literal["same", "other", "refused", "silent", "broken", "unknown", "unasked"]


class Tolerated(msgspec.Struct, frozen=True):
    """What one hello got. ``size`` is bytes of its handshake message; ``chosen`` version and suite, empty without.

    ``borne`` is false where the server ought to have answered and did not, ``category`` is what such a finding then has
    (empty: nobody could expect an answer); ``answer`` is ``hello``, ``retry``, an alert
    or how the connection ended. Of a long hello the proof shows the beginning.
    """

    name: str
    topic: str
    title: str
    size: int
    verdict: Verdict
    borne: bool
    category: str
    answer: str
    chosen: str
    proof: Proof | None


class Tolerance(QuestionAnswer, frozen=True, kw_only=True):
    """Hellos with one thing changed; ``usual`` and ``older`` are the choices the unchanged ones get, empty without."""

    usual: str = ""
    older: str = ""
    cases: list[Tolerated] = msgspec.field(default_factory=list)
