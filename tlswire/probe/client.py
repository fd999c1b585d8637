"""The shortest way from Python: send a hello to a server and read its flight, or finish the handshake.

Must not import ``scan`` or anything above it.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from tlswire.hello.builder import encode_client_hello
from tlswire.probe.exchange import ask
from tlswire.probe.opening import opening
from tlswire.probe.proxy import addresses

if TYPE_CHECKING:
    from tlswire.handshake.conversation import Conversation, Session
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


async def converse_async(
    host: str,
    port: int,
    hello: ClientHello,
    *,
    request: bytes = b"",
    session: Session | None = None,
    seed: int = 0,
    timeout: float = 5.0,
    starttls: str = "",
    proxy: Proxy | None = None,
) -> Conversation:
    """Complete the handshake that ``hello`` begins, its key shares made real by keys of ``seed``, send ``request`` and
    read the answer. ``session`` is one of an earlier Conversation to resume.

    What the server does is in the Conversation; raises UsageError only for a host that does not resolve and a protocol
    that is not known.
    """
    from tlswire.handshake.client import Client  # noqa: PLC0415 - hellos alone need no keys
    from tlswire.handshake.offer import offer, resuming  # noqa: PLC0415 - as above
    from tlswire.probe.converse import converse as converse_with  # noqa: PLC0415 - as above

    rng = Random(seed)
    address = (await addresses(host, port, proxy))[0]
    way = await opening(address, starttls=starttls, name=host, proxy=proxy)
    hello = hello if session is None else resuming(hello, session)
    client = Client(offer(hello, rng), rng, session=session, request=request)
    return await converse_with(address, client, opening=way, timeout=timeout)


def converse(
    host: str,
    port: int,
    hello: ClientHello,
    *,
    request: bytes = b"",
    session: Session | None = None,
    seed: int = 0,
    timeout: float = 5.0,
    starttls: str = "",
    proxy: Proxy | None = None,
) -> Conversation:
    """``converse_async`` for code without an event loop."""
    return asyncio.run(
        converse_async(
            host,
            port,
            hello,
            request=request,
            session=session,
            seed=seed,
            timeout=timeout,
            starttls=starttls,
            proxy=proxy,
        )
    )
