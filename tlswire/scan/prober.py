"""Asking one host many things and believing only what holds: pacing, doubt, control hellos, backing off.

An alert or a ServerHello settles a probe. A close, a reset or silence does not: it may be the server's way of refusing
or the mark of a rate limit, a tarpit or a dying link. Such answers are gathered into a round. A round lets everything
in flight end, sends a hello known to work (the control), and only then decides: the doubtful hello again, alone, and
the control once more. What is refused twice between working controls is refused; when the control itself fails the
host is in trouble, so the prober waits, slows down to the rate it had measured, and asks again. What ends before the
hello was sent (a proxy or a STARTTLS dialogue that says no) is never a refusal of the hello.
Must not import ``report`` or ``cli``; must not know how suites are enumerated.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from tlswire.probe.exchange import EXHAUSTED, PROXY, REFUSED, STALLED, STARTTLS, TIMEOUT, UNASKED, UNSETTLED
from tlswire.scan.pacing import WIDTH, Limits, Pacer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.probe.opening import Opening
    from tlswire.probe.transport import Address

# So many hellos refused alone between working controls make a kind of ending the server's habit.
HABIT = 3
# The shortest adaptive timeout in seconds, and how many times the usual latency it is.
QUICKEST_TIMEOUT = 0.5
LATENCY_FACTOR = 20
# A host in trouble is given at least this long to recover, in seconds.
PATIENCE = 12.0
# So many answers in a second tell a rate limit from a chance failure; below, the rate may grow again.
SOLID = 10


class Heard(Protocol):
    """What a prober must know of an answer, be it to a hello or of a whole handshake."""

    @property
    def kind(self) -> str:
        """How it ended; see ``probe.exchange``."""

    @property
    def decisive(self) -> bool:
        """Whether the server itself said something."""

    @property
    def accepts(self) -> bool:
        """Whether a ServerHello came."""

    @property
    def started(self) -> float:
        """When it began, on the loop's clock."""

    @property
    def elapsed(self) -> float:
        """How many seconds it took."""

    @property
    def reason(self) -> str:
        """What happened, in one line, where the kind does not say it."""

    @property
    def opening(self) -> Any:
        """What was said before TLS (``probe.opening.Transcript``), None where TLS begins with the first byte."""

    @property
    def opened(self) -> bool:
        """Whether the connection came as far as TLS."""


A = TypeVar("A", bound=Heard)
A_co = TypeVar("A_co", bound=Heard, covariant=True)


class Try(Protocol[A_co]):
    """Something that can be asked in one connection: a hello (``scan.offers``), a handshake (``scan.attempts``)."""

    @property
    def title(self) -> str:
        """A short name for traces and messages."""

    @property
    def suites(self) -> tuple[int, ...]:
        """The suites it offers."""

    async def put(self, address: Address, *, opening: Opening | None, timeout: float, want_local: bool) -> A_co:
        """Make the connection; never raises for what the server does."""

    def nothing(self, kind: str, reason: str) -> A_co:
        """The answer of a connection that was not made."""


class Doubt(msgspec.Struct):
    """One inconclusive answer waiting for its round; ``verdict`` becomes True (believe it) or False (ask again)."""

    probe: Try[Any]
    answer: Heard
    verdict: asyncio.Future[bool]


class Prober:
    """Asks one address, within the limits, behind ``opening`` if there is one; see the module's text for how doubt is
    settled.
    """

    def __init__(
        self,
        address: Address,
        limits: Limits,
        observe: Callable[[Any, Any], None] | None = None,
        *,
        opening: Opening | None = None,
    ) -> None:
        width = WIDTH if opening is None else min(opening.width, WIDTH)
        self.address = address
        self.limits = msgspec.structs.replace(limits, concurrency=limits.concurrency or width)
        self.opening = opening
        self._started = asyncio.get_running_loop().time()
        self.pacer = Pacer(self.limits, self._started + limits.deadline)
        self.control: Try[Any] | None = None
        self.over = ""  # why nothing more is asked
        self.notes: list[str] = []
        self.refusals: Counter[str] = Counter()  # endings proven to be refusals, by kind
        self._observe = observe
        self._doubts: list[Doubt] = []
        self._leading = False
        self._answered: deque[float] = deque(maxlen=4096)
        self._latencies: deque[float] = deque(maxlen=64)
        self._slowest = 0.0
        self._patient = False
        self._ceiling = limits.max_rate
        self._clean = 0

    @property
    def connections(self) -> int:
        """How many connections were made so far."""
        return self.pacer.connections

    @property
    def answered(self) -> bool:
        """Whether the server itself ever said something."""
        return bool(self._latencies)

    @property
    def time_left(self) -> float:
        """Seconds until the deadline."""
        return self._started + self.limits.deadline - asyncio.get_running_loop().time()

    def habitual(self, kind: str) -> bool:
        """Whether ending a connection in this way is proven to be how the server refuses a hello."""
        return self.refusals[kind] >= HABIT

    async def ask(self, probe: Try[A]) -> A:
        """The answer to ``probe``: a decisive one; an ending that is proven to be a refusal (``decisive`` is False,
        ``kind`` says how); kind ``unsettled`` when no two answers agree; or kind ``unasked`` when the host was given
        up or the deadline passed.
        """
        for _ in range(2 + self.limits.retries):
            answer = await self._send(probe)
            if answer.decisive:
                return answer
            if answer.kind == UNASKED:
                break
            if await self._believe(probe, answer):
                return answer
        if self.over:
            return probe.nothing(UNASKED, self.over)
        return probe.nothing(UNSETTLED, "no two answers agree" if answer.opened else answer.reason)

    async def once(self, probe: Try[A], *, timeout: float | None = None) -> A:
        """One connection of at most ``timeout`` seconds, and no doubt about its answer."""
        return await self._send(probe, alone=True, timeout=timeout)

    def give_up(self, why: str) -> None:
        """Ask nothing more; ``why`` is told to everyone who still wants to know something."""
        self.over = self.over or why

    async def _send(self, probe: Try[A], *, alone: bool = False, timeout: float | None = None) -> A:
        """One connection. ``alone``: part of a round, past the gate and with the user's full timeout."""
        if alone:
            if self.pacer.rate:
                await self.pacer.pause()
            self.pacer.connections += 1
        else:
            await self.pacer.acquire()
        answered = False
        try:
            left = self.time_left
            if left <= 0:
                self._note(f"deadline of {self.limits.deadline:g} s passed")
                self.give_up(self.notes[-1])
            if 0 < self.limits.connections < self.connections:
                self._note(f"{self.limits.connections} connections were made, which is the most")
                self.give_up(self.notes[-1])
            if self.over:
                self.pacer.connections -= 1
                return probe.nothing(UNASKED, self.over)
            longest = timeout or (self.limits.timeout if alone else self._timeout())
            answer = await probe.put(
                self.address,
                opening=self.opening,
                timeout=min(left, longest),
                want_local=self._observe is not None,
            )
            answered = answer.decisive
        finally:
            if not alone:
                self.pacer.release(answered=answered)
        if answered:
            self._heard(probe, answer)
        if answer.opening is not None and not answer.opening.offered and answer.opened:
            self._note("does not offer STARTTLS, but goes on to TLS when asked")
        if self._observe is not None:
            self._observe(probe, answer)
        return answer

    def _heard(self, probe: Try[Any], answer: Heard) -> None:
        self._answered.append(answer.started + answer.elapsed)
        self._latencies.append(answer.elapsed)
        self._slowest = max(self._slowest, answer.elapsed)
        if answer.accepts and self.control is None:
            self.control = probe
        self._clean += 1
        rate = self.pacer.rate
        if rate and self._clean >= max(20, 3 * rate) and (not self._ceiling or 1.5 * rate <= self._ceiling):
            self.pacer.rate = 1.5 * rate
            self._clean = 0

    def _timeout(self) -> float:
        if self._patient or len(self._latencies) < 8:
            return self.limits.timeout
        usual = sorted(self._latencies)[len(self._latencies) // 2]
        return min(self.limits.timeout, max(QUICKEST_TIMEOUT, LATENCY_FACTOR * usual, 4 * self._slowest))

    async def _believe(self, probe: Try[Any], answer: Heard) -> bool:
        verdict: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._doubts.append(Doubt(probe, answer, verdict))
        if not self._leading:
            self._leading = True
            try:
                while self._doubts and not verdict.done():
                    await self._round()
            finally:
                self._leading = False
                self.pacer.open_gate()
                for doubt in self._doubts:
                    _settle(doubt, believe=False)
                self._doubts.clear()
        return await verdict

    async def _round(self) -> None:
        await self.pacer.close_gate()
        doubts, self._doubts = self._doubts, []
        if self.over:
            for doubt in doubts:
                _settle(doubt, believe=False)
        elif doubts[0].answer.kind == EXHAUSTED:
            await self._make_room(doubts)
        elif not await self._control_works():
            await self._recover(doubts)
        else:
            await self._judge(doubts)
        self.pacer.open_gate()

    async def _make_room(self, doubts: list[Doubt]) -> None:
        width = max(1, self.pacer.window // 2)
        self._note(f"this machine ran out of sockets: at most {width} connections at once from here on")
        self.pacer.limit_window(width)
        await asyncio.sleep(0.5)
        for doubt in doubts:
            _settle(doubt, believe=False)

    async def _control_works(self) -> bool:
        """Whether the control gets a decisive answer now. Without a control nothing is known to work."""
        return self.control is not None and (await self._send(self.control, alone=True)).decisive

    async def _judge(self, doubts: list[Doubt]) -> None:
        """The control works: are these endings refusals, or did the host only stumble under our load?"""
        for at, doubt in enumerate(doubts):
            kind = doubt.answer.kind
            if not doubt.answer.opened:
                self._stumbled(doubts[at:])
                return
            if not self.habitual(kind):
                again = await self._send(doubt.probe, alone=True)
                if again.decisive or not again.opened or again.kind != kind or not await self._control_works():
                    self._stumbled(doubts[at:])
                    return
                # A refused list says nothing of how single suites are refused: it may be the list that displeases.
                self.refusals[kind] += len(doubt.probe.suites) == 1
                if self.habitual(kind):
                    self._note(f"refuses hellos by {_ending(kind)}; proven with control hellos in between")
            _settle(doubt, believe=True)

    def _stumbled(self, doubts: list[Doubt]) -> None:
        kinds = {doubt.answer.kind for doubt in doubts}
        if kinds == {TIMEOUT}:
            self._patient = True
            self._note("some answers were slow: waiting the full timeout from here on")
        else:
            self._slow_down(doubts, "some connections failed that worked when tried alone")
        for doubt in doubts:
            _settle(doubt, believe=False)

    async def _recover(self, doubts: list[Doubt]) -> None:
        """Not even the control works: wait, longer each time, until it does or patience ends."""
        if self.control is None:
            await self._without_control(doubts)
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        wait, tries = 0.5, 0
        while (tries < self.limits.retries or loop.time() - began < PATIENCE) and self.time_left > wait:
            await asyncio.sleep(wait)
            tries += 1
            if await self._control_works():
                break
            wait *= 2
        else:
            answer = doubts[0].answer
            why = "" if answer.opened else f" ({answer.reason})"
            self._note(
                f"a hello that had worked was met by {_ending(answer.kind)} {tries + 1} times in"
                f" {loop.time() - began:.0f} s, after {self.connections} connections: gave up{why}"
            )
            self.give_up(self.notes[-1])
            for doubt in doubts:
                _settle(doubt, believe=False)
            return
        self._slow_down(doubts, f"the host stopped answering for {loop.time() - began:.1f} s")
        for doubt in doubts:
            _settle(doubt, believe=False)

    async def _without_control(self, doubts: list[Doubt]) -> None:
        """Nothing ever worked here: repeat each alone, and believe what repeats itself as far as it goes."""
        for doubt in doubts:
            again = await self._send(doubt.probe, alone=True)
            _settle(doubt, believe=again.kind == doubt.answer.kind and again.opened)

    def _slow_down(self, doubts: list[Doubt], why: str) -> None:
        """Go on at the rate at which the host was answering just before the trouble."""
        began = min(doubt.answer.started for doubt in doubts)
        admitted = sum(1 for at in self._answered if began - 1 < at <= began + 1)
        rate = max(0.5, 0.97 * admitted)
        if self.pacer.rate:
            # One stray failure is no proof of a lower limit; several at once are.
            rate = min(rate, (0.95 if len(doubts) == 1 else 0.8) * self.pacer.rate)
            self._ceiling = self.pacer.rate
        elif admitted >= SOLID:
            self._ceiling = admitted
        self._clean = 0
        self.pacer.slow_down(rate)
        self._note(f"{why}: going on with {rate:.3g} connections a second")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _settle(doubt: Doubt, *, believe: bool) -> None:
    if not doubt.verdict.done():
        doubt.verdict.set_result(believe)


def _ending(kind: str) -> str:
    return {
        STALLED: "answers that break off",
        "close": "closing",
        "reset": "a reset",
        TIMEOUT: "silence",
        REFUSED: "refused connections",
        STARTTLS: "refusals of STARTTLS",
        PROXY: "refusals of the proxy",
    }.get(kind, kind)
