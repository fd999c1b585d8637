"""Names of certificates against hosts, one rule of RFC 9525 section 6 at a time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.certificates.general import dns_fault
from tlswire.certificates.model import AlternativeName
from tlswire.certificates.names import match_host

LAWS = settings(max_examples=300, deadline=None, database=None, derandomize=True)


def names(*listed: str) -> list[AlternativeName]:
    """``kind:value``, dns where no kind is given."""
    parts = [
        item.partition(":") if item.startswith(("ip:", "uri:", "email:")) else ("dns", "", item) for item in listed
    ]
    return [AlternativeName(kind, value) for kind, _, value in parts]


@pytest.mark.parametrize(
    ("host", "listed", "matched"),
    [
        ("www.example.com", ["www.example.com"], "www.example.com"),
        ("WWW.Example.COM", ["www.example.com"], "www.example.com"),
        ("www.example.com", ["WWW.EXAMPLE.com"], "WWW.EXAMPLE.com"),
        ("www.example.com.", ["www.example.com"], "www.example.com"),
        ("www.example.com", ["other.example", "*.example.com"], "*.example.com"),
        ("xn--bcher-kva.example", ["xn--bcher-kva.example"], "xn--bcher-kva.example"),
        ("b\u00fccher.example", ["xn--bcher-kva.example"], "xn--bcher-kva.example"),
        ("B\u00dcCHER.example", ["*.example"], "*.example"),
        ("localhost", ["localhost"], "localhost"),
        ("under_score.example", ["under_score.example"], "under_score.example"),
        ("192.0.2.1", ["ip:192.0.2.1"], "192.0.2.1"),
        ("2001:db8::1", ["ip:2001:db8::1"], "2001:db8::1"),
        ("2001:0DB8:0:0::1", ["ip:2001:db8::1"], "2001:db8::1"),
        ("[2001:db8::1]", ["ip:2001:db8::1"], "2001:db8::1"),
        ("fe80::1%eth0", ["ip:fe80::1"], "fe80::1"),
    ],
)
def test_what_matches(host: str, listed: list[str], matched: str) -> None:
    found = match_host(host, names(*listed))
    assert (found.ok, found.matched, found.reason) == (True, matched, "")


@pytest.mark.parametrize(
    ("host", "listed", "common", "reason", "nearest"),
    [
        ("www.example.com", ["www.example.org"], [], "none of its names is www.example.com", "www.example.org"),
        ("www.example.com", ["mail.example.com", "www.example.org"], [], "none of its names", "mail.example.com"),
        ("example.com", ["*.example.com"], [], "one label more than", "*.example.com"),
        ("a.b.example.com", ["*.example.com"], [], "stands for one label", "*.example.com"),
        ("www.example.com", ["w*.example.com"], [], "names no host", None),
        ("www.example.com", ["www.*.com"], [], "names no host", None),
        ("www.example.com", ["*"], [], "names no host", None),
        ("localhost", ["*"], [], "names no host", None),
        ("www.example.com", ["www.example.com."], [], "names no host", None),
        ("www.example.com", [], [], "no subjectAltName", None),
        ("www.example.com", [], ["www.example.com"], "only the common name", None),
        ("www.example.com", ["other.example"], ["*.example.com"], "only the common name", "other.example"),
        ("www.example.com", ["uri:https://www.example.com/"], [], "names no host", None),
        ("192.0.2.1", ["192.0.2.1"], [], "as a DNS name", None),
        ("192.0.2.1", ["www.example.com"], [], "names none", None),
        ("192.0.2.1", ["ip:192.0.2.2"], [], "not among its addresses", "192.0.2.2"),
        ("192.0.2.1", [], ["192.0.2.1"], "only the common name", None),
        ("*.example.com", ["*.example.com"], [], "is no host name", None),
        ("", ["www.example.com"], [], "is no host name", None),
        ("a" * 300, ["www.example.com"], [], "is no host name", None),
        ("\u2603\ufffd.example", ["www.example.com"], [], "is no host name", None),
        ("www.example.com\0", ["www.example.com"], [], "is no host name", None),
    ],
)
def test_what_does_not_and_why(
    host: str, listed: list[str], common: list[str], reason: str, nearest: str | None
) -> None:
    found = match_host(host, names(*listed), common)
    assert not found.ok
    assert reason in found.reason
    assert found.nearest == nearest
    assert found.common_name == ("only the common name" in reason)
    assert found.matched is None


LABELS = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)


@LAWS
@given(st.lists(LABELS, min_size=1, max_size=4), LABELS)
def test_a_wildcard_stands_for_exactly_one_label(rest: list[str], label: str) -> None:
    pattern = names("*." + ".".join(rest))
    assert match_host(".".join([label, *rest]), pattern).ok
    assert not match_host(".".join(rest), pattern).ok
    assert not match_host(".".join([label, label, *rest]), pattern).ok


@LAWS
@given(st.text(max_size=40), st.lists(st.text(max_size=30), max_size=3), st.lists(st.text(max_size=30), max_size=2))
def test_any_host_and_any_names_get_one_printable_line(host: str, listed: list[str], common: list[str]) -> None:
    found = match_host(host, [AlternativeName("dns", name) for name in listed], common)
    assert found.reason.isprintable()
    assert found.host.isprintable()
    assert found.ok == (found.reason == "")


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("a.example", True),
        ("*.a.example", True),
        ("a_b.example", True),
        ("1.example", True),
        ("xn--bcher-kva.example", True),
        ("", False),
        (" ", False),
        ("a..example", False),
        (".example", False),
        ("-a.example", False),
        ("a-.example", False),
        ("a b.example", False),
        ("a.*.example", False),
        ("f*.example", False),
        ("*", False),
        ("127.0.0.1", False),
        ("a" * 64 + ".example", False),
        (".".join(["a" * 60] * 5), False),
    ],
)
def test_names_that_can_match_something(name: str, *, fine: bool) -> None:
    assert (dns_fault(name) == "") == fine
