"""``tlswire.fuzz/1``: how one server reacted to every case, what deviates, and the bytes that show it.

Must not import anything of tlswire but the rest of ``results``; holds no logic.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.fuzz_compare import Likeness  # noqa: TC001 - msgspec reads the annotations
from tlswire.results.scan import Target, Tool  # noqa: TC001 - msgspec reads the annotations

FUZZ_SCHEMA: Literal["tlswire.fuzz/1"] = "tlswire.fuzz/1"


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """One case. ``first`` is the first decisive message (``server-hello``, ``retry``, ``alert:47``, ``close``,
    ``none``, ``not-tls``), ``reaction`` the class of the whole flight, ``flight`` its messages in order; both are
    empty where the case was not sent. ``reasons`` say what deviates, or why there is no verdict; ``repeated`` counts
    how often the reaction was seen.
    """

    id: str
    name: str
    group: str
    base: str
    difference: str
    clause: str
    level: Literal["MUST", "SHOULD", "MAY", "unspecified"]
    first: str
    reaction: str
    flight: list[str]
    allowed: list[str]
    verdict: Literal["conforms", "deviates", "not-applicable", "unknown"]
    reasons: list[str]
    version: str | None
    repeated: int
    elapsed_s: float


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What deviates for one cause: the cases that show it, and the bytes of the smallest of them.

    ``differences`` are the fields in which its hello differs from the valid one, a line each; bytes are hex, as sent and
    received, cut after 32 KiB (``cut``). ``evidence`` is the folder that holds all of it, ``tlswire.finding/1`` among it,
    where one was asked for.
    """

    cause: str
    level: Literal["MUST", "SHOULD", "MAY", "unspecified"]
    cases: list[str]
    clause: str
    text: str
    history: str
    case: str
    differences: list[str]
    sent: str
    received: str
    cut: bool
    contacts: int
    evidence: str | None = None


class Fuzz(msgspec.Struct, frozen=True, kw_only=True):
    """``tlswire.fuzz/1``: a campaign against one address. ``features`` are what the server was judged on; ``last`` is
    the case that was sent last when it went down; ``stack`` is the server's software as far as somebody said what it is,
    ``likeness`` the known stacks that react most alike, the nearest first (null: nobody asked).
    """

    schema: Literal["tlswire.fuzz/1"] = FUZZ_SCHEMA
    target: Target
    seed: int
    complete: bool
    reachable: bool
    connections: int
    started: str
    elapsed_s: float
    features: list[str]
    cases: list[CaseResult]
    findings: list[Finding]
    last: list[str]
    notes: list[str]
    error: str | None
    tool: Tool
    stack: str | None = None
    likeness: list[Likeness] | None = None
