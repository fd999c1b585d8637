"""One scan of one address: find a hello that works, enumerate, put the result together; whatever happens, keep what
is known. Several targets side by side. The public face of the package for library users.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire import __version__
from tlswire.hello.builder import SSLV2_VERSION, TLS13_VERSION, Shape
from tlswire.probe import transport
from tlswire.probe.proxy import addresses
from tlswire.probe.starttls import usual_port
from tlswire.registry import SCSV, SSLV2_KINDS, SUITES
from tlswire.results.answers import Answers
from tlswire.results.scan import Scan, Target, Tool
from tlswire.scan.assemble import fault_findings, faults_result, findings_of, version_result, worst_first
from tlswire.scan.enumerate import Enumeration
from tlswire.scan.many import as_finished
from tlswire.scan.offers import ProbeMaker
from tlswire.scan.pacing import Limits
from tlswire.scan.preflight import Verdict, preflight
from tlswire.scan.prober import Prober
from tlswire.scan.tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from tlswire.certificates.stores import Anchors
    from tlswire.probe.exchange import Answer
    from tlswire.probe.opening import Opening
    from tlswire.probe.proxy import Proxy
    from tlswire.probe.transport import Address
    from tlswire.scan.interview import Interview
    from tlswire.scan.offers import Probe

VERSIONS_SCANNED = (0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304)


class Options(msgspec.Struct, frozen=True):
    """What to ask and how. ``suites`` empty means every suite of the registry; ``server_name`` None means the host's
    own name where it has one, the empty string means no SNI; ``starttls`` names the protocol whose dialogue comes before
    TLS, ``proxy`` is what connections go through; ``questions`` are names or sets of ``scan.questions``; ``anchors`` are
    the stores chains are validated against (None: the usual ones); ``resumptions`` is how often each way to
    resume a session is tried; ``seed`` fixes every random byte.
    """

    versions: tuple[int, ...] = VERSIONS_SCANNED
    suites: tuple[int, ...] = ()
    kinds: tuple[int, ...] = ()
    method: Literal["each", "eliminate"] = "each"
    all_codes: bool = False
    server_name: str | None = None
    starttls: str = ""
    proxy: Proxy | None = None
    limits: Limits = Limits()
    questions: tuple[str, ...] = ()
    anchors: Mapping[str, Anchors] | None = None
    resumptions: int = 3
    seed: int = 0


class Progress(msgspec.Struct):
    """How far one scan is: counts of pairs."""

    total: int = 0
    settled: int = 0
    connections: int = 0


def candidates(options: Options, version: int) -> tuple[int, ...]:
    """The suites (or cipher kinds) a scan with ``options`` asks of ``version``."""
    if version == SSLV2_VERSION:
        if options.suites and not options.kinds:
            return ()
        return options.kinds or tuple(row.code for row in SSLV2_KINDS)
    if options.suites or options.kinds:
        return options.suites
    if options.all_codes:
        return tuple(code for code in range(1 << 16) if code not in SCSV)
    # TLS 1.3 and what came before share no suite (RFC 9846 section 4.2.2). Older versions are offered all the same
    # what TLS 1.2 and 1.3 brought, because there are servers that take it.
    rows = [row for row in SUITES if version < TLS13_VERSION or row.max_version == "TLS 1.3"]
    # What servers are asked most comes first, so a scan that is cut short knows the most.
    ranked = sorted(rows, key=lambda row: (row.status != "iana", row.recommended != "Y"))
    return tuple(row.code for row in ranked if row.code not in SCSV)


def sni_of(host: str, name: str | None) -> bytes | None:
    """The server_name to send: the override ``name``, else the host unless it is an address (RFC 6066 section 3)."""
    if name is None:
        name = "" if transport.is_numeric(host) else host
    return name.rstrip(".").encode("ascii") or None


async def scan_address(
    host: str,
    address: Address,
    options: Options | None = None,
    *,
    observe: Callable[[Probe, Answer], None] | None = None,
    progress: Progress | None = None,
) -> Scan:
    """Enumerate what ``address`` accepts. Never raises for what the server does; cancelling returns what is known.

    ``observe`` sees every probe and its answer (for traces); ``progress`` is updated while the scan runs. Raises
    UsageError for a STARTTLS protocol that is not known and a proxy whose name does not resolve.
    """
    options = Options() if options is None else options
    progress = Progress() if progress is None else progress
    opening = await way(host, address, options.starttls, options.proxy, options.server_name)
    job = _Job(host, address, options, observe, progress, opening)
    return await job.run()


async def way(
    host: str, address: Address, starttls: str, proxy: Proxy | None, server_name: str | None
) -> Opening | None:
    """What comes before TLS at ``address``; None where TLS begins with the first byte. Raises UsageError."""
    if not starttls and proxy is None:
        return None
    from tlswire.probe.opening import opening  # noqa: PLC0415 - most scans begin with TLS

    return await opening(address, starttls=starttls, name=server_name or host, proxy=proxy)


def unresolved(host: str, port: int, reason: str, options: Options | None = None) -> Scan:
    """The result of a target whose name has no address: unreachable, everything unknown, no connection made."""
    options = Options() if options is None else options
    tallies = [Tally(version, candidates(options, version)) for version in options.versions]
    target = _target(host, port, None, None, options)
    return _result(target, options, tallies, dt.datetime.now(dt.UTC), error=reason, reachable=False)


def _target(host: str, port: int, address: str | None, server_name: str | None, options: Options) -> Target:
    proxy = None if options.proxy is None else str(options.proxy)
    return Target(host, port, address, server_name, options.starttls or None, proxy)


def _result(
    target: Target,
    options: Options,
    tallies: Sequence[Tally],
    started: dt.datetime,
    *,
    faults: Mapping[tuple[str, str], int] | None = None,
    interview: Interview | None = None,
    notes: Sequence[str] = (),
    error: str | None = None,
    reachable: bool = True,
    connections: int = 0,
    elapsed: float = 0.0,
) -> Scan:
    versions = [version_result(tally) for tally in tallies]
    broken = faults_result({**(faults or {}), **({} if interview is None else interview.faults())})
    findings = fault_findings(broken) + findings_of(tallies)
    if interview is not None:
        findings = worst_first([*findings, *interview.findings])
        notes = [*notes, *interview.notes]
    known = not any(version.unknown for version in versions) and (interview is None or interview.complete)
    return Scan(
        target=target,
        complete=known and error is None,
        reachable=reachable,
        connections=connections,
        started=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        elapsed_s=round(elapsed, 4),
        method=options.method,
        all_codes=options.all_codes,
        seed=options.seed,
        versions=versions,
        answers=Answers() if interview is None else interview.results(),
        findings=findings,
        faults=broken,
        notes=list(notes),
        error=error,
        tool=Tool("tlswire", __version__),
    )


class _Job:
    def __init__(
        self,
        host: str,
        address: Address,
        options: Options,
        observe: Callable[[Probe, Answer], None] | None,
        progress: Progress,
        way: Opening | None,
    ) -> None:
        self.options = options
        self.progress = progress
        self.server_name = sni_of(host, options.server_name)
        numeric = None if address.family == transport.UNRESOLVED else address.host
        sni = None if self.server_name is None else self.server_name.decode("ascii")
        self.target = _target(host, address.port, numeric, sni, options)
        self.prober = Prober(address, options.limits, observe, opening=way)
        self.maker = ProbeMaker(Shape(server_name=self.server_name), options.seed)
        self.tallies = [Tally(version, candidates(options, version)) for version in options.versions]
        self.enumeration = Enumeration(self.prober, self.maker, self.tallies, self._advance)
        self.interview: Interview | None = None
        self.error: str | None = None
        self.reachable = True
        progress.total = sum(len(tally.candidates) for tally in self.tallies)

    async def run(self) -> Scan:
        loop = asyncio.get_running_loop()
        began, started = loop.time(), dt.datetime.now(dt.UTC)
        task = asyncio.current_task()
        try:
            await self._ask()
        except asyncio.CancelledError:
            # What is known is worth more than a clean end: the caller gets it, marked incomplete.
            if task is not None:
                task.uncancel()
            self.prober.give_up("interrupted")
            self.prober.notes.append("interrupted: what was not asked by then is unknown")
        return _result(
            self.target,
            self.options,
            self.tallies,
            started,
            faults=self.enumeration.faults,
            interview=self.interview,
            notes=self.prober.notes,
            error=self.error,
            reachable=self.reachable,
            connections=self.prober.connections,
            elapsed=loop.time() - began,
        )

    async def _ask(self) -> None:
        verdict = await preflight(self.prober, self.maker, self.options.versions)
        if verdict.problem:
            self._cannot(verdict)
            return
        self.enumeration.first_pick = verdict.picked
        if self.options.method == "each":
            await self.enumeration.each()
        else:
            await self.enumeration.eliminate()
        await self.enumeration.order()
        if self.options.questions:
            await self._question()

    async def _question(self) -> None:
        from tlswire.scan.interview import Interview, chosen  # noqa: PLC0415 - handshakes and their libraries load here
        from tlswire.scan.server import Server  # noqa: PLC0415 - as above

        server = Server(
            self.prober,
            self.maker.shape,
            self.tallies,
            host=self.target.host,
            seed=self.options.seed,
            anchors=self.options.anchors,
            resumptions=self.options.resumptions,
        )
        self.interview = Interview(server, chosen(self.options.questions))
        await self.interview.run()

    def _cannot(self, verdict: Verdict) -> None:
        self.error = verdict.problem
        self.enumeration.faults.update(verdict.faults)
        self.reachable = verdict.reachable
        self.prober.give_up(verdict.problem)

    def _advance(self, settled: int) -> None:
        self.progress.settled += settled
        self.progress.connections = self.prober.connections


async def scan_host_async(host: str, port: int | None = None, options: Options | None = None) -> Scan:
    """Resolve ``host`` and scan its first address; ``port`` None is the usual one of what is scanned. Raises UsageError
    when the name does not resolve.
    """
    options = Options() if options is None else options
    found = await addresses(host, usual_port(options.starttls) if port is None else port, options.proxy)
    return await scan_address(host, found[0], options)


def scan_host(host: str, port: int | None = None, options: Options | None = None) -> Scan:
    """``scan_host_async`` for code without an event loop."""
    return asyncio.run(scan_host_async(host, port, options))


async def scan_many(
    targets: Iterable[tuple[str, Address]],
    options: Options,
    *,
    side_by_side: int = 16,
    observe: Callable[[str, Address], Callable[[Probe, Answer], None] | None] | None = None,
    progress: Callable[[str, Address], Progress] | None = None,
) -> AsyncIterator[Scan]:
    """Scan (host, address) pairs side by side; results come as they are finished.

    Closing the iterator, or cancelling, stops the rest; scans under way are yielded with what they know.
    """
    jobs = (
        scan_address(
            host,
            address,
            options,
            observe=None if observe is None else observe(host, address),
            progress=None if progress is None else progress(host, address),
        )
        for host, address in targets
    )
    async for scan in as_finished(jobs, side_by_side):
        yield scan
