"""``tlswire scan``: targets in, results out. Parses, runs the scanner, writes what was asked for, chooses the exit code.

Must not hold logic of the scan itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from tlswire import cli
from tlswire.cli import asking, writing
from tlswire.cli.judges import Judges, told
from tlswire.cli.outputs import writable
from tlswire.cli.progress import ProgressLine
from tlswire.cli.scan_options import (
    CATEGORIES,
    parse_categories,
    parse_questions,
    parse_suites,
    parse_versions,
)
from tlswire.errors import UsageError
from tlswire.probe.proxy import addresses, resolved
from tlswire.report import text as text_report
from tlswire.results import SCAN_SCHEMA, to_json
from tlswire.scan.scanner import Options, scan_many, unresolved

if TYPE_CHECKING:
    from tlswire.probe.targets import HostPort
    from tlswire.probe.transport import Address
    from tlswire.results import Scan, Verdict


@click.command()
@asking.options
@click.option("--all-addresses", is_flag=True, help="Scan every address a name has, not only the first.")
@click.option("--versions", metavar="LIST", help="Only these versions, such as TLS1.2,TLS1.3.")
@click.option(
    "--suites", metavar="LIST", help="Only these suites: IANA or OpenSSL names, codes, patterns such as '*RC4*'."
)
@click.option(
    "--method",
    type=click.Choice(["each", "eliminate"]),
    help="each: a hello for every pair (default). eliminate: few connections, the same answer (default with questions).",
)
@click.option(
    "--all-codes", is_flag=True, help="All 65,536 code points per version (with --method eliminate: in about a second)."
)
@click.option(
    "--questions",
    metavar="LIST",
    help="Ask more than versions and suites: names or sets (default, all) of questions; the suites then by eliminate.",
)
@click.option("--attacks", is_flag=True, help="Ask the questions that look like attacks, too; see tlswire questions.")
@click.option(
    "--anchor",
    "anchor_files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Validate chains against these anchors (PEM or DER) instead of Mozilla's and the system's (repeatable).",
)
@click.option(
    "--policy",
    "policy_names",
    multiple=True,
    metavar="NAME|FILE",
    help="Judge the scan by a policy (repeatable); asks the questions its rules look at. See tlswire policies.",
)
@click.option("--verdict-jsonl", "verdict_file", metavar="FILE", help="The verdicts of --policy as JSON Lines.")
@click.option(
    "--resumptions",
    type=click.IntRange(1, 1000),
    default=Options().resumptions,
    show_default=True,
    metavar="N",
    help="How often the question resumption tries each way: its rate shows servers behind a balancer.",
)
@click.option("--json", "json_file", metavar="FILE", help="The result as JSON (one target); - is stdout.")
@click.option("--jsonl", "jsonl_file", metavar="FILE", help="The results as JSON Lines; - is stdout.")
@writing.options(SCAN_SCHEMA)
@click.option(
    "--fail-on",
    metavar="LIST",
    default="",
    help=f"Exit with 1 on findings of these categories: {', '.join(CATEGORIES)}.",
)
@click.option("-v", "--verbose", is_flag=True, help="Remedies, and every detail of the answers to questions.")
def command(
    *,
    all_addresses: bool,
    versions: str | None,
    suites: str | None,
    method: str | None,
    all_codes: bool,
    questions: str | None,
    attacks: bool,
    anchor_files: tuple[Path, ...],
    policy_names: tuple[str, ...],
    verdict_file: str | None,
    resumptions: int,
    json_file: str | None,
    jsonl_file: str | None,
    fail_on: str,
    verbose: bool,
    **common: Any,
) -> None:
    """Enumerate what servers accept, one version and one suite at a time.

    Each HOST is a name, an address, [v6]:port, or a CIDR block. Exit codes: 0 complete, 1 a --fail-on finding or a
    policy is broken, 2 wrong usage, 3 incomplete, 4 unreachable or no TLS.
    """
    how = asking.Asking(**common)
    wanted, name = how.wanted(), how.name()
    if not wanted:
        raise UsageError("targets", "none given: name a host, or --targets FILE")
    if suites is not None and all_codes:
        raise UsageError("--all-codes", "contradicts --suites")
    codes, kinds = parse_suites(suites)
    asked = parse_questions(questions, attacks=attacks)
    judges = Judges(policy_names, anchor_files, verdict_file)
    asked = tuple(dict.fromkeys([*asked, *judges.questions]))
    _announce(() if how.quiet else asked)
    options = Options(
        versions=parse_versions(versions),
        suites=codes,
        kinds=kinds,
        method="eliminate" if method == "eliminate" or (asked and method is None) else "each",
        all_codes=all_codes,
        server_name=name,
        questions=asked,
        anchors=asking.anchors(anchor_files) or None,
        resumptions=resumptions,
        starttls=how.starttls or "",
        proxy=how.way(),
        limits=how.limits(),
        seed=how.seed,
    )
    if all_addresses and options.proxy is not None and options.proxy.resolves:
        raise UsageError("--all-addresses", "names are resolved by the proxy: use socks5:// to resolve them here")
    categories = parse_categories(fail_on)
    if json_file is not None and (len(wanted) > 1 or all_addresses):
        raise UsageError("--json", "holds one result; use --jsonl for several targets")
    with contextlib.ExitStack() as stack:
        quiet = how.quiet or writing.to_stdout() or "-" in {json_file, jsonl_file, verdict_file}
        run = _Run(options, quiet=quiet, verbose=verbose)
        stack.enter_context(writing.written(run.told, whole=lambda: len(run.results) == run.expected))
        run.outputs = [
            (stack.enter_context(writable(file)), indent)
            for file, indent in ((json_file, 2), (jsonl_file, 0))
            if file is not None
        ]
        run.verdicts = [stack.enter_context(writable(name)) for name in (verdict_file,) if name is not None]
        run.judges = judges
        run.progress = stack.enter_context(ProgressLine(enabled=not how.quiet and sys.stderr.isatty()))
        asyncio.run(run.all(wanted, how, stack, all_addresses=all_addresses))
    sys.exit(exit_code(run.results, categories, broken=run.broken))


class _Run:
    """One invocation: what is scanned, where results go, and what came out."""

    def __init__(self, options: Options, *, quiet: bool, verbose: bool) -> None:
        self.options = options
        self.quiet = quiet
        self.verbose = verbose
        self.outputs: list[tuple[BinaryIO, int]] = []
        self.judges = Judges()
        self.verdicts: list[BinaryIO] = []
        self.broken = False
        self.progress = ProgressLine(enabled=False)
        self.results: list[Scan] = []
        self.told: list[Scan | Verdict] = []
        self.expected = 1

    async def all(
        self, targets: list[HostPort], how: asking.Asking, stack: contextlib.ExitStack, *, all_addresses: bool
    ) -> None:
        self.expected = len(targets)
        asking.heed_sigterm()
        self.options = msgspec.structs.replace(self.options, proxy=await resolved(self.options.proxy))
        recorder = asking.Recorder(how, self.options.proxy, stack)
        pairs = await self._resolve(targets, all_addresses=all_addresses)
        self.expected = len(self.results) + len(pairs)
        colour = asking.colourful()
        async for scan in scan_many(
            pairs, self.options, side_by_side=how.hosts, observe=recorder.observe, progress=self.progress.host
        ):
            self._tell(scan, colour=colour)

    def _tell(self, scan: Scan, *, colour: bool) -> None:
        verdicts = list(self.judges.verdicts(scan))
        self.results.append(scan)
        self.told += [scan, *verdicts]
        try:
            for file, indent in self.outputs:
                file.write(to_json(scan, indent=indent) + b"\n")
                file.flush()
            if not self.quiet:
                with self.progress.hidden():
                    click.echo(text_report.render(scan, colour=colour, verbose=self.verbose), color=colour)
            for verdict in verdicts:
                self.broken = self.broken or verdict.verdict == "fail"
                for file in self.verdicts:
                    file.write(to_json(verdict) + b"\n")
                if not self.quiet:
                    with self.progress.hidden():
                        click.echo(told(verdict, colour=colour, verbose=self.verbose), color=colour)
        except BrokenPipeError:
            cli.forget_stdout()

    async def _resolve(self, targets: list[HostPort], *, all_addresses: bool) -> list[tuple[str, Address]]:
        """(host, address) pairs. Among several targets, a name that does not resolve is a result like others."""
        pairs: list[tuple[str, Address]] = []
        for target in targets:
            try:
                found = await addresses(target.host, target.port, self.options.proxy)
            except UsageError as error:
                if len(targets) == 1:
                    raise
                self._tell(unresolved(target.host, target.port, error.reason, self.options), colour=False)
                continue
            pairs += [(target.host, address) for address in (found if all_addresses else found[:1])]
        return pairs


def _announce(asked: tuple[str, ...]) -> None:
    """Say on stderr what questions will send that look like attacks."""
    if not asked:
        return
    from tlswire.scan.questions import QUESTIONS  # noqa: PLC0415 - only scans with questions need them

    for name in asked:
        if QUESTIONS[name].sends:
            click.echo(f"{name}: sends {QUESTIONS[name].sends}", err=True)


def exit_code(results: list[Scan], categories: frozenset[str], *, broken: bool = False) -> int:
    """What the process ends with: nothing reached, a policy broken, something unknown, a finding asked for, or fine."""
    if not any(scan.reachable for scan in results):
        return cli.UNREACHABLE
    if broken:
        return cli.FINDINGS
    if not all(scan.complete and scan.reachable for scan in results):
        return cli.INCOMPLETE
    found = {finding.category for scan in results for finding in scan.findings}
    return cli.FINDINGS if found & categories else cli.FINE
