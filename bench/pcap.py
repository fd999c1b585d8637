"""Captures against the peers: `python -m bench.pcap [--rounds N] [--only handshakes,mixed] [--dir DIR] [--json FILE]`.

Whole processes, start-up included, run in turns over the same files in the page cache; every output goes to a file.
What a tool counts is shown, not judged: tshark counts frames, ndpiReader flows, tlswire hellos. scapy and pyshark get
the first packets only, once; their rows are extrapolations and say so.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.captures import RECIPES
from bench.tools import PEERS_VENV, TLSWIRE, machine_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PROGRAMS = Path(__file__).resolve().parent / "pcap_peers"
PEERS_PYTHON = PEERS_VENV / "bin/python"
PACKAGES = ("dpkt==1.9.8", "scapy==2.8.0", "pyshark==0.6", "cryptography")
FIELDS = (
    "frame.number",
    *(f"tls.handshake.{name}" for name in ("extensions_server_name", "ja3", "version", "ciphersuite")),
)
SLICE = 10_000
TIME_LIMIT = 600.0
# Between two looks at the memory of a process and its children.
LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Tool:
    """One program: its command line for a capture and an output file, and how to count the hellos in its output.

    `count` gets the file that the command line names; `stdout` says that this is its standard output. A `sliced` tool
    sees the first packets only. `family` asks for the memory of all its processes together, in a run of its own: looking
    at it takes a part of a core that the processes would have.
    """

    name: str
    argv: Callable[[Path, Path], tuple[str, ...]]
    count: Callable[[Path], int]
    version: tuple[str, ...]
    stdout: bool = True
    sliced: bool = False
    family: bool = False

    def release(self) -> str | None:
        """The version number it reports; None where it is not installed."""
        if shutil.which(self.version[0]) is None:
            return None
        shown = subprocess.run(self.version, capture_output=True, text=True, check=False)
        number = re.search(r"\d+\.\d+(\.\d+)?", shown.stdout + shown.stderr)
        return number[0] if number else None


@dataclass(frozen=True, slots=True)
class Run:
    """One process and its children from start to end: seconds, and the most memory in MB."""

    wall: float
    cpu: float
    memory: float
    code: int
    errors: str
    found: int | None


@dataclass(slots=True)
class Row:
    """All runs of one tool over one capture; `estimated` is how many times longer the capture is than what it saw.

    `together` is the memory of all its processes, where it has several.
    """

    tool: str
    capture: str
    runs: list[Run] = field(default_factory=list)
    estimated: float | None = None
    together: float | None = None

    @property
    def memory(self) -> float:
        """The most it had, in MB."""
        return self.together or self.median("memory")

    def median(self, quantity: str) -> float:
        """Of one quantity over the runs."""
        return statistics.median(getattr(run, quantity) for run in self.runs)

    def against(self, other: Row | None, quantity: str = "wall") -> float | None:
        """How many times the other's, as the median of the rounds' ratios; by medians where one ran only once."""
        if other is None or not other.runs or not self.runs:
            return None
        if len(self.runs) != len(other.runs):
            return self.median(quantity) / other.median(quantity)
        pairs = zip(self.runs, other.runs, strict=True)
        return statistics.median(getattr(mine, quantity) / getattr(its, quantity) for mine, its in pairs)


# The tools.


def _lines_with_ja3(output: Path) -> int:
    with output.open(encoding="utf-8", errors="replace") as lines:
        return sum(line.split("\t")[2] != "" for line in lines)


def _flows_with_ja3(output: Path) -> int:
    with output.open(encoding="utf-8", errors="replace") as lines:
        return sum("JA3C: " in line for line in lines)


def _first_number(output: Path) -> int:
    return int(output.read_text(encoding="utf-8").split()[0])


def _hellos(output: Path) -> int:
    with output.open("rb") as lines:
        return sum(len(json.loads(line)["hellos"]) for line in lines)


def _tshark(capture: Path, _: Path) -> tuple[str, ...]:
    fields = (part for name in FIELDS for part in ("-e", name))
    return "tshark", "-n", "-r", str(capture), "-Y", "tls.handshake.type", "-T", "fields", *fields


def _ndpi(capture: Path, _: Path) -> tuple[str, ...]:
    return "ndpiReader", "-i", str(capture), "-v", "2"


def _program(python: str | Path, name: str) -> Callable[[Path, Path], tuple[str, ...]]:
    return lambda capture, _: (str(python), str(PROGRAMS / name), str(capture))


def _tlswire(*options: str) -> Callable[[Path, Path], tuple[str, ...]]:
    return lambda capture, output: (str(TLSWIRE), "pcap", str(capture), "--jsonl", str(output), "--quiet", *options)


def _version_of(package: str) -> tuple[str, ...]:
    return str(PEERS_PYTHON), "-c", f"import importlib.metadata as m; print(m.version('{package}'))"


TSHARK = Tool("tshark", _tshark, _lines_with_ja3, ("tshark", "--version"))
NDPI = Tool("ndpiReader", _ndpi, _flows_with_ja3, ("ndpiReader", "--version"))
OURS = Tool("tlswire", _tlswire(), _hellos, (str(TLSWIRE), "--version"), stdout=False)
JOBS = Tool("tlswire --jobs 2", _tlswire("--jobs", "2"), _hellos, OURS.version, stdout=False, family=True)
TOOLS = (
    Tool("bare walk", _program(sys.executable, "walk.py"), _first_number, (sys.executable, "--version")),
    TSHARK,
    OURS,
    NDPI,
    JOBS,
    Tool("dpkt loop", _program(PEERS_PYTHON, "dpkt_loop.py"), _first_number, _version_of("dpkt")),
    Tool("scapy", _program(PEERS_PYTHON, "scapy_loop.py"), _first_number, _version_of("scapy"), sliced=True),
    Tool("pyshark", _program(PEERS_PYTHON, "pyshark_loop.py"), _first_number, _version_of("pyshark"), sliced=True),
)


def install_peers() -> None:
    """Put the Python peers beside sslyze; without a package index they stay away, and are left out."""
    modules = ("dpkt", "scapy", "pyshark", "cryptography")
    if PEERS_PYTHON.exists():
        check = (str(PEERS_PYTHON), "-c", f"import importlib.util as u; assert all(map(u.find_spec, {modules}))")
        if not subprocess.run(check, check=False, capture_output=True).returncode:
            return
    else:
        subprocess.run((sys.executable, "-m", "venv", str(PEERS_VENV)), check=True)
    print(f"installing {', '.join(PACKAGES)} into {PEERS_VENV.name} ...", file=sys.stderr)
    pip = (str(PEERS_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES)
    subprocess.run(pip, check=False)


# Running them.


class Bench:
    """Runs processes with one environment and one scratch folder; bytecode is compiled in the warm-up only.

    The memory that Linux reports of a child is at least what this process had when it started the child.
    """

    def __init__(self, scratch: Path) -> None:
        self.output = scratch / "output"
        self.errors = scratch / "errors"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        self.environment: Mapping[str, str] = {**kept, "PYTHONPYCACHEPREFIX": str(scratch / "bytecode")}

    def run(self, tool: Tool, capture: Path, *, watched: bool = False) -> Run:
        """Run to the end; what it found is counted after the clock has stopped. Memory is that of the largest process,
        or of all together where they are `watched`.
        """
        self.output.unlink(missing_ok=True)
        written = self.output if tool.stdout else Path(os.devnull)
        with written.open("wb") as output, self.errors.open("wb") as errors:
            start = time.perf_counter()
            process = subprocess.Popen(
                tool.argv(capture, self.output),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=self.environment,
                start_new_session=True,
            )
            guard = threading.Timer(TIME_LIMIT, process.kill)
            guard.start()
            looks = _Memory(process.pid) if watched else None
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
            guard.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
        # In KB, but in bytes on macOS; of the largest process.
        memory = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
        if looks is not None:
            memory = max(memory, looks.stop())
        said = self.errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return Run(
            wall=wall,
            cpu=usage.ru_utime + usage.ru_stime,
            memory=memory,
            code=process.returncode,
            errors=said[-1] if said else "",
            found=self._found(tool),
        )

    def _found(self, tool: Tool) -> int | None:
        try:
            return tool.count(self.output)
        except (OSError, ValueError, LookupError, TypeError):
            return None


class _Memory:
    """The most memory that a session of processes had at once, in MB, looked at from time to time (Linux only).

    Pages that processes share are divided among them (Pss).
    """

    def __init__(self, session: int) -> None:
        self.session = session
        self.most = 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()

    def stop(self) -> float:
        self.over.set()
        self.thread.join()
        return self.most

    def _look(self) -> None:
        while not self.over.wait(LOOK):
            self.most = max(self.most, sum(map(self._of, Path("/proc").glob("[0-9]*"))) / 1e3)

    def _of(self, folder: Path) -> int:
        try:
            # After the command's name in brackets: state, parent, process group, session.
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) != self.session:
                return 0
            return int(re.search(r"^Pss: +(\d+)", (folder / "smaps_rollup").read_text(), re.MULTILINE)[1])
        except (OSError, TypeError):
            return 0  # it ended meanwhile


def cut(capture: Path, packets: int, into: Path) -> float:
    """Write the first packets of a capture; how many times more packets the whole has."""
    total = 0
    with capture.open("rb") as file, into.open("wb") as part:
        part.write(file.read(24))
        while header := file.read(16):
            data = file.read(struct.unpack_from("<8xI", header)[0])
            total += 1
            if total <= packets:
                part.write(header + data)
    return total / min(total, packets)


def extrapolated(bench: Bench, tool: Tool, part: Path, empty: Path, times: float) -> Run:
    """Start-up once, the rest so many times. Memory stays that of the slice: what it would become is not guessed."""
    nothing, run = bench.run(tool, empty), bench.run(tool, part)
    return Run(
        wall=nothing.wall + max(run.wall - nothing.wall, 0) * times,
        cpu=nothing.cpu + max(run.cpu - nothing.cpu, 0) * times,
        memory=run.memory,
        code=run.code,
        errors=run.errors,
        found=run.found,
    )


def measure(bench: Bench, capture: Path, tools: Sequence[Tool], rounds: int, scratch: Path) -> list[Row]:
    """All rows of one capture: a warm-up over the first packets, the slices, then rounds in turns."""
    part, empty = scratch / "part.pcap", scratch / "empty.pcap"
    times = cut(capture, SLICE, part)
    empty.write_bytes(part.read_bytes()[:24])
    rows = {tool.name: Row(tool.name, capture.stem) for tool in tools}
    able = []
    for tool in tools:
        if tool.sliced:
            rows[tool.name].estimated = times
            rows[tool.name].runs.append(extrapolated(bench, tool, part, empty, times))
            print(f"{capture.stem}: {tool.name}, {SLICE} packets, done", file=sys.stderr)
            continue
        run = bench.run(tool, part)
        if run.code or run.found is None:
            print(f"{capture.stem}: {tool.name} fails (exit {run.code}) and is left out: {run.errors}", file=sys.stderr)
            del rows[tool.name]
            continue
        able.append(tool)
    for index in range(rounds):
        for tool in able[:: -1 if index % 2 else 1]:
            rows[tool.name].runs.append(bench.run(tool, capture))
        print(f"{capture.stem}: round {index + 1} of {rounds} done", file=sys.stderr)
    for tool in able:
        if tool.family:
            rows[tool.name].together = bench.run(tool, capture, watched=True).memory
    return list(rows.values())


# Saying it.

HEADINGS = (
    "tool",
    "capture",
    "wall s (min..max)",
    "CPU s",
    "max RSS MB",
    "hellos",
    "x tshark",
    "x ndpiReader",
    "CPU x tshark",
)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """One line a row, under its headings."""
    lines = [HEADINGS, *(_cells(row, rows) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cells(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    walls = [run.wall for run in row.runs]
    found = str(row.runs[0].found)
    if failed := sorted({run.code for run in row.runs} - {0}):
        found += f" (exit {', '.join(map(str, failed))})"
    wall = f"{row.median('wall'):.3f} ({min(walls):.3f}..{max(walls):.3f})"
    if row.estimated is not None:
        wall, found = f"~{row.median('wall'):.0f} (estimated)", f"{found} in {SLICE} packets"
    ratios = (_against(row, rows, TSHARK), _against(row, rows, NDPI), _against(row, rows, TSHARK, "cpu"))
    return (
        row.tool,
        row.capture,
        wall,
        f"{row.median('cpu'):.3f}",
        f"{row.memory:.0f}" + (" (slice)" if row.estimated is not None else ""),
        found,
        *("-" if ratio is None else f"{ratio:.3f}" for ratio in ratios),
    )


def _against(row: Row, rows: Sequence[Row], peer: Tool, quantity: str = "wall") -> float | None:
    other = next((other for other in rows if (other.tool, other.capture) == (peer.name, row.capture)), None)
    return None if other is row else row.against(other, quantity)


def document(rows: Sequence[Row], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Everything above as JSON."""
    return {
        "schema": "tlswire.bench-pcap/1",
        "machine": machine,
        "rows": [
            {
                "tool": row.tool,
                "capture": row.capture,
                **{f"{name}_s": round(row.median(name), 4) for name in ("wall", "cpu")},
                "memory_mb": round(row.memory, 1),
                "estimated_times": row.estimated,
                "x_tshark": _against(row, rows, TSHARK),
                "x_ndpi": _against(row, rows, NDPI),
                "runs": [asdict(run) for run in row.runs],
            }
            for row in rows
        ],
    }


def main() -> None:
    options = _options()
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs, load {load:.2f} at the start", flush=True)
    captures = [_capture(options.dir, name) for name in options.only]
    install_peers()
    wanted = [tool for tool in TOOLS if not options.tools or tool.name.split()[0] in options.tools]
    releases = {tool.name: tool.release() for tool in wanted}
    tools = [tool for tool in wanted if releases[tool.name]]
    for tool in wanted:
        if not releases[tool.name]:
            print(f"{tool.name} is left out: it is not installed")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        bench = Bench(scratch)
        for capture in captures:
            rows += measure(bench, capture, tools, options.rounds, scratch)
    machine = {
        **machine_facts(load),
        "rounds": options.rounds,
        "tools": {tool.name: releases[tool.name] for tool in tools},
        "captures": {capture.name: capture.stat().st_size for capture in captures},
    }
    print(", ".join(f"{tool.name} {releases[tool.name]}" for tool in tools if tool is not JOBS), end="; ")
    print(
        "{system}, {cores} cores, load {load[0]} before, {load[1]} after; rounds: {rounds}; ".format_map(machine)
        + ", ".join(f"{capture.name} {capture.stat().st_size / 1e6:.1f} MB" for capture in captures)
    )
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(
        "medians; ratios are medians of the rounds' ratios; max RSS is of the largest process, with --jobs of all"
        f" together, and never below {own:.0f} MB, which the runner takes itself; scapy and pyshark: start-up and {SLICE} packets measured once, the time of the packets multiplied"
    )
    print(
        "hellos as each tool counts: tshark frames with JA3, ndpiReader flows, dpkt over TCP only, bare walk IP packets"
    )
    print(*table(rows), sep="\n")
    if options.json:
        options.json.write_text(json.dumps(document(rows, machine), indent=2) + "\n", encoding="utf-8")


def _capture(folder: Path, name: str) -> Path:
    """A big capture, made where it is not there yet: by another process, for this one must stay small (see Bench)."""
    path = folder / f"{name}.pcap"
    if not path.exists():
        made = subprocess.run((sys.executable, "-m", "bench.captures", "--out", str(folder), name), check=False)
        if made.returncode:
            sys.exit(made.returncode)
    # Into the page cache.
    with path.open("rb") as file:
        while file.read(1 << 16):
            pass
    return path


def _options() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        if unknown := set(text.split(",")) - set(RECIPES):
            raise argparse.ArgumentTypeError(f"not among {', '.join(RECIPES)}: {', '.join(sorted(unknown))}")
        return text.split(",")

    known = sorted({tool.name.split()[0] for tool in TOOLS})
    where = Path(tempfile.gettempdir()) / "tlswire-captures"
    parser = argparse.ArgumentParser(prog="python -m bench.pcap", description="Measure tlswire pcap beside its peers.")
    parser.add_argument("--rounds", type=int, default=3, help="timed runs of each tool (3)")
    parser.add_argument("--only", default="handshakes,mixed", type=names, help=f"some of {','.join(RECIPES)}")
    parser.add_argument("--tools", type=lambda text: text.split(","), help=f"some of {','.join(known)}")
    parser.add_argument("--dir", type=Path, default=where, help=f"the captures; made if absent ({where})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the results as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
