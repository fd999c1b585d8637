"""The scan as a person reads it: verdict per version, problems first, then suites in the server's order.

Plain text of at most about 110 columns; colour only when asked for. Everything that may come from outside passes
``printable``. Must not import ``scan``, ``probe`` or ``cli``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.report import answers
from tlswire.report.findings import merged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.scan import Finding, Scan, Suite, Version

_RED, _YELLOW, _GREEN, _BOLD, _DIM = "31", "33", "32", "1", "2"
_COLOURS = {
    "weak": _RED,
    "fault": _RED,
    "misplaced": _RED,
    "unknown": _YELLOW,
    "legacy": _YELLOW,
    "no-forward-secrecy": _YELLOW,
    "strong": _GREEN,
}
OLD = {"SSLv2": "broken, RFC 6176", "SSLv3": "broken, RFC 7568", "TLS 1.0": "deprecated, RFC 8996"}
OLD["TLS 1.1"] = OLD["TLS 1.0"]
_RANK = {"weak": 0, "legacy": 1, "unrated": 2, "strong": 3}


class Paint:
    """Puts text in colour, or leaves it alone."""

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, code: str | None) -> str:
        """``text`` in the colour of an SGR parameter."""
        return f"\033[{code}m{text}\033[0m" if self.colour and code else text


def render(scan: Scan, *, colour: bool = False, verbose: bool = False) -> str:
    """The whole report, ending in a newline; ``verbose`` tells every detail of the questions' answers."""
    return "\n".join(_lines(scan, Paint(colour=colour), verbose=verbose)) + "\n"


def _lines(scan: Scan, paint: Paint, *, verbose: bool) -> Iterator[str]:
    yield paint(_headline(scan), _BOLD)
    if scan.error is not None:
        yield f"  {paint(printable(scan.error), _RED)}"
        if not scan.reachable:
            yield from _footer(scan, paint)
            return
    yield ""
    for version in scan.versions:
        yield _version_line(version, paint)
    if scan.findings:
        yield ""
        yield paint("Problems", _BOLD)
        yield from _findings(scan.findings, paint, verbose=verbose)
    shown: dict[tuple[str, ...], str] = {}
    for version in reversed(scan.versions):
        if version.suites:
            yield ""
            yield from _suites(version, shown, paint)
    yield from _answers(scan, paint, verbose=verbose)
    if scan.notes:
        yield ""
        yield paint("What happened on the way", _BOLD)
        for note in scan.notes:
            yield f"  {printable(note)}"
    yield from _footer(scan, paint)


def _headline(scan: Scan) -> str:
    target = scan.target
    host = f"[{target.host}]" if ":" in target.host else target.host
    line = f"{host}:{target.port}"
    if target.address is not None and target.address != target.host:
        line += f"  address {target.address}"
    line += f"  server name {target.server_name}" if target.server_name else "  no server name"
    if target.starttls:
        line += f"  STARTTLS of {target.starttls}"
    return printable(line + (f"  through {target.proxy}" if target.proxy else ""))


def _version_line(version: Version, paint: Paint) -> str:
    name = f"  {version.version:<8}"
    if version.verdict == "accepted":
        worst = min((suite.grade for suite in version.suites), key=lambda grade: _RANK[grade])
        old = OLD.get(version.version)
        counts = grades(version.suites)
        line = paint("accepted", _RED if old else _COLOURS.get(worst)) + f"  {_count(len(version.suites))}: {counts}"
        if old:
            line += f"; {paint(old, _RED)}"
    elif version.verdict == "rejected":
        line = paint("rejected", _DIM) + f"  {refusals(version)}"
    else:
        line = paint("unknown ", _YELLOW)
    if version.unknown:
        line += f"  {paint(f'{len(version.unknown)} of {version.candidates} unknown', _YELLOW)}"
    return name + line


def refusals(version: Version) -> str:
    """How a rejected version was refused."""
    if not version.tried:
        return "nothing asked"
    ways = ", ".join(f"{refusal.answer.removeprefix('alert:')} {refusal.count}" for refusal in version.refusals[:3])
    return f"all {version.tried} tried: {printable(ways)}"


def grades(suites: list[Suite]) -> str:
    """How many suites there are of each grade, the worst first."""
    counts = {grade: sum(suite.grade == grade for suite in suites) for grade in _RANK}
    return ", ".join(f"{count} {grade}" for grade, count in counts.items() if count)


def _findings(findings: list[Finding], paint: Paint, *, verbose: bool) -> Iterator[str]:
    """A line a problem; ``verbose`` adds the remedy."""
    for problem in merged(findings):
        where = f" ({', '.join(problem.versions)})" if problem.versions else ""
        label = paint(f"{problem.category:<18}", _COLOURS.get(problem.category))
        yield f"  {label}  {printable(problem.text)}{where}  {paint(f'({problem.source})', _DIM)}"
        if verbose and problem.remedy:
            yield f"  {'':<18}  remedy: {printable(problem.remedy)}"


def _suites(version: Version, shown: dict[tuple[str, ...], str], paint: Paint) -> Iterator[str]:
    order = {"server": "in the server's order", "client": "the client's order decides"}.get(
        version.preference, "order unknown"
    )
    if len(version.suites) == 1:
        order = "the only one"
    yield f"{paint(version.version, _BOLD)}  {order}"
    codes = tuple(suite.code for suite in version.suites)
    if codes in shown and len(codes) > 1:
        yield f"  the same {_count(len(codes))} as {shown[codes]}"
        return
    shown[codes] = version.version
    width = max(len(suite.name) for suite in version.suites)
    wide = max(12, *(len(exchange(suite)) for suite in version.suites))
    code = len(version.suites[0].code)
    yield paint(f"  {'code':<{code}}  {'suite':<{width}}  bits  {'key exchange':<{wide}}  FS   rating", _DIM)
    for suite in version.suites:
        secrecy = "yes" if suite.forward_secrecy else "no"
        yield (
            f"  {suite.code}  {suite.name:<{width}}  {suite.bits:>4}  {exchange(suite):<{wide}}  {secrecy:<3}"
            f"  {paint(rating(suite), _COLOURS.get(suite.grade))}"
        )


def _answers(scan: Scan, paint: Paint, *, verbose: bool) -> Iterator[str]:
    for name in scan.answers.__struct_fields__:
        answer = getattr(scan.answers, name)
        if answer is not None:
            yield ""
            yield paint(answers.title(name), _BOLD)
            for line in answers.lines(name, answer, verbose=verbose):
                yield f"  {paint(printable(line.text), _COLOURS.get(line.category))}"


def exchange(suite: Suite) -> str:
    """Key exchange and authentication, or the group, which says as much."""
    if suite.group:
        return suite.group
    if suite.authentication in {suite.key_exchange, "any", ""}:
        return suite.key_exchange
    return f"{suite.key_exchange} {suite.authentication}"


def rating(suite: Suite) -> str:
    """The grade and what speaks against the suite."""
    # Forward secrecy has a column of its own.
    reasons = [reason for reason in suite.reasons if reason != "no forward secrecy"] or suite.reasons
    return f"{suite.grade}: {', '.join(reasons)}" if reasons else suite.grade


def _footer(scan: Scan, paint: Paint) -> Iterator[str]:
    yield ""
    state = paint("complete", _GREEN) if scan.complete else paint("INCOMPLETE", _YELLOW)
    unknown = sum(len(version.unknown) for version in scan.versions)
    if unknown and scan.reachable:
        state += f", {unknown} pairs of version and suite stayed without a reliable answer"
    connections = "1 connection" if scan.connections == 1 else f"{scan.connections} connections"
    yield f"{state}; {connections} in {scan.elapsed_s:.2f} s, method {scan.method}"


def _count(number: int) -> str:
    return "1 suite" if number == 1 else f"{number} suites"
