"""A TCP relay in a process of its own: it counts connections and can delay handshakes, off the books of what is timed.

The delaying proxy of tests/servers spends half a millisecond of CPU on a connection, more than what is measured here;
this one does without asyncio and spends a third. Its price: it waits for a peer that does not read.
As a command (`python -m bench.relay PORT SECONDS`) it prints its port, answers every line on stdin with the number of
connections so far, and ends with stdin.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
SIZE = 1 << 16
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


@dataclass(frozen=True, slots=True)
class Relay:
    """The near side of a running relay."""

    port: int
    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """Its process, which leads a group of its own."""
        return self.process.pid

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
    with subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield Relay(int(_ask(process)), process)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # the relay ends with it


class Forwarder:
    """The relay itself: one thread, `epoll`, and a queue of connections whose delay is running."""

    def __init__(self, port: int, seconds: float) -> None:
        self.port = port
        self.seconds = seconds
        self.connections = 0
        self.door = socket.create_server((HOST, 0), backlog=4096)
        self.door.setblocking(False)
        self.poll = select.epoll()
        # By file number: the socket, and its other side once there is one.
        self.sides: dict[int, socket.socket] = {}
        self.others: dict[int, socket.socket] = {}
        self.late: deque[tuple[float, socket.socket]] = deque()

    def run(self) -> None:
        """Relay until stdin ends."""
        print(self.door.getsockname()[1], flush=True)
        self.poll.register(self.door, select.EPOLLIN)
        self.poll.register(sys.stdin, select.EPOLLIN)
        while True:
            wait = max(0.0, self.late[0][0] - time.monotonic()) if self.late else None
            for number, _ in self.poll.poll(wait):
                if number in self.sides:
                    self.readable(number)
                elif number == self.door.fileno():
                    self.accept()
                elif number == sys.stdin.fileno():
                    if not sys.stdin.readline():
                        return
                    print(self.connections, flush=True)
            while self.late and self.late[0][0] <= time.monotonic():
                self.connect(self.late.popleft()[1])

    def accept(self) -> None:
        """Take in everyone who waits."""
        with contextlib.suppress(BlockingIOError):
            while True:
                client, _ = self.door.accept()
                self.connections += 1
                self.watch(client)

    def watch(self, side: socket.socket) -> None:
        """Read what comes from one side of a connection."""
        self.sides[side.fileno()] = side
        self.poll.register(side, select.EPOLLIN)

    def readable(self, number: int) -> None:
        """Pass on what one side said, or its end; a client's first bytes stay where they are until they are due."""
        side, other = self.sides[number], self.others.get(number)
        if other is None:
            self.poll.unregister(side)
            self.late.append((time.monotonic() + self.seconds, side))
            return
        try:
            data = side.recv(SIZE)
            if data:
                other.sendall(data)
                return
        except OSError:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        for end in (side, other):
            self.sides.pop(end.fileno(), None)
            self.others.pop(end.fileno(), None)
            end.close()  # leaves the poll, too

    def connect(self, client: socket.socket) -> None:
        """The delay is over: let the client through to the server."""
        server = socket.create_connection((HOST, self.port))
        self.others[client.fileno()] = server
        self.others[server.fileno()] = client
        self.poll.register(client, select.EPOLLIN)
        self.watch(server)


def main() -> None:
    Forwarder(int(sys.argv[1]), float(sys.argv[2])).run()


if __name__ == "__main__":
    main()
