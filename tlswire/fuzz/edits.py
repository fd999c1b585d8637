"""Edits of a hello's fields, as values: one changes one thing, several make a mutation, and each says what it did.

An edit that adds or removes bytes leaves every enclosing length true; only the kinds that begin with ``length`` lie.
Adding a kind is a row of KINDS. Sans-IO. Must not import anything of tlswire but ``errors`` and ``fuzz.fields``.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, cast

import msgspec

from tlswire.errors import UsageError
from tlswire.fuzz.fields import Block, Group, Leaf, at, encode, numbered, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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


# Back from two trees to the edits between them.


def between(before: Group, after: Group) -> tuple[Edit, ...]:
    """Edits that make the bytes of ``after`` out of ``before``, one a field that differs, from the inside out.

    None where there is no way but writing the whole hello anew.
    """
    found = tuple(_between("", before, after))
    try:
        return found if encode(applied(before, found)) == encode(after) else ()
    except UsageError:
        return ()


def _between(path: str, before: Field, after: Field) -> Iterator[Edit]:
    if encode(before) == encode(after):
        return
    if isinstance(before, Leaf) or isinstance(after, Leaf) or _flat(before) or _flat(after):
        if _body(before) != _body(after):
            yield Edit("data", path, _body(after))
    else:
        yield from _members_between(path, before, after)
    if isinstance(after, Block) and after.length is not None and after.length != len(_body(after)):
        yield Edit("length-to", path, after.length)


def _members_between(path: str, before: Group | Block, after: Group | Block) -> Iterator[Edit]:
    old, new = dict(numbered(before)), dict(numbered(after))
    for name, field in old.items():
        if name in new:
            yield from _between(_below(path, name), field, new[name])
    for name in reversed(old):
        if name not in new:
            yield Edit("drop", _below(path, name))
    order = [name for name in old if name in new]
    for where, name in enumerate(name for name in new if name in old):
        if order[where] != name:
            order.remove(name)
            order.insert(where, name)
            yield Edit("move", _below(path, name), where)
    yield from _added(path, old, new, order)


def _added(path: str, old: dict[str, Field], new: dict[str, Field], order: list[str]) -> Iterator[Edit]:
    """What ``new`` has more; ``order`` are the names that stand there already."""
    copies = list(_copies(old, new))
    for name in dict.fromkeys(twin for twin, _ in copies):
        again = [copy for twin, copy in copies if twin == name]
        order[order.index(name) + 1 : order.index(name) + 1] = again
        yield Edit("duplicate", _below(path, name), len(again))
    extras = sum(name.partition("#")[0] == "extra" for name in order)
    for where, (name, field) in enumerate(new.items()):
        if name not in order:
            extras += 1
            yield Edit("append", path, encode(field))
            if where < len(order):
                yield Edit("move", _below(path, "extra" if extras == 1 else f"extra#{extras}"), where)
            order.insert(where, name)


def _copies(old: dict[str, Field], new: dict[str, Field]) -> Iterator[tuple[str, str]]:
    """The fields that stand behind their like and are the same, each with the name of the first."""
    before = ""
    for name, field in new.items():
        twin = name.partition("#")[0]
        if name not in old and twin == before and twin in old and encode(field) == encode(old[twin]):
            yield twin, name
        else:
            before = name


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


# What differs between two trees, in words.


def differences(before: Group, after: Group) -> tuple[str, ...]:
    """The fields that differ, a line each, from the front: ``session_id 32 -> 33 bytes``. No lines: the same bytes."""
    return tuple(_told("", before, after))


def spoken(path: str) -> str:
    """A place as people name it: ``server_name[0].name`` for ``extensions/server_name/body/value/[0]/name``.

    An extension's ``body`` is what stands behind its type; the extension's name alone is the one value in the body.
    """
    steps = path.split("/")
    if steps[0] == "extensions" and len(steps) > 1:
        steps = steps[1:2] + (["body"] if steps[2:] == ["body"] else [step for step in steps[2:] if step != "body"])
    words = ".".join(step for step in steps if step not in {"value", "data"}) or "client_hello"
    return words.replace(".[", "[").replace(".body", " body")


def _told(path: str, before: Field, after: Field) -> Iterator[str]:
    if encode(before) == encode(after):
        return
    name = spoken(path)
    if isinstance(before, Leaf) or isinstance(after, Leaf) or _flat(before) or _flat(after):
        if _body(before) != _body(after):
            yield from _content(path, before, after)
    else:
        yield from _fields(path, before, after)
    if isinstance(after, Block) and after.length is not None and after.length != len(_body(after)):
        yield f"{name} length says {after.length}, holds {_bytes(len(_body(after)))}"


def _flat(field: Field) -> bool:
    """Whether the content is bytes or a list of codes, which is told as a whole."""
    return isinstance(field, Block) and all(isinstance(item, Leaf) for item in field.items)


def _content(path: str, before: Field, after: Field) -> Iterator[str]:
    old, new, name = _body(before), _body(after), spoken(path)
    if len(old) != len(new):
        yield f"{name} {len(old)} -> {_bytes(len(new))}"
    elif not isinstance(before, Leaf) and not isinstance(after, Leaf):
        items = [
            (encode(one), encode(other))
            for one, other in zip_longest(before.items, after.items, fillvalue=Leaf("", b""))
        ]
        changed = [(at, pair) for at, pair in enumerate(items) if pair[0] != pair[1]]
        if len(items) > 1 and sorted(one for one, _ in items) == sorted(other for _, other in items):
            yield f"{name} in another order"
        elif len(items) > 1 and len(changed) == 1:
            where, (one, other) = changed[0]
            yield f"{name}[{where}] {_shown(one)} -> {_shown(other)}"
        else:
            yield f"{name} {_shown(old)} -> {_shown(new)}"
    else:
        yield f"{name} {_shown(old)} -> {_shown(new)}"


def _fields(path: str, before: Group | Block, after: Group | Block) -> Iterator[str]:
    old, new = dict(numbered(before)), dict(numbered(after))
    more: dict[str, int] = {}
    for name, field in old.items():
        here = _below(path, name)
        if name in new:
            yield from _told(here, field, new[name])
        else:
            yield f"{spoken(here)} dropped"
    for name, field in new.items():
        twin, _, again = name.partition("#")
        if name in old:
            continue
        if again and twin in old:
            more[twin] = more.get(twin, 0) + 1
        else:
            yield f"{spoken(path)}: {_shown(encode(field))} added"
    for twin, times in more.items():
        yield f"{spoken(_below(path, twin))} " + ("once more" if times == 1 else f"{times} times more")
    yield from _order(path, [name for name in old if name in new], [name for name in new if name in old])


def _order(path: str, old: list[str], new: list[str]) -> Iterator[str]:
    if old == new:
        return
    for name in old:
        if [other for other in old if other != name] == [other for other in new if other != name]:
            yield f"{spoken(_below(path, name))} moved from place {old.index(name) + 1} to {new.index(name) + 1}"
            return
    yield f"{spoken(path)} in another order"


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


def _shown(data: bytes, limit: int = 16) -> str:
    if not data:
        return "nothing"
    return f"0x{data.hex()}" if len(data) <= limit else f"0x{data[:limit].hex()}... ({len(data)} bytes)"
