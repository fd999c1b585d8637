"""Many endpoints checked side by side, verdicts as they are finished; what is wrong with one stops none of the others.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import msgspec

from tlswire.check.endpoint import INTERRUPTED, check_target, verdict_of
from tlswire.check.journal import digest, marks
from tlswire.check.matrix import with_matrix
from tlswire.check.plan import Plan  # noqa: TC001 - msgspec reads the annotations
from tlswire.errors import UsageError
from tlswire.probe.proxy import addresses, resolved
from tlswire.results.verdict import Endpoint, Verdict
from tlswire.scan.many import as_finished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from tlswire.probe.transport import Address

# Seconds for a resolver that says nothing.
RESOLVING = 30.0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint to be checked: ``number`` is its place among all, ``place`` where the user named it (file:line, or
    empty), ``exempt`` why the policy does not cover it (empty: it does).
    """

    host: str
    port: int
    plan: Plan
    endpoint: Endpoint = Endpoint()
    number: int = 0
    place: str = ""
    exempt: str = ""

    @property
    def key(self) -> str:
        """What tells it from the others of a run, in this run and the next."""
        plan = self.plan
        asked = (plan.starttls, str(plan.proxy), plan.server_name, plan.path, *marks(plan.given))
        return digest(plan.policy.name, self.host, self.port, self.endpoint, *asked)


async def check_job(
    job: Job, *, observe: Callable[[str, Address], Callable[[Any, Any], None] | None] | None = None
) -> Verdict:
    """The verdict on one endpoint. Never raises for what a server or a resolver does, nor when it is cancelled; where
    there is nothing to visit, ``error`` says why.
    """
    return await _Turns().check(job, observe)


async def check_many(
    jobs: Iterable[Job],
    *,
    side_by_side: int = 16,
    observe: Callable[[str, Address], Callable[[Any, Any], None] | None] | None = None,
) -> AsyncIterator[tuple[Job, Verdict]]:
    """Each job and its verdict, as they are finished; jobs are taken when their turn comes.

    Where the limits of a job bound what one host sees, no two such jobs are at the same address at once.
    """
    turns = _Turns()

    async def told(job: Job) -> tuple[Job, Verdict]:
        return job, await turns.check(job, observe)

    async for done in as_finished((told(job) for job in jobs), side_by_side):
        yield done


class _Turns:
    """Who may be at which address now."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def check(self, job: Job, observe: Any) -> Verdict:
        if job.exempt:
            return msgspec.structs.replace(_unvisited(job, note=job.exempt), verdict="exempt", complete=True)
        try:
            return await self._visited(job, observe)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            return _unvisited(job, note=INTERRUPTED)
        except UsageError as error:
            return _unvisited(job, error=f"{job.place}: {error}" if job.place else str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours at one endpoint must not take the others with it
            return _unvisited(job, error=f"a fault of tlswire itself: {type(error).__name__}: {error}")

    async def _visited(self, job: Job, observe: Any) -> Verdict:
        try:
            async with asyncio.timeout(RESOLVING):
                plan = msgspec.structs.replace(job.plan, proxy=await resolved(job.plan.proxy))
                found = plan.resolve.get((job.host, job.port)) or await addresses(job.host, job.port, plan.proxy)
        except TimeoutError:
            raise UsageError(job.host, f"cannot be resolved: no answer in {RESOLVING:g} s") from None
        if plan.first_address:
            found = found[:1]
        async with contextlib.AsyncExitStack() as stack:
            if plan.limits.concurrency or plan.limits.max_rate:
                await self._take(found, stack)
            verdict = await check_target(
                job.host,
                found,
                plan,
                endpoint=job.endpoint,
                observe=None if observe is None else lambda address: observe(job.host, address),
            )
            if not plan.matrix or not verdict.reachable or INTERRUPTED in verdict.notes:
                return verdict
            see = None if observe is None else observe(job.host, found[0])
            return await with_matrix(verdict, found[0], plan, observe=see)

    async def _take(self, found: Sequence[Address], stack: contextlib.AsyncExitStack) -> None:
        """Hold the locks of all addresses; always in the same order, so that nobody waits in a circle."""
        for host in sorted({address.host for address in found}):
            await stack.enter_async_context(self._locks.setdefault(host, asyncio.Lock()))


def _unvisited(job: Job, *, note: str = "", error: str | None = None) -> Verdict:
    """The verdict on an endpoint to which no connection was made."""
    return verdict_of(
        job.host,
        job.port,
        (),
        job.plan,
        (),
        notes=[note] if note else [],
        endpoint=job.endpoint,
        started=dt.datetime.now(dt.UTC),
        elapsed=0.0,
        error=error,
    )
