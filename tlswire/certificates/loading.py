"""Certificates, names and extensions through ``cryptography``, which is loaded with the first of them.

It refuses all extensions for the fault of one, and reads no Name but a certificate's; so a name or an extension is put
into a certificate of its own. Everything here raises whatever ``cryptography`` raises for bad bytes. Must not import
anything of tlswire but ``certificates.der``.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from tlswire.certificates.der import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.x509 import Certificate

# Version 3, serial number 1, Ed25519 and a key and a signature of zeros.
_ED25519 = bytes.fromhex("300506032b6570")
_NO_NAME = wrap(0x30)
_BEFORE = bytes.fromhex("a003020102020101") + _ED25519 + _NO_NAME + wrap(0x30, wrap(0x17, b"200101000000Z") * 2)
_KEY = wrap(0x30, _ED25519, wrap(0x03, bytes(33)))
_SIGNATURE = _ED25519 + wrap(0x03, bytes(65))


def quietly(get: Callable[[], Any]) -> Any:
    """What ``get`` gives, without warnings: what cryptography merely deprecates is ours to report."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get()


def load(der: bytes) -> Certificate:
    """The certificate that ``der`` is."""
    from cryptography import x509  # noqa: PLC0415 - heavy, and needed with the first certificate only

    certificate: Certificate = quietly(lambda: x509.load_der_x509_certificate(der))
    return certificate


def load_name(der: bytes) -> Any:
    """The Name that ``der`` is."""
    return quietly(lambda: load(_around(der, b"")).subject)


def load_extension(der: bytes) -> Any:
    """The value of the Extension that ``der`` is."""
    return quietly(lambda: load(_around(_NO_NAME, wrap(0xA3, wrap(0x30, der)))).extensions[0].value)


def _around(subject: bytes, extensions: bytes) -> bytes:
    return wrap(0x30, wrap(0x30, _BEFORE, subject, _KEY, extensions), _SIGNATURE)


def canonical(name: bytes) -> object:
    """A Name so that those RFC 5280 section 7.1 calls equal are equal: case, spaces and kinds of string do not count.

    A tuple of its parts; a name that cannot be read equals its own bytes only.
    """
    try:
        return canonical_parts(load_name(name))
    except Exception:  # noqa: BLE001 - any fault of a hostile name is its own
        return name


def canonical_parts(name: Any) -> tuple[object, ...]:
    """As ``canonical``, of a Name that has been read."""
    parts = quietly(lambda: name.rdns)
    return tuple(frozenset((item.oid.dotted_string, _folded(item.value)) for item in part) for part in parts)


def _folded(value: str | bytes) -> str | bytes:
    return " ".join(value.split()).casefold() if isinstance(value, str) else value
