"""Cases of the hello's body: session id, suites, compression, the extensions block, random.

Sources: RFC 9846 sections 4.2.1, 4.2.2, 6 and E.5 (RFC 8446 4.1.1, 4.1.2, 6, D.5), RFC 5246 sections 7.4.1.2 to 7.4.1.4
and A.5, RFC 5746, RFC 7465, RFC 8701, RFC 9155. Must not import anything of tlswire but ``fuzz``, ``hello``, ``wire``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.fuzz.cases.rows import MODERN, OLDER, Made, Rows, hello, modern, older, sent
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.fields import Leaf, replaced
from tlswire.fuzz.model import (
    ANYTHING,
    DECODE_ERROR,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    INSUFFICIENT_SECURITY,
    NEGOTIATE,
    alerts,
)
from tlswire.fuzz.script import SUITES12, SUITES13, TLS12, TLS13, script_of
from tlswire.hello.edit import with_suites, with_versions
from tlswire.wire.messages import HRR_RANDOM

if TYPE_CHECKING:
    from tlswire.fuzz.script import Ground, Script

RENEGOTIATION_SCSV = 0x00FF
GREASE_SUITES = tuple(0x0A0A + 0x1010 * n for n in range(16))
ALL = (*SUITES13, *SUITES12)
EXTENSIONS = "extensions"

HELLO = "RFC 9846 4.2.2 (RFC 8446 4.1.2)"
BOTH = f"{HELLO}; RFC 5246 7.4.1.2"
NOTHING_SHARED = "RFC 9846 4.2.1 (RFC 8446 4.1.1); RFC 5246 7.4.1.3"
WEAK = "RFC 9846 E.5 (RFC 8446 D.5)"
SYNTAX = "RFC 9846 6, 6.2; RFC 5246 7.2.2"
BLOCK = f"{HELLO}; RFC 5246 7.4.1.4"
REFUSED = alerts(HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY)
MISREAD = alerts(DECODE_ERROR)
# RFC 5246 section 7.2.2 gives both for a value out of its range.
OUT_OF_RANGE = alerts(DECODE_ERROR, ILLEGAL_PARAMETER)
ILLEGAL = alerts(ILLEGAL_PARAMETER)
NEEDS13 = ("tls13",)


def _suites(*suites: int, base: str = MODERN) -> Made:
    return hello(lambda value, _: with_suites(value, suites), base)


def _unknown(count: int) -> tuple[int, ...]:
    """Code points that no registry has: those of 0x60.. to 0xBF.. ."""
    return tuple(range(0x6000, 0x6000 + count))


def _without_block(ground: Ground) -> Script:
    return script_of(replaced(ground.older_tree, EXTENSIONS, Leaf("extra", b"\0")))  # type: ignore[arg-type]  # a Group


def _extension_codes_only(*data: bytes) -> Made:
    return older(Edit("data", EXTENSIONS, b"".join(data)))


rows = Rows("body", HELLO)
_SESSION_ID = (
    *(
        rows.must(
            id_,
            f"sid-{size}",
            f"session id of {size} bytes",
            modern(Edit("size", "session_id", size)),
            NEGOTIATE,
        )
        for id_, size in (("C01", 0), ("C02", 1), ("C03", 31), ("C04", 32))
    ),
    rows.must(
        "C05",
        "sid-33",
        "session id of 33 bytes",
        modern(Edit("size", "session_id", 33)),
        OUT_OF_RANGE,
        clause=f"{BOTH}, 7.2.2",
        history="tlsfuzzer test-invalid-session-id",
    ),
    rows.must(
        "C06",
        "sid-255",
        "session id of 255 bytes",
        modern(Edit("size", "session_id", 255)),
        OUT_OF_RANGE,
        clause=f"{BOTH}, 7.2.2",
    ),
    rows.must(
        "C07",
        "sid-len-lie",
        "session id length 32 with 0 bytes present",
        modern(Edit("data", "session_id", b""), Edit("length-to", "session_id", 32)),
        OUT_OF_RANGE,
        clause=SYNTAX,
    ),
)

_SUITES = (
    rows.must(
        "C08",
        "suites-empty",
        "cipher_suites length 0",
        modern(Edit("data", "suites", b"")),
        OUT_OF_RANGE,
        clause=f"{BOTH}, 7.2.2",
    ),
    rows.must(
        "C09",
        "suites-odd",
        "cipher_suites length odd (3)",
        modern(Edit("data", "suites", b"\x13\x01\x13")),
        MISREAD,
        clause=BOTH,
        history="TLS-Anvil XLF-rUWM4KWG2t",
    ),
    rows.must(
        "C10",
        "suites-len-over",
        "cipher_suites length beyond the message",
        modern(Edit("length-to", "suites", 0xFFFE)),
        MISREAD,
        clause=SYNTAX,
    ),
    rows.must(
        "C11", "suites-only-unknown", "only unknown suite 0x1399", _suites(0x1399), REFUSED, clause=NOTHING_SHARED
    ),
    rows.must(
        "C12",
        "suites-only-scsv",
        "only TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
        _suites(RENEGOTIATION_SCSV),
        REFUSED,
        clause=f"RFC 5746 3.3; {NOTHING_SHARED}",
    ),
    rows.must(
        "C13",
        "suites-null-null",
        "only TLS_NULL_WITH_NULL_NULL",
        _suites(0, base=OLDER),
        REFUSED,
        clause="RFC 5246 A.5; RFC 9846 E.5 (RFC 8446 D.5)",
    ),
    rows.must(
        "C14",
        "suites-grease",
        "GREASE suites first and last",
        _suites(GREASE_SUITES[0], *ALL, GREASE_SUITES[-1]),
        NEGOTIATE,
        clause=f"RFC 8701 3.1; {HELLO}",
        history="TLS-Anvil 8701-iaW1cm19MU",
    ),
    rows.must(
        "C15",
        "suites-all-grease",
        "only GREASE suites",
        _suites(*GREASE_SUITES),
        REFUSED,
        clause=f"RFC 8701 3.2; {NOTHING_SHARED}",
    ),
    rows.free(
        "C16",
        "suites-dup",
        "each suite twice",
        hello(lambda value, _: with_suites(value, tuple(code for code in value.suites for _ in range(2)))),
        ANYTHING,
        history="CVE-2022-39173",
    ),
    rows.must(
        "C17",
        "suites-300",
        "300 unknown suites before the known",
        _suites(*_unknown(300), *ALL),
        NEGOTIATE,
        clause=BOTH,
        history="TLS-Anvil 5246-RMehEjs346; JSSE and Schannel limits; CVE-2022-39173",
    ),
    rows.must(
        "C18",
        "suites-32767",
        "32767 suites (65534 bytes, hello in 5 records)",
        _suites(*[GREASE_SUITES[0]] * (32767 - len(ALL)), *ALL),
        NEGOTIATE,
        history="CVE-2022-41724",
    ),
    rows.must(
        "C19",
        "suites-13-only-12-version",
        "only TLS 1.3 suites in a TLS 1.2 hello",
        _suites(*SUITES13, base=OLDER),
        REFUSED,
        clause=NOTHING_SHARED,
    ),
    rows.must(
        "C20",
        "suites-12-only-13-version",
        "supported_versions 1.3 only but only TLS 1.2 suites",
        hello(lambda value, _: with_suites(with_versions(value, (TLS13,)), SUITES12)),
        REFUSED,
        clause=NOTHING_SHARED,
        needs=NEEDS13,
    ),
    rows.must(
        "C23",
        "reneg-scsv-and-ext",
        "SCSV and empty renegotiation_info together",
        _suites(*SUITES12, RENEGOTIATION_SCSV, base=OLDER),
        NEGOTIATE,
        clause="RFC 5746 3.4, 3.6",
    ),
    rows.must(
        "C24",
        "suites-rc4-only",
        "only RC4 suites",
        _suites(0x0005, 0x0004, 0xC011, 0xC007, base=OLDER),
        REFUSED,
        clause=f"RFC 7465 2; {WEAK}",
        history="TLS-Anvil 7465",
    ),
    rows.must(
        "C25",
        "suites-export-only",
        "only EXPORT suites",
        _suites(0x0003, 0x0006, 0x0008, 0x0014, base=OLDER),
        REFUSED,
        clause=WEAK,
        history="FREAK; tlsfuzzer test-export-ciphers-rejected",
    ),
    rows.must(
        "C26",
        "suites-anon-only",
        "only anon suites",
        _suites(0x00A6, 0x0034, 0x006C, 0xC018, base=OLDER),
        REFUSED,
        clause="RFC 5246 A.5",
        peers="RFC 5246 A.5 lets an application ask for anonymous suites, which cannot be seen from outside",
    ),
    rows.free(
        "C27",
        "suites-psk-only-no-psk",
        "only TLS 1.2 PSK suites",
        _suites(0x00A8, 0x00A9, 0x008C, 0x008D, base=OLDER),
        ANYTHING,
        clause="RFC 4279 2",
    ),
)

_COMPRESSION = (
    rows.must(
        "C28",
        "comp-empty",
        "compression_methods empty",
        modern(Edit("data", "compression", b"")),
        OUT_OF_RANGE,
        clause=f"{BOTH}, 7.2.2",
        history="tlsfuzzer test-invalid-compression-methods",
    ),
    *(
        rows.must(
            id_, name, difference, modern(Edit("data", "compression", methods)), ILLEGAL, needs=NEEDS13, history=history
        )
        for id_, name, difference, methods, history in (
            ("C29", "comp-no-null-13", "compression [1], TLS 1.3", b"\1", "TLS-Anvil 8446-qgJEM4UoBe"),
            ("C30", "comp-null-deflate-13", "compression [1,0], TLS 1.3", b"\1\0", ""),
            ("C44", "comp-deflate-last-13", "compression [0,1], TLS 1.3", b"\0\1", ""),
            ("C45", "comp-null-twice-13", "compression [0,0], TLS 1.3", b"\0\0", ""),
            ("C46", "comp-255-13", "255 methods with null last, TLS 1.3", bytes(range(255, 0, -1))[1:] + b"\0", ""),
        )
    ),
    *(
        rows.must(
            id_,
            name,
            difference,
            older(Edit("data", "compression", methods)),
            NEGOTIATE,
            clause="RFC 5246 7.4.1.2",
            version=TLS12,
        )
        for id_, name, difference, methods in (
            ("C31", "comp-null-unknown-12", "compression [0,0x40], TLS 1.2", b"\0\x40"),
            ("C33", "comp-255-12", "255 methods with null last, TLS 1.2", bytes(range(255, 0, -1))[1:] + b"\0"),
        )
    ),
    rows.must(
        "C32",
        "comp-no-null-12",
        "compression [1], TLS 1.2",
        older(Edit("data", "compression", b"\1")),
        alerts(ILLEGAL_PARAMETER, DECODE_ERROR, HANDSHAKE_FAILURE),
        clause="RFC 5246 7.4.1.2",
    ),
    rows.must(
        "C34",
        "comp-len-over",
        "compression length beyond the message",
        older(Edit("length-to", "compression", 255)),
        MISREAD,
        clause=SYNTAX,
    ),
)

_BLOCK = (
    rows.must(
        "C35",
        "no-extensions-12",
        "no extensions block, TLS 1.2",
        older(Edit("drop", EXTENSIONS)),
        NEGOTIATE,
        clause="RFC 5246 7.4.1.2",
        version=TLS12,
        needs=("rsa12",),
        history="TLS-Anvil 5246-LtPf1AMt7Y",
        peers="RFC 9155 2 makes clients send signature_algorithms; static RSA needs no signature",
    ),
    rows.must(
        "C36",
        "empty-extensions-12",
        "extensions block of length 0, TLS 1.2",
        older(Edit("data", EXTENSIONS, b"")),
        NEGOTIATE,
        clause="RFC 5246 7.4.1.2",
        version=TLS12,
        needs=("rsa12",),
        history="tlsfuzzer test-empty-extensions",
        peers="RFC 9155 2 makes clients send signature_algorithms; static RSA needs no signature",
    ),
    rows.must(
        "C37",
        "one-byte-after-comp",
        "1 byte where the extensions length should be",
        sent(_without_block, OLDER),
        MISREAD,
        clause=BLOCK,
    ),
    *(
        rows.must(
            id_,
            name,
            difference,
            modern(Edit("length-by", EXTENSIONS, by) if abs(by) == 1 else Edit("length-to", EXTENSIONS, by)),
            MISREAD,
            clause=f"{BLOCK}; RFC 9846 6.2",
            history=history,
        )
        for id_, name, difference, by, history in (
            ("C38", "ext-len-plus1", "extensions length one too long", 1, ""),
            ("C39", "ext-len-minus1", "extensions length one too short", -1, "TLS-Anvil XLF-hjh8QDJmvK"),
            ("C47", "ext-len-0", "extensions length 0, extensions follow", 0, ""),
            ("C48", "ext-len-ffff", "extensions length 0xffff", 0xFFFF, ""),
            ("C49", "ext-len-first", "extensions length covers the first extension alone", 18, ""),
        )
    ),
    *(
        rows.must(id_, name, difference, _extension_codes_only(data), MISREAD, clause=f"{BLOCK}; RFC 9846 6.2")
        for id_, name, difference, data in (
            ("C50", "ext-block-1", "extensions block of 1 byte, TLS 1.2", b"\0"),
            ("C51", "ext-block-3", "extensions block of 3 bytes, TLS 1.2", b"\0\x17\0"),
            ("C52", "ext-block-empty-lie", "one extension of length 1 without a body, TLS 1.2", b"\0\x17\0\1"),
            ("C53", "ext-block-huge-lie", "one extension of length 0xffff, TLS 1.2", b"\0\x17\xff\xff\0"),
        )
    ),
    rows.must(
        "C54",
        "ext-block-zeros-behind",
        "extensions block of length 0 with 4 bytes behind it, TLS 1.2",
        older(Edit("data", EXTENSIONS, bytes(4)), Edit("length-to", EXTENSIONS, 0)),
        MISREAD,
        clause=f"{BLOCK}; RFC 9846 6.2",
    ),
    rows.must(
        "C55",
        "ext-last-plus1",
        "length of the last extension one beyond the block",
        modern(Edit("length-by", "extensions/key_share/body", 1)),
        MISREAD,
        clause=SYNTAX,
    ),
    rows.must(
        "C56",
        "ext-last-ffff",
        "length of the last extension 0xffff",
        modern(Edit("length-to", "extensions/key_share/body", 0xFFFF)),
        MISREAD,
        clause=SYNTAX,
    ),
)

_RANDOM = tuple(
    rows.free(id_, name, difference, modern(Edit("data", "random", value)), ANYTHING)
    for id_, name, difference, value in (
        ("C40", "random-zero", "random of 32 zero bytes", bytes(32)),
        ("C41", "random-hrr-magic", "random equal to the HelloRetryRequest constant", HRR_RANDOM),
        ("C42", "random-downgrade", "random ending in DOWNGRD 01", bytes(24) + b"DOWNGRD\1"),
        ("C43", "random-ssl3-md5", "random all 0xff", b"\xff" * 32),
    )
)

CASES = (*_SESSION_ID, *_SUITES, *_COMPRESSION, *_BLOCK, *_RANDOM)
