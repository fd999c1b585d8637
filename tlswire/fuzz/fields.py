"""A ClientHello as a tree of fields that can be bent: every length, vector and code of it, found by the grammar itself.

``dissect`` walks the grammar (``wire.handshake``, ``wire.extensions``) beside the bytes and leaves a value for each
field; ``encode`` gives the bytes back, lengths computed unless one was set to lie. An untouched tree encodes to the
bytes it was made from. Sans-IO. Must not import anything of tlswire but ``errors``, ``registry`` and ``wire``.
"""

# The walk asks grammars for what they are made of, as Construct has no way to:
# ruff: noqa: SLF001

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from tlswire.errors import UsageError, WireError
from tlswire.registry import EXTENSIONS
from tlswire.wire.cursor import Cursor
from tlswire.wire.extensions import grammar_of
from tlswire.wire.handshake import CLIENT_HELLO_BODY, Extensions
from tlswire.wire.primitives import (
    Choice,
    Codes,
    Empty,
    Many,
    Maybe,
    Opaque,
    Prefixed,
    Record,
    UInt,
    Vector,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.registry import Table
    from tlswire.wire.primitives import Grammar


class Leaf(msgspec.Struct, frozen=True):
    """Bytes without a structure of their own; ``table`` names the values of a code."""

    name: str
    data: bytes
    table: Any = None


class Group(msgspec.Struct, frozen=True):
    """Fields one after the other, without a length."""

    name: str
    items: tuple[Field, ...]


class Block(msgspec.Struct, frozen=True):
    """Fields behind a length of ``width`` bytes, which says the truth unless ``length`` is set.

    ``minimum`` and ``maximum`` are the grammar's bounds in bytes; ``unit`` is the size of an item where all are alike.
    """

    name: str
    width: int
    items: tuple[Field, ...]
    minimum: int = 0
    maximum: int = 0
    unit: int = 0
    length: int | None = None


Field: TypeAlias = Leaf | Group | Block


def encode(field: Field) -> bytes:
    """The bytes of a field. A length that does not fit its width is cut to it, as a lie may be."""
    if isinstance(field, Leaf):
        return field.data
    body = b"".join(map(encode, field.items))
    if isinstance(field, Group):
        return body
    length = len(body) if field.length is None else field.length
    return (length % (1 << 8 * field.width)).to_bytes(field.width, "big") + body


def dissect_hello(body: bytes) -> Group:
    """The tree of a ClientHello's body. Raises WireError for one that is not well formed up to its extensions' bodies."""
    cursor = Cursor(body)
    found = _read(CLIENT_HELLO_BODY, cursor, "client_hello", {})
    if cursor.left():
        raise WireError(f"{cursor.left()} bytes left over", "client_hello", cursor.offset)
    assert isinstance(found, Group)  # noqa: S101 - a Record gives a Group
    return found


def dissect_extension(code: int, data: bytes) -> Group:
    """The tree of one extension of a ClientHello: ``type`` and ``body``; a body its grammar cannot read is one leaf."""
    return Group(_name_of(code), (Leaf("type", code.to_bytes(2, "big"), EXTENSIONS), _body(code, data)))


def _name_of(code: int) -> str:
    return EXTENSIONS[code].name if code in EXTENSIONS else f"0x{code:04X}"


def _body(code: int, data: bytes) -> Block:
    grammar = grammar_of(code, "ch")
    items: tuple[Field, ...] = (Leaf("data", data),) if data else ()
    if not isinstance(grammar, Empty):
        try:
            parse(grammar, data)
            items = (_read(grammar, Cursor(data), "value", {}),)
        except WireError:
            pass
    return Block("body", 2, items, 0, 0xFFFF)


def _read(grammar: Grammar, cursor: Cursor, name: str, context: dict[str, Any]) -> Field:
    """One field below ``grammar``; ``context`` collects the values of its record for a Choice."""
    if isinstance(grammar, Maybe):
        return _read(grammar.item, cursor, name, context) if cursor.left() else Group(name, ())
    if isinstance(grammar, Choice):
        return _read(grammar.cases.get(context[grammar.field], grammar.otherwise), cursor, name, context)
    if isinstance(grammar, Record):
        inner: dict[str, Any] = {}
        return Group(name, tuple(_member(part, item, cursor, inner) for part, item in grammar.fields))
    if isinstance(grammar, Many):
        return Group(name, tuple(_items(grammar.item, cursor)))
    if isinstance(grammar, Extensions):
        return Block(name, 2, tuple(_extensions(_taken(cursor, 2))), 0, 0xFFFF)
    if isinstance(grammar, Codes):
        body, unit = _taken(cursor, grammar.width), grammar.item
        codes = tuple(Leaf(f"[{at // unit}]", body[at : at + unit], grammar.table) for at in range(0, len(body), unit))
        return Block(name, grammar.width, codes, grammar.minimum, grammar.maximum, unit)
    if isinstance(grammar, Vector):
        inner_cursor = Cursor(_taken(cursor, grammar.width))
        return Block(name, grammar.width, tuple(_items(grammar.item, inner_cursor)), grammar.minimum, grammar.maximum)
    if isinstance(grammar, Prefixed):
        inside = _read(grammar.item, Cursor(_taken(cursor, grammar.width)), "value", context)
        return Block(name, grammar.width, (inside,), grammar.minimum, grammar.maximum)
    if isinstance(grammar, Opaque):
        body = _taken(cursor, grammar.width)
        return Block(name, grammar.width, (Leaf("data", body),), grammar.minimum, grammar.maximum, 1)
    start = cursor.tell()
    grammar._parse(cursor, context, "")
    table: Table[Any] | None = grammar.table if isinstance(grammar, UInt) else None
    return Leaf(name, bytes(cursor.getbuffer()[start : cursor.tell()]), table)


def _member(name: str, grammar: Grammar, cursor: Cursor, context: dict[str, Any]) -> Field:
    field = _read(grammar, cursor, name, context)
    if isinstance(field, Leaf):
        context[name] = int.from_bytes(field.data, "big")
    return field


def _items(grammar: Grammar, cursor: Cursor) -> Iterator[Field]:
    at = 0
    while cursor.left():
        yield _read(grammar, cursor, f"[{at}]", {})
        at += 1


def _taken(cursor: Cursor, width: int) -> bytes:
    length = int.from_bytes(cursor.take(width), "big")
    return cursor.take(length)


def _extensions(data: bytes) -> Iterator[Field]:
    cursor = Cursor(data)
    while cursor.left():
        code = int.from_bytes(cursor.take(2), "big")
        yield dissect_extension(code, _taken(cursor, 2))


# Places in the tree: names joined by "/", such as "extensions/server_name/body/value/[0]/name".


def numbered(field: Field) -> Iterator[tuple[str, Field]]:
    """The fields right below ``field`` by name; of one name, the second is ``name#2``."""
    seen: dict[str, int] = {}
    for item in () if isinstance(field, Leaf) else field.items:
        seen[item.name] = count = seen.get(item.name, 0) + 1
        yield item.name if count == 1 else f"{item.name}#{count}", item


def walk(field: Field, path: str = "") -> Iterator[tuple[str, Field]]:
    """Every field below ``field`` with its path, from the front; fields of one name are told apart as ``name#2``."""
    for name, item in numbered(field):
        here = f"{path}/{name}" if path else name
        yield here, item
        yield from walk(item, here)


def at(root: Field, path: str) -> Field:
    """The field at ``path``, the root itself at an empty one. Raises UsageError where there is none."""
    for step in path.split("/") if path else ():
        root = _items_of(root, path)[_place(root, step, path)]
    return root


def replaced(root: Field, path: str, *new: Field) -> Field:
    """The tree with ``new`` in the place of the field at ``path``; no ``new`` removes it. Raises UsageError."""
    if not path:
        if len(new) != 1:
            raise UsageError("the hello", "is one field and stays one")
        return new[0]
    step, _, rest = path.partition("/")
    items = _items_of(root, path)
    where = _place(root, step, path)
    put = (replaced(items[where], rest, *new),) if rest else new
    changed: Field = msgspec.structs.replace(root, items=(*items[:where], *put, *items[where + 1 :]))
    return changed


def _items_of(field: Field, path: str) -> tuple[Field, ...]:
    if isinstance(field, Leaf):
        raise UsageError(path, f"{field.name} has no fields below it")
    return field.items


def _place(field: Field, step: str, path: str) -> int:
    name, _, number = step.partition("#")
    wanted = int(number or 1)
    for where, item in enumerate(_items_of(field, path)):
        if item.name == name:
            wanted -= 1
            if not wanted:
                return where
    raise UsageError(path, f"there is no {step} in {field.name or 'the hello'}")
