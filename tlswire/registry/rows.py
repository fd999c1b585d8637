"""The row types of the registry tables: frozen values with the columns the rest of the house asks for.

This module imports nothing of tlswire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping


def _number(text: str) -> int:
    return int(text, 0) if text else 0


class _Row(msgspec.Struct, frozen=True):
    """What every row has; a code that the table does not know has nothing else."""

    code: int
    name: str

    @classmethod
    def unknown(cls, code: int, name: str) -> Self:
        return cls(code, name)


class CodeRow(_Row, frozen=True):
    """A code point that has only a name and a source."""

    reference: str = ""
    comment: str = ""

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        return cls(int(cells["code"], 0), cells["name"], cells["reference"], cells["comment"])


class VersionRow(_Row, frozen=True):
    """A protocol version; ``transport`` is tcp or udp."""

    transport: str = ""
    reference: str = ""

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        return cls(int(cells["code"], 0), cells["name"], cells["transport"], cells["reference"])


class SuiteRow(_Row, frozen=True):
    """A cipher suite (or SSLv2 cipher kind) taken apart.

    ``bits`` is the nominal key length; ``pfs`` is true for ephemeral key exchanges, anonymous ones included;
    ``min_version`` and ``max_version`` are version names; ``status`` is iana, legacy, private, ssl2-spec, ...
    """

    openssl_name: str = ""
    min_version: str = ""
    max_version: str = ""
    kex: str = ""
    auth: str = ""
    enc: str = ""
    bits: int = 0
    mac: str = ""
    pfs: bool = False
    export: bool = False
    aead: bool = False
    recommended: str = ""
    reference: str = ""
    prf: str = ""
    status: str = "unknown"

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        get = cells.get
        return cls(
            code=int(cells["code"], 16),
            name=cells["name"],
            openssl_name=cells["openssl_name"],
            min_version=get("min_version", "SSLv2"),
            max_version=get("max_version", "SSLv2"),
            kex=cells["kex"],
            auth=cells["auth"],
            enc=cells["enc"],
            bits=_number(cells["bits"]),
            mac=cells["mac"],
            pfs=get("pfs") == "Y",
            export=cells["export"] == "Y",
            aead=get("aead") == "Y",
            recommended=get("recommended", ""),
            reference=get("reference", ""),
            prf=get("prf", ""),
            status=cells["status"],
        )

    @property
    def anonymous(self) -> bool:
        """Whether nobody proves who they are."""
        return self.auth == "anon"


class GroupRow(_Row, frozen=True):
    """A named group; share lengths are bytes of ``key_exchange`` in a KeyShareEntry, 0 where unknown."""

    aliases: tuple[str, ...] = ()
    kind: str = ""
    bits: int = 0
    tls12: bool = False
    tls13: bool = False
    client_share_len: int = 0
    server_share_len: int = 0
    recommended: str = ""
    reference: str = ""
    status: str = "unknown"

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        return cls(
            code=int(cells["code"], 16),
            name=cells["name"],
            aliases=tuple(cells["aliases"].split()),
            kind=cells["kind"],
            bits=_number(cells["bits"]),
            tls12=cells["tls12"] == "Y",
            tls13=cells["tls13"] == "Y",
            client_share_len=_number(cells["client_share_len"]),
            server_share_len=_number(cells["server_share_len"]),
            recommended=cells["recommended"],
            reference=cells["reference"],
            status=cells["status"],
        )


class SchemeRow(_Row, frozen=True):
    """A signature scheme, or a TLS 1.2 hash and signature pair (status ``tls12-pair``)."""

    family: str = ""
    key_type: str = ""
    hash: str = ""
    tls13: str = ""
    recommended: str = ""
    reference: str = ""
    status: str = "unknown"

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        return cls(
            code=int(cells["code"], 16),
            name=cells["name"],
            family=cells["family"],
            key_type=cells["key_type"],
            hash=cells["hash"],
            tls13=cells["tls13_certificate_verify"],
            recommended=cells["recommended"],
            reference=cells["reference"],
            status=cells["status"],
        )


# The columns of IANA's "TLS 1.3" notation (RFC 9846 section 4.3), in the order a handshake sends them.
EXTENSION_MESSAGES = ("ch", "sh", "hrr", "ee", "ct", "cr", "nst")


class ExtensionRow(_Row, frozen=True):
    """An extension; ``messages`` are those TLS 1.3 allows it in (empty: TLS 1.2 and older only)."""

    messages: frozenset[str] = frozenset()
    dtls_only: bool = False
    recommended: str = ""
    reference: str = ""
    comment: str = ""
    status: str = "unknown"

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        return cls(
            code=int(cells["code"], 16),
            name=cells["name"],
            messages=frozenset(column for column in EXTENSION_MESSAGES if cells[column] == "Y"),
            dtls_only=cells["dtls_only"] == "Y",
            recommended=cells["recommended"],
            reference=cells["reference"],
            comment=cells["comment"],
            status=cells["status"],
        )


class AlertRow(_Row, frozen=True):
    """An alert description; ``level`` is what TLS 1.2 sends it with."""

    level: str = ""
    tls13: bool = False
    reference: str = ""
    comment: str = ""

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        return cls(
            int(cells["code"]),
            cells["name"],
            cells["level_tls12"],
            cells["tls13"] == "Y",
            cells["reference"],
            cells["comment"],
        )


class AlpnRow(_Row, frozen=True):
    """An ALPN protocol; ``name`` is the identifier as text, ``raw`` its bytes, ``code`` its place in the table."""

    raw: bytes = b""
    description: str = ""
    reference: str = ""

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        raw = bytes.fromhex(cells["hex"])
        return cls(int.from_bytes(raw, "big"), cells["id"], raw, cells["description"], cells["reference"])


class DhPrimeRow(_Row, frozen=True):
    """A well-known prime of Diffie-Hellman; ``code`` is the SHA-256 of its bytes, big-endian without leading zeros.

    ``safe`` says that (p-1)/2 is prime, too; the others have a subgroup of a smaller prime order.
    """

    bits: int = 0
    safe: bool = False
    reference: str = ""

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        return cls(
            int(cells["sha256"], 16), cells["name"], int(cells["bits"]), cells["safe"] == "Y", cells["reference"]
        )
