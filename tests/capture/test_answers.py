"""What servers say in clear besides their hello: each shape of each message, laid out by hand as its RFC does."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.made import common_name, crafted, number
from tlswire.capture import answers
from tlswire.capture.sessions import MAX_CERTIFICATES, SessionBuilder
from tlswire.certificates.facts import certificate_facts
from tlswire.errors import WireError
from tlswire.registry import GROUPS, SCHEMES, SUITES
from tlswire.results.session import CertificateRequest, KeyExchange
from tlswire.wire.handshake import SERVER_HELLO_BODY
from tlswire.wire.messages import Extension, ServerHello
from tlswire.wire.primitives import build
from tlswire.wire.records import HANDSHAKE, Message

if TYPE_CHECKING:
    from collections.abc import Callable

few = settings(max_examples=150, deadline=None, database=None, derandomize=True)
VERSIONS = (0x0300, 0x0301, 0x0302, 0x0303)
POINT = b"\x04" + bytes(64)


def opaque8(data: bytes) -> bytes:
    return struct.pack(">B", len(data)) + data


def opaque16(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def opaque24(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data


def signed(version: int, scheme: int = 0x0804) -> bytes:
    """digitally-signed: with a scheme in TLS 1.2 alone (RFC 5246 section 4.7)."""
    return (struct.pack(">H", scheme) if version == 0x0303 else b"") + opaque16(b"\x5a" * 64)


def named(group: int, point: bytes = POINT) -> bytes:
    return struct.pack(">BH", 3, group) + opaque8(point)


def explicit_prime() -> bytes:
    fields = (b"\xff" * 32, b"\1" * 32, b"\2" * 32, POINT, b"\3" * 32, b"\1")  # p, a, b, base, order, cofactor
    return b"\1" + b"".join(map(opaque8, fields)) + opaque8(POINT)


def dhe(bits: int) -> bytes:
    prime = (1 << (bits - 1) | 1).to_bytes((bits + 7) // 8, "big")
    return opaque16(prime) + opaque16(b"\2") + opaque16(b"\3" * len(prime))


def suite(label: str) -> int:
    return next(row.code for row in SUITES if row.name == label)


ECDHE, DHE = suite("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"), suite("TLS_DHE_RSA_WITH_AES_128_CBC_SHA")
HINT = opaque16(b"who are you")
SRP = opaque16(b"\xff" * 128) + opaque16(b"\2") + opaque8(b"salt") + opaque16(b"\4" * 128)
EXPORT = opaque16(b"\xff" * 64) + opaque16(b"\1\0\1")

# The params of a ServerKeyExchange, the suite, whether it is signed, its group and the bits of its prime.
SHAPES: dict[str, tuple[bytes, str, bool, int | None, int | None]] = {
    "named curve": (named(0x0017), "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", True, 0x0017, None),
    "x25519": (named(0x001D, bytes(32)), "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", True, 0x001D, None),
    "explicit curve": (explicit_prime(), "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", True, None, None),
    "anonymous curve": (named(0x0018), "TLS_ECDH_anon_WITH_AES_128_CBC_SHA", False, 0x0018, None),
    "unknown curve": (named(0xABCD), "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", True, 0xABCD, None),
    "DHE": (dhe(2048), "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", True, None, 2048),
    "weak DHE": (dhe(511), "TLS_DHE_DSS_WITH_AES_128_CBC_SHA", True, None, 511),
    "export DHE": (dhe(512), "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA", True, None, 512),
    "anonymous DH": (dhe(1024), "TLS_DH_anon_WITH_AES_128_CBC_SHA", False, None, 1024),
    "PSK": (HINT, "TLS_PSK_WITH_AES_128_CBC_SHA", False, None, None),
    "PSK without a hint": (opaque16(b""), "TLS_PSK_WITH_AES_128_CBC_SHA", False, None, None),
    "RSA_PSK": (HINT, "TLS_RSA_PSK_WITH_AES_128_CBC_SHA", False, None, None),
    "DHE_PSK": (HINT + dhe(3072), "TLS_DHE_PSK_WITH_AES_128_CBC_SHA", False, None, 3072),
    "ECDHE_PSK": (HINT + named(0x0019), "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA", False, 0x0019, None),
    "SRP": (SRP, "TLS_SRP_SHA_WITH_AES_128_CBC_SHA", False, None, None),
    "SRP_RSA": (SRP, "TLS_SRP_SHA_RSA_WITH_AES_128_CBC_SHA", True, None, None),
    "SRP_DSS": (SRP, "TLS_SRP_SHA_DSS_WITH_AES_128_CBC_SHA", True, None, None),
    "RSA export": (EXPORT, "TLS_RSA_EXPORT_WITH_RC4_40_MD5", True, None, None),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_key_exchange_of_each_shape_and_version(shape: str, version: int) -> None:
    params, label, is_signed, group, bits = SHAPES[shape]
    body = params + (signed(version, 0x0804) if is_signed else b"")
    found = answers.key_exchange(9, suite(label), version, body)
    has_scheme = is_signed and version == 0x0303
    assert found == KeyExchange(
        frame=9,
        group=None if group is None else f"0x{group:04X}",
        group_name=None if group is None else GROUPS[group].name,
        bits=bits,
        signature_scheme="0x0804" if has_scheme else None,
        signature_scheme_name="rsa_pss_rsae_sha256" if has_scheme else None,
    )


@pytest.mark.parametrize("version", [0x0301, 0x0303])
@pytest.mark.parametrize("shape", SHAPES)
def test_strict_prefixes_of_a_key_exchange_and_one_byte_more_fail_cleanly(shape: str, version: int) -> None:
    params, label, is_signed, _, _ = SHAPES[shape]
    body = params + (signed(version) if is_signed else b"")
    for wrong in (*(body[:size] for size in range(len(body))), body + b"\0"):
        with pytest.raises(WireError) as caught:
            answers.key_exchange(1, suite(label), version, wrong)
        assert caught.value.path.startswith("server_key_exchange")
        assert caught.value.offset is not None
        assert 0 <= caught.value.offset <= len(wrong)


@pytest.mark.parametrize("scheme", [0x0401, 0x0403, 0x0201, 0x0203, 0x0804, 0x0807, 0x0101, 0xFEFE])
def test_signature_schemes_of_tls_12_have_their_names(scheme: int) -> None:
    found = answers.key_exchange(1, ECDHE, 0x0303, named(0x001D) + signed(0x0303, scheme))
    assert found.signature_scheme == f"0x{scheme:04X}"
    assert found.signature_scheme_name == SCHEMES[scheme].name


def test_characteristic_two_curves_are_not_read() -> None:
    # RFC 8422 section 5.4 has neither of the explicit forms any more; that of prime fields is all that is read.
    with pytest.raises(WireError):
        answers.key_exchange(1, ECDHE, 0x0303, b"\2" + bytes(60) + signed(0x0303))


@pytest.mark.parametrize("label", ["TLS_AES_128_GCM_SHA256", "TLS_KRB5_WITH_DES_CBC_SHA", "TLS_NULL_WITH_NULL_NULL"])
def test_suite_without_such_a_message_fails_cleanly(label: str) -> None:
    with pytest.raises(WireError):
        answers.key_exchange(1, suite(label), 0x0303, named(0x001D) + signed(0x0303))


def test_large_key_exchange_is_read_as_a_small_one_is() -> None:
    found = answers.key_exchange(1, DHE, 0x0303, dhe(32768) + signed(0x0303))
    assert found.bits == 32768


NAME = common_name(b"authority")
TYPES = opaque8(bytes([1, 2, 64]))
SCHEME_LIST = opaque16(struct.pack(">3H", 0x0403, 0x0804, 0xFEFE))
NAMES = opaque16(opaque16(NAME) + opaque16(common_name(b"\x1b[31m")))


def test_certificate_request_of_tls_12_lists_schemes() -> None:
    found = answers.certificate_request(4, 0x0303, TYPES + SCHEME_LIST + NAMES)
    assert found == CertificateRequest(4, [1, 2, 64], ["0x0403", "0x0804", "0xFEFE"], 2)
    assert answers.certificate_request(4, 0, TYPES + SCHEME_LIST + opaque16(b"")).authorities == 0


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302])
def test_certificate_request_of_older_versions_has_none(version: int) -> None:
    assert answers.certificate_request(4, version, TYPES + NAMES) == CertificateRequest(4, [1, 2, 64], [], 2)


@pytest.mark.parametrize("version", [0x0301, 0x0303])
def test_strict_prefixes_of_a_certificate_request_fail_cleanly(version: int) -> None:
    body = TYPES + (SCHEME_LIST if version == 0x0303 else b"") + NAMES
    for wrong in (*(body[:size] for size in range(len(body))), body + b"\0"):
        with pytest.raises(WireError) as caught:
            answers.certificate_request(4, version, wrong)
        assert caught.value.path.startswith("certificate_request")


@pytest.mark.parametrize("version", [0x0304, 0x7F1C])
def test_certificate_request_in_clear_is_never_one_of_tls_13(version: int) -> None:
    # RFC 9846 section 4.4.2: context and extensions; in clear nobody sends it.
    with pytest.raises(WireError):
        answers.certificate_request(4, version, opaque8(b"") + opaque16(b"\0\x0d\0\4\0\2\4\3"))
    assert answers.certificate_request(4, version, TYPES + SCHEME_LIST + NAMES).types == [1, 2, 64]


def test_chain_is_leaf_first_and_keeps_what_cannot_be_read() -> None:
    leaf, root = crafted(serial=number(1)), crafted(serial=number(2))
    found = answers.chain(opaque24(opaque24(leaf) + opaque24(b"not a certificate") + opaque24(root))).certificates
    assert [item.serial for item in found] == ["1", None, "2"]
    assert [item.length for item in found] == [len(leaf), 17, len(root)]
    assert found[1].error is not None
    assert answers.chain(opaque24(b"")).certificates == ()


def test_strict_prefixes_of_a_chain_fail_cleanly() -> None:
    body = opaque24(opaque24(crafted()) + opaque24(b"second"))
    for wrong in (*(body[:size] for size in range(len(body))), body + b"\0", opaque24(opaque24(b""))):
        with pytest.raises(WireError):
            answers.chain(wrong)


def test_long_chain_is_read_and_not_kept() -> None:
    body = opaque24(b"".join(opaque24(crafted(serial=number(index))) for index in range(1, 100)))
    assert [item.serial for item in answers.chain(body).certificates] == [f"{index:X}" for index in range(1, 100)]
    assert answers.chain(body) is not answers.chain(body)
    short = opaque24(opaque24(crafted()))
    assert answers.chain(short) is answers.chain(short)


def test_certificate_as_a_result_has_all_its_facts() -> None:
    facts = certificate_facts(crafted())
    found = answers.certificate(3, "client", facts)
    assert (found.frame, found.sender) == (3, "client")
    for field in facts.__struct_fields__:
        assert getattr(found, field) == getattr(facts, field)


RC4, DES3 = b"\x01\x00\x80", b"\x07\x00\xc0"


def sslv2_hello(certificate: bytes, kinds: bytes, *, hit: int = 0, kind: int = 1) -> bytes:
    """SERVER-HELLO of the SSL 0.2 draft, section 2.6, behind its message type."""
    return struct.pack(">BBHHHH", hit, kind, 0x0002, len(certificate), len(kinds), 16) + certificate + kinds + bytes(16)


def test_sslv2_server_hello_with_its_certificate() -> None:
    hello, chain = answers.sslv2_server(6, sslv2_hello(crafted(), RC4 + DES3))
    assert hello is not None
    assert (hello.frame, hello.kind, hello.version, hello.version_name) == (6, "hello", "0x0002", "SSLv2")
    assert (hello.suite, hello.suite_name) == ("0x010080", "SSL_CK_RC4_128_WITH_MD5")
    assert (hello.extensions, hello.ja3s, hello.group) == ([], None, None)
    assert [item.subject for item in chain.certificates] == ["CN=subject"]


def test_sslv2_session_that_is_taken_up_has_neither_kinds_nor_certificate() -> None:
    hello, chain = answers.sslv2_server(6, sslv2_hello(b"", b"", hit=1, kind=0))
    assert hello is None
    assert chain.certificates == ()


def test_sslv2_certificate_that_is_none_is_a_fact() -> None:
    _, chain = answers.sslv2_server(6, sslv2_hello(b"nonsense", RC4, kind=9))
    (found,) = chain.certificates
    assert found.subject is None
    assert found.error is not None


def test_strict_prefixes_of_an_sslv2_server_hello_fail_cleanly() -> None:
    body = sslv2_hello(b"certificate", RC4 + DES3)
    for wrong in (*(body[:size] for size in range(len(body))), body + b"\0", sslv2_hello(b"", RC4 + b"\1")):
        with pytest.raises(WireError):
            answers.sslv2_server(6, wrong)


READERS: dict[str, Callable[[bytes], object]] = {
    "key exchange": lambda body: answers.key_exchange(1, ECDHE, 0x0303, body),
    "key exchange of TLS 1.0": lambda body: answers.key_exchange(1, DHE, 0x0301, body),
    "certificate request": lambda body: answers.certificate_request(1, 0x0303, body),
    "certificate request of TLS 1.1": lambda body: answers.certificate_request(1, 0x0302, body),
    "chain": answers.chain,
    "SSLv2": lambda body: answers.sslv2_server(1, body),
}


@pytest.mark.parametrize("reader", READERS)
@few
@given(body=st.binary(max_size=60))
def test_random_bytes_are_read_or_raise_only_wire_errors(reader: str, body: bytes) -> None:
    # Whatever else is raised fails the test.
    with suppress(WireError):
        READERS[reader](body)


# As the builder of a session asks for them.


def handshake(kind: int, body: bytes, version: int = 0x0303) -> Message:
    return Message(HANDSHAKE, version, kind, body, 0)


def answered(version: int, code: int, *extensions: Extension) -> SessionBuilder:
    builder = SessionBuilder("tcp")
    hello = ServerHello(version, b"S" * 32, b"", code, 0, extensions or None)
    builder.message(1, handshake(2, build(SERVER_HELLO_BODY, hello)), 1)
    return builder


@pytest.mark.parametrize(
    ("version", "scheme"), [(0x0302, None), (0x0303, "0x0403"), (0xFEFF, None), (0xFEFD, "0x0403")]
)
def test_version_of_the_server_hello_tells_how_its_key_is_signed(version: int, scheme: str | None) -> None:
    builder = answered(version, ECDHE)
    builder.message(1, handshake(12, named(0x001D) + signed(0x0303 if scheme else 0x0301, 0x0403)), 2)
    assert builder.notes == []
    assert builder.key_exchange is not None
    assert (builder.key_exchange.group, builder.key_exchange.signature_scheme) == ("0x001D", scheme)


def test_key_exchange_without_a_hello_says_nothing() -> None:
    builder = SessionBuilder("tcp")
    builder.message(1, handshake(12, named(0x001D)), 2)
    assert builder.key_exchange is None


@pytest.mark.parametrize("kind", [11, 12, 13])
def test_broken_answers_are_notes_whatever_version_was_selected(kind: int) -> None:
    for extensions in ((), (Extension(43, b"\3\4"),), (Extension(43, b"\x7f\x1c"),)):
        builder = answered(0x0303, ECDHE, *extensions)
        for body in (b"", b"\xff" * 9, opaque8(b"") + opaque16(b"\0\x0d\0\4\0\2\4\3")):
            builder.message(1, handshake(kind, body), 2)
        assert builder.notes
        assert all(note.startswith("frame 2, server: ") and note.isprintable() for note in builder.notes)


def test_certificates_of_a_session_are_bounded() -> None:
    builder = answered(0x0303, ECDHE)
    builder.message(1, handshake(11, opaque24(opaque24(b"x") * (MAX_CERTIFICATES + 1))), 2)
    assert len(builder.certificates) == MAX_CERTIFICATES
    assert builder.notes == [f"more than {MAX_CERTIFICATES} certificates"]
