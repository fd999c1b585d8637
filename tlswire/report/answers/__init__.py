"""DOOR: how the answer to each question is told, one file a question, under the question's name.

Such a file has ``TITLE``, the heading, and ``lines(answer, *, verbose)``, which yields Line values: without ``verbose``
what one glance takes, with it every detail. Nothing needs escaping there: the caller does it. Must not import ``scan``, ``probe`` or ``cli``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.base import QuestionAnswer


class Line(msgspec.Struct, frozen=True):
    """One line; ``category`` is that of a finding, for its colour (empty: none)."""

    text: str
    category: str = ""


def title(name: str) -> str:
    """The heading of the answer to question ``name``."""
    heading: str = import_module(f"tlswire.report.answers.{name}").TITLE
    return heading


def lines(name: str, answer: QuestionAnswer, *, verbose: bool) -> Iterator[Line]:
    """The lines of the answer to question ``name``, its notes last."""
    module = import_module(f"tlswire.report.answers.{name}")
    yield from module.lines(answer, verbose=verbose)
    if verbose or answer.state != "complete":
        yield from (Line(note, "unknown" if answer.state == "incomplete" else "") for note in answer.notes)
