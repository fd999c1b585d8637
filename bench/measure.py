"""Measuring whole processes: wall and CPU of one run, what the server spent on it, and rounds in turns.

The CPU of others (the server, the relay) is known on Linux only (/proc); elsewhere it is absent, never zero.
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
NOBODY: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Run:
    """One process from start to end, in seconds; `others` is the CPU that others spent meanwhile, by name."""

    wall: float
    cpu: float
    others: dict[str, float]
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
    def others(self) -> dict[str, float]:
        """Median CPU seconds of the server, and of the relay where there is one, as far as known."""
        return {name: statistics.median(run.others[name] for run in self.runs) for name in self.runs[0].others}

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

    def run(self, argv: Sequence[str], groups: Mapping[str, int] = NOBODY) -> Run:
        """Run to the end; `groups` names the process groups whose CPU is wanted, too."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            before = spent_by(groups)
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
            after = spent_by(groups)
            output.seek(0)
            errors.seek(0)
            return Run(
                wall=wall,
                cpu=usage.ru_utime + usage.ru_stime,
                others={name: after[name] - before[name] for name in before},
                code=process.returncode,
                output=output.read(),
                errors=errors.read(),
            )

    def turns(
        self, tools: Sequence[Tool], series: Mapping[str, Series], port: int, groups: Mapping[str, int], rounds: int
    ) -> None:
        """Run all tools in turns, every second round backwards, so that none always follows the same neighbour."""
        for index in range(rounds):
            for tool in tools[:: -1 if index % 2 else 1]:
                run = self.run(tool.argv(port), groups)
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


def spent_by(groups: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds of all processes of each process group so far; nothing where /proc does not tell."""
    if not groups or not Path("/proc/self/schedstat").exists():
        return {}
    names = {group: name for name, group in groups.items()}
    spent = dict.fromkeys(groups, 0.0)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the command's name in brackets: state, parent, process group.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if name := names.get(int(fields[2])):
                spent[name] += int((folder / "schedstat").read_text().split()[0]) / 1e9
        except OSError:
            continue  # it ended meanwhile
    return spent
