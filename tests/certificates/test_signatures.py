"""Signatures: which algorithms are checked, what a spoilt one is called, and what TLS calls them."""

from __future__ import annotations

import pytest

from tests.certificates.made import RSA_PSS, crafted, der, oid, sequence
from tests.certificates.mint import SIGNERS, Minted, mint, root
from tlswire.certificates.der import layout
from tlswire.certificates.details import certificate_details
from tlswire.certificates.parsed import Parsed
from tlswire.certificates.signatures import Checks, signed_by

KINDS = {
    "rsa-md5": ("rsa", "RSA", "MD5", ["0x0101"]),
    "rsa-sha1": ("rsa", "RSA", "SHA-1", ["0x0201"]),
    "rsa-sha256": ("rsa", "RSA", "SHA-256", ["0x0401"]),
    "rsa-sha384": ("rsa", "RSA", "SHA-384", ["0x0501"]),
    "rsa-sha512": ("rsa", "RSA", "SHA-512", ["0x0601"]),
    "rsa-pss": ("rsa", "RSA-PSS", "SHA-256", ["0x0804", "0x0809"]),
    "ecdsa-sha1": ("p256", "ECDSA", "SHA-1", ["0x0203"]),
    "ecdsa-sha256": ("p256", "ECDSA", "SHA-256", ["0x0403"]),
    "ecdsa-sha384": ("p384", "ECDSA", "SHA-384", ["0x0503"]),
    "ecdsa-sha512": ("p521", "ECDSA", "SHA-512", ["0x0603"]),
    "ecdsa-sha3": ("p256", "ECDSA", "SHA3-256", []),
    "dsa-sha1": ("dsa1024", "DSA", "SHA-1", ["0x0202"]),
    "dsa-sha256": ("dsa", "DSA", "SHA-256", ["0x0402"]),
    "ed25519": ("ed25519", "EdDSA", "intrinsic", ["0x0807"]),
    "ed448": ("ed448", "EdDSA", "intrinsic", ["0x0808"]),
    "ml-dsa-65": ("ml-dsa-65", "ML-DSA", "intrinsic", ["0x0905"]),
}
UNCHECKED = {"md2": "rsa", "unknown": "p256"}


def pair(signer: str, kind: str, *, spoilt: bool = False) -> tuple[Minted, Minted]:
    issuer = mint(f"by {kind}", ca=True, kind=kind)
    return mint("signed", issuer, signer=signer, spoilt=spoilt), issuer


def checked(child: Minted, issuer: Minted) -> tuple[str, str]:
    return signed_by(Parsed(child.der), Parsed(issuer.der))


def test_every_signer_of_the_tests_is_in_a_table() -> None:
    assert set(KINDS) | set(UNCHECKED) == set(SIGNERS)


@pytest.mark.parametrize("signer", KINDS)
def test_a_signature_is_good_until_a_bit_is_flipped_or_the_key_is_another(signer: str) -> None:
    kind, family, digest, schemes = KINDS[signer]
    child, issuer = pair(signer, kind)
    assert checked(child, issuer) == ("good", "")
    assert checked(pair(signer, kind, spoilt=True)[0], issuer)[0] == "bad"
    assert checked(child, mint("another", ca=True, kind=kind))[0] == "bad"
    assert checked(child, root("ed25519" if kind != "ed25519" else "rsa"))[0] == "bad"
    details = certificate_details(child.der)
    assert (details.signature_family, details.signature_hash) == (family, digest)
    assert list(details.signature_schemes) == schemes


@pytest.mark.parametrize("signer", UNCHECKED)
def test_what_cannot_be_checked_is_neither_good_nor_bad(signer: str) -> None:
    outcome, reason = checked(*pair(signer, UNCHECKED[signer]))
    assert outcome == "unchecked"
    assert reason


def test_an_algorithm_whose_identifier_is_too_long_for_any_is_not_known() -> None:
    endless = sequence(der(6, b"\x2a" + b"\xff" * 30 + b"\x01"))
    own = crafted(algorithm=endless)
    assert signed_by(Parsed(own), Parsed(own))[0] == "unchecked"
    # cryptography 50 does not even load it.
    assert {item.id for item in certificate_details(own).problems} & {"unreadable", "unknown-signature"}


def test_pss_without_parameters_is_not_checked() -> None:
    issuer = mint("by rsa", ca=True, kind="rsa")
    own = crafted(algorithm=sequence(oid(RSA_PSS)))
    assert signed_by(Parsed(own), Parsed(issuer.der))[0] != "good"
    assert certificate_details(own).signature_hash in {None, "SHA-1"}


def test_a_signature_that_ends_within_a_byte_is_bad() -> None:
    child, issuer = pair("ecdsa-sha256", "p256")
    at = len(layout(child.der).tbs) + child.der.index(layout(child.der).tbs)
    unused = child.der.index(b"\x03", at + 12) + 2
    assert child.der[unused] == 0
    spoilt = child.der[:unused] + b"\1" + child.der[unused + 1 : -1] + bytes([child.der[-1] & 0xFE])
    assert signed_by(Parsed(spoilt), Parsed(issuer.der))[0] == "bad"


def test_what_cannot_be_read_is_signed_by_nobody() -> None:
    assert signed_by(Parsed(b"garbage"), Parsed(root().der))[0] == "unchecked"
    assert signed_by(Parsed(root().der), Parsed(b"garbage"))[0] == "unchecked"


def test_a_key_that_cannot_be_read_checks_nothing() -> None:
    issuer = mint("odd", ca=True, spki=bytes.fromhex("300c300706032a03040500030100"))
    assert checked(mint("signed", issuer), issuer)[0] == "unchecked"


def test_a_certificate_that_signs_itself_says_so_and_one_that_only_says_so_does_not() -> None:
    assert certificate_details(mint("own").der).signs_itself is True
    assert certificate_details(mint("own", spoilt=True).der).signs_itself is False
    assert certificate_details(mint("other", root()).der).signs_itself is None


def test_signatures_are_checked_once_and_not_without_end() -> None:
    child, issuer = (Parsed(item.der) for item in pair("ecdsa-sha256", "p256"))
    checks = Checks(budget=1)
    assert checks.of(child, issuer) == ("good", "")
    assert checks.of(child, child)[0] == "unchecked"
    assert checks.of(child, issuer) == ("good", "")
