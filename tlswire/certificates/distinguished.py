"""Distinguished names by themselves, as a CertificateRequest lists them, in words (RFC 5280 section 4.1.2.4, RFC 4514).

``cryptography`` reads names only as parts of something, so one is put into an empty certificate for it; it is loaded
with the first name. Must not import anything of tlswire but ``escape`` and ``certificates``.
"""

from __future__ import annotations

import warnings

from tlswire.certificates.facts import MAX_TEXT
from tlswire.escape import printable

_SEQUENCE = 0x30
_ED25519 = bytes.fromhex("300506032b6570")  # RFC 8410 section 3
# Serial number, algorithm, no issuer, validity: what stands before the subject (RFC 5280 section 4.1).
_BEFORE = b"\x02\x01\x01" + _ED25519 + b"\x30\x00\x30\x1e" + b"\x17\x0d700101000000Z" * 2
_KEY = b"\x30\x2a" + _ED25519 + b"\x03\x21\x00" + bytes(32)
_SIGNATURE = b"\x03\x41\x00" + bytes(64)


def distinguished_name(der: bytes) -> str:
    """The name in one printable line, or ``unreadable`` and its first bytes; never raises."""
    from cryptography import x509  # noqa: PLC0415 - heavy

    around = _wrapped(_wrapped(_BEFORE + der + _KEY) + _ED25519 + _SIGNATURE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what cryptography merely deprecates is no fault of the name
        try:
            text = x509.load_der_x509_certificate(around).subject.rfc4514_string()
        except Exception:  # noqa: BLE001 - any fault of a hostile name
            return f"unreadable: {der[:32].hex()}"
    return printable(text[:MAX_TEXT])


def _wrapped(content: bytes) -> bytes:
    """A SEQUENCE of this content (X.690 section 8.1.3)."""
    size = len(content)
    width = (size.bit_length() + 7) // 8
    length = bytes((size,)) if size < 0x80 else bytes((0x80 | width,)) + size.to_bytes(width, "big")
    return bytes((_SEQUENCE,)) + length + content
