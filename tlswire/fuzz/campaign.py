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
from tlswire.errors import UsageError
from tlswire.fuzz.confirm import QUORUM, Confirmer, Seen
from tlswire.fuzz.corpus import Corpus
from tlswire.fuzz.edits import differences
from tlswire.fuzz.generate import generated
from tlswire.fuzz.line import Bounds, Line
from tlswire.fuzz.oracle import NOT_APPLICABLE, UNKNOWN, Judgement
from tlswire.fuzz.preflight import preflight
from tlswire.fuzz.script import Ground
from tlswire.registry import VERSIONS
from tlswire.results.fuzz import CaseResult, Finding, Fuzz
from tlswire.results.scan import Target, Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.model import Case
    from tlswire.fuzz.preflight import Known
    from tlswire.fuzz.script import Script
    from tlswire.probe.transport import Address

# Bytes of a finding kept in the result.
KEPT = 1 << 15
_BASES = {"TLS 1.3+1.2": "", "TLS 1.2": "tls12"}
_LEVELS = ("MUST", "SHOULD", "MAY", "unspecified")


class Options(msgspec.Struct, frozen=True):
    """What is asked of one server beside the cases given: ``generate`` so many more of the seed, then ``explore`` seconds
    of mutations led by what they draw. ``server_name`` None sends ``localhost``.
    """

    server_name: str | None = None
    seed: int = 0
    generate: int = 0
    explore: float = 0.0
    bounds: Bounds = Bounds()


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
    corpus: Corpus | None = None,
) -> Fuzz:
    """Run ``cases`` against ``address``; ``corpus`` is what an exploration remembers. Never raises for what the server
    does; raises UsageError where the corpus cannot be written.
    """
    name = options.server_name if options.server_name is not None else "localhost"
    ground = Ground(options.seed, name.encode("idna" if not name.isascii() else "ascii"))
    line = Line(address, ground, options.bounds, observe)
    more = generated(ground, options.generate, options.seed)
    campaign = Campaign(host, line, (*cases, *more), name, progress)
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
    ) -> None:
        self.host = host
        self.line = line
        self.cases = cases
        self.server_name = server_name
        self.notes: list[str] = []
        self.seen: dict[str, Seen] = {}
        self.confirmer: Confirmer | None = None
        self._progress = progress
        self._done = 0
        self._began = datetime.now(UTC)

    async def run(self, then: Callable[[Known], Awaitable[None]] | None = None) -> Fuzz:
        """Everything, ``then`` what goes on from there, and the result."""
        known = await preflight(self.line)
        self.confirmer = confirmer = Confirmer(self.line, known)
        try:
            if known.control is not None:
                if known.serial:
                    self.notes.append("serves one client at a time: cases are sent one after the other")
                await self._all(confirmer)
                if then is not None and not self.line.over:
                    await then(known)
        except asyncio.CancelledError:
            self.notes.append("interrupted")
        return self.result(confirmer)

    async def _all(self, confirmer: Confirmer) -> None:
        for case in self.cases:
            self.seen[case.id] = Seen(case, case.make(self.line.ground))
        asked = [seen for seen in self.seen.values() if not self._lacks(seen, confirmer.known)]
        await asyncio.gather(*(self._once(seen, confirmer) for seen in asked))
        await confirmer.all(asked)

    def _lacks(self, seen: Seen, known: Known) -> bool:
        needs = (*seen.case.needs, *filter(None, (_BASES[seen.case.base],)))
        missing = [name for name in needs if name not in known.features]
        if missing:
            seen.judgement = Judgement(NOT_APPLICABLE, (f"the server does not show {', '.join(missing)}",))
        return bool(missing)

    async def confirmed(self, case: Case, script: Script) -> Seen | None:
        """What is seen three times of a case beyond the catalogue; None where it conforms, or does not repeat."""
        seen, confirmer = Seen(case, script), self.confirmer
        if confirmer is None:
            return None
        await confirmer.once(seen)
        if not seen.deviates or not await confirmer.confirm(seen) or not seen.deviates:
            return None
        self.seen[case.id] = seen
        return seen

    async def _once(self, seen: Seen, confirmer: Confirmer) -> None:
        await confirmer.once(seen)
        if seen.heard is None:
            return
        self._done += 1
        if self._progress is not None:
            found = sum(1 for one in self.seen.values() if one.deviates)
            reactions = {one.heard.reaction for one in self.seen.values() if one.heard is not None}
            self._progress(
                Progress(self._done, len(self.cases), found, len(reactions), self.line.connections, self.line.elapsed)
            )

    # What comes out.

    def result(self, confirmer: Confirmer) -> Fuzz:
        """The value of everything so far."""
        address, known = self.line.address, confirmer.known
        notes = [*self.notes, *confirmer.notes]
        for seen in self.seen.values():
            if seen.deviates and seen.repeated < QUORUM:
                why = self.line.over or "interrupted"
                seen.judgement = Judgement(
                    UNKNOWN, (f"{why}; seen {seen.repeated} times: {seen.judgement.reasons[0]}",)
                )
        results = [_result(seen) for seen in self.seen.values()]
        unknown = any(one.verdict == UNKNOWN for one in results)
        return Fuzz(
            target=Target(self.host, address.port, address.host, self.server_name or None),
            seed=self.line.ground.seed,
            complete=known.error is None and not unknown and not self.line.over,
            reachable=known.there,
            connections=self.line.connections,
            started=self._began.isoformat(timespec="seconds").replace("+00:00", "Z"),
            elapsed_s=round(self.line.elapsed, 3),
            features=sorted(known.features),
            cases=results,
            findings=self._findings(),
            last=[name for name in confirmer.last if name in self.seen],
            notes=notes
            + ([self.line.over] if self.line.over and not any(self.line.over in note for note in notes) else []),
            error=known.error,
            tool=Tool("tlswire", __version__),
        )

    def _findings(self) -> list[Finding]:
        """Deviations that were seen three times, one for each cause; those of the strictest level first."""
        by_cause: dict[str, list[Seen]] = {}
        for seen in self.seen.values():
            if seen.deviates:
                by_cause.setdefault(seen.judgement.cause, []).append(seen)
        found = [self._finding(cause, group) for cause, group in by_cause.items()]
        return sorted(found, key=lambda one: _LEVELS.index(one.level))

    def _finding(self, cause: str, group: list[Seen]) -> Finding:
        group.sort(key=lambda seen: (_LEVELS.index(seen.case.level), len(seen.script.payload)))
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


def case_of(cases: Iterable[Case], name: str) -> Case:
    """The case with this id or name. Raises UsageError."""
    for case in cases:
        if name in {case.id, case.name}:
            return case
    raise UsageError(ascii(name), "no such case; tlswire fuzz --list shows them")
