"""Cases of server_name: RFC 6066 section 3.

Must not import anything of tlswire but ``fuzz`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.rows import Rows, ext, modern
from tlswire.fuzz.cases.values import vector
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.model import ANYTHING, DECODE_ERROR, ILLEGAL_PARAMETER, NEGOTIATE, UNRECOGNIZED_NAME, alerts

_BODY = "extensions/server_name/body"
_LIST = f"{_BODY}/value"
_NAME = f"{_LIST}/[0]/name"
_LENGTHS = "RFC 9846 6"


def _named(data: bytes, kind: int = 0) -> bytes:
    return bytes((kind,)) + vector(2, data)


rows = Rows("sni", "RFC 6066 3")
CASES = (
    rows.must(
        "S01",
        "sni-zero-body",
        "server_name with empty body",
        ext(0, b""),
        alerts(DECODE_ERROR),
        peers="tlsfuzzer test-invalid-server-name-extension",
    ),
    rows.must("S02", "sni-empty-list", "ServerNameList of 0", modern(Edit("data", _LIST, b"")), alerts(DECODE_ERROR)),
    rows.must(
        "S03",
        "sni-empty-name",
        "HostName of 0 bytes",
        modern(Edit("data", _NAME, b"")),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER, UNRECOGNIZED_NAME),
    ),
    rows.free(
        "S04",
        "sni-two-names",
        "two host_name entries",
        modern(Edit("append", _LIST, _named(b"other.example"))),
        ANYTHING,
    ),
    rows.free(
        "S05", "sni-unknown-type", "only name_type 7", modern(Edit("data", _LIST, _named(b"localhost", 7))), ANYTHING
    ),
    rows.free(
        "S06",
        "sni-unknown-then-host",
        "name_type 7 then host_name",
        modern(Edit("insert", _LIST, _named(b"localhost", 7))),
        ANYTHING,
    ),
    # What a name may hold binds the client alone (S07 to S12, S17); a server may not know it, or not look.
    *(
        rows.free(code, name, difference, modern(Edit("data", _NAME, value)), ANYTHING)
        for code, name, difference, value in (
            ("S07", "sni-nul", "host name with NUL byte", b"local\0host"),
            ("S08", "sni-nonascii", "host name with 0xff bytes", b"local\xff\xffhost"),
            ("S09", "sni-ipv4", "literal IPv4 address", b"192.0.2.1"),
            ("S10", "sni-trailing-dot", "trailing dot", b"localhost."),
            ("S11", "sni-256", "host name of 256 bytes", b"a" * 256),
            ("S12", "sni-15000", "host name of 15000 bytes", b"a" * 15000),
        )
    ),
    rows.should(
        "S13",
        "sni-unknown-name",
        "unknown host",
        modern(Edit("data", _NAME, b"unknown.example")),
        (*NEGOTIATE, *alerts(UNRECOGNIZED_NAME)),
    ),
    rows.must(
        "S14",
        "sni-trailing",
        "one byte after the list",
        modern(Edit("append", _BODY, b"\0")),
        alerts(DECODE_ERROR),
        clause="RFC 9846 4.3, 6",
    ),
    rows.must(
        "S15",
        "sni-list-len-over",
        "list length too long",
        modern(Edit("length-by", _LIST, 1)),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
    ),
    rows.must(
        "S16",
        "sni-name-len-over",
        "host name length beyond the list",
        modern(Edit("length-by", _NAME, 1)),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
    ),
    rows.free(
        "S17",
        "sni-slash-space",
        "host name with space, slash, newline",
        modern(Edit("data", _NAME, b"local host/\n")),
        ANYTHING,
    ),
    rows.must("S18", "sni-upper", "upper case name", modern(Edit("data", _NAME, b"LOCALHOST")), NEGOTIATE),
)
