"""The formats of ``report.writers`` as options of the commands that have such results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import click
import pytest

from tlswire.cli import COMMANDS, group
from tlswire.cli.writing import Spool, options, written
from tlswire.lab.server import running
from tlswire.report.writers import WRITERS
from tlswire.results import FUZZ_SCHEMA, SCAN_SCHEMA, SCHEMAS, VERDICT_SCHEMA, Scan
from tlswire.results.fuzz_compare import FUZZ_COMPARE_SCHEMA

from .run import refused, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNERS = {SCAN_SCHEMA: "scan", VERDICT_SCHEMA: "check", FUZZ_SCHEMA: "fuzz", FUZZ_COMPARE_SCHEMA: "fuzz"}
ROWS = [(name, schema) for name, writer in WRITERS.items() for schema in writer.schemas]
FEW = ("--versions", "1.2", "--suites", "0xC02F,0x002F")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running("plain") as lab:
        yield lab.port


def arguments(schema: str, port: int) -> tuple[str, ...]:
    few = {
        SCAN_SCHEMA: FEW,
        VERDICT_SCHEMA: ("--no-http",),
        FUZZ_SCHEMA: ("--cases", "sni"),
        FUZZ_COMPARE_SCHEMA: ("--cases", "sni", "--compare", f"127.0.0.1:{port}"),
    }
    return (OWNERS[schema], f"127.0.0.1:{port}", *few[schema])


@pytest.mark.parametrize(("name", "schema"), ROWS)
def test_every_format_is_written_by_its_commands(name: str, schema: str, port: int, tmp_path: Path) -> None:
    assert schema in SCHEMAS
    line = arguments(schema, port)
    plain = run(*line)
    outcome = run(*line, f"--{name}", tmp_path / "file")
    assert outcome.code == plain.code
    assert outcome.err == ""
    assert outcome.lines[0].rsplit(";", 1)[0] == plain.lines[0].rsplit(";", 1)[0]  # behind that stands how long it took
    data = (tmp_path / "file").read_bytes()
    assert b"127.0.0.1" in data
    alone = run(*line, f"--{name}", "-")
    assert alone.code == plain.code
    assert alone.raw[:30] == data[:30]
    assert plain.lines[0] not in alone.raw.decode()


def test_only_commands_with_results_have_the_options() -> None:
    with group.make_context("tlswire", [], resilient_parsing=True) as ctx:
        options = {
            name: {text for option in group.get_command(ctx, name).params for text in option.opts}  # type: ignore[union-attr]  # it is in the table
            for name in COMMANDS
        }
    for name in WRITERS:
        having = {command for command, texts in options.items() if f"--{name}" in texts}
        assert having - {"diff", "pcap", "live"} == {OWNERS[schema] for other, schema in ROWS if other == name}


def test_several_files_of_several_targets(port: int, tmp_path: Path) -> None:
    line = ("scan", f"127.0.0.1:{port}", "127.0.0.1:1", *FEW, "--retries", "0", "--quiet")
    files = {name: tmp_path / name for name in WRITERS if SCAN_SCHEMA in WRITERS[name].schemas}
    outcome = run(*line, *(text for name, path in files.items() for text in (f"--{name}", path)))
    assert (outcome.code, outcome.raw) == (3, b"")
    errors = {suite.get("name"): suite.get("errors") for suite in ET.parse(files["junit"]).getroot()}
    assert errors == {f"scan 127.0.0.1:{port}": "0", "scan 127.0.0.1:1": "1"}
    (found,) = json.loads(files["sarif"].read_bytes())["runs"]
    assert {entry["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for entry in found["results"]} == {
        f"127.0.0.1/{port}",
        "127.0.0.1/1",
    }
    assert files["markdown"].read_text().startswith("| verdict | target | by | rules |\n")


def test_a_scan_with_a_policy_tells_its_verdict_too(port: int, tmp_path: Path) -> None:
    line = ("scan", f"127.0.0.1:{port}", "--method", "eliminate", "--policy", "mozilla-intermediate", "--quiet")
    files = {name: tmp_path / name for name in WRITERS}
    outcome = run(*line, *(text for name, path in files.items() for text in (f"--{name}", path)))
    assert outcome.code == 1
    names = {suite.get("name") for suite in ET.parse(files["junit"]).getroot()}
    assert names == {f"scan 127.0.0.1:{port}", f"mozilla-intermediate 127.0.0.1:{port}"}
    assert b'"mozilla-intermediate/' in files["sarif"].read_bytes()
    assert "mozilla-intermediate" in files["markdown"].read_text()
    assert b"mozilla-intermediate" in files["html"].read_bytes()
    assert b"mozilla" not in files["csv"].read_bytes()


def test_only_pages_show_the_bytes_of_a_verdict(port: int, tmp_path: Path) -> None:
    line = ("check", f"127.0.0.1:{port}", "--no-http", "--jsonl", tmp_path / "jsonl", "--quiet")

    def proofs(*options: str | Path) -> int:
        run(*line, *options)
        rules = json.loads((tmp_path / "jsonl").read_bytes())["rules"]
        return sum(one["proof"] is not None for rule in rules for one in rule["evidence"])

    assert proofs() == proofs("--html", tmp_path / "html") == 0
    assert proofs("--evidence") > 0
    assert b"160301" in (tmp_path / "html").read_bytes().replace(b" ", b"")


def test_files_are_opened_before_anything_is_sent(tmp_path: Path) -> None:
    with running("plain") as lab:
        line = arguments(SCAN_SCHEMA, lab.port)
        nowhere = tmp_path / "none" / "file"
        for name in WRITERS:
            said = refused(run(*line, f"--{name}", nowhere))
            assert said == f"{nowhere}: cannot be written: No such file or directory"
        assert refused(run(*line, "--junit", "-", "--sarif", "-")) == "--sarif: -: stdout is taken by --junit"
        assert refused(run(*line, "--jsonl", "-", "--csv", "-")) == "--csv: -: stdout is taken by --jsonl"
        same = tmp_path / "same"
        said = refused(run(*line, "--sarif", same, "--markdown", same))
        assert said == f"--markdown: {same}: this file is taken by --sarif"
        assert not same.exists()
        assert lab.connections == 0


def test_an_interrupted_run_writes_what_is_known(tmp_path: Path) -> None:
    @click.command()
    @options(SCAN_SCHEMA)
    def command() -> None:
        with written([], whole=lambda: True):
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, click.Abort)):
        command.main(["--junit", str(tmp_path / "junit"), "--csv", str(tmp_path / "csv")], standalone_mode=False)
    assert b"The run was cut short" in (tmp_path / "junit").read_bytes()
    assert (tmp_path / "csv").read_bytes() == b""


def test_a_spool_gives_back_what_it_was_given(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from tlswire.scan.scanner import Options, scan_host  # noqa: PLC0415 - handshakes load here

    scan = scan_host("127.0.0.1", port, Options(versions=(0x0303,), suites=(0xC02F,)))
    for bound in (0, 1):
        monkeypatch.setattr(Spool, "MAX_IN_MEMORY", bound)
        with Spool(Scan) as spool:
            assert list(spool) == []
            for _ in range(3):
                spool.append(scan)
            assert list(spool) == list(spool) == [scan] * 3
