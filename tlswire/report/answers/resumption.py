"""The answer to ``resumption`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.resumption import EarlyData, Outcome, Resumption, Way

TITLE = "Resumption"
_OUTCOMES: dict[Outcome, str] = {
    "resumed": "resumed",
    "full": "a new session instead",
    "refused": "refused",
    "unknown": "unknown",
}


def lines(answer: Resumption, *, verbose: bool) -> Iterator[Line]:
    """A line a way; with ``verbose`` what its tickets are like, and what came of changes in between."""
    for way in answer.ways:
        yield Line(f"{way.version}  by {way.way}: {_works(way)}", "unknown" if way.unknown else "")
        if verbose:
            yield from (Line(f"  {text}") for text in _details(way))
    early = answer.early_data
    if early is not None:
        yield Line(f"TLS 1.3  0-RTT: {_early(early)}")
    if not verbose:
        return
    if answer.psk_alone is not None:
        yield Line(f"TLS 1.3  without a new key exchange (psk_ke): {_OUTCOMES[answer.psk_alone]}")
    for change in answer.master_secret:
        yield Line(f"{change.version}  extended_master_secret {change.change}: {_OUTCOMES[change.outcome]}")
    for crossing in answer.crossings:
        yield Line(f"{crossing.offered_in}  with a session of {crossing.of}: {_OUTCOMES[crossing.outcome]}")


def _works(way: Way) -> str:
    if not way.offered:
        return "not offered"
    text = f"{way.resumed} of {way.tried} resumed"
    if way.lifetime is not None:
        text += f", {way.tickets} {'ticket' if way.tickets == 1 else 'tickets'}, {_lifetime(way)}"
    return text


def _lifetime(way: Way) -> str:
    if not way.lifetime:
        return "no lifetime" if way.way == "psk" else "lifetime not told"
    hours, rest = divmod(way.lifetime, 3600)
    return f"lifetime {hours} h" if hours and not rest else f"lifetime {way.lifetime} s"


def _details(way: Way) -> Iterator[str]:
    if way.reusable is not None:
        yield "the same one works again" if way.reusable else "works once"
    if way.length is not None:
        name = f", all begin with {way.key_name}" if way.key_name else ""
        yield f"tickets of {way.length} bytes{name}"
    if way.other_name is not None:
        yield f"under another name, which has another certificate: {_OUTCOMES[way.other_name]}"


def _early(early: EarlyData) -> str:
    taken = {True: "taken", False: "not taken", None: "not known whether it is taken"}[early.accepted]
    replayed = {True: ", taken again when replayed", False: ", not when replayed", None: ""}[early.replayed]
    answer = f" (answer: {early.answer})" if early.answer else ""
    return f"up to {early.limit} bytes, {taken}{replayed}{answer}"
