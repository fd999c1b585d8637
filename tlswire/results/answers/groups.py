"""The answer to ``groups``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations


class Group(msgspec.Struct, frozen=True):
    """A group the server takes when offered alone. ``bits`` is 0 where none are defined (ML-KEM).

    ``answer``: a ServerHello in it, or a HelloRetryRequest for it.
    """

    code: str
    name: str
    kind: str
    bits: int
    post_quantum: bool
    answer: Literal["hello", "retry"]
    proof: Proof


class VersionGroups(msgspec.Struct, frozen=True):
    """The groups of one version, in the server's order where it has one; ``unknown`` stayed without an answer."""

    version: str
    preference: Literal["server", "client", "unknown"]
    groups: list[Group]
    tried: int
    unknown: list[str]


class Groups(QuestionAnswer, frozen=True, kw_only=True):
    """Key exchange groups, by version; TLS 1.2 stands for all older ones."""

    versions: list[VersionGroups] = msgspec.field(default_factory=list)
