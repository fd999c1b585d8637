"""What changed between two verdicts of one target. Must not import anything of tlswire but ``report`` and ``results``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.compare.chains import chain_changes
from tlswire.results.diff import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.report.compare.stored import Handshake, StoredVerdict
    from tlswire.results.diff import Direction

_RANK = {"pass": 0, "warn": 1, "fail": 2}
_CLIENT = "client"


def verdict_changes(old: StoredVerdict, new: StoredVerdict) -> Iterator[Change]:
    """The changes of two verdicts of one policy that both reached the target."""
    if old.edition != new.edition:
        text = f"the policy is {new.edition or 'of no edition'}, was {old.edition or 'of no edition'}"
        yield Change(direction="neutral", about="policy", subject=new.policy or "", text=text)
    if old.verdict != new.verdict:
        yield Change(
            direction=_direction(old.verdict, new.verdict),
            about="verdict",
            subject="verdict",
            text=f"the verdict is {new.verdict}, was {old.verdict}",
            old=old.verdict,
            new=new.verdict,
        )
    yield from _rules(old, new)
    yield from _nodes(old, new)
    yield from _handshakes(old, new)
    whole = all(node.reachable for verdict in (old, new) for node in verdict.nodes)
    yield from chain_changes(old.chains, new.chains, whole=whole)


def _direction(old: str, new: str) -> Direction:
    """Where nothing was to be judged before, what is broken now is worse all the same."""
    if "unknown" in {old, new}:
        return "unknown"
    if new not in _RANK:
        return "neutral"
    before, after = _RANK.get(old, 0), _RANK[new]
    return "neutral" if before == after else "regression" if after > before else "improvement"


def _rules(old: StoredVerdict, new: StoredVerdict) -> Iterator[Change]:
    before, after = ({rule.id: rule for rule in verdict.rules} for verdict in (old, new))
    for name, rule in after.items():
        if name not in before:
            text = f"{name} is {rule.verdict}, the old verdict has no such rule"
            yield Change(direction="neutral", about="rule", subject=name, text=text, new=rule.verdict)
        elif before[name].verdict != rule.verdict:
            was = before[name].verdict
            yield Change(
                direction=_direction(was, rule.verdict),
                about="rule",
                subject=name,
                text=f"{name} is {rule.verdict}, was {was}: {rule.title}",
                old=was,
                new=rule.verdict,
            )
    for name, rule in before.items():
        if name not in after:
            text = f"{name} was {rule.verdict}, the new verdict has no such rule"
            yield Change(direction="neutral", about="rule", subject=name, text=text, old=rule.verdict)


def _nodes(old: StoredVerdict, new: StoredVerdict) -> Iterator[Change]:
    before, after = ({node.address: node for node in verdict.nodes} for verdict in (old, new))
    for address in (address for address in before if address not in after):
        text = f"{address} is no longer an address of the target"
        yield Change(direction="neutral", about="node", subject=address, text=text)
    for address, node in after.items():
        was = before.get(address)
        if was is None:
            text = f"{address} is a new address of the target"
            yield Change(direction="neutral", about="node", subject=address, text=text)
            continue
        if was.reachable != node.reachable:
            text = f"{address} is {'reached' if node.reachable else 'not reached'} now"
            yield Change(direction="unknown", about="node", subject=address, text=text)
        elif bool(was.differs) != bool(node.differs):
            text = f"{address} {'differs from the others' if node.differs else 'is like the others'} now"
            said = {"old": "; ".join(was.differs) or None, "new": "; ".join(node.differs) or None}
            direction: Direction = "regression" if node.differs else "improvement"
            yield Change(direction=direction, about="node", subject=address, text=text, **said)


def _handshakes(old: StoredVerdict, new: StoredVerdict) -> Iterator[Change]:
    """What the policy's client gets. Whether that is enough is what the rules say."""
    before, after = ({shown.node: _got(shown) for shown in verdict.handshakes if shown.offer == _CLIENT}
                     for verdict in (old, new))  # fmt: skip
    for node, now in after.items():
        was = before.get(node, now)
        if was != now:
            text = f"the client gets {now}, was {was}"
            yield Change(direction="neutral", about="handshake", subject=node, text=text, old=was, new=now)


def _got(shown: Handshake) -> str:
    got = " ".join(part for part in (shown.version, shown.suite, shown.group) if part)
    return got if shown.finished else f"{got}, then {shown.ending}" if got else shown.ending
