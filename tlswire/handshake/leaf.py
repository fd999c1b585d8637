"""The public key of a server's certificate, whether the server's signature holds under it, and who issued it.

Must not import anything of tlswire but ``errors`` and ``crypto``; ``cryptography`` is loaded with the first key.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from tlswire.crypto.signatures import verify
from tlswire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable


def public_key(der: bytes) -> Any:
    """The key of a DER certificate. Raises WireError for one that cannot be read."""
    return _read(der, "key", lambda certificate: certificate.public_key())


def issuer(der: bytes) -> bytes:
    """The DER name of who issued a DER certificate. Raises WireError for one that cannot be read."""
    name: bytes = _read(der, "issuer", lambda certificate: certificate.issuer.public_bytes())
    return name


def _read(der: bytes, what: str, part: Callable[[Any], Any]) -> Any:
    from cryptography import x509  # noqa: PLC0415 - heavy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cryptography merely deprecates is a matter of the certificate's facts
        try:
            return part(x509.load_der_x509_certificate(der))
        except Exception as error:  # noqa: BLE001 - any fault of a hostile certificate
            reason = " ".join(str(error).split())[:200]
            raise WireError(f"the certificate's {what} cannot be read: {reason}", "certificate") from None


def signature_fault(
    chain: tuple[bytes, ...], scheme: int, signed: bytes, signature: bytes, *, tls13: bool = False
) -> str:
    """Why ``signature`` does not prove the possession of the leaf's key; empty when it does."""
    if not chain:
        return "there is no certificate to verify it with"
    try:
        return verify(scheme, public_key(chain[0]), signed, signature, tls13=tls13)
    except WireError as error:
        return str(error)
