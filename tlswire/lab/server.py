"""The lab on a loopback port: an asyncio Protocol that carries out what the responder says.

``Lab`` is an async context manager, ``running`` a plain one on a thread of its own, ``serve_forever`` the command
line's. Every connection has bounded buffers and a bounded life, and there are only so many at a time.
Must not import anything of tlswire but ``errors`` and the rest of ``lab``.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Self, cast

from tlswire.errors import UsageError
from tlswire.lab.actions import Action, Close, Die, Reset, Send, Wait
from tlswire.lab.characters import Character, character
from tlswire.lab.responder import Conversation, greet
from tlswire.lab.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

HOST = "127.0.0.1"

# Seconds. After FIN the client gets a moment to leave by itself, so that no RST overtakes the last alert.
LIFETIME = 60.0
FAREWELL = 2.0

# Seconds that a server which died stays away.
DEAD_FOR = 3.0

MAX_OPEN = 400
_BACKLOG = 1024
_RATE_WINDOW = 1.0

_LAST_TURNS = 25

# SO_LINGER with a timeout of 0 makes close() send RST; its two fields are shorts on Windows.
_LINGER_ZERO = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Lab:
    """A server character on a loopback port, from ``async with`` to its end.

    ``port`` 0 takes a free one; ``connections`` counts what was accepted, whatever became of it. Raises
    LookupFailedError for an unknown character, UsageError for an address that is not loopback or a port in use.
    """

    def __init__(self, name: str | Character, port: int = 0, seed: int = 0, host: str = HOST) -> None:
        self.character = character(name) if isinstance(name, str) else name
        self.host = _loopback(host)
        self.port = port
        self.seed = seed
        self.connections = 0
        self.sessions = Sessions()
        self._open: set[_Connection] = set()
        self._served: _Connection | None = None
        self._waiting: deque[_Connection] = deque()
        self._accepted_at: deque[float] = deque()
        self._server: asyncio.Server | None = None
        self._back_at = 0.0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: _Connection(self, loop), self.host, self.port, backlog=_BACKLOG
            )
        except OSError as error:
            raise UsageError(f"port {self.port}", f"cannot listen: {error.strerror}") from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            # A server that is closed before what it accepted last has got here leaves that socket open (asyncio's
            # Server asserts that it is not closed): accept no more, and close a turn later.
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self._server.close()
        for _ in range(_LAST_TURNS):
            for connection in tuple(self._open):
                connection.abort()
            await asyncio.sleep(0)

    def admit(self, connection: _Connection, now: float) -> list[Action]:
        """Count a connection and say what it meets at accept."""
        self.connections += 1
        self._open.add(connection)
        recent = self._accepted_at
        recent.append(now)
        while now - recent[0] >= _RATE_WINDOW:
            recent.popleft()
        if len(self._open) > MAX_OPEN or now < self._back_at:
            return [Reset()]
        if self.character.quirks.serial:
            self._queue(connection)
        return greet(self.character, self.connections, len(recent))

    def die(self, now: float) -> None:
        """End every connection, and those that come in the next seconds."""
        self._back_at = now + DEAD_FOR
        for connection in tuple(self._open):
            connection.reset()

    def leave(self, connection: _Connection) -> None:
        """Forget a connection; a serial character turns to the next one."""
        self._open.discard(connection)
        if connection in self._waiting:
            self._waiting.remove(connection)
        elif connection is self._served:
            self._served = self._waiting.popleft() if self._waiting else None
            if self._served is not None:
                self._served.resume()

    def _queue(self, connection: _Connection) -> None:
        if self._served is None:
            self._served = connection
        else:
            self._waiting.append(connection)
            connection.pause()


class _Connection(asyncio.Protocol):
    """One client: feeds the conversation and carries out its actions, one after the other."""

    def __init__(self, lab: Lab, loop: asyncio.AbstractEventLoop) -> None:
        self._lab = lab
        self._loop = loop
        self._conversation = Conversation(lab.character, lab.seed, lab.sessions)
        self._todo: deque[Action] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._life = loop.call_later(LIFETIME, self.abort)
        self._busy = False
        self._blocked = False
        self._listening = True
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        actions = self._lab.admit(self, self._loop.time())
        self._listening = not actions
        self._do(actions)

    def data_received(self, data: bytes) -> None:
        if self._listening:
            self._do(self._conversation.receive(data))

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._step()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it ended makes no difference
        self._life.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._todo.clear()
        self._lab.leave(self)

    def pause(self) -> None:
        """Read nothing until ``resume``."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read what has come meanwhile."""
        self._transport.resume_reading()

    def abort(self) -> None:
        """End at once, whatever is still in the buffers."""
        self._transport.abort()

    def _do(self, actions: list[Action]) -> None:
        self._todo.extend(actions)
        if not self._busy:
            self._step()

    def _step(self) -> None:
        """Carry out actions until one takes time: a wait, a full buffer, or the next of many repetitions."""
        self._busy = False
        while self._todo and not self._blocked and not self._transport.is_closing():
            action = self._todo.popleft()
            if isinstance(action, Wait):
                self._pause_for(action.seconds)
                return
            if isinstance(action, Send):
                self._transport.write(action.data)
                if action.times > 1:
                    self._todo.appendleft(Send(action.data, action.times - 1))
                    # One client that reads fast must not starve the others: go on in the next turn of the loop.
                    self._pause_for(0)
                    return
            elif isinstance(action, Close):
                self._finish()
            elif isinstance(action, Reset):
                self.reset()
            elif isinstance(action, Die):
                self._lab.die(self._loop.time())

    def _pause_for(self, seconds: float) -> None:
        self._busy = True
        if seconds:
            self._timer = self._loop.call_later(seconds, self._step)
        else:
            self._loop.call_soon(self._step)

    def _finish(self) -> None:
        self._todo.clear()
        self._listening = False
        self._transport.write_eof()
        self._timer = self._loop.call_later(FAREWELL, self._transport.close)

    def reset(self) -> None:
        """End with RST."""
        self._todo.clear()
        connection = cast("socket.socket", self._transport.get_extra_info("socket"))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()


def _loopback(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(repr(host), "not an IP address", "lab") from None
    if not address.is_loopback:
        raise UsageError(host, "the lab is vulnerable on purpose and listens on loopback only", "lab")
    return host


@contextlib.contextmanager
def running(name: str | Character, port: int = 0, seed: int = 0) -> Iterator[Lab]:
    """A lab on a daemon thread of its own, for callers without an event loop."""
    lab = Lab(name, port, seed)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True, name=f"tlswire lab {lab.character.name}")
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(lab.__aenter__(), loop).result()
        try:
            yield lab
        finally:
            asyncio.run_coroutine_threadsafe(lab.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def serve_forever(name: str | Character, port: int, seed: int = 0, ready: Callable[[Lab], None] | None = None) -> None:
    """Serve until interrupted (Ctrl-C returns); ``ready`` is called once the port is known."""

    async def serve() -> None:
        async with Lab(name, port, seed) as lab:
            if ready is not None:
                ready(lab)
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
