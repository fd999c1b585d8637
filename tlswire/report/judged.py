"""Sessions under a policy, summed up: how many keep it, which servers break which rules, and for whom.

Must not import anything of tlswire but ``escape``, ``results`` and ``report``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.report.kept import Kept, ServerKey, Tally, server_key
from tlswire.report.table import counted, endpoint, fit, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.report.text import Paint
    from tlswire.results.session import Session, SessionVerdict

MAX_SERVERS = 4096
_ORDER = (("fail", "fail"), ("unknown", "unknown"), ("warn", "with warnings"), ("pass", "pass"))
_RED, _YELLOW, _BOLD, _DIM = "31", "33", "1", "2"
COLOURS = {"fail": _RED, "unknown": _YELLOW, "warn": _YELLOW, "pass": None}


class Failing:
    """A server with sessions that fail: which rules they break, and who the clients were."""

    __slots__ = ("addresses", "clients", "processes", "rules", "sessions")

    def __init__(self) -> None:
        self.sessions = 0
        self.rules = Tally()
        self.addresses = Tally()
        self.clients = Tally()
        self.processes = Tally()

    def merge(self, other: Failing) -> None:
        """Add another's."""
        self.sessions += other.sessions
        self.rules.merge(other.rules)
        self.addresses.merge(other.addresses)
        self.clients.merge(other.clients)
        self.processes.merge(other.processes)


class Judged:
    """The verdicts of one policy; ``unseen`` counts sessions with rules about what they do not show."""

    def __init__(self) -> None:
        self.policy = ""
        self.verdicts: Counter[str] = Counter()
        self.unseen = 0
        self.warnings: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()  # of sessions whose verdict is unknown
        self.servers: Kept[ServerKey, Failing] = Kept(Failing, MAX_SERVERS)

    def add(self, session: Session, verdict: SessionVerdict) -> None:
        """Count one session."""
        self.policy = verdict.name
        self.verdicts[verdict.verdict] += 1
        self.unseen += bool(verdict.unseen)
        for rule in verdict.warnings:
            self.warnings[rule] += 1
        if verdict.verdict == "unknown":
            self.unknown.update(verdict.unknown)
        if not verdict.broken:
            return
        server = self.servers.row(server_key(session))
        server.sessions += 1
        server.addresses.add(endpoint(session.server))
        server.clients.add(session.client.address)
        if session.process is not None:
            server.processes.add(session.process.name)
        for rule in verdict.broken:
            server.rules.add(rule)

    def merge(self, other: Judged) -> None:
        """Add another's."""
        self.policy = self.policy or other.policy
        self.verdicts += other.verdicts
        self.unseen += other.unseen
        self.warnings += other.warnings
        self.unknown += other.unknown
        self.servers.merge(other.servers)


def verdict_text(verdict: SessionVerdict | None) -> str:
    """A verdict with what is broken, else with what is not as it should be."""
    if verdict is None:
        return ""
    rules = verdict.broken or (verdict.warnings if verdict.verdict == "warn" else [])
    return " ".join([verdict.verdict, ",".join(rules)]).rstrip()


def section(judged: Judged, paint: Paint, width: int, top: int, *, brief: bool = False) -> Iterator[str]:
    """What the summary says of a policy: the verdicts, then the servers that fail, most broken rules first."""
    total = sum(judged.verdicts.values())
    if not total:
        return
    counts = ", ".join(f"{judged.verdicts[key]:,} {words}" for key, words in _ORDER if judged.verdicts[key])
    name = fit(printable(judged.policy), width // 3)
    yield f"{paint(f'Policy {name}', _BOLD)}, {counted(total, 'session')}"
    yield f"  {counts}"
    if judged.unseen:
        yield paint(f"  {judged.unseen:,} without a certificate to see: its rules do not count there", _DIM)
    for title, rules in (("not known", judged.unknown), ("warnings", judged.warnings)):
        if rules and not brief:
            ranked = sorted(rules.items(), key=lambda item: (-item[1], item[0]))
            names = [f"{printable(rule)} {count:,}" for rule, count in ranked]
            yield f"  {title}: {listed(names, width - 4 - len(title))}"
    rows = sorted(judged.servers, key=lambda row: (-len(row[1].rules.counts), -row[1].sessions, row[0]))
    if brief or not rows:
        return
    yield paint("  Servers that fail, most broken rules first", _BOLD)
    for key, server in rows[: top or None]:
        count = counted(server.sessions, "session")
        yield f"  {_named(key, server, width - len(count) - 4)}  {paint(count, _DIM)}"
        broken = [f"{printable(name)} {server.rules.counts[name]:,}" for name in server.rules.names()]
        yield f"    {paint(listed(broken, width - 4, open_end=server.rules.full), _RED)}"
        yield f"    {_clients(server, width - 4)}"
    if judged.servers.full or (top and len(rows) > top):
        more = "more than " if judged.servers.full else ""
        yield paint(f"  and {more}{max(len(rows) - top, 1) if top else 1:,} more; --jsonl has all", _DIM)


def _named(key: ServerKey, server: Failing, room: int) -> str:
    addresses = server.addresses.names()
    if not key.name:
        return printable(addresses[0])
    where = addresses[0] if len(addresses) == 1 else f"port {key.port} of {len(addresses)} addresses"
    return f"{fit(printable(key.name), room - len(where) - 2, 'end')}  {where}"


def _clients(server: Failing, width: int) -> str:
    parts = [
        listed(list(map(printable, tally.names())), width // 2 - 4, open_end=tally.full)
        for tally in (server.processes, server.clients)
        if tally.counts
    ]
    return f"from {'; '.join(parts)}"
