"""``tlswire pcap``: captures in, sessions out, as a summary, as rows, JSON Lines, CSV, an HTML page and files of hellos.

Parses, has ``capture`` read, writes what was asked for, chooses the exit code. ``live`` shares its options and its
machinery. Must not hold logic of the reading or of the formats themselves.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import click
import msgspec

from tlswire import cli
from tlswire.capture.files import find_captures
from tlswire.capture.jobs import Report, read_captures
from tlswire.cli.session_options import outputs, read_keylogs
from tlswire.cli.wanted import Wanted, colour, policy_named, terminal_width
from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.report import csv
from tlswire.report.hellos import HelloFolder, text
from tlswire.report.sessions import Material, Summary, render
from tlswire.report.table import WIDTH
from tlswire.report.tally import fingerprint
from tlswire.results import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.capture.assemble import Found
    from tlswire.policy.sessions import SessionJudge
    from tlswire.policy.what_if import WhatIf
    from tlswire.results.session import Hello, Session

    # What becomes of one session: its line in JSON Lines, in CSV and on the screen, and files of new hellos.
    Rendered = tuple[bytes, bytes, str, tuple[tuple[Hello, str], ...]]

_FAILED = {"refused": ("alert",), "unanswered": ("unanswered", "reset", "closed")}
_BUFFER = 1 << 18
_MAX_DAMAGE = 64
# Small captures are read before a bar is worth drawing.
_PATIENCE = 0.4


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...")
@outputs
@click.option(
    "--jobs", type=click.IntRange(0, 256), default=1, show_default=True, metavar="N", help="Processes; 0 is one a CPU."
)
def command(files: tuple[str, ...], jobs: int, keylogs: tuple[str, ...], **options: Any) -> None:
    """Tell the TLS, DTLS and QUIC sessions of captures.

    Each FILE is a pcap or pcapng file, also compressed, a folder of them, or - for stdin. Exit codes: 0 fine,
    1 sessions asked for by --fail-on, 2 wrong usage or a file that cannot be read (the others are read all the same),
    3 a capture that is damaged or ends early.
    """
    if not files:
        raise UsageError("captures", "none given: name files, folders, or - for stdin")
    if "-" in files and sys.stdin.isatty():
        raise UsageError("stdin", "is a terminal, not a capture")
    wanted = Wanted.of(**options)
    keylog = read_keylogs(keylogs)
    found = list(find_captures(files))
    if not found:
        raise UsageError(", ".join(files), "holds no captures")
    paths = list(dict.fromkeys(str(path) for path, error in found if error is None))
    jobs = jobs or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
    rest_collector()
    with writing(), Run(wanted, paths) as run:
        for _, error in found:
            if error is not None:
                run.refuse(error)
        with run.progress(paths) as progress:
            own = Renderer(wanted)
            work = partial(Renderer, wanted) if jobs > 1 else lambda: own
            flush = "-" in files  # a pipe may go on for hours
            try:
                for item in read_captures(paths, work, jobs=jobs, keylog=keylog, progress=progress):
                    if isinstance(item, Report):
                        run.ended(item)
                    else:
                        run.write(item, flush=flush)
            except KeyboardInterrupt:
                run.interrupted(own)
                raise
        code = run.finish()
    sys.exit(code)


def rest_collector() -> None:
    """Sessions are freed by their reference counts; what the collector looks for is rare here, and looking takes time."""
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """A full disk is one line, a reader that left is the end. What cannot be read is told before it comes to this."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        cli.forget_stdout()
        sys.exit(cli.FINE)
    except OSError as error:
        try:
            sys.stdout.flush()
        except OSError:
            cli.forget_stdout()
        raise UsageError("output", f"cannot be written: {error.strerror or error}") from None


class Renderer:
    """Makes lines of sessions, in the process that found them, and sums them up."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._filter = wanted.filter or None
        self._encode = msgspec.json.Encoder().encode_into
        self._line = bytearray()
        self._silent = wanted.jsonl is None and wanted.csv is None and wanted.rows is None and wanted.export is None
        self._seen: set[str] = set()
        self._summary = wanted.summary()
        self._sums = wanted.sums
        self._sessions = 0
        self._judge: SessionJudge | None = None
        self._what_if: WhatIf | None = None
        if wanted.policy is not None:
            from tlswire.policy.sessions import SessionJudge  # noqa: PLC0415 - as for the policy

            self._judge = SessionJudge(policy_named(wanted.policy, "--policy"))
        if wanted.what_if is not None:
            from tlswire.policy.what_if import WhatIf  # noqa: PLC0415 - as for the policy

            self._what_if = WhatIf(policy_named(wanted.what_if, "--what-if"))
        self.matched = 0  # sessions that passed the filter

    def __call__(self, found: Found) -> Rendered | None:
        """What is to be written of one session; None for nothing."""
        session, wanted = found.session, self._wanted
        self._sessions += 1
        if self._filter is not None and not self._filter(session):
            return None
        self.matched += 1
        if self._judge is not None:
            session = msgspec.structs.replace(session, policy=self._judge(session))
        if self._sums:
            self._summary.add(session)
            if self._what_if is not None:
                prospect = self._what_if(session.hellos[0] if session.hellos else None, session.transport)
                self._summary.prospects.add(session, fingerprint(session), prospect)
        if self._silent:
            return None
        return (
            b"" if wanted.jsonl is None else self._json(session),
            b"" if wanted.csv is None else csv.row(session),
            "" if wanted.rows is None else wanted.rows(session),
            () if wanted.export is None else tuple(self._hellos(found)),
        )

    def close(self) -> tuple[Summary, int]:
        """The sums since the last call, and how many sessions there were before the filter."""
        sums = self._summary, self._sessions
        self._summary, self._sessions = self._wanted.summary(), 0
        return sums

    def _json(self, session: Session) -> bytes:
        # Into the buffer of the sessions before: a new one would be copied again and again as it grows.
        self._encode(session, self._line)
        self._line += b"\n"
        return bytes(self._line)

    def _hellos(self, found: Found) -> Iterator[tuple[Hello, str]]:
        for hello, message in zip(found.session.hellos, found.hellos, strict=False):
            if message and hello.sha256 not in self._seen:
                # The folder has its own bound; one more than that tells it that there are more.
                if len(self._seen) > HelloFolder.limit:
                    return
                self._seen.add(hello.sha256)
                yield hello, text(found.session, hello, message)


class Run:
    """One invocation: where its output goes, and what came of it."""

    def __init__(self, wanted: Wanted, inputs: Iterable[str] = ()) -> None:
        self.wanted = wanted
        self.summary = wanted.summary()
        self.material = Material()
        self._inputs = tuple(inputs)
        self._stack = contextlib.ExitStack()
        self._jsonl: BinaryIO | None = None
        self._csv: BinaryIO | None = None
        self._what_if: BinaryIO | None = None
        self._html: BinaryIO | None = None
        self._folder: HelloFolder | None = None
        self._headed = False

    def __enter__(self) -> Self:
        with self._stack:
            self._jsonl = self._open(self.wanted.jsonl, "--jsonl")
            self._csv = self._open(self.wanted.csv, "--csv")
            self._what_if = self._open(self.wanted.what_if_json, "--what-if-json")
            self._html = self._open(self.wanted.html, "--html")
            if self.wanted.export is not None:
                self._folder = HelloFolder(self.wanted.export)
            if self._csv is not None:
                self._csv.write(csv.header())
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def progress(self, paths: list[str]) -> CaptureProgress:
        """The bar over the bytes of all captures; draws nothing where rows go to the same terminal."""
        rows = self.wanted.rows is not None and sys.stdout.isatty()
        return CaptureProgress(paths, enabled=not self.wanted.quiet and not rows and sys.stderr.isatty())

    def write(self, item: Rendered, *, flush: bool = False) -> None:
        """Write what one session gave."""
        jsonl, row, line, hellos = item
        if self._jsonl is not None:
            self._jsonl.write(jsonl)
            if flush:
                self._jsonl.flush()
        if self._csv is not None:
            self._csv.write(row)
            if flush:
                self._csv.flush()
        if line:
            self._row(line)
        if self._folder is not None:
            for hello, content in hellos:
                self._folder.add(hello, content)

    def refuse(self, error: Exception) -> None:
        """A capture that cannot be read: the others go on."""
        self.material.unreadable += 1
        click.echo(f"tlswire: {printable(str(error))}", err=True)

    def ended(self, report: Report) -> None:
        """The end of one capture."""
        if report.error is not None:
            self.refuse(report.error)
            if not report.sums:
                return
        material = self.material
        material.captures += 1
        material.name = report.name
        material.size += report.size
        material.frames += report.frames
        material.encrypted_only += report.encrypted_only
        material.evicted += report.evicted
        material.ignored += report.ignored
        room = _MAX_DAMAGE - len(material.damage)
        material.damage += report.damage[:room]
        material.untold += len(report.damage[room:])
        for summary, sessions in report.sums:
            self.summary.merge(summary)
            material.sessions += sessions
        if self.wanted.quiet:
            for line in report.damage:
                click.echo(f"tlswire: {printable(line)}", err=True)

    def finish(self) -> int:
        """Print the report and write the page; the exit code."""
        if self._folder is not None:
            self.material.notes += self._folder.notes()
        if not self.wanted.quiet and self.material.captures:
            rows = self.wanted.rows is not None
            report = render(
                self.summary,
                self.material,
                colour=colour(),
                width=max(70, min(terminal_width() or WIDTH, WIDTH)),
                top=self.wanted.top,
                brief=rows,
            )
            click.echo(f"\n{report}" if self._headed else report, nl=False, color=colour())
        if self._what_if is not None:
            self._what_if.write(to_json(self.summary.prospects.result(), indent=2) + b"\n")
        self._page(interrupted=False)
        return exit_code(self.summary, self.material, self.wanted.categories)

    def interrupted(self, work: Renderer) -> None:
        """The page of what is known when the run is cut short, with what ``work`` counted of the last capture."""
        summary, sessions = work.close()
        self.summary.merge(summary)
        self.material.sessions += sessions
        self._page(interrupted=True)

    def _page(self, *, interrupted: bool) -> None:
        if self._html is not None:
            from tlswire.report.html import sessions_page  # noqa: PLC0415 - only pages need it

            self._html.write(sessions_page(self.summary, self.material, interrupted=interrupted))
            self._html.flush()

    def _row(self, line: str) -> None:
        if not self._headed and self.wanted.rows is not None:
            self._headed = True
            click.echo(self.wanted.rows.heading(), color=colour())
        click.echo(line, color=colour())

    def _open(self, name: str | None, where: str) -> BinaryIO | None:
        """The file to write to; fails before anything is read."""
        if name is None:
            return None
        if name == "-":
            return sys.stdout.buffer
        path = Path(name)
        try:
            if path.exists() and any(other != "-" and path.samefile(other) for other in self._inputs):
                raise UsageError(name, "is one of the captures", where)
            return self._stack.enter_context(path.open("wb", buffering=_BUFFER))
        except (OSError, ValueError) as error:
            raise UsageError(name, f"cannot be written: {getattr(error, 'strerror', error)}", where) from None


def exit_code(summary: Summary, material: Material, categories: frozenset[str]) -> int:
    """Something unreadable, something incomplete, a finding asked for, or fine."""
    if material.unreadable:
        return cli.USAGE
    if not material.complete:
        return cli.INCOMPLETE
    failed = any(summary.outcomes[outcome] for name in categories for outcome in _FAILED.get(name, ()))
    failed = failed or ("weak" in categories and bool(summary.weak))
    return cli.FINDINGS if failed or ("policy" in categories and summary.judged.verdicts["fail"]) else cli.FINE


class CaptureProgress:
    """A bar over bytes on stderr, ten times a second, from the first news on: processes are started before threads."""

    def __init__(self, paths: list[str], *, enabled: bool) -> None:
        self._enabled = enabled
        self._positions: dict[str, int] = {}
        self._total = sum(Path(path).stat().st_size for path in paths if path != "-") if enabled else 0
        self._name = ""
        self._thread: Any = None
        self._stop: Any = None

    def __call__(self, name: str, size: int, position: int) -> None:
        """How far a capture was read."""
        if not self._enabled:
            return
        self._name = name
        # Several processes are not equally far in one file.
        self._positions[name] = max(self._positions.get(name, 0), min(position, size) if size else position)
        if self._thread is None:
            import threading  # noqa: PLC0415 - only a terminal shows progress

            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()

    def _draw(self) -> None:
        if self._stop.wait(_PATIENCE):
            return
        from rich.console import Console  # noqa: PLC0415 - as threading
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=10) as bar:
            job = bar.add_task("", total=self._total or None)
            while not self._stop.wait(0.1):
                done = sum(list(self._positions.values()))
                bar.update(job, description=printable(Path(self._name).name), completed=done)
