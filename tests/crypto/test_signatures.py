"""Signatures: each scheme with its own keys, against changes, against keys that do not fit, and against openssl."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.crypto.signatures import LEGACY, certificate_verify_signed, server_params_signed, sign, verify
from tlswire.errors import UsageError
from tlswire.registry import SCHEMES

if TYPE_CHECKING:
    from pathlib import Path

LAWS = settings(max_examples=60, deadline=None, database=None, derandomize=True)
SIGNED = b"what is signed" * 9


@cache
def private(kind: str) -> Any:
    if kind.startswith("mldsa"):
        mldsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
        return getattr(mldsa, f"{kind.upper()}PrivateKey").from_seed_bytes(bytes(32))
    makers = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
        "dsa": lambda: dsa.generate_private_key(1024),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
    }
    if kind in makers:
        return makers[kind]()
    curves: dict[str, ec.EllipticCurve] = {
        curve.name: curve for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP224R1())
    }
    curves |= {curve.name: curve for curve in (ec.BrainpoolP256R1(), ec.BrainpoolP384R1(), ec.BrainpoolP512R1())}
    return ec.generate_private_key(curves[kind])


# Every key that a family of the registry goes with, and what TLS 1.3 holds it to.
_KEYS = {
    "rsa-pkcs1": ("rsa",),
    "rsa-pss": ("rsa",),
    "dsa": ("dsa",),
    "ecdsa": ("secp256r1", "secp384r1", "secp521r1", "secp224r1", "brainpoolP256r1"),
}
CASES = [
    (row.code, kind)
    for row in SCHEMES
    for kind in _KEYS.get(row.family, (row.key_type,) if row.family in {"eddsa", "ml-dsa"} else ())
] + [(LEGACY, "rsa"), (LEGACY, "secp256r1"), (LEGACY, "dsa")]


def test_enough_schemes_are_tried() -> None:
    assert {SCHEMES[code].family for code, _ in CASES} == {*_KEYS, "eddsa", "ml-dsa", ""}
    assert len({code for code, _ in CASES}) >= 34


@pytest.mark.parametrize(
    ("scheme", "kind"), CASES, ids=lambda value: value if isinstance(value, str) else SCHEMES[value].name
)
def test_what_is_signed_verifies_and_nothing_else(scheme: int, kind: str) -> None:
    key = private(kind)
    signature = sign(scheme, key, SIGNED)
    assert verify(scheme, key.public_key(), SIGNED, signature) == ""
    assert verify(scheme, key.public_key(), SIGNED + b"!", signature) == "does not verify"
    changed = signature[:-1] + bytes((signature[-1] ^ 1,))
    assert verify(scheme, key.public_key(), SIGNED, changed) == "does not verify"
    assert verify(scheme, key.public_key(), SIGNED, b"") == "does not verify"
    assert verify(scheme, key.public_key(), SIGNED, signature + b"\0") == "does not verify"


@pytest.mark.parametrize(
    ("scheme", "kind"), CASES, ids=lambda value: value if isinstance(value, str) else SCHEMES[value].name
)
def test_schemes_of_tls_1_3_are_those_of_its_table(scheme: int, kind: str) -> None:
    key, row = private(kind), SCHEMES[scheme]
    reason = verify(scheme, key.public_key(), SIGNED, sign(scheme, key, SIGNED), tls13=True)
    if row.tls13 != "Y":
        assert "not for CertificateVerify of TLS 1.3" in reason or "before TLS 1.2" in reason
    elif row.family == "ecdsa" and row.key_type.lower() != kind.lower():
        assert reason == f"scheme {row.name} does not fit a key on {kind}"
    else:
        assert reason == ""


@pytest.mark.parametrize(
    ("scheme", "kind", "reason"),
    [
        (0x0401, "secp256r1", "scheme rsa_pkcs1_sha256 does not fit a key of EC"),
        (0x0403, "rsa", "scheme ecdsa_secp256r1_sha256 does not fit a key of RSA"),
        (0x0807, "ed448", "scheme ed25519 does not fit a key of ed448"),
        (0x0904, "mldsa65", "scheme mldsa44 does not fit a key of mldsa65"),
        (0x0202, "rsa", "scheme dsa_sha1 does not fit a key of RSA"),
        (LEGACY, "ed25519", "signatures before TLS 1.2 do not fit a key of ed25519"),
        (0x0709, "rsa", "cannot be checked here: scheme gostr34102012_256a"),
        (0x0911, "rsa", "cannot be checked here: scheme slhdsa_sha2_128s"),
        (0xFFFE, "rsa", "cannot be checked here: scheme 0xFFFE"),
    ],
)
def test_what_does_not_fit_is_said(scheme: int, kind: str, reason: str) -> None:
    assert verify(scheme, private(kind).public_key(), SIGNED, b"signature") == reason
    with pytest.raises(UsageError):
        sign(scheme, private(kind), SIGNED)


def test_a_key_too_small_for_its_scheme_is_no_traceback() -> None:
    # RFC 8017 section 9.1.1: PSS with SHA-512 takes 130 bytes.
    assert verify(0x0806, private("rsa1024").public_key(), SIGNED, bytes(128)) != ""
    tiny = rsa.RSAPublicNumbers(65537, (1 << 511) + 111).public_key()
    for scheme in (LEGACY, 0x0101, 0x0201, 0x0401, 0x0601, 0x0804, 0x0806):
        assert verify(scheme, tiny, SIGNED, bytes(64)) != ""


@LAWS
@given(st.sampled_from(CASES), st.binary(max_size=140))
def test_random_signatures_never_crash(case: tuple[int, str], signature: bytes) -> None:
    scheme, kind = case
    assert verify(scheme, private(kind).public_key(), SIGNED, signature) == "does not verify"


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl on PATH")
def test_signatures_before_tls_1_2_are_those_of_openssl(tmp_path: Path) -> None:
    key, digest = private("rsa"), tmp_path / "digest"
    pem, signature = tmp_path / "key.pem", tmp_path / "signature"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    import hashlib  # noqa: PLC0415

    digest.write_bytes(hashlib.md5(SIGNED).digest() + hashlib.sha1(SIGNED).digest())
    command = ["openssl", "pkeyutl", "-sign", "-inkey", pem, "-in", digest, "-out", signature]
    subprocess.run(list(map(str, command)), check=True, timeout=20)
    assert signature.read_bytes() == sign(LEGACY, key, SIGNED)


def test_what_handshakes_sign() -> None:
    assert server_params_signed(b"client", b"server", b"params") == b"clientserverparams"
    # RFC 9846 section 4.5.2 spells this one out.
    signed = certificate_verify_signed(b"\1" * 32)
    assert (
        signed.hex()
        == "20" * 64 + "544c5320312e332c207365727665722043657274696669636174655665726966790" + "0" + "01" * 32
    )
    assert certificate_verify_signed(b"", server=False)[64:] == b"TLS 1.3, client CertificateVerify\0"
