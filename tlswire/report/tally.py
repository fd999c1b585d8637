"""Sessions summed up in bounded memory: per server what was answered to whom, per client, per weakness, per ending.

Sums of several processes merge to the very sums of one: ``kept`` says how. Must not import anything of tlswire but
``results`` and ``report``.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from tlswire.report.foremost import QUIET, Foremost
from tlswire.report.judged import Judged
from tlswire.report.kept import SEVERAL, Kept, ServerKey, Share, Tally, server_key
from tlswire.report.prospects import Prospects
from tlswire.report.table import ending, endpoint
from tlswire.report.timeline import Timeline

if TYPE_CHECKING:
    from tlswire.results.session import Session

MAX_SERVERS = 4096
MAX_CLIENTS = 4096
MAX_KINDS = 256  # of weaknesses, endings and notes
_PLACE = re.compile(r"^frame \d+, ")
_NUMBER = re.compile(r"(\(RFC [^)]*\)|TLS \d\.\d)|\b(?:0x[0-9A-Fa-f]+|\d+)\b")
_DATE = re.compile(r" (?:on|before) \d{4}-\d\d-\d\d$")


class AnswerKey(NamedTuple):
    """What a server chose; ``ending`` says how the session ended where it chose nothing."""

    version: str
    suite: str
    group: str
    ending: str


class Answer:
    """One way a server answered: how often, to which clients, and how those sessions ended."""

    __slots__ = ("clients", "endings", "sessions", "weak")

    def __init__(self) -> None:
        self.sessions = 0
        self.weak = 0
        self.clients = Tally()
        self.endings = Tally()

    def merge(self, other: Answer) -> None:
        """Add another's."""
        self.sessions += other.sessions
        self.weak += other.weak
        self.clients.merge(other.clients)
        self.endings.merge(other.endings)


class Server:
    """One server: where it is, how often it was met, and how it answered."""

    __slots__ = ("addresses", "answers", "protocols", "sessions", "weak")

    def __init__(self) -> None:
        self.sessions = 0
        self.weak = 0
        self.addresses = Tally()
        self.protocols = Tally()
        self.answers: Kept[AnswerKey, Answer] = Kept(Answer, SEVERAL)

    def merge(self, other: Server) -> None:
        """Add another's."""
        self.sessions += other.sessions
        self.weak += other.weak
        self.addresses.merge(other.addresses)
        self.protocols.merge(other.protocols)
        self.answers.merge(other.answers)


class Client:
    """One kind of client: where it was seen and, where the capture says so, as which process."""

    __slots__ = ("addresses", "processes", "sessions", "weak")

    def __init__(self) -> None:
        self.sessions = 0
        self.weak = 0
        self.addresses = Tally()
        self.processes = Tally()

    def merge(self, other: Client) -> None:
        """Add another's."""
        self.sessions += other.sessions
        self.weak += other.weak
        self.addresses.merge(other.addresses)
        self.processes.merge(other.processes)


class Summary:
    """The sessions of one or more captures; ``rows`` of them are kept as they are, those to look at first."""

    def __init__(self, rows: int = 0) -> None:
        self.sessions = 0
        self.weak = 0
        self.first = 0.0
        self.last = 0.0
        self.transports: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.marks: Counter[str] = Counter()
        self.decryptions: Counter[str] = Counter()
        # What was chosen, by names of the registry; "" where nothing was seen.
        self.versions: Counter[str] = Counter()
        self.suites: Counter[str] = Counter()
        self.groups: Counter[str] = Counter()
        self.times = Timeline()
        self.foremost = Foremost(rows)
        self.servers: Kept[ServerKey, Server] = Kept(Server, MAX_SERVERS)
        self.clients: Kept[tuple[str], Client] = Kept(Client, MAX_CLIENTS)
        self.reasons: Kept[tuple[str], Share] = Kept(Share, MAX_KINDS)
        self.endings: Kept[tuple[str], Share] = Kept(Share, MAX_KINDS)
        self.notes: Kept[tuple[str], Share] = Kept(Share, MAX_KINDS)
        self.judged = Judged()
        self.prospects = Prospects()
        self._rows: dict[tuple[object, ...], tuple[Server, Answer, Client]] = {}

    def add(self, session: Session) -> None:
        """Count one session."""
        self.sessions += 1
        weak = bool(session.weak)
        self.weak += weak
        if session.start:
            self.first = min(self.first or session.start, session.start)
            self.last = max(self.last, session.start)
            self.times.add(session.start, weak=weak, failed=session.outcome not in QUIET)
        self.versions[_registered(session.version_name)] += 1
        self.suites[_registered(session.suite_name)] += 1
        self.groups[_registered(session.group_name)] += 1
        self.foremost.add(session)
        self.transports[session.transport] += 1
        self.outcomes[session.outcome] += 1
        self._mark(session)
        print_ = fingerprint(session)
        end = ending(session)
        address = endpoint(session.server)
        kind = (
            session.server_name or session.server,
            session.server.port,
            session.transport,
            session.version_name,
            session.suite_name,
            session.group_name,
            end,
            print_,
        )
        server, answer, client = self._rows.get(kind) or self._find(kind, session, end, print_)
        server.sessions += 1
        server.weak += weak
        server.addresses.add(address)
        if session.protocol:
            server.protocols.add(session.protocol)
        answer.sessions += 1
        answer.weak += weak
        answer.clients.add(print_)
        answer.endings.add(end)
        client.sessions += 1
        client.weak += weak
        client.addresses.add(session.client.address)
        if session.process is not None:
            client.processes.add(session.process.name)

        if session.policy is not None:
            self.judged.add(session, session.policy)
        shown = session.server_name or address
        for reason in session.weak:
            _share(self.reasons, _undated(reason), shown)
        if session.outcome not in QUIET:
            _share(self.endings, end, shown)
        if session.notes:
            for note in {_kind(text) for text in session.notes}:
                _share(self.notes, note, shown)

    def _find(self, kind: tuple[object, ...], session: Session, end: str, print_: str) -> tuple[Server, Answer, Client]:
        """The rows of sessions of one kind. What a full table has dropped may be counted on: it cannot come back."""
        server = self.servers.row(server_key(session))
        answer = server.answers.row(
            AnswerKey(session.version_name or "", session.suite_name, session.group_name or "", "")
            if session.suite_name
            else AnswerKey("", "", "", end)
        )
        if len(self._rows) >= MAX_KINDS:
            self._rows.clear()
        rows = self._rows[kind] = server, answer, self.clients.row((print_,))
        return rows

    def _mark(self, session: Session) -> None:
        marks = self.marks
        if session.decryption is not None:
            self.decryptions[session.decryption] += 1
        if session.resumed:
            marks["resumed"] += 1
        if session.early_data:
            marks["with early data"] += 1
        if session.retry:
            marks["asked for a second hello"] += 1
        ech = session.hellos[0].ech if session.hellos else None
        if ech is not None:
            marks["with ECH grease" if ech.kind == "grease" else f"with {ech.protocol.upper()}"] += 1
        if session.quic_version is None and session.protocol is not None:
            marks["begun in another protocol"] += 1

    def merge(self, other: Summary) -> None:
        """Add the sessions of another."""
        self.sessions += other.sessions
        self.weak += other.weak
        self.first = min(self.first or other.first, other.first or self.first)
        self.last = max(self.last, other.last)
        self.transports += other.transports
        self.outcomes += other.outcomes
        self.marks += other.marks
        self.decryptions += other.decryptions
        self.versions += other.versions
        self.suites += other.suites
        self.groups += other.groups
        self.times.merge(other.times)
        self.foremost.merge(other.foremost)
        self.servers.merge(other.servers)
        self.clients.merge(other.clients)
        self.reasons.merge(other.reasons)
        self.endings.merge(other.endings)
        self.notes.merge(other.notes)
        self.judged.merge(other.judged)
        self.prospects.merge(other.prospects)


def _registered(name: str | None) -> str:
    """The name, or one for all code points that nobody has registered: there are 65,536 of them."""
    return "" if name is None else "unregistered" if name.startswith("0x") else name


def _share(rows: Kept[tuple[str], Share], key: str, server: str) -> None:
    row = rows.row((key,))
    row.sessions += 1
    row.servers.add(server)


@lru_cache(maxsize=1024)
def _undated(reason: str) -> str:
    """Each certificate has its own day: the rows of the sessions tell it."""
    return _DATE.sub("", reason)


def _kind(note: str) -> str:
    """A note without its numbers, so that like ones count as one; those of an RFC and of versions stay."""
    return _NUMBER.sub(lambda found: found[1] or "N", _PLACE.sub("", note))


def fingerprint(session: Session) -> str:
    """The JA4 of the first hello, or why there is none."""
    if not session.hellos:
        return "(hello not captured)"
    hello = session.hellos[0]
    return hello.ja4 or ("(SSLv2 hello)" if hello.record_version == "0x0002" else "(hello cut short)")
