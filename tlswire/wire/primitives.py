"""The presentation language of RFC 9846 section 3 as Construct classes: uint8..uint32, opaque<..>, vectors, records.

Differences from stock Construct, and why (docs/architecture.md has the measurements): a vector must end exactly where
its length says and never swallows an element's error; every error is a WireError with the field's path and the byte
offset; whole vectors of numbers are unpacked by one ``struct`` call; parsed records are frozen values; and any grammar
can be traced into a tree of nodes with offsets (``wire.cursor``). Must not import anything of tlswire but ``errors``,
``registry`` and ``wire.cursor``.
"""

# Construct calls its hooks with fixed names and arguments:
# ruff: noqa: ARG002, D102, SLF001

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any, TypeVar

from construct import Construct

from tlswire.errors import WireError
from tlswire.wire.cursor import Cursor, Node, escaped, named, traced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tlswire.registry import Table

    class _Base(Construct[Any, Any]):  # construct's stubs type the context as a Container; ours is a plain dict
        def _parse(self, stream: Any, context: Any, path: str) -> Any: ...
        def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any: ...

else:
    _Base = Construct

T = TypeVar("T")


class Grammar(_Base):
    """Base of the house's Construct classes: parses from a Cursor, describes its values for the traced tree."""

    def describe(self, value: Any) -> str:
        """``value`` as one line of text."""
        if isinstance(value, bytes):
            return value.hex() if value else "(empty)"
        return "" if value is None else str(value)


class UInt(Grammar):
    """uint8, uint16, uint24 or uint32; with a registry table the value is shown by name."""

    def __init__(self, width: int, table: Table[Any] | None = None) -> None:
        super().__init__()
        self.width = width
        self.table = table
        self.limit = 1 << (8 * width)

    def _parse(self, stream: Any, context: Any, path: str) -> int:
        return int.from_bytes(stream.take(self.width), "big")

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if not 0 <= obj < self.limit:
            raise WireError(f"{obj} does not fit in {self.width} bytes")
        stream.write(obj.to_bytes(self.width, "big"))
        return obj

    def describe(self, value: Any) -> str:
        return str(value) if self.table is None else named(self.table, value)


class Fixed(Grammar):
    """opaque[size]: exactly ``size`` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        data: bytes = stream.take(self.size)
        return data

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if len(obj) != self.size:
            raise WireError(f"needs {self.size} bytes, got {len(obj)}")
        stream.write(obj)
        return obj


class Rest(Grammar):
    """Everything up to the end of the enclosing structure."""

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        return bytes(stream.read())

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        stream.write(obj)
        return obj


class Empty(Grammar):
    """A body of zero bytes; its value is None."""

    def _parse(self, stream: Any, context: Any, path: str) -> None:
        return None

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if obj is not None:
            raise WireError("must be empty")
        return obj


class _Prefixed(Grammar):
    """What opaque<..> and the vectors share: a length prefix of ``width`` bytes and bounds in bytes."""

    def __init__(self, width: int, minimum: int = 0, maximum: int | None = None) -> None:
        super().__init__()
        self.width = width
        self.minimum = minimum
        self.maximum = (1 << (8 * width)) - 1 if maximum is None else maximum

    def take_body(self, stream: Any) -> bytes:
        length = int.from_bytes(stream.take(self.width), "big")
        if not self.minimum <= length <= self.maximum:
            reason = f"length {length} is outside {self.minimum}..{self.maximum}"
            raise WireError(reason, offset=stream.offset - self.width)
        data: bytes = stream.read(length)
        if len(data) != length:
            reason = f"length says {length} bytes, {len(data)} left"
            raise WireError(reason, offset=stream.offset - len(data) - self.width)
        return data

    def put_body(self, stream: Any, data: bytes) -> None:
        if not self.minimum <= len(data) <= self.maximum:
            raise WireError(f"{len(data)} bytes are outside {self.minimum}..{self.maximum}")
        stream.write(len(data).to_bytes(self.width, "big"))
        stream.write(data)


class Opaque(_Prefixed):
    """opaque<minimum..maximum> behind a length of ``width`` bytes; the value is bytes."""

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        return self.take_body(stream)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        self.put_body(stream, obj)
        return obj


class Text(Opaque):
    """opaque<..> that holds ASCII by definition but anything in practice; bytes, shown escaped."""

    def describe(self, value: Any) -> str:
        return escaped(value)


class Codes(_Prefixed):
    """A vector of uint8 or uint16 codes: one ``struct`` call; the value is a tuple of int."""

    def __init__(
        self, width: int, item: int, minimum: int = 0, maximum: int | None = None, *, table: Table[Any] | None = None
    ) -> None:
        super().__init__(width, minimum, maximum)
        self.item = item
        self.format = {1: "B", 2: "H"}[item]
        self.table = table

    def _parse(self, stream: Any, context: Any, path: str) -> tuple[int, ...]:
        data = self.take_body(stream)
        count, odd = divmod(len(data), self.item)
        if odd:
            reason = f"length {len(data)} is not a multiple of {self.item}"
            raise WireError(reason, offset=stream.offset - len(data) - self.width)
        codes = struct.unpack(f">{count}{self.format}", data)
        if stream.node is not None and self.table is not None:
            first = stream.offset - len(data)
            stream.node.children += [
                Node(f"[{i}]", first + i * self.item, first + (i + 1) * self.item, code, named(self.table, code))
                for i, code in enumerate(codes)
            ]
        return codes

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        try:
            data = struct.pack(f">{len(obj)}{self.format}", *obj)
        except struct.error as error:
            raise WireError(f"a code does not fit in {self.item} bytes: {error}") from None
        self.put_body(stream, data)
        return obj

    def describe(self, value: Any) -> str:
        return f"{len(value)} codes" if self.table is not None else " ".join(map(str, value))


class Vector(_Prefixed):
    """A vector of any other grammar; the value is a tuple. Ends exactly where its length says."""

    def __init__(self, width: int, item: Grammar, minimum: int = 0, maximum: int | None = None) -> None:
        super().__init__(width, minimum, maximum)
        self.item = item

    def _parse(self, stream: Any, context: Any, path: str) -> tuple[Any, ...]:
        start = stream.offset + self.width
        inner = Cursor(self.take_body(stream), start, stream.node)
        return tuple(_items(self.item, inner))

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        inner = io.BytesIO()
        for index, value in enumerate(obj):
            _step(self.item._build, f"[{index}]", value, inner, context, path)
        self.put_body(stream, inner.getvalue())
        return obj

    def describe(self, value: Any) -> str:
        return f"{len(value)} items"


class Many(Grammar):
    """Items up to the end of the enclosing structure, without a length of their own; the value is a tuple."""

    def __init__(self, item: Grammar) -> None:
        super().__init__()
        self.item = item

    def _parse(self, stream: Any, context: Any, path: str) -> tuple[Any, ...]:
        return tuple(_items(self.item, stream))

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        for index, value in enumerate(obj):
            _step(self.item._build, f"[{index}]", value, stream, context, path)
        return obj

    def describe(self, value: Any) -> str:
        return f"{len(value)} items"


class Prefixed(_Prefixed):
    """One value of another grammar behind a length; the grammar must fill the length exactly."""

    def __init__(self, width: int, item: Grammar, minimum: int = 0, maximum: int | None = None) -> None:
        super().__init__(width, minimum, maximum)
        self.item = item

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        start = stream.offset + self.width
        inner = Cursor(self.take_body(stream), start, stream.node)
        value = self.item._parse(inner, context, path)
        _expect_end(inner)
        return value

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        inner = io.BytesIO()
        self.item._build(obj, inner, context, path)
        self.put_body(stream, inner.getvalue())
        return obj

    def describe(self, value: Any) -> str:
        return self.item.describe(value)


class Maybe(Grammar):
    """A last field that may be absent altogether (no bytes left); its value is then None."""

    def __init__(self, item: Grammar) -> None:
        super().__init__()
        self.item = item

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        return self.item._parse(stream, context, path) if stream.left() else None

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if obj is not None:
            self.item._build(obj, stream, context, path)
        return obj

    def describe(self, value: Any) -> str:
        return "(absent)" if value is None else self.item.describe(value)


class Choice(Grammar):
    """A field whose grammar depends on an earlier field of the same record; ``otherwise`` takes unknown codes."""

    def __init__(self, field: str, cases: Mapping[int, Grammar], otherwise: Grammar | None = None) -> None:
        super().__init__()
        self.field = field
        self.cases = cases
        self.otherwise = Rest() if otherwise is None else otherwise

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        chosen = self.cases.get(context[self.field], self.otherwise)
        value = chosen._parse(stream, context, path)
        if stream.node is not None:
            stream.node.text = chosen.describe(value)
        return value

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return self.cases.get(context[self.field], self.otherwise)._build(obj, stream, context, path)

    def describe(self, value: Any) -> str:
        return ""


class Record(Grammar):
    """A struct: fields in order, parsed into the frozen value ``make(**fields)`` and built from its attributes."""

    def __init__(self, make: Callable[..., Any], /, **fields: Grammar) -> None:
        super().__init__()
        self.make = make
        self.fields = tuple(fields.items())

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        values: dict[str, Any] = {}
        name = ""
        parent = stream.node
        try:
            for name, grammar in self.fields:
                if parent is None:
                    values[name] = grammar._parse(stream, values, path)
                else:
                    values[name] = traced(grammar, stream, name, values)
        except WireError as error:
            raise error.moved(0, name) from None
        finally:
            stream.node = parent
        return self.make(**values)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        values = {name: getattr(obj, name) for name, _ in self.fields}
        for name, grammar in self.fields:
            _step(grammar._build, name, values[name], stream, values, path)
        return obj

    def describe(self, value: Any) -> str:
        return ""


def _items(item: Grammar, cursor: Cursor) -> list[Any]:
    values: list[Any] = []
    end = cursor.size
    try:
        while (before := cursor.tell()) < end:
            value = item._parse(cursor, {}, "") if cursor.node is None else traced(item, cursor, f"[{len(values)}]")
            _expect_progress(cursor, before)
            values.append(value)
    except WireError as error:
        raise error.moved(0, f"[{len(values)}]") from None
    return values


def _expect_progress(cursor: Cursor, before: int) -> None:
    if cursor.tell() == before:
        raise WireError("an item of no bytes cannot fill a vector", offset=cursor.offset)


def _step(build_one: Callable[..., Any], name: str, value: Any, stream: Any, context: Any, path: str) -> None:
    try:
        build_one(value, stream, context, path)
    except WireError as error:
        path = ".".join(part for part in (name, error.path) if part)
        raise WireError(error.reason, path) from None  # nothing was read, so there is no offset
    except (TypeError, AttributeError) as error:
        raise WireError(f"cannot encode {type(value).__name__}: {error}", name) from None


def _expect_end(cursor: Cursor) -> None:
    left = cursor.left()
    if left:
        raise WireError(f"{left} bytes left over", offset=cursor.offset)


def parse(grammar: Grammar, data: bytes, name: str = "", base: int = 0) -> Any:
    """The value of ``data``, which the grammar must fill exactly.

    ``name`` heads the error path and ``base`` is the offset of ``data`` in a larger input. Raises WireError.
    """
    cursor = Cursor(data, base)
    try:
        value = grammar._parse(cursor, {}, "")
        _expect_end(cursor)
    except WireError as error:
        raise error.moved(0, name) from None
    return value


def build(grammar: Grammar, value: Any, name: str = "") -> bytes:
    """The bytes of ``value``. Raises WireError when a field is out of its bounds."""
    stream = io.BytesIO()
    _step(grammar._build, name, value, stream, {}, "")
    return stream.getvalue()


u8 = UInt(1)
u16 = UInt(2)
u24 = UInt(3)
u32 = UInt(4)
empty = Empty()
rest = Rest()
