"""The answer to ``ccs``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations


class Ccs(QuestionAnswer, frozen=True, kw_only=True):
    """Whether a ChangeCipherSpec before there are keys is taken (CVE-2014-0224).

    ``vulnerable`` null: unknown. ``reactions`` are to such a message with a record behind it that nothing opens
    (``garbage``), with one that the keys of an empty secret open (``sealed``), and to the message ``alone``, as far as
    they were asked for: an alert by name, or how the connection ended.
    """

    version: str | None = None
    vulnerable: bool | None = None
    reactions: dict[str, str] = msgspec.field(default_factory=dict)
    proof: Proof | None = None
