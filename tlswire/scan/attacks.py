"""What the questions of the set "attacks" share: how a server took something wrong, and when a difference is believed.

Each sends what a patched server refuses or ignores, and looks at the reaction. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from tlswire.handshake.client import Client
from tlswire.hello.builder import TLS12_VERSION
from tlswire.probe.exchange import CLOSE, FAULT, RESET, TIMEOUT
from tlswire.scan.server import is_unknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tlswire.handshake.conversation import Conversation
    from tlswire.scan.server import Server

# Seconds without a word that are silence: as long as five connections one after the other stay below the usual
# timeout; and where a difference is to be proven.
SILENCE, LONG_SILENCE = 0.7, 2.0
# So many runs must agree before a difference is called one.
RUNS = 3

ANSWER, GOODBYE, QUIET, BROKEN, UNKNOWN = "answer", "close_notify", "silence", "fault", "unknown"
_ENDINGS = {CLOSE: "close", RESET: "reset", TIMEOUT: QUIET}


class Deviating(Client):
    """A client that does something wrong, and then waits for ``silence`` seconds at most."""

    silence = SILENCE

    def wait(self) -> None:
        """Bound the wait for a reaction."""
        self.patience = self.silence


def older(server: Server) -> int | None:
    """The newest version below TLS 1.3 that the server accepts."""
    return next((code for code in server.versions if code <= TLS12_VERSION), None)


def reaction(shown: Conversation) -> str:
    """How the server took it: an alert by name, ``answer`` (application data), ``close_notify``, ``close``, ``reset``,
    ``silence``, ``fault`` (it broke the protocol itself), or ``unknown`` where it did not come so far.
    """
    if is_unknown(shown) or shown.stage not in {"flight", "finished"}:
        return UNKNOWN
    if shown.alert is not None:
        return shown.alert.name
    if shown.application:
        return ANSWER
    if shown.kind == FAULT:
        return BROKEN
    return _ENDINGS.get(shown.ending, GOODBYE)


class Compared(msgspec.Struct, frozen=True):
    """The reactions to several variants, by their names, in so many runs.

    ``different``: every run had the same difference; None where runs did not agree, or one brought no reaction. That
    there is none needs one run.
    """

    reactions: Mapping[str, str]
    different: bool | None
    runs: int


async def compare(
    variants: tuple[str, ...], ask: Callable[[str, float], Awaitable[Conversation]]
) -> tuple[Compared, Mapping[str, Conversation]]:
    """Ask every variant, again and longer where they differ; ``ask`` gets the variant and the seconds of silence.

    The conversations are those of the first run.
    """
    first = await _run(variants, ask, SILENCE)
    reactions = {name: reaction(shown) for name, shown in first.items()}
    if UNKNOWN in reactions.values():
        return Compared(reactions, None, 1), first
    if len(set(reactions.values())) == 1:
        return Compared(reactions, different=False, runs=1), first
    for run in range(2, RUNS + 1):
        again = await _run(variants, ask, LONG_SILENCE)
        if {name: reaction(shown) for name, shown in again.items()} != reactions:
            return Compared(reactions, None, run), first
    return Compared(reactions, different=True, runs=RUNS), first


async def _run(
    variants: tuple[str, ...], ask: Callable[[str, float], Awaitable[Conversation]], silence: float
) -> Mapping[str, Conversation]:
    shown = await asyncio.gather(*(ask(name, silence) for name in variants))
    return dict(zip(variants, shown, strict=True))
