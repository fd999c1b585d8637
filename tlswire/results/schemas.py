"""The JSON Schemas published from the result models, by the names of their formats.

Apart from the models because it needs all of them. Must not import anything of tlswire but ``results``.
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
