from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tlswire.errors import UsageError
from tlswire.probe.transport import Address, Cuts, Outcome, Paced, exchange, is_numeric, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Reader:
    def __init__(
        self, enough: int = 1, says: dict[bytes, bytes | Paced] | None = None, patience: float | None = None
    ) -> None:
        self.data = b""
        self.enough = enough
        self.says = says or {}
        self.patience = patience

    def feed(self, data: bytes) -> bool:
        self.data += data
        return len(self.data) >= self.enough

    def to_send(self) -> bytes | Paced:
        return self.says.pop(self.data, b"")


@contextlib.contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                handle(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        thread.join(5)


def run(address: Address, reader: Reader, payload: bytes = b"hello", timeout: float = 2.0) -> Outcome:
    return asyncio.run(exchange(address, payload, reader, timeout=timeout, want_local=True))


def test_payload_out_answer_in() -> None:
    reader = Reader(5)
    with serving(lambda connection: connection.sendall(connection.recv(100)[::-1])) as address:
        outcome = run(address, reader)
    assert (outcome.end, reader.data) == ("done", b"olleh")
    assert outcome.local[0] == "127.0.0.1"
    assert 0 < outcome.connected <= outcome.elapsed


def test_a_reader_answers_what_it_reads_and_has_the_last_word() -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        heard.append(connection.recv(100))
        connection.sendall(b"a")
        heard.append(connection.recv(100))
        connection.sendall(b"b")
        heard.append(connection.recv(100))

    with serving(talk) as address:
        outcome = run(address, Reader(2, {b"a": b"1" * 50, b"ab": b"2"}))
    assert (outcome.end, heard) == ("done", [b"hello", b"1" * 50, b"2"])


def test_who_has_nothing_to_say_first_waits_for_the_other() -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"a")
        heard.append(connection.recv(100))
        connection.sendall(b"b")

    with serving(talk) as address:
        outcome = run(address, Reader(2, {b"a": b"1"}), b"")
    assert (outcome.end, heard) == ("done", [b"1"])
    assert 0 < outcome.connected <= outcome.elapsed
    assert outcome.local[1]


def test_who_has_nothing_to_say_notices_that_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = run(Address("127.0.0.1", port), Reader(), b"")
    assert (outcome.end, outcome.connected) == ("refused", 0)


def test_who_has_nothing_to_say_notices_a_connection_that_takes_its_time() -> None:
    # A full backlog: the kernel drops our SYN until somebody is accepted, so connect is not over at once.
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = Address("127.0.0.1", listener.getsockname()[1])
        early = stack.enter_context(socket.create_connection((address.host, address.port)))
        assert early.getpeername()

        def accept() -> None:
            time.sleep(0.3)
            for _ in range(2):
                stack.enter_context(listener.accept()[0]).sendall(b"a")

        thread = threading.Thread(target=accept)
        thread.start()
        outcome = run(address, Reader(), b"", timeout=5)
        thread.join()
    assert outcome.end == "done"
    assert outcome.connected > 0.2


def test_a_reader_may_bound_the_silence_after_data() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"a")
        time.sleep(1)

    with serving(talk) as address:
        outcome = run(address, Reader(2, patience=0.1))
    assert outcome.end == "timeout"
    assert outcome.elapsed < 0.9


def test_a_large_payload_is_sent_whole() -> None:
    size = 3_000_000

    def swallow(connection: socket.socket) -> None:
        left = size
        while left:
            left -= len(connection.recv(65536))
        connection.sendall(b"!")

    with serving(swallow) as address:
        assert run(address, Reader(), bytes(size), 10).end == "done"


def test_close() -> None:
    with serving(lambda connection: bytearray(connection.recv(100)).clear()) as address:
        assert run(address, Reader()).end == "close"


def test_reset() -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with serving(reset) as address:
        assert run(address, Reader()).end == "reset"


def test_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = run(Address("127.0.0.1", port), Reader())
    assert (outcome.end, outcome.connected) == ("refused", 0)
    assert "refused" in outcome.error


def test_dripping_bytes_gains_no_time() -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b"x")
            time.sleep(0.05)

    with serving(drip) as address:
        outcome = run(address, Reader(1000), timeout=0.3)
    assert outcome.end == "timeout"
    assert outcome.elapsed < 1


def test_cancelling_closes_the_socket() -> None:
    closed = threading.Event()

    def wait(connection: socket.socket) -> None:
        connection.recv(100)
        if not connection.recv(100):
            closed.set()

    async def cancelled(address: Address) -> None:
        task = asyncio.create_task(exchange(address, b"x", Reader(), timeout=30))
        await asyncio.sleep(0.1)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with serving(wait) as address:
        asyncio.run(cancelled(address))
        assert closed.wait(2)


def test_resolving() -> None:
    assert asyncio.run(resolve("127.0.0.1", 1)) == (Address("127.0.0.1", 1),)
    assert asyncio.run(resolve("::1", 1)) == (Address("::1", 1, socket.AF_INET6),)
    assert Address("127.0.0.1", 1) in asyncio.run(resolve("localhost", 1))
    with pytest.raises(UsageError, match="cannot be resolved"):
        asyncio.run(resolve("nosuchhost.invalid", 1))


def test_numeric_hosts() -> None:
    assert is_numeric("127.0.0.1")
    assert is_numeric("::1")
    assert not is_numeric("localhost")
    assert not is_numeric("a\0b")


@pytest.mark.parametrize(
    ("at", "pieces"),
    [
        ((), [b"hello"]),
        ((2,), [b"he", b"llo"]),
        ((1, 4), [b"h", b"ell", b"o"]),
        ((0, 5), [b"hello"]),
        ((3, 3), [b"hel", b"lo"]),
    ],
)
def test_cuts_make_pieces_none_of_them_empty(at: tuple[int, ...], pieces: list[bytes]) -> None:
    assert Cuts(at, 0.0).paced(b"hello") == Paced(tuple(pieces))


def test_pieces_arrive_one_by_one_with_the_pause_between() -> None:
    heard: list[tuple[bytes, float]] = []

    def talk(connection: socket.socket) -> None:
        while sum(len(data) for data, _ in heard) < 5:
            heard.append((connection.recv(100), time.monotonic()))
        connection.sendall(b"thanks")

    reader = Reader(6)
    with serving(talk) as address:
        outcome = asyncio.run(exchange(address, Cuts((1, 3), 0.05).paced(b"hello"), reader, timeout=2.0))
    assert (outcome.end, reader.data) == ("done", b"thanks")
    assert [data for data, _ in heard] == [b"h", b"el", b"lo"]
    times = [at for _, at in heard]
    assert all(later - earlier > 0.04 for earlier, later in pairwise(times))


def test_an_end_between_two_pieces_is_an_outcome() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(100)

    with serving(talk) as address:
        outcome = asyncio.run(exchange(address, Cuts((2,), 0.1).paced(b"hello"), Reader(), timeout=2.0))
    assert outcome.end == "close"
    assert outcome.elapsed < 0.1


def test_a_reader_may_answer_in_pieces_and_end_its_side() -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"220 hi")
        while data := connection.recv(100):
            heard.append(data)
        connection.sendall(b"bye")

    reader = Reader(9, {b"220 hi": Paced((b"a", b"b", b"c"), 0.02, fin=True)})
    with serving(talk) as address:
        outcome = run(address, reader, b"")
    assert (outcome.end, reader.data, heard) == ("done", b"220 hibye", [b"a", b"b", b"c"])


def test_nothing_is_a_piece_too() -> None:
    assert Cuts((), 0.0).paced(b"", fin=True) == Paced((b"",), fin=True)
    reader = Reader(3)
    with serving(lambda connection: connection.sendall(connection.recv(1) + b"bye")) as address:
        outcome = asyncio.run(exchange(address, Paced((b"",), fin=True), reader, timeout=2.0))
    assert (outcome.end, reader.data) == ("done", b"bye")
