"""Handshake bodies: the laws for every row of every table, the named views, and hellos out of real captures."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlswire.errors import WireError
from tlswire.registry import EXTENSIONS, SUITES
from tlswire.wire.cursor import trace
from tlswire.wire.extension_bodies import KeyShareEntry, ServerName
from tlswire.wire.extensions import decode_extension, encode_extension
from tlswire.wire.handshake import (
    BODIES,
    CLIENT_HELLO_BODY,
    HANDSHAKE_MESSAGE,
    HANDSHAKE_STREAM,
    SERVER_HELLO_BODY,
    Extensions,
    body_grammar,
    encode_handshake,
    parse_client_hello,
    parse_server_hello,
    server_key_exchange,
)
from tlswire.wire.messages import (
    HRR_RANDOM,
    CertificateEntry,
    ClientHello,
    DheParams,
    EcdheParams,
    EcParameters,
    EncryptedExtensions,
    Extension,
    Handshake,
    ServerHello,
    ServerKeyExchange,
    Signature12,
)
from tlswire.wire.primitives import Grammar, Rest, build, parse

from .laws import check, check_bytes
from .values import as_retry, values

LAWS = settings(
    max_examples=10, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

ROWS = [(kind, oldest) for kind, versions in BODIES.items() for oldest, _ in versions]

# Bodies some of whose strict prefixes parse, and why.
OPEN_ENDS: dict[int, str] = {
    1: "extensions may be absent altogether (RFC 5246 section 7.4.1.2)",
    2: "extensions may be absent altogether (RFC 5246 section 7.4.1.3)",
    16: "what the client sends depends on the suite; its body is kept as sent",
    20: "verify_data has no length of its own (RFC 9846 section 4.5.3)",
}


def _key_exchanges() -> dict[str, Grammar]:
    """One grammar for each kind of ServerKeyExchange and version, named by the first suite that uses it."""
    found: dict[str, Grammar] = {}
    seen = set()
    for row in SUITES:
        for version in (0x0301, 0x0303):
            kind = (row.kex, row.auth, version)
            if kind in seen:
                continue
            seen.add(kind)
            with contextlib.suppress(WireError):  # that it is no more than intended is asserted below
                found[f"{row.name}-{version:04x}"] = server_key_exchange(row.code, version)
    return found


KEY_EXCHANGES = _key_exchanges()


@pytest.mark.parametrize(("kind", "version"), ROWS)
@LAWS
@given(data=st.data())
def test_laws_of_bodies(kind: int, version: int, data: st.DataObject) -> None:
    check(body_grammar(kind, version), data, open_end=kind in OPEN_ENDS)


@pytest.mark.parametrize("name", KEY_EXCHANGES)
@LAWS
@given(data=st.data())
def test_laws_of_server_key_exchange(name: str, data: st.DataObject) -> None:
    check(KEY_EXCHANGES[name], data, open_end=False)


@LAWS
@given(st.data())
def test_laws_of_messages(data: st.DataObject) -> None:
    check(HANDSHAKE_MESSAGE, data, open_end=False)
    check(HANDSHAKE_STREAM, data, open_end=True)
    check(Extensions("ch"), data, open_end=False)


@LAWS
@given(st.data())
def test_laws_of_hello_retry_request(data: st.DataObject) -> None:
    retry = as_retry(data.draw(values(SERVER_HELLO_BODY)))
    encoded = build(SERVER_HELLO_BODY, retry)
    assert parse_server_hello(encoded) == retry
    assert (retry.is_retry, retry.message) == (True, "hrr")
    check_bytes(SERVER_HELLO_BODY, encoded[: data.draw(st.integers(34, len(encoded)))])


def test_every_key_exchange_of_the_registry_is_covered() -> None:
    assert len(KEY_EXCHANGES) > 20
    used = {SUITES.find(name.rpartition("-")[0]).kex for name in KEY_EXCHANGES}
    assert used == {"DH", "DHE", "ECDH", "ECDHE", "PSK", "RSA", "SRP"}


# One suite a form of the message: suite, version, hex, value.
KEY_EXCHANGE_VECTORS = [
    (
        0xC02F,
        0x0303,
        "03 001d 02 aabb 0804 0001 cc",
        ServerKeyExchange(
            params=EcdheParams(EcParameters(3, 0x001D), b"\xaa\xbb"), signature=Signature12(0x0804, b"\xcc")
        ),
    ),
    (
        0xC013,
        0x0301,
        "03 0017 01 04 0001 cc",
        ServerKeyExchange(params=EcdheParams(EcParameters(3, 0x0017), b"\x04"), signature=b"\xcc"),
    ),
    (0xC018, 0x0303, "03 0017 01 04", ServerKeyExchange(params=EcdheParams(EcParameters(3, 0x0017), b"\x04"))),
    (0x0034, 0x0303, "0001 17 0001 02 0001 05", ServerKeyExchange(params=DheParams(b"\x17", b"\x02", b"\x05"))),
    (0x008C, 0x0303, "0002 6869", ServerKeyExchange(hint=b"hi")),
    (
        0x00AA,
        0x0303,
        "0000 0001 17 0001 02 0001 05",
        ServerKeyExchange(hint=b"", params=DheParams(b"\x17", b"\x02", b"\x05")),
    ),
]


@pytest.mark.parametrize(("suite", "version", "text", "value"), KEY_EXCHANGE_VECTORS)
def test_server_key_exchange_vector(suite: int, version: int, text: str, value: ServerKeyExchange) -> None:
    grammar = server_key_exchange(suite, version)
    assert parse(grammar, bytes.fromhex(text)) == value
    assert build(grammar, value) == bytes.fromhex(text)


def test_body_grammar_depends_on_the_version() -> None:
    assert len({body_grammar(13, version) for version in (0x0300, 0x0301, 0x0303, 0x0304)}) == 3
    assert body_grammar(11, 0x0303) is not body_grammar(11, 0x0304)
    assert body_grammar(15, 0x0302) is not body_grammar(15, 0x0303)
    assert isinstance(body_grammar(99), Rest)
    assert isinstance(body_grammar(12, 0x0303, 0x1301), Rest)


HELLO = ClientHello(
    0x0303,
    bytes(range(32)),
    b"",
    (0x1301, 0xC02F),
    (0,),
    (
        Extension(0, encode_extension(0, (ServerName(1, b"no"), ServerName(0, b"example.com")))),
        Extension(10, encode_extension(10, (0x001D, 0x0017))),
        Extension(11, encode_extension(11, (0,))),
        Extension(13, encode_extension(13, (0x0403,))),
        Extension(16, encode_extension(16, (b"h2", b"http/1.1"))),
        Extension(43, encode_extension(43, (0x0304, 0x0303))),
        Extension(51, encode_extension(51, (KeyShareEntry(0x001D, bytes(32)),))),
        Extension(0x2A2A, b"\0"),
        Extension(10, b""),
    ),
)


def test_named_views_of_a_client_hello() -> None:
    assert HELLO.server_name == b"example.com"
    assert HELLO.groups == (0x001D, 0x0017)
    assert HELLO.point_formats == (0,)
    assert HELLO.signature_schemes == (0x0403,)
    assert HELLO.alpn == (b"h2", b"http/1.1")
    assert HELLO.versions == (0x0304, 0x0303)
    assert HELLO.key_shares == (0x001D,)
    assert HELLO.extension_types == (0, 10, 11, 13, 16, 43, 51, 0x2A2A, 10)
    assert HELLO.raw_extension(0x2A2A) == b"\0"
    assert HELLO.extension(99) is None


def test_views_of_a_bare_or_broken_hello_are_empty() -> None:
    bare = ClientHello(0x0301, bytes(32), b"", (0x002F,), (0,))
    assert (bare.server_name, bare.groups, bare.alpn, bare.key_shares) == (None, (), (), ())
    assert bare.versions == (0x0301, 0x0300)
    assert bare.extension_types == ()
    broken = ClientHello(
        0x0303, bytes(32), b"", (1,), (0,), tuple(Extension(code, b"\xff") for code in (0, 10, 16, 43, 51))
    )
    assert (broken.server_name, broken.groups, broken.alpn, broken.key_shares) == (None, (), (), ())
    assert broken.versions == (0x0303, 0x0302, 0x0301, 0x0300)
    with pytest.raises(WireError):
        broken.extension(10)


def test_no_extensions_differ_from_an_empty_block() -> None:
    absent = build(CLIENT_HELLO_BODY, ClientHello(0x0303, bytes(32), b"", (1,), (0,)))
    empty = build(CLIENT_HELLO_BODY, ClientHello(0x0303, bytes(32), b"", (1,), (0,), ()))
    assert empty == absent + b"\0\0"
    assert parse_client_hello(absent).extensions is None
    assert parse_client_hello(empty).extensions == ()


def test_named_views_of_a_server_hello() -> None:
    tls13 = ServerHello(
        0x0303,
        bytes(32),
        b"",
        0x1301,
        0,
        (Extension(43, b"\x03\x04"), Extension(51, encode_extension(51, KeyShareEntry(29, b"x"), "sh"))),
    )
    assert (tls13.version, tls13.group, tls13.alpn, tls13.is_retry) == (0x0304, 29, None, False)
    tls12 = ServerHello(0x0303, bytes(32), b"", 0xC02F, 0, (Extension(16, encode_extension(16, (b"h2",), "sh")),))
    assert (tls12.version, tls12.group, tls12.alpn) == (0x0303, None, b"h2")
    retry = ServerHello(0x0303, HRR_RANDOM, b"", 0x1301, 0, (Extension(51, b"\x00\x17"), Extension(43, b"\x03\x04")))
    assert (retry.group, retry.is_retry, retry.version) == (0x0017, True, 0x0304)
    assert parse_server_hello(build(SERVER_HELLO_BODY, retry)) == retry


def test_every_message_knows_its_column() -> None:
    assert CertificateEntry(b"x", ()).message == "ct"
    assert EncryptedExtensions((Extension(16, b"\x00\x03\x02h2"),)).extension(16) == (b"h2",)


def test_handshake_header() -> None:
    assert encode_handshake(14, b"") == bytes.fromhex("0e000000")
    assert parse(HANDSHAKE_STREAM, bytes.fromhex("0e000000 14000001 ff")) == (
        Handshake(14, b""),
        Handshake(20, b"\xff"),
    )


@pytest.mark.parametrize(
    ("cut", "path"),
    [
        (1, "client_hello.legacy_version"),
        (33, "client_hello.random"),
        (34, "client_hello.session_id"),
        (38, "client_hello.suites"),
        (42, "client_hello.compression"),
        (44, "client_hello.extensions"),
        (60, "client_hello.extensions"),
    ],
)
def test_cut_hello_names_the_field(cut: int, path: str) -> None:
    with pytest.raises(WireError) as caught:
        parse_client_hello(build(CLIENT_HELLO_BODY, HELLO)[:cut], 9)
    assert caught.value.path == path
    assert caught.value.offset is not None
    assert 9 <= caught.value.offset <= 9 + cut


def test_extension_that_lies_about_its_length() -> None:
    with pytest.raises(WireError) as caught:
        parse(Extensions("ch"), bytes.fromhex("0009 0017 0000 000a 0002 ff"), "extensions")
    assert (caught.value.path.replace(".[", "["), caught.value.offset) == ("extensions[1]", 8)
    with pytest.raises(WireError) as caught:
        parse(Extensions("ch"), bytes.fromhex("0005 0017 0000 ff"), "extensions")
    assert (caught.value.path.replace(".[", "["), caught.value.offset) == ("extensions[1]", 6)


def test_trace_of_a_cut_block_shows_the_extensions_before_the_cut() -> None:
    node = trace(Extensions("ch"), bytes.fromhex("0020 0017 0000 000a 0004 0002 001d 002b 0009"), "extensions")
    assert [child.name for child in node.children] == ["0x0017 extended_master_secret", "0x000A supported_groups"]
    assert node.error


def test_extension_too_long_is_refused() -> None:
    with pytest.raises(WireError):
        build(Extensions("ch"), (Extension(1, bytes(0x10000)),))


CAPTURES = Path(__file__).parents[3] / "shared" / "captures"
HELLO_RECORD = re.compile(rb"\x16\x03[\x00-\x04]..([\x01\x02])\x00(..)\x03[\x00-\x04]", re.DOTALL)

# Captures whose hellos do not stand in one piece, or are broken on purpose.
NOT_WHOLE: dict[str, str] = {
    "dump_mtu300.pcap": "packet headers stand between the pieces of a hello",
    "tls3-snap200.pcap": "packets were cut after 200 bytes",
    "tls_cipher_lens.pcap": "lengths of the suites lie on purpose",
}

# Bodies in those captures that are not what their code point means today: extension, reason.
FOREIGN: dict[str, str] = {
    "cookie": "a draft of TLS 1.3 used another code point for supported_versions",
    "pre_shared_key": "sent empty by a scanner, and with an empty identity by a test client",
    "tls_cert_with_extern_psk": "a test client sends every extension with a body of zeros",
}


def _captured() -> list[tuple[str, Grammar, bytes]]:
    found = {}
    for path in sorted(CAPTURES.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        for match in HELLO_RECORD.finditer(data):
            start = match.start() + 9
            body = data[start : start + int.from_bytes(match[2], "big")]
            found[match[1], body] = (path.name, CLIENT_HELLO_BODY if match[1] == b"\x01" else SERVER_HELLO_BODY, body)
    return list(found.values())


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the third-party captures are not beside the repository")
def test_hellos_of_real_captures_are_lossless() -> None:
    whole = 0
    for name, grammar, body in _captured():
        try:
            hello = parse(grammar, body)
        except WireError:
            assert name in NOT_WHOLE, name
            continue
        whole += 1
        assert build(grammar, hello) == body
        for item in hello.extensions or ():
            try:
                value = decode_extension(item.type, item.data, hello.message)
            except WireError:
                assert name in NOT_WHOLE or EXTENSIONS[item.type].name in FOREIGN, (name, item)
            else:
                assert encode_extension(item.type, value, hello.message) == item.data
    assert whole > 300
