"""``tlswire fuzz``: cases out, reactions and verdicts in. Parses, runs a campaign, writes, chooses the exit code.

Must not hold logic of the campaign itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tlswire import cli
from tlswire.cli import asking, fuzz_compare, writing
from tlswire.cli.outputs import check_folder, writable
from tlswire.cli.progress import FuzzLine
from tlswire.cli.scan_options import Seconds
from tlswire.errors import UsageError
from tlswire.fuzz.campaign import INTERRUPTED, Options, fuzz_address
from tlswire.fuzz.cases import chosen
from tlswire.fuzz.corpus import Corpus
from tlswire.fuzz.line import WIDTH, Bounds
from tlswire.probe.proxy import addresses, parse_proxy, resolved
from tlswire.probe.starttls import usual_port
from tlswire.probe.targets import parse_target
from tlswire.probe.transport import is_numeric
from tlswire.report import fuzz as fuzz_report
from tlswire.report.evidence import Evidence
from tlswire.results import FUZZ_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tlswire.probe.proxy import Proxy
    from tlswire.probe.targets import HostPort
    from tlswire.probe.transport import Address
    from tlswire.results.fuzz import Fuzz

PERMISSION = "--yes-i-may-test-this-host"


@click.command()
@click.argument("target", metavar="HOST[:PORT]", required=False)
@click.option("--cases", "patterns", multiple=True, metavar="GLOB", help="Cases by id, name or group; several times.")
@click.option(
    "--generate", type=click.IntRange(1, 1_000_000), metavar="N", help="N hellos bent by the grammar, and only --cases."
)
@click.option(
    "--minutes",
    type=Seconds(0, min_open=True),
    metavar="M",
    help="Go on for M minutes with mutations led by what they draw.",
)
@click.option(
    "--corpus",
    "corpus_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="What --minutes remembers, and begins with the next time.",
)
@click.option(
    "--shrink", is_flag=True, help="Reduce the findings of named cases, too, to the least hello that does it."
)
@click.option("--compare", "others", multiple=True, metavar="HOST[:PORT]", help="Ask this one as well; several times.")
@click.option("--identify", is_flag=True, help="Name the known stacks that react most alike.")
@click.option("--list", "listed", is_flag=True, help="List the cases, and send nothing.")
@click.option("--explain", metavar="ID", help="Explain a case: its bytes, what differs, the clause. Sends nothing.")
@asking.STARTTLS
@asking.PROXY
@click.option("--server-name", metavar="NAME", help="The server name (SNI) to send.  [default: the host, or localhost]")
@click.option("--seed", type=int, default=0, show_default=True, help="Fixes every byte that is sent.")
@click.option("--concurrency", type=click.IntRange(1, 256), show_default=f"{WIDTH}", help="Connections in flight.")
@click.option("--max-rate", type=Seconds(0), default=0, metavar="N", help="At most N connections a second.")
@click.option("--max-connections", type=click.IntRange(0), default=0, metavar="N", help="At most N connections in all.")
@click.option(
    "--timeout", type=Seconds(0, min_open=True), default=5.0, show_default=True, help="Longest wait, seconds."
)
@click.option("--deadline", type=Seconds(0, min_open=True), default=600.0, show_default=True, help="Seconds in all.")
@click.option("--json", "json_file", metavar="FILE", help="The result as JSON (tlswire.fuzz/1); - is stdout.")
@writing.options(FUZZ_SCHEMA)
@click.option(
    "--evidence",
    "evidence_folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="A folder for each finding, as it is confirmed: bytes, capture, and what replay takes.",
)
@click.option("--stack", "software", metavar="TEXT", help="What software the server is, for the findings to say.")
@click.option(PERMISSION, "permitted", is_flag=True, help="Needed for hosts other than this machine.")
@click.option("--verbose", "-v", is_flag=True, help="A line for every case.")
@click.option("--quiet", is_flag=True, help="No report; files and exit code only.")
def command(
    target: str | None,
    patterns: tuple[str, ...],
    generate: int | None,
    minutes: float | None,
    corpus_folder: Path | None,
    shrink: bool,
    others: tuple[str, ...],
    identify: bool,
    listed: bool,
    explain: str | None,
    starttls: str | None,
    proxy: str | None,
    server_name: str | None,
    seed: int,
    concurrency: int | None,
    max_rate: float,
    max_connections: int,
    timeout: float,
    deadline: float,
    json_file: str | None,
    evidence_folder: Path | None,
    software: str | None,
    permitted: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Send hellos at the edge of the RFCs, and judge how the server reacts.

    This sends malformed traffic: test what is yours. Exit codes: 0 everything conforms, 1 findings, 2 wrong usage,
    3 something stayed unknown or Ctrl-C, 4 unreachable or not TLS.
    """
    if corpus_folder is not None and minutes is None:
        raise UsageError("--corpus", "belongs to --minutes")
    if minutes is not None and find_spec("hypothesis") is None:
        raise UsageError("--minutes", "needs Hypothesis: pip install 'tlswire[fuzz]'")
    cases = chosen(patterns) if patterns or generate is minutes is None else ()
    if listed or explain is not None:
        from tlswire.cli.fuzz_cases import explained, table  # noqa: PLC0415 - only without a target

        click.echo(table(cases) if explain is None else explained(explain, seed), nl=False)
        return
    if target is None:
        raise UsageError("HOST[:PORT]", "is missing; or use --list or --explain")
    options = Options(
        server_name,
        seed,
        generate=generate or 0,
        explore=60 * (minutes or 0),
        shrink=shrink,
        bounds=Bounds(concurrency or 0, max_rate, max_connections, timeout, deadline),
        stack=software,
        starttls=starttls or "",
        proxy=None if proxy is None else parse_proxy(proxy),
    )
    if others:
        _check_comparable(minutes, evidence_folder, software)
        fuzz_compare.run(
            (target, *others),
            cases,
            options,
            partial(permit, permitted=permitted),
            identify=identify,
            json_file=json_file,
            verbose=verbose,
            quiet=quiet,
        )
    where, address, way = asyncio.run(found_way(target, options.starttls, options.proxy))
    permit(address, where.host, way, permitted=permitted)
    name = server_name if server_name is not None else fuzz_compare.name_of(where.host)
    options = msgspec.structs.replace(options, server_name=name, proxy=way)
    results: list[Fuzz] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(writing.written(results, whole=lambda: all(one.complete for one in results)))
        file = None if json_file is None else stack.enter_context(writable(json_file))
        kept = None if evidence_folder is None else _evidence(evidence_folder)
        corpus = stack.enter_context(Corpus(corpus_folder))
        with FuzzLine(target, enabled=not quiet and sys.stderr.isatty()) as line:
            run = fuzz_address(
                where.host,
                address,
                cases,
                options,
                progress=line.callback,
                found=None if kept is None else kept.add,
                corpus=corpus,
            )
            result = asyncio.run(_heeding(run))
        if kept is not None:
            result = _pointing(result, kept)
        result = fuzz_compare.identified(result) if identify else result
        results.append(result)
        asking.tell(result, fuzz_report.render, file, quiet=quiet, verbose=verbose)
    if kept is not None and kept.failed is not None:
        raise kept.failed
    sys.exit(exit_code(result))


def _check_comparable(*others: object) -> None:
    if any(other is not None for other in others):
        raise UsageError("--compare", "goes with neither --minutes nor --evidence nor --stack")


async def found_way(target: str, starttls: str, proxy: Proxy | None) -> tuple[HostPort, Address, Proxy | None]:
    """The target that is meant, its first address, and the proxy with its own. Raises UsageError."""
    where = next(parse_target(target, default_port=usual_port(starttls)))
    return where, (await addresses(where.host, where.port, proxy))[0], await resolved(proxy)


async def _heeding(run: Awaitable[Fuzz]) -> Fuzz:
    asking.heed_sigterm()
    return await run


def _evidence(folder: Path) -> Evidence:
    check_folder(folder, "--evidence")
    return Evidence(folder)


def _pointing(result: Fuzz, kept: Evidence) -> Fuzz:
    """The result with every finding's folder."""
    findings = [
        msgspec.structs.replace(one, evidence=str(kept.folders[one.cause]) if one.cause in kept.folders else None)
        for one in result.findings
    ]
    return msgspec.structs.replace(result, findings=findings)


def permit(address: Address, host: str, proxy: Proxy | None = None, *, permitted: bool) -> None:
    """Malformed traffic goes to loopback, or where somebody says that it may. Raises UsageError.

    Loopback behind a proxy that is elsewhere is another machine's, and so may be a name that the proxy resolves.
    """
    on_the_way = [address] if proxy is None or proxy.at is None else [address, proxy.at]
    if permitted or all(is_numeric(one.host) and ipaddress.ip_address(one.host).is_loopback for one in on_the_way):
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(
            f"This sends malformed traffic to {host} ({address}). May you test this host?", abort=True, err=True
        )
        return
    where = "is not this machine" if is_numeric(address.host) else "is the proxy's to resolve, to any machine"
    raise UsageError(host, f"{where}: malformed traffic goes there only with {PERMISSION}")


def exit_code(result: Fuzz) -> int:
    """What the process ends with: cut short, not there, findings, something unknown, or fine."""
    if INTERRUPTED in result.notes:
        return cli.INCOMPLETE
    if result.error is not None:
        return cli.UNREACHABLE
    if result.findings:
        return cli.FINDINGS
    return cli.FINE if result.complete else cli.INCOMPLETE
