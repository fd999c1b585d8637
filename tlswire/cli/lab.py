"""``tlswire lab``: a server character on a loopback port until Ctrl-C. Parses, serves, says where.

Must not import anything of tlswire but ``errors``, ``registry``, ``lab`` and this package.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlswire.cli.registry import aligned
from tlswire.errors import UsageError
from tlswire.lab.characters import CHARACTERS, accepted, character
from tlswire.lab.server import serve_forever
from tlswire.registry import VERSIONS

if TYPE_CHECKING:
    from tlswire.lab.server import Lab


@click.command()
@click.argument("name", required=False, metavar="[CHARACTER]")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1 (default: a free one).")
@click.option("--seed", type=int, default=0, show_default=True, help="Fixes every random byte of the server.")
@click.option(
    "--port-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the port number to FILE once the server listens; removed at the end.",
)
@click.option("--list", "listing", is_flag=True, help="The characters and the number of suites each accepts.")
def command(name: str | None, port: int, seed: int, port_file: Path | None, *, listing: bool) -> None:
    """Run a TLS server with a known character on loopback, for scanning and trying things out."""
    if listing:
        click.echo("\n".join(_list()))
        return
    if name is None:
        raise UsageError("CHARACTER", "none given; tlswire lab --list shows them")
    character(name)  # before anything is written

    def ready(lab: Lab) -> None:
        if port_file is not None:
            _announce(port_file, lab.port)
        click.echo(f"{name} on {lab.host}:{lab.port} (Ctrl-C ends it)")

    # A script's kill must leave as cleanly as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if port_file is not None:
            _remove(port_file)
        serve_forever(name, port, seed, ready)
    finally:
        if port_file is not None:
            _remove(port_file)


def _list() -> list[str]:
    truth = {name: accepted(it) for name, it in CHARACTERS.items()}
    versions = sorted({version for suites in truth.values() for version in suites})
    rows = [
        (name, *(str(len(suites[version])) if suites.get(version) else "" for version in versions), it.description)
        for (name, it), suites in zip(CHARACTERS.items(), truth.values(), strict=True)
    ]
    head = ("CHARACTER", *(VERSIONS[version].name for version in versions), "DESCRIPTION")
    return ["The number of suites each accepts, by version:", "", *aligned(head, rows)]


def _announce(path: Path, port: int) -> None:
    """The port in a file that is never seen half written: scripts wait for it to appear."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{port}\n", encoding="ascii")
        draft.replace(path)
    except OSError as error:
        raise UsageError(str(path), f"cannot be written: {error.strerror}", "--port-file") from None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(str(path), f"cannot be replaced: {error.strerror}", "--port-file") from None
