"""From tallies to the result: versions, rated suites, findings. Pure.

Must not import ``probe.transport``, ``report`` or ``cli``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tlswire.registry import GROUPS, SSLV2_KINDS, SUITES, VERSIONS, hex_code
from tlswire.registry.ratings import OLD_VERSIONS, REASONS, grade, reasons_against, suite_row
from tlswire.results.scan import Fault, Finding, Refusals, Suite, Version
from tlswire.scan.offers import CLEAR_TEXT, HANDSHAKE
from tlswire.scan.proof import proof_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tlswire.registry import SuiteRow
    from tlswire.results.scan import Verdict
    from tlswire.scan.tally import Accepted, Tally

# Findings of this many ways in which handshakes fail; all are among the faults.
MOST_BROKEN = 4


def version_result(tally: Tally) -> Version:
    """The result of one version."""
    digits = 6 if tally.version == 0x0002 else 4
    table = SSLV2_KINDS if digits == 6 else SUITES
    order = tally.order or tuple(code for code in tally.candidates if code in tally.accepted)
    verdict: Verdict = "accepted" if order else "unknown" if tally.unknown or tally.open else "rejected"
    unsettled = sorted({*tally.unknown, *tally.open})
    return Version(
        version=tally.name,
        code=hex_code(tally.version),
        verdict=verdict,
        preference="server" if tally.preference == "server" else "client" if tally.preference else "unknown",
        suites=[_suite(tally.accepted[code], tally.version) for code in order],
        candidates=len(tally.candidates),
        tried=len(tally.candidates) - len(tally.open),
        unknown=[table.hex(code) for code in unsettled],
        refusals=[Refusals(answer, count) for answer, count in Counter(tally.rejected.values()).most_common()],
    )


def _suite(accepted: Accepted, version: int) -> Suite:
    row = suite_row(version, accepted.suite)
    answer = accepted.answer
    group = answer.hello.group if answer.hello is not None else None
    return Suite(
        code=hex_code(row.code, 6 if version == 0x0002 else 4),
        name=row.name,
        openssl_name=row.openssl_name,
        verdict="accepted",
        key_exchange=row.kex,
        authentication=row.auth,
        encryption=row.enc,
        bits=row.bits,
        forward_secrecy=row.pfs,
        grade=grade(row),
        reasons=[reason.text for reason in reasons_against(row)],
        answer="retry" if answer.kind == "retry" else "hello",
        group=None if group is None else GROUPS[group].name,
        proof=proof_of(answer),
    )


def findings_of(tallies: Iterable[Tally]) -> list[Finding]:
    """What a reader should know, worst first: old versions, weak suites by reason, suites where they do not belong."""
    tallies = [tally for tally in tallies if tally.accepted]
    found: list[Finding] = []
    for tally in tallies:
        if tally.version in OLD_VERSIONS:
            category, source = OLD_VERSIONS[tally.version]
            text = f"{tally.name} is accepted with {_count(len(tally.accepted), 'suite')}"
            found.append(Finding("version-old", category, text, source, tally.name))
    accepted = {(tally.version, code): suite_row(tally.version, code) for tally in tallies for code in tally.accepted}
    for reason in REASONS:
        rows = {row.name: versions for row, versions in _where(accepted, reason.holds)}
        if rows:
            where = ", ".join(VERSIONS[version].name for version in sorted(set().union(*rows.values())))
            text = f"{reason.text}: {_count(len(rows), 'suite')} ({where})"
            found.append(Finding(f"suite-{reason.id}", reason.category, text, reason.source, None, sorted(rows)))
    return worst_first([*found, *_misplaced(tallies)])


_RANK = {"fault": 0, "weak": 1, "misplaced": 2, "legacy": 3, "no-forward-secrecy": 4, "info": 5}


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by category, else in the order given."""
    return sorted(findings, key=lambda finding: _RANK.get(finding.category, len(_RANK)))


def _where(accepted: Mapping[tuple[int, int], SuiteRow], holds: object) -> list[tuple[SuiteRow, set[int]]]:
    places: dict[SuiteRow, set[int]] = {}
    for (version, _), row in accepted.items():
        if holds(row):  # type: ignore[operator]  # a Reason's predicate
            places.setdefault(row, set()).add(version)
    return list(places.items())


def _misplaced(tallies: list[Tally]) -> list[Finding]:
    found = []
    for tally in tallies:
        if tally.version == 0x0002:
            continue
        misplaced = [code for code in tally.accepted if not _belongs(SUITES[code], tally.version)]
        if misplaced:
            text = f"{tally.name} accepts {_count(len(misplaced), 'suite')} that only other versions define"
            names = [SUITES[code].name for code in misplaced]
            found.append(
                Finding("suite-misplaced", "misplaced", text, "RFC 5246 1.2, RFC 9846 4.2.2", tally.name, names)
            )
    return found


def _belongs(row: SuiteRow, version: int) -> bool:
    # How far down a suite may go is a matter of practice for the older ones; TLS 1.2's and 1.3's own are not.
    if row.min_version in {"TLS 1.2", "TLS 1.3"}:
        return VERSIONS.find(row.min_version).code <= version <= VERSIONS.find(row.max_version).code
    return version != 0x0304 or not row.min_version


def faults_result(faults: Mapping[tuple[str, str], int]) -> list[Fault]:
    """The server's faults, most frequent first."""
    ranked = sorted(faults.items(), key=lambda item: -item[1])
    return [Fault(kind, text, count) for (kind, text), count in ranked]


def fault_findings(faults: list[Fault]) -> list[Finding]:
    """What of the faults a reader should know: the most frequent, what is said in clear where TLS belongs, and at what
    usual handshakes fail.
    """
    found = []
    broken = [fault.text for fault in faults if fault.kind == HANDSHAKE]
    faults = [fault for fault in faults if fault.kind != HANDSHAKE]
    for clear, source in ((False, "RFC 9846 4.2.3"), (True, "RFC 3207 4")):
        worst = next((fault for fault in faults if (fault.kind == CLEAR_TEXT) is clear), None)
        if worst is not None:
            found.append(Finding("server-fault", "fault", f"the server breaks the protocol: {worst.text}", source))
    for text in broken[:MOST_BROKEN]:
        line = f"handshakes fail at what the server sends: {text}"
        found.append(Finding("handshake-fault", "fault", line, "RFC 9846 4, RFC 5246 7.4"))
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
