"""What is said of certificates, chains, paths, names, staples and SCTs: frozen values, fit for JSON.

Times are RFC 3339 UTC, key ids and hashes hexadecimal, texts fit for a terminal. Holds no logic. Must not
import anything of tlswire but ``certificates.facts`` and ``certificates.problems``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.certificates.facts import CertificateFacts
from tlswire.certificates.problems import Problem  # noqa: TC001 - msgspec reads the annotations

Signature = Literal["good", "bad", "unchecked"]


class AlternativeName(msgspec.Struct, frozen=True):
    """One name of subjectAltName (RFC 5280 section 4.2.1.6): ``kind`` is dns, ip, email, uri, directory, registered-id,
    other, x400 or edi. ``unicode`` is a DNS name with A-labels as a person reads it (RFC 5890 section 2.3.2.1).
    """

    kind: str
    value: str
    unicode: str | None = None


class CertificateExtension(msgspec.Struct, frozen=True):
    """One extension by its identifier and name (the identifier again where it has none)."""

    oid: str
    name: str
    critical: bool


class NameConstraints(msgspec.Struct, frozen=True):
    """The subtrees a CA may, and may not, name (RFC 5280 section 4.2.1.10), as ``kind:value``."""

    permitted: tuple[str, ...]
    excluded: tuple[str, ...]


class Sct(msgspec.Struct, frozen=True):
    """One signed certificate timestamp (RFC 6962 section 3.2). ``version`` counts from 0, as on the wire.

    Of another version than 0 nothing else is known. Signatures are not checked: logs' keys are not shipped.
    """

    origin: Literal["certificate", "staple", "handshake"]
    version: int
    log_id: str | None = None
    time: str | None = None
    signature_algorithm: str | None = None


class CertificateDetails(CertificateFacts, frozen=True, kw_only=True):
    """Everything one certificate says, beyond its facts; None: it does not say, or could not be read.

    ``validity_days`` counts 86,400 seconds each. ``key_family`` is RSA, RSA-PSS, EC, EdDSA, ML-DSA, DSA, ... or an
    identifier; ``curve`` the curve's name or identifier, or ``explicit``; ``exponent`` fits 53 bits. A client must have
    offered any of ``signature_schemes`` (RFC 9846 section 4.3.3). ``signs_itself``: the signature was checked with
    its own key. ``validation`` is DV, OV, IV or EV as its policies say. ``must_staple``: an OCSP staple must come with
    it (RFC 7633: status_request or status_request_v2 are among its ``tls_features``).
    """

    version: int | None = None
    serial_length: int | None = None
    validity_days: float | None = None
    key_family: str | None = None
    curve: str | None = None
    exponent: int | None = None
    signature_family: str | None = None
    signs_itself: bool | None = None
    common_names: tuple[str, ...] = ()
    alternative_names: tuple[AlternativeName, ...] = ()
    subject_key_id: str | None = None
    authority_key_id: str | None = None
    path_length: int | None = None
    key_usage: tuple[str, ...] | None = None
    policies: tuple[str, ...] = ()
    validation: str | None = None
    name_constraints: NameConstraints | None = None
    ocsp: tuple[str, ...] = ()
    ca_issuers: tuple[str, ...] = ()
    crls: tuple[str, ...] = ()
    tls_features: tuple[int, ...] = ()
    must_staple: bool = False
    scts: tuple[Sct, ...] = ()
    extensions: tuple[CertificateExtension, ...] = ()
    problems: tuple[Problem, ...] = ()


class Link(msgspec.Struct, frozen=True):
    """A presented certificate and the presented one that issued it, by their positions.

    ``name``: the issuer's name is the other's subject. ``key_id``: the key ids fit (None: not both are there).
    ``signature`` was checked with the other's key; ``reason`` says why it is not good.
    """

    certificate: int
    issuer: int
    name: bool
    key_id: bool | None
    signature: Signature
    reason: str = ""


class ChainFacts(msgspec.Struct, frozen=True):
    """A chain as presented. ``count`` were sent, ``read`` of them were looked at; positions count from 0.

    ``ordered``: each certifies the one before it. ``complete``: leads from the first to a self-signed certificate or
    to one that a given anchor issued; None: no anchors were given, so nobody knows.
    """

    count: int
    read: int
    ordered: bool
    complete: bool | None
    links: tuple[Link, ...]
    duplicates: tuple[int, ...]
    extra: tuple[int, ...]
    roots: tuple[int, ...]
    self_signed_leaf: bool
    problems: tuple[Problem, ...]


class Step(msgspec.Struct, frozen=True):
    """A certificate of a path: where it was presented (None: it was not), whether it is an anchor, and its main facts."""

    sha256: str
    subject: str
    presented: int | None
    anchor: bool
    not_before: str | None
    not_after: str | None
    key: str | None
    bits: int | None
    signature_hash: str | None


class PathVerdict(msgspec.Struct, frozen=True):
    """The best path from the first certificate to the anchors of one store, and everything wrong with it.

    ``valid`` when it ends in an anchor and has no problem of category fault or weak; ``at`` of a problem counts in
    ``path``, leaf first. The host's name and revocation are not part of it. ``paths`` is how many were compared.
    """

    store: str
    anchors: int
    valid: bool
    path: tuple[Step, ...]
    problems: tuple[Problem, ...]
    paths: int


class HostMatch(msgspec.Struct, frozen=True):
    """Whether a certificate is for a host (RFC 9525 section 6), and why not, in one line.

    ``matched`` is the name that did, ``nearest`` the one that came nearest; ``common_name``: only that would match.
    """

    host: str
    ok: bool
    reason: str
    matched: str | None = None
    nearest: str | None = None
    common_name: bool = False


class Staple(msgspec.Struct, frozen=True):
    """An OCSP response (RFC 6960 section 4.2.1). ``status`` is the responder's, ``certificate`` what it says.

    ``age_s`` is how long ago ``this_update`` was; ``responder`` its name or key hash; ``signer`` who signed.
    ``matches``: the serial number and the issuer's hashes are those of the leaf (None: issuer or leaf not read).
    """

    status: str
    length: int
    certificate: Literal["good", "revoked", "unknown"] | None = None
    serial: str | None = None
    produced: str | None = None
    this_update: str | None = None
    next_update: str | None = None
    age_s: int | None = None
    revoked: str | None = None
    revocation_reason: str | None = None
    responder: str | None = None
    signer: Literal["issuer", "delegate"] | None = None
    signature: Signature | None = None
    signature_algorithm: str | None = None
    matches: bool | None = None
    responses: int = 0
    scts: tuple[Sct, ...] = ()
    problems: tuple[Problem, ...] = ()


class ChainReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a presented chain says: one entry a presented certificate, the chain, the name, a verdict a store.

    ``problems`` are those of the whole; each part has its own.
    """

    now: str
    certificates: tuple[CertificateDetails, ...]
    chain: ChainFacts
    host: HostMatch | None
    verdicts: tuple[PathVerdict, ...]
    staple: Staple | None
    scts: tuple[Sct, ...]
    problems: tuple[Problem, ...]
