"""A small PKI made by hand and really signed: every field of every certificate can be what no library would write."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.certificates.made import NULL, RSA_PSS, V3, common_name, der, extension, number, oid, sequence

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
START, END = "250101000000Z", "260101000000Z"
SERVER_AUTH, CLIENT_AUTH, ANY_PURPOSE, OCSP_SIGNING = (
    f"{arc}" for arc in ("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0", "1.3.6.1.5.5.7.3.9")
)
BITS = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
]
_SCTS = "1.3.6.1.4.1.11129.2.4.2"


@cache
def key_of(kind: str, label: str = "") -> Any:  # noqa: ARG001 - the cache tells keys apart by it
    """A private key; equal arguments give the same one."""
    makers: dict[str, Callable[[], Any]] = {
        "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
        "rsa2047": lambda: rsa.generate_private_key(65537, 2047),
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "rsa-e3": lambda: rsa.generate_private_key(3, 2048),
        "dsa": lambda: dsa.generate_private_key(2048),
        "dsa1024": lambda: dsa.generate_private_key(1024),
        "p192": lambda: ec.generate_private_key(ec.SECP192R1()),
        "p224": lambda: ec.generate_private_key(ec.SECP224R1()),
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "brainpool": lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
        "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate,
    }
    return makers[kind]()


def spki_of(private: Any) -> bytes:
    encoded: bytes = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def key_bits(spki: bytes) -> bytes:
    """The contents of the BIT STRING behind the algorithm, without the unused bits."""
    at = 2 if spki[1] < 0x80 else 2 + (spki[1] & 0x7F)
    at += 2 + spki[at + 1]
    size = spki[at + 1]
    return spki[at + 2 + (size & 0x7F if size & 0x80 else 0) + 1 :]


def _rsa(digest: hashes.HashAlgorithm) -> Callable[[Any, bytes], bytes]:
    return lambda key, data: key.sign(data, padding.PKCS1v15(), digest)


def _pss(key: Any, data: bytes) -> bytes:
    signed: bytes = key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return signed


def _ecdsa(digest: hashes.HashAlgorithm) -> Callable[[Any, bytes], bytes]:
    return lambda key, data: key.sign(data, ec.ECDSA(digest))


def _hashed(digest: hashes.HashAlgorithm) -> Callable[[Any, bytes], bytes]:
    return lambda key, data: key.sign(data, digest)


def _plain(key: Any, data: bytes) -> bytes:
    signed: bytes = key.sign(data)
    return signed


_SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"), NULL)
_PSS_256 = sequence(
    der(0xA0, _SHA256), der(0xA1, sequence(oid("1.2.840.113549.1.1.8"), _SHA256)), der(0xA2, number(32))
)
# AlgorithmIdentifier and how its signature is made.
SIGNERS: dict[str, tuple[bytes, Callable[[Any, bytes], bytes]]] = {
    "rsa-md5": (sequence(oid("1.2.840.113549.1.1.4"), NULL), _rsa(hashes.MD5())),
    "rsa-sha1": (sequence(oid("1.2.840.113549.1.1.5"), NULL), _rsa(hashes.SHA1())),
    "rsa-sha256": (sequence(oid("1.2.840.113549.1.1.11"), NULL), _rsa(hashes.SHA256())),
    "rsa-sha384": (sequence(oid("1.2.840.113549.1.1.12"), NULL), _rsa(hashes.SHA384())),
    "rsa-sha512": (sequence(oid("1.2.840.113549.1.1.13"), NULL), _rsa(hashes.SHA512())),
    "rsa-pss": (sequence(oid(RSA_PSS), _PSS_256), _pss),
    "ecdsa-sha1": (sequence(oid("1.2.840.10045.4.1")), _ecdsa(hashes.SHA1())),
    "ecdsa-sha256": (sequence(oid("1.2.840.10045.4.3.2")), _ecdsa(hashes.SHA256())),
    "ecdsa-sha384": (sequence(oid("1.2.840.10045.4.3.3")), _ecdsa(hashes.SHA384())),
    "ecdsa-sha512": (sequence(oid("1.2.840.10045.4.3.4")), _ecdsa(hashes.SHA512())),
    "ecdsa-sha3": (sequence(oid("2.16.840.1.101.3.4.3.10")), _ecdsa(hashes.SHA3_256())),
    "dsa-sha1": (sequence(oid("1.2.840.10040.4.3")), _hashed(hashes.SHA1())),
    "dsa-sha256": (sequence(oid("2.16.840.1.101.3.4.3.2")), _hashed(hashes.SHA256())),
    "ed25519": (sequence(oid("1.3.101.112")), _plain),
    "ed448": (sequence(oid("1.3.101.113")), _plain),
    "ml-dsa-65": (sequence(oid("2.16.840.1.101.3.4.3.18")), _plain),
    "unknown": (sequence(oid("1.2.3.4.5")), lambda _key, _data: bytes(64)),
    "md2": (sequence(oid("1.2.840.113549.1.1.2"), NULL), lambda _key, _data: bytes(256)),
}
_USUAL = {"rsa": "rsa-sha256", "p": "ecdsa-sha256", "brainpool": "ecdsa-sha256", "dsa": "dsa-sha256"}


def usual_signer(kind: str) -> str:
    return next((signer for start, signer in _USUAL.items() if kind.startswith(start)), kind)


# Extensions.


def critical(code: str, value: bytes) -> bytes:
    return sequence(oid(code), b"\x01\x01\xff", der(4, value))


def dns(*names: str) -> bytes:
    return extension("2.5.29.17", sequence(*(der(0x82, name.encode()) for name in names)))


def names(*items: bytes) -> bytes:
    return extension("2.5.29.17", sequence(*items))


def usage(*which: str) -> bytes:
    value = sum(0x80 >> BITS.index(name) for name in which)
    unused = 7 if not value else (value & -value).bit_length() - 1
    return critical("2.5.29.15", der(3, bytes([unused if value else 0]), bytes([value]) if value else b""))


def purposes(*codes: str) -> bytes:
    return extension("2.5.29.37", sequence(*map(oid, codes)))


def authority(length: int | None = None, *, is_critical: bool = True) -> bytes:
    value = sequence(b"\x01\x01\xff", b"" if length is None else number(length))
    return (critical if is_critical else extension)("2.5.29.19", value)


def subject_key(value: bytes) -> bytes:
    return extension("2.5.29.14", der(4, value))


def issuer_key(value: bytes) -> bytes:
    return extension("2.5.29.35", sequence(der(0x80, value)))


def constraints(permitted: tuple[bytes, ...] = (), excluded: tuple[bytes, ...] = ()) -> bytes:
    parts = [
        der(tag, *(sequence(item) for item in items)) for tag, items in ((0xA0, permitted), (0xA1, excluded)) if items
    ]
    return critical("2.5.29.30", sequence(*parts))


def access(ocsp: str | None = None, issuers: str | None = None) -> bytes:
    listed = [("1.3.6.1.5.5.7.48.1", ocsp), ("1.3.6.1.5.5.7.48.2", issuers)]
    return extension(
        "1.3.6.1.5.5.7.1.1", sequence(*(sequence(oid(kind), der(0x86, uri.encode())) for kind, uri in listed if uri))
    )


def features(*codes: int) -> bytes:
    return extension("1.3.6.1.5.5.7.1.24", sequence(*map(number, codes)))


def sct(moment: int = 1_735_700_000_000, log: bytes = b"L" * 32, *, version: int = 0) -> bytes:
    body = bytes([version]) + log + moment.to_bytes(8, "big") + b"\0\0" + b"\4\3" + b"\0\x08signed!!"
    return len(body).to_bytes(2, "big") + body


def sct_list(*items: bytes) -> bytes:
    body = b"".join(items)
    return len(body).to_bytes(2, "big") + body


def embedded(data: bytes) -> bytes:
    return extension(_SCTS, der(4, data))


# Certificates.


@dataclass(frozen=True)
class Minted:
    """A certificate, and what is needed to issue others with it."""

    der: bytes
    name: bytes
    kind: str
    key: Any
    key_id: bytes


def mint(  # as many fields as a certificate has
    subject: str | bytes,
    by: Minted | None = None,
    *,
    ca: bool = False,
    kind: str = "p256",
    label: str | None = None,
    signer: str | None = None,
    outer: str | None = None,
    spki: bytes | None = None,
    issuer: bytes | None = None,
    start: str = START,
    end: str = END,
    serial: bytes = der(2, bytes.fromhex("5a17") + bytes(13) + b"\x01"),
    version: bytes = V3,
    extensions: tuple[bytes, ...] | None = None,
    without: tuple[str, ...] = (),
    more: tuple[bytes, ...] = (),
    spoilt: bool = False,
    key_id: bytes | None = None,
    issuer_key_id: bytes | None = None,
) -> Minted:
    """A certificate as a careful CA would issue it, but for what is said.

    ``extensions`` are all it has; else ``without`` names those to leave out (identifiers), ``more`` comes on top and
    takes the place of what has the same identifier. ``outer`` signs by another algorithm than it says inside.
    """
    name = common_name(subject.encode()) if isinstance(subject, str) else subject
    key = key_of(kind, label if label is not None else str(subject))
    shown = spki if spki is not None else spki_of(key)
    own_id = key_id or hashlib.sha1(key_bits(spki_of(key))).digest()
    giver = by.name if by else name
    if extensions is None:
        usual = _usual(ca=ca, own_id=own_id, by_id=issuer_key_id or (by.key_id if by else None))
        own = {code_of(item): item for item in (*usual, *more)}
        extensions = (*(item for code, item in own.items() if code not in {oid(out) for out in without}),)
        extensions += tuple(item for item in more if item not in extensions)
    used, sign = SIGNERS[signer or usual_signer(by.kind if by else kind)]
    tail = der(0xA3, sequence(*extensions)) if extensions else b""
    validity = sequence(_moment(start), _moment(end))
    tbs = sequence(version, serial, used, issuer if issuer is not None else giver, validity, name, shown, tail)
    signature = sign(by.key if by else key, tbs)
    if spoilt:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    whole = sequence(tbs, SIGNERS[outer][0] if outer else used, der(3, b"\0", signature))
    return Minted(whole, name, kind, key, own_id)


def _usual(*, ca: bool, own_id: bytes, by_id: bytes | None) -> tuple[bytes, ...]:
    own = (
        (authority(), usage("key_cert_sign", "crl_sign"))
        if ca
        else (usage("digital_signature"), purposes(SERVER_AUTH), dns("www.example"))
    )
    return (*own, subject_key(own_id), *((issuer_key(by_id),) if by_id is not None else ()))


def code_of(item: bytes) -> bytes:
    """The identifier an extension begins with, with its header."""
    at = 2 if item[1] < 0x80 else 2 + (item[1] & 0x7F)
    return item[at : at + 2 + item[at + 1]]


def _moment(text: str) -> bytes:
    return der(0x17 if len(text) == 13 else 0x18, text.encode())


@cache
def root(kind: str = "p256") -> Minted:
    return mint(f"root {kind}", ca=True, kind=kind)


@cache
def intermediate(kind: str = "p256") -> Minted:
    return mint("intermediate", root(), ca=True, kind=kind)


@cache
def leaf() -> Minted:
    return mint("leaf", intermediate())
