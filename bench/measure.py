"""Measuring whole processes: wall and CPU of one run, what the server spent on it, and rounds in turns.

Linux only where the server's CPU is concerned (/proc); elsewhere that is unknown, never zero.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.tools import Pair, Tool

TIME_LIMIT = 300.0
# Between runs: what a scanner left behind at the server must not be charged to the next one.
PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Run:
    """One process from start to end, in seconds; `server` is the CPU the server spent meanwhile."""

    wall: float
    cpu: float
    server: float | None
    code: int
    output: str
    errors: str


@dataclass(slots=True)
class Series:
    """All runs of one tool against one target; `found` is (right, wrong) of the worst run."""

    tool: str
    target: str
    is_peer: bool = False
    truth: frozenset[Pair] = frozenset()
    connections: int | None = None
    found: tuple[int, int] | None = None
    runs: list[Run] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """Median seconds from start to end."""
        return statistics.median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        """Median CPU seconds of the process and its children."""
        return statistics.median(run.cpu for run in self.runs)

    @property
    def server(self) -> float | None:
        """Median CPU seconds of the server, if known."""
        spent = [run.server for run in self.runs if run.server is not None]
        return statistics.median(spent) if spent else None

    def check(self, tool: Tool, run: Run) -> None:
        """Compare what the run found with the truth."""
        try:
            pairs = frozenset(tool.read(run.output))
        except (ValueError, SyntaxError, LookupError, TypeError):  # SyntaxError: of XML
            pairs = frozenset()
        now = len(pairs & self.truth), len(pairs - self.truth)
        self.found = now if self.found is None else (min(self.found[0], now[0]), max(self.found[1], now[1]))


class Bench:
    """Runs processes with one environment: no bytecode is compiled in a timed run, as in an installed package."""

    def __init__(self, bytecode: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        self.environment: Mapping[str, str] = {**kept, "PYTHONPYCACHEPREFIX": bytecode}

    def run(self, argv: Sequence[str], server: int | None = None) -> Run:
        """Run to the end; `server` is the process group of the server it talks to."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            before = server_cpu(server)
            start = time.perf_counter()
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=self.environment
            )
            guard = threading.Timer(TIME_LIMIT, process.kill)
            guard.start()
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
            guard.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            time.sleep(PAUSE)
            after = server_cpu(server)
            output.seek(0)
            errors.seek(0)
            return Run(
                wall=wall,
                cpu=usage.ru_utime + usage.ru_stime,
                server=None if before is None or after is None else after - before,
                code=process.returncode,
                output=output.read(),
                errors=errors.read(),
            )

    def turns(self, tools: Sequence[Tool], series: Mapping[str, Series], port: int, server: int, rounds: int) -> None:
        """Run all tools in turns, every second round backwards, so that none always follows the same neighbour."""
        for index in range(rounds):
            for tool in tools[:: -1 if index % 2 else 1]:
                run = self.run(tool.argv(port), server)
                series[tool.name].check(tool, run)
                series[tool.name].runs.append(run)

    def repeat(self, name: str, argv: Sequence[str], times: int) -> Series:
        """Run one command line `times` times after a warm-up."""
        self.run(argv)
        return Series(name, "-", runs=[self.run(argv) for _ in range(times)])

    def modules(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The modules a Python program imports, in the order in which they can be imported."""
        lines = self.run(argv).errors.splitlines()
        names = (line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:"))
        return tuple(name for name in names if name.replace(".", "").isidentifier() and not name.endswith("__main__"))


def server_cpu(group: int | None) -> float | None:
    """CPU seconds of all processes of a process group so far."""
    if group is None or not Path("/proc/self/schedstat").exists():
        return None
    spent = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the command's name in brackets: state, parent, process group.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                spent += int((folder / "schedstat").read_text().split()[0])
        except OSError:
            continue  # it ended meanwhile
    return spent / 1e9
