from __future__ import annotations

import subprocess
from typing import Any

import msgspec
import pytest

from tests.servers.catalogue import exe, running
from tests.servers.gate import require
from tests.servers.process import serving
from tests.servers.recipes import ALL_CIPHERS, openssl_s_server
from tlswire.handshake.conversation import Conversation
from tlswire.lab import server as lab
from tlswire.lab.characters import RENEGOTIATION_INFO, character
from tlswire.lab.quirks import Quirks
from tlswire.results.answers.renegotiation import Attempt, Renegotiation
from tlswire.results.proof import Proof
from tlswire.scan.questions.renegotiation import _attempt, findings
from tlswire.wire.records import Alert

from .asking import asked

RENEGOTIATES = msgspec.structs.replace(character("plain"), quirks=Quirks(renegotiates=True))
NOTHING_OF_IT = tuple(code for code in RENEGOTIATES.answers if code != RENEGOTIATION_INFO)


def outcomes(answer: Renegotiation) -> list[tuple[str, int] | None]:
    return [None if each is None else (each.outcome, each.completed) for each in (answer.secure, answer.insecure)]


def rehandshakes(port: int, *, safely: bool) -> bool:
    """Whether gnutls-cli, which can do without RFC 5746, gets a second handshake."""
    priority = "NORMAL:-VERS-TLS1.3" + ("" if safely else ":%DISABLE_SAFE_RENEGOTIATION")
    command = ["gnutls-cli", "--insecure", "--rehandshake", "--priority", priority, "-p", str(port), "127.0.0.1"]
    done = subprocess.run(command, input=b"x\n", capture_output=True, timeout=20, check=False)
    return b"ReHandshake has failed" not in done.stdout + done.stderr


# What each is known to do, and gnutls-cli confirms: nginx refuses, gnutls-serv and JSSE bind, Erlang takes anything.
@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "secure", "insecure"),
    [("nginx-b", False, False), ("gnutls", True, False), ("jsse", True, False), ("erlang", True, True)],
)
def test_real_servers_renegotiate_with_us_as_with_gnutls_cli(name: str, *, secure: bool, insecure: bool) -> None:
    require(name)
    if reason := exe("gnutls-cli")():
        pytest.skip(reason)
    with running(name) as server:
        answer, found = asked(server.port, "renegotiation")
        assert (rehandshakes(server.port, safely=True), rehandshakes(server.port, safely=False)) == (secure, insecure)
    assert (answer.version, answer.state, answer.extension, answer.scsv) == (
        "TLS 1.2",
        "complete",
        "answered",
        "answered",
    )
    assert [(each.completed > 0) for each in (answer.secure, answer.insecure)] == [secure, insecure]
    told = {finding.id: finding.cve for finding in found}
    expected = {"renegotiation-insecure": ["CVE-2009-3555"]} if insecure else {}
    expected |= {"renegotiation-client-initiated": ["CVE-2011-1473"]} if secure or insecure else {}
    assert told == expected


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-legacy_renegotiation", "-client_renegotiation"), [("renegotiated", 2)] * 2),
        (("-client_renegotiation",), [("renegotiated", 2), ("warning", 0)]),
        (("-no_renegotiation",), [("warning", 0)] * 2),
    ],
)
def test_openssl_does_what_its_options_say(options: tuple[str, ...], expected: list[tuple[str, int]]) -> None:
    require("openssl-d")
    with serving("openssl", openssl_s_server("-cipher", ALL_CIPHERS, "-tls1_2", *options)) as server:
        answer, _ = asked(server.port, "renegotiation")
    assert outcomes(answer) == expected


def test_a_server_without_rfc_5746_is_told_from_one_that_is_only_insecure() -> None:
    old = msgspec.structs.replace(RENEGOTIATES, answers=NOTHING_OF_IT)
    with lab.running(old) as server:
        answer, found = asked(server.port, "renegotiation")
    assert (answer.extension, answer.scsv) == ("absent", "absent")
    assert outcomes(answer) == [None, ("renegotiated", 2)]
    assert {finding.id: finding.category for finding in found} == {
        "renegotiation-insecure": "weak",
        "renegotiation-info-missing": "legacy",
        "renegotiation-client-initiated": "legacy",
    }
    with lab.running(msgspec.structs.replace(old, quirks=Quirks())) as server:
        answer, found = asked(server.port, "renegotiation")
    assert outcomes(answer) == [None, ("warning", 0)]
    assert [finding.id for finding in found] == ["renegotiation-info-missing"]


def test_a_server_of_tls_13_alone_has_nothing_to_renegotiate() -> None:
    with lab.running("mlkem-only") as server:
        answer, found = asked(server.port, "renegotiation")
    assert (answer.state, answer.connections, found) == ("not-applicable", 0, [])
    assert "TLS 1.3" in answer.notes[0]


def test_handshakes_that_cannot_be_completed_leave_it_unknown() -> None:
    with lab.running("unoffered-group") as server:
        answer, found = asked(server.port, "renegotiation")
    assert (answer.state, answer.extension) == ("incomplete", "answered")
    assert outcomes(answer) == [("unknown", 0)] * 2
    assert found == []
    assert all("no first handshake" in note for note in answer.notes)


# The judging alone.


def conversation(**later: Any) -> Conversation:
    return Conversation(kind="finished", stage="finished", renegotiations=(Conversation(**later),))


SILENCE = conversation(kind="timeout", ending="timeout")
CLOSES = conversation(kind="close", ending="close")
REFUSES = conversation(kind="alert", alert=Alert(2, 40))


def judged(*conversations: Conversation) -> tuple[str, str]:
    attempt = _attempt(list(conversations))
    return attempt.outcome, attempt.answer


def test_silence_and_endings_count_when_they_come_twice() -> None:
    assert judged(SILENCE, SILENCE) == ("silence", "timeout")
    assert judged(CLOSES, CLOSES) == ("close", "close")
    assert judged(SILENCE, CLOSES) == ("unknown", "silence once, then close")
    assert judged(SILENCE, REFUSES) == ("alert", "alert:handshake_failure")


def test_a_second_handshake_that_breaks_the_protocol_is_a_fault_and_none_that_succeeded() -> None:
    attempt = _attempt([conversation(kind="fault", stage="finished", reason="renegotiation_info is wrong")])
    assert (attempt.outcome, attempt.completed, attempt.answer) == ("fault", 0, "renegotiation_info is wrong")
    (finding,) = findings(
        Renegotiation(version="TLS 1.2", extension="answered", scsv="answered", secure=attempt, insecure=attempt)
    )
    assert (finding.id, finding.category) == ("renegotiation-fault", "fault")


@pytest.mark.parametrize("kind", ["unasked", "unsettled", "fault", "not-tls"])
def test_a_first_handshake_that_says_nothing_is_unknown(kind: str) -> None:
    assert _attempt([Conversation(kind=kind)]).outcome == "unknown"


def test_a_refused_first_handshake_is_no_answer_where_other_hellos_are_refused_too() -> None:
    refused = Conversation(kind="alert", alert=Alert(2, 40))
    assert _attempt([refused]).outcome == "refused"
    assert _attempt([refused], answers=False).outcome == "unknown"


NOTHING = Attempt("warning", 0, "alert:no_renegotiation", Proof("", ""))


@pytest.mark.parametrize(
    ("extension", "scsv", "ids"),
    [
        ("answered", "answered", []),
        ("answered", "absent", ["renegotiation-info-half"]),
        ("absent", "answered", ["renegotiation-info-half"]),
        (None, "absent", ["renegotiation-info-missing"]),
        ("wrong", "answered", ["renegotiation-fault"]),
        ("unknown", "answered", []),
        ("unknown", "unknown", []),
    ],
)
def test_what_is_said_of_the_signals(extension: str | None, scsv: str, ids: list[str]) -> None:
    answer = Renegotiation(version="TLS 1.2", extension=extension, scsv=scsv, secure=NOTHING, insecure=NOTHING)  # type: ignore[arg-type]
    assert [finding.id for finding in findings(answer)] == ids
