"""Facts judged by a policy: every rule with its verdict and its evidence, and the verdict of the whole.

Three-valued: what nobody knows makes a rule unknown, unless what is known decides already. Must not import anything of
tlswire but ``results`` and, of policy, ``facts`` and ``model``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.policy.facts import KINDS
from tlswire.policy.model import fields_of
from tlswire.policy.terms import told
from tlswire.results.verdict import Evidence, RuleVerdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tlswire.policy.facts import Facts, Subject
    from tlswire.policy.model import Condition, Policy, Rule
    from tlswire.results.verdict import Judgement, RuleJudgement

# So many lines prove a rule; the others are counted.
MOST_EVIDENCE = 8


# What decides where nodes differ.
_WORST: tuple[RuleJudgement, ...] = ("fail", "warn", "unknown", "pass", "not-applicable")


class _Finding(msgspec.Struct, frozen=True):
    """What a rule makes of the subjects it is about."""

    verdict: RuleJudgement
    subjects: Sequence[Subject] = ()
    text: str = ""


def judge(policy: Policy, facts: Facts, *, proofs: bool = False) -> list[RuleVerdict]:
    """Every rule of ``policy`` judged by ``facts``, in the policy's order; ``proofs`` puts the bytes in as well."""
    found = _findings(policy.rules, facts)
    return [_judged(rule, found[rule.id], proofs=proofs) for rule in policy.rules]


def verdicts(rules: Sequence[Rule], facts: Facts) -> dict[str, RuleJudgement]:
    """The verdict of each rule by its id, without evidence: fast enough for every session of a capture."""
    return {name: finding.verdict for name, finding in _findings(rules, facts).items()}


def applies(rule: Rule, subject: Subject) -> bool | None:
    """Whether a rule is about a subject; None where that depends on what nobody knows."""
    return _all(rule.when, subject) if subject.kind == rule.of else False


def _findings(rules: Sequence[Rule], facts: Facts) -> dict[str, _Finding]:
    found: dict[str, _Finding] = {}
    # The fewer a rule gives way to, the earlier it is judged: a rule that gives way may itself explain another.
    for rule in sorted(rules, key=lambda rule: len(rule.unless)):
        broken = {
            name: {subject.node for subject in finding.subjects}
            for name, finding in found.items()
            if finding.verdict == "fail" and rule.unless and name.startswith(rule.unless)
        }
        found[rule.id] = _find(rule, facts, broken)
    return found


def overall(rules: Iterable[RuleVerdict]) -> Judgement:
    """The verdict of the whole: fail, then unknown where a rule of level must is, then warn, then pass."""
    rules = list(rules)
    verdicts = {rule.verdict for rule in rules}
    if "fail" in verdicts:
        return "fail"
    if any(rule.verdict == "unknown" and rule.level == "must" for rule in rules):
        return "unknown"
    return "warn" if "warn" in verdicts else "pass"


def _judged(rule: Rule, finding: _Finding, *, proofs: bool) -> RuleVerdict:
    good = finding.verdict in {"pass", "not-applicable"}
    evidence = [
        Evidence(
            _text(rule, subject, finding.verdict), subject.name, subject.node or None, subject.proof if proofs else None
        )
        for subject in finding.subjects[:MOST_EVIDENCE]
    ]
    if finding.text:
        evidence.append(Evidence(finding.text, ""))
    if len(finding.subjects) > MOST_EVIDENCE:
        evidence.append(Evidence(f"and {len(finding.subjects) - MOST_EVIDENCE} more", ""))
    return RuleVerdict(
        id=rule.id,
        level=rule.level,
        verdict=finding.verdict,
        title=rule.title,
        evidence=evidence,
        remedy="" if good else rule.remedy,
        source=rule.source,
        verified=rule.verified or None,
        fix=None if good else rule.fix or None,
    )


def _find(rule: Rule, facts: Facts, broken: Mapping[str, Collection[str]]) -> _Finding:
    """What ``rule`` makes of the facts; ``broken`` says which rules explain what it would find, and at which nodes."""
    explained = {node for nodes in broken.values() for node in nodes}
    nodes = dict.fromkeys(subject.node for subject in facts.subjects if subject.kind != "node")
    left = [node for node in nodes if node not in explained]
    if broken and not left:
        return _Finding("not-applicable", (), f"explained by {', '.join(broken)}")
    if rule.need == "every":
        return _found(rule, facts, left)
    # Every node must have one.
    by_node = [_found(rule, facts, [node]) for node in left] or [_found(rule, facts, [])]
    worst = min((one.verdict for one in by_node), key=_WORST.index)
    told = [one for one in by_node if one.verdict == worst]
    subjects = [subject for one in told for subject in one.subjects]
    return _Finding(worst, subjects, next((one.text for one in told if one.text), ""))


def _found(rule: Rule, facts: Facts, nodes: Collection[str]) -> _Finding:
    bad: RuleJudgement = "fail" if rule.level == "must" else "warn"
    asked, doubtful = [], []
    for subject in facts.of(rule.of):
        if subject.node not in nodes and subject.kind != "node":
            continue
        applies = _all(rule.when, subject)
        if applies:
            asked.append((subject, _holds(rule, subject)))
        elif applies is None:
            doubtful.append((subject, _holds(rule, subject)))
    gap = facts.gaps.get(rule.of, "")
    good = [subject for subject, holds in asked if holds]
    wrong = [subject for subject, holds in asked if holds is False]
    # Of those that may be asked, one that passes breaks no rule of every, one that does not is no help to any.
    decided = rule.need == "every"
    open_ = [subject for subject, holds in asked if holds is None]
    open_ += [subject for subject, holds in doubtful if holds is not decided]
    if rule.need == "any":
        if good:
            return _Finding("pass", good)
        if open_ or gap:
            return _Finding("unknown", open_, gap)
        return _Finding(bad, wrong, "" if wrong else f"none is there: {rule.title[:1].lower()}{rule.title[1:]}")
    if wrong:
        return _Finding(bad, wrong)
    if open_ or gap:
        return _Finding("unknown", open_, gap)
    return _Finding("pass", good) if good else _Finding("not-applicable")


def _holds(rule: Rule, subject: Subject) -> bool | None:
    """Whether any of the ways to pass is open; None where that depends on what nobody knows."""
    answers = {_all(way, subject) for way in rule.passes}
    return True if True in answers else None if None in answers else False


def _all(conditions: Sequence[Condition], subject: Subject) -> bool | None:
    """Whether all hold; None where that depends on what nobody knows."""
    answers = {condition.holds(subject.get(condition.field)) for condition in conditions}
    return False if False in answers else None if None in answers else True


def _text(rule: Rule, subject: Subject, verdict: RuleJudgement) -> str:
    """What a subject shows of a rule, in words."""
    notes = [subject.notes[field] for field in fields_of(rule) if field in subject.notes]
    if verdict in {"fail", "warn"} and rule.fault:
        text = rule.fault.format_map({field: subject.told(field) for field in KINDS[rule.of]})
    elif verdict in {"fail", "warn"}:
        wrong = {one.field: one for way in rule.passes for one in way if not one.holds(subject.get(one.field))}
        text = "; ".join(f"{field.replace('_', ' ')}: {subject.told(field)}" for field in wrong)
    elif verdict == "unknown":
        fields = [field for field in fields_of(rule) if subject.get(field) is None]
        text = "" if notes else f"not known: {', '.join(field.replace('_', ' ') for field in fields)}"
    else:
        way = next((way for way in rule.passes if _all(way, subject)), ())
        text = ", ".join(_passed(one, subject) for one in way)
    said = "; ".join(dict.fromkeys(notes))
    return f"{text} ({said})" if text and said else text or said


def _passed(condition: Condition, subject: Subject) -> str:
    name = condition.field.replace("_", " ")
    value = subject.get(condition.field)
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} {told(condition.term, value)}"
