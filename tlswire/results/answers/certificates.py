"""The answer to ``certificates``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.certificates import ChainReport  # noqa: TC001 - msgspec reads the annotations
from tlswire.results.proof import Proof  # noqa: TC001 - as above

# The name that was asked for: the target's, none at all, or one that no server has.
AskedFor = Literal["target", "none", "unknown"]


class Occasion(msgspec.Struct, frozen=True):
    """When a chain was shown: version, the name asked for, and the scheme the server signed with (null: none)."""

    version: str
    server_name: AskedFor
    signature_scheme: str | None


class PresentedChain(msgspec.Struct, frozen=True):
    """One chain the server shows. ``trusted`` names the stores with a valid path; ``pem`` are the certificates as sent.

    ``staple`` and SCTs of ``report`` are those of the first occasion.
    """

    sha256: str
    key: str
    trusted: list[str]
    occasions: list[Occasion]
    report: ChainReport
    pem: list[str]
    proof: Proof


class Certificates(QuestionAnswer, frozen=True, kw_only=True):
    """Every chain the server could be made to show, that for the target's name first."""

    stores: list[str] = msgspec.field(default_factory=list)
    chains: list[PresentedChain] = msgspec.field(default_factory=list)
