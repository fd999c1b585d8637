"""What commands that ask servers have in common: whom to ask, how, how fast, and where the bytes and secrets go.

Every fault is a UsageError or click's own; nothing is sent.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click
import msgspec

from tlswire.cli import writing
from tlswire.cli.outputs import check_folder, writable
from tlswire.cli.scan_options import Seconds
from tlswire.errors import UsageError
from tlswire.probe import starttls as protocols
from tlswire.probe.proxy import Proxy, parse_proxy
from tlswire.probe.targets import DEFAULT_PORT, HostPort, parse_target, read_targets
from tlswire.results import to_json
from tlswire.scan.pacing import WIDTH, Limits

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tlswire.certificates.stores import Anchors
    from tlswire.probe.transport import Address
    from tlswire.report.trace import Trace

F = TypeVar("F", bound="Callable[..., Any]")
R = TypeVar("R", bound=msgspec.Struct)

# How to get to TLS: also what commands have that ask one server.
STARTTLS = click.option(
    "--starttls",
    type=click.Choice(list(protocols.BY_NAME)),
    metavar="PROTOCOL",
    help=f"Begin TLS in the middle of {', '.join(protocols.BY_NAME)}.",
)
PROXY = click.option(
    "--proxy", metavar="URL", help="Connect through http://, socks5:// or socks5h://[user:password@]host:port."
)

_OPTIONS = (
    click.argument("targets", nargs=-1, metavar="HOST[:PORT]..."),
    click.option(
        "--targets",
        "targets_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Targets from a file, one a line; # begins a comment.",
    ),
    click.option(
        "--port",
        type=click.IntRange(1, 65535),
        show_default=f"{DEFAULT_PORT}, or the usual one of --starttls",
        help="Port of targets that name none.",
    ),
    STARTTLS,
    PROXY,
    click.option("--server-name", metavar="NAME", help="Send this server name (SNI) instead of the target's own."),
    click.option("--no-server-name", is_flag=True, help="Send no server name."),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        show_default=f"{WIDTH}, fewer with --starttls",
        help="Connections in flight per host.",
    ),
    click.option(
        "--max-rate", type=Seconds(0), default=0, metavar="N", help="At most N connections a second per host."
    ),
    click.option(
        "--timeout", type=Seconds(0, min_open=True), default=5.0, show_default=True, help="Seconds for one answer."
    ),
    click.option(
        "--deadline",
        type=Seconds(0, min_open=True),
        default=300.0,
        show_default=True,
        help="Seconds for one host.",
    ),
    click.option(
        "--retries",
        type=click.IntRange(0, 20),
        default=3,
        show_default=True,
        help="How often a host in trouble is tried again.",
    ),
    click.option(
        "--hosts", type=click.IntRange(1, 256), default=16, show_default=True, help="Hosts asked side by side."
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="Fixes every random byte of every hello."),
    click.option(
        "--keylog", "keylog_file", metavar="FILE", help="Append the secrets of every handshake (SSLKEYLOGFILE)."
    ),
    click.option(
        "--trace",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Keep every probe's bytes as hex files and a pcap.",
    ),
    click.option("--quiet", is_flag=True, help="No report and no progress; files and exit code only."),
)


def options(command: F) -> F:
    """Give a command the options in common; it takes their values as keywords, for ``Asking``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class Asking(msgspec.Struct, kw_only=True, frozen=True):
    """The values of the options in common, as click gives them."""

    targets: tuple[str, ...]
    targets_file: Path | None
    port: int | None
    starttls: str | None
    proxy: str | None
    server_name: str | None
    no_server_name: bool
    concurrency: int | None
    max_rate: float
    timeout: float
    deadline: float
    retries: int
    hosts: int
    seed: int
    keylog_file: str | None
    trace: Path | None
    quiet: bool

    @property
    def usual_port(self) -> int:
        """The port of targets that name none."""
        return protocols.usual_port(self.starttls or "") if self.port is None else self.port

    def wanted(self) -> list[HostPort]:
        """Every target once, in the order in which they are named. Raises UsageError."""
        found = [target for text in self.targets for target in parse_target(text, default_port=self.usual_port)]
        if self.targets_file is not None:
            found += read_targets(self.targets_file, default_port=self.usual_port)
        return list(dict.fromkeys(found))

    def name(self) -> str | None:
        """The server name to send: None for each target's own, empty for none. Raises UsageError."""
        if self.server_name and self.no_server_name:
            raise UsageError("--no-server-name", "contradicts --server-name")
        if self.server_name is not None:
            return next(parse_target(self.server_name)).host
        return "" if self.no_server_name else None

    def way(self) -> Proxy | None:
        """The proxy to go through. Raises UsageError."""
        return None if self.proxy is None else parse_proxy(self.proxy)

    def limits(self) -> Limits:
        """The bounds for one host."""
        return Limits(self.concurrency or 0, self.max_rate, self.timeout, self.deadline, self.retries)


def anchors(files: tuple[Path, ...]) -> dict[str, Anchors]:
    """The anchors of ``--anchor``, by file. Raises UsageError."""
    if not files:
        return {}
    from tlswire.scan.trust import read_store  # noqa: PLC0415 - only with --anchor

    return {str(path): read_store(str(path), path) for path in files}


class Recorder:
    """Where bytes (``--trace``) and secrets (``--keylog``) of connections go, until ``stack`` is closed.

    Raises UsageError for what cannot be written, before the first connection.
    """

    def __init__(self, asking: Asking, proxy: Proxy | None, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._proxy = proxy
        self._trace = asking.trace
        self._traces: dict[Path, Trace] = {}
        self._keylog = None
        if asking.keylog_file is not None:
            self._keylog = stack.enter_context(writable(asking.keylog_file, append=True))
        if asking.trace is not None:
            check_folder(asking.trace, "--trace")

    @property
    def observe(self) -> Callable[[str, Address], Callable[[Any, Any], None]] | None:
        """Gives who is shown all connections to an address of a host; None where nobody wants to see them."""
        return None if self._trace is None and self._keylog is None else self._observer

    def _observer(self, host: str, address: Address) -> Callable[[Any, Any], None]:
        trace = None if self._trace is None else self._traced(self._trace, host, address)
        if self._keylog is not None:
            from tlswire.crypto.keylog import format_line  # noqa: PLC0415 - only with --keylog

        def observe(asked: Any, answer: Any) -> None:
            if trace is not None:
                trace.add(
                    asked.title,
                    answer.label,
                    answer.sent,
                    answer.received,
                    started=answer.started,
                    elapsed=answer.elapsed,
                    local=answer.local,
                    before=() if answer.opening is None else answer.opening.said,
                )
            if self._keylog is not None:
                for one in (answer, *getattr(answer, "renegotiations", ())):
                    secrets = getattr(one, "secrets", {})  # an answer to a hello alone has none
                    for label, secret in secrets.items():
                        self._keylog.write(format_line(label, one.client_random, secret).encode("ascii"))
                self._keylog.flush()

        return observe

    def _traced(self, parent: Path, host: str, address: Address) -> Trace:
        """The trace of an address: one, however many visits there are."""
        from tlswire.report.trace import Trace  # noqa: PLC0415 - only traced scans need it

        folder = parent / f"{host}_{address.host}_{address.port}".replace(":", ".")
        if folder not in self._traces:
            clock = asyncio.get_running_loop().time()
            peer = address if self._proxy is None or self._proxy.at is None else self._proxy.at
            self._traces[folder] = self._stack.enter_context(Trace(folder, (peer.host, peer.port), clock))
        return self._traces[folder]


def heed_sigterm() -> None:
    """Have SIGTERM do what SIGINT does to ``asyncio.run``: cancel this task, which then tells what it knows."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def colourful() -> bool:
    """Whether stdout takes colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def tell(result: R, render: Callable[..., str], file: BinaryIO | None, *, quiet: bool, verbose: bool) -> None:
    """The one result of a command: ``render`` of it for who reads along, unless stdout is taken, and JSON in ``file``."""
    if not (quiet or writing.to_stdout() or file is sys.stdout.buffer):
        colour = colourful()
        click.echo(render(result, colour=colour, verbose=verbose), nl=False, color=colour)
    if file is not None:
        file.write(to_json(result, indent=2) + b"\n")
        file.flush()
