"""Sessions of captures judged by a policy, each kind of session once.

A rule is asked of a session if sessions can show what it looks at. Rules about what nobody sees in a capture (trust,
HTTP, what else the server would accept) are left out; those about what this one session hides (``Seen.hidden``) are told
as unseen. Neither counts in the verdict. Must not import anything of tlswire but ``errors``, ``results`` and, of policy,
``engine``, ``model`` and ``observed.sessions``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tlswire.errors import UsageError
from tlswire.policy.engine import applies, verdicts
from tlswire.policy.observed.sessions import (
    OFFER,
    SAMPLED,
    SHOWN,
    Field,
    answered,
    session_seen,
    shown_certificates,
    standing,
)
from tlswire.results.session import SessionVerdict

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from tlswire.policy.facts import Facts
    from tlswire.policy.model import Policy, Rule
    from tlswire.results.session import Certificate, Session

Judged = Literal["pass", "warn", "fail", "unknown"]
MAX_REMEMBERED = 4096
# RFC 8701 section 2: clients take another one every time.
_GREASE = frozenset(f"0x{digit:X}A{digit:X}A" for digit in range(16))


def asked_of_sessions(policy: Policy) -> tuple[Rule, ...]:
    """The rules of a policy that some session can answer, in their order. Raises UsageError where there is none: every
    session would pass.
    """
    rules = tuple(rule for rule in policy.rules if _answerable(rule, frozenset()) and _about_sessions(rule))
    if not rules:
        raise UsageError(policy.name, "has no rule about what sessions of captures show")
    return rules


def _about_sessions(rule: Rule) -> bool:
    """Whether a rule's ``when`` lets the client of a capture in, and what a session meets can break it."""
    if rule.need == "any" and rule.of in SAMPLED:
        return False
    return all(condition.holds(OFFER) for condition in rule.when if condition.field == "offer")


def _answerable(rule: Rule, hidden: frozenset[Field]) -> bool:
    """Whether one way to pass looks only at what is shown."""
    return any(
        all((rule.of, one.field) in SHOWN and (rule.of, one.field) not in hidden for one in way) for way in rule.passes
    )


class SessionJudge:
    """What one policy says of sessions; sessions that show the same are judged once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.rules = asked_of_sessions(policy)
        self._hidden: dict[frozenset[Field], tuple[tuple[Rule, ...], list[str]]] = {}
        self._known: dict[Hashable, SessionVerdict] = {}

    def __call__(self, session: Session) -> SessionVerdict:
        """The verdict on one session."""
        key = _key(session)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            known = self._known[key] = self._judge(session)
        return known

    def _judge(self, session: Session) -> SessionVerdict:
        seen = session_seen(session)
        split = self._hidden.get(seen.hidden)
        if split is None:
            rules = tuple(rule for rule in self.rules if _answerable(rule, seen.hidden))
            split = self._hidden[seen.hidden] = rules, [rule.id for rule in self.rules if rule not in rules]
        rules = tuple(rule for rule in split[0] if _shown(rule, seen.facts))
        found = verdicts(rules, seen.facts)
        broken = [name for name, verdict in found.items() if verdict == "fail"]
        warnings = [name for name, verdict in found.items() if verdict == "warn"]
        unknown = [rule.id for rule in rules if rule.level == "must" and found[rule.id] == "unknown"]
        verdict: Judged = "fail" if broken else "unknown" if unknown else "warn" if warnings else "pass"
        return SessionVerdict(self.policy.name, verdict, broken, warnings, unknown, split[1])


def _shown(rule: Rule, facts: Facts) -> bool:
    """Whether a rule that wants any subject is asked: what a session does not show may be there."""
    return rule.need == "every" or any(applies(rule, subject) for subject in facts.of(rule.of))


def _key(session: Session) -> Hashable:
    """All of a session that facts are made of."""
    hello, answer = answered(session)
    exchange = session.key_exchange
    chain = shown_certificates(session) if session.certificates else ()
    return (
        session.outcome,
        session.version,
        session.suite,
        session.group,
        session.resumed,
        None if answer is None else (tuple(answer.extensions), answer.partial),
        None if exchange is None else (exchange.signature_scheme, exchange.bits),
        None
        if hello is None
        else (
            hello.legacy_version,
            tuple(text for text in hello.versions if text not in _GREASE),
            tuple(hello.signature_schemes),
            hello.partial,
            hello.early_data,
        ),
        None if session.encrypted_extensions is None else tuple(session.encrypted_extensions),
        tuple(alert.description for alert in session.alerts) if session.outcome == "alert" else (),
        tuple(_shows(chain, session.start)),
        session.server_name if chain else None,
    )


def _shows(chain: Iterable[Certificate], start: float) -> Iterable[Hashable]:
    return ((item.sha256, standing(item, start)) for item in chain)
