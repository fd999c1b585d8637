"""Hellos made by the grammar: every length, vector, extension and code of the valid hellos bent in every way, then pairs.

What can be done to a field follows from what the grammar says it is, so a new extension of the base is bent by being
there; what a server may answer follows from the bytes (``fuzz.expect``). Deterministic: one seed, the same cases.
Sans-IO. Must not import anything of tlswire but ``errors``, ``registry`` and ``fuzz``.
"""

from __future__ import annotations

import hashlib
from functools import cache
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import UsageError
from tlswire.fuzz.cases.rows import MODERN, OLDER, base_of
from tlswire.fuzz.edits import Edit, applied, differences
from tlswire.fuzz.expect import expected
from tlswire.fuzz.fields import Block, Group, Leaf, encode, walk
from tlswire.fuzz.model import Case
from tlswire.fuzz.oracle import GENERATED
from tlswire.fuzz.script import RECORD_VERSION, Script, message_of, records
from tlswire.registry import EXTENSIONS, GREASE, PSK_MODES
from tlswire.wire.records import MAX_PLAINTEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.fuzz.fields import Field
    from tlswire.fuzz.script import Ground
    from tlswire.registry import Table

# RFC 8701 section 2: 16 values for the lists of two-byte codes; psk_key_exchange_modes has 8 of its own.
GREASE_MODES = tuple(0x0B + 0x1F * i for i in range(8))

# Bytes a vector grows to: what fits one length byte, and what fits one record beside the rest.
_LONG, _LONGEST = 255, 8192
# A hello that was made longer than this is left out: what servers bear of that is a matter of their limits.
_LARGEST = 1 << 14
_MANY = 40

# Handshake messages may be cut into records anywhere, and their version says nothing (RFC 9846 section 5.1).
_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 37, 38, 39, 40, 64, 100, 128, 200, 250)
_VERSIONS = (0x0300, 0x0302, 0x0303, 0x0304, 0x0305, 0x03FF)


class Mutation(msgspec.Struct, frozen=True):
    """One hello to be: which base, what is done to it, and how it is put into records."""

    base: str
    edits: tuple[Edit, ...] = ()
    size: int = MAX_PLAINTEXT
    version: int = RECORD_VERSION

    def script(self, ground: Ground) -> Script:
        """What is sent. Raises UsageError where an edit takes away what the next one needs."""
        tree = applied(base_tree(ground, self.base), self.edits)
        message = message_of(tree)
        return Script(records(message, self.size, self.version), message, tree)


def base_tree(ground: Ground, base: str) -> Group:
    """The fields of the valid hello of that base."""
    return ground.modern_tree if base == MODERN else ground.older_tree


def generated(ground: Ground, count: int, seed: int = 0) -> Iterator[Case]:
    """``count`` cases, no two of which send the same bytes: single edits first, in the order of the seed, then pairs.

    Ends early only when nothing new is found in 100 tries in a row, which two hellos of usual size never come to.
    """
    rng = Random(f"tlswire generate {seed}")
    seen = {Mutation(base).script(ground).payload for base in (MODERN, OLDER)}
    misses = 0
    for mutation in _mutations(ground, rng):
        if count <= 0 or misses >= 100:
            return
        try:
            script = mutation.script(ground)
        except UsageError:
            continue
        if script.payload in seen or len(script.message) > _LARGEST:
            misses += 1
            continue
        misses = 0
        count -= 1
        seen.add(script.payload)
        yield case_of_mutation(ground, mutation, script)


def case_of_mutation(ground: Ground, mutation: Mutation, script: Script) -> Case:
    """The case that ``mutation``, whose script this is, makes."""
    assert script.tree is not None  # noqa: S101 - a mutation has one
    told = list(differences(base_tree(ground, mutation.base), script.tree))
    if mutation.size != MAX_PLAINTEXT:
        told.append(f"in records of {mutation.size} bytes")
    if mutation.version != RECORD_VERSION:
        told.append(f"in records of version 0x{mutation.version:04x}")
    expectation = expected(script.message[4:], base_of(ground, mutation.base))
    name = "+".join(f"{edit.kind}:{edit.path.removeprefix('extensions/')}" for edit in mutation.edits) or "framing"
    return Case(
        id=f"g-{hashlib.sha256(script.payload).hexdigest()[:12]}",
        group=GENERATED,
        name=name,
        base=mutation.base,
        difference="; ".join(told),
        make=mutation.script,
        **msgspec.structs.asdict(expectation),
    )


def _mutations(ground: Ground, rng: Random) -> Iterator[Mutation]:
    trees = {base: base_tree(ground, base) for base in (MODERN, OLDER)}
    edits = {base: tuple(edits_of(tree, rng)) for base, tree in trees.items()}
    framed = [(size, RECORD_VERSION) for size in _SIZES] + [(MAX_PLAINTEXT, version) for version in _VERSIONS]
    singles = [Mutation(base, (edit,)) for base in edits for edit in edits[base]]
    singles += [Mutation(base, (), size, version) for base in edits for size, version in framed]
    rng.shuffle(singles)
    yield from singles
    while True:
        base = rng.choice((MODERN, OLDER))
        first, second = rng.choice(edits[base]), rng.choice(edits[base])
        if rng.random() < 0.25:
            size, version = rng.choice(framed)
            yield Mutation(base, (first,), size, version)
        else:
            yield Mutation(base, (first, second))


def edits_of(tree: Group, rng: Random) -> Iterator[Edit]:
    """Every edit that the fields of ``tree`` suggest; ``rng`` picks among GREASE values, which are all alike."""
    for path, field in walk(tree):
        if isinstance(field, Block):
            yield from _lies(path, field)
            yield from _vectors(path, field, rng)
        elif isinstance(field, Leaf) and (field.table is not None or len(field.data) in {1, 2}):
            yield from _codes(path, field, rng)
        elif path.startswith("extensions/") and path.count("/") == 1:
            yield from _extensions(path, field)
    yield Edit("reverse", "extensions")
    for code in (rng.choice(GREASE), 0x1234, 0xFFFF):
        for body in (b"", b"\0", bytes(255)):
            unknown = code.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
            yield Edit("insert", "extensions", unknown)
            yield Edit("append", "extensions", unknown)
    for data in (bytes(32), b"\xff" * 32):
        yield Edit("data", "random", data)


def _lies(path: str, block: Block) -> Iterator[Edit]:
    """The length says one more, one less, nothing, all it can; and what would be another item."""
    for by in dict.fromkeys((1, -1, max(2, block.unit), -max(2, block.unit))):
        yield Edit("length-by", path, by)
    for to in (0, (1 << 8 * block.width) - 1):
        yield Edit("length-to", path, to)


def _vectors(path: str, block: Block, rng: Random) -> Iterator[Edit]:
    """The content is nothing, half an item, one item, as much as there may be, and one byte beyond; lengths are true."""
    yield Edit("data", path, b"")
    yield Edit("append", path, b"\0")
    bound = _LONG if block.width == 1 else _LONGEST
    coded = bool(block.items) and isinstance(block.items[0], Leaf) and block.items[0].name == "[0]"
    if coded:
        yield from _lists_of_codes(path, block, bound, rng)
        return
    for size in {block.minimum - 1, block.minimum, 1, 3, block.maximum, block.maximum + 1, 32, 33, 255, bound}:
        if 0 < size <= bound and (block.unit or size <= 3):
            yield Edit("size", path, size)
    if block.items and isinstance(block.items[0], (Group, Block)) and block.items[0].name == "[0]":
        yield Edit("data", path, encode(block.items[0]))
        yield Edit("reverse", path)
        for times in (1, _MANY):
            yield Edit("duplicate", f"{path}/[0]", times)
        for at, item in enumerate(block.items):
            yield Edit("drop", f"{path}/[{at}]")
            yield Edit("append", path, encode(item)[:-1])


def _lists_of_codes(path: str, block: Block, bound: int, rng: Random) -> Iterator[Edit]:
    unit = block.unit
    first = block.items[0]
    assert isinstance(first, Leaf)  # noqa: S101 - the caller looked
    for size in dict.fromkeys((1, unit, unit + 1, 2 * unit, 2 * unit + 1)):
        yield Edit("size", path, size)
    yield Edit("reverse", path)
    strange = _unassigned(first.table, unit, rng)
    for code in (strange, _grease(unit, rng)):
        yield Edit("insert", path, code.to_bytes(unit, "big"))
        yield Edit("append", path, code.to_bytes(unit, "big"))
        yield Edit("data", path, code.to_bytes(unit, "big"))
    room = min(block.maximum, bound) // unit - len(block.items)
    for many in dict.fromkeys((min(room, 300), room)):
        if many > 0:
            yield Edit("insert", path, _strangers(first.table, unit, many))
    for at in range(len(block.items)):
        here = f"{path}/[{at}]"
        yield Edit("drop", here)
        yield Edit("duplicate", here, 1)
        yield Edit("move", here, 0)
        yield Edit("move", here, len(block.items))


def _codes(path: str, leaf: Leaf, rng: Random) -> Iterator[Edit]:
    """The code is one by RFC 8701, one nobody has assigned, nothing, all it can be."""
    width = len(leaf.data)
    if leaf.table is EXTENSIONS:
        yield from (Edit("code", path, row.code) for row in EXTENSIONS if row.code not in GREASE)
    for code in (_grease(width, rng), _unassigned(leaf.table, width, rng), 0, 1, (1 << 8 * width) - 1):
        yield Edit("code", path, code)
    yield Edit("size", path, width - 1)
    yield Edit("size", path, width + 1)


def _extensions(path: str, extension: Field) -> Iterator[Edit]:
    assert isinstance(extension, Group)  # noqa: S101 - as fields.dissect_extension has it
    body = f"{path}/body"
    yield Edit("drop", path)
    yield Edit("duplicate", path, 1)
    yield Edit("duplicate", path, _MANY)
    yield Edit("move", path, 0)
    yield Edit("move", path, 1 << 16)
    length = len(encode(extension)) - 4
    yield from (Edit("size", body, size) for size in range(1, length))
    for more in (1, 2, 255):
        yield Edit("append", body, bytes(more))


@cache
def _strangers(table: Table[object] | None, width: int, many: int) -> bytes:  # type: ignore[type-var] # any table will do
    """The last ``many`` codes that nobody has assigned, fewer where there are not so many."""
    free = (code for code in range((1 << 8 * width) - 1, -1, -1) if not _known(table, code) and code not in GREASE)
    return b"".join(code.to_bytes(width, "big") for code in reversed(tuple(islice(free, many))))


def _known(table: Table[object] | None, code: int) -> bool:  # type: ignore[type-var] # as above
    return table is not None and code in table


def _grease(width: int, rng: Random) -> int:
    return rng.choice(GREASE) if width == 2 else rng.choice(GREASE_MODES)


def _unassigned(table: Table[object] | None, width: int, rng: Random) -> int:  # type: ignore[type-var] # as above
    while True:
        code = rng.randrange(2, 1 << 8 * width)
        if not _known(table, code) and code not in GREASE and code not in PSK_MODES:
            return code
