"""The life of one server process: a free port, start, wait until it accepts, stop, clean up.

Must not know any particular server; recipes.py does.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
# Below every system's ephemeral range, so that no outgoing connection of a busy scanner takes the port first.
PORTS = range(20000, 32000)

# Debian keeps daemons in sbin, which only root has on the path.
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


class ServerError(Exception):
    """A server that did not come up; the text ends with its own log."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line and what its environment needs beyond ours."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `log()` is what it printed so far."""

    name: str
    host: str
    port: int
    pid: int
    log_path: Path

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")


Recipe = Callable[[Path, int], Launch]


def free_port() -> int:
    """A port nobody has, on loopback or elsewhere: some servers cannot be bound to one address."""
    for _ in range(200):
        port = secrets.choice(PORTS)  # not `random`: tests seed that, and parallel ones would meet
        with contextlib.suppress(OSError), socket.socket() as trial:
            trial.bind(("", port))
            return port
    raise ServerError(f"no free port in {PORTS}")


@contextlib.contextmanager
def serving(name: str, recipe: Recipe, *, timeout: float = 60.0) -> Iterator[Server]:
    """Run what `recipe(folder, port)` says in a process group and a temporary folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tlswire-server-"))
    try:
        port = free_port()
        launch = recipe(folder, port)
        log_path = folder / "log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                launch.argv,
                cwd=folder,
                env={**os.environ, "PATH": SEARCH_PATH, **launch.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = Server(name, HOST, port, process.pid, log_path)
        try:
            _await_accept(server, process, timeout)
            yield server
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await_accept(server: Server, process: subprocess.Popen[bytes], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if (code := process.poll()) is not None:
            raise ServerError(f"{server.name} ended with {code} before it listened:\n{server.log()}")
        with contextlib.suppress(OSError), socket.create_connection(server.address, timeout=1.0):
            return
        time.sleep(0.01)
    raise ServerError(f"{server.name} did not listen within {timeout:g} s:\n{server.log()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    # At once: nothing a server could save is kept, and the whole group, as workers hold the port too.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
