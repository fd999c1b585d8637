"""The command line: one thin file per command that parses, calls the library, chooses a writer and an exit code.

Commands load when they are called, so that ``tlswire --help`` costs an interpreter and click. Nothing imports this
package. Exit codes: 0 fine, 1 findings, 2 wrong usage or unreadable input, 3 incomplete, 4 unreachable.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys

import click

from tlswire import __version__
from tlswire.errors import TlswireError

FINE, FINDINGS, USAGE, INCOMPLETE, UNREACHABLE = 0, 1, 2, 3, 4

# One row a command: its module below this package, and the line that --help shows.
COMMANDS: dict[str, tuple[str, str]] = {
    "scan": ("scan", "What a server accepts, one version and one suite at a time."),
    "check": ("check", "Will Apple devices still connect? Servers judged by a policy, with proof and remedies."),
    "policies": ("policies", "The policies that are shipped, and what they say."),
    "remedy": ("remedy", "What to paste into a server's configuration to keep a rule."),
    "applelog": ("applelog", "The servers that Apple devices complain of, from their logs."),
    "diff": ("diff", "What changed between two results, and whether it is for the worse."),
    "questions": ("questions", "What else a scan can ask of a server."),
    "fuzz": ("fuzz", "How a server reacts to hellos at the edge of the RFCs, judged by their clauses."),
    "replay": ("replay", "Send the bytes of a finding again: does the server still react the same?"),
    "pcap": ("pcap", "The TLS, DTLS and QUIC sessions of captures."),
    "live": ("live", "The same from a network interface, as it happens."),
    "decode": ("decode", "Explain a record, message or hello from hex, a file or stdin."),
    "hello": ("hello", "Build a ClientHello and print or write its bytes."),
    "registry": ("registry", "Look up suites, groups, extensions, alerts and more."),
    "schema": ("schema", "The JSON Schema of an output format."),
    "lab": ("lab", "A TLS responder on loopback with a known character."),
}


class Lazy(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order of their table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tlswire.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """The list of --help, from the table: importing every command for its first line would take a second."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="tlswire")
def group() -> None:
    """TLS ClientHello scanner and wire-level analyzer.

    Exit codes: 0 fine, 1 a policy is broken or findings asked for by --fail-on, 2 wrong usage or unreadable input,
    3 incomplete, 4 unreachable.
    """


def main() -> None:
    """Run the command line; every expected failure is one line on stderr and an exit code."""
    # Imports and probes make many small objects and hardly any cycles: the collector would cost a tenth of a scan.
    gc.set_threshold(100_000, 50, 50)
    try:
        group.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        # click's own box of usage, hint and message comes to three lines; one says it as well.
        _fail(error.format_message())
    except TlswireError as error:
        _fail(str(error))
    except (click.Abort, KeyboardInterrupt):
        click.echo("tlswire: interrupted", err=True)
        sys.exit(INCOMPLETE)
    except BrokenPipeError:
        forget_stdout()
        sys.exit(FINE)


def forget_stdout() -> None:
    """The reader of our output left (``| head``): nothing more to say to it, and nothing to flush at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(text: str) -> None:
    from tlswire.escape import printable  # noqa: PLC0415 - only failures need it

    click.echo(f"tlswire: {printable(text)}", err=True)
    sys.exit(USAGE)
