"""Signatures of certificates: by which algorithm, and whether a key made them.

``cryptography`` refuses to check some of what it can check when asked for a whole certificate, so the key is asked.
Sources: RFC 3279 section 2.2, RFC 4055, RFC 5758, RFC 8410, RFC 8692, RFC 9814, RFC 9881, RFC 9846 section 4.2.3.
Must not import anything of tlswire but ``errors``, ``registry`` and, of certificates, ``der``, ``facts``, ``loading``,
``model`` and ``parsed``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.certificates.der import identifier
from tlswire.certificates.facts import reason
from tlswire.certificates.loading import quietly
from tlswire.errors import WireError
from tlswire.registry import SCHEMES
from tlswire.registry.table import hex_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.certificates.model import Signature
    from tlswire.certificates.parsed import Parsed

INTRINSIC = "intrinsic"
# Of one chain: many times what any needs, and a second of the slowest.
MAX_CHECKS = 128
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
_HASHES = {"MD5": "MD5", "SHA-1": "SHA1"}  # cryptography's classes where dropping the hyphen is not enough
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


def algorithm(parsed: Parsed) -> Algorithm | None:
    """What a certificate is signed with (RFC 5280 section 4.1.1.2); None: the certificate cannot be read."""
    if parsed.layout is None or parsed.certificate is None:
        return None
    try:
        oid = identifier(parsed.layout.algorithm)
    except WireError as error:
        return Algorithm(f"something that {error}", None, None)
    family, digest = ALGORITHMS.get(oid, (None, None))
    if oid == PSS:
        digest = _pss_hash(parsed)
    return Algorithm(oid, family, digest)


def _pss_hash(parsed: Parsed) -> str | None:
    try:
        found: Any = parsed.certificate.signature_hash_algorithm  # type: ignore[union-attr]  # the caller has looked
    except Exception:  # noqa: BLE001 - parameters that cryptography does not know: the hash stays unknown
        return None
    return str(found.name).upper().replace("SHA", "SHA-").replace("SHA-3-", "SHA3-")


def signed_by(child: Parsed, issuer: Parsed) -> tuple[Signature, str]:
    """Whether ``issuer``'s key made the signature of ``child``, and why that is not so or not known."""
    used = algorithm(child)
    if used is None or child.layout is None:
        return "unchecked", child.error or "it cannot be read"
    if issuer.key is None:
        return "unchecked", f"the issuer's key: {issuer.key_error}"
    return verify(used, issuer.key, child.layout.signature, child.layout.tbs, child.certificate)


def verify(used: Algorithm, key: Any, bits: bytes, data: bytes, holder: Any = None) -> tuple[Signature, str]:
    """Whether ``key`` signed ``data``: ``bits`` are the BIT STRING's contents, ``holder`` what knows PSS's parameters."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415 - loaded with the key

    check = _CHECKS.get(used.family or "")
    if check is None:
        return "unchecked", f"{used.family or used.oid} is not checked here"
    kind, how = check
    if not any(name in type(key).__name__ for name in kind):
        return "bad", f"{used.family} is not for a key of this kind"
    if bits[:1] != b"\0":
        return "bad", "the signature is not a whole number of bytes"
    try:
        quietly(lambda: how(key, used, bits[1:], data, holder))
    except InvalidSignature:
        return "bad", "the signature does not fit the key"
    except (UnsupportedAlgorithm, AttributeError) as error:
        return "unchecked", reason(error)
    except Exception as error:  # noqa: BLE001 - what a hostile key or signature makes of the library
        return "bad", reason(error)
    return "good", ""


class Checks:
    """Signatures checked so far, each once; after ``budget`` of them the rest stays unchecked."""

    def __init__(self, budget: int = MAX_CHECKS) -> None:
        self._left = budget
        self._known: dict[tuple[bytes, bytes], tuple[Signature, str]] = {}

    def of(self, child: Parsed, issuer: Parsed) -> tuple[Signature, str]:
        """As ``signed_by``."""
        pair = child.der, issuer.layout.spki if issuer.layout is not None else b""
        if pair not in self._known:
            if not self._left:
                return "unchecked", "too many signatures were checked before"
            self._left -= 1
            self._known[pair] = signed_by(child, issuer)
        return self._known[pair]


def _digest(name: str | None) -> Any:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - loaded with the key

    name = name or ""
    label = _HASHES.get(name) or (name.replace("-", "_") if name.startswith("SHA3") else name.replace("-", ""))
    return getattr(hashes, label)()  # MD2 and MD4 are not there: AttributeError


def _rsa(key: Any, used: Algorithm, signature: bytes, data: bytes, _holder: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 - loaded with the key

    key.verify(signature, data, padding.PKCS1v15(), _digest(used.hash))


def _pss(key: Any, _used: Algorithm, signature: bytes, data: bytes, holder: Any) -> None:
    key.verify(signature, data, holder.signature_algorithm_parameters, holder.signature_hash_algorithm)


def _ecdsa(key: Any, used: Algorithm, signature: bytes, data: bytes, _holder: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - loaded with the key

    key.verify(signature, data, ec.ECDSA(_digest(used.hash)))


def _dsa(key: Any, used: Algorithm, signature: bytes, data: bytes, _holder: Any) -> None:
    key.verify(signature, data, _digest(used.hash))


def _plain(key: Any, _used: Algorithm, signature: bytes, data: bytes, _holder: Any) -> None:
    key.verify(signature, data)


_CHECKS: dict[str, tuple[tuple[str, ...], Callable[[Any, Algorithm, bytes, bytes, Any], None]]] = {
    "RSA": (("RSA",), _rsa),
    "RSA-PSS": (("RSA",), _pss),
    "ECDSA": (("EllipticCurve", "ECPublicKey"), _ecdsa),
    "DSA": (("DSAPublicKey",), _dsa),
    "EdDSA": (("Ed25519", "Ed448"), _plain),
    "ML-DSA": (("MLDSA",), _plain),
}
