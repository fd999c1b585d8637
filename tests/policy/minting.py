"""Certificates and chains as servers of the matrix have them: sound but for what is said, and as files.

``NOW`` is when they are judged: their dates, and so the verdicts, do not depend on the day the tests run. Made by
tests/certificates/mint.py, which signs with anything.
"""

from __future__ import annotations

import datetime as dt
from base64 import encodebytes
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.certificates.made import RSA_PSS, der, number, oid, sequence
from tests.certificates.mint import (
    Minted,
    code_of,
    dns,
    embedded,
    key_bits,
    key_of,
    mint,
    sct,
    sct_list,
    spki_of,
    usage,
)
from tests.servers.certs import Leaf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOST = "mdm.corp.example"
NOW = dt.datetime(2026, 11, 15, tzinfo=dt.UTC)
DAY, HOUR, SECOND = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(seconds=1)


@dataclass(frozen=True)
class Chain:
    """What a server presents, and the root that its clients know. ``pss``: its key is for RSASSA-PSS alone."""

    shown: tuple[Minted, ...]
    anchor: Minted
    pss: bool = False

    def written(self, folder: Path, name: str) -> Leaf:
        """The files a server reads, in ``folder``."""
        key = _pem("PRIVATE KEY", self._key())
        first, *rest = (_pem("CERTIFICATE", one.der) for one in self.shown)
        parts = {
            "key": key,
            "cert": "".join((first, *rest)),
            "both": "".join((key, first, *rest)),
            "issuers": "".join(rest),
        }
        paths = {part: folder / f"{name}.{part}.pem" for part in parts}
        for part, text in parts.items():
            paths[part].write_text(text)
        return Leaf(paths["key"], paths["cert"], paths["both"], paths["issuers"] if rest else None)

    def _key(self) -> bytes:
        key = self.shown[0].key
        if not self.pss:
            plain: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            return plain
        # RFC 5958 section 2 with the identifier of RFC 4055 section 1.2.
        inner = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        return sequence(number(0), sequence(oid(RSA_PSS)), der(4, inner))


def _pem(label: str, data: bytes) -> str:
    return f"-----BEGIN {label}-----\n{encodebytes(data).decode()}-----END {label}-----\n"


def pss_spki(label: str) -> bytes:
    return sequence(sequence(oid(RSA_PSS)), der(3, b"\0", key_bits(spki_of(key_of("rsa", label)))))


def time(moment: dt.datetime) -> str:
    return f"{moment:%y%m%d%H%M%SZ}"


def span(start: dt.datetime, length: dt.timedelta) -> dict[str, str]:
    return {"start": time(start), "end": time(start + length)}


def scts(count: int) -> bytes:
    """SCTs of so many logs."""
    return embedded(sct_list(*(sct(log=bytes([at]) * 32) for at in range(count))))


_AGES = span(dt.datetime(2019, 1, 1, tzinfo=dt.UTC), 30 * 365 * DAY)


def ca(name: str, by: Minted | None = None, **fields: Any) -> Minted:
    """An authority of thirty years."""
    return mint(name, by, ca=True, **{**_AGES, **fields})


@cache
def root() -> Minted:
    return ca("root")


@cache
def middle() -> Minted:
    return ca("middle", root())


def own(
    by: Minted | None,
    *more: bytes,
    subject: str = "mdm",
    age: dt.timedelta = 30 * DAY,
    length: dt.timedelta = 90 * DAY,
    without: tuple[str, ...] = (),
    **fields: Any,
) -> Minted:
    """A server's certificate, issued ``age`` ago for ``length``, with the two SCTs that 90 days need; ``more`` extensions
    take the place of the usual ones.
    """
    usual = (dns(HOST), usage("digital_signature", "key_encipherment"), scts(2))
    shown = {code_of(item): item for item in (*usual, *more)}
    kept = tuple(item for code, item in shown.items() if code not in map(oid, without))
    return mint(subject, by, **{**span(NOW - age, length), "more": kept, "without": without, **fields})


def chain(leaf: Minted, *others: Minted) -> Chain:
    """A chain to the usual root."""
    return Chain((leaf, *others), root())


def leaf(*more: bytes, **fields: Any) -> Callable[[], Chain]:
    """A leaf below the usual intermediate."""
    return lambda: chain(own(middle(), *more, **fields), middle())


def under(signed: str | None = None, **fields: Any) -> Callable[[], Chain]:
    """A sound leaf below an intermediate of these fields, signed by it so."""

    def make() -> Chain:
        odd = ca("odd", root(), **fields)
        return chain(own(odd, signer=signed), odd)

    return make
