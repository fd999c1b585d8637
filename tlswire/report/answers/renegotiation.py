"""The answer to ``renegotiation`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.renegotiation import Attempt, Renegotiation

TITLE = "Renegotiation"
_SIGNAL = {
    "answered": "supported (RFC 5746)",
    "absent": "not supported (RFC 5746)",
    "wrong": "answered wrongly (RFC 5746)",
    "unknown": "unknown",
}
_OUTCOME = {
    "renegotiated": "accepted",
    "warning": "refused by a warning",
    "alert": "refused by a fatal alert",
    "close": "refused by closing",
    "silence": "not answered",
    "refused": "refused, as is the first handshake of such a client",
    "fault": "answered against the protocol",
    "unknown": "unknown",
}


def lines(answer: Renegotiation, *, verbose: bool) -> Iterator[Line]:
    """Whether it is secure, and what becomes of a client that begins one."""
    if not answer.version:
        return
    signal = answer.extension or answer.scsv or "unknown"
    bad = {"absent": "legacy", "wrong": "fault", "unknown": "unknown"}
    yield Line(f"{answer.version}  secure renegotiation {_SIGNAL[signal]}", bad.get(signal, ""))
    if answer.secure is not None:
        yield _line("begun by a client with renegotiation_info", answer.secure, "legacy")
    if answer.insecure is not None:
        yield _line("begun by a client without it", answer.insecure, "weak")
    if verbose:
        yield Line(f"  renegotiation_info in the hello: {answer.extension or 'not asked'}")
        yield Line(f"  the signalling suite in its place: {answer.scsv or 'not asked'}")


def _line(who: str, attempt: Attempt, category: str) -> Line:
    times = f" {attempt.completed} times on one connection" if attempt.completed > 1 else ""
    text = f"  {who}: {_OUTCOME[attempt.outcome]}{times}"
    detail = "" if attempt.outcome in {"renegotiated", "silence"} else attempt.answer
    if attempt.completed and attempt.outcome != "renegotiated":
        text += f", after {attempt.completed} that succeeded"
    colours = {"unknown": "unknown", "fault": "fault", "renegotiated": category}
    colour = category if attempt.completed else colours.get(attempt.outcome, "")
    return Line(f"{text} ({detail})" if detail else text, colour)
