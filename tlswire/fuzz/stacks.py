"""The stacks that are known by their reactions, and which of them a server looks like.

``stacks.csv`` has a row for each stack that was surveyed (``make survey`` writes it): its name, the implementation and
version of its TLS, and its vector as ``reaction=ID ID ...`` joined by ``;``. Must not import anything of tlswire but
``errors``, ``results`` and ``fuzz.compare``.
"""

from __future__ import annotations

import csv
import io
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.compare import Vector, distance
from tlswire.results.fuzz_compare import Likeness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TABLE = Path(__file__).parent / "stacks.csv"
_COLUMNS = ("name", "implementation", "version", "vector")
# A stack is named where at most this share of the cases that both were asked differs ...
NEAR = 0.08
# ... and these are enough: so many, and such a share of all that the server was asked.
ENOUGH, SHARE = 60, 0.5
SHOWN = 3


class Stack(msgspec.Struct, frozen=True):
    """One known stack: ``name`` is what answered, ``implementation`` and ``version`` are those of its TLS."""

    name: str
    implementation: str
    version: str
    vector: Vector


@lru_cache(maxsize=1)
def known() -> tuple[Stack, ...]:
    """The shipped table."""
    return tuple(read(TABLE.read_text(encoding="utf-8")))


def read(text: str) -> Iterable[Stack]:
    """The rows of a table."""
    for cells in csv.DictReader(io.StringIO(text)):
        yield Stack(cells["name"], cells["implementation"], cells["version"], _unpacked(cells["vector"]))


def written(stacks: Iterable[Stack]) -> str:
    """The table of these stacks; ``read`` reads it."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for stack in stacks:
        rows.writerow((stack.name, stack.implementation, stack.version, _packed(stack.vector)))
    return out.getvalue()


def _packed(vector: Mapping[str, str]) -> str:
    by_reaction: dict[str, list[str]] = {}
    for name, reaction in sorted(vector.items()):
        by_reaction.setdefault(reaction, []).append(name)
    return ";".join(f"{reaction}={' '.join(names)}" for reaction, names in sorted(by_reaction.items()))


def _unpacked(text: str) -> Vector:
    found: Vector = {}
    for part in filter(None, text.split(";")):
        reaction, _, names = part.partition("=")
        found |= dict.fromkeys(names.split(), reaction)
    return found


def nearest(vector: Vector, stacks: Sequence[Stack] | None = None, count: int = SHOWN) -> list[Likeness]:
    """The ``count`` stacks that react most alike, the nearest first; ``near`` says which are near enough to be named.

    Cases that one of both was not asked, for it lacks the feature, do not count, so stacks that share few cases with
    the server are never near.
    """
    found = []
    for stack in known() if stacks is None else stacks:
        share = distance(vector, stack.vector)
        if share is None:
            continue
        common = len(vector.keys() & stack.vector.keys())
        enough = common >= max(ENOUGH, SHARE * max(len(vector), len(stack.vector)))
        likeness = Likeness(
            name=stack.name,
            implementation=stack.implementation,
            version=stack.version,
            distance=round(share, 4),
            cases=common,
            near=enough and share <= NEAR,
        )
        found.append((not enough, share, likeness))
    found.sort(key=lambda one: one[:2])
    return [likeness for _, _, likeness in found[:count]]
