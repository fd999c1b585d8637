"""The options of the commands that tell sessions, ``pcap`` and ``live``, and what stands in the files some of them name.

Must not import anything of tlswire but ``errors``, ``crypto.keylog``, ``report.sessions`` and ``cli``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.report.sessions import TOP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tlswire.crypto.keylog import KeyLog

CATEGORIES = ("weak", "refused", "unanswered", "policy")
MAX_KEYLOG = 1 << 28
_MAX_FAULTS = 8
_PIECE = 1 << 20

_OPTIONS = (
    click.option(
        "--sessions",
        "rows",
        is_flag=True,
        help="One row a session instead of the summary; marks: W weak, R resumed, H second hello, E ECH, 0 early data.",
    ),
    click.option("--jsonl", "jsonl_file", metavar="FILE", help="The sessions as JSON Lines; - is stdout."),
    click.option("--csv", "csv_file", metavar="FILE", help="The sessions as CSV; - is stdout."),
    click.option("--html", "html_file", metavar="FILE", help="The report as one HTML page; - is stdout."),
    click.option(
        "--export-hellos",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Write each distinct hello as a file that `tlswire hello --from` and `tlswire decode` read.",
    ),
    click.option(
        "--server-name",
        "names",
        multiple=True,
        metavar="PATTERN",
        help="Only sessions for these names, such as '*.example.com'; '' are those without (repeatable).",
    ),
    click.option(
        "--host",
        "hosts",
        multiple=True,
        metavar="ADDRESS|CIDR",
        help="Only sessions whose client or server is here (repeatable).",
    ),
    click.option(
        "--port", "ports", multiple=True, metavar="LIST", help="Only servers on these ports, such as 443,8000-8999."
    ),
    click.option(
        "--version",
        "versions",
        metavar="LIST",
        help="Only sessions of these versions, such as TLS1.2,DTLS1.2; by the offer where none was chosen.",
    ),
    click.option("--weak", is_flag=True, help="Only weak sessions."),
    click.option(
        "--policy",
        metavar="NAME|FILE",
        help="Judge every session by a policy, such as apple-mdm-27, or one of your own in a TOML file.",
    ),
    click.option(
        "--what-if",
        "what_if",
        metavar="NAME|FILE",
        help="Which clients could connect, with what, if servers spoke only what this policy allows.",
    ),
    click.option(
        "--what-if-json", "what_if_file", metavar="FILE", help="The answer of --what-if as JSON; - is stdout."
    ),
    click.option(
        "--fail-on",
        metavar="LIST",
        default="",
        help=f"Exit with 1 when there are such sessions: {', '.join(CATEGORIES)}.",
    ),
    click.option(
        "--top",
        type=click.IntRange(0),
        default=TOP,
        show_default=True,
        metavar="N",
        help="Rows of each table of the summary; 0 shows all.",
    ),
    click.option(
        "--keylog",
        "keylogs",
        multiple=True,
        metavar="FILE",
        help="Secrets in the format of SSLKEYLOGFILE, to open what is encrypted (repeatable).",
    ),
    click.option("--quiet", is_flag=True, help="No report and no progress; errors only."),
)


def outputs(command: Callable[..., None]) -> Callable[..., None]:
    """The options that every command with sessions has."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_keylogs(paths: Sequence[str]) -> KeyLog | None:
    """The secrets of all files together; the first file that has one wins. Broken lines are told on stderr.

    Raises UsageError for a file that cannot be read or holds no secret at all.
    """
    if not paths:
        return None
    from tlswire.crypto.keylog import merged  # noqa: PLC0415 - few captures have one

    return merged(map(_read_keylog, paths))


def _read_keylog(name: str) -> KeyLog:
    from tlswire.crypto.keylog import MAX_LINES, parse_keylog  # noqa: PLC0415 - few captures have one

    shown = printable(name)
    try:
        with Path(name).open("rb") as file:
            pieces: list[bytes] = []
            while piece := file.read(_PIECE):  # a pipe or a device tells no size
                pieces.append(piece)
                if len(pieces) > MAX_KEYLOG // _PIECE:
                    raise UsageError(shown, f"is larger than {MAX_KEYLOG >> 20} MiB", "--keylog")
    except OSError as error:
        raise UsageError(shown, f"cannot be read: {error.strerror}", "--keylog") from None
    log = parse_keylog(b"".join(pieces))
    for number, reason in log.faults[:_MAX_FAULTS]:
        click.echo(f"tlswire: {shown}:{number}: {printable(reason)}", err=True)
    if log.faulty > _MAX_FAULTS:
        click.echo(f"tlswire: {shown}: {log.faulty:,} broken lines in all", err=True)
    if log.cut:
        click.echo(f"tlswire: {shown}: only the first {MAX_LINES:,} lines were read", err=True)
    if not log.secrets and not log.premasters:
        raise UsageError(shown, "holds no secrets as SSLKEYLOGFILE has them", "--keylog")
    return log
