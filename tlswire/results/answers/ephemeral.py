"""The answer to ``ephemeral``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

# Of a prime p: (p-1)/2 is prime; it is a published one with a subgroup of known prime order; it is neither; it is no
# prime; it is too long to look.
Structure = Literal["safe", "subgroup", "not-safe", "composite", "unchecked"]
# Session ids that the server gives to clients that come without one.
SessionIds = Literal["empty", "fresh", "repeated", "mixed", "unknown"]
# What it makes of one that it never gave.
Stranger = Literal["echoed", "fresh", "empty", "unknown"]


class DhParameters(msgspec.Struct, frozen=True):
    """The parameters that came with some suites: ``families`` such as "DHE RSA", ``suite`` the one that was asked.

    ``name`` is that of a well-known prime, empty for any other. ``in_range`` says that generator and public value lie
    between 2 and p-2. Numbers are hexadecimal.
    """

    version: str
    suite: str
    families: list[str]
    export: bool
    bits: int
    name: str
    structure: Structure
    prime: str
    generator: str
    in_range: bool
    proof: Proof


class Keys(msgspec.Struct, frozen=True):
    """The public values of one group, over all connections of the scan: ``distinct`` of ``seen``."""

    exchange: Literal["DHE", "ECDHE", "TLS 1.3"]
    group: str
    seen: int
    distinct: int


class Randoms(msgspec.Struct, frozen=True):
    """The randoms of all ServerHellos. ``constant`` of them are one byte over and over; ``clock`` says that they begin
    with the time, which is ``skew_s`` seconds ahead of ours (null: too few to tell).
    """

    seen: int
    distinct: int
    constant: int
    clock: bool | None
    skew_s: float | None


class Sessions(msgspec.Struct, frozen=True):
    """Session ids before TLS 1.3: those of ``seen`` ServerHellos and their lengths in bytes; ``stranger`` is the answer
    to an id the server never gave.
    """

    ids: SessionIds
    seen: int
    lengths: list[int]
    stranger: Stranger


class Ephemeral(QuestionAnswer, frozen=True, kw_only=True):
    """What should be fresh or strong in every handshake. ``named_groups``: whether the server takes its DHE group from
    the client's list (RFC 7919); null where that was not asked.
    """

    parameters: list[DhParameters] = msgspec.field(default_factory=list)
    named_groups: bool | None = None
    keys: list[Keys] = msgspec.field(default_factory=list)
    randoms: Randoms | None = None
    sessions: Sessions | None = None
