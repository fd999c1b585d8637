"""Recorded hellos sent again: what must be new is new, what belongs to the old session is gone, the rest is the same."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlswire
from tests.cli.run import run
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.wire.values import values
from tlswire.hello import edit
from tlswire.hello.builder import Shape, client_hello
from tlswire.hello.profiles import profile, profile_hello
from tlswire.hello.replay import only_version, replayed
from tlswire.hello.shares import probe_share
from tlswire.registry import GREASE, VERSIONS
from tlswire.wire.extension_bodies import KeyShareEntry, OfferedPsks, PskIdentity
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import CLIENT_HELLO_BODY, parse_client_hello
from tlswire.wire.messages import ClientHello
from tlswire.wire.primitives import build

OLD_SESSION = {41, 42, 44}
RENEWED = {51, 35, 0xFF01}


def safari(name: bytes | None = b"old.example") -> ClientHello:
    return profile_hello(profile("safari-18"), rng=Random(5), server_name=name)


def used() -> ClientHello:
    """A hello that resumes: a PSK with early data, a cookie, a ticket, verify_data, shares that were used."""
    hello = safari()
    for code, body in (
        (
            51,
            encode_extension(
                51, (KeyShareEntry(0x2A2A, b"\7"), KeyShareEntry(29, b"\1" * 32), KeyShareEntry(0xFE99, b"z"))
            ),
        ),
        (44, encode_extension(44, b"biscuit")),
        (42, b""),
        (35, b"ticket"),
        (0xFF01, b"\x0c" + bytes(12)),
        (41, encode_extension(41, OfferedPsks((PskIdentity(b"id", 7),), (bytes(32),)))),
    ):
        hello = edit.with_extension(hello, code, body)
    return hello


def test_what_belongs_to_the_old_session_is_gone() -> None:
    hello = replayed(used(), rng=Random(1))
    assert not OLD_SESSION & set(hello.extension_types)
    assert (hello.raw_extension(35), hello.raw_extension(0xFF01)) == (b"", b"\x00")
    assert hello.extension(51) == (
        KeyShareEntry(0x2A2A, b"\7"),
        KeyShareEntry(29, probe_share(29)),
        KeyShareEntry(0xFE99, b"z"),
    )


@given(values(CLIENT_HELLO_BODY), st.integers(0, 1 << 32))
@settings(max_examples=200)
def test_every_other_byte_of_any_hello_stays(hello: ClientHello, seed: int) -> None:
    again = replayed(hello, rng=Random(seed))
    assert replayed(hello, rng=Random(seed)) == again
    assert len(again.session_id) == len(hello.session_id)
    assert again.random != hello.random
    kept = msgspec.structs.replace(again, random=hello.random, session_id=hello.session_id, extensions=None)
    assert kept == msgspec.structs.replace(hello, extensions=None)

    def others(value: ClientHello) -> list[object]:
        return [item for item in value.extensions or () if item.type not in OLD_SESSION | RENEWED]

    assert others(again) == others(hello)
    assert parse_client_hello(build(CLIENT_HELLO_BODY, again)) == again


@pytest.mark.parametrize("name", ["safari-15", "safari-26", "chrome-150", "ios-12", "java-17"])
def test_hello_of_a_client_replayed_is_one_of_the_client(name: str) -> None:
    hello = profile_hello(profile(name), rng=Random(5), server_name=b"one.example")
    again = replayed(hello, rng=Random(6))
    assert again.extensions == hello.extensions
    assert replayed(hello, rng=Random(6), server_name=b"two.example").server_name == b"two.example"


def test_longer_name_takes_its_room_from_the_padding() -> None:
    longer = replayed(safari(b"a.example"), rng=Random(1), server_name=b"a-longer-name.example")
    assert 4 + len(build(CLIENT_HELLO_BODY, longer)) == 512
    assert [code for code in longer.extension_types if code not in GREASE] == [
        code for code in safari().extension_types if code not in GREASE
    ]


@given(values(CLIENT_HELLO_BODY), st.sampled_from([0x0303, 0x0304]))
@settings(max_examples=200)
def test_one_version_of_any_hello_can_be_written(hello: ClientHello, version: int) -> None:
    if version not in hello.versions:
        with pytest.raises(tlswire.UsageError, match=VERSIONS[version].name):
            only_version(hello, version)
        return
    try:
        one = only_version(hello, version)
    except tlswire.UsageError as error:
        assert "none of the suites" in str(error)  # noqa: PT017 - most hellos have one
        return
    assert parse_client_hello(build(CLIENT_HELLO_BODY, one)) == one
    assert set(one.suites) <= set(hello.suites)
    assert set(one.extension_types) <= set(hello.extension_types)


def test_one_version_leaves_no_empty_list_of_groups() -> None:
    shape = Shape(groups=(0x11EC,), key_shares=(0x11EC,))
    hello = only_version(client_hello((0x0304, 0x0303), (0x1301, 0xC02F), rng=Random(1), shape=shape), 0x0303)
    assert (hello.suites, hello.groups, hello.raw_extension(10)) == ((0xC02F,), (), None)


@pytest.mark.stacks
@pytest.mark.parametrize("recording", ["boringssl-safari", "tls13-resumed", "tls12-ticket", "java", "gnutls", "nss"])
def test_recorded_hello_completes_a_handshake_with_another_server(
    recording: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp(recording)
    assert run("pcap", "--quiet", "--export-hellos", folder, f"captures/recorded/{recording}.pcap").code == 0
    with running(require("nginx-b").name) as server:
        for file in sorted(folder.iterdir()):
            hello = edit.read_hello(
                bytes.fromhex("".join(line for line in file.read_text().splitlines() if line[0] != "#"))
            ).hello
            assert isinstance(hello, ClientHello)
            again = replayed(hello, rng=Random(1), server_name=b"localhost")
            assert tlswire.converse("127.0.0.1", server.port, again, timeout=10).kind == "finished", file.name
