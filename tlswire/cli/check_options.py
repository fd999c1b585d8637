"""What the options of ``tlswire check`` hold, as values. Every fault is a UsageError; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.errors import UsageError
from tlswire.probe import transport
from tlswire.probe.targets import parse_target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.probe.transport import Address

_FORM = "write HOST:PORT:ADDRESS, or several addresses with commas in between"


def parse_resolve(texts: Iterable[str]) -> dict[tuple[str, int], tuple[Address, ...]]:
    """The addresses of ``--resolve HOST:PORT:ADDRESS[,ADDRESS]``, by host and port. Raises UsageError."""
    found: dict[tuple[str, int], tuple[Address, ...]] = {}
    for text in texts:
        host, _, rest = text.partition(":")
        port, _, listed = rest.partition(":")
        try:
            (target,) = parse_target(f"{host}:{port}")
        except UsageError as error:
            raise UsageError(repr(text), error.reason, "--resolve") from None
        at = [transport.numeric(one.strip("[] "), target.port) for one in listed.split(",")]
        known = tuple(one for one in at if one is not None)
        if len(known) < len(at) or not port:
            raise UsageError(repr(text), _FORM, "--resolve")
        found[target.host, target.port] = known
    return found
