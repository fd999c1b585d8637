"""One target checked: every address its name has is visited, what they show is judged as one, nodes that differ named.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tlswire import __version__
from tlswire.check.survey import interrupted, survey, surveyed, widest
from tlswire.check.visit import MOST_CONNECTIONS, Seen, Visit
from tlswire.hello.edit import SERVER_NAME, with_extension
from tlswire.hello.profiles import profile, profile_hello
from tlswire.hello.replay import replayed
from tlswire.policy.engine import judge, overall
from tlswire.policy.facts import Facts, Subject
from tlswire.probe import transport
from tlswire.results.scan import Target, Tool
from tlswire.results.verdict import Endpoint, Node, Verdict
from tlswire.scan.many import all_of
from tlswire.scan.prober import Prober
from tlswire.scan.scanner import sni_of, way

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tlswire.check.plan import Plan
    from tlswire.probe.transport import Address
    from tlswire.wire.messages import ClientHello

# Of a name with more addresses the first are visited.
MAX_NODES = 16
# What the notes of a verdict say that was cut short.
INTERRUPTED = "interrupted: what was not asked by then is unknown"


async def check_target(
    host: str,
    addresses: Sequence[Address],
    plan: Plan,
    *,
    endpoint: Endpoint | None = None,
    observe: Callable[[Address], Callable[[Any, Any], None] | None] | None = None,
) -> Verdict:
    """What ``plan``'s policy says of ``host`` at all its ``addresses``. Never raises for what a server does; cancelling
    returns what is known. ``observe`` gives for each address who sees every connection (for traces and key logs).
    """
    loop = asyncio.get_running_loop()
    began, started = loop.time(), dt.datetime.now(dt.UTC)
    visited = addresses[:MAX_NODES]
    seen = await all_of(_visit(host, address, plan, observe) for address in visited)
    notes = list(
        dict.fromkeys(
            note if note == INTERRUPTED else f"{one.seen.address}: {note}" for one in seen for note in one.notes
        )
    )
    if len(addresses) > MAX_NODES:
        notes.append(f"{len(addresses)} addresses: the first {MAX_NODES} were visited")
    return verdict_of(
        host,
        addresses[0].port,
        visited,
        plan,
        seen,
        notes=notes,
        endpoint=endpoint or Endpoint(),
        started=started,
        elapsed=loop.time() - began,
    )


class Visited(msgspec.Struct):
    """One visit and what the prober says of it."""

    seen: Seen
    connections: int
    notes: list[str]


async def _visit(host: str, address: Address, plan: Plan, observe: Any) -> Visited:
    """What the policy needs to know of one address: a visit as its client, everything enumerated, or both."""
    see = None if observe is None else observe(address)
    scan = None
    if plan.policy.survey == "whole":
        scan = await survey(host, address, plan, see)
        found = Visited(surveyed(scan, plan), scan.connections, list(scan.notes))
        if not scan.reachable or interrupted(scan) or not (plan.policy.client or _wants_http(plan)):
            return found
    opening = await way(host, address, plan.starttls, plan.proxy, plan.server_name)
    limits = msgspec.structs.replace(plan.limits, connections=MOST_CONNECTIONS)
    prober = Prober(address, limits, see, opening=opening)
    name = sni_of(host, plan.server_name)
    usual = plan.client is not None or plan.policy.client
    hello = client_hello_of(plan, name) if usual or scan is None else widest(scan, plan, name)
    visit = Visit(prober, plan, host, name, hello)
    task = asyncio.current_task()
    try:
        await (visit.run() if usual else visit.fetch())
    except asyncio.CancelledError:
        if task is not None:
            task.uncancel()
        prober.give_up("interrupted")
        visit.interrupted()
        prober.notes.append(INTERRUPTED)
    seen = visit.seen
    if scan is None:
        return Visited(seen, prober.connections, prober.notes)
    found.seen.facts.merge(seen.facts)
    found.seen.handshakes, found.seen.hops = seen.handshakes, seen.hops
    return Visited(found.seen, found.connections + prober.connections, [*found.notes, *prober.notes])


def _wants_http(plan: Plan) -> bool:
    return plan.http and not plan.starttls and plan.policy.looks_at("http")


def client_hello_of(plan: Plan, server_name: bytes | None) -> ClientHello:
    """The hello of the plan's client for one host."""
    rng = random.Random(f"{plan.seed} client")
    if plan.client is None:
        return profile_hello(profile(plan.policy.client), rng=rng, server_name=server_name)
    hello = replayed(plan.client, rng=rng, server_name=server_name)
    return with_extension(hello, SERVER_NAME, None) if server_name is None else hello


def verdict_of(
    host: str,
    port: int,
    addresses: Sequence[Address],
    plan: Plan,
    visited: Sequence[Visited],
    *,
    notes: list[str],
    endpoint: Endpoint,
    started: dt.datetime,
    elapsed: float,
    error: str | None = None,
) -> Verdict:
    """The verdict of everything that was seen."""
    reached = [one for one in visited if one.seen.reachable]
    differences = differing([one.seen for one in reached])
    facts = Facts()
    for one in reached:
        facts.merge(one.seen.facts)
    facts.add(_nodes([one.seen for one in visited], differences))
    rules = judge(plan.policy, facts, proofs=plan.proofs) if reached else []
    unreached = [one for one in visited if not one.seen.reachable]
    # An address that cannot be reached from here may be what a device gets: the whole is then not known.
    verdict = overall(rules) if reached else "unknown"
    if unreached and verdict in {"pass", "warn"}:
        verdict = "unknown"
    name = sni_of(host, plan.server_name)
    return Verdict(
        policy=plan.policy.name,
        title=plan.policy.title,
        edition=plan.policy.edition,
        target=Target(
            host,
            port,
            addresses[0].host if len(addresses) == 1 and addresses[0].family != transport.UNRESOLVED else None,
            None if name is None else name.decode("ascii"),
            plan.starttls or None,
            None if plan.proxy is None else str(plan.proxy),
        ),
        endpoint=endpoint,
        verdict=verdict,
        complete=verdict != "unknown" and not any(rule.verdict == "unknown" for rule in rules),
        reachable=bool(reached),
        connections=sum(one.connections for one in visited),
        started=started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        elapsed_s=round(elapsed, 4),
        rules=rules,
        nodes=[_node(one, differences) for one in visited],
        handshakes=[shown for one in visited for shown in one.seen.handshakes],
        chains=list({chain.sha256: chain for one in visited for chain in one.seen.chains.values()}.values()),
        http=[hop for one in visited for hop in one.seen.hops],
        notes=notes,
        error=error or next((one.seen.error for one in visited if one.seen.error), None),
        tool=Tool("tlswire", __version__),
    )


def _node(one: Visited, differences: dict[str, list[str]]) -> Node:
    return Node(
        address=one.seen.address,
        reachable=one.seen.reachable,
        connections=one.connections,
        differs=differences.get(one.seen.address, []),
        error=one.seen.error,
    )


def _nodes(seen: Sequence[Seen], differences: dict[str, list[str]]) -> list[Subject]:
    found = []
    for one in seen:
        differs = differences.get(one.address, [])
        values = {"reachable": one.reachable, "differs": bool(differs)}
        notes = {"differs": "; ".join(differs)} if differs else {}
        found.append(Subject("node", f"address {one.address}", values, node=one.address, notes=notes))
    return found


def differing(seen: Sequence[Seen]) -> dict[str, list[str]]:
    """The addresses that are unlike most others, and in which ways."""
    found: dict[str, list[str]] = {}
    traits = {one.address: _traits(one) for one in seen}
    for name in sorted({name for known in traits.values() for name in known}):
        counts = Counter(known.get(name, "nothing") for known in traits.values())
        usual = counts.most_common(1)[0][0]
        for address, known in traits.items():
            value = known.get(name, "nothing")
            if value != usual:
                found.setdefault(address, []).append(f"{name}: {value}, elsewhere {usual}")
    return found


def _traits(seen: Seen) -> dict[str, str]:
    """What nodes of one name should have in common."""
    found = {}
    for shown in seen.handshakes:
        for field in ("version", "suite", "group", "signature_scheme", "extended_master_secret", "certificate"):
            value = getattr(shown, field)
            told = "no answer" if value is None else str(value)[:16] if field == "certificate" else str(value)
            found[f"{shown.offer} {field.replace('_', ' ')}"] = told
    for subject in seen.facts.of("version"):
        found[subject.told("version")] = "accepted" if subject.get("accepted") else "not accepted"
    for subject in seen.facts.of("suite"):
        found[f"{subject.told('version')} suite {subject.told('suite')}"] = "accepted"
    for subject in seen.facts.of("group"):
        found[f"{subject.told('version')} group {subject.told('group')}"] = "accepted"
    return found
