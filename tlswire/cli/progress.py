"""Progress on a terminal's stderr: one bar over all pairs of all hosts, with connections made, or over
the cases of a campaign. Nothing elsewhere.

Must not import anything of tlswire but result and progress types.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

from tlswire.escape import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.fuzz.campaign import Progress as Campaigned
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
        with _bar("{task.fields[connections]} connections") as bar:
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


class FuzzLine:
    """One bar for a campaign: cases done, connections a second, classes of reactions seen, what deviates."""

    def __init__(self, name: str, *, enabled: bool) -> None:
        self._name = name
        self._enabled = enabled
        self._bar: Any = None
        self._job: Any = None

    @property
    def callback(self) -> Callable[[Campaigned], None] | None:
        """Who is told of the progress; None where nobody looks."""
        return self._draw if self._enabled else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _draw(self, now: Campaigned) -> None:
        if now.elapsed < _PATIENCE:
            return
        if self._bar is None:
            self._bar = _bar("{task.fields[told]}")
            self._job = self._bar.add_task(printable(self._name), total=now.total or 1, told="")
            self._bar.start()
        told = (
            f"{now.done} of {now.total} cases, {now.connections / now.elapsed:.0f} a second, "
            f"{now.reactions} kinds of reaction, {now.findings} deviate"
        )
        self._bar.update(self._job, total=now.total or 1, completed=now.done, told=told)


def _bar(words: str) -> Any:
    """Rich's bar on stderr with ``words`` behind it; it is gone when it ends."""
    from rich.console import Console  # noqa: PLC0415 - only a terminal shows progress
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn(words, markup=False),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=10)
