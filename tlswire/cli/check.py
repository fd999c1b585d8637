"""``tlswire check``: targets and a policy in, verdicts out. Parses, runs the checks, writes, chooses the exit code.

Must not hold logic of checks or policies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlswire import cli
from tlswire.cli.outputs import page
from tlswire.cli.scan_options import Seconds
from tlswire.errors import UsageError
from tlswire.policy.shipped import DEFAULT, policy_of

if TYPE_CHECKING:
    from tlswire.results.verdict import Verdict


@click.command()
@click.argument("targets", nargs=-1, metavar="HOST[:PORT]...")
@click.option(
    "--policy", default=DEFAULT, show_default=True, metavar="NAME|FILE", help="A shipped policy, or a TOML file."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=443, show_default=True, help="Port of targets that name none."
)
@click.option("--server-name", metavar="NAME", help="Send this server name (SNI) instead of the target's own.")
@click.option(
    "--anchor",
    "anchor_files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="CAs devices get as anchors in their enrollment profile (PEM or DER; repeatable).",
)
@click.option("--no-http", is_flag=True, help="Leave out the one GET that shows redirects to plain HTTP.")
@click.option(
    "--fix",
    "product",
    metavar="PRODUCT",
    help="Tell what to paste into this server for what is broken (all: tlswire remedy); auto: as it says what it is.",
)
@click.option(
    "--timeout", type=Seconds(0, min_open=True), default=5.0, show_default=True, help="Seconds for one answer."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Fixes every random byte of every hello.")
@click.option("-v", "--verbose", is_flag=True, help="Every rule with its evidence and source.")
@click.option("--json", "json_file", metavar="FILE", help="The verdict as JSON (one target); - is stdout.")
@click.option("--html", "html_file", metavar="FILE", help="The report as one HTML page; - is stdout.")
def command(
    targets: tuple[str, ...],
    policy: str,
    port: int,
    server_name: str | None,
    anchor_files: tuple[Path, ...],
    no_http: bool,
    product: str | None,
    timeout: float,
    seed: int,
    verbose: bool,
    json_file: str | None,
    html_file: str | None,
) -> None:
    """Judge servers by a policy: will Apple devices still connect?

    Exit codes: 0 passed, 1 failed, 2 wrong usage, 3 something stayed unknown, 4 unreachable or no TLS.
    """
    from tlswire.check.endpoint import check_target  # noqa: PLC0415 - handshakes and their libraries load here
    from tlswire.check.plan import Plan  # noqa: PLC0415 - as above
    from tlswire.policy.remedies import choice, with_fixes  # noqa: PLC0415 - as above
    from tlswire.probe.proxy import addresses  # noqa: PLC0415 - as above
    from tlswire.probe.targets import parse_target  # noqa: PLC0415 - as above
    from tlswire.report import verdict as verdict_report  # noqa: PLC0415 - as above
    from tlswire.results import to_json  # noqa: PLC0415 - as above
    from tlswire.scan.pacing import Limits  # noqa: PLC0415 - as above
    from tlswire.scan.trust import public_store, read_store  # noqa: PLC0415 - as above

    fixer = choice(product) if product else None
    plan = Plan(
        policy=policy_of(policy),
        public=public_store(),
        given={str(path): read_store(str(path), path) for path in anchor_files},
        server_name=server_name,
        http=not no_http,
        proofs=html_file is not None,
        limits=Limits(timeout=timeout),
        seed=seed,
    )
    wanted = [target for text in targets for target in parse_target(text, default_port=port)]
    if not wanted:
        raise UsageError("targets", "none given: name a host")
    results: list[Verdict] = []

    def made() -> bytes:
        from tlswire.report.html import verdicts_page  # noqa: PLC0415 - only pages need it

        return verdicts_page(results, interrupted=len(results) < len(wanted))

    async def run() -> None:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        for target in wanted:
            found = await addresses(target.host, target.port, plan.proxy)
            verdict = await check_target(target.host, found, plan)
            results.append(verdict if fixer is None else with_fixes(verdict, fixer))

    with contextlib.nullcontext() if html_file is None else page(html_file, made):
        asyncio.run(run())
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    for verdict in results:
        if json_file == "-":
            click.echo(to_json(verdict, indent=2))
        elif html_file != "-":
            click.echo(verdict_report.render(verdict, colour=colour, verbose=verbose), color=colour)
    sys.exit(exit_code(results))


def exit_code(results: list[Verdict]) -> int:
    """What the process ends with: nothing reached, a rule broken, something unknown, or fine."""
    if not any(verdict.reachable for verdict in results):
        return cli.UNREACHABLE
    if any(verdict.verdict == "fail" for verdict in results):
        return cli.FINDINGS
    if any(verdict.verdict == "unknown" for verdict in results):
        return cli.INCOMPLETE
    return cli.FINE
