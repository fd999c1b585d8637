"""Keys as they stand in certificates, and the marks of weak ones."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.cases import close_modulus, explicit_spki, named_spki, roca_modulus, rsa_spki, sound_modulus
from tests.certificates.made import EC_KEY, RSA_PSS, der, number, oid, rsa_key, sequence
from tests.certificates.mint import key_of, spki_of
from tlswire.certificates.der import dotted
from tlswire.certificates.keys import CURVES, key_facts

LAWS = settings(max_examples=200, deadline=None, database=None, derandomize=True)


def ids(spki: bytes) -> list[str]:
    return [item.id for item in key_facts(spki).problems]


@pytest.mark.parametrize(
    ("kind", "family", "name", "bits", "curve", "exponent"),
    [
        ("rsa", "RSA", "RSA", 2048, None, 65537),
        ("rsa-e3", "RSA", "RSA", 2048, None, 3),
        ("dsa", "DSA", "DSA", 2048, None, None),
        ("p256", "EC", "EC secp256r1", 256, "secp256r1", None),
        ("brainpool", "EC", "EC brainpoolP256r1", 256, "brainpoolP256r1", None),
        ("ed25519", "EdDSA", "Ed25519", 256, None, None),
        ("ed448", "EdDSA", "Ed448", 456, None, None),
        ("ml-dsa-65", "ML-DSA", "ML-DSA-65", None, None, None),
    ],
)
def test_kinds(kind: str, family: str, name: str, bits: int | None, curve: str | None, exponent: int | None) -> None:
    found = key_facts(spki_of(key_of(kind)))
    assert (found.family, found.name, found.bits) == (family, name, bits)
    assert (found.curve, found.exponent) == (curve, exponent)


def test_a_key_for_pss_alone_is_told_apart() -> None:
    assert key_facts(rsa_key(sound_modulus(), oid(RSA_PSS))).family == "RSA-PSS"


def test_the_size_of_a_curve_that_is_spelt_out() -> None:
    found = key_facts(explicit_spki())
    assert (found.curve, found.bits) == ("explicit", 256)


def test_a_curve_that_is_not_known_is_its_identifier() -> None:
    found = key_facts(named_spki("1.2.3.4"))
    assert (found.name, found.bits, found.curve) == ("EC 1.2.3.4", None, "1.2.3.4")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_curves_have_the_identifiers_that_openssl_writes() -> None:
    listed = subprocess.run(["openssl", "ecparam", "-list_curves"], capture_output=True, text=True, check=True).stdout
    there = {line.split(":")[0].strip() for line in listed.splitlines() if ":" in line}
    ours = {"secp192r1": "prime192v1", "secp256r1": "prime256v1", "sm2p256v1": "SM2"}
    checked = 0
    for code, name in CURVES.items():
        theirs = ours.get(name, name)
        if theirs in there:
            command = ["openssl", "ecparam", "-name", theirs, "-outform", "DER"]
            written = subprocess.run(command, capture_output=True, check=True).stdout
            assert dotted(written[2:]) == code
            checked += 1
    assert checked > 40


def test_fermat_finds_primes_that_are_close_and_no_others() -> None:
    assert ids(rsa_spki(close_modulus())) == ["rsa-close-primes"]
    assert ids(rsa_spki(sound_modulus())) == []


def test_the_mark_of_roca_is_seen_in_what_is_made_as_infineon_did_and_in_nothing_else() -> None:
    assert ids(rsa_spki(roca_modulus())) == ["rsa-roca"]
    assert ids(rsa_spki(roca_modulus() + 4)) != ["rsa-roca"]


@pytest.mark.parametrize(("factor", "seen"), [(2, True), (3, True), (751, True), (65521, True), (65537, False)])
def test_small_factors(factor: int, *, seen: bool) -> None:
    found = key_facts(rsa_spki(factor * sound_modulus()))
    assert [item.id for item in found.problems] == (["rsa-small-factor"] if seen else [])
    assert not seen or f"by {factor}" in found.problems[0].text


@pytest.mark.parametrize(
    ("exponent", "expected", "shown"),
    [
        (1, "rsa-exponent", 1),
        (0, "rsa-exponent", 0),
        (-3, "rsa-exponent", None),
        (2, "rsa-exponent", 2),
        (1 << 4000, "rsa-exponent", None),
        (3, "rsa-exponent-small", 3),
        (65535, "rsa-exponent-small", 65535),
        (65537, None, 65537),
        ((1 << 32) - 1, None, (1 << 32) - 1),
        ((1 << 32) + 1, "rsa-exponent-large", (1 << 32) + 1),
        ((1 << 60) + 1, "rsa-exponent-large", None),
    ],
)
def test_exponents(exponent: int, expected: str | None, shown: int | None) -> None:
    found = key_facts(rsa_spki(sound_modulus(), exponent))
    assert [item.id for item in found.problems] == ([expected] if expected else [])
    assert found.exponent == shown


def test_parameters_of_dsa_may_be_the_issuers() -> None:
    found = key_facts(sequence(sequence(oid("1.2.840.10040.4.1")), der(3, b"\0", number(7))))
    assert (found.family, found.bits) == ("DSA", None)


@pytest.mark.parametrize("bits", [223, 224])
def test_curves_below_224_bits_are_weak(bits: int) -> None:
    parameters = sequence(number(1), sequence(oid("1.2.840.10045.1.1"), number(1 << (bits - 1))))
    spki = sequence(sequence(oid(EC_KEY), parameters), der(3, b"\0\4"))
    assert ("weak-ec-key" in ids(spki)) == (bits < 224)
    assert key_facts(spki).bits == bits


@LAWS
@given(st.binary(max_size=80))
def test_random_bytes_are_no_key(data: bytes) -> None:
    assert ids(data) == ["unreadable-key"]


@LAWS
@given(st.sampled_from(["rsa", "dsa", "p256", "ed25519"]), st.integers(0, 1 << 16))
def test_no_cut_of_a_key_is_one(kind: str, place: int) -> None:
    whole = spki_of(key_of(kind))
    assert ids(whole[: place % len(whole)]) == ["unreadable-key"]
