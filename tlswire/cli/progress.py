"""Progress on a terminal's stderr: one bar over all pairs of all hosts, with connections made. Nothing elsewhere.

Must not import anything of tlswire but result and progress types.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.probe.transport import Address
    from tlswire.scan.scanner import Progress

# Short scans finish before a bar is worth drawing.
_PATIENCE = 0.4


class ProgressLine:
    """Hands out a Progress per host and draws their sum ten times a second while it is entered."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._hosts: dict[str, Progress] = {}
        self._bar: Any = None
        self._thread: Any = None
        self._stop: Any = None

    def host(self, host: str, address: Address) -> Progress:
        """The Progress that the scan of ``address`` updates."""
        from tlswire.scan.scanner import Progress  # noqa: PLC0415 - the scanner is loaded by then

        progress = Progress()
        self._hosts[str(address) if host == address.host else f"{host} {address}"] = progress
        return progress

    def many(self, total: int) -> Progress:
        """The Progress of one job of many parts."""
        from tlswire.scan.scanner import Progress  # noqa: PLC0415 - as above

        self._hosts[f"{total} endpoints"] = progress = Progress(total)
        return progress

    def __enter__(self) -> Self:
        if self._enabled:
            import threading  # noqa: PLC0415 - only a terminal shows progress

            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._draw, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join()

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the bar away while a report is printed."""
        bar = self._bar
        if bar is not None:
            bar.stop()
        try:
            yield
        finally:
            if bar is not None and not self._stop.is_set():
                bar.start()

    def _draw(self) -> None:
        if self._stop.wait(_PATIENCE):
            return
        from rich.console import Console  # noqa: PLC0415 - as threading
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[connections]} connections", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=10) as bar:
            self._bar = bar
            job = bar.add_task("", total=1, connections=0)
            while not self._stop.wait(0.1):
                hosts = list(self._hosts.values())
                name = next(iter(self._hosts), "") if len(hosts) == 1 else f"{len(hosts)} hosts"
                bar.update(
                    job,
                    description=printable(name),
                    total=sum(host.total for host in hosts) or 1,
                    completed=sum(host.settled for host in hosts),
                    connections=sum(host.connections for host in hosts),
                )
        self._bar = None
