"""Cases of what is no TLS hello in records: SSLv2 framing, other protocols, silence, and what comes with a hello's end.

Sources: RFC 9846 sections 5, 6.1 and E.5 (RFC 8446 D.5), RFC 5246 appendix E.2, RFC 6176, RFC 7507.
Must not import anything of tlswire but ``fuzz`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.fuzz.cases.framing import FATAL, alert, before, behind, framed, handshake, record
from tlswire.fuzz.cases.rows import MODERN, Made, Rows
from tlswire.fuzz.model import (
    ABORT,
    ANYTHING,
    HANG,
    INAPPROPRIATE_FALLBACK,
    NEGOTIATE,
    NO_TLS,
    UNEXPECTED_MESSAGE,
    WAITING,
    alerts,
)
from tlswire.fuzz.script import SUITES12, TLS12, Script, records
from tlswire.wire.records import HANDSHAKE, HEADER, sslv2_record
from tlswire.wire.sslv2 import CLIENT_HELLO, SERVER_HELLO

if TYPE_CHECKING:
    from tlswire.fuzz.script import Ground

RENEGOTIATION_SCSV, FALLBACK_SCSV = 0x00FF, 0x5600
SSLV2_KINDS = (0x010080, 0x020080, 0x030080, 0x040080, 0x060040, 0x0700C0)
V2 = "RFC 5246 E.2; RFC 6176 3; RFC 9846 E.5 (RFC 8446 D.5)"
NOT_RECORDS = "RFC 9846 5; RFC 5246 6"
ACCEPTS_V2 = ("sslv2-hello",)
REFUSED = (*ABORT, HANG)  # what takes no SSLv2 record may wait for the end of the TLS record it sees in it


def _v2(
    ground: Ground,
    version: int,
    *,
    kinds: tuple[int, ...] = (*SUITES12, RENEGOTIATION_SCSV),
    specs: bytes | None = None,
    session_id: bytes = b"",
    challenge: int = 32,
    more: int = 0,
    kind: int = CLIENT_HELLO,
) -> bytes:
    """The SSLv2 CLIENT-HELLO of RFC 5246 E.2; ``more`` is what every length says beyond the truth."""
    specs = b"".join(code.to_bytes(3, "big") for code in kinds) if specs is None else specs
    random = ground.random("sslv2 challenge").randbytes(challenge)
    lengths = b"".join((len(field) + more).to_bytes(2, "big") for field in (specs, session_id, random))
    return bytes((kind,)) + version.to_bytes(2, "big") + lengths + specs + session_id + random


def _sslv2(version: int, *, cuts: tuple[int, ...] = (), **fields: object) -> Made:
    pause = 0.03 if cuts else 0.0
    return Made(
        MODERN,
        lambda ground: Script(sslv2_record(_v2(ground, version, **fields)), cuts=cuts, pause=pause),  # type: ignore[arg-type]  # as _v2 has them
    )


def _long_header(padding: int) -> Made:
    """The hello behind the three-byte header, whose third byte tells of padding (SSL 0.2 draft, section 1.1)."""

    def make(ground: Ground) -> Script:
        data = _v2(ground, TLS12) + bytes(padding)
        return Script(len(data).to_bytes(2, "big") + bytes((padding,)) + data)

    return Made(MODERN, make)


def _plain(data: bytes, **more: object) -> Made:
    return Made(MODERN, lambda _: Script(data, **more))  # type: ignore[arg-type]  # fields of a Script


def _random(ground: Ground) -> Script:
    return Script(b"\xa5" + ground.random("foreign").randbytes(1023))


def _dtls(message: bytes) -> bytes:
    """A DTLS 1.2 record with the hello as its first message (RFC 6347 sections 4.1 and 4.2.2)."""
    body = message[4:]
    inner = message[:4] + bytes(2) + bytes(3) + message[1:4] + body
    return bytes((HANDSHAKE,)) + b"\xfe\xfd" + bytes(8) + len(inner).to_bytes(2, "big") + inner


PROXY_V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n"
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes((192, 0, 2, 1, 192, 0, 2, 2)) + b"\xc8\x22\x01\xbb"
SERVER_HELLO_BODY = b"\3\3" + bytes(32) + b"\0\x13\x01\0\0\6\0\x2b\0\2\3\4"

rows = Rows("foreign", NOT_RECORDS)
_SSLV2 = (
    rows.may(
        "F01",
        "sslv2-compat-33",
        "SSLv2-format hello offering 3.3",
        _sslv2(TLS12),
        WAITING,
        clause=V2,
        history="TLS-Anvil 6176; tlsfuzzer test-sslv2hello-protocol",
    ),
    rows.may("F02", "sslv2-compat-31", "SSLv2-format hello offering 3.1", _sslv2(0x0301), WAITING, clause=V2),
    rows.must(
        "F03",
        "sslv2-only",
        "SSLv2 hello, version 0.2, SSLv2 ciphers",
        _sslv2(0x0002, kinds=SSLV2_KINDS, challenge=16),
        REFUSED,
        clause="RFC 6176 3; RFC 9846 E.5 (RFC 8446 D.5)",
        history="DROWN; tlsfuzzer test-sslv2-connection",
    ),
    rows.must(
        "F04",
        "sslv2-len-lie",
        "SSLv2 hello with lengths beyond the record",
        _sslv2(TLS12, more=1000),
        REFUSED,
        clause="RFC 5246 E.2, 7.2.2",
        history="CVE-2016-0703 family",
    ),
    *(
        rows.free(
            id_,
            f"sslv2-{name}",
            f"SSLv2-format hello {said}",
            _long_header(padding),
            WAITING,
            clause="RFC 5246 E.2",
        )
        for id_, name, said, padding in (
            ("F19", "3-byte-header", "behind a three-byte header", 0),
            ("F20", "padded", "behind a three-byte header with 8 bytes of padding", 8),
        )
    ),
    rows.must(
        "F21",
        "sslv2-specs-not-3",
        "SSLv2-format hello with cipher specs of 35 bytes, no multiple of 3",
        _sslv2(TLS12, specs=bytes((0, 0xC0, 0x2F)) * 11 + b"\0\xc0"),
        REFUSED,
        clause="RFC 5246 E.2",
    ),
    rows.must(
        "F22",
        "sslv2-no-specs",
        "SSLv2-format hello without cipher specs",
        _sslv2(TLS12, specs=b""),
        REFUSED,
        clause="RFC 5246 E.2",
    ),
    *(
        rows.free(
            id_, f"sslv2-{name}", f"SSLv2-format hello {said}", _sslv2(TLS12, **fields), WAITING, clause="RFC 5246 E.2"
        )
        for id_, name, said, fields in (
            ("F23", "challenge-15", "with a challenge of 15 bytes", {"challenge": 15}),
            ("F24", "challenge-33", "with a challenge of 33 bytes", {"challenge": 33}),
            ("F25", "no-challenge", "without a challenge", {"challenge": 0}),
            ("F26", "session-id", "with a session id of 16 bytes", {"session_id": bytes(range(16))}),
            ("F27", "mixed-kinds", "with SSLv2's kinds before the suites", {"kinds": (*SSLV2_KINDS, *SUITES12)}),
        )
    ),
    rows.must(
        "F28",
        "sslv2-compat-34",
        "SSLv2-format hello offering 3.4",
        _sslv2(0x0304, kinds=(0x1301, 0x1302, *SUITES12)),
        WAITING,
        clause="RFC 9846 E.5 (RFC 8446 D.5)",
        version=TLS12,
    ),
    rows.must(
        "F29",
        "sslv2-compat-30",
        "SSLv2-format hello offering 3.0",
        _sslv2(0x0300),
        REFUSED,
        clause="RFC 7568 3; RFC 9846 E.5 (RFC 8446 D.5)",
    ),
    rows.must(
        "F30",
        "sslv2-fallback-scsv",
        "SSLv2-format hello offering 3.3 with TLS_FALLBACK_SCSV to a TLS 1.3 server",
        _sslv2(TLS12, kinds=(*SUITES12, FALLBACK_SCSV)),
        alerts(INAPPROPRIATE_FALLBACK),
        clause="RFC 7507 3",
        needs=("sslv2-hello", "tls13"),
    ),
    rows.must(
        "F31",
        "sslv2-split",
        "SSLv2-format hello offering 3.3 in TCP segments of its first bytes",
        _sslv2(TLS12, cuts=(1, 2, 3, 5)),
        NEGOTIATE,
        clause="RFC 9293 3.8; RFC 5246 E.2",
        version=TLS12,
        needs=("sslv2-hello", "tls12"),
    ),
    rows.must(
        "F32",
        "sslv2-server-hello",
        "SSLv2 SERVER-HELLO",
        _sslv2(0x0002, kinds=SSLV2_KINDS, kind=SERVER_HELLO),
        REFUSED,
        clause="RFC 6176 3",
    ),
    rows.free(
        "F33",
        "sslv2-in-tls-record",
        "SSLv2-format hello in a TLS handshake record",
        Made(MODERN, lambda ground: Script(records(_v2(ground, TLS12)))),
        REFUSED,
        clause="RFC 9846 4",
    ),
    rows.free(
        "F34",
        "sslv2-then-tls",
        "SSLv2-format hello offering 3.3, and the TLS hello behind it",
        Made(
            MODERN, lambda ground: Script(sslv2_record(_v2(ground, TLS12)) + before().make(ground).payload, tail=True)
        ),
        WAITING,
        clause="RFC 5246 E.2",
    ),
)

_OTHERS = (
    *(
        rows.free(id_, name, said, _plain(data), NO_TLS)
        for id_, name, said, data in (
            ("F05", "http-get", "plaintext HTTP GET", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("F06", "ssh-banner", "SSH banner", b"SSH-2.0-OpenSSH_9.6\r\n"),
            ("F08", "zeros-64k", "64 KB of zeros", bytes(1 << 16)),
            ("F35", "smtp-ehlo", "SMTP EHLO and STARTTLS", b"EHLO localhost\r\nSTARTTLS\r\n"),
            ("F36", "postgres-ssl-request", "PostgreSQL's SSLRequest", bytes.fromhex("0000000804d2162f")),
            ("F37", "http2-preface", "HTTP/2 connection preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
            ("F38", "socks5-greeting", "SOCKS5 greeting", b"\5\1\0"),
        )
    ),
    rows.free("F07", "random-1k", "1 KB of fixed random bytes", Made(MODERN, _random), NO_TLS),
    rows.free("F09", "dtls-hello", "DTLS 1.2 record", framed(_dtls), NO_TLS, clause="RFC 9846 5.1; RFC 6347 4.1"),
    rows.free("F10", "proxy-v1", "PROXY protocol line then hello", before(PROXY_V1), (*NO_TLS, *NEGOTIATE)),
    rows.free("F39", "proxy-v2", "PROXY protocol version 2 header then hello", before(PROXY_V2), (*NO_TLS, *NEGOTIATE)),
    rows.free(
        "F40",
        "http-connect",
        "HTTP CONNECT then hello",
        before(b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n"),
        NO_TLS,
    ),
    rows.must(
        "F16",
        "server-hello-to-server",
        "a ServerHello record",
        _plain(handshake(b"\2\0\0" + bytes((len(SERVER_HELLO_BODY),)) + SERVER_HELLO_BODY)),
        alerts(UNEXPECTED_MESSAGE),
        clause="RFC 9846 4; RFC 5246 7.4",
    ),
)

_ENDS = (
    rows.free("F11", "fin-at-once", "connect and half-close", _plain(b"", fin=True), REFUSED, clause="RFC 9846 6.1"),
    rows.free(
        "F12",
        "rec-header-then-fin",
        "5-byte record header then FIN",
        _plain(HEADER.pack(HANDSHAKE, 0x0301, 250), fin=True),
        REFUSED,
        clause="RFC 9846 6.1",
    ),
    rows.free(
        "F13",
        "half-hello-then-fin",
        "half of a hello then FIN",
        framed(lambda message: records(message)[:130], fin=True),
        REFUSED,
        clause="RFC 9846 6.1",
    ),
    rows.free(
        "F14",
        "hello-then-fin",
        "complete hello then FIN",
        framed(records, fin=True),
        ANYTHING,
        clause="RFC 9846 6.1",
    ),
    rows.free(
        "F15",
        "one-byte-0x16",
        "single byte 0x16 and silence",
        _plain(b"\x16"),
        REFUSED,
        clause="RFC 9846 5.1",
    ),
    rows.free(
        "F17",
        "hello-then-close-notify",
        "complete hello followed at once by close_notify",
        behind(alert(0, version=TLS12)),
        ANYTHING,
        clause="RFC 9846 6.1; RFC 5246 7.2.1",
        history="RUSTSEC-2024-0336",
    ),
    rows.free(
        "F18",
        "hello-then-fatal-alert",
        "complete hello followed by a fatal alert",
        behind(alert(40, FATAL, TLS12)),
        ANYTHING,
        clause="RFC 9846 6.2",
    ),
    rows.free(
        "F41",
        "alert-header-then-fin",
        "header of an alert record then FIN",
        _plain(record(21, b"")[:3] + b"\0\2", fin=True),
        REFUSED,
        clause="RFC 9846 6.1",
    ),
)

CASES = (*_SSLV2, *_OTHERS, *_ENDS)
