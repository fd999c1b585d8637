"""``tlswire lab``: the list, the line it prints, the port file, and how it ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from tlswire.hello.builder import client_hello, encode_client_hello
from tlswire.lab.characters import CHARACTERS, accepted
from tlswire.lab.server import HOST
from tlswire.registry import VERSIONS
from tlswire.wire.records import HANDSHAKE

from .run import refused, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20.0
HELLO = encode_client_hello(client_hello(0x0303, (0xC02F, 0x002F), rng=Random(0)))


@contextlib.contextmanager
def lab(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "tlswire", "lab", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    """What it prints first; stdout is a pipe, so an unflushed line would never come."""
    assert process.stdout is not None
    return process.stdout.readline()


def appears(path: Path) -> str:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end, "no port file"
        time.sleep(0.01)
    return path.read_text(encoding="ascii")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_when_told(tmp_path: Path, how: signal.Signals) -> None:
    port_file = tmp_path / "port"
    port_file.write_text("stale", encoding="ascii")
    with lab("legacy-mdm", "--seed", "7", "--port-file", str(port_file)) as process:
        line = first_line(process)
        port = int(appears(port_file))
        assert line == f"legacy-mdm on {HOST}:{port} (Ctrl-C ends it)\n"
        assert port_file.read_text(encoding="ascii") == f"{port}\n"
        with socket.create_connection((HOST, port), PATIENCE) as connection:
            connection.settimeout(PATIENCE)
            connection.sendall(HELLO)
            assert connection.recv(1)[0] == HANDSHAKE
        process.send_signal(how)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_port_can_be_chosen_and_one_in_use_is_refused() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        says = refused(run("lab", "modern", "--port", str(port)))
        assert says.startswith(f"port {port}: cannot listen: ")
        assert "in use" in says
    with lab("modern", "--port", str(port)) as process:
        assert first_line(process) == f"modern on {HOST}:{port} (Ctrl-C ends it)\n"


def test_a_port_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    assert "cannot be written: No such file" in refused(run("lab", "modern", "--port-file", tmp_path / "no" / "file"))
    assert "cannot be replaced: " in refused(run("lab", "modern", "--port-file", tmp_path))


def test_a_refused_start_leaves_the_port_file_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("1", encoding="ascii")
    refused(run("lab", "museun", "--port-file", kept))
    assert kept.read_text(encoding="ascii") == "1"


def test_the_list_tells_the_truth() -> None:
    outcome = run("lab", "--list")
    assert (outcome.code, outcome.err) == (0, "")
    head, *rows = outcome.lines[2:]
    assert [row.split()[0] for row in rows] == list(CHARACTERS)
    for row, (name, it) in zip(rows, CHARACTERS.items(), strict=True):
        assert row.endswith(f"  {it.description}")
        for version, suites in accepted(it).items():
            label = VERSIONS[version].name
            end = head.index(label) + len(label)
            assert row[end - len(label) : end].strip() == str(len(suites)), (name, label)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("museun",), "'museun': no character of the lab; did you mean museum"),
        (("\x1b[2J",), r"'\x1b[2J': no character of the lab; there are modern"),
        ((), "CHARACTER: none given; tlswire lab --list shows them"),
        (("modern", "--port", "65536"), "'--port'"),
        (("modern", "--port", "https"), "'--port'"),
    ],
)
def test_wrong_usage_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    assert says in refused(run("lab", *arguments))
