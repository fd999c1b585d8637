"""Options for the formats of ``report.writers``, and the files behind them; ``-`` is stdout.

A command takes ``@options(SCHEMA)`` and ``with written(results, whole=...):`` around what fills
``results``, a list or a Spool.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, Self, TypeVar

import click
import msgspec

from tlswire import cli
from tlswire.cli.outputs import writable
from tlswire.errors import UsageError
from tlswire.report.writers import WRITERS
from tlswire.results import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlswire.report.items import Result
    from tlswire.results.fuzz import Fuzz
    from tlswire.results.fuzz_compare import FuzzCompare

    Command = TypeVar("Command", bound=Callable[..., Any])

R = TypeVar("R", bound=msgspec.Struct)

_GIVEN = "tlswire.written"


def options(schema: str) -> Callable[[Command], Command]:
    """Give a command an option for each format that takes results of this schema. They are no parameters of it."""

    def decorate(command: Command) -> Command:
        for name, writer in reversed(WRITERS.items()):
            if schema in writer.schemas:
                command = click.option(
                    f"--{name}", metavar="FILE", help=writer.help, expose_value=False, callback=_remember
                )(command)
        return command

    return decorate


def _remember(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta.setdefault(_GIVEN, {})[option.name] = value


def _given() -> dict[str, str]:
    given: dict[str, str] = click.get_current_context().meta.get(_GIVEN, {})
    return given


def wanted() -> bool:
    """Whether any file was asked for, so that results are to be kept."""
    return bool(_given())


def wants_proofs() -> bool:
    """Whether a file that was asked for shows the bytes that prove a line."""
    return any(WRITERS[name].proofs for name in _given())


def to_stdout() -> bool:
    """Whether one of the files is stdout, which then holds nothing else."""
    return "-" in _given().values()


class Spool(Generic[R]):
    """Results kept for ``written`` in bounded memory, beyond that in a temporary file: an inventory may be long."""

    MAX_IN_MEMORY = 1 << 24

    def __init__(self, kind: type[R]) -> None:
        self._kind = kind
        self._file = tempfile.SpooledTemporaryFile(self.MAX_IN_MEMORY)  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, result: R) -> None:
        """Keep one more."""
        self._file.seek(0, io.SEEK_END)
        self._file.write(to_json(result) + b"\n")

    def __iter__(self) -> Iterator[R]:
        self._file.seek(0)
        for line in self._file:
            yield msgspec.json.decode(line, type=self._kind)


@contextlib.contextmanager
def written(results: Iterable[Result | Fuzz | FuzzCompare], *, whole: Callable[[], bool]) -> Iterator[None]:
    """Open the files now, before the first connection, and write them in the end from what ``results`` then holds, also
    when interrupted; ``whole`` says whether that is all there should be.

    Raises UsageError for a file that cannot be written and for two options with one file.
    """
    given = _given()
    _check_distinct({f"--{name}": file for name, file in (*_streamed(), *given.items())})
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(writable(file)) for name, file in given.items()}
        try:
            yield
        except KeyboardInterrupt:
            _write(files, results, whole=False)
            raise
        _write(files, results, whole=whole())


def _streamed() -> Iterator[tuple[str, str]]:
    """The files that the command writes as results come."""
    params = click.get_current_context().params
    yield from ((name, params[f"{name}_file"]) for name in ("json", "jsonl") if params.get(f"{name}_file") is not None)


def _check_distinct(files: dict[str, str]) -> None:
    taken: dict[Path, str] = {}
    for option, name in files.items():
        if (other := taken.setdefault(Path(name).absolute(), option)) != option:
            raise UsageError(name, f"{'stdout' if name == '-' else 'this file'} is taken by {other}", option)


def _write(files: dict[str, BinaryIO], results: Iterable[Result | Fuzz | FuzzCompare], *, whole: bool) -> None:
    for name, file in files.items():
        try:
            writer = WRITERS[name]
            taken = (result for result in results if result.schema in writer.schemas)
            for chunk in writer.chunks(taken, whole=whole):
                file.write(chunk)
            file.flush()
        except BrokenPipeError:
            cli.forget_stdout()
