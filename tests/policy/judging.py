"""A server of the matrix under a policy: everything that `tlswire check` does but reading the command line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.policy.chains import made
from tests.policy.minting import NOW
from tlswire.certificates.stores import Anchors
from tlswire.check.endpoint import check_target
from tlswire.check.plan import Plan
from tlswire.lab.keys import certificate
from tlswire.policy.shipped import shipped
from tlswire.probe.targets import parse_target
from tlswire.scan.pacing import Limits
from tlswire.scan.trust import public_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.policy.rows import Row
    from tlswire.probe.transport import Address
    from tlswire.results.verdict import Verdict


def judged(row: Row, nodes: Sequence[Address], policy: str = "apple-mdm-27") -> Verdict:
    """The verdict of ``policy`` on the row's server at ``nodes``, with its root known as the row says."""
    root = made(row.chains[0]).anchor.der if row.chains else certificate("rsa")
    anchors = Anchors("root", [root])
    plan = Plan(
        policy=shipped(policy),
        public=anchors if row.anchors == "public" else public_store(),
        given={"root": anchors} if row.anchors == "given" else {},
        limits=Limits(timeout=10.0),
        now=NOW,
    )
    (target,) = parse_target(row.host)
    return asyncio.run(check_target(target.host, nodes, plan))
