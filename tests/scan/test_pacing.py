from __future__ import annotations

import asyncio
import itertools

import pytest

from tlswire.scan.pacing import FIRST_WINDOW, GROWTH, Limits, Pacer

from .simulation import virtually


async def load(pacer: Pacer, jobs: int, *, seconds: float = 0.1, answered: bool = True) -> tuple[int, list[float]]:
    """Run ``jobs`` connections of ``seconds`` each; the most at once, and when each began."""
    loop = asyncio.get_running_loop()
    began: list[float] = []
    most = 0

    async def job() -> None:
        nonlocal most
        await pacer.acquire()
        most = max(most, pacer.in_flight)
        began.append(loop.time())
        await asyncio.sleep(seconds)
        pacer.release(answered=answered)

    async with asyncio.TaskGroup() as group:
        for _ in range(jobs):
            group.create_task(job())
    return most, began


def test_the_first_moment_is_gentle_and_answers_widen_the_window() -> None:
    pacer = Pacer(Limits(concurrency=100))
    most, began = virtually(load(pacer, 400))
    assert began.count(began[0]) == FIRST_WINDOW
    assert most == 100
    assert pacer.window == 100
    assert pacer.connections == 400


def test_silence_does_not_widen_the_window() -> None:
    pacer = Pacer(Limits())
    most, _ = virtually(load(pacer, 100, answered=False))
    assert most == FIRST_WINDOW


@pytest.mark.parametrize("concurrency", [1, 3, FIRST_WINDOW, 40])
def test_never_more_than_the_limit(concurrency: int) -> None:
    most, _ = virtually(load(Pacer(Limits(concurrency=concurrency)), 200))
    assert most == concurrency


@pytest.mark.parametrize("rate", [0.5, 7.0, 20.0])
def test_the_rate_is_kept(rate: float) -> None:
    _, began = virtually(load(Pacer(Limits(max_rate=rate)), 60, seconds=0.001))
    gaps = [later - earlier for earlier, later in itertools.pairwise(began)]
    assert min(gaps) >= 1 / rate - 1e-9
    assert began[-1] <= 60 / rate


def test_slowing_down_holds_for_those_who_wait() -> None:
    pacer = Pacer(Limits())

    async def run() -> list[float]:
        loop = asyncio.get_running_loop()
        pacer.slow_down(10.0)
        now = loop.time()
        _, began = await load(pacer, 50, seconds=0.0)
        return [at - now for at in began]

    began = virtually(run())
    assert began[0] >= 0.1 - 1e-9
    assert began[-1] == pytest.approx(5.0)
    assert pacer.window <= FIRST_WINDOW + 50 * GROWTH


def test_the_window_can_be_limited() -> None:
    pacer = Pacer(Limits())
    pacer.limit_window(2)
    most, _ = virtually(load(pacer, 50))
    assert most == 2
    pacer.limit_window(0)
    assert pacer.window == 1


def test_a_closed_gate_waits_for_those_under_way_and_holds_the_rest() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        pacer = Pacer(Limits(concurrency=4))
        jobs = asyncio.create_task(load(pacer, 12, seconds=1.0))
        await asyncio.sleep(0.5)
        await pacer.close_gate()
        assert (loop.time(), pacer.in_flight) == (1.0, 0)
        await asyncio.sleep(10)
        assert (pacer.in_flight, pacer.connections) == (0, 4)
        pacer.open_gate()
        most, began = await jobs
        assert most == 4
        assert began == [0.0] * 4 + [11.0] * 4 + [12.0] * 4

    virtually(run())


def test_one_who_is_cancelled_while_waiting_gives_the_place_on() -> None:
    async def run() -> None:
        pacer = Pacer(Limits(concurrency=1))
        await pacer.acquire()
        waiters = [asyncio.create_task(pacer.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        pacer.release(answered=True)  # wakes the first of them
        waiters[0].cancel()
        async with asyncio.timeout(1):
            await waiters[1]
        assert pacer.in_flight == 1
        waiters[2].cancel()
        await asyncio.gather(*waiters, return_exceptions=True)

    virtually(run())


def test_one_who_is_cancelled_while_pacing_frees_the_window() -> None:
    async def run() -> None:
        pacer = Pacer(Limits(max_rate=0.1))
        await pacer.acquire()
        late = asyncio.create_task(pacer.acquire())
        await asyncio.sleep(1)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        assert (pacer.in_flight, pacer.connections) == (1, 1)

    virtually(run())
