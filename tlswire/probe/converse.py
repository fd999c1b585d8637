"""One whole connection to a server: a client of ``handshake`` on a socket of ``probe.transport``.

Must not import ``scan`` or anything above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.probe.exchange import behind, reach

if TYPE_CHECKING:
    from tlswire.handshake.client import Client
    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.opening import Opening
    from tlswire.probe.transport import Address


async def converse(
    address: Address,
    client: Client,
    *,
    opening: Opening | None = None,
    timeout: float = 5.0,
    want_local: bool = False,
) -> Conversation:
    """Let ``client`` talk to ``address`` (behind ``opening``, whose target it is) for at most ``timeout`` seconds.

    Never raises for what the server does.
    """
    words = client.start()
    outcome, opened = await reach(address, words, client, opening=opening, timeout=timeout, want_local=want_local)
    conversation = client.conversation(
        outcome.end,
        reason=outcome.error,
        connected=outcome.connected > 0,
        started=outcome.started,
        elapsed=outcome.elapsed,
        local=outcome.local,
    )
    return behind(opened, conversation, outcome)
