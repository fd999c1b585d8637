"""Ways to anchors: which is taken, and that the search ends. And stores of anchors."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import certifi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.cases import Given, bridge, chain, crossed, described, maze
from tests.certificates.mint import NOW, intermediate, leaf, mint, root
from tlswire.certificates.details import details_of
from tlswire.certificates.parsed import Parsed
from tlswire.certificates.paths import MAX_DEPTH, MAX_PATHS
from tlswire.certificates.report import describe_chain
from tlswire.certificates.signatures import signed_by
from tlswire.certificates.stores import Anchors, read_anchors
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.certificates.model import PathVerdict


def verdict(made: Given) -> PathVerdict:
    return described(made).verdicts[0]


def taken(made: Given) -> list[tuple[str, int | None, bool]]:
    return [(step.subject, step.presented, step.anchor) for step in verdict(made).path]


def test_of_two_ways_the_valid_one_is_taken() -> None:
    for case in ("unknown", "expired"):
        assert taken(crossed(case)) == [("CN=leaf", 0, False), ("CN=middle", 2, False), ("CN=root p256", None, True)]


def test_of_two_anchors_the_nearer_one_is_taken() -> None:
    assert [step[0] for step in taken(bridge("old", "new"))] == ["CN=leaf", "CN=middle", "CN=new root"]
    assert [step[0] for step in taken(bridge("old"))] == ["CN=leaf", "CN=middle", "CN=new root", "CN=old root"]


def test_a_root_that_is_sent_and_known_is_both() -> None:
    assert taken(chain(leaf(), intermediate(), root()))[-1] == ("CN=root p256", 2, True)


def test_every_fault_of_the_best_path_is_told_with_its_place() -> None:
    past = "250501000000Z"
    top = mint("gone", ca=True, end=past)
    middle = mint("middle", top, ca=True, end=past, kind="rsa1024")
    found = verdict(chain(mint("leaf", middle, end=past, signer="rsa-sha1"), middle, anchors=[top.der]))
    assert sorted((item.at, item.id) for item in found.problems if item.at is not None) == [
        (0, "expired"),
        (0, "weak-hash"),
        (1, "expired"),
        (1, "weak-rsa-key"),
        (2, "expired"),
    ]
    assert not found.valid


def test_the_way_that_ends_in_an_anchor_is_told_even_when_another_has_fewer_faults() -> None:
    old = mint("old root", ca=True, end="250301000000Z")
    ways = [mint("middle", old, ca=True), mint("middle", mint("unknown root", ca=True), ca=True)]
    found = verdict(chain(mint("leaf", ways[0]), *ways, anchors=[old.der]))
    assert found.path[-1].anchor
    assert [item.id for item in found.problems] == ["expired"]


def test_what_signed_itself_is_not_taken_for_the_child_of_a_namesake() -> None:
    own, namesake = mint("own"), mint("own", ca=True, label="namesake")
    found = verdict(chain(own, anchors=[namesake.der]))
    assert [item.id for item in found.problems] == ["self-signed"]
    old, new = mint("rolling", ca=True, label="old"), mint("rolling", ca=True, label="new")
    found = verdict(chain(mint("leaf", old), old, anchors=[new.der]))
    assert [item.id for item in found.problems] == ["untrusted-root"]


def test_a_maze_is_left_after_so_many_ways() -> None:
    found = verdict(maze())
    assert found.paths == MAX_PATHS
    assert found.problems[-1].id == "search-bounded"
    assert len(found.path) <= MAX_DEPTH + 1


def test_no_chain_has_no_verdict() -> None:
    assert describe_chain([], now=NOW, anchors={"ours": Anchors("ours", [root().der])}).verdicts == ()


# Stores.


def pem(der: bytes, label: str = "CERTIFICATE", newline: str = "\n") -> bytes:
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n".replace("\n", newline).encode()


@pytest.mark.parametrize(
    "data",
    [
        lambda: pem(root().der),
        lambda: pem(root().der, newline="\r\n"),
        lambda: pem(root().der, "X509 CERTIFICATE"),
        lambda: pem(root().der + b"\x30\x00", "TRUSTED CERTIFICATE"),
        lambda: b"# a comment\n" + pem(b"\x30\x00", "PRIVATE KEY") + pem(root().der) + b"more",
        lambda: root().der,
        lambda: pem(root().der) * 3,
        lambda: pem(b"garbage") + pem(root().der),
    ],
    ids=["pem", "crlf", "old label", "trusted", "bundle", "der", "thrice", "one of two"],
)
def test_stores_are_read_from_files_of_all_kinds(data: Callable[[], bytes]) -> None:
    content = data()
    found = read_anchors("ours", content)
    assert [item.der for item in found] == [root().der]
    assert len(found) == 1
    assert bool(found.faults) == (b"Z2FyYmFnZQ" in content)


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x30\x00", pem(b"garbage"), pem(b"", "PRIVATE KEY")])
def test_a_file_without_a_certificate_is_the_callers_fault(data: bytes) -> None:
    with pytest.raises(UsageError, match="ours"):
        read_anchors("ours", data)


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(st.binary(max_size=60))
def test_no_random_bytes_are_a_store(data: bytes) -> None:
    for content in (data, pem(data)):
        with pytest.raises(UsageError):
            read_anchors("any", content)


def test_anchors_are_found_by_the_name_of_issuers() -> None:
    store = Anchors("ours", [root().der, mint("root p256", ca=True, label="namesake").der, root("rsa").der])
    assert len(store.issuers(Parsed(intermediate().der))) == 2
    assert store.issuers(Parsed(leaf().der)) == []
    assert store.find(Parsed(root().der)) is not None
    assert store.find(Parsed(leaf().der)) is None


def test_public_roots_can_be_read_and_sign_themselves() -> None:
    store = read_anchors("certifi", certifi.contents().encode())
    assert len(store) > 100
    assert store.faults == ()
    for item in store:
        assert item.certificate is not None
        assert signed_by(item, item) == ("good", "")
        assert not {problem.category for problem in details_of(item).problems} & {"weak"}
