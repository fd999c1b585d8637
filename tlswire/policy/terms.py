"""The kinds of values that policies speak of: how each is written in a file, compared, and told to a person.

Code points are written by their registered names and compared by their numbers; times are RFC 3339 dates or times.
Must not import anything of tlswire but ``errors``, ``escape`` and ``registry``.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.registry import EXTENSIONS, GROUPS, SCHEMES, SUITES, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# Nothing of a policy file that is longer is a name.
MAX_NAME = 80
# What a field of a subject holds; a tuple holds several of one kind, None is what nobody knows.
Value = bool | int | float | str | tuple[int | str, ...]


class Term(msgspec.Struct, frozen=True):
    """A kind of value: ``read`` makes it of what a file says (raising UsageError), ``show`` words of it."""

    name: str
    read: Callable[[object], Value]
    show: Callable[[Value], str]


def _exactly(name: str, *types: type) -> Callable[[object], Value]:
    def read(written: object) -> Value:
        if isinstance(written, types) and (bool in types or not isinstance(written, bool)):
            return written  # type: ignore[return-value] # one of the types just asked for
        raise UsageError(_shown(written), f"is no {name}")

    return read


def _shown(written: object) -> str:
    text = repr(written)
    return text if len(text) <= MAX_NAME else f"{text[:MAX_NAME]}..."


def words(name: str, known: Collection[str]) -> Term:
    """A text that is one of ``known``: the words of a field that has its own."""

    def read(written: object) -> Value:
        if not isinstance(written, str) or written not in known:
            raise UsageError(_shown(written), f"is none of {', '.join(known)}")
        return written

    return Term(name, read, _text)


def _code(table: object, *, short: bool) -> Term:
    def read(written: object) -> Value:
        if not isinstance(written, str) or len(written) > MAX_NAME:
            raise UsageError(_shown(written), "is no name of a code point")
        return table.find(written).code  # type: ignore[attr-defined, no-any-return] # every table finds

    def show(value: Value) -> str:
        row, code = table[value], table.hex(value)  # type: ignore[index, attr-defined] # every table is looked up so
        return row.name if short or row.name == code else f"{row.name} ({code})"

    return Term(table.name.replace("_", " "), read, show)  # type: ignore[attr-defined] # every table has a name


def _time(written: object) -> Value:
    if isinstance(written, dt.datetime):
        # A time without an offset is UTC, whatever the clock of this machine says.
        known = written if written.tzinfo is not None else written.replace(tzinfo=dt.UTC)
        try:
            return known.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        except OverflowError:
            raise UsageError(str(written), "is before the year 1 or after the year 9999") from None
    if isinstance(written, dt.date):
        return f"{written.isoformat()}T00:00:00Z"
    raise UsageError(_shown(written), "is no date or time (write 2020-09-01, without quotes)")


def _text(value: Value) -> str:
    return printable(str(value))


BOOL = Term(
    "true or false", _exactly("truth value (write true or false)", bool), lambda value: "yes" if value else "no"
)
NUMBER = Term("number", _exactly("number", int, float), lambda value: f"{value:g}")
TEXT = Term("text", _exactly("text", str), _text)
TIME = Term("time", _time, lambda value: str(value).removesuffix("T00:00:00Z"))
VERSION = _code(VERSIONS, short=True)
SUITE = _code(SUITES, short=False)
GROUP = _code(GROUPS, short=True)
SCHEME = _code(SCHEMES, short=False)
EXTENSION = _code(EXTENSIONS, short=True)
# Terms whose values have an order, and those that are texts.
ORDERED = (NUMBER, TIME, VERSION)
TEXTS = (TEXT,)


def told(term: Term, value: Value | None) -> str:
    """A value in words; several are separated by commas."""
    if value is None:
        return "unknown"
    if isinstance(value, tuple):
        return ", ".join(term.show(one) for one in value) or "none"
    return term.show(value)
