"""``tlswire.verdict/1``: what a policy says of one target, rule by rule, with what proves it and what to change.

Must not import anything of tlswire but ``certificates`` and ``results``; holds no logic.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.certificates import PresentedChain  # noqa: TC001 - msgspec reads the annotations
from tlswire.results.proof import Proof  # noqa: TC001 - as above
from tlswire.results.scan import Target, Tool  # noqa: TC001 - as above

VERDICT_SCHEMA: Literal["tlswire.verdict/1"] = "tlswire.verdict/1"

# exempt: the endpoint's role is one the policy does not cover. not-applicable: there was nothing the rule is about.
Judgement = Literal["pass", "warn", "fail", "unknown", "exempt"]
RuleJudgement = Literal["pass", "warn", "fail", "unknown", "not-applicable"]


class Evidence(msgspec.Struct, frozen=True):
    """What was seen, in one line: of ``subject`` at the address ``node`` (null: all, or there is only one)."""

    text: str
    subject: str
    node: str | None = None
    proof: Proof | None = None


class RuleVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: a broken one of level must is a fail, of level should a warning. ``verified`` says how sure the source
    is; ``fix`` names a remedy that can be pasted (``tlswire remedy``), null where there is none.
    """

    id: str
    level: Literal["must", "should"]
    verdict: RuleJudgement
    title: str
    evidence: list[Evidence]
    remedy: str
    source: str
    verified: str | None = None
    fix: str | None = None


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """What to change in one product for ``rules``: ``run`` these commands, put ``text`` at ``where`` in place of the
    settings ``instead_of``, then ``reload``. Empty is what it does not take. ``since`` names the oldest versions that can,
    ``verified`` says how sure it is.
    """

    fix: str
    rules: list[str]
    product: str
    title: str
    where: str
    instead_of: list[str]
    run: str
    text: str
    reload: str
    since: str
    note: str
    source: str
    verified: str


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """What one client got: ``offer`` says which (client, small, tls12, wide), ``title`` so in words, ``ending`` how it ended; codes
    beside names, null where it did not come so far. ``certificate`` is the leaf's SHA-256.
    """

    node: str
    offer: str
    title: str
    finished: bool
    ending: str
    version: str | None = None
    version_code: str | None = None
    suite: str | None = None
    suite_code: str | None = None
    group: str | None = None
    group_code: str | None = None
    signature_scheme: str | None = None
    extended_master_secret: bool | None = None
    alpn: str | None = None
    certificate: str | None = None


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One answer over HTTP: ``location`` is where it sends the client, ``problem`` why it is none."""

    url: str
    status: int | None = None
    location: str | None = None
    content_type: str | None = None
    server: str | None = None
    hsts_seconds: int | None = None
    problem: str | None = None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """One address of the target. ``differs`` says in which ways it is unlike most others."""

    address: str
    reachable: bool
    connections: int
    differs: list[str]
    error: str | None = None


class Endpoint(msgspec.Struct, frozen=True):
    """How an inventory calls the target: its role in device management, environment, and a name."""

    role: str | None = None
    environment: str | None = None
    name: str | None = None


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one client got at a target's first address: the policy's verdict on that handshake alone, and the rules of
    level must that it breaks.
    """

    client: str
    verdict: Judgement
    broken: list[str]
    handshake: Handshake


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """``tlswire.verdict/1``: what a policy says of one target, all its addresses together. ``fixes`` and ``matrix`` are
    there when they were asked for.
    """

    schema: Literal["tlswire.verdict/1"] = VERDICT_SCHEMA
    policy: str
    title: str
    edition: str
    target: Target
    endpoint: Endpoint = Endpoint()
    verdict: Judgement
    complete: bool
    reachable: bool
    connections: int
    started: str
    elapsed_s: float
    rules: list[RuleVerdict]
    nodes: list[Node]
    handshakes: list[Handshake]
    chains: list[PresentedChain]
    http: list[Hop]
    fixes: list[Fix] = []
    matrix: list[Cell] = []
    notes: list[str]
    error: str | None
    tool: Tool
