"""The lab's toy keys: certificates, DH primes, genuine signatures and RSA decryption in pure Python, all from one file.

The private halves are public and the nonces constant: these keys make handshakes verifiable, they protect nothing.
``material.json`` is minted by tests/lab/mint.py. Sources: RFC 8017 sections 8.1.1 and 8.2.1, RFC 5246 section 7.4.3.
Must not import anything of tlswire; no I/O but reading that file.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import math
from pathlib import Path
from typing import Protocol

import msgspec

# RFC 8017 section 9.2, note 1: the DigestInfo in front of each hash.
_DIGEST_INFO = {
    "md5": bytes.fromhex("3020300c06082a864886f70d020505000410"),
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha224": bytes.fromhex("302d300d06096086480165030402040500041c"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_HASHES = {1: "md5", 2: "sha1", 3: "sha224", 4: "sha256", 5: "sha384", 6: "sha512"}  # RFC 5246 section 7.4.1.4.1
_PSS = {0x0804: "sha256", 0x0805: "sha384", 0x0806: "sha512"}

# Scheme of the digitally-signed element before TLS 1.2, which names none (RFC 4346 section 7.4.3).
UNNAMED = 0


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data, usedforsecurity=False).digest()


class Key(Protocol):
    """A private key that signs."""

    def sign(self, scheme: int, data: bytes) -> bytes:
        """The signature of ``data`` under a SignatureScheme code, UNNAMED before TLS 1.2."""


class RsaKey(msgspec.Struct, frozen=True):
    """An RSA key of many very short primes: one signature is many cheap powers, 0.2 ms in all; e is 65537."""

    primes: tuple[int, ...]

    def sign(self, scheme: int, data: bytes) -> bytes:
        """PKCS #1 v1.5 or PSS with the scheme's hash; MD5 and SHA-1 joined when the scheme is UNNAMED."""
        size = self.size
        if scheme in _PSS:
            number = _pss(_PSS[scheme], data, size)
        else:
            name = _HASHES.get(scheme >> 8)
            info = _digest("md5", data) + _digest("sha1", data) if name is None else _DIGEST_INFO[name]
            info += b"" if name is None else _digest(name, data)
            number = int.from_bytes(b"\x00\x01".ljust(size - len(info) - 1, b"\xff") + b"\x00" + info)
        return self._power(number)

    def decrypt(self, data: bytes) -> bytes:
        """The block in ``data`` as it is, padding and all, as long as the modulus (RFC 8017 section 5.1.2)."""
        return self._power(int.from_bytes(data))

    @property
    def size(self) -> int:
        """Bytes of the modulus."""
        modulus, _ = _private(self.primes)
        return (modulus.bit_length() + 7) // 8

    def _power(self, number: int) -> bytes:
        modulus, parts = _private(self.primes)
        power = sum(pow(number % prime, exponent, prime) * factor for prime, exponent, factor in parts)
        return (power % modulus).to_bytes(self.size)


class NonceKey(msgspec.Struct, frozen=True):
    """An ECDSA or DSA key of group order ``order`` whose nonce is a constant; ``first`` is the r it gives."""

    order: int
    secret: int
    nonce: int
    first: int

    def sign(self, scheme: int, data: bytes) -> bytes:
        """DER of (r, s); SHA-1 when the scheme is UNNAMED (RFC 8422 section 5.4, RFC 4346 section 7.4.3)."""
        digest = _digest(_HASHES.get(scheme >> 8, "sha1"), data)
        number = int.from_bytes(digest) >> max(0, len(digest) * 8 - self.order.bit_length())
        second = pow(self.nonce, -1, self.order) * (number + self.first * self.secret) % self.order
        body = _integer(self.first) + _integer(second)
        return b"\x30" + bytes([len(body)]) + body


class _Material(msgspec.Struct, frozen=True):
    rsa: dict[str, list[str]]
    ec: dict[str, str]
    dsa: dict[str, str]
    dh_primes: dict[str, str]
    export_moduli: dict[str, str]
    certificates: dict[str, str]
    authority: str


@functools.cache
def _material() -> _Material:
    return msgspec.json.decode((Path(__file__).parent / "material.json").read_bytes(), type=_Material)


@functools.cache
def rsa_key() -> RsaKey:
    """The private key of the RSA certificate."""
    return RsaKey(tuple(int(prime, 16) for prime in _material().rsa["primes"]))


@functools.cache
def key(kind: str) -> Key:
    """The private key of certificate kind ``rsa``, ``ec`` or ``dsa``."""
    if kind == "rsa":
        return rsa_key()
    numbers = _material().ec if kind == "ec" else _material().dsa
    return NonceKey(**{name: int(value, 16) for name, value in numbers.items()})


@functools.cache
def certificate(kind: str) -> bytes:
    """The self-signed DER certificate of kind ``rsa``, ``ec`` or ``dsa``."""
    return base64.b64decode(_material().certificates[kind])


@functools.cache
def authority() -> bytes:
    """The DER distinguished name all certificates carry."""
    return base64.b64decode(_material().authority)


@functools.cache
def dh_prime(bits: int) -> bytes:
    """A safe prime of 512, 1024 (RFC 2409 section 6.2) or 2048 bits (RFC 7919 appendix A.1); its generator is 2."""
    return bytes.fromhex(_material().dh_primes[str(bits)])


@functools.cache
def export_modulus(bits: int) -> bytes:
    """An RSA modulus of 512 or 1024 bits, for the temporary keys of the export suites."""
    return bytes.fromhex(_material().export_moduli[str(bits)])


@functools.cache
def _private(primes: tuple[int, ...]) -> tuple[int, tuple[tuple[int, int, int], ...]]:
    """The modulus, and per prime what the Chinese remainder theorem needs: prime, exponent, factor."""
    modulus = math.prod(primes)
    return modulus, tuple(
        (prime, pow(65537, -1, prime - 1), (rest := modulus // prime) * pow(rest, -1, prime)) for prime in primes
    )


def _pss(name: str, data: bytes, size: int) -> int:
    """EMSA-PSS (RFC 8017 section 9.1.1) with a salt of zeros as long as the hash."""
    hashed = _digest(name, bytes(8) + _digest(name, data) + (salt := bytes(hashlib.new(name).digest_size)))
    plain = bytes(size - 2 * len(salt) - 2) + b"\x01" + salt
    counters = range(-(-len(plain) // len(hashed)))
    mask = b"".join(_digest(name, hashed + count.to_bytes(4)) for count in counters)
    masked = bytes(a ^ b for a, b in zip(plain, mask, strict=False))
    return int.from_bytes(bytes([masked[0] & 0x7F]) + masked[1:] + hashed + b"\xbc")


def _integer(number: int) -> bytes:
    body = number.to_bytes(number.bit_length() // 8 + 1)
    return b"\x02" + bytes([len(body)]) + body
