"""The answer to ``names``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

Kind = Literal["own", "none", "unknown", "address", "dot", "upper", "long", "empty"]


class NameAnswer(msgspec.Struct, frozen=True):
    """What one server_name got. ``sent`` is the name (null: the extension was not sent).

    ``certificate`` is the SHA-256 of the leaf, null where none was shown; ``same`` whether that is what the server's
    own name gets (null: nothing to compare). ``answer`` is ``certificate``, an alert or how the connection ended;
    ``warnings`` are alerts the server went on after; ``acknowledged`` whether it answered the extension.
    """

    kind: Kind
    sent: str | None
    outcome: Literal["certificate", "refused", "unknown"]
    answer: str
    certificate: str | None
    same: bool | None
    warnings: list[str]
    acknowledged: bool
    proof: Proof


class NamedCertificate(msgspec.Struct, frozen=True):
    """One of the leaves that were shown; ``names`` are its DNS names and addresses."""

    sha256: str
    subject: str | None
    names: list[str]


class Names(QuestionAnswer, frozen=True, kw_only=True):
    """What the server makes of server names, under the newest version that shows a certificate.

    ``strict``: it refuses both unknown names and none (null: unknown).
    """

    version: str | None = None
    strict: bool | None = None
    names: list[NameAnswer] = msgspec.field(default_factory=list)
    certificates: list[NamedCertificate] = msgspec.field(default_factory=list)
