"""Tables in bounded memory that are the same for any number of processes.

A table that is full keeps the keys whose hashes are the smallest: what is kept does not depend on the order in which
sessions come. Must not import anything of tlswire but ``results``.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.results.session import Session

SEVERAL = 16  # keys inside one row
# A full table is cut back when it has grown by a quarter: sorting at every new key would be slow.
_SLACK = 4


class ServerKey(NamedTuple):
    """A server as the summary knows it: by name, or by address where no name was sent."""

    name: str
    address: str
    port: int
    transport: str


def server_key(session: Session) -> ServerKey:
    """The server of a session."""
    name = session.server_name or ""
    return ServerKey(name, "" if name else session.server.address, session.server.port, session.transport)


class _Row(Protocol):
    def merge(self, other: Self, /) -> None: ...


K = TypeVar("K", bound=tuple[object, ...])
V = TypeVar("V", bound=_Row)


@lru_cache(maxsize=1 << 16)
def _hash(key: object) -> bytes:
    return hashlib.blake2b(repr(key).encode("utf-8", "backslashreplace"), digest_size=8).digest()


class Tally:
    """How often each of at most sixteen keys came."""

    __slots__ = ("_edge", "counts", "full")

    def __init__(self) -> None:
        self.full = False
        self.counts: dict[str, int] = {}
        self._edge = b""  # the largest hash that is kept by a full tally

    def add(self, key: str, count: int = 1) -> None:
        """Count ``key``."""
        counts = self.counts
        if key in counts:
            counts[key] += count
        elif len(counts) < SEVERAL:
            counts[key] = count
        else:
            self.full = True
            self._edge = self._edge or max(map(_hash, counts))
            if _hash(key) < self._edge:
                counts[key] = count
                del counts[max(counts, key=_hash)]
                self._edge = max(map(_hash, counts))

    def merge(self, other: Tally) -> None:
        """Add another's counts."""
        for key, count in other.counts.items():
            self.add(key, count)
        self.full = self.full or other.full

    def names(self) -> list[str]:
        """The keys, most frequent first."""
        return sorted(self.counts, key=lambda key: (-self.counts[key], key))


class Kept(Generic[K, V]):
    """A row for each of at most ``limit`` keys."""

    __slots__ = ("full", "limit", "make", "rows")

    def __init__(self, make: Callable[[], V], limit: int) -> None:
        self.make = make
        self.limit = limit
        self.full = False
        self.rows: dict[K, V] = {}

    def row(self, key: K) -> V:
        """The row of ``key``, a new one where there is none."""
        row = self.rows.get(key)
        if row is None:
            if len(self.rows) >= self.limit + self.limit // _SLACK:
                self.cut()
            row = self.rows[key] = self.make()
        return row

    def cut(self) -> None:
        """Keep no more than the limit."""
        if len(self.rows) > self.limit:
            self.full = True
            for key in sorted(self.rows, key=_hash)[self.limit :]:
                del self.rows[key]

    def merge(self, other: Kept[K, V]) -> None:
        """Add another's rows."""
        for key, row in other.rows.items():
            self.row(key).merge(row)
        self.full = self.full or other.full

    def __iter__(self) -> Iterator[tuple[K, V]]:
        self.cut()
        return iter(self.rows.items())


class Share:
    """Sessions that have something in common, and their servers."""

    __slots__ = ("servers", "sessions")

    def __init__(self) -> None:
        self.sessions = 0
        self.servers = Tally()

    def merge(self, other: Share) -> None:
        """Add another's."""
        self.sessions += other.sessions
        self.servers.merge(other.servers)
