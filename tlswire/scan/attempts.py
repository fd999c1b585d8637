"""A whole handshake as something the prober can ask: how to make the client, again for every try.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.handshake.conversation import Conversation
from tlswire.probe.converse import converse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.handshake.client import Client
    from tlswire.probe.opening import Opening
    from tlswire.probe.transport import Address


class Attempt(msgspec.Struct, frozen=True):
    """One handshake to try; ``make`` gives a client with the same bytes each time.

    It gets ``least`` seconds where the prober would give it fewer.
    """

    title: str
    make: Callable[[], Client]
    suites: tuple[int, ...] = ()
    least: float = 0.0

    async def put(self, address: Address, *, opening: Opening | None, timeout: float, want_local: bool) -> Conversation:
        """Do it with ``address``."""
        longest = max(timeout, self.least)
        return await converse(address, self.make(), opening=opening, timeout=longest, want_local=want_local)

    def nothing(self, kind: str, reason: str) -> Conversation:
        """The conversation of a connection that was not made."""
        return Conversation(kind=kind, reason=reason)
