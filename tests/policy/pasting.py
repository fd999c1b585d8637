"""Remedies pasted into real configurations as their files say: where a text goes, and which settings make way for it.

A configuration is its lines. Must not know which servers are tried, nor what a policy says of them.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from tests.servers.process import SEARCH_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tlswire.results.verdict import Fix

# Product -> the beginning of a remedy's ``where`` -> how the line begins below which it is pasted.
PLACES = {
    "nginx": {"the server block of the site": "server {", "the location with proxy_pass": "location "},
    "apache": {"the VirtualHost of the site": "<VirtualHost "},
    "haproxy": {"global": "global", "the frontend of the site": "frontend "},
    "openssl": {"openssl.cnf": "[wanted]"},
}
# HAProxy's words of a bind line that take no value.
FLAGS = ("force-", "no-")


def paste(fix: Fix, lines: Sequence[str], folder: Path, host: str, port: int) -> list[str]:
    """The lines of a configuration after a remedy of the site at ``host`` and ``port``, whose files are in ``folder``."""
    if fix.run:
        command = ["sh", "-c", local(fix.run, folder)]
        subprocess.run(command, check=True, capture_output=True, env={"PATH": SEARCH_PATH})
    if not fix.text:
        return list(lines)
    here = f"{host}:{port}"
    (below,) = (line for where, line in PLACES[fix.product].items() if fix.where.startswith(where))
    blocks = [(at, _end(lines, at)) for at, line in enumerate(lines) if line.lstrip().startswith(below)]
    if len(blocks) > 1:
        blocks = [(start, end) for start, end in blocks if here in "\n".join(lines[start:end])]
    ((start, end),) = blocks
    text = re.sub(r"^(listen |bind ):?443\b", rf"\g<1>{here}", local(fix.text, folder), flags=re.MULTILINE)
    indent = " " * (_indent(lines[start]) + 4)
    after: list[str] = []
    for at, line in enumerate(lines):
        # What makes way stands in the block, or is said of the site elsewhere.
        kept = _without(line, fix.instead_of) if start < at < end or here in line else line
        after += [] if kept is None else [kept]
        if at == start:
            after += [indent + one for one in text.split("\n")]
    return after


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end(lines: Sequence[str], start: int) -> int:
    """Where the block of a line ends: with the next line that is not further in."""
    inner = (
        at for at in range(start + 1, len(lines)) if lines[at].strip() and _indent(lines[at]) <= _indent(lines[start])
    )
    return next(inner, len(lines))


def local(text: str, folder: Path) -> str:
    """A remedy's text with the files of ``folder``."""
    return text.replace("/path/to/", f"{folder}/")


def _without(line: str, gone: Sequence[str]) -> str | None:
    """The line without these settings; None where it is one of them."""
    if any(re.match(rf"\s*{re.escape(name)}[\s=]", line) for name in gone):
        return None
    words = line.split()
    if words[:1] != ["bind"]:
        return line
    while found := [at for at, word in enumerate(words) if word in gone]:
        del words[found[0] : found[0] + (1 if words[found[0]].startswith(FLAGS) else 2)]
    return " " * _indent(line) + " ".join(words)
