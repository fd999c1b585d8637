from __future__ import annotations

import subprocess
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.scan.questions.asking import asked
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.process import serving
from tests.servers.recipes import gnutls, nginx, openssl_early_data, openssl_s_server
from tlswire.handshake.conversation import Conversation
from tlswire.hello.builder import client_hello
from tlswire.report.answers import lines
from tlswire.results.answers.resumption import Crossing, EarlyData, MasterSecret, Resumption, Way
from tlswire.results.proof import Proof
from tlswire.scan.questions.resumption import findings, outcome_of, taken
from tlswire.wire.handshake import SERVER_HELLO_BODY, encode_handshake
from tlswire.wire.messages import ServerHello
from tlswire.wire.primitives import build
from tlswire.wire.records import HANDSHAKE, Alert, fragment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.process import Recipe
    from tlswire.results.answers.resumption import Outcome

MODERN = "TLSv1.2 TLSv1.3"
GCM = "ECDHE+AESGCM"
PROOF = Proof("", "")
HELLO = ServerHello(0x0303, bytes(32), b"", 0x1301, 0)


def ask(port: int, **options: Any) -> tuple[Resumption, set[tuple[str, str | None]]]:
    """A whole answer, and the findings with their versions."""
    answer, found = asked(port, "resumption", **options)
    assert (answer.state, answer.notes) == ("complete", [])
    return answer, {(finding.id, finding.version) for finding in found}


def works(answer: Resumption) -> dict[tuple[str, str], Works]:
    return {(way.version, way.way): (way.offered, way.resumed, way.reusable) for way in answer.ways}


def configured(*directives: str) -> Recipe:
    return nginx(protocols=MODERN, ciphers=GCM, directives=directives)


# What nginx is told, and what follows for (TLS 1.3 psk, TLS 1.2 ticket, TLS 1.2 session id).
Works = tuple[bool, int, bool | None]
NGINX: dict[str, tuple[tuple[str, ...], Works, Works, Works]] = {
    "tickets alone": ((), (True, 3, True), (True, 3, True), (True, 0, None)),
    "tickets and a cache": (
        ("ssl_session_cache shared:t:1m;",),
        (True, 3, True),
        (True, 3, True),
        (True, 3, True),
    ),
    "a cache alone": (
        ("ssl_session_tickets off;", "ssl_session_cache shared:t:1m;"),
        (True, 3, True),
        (False, 0, None),
        (True, 3, True),
    ),
    "nothing": (
        ("ssl_session_tickets off;", "ssl_session_cache off;"),
        (True, 0, None),
        (False, 0, None),
        (False, 0, None),
    ),
}


@pytest.mark.stacks
@pytest.mark.parametrize("name", NGINX)
def test_what_nginx_is_told_is_what_works(name: str) -> None:
    require("nginx-b")
    directives, psk, ticket, session_id = NGINX[name]
    with serving("nginx", configured(*directives)) as server:
        answer, told = ask(server.port)
    assert works(answer) == {
        ("TLS 1.3", "psk"): psk,
        ("TLS 1.2", "ticket"): ticket,
        ("TLS 1.2", "session id"): session_id,
    }
    assert answer.early_data is None
    assert told == set()
    if ticket[1]:
        assert {change.change: change.outcome for change in answer.master_secret} == {
            "dropped": "refused",
            "added": "full",
        }
        by_ticket = next(way for way in answer.ways if way.way == "ticket")
        assert (by_ticket.lifetime, by_ticket.tickets) == (300, 1)
        assert by_ticket.key_name is not None


@pytest.mark.stacks
def test_lifetimes_over_a_week_are_told() -> None:
    require("nginx-b")
    with serving("nginx", configured("ssl_session_timeout 30d;")) as server:
        answer, told = ask(server.port)
    assert {way.way: way.lifetime for way in answer.ways} == {
        "psk": 7 * 86400,  # OpenSSL keeps to what TLS 1.3 allows
        "ticket": 30 * 86400,
        "session id": None,
    }
    assert told == {("ticket-lifetime", "TLS 1.2")}


EARLY: dict[str, tuple[str, Recipe, EarlyData]] = {
    "nginx": ("nginx-b", configured("ssl_early_data on;"), EarlyData(16384, True, True, "HTTP/1.1 200 OK")),
    "nginx in a rare group": (
        "nginx-b",
        nginx(protocols=MODERN, ciphers=GCM, groups="X448", directives=("ssl_early_data on;",)),
        EarlyData(16384, True, True, "HTTP/1.1 200 OK"),
    ),
    "openssl": ("openssl-d", openssl_early_data("-max_early_data", "4096"), EarlyData(4096, True, False)),
    "openssl without a guard": ("openssl-d", openssl_early_data("-no_anti_replay"), EarlyData(16384, True, True)),
    "gnutls": ("gnutls", gnutls("NORMAL", "--earlydata", "--maxearlydata", "1000"), EarlyData(1000, True, False)),
}


@pytest.mark.stacks
@pytest.mark.parametrize("name", EARLY)
def test_early_data_is_tried_and_tried_again(name: str) -> None:
    row, recipe, expected = EARLY[name]
    require(row)
    with serving(name, recipe) as server:
        answer, told = ask(server.port)
    early = answer.early_data
    assert early is not None
    assert (early.limit, early.accepted, early.replayed) == (expected.limit, expected.accepted, expected.replayed)
    if expected.answer is not None:
        assert early.answer == expected.answer
    assert ("early-data", "TLS 1.3") in told


@pytest.mark.stacks
def test_early_data_that_is_announced_and_not_taken_is_no_finding() -> None:
    require("selfserv")  # NSS takes none before its guard against replays has seen a while
    with running("selfserv") as server:
        answer, told = ask(server.port)
    assert answer.early_data is not None
    assert (answer.early_data.limit, answer.early_data.accepted) == (65536, False)
    assert told == set()


@pytest.mark.stacks
@pytest.mark.parametrize(("options", "outcome"), [((), "full"), (("-allow_no_dhe_kex",), "resumed")])
def test_resumption_without_a_key_exchange_is_found(options: tuple[str, ...], outcome: str) -> None:
    require("openssl-d")
    with serving("openssl", openssl_s_server(*options)) as server:
        answer, told = ask(server.port)
    assert answer.psk_alone == outcome
    assert (("psk-alone", "TLS 1.3") in told) == (outcome == "resumed")


@pytest.mark.stacks
def test_tickets_that_work_once_are_told_from_others() -> None:
    require("granian")
    with running("granian") as server:
        answer, _ = ask(server.port)
    psk = next(way for way in answer.ways if way.way == "psk")
    assert (psk.resumed, psk.reusable, psk.length) == (3, False, 32)


@pytest.mark.stacks
def test_a_session_under_another_name_with_another_certificate_is_told() -> None:
    require("nginx-b")
    recipe = nginx(protocols="TLSv1.3", ciphers=GCM, default="p256")
    with serving("nginx", recipe) as server:
        answer, told = ask(server.port)
    assert [way.other_name for way in answer.ways] == ["resumed"]
    assert told == {("resumption-other-name", "TLS 1.3")}


@pytest.mark.stacks
def test_mbedtls_minds_neither_the_extended_master_secret_nor_the_version(tmp_path: Path) -> None:
    require("lighttpd-mbedtls")
    session, config = tmp_path / "session", tmp_path / "openssl.cnf"
    config.write_text("openssl_conf=m\n[m]\nssl_conf=s\n[s]\nsystem_default=w\n[w]\nOptions=-ExtendedMasterSecret\n")
    with running("lighttpd-mbedtls") as server:
        answer, told = ask(server.port)
        command = ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{server.port}"]
        with_it = subprocess.run(
            [*command, "-sess_out", str(session)], input="", capture_output=True, text=True, timeout=20, check=False
        )
        without = subprocess.run(
            [*command, "-sess_in", str(session)],
            input="",
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env={"PATH": "/usr/bin:/bin", "OPENSSL_CONF": str(config)},
        )
    assert "Extended master secret: yes" in with_it.stdout
    assert "inconsistent extms" in without.stderr  # OpenSSL's client sees the resumption, and stops there
    assert {change.change: change.outcome for change in answer.master_secret} == {
        "dropped": "resumed",
        "added": "resumed",
    }
    assert [(one.of, one.offered_in, one.outcome) for one in answer.crossings] == [("TLS 1.2", "TLS 1.1", "resumed")]
    assert told == {("resumption-master-secret", "TLS 1.2"), ("resumption-crossed", "TLS 1.1")}


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("go", {("TLS 1.3", "psk"): 3, ("TLS 1.2", "ticket"): 3, ("TLS 1.2", "session id"): 0}),
        ("jsse", {("TLS 1.3", "psk"): 3, ("TLS 1.2", "ticket"): 3, ("TLS 1.2", "session id"): 3}),
        ("botan", {("TLS 1.2", "ticket"): 0, ("TLS 1.2", "session id"): 3}),
        ("tlslite-ng", {("TLS 1.3", "psk"): 0, ("TLS 1.2", "ticket"): 0, ("TLS 1.2", "session id"): 0}),
        ("lighttpd-wolfssl", {("TLS 1.3", "psk"): 3, ("TLS 1.2", "ticket"): 3, ("TLS 1.2", "session id"): 0}),
        ("mlkem", {("TLS 1.3", "psk"): 3}),
    ],
)
def test_other_stacks_resume_as_they_are_made(name: str, expected: dict[tuple[str, str], int]) -> None:
    require(name)
    with running(name) as server:
        answer, _ = ask(server.port)
    assert {(way.version, way.way): way.resumed for way in answer.ways} == expected


# Judging, without a server.


@pytest.mark.parametrize(
    ("heard", "outcome"),
    [
        (Conversation(kind="finished", stage="finished", resumed=True), "resumed"),
        (Conversation(kind="finished", stage="finished"), "full"),
        (Conversation(kind="alert", alert=Alert(2, 40)), "refused"),
        (Conversation(kind="alert", stage="hello", hello=HELLO, alert=Alert(2, 40)), "refused"),
        (Conversation(kind="hello", stage="hello", hello=HELLO, ending="close"), "unknown"),
        (Conversation(kind="hello", stage="hello", hello=HELLO, unchecked="a cipher"), "full"),
        (Conversation(kind="fault", stage="hello", hello=HELLO, resumed=True), "unknown"),
        (Conversation(kind="fault"), "unknown"),
        (Conversation(kind="close"), "refused"),
        (Conversation(kind="unasked"), "unknown"),
        (Conversation(kind="unsettled"), "unknown"),
    ],
)
def test_an_outcome_is_told_from_a_conversation(heard: Conversation, outcome: Outcome) -> None:
    assert outcome_of(heard) == outcome


def server_hello(session_id: bytes) -> tuple[ServerHello, bytes]:
    hello = ServerHello(0x0302, bytes(32), session_id, 0x002F, 0)
    return hello, fragment(HANDSHAKE, 0x0302, encode_handshake(2, build(SERVER_HELLO_BODY, hello)))


def test_a_session_is_taken_where_its_id_comes_back_and_no_certificate() -> None:
    offered = client_hello(0x0302, (0x002F,), rng=Random(1))
    offered = type(offered)(0x0302, offered.random, b"s" * 32, offered.suites, (0,))
    hello, echoed = server_hello(b"s" * 32)
    _, other = server_hello(b"t" * 32)
    certificate = fragment(HANDSHAKE, 0x0302, encode_handshake(11, b"\0\0\0"))
    changed = b"\x14\3\2\0\1\1"
    assert taken(Conversation(hello=hello, offered=offered, received=echoed + changed))
    assert not taken(Conversation(hello=hello, offered=offered, received=echoed + certificate))
    assert not taken(Conversation(hello=server_hello(b"t" * 32)[0], offered=offered, received=other + changed))
    assert not taken(Conversation(offered=offered))


def ids(answer: Resumption) -> list[tuple[str, str]]:
    return [(finding.id, finding.category) for finding in findings(answer)]


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (Way("TLS 1.3", "psk", True, 3, 3, lifetime=604800), []),
        (Way("TLS 1.3", "psk", True, 3, 3, lifetime=604801), [("ticket-lifetime", "fault")]),
        (Way("TLS 1.2", "ticket", True, 3, 3, lifetime=604801), [("ticket-lifetime", "legacy")]),
        (Way("TLS 1.2", "ticket", True, 3, 3, other_name="resumed"), [("resumption-other-name", "fault")]),
        (Way("TLS 1.3", "psk", True, 3, 3, other_name="resumed"), [("resumption-other-name", "info")]),
        (Way("TLS 1.3", "psk", True, 3, 3, other_name="full"), []),
        (Way("TLS 1.3", "psk", True, 3, 1), [("resumption-unreliable", "info")]),
        (Way("TLS 1.3", "psk", True, 3, 2, unknown=1), []),
        (Way("TLS 1.3", "psk", True, 3, 0), []),
    ],
)
def test_a_way_is_judged(way: Way, expected: list[tuple[str, str]]) -> None:
    assert ids(Resumption(ways=[way])) == expected


@pytest.mark.stacks
def test_a_server_that_wants_a_certificate_leaves_the_question_open() -> None:
    require("openssl-d")
    with serving("openssl", openssl_s_server("-Verify", "1")) as server:
        answer, _ = asked(server.port, "resumption")
    assert answer.state == "incomplete"
    assert [note.partition(":")[0] for note in answer.notes] == ["TLS 1.3", "TLS 1.2"]


@pytest.mark.parametrize("outcome", ["resumed", "full", "refused", "unknown"])
def test_only_a_session_that_went_on_breaks_a_rule(outcome: Outcome) -> None:
    answer = Resumption(
        psk_alone=outcome,
        master_secret=[MasterSecret("dropped", "TLS 1.2", outcome, PROOF)],
        crossings=[Crossing("TLS 1.3", "TLS 1.2", outcome, PROOF)],
    )
    expected = [
        ("psk-alone", "no-forward-secrecy"),
        ("resumption-master-secret", "fault"),
        ("resumption-crossed", "fault"),
    ]
    assert ids(answer) == (expected if outcome == "resumed" else [])


def test_the_report_tells_more_when_asked_to() -> None:
    answer = Resumption(
        ways=[
            Way("TLS 1.3", "psk", True, 3, 3, 0, True, 2, 7200, 224, "00" * 16, "full"),
            Way("TLS 1.2", "ticket", True, 3, 2, 1, True, 1, 90, 192),
            Way("TLS 1.2", "session id", False),
        ],
        psk_alone="full",
        early_data=EarlyData(16384, True, False, "HTTP/1.1 425 Too Early"),
        master_secret=[MasterSecret("dropped", "TLS 1.2", "refused", PROOF)],
        crossings=[Crossing("TLS 1.2", "TLS 1.1", "full", PROOF)],
    )
    brief = [(line.text, line.category) for line in lines("resumption", answer, verbose=False)]
    assert brief == [
        ("TLS 1.3  by psk: 3 of 3 resumed, 2 tickets, lifetime 2 h", ""),
        ("TLS 1.2  by ticket: 2 of 3 resumed, 1 ticket, lifetime 90 s", "unknown"),
        ("TLS 1.2  by session id: not offered", ""),
        ("TLS 1.3  0-RTT: up to 16384 bytes, taken, not when replayed (answer: HTTP/1.1 425 Too Early)", ""),
    ]
    full = [line.text for line in lines("resumption", answer, verbose=True)]
    assert "  tickets of 224 bytes, all begin with 00000000000000000000000000000000" in full
    assert "  under another name, which has another certificate: a new session instead" in full
    assert "TLS 1.3  without a new key exchange (psk_ke): a new session instead" in full
    assert "TLS 1.2  extended_master_secret dropped: refused" in full
    assert "TLS 1.1  with a session of TLS 1.2: a new session instead" in full
