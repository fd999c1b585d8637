"""Shrinking: from any hello that a server trips over to the field that trips it, with few contacts, in any framing."""

from __future__ import annotations

import asyncio
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings

from tlswire.errors import WireError
from tlswire.fuzz.cases import CASES
from tlswire.fuzz.cases.rows import MODERN as MODERN_BASE
from tlswire.fuzz.edits import Edit, applied, differences
from tlswire.fuzz.fields import encode
from tlswire.fuzz.generate import Mutation, base_tree
from tlswire.fuzz.script import Ground, Script, edited, message_of, records
from tlswire.fuzz.shrink import SMALL, Shrunk, shrink
from tlswire.fuzz.strategies import mutations
from tlswire.wire.handshake import parse_client_hello
from tlswire.wire.records import Deframer, fragment

from .test_generate import many

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.wire.messages import ClientHello

GROUND = Ground()
TREE = GROUND.modern_tree
KEYS, NAME, EMS = "extensions/key_share", "extensions/server_name", "extensions/extended_master_secret"


def of_body(judge: Callable[[bytes], bool]) -> Callable[[Script], bool]:
    """A server that judges the hello it reads out of whatever records."""

    def still(script: Script) -> bool:
        messages = Deframer().feed(script.payload)
        return bool(messages) and judge(messages[0].body)

    return still


def of_hello(judge: Callable[[ClientHello], bool]) -> Callable[[Script], bool]:
    """A server that judges hellos that are well formed."""

    def parsed(body: bytes) -> bool:
        try:
            return judge(parse_client_hello(body))
        except WireError:
            return False

    return of_body(parsed)


def broken(body: bytes) -> bool:
    try:
        parse_client_hello(body)
    except WireError:
        return True
    return False


def shrunk(script: Script, still: Callable[[Script], bool], **more: Any) -> Shrunk:
    found = asyncio.run(shrink(script, TREE, still, **more))
    if found.contacts or not more.get("memory"):
        assert still(found.script)
    return found


# What a server trips over, a hello with more than that, and all that is left of it.
PLANTS: dict[str, tuple[Callable[[Script], bool], list[Edit], str]] = {
    "a session id over 32 bytes": (
        of_body(lambda body: body[34] > 32),
        [Edit("append", "suites", b"\x0a\x0a"), Edit("size", "session_id", 200), Edit("drop", EMS)],
        "session_id 32 -> 33 bytes",
    ),
    "a session id of less than 8 bytes": (
        of_hello(lambda hello: len(hello.session_id) < 8),
        [Edit("data", "session_id", b""), Edit("reverse", "suites")],
        "session_id 32 -> 7 bytes",
    ),
    "an extension twice": (
        of_hello(lambda hello: len(set(hello.extension_types)) < len(hello.extension_types)),
        [Edit("duplicate", KEYS, 4), Edit("size", "session_id", 3)],
        "key_share once more",
    ),
    "a lost extension": (
        of_hello(lambda hello: 51 not in hello.extension_types),
        [Edit("drop", KEYS), Edit("move", NAME, 5), Edit("data", "random", bytes(32))],
        "key_share dropped",
    ),
    "an unknown extension": (
        of_hello(lambda hello: 0x1234 in hello.extension_types),
        [Edit("append", "extensions", bytes.fromhex("12340003010203")), Edit("size", "session_id", 0)],
        "extensions: 0x12340000 added",
    ),
    "a lie": (
        of_body(broken),
        [Edit("length-to", "suites", 3000), Edit("size", "session_id", 7)],
        "suites length says 31, holds 30 bytes",
    ),
    "a long hello": (
        of_body(lambda body: len(body) > 400),
        [Edit("append", "extensions", bytes.fromhex("001501f4") + bytes(500)), Edit("size", "session_id", 8)],
        "extensions: 0x0015008e000000000000000000000000... (146 bytes) added",
    ),
    "a name": (
        of_hello(lambda hello: len(hello.server_name or b"") > 50),
        [Edit("data", f"{NAME}/body/value/[0]/name", b"x" * 255), Edit("drop", EMS)],
        "server_name[0].name 9 -> 51 bytes",
    ),
}


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("told", [True, False], ids=["edits known", "edits found"])
def test_a_fault_is_reduced_to_its_field(plant: str, told: bool) -> None:
    still, made, line = PLANTS[plant]
    script = edited(TREE, made)
    assert still(script)
    found = shrunk(script, still, edits=made if told else ())
    assert len(found.edits) == 1
    assert found.differences == (line,)
    assert found.finished
    assert encode(applied(TREE, found.edits)) == found.script.message[4:]
    assert found.contacts <= 40


def test_faults_take_few_contacts() -> None:
    counts = [shrunk(edited(TREE, made), still, edits=made).contacts for still, made, _ in PLANTS.values()]
    assert median(counts) <= 12


def test_two_fields_that_hang_together_end_in_few_bytes() -> None:
    def judge(hello: ClientHello) -> bool:
        return len(hello.session_id) == 5 and 0x1234 in hello.extension_types

    made = [Edit("size", "session_id", 5), Edit("insert", "extensions", bytes.fromhex("12340000"))]
    found = shrunk(edited(TREE, [*made, Edit("reverse", "suites")]), of_hello(judge), edits=())
    assert len(found.script.message) <= SMALL
    assert "session_id 32 -> 5 bytes" in found.differences


# What is not in the fields


def test_records_alone_are_told_as_such() -> None:
    script = Mutation(MODERN_BASE, (Edit("size", "session_id", 3),), size=40, version=0x0303).script(GROUND)
    found = shrunk(script, lambda sent: len(sent.payload) > 5 + len(sent.message))
    assert found.edits == ()
    (line,) = found.differences
    assert line.startswith("in 2 records, cut at ")


def test_a_version_of_the_record_alone_is_told_as_such() -> None:
    script = Mutation(MODERN_BASE, (), size=100, version=0x03FF).script(GROUND)
    found = shrunk(script, lambda sent: sent.payload[1:3] == b"\x03\xff")
    assert found.differences == ("in records of version 0x03ff",)


def test_records_that_do_not_matter_are_undone() -> None:
    script = Mutation(MODERN_BASE, (Edit("drop", KEYS),), size=1).script(GROUND)
    found = shrunk(script, of_hello(lambda hello: 51 not in hello.extension_types))
    assert found.differences == ("key_share dropped",)
    assert found.script.payload == records(found.script.message)


@pytest.mark.parametrize("matters", [True, False])
def test_segments_are_kept_only_where_they_matter(matters: bool) -> None:
    script = edited(TREE, [Edit("drop", KEYS)], cuts=(10,), pause=0.05)
    judge = of_hello(lambda hello: 51 not in hello.extension_types)
    found = shrunk(script, lambda sent: judge(sent) and (bool(sent.cuts) or not matters))
    assert found.differences[:1] == ("key_share dropped",)
    assert bool(found.script.cuts) == matters


def test_what_is_no_hello_loses_the_bytes_that_do_not_matter() -> None:
    script = Script(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    found = shrunk(script, lambda sent: b"HTTP" in sent.payload)
    assert found.script.payload == b"HTTP"
    assert found.edits == ()


def test_more_than_a_hello_keeps_the_message_it_holds() -> None:
    message = message_of(TREE)
    script = Script(fragment(21, 0x0303, b"\1\x70") * 3 + records(message), message, TREE, tail=True)
    found = shrunk(script, lambda sent: sent.payload.count(b"\x15") > 0 and records(message) in sent.payload)
    assert found.script.message == message


def test_a_dialogue_stays_as_it_is() -> None:
    script = msgspec.structs.replace(edited(TREE, []), again=lambda _: (b"", b""))
    found = asyncio.run(shrink(script, TREE, lambda _: False))
    assert found.script is script
    assert found.contacts == 0


# Bounds, and the record before the server


def test_the_record_is_asked_before_the_server() -> None:
    still, made, line = PLANTS["a session id over 32 bytes"]
    first = shrunk(edited(TREE, made), still, edits=made)
    alone = edited(TREE, [made[1]])
    memory = {edited(TREE, [edit]).payload: still(edited(TREE, [edit])) for edit in made} | {
        edited(TREE, [Edit("size", "session_id", 33)]).payload: True
    }
    assert still(alone)
    found = shrunk(edited(TREE, made), still, edits=made, memory=memory)
    assert found.differences == (line,)
    assert found.contacts == 0 < first.contacts


def test_nothing_is_asked_twice() -> None:
    asked: list[bytes] = []
    judge, made, _ = PLANTS["a lie"]

    def still(script: Script) -> bool:
        asked.append(script.payload)
        return judge(script)

    found = asyncio.run(shrink(edited(TREE, made), TREE, still))
    assert len(asked) == len(set(asked)) == found.contacts


def test_contacts_are_bounded() -> None:
    calls = 0
    judge = of_body(lambda body: len(body) > 3000)

    def still(script: Script) -> bool:
        nonlocal calls
        calls += 1
        return judge(script)

    made = [Edit("append", "extensions", (0xFF00 + at).to_bytes(2, "big") + b"\1\0" + bytes(256)) for at in range(40)]
    found = asyncio.run(shrink(edited(TREE, made), TREE, still, contacts=20))
    assert calls == found.contacts == 20
    assert not found.finished
    assert judge(found.script)


def test_time_is_bounded() -> None:
    now = 0.0

    def still(_: Script) -> bool:
        nonlocal now
        now += 1.0
        return False

    found = asyncio.run(shrink(edited(TREE, PLANTS["a lie"][1]), TREE, still, seconds=2.5, clock=lambda: now))
    assert (found.contacts, found.finished) == (3, False)


def test_a_server_may_take_its_time() -> None:
    judge, made, line = PLANTS["an extension twice"]

    async def still(script: Script) -> bool:
        await asyncio.sleep(0)
        return judge(script)

    assert asyncio.run(shrink(edited(TREE, made), TREE, still)).differences == (line,)


def test_what_never_does_it_again_stays_whole() -> None:
    made = PLANTS["a lie"][1]
    script = edited(TREE, made)
    found = asyncio.run(shrink(script, TREE, lambda _: False, edits=made))
    assert found.script is script
    assert found.differences == differences(TREE, applied(TREE, made))


# Cases as they come


@pytest.mark.parametrize("case", [case for case in CASES if case.group == "sni"], ids=lambda case: case.id)
def test_a_case_of_the_catalogue_is_one_difference(case: Any) -> None:
    script = case.make(GROUND)
    found = shrunk(script, lambda sent: sent.payload == script.payload)
    assert found.script.payload == script.payload
    assert len(found.differences) == 1


def test_generated_cases_shrink_to_one_field_or_few_bytes() -> None:
    for case in many()[-40:]:  # pairs
        base = base_tree(GROUND, case.base)
        script = case.make(GROUND)
        found = asyncio.run(shrink(script, base, lambda sent: broken(sent.message[4:])))
        if broken(script.message[4:]):
            assert broken(found.script.message[4:])
            assert len(found.differences) == 1 or len(found.script.message) <= SMALL


@settings(max_examples=30, deadline=None, database=None, derandomize=True)
@given(mutations(TREE))
def test_whatever_is_left_still_does_it(made: list[Edit]) -> None:
    script = edited(TREE, made)
    size = len(script.message)
    found = shrunk(script, lambda sent: len(sent.message) == size)
    assert len(found.script.message) == size
