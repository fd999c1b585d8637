"""A scan in virtual time: the lab's characters answer without sockets, and waiting costs nothing.

What takes a patient scanner minutes (rate limits, tarpits, silence) is told in milliseconds and the same every time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from tlswire.lab.actions import Action, Close, Hold, Reset, Send, Wait
from tlswire.lab.characters import Character, character
from tlswire.lab.responder import Conversation, greet
from tlswire.probe.exchange import Answer, HelloReader
from tlswire.probe.transport import CLOSE, DONE, RESET, TIMEOUT, Address, Outcome
from tlswire.scan.scanner import Options, scan_address

if TYPE_CHECKING:
    from collections import deque

    from tlswire.results import Scan

T = TypeVar("T")

ADDRESS = Address("192.0.2.1", 443)
LATENCY = 0.002
WINDOW = 1.0

Ask = Callable[..., Awaitable[Answer]]


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing else is to be done."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        ready: deque[Any] = self._ready  # type: ignore[attr-defined]
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        if not ready and timers:
            self._now = max(self._now, timers[0].when())
        super()._run_once()  # type: ignore[misc]


def virtually(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, run in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class Simulated:
    """A character that answers ``ask``; ``connections`` counts, ``most`` is the most that were open at once."""

    def __init__(self, of: Character | str) -> None:
        self.character = character(of) if isinstance(of, str) else of
        self.connections = 0
        self.open = 0
        self.most = 0
        self.times: list[float] = []

    async def ask(
        self,
        _: Address,
        payload: bytes,
        *,
        timeout: float = 5.0,
        whole_flight: bool = False,
        **__: object,
    ) -> Answer:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.connections += 1
        self.open += 1
        self.most = max(self.most, self.open)
        self.times.append(started)
        recent = sum(1 for at in self.times[-1000:] if started - at < WINDOW)
        reader = HelloReader(whole_flight=whole_flight)
        try:
            actions = greet(self.character, self.connections, recent)
            actions = actions or Conversation(self.character).receive(payload)
            end = await self._carry_out(actions, reader, started + timeout)
        finally:
            self.open -= 1
        return reader.answer(payload, Outcome(end, started, LATENCY, loop.time() - started))

    async def _carry_out(self, actions: list[Action], reader: HelloReader, until: float) -> str:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(LATENCY)
        for action in actions:
            if isinstance(action, Wait):
                await asyncio.sleep(min(action.seconds, max(0.0, until - loop.time())))
            if loop.time() >= until:
                return TIMEOUT
            if isinstance(action, Send):
                for _ in range(action.times):
                    if reader.feed(action.data):
                        return DONE
            elif isinstance(action, Close):
                return CLOSE
            elif isinstance(action, Reset):
                return RESET
            elif isinstance(action, Hold):
                break
        await asyncio.sleep(max(0.0, until - loop.time()))
        return TIMEOUT


def simulate(server: Simulated, options: Options, host: str = "192.0.2.1") -> Scan:
    """The scan of a simulated server, in no time."""
    with mock.patch("tlswire.scan.offers.ask", server.ask):
        return virtually(scan_address(host, ADDRESS, options))
