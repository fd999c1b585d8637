"""``tlswire hello``: what the options put into a hello, and that --from changes nothing else."""

from __future__ import annotations

import re
import socket
from random import Random
from typing import TYPE_CHECKING

import pytest

from tlswire.errors import WireError
from tlswire.hello import edit
from tlswire.hello.builder import Shape, client_hello, encode_client_hello
from tlswire.lab.server import running
from tlswire.wire.extension_bodies import KeyShareEntry, ServerName
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import parse_server_hello
from tlswire.wire.messages import ClientHello, Extension
from tlswire.wire.records import HANDSHAKE, Deframer, Message, fragment
from tlswire.wire.sslv2 import SSLv2ClientHello

from .run import Outcome, one_line, refused, run

if TYPE_CHECKING:
    from pathlib import Path


def made(*arguments: str, stdin: bytes = b"") -> bytes:
    """The bytes of ``tlswire hello *arguments``."""
    outcome = run("hello", *arguments, stdin=stdin)
    assert (outcome.code, outcome.err) == (0, "")
    return bytes.fromhex(outcome.out)


def hello(*arguments: str, stdin: bytes = b"") -> ClientHello:
    value = edit.read_hello(made(*arguments, stdin=stdin)).hello
    assert isinstance(value, ClientHello)
    return value


def sslv2(*arguments: str) -> SSLv2ClientHello:
    value = edit.read_hello(made(*arguments)).hello
    assert isinstance(value, SSLv2ClientHello)
    return value


def records(data: bytes) -> list[tuple[int, int]]:
    """(version, length) of every record."""
    found, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        found.append((int.from_bytes(data[at + 1 : at + 3], "big"), length))
        at += 5 + length
    assert at == len(data)
    return found


# As odd as captured hellos get: GREASE, a duplicate, an unknown and an unreadable body, PSK last, uneven records.
ODD = ClientHello(
    legacy_version=0x0303,
    random=bytes(range(32)),
    session_id=bytes(range(7)),
    suites=(0x2A2A, 0x1301, 0xC02F, 0x1301, 0xFFFE),
    compression=(1, 0, 77),
    extensions=(
        Extension(0x3A3A, b""),
        Extension(0, encode_extension(0, (ServerName(0, b"old.example"), ServerName(9, b"other")))),
        Extension(51, encode_extension(51, (KeyShareEntry(0x4A4A, b"\0"), KeyShareEntry(0x001D, bytes(range(32)))))),
        Extension(43, encode_extension(43, (0x5A5A, 0x0304, 0x0303))),
        Extension(13, b"\xff\xff\x01"),
        Extension(0, encode_extension(0, (ServerName(0, b"second.example"),))),
        Extension(0xBEEF, b"\x00\xff"),
        Extension(41, encode_extension(0xBEEF, b"not really a PSK")),
    ),
)
ODD_MESSAGE = edit.Sample(ODD, "handshake").encode()
ODD_RECORDS = (
    fragment(HANDSHAKE, 0x0301, ODD_MESSAGE[:3])
    + fragment(HANDSHAKE, 0x0303, ODD_MESSAGE[3:60])
    + fragment(HANDSHAKE, 0x0300, ODD_MESSAGE[60:])
)


def changed(*arguments: str) -> tuple[ClientHello, Outcome]:
    outcome = run("hello", "--from", "-", *arguments, stdin=ODD_RECORDS)
    assert outcome.code == 0, outcome.err
    value = edit.read_hello(bytes.fromhex(outcome.out)).hello
    assert isinstance(value, ClientHello)
    return value, outcome


def differing(value: ClientHello) -> set[str]:
    return {name for name in ODD.__struct_fields__ if getattr(ODD, name) != getattr(value, name)}


def extensions(value: ClientHello) -> dict[int, bytes]:
    return {item.type: item.data for item in value.extensions or ()}


def test_the_default_is_what_a_client_of_today_offers() -> None:
    value = hello()
    assert value.versions == (0x0304, 0x0303)
    assert value.suites[0] == 0x1301
    assert {0xC02F, 0xC02B, 0x002F} < set(value.suites)
    assert value.groups[0] == 0x11EC
    assert value.key_shares == (0x001D, 0x0017)
    assert value.server_name is None
    assert made() == made() == made("--seed", "0") != made("--seed", "1")


def test_options_decide_the_parts() -> None:
    value = hello(
        *("--version", "TLS1.3", "--version", "1.2"),
        *("--suite", "ECDHE-RSA-AES128-GCM-SHA256:0x1302", "--suite", "TLS_AES_128_GCM_SHA256", "--suite", "0x9999"),
        *("--server-name", "a.example", "--alpn", "h2", "--alpn", "GREASE_0A0A"),
        *("--group", "x25519", "--group", "P-256", "--key-share", "secp256r1"),
        *("--scheme", "rsa_pss_rsae_sha256", "--scheme", "0xFFFF"),
    )  # fmt: skip
    assert value.versions == (0x0304, 0x0303)
    assert value.suites == (0xC02F, 0x1302, 0x1301, 0x9999)
    assert value.server_name == b"a.example"
    assert value.alpn == (b"h2", b"\x0a\x0a")
    assert value.groups == (0x001D, 0x0017)
    assert value.key_shares == (0x0017,)
    assert value.signature_schemes == (0x0804, 0xFFFF)


@pytest.mark.parametrize(
    ("versions", "legacy", "offered"),
    [
        (("SSLv3",), 0x0300, None),
        (("TLS1.0",), 0x0301, None),
        (("TLS1.2",), 0x0303, None),
        (("TLS1.3",), 0x0303, (0x0304,)),
        (("TLS1.2", "TLS1.1"), 0x0303, (0x0303, 0x0302)),
        (("1.3", "1.0"), 0x0303, (0x0304, 0x0301)),
        (("0x0305", "TLS 1.3 draft 28"), 0x0303, (0x0305, 0x7F1C)),
    ],
)
def test_versions(versions: tuple[str, ...], legacy: int, offered: tuple[int, ...] | None) -> None:
    data = made(*(part for version in versions for part in ("--version", version)))
    value = edit.read_hello(data).hello
    assert isinstance(value, ClientHello)
    assert value.legacy_version == legacy
    assert value.extension(43) == offered
    assert records(data)[0][0] == min(legacy, 0x0301)


def test_default_suites_and_shares_follow_what_is_asked_for() -> None:
    assert set(hello("--version", "TLS1.3").suites) == {0x1301, 0x1302, 0x1303}
    assert 0xC02F not in hello("--version", "TLS1.1").suites
    assert hello("--version", "SSLv3").suites == (0x002F, 0x0035, 0x000A)
    assert hello("--group", "X25519MLKEM768").key_shares == (0x11EC,)
    assert hello("--group", "secp384r1", "--group", "x25519").key_shares == (0x001D,)
    assert hello("--key-share", "none").extension(51) == ()


def test_what_is_named_is_there_even_where_it_makes_no_sense() -> None:
    value = hello("--version", "SSLv3", "--server-name", "a.example", "--key-share", "x25519")
    assert value.server_name == b"a.example"
    assert value.key_shares == (0x001D,)


def test_without_extensions_the_hello_ends_early() -> None:
    assert hello("--no-extensions").extensions is None
    assert 0x1301 not in hello("--no-extensions").suites
    value = hello("--no-extensions", "--version", "TLS1.3")
    assert (value.extensions, value.suites) == (None, (0x1301, 0x1302, 0x1303))


def test_sslv2() -> None:
    value = sslv2("--sslv2", "--suite", "RC4-MD5", "--suite", "0x0700C0")
    assert (value.version, value.kinds) == (0x0002, (0x010080, 0x0700C0))
    assert len(sslv2("--sslv2").kinds) == 7
    assert made("--version", "SSLv2") == made("--sslv2")


def test_sslv2_framed() -> None:
    value = sslv2("--sslv2-framed", "--version", "TLS1.0", "--suite", "AES128-SHA", "--suite", "0x010080")
    assert (value.version, value.kinds) == (0x0301, (0x002F, 0x010080))
    assert value.suites == (0x002F,)
    assert sslv2("--sslv2-framed").version == 0x0303


def test_records_as_asked_for() -> None:
    data = made("--record-version", "TLS1.2", "--record-size", "100")
    assert {version for version, _ in records(data)} == {0x0303}
    sizes = [size for _, size in records(data)]
    assert set(sizes[:-1]) == {100}
    assert len(sizes) == -(-sum(sizes) // 100)
    (message,) = Deframer().feed(data)
    assert message.body == Deframer().feed(made())[0].body
    assert all(size == 1 for _, size in records(made("--record-size", "1")))


@pytest.mark.parametrize("layer", ["record", "handshake", "body"])
def test_layers_and_back(layer: str) -> None:
    data = made("--layer", layer)
    assert made("--from", data.hex()) == data
    assert made("--from", data.hex(), "--layer", "record") == made()
    assert run("decode", stdin=data).code == 0


@pytest.mark.parametrize("form", ["hex", "raw", "dump", "c"])
def test_decode_reads_what_hello_writes(form: str) -> None:
    outcome = run("hello", "--format", form, "--server-name", "a\x1b[31m.example")
    assert (outcome.code, outcome.err) == (0, "")
    explained = run("decode", stdin=outcome.raw)
    assert explained.code == 0
    assert r"name  a\x1b[31m.example" in explained.out
    assert "\x1b" not in explained.out


def test_python_and_c_are_source() -> None:
    space: dict[str, bytes] = {}
    exec(run("hello", "--format", "python").out, space)
    assert space["CLIENT_HELLO"] == made()
    source = run("hello", "--format", "c").out
    assert source.startswith(f"static const unsigned char client_hello[{len(made())}] = {{\n")
    assert bytes(int(byte, 16) for byte in re.findall("0x[0-9a-f]{2}", source)) == made()


def test_output_goes_to_a_file(tmp_path: Path) -> None:
    raw, text = tmp_path / "hello.bin", tmp_path / "hello.hex"
    assert run("hello", "--output", raw) == Outcome(0, b"", "")
    assert run("hello", "--output", text, "--format", "hex").raw == b""
    assert raw.read_bytes() == made() == bytes.fromhex(text.read_text(encoding="ascii"))
    assert run("hello", "--output", "-").raw == made()
    assert "cannot be written: Is a directory" in refused(run("hello", "--output", tmp_path))


def test_host_names_become_a_labels_and_odd_ones_stay() -> None:
    assert hello("--server-name", "Bücher.example").server_name == b"xn--bcher-kva.example"
    assert hello("--server-name", "a\x1b]0;\x07 b").server_name == b"a\x1b]0;\x07 b"
    assert hello("--alpn", "\x00\x1b").alpn == (b"\x00\x1b",)


@pytest.mark.parametrize("version", ["TLS1.2", "TLS1.3"])
def test_a_server_answers(version: str) -> None:
    data = made("--version", version, "--server-name", "lab.example")
    with running("modern") as lab, socket.create_connection((lab.host, lab.port), 5) as connection:
        connection.sendall(data)
        deframer = Deframer()
        found: list[Message] = []
        while not found:
            found = deframer.feed(connection.recv(4096))
        answer = parse_server_hello(found[0].body)
    assert answer.version == {"TLS1.2": 0x0303, "TLS1.3": 0x0304}[version]


# --from


@pytest.mark.parametrize("data", [ODD_RECORDS, ODD_MESSAGE, ODD_MESSAGE[4:]], ids=["records", "message", "body"])
def test_an_unchanged_hello_is_the_same_bytes(data: bytes) -> None:
    assert made("--from", "-", stdin=data) == data


@pytest.mark.parametrize("seed", range(40))
def test_any_hello_in_any_records_is_the_same_bytes(seed: int) -> None:
    rng = Random(seed)
    pieces, left = [], edit.Sample(client_hello(0x0303 + seed % 2, (0x1301, 0xC02F), rng=rng), "handshake").encode()
    while left:
        size = rng.randint(1, len(left))
        pieces.append(fragment(HANDSHAKE, rng.randint(0, 0xFFFF), left[:size]))
        left = left[size:]
    data = b"".join(pieces)
    assert made("--from", "-", stdin=data) == data
    longer = made("--from", "-", "--server-name", "x" * 300, stdin=data)
    assert [version for version, _ in records(longer)][: len(pieces)] == [version for version, _ in records(data)]
    assert max(size for _, size in records(longer)[: len(pieces) - 1] or [(0, 0)]) <= max(s for _, s in records(data))
    assert hello("--from", "-", stdin=longer).server_name == b"x" * 300


def test_suites_are_replaced_alone() -> None:
    value, outcome = changed("--suite", "0x1302", "--suite", "AES128-SHA")
    assert value.suites == (0x1302, 0x002F)
    assert differing(value) == {"suites"}
    assert [version for version, _ in records(bytes.fromhex(outcome.out))] == [0x0301, 0x0303, 0x0300]


@pytest.mark.parametrize(
    ("arguments", "code", "body"),
    [
        (("--alpn", "h2"), 16, "0003026832"),
        (("--group", "x25519"), 10, "0002001d"),
        (("--scheme", "0x0403"), 13, "00020403"),
        (("--version", "TLS1.3"), 43, "020304"),
        (("--key-share", "x25519"), 51, "0024001d0020" + bytes(range(32)).hex()),
        (("--key-share", "none"), 51, "0000"),
    ],
)
def test_an_extension_is_replaced_in_place_or_added_before_the_psk(
    arguments: tuple[str, ...], code: int, body: str
) -> None:
    value, outcome = changed(*arguments)
    assert differing(value) == {"extensions"}
    assert extensions(value) == extensions(ODD) | {code: bytes.fromhex(body)}
    if code in ODD.extension_types:
        assert value.extension_types == ODD.extension_types
    else:
        assert value.extension_types == (*ODD.extension_types[:-1], code, 41)
    assert one_line(outcome) == "PSK binders of the hello are proof of its old bytes"


def test_the_server_name_is_replaced_and_other_names_stay() -> None:
    value, _ = changed("--server-name", "new.example")
    assert value.extension(0) == (ServerName(0, b"new.example"), ServerName(9, b"other"))
    types = list(ODD.extension_types)
    del types[5]  # the second server_name would still say the old one
    assert value.extension_types == tuple(types)


def test_a_version_without_supported_versions_is_only_the_legacy_one() -> None:
    old = made("--version", "TLS1.2", "--suite", "0xC02F")
    new = made("--from", "-", "--version", "TLS1.0", stdin=old)
    assert new == old[:9] + b"\x03\x01" + old[11:]


def test_no_extensions_a_new_random_and_new_records() -> None:
    assert changed("--no-extensions")[0].extensions is None
    value, _ = changed("--seed", "5")
    assert differing(value) == {"random", "session_id"}
    assert len(value.session_id) == len(ODD.session_id)
    _, outcome = changed("--record-size", "16384", "--record-version", "0x0303")
    assert bytes.fromhex(outcome.out) == fragment(HANDSHAKE, 0x0303, ODD_MESSAGE)
    assert outcome.err == ""


def test_what_stands_around_the_hello_is_counted_and_left_out() -> None:
    before, after = fragment(20, 0x0303, b"\x01"), b"\x17\x03\x03\x00\x02ab"
    outcome = run("hello", "--from", "-", stdin=before + ODD_RECORDS + after)
    assert bytes.fromhex(outcome.out) == ODD_RECORDS
    assert one_line(outcome) == "13 bytes before or after the hello are left out"
    refused(run("hello", "--from", "-", stdin=before))


def test_an_sslv2_hello_keeps_what_is_not_named() -> None:
    data = made("--sslv2-framed", "--suite", "AES128-SHA")
    assert made("--from", "-", stdin=data) == data
    value = edit.read_hello(made("--from", "-", "--suite", "RC4-SHA", "--version", "SSLv3", stdin=data)).hello
    assert isinstance(value, SSLv2ClientHello)
    assert (value.version, value.kinds) == (0x0300, (0x0005,))
    assert value.challenge == sslv2("--sslv2-framed").challenge
    assert "--alpn: an SSLv2 hello" in refused(run("hello", "--from", "-", "--alpn", "h2", stdin=data))


@pytest.mark.parametrize("size", range(0, len(ODD_RECORDS), 3))
def test_a_cut_hello_is_refused(size: int) -> None:
    says = refused(run("hello", "--from", "-", stdin=ODD_RECORDS[:size]))
    assert says == "stdin: is empty" if size == 0 else " at byte " in says


@pytest.mark.parametrize("seed", range(40))
def test_junk_is_refused(seed: int) -> None:
    rng = Random(seed)
    head = rng.choice(
        (b"\xff", b"\x16\x03\x01", b"\x80\x10\x01", b"\x01\x00", b"\x03\x03", b"\x16\x03\x01\x00\x05\x02")
    )
    assert refused(run("hello", "--from", "-", stdin=head + rng.randbytes(seed) + b"\x00"))


def test_only_client_hellos_are_taken() -> None:
    server = fragment(HANDSHAKE, 0x0303, b"\x02\x00\x00\x26\x03\x03" + bytes(33) + b"\xc0\x2f\x00")
    with pytest.raises(WireError, match="not a ClientHello"):
        edit.read_hello(server)
    with pytest.raises(WireError, match="3 bytes follow the ClientHello in its record"):
        edit.read_hello(fragment(HANDSHAKE, 0x0303, ODD_MESSAGE + b"\x00\x00\x00"))


def test_errors_in_a_single_record_count_from_the_first_byte() -> None:
    data = bytearray(encode_client_hello(client_hello(0x0303, (0xC02F,), rng=Random(0), shape=Shape())))
    data[43] = 33  # the session id may be 32 bytes long
    for before in (b"", fragment(20, 0x0303, b"\x01")):
        with pytest.raises(WireError) as caught:
            edit.read_hello(before + data)
        assert caught.value.offset == len(before) + 43
        assert "session_id" in caught.value.path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--version", "DTLS1.2"), "DTLS 1.2: hellos of DTLS cannot be built"),
        (("--version", "TLS9"), "not in the table of versions"),
        (("--version", "SSLv2", "--version", "TLS1.2"), "--version SSLv2: cannot be offered beside others"),
        (("--suite", "AES128-SHAH"), "did you mean TLS_RSA_WITH_AES_128_CBC_SHA"),
        (("--suite", "AES128-SHA::AES256-SHA"), "--suite: 'AES128-SHA::AES256-SHA': holds an empty name"),
        (("--suite", ""), "--suite: '': holds an empty name"),
        (("--suite", "0x010080"), "not in the table of cipher suites"),
        (("--sslv2", "--suite", "AES128-SHA\x1b[2J"), r"'AES128-SHA\x1b[2J': not in the table of sslv2 ciphers"),
        (("--sslv2", "--server-name", "a"), "--server-name: an SSLv2 hello has neither"),
        (("--sslv2-framed", "--record-size", "5"), "--record-size: an SSLv2 hello has neither"),
        (("--sslv2", "--record-version", "0x0000"), "--record-version: an SSLv2 hello has neither"),
        (("--sslv2", "--from", "16"), "--from: keeps the form of its hello"),
        (("--no-extensions", "--alpn", "h2"), "--alpn: --no-extensions leaves no place for it"),
        (("--group", "x25591"), "did you mean x25519"),
        (("--server-name", ""), "server_name.[0].name: 0 bytes are outside"),
        (("--server-name", "x" * 70_000), "70000 bytes are outside"),
        (("--server-name", "bü cher.example"), "is no host name"),
        (("--alpn", "x" * 256), "256 bytes are outside 1..255"),
        (("--record-size", "0"), "'--record-size'"),
        (("--from", "no-such-file"), "no-such-file: is neither a file nor hex"),
        (("--output", "a\x00b"), "--output: a\\x00b: cannot be written"),
        (("--format", "yaml"), "'--format'"),
        (("surplus",), "surplus"),
    ],
)
def test_wrong_usage_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(run("hello", *arguments))
