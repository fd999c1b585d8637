"""What the extensions of one certificate say, one question each; None or nothing where they do not, or are unreadable.

Sources: RFC 5280 section 4.2, RFC 6962 section 3.3, RFC 7633. Must not import anything of tlswire but ``errors``,
``escape`` and, of certificates, ``der``, ``facts``, ``loading``, ``model``, ``parsed``, ``problems`` and ``sct``.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from tlswire.certificates.der import children, element, integer
from tlswire.certificates.facts import MAX_NAMES, MAX_TEXT
from tlswire.certificates.loading import quietly
from tlswire.certificates.model import NameConstraints
from tlswire.certificates.parsed import SCT_LIST, TLS_FEATURE, Parsed
from tlswire.certificates.problems import Problem, problem
from tlswire.certificates.sct import read_scts
from tlswire.errors import WireError
from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.certificates.model import Sct

# Extensions (RFC 5280 section 4.2, RFC 6962 section 3.1).
SUBJECT_KEY_ID, KEY_USAGE, ISSUER_ALT_NAME, BASIC_CONSTRAINTS = "2.5.29.14", "2.5.29.15", "2.5.29.18", "2.5.29.19"
NAME_CONSTRAINTS, CRL_POINTS, POLICIES, POLICY_MAPPINGS = "2.5.29.30", "2.5.29.31", "2.5.29.32", "2.5.29.33"
AUTHORITY_KEY_ID, POLICY_CONSTRAINTS, EXTENDED_KEY_USAGE = "2.5.29.35", "2.5.29.36", "2.5.29.37"
INHIBIT_ANY_POLICY, AUTHORITY_ACCESS, POISON = "2.5.29.54", "1.3.6.1.5.5.7.1.1", "1.3.6.1.4.1.11129.2.4.3"
# What authorityInfoAccess leads to (RFC 5280 section 4.2.2.1).
OCSP, CA_ISSUERS = "1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.48.2"

MAX_LIST = 64
_COMMON_NAME = "2.5.4.3"
_USAGES = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
_NAMELESS = {"2.5.29.37.0": "anyExtendedKeyUsage"}  # identifiers that cryptography has no name for
_KINDS = {
    "DNSName": "dns",
    "IPAddress": "ip",
    "RFC822Name": "email",
    "UniformResourceIdentifier": "uri",
    "DirectoryName": "directory",
    "RegisteredID": "registered-id",
}


def is_authority(parsed: Parsed) -> bool:
    """Whether it says that it is a CA (RFC 5280 section 4.2.1.9)."""
    return bool(getattr(parsed.extension(BASIC_CONSTRAINTS), "ca", False))


def path_length(parsed: Parsed) -> int | None:
    """How many CAs may stand between it and a leaf (RFC 5280 section 4.2.1.9)."""
    found: int | None = getattr(parsed.extension(BASIC_CONSTRAINTS), "path_length", None)
    return found


def key_usage(parsed: Parsed) -> tuple[str, ...] | None:
    """What its key is for (RFC 5280 section 4.2.1.3)."""
    value = parsed.extension(KEY_USAGE)
    return None if value is None else tuple(name for name in _USAGES.split() if getattr(value, name))


def extended_key_usage(parsed: Parsed) -> tuple[str, ...] | None:
    """What it is for (RFC 5280 section 4.2.1.12), by name."""
    value = parsed.extension(EXTENDED_KEY_USAGE)
    return None if value is None else tuple(_oid_name(oid) for oid in islice(value, MAX_LIST))


def subject_key_id(parsed: Parsed) -> str | None:
    """The id of its key in hexadecimal (RFC 5280 section 4.2.1.2)."""
    return _hex(getattr(parsed.extension(SUBJECT_KEY_ID), "digest", None))


def authority_key_id(parsed: Parsed) -> str | None:
    """The id of its issuer's key in hexadecimal (RFC 5280 section 4.2.1.1)."""
    return _hex(getattr(parsed.extension(AUTHORITY_KEY_ID), "key_identifier", None))


def policies(parsed: Parsed) -> tuple[str, ...]:
    """The identifiers of the policies it was issued under (RFC 5280 section 4.2.1.4)."""
    listed: Iterable[Any] = parsed.extension(POLICIES) or ()
    return tuple(item.policy_identifier.dotted_string for item in islice(listed, MAX_LIST))


def name_constraints(parsed: Parsed) -> NameConstraints | None:
    """What it may name (RFC 5280 section 4.2.1.10), the first ``MAX_NAMES`` of each."""
    value = parsed.extension(NAME_CONSTRAINTS)
    if value is None:
        return None
    permitted, excluded = (
        tuple(general_name(item) for item in (subtrees or ())[:MAX_NAMES])
        for subtrees in (value.permitted_subtrees, value.excluded_subtrees)
    )
    return NameConstraints(permitted, excluded)


def access(parsed: Parsed, method: str) -> tuple[str, ...]:
    """Where the issuer's services (``OCSP``) or certificates (``CA_ISSUERS``) are (RFC 5280 section 4.2.2.1)."""
    listed: Iterable[Any] = parsed.extension(AUTHORITY_ACCESS) or ()
    found = (item.access_location for item in listed if item.access_method.dotted_string == method)
    return tuple(general_name(item).removeprefix("uri:") for item in islice(found, MAX_LIST))


def crls(parsed: Parsed) -> tuple[str, ...]:
    """Where the issuer's CRLs are (RFC 5280 section 4.2.1.13)."""
    points: Iterable[Any] = parsed.extension(CRL_POINTS) or ()
    found = (name for point in points for name in point.full_name or ())
    return tuple(general_name(item).removeprefix("uri:") for item in islice(found, MAX_LIST))


def tls_features(parsed: Parsed) -> tuple[tuple[int, ...], list[Problem]]:
    """The TLS extensions the server must answer (RFC 7633 section 4: a SEQUENCE of INTEGER)."""
    value = parsed.raw_extension(TLS_FEATURE)
    if value is None:
        return (), []
    try:
        return tuple(integer(item) & 0xFFFF for item in islice(children(element(value)), MAX_LIST)), []
    except WireError as error:
        return (), [problem("unreadable-hint", name="TLSFeature", reason=error)]


def scts(parsed: Parsed) -> tuple[tuple[Sct, ...], list[Problem]]:
    """Its SCTs; the list stands in an OCTET STRING of its own (RFC 6962 section 3.3)."""
    value = parsed.raw_extension(SCT_LIST)
    if value is None:
        return (), []
    try:
        return read_scts(element(value).content, "certificate")
    except WireError as error:
        return (), [problem("scts-unreadable", origin="certificate", reason=error)]


def validity_days(parsed: Parsed) -> float | None:
    """The time from its beginning to its end in days of 86,400 seconds."""
    certificate: Any = parsed.certificate
    if parsed.facts.not_before is None or parsed.facts.not_after is None:
        return None
    span: timedelta = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return round(span / timedelta(days=1), 6)


def common_names(parsed: Parsed) -> tuple[str, ...]:
    """The common names of its subject."""
    certificate: Any = parsed.certificate
    if parsed.facts.subject is None:
        return ()
    subject = quietly(lambda: list(certificate.subject))
    found = (item.value for item in subject if item.oid.dotted_string == _COMMON_NAME)
    return tuple(printable(str(value)[:MAX_TEXT]) for value in islice(found, MAX_LIST))


def extension_name(oid: str) -> str:
    """The name of an extension, its identifier where it has none."""
    from cryptography.x509 import ObjectIdentifier  # noqa: PLC0415 - loaded already

    try:
        return _oid_name(ObjectIdentifier(oid))
    except ValueError:
        return oid


def general_name(value: Any) -> str:
    """One of cryptography's GeneralNames as ``kind:value``."""
    kind = _KINDS.get(type(value).__name__, "other")
    inner: Any = getattr(value, "value", "")
    text = inner.rfc4514_string() if kind == "directory" else str(getattr(inner, "dotted_string", inner))
    return printable(f"{kind}:{text}"[:MAX_TEXT])


def _oid_name(oid: Any) -> str:
    name = str(getattr(oid, "_name", ""))
    return name if name and name != "Unknown OID" else _NAMELESS.get(oid.dotted_string, str(oid.dotted_string))


def _hex(value: bytes | None) -> str | None:
    return value[:MAX_LIST].hex().upper() if value is not None else None
