"""``tlswire decode``: bytes from hex, a file or stdin as an annotated tree, as text or JSON.

``read_bytes`` is how every command of this package takes bytes. Must not import anything of tlswire but ``errors``,
``wire`` and ``report.escape``; reading files and stdin is all its I/O.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.wire.tree import KINDS, explain, read_input, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.wire.cursor import Node

STDIN = "-"
# A handshake is a few kilobytes; this bounds what a device file or a capture given by mistake costs.
MAX_INPUT = 1 << 20


@click.command()
@click.argument("source", required=False, default=STDIN, metavar="[FILE|HEX|-]")
@click.option(
    "--as", "kind", type=click.Choice(["auto", *KINDS]), default="auto", show_default=True, help="What the bytes are."
)
@click.option("--full", is_flag=True, help="Long values whole, not only their beginning.")
@click.option("--json", "as_json", is_flag=True, help="The tree as JSON.")
def command(source: str, *, kind: str, full: bool, as_json: bool) -> None:
    """Explain TLS records, a handshake message or a hello, field by field.

    Bytes come from hex (plain, with separators, or a dump of xxd, hexdump -C or Wireshark), from a file that holds
    hex or raw bytes, or from stdin. Columns: byte offset, length, field, value. Exit code 2 when a part cannot be
    read; everything else is shown all the same.
    """
    data = read_bytes(source)
    tree = explain(data, kind)
    failures = list(_failures(tree))
    if as_json:
        import json  # noqa: PLC0415 - text needs none

        click.echo(json.dumps({"complete": not failures, "errors": failures, "tree": _as_json(tree)}, indent=2))
    else:
        click.echo("\n".join(render(tree, sys.maxsize if full else 120)))
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise UsageError(_name(source), f"{failures[0]}{more}")


def read_bytes(source: str) -> bytes:
    """The bytes that ``source`` means: ``-`` for stdin, a file, or hex text. Raises UsageError."""
    name = _name(source)
    content: bytes | None
    if source == STDIN:
        if sys.stdin.isatty():
            click.echo("tlswire: reading hex from the terminal, up to Ctrl-D", err=True)
        content = sys.stdin.buffer.read(MAX_INPUT + 1)
    else:
        content = _read_file(source) if source else b""
    if content is None:
        return _read_argument(source)
    if len(content) > MAX_INPUT:
        raise UsageError(name, f"is larger than {MAX_INPUT >> 20} MiB")
    if not content:
        raise UsageError(name, "is empty")
    try:
        return read_input(content)
    except UsageError as error:
        raise UsageError(name, str(error)) from None


def _read_argument(source: str) -> bytes:
    text = source.encode("utf-8", "replace")
    try:
        found = read_input(text)
    except UsageError as error:
        raise UsageError(_name(source), f"is neither a file nor hex ({error})") from None
    if found == text:  # taken for raw bytes, which no argument holds
        raise UsageError(_name(source), "is neither a file nor hex")
    return found


def _read_file(source: str) -> bytes | None:
    """The beginning of the file called ``source``; None when there is none."""
    path = Path(source)
    try:
        if not path.exists():
            return None
        with path.open("rb") as file:
            return file.read(MAX_INPUT + 1)
    except ValueError:  # a NUL, which no file name holds
        return None
    except OSError as error:
        import errno  # noqa: PLC0415 - only unreadable files need it

        if error.errno == errno.ENAMETOOLONG:  # the hex of a hello is longer than any file name
            return None
        raise UsageError(_name(source), f"cannot be read: {error.strerror}") from None


def _name(source: str) -> str:
    if source in {STDIN, ""}:
        return "stdin" if source else "input"
    return source if len(source) <= 80 else f"{source[:37]}...{source[-40:]}"


def _failures(node: Node) -> Iterator[str]:
    """What every error node says, with its byte offset."""
    if node.name == "error":
        at = "" if " at byte " in node.text else f" at byte {node.start}"
        yield f"{node.text}{at}"
    for child in node.children:
        yield from _failures(child)


def _as_json(node: Node) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "name": printable(node.name),
        "offset": node.start,
        "length": node.end - node.start,
        "text": printable(node.text),
    }
    return tree | ({"children": [_as_json(child) for child in node.children]} if node.children else {})
