"""What a scan lets expect of a client is what the client gets."""

from __future__ import annotations

import asyncio

import pytest

from tests.servers.catalogue import running
from tests.servers.gate import require
from tlswire.certificates.stores import Anchors
from tlswire.check.endpoint import check_target
from tlswire.check.plan import Plan
from tlswire.check.survey import judged, questions_for, survey
from tlswire.policy.observed.scans import QUESTIONS_OF_CLIENTS
from tlswire.policy.shipped import shipped
from tlswire.probe.transport import Address
from tlswire.scan.questions import QUESTIONS

POLICY = shipped("apple-mdm-27")
PLAN = Plan(policy=POLICY, public=Anchors("public", ()))
# Of a server whose order is not known, or that has several certificates, less can be expected.
ROWS = ("nginx-b", "nginx-x448", "gnutls", "apache")
# Rules about what the client gets.
ABOUT = ("version", "suite", "ems", "group", "signature-algorithm", "tolerance-client")


def test_a_scan_for_a_client_asks_what_the_client_would_get() -> None:
    assert questions_for([POLICY]) == tuple(name for name in QUESTIONS if name in QUESTIONS_OF_CLIENTS)


@pytest.mark.stacks
@pytest.mark.parametrize("name", ROWS)
def test_what_a_scan_lets_expect_is_what_the_client_gets(name: str) -> None:
    require(name)
    with running(name) as server:
        address = Address("127.0.0.1", server.port)
        seen = asyncio.run(check_target("localhost", [address], PLAN))
        expected = judged(POLICY, asyncio.run(survey("localhost", address, PLAN)))
    got = {rule.id: rule.verdict for rule in seen.rules}
    told = {rule.id: rule.verdict for rule in expected.rules if rule.id.startswith(ABOUT)}
    decided = {"pass", "warn", "fail"}
    known = {rule: verdict for rule, verdict in told.items() if verdict in decided and got[rule] in decided}
    assert len(known) >= 5
    assert {rule: verdict for rule, verdict in known.items() if verdict != got[rule]} == {}
