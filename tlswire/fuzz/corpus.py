"""What an exploration remembers in a folder: the mutations that showed something new, and the classes it has seen.

JSON Lines, a line as soon as there is something to remember: what a kill leaves is whole lines and at most one torn one,
which is dropped. A later run begins with what is here. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, BinaryIO, Self

import msgspec

from tlswire.errors import UsageError
from tlswire.fuzz.generate import Mutation  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE = 1 << 22
MAX_LINES = 1 << 20
EXAMPLES, REMEMBERED = "examples", "corpus.jsonl"


class Remembered(msgspec.Struct, frozen=True):
    """One mutation, what it drew, and why it is a finding (empty: it is none, but drew something new)."""

    mutation: Mutation
    drew: str
    cause: str = ""


class Corpus:
    """A folder's memory, or none that outlives the run (``folder`` None). Raises UsageError for a folder that cannot be
    used, and for one whose lines are not of this kind.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.classes: Counter[str] = Counter()
        self.remembered: list[Remembered] = []
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self.folder is not None:
            path = self.folder / REMEMBERED
            try:
                (self.folder / EXAMPLES).mkdir(parents=True, exist_ok=True)
                self._file = path.open("a+b")
                self._file.seek(0)
            except OSError as error:
                raise UsageError(str(self.folder), f"cannot be used: {error.strerror}", "--corpus") from None
            try:
                self._read(self._file, path)
            except UsageError:
                self._file.close()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def _read(self, file: BinaryIO, path: Path) -> None:
        end = 0
        for end, one in _lines(file, path):  # noqa: B007 - the last end is where a torn line begins
            self.remembered.append(one)
            self.classes[one.drew] += 1
        file.truncate(end)

    def saw(self, drew: str) -> int:
        """Count a class; how often it was seen, this time included."""
        self.classes[drew] += 1
        return self.classes[drew]

    def remember(self, one: Remembered) -> None:
        """Keep it, on disk at once. Raises UsageError where the disk is full."""
        self.remembered.append(one)
        if self._file is None:
            return
        try:
            self._file.write(msgspec.json.encode(one) + b"\n")
            self._file.flush()
        except OSError as error:
            raise UsageError(str(self.folder), f"cannot be written: {error.strerror}", "--corpus") from None

    def causes(self) -> frozenset[str]:
        """The causes of the findings remembered."""
        return frozenset(one.cause for one in self.remembered if one.cause)


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, Remembered]]:
    """Every whole line with the byte at which it ends."""
    for number in range(1, MAX_LINES):
        line = file.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            return
        try:
            yield file.tell(), msgspec.json.decode(line, type=Remembered)
        except msgspec.DecodeError as error:
            raise UsageError(f"{path}: line {number}", f"is no memory of an exploration: {error}", "--corpus") from None
