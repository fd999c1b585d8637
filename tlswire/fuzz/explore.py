"""Going on with Hypothesis: mutations of the valid hellos, led by how rare the reaction is that they draw.

Hypothesis runs on a thread of its own and asks the server through the event loop; between its runs what deviates is
confirmed as every case is, shrunk, and remembered in the corpus. Causes are told once. Must not import ``report`` or
``cli``.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from tlswire.fuzz.cases.rows import MODERN, OLDER
from tlswire.fuzz.corpus import EXAMPLES, Remembered
from tlswire.fuzz.generate import Mutation, base_tree, case_of_mutation
from tlswire.fuzz.oracle import DEVIATES, judge
from tlswire.wire.records import MAX_PLAINTEXT

if TYPE_CHECKING:
    from tlswire.fuzz.campaign import Campaign
    from tlswire.fuzz.corpus import Corpus
    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.model import Case
    from tlswire.fuzz.preflight import Known
    from tlswire.fuzz.script import Script

# Hellos a run of Hypothesis asks before deviations are looked at.
RUN = 300
# Connections of one answer are bounded by the line; a thread waits no longer than this for it, in seconds.
_LONGEST = 60.0


def class_of(heard: Heard) -> str:
    """What makes a reaction new: its class, its messages, and what was negotiated."""
    hello = heard.hello or heard.retry
    suite = "" if hello is None else f"{hello.suite:04X}"
    return f"{heard.reaction} {' '.join(heard.flight)} {heard.version:04X} {suite}"


class Explorer:
    """One exploration of ``seconds``; what it finds becomes cases of the campaign."""

    def __init__(
        self,
        campaign: Campaign,
        known: Known,
        corpus: Corpus,
        seconds: float,
    ) -> None:
        self.campaign = campaign
        self.known = known
        self.corpus = corpus
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + seconds
        self._suspects: dict[str, Mutation] = {}
        self._causes: set[str] = set()  # of suspects that were looked at
        self._least = set(corpus.causes())  # of what they were reduced to

    async def run(self) -> None:
        """What is remembered first, then Hypothesis until the time is over or the server is gone."""
        for one in tuple(self.corpus.remembered):
            if one.cause:
                await self._confirm(one.mutation, again=True)
        turn = 0
        while self._loop.time() < self._until and not self.campaign.line.over:
            await asyncio.to_thread(self._hunt, turn)
            suspects, self._suspects = self._suspects, {}
            for mutation in suspects.values():
                if not self.campaign.line.over:
                    await self._confirm(mutation, again=False)
            turn += 1

    def _hunt(self, turn: int) -> None:
        """One run of Hypothesis, on a thread."""
        import hypothesis  # noqa: PLC0415 - heavy, and only explorations need it
        from hypothesis import strategies  # noqa: PLC0415 - as above
        from hypothesis.database import DirectoryBasedExampleDatabase  # noqa: PLC0415 - as above

        from tlswire.fuzz.strategies import mutations  # noqa: PLC0415 - as above

        ground = self.campaign.line.ground
        bases = [MODERN] if "tls13" in self.known.features else []
        bases += [OLDER] if "tls12" in self.known.features else []
        folder = self.corpus.folder
        database = None if folder is None else DirectoryBasedExampleDatabase(folder / EXAMPLES)
        drawn = strategies.sampled_from(bases).flatmap(
            lambda base: strategies.tuples(strategies.just(base), mutations(base_tree(ground, base)))
        )
        sizes = strategies.one_of(strategies.just(MAX_PLAINTEXT), strategies.integers(1, 512))

        @hypothesis.seed(ground.seed << 20 | turn)
        @hypothesis.settings(
            max_examples=RUN,
            database=database,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.reuse, hypothesis.Phase.generate, hypothesis.Phase.target],
        )
        @hypothesis.given(drawn, sizes)
        def ask(mutation: tuple[str, Any], size: int) -> None:
            if self._loop.time() >= self._until or self.campaign.line.over:
                return
            base, edits = mutation
            hypothesis.target(self._novelty(Mutation(base, tuple(edits), size)), label="how rare the reaction is")

        ask()

    def _novelty(self, mutation: Mutation) -> float:
        """Ask, note what deviates, and tell how rare the reaction is: 0 for what every hello draws."""
        script = mutation.script(self.campaign.line.ground)
        future = asyncio.run_coroutine_threadsafe(self.campaign.line.ask("explored", script), self._loop)
        heard = future.result(_LONGEST)
        if heard.ending == "unasked":
            return 0.0
        if heard.unsent:
            asyncio.run_coroutine_threadsafe(self.campaign.confirmer.back(), self._loop).result(_LONGEST)
            return 0.0
        drew = class_of(heard)
        times = self.corpus.saw(drew)
        case = self._case(mutation, script)
        judged = self.known.features.issuperset(case.needs)
        judgement = judge(case, script, heard, self.known.features)
        if judged and judgement.verdict == DEVIATES:
            if judgement.cause not in self._causes:
                self._suspects.setdefault(judgement.cause, mutation)
        elif times == 1:
            self.corpus.remember(Remembered(mutation, drew))
        return -math.log2(times / (1 + sum(self.corpus.classes.values())))

    def _case(self, mutation: Mutation, script: Script) -> Case:
        return case_of_mutation(self.campaign.line.ground, mutation, script)

    async def _confirm(self, mutation: Mutation, *, again: bool) -> None:
        """Confirm and reduce a suspect; causes are those of the reduced hello, and told once."""
        script = mutation.script(self.campaign.line.ground)
        seen = await self.campaign.confirmed(self._case(mutation, script), script)
        if seen is None or seen.heard is None:
            return
        self._causes.add(seen.judgement.cause)
        if seen.reduced is not None and seen.reduced.shrunk.edits:
            # The framing of what was drawn is no part of the name of what is left.
            least = Mutation(mutation.base, seen.reduced.shrunk.edits)
            seen.case = self._case(least, seen.reduced.shrunk.script)
            seen.judgement = judge(seen.case, seen.reduced.shrunk.script, seen.reduced.heard, self.known.features)
        if seen.case.id in self.campaign.seen or (seen.judgement.cause in self._least and not again):
            return
        self._least.add(seen.judgement.cause)
        if not again:
            self.corpus.remember(Remembered(mutation, class_of(seen.heard), seen.judgement.cause))
        self.campaign.add(seen)
