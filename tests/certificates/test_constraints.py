"""Name constraints, each kind of name against permitted and excluded subtrees."""

from __future__ import annotations

import pytest

from tests.certificates.cases import Given, constrained, described, rolled
from tests.certificates.made import common_name, der, oid, sequence
from tests.certificates.mint import constraints, mint, names, root
from tlswire.certificates.general import MAX_READ

DNS, IP, EMAIL, URI, DIRECTORY = 0x82, 0x87, 0x81, 0x86, 0xA4


def organisation(*parts: bytes) -> bytes:
    """A Name of O and, where given, CN."""
    kinds = ("2.5.4.10", "2.5.4.3")
    return sequence(
        *(der(0x31, sequence(oid(kind), der(0x0C, part))) for kind, part in zip(kinds, parts, strict=False))
    )


def verdict(given: Given) -> list[str]:
    return [item.id for item in described(given).verdicts[0].problems]


@pytest.mark.parametrize(
    ("tag", "name", "subtree", "inside"),
    [
        (DNS, b"example", b"example", True),
        (DNS, b"www.EXAMPLE", b"exAMPLE", True),
        (DNS, b"a.b.example", b"example", True),
        (DNS, b"*.b.example", b"b.example", True),
        (DNS, b"notexample", b"example", False),
        (DNS, b"example", b".example", False),
        (DNS, b"www.example", b".example", True),
        (DNS, b"www.example", b"", True),
        (IP, bytes([10, 1, 2, 3]), bytes([10, 0, 0, 0, 255, 0, 0, 0]), True),
        (IP, bytes([11, 1, 2, 3]), bytes([10, 0, 0, 0, 255, 0, 0, 0]), False),
        (IP, bytes(16), bytes([10, 0, 0, 0, 255, 0, 0, 0]), False),
        (IP, bytes(15) + b"\1", bytes(15) + b"\0" + b"\xff" * 15 + b"\0", True),
        (EMAIL, b"a@example", b"example", True),
        (EMAIL, b"a@www.example", b"example", False),
        (EMAIL, b"a@www.example", b".example", True),
        (EMAIL, b"a@example", b".example", False),
        (EMAIL, b"a@EXAMPLE", b"a@example", True),
        (EMAIL, b"A@example", b"a@example", False),
        (URI, b"https://www.example/path", b"www.example", True),
        (URI, b"https://u:p@www.example:8443/path", b".example", True),
        (URI, b"https://www.example?example", b"example", False),
        (URI, b"https://example", b".example", False),
        (DIRECTORY, organisation(b"Ours", b"x"), organisation(b"Ours"), True),
        (DIRECTORY, organisation(b"  OURS ", b"x"), organisation(b"ours"), True),
        (DIRECTORY, organisation(b"Theirs", b"x"), organisation(b"Ours"), False),
        (DIRECTORY, organisation(b"Ours"), organisation(b"Ours", b"x"), False),
    ],
)
def test_names_are_in_subtrees_or_not(tag: int, name: bytes, subtree: bytes, *, inside: bool) -> None:
    own, limit = der(tag, name), der(tag, subtree)
    # The subject of the leaf is a directory name, too.
    subject = organisation(b"Ours", b"x") if tag == DIRECTORY else common_name(b"leaf")
    for permitted, excluded, fine in (((limit,), (), inside), ((), (limit,), not inside)):
        middle = mint("constrained", root(), ca=True, more=(constraints(permitted, excluded),))
        made = mint(name if tag == DIRECTORY else subject, middle, label="leaf", more=(names(own),))
        report = described_by(made.der, middle.der)
        assert (report == []) == fine
        assert set(report) <= {"name-constraint"}


def described_by(*ders: bytes) -> list[str]:
    return verdict(Given(list(ders)))


@pytest.mark.parametrize("uri", [b"urn:isbn:1", b"https://[::1]/", b"https:///path", b"mailto:a@example"])
def test_a_uri_without_a_host_passes_no_constraint(uri: bytes) -> None:
    limit, own = der(URI, b"example"), der(URI, uri)
    assert verdict(constrained(own, permitted=(limit,))()) == ["name-constraint"]
    assert verdict(constrained(own, excluded=(limit,))()) == ["name-constraint"]


def test_kinds_that_are_not_constrained_are_free() -> None:
    assert verdict(constrained(der(DNS, b"www.example"), permitted=(der(EMAIL, b"other"),))()) == []


def test_names_beyond_those_that_are_read_are_not_let_pass() -> None:
    own = (der(DNS, f"{at}.example".encode()) for at in range(MAX_READ))
    forbidden = der(DNS, b"forbidden.example")
    assert verdict(constrained(*own, forbidden, excluded=(forbidden,))()) == ["constraint-unchecked"]


def test_an_address_in_an_old_subject_counts_as_one() -> None:
    mail = sequence(der(0x31, sequence(oid("1.2.840.113549.1.9.1"), der(0x16, b"a@theirs.example"))))
    middle = mint("constrained", root(), ca=True, more=(constraints((der(EMAIL, b"ours.example"),)),))
    own = mint(mail, middle, label="leaf")
    assert described_by(own.der, middle.der) == ["name-constraint"]


def test_constraints_of_all_cas_hold_for_all_below_but_a_ca_of_the_same_name() -> None:
    only_ours = constraints((der(DIRECTORY, organisation(b"Ours")),))
    top = mint(organisation(b"Ours", b"top"), root(), ca=True, label="top", more=(only_ours,))
    again = mint(organisation(b"Ours", b"top"), top, ca=True, label="again")
    theirs = mint(organisation(b"Theirs"), again, ca=True, label="theirs")
    own = mint(organisation(b"Ours", b"leaf"), theirs, label="leaf")
    report = described_by(own.der, theirs.der, again.der, top.der)
    assert report == ["name-constraint"]
    assert verdict(rolled()) == []
