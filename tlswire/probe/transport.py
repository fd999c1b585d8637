"""The only sockets of tlswire: one non-blocking TCP connection, driven by a sans-IO reader until it has enough.

asyncio's loop drives raw sockets here instead of streams: a probe is a single exchange, and transports plus protocols
cost three times as much as the system calls (docs/architecture.md). Nothing in this module knows TLS; everything the
peer or the network does is an outcome, never an exception. Must not import anything of tlswire but ``errors``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from itertools import pairwise
from typing import Protocol

import msgspec

from tlswire.errors import UsageError

RECEIVE_SIZE = 1 << 16

# How an exchange ended.
DONE, CLOSE, RESET, TIMEOUT, REFUSED, UNREACHABLE, EXHAUSTED = (
    "done",
    "close",
    "reset",
    "timeout",
    "refused",
    "unreachable",
    "exhausted",
)

_END_OF_ERRNO = {
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: RESET,
    errno.EPIPE: RESET,
    errno.ECONNABORTED: RESET,
    errno.ETIMEDOUT: TIMEOUT,
    # This machine's limits, not the peer's answer: files, ports, buffers.
    errno.EMFILE: EXHAUSTED,
    errno.ENFILE: EXHAUSTED,
    errno.EADDRNOTAVAIL: EXHAUSTED,
    errno.ENOBUFS: EXHAUSTED,
    errno.ENOMEM: EXHAUSTED,
}


# The family of an address that is a name, for a proxy to resolve.
UNRESOLVED = socket.AF_UNSPEC


class Address(msgspec.Struct, frozen=True):
    """A numeric address and port; ``family`` is AF_INET or AF_INET6, or UNRESOLVED where ``host`` is a name."""

    host: str
    port: int
    family: int = socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Paced(msgspec.Struct, frozen=True):
    """Words in pieces, at least one, that are sent apart, ``pause`` seconds between them; ``fin`` says FIN behind the last.

    Each piece is a TCP segment of its own, or several where it is long; the pause lets the peer see it alone.
    """

    pieces: tuple[bytes, ...]
    pause: float = 0.0
    fin: bool = False


class Cuts(msgspec.Struct, frozen=True):
    """Where a payload is cut into pieces that are sent apart: byte offsets, ascending, and seconds between the pieces."""

    at: tuple[int, ...]
    pause: float

    def paced(self, payload: bytes, *, fin: bool = False) -> Paced:
        """The payload in pieces, none of which is empty where it is not."""
        edges = [0, *self.at, len(payload)]
        pieces = tuple(payload[start:end] for start, end in pairwise(edges) if start < end)
        return Paced(pieces or (payload,), self.pause, fin)


class Reader(Protocol):
    """What an exchange feeds and asks what to say next: sans-IO, bounded by itself."""

    @property
    def patience(self) -> float | None:
        """The bound of the silence after each piece of data, in seconds; None leaves it to the exchange's timeout."""

    def feed(self, data: bytes) -> bool:
        """Take bytes as they came; True when nothing more is needed."""

    def to_send(self) -> bytes | Paced:
        """What is to be sent now, each byte once; asked after every ``feed``, the last one included."""


class Outcome(msgspec.Struct, frozen=True):
    """How one exchange went: times in seconds, ``started`` on the loop's clock, ``local`` our own address."""

    end: str
    started: float
    connected: float
    elapsed: float
    error: str = ""
    local: tuple[str, int] = ("", 0)


class _Exchange:
    """One connection, from connect to close, driven by callbacks of the loop."""

    def __init__(
        self,
        address: Address,
        words: bytes | Paced,
        reader: Reader,
        timeout: float,
        *,
        want_local: bool,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Outcome] = self.loop.create_future()
        self.address = address
        self.payload = memoryview(b"")
        self.later: list[bytes] = []
        self.pause = 0.0
        self.half_close = False
        self.take(words)
        self.reader = reader
        self.want_local = want_local
        self.started = self.loop.time()
        self.deadline = self.started + timeout
        self.connected = 0.0
        self.local = ("", 0)
        self.socket: socket.socket | None = None
        self.writing = False
        self.timer = self.loop.call_at(self.deadline, self.finish, TIMEOUT)

    def start(self) -> None:
        try:
            self.socket = sock = socket.socket(self.address.family, socket.SOCK_STREAM)
            sock.setblocking(False)
            code = sock.connect_ex((self.address.host, self.address.port))
        except OSError as error:
            self.fail(error.errno or 0)
            return
        if code not in {0, errno.EINPROGRESS}:
            self.fail(code)
            return
        self.loop.add_reader(sock.fileno(), self.readable)
        # On loopback the handshake is over before connect returns: try at once and spare a turn of the loop.
        self.writable()

    def take(self, words: bytes | Paced) -> None:
        """What is to be said behind what is not sent yet."""
        if isinstance(words, Paced):
            self.pause, self.half_close = words.pause, words.fin
            words, *self.later = words.pieces
        self.payload = memoryview(bytes(self.payload) + words)

    def writable(self) -> None:
        sock = self.socket
        if sock is None:
            return
        try:
            sent = sock.send(self.payload)  # of nothing, too: that tells whether we are connected
        except (BlockingIOError, InterruptedError):
            self.wait_writable(sock)
            return
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                self.wait_writable(sock)
            else:
                self.cut_off(sock, error.errno or 0)
            return
        if not self.connected:
            self.connected = self.loop.time()
            if self.want_local:
                self.local = sock.getsockname()[:2]
        self.payload = self.payload[sent:]
        if self.payload:
            self.wait_writable(sock)
            return
        if self.writing:
            self.loop.remove_writer(sock.fileno())
            self.writing = False
        self.sent_all(sock)

    def sent_all(self, sock: socket.socket) -> None:
        if self.later:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.loop.call_later(self.pause, self.send_more, self.later.pop(0))
        elif self.half_close:
            self.half_close = False
            with contextlib.suppress(OSError):  # the peer was faster: reading will tell
                sock.shutdown(socket.SHUT_WR)

    def send_more(self, words: bytes | Paced) -> None:
        self.take(words)
        self.writable()

    def wait_writable(self, sock: socket.socket) -> None:
        if not self.writing:
            self.loop.add_writer(sock.fileno(), self.writable)
            self.writing = True

    def readable(self) -> None:
        sock = self.socket
        if sock is None:
            return
        try:
            data = sock.recv(RECEIVE_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.fail(error.errno or 0)
            return
        if not data:
            self.finish(CLOSE)
        else:
            done = self.reader.feed(data)
            more = self.reader.to_send()
            if more:
                self.send_more(more)
            if done:
                self.finish(DONE)
            elif self.reader.patience is not None:
                self.timer.cancel()
                until = min(self.deadline, self.loop.time() + self.reader.patience)
                self.timer = self.loop.call_at(until, self.finish, TIMEOUT)

    def cut_off(self, sock: socket.socket, code: int) -> None:
        """The peer ended while we were speaking: what it said before that is still to be read."""
        with contextlib.suppress(OSError):
            while self.connected and (data := sock.recv(RECEIVE_SIZE)):
                if self.reader.feed(data):
                    self.finish(DONE)
                    return
        self.fail(code)

    def fail(self, code: int) -> None:
        import os  # noqa: PLC0415 - only a failing connection needs its text

        self.finish(_END_OF_ERRNO.get(code, UNREACHABLE), os.strerror(code) if code else "")

    def finish(self, end: str, error: str = "") -> None:
        self.timer.cancel()
        sock, self.socket = self.socket, None
        if sock is not None:
            number = sock.fileno()
            self.loop.remove_reader(number)
            if self.writing:
                self.loop.remove_writer(number)
            sock.close()
        if not self.future.done():
            now = self.loop.time()
            self.future.set_result(
                Outcome(
                    end,
                    self.started,
                    self.connected - self.started if self.connected else 0.0,
                    now - self.started,
                    error,
                    self.local,
                )
            )


async def exchange(
    address: Address,
    words: bytes | Paced,
    reader: Reader,
    *,
    timeout: float,
    want_local: bool = False,
) -> Outcome:
    """Connect, send ``words`` (empty where the peer speaks first), let ``reader`` take and answer what comes until it is
    done, the peer ends, or ``timeout`` seconds are over. What it says last is tried to be sent once, without waiting for
    room. Where FIN is said behind words, the answer is read all the same.

    The timeout bounds the whole exchange, so a peer that drips bytes gains nothing. Cancelling closes the socket.
    """
    running = _Exchange(address, words, reader, timeout, want_local=want_local)
    running.start()
    try:
        return await running.future
    finally:
        running.finish(TIMEOUT)


def _family(host: str) -> int | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return family
    return None


def is_numeric(host: str) -> bool:
    """Whether ``host`` is an IPv4 or IPv6 address."""
    return _family(host) is not None


def numeric(host: str, port: int) -> Address | None:
    """The address that ``host`` is, if it is one."""
    family = _family(host)
    return None if family is None else Address(host, port, family)


async def resolve(host: str, port: int) -> tuple[Address, ...]:
    """Every address of ``host``, IPv6 and IPv4 in the resolver's order, numeric hosts without asking anyone.

    Raises UsageError when the name has no address.
    """
    at = numeric(host, port)
    if at is not None:
        return (at,)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise UsageError(host, f"cannot be resolved: {reason}") from None
    return tuple(dict.fromkeys(Address(str(where[0]), port, family) for family, _, _, _, where in found))
