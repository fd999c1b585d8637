"""Hypothesis strategies derived from grammars: ``values(grammar)`` draws values that the grammar can build.

One row a primitive class in ``STRATEGIES``; a grammar that is new in the tables of ``tlswire.wire`` is covered by being
there, and a primitive class that is new fails loudly until it has a row here. Needs hypothesis: imported by
``fuzz.strategies`` and by tests only. Must not import anything of tlswire but ``wire``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tlswire.wire.extension_bodies import QuicParameter, TransportParameter
from tlswire.wire.handshake import Extensions
from tlswire.wire.messages import Extension
from tlswire.wire.primitives import (
    Choice,
    Codes,
    Empty,
    Fixed,
    Many,
    Maybe,
    Opaque,
    Prefixed,
    Record,
    Rest,
    UInt,
    Vector,
)
from tlswire.wire.sslv2 import LengthsFirst

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tlswire.wire.primitives import Grammar

    Strategy = st.SearchStrategy[Any]

_SPARE = 12  # how far beyond its minimum a generated field may grow: bugs live at the bounds, not in bulk


def values(grammar: Grammar, context: Mapping[str, Any] | None = None) -> Strategy:
    """Values that ``grammar`` builds; ``context`` holds the earlier fields of the same record."""
    for cls in type(grammar).__mro__:
        if cls in STRATEGIES:
            return STRATEGIES[cls](grammar, context or {})
    raise NotImplementedError(f"no strategy for {type(grammar).__name__}: give it a row in STRATEGIES")


def _opaque(grammar: Opaque, _: Mapping[str, Any]) -> Strategy:
    return st.binary(min_size=grammar.minimum, max_size=min(grammar.maximum, grammar.minimum + _SPARE))


def _codes(grammar: Codes, _: Mapping[str, Any]) -> Strategy:
    fewest = -(-grammar.minimum // grammar.item)
    most = min(grammar.maximum // grammar.item, fewest + 4)
    code = st.integers(0, (1 << (8 * grammar.item)) - 1)
    if grammar.table is not None:
        code = st.one_of(st.sampled_from([row.code for row in grammar.table]), code)
    return st.lists(code, min_size=fewest, max_size=most).map(tuple)


def _vector(grammar: Vector, _: Mapping[str, Any]) -> Strategy:
    # Every minimum in the RFCs is that of one smallest item, so one item always reaches it.
    return st.lists(values(grammar.item), min_size=int(grammar.minimum > 0), max_size=3).map(tuple)


def _uint(grammar: UInt, _: Mapping[str, Any]) -> Strategy:
    return st.integers(0, grammar.limit - 1)


@st.composite
def _record(draw: st.DrawFn, grammar: Record, _: Mapping[str, Any]) -> Any:
    tags = {name: choice for item in grammar.fields for name, choice in _choices(item[1])}
    fields: dict[str, Any] = {}
    for name, item in grammar.fields:
        # A tag without a case of its own leads to ``Rest``, which may swallow what follows: only the known ones.
        strategy = st.sampled_from(sorted(tags[name].cases)) if name in tags else values(item, fields)
        fields[name] = draw(strategy)
    return grammar.make(**fields)


def _choices(grammar: Grammar) -> list[tuple[str, Choice]]:
    inner = grammar.item if isinstance(grammar, Prefixed) else grammar
    return [(inner.field, inner)] if isinstance(inner, Choice) else []


@st.composite
def _transport_parameter(draw: st.DrawFn, *_: Any) -> QuicParameter:
    code = draw(st.one_of(st.integers(0, 40), st.integers(0, (1 << 62) - 1)))
    value = draw(st.binary(max_size=_SPARE))
    shortest = next(size for size in (1, 2, 4, 8) if not code >> (8 * size - 2))
    id_size = draw(st.sampled_from([0, *(size for size in (2, 4, 8) if size > shortest)]))
    return QuicParameter(code, value, id_size, draw(st.sampled_from([0, 2, 4, 8])))


@st.composite
def _lengths_first(draw: st.DrawFn, grammar: LengthsFirst, _: Mapping[str, Any]) -> Any:
    return grammar.make(**{name: draw(values(item)) for name, item in (grammar.fixed | grammar.sized).items()})


def _extensions(*_: Any) -> Strategy:
    one = st.builds(Extension, type=st.integers(0, 0xFFFF), data=st.binary(max_size=_SPARE))
    return st.lists(one, max_size=3).map(tuple)


STRATEGIES: dict[type, Callable[[Any, Mapping[str, Any]], Strategy]] = {
    UInt: _uint,
    Fixed: lambda grammar, _: st.binary(min_size=grammar.size, max_size=grammar.size),
    Rest: lambda *_: st.binary(max_size=_SPARE),
    Empty: lambda *_: st.none(),
    Opaque: _opaque,
    Codes: _codes,
    Vector: _vector,
    Many: lambda grammar, _: st.lists(values(grammar.item), max_size=3).map(tuple),
    Prefixed: lambda grammar, context: values(grammar.item, context),
    Maybe: lambda grammar, _: st.one_of(st.none(), values(grammar.item)),
    Choice: lambda grammar, context: values(grammar.cases[context[grammar.field]]),
    Record: _record,
    Extensions: _extensions,
    TransportParameter: _transport_parameter,
    LengthsFirst: _lengths_first,
}
