"""Awkward but real middleboxes: TCP proxies that stand in front of a good server's port and spoil something.

Each function gives a Listener: `with drop_large(server.port, 512) as proxy: ... proxy.port, proxy.connections`.
"""

from __future__ import annotations

import enum
import itertools
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .listener import Connection, Listener
from .offers import Offer, read_offer
from .process import HOST

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence


class Fate(enum.Enum):
    """What becomes of a connection."""

    FORWARD = enum.auto()
    SWALLOW = enum.auto()  # stays open, is never answered
    CLOSE = enum.auto()  # FIN
    RESET = enum.auto()  # RST


def _forward() -> Fate:
    return Fate.FORWARD


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a proxy is awkward: at accept, once it has a whole hello, and how late it turns to the server."""

    at_accept: Callable[[], Fate] = _forward
    at_hello: Callable[[Offer], Fate] | None = None
    unfinished: Fate | None = None  # what its first bytes mean to a connection when they are not a whole hello
    delay: float = 0.0


def delay(port: int, seconds: float) -> Listener:
    """Adds `seconds` once per connection: the server hears of it that much later."""
    return _proxy(port, _Manner(delay=seconds))


def balance(ports: Sequence[int], each: int = 1) -> Listener:
    """Gives `each` connections to a server, then as many to the next: a balancer before servers that share nothing."""
    turns = itertools.cycle([port for port in ports for _ in range(each)])
    return Listener(lambda listener: _Client(listener, next(turns), _Manner()))


def drop_large(port: int, limit: int = 512) -> Listener:
    """Swallows a hello of more than `limit` bytes on the wire (record headers included) and stays silent."""
    return _proxy(port, _Manner(at_hello=_unless(lambda offer: offer.size > limit, Fate.SWALLOW)))


def close_many_suites(port: int, limit: int = 128) -> Listener:
    """Closes in order on a hello with more than `limit` suites."""
    return _proxy(port, _Manner(at_hello=_unless(lambda offer: len(offer.suites) > limit, Fate.CLOSE)))


def fail_split(port: int, fate: Fate = Fate.RESET) -> Listener:
    """Takes what it reads first for the whole hello, as tldr.fail describes: one that comes in pieces meets `fate`."""
    return _proxy(port, _Manner(at_hello=_unless(lambda _: False, fate), unfinished=fate))


def rate_limit(port: int, limit: int = 20, *, count_refused: bool = True, window: float = 1.0) -> Listener:
    """Resets at accept beyond `limit` connections in a sliding window.

    With `count_refused` an attempt that is reset counts too, so a client that keeps hammering never gets in again;
    without it only admitted ones count.
    """
    recent: deque[float] = deque()

    def at_accept() -> Fate:
        now = time.monotonic()
        while recent and now - recent[0] >= window:
            recent.popleft()
        admitted = len(recent) < limit
        if admitted or count_refused:
            recent.append(now)
        return Fate.FORWARD if admitted else Fate.RESET

    return _proxy(port, _Manner(at_accept=at_accept))


def tarpit(port: int, after: int = 100) -> Listener:
    """Serves the first `after` connections; all later ones are accepted and never answered."""
    served = 0

    def at_accept() -> Fate:
        nonlocal served
        served += 1
        return Fate.FORWARD if served <= after else Fate.SWALLOW

    return _proxy(port, _Manner(at_accept=at_accept))


def _unless(spoils: Callable[[Offer], bool], fate: Fate) -> Callable[[Offer], Fate]:
    return lambda offer: fate if spoils(offer) else Fate.FORWARD


def _proxy(port: int, manner: _Manner) -> Listener:
    return Listener(lambda listener: _Client(listener, port, manner))


class _Client(Connection):
    """The client's side: holds back its bytes until the fate is known, then connects to the server."""

    def __init__(self, listener: Listener, port: int, manner: _Manner) -> None:
        super().__init__(listener)
        self._port = port
        self._manner = manner
        self._held = b""
        self._fate: Fate | None = None
        self._upstream: _Upstream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        fate = self._manner.at_accept()
        # The server may be the one who speaks first; only a proxy that wants to see the hello has to wait for it.
        if fate is not Fate.FORWARD or self._manner.at_hello is None:
            self._meet(fate)

    def data_received(self, data: bytes) -> None:
        if self._upstream is not None:
            self._upstream.transport.write(data)
        elif self._fate in (None, Fate.FORWARD):
            self._held += data
            if self._fate is None and (fate := self._judge()) is not None:
                self._meet(fate)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._upstream is not None:
            self._upstream.transport.close()

    def _judge(self) -> Fate | None:
        assert self._manner.at_hello is not None
        offer = read_offer(self._held)
        return self._manner.unfinished if offer is None else self._manner.at_hello(offer)

    def _meet(self, fate: Fate) -> None:
        self._fate = fate
        if fate is Fate.FORWARD:
            loop = self.listener.loop
            loop.call_later(self._manner.delay, lambda: loop.create_task(self._connect()))
        elif fate is Fate.CLOSE:
            self.transport.close()
        elif fate is Fate.RESET:
            reset(self.transport)

    async def _connect(self) -> None:
        if self.transport.is_closing():
            return
        try:
            _, upstream = await self.listener.loop.create_connection(
                lambda: _Upstream(self.listener, self.transport), HOST, self._port
            )
        except OSError:
            reset(self.transport)
            return
        self._upstream = upstream
        upstream.transport.write(self._held)
        self._held = b""
        if self.transport.is_closing():
            upstream.transport.close()


class _Upstream(Connection):
    """The server's side: everything it says goes to the client, its end too."""

    def __init__(self, listener: Listener, client: asyncio.Transport) -> None:
        super().__init__(listener)
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if isinstance(exc, ConnectionResetError):
            reset(self._client)
        else:
            self._client.close()


def reset(transport: asyncio.Transport) -> None:
    """End with RST instead of FIN, whatever is still in the buffers."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
