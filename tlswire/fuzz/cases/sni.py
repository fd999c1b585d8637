"""Cases of server_name: RFC 6066 section 3.

Must not import anything of tlswire but ``fuzz`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.rows import Rows, ext, modern
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.model import ANYTHING, DECODE_ERROR, ILLEGAL_PARAMETER, NEGOTIATE, UNRECOGNIZED_NAME, alerts

_BODY = "extensions/server_name/body"
_LIST = f"{_BODY}/value"
_NAME = f"{_LIST}/[0]/name"


def _named(data: bytes, kind: int = 0) -> bytes:
    return bytes((kind,)) + len(data).to_bytes(2, "big") + data


rows = Rows("sni", "RFC 6066 3")
CASES = (
    rows.must("S01", "sni-zero-body", "server_name with empty body", ext(0, b""), alerts(DECODE_ERROR)),
    rows.must("S02", "sni-empty-list", "ServerNameList of 0", modern(Edit("data", _LIST, b"")), alerts(DECODE_ERROR)),
    rows.must(
        "S03",
        "sni-empty-name",
        "HostName of 0 bytes",
        modern(Edit("data", _NAME, b"")),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER, UNRECOGNIZED_NAME),
    ),
    rows.free(
        "S05", "sni-unknown-type", "only name_type 7", modern(Edit("data", _LIST, _named(b"localhost", 7))), ANYTHING
    ),
    rows.must("S18", "sni-upper", "upper case name", modern(Edit("data", _NAME, b"LOCALHOST")), NEGOTIATE),
    rows.must(
        "S14",
        "sni-trailing",
        "one byte after the list",
        modern(Edit("append", _BODY, b"\0")),
        alerts(DECODE_ERROR),
        clause="RFC 9846 6.2",
    ),
)
