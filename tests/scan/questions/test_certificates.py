from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.scan.scans import scan
from tests.servers.catalogue import running
from tests.servers.certs import certificates
from tests.servers.gate import require
from tests.servers.process import serving
from tests.servers.recipes import nginx
from tlswire.scan.scanner import Options
from tlswire.scan.trust import read_store

if TYPE_CHECKING:
    from tlswire.results.answers.certificates import Certificates

pytestmark = pytest.mark.stacks

OPTIONS = Options(method="eliminate", questions=("certificates",), server_name="localhost")


def ask(port: int, options: Options = OPTIONS) -> Certificates:
    result = scan(port, options)
    assert result.complete, result.notes
    assert result.answers.certificates is not None
    return result.answers.certificates


def showcerts(port: int, *options: str) -> list[bytes]:
    """The chain as openssl s_client prints it."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-showcerts"]
    done = subprocess.run([*command, *options], input="", capture_output=True, text=True, timeout=20, check=False)
    return ders([part + ssl.PEM_FOOTER for part in done.stdout.split(ssl.PEM_FOOTER)[:-1]])


def ders(pems: list[str]) -> list[bytes]:
    return [ssl.PEM_cert_to_DER_cert(pem[pem.index(ssl.PEM_HEADER) :]) for pem in pems]


def test_every_chain_of_a_server_with_three_keys_is_shown_as_openssl_shows_it() -> None:
    require("nginx-c")
    with running("nginx-c") as server:
        answer = ask(server.port)
        shown = {chain.key: ders(chain.pem) for chain in answer.chains}
        expected = {
            "RSA 2048": showcerts(server.port, "-sigalgs", "rsa_pss_rsae_sha256"),
            "EC secp256r1": showcerts(server.port, "-sigalgs", "ecdsa_secp256r1_sha256"),
            "Ed25519": showcerts(server.port, "-sigalgs", "ed25519"),
        }
    assert shown == expected
    assert all({"TLS 1.2", "TLS 1.3"} <= {item.version for item in chain.occasions} for chain in answer.chains)


def test_chains_come_from_servers_that_speak_nothing_but_tls_13() -> None:
    require("mlkem")
    with running("mlkem") as server:
        answer = ask(server.port)
        shown = showcerts(server.port, "-groups", "X25519MLKEM768")
    (chain,) = answer.chains
    assert [item.version for item in chain.occasions] == ["TLS 1.3"] * 3
    assert {item.signature_scheme for item in chain.occasions} <= {"rsa_pss_rsae_sha256", "rsa_pss_rsae_sha512"}
    assert not shown or ders(chain.pem) == shown  # an openssl before 3.5 has no ML-KEM to see it with


def test_a_given_anchor_makes_the_chain_trusted_and_nothing_to_be_said_of_it() -> None:
    require("nginx-b")
    store = {"ours": read_store("ours", certificates().ca)}
    with running("nginx-b") as server:
        result = scan(server.port, msgspec.structs.replace(OPTIONS, anchors=store))
    assert result.answers.certificates is not None
    (chain,) = result.answers.certificates.chains
    assert chain.trusted == ["ours"]
    assert chain.report.host is not None
    assert chain.report.host.ok
    assert not [finding for finding in result.findings if finding.question == "certificates"]


def test_a_wrong_name_is_told_with_the_reason() -> None:
    require("nginx-b")
    with running("nginx-b") as server:
        result = scan(server.port, msgspec.structs.replace(OPTIONS, server_name="other.example"))
    texts = [finding.text for finding in result.findings if finding.id == "certificate-name-mismatch"]
    assert len(texts) == 1
    assert "other.example" in texts[0]


def test_few_connections_are_made() -> None:
    require("nginx-b")
    modern = nginx(protocols="TLSv1.2 TLSv1.3", ciphers="ECDHE+AESGCM", certs=("p384",))
    with serving("nginx", modern) as server:
        answer = ask(server.port)
    assert 0 < answer.connections <= 8
    (chain,) = answer.chains
    assert chain.key == "EC secp384r1"
