"""``tlswire scan --keylog``: its lines open what the scan's own trace holds, here and in tshark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

import tlswire
from tests.servers.catalogue import BY_NAME, available, running
from tlswire.crypto.keylog import LABELS, parse_keylog

from .run import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.process import Server

# Two suites a version: what is asked of them is asked fast.
SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA")
QUESTIONS = "groups,resumption,names"  # of the first, no handshake comes to its end
needs_tshark = pytest.mark.skipif(
    shutil.which("tshark") is None and "TLSWIRE_REQUIRE_STACKS" not in os.environ, reason="tshark is not installed"
)


def scan(server: Server, folder: Path, questions: str = QUESTIONS) -> tuple[Path, Path]:
    """The trace of a scan as a capture, and its key log."""
    keys = folder / "scan.keys"
    asked = ["--versions", "1.2,1.3", "--suites", ",".join(SUITES), "--questions", questions, "--method", "eliminate"]
    outcome = run("scan", f"127.0.0.1:{server.port}", *asked, "--keylog", keys, "--trace", folder / "trace", "--quiet")
    assert outcome.code in {0, 3}, outcome
    (capture,) = (folder / "trace").glob("*/scan.pcap")
    return capture, keys


@pytest.fixture(params=["nginx-a", "gnutls", "go"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if (reason := available(BY_NAME[request.param])) is not None:
        pytest.skip(reason)
    with running(request.param) as found:
        yield found


def test_every_handshake_of_the_scan_is_complete(server: Server, tmp_path: Path) -> None:
    capture, keys = scan(server, tmp_path)
    log = parse_keylog(keys.read_bytes())
    assert (log.faulty, log.unknown) == (0, 0)
    assert b"\n\n" not in keys.read_bytes()
    assert {label for known in log.secrets.values() for label in known} <= LABELS
    known = [
        session for session in tlswire.sessions(capture, keylog=log) if session.decryption not in {None, "no-secrets"}
    ]
    assert len(known) == len(log.secrets) > 2
    assert {session.decryption for session in known} == {"complete"}
    assert {session.version for session in known} == {"0x0303", "0x0304"}
    assert all(session.certificates for session in known if not session.resumed)
    outcome = run("pcap", capture, "--keylog", keys, "--jsonl", "-")
    assert outcome.code == 0
    states = [json.loads(line)["decryption"] for line in outcome.raw.splitlines()]
    assert states.count("complete") == len(known)


@needs_tshark
def test_tshark_reads_the_same_certificates(server: Server, tmp_path: Path) -> None:
    capture, keys = scan(server, tmp_path)
    fields = ["-T", "fields", "-e", "tls.handshake.certificate"]
    command = ["tshark", "-r", str(capture), "-o", f"tls.keylog_file:{keys}", *fields]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = [item for line in told.split() for item in line.split(",")]
    ours = [item for session in tlswire.sessions(capture, keylog=keys.read_bytes()) for item in session.certificates]
    assert len(ours) == len(theirs) > 2
    assert sum(item.length for item in ours) == sum(len(item) // 2 for item in theirs)


def test_questions_that_finish_no_handshake_log_nothing(server: Server, tmp_path: Path) -> None:
    _, keys = scan(server, tmp_path, "groups")
    assert keys.read_bytes() == b""


def test_lines_are_added_to_a_file_that_is_there(server: Server, tmp_path: Path) -> None:
    (tmp_path / "scan.keys").write_text("# mine\n")
    _, keys = scan(server, tmp_path)
    assert keys.read_text().startswith("# mine\n")
    assert parse_keylog(keys.read_bytes()).secrets
