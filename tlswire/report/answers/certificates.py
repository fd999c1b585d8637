"""The answer to ``certificates`` as a person reads it. Must not import ``scan``, ``probe`` or ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.answers import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.certificates import Certificates, PresentedChain
    from tlswire.results.certificates import CertificateDetails, Problem, Staple

TITLE = "Certificates"
_NAMES = {"none": "without a server name", "unknown": "for an unknown name"}
_SHOWN = 6


def lines(answer: Certificates, *, verbose: bool) -> Iterator[Line]:
    """Two lines a chain; with ``verbose`` its certificates, names, problems, staple and SCTs."""
    for chain in answer.chains:
        leaf = chain.report.certificates[0]
        yield Line(f"{chain.key}  {leaf.subject or 'unreadable'}  {_days(leaf)}  ({occasions(chain)})")
        yield _trust(chain)
        if verbose:
            yield from _details(chain)


def _days(leaf: CertificateDetails) -> str:
    return f"{(leaf.not_before or '?')[:10]} to {(leaf.not_after or '?')[:10]}"


def occasions(chain: PresentedChain) -> str:
    """When a chain was shown: versions, and names other than the target's."""
    targets = [item.version for item in chain.occasions if item.server_name == "target"]
    others = [_NAMES[item.server_name] for item in chain.occasions if item.server_name != "target"]
    return ", ".join(dict.fromkeys(targets + others))


def _trust(chain: PresentedChain) -> Line:
    report = chain.report
    match = report.host
    name = "" if match is None else f"name {'matches' if match.ok else f'does not match: {match.reason}'}"
    if chain.trusted:
        trust = f"trusted by {', '.join(chain.trusted)}"
    else:
        reasons = dict.fromkeys(
            problem.text
            for verdict in report.verdicts
            for problem in verdict.problems
            if problem.category in {"fault", "weak"}
        )
        trust = f"not trusted: {'; '.join(list(reasons)[:3])}"
    category = "strong" if chain.trusted and (match is None or match.ok) else "fault"
    return Line(f"  {trust}{f'; {name}' if name else ''}", category)


def _details(chain: PresentedChain) -> Iterator[Line]:
    report = chain.report
    for at, certificate in enumerate(report.certificates):
        yield Line(f"  {at}  {certificate.subject or 'cannot be read'}")
        yield Line(f"     issuer {certificate.issuer}  serial {certificate.serial}  {_days(certificate)}")
        hash_name = certificate.signature_hash or "?"
        yield Line(
            f"     key {certificate.key} {certificate.bits or ''}  signed {certificate.signature_family} {hash_name}"
        )
        yield Line(f"     SHA-256 {certificate.sha256}")
        if not at and certificate.names:
            more = f" and {len(certificate.names) - _SHOWN} more" if len(certificate.names) > _SHOWN else ""
            yield Line(f"     names {', '.join(certificate.names[:_SHOWN])}{more}")
        for problem in certificate.problems:
            yield _problem(problem, "     ")
    for problem in (*report.chain.problems, *report.problems):
        yield _problem(problem, "  ")
    yield Line(f"  {staple(report.staple)}; {len(report.scts)} SCTs")
    for verdict in report.verdicts:
        path = " < ".join(step.subject for step in verdict.path)
        yield Line(f"  {verdict.store}: {'valid' if verdict.valid else 'not valid'}  {path}")


def _problem(problem: Problem, indent: str) -> Line:
    about = "" if problem.at is None or indent != "  " else f"certificate {problem.at}: "
    return Line(f"{indent}{problem.category}  {about}{problem.text}  ({problem.source})", problem.category)


def staple(sent: Staple | None) -> str:
    """What an OCSP staple says."""
    if sent is None:
        return "no OCSP staple"
    age = "" if sent.age_s is None else f", {sent.age_s // 3600} hours old"
    return f"OCSP staple: {sent.certificate or sent.status}{age}"
