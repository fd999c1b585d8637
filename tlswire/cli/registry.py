"""``tlswire registry``: look-ups in the tables of code points, as text or JSON.

One row of TABLES a table (its option, its heading), one row of FACTS a column; both outputs come from the same rows.
Must not import anything of tlswire but ``errors``, ``registry``.
"""

from __future__ import annotations

import difflib
import textwrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from tlswire import registry
from tlswire.errors import LookupFailedError
from tlswire.registry import ratings
from tlswire.registry.rows import (
    EXTENSION_MESSAGES,
    AlertRow,
    AlpnRow,
    CodeRow,
    DhPrimeRow,
    ExtensionRow,
    GroupRow,
    SchemeRow,
    SuiteRow,
    VersionRow,
)
from tlswire.registry.table import parse_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tlswire.registry.table import Table

    F = TypeVar("F", bound=Callable[..., object])


WIDTH = 110


class Kind(NamedTuple):
    """A table of the registry as this command offers it: ``title`` names one of its rows."""

    option: str
    title: str
    table: Table[Any]

    def code(self, row: Any) -> str:
        """The code of ``row`` in the notation of its table; ALPN protocols are the bytes themselves."""
        return f"0x{row.raw.hex().upper()}" if isinstance(row, AlpnRow) else self.table.hex(row.code)


TABLES: tuple[Kind, ...] = (
    Kind("suites", "cipher suite", registry.SUITES),
    Kind("sslv2", "SSLv2 cipher kind", registry.SSLV2_KINDS),
    Kind("groups", "group", registry.GROUPS),
    Kind("schemes", "signature scheme", registry.SCHEMES),
    Kind("extensions", "extension", registry.EXTENSIONS),
    Kind("versions", "version", registry.VERSIONS),
    Kind("alerts", "alert", registry.ALERTS),
    Kind("alpn", "ALPN protocol", registry.ALPN),
    Kind("content-types", "content type", registry.CONTENT_TYPES),
    Kind("handshake-types", "handshake type", registry.HANDSHAKE_TYPES),
    Kind("compression-methods", "compression method", registry.COMPRESSION_METHODS),
    Kind("curve-types", "EC curve type", registry.CURVE_TYPES),
    Kind("point-formats", "EC point format", registry.POINT_FORMATS),
    Kind("psk-modes", "PSK key exchange mode", registry.PSK_MODES),
    Kind("certificate-compression", "certificate compression algorithm", registry.CERTIFICATE_COMPRESSION),
    Kind("certificate-status-types", "certificate status type", registry.CERTIFICATE_STATUS_TYPES),
    Kind("certificate-types", "certificate type", registry.CERTIFICATE_TYPES),
    Kind("client-certificate-types", "client certificate type", registry.CLIENT_CERTIFICATE_TYPES),
    Kind("hashes", "TLS 1.2 hash algorithm", registry.HASHES),
    Kind("signatures", "TLS 1.2 signature algorithm", registry.SIGNATURES),
    Kind("heartbeat-modes", "heartbeat mode", registry.HEARTBEAT_MODES),
    Kind("kdf-ids", "key derivation function", registry.KDF_IDS),
    Kind("dh-primes", "Diffie-Hellman prime", registry.DH_PRIMES),
)

# What is found by name: the code of their rows is made from bytes, and no number anybody writes.
_NAMED: tuple[Table[Any], ...] = (registry.ALPN, registry.DH_PRIMES)


class Hit(NamedTuple):
    """A row found; the row of a code point that its table does not know is one too."""

    kind: Kind
    row: Any

    @property
    def known(self) -> bool:
        """Whether the table has this row."""
        return self.row.code in self.kind.table

    @property
    def status(self) -> str | None:
        """What an unassigned code point is, None for known ones."""
        if self.known:
            return None
        # RFC 8701 section 2 reserves the same sixteen values in every two-byte table that a hello lists.
        grease = self.row.code in registry.GREASE and self.kind.table.hex(0) == "0x0000"
        return "GREASE, reserved so that peers tolerate unknown values (RFC 8701)" if grease else "not assigned"


class Fact(NamedTuple):
    """Something to say of a row: ``key`` in JSON, ``label`` in text; ``listed`` facts are columns of a list too."""

    key: str
    label: str
    value: Callable[[Any], Any]
    listed: bool = False
    words: Mapping[str, str] = MappingProxyType({})

    def text(self, row: Any) -> str:
        """The value for a reader; empty when there is nothing to say."""
        value = self.value(row)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return ", ".join(value) or self.words.get("", "")
        return self.words.get(value, str(value)) if value else ""


def _column(name: str, label: str, *, listed: bool = False, words: dict[str, str] | None = None) -> Fact:
    return Fact(name, label, lambda row: getattr(row, name), listed, words or {})


def _versions(row: SuiteRow) -> str:
    return row.min_version if row.min_version == row.max_version else f"{row.min_version} to {row.max_version}"


def _group_versions(row: GroupRow) -> list[str]:
    return [name for name, holds in (("TLS 1.2 and older", row.tls12), ("TLS 1.3", row.tls13)) if holds]


def _grade(row: SuiteRow) -> str:
    return "signalling value" if row.code in registry.SCSV else ratings.grade(row)


def _reasons(row: SuiteRow) -> list[str]:
    if row.code in registry.SCSV:
        return []
    return [f"{reason.text} ({reason.source})" for reason in ratings.reasons_against(row)]


def _messages(row: ExtensionRow) -> list[str]:
    return [_MESSAGES[name] for name in EXTENSION_MESSAGES if name in row.messages]


def _old(row: VersionRow) -> list[str]:
    return [": ".join(ratings.OLD_VERSIONS[row.code])] if row.code in ratings.OLD_VERSIONS else []


_MESSAGES = {
    "ch": "ClientHello",
    "sh": "ServerHello",
    "hrr": "HelloRetryRequest",
    "ee": "EncryptedExtensions",
    "ct": "Certificate",
    "cr": "CertificateRequest",
    "nst": "NewSessionTicket",
}
_RECOMMENDED = _column("recommended", "recommended", words={"Y": "yes", "N": "no", "D": "discouraged"})
_REFERENCE = _column("reference", "reference")
_COMMENT = _column("comment", "comment")
_STATUS = _column(
    "status",
    "status",
    words={
        "iana": "registered with IANA",
        "iana-obsolete": "registered with IANA, obsolete",
        "iana-reserved": "reserved by IANA",
        "iana-deprecated": "registered with IANA, deprecated",
        "legacy": "in use once, never or no longer registered",
        "private": "private use, draft or experiment",
        "draft": "draft",
        "grease": "GREASE, reserved so that peers tolerate unknown values",
        "ssl2-spec": "SSL 0.2 draft",
        "implementation": "known from implementations only",
        "tls12-pair": "hash and signature pair of TLS 1.2",
    },
)
# RFC 5246 section 5: a suite that names no hash uses the PRF of its version.
_PRF = _column("prf", "PRF", words={"DEFAULT": "MD5 and SHA-1 up to TLS 1.1, SHA-256 in TLS 1.2"})
_TLS13_SIGNATURE = {
    "Y": "yes",
    "N": "no",
    "cert-only": "no, in certificates only",
    "client-only": "by clients only",
}

FACTS: dict[type, tuple[Fact, ...]] = {
    SuiteRow: (
        _column("openssl_name", "OpenSSL name", listed=True),
        Fact("versions", "versions", _versions, listed=True),
        Fact("key_exchange", "key exchange", lambda row: row.kex),
        Fact("authentication", "authentication", lambda row: row.auth),
        Fact("encryption", "encryption", lambda row: row.enc),
        _column("bits", "key bits", listed=True),
        _column("mac", "MAC"),
        _PRF,
        Fact("forward_secrecy", "forward secrecy", lambda row: row.pfs),
        Fact("export", "export grade", lambda row: row.export),
        _RECOMMENDED,
        _REFERENCE,
        _STATUS,
        Fact("grade", "rating", _grade, listed=True),
        Fact("reasons", "because", _reasons),
    ),
    GroupRow: (
        Fact("aliases", "also called", lambda row: list(row.aliases), listed=True),
        _column("kind", "kind", listed=True),
        _column("bits", "bits", listed=True),
        Fact("versions", "TLS versions", _group_versions, listed=True),
        Fact("client_share_len", "client share bytes", lambda row: row.client_share_len, listed=True),
        Fact("server_share_len", "server share bytes", lambda row: row.server_share_len, listed=True),
        _RECOMMENDED,
        _REFERENCE,
        _STATUS,
    ),
    SchemeRow: (
        _column("family", "family", listed=True),
        _column("key_type", "key type", listed=True),
        _column("hash", "hash", listed=True),
        _column("tls13", "TLS 1.3 signature", listed=True, words=_TLS13_SIGNATURE),
        _RECOMMENDED,
        _REFERENCE,
        _STATUS,
    ),
    ExtensionRow: (
        Fact("messages", "TLS 1.3 messages", _messages, listed=True, words={"": "none (not for TLS 1.3)"}),
        Fact("dtls_only", "DTLS only", lambda row: row.dtls_only),
        _RECOMMENDED,
        _REFERENCE,
        _STATUS,
        _COMMENT,
    ),
    AlertRow: (
        _column("level", "TLS 1.2 level", listed=True),
        Fact("tls13", "in TLS 1.3", lambda row: row.tls13, listed=True),
        _REFERENCE,
        _COMMENT,
    ),
    VersionRow: (
        _column("transport", "transport", listed=True),
        Fact("reference", "reference", lambda row: row.reference, listed=True),
        Fact("rating", "rating", _old),
    ),
    DhPrimeRow: (
        _column("bits", "bits", listed=True),
        Fact("safe", "safe prime", lambda row: row.safe, listed=True),
        _REFERENCE,
    ),
    AlpnRow: (
        _column("description", "description", listed=True),
        _REFERENCE,
    ),
    CodeRow: (
        Fact("reference", "reference", lambda row: row.reference, listed=True),
        Fact("comment", "comment", lambda row: row.comment, listed=True),
    ),
}


def _table_options(function: F) -> F:
    for kind in reversed(TABLES):
        function = click.option(f"--{kind.option}", is_flag=True, help=f"Look in {kind.title}s.")(function)
    return function


@click.command()
@click.argument("query", required=False)
@_table_options
@click.option("--all", "everything", is_flag=True, help="Every name that contains QUERY, even where one is QUERY.")
@click.option("--json", "as_json", is_flag=True, help="Rows as a JSON array.")
def command(query: str | None, *, everything: bool, as_json: bool, **chosen: bool) -> None:
    """Look up suites, groups, extensions, alerts and other code points.

    QUERY is a number (0xC02F, 49199, {0xC0,0x2F}), an IANA or OpenSSL name, or a part of one. Without QUERY the
    chosen tables are listed whole.
    """
    kinds = [kind for kind in TABLES if chosen[kind.option.replace("-", "_")]]
    if query is None and not kinds and not as_json:
        click.echo("\n".join(_contents()))
        return
    hits = _find(query, kinds or list(TABLES), everything=everything)
    if as_json:
        import json  # noqa: PLC0415 - text needs none

        click.echo(json.dumps([_as_json(hit) for hit in hits], indent=2))
    else:
        click.echo("\n".join(_as_text(hits)))


def _find(query: str | None, kinds: list[Kind], *, everything: bool) -> list[Hit]:
    if query is None:
        return [Hit(kind, row) for kind in kinds for row in kind.table]
    # Punctuation alone would be contained in every name.
    hits = [Hit(kind, row) for kind in kinds for row in _rows(kind, query)] if _fold(query) else []
    if not hits:
        raise LookupFailedError(repr(query), _nothing(query, kinds))
    exact = [hit for hit in hits if hit.known and _fold(query) in map(_fold, _names(hit.row))]
    return hits if everything or not exact else exact


def _rows(kind: Kind, query: str) -> Sequence[Any]:
    if kind.table not in _NAMED or parse_code(query) is None:
        return kind.table.search(query)
    return [row for row in kind.table if kind.code(row).lower() == query.lower()]


def _names(row: Any) -> tuple[str, ...]:
    return (row.name, *getattr(row, "aliases", ()), getattr(row, "openssl_name", ""))


def _fold(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _nothing(query: str, kinds: list[Kind]) -> str:
    """Why nothing was found, with the nearest names."""
    where = f"the table of {kinds[0].title}s" if len(kinds) == 1 else "any of these tables"
    number = parse_code(query)
    if number is not None:
        return f"is too large for {where}"
    if parse_code(f"0x{query}") is not None and len(query) in {2, 4, 6}:
        return f"is no name in {where}; for the number write 0x{query.upper()}"
    names = {_fold(name): name for kind in kinds for row in kind.table for name in _names(row) if name}
    near = difflib.get_close_matches(_fold(query), names, n=3, cutoff=0.6)
    return f"is not in {where}" + (f"; did you mean {', '.join(names[key] for key in near)}?" if near else "")


def _contents() -> list[str]:
    rows = [(f"--{kind.option}", str(len(kind.table)), f"{kind.title}s") for kind in TABLES]
    return [
        "Name something to look up, or list a table by its option:",
        "",
        *aligned(("OPTION", "ROWS", "TABLE"), rows),
    ]


def _as_json(hit: Hit) -> dict[str, Any]:
    facts = {fact.key: fact.value(hit.row) for fact in FACTS[type(hit.row)]} if hit.known else {"status": hit.status}
    return {"table": hit.kind.option, "code": hit.kind.code(hit.row), "name": hit.row.name, "known": hit.known} | facts


def _as_text(hits: list[Hit]) -> list[str]:
    """Known rows, one with all its facts or several as tables; then where else the number would fit."""
    known = [hit for hit in hits if hit.known]
    unknown = [hit for hit in hits if not hit.known]
    lines: list[str] = []
    if len(known) == 1:
        lines += _details(known[0])
    for kind in TABLES:
        rows = [hit for hit in known if hit.kind is kind] if len(known) > 1 else []
        if rows:
            lines += ["", *_list(kind, [hit.row for hit in rows])]
    if unknown and known:
        lines += ["", *textwrap.wrap(f"Not assigned as {', '.join(hit.kind.title for hit in unknown)}.", WIDTH)]
    elif unknown:
        lines += aligned(
            ("CODE", "TABLE", "STATUS"),
            [(hit.kind.code(hit.row), f"{hit.kind.title}s", hit.status or "") for hit in unknown],
        )
    return lines[1:] if lines[0] == "" else lines


def _details(hit: Hit) -> list[str]:
    facts = [("table", f"{hit.kind.title}s"), ("code", hit.kind.code(hit.row))]
    for fact in FACTS[type(hit.row)]:
        value = fact.value(hit.row)
        parts = value if fact.key == "reasons" and value else [fact.text(hit.row)]
        facts += [(fact.label if number == 0 else "", part) for number, part in enumerate(parts) if part]
    width = max(len(label) for label, _ in facts)
    return [hit.row.name, *(f"  {label:<{width}}  {text}" for label, text in facts)]


def _list(kind: Kind, rows: list[Any]) -> list[str]:
    facts = [fact for fact in FACTS[type(rows[0])] if fact.listed and any(map(fact.text, rows))]
    title = kind.title if len(rows) == 1 else f"{kind.title}s"
    return [
        f"{len(rows)} {title}",
        *(
            f"  {line}"
            for line in aligned(
                ("CODE", "NAME", *(fact.label.upper() for fact in facts)),
                [(kind.code(row), row.name, *(fact.text(row) for fact in facts)) for row in rows],
            )
        ),
    ]


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A heading and rows as lines of equally wide columns; numbers stand to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    right = [all(cell.isdigit() or not cell for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in (head, *rows)
    ]
