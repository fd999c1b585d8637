"""``tlswire.applelog/1``: what the logs of Apple devices say about servers that break App Transport Security.

Must not import anything of tlswire but ``results``; holds no logic.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.scan import Tool  # noqa: TC001 - msgspec reads the annotations

APPLELOG_SCHEMA: Literal["tlswire.applelog/1"] = "tlswire.applelog/1"

# audit: a warning, as OS 26.4 and later logs it. enforced: the device refused. unknown: the line does not say.
Phase = Literal["audit", "enforced", "unknown"]
# How the words of a line are known. derived: the line is known, what follows from it was concluded.
Sureness = Literal["verified", "second-hand", "derived"]


class Counted(msgspec.Struct, frozen=True):
    """A name or value and how many lines had it; ``…`` stands for all beyond the bound."""

    text: str
    count: int


class Reason(msgspec.Struct, frozen=True):
    """One check of a certificate that failed before a violation: ``check`` in Apple's word, ``at`` which certificate
    (``leaf``, ``ca1`` ..., ``root``), ``rule`` the policy's rule (null: none is about it).
    """

    check: str
    at: str
    rule: str | None
    meaning: str


class LogFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one kind about one server.

    ``id`` is the kind of line, ``rule`` the rule of the policy it corresponds to (null: none is named). ``first`` and
    ``last`` are RFC 3339: UTC, or without an offset where the log has none (compact), or the clock only (Console).
    ``where`` is the first such line as ``file:line``.
    """

    id: str
    rule: str | None
    phase: Phase
    count: int
    first: str | None
    last: str | None
    processes: list[Counted]
    details: list[Counted]
    reasons: list[Reason]
    meaning: str
    remedy: str
    source: str
    sureness: Sureness
    where: str


class LogServer(msgspec.Struct, frozen=True):
    """A server as the device names it (null: the device hid the name), its findings worst first."""

    server: str | None
    findings: list[LogFinding]


class Log(msgspec.Struct, frozen=True):
    """A file that was read: ``problems`` are parts that could not be, with their lines; ``untold`` counts more of them."""

    name: str
    style: str
    lines: int
    problems: list[str]
    untold: int


class AppleLog(msgspec.Struct, frozen=True, kw_only=True):
    """``tlswire.applelog/1``: all logs together, servers worst first. ``dropped`` counts lines beyond the bounds."""

    schema: Literal["tlswire.applelog/1"] = APPLELOG_SCHEMA
    policy: str
    logs: list[Log]
    complete: bool
    servers: list[LogServer]
    dropped: int
    notes: list[str]
    tool: Tool
