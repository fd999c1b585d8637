"""What scans and verdicts say, one item a thing to keep, in the one shape that the writers for machines and tickets share.

Rules of a verdict and findings of a scan are items; so are that a target was reached and that nothing stayed open, for
a file without them would look like one without faults. Must not import anything of tlswire but ``escape`` and
``results``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.escape import printable
from tlswire.results.scan import Scan
from tlswire.results.verdict import Fix, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.scan import Target
    from tlswire.results.verdict import RuleVerdict

Result = Scan | Verdict
# note: worth reading, nothing to do. skip: nothing to judge.
Outcome = Literal["fail", "warn", "unknown", "note", "pass", "skip"]

# What becomes of a finding's category; one that is new is not worse than a warning.
_CATEGORIES: dict[str, Outcome] = {"fault": "fail", "weak": "fail", "info": "note"}
_JUDGEMENTS: dict[str, Outcome] = {"not-applicable": "skip"}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing said of one target. ``id`` is the same in every result, ``name`` is the item's alone within its sheet.
    ``must``: as long as it is unknown, so is the whole.

    All strings are printable; ``evidence`` has a line each.
    """

    id: str
    name: str
    outcome: Outcome
    title: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""
    source: str = ""
    must: bool = True


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """One result: ``judge`` is the policy's name or ``scan``, ``label`` host and port, ``address`` the only one that was
    asked (empty: several, or the host is one), ``outcome`` the verdict's own or the worst of all items; ``fixes`` are as
    the result has them.
    """

    judge: str
    title: str
    label: str
    host: str
    port: int
    address: str
    starttls: str
    outcome: str
    started: str
    elapsed: float
    items: tuple[Item, ...]
    fixes: tuple[Fix, ...] = ()

    @property
    def where(self) -> str:
        """Host, port, and the address that was asked."""
        return f"{self.label} ({self.address})" if self.address else self.label

    @property
    def summary(self) -> str:
        """How many items came out how, worst first."""
        counts = Counter(item.outcome for item in self.items)
        return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ORDER if counts[outcome])


ORDER: tuple[Outcome, ...] = ("fail", "unknown", "warn", "note", "pass", "skip")


def sheet(result: Result) -> Sheet:
    """Everything one result says."""
    target = result.target
    items = (*_state(result), *(_rules(result) if isinstance(result, Verdict) else _findings(result)))
    return Sheet(
        judge=printable(result.policy) if isinstance(result, Verdict) else "scan",
        title=printable(f"{result.title}, {result.edition}") if isinstance(result, Verdict) else "what a scan finds",
        label=printable(label(target)),
        host=printable(target.host),
        port=target.port,
        address=printable("" if target.address in {None, target.host} else str(target.address)),
        starttls=printable(target.starttls or ""),
        outcome=result.verdict if isinstance(result, Verdict) else min((item.outcome for item in items), key=_rank),
        started=printable(result.started),
        elapsed=result.elapsed_s,
        items=_named(items),
        fixes=tuple(result.fixes) if isinstance(result, Verdict) else (),
    )


def label(target: Target) -> str:
    """Host and port, and the protocol around TLS: what stays the same when a name gets another address."""
    return typed(target) + (f" STARTTLS {target.starttls}" if target.starttls else "")


def typed(target: Target) -> str:
    """Host and port as they can be typed."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}"


def _rank(outcome: Outcome) -> int:
    return ORDER.index(outcome)


def _state(result: Result) -> Iterator[Item]:
    """Whether the target was reached, and whether everything was told."""
    why = () if result.error is None else (printable(result.error),)
    yield Item(
        id="reachable",
        name="reachable",
        outcome="pass" if result.reachable else "unknown",
        title="The target speaks TLS with us",
        evidence=() if result.reachable else why or ("not reached",),
    )
    if isinstance(result, Scan) and result.reachable:
        held = [f"{version.version}: {len(version.unknown)} of {version.candidates} suites are not known"
                for version in result.versions if version.unknown]  # fmt: skip
        yield Item(
            id="complete",
            name="complete",
            outcome="pass" if result.complete else "unknown",
            title="Everything that was asked has an answer",
            evidence=() if result.complete else (*why, *held) or ("the scan was not finished",),
        )


def _rules(verdict: Verdict) -> Iterator[Item]:
    exempt = verdict.verdict == "exempt"
    for rule in verdict.rules:
        yield Item(
            id=printable(rule.id),
            name=printable(rule.id),
            outcome="skip" if exempt else _JUDGEMENTS.get(rule.verdict, rule.verdict),  # type: ignore[arg-type]  # the rest are the same words
            title=printable(rule.title),
            evidence=_evidence(rule, several=len(verdict.nodes) > 1),
            remedy=printable(rule.remedy),
            source=printable(rule.source),
            must=rule.level == "must",
        )
    if exempt and not verdict.rules:
        yield Item(id="exempt", name="exempt", outcome="skip", title="The policy does not cover the target's role")


def _evidence(rule: RuleVerdict, *, several: bool) -> tuple[str, ...]:
    """A line for what was seen; the same at ``several`` addresses is told once, with them."""
    same: dict[str, list[str]] = {}
    for item in rule.evidence:
        nodes = same.setdefault(": ".join(filter(None, (item.subject, item.text))), [])
        nodes += [item.node] if several and item.node is not None else []
    return tuple(
        printable(f"{said} ({', '.join(dict.fromkeys(nodes))})" if nodes else said) for said, nodes in same.items()
    )


def _findings(scan: Scan) -> Iterator[Item]:
    for finding in scan.findings:
        new = [cve for cve in finding.cve if cve not in finding.source]
        yield Item(
            id=printable(finding.id),
            name=printable(finding.id + (f" ({finding.version})" if finding.version else "")),
            outcome=_CATEGORIES.get(finding.category, "warn"),
            title=printable(finding.text),
            evidence=tuple(map(printable, finding.suites)),
            remedy=printable(finding.remedy or ""),
            source=printable(", ".join((finding.source, *new))),
        )


def _named(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The items with names of their own: readers of reports drop the second of a name."""
    seen: Counter[str] = Counter()
    found = []
    for item in items:
        seen[item.name] += 1
        again = seen[item.name] > 1
        found.append(msgspec.structs.replace(item, name=f"{item.name} #{seen[item.name]}") if again else item)
    return tuple(found)
