"""Edits of a hello's fields, as values: one changes one thing, several make a mutation, and each says what it did.

An edit that adds or removes bytes leaves every enclosing length true; only the kinds that begin with ``length`` lie.
Adding a kind is a row of KINDS. Sans-IO. Must not import anything of tlswire but ``errors`` and ``fuzz.fields``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from tlswire.errors import UsageError
from tlswire.fuzz.fields import Block, Group, Leaf, at, encode, replaced, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tlswire.fuzz.fields import Field


class Edit(msgspec.Struct, frozen=True):
    """One change: ``kind`` is a row of KINDS, ``path`` a place in the tree, ``value`` what the kind takes."""

    kind: str
    path: str
    value: int | bytes = 0

    def __str__(self) -> str:
        value = self.value.hex() if isinstance(self.value, bytes) else self.value
        return f"{self.kind} {self.path} {value}"


def applied(root: Group, edits: Iterable[Edit]) -> Group:
    """The tree after all edits, in their order. Raises UsageError for a path that is not there (any more)."""
    for edit in edits:
        kind = KINDS.get(edit.kind)
        if kind is None:
            raise UsageError(edit.kind, f"no such edit; there are {', '.join(KINDS)}")
        root = kind(root, edit.path, edit.value)
    return root


def _number(value: int | bytes) -> int:
    return value if isinstance(value, int) else int.from_bytes(value, "big")


def _octets(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else bytes(value)


def _block(root: Group, path: str) -> Block:
    field = at(root, path)
    if not isinstance(field, Block):
        raise UsageError(path, "has no length of its own")
    return field


def _body(field: Field) -> bytes:
    return b"".join(map(encode, field.items)) if isinstance(field, Block) else encode(field)


def _put(root: Group, path: str, *new: Field) -> Group:
    return cast("Group", replaced(root, path, *new))


def _refilled(field: Field, data: bytes) -> Field:
    if isinstance(field, Block):
        return msgspec.structs.replace(field, items=(Leaf("data", data),) if data else ())
    return Leaf(field.name, data, field.table if isinstance(field, Leaf) else None)


def _length_by(root: Group, path: str, value: int | bytes) -> Group:
    block = _block(root, path)
    return _put(root, path, msgspec.structs.replace(block, length=max(0, len(_body(block)) + _number(value))))


def _length_to(root: Group, path: str, value: int | bytes) -> Group:
    return _put(root, path, msgspec.structs.replace(_block(root, path), length=_number(value)))


def _data(root: Group, path: str, value: int | bytes) -> Group:
    return _put(root, path, _refilled(at(root, path), _octets(value)))


def _code(root: Group, path: str, value: int | bytes) -> Group:
    field = at(root, path)
    return _data(root, path, _number(value).to_bytes(max(1, len(encode(field))), "big"))


def _size(root: Group, path: str, value: int | bytes) -> Group:
    size, field = _number(value), at(root, path)
    return _put(root, path, _refilled(field, _body(field)[:size].ljust(size, b"\0")))


def _append(root: Group, path: str, value: int | bytes) -> Group:
    field = at(root, path)
    if isinstance(field, Leaf):
        return _data(root, path, field.data + _octets(value))
    return _put(root, path, msgspec.structs.replace(field, items=(*field.items, Leaf("extra", _octets(value)))))


def _insert(root: Group, path: str, value: int | bytes) -> Group:
    field = at(root, path)
    if isinstance(field, Leaf):
        return _data(root, path, _octets(value) + field.data)
    return _put(root, path, msgspec.structs.replace(field, items=(Leaf("extra", _octets(value)), *field.items)))


def _drop(root: Group, path: str, _: int | bytes) -> Group:
    return _put(root, path)


def _duplicate(root: Group, path: str, value: int | bytes) -> Group:
    field = at(root, path)
    return _put(root, path, field, *[field] * max(1, _number(value)))


def _move(root: Group, path: str, value: int | bytes) -> Group:
    field = at(root, path)
    parent, _, _ = path.rpartition("/")
    without = _drop(root, path, 0)
    home = at(without, parent) if parent else without
    if isinstance(home, Leaf):  # what had fields has them still
        raise UsageError(path, "cannot be moved")
    where = min(_number(value), len(home.items))
    moved = msgspec.structs.replace(home, items=(*home.items[:where], field, *home.items[where:]))
    return _put(without, parent, moved) if parent else cast("Group", moved)


def _reverse(root: Group, path: str, _: int | bytes) -> Group:
    field = at(root, path)
    if isinstance(field, Leaf):
        return _data(root, path, field.data[::-1])
    return _put(root, path, msgspec.structs.replace(field, items=field.items[::-1]))


KINDS: dict[str, Callable[[Group, str, int | bytes], Group]] = {
    "length-by": _length_by,  # the length says so many bytes more or fewer than there are
    "length-to": _length_to,  # the length says this
    "data": _data,  # the content is these bytes
    "code": _code,  # the code is this number
    "size": _size,  # the content is cut or filled with zeros to so many bytes
    "append": _append,  # bytes behind the last field
    "insert": _insert,  # bytes before the first field
    "drop": _drop,
    "duplicate": _duplicate,  # so many times more
    "move": _move,  # to this place among its neighbours
    "reverse": _reverse,
}


# What differs between two trees, in words.


def differences(before: Group, after: Group) -> tuple[str, ...]:
    """The fields that differ, a line each: ``session_id 32 -> 33 bytes``; outermost fields first, no field twice."""
    old, new = dict(walk(before)), dict(walk(after))
    lines: list[str] = []
    told: list[str] = []

    def below(path: str) -> bool:
        return any(path.startswith(f"{parent}/") for parent in told)

    for path, field in old.items():
        if below(path):
            continue
        if path not in new:
            lines.append(f"{path} dropped")
            told.append(path)
        elif encode(field) != encode(new[path]):
            line = _changed(path, field, new[path])
            if line:
                lines.append(line)
                told.append(path)
    for path, field in new.items():
        if path not in old and not below(path):
            lines.append(f"{path} added: {_shown(encode(field))}")
            told.append(path)
    if not lines and encode(before) != encode(after):
        lines.append(_order(before, after))
    return tuple(lines)


def _changed(path: str, before: Field, after: Field) -> str:
    """One line for a field whose change does not show in the fields below it alone; empty where it does."""
    if isinstance(before, Block) and isinstance(after, Block):
        if after.length is not None and after.length != before.length:
            return f"{path} length says {after.length}, holds {len(_body(after))} bytes"
        same_names = [item.name for item in before.items] == [item.name for item in after.items]
        plain = all(isinstance(item, Leaf) and item.name in {"data", "extra"} for item in (*before.items, *after.items))
        if plain or (not same_names and _names(after) != _names(before)):
            return _of_bytes(path, _body(before), _body(after)) if plain or not after.items else ""
        return ""
    if isinstance(before, Leaf) or isinstance(after, Leaf):
        return _of_bytes(path, encode(before), encode(after))
    return ""


def _names(field: Field) -> list[str]:
    return [] if isinstance(field, Leaf) else sorted(item.name for item in field.items)


def _of_bytes(path: str, before: bytes, after: bytes) -> str:
    if len(before) != len(after):
        return f"{path} {len(before)} -> {len(after)} bytes"
    return f"{path} {_shown(before)} -> {_shown(after)}"


def _order(before: Any, after: Any) -> str:
    for path, field in walk(before):
        other = dict(walk(after)).get(path)
        if other is not None and encode(field) != encode(other):
            return f"{path}: another order"
    return "another order"


def _shown(data: bytes, limit: int = 16) -> str:
    if not data:
        return "nothing"
    return f"0x{data.hex()}" if len(data) <= limit else f"0x{data[:limit].hex()}... ({len(data)} bytes)"
