"""Asks the questions that were chosen, side by side where they do not need one another, and keeps every answer.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.errors import LookupFailedError
from tlswire.registry import VERSIONS
from tlswire.results.answers import Answers
from tlswire.scan.offers import HANDSHAKE
from tlswire.scan.questions import QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tlswire.results.answers.base import QuestionAnswer
    from tlswire.results.scan import Finding
    from tlswire.scan.questions import Question
    from tlswire.scan.server import Server


def chosen(words: Iterable[str]) -> tuple[str, ...]:
    """The questions that names and sets stand for, with those they need, each before who needs it.

    Raises LookupFailedError with the nearest name.
    """
    sets = {name for row in QUESTIONS.values() for name in row.sets}
    found: dict[str, None] = {}

    def add(name: str) -> None:
        for need in QUESTIONS[name].needs:
            add(need)
        found[name] = None

    for word in words:
        names = [row.name for row in QUESTIONS.values() if word == row.name or word in row.sets]
        if not names:
            near = difflib.get_close_matches(word, [*QUESTIONS, *sets], n=1, cutoff=0.5)
            known = f"did you mean {near[0]}?" if near else f"there are {', '.join([*sorted(sets), *QUESTIONS])}"
            raise LookupFailedError(repr(word), f"is no question and no set of them; {known}", "--questions")
        for name in names:
            add(name)
    return tuple(found)


class Interview:
    """The questions put to one server, and what came of them; a question that fails takes nothing else with it."""

    def __init__(self, server: Server, questions: Iterable[str]) -> None:
        self.server = server
        self.answers: dict[str, QuestionAnswer] = {}
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self._rows = [QUESTIONS[name] for name in questions]

    async def run(self) -> None:
        """Ask everything; those with needs wait for what they need, those that are last for the rest."""
        done = {row.name: asyncio.Event() for row in self._rows}
        async with asyncio.TaskGroup() as group:
            for row in self._rows:
                group.create_task(self._ask(row, done))

    @property
    def complete(self) -> bool:
        """Whether every question got a whole answer."""
        return len(self.answers) == len(self._rows) and all(
            answer.state != "incomplete" for answer in self.answers.values()
        )

    def faults(self) -> dict[tuple[str, str], int]:
        """Why usual handshakes failed at what the server sent, in which versions and how often."""
        return {
            (
                HANDSHAKE,
                f"{reason} ({', '.join(VERSIONS[code].name for code in sorted({*versions}, reverse=True))})",
            ): len(versions)
            for reason, versions in self.server.known.faults.items()
        }

    def results(self) -> Answers:
        """The answers as they stand in the result."""
        known: Mapping[str, Any] = self.answers
        return Answers(**known)

    async def _ask(self, row: Question, done: Mapping[str, asyncio.Event]) -> None:
        try:
            before = [each.name for each in self._rows if row.last and not each.last and not each.needs]
            for need in (*row.needs, *before):
                await done[need].wait()
            module = import_module(f"tlswire.scan.questions.{row.name}")
            server = self.server.asked_by(row.name)
            loop = asyncio.get_running_loop()
            began = loop.time()
            others = {need: self.answers[need] for need in row.needs if need in self.answers}
            answer = await (module.ask(server, others) if row.needs else module.ask(server))
            self.answers[row.name] = msgspec.structs.replace(
                answer, connections=server.connections, elapsed_s=round(loop.time() - began, 4)
            )
            told = module.findings(answer) if hasattr(module, "findings") else ()
            self.findings += [msgspec.structs.replace(finding, question=row.name) for finding in told]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one question, the others' answers are kept
            self.notes.append(f"the question {row.name} failed: {type(error).__name__}: {error}")
        finally:
            done[row.name].set()
