"""``tlswire diff``: two files of results in, what changed out. Must not hold logic of the comparison."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlswire import __version__, cli
from tlswire.cli.outputs import writable
from tlswire.errors import UsageError
from tlswire.report import diff as diff_report
from tlswire.report.compare import compare
from tlswire.report.compare.stored import read
from tlswire.results import to_json
from tlswire.results.scan import Tool

if TYPE_CHECKING:
    from tlswire.results import Diff

MAX_BYTES = 1 << 29


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--json", "json_file", metavar="FILE", help="The difference as JSON (tlswire.diff/1); - is stdout.")
@click.option("--markdown", "markdown_file", metavar="FILE", help="The difference as Markdown; - is stdout.")
@click.option("--quiet", is_flag=True, help="No report; files and exit code only.")
def command(old: str, new: str, json_file: str | None, markdown_file: str | None, *, quiet: bool) -> None:
    """Compare two results of `scan` or `check`: JSON or JSON Lines, one of them may be - for stdin.

    Targets are matched by host, port, address and policy. Exit codes: 0 nothing got worse, 1 something did, 2 unreadable
    or not of one kind, 3 nothing got worse as far as can be told: one of the results is incomplete.
    """
    if old == new == "-":
        raise UsageError("-", "stdin holds one file")
    if json_file == markdown_file == "-":
        raise UsageError("-", "stdout holds one file", "--json and --markdown")
    before, after = (read(name, _content(name)) for name in (old, new))
    if type(before[0]) is not type(after[0]):
        reason = f"is {after[0].SCHEMA}, {old} is {before[0].SCHEMA}: only results of one kind can be compared"
        raise UsageError(f"{new}: line 1", reason)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(writable(name)) if name else None for name in (json_file, markdown_file)]
        diff = compare(before, after, names=(old, new), tool=Tool("tlswire", __version__))
        for file, data in zip(
            files, (to_json(diff, indent=2) + b"\n", diff_report.to_markdown(diff).encode()), strict=True
        ):
            if file is not None:
                file.write(data)
                file.flush()
    if not quiet and "-" not in {json_file, markdown_file}:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        click.echo(diff_report.render(diff, colour=colour), nl=False, color=colour)
    sys.exit(exit_code(diff))


def exit_code(diff: Diff) -> int:
    """What the process ends with: something worse, something unknown, or fine."""
    if diff.counts.regression:
        return cli.FINDINGS
    return cli.INCOMPLETE if diff.counts.unknown else cli.FINE


def _content(name: str) -> bytes:
    with contextlib.ExitStack() as stack:
        try:
            file = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
            data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise UsageError(name, f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise UsageError(name, f"is longer than {MAX_BYTES} bytes")
    return data
