"""How fast one host is asked: a window of connections in flight that opens slowly, and a rate that only ever backs off.

The window starts small and grows with every answer (threefold each round trip, in the manner of TCP's slow start), so
a fragile server is met gently and a strong one is soon asked at full width. Knows nothing of TLS; must not import
anything of tlswire but ``errors``.
"""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec

FIRST_WINDOW = 32
# Connections in flight where the user sets no bound.
WIDTH = 320
# By how much one answer widens the window: three times as many each round trip.
GROWTH = 2


class Limits(msgspec.Struct, frozen=True):
    """The bounds a user sets for one host: connections in flight (0: what fits), connections a second (0: none),
    seconds; and how many connections are made in all (0: no bound).
    """

    concurrency: int = 0
    max_rate: float = 0.0
    timeout: float = 5.0
    deadline: float = 300.0
    retries: int = 3
    connections: int = 0


class Pacer:
    """Hands out the right to connect. ``close_gate`` holds everyone back while the host is being questioned alone."""

    def __init__(self, limits: Limits, deadline: float = float("inf")) -> None:
        """``deadline`` is on the loop's clock: nobody sleeps past it."""
        self.rate = limits.max_rate
        self._deadline = deadline
        self._limit = limits.concurrency or WIDTH
        self.window = min(FIRST_WINDOW, self._limit)
        self.in_flight = 0
        self.connections = 0
        self._last = float("-inf")
        self._turn = asyncio.Lock()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._gate_open = True
        self._drained: asyncio.Future[None] | None = None

    async def acquire(self) -> None:
        """Wait for a free place in the window, then for the moment the rate allows."""
        while not self._gate_open or self.in_flight >= self.window:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self._wake()
                raise
        self.in_flight += 1
        if self.rate:
            try:
                await self.pause()
            except asyncio.CancelledError:
                self.release(answered=False)
                raise
        self.connections += 1

    async def pause(self) -> None:
        """Sleep until the rate allows one more connection.

        A start that is late by less than half an interval is made up for, more is not: a stalled loop must not let
        several start together, because a limit counts what arrives within its second.
        """
        loop = asyncio.get_running_loop()
        async with self._turn:
            due = self._last + 1 / self.rate
            wait = min(due, self._deadline) - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            started = loop.time()
            self._last = due if started - due < 0.5 / self.rate else started

    def release(self, *, answered: bool) -> None:
        """Give the place back; an answer widens the window."""
        self.in_flight -= 1
        if answered and self.window < self._limit:
            self.window = min(self.window + GROWTH, self._limit)
        if self._drained is not None and not self.in_flight and not self._drained.done():
            self._drained.set_result(None)
        self._wake()

    def _wake(self) -> None:
        free = self.window - self.in_flight if self._gate_open else 0
        while free > 0 and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1

    async def close_gate(self) -> None:
        """Let nobody else start, and wait until nothing is in flight."""
        self._gate_open = False
        if self.in_flight:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained
            self._drained = None

    def open_gate(self) -> None:
        """Let the others go on."""
        self._gate_open = True
        self._wake()

    def slow_down(self, rate: float) -> None:
        """From now on at most ``rate`` connections a second, from a small window."""
        self.rate = rate
        self.window = min(self.window, FIRST_WINDOW, self._limit)
        self._last = asyncio.get_running_loop().time()

    def limit_window(self, width: int) -> None:
        """From now on at most ``width`` connections in flight."""
        self._limit = self.window = max(1, min(width, self._limit))
