"""A policy in words: what each rule looks at, when, what it wants, on whose word, and what to change.

Must not import anything of tlswire but ``escape`` and, of policy, ``model``.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.policy.model import Condition, Policy, Rule

WIDTH = 110
SURVEYS = {
    "sample": "asks as its client does, and for a sample of what others get",
    "whole": "asks for everything the server accepts",
}
_NEED = {"every": "of every", "any": "of any one"}


def summary(policies: Sequence[Policy]) -> str:
    """Two lines for each policy: name, number of rules, survey and title; and the edition."""
    width = max((len(policy.name) for policy in policies), default=0)
    indent = " " * (width + 2)
    return "\n".join(
        line
        for policy in policies
        for line in (
            f"{printable(policy.name):<{width}}  {printable(policy.title)}; {len(policy.rules)} rules, {policy.survey}",
            *_wrapped(policy.edition, indent),
        )
    )


def described(policy: Policy) -> str:
    """The whole policy, rule by rule."""
    return "\n".join(_policy(policy))


def _policy(policy: Policy) -> Iterator[str]:
    yield f"{printable(policy.name)}: {printable(policy.title)}"
    yield from _wrapped(f"edition: {policy.edition}", "  ")
    if policy.client:
        yield from _wrapped(f"client: {policy.client}", "  ")
    yield from _wrapped(f"survey: {policy.survey}, {SURVEYS[policy.survey]}", "  ")
    if policy.about:
        yield ""
        yield from _wrapped(" ".join(policy.about.split()), "  ")
    for rule in policy.rules:
        yield ""
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"{rule.id} ({rule.level})  {printable(rule.title)}"
    when = f" where {_all(rule.when)}" if rule.when else ""
    ways = "; or: ".join(_all(way) for way in rule.passes if way)
    yield from _wrapped(f"{_NEED[rule.need]} {rule.of}{when}{f': {ways}' if ways else ': that it is there'}", "    ")
    if rule.unless:
        yield from _wrapped(f"not asked where a rule of {', '.join(rule.unless)} is broken", "    ")
    yield from _wrapped(f"source: {rule.source}{f' [{rule.verified}]' if rule.verified else ''}", "    ")
    yield from _wrapped(f"remedy: {rule.remedy}", "    ")


def _all(conditions: Sequence[Condition]) -> str:
    return " and ".join(condition.words for condition in conditions)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(printable(text), WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
