"""``tlswire policies``: which policies there are, and what one says, rule by rule.

Must not import anything of tlswire but ``policy``.
"""

from __future__ import annotations

import click

from tlswire.policy.shipped import names, policy_of, shipped
from tlswire.policy.words import described, summary


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the policies that check and scan --policy know: name, rules, how much is asked, title, edition."""
    if ctx.invoked_subcommand is None:
        click.echo(summary([shipped(name) for name in names()]))


@command.command()
@click.argument("policies", nargs=-1, required=True, metavar="NAME|FILE...")
def show(policies: tuple[str, ...]) -> None:
    """Tell all rules of a policy in words: of a shipped one, or of a TOML file, which is checked by it."""
    click.echo("\n\n".join(described(policy_of(text)) for text in policies))
