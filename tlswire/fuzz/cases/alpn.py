"""Cases of application_layer_protocol_negotiation: RFC 7301 section 3.

Must not import anything of tlswire but ``fuzz`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.rows import Rows, ext, modern
from tlswire.fuzz.cases.values import vector
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.model import (
    ANYTHING,
    DECODE_ERROR,
    ILLEGAL_PARAMETER,
    NEGOTIATE,
    NO_APPLICATION_PROTOCOL,
    alerts,
)

_BODY = "extensions/application_layer_protocol_negotiation/body"
_LIST = f"{_BODY}/value"
_NAME = f"{_LIST}/[0]"
_LENGTHS = "RFC 9846 6"
_NEEDS = ("alpn",)
_KNOWN = vector(1, b"http/1.1")
_TOOLS = "tlsfuzzer test-alpn-negotiation, TLS-Anvil XLF ALPN"


def _before(*names: bytes) -> Edit:
    """These protocols before http/1.1."""
    return Edit("insert", _LIST, b"".join(vector(1, name) for name in names))


rows = Rows("alpn", "RFC 7301 3.1")
CASES = (
    rows.must(
        "A01", "alpn-zero-body", "ALPN with empty body", ext(16, b""), alerts(DECODE_ERROR), needs=_NEEDS, peers=_TOOLS
    ),
    rows.must(
        "A02",
        "alpn-empty-list",
        "ProtocolNameList of 0",
        modern(Edit("data", _LIST, b"")),
        alerts(DECODE_ERROR),
        needs=_NEEDS,
        peers=_TOOLS,
    ),
    rows.must(
        "A03",
        "alpn-empty-name",
        "protocol name of 0 bytes",
        modern(_before(b"")),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER),
        needs=_NEEDS,
        peers=_TOOLS,
    ),
    rows.must(
        "A04",
        "alpn-unknown-only",
        "only unknown protocol",
        modern(Edit("data", _LIST, vector(1, b"tlswire/0"))),
        alerts(NO_APPLICATION_PROTOCOL),
        clause="RFC 7301 3.2",
        needs=_NEEDS,
        peers="many servers go on without a protocol",
    ),
    rows.must(
        "A05",
        "alpn-trailing",
        "one byte after list",
        modern(Edit("append", _BODY, b"\0")),
        alerts(DECODE_ERROR),
        clause="RFC 9846 4.3, 6",
        needs=_NEEDS,
        peers=_TOOLS,
    ),
    rows.must(
        "A06",
        "alpn-len-over",
        "name length beyond list",
        modern(Edit("length-by", _NAME, 1)),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
        needs=_NEEDS,
        peers=_TOOLS,
    ),
    rows.must(
        "A07",
        "alpn-grease",
        "GREASE identifier then http/1.1",
        modern(_before(b"\x0a\x0a")),
        NEGOTIATE,
        clause="RFC 8701 3.1",
        peers="TLS-Anvil 8701-fe7Ev3bbiq",
    ),
    rows.must(
        "A08", "alpn-255", "255-byte identifier then http/1.1", modern(_before(b"a" * 255)), NEGOTIATE, peers=_TOOLS
    ),
    rows.must(
        "A09",
        "alpn-2000",
        "2000 identifiers, http/1.1 last",
        modern(_before(*(b"p%04d" % number for number in range(1999)))),
        NEGOTIATE,
        peers=_TOOLS,
    ),
    rows.must(
        "A10",
        "alpn-nul",
        "identifier with NUL bytes then http/1.1",
        modern(_before(b"a\0b")),
        NEGOTIATE,
        peers=_TOOLS,
    ),
    rows.free("A11", "alpn-dup", "http/1.1 twice", modern(Edit("append", _LIST, _KNOWN)), ANYTHING, peers=_TOOLS),
)
