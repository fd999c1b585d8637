"""The answer to ``signatures``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations


class Signature(msgspec.Struct, frozen=True):
    """A scheme the server signed with. ``key`` is that of the certificate it was shown with, empty where unreadable.

    ``check`` says whether the signature holds; ``reason`` why it does not, or why that cannot be told here.
    """

    code: str
    name: str
    hash: str
    key: str
    check: Literal["verified", "bad", "unchecked"]
    reason: str
    proof: Proof


class VersionSignatures(msgspec.Struct, frozen=True):
    """The schemes of one version that the server signs with when they are offered alone.

    ``preference`` is whose order decides between schemes of one kind of key; ``schemes`` stand in the server's where it
    has one. ``unoffered`` are those it signed with although they were not offered (``behaviour``: it ignores the
    extension); ``refusals`` are the ways in which it refused others, ``unknown`` stayed without an answer.
    """

    version: str
    message: Literal["ServerKeyExchange", "CertificateVerify"]
    behaviour: Literal["honours", "ignores", "unknown"]
    preference: Literal["server", "client", "unknown"]
    schemes: list[Signature]
    unoffered: list[Signature]
    refusals: list[str]
    tried: int
    unknown: list[str]


class Signatures(QuestionAnswer, frozen=True, kw_only=True):
    """Signature schemes, by version; what TLS 1.1 and older sign with is not negotiated."""

    versions: list[VersionSignatures] = msgspec.field(default_factory=list)
