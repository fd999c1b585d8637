r"""Sessions as CSV (RFC 4180): one row each under a stable header, fit for a spreadsheet.

Lists are joined by semicolons, a semicolon inside a value is written as ``\x3b``. Values that a spreadsheet would take
for a formula begin with an apostrophe, so do the members of lists: where the list separator is a semicolon, a
spreadsheet may split there. Must not import anything of tlswire but ``results`` and ``report``.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.report.table import ending, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tlswire.results.session import Session

    Cell = str | int | bool | list[str] | None

# Spreadsheets of East Asian locales take the full-width forms as well.
_FORMULA = (
    *("=", "+", "-", "@", "\t", "\r"),
    *("\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}"),
    *("\N{FULLWIDTH HYPHEN-MINUS}", "\N{FULLWIDTH COMMERCIAL AT}"),
)


def _offered(session: Session) -> list[str] | None:
    if not session.hellos:
        return None
    hello = session.hellos[0]
    return hello.versions or [hello.legacy_version]


def _ech(session: Session) -> str | None:
    ech = session.hellos[0].ech if session.hellos else None
    return None if ech is None else f"{ech.protocol} {ech.kind}"


# One row a column: its title and its value. New columns are added at the end.
COLUMNS: dict[str, Callable[[Session], Cell]] = {
    "capture": lambda session: session.capture,
    "first_frame": lambda session: session.first_frame,
    "start": lambda session: moment(session.start),
    "transport": lambda session: session.transport,
    "client_address": lambda session: session.client.address,
    "client_port": lambda session: session.client.port,
    "server_address": lambda session: session.server.address,
    "server_port": lambda session: session.server.port,
    "server_name": lambda session: session.server_name,
    "outcome": lambda session: session.outcome,
    "version": lambda session: session.version_name,
    "version_code": lambda session: session.version,
    "suite": lambda session: session.suite_name,
    "suite_code": lambda session: session.suite,
    "group": lambda session: session.group_name,
    "group_code": lambda session: session.group,
    "alpn": lambda session: session.alpn,
    "weak": lambda session: session.weak,
    "ja3": lambda session: session.hellos[0].ja3 if session.hellos else None,
    "ja4": lambda session: session.hellos[0].ja4 if session.hellos else None,
    "ja3s": lambda session: session.server_hellos[-1].ja3s if session.server_hellos else None,
    "offered_versions": _offered,
    "offered_alpn": lambda session: session.hellos[0].alpn if session.hellos else None,
    "hellos": lambda session: len(session.hellos),
    "resumed": lambda session: session.resumed,
    "early_data": lambda session: session.early_data,
    "retry": lambda session: session.retry,
    "ech": _ech,
    "alerts": lambda session: [f"{alert.sender} {alert.level} {alert.description}" for alert in session.alerts],
    "ended_by": lambda session: ending(session) if session.outcome == "alert" else None,
    "certificate_sha256": lambda session: [item.sha256 for item in session.certificates],
    "certificate_subject": lambda session: session.certificates[0].subject if session.certificates else None,
    "certificate_issuer": lambda session: session.certificates[0].issuer if session.certificates else None,
    "certificate_not_after": lambda session: session.certificates[0].not_after if session.certificates else None,
    "protocol": lambda session: session.protocol,
    "tunnel": lambda session: session.tunnel,
    "quic_version": lambda session: session.quic_version,
    "process": lambda session: session.process.name if session.process else None,
    "pid": lambda session: session.process.pid if session.process else None,
    "notes": lambda session: session.notes,
    "decryption": lambda session: session.decryption,
    "policy": lambda session: session.policy.name if session.policy else None,
    "policy_verdict": lambda session: session.policy.verdict if session.policy else None,
    "policy_broken": lambda session: session.policy.broken if session.policy else None,
    "policy_warnings": lambda session: session.policy.warnings if session.policy else None,
    "policy_unknown": lambda session: session.policy.unknown if session.policy else None,
}


def header() -> bytes:
    """The first line."""
    return line(COLUMNS)


def row(session: Session) -> bytes:
    """The line of one session."""
    return line(cell(value(session)) for value in COLUMNS.values())


def cell(value: Cell) -> str:
    """One value as text that no spreadsheet runs and no terminal obeys."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return ";".join(map(_text, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _text(value: str) -> str:
    # Whatever a spreadsheet trims before it looks for a formula must not hide one.
    guard = "'" if value.lstrip(" \n\v\f\xa0").startswith(_FORMULA) else ""
    return guard + printable(value).replace(";", "\\x3b")


def line(cells: Iterable[str]) -> bytes:
    """One line of cells that ``cell`` made, with its end."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")
