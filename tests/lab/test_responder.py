from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tlswire.errors import LookupFailedError
from tlswire.hello.shares import probe_share
from tlswire.lab.actions import Action, Close, Hold, Send, Wait
from tlswire.lab.characters import (
    CHARACTERS,
    SSLV2,
    SSLV3,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    Character,
    accepted,
    character,
)
from tlswire.lab.negotiation import signs
from tlswire.lab.responder import Conversation, greet, respond
from tlswire.registry import GROUPS, SSLV2_KINDS, SUITES
from tlswire.wire import sslv2
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.handshake import CERTIFICATE_REQUEST, SERVER_KEY_EXCHANGE, body_grammar, parse_server_hello
from tlswire.wire.messages import ClientHello, Extension, ServerHello
from tlswire.wire.primitives import parse
from tlswire.wire.records import ALERT, HANDSHAKE, Deframer, Message, fragment
from tlswire.wire.records import SSLV2 as SSLV2_RECORD

from .hellos import ABSENT, SHARES, client_hello, named, sslv2_wire, wire

ECDHE_RSA_GCM, RSA_CBC, RSA_ARIA = 0xC02F, 0x002F, 0xC03C
EVERY_GROUP = tuple(row.code for row in GROUPS if row.kind not in {"grease", "explicit"})
EVERY_SCHEME = character("museum").schemes


def sent(actions: list[Action]) -> bytes:
    return b"".join(action.data * action.times for action in actions if isinstance(action, Send))


def messages(actions: list[Action]) -> list[Message]:
    deframer = Deframer(max_message=1 << 24)
    found = deframer.feed(sent(actions))
    assert deframer.error is None
    assert deframer.pending == 0
    return found


def server_hello(actions: list[Action]) -> ServerHello | None:
    found = [message for message in messages(actions) if (message.content, message.type) == (HANDSHAKE, 2)]
    return parse_server_hello(found[0].body) if found else None


def alert(actions: list[Action]) -> int | None:
    found = [message.body[1] for message in messages(actions) if message.content == ALERT and message.body[0] == 2]
    return found[0] if found else None


def fitting(of: Character, version: int, suites: tuple[int, ...]) -> ClientHello:
    """A hello that refuses nothing to the server but what version and suites say."""
    group = of.groups[0]
    extra: dict[str, Any] = {"e10": EVERY_GROUP, "e13": EVERY_SCHEME, "e16": (b"h2",)}
    if version == TLS13:
        extra["e51"] = (KeyShareEntry(group, probe_share(group)),)
    return (
        named(client_hello(version, suites, **extra), b"lab.example")
        if version > SSLV3
        else client_hello(version, suites)
    )


@pytest.mark.parametrize("name", CHARACTERS)
def test_every_accepted_suite_is_chosen_when_offered_alone(name: str) -> None:
    of = CHARACTERS[name]
    for version, suites in accepted(of).items():
        for suite in suites if version != SSLV2 else ():
            answer = server_hello(respond(of, fitting(of, version, (suite,))))
            assert answer is not None, SUITES[suite].name
            assert (answer.version, answer.suite) == (version, suite)


@pytest.mark.parametrize("name", ["modern", "legacy-mdm", "museum", "plain", "list-intolerant", "mlkem-only"])
def test_every_other_suite_is_refused_when_offered_alone(name: str) -> None:
    of = CHARACTERS[name]
    for version in (SSLV3, TLS10, TLS11, TLS12, TLS13):
        for row in SUITES:
            if row.code in accepted(of).get(version, ()):
                continue
            answer = server_hello(respond(of, fitting(of, version, (row.code,))))
            assert answer is None or answer.version != version, row.name


def test_the_museum_shows_every_sort_and_not_everything() -> None:
    truth = accepted(character("museum"))
    assert set(truth) == {SSLV2, SSLV3, TLS10, TLS11, TLS12, TLS13}
    assert truth[SSLV2] == {row.code for row in SSLV2_KINDS}
    shown = [SUITES[code] for version, codes in truth.items() if version != SSLV2 for code in codes]
    assert {"KRB5", "PSK", "anon", "SRP", "DSS", "FORTEZZA", "GOST2001", "SM2", "ECCPWD"} <= {row.auth for row in shown}
    assert any(row.export for row in shown)
    assert 0xCC13 in truth[TLS12]
    for version in (SSLV3, TLS10, TLS11):
        assert any(SUITES[code].min_version == "TLS 1.2" for code in truth[version])
    assert sum(len(codes) for codes in truth.values()) > 800
    assert 0xC0A1 not in truth[TLS12]
    assert not any(0x00FF in codes or 0x5600 in codes for codes in truth.values())


@pytest.mark.parametrize("name", ["museum", "legacy-mdm", "modern"])
def test_every_message_of_a_first_flight_parses(name: str) -> None:
    of = CHARACTERS[name]
    for version in (SSLV3, TLS10, TLS11, TLS12):
        for suite in accepted(of).get(version, ()):
            for message in messages(respond(of, fitting(of, version, (suite,)))):
                value = parse(body_grammar(message.type, version, suite), message.body)
                if message.type == SERVER_KEY_EXCHANGE and signs(suite):
                    assert value.signature


@pytest.mark.parametrize("version", [SSLV3, TLS10, TLS12])
def test_flight_order(version: int) -> None:
    museum = character("museum")
    assert [message.type for message in messages(respond(museum, fitting(museum, version, (0x0033,))))] == [
        2,
        11,
        12,
        14,
    ]
    assert [message.type for message in messages(respond(museum, fitting(museum, version, (0x0034,))))] == [2, 12, 14]
    assert [message.type for message in messages(respond(museum, fitting(museum, version, (0x002F,))))] == [2, 11, 14]


def test_a_tls13_flight_is_a_hello_and_records_that_look_encrypted() -> None:
    found = messages(respond(character("modern"), client_hello(TLS13, (0x1301,))))
    assert [message.content for message in found] == [22, 20, 23, 23, 23, 23]
    without_session = msgspec.structs.replace(client_hello(TLS13, (0x1301,)), session_id=b"")
    found = messages(respond(character("modern"), without_session))
    assert [message.content for message in found] == [22, 23, 23, 23, 23]


def test_a_seed_gives_identical_bytes() -> None:
    hello = client_hello(TLS12, (ECDHE_RSA_GCM,))
    modern = character("modern")
    assert respond(modern, hello, seed=7) == respond(modern, hello, seed=7)
    assert respond(modern, hello, seed=7) != respond(modern, hello, seed=8)
    other = msgspec.structs.replace(hello, random=bytes(32))
    first, second = server_hello(respond(modern, hello)), server_hello(respond(modern, other))
    assert first is not None
    assert second is not None
    assert first.random != second.random


@pytest.mark.parametrize(("name", "chosen"), [("plain", 0xC02F), ("museum", 0x002F)])
def test_preference(name: str, chosen: int) -> None:
    answer = server_hello(respond(CHARACTERS[name], client_hello(TLS12, (0x002F, 0xC02F, 0x0035))))
    assert answer is not None
    assert answer.suite == chosen


@pytest.mark.parametrize(
    ("name", "legacy", "listed", "expected"),
    [
        ("modern", 0x0303, None, TLS12),
        ("modern", 0x0304, None, TLS12),
        ("modern", 0x03FF, None, TLS12),
        ("modern", 0x0302, None, None),
        ("modern", 0x0303, (0x0304, 0x0303), TLS13),
        ("modern", 0x0300, (0x0304,), None),
        ("modern", 0x0301, (0x0304,), TLS13),
        ("modern", 0x0303, (0x7A7A, 0x0303), TLS12),
        ("modern", 0x0303, (0x0302, 0x0301), None),
        ("plain", 0x0303, (0x0302, 0x0301), TLS11),
        ("plain", 0x0300, None, None),
        ("legacy-mdm", 0x0303, (0x0304,), TLS12),
        ("museum", 0x0300, None, SSLV3),
        ("museum", 0x0400, None, TLS12),
        ("version-intolerant", 0x0303, None, None),
        ("version-intolerant", 0x0301, None, TLS10),
    ],
)
def test_version(name: str, legacy: int, listed: tuple[int, ...] | None, expected: int | None) -> None:
    extra: dict[str, Any] = {} if listed is None else {"e43": listed, "e51": SHARES}
    suites = (0x1301, 0xC02F, 0xC013, 0x002F)
    hello = msgspec.structs.replace(client_hello(TLS12, suites, **extra), legacy_version=legacy)
    actions = respond(CHARACTERS[name], hello)
    answer = server_hello(actions)
    assert (answer.version if answer else None) == expected
    if expected is None:
        assert alert(actions) == 70


@pytest.mark.parametrize(
    ("version", "changes", "expected"),
    [
        (TLS13, {"e10": ABSENT}, 109),
        (TLS13, {"e13": ABSENT}, 109),
        (TLS13, {"e51": ABSENT}, 109),
        (TLS13, {"e13": (0x0401, 0x0501)}, 40),
        (TLS13, {"e10": (0x0018,), "e51": ()}, 40),
        (TLS13, {"e51": (KeyShareEntry(0x1D, bytes(31)),)}, 47),
        (TLS13, {"e51": (KeyShareEntry(0x17, b"\x04" + bytes(64)),)}, 47),
        (TLS13, {"e51": (SHARES[0], SHARES[0])}, 47),
        (TLS13, {"e10": (0x17,), "e51": (SHARES[0],)}, 47),
        (TLS12, {"e10": (0x0019,)}, 40),
        (TLS12, {"e13": (0x0202,)}, 40),
        (TLS12, {"e13": ABSENT}, 40),
        (TLS12, {"e11": (1,)}, 47),
        (TLS12, {"e16": (b"spdy/3",)}, 120),
    ],
)
def test_alerts_of_the_modern_server(version: int, changes: dict[str, Any], expected: int) -> None:
    actions = respond(character("modern"), client_hello(version, (0x1301, ECDHE_RSA_GCM), **changes))
    assert alert(actions) == expected
    assert actions[-1] == Close()


@pytest.mark.parametrize(
    ("version", "fields", "expected"),
    [
        (TLS13, {"compression": (1, 0)}, 47),
        (TLS12, {"compression": (1,)}, 47),
        (TLS12, {"extensions": (Extension(23, b""), Extension(23, b""))}, 47),
        (TLS12, {"extensions": (Extension(10, b"\x00\x03\x00\x1d\x00"),)}, 50),
        (TLS12, {"suites": (ECDHE_RSA_GCM, 0x5600)}, 86),
        (TLS12, {"suites": (0x0005,)}, 40),
    ],
)
def test_alerts_to_other_fields(version: int, fields: dict[str, Any], expected: int) -> None:
    hello = msgspec.structs.replace(client_hello(version, (0x1301, ECDHE_RSA_GCM)), **fields)
    assert alert(respond(character("modern"), hello)) == expected


def test_retry_then_answer() -> None:
    conversation = Conversation(character("modern"))
    first = client_hello(TLS13, (0x1301,), e10=(0x1D, 0x17), e51=())
    retry = server_hello(conversation.receive(wire(first)))
    assert retry is not None
    assert retry.is_retry
    assert (retry.group, retry.suite) == (0x1D, 0x1301)
    change = fragment(20, TLS12, b"\x01")
    second = client_hello(TLS13, (0x1301,), e10=(0x1D, 0x17), e51=(SHARES[0],))
    answer = server_hello(conversation.receive(change + wire(second)))
    assert answer is not None
    assert not answer.is_retry
    assert answer.group == 0x1D


@pytest.mark.parametrize(
    "changes",
    [
        {"e51": ()},
        {"e51": (SHARES[1],)},
        {"e51": SHARES},
        {"e51": (SHARES[0],), "e42": None},
        {"e51": (SHARES[0],), "e43": (0x0303,)},
    ],
)
def test_a_second_hello_that_does_not_do_as_asked_is_refused(changes: dict[str, Any]) -> None:
    conversation = Conversation(character("modern"))
    assert conversation.receive(wire(client_hello(TLS13, (0x1301, ECDHE_RSA_GCM), e51=())))
    second = {"e10": (0x1D, 0x17)} | changes
    assert alert(conversation.receive(wire(client_hello(TLS13, (0x1301, ECDHE_RSA_GCM), **second)))) == 47


def test_downgrade_is_marked_in_the_random() -> None:
    for name, version, end in (
        ("plain", TLS12, b"DOWNGRD\x01"),
        ("plain", TLS11, b"DOWNGRD\x00"),
        ("plain", TLS10, b"DOWNGRD\x00"),
    ):
        answer = server_hello(respond(CHARACTERS[name], client_hello(version, (0xC013,))))
        assert answer is not None
        assert answer.random.endswith(end)
    answer = server_hello(respond(character("legacy-mdm"), client_hello(TLS12, (0xC013,))))
    assert answer is not None
    assert b"DOWNGRD" not in answer.random


def test_what_an_old_mdm_server_lacks() -> None:
    found = messages(respond(character("legacy-mdm"), client_hello(TLS12, (RSA_CBC, 0x00FF), e16=(b"h2",))))
    answer = parse_server_hello(found[0].body)
    assert answer.extension_types == (0xFF01,)
    assert CERTIFICATE_REQUEST in [message.type for message in found]
    modern = server_hello(respond(character("modern"), client_hello(TLS12, (ECDHE_RSA_GCM,), e16=(b"x", b"h2"))))
    assert modern is not None
    assert modern.alpn == b"h2"
    assert 23 in modern.extension_types


def test_the_museum_compresses_and_answers_no_renegotiation_info() -> None:
    hello = msgspec.structs.replace(client_hello(TLS12, (RSA_CBC,), e22=None, e15=1), compression=(0, 1))
    answer = server_hello(respond(character("museum"), hello))
    assert answer is not None
    assert answer.compression == 1
    assert set(answer.extension_types) == {15, 22}


def test_sslv2() -> None:
    conversation = Conversation(character("museum"))
    found = messages(conversation.receive(sslv2_wire((0x010080, 0x0700C0, 0x123456))))
    assert [(message.content, message.type) for message in found] == [(SSLV2_RECORD, sslv2.SERVER_HELLO)]
    assert sslv2.parse_sslv2_server_hello(found[0].body).kinds == (0x010080, 0x0700C0)
    found = messages(Conversation(character("museum")).receive(sslv2_wire((0x123456,))))
    assert found[0].type == sslv2.ERROR
    assert alert(Conversation(character("modern")).receive(sslv2_wire((0x010080,)))) == 70


def test_a_tls_hello_in_an_sslv2_record() -> None:
    answer = server_hello(Conversation(character("museum")).receive(sslv2_wire((0x010080, 0x00002F), version=0x0301)))
    assert answer is not None
    assert (answer.version, answer.suite) == (TLS10, RSA_CBC)


@pytest.mark.parametrize("size", [1, 2, 3, 60])
def test_a_hello_may_come_in_pieces_and_small_records(size: int) -> None:
    whole = wire(client_hello(TLS12, (ECDHE_RSA_GCM,)))
    data = fragment(HANDSHAKE, 0x0301, whole[5:], size=size)
    conversation = Conversation(character("modern"))
    answers = [conversation.receive(data[at : at + 7]) for at in range(0, len(data), 7)]
    assert not any(answers[:-1])
    assert server_hello(answers[-1]) is not None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 10),
        (fragment(20, TLS12, b"\x01"), 10),
        (fragment(23, TLS12, b"hello"), 10),
        (fragment(HANDSHAKE, TLS12, b"\x02\x00\x00\x01\x00"), 10),
        (fragment(HANDSHAKE, TLS12, b"\x01\x00\x00\x01\x00"), 50),
    ],
)
def test_what_is_no_hello_is_refused(data: bytes, expected: int) -> None:
    assert alert(Conversation(character("plain")).receive(data)) == expected


def test_a_suite_that_cannot_be_computed_ends_after_the_second_flight() -> None:
    conversation = Conversation(character("museum"))
    assert messages(conversation.receive(wire(client_hello(TLS12, (RSA_ARIA,)))))[-1].type == 14
    assert conversation.receive(fragment(HANDSHAKE, TLS12, b"\x10\x00\x00\x02\x00\x00")) == []
    actions = conversation.receive(fragment(20, TLS12, b"\x01") + fragment(HANDSHAKE, TLS12, bytes(40)))
    assert alert(actions) == 51
    assert actions[-1] == Close()
    assert conversation.receive(b"anything") == []


def test_a_goodbye_is_answered_with_fin_and_a_warning_with_nothing() -> None:
    conversation = Conversation(character("plain"))
    assert conversation.receive(fragment(ALERT, TLS12, b"\x01\x5a")) == []
    assert conversation.receive(fragment(ALERT, TLS12, b"\x01\x00")) == [Close()]


def test_greetings() -> None:
    assert greet(character("plain"), 10_000, 10_000) == []
    assert greet(character("tarpit"), 100, 1) == []
    assert greet(character("tarpit"), 101, 1) == [Hold()]
    assert greet(character("rate-limited"), 99, 20) == []


def test_drip_and_slow_are_actions() -> None:
    hello = client_hello(TLS12, (ECDHE_RSA_GCM,))
    dripped = respond(character("drip"), hello)
    assert sent(dripped) == sent(respond(character("plain"), hello))
    assert dripped[1::2] == [Wait(1.0)] * len(sent(dripped))
    assert respond(character("slow"), hello)[0] == Wait(0.1)


def test_an_unknown_character_is_told_the_nearest() -> None:
    with pytest.raises(LookupFailedError, match="modern"):
        character("modren")
