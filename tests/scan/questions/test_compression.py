from __future__ import annotations

import msgspec
import pytest

from tests.servers.catalogue import running
from tests.servers.gate import require
from tlswire.lab import server as lab
from tlswire.lab.characters import character
from tlswire.results.answers.compression import Compression, WithoutNull
from tlswire.results.proof import Proof
from tlswire.scan.pacing import Limits
from tlswire.scan.questions.compression import findings

from .asking import asked, s_client


def methods(answer: Compression) -> dict[str, list[str]]:
    return {version.version: [method.name for method in version.methods] for version in answer.versions}


def test_the_museum_compresses_in_every_version() -> None:
    with lab.running("museum") as server:
        answer, found = asked(server.port, "compression")
    assert methods(answer) == {version: ["DEFLATE"] for version in ("TLS 1.2", "TLS 1.1", "TLS 1.0", "SSLv3")}
    assert answer.state == "complete"
    (finding,) = found
    assert (finding.category, finding.cve) == ("weak", ["CVE-2012-4929"])
    # The hello that offered it and the ServerHello that took it.
    proof = answer.versions[0].methods[0].proof
    assert "0301" in proof.sent
    assert proof.received.startswith("16")


def test_a_server_with_both_methods_has_both_found_in_its_order() -> None:
    of = msgspec.structs.replace(character("plain"), compression=(64, 1, 0))
    with lab.running(of) as server:
        answer, found = asked(server.port, "compression")
    assert methods(answer)["TLS 1.2"] == ["LZS", "DEFLATE"]
    assert "DEFLATE and LZS" in found[0].text


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "reaction"),
    [("nginx-a", "refused"), ("gnutls", "refused"), ("lighttpd-nss", "refused"), ("jsse", "null"), ("go", "refused")],
)
def test_real_servers_compress_nothing(name: str, reaction: str) -> None:
    require(name)
    with running(name) as server:
        answer, found = asked(server.port, "compression")
        shown = s_client(server.port, "-comp", "-tls1_2")
    assert "Compression: NONE" in shown
    assert set(map(len, methods(answer).values())) == {0}
    assert answer.state == "complete"
    assert [each.reaction for each in answer.without_null] == [reaction] * 2
    assert [finding.category for finding in found] == (["info"] if reaction == "null" else [])


@pytest.mark.stacks
def test_it_takes_a_connection_a_version_and_two_for_the_illegal_hellos() -> None:
    require("nginx-b")
    with running("nginx-b") as server:
        answer, _ = asked(server.port, "compression")
    assert answer.connections == 3


def test_tls_13_alone_has_no_compression() -> None:
    with lab.running("mlkem-only") as server:
        answer, found = asked(server.port, "compression")
    assert (answer.state, answer.connections, found) == ("not-applicable", 0, [])


def test_a_server_that_stops_answering_leaves_it_unknown() -> None:
    # The tarpit's last connections go to the suites.
    of = msgspec.structs.replace(
        character("tarpit"), quirks=msgspec.structs.replace(character("tarpit").quirks, connections_served=40)
    )
    with lab.running(of) as server:
        answer, found = asked(server.port, "compression", limits=Limits(timeout=0.5, deadline=3))
    assert answer.state == "incomplete"
    assert all(not version.methods and version.unknown for version in answer.versions)
    assert (found, len(answer.notes) > 0) == ([], True)


def test_a_method_taken_from_a_hello_without_null_is_compression_too() -> None:
    chosen = WithoutNull("TLS 1.2", "DEFLATE", "chosen", "", Proof("", ""))
    (finding,) = findings(Compression(without_null=[chosen]))
    assert (finding.id, finding.category) == ("compression", "weak")
