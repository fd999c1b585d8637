"""Tickets, binders and hellos under the keys of a handshake before: with the lab, and with values."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest

from tlswire.crypto import schedule
from tlswire.fuzz.campaign import Options, fuzz_address
from tlswire.fuzz.cases import chosen
from tlswire.fuzz.cases.tickets import offering, real_first
from tlswire.fuzz.model import DEAD, FLIGHT, HANG, HELLO_THEN_ABORT
from tlswire.fuzz.resumed import before_second, binder, heard, resumption, session_of
from tlswire.fuzz.script import TLS12, TLS13, Ground
from tlswire.handshake.conversation import Conversation
from tlswire.handshake.offer import bound, encode, resuming
from tlswire.hello.edit import PRE_SHARED_KEY
from tlswire.lab.characters import character
from tlswire.lab.quirks import Quirks
from tlswire.lab.server import running
from tlswire.probe.transport import Address
from tlswire.wire.messages import HRR_RANDOM, Extension, ServerHello
from tlswire.wire.records import Alert

if TYPE_CHECKING:
    from tlswire.results.fuzz import Fuzz

RENEGOTIATES = msgspec.structs.replace(character("plain"), quirks=Quirks(renegotiates=True))
GROUND = Ground()


@pytest.fixture(scope="module")
def result() -> Fuzz:
    with running(RENEGOTIATES) as lab:
        cases = chosen(("resumption", "renegotiation", "duplicates", "ech"))
        return asyncio.run(fuzz_address("lab", Address(lab.host, lab.port), cases, Options()))


def test_a_server_that_keeps_to_the_rules_is_not_blamed(result: Fuzz) -> None:
    # The lab does not look for the SCSV in a renegotiation.
    assert [case.id for case in result.cases if case.verdict not in {"conforms", "not-applicable"}] == ["N14"]


@pytest.mark.parametrize(
    ("name", "reaction"),
    [
        ("T01", FLIGHT),
        ("T02", "alert:51"),
        ("T07", FLIGHT),
        ("T21", FLIGHT),
        ("N01", FLIGHT),
        ("N03", "alert:47"),
        ("N08", "alert:40"),
        ("N13", "alert:40"),
        ("EC01", FLIGHT),
        ("U01", FLIGHT),
    ],
)
def test_the_lab_reacts_as_the_clause_says(result: Fuzz, name: str, reaction: str) -> None:
    assert next(case.reaction for case in result.cases if case.id == name) == reaction


def test_a_ticket_that_is_taken_shortens_the_flight(result: Fuzz) -> None:
    flights = {case.id: case.flight for case in result.cases}
    assert flights["T01"] == ["server-hello", "encrypted-extensions", "finished"]
    assert "certificate" in flights["T11"]
    assert "resumes13" in result.features


def test_the_binder_is_that_of_the_client() -> None:
    session = session_of(GROUND, TLS13)
    assert encode(offering(GROUND.modern, session, GROUND)) == encode(bound(resuming(GROUND.modern, session), session))


def test_the_binder_of_one_of_two_covers_a_hello_with_both() -> None:
    session = session_of(GROUND, TLS13)
    hello = offering(GROUND.modern, session, GROUND, real_first)
    first, second = hello.extension(PRE_SHARED_KEY).binders
    size = 2 + 1 + len(first) + 1 + len(second)
    assert first == binder(session, encode(hello)[:-size])


def test_the_transcript_before_a_second_hello_has_the_hash_of_the_first() -> None:
    retry = ServerHello(TLS12, HRR_RANDOM, b"", 0x1301, 0, (Extension(43, b"\3\4"),))
    first = encode(GROUND.modern)
    transcript = before_second(first, retry)
    assert transcript.startswith(schedule.message_hash("sha256", first) + b"\2\0\0")
    assert transcript[36 + 4 + 2 :].startswith(HRR_RANDOM)


def test_without_a_session_of_the_server_another_stands_in() -> None:
    real = msgspec.structs.replace(session_of(GROUND, TLS12), ticket=b"real")
    ground = Ground()
    ground.sessions[TLS12] = real
    assert session_of(ground, TLS12) == real
    assert resumption(ground, TLS12).payload != resumption(GROUND, TLS12).payload
    assert resumption(GROUND, TLS13).session == session_of(GROUND, TLS13)


HELLO = ServerHello(TLS12, Random(0).randbytes(32), b"", 0xC02F, 0)


@pytest.mark.parametrize(
    ("shown", "ending", "reaction", "first"),
    [
        (Conversation(hello=HELLO, stage="finished"), "close", FLIGHT, "server-hello"),
        (Conversation(hello=HELLO, stage="flight"), "timeout", FLIGHT, "server-hello"),
        (Conversation(hello=HELLO, stage="hello"), "reset", HELLO_THEN_ABORT, "server-hello"),
        (Conversation(hello=HELLO, stage="hello"), "timeout", HANG, "server-hello"),
        (Conversation(hello=HELLO, stage="hello", alert=Alert(2, 40)), "close", HELLO_THEN_ABORT, "server-hello"),
        (Conversation(alert=Alert(2, 40)), "close", "alert:40", "alert:40"),
        (Conversation(warnings=(Alert(1, 100),)), "timeout", "alert:100", "alert:100"),
        (Conversation(), "reset", "close", "close"),
        (Conversation(), "timeout", HANG, "none"),
    ],
)
def test_what_follows_on_the_same_connection_is_the_reaction(
    shown: Conversation, ending: str, reaction: str, first: str
) -> None:
    before = Conversation(kind="finished", ending=ending, hello=HELLO, stage="finished", connected=True)
    before.renegotiations = (shown,)
    value = heard(before)
    assert (value.reaction, value.first, value.faults) == (reaction, first, ())


def test_a_first_handshake_that_fails_is_no_reaction_to_the_second_hello() -> None:
    value = heard(Conversation(alert=Alert(2, 40), ending="close", connected=True))
    assert (value.reaction, [kind for kind, _ in value.faults]) == ("alert:40", ["first-handshake"])
    assert heard(Conversation(ending="refused")).reaction == DEAD
