"""Chains of public servers, out of captures of others, against today's public roots at the time they were made."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import certifi
import pytest

from tlswire.capture import answers, reader
from tlswire.certificates.details import certificate_details
from tlswire.certificates.report import describe_chain
from tlswire.certificates.stores import read_anchors
from tlswire.wire.handshake import body_grammar
from tlswire.wire.primitives import parse

SHARED = Path(__file__).parents[3] / "shared" / "captures"
CERTIFICATE = 11  # RFC 5246 section 7.4

pytestmark = pytest.mark.skipif(
    not SHARED.exists() and "TLSWIRE_REQUIRE_STACKS" not in os.environ, reason="../shared is not there"
)


def chains(capture: str, monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """The chains of a capture, each once."""
    bodies: dict[bytes, None] = {}
    original = answers.chain

    def noted(body: bytes) -> answers.Chain:
        bodies[body] = None
        return original(body)

    monkeypatch.setattr(answers, "chain", noted)
    list(reader.sessions(str(SHARED / capture)))
    return [list(parse(body_grammar(CERTIFICATE), body, "certificate").chain) for body in bodies]


@pytest.mark.parametrize(
    ("capture", "roots"),
    [
        ("ntop+nDPI/tests/cfgs/default/pcap/sites.pcapng", {"ISRG Root X1", "GTS Root R1", "DigiCert Global Root G2"}),
        ("FoxIO-LLC+ja4/pcap/browsers-x509.pcapng", {"DigiCert Global Root G2"}),
        ("zeek+zeek/testing/btest/Traces/tls/ecdsa-cert.pcap", {"COMODO ECC Certification Authority"}),
    ],
)
def test_public_servers_have_valid_paths_to_public_roots(
    capture: str, roots: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    anchors = {"certifi": read_anchors("certifi", certifi.contents().encode())}
    ends = set()
    for ders in chains(capture, monkeypatch):
        start = certificate_details(ders[0]).not_before
        assert start is not None
        now = dt.datetime.fromisoformat(start) + dt.timedelta(days=1)
        report = describe_chain(ders, now=now, anchors=anchors)
        assert not {item.id for details in report.certificates for item in details.problems} & {
            "unreadable",
            "unreadable-extension",
            "unreadable-hint",
            "unreadable-key",
            "scts-unreadable",
        }
        if report.verdicts[0].valid:
            ends.add(report.verdicts[0].path[-1].subject.partition(",")[0].removeprefix("CN="))
    assert ends & roots
