"""Clients against servers: what each of several clients gets at one address, and whether the policy would have it.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.certificates.report import describe_chain
from tlswire.check.endpoint import INTERRUPTED, client_hello_of
from tlswire.check.visit import handshake_of
from tlswire.handshake.client import Brief
from tlswire.handshake.offer import offer
from tlswire.policy.engine import judge, overall
from tlswire.policy.facts import Facts
from tlswire.policy.observed.chains import issuer_of
from tlswire.policy.observed.handshakes import attempt
from tlswire.results.verdict import Cell
from tlswire.scan.attempts import Attempt
from tlswire.scan.prober import Prober
from tlswire.scan.proof import ending_of
from tlswire.scan.scanner import sni_of, way
from tlswire.scan.server import is_unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.check.plan import Plan
    from tlswire.handshake.conversation import Conversation
    from tlswire.policy.model import Policy
    from tlswire.probe.transport import Address
    from tlswire.results.verdict import Verdict
    from tlswire.wire.messages import ClientHello

# What one handshake tells of; the rest of a policy is about the server alone.
_KINDS = ("attempt", "connection")


async def with_matrix(
    verdict: Verdict, address: Address, plan: Plan, *, observe: Callable[[Any, Any], None] | None = None
) -> Verdict:
    """The verdict with what each client of ``plan.matrix`` gets at ``address``; cancelling gives those known by then."""
    host = verdict.target.host
    opening = await way(host, address, plan.starttls, plan.proxy, plan.server_name)
    prober = Prober(address, plan.limits, observe, opening=opening)
    policy = msgspec.structs.replace(plan.policy, rules=tuple(one for one in plan.policy.rules if one.of in _KINDS))
    cells: list[Cell] = []
    notes = list(verdict.notes)
    try:
        for name, client in plan.matrix.items():
            hello = client_hello_of(msgspec.structs.replace(plan, client=client), sni_of(host, plan.server_name))
            shown = await prober.ask(_attempt(name, hello, plan.seed))
            cells.append(_cell(name, shown, policy, plan, address.host))
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        notes.append(INTERRUPTED)
    return msgspec.structs.replace(
        verdict, matrix=cells, notes=notes, connections=verdict.connections + prober.connections
    )


def _attempt(name: str, hello: ClientHello, seed: int) -> Attempt:
    chance = random.Random(f"{seed} {name}").random()

    def make() -> Brief:
        rng = random.Random(chance)
        return Brief(offer(hello, rng), rng)

    return Attempt(f"the hello of {name}", make)


def _cell(name: str, shown: Conversation, policy: Policy, plan: Plan, node: str) -> Cell:
    title = f"the hello of {name}"
    facts = Facts()
    leaf = issuer = None
    if shown.chain:
        # Only for its signature: who trusts it is told once, of the server.
        report = describe_chain(shown.chain, now=plan.now or dt.datetime.now(dt.UTC), anchors=plan.given)
        leaf, issuer = report.certificates[0], issuer_of(report, plan.given)
    if is_unknown(shown):
        facts.gaps |= dict.fromkeys(_KINDS, shown.reason or shown.label)
    else:
        facts.add(attempt(shown, "client", title, leaf=leaf, issuer=issuer, node=node, ending=ending_of(shown)))
    rules = judge(policy, facts)
    broken = [rule.id for rule in rules if rule.verdict == "fail"]
    verdict = overall(rules)
    # A policy that says nothing of handshakes still wants one.
    if not is_unknown(shown) and not shown.finished:
        verdict = "fail"
    return Cell(client=name, verdict=verdict, broken=broken, handshake=handshake_of("client", title, shown, node, leaf))
