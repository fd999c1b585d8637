"""Scans as the page shows them: verdicts first, then problems, versions and suites, chains, answers, bytes.

Values for the template ``scans``; nothing is escaped here, the templates do it. Must not import anything of tlswire
but ``results`` and ``report``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tlswire.report import answers
from tlswire.report.findings import Problem, merged
from tlswire.report.html.chains import Chain, chain
from tlswire.report.html.differences import Comparison, compare
from tlswire.report.html.evidence import Evidence, Room
from tlswire.report.html.pictures import Strip, strip
from tlswire.report.html.verdicts import KINDS, Judged, judged
from tlswire.report.text import OLD, exchange, grades, rating, refusals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.results.scan import Scan, Version
    from tlswire.results.scan import Suite as Accepted
    from tlswire.results.verdict import Verdict

MAX_TARGETS = 100  # with all their details
MAX_INDEX = 5000
# The categories of findings, the worst first: how many there are of each is said in these words.
CATEGORIES = {
    "weak": "weak",
    "fault": "faults",
    "misplaced": "misplaced",
    "no-forward-secrecy": "no forward secrecy",
    "legacy": "legacy",
    "info": "info",
}
_HEADLINES = {
    "weak": "Weak",
    "fault": "Faulty",
    "misplaced": "Faulty",
    "no-forward-secrecy": "Legacy",
    "legacy": "Legacy",
    "fine": "No problems found",
    "unknown": "Incomplete",
    "unreachable": "Not reached",
}
_COLOURS = {"misplaced": "fault", "no-forward-secrecy": "legacy", "info": "fine"}
_WORST = (*CATEGORIES, "unknown", "unreachable", "fine")


class Trouble(msgspec.Struct, frozen=True):
    """A problem, and where in the page the evidence is (empty: nowhere)."""

    problem: Problem
    link: str


class VersionRow(msgspec.Struct, frozen=True):
    """One version: ``kind`` gives the colour, ``summary`` says the rest, ``strip`` has a square a suite."""

    name: str
    verdict: str
    kind: str
    summary: str
    old: str
    unknown: int
    strip: Strip


class Place(msgspec.Struct, frozen=True):
    """A suite in one version: its place in the order there, from 1; ``link`` leads to the bytes (empty: left off)."""

    number: int
    link: str


class SuiteRow(msgspec.Struct, frozen=True):
    """A suite that some version accepts, and its place in each of the matrix's versions (None: not accepted there)."""

    suite: Accepted
    exchange: str
    rating: str
    places: tuple[Place | None, ...]


class Proved(msgspec.Struct, frozen=True):
    """The bytes of one pair of version and suite."""

    id: str
    evidence: Evidence


class Told(msgspec.Struct, frozen=True):
    """The answer to a question: the lines of one glance, every detail, the bytes."""

    id: str
    title: str
    state: str
    lines: tuple[answers.Line, ...]
    details: tuple[answers.Line, ...]
    evidence: tuple[Evidence, ...]


class Report(msgspec.Struct, frozen=True):
    """Everything the page says of one scan. ``kind`` is the colour of its verdict, ``matrix`` the versions with suites."""

    id: str
    scan: Scan
    title: str
    kind: str
    headline: str
    counts: tuple[tuple[str, int, str], ...]
    judged: tuple[Judged, ...]
    problems: tuple[Trouble, ...]
    versions: tuple[VersionRow, ...]
    matrix: tuple[str, ...]
    orders: tuple[str, ...]
    suites: tuple[SuiteRow, ...]
    grades: tuple[tuple[str, int], ...]
    chains: tuple[Chain, ...]
    chain_notes: tuple[str, ...]
    answers: tuple[Told, ...]
    evidence: tuple[Proved, ...]


class Entry(msgspec.Struct, frozen=True):
    """A row of the index; ``link`` leads to the report (empty: left off)."""

    title: str
    address: str
    kind: str
    headline: str
    policies: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, int, str], ...]
    versions: tuple[tuple[str, str], ...]
    suites: int
    until: str
    link: str


class Overview(msgspec.Struct, frozen=True):
    """Everything on the page. ``left_off`` targets are in the index only, ``unlisted`` not even there."""

    title: str
    interrupted: bool
    kinds: tuple[tuple[str, int, str], ...]
    index: tuple[Entry, ...]
    reports: tuple[Report, ...]
    comparisons: tuple[Comparison, ...]
    left_off: int
    unlisted: int
    bytes_left_off: int


def overview(scans: Sequence[Scan], verdicts: Sequence[Sequence[Verdict]], *, interrupted: bool) -> Overview:
    """What the page says, the worst scans first, then by name and address; ``verdicts`` are those of each scan."""
    pairs = sorted(zip(scans, verdicts, strict=True), key=lambda pair: _rank(pair[0]))
    ranked = [scan for scan, _ in pairs]
    room = Room()
    reports = tuple(_report(f"t{at}", *pair, room) for at, pair in enumerate(pairs[:MAX_TARGETS], 1))
    index = tuple(_entry(*pair, f"t{at}" if at <= MAX_TARGETS else "") for at, pair in enumerate(pairs[:MAX_INDEX], 1))
    hosts: dict[tuple[str, int, str, str], list[Scan]] = {}
    for scan in ranked:
        hosts.setdefault(_key(scan), []).append(scan)
    kinds = Counter(_kind(scan) for scan in ranked)
    one = ranked[0] if len(ranked) == 1 else None
    return Overview(
        title=_title(one) if one is not None else f"{len(ranked):,} targets",
        interrupted=interrupted,
        kinds=tuple((kind, kinds[kind], words) for kind, words in _KINDS.items() if kinds[kind]),
        index=() if one is not None else index,
        reports=reports,
        comparisons=tuple(compare(_title(group[0]), group) for group in hosts.values() if len(group) > 1),
        left_off=max(len(ranked) - MAX_TARGETS, 0),
        unlisted=max(len(ranked) - MAX_INDEX, 0),
        bytes_left_off=room.left_off,
    )


_KINDS = {
    "weak": "weak",
    "fault": "faulty",
    "legacy": "legacy",
    "unknown": "incomplete",
    "unreachable": "not reached",
    "fine": "without problems",
}


def worst(scan: Scan) -> str:
    """The worst category of a scan's findings; ``fine`` without any, ``unknown`` or ``unreachable`` where that hides some."""
    if not scan.reachable:
        return "unreachable"
    found = {finding.category for finding in scan.findings} - {"info"}
    bad = next((category for category in CATEGORIES if category in found), None)
    return bad or ("fine" if scan.complete and scan.error is None else "unknown")


def _rank(scan: Scan) -> tuple[int, str, int, str, str, str]:
    return _WORST.index(worst(scan)), *_key(scan), scan.target.address or ""


def _kind(scan: Scan) -> str:
    category = worst(scan)
    return _COLOURS.get(category, category)


def _key(scan: Scan) -> tuple[str, int, str, str]:
    target = scan.target
    return target.host, target.port, target.starttls or "", target.server_name or ""


def _title(scan: Scan) -> str:
    host = scan.target.host
    return f"[{host}]:{scan.target.port}" if ":" in host else f"{host}:{scan.target.port}"


def _counts(scan: Scan) -> tuple[tuple[str, int, str], ...]:
    """(category, how many, in words) of the problems, the worst first."""
    counts = Counter(problem.category for problem in merged(scan.findings))
    return tuple((category, counts[category], words) for category, words in CATEGORIES.items() if counts[category])


def _entry(scan: Scan, verdicts: Sequence[Verdict], link: str) -> Entry:
    certificates = scan.answers.certificates
    leaves = [one.report.certificates[0].not_after for one in certificates.chains] if certificates is not None else []
    return Entry(
        title=_title(scan),
        address=scan.target.address or "",
        kind=_kind(scan),
        headline=_HEADLINES[worst(scan)],
        policies=tuple((KINDS[verdict.verdict], f"{verdict.policy}: {verdict.verdict}") for verdict in verdicts),
        counts=_counts(scan),
        versions=tuple((row.name, row.kind) for row in map(_version, scan.versions) if row.verdict == "accepted"),
        suites=sum(len(version.suites) for version in scan.versions),
        until=min((moment[:10] for moment in leaves if moment), default=""),
        link=link,
    )


def _report(id_: str, scan: Scan, verdicts: Sequence[Verdict], room: Room) -> Report:
    accepted = [version for version in reversed(scan.versions) if version.suites]
    certificates = scan.answers.certificates
    chains = () if certificates is None else tuple(chain(one, room) for one in certificates.chains)
    pairs = [(version, suite) for version in accepted for suite in version.suites]
    proved = {
        (version.code, suite.code): Proved(f"{id_}-{number}", evidence)
        for number, (version, suite) in enumerate(pairs, 1)
        if (evidence := room.evidence(f"{version.version}  {suite.code}  {suite.name}", suite.proof)) is not None
    }
    told = tuple(_told(id_, scan, room))
    suites = tuple(_suites(accepted, proved))
    counts = Counter(row.suite.grade for row in suites)
    return Report(
        id=id_,
        scan=scan,
        title=_title(scan),
        kind=_kind(scan),
        headline=_HEADLINES[worst(scan)],
        counts=_counts(scan),
        judged=tuple(judged(f"{id_}-p{at}", verdict, room) for at, verdict in enumerate(verdicts, 1)),
        problems=tuple(_troubles(id_, scan, proved, {one.id for one in told}, bool(chains))),
        versions=tuple(map(_version, reversed(scan.versions))),
        matrix=tuple(version.version for version in accepted),
        orders=tuple(_orders(accepted)),
        suites=suites,
        grades=tuple((grade, counts[grade]) for grade in ("weak", "legacy", "unrated", "strong") if counts[grade]),
        chains=chains,
        chain_notes=() if certificates is None else tuple(certificates.notes),
        answers=told,
        evidence=tuple(proved.values()),
    )


def _orders(accepted: Sequence[Version]) -> Iterator[str]:
    """Whose order decides, with the versions where it does."""
    same: dict[str, list[str]] = {}
    for version in accepted:
        whose = {"server": "in the server's order", "client": "the client's order decides"}.get(version.preference)
        same.setdefault("the only one" if len(version.suites) == 1 else whose or "order unknown", []).append(
            version.version
        )
    return (f"{', '.join(versions)}: {whose}" for whose, versions in same.items())


def _version(version: Version) -> VersionRow:
    ranks = {suite.grade for suite in version.suites}
    old = OLD.get(version.version, "") if version.verdict == "accepted" else ""
    if version.verdict == "accepted":
        broken = old and version.version.startswith("SSL")
        kind = "weak" if broken or "weak" in ranks else "legacy" if old or "legacy" in ranks else "strong"
        summary = f"{len(version.suites)} {'suite' if len(version.suites) == 1 else 'suites'}: {grades(version.suites)}"
    else:
        kind = "none" if version.verdict == "rejected" else "unknown"
        summary = refusals(version) if version.verdict == "rejected" else ""
    return VersionRow(
        name=version.version,
        verdict=version.verdict,
        kind=kind,
        summary=summary,
        old=old,
        unknown=len(version.unknown),
        strip=strip([(suite.grade, f"{suite.name}: {rating(suite)}") for suite in version.suites]),
    )


def _suites(accepted: Sequence[Version], proved: dict[tuple[str, str], Proved]) -> Iterator[SuiteRow]:
    """A row a suite, in the order of the newest version that has it."""
    rows: dict[str, Accepted] = {}
    places: dict[tuple[str, str], Place] = {}
    for version in accepted:
        for number, suite in enumerate(version.suites, 1):
            rows.setdefault(suite.code, suite)
            there = proved.get((version.code, suite.code))
            places[suite.code, version.code] = Place(number, "" if there is None else there.id)
    for code, suite in rows.items():
        shown = tuple(places.get((code, version.code)) for version in accepted)
        yield SuiteRow(suite, exchange(suite), rating(suite), shown)


def _troubles(
    id_: str, scan: Scan, proved: dict[tuple[str, str], Proved], told: set[str], chains: bool
) -> Iterator[Trouble]:
    places: dict[str, str] = {}
    for version in reversed(scan.versions):
        for suite in version.suites:
            if (there := proved.get((version.code, suite.code))) is not None:
                places.setdefault(suite.name, there.id)
    order = list(CATEGORIES)
    for problem in sorted(merged(scan.findings), key=lambda problem: order.index(problem.category)):
        link = next((places[name] for name in problem.suites if name in places), "")
        if problem.question == "certificates":
            link = f"{id_}-certificates" if chains else ""
        elif problem.question is not None and f"{id_}-{problem.question}" in told:
            link = f"{id_}-{problem.question}"
        yield Trouble(problem, link)


def _told(id_: str, scan: Scan, room: Room) -> Iterator[Told]:
    for name in scan.answers.__struct_fields__:
        answer = getattr(scan.answers, name)
        if answer is None or (name == "certificates" and answer.chains):
            continue  # chains have a section of their own
        yield Told(
            id=f"{id_}-{name}",
            title=answers.title(name),
            state=answer.state,
            lines=tuple(answers.lines(name, answer, verbose=False)),
            details=tuple(answers.lines(name, answer, verbose=True)),
            evidence=tuple(room.all_of(answer)),
        )
