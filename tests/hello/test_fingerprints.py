"""JA3, JA3S and JA4: published answers, the edges of their rules, and bytes that no client should send."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.hello.fingerprints import ja3, ja3_text, ja3_text_of, ja3s, ja3s_text, ja4, ja4_of, md5, remembered
from tlswire.registry import GREASE
from tlswire.wire.extension_bodies import ServerName
from tlswire.wire.extensions import encode_extension
from tlswire.wire.messages import ClientHello, Extension, ServerHello

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

EXPECTED = Path(__file__).parents[3] / "shared" / "expected"
RANDOM = bytes(32)
CHROME_SUITES = (
    *(0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014),
    *(0x009C, 0x009D, 0x002F, 0x0035),
)
CHROME_SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
CHROME_TYPES = (0x1B, 0, 0x33, 0x10, 0x4469, 0x17, 0x2D, 0x0D, 5, 0x23, 0x12, 0x2B, 0xFF01, 0x0B, 0x0A, 0x15)
CHROME_R = (
    "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9"
    "_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01"
    "_0403,0804,0401,0503,0805,0501,0806,0601"
)
# Chrome 152: one type more and ML-DSA before the old schemes.
CHROME_152_TYPES = (0, 5, 10, 11, 13, 0x10, 0x12, 0x17, 0x1B, 0x23, 0x2B, 0x2D, 0x33, 0x44CD, 0xCA34, 0xFE0D, 0xFF01)
CHROME_152_SCHEMES = (0x0904, 0x0905, 0x0906, *CHROME_SCHEMES)


def hello(suites: tuple[int, ...], types: tuple[int, ...] = (), legacy: int = 0x0303, **bodies: Any) -> ClientHello:
    """Extensions ``types`` in order; ``e16=value`` gives one its body, bytes as they are, the others are empty."""
    values = {int(name[1:]): value for name, value in bodies.items()}
    encoded = {
        code: value if isinstance(value, bytes) else encode_extension(code, value, "ch")
        for code, value in values.items()
    }
    extensions = tuple(Extension(code, encoded.get(code, b"")) for code in types)
    return ClientHello(legacy, RANDOM, b"", suites, (0,), extensions or None)


def greased(codes: tuple[int, ...], value: int) -> tuple[int, ...]:
    return value, *codes, value


def test_ja4_of_the_specification() -> None:
    # FoxIO-LLC/ja4, technical_details/JA4.md: its worked example.
    value = ja4(
        hello(CHROME_SUITES, CHROME_TYPES, e43=(0x0304, 0x0303), e13=CHROME_SCHEMES, e16=(b"h2", b"http/1.1")), "t"
    )
    assert value.ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert value.r == CHROME_R
    assert value.o == "t13d1516h2_acb858a92679_18f69afefd3d"
    assert value.ro == (
        "t13d1516h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
        "_001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"
        "_0403,0804,0401,0503,0805,0501,0806,0601"
    )


def test_without_schemes_the_list_of_extensions_ends_without_an_underscore() -> None:
    # JA4.md, "Extension hash": the same extensions in a hello that says nothing of signatures.
    value = ja4(hello(CHROME_SUITES, CHROME_TYPES), "t")
    assert value.ja4.endswith("_6d807ffa2a79")
    assert value.r.endswith("4469,ff01")


@pytest.mark.parametrize("schemes", [(0x0A0A,), (0xFAFA, 0x0A0A)])
def test_schemes_that_are_all_grease_are_none(schemes: tuple[int, ...]) -> None:
    assert ja4(hello((0x1301,), (13, 10), e13=schemes), "t") == ja4(hello((0x1301,), (13, 10)), "t")


def test_signature_algorithms_cert_is_not_counted_among_the_schemes() -> None:
    value = ja4(hello((0x1301,), (50, 13), e13=(0x0403,), e50=(0x0804,)), "t")
    assert value.r == "t12i010200_1301_000d,0032_0403"


@pytest.mark.parametrize("letter", "tqd")
def test_only_the_first_letter_tells_the_transport(letter: str) -> None:
    value = ja4(hello(CHROME_SUITES, CHROME_TYPES, e43=(0x0304,)), letter)
    assert value.ja4[0] == value.r[0] == value.o[0] == value.ro[0] == letter
    assert value.ja4[1:] == ja4(hello(CHROME_SUITES, CHROME_TYPES, e43=(0x0304,)), "t").ja4[1:]


@pytest.mark.parametrize("grease", GREASE)
def test_ja4_of_chrome_152_with_grease_everywhere(grease: int) -> None:
    value = ja4(
        hello(
            greased(CHROME_SUITES, grease),
            greased(CHROME_152_TYPES, grease),
            e43=(grease, 0x0304, 0x0303),
            e13=greased(CHROME_152_SCHEMES, grease),
            e16=(b"h2", b"http/1.1"),
        ),
        "t",
    )
    assert value.ja4 == "t13d1517h2_8daaf6152771_cb7bf5808d99"


def test_raw_forms_and_forms_in_the_order_sent_belong_together() -> None:
    value = ja4(hello((0xC02F, 0x1301), (16, 0, 13, 43), e43=(0x0304,), e13=(0x0804, 0x0403), e16=(b"h2",)), "q")
    assert value.r == "q13d0204h2_1301,c02f_000d,002b_0804,0403"
    assert value.ro == "q13d0204h2_c02f,1301_0010,0000,000d,002b_0804,0403"

    def hashed(raw: str) -> str:
        head, ciphers, types = raw.split("_", 2)
        return "_".join([head, *(hashlib.sha256(part.encode()).hexdigest()[:12] for part in (ciphers, types))])

    assert value.ja4 == hashed(value.r)
    assert value.o == hashed(value.ro)


@pytest.mark.parametrize(
    ("legacy", "offered", "mark"),
    [
        (0x0303, (0x0304, 0x0303), "13"),
        (0x0303, (0x0302, 0x0303), "12"),
        (0x0302, (), "11"),
        (0x0301, (), "10"),
        (0x0300, (), "s3"),
        (0x0002, (), "s2"),
        (0x0303, (0x0A0A,), "12"),
        (0x0303, (0xFAFA, 0x0304), "13"),
        (0x0303, (0x0304, 0x7F1C), "00"),  # a draft is higher than what it became; tshark says so too
        (0x1234, (), "00"),
        (0xFEFF, (), "d1"),
        (0xFEFD, (), "d2"),
        (0xFEFD, (0xFEFD, 0xFEFC), "d3"),
        (0xFEFD, (0xDADA, 0xFEFC, 0xFEFD), "d3"),
        (0xFEFF, (0x2A2A,), "d1"),
    ],
)
def test_version_mark(legacy: int, offered: tuple[int, ...], mark: str) -> None:
    value = hello((0x1301,), (43,), legacy, e43=offered) if offered else hello((0x1301,), (), legacy)
    assert ja4(value, "t").ja4[1:3] == mark


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        (b"h2", "h2"),
        (b"http/1.1", "h1"),
        (b"h3-29", "h9"),
        (b"a", "aa"),
        (b"\xab", "ab"),
        (b" ", "20"),
        (b"\xab\xcd", "ad"),
        (b"01\xab\xcd", "3d"),
        (b"\xabz", "aa"),
        (b"0\xab", "3b"),
        (b"0\xab\xcd1", "01"),
        (b"Z9", "Z9"),
        (b"\x00", "00"),
        (b"a\x1b", "6b"),
        ("\u00e9\u00e9".encode(), "c9"),  # a letter, not an ASCII one
        (b"\x1a\x1a", "1a"),  # GREASE of RFC 8701 section 2: no implementation passes over it
    ],
)
def test_alpn_mark(name: bytes, mark: str) -> None:
    assert ja4(hello((0x1301,), (16,), e16=(name, b"h2")), "t").ja4[8:10] == mark


def test_supported_versions_that_do_not_parse_leave_the_legacy_version() -> None:
    assert ja4(hello((0x1301,), (43,), 0x0302, e43=b"\x03\x03\x04"), "t").ja4[1:3] == "11"


def test_no_alpn_or_one_that_does_not_parse() -> None:
    assert ja4(hello((0x1301,)), "t").ja4[8:10] == "00"
    assert ja4(hello((0x1301,), (16,), e16=b"\x00\x09\x02h"), "t").ja4[8:10] == "00"


def test_server_name_counts_even_when_it_does_not_parse() -> None:
    assert ja4(hello((0x1301,), (0,), e0=b"\xff"), "t").ja4[3] == "d"
    assert ja4(hello((0x1301,), (0,), e0=(ServerName(0, b"a.example"),)), "t").ja4[3] == "d"
    assert ja4(hello((0x1301,), (1,)), "t").ja4[3] == "i"


def test_empty_lists_hash_to_zeros() -> None:
    nothing = ja4(hello((), legacy=0x0301), "t")
    assert (nothing.ja4, nothing.r) == ("t10i000000_000000000000_000000000000", "t10i000000__")
    assert ja4(hello((0x1301,), (0, 16), e16=(b"h2",)), "t").ja4.endswith("_000000000000")


def test_signalling_suites_count_and_counts_stop_at_99() -> None:
    assert ja4(hello((0x00FF, 0x5600)), "t").r == "t12i020000_00ff,5600_"
    many = ja4(hello(tuple(range(300)), tuple(range(100, 250))), "t")
    assert many.ja4.startswith("t12i999900_")
    assert len(many.ro.split("_")[1].split(",")) == 300


def test_a_shuffled_hello_keeps_its_ja4_but_not_its_order() -> None:
    bodies: dict[str, Any] = {"e43": (0x0304,), "e13": CHROME_SCHEMES, "e16": (b"h2",)}
    one = ja4(hello(CHROME_SUITES, CHROME_TYPES, **bodies), "t")
    other = ja4(hello(CHROME_SUITES, CHROME_TYPES[::-1], **bodies), "t")
    assert (one.ja4, one.r) == (other.ja4, other.r)
    assert one.o != other.o


@pytest.mark.parametrize(
    ("text", "digest", "value"),
    [
        # salesforce/ja3, README.
        (
            "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0",
            "ada70206e40642a3e4461f35503241d5",
            hello(
                (47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4),
                (0, 10, 11),
                0x0301,
                e10=(23, 24, 25),
                e11=(0,),
            ),
        ),
        (
            "769,4-5-10-9-100-98-3-6-19-18-99,,,",
            "de350869b8c85de67a350c8d186f11e6",
            hello((4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99), (), 0x0301),
        ),
    ],
)
def test_ja3_of_its_authors(text: str, digest: str, value: ClientHello) -> None:
    assert ja3_text(value) == text
    assert ja3(value) == digest


def test_ja3_leaves_grease_out_and_padding_in() -> None:
    value = hello((0x0A0A, 0x1301), (0xFAFA, 10, 21, 11), e10=(0x2A2A, 29), e11=(0, 1, 2))
    assert ja3_text(value) == "771,4865,10-21-11,29,0-1-2"


def test_ja3s_keeps_everything_in_the_order_sent() -> None:
    types = (65281, 0, 11, 35, 5, 16)
    value = ServerHello(0x0301, RANDOM, b"", 47, 0, tuple(Extension(code, b"") for code in types))
    assert ja3s_text(value) == "769,47,65281-0-11-35-5-16"
    # The README of salesforce/ja3 gives another hash for this text: that of the text with a line feed behind it.
    assert md5(ja3s_text(value) + "\n") == "4835b19f14997673071435cb321f5445"
    assert ja3s(value) == "836ce314215654b5b1f85f97c73e506f"
    assert ja3s_text(ServerHello(0x0303, RANDOM, b"", 0x1301, 0, (Extension(0x0A0A, b""),))) == "771,4865,2570"
    assert ja3s_text(ServerHello(0x0303, RANDOM, b"", 0x1301, 0)) == "771,4865,"


CODES = st.lists(st.one_of(st.sampled_from(GREASE), st.integers(0, 0xFFFF)), max_size=300).map(tuple)
EXTENSIONS = st.lists(
    st.builds(Extension, st.one_of(st.sampled_from((0, 10, 11, 13, 16, 43)), st.integers(0, 0xFFFF)), st.binary())
)


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(
    legacy=st.integers(0, 0xFFFF),
    suites=CODES,
    extensions=EXTENSIONS.map(tuple),
    transport=st.sampled_from("tqd"),
    random=st.randoms(use_true_random=False),
)
def test_any_lists_have_fingerprints_of_the_right_form(
    legacy: int, suites: tuple[int, ...], extensions: tuple[Extension, ...], transport: str, random: Random
) -> None:
    value = ClientHello(legacy, RANDOM, b"", suites, (0,), extensions)
    marks = ja4(value, transport)
    head, ciphers, types = marks.ja4.split("_")
    assert len(head) == 10
    assert head[0] == transport
    assert head.isalnum()
    assert {len(ciphers), len(types)} == {12}
    assert ja3_text(value).count(",") == 4
    assert len(ja3(value)) == 32
    shuffled = list(suites)
    random.shuffle(shuffled)
    again = ja4(ClientHello(legacy, RANDOM, b"", tuple(shuffled), (0,), extensions), transport)
    assert again.ja4 == marks.ja4
    assert ja3_text(value).isascii()


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(suites=CODES, types=CODES, schemes=CODES, versions=CODES, at=st.integers(0, 300), grease=st.sampled_from(GREASE))
def test_one_grease_more_changes_nothing(
    suites: tuple[int, ...],
    types: tuple[int, ...],
    schemes: tuple[int, ...],
    versions: tuple[int, ...],
    at: int,
    grease: int,
) -> None:
    def more(codes: tuple[int, ...]) -> tuple[int, ...]:
        return (*codes[:at], grease, *codes[at:])

    plain = ja4_of("t", 0x0303, versions, suites, types, schemes, ())
    assert ja4_of("t", 0x0303, more(versions), more(suites), more(types), more(schemes), ()) == plain
    assert ja3_text_of(771, more(suites), more(types), more(schemes), (0,)) == ja3_text_of(
        771, suites, types, schemes, (0,)
    )


def test_long_lists_are_not_remembered() -> None:
    calls = []

    @remembered
    def count(codes: tuple[int, ...]) -> int:
        calls.append(codes)
        return len(codes)

    short, long = tuple(range(200)), tuple(range(201))
    assert [count(short), count(short), count(long), count(long)] == [200, 200, 201, 201]
    assert calls == [short, long, long]


# Our list -> tshark's field (behind "tls.handshake.") and the base of its numbers.
LISTS = {
    "suites": ("ciphersuite", 16),
    "types": ("extension.type", 10),
    "groups": ("extensions_supported_group", 16),
    "formats": ("extensions_ec_point_format", 10),
    "versions": ("extensions.supported_version", 16),
    "schemes": ("sig_hash_alg", 16),
}


def rows_of_one_hello() -> Iterator[tuple[str, dict[str, str]]]:
    """tshark's fields of the frames with one readable ClientHello; of DTLS it has too few of them."""
    for path in sorted(EXPECTED.glob("*.json")):
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
            if row.get("tls.handshake.type") == "1" and "tls.handshake.ja4" in row:
                yield path.name, {name.removeprefix("tls.handshake."): value for name, value in row.items()}


def test_lists_that_tshark_read_have_the_fingerprints_that_tshark_gives_them() -> None:
    if not EXPECTED.exists():
        pytest.skip("the readings of tshark lie outside of the project")
    compared = 0
    for name, row in rows_of_one_hello():
        lists = {
            key: tuple(int(code, base) for code in row.get(field, "").split(",") if code)
            for key, (field, base) in LISTS.items()
        }
        protocols = row.get("extensions_alpn_str", "")
        # Schemes of delegated_credential (34) stand in the same field, bytes that are no UTF-8 are lost, and the hash
        # of an empty list of suites is that of a text with too few commas.
        if 34 in lists["types"] or "\ufffd" in protocols or not lists["suites"]:
            continue
        legacy = int(row["version"], 16)
        names = tuple(item.encode() for item in protocols.split(",") if item)
        marks = ja4_of(
            row["ja4"][0], legacy, lists["versions"], lists["suites"], lists["types"], lists["schemes"], names
        )
        assert (marks.ja4, marks.r) == (row["ja4"], row["ja4_r"]), name
        text = ja3_text_of(legacy, lists["suites"], lists["types"], lists["groups"], lists["formats"])
        assert (text, md5(text)) == (row["ja3_full"], row["ja3"]), name
        compared += 1
    assert compared > 500
