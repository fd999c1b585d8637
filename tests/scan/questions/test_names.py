from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import recipes
from tests.servers.catalogue import running
from tests.servers.certs import certificates
from tests.servers.gate import require
from tests.servers.process import serving
from tlswire.lab import server as lab
from tlswire.results.answers.names import NameAnswer, Names
from tlswire.results.proof import Proof
from tlswire.scan.questions.names import LONG, findings

from .asking import asked, s_client

if TYPE_CHECKING:
    from tests.servers.process import Recipe
    from tlswire.results.answers.names import Kind
    from tlswire.results.scan import Finding


def of(recipe: Recipe, host: str = "localhost") -> tuple[Names, list[Finding]]:
    require("nginx-b")
    with serving("server", recipe) as server:
        answer, found = asked(server.port, "names", host)
    assert answer.state == "complete"
    assert isinstance(answer, Names)
    return answer, found


def shown(answer: Names) -> dict[str, str]:
    """What each name got: the subject of the certificate, or the answer."""
    subjects = {leaf.sha256: leaf.subject or "" for leaf in answer.certificates}
    return {name.kind: subjects[name.certificate] if name.certificate else name.answer for name in answer.names}


RSA, P256 = "CN=tlswire test rsa2048", "CN=tlswire test p256"
REFUSED = "alert:unrecognized_name"


@pytest.mark.stacks
def test_a_server_that_rejects_what_it_does_not_know_is_strict() -> None:
    answer, found = of(recipes.nginx_hosts({"_": None, "localhost": "rsa2048"}))
    assert shown(answer) == {
        "own": RSA,
        "dot": RSA,
        "upper": RSA,
        **dict.fromkeys(("none", "unknown", "address", "long", "empty"), REFUSED),
    }
    assert (answer.strict, found) == (True, [])


@pytest.mark.stacks
def test_the_default_server_s_certificate_is_seen_though_it_is_of_another_kind() -> None:
    answer, found = of(recipes.nginx_hosts({"_": "p256", "localhost": "rsa2048"}))
    assert shown(answer) == {
        "own": RSA,
        "dot": RSA,
        "upper": RSA,
        **dict.fromkeys(("none", "unknown", "address", "long", "empty"), P256),
    }
    assert [name.same for name in answer.names if name.kind in {"own", "none"}] == [True, False]
    assert (answer.strict, found) == (False, [])
    assert answer.connections == 8


@pytest.mark.stacks
def test_openssl_shows_the_same_certificates_to_s_client() -> None:
    require("nginx-b")
    with serving("nginx", recipes.nginx_hosts({"_": "p256", "localhost": "rsa2048"})) as server:
        assert "CN = tlswire test p256" in s_client(server.port, "-noservername")
        assert "CN = tlswire test p256" in s_client(server.port, "-servername", "no-such-name.invalid")
        assert "CN = tlswire test rsa2048" in s_client(server.port, "-servername", "LOCALHOST")
    with serving("nginx", recipes.nginx_hosts({"_": None, "localhost": "rsa2048"})) as server:
        assert "unrecognized name" in s_client(server.port, "-servername", "no-such-name.invalid")


@pytest.mark.stacks
def test_a_target_that_is_an_address_has_no_name_of_its_own() -> None:
    answer, _ = of(recipes.nginx_hosts({"_": "p256", "localhost": "rsa2048"}), "127.0.0.1")
    assert [name.kind for name in answer.names] == ["none", "unknown", "address", "long", "empty"]
    assert set(shown(answer).values()) == {P256}
    assert all(name.same for name in answer.names)


def s_server(*options: str) -> Recipe:
    other = certificates().leaf("p256")
    names = ("-servername", "localhost", "-cert2", str(other.cert), "-key2", str(other.key))
    return recipes.openssl_s_server(*names, *options)


@pytest.mark.stacks
def test_a_fatal_alert_and_a_warning_are_told_apart() -> None:
    answer, found = of(s_server("-servername_fatal"))
    assert shown(answer)["none"] == RSA
    assert {shown(answer)[kind] for kind in ("unknown", "address", "dot")} == {REFUSED}
    assert (answer.strict, found) == (False, [])
    answer, found = of(s_server("-tls1_2"))
    warned = {name.kind: name.warnings for name in answer.names}
    assert warned["unknown"] == ["unrecognized_name"]
    assert warned["own"] == warned["none"] == []
    assert shown(answer)["unknown"] == RSA
    assert [(finding.id, finding.category) for finding in found] == [("name-warning", "info")]


@pytest.mark.stacks
def test_an_empty_name_is_refused_by_those_who_look() -> None:
    require("gnutls")
    with running("gnutls") as server:
        answer, found = asked(server.port, "names")
    assert shown(answer)["empty"] == "alert:decode_error"
    assert len(LONG) == 255
    assert shown(answer)["long"] == shown(answer)["own"]
    assert found == []


def test_a_server_that_needs_a_name_says_so_and_what_cannot_be_read_stays_unknown() -> None:
    with lab.running("needs-name") as server:
        answer, _ = asked(server.port, "names")
    outcomes = {name.kind: name.outcome for name in answer.names}
    assert outcomes["none"] == outcomes["empty"] == "refused"
    assert shown(answer)["none"] == REFUSED


def name(kind: Kind, certificate: str | None, answer: str = "certificate", *, same: bool | None = True) -> NameAnswer:
    return NameAnswer(
        kind=kind,
        sent="x",
        outcome="certificate" if certificate else "refused",
        answer=answer,
        certificate=certificate,
        same=same if certificate else None,
        warnings=[],
        acknowledged=False,
        proof=Proof("", ""),
    )


@pytest.mark.parametrize(
    ("upper", "told"),
    [
        (name("upper", "a"), []),
        (name("upper", "b", same=False), ["another certificate"]),
        (name("upper", None, REFUSED), [REFUSED]),
    ],
)
def test_case_must_not_matter(upper: NameAnswer, told: list[str]) -> None:
    found = list(findings(Names(version="TLS 1.3", names=[name("own", "a"), upper])))
    assert [finding.category for finding in found] == ["fault"] * len(told)
    assert all(text in finding.text for text, finding in zip(told, found, strict=True))
