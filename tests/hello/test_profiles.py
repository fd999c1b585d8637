"""The clients that are shipped: their files, their hellos beside recordings and published fingerprints, and that servers
take them. The JA3 and JA4 of a file come from its source, never from our own templates.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tlswire
from tests.cli.run import run
from tests.servers.catalogue import running
from tests.servers.gate import require
from tlswire.errors import LookupFailedError, UsageError
from tlswire.hello import ech, fingerprints
from tlswire.hello.edit import read_hello
from tlswire.hello.profiles import SLOT, profile, profile_hello, profile_names, read_profile
from tlswire.hello.replay import only_version
from tlswire.registry import EXTENSIONS, GREASE, GROUPS, SUITES
from tlswire.wire.dumps import read_input
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import decode_extension, encode_extension
from tlswire.wire.handshake import CLIENT_HELLO_BODY, parse_client_hello
from tlswire.wire.messages import ClientHello, Extension
from tlswire.wire.primitives import build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = profile_names()
NAME = b"test.example"
SEEDS = st.integers(0, 1 << 32)
TLS12, TLS13 = 0x0303, 0x0304


def made(name: str, seed: int = 1, server_name: bytes | None = NAME) -> ClientHello:
    return profile_hello(profile(name), rng=Random(seed), server_name=server_name)


def unique(hello: ClientHello) -> ClientHello:
    """The hello without what two of one client may differ in."""

    def codes(items: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(SLOT if code in GREASE else code for code in items)

    def body(item: Extension) -> bytes:
        value: Any = None if item.type in GREASE else decode_extension(item.type, item.data, "ch")
        if item.type in {10, 43}:
            return encode_extension(item.type, codes(value))
        if item.type == 51:
            shares = [KeyShareEntry(codes((share.group,))[0], bytes(len(share.key_exchange))) for share in value]
            return encode_extension(51, tuple(shares))
        if item.type == ech.ECH:
            return bytes(len(item.data))
        return item.data

    return msgspec.structs.replace(
        hello,
        random=bytes(32),
        session_id=bytes(len(hello.session_id)),
        suites=codes(hello.suites),
        extensions=tuple(Extension(codes((item.type,))[0], body(item)) for item in hello.extensions or ()),
    )


@pytest.mark.parametrize("name", NAMES)
def test_profile_says_where_it_comes_from(name: str) -> None:
    client = profile(name)
    assert client.name == name
    assert min(map(len, (client.title, client.platform, client.releases, client.source))) > 1
    assert client.note or not client.synthetic


@pytest.mark.parametrize("name", NAMES)
def test_hello_of_a_profile_reads_back_as_it_was_written(name: str) -> None:
    for server_name in (NAME, None, b"x" * 200):
        hello = made(name, server_name=server_name)
        assert parse_client_hello(build(CLIENT_HELLO_BODY, hello)) == hello
        assert hello.server_name == server_name
        assert all(item.type in EXTENSIONS for item in hello.extensions or ())


@pytest.mark.parametrize("name", NAMES)
def test_hello_of_a_profile_has_the_known_fingerprints(name: str) -> None:
    known = profile(name).fingerprints
    hello = made(name)
    assert known.ja3 in {"", fingerprints.ja3(hello)}
    assert known.ja4 in {"", fingerprints.ja4(hello, "t").ja4}


# What others published, written down once more: a file changed by mistake does not take its fingerprint with it.
@pytest.mark.parametrize(
    ("name", "ja3", "ja4"),
    [
        ("ios-12", "5c118da645babe52f060d0754256a73c", ""),
        ("ios-13", "6fa3244afc6bb6f9fad207b6b52af26b", ""),
        ("ios-14", "656b9a2f4de6ed4909e157482860ab3d", "t13d2613h2_2802a3db6c62_845d286b0d67"),
        ("safari-15", "773906b0efdefa24a7f2b8eb6985bf37", "t13d2014h2_a09f3c656075_14788d8d241b"),
        ("safari-18", "773906b0efdefa24a7f2b8eb6985bf37", "t13d2014h2_a09f3c656075_e42f34c56612"),
        ("safari-26", "ecdf4f49dd59effc439639da29186671", "t13d2013h2_a09f3c656075_7f0f34a4126d"),
        ("firefox-120", "", "t13d1715h2_5b57614c22b0_5c2c66f702b0"),
    ],
)
def test_published_fingerprints_stand_in_the_files(name: str, ja3: str, ja4: str) -> None:
    known = profile(name).fingerprints
    assert (known.ja3, known.ja4) == (ja3, ja4)


@pytest.mark.parametrize(
    ("name", "recording", "shuffled"),
    [
        ("safari-26", "boringssl-safari", False),
        ("chrome-150", "boringssl-chrome", True),
        ("openssl-3", "ipv6", False),
        ("openssl-4", "openssl4", False),
        ("curl-7", "curl", False),
        ("go-1.19", "go", False),
        ("java-17", "java", False),
    ],
)
def test_hello_of_a_profile_is_the_recorded_one_byte_for_byte(
    name: str, recording: str, shuffled: bool, tmp_path: Path
) -> None:
    outcome = run("pcap", "--quiet", "--export-hellos", tmp_path, f"captures/recorded/{recording}.pcap")
    assert outcome.code == 0, outcome.err
    (file,) = tmp_path.iterdir()
    there = read_hello(read_input(file.read_bytes())).hello
    assert isinstance(there, ClientHello)
    here = unique(made(name, server_name=there.server_name))
    there = unique(there)
    if shuffled:
        there, here = in_order(there), in_order(here)
    assert here == there


def in_order(hello: ClientHello) -> ClientHello:
    """Extensions by type, and ECH of no certain length."""
    items = sorted((item.type, b"" if item.type == ech.ECH else item.data) for item in hello.extensions or ())
    return msgspec.structs.replace(hello, extensions=tuple(Extension(*item) for item in items))


@pytest.mark.parametrize("name", NAMES)
@given(first=SEEDS, second=SEEDS)
def test_two_seeds_differ_only_where_a_client_does(name: str, first: int, second: int) -> None:
    one, other = made(name, first), made(name, second)
    assert made(name, first) == one
    assert (one.random == other.random) == (first == second)
    assert unique(one) == unique(other)


@pytest.mark.parametrize("name", NAMES)
@given(seed=SEEDS)
def test_grease_follows_its_rfc(name: str, seed: int) -> None:
    template, hello = profile(name).hello, made(name, seed)
    lists = {
        "suites": (template.suites, hello.suites),
        "groups": (template.groups, hello.groups),
        "versions": (template.versions, hello.versions),
        "extensions": (template.extension_types, hello.extension_types),
    }
    for slots, filled in lists.values():
        found = [code for code in filled if code in GREASE]
        assert len(set(found)) == len(found) == slots.count(SLOT)
    assert {code for code in hello.key_shares if code in GREASE} <= {code for code in hello.groups if code in GREASE}


def test_grease_takes_every_value_in_time() -> None:
    hellos = [made("safari-26", seed) for seed in range(300)]
    for index in (0, -1):
        assert {hello.extension_types[index] for hello in hellos} == set(GREASE)
    assert {hello.groups[0] for hello in hellos} == {hello.versions[0] for hello in hellos} == set(GREASE)


def test_server_name_and_protocols_are_the_callers() -> None:
    client = profile("safari-26")
    hello = profile_hello(client, rng=Random(1), server_name=b"a.example", alpn=(b"http/1.1",))
    assert hello.alpn == (b"http/1.1",)
    assert hello.extension_types[1] == 0
    bare = profile_hello(client, rng=Random(1), server_name=None, alpn=())
    assert {0, 16} & set(bare.extension_types) == set()


@pytest.mark.parametrize(("length", "total"), [(4, 512), (207, 512), (208, 513), (211, 516), (212, 512), (250, 550)])
def test_padding_fills_up_to_512_bytes_or_is_left_out(length: int, total: int) -> None:
    # Without padding the message has 300 bytes more than the name; a byte is the least that BoringSSL pads with.
    hello = made("safari-18", server_name=b"n" * length)
    assert 4 + len(build(CLIENT_HELLO_BODY, hello)) == total
    assert (21 in hello.extension_types) == (length < 212)


def test_device_management_offers_what_apple_documents_and_nothing_else() -> None:
    hello, safari = made("apple-mdm-27"), made("safari-26")
    assert hello.suites[1:] == (0x1302, 0x1303, 0x1301, 0xC02C, 0xC02B, 0xC030, 0xC02F)
    assert hello.signature_schemes == tuple(code for code in safari.signature_schemes if code != 0x0201)
    assert hello.versions[1:] == (TLS13, TLS12)
    assert hello.extension_types == safari.extension_types
    assert profile("apple-mdm-27").synthetic


@pytest.mark.parametrize("name", NAMES)
def test_hello_of_one_version_offers_nothing_of_another(name: str) -> None:
    hello = made(name)
    old = only_version(hello, TLS12)
    assert old.session_id == b""
    assert old.versions[0] == old.legacy_version == TLS12
    assert {SUITES[code].max_version for code in old.suites} <= {"TLS 1.2", ""}
    assert {43, 51, 45, 41, 42, ech.ECH} & set(old.extension_types) == set()
    assert all(GROUPS[code].tls12 for code in old.groups)
    assert set(old.suites) < set(hello.suites) or TLS13 not in hello.versions
    kept = [item for item in hello.extensions or () if item.type in old.extension_types and item.type not in {10, 21}]
    assert [item for item in old.extensions or () if item.type not in {10, 21}] == kept
    if TLS13 in hello.versions:
        new = only_version(hello, TLS13)
        assert [code for code in new.versions if code not in GREASE] == [TLS13]
        assert {SUITES[code].min_version for code in new.suites} <= {"TLS 1.3", ""}
        assert {11, 23, 35, 0xFF01} & set(new.extension_types) == set()
    else:
        with pytest.raises(UsageError, match=r"TLS 1\.3: is not among the versions"):
            only_version(hello, TLS13)


def test_hello_for_tls12_alone_is_apples_for_it() -> None:
    old = only_version(made("apple-mdm-27"), TLS12)
    assert [SUITES[code].name.partition("_WITH_")[2] for code in old.suites[1:]] == [
        "AES_256_GCM_SHA384",
        "AES_128_GCM_SHA256",
    ] * 2
    assert 23 in old.extension_types
    assert old.groups[1:] == (29, 23, 24, 25)


GOOD = b"""
title = "T"
platform = "P"
releases = "R"
source = "S"
synthetic = false

[hello]
session_id = 0
suites = ["GREASE", "0xC02F"]
extensions = ["server_name", "supported_groups", { type = "renegotiation_info", body = "00" }]
groups = ["x25519"]
"""


def test_smallest_file_is_a_profile() -> None:
    client = read_profile("small", GOOD)
    assert (client.name, client.note, client.hello.suites, client.hello.groups) == ("small", "", (SLOT, 0xC02F), (29,))
    assert profile_hello(client, rng=Random(1), server_name=None).session_id == b""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'title = "T"', b"", "small.toml: Object missing required field `title`"),
        (b"synthetic = false", b'synthetic = "no"', "small.toml: Expected `bool`, got `str` - at `$.synthetic`"),
        (b"synthetic = false", b"synthetic = false\ncolour = 1", "unknown field `colour`"),
        (b"[hello]", b"[hello", "small.toml: "),
        (b"0xC02F", b"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA257", "did you mean TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        (b'groups = ["x25519"]', b"", "hello.groups: goes with supported_groups among the extensions"),
        (b"session_id = 0", b'session_id = 0\nalpn = ["h2"]', "hello.alpn: goes with application_layer"),
        (b"session_id = 0", b"session_id = 0\nech_payload = 9", "hello.ech_payload: goes with encrypted_client_hello"),
        (b'body = "00"', b'body = "0g"', "small.toml: non-hexadecimal number"),
        (b'body = "00"', b'body = "0500"', "renegotiation_info"),
        (b'"renegotiation_info"', b'"supported_groups"', "supported_groups: has no body of its own here"),
    ],
)
def test_fault_of_a_file_is_told_in_a_line(old: bytes, new: bytes, told: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as fault:
        read_profile("small", GOOD.replace(old, new))
    assert told in str(fault.value)
    assert "small.toml" in str(fault.value)


def test_name_of_no_profile_brings_the_nearest() -> None:
    with pytest.raises(LookupFailedError, match="did you mean safari-26"):
        profile("Safari26")
    with pytest.raises(LookupFailedError, match=r"'\.\./x': is no profile"):
        profile("../x")


@pytest.fixture(scope="module", params=["nginx-b", "mlkem"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    with running(require(request.param).name) as started:
        yield request.param, started.port


@pytest.mark.stacks
def test_real_servers_complete_the_handshake_of_every_profile(server: tuple[str, int]) -> None:
    stack, port = server
    for name in NAMES:
        hello = made(name, server_name=b"localhost")
        talk = tlswire.converse("127.0.0.1", port, hello, timeout=10)
        hybrid = 0x11EC in hello.groups
        if stack == "nginx-b" or hybrid:
            assert talk.kind == "finished", (name, talk.kind, talk.reason)
            assert stack != "mlkem" or talk.group == 0x11EC
        else:
            assert talk.kind == "alert", (name, talk.kind)
        if stack == "nginx-b":
            old = tlswire.converse("127.0.0.1", port, only_version(hello, TLS12), timeout=10)
            assert (old.kind, old.version) == ("finished", TLS12), name
