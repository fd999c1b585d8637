"""``tlswire.scan/1``: everything one scan learnt of one address of one target.

Must not import anything of tlswire but ``registry``; holds no logic.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.registry.ratings import Grade  # noqa: TC001 - msgspec reads the annotations
from tlswire.results.answers import Answers
from tlswire.results.proof import Proof  # noqa: TC001 - as above

SCAN_SCHEMA: Literal["tlswire.scan/1"] = "tlswire.scan/1"

Verdict = Literal["accepted", "rejected", "unknown"]


class Target(msgspec.Struct, frozen=True):
    """What was asked: ``host`` as given, the numeric ``address`` used (null: a proxy resolved the name), the SNI sent
    (null: none), the protocol whose STARTTLS dialogue came first, and the proxy without who asked it.
    """

    host: str
    port: int
    address: str | None
    server_name: str | None
    starttls: str | None = None
    proxy: str | None = None


class Suite(msgspec.Struct, frozen=True):
    """An accepted suite. ``grade`` and ``reasons`` say how it is rated and why; ``proof`` is the hello that offered
    it alone and what came back; ``group`` is the key share's group (TLS 1.3).
    """

    code: str
    name: str
    openssl_name: str
    verdict: Verdict
    key_exchange: str
    authentication: str
    encryption: str
    bits: int
    forward_secrecy: bool
    grade: Grade
    reasons: list[str]
    answer: Literal["hello", "retry"]
    group: str | None
    proof: Proof


class Refusals(msgspec.Struct, frozen=True):
    """How many suites were refused in one way, such as ``alert:handshake_failure`` or ``close``."""

    answer: str
    count: int


class Version(msgspec.Struct, frozen=True):
    """One protocol version. ``candidates`` counts the suites to ask, ``tried`` those asked. ``suites`` are in the server's order where it has one, else in registry order;
    ``unknown`` lists the codes that stayed without an answer.
    """

    version: str
    code: str
    verdict: Verdict
    preference: Literal["server", "client", "unknown"]
    suites: list[Suite]
    candidates: int
    tried: int
    unknown: list[str]
    refusals: list[Refusals]


class Finding(msgspec.Struct, frozen=True):
    """Something a reader should know: ``category`` is what ``--fail-on`` names.

    ``question`` names the question it comes from (null: the suites), ``cve`` the vulnerabilities it opens the door to,
    ``remedy`` what to change.
    """

    id: str
    category: str
    text: str
    source: str
    version: str | None = None
    suites: list[str] = []
    question: str | None = None
    cve: list[str] = []
    remedy: str | None = None


class Fault(msgspec.Struct, frozen=True):
    """Something the server did against the protocol, and how often."""

    kind: str
    text: str
    count: int


class Tool(msgspec.Struct, frozen=True):
    """What made the result."""

    name: str
    version: str


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """``tlswire.scan/1``: everything one scan learnt of one address of one target."""

    schema: Literal["tlswire.scan/1"] = SCAN_SCHEMA
    target: Target
    complete: bool
    reachable: bool
    connections: int
    started: str
    elapsed_s: float
    method: Literal["each", "eliminate"]
    all_codes: bool
    seed: int
    versions: list[Version]
    answers: Answers = Answers()
    findings: list[Finding]
    faults: list[Fault]
    notes: list[str]
    error: str | None
    tool: Tool
