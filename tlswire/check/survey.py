"""A policy that wants to know everything: the questions its rules need, asked by a scan, and a scan judged.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tlswire.check.clients import wide
from tlswire.check.visit import Seen
from tlswire.hello.builder import TLS12_VERSION
from tlswire.hello.profiles import profile, profile_hello
from tlswire.hello.replay import only_version
from tlswire.policy.engine import judge, overall
from tlswire.policy.facts import KINDS
from tlswire.policy.observed.derived import derived
from tlswire.policy.observed.scans import (
    NOT_SCANNED,
    QUESTION_OF_FEATURE,
    QUESTION_OF_KIND,
    QUESTIONS_OF_CLIENTS,
    facts_of,
)
from tlswire.registry import VERSIONS
from tlswire.results.scan import Tool
from tlswire.results.verdict import Node, Verdict
from tlswire.scan.questions import QUESTIONS
from tlswire.scan.scanner import Options, scan_address

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Any

    from tlswire.check.plan import Plan
    from tlswire.policy.facts import Subject
    from tlswire.policy.model import Policy, Rule
    from tlswire.probe.transport import Address
    from tlswire.results.scan import Scan
    from tlswire.wire.messages import ClientHello


def questions_for(policies: Iterable[Policy]) -> tuple[str, ...]:
    """The questions of a scan that the rules of ``policies`` look at, in the order of their table."""
    wanted = {name for policy in policies for rule in policy.rules for name in _questions(rule)}
    return tuple(name for name in QUESTIONS if name in wanted)


def _questions(rule: Rule) -> set[str]:
    if rule.of in QUESTION_OF_KIND:
        return {QUESTION_OF_KIND[rule.of]}
    if rule.of in {"attempt", "connection"}:
        return set(QUESTIONS_OF_CLIENTS)
    if rule.of != "feature":
        return set()
    named = [one.wanted for one in (*rule.when, *(one for way in rule.passes for one in way)) if one.field == "feature"]
    features = [name for one in named for name in (one if isinstance(one, tuple) else (one,))]
    return {QUESTION_OF_FEATURE[name] for name in features or QUESTION_OF_FEATURE if name in QUESTION_OF_FEATURE}


async def survey(host: str, address: Address, plan: Plan, observe: Callable[[Any, Any], None] | None = None) -> Scan:
    """The scan of one address that ``plan``'s policy needs, and nothing else."""
    options = Options(
        method="eliminate",
        questions=questions_for([plan.policy]),
        server_name=plan.server_name,
        starttls=plan.starttls,
        proxy=plan.proxy,
        anchors={**plan.given, "public": plan.public},
        limits=plan.limits,
        seed=plan.seed,
    )
    return await scan_address(host, address, options, observe=observe)


def surveyed(scan: Scan, plan: Plan) -> Seen:
    """What a survey showed, as a visit tells it."""
    node = scan.target.address or scan.target.host
    seen = Seen(node, facts_of(scan, plan.given, node=node), error=scan.error, reachable=scan.reachable)
    shown = scan.answers.certificates.chains if scan.answers.certificates is not None else []
    seen.chains = {(chain.sha256.encode(),): chain for chain in shown}
    for kind in KINDS if interrupted(scan) else ():
        seen.facts.gaps.setdefault(kind, "interrupted")
    return seen


def interrupted(scan: Scan) -> bool:
    """Whether a scan was cut short by who asked for it."""
    return any(note.startswith("interrupted") for note in scan.notes)


def widest(scan: Scan, plan: Plan, server_name: bytes | None) -> ClientHello:
    """A hello of everything in the newest version that is accepted: of a policy that has no client of its own."""
    newest = max((int(one.code, 16) for one in scan.versions if one.verdict == "accepted"), default=TLS12_VERSION)
    return wide(newest, server_name, random.Random(f"{plan.seed} survey"))


def judged(policy: Policy, scan: Scan, given: Collection[str] = ()) -> Verdict:
    """What ``policy`` says of a scan by itself: what its client would get is worked out of what the server accepts; rules
    about what a scan does not do stay unknown.
    """
    facts = facts_of(scan, given)
    facts.add(_expected(policy, scan))
    for kind in (*NOT_SCANNED, *(() if policy.client else ("attempt", "connection"))):
        facts.gaps[kind] = "a scan does not show it: see tlswire check"
    rules = judge(policy, facts) if scan.reachable else []
    verdict = overall(rules) if scan.reachable else "unknown"
    chains = scan.answers.certificates.chains if scan.answers.certificates is not None else []
    return Verdict(
        policy=policy.name,
        title=policy.title,
        edition=policy.edition,
        target=scan.target,
        verdict=verdict,
        complete=scan.complete and not any(rule.verdict == "unknown" for rule in rules),
        reachable=scan.reachable,
        connections=scan.connections,
        started=scan.started,
        elapsed_s=scan.elapsed_s,
        rules=rules,
        nodes=[_node(scan)],
        handshakes=[],
        chains=chains,
        http=[],
        notes=scan.notes,
        error=scan.error,
        tool=Tool(scan.tool.name, scan.tool.version),
    )


def _expected(policy: Policy, scan: Scan) -> Iterator[Subject]:
    if not policy.client:
        return
    hello = profile_hello(profile(policy.client), rng=random.Random(0), server_name=None)
    yield from derived(scan, hello, "client")
    if any(one.code == VERSIONS.hex(TLS12_VERSION) and one.verdict != "rejected" for one in scan.versions):
        yield from derived(scan, only_version(hello, TLS12_VERSION), "tls12")


def _node(scan: Scan) -> Node:
    address = scan.target.address or scan.target.host
    return Node(address=address, reachable=scan.reachable, connections=scan.connections, differs=[], error=scan.error)
