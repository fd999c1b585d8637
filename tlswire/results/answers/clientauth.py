"""The answer to ``clientauth``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

# never: not asked for. optional: the handshake is completed without one. required: it is not. application: it is, and
# what runs above TLS says that it wants one. unknown: asked for, but what comes of it could not be seen.
Policy = Literal["never", "optional", "required", "application", "unknown"]


class ClientAuth(msgspec.Struct, frozen=True):
    """What one version asks of a client that has no certificate.

    ``outcome`` is what became of the handshake: finished, the server's alert, or how the connection ended.
    ``application`` is the first line of the answer to a request without a certificate, which is sent once, under the
    newest version that lets a client without one through. ``types``, ``schemes`` and ``authorities`` (distinguished names, at most 64 of ``authority_count``) are what the server takes.
    """

    version: str
    policy: Policy
    outcome: str
    application: str
    types: list[str]
    schemes: list[str]
    authorities: list[str]
    authority_count: int
    proof: Proof


class ClientAuths(QuestionAnswer, frozen=True, kw_only=True):
    """Client certificates, by version."""

    versions: list[ClientAuth] = msgspec.field(default_factory=list)
