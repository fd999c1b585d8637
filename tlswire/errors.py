"""Every exception tlswire raises: one small tree whose members carry fields, not only text.

Peer faults are results, our own faults (and the caller's) are exceptions. This module imports nothing of tlswire.
"""

from __future__ import annotations


class TlswireError(Exception):
    """Base of all tlswire exceptions; ``str()`` is one line fit for a terminal."""


class WireError(TlswireError):
    """Bytes that do not follow the grammar, or a value that cannot be encoded.

    ``path`` names the field (``client_hello.extensions[3].server_name``), ``offset`` is the byte offset from the
    start of the decoded input (None while building), ``reason`` says what was found and what was needed.
    """

    def __init__(self, reason: str, path: str = "", offset: int | None = None) -> None:
        self.reason = reason
        self.path = path
        self.offset = offset
        where = f"{path}: " if path else ""
        at = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{where}{reason}{at}")

    def moved(self, base: int, prefix: str = "") -> WireError:
        """The same fault seen from an enclosing structure that begins ``base`` bytes earlier."""
        path = ".".join(part for part in (prefix, self.path) if part)
        return WireError(self.reason, path, base if self.offset is None else self.offset + base)


class UsageError(TlswireError):
    """Something the user gave cannot be used: ``what`` was given, ``where`` it stood, and why (exit code 2)."""

    def __init__(self, what: str, reason: str, where: str = "") -> None:
        self.what = what
        self.reason = reason
        self.where = where
        prefix = f"{where}: " if where else ""
        super().__init__(f"{prefix}{what}: {reason}")


class LookupFailedError(UsageError):
    """A name that no registry table knows; ``reason`` names the nearest known ones."""
