"""What a test does about a server that is not installed: skip with the reason, or fail where all must be there."""

from __future__ import annotations

import os

import pytest

from .catalogue import BY_NAME, Row, available


def require(name: str) -> Row:
    """The named row, if it can run here; with TLSWIRE_REQUIRE_STACKS=1 a missing server is a failure."""
    row = BY_NAME[name]
    if (reason := available(row)) is not None:
        if os.environ.get("TLSWIRE_REQUIRE_STACKS") == "1":
            pytest.fail(f"{name}: {reason}")
        pytest.skip(f"{name}: {reason}")
    return row
