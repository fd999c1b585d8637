"""Everything that can be wrong with certificates, chains, paths, names, staples and SCTs: one row each. DOOR.

A row says how bad it is and which clause says so; the text is filled where the problem is found. Must not import
anything of tlswire.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# weak: an attacker may profit today. legacy: it should have gone. fault: against a rule. info: good to know.
Category = Literal["weak", "legacy", "fault", "info"]

_BR = "CA/B Forum TLS BR"


class Problem(msgspec.Struct, frozen=True):
    """Something wrong or remarkable. ``source`` is the clause, ``at`` the position of the certificate it is about in
    the list it stands beside (None: the whole, or the value it stands in).
    """

    id: str
    category: Category
    text: str
    source: str
    at: int | None = None


class Kind(msgspec.Struct, frozen=True):
    """A row: ``text`` has fields in braces."""

    category: Category
    text: str
    source: str


KINDS: dict[str, Kind] = {
    # One certificate: its bytes.
    "unreadable": Kind("fault", "is not a certificate that can be read: {reason}", "RFC 5280 4.1"),
    "not-der": Kind("fault", "is not encoded in DER: {reason}", "RFC 5280 4.1, X.690 10 and 11"),
    "too-large": Kind("fault", "has {length} bytes; more than {bound} are not read", "bound of tlswire"),
    "trailing-data": Kind("fault", "{count} bytes follow the certificate", "RFC 5280 4.1, RFC 9846 4.5.1"),
    "unreadable-field": Kind("fault", "{field} cannot be read: {reason}", "RFC 5280 4.1.2"),
    "unreadable-extension": Kind("fault", "extension {name} cannot be read: {reason}", "RFC 5280 4.2"),
    "unreadable-hint": Kind("fault", "extension {name} cannot be read, but decides nothing: {reason}", "RFC 5280 4.2"),
    "duplicate-extension": Kind("fault", "extension {name} is there {count} times", "RFC 5280 4.2"),
    "too-many-extensions": Kind("fault", "has {count} more extensions than are read", "bound of tlswire"),
    "critical-extension": Kind("fault", "extension {name} is critical and not known", "RFC 5280 4.2"),
    "version-1": Kind("legacy", "is of X.509 version 1: nothing says what it may be used for", "RFC 5280 4.1.2.1"),
    "version-extensions": Kind("fault", "has extensions but is not of version 3", "RFC 5280 4.1.2.1"),
    "serial-not-positive": Kind("fault", "the serial number is not positive", "RFC 5280 4.1.2.2"),
    "serial-long": Kind("fault", "the serial number has {count} bytes, more than 20", "RFC 5280 4.1.2.2"),
    "serial-short": Kind("info", "the serial number has {count} bytes; 64 bits should be random", f"{_BR} 7.1"),
    "algorithm-mismatch": Kind("fault", "names two signature algorithms that differ", "RFC 5280 4.1.1.2"),
    "issuer-empty": Kind("fault", "the issuer has no name", "RFC 5280 4.1.2.4"),
    "subject-empty": Kind("fault", "the subject has no name, and {lack}", "RFC 5280 4.1.2.6"),
    "validity-reversed": Kind("fault", "ends before it begins", "RFC 5280 4.1.2.5"),
    "validity-form": Kind("fault", "{field} with a time that is not in the form for its year", "RFC 5280 4.1.2.5"),
    "no-expiry": Kind("info", "is meant never to expire", "RFC 5280 4.1.2.5"),
    "precertificate": Kind("fault", "is a precertificate, made for logs only", "RFC 6962 3.1"),
    # One certificate: its key.
    "unreadable-key": Kind("fault", "the key cannot be read: {reason}", "RFC 5280 4.1.2.7"),
    "unknown-key": Kind("fault", "the key is of a kind that is not known: {family}", "RFC 5280 4.1.2.7"),
    "weak-rsa-key": Kind("weak", "the RSA key has {bits} bits, fewer than 2048", "RFC 9325 4.5, SP 800-131A"),
    "rsa-key-oversize": Kind("fault", "the RSA key has {bits} bits; most clients refuse it", "bound of tlswire"),
    "rsa-small-factor": Kind("weak", "the RSA modulus is divisible by {factor}", "SP 800-89 5.3.3, " + _BR + " 6.1.6"),
    "rsa-close-primes": Kind("weak", "the primes of the RSA key are so close that they are found", "CVE-2022-26320"),
    "rsa-roca": Kind("weak", "the RSA modulus has the mark of Infineon's weak keys", "ROCA CVE-2017-15361"),
    "rsa-exponent": Kind("weak", "the RSA exponent is {exponent}", "RFC 8017 3.1"),
    "rsa-exponent-small": Kind("legacy", "the RSA exponent is {exponent}, less than 65537", f"{_BR} 6.1.6"),
    "rsa-exponent-large": Kind("info", "the RSA exponent has {bits} bits; some clients refuse it", f"{_BR} 6.1.6"),
    "dsa-key": Kind("legacy", "a DSA key: TLS 1.3 has no use for it", "RFC 9846 4.3.3, FIPS 186-5"),
    "weak-dsa-key": Kind("weak", "the DSA key has {bits} bits, fewer than 2048", "SP 800-131A 3"),
    "weak-ec-key": Kind("weak", "the key is on a curve of {bits} bits, fewer than 224", "RFC 9325 4.5, SP 800-131A"),
    "explicit-curve": Kind("fault", "spells the parameters of its curve out instead of naming it", "RFC 5480 2.1.1"),
    "unknown-curve": Kind("fault", "the key is on a curve that is not known: {curve}", "RFC 5480 2.1.1.1"),
    "unchecked-curve": Kind("info", "signatures on curve {curve} are not checked here", "RFC 5480 2.1.1.1"),
    # One certificate: what it is signed with.
    "weak-hash": Kind("weak", "is signed with {hash}", "RFC 6151, RFC 9155, " + _BR + " 7.1.3.2"),
    "unknown-signature": Kind("info", "is signed with {algorithm}, which is not known here", "RFC 5280 4.1.1.2"),
    # One certificate: its extensions.
    "no-alternative-names": Kind("fault", "has no subjectAltName: clients find no name in it", "RFC 9525 2, 6.3"),
    "odd-name": Kind("fault", "the name {name} can match nothing: {reason}", "RFC 5280 4.2.1.6, RFC 9525 6.3"),
    "names-cut": Kind("info", "has {count} names; the first {bound} are shown", "bound of tlswire"),
    "key-cert-sign-without-ca": Kind("fault", "may sign certificates but is no CA", "RFC 5280 4.2.1.3"),
    "ca-not-critical": Kind("fault", "says it is a CA in an extension that is not critical", "RFC 5280 4.2.1.9"),
    "ca-without-key-usage": Kind("fault", "a CA without keyUsage; strict clients refuse it", "RFC 5280 4.2.1.3"),
    "no-subject-key-id": Kind("fault", "a CA without subjectKeyIdentifier", "RFC 5280 4.2.1.2"),
    "no-authority-key-id": Kind(
        "fault", "without authorityKeyIdentifier; strict clients refuse it", "RFC 5280 4.2.1.1"
    ),
    "constraints-without-ca": Kind("fault", "constrains names but is no CA", "RFC 5280 4.2.1.10"),
    # SCTs, wherever they come from.
    "scts-unreadable": Kind("fault", "the SCTs of the {origin} cannot be read: {reason}", "RFC 6962 3.3"),
    "sct-version": Kind("info", "an SCT of the {origin} is of unknown version {version}", "RFC 6962 3.3"),
    "sct-future": Kind("fault", "an SCT of the {origin} is of the future: {time}", "RFC 6962 5.2"),
    # The chain as presented.
    "no-certificates": Kind("fault", "no certificate was presented", "RFC 9846 4.5.1"),
    "too-many-certificates": Kind(
        "fault", "{count} certificates; the first {bound} were looked at", "bound of tlswire"
    ),
    "wrong-order": Kind("fault", "a certificate does not certify the one before it", "RFC 5246 7.4.2, RFC 9846 4.5.1"),
    "duplicate-certificate": Kind("fault", "is the same as certificate {other}", "RFC 5246 7.4.2"),
    "extra-certificate": Kind("info", "leads from the server's certificate to nowhere", "RFC 9846 4.5.1"),
    "root-included": Kind("info", "the root is sent; clients must have it anyway", "RFC 5246 7.4.2"),
    "incomplete-chain": Kind("fault", "the issuer {issuer} was not sent{hint}", "RFC 5246 7.4.2, RFC 9846 4.5.1"),
    "leaf-not-first": Kind("fault", "the first certificate is a CA's, number {other} is not", "RFC 9846 4.5.1"),
    "leaf-is-ca": Kind("info", "the server's own certificate is a CA's", f"{_BR} 7.1.2.7"),
    "self-signed-leaf": Kind("fault", "the server's certificate is vouched for by itself only", "RFC 5280 3.2"),
    "link-signature": Kind("fault", "is not signed with the key of {issuer}: {reason}", "RFC 5280 6.1.3 (a)(1)"),
    "link-unchecked": Kind("info", "the signature was not checked: {reason}", "RFC 5280 6.1.3 (a)(1)"),
    "link-key-id": Kind("fault", "names another key of {issuer} than was sent", "RFC 5280 4.2.1.1"),
    "link-name": Kind("fault", "is signed with the key of {issuer} but names another issuer", "RFC 5280 6.1.3 (a)(4)"),
    # A path to an anchor.
    "expired": Kind("fault", "{subject} expired {time}", "RFC 5280 6.1.3 (a)(2)"),
    "not-yet-valid": Kind("fault", "{subject} is valid from {time}", "RFC 5280 6.1.3 (a)(2)"),
    "signature-bad": Kind("fault", "{subject} is not signed by {issuer}: {reason}", "RFC 5280 6.1.3 (a)(1)"),
    "signature-unchecked": Kind("fault", "the signature of {subject} cannot be checked: {reason}", "RFC 5280 6.1.3"),
    "name-chaining": Kind("fault", "{subject} is signed by {issuer} but names another issuer", "RFC 5280 6.1.3 (a)(4)"),
    "name-encoding": Kind("info", "{subject} spells its issuer's name in other bytes", "RFC 5280 7.1"),
    "not-a-ca": Kind("fault", "{subject} is no CA", "RFC 5280 6.1.4 (k)"),
    "path-length": Kind("fault", "{subject} allows {allowed} CAs below it, there are {count}", "RFC 5280 6.1.4 (m)"),
    "cannot-sign": Kind("fault", "{subject} may not sign certificates", "RFC 5280 6.1.4 (n)"),
    "name-constraint": Kind("fault", "{subject} does not allow the name {name}", "RFC 5280 6.1.3 (b)"),
    "constraint-unchecked": Kind(
        "fault", "the constraints of {subject} are not checked: {reason}", "RFC 5280 4.2.1.10"
    ),
    "purpose": Kind("fault", "{subject} is not for TLS servers: {purposes}", "RFC 5280 4.2.1.12"),
    "key-purpose": Kind("fault", "the key of {subject} is not for TLS: {purposes}", "RFC 5280 4.2.1.3"),
    "policy-unchecked": Kind("info", "{subject} demands policies, which are not checked", "RFC 5280 6.1.5"),
    "path-too-long": Kind("fault", "the path was not followed beyond {bound} certificates", "bound of tlswire"),
    "unknown-issuer": Kind("fault", "the issuer of {subject} is unknown: {issuer}", "RFC 5280 6.1"),
    "untrusted-root": Kind("fault", "the root {subject} is not among the anchors", "RFC 5280 6.1"),
    "self-signed": Kind("fault", "{subject} is signed by itself and not among the anchors", "RFC 5280 6.1"),
    "search-bounded": Kind("info", "there are more ways to an anchor than were tried", "bound of tlswire"),
    # The name.
    "name-mismatch": Kind("fault", "{reason}", "RFC 9525 6"),
    # The OCSP staple.
    "staple-missing": Kind("fault", "must be stapled, and no staple was sent", "RFC 7633 4.2"),
    "staple-unreadable": Kind("fault", "the staple cannot be read: {reason}", "RFC 6960 4.2.1"),
    "staple-too-large": Kind(
        "fault", "the staple has {length} bytes; more than {bound} are not read", "bound of tlswire"
    ),
    "staple-failed": Kind("fault", "the responder answered {status}", "RFC 6960 4.2.1"),
    "staple-of-another": Kind("fault", "the staple speaks of another certificate", "RFC 6960 3.2"),
    "staple-signature": Kind("fault", "the staple is not signed by the issuer: {reason}", "RFC 6960 3.2"),
    "staple-unchecked": Kind("info", "the signature of the staple was not checked: {reason}", "RFC 6960 3.2"),
    "staple-signer": Kind("fault", "the staple's signer may not speak for the issuer: {reason}", "RFC 6960 4.2.2.2"),
    "staple-weak-hash": Kind("weak", "the staple is signed with {hash}", "RFC 9155, " + _BR + " 7.1.3.2"),
    "staple-expired": Kind("fault", "the staple was good until {time}", "RFC 6960 4.2.2.1"),
    "staple-future": Kind("fault", "the staple is of the future: {time}", "RFC 6960 4.2.2.1"),
    "staple-no-end": Kind("info", "the staple does not say until when it is good", "RFC 6960 4.2.2.1"),
    "revoked": Kind("fault", "the certificate was revoked {time}{reason}", "RFC 6960 2.2"),
    "status-unknown": Kind("fault", "the responder does not know the certificate", "RFC 6960 2.2"),
}


def problem(kind: str, at: int | None = None, **fields: object) -> Problem:
    """The problem of a row of ``KINDS``, its text filled with ``fields``, which must be fit for a terminal."""
    row = KINDS[kind]
    return Problem(kind, row.category, row.text.format(**fields), row.source, at)
