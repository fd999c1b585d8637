"""What the tests of questions share: one question put to a loopback port, and a hello of openssl's beside it."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING, Any

from tlswire.probe.transport import Address
from tlswire.report import answers as told
from tlswire.scan.interview import chosen
from tlswire.scan.pacing import Limits
from tlswire.scan.questions import QUESTIONS
from tlswire.scan.scanner import Options, scan_address

if TYPE_CHECKING:
    from tlswire.results import Scan

HOST = "127.0.0.1"


def questioned(port: int, question: str, host: str = "localhost", **options: Any) -> Scan:
    """The scan of a port with one question; a failure of the question is the test's."""
    wanted = Options(method="eliminate", questions=chosen([question]), **options)
    result = asyncio.run(scan_address(host, Address(HOST, port), wanted))
    assert not [note for note in result.notes if "question" in note and "failed" in note], result.notes
    return result


def asked(port: int, question: str, host: str = "localhost", **options: Any) -> tuple[Any, list[Any]]:
    """The answer to one question and its findings; the connections stay below what its row says."""
    result = questioned(port, question, host, **options)
    answer = getattr(result.answers, question)
    assert answer is not None, result
    assert 0 <= answer.connections <= QUESTIONS[question].most
    for verbose in (False, True):
        assert all(len(line.text) <= 130 for line in told.lines(question, answer, verbose=verbose))
    return answer, [finding for finding in result.findings if finding.question == question]


def patient(seconds: float) -> Limits:
    """Limits with another time for one answer."""
    return Limits(timeout=seconds)


def s_client(port: int, *options: str) -> str:
    """What openssl s_client prints of one handshake, its errors too."""
    command = ["openssl", "s_client", "-connect", f"{HOST}:{port}", *options]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")
