"""Entries of Apple's logs summed up by server: which rule was broken, how often, when, in which process.

Entries in, ``tlswire.applelog/1`` out, in bounded memory; remedies are those of the policy's rules. Must not import
anything of tlswire but ``registry``, ``results`` and, of policy, ``applewords``, ``logstyles`` and ``shipped``.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import msgspec

from tlswire.policy.applewords import CHECKS, ERRORS, HASHES, ROWS, SILENCE, STATUSES, Row
from tlswire.policy.shipped import DEFAULT, shipped
from tlswire.registry import SUITES
from tlswire.results.applelog import AppleLog, Counted, LogFinding, LogServer, Phase, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlswire.policy.logstyles import Entry
    from tlswire.results.applelog import Log
    from tlswire.results.scan import Tool

MAX_SERVERS = 10_000
MAX_VALUES = 16
MAX_CONNECTIONS = 4096
# A failed trust evaluation belongs to the violation behind it: at most so many seconds, or lines without times.
_NEAR_S, _NEAR_LINES = 10.0, 2000
# A message of several lines: so many lines behind the first its URL is still believed to be its own.
_CONTINUED = 64
_REST = "…"
_K = TypeVar("_K")
_V = TypeVar("_V")


_SERVER = re.compile(r"\bserver: (?P<server>[^\s,]{1,255})")
_WORD = re.compile(r"\b(Warning|Error) \[ATS")
_CONNECTION = re.compile(r"(?:\[[^\[\]\s]{1,64}\])?\[0x[0-9a-f]{1,16}\]")
_CONFIGURED = re.compile(r"TLS configured \[(?P<fields>[^\]]{0,1000})")
_NAME = re.compile(r"\bname\((?P<name>[^\s()]{1,255})\)")
_ENFORCED = re.compile(r"\benforce_ats\((?:1|true)\)")
_TRUST = re.compile(r"Trust evaluate failure: (?P<certificates>(?:\[[^\[\]]{1,500}\]\s?){1,20})")
_CERTIFICATE = re.compile(r"\[(\w{1,20}) ([^\[\]]+)\]")
_FINISHED = re.compile(r"finished with error \[(-1022|-1200)\]")
_FAILING = re.compile(
    r"NSErrorFailingURL(?:String)?Key=[\"']?[a-z]{1,16}://(?:[^/@\s]{0,255}@)?(\[[^\]]{1,64}\]|[^/:?#\s,}\"']{1,255})"
)
_STREAM = re.compile(r"_kCFStreamErrorCodeKey=(-\d{1,6})")
_HIDDEN = re.compile(r"<(?:private|mask|redacted)|\(null\)|redacted$|%")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?|[0-9a-f:.]{2,45}")
_RANK: dict[Phase, int] = {"enforced": 0, "unknown": 1, "audit": 2}


class _Sum:
    """Lines of one kind about one server."""

    def __init__(self, row: Row, rule: str | None, phase: Phase, where: str) -> None:
        self.row, self.rule, self.phase, self.where = row, rule, phase, where
        self.count = 0
        self.meaning = row.meaning
        self.first: str | None = None
        self.last: str | None = None
        self.processes: Counter[str] = Counter()
        self.details: Counter[str] = Counter()
        self.reasons: dict[Reason, None] = {}

    def add(self, entry: Entry, detail: str, reasons: Sequence[Reason]) -> None:
        """One line more."""
        self.count += 1
        if entry.time is not None:
            self.first = entry.time if self.first is None else min(self.first, entry.time)
            self.last = entry.time if self.last is None else max(self.last, entry.time)
        for counter, text in ((self.processes, entry.process), (self.details, detail)):
            if text:
                counter[text if text in counter or len(counter) < MAX_VALUES else _REST] += 1
        for reason in reasons:
            if len(self.reasons) < MAX_VALUES:
                self.reasons[reason] = None

    def finding(self, remedy: str) -> LogFinding:
        """The lines as a result."""
        return LogFinding(
            id=self.row.id,
            rule=self.rule,
            phase=self.phase,
            count=self.count,
            first=self.first,
            last=self.last,
            processes=_counted(self.processes),
            details=_counted(self.details),
            reasons=list(self.reasons),
            meaning=self.meaning,
            remedy=remedy,
            source=self.row.source,
            sureness=self.row.sureness,
            where=self.where,
        )


class _Failure(msgspec.Struct, frozen=True):
    """A failed trust evaluation, until a violation comes that it explains."""

    connection: str
    line: int
    seconds: float | None
    reasons: tuple[Reason, ...]


class Collector:
    """Sums up entries of any number of logs. ``dropped`` counts lines about servers beyond the bound."""

    def __init__(self) -> None:
        self.dropped = 0
        self._name = ""
        self._servers: dict[str | None, dict[tuple[str, str | None, Phase], _Sum]] = {}
        # Of a process and connection: the host it is to, and whether the policy is enforced there.
        self._connections: OrderedDict[tuple[str, int | None, str], tuple[str | None, bool]] = OrderedDict()
        self._failures: OrderedDict[tuple[str, int | None], _Failure] = OrderedDict()
        # An error whose URL stands on one of the lines that follow.
        self._pending: tuple[Entry, str] | None = None

    def begin(self, name: str) -> None:
        """Another log begins: nothing before it explains what comes."""
        self.end()
        self._name = name
        self._connections.clear()
        self._failures.clear()

    def end(self) -> None:
        """The log ends: an error that waited for its URL has none."""
        if self._pending is not None:
            (entry, text), self._pending = self._pending, None
            self._count_error(entry, text, None)

    def add(self, entry: Entry) -> None:
        """Take in one entry."""
        message = entry.message
        if self._pending is not None and self._continued(entry):
            return
        if "TLS configured [" in message:
            self._configured(entry)
        elif _FINISHED.search(message):
            self._failed(entry, message)
        elif "Trust evaluate failure" in message:
            self._untrusted(entry)
        else:
            self._violated(entry)

    def result(self, logs: Sequence[Log], tool: Tool, *, complete: bool) -> AppleLog:
        """Everything so far, worst first: refused before not known before warned of, then by how often."""
        self.end()
        rules = {rule.id: rule for rule in shipped(DEFAULT).rules}
        servers = []
        for server, sums in self._servers.items():
            findings = [
                item.finding(rules[item.rule].remedy if item.rule else item.row.remedy) for item in sums.values()
            ]
            findings.sort(key=lambda item: (_RANK[item.phase], item.rule is None, -item.count, item.id))
            servers.append(LogServer(server, findings))
        servers.sort(
            key=lambda item: (
                min(_RANK[finding.phase] for finding in item.findings),
                -sum(finding.count for finding in item.findings),
                item.server is None,
                item.server or "",
            )
        )
        notes = [] if servers else [SILENCE]
        if self.dropped:
            notes.append(f"{self.dropped} lines about servers beyond the first {MAX_SERVERS:,} are left out")
        return AppleLog(
            policy=DEFAULT,
            logs=list(logs),
            complete=complete and not self.dropped,
            servers=servers,
            dropped=self.dropped,
            notes=notes,
            tool=tool,
        )

    def _configured(self, entry: Entry) -> None:
        """A connection tells its host before it is spoken of without."""
        connection = _CONNECTION.search(entry.message)
        fields = _CONFIGURED.search(entry.message)
        if connection is None or fields is None:
            return
        name = _NAME.search(fields["fields"])
        host = _host(name["name"]) if name else None
        _keep(
            self._connections,
            (entry.process, entry.pid, connection[0]),
            (host, _ENFORCED.search(fields["fields"]) is not None),
        )

    def _untrusted(self, entry: Entry) -> None:
        found = _TRUST.search(entry.message)
        if found is None:
            return
        reasons = [
            _reason(check, at) for at, checks in _CERTIFICATE.findall(found["certificates"]) for check in checks.split()
        ]
        failure = _Failure(_connection(entry.message), entry.line, entry.seconds, tuple(reasons[:MAX_VALUES]))
        _keep(self._failures, (entry.process, entry.pid), failure)

    def _violated(self, entry: Entry) -> None:
        for row in ROWS:
            if found := row.words.search(entry.message):
                break
        else:
            return
        connection = _connection(entry.message)
        host, enforced = self._connections.get((entry.process, entry.pid, connection), (None, False))
        server = _SERVER.search(entry.message)
        word = _WORD.search(entry.message)
        phase: Phase = "enforced" if enforced else "unknown"
        if word is not None:
            phase = "audit" if word[1] == "Warning" else "enforced"
        groups = found.groupdict()
        if "hash" in groups:
            groups["hash"] = HASHES.get(int(groups["hash"]), f"hash {groups['hash']}")
        if "suite" in groups:
            # The library has OpenSSL's names.
            groups["suite"] = _suites().get(groups["suite"], groups["suite"])
        reasons = self._explained(entry, connection) if row.id == "ats-trust" else ()
        item = self._sum((_host(server["server"]) if server else None) or host, row, row.rule, phase, entry)
        if item is not None:
            item.add(entry, row.detail.format(**groups), reasons)

    def _explained(self, entry: Entry, connection: str) -> tuple[Reason, ...]:
        """The checks that failed in the same process, of the same connection where both name one, just before."""
        failure = self._failures.get((entry.process, entry.pid))
        if failure is None or (failure.connection and connection and failure.connection != connection):
            return ()
        if failure.seconds is None or entry.seconds is None:
            near = 0 <= entry.line - failure.line <= _NEAR_LINES
        else:
            near = abs(entry.seconds - failure.seconds) <= _NEAR_S
        return failure.reasons if near else ()

    def _failed(self, entry: Entry, text: str) -> None:
        url = _FAILING.search(text)
        if url is None and "\n" not in text:
            self._pending = (entry, text)
        else:
            self._count_error(entry, text, _host(url[1]) if url else None)

    def _continued(self, entry: Entry) -> bool:
        """Whether this is a line of an error whose URL is awaited; an entry of its own ends the waiting."""
        if self._pending is None:
            return False
        first, text = self._pending
        url = _FAILING.search(entry.message)
        if entry.time is not None or url is None or not 0 < entry.line - first.line <= _CONTINUED:
            self.end()
            return False
        self._pending = None
        self._count_error(first, f"{text}\n{entry.message}", _host(url[1]))
        return True

    def _count_error(self, entry: Entry, text: str, server: str | None) -> None:
        finished, stream = _FINISHED.search(text), _STREAM.search(text)
        row = ERRORS[finished[1] if finished else "-1200"]
        code = int(stream[1]) if stream else 0
        name, rule, meaning = STATUSES.get(code, ("", row.rule, row.meaning))
        known = row.rule is not None or code in STATUSES
        item = self._sum(server, row, rule or row.rule, "enforced" if known else "unknown", entry)
        if item is not None:
            if row.rule is None:
                item.meaning = meaning
            reasons = self._explained(entry, "") if rule in {None, "chain-trusted"} and row.rule is None else ()
            item.add(entry, f"OSStatus {code} {name}".rstrip() if code else "", reasons)

    def _sum(self, server: str | None, row: Row, rule: str | None, phase: Phase, entry: Entry) -> _Sum | None:
        """Where lines of this kind are summed up; None, and counted, beyond the bound."""
        sums = self._servers.get(server)
        if sums is None:
            if len(self._servers) >= MAX_SERVERS:
                self.dropped += 1
                return None
            sums = self._servers[server] = {}
        key = (row.id, rule, phase)
        if key not in sums:
            sums[key] = _Sum(row, rule, phase, f"{self._name}:{entry.line}")
        return sums[key]


def servers(log: AppleLog) -> list[str]:
    """The servers of a log that can be asked: host names and addresses, worst first. What only looks like one, and
    names the device hid, are left out.
    """
    return [item.server for item in log.servers if item.server is not None and _HOST.fullmatch(item.server)]


def _host(text: str) -> str | None:
    """A host as a line has it, in lower case; None where the device hid it."""
    if _HIDDEN.match(text):
        return None
    return text.strip("[]").rstrip(".").lower() or None


def _connection(message: str) -> str:
    found = _CONNECTION.search(message)
    return found[0] if found else ""


def _reason(check: str, at: str) -> Reason:
    leaf, issuer, meaning = CHECKS.get(check, (None, None, "failed a check that is not known here"))
    return Reason(check[:80], at, leaf if at == "leaf" else issuer, meaning)


@lru_cache(maxsize=1)
def _suites() -> dict[str, str]:
    return {row.openssl_name: row.name for row in SUITES if row.openssl_name}


def _counted(counter: Counter[str]) -> list[Counted]:
    return [Counted(text, count) for text, count in sorted(counter.items(), key=lambda item: (-item[1], item[0]))]


def _keep(memory: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    """Remember, and forget what is oldest."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > MAX_CONNECTIONS:
        memory.popitem(last=False)
