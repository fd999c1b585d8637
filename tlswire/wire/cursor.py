"""Where a parse stands, and the tree it leaves when traced: cursors, nodes, and how values are put in words.

The grammars themselves stand in ``wire.primitives``. Must not import anything of tlswire but ``errors`` and, for types,
``registry`` and ``wire.primitives``.
"""

# Construct calls its hooks with fixed names:
# ruff: noqa: SLF001

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.errors import WireError

if TYPE_CHECKING:
    from tlswire.registry import Table
    from tlswire.wire.primitives import Grammar


class Node(msgspec.Struct):
    """One traced field: ``start`` and ``end`` are byte offsets into the traced input."""

    name: str
    start: int
    end: int = 0
    value: object = None
    text: str = ""
    children: list[Node] = msgspec.field(default_factory=list)
    error: str = ""


class Cursor(io.BytesIO):
    """The bytes being parsed: knows where it stands in the whole input, and the node being traced, if any."""

    def __init__(self, data: bytes, base: int = 0, node: Node | None = None) -> None:
        super().__init__(data)
        self.size = len(data)
        self.base = base
        self.node = node

    @property
    def offset(self) -> int:
        """Byte offset from the start of the whole input."""
        return self.base + self.tell()

    def take(self, count: int) -> bytes:
        """Exactly ``count`` bytes; WireError when the input ends earlier."""
        data = self.read(count)
        if len(data) != count:
            at = self.offset - len(data)
            raise WireError(f"needs {count} bytes, {len(data)} left", offset=at)
        return data

    def left(self) -> int:
        """How many bytes are left."""
        return self.size - self.tell()


def traced(grammar: Grammar, stream: Cursor, name: str, context: Any = None) -> Any:
    """Parse one field below ``stream.node`` and note where it stood; a failing field keeps its error in the tree."""
    parent = stream.node
    if parent is None:
        raise ValueError("nothing is being traced")
    node = Node(name, stream.offset)
    parent.children.append(node)
    stream.node = node
    try:
        value = grammar._parse(stream, {} if context is None else context, "")
    except WireError as error:
        node.error = str(error)
        raise
    finally:
        node.end = stream.offset
        stream.node = parent
    node.value = value
    node.text = node.text or grammar.describe(value)  # a Choice has already said what it chose
    return value


def trace(grammar: Grammar, data: bytes, name: str, base: int = 0) -> Node:
    """The tree of ``data`` with offsets; what fails is marked in the tree and never raises."""
    root = Node("", base, base + len(data))
    cursor = Cursor(data, base, root)
    try:
        traced(grammar, cursor, name)
    except WireError:
        pass
    else:
        if cursor.left():
            root.children.append(
                Node("left over", cursor.offset, base + len(data), text=data[cursor.tell() :].hex(), error="unexpected")
            )
    return root.children[0] if len(root.children) == 1 else root


def named(table: Table[Any], code: int) -> str:
    """A code with its registry name: ``0x001D x25519`` (unknown codes: the number alone)."""
    name = table[code].name
    digits = table.hex(code)
    return digits if name == digits else f"{digits} {name}"


def escaped(data: bytes) -> str:
    r"""Bytes from the wire as printable ASCII: everything else becomes a ``\xNN`` escape."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in data)
