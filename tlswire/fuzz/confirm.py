"""What is believed: a deviation that is seen three times, between two controls, on a server that is well.

Silence and an end of the connection are no first sighting, for they may be those of a neighbour; where one turns out to
be, some hello may have taken the server down for a while, and all that ended like this are asked again, alone, with a
control behind each. Nor is one such end among alerts or flights a reaction of its own: an alert may be lost on its way
(RFC 9846 section 6.2), so the case is asked anew, once. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.model import CLOSE, DEAD, FLIGHT, HANG, NOT_TLS, RETRY
from tlswire.fuzz.oracle import CONFORMS, DEVIATES, NOT_APPLICABLE, UNKNOWN, Judgement, judge, told
from tlswire.fuzz.script import Script
from tlswire.wire.records import HANDSHAKE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.line import Line
    from tlswire.fuzz.model import Case
    from tlswire.fuzz.preflight import Known
    from tlswire.fuzz.reduce import Reduced

# A finding is what was seen so often, without an exception.
QUORUM = 3
# Seconds a server that is gone is given to come back, and how often it is looked for.
RECOVERY = 6.0
_LOOK = 0.25
# As somebody's browser would say it to the wrong port.
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Reactions that a server which is away shows to anything.
_ABSENT = frozenset({CLOSE, HANG, DEAD})


class Seen(msgspec.Struct):
    """One case and what became of it; ``repeated`` counts how often the reaction was seen, ``reduced`` is the least hello
    that draws it, where that was looked for.
    """

    case: Case
    script: Script
    heard: Heard | None = None
    judgement: Judgement = Judgement(UNKNOWN, ("not asked",))
    repeated: int = 0
    reduced: Reduced | None = None

    @property
    def deviates(self) -> bool:
        """Whether what was seen deviates, as often as it was seen."""
        return self.judgement.verdict == DEVIATES

    @property
    def unsent(self) -> bool:
        """Whether it was asked, but no connection came as far as TLS."""
        return self.heard is not None and self.heard.unsent

    @property
    def silent(self) -> bool:
        """Whether nothing was heard."""
        return self.heard is not None and self.heard.reaction == HANG


class Confirmer:
    """Judges and confirms what ``line`` hears of the server that is ``known``; calls ``settled`` after each case."""

    def __init__(self, line: Line, known: Known, settled: Callable[[], None]) -> None:
        self.line = line
        self.known = known
        self._settled = settled
        self.notes: list[str] = []
        self.last: list[str] = []  # what was sent last when the server went down
        self.well = asyncio.Event()  # cleared while the server is gone and looked for
        self.well.set()
        self._troubled = False
        self._sharing: asyncio.Future[bool] | None = None
        self._shared = False  # the port speaks plain HTTP, too
        self._strayed: set[str] = set()  # cases of which an ending was passed over
        self._controlling = asyncio.Lock()
        self._control_to_come: asyncio.Future[bool] | None = None

    def judge(self, seen: Seen, heard: Heard) -> None:
        """Take ``heard`` for the case's first sighting."""
        seen.heard, seen.repeated, seen.judgement = heard, 1, self._judged(seen, heard)

    def _judged(self, seen: Seen, heard: Heard) -> Judgement:
        if self._shared and _is_foreign(seen, heard):
            why = "the port speaks another protocol to what does not begin with a handshake record"
            return Judgement(NOT_APPLICABLE, (why,))
        return judge(seen.case, seen.script, heard, self.known.features)

    async def once(self, seen: Seen) -> None:
        """Ask a case for the first time."""
        heard = await self.line.ask(seen.case.id, seen.script, ready=self.well)
        if heard.ending == "unasked":
            seen.judgement = Judgement(UNKNOWN, (heard.reason,))
            return
        await self._look_around(seen, heard)
        self.judge(seen, heard)
        if heard.reaction == DEAD and self.well.is_set():
            self.well.clear()
            await self.back()
            self.well.set()

    async def _look_around(self, seen: Seen, heard: Heard) -> None:
        """Where it matters, and once, find out whether the port speaks plain HTTP, too."""
        if _is_foreign(seen, heard):
            if self._sharing is None:
                self._sharing = asyncio.ensure_future(self._speaks_http())
            self._shared = await asyncio.shield(self._sharing)

    async def _speaks_http(self) -> bool:
        return (await self.line.ask("plain HTTP", Script(_REQUEST))).reaction == NOT_TLS

    async def control(self) -> bool:
        """Whether a hello that had worked works from now on: one serves all that wait for the next."""
        if self._control_to_come is None:
            self._control_to_come = asyncio.ensure_future(self._one_control())
        return await asyncio.shield(self._control_to_come)

    async def _one_control(self) -> bool:
        async with self._controlling:
            self._control_to_come = None
            if self.known.control is None:
                return False
            heard = await self.line.ask("control", self.known.control, timeout=self.line.patient)
            return heard.reaction in {FLIGHT, RETRY}

    async def back(self) -> bool:
        """Whether the server is there (again), after RECOVERY seconds at most."""
        last = list(self.line.last)
        until = self.line.elapsed + RECOVERY
        while not self.line.over:
            if await self.control():
                return True
            if self.line.elapsed > until:
                asked = dict.fromkeys(name for name in reversed(last) if name != "control")
                self.last = self.last or list(asked)
                self.line.over = "the server is down"
                self.notes.append(f"the server is down; sent last: {', '.join(self.last[:8])}")
            await asyncio.sleep(_LOOK)
        return False

    async def all(self, asked: Iterable[Seen]) -> None:
        """Confirm what deviates of what was asked, and find out what took the server down, if anything did."""
        asked = tuple(asked)
        # Silence that is allowed is asked again, too, with patience: where a slow server answers, that is its reaction.
        doubtful = [one for one in asked if one.deviates or one.unsent or (one.silent and not self.known.serial)]
        self._troubled = not await self.control()
        if self._troubled and not await self.back():
            return
        dead = any(seen.heard is not None and seen.heard.reaction == DEAD for seen in doubtful)
        if dead or self._troubled or self.known.serial:
            await self._one_by_one(doubtful)
        else:
            await asyncio.gather(*(self.confirm(seen) for seen in doubtful))
        if self._troubled:
            ended = [seen for seen in asked if seen.heard is not None and seen.heard.reaction in _ABSENT]
            await self._one_by_one(seen for seen in ended if seen.repeated < QUORUM)

    async def _one_by_one(self, some: Iterable[Seen]) -> None:
        for seen in some:
            if self.line.over or not await self.confirm(seen):
                return

    async def confirm(self, seen: Seen) -> bool:
        """See it again between two controls; False when the server is gone for good."""
        going = await self._confirm(seen)
        self._settled()
        return going

    async def _confirm(self, seen: Seen) -> bool:
        if not await self.control() and not await self.back():
            return False
        absent = seen.heard is not None and seen.heard.reaction in _ABSENT
        fresh = absent  # whether the next sighting counts for the first
        times = 1 if not seen.deviates and seen.silent else QUORUM if absent else QUORUM - 1
        async for heard in self._repeats(seen, times):
            if heard.ending == "unasked" or heard.unsent:
                return await self._not_sent(seen, heard)
            await self._look_around(seen, heard)
            if heard.reaction in _ABSENT and not await self.control():
                return await self._killed(seen, heard)
            judgement = self._judged(seen, heard)
            before = seen.heard
            same = before is not None and heard.reaction == before.reaction and judgement.cause == seen.judgement.cause
            if fresh:
                fresh = False
                self._judge_anew(seen, heard, same=same)
                if seen.deviates and times < QUORUM:
                    return await self._confirm(seen)
            elif not same and heard.reaction in _ABSENT and seen.case.id not in self._strayed:
                self._strayed.add(seen.case.id)
                self.notes.append(f"{seen.case.id}: met by {told(heard)} once, and asked anew")
                return await self._confirm(seen)
            elif not same:
                shown = " and ".join(told(one) for one in (before, heard) if one is not None)
                seen.judgement = Judgement(UNKNOWN, (f"flaky: {shown}",))
                return True
            if judgement.verdict == CONFORMS:
                return True
        seen.repeated = QUORUM
        return await self.control() or await self.back()

    def _judge_anew(self, seen: Seen, heard: Heard, *, same: bool) -> None:
        """Take ``heard`` for the first sighting, in the place of an end that may have been a neighbour's: what did that?"""
        before = seen.heard
        if not same and before is not None and before.reaction != HANG and not before.unsent:
            self._troubled = True
        self.judge(seen, heard)

    async def _not_sent(self, seen: Seen, heard: Heard) -> bool:
        """No verdict on what did not come as far as the server; is that there?"""
        if heard.ending == "unasked":
            seen.judgement = Judgement(UNKNOWN, (heard.reason,))
            return False
        seen.judgement = self._judged(seen, heard)
        return await self.control() or await self.back()

    async def _repeats(self, seen: Seen, times: int) -> AsyncIterator[Heard]:
        """The case asked again; where it is silence that is waited for, all waits side by side."""
        if seen.silent:
            patient = self.line.patient
            asked = (self.line.ask(seen.case.id, seen.script, timeout=patient) for _ in range(times))
            for heard in await asyncio.gather(*asked):
                yield heard
            return
        for _ in range(times):
            yield await self.line.ask(seen.case.id, seen.script, timeout=self.line.patient)

    async def _killed(self, seen: Seen, heard: Heard) -> bool:
        """The control fails behind this case: note it, and see whether the server comes back."""
        dead = seen.heard is not None and seen.heard.reaction == DEAD and not seen.unsent
        seen.heard = msgspec.structs.replace(heard, reaction=DEAD)
        seen.judgement = self._judged(seen, seen.heard)
        seen.repeated = seen.repeated + 1 if dead else 1
        self.last = [seen.case.id]
        back = await self.back()
        return await self._confirm(seen) if back and seen.repeated < QUORUM else back


def _is_foreign(seen: Seen, heard: Heard) -> bool:
    """Whether what is no handshake was answered by what is no TLS."""
    return heard.reaction == NOT_TLS and seen.script.payload[:1] != bytes((HANDSHAKE,))
