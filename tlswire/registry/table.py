"""One generic table: a CSV file below ``tables/`` read once, looked up by code or by name.

Row types live in ``rows``; this module knows nothing of TLS. It must not import the rest of tlswire but ``errors``.
"""

from __future__ import annotations

import csv
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from tlswire.errors import LookupFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TABLES = Path(__file__).parent / "tables"


def hex_code(code: int, digits: int = 4) -> str:
    """A code point as the output contract writes it: ``0xC02F`` (upper case, zero-padded)."""
    return f"0x{code:0{digits}X}"


class Row(Protocol):
    """What a row type must offer the table."""

    @property
    def code(self) -> int:
        """The number on the wire."""

    @property
    def name(self) -> str:
        """The registered name."""

    @classmethod
    def from_csv(cls, cells: Mapping[str, str]) -> Self:
        """The row written in one line of the table's CSV file."""

    @classmethod
    def unknown(cls, code: int, name: str) -> Self:
        """The row of a code point the table does not know."""


R = TypeVar("R", bound=Row)


class Table(Generic[R]):
    """The rows of ``tables/<name>.csv`` in file order; iterable, indexable by code, searchable by name."""

    def __init__(self, name: str, row: type[R], digits: int = 0, aliases: tuple[str, ...] = ()) -> None:
        self.name = name
        self._row = row
        self._digits = digits
        self._aliases = aliases

    @cached_property
    def rows(self) -> tuple[R, ...]:
        """All rows, in the order of the file."""
        with (_TABLES / f"{self.name}.csv").open(encoding="utf-8", newline="") as file:
            return tuple(self._row.from_csv(cells) for cells in csv.DictReader(file))

    @cached_property
    def _by_code(self) -> dict[int, R]:
        return {row.code: row for row in self.rows}

    @cached_property
    def _by_name(self) -> dict[str, R]:
        names = {_fold(alias): row for row in self.rows for alias in self._other_names(row) if _fold(alias)}
        return names | {_fold(row.name): row for row in self.rows}

    def _other_names(self, row: R) -> Iterator[str]:
        for column in self._aliases:
            value = getattr(row, column)
            yield from (value,) if isinstance(value, str) else value

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, code: int) -> bool:
        return code in self._by_code

    def __getitem__(self, code: int) -> R:
        """The row of ``code``; an unknown code gives a row named by its hexadecimal form."""
        row = self._by_code.get(code)
        return self._row.unknown(code, self.hex(code)) if row is None else row

    def hex(self, code: int) -> str:
        """``code`` in this table's notation: hexadecimal for two-byte tables, decimal for one-byte tables."""
        return hex_code(code, self._digits) if self._digits else str(code)

    def find(self, text: str) -> R:
        """The row named ``text``: IANA name, alias (such as OpenSSL's) or a number in any notation.

        Raises LookupFailedError, with the nearest names, when nothing fits.
        """
        row = self._by_name.get(_fold(text))
        if row is not None:
            return row
        code = parse_code(text)
        if code is not None and code < 1 << (4 * self._digits or 8):
            return self[code]
        import difflib  # noqa: PLC0415 - only a misspelt name needs it

        near = difflib.get_close_matches(_fold(text), self._by_name, n=3, cutoff=0.6)
        hint = ", ".join(self._by_name[key].name for key in near)
        what = self.name.replace("_", " ")
        raise LookupFailedError(repr(text), f"not in the table of {what}" + (f"; did you mean {hint}?" if hint else ""))

    def search(self, text: str) -> tuple[R, ...]:
        """Rows whose name or alias contains ``text`` (case and punctuation folded); by code when it is a number."""
        code = parse_code(text)
        if code is not None:
            return (self[code],) if code < 1 << (4 * self._digits or 8) else ()
        needle = _fold(text)
        return tuple(
            row
            for row in self.rows
            if needle and any(needle in _fold(name) for name in (row.name, *self._other_names(row)))
        )


def parse_code(text: str) -> int | None:
    """A number written as ``0xC02F``, ``C02F`` after ``0x``, ``{0xC0,0x2F}``, ``0xC0,0x2F`` or decimal; else None."""
    parts = text.strip().strip("{}").split(",")
    try:
        if len(parts) > 1:
            return int.from_bytes(bytes(int(part.strip(), 16) for part in parts), "big")
        value = int(parts[0], 0)
    except ValueError:
        return None
    return value if value >= 0 else None


def _fold(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())
