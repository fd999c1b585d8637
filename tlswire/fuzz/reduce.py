"""Findings reduced to what it takes: ``fuzz.shrink`` asked with the server, its answers judged as any hello's are.

What a smaller hello may draw is derived from its bytes (``fuzz.expect``), so that a reduction never ends in a hello that
deserves the reaction. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.cases.rows import base_of
from tlswire.fuzz.expect import expected
from tlswire.fuzz.generate import tree_of
from tlswire.fuzz.oracle import DEVIATES, judge, place_of
from tlswire.fuzz.shrink import shrink

if TYPE_CHECKING:
    from tlswire.fuzz.confirm import Seen
    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.line import Line
    from tlswire.fuzz.script import Script
    from tlswire.fuzz.shrink import Shrunk


class Reduced(msgspec.Struct, frozen=True):
    """The least of a finding, and what was heard for it."""

    shrunk: Shrunk
    heard: Heard


async def reduced(seen: Seen, line: Line, features: frozenset[str]) -> Reduced | None:
    """The least hello that draws from the server what ``seen`` deviates by; None where its bytes are no hello's."""
    case, script, first, cause = seen.case, seen.script, seen.heard, seen.judgement.cause
    if first is None or script.tree is None or script.client is not None or script.session is not None:
        return None
    ground = line.ground
    base = base_of(ground, case.base)
    heard: dict[bytes, Heard] = {script.payload: first}

    async def still(smaller: Script) -> bool:
        told = expected(smaller.message[4:], base)
        if not features.issuperset(told.needs):
            return False
        answer = await line.ask(case.id, smaller)
        derived = msgspec.structs.replace(case, **msgspec.structs.asdict(told))
        judgement = judge(derived, smaller, answer, features)
        heard[smaller.payload] = answer
        # Where the reaction itself deviates, its cause begins with the place; else it names what is wrong in the answer.
        same = cause.startswith(place_of(case)) or judgement.cause == cause
        return judgement.verdict == DEVIATES and answer.reaction == first.reaction and same

    least = await shrink(script, tree_of(ground, case.base), still)
    return Reduced(least, heard[least.script.payload])
