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
from tests.servers.process import HOST, Launch, Recipe, free_ports, serving
from tlswire.lab.keys import certificate
from tlswire.lab.server import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.policy.rows import Row
    from tests.servers.certs import Leaf
    from tests.servers.sites import Placed, Program, Site
    from tlswire.lab.characters import Character

# Program -> its row in the catalogue and how it runs.
PROGRAMS: dict[str, tuple[str, Program]] = {
    "nginx": ("nginx-b", sites.nginx),
    "apache": ("apache", sites.apache),
    "haproxy": ("haproxy", sites.haproxy),
}
OTHER_NODE = "127.0.0.2"


@dataclass(frozen=True)
class Front:
    """A site of a program that has many. ``other`` is a second node: a site on another address with the same port, and
    its chains.
    """

    program: str
    site: Site
    other: tuple[Site, tuple[str, ...]] | None = None

    @property
    def needs(self) -> str:
        return PROGRAMS[self.program][0]

    @property
    def nodes(self) -> tuple[str, ...]:
        return (HOST, OTHER_NODE) if self.other else (HOST,)


@dataclass(frozen=True)
class Process:
    """A process of its own: ``needs`` is its row in the catalogue, ``make`` its recipe with these certificates."""

    needs: str
    make: Callable[[Sequence[Leaf]], Recipe]
    nodes: tuple[str, ...] = (HOST,)


@dataclass(frozen=True)
class InLab:
    """A character of the lab, which has the lab's certificate."""

    character: Character
    needs: str = ""
    nodes: tuple[str, ...] = (HOST,)


Server = Front | Process | InLab


class Fleet:
    """The servers of some rows; a program with many sites starts with the first of its rows that is asked for."""

    def __init__(self, rows: Sequence[Row], folder: Path, stack: contextlib.ExitStack) -> None:
        self._rows = rows
        self._folder = folder
        self._stack = stack
        self._leaves: dict[str, Leaf] = {}
        self._ports: dict[str, dict[str, int]] = {}

    def leaf(self, chain: str) -> Leaf:
        if chain not in self._leaves:
            self._leaves[chain] = made(chain).written(self._folder, chain)
        return self._leaves[chain]

    @contextlib.contextmanager
    def running(self, row: Row) -> Iterator[int]:
        """The port of the row's server, which runs at least as long as the block."""
        if isinstance(row.server, Front):
            yield self._front(row.server.program)[row.name]
        elif isinstance(row.server, Process):
            with serving(row.name, row.server.make([*map(self.leaf, row.chains)])) as server:
                yield server.port
        else:
            with running(row.server.character) as lab:
                yield lab.port

    def shown(self, row: Row) -> set[str]:
        """The SHA-256 of the certificates the row's server may show as its own."""
        other = row.server.other if isinstance(row.server, Front) else None
        names = {*row.chains, *(other[1] if other else ())}
        lab = [certificate("rsa")] if isinstance(row.server, InLab) else []
        return {sha256(der).hexdigest() for der in (*lab, *(made(name).shown[0].der for name in names))}

    def _front(self, program: str) -> dict[str, int]:
        if program not in self._ports:
            rows = [row for row in self._rows if isinstance(row.server, Front) and row.server.program == program]
            ports: dict[str, int] = {}

            def recipe(folder: Path, port: int) -> Launch:
                # The first port is the one that is waited for.
                others = [other for other in free_ports(len(rows)) if other != port]
                ports.update(zip((row.name for row in rows), (port, *others), strict=False))
                return PROGRAMS[program][1](folder, [one for row in rows for one in self._placed(row, ports[row.name])])

            self._stack.enter_context(serving(program, recipe))
            self._ports[program] = ports
        return self._ports[program]

    def _placed(self, row: Row, port: int) -> Iterator[Placed]:
        assert isinstance(row.server, Front)
        yield replace(row.server.site, certs=tuple(map(self.leaf, row.chains))), HOST, port
        if row.server.other:
            site, chains = row.server.other
            yield replace(site, certs=tuple(map(self.leaf, chains))), OTHER_NODE, port
