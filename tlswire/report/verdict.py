"""A verdict as a person reads it: yes or no first, then broken rules with proof and remedy, then what the client got.

Plain text of at most about 110 columns; colour only when asked for. Everything that may come from outside passes
``printable``. Must not import ``check``, ``policy`` or ``cli``.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tlswire.escape import printable
from tlswire.report import fixes, matrix
from tlswire.report.text import Paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.proof import Proof
    from tlswire.results.verdict import Handshake, RuleVerdict, Verdict

_RED, _YELLOW, _GREEN, _BOLD, _DIM = "31", "33", "32", "1", "2"
COLOURS = {"fail": _RED, "unknown": _YELLOW, "warn": _YELLOW, "pass": _GREEN, "exempt": _DIM, "not-applicable": _DIM}
ORDER = ("fail", "unknown", "warn", "pass", "not-applicable")
HEADS = {
    "fail": "Broken",
    "unknown": "Not known",
    "warn": "Warnings",
    "pass": "Kept",
    "not-applicable": "Not applicable",
}
WIDTH = 110
# So many digits of hexadecimal stand in a line.
HEX = 96


def render(verdict: Verdict, *, colour: bool = False, verbose: bool = False) -> str:
    """The whole report, ending in a newline; ``verbose`` tells rules that are kept, with evidence and sources."""
    return "\n".join(_lines(verdict, Paint(colour=colour), verbose=verbose)) + "\n"


def _lines(verdict: Verdict, paint: Paint, *, verbose: bool) -> Iterator[str]:
    yield f"{paint(verdict.verdict.upper(), COLOURS[verdict.verdict])}  {paint(_headline(verdict), _BOLD)}"
    yield from _filled(f"{verdict.title} ({verdict.edition})", "  ")
    if verdict.error is not None:
        yield f"  {paint(printable(verdict.error), _RED)}"
    for kind in ORDER:
        rules = [rule for rule in verdict.rules if rule.verdict == kind]
        if rules:
            yield from _rules(kind, rules, paint, verbose=verbose)
    yield from _fixes(verdict, paint)
    if verdict.handshakes:
        yield ""
        yield paint("Handshakes", _BOLD)
        yield from _handshakes(verdict)
    if verdict.matrix:
        yield ""
        yield paint("Clients", _BOLD)
        yield from matrix.rows(verdict.matrix, paint)
    yield from _addresses(verdict, paint)
    for hop in verdict.http if verbose else ():
        yield f"  GET {hop.url}: {hop.problem or hop.status}{f', to {hop.location}' if hop.location else ''}"
    yield from _bytes(verdict, paint)
    if verdict.notes:
        yield ""
        yield paint("What happened on the way", _BOLD)
        for note in verdict.notes:
            yield f"  {printable(note)}"
    yield ""
    yield _footer(verdict)


def _addresses(verdict: Verdict, paint: Paint) -> Iterator[str]:
    different = [node for node in verdict.nodes if node.differs or not node.reachable]
    if different:
        yield ""
        yield paint("Addresses", _BOLD)
        for node in different:
            yield f"  {node.address}: {printable('; '.join(node.differs) or node.error or 'not reached')}"


def _headline(verdict: Verdict) -> str:
    target = verdict.target
    line = named(verdict)
    if target.address is not None and target.address != target.host:
        line += f"  address {target.address}"
    elif len(verdict.nodes) > 1:
        line += f"  {len(verdict.nodes)} addresses"
    if target.starttls:
        line += f"  STARTTLS of {target.starttls}"
    if target.proxy:
        line += f"  through {target.proxy}"
    return printable(line) + f"  {verdict.policy}"


def named(verdict: Verdict) -> str:
    """The target as one names it."""
    host = f"[{verdict.target.host}]" if ":" in verdict.target.host else verdict.target.host
    return f"{host}:{verdict.target.port}"


def _rules(kind: str, rules: list[RuleVerdict], paint: Paint, *, verbose: bool) -> Iterator[str]:
    quiet = kind in {"pass", "not-applicable"} and not verbose
    yield ""
    if quiet:
        yield paint(HEADS[kind], _BOLD) + f"  {len(rules)} rules"
        yield from _filled(", ".join(rule.id for rule in rules), "  ")
        return
    yield paint(HEADS[kind], _BOLD)
    width = max(len(rule.id) for rule in rules)
    for rule in rules:
        yield f"  {paint(f'{rule.id:<{width}}', COLOURS[kind])}  {printable(rule.title)}"
        yield from _evidence(rule, width)
        if rule.remedy:
            yield from _wrapped(f"remedy: {rule.remedy}", width)
        if verbose:
            sure = f" [{rule.verified}]" if rule.verified else ""
            yield from (paint(line, _DIM) for line in _wrapped(f"source: {rule.source}{sure}", width))


def _evidence(rule: RuleVerdict, width: int) -> Iterator[str]:
    for text in seen(rule):
        yield from _wrapped(text, width)


def seen(rule: RuleVerdict) -> Iterator[str]:
    """What was seen, thing by thing; the same at several addresses is told once."""
    same: dict[str, list[str]] = {}
    for item in rule.evidence:
        nodes = same.setdefault(f"{item.subject}: {item.text}" if item.subject else item.text, [])
        if item.node is not None:
            nodes.append(item.node)
    many = len({node for nodes in same.values() for node in nodes}) > 1
    for text, nodes in same.items():
        yield f"{text} ({', '.join(dict.fromkeys(nodes))})" if many and nodes else text


def _bytes(verdict: Verdict, paint: Paint) -> Iterator[str]:
    """What proves the lines, where it was asked for: the same bytes once, with the rules they are for."""
    proofs: dict[Proof, list[str]] = {}
    for rule in verdict.rules:
        for item in rule.evidence:
            if item.proof is not None:
                proofs.setdefault(item.proof, []).append(rule.id)
    if proofs:
        yield ""
        yield paint("Bytes, as tlswire decode reads them", _BOLD)
    for proof, rules in proofs.items():
        yield from _filled(", ".join(dict.fromkeys(rules)), "  ")
        for side, data in (("sent", proof.sent), ("received", proof.received)):
            yield f"    {side}, {len(data) // 2} bytes"
            yield from (f"      {data[at : at + HEX]}" for at in range(0, len(data), HEX))


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * (width + 4)
    return _filled(text, indent, f"{indent}  ") or [indent]


def _fixes(verdict: Verdict, paint: Paint) -> Iterator[str]:
    for fix in verdict.fixes:
        yield ""
        yield from fixes.lines(fix, paint, f"tlswire check {named(verdict)}")


def _filled(text: str, first: str, then: str = "") -> list[str]:
    """A text in lines that fit; names with hyphens stay whole."""
    return textwrap.wrap(
        printable(text), WIDTH, initial_indent=first, subsequent_indent=then or first, break_on_hyphens=False
    )


def _handshakes(verdict: Verdict) -> Iterator[str]:
    several = len(verdict.nodes) > 1
    width = max(len(shown.title) for shown in verdict.handshakes)
    for shown in verdict.handshakes:
        where = f"{shown.node}  " if several else ""
        yield from _filled(f"{where}{shown.title:<{width}}  {_got(shown)}", "  ", " " * (width + 6))


def _got(shown: Handshake) -> str:
    if shown.version is None:
        return shown.ending
    parts = [shown.version, shown.suite or "", shown.group or "", shown.signature_scheme or ""]
    if shown.version != "TLS 1.3":
        parts.append("extended master secret" if shown.extended_master_secret else "no extended master secret")
    if not shown.finished:
        parts.append(f"then {shown.ending}")
    return "  ".join(part for part in parts if part)


def _footer(verdict: Verdict) -> str:
    """What it took; and how to get what there is to paste, if that was not asked for."""
    connections = "1 connection" if verdict.connections == 1 else f"{verdict.connections} connections"
    told = f"{connections} in {verdict.elapsed_s:.2f} s"
    broken = [rule.fix for rule in verdict.rules if rule.fix is not None and rule.verdict in {"fail", "warn"}]
    asked = verdict.fixes or not broken
    return told if asked else f"{told}; --fix PRODUCT tells what to paste (nginx, iis ...; all: tlswire remedy)"
