"""One campaign: preflight, every case once side by side, then what deviates again, until it is believed or not.

``fuzz.confirm`` decides what is believed; this module knows the cases, tells of what is found as soon as it is, and
makes the result. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from tlswire import __version__
from tlswire.errors import UsageError
from tlswire.fuzz.cases.rows import OLDER
from tlswire.fuzz.confirm import QUORUM, Confirmer, Seen
from tlswire.fuzz.corpus import Corpus
from tlswire.fuzz.edits import differences
from tlswire.fuzz.generate import base_tree, generated
from tlswire.fuzz.line import Bounds, Line
from tlswire.fuzz.oracle import GENERATED, NOT_APPLICABLE, UNKNOWN, Judgement
from tlswire.fuzz.preflight import Known, preflight
from tlswire.fuzz.reduce import reduced
from tlswire.fuzz.replay import Origin, ground_of, proven
from tlswire.fuzz.script import Script
from tlswire.probe.opening import opening
from tlswire.probe.transport import UNRESOLVED
from tlswire.registry import VERSIONS
from tlswire.results.fuzz import CaseResult, Finding, Fuzz
from tlswire.results.scan import Target, Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.model import Case
    from tlswire.fuzz.script import Ground
    from tlswire.probe.proxy import Proxy
    from tlswire.probe.transport import Address
    from tlswire.results.finding import ProvenFinding

# Seconds between two looks at the progress.
_TOLD_EVERY = 0.1
INTERRUPTED = "interrupted"
# Bytes of a finding kept in the result.
KEPT = 1 << 15
_LEVELS = ("MUST", "SHOULD", "MAY", "unspecified")


class Options(msgspec.Struct, frozen=True):
    """What is asked of one server beside the cases given: ``generate`` so many more of the seed, then ``explore`` seconds
    of mutations led by what they draw. Findings of both are reduced to the least hello that shows them; those of named
    cases, too, where ``shrink`` says so. ``server_name`` None sends ``localhost``; ``stack`` is the server's software, if
    known. Where TLS does not begin at once ``starttls`` names the protocol around it, and ``proxy`` the way there.
    """

    server_name: str | None = None
    seed: int = 0
    generate: int = 0
    explore: float = 0.0
    shrink: bool = False
    bounds: Bounds = Bounds()
    stack: str | None = None
    starttls: str = ""
    proxy: Proxy | None = None


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
    """Run ``cases`` against ``address``. Never raises for what the server does; UsageError for a bad server name, for a
    STARTTLS protocol that is not known, for a proxy whose name does not resolve, and where the corpus cannot be written.

    ``found`` is told of every finding once it is confirmed, and again when a smaller case shows the same cause;
    ``corpus`` is what an exploration remembers.
    """
    name = options.server_name if options.server_name is not None else "localhost"
    ground = ground_of(options.seed, name)
    way = await opening(address, starttls=options.starttls, name=options.server_name or host, proxy=options.proxy)
    line = Line(address, ground, options.bounds, observe, way)
    more = generated(ground, options.generate, options.seed)
    campaign = Campaign(host, line, (*cases, *more), name, progress, found, options)
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
        options: Options = Options(),  # noqa: B008 - a frozen value
    ) -> None:
        self.host = host
        self.line = line
        self.cases = cases
        self.server_name = server_name
        self.stack = options.stack
        self._shrink = options.shrink
        self.seen: dict[str, Seen] = {}
        self.confirmer = Confirmer(line, Known(frozenset(), None, there=False), self._tell)
        self._progress = progress
        self._found = found
        self._told: dict[
            str, tuple[str, bool]
        ] = {}  # causes; the case that was told of each, and whether it was reduced
        self._done = 0
        self._asked = 0
        self._last_told = 0.0
        self._began = datetime.now(UTC)

    async def run(self, then: Callable[[Known], Awaitable[None]] | None = None) -> Fuzz:
        """Everything, ``then`` what goes on from there, and the result."""
        try:
            known = self.confirmer.known = await preflight(self.line)
            if known.control is not None:
                if known.note:
                    self.confirmer.notes.append(known.note)
                if known.serial:
                    self.confirmer.notes.append("serves one client at a time: cases are sent one after the other")
                await self._all(known)
                if then is not None and not self.line.over:
                    await then(known)
        except asyncio.CancelledError:
            self.line.over = INTERRUPTED
        self._tell_found()
        return self.result()

    async def _all(self, known: Known) -> None:
        for case in self.cases:
            self.seen[case.id] = self._made(case)
        asked = [seen for seen in self.seen.values() if not self._lacks(seen, known)]
        self._asked = len(asked)
        if known.serial:  # what it was asked last may hold it for a while; by now that is over, or nearly
            await self.confirmer.control()
        await asyncio.gather(*(self._once(seen) for seen in asked))
        await self.confirmer.all(asked)
        for group in self._causes().values():
            if self._shrink or group[0].case.group == GENERATED:
                await self._reduce(group[0])

    async def _reduce(self, seen: Seen) -> None:
        if not self.line.over:
            seen.reduced = await reduced(seen, self.line, self.confirmer.known.features, self.seen.values())
            self._tell()

    def _made(self, case: Case) -> Seen:
        try:
            return Seen(case, case.make(self.line.ground))
        except UsageError as error:  # what the case bends is left out of all hellos for this server
            return Seen(case, Script(b""), judgement=Judgement(NOT_APPLICABLE, (str(error),)))

    def _lacks(self, seen: Seen, known: Known) -> bool:
        if seen.judgement.verdict == NOT_APPLICABLE:
            return True
        needs = (*seen.case.needs, "tls12") if seen.case.base == OLDER else seen.case.needs
        missing = [name for name in needs if name not in known.features]
        if missing:
            seen.judgement = Judgement(NOT_APPLICABLE, (f"the server does not show {', '.join(missing)}",))
        return bool(missing)

    async def _once(self, seen: Seen) -> None:
        await self.confirmer.once(seen)
        self._done += seen.heard is not None
        self._tell_progress()

    async def confirmed(self, case: Case, script: Script) -> Seen | None:
        """What is seen three times of a case beyond the catalogue; None where it conforms, or does not repeat."""
        seen = Seen(case, script)
        await self.confirmer.once(seen)
        if not seen.deviates or not await self.confirmer.confirm(seen) or not seen.deviates:
            return None
        await self._reduce(seen)
        return seen

    def add(self, seen: Seen) -> None:
        """Make what was found beyond the catalogue a part of the result."""
        self.seen[seen.case.id] = seen
        self._tell_found()

    def _tell(self) -> None:
        """Tell of what was found, and how far we are."""
        self._tell_found()
        self._tell_progress()

    def _tell_progress(self) -> None:
        if self._progress is None or self.line.elapsed < self._last_told + _TOLD_EVERY:
            return
        self._last_told = self.line.elapsed
        found = sum(1 for one in self.seen.values() if one.deviates)
        reactions = {one.heard.reaction for one in self.seen.values() if one.heard is not None}
        self._progress(
            Progress(self._done, self._asked, found, len(reactions), self.line.connections, self.line.elapsed)
        )

    def _tell_found(self) -> None:
        if self._found is None:
            return
        features = self.confirmer.known.features
        for cause, group in self._causes().items():
            seen = group[0]
            told = (seen.case.id, seen.reduced is not None)
            if self._told.get(cause) == told:
                continue
            script, heard, fields, contacts = self._least(seen)
            if heard is None:
                continue
            self._told[cause] = told
            origin = Origin(self.target, self.line.ground.seed, features, self.stack)
            self._found(proven(seen.case, script, heard, seen.judgement, fields, origin, contacts))

    def _least(self, seen: Seen) -> tuple[Script, Heard | None, tuple[str, ...], int]:
        """The smallest that shows a finding: what is sent, heard, differs, and how often the server was asked."""
        fields, shrunk = changes(seen.case, seen.script, self.line.ground), seen.reduced
        if shrunk is None:
            return seen.script, seen.heard, fields, seen.repeated
        least = shrunk.shrunk
        return least.script, shrunk.heard, least.differences or fields, seen.repeated + least.contacts

    # What comes out.

    def result(self) -> Fuzz:
        """The value of everything so far."""
        known, over = self.confirmer.known, self.line.over
        notes = [*self.confirmer.notes]
        if over and not any(over in note for note in notes):
            notes.append(over)
        for seen in self.seen.values():
            if seen.deviates and seen.repeated < QUORUM:
                why = f"{over or INTERRUPTED}; seen {seen.repeated} times: {seen.judgement.reasons[0]}"
                seen.judgement = Judgement(UNKNOWN, (why,))
        results = [_result(seen) for seen in self.seen.values()]
        unknown = any(one.verdict == UNKNOWN for one in results)
        return Fuzz(
            target=self.target,
            seed=self.line.ground.seed,
            complete=known.error is None and not unknown and not over,
            reachable=known.there,
            connections=self.line.connections,
            started=self._began.isoformat(timespec="seconds").replace("+00:00", "Z"),
            elapsed_s=round(self.line.elapsed, 3),
            features=sorted(known.features),
            cases=results,
            findings=self._findings(),
            last=[name for name in self.confirmer.last if name in self.seen],
            notes=notes,
            error=known.error,
            tool=Tool("tlswire", __version__),
            stack=self.stack,
        )

    @property
    def target(self) -> Target:
        """Who is asked, as results have it."""
        address, way = self.line.address, self.line.opening
        return Target(
            self.host,
            address.port,
            None if address.family == UNRESOLVED else address.host,
            self.server_name or None,
            None if way is None else way.starttls or None,
            None if way is None or way.proxy is None else str(way.proxy),
        )

    def _causes(self) -> dict[str, list[Seen]]:
        """Deviations that were seen three times by their cause; of each the strictest and smallest case first."""
        by_cause: dict[str, list[Seen]] = {}
        for seen in self.seen.values():
            if seen.deviates and seen.repeated >= QUORUM:
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
        script, heard, fields, contacts = self._least(least)
        sent = script.payload if heard is None else heard.sent
        received = b"" if heard is None else heard.received
        return Finding(
            cause=cause,
            level=least.case.level,
            cases=[seen.case.id for seen in group],
            clause=least.case.clause,
            text=least.judgement.reasons[0],
            history=least.case.history,
            case=least.case.id,
            differences=list(fields),
            sent=sent[:KEPT].hex(),
            received=received[:KEPT].hex(),
            cut=max(len(sent), len(received)) > KEPT,
            contacts=contacts,
        )


def changes(case: Case, script: Script, ground: Ground) -> tuple[str, ...]:
    """In which fields a case's hello differs from the valid one; the case's own words where its bytes are no hello."""
    if script.tree is None:
        return (case.difference,)
    return differences(base_tree(ground, case.base), script.tree) or (case.difference,)


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
