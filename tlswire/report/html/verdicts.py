"""Verdicts as the page shows them: yes or no first, then broken rules with proof and remedy, then what clients got.

Values for the templates ``verdicts`` and ``judgement``; nothing is escaped here, the templates do it. Must not import
anything of tlswire but ``results`` and ``report``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tlswire.report.html.chains import Chain, chain
from tlswire.report.html.evidence import Evidence, Room
from tlswire.report.html.pictures import Strip, strip
from tlswire.report.verdict import HEADS, ORDER, seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.results.verdict import Cell, Node, RuleVerdict, Verdict

MAX_TARGETS = 250  # with all their details
MAX_INDEX = 5000
MAX_COLUMNS = 50  # servers side by side
# The colour of a verdict, of targets and of rules alike.
KINDS = {
    "fail": "weak",
    "unknown": "unknown",
    "warn": "legacy",
    "pass": "strong",
    "exempt": "none",
    "not-applicable": "none",
}
_HEADLINES = {
    "fail": "Fails",
    "unknown": "Not known",
    "warn": "Passes, with warnings",
    "pass": "Passes",
    "exempt": "Exempt",
}

_COUNTS = {"fail": "fail", "unknown": "not known", "warn": "pass with warnings", "pass": "pass", "exempt": "exempt"}


class Rule(msgspec.Struct, frozen=True):
    """One rule: what was seen, each thing once, and the bytes behind it."""

    rule: RuleVerdict
    kind: str
    seen: tuple[str, ...]
    evidence: tuple[Evidence, ...]


class Group(msgspec.Struct, frozen=True):
    """Rules with the same verdict; those that are kept, or say nothing, are ``folded``."""

    name: str
    kind: str
    folded: bool
    rules: tuple[Rule, ...]


class Judged(msgspec.Struct, frozen=True):
    """Everything the page says of one verdict. ``strip`` has a square a rule; ``clients`` are others than the policy's,
    each with the colour of its verdict.
    """

    id: str
    verdict: Verdict
    title: str
    kind: str
    headline: str
    counts: tuple[tuple[str, int, str], ...]
    strip: Strip
    groups: tuple[Group, ...]
    clients: tuple[tuple[str, Cell], ...]
    nodes: tuple[Node, ...]
    chains: tuple[Chain, ...]
    chain_notes: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """A row of the index; ``link`` leads to the report (empty: left off)."""

    verdict: Verdict
    title: str
    kind: str
    headline: str
    broken: str
    strip: Strip
    link: str


class Place(msgspec.Struct, frozen=True):
    """What one client got at one server: the version, or the ending where it got none."""

    kind: str
    verdict: str
    got: str
    broken: str


class Matrix(msgspec.Struct, frozen=True):
    """Clients by servers (None: not asked); ``left_off`` servers more were asked."""

    servers: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Place | None, ...]], ...]
    left_off: int


class Verdicts(msgspec.Struct, frozen=True):
    """Everything on the page. ``left_off`` targets are in the index only, ``unlisted`` not even there."""

    title: str
    interrupted: bool
    kinds: tuple[tuple[str, int, str], ...]
    matrix: Matrix | None
    roles: bool
    index: tuple[Entry, ...]
    reports: tuple[Judged, ...]
    left_off: int
    unlisted: int
    bytes_left_off: int


def verdicts(found: Sequence[Verdict], *, interrupted: bool) -> Verdicts:
    """What the page says, the worst verdicts first, then by name."""
    ranked = sorted(found, key=lambda verdict: (list(KINDS).index(verdict.verdict), *_key(verdict)))
    room = Room()
    reports = tuple(judged(f"t{at}", verdict, room) for at, verdict in enumerate(ranked[:MAX_TARGETS], 1))
    index = tuple(
        _entry(verdict, f"t{at}" if at <= MAX_TARGETS else "") for at, verdict in enumerate(ranked[:MAX_INDEX], 1)
    )
    counts: Counter[str] = Counter(verdict.verdict for verdict in ranked)
    return Verdicts(
        title=_title(ranked[0]) if len(ranked) == 1 else f"{len(ranked):,} targets",
        interrupted=interrupted,
        kinds=tuple((KINDS[name], counts[name], words) for name, words in _COUNTS.items() if counts[name]),
        matrix=_matrix(ranked),
        roles=any(verdict.endpoint.role for verdict in ranked),
        index=() if len(ranked) == 1 else index,
        reports=reports,
        left_off=max(len(ranked) - MAX_TARGETS, 0),
        unlisted=max(len(ranked) - MAX_INDEX, 0),
        bytes_left_off=room.left_off,
    )


def _matrix(found: Sequence[Verdict]) -> Matrix | None:
    """Clients by servers, where several servers were asked as several clients."""
    asked = [verdict for verdict in found if verdict.matrix]
    if len(asked) < 2:
        return None
    shown = asked[:MAX_COLUMNS]
    cells = [{cell.client: _place(cell) for cell in verdict.matrix} for verdict in shown]
    clients = dict.fromkeys(client for column in cells for client in column)
    rows = tuple((client, tuple(column.get(client) for column in cells)) for client in clients)
    return Matrix(tuple(map(_title, shown)), rows, len(asked) - len(shown))


def _place(cell: Cell) -> Place:
    shown = cell.handshake
    got = shown.version if shown.version is not None and shown.finished else shown.ending
    return Place(KINDS[cell.verdict], cell.verdict, got, ", ".join(cell.broken))


def judged(id_: str, verdict: Verdict, room: Room) -> Judged:
    """How one verdict is shown; ``id_`` begins the names of its places in the page."""
    counts: Counter[str] = Counter(rule.verdict for rule in verdict.rules)
    return Judged(
        id=id_,
        verdict=verdict,
        title=_title(verdict),
        kind=KINDS[verdict.verdict],
        headline=_HEADLINES[verdict.verdict],
        counts=tuple(
            (KINDS[name], counts[name], HEADS[name].lower())
            for name in ORDER
            if counts[name] and name != "not-applicable"
        ),
        strip=_strip(verdict),
        groups=tuple(_groups(verdict, room)),
        clients=tuple((KINDS[cell.verdict], cell) for cell in verdict.matrix),
        nodes=tuple(verdict.nodes) if any(node.differs or not node.reachable for node in verdict.nodes) else (),
        chains=tuple(chain(one, room) for one in verdict.chains),
    )


def _key(verdict: Verdict) -> tuple[str, int, str, str]:
    target = verdict.target
    return target.host, target.port, target.address or "", verdict.policy


def _title(verdict: Verdict) -> str:
    host = verdict.target.host
    return f"[{host}]:{verdict.target.port}" if ":" in host else f"{host}:{verdict.target.port}"


def _ranked(verdict: Verdict) -> list[RuleVerdict]:
    return sorted(verdict.rules, key=lambda rule: ORDER.index(rule.verdict))


def _strip(verdict: Verdict) -> Strip:
    return strip([(KINDS[rule.verdict], f"{rule.id}: {HEADS[rule.verdict].lower()}") for rule in _ranked(verdict)])


def _groups(verdict: Verdict, room: Room) -> Iterator[Group]:
    for name in ORDER:
        rules = tuple(
            Rule(rule, KINDS[name], tuple(seen(rule)), tuple(room.all_of(rule.evidence)))
            for rule in verdict.rules
            if rule.verdict == name
        )
        if rules:
            yield Group(HEADS[name], KINDS[name], name in {"pass", "not-applicable"}, rules)


def _entry(verdict: Verdict, link: str) -> Entry:
    return Entry(
        verdict=verdict,
        title=_title(verdict),
        kind=KINDS[verdict.verdict],
        headline=_HEADLINES[verdict.verdict],
        broken=", ".join(rule.id for rule in verdict.rules if rule.verdict == "fail") or verdict.error or "",
        strip=_strip(verdict),
        link=link,
    )
