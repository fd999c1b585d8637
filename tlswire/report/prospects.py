"""Clients of captures by what becomes of them if servers spoke only what a policy allows: sums, text and JSON.

Must not import anything of tlswire but ``escape``, ``results`` and ``report``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tlswire.escape import printable
from tlswire.report.kept import SEVERAL, Kept, Tally
from tlswire.report.table import counted, fit, listed, moment
from tlswire.results.what_if import Choice, Client, Device, Prospect, WhatIf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from tlswire.report.text import Paint
    from tlswire.results.session import Session

MAX_CLIENTS = 4096
_FEW = 8  # devices of one client in the text
_RED, _YELLOW, _GREEN, _BOLD, _DIM = "31", "33", "32", "1", "2"
_ORDER = ("cannot", "unknown", "can")
_TITLES = {
    "cannot": ("Clients that could not connect", _RED),
    "unknown": ("Clients of which this cannot be told", _YELLOW),
    "can": ("Clients that could connect", _GREEN),
}


class ProspectKey(NamedTuple):
    """One kind of client, by fingerprint, and its prospects."""

    client: str
    choice: Choice | None
    broken: tuple[str, ...]
    warnings: tuple[str, ...]


class Sightings:
    """How often something was seen, and when last."""

    __slots__ = ("last", "sessions")

    def __init__(self) -> None:
        self.sessions = 0
        self.last = 0.0

    def add(self, start: float) -> None:
        """Once more, at ``start``."""
        self.sessions += 1
        self.last = max(self.last, start)

    def merge(self, other: Sightings) -> None:
        """Add another's."""
        self.sessions += other.sessions
        self.last = max(self.last, other.last)


class ClientRow:
    """Sessions of one kind of client: from where, as which process, to whom."""

    __slots__ = ("devices", "names", "processes", "seen")

    def __init__(self) -> None:
        self.seen = Sightings()
        self.devices: Kept[tuple[str], Sightings] = Kept(Sightings, SEVERAL)
        self.processes: Kept[tuple[str], Sightings] = Kept(Sightings, SEVERAL)
        self.names = Tally()

    def merge(self, other: ClientRow) -> None:
        """Add another's."""
        self.seen.merge(other.seen)
        self.devices.merge(other.devices)
        self.processes.merge(other.processes)
        self.names.merge(other.names)


class Prospects:
    """All clients under one policy, whose name, title and edition ``policy`` holds; empty: nothing was asked."""

    def __init__(self, policy: tuple[str, str, str] = ("", "", "")) -> None:
        self.policy = policy
        self.verdicts: Counter[str] = Counter()
        self.clients: Kept[ProspectKey, ClientRow] = Kept(ClientRow, MAX_CLIENTS)

    def add(self, session: Session, client: str, prospect: Prospect) -> None:
        """Count one session of the client with this fingerprint."""
        self.verdicts[_verdict(prospect.choice, prospect.broken)] += 1
        row = self.clients.row(ProspectKey(client, prospect.choice, prospect.broken, prospect.warnings))
        row.seen.add(session.start)
        row.devices.row((session.client.address,)).add(session.start)
        if session.process is not None:
            row.processes.row((session.process.name,)).add(session.start)
        if session.server_name is not None:
            row.names.add(session.server_name)

    def merge(self, other: Prospects) -> None:
        """Add another's."""
        self.policy = self.policy if self.policy[0] else other.policy
        self.verdicts += other.verdicts
        self.clients.merge(other.clients)

    def result(self) -> WhatIf:
        """All of it as ``tlswire.what-if/1``."""
        name, title, edition = self.policy
        clients = [_client(key, row) for key, row in self._rows()]
        return WhatIf(
            policy=name,
            title=title,
            edition=edition,
            sessions=sum(self.verdicts.values()),
            can=self.verdicts["can"],
            cannot=self.verdicts["cannot"],
            unknown=self.verdicts["unknown"],
            complete=not self.clients.full,
            clients=clients,
        )

    def _rows(self) -> list[tuple[ProspectKey, ClientRow]]:
        """Those that could not connect first, the busiest first."""
        return sorted(
            self.clients,
            key=lambda row: (
                _ORDER.index(_verdict(row[0].choice, row[0].broken)),
                -row[1].seen.sessions,
                row[0].client,
                repr(row[0]),
            ),
        )

    def section(self, paint: Paint, width: int, top: int, *, brief: bool = False) -> Iterator[str]:
        """What the summary says of it."""
        total = sum(self.verdicts.values())
        if not self.policy[0] or not total:
            return
        name = fit(printable(self.policy[0]), width // 3)
        yield paint(f"What if servers spoke only what {name} allows", _BOLD)
        few = [
            (self.verdicts["can"], "could connect"),
            (self.verdicts["cannot"], "could not"),
            (self.verdicts["unknown"], "cannot be told"),
        ]
        yield f"  {counted(total, 'session')}: {', '.join(f'{count:,} {words}' for count, words in few if count)}"
        if brief:
            return
        rows = self._rows()
        for verdict in _ORDER:
            mine = [row for row in rows if _verdict(row[0].choice, row[0].broken) == verdict]
            if not mine:
                continue
            title, colour = _TITLES[verdict]
            yield f"  {paint(f'{title:<37}', colour)}{paint('  sessions  last seen (UTC)', _DIM)}"
            for key, row in mine[: top or None]:
                yield from _lines(key, row, width)
            if top and len(mine) > top:
                yield paint(f"    and {counted(len(mine) - top, 'more client')}; --top 0 shows every row", _DIM)
        if self.clients.full:
            yield paint("  and clients that had no room here", _DIM)


def _verdict(choice: Choice | None, broken: tuple[str, ...]) -> Literal["can", "cannot", "unknown"]:
    return "can" if choice is not None else "cannot" if broken else "unknown"


def _client(key: ProspectKey, row: ClientRow) -> Client:
    devices, processes = _devices(row.devices), _devices(row.processes)
    return Client(
        client=key.client,
        verdict=_verdict(key.choice, key.broken),
        choice=key.choice,
        broken=list(key.broken),
        warnings=list(key.warnings),
        sessions=row.seen.sessions,
        last_seen=moment(row.seen.last) or None,
        devices=devices,
        processes=processes,
        server_names=row.names.names(),
        more=row.devices.full or row.processes.full or row.names.full,
    )


def _devices(table: Kept[tuple[str], Sightings]) -> list[Device]:
    rows = sorted(table, key=lambda row: (-row[1].sessions, row[0]))
    return [Device(name, seen.sessions, moment(seen.last) or None) for (name,), seen in rows]


def _lines(key: ProspectKey, row: ClientRow, width: int) -> Iterator[str]:
    yield f"    {fit(printable(key.client), 36):<36}  {_seen(row.seen.sessions, moment(row.seen.last))}"
    choice = key.choice
    if choice is not None:
        parts = (choice.version_name, choice.suite_name, choice.group_name, choice.signature_scheme_name)
        yield f"      with {fit(' '.join(part for part in parts if part), width - 11)}"
        if key.warnings:
            yield f"      warned of: {fit(', '.join(map(printable, key.warnings)), width - 17)}"
    elif key.broken:
        yield f"      stopped by {fit(', '.join(map(printable, key.broken)), width - 17)}"
    if row.names.counts:
        yield f"      to {listed(list(map(printable, row.names.names())), width - 9, open_end=row.names.full)}"
    devices = [*_devices(row.processes), *_devices(row.devices)]
    more = row.devices.full or row.processes.full
    if choice is not None:
        names = [printable(device.name) for device in devices]
        yield f"      from {listed(names, width - 11, open_end=more)}"
        return
    # Who is left out is somebody to be looked for.
    for device in devices[:_FEW]:
        yield f"      from {fit(printable(device.name), 29):<29}  {_seen(device.sessions, device.last_seen)}"
    if more or len(devices) > _FEW:
        yield f"      and {'at least ' * more}{max(len(devices) - _FEW, 1)} more"


def _seen(sessions: int, last: str | None) -> str:
    return f"{sessions:>7,}  {(last or '')[:19].replace('T', ' ')}".rstrip()
