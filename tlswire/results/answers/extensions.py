"""The answer to ``extensions``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations


class Answered(msgspec.Struct, frozen=True):
    """One extension of the server's: ``message`` it stood in, ``value`` in words, ``data`` as hexadecimal (bounded).

    ``fault`` says which rule it breaks, if any: nobody offered it, it belongs elsewhere, it cannot be read.
    """

    code: str
    name: str
    message: str
    value: str
    length: int
    data: str
    fault: str | None = None


class Refused(msgspec.Struct, frozen=True):
    """An extension without which the server does answer; ``answer`` as in Refusals."""

    code: str
    name: str
    answer: str
    proof: Proof


class VersionExtensions(msgspec.Struct, frozen=True):
    """What one version answers to ``offered`` extensions; ``unknown`` stayed without an answer.

    Null facts do not apply to the version, or could not be asked. ``staple`` is bytes of an OCSP response,
    ``timestamps`` the number of signed certificate timestamps, ``heartbeat`` the server's mode, ``early_data`` the most
    bytes of 0-RTT data that a ticket allows.
    """

    version: str
    offered: int
    answered: list[Answered]
    refused: list[Refused]
    unknown: list[str]
    proof: Proof | None
    extended_master_secret: bool | None = None
    encrypt_then_mac: bool | None = None
    session_ticket: bool | None = None
    secure_renegotiation: bool | None = None
    status_request_v2: bool | None = None
    staple: int | None = None
    timestamps: int | None = None
    heartbeat: str | None = None
    groups: list[str] = []
    early_data: int | None = None
    next_protocols: list[str] | None = None


class Alpn(msgspec.Struct, frozen=True):
    """Application protocols of one version, in the server's order where it has one.

    ``anything``: the server takes what nobody registered, so there is no list. ``no_overlap`` is what it does with
    protocols it has not: ignore the extension, or refuse the hello (``refusal`` says how). ``refused`` are protocols
    it refuses in another way than those.
    """

    version: str
    protocols: list[str]
    preference: Literal["server", "client", "unknown"]
    anything: bool
    no_overlap: Literal["ignored", "refused", "unknown"]
    refusal: str | None
    refused: list[str]
    faults: list[str]
    unknown: bool
    proof: Proof | None


class Limit(msgspec.Struct, frozen=True):
    """A bound on records that was asked for: ``asked`` bytes, what the server ``answered`` (null: nothing), and whether
    its records keep to it (null: it sent nothing long enough to tell); ``longest`` is the longest in bytes of plaintext.
    """

    version: str
    extension: str
    asked: int
    answered: int | None
    obeyed: bool | None
    longest: int
    proof: Proof


class Compression(msgspec.Struct, frozen=True):
    """A certificate message compressed by the server: bytes before and after (RFC 8879)."""

    algorithm: str
    length: int
    compressed: int
    proof: Proof


class EchConfiguration(msgspec.Struct, frozen=True):
    """A configuration out of retry_configs (RFC 9849 section 4); of an unknown ``version`` only that is known."""

    version: str
    config_id: int | None = None
    public_name: str | None = None
    kem: str | None = None
    suites: list[str] = []
    maximum_name_length: int | None = None


class Extensions(QuestionAnswer, frozen=True, kw_only=True):
    """What the server answers to every registered extension; null facts could not be asked."""

    versions: list[VersionExtensions] = msgspec.field(default_factory=list)
    alpn: list[Alpn] = msgspec.field(default_factory=list)
    limits: list[Limit] = msgspec.field(default_factory=list)
    compression: list[Compression] | None = None
    ech: list[EchConfiguration] | None = None
