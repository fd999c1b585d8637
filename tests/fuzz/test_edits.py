"""Edits: each does one thing, leaves the other lengths true, says what it did, and is found again in the result."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.errors import UsageError
from tlswire.fuzz.edits import KINDS, Edit, applied, between, differences, spoken
from tlswire.fuzz.fields import Block, Field, at, encode, walk
from tlswire.fuzz.script import Ground
from tlswire.fuzz.strategies import mutations

LAWS = settings(max_examples=60, deadline=None, database=None, derandomize=True)
GROUND = Ground()
MODERN = GROUND.modern_tree
KEYS = "extensions/key_share"

# One edit of each kind, and how people read what it did.
TOLD = [
    (Edit("size", "session_id", 33), "session_id 32 -> 33 bytes"),
    (Edit("size", "session_id", 1), "session_id 32 -> 1 byte"),
    (Edit("length-by", "session_id", 1), "session_id length says 33, holds 32 bytes"),
    (Edit("length-to", f"{KEYS}/body", 0), "key_share body length says 0, holds 38 bytes"),
    (Edit("length-by", f"{KEYS}/body/value", -1), "key_share length says 35, holds 36 bytes"),
    (Edit("data", "compression", b""), "compression 1 -> 0 bytes"),
    (Edit("data", "compression", b"\1"), "compression 0x00 -> 0x01"),
    (Edit("data", KEYS + "/body", b""), "key_share body 38 -> 0 bytes"),
    (Edit("code", "legacy_version", 0x0304), "legacy_version 0x0303 -> 0x0304"),
    (Edit("code", "suites/[1]", 0x0A0A), "suites[1] 0x1302 -> 0x0a0a"),
    (Edit("code", f"{KEYS}/body/value/[0]/group", 23), "key_share[0].group 0x001d -> 0x0017"),
    (Edit("append", "suites", b"\1"), "suites 30 -> 31 bytes"),
    (Edit("append", "extensions", bytes.fromhex("0a0a0000")), "extensions: 0x0a0a0000 added"),
    (Edit("append", f"{KEYS}/body", b"\0"), "key_share body: 0x00 added"),
    (Edit("append", "", b"\0"), "client_hello: 0x00 added"),
    (Edit("insert", "extensions", bytes.fromhex("12340000")), "extensions: 0x12340000 added"),
    (Edit("drop", KEYS), "key_share dropped"),
    (Edit("drop", "suites/[0]"), "suites 30 -> 28 bytes"),
    (Edit("duplicate", KEYS, 1), "key_share once more"),
    (Edit("duplicate", KEYS, 3), "key_share 3 times more"),
    (Edit("move", KEYS, 0), "key_share moved from place 12 to 1"),
    (Edit("move", "suites/[0]", 14), "suites in another order"),
    (Edit("reverse", "extensions"), "extensions in another order"),
    (Edit("reverse", "suites"), "suites in another order"),
    (Edit("size", "extensions/server_name/body/value/[0]/name", 3), "server_name[0].name 9 -> 3 bytes"),
]


@pytest.mark.parametrize(("edit", "line"), TOLD, ids=[str(edit) for edit, _ in TOLD])
def test_a_difference_reads_as_people_say_it(edit: Edit, line: str) -> None:
    assert differences(MODERN, applied(MODERN, [edit])) == (line,)


def test_every_kind_of_edit_is_read_aloud_above() -> None:
    assert {edit.kind for edit, _ in TOLD} == set(KINDS)


def test_no_difference_has_no_line() -> None:
    assert differences(MODERN, MODERN) == ()
    assert differences(MODERN, applied(MODERN, [Edit("length-to", "session_id", 32)])) == ()


def test_differences_of_several_edits_come_from_the_front() -> None:
    bent = applied(MODERN, [Edit("drop", KEYS), Edit("size", "session_id", 0)])
    assert differences(MODERN, bent) == ("session_id 32 -> 0 bytes", "key_share dropped")


def test_long_contents_are_shown_in_part() -> None:
    (line,) = differences(MODERN, applied(MODERN, [Edit("data", "random", bytes(32))]))
    assert line.endswith("-> 0x00000000000000000000000000000000... (32 bytes)")


def lying(field: Field) -> bool:
    return isinstance(field, Block) and field.length is not None


@LAWS
@given(mutations(MODERN))
def test_only_edits_that_begin_with_length_lie(made: list[Edit]) -> None:
    tree = applied(MODERN, made)
    liars = {path for path, field in walk(tree) if lying(field)}
    assert bool(liars) <= any(edit.kind.startswith("length") for edit in made)
    for path, field in walk(tree):
        if isinstance(field, Block) and path not in liars:
            length = int.from_bytes(encode(field)[: field.width], "big")
            assert length == len(encode(field)) - field.width


@LAWS
@given(mutations(MODERN))
def test_what_was_edited_is_found_again(made: list[Edit]) -> None:
    tree = applied(MODERN, made)
    found = between(MODERN, tree)
    assert encode(applied(MODERN, found)) == encode(tree)
    assert differences(MODERN, tree)
    assert all(line.isprintable() and line.isascii() for line in differences(MODERN, tree))


def test_edits_between_equal_trees_are_none() -> None:
    assert between(MODERN, MODERN) == ()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit("melt", "suites"), "no such edit"),
        (Edit("drop", "nothing"), "there is no nothing"),
        (Edit("length-by", "random", 1), "no length of its own"),
    ],
)
def test_an_edit_that_cannot_be_made_says_why(edit: Edit, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        applied(MODERN, [edit])


def test_an_edit_says_what_it_does() -> None:
    assert str(Edit("size", "session_id", 33)) == "size session_id 33"
    assert str(Edit("data", "compression", b"\1")) == "data compression 01"


@given(st.sampled_from([path for path, _ in walk(MODERN)]))
def test_a_spoken_place_names_its_extension_and_no_layers(path: str) -> None:
    assert "value" not in spoken(path)
    assert "extensions" not in spoken(path) or path == "extensions"
    assert at(MODERN, path) is not None
