from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tests.servers import recipes
from tests.servers.catalogue import running
from tests.servers.certs import certificates
from tests.servers.gate import require
from tests.servers.process import serving
from tlswire.certificates.distinguished import distinguished_name
from tlswire.handshake.conversation import Conversation
from tlswire.lab import server as lab
from tlswire.results.answers.clientauth import ClientAuths
from tlswire.scan.questions.clientauth import MAX_AUTHORITIES, policy_of
from tlswire.wire.messages import CertificateRequest12
from tlswire.wire.records import Alert

from .asking import asked, s_client

MODERN = "TLSv1.2 TLSv1.3"


def policies(answer: ClientAuths) -> dict[str, tuple[str, str]]:
    return {version.version: (version.policy, version.outcome) for version in answer.versions}


def of_nginx(mode: str) -> ClientAuths:
    require("nginx-b")
    more = (f"ssl_verify_client {mode};", f"ssl_client_certificate {certificates().ca};")
    with serving("nginx", recipes.nginx(protocols=MODERN, ciphers="ECDHE+AESGCM", directives=more)) as server:
        answer, found = asked(server.port, "clientauth")
        assert "CN = tlswire test CA" in s_client(server.port, "-servername", "localhost")
    assert (answer.state, found) == ("complete", [])
    assert isinstance(answer, ClientAuths)
    return answer


@pytest.mark.stacks
def test_nginx_that_must_have_a_certificate_says_so_above_tls() -> None:
    answer = of_nginx("on")
    assert policies(answer) == {"TLS 1.3": ("application", "finished"), "TLS 1.2": ("application", "finished")}
    assert {version.application for version in answer.versions} == {"HTTP/1.1 400 Bad Request"}
    assert [version.authorities for version in answer.versions] == [["CN=tlswire test CA"]] * 2
    assert answer.versions[0].types == []
    assert answer.versions[1].types == ["rsa_sign", "dss_sign", "ecdsa_sign"]
    assert "ecdsa_secp256r1_sha256" in answer.versions[0].schemes
    assert answer.connections == 3


@pytest.mark.stacks
def test_nginx_that_can_do_without_one_is_optional() -> None:
    answer = of_nginx("optional")
    assert policies(answer) == {"TLS 1.3": ("optional", "finished"), "TLS 1.2": ("optional", "finished")}
    assert {version.application for version in answer.versions} == {"HTTP/1.1 200 OK"}


@pytest.mark.stacks
def test_a_server_that_never_asks_takes_one_connection_a_version() -> None:
    require("nginx-b")
    with running("nginx-b") as server:
        answer, _ = asked(server.port, "clientauth")
    assert policies(answer) == {"TLS 1.3": ("never", "finished"), "TLS 1.2": ("never", "finished")}
    assert answer.connections == 2


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("option", "tls13", "tls12"),
    [
        ("-verify", ("optional", "finished"), ("optional", "finished")),
        ("-Verify", ("required", "alert:certificate_required"), ("required", "alert:handshake_failure")),
    ],
)
def test_openssl_s_server(option: str, tls13: tuple[str, str], tls12: tuple[str, str]) -> None:
    require("openssl-d")
    recipe = recipes.openssl_s_server(option, "1", "-CAfile", str(certificates().ca))
    with serving("openssl", recipe) as server:
        answer, _ = asked(server.port, "clientauth")
    assert policies(answer) == {"TLS 1.3": tls13, "TLS 1.2": tls12}


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("option", "policy"), [("--verify-client-cert", "optional"), ("--require-client-cert", "required")]
)
def test_gnutls_serv(option: str, policy: str) -> None:
    require("gnutls")
    recipe = recipes.gnutls("NORMAL:+VERS-TLS-ALL", option, "--x509cafile", str(certificates().ca))
    with serving("gnutls", recipe) as server:
        answer, _ = asked(server.port, "clientauth")
    assert {version.policy for version in answer.versions} == {policy}
    assert {"TLS 1.3", "TLS 1.2", "TLS 1.0"} <= policies(answer).keys()


@pytest.mark.stacks
def test_a_server_that_closes_on_questions_about_its_certificate_is_asked_without_them() -> None:
    require("lighttpd-wolfssl")
    with running("lighttpd-wolfssl") as server:
        answer, _ = asked(server.port, "clientauth")
    assert answer.state == "complete"
    assert policies(answer) == {"TLS 1.3": ("never", "finished"), "TLS 1.2": ("never", "finished")}


def test_a_request_that_may_be_left_without_an_answer_is_optional_in_every_version() -> None:
    with lab.running("legacy-mdm") as server:
        answer, _ = asked(server.port, "clientauth")
    assert answer.state == "complete"
    assert {version.policy for version in answer.versions} == {"optional"}
    assert {version.version: len(version.schemes) for version in answer.versions} == {
        "TLS 1.2": 4,
        "TLS 1.1": 0,
        "TLS 1.0": 0,
    }


REQUEST = CertificateRequest12((1, 64), (0x0403,), ())


@pytest.mark.parametrize(
    ("policy", "conversation"),
    [
        ("never", Conversation(kind="finished", stage="finished")),
        ("never", Conversation(kind="hello", stage="flight", unchecked="the key exchange of SRP")),
        (None, Conversation(kind="hello", stage="hello", ending="timeout")),
        (None, Conversation(kind="alert", alert=Alert(2, 40))),
        ("required", Conversation(kind="alert", stage="flight", alert=Alert(2, 40), certificate_request=REQUEST)),
        ("required", Conversation(kind="alert", stage="finished", alert=Alert(2, 116), certificate_request=REQUEST)),
        ("required", Conversation(kind="hello", stage="flight", ending="close", certificate_request=REQUEST)),
        ("optional", Conversation(kind="finished", stage="finished", certificate_request=REQUEST)),
        ("unknown", Conversation(kind="hello", stage="flight", ending="timeout", certificate_request=REQUEST)),
        ("unknown", Conversation(kind="fault", stage="flight", ending="close", certificate_request=REQUEST)),
        (
            "unknown",
            Conversation(kind="hello", stage="flight", ending="close", unchecked="RC2", certificate_request=REQUEST),
        ),
    ],
)
def test_what_a_handshake_tells(policy: str | None, conversation: Conversation) -> None:
    assert policy_of(conversation) == policy


def test_a_name_is_told_as_its_certificate_would_tell_it() -> None:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "A, B \x1b[31m"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Ä"),
        ]
    )
    assert distinguished_name(name.public_bytes()) == r"CN=Ä,O=A\, B \x1b[31m,C=DE"
    long = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x" * 64) for _ in range(1000)])
    assert distinguished_name(long.public_bytes()).startswith("O=xxx")
    assert len(distinguished_name(long.public_bytes())) == 1024


@given(st.binary(max_size=300))
def test_bytes_that_are_no_name_are_unreadable_in_words(data: bytes) -> None:
    assert distinguished_name(data).isprintable()


def test_the_strict_prefixes_of_a_name_are_unreadable() -> None:
    data = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")]).public_bytes()
    assert all(distinguished_name(data[:cut]).startswith("unreadable") for cut in range(len(data)))
    assert distinguished_name(data) == "CN=somebody"


@pytest.mark.stacks
def test_a_long_list_of_authorities_is_cut_and_counted() -> None:
    require("openssl-d")
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    with serving("openssl", recipes.openssl_s_server("-verify", "1", "-CAfile", bundle)) as server:
        answer, _ = asked(server.port, "clientauth")
    for version in answer.versions:
        assert len(version.authorities) == MAX_AUTHORITIES < version.authority_count
        assert all("=" in name for name in version.authorities)
