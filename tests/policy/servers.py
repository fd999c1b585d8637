"""Running the servers of the matrix: those that can have many sites in one process each, the others one by one.

Must not know which rows exist (rows.py) or what is expected of them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from tests.policy.chains import made
from tests.servers import sites
from tests.servers.process import HOST, Launch, Recipe, serving
from tests.servers.sites import Site
from tlswire.lab.keys import certificate
from tlswire.lab.server import running
from tlswire.probe.transport import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.policy.rows import Row
    from tests.servers.certs import Leaf
    from tests.servers.sites import Program
    from tlswire.lab.characters import Character

# Program -> its row in the catalogue and how it runs.
PROGRAMS: dict[str, tuple[str, Program]] = {
    "nginx": ("nginx-b", sites.nginx),
    "apache": ("apache", sites.apache),
    "haproxy": ("haproxy", sites.haproxy),
}


@dataclass(frozen=True)
class Front:
    """A site of a program that has many. ``other`` is a second node: its site and its chains."""

    program: str
    site: Site
    other: tuple[Site, tuple[str, ...]] | None = None

    @property
    def needs(self) -> str:
        return PROGRAMS[self.program][0]


@dataclass(frozen=True)
class Process:
    """A process of its own: ``needs`` is its row in the catalogue, ``make`` its recipe with these certificates."""

    needs: str
    make: Callable[[Sequence[Leaf]], Recipe]


@dataclass(frozen=True)
class InLab:
    """A character of the lab, which has the lab's certificate."""

    character: Character
    needs: str = ""


Server = Front | Process | InLab


class Fleet:
    """The servers of some rows; a program with many sites starts with the first of its rows that is asked for."""

    def __init__(self, rows: Sequence[Row], folder: Path, stack: contextlib.ExitStack) -> None:
        self._rows = rows
        self._folder = folder
        self._stack = stack
        self._leaves: dict[str, Leaf] = {}
        self._ports: dict[str, int] = {}

    def leaf(self, chain: str) -> Leaf:
        if chain not in self._leaves:
            self._leaves[chain] = made(chain).written(self._folder, chain)
        return self._leaves[chain]

    @contextlib.contextmanager
    def running(self, row: Row) -> Iterator[list[Address]]:
        """Where the row's nodes are, which run at least as long as the block."""
        if isinstance(row.server, Front):
            port = self._front(row.server.program)
            yield [Address(host, port) for host in self._hosts(row)]
        elif isinstance(row.server, Process):
            with serving(row.name, row.server.make([*map(self.leaf, row.chains)])) as server:
                yield [Address(*server.address)]
        else:
            with running(row.server.character) as lab:
                yield [Address(HOST, lab.port)]

    def shown(self, row: Row) -> set[str]:
        """The SHA-256 of the certificates the row's server may show as its own."""
        other = row.server.other if isinstance(row.server, Front) else None
        names = {*row.chains, *(other[1] if other else ())}
        lab = [certificate("rsa")] if isinstance(row.server, InLab) else []
        return {sha256(der).hexdigest() for der in (*lab, *(made(name).shown[0].der for name in names))}

    def _front(self, program: str) -> int:
        """The port of a program, the same for all its sites: the addresses of loopback are theirs alone."""
        if program not in self._ports:
            rows = [row for row in self._rows if isinstance(row.server, Front) and row.server.program == program]

            def recipe(folder: Path, port: int) -> Launch:
                placed = [(site, host, port) for row in rows for site, host in self._sites(row)]
                # The last is the one that is waited for.
                return PROGRAMS[program][1](folder, [*placed, (Site(), HOST, port)])

            self._ports[program] = self._stack.enter_context(serving(program, recipe)).port
        return self._ports[program]

    def _hosts(self, row: Row) -> list[str]:
        at = self._rows.index(row)
        return [f"127.{node}.{1 + at // 250}.{1 + at % 250}" for node, _ in enumerate(_nodes(row))]

    def _sites(self, row: Row) -> Iterator[tuple[Site, str]]:
        for (site, chains), host in zip(_nodes(row), self._hosts(row), strict=True):
            yield replace(site, certs=tuple(map(self.leaf, chains))), host


def _nodes(row: Row) -> list[tuple[Site, tuple[str, ...]]]:
    """The sites of a row's nodes and their chains."""
    assert isinstance(row.server, Front)
    first = (row.server.site, row.chains)
    return [first, row.server.other] if row.server.other else [first]
