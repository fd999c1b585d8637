"""The answer to ``exposure``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer

Exposed = Literal["yes", "no", "unknown"]
# What else an attack needs that cannot be seen here: a client that takes part, or a mistake in the implementation.
Depends = Literal["", "client", "implementation"]


class Vulnerability(msgspec.Struct, frozen=True):
    """One known attack: whether what the server accepts is what it needs, why, and what to change.

    ``category`` is that of a finding, should it be exposed.
    """

    name: str
    category: str
    cve: list[str]
    exposed: Exposed
    depends: Depends
    why: str
    suites: list[str]
    remedy: str


class Exposure(QuestionAnswer, frozen=True, kw_only=True):
    """Known attacks, derived from the versions and suites accepted and from the answers to other questions."""

    vulnerabilities: list[Vulnerability] = msgspec.field(default_factory=list)
