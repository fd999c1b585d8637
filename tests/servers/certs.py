"""The test CA and one leaf certificate per kind of key, as PEM files minted once per machine.

Must not import anything else of this package.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Callable

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

KINDS: dict[str, Callable[[], Key]] = {
    "rsa2048": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}

# RFC 7919, ffdhe2048: a published group, because generating one takes minutes.
FFDHE2048 = """\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""

# Part of the folder's name, so that a change of what is minted never meets an old folder.
EDITION = 1
VALID_DAYS = 825


@dataclass(frozen=True, slots=True)
class Leaf:
    """One end-entity certificate. `combined` is key then certificate, for servers that read one file; `issuers` holds
    the rest of its chain once more, for those that want it apart.
    """

    key: Path
    cert: Path
    combined: Path
    issuers: Path | None = None


@dataclass(frozen=True, slots=True)
class Certificates:
    """The folder of everything minted."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.cert.pem"

    @property
    def dhparam(self) -> Path:
        return self.folder / "dhparam.pem"

    def leaf(self, kind: str) -> Leaf:
        return Leaf(self.folder / f"{kind}.key.pem", self.folder / f"{kind}.cert.pem", self.folder / f"{kind}.pem")


def cache_folder() -> Path:
    """The private per-user folder below the system's temporary one; refuses one that somebody else planted."""
    folder = Path(tempfile.gettempdir()) / f"tlswire-test-servers-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    return folder


def certificates(folder: Path | None = None) -> Certificates:
    """The minted files in `folder` (default: the cache), minting them on first use and when they near their end."""
    home = folder or cache_folder() / f"certs-{EDITION}"
    minted = Certificates(home)
    if not _fresh(minted):
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        # Mint aside and rename: of two processes that start together the second finds the first one's folder.
        aside = Path(tempfile.mkdtemp(dir=home.parent, prefix=f"{home.name}."))
        _mint(Certificates(aside))
        try:
            aside.rename(home)
        except OSError:
            shutil.rmtree(aside)
    return minted


def _fresh(minted: Certificates) -> bool:
    try:
        ca = x509.load_pem_x509_certificate(minted.ca.read_bytes())
    except OSError:
        return False
    return ca.not_valid_after_utc - dt.datetime.now(dt.UTC) > dt.timedelta(days=30)


def _mint(home: Certificates) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("tlswire test CA")
    ca = (
        _builder(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    _write(home.ca, ca.public_bytes(Encoding.PEM))
    _write(home.dhparam, FFDHE2048.encode())
    for kind, generate in KINDS.items():
        key = generate()
        cert = (
            _builder(_name(f"tlswire test {kind}"), ca_name, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName(
                    [
                        x509.DNSName("localhost"),
                        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                        x509.IPAddress(ipaddress.ip_address("::1")),
                    ]
                ),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        pem_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem_cert = cert.public_bytes(Encoding.PEM)
        leaf = home.leaf(kind)
        _write(leaf.key, pem_key)
        _write(leaf.cert, pem_cert)
        _write(leaf.combined, pem_key + pem_cert)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: Key) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    # A leaf may do everything a key exchange could ask for (static RSA, static ECDH), so that no suite is
    # refused for the certificate's sake.
    leaf = not signs_certificates
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=leaf,
        data_encipherment=False,
        key_agreement=leaf,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
