"""Plans and jobs for tests."""

from __future__ import annotations

from typing import Any

from tlswire.check.plan import Plan
from tlswire.check.runner import Job
from tlswire.policy.shipped import shipped
from tlswire.scan.pacing import Limits
from tlswire.scan.trust import public_store

HOST = "127.0.0.1"
# What every server of the lab breaks: its certificate lasts for decades.
OF_THE_LAB = "validity-825"


def plan(**fields: Any) -> Plan:
    """A plan of apple-mdm-27."""
    usual: dict[str, Any] = {
        "policy": shipped("apple-mdm-27"),
        "public": public_store(),
        "limits": Limits(timeout=2.0),
    }
    return Plan(**{**usual, **fields})


def job(port: int, number: int = 0, host: str = HOST, **fields: Any) -> Job:
    """A job at a port of this machine."""
    return Job(host=host, port=port, number=number, plan=plan(**fields))
