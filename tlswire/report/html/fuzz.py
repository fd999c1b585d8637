"""Campaigns as the page shows them: what deviates first, each with clause, differing field and bytes, then every case.

Values for the template ``fuzz``; nothing is escaped here, the template does it. Must not import anything of tlswire but
``results``, ``wire`` and ``report``.
"""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tlswire.report.evidence import replay_line, way_there
from tlswire.report.html.evidence import Evidence, Room
from tlswire.report.items import label
from tlswire.results.proof import Proof
from tlswire.wire.tree import explain, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tlswire.results.fuzz import CaseResult, Finding, Fuzz

MAX_CASES = 3000  # of one campaign; what does not conform comes first
MAX_FINDINGS = 200
MAX_LINES = 300  # of one message field by field
# The colours of levels and verdicts.
LEVELS = {"MUST": "weak", "SHOULD": "legacy", "MAY": "info", "unspecified": "none"}
VERDICTS = {"deviates": "weak", "unknown": "unknown", "conforms": "strong", "not-applicable": "none"}
_WORDS = {"deviates": "deviate", "unknown": "not known", "conforms": "conform", "not-applicable": "not applicable"}
NOT_SENT = "not sent"
# How ids begin of cases that are in no catalogue.
_GENERATED = "g-"

# A kind, how many there are of it, and its words.
Count = tuple[str, int, str]


class Shown(msgspec.Struct, frozen=True):
    """One finding: what replays it, and its messages field by field, a line each; ``cut`` lines more are left off."""

    id: str
    finding: Finding
    kind: str
    replay: str
    sent: tuple[str, ...]
    received: tuple[str, ...]
    cut: int
    evidence: Evidence | None


class Row(msgspec.Struct, frozen=True):
    """One case; ``link`` leads to the finding that it belongs to (empty: to none)."""

    case: CaseResult
    kind: str
    reaction: str
    link: str


class Campaign(msgspec.Struct, frozen=True):
    """Everything the page says of one campaign. ``unlisted`` cases and ``left_off`` findings more are in the JSON."""

    id: str
    fuzz: Fuzz
    title: str
    kind: str
    headline: str
    counts: tuple[Count, ...]
    findings: tuple[Shown, ...]
    rows: tuple[Row, ...]
    verdicts: tuple[Count, ...]
    groups: tuple[Count, ...]
    reactions: tuple[Count, ...]
    rate: float
    unlisted: int
    left_off: int


class Page(msgspec.Struct, frozen=True):
    """Everything on the page."""

    title: str
    campaigns: tuple[Campaign, ...]
    bytes_left_off: int


def campaigns(results: Sequence[Fuzz]) -> Page:
    """The page of these campaigns, in their order."""
    room = Room()
    shown = tuple(_campaign(fuzz, f"c{number}", room) for number, fuzz in enumerate(results, 1))
    title = shown[0].title if len(shown) == 1 else f"{len(shown)} servers"
    return Page(title, shown, room.left_off)


def _campaign(fuzz: Fuzz, id_: str, room: Room) -> Campaign:
    findings = tuple(
        _finding(finding, fuzz, f"{id_}-f{number}", room)
        for number, finding in enumerate(fuzz.findings[:MAX_FINDINGS], 1)
    )
    links = {case: shown.id for shown in findings for case in shown.finding.cases}
    order = list(VERDICTS)
    cases = sorted(fuzz.cases, key=lambda case: order.index(case.verdict))
    rows = tuple(
        Row(case, VERDICTS[case.verdict], case.reaction or NOT_SENT, links.get(case.id, ""))
        for case in cases[:MAX_CASES]
    )
    verdicts = Counter[str](case.verdict for case in fuzz.cases)
    kind, headline = _headline(fuzz)
    return Campaign(
        id=id_,
        fuzz=fuzz,
        title=label(fuzz.target),
        kind=kind,
        headline=headline,
        counts=tuple((VERDICTS[name], verdicts[name], words) for name, words in _WORDS.items() if verdicts[name]),
        findings=findings,
        rows=rows,
        verdicts=_counted((row.case.verdict for row in rows), order),
        groups=_counted(row.case.group for row in rows),
        reactions=_counted(row.reaction for row in rows),
        rate=fuzz.connections / fuzz.elapsed_s if fuzz.elapsed_s else 0.0,
        unlisted=len(cases) - len(rows),
        left_off=len(fuzz.findings) - len(findings),
    )


def _headline(fuzz: Fuzz) -> tuple[str, str]:
    if fuzz.error is not None:
        return "unreachable", "Not fuzzed"
    if fuzz.findings:
        worst = min((finding.level for finding in fuzz.findings), key=list(LEVELS).index)
        return LEVELS[worst], "1 finding" if len(fuzz.findings) == 1 else f"{len(fuzz.findings)} findings"
    return ("strong", "No findings") if fuzz.complete else ("unknown", "Incomplete")


def _counted(words: Iterable[str], order: Sequence[str] = ()) -> tuple[Count, ...]:
    counts = Counter(words)
    return tuple((word, counts[word], word) for word in (order or sorted(counts)) if counts[word])


def _finding(finding: Finding, fuzz: Fuzz, id_: str, room: Room) -> Shown:
    sent, received = _explained(finding.sent), _explained(finding.received)
    return Shown(
        id=id_,
        finding=finding,
        kind=LEVELS[finding.level],
        replay=_replay(finding, fuzz),
        sent=sent[:MAX_LINES],
        received=received[:MAX_LINES],
        cut=len(sent[MAX_LINES:]) + len(received[MAX_LINES:]),
        evidence=room.evidence(finding.case, Proof(finding.sent, finding.received)),
    )


def _explained(text: str) -> tuple[str, ...]:
    return tuple(render(explain(bytes.fromhex(text)))) if text else ()


def _replay(finding: Finding, fuzz: Fuzz) -> str:
    """The command that sends the finding again: its bytes where they were kept or are all, else the case, made anew."""
    if finding.evidence is not None:
        return replay_line(finding.evidence, fuzz.target)
    if finding.case.startswith(_GENERATED):
        return replay_line(finding.sent, fuzz.target)
    name = shlex.quote(fuzz.target.server_name or "")
    return f"tlswire fuzz {way_there(fuzz.target)} --cases {shlex.quote(finding.case)} --seed {fuzz.seed} --server-name {name}"
