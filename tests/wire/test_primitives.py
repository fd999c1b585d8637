"""The primitives one by one: strict ends, bounds, error paths and offsets, traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.errors import WireError
from tlswire.registry import GROUPS
from tlswire.wire import primitives
from tlswire.wire.cursor import (
    Cursor,
    Node,
    escaped,
    named,
    trace,
    traced,
)
from tlswire.wire.primitives import (
    Choice,
    Codes,
    Empty,
    Fixed,
    Grammar,
    Many,
    Maybe,
    Opaque,
    Prefixed,
    Record,
    Rest,
    Text,
    UInt,
    Vector,
    build,
    parse,
    u8,
    u16,
    u24,
    u32,
)

from .laws import check
from .values import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterator


class Pair(msgspec.Struct, frozen=True):
    kind: int
    body: Any = None


PAIR = Record(Pair, kind=u8, body=Opaque(1))
CHOICE = Record(Pair, kind=u8, body=Choice("kind", {1: u16, 2: Empty(), 3: PAIR}))
NESTED = Vector(2, Record(Pair, kind=u16, body=Vector(1, PAIR)))

CLOSED: dict[str, Grammar] = {
    "u8": u8,
    "u16": u16,
    "u24": u24,
    "u32": u32,
    "named": UInt(2, GROUPS),
    "fixed": Fixed(3),
    "empty": Empty(),
    "opaque": Opaque(1, 2, 9),
    "text": Text(2),
    "codes": Codes(1, 1, 1),
    "wide codes": Codes(2, 2, 2, 254, table=GROUPS),
    "vector": Vector(2, Opaque(1, 1), 2),
    "prefixed": Prefixed(2, PAIR),
    "record": PAIR,
    "choice": CHOICE,
    "nested": NESTED,
}
OPEN: dict[str, Grammar] = {
    "rest": Rest(),
    "many": Many(PAIR),
    "maybe": Maybe(Opaque(2)),
    "record with maybe": Record(Pair, kind=u8, body=Maybe(u16)),
}
LAWS = settings(max_examples=30, deadline=None, database=None, derandomize=True)


@pytest.mark.parametrize("name", CLOSED)
@LAWS
@given(data=st.data())
def test_laws_of_closed_grammars(name: str, data: st.DataObject) -> None:
    check(CLOSED[name], data, open_end=False)


@pytest.mark.parametrize("name", OPEN)
@LAWS
@given(data=st.data())
def test_laws_of_open_grammars(name: str, data: st.DataObject) -> None:
    check(OPEN[name], data, open_end=True)


def _concrete(cls: type[Grammar]) -> Iterator[type[Grammar]]:
    for sub in cls.__subclasses__():
        if not sub.__name__.startswith("_"):
            yield sub
        yield from _concrete(sub)


def test_every_primitive_has_a_strategy() -> None:
    here = [cls for cls in _concrete(Grammar) if cls.__module__ == primitives.__name__]
    assert len(here) > 10
    assert [cls.__name__ for cls in here if not any(base in STRATEGIES for base in cls.__mro__)] == []


# What stock Construct lets pass: leftovers in a vector, an element cut short, lengths beyond the end or the bounds.
BROKEN: list[tuple[Grammar, str, str, int]] = [
    (Codes(2, 2), "0003 1301 13", "", 0),
    (Codes(2, 2), "0004 1301", "", 0),
    (Codes(2, 2, 2), "0000", "", 0),
    (Codes(1, 2, 2, 4), "06 0001 0002 0003", "", 0),
    (Opaque(1, 2), "01 aa", "", 0),
    (Opaque(2), "00", "", 0),
    (Opaque(1), "02 aa", "", 0),
    (Opaque(1), "01 aa bb", "", 2),
    (Vector(1, u16), "03 0001 02", "[1]", 3),
    (Vector(1, Empty()), "01 00", "[0]", 1),
    (Vector(2, PAIR), "0005 01 01 aa 02 01", "[1].body", 6),
    (Prefixed(1, u8), "02 01 02", "", 2),
    (Prefixed(1, u16), "01 02", "", 1),
    (Empty(), "00", "", 0),
    (Fixed(3), "0102", "", 0),
    (NESTED, "0008 0001 05 01 00 02 02 aa", "[0].body[1].body", 8),
    (CHOICE, "01 aa", "body", 1),
]


@pytest.mark.parametrize(("grammar", "text", "path", "offset"), BROKEN)
def test_broken_bytes_name_path_and_offset(grammar: Grammar, text: str, path: str, offset: int) -> None:
    with pytest.raises(WireError) as caught:
        parse(grammar, bytes.fromhex(text), base=100)
    assert caught.value.path.replace(".[", "[") == path
    assert caught.value.offset == 100 + offset


@pytest.mark.parametrize(
    ("grammar", "value"),
    [
        (u8, 256),
        (u8, -1),
        (u16, "1"),
        (u16, 1.0),
        (u16, None),
        (Fixed(2), b"123"),
        (Fixed(2), 12),
        (Opaque(1, 1), b""),
        (Opaque(1), bytes(256)),
        (Opaque(1), "text"),
        (Codes(1, 1), (256,)),
        (Codes(2, 2), (None,)),
        (Codes(2, 2), 5),
        (Vector(1, u8, 1), ()),
        (Vector(1, u8), (1, 256)),
        (Empty(), b""),
        (PAIR, (1, b"")),
        (Rest(), None),
    ],
)
def test_value_that_does_not_fit_is_refused(grammar: Grammar, value: Any) -> None:
    with pytest.raises(WireError):
        build(grammar, value, "it")


def test_error_while_building_names_the_path() -> None:
    value = (Pair(1, (Pair(2, b"ok"), Pair(300, b""))),)
    with pytest.raises(WireError) as caught:
        build(NESTED, value, "it")
    assert caught.value.path.replace(".[", "[") == "it[0].body[1].kind"
    assert caught.value.offset is None


def test_unknown_choice_takes_the_rest() -> None:
    assert parse(CHOICE, b"\x09abc") == Pair(9, b"abc")
    assert build(CHOICE, Pair(9, b"abc")) == b"\x09abc"


def test_trace_knows_offsets_and_names() -> None:
    grammar = Record(Pair, kind=UInt(2, GROUPS), body=Codes(2, 2, table=GROUPS))
    node = trace(grammar, bytes.fromhex("001d 0004 0017 9999"), "it", 10)
    assert (node.name, node.start, node.end, node.value) == ("it", 10, 18, Pair(29, (23, 0x9999)))
    kind, body = node.children
    assert (kind.name, kind.start, kind.end, kind.text) == ("kind", 10, 12, "0x001D x25519")
    assert (body.start, body.end, body.text) == (12, 18, "2 codes")
    assert [(child.start, child.end, child.text) for child in body.children] == [
        (14, 16, "0x0017 secp256r1"),
        (16, 18, "0x9999"),
    ]


@pytest.mark.parametrize(
    ("body", "text"), [("01 1234", "4660"), ("02", ""), ("03 01 01 aa", ""), ("09 616263", "616263")]
)
def test_traced_choice_shows_the_case_it_took(body: str, text: str) -> None:
    assert trace(CHOICE, bytes.fromhex(body), "it").children[1].text == text


def test_trace_keeps_what_was_readable() -> None:
    node = trace(NESTED, bytes.fromhex("0008 0001 05 01 00 02 02 aa"), "it")
    pairs = node.children[0].children[1].children
    assert [pair.value for pair in pairs] == [Pair(1, b""), None]
    assert [child.name for child in pairs[1].children] == ["kind", "body"]
    assert "at byte 8" in pairs[1].error
    assert node.error


def test_trace_shows_left_over_bytes() -> None:
    node = trace(u8, b"\x01\x02\x03", "it", 5)
    assert [child.name for child in node.children] == ["it", "left over"]
    assert (node.children[1].start, node.children[1].end, node.children[1].text) == (6, 8, "0203")


def test_traced_needs_a_node() -> None:
    with pytest.raises(ValueError, match="traced"):
        traced(u8, Cursor(b"\x01"), "it")
    cursor = Cursor(b"\x01", 0, Node("root", 0))
    assert traced(u8, cursor, "it") == 1


def test_texts_from_the_wire_are_printable_ascii() -> None:
    assert escaped(bytes(range(256))).isascii()
    assert escaped(b"a\x1b[31m\\\xff\n") == "a\\x1b[31m\\x5c\\xff\\x0a"
    assert named(GROUPS, 0x001D) == "0x001D x25519"
    assert named(GROUPS, 0x9999) == "0x9999"


@given(st.binary())
def test_escaped_is_printable_and_reversible(data: bytes) -> None:
    shown = escaped(data)
    assert all(" " <= char <= "~" for char in shown)
    assert shown.encode("ascii").decode("unicode_escape").encode("latin-1") == data
