"""Many asked side by side: so many at a time, results as they are finished, and what is known when that is cut short.

Must not import anything of tlswire.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable

T = TypeVar("T")


async def as_finished(jobs: Iterable[Coroutine[Any, Any, T]], width: int) -> AsyncIterator[T]:
    """The results of ``jobs``, of which ``width`` run at a time; each is taken from the iterable when its turn comes.

    Cancelling stops the rest: jobs under way are cancelled, and what they return all the same is yielded.
    """
    queue = iter(jobs)
    running: set[asyncio.Task[T]] = set()

    def start() -> None:
        while len(running) < width and (job := next(queue, None)) is not None:
            running.add(asyncio.create_task(job))

    start()
    while running:
        try:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            _forgive()
            queue = iter(())
            done, running = await _cancelled(running), set()
        for task in done:
            yield task.result()
        start()


async def all_of(jobs: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of ``jobs``, all of them at once, in their order. Cancelling cancels every one of them, and gives what
    they return all the same.
    """
    tasks = [asyncio.create_task(job) for job in jobs]
    if tasks:
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            _forgive()
            await _cancelled(tasks)
    return [task.result() for task in tasks]


def _forgive() -> None:
    """Go on although this task was cancelled: what is known is worth more than a quick end."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


async def _cancelled(tasks: Iterable[asyncio.Task[T]]) -> set[asyncio.Task[T]]:
    tasks = set(tasks)
    for task in tasks:
        task.cancel()
    done, _ = await asyncio.wait(tasks)
    return done
