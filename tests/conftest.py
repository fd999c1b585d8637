"""Says in the summary which real servers are missing, so that nobody takes a short run for a full one, and with which
of them handshakes were completed; and that Ctrl-C works in tests wherever they run.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.servers.catalogue import ALL, available
from tests.summary import COMPLETED

if TYPE_CHECKING:
    import pytest


def pytest_configure() -> None:
    """A shell makes what it starts in the background ignore SIGINT, which our own commands would inherit and never end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = [(row.name, reason) for row in ALL if (reason := available(row)) is not None]
    if missing:
        terminalreporter.section("real servers that are missing here (make stacks installs them)")
        for name, reason in missing:
            terminalreporter.line(f"{name}: {reason}")
    else:
        terminalreporter.line(f"all {len(ALL)} real servers are installed")
    completed = terminalreporter.config.stash.get(COMPLETED, {})
    if completed:
        terminalreporter.section("completed handshakes: both Finished verified, one request answered")
        for name, versions in sorted(completed.items()):
            for version, exchanges in versions.items():
                terminalreporter.line(f"{name:<18} {version}  {' '.join(exchanges)}")
