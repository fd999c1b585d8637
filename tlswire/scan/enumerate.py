"""The question "which suites does this server accept?", one version at a time, by two methods with equal answers.

``each`` sends a hello of its own for every pair of version and suite. ``eliminate`` offers lists side by side, takes
away what the server picks until it refuses the rest, and then confirms every suite it picked by a hello that offers
that suite alone. A refused list settles its suites only after a second look in another grouping: some servers refuse
a whole list because of the one suite they would pick (Erlang), or because it is long.
Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from tlswire.hello.builder import SSLV2_VERSION, SSLV3_VERSION, TLS12_VERSION
from tlswire.probe.exchange import FAULT, UNASKED, Answer
from tlswire.registry import SUITES, VERSIONS
from tlswire.scan.offers import SMALL_HELLO, Probe, ProbeMaker, faults_of
from tlswire.scan.prober import HABIT, Prober
from tlswire.scan.tally import Choice, Tally
from tlswire.wire.records import Alert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# wolfSSL refuses lists of more than about 150 suites, others of more than 128.
SHORT_LIST = 100
HALF_LIST = 250
LONG_LIST = 1024
# A list that yields so many suites is split in two, up to so many lanes a version: they run side by side.
BUSY_LANE = 3
MAX_LANES = 8
DECODE_ERROR = 50
# So many unreadable answers in a row, and nothing more is asked: each may be a quarter of a mebibyte.
PATIENCE = 32
# Seconds a long list is given for its answer: it is a question of comfort, not worth a full timeout.
TOLERANCE = 1.0


class Enumeration:
    """Enumerates the versions of ``tallies`` over one prober; results are left in the tallies."""

    def __init__(
        self, prober: Prober, maker: ProbeMaker, tallies: Iterable[Tally], progress: Callable[[int], None] | None = None
    ) -> None:
        self.prober = prober
        self.maker = maker
        self.first_pick: tuple[int, int] | None = None  # (version, suite) the server picked on first contact
        self.tallies = sorted(tallies, key=lambda tally: -tally.version)
        self.faults: Counter[tuple[str, str]] = Counter()
        self.long_lists: bool | None = None  # unknown until a long list was answered
        self.lists_lie = False
        self._broken = 0
        self._progress = progress
        self._lanes: dict[int, int] = {}
        self._long_answer: dict[int, Answer] = {}

    async def each(self) -> None:
        """One hello for every open pair, the likeliest first: a scan that is cut short then knows the most."""
        pairs = [(tally, suite) for tally in self.tallies for suite in tally.open]
        rank = {suite: at for tally in self.tallies for at, suite in enumerate(tally.candidates)}
        pairs.sort(key=lambda pair: (not _defined(pair[1], pair[0].version), rank[pair[1]]))
        await self._alone(pairs)
        await self._second_thoughts()

    async def eliminate(self) -> None:
        """Few connections: lists first, then every suite found alone."""
        await self._try_long_list()
        modern = [tally for tally in self.tallies if tally.version >= TLS12_VERSION]
        older = [tally for tally in self.tallies if tally.version < TLS12_VERSION]
        await _together(self._eliminate(tally, self._hints(tally)) for tally in modern)
        hints = [suite for tally in modern for suite in tally.accepted]
        await _together(self._eliminate(tally, hints) for tally in older)
        if self.lists_lie:
            await self._alone(self._refused_pairs())

    def _refused_pairs(self) -> list[tuple[Tally, int]]:
        """Every suite refused in a list, taken back: what such a list says of its suites is worth nothing here."""
        pairs = [(tally, code) for tally in self.tallies if _refused_otherwise(tally) for code in tally.rejected]
        for tally, code in pairs:
            del tally.rejected[code]
        return pairs

    async def order(self) -> None:
        """Whether server or client preference decides, and the server's order where it does."""
        await _together(self._order(tally) for tally in self.tallies if len(tally.accepted) > 1)

    # One suite a hello.

    async def _alone(self, pairs: Iterable[tuple[Tally, int]]) -> None:
        waiting = list(pairs)
        source = iter(waiting)
        await _together(self._work(source) for _ in range(min(self.prober.limits.concurrency, len(waiting))))

    async def _work(self, source: Iterator[tuple[Tally, int]]) -> None:
        for tally, suite in source:
            await self._single(tally, suite)

    async def _single(self, tally: Tally, suite: int) -> Answer:
        probe = self.maker.probe(tally.version, (suite,))
        answer = await self._ask(probe)
        tally.settle(suite, probe, answer)
        self._advance(1)
        return answer

    async def _second_thoughts(self) -> None:
        """Suites refused by the ending of a connection are offered once more, in lists: cheap, and it would show
        a limit that drops connections in the same way as the server refuses hellos.
        """
        for tally in self.tallies:
            if tally.version == SSLV2_VERSION:
                continue
            doubtful = tuple(code for code, why in tally.rejected.items() if self.prober.habitual(why))
            for chunk in _strided(doubtful, SHORT_LIST):
                answer = await self._ask(self.maker.probe(tally.version, chunk))
                if tally.picked(answer, chunk) is not None:
                    self._note(f"{tally.name}: a refused suite was taken from a list; asked its {len(chunk)} again")
                    self.prober.pacer.limit_window(1)
                    for code in chunk:
                        del tally.rejected[code]
                    await self._alone((tally, code) for code in chunk)

    # Lists.

    async def _try_long_list(self) -> None:
        """Offer everything at the oldest version in one hello: an answer shows that long lists do no harm here.

        The oldest version is the one most servers refuse, so the hello mostly settles that version too.
        """
        tally = min((tally for tally in self.tallies if tally.version != SSLV2_VERSION), key=_version, default=None)
        if tally is None or len(tally.candidates) <= SHORT_LIST:
            return
        answer = await self.prober.once(
            self.maker.probe(tally.version, tally.candidates[:LONG_LIST]), timeout=TOLERANCE
        )
        self.long_lists = answer.decisive and answer.alert != Alert(2, DECODE_ERROR)
        if self.long_lists:
            self._long_answer = {tally.version: answer}
        else:
            self._note(f"long lists of suites end in {answer.label}: offered short ones")

    def _hints(self, tally: Tally) -> tuple[int, ...]:
        if self.first_pick is None or self.first_pick[0] != tally.version:
            return ()
        return self.first_pick[1:]

    async def _eliminate(self, tally: Tally, hints: Iterable[int]) -> None:
        if tally.version == SSLV2_VERSION:
            await self._sslv2(tally)
            return
        suites = tally.open
        if tally.version < TLS12_VERSION and self._short(tally) and await self._version_refused(tally, suites):
            return
        asked = frozenset(suites)
        await self._alone((tally, code) for code in hints if code in asked and _fits(code, tally.version))
        found = await self._lists(tally, tuple(code for code in suites if code not in tally.accepted))
        if not found and not tally.accepted and self.long_lists and _refused_otherwise(tally):
            # wolfSSL refuses lists of more than about 150 suites with the alert for "none of these".
            self.long_lists = False
            tally.rejected.clear()
            found = await self._lists(tally, suites)
        await self._alone((tally, code) for code in found)
        await self._second_look(tally)

    async def _version_refused(self, tally: Tally, suites: tuple[int, ...]) -> bool:
        """Whether the version itself is refused, whatever the suites."""
        # SSLv3 has no protocol_version alert: handshake_failure stands for both (RFC 6101 section 5.4.2), so the
        # same must be said of two groups that share no key exchange.
        static = tuple(code for code in suites if SUITES[code].kex == "RSA")
        groups = [suites]
        if tally.version == SSLV3_VERSION:
            groups += [static, tuple(code for code in suites if code not in frozenset(static))]
        answer = self._long_answer.get(tally.version)
        for group in groups:
            if answer is None or group is not suites:
                answer = await self._ask(self.maker.probe(tally.version, group))
            hello, alert = answer.hello, answer.alert
            refused = hello is not None and hello.version != tally.version
            if alert is not None:
                refused = alert.name == "protocol_version" or tally.version == SSLV3_VERSION
            if not refused:
                return False
        if answer is not None:
            self._refuse(tally, tally.open, answer)
        return True

    def _short(self, tally: Tally) -> bool:
        """Whether all candidates of the version may go into one hello."""
        return bool(self.long_lists) and len(tally.candidates) <= LONG_LIST

    async def _lists(self, tally: Tally, suites: tuple[int, ...]) -> list[int]:
        """Lanes side by side, each offering its list until nothing of it is picked; returns what was picked."""
        found: list[int] = []
        chunks = _strided(suites, self._list_size(tally, suites))
        self._lanes[tally.version] = len(chunks)
        await _together(self._lane(tally, chunk, found) for chunk in chunks)
        return found

    def _list_size(self, tally: Tally, suites: tuple[int, ...]) -> int:
        if not self.long_lists:
            empty = self.maker.probe(tally.version, suites[:1])
            return max(1, min(SHORT_LIST, (SMALL_HELLO - len(empty.payload)) // 2 + 1))
        return LONG_LIST if len(suites) > LONG_LIST else HALF_LIST

    async def _lane(self, tally: Tally, suites: tuple[int, ...], found: list[int]) -> None:
        left = suites
        picks = 0
        while left:
            answer = await self._ask(self.maker.probe(tally.version, left))
            picked = tally.picked(answer, left)
            if picked is not None:
                tally.choices.append(Choice(left, picked))
                found.append(picked)
                left = tuple(code for code in left if code != picked)
                picks += 1
                if picks % BUSY_LANE == 0 and len(left) > 1 and self._lanes[tally.version] < MAX_LANES:
                    self._lanes[tally.version] += 1
                    await _together(self._lane(tally, half, found) for half in (left[::2], left[1::2]))
                    return
            elif await self._list_displeases(tally, left, answer):
                half = len(left) // 2
                await self._lane(tally, left[:half], found)
                left = left[half:]
            else:
                self._refuse(tally, left, answer)
                return

    async def _list_displeases(self, tally: Tally, suites: tuple[int, ...], answer: Answer) -> bool:
        """Whether a list was refused for being a list: it ended the connection, and single hellos are not refused so.

        An alert is taken at its word; the second look catches those that lie.
        """
        if answer.decisive or answer.kind == UNASKED or len(suites) == 1:
            return False
        for code in suites[:HABIT]:
            if self.prober.habitual(answer.kind):
                return False
            await self._single(tally, code)
        if self.prober.habitual(answer.kind):
            return False
        size = len(self.maker.probe(tally.version, suites).payload)
        self._note(f"a hello of {size} bytes with {len(suites)} suites ended in {answer.kind}: offered shorter lists")
        return True

    async def _second_look(self, tally: Tally) -> None:
        """Test whether lists are refused because of one suite that spoils them (Erlang, mbed TLS).

        What was refused is offered again with a suite behind it that the server takes, the one it took last: it must
        take it. Then the siblings of what it takes are offered apart from the rest, which cannot spoil them there.
        """
        if not _refused_otherwise(tally) or self.lists_lie:
            return
        refused = tuple(tally.rejected)
        if not tally.accepted:
            await self._families_apart(tally, refused)
            return
        last = next(reversed(tally.accepted))
        kinds = {SUITES[code].auth for code in tally.accepted}
        related = frozenset(row.code for row in SUITES if row.auth in kinds)
        siblings = tuple(code for code in refused if code in related)
        size = LONG_LIST if self.long_lists else SHORT_LIST
        lists = [(*chunk, last) for chunk in _strided(refused, size)]
        if len(siblings) < len(refused):
            lists += _strided(siblings, size)
        for offered in lists:
            answer = await self._ask(self.maker.probe(tally.version, offered))
            picked = tally.picked(answer, offered)
            if picked == (last if offered[-1] == last else None) or answer.kind == UNASKED:
                continue
            if picked is None and len(offered) > SHORT_LIST + 1:
                self.long_lists = False
                self._note(f"refuses a list of {len(offered)} suites though it takes one of them: offered short lists")
                await self._second_look(tally)
            else:
                self._distrust_lists()
            return

    async def _families_apart(self, tally: Tally, refused: tuple[int, ...]) -> None:
        """Where nothing was taken at all there is no suite to test lists with: offer each key exchange by itself."""
        families: dict[tuple[str, str], list[int]] = {}
        for code in filter(SUITES.__contains__, refused):
            families.setdefault((SUITES[code].kex, SUITES[code].auth), []).append(code)
        if len(families) == 1:
            return
        for codes in families.values():
            for chunk in _strided(tuple(codes), LONG_LIST if self.long_lists else SHORT_LIST):
                answer = await self._ask(self.maker.probe(tally.version, chunk))
                if tally.picked(answer, chunk) is not None:
                    self._distrust_lists()
                    return

    def _distrust_lists(self) -> None:
        self.lists_lie = True
        self._note("refuses lists for one suite in them, though it takes others of the list: asked all alone")

    async def _sslv2(self, tally: Tally) -> None:
        probe = self.maker.probe(SSLV2_VERSION, tally.candidates)
        answer = await self._ask(probe)
        kinds = answer.sslv2.kinds if answer.sslv2 is not None else ()
        self._refuse(tally, tuple(kind for kind in tally.candidates if kind not in kinds), answer)
        await self._alone((tally, kind) for kind in kinds if kind in tally.candidates)

    # Preference.

    async def _order(self, tally: Tally) -> None:
        accepted = tuple(code for code in tally.candidates if code in tally.accepted)
        if tally.version == SSLV2_VERSION:
            tally.preference = "client"  # the SSLv2 client picks from what the server lists
            return
        telling = self._telling_choice(tally)
        if telling is None:
            # Both ways round at once: one more hello at times, one round trip less always.
            both = [self._choose(tally, accepted), self._choose(tally, accepted[::-1])]
            choices = await asyncio.gather(*both)
        else:
            offered = tuple(code for code in telling.offered if code in tally.accepted)
            settled = telling.picked != offered[0]
            choices = [telling if settled else await self._choose(tally, offered[::-1])]
        if None in choices:
            return
        if all(choice is not None and choice.picked == choice.offered[0] for choice in choices):
            tally.preference = "client"
            return
        tally.preference = "server"
        tally.order = await self._server_order(tally, accepted)

    def _telling_choice(self, tally: Tally) -> Choice | None:
        """A pick already seen that had a choice of at least two accepted suites; one that went past the first, best."""
        telling = None
        for choice in tally.choices:
            offered = [code for code in choice.offered if code in tally.accepted]
            if len(offered) > 1 and choice.picked in tally.accepted:
                telling = choice
                if choice.picked != offered[0]:
                    return choice
        return telling

    async def _server_order(self, tally: Tally, suites: tuple[int, ...]) -> tuple[int, ...]:
        order: list[int] = []
        left = suites
        while len(left) > 1:
            choice = await self._choose(tally, left)
            if choice is None:
                return ()
            order.append(choice.picked)
            left = tuple(code for code in left if code != choice.picked)
        return (*order, *left)

    async def _choose(self, tally: Tally, suites: tuple[int, ...]) -> Choice | None:
        answer = await self._ask(self.maker.probe(tally.version, suites))
        picked = tally.picked(answer, suites)
        return None if picked is None else Choice(suites, picked)

    # Common.

    async def _ask(self, probe: Probe) -> Answer:
        answer = await self.prober.ask(probe)
        self.faults.update(faults_of(probe, answer))
        self._broken = self._broken + 1 if answer.kind == FAULT else 0
        if self._broken == PATIENCE and not self.prober.over:
            self._note(f"{PATIENCE} answers in a row could not be read: gave up")
            self.prober.give_up(self.prober.notes[-1])
        return answer

    def _refuse(self, tally: Tally, suites: tuple[int, ...], answer: Answer) -> None:
        tally.settle_all(suites, answer)
        self._advance(len(suites))

    def _advance(self, settled: int) -> None:
        if self._progress is not None:
            self._progress(settled)

    def _note(self, text: str) -> None:
        if text not in self.prober.notes:
            self.prober.notes.append(text)


async def _together(coroutines: Iterable[object]) -> None:
    async with asyncio.TaskGroup() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)  # type: ignore[arg-type]  # coroutines of this class


def _version(tally: Tally) -> int:
    return tally.version


def _refused_otherwise(tally: Tally) -> bool:
    """Whether anything was refused for another reason than its version."""
    ways = set(tally.rejected.values())
    return any(why != "alert:protocol_version" and not why.startswith("answers TLS") for why in ways)


def _fits(code: int, version: int) -> bool:
    oldest = SUITES[code].min_version
    return not oldest or VERSIONS.find(oldest).code <= version


def _defined(code: int, version: int) -> bool:
    """Whether the version defines the suite, going by the registry (unknown codes: no)."""
    row = SUITES[code]
    if version == SSLV2_VERSION:
        return True
    return bool(row.min_version) and _fits(code, version) and version <= VERSIONS.find(row.max_version).code


def _strided(suites: tuple[int, ...], size: int) -> list[tuple[int, ...]]:
    """``suites`` dealt like cards into lists of at most ``size``, so that likely ones do not meet in one list."""
    count = -(-len(suites) // size)
    return [suites[at::count] for at in range(count)]
