"""What is to be written of which sessions, as the command line says it; and the policies it names.

Must not import anything of tlswire but ``errors``, ``capture.filters``, ``report``, ``policy`` (late) and ``cli``.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from tlswire.capture.filters import SessionFilter, session_filter
from tlswire.cli.session_options import CATEGORIES
from tlswire.errors import UsageError
from tlswire.report.sessions import Rows, Summary

if TYPE_CHECKING:
    from tlswire.policy.model import Policy


class Wanted(msgspec.Struct, frozen=True):
    """What is to be written of which sessions; goes to other processes."""

    filter: SessionFilter
    jsonl: str | None
    csv: str | None
    html: str | None
    rows: Rows | None
    export: Path | None
    categories: frozenset[str]
    top: int
    quiet: bool
    policy: str | None = None
    what_if: str | None = None
    what_if_json: str | None = None

    @classmethod
    def of(
        cls,
        *,
        rows: bool,
        jsonl_file: str | None,
        csv_file: str | None,
        html_file: str | None,
        export_hellos: Path | None,
        names: tuple[str, ...],
        hosts: tuple[str, ...],
        ports: tuple[str, ...],
        versions: str | None,
        weak: bool,
        fail_on: str,
        top: int,
        quiet: bool,
        policy: str | None,
        what_if: str | None,
        what_if_file: str | None,
    ) -> Self:
        """From the options of the command line. Raises UsageError."""
        files = {"--jsonl": jsonl_file, "--csv": csv_file, "--html": html_file, "--what-if-json": what_if_file}
        _apart(files)
        quiet = quiet or "-" in files.values()
        categories = parse_categories(fail_on)
        if "policy" in categories and policy is None:
            raise UsageError("policy", "needs --policy", "--fail-on")
        if what_if_file is not None and what_if is None:
            raise UsageError(what_if_file, "needs --what-if", "--what-if-json")
        for option, name in (("--policy", policy), ("--what-if", what_if)):
            if name is not None:
                policy_named(name, option)
        # A pipe gets rows as wide as they are; a terminal's must not wrap.
        return cls(
            filter=session_filter(names=names, hosts=hosts, ports=ports, versions=versions, weak=weak),
            jsonl=jsonl_file,
            csv=csv_file,
            html=html_file,
            rows=Rows(terminal_width(), colour=colour(), policy=policy is not None) if rows and not quiet else None,
            export=export_hellos,
            categories=categories,
            top=top,
            quiet=quiet,
            policy=policy,
            what_if=what_if,
            what_if_json=what_if_file,
        )

    @property
    def sums(self) -> bool:
        """Whether anything that was asked for is told of all sessions together: a report, a page, or an exit code."""
        return not self.quiet or bool(self.categories) or self.html is not None or self.what_if_json is not None

    def summary(self) -> Summary:
        """Sums of nothing yet, which keep sessions where a page has a table of them."""
        summary = Summary(self._rows())
        if self.what_if is not None:
            policy = policy_named(self.what_if, "--what-if")
            summary.prospects.policy = policy.name, policy.title, policy.edition
        return summary

    def _rows(self) -> int:
        if self.html is None:
            return 0
        from tlswire.report.html import MAX_SESSIONS  # noqa: PLC0415 - only pages need it

        return MAX_SESSIONS


def _apart(files: dict[str, str | None]) -> None:
    """Check that no two outputs go to the same place. Raises UsageError."""
    taken: dict[Path, tuple[str, str]] = {}
    for option, name in files.items():
        if name is None:
            continue
        first = taken.setdefault(Path(name).absolute(), (option, name))
        if first[0] != option:
            where = "stdout" if name == "-" else "this file"
            raise UsageError(name, f"{where} is taken by {first[0]} {first[1]}", option)


@cache
def policy_named(name: str, option: str) -> Policy:
    """A policy for sessions, read once. Raises UsageError."""
    from tlswire.policy.sessions import asked_of_sessions  # noqa: PLC0415 - most captures are read without one
    from tlswire.policy.shipped import policy_of  # noqa: PLC0415 - as above

    try:
        policy = policy_of(name)
        asked_of_sessions(policy)
    except UsageError as error:
        raise UsageError(error.what, error.reason, error.where or option) from None
    return policy


def parse_categories(text: str) -> frozenset[str]:
    """The kinds of sessions of ``--fail-on``. Raises UsageError."""
    words = frozenset(word.strip() for word in text.split(",") if word.strip())
    if text and not words:
        raise UsageError(repr(text), "names nothing", "--fail-on")
    for word in sorted(words.difference(CATEGORIES)):
        raise UsageError(repr(word), f"is none of {', '.join(CATEGORIES)}", "--fail-on")
    return words


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is; None where it is none."""
    if not sys.stdout.isatty():
        return None
    import shutil  # noqa: PLC0415 - only a terminal needs it, and it loads bz2 and lzma

    return shutil.get_terminal_size().columns


def colour() -> bool:
    """Whether stdout takes colours and nobody objects."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
