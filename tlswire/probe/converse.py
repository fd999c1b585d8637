"""One whole connection to a server: a client of ``handshake`` on a socket of ``probe.transport``.

Must not import ``scan`` or anything above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.probe import transport

if TYPE_CHECKING:
    from tlswire.handshake.client import Client
    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.transport import Address


async def converse(address: Address, client: Client, *, timeout: float = 5.0, want_local: bool = False) -> Conversation:
    """Let ``client`` talk to ``address`` for at most ``timeout`` seconds. Never raises for what the server does."""
    outcome = await transport.exchange(address, client.start(), client, timeout=timeout, want_local=want_local)
    return client.conversation(
        outcome.end,
        reason=outcome.error,
        connected=outcome.connected > 0,
        started=outcome.started,
        elapsed=outcome.elapsed,
        local=outcome.local,
    )
