"""Runs the command line inside the test's process, with its own stdin, stdout, stderr and arguments."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest import mock

from tlswire.cli import main

if TYPE_CHECKING:
    import os


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call left behind: exit code, the bytes of stdout, the text of stderr."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        """stdout as text; these commands print ASCII only, whatever the input holds."""
        return self.raw.decode("ascii")

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.out.splitlines()


def run(*arguments: str | os.PathLike[str], stdin: bytes = b"") -> Outcome:
    """``tlswire *arguments`` with ``stdin`` behind a pipe."""
    source = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code = 0
    with (
        mock.patch.object(sys, "argv", ["tlswire", *map(str, arguments)]),
        mock.patch.multiple(sys, stdin=source, stdout=out, stderr=err),
    ):
        try:
            main()
        except SystemExit as stop:
            code = 0 if stop.code is None else int(stop.code)
    texts = [stream.buffer.getvalue() for stream in (out, err) if isinstance(stream.buffer, io.BytesIO)]
    return Outcome(code, texts[0], texts[1].decode("utf-8"))


def refused(outcome: Outcome) -> str:
    """The one line that bad input leaves on stderr, without its prefix; nothing on stdout, exit code 2."""
    assert outcome.code == 2, outcome
    assert outcome.raw == b""
    return one_line(outcome)


def one_line(outcome: Outcome) -> str:
    """The only line on stderr, printable, without its prefix."""
    (line,) = outcome.err.splitlines()
    assert line.isprintable()
    assert line.startswith("tlswire: ")
    assert outcome.err.endswith("\n")
    return line.removeprefix("tlswire: ")
