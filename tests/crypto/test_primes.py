"""The table of well-known primes against the formulas that define them, and Miller and Rabin's test."""

from __future__ import annotations

import hashlib
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers.catalogue import exe
from tlswire.crypto.primes import MAX_BITS, is_prime, known_prime, structure
from tlswire.crypto.shares import ffdhe_prime
from tlswire.registry import DH_PRIMES, GROUPS

LAWS = settings(max_examples=60, deadline=None, database=None, derandomize=True)

# RFC 2409 section 6 and RFC 3526: 2^b - 2^(b-64) - 1 + 2^64 (floor(2^(b-130) pi) + X), with this X by b.
MODP = {
    768: ("Oakley group 1", 149686),
    1024: ("Oakley group 2", 129093),
    1536: ("MODP group 5", 741804),
    2048: ("MODP group 14", 124476),
    3072: ("MODP group 15", 1690314),
    4096: ("MODP group 16", 240904),
    6144: ("MODP group 17", 929484),
    8192: ("MODP group 18", 4743158),
}


def pi_times_power(bits: int) -> int:
    """floor(2^bits pi), by Machin: 16 arctan(1/5) - 4 arctan(1/239)."""
    one = 1 << (bits + 64)

    def arctan(inverse: int) -> int:
        total, power, n = 0, one // inverse, 1
        while power:
            total += power // n if n % 4 == 1 else -(power // n)
            power //= inverse * inverse
            n += 2
        return total

    return (16 * arctan(5) - 4 * arctan(239)) >> 64


@pytest.mark.parametrize("bits", MODP)
def test_the_primes_of_rfc_2409_and_3526_are_those_of_their_formula(bits: int) -> None:
    name, x = MODP[bits]
    prime = (1 << bits) - (1 << (bits - 64)) - 1 + ((pi_times_power(bits - 130) + x) << 64)
    row = known_prime(prime)
    assert row is not None
    assert (row.name, row.bits, structure(prime)) == (name, bits, "safe")


@pytest.mark.parametrize("group", range(0x0100, 0x0105))
def test_the_primes_of_rfc_7919_are_those_of_their_formula(group: int) -> None:
    row = known_prime(ffdhe_prime(group))
    assert row is not None
    assert (row.name, row.bits, row.safe) == (GROUPS[group].name, GROUPS[group].bits, True)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_primes_of_rfc_5114_are_those_of_openssl(number: int) -> None:
    if reason := exe("openssl")():
        pytest.skip(reason)
    command = ["openssl", "genpkey", "-genparam", "-algorithm", "DHX", "-pkeyopt", f"dh_rfc5114:{number}"]
    pem = subprocess.run(command, capture_output=True, timeout=20, check=True).stdout
    shown = subprocess.run(["openssl", "asn1parse"], input=pem, capture_output=True, timeout=20, check=True).stdout
    prime = int(shown.split(b"INTEGER")[1].split()[0].lstrip(b":"), 16)
    row = known_prime(prime)
    assert row is not None
    assert row.reference == f"RFC5114 2.{number}"
    assert structure(prime) == "subgroup"
    assert is_prime(prime)
    assert not is_prime(prime >> 1)


def test_every_row_has_a_source_and_no_two_have_a_name() -> None:
    assert all(row.reference and row.bits >= 512 for row in DH_PRIMES)
    assert len({row.name for row in DH_PRIMES}) == len(DH_PRIMES)


def test_a_prime_is_known_by_its_bytes_alone() -> None:
    prime = ffdhe_prime(0x0100)
    digest = hashlib.sha256(prime.to_bytes(256, "big")).hexdigest()
    assert DH_PRIMES[int(digest, 16)].name == "ffdhe2048"
    assert known_prime(prime + 2) is None
    assert known_prime(0) is None


def test_small_numbers_are_told_as_by_division() -> None:
    by_division = [n for n in range(2, 6000) if all(n % d for d in range(2, int(n**0.5) + 1))]
    assert [n for n in range(6000) if is_prime(n)] == by_division


# Composites that pass for prime with the bases 2, 3, 5 ... 37, and Carmichael's numbers (OEIS A014233, A002997).
PRETENDERS = [
    *(561, 1105, 41041, 825265, 321197185, 5394826801),
    *(2047, 1373653, 25326001, 3215031751, 2152302898747, 3474749660383, 341550071728321, 3825123056546413051),
    318665857834031151167461,
    3317044064679887385961981,
]


@pytest.mark.parametrize("number", PRETENDERS)
def test_numbers_that_fool_fixed_bases_are_found_out(number: int) -> None:
    assert not is_prime(number)


@LAWS
@given(st.integers(2, 1 << 300), st.integers(2, 1 << 300))
def test_a_product_is_no_prime(one: int, other: int) -> None:
    assert not is_prime(one * other)


@pytest.mark.parametrize("exponent", [127, 521, 607, 1279, 2203])
def test_primes_of_mersenne_are_primes(exponent: int) -> None:
    assert is_prime((1 << exponent) - 1)
    assert not is_prime((1 << exponent + 2) - 1) or exponent + 2 in {127, 521, 607, 1279, 2203}


def test_what_is_no_safe_prime_is_told_apart() -> None:
    mersenne = (1 << 1279) - 1
    assert structure(mersenne) == "not-safe"
    assert structure(mersenne * ((1 << 607) - 1)) == "composite"
    assert structure(1 << 1024) == "composite"
    assert structure((1 << (MAX_BITS + 1)) + 1) == "unchecked"
    assert structure(0) == "composite"
