"""Every row of the extension table: the laws of grammars, the registry matrix, and bodies written out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlswire.errors import WireError
from tlswire.registry import EXTENSIONS, GREASE
from tlswire.registry.rows import EXTENSION_MESSAGES
from tlswire.wire import extension_bodies as bodies
from tlswire.wire.extensions import (
    ROWS,
    decode_extension,
    encode_extension,
    grammar_of,
    has_body,
    trace_extension,
)
from tlswire.wire.messages import Extension

from .laws import check

ALL = [(code, message) for code, row in ROWS.items() for message in row]
FAST = settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))

# Rows some of whose strict prefixes parse, and why.
OPEN_ENDS: dict[tuple[int, str], str] = {
    (0x0015, "ch"): "padding runs to the end of the extension (RFC 7685 section 3)",
    (0x8B47, "ch"): "padding runs to the end of the extension",
    (0x001F, "ch"): "kept as sent",
    (0x001F, "sh"): "kept as sent",
    (0x001F, "hrr"): "kept as sent",
    (0x0023, "ch"): "a ticket has no length of its own (RFC 5077 section 3.2)",
    (0x4469, "ee"): "settings have no length of their own (draft-vvv-tls-alps section 4)",
    (0x44CD, "ee"): "settings have no length of their own (draft-vvv-tls-alps section 4)",
    (0x3374, "sh"): "protocol names run to the end of the extension (draft-agl-tls-nextprotoneg-04 section 3)",
    (0x0039, "ch"): "transport parameters run to the end of the extension (RFC 9000 section 18)",
    (0x0039, "ee"): "transport parameters run to the end of the extension (RFC 9000 section 18)",
    (0xFFA5, "ch"): "transport parameters run to the end of the extension (RFC 9000 section 18)",
    (0xFFA5, "ee"): "transport parameters run to the end of the extension (RFC 9000 section 18)",
}

# Answers in the ServerHello of TLS 1.2 and older, where the registry's TLS 1.3 columns have no "sh".
# Numbers the registry keeps reserved because drafts used them: 40 was key_share until draft 23 of TLS 1.3.
DRAFTS = frozenset({0x0028})
TLS12_ANSWERS: dict[int, str] = {
    0x0000: "RFC 6066 section 3: empty when the name was used",
    0x0001: "RFC 6066 section 4: the same length again",
    0x0002: "RFC 6066 section 5: empty",
    0x0003: "RFC 6066 section 6: empty",
    0x0004: "RFC 6066 section 7: empty",
    0x0005: "RFC 6066 section 8: empty, a CertificateStatus message follows",
    0x0006: "RFC 4681 section 3: the types the server knows",
    0x0007: "RFC 5878 section 3.1: the formats the server takes",
    0x0008: "RFC 5878 section 3.2: the formats the server sends",
    0x0009: "RFC 6091 section 3.2: the type selected",
    0x000B: "RFC 8422 section 5.2: the formats the server parses",
    0x000E: "RFC 5764 section 4.1.1: the profile selected",
    0x000F: "RFC 6520 section 2: the mode of the server",
    0x0010: "RFC 7301 section 3.1: the protocol selected",
    0x0011: "RFC 6961 section 2.2: empty, a CertificateStatus message follows",
    0x0012: "RFC 6962 section 3.3.1: the timestamps",
    0x0013: "RFC 7250 section 3: the type selected",
    0x0014: "RFC 7250 section 3: the type selected",
    0x0016: "RFC 7366 section 2: empty",
    0x0017: "RFC 7627 section 5.1: empty",
    0x0018: "RFC 8472 section 3: the key parameters selected",
    0x0019: "RFC 7924 section 3: the types the server will replace",
    0x001A: "draft-gutmann-tls-lts section 3.1: empty",
    0x001C: "RFC 8449 section 4: the limit of the server",
    0x0023: "RFC 5077 section 3.2: empty, a NewSessionTicket follows",
    0x0027: "RFC 8870 section 5.2.1: the cipher selected",
    0x0034: "RFC 9162 section 6.4: the items",
    0x0035: "RFC 9146 section 3, code point of its drafts: the server's connection id",
    0x0037: "RFC 8844 section 3.2: the hash of the server's identity",
    0x0038: "RFC 8844 section 4.2: the session id of the server",
    0x003B: "RFC 9102 section 2.2: the chain",
    0x3374: "draft-agl-tls-nextprotoneg-04 section 3: the server's protocols",
    0x754F: "draft-balfanz-tls-channelid section 4: empty",
    0x7550: "draft-balfanz-tls-channelid section 4: empty",
    0xFF01: "RFC 5746 section 3.2: verify data of both finished messages",
}

# Extensions of the registry whose bodies stay opaque, and why.
OPAQUE: dict[int, str] = {
    0x0024: "TLMSP (ETSI TS 103 523-2) changes the protocol itself",
    0x0025: "TLMSP (ETSI TS 103 523-2) changes the protocol itself",
    0x0026: "TLMSP (ETSI TS 103 523-2) changes the protocol itself",
    0x002E: "reserved",
    0x003C: "an expired draft for DTLS that nobody is known to send",
    0x12E0: "the body of server_padding is not written down anywhere",
    0x3377: "an experiment of 2011 whose draft changed its body",
    0x337C: "an experiment of 2011 whose draft changed its body",
    0xFF03: "an experiment of 2017 without a document",
} | dict.fromkeys(GREASE, "GREASE bodies are random by design (RFC 8701 section 3)")


def _name(row: tuple[int, str]) -> str:
    return f"{EXTENSIONS[row[0]].name}-{row[1]}"


@pytest.mark.parametrize("row", ALL, ids=_name)
@FAST
@given(data=st.data())
def test_laws(row: tuple[int, str], data: st.DataObject) -> None:
    check(grammar_of(*row), data, open_end=row in OPEN_ENDS)


@pytest.mark.parametrize("row", ALL, ids=_name)
def test_row_stands_where_the_registry_allows_it(row: tuple[int, str]) -> None:
    code, message = row
    known = EXTENSIONS[code]
    assert known.status != "unknown"
    tls12_only = not known.messages
    by_the_registry = message in known.messages or (message == "ch" and tls12_only)
    assert by_the_registry or (message == "sh" and code in TLS12_ANSWERS) or code in DRAFTS


def test_no_row_is_missing() -> None:
    """Every message the registry allows an extension in has a row, unless the extension is opaque by intent."""
    missing = [
        (EXTENSIONS[row.code].name, message)
        for row in EXTENSIONS
        for message in EXTENSION_MESSAGES
        if message in row.messages and not has_body(row.code, message) and row.code not in OPAQUE
    ]
    assert missing == []


def test_extensions_without_messages_of_tls13_have_a_row_for_the_client_hello() -> None:
    assert [row.name for row in EXTENSIONS if row.code not in OPAQUE and not has_body(row.code, "ch")] == [
        "oid_filters"
    ]


def test_tables_hold_no_stale_rows() -> None:
    assert set(OPEN_ENDS) <= set(ALL)
    assert all(has_body(code, "sh") and "sh" not in EXTENSIONS[code].messages for code in TLS12_ANSWERS)
    assert not any(code in ROWS for code in OPAQUE)
    assert all(code in ROWS and not EXTENSIONS[code].messages for code in DRAFTS)


# Bodies written out by hand from the RFCs: code, message, hex, value.
VECTORS: list[tuple[int, str, str, Any]] = [
    (0x0000, "ch", "000e 00 000b 6578616d706c652e636f6d", (bodies.ServerName(0, b"example.com"),)),
    (0x0000, "sh", "", None),
    (0x0000, "ee", "", None),
    (0x0001, "ch", "04", 4),
    (
        0x0003,
        "ch",
        "001b 00 01 0102030405060708090a0b0c0d0e0f1011121314 02 0002 3000",
        (
            bodies.TrustedAuthority(0, None),
            bodies.TrustedAuthority(1, bytes(range(1, 21))),
            bodies.TrustedAuthority(2, b"\x30\x00"),
        ),
    ),
    (0x0005, "ch", "01 0000 0000", bodies.StatusRequest(1, bodies.OcspRequest((), b""))),
    (0x0005, "ch", "07 abcd", bodies.StatusRequest(7, b"\xab\xcd")),
    (0x0005, "cr", "", None),
    (0x000A, "ch", "0004 001d 0017", (0x001D, 0x0017)),
    (0x000B, "sh", "01 00", (0,)),
    (0x000D, "ch", "0004 0403 0804", (0x0403, 0x0804)),
    (0x000E, "ch", "0004 0001 0002 00", bodies.UseSrtp((1, 2), b"")),
    (0x0010, "ch", "000c 02 6832 08 687474702f312e31", (b"h2", b"http/1.1")),
    (0x0010, "sh", "0003 02 6832", (b"h2",)),
    (
        0x0011,
        "ch",
        "0007 02 0004 0000 0000",
        (bodies.StatusRequest(2, bodies.OcspRequest((), b"")),),
    ),
    (0x0012, "sh", "0005 0003 aabbcc", (b"\xaa\xbb\xcc",)),
    (0x0013, "ch", "02 02 00", (2, 0)),
    (0x0013, "ee", "02", 2),
    (0x0019, "sh", "0002 01 02", (1, 2)),
    (0x001B, "ch", "04 0002 0001", (2, 1)),
    (0x001C, "ee", "4001", 0x4001),
    (0x0020, "ch", "0004 0002 abcd", (b"\xab\xcd",)),
    (0x0020, "ee", "00 0000 00093a80", bodies.PinningProof((), (), 604800)),
    (
        0x0029,
        "ch",
        "0009 0003 616263 00000007 0021 20" + "55" * 32,
        bodies.OfferedPsks((bodies.PskIdentity(b"abc", 7),), (b"\x55" * 32,)),
    ),
    (0x0029, "sh", "0000", 0),
    (0x002A, "nst", "00004000", 16384),
    (0x002B, "ch", "04 0304 0303", (0x0304, 0x0303)),
    (0x002B, "hrr", "0304", 0x0304),
    (0x002C, "hrr", "0002 abcd", b"\xab\xcd"),
    (0x002D, "ch", "01 01", (1,)),
    (0x0030, "cr", "0007 03 551d25 0001 30", (bodies.OidFilter(b"\x55\x1d\x25", b"0"),)),
    (0x0033, "ch", "0007 001d 0003 aabbcc", (bodies.KeyShareEntry(0x001D, b"\xaa\xbb\xcc"),)),
    (0x0033, "sh", "001d 0001 aa", bodies.KeyShareEntry(0x001D, b"\xaa")),
    (0x0033, "hrr", "0017", 0x0017),
    (
        0x0039,
        "ch",
        "01 04 80007530 0f 00 4020 02 abcd",
        (
            bodies.QuicParameter(1, bytes.fromhex("80007530")),
            bodies.QuicParameter(15, b""),
            bodies.QuicParameter(32, b"\xab\xcd", id_size=2),
        ),
    ),
    (0x003A, "ch", "0201", bodies.TicketRequest(2, 1)),
    (0x003B, "ch", "01bb", 443),
    (0x3374, "sh", "02 6832 08 687474702f312e31", (b"h2", b"http/1.1")),
    (0x44CD, "ch", "0003 02 6832", (b"h2",)),
    (0xFD00, "ch", "04 000a 0033", (10, 51)),
    (0xFE0D, "ch", "01", bodies.EchClientHello(1, None)),
    (
        0xFE0D,
        "ch",
        "00 0001 0003 2a 0002 abcd 0001 ff",
        bodies.EchClientHello(0, bodies.EchOuter(bodies.HpkeSuite(1, 3), 42, b"\xab\xcd", b"\xff")),
    ),
    (0xFE0D, "hrr", "0102030405060708", bytes(range(1, 9))),
    (0xFE0D, "ee", "0006 fafa 0002 abcd", (bodies.EchConfig(0xFAFA, b"\xab\xcd"),)),
    (
        0xFE0D,
        "ee",
        "001c fe0d 0018 07 0020 0002 abcd 0004 0001 0001 20 03 612e62 0004 0001 0000",
        (
            bodies.EchConfig(
                0xFE0D,
                bodies.EchConfigContents(
                    7,
                    0x20,
                    b"\xab\xcd",
                    (bodies.HpkeSuite(1, 1),),
                    32,
                    b"a.b",
                    (Extension(1, b""),),
                ),
            ),
        ),
    ),
    (0xFF01, "ch", "00", b""),
    (0x1234, "ch", "abcd", b"\xab\xcd"),
    (0x2A2A, "ch", "00", b"\0"),
]


@pytest.mark.parametrize(("code", "message", "text", "value"), VECTORS)
def test_vector(code: int, message: str, text: str, value: Any) -> None:
    data = bytes.fromhex(text)
    assert decode_extension(code, data, message) == value
    assert encode_extension(code, value, message) == data


# Bodies that must not parse: code, message, hex, path of the error.
BROKEN = [
    (0x0000, "ch", "000e 00 000b 6578616d706c652e636f", "server_name"),
    (0x0000, "ch", "0000", "server_name"),
    (0x0000, "ch", "0004 00 0005 61", "server_name[0].name"),
    (0x000A, "ch", "0003 001d 00", "supported_groups"),
    (0x000A, "ch", "0000", "supported_groups"),
    (0x0010, "ch", "0003 02 6832 00", "application_layer_protocol_negotiation"),
    (0x0010, "ch", "0004 02 6832 00", "application_layer_protocol_negotiation[1]"),
    (0x0017, "ch", "00", "extended_master_secret"),
    (0x0029, "ch", "0009 0003 616263 00000007 0020 1f" + "55" * 31, "pre_shared_key.binders"),
    (0x0033, "ch", "0004 001d 0000", "key_share[0].key_exchange"),
    (0x0038, "ch", "13" + "00" * 19, "external_session_id"),
    (0x0039, "ch", "01 05 aa", "quic_transport_parameters[0].value"),
    (0xFE0D, "hrr", "01020304050607", "encrypted_client_hello"),
]


@pytest.mark.parametrize(("code", "message", "text", "path"), BROKEN)
def test_broken_body_names_path_and_offset(code: int, message: str, text: str, path: str) -> None:
    data = bytes.fromhex(text)
    with pytest.raises(WireError) as caught:
        decode_extension(code, data, message)
    assert caught.value.path.replace(".[", "[") == path
    assert caught.value.offset is not None
    node = trace_extension(code, data, message, 100)
    assert node.name == "body"
    assert node.start == 100
    assert node.error or any(child.error for child in node.children)


@pytest.mark.parametrize(
    ("code", "value"),
    [(10, (0x10000,)), (10, 5), (16, ("h2",)), (0, (b"name",)), (23, b""), (39, (-1,)), (57, (1,)), (44, b"")],
)
def test_value_that_does_not_fit_is_refused(code: int, value: Any) -> None:
    with pytest.raises(WireError):
        encode_extension(code, value)


@pytest.mark.parametrize(
    ("value", "size", "text"),
    [
        (37, 0, "25"),
        (37, 2, "4025"),
        (15293, 0, "7bbd"),
        (494878333, 0, "9d7f3e7d"),
        (151288809941952652, 0, "c2197c5eff14e88c"),
    ],
)
def test_varint_of_rfc9000_appendix_a1(value: int, size: int, text: str) -> None:
    assert bodies.varint(value, size).hex() == text


@pytest.mark.parametrize(("value", "size"), [(1 << 62, 0), (-1, 0), (64, 1), (1, 3)])
def test_varint_out_of_range(value: int, size: int) -> None:
    with pytest.raises(WireError):
        bodies.varint(value, size)


def test_long_bodies_decode_too() -> None:
    data = encode_extension(51, (bodies.KeyShareEntry(4588, bytes(1216)),))
    assert len(data) > 1216
    assert decode_extension(51, data, "ch") == (bodies.KeyShareEntry(4588, bytes(1216)),)
