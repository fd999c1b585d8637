"""Where results go: files that are opened before anything is sent, so that a fault is told first; one that comes later,
such as a full disk, is told with the file's name.

Must not import anything of tlswire but ``errors``.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Named(io.FileIO):
    """A file whose faults say which it is."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(str(self.name), f"cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def writable(name: str, *, append: bool = False) -> Iterator[BinaryIO]:
    """The file to write to; - is stdout. Raises UsageError, also later when it cannot take more."""
    if name == "-":
        yield sys.stdout.buffer
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(io.BufferedWriter(_Named(name, "ab" if append else "wb")))
        except OSError as error:
            raise UsageError(name, f"cannot be written: {error.strerror}") from None
        yield file


def check_folder(folder: Path, where: str) -> None:
    """Make a folder to write into. Raises UsageError that names the option ``where``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(str(folder), f"cannot be written: {error.strerror}", where) from None
    if not os.access(folder, os.W_OK):
        raise UsageError(str(folder), "cannot be written", where)
