"""``tlswire.what-if/1``: which clients of a capture could connect if servers spoke only what a policy allows.

Must not import anything of tlswire; holds no logic.
"""

from __future__ import annotations

from typing import Literal

import msgspec

WHAT_IF_SCHEMA: Literal["tlswire.what-if/1"] = "tlswire.what-if/1"


class Choice(msgspec.Struct, frozen=True):
    """The best a server could choose of one hello: codes beside names, null where there is no such thing to choose."""

    version: str
    version_name: str
    suite: str
    suite_name: str
    group: str | None = None
    group_name: str | None = None
    signature_scheme: str | None = None
    signature_scheme_name: str | None = None
    extended_master_secret: bool = False


class Prospect(msgspec.Struct, frozen=True):
    """What becomes of one hello: ``choice`` where it could connect, and ``warnings``, the rules of level should that even
    this breaks; else ``broken``, the rules that stand in the way of everything it offers. All are empty where that cannot
    be told.
    """

    choice: Choice | None
    broken: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Device(msgspec.Struct, frozen=True):
    """Who sent a hello: an address, or a process where the capture names it. ``last_seen`` is RFC 3339 UTC."""

    name: str
    sessions: int
    last_seen: str | None


class Client(msgspec.Struct, frozen=True):
    """Sessions of one fingerprint (JA4, or in brackets why there is none) that share their prospects.

    ``more`` says that there are more devices, processes or names than are listed.
    """

    client: str
    verdict: Literal["can", "cannot", "unknown"]
    choice: Choice | None
    broken: list[str]
    warnings: list[str]
    sessions: int
    last_seen: str | None
    devices: list[Device]
    processes: list[Device]
    server_names: list[str]
    more: bool


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """All clients, those that could not connect first. ``complete``: no client was left out for want of room."""

    schema: Literal["tlswire.what-if/1"] = WHAT_IF_SCHEMA
    policy: str
    title: str
    edition: str
    sessions: int
    can: int
    cannot: int
    unknown: int
    complete: bool
    clients: list[Client]
