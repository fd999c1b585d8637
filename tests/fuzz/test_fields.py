"""Hellos as trees: nothing of any hello is lost, and what is no hello is said to be none."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.test_handshake import HELLO_RECORD
from tlswire.errors import UsageError, WireError
from tlswire.fuzz.fields import Block, Group, Leaf, at, dissect_extension, dissect_hello, encode, replaced, walk
from tlswire.fuzz.script import Ground, tree_of
from tlswire.fuzz.strategies import client_hellos
from tlswire.hello.profiles import profile, profile_hello, profile_names
from tlswire.wire.handshake import CLIENT_HELLO_BODY, parse_client_hello
from tlswire.wire.primitives import build

LAWS = settings(max_examples=40, deadline=None, database=None, derandomize=True)
GROUND = Ground()
PROJECT = Path(__file__).parents[2]
CAPTURES = PROJECT.parent / "shared" / "captures"


def hellos_below(folder: Path) -> set[bytes]:
    found = set()
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        for match in HELLO_RECORD.finditer(data):
            if match[1] == b"\x01":
                start = match.start() + 9
                found.add(data[start : start + int.from_bytes(match[2], "big")])
    return found


def check(body: bytes) -> bool:
    """A hello that parses is dissected to the same bytes, and every field has a path; another one is refused."""
    try:
        parse_client_hello(body)
    except WireError:
        return False
    tree = dissect_hello(body)
    assert encode(tree) == body
    for path, field in walk(tree):
        assert at(tree, path) == field
    return True


@pytest.mark.parametrize(
    ("folder", "least"), [(PROJECT / "captures" / "recorded", 20), (CAPTURES, 100)], ids=["ours", "others"]
)
def test_hellos_of_captures_encode_to_their_own_bytes(folder: Path, least: int) -> None:
    if not folder.is_dir():
        pytest.skip("the third-party captures are not beside the repository")
    assert sum(map(check, hellos_below(folder))) >= least


@pytest.mark.parametrize("name", profile_names())
def test_hellos_of_profiles_encode_to_their_own_bytes(name: str) -> None:
    hello = profile_hello(profile(name), rng=Random(1), server_name=b"localhost")
    assert check(build(CLIENT_HELLO_BODY, hello))
    assert encode(tree_of(hello)) == build(CLIENT_HELLO_BODY, hello)


@LAWS
@given(client_hellos())
def test_any_hello_encodes_to_its_own_bytes(hello: object) -> None:
    assert check(build(CLIENT_HELLO_BODY, hello))


@pytest.mark.parametrize("tree", [GROUND.modern_tree, GROUND.older_tree], ids=["modern", "older"])
def test_every_strict_prefix_of_a_hello_is_refused(tree: Group) -> None:
    body = encode(tree)
    # RFC 5246 section 7.4.1.2: a hello may end behind its compression methods.
    whole = len(body) - len(encode(at(tree, "extensions")))
    for length in set(range(len(body))) - {whole}:
        with pytest.raises(WireError) as caught:
            dissect_hello(body[:length])
        assert 0 <= (caught.value.offset or 0) <= length
    assert encode(dissect_hello(body[:whole])) == body[:whole]


@LAWS
@given(st.data())
def test_any_bytes_are_a_tree_of_the_same_bytes_or_refused(data: st.DataObject) -> None:
    body = encode(GROUND.modern_tree)
    where = data.draw(st.integers(0, len(body)))
    bent = body[:where] + data.draw(st.binary(max_size=4)) + body[where + data.draw(st.integers(0, 4)) :]
    for some in (bent, data.draw(st.binary(max_size=80))):
        try:
            tree = dissect_hello(some)
        except WireError:
            continue
        assert encode(tree) == some


@LAWS
@given(st.integers(0, 0xFFFF), st.binary(max_size=40))
def test_an_extension_with_any_body_encodes_to_it(code: int, body: bytes) -> None:
    whole = code.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
    assert encode(dissect_extension(code, body)) == whole


def test_fields_of_one_name_are_told_apart() -> None:
    pair = Group("", (Leaf("a", b"1"), Leaf("a", b"2"), Leaf("b", b"3")))
    assert [path for path, _ in walk(pair)] == ["a", "a#2", "b"]
    assert encode(at(pair, "a#2")) == b"2"
    assert encode(replaced(pair, "a#2", Leaf("a", b"9"))) == b"193"
    assert encode(replaced(pair, "a")) == b"23"
    assert replaced(pair, "", Leaf("x", b"")) == Leaf("x", b"")


@pytest.mark.parametrize(
    "path", ["nothing", "session_id#2", "session_id/data/deeper", "extensions/server_name/nothing"]
)
def test_a_place_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(UsageError, match=path.split("/", maxsplit=1)[0]):
        at(GROUND.modern_tree, path)
    with pytest.raises(UsageError):
        replaced(GROUND.modern_tree, path)


def test_the_hello_cannot_be_removed() -> None:
    with pytest.raises(UsageError, match="one field"):
        replaced(GROUND.modern_tree, "")


def test_a_length_says_the_truth_unless_it_is_set() -> None:
    assert encode(Block("x", 2, (Leaf("data", b"abc"),))) == b"\0\3abc"
    assert encode(Block("x", 2, (Leaf("data", b"abc"),), length=9)) == b"\0\x09abc"
    assert encode(Block("x", 1, (), length=0x102)) == b"\x02"  # cut to its width
