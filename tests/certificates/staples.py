"""OCSP responses made by hand and really signed (RFC 6960 section 4.2.1)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.certificates.made import NULL, der, extension, number, oid, sequence
from tests.certificates.mint import SIGNERS, Minted, key_bits, spki_of, usual_signer

if TYPE_CHECKING:
    from collections.abc import Sequence

GOOD, UNKNOWN = der(0x80), der(0x82)
SHA1, SHA256 = sequence(oid("1.3.14.3.2.26"), NULL), sequence(oid("2.16.840.1.101.3.4.2.1"), NULL)
THIS, NEXT = "20250530000000Z", "20250606000000Z"
_BASIC = "1.3.6.1.5.5.7.48.1.1"


def moment(text: str) -> bytes:
    return der(0x18, text.encode())


def revoked(when: str = "20250501000000Z", reason: int | None = None) -> bytes:
    return der(0xA1, moment(when), b"" if reason is None else der(0xA0, der(0x0A, bytes([reason]))))


def serial_of(certificate: bytes) -> bytes:
    """The INTEGER behind the version (RFC 5280 section 4.1)."""
    at = certificate.index(bytes.fromhex("a003020102")) + 5
    return certificate[at : at + 2 + certificate[at + 1]]


def answer(
    about: Minted,
    issuer: Minted,
    status: bytes = GOOD,
    *,
    this: str = THIS,
    until: str | None = NEXT,
    algorithm: bytes = SHA1,
    serial: bytes | None = None,
    extensions: bytes = b"",
) -> bytes:
    """One SingleResponse."""
    digest = hashlib.sha1 if algorithm == SHA1 else hashlib.sha256
    hashes = (der(4, digest(data).digest()) for data in (issuer.name, key_bits(spki_of(issuer.key))))
    identity = sequence(algorithm, *hashes, serial or serial_of(about.der))
    end = b"" if until is None else der(0xA0, moment(until))
    return sequence(identity, status, moment(this), end, der(0xA1, sequence(extensions)) if extensions else b"")


def staple(
    answers: Sequence[bytes],
    by: Minted,
    *,
    name: bytes | None = None,
    key_hash: bytes | None = None,
    certificates: Sequence[Minted] = (),
    signer: str | None = None,
    spoilt: bool = False,
    produced: str = THIS,
) -> bytes:
    """A successful OCSPResponse signed with the key of ``by``; the responder is named unless ``key_hash`` is given."""
    responder = der(0xA2, der(4, key_hash)) if key_hash is not None else der(0xA1, name or by.name)
    used, sign = SIGNERS[signer or usual_signer(by.kind)]
    data = sequence(responder, moment(produced), sequence(*answers))
    signature = sign(by.key, data)
    if spoilt:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    more = der(0xA0, sequence(*(item.der for item in certificates))) if certificates else b""
    basic = sequence(data, used, der(3, b"\0", signature), more)
    return sequence(der(0x0A, b"\0"), der(0xA0, sequence(oid(_BASIC), der(4, basic))))


def failed(status: int) -> bytes:
    return sequence(der(0x0A, bytes([status])))


def scts(data: bytes) -> bytes:
    return extension("1.3.6.1.4.1.11129.2.4.5", der(4, data))


def serial(value: int) -> bytes:
    return number(value)
