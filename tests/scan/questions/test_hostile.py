"""Servers that send what no client can take: a finding that says what, and the rest of the scan goes on."""

from __future__ import annotations

import pytest

from tests.scan.scans import scan
from tlswire.lab import server as lab
from tlswire.scan.assemble import MOST_BROKEN
from tlswire.scan.interview import chosen
from tlswire.scan.scanner import Options

# What the lab does, what the finding says of it, and the versions it is told of.
OLD = ("TLS 1.2", "TLS 1.1", "TLS 1.0")
EVERY = ("TLS 1.3", *OLD)
HOSTILE = {
    "short-share": ("key_exchange: 31 bytes for x25519, which has 32", EVERY),
    "off-curve": ("key_exchange: x25519: the secret would be all zeros (RFC 7748 6, RFC 9846 7.4.2)", EVERY),
    "bad-finished": ("the server's Finished does not verify", EVERY),
    "garbage-records": ("record.protected: bad tag: the record was changed, or these are not its keys", EVERY[:2]),
    "certificate-bomb": ("says that 16777215 bytes come out of", EVERY[:1]),
    "huge-chain": ("handshake.length: length 3560004 is over this reader's bound of 262144", EVERY[:1]),
    "huge-certificate": ("handshake.length: length 16777208 is over this reader's bound of 262144", EVERY[:1]),
    "endless-tickets": ("more than 32 tickets", EVERY[:1]),
    "endless-key-updates": ("more than 32 KeyUpdates", EVERY[:1]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_finding_says_at_what_handshakes_fail(name: str) -> None:
    says, versions = HOSTILE[name]
    with lab.running(name) as server:
        options = Options(method="eliminate", questions=chosen(["certificates", "extensions", "resumption"]))
        result = scan(server.port, options, host="localhost")
    broken = [finding for finding in result.findings if finding.id == "handshake-fault"]
    assert 0 < len(broken) <= MOST_BROKEN
    assert {finding.category for finding in broken} == {"fault"}
    [told] = [finding.text for finding in broken if says in finding.text]
    assert told.endswith(f"({', '.join(versions)})")
    assert len(broken) == len([fault for fault in result.faults if fault.kind == "handshake"])
    # Nothing of it is in the way of the suites, nor of the questions that are asked in spite of it.
    assert not any(version.unknown for version in result.versions)
    assert None not in (result.answers.certificates, result.answers.extensions, result.answers.resumption)


def test_a_sound_server_breaks_nothing() -> None:
    with lab.running("plain") as server:
        options = Options(method="eliminate", questions=chosen(["certificates", "extensions", "resumption"]))
        assert scan(server.port, options, host="localhost").faults == []
