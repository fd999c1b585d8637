"""``tlswire applelog``: what it reads, what it says, what it ends with."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.policy.devicelogs import STYLES, Said, compact, default, ndjson, spread
from tlswire.lab.server import running
from tlswire.policy.applewords import PREDICATE
from tlswire.results import json_schema

from .run import one_line, refused, run

if TYPE_CHECKING:
    from pathlib import Path

jsonschema = pytest.importorskip("jsonschema")  # it has no types of its own

LINE = Said(
    "f(1) [C1][0x1] Error [ATS FCPv2.1 violation]: TLS 1.2 negotiated without extended master secret (EMS) for server: "
    "mdm.example.com"
)


@pytest.mark.parametrize("style", STYLES)
def test_a_violation_is_found_from_a_file_stdin_and_gzip(style: str, tmp_path: Path) -> None:
    data = STYLES[style][1]([Said("x"), LINE])
    plain, packed = tmp_path / "log", tmp_path / "log.gz"
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data))
    outcomes = [run("applelog", plain), run("applelog", packed), run("applelog", "-", stdin=data)]
    for outcome in outcomes:
        assert (outcome.code, outcome.err) == (1, "")
        assert "mdm.example.com\n  ems-tls12  refused, 1 time\n" in outcome.out
    assert len({outcome.raw for outcome in outcomes}) == 1


def test_json_keeps_to_its_schema_and_stands_where_it_was_asked_for(tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out.json"
    log.write_bytes(ndjson([LINE]))
    outcome = run("applelog", log, "--json", "-")
    result = json.loads(outcome.raw)
    jsonschema.validate(result, json_schema("tlswire.applelog/1"))
    assert result["servers"][0]["findings"][0]["rule"] == "ems-tls12"
    told = run("applelog", log, "--json", out)
    assert (told.code, json.loads(out.read_bytes())) == (1, result)
    assert "ems-tls12" in told.out


def test_nothing_found_is_fine_and_says_how_little_it_proves(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(default([Said("x")]))
    outcome = run("applelog", log)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Nothing found  (1 log, 2 lines)\n\nSilence proves little")


def test_a_damaged_log_is_incomplete_only_where_nothing_was_found(tmp_path: Path) -> None:
    cut, found = tmp_path / "cut", tmp_path / "found"
    cut.write_bytes(spread([Said("x"), LINE])[:-300])
    found.write_bytes(ndjson([LINE]))
    outcome = run("applelog", cut)
    assert outcome.code == 3
    assert "the log ends inside an entry" in outcome.out
    assert run("applelog", cut, found).code == 1
    cut.write_bytes(gzip.compress(default([Said("x")] * 5000))[:-300])
    outcome = run("applelog", cut)
    assert outcome.code == 3
    assert "gzip data" in outcome.out


def test_a_file_that_is_no_log_does_not_stop_the_others(tmp_path: Path) -> None:
    bad, good = tmp_path / "notes.txt", tmp_path / "log"
    bad.write_bytes(b"hello\n")
    good.write_bytes(compact([LINE]))
    outcome = run("applelog", bad, tmp_path / "none", good)
    assert outcome.code == 2
    assert "mdm.example.com" in outcome.out
    assert [line.partition(": ")[2] for line in outcome.err.splitlines()] == [
        f"{bad}: is not the output of log show: no line of it is an entry",
        f"{tmp_path / 'none'}: cannot be read: No such file or directory",
    ]


def test_what_a_mac_has_to_unpack_is_answered_with_the_command(tmp_path: Path) -> None:
    folder, trace, archive = (
        tmp_path / "system_logs.logarchive",
        tmp_path / "a.tracev3",
        tmp_path / "sysdiagnose.tar.gz",
    )
    folder.mkdir()
    trace.write_bytes(b"\0\x10\0\0\x11\0\0\0\xd0\0\0\0\0\0\0\0" + bytes(300))
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("sysdiagnose/system_logs.logarchive/Info.plist")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"<x/>"))
    for path in (folder, trace, archive):
        line = one_line(run("applelog", path))
        assert line.startswith(f"{path}: is a")
        assert "log show --archive" in line
        assert refused(run("applelog", path)) == line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "logs: none given"),
        (["none"], "none: cannot be read"),
        (["-"], "stdin: is empty"),
        (["a\x1b[2J\n"], r"a\x1b[2J\n: cannot be read"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], says: str) -> None:
    assert says in refused(run("applelog", *arguments))


def test_the_output_is_never_one_of_the_logs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(default([LINE]))
    assert "is one of the logs" in one_line(run("applelog", log, "--json", log))
    assert log.read_bytes() == default([LINE])
    assert "cannot be written" in one_line(run("applelog", log, "--json", tmp_path / "none" / "x"))


def test_help_has_the_predicate_and_what_silence_means() -> None:
    words = " ".join(run("applelog", "--help").out.split())
    assert PREDICATE in words
    assert "derived" in words
    assert "Silence proves little" in words
    assert "26.4" in words


def test_the_servers_that_were_found_are_checked_when_asked_for(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(STYLES["default"][1]([LINE]))
    with running("legacy-mdm") as lab:
        place = f"mdm.example.com:{lab.port}:127.0.0.1"
        outcome = run("applelog", log, "--check", "--port", lab.port, "--resolve", place)
    assert outcome.code == 1
    found, checked = outcome.out.split("FAIL  ", 1)
    assert "refused, 1 time" in found
    assert checked.startswith(f"mdm.example.com:{lab.port}  address 127.0.0.1  apple-mdm-27\n")
    assert "ems-tls12" in checked.partition("Not known")[0]


def test_a_log_without_servers_has_nothing_to_check(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(STYLES["default"][1]([Said("x")]))
    assert run("applelog", log, "--check").code == 0
