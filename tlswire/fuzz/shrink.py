"""A hello that a server reacts to in a telling way, reduced to what it takes: one deviating field, or very few bytes.

Delta debugging over the edits that made the hello, then each value towards the valid one. Hypothesis shrinks what its
own strategies drew (``fuzz.strategies``), but cannot begin with a hello that was found elsewhere: measured on a session
id over 32 bytes, ``hypothesis.find`` asked 27 to 295 times to draw and shrink one anew; this asks 3 times. What a
campaign has recorded is looked up first, and nothing is asked twice.
Must not import anything of tlswire but ``errors``, ``wire`` and ``fuzz``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import msgspec

from tlswire.errors import UsageError
from tlswire.fuzz.edits import Edit, applied, between, differences
from tlswire.fuzz.fields import Block, Group, Leaf, at, encode, walk
from tlswire.fuzz.script import RECORD_VERSION, Script, message_of, records
from tlswire.wire.records import HANDSHAKE, HEADER, fragment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

CONTACTS, SECONDS = 300, 5.0
SMALL = 120  # bytes of a hello that a person reads at a glance


class Shrunk(msgspec.Struct, frozen=True):
    """The least that still does it.

    ``differences`` from the valid hello, a line each; ``edits`` that make it of the base (none for what is no hello);
    ``contacts`` is how often the server was asked, ``finished`` whether neither that nor the time ran out.
    """

    script: Script
    differences: tuple[str, ...]
    edits: tuple[Edit, ...]
    contacts: int
    finished: bool


class Framing(msgspec.Struct, frozen=True):
    """How a message is put into records: cut at these offsets, all of one version."""

    version: int = RECORD_VERSION
    cuts: tuple[int, ...] = ()

    def payload(self, message: bytes) -> bytes:
        """The message in records; without cuts in as few as there must be."""
        cuts = [cut for cut in self.cuts if cut < len(message)]
        if not cuts:
            return records(message, version=self.version)
        bounds = zip([0, *cuts], [*cuts, len(message)], strict=True)
        return b"".join(fragment(HANDSHAKE, self.version, message[start:end]) for start, end in bounds)

    def __str__(self) -> str:
        told = [f"in {len(self.cuts) + 1} records, cut at {self.cuts[0]}"] if self.cuts else []
        told += [f"in records of version 0x{self.version:04x}"] if self.version != RECORD_VERSION else []
        return "; ".join(told)


class _SpentError(Exception):
    """No contact or no time is left."""


class _Asking:
    """Asks the memory, then the server, and keeps the bounds."""

    def __init__(
        self,
        still: Callable[[Script], Awaitable[bool] | bool],
        memory: Mapping[bytes, bool],
        contacts: int,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.contacts = 0
        self._still, self._memory, self._most, self._clock = still, memory, contacts, clock
        self._until = clock() + seconds
        self._asked: dict[tuple[object, ...], bool] = {}

    async def __call__(self, script: Script) -> bool:
        key = (script.payload, script.cuts, script.fin)
        if key in self._asked:
            return self._asked[key]
        if script.payload in self._memory and not script.cuts and not script.fin:
            return self._memory[script.payload]
        if self.contacts >= self._most or self._clock() >= self._until:
            raise _SpentError
        self.contacts += 1
        answer = self._still(script)
        self._asked[key] = answer if isinstance(answer, bool) else await answer
        return self._asked[key]


async def shrink(
    script: Script,
    base: Group,
    still: Callable[[Script], Awaitable[bool] | bool],
    *,
    edits: Sequence[Edit] = (),
    memory: Mapping[bytes, bool] | None = None,
    contacts: int = CONTACTS,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Shrunk:
    """The least of ``script`` to which the server ``still`` reacts the same way.

    ``base`` is the tree of the valid hello; ``edits`` made the script's tree of it (not given: found by comparing);
    ``memory`` says of payloads that were sent before whether they did it. ``still`` is asked at most ``contacts`` times
    within ``seconds``; when either runs out, the best so far is given. A script of several turns stays as it is.
    """
    asking = _Asking(still, memory or {}, contacts, seconds, clock)
    framing = None if script.tree is None else _framing(script)
    if script.again is not None:
        return Shrunk(script, ("in what is said after the first hello",), (), 0, finished=True)
    if script.tree is None or framing is None:
        return await _shrunk_bytes(script, asking)
    made = tuple(edits) or between(base, script.tree)
    if encode(applied(base, made)) != encode(script.tree):
        return await _shrunk_bytes(script, asking)
    work = _Work(script, base, asking, made, framing)
    finished = True
    try:
        await work.run()
    except _SpentError:
        finished = False
    return Shrunk(work.best, work.told(), work.edits, asking.contacts, finished=finished)


def _framing(script: Script) -> Framing | None:
    """How the payload frames the message; None where it holds something else, too."""
    cuts, offset, at_, payload = [0], 0, 0, script.payload
    version = int.from_bytes(payload[1:3], "big")
    while at_ + HEADER.size <= len(payload):
        _, _, length = HEADER.unpack_from(payload, at_)
        at_, offset = at_ + HEADER.size + length, offset + length
        cuts.append(offset)
    framing = Framing(version, tuple(cuts[1:-1]))
    if framing.payload(script.message) != payload:
        return None
    return Framing(version) if records(script.message, version=version) == payload else framing


class _Work:
    """The state of one reduction: ``edits`` and ``framing`` are the least that was found to do it."""

    def __init__(self, script: Script, base: Group, asking: _Asking, edits: tuple[Edit, ...], framing: Framing) -> None:
        self.base, self.asking, self.edits, self.framing, self.best = base, asking, edits, framing, script

    async def run(self) -> None:
        """From the coarse to the fine: framing, edits, values, and the rest of the hello where edits hang together."""
        if self.best.cuts:
            await self._try(self.edits, self.framing, cuts=(), pause=0.0)
        if self.framing != Framing() and not await self._try(self.edits, Framing()):
            await self._try(self.edits, Framing(cuts=self.framing.cuts)) or await self._try(
                self.edits, Framing(self.framing.version)
            )
            await self._fewer_cuts()
        await self._fewer_edits()
        for place in range(len(self.edits)):
            await self._smaller(place)
        if len(self.edits) > 1:
            await self._fewer_bytes()

    def told(self) -> tuple[str, ...]:
        """The differences of the best from the valid hello."""
        lines = list(differences(self.base, applied(self.base, self.edits)))
        lines += [str(self.framing)] if str(self.framing) else []
        lines += [f"in {len(self.best.cuts) + 1} TCP segments"] if self.best.cuts else []
        return tuple(lines)

    async def _try(self, edits: Sequence[Edit], framing: Framing | None = None, **more: object) -> bool:
        framing = framing or self.framing
        try:
            tree = applied(self.base, edits)
        except (UsageError, OverflowError):
            return False
        message = message_of(tree)
        changed = {"payload": framing.payload(message), "message": message, "tree": tree}
        script = msgspec.structs.replace(self.best, **(changed | more))
        if not await self.asking(script):
            return False
        self.best, self.edits, self.framing = script, tuple(edits), framing
        return True

    async def _fewer_cuts(self) -> None:
        async def works(cuts: Sequence[int]) -> bool:
            return await self._try(self.edits, Framing(self.framing.version, tuple(cuts)))

        await _fewest(self.framing.cuts, works)

    async def _fewer_edits(self) -> None:
        if (self.framing != Framing() or self.best.cuts) and await self._try(()):
            return
        # Most often one edit does it alone: that is cheaper to find out than by halves.
        for edit in self.edits if len(self.edits) > 1 else ():
            if await self._try((edit,)):
                return
        await _fewest(self.edits, self._try)

    async def _smaller(self, place: int) -> None:
        """The edit at ``place`` by the value nearest to what the valid hello has."""

        async def works(edit: Edit) -> bool:
            return await self._try((*self.edits[:place], edit, *self.edits[place + 1 :]))

        edit = self.edits[place]
        try:
            field = at(applied(self.base, self.edits[:place]), edit.path)
        except UsageError:
            return
        for simpler in _simpler(edit, field):
            if await works(simpler):
                edit = simpler
                break
        target = _target(edit, field)
        if target is not None and isinstance(edit.value, int):
            await _nearest(target, edit.value, lambda value: works(Edit(edit.kind, edit.path, value)))
        elif isinstance(edit.value, bytes):
            made = _resized(edit.path, edit.value)
            longest = len(edit.value) - len(made(0))
            if longest > 0 and not await works(Edit(edit.kind, edit.path, made(0))):
                await _nearest(0, longest, lambda size: works(Edit(edit.kind, edit.path, made(size))))

    async def _fewer_bytes(self) -> None:
        """Leave out what the valid hello has and these edits do not need, until a person can read it."""
        touched = {place.removeprefix("extensions/").partition("/")[0] for place in (edit.path for edit in self.edits)}
        names = [path for path, _ in walk(self.base) if path.startswith("extensions/") and path.count("/") == 1]
        wanted = [Edit("size", "session_id", 0), Edit("size", "suites", 2)]
        wanted += [Edit("drop", path) for path in reversed(names)]
        wanted = [edit for edit in wanted if edit.path.removeprefix("extensions/") not in touched]
        before = (self.edits, self.framing, self.best)
        await self._try((*self.edits, *wanted))
        for edit in wanted if self.edits == before[0] else ():
            if len(self.best.message) > SMALL:
                await self._try((*self.edits, edit))
        if len(self.best.message) > SMALL:  # two differences read better than many, unless the hello got small by them
            self.edits, self.framing, self.best = before


def _simpler(edit: Edit, field: object) -> Iterator[Edit]:
    """Edits that may do the same and say more plainly what they do."""
    flat = isinstance(field, Leaf) or (isinstance(field, Block) and all(isinstance(item, Leaf) for item in field.items))
    if edit.kind in {"data", "append", "insert"} and isinstance(field, (Block, Leaf)) and flat:
        length = len(edit.value) if isinstance(edit.value, bytes) else 0
        held = _held(field)
        size = length if edit.kind == "data" else held + length
        if size != held:
            yield Edit("size", edit.path, size)
    elif edit.kind == "length-to" and isinstance(field, Block) and isinstance(edit.value, int):
        yield Edit("length-by", edit.path, edit.value - _held(field))


def _resized(path: str, value: bytes) -> Callable[[int], bytes]:
    """How bytes that an edit brings in are made shorter: an extension in its body, its length true; others at the end."""
    if path == "extensions" and int.from_bytes(value[2:4], "big") == len(value) - 4:
        return lambda size: value[:2] + size.to_bytes(2, "big") + value[4 : 4 + size]
    return lambda size: value[:size]


def _held(field: Block | Leaf) -> int:
    return len(encode(field)) - (field.width if isinstance(field, Block) else 0)


def _target(edit: Edit, field: object) -> int | None:
    """The value by which the edit would change nothing; None where values have no order."""
    if edit.kind in {"length-by", "duplicate"}:
        return 0
    return _held(field) if edit.kind == "size" and isinstance(field, (Block, Leaf)) else None


async def _nearest(good: int, bad: int, works: Callable[[int], Awaitable[bool]]) -> None:
    """Try values between ``good`` (does nothing) and ``bad`` (does it), the nearest to ``good`` first, then by halves."""
    step = 1 if bad > good else -1
    if abs(bad - good) <= 1 or await works(good + step):
        return
    good += step
    while abs(bad - good) > 1:
        middle = (good + bad) // 2
        if await works(middle):
            bad = middle
        else:
            good = middle


async def _fewest(items: Sequence[T], works: Callable[[Sequence[T]], Awaitable[bool]]) -> Sequence[T]:
    """Delta debugging: ever fewer of ``items`` that still work, left out by halves, quarters and so on."""
    pieces = 2
    while len(items) > 1:
        size = -(-len(items) // pieces)
        for start in range(0, len(items), size):
            rest = [*items[:start], *items[start + size :]]
            if await works(rest):
                items, pieces = rest, max(pieces - 1, 2)
                break
        else:
            if size == 1:
                break
            pieces = min(2 * pieces, len(items))
    return items


async def _shrunk_bytes(script: Script, asking: _Asking) -> Shrunk:
    """What is no hello: fewer bytes, first from its end."""
    best = script

    async def works(payload: bytes) -> bool:
        nonlocal best
        whole = bool(script.message) and records(script.message) in payload  # then its answer can be read still
        kept = (script.message, script.tree) if whole else (b"", None)
        shorter = msgspec.structs.replace(best, payload=payload, message=kept[0], tree=kept[1], cuts=(), pause=0.0)
        if not await asking(shorter):
            return False
        best = shorter
        return True

    finished = True
    try:
        await _nearest(0, len(script.payload), lambda length: works(script.payload[:length]))
        await _fewest(tuple(best.payload), lambda kept: works(bytes(kept)))
    except _SpentError:
        finished = False
    told = f"{len(script.payload)} bytes that are no plain hello, {len(best.payload)} of them do it"
    return Shrunk(best, (told,), (), asking.contacts, finished=finished)
