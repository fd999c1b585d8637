"""Real servers, each judged by apple-mdm-27: exactly the rules that are broken fail."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.policy.judging import judged
from tests.policy.rows import ROWS, Row
from tests.policy.servers import Fleet
from tests.servers.gate import require
from tlswire.report.verdict import render

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.stacks


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with contextlib.ExitStack() as stack:
        yield Fleet(ROWS, tmp_path_factory.mktemp("chains"), stack)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_exactly_the_broken_rules_fail(row: Row, fleet: Fleet) -> None:
    if row.server.needs:
        require(row.server.needs)
    with fleet.running(row) as nodes:
        verdict = judged(row, nodes)
    found = {kind: {rule.id for rule in verdict.rules if rule.verdict == kind} for kind in ("fail", "warn", "unknown")}
    shown = render(verdict, verbose=True)
    assert found["fail"] == row.fails, shown
    assert found["warn"] == row.warns, shown
    assert verdict.verdict == row.verdict, shown
    assert {chain.sha256 for chain in verdict.chains} <= fleet.shown(row), shown
    # What stands behind a handshake that fails is not asked.
    assert row.fails or found["unknown"] == row.unknown, shown


def test_the_matrix_is_as_large_as_promised() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 80
