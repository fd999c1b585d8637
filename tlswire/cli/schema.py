"""``tlswire schema``: the JSON Schemas that ``results`` publishes. Must not import anything else of tlswire."""

from __future__ import annotations

import difflib
import json

import click

from tlswire.errors import LookupFailedError
from tlswire.results import SCHEMAS, json_schema


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """Print the JSON Schema (2020-12) of an output format; without NAME the formats there are.

    NAME is what stands in the "schema" key of an output, such as tlswire.scan/1, or short: scan.
    """
    if name is None:
        click.echo("\n".join(SCHEMAS))
        return
    known = {short: full for full in SCHEMAS for short in (full, full.removeprefix("tlswire."), _bare(full))}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = f"did you mean {known[near[0]]}?" if near else f"there are {', '.join(SCHEMAS)}"
        raise LookupFailedError(repr(name), f"no such schema; {hint}")
    click.echo(json.dumps(json_schema(known[name]), indent=2))


def _bare(full: str) -> str:
    return full.removeprefix("tlswire.").partition("/")[0]
