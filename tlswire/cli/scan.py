"""``tlswire scan``: targets in, results out. Parses, runs the scanner, writes what was asked for, chooses the exit code.

Must not hold logic of the scan itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from tlswire import cli
from tlswire.cli.judges import Judges, told
from tlswire.cli.outputs import check_folder, page, writable
from tlswire.cli.progress import ProgressLine
from tlswire.cli.scan_options import (
    CATEGORIES,
    Seconds,
    parse_categories,
    parse_questions,
    parse_suites,
    parse_versions,
)
from tlswire.errors import UsageError
from tlswire.probe import starttls as protocols
from tlswire.probe.proxy import addresses, parse_proxy, resolved
from tlswire.probe.targets import DEFAULT_PORT, HostPort, parse_target, read_targets
from tlswire.report import text as text_report
from tlswire.results import to_json
from tlswire.scan.pacing import WIDTH, Limits
from tlswire.scan.scanner import Options, scan_many, unresolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.certificates.stores import Anchors
    from tlswire.probe.transport import Address
    from tlswire.results import Scan
    from tlswire.results.verdict import Verdict


@click.command()
@click.argument("targets", nargs=-1, metavar="HOST[:PORT]...")
@click.option(
    "--targets",
    "targets_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Targets from a file, one a line; # begins a comment.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    show_default=f"{DEFAULT_PORT}, or the usual one of --starttls",
    help="Port of targets that name none.",
)
@click.option("--all-addresses", is_flag=True, help="Scan every address a name has, not only the first.")
@click.option(
    "--starttls",
    type=click.Choice(list(protocols.BY_NAME)),
    metavar="PROTOCOL",
    help=f"Begin TLS in the middle of {', '.join(protocols.BY_NAME)}.",
)
@click.option(
    "--proxy", metavar="URL", help="Connect through http://, socks5:// or socks5h://[user:password@]host:port."
)
@click.option("--server-name", metavar="NAME", help="Send this server name (SNI) instead of the target's own.")
@click.option("--no-server-name", is_flag=True, help="Send no server name.")
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
@click.option("--keylog", "keylog_file", metavar="FILE", help="Append the secrets of every handshake (SSLKEYLOGFILE).")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1024),
    show_default=f"{WIDTH}, fewer with --starttls",
    help="Connections in flight per host.",
)
@click.option("--max-rate", type=Seconds(0), default=0, metavar="N", help="At most N connections a second per host.")
@click.option(
    "--timeout", type=Seconds(0, min_open=True), default=5.0, show_default=True, help="Seconds for one answer."
)
@click.option(
    "--deadline",
    type=Seconds(0, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds for one host.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 20),
    default=3,
    show_default=True,
    help="How often a host in trouble is tried again.",
)
@click.option("--hosts", type=click.IntRange(1, 256), default=16, show_default=True, help="Hosts scanned side by side.")
@click.option("--seed", type=int, default=0, show_default=True, help="Fixes every random byte of every hello.")
@click.option("--json", "json_file", metavar="FILE", help="The result as JSON (one target); - is stdout.")
@click.option("--jsonl", "jsonl_file", metavar="FILE", help="The results as JSON Lines; - is stdout.")
@click.option("--html", "html_file", metavar="FILE", help="The report as one HTML page; - is stdout.")
@click.option(
    "--trace", type=click.Path(path_type=Path), metavar="DIR", help="Keep every probe's bytes as hex files and a pcap."
)
@click.option(
    "--fail-on",
    metavar="LIST",
    default="",
    help=f"Exit with 1 on findings of these categories: {', '.join(CATEGORIES)}.",
)
@click.option("-v", "--verbose", is_flag=True, help="Remedies, and every detail of the answers to questions.")
@click.option("--quiet", is_flag=True, help="No report and no progress; files and exit code only.")
def command(
    targets: tuple[str, ...],
    targets_file: Path | None,
    port: int | None,
    all_addresses: bool,
    starttls: str | None,
    proxy: str | None,
    server_name: str | None,
    no_server_name: bool,
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
    keylog_file: str | None,
    concurrency: int | None,
    max_rate: float,
    timeout: float,
    deadline: float,
    retries: int,
    hosts: int,
    seed: int,
    json_file: str | None,
    jsonl_file: str | None,
    html_file: str | None,
    trace: Path | None,
    fail_on: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Enumerate what servers accept, one version and one suite at a time.

    Each HOST is a name, an address, [v6]:port, or a CIDR block. Exit codes: 0 complete, 1 a --fail-on finding or a
    policy is broken, 2 wrong usage, 3 incomplete, 4 unreachable or no TLS.
    """
    usual = protocols.usual_port(starttls or "") if port is None else port
    wanted = [target for text in targets for target in parse_target(text, default_port=usual)]
    if targets_file is not None:
        wanted += read_targets(targets_file, default_port=usual)
    if not wanted:
        raise UsageError("targets", "none given: name a host, or --targets FILE")
    if server_name and no_server_name:
        raise UsageError("--no-server-name", "contradicts --server-name")
    if suites is not None and all_codes:
        raise UsageError("--all-codes", "contradicts --suites")
    if server_name is not None:
        server_name = next(parse_target(server_name)).host
    codes, kinds = parse_suites(suites)
    asked = parse_questions(questions, attacks=attacks)
    judges = Judges(policy_names, anchor_files, verdict_file)
    asked = tuple(dict.fromkeys([*asked, *judges.questions]))
    _announce(() if quiet else asked)
    options = Options(
        versions=parse_versions(versions),
        suites=codes,
        kinds=kinds,
        method="eliminate" if method == "eliminate" or (asked and method is None) else "each",
        all_codes=all_codes,
        server_name="" if no_server_name else server_name,
        questions=asked,
        anchors=_anchors(anchor_files),
        resumptions=resumptions,
        starttls=starttls or "",
        proxy=None if proxy is None else parse_proxy(proxy),
        limits=Limits(concurrency or 0, max_rate, timeout, deadline, retries),
        seed=seed,
    )
    if all_addresses and options.proxy is not None and options.proxy.resolves:
        raise UsageError("--all-addresses", "names are resolved by the proxy: use socks5:// to resolve them here")
    categories = parse_categories(fail_on)
    if json_file is not None and (len(dict.fromkeys(wanted)) > 1 or all_addresses):
        raise UsageError("--json", "holds one result; use --jsonl for several targets")
    with contextlib.ExitStack() as stack:
        run = _Run(options, quiet=quiet or "-" in {json_file, jsonl_file, html_file, verdict_file}, verbose=verbose)
        run.judges = judges
        run.open(
            stack,
            json=json_file,
            jsonl=jsonl_file,
            html=html_file,
            verdicts=verdict_file,
            keylog=keylog_file,
            trace=trace,
        )
        run.progress = stack.enter_context(ProgressLine(enabled=not quiet and sys.stderr.isatty()))
        asyncio.run(run.all(list(dict.fromkeys(wanted)), hosts, all_addresses=all_addresses))
    sys.exit(exit_code(run.results, categories, broken=run.broken))


class _Run:
    """One invocation: what is scanned, where results go, and what came out."""

    def __init__(self, options: Options, *, quiet: bool, verbose: bool) -> None:
        self.options = options
        self.quiet = quiet
        self.verbose = verbose
        self.outputs: list[tuple[BinaryIO, int]] = []
        self.trace: Path | None = None
        self.keylog: BinaryIO | None = None
        self.judges = Judges()
        self.verdicts: list[BinaryIO] = []
        self.broken = False
        self.progress = ProgressLine(enabled=False)
        self.stack = contextlib.ExitStack()
        self.results: list[Scan] = []
        self.judged: list[list[Verdict]] = []
        self.expected = 1

    def open(
        self,
        stack: contextlib.ExitStack,
        *,
        json: str | None,
        jsonl: str | None,
        html: str | None,
        verdicts: str | None,
        keylog: str | None,
        trace: Path | None,
    ) -> None:
        """Open what is written to, on ``stack``. Raises UsageError before the first connection."""
        self.stack = stack
        self.outputs = [
            (stack.enter_context(writable(name)), indent)
            for name, indent in ((json, 2), (jsonl, 0))
            if name is not None
        ]
        self.verdicts = [stack.enter_context(writable(name)) for name in (verdicts,) if name is not None]
        if html is not None:
            stack.enter_context(page(html, self._page))
        if keylog is not None:
            self.keylog = stack.enter_context(writable(keylog, append=True))
        if trace is not None:
            check_folder(trace, "--trace")
            self.trace = trace

    async def all(self, targets: list[HostPort], hosts: int, *, all_addresses: bool) -> None:
        self.expected = len(targets)
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        self.options = msgspec.structs.replace(self.options, proxy=await resolved(self.options.proxy))
        pairs = await self._resolve(targets, all_addresses=all_addresses)
        self.expected = len(self.results) + len(pairs)
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        observe = self._observer if self.trace is not None or self.keylog is not None else None
        async for scan in scan_many(
            pairs, self.options, side_by_side=hosts, observe=observe, progress=self.progress.host
        ):
            self._tell(scan, colour=colour)

    def _tell(self, scan: Scan, *, colour: bool) -> None:
        self.results.append(scan)
        self.judged.append(list(self.judges.verdicts(scan)))
        try:
            for file, indent in self.outputs:
                file.write(to_json(scan, indent=indent) + b"\n")
                file.flush()
            if not self.quiet:
                with self.progress.hidden():
                    click.echo(text_report.render(scan, colour=colour, verbose=self.verbose), color=colour)
            for verdict in self.judged[-1]:
                self.broken = self.broken or verdict.verdict == "fail"
                for file in self.verdicts:
                    file.write(to_json(verdict) + b"\n")
                if not self.quiet:
                    with self.progress.hidden():
                        click.echo(told(verdict, colour=colour, verbose=self.verbose), color=colour)
        except BrokenPipeError:
            cli.forget_stdout()

    def _page(self) -> bytes:
        from tlswire.report.html import scans_page  # noqa: PLC0415 - only pages need it

        return scans_page(self.results, self.judged, interrupted=len(self.results) < self.expected)

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

    def _observer(self, host: str, address: Address) -> Callable[[Any, Any], None]:
        trace = None
        if self.trace is not None:
            from tlswire.report.trace import Trace  # noqa: PLC0415 - only traced scans need it

            folder = self.trace / f"{host}_{address.host}_{address.port}".replace(":", ".")
            clock = asyncio.get_running_loop().time()
            proxy = self.options.proxy
            peer = address if proxy is None or proxy.at is None else proxy.at
            trace = self.stack.enter_context(Trace(folder, (peer.host, peer.port), clock))

        if self.keylog is not None:
            from tlswire.crypto.keylog import format_line  # noqa: PLC0415 - only with --keylog

        def observe(asked: Any, answer: Any) -> None:
            if trace is not None:
                trace.add(
                    asked.title,
                    answer.label,
                    answer.sent,
                    answer.received,
                    started=answer.started,
                    elapsed=answer.elapsed,
                    local=answer.local,
                    before=() if answer.opening is None else answer.opening.said,
                )
            if self.keylog is not None:
                for one in (answer, *getattr(answer, "renegotiations", ())):
                    secrets = getattr(one, "secrets", {})  # an answer to a hello alone has none
                    for label, secret in secrets.items():
                        self.keylog.write(format_line(label, one.client_random, secret).encode("ascii"))
                self.keylog.flush()

        return observe


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


def _anchors(files: tuple[Path, ...]) -> dict[str, Anchors] | None:
    if not files:
        return None
    from tlswire.scan.trust import read_store  # noqa: PLC0415 - only with --anchor

    return {str(path): read_store(str(path), path) for path in files}
