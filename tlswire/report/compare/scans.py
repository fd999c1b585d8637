"""What changed between two scans of one target. Must not import anything of tlswire but ``report`` and ``results``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tlswire.report.compare.chains import chain_changes
from tlswire.results.diff import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.report.compare.stored import Finding, StoredScan, Suite, Version
    from tlswire.results.diff import Direction

# What everybody should have; every other version should be refused (RFC 8996, RFC 9325 3.1.1).
_WANTED = {"TLS 1.2", "TLS 1.3"}
_RANK = {"weak": 0, "legacy": 1, "unrated": 2, "strong": 3}
_POOR = {"weak", "legacy"}


def scan_changes(old: StoredScan, new: StoredScan) -> Iterator[Change]:
    """The changes of two scans that both reached the target."""
    before, after = ({version.version: version for version in scan.versions} for scan in (old, new))
    for name in dict.fromkeys((*before, *after)):
        if name in before and name in after:
            yield from _version(before[name], after[name])
        elif "accepted" in {side[name].verdict for side in (before, after) if name in side}:
            text = f"{name} was asked for in one of the scans only"
            yield Change(direction="unknown", about="version", subject=name, text=text)
    yield from _findings(old, new)
    if old.chains is not None and new.chains is not None:
        yield from chain_changes(old.chains, new.chains, whole=old.complete and new.complete)
    elif old.chains or new.chains:
        text = "certificates were asked for in one of the scans only"
        yield Change(direction="unknown", about="certificate", subject="certificates", text=text)


def _version(old: Version, new: Version) -> Iterator[Change]:
    if old.verdict == new.verdict == "accepted":
        yield from _suites(old, new)
        return
    if old.verdict == new.verdict:
        return
    direction: Direction = "unknown"
    if {old.verdict, new.verdict} == {"accepted", "rejected"}:
        direction = "improvement" if (new.verdict == "accepted") is (new.version in _WANTED) else "regression"
    count = f" with {len(new.suites)} suites" if new.verdict == "accepted" else ""
    yield Change(
        direction=direction,
        about="version",
        subject=new.version,
        text=f"{new.version} is {new.verdict}{count}, was {old.verdict}",
        old=old.verdict,
        new=new.verdict,
    )


def _suites(old: Version, new: Version) -> Iterator[Change]:
    before, after = ({suite.code: suite for suite in version.suites} for version in (old, new))
    for code, suite in before.items():
        if code not in after:
            yield _suite(suite, old, new, gone=True)
        elif suite.grade != after[code].grade:
            yield _grade(suite, after[code], new.version)
    yield from (_suite(suite, new, old, gone=False) for code, suite in after.items() if code not in before)
    strong = [any(suite.grade == "strong" for suite in side.values()) for side in (before, after)]
    if strong == [True, False] and new.version in _WANTED:
        text = f"{new.version} has no strong suite left"
        yield Change(direction="regression", about="version", subject=new.version, text=text)
    open_ones = set(old.unknown) ^ set(new.unknown)
    if open_ones - before.keys() - after.keys():
        text = f"{new.version}: {len(open_ones)} suites are not known in one of the scans"
        yield Change(direction="unknown", about="suite", subject=new.version, text=text)


def _suite(suite: Suite, there: Version, absent: Version, *, gone: bool) -> Change:
    """A suite that one scan has as accepted, in ``there``; whether it was refused in ``absent`` or not asked for."""
    known = suite.code not in absent.unknown and absent.candidates >= there.candidates
    direction: Direction = "neutral"
    if not known:
        direction = "unknown"
    elif suite.grade in _POOR:
        direction = "improvement" if gone else "regression"
    states = ("accepted", "refused" if known else "not known")
    before, after = states if gone else states[::-1]
    return Change(
        direction=direction,
        about="suite",
        subject=f"{there.version} {suite.name or suite.code}",
        text=f"{there.version}: {suite.name or suite.code} ({suite.grade}) is {after}, was {before}",
        old=before,
        new=after,
    )


def _grade(old: Suite, new: Suite, version: str) -> Change:
    worse = _RANK.get(new.grade, 2) < _RANK.get(old.grade, 2)
    return Change(
        direction="regression" if worse else "improvement",
        about="suite",
        subject=f"{version} {new.name or new.code}",
        text=f"{version}: {new.name or new.code} is rated {new.grade}, was {old.grade}",
        old=old.grade,
        new=new.grade,
    )


def _findings(old: StoredScan, new: StoredScan) -> Iterator[Change]:
    before, after = _by_place(old), _by_place(new)
    for place, finding in before.items():
        if place not in after:
            yield _finding(finding, new, gone=True)
    for place, finding in after.items():
        if place not in before:
            yield _finding(finding, old, gone=False)


def _by_place(scan: StoredScan) -> dict[tuple[str, str | None, int], Finding]:
    """Findings by what stays the same: texts hold counts and names."""
    found: dict[tuple[str, str | None, int], Finding] = {}
    seen: Counter[tuple[str, str | None]] = Counter()
    for finding in scan.findings:
        place = (finding.id, finding.version)
        seen[place] += 1
        found[*place, seen[place]] = finding
    return found


def _finding(finding: Finding, absent: StoredScan, *, gone: bool) -> Change:
    """A finding that the scan ``absent`` has not; whether it looked."""
    asked = finding.question is None or absent.answers.get(finding.question) is not None
    direction: Direction = "neutral"
    state = "gone" if gone else "new"
    if not asked or not absent.complete:
        direction = "unknown"
        why = "is incomplete" if asked else f"did not ask for {finding.question}"
        state = f"in one scan only, the other {why}"
    elif finding.category != "info":
        direction = "improvement" if gone else "regression"
    return Change(
        direction=direction,
        about="finding",
        subject=finding.id,
        text=f"{finding.category} {state}: {finding.text}",
        old=finding.text if gone else None,
        new=None if gone else finding.text,
    )
