"""``tlswire applelog``: logs of Apple devices in, the servers they complain of out. Parses, reads, writes, exits.

Must not hold logic of styles, lines or reports.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlswire import __version__, cli
from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.policy.applewords import MARKS, PREDICATE, SILENCE

if TYPE_CHECKING:
    from tlswire.policy.applelog import Collector
    from tlswire.results.applelog import AppleLog, Log

_HELP = f"""Find the servers that Apple devices complain of in the output of log show.

Each FILE is what log show wrote, in any style (default, compact, syslog, json, ndjson), also as gzip; - is stdin. Of a
device it comes out of a sysdiagnose, of a Mac out of log collect. On a Mac:

\b
  log show --archive system_logs.logarchive --info --debug --style ndjson \\
    --predicate '{PREDICATE.replace(" OR ", f" OR{chr(10)}      ")}' \\
    > device.ndjson

The predicate is derived from what the devices' library can say; Apple's own could not be read. Without one all is found,
too, and more of it is explained.

{SILENCE} SCEP servers and content caches are exempt from the rules.

Exit codes: 0 nothing found, 1 a violation or a failed TLS connection was found, 2 wrong usage or a file that is no log
(the others are read all the same), 3 nothing found, but a log is damaged. With --check those of tlswire check, which
tells how the servers are now.
"""


@click.command(help=_HELP)
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("-v", "--verbose", is_flag=True, help="Where each finding stands, and how its line is known.")
@click.option("--json", "json_file", metavar="FILE", help="The findings as JSON (tlswire.applelog/1); - is stdout.")
@click.option("--check", is_flag=True, help="Then check the servers that were found, as tlswire check does.")
@click.option("--port", type=click.IntRange(1, 65535), default=443, show_default=True, help="Of --check.")
@click.option("--anchor", "anchors", multiple=True, metavar="FILE", help="Of --check: CAs devices get (repeatable).")
@click.option("--resolve", "places", multiple=True, metavar="HOST:PORT:ADDRESS", help="Of --check (repeatable).")
def command(
    files: tuple[str, ...],
    *,
    verbose: bool,
    json_file: str | None,
    check: bool,
    port: int,
    anchors: tuple[str, ...],
    places: tuple[str, ...],
) -> None:
    """Read the logs, write the report, choose the exit code."""
    from tlswire.policy.applelog import Collector, servers  # noqa: PLC0415 - --help needs no policy
    from tlswire.report.applelog import render  # noqa: PLC0415 - as above
    from tlswire.results import to_json  # noqa: PLC0415 - as above
    from tlswire.results.scan import Tool  # noqa: PLC0415 - as above

    if not files:
        raise UsageError("logs", "none given: name files, or - for stdin")
    if "-" in files and sys.stdin.isatty():
        raise UsageError("stdin", "is a terminal, not a log")
    collector = Collector()
    logs: list[Log] = []
    unreadable: list[str] = []
    for name in dict.fromkeys(files):
        try:
            logs.append(read_log(name, collector))
        except UsageError as error:
            unreadable.append(str(error))
    for line in unreadable:
        click.echo(f"tlswire: {printable(line)}", err=True)
    damaged = any(log.problems for log in logs)
    result = collector.result(logs, Tool("tlswire", __version__), complete=not damaged and not unreadable)
    if logs:
        if json_file is not None:
            _write(json_file, to_json(result, indent=2) + b"\n", files)
        if json_file != "-":
            colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
            click.echo(render(result, colour=colour, verbose=verbose), nl=False, color=colour)
    hosts = servers(result) if check and not unreadable else []
    if hosts:
        _check(hosts, port, anchors, places)
    sys.exit(cli.USAGE if unreadable else exit_code(result))


def _check(hosts: list[str], port: int, anchors: tuple[str, ...], places: tuple[str, ...]) -> None:
    """Have ``tlswire check`` do it, which ends the process."""
    from tlswire.cli.check import command as check  # noqa: PLC0415 - only with --check

    named = [f"[{host}]" if ":" in host else host for host in hosts]
    options = [f"--port={port}", *(f"--anchor={name}" for name in anchors), *(f"--resolve={place}" for place in places)]
    click.echo()
    check.main([*named, *options], prog_name="tlswire check", standalone_mode=False)


def read_log(name: str, collector: Collector) -> Log:
    """Read one log into the collector. Raises UsageError for what cannot be read or is no log."""
    from tlswire.capture.compressed import open_source  # noqa: PLC0415 - --help reads nothing
    from tlswire.policy.logstyles import LOGARCHIVE, LogReader  # noqa: PLC0415 - as above
    from tlswire.results.applelog import Log  # noqa: PLC0415 - as above

    if name != "-" and Path(name).is_dir():
        raise UsageError(name, LOGARCHIVE)
    shown, _, source = open_source(name)
    reader = LogReader(shown, MARKS)
    collector.begin(shown)
    try:
        while data := source.read():
            for entry in reader.feed(data):
                collector.add(entry)
        for entry in reader.finish():
            collector.add(entry)
        collector.end()
    finally:
        source.close()
    if source.damage:
        reader.problem(reader.lines, source.damage)
    return Log(shown, reader.style, reader.lines, reader.problems, reader.untold)


def exit_code(result: AppleLog) -> int:
    """What the process ends with where every file was a log."""
    if result.servers:
        return cli.FINDINGS
    return cli.FINE if result.complete else cli.INCOMPLETE


def _write(name: str, data: bytes, inputs: tuple[str, ...]) -> None:
    if name == "-":
        sys.stdout.buffer.write(data)
        return
    path = Path(name)
    try:
        if path.exists() and any(other != "-" and path.samefile(other) for other in inputs):
            raise UsageError(name, "is one of the logs", "--json")
        path.write_bytes(data)
    except (OSError, ValueError) as error:
        raise UsageError(name, f"cannot be written: {getattr(error, 'strerror', error)}", "--json") from None
