"""`python -m tests.servers list | run NAME | oracle NAME-or-HOST:PORT`: the servers and their truth by hand."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time

from .catalogue import ALL, BY_NAME, available, running
from .oracle import Oracle, describe


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every server and whether it can run here")
    run = commands.add_parser("run", help="run one until Ctrl-C")
    run.add_argument("name", choices=BY_NAME)
    oracle = commands.add_parser("oracle", help="what a server accepts")
    oracle.add_argument("target", help="HOST:PORT, or the name of a server to start for it")
    oracle.add_argument("--chunk", type=int, default=1024)
    oracle.add_argument("--threads", type=int, default=8)
    oracle.add_argument("--singly", action="store_true", help="distrust refused lists")
    oracle.add_argument("--server-name")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for row in ALL:
            print(f"{row.name:18} {row.implementation:34} {available(row) or 'available'}")
    elif arguments.command == "run":
        # However we are told to stop, we leave through `running`, which stops the server.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        with contextlib.suppress(KeyboardInterrupt), running(arguments.name) as server:
            print(server.port, flush=True)
            while True:
                signal.pause()
    elif arguments.target in BY_NAME:
        row = BY_NAME[arguments.target]
        with running(row.name) as server:
            _tell(row.oracle(server.address))
    else:
        host, _, port = arguments.target.rpartition(":")
        _tell(
            Oracle(
                (host.strip("[]"), int(port)),
                threads=arguments.threads,
                chunk=arguments.chunk,
                singly=arguments.singly,
                server_name=arguments.server_name,
            )
        )
    return 0


def _tell(oracle: Oracle) -> None:
    started = time.perf_counter()
    for line in describe(oracle.truth()):
        print(line)
    print(f"{time.perf_counter() - started:.2f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
