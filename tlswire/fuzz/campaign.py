"""One campaign: preflight, every case once side by side, then each deviation again, alone between controls, 3 of 3.

Nothing is believed once: a deviation that does not repeat is kept apart as unknown, silence is tried again alone with
more patience, and a control hello before and after tells what the server itself is worth at that moment. When it is
gone the campaign waits for it, then stops and says what was sent last. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from tlswire import __version__
from tlswire.fuzz.corpus import Corpus
from tlswire.fuzz.edits import differences
from tlswire.fuzz.generate import generated
from tlswire.fuzz.line import Bounds, Line
from tlswire.fuzz.model import DEAD, FLIGHT, HANG, RETRY
from tlswire.fuzz.oracle import CONFORMS, DEVIATES, NOT_APPLICABLE, UNKNOWN, Judgement, judge, told
from tlswire.fuzz.preflight import Known, preflight
from tlswire.fuzz.replay import Origin, ground_of, proven
from tlswire.registry import VERSIONS
from tlswire.results.fuzz import CaseResult, Finding, Fuzz
from tlswire.results.scan import Target, Tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.model import Case
    from tlswire.fuzz.script import Ground, Script
    from tlswire.probe.transport import Address
    from tlswire.results.finding import ProvenFinding

# A finding is what was seen so often, without an exception.
QUORUM = 3
# Seconds a server that is gone is given to come back, and how often it is looked for.
RECOVERY = 6.0
_LOOK = 0.25
# Seconds between two looks at the progress.
_TOLD_EVERY = 0.1
INTERRUPTED = "interrupted"
# Bytes of a finding kept in the result.
KEPT = 1 << 15
_BASES = {"TLS 1.3+1.2": "", "TLS 1.2": "tls12"}
_LEVELS = ("MUST", "SHOULD", "MAY", "unspecified")


class Options(msgspec.Struct, frozen=True):
    """What is asked of one server beside the cases given: ``generate`` so many more of the seed, then ``explore`` seconds
    of mutations led by what they draw. ``server_name`` None sends ``localhost``; ``stack`` is its software, if known.
    """

    server_name: str | None = None
    seed: int = 0
    generate: int = 0
    explore: float = 0.0
    bounds: Bounds = Bounds()
    stack: str | None = None


class Seen(msgspec.Struct):
    """One case and what became of it."""

    case: Case
    script: Script
    heard: Heard | None = None
    judgement: Judgement = Judgement(UNKNOWN, ("not asked",))
    repeated: int = 0


class Progress(msgspec.Struct, frozen=True):
    """How far a campaign is, for whoever watches."""

    done: int
    total: int
    findings: int
    reactions: int
    connections: int
    elapsed: float


async def fuzz_address(
    host: str,
    address: Address,
    cases: Iterable[Case],
    options: Options,
    *,
    observe: Callable[[str, Heard], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
    found: Callable[[ProvenFinding], None] | None = None,
    corpus: Corpus | None = None,
) -> Fuzz:
    """Run ``cases`` against ``address``; ``corpus`` is what an exploration remembers. Never raises for what the server
    does; raises UsageError for a bad server name and where the corpus cannot be written.

    ``found`` is told of every finding once it is confirmed, and again when a smaller case shows the same cause.
    """
    name = options.server_name if options.server_name is not None else "localhost"
    ground = ground_of(options.seed, name)
    line = Line(address, ground, options.bounds, observe)
    more = generated(ground, options.generate, options.seed)
    campaign = Campaign(host, line, (*cases, *more), name, progress, found, options.stack)
    if not options.explore:
        return await campaign.run()
    from tlswire.fuzz.explore import Explorer  # noqa: PLC0415 - Hypothesis is heavy

    return await campaign.run(lambda known: Explorer(campaign, known, corpus or Corpus(), options.explore).run())


class Campaign:
    """The state of one run; see the module's text."""

    def __init__(
        self,
        host: str,
        line: Line,
        cases: tuple[Case, ...],
        server_name: str,
        progress: Callable[[Progress], None] | None = None,
        found: Callable[[ProvenFinding], None] | None = None,
        stack: str | None = None,
    ) -> None:
        self.host = host
        self.line = line
        self.cases = cases
        self.server_name = server_name
        self.notes: list[str] = []
        self.last: list[str] = []
        self.seen: dict[str, Seen] = {}
        self.known: Known | None = None
        self.stack = stack
        self._progress = progress
        self._found = found
        self._told: dict[str, str] = {}  # causes, and the case that was told of each
        self._done = 0
        self._asked = 0
        self._last_told = 0.0
        self._well = asyncio.Event()  # cleared while the server is gone and looked for
        self._well.set()
        self._controlling = asyncio.Lock()
        self._control_to_come: asyncio.Future[bool] | None = None
        self._began = datetime.now(UTC)

    async def run(self, then: Callable[[Known], Awaitable[None]] | None = None) -> Fuzz:
        """Everything, ``then`` what goes on from there, and the result."""
        known = Known(frozenset(), None, there=False)
        try:
            self.known = known = await preflight(self.line)
            if known.control is not None:
                if known.serial:
                    self.notes.append("serves one client at a time: cases are sent one after the other")
                await self._all(known)
                if then is not None and not self.line.over:
                    await then(known)
        except asyncio.CancelledError:
            self.line.over = INTERRUPTED
        self._tell_found(known)
        return self.result(known)

    async def _all(self, known: Known) -> None:
        for case in self.cases:
            self.seen[case.id] = Seen(case, case.make(self.line.ground))
        asked = [seen for seen in self.seen.values() if not self._lacks(seen, known)]
        self._asked = len(asked)
        await asyncio.gather(*(self._once(seen, known) for seen in asked))
        doubtful = [seen for seen in asked if self._doubtful(seen) or (self._silent(seen) and not known.serial)]
        dead = [seen for seen in doubtful if seen.heard is not None and seen.heard.reaction == DEAD]
        # What may have taken the server down is asked alone, in the order it was sent; the rest side by side.
        killing = dead or (doubtful and not await self._control(known))
        if killing or known.serial:
            for seen in doubtful:
                if self.line.over or not await self._settle(seen, known):
                    break
        else:
            await asyncio.gather(*(self._settle(seen, known) for seen in doubtful))

    def _lacks(self, seen: Seen, known: Known) -> bool:
        needs = (*seen.case.needs, *filter(None, (_BASES[seen.case.base],)))
        missing = [name for name in needs if name not in known.features]
        if missing:
            seen.judgement = Judgement(NOT_APPLICABLE, (f"the server does not show {', '.join(missing)}",))
        return bool(missing)

    async def confirmed(self, case: Case, script: Script, known: Known) -> Seen | None:
        """What is seen three times of a case beyond the catalogue; None where it conforms, or does not repeat."""
        seen = Seen(case, script)
        await self._once(seen, known)
        if not self._doubtful(seen) or not await self._confirm(seen, known) or not self._doubtful(seen):
            return None
        self.seen[case.id] = seen
        self._tell_found(known)
        return seen

    async def _once(self, seen: Seen, known: Known) -> None:
        heard = await self.line.ask(seen.case.id, seen.script, ready=self._well)
        if heard.ending == "unasked":
            seen.judgement = Judgement(UNKNOWN, (heard.reason,))
            return
        self._judge(seen, heard, known)
        self._done += 1
        self._tell()
        if heard.reaction == DEAD and self._well.is_set():
            self._well.clear()
            await self._back(known)
            self._well.set()

    def _judge(self, seen: Seen, heard: Heard, known: Known) -> None:
        seen.heard = heard
        seen.repeated = 1
        seen.judgement = judge(seen.case, seen.script, heard, known.features)

    def _tell(self) -> None:
        if self._progress is None or self.line.elapsed < self._last_told + _TOLD_EVERY:
            return
        self._last_told = self.line.elapsed
        found = sum(1 for one in self.seen.values() if one.judgement.verdict == DEVIATES)
        reactions = {one.heard.reaction for one in self.seen.values() if one.heard is not None}
        self._progress(
            Progress(self._done, self._asked, found, len(reactions), self.line.connections, self.line.elapsed)
        )

    def _tell_found(self, known: Known) -> None:
        if self._found is None:
            return
        for cause, group in self._causes().items():
            seen = group[0]
            if seen.heard is None or self._told.get(cause) == seen.case.id:
                continue
            self._told[cause] = seen.case.id
            origin = Origin(self.target, self.line.ground.seed, known.features, self.stack)
            differences = changes(seen.case, seen.script, self.line.ground)
            self._found(proven(seen.case, seen.script, seen.heard, seen.judgement, differences, origin, seen.repeated))

    @staticmethod
    def _doubtful(seen: Seen) -> bool:
        return seen.judgement.verdict == DEVIATES

    @staticmethod
    def _silent(seen: Seen) -> bool:
        return seen.heard is not None and seen.heard.reaction == HANG

    async def _control(self, known: Known) -> bool:
        """Whether a control that is sent from now on is answered: one serves all that wait for the next."""
        if self._control_to_come is None:
            self._control_to_come = asyncio.ensure_future(self._one_control(known))
        return await asyncio.shield(self._control_to_come)

    async def _one_control(self, known: Known) -> bool:
        async with self._controlling:
            self._control_to_come = None
            if known.control is None:
                return False
            heard = await self.line.ask("control", known.control, timeout=self.line.patient)
            return heard.reaction in {FLIGHT, RETRY}

    async def _settle(self, seen: Seen, known: Known) -> bool:
        """Confirm, and tell of what came out."""
        going = await self._confirm(seen, known)
        self._tell()
        self._tell_found(known)
        return going

    async def _confirm(self, seen: Seen, known: Known) -> bool:
        """See it again between two controls; False when the server is gone for good."""
        if not await self._control(known) and not await self._back(known):
            return False
        first = seen.heard
        # Silence and an end of the server are no first sighting: they may be those of a neighbour.
        wanted = QUORUM if first is None or first.reaction in {HANG, DEAD} else QUORUM - 1
        if not self._doubtful(seen):
            wanted = 1
        agreed = -1
        async for heard in self._repeats(seen, wanted):
            agreed += 1
            if heard.ending == "unasked":
                seen.judgement = Judgement(UNKNOWN, (heard.reason,))
                return False
            if not await self._alive(heard, known):
                return await self._killed(seen, heard, known)
            verdict = judge(seen.case, seen.script, heard, known.features)
            if verdict.verdict == CONFORMS and first is not None and first.reaction in {HANG, DEAD}:
                self._judge(seen, heard, known)
                return True
            if agreed == 0 and wanted == QUORUM:
                seen.heard, seen.judgement = heard, verdict
            elif (heard.reaction, verdict.cause) != (seen.heard and seen.heard.reaction, seen.judgement.cause):
                shown = f"{told(seen.heard)} and {told(heard)}" if seen.heard is not None else told(heard)
                seen.judgement = Judgement(UNKNOWN, (f"flaky: {shown}",))
                return True
        seen.repeated = QUORUM
        if not await self._control(known):
            return await self._back(known)
        return True

    async def _repeats(self, seen: Seen, times: int) -> AsyncIterator[Heard]:
        """The case asked again; where it is silence that is waited for, all waits side by side."""
        if self._silent(seen):
            patient = self.line.patient
            asked = (self.line.ask(seen.case.id, seen.script, timeout=patient) for _ in range(times))
            for heard in await asyncio.gather(*asked):
                yield heard
            return
        for _ in range(times):
            yield await self.line.ask(seen.case.id, seen.script)

    async def _alive(self, heard: Heard, known: Known) -> bool:
        """After a silent or refused connection: does the control still work?"""
        return heard.reaction not in {HANG, DEAD} or await self._control(known)

    async def _killed(self, seen: Seen, heard: Heard, known: Known) -> bool:
        """The control fails behind this case: note it, and see whether the server comes back."""
        seen.heard = msgspec.structs.replace(heard, reaction=DEAD)
        seen.judgement = judge(seen.case, seen.script, seen.heard, known.features)
        seen.repeated += 1
        self.last = [seen.case.id]
        back = await self._back(known)
        if back and seen.repeated < QUORUM:
            return await self._confirm(seen, known)
        return back

    async def _back(self, known: Known) -> bool:
        """Whether the server is there (again), after RECOVERY seconds at most."""
        last = list(self.line.last)
        until = self.line.elapsed + RECOVERY
        while not self.line.over:
            if await self._control(known):
                return True
            if self.line.elapsed > until:
                self.last = self.last or list(dict.fromkeys(name for name in reversed(last) if name in self.seen))
                self.line.over = "the server is down"
                self.notes.append(f"the server is down; sent last: {', '.join(self.last[:8])}")
            await asyncio.sleep(_LOOK)
        return False

    # What comes out.

    def result(self, known: Known) -> Fuzz:
        """The value of everything so far."""
        for seen in self.seen.values():
            if self._doubtful(seen) and seen.repeated < QUORUM:
                why = self.line.over or INTERRUPTED
                seen.judgement = Judgement(
                    UNKNOWN, (f"{why}; seen {seen.repeated} times: {seen.judgement.reasons[0]}",)
                )
        results = [_result(seen) for seen in self.seen.values()]
        unknown = any(one.verdict == UNKNOWN for one in results)
        return Fuzz(
            target=self.target,
            seed=self.line.ground.seed,
            complete=known.error is None and not unknown and not self.line.over,
            reachable=known.there,
            connections=self.line.connections,
            started=self._began.isoformat(timespec="seconds").replace("+00:00", "Z"),
            elapsed_s=round(self.line.elapsed, 3),
            features=sorted(known.features),
            cases=results,
            findings=self._findings(),
            last=self.last,
            notes=self.notes + ([self.line.over] if self.line.over and self.line.over not in self.notes else []),
            error=known.error,
            tool=Tool("tlswire", __version__),
            stack=self.stack,
        )

    @property
    def target(self) -> Target:
        """Who is asked, as results have it."""
        address = self.line.address
        return Target(self.host, address.port, address.host, self.server_name or None)

    def _causes(self) -> dict[str, list[Seen]]:
        """Deviations that were seen three times by their cause; of each the strictest and smallest case first."""
        by_cause: dict[str, list[Seen]] = {}
        for seen in self.seen.values():
            if self._doubtful(seen) and seen.repeated >= QUORUM:
                by_cause.setdefault(seen.judgement.cause, []).append(seen)
        for group in by_cause.values():
            group.sort(key=lambda seen: (_LEVELS.index(seen.case.level), len(seen.script.payload)))
        return by_cause

    def _findings(self) -> list[Finding]:
        """One finding for each cause; those of the strictest level first."""
        found = [self._finding(cause, group) for cause, group in self._causes().items()]
        return sorted(found, key=lambda one: _LEVELS.index(one.level))

    def _finding(self, cause: str, group: list[Seen]) -> Finding:
        least = group[0]
        heard = least.heard
        sent = least.script.payload if heard is None else heard.sent
        received = b"" if heard is None else heard.received
        return Finding(
            cause=cause,
            level=least.case.level,
            cases=[seen.case.id for seen in group],
            clause=least.case.clause,
            text=least.judgement.reasons[0],
            history=least.case.history,
            case=least.case.id,
            differences=list(changes(least.case, least.script, self.line.ground)),
            sent=sent[:KEPT].hex(),
            received=received[:KEPT].hex(),
            cut=max(len(sent), len(received)) > KEPT,
            contacts=QUORUM,
        )


def changes(case: Case, script: Script, ground: Ground) -> tuple[str, ...]:
    """In which fields a case's hello differs from the valid one; the case's own words where its bytes are no hello."""
    if script.tree is None:
        return (case.difference,)
    base = ground.older_tree if _BASES[case.base] else ground.modern_tree
    return differences(base, script.tree) or (case.difference,)


def _result(seen: Seen) -> CaseResult:
    case, heard = seen.case, seen.heard
    version = None if heard is None or not heard.version else VERSIONS[heard.version].name
    return CaseResult(
        id=case.id,
        name=case.name,
        group=case.group,
        base=case.base,
        difference=case.difference,
        clause=case.clause,
        level=case.level,
        first="" if heard is None else heard.first,
        reaction="" if heard is None else heard.reaction,
        flight=[] if heard is None else list(heard.flight),
        allowed=list(case.allowed),
        verdict=seen.judgement.verdict,
        reasons=list(seen.judgement.reasons),
        version=version,
        repeated=seen.repeated,
        elapsed_s=0.0 if heard is None else round(heard.elapsed, 6),
    )
