"""The shortest way from Python: send a hello to a server and read its flight.

Must not import ``scan`` or anything above it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tlswire.hello.builder import encode_client_hello
from tlswire.probe.exchange import ask
from tlswire.probe.opening import opening
from tlswire.probe.proxy import addresses

if TYPE_CHECKING:
    from tlswire.probe.exchange import Answer
    from tlswire.probe.proxy import Proxy
    from tlswire.wire.messages import ClientHello


async def exchange_async(
    host: str,
    port: int,
    hello: ClientHello | bytes,
    *,
    timeout: float = 5.0,
    whole_flight: bool = True,
    starttls: str = "",
    proxy: Proxy | None = None,
) -> Answer:
    """Send ``hello`` (a value, or record bytes as they shall go out) and read the answer.

    ``whole_flight`` reads on to ServerHelloDone where the server speaks TLS 1.2 or older; ``starttls`` names the
    protocol whose dialogue comes before TLS. What the server or the proxy does is in the Answer; raises UsageError only
    for a host that does not resolve and a protocol that is not known.
    """
    payload = hello if isinstance(hello, bytes) else encode_client_hello(hello)
    address = (await addresses(host, port, proxy))[0]
    way = await opening(address, starttls=starttls, name=host, proxy=proxy)
    return await ask(address, payload, opening=way, timeout=timeout, whole_flight=whole_flight)


def exchange(
    host: str,
    port: int,
    hello: ClientHello | bytes,
    *,
    timeout: float = 5.0,
    whole_flight: bool = True,
    starttls: str = "",
    proxy: Proxy | None = None,
) -> Answer:
    """``exchange_async`` for code without an event loop."""
    return asyncio.run(
        exchange_async(host, port, hello, timeout=timeout, whole_flight=whole_flight, starttls=starttls, proxy=proxy)
    )
