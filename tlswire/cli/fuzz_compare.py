"""``tlswire fuzz A --compare B``: the same cases against several targets side by side, and what is made of the results.

Must not hold logic of campaigns or of comparing.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from tlswire import __version__, cli
from tlswire.cli import asking
from tlswire.errors import UsageError
from tlswire.fuzz.campaign import Options, fuzz_address
from tlswire.fuzz.compare import compare, vector
from tlswire.probe.transport import Address, resolve
from tlswire.results.fuzz import Fuzz
from tlswire.results.scan import Target, Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlswire.fuzz.model import Case
    from tlswire.results.fuzz_compare import FuzzCompare, Likeness

# Targets that are asked at the same time: more would measure this machine instead of them.
AT_ONCE = 8
MOST = 64


class Wanted(msgspec.Struct, frozen=True):
    """One target as a user wrote it; ``server_name`` is what it is sent."""

    host: str
    port: int
    server_name: str


def compared(
    wanted: Sequence[Wanted],
    cases: tuple[Case, ...],
    options: Options,
    permit: Callable[[Address, str], None],
    *,
    identify: bool,
) -> FuzzCompare:
    """Run the campaigns. ``permit`` is asked for every address before anything is sent; raises what it raises."""
    if len(wanted) > MOST:
        raise UsageError("--compare", f"at most {MOST} targets")
    return asyncio.run(_compared(wanted, cases, options, permit, identify=identify))


async def _compared(
    wanted: Sequence[Wanted],
    cases: tuple[Case, ...],
    options: Options,
    permit: Callable[[Address, str], None],
    *,
    identify: bool,
) -> FuzzCompare:
    asking.heed_sigterm()
    found = [await _resolved(one) for one in wanted]
    for one, address in zip(wanted, found, strict=True):
        if isinstance(address, Address):
            permit(address, one.host)
    places = asyncio.Semaphore(AT_ONCE)

    async def result(one: Wanted, address: Address | str) -> Fuzz:
        if isinstance(address, str):
            return _unreachable(one, options, address)
        async with places:
            told = msgspec.structs.replace(options, server_name=one.server_name)
            return await fuzz_address(one.host, address, cases, told)

    results = await asyncio.gather(*(result(*pair) for pair in zip(wanted, found, strict=True)))
    return compare(results, [likeness(fuzz) if identify else None for fuzz in results])


async def _resolved(one: Wanted) -> Address | str:
    """The address, or why there is none: that is a column, not an end."""
    try:
        return (await resolve(one.host, one.port))[0]
    except UsageError as error:
        return error.problem


def _unreachable(one: Wanted, options: Options, error: str) -> Fuzz:
    return Fuzz(
        target=Target(one.host, one.port, None, one.server_name or None),
        seed=options.seed,
        complete=False,
        reachable=False,
        connections=0,
        started=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        elapsed_s=0.0,
        features=[],
        cases=[],
        findings=[],
        last=[],
        notes=[],
        error=f"unreachable: {error}",
        tool=Tool("tlswire", __version__),
    )


def likeness(fuzz: Fuzz) -> list[Likeness]:
    """The known stacks that a server looks like, the nearest first."""
    from tlswire.fuzz.stacks import nearest  # noqa: PLC0415 - the table is read where somebody asks

    return nearest(vector(fuzz))


def exit_code(result: FuzzCompare) -> int:
    """What the process ends with: a target that is not there, a difference or deviation, something unknown, or fine."""
    if any(column.error is not None for column in result.columns):
        return cli.UNREACHABLE
    if result.rows or any(column.deviates for column in result.columns):
        return cli.FINDINGS
    return cli.FINE if all(column.complete for column in result.columns) else cli.INCOMPLETE
