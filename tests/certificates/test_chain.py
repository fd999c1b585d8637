"""Chains as presented: links, order, what is missing and what is too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.certificates.cases import Given, bridge, chain, crossed, described, maze
from tests.certificates.mint import intermediate, leaf, mint, root
from tlswire.certificates.model import Link

if TYPE_CHECKING:
    from tests.certificates.mint import Minted
    from tlswire.certificates.model import ChainFacts


def facts(*minted: Minted, anchors: list[bytes] | None = None) -> ChainFacts:
    return described(chain(*minted, anchors=[root().der] if anchors is None else anchors)).chain


def test_links_of_a_good_chain() -> None:
    found = facts(leaf(), intermediate(), root())
    assert found.links == tuple(Link(at, at + 1, name=True, key_id=True, signature="good") for at in (0, 1))
    assert (found.ordered, found.complete, found.self_signed_leaf) == (True, True, False)
    assert (found.roots, found.extra, found.duplicates) == ((2,), (), ())


@pytest.mark.parametrize(
    ("order", "ordered"), [([0, 1, 2], True), ([0, 2, 1], False), ([0, 1, 1, 2], True), ([0, 0, 1, 2], True)]
)
def test_order_does_not_mind_what_is_there_twice(order: list[int], *, ordered: bool) -> None:
    one = mint("one", root(), ca=True)
    two = mint("two", one, ca=True)
    listed = [mint("leaf", two), two, one]
    found = facts(*(listed[at] for at in order))
    assert found.ordered == ordered
    assert found.complete is True


def test_strangers_are_extra_and_other_ways_are_not() -> None:
    assert facts(leaf(), mint("stranger", ca=True), intermediate()).extra == (1,)
    assert described(crossed("expired")).chain.extra == ()
    assert described(bridge("old")).chain.extra == ()


@pytest.mark.parametrize(
    ("make", "anchors", "complete"),
    [
        (lambda: (leaf(), intermediate()), True, True),
        (lambda: (leaf(), intermediate()), False, None),
        (lambda: (leaf(),), True, False),
        (lambda: (leaf(), intermediate(), root()), False, True),
        (lambda: (mint("own"),), False, True),
        (lambda: (mint("leaf", root("rsa")),), True, False),
    ],
)
def test_complete_is_what_leads_to_a_root_or_to_its_child(
    make: object, *, anchors: bool, complete: bool | None
) -> None:
    minted: tuple[Minted, ...] = make()  # type: ignore[operator]  # of those above
    assert facts(*minted, anchors=[root().der] if anchors else []).complete is complete


def test_links_say_why_they_do_not_hold() -> None:
    other = mint("intermediate", root(), ca=True, label="other")
    (link, _) = facts(mint("leaf", other), intermediate(), root()).links
    assert (link.name, link.key_id, link.signature) == (True, False, "bad")
    assert link.reason


def test_what_cannot_be_read_breaks_no_other_link() -> None:
    found = described(Given([leaf().der, b"garbage", intermediate().der])).chain
    assert [(link.certificate, link.issuer) for link in found.links] == [(0, 2)]


def test_circles_end() -> None:
    found = described(maze()).chain
    assert len(found.links) == found.count
    assert found.complete is False
