"""Cases of the handshake layer: types and lengths of the message, and bodies cut short or followed by more.

Sources: RFC 9846 sections 4, 4.2.2 and 6 (RFC 8446 sections 4, 4.1.2 and 6), RFC 5246 section 7.4.1.2.
Must not import anything of tlswire but ``fuzz`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.framing import before, behind, framed, handshake, spoken
from tlswire.fuzz.cases.rows import MODERN, OLDER, Made, Rows
from tlswire.fuzz.model import (
    ABORT,
    BAD_RECORD_MAC,
    DECODE_ERROR,
    HANG,
    ILLEGAL_PARAMETER,
    NEGOTIATE,
    PROTOCOL_VERSION,
    UNEXPECTED_MESSAGE,
    WAITING,
    alerts,
)
from tlswire.fuzz.script import TLS12, records
from tlswire.wire.handshake import CLIENT_HELLO, encode_handshake

HEADER_SIZE = 4
# Where the fields of the modern hello end, from the first byte of its body.
SESSION_ID_END, COMPRESSION_END = 67, 101
MISREAD = alerts(DECODE_ERROR)
STRANGE = alerts(UNEXPECTED_MESSAGE)
# In clear where records are encrypted: of an unexpected type, or one that no key opens (RFC 9846 sections 5 and 6.2).
UNPROTECTED = alerts(UNEXPECTED_MESSAGE, BAD_RECORD_MAC)
CUT = "RFC 9846 6.2; RFC 5246 7.4.1.2"
EXTRA = "RFC 9846 4.2.2, 6.2 (RFC 8446 4.1.2, 6.2); RFC 5246 7.4.1.2"
TRUNCATING = {"clause": CUT, "history": "tlsfuzzer test-truncating-of-client-hello"}


def _length_by(difference: int) -> Made:
    return spoken(lambda message: _with_length(message, len(message) - HEADER_SIZE + difference))


def _with_length(message: bytes, length: int) -> bytes:
    return message[:1] + length.to_bytes(3, "big") + message[HEADER_SIZE:]


def _typed(kind: int) -> Made:
    return spoken(lambda message: bytes((kind,)) + message[1:])


def _body(size: int, base: str = MODERN) -> Made:
    """The body cut after ``size`` bytes (from the end where negative), its length true."""
    return spoken(lambda message: encode_handshake(CLIENT_HELLO, message[HEADER_SIZE:][:size]), base)


def _with_cookie(message: bytes) -> bytes:
    """The body as DTLS has it: an empty cookie behind the session id (RFC 6347 section 4.2.1)."""
    body = message[HEADER_SIZE:]
    return encode_handshake(CLIENT_HELLO, body[:SESSION_ID_END] + b"\0" + body[SESSION_ID_END:])


def _in_dtls_header(message: bytes) -> bytes:
    """The body behind the sequence number and fragment of a DTLS header (RFC 6347 section 4.2.2)."""
    body = message[HEADER_SIZE:]
    return encode_handshake(CLIENT_HELLO, bytes(5) + message[1:HEADER_SIZE] + body)


def _shorter_block(message: bytes) -> bytes:
    """The last extension without its last byte, whose own length alone was not told."""
    body = message[HEADER_SIZE:-1]
    length = len(body) - COMPRESSION_END - 2
    return encode_handshake(CLIENT_HELLO, body[:COMPRESSION_END] + length.to_bytes(2, "big") + body[103:])


rows = Rows("handshake", "RFC 9846 4")
_LENGTHS = (
    rows.free(
        "H01", "hs-len-plus1", "handshake length one more than the body (server must wait)", _length_by(1), WAITING
    ),
    rows.must(
        "H02",
        "hs-len-minus1",
        "handshake length one less than the body",
        _length_by(-1),
        alerts(DECODE_ERROR, UNEXPECTED_MESSAGE, ILLEGAL_PARAMETER),
        clause=EXTRA,
        history="TLS-Anvil XLF-RUoZsBa3n4",
    ),
    rows.must(
        "H03",
        "hs-len-0",
        "ClientHello with length 0, body follows",
        spoken(lambda message: _with_length(message, 0)),
        alerts(DECODE_ERROR, UNEXPECTED_MESSAGE),
        clause=CUT,
    ),
    rows.must("H04", "hs-empty-body", "ClientHello with an empty body", _body(0), MISREAD, clause=CUT),
    rows.free(
        "H05",
        "hs-len-ffffff",
        "handshake length 2^24-1",
        spoken(lambda message: _with_length(message, 0xFFFFFF)),
        WAITING,
        history="CVE-2016-6309 family; OpenSSL excessive message size",
    ),
)

_TYPES = tuple(
    rows.must(
        f"H{6 + place:02}",
        f"hs-type-{name}",
        f"handshake type {kind} instead of 1",
        _typed(kind),
        STRANGE,
        clause="RFC 9846 4; RFC 5246 7.4",
    )
    for place, (kind, name) in enumerate(
        (
            (0, "hello_request"),
            (2, "server_hello"),
            (4, "new_session_ticket"),
            (6, "hello_retry_request_RESERVED"),
            (11, "certificate"),
            (16, "client_key_exchange"),
            (20, "finished"),
            (24, "key_update"),
            (254, "message_hash"),
            (99, "unknown"),
        )
    )
)

_SIZES = (1, 2, 20, 34, 35, 36, 66, 67, 68, 69, 100, 150)
_CUTS = tuple(
    rows.must(
        f"H{16 + place}",
        f"trunc-at-{size}",
        f"hello body cut after {size} bytes, handshake and record lengths consistent",
        _body(size),
        MISREAD,
        **TRUNCATING,
    )
    for place, size in enumerate(_SIZES)
)

_MORE = (
    rows.must(
        "H28",
        "hs-trailing-zero",
        "one zero byte after the extensions block, lengths consistent",
        spoken(lambda message: encode_handshake(CLIENT_HELLO, message[HEADER_SIZE:] + b"\0")),
        MISREAD,
        clause=EXTRA,
        history="openssl #8293, #8300",
    ),
    rows.must(
        "H29",
        "hs-trailing-4k",
        "4096 bytes after the extensions block",
        spoken(lambda message: encode_handshake(CLIENT_HELLO, message[HEADER_SIZE:] + bytes(4096))),
        MISREAD,
        clause=EXTRA,
        history="openssl #8293, #8300",
    ),
    rows.must(
        "H30",
        "trunc-after-compression",
        "the modern hello's body cut behind the compression methods: a hello of TLS 1.2 without extensions",
        _body(COMPRESSION_END),
        NEGOTIATE,
        clause="RFC 9846 4.2.2 (RFC 8446 4.1.2); RFC 5246 7.4.1.2",
        version=TLS12,
        needs=("tls12", "rsa12"),
    ),
    rows.must(
        "H31",
        "trunc-in-block-length",
        "hello body cut inside the length of the extensions block",
        _body(COMPRESSION_END + 1),
        MISREAD,
        **TRUNCATING,
    ),
    rows.must(
        "H32",
        "trunc-behind-block-length",
        "hello body cut behind the length of the extensions block",
        _body(COMPRESSION_END + 2),
        MISREAD,
        **TRUNCATING,
    ),
    rows.must(
        "H33",
        "trunc-last-byte",
        "hello body without its last byte",
        _body(-1),
        MISREAD,
        **TRUNCATING,
    ),
    rows.must(
        "H34",
        "trunc-last-byte-12",
        "body of a TLS 1.2 hello without its last byte",
        _body(-1, OLDER),
        MISREAD,
        **TRUNCATING,
    ),
    rows.must(
        "H35",
        "trunc-in-last-extension",
        "hello without its last byte, extensions block consistent, length of the last extension not",
        spoken(_shorter_block),
        MISREAD,
        **TRUNCATING,
    ),
    rows.must(
        "H36",
        "hs-len-plus1-filled",
        "handshake length one more than the body; the byte comes in a second record",
        spoken(lambda message: _with_length(message, len(message) - HEADER_SIZE + 1) + b"\0"),
        MISREAD,
        clause=EXTRA,
    ),
    rows.free(
        "H37",
        "hs-len-plus-64k",
        "handshake length 2^16 more than the body",
        _length_by(1 << 16),
        WAITING,
        history="lengths read as 16 bits",
    ),
    rows.must(
        "H38",
        "hello-request-first",
        "an empty HelloRequest before the hello",
        before(handshake(bytes(4))),
        STRANGE,
        clause="RFC 9846 4; RFC 5246 7.4",
    ),
    rows.must(
        "H39",
        "end-of-early-data-first",
        "an empty EndOfEarlyData before the hello",
        before(handshake(b"\5\0\0\0")),
        STRANGE,
        clause="RFC 9846 4; RFC 5246 7.4",
    ),
    rows.must(
        "H40",
        "hello-request-behind",
        "a HelloRequest in clear behind the hello",
        behind(handshake(bytes(4), TLS12)),
        UNPROTECTED,
        clause="RFC 9846 4, 5, 6.2",
        needs=("tls13", "x25519"),
    ),
    rows.must(
        "H41",
        "finished-behind",
        "a Finished in clear behind the hello",
        behind(handshake(b"\x14\0\0\x20" + bytes(32), TLS12)),
        UNPROTECTED,
        clause="RFC 9846 4, 5, 6.2",
        needs=("tls13", "x25519"),
    ),
    rows.must(
        "H42",
        "hello-with-cookie-field",
        "the hello's body as in DTLS, with an empty cookie behind the session id",
        spoken(_with_cookie),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER),
        clause=CUT,
    ),
    rows.must(
        "H43",
        "hello-in-dtls-header",
        "the hello's body behind the rest of a DTLS handshake header",
        spoken(_in_dtls_header),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER, PROTOCOL_VERSION),
        clause="RFC 9846 4.2.2, 6.2 (RFC 8446 4.1.2, 6.2); RFC 5246 E.1",
    ),
    rows.must(
        "H44",
        "hs-empty-hellos",
        "two ClientHellos with empty bodies in one record before the hello",
        framed(lambda message: handshake(b"\1\0\0\0" * 2) + records(message)),
        alerts(DECODE_ERROR, UNEXPECTED_MESSAGE),
        clause=CUT,
    ),
    rows.free(
        "H45",
        "hs-header-alone",
        "a ClientHello's header without a body, and silence",
        framed(lambda message: handshake(message[:HEADER_SIZE])),
        (*ABORT, HANG),
        clause="RFC 9846 5.1",
    ),
)

CASES = (*_LENGTHS, *_TYPES, *_CUTS, *_MORE)
