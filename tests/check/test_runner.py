"""Many endpoints side by side: what is wrong with one stops none of the others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from tests.check.plans import HOST, OF_THE_LAB, job, plan
from tlswire.check.endpoint import INTERRUPTED
from tlswire.check.runner import Job, check_job, check_many
from tlswire.check.visit import MOST_CONNECTIONS
from tlswire.lab.characters import CHARACTERS
from tlswire.lab.plants import PLANTS
from tlswire.lab.server import Lab
from tlswire.probe.proxy import Proxy
from tlswire.probe.transport import Address
from tlswire.scan.pacing import Limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.results.verdict import Verdict

QUICK = Limits(timeout=0.3)


def broken(verdict: Verdict) -> set[str]:
    return {rule.id for rule in verdict.rules if rule.verdict == "fail"}


async def all_of(jobs: Iterable[Job], side_by_side: int = 16) -> dict[int, Verdict]:
    return {job.number: verdict async for job, verdict in check_many(jobs, side_by_side=side_by_side)}


def test_bad_endpoints_leave_the_others_alone() -> None:
    async def run() -> dict[int, Verdict]:
        async with Lab("modern") as good, Lab("mute") as mute, Lab("flood") as flood, Lab("malformed-hello") as liar:
            with socket.socket() as closed:
                closed.bind((HOST, 0))
                jobs = [
                    job(mute.port, 0, limits=QUICK),
                    job(443, 1, host="nosuch.invalid"),
                    job(good.port, 2),
                    job(closed.getsockname()[1], 3),
                    job(flood.port, 4, limits=QUICK),
                    job(good.port, 5, proxy=Proxy("socks5", "nosuch.invalid", 1)),
                    job(liar.port, 6, limits=QUICK),
                    job(good.port, 7),
                ]
                return await all_of(jobs)

    found = asyncio.run(run())
    assert {number: verdict.verdict for number, verdict in found.items() if number in {0, 1, 3, 5}} == dict.fromkeys(
        (0, 1, 3, 5), "unknown"
    )
    assert found[0].error == "accepts connections, but says nothing to any hello within the timeout"
    assert "cannot be resolved" in str(found[1].error)
    assert "Connection refused" in str(found[3].error)
    assert "cannot be resolved" in str(found[5].error)
    assert broken(found[2]) == broken(found[7]) == {OF_THE_LAB}
    assert not found[4].complete or broken(found[4])
    assert broken(found[6])


def test_a_fault_of_our_own_is_told_of_one_endpoint_and_the_rest_is_done() -> None:
    async def run() -> dict[int, Verdict]:
        async with Lab("modern") as good:
            return await all_of([job(good.port, 0, public=None), job(good.port, 1)])

    found = asyncio.run(run())
    assert str(found[0].error).startswith("a fault of tlswire itself: AttributeError")
    assert broken(found[1]) == {OF_THE_LAB}


def test_jobs_are_taken_when_their_turn_comes() -> None:
    taken = 0

    def jobs(port: int) -> Iterable[Job]:
        nonlocal taken
        for number in range(12):
            taken += 1
            yield job(port, number)

    async def run() -> list[int]:
        behind = []
        async with Lab("modern") as lab:
            done = 0
            async for _ in check_many(jobs(lab.port), side_by_side=3):
                done += 1
                behind.append(taken - done)
        return behind

    assert max(asyncio.run(run())) <= 3


def test_cancelling_gives_what_is_known_and_begins_nothing_new() -> None:
    async def run() -> list[Verdict]:
        found = []
        first = asyncio.Event()
        async with Lab("modern") as good, Lab("mute") as mute:

            async def collect() -> None:
                jobs = [job(good.port, 0), *(job(mute.port, number) for number in range(1, 9))]
                async for _, verdict in check_many(jobs, side_by_side=3):
                    found.append(verdict)
                    first.set()

            task = asyncio.create_task(collect())
            await first.wait()
            task.cancel()
            await task
        return found

    first, *rest = asyncio.run(run())
    assert first.verdict == "fail"
    assert len(rest) == 3
    assert all(INTERRUPTED in verdict.notes and verdict.verdict == "unknown" for verdict in rest)


def test_an_exempt_endpoint_is_exempt_and_not_connected_to() -> None:
    verdict = asyncio.run(check_job(Job(host="scep.invalid", port=443, plan=plan(), exempt="by KB 126655")))
    assert (verdict.verdict, verdict.complete, verdict.connections, verdict.rules) == ("exempt", True, 0, [])
    assert verdict.notes == ["by KB 126655"]


def test_given_addresses_go_before_the_resolver_s() -> None:
    async def run() -> tuple[Verdict, Verdict]:
        async with Lab("modern") as one, Lab("legacy-mdm") as other:
            at = {("mdm.invalid", 443): (Address(HOST, one.port), Address(HOST, other.port))}
            both = await check_job(job(443, host="mdm.invalid", resolve=at))
            first = await check_job(job(443, host="mdm.invalid", resolve=at, first_address=True))
        return both, first

    both, first = asyncio.run(run())
    assert both.target.server_name == "mdm.invalid"
    assert "ems-tls12" in broken(both)
    assert "ems-tls12" not in broken(first)
    assert (len(both.nodes), len(first.nodes)) == (2, 1)


def test_bounds_hold_for_a_host_with_many_endpoints() -> None:
    bound = Limits(concurrency=1)

    async def run() -> int:
        most = 0
        async with Lab("modern") as one, Lab("modern") as other:

            async def watch() -> None:
                nonlocal most
                while True:
                    most = max(most, len(one._open) + len(other._open))
                    await asyncio.sleep(0.001)

            watching = asyncio.create_task(watch())
            await all_of([job(one.port, 0, limits=bound), job(other.port, 1, limits=bound)])
            watching.cancel()
        return most

    # One connection and the last one's goodbye.
    assert asyncio.run(run()) <= 2


def test_no_server_is_asked_more_often_than_promised() -> None:
    async def run() -> dict[str, int]:
        async with contextlib.AsyncExitStack() as stack:
            labs = {name: await stack.enter_async_context(Lab(name)) for name in CHARACTERS if name not in PLANTS}
            limits = Limits(timeout=0.3, deadline=20.0)
            found = await all_of((job(lab.port, at, limits=limits) for at, lab in enumerate(labs.values())), 64)
        return dict(zip(labs, (found[at].connections for at in range(len(found))), strict=True))

    made = asyncio.run(run())
    assert len(made) == len(CHARACTERS) - len(PLANTS)
    assert {name: count for name, count in made.items() if not 0 < count <= MOST_CONNECTIONS} == {}
    assert max(made.values()) == MOST_CONNECTIONS  # the bound is what keeps it
