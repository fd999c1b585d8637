"""``tlswire pcap``: what it reads, what it writes where, and its exit codes. What is told of a session is tested elsewhere."""

from __future__ import annotations

import csv
import gzip
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.report.made import HOSTILE, capture, conversation, hello, hello_message, pcap, record, session
from tlswire.cli.pcap import CaptureProgress, exit_code
from tlswire.hello import edit
from tlswire.report.hellos import HelloFolder, file_name, text
from tlswire.report.sessions import Material, Summary
from tlswire.results import SESSION_SCHEMA, json_schema
from tlswire.wire.dtls import encode_dtls_client_hello
from tlswire.wire.dumps import read_input
from tlswire.wire.handshake import parse_client_hello

from .run import one_line, refused, run

jsonschema = pytest.importorskip("jsonschema")  # it has no types of its own

NAMES = [b"www.example.com", b"api.example.org"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "made.pcap"
    path.write_bytes(capture())
    return path


def lines(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw.splitlines()]


def test_the_summary_is_what_one_gets(file: Path) -> None:
    outcome = run("pcap", file)
    assert (outcome.code, outcome.err) == (0, "")
    text = outcome.raw.decode()
    assert text.startswith(f"{file}\n  16 frames, ")
    assert "  2 sessions: 2 refused\n" in text
    assert "  www.example.com  192.0.2.1:443\n" in text
    assert "handshake_failure from server" in text


def test_json_lines_follow_the_schema(file: Path, tmp_path: Path) -> None:
    outcome = run("pcap", file, "--jsonl", "-")
    assert (outcome.code, outcome.err) == (0, "")
    found = lines(outcome.raw)
    assert [item["server_name"].encode() for item in found] == NAMES
    validator = jsonschema.Draft202012Validator(json_schema(SESSION_SCHEMA))
    for item in found:
        validator.validate(item)
    assert run("pcap", file, "--jsonl", tmp_path / "out.jsonl").raw.startswith(bytes(file))
    assert (tmp_path / "out.jsonl").read_bytes() == outcome.raw


def test_csv(file: Path, tmp_path: Path) -> None:
    outcome = run("pcap", file, "--csv", "-", "--jsonl", tmp_path / "out.jsonl")
    rows = list(csv.DictReader(io.StringIO(outcome.raw.decode(), newline="")))
    assert [row["server_name"].encode() for row in rows] == NAMES
    assert [row["server_port"] for row in rows] == ["443", "444"]
    assert len(lines((tmp_path / "out.jsonl").read_bytes())) == 2


def test_rows(file: Path) -> None:
    rows = run("pcap", file, "--sessions").raw.decode().splitlines()
    assert rows[0].split()[0] == "frame"
    assert ["www.example.com" in row for row in rows[1:3]] == [True, False]
    assert rows[3:5] == ["", str(file)]
    assert not any(row.startswith("Servers") for row in rows)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--server-name", "*.EXAMPLE.org"], 1),
        (["--server-name", "www.*", "--server-name", "api.*"], 2),
        (["--host", "10.0.0.2"], 1),
        (["--host", "198.51.100.0/24"], 0),
        (["--port", "444-450"], 1),
        (["--version", "TLS1.3"], 2),
        (["--version", "TLS1.2"], 0),
        (["--weak"], 0),
    ],
)
def test_filters(file: Path, options: list[str], count: int) -> None:
    assert len(lines(run("pcap", file, *options, "--jsonl", "-").raw)) == count
    said = "none of 2 sessions passes the filters" if not count else "1 of 2 sessions" if count == 1 else "2 sessions"
    assert said in run("pcap", file, *options).raw.decode()


def test_folders_compressed_files_and_stdin(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder" / "deeper"
    folder.mkdir(parents=True)
    (folder / "b.pcap.gz").write_bytes(gzip.compress(file.read_bytes()))
    (folder / "a.pcap").write_bytes(file.read_bytes())
    (folder / "README").write_text("none")
    found = lines(run("pcap", tmp_path / "folder", file, file, "--jsonl", "-").raw)
    assert [item["capture"] for item in found] == [
        str(path) for path in (folder / "a.pcap", folder / "b.pcap.gz", file) for _ in range(2)
    ]
    assert "6 sessions" in run("pcap", tmp_path / "folder", file).raw.decode()
    assert [item["capture"] for item in lines(run("pcap", "-", "--jsonl", "-", stdin=capture()).raw)] == ["stdin"] * 2


@pytest.mark.parametrize(
    "options", [["--jsonl", "-"], ["--csv", "-"], ["--sessions"], [], ["--top", "0", "--port", "1-600"]]
)
def test_any_number_of_processes_says_the_same(tmp_path: Path, options: list[str]) -> None:
    names = tuple(f"{number}.example.com".encode() for number in range(60))
    for part in range(3):
        (tmp_path / f"{part}.pcap").write_bytes(capture(names[part * 20 : part * 20 + 20]))
    alone = run("pcap", tmp_path, *options, "--export-hellos", tmp_path / "hellos").raw
    before = {path.name: path.read_bytes() for path in (tmp_path / "hellos").iterdir()}
    assert len(before) == 60
    for jobs in ("2", "3"):
        # Its own interpreter: processes are forked, and pytest has threads.
        command = [sys.executable, "-m", "tlswire", "pcap", str(tmp_path), *options, "--jobs", jobs]
        outcome = subprocess.run(
            [*command, "--export-hellos", str(tmp_path / f"hellos{jobs}")], capture_output=True, check=True
        )
        assert outcome.stdout.replace(f"hellos{jobs}".encode(), b"hellos") == alone
        assert {path.name: path.read_bytes() for path in (tmp_path / f"hellos{jobs}").iterdir()} == before


def test_a_file_that_cannot_be_read_does_not_stop_the_others(file: Path, tmp_path: Path) -> None:
    (tmp_path / "junk.pcap").write_bytes(b"junk that is no capture")
    outcome = run("pcap", tmp_path / "missing\x1b[2J", tmp_path / "junk.pcap", file, "--jsonl", "-")
    assert outcome.code == 2
    assert len(lines(outcome.raw)) == 2
    errors = outcome.err.splitlines()
    assert len(errors) == 2
    assert errors[0] == f"tlswire: {tmp_path}/missing\\x1b[2J: does not exist"
    assert "junk.pcap: is no capture" in errors[1]
    assert "1 file could not be read" in run("pcap", tmp_path / "junk.pcap", file).raw.decode()


def test_nothing_that_can_be_read_is_one_line(tmp_path: Path) -> None:
    assert refused(run("pcap", tmp_path / "missing")) == f"{tmp_path}/missing: does not exist"
    assert "holds no captures" in refused(run("pcap", tmp_path))
    assert "name files, folders, or -" in refused(run("pcap"))


def test_a_cut_file_is_incomplete(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])
    outcome = run("pcap", file)
    assert outcome.code == 3
    assert "\n  cut short: " in outcome.raw.decode()
    assert outcome.err == ""
    outcome = run("pcap", file, "--jsonl", "-")
    assert (outcome.code, len(lines(outcome.raw))) == (3, 2)
    assert "cut short" in one_line(outcome)


@pytest.mark.parametrize(("kinds", "code"), [("weak", 0), ("refused", 1), ("unanswered", 0), ("weak, refused", 1)])
def test_fail_on(file: Path, kinds: str, code: int) -> None:
    assert run("pcap", file, "--fail-on", kinds).code == code


def test_exit_codes_in_their_order() -> None:
    summary = Summary()
    summary.add(session(weak=["RC4"]))
    weak = frozenset({"weak"})
    assert exit_code(summary, Material(unreadable=1, damage=["x"]), weak) == 2
    assert exit_code(summary, Material(evicted=1), weak) == 3
    assert exit_code(summary, Material(), weak) == 1
    assert exit_code(summary, Material(), frozenset()) == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--jsonl", "-", "--csv", "-"], "--csv: -: stdout is taken by --jsonl -"),
        (["--jsonl", "/dev/null", "--csv", "/dev/null"], "--csv: /dev/null: this file is taken by --jsonl /dev/null"),
        (["--host", "example.com"], "--host: 'example.com': is neither an address"),
        (["--port", "x"], "--port: 'x'"),
        (["--version", "TLS9"], "--version: "),
        (["--fail-on", "bad\x1b"], r"--fail-on: 'bad\x1b': is none of weak, refused, unanswered"),
        (["--fail-on", ","], "--fail-on: ',': names nothing"),
        (["--jsonl", "/nonexistent/x"], "--jsonl: /nonexistent/x: cannot be written"),
        (["--csv", "a\x00b"], "--csv: a\\x00b: cannot be written"),
        (["--export-hellos", "/dev/null/x"], "--export-hellos: /dev/null/x: cannot be written"),
        (["--jobs", "-1"], "'--jobs'"),
        (["--top", "-1"], "'--top'"),
    ],
)
def test_wrong_usage_is_one_line(file: Path, options: list[str], says: str) -> None:
    assert says in refused(run("pcap", file, *options))


def test_a_capture_is_never_overwritten(file: Path) -> None:
    before = file.read_bytes()
    assert "is one of the captures" in refused(run("pcap", file, "--jsonl", file))
    assert file.read_bytes() == before


def test_a_full_disk_is_one_line(file: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    for option in ("--jsonl", "--csv"):
        outcome = run("pcap", file, option, "/dev/full")
        assert outcome.code == 2
        assert one_line(outcome) == "output: cannot be written: No space left on device"
    with Path("/dev/full").open("w") as full:
        for options in ([], ["--sessions"], ["--jsonl", "-"]):
            command = [sys.executable, "-m", "tlswire", "pcap", str(file), *options]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert done.returncode == 2
            assert done.stderr == "tlswire: output: cannot be written: No space left on device\n"


def test_a_reader_that_left_is_no_failure(file: Path) -> None:
    command = [sys.executable, "-m", "tlswire", "pcap", str(file), "--top", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_sessions_of_a_pipe_are_written_as_they_come() -> None:
    data = capture()
    command = [sys.executable, "-m", "tlswire", "pcap", "-", "--jsonl", "-", "--jobs", "2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data[: len(data) // 2 + 200])
        process.stdin.flush()
        # Would wait for ever if the line waited for the end.
        assert json.loads(process.stdout.readline())["server_name"].encode() == NAMES[0]
        process.stdin.write(data[len(data) // 2 + 200 :])
        process.stdin.close()
        assert json.loads(process.stdout.readline())["server_name"].encode() == NAMES[1]


def test_damage_of_several_captures_names_them_and_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (tmp_path / f"{number}.pcap").write_bytes(capture()[: -5 - number])
    text = run("pcap", tmp_path).raw.decode()
    for number in range(5):
        assert f"\n  {tmp_path}/{number}.pcap: cut short: " in text
    monkeypatch.setattr("tlswire.cli.pcap._MAX_DAMAGE", 2)
    text = run("pcap", tmp_path).raw.decode()
    assert text.count("cut short") == 2
    assert "  and 3 more broken places; --quiet tells all on stderr\n" in text
    outcome = run("pcap", tmp_path, "--quiet")
    assert (outcome.code, outcome.raw, len(outcome.err.splitlines())) == (3, b"", 5)


def test_quiet(file: Path) -> None:
    outcome = run("pcap", file, "--quiet", "--fail-on", "refused", "--sessions")
    assert (outcome.code, outcome.raw, outcome.err) == (1, b"", "")


def test_hostile_names_reach_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "evil\x1b[31m\u202e.pcap"
    path.write_bytes(capture((b"=cmd|'\x1b[31m\xe2\x80\xae\r\n",)))
    for options in ([], ["--sessions"], ["--csv", "-"], ["--export-hellos", tmp_path / "hellos"]):
        outcome = run("pcap", path, *options)
        assert outcome.code == 0
        assert all(char.isprintable() or char in "\r\n" for char in outcome.raw.decode())
        assert b"=cmd|'\\x1b[31m" in outcome.raw
    for written in (tmp_path / "hellos").iterdir():
        assert all(char.isprintable() or char == "\n" for char in written.read_text())


def test_exported_hellos_are_the_hellos(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "hellos"
    found = lines(run("pcap", file, "--jsonl", "-", "--export-hellos", folder).raw)
    named = {f"{item['hellos'][0]['ja4']}-{item['hellos'][0]['sha256'][:8]}.hex" for item in found}
    assert {path.name for path in folder.iterdir()} == named
    messages = set()
    for path in folder.iterdir():
        assert run("decode", path).code == 0
        outcome = run("hello", "--from", path, "--format", "raw")
        assert outcome.code == 0
        messages.add(outcome.raw)
    assert messages == {hello_message(name, seed) for seed, name in enumerate(NAMES)}
    assert "# server name: www.example.com" in "".join(path.read_text() for path in folder.iterdir())


def test_hellos_are_exported_once(file: Path, tmp_path: Path) -> None:
    twice = tmp_path / "twice.pcap"
    frames = [
        frame
        for port in (443, 444)
        for frame in conversation("10.0.0.1", "192.0.2.1", port, (0, record(22, hello_message())))
    ]
    twice.write_bytes(pcap(*frames))
    folder = tmp_path / "hellos"
    assert "1 hello written to " in run("pcap", twice, "--export-hellos", folder).raw.decode()
    assert "1 hello written to " in run("pcap", file, "--export-hellos", folder).raw.decode()
    again = run("pcap", file, "--export-hellos", folder).raw.decode()
    assert "0 hellos written to " in again
    assert "2 were there before" in again
    assert len(list(folder.iterdir())) == 2


def test_other_files_are_left_alone(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hellos"
    assert run("pcap", file, "--export-hellos", folder).code == 0
    first, second = sorted(folder.iterdir())
    first.write_text("mine")
    second.unlink()
    second.symlink_to(tmp_path / "elsewhere")
    outcome = run("pcap", file, "--export-hellos", folder)
    assert outcome.code == 0
    assert first.read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()
    assert len(list(folder.iterdir())) == 4
    for path in folder.iterdir():
        path.unlink()
        path.mkdir()
    assert "is another file" in one_line(run("pcap", file, "--jsonl", "-", "--export-hellos", folder))


def test_hellos_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HelloFolder, "limit", 3)
    path = tmp_path / "many.pcap"
    path.write_bytes(capture(tuple(f"{number}.example.com".encode() for number in range(9))))
    outcome = run("pcap", path, "--export-hellos", tmp_path / "hellos")
    assert "3 hellos written to " in outcome.raw.decode()
    assert "there are more than 3, the rest was left out" in outcome.raw.decode()
    assert len(list((tmp_path / "hellos").iterdir())) == 3


def test_hellos_of_all_kinds_can_be_read_again() -> None:
    message = hello_message()
    value = parse_client_hello(message[4:], 4)
    body = encode_dtls_client_hello(value, b"cookie")
    dtls = b"\x01" + len(body).to_bytes(3, "big") + body
    for item, data, says in (
        (session(), message, "handshake message"),
        (session(transport="quic"), message, "handshake message"),
        (session(transport="dtls"), dtls, "cookie left out: 636f6f6b6965"),
        (session(transport="dtls"), b"\x01\0\0\x01x", "does not follow its grammar"),
        (
            session(hellos=[hello(record_version="0x0002")]),
            b"\x01\x03\x01\0\x03\0\0\0\x10\0\0\x05" + bytes(16),
            "SSLv2",
        ),
    ):
        written = text(item, item.hellos[0], data)
        assert says in written
        if "grammar" not in says:
            sample = edit.read_hello(read_input(written.encode()))
            assert sample.encode()
    assert sample.hello.kinds == (5,)  # type: ignore[union-attr]  # the last is SSLv2's


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "t13d1516h2_8daaf6152771_e5627efa2ab1-abcdef01.hex"),
        ({"ja4": "t13d../../\x00;\u202e_x"}, "t13d_________x-abcdef01.hex"),
        ({"ja4": None}, "broken-abcdef01.hex"),
        ({"ja4": None, "record_version": "0x0002"}, "sslv2-abcdef01.hex"),
    ],
)
def test_file_names_are_safe(fields: dict[str, Any], name: str) -> None:
    assert file_name(hello(sha256="abcdef0123456789", **fields)).replace("__", "_") == name.replace("__", "_")


def test_comments_stay_comments() -> None:
    evil = session(capture=HOSTILE, hellos=[hello(server_name=HOSTILE)])
    written = text(evil, evil.hellos[0], b"\x01\0\0\0").splitlines()
    assert [line for line in written if not line.startswith("# ")] == ["01000000"]
    assert all(line.isprintable() for line in written)


def test_a_bar_that_is_not_wanted_costs_nothing() -> None:
    with CaptureProgress(["missing"], enabled=False) as progress:
        progress("missing", 10, 5)


def test_the_bar_is_drawn_on_stderr(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("tlswire.cli.pcap._PATIENCE", 0.0)
    with CaptureProgress([str(file)], enabled=True) as progress:
        progress("evil\x1b[2J.pcap", 100, 50)
        deadline = time.monotonic() + 10
        while "evil" not in err.getvalue() and time.monotonic() < deadline:
            time.sleep(0.02)
    assert "evil\\x1b[2J.pcap" in err.getvalue()


def test_a_page_is_the_same_for_any_number_of_processes(tmp_path: Path) -> None:
    captures = Path(__file__).parent.parent.parent / "captures" / "recorded"
    pages = []
    for jobs in ("1", "3"):
        page = tmp_path / f"{jobs}.html"
        assert run("pcap", captures, "--quiet", "--jobs", jobs, "--html", page).code in {0, 3}
        pages.append(page.read_bytes())
    assert pages[0] == pages[1]
    assert b" captures</h1>" in pages[0]


def test_a_page_of_a_capture_names_its_sessions(file: Path) -> None:
    outcome = run("pcap", file, "--html", "-")
    assert (outcome.code, outcome.err) == (0, "")
    assert all(name in outcome.raw for name in NAMES)
    assert outcome.raw.startswith(b"<!doctype html>")


def test_two_outputs_do_not_share_a_file(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        refused(run("pcap", file, "--html", out, "--csv", out)) == f"--html: {out}: this file is taken by --csv {out}"
    )
    assert refused(run("pcap", file, "--html", "-", "--jsonl", "-")) == "--html: -: stdout is taken by --jsonl -"
    assert refused(run("pcap", file, "--html", file)) == f"--html: {file}: is one of the captures"
    assert "cannot be written" in refused(run("pcap", file, "--html", tmp_path))


def test_an_interrupted_reading_leaves_a_page_of_what_was_read(file: Path, tmp_path: Path) -> None:
    page, told = tmp_path / "out.html", tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "tlswire", "pcap", "-", "--html", str(page), "--jsonl", str(told)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
        assert reading.stdin is not None
        reading.stdin.write(file.read_bytes())
        reading.stdin.flush()
        end = time.monotonic() + 20
        while not told.exists() or not told.stat().st_size:
            assert time.monotonic() < end
            time.sleep(0.02)
        reading.send_signal(signal.SIGINT)
        _, complaint = reading.communicate(timeout=20)
    assert (reading.returncode, complaint.strip()) == (3, b"tlswire: interrupted")
    text = page.read_bytes()
    assert b"The run was interrupted" in text
    assert NAMES[0] in text
