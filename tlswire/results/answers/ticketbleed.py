"""The answer to ``ticketbleed``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations


class Ticketbleed(QuestionAnswer, frozen=True, kw_only=True):
    """Whether a ticket that is offered with a session id of one byte gets 32 bytes back (CVE-2016-9244).

    ``vulnerable`` null: unknown. ``taken``: the ticket was taken with the short id; ``leaked`` bytes came back beyond
    it, and nobody looked at them. ``proof`` holds what was sent only.
    """

    version: str | None = None
    vulnerable: bool | None = None
    taken: bool = False
    leaked: int = 0
    proof: Proof | None = None
