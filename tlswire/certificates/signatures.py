"""Signatures of certificates: by which algorithm, and whether a key made them.

``cryptography`` refuses to check some of what it can check when asked for a whole certificate, so the key is asked.
Must not import anything of tlswire but ``errors`` and, of certificates, ``algorithms``, ``der``, ``facts``, ``loading``,
``model`` and ``parsed``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlswire.certificates.algorithms import Algorithm, algorithm_of
from tlswire.certificates.der import identifier
from tlswire.certificates.facts import reason
from tlswire.certificates.loading import quietly
from tlswire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.certificates.model import Signature
    from tlswire.certificates.parsed import Parsed

# Of one chain: many times what any needs, and a second of the slowest.
MAX_CHECKS = 128
_HASHES = {"MD5": "MD5", "SHA-1": "SHA1"}  # cryptography's classes where dropping the hyphen is not enough


def algorithm(parsed: Parsed) -> Algorithm | None:
    """What a certificate is signed with (RFC 5280 section 4.1.1.2); None: the certificate cannot be read."""
    if parsed.layout is None or parsed.certificate is None:
        return None
    try:
        return algorithm_of(identifier(parsed.layout.algorithm), parsed.certificate)
    except WireError as error:
        return Algorithm(f"something that {error}", None, None)


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
