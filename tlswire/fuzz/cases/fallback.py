"""Cases of the hello's body, second part: TLS_FALLBACK_SCSV.

Sources: RFC 7507, RFC 9846 sections 4.3.1, E.2 and E.5 (RFC 8446 4.2.1, D.2, D.5).
Must not import anything of tlswire but ``fuzz`` and ``hello``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.rows import OLDER, Made, Rows, hello
from tlswire.fuzz.model import (
    HANDSHAKE_FAILURE,
    INAPPROPRIATE_FALLBACK,
    INSUFFICIENT_SECURITY,
    NEGOTIATE,
    PROTOCOL_VERSION,
    alerts,
)
from tlswire.fuzz.script import SUITES12, SUITES13, TLS12
from tlswire.hello.edit import with_suites, with_versions

FALLBACK_SCSV, RENEGOTIATION_SCSV = 0x5600, 0x00FF
ALL = (*SUITES13, *SUITES12)
NEEDS13 = ("tls13",)
FALLBACK = alerts(INAPPROPRIATE_FALLBACK)
FALLBACK_OR_VERSION = alerts(INAPPROPRIATE_FALLBACK, PROTOCOL_VERSION)
REFUSED = alerts(HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY)
NOTHING_SHARED = "RFC 9846 4.2.1 (RFC 8446 4.1.1); RFC 5246 7.4.1.3"


def _suites(*suites: int) -> Made:
    return hello(lambda value, _: with_suites(value, suites))


def _older_version(version: int) -> Made:
    return hello(lambda value, _: with_suites(with_versions(value, (version,)), (*SUITES12, FALLBACK_SCSV)), OLDER)


rows = Rows("body", "RFC 7507 3")
CASES = (
    rows.must(
        "C21",
        "fallback-scsv-12",
        "TLS 1.2 hello with TLS_FALLBACK_SCSV to a TLS 1.3 server",
        _older_version(TLS12),
        FALLBACK,
        clause="RFC 7507 3",
        needs=NEEDS13,
        history="TLS-Anvil 7507",
    ),
    rows.must(
        "C22",
        "fallback-scsv-13",
        "TLS 1.3 hello with TLS_FALLBACK_SCSV",
        _suites(*ALL, FALLBACK_SCSV),
        NEGOTIATE,
        clause="RFC 7507 3",
    ),
    *(
        rows.must(
            id_,
            f"fallback-scsv-{name}",
            f"{said} hello with TLS_FALLBACK_SCSV",
            _older_version(version),
            FALLBACK_OR_VERSION,
            clause="RFC 7507 3; RFC 9846 E.2, E.5 (RFC 8446 D.2, D.5)",
        )
        for id_, name, said, version in (
            ("C57", "11", "TLS 1.1", 0x0302),
            ("C58", "10", "TLS 1.0", 0x0301),
            ("C59", "30", "SSL 3.0", 0x0300),
        )
    ),
    rows.must(
        "C60",
        "fallback-scsv-sv-12",
        "TLS_FALLBACK_SCSV and supported_versions of 1.2 alone",
        hello(lambda value, _: with_suites(with_versions(value, (TLS12,)), (*SUITES12, FALLBACK_SCSV))),
        FALLBACK,
        clause="RFC 7507 3; RFC 9846 4.3.1 (RFC 8446 4.2.1)",
        needs=NEEDS13,
    ),
    rows.must(
        "C61",
        "fallback-scsv-first",
        "TLS_FALLBACK_SCSV before all suites of a TLS 1.3 hello",
        _suites(FALLBACK_SCSV, *ALL),
        NEGOTIATE,
        clause="RFC 7507 3, 4",
    ),
    rows.must(
        "C62",
        "fallback-scsv-only",
        "TLS_FALLBACK_SCSV as the only suite of a TLS 1.3 hello",
        _suites(FALLBACK_SCSV),
        REFUSED,
        clause=f"RFC 7507 2; {NOTHING_SHARED}",
    ),
    rows.must(
        "C63",
        "fallback-and-reneg-scsv",
        "both SCSVs, each twice, in a TLS 1.3 hello",
        _suites(*ALL, *(FALLBACK_SCSV, RENEGOTIATION_SCSV) * 2),
        NEGOTIATE,
        clause="RFC 7507 3; RFC 5746 3.6",
    ),
)
