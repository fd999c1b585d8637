"""``tlswire questions``: what ``scan --questions`` can ask. Must not import anything of tlswire but ``scan.questions``."""

from __future__ import annotations

import click

from tlswire.scan.questions import QUESTIONS


@click.command()
def command() -> None:
    """List the questions of tlswire scan: name, sets, the most connections each makes, what it asks.

    A set stands for all its questions: default, all (default among them), attacks (also by --attacks).
    """
    width = max(len(name) for name in QUESTIONS)
    for row in QUESTIONS.values():
        sets = ",".join(row.sets)
        connections = f"<= {row.most}" if row.most else "none"
        click.echo(f"{row.name:<{width}}  {sets:<11}  {connections:>6}  {row.title}")
        if row.sends:
            click.echo(f"{'':<{width}}  sends {row.sends}")
