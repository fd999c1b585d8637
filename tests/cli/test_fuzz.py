"""``tlswire fuzz``: findings, their folders and page, and what is said when something is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.servers.bad_servers import plain_http
from tests.servers.dialogues import in_front
from tests.servers.listener import streamed
from tlswire.fuzz import confirm
from tlswire.lab.server import running
from tlswire.results import Fuzz, ProvenFinding
from tlswire.wire.dumps import read_input

from .run import Outcome, one_line, refused, run

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.listener import Listener
    from tlswire.lab.server import Lab

FILES = {"README.txt", "hello.txt", "sent.hex", "received.hex", "exchange.pcapng", "finding.json"}
DUPLICATE = ("--cases", "E12")
PATIENCE = 20.0


def at(lab: Lab | Listener) -> str:
    return f"127.0.0.1:{lab.port}"


def kept(folder: Path) -> ProvenFinding:
    return msgspec.json.decode((folder / "finding.json").read_bytes(), type=ProvenFinding)


@contextlib.contextmanager
def fuzzing(*arguments: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-W", "error", "-m", "tlswire", "fuzz", *arguments]
    with subprocess.Popen(command, **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options)) as process:  # type: ignore[call-overload]  # the options are those of Popen
        try:
            yield process
        finally:
            process.kill()


def until(there: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not list(there.glob("*/finding.json")):
        assert time.monotonic() < end, "nothing was found"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A planted fault found, with everything written."""
    folder = tmp_path_factory.mktemp("found")
    with running("ignores-duplicates") as lab:
        files = ("--evidence", folder / "e", "--json", folder / "json", "--html", folder / "html")
        return run("fuzz", at(lab), "--cases", "E1[12]", "--cases", "sni", "--stack", "lab 1.0", *files), folder


def test_a_finding_has_a_folder_with_everything_in_it(found: tuple[Outcome, Path]) -> None:
    outcome, where = found
    assert (outcome.code, outcome.err) == (1, "")
    (folder,) = (where / "e").iterdir()
    assert {path.name for path in folder.iterdir()} == FILES
    finding = kept(folder)
    assert (finding.case, finding.reaction.reaction, finding.stack, finding.contacts) == ("E12", "flight", "lab 1.0", 3)
    assert finding.differences == ["extended_master_secret once more"]
    assert read_input((folder / "sent.hex").read_bytes()).hex() == finding.sent == finding.script.payload
    assert read_input((folder / "received.hex").read_bytes()).hex() == finding.received
    assert "client_hello" in (folder / "hello.txt").read_text()
    readme = (folder / "README.txt").read_text().splitlines()
    assert readme[0].startswith("E12 dup-extended_master_secret: flight")
    assert readme[-1] == f"tlswire replay {folder} --to 127.0.0.1:{finding.target.port}"
    assert f"evidence    {folder}" in outcome.lines


def test_the_result_names_the_folder_and_the_stack(found: tuple[Outcome, Path]) -> None:
    _, where = found
    result = msgspec.json.decode((where / "json").read_bytes(), type=Fuzz)
    (folder,) = (where / "e").iterdir()
    assert [finding.evidence for finding in result.findings] == [str(folder)]
    assert result.stack == "lab 1.0"
    assert f"tlswire replay {folder}" in (where / "html").read_text(encoding="utf-8")


def test_the_capture_opens_in_tshark_and_its_comment_names_the_case(found: tuple[Outcome, Path]) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark on PATH")
    (folder,) = (found[1] / "e").iterdir()
    fields = ("frame.comment", "tls.handshake.type", "tcp.checksum.status", "_ws.malformed")
    command = ["tshark", "-r", str(folder / "exchange.pcapng"), "-o", "tcp.check_checksum:TRUE", "-T", "fields"]
    command += [word for field in fields for word in ("-e", field)]
    rows = [
        line.split("\t")
        for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    ]
    assert rows[0][0].startswith("E12 dup-extended_master_secret: flight")
    assert [row[1] for row in rows if row[1]] == ["1", "2"]
    assert {row[2] for row in rows} == {"1"}
    assert {row[3] for row in rows} == {""}


def test_the_folder_holds_the_least_that_shows_it(tmp_path: Path) -> None:
    files = ("--evidence", tmp_path / "e", "--json", tmp_path / "json")
    with running("ignores-duplicates") as lab:
        assert run("fuzz", at(lab), *DUPLICATE, "--shrink", *files).code == 1
        (folder,) = (tmp_path / "e").iterdir()
        assert run("replay", folder, "--to", at(lab)).lines[-1] == "the same"
    (finding,) = msgspec.json.decode((tmp_path / "json").read_bytes(), type=Fuzz).findings
    least = kept(folder)
    assert (least.sent, least.differences, least.contacts) == (finding.sent, finding.differences, finding.contacts)
    assert len(least.differences) == 1


def test_a_server_that_conforms_leaves_no_folder(tmp_path: Path) -> None:
    with running("strict") as lab:
        outcome = run("fuzz", at(lab), *DUPLICATE, "--evidence", tmp_path / "e", "--html", "-")
    assert (outcome.code, outcome.err) == (0, "")
    assert list((tmp_path / "e").iterdir()) == []
    assert b"No findings" in outcome.raw


# Findings, and a second more: H01 is met by silence, which is waited for.
INTERRUPTIBLE = ("--cases", "E*", "--cases", "H01", "--max-rate", "300")


def test_a_run_that_is_killed_keeps_what_it_found(tmp_path: Path) -> None:
    arguments = (*INTERRUPTIBLE, "--evidence", str(tmp_path))
    with running("wrong-alert") as lab, fuzzing(at(lab), *arguments) as process:
        until(tmp_path)
        process.kill()
    folder = next(tmp_path.glob("*/finding.json")).parent
    assert kept(folder).contacts == 3
    assert {path.name for path in folder.iterdir()} == FILES


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_prints_what_it_found(how: signal.Signals, tmp_path: Path) -> None:
    files = ("--evidence", str(tmp_path / "e"), "--json", str(tmp_path / "json"), "--html", str(tmp_path / "html"))
    arguments = (*INTERRUPTIBLE, *files)
    with running("wrong-alert") as lab, fuzzing(at(lab), *arguments) as process:
        until(tmp_path / "e")
        process.send_signal(how)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (3, b"")
    assert b"interrupted" in out
    assert b"evidence" in out
    result = msgspec.json.decode((tmp_path / "json").read_bytes(), type=Fuzz)
    assert not result.complete
    assert {finding.evidence for finding in result.findings} == {str(path) for path in (tmp_path / "e").iterdir()}
    assert "interrupted" in (tmp_path / "html").read_text(encoding="utf-8")


def test_an_interrupted_beginning_says_so(tmp_path: Path) -> None:
    with running("mute") as lab, fuzzing(at(lab), "--json", str(tmp_path / "json")) as process:
        end = time.monotonic() + PATIENCE
        while not lab.connections:
            assert time.monotonic() < end
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (3, b"")
    assert b"interrupted" in out
    assert json.loads((tmp_path / "json").read_bytes())["complete"] is False


def test_a_full_disk_is_told_once_what_was_found_is_printed() -> None:
    with running("ignores-duplicates") as lab:
        outcome = run("fuzz", at(lab), *DUPLICATE, "--json", "/dev/full")
        assert (outcome.code, one_line(outcome)) == (2, "/dev/full: cannot be written: No space left on device")
        assert "extended_master_secret once more" in outcome.out
        page = run("fuzz", at(lab), *DUPLICATE, "--html", "/dev/full")
        assert (page.code, one_line(page)) == (2, "/dev/full: cannot be written: No space left on device")


def test_a_folder_that_takes_no_more_is_told_once_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "e"
    with running("ignores-duplicates") as lab:
        run("fuzz", at(lab), *DUPLICATE, "--evidence", folder, "--quiet")
        (found,) = folder.iterdir()
        shutil.rmtree(found)
        found.write_bytes(b"")  # where the folder belongs
        outcome = run("fuzz", at(lab), *DUPLICATE, "--evidence", folder, "--json", tmp_path / "json")
    assert outcome.code == 2
    assert one_line(outcome) == f"--evidence: {found}: cannot be written: File exists"
    result = msgspec.json.decode((tmp_path / "json").read_bytes(), type=Fuzz)
    assert [(finding.case, finding.evidence) for finding in result.findings] == [("E12", None)]


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with running("strict") as lab:
        says = refused(run("fuzz", at(lab), "--evidence", tmp_path / "file" / "e"))
        assert lab.connections == 0
    assert says == f"--evidence: {tmp_path / 'file' / 'e'}: cannot be written: Not a directory"


def _resets() -> Listener:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    return streamed(handler)


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (plain_http, "speaks plain HTTP: HTTP/1.1 400 Bad Request"),
        (_resets, "no valid hello is answered: close"),
    ],
)
def test_what_does_not_speak_tls_is_no_finding(server: Callable[[], Listener], says: str, tmp_path: Path) -> None:
    with server() as listener:
        outcome = run("fuzz", at(listener), "--json", tmp_path / "json")
    assert (outcome.code, outcome.err) == (4, "")
    assert says in outcome.out
    assert json.loads((tmp_path / "json").read_bytes())["error"].startswith(says)


def test_nobody_there_is_unreachable() -> None:
    outcome = run("fuzz", "127.0.0.1:1", *DUPLICATE)
    assert (outcome.code, outcome.err) == (4, "")
    assert "unreachable: Connection refused" in outcome.out


def test_a_server_that_dies_ends_the_run_with_what_was_sent_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "RECOVERY", 0.3)  # the plant is away for longer
    with running("dies-of-session-id") as lab:
        outcome = run("fuzz", at(lab), "--cases", "C05")
    assert (outcome.code, outcome.err) == (3, "")
    (note,) = [line for line in outcome.lines if "the server is down; sent last: " in line]
    assert "sent last: C05" in note


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("127.0.0.1:1", "--cases", "nope"), "'nope': matches no case; tlswire fuzz --list shows them"),
        (("--explain", "Q99"), "'Q99': no such case; tlswire fuzz --list shows them"),
        ((), "HOST[:PORT]: is missing; or use --list or --explain"),
        (("192.0.2.1",), "192.0.2.1: is not this machine: malformed traffic goes there only with --yes-i-may"),
        (("192.0.2.1", "--proxy", "socks5://127.0.0.1:1"), "192.0.2.1: is not this machine: malformed"),
        (("127.0.0.1", "--proxy", "socks5://192.0.2.1:1"), "127.0.0.1: is not this machine: malformed"),
        (
            ("localhost", "--proxy", "http://127.0.0.1:1"),
            "localhost: is the proxy's to resolve, to any machine: malformed",
        ),
        (("127.0.0.1", "--compare", "192.0.2.1", "--proxy", "socks5://127.0.0.1:1"), "192.0.2.1: is not this machine"),
        (("127.0.0.1", "--proxy", "ftp://127.0.0.1:1"), "proxy: write http://, socks5:// or socks5h://"),
        (("127.0.0.1:1", "--server-name", "\u00e4..b"), r"'\xe4..b': is no host name"),
        (("127.0.0.1:1", "--json", "x", "--html", "x"), "--html: x: this file is taken by --json"),
    ],
)
def test_wrong_usage_is_one_line(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        assert refused(run("fuzz", *arguments)).startswith(says)


def test_a_terminal_sees_the_progress() -> None:
    ours, theirs = pty.openpty()
    with running("strict") as lab:
        command = (at(lab), "--max-rate", "120", "--cases", "S*")
        with fuzzing(*command, stderr=theirs) as process:
            os.close(theirs)
            seen = b""
            with contextlib.suppress(OSError):  # the other end is gone
                while data := os.read(ours, 4096):
                    seen += data
            process.communicate(timeout=PATIENCE)
    os.close(ours)
    assert process.returncode == 0
    assert b"kinds of reaction" in seen
    assert b"a second" in seen


def test_a_finding_behind_starttls_is_replayed_by_the_line_beside_it(tmp_path: Path) -> None:
    with running("ignores-duplicates") as lab, in_front(lab.port, "smtp") as server:
        behind = (at(server), "--starttls", "smtp", "--timeout", "1")
        outcome = run("fuzz", *behind, *DUPLICATE, "--evidence", tmp_path / "e", "--html", tmp_path / "html")
        assert (outcome.code, outcome.err) == (1, "")
        assert outcome.lines[0] == f"{at(server)}  server name localhost  STARTTLS of smtp"
        (folder,) = (tmp_path / "e").iterdir()
        line = (folder / "README.txt").read_text().splitlines()[-1]
        assert line == f"tlswire replay {folder} --to {at(server)} --starttls smtp"
        assert line in (tmp_path / "html").read_text(encoding="utf-8")
        again = run(*line.split()[1:])
        assert (again.code, again.err, again.lines[-1]) == (0, "", "the same")
        bytes_alone = run("replay", kept(folder).sent, "--to", *behind)
        assert bytes_alone.out.startswith("now     flight (server-hello")
        # The same server without the dialogue, beside it: nothing tells them apart but the way.
        compared = run("fuzz", *behind, *DUPLICATE, "--compare", at(server), "--json", "-")
        result = json.loads(compared.raw)
        assert [one["target"]["starttls"] for one in result["columns"]] == ["smtp", "smtp"]
        assert (result["rows"], compared.code) == ([], 1)


def test_a_refused_dialogue_is_one_line_and_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlswire.fuzz.line.STUMBLED", 0.0)
    with in_front(1, "smtp", mood=lambda _: b"421 \x1b[31m full\r\n") as server:
        behind = (at(server), "--starttls", "smtp")
        outcome = run("fuzz", *behind, "--json", tmp_path / "json")
        assert (outcome.code, outcome.err) == (4, "")
        assert outcome.lines[1:] == [r"refuses STARTTLS (smtp): 421 \x1b[31m full"]
        assert msgspec.json.decode((tmp_path / "json").read_bytes(), type=Fuzz).cases == []
        again = run("replay", "1603", "--to", *behind)
        assert (again.code, again.raw) == (4, b"")
        assert one_line(again) == r"refuses STARTTLS (smtp): 421 \x1b[31m full"
        compared = run("fuzz", *behind, "--compare", at(server))
        assert compared.code == 4
