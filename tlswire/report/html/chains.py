"""The chains of a scan as the page shows them: boxes from the server to the anchor, their validity, what is wrong.

Must not import anything of tlswire but ``results`` and ``report``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.report.answers.certificates import occasions, staple
from tlswire.report.html.pictures import Timeline, validity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.report.html.evidence import Evidence, Room
    from tlswire.results.answers.certificates import PresentedChain
    from tlswire.results.certificates import CertificateDetails, PathVerdict, Problem

MAX_NAMES = 100
_BAD = {"fault", "weak"}


class Box(msgspec.Struct, frozen=True):
    """A certificate of the path: ``where`` says whether it was sent, and whose ``anchor`` it is."""

    subject: str
    key: str
    until: str
    where: str
    anchor: bool
    bad: bool


class Fact(msgspec.Struct, frozen=True):
    """A row of a certificate's details."""

    name: str
    value: str


class Certificate(msgspec.Struct, frozen=True):
    """The details of one certificate that was sent."""

    subject: str
    facts: tuple[Fact, ...]
    problems: tuple[Problem, ...]


class Chain(msgspec.Struct, frozen=True):
    """One chain. ``verdict`` and ``name`` say whether it is trusted, and for this host, ``kind`` gives the colour."""

    title: str
    occasions: str
    kind: str
    verdict: str
    name: str
    boxes: tuple[Box, ...]
    timeline: Timeline | None
    stores: tuple[Fact, ...]
    certificates: tuple[Certificate, ...]
    problems: tuple[Problem, ...]
    staple: str
    scts: int
    pem: str
    evidence: Evidence | None


def chain(presented: PresentedChain, room: Room) -> Chain:
    """How one chain is shown."""
    report = presented.report
    match = report.host
    best = _best(presented)
    shown = best.path if best is not None else report.certificates
    leaf = report.certificates[0]
    return Chain(
        title=f"{presented.key}: {leaf.subject or 'a certificate that cannot be read'}",
        occasions=occasions(presented),
        kind="strong" if presented.trusted and (match is None or match.ok) else "fault",
        verdict=f"trusted by {', '.join(presented.trusted)}" if presented.trusted else "not trusted",
        name="" if match is None else f"the name {'matches' if match.ok else f'does not match: {match.reason}'}",
        boxes=tuple(_boxes(presented, best)),
        timeline=validity([(one.not_before, one.not_after) for one in shown], report.now),
        stores=tuple(_stores(presented)),
        certificates=tuple(
            Certificate(one.subject or "cannot be read", tuple(_facts(one)), one.problems)
            for one in report.certificates
        ),
        problems=(*report.chain.problems, *report.problems, *(report.staple.problems if report.staple else ())),
        staple=staple(report.staple),
        scts=len(report.scts),
        pem="".join(presented.pem),
        evidence=room.evidence("the hello, and what came back", presented.proof),
    )


def _best(presented: PresentedChain) -> PathVerdict | None:
    """The verdict whose path is shown: a valid one where there is one; None where none has a path."""
    verdicts = [verdict for verdict in presented.report.verdicts if verdict.path]
    return next((verdict for verdict in verdicts if verdict.valid), verdicts[0] if verdicts else None)


def _boxes(presented: PresentedChain, best: PathVerdict | None) -> Iterator[Box]:
    if best is None:
        for one in presented.report.certificates:
            bad = any(problem.category in _BAD for problem in one.problems)
            yield Box(one.subject or "?", _key(one.key, one.bits), _day(one.not_after), "sent", False, bad)
        return
    broken = {problem.at for problem in best.problems if problem.category in _BAD}
    for at, step in enumerate(best.path):
        sent = "not sent" if step.presented is None else "sent"
        where = f"anchor of {best.store}, {sent}" if step.anchor else sent
        yield Box(step.subject, _key(step.key, step.bits), _day(step.not_after), where, step.anchor, at in broken)


def _key(key: str | None, bits: int | None) -> str:
    return f"{key or 'key unknown'} {bits or ''}".strip()


def _day(moment: str | None) -> str:
    return (moment or "?")[:10]


def _stores(presented: PresentedChain) -> Iterator[Fact]:
    """What stores say, those that say the same together."""
    same: dict[str, list[str]] = {}
    for verdict in presented.report.verdicts:
        told = "; ".join(dict.fromkeys(problem.text for problem in verdict.problems))
        same.setdefault(f"{'valid' if verdict.valid else 'not valid'}{f': {told}' if told else ''}", []).append(
            verdict.store
        )
    return (Fact(", ".join(stores), said) for said, stores in same.items())


def _facts(one: CertificateDetails) -> Iterator[Fact]:
    """The rows that have a value, in the order in which people look for them."""
    days = "" if one.validity_days is None else f" ({one.validity_days:.0f} days)"
    rest = f" and {len(one.names) - MAX_NAMES} more" if len(one.names) > MAX_NAMES else ""
    signed = " ".join(filter(None, (one.signature_family, one.signature_hash))) or one.signature_algorithm
    rows = (
        ("Names", ", ".join(one.names[:MAX_NAMES]) + rest),
        ("Issuer", one.issuer),
        ("Valid", f"{_day(one.not_before)} to {_day(one.not_after)}{days}"),
        ("Key", _key(one.key, one.bits)),
        ("Signed with", signed),
        ("May be used for", ", ".join((*(one.key_usage or ()), *(one.extended_key_usage or ())))),
        ("Validation", one.validation),
        ("Serial number", one.serial),
        ("OCSP", ", ".join(one.ocsp)),
        ("Certificate SHA-256", one.sha256),
        ("Key SHA-256", one.spki_sha256),
    )
    for name, value in rows:
        if value:
            yield Fact(name, value)
