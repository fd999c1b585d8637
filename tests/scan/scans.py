"""What the scan tests share: a scan of a loopback port, and results as sets of codes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from tlswire.lab.characters import CHARACTERS, accepted
from tlswire.probe.transport import Address
from tlswire.registry import SCSV, SUITES
from tlswire.scan.scanner import VERSIONS_SCANNED, Options, scan_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.results import Scan

Sets = dict[int, frozenset[int]]

Method = Literal["each", "eliminate"]
METHODS: tuple[Method, ...] = ("each", "eliminate")


def scan(port: int, options: Options, host: str = "127.0.0.1") -> Scan:
    """The scan of a port on loopback."""
    return asyncio.run(scan_address(host, Address("127.0.0.1", port), options))


def found(result: Scan) -> Sets:
    """The accepted codes of every version, empty ones too."""
    return {int(version.code, 16): codes(suite.code for suite in version.suites) for version in result.versions}


def unknown(result: Scan) -> Sets:
    """The codes that stayed without an answer."""
    return {int(version.code, 16): codes(version.unknown) for version in result.versions}


def codes(texts: Iterable[str]) -> frozenset[int]:
    return frozenset(int(text, 16) for text in texts)


def truth(name: str) -> Sets:
    """What a character of the lab accepts, for every version a scan asks."""
    known = accepted(CHARACTERS[name])
    return {version: known.get(version, frozenset()) for version in VERSIONS_SCANNED}


def sample(name: str, every: int = 3) -> tuple[int, ...]:
    """Every suite the character knows in any version, and every third of the registry: more than 128 in all."""
    known = {code for version, suites in CHARACTERS[name].suites.items() if version > 0x0002 for code in suites}
    return tuple(
        row.code for at, row in enumerate(SUITES) if row.code not in SCSV and (row.code in known or at % every == 0)
    )
