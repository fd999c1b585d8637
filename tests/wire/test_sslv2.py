"""SSLv2 messages: laws, a hello as OpenSSL 0.9.8 sends it, and lengths that lie."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.errors import WireError
from tlswire.registry import SSLV2_KINDS
from tlswire.wire.cursor import trace
from tlswire.wire.primitives import build
from tlswire.wire.records import SSLV2, Deframer, sslv2_record
from tlswire.wire.sslv2 import (
    CLIENT_HELLO,
    ERROR,
    SERVER_HELLO,
    SSLV2_BODIES,
    SSLv2ClientHello,
    SSLv2Error,
    SSLv2ServerHello,
    parse_sslv2_client_hello,
    parse_sslv2_server_hello,
)

from .laws import check

HELLO = SSLv2ClientHello(0x0002, tuple(row.code for row in SSLV2_KINDS), b"", b"\x5a" * 16)
ANSWER = SSLv2ServerHello(0, 1, 0x0002, b"\x30\x82", (0x010080, 0x0700C0), b"\xa5" * 16)


@pytest.mark.parametrize("kind", SSLV2_BODIES)
@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(data=st.data())
def test_laws(kind: int, data: st.DataObject) -> None:
    check(SSLV2_BODIES[kind], data, open_end=False)


def test_client_hello_on_the_wire() -> None:
    body = build(SSLV2_BODIES[CLIENT_HELLO], HELLO)
    assert body[:8] == bytes.fromhex(f"0002 {3 * len(HELLO.kinds):04x} 0000 0010")
    assert body[8:11] == HELLO.kinds[0].to_bytes(3, "big")
    assert parse_sslv2_client_hello(body) == HELLO
    (message,) = Deframer().feed(sslv2_record(bytes([CLIENT_HELLO]) + body))
    assert (message.content, message.type) == (SSLV2, CLIENT_HELLO)
    assert parse_sslv2_client_hello(message.body, message.offset + 1) == HELLO


def test_hello_that_offers_tls_in_an_sslv2_record() -> None:
    # RFC 5246 appendix E.2: TLS suites are kinds that begin with a zero byte.
    hello = parse_sslv2_client_hello(bytes.fromhex("0301 0009 0000 0010 00c02f 000035 0700c0") + bytes(16))
    assert hello.version == 0x0301
    assert hello.suites == (0xC02F, 0x0035)
    assert hello.kinds == (0xC02F, 0x0035, 0x0700C0)


def test_server_hello_on_the_wire() -> None:
    body = build(SSLV2_BODIES[SERVER_HELLO], ANSWER)
    assert body == bytes.fromhex("00 01 0002 0002 0006 0010 3082 010080 0700c0") + b"\xa5" * 16
    assert parse_sslv2_server_hello(body) == ANSWER


def test_error_has_a_name_when_the_draft_gives_one() -> None:
    assert build(SSLV2_BODIES[ERROR], SSLv2Error(1)) == b"\0\1"
    assert (SSLv2Error(1).name, SSLv2Error(9).name) == ("no_cipher", "9")


@pytest.mark.parametrize(
    ("text", "path", "offset"),
    [
        ("0002 0003 0000", "sslv2_client_hello.challenge_length", 6),
        ("0002 0004 0000 0000 010080 01", "sslv2_client_hello.kinds[1]", 11),
        ("0002 0003 0000 0010 010080 ffff", "sslv2_client_hello.challenge", 11),
        ("0002 0003 0000 0001 010080 ffff", "sslv2_client_hello", 12),
    ],
)
def test_lengths_that_lie(text: str, path: str, offset: int) -> None:
    with pytest.raises(WireError) as caught:
        parse_sslv2_client_hello(bytes.fromhex(text), 50)
    assert caught.value.path.replace(".[", "[") == path
    assert caught.value.offset == 50 + offset


def test_field_too_long_for_its_length_is_refused() -> None:
    with pytest.raises(WireError) as caught:
        build(SSLV2_BODIES[CLIENT_HELLO], SSLv2ClientHello(2, (), b"", bytes(0x10000)))
    assert "challenge_length" in caught.value.path


def test_trace_names_the_kinds() -> None:
    body = bytes.fromhex("0301 0006 0000 0000 00002f 0700c0")
    kinds = trace(SSLV2_BODIES[CLIENT_HELLO], body, "hello").children[4]
    assert kinds.name == "kinds"
    assert [child.text for child in kinds.children] == [
        "0x00002F TLS_RSA_WITH_AES_128_CBC_SHA",
        "0x0700C0 SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
    ]
