from __future__ import annotations

import msgspec
import pytest

from tests.servers import recipes
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.process import serving
from tlswire.lab import server as lab
from tlswire.lab.characters import TLS12, TLS13, character
from tlswire.results.answers.fallback import Fallback, Mark, Signal
from tlswire.results.proof import Proof
from tlswire.scan.questions.fallback import findings

from .asking import asked, s_client

NOTHING = Proof("", "")


def signals(answer: Fallback) -> tuple[str, str, str, str]:
    assert answer.lower is not None
    assert answer.best is not None
    return answer.lower.version, answer.lower.reaction, answer.best.version, answer.best.reaction


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "honours"), [("nginx-a", True), ("gnutls", True), ("go", True), ("lighttpd-nss", True), ("jsse", False)]
)
def test_the_signal_is_honoured_as_openssl_s_client_sees_it(name: str, *, honours: bool) -> None:
    require(name)
    with running(name) as server:
        answer, found = asked(server.port, "fallback")
        shown = s_client(server.port, "-fallback_scsv", "-tls1_2", "-cipher", "ALL:@SECLEVEL=0")
    assert ("alert inappropriate fallback" in shown) == honours
    expected = "inappropriate-fallback" if honours else "goes-on"
    assert signals(answer) == ("TLS 1.2", expected, "TLS 1.3", "goes-on")
    assert answer.connections == 2
    assert {mark.marks for mark in answer.marks} == {"present"}
    assert all(mark.hellos == mark.marked > 0 and mark.required for mark in answer.marks)
    assert [finding.id for finding in found] == ([] if honours else ["fallback-signal"])
    if not honours:
        # JSSE shows SSLv3, too: that is what POODLE falls back to.
        assert found[0].cve == ["CVE-2014-3566"]


@pytest.mark.stacks
def test_one_version_has_nothing_to_fall_back_to() -> None:
    require("mlkem")
    with running("mlkem") as server:
        answer, found = asked(server.port, "fallback")
    assert (answer.state, answer.connections, found) == ("not-applicable", 0, [])


@pytest.mark.stacks
def test_a_gap_between_versions_is_stepped_over() -> None:
    require("nginx-a")
    recipe = recipes.nginx(protocols="TLSv1 TLSv1.3", ciphers=recipes.ALL_CIPHERS)
    with serving("nginx", recipe) as server:
        answer, _ = asked(server.port, "fallback")
    assert signals(answer) == ("TLS 1.0", "inappropriate-fallback", "TLS 1.3", "goes-on")
    # With TLS 1.2 left out OpenSSL marks nothing older, lest clients that know TLS 1.2 should stop.
    assert [(mark.version, mark.marks) for mark in answer.marks] == [("TLS 1.0", "absent")]


@pytest.mark.stacks
def test_a_server_without_tls_13_should_mark_and_mbed_tls_does_not() -> None:
    require("lighttpd-mbedtls")
    with running("lighttpd-mbedtls") as server:
        answer, found = asked(server.port, "fallback")
    assert signals(answer)[:2] == ("TLS 1.1", "inappropriate-fallback")
    assert [(mark.version, mark.marks, mark.required) for mark in answer.marks] == [
        ("TLS 1.1", "absent", False),
        ("TLS 1.0", "absent", False),
    ]
    assert [(finding.id, finding.category) for finding in found] == [("downgrade-mark-missing", "info")]


def test_the_museum_ignores_the_signal_and_opens_the_door_to_poodle() -> None:
    with lab.running("museum") as server:
        answer, found = asked(server.port, "fallback")
    assert signals(answer) == ("TLS 1.2", "goes-on", "TLS 1.3", "goes-on")
    assert [(finding.id, finding.cve) for finding in found] == [("fallback-signal", ["CVE-2014-3566"])]


def test_a_refusal_by_other_means_protects_and_is_told() -> None:
    of = msgspec.structs.replace(character("closes"), suites={v: character("plain").suites[v] for v in (TLS12, TLS13)})
    with lab.running(of) as server:
        answer, found = asked(server.port, "fallback")
    assert signals(answer)[1] == "other"
    assert answer.lower is not None
    assert answer.lower.answer == "close"
    assert [(finding.category, finding.cve) for finding in found] == [("info", [])]


def judged(marks: str, *, required: bool) -> list[tuple[str, str]]:
    mark = Mark("TLS 1.2", marks, required, 4, 1, NOTHING)  # type: ignore[arg-type]
    return [(finding.id, finding.category) for finding in findings(Fallback(best_version="TLS 1.3", marks=[mark]))]


def test_marks_that_are_missing_or_wrong_are_told_by_their_weight() -> None:
    assert judged("present", required=True) == []
    assert judged("absent", required=True) == [("downgrade-mark-missing", "legacy")]
    assert judged("mixed", required=True) == [("downgrade-mark-missing", "legacy")]
    assert judged("absent", required=False) == [("downgrade-mark-missing", "info")]
    assert judged("wrong", required=True) == [("downgrade-mark-wrong", "fault")]


def test_the_best_version_must_not_mind_the_signal() -> None:
    refused = Signal("TLS 1.3", "inappropriate-fallback", "alert:inappropriate_fallback", NOTHING)
    (finding,) = findings(Fallback(best_version="TLS 1.3", best=refused))
    assert (finding.id, finding.category) == ("fallback-signal-best", "fault")
    unknown = Signal("TLS 1.3", "unknown", "no two answers agree", NOTHING)
    assert list(findings(Fallback(best_version="TLS 1.3", best=unknown, lower=unknown))) == []
