"""Bytes of a file, of stdin, or of what is compressed in them: gzip (RFC 1952) and Zstandard (RFC 8878), told by content.

Everything is streamed in pieces of at most about ``CHUNK``, so that no input makes memory grow, and what was decompressed
before a broken place is always given out. Must not import anything of tlswire but ``errors``.
"""

from __future__ import annotations

import importlib
import os
import re
import stat
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

# Larger ones are given back to the system when they are freed, and their pages come anew and slowly.
CHUNK = 1 << 17
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"

# Deflate reaches 1032:1 on nothing but zeros; captures compress 2:1 to 20:1.
_BOMB_SIZE = 1 << 28
_BOMB_RATIO = 250

# A gzip member begins with a small piece: a file of a million tiny members must not copy its rest a million times.
_FIRST_STEP, _LAST_STEP = 1 << 10, 1 << 18
_ZEROS = re.compile(rb"\0*")


class Source(Protocol):
    """Where bytes come from. ``damage`` says why they ended before their end, empty where they did not."""

    @property
    def damage(self) -> str:
        """Why the bytes ended early."""

    @property
    def position(self) -> int:
        """Bytes of the file read so far, compressed ones where it is compressed."""

    def read(self) -> bytes:
        """The next bytes; none at the end."""

    def back(self, count: int) -> bool:
        """Whether the last ``count`` bytes will be read once more."""

    def close(self) -> None:
        """Close what was opened here."""


class Plain:
    """The bytes of a file as they are. ``owned`` files are closed, others are the caller's."""

    def __init__(self, file: BinaryIO, *, owned: bool) -> None:
        # read1 hands out what a pipe has; read would wait for a whole chunk of a live capture.
        self._read: Callable[[int], bytes | None] = getattr(file, "read1", file.read)
        self._file = file
        self._owned = owned
        self._seekable = file.seekable()
        self._returned = b""
        self.position = 0
        self.damage = ""

    def read(self) -> bytes:
        """The next bytes, at most ``CHUNK``; none at the end or where the file cannot be read on."""
        if self._returned:
            data, self._returned = self._returned, b""
            return data
        try:
            data = self._read(CHUNK) or b""
        except OSError as error:
            self.damage = f"cannot be read on: {error.strerror or error}"
            return b""
        self.position += len(data)
        return data

    def back(self, count: int) -> bool:
        """Go back where the file lets; not before what is given by the next ``read`` was read."""
        if not self._seekable or self._returned:
            return False
        self._file.seek(-count, os.SEEK_CUR)
        self.position -= count
        return True

    def peek(self, count: int) -> bytes:
        """The first ``count`` bytes, fewer at the end; they are read again."""
        data = self.read()
        while 0 < len(data) < count and (more := self.read()):
            data += more
        self._returned = data
        return data[:count]

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._owned:
            self._file.close()


class _Compressed:
    """What gzip and zstd share: where the bytes come from, and the guard against bombs."""

    kind = ""

    def __init__(self, file: Plain) -> None:
        self._file = file
        self._data = b""
        self._at = 0
        self._given = 0
        self.damage = ""

    @property
    def position(self) -> int:
        """Compressed bytes read so far."""
        return self._file.position

    def back(self, _count: int) -> bool:
        """Decompressing again would cost more than keeping."""
        return False

    def close(self) -> None:
        """Close the file if it was opened here."""
        self._file.close()

    def _give(self, data: bytes) -> bytes:
        self._given += len(data)
        if self._given > _BOMB_SIZE and self._given > _BOMB_RATIO * self.position:
            self.damage = f"{self.kind} data grows over {_BOMB_RATIO} times: taken for a decompression bomb, stopped"
        return data

    def _short(self) -> str:
        return self._file.damage or f"{self.kind} data cut"


class Gzip(_Compressed):
    """The members of a gzip file, one behind the other (RFC 1952 section 2.2)."""

    kind = "gzip"

    def __init__(self, file: Plain) -> None:
        super().__init__(file)
        self._engine = zlib.decompressobj(wbits=31)
        self._step = _FIRST_STEP

    def read(self) -> bytes:
        """The next decompressed bytes; what came before damage is given out first."""
        while not self.damage:
            if self._at >= len(self._data):
                self._data, self._at = self._file.read(), 0
                if not self._data:
                    return self._end()
            if not self._engine.eof or self._next_member():
                data = self._inflate()
                if data:
                    return self._give(data)
        return b""

    def _inflate(self) -> bytes:
        piece = self._data[self._at : self._at + self._step]
        before = self._engine.copy()
        try:
            data = self._engine.decompress(piece, CHUNK)
        except zlib.error as error:
            self.damage = f"gzip data broken ({str(error).rpartition(': ')[2]})"
            return _salvage(before, piece)
        left = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
        self._at += len(piece) - len(left)
        self._step = min(self._step * 4, _LAST_STEP)
        return data

    def _next_member(self) -> bool:
        """Whether another member begins here. Zeros are padding, as gzip(1) takes them."""
        padding = _ZEROS.match(self._data, self._at)
        self._at = padding.end() if padding else self._at
        if self._at >= len(self._data):
            return False
        if len(self._data) - self._at < 2:
            self._data, self._at = self._data[self._at :] + self._file.read(), 0
        if not self._data.startswith(GZIP, self._at):
            self.damage = self._file.damage or "what follows the gzip data is not gzip, left out"
            return False
        self._engine, self._step = zlib.decompressobj(wbits=31), _FIRST_STEP
        return True

    def _end(self) -> bytes:
        # The last call may have stopped at its bound with a few bytes still inside zlib.
        data = b"" if self._engine.eof else self._engine.decompress(b"", CHUNK)
        if not data and (self._file.damage or not self._engine.eof):
            self.damage = self._short()
        return data


def _salvage(engine: Any, data: bytes) -> bytes:
    """What inflates before the broken place: a failing call of zlib throws away all it made."""
    found = []
    step = len(data) // 2
    while step:
        trial = engine.copy()
        try:
            found.append(trial.decompress(data[:step], CHUNK))
        except zlib.error:
            step //= 2
        else:
            engine, data = trial, data[step:]
            step = min(step, len(data))
    return b"".join(found)


class Zstd(_Compressed):
    """The frames of a zstd file.

    Frames and blocks are walked here: given one block a call, the library makes at
    most 128 KiB of it, its errors cost one block, and a cut is seen as such (RFC 8878 section 3.1.1).
    """

    kind = "zstd"

    def __init__(self, file: Plain, library: Any) -> None:
        super().__init__(file)
        self._library = library
        self._engine: Any = None
        self._in_frame = False
        self._checksum = 0

    def read(self) -> bytes:
        """The next decompressed bytes; what came before damage is given out first."""
        while not self.damage and (piece := self._piece()):
            try:
                data = bytes(self._engine.decompress(piece))
            except self._library.ZstdError as error:
                self.damage = f"zstd data broken ({str(error).rpartition(': ')[2]})"
                break
            if data:
                return self._give(data)
        return b""

    def _piece(self) -> bytes:
        """The next frame header, block or checksum."""
        if self._in_frame:
            header = self._take(3)
            value = int.from_bytes(header, "little")
            self._in_frame = not value & 1
            # Of a run (block type 1) one byte is there, whatever its size.
            body = self._take(1 if value >> 1 & 3 == 1 else value >> 3)
            return b"" if self.damage else header + body
        if self._checksum:
            size, self._checksum = self._checksum, 0
            return self._take(size)
        while magic := self._next_frame():
            if magic == ZSTD:
                return self._frame_header()
            self._skip(int.from_bytes(self._take(4), "little"))
        return b""

    def _next_frame(self) -> bytes:
        """The magic of the next frame or skippable frame; empty at the end."""
        if self.damage or (self._at >= len(self._data) and not self._fill()):
            self.damage = self.damage or self._file.damage
            return b""
        magic = self._take(4)
        # RFC 8878 section 3.1.2: sixteen magics of frames to skip.
        if magic and magic != ZSTD and int.from_bytes(magic, "little") & 0xFFFFFFF0 != 0x184D2A50:
            self.damage = "what follows the zstd data is not zstd, left out"
            return b""
        return magic

    def _frame_header(self) -> bytes:
        descriptor = self._take(1)
        flags = descriptor[0] if descriptor else 0
        single = flags >> 5 & 1
        size = 1 - single + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
        rest = self._take(size)
        self._in_frame, self._checksum = True, flags & 4
        self._engine = self._library.ZstdDecompressor().decompressobj()
        return b"" if self.damage else ZSTD + descriptor + rest

    def _fill(self) -> bool:
        self._data, self._at = self._data[self._at :] + (more := self._file.read()), 0
        return bool(more)

    def _take(self, count: int) -> bytes:
        """Exactly ``count`` bytes, at most 2 MiB by the width of the fields; none and damage where fewer are left."""
        while len(self._data) - self._at < count:
            if not self._fill():
                self.damage = self.damage or self._short()
                return b""
        self._at += count
        return self._data[self._at - count : self._at]

    def _skip(self, count: int) -> None:
        while not self.damage and count > len(self._data) - self._at:
            count -= len(self._data) - self._at
            self._at = len(self._data)
            if not self._fill():
                self.damage = self._short()
        self._at += count


def open_source(path: str | Path | BinaryIO) -> tuple[str, int, Source]:
    """The name to show, the size in bytes (0 unknown) and the bytes, decompressed. Raises UsageError."""
    if not isinstance(path, str | Path):
        shown = getattr(path, "name", "")
        name, file, owned = shown if isinstance(shown, str) and shown else "capture", path, False
    elif str(path) == "-":
        name, file, owned = "stdin", sys.stdin.buffer, False
    else:
        name, file, owned = str(path), _opened(path), True
    plain = Plain(file, owned=owned)
    head = plain.peek(4)
    if not head:
        plain.close()
        raise UsageError(name, plain.damage or "is empty")
    size = 0 if file is sys.stdin.buffer else _size(file)
    if head.startswith(GZIP):
        return name, size, Gzip(plain)
    if head == ZSTD:
        try:
            return name, size, Zstd(plain, importlib.import_module("zstandard"))
        except ImportError:
            plain.close()
            raise UsageError(name, "is zstd: install 'tlswire[zstd]' to read it, or unpack it first") from None
    return name, size, plain


def _opened(path: str | Path) -> BinaryIO:
    try:
        if Path(path).is_dir():
            raise UsageError(str(path), "is a folder, not a capture")
        # Unbuffered: the pieces are large, and a buffer would only copy them once more.
        return Path(path).open("rb", buffering=0)
    except (OSError, ValueError) as error:
        raise UsageError(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _size(file: BinaryIO) -> int:
    try:
        status = os.fstat(file.fileno())
    except (OSError, AttributeError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
