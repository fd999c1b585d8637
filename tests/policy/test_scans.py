"""Scans of real servers as facts, and what policies say of them."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.scan.scans import scan
from tests.servers import recipes
from tests.servers.catalogue import BY_NAME, available, running
from tests.servers.process import free_port, serving
from tlswire.check.endpoint import check_target
from tlswire.check.plan import Plan
from tlswire.check.survey import judged, questions_for
from tlswire.lab.server import running as lab
from tlswire.policy.facts import KINDS
from tlswire.policy.observed.scans import QUESTION_OF_FEATURE, QUESTION_OF_KIND, facts_of
from tlswire.policy.shipped import names, policy_of, shipped
from tlswire.probe.transport import Address
from tlswire.results.answers import Answers
from tlswire.scan.pacing import Limits
from tlswire.scan.scanner import Options, unresolved
from tlswire.scan.trust import public_store

if TYPE_CHECKING:
    from pathlib import Path

    from tlswire.policy.facts import Facts
    from tlswire.policy.model import Policy
    from tlswire.results.scan import Scan
    from tlswire.results.verdict import Verdict

NGINX = ("nginx-a", "nginx-b", "nginx-c")
WHOLE = tuple(name for name in names() if shipped(name).survey == "whole")
pytestmark = pytest.mark.skipif(available(BY_NAME["nginx-a"]) is not None, reason="nginx is not installed")


@cache
def scanned(name: str) -> Scan:
    options = Options(method="eliminate", questions=questions_for(map(shipped, WHOLE)))
    with running(name) as server:
        return scan(server.port, options, host="localhost")


def told(facts: Facts, kind: str, field: str, **where: object) -> set[str]:
    return {one.told(field) for one in facts.of(kind) if all(one.get(name) == wanted for name, wanted in where.items())}


@pytest.mark.parametrize("name", NGINX)
def test_every_subject_has_fields_of_its_kind_and_only_what_is_not_asked_is_a_gap(name: str) -> None:
    facts = facts_of(scanned(name))
    for subject in facts.subjects:
        assert set(subject.values) <= set(KINDS[subject.kind]), subject
        assert subject.told(next(iter(subject.values)))
    assert facts.gaps == {}
    truth = BY_NAME[name].truth
    assert truth is not None
    assert sum(1 for _ in facts.of("suite")) == truth.total


def test_what_nginx_accepts_is_told() -> None:
    facts = facts_of(scanned("nginx-b"))
    assert told(facts, "version", "version", accepted=True) == {"TLS 1.2", "TLS 1.3"}
    assert told(facts, "suite", "encryption", version=0x0303) == {"AES-128-GCM", "AES-256-GCM"}
    assert told(facts, "group", "group", version=0x0303) >= {"x25519", "secp256r1"}
    assert told(facts, "extension", "extension", supported=True) >= {"extended_master_secret", "renegotiation_info"}
    assert told(facts, "certificate", "key_family", position="leaf") == {"RSA"}
    assert told(facts, "feature", "present", feature="secure-renegotiation") == {"yes"}
    assert told(facts, "feature", "present", feature="compression") == {"no"}
    assert not any(facts.of("dh"))


def test_certificates_of_every_kind_and_parameters_of_dhe_are_told() -> None:
    facts = facts_of(scanned("nginx-c"))
    assert told(facts, "certificate", "key_family") == {"RSA", "EC", "EdDSA"}
    assert told(facts, "dh", "bits") == {"2048"}
    assert told(facts, "scheme", "scheme", version=0x0303) >= {"ed25519 (0x0807)"}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("server", NGINX)
def test_a_whole_survey_leaves_nothing_open_but_http_trust_and_nodes(server: str, name: str) -> None:
    verdict = judged(shipped(name), scanned(server))
    open_ = {rule.id for rule in verdict.rules if rule.verdict == "unknown"}
    assert open_ <= {"plaintext-hsts", "chain-trusted"}
    if server != "nginx-b":
        assert verdict.verdict in {"fail", "warn"}


@pytest.mark.parametrize(
    ("policy", "broken"),
    [
        ("rfc9325", {"version-old", "suite-null", "suite-112", "signature-algorithm-sha1"}),
        ("nist-800-52r2", {"version-tls10", "suite-tls12", "suite-tls13"}),
        ("pci-dss-4", {"version-early", "suite-weak", "suite-anonymous"}),
        ("bsi-tr-02102-2", {"version-old", "suite-tls12", "suite-tls13"}),
        ("mozilla-old", {"suite-tls12", "suite-tls13", "group-allowed", "validity-maximum"}),
    ],
)
def test_the_server_of_everything_breaks_what_it_must(policy: str, broken: set[str]) -> None:
    verdict = judged(shipped(policy), scanned("nginx-a"))
    assert {rule.id for rule in verdict.rules if rule.verdict == "fail"} >= broken


def test_the_legacy_server_of_the_lab_fails_where_it_is_old() -> None:
    policy = shipped("mozilla-intermediate")
    with lab("legacy-mdm") as server:
        verdict = judged(policy, scan(server.port, Options(method="eliminate", questions=questions_for([policy]))))
    broken = {rule.id for rule in verdict.rules if rule.verdict == "fail"}
    assert broken == {"version-old", "suite-tls12", "key-size-dhe", "validity-maximum"}
    assert verdict.complete is False


def test_what_was_not_asked_is_unknown_and_says_so() -> None:
    bare = msgspec.structs.replace(scanned("nginx-b"), answers=Answers())
    facts = facts_of(bare)
    assert set(facts.gaps) == set(QUESTION_OF_KIND)
    assert told(facts, "feature", "present") == {"unknown", "no"}
    assert {one.get("feature") for one in facts.of("feature")} == {*QUESTION_OF_FEATURE, "plain-http"}
    verdict = judged(shipped("rfc9325"), bare)
    rules = {rule.id: rule for rule in verdict.rules}
    assert (rules["ems-tls12"].verdict, rules["version-old"].verdict) == ("unknown", "pass")
    assert "not asked" in rules["ems-tls12"].evidence[0].text
    assert rules["feature-compression"].verdict == "unknown"
    assert "compression was not asked" in rules["feature-compression"].evidence[0].text


def checked(policy: Policy, port: int) -> Verdict:
    plan = Plan(policy=policy, public=public_store(), limits=Limits(timeout=10.0))
    return asyncio.run(check_target("localhost", [Address("127.0.0.1", port)], plan))


def test_a_check_surveys_where_a_policy_wants_everything_and_asks_once_over_http() -> None:
    recipe = recipes.nginx(
        protocols="TLSv1.2 TLSv1.3",
        ciphers="ECDHE+AESGCM",
        groups="X25519:prime256v1",
        directives=("add_header Strict-Transport-Security max-age=63072000;",),
    )
    with serving("hsts", recipe) as server:
        verdict = checked(shipped("mozilla-intermediate"), server.port)
    rules = {rule.id: rule.verdict for rule in verdict.rules}
    assert rules["plaintext-hsts"] == rules["group-allowed"] == rules["suite-tls12"] == "pass"
    assert [hop.hsts_seconds for hop in verdict.http] == [63072000]
    assert verdict.chains
    assert verdict.handshakes == []


def test_a_policy_with_a_client_that_wants_everything_gets_both(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\ntitle = "Own"\nedition = "1"\nextends = "apple-mdm-27"\nsurvey = "whole"\n')
    with running("nginx-b") as server:
        verdict = checked(policy_of(str(path)), server.port)
    rules = {rule.id: rule.verdict for rule in verdict.rules}
    assert {shown.offer for shown in verdict.handshakes} == {"client", "tls12"}
    assert rules["suite-fcp"] == rules["ems-forced"] == rules["suite-extra"] == "pass"


def test_a_port_where_nobody_listens_is_unreachable_for_a_survey() -> None:
    verdict = checked(shipped("cnsa-1"), free_port())
    assert (verdict.verdict, verdict.reachable) == ("unknown", False)
    assert verdict.error is not None


def test_who_cannot_be_reached_is_judged_by_no_rule() -> None:
    verdict = judged(shipped("rfc9325"), unresolved("nowhere.example", 443, "has no address"))
    assert (verdict.verdict, verdict.reachable, verdict.rules) == ("unknown", False, [])
