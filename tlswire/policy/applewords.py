"""What Apple's logs say, in words and numbers of Apple's own: one row for each kind of line (DOOR), and tables of failed
checks, status codes and hashes.

The words of lines are those of libboringssl's strings; names of checks are those of Security's trust evaluation, codes
those of SecureTransport.h, hashes those of SecSignatureHashAlgorithm. ``sureness`` says how a row is known. Must not
import anything of tlswire but ``results``.
"""

from __future__ import annotations

import re

import msgspec

from tlswire.results.applelog import Sureness  # noqa: TC001 - msgspec reads the annotations

# Derived from the formats below: the predicate of KB 126655 itself could not be read.
PREDICATE = (
    'eventMessage CONTAINS[c] "ATS violation" OR eventMessage CONTAINS[c] "ATS FCPv2.1 violation" OR '
    'eventMessage CONTAINS "Trust evaluate failure" OR eventMessage CONTAINS "finished with error [-1"'
)
SILENCE = (
    "Silence proves little: a device on 26 warns only from 26.4 on and with Apple's network diagnostics logging profile "
    "installed, and a refused connection hides what would come after it."
)
# What a log is searched for; nothing else of it is read.
MARKS = (
    b"iolation]",
    b"ATS violation: ",
    b"FCS TLS v2 compliance error: ",
    b"Trust evaluate failure: [",
    b"TLS configured [",
    b"finished with error [-1",
    b"NSErrorFailingURL",
)
_NEWER = "libboringssl of OS 26.4 to 27 (strings of the library)"
_OLDER = "libboringssl before OS 27 (strings of the library)"
_SECOND_HAND = "a device log shown elsewhere"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of line: ``words`` is searched in messages, ``rule`` the policy's rule (None: none is named), ``detail`` is
    filled with the groups of ``words``. ``remedy`` is for rows without a rule.
    """

    id: str
    words: re.Pattern[str]
    rule: str | None
    meaning: str
    source: str
    sureness: Sureness = "verified"
    detail: str = ""
    remedy: str = ""


ROWS: tuple[Row, ...] = (
    Row(
        id="fcp-suite",
        words=re.compile(r"iolation\]: Ciphersuite\((?P<suite>[^()]{0,80})\) not offered in ATS FCP_v2\.1 mode"),
        rule="suite-fcp",
        meaning="a suite was negotiated that the device no longer offers: of TLS 1.2 only ECDHE with AES-GCM is left",
        source=_NEWER,
        detail="{suite}",
    ),
    Row(
        id="fcp-ems",
        words=re.compile(r"iolation\]: TLS 1\.2 negotiated without extended master secret"),
        rule="ems-tls12",
        meaning="TLS 1.2 was negotiated without extended master secret (RFC 7627)",
        source=_NEWER,
    ),
    Row(
        id="fcp-signature",
        words=re.compile(
            r"iolation\]: Server certificate signed using signature algorithm (?P<algorithm>.{0,80}?) not advertised"
        ),
        rule="signature-algorithm-certificate",
        meaning="the server's certificate is signed with an algorithm the device does not offer",
        source=_NEWER,
        detail="{algorithm}",
    ),
    Row(
        id="ats-trust",
        words=re.compile(r"iolation\]: ATS certificate trust requirement not satisfied"),
        rule="chain-trusted",
        meaning="the certificate was not trusted; nothing to do if its CA is an anchor of the enrollment profile",
        source=_NEWER,
    ),
    Row(
        id="ats-key-rsa",
        words=re.compile(r"iolation\]: RSA key size (?P<bits>\d{1,9}) bits is less than minimum (?P<least>-?\d{1,9})"),
        rule="key-size-leaf",
        meaning="the RSA key of the certificate is too short",
        source=_NEWER,
        detail="RSA, {bits} bits, at least {least}",
    ),
    Row(
        id="ats-key-ecdsa",
        words=re.compile(
            r"iolation\]: ECDSA key size (?P<bits>\d{1,9}) bits is less than minimum (?P<least>-?\d{1,9})"
        ),
        rule="key-size-leaf",
        meaning="the EC key of the certificate is too short",
        source=_NEWER,
        detail="ECDSA, {bits} bits, at least {least}",
    ),
    Row(
        id="ats-hash",
        words=re.compile(
            r"iolation\]: Leaf certificate hash algorithm \((?P<hash>-?\d{1,9})\) is not at least SHA-256"
        ),
        rule="hash-leaf",
        meaning="the server's certificate is signed with a hash weaker than SHA-256",
        source=_NEWER,
        detail="{hash}",
    ),
    Row(
        id="ats-no-leaf",
        words=re.compile(r"iolation\]: Leaf certificate is absent"),
        rule="chain-trusted",
        meaning="the server sent no certificate",
        source=_NEWER,
    ),
    Row(
        id="ats-no-key",
        words=re.compile(r"iolation\]: Peer public key not set"),
        rule="chain-trusted",
        meaning="no key could be read from the server's certificate",
        source=_NEWER,
    ),
    Row(
        id="ats-plaintext",
        words=re.compile(r"\[ATS violation\]:? Did not use TLS"),
        rule="plaintext-http",
        meaning="the device was sent to a URL of plain HTTP",
        source=_SECOND_HAND,
        sureness="second-hand",
    ),
    Row(
        id="old-key-rsa",
        words=re.compile(r"ATS violation: RSA key size (?P<bits>\d{1,9}) less than minimum bound (?P<least>-?\d{1,9})"),
        rule="key-size-leaf",
        meaning="the RSA key of the certificate is too short",
        source=_OLDER,
        detail="RSA, {bits} bits, at least {least}",
    ),
    Row(
        id="old-key-ec",
        words=re.compile(r"ATS violation: EC key size (?P<bits>\d{1,9}) less than minimum bound (?P<least>-?\d{1,9})"),
        rule="key-size-leaf",
        meaning="the EC key of the certificate is too short",
        source=_OLDER,
        detail="ECDSA, {bits} bits, at least {least}",
    ),
    Row(
        id="old-hash",
        words=re.compile(r"ATS violation: Leaf certificate hash algorithm \((?P<hash>-?\d{1,9})\)"),
        rule="hash-leaf",
        meaning="the server's certificate is signed with a hash weaker than SHA-256",
        source=_OLDER,
        detail="{hash}",
    ),
    Row(
        id="old-no-leaf",
        words=re.compile(r"ATS violation: Leaf certificate is absent"),
        rule="chain-trusted",
        meaning="the server sent no certificate",
        source=_OLDER,
    ),
    Row(
        id="old-fcs-signature",
        words=re.compile(
            r"FCS TLS v2 compliance error: leaf cert signature algorithm not in offered signature algorithms"
        ),
        rule="signature-algorithm-certificate",
        meaning="the server's certificate is signed with an algorithm the device does not offer",
        source=_OLDER,
    ),
    # Whatever later builds say: told, so that silence never means that nothing was there.
    Row(
        id="other",
        words=re.compile(
            r"(?:\[ATS[^\]]{0,20} [vV]iolation\]:?|ATS violation:|FCS TLS v2 compliance error:) (?P<text>.{1,120})"
        ),
        rule=None,
        meaning="a violation in words that are not known here",
        source="by its likeness to the known ones",
        sureness="derived",
        detail="{text}",
        remedy="Check the server: tlswire check tells which rule it breaks.",
    ),
)
# Of errors of URL loading, one row for each code; what lies below it may name the rule.
ERRORS: dict[str, Row] = {
    "-1022": Row(
        id="error-1022",
        words=re.compile(r"finished with error \[-1022\]"),
        rule="plaintext-http",
        meaning="App Transport Security refused a URL of plain HTTP",
        source="NSURLErrorDomain -1022; Preventing Insecure Network Connections",
    ),
    "-1200": Row(
        id="error-1200",
        words=re.compile(r"finished with error \[-1200\]"),
        rule=None,
        meaning="the TLS connection failed; the line does not say why",
        source="NSURLErrorDomain -1200",
        sureness="second-hand",
        remedy="Look at the other lines about this server, and check it: tlswire check.",
    ),
}


# Check -> the policy's rule where it fails for the leaf, for an issuer (None: no rule is about it), and what it means.
CHECKS: dict[str, tuple[str | None, str | None, str]] = {
    "AnchorTrusted": ("chain-trusted", "chain-trusted", "does not lead to an anchor the device trusts"),
    "MissingIntermediate": ("chain-complete", "chain-complete", "an intermediate certificate is missing"),
    "SSLHostname": ("name-matches", None, "is for another name"),
    "TemporalValidity": ("validity-now", "validity-now", "is expired or not yet valid"),
    "SystemTrustValidityPeriod": ("validity-398", None, "is valid for longer than public ones may be"),
    "OtherTrustValidityPeriod": ("validity-825", None, "is valid for longer than private ones may be"),
    "ValidityPeriodMaximums": (None, None, "is valid for too long"),
    "WeakKeySize": ("key-size-leaf", "key-size-issuer", "has a key that is too short"),
    "KeySize": ("key-size-leaf", "key-size-issuer", "has a key that is too short"),
    "SystemTrustedWeakKey": ("key-size-leaf", "key-size-issuer", "has a key that is too short"),
    "WeakSignature": ("hash-leaf", "hash-issuer", "is signed with a weak hash"),
    "SignatureHashAlgorithms": ("hash-leaf", "hash-issuer", "is signed with a weak hash"),
    "SystemTrustedWeakHash": ("hash-leaf", "hash-issuer", "is signed with a weak hash"),
    "ServerAuthEKU": ("eku-server-auth", None, "is not meant for TLS servers (extended key usage)"),
    "ExtendedKeyUsage": ("eku-server-auth", None, "is not meant for TLS servers (extended key usage)"),
    "SystemTrustedCTRequired": ("chain-scts", None, "is not proved to be in Certificate Transparency logs"),
    "CTRequired": ("chain-scts", None, "is not proved to be in Certificate Transparency logs"),
    "Revocation": (None, None, "is revoked"),
    "BasicConstraints": (None, None, "a CA certificate is none, or is used beyond its bounds"),
    "CAspkiSHA256": (None, None, "is of another CA than the device has pinned"),
    "BlackListedKey": (None, None, "has a key that Apple blocks"),
    "BlackListedLeaf": (None, None, "is a certificate that Apple blocks"),
}

# OSStatus -> its name, the policy's rule (None: it names none), and what it means.
STATUSES: dict[int, tuple[str, str | None, str]] = {
    -9880: ("errSSLATSViolation", None, "App Transport Security refused the connection"),
    -9881: ("errSSLATSMinimumVersionViolation", "version-tls12", "the version of TLS is too old"),
    -9882: ("errSSLATSCiphersuiteViolation", "suite-fcp", "the suite is not one the device allows"),
    -9883: ("errSSLATSMinimumKeySizeViolation", "key-size-leaf", "the key of the certificate is too short"),
    -9884: (
        "errSSLATSLeafCertificateHashAlgorithmViolation",
        "hash-leaf",
        "the server's certificate is signed with a hash weaker than SHA-256",
    ),
    -9885: (
        "errSSLATSCertificateHashAlgorithmViolation",
        "hash-issuer",
        "a certificate of the chain is signed with a hash weaker than SHA-256",
    ),
    -9886: ("errSSLATSCertificateTrustViolation", "chain-trusted", "the certificate was not trusted"),
}

HASHES = {
    0: "unknown",
    1: "MD2",
    2: "MD4",
    3: "MD5",
    4: "SHA-1",
    5: "SHA-224",
    6: "SHA-256",
    7: "SHA-384",
    8: "SHA-512",
}
