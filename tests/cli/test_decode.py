"""``tlswire decode``: where bytes come from, what is shown of good and bad ones, and the exit code."""

from __future__ import annotations

import itertools
import json
import os
import random
import threading
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tlswire.cli import decode
from tlswire.hello.builder import Shape, client_hello, encode_client_hello, sslv2_client_hello
from tlswire.wire.cursor import Node
from tlswire.wire.records import ALERT, fragment
from tlswire.wire.tree import KINDS

from .run import one_line, refused, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = b"a\x1b[2J\r\n\x00\xe2\x80\xae.example"
HELLO = encode_client_hello(
    client_hello(
        (0x0304, 0x0303),
        (0x1301, 0xC02F, 0x9999),
        rng=Random(0),
        shape=Shape(server_name=HOSTILE, alpn=(b"h2", b"\x1b]0;owned\x07"), groups=(0x001D,), schemes=(0x0403,)),
    )
)
ALERT_RECORD = fragment(ALERT, 0x0303, b"\x02\x28")


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree.get("children", ()):
        yield from nodes(child)


def test_a_hello_is_explained_with_offsets() -> None:
    outcome = run("decode", HELLO.hex())
    assert outcome.code == 0
    assert outcome.err == ""
    for at, size, name, value in (
        (0, len(HELLO), "records", ""),
        (9, 2, "legacy_version", "0x0303 TLS 1.2"),
        (0x4E, 2, "[0]", "0x1301 TLS_AES_128_GCM_SHA256"),
        (0x52, 2, "[2]", "0x9999"),
    ):
        assert any(
            line.split(maxsplit=3) == [f"0x{at:04x}", str(size), name, *([value] if value else [])]
            for line in outcome.lines
        ), name
    depths = [len(line[15:]) - len(line[15:].lstrip()) for line in outcome.lines]
    assert all(line[:2] == "0x" and line[6] == " " and line[13:15] == "  " for line in outcome.lines)
    assert all(later - earlier <= 2 for earlier, later in itertools.pairwise(depths))


def test_every_way_in_gives_the_same(tmp_path: Path) -> None:
    raw, text = tmp_path / "hello.bin", tmp_path / "16"
    raw.write_bytes(HELLO)
    text.write_text("# a hello\n" + HELLO.hex(" ") + "\n", encoding="ascii")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(HELLO,))
    writer.start()
    expected = run("decode", HELLO.hex()).raw
    ways = {
        "file": run("decode", raw),
        "hex file": run("decode", text),
        "pipe": run("decode", pipe),
        "stdin": run("decode", stdin=HELLO),
        "dash": run("decode", "-", stdin=HELLO.hex().encode()),
        "colons": run("decode", HELLO.hex(":")),
    }
    writer.join()
    assert {name: (way.code, way.raw) for name, way in ways.items()} == dict.fromkeys(ways, (0, expected))


def test_nothing_from_the_wire_reaches_the_terminal_raw() -> None:
    outcome = run("decode", HELLO.hex())
    assert all(line.isascii() and line.isprintable() for line in outcome.lines)
    assert r"a\x1b[2J\x0d\x0a\x00\xe2\x80\xae.example" in outcome.out
    assert r"\x1b]0;owned\x07" in outcome.out
    tree = json.loads(run("decode", HELLO.hex(), "--json").out)
    assert all(str(value).isprintable() for node in nodes(tree["tree"]) for value in (node["name"], node["text"]))


def test_json_is_printable_even_where_a_node_is_not() -> None:
    assert decode._as_json(Node("\x1b", 0, 1, text="\x9b2J")) == {
        "name": r"\x1b",
        "offset": 0,
        "length": 1,
        "text": r"\x9b2J",
    }


def test_json_holds_the_same_tree() -> None:
    outcome = run("decode", HELLO.hex(), "--json")
    found = json.loads(outcome.out)
    assert outcome.code == 0
    assert found["complete"] is True
    assert found["errors"] == []
    assert len(list(nodes(found["tree"]))) == len(run("decode", HELLO.hex()).lines)
    (random_,) = [node for node in nodes(found["tree"]) if node["name"] == "random"]
    assert (random_["offset"], random_["length"]) == (11, 32)
    assert random_["text"] == HELLO[11:43].hex()


@pytest.mark.parametrize("size", range(len(HELLO)))
def test_a_cut_hello_is_shown_up_to_the_cut(size: int) -> None:
    if size == 0:
        assert refused(run("decode", stdin=b"")) == "stdin: is empty"
        return
    outcome = run("decode", stdin=HELLO[:size])
    assert outcome.code == 2
    line = one_line(outcome)
    assert line.startswith("stdin: ")
    assert " at byte " in line
    if size > 43:
        assert HELLO[11:43].hex() in outcome.out
        assert line.startswith("stdin: records.record.fragment: length says")


def test_the_failure_says_path_and_offset() -> None:
    broken = bytearray(HELLO)
    at = broken.index(b"\x00\x10\x00")  # ALPN
    broken[at + 4 : at + 6] = b"\x00\xff"
    outcome = run("decode", stdin=bytes(broken))
    assert outcome.code == 2
    line = one_line(outcome)
    assert "client_hello.extensions" in line
    assert "application_layer_protocol_negotiation" in line
    assert f"at byte {at + 4}" in line
    assert "supported_versions" in outcome.out  # what follows is read all the same
    found = json.loads(run("decode", "--json", stdin=bytes(broken)).out)
    assert found["complete"] is False
    assert f"stdin: {found['errors'][0]}" == line


@pytest.mark.parametrize("seed", range(60))
def test_junk_is_one_line_and_exit_code_2_or_a_whole_tree(seed: int) -> None:
    rng = random.Random(seed)
    junk = rng.choice(
        (b"", b"\x16\x03\x01", b"\x80", b"\x01\x00", b"\x02\x28", b"\x16\x03\x01\x00\x05\x01")
    ) + rng.randbytes(seed)
    outcome = run("decode", stdin=junk)
    assert all(line.isascii() and line.isprintable() for line in outcome.lines)
    if outcome.code == 0:
        assert outcome.err == ""
    else:
        assert outcome.code == 2
        one_line(outcome)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", "input: is empty"),
        ("no-such-file", "no-such-file: is neither a file nor hex"),
        ("160", "odd number of hex digits"),
        ("\x1b[31m", r"\x1b[31m: is neither a file nor hex"),
        ("zz" * 5000, "is neither a file nor hex"),
        ("\ud800", "is neither a file nor hex"),
    ],
)
def test_what_is_neither_file_nor_hex_is_refused(source: str, says: str) -> None:
    assert says in refused(run("decode", source))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    assert refused(run("decode", tmp_path)).endswith("cannot be read: Is a directory")
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(1 << 40)
    assert refused(run("decode", big)).endswith("big: is larger than 1 MiB")
    assert refused(run("decode", stdin=b"0" * (decode.MAX_INPUT + 1))) == "stdin: is larger than 1 MiB"
    words = tmp_path / "words"
    words.write_text("hello world\n", encoding="ascii")
    assert "words: line 1: 'hello' is neither" in refused(run("decode", words)).replace("':", "'")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_forced(kind: str) -> None:
    samples = {
        "record": ALERT_RECORD,
        "sslv2": sslv2_client_hello((0x010080,), rng=Random(0)),
        "handshake": HELLO[5:],
        "client-hello": HELLO[9:],
        "server-hello": bytes.fromhex("0303") + bytes(33) + bytes.fromhex("c02f00"),
        "alert": b"\x02\x28",
        "extensions": bytes.fromhex("000400170000"),
    }
    outcome = run("decode", "--as", kind, stdin=samples[kind])
    assert (outcome.code, outcome.err) == (0, "")
    assert run("decode", "--as", kind, stdin=samples[kind] + b"\xff").code == 2


def test_an_unknown_kind_is_refused() -> None:
    assert "'--as'" in refused(run("decode", "--as", "\x1b[2J", "16"))


def test_full_shows_long_values_whole() -> None:
    body = bytes.fromhex("0303") + bytes(32) + b"\x00" + bytes.fromhex("0002c02f0100")
    ticket = bytes(range(256))
    data = body + (260).to_bytes(2, "big") + b"\x00\x23\x01\x00" + ticket
    assert ticket.hex() not in run("decode", data.hex()).out
    assert ticket.hex() in run("decode", "--full", data.hex()).out
