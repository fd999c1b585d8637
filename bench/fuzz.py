"""Campaigns: ``python -m bench.fuzz [--rounds N] [--only catalogue,rates]``: the whole catalogue against every stack, and
hellos a second at nginx and openssl s_server. Prints tables; quote them with the load.

The catalogue is measured as whole processes, time-outs and confirmations included. Rates are those of the line alone:
hellos that draw an alert, and all that are answered at once, in the order of the catalogue.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bench.tools import TLSWIRE
from tests.servers.catalogue import available
from tests.servers.process import serving
from tests.servers.stacks import BY_STACK, STACKS
from tlswire.fuzz.cases import CASES
from tlswire.fuzz.line import Bounds, Line
from tlswire.fuzz.script import Ground
from tlswire.probe.transport import Address
from tlswire.results.fuzz import Fuzz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.servers.process import Server
    from tlswire.fuzz.script import Script

SECONDS, ABORTING, MIXED = 3.0, 1500, 400
RATED = ("nginx-b", "openssl")
HELLOS = 6000


def campaign(server: Server) -> tuple[float, Fuzz]:
    """Wall seconds of one whole process, and its result."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fuzz.json"
        argv = (TLSWIRE, "fuzz", f"{server.host}:{server.port}", "--quiet", "--json", file)
        began = time.monotonic()
        subprocess.run(argv, check=False)
        return time.monotonic() - began, msgspec.json.decode(file.read_bytes(), type=Fuzz)


def catalogue(rounds: int) -> None:
    """A line a stack."""
    walls = []
    for stack in STACKS:
        if available(stack.row) is not None:
            continue
        runs = []
        for _ in range(rounds):
            with serving(stack.name, stack.row.recipe) as server:
                runs.append(campaign(server))
        wall = statistics.median(wall for wall, _ in runs)
        walls.append(wall)
        last = runs[-1][1]
        took = sorted(result.elapsed_s for _, result in runs)
        print(
            f"{stack.name:<18} {wall:6.2f} s, campaign {took[0]:.2f} to {took[-1]:.2f} s, {last.connections} connections,"
            f" {len(last.cases)} cases, {len(last.findings)} findings{'' if wall <= SECONDS else '  over the bound'}",
            flush=True,
        )
    print(
        f"{len(walls)} stacks: {sum(walls):.1f} s, median {statistics.median(walls):.2f} s,"
        f" {sum(wall <= SECONDS for wall in walls)} within {SECONDS:g} s"
    )


async def _rate(server: Server, scripts: Sequence[Script]) -> float:
    line = Line(Address(server.host, server.port), Ground(), Bounds())
    began = time.monotonic()
    await asyncio.gather(*(line.ask("", script) for script in scripts))
    return len(scripts) / (time.monotonic() - began)


def rates(rounds: int) -> None:
    """Hellos a second, by kind."""
    ground = Ground()
    for name in RATED:
        with serving(name, BY_STACK[name].row.recipe) as server:
            _, result = campaign(server)
            quick = {case.id: case.reaction for case in result.cases if case.reaction not in {"", "hang"}}
            made = {case.id: case.make(ground) for case in CASES if case.id in quick}
            # What waits by itself says nothing of the rate.
            plain = {name: one for name, one in made.items() if not (one.cuts or one.tail or one.client)}
            kinds = {
                "aborting": [one for name, one in plain.items() if quick[name].startswith("alert:")],
                "mixed": list(plain.values()),
            }
            for kind, bound in (("aborting", ABORTING), ("mixed", MIXED)):
                scripts = (kinds[kind] * (HELLOS // len(kinds[kind]) + 1))[:HELLOS]
                found = sorted(asyncio.run(_rate(server, scripts)) for _ in range(rounds))
                print(
                    f"{name:<18} {kind:<9} {statistics.median(found):6.0f} hellos/s ({found[0]:.0f} to {found[-1]:.0f}),"
                    f" {len(kinds[kind])} different, bound {bound}",
                    flush=True,
                )


def main() -> None:
    """Measure what was asked for."""
    parts = {"catalogue": catalogue, "rates": rates}
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description="Measure campaigns.")
    parser.add_argument("--rounds", type=int, default=3, help="timed runs of each (3)")
    parser.add_argument(
        "--only", default=list(parts), type=lambda text: text.split(","), help=f"some of {','.join(parts)}"
    )
    options = parser.parse_args()
    print(
        f"load {os.getloadavg()[0]:.1f}; {len(CASES)} cases; tlsfuzzer is in no package registry, so it is not paired"
    )
    for name, part in parts.items():
        if name in options.only:
            part(options.rounds)
    print(f"load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
