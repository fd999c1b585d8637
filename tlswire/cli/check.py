"""``tlswire check``: endpoints and policies in, verdicts out. Parses, runs the checks, writes, chooses the exit code.

Must not hold logic of checks or policies.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from tlswire import cli
from tlswire.cli import asking, writing
from tlswire.cli.check_options import parse_resolve
from tlswire.cli.outputs import writable
from tlswire.cli.progress import ProgressLine
from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.hello.profiles import profile_names
from tlswire.policy.shipped import DEFAULT, policy_of
from tlswire.report import inventory as inventory_report
from tlswire.report import verdict as verdict_report
from tlswire.results import VERDICT_SCHEMA, Verdict, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tlswire.check.journal import Journal
    from tlswire.check.plan import Plan
    from tlswire.check.runner import Job
    from tlswire.policy.model import Policy
    from tlswire.probe.targets import HostPort
    from tlswire.wire.messages import ClientHello

# Of more endpoints each gets a line instead of a report.
MOST_REPORTS = 5
# Stands in a hello until it is known which host it goes to.
_ANY_NAME = b"example.com"


class Output(msgspec.Struct, frozen=True):
    """A file that is written as verdicts come: ``each`` gives the bytes of one; ``single``: it holds no more than one.
    Files that are written at the end are those of ``writing``.
    """

    option: str
    help: str
    each: Callable[[Verdict], bytes]
    single: bool = False

    @property
    def keyword(self) -> str:
        """The name of its value among those of the command."""
        return f"{self.option.strip('-')}_file"


OUTPUTS = (
    Output(
        "--json",
        "The verdict as JSON (one endpoint); - is stdout.",
        each=lambda verdict: to_json(verdict, indent=2) + b"\n",
        single=True,
    ),
    Output("--jsonl", "The verdicts as JSON Lines; - is stdout.", each=lambda verdict: to_json(verdict) + b"\n"),
)


def _outputs(command: Callable[..., Any]) -> Callable[..., Any]:
    for row in reversed(OUTPUTS):
        command = click.option(row.option, row.keyword, metavar="FILE", help=row.help)(command)
    return command


@click.command()
@asking.options
@click.option(
    "--policy",
    "policies",
    multiple=True,
    default=(DEFAULT,),
    show_default=True,
    metavar="NAME|FILE",
    help="A shipped policy, or a TOML file (repeatable).",
)
@click.option(
    "--inventory",
    "inventory_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Endpoints with roles, environments and anchors of their own, as CSV or TOML (docs/check.md).",
)
@click.option(
    "--account",
    metavar="USER@DOMAIN",
    help="Follow service discovery of this account like an enrolling device, and check every server on the way.",
)
@click.option("--first-address", is_flag=True, help="Visit only the first address of a name, not all of them.")
@click.option(
    "--resolve",
    "resolve",
    multiple=True,
    metavar="HOST:PORT:ADDRESS",
    help="Visit HOST at this address instead of asking the resolver, as curl does (repeatable; commas between many).",
)
@click.option(
    "--anchor",
    "anchor_files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="CAs devices get as anchors in their enrollment profile (PEM or DER; repeatable).",
)
@click.option(
    "--as",
    "clients",
    multiple=True,
    metavar="NAME|FILE",
    help="Speak as this client: a profile, or a hello from a file (repeatable with --matrix).",
)
@click.option("--matrix", is_flag=True, help="Tell as well what each client gets: those of --as, or all profiles.")
@click.option("--no-http", is_flag=True, help="Leave out the one GET that shows redirects to plain HTTP.")
@click.option("--path", default="/", show_default=True, metavar="PATH", help="What that GET asks for.")
@click.option(
    "--fix",
    "product",
    metavar="PRODUCT",
    help="Tell what to paste into this server for what is broken (all: tlswire remedy); auto: as it says what it is.",
)
@click.option("--evidence", is_flag=True, help="The bytes that prove each line, in the report and in JSON.")
@click.option(
    "--resume",
    "resume_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep finished verdicts in FILE; begun again with the same FILE, a run that was cut short goes on.",
)
@_outputs
@writing.options(VERDICT_SCHEMA)
@click.option("-v", "--verbose", is_flag=True, help="Every rule with its evidence and source.")
def command(
    *,
    policies: tuple[str, ...],
    inventory_file: Path | None,
    account: str | None,
    first_address: bool,
    resolve: tuple[str, ...],
    anchor_files: tuple[Path, ...],
    clients: tuple[str, ...],
    matrix: bool,
    no_http: bool,
    path: str,
    product: str | None,
    evidence: bool,
    resume_file: Path | None,
    verbose: bool,
    **rest: Any,
) -> None:
    """Judge servers by a policy: will Apple devices still connect?

    Each HOST is a name, an address, [v6]:port, or a CIDR block. Exit codes: 0 passed (perhaps with warnings), 1 failed,
    2 wrong usage, 3 something stayed unknown, 4 unreachable or no TLS.
    """
    files = [(row, rest.pop(row.keyword)) for row in OUTPUTS]
    how = asking.Asking(**rest)
    wanted = how.wanted()
    judging = [policy_of(text) for text in dict.fromkeys(policies)]
    from tlswire.check.http import path_of  # noqa: PLC0415 - as above
    from tlswire.check.journal import Journal, head_of  # noqa: PLC0415 - handshakes and their libraries load here
    from tlswire.check.plan import Plan  # noqa: PLC0415 - as above
    from tlswire.policy.remedies import choice  # noqa: PLC0415 - as above
    from tlswire.scan.trust import public_store  # noqa: PLC0415 - as above

    plan = Plan(
        policy=judging[0],
        client=None if matrix else _client(clients, how.seed),
        public=public_store(),
        given=asking.anchors(anchor_files),
        server_name=how.name(),
        starttls=how.starttls or "",
        proxy=how.way(),
        http=not no_http,
        path=path_of(path),
        proofs=evidence or writing.wants_proofs(),
        limits=how.limits(),
        seed=how.seed,
        resolve=parse_resolve(resolve),
        first_address=first_address,
        matrix=_clients(clients or profile_names(), how.seed) if matrix else {},
    )
    if sum(map(bool, (wanted, inventory_file, account))) != 1:
        raise UsageError("targets", "name hosts, --targets FILE, --inventory FILE or --account, one of them")
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(writing.Spool(Verdict))
        stack.enter_context(writing.written(kept, whole=lambda: not run.interrupted))
        recorder = asking.Recorder(how, plan.proxy, stack)
        if account is not None:
            work = _discovered(account, plan, judging, recorder)
        elif inventory_file is not None:
            work = _listed(inventory_file, plan, judging, how)
        else:
            work = _named(wanted, plan, judging)
        for row, name in files:
            if name is not None and row.single and work.count > 1:
                raise UsageError(row.option, "holds one result; use --jsonl for several")
        quiet = how.quiet or writing.to_stdout() or any(name == "-" for _, name in files)
        run = _Run(verbose=verbose, quiet=quiet, brief=work.brief, faults=work.faults, kept=kept)
        run.fixer = choice(product) if product else None
        run.evidence = evidence
        run.outputs = [(row, stack.enter_context(writable(name))) for row, name in files if name is not None]
        journal = stack.enter_context(Journal(resume_file, head_of(plan, judging, work.mark)))
        for note in journal.notes:
            click.echo(f"tlswire: {printable(note)}", err=True)
        run.progress = stack.enter_context(ProgressLine(enabled=not how.quiet and sys.stderr.isatty()))
        for verdict in work.known:
            run.tell(verdict)
        asyncio.run(run.all(work.jobs, work.count, journal, how, recorder.observe))
        run.finish()
    sys.exit(run.exit_code())


class _Work(msgspec.Struct, frozen=True):
    """What is to be checked: so many jobs, bytes that tell them from those of other runs, and verdicts there are already."""

    jobs: Iterable[Job]
    count: int
    mark: bytes
    brief: bool
    faults: int = 0
    known: Sequence[Verdict] = ()


def _named(wanted: Sequence[HostPort], plan: Plan, policies: Sequence[Policy]) -> _Work:
    from tlswire.check.runner import Job  # noqa: PLC0415 - handshakes and their libraries load here

    pairs = [(target, policy) for target in wanted for policy in policies]
    jobs = (
        Job(host=target.host, port=target.port, plan=msgspec.structs.replace(plan, policy=policy), number=number)
        for number, (target, policy) in enumerate(pairs)
    )
    return _Work(jobs, len(pairs), repr(wanted).encode(), brief=len(pairs) > MOST_REPORTS)


def _listed(file: Path, plan: Plan, policies: Sequence[Policy], how: asking.Asking) -> _Work:
    from tlswire.check.inventory import Inventory  # noqa: PLC0415 - handshakes and their libraries load here

    listed = Inventory(file, plan, policies, usual_port=how.usual_port)
    for fault in listed.faults:
        click.echo(f"tlswire: {printable(str(fault))}", err=True)
    if listed.fault_count > len(listed.faults):
        click.echo(f"tlswire: and {listed.fault_count - len(listed.faults)} more faults", err=True)
    return _Work(listed.jobs(), listed.count, listed.mark, brief=True, faults=listed.fault_count)


def _discovered(account: str, plan: Plan, policies: Sequence[Policy], recorder: asking.Recorder) -> _Work:
    from tlswire.check.discovery import discover  # noqa: PLC0415 - handshakes and their libraries load here
    from tlswire.check.runner import Job  # noqa: PLC0415 - as above
    from tlswire.results.verdict import Endpoint  # noqa: PLC0415 - as above

    found = asyncio.run(discover(account, plan, observe=recorder.observe))
    pairs = [(one, policy) for one in found.endpoints for policy in policies]
    jobs = [
        Job(
            host=one.target.host,
            port=one.target.port,
            plan=msgspec.structs.replace(plan, policy=policy, path=one.path),
            endpoint=Endpoint(role=one.role),
            number=number,
        )
        for number, (one, policy) in enumerate(pairs)
    ]
    return _Work(jobs, len(jobs), repr(found.endpoints).encode(), brief=False, known=[found.verdict])


def _client(sources: tuple[str, ...], seed: int) -> ClientHello | None:
    """The hello to speak with; None where it is the policy's own. Raises UsageError."""
    if len(sources) > 1:
        raise UsageError("--as", "names several clients: that is for --matrix")
    return next(iter(_clients(sources, seed).values()), None)


def _clients(sources: Iterable[str], seed: int) -> dict[str, ClientHello]:
    """Hellos by what they were named. Raises UsageError."""
    from tlswire.cli.hello_source import hello_as  # noqa: PLC0415 - only with --as and --matrix

    return {name: hello_as(name, rng=random.Random(f"{seed} as"), server_name=_ANY_NAME) for name in sources}


def _bare(verdict: Verdict) -> Verdict:
    """A verdict without the bytes that a page wanted."""
    rules = [
        msgspec.structs.replace(rule, evidence=[msgspec.structs.replace(one, proof=None) for one in rule.evidence])
        for rule in verdict.rules
    ]
    return msgspec.structs.replace(verdict, rules=rules)


class _Run:
    """One invocation: where verdicts go, and what came out. ``faults`` is how many endpoints could not be made out."""

    def __init__(self, *, verbose: bool, quiet: bool, brief: bool, faults: int, kept: writing.Spool[Verdict]) -> None:
        self.verbose = verbose
        self.quiet = quiet
        self.brief = brief
        self.faults = faults
        self.fixer: str | None = None
        self.evidence = False
        self.outputs: list[tuple[Output, BinaryIO]] = []
        self.progress = ProgressLine(enabled=False)
        self.tally = inventory_report.Tally()
        self._kept = kept
        self._reached = 0
        self._nowhere = 0
        self.interrupted = False

    async def all(self, jobs: Iterable[Job], count: int, journal: Journal, how: asking.Asking, see: Any) -> None:
        """Check every job and tell of each in its turn; those the journal knows are not checked again."""
        from tlswire.check.endpoint import INTERRUPTED  # noqa: PLC0415 - loaded by now
        from tlswire.check.journal import Shelf  # noqa: PLC0415 - as above
        from tlswire.check.runner import check_many  # noqa: PLC0415 - as above

        asking.heed_sigterm()
        shelf = Shelf(journal)
        progress = self.progress.many(count)
        told = 0

        def left() -> Iterator[Job]:
            for job in jobs:
                if job.key in journal:
                    shelf.found(job.number, job.key)
                else:
                    yield job

        async for job, verdict in check_many(left(), side_by_side=how.hosts, observe=see):
            shelf.put(job.number, job.key, verdict, finished=INTERRUPTED not in verdict.notes)
            progress.settled += 1
            progress.connections += verdict.connections
            for ready in shelf.take():
                self.tell(ready)
                told += 1
        for ready in (*shelf.take(), *shelf.rest()):
            self.tell(ready)
            told += 1
        self.interrupted = told < count

    def tell(self, verdict: Verdict) -> None:
        if self.fixer is not None:
            from tlswire.policy.remedies import with_fixes  # noqa: PLC0415 - only with --fix

            verdict = with_fixes(verdict, self.fixer)
        self.tally.add(verdict)
        self._reached += verdict.reachable
        # A host without an address.
        self._nowhere += not verdict.nodes and verdict.error is not None
        if writing.wanted():
            self._kept.append(verdict)
        if not self.evidence:
            verdict = _bare(verdict)
        try:
            for row, file in self.outputs:
                file.write(row.each(verdict))
                file.flush()
            if not self.quiet:
                self._print(self._text(verdict))
        except BrokenPipeError:
            cli.forget_stdout()

    def _text(self, verdict: Verdict) -> str:
        colour = asking.colourful()
        if self.brief and not self.verbose:
            return inventory_report.line(verdict, colour=colour)
        return verdict_report.render(verdict, colour=colour, verbose=self.verbose)

    def _print(self, text: str) -> None:
        with self.progress.hidden():
            click.echo(text, color=asking.colourful())

    def finish(self) -> None:
        """Print the summary."""
        try:
            if not self.quiet and self.tally.total and (self.brief or self.faults or len(self.tally.crossed) > 1):
                self._print(self.tally.render(colour=asking.colourful(), faults=self.faults))
        except BrokenPipeError:
            cli.forget_stdout()

    def exit_code(self) -> int:
        """What the process ends with: nothing could be made out, something was left out, nothing was reached, a rule is
        broken, something is unknown, or fine.
        """
        counts = self.tally.counts
        if self._nowhere and self._nowhere == self.tally.total:
            return cli.USAGE
        if self.interrupted or self.faults or self._nowhere:
            return cli.INCOMPLETE
        if not self._reached and not counts["exempt"]:
            return cli.UNREACHABLE
        if counts["fail"]:
            return cli.FINDINGS
        return cli.INCOMPLETE if counts["unknown"] else cli.FINE
