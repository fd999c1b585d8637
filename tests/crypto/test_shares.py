"""Key exchange: both sides agree in every group, and no hostile public value gives a secret or a traceback."""

from __future__ import annotations

import contextlib
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.mint import ffdhe2048
from tlswire.crypto.shares import (
    MAX_PRIME_BITS,
    answer_share,
    dh_private,
    ffdhe_prime,
    private_share,
    rsa_block,
    rsa_encrypt,
    supported,
)
from tlswire.errors import TlswireError, UsageError, WireError
from tlswire.hello.shares import probe_share
from tlswire.registry import GROUPS

LAWS = settings(max_examples=40, deadline=None, database=None, derandomize=True)
SUPPORTED = [row.code for row in GROUPS if supported(row.code)]
QUICK = [code for code in SUPPORTED if GROUPS[code].kind != "ffdhe"]
X25519, P256, FFDHE2048, X25519MLKEM768 = 0x001D, 0x0017, 0x0100, 0x11EC


mlkem = pytest.mark.skipif(not supported(0x0201), reason="this cryptography has no ML-KEM")


def named(code: int) -> str:
    return GROUPS[code].name


def test_what_is_supported() -> None:
    assert {named(code) for code in SUPPORTED} >= {
        *("x25519", "x448", "secp256r1", "secp384r1", "secp521r1", "secp224r1", "secp192r1", "secp256k1"),
        *("brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"),
        *("brainpoolP256r1tls13", "brainpoolP384r1tls13", "brainpoolP512r1tls13"),
        *("ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"),
    }


@mlkem
def test_what_is_supported_with_ml_kem() -> None:
    assert {named(code) for code in SUPPORTED} >= {
        *("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "MLKEM768", "MLKEM1024")
    }


@pytest.mark.parametrize("group", SUPPORTED, ids=named)
def test_both_sides_have_the_same_secret(group: int) -> None:
    ours = private_share(group, Random(1))
    row = GROUPS[group]
    assert len(ours.public) == row.client_share_len
    assert ours.public == private_share(group, Random(1)).public != private_share(group, Random(2)).public
    public, secret = answer_share(group, ours.public, Random(3))
    assert len(public) == row.server_share_len
    assert ours.secret(public) == secret
    assert any(secret)


@pytest.mark.parametrize("group", [row.code for row in GROUPS if row.code not in SUPPORTED], ids=named)
def test_other_groups_are_refused(group: int) -> None:
    with pytest.raises(UsageError, match="no key exchange with this group here"):
        private_share(group, Random(1))
    with pytest.raises(TlswireError):
        answer_share(group, bytes(GROUPS[group].client_share_len), Random(1))


@pytest.mark.parametrize("group", SUPPORTED, ids=named)
def test_lengths_are_told_both(group: int) -> None:
    row = GROUPS[group]
    ours = private_share(group, Random(1))
    for size in (0, 1, row.server_share_len - 1, row.server_share_len + 1):
        with pytest.raises(
            WireError, match=f"^key_exchange: {size} bytes for {row.name}, which has {row.server_share_len}$"
        ):
            ours.secret(bytes(size))
    with pytest.raises(WireError, match=f"3 bytes for {row.name}, which has {row.client_share_len}"):
        answer_share(group, b"abc", Random(1))


@LAWS
@given(st.sampled_from(QUICK), st.data())
def test_random_shares_never_crash(group: int, data: st.DataObject) -> None:
    size = GROUPS[group].server_share_len
    peer = data.draw(st.binary(min_size=size, max_size=size))
    for call in (lambda: private_share(group, Random(1)).secret(peer), lambda: answer_share(group, peer, Random(1))):
        with contextlib.suppress(WireError):
            call()


@pytest.mark.parametrize("group", [code for code in QUICK if GROUPS[code].kind == "ec"], ids=named)
def test_points_off_the_curve_are_refused(group: int) -> None:
    size = GROUPS[group].server_share_len
    ours = private_share(group, Random(1))
    with pytest.raises(WireError, match="not on the curve"):
        ours.secret(b"\4" + bytes(size - 2) + b"\1")
    with pytest.raises(WireError, match="begins with 3, not 4"):
        ours.secret(b"\3" + ours.public[1:])


# Points of small order (RFC 7748 section 6): zero, one, and p-1 of each field.
@pytest.mark.parametrize(
    ("group", "point"),
    [
        (0x001D, bytes(32)),
        (0x001D, b"\1" + bytes(31)),
        (0x001D, (2**255 - 20).to_bytes(32, "little")),
        (0x001E, bytes(56)),
        (0x001E, b"\1" + bytes(55)),
        (0x001E, (2**448 - 2**224 - 2).to_bytes(56, "little")),
    ],
)
def test_secrets_of_zeros_are_refused(group: int, point: bytes) -> None:
    with pytest.raises(WireError, match="all zeros"):
        private_share(group, Random(1)).secret(point)
    with pytest.raises(WireError, match="all zeros"):
        answer_share(group, point, Random(1))


@mlkem
def test_each_part_of_a_hybrid_is_looked_at() -> None:
    ours = private_share(X25519MLKEM768, Random(1))
    public, secret = answer_share(X25519MLKEM768, ours.public, Random(2))
    with pytest.raises(WireError, match="x25519: the secret would be all zeros"):
        ours.secret(public[:1088] + bytes(32))
    # RFC 10024: ML-KEM's part comes first, and a wrong ciphertext gives another secret.
    other = ours.secret(bytes((public[0] ^ 1,)) + public[1:])
    assert other[:32] != secret[:32]
    assert other[32:] == secret[32:]
    with pytest.raises(WireError, match="MLKEM768: not an encapsulation key"):
        answer_share(X25519MLKEM768, b"\xff" * 1184 + ours.public[1184:], Random(2))


@mlkem
@pytest.mark.parametrize("group", [0x11EB, 0x11EC, 0x11ED], ids=named)
def test_hybrids_have_their_parts_where_probes_have_them(group: int) -> None:
    answer_share(group, probe_share(group), Random(1))


def test_prime_of_rfc_7919_is_the_labs() -> None:
    assert ffdhe_prime(FFDHE2048) == ffdhe2048()


# A wrong X or a wrong digit of e gives a number that is no prime: Fermat's test is enough to tell.
@pytest.mark.parametrize("group", range(0x0100, 0x0105), ids=named)
def test_primes_of_rfc_7919_are_safe_primes(group: int) -> None:
    prime = ffdhe_prime(group)
    assert pow(3, prime - 1, prime) == 1
    assert pow(3, prime // 2 - 1, prime // 2) == 1
    assert prime.bit_length() == GROUPS[group].bits
    # Both ends are 64 ones.
    assert prime & (1 << 64) - 1 == prime >> (prime.bit_length() - 64) == (1 << 64) - 1


@pytest.mark.parametrize(
    "value", [0, 1, ffdhe_prime(FFDHE2048) - 1, ffdhe_prime(FFDHE2048)], ids=["0", "1", "p-1", "p"]
)
def test_public_values_out_of_range_are_refused(value: int) -> None:
    ours = private_share(FFDHE2048, Random(1))
    with pytest.raises(WireError, match="is not between 2 and p-2"):
        ours.secret(value.to_bytes(256, "big"))


SAFE = [5, 7, 11, 23, 47, 2**127 - 1, ffdhe_prime(FFDHE2048)]


@LAWS
@given(st.sampled_from(SAFE), st.integers(0, 1 << 40))
def test_diffie_hellman_agrees_and_strips_zeros(prime: int, seed: int) -> None:
    ours, theirs = dh_private(prime, 2, Random(seed)), dh_private(prime, 2, Random(seed + 1))
    size = (prime.bit_length() + 7) // 8
    assert len(ours.public) == size
    if int.from_bytes(theirs.public, "big") in {1, prime - 1}:
        with pytest.raises(WireError, match="between 2 and p-2"):
            ours.secret(theirs.public)
        return
    secret = ours.secret(theirs.public)
    assert secret[:1] != b"\0"
    assert len(secret) <= size
    # Leading zeros of the peer's value mean nothing (RFC 5246 section 7.4.7.2 sends numbers).
    assert ours.secret(b"\0\0" + theirs.public) == secret


def test_leading_zeros_are_kept_in_tls13_only() -> None:
    seed, peer = 64, (3).to_bytes(256, "big")  # a seed whose secret begins with one
    secret = private_share(FFDHE2048, Random(seed)).secret(peer)
    assert (len(secret), secret[0]) == (256, 0)
    assert dh_private(ffdhe_prime(FFDHE2048), 2, Random(seed)).secret(peer) == secret.lstrip(b"\0")


@pytest.mark.parametrize(
    ("prime", "generator", "reason"),
    [
        (0, 2, "0 is no prime"),
        (3, 2, "3 is no prime"),
        (1 << 1023, 2, "an even number is no prime"),
        ((1 << MAX_PRIME_BITS) + 1, 2, "16385 bits is over the bound of 16384"),
        (23, 0, "generator"),
        (23, 1, "generator"),
        (23, 22, "generator"),
        (23, 23, "generator"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) or value < 99 else f"{value.bit_length()} bits",
)
def test_parameters_that_exchange_nothing_are_refused(prime: int, generator: int, reason: str) -> None:
    with pytest.raises(WireError, match=reason):
        dh_private(prime, generator, Random(1))


def test_rsa_blocks_decrypt() -> None:
    private = rsa.generate_private_key(65537, 1024)
    public, numbers = private.public_key(), private.private_numbers()

    def opened(data: bytes) -> bytes:
        return pow(int.from_bytes(data, "big"), numbers.d, numbers.public_numbers.n).to_bytes(128, "big")

    sealed = rsa_encrypt(public, b"\3\3" + bytes(46), Random(1))
    assert (
        sealed
        == rsa_encrypt(public, b"\3\3" + bytes(46), Random(1))
        != rsa_encrypt(public, b"\3\3" + bytes(46), Random(2))
    )
    block = opened(sealed)
    padding, _, message = block[2:].partition(b"\0")
    assert (block[:2], len(padding), message) == (b"\0\2", 128 - 48 - 3, b"\3\3" + bytes(46))
    assert opened(rsa_block(public, b"\0\1bad padding")).lstrip(b"\0") == b"\1bad padding"
    assert len(rsa_encrypt(public, bytes(117), Random(1))) == 128
    with pytest.raises(WireError, match="1024 bits has no room for 118 bytes"):
        rsa_encrypt(public, bytes(118), Random(1))
    with pytest.raises(WireError, match="129 bytes is longer than the modulus of 128"):
        rsa_block(public, bytes(129))
