"""Our verdict beside those of ``cryptography`` and ``openssl verify``: every difference has its reason here."""

from __future__ import annotations

import base64
import ipaddress
import shutil
import subprocess
import warnings
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509 import verification

from tests.certificates.cases import CASES, Case, Given, described
from tests.certificates.mint import NOW

if TYPE_CHECKING:
    from pathlib import Path

# Why the verifier of cryptography decides otherwise: it accepts what we refuse ...
LEAF_KEY = "it does not look at the leaf's key"
TLS_USE = "it does not ask what the leaf's key is for"
UNREAD = "it does not read what it does not need"
# ... and refuses what we accept.
WEBPKI = "it wants the algorithms of public CAs"
PROFILE = "it wants the profile of public CAs, down to what no path depends on"
BYTES = "names are the same to it when their bytes are"
SELF_ISSUED = "it does not follow a CA from an old key to a new one"

BY_CRYPTOGRAPHY = {
    "rsa 1024": LEAF_KEY,
    "rsa modulus even": LEAF_KEY,
    "rsa modulus divisible": LEAF_KEY,
    "rsa primes too close": LEAF_KEY,
    "roca": LEAF_KEY,
    "rsa exponent 1": LEAF_KEY,
    "rsa exponent even": LEAF_KEY,
    "rsa modulus negative": LEAF_KEY,
    "dsa 1024": LEAF_KEY,
    "p192": LEAF_KEY,
    "secp160r1": LEAF_KEY,
    "a curve nobody knows": LEAF_KEY,
    "a curve spelt out": LEAF_KEY,
    "no curve": LEAF_KEY,
    "a point off the curve": LEAF_KEY,
    "a key of a kind nobody knows": LEAF_KEY,
    "a key for nothing of tls": TLS_USE,
    "a subject that is no text": UNREAD,
    "crls that are none": UNREAD,
    "too many": UNREAD,
    "brainpool": WEBPKI,
    "ed25519": WEBPKI,
    "ed448": WEBPKI,
    "sha3": WEBPKI,
    "signed with dsa": WEBPKI,
    "any purpose": PROFILE,
    "critical but known": PROFILE,
    "an anchor of version 1": PROFILE,
    "extensions in version 1": PROFILE,
    "negative serial": PROFILE,
    "no subject": PROFILE,
    "a CA without a subject": PROFILE,
    "times of the other form": PROFILE,
    "may sign but is no CA": PROFILE,
    "constrains but is no CA": PROFILE,
    "a CA that is not so in a critical way": PROFILE,
    "a CA without key usage": PROFILE,
    "no key id of the issuer": PROFILE,
    "a CA's as the leaf": PROFILE,
    "services that are none": PROFILE,
    "policies demanded": "it refuses what it cannot process; we say that it is not checked",
    "the issuer's name in other bytes": BYTES,
    "a new key of a CA does not count as a CA": SELF_ISSUED,
}

# Why openssl verify does.
LAX = "it takes BER, and versions there are none of"
KEY_FAULTS = "it looks at the size of a key only"
BY_OPENSSL = {
    "version 4": LAX,
    "a default is spelt out": LAX,
    "bytes behind": LAX,
    "rsa modulus even": KEY_FAULTS,
    "rsa modulus divisible": KEY_FAULTS,
    "rsa primes too close": KEY_FAULTS,
    "roca": KEY_FAULTS,
    "rsa exponent 1": KEY_FAULTS,
    "rsa exponent even": KEY_FAULTS,
    "rsa modulus negative": KEY_FAULTS,
    "brainpool 320": "it does not read a key of zeros; we do not look at points on curves we cannot check",
    "any purpose": "it wants serverAuth itself",
    "too many": "it has no such bound",
    "path too long to follow": "it follows a hundred",
    "another key id": "it takes the ids of keys for names; RFC 5280 section 4.2.1.1 makes them hints",
    "two roots, the first way leads nowhere": "it takes the first issuer it finds and does not turn back",
}
# Algorithms that some versions of OpenSSL know and others do not.
NEW = {"ml-dsa", "sha3"}


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def ours(given: Given) -> bool:
    report = described(given)
    return bool(report.verdicts) and report.verdicts[0].valid and report.host is not None and report.host.ok


def by_cryptography(given: Given) -> bool:
    host = given.host
    subject = x509.IPAddress(ipaddress.ip_address(host)) if is_address(host) else x509.DNSName(host)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            leaf, *others = map(x509.load_der_x509_certificate, given.ders)
            store = verification.Store(list(map(x509.load_der_x509_certificate, given.anchors)))
            policy = verification.PolicyBuilder().store(store).time(NOW)
            policy.build_server_verifier(subject).verify(leaf, others)
        except (ValueError, TypeError, x509.InvalidVersion, verification.VerificationError):
            return False
    return True


def by_openssl(given: Given, folder: Path) -> bool:
    if not given.ders or not given.anchors:
        return False
    for name, ders in (("anchors", given.anchors), ("others", given.ders[1:]), ("leaf", given.ders[:1])):
        (folder / name).write_bytes(b"".join(map(pem, ders)))
    command = ["openssl", "verify", "-no-CApath", "-no-CAstore", "-partial_chain", "-purpose", "sslserver"]
    command += ["-auth_level", "2", "-attime", str(int(NOW.timestamp())), "-CAfile", str(folder / "anchors")]
    command += ["-untrusted", str(folder / "others")] if given.ders[1:] else []
    command += ["-verify_ip" if is_address(given.host) else "-verify_hostname", given.host, str(folder / "leaf")]
    return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cryptography_decides_as_we_do_or_there_is_a_reason(case: Case) -> None:
    given = case.make()
    assert (by_cryptography(given) != ours(given)) == (case.name in BY_CRYPTOGRAPHY)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("case", [case for case in CASES if case.name not in NEW], ids=lambda case: case.name)
def test_openssl_decides_as_we_do_or_there_is_a_reason(case: Case, tmp_path: Path) -> None:
    given = case.make()
    assert (by_openssl(given, tmp_path) != ours(given)) == (case.name in BY_OPENSSL)


def test_reasons_are_of_chains_there_are() -> None:
    assert set(BY_CRYPTOGRAPHY) | set(BY_OPENSSL) | NEW <= {case.name for case in CASES}
