"""One certificate and whatever was asked of it so far: each part is read once, when somebody wants it.

A part that cannot be read is None, and says why beside it: nothing here raises for bad bytes. Must not import anything
of tlswire but ``errors`` and, of certificates, ``der``, ``facts``, ``general``, ``loading``, ``model``, ``problems``.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.certificates.der import Layout, element, layout
from tlswire.certificates.facts import CertificateFacts, certificate_facts, reason
from tlswire.certificates.general import read_names
from tlswire.certificates.loading import canonical, load, load_extension, quietly
from tlswire.certificates.problems import Problem, problem
from tlswire.errors import WireError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from tlswire.certificates.model import AlternativeName, CertificateDetails

# More than any certificate in use has; SLH-DSA's largest signature takes 50 KB (FIPS 205 section 11).
LARGEST = 1 << 18
SUBJECT_ALT_NAME, TLS_FEATURE, SCT_LIST = "2.5.29.17", "1.3.6.1.5.5.7.1.24", "1.3.6.1.4.1.11129.2.4.2"
# Read here, each item for itself.
_OURS = {SUBJECT_ALT_NAME, TLS_FEATURE, SCT_LIST}


class Parsed:
    """A DER certificate, which data may follow; see the module's text."""

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.error: str | None = None  # why it cannot be read, as far as that is known
        self.key_error: str | None = None
        self.details: CertificateDetails | None = None  # made and kept by ``certificates.details``

    @cached_property
    def layout(self) -> Layout | None:
        """Where its parts stand; None: it is too large, or no certificate."""
        if self.oversize:
            self.error = f"has more than {LARGEST} bytes"
            return None
        try:
            return layout(self.der)
        except WireError as error:
            self.error = str(error)
            return None

    @property
    def oversize(self) -> bool:
        """Whether it has more bytes than are looked at."""
        return len(self.der) > LARGEST

    @cached_property
    def trailing(self) -> int:
        """How many bytes follow it."""
        try:
            return len(self.der) - element(self.der).end
        except WireError:
            return 0

    @cached_property
    def certificate(self) -> Certificate | None:
        """As ``cryptography`` reads it; None: ``error`` says why."""
        if self.layout is None:
            return None
        try:
            return load(self.layout.whole)
        except Exception as error:  # noqa: BLE001 - any fault of a hostile certificate is a fact about it
            self.error = reason(error)
            return None

    @cached_property
    def facts(self) -> CertificateFacts:
        """Its facts; the hash and the length are those of all its bytes."""
        if self.certificate is None or self.layout is None:
            return CertificateFacts(self.sha256, len(self.der), error=self.error)
        found = certificate_facts(self.layout.whole)
        return msgspec.structs.replace(found, sha256=self.sha256, length=len(self.der)) if self.trailing else found

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of all its bytes."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def subject(self) -> str:
        """The subject in words (RFC 4514), the hash where it has no name."""
        return self.facts.subject or f"certificate {self.sha256[:16]}"

    @property
    def issuer(self) -> str:
        """The issuer in words (RFC 4514)."""
        return self.facts.issuer or "nobody"

    @property
    def self_issued(self) -> bool:
        """Whether it names itself as its issuer (RFC 5280 section 3.2)."""
        return self.layout is not None and self.layout.subject == self.layout.issuer

    @cached_property
    def canonical_subject(self) -> object:
        """The subject, equal to names that differ in case, spaces and kinds of string only (RFC 5280 section 7.1)."""
        return None if self.layout is None else canonical(self.layout.subject)

    @cached_property
    def canonical_issuer(self) -> object:
        """As ``canonical_subject``."""
        return None if self.layout is None else canonical(self.layout.issuer)

    @cached_property
    def key(self) -> Any:
        """The public key as ``cryptography`` reads it; None: ``key_error`` says why."""
        if self.certificate is None:
            self.key_error = self.error
            return None
        try:
            return quietly(self.certificate.public_key)
        except Exception as error:  # noqa: BLE001 - as above
            self.key_error = reason(error)
            return None

    @cached_property
    def _extensions(self) -> tuple[dict[str, Any], dict[str, str]]:
        found: dict[str, Any] = {}
        faults: dict[str, str] = {}
        for item in self.layout.extensions if self.layout is not None else ():
            if item.oid not in found and item.oid not in faults and item.oid not in _OURS:
                try:
                    found[item.oid] = load_extension(item.whole)
                except Exception as error:  # noqa: BLE001 - as above
                    faults[item.oid] = reason(error)
        return found, faults

    @cached_property
    def names(self) -> tuple[list[AlternativeName], list[Problem]]:
        """The names of subjectAltName and what is wrong with them; none when it is absent."""
        value = self.raw_extension(SUBJECT_ALT_NAME)
        if value is None or self.certificate is None:
            return [], []
        try:
            return read_names(value)
        except WireError as error:
            return [], [problem("unreadable-extension", name="subjectAltName", reason=error)]

    @property
    def unreadable(self) -> dict[str, str]:
        """Why extensions cannot be read, by their identifiers."""
        return self._extensions[1]

    def extension(self, oid: str) -> Any:
        """The first extension of this kind as ``cryptography`` reads it; None: absent or not readable."""
        return self._extensions[0].get(oid)

    def raw_extension(self, oid: str) -> bytes | None:
        """The bytes of the first extension of this kind; None when it is absent."""
        listed = self.layout.extensions if self.layout is not None else ()
        return next((item.value for item in listed if item.oid == oid), None)
