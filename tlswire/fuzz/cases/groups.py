"""Cases of supported_groups and ec_point_formats: RFC 9846 section 4.3.7, RFC 8422 section 5.1.

Must not import anything of tlswire but ``fuzz``, ``hello`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.rows import MODERN, OLDER, Rows, ext, hello, modern, older
from tlswire.fuzz.cases.values import GREASE, UNKNOWN_GROUP, code_list, codes, entry, only13, with_shares
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.model import (
    ANYTHING,
    DECODE_ERROR,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    INSUFFICIENT_SECURITY,
    MISSING_EXTENSION,
    NEGOTIATE,
    alerts,
)
from tlswire.fuzz.script import GROUPS as BASE_GROUPS
from tlswire.fuzz.script import TLS12

_CODE, _FORMATS = 10, 11
_BODY = "extensions/supported_groups/body"
_LIST = f"{_BODY}/value"
_FORMAT_LIST = "extensions/ec_point_formats/body/value"
_LENGTHS = "RFC 9846 6"
_POINTS = "RFC 8422 5.1.2"
# Codes nobody has, none of them GREASE.
_MANY = tuple(range(0x4000, 0x4000 + 1999))
_TOOL = "tlsfuzzer test-point-extension"

rows = Rows("groups", "RFC 9846 4.3.7 (RFC 8446 4.2.7)")
CASES = (
    rows.must(
        "G01",
        "groups-empty",
        "supported_groups empty list",
        modern(Edit("data", _LIST, b"")),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER),
    ),
    rows.must(
        "G02",
        "groups-odd",
        "supported_groups of 3 bytes",
        modern(Edit("data", _LIST, b"\0\x1d\0")),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
    ),
    rows.must(
        "G03",
        "groups-len-over",
        "list length too long",
        modern(Edit("length-by", _LIST, 2)),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
    ),
    rows.must(
        "G04",
        "groups-only-unknown",
        "only unknown groups and share, TLS 1.3 alone",
        hello(lambda value, _: only13(with_shares(value, (UNKNOWN_GROUP,), entry(UNKNOWN_GROUP, bytes(32))))),
        alerts(HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY),
        clause="RFC 9846 4.2.1 (RFC 8446 4.1.1)",
        needs=("tls13",),
    ),
    rows.must(
        "G05",
        "groups-missing",
        "key_share but no supported_groups",
        ext(_CODE, None),
        alerts(MISSING_EXTENSION),
        clause="RFC 9846 9.2",
        needs=("tls13",),
        peers="TLS-Anvil 8446-KQn4u3Xj4M",
    ),
    rows.must(
        "G06",
        "groups-grease",
        "GREASE group first",
        modern(Edit("insert", _LIST, codes(GREASE))),
        NEGOTIATE,
        clause="RFC 8701 3.1",
        peers="TLS-Anvil 8701-2XMSQq7p9T",
    ),
    rows.may(
        "G07",
        "groups-dup",
        "x25519 twice",
        modern(Edit("insert", _LIST, codes(0x001D))),
        (*NEGOTIATE, *alerts(ILLEGAL_PARAMETER)),
    ),
    rows.must(
        "G08",
        "groups-2000",
        "2000 groups, those of the base last",
        modern(Edit("insert", _LIST, codes(*_MANY[: 2000 - len(BASE_GROUPS)]))),
        NEGOTIATE,
        clause="RFC 9846 4.3.7, 9.3 (RFC 8446 4.2.7)",
    ),
    rows.must(
        "G09",
        "groups-empty-12",
        "supported_groups empty list, TLS 1.2",
        older(Edit("data", _LIST, b"")),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER),
        clause="RFC 8422 5.1.1",
    ),
    rows.free(
        "G10",
        "groups-only-unknown-12",
        "only unknown groups, TLS 1.2, RSA suites present",
        ext(_CODE, code_list(UNKNOWN_GROUP), OLDER),
        ANYTHING,
        clause="RFC 8422 4",
    ),
    rows.must(
        "G11",
        "groups-trailing",
        "one byte after list",
        modern(Edit("append", _BODY, b"\0")),
        alerts(DECODE_ERROR),
        clause="RFC 9846 4.3, 6",
    ),
    rows.must(
        "G12",
        "pf-empty",
        "ec_point_formats empty list",
        older(Edit("data", _FORMAT_LIST, b"")),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER),
        clause=_POINTS,
        needs=("ecdhe12",),
        peers=_TOOL,
    ),
    rows.must(
        "G13",
        "pf-no-uncompressed",
        "ec_point_formats [1] only",
        older(Edit("data", _FORMAT_LIST, b"\1")),
        alerts(ILLEGAL_PARAMETER),
        clause=_POINTS,
        needs=("ecdhe12",),
        peers="TLS-Anvil 8422 PointFormatExtension",
    ),
    rows.must(
        "G14",
        "pf-unknown-and-0",
        "ec_point_formats [200,0]",
        older(Edit("data", _FORMAT_LIST, b"\xc8\0")),
        NEGOTIATE,
        clause=_POINTS,
        version=TLS12,
        peers=_TOOL,
    ),
    rows.must(
        "G15",
        "pf-len-over",
        "list length 5, one byte",
        older(Edit("length-to", _FORMAT_LIST, 5)),
        alerts(DECODE_ERROR),
        clause="RFC 5246 7.2.2",
        needs=("ecdhe12",),
        peers=_TOOL,
    ),
    rows.free(
        "G16",
        "pf-13-no-uncompressed",
        "ec_point_formats [1] in a TLS 1.3 hello",
        ext(_FORMATS, b"\1\1", MODERN),
        ANYTHING,
        clause="RFC 9846 4.3 (RFC 8446 4.2)",
        peers=_TOOL,
    ),
)
