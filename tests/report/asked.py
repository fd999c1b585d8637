"""Scans and verdicts of lab servers, and the same with hostile strings wherever a server or a user may have put them."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from tlswire.check.endpoint import check_target
from tlswire.check.plan import Plan
from tlswire.lab.server import running
from tlswire.policy.shipped import shipped
from tlswire.probe.transport import Address
from tlswire.results.scan import Finding, Scan
from tlswire.results.verdict import Evidence, Fix, Verdict
from tlswire.scan.pacing import Limits
from tlswire.scan.scanner import Options, scan_host
from tlswire.scan.trust import public_store

from .made import HOSTILE

if TYPE_CHECKING:
    from tlswire.report.items import Result

NASTY = (
    HOSTILE
    + "<script>alert(1)</script> | `x` [a](https://evil.example) @team www.evil.example ]]> {0} &lt; \\| _a_ **b**"
)


@cache
def scan(character: str = "plain") -> Scan:
    with running(character) as lab:
        return scan_host("127.0.0.1", lab.port, Options(method="eliminate"))


@cache
def verdict(character: str = "plain") -> Verdict:
    plan = Plan(policy=shipped("apple-mdm-27"), public=public_store(), limits=Limits(timeout=10.0))
    with running(character) as lab:
        return asyncio.run(check_target("127.0.0.1", [Address("127.0.0.1", lab.port)], plan))


def unreached() -> tuple[Scan, Verdict]:
    """Of a target where nothing listens, with reasons of its own."""
    gone = {"reachable": False, "complete": False, "error": NASTY}
    nothing = msgspec.structs.replace(scan(), versions=[], findings=[], **gone)
    return nothing, msgspec.structs.replace(verdict(), rules=[], verdict="unknown", **gone)


def hostile(text: str = NASTY) -> tuple[Scan, Verdict]:
    """Both, with ``text`` in every place that a server or a user fills."""
    target = msgspec.structs.replace(scan().target, host=text, address=text, server_name=text, starttls=text)
    finding = Finding(text, text, text, text, text, [text, text], remedy=text, cve=[text])
    said = [Evidence(text, text, text), Evidence("", "", None)]
    rules = [
        msgspec.structs.replace(rule, id=f"{text}{number}", title=text, evidence=said, remedy=text, source=text)
        for number, rule in enumerate(verdict().rules)
    ]
    old = scan().versions[2]
    suite = msgspec.structs.replace(old.suites[0], name=text, openssl_name=text, reasons=[text, text])
    version = msgspec.structs.replace(old, suites=[suite])
    parts = dict.fromkeys(Fix.__struct_fields__, text)
    fix = Fix(**parts | {"rules": [text], "instead_of": [text], "text": f"{text}\n```\n{text}"})  # type: ignore[arg-type]  # of Fix's fields
    told = {"target": target, "error": text, "notes": [text]}
    return (
        msgspec.structs.replace(scan(), versions=[version], findings=[finding, finding], **told),
        msgspec.structs.replace(verdict(), rules=rules, policy=text, title=text, edition=text, fixes=[fix], **told),
    )


def every() -> tuple[Result, ...]:
    return (scan(), verdict(), *unreached(), *hostile())
