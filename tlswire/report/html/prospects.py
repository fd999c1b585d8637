"""What policies say of captures, as the page shows it: sessions under one, and clients if servers spoke only what one
allows.

Values for the template ``prospects``; nothing is escaped here, the templates do it. Must not import anything of
tlswire but ``results`` and ``report``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.report.sessions import ranked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.report.judged import Failing, Judged
    from tlswire.report.kept import ServerKey, Tally
    from tlswire.report.prospects import Prospects
    from tlswire.results.what_if import Client, Device

MAX_ROWS = 500
_SEVERAL = 5
_VERDICTS = {
    "fail": ("weak", "fail"),
    "unknown": ("unknown", "not known"),
    "warn": ("legacy", "warned of"),
    "pass": ("strong", "pass"),
}
_PROSPECTS = {
    "cannot": ("weak", "could not connect"),
    "unknown": ("unknown", "cannot be told"),
    "can": ("strong", "could connect"),
}
_SHORT = {"cannot": "stopped", "unknown": "not known", "can": "connects"}


class Slice(msgspec.Struct, frozen=True):
    """A part of a bar: where it begins and how wide it is in percent."""

    kind: str
    words: str
    count: int
    x: float
    width: float


class Failed(msgspec.Struct, frozen=True):
    """A server with sessions that fail."""

    name: str
    where: str
    sessions: int
    rules: str
    clients: str


class UnderPolicy(msgspec.Struct, frozen=True):
    """Sessions under a policy."""

    policy: str
    slices: tuple[Slice, ...]
    unseen: int
    unknown: str
    warnings: str
    servers: tuple[Failed, ...]
    left_off: int
    full: bool


class Row(msgspec.Struct, frozen=True):
    """One kind of client: ``what`` it would get, or what stops it."""

    client: str
    kind: str
    verdict: str
    what: str
    warnings: str
    sessions: int
    last: str
    to: str
    seen_from: str


class Outlook(msgspec.Struct, frozen=True):
    """Clients if servers spoke only what ``policy`` allows."""

    policy: str
    title: str
    edition: str
    slices: tuple[Slice, ...]
    clients: tuple[Row, ...]
    left_off: int
    complete: bool


def under_policy(judged: Judged) -> UnderPolicy | None:
    """How a policy's verdicts on sessions are shown; None where none was asked."""
    if not judged.policy:
        return None
    rows = sorted(judged.servers, key=lambda row: (-len(row[1].rules.counts), -row[1].sessions, row[0]))
    return UnderPolicy(
        policy=judged.policy,
        slices=tuple(_slices([(*_VERDICTS[name], judged.verdicts[name]) for name in _VERDICTS])),
        unseen=judged.unseen,
        unknown=", ".join(f"{rule} {count:,}" for rule, count in ranked(judged.unknown)),
        warnings=", ".join(f"{rule} {count:,}" for rule, count in ranked(judged.warnings)),
        servers=tuple(_failed(*row) for row in rows[:MAX_ROWS]),
        left_off=len(rows[MAX_ROWS:]),
        full=judged.servers.full,
    )


def outlook(prospects: Prospects) -> Outlook | None:
    """How the clients' prospects are shown; None where nothing was asked."""
    if not prospects.policy[0]:
        return None
    result = prospects.result()
    counts = {"cannot": result.cannot, "unknown": result.unknown, "can": result.can}
    return Outlook(
        policy=result.policy,
        title=result.title,
        edition=result.edition,
        slices=tuple(_slices([(*_PROSPECTS[name], counts[name]) for name in _PROSPECTS])),
        clients=tuple(map(_row, result.clients[:MAX_ROWS])),
        left_off=len(result.clients[MAX_ROWS:]),
        complete=result.complete,
    )


def _slices(parts: list[tuple[str, str, int]]) -> Iterator[Slice]:
    total, x = sum(count for _, _, count in parts), 0.0
    for kind, words, count in parts:
        if count:
            width = 100 * count / total
            yield Slice(kind, words, count, round(x, 2), round(width, 2))
            x += width


def _failed(key: ServerKey, server: Failing) -> Failed:
    addresses = _names(server.addresses)
    return Failed(
        name=key.name or addresses,
        where=addresses if key.name else "",
        sessions=server.sessions,
        rules=", ".join(f"{name} {server.rules.counts[name]:,}" for name in server.rules.names()),
        clients=", ".join(filter(None, (_names(server.processes), _names(server.clients)))),
    )


def _names(tally: Tally) -> str:
    names = tally.names()
    return ", ".join(names[:_SEVERAL]) + (" and more" if tally.full or len(names) > _SEVERAL else "")


def _row(client: Client) -> Row:
    choice = client.choice
    parts = (
        []
        if choice is None
        else [choice.version_name, choice.suite_name, choice.group_name, choice.signature_scheme_name]
    )
    names = client.server_names
    return Row(
        client=client.client,
        kind=_PROSPECTS[client.verdict][0],
        verdict=_SHORT[client.verdict],
        what=" ".join(part for part in parts if part) or ", ".join(client.broken),
        warnings=", ".join(client.warnings),
        sessions=client.sessions,
        last=(client.last_seen or "")[:19].replace("T", " "),
        to=", ".join(names[:_SEVERAL]) + (f" and {len(names) - _SEVERAL} more" if len(names) > _SEVERAL else ""),
        seen_from=", ".join(filter(None, (_devices(client.processes), _devices(client.devices))))
        + (" and more" if client.more else ""),
    )


def _devices(devices: list[Device]) -> str:
    return ", ".join(device.name for device in devices)
