"""Anchors: certificates that are trusted for reasons of their own, found by the names that others give as issuer.

The caller reads the files and gives the bytes; faults of such a file are the caller's. Must not import anything of
tlswire but ``errors`` and, of certificates, ``der`` and ``parsed``.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import cached_property
from typing import TYPE_CHECKING

from tlswire.certificates.der import layout
from tlswire.certificates.parsed import Parsed
from tlswire.errors import UsageError, WireError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# RFC 7468 section 5; OpenSSL writes the second and the third kind, whose certificates data may follow.
_PEM = re.compile(
    rb"-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[ \t]*\r?\n(.*?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----",
    re.DOTALL,
)


class Anchors:
    """Anchors called ``name``; ``faults`` says which certificates of its file cannot be read. Reading is lazy."""

    def __init__(self, name: str, certificates: Iterable[bytes], faults: Iterable[str] = ()) -> None:
        self.name = name
        self.faults = tuple(faults)
        self._by_subject: dict[bytes, list[Parsed]] = {}
        self._whole: dict[bytes, Parsed] = {}
        for der in certificates:
            parsed = Parsed(der)
            if parsed.layout is not None and der not in self._whole:
                self._whole[der] = parsed
                self._by_subject.setdefault(parsed.layout.subject, []).append(parsed)

    def __len__(self) -> int:
        return len(self._whole)

    def __iter__(self) -> Iterator[Parsed]:
        return iter(self._whole.values())

    def find(self, parsed: Parsed) -> Parsed | None:
        """The anchor that is this very certificate."""
        return self._whole.get(parsed.layout.whole) if parsed.layout is not None else None

    def issuers(self, parsed: Parsed) -> list[Parsed]:
        """The anchors whose subject is the issuer of a certificate: byte by byte, else as RFC 5280 section 7.1 says."""
        if parsed.layout is None:
            return []
        exact = self._by_subject.get(parsed.layout.issuer)
        return exact or self._by_canonical.get(parsed.canonical_issuer, [])

    @cached_property
    def _by_canonical(self) -> dict[object, list[Parsed]]:
        found: dict[object, list[Parsed]] = {}
        for parsed in self._whole.values():
            found.setdefault(parsed.canonical_subject, []).append(parsed)
        return found


def read_anchors(name: str, data: bytes) -> Anchors:
    """The certificates of a PEM bundle, or the one that DER data is; UsageError when there is none.

    What else a bundle holds does not matter; certificates in it that cannot be read are in ``faults``.
    """
    certificates: list[bytes] = []
    faults: list[str] = []
    blocks = [match[2] for match in _PEM.finditer(data)]
    for number, block in enumerate(blocks, 1):
        try:
            certificates.append(layout(base64.b64decode(b"".join(block.split()), validate=True)).whole)
        except (binascii.Error, WireError) as error:
            faults.append(f"certificate {number}: {error}")
    if not blocks and data[:1] == b"\x30":
        try:
            certificates.append(layout(data).whole)
        except WireError as error:
            faults.append(str(error))
    if not certificates:
        raise UsageError(name, f"holds no certificate that can be read{': ' if faults else ''}{'; '.join(faults[:3])}")
    return Anchors(name, certificates, faults)
