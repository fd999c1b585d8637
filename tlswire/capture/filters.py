"""Which sessions are wanted: by server name, address, port, version and weakness.

Kinds of conditions are joined by "and", the values of one kind by "or". Must not import anything of tlswire but
``errors``, ``registry``, ``wire`` and ``results``; no I/O.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import LookupFailedError, UsageError
from tlswire.registry import VERSIONS
from tlswire.wire.dtls import tls_equivalent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.results.session import Hello, Session

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SHORT_NAMES = {"ssl2": "SSLv2", "ssl3": "SSLv3"} | {f"1.{minor}": f"TLS 1.{minor}" for minor in range(4)}
_PORTS = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?$", re.ASCII)


class SessionFilter(msgspec.Struct, frozen=True):
    """What a session must be. Empty conditions let everything pass.

    ``names`` are compiled patterns of server names, ``networks`` hold the client or the server, ``ports`` are ranges
    of the server's, ``versions`` codes of what was chosen, or of the best offer where nothing was.
    """

    names: tuple[re.Pattern[str], ...] = ()
    networks: tuple[Network, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    versions: frozenset[str] = frozenset()
    weak: bool = False

    def __bool__(self) -> bool:
        return bool(self.names or self.networks or self.ports or self.versions or self.weak)

    def __call__(self, session: Session) -> bool:
        """Whether ``session`` is wanted."""
        if self.weak and not session.weak:
            return False
        if self.ports and not any(low <= session.server.port <= high for low, high in self.ports):
            return False
        if self.versions and (session.version or best_offer(session.hellos)) not in self.versions:
            return False
        if self.names and not any(pattern.match(session.server_name or "") for pattern in self.names):
            return False
        return not self.networks or self._near(session.client.address) or self._near(session.server.address)

    def _near(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self.networks)


def session_filter(
    *,
    names: Iterable[str] = (),
    hosts: Iterable[str] = (),
    ports: Iterable[str] = (),
    versions: str | None = None,
    weak: bool = False,
) -> SessionFilter:
    """The filter that options describe. An empty name means sessions without one. Raises UsageError."""
    return SessionFilter(
        tuple(re.compile(fnmatch.translate(name.rstrip(".")), re.IGNORECASE) for name in names),
        tuple(map(_network, hosts)),
        tuple(span for text in ports for span in _spans(text)),
        frozenset() if versions is None else _versions(versions),
        weak,
    )


def best_offer(hellos: list[Hello]) -> str | None:
    """The code of the highest version the first hello offers, GREASE left out (RFC 8701)."""
    if not hellos:
        return None
    hello = hellos[0]
    offered = [code for code in hello.versions if not _is_grease(code)]
    return max(offered, key=lambda code: tls_equivalent(int(code, 16)), default=hello.legacy_version)


def _is_grease(code: str) -> bool:
    return code[2:4] == code[4:] and code[3] == "A"


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip().strip("[]"), strict=False)
    except ValueError:
        raise UsageError(repr(text), "is neither an address nor a block such as 10.0.0.0/8", "--host") from None


def _spans(text: str) -> list[tuple[int, int]]:
    spans = []
    for word in _words(text, "--port"):
        found = _PORTS.match(word)
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not 0 <= low <= high <= 0xFFFF:
            raise UsageError(repr(word), "is neither a port nor a range such as 8000-8999", "--port")
        spans.append((low, high))
    return spans


def _versions(text: str) -> frozenset[str]:
    """Codes of the versions named; the drafts of a version belong to it."""
    found: set[str] = set()
    for word in _words(text, "--version"):
        try:
            named = VERSIONS.find(_SHORT_NAMES.get(word.lower(), word))
        except LookupFailedError as error:
            raise UsageError(error.what, error.reason, "--version") from None
        found.add(VERSIONS.hex(named.code))
        found.update(VERSIONS.hex(row.code) for row in VERSIONS if row.name.startswith(f"{named.name} draft"))
    return frozenset(found)


def _words(text: str, where: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise UsageError(repr(text), "names nothing", where)
    return words
