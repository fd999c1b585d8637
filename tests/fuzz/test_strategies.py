"""The public strategies: what they draw holds what they promise, and shrinks to what one wants to read."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from tlswire.fuzz import strategies
from tlswire.fuzz.edits import Edit, applied, differences
from tlswire.fuzz.fields import at, encode
from tlswire.fuzz.script import Ground, Script, message_of
from tlswire.fuzz.strategies import client_hellos, code_points, edits, extensions, mutations, records, scripts
from tlswire.registry import EXTENSIONS, GREASE, PSK_MODES, SUITES
from tlswire.wire.extensions import ROWS, decode_extension
from tlswire.wire.handshake import CLIENT_HELLO_BODY, parse_client_hello
from tlswire.wire.messages import ClientHello, Extension
from tlswire.wire.primitives import build
from tlswire.wire.records import Deframer

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LAWS = settings(max_examples=40, deadline=None, database=None, derandomize=True)
THOROUGH = settings(max_examples=5000, deadline=None, database=None)
ONCE = settings(THOROUGH, phases=[Phase.generate])
GROUND = Ground()
TREE = GROUND.modern_tree


def least(strategy: st.SearchStrategy[T], predicate: Callable[[T], bool], seed: int = 0) -> T:
    return find(strategy, predicate, settings=THOROUGH, random=Random(seed))


# Shrinking


@pytest.mark.parametrize("seed", range(3))
def test_a_long_session_id_shrinks_to_one_edit_and_33_bytes(seed: int) -> None:
    def too_long(made: list[Edit]) -> bool:
        return len(encode(at(applied(TREE, made), "session_id"))) > 1 + 32

    made = least(mutations(TREE), too_long, seed)
    assert len(made) == 1
    assert made[0].path == "session_id"
    assert differences(TREE, applied(TREE, made)) == ("session_id 32 -> 33 bytes",)


def test_a_lie_shrinks_to_one_byte_too_many() -> None:
    def lies(made: list[Edit]) -> bool:
        return any(edit.kind == "length-by" and edit.path == "suites" for edit in made)

    assert least(mutations(TREE), lies) == [Edit("length-by", "suites", 1)]


def test_a_lost_extension_shrinks_to_its_drop() -> None:
    def lost(made: list[Edit]) -> bool:
        return any(line == "key_share dropped" for line in differences(TREE, applied(TREE, made)))

    assert least(mutations(TREE), lost) == [Edit("drop", "extensions/key_share")]


def test_the_least_script_is_one_edit_in_one_record() -> None:
    script = least(scripts(), lambda script: len(script.message) > 400)
    assert script.tree is not None
    assert len(differences(TREE, script.tree)) == 1
    assert script.payload == record_of(script.message)


def record_of(message: bytes) -> bytes:
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


def test_the_least_hello_is_a_plain_one_and_stands_in_one_record() -> None:
    script = find(scripts(bent=False), lambda _: True, settings=ONCE, random=Random(0))
    hello = parse_client_hello(script.message[4:])
    assert (hello.session_id, hello.random, hello.versions) == (b"", bytes(32), (0x0304, 0x0303))
    assert not set(GREASE) & {*hello.suites, *hello.groups, *hello.extension_types}
    assert script.payload == record_of(script.message)


def test_the_least_framing_that_cuts_does_so_once_and_early() -> None:
    payload = least(records(st.just(message_of(TREE))), lambda data: data.count(b"\x16\x03\x01") > 1)
    assert int.from_bytes(payload[3:5], "big") == 1
    assert payload.count(b"\x16\x03\x01") == 2


def test_the_least_code_is_the_first_of_its_table() -> None:
    assert least(code_points(SUITES), lambda _: True) == next(iter(SUITES)).code


# What is drawn


@LAWS
@given(client_hellos())
def test_a_hello_is_well_formed_and_offers_what_every_server_has(hello: ClientHello) -> None:
    assert parse_client_hello(build(CLIENT_HELLO_BODY, hello)) == hello
    for item in hello.extensions or ():
        decode_extension(item.type, item.data, "ch")
    assert len(set(hello.extension_types)) == len(hello.extension_types)
    assert {0x1301, 0xC02F} <= set(hello.suites)
    assert {0x001D, 0x0017} <= set(hello.groups)


PARTS: list[tuple[str, Any, Callable[[ClientHello], object]]] = [
    ("versions", (0x0304,), lambda hello: hello.versions),
    ("suites", (0xC02F, 0x1399), lambda hello: hello.suites),
    ("groups", (0x0017,), lambda hello: hello.groups),
    ("schemes", (0x0804,), lambda hello: hello.signature_schemes),
    ("key_shares", (0x0017,), lambda hello: hello.key_shares),
    ("protocols", (b"h2",), lambda hello: hello.alpn),
    ("server_name", b"a.example", lambda hello: hello.server_name),
    ("session_id", b"abc", lambda hello: hello.session_id),
    ("random", b"r" * 32, lambda hello: hello.random),
    ("extensions", (Extension(0x1234, b"x"),), lambda hello: (hello.extensions or ())[-1:]),
]


@pytest.mark.parametrize(("part", "value", "view"), PARTS, ids=[part for part, *_ in PARTS])
def test_each_part_of_a_hello_may_be_given(part: str, value: object, view: Callable[[ClientHello], object]) -> None:
    given_part: dict[str, Any] = {"versions": st.just((0x0304, 0x0303))} | {part: st.just(value)}
    hello = find(client_hellos(**given_part), lambda _: True, settings=ONCE, random=Random(0))
    assert view(hello) == value


@LAWS
@given(extensions())
def test_extensions_without_types_are_those_to_be_ignored(item: Extension) -> None:
    assert item.type in GREASE or item.type not in EXTENSIONS


@LAWS
@given(extensions(st.sampled_from([code for code in ROWS if "ch" in ROWS[code]])))
def test_extensions_of_known_types_are_well_formed(item: Extension) -> None:
    decode_extension(item.type, item.data, "ch")


@LAWS
@given(code_points(SUITES), code_points(PSK_MODES), code_points(PSK_MODES, unknown=False))
def test_codes_fit_their_field(suite: int, mode: int, known: int) -> None:
    assert 0 <= suite <= 0xFFFF
    assert 0 <= mode <= 0xFF
    assert known in PSK_MODES


@LAWS
@given(mutations(TREE), edits(TREE))
def test_mutations_apply_and_change_the_bytes(made: list[Edit], edit: Edit) -> None:
    assert 1 <= len(made) <= strategies.MAX_EDITS
    assert encode(applied(TREE, made)) != encode(TREE)
    assert encode(applied(TREE, [edit])) is not None


@LAWS
@given(scripts())
def test_records_hold_the_message_they_were_made_of(script: Script) -> None:
    deframer = Deframer()
    (message,) = deframer.feed(script.payload)
    assert deframer.error is None
    assert deframer.pending == 0
    assert script.message[4:] == message.body


@LAWS
@given(scripts(bent=False))
def test_scripts_that_are_not_bent_are_valid_hellos(script: Script) -> None:
    parse_client_hello(script.message[4:])
