"""The shortest way from Python: one host judged by a policy.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tlswire.check.plan import Plan
from tlswire.check.runner import Job, check_job
from tlswire.policy.shipped import DEFAULT, policy_of
from tlswire.scan.pacing import Limits
from tlswire.scan.trust import public_store, read_store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tlswire.results.verdict import Verdict


async def check_host_async(
    host: str,
    port: int = 443,
    *,
    policy: str = DEFAULT,
    anchors: Iterable[Path] = (),
    starttls: str = "",
    timeout: float = 5.0,
    http: bool = True,
) -> Verdict:
    """What ``policy`` (a shipped one, or the path of a TOML file) says of every address of ``host``.

    ``anchors`` are files of CAs that clients trust beside the public ones; ``timeout`` is seconds for one answer;
    ``http`` asks for one answer over HTTPS. Never raises for what a server does; a host that does not resolve is a
    verdict, too. Raises UsageError for a policy or a file that cannot be read.
    """
    plan = Plan(
        policy=policy_of(policy),
        public=public_store(),
        given={str(path): read_store(str(path), path) for path in anchors},
        starttls=starttls,
        http=http,
        limits=Limits(timeout=timeout),
    )
    return await check_job(Job(host=host, port=port, plan=plan))


def check_host(
    host: str,
    port: int = 443,
    *,
    policy: str = DEFAULT,
    anchors: Iterable[Path] = (),
    starttls: str = "",
    timeout: float = 5.0,
    http: bool = True,
) -> Verdict:
    """``check_host_async`` for code without an event loop."""
    return asyncio.run(
        check_host_async(host, port, policy=policy, anchors=anchors, starttls=starttls, timeout=timeout, http=http)
    )
