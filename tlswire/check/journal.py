"""Finished verdicts in a file, so that a run that was cut short, by whatever, goes on where it ended.

JSON Lines: a head that says what the run is about, then a line for every verdict, written when it is finished. What a
``kill -9`` leaves is whole lines, and at most one torn one, which is dropped. Without a file of the user's the same
serves as a shelf for verdicts that wait for their turn: memory does not grow with what is finished.
Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO, Literal, Self

import msgspec

from tlswire.errors import UsageError
from tlswire.results.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tlswire.certificates.stores import Anchors
    from tlswire.check.plan import Plan
    from tlswire.policy.model import Policy

SCHEMA: Literal["tlswire.journal/1"] = "tlswire.journal/1"
# Bytes are handed to the system at once, which outlives a kill; to the disk, against loss of power, once in so many
# seconds.
SYNC_EVERY = 1.0
# A line of ours is far from it.
MAX_LINE = 1 << 26


class Head(msgspec.Struct, frozen=True):
    """What a run is about, as digests: equal ones have equal verdicts. ``told`` names each for a reader."""

    schema: Literal["tlswire.journal/1"]
    policies: str
    endpoints: str
    options: str


_TOLD = {"policies": "other policies", "endpoints": "another inventory or other targets", "options": "other options"}


class _Entry(msgspec.Struct, frozen=True):
    key: str
    verdict: msgspec.Raw


def digest(*parts: object) -> str:
    """A short name for values whose ``repr`` is their own."""
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def rules_of(policies: Iterable[Policy]) -> bytes:
    """What policies say, as bytes."""
    # A term's functions are the program's, not the policy's.
    return msgspec.json.encode(list(policies), enc_hook=lambda _: None)


def head_of(plan: Plan, policies: Sequence[Policy], endpoints: bytes) -> Head:
    """The head of a run; ``endpoints`` are the bytes that name what is checked."""
    options = (
        plan.client,
        marks(plan.given),
        plan.server_name,
        plan.starttls,
        str(plan.proxy),
        plan.http,
        plan.path,
        plan.proofs,
        plan.seed,
        sorted(plan.resolve.items()),
        plan.first_address,
        sorted(plan.matrix.items()),
    )
    return Head(SCHEMA, digest(rules_of(policies)), digest(endpoints), digest(options))


def marks(given: Mapping[str, Anchors]) -> list[str]:
    """What certificates there are among anchors, and how they are called."""
    return [digest(name, _mark(anchors)) for name, anchors in given.items()]


@lru_cache(maxsize=256)
def _mark(anchors: Anchors) -> str:
    return digest(*(one.layout.whole for one in anchors if one.layout is not None))


class Journal:
    """A context manager. ``lasting``: it is a file of the user's. ``notes`` says what could not be used of the file that was there; ``len()`` is how many verdicts
    are known.
    """

    def __init__(self, path: Path | None = None, head: Head | None = None) -> None:
        """``path`` None: a file of our own, gone at the end. Raises UsageError where the file is no journal, or one of
        another run than ``head`` says.
        """
        self.notes: list[str] = []
        self._name = str(path)
        self._places: dict[str, tuple[int, int]] = {}
        self._synced = time.monotonic()
        self.lasting = path is not None
        self._file: BinaryIO = _opened(path)
        try:
            self._end = 0 if head is None or path is None else self._read(head)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # a full disk was told of when it was written to
            self._sync()
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __getitem__(self, key: str) -> Verdict:
        start, length = self._places[key]
        self._file.seek(start)
        return msgspec.json.decode(msgspec.json.decode(self._file.read(length), type=_Entry).verdict, type=Verdict)

    def add(self, key: str, verdict: Verdict) -> None:
        """Keep a finished verdict. Raises UsageError when the file cannot be written."""
        self._append(_Entry(key, msgspec.Raw(msgspec.json.encode(verdict))), key)
        if self.lasting and time.monotonic() - self._synced >= SYNC_EVERY:
            self._sync()

    def clear(self) -> None:
        """Forget everything."""
        self._places.clear()
        self._end = 0
        self._file.truncate(0)

    def _append(self, value: msgspec.Struct, key: str = "") -> None:
        data = msgspec.json.encode(value) + b"\n"
        try:
            self._file.seek(self._end)
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise UsageError(self._name, f"cannot be written: {error.strerror}", "--resume") from None
        if key:
            self._places[key] = (self._end, len(data))
        self._end += len(data)

    def _sync(self) -> None:
        if self.lasting:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def _read(self, head: Head) -> int:
        """Find the verdicts that are there, and where the next goes."""
        first = self._file.readline(MAX_LINE)
        begun = b'{"schema":"tlswire.journal/'
        if first and not first.startswith(begun[: len(first)]):
            raise UsageError(self._name, "is no journal of tlswire; name a new file", "--resume")
        if not first.endswith(b"\n"):
            self._file.truncate(0)
            self._end = 0
            self._append(head)
            return self._end
        self._compare(first, head)
        end = len(first)
        while line := self._file.readline(MAX_LINE):
            if not line.endswith(b"\n"):
                self.notes.append(
                    f"{self._name}: its last line is torn and was dropped; that endpoint is checked again"
                )
                self._file.truncate(end)
                break
            try:
                key = msgspec.json.decode(line, type=_Entry).key
                self._places[key] = (end, len(line))
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.notes.append(f"{self._name}: a line at byte {end} is damaged; that endpoint is checked again")
            end += len(line)
        return end

    def _compare(self, line: bytes, head: Head) -> None:
        try:
            found = msgspec.json.decode(line, type=Head)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise UsageError(
                self._name, "is a journal of another version of tlswire; name a new file", "--resume"
            ) from None
        other = [told for field, told in _TOLD.items() if getattr(found, field) != getattr(head, field)]
        if other:
            raise UsageError(
                self._name, f"is the journal of a run with {' and '.join(other)}; name a new file", "--resume"
            )


def _opened(path: Path | None) -> BinaryIO:
    if path is None:
        return tempfile.TemporaryFile()  # closed by __exit__
    try:
        # Neither a new file nor an old one loses anything by being opened.
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
    except OSError as error:
        raise UsageError(str(path), f"cannot be opened: {error.strerror}", "--resume") from None


class Shelf:
    """Verdicts come as they are finished and are taken in the order of their numbers: those that have to wait are in a
    journal, as are all that a run may want to find again.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[int, str | Verdict] = {}
        self._next = 0

    def found(self, number: int, key: str) -> None:
        """The verdict of this number is in the journal already."""
        self._waiting[number] = key

    def put(self, number: int, key: str, verdict: Verdict, *, finished: bool) -> None:
        """Take a verdict in; one that is not ``finished`` is not for the journal."""
        if not finished or (number == self._next and not self._journal.lasting):
            self._waiting[number] = verdict
            return
        self._journal.add(key, verdict)
        self._waiting[number] = verdict if number == self._next else key

    def take(self) -> Iterator[Verdict]:
        """Those whose turn has come."""
        while self._next in self._waiting:
            yield self._of(self._waiting.pop(self._next))
            self._next += 1
        if not self._waiting and not self._journal.lasting and len(self._journal):
            self._journal.clear()

    def rest(self) -> Iterator[Verdict]:
        """All that are left, in order, when no more will come."""
        for number in sorted(self._waiting):
            yield self._of(self._waiting.pop(number))

    def _of(self, kept: str | Verdict) -> Verdict:
        return self._journal[kept] if isinstance(kept, str) else kept
