"""The tree of anything: recognition, offsets of the input, bad bytes, and the reader of pasted hex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.errors import UsageError
from tlswire.wire.extension_bodies import KeyShareEntry, ServerName
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import BODIES, CLIENT_HELLO_BODY, SERVER_HELLO_BODY, Extensions, encode_handshake
from tlswire.wire.messages import HRR_RANDOM, ClientHello, Extension, ServerHello
from tlswire.wire.primitives import build
from tlswire.wire.records import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, fragment, sslv2_record
from tlswire.wire.sslv2 import SSLV2_BODIES, SSLv2ClientHello
from tlswire.wire.tree import KINDS, explain, read_input, render

from .laws import check_node
from .values import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.wire.cursor import Node

LAWS = settings(max_examples=30, deadline=None, database=None, derandomize=True)

CLIENT = ClientHello(
    0x0303,
    bytes(range(32)),
    b"",
    (0x1301, 0xC02F),
    (0,),
    (
        Extension(0, encode_extension(0, (ServerName(0, b"a\x1b[31m.example"),))),
        Extension(10, encode_extension(10, (0x001D,))),
        Extension(51, encode_extension(51, (KeyShareEntry(0x001D, bytes(32)),))),
    ),
)
CLIENT_BODY = build(CLIENT_HELLO_BODY, CLIENT)
CLIENT_MESSAGE = encode_handshake(1, CLIENT_BODY)
SERVER_BODY = build(SERVER_HELLO_BODY, ServerHello(0x0303, bytes(32), b"", 0xC02F, 0, (Extension(23, b""),)))
ECDHE_BODY = bytes.fromhex("03 001d 02 aabb 0804 0001 cc")
SSLV2_HELLO = sslv2_record(b"\x01" + build(SSLV2_BODIES[1], SSLv2ClientHello(2, (0x010080,), b"", bytes(16))))


def nodes(root: Node) -> Iterator[Node]:
    yield root
    for child in root.children:
        yield from nodes(child)


def find(root: Node, name: str) -> Node:
    return next(node for node in nodes(root) if node.name == name)


def errors(root: Node) -> list[Node]:
    return [node for node in nodes(root) if node.name == "error"]


# kind -> bytes of that kind and the name of the node that proves it was recognised.
SAMPLES: dict[str, tuple[bytes, str]] = {
    "record": (fragment(HANDSHAKE, 0x0301, CLIENT_MESSAGE), "client_hello"),
    "handshake": (CLIENT_MESSAGE, "client_hello"),
    "client-hello": (CLIENT_BODY, "client_hello"),
    "server-hello": (SERVER_BODY, "server_hello"),
    "alert": (b"\x02\x28", "alert"),
    "extensions": (build(Extensions("ch"), CLIENT.extensions), "extensions"),
    "sslv2": (SSLV2_HELLO, "sslv2_client_hello"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_recognised_and_can_be_forced(kind: str) -> None:
    data, name = SAMPLES[kind]
    tree = explain(data)
    assert find(tree, name).name == name
    assert errors(tree) == []
    assert render(tree) == render(explain(data, kind))
    assert (tree.start, tree.end) == (0, len(data))


@pytest.mark.parametrize("kind", KINDS)
def test_cut_input_keeps_its_kind_and_says_where_it_ends(kind: str) -> None:
    data, _ = SAMPLES[kind]
    for size in range(len(data)):
        tree = explain(data[:size], kind)
        check_node(tree, 0, size)
        # A hello may end before its extensions (RFC 5246 section 7.4.1.2).
        assert size == 0 or errors(tree) or find(tree, "extensions").text == "(absent)", size
    assert explain(b"", "record").children == []


@pytest.mark.parametrize("kind", ["record", "handshake", "client-hello", "server-hello", "sslv2"])
def test_cut_input_is_recognised(kind: str) -> None:
    data, name = SAMPLES[kind]
    assert find(explain(data[: len(data) - 3]), name)


@LAWS
@given(st.binary(max_size=120), st.sampled_from(["auto", *KINDS]))
def test_any_bytes_give_a_tree(data: bytes, kind: str) -> None:
    tree = explain(data, kind)
    check_node(tree, 0, len(data))
    assert all(line.isascii() and line.isprintable() for line in render(tree))


@LAWS
@given(st.data())
def test_damaged_streams_give_a_tree(data: st.DataObject) -> None:
    stream = bytearray(flight(data.draw(st.integers(1, 60))))
    for _ in range(data.draw(st.integers(0, 3))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    stream = stream[: data.draw(st.integers(0, len(stream)))]
    check_node(explain(bytes(stream)), 0, len(stream))


@pytest.mark.parametrize("kind", BODIES)
@settings(LAWS, max_examples=6)
@given(data=st.data())
def test_every_message_has_a_tree(kind: int, data: st.DataObject) -> None:
    for _, grammar in BODIES[kind]:
        body = build(grammar, data.draw(values(grammar)))
        tree = explain(encode_handshake(kind, body), "handshake")
        check_node(tree, 0, 4 + len(body))


def flight(size: int) -> bytes:
    messages = encode_handshake(2, SERVER_BODY) + encode_handshake(12, ECDHE_BODY) + encode_handshake(14, b"")
    return fragment(HANDSHAKE, 0x0303, messages, size) + fragment(ALERT, 0x0303, b"\x02\x28", 1)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 45, 46, 47, 60, 1000])
def test_messages_are_put_together_across_records(size: int) -> None:
    data = flight(size)
    tree = explain(data)
    assert errors(tree) == []
    message = find(tree, "server_key_exchange")
    group = find(message, "curve")
    assert group.text == "0x001D x25519"
    scheme = find(message, "scheme")
    assert scheme.text == "0x0804 rsa_pss_rsae_sha256"
    assert find(tree, "description").text == "40 handshake_failure"
    # Every byte of the message stands where its node says, whatever record headers stand between.
    random = find(tree, "random")
    assert data[random.start] == SERVER_BODY[2]
    assert data[scheme.start] == 0x08
    assert data[scheme.end - 1] == 0x04


def test_offsets_point_into_the_input() -> None:
    data = fragment(ALERT, 0x0303, b"\x01\x70") + fragment(HANDSHAKE, 0x0301, CLIENT_MESSAGE)
    tree = explain(data)
    name = find(find(tree, "0x0000 server_name"), "name")
    assert data[name.start : name.end] == b"\x00\x0ea\x1b[31m.example"
    assert name.text == "a\\x1b[31m.example"
    key = find(tree, "key_exchange")
    assert key.end == len(data)


def test_messages_after_the_server_hello_follow_its_version() -> None:
    tls13 = build(SERVER_HELLO_BODY, ServerHello(0x0303, bytes(32), b"", 0x1301, 0, (Extension(43, b"\x03\x04"),)))
    certificate = bytes.fromhex("00 000006 000001 30 0000")
    tree = explain(encode_handshake(2, tls13) + encode_handshake(11, certificate))
    assert errors(tree) == []
    assert find(find(tree, "certificate"), "context").text == "(empty)"
    tree = explain(encode_handshake(2, SERVER_BODY) + encode_handshake(11, certificate))
    assert len(errors(tree)) == 1


def test_certificate_without_a_server_hello_is_guessed() -> None:
    for body in (bytes.fromhex("000004 000001 30"), bytes.fromhex("00 000006 000001 30 0000")):
        assert errors(explain(encode_handshake(11, body))) == []


def test_retry_and_second_hello() -> None:
    retry = ServerHello(0x0303, HRR_RANDOM, b"", 0x1301, 0, (Extension(51, b"\x00\x17"), Extension(43, b"\x03\x04")))
    tree = explain(encode_handshake(2, build(SERVER_HELLO_BODY, retry)))
    assert errors(tree) == []
    assert find(find(tree, "0x0033 key_share"), "body").text == "0x0017 secp256r1"
    ccs = fragment(CHANGE_CIPHER_SPEC, 0x0303, b"\x01")
    tree = explain(ccs + fragment(HANDSHAKE, 0x0303, CLIENT_MESSAGE, 60) + fragment(HANDSHAKE, 0x0303, b"\x99" * 20))
    assert errors(tree) == []
    assert find(tree, "client_hello").text == "in 3 records"
    assert find(tree, "handshake (protected)").text == "99" * 20


def test_message_whose_body_fills_its_record() -> None:
    data = fragment(HANDSHAKE, 0x0303, CLIENT_MESSAGE[:4]) + fragment(HANDSHAKE, 0x0303, CLIENT_BODY)
    tree = explain(data)
    assert errors(tree) == []
    assert find(tree, "client_hello").start == 5


def test_error_node_names_path_and_offset() -> None:
    body = CLIENT_BODY.replace(bytes.fromhex("000a 0004 0002 001d"), bytes.fromhex("000a 0004 0003 001d"))
    (error,) = errors(explain(body, "client-hello"))
    assert error.text.startswith("client_hello.extensions.supported_groups.body: length says 3 bytes, 2 left")
    assert body[error.start : error.start + 2] == b"\x00\x03"


def test_fault_of_the_framing_is_shown_and_reading_goes_on() -> None:
    data = fragment(HANDSHAKE, 0x0303, CLIENT_MESSAGE[:9]) + fragment(CHANGE_CIPHER_SPEC, 0x0303, b"\x01") + b"\r\n"
    tree = explain(data)
    assert [node.name for node in tree.children] == ["record", "record", "error"]
    assert "is interrupted by another record" in errors(tree)[0].text
    assert tree.children[2].text == "0x0d begins no TLS or SSLv2 record"
    assert tree.children[2].start == len(data) - 2


def test_unknown_bytes_and_unknown_kinds() -> None:
    assert "neither records" in errors(explain(b"GET / HTTP/1.1"))[0].text
    with pytest.raises(UsageError, match="no such kind"):
        explain(b"", "pdf")


def test_extensions_block_is_read_as_the_message_it_fits() -> None:
    block = (Extension(43, b"\x03\x04"), Extension(51, b"\x00\x1d\x00\x01\xaa"))
    tree = explain(build(Extensions("sh"), block))
    assert tree.text == "2 extensions (read as sh)"
    assert errors(tree) == []


def test_render_is_one_line_a_node() -> None:
    lines = render(explain(SAMPLES["record"][0]), limit=40)
    assert lines[0] == f"0x0000 {len(SAMPLES['record'][0]):6d}  records"
    assert lines[1].endswith("    record")
    assert "0x0005" in lines[5]
    assert lines[5].split()[2] == "client_hello"
    assert any(line.endswith("... (64 characters)") for line in lines)
    assert all(len(line) < 140 for line in lines)


def _rows(data: bytes, size: int = 16) -> Iterator[tuple[int, bytes, str]]:
    for at in range(0, len(data), size):
        row = data[at : at + size]
        yield at, row, "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)


def _halves(row: bytes) -> str:
    return f"{row[:8].hex(' ')}  {row[8:].hex(' ')}".rstrip()


def _squeezed(data: bytes) -> str:
    lines: list[str] = []
    last = b""
    for at, row, text in _rows(data):
        if row != last or len(row) < 16:
            lines.append(f"{at:08x}  {_halves(row):<49} |{text}|")
        elif lines[-1] != "*":
            lines.append("*")
        last = row
    return "\n".join([*lines, f"{len(data):08x}"])


# What people paste, by the tool that wrote it.
FORMATS: dict[str, Callable[[bytes], str]] = {
    "plain": bytes.hex,
    "upper case": lambda data: data.hex().upper(),
    "spaces": lambda data: data.hex(" "),
    "colons": lambda data: data.hex(":"),
    "lines": lambda data: "\r\n".join(row.hex() for _, row, _ in _rows(data, 5)),
    "xxd -p": lambda data: "\n".join(row.hex() for _, row, _ in _rows(data, 30)) + "\n",
    "C": lambda data: ", ".join(f"0x{byte:02X}" for byte in data),
    "C short": lambda data: ",".join(hex(byte) for byte in data),
    "xxd -i": lambda data: (
        "unsigned char x[] = {\n  "
        + ",\n  ".join(", ".join(f"0x{byte:02x}" for byte in row) for _, row, _ in _rows(data, 12))
        + f"\n}};\nunsigned int x_len = {len(data)};\n"
    ),
    "xxd": lambda data: "\n".join(f"{at:08x}: {row.hex(' ', -2):<39}  {text}" for at, row, text in _rows(data)),
    "xxd -g1 -c8": lambda data: "\n".join(f"{at:08x}: {row.hex(' '):<23}  {text}" for at, row, text in _rows(data, 8)),
    "hexdump -C": _squeezed,
    "od -A x -t x1z": lambda data: "\n".join(f"{at:06x} {row.hex(' '):<47}  >{text}<" for at, row, text in _rows(data)),
    "wireshark": lambda data: "\n".join(f"{at:04x}   {row.hex(' '):<47}   {text}" for at, row, text in _rows(data)),
    "tshark -x": lambda data: "\n".join(f"{at:04x}  {_halves(row):<48}   {text}" for at, row, text in _rows(data)),
    "bytes only": lambda data: "\n".join(f"{at:04x}  {_halves(row)}" for at, row, _ in _rows(data)),
    "tcpdump -X": lambda data: "\n".join(
        f"\t0x{at:04x}:  {row.hex(' ', -2):<39}  {text}" for at, row, text in _rows(data)
    ),
    "comments": lambda data: f"# a hello\n\n# of {len(data)} bytes\n{data.hex()}\n",
}


@pytest.mark.parametrize("name", FORMATS)
@LAWS
@given(data=st.binary(min_size=1, max_size=70) | st.binary(min_size=1, max_size=3).map(lambda part: part * 40))
def test_what_people_paste_is_read(name: str, data: bytes) -> None:
    assert read_input(FORMATS[name](data).encode()) == data


@pytest.mark.parametrize("name", FORMATS)
def test_texts_that_look_like_hex_are_not_data(name: str) -> None:
    data = b"ab cd 12|0x1f.. 0000 16 03 01 00" + b"  face  " * 3 + bytes(33)
    assert read_input(FORMATS[name](data).encode()) == data


@pytest.mark.parametrize("kind", KINDS)
def test_raw_bytes_stay_as_they_are(kind: str) -> None:
    data, _ = SAMPLES[kind]
    assert read_input(data) == data


@pytest.mark.parametrize(
    ("text", "where", "reason"),
    [
        ("", "", "is empty"),
        ("# only a comment\n", "", "is empty"),
        ("1603\nhello\n", "line 2", "neither hexadecimal"),
        ("# caf\u00e9\n\n16 03 0", "line 3", "odd number"),
        ("16 03 \u00e9\u00e9", "line 1", "neither hexadecimal"),
        ("0x160", "line 1", "odd number"),
        ("{ };", "line 1", "no hex digits"),
        ("00000000: 1603 0100  ....\n00000010: 1603  ..", "line 2", "offset 0x10 where 0x4 follows"),
        ("0000  16 03 01   ...\n0000  16 03   ..", "line 2", "one packet at a time"),
        ("0000  16 03 01   ...\nFrame 2", "line 2", "is no dump line"),
        ("00000000: 1603 4142  ..XY", "line 1", "text column"),
        ("GET / HTTP/1.1\r\n", "line 1", "neither hexadecimal"),
    ],
)
def test_other_text_is_refused_with_its_line(text: str, where: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_input(text.encode())
    assert caught.value.where == where
    assert reason in caught.value.reason
    assert str(caught.value).isascii()


@LAWS
@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(str.encode)
    | st.text("0123456789abcdef: x\n#*|", max_size=60).map(str.encode)
)
def test_any_input_is_read_or_refused(data: bytes) -> None:
    try:
        assert isinstance(read_input(data), bytes)
    except UsageError as error:
        refused = str(error)
        assert refused.isascii()
