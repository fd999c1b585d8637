"""The questions that look like attacks: the lab's flawed characters are found, nobody else is.

No real server with these flaws is left to install; the lab's own tests (tests/lab/test_flaws.py) show that its
characters have them, without the code of the questions.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.scan.scans import scan
from tests.servers.catalogue import ROWS, running
from tests.servers.gate import require
from tlswire.handshake.conversation import Conversation
from tlswire.lab.characters import CHARACTERS
from tlswire.lab.flaws import MEMORY
from tlswire.lab.server import running as lab
from tlswire.report import answers as told
from tlswire.results import to_json
from tlswire.scan.attacks import LONG_SILENCE, RUNS, SILENCE, compare, doubt, reaction
from tlswire.scan.interview import chosen
from tlswire.scan.questions import QUESTIONS, ccs, heartbleed, padding, robot
from tlswire.scan.scanner import Options
from tlswire.wire.records import Alert

from .asking import asked, patient, questioned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tlswire.results import Scan

TLS10, TLS12, TLS13 = 0x0301, 0x0303, 0x0304
ATTACKS = ("heartbleed", "ccs", "robot", "ticketbleed", "padding")
# One suite of every key exchange and of every kind of cipher: what the flaws need.
SUITES = (0xC02F, 0xC013, 0x009C, 0x002F, 0x000A, 0x1301)


def found(port: int, question: str, **options: Any) -> tuple[Any, dict[str, str]]:
    """The answer, and the texts of its findings by their ids."""
    answer, findings = asked(port, question, suites=SUITES, **options)
    return answer, {finding.id: finding.text for finding in findings}


def test_the_set_is_these_questions_and_says_what_they_send() -> None:
    assert chosen(["attacks"]) == ATTACKS
    assert not set(ATTACKS).intersection(chosen(["all", "default"]))
    assert all(bool(row.sends) == (name in ATTACKS) for name, row in QUESTIONS.items())


# Heartbleed.


def test_heartbleed_is_found_and_what_leaked_is_not_told() -> None:
    with lab("heartbleed") as server:
        result = questioned(server.port, "heartbleed", suites=SUITES)
    answer = result.answers.heartbleed
    assert answer is not None
    assert (answer.vulnerable, answer.asked, answer.leaked, answer.alive) == (True, 16, 16, True)
    assert (answer.state, answer.connections) == ("complete", 1)
    assert [finding.cve for finding in result.findings if finding.question] == [["CVE-2014-0160"]]
    assert not leaks(result)


def leaks(result: Scan) -> bool:
    text = to_json(result).decode()
    lines = [line.text for name in ATTACKS for line in lines_of(result, name)]
    return any(MEMORY[:8].hex() in place or MEMORY[:8].decode() in place for place in (text, *lines))


def lines_of(result: Scan, name: str) -> list[told.Line]:
    answer = getattr(result.answers, name)
    return [] if answer is None else list(told.lines(name, answer, verbose=True))


@pytest.mark.parametrize(("name", "heartbeats", "alive"), [("plain", False, None), ("museum", True, True)])
def test_heartbeats_of_good_servers(name: str, heartbeats: bool, alive: bool | None) -> None:
    with lab(name) as server:
        answer, findings = found(server.port, "heartbleed")
    assert (answer.vulnerable, answer.heartbeats, answer.alive) == (False, heartbeats, alive)
    assert findings == {}


def test_a_lying_heartbeat_asks_for_sixteen_bytes() -> None:
    payload = b"x" * 16
    assert heartbleed._request(payload, len(payload) + heartbleed.BEYOND) == b"\1\0\x20" + payload
    assert heartbleed.BEYOND == 16


# ChangeCipherSpec.


@pytest.mark.parametrize(
    ("reactions", "verdict"),
    [
        ({"garbage": "unexpected_message"}, False),
        ({"garbage": "handshake_failure"}, False),
        ({"garbage": "internal_error"}, False),
        ({"garbage": "unknown"}, None),
        ({"garbage": "bad_record_mac"}, None),
        ({"garbage": "bad_record_mac", "sealed": "unexpected_message"}, True),
        ({"garbage": "decryption_failed", "sealed": "close"}, True),
        ({"garbage": "bad_record_mac", "sealed": "unknown"}, None),
        ({"garbage": "bad_record_mac", "sealed": "bad_record_mac"}, None),
        ({"garbage": "bad_record_mac", "sealed": "bad_record_mac", "alone": "bad_record_mac"}, False),
        ({"garbage": "bad_record_mac", "sealed": "bad_record_mac", "alone": "silence"}, None),
        ({"garbage": "close", "sealed": "close", "alone": "close"}, False),
        ({"garbage": "close", "sealed": "close", "alone": "silence"}, None),
        ({"garbage": "close", "sealed": "reset", "alone": "close"}, False),
        ({"garbage": "silence", "sealed": "silence", "alone": "silence"}, None),
    ],
)
def test_what_reactions_to_an_early_change_of_keys_mean(reactions: dict[str, str], verdict: bool | None) -> None:
    assert ccs._judged(reactions) is verdict


@pytest.mark.parametrize("version", [TLS10, TLS12])
def test_ccs_injection_is_found(version: int) -> None:
    with lab("ccs-injection") as server:
        answer, findings = found(server.port, "ccs", versions=(version,))
    assert (answer.vulnerable, answer.connections) == (True, 2)
    assert answer.reactions == {"garbage": "bad_record_mac", "sealed": "decrypt_error"}
    assert findings.keys() == {"ccs-injection"}


@pytest.mark.parametrize(("name", "connections"), [("plain", 1), ("museum", 1), ("closes", 3)])
def test_ccs_injection_is_not_found_elsewhere(name: str, connections: int) -> None:
    with lab(name) as server:
        answer, findings = found(server.port, "ccs", versions=(TLS12,))
    assert (answer.vulnerable, answer.connections, findings) == (False, connections, {})


def test_silence_is_no_answer_to_an_early_change_of_keys() -> None:
    with lab("silent-refusal") as server:
        answer, findings = found(server.port, "ccs", versions=(TLS12,), limits=patient(1.5))
    assert (answer.vulnerable, answer.state, findings) == (None, "incomplete", {})
    assert "neither yes nor no" in answer.notes[0]


# ROBOT.


@pytest.mark.parametrize(
    ("name", "oracle", "flight", "begin"),
    [
        ("robot", "strong", "complete", "decrypt_error"),
        ("robot-weak", "weak", "complete", "decrypt_error"),
        ("robot-close", "strong", "complete", "close"),
        ("robot-silent", "strong", "complete", "silence"),
        ("robot-short", "strong", "short", "bad_record_mac"),
    ],
)
def test_robot_is_found(name: str, oracle: str, flight: str, begin: str) -> None:
    with lab(name) as server:
        answer, findings = found(server.port, "robot")
    assert (answer.state, answer.oracle) == ("complete", oracle)
    last = answer.flights[-1]
    assert (last.flight, last.reactions["begin"], last.runs) == (flight, begin, RUNS)
    assert findings.keys() == {"robot"}
    assert f"a {oracle} oracle" in findings["robot"]
    if "silence" in last.reactions.values():
        assert answer.elapsed_s >= SILENCE + (RUNS - 1) * LONG_SILENCE


@pytest.mark.parametrize("version", [0x0300, TLS10, 0x0302, TLS12])
def test_robot_is_not_found_elsewhere(version: int) -> None:
    with lab("museum") as server:
        answer, findings = found(server.port, "robot", versions=(version,))
    assert (answer.oracle, answer.connections, findings) == ("none", 10, {})
    assert [set(flight.reactions.values()) for flight in answer.flights] == [{"bad_record_mac"}, {"silence"}]


def test_robot_does_not_apply_without_static_rsa() -> None:
    with lab("modern") as server:
        answer, findings = found(server.port, "robot")
    assert (answer.state, answer.connections, findings) == ("not-applicable", 0, {})


@pytest.mark.parametrize("question", ["robot", "padding"])
def test_a_server_that_wants_a_certificate_first_is_not_called_safe(question: str) -> None:
    with lab("needs-certificate") as server:
        answer, findings = found(server.port, question, versions=(TLS12,))
    assert (answer.state, findings) == ("incomplete", {})
    assert "the handshake" in answer.notes[0]


def test_blocks_are_as_long_as_they_should_be_and_wrong_in_one_way() -> None:
    made = {name: block(b"\x22" * 205, b"\3\3", b"\x33" * 46) for name, block in robot.BLOCKS.items()}
    assert {len(block) for block in made.values()} == {256}
    good = made["correct"]
    assert (good[:2], good[207:210], 0 in good[2:207]) == (b"\0\2", b"\0\3\3", False)
    assert made["begin"][2:] == good[2:]
    assert made["zero"].index(0, 1) == 208
    assert 0 not in made["none"][1:]
    assert made["version"][208:210] == b"\2\2"


# Ticketbleed.


def test_ticketbleed_is_found_and_what_leaked_is_not_told() -> None:
    with lab("ticketbleed") as server:
        result = questioned(server.port, "ticketbleed", suites=SUITES)
    answer = result.answers.ticketbleed
    assert answer is not None
    assert (answer.vulnerable, answer.leaked, answer.connections) == (True, 31, 4)
    assert [finding.cve for finding in result.findings if finding.question] == [["CVE-2016-9244"]]
    assert answer.proof is not None
    assert (answer.proof.received, bool(answer.proof.sent)) == ("", True)
    assert not leaks(result)


@pytest.mark.parametrize(
    ("name", "state", "vulnerable"),
    [("modern", "complete", False), ("plain", "not-applicable", None), ("huge-tickets", "not-applicable", None)],
)
def test_ticketbleed_is_not_found_elsewhere(name: str, state: str, vulnerable: bool | None) -> None:
    with lab(name) as server:
        answer, findings = found(server.port, "ticketbleed")
    assert (answer.state, answer.vulnerable, findings) == (state, vulnerable, {})
    assert answer.taken == (name == "modern")


# Padding.


def reactions_to(**changes: str) -> Mapping[str, str]:
    return dict.fromkeys((*padding.RECORDS, "good"), "bad_record_mac") | {"good": "answer"} | changes


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"padding": "answer", "empty_padding": "silence"}, ["poodle-tls"]),
        ({"padding": "silence", "good": "silence"}, ["poodle-tls"]),
        ({"padding": "close"}, ["zombie-poodle"]),
        ({"padding": "decryption_failed", "both": "decryption_failed"}, ["goldendoodle"]),
        ({"padding": "close", "both": "decryption_failed"}, ["zombie-poodle", "goldendoodle"]),
        ({"empty_mac": "close"}, ["zero-length"]),
        ({"empty_padding": "close"}, ["zero-length"]),
        ({"longer": "decode_error"}, ["other"]),
    ],
)
def test_what_reactions_to_malformed_records_mean(changes: dict[str, str], kinds: list[str]) -> None:
    given = {name.replace("_", "-"): how for name, how in changes.items()}
    assert padding.kinds(reactions_to(**given)) == kinds


@pytest.mark.parametrize(
    ("name", "kinds", "observable"),
    [
        ("padding-oracle", ["goldendoodle"], False),
        ("poodle-tls", ["poodle-tls"], True),
        ("zombie-poodle", ["zombie-poodle"], True),
        ("zero-length", ["zero-length"], True),
    ],
)
def test_padding_oracles_are_found(name: str, kinds: list[str], observable: bool) -> None:
    with lab(name) as server:
        answer, findings = found(server.port, "padding", versions=(TLS10, TLS12))
    assert [(one.version, one.code) for one in answer.suites] == [
        (version, code) for version in ("TLS 1.2", "TLS 1.0") for code in ("0xC013", "0x000A")
    ]
    assert all((one.kinds, one.observable, one.runs) == (kinds, observable, RUNS) for one in answer.suites)
    assert findings.keys() == {f"padding-{kinds[0]}"}


@pytest.mark.parametrize("name", ["plain", "museum", "legacy-mdm"])
def test_padding_oracles_are_not_found_elsewhere(name: str) -> None:
    with lab(name) as server:
        answer, findings = asked(server.port, "padding")
    assert (answer.state, findings) == ("complete", [])
    assert len(answer.suites) >= 6
    assert all(set(one.reactions.values()) == {"bad_record_mac"} for one in answer.suites)


def test_malformed_records_are_whole_blocks() -> None:
    for block in (8, 16):
        for size in (16, 20, 32, 48):
            for record in padding.RECORDS.values():
                for data in (b"", padding.REQUEST):
                    assert len(record(data, bytes(size), block)) % block == 0


# When a difference is believed.


def shown(how: str) -> Conversation:
    endings = {"close", "reset"}
    alert = None if how in endings else Alert(2, {"bad_record_mac": 20, "decrypt_error": 51}[how])
    return Conversation(kind="hello", stage="flight", ending=how, alert=alert)


def compared(*runs: tuple[str, str]) -> tuple[bool | None, int]:
    made = iter([how for run in runs for how in run])
    waits: list[float] = []

    async def ask(_: str, silence: float) -> Conversation:
        waits.append(silence)
        return shown(next(made))

    result, last = asyncio.run(compare(("a", "b"), ask))
    assert waits[:2] == [SILENCE] * 2
    assert set(waits[2:]) <= {LONG_SILENCE}
    assert set(last) == {"a", "b"}
    if result.different is None:
        assert doubt(result.reactions, result.runs)
    return result.different, result.runs


SAME, OTHER, THIRD = ("bad_record_mac",) * 2, ("bad_record_mac", "close"), ("bad_record_mac", "reset")


@pytest.mark.parametrize(
    ("runs", "different", "count"),
    [
        ((SAME,), False, 1),
        ((OTHER, OTHER, OTHER), True, 3),
        ((OTHER, SAME, SAME), False, 3),
        ((OTHER, OTHER, SAME), None, 3),
        ((OTHER, SAME, OTHER), None, 3),
        ((OTHER, THIRD, OTHER), None, 3),
    ],
)
def test_a_difference_is_believed_when_it_stays(
    runs: tuple[tuple[str, str], ...], different: bool | None, count: int
) -> None:
    assert compared(*runs) == (different, count)


def test_reactions_are_words() -> None:
    assert reaction(shown("decrypt_error")) == "decrypt_error"
    assert reaction(shown("reset")) == "reset"
    assert reaction(shown("reset"), "finished") == "unknown"
    assert reaction(Conversation(kind="unasked", stage="flight")) == "unknown"
    assert reaction(Conversation(kind="fault", stage="flight", ending="done")) == "fault"
    assert reaction(Conversation(kind="finished", stage="finished", ending="timeout")) == "silence"
    assert reaction(Conversation(kind="finished", stage="finished", ending="done")) == "close_notify"
    assert reaction(Conversation(kind="finished", stage="finished", application=b"x")) == "answer"


# Servers that are wrong in other ways, and real ones.


def everything(port: int, **options: Any) -> Scan:
    result = scan(port, Options(method="eliminate", questions=ATTACKS, **options), host="localhost")
    assert not [note for note in result.notes if "failed" in note], result.notes
    return result


HOSTILE = (
    "flood",
    "malformed-hello",
    "unoffered-group",
    "short-share",
    "bad-finished",
    "garbage-records",
    "huge-chain",
    "huge-tickets",
    "endless-tickets",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_servers_that_are_wrong_in_other_ways_are_neither_found_nor_called_safe(name: str) -> None:
    assert name in CHARACTERS
    with lab(name) as server:
        result = everything(server.port, suites=SUITES)
    assert not [finding for finding in result.findings if finding.question in ATTACKS]
    if name in {"bad-finished", "garbage-records"}:
        assert result.answers.padding is not None
        assert result.answers.padding.state == "incomplete"


def no_false_alarm(name: str) -> None:
    require(name)
    with running(name) as server:
        result = everything(server.port)
    assert not [finding for finding in result.findings if finding.question in ATTACKS]
    answers = {question: getattr(result.answers, question) for question in ATTACKS}
    assert all(answer.state != "incomplete" for answer in answers.values()), answers
    assert result.complete
    sound: Mapping[str, Callable[[Any], bool]] = {
        "heartbleed": lambda answer: answer.vulnerable is False,
        "ccs": lambda answer: answer.vulnerable is False,
        "robot": lambda answer: answer.oracle == "none",
        "ticketbleed": lambda answer: answer.vulnerable is False,
        "padding": lambda answer: all(one.different is False for one in answer.suites),
    }
    for question, answer in answers.items():
        assert answer.state == "not-applicable" or sound[question](answer)


SOME = ("nginx-a", "lighttpd-gnutls", "lighttpd-mbedtls", "tlslite-ng")


@pytest.mark.stacks
@pytest.mark.parametrize("name", SOME)
def test_no_false_alarm_for_real_servers(name: str) -> None:
    no_false_alarm(name)


@pytest.mark.stacks
@pytest.mark.skipif(os.environ.get("TLSWIRE_SLOW") != "1", reason="takes over a minute: set TLSWIRE_SLOW=1")
@pytest.mark.parametrize("name", [row.name for row in ROWS if row.name not in SOME])
def test_no_false_alarm_for_any_real_server(name: str) -> None:
    no_false_alarm(name)


@pytest.mark.stacks
def test_a_real_server_answers_honest_heartbeats_only() -> None:
    require("tlslite-ng")
    with running("tlslite-ng") as server:
        answer, findings = found(server.port, "heartbleed")
    assert (answer.vulnerable, answer.heartbeats, answer.alive, findings) == (False, True, True, {})
