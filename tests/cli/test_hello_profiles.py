"""``tlswire hello --profile``, ``--profiles``, and what ``--as`` takes."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest

from tlswire.cli.hello_source import hello_as
from tlswire.errors import UsageError
from tlswire.hello import edit
from tlswire.hello.fingerprints import ja4
from tlswire.hello.profiles import profile, profile_hello, profile_names
from tlswire.hello.replay import replayed
from tlswire.wire.extensions import encode_extension
from tlswire.wire.messages import ClientHello

from .run import refused, run

if TYPE_CHECKING:
    from pathlib import Path

NAME = b"device.example"


def printed(*arguments: str) -> ClientHello:
    outcome = run("hello", *arguments)
    assert (outcome.code, outcome.err) == (0, "")
    value = edit.read_hello(bytes.fromhex(outcome.out)).hello
    assert isinstance(value, ClientHello)
    return value


def safari() -> ClientHello:
    return profile_hello(profile("safari-26"), rng=Random(3), server_name=NAME)


def test_list_names_every_profile_with_its_source() -> None:
    outcome = run("hello", "--profiles")
    assert (outcome.code, outcome.err) == (0, "")
    for name in profile_names():
        client = profile(name)
        (row,) = [line for line in outcome.lines if line.startswith(f"{name} ")]
        assert ja4(profile_hello(client, rng=Random(1), server_name=NAME), "t").ja4 in row
        assert client.title in row
        assert row.endswith("(synthetic)") == client.synthetic
        assert client.source in outcome.lines[outcome.lines.index(row) + 1]


@pytest.mark.parametrize("name", profile_names())
def test_profile_prints_a_hello_that_decode_reads(name: str) -> None:
    arguments = ("--profile", name, "--server-name", "device.example", "--seed", "3")
    assert printed(*arguments) == profile_hello(profile(name), rng=Random(3), server_name=NAME)
    tree = run("decode", "-", stdin=run("hello", *arguments).raw)
    assert (tree.code, tree.err) == (0, "")
    assert "device.example" in tree.out


def test_other_options_change_the_hello_of_a_profile() -> None:
    hello = printed("--profile", "safari-26", "--alpn", "http/1.1", "--version", "TLS1.2", "--suite", "0xC02F")
    assert (hello.alpn, hello.versions, hello.suites) == ((b"http/1.1",), (0x0303,), (0xC02F,))
    assert hello.server_name is None
    whole, cut = (
        run("hello", "--profile", "safari-26", "--record-size", size, "--format", "raw").raw
        for size in ("16384", "500")
    )
    assert len(cut) == len(whole) + 3 * 5


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--profile", "safari-62"), "'safari-62': is no profile; did you mean safari-26"),
        (("--profile", "a\x1bb"), "is no profile"),
        (("--profile", "ios-14", "--from", "00"), "--profile: is a hello of its own; leave out --from"),
        (("--profile", "ios-14", "--sslv2"), "--profile: keeps the form of its hello"),
        (("--profile", "ios-14", "--no-extensions", "--alpn", "h2"), "--alpn: --no-extensions leaves no place"),
    ],
)
def test_profile_that_cannot_be_is_refused(arguments: tuple[str, ...], told: str) -> None:
    assert told in refused(run("hello", *arguments))


def test_source_is_a_profile_by_name() -> None:
    assert hello_as("safari-26", rng=Random(3), server_name=NAME) == safari()
    assert hello_as("safari-26", rng=Random(3), server_name=None).server_name is None


@pytest.mark.parametrize("layer", ["record", "handshake", "body"])
def test_source_is_a_file_or_hex_of_any_layer(layer: edit.Layer, tmp_path: Path) -> None:
    data = edit.Sample(safari()).encode(layer)
    (tmp_path / "raw").write_bytes(data)
    (tmp_path / "hex").write_text(f"# as --export-hellos writes it\n{data.hex()}\n")
    wanted = replayed(safari(), rng=Random(4), server_name=b"other.example")
    for source in (str(tmp_path / "raw"), str(tmp_path / "hex"), data.hex()):
        assert hello_as(source, rng=Random(4), server_name=b"other.example") == wanted
        assert hello_as(source, rng=Random(4), server_name=None).server_name == NAME


def test_source_that_cannot_be_sent_is_refused_in_a_line(tmp_path: Path) -> None:
    quic = edit.with_extension(safari(), 57, encode_extension(57, (), "ch"))
    datagram = msgspec.structs.replace(safari(), legacy_version=0xFEFD)
    sslv2 = run("hello", "--sslv2").out.strip()
    (tmp_path / "empty").write_bytes(b"")
    for source, told in (
        ("safari-62", "neither a file nor hex"),
        (str(tmp_path / "empty"), "is empty"),
        (safari().random.hex(), "holds no ClientHello"),
        (edit.Sample(safari()).encode().hex()[:-2], "holds no ClientHello: client_hello: the input ends before"),
        (sslv2, "holds a hello in SSLv2 form"),
        (edit.Sample(quic).encode("handshake").hex(), "holds a hello of QUIC"),
        (edit.Sample(datagram).encode("handshake").hex(), "holds a hello of DTLS"),
    ):
        with pytest.raises(UsageError) as fault:
            hello_as(source, rng=Random(1), server_name=None)
        assert told in str(fault.value)
        assert str(fault.value).startswith("--as: ")
        assert str(fault.value).isprintable()
        assert len(str(fault.value)) < 300
