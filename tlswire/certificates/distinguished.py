"""Distinguished names by themselves, as a CertificateRequest lists them, in words (RFC 5280 section 4.1.2.4, RFC 4514).

Must not import anything of tlswire but ``escape`` and ``certificates``; ``cryptography`` is loaded with the first name.
"""

from __future__ import annotations

from tlswire.certificates.facts import MAX_TEXT
from tlswire.certificates.loading import load_name, quietly
from tlswire.escape import printable


def distinguished_name(der: bytes) -> str:
    """The name in one printable line, or ``unreadable`` and its first bytes; never raises."""
    try:
        text: str = quietly(lambda: load_name(der).rfc4514_string())
    except Exception:  # noqa: BLE001 - any fault of a hostile name
        return f"unreadable: {der[:32].hex()}"
    return printable(text[:MAX_TEXT])
