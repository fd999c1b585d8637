"""A campaign as a person reads it: what deviates first, each with its clause, the field that differs and the bytes.

Everything that may come from outside passes ``printable``. Must not import anything of tlswire but ``escape``,
``report`` and ``results``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.report.fuzz_compare import likeness_lines
from tlswire.report.items import typed
from tlswire.report.text import Paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.fuzz import CaseResult, Finding, Fuzz

_BOLD, _DIM, _RED, _YELLOW, _GREEN = "1", "2", "31", "33", "32"
_COLOURS = {"MUST": _RED, "SHOULD": _YELLOW}
_SHOWN_BYTES = 60


def render(fuzz: Fuzz, *, colour: bool = False, verbose: bool = False) -> str:
    """The whole report, ending in a newline; ``verbose`` has a line for every case."""
    paint = Paint(colour=colour)
    return "".join(f"{line}\n" for line in _lines(fuzz, paint, verbose=verbose))


def _lines(fuzz: Fuzz, paint: Paint, *, verbose: bool) -> Iterator[str]:
    target = fuzz.target
    around = f"  STARTTLS of {target.starttls}" if target.starttls else ""
    around += f"  through {target.proxy}" if target.proxy else ""
    yield paint(printable(typed(target)), _BOLD) + printable(f"  server name {target.server_name or '(none)'}{around}")
    if fuzz.error is not None:
        yield paint(printable(fuzz.error), _RED)
        return
    yield paint(f"judged on: {', '.join(fuzz.features)}", _DIM)
    for finding in fuzz.findings:
        yield ""
        yield from _finding(finding, paint)
    if fuzz.findings:
        yield ""
    if verbose:
        for case in fuzz.cases:
            yield _case(case, paint)
        yield ""
    unknown = [case for case in fuzz.cases if case.verdict == "unknown"]
    for case in unknown[:20]:
        yield paint(f"unknown   {case.id} {case.name}: {printable('; '.join(case.reasons))}", _YELLOW)
    if len(unknown) > 20:
        yield paint(f"unknown   {len(unknown) - 20} more", _YELLOW)
    for note in fuzz.notes:
        yield paint(f"note      {printable(note)}", _DIM)
    yield from _summary(fuzz, paint)
    if fuzz.likeness is not None:
        yield from likeness_lines(fuzz.likeness)


def _finding(finding: Finding, paint: Paint) -> Iterator[str]:
    names = ", ".join(finding.cases[:8]) + (f" and {len(finding.cases) - 8} more" if len(finding.cases) > 8 else "")
    yield paint(f"{finding.level:<12}", _COLOURS.get(finding.level, _DIM)) + paint(printable(finding.text), _BOLD)
    yield f"{'cases':<12}{names}"
    yield f"{'clause':<12}{finding.clause}"
    for line in finding.differences[:6]:
        yield f"{'difference':<12}{printable(line)}"
    if len(finding.differences) > 6:
        yield f"{'':<12}and {len(finding.differences) - 6} more fields"
    if finding.history:
        yield f"{'known':<12}{printable(finding.history)}"
    if finding.evidence is not None:
        yield f"{'evidence':<12}{printable(finding.evidence)}"
    yield paint(f"{'sent':<12}{_bytes(finding.sent)}", _DIM)
    yield paint(f"{'received':<12}{_bytes(finding.received)}", _DIM)


def _bytes(text: str) -> str:
    if not text:
        return "nothing"
    shown = text[: 2 * _SHOWN_BYTES]
    return shown if len(shown) == len(text) else f"{shown}... ({len(text) // 2} bytes)"


def _case(case: CaseResult, paint: Paint) -> str:
    colour = {"conforms": _GREEN, "deviates": _RED, "unknown": _YELLOW}.get(case.verdict, _DIM)
    reaction = case.reaction or "-"
    return (
        f"{paint(f'{case.verdict:<15}', colour)}{case.id:<6}{case.name:<32}{reaction:<18}{printable(case.difference)}"
    )


def _summary(fuzz: Fuzz, paint: Paint) -> Iterator[str]:
    verdicts = Counter[str](case.verdict for case in fuzz.cases)
    reactions = len({case.reaction for case in fuzz.cases if case.reaction})
    counted = ", ".join(
        f"{verdicts[name]} {text}"
        for name, text in (
            ("conforms", "conform"),
            ("deviates", "deviate"),
            ("unknown", "unknown"),
            ("not-applicable", "not applicable"),
        )
        if verdicts[name]
    )
    causes = "1 finding" if len(fuzz.findings) == 1 else f"{len(fuzz.findings)} findings"
    yield paint(f"{len(fuzz.cases)} cases: {counted}; {causes}", _BOLD)
    rate = fuzz.connections / fuzz.elapsed_s if fuzz.elapsed_s else 0
    yield paint(
        f"{fuzz.connections} connections in {fuzz.elapsed_s:.1f} s ({rate:.0f} a second), {reactions} kinds of reaction",
        _DIM,
    )
