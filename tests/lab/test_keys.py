from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa

from tlswire.lab import keys
from tlswire.lab.characters import character
from tlswire.lab.responder import respond
from tlswire.wire.handshake import body_grammar, parse_server_hello
from tlswire.wire.primitives import parse

from .hellos import client_hello
from .test_responder import messages


def public(kind: str) -> object:
    return x509.load_der_x509_certificate(keys.certificate(kind)).public_key()


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_certificates_are_signed_by_their_own_key(kind: str) -> None:
    certificate = x509.load_der_x509_certificate(keys.certificate(kind))
    certificate.verify_directly_issued_by(certificate)
    assert certificate.subject.public_bytes() == keys.authority()


@pytest.mark.parametrize(
    ("scheme", "digest"),
    [(0x0201, hashes.SHA1()), (0x0401, hashes.SHA256()), (0x0501, hashes.SHA384()), (0x0601, hashes.SHA512())],
)
def test_rsa_signatures(scheme: int, digest: hashes.HashAlgorithm) -> None:
    key = public("rsa")
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(keys.key("rsa").sign(scheme, b"content"), b"content", padding.PKCS1v15(), digest)
    with pytest.raises(InvalidSignature):
        key.verify(keys.key("rsa").sign(scheme, b"content"), b"other", padding.PKCS1v15(), digest)


@pytest.mark.parametrize(
    ("scheme", "digest"), [(0x0804, hashes.SHA256()), (0x0805, hashes.SHA384()), (0x0806, hashes.SHA512())]
)
def test_pss_signatures(scheme: int, digest: hashes.HashAlgorithm) -> None:
    key = public("rsa")
    assert isinstance(key, rsa.RSAPublicKey)
    scheme_padding = padding.PSS(padding.MGF1(digest), digest.digest_size)
    key.verify(keys.key("rsa").sign(scheme, b"content"), b"content", scheme_padding, digest)


@pytest.mark.parametrize(
    ("scheme", "digest"), [(keys.UNNAMED, hashes.SHA1()), (0x0403, hashes.SHA256()), (0x0603, hashes.SHA512())]
)
def test_ecdsa_and_dsa_signatures(scheme: int, digest: hashes.HashAlgorithm) -> None:
    curve_key, dsa_key = public("ec"), public("dsa")
    assert isinstance(curve_key, ec.EllipticCurvePublicKey)
    assert isinstance(dsa_key, dsa.DSAPublicKey)
    curve_key.verify(keys.key("ec").sign(scheme, b"content"), b"content", ec.ECDSA(digest))
    dsa_key.verify(keys.key("dsa").sign(scheme, b"content"), b"content", digest)


def test_a_server_key_exchange_is_signed_over_both_randoms() -> None:
    hello = client_hello(0x0303, (0xC02B,))
    found = messages(respond(character("modern"), hello))
    body = found[2].body
    value = parse(body_grammar(12, 0x0303, 0xC02B), body)
    signed = body[: -4 - len(value.signature.signature)]
    key = public("ec")
    assert isinstance(key, ec.EllipticCurvePublicKey)
    content = hello.random + parse_server_hello(found[0].body).random + signed
    key.verify(value.signature.signature, content, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("bits", [512, 1024, 2048])
def test_dh_primes_are_safe_primes(bits: int) -> None:
    prime = int.from_bytes(keys.dh_prime(bits))
    assert prime.bit_length() == bits
    assert pow(2, prime - 1, prime) == 1
    assert pow(3, prime // 2 - 1, prime // 2) == 1
