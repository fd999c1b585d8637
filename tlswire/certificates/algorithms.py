"""The algorithms certificates are signed by: by identifier, and as TLS calls their signatures.

Sources: RFC 3279 section 2.2, RFC 4055, RFC 5758, RFC 8410, RFC 8692, RFC 9814, RFC 9881, RFC 9846 section 4.3.3. Must not
import anything of tlswire but ``registry``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from tlswire.registry import SCHEMES
from tlswire.registry.table import hex_code

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

INTRINSIC = "intrinsic"
_RSA, _DSA, _NIST = "1.2.840.113549.1.1", "1.2.840.10040.4", "2.16.840.1.101.3.4.3"
PSS = f"{_RSA}.10"
# Family and hash by identifier; PSS names its hash in parameters.
ALGORITHMS: dict[str, tuple[str, str | None]] = {
    f"{_RSA}.2": ("RSA", "MD2"),
    f"{_RSA}.3": ("RSA", "MD4"),
    f"{_RSA}.4": ("RSA", "MD5"),
    f"{_RSA}.5": ("RSA", "SHA-1"),
    "1.3.14.3.2.29": ("RSA", "SHA-1"),  # the OIW's
    f"{_RSA}.14": ("RSA", "SHA-224"),
    f"{_RSA}.11": ("RSA", "SHA-256"),
    f"{_RSA}.12": ("RSA", "SHA-384"),
    f"{_RSA}.13": ("RSA", "SHA-512"),
    PSS: ("RSA-PSS", None),
    "1.2.840.10045.4.1": ("ECDSA", "SHA-1"),
    "1.2.840.10045.4.3.1": ("ECDSA", "SHA-224"),
    "1.2.840.10045.4.3.2": ("ECDSA", "SHA-256"),
    "1.2.840.10045.4.3.3": ("ECDSA", "SHA-384"),
    "1.2.840.10045.4.3.4": ("ECDSA", "SHA-512"),
    f"{_NIST}.9": ("ECDSA", "SHA3-224"),
    f"{_NIST}.10": ("ECDSA", "SHA3-256"),
    f"{_NIST}.11": ("ECDSA", "SHA3-384"),
    f"{_NIST}.12": ("ECDSA", "SHA3-512"),
    f"{_NIST}.13": ("RSA", "SHA3-224"),
    f"{_NIST}.14": ("RSA", "SHA3-256"),
    f"{_NIST}.15": ("RSA", "SHA3-384"),
    f"{_NIST}.16": ("RSA", "SHA3-512"),
    f"{_DSA}.3": ("DSA", "SHA-1"),
    f"{_NIST}.1": ("DSA", "SHA-224"),
    f"{_NIST}.2": ("DSA", "SHA-256"),
    f"{_NIST}.3": ("DSA", "SHA-384"),
    f"{_NIST}.4": ("DSA", "SHA-512"),
    "1.3.101.112": ("EdDSA", INTRINSIC),
    "1.3.101.113": ("EdDSA", INTRINSIC),
    f"{_NIST}.17": ("ML-DSA", INTRINSIC),
    f"{_NIST}.18": ("ML-DSA", INTRINSIC),
    f"{_NIST}.19": ("ML-DSA", INTRINSIC),
    **{f"{_NIST}.{arc}": ("SLH-DSA", INTRINSIC) for arc in range(20, 32)},
    "1.2.156.10197.1.501": ("SM2", "SM3"),
    "1.2.643.7.1.1.3.2": ("GOST", "STREEBOG-256"),
    "1.2.643.7.1.1.3.3": ("GOST", "STREEBOG-512"),
}
# The registry's words for ours. TLS names schemes by curve or parameter set where we do not: of these families the
# identifier decides, below.
_FAMILIES = {"RSA": "rsa-pkcs1", "RSA-PSS": "rsa-pss", "ECDSA": "ecdsa", "DSA": "dsa"}
_SET = {
    "1.3.101.112": "ed25519",
    "1.3.101.113": "ed448",
    f"{_NIST}.17": "mldsa44",
    f"{_NIST}.18": "mldsa65",
    f"{_NIST}.19": "mldsa87",
}
WEAK_HASHES = frozenset({"MD2", "MD4", "MD5", "SHA-1"})
_CURVE_SCHEMES = {"", "any", "secp256r1", "secp384r1", "secp521r1"}


class Algorithm(msgspec.Struct, frozen=True):
    """What a certificate is signed with; None where it is not known."""

    oid: str
    family: str | None
    hash: str | None

    @property
    def schemes(self) -> list[str]:
        """The TLS schemes such a signature is called by. ECDSA's are those of the hash: before TLS 1.3 the curve is not
        part of them (RFC 5246 section 7.4.1.4.1).
        """
        return list(_schemes(self.oid, self.family, self.hash))


@lru_cache(maxsize=64)
def _schemes(oid: str, family: str | None, digest: str | None) -> tuple[str, ...]:
    if oid in _SET:
        return (hex_code(SCHEMES.find(_SET[oid]).code),)
    wanted = (_FAMILIES.get(family or ""), (digest or "").replace("-", ""))
    return tuple(
        hex_code(row.code)
        for row in SCHEMES
        if (row.family, row.hash) == wanted
        and row.tls13 != "client-only"
        and (family != "ECDSA" or row.key_type in _CURVE_SCHEMES)
    )


def algorithm_of(oid: str, certificate: Certificate) -> Algorithm:
    """The algorithm with this identifier; PSS's parameters are the certificate's."""
    family, digest = ALGORITHMS.get(oid, (None, None))
    if oid == PSS:
        digest = _pss_hash(certificate)
    return Algorithm(oid, family, digest)


def _pss_hash(certificate: Certificate) -> str | None:
    try:
        found = certificate.signature_hash_algorithm
    except Exception:  # noqa: BLE001 - parameters that cryptography does not know: the hash stays unknown
        return None
    return None if found is None else str(found.name).upper().replace("SHA", "SHA-").replace("SHA-3-", "SHA3-")
