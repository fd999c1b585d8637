"""``tlswire remedy``: what to paste into which server. Must not hold logic of policies."""

from __future__ import annotations

import os
import sys

import click

from tlswire.errors import LookupFailedError


@click.command()
@click.argument("what", required=False, metavar="[FIX|RULE]")
@click.option("--for", "product", metavar="PRODUCT", help="Only for this server or library.")
@click.option("--policy", metavar="NAME|FILE", help="The policy RULE is of.  [default: apple-mdm-27]")
def command(what: str | None, product: str | None, policy: str | None) -> None:
    """Print what to paste into a server's configuration; without arguments what there is.

    FIX is what it does (versions, suites, groups, ems ...); RULE is the id of a rule of a policy, as `tlswire check`
    prints it.
    """
    from tlswire.policy import remedies  # noqa: PLC0415 - reads files
    from tlswire.policy.shipped import DEFAULT, policy_of  # noqa: PLC0415 - as above
    from tlswire.report.fixes import lines  # noqa: PLC0415 - only where something is printed
    from tlswire.report.text import Paint  # noqa: PLC0415 - as above

    paint = Paint(colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    known = [product] if product else list(remedies.products())
    if what is None and product is None:
        click.echo("Fixes (tlswire remedy FIX):")
        click.echo("\n".join(f"  {name:<12} {text}" for name, text in remedies.FIXES.items()))
        click.echo("Servers and libraries (--for PRODUCT):")
        click.echo("\n".join(f"  {name:<12} {one.title}" for name, one in remedies.products().items()))
        return
    wanted = list(remedies.FIXES) if what is None else [what]
    rules: list[str] = []
    if what is not None and what not in remedies.FIXES:
        found = policy_of(policy or DEFAULT)
        rule = next((rule for rule in found.rules if rule.id == what), None)
        if rule is None:
            raise LookupFailedError(
                repr(what), f"no such fix, and no rule of {found.name}; fixes are {', '.join(remedies.FIXES)}"
            )
        if not rule.fix:
            raise LookupFailedError(repr(what), f"nothing to paste; the remedy: {rule.remedy}")
        wanted, rules = [rule.fix], [what]
    blocks = [
        "\n".join(lines(remedies.fix(name, fixed, rules=rules), paint, f"tlswire check {remedies.HOST}"))
        for fixed in wanted
        for name in known
    ]
    click.echo("\n\n".join(blocks), color=paint.colour)
