"""Where the time of `tlswire pcap` goes: `python -m bench.stages [--rounds N] CAPTURE...`.

Each line is a run of one process with one stage more than the line above it, by CPU seconds: the parts that come later are
replaced by nothing. The first line is the floor, a walk over the headers of the file.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

from bench.pcap_peers.walk import walk
from tlswire.capture import flows, streams
from tlswire.capture.files import open_capture
from tlswire.cli.pcap import rest_collector
from tlswire.report.tally import Summary
from tlswire.results import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def nothing(*_: Any) -> None:
    """In place of a stage."""


@contextlib.contextmanager
def without(*stages: tuple[type, str]) -> Iterator[None]:
    """Replace methods of the walk by nothing."""
    kept = [(owner, name, getattr(owner, name)) for owner, name in stages]
    for owner, name in stages:
        setattr(owner, name, nothing)
    try:
        yield
    finally:
        for owner, name, method in kept:
            setattr(owner, name, method)


def sessions(path: str, *uses: Callable[[Any], Any]) -> None:
    """The whole library."""
    with open_capture(path) as capture:
        for found in streams.Streams(path).follow(capture):
            for use in uses:
                use(found.session)


TCP = (streams.Streams, "_segment")
UDP = (streams.Streams, "_datagram")
TLS = (flows.TlsStream, "data")
STAGES: tuple[tuple[str, Callable[[str], object], tuple[tuple[type, str], ...]], ...] = (
    ("bare walk", walk, ()),
    ("packets and flow look-ups", sessions, (TCP, UDP)),
    ("TCP flows put together", sessions, (TLS, UDP)),
    ("TLS messages and sessions", sessions, (UDP,)),
    ("QUIC and DTLS", sessions, ()),
    ("JSON", lambda path: sessions(path, to_json), ()),
    ("summary", lambda path: sessions(path, to_json, Summary().add), ()),
)


def measure(stage: int, path: str) -> float:
    """CPU seconds of the stage in this process."""
    _, run, left_out = STAGES[stage]
    rest_collector()
    with without(*left_out):
        start = process_time()
        run(path)
        return process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description="Where the time of a capture goes.")
    parser.add_argument("captures", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each stage, of which the fastest counts (3)")
    parser.add_argument("--stage", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage is not None:
        print(measure(options.stage, str(options.captures[0])))
        return
    for capture in options.captures:
        floor = 0.0
        for number, (name, _, _) in enumerate(STAGES):
            argv = (sys.executable, "-m", "bench.stages", str(capture), "--stage", str(number))
            runs = [float(subprocess.run(argv, capture_output=True, check=True).stdout) for _ in range(options.rounds)]
            floor = floor or min(runs)
            print(f"{capture.stem:12} {name:28} {min(runs):6.3f} s {min(runs) / floor:6.1f} x the bare walk")


if __name__ == "__main__":
    main()
