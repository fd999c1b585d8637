"""What is wrong with one certificate by itself, part by part.

Sources: RFC 5280 section 4, RFC 6962 section 3.1, RFC 9525 section 2. Must not import anything of tlswire but
``certificates``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tlswire.certificates.algorithms import WEAK_HASHES
from tlswire.certificates.der import UTC_TIME, Layout, children, element
from tlswire.certificates.facts import MAX_NAMES, reason
from tlswire.certificates.loading import quietly
from tlswire.certificates.parsed import LARGEST, SCT_LIST, SUBJECT_ALT_NAME, TLS_FEATURE, Parsed
from tlswire.certificates.problems import Problem, problem
from tlswire.certificates.readings import (
    AUTHORITY_ACCESS,
    AUTHORITY_KEY_ID,
    BASIC_CONSTRAINTS,
    CRL_POINTS,
    EXTENDED_KEY_USAGE,
    INHIBIT_ANY_POLICY,
    ISSUER_ALT_NAME,
    KEY_USAGE,
    MAX_LIST,
    NAME_CONSTRAINTS,
    POISON,
    POLICIES,
    POLICY_CONSTRAINTS,
    POLICY_MAPPINGS,
    SUBJECT_KEY_ID,
    authority_key_id,
    extension_name,
    is_authority,
    key_usage,
)
from tlswire.certificates.signatures import algorithm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.certificates.keys import KeyFacts

# What a client may meet as critical (RFC 5280 section 4.2): it is taken into account, or says nothing about trust.
KNOWN = frozenset(
    {
        SUBJECT_KEY_ID,
        KEY_USAGE,
        SUBJECT_ALT_NAME,
        ISSUER_ALT_NAME,
        BASIC_CONSTRAINTS,
        NAME_CONSTRAINTS,
        CRL_POINTS,
        POLICIES,
        POLICY_MAPPINGS,
        AUTHORITY_KEY_ID,
        POLICY_CONSTRAINTS,
        EXTENDED_KEY_USAGE,
        INHIBIT_ANY_POLICY,
        AUTHORITY_ACCESS,
        TLS_FEATURE,
        SCT_LIST,
        POISON,
    }
)

_NOT_DER = ("EncodedDefault", "InvalidLength", "InvalidSetOrdering")  # cryptography's words for what BER allows
# Keys that cryptography should have loaded, and problems that say why it did not.
_LOADED = {"RSA", "RSA-PSS", "EC", "DSA", "EdDSA", "ML-DSA", "XDH"}
_EXPLAINED = {"unreadable-key", "unknown-curve", "unchecked-curve", "explicit-curve", "rsa-exponent"}
# Extensions that decide about trust: not to know what they say is a reason to refuse (RFC 5280 section 4.2). OpenSSL
# counts the places of CRLs among them.
_DECISIVE = {
    SUBJECT_KEY_ID,
    KEY_USAGE,
    BASIC_CONSTRAINTS,
    NAME_CONSTRAINTS,
    AUTHORITY_KEY_ID,
    POLICY_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    CRL_POINTS,
}
_FIELDS: dict[str, Callable[[Any], object]] = {
    "subject": lambda certificate: certificate.subject.rfc4514_string(),
    "issuer": lambda certificate: certificate.issuer.rfc4514_string(),
    "not_before": lambda certificate: certificate.not_valid_before_utc,
    "not_after": lambda certificate: certificate.not_valid_after_utc,
}


def unreadable(parsed: Parsed) -> Problem:
    """Why nothing can be said of a certificate."""
    if parsed.oversize:
        return problem("too-large", length=len(parsed.der), bound=LARGEST)
    why = parsed.error or "for no reason given"
    return problem("not-der" if any(word in why for word in _NOT_DER) else "unreadable", reason=why)


def faults_of(parsed: Parsed, key: KeyFacts) -> Iterator[Problem]:
    """What is wrong with a certificate that can be read, and with its ``key``."""
    layout = parsed.layout
    if layout is None:
        return
    if parsed.trailing:
        yield problem("trailing-data", count=parsed.trailing)
    yield from _of_version(layout)
    yield from _of_serial(layout, self_issued=parsed.self_issued)
    yield from _of_parties(parsed, layout)
    yield from _of_validity(parsed, layout)
    yield from _of_fields(parsed)
    yield from _of_key(parsed, key)
    yield from _of_signature(parsed, layout)
    yield from _of_extensions(parsed, layout)
    yield from _of_names(parsed)
    if layout.version:
        yield from _of_authority(parsed, {item.oid: item.critical for item in layout.extensions})


def _of_version(layout: Layout) -> Iterator[Problem]:
    """RFC 5280 section 4.1.2.1."""
    if not layout.version:
        yield problem("version-1")
    if layout.version != 2 and layout.extensions:
        yield problem("version-extensions")


def _of_serial(layout: Layout, *, self_issued: bool) -> Iterator[Problem]:
    """RFC 5280 section 4.1.2.2."""
    if layout.serial[0] & 0x80 or not any(layout.serial):
        yield problem("serial-not-positive")
    elif len(layout.serial) > 20:
        yield problem("serial-long", count=len(layout.serial))
    elif len(layout.serial) < 8 and not self_issued:
        yield problem("serial-short", count=len(layout.serial))


def _of_parties(parsed: Parsed, layout: Layout) -> Iterator[Problem]:
    """RFC 5280 sections 4.1.2.4, 4.1.2.6 and 4.2.1.6."""
    if parsed.facts.issuer == "":
        yield problem("issuer-empty")
    if parsed.facts.subject == "":
        if is_authority(parsed):
            yield problem("subject-empty", lack="it is a CA")
        elif not any(item.oid == SUBJECT_ALT_NAME and item.critical for item in layout.extensions):
            yield problem("subject-empty", lack="subjectAltName is not critical")


def _of_validity(parsed: Parsed, layout: Layout) -> Iterator[Problem]:
    """RFC 5280 section 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050."""
    start, end = parsed.facts.not_before, parsed.facts.not_after
    if start is None or end is None:
        return
    if end < start:
        yield problem("validity-reversed")
    for item, (field, shown) in zip(
        children(element(layout.validity)), (("begins", start), ("ends", end)), strict=False
    ):
        if item.tag != UTC_TIME and shown < "2050":
            yield problem("validity-form", field=field)
    if end == "9999-12-31T23:59:59Z":
        yield problem("no-expiry")


def _of_fields(parsed: Parsed) -> Iterator[Problem]:
    for field, get in _FIELDS.items():
        if getattr(parsed.facts, field) is None:
            try:
                quietly(partial(get, parsed.certificate))
            except Exception as error:  # noqa: BLE001 - any fault of a hostile certificate is a fact about it
                yield problem("unreadable-field", field=field, reason=reason(error))


def _of_key(parsed: Parsed, key: KeyFacts) -> Iterator[Problem]:
    yield from key.problems
    if key.family not in _LOADED and not key.problems:
        yield problem("unknown-key", family=key.family)
    elif parsed.key is None and key.family in _LOADED and _EXPLAINED.isdisjoint(item.id for item in key.problems):
        yield problem("unreadable-key", reason=parsed.key_error)


def _of_signature(parsed: Parsed, layout: Layout) -> Iterator[Problem]:
    """RFC 5280 section 4.1.1.2. What signs itself is trusted for other reasons: its hash does not matter."""
    if layout.algorithm != layout.inner_algorithm:
        yield problem("algorithm-mismatch")
    used = algorithm(parsed)
    if used is not None and used.hash in WEAK_HASHES and not parsed.self_issued:
        yield problem("weak-hash", hash=used.hash)
    if used is not None and used.family is None:
        yield problem("unknown-signature", algorithm=used.oid)


def _of_extensions(parsed: Parsed, layout: Layout) -> Iterator[Problem]:
    """RFC 5280 section 4.2."""
    oids = [item.oid for item in layout.extensions]
    for oid in dict.fromkeys(oids):
        if (count := oids.count(oid)) > 1:
            yield problem("duplicate-extension", name=extension_name(oid), count=count)
    if layout.more_extensions:
        yield problem("too-many-extensions", count=layout.more_extensions)
    for oid in dict.fromkeys(item.oid for item in layout.extensions if item.critical and item.oid not in KNOWN):
        yield problem("critical-extension", name=extension_name(oid))
    for oid, why in parsed.unreadable.items():
        decisive = oid in _DECISIVE or any(item.critical for item in layout.extensions if item.oid == oid)
        kind = "unreadable-extension" if decisive else "unreadable-hint"
        yield problem(kind, name=extension_name(oid), reason=why)
    if POISON in oids:
        yield problem("precertificate")


def _of_names(parsed: Parsed) -> Iterator[Problem]:
    """RFC 9525 section 2, RFC 5280 section 4.2.1.6."""
    names, problems = parsed.names
    yield from problems[:MAX_LIST]
    if len(names) > MAX_NAMES:
        yield problem("names-cut", count=len(names), bound=MAX_NAMES)
    if parsed.raw_extension(SUBJECT_ALT_NAME) is None and not is_authority(parsed):
        yield problem("no-alternative-names")


def _of_authority(parsed: Parsed, critical: dict[str, bool]) -> Iterator[Problem]:
    """RFC 5280 sections 4.2.1.1 to 4.2.1.3, 4.2.1.9 and 4.2.1.10: what a CA must say, and others must not."""
    if is_authority(parsed):
        if not critical[BASIC_CONSTRAINTS]:
            yield problem("ca-not-critical")
        if KEY_USAGE not in critical:
            yield problem("ca-without-key-usage")
        if SUBJECT_KEY_ID not in critical:
            yield problem("no-subject-key-id")
    else:
        if "key_cert_sign" in (key_usage(parsed) or ()):
            yield problem("key-cert-sign-without-ca")
        if NAME_CONSTRAINTS in critical:
            yield problem("constraints-without-ca")
    if not parsed.self_issued and authority_key_id(parsed) is None:
        yield problem("no-authority-key-id")
