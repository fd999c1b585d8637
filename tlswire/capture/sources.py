"""Bytes of a file, of stdin or of what is compressed in them, told by content: gzip and zstd.

Decompression is streamed and bounded by ratio. Must not import anything of tlswire but ``errors``.
"""

from __future__ import annotations

import os
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 1 << 20
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

# Deflate reaches 1032:1 on nothing but zeros; captures compress 2:1 to 20:1.
_BOMB_SIZE = 1 << 28
_BOMB_RATIO = 250


class Source(Protocol):
    """Where bytes come from. ``position`` counts the bytes of the file, ``damage`` says why it ended early."""

    position: int
    damage: str

    def read(self) -> bytes:
        """The next bytes, at most a few MiB; none at the end."""

    def close(self) -> None:
        """Close the file."""


class Plain:
    """The bytes of a file as they are, after ``head``, which was read to look at them."""

    def __init__(self, file: BinaryIO, head: bytes) -> None:
        self._file = file
        self._head = head
        self.position = 0
        self.damage = ""

    def read(self) -> bytes:
        """The next bytes, at most ``CHUNK``."""
        data, self._head = self._head, b""
        if not data:
            try:
                data = self._file.read(CHUNK)
            except OSError as error:
                self.damage = f"cannot be read on: {error.strerror or error}"
                return b""
        self.position += len(data)
        return data


    def close(self) -> None:
        """Close the file; stdin stays open."""
        if self._file is not sys.stdin.buffer:
            self._file.close()


class Compressed:
    """What a stream of gzip members or zstd frames holds."""

    def __init__(self, source: Plain, name: str, make: Callable[[], Any], errors: tuple[type[Exception], ...]) -> None:
        self._source = source
        self._name = name
        self._make = make
        self._errors = errors
        self._engine = make()
        self._pending = b""
        self._given = 0
        self.damage = ""

    @property
    def position(self) -> int:
        """Compressed bytes taken so far."""
        return self._source.position

    def read(self) -> bytes:
        """The next decompressed bytes; what came before damage is given out first."""
        while not self.damage:
            compressed = self._pending or self._source.read()
            self._pending = b""
            if not compressed:
                if not self._engine.eof:
                    self.damage = self._source.damage or f"the {self._name} stream ends early"
                return b""
            try:
                data = self._engine.decompress(compressed, CHUNK)
            except self._errors as error:
                self.damage = f"the {self._name} stream is broken: {error}"
                return b""
            self._pending = self._rest()
            self._given += len(data)
            if self._given > _BOMB_SIZE and self._given > _BOMB_RATIO * self.position:
                self.damage = f"more than {_BOMB_RATIO} bytes from each byte of {self._name}: taken for a decompression bomb"
                return b""
            if data:
                return bytes(data)
        return b""

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _rest(self) -> bytes:
        """Input not consumed yet; another member begins a new engine (RFC 1952 section 2.2)."""
        engine = self._engine
        if engine.eof:
            rest = bytes(engine.unused_data)
            if rest.strip(b"\0"):
                self._engine = self._make()
                return rest
            return b""
        return bytes(getattr(engine, "unconsumed_tail", b""))


def _gzip() -> Any:
    return zlib.decompressobj(wbits=31)


def _zstd() -> Any:
    try:
        import zstandard  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError("zstd", "needs the extra: pip install 'tlswire[zstd]'") from None

    class Engine:
        """zstandard's decompressobj with the face of zlib's."""

        def __init__(self) -> None:
            self._engine = zstandard.ZstdDecompressor().decompressobj()
            self.unconsumed_tail = b""

        @property
        def eof(self) -> bool:
            return bool(self._engine.eof)

        @property
        def unused_data(self) -> bytes:
            return bytes(self._engine.unused_data)

        def decompress(self, data: bytes, _limit: int) -> bytes:
            piece, self.unconsumed_tail = data[: 1 << 14], data[1 << 14 :]
            return bytes(self._engine.decompress(piece)) if piece else b""

    return Engine()


def _zstd_errors() -> tuple[type[Exception], ...]:
    import zstandard  # noqa: PLC0415 - an extra

    return (zstandard.ZstdError,)


def open_source(path: str | Path | BinaryIO) -> tuple[str, int, Source]:
    """The name to show, the size in bytes (0 unknown) and the bytes, decompressed. Raises UsageError."""
    if isinstance(path, str | Path):
        name, size, file = ("stdin", 0, sys.stdin.buffer) if str(path) == "-" else _opened(Path(path))
    else:
        name, size, file = str(getattr(path, "name", "capture")), 0, path
    try:
        head = file.read(CHUNK)
    except OSError as error:
        raise UsageError(name, f"cannot be read: {error.strerror or error}") from None
    source = Plain(file, head)
    if head.startswith(GZIP):
        return name, size, Compressed(source, "gzip", _gzip, (zlib.error,))
    if head.startswith(ZSTD):
        make = _zstd
        make()
        return name, size, Compressed(source, "zstd", make, _zstd_errors())
    return name, size, source


def _opened(path: Path) -> tuple[str, int, BinaryIO]:
    try:
        if path.is_dir():
            raise UsageError(str(path), "is a folder")
        file = path.open("rb", buffering=0)
        return str(path), os.fstat(file.fileno()).st_size, file  # type: ignore[return-value]
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror or error}") from None
