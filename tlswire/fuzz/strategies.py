"""Public Hypothesis strategies of ClientHellos: valid ones, bent ones, and what carries them.

They compose as strategies do, and shrink to what matters: a valid hello to the plainest one, mutations to one edit by
the smallest value, framings to one record. Needs hypothesis, which whoever imports this has. docs/fuzz.md shows their
use. Sans-IO. Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``hello`` and ``fuzz``.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import strategies as st

from tlswire.errors import UsageError
from tlswire.fuzz.edits import Edit, applied
from tlswire.fuzz.fields import Block, Leaf, encode, walk
from tlswire.fuzz.script import (
    GROUPS,
    PROTOCOLS,
    RECORD_VERSION,
    SCHEMES,
    SUITES12,
    SUITES13,
    TLS12,
    TLS13,
    Ground,
    Script,
    edited,
    script_of,
)
from tlswire.fuzz.values import values
from tlswire.hello.builder import Shape, client_hello
from tlswire.registry import EXTENSIONS, GREASE
from tlswire.wire.extensions import ROWS, encode_extension, grammar_of
from tlswire.wire.messages import ClientHello, Extension
from tlswire.wire.records import HANDSHAKE, MAX_PLAINTEXT, fragment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy

    from tlswire.fuzz.fields import Field, Group
    from tlswire.registry import Table

__all__ = ["client_hellos", "code_points", "edits", "extensions", "mutations", "records", "scripts", "values"]

MAX_EDITS, MAX_BYTES, MAX_CUTS = 3, 300, 8


def code_points(table: Table[Any], *, unknown: bool = True) -> SearchStrategy[int]:
    """Codes of a registry table: known ones, and with ``unknown`` GREASE and unassigned ones. Shrinks to its first row."""
    known = [row.code for row in table]
    wide = max(known) > 0xFF
    strategies = [st.sampled_from(known)]
    if unknown:
        strategies.append(st.integers(0, 0xFFFF if wide else 0xFF).filter(lambda code: code not in table))
        strategies += [st.sampled_from(GREASE)] if wide else []
    return st.one_of(strategies)


def extensions(types: SearchStrategy[int] | None = None) -> SearchStrategy[Extension]:
    """Extensions whose bodies are well formed; of types without a grammar, any bytes.

    ``types`` None means those that every server has to ignore: GREASE and unassigned ones (RFC 9846 section 4.2.2,
    RFC 8701 section 3.1).
    """
    if types is None:
        unassigned = st.integers(0, 0xFFFF).filter(lambda code: code not in EXTENSIONS and code not in ROWS)
        types = st.one_of(unassigned, st.sampled_from(GREASE))
    return types.flatmap(_extension_of)


def _extension_of(code: int) -> SearchStrategy[Extension]:
    bodies = values(grammar_of(code, "ch")).map(lambda value: encode_extension(code, value, "ch"))
    return bodies.map(lambda body: Extension(code, body))


@st.composite
def _client_hello(draw: st.DrawFn, /, **parts: SearchStrategy[Any]) -> ClientHello:
    drawn = {name: draw(part) for name, part in parts.items()}
    shape = Shape(
        server_name=drawn["server_name"],
        alpn=tuple(drawn["protocols"]),
        groups=tuple(drawn["groups"]),
        schemes=tuple(drawn["schemes"]),
        key_shares=tuple(drawn["key_shares"]),
    )
    versions = tuple(drawn["versions"])
    hello = client_hello(versions, tuple(drawn["suites"]), rng=Random(0), shape=shape)
    taken = set(hello.extension_types)
    more: list[Extension] = []
    for item in drawn["extensions"]:
        if item.type not in taken:  # RFC 9846 section 4.3: one of each type
            taken.add(item.type)
            more.append(item)
    mixed = (*(hello.extensions or ()), *more)
    return msgspec.structs.replace(
        hello, random=drawn["random"], session_id=drawn["session_id"], extensions=mixed if hello.extensions else None
    )


def client_hellos(
    *,
    versions: SearchStrategy[Sequence[int]] | None = None,
    suites: SearchStrategy[Sequence[int]] | None = None,
    groups: SearchStrategy[Sequence[int]] | None = None,
    schemes: SearchStrategy[Sequence[int]] | None = None,
    key_shares: SearchStrategy[Sequence[int]] | None = None,
    protocols: SearchStrategy[Sequence[bytes]] | None = None,
    extensions: SearchStrategy[Sequence[Extension]] | None = None,
    server_name: SearchStrategy[bytes | None] | None = None,
    session_id: SearchStrategy[bytes] | None = None,
    random: SearchStrategy[bytes] | None = None,
) -> SearchStrategy[ClientHello]:
    """ClientHellos that a server of TLS 1.3 or 1.2 has to answer by a ServerHello or a HelloRetryRequest.

    Each keyword is a strategy for one part; what is not given is valid: the usual codes in any order, among codes that
    nobody has assigned and GREASE, and extensions that have to be ignored. A part that is given is taken as it is (an
    extension of a type that the hello has already is left out): what it makes of the hello is the caller's. Raises
    WireError while drawing where a part does not fit its field.
    """
    return _client_hello(
        versions=st.sampled_from([(TLS13, TLS12), (TLS13,), (TLS12,)]) if versions is None else versions,
        suites=_among((*SUITES13, *SUITES12)) if suites is None else suites,
        groups=_among(GROUPS) if groups is None else groups,
        schemes=_among(SCHEMES) if schemes is None else schemes,
        key_shares=st.just(GROUPS[:1]) if key_shares is None else key_shares,
        protocols=st.sampled_from([(), PROTOCOLS]) if protocols is None else protocols,
        extensions=st.lists(_IGNORED, max_size=4) if extensions is None else extensions,
        server_name=st.just(b"localhost") if server_name is None else server_name,
        session_id=st.binary(max_size=32) if session_id is None else session_id,
        random=st.binary(min_size=32, max_size=32) if random is None else random,
    )


_IGNORED = extensions()


def _among(codes: tuple[int, ...]) -> SearchStrategy[tuple[int, ...]]:
    """All of ``codes`` in any order, with up to four GREASE values between them."""
    strange = st.lists(st.sampled_from(GREASE), max_size=4, unique=True)
    return strange.flatmap(lambda more: st.permutations((*codes, *more))).map(tuple)


@st.composite
def records(draw: st.DrawFn, messages: SearchStrategy[bytes]) -> bytes:
    """Handshake messages in records: cut anywhere, of any version 3.x (RFC 9846 section 5.1). Shrinks to one record."""
    message = draw(messages)
    version = draw(st.sampled_from((RECORD_VERSION, 0x0303, 0x0300, 0x0302, 0x0304, 0x03FF)))
    cuts = st.lists(st.integers(1, max(len(message) - 1, 1)), max_size=MAX_CUTS, unique=True)
    bounds = [0, *sorted(cut for cut in draw(cuts) if cut < len(message)), len(message)]
    pieces = (message[start:end] for start, end in pairwise(bounds))
    return b"".join(fragment(HANDSHAKE, version, piece, MAX_PLAINTEXT) for piece in pieces)


def edits(tree: Group) -> SearchStrategy[Edit]:
    """One edit of any field of ``tree``, by its nature: lengths lie, contents grow and shrink, extensions move."""
    fields = dict(walk(tree))
    choices = [(path, kind) for path, field in fields.items() for kind in _kinds(path, field)]
    return st.sampled_from(choices).flatmap(lambda choice: _edit(*choice, fields[choice[0]]))


def mutations(tree: Group, *, most: int = MAX_EDITS) -> SearchStrategy[list[Edit]]:
    """One to ``most`` edits that apply to ``tree`` in their order and change its bytes. Shrinks to one small edit."""
    before = encode(tree)

    def applies(found: list[Edit]) -> bool:
        try:
            return encode(applied(tree, found)) != before
        except UsageError:
            return False

    return st.lists(edits(tree), min_size=1, max_size=most).filter(applies)


def _kinds(path: str, field: Field) -> tuple[str, ...]:
    if isinstance(field, Block):
        return ("size", "length-by", "length-to", "data", "append", "insert", "reverse")
    if isinstance(field, Leaf):
        return ("code",) if field.table is not None else ("size", "data") if path.count("/") == 0 else ()
    return ("drop", "duplicate", "move") if "/" in path else ()


def _edit(path: str, kind: str, field: Field) -> SearchStrategy[Edit]:
    width = field.width if isinstance(field, Block) else len(encode(field))
    of_kind: dict[str, SearchStrategy[Any]] = {
        "size": st.integers(0, MAX_BYTES),
        "length-by": st.integers(-16, 255).filter(bool),
        "length-to": st.integers(0, (1 << 8 * min(width, 4)) - 1),
        "data": st.binary(max_size=MAX_BYTES),
        "append": st.binary(min_size=1, max_size=64),
        "insert": st.binary(min_size=1, max_size=64),
        "duplicate": st.integers(1, 4),
        "move": st.integers(0, 32),
    }
    strategy = of_kind.get(kind, st.just(0))
    if kind == "code" and isinstance(field, Leaf):
        strategy = code_points(field.table)
    return strategy.map(lambda value: Edit(kind, path, value))


@st.composite
def scripts(draw: st.DrawFn, ground: Ground | None = None, *, bent: bool = True) -> Script:
    """What one connection sends: a valid hello or, with ``bent``, a mutation of those of ``ground``; in any records."""
    ground = ground or _GROUND
    tree = draw(st.sampled_from((ground.modern_tree, ground.older_tree)))
    script = edited(tree, draw(mutations(tree))) if bent and draw(st.booleans()) else script_of(draw(client_hellos()))
    return msgspec.structs.replace(script, payload=draw(records(st.just(script.message))))


_GROUND = Ground()
