"""Where results go: files that are opened before anything is sent, so that a fault is told first.

Must not import anything of tlswire but ``errors``.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def writable(name: str, *, append: bool = False) -> Iterator[BinaryIO]:
    """The file to write to; - is stdout. Raises UsageError."""
    if name == "-":
        yield sys.stdout.buffer
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(Path(name).open("ab" if append else "wb"))
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
