"""The answer to ``ephemeral`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.ephemeral import DhParameters, Ephemeral, Randoms, Sessions

_WIDTH = 100
TITLE = "Ephemeral keys and randoms"
_STRUCTURE = {
    "safe": "safe prime",
    "subgroup": "prime with a published subgroup",
    "not-safe": "prime, but no safe one",
    "composite": "NO PRIME",
    "unchecked": "not looked at: too long",
}
_IDS = {
    "empty": "none given",
    "fresh": "a fresh one each time",
    "repeated": "the same one more than once",
    "mixed": "not always one",
    "unknown": "unknown",
}
_STRANGER = {
    "echoed": "a stranger's is echoed",
    "fresh": "a stranger's is replaced",
    "empty": "a stranger's is dropped",
    "unknown": "",
}


def lines(answer: Ephemeral, *, verbose: bool) -> Iterator[Line]:
    """A line for parameters, keys, randoms and session ids; with ``verbose`` the numbers."""
    for params in answer.parameters:
        yield from _parameters(params, verbose=verbose)
    if answer.named_groups is not None and verbose:
        yield Line(f"DHE from the client's list of groups (RFC 7919): {'yes' if answer.named_groups else 'no'}")
    reused = [row for row in answer.keys if row.distinct < row.seen]
    for row in reused:
        colour = "weak" if row.exchange == "DHE" else "legacy"
        yield Line(f"{row.exchange} keys of {row.group} come again: {row.distinct} in {row.seen} handshakes", colour)
    if answer.keys and not reused:
        kinds = ", ".join(dict.fromkeys(row.exchange for row in answer.keys))
        yield Line(f"keys fresh in every handshake: {kinds}")
    if verbose:
        for row in answer.keys:
            yield Line(f"  {row.exchange} {row.group}: {row.distinct} different in {row.seen} handshakes")
    if answer.randoms is not None:
        yield _randoms(answer.randoms)
    if answer.sessions is not None:
        yield _sessions(answer.sessions, verbose=verbose)


def _parameters(params: DhParameters, *, verbose: bool) -> Iterator[Line]:
    name = params.name or "not a known one"
    text = f"DH {params.bits} bits: {name}, {_STRUCTURE[params.structure]}{', export' if params.export else ''}"
    colour = "weak" if params.bits < 2048 or params.structure == "composite" else ""
    yield Line(
        text if params.in_range else f"{text}, values out of range", colour or ("" if params.in_range else "fault")
    )
    if verbose:
        generator = params.generator if len(params.generator) <= 16 else f"of {4 * len(params.generator)} bits"
        families = textwrap.wrap(f"{', '.join(params.families)}; generator {generator}", _WIDTH)
        yield from (Line(f"  {part}") for part in families)
        yield Line(f"  asked with {params.suite} in {params.version}; prime {params.prime[:32]}...")


def _randoms(randoms: Randoms) -> Line:
    if randoms.distinct < randoms.seen or randoms.constant:
        return Line(f"server randoms: only {randoms.distinct} different in {randoms.seen} handshakes", "weak")
    text = f"server randoms: all {randoms.seen} different"
    if randoms.clock:
        ahead = randoms.skew_s or 0.0
        exact = abs(ahead) <= 3
        text += ", beginning with the time" + (
            "" if exact else f", {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
        )
    return Line(text)


def _sessions(sessions: Sessions, *, verbose: bool) -> Line:
    text = f"session ids: {_IDS[sessions.ids]}"
    if verbose and sessions.seen:
        lengths = " or ".join(str(length) for length in sessions.lengths)
        text += f" in {sessions.seen} ServerHellos ({lengths} bytes)"
    stranger = _STRANGER[sessions.stranger]
    colour = "fault" if sessions.stranger == "echoed" else "unknown" if sessions.ids == "unknown" else ""
    return Line(f"{text}, {stranger}" if stranger else text, colour)
