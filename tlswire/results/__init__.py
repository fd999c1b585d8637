"""The contract of every output: frozen result models, and the JSON Schema published from them.

Codes are strings (``0xC02F``) beside their names, times are seconds or RFC 3339 UTC. Keys may be added before 1.0,
never renamed. Must not import anything of tlswire but ``errors`` and ``registry``; holds no logic but derivation.

The names below load on first use (PEP 562): who reads captures need not build the models of scans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tlswire.results.applelog import APPLELOG_SCHEMA, AppleLog
    from tlswire.results.diff import DIFF_SCHEMA, Diff
    from tlswire.results.finding import FINDING_SCHEMA, ProvenFinding
    from tlswire.results.fuzz import FUZZ_SCHEMA, Fuzz
    from tlswire.results.scan import SCAN_SCHEMA, Scan
    from tlswire.results.schemas import SCHEMAS, json_schema
    from tlswire.results.session import SESSION_SCHEMA, Session
    from tlswire.results.verdict import VERDICT_SCHEMA, Verdict
    from tlswire.results.what_if import WHAT_IF_SCHEMA, WhatIf

_HOMES = {
    "applelog": ("APPLELOG_SCHEMA", "AppleLog"),
    "diff": ("DIFF_SCHEMA", "Diff"),
    "finding": ("FINDING_SCHEMA", "ProvenFinding"),
    "fuzz": ("FUZZ_SCHEMA", "Fuzz"),
    "scan": ("SCAN_SCHEMA", "Scan"),
    "schemas": ("SCHEMAS", "json_schema"),
    "session": ("SESSION_SCHEMA", "Session"),
    "verdict": ("VERDICT_SCHEMA", "Verdict"),
    "what_if": ("WHAT_IF_SCHEMA", "WhatIf"),
}


def to_json(result: msgspec.Struct, *, indent: int = 0) -> bytes:
    """A result as UTF-8 JSON; ASCII control characters are escaped by JSON itself."""
    data = msgspec.json.encode(result)
    return msgspec.json.format(data, indent=indent) if indent else data


__all__ = [
    "APPLELOG_SCHEMA",
    "DIFF_SCHEMA",
    "FINDING_SCHEMA",
    "FUZZ_SCHEMA",
    "SCAN_SCHEMA",
    "SCHEMAS",
    "SESSION_SCHEMA",
    "VERDICT_SCHEMA",
    "WHAT_IF_SCHEMA",
    "AppleLog",
    "Diff",
    "Fuzz",
    "ProvenFinding",
    "Scan",
    "Session",
    "Verdict",
    "WhatIf",
    "json_schema",
    "to_json",
]


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415 - nothing is imported before it is asked for

    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module 'tlswire.results' has no attribute {name!r}")
