"""Our own client talks to a character in memory: whole handshakes without sockets, threads or time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from tlswire.handshake.client import Client
from tlswire.handshake.offer import offer, resuming
from tlswire.hello.builder import Shape, client_hello
from tlswire.lab.actions import Close, Hold, Reset, Send
from tlswire.lab.characters import Character, character
from tlswire.lab.responder import Conversation
from tlswire.scan.server import groups_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.handshake.conversation import Conversation as Shown
    from tlswire.handshake.conversation import Session
    from tlswire.lab.sessions import Sessions
    from tlswire.wire.messages import ClientHello

REQUEST = b"GET / HTTP/1.1\r\nHost: lab.example\r\n\r\n"
TLS13 = 0x0304
NAME = b"lab.example"
_ENDINGS = {Close: "close", Reset: "reset", Hold: "timeout"}


def hello_for(version: int, suites: tuple[int, ...], *, seed: int = 1, **shape: Any) -> ClientHello:
    """A hello for one version whose groups can be computed; keywords are fields of Shape."""
    rng = Random(seed)
    usual: dict[str, Any] = {"server_name": NAME, "groups": groups_of(version)}
    return client_hello((version,), suites, rng=rng, shape=Shape(**usual | shape))


def converse(client: Client, server: Conversation) -> str:
    """Let both talk until one ends, or has nothing more to say; how it ended for the client."""
    said = client.start()
    while said:
        actions = server.receive(said)
        said = b""
        for action in actions:
            if isinstance(action, Send):
                for _ in range(action.times):
                    done = client.feed(action.data)
                    said += client.to_send()
                    if done:
                        server.receive(said)
                        return "done"
            elif type(action) in _ENDINGS:
                return _ENDINGS[type(action)]
    return "timeout"


def complete(
    of: Character | str,
    hello: ClientHello,
    *,
    sessions: Sessions | None = None,
    session: Session | None = None,
    request: bytes = REQUEST,
    early_data: bytes = b"",
    make: Callable[..., Client] = Client,
    seed: int = 1,
) -> Shown:
    """The conversation of our client, which says ``hello``, with a character."""
    rng = Random(seed)
    if session is not None:
        hello = resuming(hello, session, early_data=bool(early_data))
    client = make(offer(hello, rng), rng, session=session, request=request, early_data=early_data)
    known = character(of) if isinstance(of, str) else of
    return client.conversation(converse(client, Conversation(known, seed, sessions)))
