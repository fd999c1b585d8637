"""Enumeration against the peers: `python -m bench.scan [--quick] [--rounds N] [--only a,b,questions,slow,help] [--json FILE]`.

Whole processes, start-up included, run in turns against the same server on the same machine after a warm-up each. The
warm-up goes through a relay, which counts the connections; timed runs talk to the server itself. Right answers are
those of tests/servers/oracle.py, compared as sets of (version, suite).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Bench, Series
from bench.relay import relaying
from bench.report import document, limits, table
from bench.tools import (
    ALL_CODES,
    EACH,
    ELIMINATE,
    PEERS,
    QUESTIONS,
    SSLYZE_ALL,
    TESTSSL,
    TLSWIRE,
    Pair,
    Tool,
    install_sslyze,
    machine_facts,
)
from tests.servers.catalogue import BY_NAME, available, running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.servers.oracle import Oracle

HELP_RUNS = 20


@dataclass(frozen=True, slots=True)
class Group:
    """One server and the tools that meet it; `delay` seconds are added to each handshake."""

    name: str
    target: str
    server: str
    tools: tuple[Tool, ...]
    delay: float = 0.0


# Each row beside the peer that its bound names.
SSLSCAN, NMAP, SSLYZE = PEERS
GROUPS = (
    Group("a", "a", "nginx-a", (SSLSCAN, EACH, NMAP, ELIMINATE, SSLYZE, ALL_CODES)),
    Group("b", "b", "nginx-b", (SSLSCAN, ELIMINATE, NMAP, EACH, SSLYZE)),
    Group("questions", "b, questions", "nginx-b", (SSLYZE_ALL, QUESTIONS, TESTSSL)),
    Group("slow", "a + 100 ms", "nginx-a", (SSLSCAN, EACH, NMAP, ELIMINATE, SSLYZE), delay=0.1),
)
HELP = "help"


def measure(bench: Bench, group: Group, missing: Sequence[Tool], rounds: int) -> dict[tuple[str, str], Series]:
    """All rows of one group."""
    tools = [tool for tool in group.tools if tool not in missing]
    with running(group.server) as server:
        pairs = truth(BY_NAME[group.server].oracle(server.address))
        series = {tool.name: Series(tool.name, group.target, tool.is_peer, pairs) for tool in tools}
        with relaying(server.port, group.delay) as relay:
            for tool in tools:
                before = relay.connections()
                series[tool.name].check(tool, bench.run(tool.argv(relay.port)))
                series[tool.name].connections = relay.connections() - before
                print(f"{group.target}: {tool.name} warm", file=sys.stderr)
            port, groups = server.port, {"server": server.pid}
            if group.delay:
                port, groups = relay.port, groups | {"relay": relay.pid}
            bench.turns(tools, series, port, groups, rounds)
    return {(group.target, name): rows for name, rows in series.items()}


def truth(oracle: Oracle) -> frozenset[Pair]:
    return frozenset((version, code) for version, codes in oracle.truth().items() for code in codes)


def start_up(bench: Bench, rounds: int) -> dict[str, Series]:
    """The floors below every row: the interpreter alone, and with everything a scan imports."""
    with running("nginx-b") as server:
        modules = bench.modules((sys.executable, "-X", "importtime", *ELIMINATE.argv(server.port)))
    # Those of other systems are tried and missed in a scan, too.
    load = "import sys\nfor name in sys.argv[1:]:\n try: __import__(name)\n except ImportError: pass"
    return {
        "interpreter": bench.repeat("python -c pass", (sys.executable, "-c", "pass"), rounds),
        "imports": bench.repeat("imports of a scan", (sys.executable, "-c", load, *modules), rounds),
    }


def main() -> None:
    options = _options()
    install_sslyze()
    missing = [tool for tool in (*PEERS, SSLYZE_ALL, TESTSSL) if tool.missing()]
    if reason := available(BY_NAME["nginx-a"]):
        sys.exit(reason)
    load = os.getloadavg()[0]
    results: dict[tuple[str, str], Series] = {}
    with tempfile.TemporaryDirectory() as bytecode:
        bench = Bench(bytecode)
        for group in GROUPS:
            if group.name in options.only:
                results |= measure(bench, group, missing, options.rounds)
        if HELP in options.only:
            shown = bench.repeat("tlswire --help", (str(TLSWIRE), "--help"), HELP_RUNS)
            results[shown.target, shown.tool] = shown
        floors = start_up(bench, max(options.rounds, 5))
    machine = {
        **machine_facts(load),
        "rounds": options.rounds,
        "tools": {tool.name.split()[0]: tool.release() for tool in (*PEERS, TESTSSL, EACH) if tool not in missing},
    }
    delays = {group.target: group.delay for group in GROUPS}
    print(", ".join(f"{name} {version}" for name, version in machine["tools"].items()), end="; ")
    print(
        "Python {python} on {system}, {cores} cores, load {load[0]} before, {load[1]} after; rounds: {rounds}".format_map(
            machine
        )
    )
    print("connections: counted by a relay in the untimed warm-up; x best peer: median of the rounds' ratios")
    print(*(tool.missing() for tool in missing), *table(results), "", *limits(results, floors, delays), sep="\n")
    if options.json:
        text = json.dumps(document(results, floors, delays, machine), indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    names = [*(group.name for group in GROUPS), HELP]
    parser = argparse.ArgumentParser(prog="python -m bench.scan", description="Measure tlswire beside its peers.")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each tool (5)")
    parser.add_argument("--quick", action="store_const", dest="rounds", const=1, help="one round")
    parser.add_argument("--only", default=names, type=lambda text: text.split(","), help=f"some of {','.join(names)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the results as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
