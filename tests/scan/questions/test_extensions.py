from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.x509 import ocsp

from tests.scan.questions.asking import asked, patient, s_client
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.process import serving
from tests.servers.recipes import gnutls, nginx, openssl_s_server
from tlswire.lab import server as lab
from tlswire.report.answers import lines
from tlswire.results.answers.extensions import (
    Alpn,
    Answered,
    Compression,
    EchConfiguration,
    Extensions,
    Limit,
    Refused,
    VersionExtensions,
)
from tlswire.results.proof import Proof
from tlswire.scan.questions.extensions import findings

if TYPE_CHECKING:
    from pathlib import Path


MODERN = "TLSv1.2 TLSv1.3"
GCM = "ECDHE+AESGCM"
PROOF = Proof("", "")


def ask(port: int, **options: Any) -> tuple[Extensions, set[tuple[str, str | None]]]:
    """A whole answer, and the findings with their versions."""
    answer, found = asked(port, "extensions", **options)
    assert (answer.state, answer.notes) == ("complete", [])
    return answer, {(finding.id, finding.version) for finding in found}


def names(version: VersionExtensions, message: str) -> set[str]:
    return {item.name for item in version.answered if item.message == message}


@pytest.mark.stacks
def test_nginx_answers_what_it_is_configured_for() -> None:
    require("nginx-b")
    recipe = nginx(protocols=MODERN, ciphers="ECDHE", listen="http2", directives=("ssl_early_data on;",))
    with serving("nginx", recipe) as server:
        answer, told = ask(server.port)
        assert "Extended master secret: yes" in s_client(server.port, "-tls1_2")
    modern, older = answer.versions
    assert names(modern, "HelloRetryRequest") == {"supported_versions", "key_share"}
    assert names(modern, "EncryptedExtensions") == {"server_name"}
    assert names(modern, "NewSessionTicket") == {"early_data"}
    assert modern.early_data == 16384
    assert older.version == "TLS 1.2"
    assert (older.extended_master_secret, older.encrypt_then_mac, older.session_ticket) == (True, True, True)
    assert (older.secure_renegotiation, older.heartbeat, older.next_protocols) == (True, None, None)
    for alpn in answer.alpn:
        assert alpn.protocols == ["h2", "http/1.1", "http/1.0", "http/0.9"]
        assert (alpn.preference, alpn.no_overlap) == ("server", "refused")
        assert (alpn.refusal, alpn.anything) == ("alert:no_application_protocol", False)
    assert (answer.ech, answer.compression) == (None, [])
    assert [(limit.extension, limit.answered, limit.obeyed) for limit in answer.limits] == [
        ("max_fragment_length", 512, True),
        ("record_size_limit", None, None),
    ] * 2
    assert told == set()


@pytest.mark.stacks
def test_openssl_s_server_answers_npn_a_staple_and_alpn_in_its_order(tmp_path: Path) -> None:
    require("openssl-d")
    staple = tmp_path / "staple.der"
    response = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - for this test only

    staple.write_bytes(response.public_bytes(Encoding.DER))
    options = ("-status_file", str(staple), "-alpn", "imap,h2", "-nextprotoneg", "spdy/3,http/1.1")
    with serving("openssl", openssl_s_server(*options)) as server:
        answer, told = ask(server.port)
        assert "ALPN protocol: imap" in s_client(server.port, "-alpn", "h2,imap")
    modern, older = answer.versions
    assert older.next_protocols == ["spdy/3", "http/1.1"]
    assert modern.staple == older.staple == staple.stat().st_size
    assert [alpn.protocols for alpn in answer.alpn] == [["imap", "h2"]] * 2
    assert {alpn.preference for alpn in answer.alpn} == {"server"}
    assert told == {("next-protocol", "TLS 1.2")}


@pytest.mark.stacks
@pytest.mark.parametrize(("strict", "no_overlap"), [(True, "refused"), (False, "ignored")])
def test_gnutls_keeps_to_bounds_and_minds_protocols_as_told(strict: bool, no_overlap: str) -> None:
    require("gnutls")
    options = ["--heartbeat", "--alpn", "h2", "--alpn", "xmpp-server"] + ["--alpn-fatal"] * strict
    with serving("gnutls", gnutls("NORMAL:-VERS-TLS1.0:-VERS-TLS1.1", *options, certs=("rsa2048",))) as server:
        answer, told = ask(server.port)
    assert {alpn.no_overlap for alpn in answer.alpn} == {no_overlap}
    assert all(set(alpn.protocols) == {"h2", "xmpp-server"} for alpn in answer.alpn)
    bounds = {(limit.version, limit.extension): limit for limit in answer.limits}
    assert bounds["TLS 1.3", "record_size_limit"].answered == 16385
    assert bounds["TLS 1.3", "record_size_limit"].obeyed is True
    assert bounds["TLS 1.2", "max_fragment_length"].obeyed is True
    assert bounds["TLS 1.3", "record_size_limit"].longest <= 512
    expected = {"heartbeat"} if strict else {"heartbeat", "alpn-lenient"}
    assert told == {(name, version) for name in expected for version in ("TLS 1.2", "TLS 1.3")}


@pytest.mark.stacks
def test_tlslite_ng_compresses_certificates_in_three_ways_and_has_heartbeats() -> None:
    require("tlslite-ng")
    with running("tlslite-ng") as server:
        answer, told = ask(server.port)
        # Its server has no protocols, and cannot do without them.
        assert "unexpected eof" in s_client(server.port, "-alpn", "h2", "-tls1_3")
    assert answer.compression is not None
    assert {item.algorithm for item in answer.compression} == {"zlib", "brotli", "zstd"}
    assert all(0 < item.compressed < item.length for item in answer.compression)
    assert {version.heartbeat for version in answer.versions} == {"peer_allowed_to_send"}
    assert answer.versions[0].groups[:2] == ["secp256r1", "x25519"]
    assert ("alpn-refusal", "TLS 1.3") in told
    assert ("heartbeat", "TLS 1.2") in told


@pytest.mark.stacks
def test_the_configurations_for_encrypted_hellos_come_in_answer_to_grease() -> None:
    require("go-ech")
    with running("go-ech") as server:
        answer, told = ask(server.port)
    suites = ["HKDF-SHA256/AES-128-GCM", "HKDF-SHA256/ChaCha20Poly1305"]
    assert answer.ech == [EchConfiguration("0xFE0D", 7, "public.example", "X25519", suites, 64)]
    assert [alpn.protocols for alpn in answer.alpn] == [["h2", "http/1.1"]] * 2
    assert told == {("encrypt-then-mac", "TLS 1.2")}


@pytest.mark.stacks
def test_a_protocol_that_botan_answers_unasked_is_its_fault() -> None:
    require("botan")
    with running("botan") as server:
        answer, told = ask(server.port)
        assert "bad extension" in s_client(server.port, "-alpn", "h2", "-tls1_2")
    assert answer.alpn[0].faults == ["answers protocol echo/0.1 that was not offered (RFC 7301 3.2)"]
    assert ("alpn-fault", "TLS 1.2") in told


@pytest.mark.stacks
def test_mbedtls_agrees_to_short_records_and_sends_long_ones() -> None:
    require("lighttpd-mbedtls")
    with running("lighttpd-mbedtls") as server:
        answer, told = ask(server.port)
        assert "data length too long" in s_client(server.port, "-maxfraglen", "512", "-tls1_2")
    bound = next(limit for limit in answer.limits if limit.extension == "max_fragment_length")
    assert (bound.answered, bound.obeyed) == (512, False)
    assert bound.longest > 512
    assert ("record-limit", "TLS 1.2") in told


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "version", "extension", "option"),
    [
        ("lighttpd-wolfssl", "TLS 1.2", "status_request", ("-status",)),
        ("lighttpd-wolfssl", "TLS 1.3", "status_request", ("-status",)),
        ("lighttpd-nss", "TLS 1.3", "certificate_authorities", None),
    ],
)
def test_an_extension_for_which_a_hello_is_refused_is_found(
    name: str, version: str, extension: str, option: tuple[str, ...] | None, tmp_path: Path
) -> None:
    require(name)
    with running(name) as server:
        answer, told = ask(server.port)
        if option is None:
            authority = tmp_path / "ca.pem"
            command = [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ed25519",
                "-nodes",
                "-subj",
                "/CN=a",
                "-keyout",
                "/dev/null",
            ]
            subprocess.run([*command, "-out", str(authority)], check=True, capture_output=True)
            option = ("-requestCAfile", str(authority))
        flag = {"TLS 1.2": "-tls1_2", "TLS 1.3": "-tls1_3"}[version]
        assert "Cipher is (NONE)" not in s_client(server.port, flag)
        assert "Cipher is (NONE)" in s_client(server.port, flag, *option)
    found = next(one for one in answer.versions if one.version == version)
    assert extension in {item.name for item in found.refused}
    assert ("extension-refused", version) in told


@pytest.mark.stacks
def test_a_list_with_one_protocol_that_fails_is_taken_apart() -> None:
    require("lighttpd-gnutls")
    with running("lighttpd-gnutls") as server:
        answer, _ = ask(server.port)
    for alpn in answer.alpn:
        assert alpn.protocols == ["http/1.0", "http/1.1", "h2"]
        assert alpn.refused == ["acme-tls/1"]
        assert alpn.preference == "client"


@pytest.mark.stacks
def test_servers_of_old_versions_only_are_asked_too() -> None:
    require("nginx-brainpool")
    with running("nginx-brainpool") as server:
        answer, _ = ask(server.port)
    assert [version.version for version in answer.versions] == ["TLS 1.2", "TLS 1.1", "TLS 1.0"]
    assert {version.extended_master_secret for version in answer.versions} == {True}
    assert [alpn.version for alpn in answer.alpn] == ["TLS 1.2"]


# Characters of the lab, for what no real server is at hand.


def test_hellos_are_kept_short_for_who_drops_long_ones() -> None:
    with lab.running("drops-large") as server:
        answer, _ = ask(server.port, versions=(0x0303,), suites=(0xC02F, 0xC013), limits=patient(1.0))
    (version,) = answer.versions
    assert (version.refused, version.unknown) == ([], [])
    assert version.extended_master_secret is True


def test_what_the_lab_answers_unasked_is_a_fault() -> None:
    with lab.running("unoffered-extension") as server:
        answer, told = ask(server.port)
    faults = {item.fault for version in answer.versions for item in version.answered if item.fault}
    assert faults == {"was not offered (RFC 9846 4.3)", "was not offered (RFC 5246 7.4.1.4)"}
    assert ("extension-fault", "TLS 1.3") in told


# Judging, without a server.


def version_with(*answered: Answered, **facts: object) -> VersionExtensions:
    known = VersionExtensions("TLS 1.2", 60, list(answered), [], [], PROOF)
    return VersionExtensions(**{name: getattr(known, name) for name in known.__struct_fields__} | facts)


def extension(name: str, code: str, fault: str | None = None) -> Answered:
    return Answered(code, name, "ServerHello", "", 0, "", fault)


def ids(answer: Extensions) -> list[tuple[str, str]]:
    return [(finding.id, finding.category) for finding in findings(answer)]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (version_with(), []),
        (version_with(extended_master_secret=True, encrypt_then_mac=True), []),
        (version_with(extended_master_secret=False), [("extended-master-secret", "legacy")]),
        (version_with(encrypt_then_mac=False), [("encrypt-then-mac", "legacy")]),
        (version_with(next_protocols=["h2"]), [("next-protocol", "legacy")]),
        (version_with(extension("truncated_hmac", "0x0004")), [("truncated-hmac", "weak")]),
        (version_with(extension("heartbeat", "0x000F")), [("heartbeat", "info")]),
        (version_with(extension("heartbeat", "0x000F", "was not offered")), [("extension-fault", "fault")]),
        (
            version_with(refused=[Refused("0x0005", "status_request", "close", PROOF)]),
            [("extension-refused", "fault")],
        ),
    ],
)
def test_what_a_version_answers_is_judged(version: VersionExtensions, expected: list[tuple[str, str]]) -> None:
    assert ids(Extensions(versions=[version])) == expected


def alpn_with(**facts: object) -> Alpn:
    known: dict[str, object] = {
        "version": "TLS 1.3",
        "protocols": [],
        "preference": "unknown",
        "anything": False,
        "no_overlap": "ignored",
        "refusal": None,
        "refused": [],
        "faults": [],
        "unknown": False,
        "proof": None,
    }
    return Alpn(**known | facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("alpn", "expected"),
    [
        (alpn_with(), []),
        (alpn_with(protocols=["h2"]), [("alpn-lenient", "info")]),
        (alpn_with(protocols=["h2"], no_overlap="refused", refusal="alert:no_application_protocol"), []),
        (
            alpn_with(protocols=["h2"], no_overlap="refused", refusal="alert:handshake_failure"),
            [("alpn-refusal", "fault")],
        ),
        (alpn_with(anything=True), [("alpn-anything", "fault")]),
        (alpn_with(faults=["answers two"]), [("alpn-fault", "fault")]),
    ],
)
def test_protocols_are_judged(alpn: Alpn, expected: list[tuple[str, str]]) -> None:
    assert ids(Extensions(alpn=[alpn])) == expected


@pytest.mark.parametrize(("obeyed", "expected"), [(True, []), (None, []), (False, [("record-limit", "fault")])])
def test_only_a_bound_that_is_broken_is_a_fault(obeyed: bool | None, expected: list[tuple[str, str]]) -> None:
    assert ids(Extensions(limits=[Limit("TLS 1.3", "record_size_limit", 512, 512, obeyed, 700, PROOF)])) == expected


def test_the_report_tells_more_when_asked_to() -> None:
    answer = Extensions(
        versions=[version_with(extension("heartbeat", "0x000F"), staple=5, extended_master_secret=False)],
        alpn=[alpn_with(protocols=["h2", "http/1.1"], preference="server", refused=["acme-tls/1"])],
        limits=[Limit("TLS 1.2", "max_fragment_length", 512, 512, False, 697, PROOF)],
        compression=[Compression("zlib", 700, 650, PROOF)],
        ech=[EchConfiguration("0xFE0D", 1, "public.example", "X25519", ["HKDF-SHA256/AES-128-GCM"], 0)],
    )
    same = [version_with(extension("heartbeat", "0x000F"), version=name) for name in ("TLS 1.1", "TLS 1.0")]
    several = msgspec.structs.replace(answer, versions=[*answer.versions, *same], alpn=[], ech=None)
    assert [line.text for line in lines("extensions", several, verbose=False)] == [
        "TLS 1.2 to TLS 1.0  answers heartbeat"
    ]
    lenient = "goes on without a common one"
    brief = [line.text for line in lines("extensions", answer, verbose=False)]
    assert brief == [
        "TLS 1.2  answers heartbeat",
        f"TLS 1.3  ALPN: h2, http/1.1  (the server's order; {lenient}; fails with acme-tls/1)",
        "ECH for public.example: X25519, HKDF-SHA256/AES-128-GCM",
    ]
    full = [line.text for line in lines("extensions", answer, verbose=True)]
    assert "  an OCSP response of 5 bytes" in full
    assert "  no extended_master_secret" in full
    assert "TLS 1.2  max_fragment_length of 512 bytes: answered with 512, not kept to, 697 bytes sent" in full
    assert "TLS 1.3  certificates compressed by zlib: 700 bytes to 650" in full
