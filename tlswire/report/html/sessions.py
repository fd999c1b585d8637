"""Captures as the page shows them: what is weak and what failed first, pictures, servers, clients, sessions.

Values for the template ``sessions``; nothing is escaped here, the templates do it. Must not import anything of tlswire
but ``registry``, ``results`` and ``report``.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import LookupFailedError
from tlswire.registry import SUITES
from tlswire.registry.ratings import grade
from tlswire.report.html.pictures import Column, columns
from tlswire.report.html.prospects import Outlook, UnderPolicy, outlook, under_policy
from tlswire.report.sessions import OFFERS, OUTCOMES, TRANSPORTS, chosen, failed, ranked, severity, span
from tlswire.report.table import counted
from tlswire.report.text import OLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.report.foremost import Shown
    from tlswire.report.kept import Kept, ServerKey, Share, Tally
    from tlswire.report.sessions import Material
    from tlswire.report.tally import Answer, AnswerKey, Server, Summary

MAX_SESSIONS = 1000
MAX_ROWS = 500  # of servers, clients, and of each other table
MAX_BARS = 12
_SEVERITIES = ("weak", "weak", "legacy", "legacy")


class Part(msgspec.Struct, frozen=True):
    """A bar: how many of all sessions, in percent of the longest bar, too."""

    name: str
    kind: str
    count: int
    percent: float
    width: float


class Bars(msgspec.Struct, frozen=True):
    """Bars of one kind of choice; ``left_off`` are the sessions of those that have none."""

    title: str
    parts: tuple[Part, ...]
    left_off: int


class Common(msgspec.Struct, frozen=True):
    """Sessions that have something in common, and their servers."""

    text: str
    kind: str
    sessions: int
    servers: str


class Answered(msgspec.Struct, frozen=True):
    """One way a server answered; ``version`` is empty where it chose nothing."""

    kind: str
    version: str
    what: str
    after: str
    sessions: int
    clients: str


class ServerRow(msgspec.Struct, frozen=True):
    """One server; ``kind`` is weak or fine."""

    name: str
    where: str
    kind: str
    sessions: int
    weak: int
    answers: tuple[Answered, ...]
    more: bool


class ClientRow(msgspec.Struct, frozen=True):
    """One kind of client by its JA4."""

    ja4: str
    offers: str
    sessions: int
    weak: int
    addresses: str
    processes: str


class LeftOut(msgspec.Struct, frozen=True):
    """What was met and not told as a session."""

    count: int
    text: str


class Captures(msgspec.Struct, frozen=True):
    """Everything on the page."""

    title: str
    interrupted: bool
    kind: str
    headline: str
    facts: tuple[str, ...]
    counts: tuple[tuple[str, int, str], ...]
    marks: tuple[str, ...]
    policy: UnderPolicy | None
    outlook: Outlook | None
    times: tuple[Column, ...]
    times_of: str
    bars: tuple[Bars, ...]
    weak: tuple[Common, ...]
    endings: tuple[Common, ...]
    servers: tuple[ServerRow, ...]
    servers_left_off: int
    servers_full: bool
    clients: tuple[ClientRow, ...]
    clients_left_off: int
    clients_full: bool
    sessions: tuple[Shown, ...]
    sessions_kinds: tuple[tuple[str, int, str], ...]
    sessions_left_off: int
    several: bool
    notes: tuple[Common, ...]
    damage: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


def captures(summary: Summary, material: Material, *, interrupted: bool) -> Captures:
    """What the page says of the sessions of captures; those of its table are what ``summary`` kept."""
    one = material.captures == 1
    name = PurePath(material.name).name if one else counted(material.captures, "capture")
    broken = failed(summary)
    shown = summary.foremost.rows()
    servers = sorted(summary.servers, key=lambda row: (-row[1].weak, -row[1].sessions, row[0]))
    clients = sorted(summary.clients, key=lambda row: (-row[1].sessions, row[0]))
    width, times = summary.times.shown(96)
    kinds = {kind: sum(row.kind == kind for row in shown) for kind in ("weak", "failed", "fine")}
    words = {"weak": "weak", "failed": "not established", "fine": "without problems"}
    return Captures(
        title=name or material.name or "no capture",
        interrupted=interrupted,
        kind="weak"
        if summary.weak or summary.judged.verdicts["fail"]
        else "legacy"
        if broken
        else "fine"
        if summary.sessions
        else "none",
        headline=_headline(summary, broken),
        facts=tuple(_facts(summary, material)),
        counts=tuple(
            ("fine" if outcome in {"established", "incomplete"} else "legacy", count, OUTCOMES[outcome])
            for outcome, count in ranked(summary.outcomes)
        ),
        marks=tuple(f"{count:,} {mark}" for mark, count in ranked(summary.marks)),
        policy=under_policy(summary.judged),
        outlook=outlook(summary.prospects),
        times=columns(times),
        times_of=_width(width),
        bars=tuple(_bars(summary)),
        weak=tuple(_common(summary.reasons, severity)),
        endings=tuple(_common(summary.endings, lambda _: 2)),
        servers=tuple(_server(*row) for row in servers[:MAX_ROWS]),
        servers_left_off=len(servers[MAX_ROWS:]),
        servers_full=summary.servers.full,
        clients=tuple(
            ClientRow(
                ja4,
                OFFERS.get(ja4[1:3], "") if not ja4.startswith("(") else "",
                client.sessions,
                client.weak,
                _names(client.addresses),
                _names(client.processes),
            )
            for (ja4,), client in clients[:MAX_ROWS]
        ),
        clients_left_off=len(clients[MAX_ROWS:]),
        clients_full=summary.clients.full,
        sessions=tuple(shown),
        sessions_kinds=tuple((kind, count, words[kind]) for kind, count in kinds.items() if count),
        sessions_left_off=summary.sessions - len(shown),
        several=material.captures > 1,
        notes=tuple(_common(summary.notes, lambda _: 0, kind="none")),
        damage=tuple(material.damage) + ((f"and {material.untold:,} more broken places",) if material.untold else ()),
        left_out=tuple(_left_out(material)),
    )


def _headline(summary: Summary, broken: int) -> str:
    if failing := summary.judged.verdicts["fail"]:
        return f"{failing:,} of {summary.sessions:,} fail {summary.judged.policy}"
    if summary.weak:
        return f"{summary.weak:,} of {summary.sessions:,} weak"
    if broken:
        return f"{broken:,} of {summary.sessions:,} not established"
    return "No problems found" if summary.sessions else "No sessions"


def _facts(summary: Summary, material: Material) -> Iterator[str]:
    if material.captures == 1 and PurePath(material.name).name != material.name:
        yield material.name
    filtered = material.sessions - summary.sessions
    yield counted(summary.sessions, "session") + (f" of {material.sessions:,} pass the filters" if filtered else "")
    if len(summary.transports) > 1 or "tcp" not in summary.transports:
        yield from (f"{count:,} {TRANSPORTS[kind]}" for kind, count in ranked(summary.transports))
    yield counted(material.frames, "frame")
    if material.size:
        yield counted(material.size, "byte")
    if summary.first:
        yield span(summary.first, summary.last)
    if material.unreadable:
        yield f"{counted(material.unreadable, 'file')} could not be read"


def _width(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    for size, name in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:g} s"


def _bars(summary: Summary) -> Iterator[Bars]:
    for title, counts, kind in (
        ("Versions", summary.versions, _version_kind),
        ("Suites", summary.suites, _suite_kind),
        ("Key exchange groups", summary.groups, _group_kind),
    ):
        rows = ranked(counts)
        if set(counts) - {""}:
            yield Bars(title, tuple(_parts(rows, kind, summary.sessions)), sum(count for _, count in rows[MAX_BARS:]))


def _parts(rows: list[tuple[str, int]], kind: Callable[[str], str], total: int) -> Iterator[Part]:
    longest = rows[0][1]
    for name, count in rows[:MAX_BARS]:
        percent, width = round(100 * count / total, 1), round(100 * count / longest, 2)
        yield Part(name or "none seen", kind(name) if name else "none", count, percent, width)


def _version_kind(name: str) -> str:
    if name.startswith("SSL"):
        return "weak"
    return "legacy" if name in OLD or name.startswith("DTLS 1.0") else "strong" if name[-1:] in {"2", "3"} else "none"


def _suite_kind(name: str) -> str:
    try:
        return grade(SUITES.find(name))
    except LookupFailedError:  # SSLv2's cipher kinds are no suites
        return "weak" if name.startswith("SSL_CK") else "none"


def _group_kind(name: str) -> str:
    return "strong" if "MLKEM" in name.upper() else "info"


def _common(shares: Kept[tuple[str], Share], rank: Callable[[str], int], kind: str = "") -> Iterator[Common]:
    rows = sorted(((rank(text), -share.sessions, text, share) for (text,), share in shares), key=lambda row: row[:3])
    for severity_, _, text, share in rows[:MAX_ROWS]:
        yield Common(text, kind or _SEVERITIES[severity_], share.sessions, _names(share.servers))


def _names(tally: Tally, most: int = 5) -> str:
    names = tally.names()
    left = len(names) - most
    more = " and more" if tally.full else f" and {left} more" if left > 0 else ""
    return ", ".join(names[:most]) + more


def _server(key: ServerKey, server: Server) -> ServerRow:
    marks = [TRANSPORTS[key.transport]] * (key.transport != "tcp") + server.protocols.names()
    addresses = _names(server.addresses)
    answers = sorted(server.answers, key=lambda item: (-item[1].weak, -item[1].sessions, item[0]))
    return ServerRow(
        name=key.name or addresses,
        where=", ".join(([addresses] if key.name else []) + marks),
        kind="weak" if server.weak else "fine",
        sessions=server.sessions,
        weak=server.weak,
        answers=tuple(_answered(*item) for item in answers),
        more=server.answers.full,
    )


def _answered(key: AnswerKey, answer: Answer) -> Answered:
    version, what, after = chosen(key, answer)
    kind = "weak" if answer.weak else "strong" if key.suite else "legacy"
    return Answered(kind, version if key.suite else "", what, after, answer.sessions, _names(answer.clients, 1))


def _left_out(material: Material) -> Iterator[LeftOut]:
    for reason, count in ranked(material.ignored)[:MAX_ROWS]:
        yield LeftOut(count, f"{'frame' if count == 1 else 'frames'} not read: {reason}")
    if material.encrypted_only:
        yield LeftOut(material.encrypted_only, "connections with TLS whose handshake is not in the capture")
    if material.evicted:
        yield LeftOut(material.evicted, "connections given up: too many were open at once")
