from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import recipes
from tests.servers.catalogue import running
from tests.servers.gate import require
from tests.servers.process import serving
from tlswire.lab import server as lab
from tlswire.registry import SUITES
from tlswire.results.answers.compression import Compression, Method, VersionCompression
from tlswire.results.answers.ephemeral import DhParameters, Ephemeral, Keys
from tlswire.results.answers.fallback import Fallback, Signal
from tlswire.results.answers.renegotiation import Attempt, Renegotiation
from tlswire.results.answers.signatures import Signature, Signatures, VersionSignatures
from tlswire.results.proof import Proof
from tlswire.scan.questions import QUESTIONS
from tlswire.scan.questions.exposure import ROWS, Facts, exposure, findings

from .asking import asked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tlswire.results.answers.base import QuestionAnswer
    from tlswire.results.answers.exposure import Exposure
    from tlswire.results.scan import Verdict

NOTHING = Proof("", "")
SSL2, SSL3, TLS10, TLS11, TLS12, TLS13 = 0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304
MODERN = {TLS12: ("ECDHE-RSA-AES128-GCM-SHA256",), TLS13: ("TLS_AES_128_GCM_SHA256",)}
REFUSED = Attempt("warning", 0, "alert:no_renegotiation", NOTHING)
GONE_THROUGH = Attempt("renegotiated", 2, "finished", NOTHING)


def answers(**changes: QuestionAnswer | None) -> dict[str, QuestionAnswer]:
    """What a server without any fault answers, with changes; None: not asked."""
    usual: dict[str, QuestionAnswer | None] = {
        "signatures": Signatures(),
        "compression": Compression(),
        "fallback": Fallback(lower=Signal("TLS 1.2", "inappropriate-fallback", "", NOTHING)),
        "renegotiation": Renegotiation(version="TLS 1.2", secure=REFUSED, insecure=REFUSED),
        "ephemeral": Ephemeral(),
    }
    return {name: answer for name, answer in (usual | changes).items() if answer is not None}


def facts(
    accepted: Mapping[int, tuple[str, ...]] | None = None,
    *,
    unknown: Mapping[int, tuple[str, ...] | None] | None = None,
    **changes: QuestionAnswer | None,
) -> Facts:
    """Facts of a server that accepts suites by name; ``unknown`` are those nothing is known of (None: a version)."""
    taken = {version: {SUITES.find(name).code for name in names} for version, names in (accepted or MODERN).items()}
    open_ = {
        version: None if names is None else {SUITES.find(name).code for name in names}
        for version, names in (unknown or {}).items()
    }

    def verdict(version: int, suite: int) -> Verdict:
        if suite in taken.get(version, ()):
            return "accepted"
        left = open_.get(version, set())
        return "unknown" if left is None or suite in left else "rejected"

    def of_version(version: int) -> Verdict:
        return "accepted" if taken.get(version) else "unknown" if version in open_ else "rejected"

    return Facts(verdict, of_version, answers(**changes))


def judged(answer: Exposure) -> dict[str, str]:
    return {row.name: row.exposed for row in answer.vulnerabilities}


def exposed(known: Facts) -> set[str]:
    return {name for name, verdict in judged(exposure(known)).items() if verdict == "yes"}


def test_a_modern_server_is_exposed_to_nothing() -> None:
    answer = exposure(facts())
    assert set(judged(answer).values()) == {"no"}
    assert (answer.state, answer.notes) == ("complete", [])
    assert list(findings(answer)) == []
    assert all(row.why for row in answer.vulnerabilities)


# One suite in one version, and all it opens the door to; CBC and RSA key exchange bring theirs along.
CBC, RSA = {"Lucky Thirteen"}, {"ROBOT", "no forward secrecy"}
NO_13 = {"TLS 1.3 missing"}


@pytest.mark.parametrize(
    ("version", "suite", "expected"),
    [
        (TLS12, "ECDHE-RSA-AES128-GCM-SHA256", set()),
        (TLS12, "AES128-GCM-SHA256", RSA),
        (TLS12, "ECDHE-RSA-AES128-SHA", CBC),
        (TLS10, "ECDHE-RSA-AES128-SHA", CBC | {"BEAST"}),
        (SSL3, "ECDHE-RSA-AES128-SHA", CBC | {"BEAST", "POODLE"}),
        (TLS11, "ECDHE-RSA-DES-CBC3-SHA", CBC | {"SWEET32"}),
        (TLS12, "IDEA-CBC-SHA", CBC | RSA | {"SWEET32"}),
        (TLS11, "ECDHE-RSA-RC4-SHA", {"RC4"}),
        (SSL3, "ECDHE-RSA-RC4-SHA", {"RC4"}),
        (TLS10, "EXP-RC4-MD5", RSA | {"RC4", "FREAK"}),
        (TLS10, "EXP-DES-CBC-SHA", CBC | RSA | {"SWEET32", "FREAK", "BEAST"}),
        (TLS10, "EXP-EDH-RSA-DES-CBC-SHA", CBC | {"SWEET32", "Logjam", "BEAST"}),
        (TLS10, "EXP-ADH-RC4-MD5", {"RC4", "Logjam"}),
        (TLS12, "TLS_DH_RSA_WITH_AES_128_GCM_SHA256", {"Raccoon", "no forward secrecy"}),
        (TLS12, "PSK-AES128-GCM-SHA256", {"no forward secrecy"}),
        (TLS12, "RSA-PSK-AES128-GCM-SHA256", RSA),
    ],
)
def test_each_suite_opens_the_doors_it_is_known_for(version: int, suite: str, expected: set[str]) -> None:
    dhe = Ephemeral(keys=[Keys("DHE", "2048 bits", 3, 3)])
    assert exposed(facts(MODERN | {version: (*MODERN.get(version, ()), suite)}, ephemeral=dhe)) == expected


def test_sslv2_alone_is_drown() -> None:
    kinds = Facts(lambda *_: "rejected", lambda version: "accepted" if version == SSL2 else "rejected", answers())
    assert exposed(kinds) == {"DROWN"} | NO_13


def test_what_other_questions_found_counts() -> None:
    compressed = VersionCompression("TLS 1.2", [Method("0x01", "DEFLATE", NOTHING)], [])
    assert exposed(facts(compression=Compression(versions=[compressed]))) == {"CRIME"}
    loose = Renegotiation(version="TLS 1.2", insecure=GONE_THROUGH)
    assert exposed(facts(renegotiation=loose)) == {"insecure renegotiation", "renegotiation load"}
    bound = Renegotiation(version="TLS 1.2", secure=GONE_THROUGH, insecure=REFUSED)
    assert exposed(facts(renegotiation=bound)) == {"renegotiation load"}
    ignored = Fallback(lower=Signal("TLS 1.2", "goes-on", "", NOTHING))
    assert exposed(facts(fallback=ignored)) == {"forced fallback"}
    reused = Ephemeral(keys=[Keys("DHE", "2048 bits", 3, 2)])
    assert exposed(facts(ephemeral=reused)) == {"Raccoon"}
    md5 = Signature("0x0101", "rsa_md5", "MD5", "RSA 2048", "verified", "", NOTHING)
    signed = VersionSignatures("TLS 1.2", "ServerKeyExchange", "honours", "client", [md5], [], [], 64, [])
    assert exposed(facts(signatures=Signatures(versions=[signed]))) == {"SLOTH"}


def prime(bits: int) -> DhParameters:
    return DhParameters(
        "TLS 1.2", "", ["DHE RSA"], export=False, bits=bits, name="", structure="safe", prime="", generator="2",
        in_range=True, proof=NOTHING,
    )  # fmt: skip


DHE = MODERN | {TLS12: ("DHE-RSA-AES128-GCM-SHA256",)}
FRESH = [Keys("DHE", "2048 bits", 3, 3)]


def test_logjam_goes_by_the_prime() -> None:
    assert exposed(facts(DHE, ephemeral=Ephemeral(parameters=[prime(768)], keys=FRESH))) == {"Logjam"}
    assert exposed(facts(DHE, ephemeral=Ephemeral(parameters=[prime(1024)], keys=FRESH))) == set()


# Nothing that is unknown becomes "no".


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("compression", {"CRIME"}),
        ("renegotiation", {"insecure renegotiation", "renegotiation load"}),
        ("fallback", {"forced fallback"}),
        ("signatures", {"SLOTH"}),
    ],
)
def test_a_question_without_an_answer_leaves_its_rows_unknown(question: str, names: set[str]) -> None:
    answer = exposure(facts(**{question: None}))
    assert {name for name, verdict in judged(answer).items() if verdict == "unknown"} == names
    assert answer.state == "incomplete"
    assert len(answer.notes) == len(names)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"compression": Compression(state="incomplete")}, {"CRIME"}),
        ({"fallback": Fallback(state="incomplete")}, {"forced fallback"}),
        ({"signatures": Signatures(state="incomplete")}, {"SLOTH"}),
        (
            {"renegotiation": Renegotiation(version="TLS 1.2", secure=REFUSED, insecure=Attempt("unknown", 0, "", NOTHING))},
            {"insecure renegotiation", "renegotiation load"},
        ),
        (
            {"renegotiation": Renegotiation(version="TLS 1.2", secure=Attempt("unknown", 0, "", NOTHING), insecure=REFUSED)},
            {"renegotiation load"},
        ),
    ],
)  # fmt: skip
def test_an_incomplete_answer_leaves_what_hangs_on_it_unknown(changes: dict[str, Any], names: set[str]) -> None:
    answer = exposure(facts(**changes))
    assert {name for name, verdict in judged(answer).items() if verdict == "unknown"} == names


def test_dhe_whose_prime_or_keys_were_not_seen_is_unknown() -> None:
    unseen = Ephemeral(state="incomplete", notes=["no parameters of DHE RSA: close"])
    for ephemeral in (None, unseen):
        verdicts = judged(exposure(facts(DHE, ephemeral=ephemeral)))
        assert (verdicts["Logjam"], verdicts["Raccoon"]) == ("unknown", "unknown")


@pytest.mark.parametrize("version", [SSL3, TLS10, TLS11])
def test_a_version_nothing_is_known_of_leaves_its_rows_unknown(version: int) -> None:
    verdicts = judged(exposure(facts(unknown={version: None})))
    for name in ("FREAK", "Logjam", "SWEET32", "RC4", "Lucky Thirteen", "ROBOT", "CRIME", "SLOTH", "Raccoon"):
        assert verdicts[name] == "unknown", name
    assert verdicts["POODLE"] == ("unknown" if version == SSL3 else "no")
    assert verdicts["BEAST"] == ("no" if version == TLS11 else "unknown")
    assert (verdicts["DROWN"], verdicts["TLS 1.3 missing"]) == ("no", "no")


def test_one_suite_without_an_answer_is_enough_to_know_nothing() -> None:
    verdicts = judged(exposure(facts(unknown={TLS10: ("ECDHE-RSA-RC4-SHA",)})))
    assert verdicts["RC4"] == "unknown"
    assert verdicts["SWEET32"] == "no"
    assert judged(exposure(facts(unknown={SSL2: None})))["DROWN"] == "unknown"
    assert judged(exposure(facts({TLS12: MODERN[TLS12]}, unknown={TLS13: None})))["TLS 1.3 missing"] == "unknown"


def test_what_is_accepted_is_exposed_whatever_else_is_unknown() -> None:
    known = facts(MODERN | {TLS10: ("ECDHE-RSA-RC4-SHA",)}, unknown={TLS11: None, SSL3: None})
    assert judged(exposure(known))["RC4"] == "yes"


# The table.


def test_every_row_names_what_to_change_and_why_it_is_one() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(row.remedy and row.source for row in ROWS)
    assert all(number.startswith("CVE-") for row in ROWS for number in row.cve)
    assert {row.category for row in ROWS} <= {"weak", "legacy", "no-forward-secrecy", "info"}
    assert set(QUESTIONS["exposure"].needs) == set(answers())


def test_a_finding_has_the_cve_the_suites_and_the_remedy() -> None:
    known = facts(MODERN | {TLS10: ("ECDHE-RSA-DES-CBC3-SHA",)})
    told = {finding.id: finding for finding in findings(exposure(known))}
    assert set(told) == {"exposure-sweet32", "exposure-beast", "exposure-lucky-thirteen"}
    sweet = told["exposure-sweet32"]
    assert (sweet.category, sweet.cve[0]) == ("weak", "CVE-2016-2183")
    assert sweet.suites == ["TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"]
    assert sweet.remedy
    assert "in TLS 1.0" in sweet.text


# Servers.


@pytest.mark.stacks
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nginx-b", set()),
        ("nginx-a", {"BEAST", "Lucky Thirteen", "ROBOT", "no forward secrecy"}),
        (
            "jsse",
            {
                *("POODLE", "FREAK", "Logjam", "SWEET32", "RC4", "SLOTH", "renegotiation load", "forced fallback"),
                *("BEAST", "Lucky Thirteen", "ROBOT", "no forward secrecy"),
            },
        ),
        (
            "gnutls",
            {"SWEET32", "RC4", "renegotiation load", "BEAST", "Lucky Thirteen", "ROBOT", "no forward secrecy"},
        ),
    ],
)
def test_real_servers_are_exposed_to_what_they_are_configured_for(name: str, expected: set[str]) -> None:
    require(name)
    with running(name) as server:
        answer, _ = asked(server.port, "exposure")
    assert {row.name for row in answer.vulnerabilities if row.exposed == "yes"} == expected
    assert (answer.state, answer.connections) == ("complete", 0)


@pytest.mark.stacks
def test_a_suite_turned_off_shuts_the_door() -> None:
    require("nginx-a")
    ciphers = "ALL:@SECLEVEL=0:!kRSA:!PSK:!SRP"
    recipe = recipes.nginx(protocols="TLSv1.2 TLSv1.3", ciphers=ciphers)
    with serving("nginx", recipe) as server:
        answer, _ = asked(server.port, "exposure")
    assert {row.name for row in answer.vulnerabilities if row.exposed == "yes"} == {"Lucky Thirteen"}


def test_the_museum_is_exposed_to_everything_but_what_it_cannot_do() -> None:
    with lab.running("museum") as server:
        answer, found = asked(server.port, "exposure")
    safe = {row.name for row in answer.vulnerabilities if row.exposed != "yes"}
    assert safe <= {"insecure renegotiation", "renegotiation load", "TLS 1.3 missing", "SLOTH"}
    assert {"exposure-drown", "exposure-freak", "exposure-logjam", "exposure-poodle"} <= {item.id for item in found}


def test_a_scan_of_one_version_does_not_clear_the_others() -> None:
    with lab.running("museum") as server:
        answer, _ = asked(server.port, "exposure", versions=(TLS12, TLS13))
    verdicts = judged(answer)
    assert answer.state == "incomplete"
    assert (verdicts["DROWN"], verdicts["POODLE"], verdicts["FREAK"]) == ("unknown",) * 3
    assert verdicts["RC4"] == "yes"
