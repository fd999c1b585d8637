"""``tlswire replay``: the bytes of a finding, or any bytes, sent to a server once. Parses, sends, says then and now."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tlswire import cli
from tlswire.cli import asking
from tlswire.cli.decode import read_bytes
from tlswire.cli.fuzz import PERMISSION, found_way, permit
from tlswire.cli.scan_options import Seconds
from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.fuzz.model import DEAD
from tlswire.fuzz.replay import replay, same, send
from tlswire.probe.opening import opening
from tlswire.probe.proxy import parse_proxy
from tlswire.report.evidence import FINDING
from tlswire.results.finding import ProvenFinding

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    from tlswire.fuzz.flight import Heard
    from tlswire.results.finding import Reaction

    T = TypeVar("T")

# What a finding file may take: payload and answer as hex, several times over.
MAX_FINDING = 1 << 25


@click.command()
@click.argument("source", metavar="FINDING|HEX")
@click.option("--to", required=True, metavar="HOST[:PORT]", help="The server to send to.")
@asking.STARTTLS
@asking.PROXY
@click.option(
    "--timeout", type=Seconds(0, min_open=True), default=5.0, show_default=True, help="Longest wait, seconds."
)
@click.option(PERMISSION, "permitted", is_flag=True, help="Needed for hosts other than this machine.")
def command(source: str, to: str, starttls: str | None, proxy: str | None, timeout: float, permitted: bool) -> None:
    """Send the bytes of a finding again, and say how the server reacts now.

    FINDING is a folder of fuzz --evidence, or the finding.json in it; HEX is hex text or a file of it. Exit codes:
    0 the same reaction as then (HEX: any answer), 1 another one, 2 a finding that cannot be read, 4 unreachable.
    """
    finding = _finding(source)
    payload = read_bytes(source) if finding is None else b""
    asked = None if proxy is None else parse_proxy(proxy)
    where, address, way = asyncio.run(found_way(to, starttls or "", asked))
    permit(address, where.host, way, permitted=permitted)
    name = where.host if finding is None else finding.target.server_name or where.host
    before = asyncio.run(opening(address, starttls=starttls or "", name=name, proxy=way))
    if finding is None:
        heard = asyncio.run(_heeding(send(address, payload, timeout=timeout, opening=before)))
        _check_there(heard)
        click.echo(f"{'now':<8}{_shown(heard.reaction, heard.flight, '')}")
        return
    try:
        heard, now = asyncio.run(_heeding(replay(address, finding, timeout=timeout, opening=before)))
    except UsageError as error:
        raise UsageError(_file(source), str(error)) from None
    _check_there(heard)
    alike = same(finding.reaction, now)
    click.echo(printable(f"{finding.case} {finding.name}: {finding.text}"))
    click.echo(f"{'then':<8}{_told(finding.reaction)}")
    click.echo(f"{'now':<8}{_told(now)}")
    click.echo("the same" if alike else "differs")
    sys.exit(cli.FINE if alike else cli.FINDINGS)


async def _heeding(run: Awaitable[T]) -> T:
    asking.heed_sigterm()
    return await run


def _finding(source: str) -> ProvenFinding | None:
    """The finding that ``source`` is; None where it is bytes. Raises UsageError."""
    path = Path(source)
    try:
        folder = path.is_dir()
        if not folder:
            if not path.is_file():
                return None
            with path.open("rb") as stream:
                if stream.read(1) != b"{":
                    return None
    except (OSError, ValueError):  # hex that is longer than any file name; read_bytes tells of what else it may be
        return None
    file = path / FINDING if folder else path
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_FINDING + 1)
    except OSError as error:
        raise UsageError(str(file), f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_FINDING:
        raise UsageError(str(file), f"is larger than {MAX_FINDING >> 20} MiB")
    try:
        return msgspec.json.decode(data, type=ProvenFinding)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(str(file), f"is no finding: {error}") from None


def _file(source: str) -> str:
    return str(Path(source) / FINDING) if Path(source).is_dir() else source


def _check_there(heard: Heard) -> None:
    why = printable(heard.reason or "no connection")
    if heard.unsent or (heard.reaction == DEAD and not heard.local[1]):
        click.echo(f"tlswire: {why}" if heard.unsent else f"tlswire: unreachable: {why}", err=True)
        sys.exit(cli.UNREACHABLE)


def _told(reaction: Reaction) -> str:
    faults = f"; {', '.join(reaction.faults)}" if reaction.faults else ""
    return _shown(reaction.reaction, tuple(reaction.flight), (reaction.version or "") + faults)


def _shown(reaction: str, flight: tuple[str, ...], more: str) -> str:
    messages = f" ({', '.join(flight)})" if flight else ""
    return printable(f"{reaction}{messages} {more}".rstrip())
