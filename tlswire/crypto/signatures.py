"""Signatures of handshakes: what is signed in ServerKeyExchange and CertificateVerify, checked and made.

``scheme`` is a code of the registry's signature schemes, or LEGACY: what TLS 1.0 and 1.1 sign with (MD5 and SHA-1 with
RSA, SHA-1 else; RFC 4346 section 7.4.3). Keys are those of ``cryptography``.
Must not import anything of tlswire but ``errors`` and ``registry``.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tlswire.errors import UsageError
from tlswire.registry import SCHEMES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from tlswire.registry import SchemeRow

LEGACY = 0
# How a reason begins that says nothing against the signature.
UNCHECKED = "cannot be checked here: "
_FAILED = "does not verify"


def server_params_signed(client_random: bytes, server_random: bytes, params: bytes) -> bytes:
    """What ServerKeyExchange signs, SSLv3 to TLS 1.2: ``params`` as sent (RFC 5246 section 7.4.3, RFC 8422 5.4)."""
    return client_random + server_random + params


def certificate_verify_signed(transcript: bytes, *, server: bool = True) -> bytes:
    """What CertificateVerify of TLS 1.3 signs: ``transcript`` is the hash up to Certificate (RFC 9846 section 4.5.2)."""
    side = b"server" if server else b"client"
    return b" " * 64 + b"TLS 1.3, " + side + b" CertificateVerify" + b"\0" + transcript


def verify(scheme: int, public_key: Any, signed: bytes, signature: bytes, *, tls13: bool = False) -> str:
    """Why ``signature`` is not one over ``signed``: one line, "" if it is one.

    It does not verify, the scheme does not fit the key, or it cannot be checked here. ``tls13`` holds a scheme to what
    TLS 1.3 says of CertificateVerify: no PKCS #1, no SHA-1, and the curve that ECDSA's name has (RFC 9846 section 4.3.3).
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415 - heavy

    row = SCHEMES[scheme]
    kind = _kind(public_key)
    reason = _misfit(row, kind, public_key, tls13=tls13)
    if reason:
        return reason
    try:
        if scheme == LEGACY and kind == "RSA":
            return "" if _legacy_block(public_key, signed) == _public(public_key, signature) else _FAILED
        public_key.verify(signature, signed, *_parameters(row, kind))
    except InvalidSignature:
        return _FAILED
    except (UnsupportedAlgorithm, ValueError) as error:
        return f"{UNCHECKED}{error}"
    return ""


def sign(scheme: int, private_key: Any, data: bytes) -> bytes:
    """A signature over ``data``, for the lab and tests; RSA-PSS, DSA, and ML-DSA take the system's randomness.

    Raises UsageError where the scheme does not fit the key or is not done here.
    """
    row = SCHEMES[scheme]
    kind = _kind(private_key)
    reason = _misfit(row, kind, private_key, tls13=False)
    if reason:
        raise UsageError(row.name, reason)
    if scheme == LEGACY and kind == "RSA":
        return _private(private_key, _legacy_block(private_key, data))
    signature: bytes = private_key.sign(data, *_parameters(row, kind))
    return signature


# What each family of the registry takes; the keys of the others are named by the scheme's own column.
_FAMILIES = {"rsa-pkcs1": "RSA", "rsa-pss": "RSA", "ecdsa": "EC", "dsa": "DSA", "eddsa": "", "ml-dsa": ""}


def _kind(key: Any) -> str:
    """RSA, EC, DSA, or the name the registry has for keys with one scheme: ed25519, mldsa44."""
    name = type(key).__name__.removesuffix("PublicKey").removesuffix("PrivateKey")
    return {"EllipticCurve": "EC"}.get(name, name if name in {"RSA", "EC", "DSA"} else name.lower())


def _misfit(row: SchemeRow, kind: str, key: Any, *, tls13: bool) -> str:
    """Why this scheme cannot go with this key, or not be looked at; "" if it can."""
    if row.code == LEGACY:
        fits = kind in _FAMILIES.values() and not tls13
        return "" if fits else f"signatures before TLS 1.2 do not fit a key of {kind}"
    if row.family not in _FAMILIES:
        return f"{UNCHECKED}scheme {row.name}"
    if kind != (_FAMILIES[row.family] or row.key_type):
        return f"scheme {row.name} does not fit a key of {kind}"
    if tls13 and row.tls13 != "Y":
        return f"scheme {row.name} is not for CertificateVerify of TLS 1.3 (RFC 9846 4.3.3)"
    if tls13 and kind == "EC" and key.curve.name.lower() != row.key_type.lower():
        return f"scheme {row.name} does not fit a key on {key.curve.name}"
    return ""


def _parameters(row: SchemeRow, kind: str) -> tuple[Any, ...]:
    """What sign and verify of the key take beside the data."""
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.asymmetric import ec, padding  # noqa: PLC0415 - heavy

    if row.code != LEGACY and not _FAMILIES[row.family]:
        return ()
    digest = hashes.SHA1() if row.code == LEGACY else getattr(hashes, row.hash)()  # noqa: S303 - RFC 4346 section 7.4.3
    if kind == "EC":
        return (ec.ECDSA(digest),)
    if kind == "DSA":
        return (digest,)
    if row.family == "rsa-pss":
        # RFC 9846 section 4.3.3: the salt is as long as the digest.
        return padding.PSS(padding.MGF1(digest), digest.digest_size), digest
    return padding.PKCS1v15(), digest


def _legacy_block(key: RSAPublicKey | RSAPrivateKey, data: bytes) -> bytes:
    """The PKCS #1 block of type 1 around MD5 and SHA-1 (RFC 2246 section 4.7): no cryptographic library makes it."""
    digests = hashlib.md5(data, usedforsecurity=False).digest() + hashlib.sha1(data, usedforsecurity=False).digest()
    size = (key.key_size + 7) // 8
    if size < len(digests) + 11:
        raise ValueError(f"an RSA key of {key.key_size} bits cannot sign {len(digests)} bytes")
    return b"\0\1" + b"\xff" * (size - len(digests) - 3) + b"\0" + digests


def _public(key: RSAPublicKey, signature: bytes) -> bytes:
    numbers, size = key.public_numbers(), (key.key_size + 7) // 8
    if len(signature) != size:
        return b""
    return pow(int.from_bytes(signature, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def _private(key: RSAPrivateKey, block: bytes) -> bytes:
    numbers = key.private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(len(block), "big")
