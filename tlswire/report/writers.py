"""DOOR: files that scans, verdicts and campaigns can be written to beside JSON, one row a format: the command's option is its name.

A format is a module with ``chunks(results, whole=True)``, which gives the file piece by piece. Must not import anything of tlswire
but ``report`` and ``results``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import msgspec

from tlswire.results.fuzz import FUZZ_SCHEMA
from tlswire.results.fuzz_compare import FUZZ_COMPARE_SCHEMA
from tlswire.results.scan import SCAN_SCHEMA
from tlswire.results.verdict import VERDICT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlswire.report.items import Result
    from tlswire.results.fuzz import Fuzz
    from tlswire.results.fuzz_compare import FuzzCompare


class Writer(msgspec.Struct, frozen=True):
    """A format: its module in this room, what --help says, the schemas of the results that it takes, and whether it shows
    the bytes that prove a line.
    """

    module: str
    help: str
    schemas: tuple[str, ...] = (SCAN_SCHEMA, VERDICT_SCHEMA)
    proofs: bool = False

    def chunks(self, results: Iterable[Result | Fuzz | FuzzCompare], *, whole: bool = True) -> Iterator[bytes]:
        """The file, piece by piece; not ``whole``: the run was cut short. The format's module is loaded now."""
        module = importlib.import_module(f"tlswire.report.{self.module}")
        made: Callable[..., Iterator[bytes]] = module.chunks
        return made(results, whole=whole)


WRITERS: dict[str, Writer] = {
    "html": Writer(
        "html",
        "The report as one HTML page, for people.",
        (SCAN_SCHEMA, VERDICT_SCHEMA, FUZZ_SCHEMA, FUZZ_COMPARE_SCHEMA),
        proofs=True,
    ),
    "junit": Writer("junit", "JUnit XML for CI: a testsuite a target, a testcase a rule or finding."),
    "sarif": Writer("sarif", "SARIF 2.1.0 for code scanning: a result for whatever is not in order."),
    "csv": Writer("sheets", "CSV that no spreadsheet takes for formulas: a row a suite, or a rule."),
    "markdown": Writer("markdown", "Markdown for a ticket or a pull request: what is broken, proof, remedy."),
}
