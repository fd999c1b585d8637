"""Mints the lab's toy keys and certificates: ``python tests/lab/mint.py > tlswire/lab/material.json``.

Everything follows from one seed, so running it again gives the same file (test_keys.py checks the certificates).
The keys protect nothing; they are shaped so that pure Python signs fast. RSA: primes that fit one digit of a Python
int make up the 2048-bit modulus, so a signature is many very short powers. ECDSA and DSA: the nonce is a constant.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import math
import random
import sys
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID

from tlswire.lab import keys

if TYPE_CHECKING:
    from collections.abc import Callable

RNG = random.Random("tlswire.lab")
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab.example")])
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def is_prime(number: int) -> bool:
    if any(number % small == 0 for small in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return number in {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37}
    odd, twos = number - 1, 0
    while not odd % 2:
        odd, twos = odd // 2, twos + 1
    for _ in range(40):
        power = pow(RNG.randrange(2, number - 1), odd, number)
        if power in {1, number - 1}:
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def prime(bits: int, fits: Callable[[int], bool] = lambda _: True) -> int:
    while True:
        number = RNG.getrandbits(bits) | 1 | 3 << bits - 2
        if fits(number) and is_prime(number):
            return number


def rsa_primes(bits: int, size: int) -> list[int]:
    """Primes of ``size`` bits, and a last one that makes their product exactly ``bits`` long."""
    found: set[int] = set()
    while bits - math.prod(found).bit_length() >= size:
        found.add(prime(size, lambda number: math.gcd(number - 1, 65537) == 1))
    rest = math.prod(found)
    low, high = -(-(1 << bits - 1) // rest), ((1 << bits) - 1) // rest
    fitting = (number for number in range(low | 1, high, 2) if math.gcd(number - 1, 65537) == 1 and is_prime(number))
    return [*sorted(found), next(number for number in fitting if number not in found)]


def safe_prime(bits: int) -> int:
    return prime(bits, lambda number: is_prime(number // 2))


def fixed_point(terms: Callable[[int], int], bits: int) -> int:
    return terms(1 << bits + 64) >> 64


def euler(one: int) -> int:
    total, term, index = one, one, 1
    while term:
        term //= index
        total += term
        index += 1
    return total


def machin(one: int) -> int:
    def arctan(inverse: int) -> int:
        total, power, index, sign = 0, one // inverse, 1, 1
        while power:
            total += sign * (power // index)
            power //= inverse * inverse
            index, sign = index + 2, -sign
        return total

    return 4 * (4 * arctan(5) - arctan(239))


def ffdhe2048() -> int:  # RFC 7919 appendix A.1
    return (1 << 2048) - (1 << 1984) + (fixed_point(euler, 1918) + 560316 << 64) - 1


def oakley2() -> int:  # RFC 2409 section 6.2
    return (1 << 1024) - (1 << 960) - 1 + (fixed_point(machin, 894) + 129093 << 64)


def dsa_domain() -> tuple[int, int, int]:
    q = prime(160)
    while True:
        p = RNG.getrandbits(1024) | 1 << 1023
        p -= p % (2 * q) - 1
        if p.bit_length() == 1024 and is_prime(p):
            break
    return p, q, pow(2, (p - 1) // q, p)


def der(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    size = len(body)
    length = bytes([size]) if size < 128 else (raw := size.to_bytes((size.bit_length() + 7) // 8))
    return bytes([tag]) + (length if size < 128 else bytes([0x80 | len(raw)]) + raw) + body


def certificate(public: Any, stand_in: Any, key: keys.Key, digest: hashes.SHA256, scheme: int) -> bytes:
    """A self-signed certificate: built with a stand-in key of the same kind, then signed by our own ``sign``."""
    alternatives: list[x509.GeneralName] = [
        x509.DNSName("lab.example"),
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    draft = (
        x509.CertificateBuilder(NAME, NAME, public, RNG.getrandbits(64) | 1)
        .not_valid_before(dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2045, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(stand_in, digest)
    )
    whole = draft.public_bytes(serialization.Encoding.DER)
    signed = draft.tbs_certificate_bytes
    start = whole.index(signed) + len(signed)
    algorithm = whole[start : start + 2 + whole[start + 1]]
    signature = key.sign(scheme, signed)
    return der(0x30, signed, algorithm, der(0x03, b"\x00", signature))


def mint() -> dict[str, Any]:
    primes = rsa_primes(2048, 30)
    modulus = math.prod(primes)
    rsa_key = keys.RsaKey(tuple(primes))
    rsa_public = rsa.RSAPublicNumbers(65537, modulus).public_key()

    secret, nonce = RNG.randrange(1, P256_ORDER), RNG.randrange(1, P256_ORDER)
    ec_private = ec.derive_private_key(secret, ec.SECP256R1())
    first = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers().x % P256_ORDER
    ec_key = keys.NonceKey(P256_ORDER, secret, nonce, first)

    p, q, g = dsa_domain()
    dsa_secret, dsa_nonce = RNG.randrange(1, q), RNG.randrange(1, q)
    numbers = dsa.DSAPublicNumbers(pow(g, dsa_secret, p), dsa.DSAParameterNumbers(p, q, g))
    dsa_private = dsa.DSAPrivateNumbers(dsa_secret, numbers).private_key()
    dsa_first = pow(g, dsa_nonce, p) % q
    dsa_key = keys.NonceKey(q, dsa_secret, dsa_nonce, dsa_first)

    stand_in = rsa.generate_private_key(65537, 2048)
    certificates = {
        "rsa": certificate(rsa_public, stand_in, rsa_key, hashes.SHA256(), 0x0401),
        "ec": certificate(ec_private.public_key(), ec_private, ec_key, hashes.SHA256(), 0x0403),
        "dsa": certificate(dsa_private.public_key(), dsa_private, dsa_key, hashes.SHA256(), 0x0402),
    }
    return {
        "rsa": {"primes": [f"{number:x}" for number in primes]},
        "ec": {"order": f"{P256_ORDER:x}", "secret": f"{secret:x}", "nonce": f"{nonce:x}", "first": f"{first:x}"},
        "dsa": {"order": f"{q:x}", "secret": f"{dsa_secret:x}", "nonce": f"{dsa_nonce:x}", "first": f"{dsa_first:x}"},
        "dh_primes": {"512": f"{safe_prime(512):x}", "1024": f"{oakley2():x}", "2048": f"{ffdhe2048():x}"},
        "export_moduli": {str(bits): f"{prime(bits // 2) * prime(bits // 2):x}" for bits in (512, 1024)},
        "certificates": {kind: base64.b64encode(data).decode() for kind, data in certificates.items()},
        "authority": base64.b64encode(NAME.public_bytes()).decode(),
    }


if __name__ == "__main__":
    json.dump(mint(), sys.stdout, indent=1)
    sys.stdout.write("\n")
