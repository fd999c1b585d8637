"""A TCP relay in a process of its own: it counts connections and can delay handshakes, off the books of what is timed.

As a command (`python -m bench.relay PORT SECONDS`) it prints its port, answers every line on stdin with the number of
connections so far, and ends with stdin.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.proxies import delay

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Relay:
    """The near side of a running relay."""

    port: int
    process: subprocess.Popen[str]

    def connections(self) -> int:
        """How many connections it has accepted."""
        return int(_ask(self.process, "\n"))


def _ask(process: subprocess.Popen[str], line: str = "") -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline()


@contextlib.contextmanager
def relaying(port: int, seconds: float = 0.0) -> Iterator[Relay]:
    """A relay before `port` that holds each connection's first bytes back for `seconds`."""
    argv = [sys.executable, "-m", "bench.relay", str(port), str(seconds)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Relay(int(_ask(process)), process)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # the relay ends with it


def main() -> None:
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    with delay(port, seconds) as proxy:
        print(proxy.port, flush=True)
        for _ in sys.stdin:
            print(proxy.connections, flush=True)


if __name__ == "__main__":
    main()
