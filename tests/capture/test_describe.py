"""Hellos as results, field by field against a second reading of the same bytes that shares no code with the first."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.values import as_retry, values
from tlswire.capture import describe
from tlswire.capture.describe import (
    describe_client_hello,
    describe_hello,
    describe_partial_hello,
    describe_partial_server_hello,
    describe_server_hello,
    describe_sslv2_hello,
)
from tlswire.errors import WireError
from tlswire.hello.ech import ECH, ESNI, Encrypted, encrypted_client_hello
from tlswire.registry import GREASE
from tlswire.results.session import Ech, Hello
from tlswire.wire.dtls import encode_dtls_client_hello, parse_dtls_client_hello
from tlswire.wire.extensions import encode_extension, grammar_of
from tlswire.wire.handshake import CLIENT_HELLO_BODY, SERVER_HELLO_BODY, parse_client_hello
from tlswire.wire.messages import ClientHello, Extension, ServerHello
from tlswire.wire.partial import has_whole_lists
from tlswire.wire.primitives import build
from tlswire.wire.sslv2 import SSLV2_BODIES

if TYPE_CHECKING:
    from collections.abc import Callable

few = settings(max_examples=150, deadline=None, database=None, derandomize=True)
RANDOM = bytes(range(32))
RETRY = hashlib.sha256(b"HelloRetryRequest").digest()  # RFC 9846 section 4.2.3
HEAD = b"\x03\x03" + RANDOM
PRINTS = ("ja3", "ja3_text", "ja4", "ja4_r", "ja4_o", "ja4_ro")
LOOKED_AT = (0, 10, 11, 13, 16, 35, 40, 41, 42, 43, 51, ECH, ESNI)


def bodies(code: int, message: str) -> st.SearchStrategy[bytes]:
    """Bodies that follow the grammar of extension ``code``, such bodies cut short, and random bytes."""
    made = values(grammar_of(code, message)).map(lambda value: encode_extension(code, value, message))
    return st.one_of(made, made, made.map(lambda data: data[:-1]), st.binary(max_size=12))


def extensions(message: str) -> st.SearchStrategy[tuple[Extension, ...] | None]:
    code = st.sampled_from([*LOOKED_AT, *GREASE, 23, 0xFF01])
    one = code.flatmap(lambda code: st.builds(Extension, st.just(code), bodies(code, message)))
    return st.one_of(st.none(), st.lists(one, max_size=9).map(tuple))


def with_extensions(hello: Any, found: tuple[Extension, ...] | None) -> Any:
    return msgspec.structs.replace(hello, extensions=found)


def todays_retry(hello: ServerHello) -> ServerHello:
    # The HelloRetryRequest of drafts before 22 was another message, without this random.
    return msgspec.structs.replace(as_retry(hello), legacy_version=0x0303)


HELLOS = st.builds(with_extensions, values(CLIENT_HELLO_BODY), extensions("ch"))
ANSWERS = st.one_of(
    st.builds(with_extensions, values(SERVER_HELLO_BODY), extensions("sh")),
    st.builds(with_extensions, values(SERVER_HELLO_BODY).map(todays_retry), extensions("hrr")),
)


class Walk:
    """A position in bytes; IndexError where they end too early."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise IndexError
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def sized(self, width: int, least: int = 0) -> bytes:
        data = self.take(self.number(width))
        if len(data) < least:
            raise IndexError
        return data

    def more(self) -> bool:
        return self.at < len(self.data)


def every(data: bytes, one: Callable[[Walk], Any]) -> list[Any]:
    walk, found = Walk(data), []
    while walk.more():
        found.append(one(walk))
    return found


def listed(data: bytes | None, width: int, one: Callable[[Walk], Any]) -> list[Any]:
    """A list behind its length that fills ``data`` with whole items; none where that does not hold."""
    walk = Walk(data or b"")
    try:
        found = every(walk.sized(width), one)
    except IndexError:
        return []
    return [] if walk.more() else found


def shown(data: bytes) -> str:
    return "".join(chr(byte) if byte in range(32, 127) and byte != ord("\\") else f"\\x{byte:02x}" for byte in data)


def hexes(codes: list[int]) -> list[str]:
    return [f"0x{code:04X}" for code in codes]


def two(walk: Walk) -> int:
    return walk.number(2)


def share(walk: Walk) -> int:
    group = walk.number(2)
    walk.sized(2, 1)
    return group


def second_reading(body: bytes, transport: str) -> dict[str, Any]:
    """All fields of a whole ClientHello but its frame, its record version and what is judged of ECH."""
    walk = Walk(body)
    legacy, _, session = walk.number(2), walk.take(32), walk.sized(1)
    if transport == "d":
        walk.sized(1)
    suites = every(walk.sized(2), two)
    walk.sized(1)
    sent = every(walk.sized(2), lambda item: (item.number(2), item.sized(2))) if walk.more() else []
    types, first = [code for code, _ in sent], dict(reversed(sent))
    groups, schemes = listed(first.get(10), 2, two), listed(first.get(13), 2, two)
    formats = listed(first.get(11), 1, lambda item: item.number(1))
    names = listed(first.get(0), 2, lambda item: (item.number(1), item.sized(2, 1)))
    protocols = listed(first.get(16), 2, lambda item: item.sized(1, 1))
    versions = listed(first.get(43), 1, two)
    shares = listed(first.get(51), 2, share) or listed(first.get(40), 2, share)
    name = next((host for kind, host in names if kind == 0), None)
    return {
        "legacy_version": f"0x{legacy:04X}",
        "suites": hexes(suites),
        "extensions": types,
        "groups": hexes(groups),
        "key_shares": hexes(shares),
        "signature_schemes": hexes(schemes),
        "versions": hexes(versions),
        "point_formats": formats,
        "server_name": None if name is None else shown(name),
        "alpn": [shown(item) for item in protocols],
        "session_id": session != b"",
        "session_ticket": first.get(35, b"") != b"",
        "psk": 41 in first,
        "early_data": 42 in first,
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "partial": False,
    } | fingerprints(transport, legacy, (suites, types, groups, formats), (versions, schemes), protocols)


def fingerprints(
    transport: str, legacy: int, ja3: tuple[list[int], ...], ja4: tuple[list[int], ...], protocols: list[bytes]
) -> dict[str, str]:
    """The six fingerprints by the words of their specifications (technical_details/JA4.md, README of JA3)."""
    suites, types, groups = ([code for code in codes if code not in GREASE] for codes in ja3[:3])
    versions, schemes = ([code for code in codes if code not in GREASE] for codes in ja4)
    text = ",".join("-".join(map(str, codes)) for codes in ([legacy], suites, types, groups, ja3[3]))
    newest = (min if versions and versions[0] >= 0xFE00 else max)(versions or [legacy])
    marks = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
    marks |= {0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3"}
    alpn = "00"
    if protocols:
        ends = chr(protocols[0][0]) + chr(protocols[0][-1])
        alpn = ends if ends.isascii() and ends.isalnum() else protocols[0].hex()[0] + protocols[0].hex()[-1]
    head = f"{transport}{marks.get(newest, '00')}{'d' if 0 in types else 'i'}{min(len(suites), 99):02}"
    head += f"{min(len(types), 99):02}{alpn}"
    behind = "_" + ",".join(f"{code:04x}" for code in schemes) if schemes else ""
    kept = [code for code in types if code not in {0, 16}]
    sorted_parts = (",".join(f"{c:04x}" for c in sorted(suites)), ",".join(f"{c:04x}" for c in sorted(kept)) + behind)
    sent_parts = (",".join(f"{c:04x}" for c in suites), ",".join(f"{c:04x}" for c in types) + behind)

    def hashed(parts: tuple[str, str]) -> str:
        return "_".join(hashlib.sha256(part.encode()).hexdigest()[:12] if part else "0" * 12 for part in parts)

    return {
        "ja3": hashlib.md5(text.encode()).hexdigest(),
        "ja3_text": text,
        "ja4": f"{head}_{hashed(sorted_parts)}",
        "ja4_r": f"{head}_{sorted_parts[0]}_{sorted_parts[1]}",
        "ja4_o": f"{head}_{hashed(sent_parts)}",
        "ja4_ro": f"{head}_{sent_parts[0]}_{sent_parts[1]}",
    }


def facts(hello: Hello | None) -> dict[str, Any]:
    assert hello is not None
    return {key: value for key, value in msgspec.structs.asdict(hello).items() if key not in {"frame", "ech"}}


@few
@given(hello=HELLOS, transport=st.sampled_from("tq"), version=st.integers(0, 0xFFFF))
def test_every_field_is_what_a_second_reading_finds(hello: ClientHello, transport: str, version: int) -> None:
    body = build(CLIENT_HELLO_BODY, hello)
    found, fault = describe_hello(7, version, body, transport)
    assert fault is None
    assert facts(found) == second_reading(body, transport) | {"record_version": f"0x{version:04X}"}
    assert found is not None
    assert found.frame == 7
    judged = encrypted_client_hello(hello)
    assert found.ech == (None if judged is None else Ech(**msgspec.structs.asdict(judged)))
    assert describe_hello(8, version, body, transport)[0] == msgspec.structs.replace(found, frame=8)


@few
@given(hello=HELLOS, cookie=st.binary(max_size=40))
def test_every_field_of_a_dtls_hello_is_what_a_second_reading_finds(hello: ClientHello, cookie: bytes) -> None:
    body = encode_dtls_client_hello(hello, cookie)
    value, _ = parse_dtls_client_hello(body)
    found = describe_client_hello(1, 0xFEFD, value, body, "d")
    assert facts(found) == second_reading(body, "d") | {"record_version": "0xFEFD"}


LISTS = ("suites", "extensions", "groups", "key_shares", "signature_schemes", "versions", "point_formats", "alpn")


@few
@given(hello=HELLOS, transport=st.sampled_from("tqd"), data=st.data())
def test_beginning_of_a_hello_says_less_than_the_whole_and_nothing_else(
    hello: ClientHello, transport: str, data: st.DataObject
) -> None:
    whole = build(CLIENT_HELLO_BODY, hello) if transport != "d" else encode_dtls_client_hello(hello, b"cookie")
    cut = data.draw(st.integers(0, len(whole) - 1))
    found = describe_partial_hello(3, 0x0301, whole[:cut], len(whole), transport)
    assert (found is None) == (cut < 34)
    if found is None:
        return
    all_of_it = second_reading(whole, transport)
    assert found.partial
    assert [getattr(found, name) for name in PRINTS] == [None] * len(PRINTS)
    assert (found.length, found.sha256) == (len(whole), hashlib.sha256(whole[:cut]).hexdigest())
    assert found.legacy_version == all_of_it["legacy_version"]
    for name in ("suites", "extensions"):
        assert getattr(found, name) == all_of_it[name][: len(getattr(found, name))]
    for name in LISTS[2:]:
        # A duplicate that is cut off counts for nothing: the first of a type is never behind another.
        assert getattr(found, name) in (all_of_it[name], []) or {51, 40} <= set(all_of_it["extensions"])
    assert found.server_name in {all_of_it["server_name"], None}
    for name in ("session_id", "session_ticket", "psk", "early_data"):
        assert getattr(found, name) <= all_of_it[name]


@few
@given(hello=HELLOS, data=st.data())
def test_body_that_breaks_the_grammar_has_fingerprints_only_with_both_lists_whole(
    hello: ClientHello, data: st.DataObject
) -> None:
    body = build(CLIENT_HELLO_BODY, hello)
    at = data.draw(st.integers(0, len(body)))
    body = body[:at] + data.draw(st.binary(max_size=3)) + body[at + data.draw(st.integers(0, 3)) :]
    found, fault = describe_hello(1, 0x0301, body, "t")
    if fault is None:
        assert facts(found) == second_reading(body, "t") | {"record_version": "0x0301"}
    elif found is None:
        assert len(body) < 34
    else:
        assert found.partial
        present = [getattr(found, name) is not None for name in PRINTS]
        assert present == [has_whole_lists(body)] * len(PRINTS)
        assert found.length == len(body)


@few
@given(data=st.binary(max_size=150), head=st.booleans(), transport=st.sampled_from("tqd"))
def test_random_bytes_are_described_or_refused_in_words(data: bytes, head: bool, transport: str) -> None:
    body = HEAD + data if head else data
    found, fault = describe_hello(1, 0, body, transport)
    assert found is not None or isinstance(fault, WireError)
    describe_partial_hello(1, 0, body, len(body) + 1, transport)
    describe_partial_server_hello(1, 0, body)
    with suppress(WireError):
        describe_sslv2_hello(1, body)
    with suppress(WireError):
        describe_server_hello(1, 0, body)


def test_answer_of_one_byte_that_begins_a_draft_is_refused_in_words() -> None:
    with pytest.raises(WireError):
        describe_server_hello(1, 0, b"\x7f")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"a\x1b]0;title\x07.example", "a\\x1b]0;title\\x07.example"),
        (b"nul\x00byte", "nul\\x00byte"),
        (b"line\r\nfeed", "line\\x0d\\x0afeed"),
        ("b\u00fccher\u202e".encode(), "b\\xc3\\xbccher\\xe2\\x80\\xae"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"\\x41", "\\x5cx41"),
        (b"\x7f\x80", "\\x7f\\x80"),
        (b"n" * 300 + b"\x1b", "n" * 300 + "\\x1b"),
    ],
)
def test_hostile_names_come_out_as_printable_ascii(name: bytes, text: str) -> None:
    host = b"\x00" + len(name).to_bytes(2, "big") + name
    sent = [Extension(0, len(host).to_bytes(2, "big") + host)]
    if len(name) < 256:
        sent.append(Extension(16, (len(name) + 1).to_bytes(2, "big") + bytes((len(name),)) + name))
    body = build(CLIENT_HELLO_BODY, ClientHello(0x0303, RANDOM, b"", (0x1301,), (0,), tuple(sent)))
    found, _ = describe_hello(1, 0x0301, body, "t")
    assert found is not None
    assert found.server_name == text
    assert found.alpn == [text] * (len(sent) - 1)
    cut = describe_partial_hello(1, 0x0301, body + b"more", len(body) + 9, "t")
    assert cut is not None
    assert cut.server_name == text


def test_hostile_protocol_of_a_server_comes_out_as_printable_ascii() -> None:
    answer = ServerHello(0x0303, RANDOM, b"", 0xC02F, 0, (Extension(16, b"\x00\x05\x04\x00\x1b[m"),))
    found, _ = describe_server_hello(1, 0x0303, build(SERVER_HELLO_BODY, answer))
    assert found.alpn == "\\x00\\x1b[m"


def test_name_of_another_type_is_no_server_name() -> None:
    entries = b"\x01\x00\x03abc" + b"\x00\x00\x03def"
    body = build(
        CLIENT_HELLO_BODY,
        ClientHello(0x0303, RANDOM, b"", (1,), (0,), (Extension(0, len(entries).to_bytes(2, "big") + entries),)),
    )
    found, _ = describe_hello(1, 0, body, "t")
    assert found is not None
    assert found.server_name == "def"


def test_first_of_two_extensions_counts_and_both_are_listed() -> None:
    sent = (Extension(10, b"\x00\x02\x00\x1d"), Extension(10, b"\x00\x02\x00\x17"))
    body = build(CLIENT_HELLO_BODY, ClientHello(0x0303, RANDOM, b"", (1,), (0,), sent))
    found, _ = describe_hello(1, 0, body, "t")
    assert found is not None
    assert (found.extensions, found.groups) == ([10, 10], ["0x001D"])
    assert found.ja3_text == "771,1,10-10,29,"


@pytest.mark.parametrize(
    ("data", "shares"),
    [
        (b"\x00\x00", []),
        (b"\x00\x05\x00\x1d\x00\x01k", ["0x001D"]),
        (b"\x00\x0a\x0a\x0a\x00\x01\x00\x00\x1d\x00\x01k", ["0x0A0A", "0x001D"]),
        (b"\x00\x04\x00\x1d\x00\x00", []),  # KeyShareEntry.key_exchange<1..2^16-1>, RFC 9846 section 4.3.8
        (b"\x00\x09\x00\x1d\x00\x01k\x00\x17\x00\x00", []),
        (b"\x00\x09\x00\x17\x00\x00\x00\x1d\x00\x01k", []),
        (b"\x00\x05\x00\x1d\x00\x02k", []),
        (b"\x00\x05\x00\x1d\x00\x01k\x00", []),
        (b"\x00\x06\x00\x1d\x00\x01k\x00", []),
        (b"\x00\x06\x00\x1d\x00\x01k", []),
        (b"\x00", []),
        (b"", []),
    ],
)
@pytest.mark.parametrize("code", [51, 40])
def test_key_shares_are_read_whole_or_not_at_all(code: int, data: bytes, shares: list[str]) -> None:
    hello = ClientHello(0x0303, RANDOM, b"", (0x1301,), (0,), (Extension(code, data),))
    body = build(CLIENT_HELLO_BODY, hello)
    found, _ = describe_hello(1, 0, body, "t")
    assert found is not None
    assert found.key_shares == shares == hexes(list(parse_client_hello(body).key_shares))


def test_faulty_hello_has_the_same_fault_each_time_and_keeps_no_frames() -> None:
    body = HEAD + b"\x00\x00\x02\x13\x01\x00"
    first, second = (describe_hello(frame, 0x0301, body, "t") for frame in (1, 2))
    assert first[1] is not None
    assert str(first[1]) == str(second[1]) == "client_hello.compression: length 0 is outside 1..255 at byte 39"
    assert first[1].__traceback__ is None
    assert first[0] is not None
    assert second[0] == msgspec.structs.replace(first[0], frame=2)
    assert (first[0].suites, first[0].partial, first[0].ja3_text) == (["0x1301"], True, "771,4865,,,")


def test_transport_tells_equal_bodies_apart() -> None:
    body = HEAD + b"\x00\x00\x02\x13\x01\x01\x00"
    marks = [found.ja4 for letter in "tq" if (found := describe_hello(1, 0, body, letter)[0]) is not None]
    assert marks == ["t12i010000_0f2cb44170f4_000000000000", "q12i010000_0f2cb44170f4_000000000000"]


def test_memory_is_bounded_and_long_hellos_are_not_kept() -> None:
    for number in range(describe._REMEMBERED + 9):
        describe_hello(1, 0, HEAD + b"\x00\x00\x02" + number.to_bytes(2, "big") + b"\x01\x00", "t")
    assert len(describe._hellos) <= describe._REMEMBERED
    long = HEAD + b"\x00\xff\xfe" + bytes(0xFFFE) + b"\x01\x00"
    found, fault = describe_hello(1, 0, long, "t")
    assert found is not None
    assert fault is None
    assert len(found.suites) == 0x7FFF
    assert ("t", long, b"") not in describe._hellos


def test_ech_has_the_fields_of_its_result_in_their_order() -> None:
    assert Encrypted.__struct_fields__ == Ech.__struct_fields__


def group_of(data: bytes | None, *, retry: bool) -> int | None:
    """The group of a key_share (RFC 9846 section 4.3.8): alone in a retry, before a key in a ServerHello."""
    walk = Walk(data or b"")
    try:
        group = walk.number(2) if retry else share(walk)
    except IndexError:
        return None
    return None if walk.more() else group


def second_reading_of_an_answer(answer: ServerHello, record_version: int) -> dict[str, Any]:
    retry = answer.random == RETRY
    types = [item.type for item in answer.extensions or ()]
    first = {item.type: item.data for item in reversed(answer.extensions or ())}
    chosen = first.get(43, b"")
    version = int.from_bytes(chosen, "big") if len(chosen) == 2 else answer.legacy_version
    group = group_of(first.get(51), retry=retry) or group_of(first.get(40), retry=retry)
    protocols = listed(first.get(16), 2, lambda item: item.sized(1, 1))
    text = f"{answer.legacy_version},{answer.suite},{'-'.join(map(str, types))}"
    return {
        "kind": "retry" if retry else "hello",
        "record_version": f"0x{record_version:04X}",
        "legacy_version": f"0x{answer.legacy_version:04X}",
        "version": f"0x{version:04X}",
        "suite": f"0x{answer.suite:04X}",
        "extensions": types,
        "group": None if group is None else f"0x{group:04X}",
        "alpn": shown(protocols[0]) if protocols else None,
        "ja3s": hashlib.md5(text.encode()).hexdigest(),
        "ja3s_text": text,
        "extended_master_secret": 23 in types,
        "psk": 41 in types,
        "partial": False,
    }


@few
@given(answer=ANSWERS, version=st.integers(0, 0xFFFF))
def test_every_field_of_an_answer_is_what_a_second_reading_finds(answer: ServerHello, version: int) -> None:
    body = build(SERVER_HELLO_BODY, answer)
    found, value = describe_server_hello(5, version, body)
    named = ("version_name", "suite_name", "group_name")
    fields = {key: item for key, item in msgspec.structs.asdict(found).items() if key not in {"frame", *named}}
    assert fields == second_reading_of_an_answer(value, version)
    assert value.extensions == answer.extensions
    assert describe_server_hello(6, version, body)[0] == msgspec.structs.replace(found, frame=6)


@few
@given(answer=ANSWERS, data=st.data())
def test_beginning_of_an_answer_says_no_more_than_the_whole(answer: ServerHello, data: st.DataObject) -> None:
    body = build(SERVER_HELLO_BODY, answer)
    whole, _ = describe_server_hello(1, 0, body)
    cut = data.draw(st.integers(0, len(body) - 1))
    found = describe_partial_server_hello(1, 0, body[:cut])
    if found is None:
        assert cut < 38 + len(answer.session_id)
        return
    part = found[0]
    assert part.partial
    assert part.ja3s is part.ja3s_text is None
    assert (part.kind, part.suite, part.legacy_version) == (whole.kind, whole.suite, whole.legacy_version)
    assert part.extensions == whole.extensions[: len(part.extensions)]


def test_names_stand_beside_the_codes_of_an_answer() -> None:
    share = Extension(51, b"\x00\x1d\x00\x01k")
    answer = ServerHello(0x0303, RANDOM, b"", 0x1301, 0, (Extension(43, b"\x03\x04"), share))
    found, _ = describe_server_hello(1, 0x0303, build(SERVER_HELLO_BODY, answer))
    assert (found.version_name, found.suite_name, found.group_name) == ("TLS 1.3", "TLS_AES_128_GCM_SHA256", "x25519")
    # The value that most servers of TLS 1.3 have; tshark prints the same.
    assert found.ja3s == "f4febc55ea12b31ae17cfb7e614afda8"
    unknown = ServerHello(0x0305, RANDOM, b"", 0xEEEE, 0)
    found, _ = describe_server_hello(1, 0x0303, build(SERVER_HELLO_BODY, unknown))
    assert (found.version_name, found.suite_name, found.group_name) == ("0x0305", "0xEEEE", None)


def test_alpn_has_no_place_in_a_retry_and_does_no_harm_there() -> None:
    # RFC 9846 section 4.3: ALPN is not among the extensions of a HelloRetryRequest, so its body is opaque.
    answer = ServerHello(0x0303, RETRY, b"", 0x1301, 0, (Extension(16, b"\x00\x03\x02h2"),))
    assert describe_server_hello(1, 0x0303, build(SERVER_HELLO_BODY, answer))[0].alpn is None


@few
@given(hello=values(SSLV2_BODIES[1]))
def test_every_field_of_an_sslv2_hello_is_what_a_second_reading_finds(hello: Any) -> None:
    body = build(SSLV2_BODIES[1], hello)
    found = describe_sslv2_hello(9, body)
    version, kinds, session, challenge = (int.from_bytes(body[at : at + 2], "big") for at in (0, 2, 4, 6))
    assert len(body) == 8 + kinds + session + challenge
    assert (found.frame, found.record_version, found.legacy_version) == (9, "0x0002", f"0x{version:04X}")
    assert found.suites == [f"0x{body[at : at + 3].hex().upper()}" for at in range(8, 8 + kinds, 3)]
    assert found.session_id == (session > 0)
    assert (found.length, found.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    # The fingerprints are made of lists that SSLv2 does not have.
    assert [getattr(found, name) for name in (*PRINTS, "server_name", "ech")] == [None] * 8
    assert [getattr(found, name) for name in LISTS[1:]] == [[]] * 7
    assert not any((found.partial, found.session_ticket, found.psk, found.early_data))
