"""A public key as it stands in a certificate: its kind and size, and what is wrong with it, from the DER.

``cryptography`` loads no key on an unknown curve, names a curve that was spelt out, and refuses some keys whose faults
are worth telling; so SubjectPublicKeyInfo is read here. Sources: RFC 5280 section 4.1.2.7, RFC 3279 section 2.3,
RFC 5480 section 2.1, RFC 8410, RFC 9881. Debian's weak keys (CVE-2008-0166) are not told: no package ships their list.
Must not import anything of tlswire but ``errors``, ``certificates.der`` and ``certificates.problems``.
"""

from __future__ import annotations

import math
import re
from functools import cache, lru_cache

import msgspec

from tlswire.certificates.der import (
    BIT_STRING,
    INTEGER,
    OID,
    SEQUENCE,
    Element,
    children,
    dotted,
    element,
    integer,
    only,
)
from tlswire.certificates.problems import Problem, problem
from tlswire.errors import WireError

_RSA, _PSS, _EC, _DSA = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.10045.2.1", "1.2.840.10040.4.1"

# Keys without parameters: family, name, bits (RFC 8410 section 3, RFC 9881 section 2).
_PLAIN: dict[str, tuple[str, str, int | None]] = {
    "1.3.101.110": ("XDH", "X25519", 256),
    "1.3.101.111": ("XDH", "X448", 448),
    "1.3.101.112": ("EdDSA", "Ed25519", 256),
    "1.3.101.113": ("EdDSA", "Ed448", 456),
    "2.16.840.1.101.3.4.3.17": ("ML-DSA", "ML-DSA-44", None),
    "2.16.840.1.101.3.4.3.18": ("ML-DSA", "ML-DSA-65", None),
    "2.16.840.1.101.3.4.3.19": ("ML-DSA", "ML-DSA-87", None),
}

# SEC 2 appendix A.2 (arc 1.3.132.0), X9.62 (1.2.840.10045.3.1), RFC 5639 section 4.1, GM/T 0006. The first number in a
# name is the size of the curve in bits.
_SEC2 = (
    "sect163k1 sect163r1 sect239k1 sect113r1 sect113r2 secp112r1 secp112r2 secp160r1 secp160k1 secp256k1 - - - - "
    "sect163r2 sect283k1 sect283r1 - - - - sect131r1 sect131r2 sect193r1 sect193r2 sect233k1 sect233r1 secp128r1 "
    "secp128r2 secp160r2 secp192k1 secp224k1 secp224r1 secp384r1 secp521r1 sect409k1 sect409r1 sect571k1 sect571r1"
)
_X962 = "secp192r1 prime192v2 prime192v3 prime239v1 prime239v2 prime239v3 secp256r1"
_BRAINPOOL = " ".join(f"brainpoolP{bits}{kind}1" for bits in (160, 192, 224, 256, 320, 384, 512) for kind in "rt")
CURVES: dict[str, str] = {
    f"{arc}.{number}": name
    for arc, names in (("1.3.132.0", _SEC2), ("1.2.840.10045.3.1", _X962), ("1.3.36.3.3.2.8.1.1", _BRAINPOOL))
    for number, name in enumerate(names.split(), 1)
    if name != "-"
} | {"1.2.156.10197.1.301": "sm2p256v1"}
# Those on which cryptography checks signatures.
_CHECKED = re.compile("secp(192r1|224r1|256k1|256r1|384r1|521r1)|brainpoolP(256|384|512)r1")

# OpenSSL's OPENSSL_RSA_MAX_MODULUS_BITS; schoolbook division of larger ones would take its time, too.
_LARGEST_MODULUS = 16384
# Random moduli have no factor that small; SP 800-89 section 5.3.3 asks for 752.
_SMALL = 1 << 16
# Primes closer than this many steps of Fermat's method were not chosen apart (CVE-2022-26320).
_FERMAT_STEPS = 100
# The moduli of all sizes that ROCA affects are made with the primes below this one, and more.
_ROCA_PRIMES = 168
_REMEMBERED = 4096  # bytes: longer keys are read each time
_FITS_JSON = 1 << 53


class KeyFacts(msgspec.Struct, frozen=True):
    """A public key: its family, a name, its size in bits; ``curve`` and RSA's ``exponent`` where it has such."""

    family: str
    name: str
    bits: int | None = None
    curve: str | None = None
    exponent: int | None = None
    problems: tuple[Problem, ...] = ()


def key_facts(spki: bytes) -> KeyFacts:
    """The facts of a SubjectPublicKeyInfo; never raises for bad bytes."""
    return _facts(spki) if len(spki) <= _REMEMBERED else _facts.__wrapped__(spki)


@lru_cache(maxsize=512)
def _facts(spki: bytes) -> KeyFacts:
    oid = ""
    try:
        algorithm, key = only(spki, SEQUENCE, BIT_STRING)
        first, *parameters = list(children(algorithm))
        oid = dotted(first.content)
        if oid in {_RSA, _PSS}:
            return _rsa("RSA-PSS" if oid == _PSS else "RSA", key.content[1:])
        if oid == _EC:
            return _ec(parameters)
        if oid == _DSA:
            return _dsa(parameters)
    except (WireError, ValueError) as error:
        return KeyFacts(oid, oid, problems=(problem("unreadable-key", reason=str(error)),))
    family, name, bits = _PLAIN.get(oid, (oid, oid, None))
    return KeyFacts(family, name, bits)


def _rsa(family: str, key: bytes) -> KeyFacts:
    """RFC 8017 appendix A.1.1: RSAPublicKey."""
    modulus, exponent = (integer(item) for item in only(key, INTEGER, INTEGER))
    if modulus < 2:
        raise WireError("the modulus is not positive")
    bits = modulus.bit_length()
    found = [*_exponent(exponent)]
    if bits < 2048:
        found.append(problem("weak-rsa-key", bits=bits))
    if bits > _LARGEST_MODULUS:
        found.append(problem("rsa-key-oversize", bits=bits))
    elif (factor := _small_factor(modulus)) is not None:
        found.append(problem("rsa-small-factor", factor=factor))
    elif _has_close_primes(modulus):
        found.append(problem("rsa-close-primes"))
    elif has_roca_mark(modulus):
        found.append(problem("rsa-roca"))
    return KeyFacts(family, "RSA", bits, None, exponent if 0 <= exponent < _FITS_JSON else None, tuple(found))


def _exponent(exponent: int) -> tuple[Problem, ...]:
    bits = exponent.bit_length()
    if exponent < 3 or not exponent & 1:
        return (problem("rsa-exponent", exponent=exponent if bits <= 32 else f"even or negative, of {bits} bits"),)
    if bits > 32:
        return (problem("rsa-exponent-large", bits=bits),)
    return (problem("rsa-exponent-small", exponent=exponent),) if exponent < 65537 else ()


@cache
def _primes(below: int) -> tuple[int, ...]:
    sieve = bytearray(b"\1") * below
    for number in range(2, math.isqrt(below) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, below, number)))
    return tuple(number for number in range(2, below) if sieve[number])


@cache
def _primorial() -> int:
    return math.prod(_primes(_SMALL))


def _small_factor(modulus: int) -> int | None:
    shared = math.gcd(modulus, _primorial())
    return next(prime for prime in _primes(_SMALL) if shared % prime == 0) if shared > 1 else None


def _has_close_primes(modulus: int) -> bool:
    """Fermat's method: a modulus of close factors is soon found to be the difference of two squares."""
    middle = math.isqrt(modulus - 1) + 1
    for number in range(middle, middle + _FERMAT_STEPS):
        rest = number * number - modulus
        if math.isqrt(rest) ** 2 == rest:
            return True
    return False


@cache
def _roca_residues() -> tuple[tuple[int, frozenset[int]], ...]:
    return tuple(
        (prime, frozenset(pow(65537, power, prime) for power in range(prime - 1))) for prime in _primes(_ROCA_PRIMES)
    )


def has_roca_mark(modulus: int) -> bool:
    """Whether a modulus is a power of 65537 modulo each of the smallest primes, as those of Infineon's library are
    (Nemec and others, The Return of Coppersmith's Attack, 2017, section 2.2). One in 2^27 others is, too.
    """
    return all(modulus % prime in residues for prime, residues in _roca_residues())


def _ec(parameters: list[Element]) -> KeyFacts:
    """RFC 5480 section 2.1.1: a named curve; RFC 3279 section 2.3.5: or all its parameters."""
    if not parameters:
        raise WireError("names no curve")
    if parameters[0].tag == OID:
        oid = dotted(parameters[0].content)
        name = CURVES.get(oid, oid)
        bits = int(re.findall(r"\d+", name)[0]) if name != oid else None
        found = _weak_curve(bits)
        if not _CHECKED.fullmatch(name):
            found += (problem("unknown-curve" if name == oid else "unchecked-curve", curve=name),)
        return KeyFacts("EC", f"EC {name}", bits, name, None, found)
    if parameters[0].tag == SEQUENCE:
        bits = _field_size(parameters[0])
        return KeyFacts("EC", "EC", bits, "explicit", None, (problem("explicit-curve"), *_weak_curve(bits)))
    raise WireError("leaves the curve to be known")


def _weak_curve(bits: int | None) -> tuple[Problem, ...]:
    return (problem("weak-ec-key", bits=bits),) if bits is not None and bits < 224 else ()


def _field_size(parameters: Element) -> int | None:
    """RFC 3279 section 2.3.5: version, then the field's kind and its prime, or its size and the basis of its elements."""
    _, field, *_ = children(parameters)
    _, value, *_ = children(field)
    return integer(value).bit_length() if value.tag == INTEGER else integer(element(value.data, value.body))


def _dsa(parameters: list[Element]) -> KeyFacts:
    """RFC 3279 section 2.3.2: the parameters may be the issuer's."""
    if not parameters:
        return KeyFacts("DSA", "DSA", problems=(problem("dsa-key"),))
    prime, *_ = children(parameters[0])
    bits = integer(prime).bit_length()
    weak = (problem("weak-dsa-key", bits=bits),) if bits < 2048 else ()
    return KeyFacts("DSA", "DSA", bits, None, None, (problem("dsa-key"), *weak))
