from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import msgspec
import pytest

from tests.servers import recipes
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.process import serving
from tlswire.lab import server as lab
from tlswire.results.answers.signatures import Signature, Signatures, VersionSignatures
from tlswire.results.proof import Proof
from tlswire.scan.questions.signatures import findings

from .asking import asked, s_client

if TYPE_CHECKING:
    from collections.abc import Sequence

MODERN = "TLSv1.2 TLSv1.3"


def schemes(answer: Signatures) -> dict[str, list[str]]:
    return {version.version: [scheme.name for scheme in version.schemes] for version in answer.versions}


@pytest.mark.stacks
def test_the_schemes_are_those_the_server_is_configured_for() -> None:
    require("nginx-b")
    limits = "ssl_conf_command SignatureAlgorithms RSA-PSS+SHA256:RSA+SHA512:ECDSA+SHA384;"
    recipe = recipes.nginx(protocols=MODERN, ciphers="ECDHE+AESGCM", certs=("rsa2048", "p384"), directives=(limits,))
    with serving("nginx", recipe) as server:
        answer, found = asked(server.port, "signatures")
    assert {version: set(names) for version, names in schemes(answer).items()} == {
        "TLS 1.3": {"rsa_pss_rsae_sha256", "ecdsa_secp384r1_sha384"},
        "TLS 1.2": {"rsa_pss_rsae_sha256", "rsa_pkcs1_sha512", "ecdsa_secp384r1_sha384"},
    }
    assert answer.state == "complete"
    assert {scheme.check for version in answer.versions for scheme in version.schemes} == {"verified"}
    keys = {scheme.name: scheme.key for scheme in answer.versions[0].schemes}
    assert keys == {"rsa_pss_rsae_sha256": "RSA 2048", "ecdsa_secp384r1_sha384": "EC secp384r1"}
    assert found == []


# As openssl's options name them.
NAMES = {
    "rsa_sha224": "RSA+SHA224",
    "rsa_pkcs1_sha1": "RSA+SHA1",
    "ecdsa_sha1": "ECDSA+SHA1",
    "ecdsa_sha224": "ECDSA+SHA224",
}
SOME = ("rsa_pkcs1_sha1", "rsa_sha224", "rsa_pkcs1_sha256", "rsa_pss_rsae_sha384", "ecdsa_sha1", "ecdsa_sha224")
OTHERS = ("ecdsa_secp256r1_sha256", "ecdsa_secp521r1_sha512", "ed25519", "ed448", "rsa_pss_pss_sha256")


@pytest.mark.stacks
@pytest.mark.parametrize("name", ["nginx-c", "go", "lighttpd-nss"])
def test_openssl_s_client_is_signed_for_with_the_same_schemes(name: str) -> None:
    require(name)
    with running(name) as server:
        answer, _ = asked(server.port, "signatures")
        for version, option in (("TLS 1.2", "-tls1_2"), ("TLS 1.3", "-tls1_3")):
            taken = schemes(answer)[version]
            for scheme in (*SOME, *OTHERS):
                wanted = ("-sigalgs", NAMES.get(scheme, scheme), "-cipher", "ALL:@SECLEVEL=0")
                shown = s_client(server.port, option, "-servername", "localhost", *wanted)
                assert ("Peer signature type" in shown) == (scheme in taken), (version, scheme, shown)


def orders(name: str) -> dict[str, str]:
    require(name)
    with running(name) as server:
        answer, _ = asked(server.port, "signatures")
    return {version.version: version.preference for version in answer.versions}


@pytest.mark.stacks
def test_whose_order_decides_is_told() -> None:
    assert orders("nginx-b") == {"TLS 1.3": "client", "TLS 1.2": "client"}
    assert orders("nginx-a-ordered") == {"TLS 1.3": "server", "TLS 1.2": "server"}


@pytest.mark.stacks
def test_the_server_s_order_is_the_configured_one() -> None:
    require("nginx-b")
    order = "rsa_pss_rsae_sha512:RSA+SHA256:rsa_pss_rsae_sha256:RSA+SHA384"
    recipe = recipes.nginx(
        protocols=MODERN,
        ciphers="ECDHE+AESGCM",
        prefer_server=True,
        directives=(f"ssl_conf_command SignatureAlgorithms {order};",),
    )
    with serving("nginx", recipe) as server:
        answer, _ = asked(server.port, "signatures")
    assert schemes(answer) == {
        "TLS 1.3": ["rsa_pss_rsae_sha512", "rsa_pss_rsae_sha256"],
        "TLS 1.2": ["rsa_pss_rsae_sha512", "rsa_pkcs1_sha256", "rsa_pss_rsae_sha256", "rsa_pkcs1_sha384"],
    }


@pytest.mark.stacks
def test_a_modern_server_takes_less_than_thirty_connections() -> None:
    require("nginx-b")
    with running("nginx-b") as server:
        answer, _ = asked(server.port, "signatures")
    assert answer.connections <= 27


@pytest.mark.stacks
def test_a_scheme_that_kills_a_list_hides_no_other() -> None:
    # JSSE would pick ed448, for which it has no key, and fails with internal_error.
    require("jsse")
    with running("jsse") as server:
        answer, found = asked(server.port, "signatures")
    assert set(schemes(answer)["TLS 1.3"]) == {
        "ecdsa_secp256r1_sha256",
        "rsa_pss_rsae_sha256",
        "rsa_pss_rsae_sha384",
        "rsa_pss_rsae_sha512",
        "ed25519",
    }
    assert [finding.cve for finding in found if finding.id == "signature-md5"] == [["CVE-2015-7575"]]


@pytest.mark.stacks
def test_a_signature_of_another_scheme_than_it_says_is_a_fault() -> None:
    # Erlang signs with its Ed25519 key and calls it ed448.
    require("erlang")
    with running("erlang") as server:
        answer, found = asked(server.port, "signatures")
    bad = [scheme.name for version in answer.versions for scheme in version.schemes if scheme.check == "bad"]
    assert bad == ["ed448"]
    assert [finding.category for finding in found if finding.id == "signature-bad"] == ["fault"]


def test_a_server_that_ignores_what_is_offered_is_told_from_one_that_refuses() -> None:
    with lab.running("ignores-schemes") as server:
        answer, found = asked(server.port, "signatures")
    (version,) = answer.versions
    assert version.behaviour == "ignores"
    assert [scheme.name for scheme in version.unoffered] == ["rsa_pkcs1_sha1"]
    assert schemes(answer) == {"TLS 1.2": ["rsa_pkcs1_sha1"]}
    assert {finding.id: finding.category for finding in found} == {
        "signature-sha1": "weak",
        "signature-unoffered": "fault",
    }
    with lab.running("legacy-mdm") as server:
        answer, found = asked(server.port, "signatures")
    assert [(one.behaviour, one.unoffered, one.refusals) for one in answer.versions] == [
        ("honours", [], ["alert:handshake_failure"])
    ]


def test_a_server_without_signatures_is_not_applicable_and_says_why() -> None:
    with lab.running("version-intolerant") as server:
        answer, found = asked(server.port, "signatures")
    assert (answer.state, found) == ("not-applicable", [])
    assert "TLS 1.1 and older" in answer.notes[0]


def test_a_server_that_cannot_be_understood_leaves_unknown_what_it_hides() -> None:
    with lab.running("garbage-records") as server:
        answer, found = asked(server.port, "signatures")
    assert answer.state == "incomplete"
    assert [note for note in answer.notes if re.search("TLS 1.3: .*tag", note)]
    # The ServerKeyExchange of TLS 1.2 is in clear.
    assert {finding.version for finding in found} <= {"TLS 1.2"}


def version_of(*used: Signature, unoffered: Sequence[Signature] = ()) -> Signatures:
    behaviour: Literal["ignores", "honours"] = "ignores" if unoffered else "honours"
    version = VersionSignatures(
        "TLS 1.2", "ServerKeyExchange", behaviour, "client", list(used), list(unoffered), [], tried=64, unknown=[]
    )
    return Signatures(versions=[version])


def test_what_cannot_be_checked_is_no_finding_and_what_does_not_hold_is_one() -> None:
    held = Signature("0x0401", "rsa_pkcs1_sha256", "SHA256", "RSA 2048", "verified", "", Proof("", ""))
    unchecked = msgspec.structs.replace(held, check="unchecked", reason="cannot be checked here: scheme mldsa44")
    bad = msgspec.structs.replace(held, check="bad", reason="does not verify")
    assert list(findings(version_of(held, unchecked))) == []
    (finding,) = findings(version_of(bad))
    assert (finding.id, finding.category, finding.version) == ("signature-bad", "fault", "TLS 1.2")
    assert "rsa_pkcs1_sha256: does not verify" in finding.text
    assert [finding.id for finding in findings(version_of(held, unoffered=[bad]))] == [
        "signature-unoffered",
        "signature-bad",
    ]
