"""The answer to ``resumption``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

# What came of an offer to resume: the session went on, a new one was made, the hello was refused, nothing is known.
Outcome = Literal["resumed", "full", "refused", "unknown"]


class Way(msgspec.Struct, frozen=True):
    """One way to resume sessions, in one version.

    ``offered``: the server gave what it takes. It was used in ``tried`` connections, ``resumed`` of which went on, and
    ``unknown`` of which said nothing. ``reusable``: the same one works more than once. Of tickets: how many came at
    once, the ``lifetime`` in seconds as announced (0: not at all in TLS 1.2, none in TLS 1.3), the ``length`` in bytes,
    and the first 16 bytes where they are the same in all (RFC 5077 section 4 puts the name of a key there).
    ``other_name`` is what came of it under another server name that has another certificate (null: there was none).
    """

    version: str
    way: Literal["session id", "ticket", "psk"]
    offered: bool
    tried: int = 0
    resumed: int = 0
    unknown: int = 0
    reusable: bool | None = None
    tickets: int = 0
    lifetime: int | None = None
    length: int | None = None
    key_name: str | None = None
    other_name: Outcome | None = None
    proof: Proof | None = None


class Crossing(msgspec.Struct, frozen=True):
    """A session of one version offered in another, which no server may take."""

    of: str
    offered_in: str
    outcome: Outcome
    proof: Proof


class MasterSecret(msgspec.Struct, frozen=True):
    """Resumption where extended_master_secret was ``dropped`` from the new hello, or ``added`` to it (RFC 7627 5.3)."""

    change: Literal["dropped", "added"]
    version: str
    outcome: Outcome
    proof: Proof


class EarlyData(msgspec.Struct, frozen=True):
    """0-RTT: the most bytes that tickets allow, whether a request sent so was taken, and taken again when the same
    bytes were sent once more; ``answer`` is the first line of what came back. Null: not known.
    """

    limit: int
    accepted: bool | None = None
    replayed: bool | None = None
    answer: str | None = None
    proof: Proof | None = None


class Resumption(QuestionAnswer, frozen=True, kw_only=True):
    """Ways to resume a session under TLS 1.3 and the newest older version.

    ``psk_alone`` is what came of an offer to resume without a new key exchange, which gives up forward secrecy.
    """

    ways: list[Way] = msgspec.field(default_factory=list)
    psk_alone: Outcome | None = None
    psk_alone_proof: Proof | None = None
    crossings: list[Crossing] = msgspec.field(default_factory=list)
    master_secret: list[MasterSecret] = msgspec.field(default_factory=list)
    early_data: EarlyData | None = None
