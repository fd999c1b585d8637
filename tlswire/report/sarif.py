"""Scans and verdicts as SARIF 2.1.0 (OASIS, 2020), for code scanning: a rule of the policy is a rule, what breaks it a result.

A server is no file. Its logical location says what it is; its physical one is the relative reference ``host/port``, since
GitHub shows no result without one and rejects a whole file for a scheme other than ``file``. Must not import anything of
tlswire but ``escape``, ``report`` and ``results``.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from tlswire.escape import printable
from tlswire.report.items import sheet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.report.items import Item, Result, Sheet
    from tlswire.results.scan import Tool

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# Section 3.27.10. What is unknown stays a note, not of another kind: where a server is down for a day, code scanning
# would take a missing result for a repaired one.
LEVELS = {"fail": "error", "warn": "warning", "unknown": "note", "note": "note"}


def chunks(results: Iterable[Result], *, whole: bool = True) -> Iterator[bytes]:
    """The file, a piece a result; not ``whole``: there should be more. What was met comes last: JSON has no order."""
    yield b'{"$schema":"%s","version":"2.1.0","runs":[{"results":[' % _SCHEMA.encode()
    rules: dict[str, tuple[int, dict[str, Any]]] = {}
    tool: Tool | None = None
    some = False
    for result in results:
        tool = result.tool
        of = sheet(result)
        found = [msgspec.json.encode(_result(of, item, rules)) for item in of.items if item.outcome in LEVELS]
        if found:
            yield (b"," if some else b"") + b",\n".join(found)
            some = True
    driver: dict[str, Any] = {"name": "tlswire", "rules": [rule for _, rule in rules.values()]}
    if tool is not None:
        driver |= {"name": printable(tool.name), "version": printable(tool.version)}
    rest = {"tool": {"driver": driver}, "invocations": [{"executionSuccessful": whole}]}
    yield b"],%s]}\n" % msgspec.json.encode(rest)[1:]


def _result(of: Sheet, item: Item, rules: dict[str, tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    rule = f"{of.judge}/{item.id}"
    index, _ = rules.setdefault(rule, (len(rules), _rule(of, item, rule)))
    path = "/".join(quote(part, safe="") for part in (of.host, str(of.port), of.starttls) if part)
    identity = hashlib.sha256(f"{of.judge}\x00{item.name}\x00{path}".encode()).hexdigest()
    return {
        "ruleId": rule,
        "ruleIndex": index,
        "level": LEVELS[item.outcome],
        "message": {"text": _message(f"{of.where}: {item.title}", *item.evidence)},
        "locations": [
            {
                # GitHub wants a line of every location, too.
                "physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": 1}},
                "logicalLocations": [{"name": of.label, "fullyQualifiedName": f"tls://{of.where}", "kind": "resource"}],
            }
        ],
        "fingerprints": {"tlswire/1": identity},
        # The only name that GitHub compares.
        "partialFingerprints": {"primaryLocationLineHash": identity},
    }


def _rule(of: Sheet, item: Item, name: str) -> dict[str, Any]:
    """The texts of findings tell what one server did: those of their rules must fit all."""
    title = (item.id.replace("-", " ") if of.judge == "scan" else item.title) or name
    labelled = (("Remedy", item.remedy), ("Source", item.source))
    said = _message(*(f"{label}: {text}" for label, text in labelled if text)) or _message(title)
    return {
        "id": name,
        "shortDescription": {"text": _message(title)},
        "help": {"text": said},
        "properties": {"tags": ["security", "tls", of.judge]},
    }


def _message(*lines: str) -> str:
    r"""Text in which nothing is a placeholder (section 3.11.5) or a link (3.11.6)."""
    text = "\n".join(lines).replace("{", "{{").replace("}", "}}")
    return text.replace("[", r"\[").replace("]", r"\]")
