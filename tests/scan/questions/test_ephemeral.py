from __future__ import annotations

import base64
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.servers import recipes
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.process import serving
from tlswire.crypto.shares import ffdhe_prime
from tlswire.lab import server as lab
from tlswire.lab.characters import character
from tlswire.lab.quirks import Quirks
from tlswire.results.answers.ephemeral import DhParameters, Ephemeral, Keys, Randoms, Sessions
from tlswire.results.proof import Proof
from tlswire.scan.questions.ephemeral import findings

from .asking import asked, s_client

if TYPE_CHECKING:
    from pathlib import Path

NGINX_1024 = (
    "bbbc2dcad84674907c43fcf580e9cfdbd958a3f568b42d4b08eed4eb0fb3504c6c030276e710800c5ccbbaa8922614c5"
    "beeca565a5fdf1d287a2bc049be6778060e91a92a757e3048f68b076f7d36cc8f29ba5df81dc2ca725ece66270cc9a50"
    "35d8ceceef9ea0274a63ab1e58fafd4988d0f65d146757da071df045cfe16b9b"
)

# openssl prime -generate -hex -bits 1024 -safe
SAFE_1024 = (
    "d4816eb605729a536d757ad5798bbe2effaf37a355e468834440e03db1a36de25ae92d493f36db4e0c0a51a6f34756c5"
    "20c76e23c095b9cdf287e7396a1a316026fa454bbb83db87237565bd09ae5c7ee0008ab677607e13ccaa28b82766ae81"
    "37b3e6510573408a14fba843c43b33242150f8ec14b7805fddc7215f86bc886b"
)


def der(tag: int, body: bytes) -> bytes:
    size = len(body)
    length = bytes((size,)) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes((tag,)) + length + body


def parameters(folder: Path, prime: int, generator: int = 2) -> str:
    """A file as openssl dhparam writes them (PKCS #3)."""
    numbers = [der(2, number.to_bytes(number.bit_length() // 8 + 1, "big")) for number in (prime, generator)]
    body = base64.encodebytes(der(0x30, b"".join(numbers))).decode()
    path = folder / f"{prime.bit_length()}.pem"
    path.write_text(f"-----BEGIN DH PARAMETERS-----\n{body}-----END DH PARAMETERS-----\n")
    return str(path)


def openssl_prime(*options: str) -> int:
    command = ["openssl", "prime", "-generate", "-hex", *options]
    return int(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout, 16)


def with_parameters(folder: Path, prime: int, generator: int = 2) -> tuple[Ephemeral, dict[str, str]]:
    """The answer of an openssl s_server that has them, and the findings' categories by id."""
    require("openssl-d")
    options = ("-cipher", "DHE:ADH:@SECLEVEL=0", "-tls1_2", "-dhparam", parameters(folder, prime, generator))
    with serving("openssl", recipes.openssl_s_server(*options)) as server:
        answer, found = asked(server.port, "ephemeral")
        # A client that lists groups of RFC 7919 would get one of them.
        shown = s_client(server.port, "-tls1_2", "-cipher", "DHE:@SECLEVEL=0", "-groups", "P-256")
    assert f"Server Temp Key: DH, {prime.bit_length()} bits" in shown
    return answer, {finding.id: finding.category for finding in found}


@pytest.mark.stacks
def test_the_default_of_an_old_nginx_is_called_by_its_name(tmp_path: Path) -> None:
    answer, found = with_parameters(tmp_path, int(NGINX_1024, 16))
    (params,) = answer.parameters
    assert (params.bits, params.prime, params.generator, params.structure) == (1024, NGINX_1024, "2", "safe")
    assert params.name.startswith("nginx's default")
    assert set(params.families) == {
        "DHE RSA",
        "DHE RSA with 256-bit ciphers",
        "DHE anon",
        "DHE anon with 256-bit ciphers",
    }
    assert NGINX_1024[:32] in params.proof.received
    assert found == {"dh-weak": "weak"}


@pytest.mark.stacks
def test_primes_that_nobody_knows_are_looked_at(tmp_path: Path) -> None:
    answer, found = with_parameters(tmp_path, int(SAFE_1024, 16))
    assert [(one.bits, one.name, one.structure) for one in answer.parameters] == [(1024, "", "safe")]
    assert found == {"dh-weak": "weak"}

    plain = openssl_prime("-bits", "2048")
    answer, found = with_parameters(tmp_path, plain)
    assert [one.structure for one in answer.parameters] == ["not-safe"]
    assert found == {"dh-not-safe": "legacy"}


@pytest.mark.stacks
def test_a_composite_is_a_fault(tmp_path: Path) -> None:
    composite = openssl_prime("-bits", "1024") * openssl_prime("-bits", "1024")
    answer, found = with_parameters(tmp_path, composite)
    assert [one.structure for one in answer.parameters] == ["composite"]
    assert found["dh-composite"] == "fault"


@pytest.mark.stacks
def test_a_heavy_group_is_told_and_blamed_on_nobody(tmp_path: Path) -> None:
    answer, found = with_parameters(tmp_path, ffdhe_prime(0x0103))
    assert [(one.name, one.structure) for one in answer.parameters] == [("ffdhe6144", "safe")]
    assert found == {"dh-heavy": "info"}


@pytest.mark.stacks
def test_java_s_export_group_and_fresh_session_ids() -> None:
    require("jsse")
    with running("jsse") as server:
        answer, found = asked(server.port, "ephemeral")
    assert {(one.bits, one.name, one.export) for one in answer.parameters} == {
        (2048, "ffdhe2048", False),
        (512, "Java's export group of 512 bits", True),
    }
    assert [finding.cve for finding in found] == [["CVE-2015-4000"]]
    assert (answer.sessions.ids, answer.sessions.lengths, answer.sessions.stranger) == ("fresh", [32], "fresh")
    assert (answer.named_groups, answer.randoms.clock) == (True, False)


@pytest.mark.stacks
def test_a_server_that_does_dhe_in_named_groups_only_is_asked_for_them() -> None:
    require("pyopenssl")
    with running("pyopenssl") as server:
        answer, found = asked(server.port, "ephemeral")
    assert [one.name for one in answer.parameters] == ["ffdhe2048"]
    assert (answer.state, answer.named_groups, found) == ("complete", True, [])
    assert {(row.exchange, row.group) for row in answer.keys} >= {
        ("DHE", "2048 bits"),
        ("ECDHE", "x25519"),
        ("TLS 1.3", "x25519"),
    }


@pytest.mark.stacks
def test_shares_of_a_post_quantum_group_are_compared_part_by_part() -> None:
    require("mlkem")
    with running("mlkem") as server:
        answer, found = asked(server.port, "ephemeral")
    assert {(row.group, row.seen, row.distinct) for row in answer.keys} == {("MLKEM768", 3, 3), ("x25519", 3, 3)}
    assert (answer.state, answer.sessions, found) == ("complete", None, [])


@pytest.mark.stacks
@pytest.mark.parametrize(("name", "clock"), [("botan", True), ("lighttpd-mbedtls", True), ("nginx-b", False)])
def test_randoms_that_begin_with_the_time_are_told_and_no_finding(name: str, *, clock: bool) -> None:
    require(name)
    with running(name) as server:
        answer, found = asked(server.port, "ephemeral")
    assert answer.randoms.clock is clock
    assert not clock or abs(answer.randoms.skew_s) <= 3
    assert answer.randoms.seen == answer.randoms.distinct
    assert "server-random" not in {finding.id for finding in found}


@pytest.mark.stacks
def test_a_modern_server_takes_six_connections() -> None:
    require("nginx-b")
    with running("nginx-b") as server:
        answer, found = asked(server.port, "ephemeral")
    assert answer.connections <= 6
    assert found == []
    assert all(row.seen >= 3 for row in answer.keys)


def test_a_server_that_draws_nothing_anew_is_found_out() -> None:
    stale = msgspec.structs.replace(character("plain"), quirks=Quirks(stale=True))
    with lab.running(stale) as server:
        answer, found = asked(server.port, "ephemeral")
    assert all(row.distinct == 1 < row.seen for row in answer.keys)
    # The end of the random is the downgrade mark, one for each version.
    assert answer.randoms.distinct < answer.randoms.seen
    assert answer.sessions.ids == "repeated"
    assert sorted((finding.id, finding.category) for finding in found) == [
        ("ephemeral-reuse", "legacy"),
        ("ephemeral-reuse", "legacy"),
        ("ephemeral-reuse", "weak"),
        ("server-random", "weak"),
    ]
    assert [finding.cve for finding in found if finding.category == "weak" and finding.cve] == [["CVE-2020-1968"]]


def test_the_museum_s_groups_are_known_and_weak() -> None:
    with lab.running("museum") as server:
        answer, found = asked(server.port, "ephemeral")
    assert {(one.bits, one.name, one.export) for one in answer.parameters} == {
        (1024, "Oakley group 2", False),
        (512, "", True),
    }
    assert answer.named_groups is False
    assert {finding.id for finding in found} == {"dh-weak"}
    assert answer.connections <= 20


def test_sslv2_alone_has_nothing_of_the_kind() -> None:
    of = msgspec.structs.replace(character("museum"), suites={0x0002: character("museum").suites[0x0002]})
    with lab.running(of) as server:
        answer, found = asked(server.port, "ephemeral")
    assert (answer.state, found) == ("not-applicable", [])


# The judging alone.


def params(**changes: object) -> DhParameters:
    usual = DhParameters(
        version="TLS 1.2",
        suite="TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        families=["DHE RSA"],
        export=False,
        bits=2048,
        name="ffdhe2048",
        structure="safe",
        prime="17",
        generator="2",
        in_range=True,
        proof=Proof("", ""),
    )
    return msgspec.structs.replace(usual, **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"bits": 1023}, [("dh-weak", "weak", ["CVE-2015-4000"])]),
        ({"bits": 1024}, [("dh-weak", "weak", [])]),
        ({"bits": 2047}, [("dh-weak", "weak", [])]),
        ({"bits": 4096}, []),
        ({"bits": 4097}, [("dh-heavy", "info", ["CVE-2002-20001"])]),
        ({"structure": "subgroup"}, []),
        ({"structure": "unchecked"}, []),
        ({"structure": "not-safe"}, [("dh-not-safe", "legacy", [])]),
        ({"structure": "composite"}, [("dh-composite", "fault", [])]),
        ({"in_range": False}, [("dh-range", "fault", [])]),
    ],
)
def test_what_is_said_of_parameters(changes: dict[str, object], told: list[tuple[str, str, list[str]]]) -> None:
    answer = Ephemeral(parameters=[params(**changes)])
    assert [(finding.id, finding.category, finding.cve) for finding in findings(answer)] == told


def test_what_is_fresh_is_no_finding_and_what_is_not_is_one() -> None:
    fine = Ephemeral(
        keys=[Keys("DHE", "2048 bits", 3, 3)],
        randoms=Randoms(9, 9, 0, clock=True, skew_s=0.0),
        sessions=Sessions("fresh", 9, [32], "fresh"),
    )
    assert list(findings(fine)) == []
    echo = Ephemeral(sessions=Sessions("fresh", 9, [32], "echoed"))
    assert [(finding.id, finding.category) for finding in findings(echo)] == [("session-id-echoed", "fault")]
    constant = Ephemeral(randoms=Randoms(2, 2, 1, clock=None, skew_s=None))
    assert [finding.id for finding in findings(constant)] == ["server-random"]
