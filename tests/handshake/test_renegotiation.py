"""Renegotiation with real servers that allow it, with the lab, and with one that forgets what it is bound to."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.lab.handshakes import converse as in_memory
from tests.lab.handshakes import hello_for
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.process import serving
from tests.servers.recipes import ALL_CIPHERS, openssl_s_server
from tlswire.handshake.offer import offer
from tlswire.handshake.renegotiation import MOST, RENEGOTIATION_INFO, Renegotiating
from tlswire.hello.edit import with_extension
from tlswire.lab.characters import RENEGOTIATION_INFO as ANSWERS_INFO
from tlswire.lab.characters import character
from tlswire.lab.quirks import Quirks
from tlswire.lab.responder import Conversation as Responder
from tlswire.probe.converse import converse
from tlswire.probe.transport import Address
from tlswire.wire.records import APPLICATION_DATA, Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.handshake.conversation import Conversation
    from tlswire.lab.characters import Character
    from tlswire.wire.messages import ClientHello

AES_GCM, AES_CBC, RSA_GCM = 0xC02F, 0xC013, 0x009C
SUITES = (AES_GCM, RSA_GCM, AES_CBC)
RENEGOTIATES = msgspec.structs.replace(character("plain"), quirks=Quirks(renegotiates=True))
FORGETFUL = msgspec.structs.replace(
    RENEGOTIATES, answers=tuple(code for code in RENEGOTIATES.answers if code != ANSWERS_INFO)
)


def silent(hello: ClientHello) -> ClientHello:
    return with_extension(hello, RENEGOTIATION_INFO, None)


def with_lab(of: Character, hello: ClientHello, client: Callable[..., Renegotiating] = Renegotiating) -> Conversation:
    rng = Random(2)
    talking = client(offer(hello, rng), rng)
    return talking.conversation(in_memory(talking, Responder(of)))


def with_server(port: int, hello: ClientHello) -> Conversation:
    rng = Random(3)
    # s_server -www sleeps a second whenever there is nothing to read for the moment.
    client = Renegotiating(offer(hello, rng), rng, wait=4.0)
    return asyncio.run(converse(Address("127.0.0.1", port), client, timeout=20))


@pytest.mark.parametrize("version", [0x0301, 0x0302, 0x0303])
def test_the_lab_renegotiates_twice_and_each_handshake_is_whole(version: int) -> None:
    hello = hello_for(version, SUITES)
    shown = with_lab(RENEGOTIATES, hello)
    assert shown.kind == "finished"
    assert [(one.kind, one.stage, one.version) for one in shown.renegotiations] == [("finished",) * 2 + (version,)] * 2
    randoms = [one.client_random for one in (shown, *shown.renegotiations)]
    assert len(set(randoms)) == 1 + MOST
    assert len({one.secrets["CLIENT_RANDOM"] for one in (shown, *shown.renegotiations)}) == 1 + MOST
    bound = [one.hello.raw_extension(RENEGOTIATION_INFO) for one in (shown, *shown.renegotiations) if one.hello]
    assert [len(body or b"") for body in bound] == [1, 25, 25]


def test_a_client_that_never_said_it_is_renegotiated_with_where_nobody_knows_of_it() -> None:
    hello = silent(hello_for(0x0303, SUITES))
    assert [one.kind for one in with_lab(FORGETFUL, hello).renegotiations] == ["finished"] * 2
    # A server that knows RFC 5746 refuses the very same client (its section 3.7).
    assert [one.label for one in with_lab(RENEGOTIATES, hello).renegotiations] == ["alert:handshake_failure"]


def test_a_warning_ends_it_and_is_kept() -> None:
    shown = with_lab(character("plain"), hello_for(0x0303, SUITES))
    (refused,) = shown.renegotiations
    assert (shown.kind, refused.stage, refused.hello) == ("finished", "none", None)
    assert [(alert.level, alert.description) for alert in refused.warnings] == [(1, 100)]


class Mistaken(Renegotiating):
    """Remembers another verify_data than the server's, so that the right answer looks wrong."""

    def _again(self, verify_data: bytes) -> None:
        self._binding = self._binding[:-1] + bytes((self._binding[-1] ^ 1,))
        super()._again(verify_data)


def test_handshakes_that_are_not_bound_to_one_another_are_a_fault() -> None:
    shown = with_lab(RENEGOTIATES, hello_for(0x0303, SUITES), Mistaken)
    (broken,) = shown.renegotiations
    assert (shown.kind, broken.kind) == ("finished", "fault")
    assert "RFC 5746 3.5" in broken.reason


def test_a_first_handshake_that_fails_has_no_other() -> None:
    shown = with_lab(RENEGOTIATES, hello_for(0x0303, (0xC02C,)))
    assert (shown.kind, shown.renegotiations) == ("alert", ())


def test_tls_13_has_no_renegotiation() -> None:
    shown = with_lab(RENEGOTIATES, hello_for(0x0304, (0x1301,), key_shares=(0x001D,)))
    assert (shown.kind, shown.version, shown.renegotiations) == ("finished", 0x0304, ())


def test_application_data_between_two_handshakes_is_kept_apart_from_them() -> None:
    rng = Random(2)
    hello = hello_for(0x0303, SUITES)
    client = Renegotiating(offer(hello, rng), rng)
    server = Responder(RENEGOTIATES)
    said = client.start()
    while not client.secured:
        for action in server.receive(said):
            client.feed(getattr(action, "data", b""))
        said = client.to_send()
    # What a server of a protocol that greets first says meanwhile: its hello comes behind it.
    client._take(Message(APPLICATION_DATA, 0x0303, -1, b"220 ready", 0))
    for action in server.receive(said):
        client.feed(getattr(action, "data", b""))
    assert client.shown.hello is not None
    assert client.shown.application == b"220 ready"


@pytest.mark.stacks
@pytest.mark.parametrize("name", ["gnutls", "jsse", "node"])
def test_real_servers_that_allow_it_complete_every_handshake(name: str) -> None:
    require(name)
    with running(name) as server:
        shown = with_server(server.port, hello_for(0x0303, SUITES, server_name=b"localhost"))
    assert [one.kind for one in (shown, *shown.renegotiations)] == ["finished"] * 3


@pytest.mark.stacks
@pytest.mark.parametrize("version", [0x0301, 0x0302, 0x0303])
@pytest.mark.parametrize("says", [True, False])
def test_openssl_renegotiates_as_its_options_say(version: int, *, says: bool) -> None:
    require("openssl-d")
    hello = hello_for(version, SUITES, server_name=b"localhost")
    hello = hello if says else silent(hello)
    allowed = partial(openssl_s_server, "-cipher", ALL_CIPHERS, "-client_renegotiation")
    with serving("openssl", allowed("-legacy_renegotiation")) as server:
        assert [one.kind for one in with_server(server.port, hello).renegotiations] == ["finished"] * 2
    with serving("openssl", allowed()) as server:
        refused = with_server(server.port, hello).renegotiations
    assert [one.kind for one in refused] == (["finished"] * 2 if says else ["done"])
    assert says or [alert.description for alert in refused[0].warnings] == [100]
