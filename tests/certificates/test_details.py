"""What one certificate says, field by field, against what was put in."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.cases import explicit_spki, named_spki, rsa_spki, sound_modulus
from tests.certificates.made import common_name, crafted, der, extension, oid, sequence
from tests.certificates.mint import (
    END,
    START,
    access,
    authority,
    constraints,
    dns,
    embedded,
    features,
    intermediate,
    leaf,
    mint,
    names,
    purposes,
    root,
    sct,
    sct_list,
    usage,
)
from tlswire.certificates.details import certificate_details
from tlswire.certificates.facts import MAX_NAMES, certificate_facts
from tlswire.certificates.general import MAX_READ
from tlswire.certificates.model import AlternativeName, NameConstraints, Sct
from tlswire.certificates.parsed import LARGEST

if TYPE_CHECKING:
    from collections.abc import Callable

LAWS = settings(max_examples=200, deadline=None, database=None, derandomize=True)
DV, OV, IV, EV = "2.23.140.1.2.1", "2.23.140.1.2.2", "2.23.140.1.2.3", "2.23.140.1.1"


def policies(*codes: str) -> bytes:
    return extension("2.5.29.32", sequence(*(sequence(oid(code)) for code in codes)))


def crls(*places: str) -> bytes:
    points = (sequence(der(0xA0, der(0xA0, der(0x86, place.encode())))) for place in places)
    return extension("2.5.29.31", sequence(*points))


def test_details_begin_with_the_facts() -> None:
    details, facts = certificate_details(leaf().der), certificate_facts(leaf().der)
    assert {name: getattr(details, name) for name in facts.__struct_fields__} == msgspec.structs.asdict(facts)


def test_what_a_leaf_says() -> None:
    made = mint(
        "leaf",
        intermediate(),
        more=(
            access(ocsp="http://ocsp.example", issuers="http://ca.example/1.der"),
            crls("http://crl.example/1", "ldap://crl.example/2"),
            policies(DV, "1.2.3.4"),
            features(5, 17, 300),
            embedded(sct_list(sct(1_735_700_000_123))),
        ),
    )
    found = certificate_details(made.der)
    assert found.version == 3
    assert found.serial_length == 16
    assert found.validity_days == 365
    assert (found.key, found.bits, found.key_family, found.curve) == ("EC secp256r1", 256, "EC", "secp256r1")
    assert (found.signature_family, found.signature_hash) == ("ECDSA", "SHA-256")
    assert found.common_names == ("leaf",)
    assert found.alternative_names == (AlternativeName("dns", "www.example"),)
    assert found.subject_key_id == made.key_id.hex().upper()
    assert found.authority_key_id == intermediate().key_id.hex().upper()
    assert found.path_length is None
    assert found.key_usage == ("digital_signature",)
    assert found.extended_key_usage == ("serverAuth",)
    assert found.policies == (DV, "1.2.3.4")
    assert found.validation == "DV"
    assert found.ocsp == ("http://ocsp.example",)
    assert found.ca_issuers == ("http://ca.example/1.der",)
    assert found.crls == ("http://crl.example/1", "ldap://crl.example/2")
    assert found.tls_features == (5, 17, 300)
    assert found.must_staple
    assert found.scts == (Sct("certificate", 0, "4c" * 32, "2025-01-01T02:53:20.123Z", "ecdsa_secp256r1_sha256"),)
    assert found.problems == ()


def test_what_a_ca_says() -> None:
    inside, outside = der(0x82, b"example"), der(0x87, b"\x0a\0\0\0\xff\0\0\0")
    found = certificate_details(mint("ca", ca=True, more=(authority(3), constraints((inside,), (outside,)))).der)
    assert (found.authority, found.path_length) == (True, 3)
    assert found.key_usage == ("key_cert_sign", "crl_sign")
    assert found.extended_key_usage is None
    assert found.name_constraints == NameConstraints(("dns:example",), ("ip:10.0.0.0/8",))
    assert found.signs_itself is True
    assert [(item.name, item.critical) for item in found.extensions] == [
        ("basicConstraints", True),
        ("keyUsage", True),
        ("subjectKeyIdentifier", False),
        ("nameConstraints", True),
    ]


@pytest.mark.parametrize(
    ("listed", "validation"),
    [([DV], "DV"), ([OV], "OV"), ([IV], "IV"), ([EV], "EV"), ([DV, EV], "EV"), (["1.2.3"], None), ([], None)],
)
def test_policies_of_public_cas_have_names(listed: list[str], validation: str | None) -> None:
    more = (policies(*listed),) if listed else ()
    assert certificate_details(mint("leaf", root(), more=more).der).validation == validation


def test_purposes_have_names_or_are_their_identifiers() -> None:
    codes = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.9", "2.5.29.37.0", "1.2.3.4"]
    found = certificate_details(mint("leaf", root(), more=(purposes(*codes),)).der)
    assert found.extended_key_usage == ("serverAuth", "OCSPSigning", "anyExtendedKeyUsage", "1.2.3.4")


@pytest.mark.parametrize("which", [[], ["digital_signature"], ["crl_sign"], ["key_agreement", "content_commitment"]])
def test_key_usage(which: list[str]) -> None:
    found = certificate_details(mint("leaf", root(), more=(usage(*which),)).der).key_usage
    assert found is not None
    assert set(found) == set(which)


NAMES = [
    (der(0x81, b"a@b.example"), AlternativeName("email", "a@b.example")),
    (der(0x82, b"a.example"), AlternativeName("dns", "a.example")),
    (der(0x82, b"XN--bcher-kva.example"), AlternativeName("dns", "XN--bcher-kva.example", "b\u00fccher.example")),
    (der(0x82, b"*.xn--bcher-kva.example"), AlternativeName("dns", "*.xn--bcher-kva.example", "*.b\u00fccher.example")),
    (der(0x82, b"xn--zzzzzz9999.example"), AlternativeName("dns", "xn--zzzzzz9999.example")),
    (der(0x86, b"https://a.example/?b"), AlternativeName("uri", "https://a.example/?b")),
    (der(0x87, bytes([192, 0, 2, 1])), AlternativeName("ip", "192.0.2.1")),
    (der(0x87, ipaddress.ip_address("2001:db8::1").packed), AlternativeName("ip", "2001:db8::1")),
    (der(0x88, b"\x2a\x03"), AlternativeName("registered-id", "1.2.3")),
    (der(0xA0, oid("1.2.3"), der(0xA0, b"\5\0")), AlternativeName("other", "1.2.3:0500")),
    (der(0xA4, common_name(b"somebody")), AlternativeName("directory", "CN=somebody")),
    (der(0xA3, b""), AlternativeName("x400", "")),
    (der(0xA5, b""), AlternativeName("edi", "")),
]


@pytest.mark.parametrize(("name", "expected"), NAMES, ids=[item[1].kind for item in NAMES])
def test_names_of_every_kind(name: bytes, expected: AlternativeName) -> None:
    details = certificate_details(mint("leaf", root(), more=(names(name),)).der)
    assert details.alternative_names == (expected,)
    assert details.problems == ()


@pytest.mark.parametrize(
    "name",
    [
        der(0x82, b"\xff"),
        der(0x82, b"a\0b.example"),
        der(0x87, bytes(3)),
        der(0x88, b""),
        der(0xA0, oid("1.2.3")),
        der(0xA0, oid("1.2.3"), b"\5\0"),
        der(0xA4, b"\5\0"),
        der(0x81, b"\xc3\xbc@a.example"),
    ],
)
def test_a_name_that_is_none_is_told_and_the_others_are_read(name: bytes) -> None:
    details = certificate_details(mint("leaf", root(), more=(names(name, der(0x82, b"a.example")),)).der)
    assert details.alternative_names[1:] == (AlternativeName("dns", "a.example"),)
    assert [item.id for item in details.problems] == ["odd-name"]


def test_names_without_end_are_read_up_to_a_bound() -> None:
    made = mint("leaf", root(), more=(dns(*(f"{at}.example" for at in range(MAX_READ + 10))),))
    details = certificate_details(made.der)
    assert len(details.alternative_names) == MAX_NAMES
    assert [(item.id, str(MAX_READ) in item.text) for item in details.problems] == [("names-cut", True)]


@pytest.mark.parametrize(
    ("spki", "key", "bits", "curve"),
    [
        (lambda: rsa_spki(sound_modulus(), 1), "RSA", 2048, None),
        (lambda: named_spki("1.3.132.0.8"), "EC secp160r1", 160, "secp160r1"),
        (explicit_spki, "EC secp256r1", 256, "explicit"),
    ],
)
def test_keys_that_cryptography_does_not_load_or_takes_for_others(
    spki: Callable[[], bytes], key: str, bits: int, curve: str | None
) -> None:
    details = certificate_details(mint("leaf", root(), spki=spki()).der)
    assert (details.key, details.bits, details.curve) == (key, bits, curve)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [(START, "250102000000Z", 1), (START, "250101000001Z", 0.000012), (END, START, -365)],
)
def test_days_of_validity(start: str, end: str, days: float) -> None:
    assert certificate_details(mint("leaf", root(), start=start, end=end).der).validity_days == days


def test_data_behind_is_counted_and_hashed_with_the_certificate() -> None:
    plain, longer = certificate_details(leaf().der), certificate_details(leaf().der + b"more")
    assert longer.sha256 == certificate_facts(leaf().der + b"more").sha256
    assert (longer.length, longer.subject) == (len(leaf().der) + 4, plain.subject)


def test_what_cannot_be_read_has_a_hash_and_one_problem() -> None:
    for data in (b"", b"\x30\x80", bytes(LARGEST + 1), leaf().der[:-1], crafted(serial=b"\x02\x02\0\5")):
        details = certificate_details(data)
        assert len(details.problems) == 1
        assert details.error
        assert (details.sha256, details.length) == (certificate_facts(data).sha256, len(data))
        assert details.version is None


@LAWS
@given(st.integers(0, 1 << 12), st.integers(0, 255))
def test_any_byte_may_be_any_other(place: int, value: int) -> None:
    data = bytearray(crafted(extensions=dns("a.example") + policies(DV) + usage("crl_sign") + crls("http://a")))
    data[place % len(data)] = value
    details = certificate_details(bytes(data))
    assert all(item.text.isprintable() for item in details.problems)
    assert msgspec.json.decode(msgspec.json.encode(details), type=type(details)) == details
