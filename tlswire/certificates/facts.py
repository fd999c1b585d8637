"""The facts of one certificate, remembered by its bytes (RFC 5280).

``cryptography`` reads it and is loaded with the first certificate. It is strict: a certificate that it refuses keeps
its hash and length, says why, and has no other facts. Must not import anything of tlswire but ``escape`` and, of
certificates, ``algorithms``.
"""

from __future__ import annotations

import hashlib
import warnings
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.certificates.algorithms import algorithm_of
from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cryptography.x509 import Certificate, ObjectIdentifier

MAX_NAMES = 512
MAX_TEXT = 1024
MAX_PURPOSES = 64
_LONGEST_REMEMBERED = 1 << 13

# Where the name of cryptography's class is not that of the algorithm; sizes in bits (RFC 8032, RFC 7748).
_KEYS: dict[str, tuple[str, int | None]] = {
    "Ed25519": ("Ed25519", 256),
    "Ed448": ("Ed448", 456),
    "X25519": ("X25519", 256),
    "X448": ("X448", 448),
    "MLDSA44": ("ML-DSA-44", None),
    "MLDSA65": ("ML-DSA-65", None),
    "MLDSA87": ("ML-DSA-87", None),
}


class CertificateFacts(msgspec.Struct, frozen=True):
    """What a certificate says. Times are RFC 3339 UTC, ``bits`` the size of the key; None: could not be read.

    ``key`` is an object identifier where the key is of a kind or on a curve that cryptography does not know.
    ``self_signed`` says that it names itself as its issuer; the signature is not verified. ``signature_hash`` is
    ``intrinsic`` where the scheme brings its own, ``signature_schemes`` are the TLS schemes that the signature is called
    by, ``extended_key_usage`` is None where there is none, ``embedded_scts`` counts (RFC 6962 section 3.3).
    """

    sha256: str
    length: int
    subject: str | None = None
    issuer: str | None = None
    serial: str | None = None
    not_before: str | None = None
    not_after: str | None = None
    key: str | None = None
    bits: int | None = None
    signature_algorithm: str | None = None
    names: list[str] = []
    spki_sha256: str | None = None
    self_signed: bool | None = None
    authority: bool | None = None
    error: str | None = None
    signature_hash: str | None = None
    signature_schemes: tuple[str, ...] = ()
    extended_key_usage: tuple[str, ...] | None = None
    embedded_scts: int | None = None


def certificate_facts(der: bytes) -> CertificateFacts:
    """The facts of a DER certificate; never raises for bad bytes."""
    return _remembered(der) if len(der) <= _LONGEST_REMEMBERED else _facts(der)


def _facts(der: bytes) -> CertificateFacts:
    from cryptography import x509  # noqa: PLC0415 - costs 70 ms, and most captures of TLS 1.3 show no certificate

    digest = hashlib.sha256(der).hexdigest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cryptography merely deprecates is ours to report
        try:
            certificate = x509.load_der_x509_certificate(der)
        except Exception as error:  # noqa: BLE001 - any fault of a hostile certificate is a fact about it
            return CertificateFacts(digest, len(der), error=reason(error))
        faults: list[str] = []

        def read(what: str, get: Callable[[], Any]) -> Any:
            try:
                return get()
            except Exception as error:  # noqa: BLE001 - as above: the other fields still count
                faults.append(f"{what}: {reason(error)}")
                return None

        key, bits = read("key", lambda: _key(certificate)) or (certificate.public_key_algorithm_oid.dotted_string, None)
        used = algorithm_of(certificate.signature_algorithm_oid.dotted_string, certificate)
        return CertificateFacts(
            sha256=digest,
            length=len(der),
            subject=read("subject", lambda: _text(certificate.subject.rfc4514_string())),
            issuer=read("issuer", lambda: _text(certificate.issuer.rfc4514_string())),
            serial=read("serial", lambda: f"{certificate.serial_number:X}"),
            not_before=read("not_before", lambda: time(certificate.not_valid_before_utc)),
            not_after=read("not_after", lambda: time(certificate.not_valid_after_utc)),
            key=key,
            bits=bits,
            signature_algorithm=read("signature", lambda: _algorithm(certificate)),
            names=read("names", lambda: _names(certificate)) or [],
            spki_sha256=read("key", lambda: hashlib.sha256(_spki(certificate.tbs_certificate_bytes)).hexdigest()),
            self_signed=read("issuer", lambda: certificate.subject.public_bytes() == certificate.issuer.public_bytes()),
            authority=read("basicConstraints", lambda: _authority(certificate)),
            signature_hash=used.hash,
            signature_schemes=tuple(used.schemes),
            extended_key_usage=read("extendedKeyUsage", lambda: _purposes(certificate)),
            embedded_scts=read("SCTs", lambda: _scts(certificate)),
            error="; ".join(dict.fromkeys(faults)) or None,
        )


_remembered = lru_cache(maxsize=1024)(_facts)


def reason(error: Exception) -> str:
    """What an exception of ``cryptography`` says, in one printable line of at most 200 characters."""
    return _text(" ".join(str(error).split()) or type(error).__name__)[:200]


def _text(text: str) -> str:
    """At most ``MAX_TEXT`` printable characters; the rest of the wire's characters as escapes."""
    return printable(text[:MAX_TEXT])


def time(moment: datetime) -> str:
    """A moment in UTC as RFC 3339 writes it, to the second."""
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _algorithm(certificate: Certificate) -> str:
    return _name(certificate.signature_algorithm_oid)


def _name(oid: ObjectIdentifier) -> str:
    name: str = getattr(oid, "_name", "")
    return name if name and name != "Unknown OID" else oid.dotted_string


def _key(certificate: Certificate) -> tuple[str, int | None]:
    key: Any = certificate.public_key()
    kind = type(key).__name__.removesuffix("PublicKey")
    if (curve := getattr(key, "curve", None)) is not None:
        return f"EC {curve.name}", curve.key_size
    return _KEYS.get(kind, (kind, getattr(key, "key_size", None)))


def _spki(tbs: bytes) -> bytes:
    """SubjectPublicKeyInfo of a TBSCertificate as it stands there (RFC 5280 section 4.1): pins are made of these bytes."""
    at, _ = _element(tbs, 0)
    for _ in range(5 + (tbs[at] == 0xA0)):  # serial number to subject; the version before them may be absent
        _, at = _element(tbs, at)
    return tbs[at : _element(tbs, at)[1]]


def _element(der: bytes, at: int) -> tuple[int, int]:
    """Where the contents of a DER element begin and end; its tag is one byte (X.690 section 8.1)."""
    length, at = der[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, at = int.from_bytes(der[at : at + size], "big"), at + size
    return at, at + length


def _names(certificate: Certificate) -> list[str]:
    from cryptography import x509  # noqa: PLC0415 - loaded already

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    kept = (name for name in names if isinstance(name, x509.DNSName | x509.IPAddress))
    return [_text(str(name.value)) for name, _ in zip(kept, range(MAX_NAMES), strict=False)]


def _authority(certificate: Certificate) -> bool:
    from cryptography import x509  # noqa: PLC0415 - loaded already

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _purposes(certificate: Certificate) -> tuple[str, ...] | None:
    from cryptography import x509  # noqa: PLC0415 - loaded already

    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None
    return tuple(_name(oid) for oid in islice(purposes, MAX_PURPOSES))


def _scts(certificate: Certificate) -> int:
    from cryptography import x509  # noqa: PLC0415 - loaded already

    try:
        return len(certificate.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps).value)
    except x509.ExtensionNotFound:
        return 0
