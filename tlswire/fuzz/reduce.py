"""Findings reduced to what it takes: ``fuzz.shrink`` asked with the server, its answers judged as any hello's are.

What a smaller hello may draw is derived from its bytes (``fuzz.expect``), so that a reduction never ends in a hello that
deserves the reaction. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.cases.rows import base_of
from tlswire.fuzz.expect import expected
from tlswire.fuzz.generate import base_tree
from tlswire.fuzz.oracle import DEVIATES, judge, place_of
from tlswire.fuzz.shrink import shrink

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.fuzz.confirm import Seen
    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.line import Line
    from tlswire.fuzz.script import Script
    from tlswire.fuzz.shrink import Shrunk


class Reduced(msgspec.Struct, frozen=True):
    """The least of a finding, and what was heard for it."""

    shrunk: Shrunk
    heard: Heard


async def reduced(seen: Seen, line: Line, features: frozenset[str], recorded: Iterable[Seen] = ()) -> Reduced | None:
    """The least hello that draws from the server what ``seen`` deviates by; None where its bytes are no hello's.

    What was ``recorded`` of other cases is looked up before the server is asked.
    """
    case, script, first, cause = seen.case, seen.script, seen.heard, seen.judgement.cause
    if first is None or not _plain(seen):
        return None
    ground = line.ground
    base = base_of(ground, case.base)
    reaction = first.reaction

    def deviates(smaller: Script, answer: Heard) -> bool:
        told = expected(smaller.message[4:], base)
        if answer.reaction != reaction or not features.issuperset(told.needs):
            return False
        derived = msgspec.structs.replace(case, **msgspec.structs.asdict(told))
        judgement = judge(derived, smaller, answer, features)
        # Where the reaction itself deviates, its cause begins with the place; else it names what is wrong in the answer.
        return judgement.verdict == DEVIATES and (cause.startswith(place_of(case)) or judgement.cause == cause)

    heard, memory = {script.payload: first}, {}
    for one in recorded:
        if one.heard is not None and _plain(one) and not one.script.cuts and not one.script.fin:
            heard.setdefault(one.script.payload, one.heard)
            memory[one.script.payload] = deviates(one.script, one.heard)

    async def still(smaller: Script) -> bool:
        heard[smaller.payload] = answer = await line.ask(case.id, smaller)
        return deviates(smaller, answer)

    least = await shrink(script, base_tree(ground, case.base), still, memory=memory)
    return Reduced(least, heard[least.script.payload])


def _plain(seen: Seen) -> bool:
    """Whether what was sent is one hello, and no more."""
    script = seen.script
    return script.tree is not None and script.client is None and script.session is None
