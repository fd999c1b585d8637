"""The contract of every output: frozen result models, and the JSON Schema published from them.

Codes are strings (``0xC02F``) beside their names, times are seconds or RFC 3339 UTC. Keys may be added before 1.0,
never renamed. Must not import anything of tlswire but ``errors`` and ``registry``; holds no logic but derivation.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tlswire.results.applelog import APPLELOG_SCHEMA, AppleLog
from tlswire.results.diff import DIFF_SCHEMA, Diff
from tlswire.results.finding import FINDING_SCHEMA, ProvenFinding
from tlswire.results.fuzz import FUZZ_SCHEMA, Fuzz
from tlswire.results.fuzz_compare import FUZZ_COMPARE_SCHEMA, FuzzCompare
from tlswire.results.scan import SCAN_SCHEMA, Scan
from tlswire.results.session import SESSION_SCHEMA, Session
from tlswire.results.verdict import VERDICT_SCHEMA, Verdict
from tlswire.results.what_if import WHAT_IF_SCHEMA, WhatIf

SCHEMAS: dict[str, type[msgspec.Struct]] = {
    SCAN_SCHEMA: Scan,
    SESSION_SCHEMA: Session,
    VERDICT_SCHEMA: Verdict,
    WHAT_IF_SCHEMA: WhatIf,
    APPLELOG_SCHEMA: AppleLog,
    DIFF_SCHEMA: Diff,
    FUZZ_SCHEMA: Fuzz,
    FUZZ_COMPARE_SCHEMA: FuzzCompare,
    FINDING_SCHEMA: ProvenFinding,
}


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an output format, such as ``tlswire.scan/1``."""
    schema: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name}
    # Defaults of tuples are lists in JSON: what is compared and printed is what stands in a file.
    whole: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema | msgspec.json.schema(SCHEMAS[name])))
    return whole


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
