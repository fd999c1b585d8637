"""``tlswire live``: the sessions of a network interface as they happen, in the forms that ``tlswire pcap`` has.

Ends by time, by number of sessions, or with Ctrl-C, always with the report. Must not hold logic of the reading or of
the formats themselves.
"""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import click

from tlswire.capture.jobs import Report
from tlswire.capture.live import LiveCapture, interface_names
from tlswire.capture.reader import Reading
from tlswire.cli.pcap import Renderer, Run, writing
from tlswire.cli.session_options import outputs, read_keylogs
from tlswire.cli.wanted import Wanted
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from tlswire.crypto.keylog import KeyLog

DEFAULT_SECONDS = 60.0


@click.command()
@click.argument("interface", required=False, metavar="IFACE")
@outputs
@click.option(
    "--seconds",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help=f"Stop after so many seconds (default {DEFAULT_SECONDS:.0f}, or none with --max-sessions).",
)
@click.option("--max-sessions", type=click.IntRange(1), metavar="N", help="Stop after so many sessions.")
def command(
    interface: str | None,
    *,
    seconds: float | None,
    max_sessions: int | None,
    keylogs: tuple[str, ...],
    **options: Any,
) -> None:
    """Tell the TLS, DTLS and QUIC sessions of a network interface as they happen.

    Needs the right to capture (root). Ctrl-C ends it with the report. Exit codes: 0 fine, 1 sessions asked for by
    --fail-on, 2 wrong usage or an interface that cannot be opened, 3 packets were lost.
    """
    if interface is None:
        raise UsageError("interface", f"none given; there are {', '.join(interface_names()) or 'none'}")
    if seconds is not None and not math.isfinite(seconds):
        raise UsageError(str(seconds), "is not a finite number", "--seconds")
    wanted = Wanted.of(**options)
    keylog = read_keylogs(keylogs)
    if seconds is None and max_sessions is None:
        seconds = DEFAULT_SECONDS
    with writing(), Run(wanted) as run:
        with Stop(seconds, max_sessions) as stop, LiveCapture(interface, stop) as capture:
            if not wanted.quiet and sys.stderr.isatty():
                click.echo(f"tlswire: listening on {interface}{stop}, Ctrl-C ends it", err=True)
            listen(run, capture, stop, keylog)
        code = run.finish()
    sys.exit(code)


class Stop:
    """Says when to stop: by the clock, by the number of sessions, or when asked to with SIGINT or SIGTERM."""

    def __init__(self, seconds: float | None, sessions: int | None) -> None:
        self.left = sessions
        self._seconds = seconds
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds
        self._asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __call__(self) -> bool:
        """Whether it is time."""
        return self._asked or self.left == 0 or time.monotonic() >= self._deadline

    def __str__(self) -> str:
        bounds = [f"{self._seconds:g} seconds"] if self._seconds is not None else []
        if self.left is not None:
            bounds.append(f"{self.left} session{'s' * (self.left != 1)}")
        return f" for {' or '.join(bounds)}" if bounds else ""

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(ValueError):  # only the main thread may
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        # The second time in earnest.
        self._asked = True
        signal.signal(number, self._before[signal.Signals(number)])


def listen(run: Run, capture: Any, stop: Stop, keylog: KeyLog | None = None) -> None:
    """Write the sessions of an open interface as they are complete, and what was met in the end."""
    work = Renderer(run.wanted)
    reading = Reading(capture, keylog=keylog)
    for found in reading:
        counted = work.matched
        if (item := work(found)) is not None:
            run.write(item, flush=True)
        if stop.left is not None and work.matched > counted:
            stop.left -= 1
            if not stop.left:
                break
    capture.close()
    run.ended(
        Report(
            reading.name,
            frames=reading.frames,
            size=reading.position,
            flows=reading.flows,
            evicted=reading.evicted,
            encrypted_only=reading.encrypted_only,
            damage=reading.damage,
            ignored=reading.ignored,
            sums=[work.close()],
        )
    )
