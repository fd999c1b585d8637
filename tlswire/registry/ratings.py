"""How suites and versions are rated, and why: one table of reasons, each with its source.

Pure look-ups over the registry. Must not import anything of tlswire but ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.registry import SSLV2_KINDS, SUITES, SuiteRow

if TYPE_CHECKING:
    from collections.abc import Callable

Grade = Literal["strong", "legacy", "weak", "unrated"]


class Reason(msgspec.Struct, frozen=True):
    """Why a suite is not strong. ``category`` is weak, legacy or no-forward-secrecy."""

    id: str
    category: str
    text: str
    source: str
    holds: Callable[[SuiteRow], bool]


_BLOCK64 = ("3DES", "DES", "IDEA", "RC2", "GOST28147", "MAGMA-CTR", "FORTEZZA")

REASONS: tuple[Reason, ...] = (
    Reason("null-encryption", "weak", "no encryption", "RFC 9325 4.1", lambda row: row.enc == "NULL"),
    Reason("export", "weak", "export-grade keys", "RFC 9325 4.1, FREAK CVE-2015-0204", lambda row: row.export),
    Reason("anonymous", "weak", "nobody is authenticated", "RFC 5246 F.1.1.1", lambda row: row.anonymous),
    Reason("rc4", "weak", "RC4", "RFC 7465", lambda row: row.enc.startswith("RC4")),
    Reason(
        "short-key",
        "weak",
        "key shorter than 112 bits",
        "RFC 9325 4.1",
        lambda row: 0 < row.bits < 112 and not row.export,
    ),
    Reason(
        "block64",
        "weak",
        "64-bit blocks",
        "SWEET32 CVE-2016-2183",
        lambda row: row.enc.startswith(_BLOCK64) and row.bits >= 112,
    ),
    Reason("md5", "weak", "MD5", "RFC 6151", lambda row: row.mac in {"HMAC-MD5", "MD5"}),
    Reason(
        "no-forward-secrecy",
        "no-forward-secrecy",
        "no forward secrecy",
        "RFC 9325 4.1",
        lambda row: not row.pfs and row.kex not in {"", "NULL", "SCSV"} and row.enc != "NULL",
    ),
    Reason(
        "not-aead",
        "legacy",
        "CBC",
        "RFC 9325 4.2, Lucky Thirteen CVE-2013-0169",
        lambda row: row.enc.endswith("CBC"),
    ),
)

# Versions that no longer stand, by the document that says so.
OLD_VERSIONS: dict[int, tuple[str, str]] = {
    0x0002: ("weak", "RFC 6176, DROWN CVE-2016-0800"),
    0x0300: ("weak", "RFC 7568, POODLE CVE-2014-3566"),
    0x0301: ("legacy", "RFC 8996"),
    0x0302: ("legacy", "RFC 8996"),
}


def suite_row(version: int, code: int) -> SuiteRow:
    """The registry row of a suite, or of a cipher kind under SSLv2."""
    return SSLV2_KINDS[code] if version == 0x0002 else SUITES[code]


def reasons_against(row: SuiteRow) -> tuple[Reason, ...]:
    """Every reason that holds for a suite, worst first."""
    return tuple(reason for reason in REASONS if reason.holds(row))


def grade(row: SuiteRow) -> Grade:
    """``weak``, ``legacy`` (nothing broken, but not what one configures today), ``strong``; ``unrated`` if unknown."""
    if row.status == "unknown" or row.kex == "SCSV":
        return "unrated"
    categories = {reason.category for reason in reasons_against(row)}
    return "weak" if "weak" in categories else "legacy" if categories else "strong"
