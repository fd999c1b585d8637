"""Says in the summary which real servers are missing, so that nobody takes a short run for a full one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.catalogue import ALL, available

if TYPE_CHECKING:
    import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = [(row.name, reason) for row in ALL if (reason := available(row)) is not None]
    if missing:
        terminalreporter.section("real servers that are missing here (make stacks installs them)")
        for name, reason in missing:
            terminalreporter.line(f"{name}: {reason}")
    else:
        terminalreporter.line(f"all {len(ALL)} real servers are installed")
