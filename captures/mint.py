"""Certificates for the recordings: a root, an intermediate and leaves, minted anew for each run.

The private keys live in the temporary folder of the run only; the captures hold the certificates alone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.servers.certs import FFDHE2048

if TYPE_CHECKING:
    from pathlib import Path

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Leaf(NamedTuple):
    """PEM files of one end-entity certificate, and the SHA-256 of what is sent with it, leaf first."""

    cert: Path
    key: Path
    chain: Path
    sha256: list[str]


class Minted(NamedTuple):
    """Everything minted; ``root``, ``issuer`` and ``dhparam`` are files."""

    root: Path
    issuer: Path
    dhparam: Path
    ec: Leaf
    rsa: Leaf
    client: Leaf


def mint(folder: Path) -> Minted:
    """Mint into ``folder``."""
    root_key, middle_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("tlswire capture root", root_key, "tlswire capture root", root_key, authority=True)
    middle = _certificate("tlswire capture issuer", middle_key, "tlswire capture root", root_key, authority=True)
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "issuer.pem").write_bytes(middle.public_bytes(Encoding.PEM))
    (folder / "dh.pem").write_text(FFDHE2048)

    def leaf(name: str, key: Key) -> Leaf:
        certificate = _certificate(f"{name}.example", key, "tlswire capture issuer", middle_key, authority=False)
        cert, private, chain = (folder / f"{name}.{kind}.pem" for kind in ("cert", "key", "chain"))
        cert.write_bytes(certificate.public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        chain.write_bytes(certificate.public_bytes(Encoding.PEM) + middle.public_bytes(Encoding.PEM))
        sent = [hashlib.sha256(item.public_bytes(Encoding.DER)).hexdigest() for item in (certificate, middle)]
        return Leaf(cert, private, chain, sent)

    return Minted(
        folder / "root.pem",
        folder / "issuer.pem",
        folder / "dh.pem",
        leaf("server-ec", ec.generate_private_key(ec.SECP256R1())),
        leaf("server-rsa", rsa.generate_private_key(65537, 2048)),
        leaf("client", ec.generate_private_key(ec.SECP256R1())),
    )


def _certificate(subject: str, key: Key, issuer: str, signer: Key, *, authority: bool) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650 if authority else 398))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("*.example")]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
