"""``--html`` of ``tlswire check``; that of scan and pcap is tested beside their other outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.lab.server import running

from .run import refused, run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_check_writes_its_page_beside_the_report(tmp_path: Path) -> None:
    page = tmp_path / "check.html"
    with running("legacy-mdm") as lab:
        outcome = run("check", f"localhost:{lab.port}", "--fix", "nginx", "--html", page)
    assert (outcome.code, outcome.err) == (1, "")
    assert b"FAIL  localhost" in outcome.raw
    text = page.read_text(encoding="utf-8")
    assert '<p class="verdict">Fails' in text
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    assert "Bytes of " in text  # the proofs, which only a page has room for


def test_a_page_of_a_check_on_stdout_is_all_that_stands_there() -> None:
    with running("modern") as lab:
        outcome = run("check", f"localhost:{lab.port}", "--html", "-")
    assert outcome.raw.startswith(b"<!doctype html>")
    assert outcome.raw.endswith(b"</html>")


def test_a_page_of_a_check_that_cannot_be_written_is_refused_before_the_first_connection(tmp_path: Path) -> None:
    with running("modern") as lab:
        outcome = run("check", f"localhost:{lab.port}", "--html", tmp_path)
        assert lab.connections == 0
    assert refused(outcome) == f"{tmp_path}: cannot be written: Is a directory"
