"""A loopback listener on an event loop in a thread of its own: what proxies.py and bad_servers.py run on.

Must not know what is spoken on a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Self

from .process import HOST

if TYPE_CHECKING:
    from types import TracebackType

_LAST_ROUNDS = 25
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Listens from `with` to its end. `connections` counts what was accepted, whatever became of it."""

    def __init__(self, factory: Callable[[Listener], asyncio.Protocol]) -> None:
        self.host = HOST
        self.port = 0
        self.connections = 0
        self.loop = asyncio.new_event_loop()
        self.open: set[asyncio.Transport] = set()
        self._factory = factory
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="tests.servers listener")

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _accepted(self) -> asyncio.Protocol:
        self.connections += 1
        return self._factory(self)

    def _run(self) -> None:
        server = self.loop.run_until_complete(self.loop.create_server(self._accepted, HOST, 0, backlog=4096))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self.loop.run_forever()
        # What was accepted last needs a turn to become a transport, which a closed server refuses it.
        for listening in server.sockets:
            self.loop.remove_reader(listening.fileno())
        self.loop.run_until_complete(asyncio.sleep(0.01))
        server.close()
        self.loop.run_until_complete(self._finish())
        self.loop.close()

    async def _finish(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Aborted transports close their sockets in the loop's next rounds, and so do those accepted in this one.
        for _ in range(_LAST_ROUNDS):
            for transport in tuple(self.open):
                transport.abort()
            await asyncio.sleep(0)


class Connection(asyncio.Protocol):
    """One end of a connection that the listener closes when it ends."""

    transport: asyncio.Transport

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.listener.open.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        self.listener.open.discard(self.transport)


class _Streamed(Connection, asyncio.StreamReaderProtocol):
    """A connection handled by a coroutine; when that returns, the connection is closed in order."""

    def __init__(self, listener: Listener, handler: Handler) -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Cancelled means the listener ends; asyncio's streams would print that as an unhandled exception.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await handler(reader, writer)
            writer.close()

        Connection.__init__(self, listener)
        reader = asyncio.StreamReader(loop=listener.loop)
        asyncio.StreamReaderProtocol.__init__(self, reader, handle, loop=listener.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Connection.connection_made(self, transport)
        asyncio.StreamReaderProtocol.connection_made(self, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        Connection.connection_lost(self, exc)
        asyncio.StreamReaderProtocol.connection_lost(self, exc)


def streamed(handler: Handler) -> Listener:
    """A listener whose every connection runs `handler(reader, writer)`."""
    return Listener(lambda listener: _Streamed(listener, handler))
