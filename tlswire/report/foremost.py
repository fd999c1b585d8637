"""The sessions to look at first, in bounded memory: weak ones, or those that break the policy that was
asked for, then those that failed, then the rest as captured.

What is kept depends on the sessions only, not on who kept them: sums of several processes merge to those of one.
Must not import anything of tlswire but ``results`` and ``report``.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from tlswire.report.judged import verdict_text
from tlswire.report.table import ending, endpoint, moment

if TYPE_CHECKING:
    from tlswire.results.session import Session

    Key = tuple[int, str, int, float, str, str, str]

# What a session that was not established is told as: these are no fault of anybody.
QUIET = frozenset({"established", "incomplete"})


class Shown(msgspec.Struct, frozen=True):
    """One session as a table shows it. ``kind`` is weak, failed or fine; ``notes`` and ``weak`` are all there are."""

    kind: str
    capture: str
    frame: int
    start: str
    transport: str
    client: str
    server: str
    name: str
    version: str
    suite: str
    group: str
    ja4: str
    ending: str
    policy: str
    process: str
    marks: tuple[str, ...]
    weak: tuple[str, ...]
    notes: tuple[str, ...]


class Foremost:
    """The first ``limit`` sessions in the order of this module; 0 keeps none."""

    __slots__ = ("_edge", "_rows", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rows: list[tuple[Key, Shown]] = []
        self._edge: Key | None = None  # nothing from here on can be among the first

    def add(self, session: Session) -> None:
        """Keep ``session`` if it is one of the first."""
        if not self.limit:
            return
        bad = session.weak if session.policy is None else session.policy.broken
        rank = 0 if bad else 1 if session.outcome not in QUIET else 2
        client, server = endpoint(session.client), endpoint(session.server)
        key = rank, session.capture, session.first_frame, session.start, session.transport, client, server
        if self._edge is None or key < self._edge:
            self._rows.append((key, _shown(session, ("weak", "failed", "fine")[rank], client, server)))
            if len(self._rows) >= 2 * self.limit:
                self._cut()

    def merge(self, other: Foremost) -> None:
        """Add another's."""
        self._rows += other._rows
        self._cut()

    def rows(self) -> list[Shown]:
        """The sessions in their order."""
        self._cut()
        return [row for _, row in self._rows]

    def _cut(self) -> None:
        self._rows.sort(key=itemgetter(0))
        if len(self._rows) > self.limit:
            self._edge = self._rows[self.limit - 1][0]
            del self._rows[self.limit :]


def _shown(session: Session, kind: str, client: str, server: str) -> Shown:
    hello = session.hellos[0] if session.hellos else None
    ech = None if hello is None else hello.ech
    marks = (
        "resumed" if session.resumed else "",
        "second hello" if session.retry else "",
        "" if ech is None else "ECH grease" if ech.kind == "grease" else ech.protocol.upper(),
        "early data" if session.early_data else "",
        session.protocol or "",
        "" if session.decryption is None else f"decrypted: {session.decryption}",
    )
    return Shown(
        kind=kind,
        capture=session.capture,
        frame=session.first_frame,
        start=moment(session.start),
        transport=session.transport,
        client=client,
        server=server,
        name=session.server_name or "",
        version=session.version_name or "",
        suite=session.suite_name or "",
        group=session.group_name or "",
        ja4="" if hello is None else hello.ja4 or "",
        ending=ending(session),
        policy=verdict_text(session.policy),
        process="" if session.process is None else session.process.name,
        marks=tuple(filter(None, marks)),
        weak=tuple(session.weak),
        notes=tuple(session.notes),
    )
