"""The laws every grammar keeps, as functions a test calls with one grammar and a source of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st

from tlswire.errors import WireError
from tlswire.wire.cursor import trace
from tlswire.wire.primitives import build, parse

from .values import values

if TYPE_CHECKING:
    from tlswire.wire.cursor import Node
    from tlswire.wire.primitives import Grammar

MAX_BYTES = 48


def check(grammar: Grammar, data: st.DataObject, *, open_end: bool) -> None:
    """All laws for one drawn value; ``open_end``: the grammar may end early, so prefixes may parse too."""
    value = data.draw(values(grammar))
    encoded = build(grammar, value)
    assert parse(grammar, encoded) == value
    assert build(grammar, parse(grammar, encoded)) == encoded
    cut = data.draw(st.integers(0, max(len(encoded) - 1, 0)))
    check_prefix(grammar, encoded[:cut], shorter=cut < len(encoded), open_end=open_end)
    at = data.draw(st.integers(0, len(encoded)))
    check_bytes(grammar, encoded[:at] + data.draw(st.binary(max_size=3)) + encoded[at + data.draw(st.integers(0, 3)) :])
    check_bytes(grammar, data.draw(st.binary(max_size=MAX_BYTES)))


def check_prefix(grammar: Grammar, prefix: bytes, *, shorter: bool, open_end: bool) -> None:
    """A strict prefix does not parse, unless the grammar ends in something that may be absent or shorter."""
    if open_end:
        check_bytes(grammar, prefix)
    elif shorter:
        with pytest.raises(WireError) as caught:
            parse(grammar, prefix)
        assert caught.value.offset is not None
        assert 0 <= caught.value.offset <= len(prefix)


def check_bytes(grammar: Grammar, data: bytes) -> None:
    """Any bytes parse to a value that builds the same bytes, or raise WireError inside them; tracing agrees."""
    root = trace(grammar, data, "it", 1000)
    check_node(root, 1000, 1000 + len(data))
    failed = root.error or any(child.error for child in root.children)
    if failed:
        with pytest.raises(WireError) as caught:
            parse(grammar, data)
        assert caught.value.offset is not None
        assert 0 <= caught.value.offset <= len(data)
    else:
        assert build(grammar, parse(grammar, data)) == data


def check_node(node: Node, start: int, end: int) -> None:
    """Offsets of a tree nest, and its texts are printable ASCII."""
    assert start <= node.start <= node.end <= end
    assert all(" " <= char <= "~" for char in node.text)
    for child in node.children:
        check_node(child, start, end)
