"""Facts of certificates, each against what was put in: made by cryptography, or by hand where it makes none such."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.made import (
    EC_KEY,
    NULL,
    RSA_PSS,
    V3,
    alternatives,
    common_name,
    crafted,
    der,
    extension,
    number,
    oid,
    rsa_key,
    sequence,
)
from tlswire.certificates import facts as module
from tlswire.certificates.facts import MAX_NAMES, MAX_TEXT, CertificateFacts, certificate_facts

if TYPE_CHECKING:
    from collections.abc import Callable

few = settings(max_examples=150, deadline=None, database=None, derandomize=True)
START, END = dt.datetime(2001, 2, 3, 4, 5, 6, tzinfo=dt.UTC), dt.datetime(2002, 2, 3, 4, 5, 6, tzinfo=dt.UTC)

# By cryptography.


def name(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in pairs])


SUBJECT = name((NameOID.COUNTRY_NAME, "DE"), (NameOID.ORGANIZATION_NAME, "Ours"), (NameOID.COMMON_NAME, "leaf"))
ISSUER = name((NameOID.COMMON_NAME, "issuer"))


@cache
def key_of(kind: str) -> Any:
    makers: dict[str, Callable[[], Any]] = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
        "dsa": lambda: dsa.generate_private_key(1024),
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "brainpool": lambda: ec.generate_private_key(ec.BrainpoolP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
        "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate,
        "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate,
        "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate,
    }
    return makers[kind]()


@cache
def signer() -> Any:
    return ec.generate_private_key(ec.SECP256R1())


def spki_of(public: Any) -> bytes:
    encoded: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def issued(
    public: Any,
    *extensions: x509.ExtensionType,
    subject: x509.Name = SUBJECT,
    issuer: x509.Name = ISSUER,
    by: Any = None,
    digest: Any = hashes.SHA256(),  # noqa: B008 - it has no state
    **signing: Any,
) -> bytes:
    builder = x509.CertificateBuilder(issuer, subject, public, 0x0ABCDEF0123456789)
    builder = builder.not_valid_before(START).not_valid_after(END)
    for item in extensions:
        builder = builder.add_extension(item, critical=False)
    return builder.sign(signer() if by is None else by, digest, **signing).public_bytes(Encoding.DER)


def test_every_field_is_what_was_put_in() -> None:
    key = key_of("rsa")
    made = issued(
        key.public_key(),
        x509.SubjectAlternativeName([x509.DNSName("one.example"), x509.DNSName("*.two.example")]),
        x509.BasicConstraints(ca=False, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
    )
    assert certificate_facts(made) == CertificateFacts(
        sha256=hashlib.sha256(made).hexdigest(),
        length=len(made),
        subject="CN=leaf,O=Ours,C=DE",
        issuer="CN=issuer",
        serial="ABCDEF0123456789",
        not_before="2001-02-03T04:05:06Z",
        not_after="2002-02-03T04:05:06Z",
        key="RSA",
        bits=2048,
        signature_algorithm="ecdsa-with-SHA256",
        names=["one.example", "*.two.example"],
        spki_sha256=hashlib.sha256(spki_of(key.public_key())).hexdigest(),
        self_signed=False,
        authority=False,
        error=None,
        signature_hash="SHA-256",
        signature_schemes=("0x0403",),
        extended_key_usage=("serverAuth",),
        embedded_scts=0,
    )


@pytest.mark.parametrize(
    ("kind", "label", "bits", "algorithm"),
    [
        ("rsa", "RSA", 2048, "sha256WithRSAEncryption"),
        ("rsa1024", "RSA", 1024, "sha256WithRSAEncryption"),
        ("dsa", "DSA", 1024, "dsa-with-sha256"),
        ("p256", "EC secp256r1", 256, "ecdsa-with-SHA256"),
        ("p521", "EC secp521r1", 521, "ecdsa-with-SHA256"),
        ("brainpool", "EC brainpoolP384r1", 384, "ecdsa-with-SHA256"),
        ("ed25519", "Ed25519", 256, "ed25519"),
        ("ed448", "Ed448", 456, "ed448"),
        ("ml-dsa-44", "ML-DSA-44", None, "ML-DSA-44"),
        ("ml-dsa-65", "ML-DSA-65", None, "ML-DSA-65"),
        ("ml-dsa-87", "ML-DSA-87", None, "ML-DSA-87"),
    ],
)
def test_kinds_of_keys_in_certificates_that_sign_themselves(
    kind: str, label: str, bits: int | None, algorithm: str
) -> None:
    key = key_of(kind)
    digest = None if kind.startswith(("ed", "ml")) else hashes.SHA256()
    found = certificate_facts(issued(key.public_key(), subject=ISSUER, by=key, digest=digest))
    assert (found.key, found.bits, found.signature_algorithm) == (label, bits, algorithm)
    assert found.spki_sha256 == hashlib.sha256(spki_of(key.public_key())).hexdigest()
    assert found.self_signed is True
    assert found.error is None


def test_key_that_cannot_sign() -> None:
    found = certificate_facts(issued(x25519.X25519PrivateKey.generate().public_key()))
    assert (found.key, found.bits, found.error) == ("X25519", 256, None)


def test_signature_of_the_pss_kind() -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), hashes.SHA384().digest_size)
    key = key_of("rsa")
    made = issued(key.public_key(), by=key, digest=hashes.SHA384(), rsa_padding=pss)
    assert certificate_facts(made).signature_algorithm == "rsassaPss"


def test_pin_is_of_the_key_as_it_stands_in_the_certificate() -> None:
    # A key for PSS alone (RFC 4055 section 1.2) and a compressed point (RFC 5480 section 2.2): read, they are written
    # differently.
    pss = rsa_key((1 << 2047) + 1, oid(RSA_PSS))
    point = key_of("p256").public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    compressed = sequence(sequence(oid(EC_KEY), oid("1.2.840.10045.3.1.7")), der(3, b"\0", point))
    for spki, label, bits in ((pss, "RSA", 2048), (compressed, "EC secp256r1", 256)):
        for version in (V3, b""):
            found = certificate_facts(crafted(key=spki, version=version))
            assert (found.key, found.bits, found.error) == (label, bits, None)
            assert found.spki_sha256 == hashlib.sha256(spki).hexdigest()


@pytest.mark.parametrize("bits", [512, 768, 1023, 1024, 3072, 8192])
def test_size_of_weak_and_of_strong_keys(bits: int) -> None:
    found = certificate_facts(crafted(key=rsa_key(1 << (bits - 1) | 1)))
    assert (found.key, found.bits, found.error) == ("RSA", bits, None)


@pytest.mark.parametrize(
    ("algorithm", "label"),
    [
        (oid(EC_KEY) + oid("1.3.132.0.16"), EC_KEY),  # sect283k1
        (oid("1.2.643.7.1.1.1.1"), "1.2.643.7.1.1.1.1"),  # GOST R 34.10-2012
        (oid("1.2.3.4"), "1.2.3.4"),
    ],
)
def test_key_that_is_not_known_keeps_its_identifier_its_pin_and_the_other_facts(algorithm: bytes, label: str) -> None:
    spki = sequence(sequence(algorithm), der(3, b"\0\4", bytes(64)))
    found = certificate_facts(crafted(key=spki))
    assert (found.key, found.bits) == (label, None)
    assert found.spki_sha256 == hashlib.sha256(spki).hexdigest()
    assert (found.subject, found.issuer, found.serial) == ("CN=subject", "CN=issuer", "5")
    assert found.error is not None
    assert found.error.startswith("key: ")


def test_signature_that_is_not_known_is_its_identifier() -> None:
    found = certificate_facts(crafted(algorithm=sequence(oid("1.2.3.4.5"))))
    assert (found.signature_algorithm, found.error) == ("1.2.3.4.5", None)


def test_old_signatures_have_names() -> None:
    for code, label in (("4", "md5WithRSAEncryption"), ("5", "sha1WithRSAEncryption")):
        found = certificate_facts(crafted(algorithm=sequence(oid(f"1.2.840.113549.1.1.{code}"), NULL)))
        assert found.signature_algorithm == label


@pytest.mark.parametrize("value", [1, 0x7F, 0x80, 2**64 - 1, 2**159 + 1, 0, -1, -(2**63)])
def test_serial_numbers_of_all_signs_and_sizes(value: int) -> None:
    found = certificate_facts(crafted(serial=number(value)))
    if found.serial is None:
        assert found.error is not None  # a version of cryptography that refuses it says so
    else:
        assert int(found.serial, 16) == value
        assert found.serial == found.serial.upper()


@pytest.mark.parametrize(
    ("tag", "text", "shown"),
    [
        (0x17, "500101000000Z", "1950-01-01T00:00:00Z"),  # RFC 5280 section 4.1.2.5.1
        (0x17, "491231235959Z", "2049-12-31T23:59:59Z"),
        (0x18, "20500101000000Z", "2050-01-01T00:00:00Z"),
        (0x18, "99991231235959Z", "9999-12-31T23:59:59Z"),
        (0x18, "00010203040506Z", "0001-02-03T04:05:06Z"),
        (0x18, "09991231235959Z", "0999-12-31T23:59:59Z"),
    ],
)
def test_times_of_all_years_have_four_digits(tag: int, text: str, shown: str) -> None:
    moment = der(tag, text.encode())
    found = certificate_facts(crafted(validity=sequence(moment, moment)))
    if found.not_before is None:
        assert found.error is not None
    else:
        assert (found.not_before, found.not_after) == (shown, shown)


@pytest.mark.parametrize("text", ["010203040506", "010203040506+0100", "0102030405Z", "011303040506Z", "", "gibberish"])
def test_times_that_are_none_are_faults(text: str) -> None:
    moment = der(0x17, text.encode())
    found = certificate_facts(crafted(validity=sequence(moment, moment)))
    assert found.error is not None
    assert found.not_before is None


def test_certificate_without_a_subject() -> None:
    found = certificate_facts(crafted(subject=sequence()))
    assert (found.subject, found.issuer, found.self_signed, found.error) == ("", "CN=issuer", False, None)


def test_names_that_are_written_alike_but_differ_are_no_self_signature() -> None:
    same = crafted(subject=common_name(b"root"), issuer=common_name(b"root"))
    other = crafted(subject=common_name(b"root", 0x13), issuer=common_name(b"root", 0x0C))
    assert certificate_facts(same).self_signed is True
    assert certificate_facts(other).self_signed is False
    assert certificate_facts(other).subject == certificate_facts(other).issuer


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("büro", "CN=büro"),
        ("\x1b]0;owned\x07", "CN=\\x1b]0\\;owned\\x07"),
        ("\x1b[2J\x1b[31m", "CN=\\x1b[2J\\x1b[31m"),
        ("a\r\nb\tc", "CN=a\\r\\nb\\tc"),
        ("abc\u202egnp.exe", "CN=abc\\u202egnp.exe"),  # right to left from there on
        ("zero\u200bwidth", "CN=zero\\u200bwidth"),
        ("\x9b31m", "CN=\\x9b31m"),  # CSI in one character
        ("a,b+c;d", "CN=a\\,b\\+c\\;d"),  # RFC 4514 section 2.4
    ],
)
def test_characters_that_a_terminal_would_obey_are_escaped(raw: str, shown: str) -> None:
    found = certificate_facts(crafted(subject=common_name(raw.encode()), issuer=common_name(raw.encode())))
    assert found.subject == found.issuer == shown


def test_zero_byte_in_a_name_is_seen() -> None:
    found = certificate_facts(
        crafted(
            subject=common_name(b"good.example\0.evil.example"),
            extensions=alternatives(der(0x82, b"good.example\0.evil.example")),
        )
    )
    assert found.subject is not None
    assert "\0" not in found.subject
    assert "evil" in found.subject
    assert all("\0" not in item and "evil" in item for item in found.names)


@few
@given(st.text(max_size=40))
def test_any_text_in_a_subject_or_a_name_is_shown_printable(text: str) -> None:
    raw = text.encode("utf-8", "replace")
    found = certificate_facts(crafted(subject=common_name(raw), extensions=alternatives(der(0x82, raw))))
    assert all(item.isprintable() for item in (found.subject or "", found.error or "", *found.names))


@few
@given(st.binary(max_size=40), st.sampled_from([0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E, 0x12, 0x03, 0x04]))
def test_any_bytes_in_any_kind_of_string_are_shown_or_a_fault(raw: bytes, tag: int) -> None:
    found = certificate_facts(crafted(subject=common_name(raw, tag)))
    assert found.subject is not None or found.error is not None
    assert (found.subject or "").isprintable()
    assert found.issuer == "CN=issuer" or found.error is not None


def test_long_texts_and_many_names_are_cut() -> None:
    names = [der(0x82, b"h%d.example" % index) for index in range(MAX_NAMES + 10)]
    long = crafted(subject=common_name(b"x" * 70000), extensions=alternatives(*names, der(0x82, b"y" * 5000)))
    found = certificate_facts(long)
    assert found.subject is not None
    assert len(found.subject) == MAX_TEXT
    assert found.names == [f"h{index}.example" for index in range(MAX_NAMES)]
    assert certificate_facts(crafted(extensions=alternatives(der(0x82, b"y" * 5000)))).names == ["y" * MAX_TEXT]


def test_alternative_names_are_dns_names_and_addresses_in_their_order() -> None:
    found = certificate_facts(
        issued(
            key_of("p256").public_key(),
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("a.example"),
                    x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
                    x509.UniformResourceIdentifier("spiffe://example/x"),
                    x509.DNSName("xn--bcher-kva.example"),
                    x509.RFC822Name("someone@example.org"),
                    x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
                    x509.DirectoryName(SUBJECT),
                    x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
                    x509.OtherName(x509.ObjectIdentifier("1.2.3"), NULL),
                ]
            ),
        )
    )
    assert found.names == ["a.example", "192.0.2.7", "xn--bcher-kva.example", "2001:db8::1"]
    assert found.error is None


@pytest.mark.parametrize(
    "names",
    [
        (der(0x87, bytes(5)),),  # an address of five bytes
        (der(0x82, b"b\xfcro.example"),),  # neither IA5 nor UTF-8
        (der(0x8F, b"?"),),
    ],
)
def test_alternative_names_that_cannot_be_read_are_a_fault_and_the_rest_counts(names: tuple[bytes, ...]) -> None:
    found = certificate_facts(crafted(extensions=alternatives(*names)))
    assert found.names == []
    assert found.error is not None
    assert "names: " in found.error
    assert (found.subject, found.key, found.bits, found.serial) == ("CN=subject", "RSA", 2048, "5")


def test_authority_is_what_basic_constraints_say() -> None:
    for ca in (True, False):
        made = issued(key_of("p256").public_key(), x509.BasicConstraints(ca=ca, path_length=None))
        assert certificate_facts(made).authority is ca
    assert certificate_facts(issued(key_of("p256").public_key())).authority is False
    assert certificate_facts(crafted(version=b"")).authority is False


def test_extension_that_comes_twice_is_a_fault() -> None:
    found = certificate_facts(crafted(extensions=alternatives(der(0x82, b"a")) + alternatives(der(0x82, b"b"))))
    assert found.names == []
    assert found.authority is None
    assert found.error is not None
    assert "2.5.29.17" in found.error


def samples() -> dict[str, bytes]:
    key = key_of("p256").public_key()
    everything = issued(
        key,
        x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.IPAddress(ipaddress.ip_address("::1"))]),
        x509.BasicConstraints(ca=True, path_length=3),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.SubjectKeyIdentifier.from_public_key(key),
        x509.NameConstraints([x509.DNSName("example")], None),
    )
    return {"everything": everything, "rsa": issued(key_of("rsa").public_key()), "crafted": crafted(version=b"")}


def known_only_by_hash(found: CertificateFacts, data: bytes) -> bool:
    bare = CertificateFacts(hashlib.sha256(data).hexdigest(), len(data), error=found.error)
    return bool(found.error) and found == bare


@pytest.mark.parametrize("kind", ["everything", "rsa", "crafted"])
def test_every_strict_prefix_has_a_hash_and_a_reason_and_nothing_else(kind: str) -> None:
    whole = samples()[kind]
    for size in range(len(whole)):
        assert known_only_by_hash(certificate_facts(whole[:size]), whole[:size])
    assert known_only_by_hash(certificate_facts(whole + b"\0"), whole + b"\0")


@pytest.mark.parametrize("kind", ["everything", "rsa", "crafted"])
def test_flipped_bytes_never_raise_and_show_nothing_unprintable(kind: str) -> None:
    whole = samples()[kind]
    dice = Random(7)
    for _ in range(500):
        changed = bytearray(whole)
        for _ in range(dice.choice((1, 1, 1, 3, 10))):
            changed[dice.randrange(len(whole))] = dice.randrange(256)
        found = certificate_facts(bytes(changed))
        assert found.sha256 == hashlib.sha256(changed).hexdigest()
        for item in msgspec.structs.astuple(found):
            assert not isinstance(item, str) or item.isprintable()
        assert all(item.isprintable() for item in found.names)


@few
@given(st.binary(max_size=80))
def test_random_bytes_are_known_by_their_hash(data: bytes) -> None:
    assert known_only_by_hash(certificate_facts(data), data)


@few
@given(st.lists(st.sampled_from([0x30, 0x31, 0x02, 0x06, 0xA0, 0xA3, 0x17]), max_size=40), st.binary(max_size=6))
def test_random_nests_of_der_never_raise(tags: list[int], core: bytes) -> None:
    for tag in tags:
        core = der(tag, core, core) if len(core) < 200 else der(tag, core)
    assert certificate_facts(core).error is not None


def test_deep_nest_of_der_never_raises() -> None:
    core = b""
    for _ in range(20000):
        core = der(0x30, core)
        if len(core) > 60000:
            break
    assert certificate_facts(core).error is not None
    assert certificate_facts(crafted(extensions=extension("2.5.29.17", core))).error is not None


def test_equal_certificates_are_read_once_and_large_ones_are_not_kept() -> None:
    small, large = crafted(serial=number(77)), crafted(subject=common_name(b"x" * 9000))
    assert certificate_facts(small) is certificate_facts(bytes(bytearray(small)))
    assert certificate_facts(large) == certificate_facts(large)
    assert certificate_facts(large) is not certificate_facts(large)
    assert module._remembered.cache_info().maxsize is not None
