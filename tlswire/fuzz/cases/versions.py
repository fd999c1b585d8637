"""Cases of version negotiation: legacy_version without and with supported_versions, and the extension itself.

Sources: RFC 9846 sections 4.2.2, 4.3.1, E.2 and E.5 (RFC 8446 4.1.2, 4.2.1, D.2, D.5), RFC 5246 appendix E.1, RFC 6176,
RFC 7568, RFC 8996, RFC 8701. Must not import anything of tlswire but ``fuzz``, ``hello``, ``wire``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.rows import Rows, ext, modern, older
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.model import ANYTHING, DECODE_ERROR, NEGOTIATE, PROTOCOL_VERSION, alerts
from tlswire.fuzz.script import TLS12, TLS13

SUPPORTED_VERSIONS = 43
GREASE = tuple(0x0A0A + 0x1010 * n for n in range(16))
SV = "RFC 9846 4.3.1 (RFC 8446 4.2.1)"
SYNTAX = "RFC 9846 4.3.1, 6 (RFC 8446 4.2.1, 6)"
NOTHING_SHARED = "RFC 9846 4.3.1, E.2 (RFC 8446 4.2.1, D.2)"
TOO_OLD = "RFC 9846 4.3.1, E.5 (RFC 8446 4.2.1, D.5)"
OLDEST = "RFC 9846 E.2 (RFC 8446 D.2); RFC 5246 E.1"
LEGACY = "RFC 9846 4.2.2, 4.3.1 (RFC 8446 4.1.2, 4.2.1)"
NEEDS13, NEEDS_BOTH = ("tls13",), ("tls13", "tls12")
WRONG_VERSION = alerts(PROTOCOL_VERSION)
MISREAD = alerts(DECODE_ERROR)
INTOLERANCE = "SSL Labs and testssl version intolerance; TLS-Anvil 8446-WKMbKXKLH1"


def _versions(*versions: int) -> bytes:
    data = b"".join(version.to_bytes(2, "big") for version in versions)
    return bytes((len(data),)) + data


rows = Rows("version", SV)

# A version above TLS 1.2 in the old field: RFC 5246 E.1 negotiates, RFC 9846 4.3.1 lets a server abort, too.
_ABOVE = tuple(
    rows.should(
        id_,
        f"legacy-{version:04x}-no-sv",
        f"client_version {version:04x}, no supported_versions",
        older(Edit("code", "legacy_version", version)),
        (*NEGOTIATE, *WRONG_VERSION),
        clause=f"RFC 5246 E.1; {SV}",
        version=TLS12,
        history=INTOLERANCE,
        peers="RFC 5246 E.1 MUST negotiate; RFC 9846 4.3.1 adds that a server MAY abort",
    )
    for id_, version in (
        ("V01", 0x0304),
        ("V02", 0x0305),
        ("V03", 0x03FF),
        ("V04", 0x0400),
        ("V05", 0x0500),
        ("V06", 0xFFFF),
        ("V35", 0x7F1C),
        ("V36", 0xFEFD),
    )
)
_BELOW = tuple(
    rows.must(
        id_,
        f"legacy-{version:04x}-no-sv",
        f"client_version {version:04x}, no supported_versions",
        older(Edit("code", "legacy_version", version)),
        WRONG_VERSION,
        clause=clause,
        history=INTOLERANCE,
    )
    for id_, version, clause in (
        ("V07", 0x0300, "RFC 7568 3; RFC 9846 E.5 (RFC 8446 D.5)"),
        ("V08", 0x0200, OLDEST),
        ("V09", 0x0002, f"RFC 6176 3; {OLDEST}"),
        ("V10", 0x0000, OLDEST),
        ("V11", 0x02FF, OLDEST),
        ("V37", 0x0301, "RFC 8996 4; RFC 9846 E.5"),
        ("V38", 0x0302, "RFC 8996 5; RFC 9846 E.5"),
    )
)
# RFC 9846 4.2.2 and E.5 want an abort for any other value than 0x0303, 4.3.1 (and RFC 8446) the extension alone.
_WITH = tuple(
    rows.must(
        id_,
        f"legacy-{version:04x}-with-sv",
        f"legacy_version {version:04x} with supported_versions 1.3,1.2",
        modern(Edit("code", "legacy_version", version)),
        (*NEGOTIATE, *WRONG_VERSION),
        clause=LEGACY,
        version=TLS13,
        needs=NEEDS13,
        history="TLS-Anvil 8446-B41SD1Cnr6, 8446-2NRWKXH1nX",
        peers="RFC 8446 4.2.1 uses the extension alone, RFC 9846 4.2.2 and TLS-Anvil want protocol_version",
    )
    for id_, version in (
        ("V12", 0x0304),
        ("V13", 0x03FF),
        ("V14", 0x0500),
        ("V15", 0x0301),
        ("V16", 0x0302),
        ("V18", 0x0000),
    )
)

_EXTENSION = (
    rows.must(
        "V17",
        "legacy-0300-with-sv",
        "legacy_version 0300 with supported_versions 1.3,1.2",
        modern(Edit("code", "legacy_version", 0x0300)),
        WRONG_VERSION,
        clause="RFC 9846 4.2.2, E.5 (RFC 8446 D.5)",
        needs=NEEDS13,
        peers="OpenSSL answers as SSL 3.0, which has no protocol_version alert, and sends handshake_failure",
        history="TLS-Anvil 8446-B41SD1Cnr6, 8446-2NRWKXH1nX",
    ),
    *(
        rows.must(id_, name, difference, ext(SUPPORTED_VERSIONS, body), MISREAD, clause=SYNTAX, needs=NEEDS13)
        for id_, name, difference, body in (
            ("V19", "sv-empty", "supported_versions with empty list", b"\0"),
            ("V20", "sv-zero-body", "supported_versions extension with no body", b""),
            ("V21", "sv-odd", "supported_versions list of 3 bytes", b"\3\3\4\3"),
            ("V22", "sv-len-over", "list length larger than body", b"\6\3\4\3\3"),
            ("V23", "sv-trailing", "one byte after the list", b"\4\3\4\3\3\0"),
            ("V39", "sv-one-byte", "supported_versions list of 1 byte", b"\1\3"),
            ("V40", "sv-server-form", "supported_versions as a server sends it: 1.3 without a list", b"\3\4"),
            ("V41", "sv-len-short", "list length ends before 1.2", b"\2\3\4\3\3"),
            ("V42", "sv-255", "supported_versions list of 255 bytes", b"\xff" + b"\3\4" * 127 + b"\3"),
            ("V43", "sv-wide-length", "list length of two bytes", b"\0\4\3\4\3\3"),
        )
    ),
    *(
        rows.must(
            id_,
            name,
            difference,
            ext(SUPPORTED_VERSIONS, _versions(*versions)),
            WRONG_VERSION,
            clause=clause,
            needs=NEEDS13,
        )
        for id_, name, difference, versions, clause in (
            ("V24", "sv-only-unknown", "only 0x0305", (0x0305,), NOTHING_SHARED),
            ("V25", "sv-only-grease", "only GREASE versions", GREASE, f"{NOTHING_SHARED}; RFC 8701 3.2"),
            ("V31", "sv-draft28", "0x7f1c (draft 28) only", (0x7F1C,), NOTHING_SHARED),
            ("V34", "sv-ssl30", "only 0x0300", (0x0300,), f"{TOO_OLD}; RFC 7568 3"),
            ("V44", "sv-10-11", "only 1.1 and 1.0", (0x0302, 0x0301), f"{TOO_OLD}; RFC 8996 4, 5"),
            ("V45", "sv-only-dtls", "only DTLS 1.3 and 1.2", (0xFEFC, 0xFEFD), NOTHING_SHARED),
            ("V46", "sv-swapped", "only 0x0403: 1.3 with its bytes swapped", (0x0403,), NOTHING_SHARED),
        )
    ),
    *(
        rows.must(
            id_,
            name,
            difference,
            ext(SUPPORTED_VERSIONS, _versions(*versions)),
            NEGOTIATE,
            clause=clause,
            version=version,
            needs=NEEDS13 if version == TLS13 else NEEDS_BOTH,
            history=history,
        )
        for id_, name, difference, versions, version, clause, history in (
            ("V26", "sv-grease-then-13", "GREASE, 1.3", (GREASE[0], TLS13), TLS13, f"{SV}; RFC 8701 3.1", ""),
            ("V27", "sv-unknown-then-12", "0x0305, 1.2", (0x0305, TLS12), TLS12, SV, "TLS-Anvil 8446-LoyBdjVUeE"),
            ("V28", "sv-12-only", "only 1.2 in supported_versions", (TLS12,), TLS12, SV, "TLS-Anvil 8446-vdaMcxzYj2"),
            ("V29", "sv-13-only", "only 1.3", (TLS13,), TLS13, SV, ""),
            ("V32", "sv-127", "127 entries with 1.3 last", (*range(0x6000, 0x607E), TLS13), TLS13, SV, ""),
            ("V47", "sv-unknown-first", "0x0305, 1.3, 1.2", (0x0305, TLS13, TLS12), TLS13, SV, ""),
            ("V48", "sv-dtls-first", "DTLS 1.3, 1.3, DTLS 1.2, 1.2", (0xFEFC, TLS13, 0xFEFD, TLS12), TLS13, SV, ""),
            (
                "V49",
                "sv-grease-between",
                "GREASE before, between and behind 1.3 and 1.2",
                (GREASE[1], TLS13, GREASE[2], TLS12, GREASE[3]),
                TLS13,
                f"{SV}; RFC 8701 3.1",
                "",
            ),
        )
    ),
    rows.free(
        "V30",
        "sv-12-before-13",
        "1.2 before 1.3 in preference order",
        ext(SUPPORTED_VERSIONS, _versions(TLS12, TLS13)),
        NEGOTIATE,
        needs=NEEDS13,
        history="TLS-Anvil 8446-UwCnJTWbmd",
    ),
    rows.free(
        "V33", "sv-dup-13", "1.3 three times", ext(SUPPORTED_VERSIONS, _versions(*[TLS13] * 3)), ANYTHING, needs=NEEDS13
    ),
    rows.must(
        "V50",
        "sv-first",
        "supported_versions as the first extension",
        modern(Edit("move", "extensions/supported_versions", 0)),
        NEGOTIATE,
        clause="RFC 9846 4.3 (RFC 8446 4.2)",
        version=TLS13,
        needs=NEEDS13,
    ),
    rows.must(
        "V51",
        "sv-last",
        "supported_versions as the last extension",
        modern(Edit("move", "extensions/supported_versions", 99)),
        NEGOTIATE,
        clause="RFC 9846 4.3 (RFC 8446 4.2)",
        version=TLS13,
        needs=NEEDS13,
    ),
)

CASES = (*_ABOVE, *_BELOW, *_WITH, *_EXTENSION)
