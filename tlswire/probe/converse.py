"""One whole connection to a server: a client of ``handshake`` on a socket of ``probe.transport``.

Must not import ``scan`` or anything above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.probe import transport
from tlswire.probe.exchange import behind

if TYPE_CHECKING:
    from tlswire.handshake.client import Client
    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.opening import Opening
    from tlswire.probe.transport import Address, Outcome


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
    payload = client.start()
    if opening is None:
        return _told(client, await transport.exchange(address, payload, client, timeout=timeout, want_local=want_local))
    from tlswire.probe.opening import Opened  # noqa: PLC0415 - most connections begin with TLS

    opened = Opened(opening, client, payload)
    outcome = await transport.exchange(
        opening.address, opened.to_send(), opened, timeout=timeout, want_local=want_local
    )
    return behind(opened, _told(client, outcome), outcome)


def _told(client: Client, outcome: Outcome) -> Conversation:
    return client.conversation(
        outcome.end,
        reason=outcome.error,
        connected=outcome.connected > 0,
        started=outcome.started,
        elapsed=outcome.elapsed,
        local=outcome.local,
    )
