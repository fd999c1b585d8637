"""``tlswire fuzz A --compare B``: the same cases against several targets side by side, and what is made of the results.

Must not hold logic of campaigns or of comparing.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import msgspec

from tlswire import __version__, cli
from tlswire.cli import asking, writing
from tlswire.cli.outputs import writable
from tlswire.errors import UsageError
from tlswire.fuzz.campaign import INTERRUPTED, Options, fuzz_address
from tlswire.fuzz.compare import compare, vector
from tlswire.fuzz.stacks import nearest
from tlswire.probe.proxy import addresses, resolved
from tlswire.probe.starttls import usual_port
from tlswire.probe.targets import parse_target
from tlswire.probe.transport import Address
from tlswire.report import fuzz_compare as report
from tlswire.results.fuzz import Fuzz
from tlswire.results.scan import Target, Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlswire.fuzz.model import Case
    from tlswire.probe.proxy import Proxy
    from tlswire.probe.targets import HostPort as Wanted
    from tlswire.results.fuzz_compare import FuzzCompare

# Targets that are asked at the same time: more would measure this machine instead of them.
AT_ONCE = 8
MOST = 64


def run(
    targets: Sequence[str],
    cases: tuple[Case, ...],
    options: Options,
    permit: Callable[[Address, str, Proxy | None], None],
    *,
    identify: bool,
    json_file: str | None,
    verbose: bool,
    quiet: bool,
) -> NoReturn:
    """The whole command; ``options`` without a server name send each target its own. Nothing is sent before ``permit``,
    which raises, was asked for every address.
    """
    if len(targets) > MOST:
        raise UsageError("--compare", f"takes at most {MOST} targets")
    port = usual_port(options.starttls)
    wanted = [next(parse_target(target, default_port=port)) for target in targets]
    results: list[FuzzCompare] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(writing.written(results, whole=lambda: True))
        file = None if json_file is None else stack.enter_context(writable(json_file))
        result = asyncio.run(_compared(wanted, cases, options, permit, identify=identify))
        results.append(result)
        asking.tell(result, report.render, file, quiet=quiet, verbose=verbose)
    sys.exit(exit_code(result))


async def _compared(
    wanted: Sequence[Wanted],
    cases: tuple[Case, ...],
    options: Options,
    permit: Callable[[Address, str, Proxy | None], None],
    *,
    identify: bool,
) -> FuzzCompare:
    asking.heed_sigterm()
    options = msgspec.structs.replace(options, proxy=await resolved(options.proxy))
    found = [await _resolved(one, options.proxy) for one in wanted]
    for one, address in zip(wanted, found, strict=True):
        if isinstance(address, Address):
            permit(address, one.host, options.proxy)
    places = asyncio.Semaphore(AT_ONCE)

    async def campaign(one: Wanted, address: Address | str) -> Fuzz:
        name = options.server_name if options.server_name is not None else name_of(one.host)
        if isinstance(address, str):
            return _unreachable(one, name, options, address)
        async with places:
            return await fuzz_address(one.host, address, cases, msgspec.structs.replace(options, server_name=name))

    results = await asyncio.gather(*(campaign(*pair) for pair in zip(wanted, found, strict=True)))
    return compare([identified(one) if identify else one for one in results])


async def _resolved(one: Wanted, proxy: Proxy | None) -> Address | str:
    """The address, or why there is none: that is a column, not an end."""
    try:
        return (await addresses(one.host, one.port, proxy))[0]
    except UsageError as error:
        return error.reason


def _unreachable(one: Wanted, name: str, options: Options, why: str) -> Fuzz:
    proxy = None if options.proxy is None else str(options.proxy)
    return Fuzz(
        target=Target(one.host, one.port, None, name or None, options.starttls or None, proxy),
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
        error=f"unreachable: {why}",
        tool=Tool("tlswire", __version__),
    )


def identified(result: Fuzz) -> Fuzz:
    """The result with the known stacks that react most alike."""
    if result.error is not None:
        return result
    return msgspec.structs.replace(result, likeness=nearest(vector(result)))


def name_of(host: str) -> str:
    """The server name that goes to ``host``, where the user gives none: an address is none."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return "localhost"


def exit_code(result: FuzzCompare) -> int:
    """What the process ends with: cut short, a target that is not there, differences, something unknown, or fine."""
    if any(INTERRUPTED in column.notes for column in result.columns):
        return cli.INCOMPLETE
    if any(column.error is not None for column in result.columns):
        return cli.UNREACHABLE
    if result.rows or any(column.deviates for column in result.columns):
        return cli.FINDINGS
    return cli.FINE if all(column.complete for column in result.columns) else cli.INCOMPLETE
