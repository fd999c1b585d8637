from __future__ import annotations

import asyncio
import socket
import threading

from tlswire.fuzz.flight import FlightReader
from tlswire.fuzz.line import Bounds, Line, Places
from tlswire.fuzz.script import Ground, Script, script_of
from tlswire.probe.transport import DONE, Address, _Exchange

ALERT = bytes.fromhex("15030300020232")


def test_places_are_given_in_turn_and_never_more_than_there_are() -> None:
    async def main() -> tuple[list[int], int]:
        places, order, inside, most = Places(3), [], 0, 0

        async def one(number: int) -> None:
            nonlocal inside, most
            async with places:
                order.append(number)
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*map(one, range(20)))
        return order, most

    assert asyncio.run(main()) == (list(range(20)), 3)


def test_fewer_places_count_for_those_that_wait_already() -> None:
    async def main() -> list[int]:
        places, inside, seen = Places(4), 0, []

        async def one(number: int) -> None:
            nonlocal inside
            async with places:
                inside += 1
                seen.append(inside)
                if number == 3:
                    places.width = 1
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*map(one, range(12)))
        return seen

    assert asyncio.run(main())[-6:] == [1] * 6


def test_who_is_cancelled_leaves_no_place_taken() -> None:
    async def main() -> bool:
        places = Places(1)

        async def one() -> None:
            async with places:
                await asyncio.sleep(0.01)

        first, second, third = (asyncio.create_task(one()) for _ in range(3))
        await asyncio.sleep(0)
        second.cancel()
        first.cancel()
        await asyncio.wait_for(third, 1)
        return second.cancelled() and first.cancelled()

    assert asyncio.run(main())


def test_an_alert_before_a_reset_is_heard_where_we_were_still_speaking() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(5)
                connection.sendall(ALERT)

        server = threading.Thread(target=serve)
        server.start()

        async def main() -> tuple[str, str]:
            address, ground = Address("127.0.0.1", listener.getsockname()[1]), Ground()
            script = Script(bytes(1 << 23))
            reader = FlightReader(script, ground.key)
            exchange = _Exchange(address, script.payload, reader, 5, want_local=False)
            exchange.start()
            # The reset comes before the loop has looked, and we go on speaking.
            server.join()
            exchange.writable()
            outcome = await exchange.future
            return outcome.end, reader.heard(outcome.end).reaction

        assert asyncio.run(main()) == (DONE, "alert:50")


def test_a_connection_that_finds_no_room_is_no_silence() -> None:
    # A queue of one, full: the SYN is sent again until a place is free.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)

        async def main() -> tuple[str, int]:
            ground = Ground()
            line = Line(Address("127.0.0.1", address[1]), ground, Bounds(timeout=0.3))
            loop = asyncio.get_running_loop()
            asked = asyncio.create_task(line.ask("", script_of(ground.modern)))
            await asyncio.sleep(0.1)
            for one in waiting:
                one.close()
            listener.setblocking(False)
            while True:
                connection, _ = await loop.sock_accept(listener)
                with connection:
                    if await loop.sock_recv(connection, 1 << 12):
                        await loop.sock_sendall(connection, ALERT)
                        break
            return (await asked).reaction, line._places.width

        assert asyncio.run(main()) == ("alert:50", 8)
