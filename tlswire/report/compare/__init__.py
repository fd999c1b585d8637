"""Two files of results compared, target by target: what changed, and whether that is for the worse.

What one of them does not say is unknown, neither better nor worse; what is unknown in both is no change. Pure: values in,
a value out. Must not import anything of tlswire but ``report`` and ``results``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tlswire.report.compare.scans import scan_changes
from tlswire.report.compare.stored import StoredScan
from tlswire.report.compare.verdicts import verdict_changes
from tlswire.results.diff import Change, Counts, Diff, TargetDiff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.report.compare.stored import Stored
    from tlswire.results.scan import Tool

    Key = tuple[str, int, str | None, str | None]


def compare(old: Sequence[Stored], new: Sequence[Stored], *, names: tuple[str, str], tool: Tool) -> Diff:
    """The difference of two lists of one kind, as ``stored.read`` gives them; ``names`` are those of the files."""
    targets = [_target(*pair) for pair in _pairs(old, new)]
    counts = Counter(change.direction for target in targets for change in target.changes)
    return Diff(
        of=type(new[0]).SCHEMA,
        old=names[0],
        new=names[1],
        counts=Counts(**{direction: counts[direction] for direction in Counts.__struct_fields__}),  # type: ignore[index]  # its fields are the directions
        targets=targets,
        tool=tool,
    )


def _pairs(old: Sequence[Stored], new: Sequence[Stored]) -> Iterator[tuple[Stored | None, Stored | None]]:
    """What is about the same target, in the order of the old file. Of several results of one address the last counts."""
    before, after = _by_target(old), _by_target(new)
    for key in dict.fromkeys((*before, *after)):
        ours, theirs = before.get(key, {}), after.get(key, {})
        both = [address for address in ours if address in theirs]
        yield from ((ours[address], theirs[address]) for address in both)
        gone = [result for address, result in ours.items() if address not in both]
        come = [result for address, result in theirs.items() if address not in both]
        if len(gone) == len(come) == 1:  # the name has another address now
            yield gone[0], come[0]
        else:
            yield from ((result, None) for result in gone)
            yield from ((None, result) for result in come)


def _by_target(results: Sequence[Stored]) -> dict[Key, dict[str | None, Stored]]:
    found: dict[Key, dict[str | None, Stored]] = {}
    for result in results:
        place = result.target
        key = (place.host.lower(), place.port, place.starttls, result.policy)
        found.setdefault(key, {})[place.address] = result
    return found


def _target(old: Stored | None, new: Stored | None) -> TargetDiff:
    known: Any = new or old
    return TargetDiff(
        host=known.target.host,
        port=known.target.port,
        address=known.target.address,
        starttls=known.target.starttls,
        policy=known.policy,
        found="both" if old and new else "old" if old else "new",
        changes=[] if old is None or new is None else list(_changes(old, new)),
    )


def _changes(old: Any, new: Any) -> Iterator[Change]:
    if old.target.address != new.target.address:
        before, after = (result.target.address or "several addresses" for result in (old, new))
        text = f"{after} was asked, before it was {before}"
        yield Change(direction="neutral", about="address", subject=after, text=text, old=before, new=after)
    if not (old.reachable and new.reachable):
        states = ["reached" if result.reachable else result.error or "not reached" for result in (old, new)]
        text = f"now: {states[1]}; before: {states[0]}: nothing can be compared"
        yield Change(direction="unknown", about="target", subject="target", text=text, old=states[0], new=states[1])
        return
    yield from scan_changes(old, new) if isinstance(old, StoredScan) else verdict_changes(old, new)
