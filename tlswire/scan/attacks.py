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

    from tlswire.handshake.conversation import Conversation, Stage
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


def reaction(shown: Conversation, stage: Stage = "flight") -> str:
    """How the server took it: an alert by name, ``answer`` (application data), ``close_notify``, ``close``, ``reset``,
    ``silence``, ``fault`` (it broke the protocol itself), or ``unknown`` where it did not come as far as ``stage``.
    """
    if is_unknown(shown) or shown.stage not in {stage, "finished"}:
        return UNKNOWN
    if shown.alert is not None:
        return shown.alert.name
    if shown.application:
        return ANSWER
    if shown.kind == FAULT:
        return BROKEN
    return _ENDINGS.get(shown.ending, GOODBYE)


class Compared(msgspec.Struct, frozen=True):
    """The reactions to several variants, by their names, in the last of so many runs.

    ``different``: every run had the same difference. That there is none takes one run, or two after one that had some.
    None where runs did not agree, or brought no reaction.
    """

    reactions: Mapping[str, str]
    different: bool | None
    runs: int


async def compare(
    variants: tuple[str, ...], ask: Callable[[str, float], Awaitable[Conversation]], stage: Stage = "flight"
) -> tuple[Compared, Mapping[str, Conversation]]:
    """Ask every variant, again and longer where they differ; ``ask`` gets the variant and the seconds of silence.

    The conversations are those of the last run.
    """
    runs: list[dict[str, str]] = []
    shown: Mapping[str, Conversation] = {}
    while len(runs) < RUNS:
        silence = LONG_SILENCE if runs else SILENCE
        conversations = await asyncio.gather(*(ask(name, silence) for name in variants))
        shown = dict(zip(variants, conversations, strict=True))
        runs.append({name: reaction(one, stage) for name, one in shown.items()})
        if UNKNOWN in runs[-1].values() or (len(runs) == 1 and _alike(runs[0])):
            break
    return Compared(runs[-1], _verdict(runs), len(runs)), shown


def doubt(reactions: Mapping[str, str], runs: int) -> str:
    """Why nothing follows from reactions, where ``different`` is None."""
    if UNKNOWN in reactions.values():
        return "the handshake did not come so far that it could be seen"
    if _alike(reactions):
        return f"the server ends the handshake before ({next(iter(reactions.values()))})"
    return (
        f"no difference that stays, in {runs} runs ({', '.join(f'{name}: {how}' for name, how in reactions.items())})"
    )


def _verdict(runs: list[dict[str, str]]) -> bool | None:
    last = runs[-1]
    if UNKNOWN in last.values():
        return None
    if _alike(last):
        return False if all(run == last for run in runs[1:]) else None
    return True if all(run == last for run in runs) else None


def _alike(run: Mapping[str, str]) -> bool:
    return len(set(run.values())) == 1
