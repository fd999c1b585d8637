"""The line to one server under test: scripts out, what was heard back, within the bounds of rate and width.

Waits are measured, not guessed: a time-out is many times what an answer usually takes. The line knows when the server
is gone, and which scripts went out last. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tlswire.fuzz import resumed
from tlswire.fuzz.flight import SETTLED, FlightReader
from tlswire.fuzz.model import DEAD, FLIGHT, HANG, NOT_TLS
from tlswire.probe import transport
from tlswire.probe.converse import converse
from tlswire.probe.exchange import reach
from tlswire.probe.opening import TLS
from tlswire.probe.transport import Cuts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.script import Ground, Script
    from tlswire.handshake.client import Client
    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.opening import Opened, Opening
    from tlswire.probe.transport import Address, Outcome, Paced

T = TypeVar("T")

# A time-out is so many times what a flight usually takes, within these bounds in seconds.
LATENCY_FACTOR = 6
QUICKEST, PATIENT = 0.15, 1.0
# Seconds after which a SYN is sent again: a server that takes so long has no room for more clients.
SYN_AGAIN = 0.9
# A flight that takes so long waits for its turn: fewer clients at once lose nothing, and are answered sooner.
SLOW, NARROW = 0.1, 8
# So many times it is what a server is given to say more behind its flight, up to so many seconds.
SETTLING_FACTOR, UNSETTLED = 8, 0.6
WIDTH = 32
# How many connections went out last when the server was found to be gone.
LAST = 32
# Endings that say nobody is there.
_GONE = frozenset({transport.REFUSED, transport.UNREACHABLE})
# How often a connection is tried for which there is no room, and after how many seconds again.
_STUMBLES, STUMBLED = 3, 0.2


class Bounds(msgspec.Struct, frozen=True):
    """What a user allows: connections in flight (0: what fits), connections a second and in all (0: no bound), seconds."""

    concurrency: int = 0
    max_rate: float = 0.0
    connections: int = 0
    timeout: float = 5.0
    deadline: float = 600.0


class Places:
    """How many connections there may be at once: like a semaphore, but ``width`` may shrink under those that wait."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self._taken < self.width and not self._waiting:
            self._taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        self._taken -= 1
        while self._waiting and self._taken < self.width:
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken += 1
                turn.set_result(None)


class Line:
    """Asks one address, behind ``opening`` where TLS does not begin at once; see the module's text."""

    def __init__(
        self,
        address: Address,
        ground: Ground,
        bounds: Bounds,
        observe: Callable[[str, Heard], None] | None = None,
        opening: Opening | None = None,
    ) -> None:
        self.address = address
        self.opening = opening
        self.ground = ground
        self.bounds = bounds
        self.connections = 0
        self.over = ""  # why nothing more is asked
        self.last: deque[str] = deque(maxlen=LAST)
        self._observe = observe
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._places = Places(bounds.concurrency or min(WIDTH, WIDTH if opening is None else opening.width))
        self._turn = asyncio.Lock()
        self._next = 0.0
        self._latencies: deque[float] = deque(maxlen=64)

    @property
    def elapsed(self) -> float:
        """Seconds since the line was made."""
        return self._loop.time() - self._started

    @property
    def timeout(self) -> float:
        """Seconds after which silence counts."""
        if not self._latencies:
            return self.bounds.timeout
        return min(self.bounds.timeout, max(QUICKEST, LATENCY_FACTOR * self._usual))

    @property
    def _usual(self) -> float:
        return sorted(self._latencies)[len(self._latencies) // 2] if self._latencies else 0.0

    @property
    def patient(self) -> float:
        """Seconds for a hello that is asked alone because it was met by silence."""
        return min(self.bounds.timeout, max(PATIENT, 2 * self.timeout))

    def narrow(self, width: int) -> None:
        """From now on so many connections at once."""
        self._places.width = min(self._places.width, width)

    async def ask(
        self, name: str, script: Script, *, timeout: float | None = None, ready: asyncio.Event | None = None
    ) -> Heard:
        """What is heard for ``script``, which is not sent before ``ready``; ``reaction`` is dead where nobody is there
        (any more), ``ending`` unasked where the line is over.
        """
        while True:
            if ready is not None:
                await ready.wait()
            async with self._places:
                # No place is held while one waits: whoever makes it ready needs one.
                if ready is None or ready.is_set():
                    return await self._ask(name, script, timeout)

    async def _ask(self, name: str, script: Script, timeout: float | None) -> Heard:
        if self.bounds.max_rate:
            await self._pause()
        if self.bounds.connections and self.connections >= self.bounds.connections:
            self.over = self.over or f"{self.connections} connections were made, which is the most"
        if self.elapsed > self.bounds.deadline:
            self.over = self.over or f"deadline of {self.bounds.deadline:g} s passed"
        if self.over:
            return FlightReader(script, self.ground.key).heard("unasked", reason=self.over)
        return await self._exchange(name, script, timeout or self.timeout)

    async def _exchange(self, name: str, script: Script, timeout: float) -> Heard:
        self.last.append(name)
        if script.client is not None:
            # A client that completes a handshake first: two flights and more, so with more patience.
            heard = await self._conversed(script.client, max(timeout, self.patient))
        else:
            waits = timeout if not script.cuts else max(timeout, self.patient) + 2 * script.pause * len(script.cuts)
            heard = await self._in_room(lambda: self._once(script, waits))
        if self._observe is not None:
            self._observe(name, heard)
        return heard

    async def _in_room(self, once: Callable[[], Awaitable[tuple[T, bool]]]) -> T:
        """What ``once`` gives; again, a few times, where it says that there was no room for it."""
        found, room = await once()
        for attempt in range(1, _STUMBLES):
            if room:
                break
            await asyncio.sleep(STUMBLED * attempt)
            found, room = await once()
        return found

    async def _once(self, script: Script, timeout: float) -> tuple[Heard, bool]:
        """What is heard on one connection, and whether there was room for it, here and there."""
        self.connections += 1
        settled = min(UNSETTLED, max(SETTLED, SETTLING_FACTOR * self._usual))
        reader = FlightReader(script, self.ground.key, settled=settled)
        outcome, opened = await reach(
            self.address, _words(script), reader, opening=self.opening, timeout=timeout, want_local=True
        )
        facts: dict[str, Any] = {
            "reason": outcome.error,
            "started": outcome.started,
            "elapsed": outcome.elapsed,
            "local": outcome.local,
        }
        heard = _behind(opened, reader.heard(outcome.end, **facts), outcome)
        if outcome.end in _GONE and not outcome.connected:
            heard = msgspec.structs.replace(heard, reaction=DEAD)
        elif heard.reaction == FLIGHT and not (script.tail or script.cuts):
            self._latencies.append(outcome.elapsed)
            if self._usual > SLOW:
                self.narrow(NARROW)
        return heard, self._room(heard, outcome)

    def _room(self, heard: Heard, outcome: Outcome) -> bool:
        """Whether there was room; where it is the server that has none, there are to be fewer of us."""
        refused = heard.unsent and heard.reaction == DEAD
        unheard = outcome.end == transport.TIMEOUT and not outcome.connected
        if refused or unheard or outcome.connected > SYN_AGAIN:
            self.narrow(NARROW)
        return not (refused or unheard or (outcome.end == transport.EXHAUSTED and not outcome.connected))

    async def _conversed(self, make: Callable[[], Client], timeout: float) -> Heard:
        shown = await self.converse(make, timeout=timeout)
        heard = resumed.heard(shown)
        return _unsent(heard, shown.opening.phase, shown.reason) if shown.connected and not shown.opened else heard

    async def converse(self, make: Callable[[], Client], *, timeout: float) -> Conversation:
        """One whole connection of the client that ``make`` gives, outside of all bounds but the count."""

        async def once() -> tuple[Conversation, bool]:
            self.connections += 1
            shown = await converse(self.address, make(), opening=self.opening, timeout=timeout, want_local=True)
            return shown, shown.opened or not shown.connected or shown.ending == transport.TIMEOUT

        return await self._in_room(once)

    async def _pause(self) -> None:
        async with self._turn:
            now = self._loop.time()
            await asyncio.sleep(max(0.0, self._next - now))
            self._next = max(now, self._next) + 1 / self.bounds.max_rate


def _words(script: Script) -> bytes | Paced:
    """What is said for a script, cut and ended as it wants."""
    if not script.cuts and not script.fin:
        return script.payload
    return Cuts(script.cuts, script.pause).paced(script.payload, fin=script.fin)


def _behind(opened: Opened | None, heard: Heard, outcome: Outcome) -> Heard:
    """What was heard behind an opening, where there is one, or what became of that instead."""
    if opened is None:
        return heard
    if opened.phase != TLS:
        why = opened.explain(outcome)
        return _unsent(heard, opened.phase, why) if outcome.connected else msgspec.structs.replace(heard, reason=why)
    if not opened.instead:
        return heard
    faults = ((NOT_TLS, opened.instead),)
    words = b"" if opened.refusal else opened.transcript().said[-1][1]
    return msgspec.structs.replace(
        heard, first=NOT_TLS, reaction=NOT_TLS, faults=faults, received=words or heard.received
    )


def _unsent(heard: Heard, phase: str, why: str) -> Heard:
    """Nothing, as the connection came no further than ``phase``: silence there is silence, all else is nobody there."""
    reaction = HANG if heard.ending == transport.TIMEOUT else DEAD
    return msgspec.structs.replace(
        heard, first="none", reaction=reaction, flight=(), faults=(), ending=phase, reason=why, sent=b""
    )
