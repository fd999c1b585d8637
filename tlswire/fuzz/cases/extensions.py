"""Cases of extensions as such, and of the small ones: RFC 9846 section 4.3 and the RFC of each.

Must not import anything of tlswire but ``fuzz``, ``hello`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

import msgspec

from tlswire.fuzz.cases.rows import OLDER, Rows, ext, modern, older, sent
from tlswire.fuzz.cases.values import GREASE, UNKNOWN_EXTENSION, added, offered, twice, vector
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.model import (
    ABORT,
    ANYTHING,
    DECODE_ERROR,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    NEGOTIATE,
    UNEXPECTED_MESSAGE,
    UNSUPPORTED_EXTENSION,
    alerts,
)
from tlswire.fuzz.script import SUITES13, TLS12, script_of
from tlswire.hello.ech import ECH, grease
from tlswire.hello.edit import with_extension

_IGNORED = "RFC 9846 4.2.2 (RFC 8446 4.1.2)"
_ONCE = "RFC 9846 4.3 (RFC 8446 4.2)"
_LENGTHS = "RFC 9846 6"
_REPEATED = alerts(ILLEGAL_PARAMETER, DECODE_ERROR, UNEXPECTED_MESSAGE, UNSUPPORTED_EXTENSION)
# RFC 9846 section 4.3: who does not implement an extension, or is told to ignore it, need not look into it.
_OR_IGNORED = (*NEGOTIATE, *alerts(DECODE_ERROR))
_DUPLICATES = "BoGo DuplicateExtension; rustls DecodeError"
_LAST = "extensions/key_share/body"  # the last extension of the modern hello
_RENEGOTIATION = "extensions/renegotiation_info/body"
# A thousand codes that nobody has and that are no GREASE.
_MANY = tuple((0x9000 + number, b"") for number in range(1000))

_NAMES = {
    "E07": ("sni", "server_name", ()),
    "E08": ("supported_groups", "supported_groups", ()),
    "E09": ("signature_algorithms", "signature_algorithms", ()),
    "E10": ("supported_versions", "supported_versions", ("tls13",)),
    "E11": ("key_share", "key_share", ("tls13",)),
    "E12": ("extended_master_secret", "extended_master_secret", ("ems",)),
    "E13": ("session_ticket", "session_ticket", ("ticket12",)),
}

rows = Rows("extension", _IGNORED)
CASES = (
    rows.must(
        "E01",
        "unknown-empty",
        "unknown extension 0x1234, empty",
        added((UNKNOWN_EXTENSION, b"")),
        NEGOTIATE,
        history="SSL Labs extension intolerance",
        peers="TLS-Anvil 8446-vtJcLUKtNv",
    ),
    rows.must(
        "E02", "unknown-255", "unknown extension with 255 bytes", added((UNKNOWN_EXTENSION, bytes(255))), NEGOTIATE
    ),
    rows.must("E03", "unknown-ffff", "extension type 0xffff", added((0xFFFF, b"")), NEGOTIATE),
    rows.must(
        "E04",
        "grease-ext",
        "GREASE extensions: empty first, 1 byte last",
        added((0x8A8A, b"\0"), first=((GREASE, b""),)),
        NEGOTIATE,
        clause="RFC 8701 3.1",
        peers="TLS-Anvil 8701-PErDdQZt7u",
    ),
    rows.must(
        "E05",
        "unknown-1000",
        "1000 unknown extensions",
        added(*_MANY),
        NEGOTIATE,
        peers="tlsfuzzer test-tls13-large-number-of-extensions",
    ),
    rows.must(
        "E06",
        "unknown-30000B",
        "one unknown extension of 15000 bytes",
        added((UNKNOWN_EXTENSION, bytes(15000))),
        NEGOTIATE,
    ),
    *(
        rows.must(
            code,
            f"dup-{short}",
            f"{short} twice, identical",
            modern(twice(name)),
            _REPEATED,
            clause=_ONCE,
            needs=needs,
            peers=_DUPLICATES,
        )
        for code, (short, name, needs) in _NAMES.items()
    ),
    # The sender breaks a rule; the server must ignore what it does not know, and may not see that it came twice.
    rows.may(
        "E14",
        "dup-unknown",
        "unknown extension twice",
        added((UNKNOWN_EXTENSION, b""), (UNKNOWN_EXTENSION, b"")),
        (*NEGOTIATE, *_REPEATED),
        clause=_ONCE,
        peers="BoGo expects an alert",
    ),
    rows.may(
        "E15",
        "dup-grease",
        "same GREASE extension twice",
        added((GREASE, b""), (GREASE, b"")),
        (*NEGOTIATE, *_REPEATED),
        clause=_ONCE,
    ),
    rows.must(
        "E16",
        "last-ext-overrun",
        "last extension length runs past the block",
        modern(Edit("length-by", _LAST, 1)),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
    ),
    rows.must(
        "E17",
        "ext-stub-3",
        "3 stray bytes at the end of the block",
        modern(Edit("append", "extensions", b"\x12\x34\0")),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
    ),
    # Only who recognizes an extension is held to the table of messages.
    rows.must(
        "E18",
        "oid-filters-in-ch",
        "oid_filters (CertificateRequest only) in ClientHello",
        added((48, bytes(2))),
        (*NEGOTIATE, *alerts(ILLEGAL_PARAMETER)),
        clause=_ONCE,
    ),
    rows.must(
        "E19",
        "ext-shuffled",
        "extensions reversed",
        modern(Edit("reverse", "extensions")),
        NEGOTIATE,
        clause=_ONCE,
        peers="tlsfuzzer test-tls13-shuffled-extentions",
    ),
    rows.must(
        "E20",
        "ems-nonempty",
        "extended_master_secret with 1 byte",
        ext(23, b"\0", OLDER),
        alerts(DECODE_ERROR),
        clause="RFC 7627 5.1",
        needs=("ems",),
        peers="TLS-Anvil XLF-FjfCZ7g3ZD",
    ),
    rows.must(
        "E21",
        "etm-nonempty",
        "encrypt_then_mac with 1 byte",
        ext(22, b"\0", OLDER),
        alerts(DECODE_ERROR),
        clause="RFC 7366 2",
        needs=("etm",),
        peers="TLS-Anvil XLF-p6RPJ7GabA",
    ),
    rows.must(
        "E22",
        "ri-nonempty",
        "renegotiation_info with 12 bytes on an initial handshake",
        older(Edit("data", f"{_RENEGOTIATION}/value", bytes(12))),
        ABORT,
        clause="RFC 5746 3.6",
        needs=("renegotiation-info",),
    ),
    rows.must(
        "E23",
        "ri-no-body",
        "renegotiation_info with an empty body",
        ext(0xFF01, b"", OLDER),
        alerts(DECODE_ERROR, HANDSHAKE_FAILURE),
        clause="RFC 5746 3.2",
        needs=("renegotiation-info",),
    ),
    rows.must(
        "E24",
        "ri-len-lie",
        "renegotiation_info inner length 5, 1 byte",
        ext(0xFF01, b"\5\0", OLDER),
        alerts(DECODE_ERROR, HANDSHAKE_FAILURE),
        clause="RFC 5746 3.2",
        needs=("renegotiation-info",),
    ),
    rows.must(
        "E25",
        "session-ticket-garbage",
        "unknown 200-byte session ticket",
        sent(lambda ground: script_of(with_extension(ground.older, 35, ground.random("E25").randbytes(200))), OLDER),
        NEGOTIATE,
        clause="RFC 5077 3.1",
        version=TLS12,
    ),
    rows.must(
        "E26",
        "session-ticket-1byte",
        "session ticket of 1 byte",
        ext(35, b"\1", OLDER),
        NEGOTIATE,
        clause="RFC 5077 3.1",
        version=TLS12,
    ),
    rows.free(
        "E27",
        "padding-nonzero",
        "padding extension with non-zero bytes",
        added((21, b"\1" * 16)),
        ANYTHING,
        clause="RFC 7685 3",
    ),
    rows.must(
        "E28",
        "status-request-empty",
        "status_request with empty body",
        added((5, b"")),
        alerts(DECODE_ERROR),
        clause="RFC 6066 8",
        needs=("status-request",),
    ),
    rows.free(
        "E29",
        "status-request-unknown-type",
        "status_request type 99",
        added((5, b"\x63\0\0\0\0")),
        ANYTHING,
        clause="RFC 6066 8",
    ),
    rows.must(
        "E30",
        "status-request-len-lie",
        "responder id list longer than body",
        added((5, b"\1\0\x20\0\0")),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
        needs=("status-request",),
        history="CVE-2016-6304 (OpenSSL, status_request)",
    ),
    *(
        rows.must(
            code,
            f"mfl-{value}",
            f"max_fragment_length value {value}",
            added((1, bytes((value,)))),
            alerts(ILLEGAL_PARAMETER),
            clause="RFC 6066 4",
            needs=("mfl",),
            peers="TLS-Anvil 6066 MaximumFragmentLength",
        )
        for code, value in (("E31", 0), ("E32", 5), ("E33", 255))
    ),
    rows.must(
        "E34",
        "mfl-1",
        "max_fragment_length value 1",
        added((1, b"\1")),
        NEGOTIATE,
        clause="RFC 6066 4",
        peers="TLS-Anvil 6066 MaximumFragmentLength",
    ),
    rows.must(
        "E35",
        "mfl-empty",
        "max_fragment_length with no byte",
        added((1, b"")),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER),
        clause="RFC 6066 4",
        needs=("mfl",),
    ),
    rows.must(
        "E36",
        "mfl-2bytes",
        "max_fragment_length with 2 bytes",
        added((1, b"\1\1")),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER),
        clause="RFC 6066 4",
        needs=("mfl",),
    ),
    rows.must(
        "E37",
        "rsl-63",
        "record_size_limit 63",
        added((28, b"\0\x3f")),
        alerts(ILLEGAL_PARAMETER),
        clause="RFC 8449 4",
        needs=("rsl",),
        peers="tlsfuzzer test-record-size-limit",
    ),
    rows.must("E38", "rsl-64", "record_size_limit 64", added((28, b"\0\x40")), NEGOTIATE, clause="RFC 8449 4"),
    rows.must("E39", "rsl-ffff", "record_size_limit 65535", added((28, b"\xff\xff")), NEGOTIATE, clause="RFC 8449 4"),
    rows.must(
        "E40",
        "rsl-3bytes",
        "record_size_limit with 3 bytes",
        added((28, b"\x40\0\0")),
        alerts(DECODE_ERROR),
        clause=_ONCE,
        needs=("rsl",),
    ),
    rows.must(
        "E41",
        "heartbeat-mode-0",
        "heartbeat mode 0",
        ext(15, b"\0", OLDER),
        alerts(ILLEGAL_PARAMETER),
        clause="RFC 6520 2",
        needs=("heartbeat",),
        peers="tlsfuzzer test-heartbeat",
    ),
    rows.may(
        "E42",
        "pha-nonempty",
        "post_handshake_auth with 1 byte",
        added((49, b"\0")),
        _OR_IGNORED,
        clause="RFC 9846 4.3, 4.3.6 (RFC 8446 4.2.6)",
    ),
    rows.must(
        "E43",
        "compcert-empty",
        "compress_certificate with empty list",
        added((27, b"\0")),
        alerts(DECODE_ERROR),
        clause="RFC 8879 3",
        needs=("compcert",),
    ),
    rows.must(
        "E44",
        "compcert-unknown",
        "compress_certificate with unknown algorithm",
        added((27, b"\2\x12\x34")),
        NEGOTIATE,
        clause="RFC 8879 3",
    ),
    rows.must(
        "E45",
        "compcert-odd",
        "compress_certificate list of 3 bytes",
        added((27, b"\3\0\1\0")),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
        needs=("compcert",),
    ),
    rows.may(
        "E46",
        "ca-empty",
        "certificate_authorities with empty list",
        added((47, bytes(2))),
        _OR_IGNORED,
        clause="RFC 9846 4.3.4 (RFC 8446 4.2.4)",
    ),
    rows.free(
        "E47",
        "sct-nonempty",
        "signed_certificate_timestamp with body from client",
        added((18, vector(2, bytes(4)))),
        ANYTHING,
        clause="RFC 6962 3.3.1",
    ),
    rows.free(
        "E48",
        "cookie-unsolicited",
        "cookie in the first ClientHello",
        added((44, vector(2, bytes(32)))),
        ANYTHING,
        clause="RFC 9846 4.3.2 (RFC 8446 4.2.2)",
        peers="TLS-Anvil 8446-i1e2R9UFD2 wants an alert; the text binds the client alone",
    ),
    rows.may(
        "E49",
        "cookie-empty",
        "cookie of zero length",
        added((44, bytes(2))),
        _OR_IGNORED,
        clause="RFC 9846 4.3, 4.3.2 (RFC 8446 4.2.2)",
        needs=("tls13",),
    ),
    rows.free(
        "E50",
        "use-srtp-empty",
        "use_srtp (DTLS only) on TLS",
        added((14, b"\0\0\0")),
        ANYTHING,
        clause="RFC 5764 4.1",
    ),
    rows.must(
        "E51",
        "ech-grease",
        "encrypted_client_hello (0xfe0d) that offers nothing: GREASE",
        sent(lambda ground: script_of(with_extension(ground.modern, ECH, grease(ground.random("E51"))))),
        NEGOTIATE,
        clause="RFC 9849 6.2",
        history="Chrome GREASE ECH",
    ),
    rows.may(
        "E52",
        "quic-tp-over-tcp",
        "quic_transport_parameters (57) over TCP",
        added((57, b"\1\2\x40\x64")),
        (*NEGOTIATE, *alerts(UNSUPPORTED_EXTENSION)),
        clause="RFC 9001 8.2",
    ),
    rows.must(
        "E53",
        "npn",
        "next_protocol_negotiation empty",
        ext(0x3374, b"", OLDER),
        NEGOTIATE,
        clause="draft-agl-tls-nextprotoneg-04 3",
    ),
    rows.must(
        "E54",
        "ext-none-13-suites",
        "TLS 1.3 suites and no extensions block",
        offered(lambda value: msgspec.structs.replace(value, suites=SUITES13, extensions=None), OLDER),
        ABORT,
        clause="RFC 9846 4.2.1, 9.2 (RFC 8446 4.1.1)",
        history="Mbed-TLS/mbedtls#8694",
    ),
)
