"""Elements and the parts of certificates: found where they stand, and cuts and lies told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.made import crafted, der, number, oid, sequence
from tests.certificates.mint import intermediate, leaf
from tlswire.certificates.der import MAX_EXTENSIONS, children, dotted, element, integer, layout, only, wrap
from tlswire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.certificates.mint import Minted

LAWS = settings(max_examples=200, deadline=None, database=None, derandomize=True)


@LAWS
@given(st.integers(0, 255), st.binary(max_size=300))
def test_an_element_holds_what_was_wrapped_and_no_cut_of_it_does(tag: int, content: bytes) -> None:
    whole = wrap(tag, content)
    assert whole == der(tag, content)
    found = element(whole + b"more")
    assert (found.tag, found.content, found.whole) == (tag, content, whole)
    for size in range(len(whole)):
        with pytest.raises(WireError):
            element(whole[:size])


@LAWS
@given(st.lists(st.binary(max_size=20), max_size=6))
def test_children_come_in_order(contents: list[bytes]) -> None:
    parent = element(sequence(*(der(4, item) for item in contents)))
    assert [item.content for item in children(parent)] == contents
    assert [item.content for item in only(parent.whole, *[4] * len(contents))] == contents
    with pytest.raises(WireError):
        only(parent.whole, *[4] * len(contents), 0)


@pytest.mark.parametrize("length", [b"\x80", b"\x85\0\0\0\0\1", b"\x84\xff\xff\xff\xff", b"\x82\1"])
def test_lengths_that_are_none_are_refused(length: bytes) -> None:
    with pytest.raises(WireError):
        element(b"\x30" + length + bytes(9))


def test_a_child_may_not_end_after_its_parent() -> None:
    with pytest.raises(WireError):
        list(children(element(b"\x30\x03\x04\x02ab")))


@LAWS
@given(st.integers(-(1 << 70), 1 << 70))
def test_numbers_of_both_signs(value: int) -> None:
    assert integer(element(number(value))) == value


@LAWS
@given(st.sampled_from([0, 1, 2]), st.integers(0, 39), st.lists(st.integers(0, 1 << 100), max_size=5))
def test_identifiers(first: int, second: int, rest: list[int]) -> None:
    text = ".".join(map(str, (first, second, *rest)))
    content = oid(text)[2:]
    assert dotted(content) == text


@pytest.mark.parametrize("content", [b"", b"\x80", b"\x2a\x81", b"\x2a" + b"\xff" * 20 + b"\x01"])
def test_identifiers_that_are_none(content: bytes) -> None:
    with pytest.raises(WireError):
        dotted(content)


@pytest.mark.parametrize("make", [leaf, intermediate], ids=["leaf", "intermediate"])
def test_parts_are_those_that_cryptography_finds(make: Callable[[], Minted]) -> None:
    whole = make().der
    found, certificate = layout(whole + b"more"), x509.load_der_x509_certificate(whole)
    assert found.whole == whole
    assert found.tbs == certificate.tbs_certificate_bytes
    assert found.signature == b"\0" + certificate.signature
    assert (found.subject, found.issuer) == (certificate.subject.public_bytes(), certificate.issuer.public_bytes())
    assert int.from_bytes(found.serial, "big") == certificate.serial_number
    assert found.version == 2
    assert [(item.oid, item.critical) for item in found.extensions] == [
        (item.oid.dotted_string, item.critical) for item in certificate.extensions
    ]


def test_no_cut_of_a_certificate_has_a_layout() -> None:
    whole = leaf().der
    for size in range(len(whole)):
        with pytest.raises(WireError):
            layout(whole[:size])


def test_extensions_beyond_the_bound_are_counted() -> None:
    many = b"".join(sequence(oid(f"1.2.3.{at}"), der(4, b"")) for at in range(MAX_EXTENSIONS + 5))
    found = layout(crafted(extensions=many))
    assert (len(found.extensions), found.more_extensions) == (MAX_EXTENSIONS, 5)


@LAWS
@given(st.binary(max_size=80))
def test_random_bytes_have_no_layout(data: bytes) -> None:
    with pytest.raises(WireError):
        layout(data)
