"""Scans and verdicts as CSV (RFC 4180): a row a suite, a row a rule, under a stable header, fit for a spreadsheet.

Cells are those of ``csv.py``: nothing is a formula, nothing is a control character. Must not import anything of tlswire
but ``report`` and ``results``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.report.csv import cell, line
from tlswire.results.scan import Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlswire.report.csv import Cell
    from tlswire.report.items import Result
    from tlswire.results.scan import Suite, Version
    from tlswire.results.verdict import RuleVerdict, Verdict


class Row(msgspec.Struct, frozen=True):
    """A result and the part of it that the row is about; a result without parts has one row with none."""

    result: Any
    part: Any = None
    version: Version | None = None


_TARGET: dict[str, Callable[[Row], Cell]] = {
    "host": lambda row: row.result.target.host,
    "port": lambda row: row.result.target.port,
    "address": lambda row: row.result.target.address,
    "server_name": lambda row: row.result.target.server_name,
    "starttls": lambda row: row.result.target.starttls,
    "started": lambda row: row.result.started,
    "reachable": lambda row: row.result.reachable,
    "complete": lambda row: row.result.complete,
    "error": lambda row: row.result.error,
}


def _version(value: Callable[[Version], Cell]) -> Callable[[Row], Cell]:
    return lambda row: None if row.version is None else value(row.version)


def _suite(value: Callable[[Suite], Cell]) -> Callable[[Row], Cell]:
    return lambda row: None if row.part is None else value(row.part)


def _rule(value: Callable[[RuleVerdict], Cell]) -> Callable[[Row], Cell]:
    return lambda row: None if row.part is None else value(row.part)


# One row a column: its title and its value. New columns are added at the end.
SCAN: dict[str, Callable[[Row], Cell]] = {
    **_TARGET,
    "version": _version(lambda version: version.version),
    "version_code": _version(lambda version: version.code),
    "version_verdict": _version(lambda version: version.verdict),
    "preference": _version(lambda version: version.preference),
    "code": _suite(lambda suite: suite.code),
    "suite": _suite(lambda suite: suite.name),
    "openssl_name": _suite(lambda suite: suite.openssl_name),
    "key_exchange": _suite(lambda suite: suite.key_exchange),
    "authentication": _suite(lambda suite: suite.authentication),
    "encryption": _suite(lambda suite: suite.encryption),
    "bits": _suite(lambda suite: suite.bits),
    "forward_secrecy": _suite(lambda suite: suite.forward_secrecy),
    "group": _suite(lambda suite: suite.group),
    "grade": _suite(lambda suite: suite.grade),
    "reasons": _suite(lambda suite: suite.reasons),
}
VERDICT: dict[str, Callable[[Row], Cell]] = {
    **_TARGET,
    "policy": lambda row: row.result.policy,
    "edition": lambda row: row.result.edition,
    "endpoint": lambda row: row.result.endpoint.name,
    "role": lambda row: row.result.endpoint.role,
    "environment": lambda row: row.result.endpoint.environment,
    "verdict": lambda row: row.result.verdict,
    "rule": _rule(lambda rule: rule.id),
    "level": _rule(lambda rule: rule.level),
    "rule_verdict": _rule(lambda rule: rule.verdict),
    "title": _rule(lambda rule: rule.title),
    "evidence": _rule(lambda rule: [_evidence(item.subject, item.text, item.node) for item in rule.evidence]),
    "remedy": _rule(lambda rule: rule.remedy),
    "source": _rule(lambda rule: rule.source),
}


def chunks(results: Iterable[Result], *, whole: bool = True) -> Iterator[bytes]:  # noqa: ARG001 - a table has no place for it
    """The file, a piece a result. The first gives the columns: those of another kind have no place there."""
    kind: type | None = None
    for result in results:
        columns = SCAN if isinstance(result, Scan) else VERDICT
        if kind is None:
            kind = type(result)
            yield line(columns)
        if type(result) is not kind:
            continue
        rows = _suites(result) if isinstance(result, Scan) else _rules(result)
        yield b"".join(line(cell(value(row)) for value in columns.values()) for row in rows)


def _suites(scan: Scan) -> Iterator[Row]:
    """A row a suite, and one a version that has none, so that a version refused is told from one not asked."""
    for version in scan.versions:
        for suite in version.suites or (None,):
            yield Row(scan, suite, version)
    if not scan.versions:
        yield Row(scan)


def _rules(verdict: Verdict) -> Iterator[Row]:
    for rule in verdict.rules or (None,):
        yield Row(verdict, rule)


def _evidence(subject: str, text: str, node: str | None) -> str:
    said = f"{subject}: {text}" if subject else text
    return f"{said} ({node})" if node else said
