"""The answer to ``heartbleed``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations


class Heartbleed(QuestionAnswer, frozen=True, kw_only=True):
    """Whether a heartbeat that is shorter than it says gives away memory (CVE-2014-0160).

    ``vulnerable`` null: unknown. ``heartbeats``: the server agreed to heartbeats; ``asked`` bytes were asked for beyond
    what was sent, ``leaked`` came back, and nobody looked at them. ``alive``: an honest heartbeat was answered
    (null: none was sent).
    """

    version: str | None = None
    vulnerable: bool | None = None
    heartbeats: bool = False
    asked: int = 0
    leaked: int = 0
    alive: bool | None = None
    proof: Proof | None = None
