"""The strict server reacts to the fuzzer's catalogue as the RFCs require; each plant is wrong where its row says."""

from __future__ import annotations

import functools
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.errors import WireError
from tlswire.handshake.client import Client
from tlswire.hello.edit import with_extension
from tlswire.lab import server
from tlswire.lab.actions import Send
from tlswire.lab.characters import CHARACTERS, TLS12, TLS13, accepted, character
from tlswire.lab.plants import PLANTS, SHOWN_BY
from tlswire.lab.quirks import Edge
from tlswire.lab.responder import Conversation
from tlswire.lab.server import HOST, running
from tlswire.lab.sessions import Sessions
from tlswire.registry import GREASE
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import parse_client_hello, parse_server_hello
from tlswire.wire.records import ALERT, HANDSHAKE, Deframer, Message

from .edgecases import BASE13, CASES, P256, X25519, wire
from .handshakes import complete, hello_for
from .hellos import ask, converse

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello, ServerHello

STRICT = character("strict")
GROUPS_OF_CASES = sorted({case[0] for case in CASES})
VERSIONS = pytest.mark.parametrize("version", [TLS12, TLS13])
USUAL = {TLS12: (0xC02F, 0x009C), TLS13: (0x1301,)}


def faults(hello: ClientHello, answer: ServerHello) -> str:
    """What a client would object to in a ServerHello."""
    offered = {*hello.extension_types, *([0xFF01] if 0xFF in hello.suites else ())}
    wrong = {
        "suite": answer.suite not in hello.suites or answer.suite in GREASE,
        "group": answer.group is not None and (answer.group not in hello.groups or answer.group in GREASE),
        "extension": not {*answer.extension_types} <= offered,
        "session-id": answer.version == TLS13 and answer.session_id != hello.session_id,
        "random": answer.version < TLS13 and not answer.random.endswith(b"DOWNGRD\1"),
    }
    return ",".join(name for name, found in wrong.items() if found)


def judged(message: Message, hello: ClientHello | None) -> str:
    try:
        answer = parse_server_hello(message.body)
    except WireError:
        return "garbled"
    kind = "retry" if answer.is_retry else f"hello1{answer.version - 0x0301}"
    fault = faults(hello, answer) if hello is not None else ""
    return f"{kind}:{fault}" if fault else kind


@functools.cache
def sent_hellos(case: str) -> list[ClientHello]:
    """The hellos of the case that can be read."""
    deframer, found = Deframer(), []
    for message in [message for piece in CASES[case][0] for message in deframer.feed(piece)]:
        if (message.content, message.type) == (HANDSHAKE, 1):
            try:
                found.append(parse_client_hello(message.body))
            except WireError:
                continue
    return found


@functools.cache
def reactions(name: str, case: str) -> list[str]:
    """What the character says to the case, in clear, and how it ends where it says nothing fatal."""
    conversation, pieces = Conversation(character(name)), CASES[case][0]
    actions = [action for piece in pieces for action in conversation.receive(piece)]
    messages = Deframer().feed(b"".join(action.data for action in actions if isinstance(action, Send)))
    hellos: list[ClientHello | None] = [*sent_hellos(case)] or [None]
    answers = [message for message in messages if (message.content, message.type) == (HANDSHAKE, 2)]
    said = [judged(message, hellos[min(at, len(hellos) - 1)]) for at, message in enumerate(answers)]
    alerts = [str(message.body[1]) for message in messages if message.content == ALERT and len(message.body) == 2]
    ends = [type(action).__name__.lower() for action in actions if not isinstance(action, Send)]
    return said + (alerts or ends)


def conforms(got: list[str], due: str) -> bool:
    first, *others = due.split()
    if first == "hello":
        return got[:1] in (["hello13"], ["hello12"], ["retry"])
    if first == "retry" and others:
        return got[:1] == ["retry"] and len(got) == 2 and got[1] in others
    return len(got) == 1 and got[0] in {first, *others}


@pytest.mark.parametrize("group", GROUPS_OF_CASES)
def test_the_strict_server_reacts_as_it_must(group: str) -> None:
    cases = {case: due for case, (_, due) in CASES.items() if case[0] == group}
    found = {case: reactions("strict", case) for case in cases}
    assert {case: (found[case], due) for case, due in cases.items() if not conforms(found[case], due)} == {}


@pytest.mark.parametrize("name", PLANTS)
def test_a_plant_shows_where_it_says_and_talks_to_everybody_else(name: str) -> None:
    hidden = [case for case in SHOWN_BY[name] if conforms(reactions(name, case), CASES[case][1])]
    assert hidden == []
    usual = [case for case in ("B01", "B02") if case not in SHOWN_BY[name]]
    assert [case for case in usual if not conforms(reactions(name, case), CASES[case][1])] == []


# Those whose fault touches whatever is large, long or comes again show in more cases than a row would name.
_WIDE = {"hangs-at-256", "drops-fragments", "one-segment", "wrong-alert", "leaks-behind-hello"}
_WIDE |= {"two-server-hellos", "retries-twice", "no-mark"}


@pytest.mark.parametrize("name", [name for name in PLANTS if name not in _WIDE])
def test_a_plant_is_wrong_in_nothing_else(name: str) -> None:
    # Large hellos take their time, and nothing here looks at sizes.
    small = [case for case, (pieces, _) in CASES.items() if sum(map(len, pieces)) < 2000]
    others = [case for case in small if case not in SHOWN_BY[name]]
    strange = {case: found for case in others if (found := reactions(name, case)) != reactions("strict", case)}
    assert {case: found for case, found in strange.items() if not conforms(found, CASES[case][1])} == {}


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(
    st.sampled_from(["strict", *PLANTS]),
    st.sampled_from([case for case in CASES if len(CASES[case][0][0]) < 1000]),
    st.lists(st.tuples(st.integers(0, 999), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=3),
)
def test_no_hello_is_too_strange(name: str, case: str, changes: list[tuple[int, bytes, int]]) -> None:
    first, *others = CASES[case][0]
    for at, new, old in changes:
        place = at % (len(first) or 1)
        first = first[:place] + new + first[place + old :]
    conversation = Conversation(character(name))
    for piece in (first, *others):
        conversation.receive(piece)


def test_every_edge_is_planted_and_every_plant_a_character() -> None:
    planted = {plant.quirks.edge for plant in PLANTS.values()} - {""}
    assert planted == set(Edge.__args__) - {""}  # type: ignore[attr-defined]
    assert {name for name in PLANTS if name in CHARACTERS} == set(PLANTS)
    assert all(cases and set(cases) <= set(CASES) for cases in SHOWN_BY.values())


# Whole handshakes.


@VERSIONS
@pytest.mark.parametrize("name", ["strict", *PLANTS])
def test_everybody_completes_an_ordinary_handshake(name: str, version: int) -> None:
    hello = hello_for(version, USUAL[version], groups=(X25519, P256), key_shares=(X25519,), schemes=(0x0403, 0x0804))
    assert complete(name, hello).label == "finished"


def test_a_second_hello_behind_the_first_is_unexpected() -> None:
    class Twice(Client):
        def start(self) -> bytes:
            return super().start() * 2

    for version in (TLS12, TLS13):
        shown = complete("strict", hello_for(version, USUAL[version]), make=Twice)
        assert (shown.label, shown.alert_encrypted) == ("alert:unexpected_message", version == TLS13)


@pytest.mark.parametrize("group", STRICT.groups)
def test_every_group_of_the_strict_server_gives_keys(group: int) -> None:
    hello = hello_for(TLS13, USUAL[TLS13], groups=(group,), key_shares=(group,))
    assert complete("strict", hello).label == "finished"


@VERSIONS
def test_every_suite_of_the_strict_server_gives_keys(version: int) -> None:
    labels = {suite: complete("strict", hello_for(version, (suite,))).label for suite in accepted(STRICT)[version]}
    assert set(labels.values()) == {"finished"}


@VERSIONS
def test_the_strict_server_resumes(version: int) -> None:
    hello, sessions = hello_for(version, USUAL[version]), Sessions()
    first = complete("strict", hello, sessions=sessions)
    assert complete("strict", hello, sessions=sessions, session=first.sessions[0], seed=2).resumed


def largest(version: int, *extensions: tuple[int, Any]) -> tuple[int, int]:
    """The largest record in clear, and protected, that the strict server sends; overhead counted."""
    # With RSA, whose certificate is larger than 512 bytes.
    hello = hello_for(version, USUAL[version], schemes=(0x0804, 0x0401))
    for code, value in extensions:
        hello = with_extension(hello, code, encode_extension(code, value, "ch"))
    seen: dict[bool, int] = {False: 0, True: 0}

    class Measuring(Client):
        def feed(self, data: bytes) -> bool:
            at = 0
            while at < len(data):
                size = int.from_bytes(data[at + 3 : at + 5])
                protected = data[at] == 23
                seen[protected] = max(seen[protected], size)
                at += 5 + size
            return super().feed(data)

    assert complete("strict", hello, make=Measuring).label == "finished"
    return seen[False], seen[True]


def test_records_are_as_small_as_the_client_asks() -> None:
    # AES-GCM adds 16 bytes, and a nonce of 8 in TLS 1.2; TLS 1.3 counts the content type.
    assert largest(TLS13)[1] > 512
    assert largest(TLS13, (28, 64))[1] == 64 + 16
    assert largest(TLS12, (28, 64))[1] == 64 + 24
    assert largest(TLS12, (28, 64))[0] > 512
    assert largest(TLS12, (1, 1))[0] == 512
    assert largest(TLS13, (1, 1))[1] == 512 + 1 + 16
    assert largest(TLS13, (1, 1), (28, 0xFFFF))[1] > 529


# Sockets.


@pytest.mark.parametrize("size", [0, 1, 5, 50, None])
def test_a_client_may_end_its_side_after_its_hello_and_not_before(size: int | None) -> None:
    with running("strict") as lab, socket.create_connection((HOST, lab.port), timeout=5) as connection:
        connection.sendall(wire(BASE13)[:size])
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert (received[:1] == b"\x16") == (size is None)


def test_a_server_that_dies_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DEAD_FOR", 0.2)
    ((poison,), _) = CASES["C05"]
    with running("dies-of-session-id") as lab:
        bystander = socket.create_connection((HOST, lab.port), timeout=5)
        assert ask(lab.port, wire(BASE13), patience=3, most=1).hello is not None
        assert ask(lab.port, poison, patience=3).end == "reset"
        assert converse(bystander, b"", patience=3).end == "reset"
        assert ask(lab.port, wire(BASE13), patience=3).end == "reset"
        time.sleep(0.25)
        assert ask(lab.port, wire(BASE13), patience=3, most=1).hello is not None
        bystander.close()
