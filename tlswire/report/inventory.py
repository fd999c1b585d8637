"""Many verdicts as a person reads them: a line for each endpoint, and at the end how many there are of each kind.

Everything that may come from outside passes ``printable``. Must not import ``check``, ``policy`` or ``cli``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tlswire.escape import printable
from tlswire.report import matrix
from tlswire.report.text import Paint
from tlswire.report.verdict import COLOURS, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.verdict import Judgement, RuleVerdict, Verdict

# Worst first: what a verdict counts for.
ORDER: tuple[Judgement, ...] = ("fail", "unknown", "warn", "pass", "exempt")
_BOLD = "1"
# So many endpoints are named for a rule; the others are counted.
MOST_NAMED = 4


def line(verdict: Verdict, *, colour: bool = False) -> str:
    """One line: the verdict, where, its role and environment, and what made it so."""
    mark = Paint(colour=colour)(f"{verdict.verdict.upper():<7}", COLOURS[verdict.verdict])
    called = [part for part in (verdict.endpoint.name, verdict.endpoint.role, verdict.endpoint.environment) if part]
    parts = [named(verdict), *called, *([verdict.policy] if verdict.rules else []), _why(verdict)]
    return f"{mark}  {'  '.join(printable(part) for part in parts if part)}"


def _why(verdict: Verdict) -> str:
    broken = deciding(verdict)
    if broken:
        return ", ".join(rule.id for rule in broken)
    if verdict.error is not None:
        return verdict.error
    unreached = [node.address for node in verdict.nodes if not node.reachable]
    return f"not reached: {', '.join(unreached)}" if unreached else "; ".join(verdict.notes[:1])


def deciding(verdict: Verdict) -> list[RuleVerdict]:
    """The rules that made the verdict what it is, where it is none that is good."""
    kind = verdict.verdict
    return [rule for rule in verdict.rules if rule.verdict == kind and kind in {"fail", "unknown", "warn"}]


class _Broken(msgspec.Struct):
    """A rule that is broken somewhere, and where."""

    title: str
    count: int = 0
    where: list[str] = []


class Tally:
    """Counts verdicts as they come; what it keeps of them does not grow with their number. ``crossed`` are the first of
    those that tell of several clients.
    """

    def __init__(self) -> None:
        self.total = 0
        self._groups: dict[tuple[str, str], Counter[str]] = {}
        self._rules: dict[str, dict[str, _Broken]] = {"fail": {}, "unknown": {}, "warn": {}}
        self.crossed: list[Verdict] = []

    def add(self, verdict: Verdict) -> None:
        """Count one more."""
        self.total += 1
        group = (verdict.endpoint.environment or "", verdict.policy)
        self._groups.setdefault(group, Counter())[verdict.verdict] += 1
        if verdict.matrix and len(self.crossed) < matrix.MOST_COLUMNS:
            self.crossed.append(verdict)
        for rule in verdict.rules:
            known = self._rules.get(rule.verdict)
            if known is not None:
                broken = known.setdefault(rule.id, _Broken(rule.title))
                broken.count += 1
                if len(broken.where) < MOST_NAMED:
                    broken.where.append(named(verdict))

    @property
    def counts(self) -> Counter[str]:
        """How many there are of each verdict."""
        return sum(self._groups.values(), Counter())

    def render(self, *, colour: bool = False, faults: int = 0) -> str:
        """The summary, ending in a newline; ``faults`` is how many there are in an inventory."""
        return "\n".join(self._lines(Paint(colour=colour), faults)) + "\n"

    def _lines(self, paint: Paint, faults: int) -> Iterator[str]:
        yield ""
        yield paint("Summary", _BOLD)
        yield from self._table(paint)
        heads = {"fail": "Broken rules", "unknown": "Not known", "warn": "Warnings"}
        for kind, head in heads.items():
            if self._rules[kind]:
                yield ""
                yield paint(head, _BOLD)
                yield from self._broken(self._rules[kind], paint, kind)
        if self.crossed:
            yield ""
            yield paint("Clients", _BOLD)
            yield from matrix.crossed(self.crossed, [printable(named(one)) for one in self.crossed], paint)
        if faults:
            yield ""
            told = "1 fault" if faults == 1 else f"{faults} faults"
            yield paint(f"{told} in the inventory: see above", COLOURS["fail"])

    def _table(self, paint: Paint) -> Iterator[str]:
        policies = {policy for _, policy in self._groups}
        rows = []
        for (environment, policy), counts in sorted(self._groups.items(), key=lambda item: _badness(item[1])):
            name = printable(environment or ("all" if len(self._groups) == len(policies) else "no environment"))
            rows.append((f"{name}, {policy}" if len(policies) > 1 else name, counts))
        if len(rows) > 1:
            rows.append(("together", self.counts))
        width = max(len(name) for name, _ in rows)
        yield f"  {'':<{width}}" + "".join(f"  {kind:>7}" for kind in ORDER)
        for name, counts in rows:
            cells = (paint(f"{counts[kind]:>7}", COLOURS[kind]) if counts[kind] else f"{'-':>7}" for kind in ORDER)
            yield f"  {name:<{width}}  {'  '.join(cells)}"

    def _broken(self, rules: dict[str, _Broken], paint: Paint, kind: str) -> Iterator[str]:
        width = max(map(len, rules))
        for name, broken in sorted(rules.items(), key=lambda item: (-item[1].count, item[0])):
            rest = broken.count - len(broken.where)
            where = ", ".join(map(printable, broken.where)) + (f" and {rest} more" if rest else "")
            yield f"  {paint(f'{name:<{width}}', COLOURS[kind])}  {broken.count:>5}  {printable(broken.title)}"
            yield f"  {'':<{width}}         {where}"


def _badness(counts: Counter[str]) -> tuple[int, ...]:
    return tuple(-counts[kind] for kind in ORDER)
