"""FACTS: the code points of TLS as CSV tables with typed look-ups.

Codes are open (RFC 9846 section 4: unknown values must be tolerated): looking up an unknown number gives a row whose
name is its hexadecimal form, never an error. Tables load on first use. Imports nothing of tlswire but ``errors``.
Sources of every row stand in its ``reference`` column; docs/registry.md says what was checked against what.
"""

from __future__ import annotations

from tlswire.registry.rows import (
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
from tlswire.registry.table import Table, hex_code

SUITES: Table[SuiteRow] = Table("cipher_suites", SuiteRow, digits=4, aliases=("openssl_name",))
SSLV2_KINDS: Table[SuiteRow] = Table("sslv2_ciphers", SuiteRow, digits=6, aliases=("openssl_name",))
GROUPS: Table[GroupRow] = Table("groups", GroupRow, digits=4, aliases=("aliases",))
SCHEMES: Table[SchemeRow] = Table("signature_schemes", SchemeRow, digits=4)
EXTENSIONS: Table[ExtensionRow] = Table("extensions", ExtensionRow, digits=4)
ALERTS: Table[AlertRow] = Table("alerts", AlertRow)
VERSIONS: Table[VersionRow] = Table("versions", VersionRow, digits=4)
ALPN: Table[AlpnRow] = Table("alpn_protocols", AlpnRow)
CONTENT_TYPES: Table[CodeRow] = Table("content_types", CodeRow)
HANDSHAKE_TYPES: Table[CodeRow] = Table("handshake_types", CodeRow)
COMPRESSION_METHODS: Table[CodeRow] = Table("compression_methods", CodeRow)
CURVE_TYPES: Table[CodeRow] = Table("ec_curve_types", CodeRow)
POINT_FORMATS: Table[CodeRow] = Table("ec_point_formats", CodeRow)
PSK_MODES: Table[CodeRow] = Table("psk_key_exchange_modes", CodeRow)
CERTIFICATE_COMPRESSION: Table[CodeRow] = Table("certificate_compression", CodeRow)
CERTIFICATE_STATUS_TYPES: Table[CodeRow] = Table("certificate_status_types", CodeRow)
CERTIFICATE_TYPES: Table[CodeRow] = Table("certificate_types", CodeRow)
CLIENT_CERTIFICATE_TYPES: Table[CodeRow] = Table("client_certificate_types", CodeRow)
HASHES: Table[CodeRow] = Table("hash_algorithms", CodeRow)
SIGNATURES: Table[CodeRow] = Table("signature_algorithms", CodeRow)
HEARTBEAT_MODES: Table[CodeRow] = Table("heartbeat_modes", CodeRow)
DH_PRIMES: Table[DhPrimeRow] = Table("dh_primes", DhPrimeRow, digits=64)
KDF_IDS: Table[CodeRow] = Table("kdf_ids", CodeRow)

# RFC 5746 section 3.3 and RFC 7507: signalling values, never a suite a server may select.
SCSV: frozenset[int] = frozenset({0x00FF, 0x5600})

# RFC 8701 section 2: 0x?A?A with both bytes equal.
GREASE: tuple[int, ...] = tuple(0x0A0A + 0x1010 * i for i in range(16))

__all__ = [
    "ALERTS",
    "ALPN",
    "CERTIFICATE_COMPRESSION",
    "CERTIFICATE_STATUS_TYPES",
    "CERTIFICATE_TYPES",
    "CLIENT_CERTIFICATE_TYPES",
    "COMPRESSION_METHODS",
    "CONTENT_TYPES",
    "CURVE_TYPES",
    "DH_PRIMES",
    "EXTENSIONS",
    "GREASE",
    "GROUPS",
    "HANDSHAKE_TYPES",
    "HASHES",
    "HEARTBEAT_MODES",
    "KDF_IDS",
    "POINT_FORMATS",
    "PSK_MODES",
    "SCHEMES",
    "SCSV",
    "SIGNATURES",
    "SSLV2_KINDS",
    "SUITES",
    "VERSIONS",
    "AlertRow",
    "AlpnRow",
    "CodeRow",
    "DhPrimeRow",
    "ExtensionRow",
    "GroupRow",
    "SchemeRow",
    "SuiteRow",
    "Table",
    "VersionRow",
    "hex_code",
]
