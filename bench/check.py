"""Checks of many endpoints: ``python -m bench.check [N]``: the lab's servers under Apple's policy, and real ones under
Mozilla's with sslyze on the same in turns. Prints a table; quote ratios.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import TYPE_CHECKING

from bench.tools import PEERS_VENV, TLSWIRE
from tests.check.fleet import fleet
from tests.servers.catalogue import running

if TYPE_CHECKING:
    from collections.abc import Sequence

LAB = ("modern", "plain", "legacy-mdm", "closes", "resets")
REAL, ROUNDS = 10, 3
_PAUSE = 0.02


def measured(argv: Sequence[object]) -> tuple[float, float]:
    """Wall seconds of one run and the most MB its process had (0 where /proc does not tell)."""
    began, most = time.monotonic(), 0
    with Popen(list(map(str, argv)), stdout=DEVNULL, stderr=DEVNULL) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                most = max([most, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))])
            time.sleep(_PAUSE)
    return time.monotonic() - began, most / 1000


def told(name: str, runs: Sequence[tuple[float, float]]) -> None:
    """One line of the table."""
    walls = sorted(wall for wall, _ in runs)
    memory = max(most for _, most in runs)
    print(f"{name:<48} {statistics.median(walls):7.2f} s ({walls[0]:.2f} to {walls[-1]:.2f})  {memory:5.0f} MB")


def main() -> None:
    """Measure both, three rounds each."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder, fleet([LAB[at % len(LAB)] for at in range(count)]) as ports:
        listed = Path(folder) / "endpoints.csv"
        listed.write_text("host,port\n" + "".join(f"127.0.0.1,{port}\n" for port in ports), encoding="utf-8")
        command = (TLSWIRE, "check", "--inventory", listed, "--quiet")
        told(f"tlswire check, {count} lab endpoints, apple-mdm-27", [measured(command) for _ in range(ROUNDS)])
    sslyze = PEERS_VENV / "bin" / "sslyze"
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(running("nginx-b")) for _ in range(REAL)]
        places = [f"127.0.0.1:{server.port}" for server in servers]
        ours = (TLSWIRE, "check", *places, "--policy", "mozilla-intermediate", "--quiet", "--no-http")
        runs: dict[str, list[tuple[float, float]]] = {}
        for _ in range(ROUNDS):
            runs.setdefault(f"tlswire check, {REAL} nginx, mozilla-intermediate", []).append(measured(ours))
            if sslyze.exists():
                peer = (sslyze, "--mozilla_config", "intermediate", *places)
                runs.setdefault(f"sslyze --mozilla_config, the same {REAL}", []).append(measured(peer))
    for name, found in runs.items():
        told(name, found)


if __name__ == "__main__":
    main()
