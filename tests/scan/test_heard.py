from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlswire.handshake.conversation import Conversation
from tlswire.hello.builder import client_hello
from tlswire.registry import EXTENSIONS
from tlswire.scan.heard import MAX_ANSWERED, MESSAGES, Said, fault_of, in_words, judged
from tlswire.wire.messages import CertificateEntry, EncryptedExtensions, Extension, NewSessionTicket13, ServerHello

TLS12, TLS13 = 0x0303, 0x0304
EVERYTHING = frozenset(row.code for row in EXTENSIONS)
HELLO = client_hello(TLS13, (0x1301,), rng=Random(1))


@pytest.mark.parametrize(
    ("message", "code", "data", "version", "fault"),
    [
        ("ee", 16, b"\0\3\2h2", TLS13, None),
        ("ee", 10, b"\0\2\0\x1d", TLS13, None),
        ("sh", 43, b"\3\4", TLS13, None),
        ("hrr", 44, b"\0\1c", TLS13, None),
        ("ct", 18, b"\0\4\0\2\1\2", TLS13, None),
        ("nst", 42, b"\0\0\x40\0", TLS13, None),
        ("sh", 0xFF01, b"\0", TLS12, None),
        ("sh", 11, b"\1\0", TLS12, None),
        ("sh", 16, b"\0\3\2h2", TLS13, "does not belong in ServerHello of TLS 1.3"),
        ("ee", 51, b"\0\x1d\0\1\1", TLS13, "does not belong in EncryptedExtensions of TLS 1.3"),
        ("ee", 23, b"", TLS13, "does not belong in EncryptedExtensions of TLS 1.3"),
        ("sh", 43, b"\3\3", TLS12, "does not belong in ServerHello of TLS 1.2"),
        ("sh", 10, b"\0\2\0\x1d", TLS12, "does not belong in ServerHello of TLS 1.2"),
        ("ee", 16, b"\0\3\3h2", TLS13, "cannot be read: length says 3 bytes, 2 left"),
    ],
)
def test_an_extension_is_judged_by_where_it_stands(
    message: str, code: int, data: bytes, version: int, fault: str | None
) -> None:
    said = Said(message, code, data)
    assert fault_of(said, EVERYTHING, version) == fault


@pytest.mark.parametrize(("message", "version"), [("ee", TLS13), ("sh", TLS13), ("ct", TLS13), ("sh", TLS12)])
def test_what_was_not_offered_is_a_fault(message: str, version: int) -> None:
    told = fault_of(Said(message, 0x1234, b""), frozenset(), version)
    assert told is not None
    assert told.startswith("was not offered")


@pytest.mark.parametrize("message", ["cr", "nst"])
def test_requests_and_tickets_need_no_offer(message: str) -> None:
    code = {"cr": 13, "nst": 42}[message]
    data = {"cr": b"\0\2\4\3", "nst": b"\0\0\0\1"}[message]
    assert fault_of(Said(message, code, data), frozenset(), TLS13) is None


def test_all_messages_of_a_handshake_are_looked_at() -> None:
    extension = (Extension(0x1234, b"x"),)
    heard = Conversation(
        retry=ServerHello(TLS12, b"", b"", 0x1301, 0, (Extension(43, b"\3\4"),)),
        hello=ServerHello(TLS12, bytes(32), b"", 0x1301, 0, (Extension(43, b"\3\4"), *extension)),
        encrypted_extensions=EncryptedExtensions((Extension(0, b""), Extension(0, b""))),
        entries=(CertificateEntry(b"c", extension), CertificateEntry(b"c", extension)),
        tickets=(NewSessionTicket13(1, 2, b"", b"t", (Extension(42, b"\0\0\0\1"),)),),
    )
    found = judged(heard, HELLO, TLS13)
    assert [(item.message, item.name) for item in found] == [
        ("ServerHello", "supported_versions"),
        ("ServerHello", "0x1234"),
        ("EncryptedExtensions", "server_name"),
        ("EncryptedExtensions", "server_name"),
        ("Certificate", "0x1234"),
        ("NewSessionTicket", "early_data"),
    ]
    faults = {(item.message, item.name): item.fault for item in found if item.fault}
    assert faults["Certificate", "0x1234"] == "was not offered (RFC 9846 4.3)"


def test_an_extension_that_stands_twice_in_a_message_is_a_fault() -> None:
    heard = Conversation(encrypted_extensions=EncryptedExtensions((Extension(0, b""), Extension(0, b""))))
    offer = client_hello(TLS13, (0x1301,), rng=Random(1))
    offered = offer.extensions or ()
    offer = type(offer)(TLS12, bytes(32), b"", (0x1301,), (0,), (*offered, Extension(0, b"")))
    assert [item.fault for item in judged(heard, offer, TLS13)] == [None, "stands there twice (RFC 9846 4.3)"]


def test_a_flood_of_extensions_is_bounded() -> None:
    many = tuple(Extension(code, b"") for code in range(10_000))
    heard = Conversation(encrypted_extensions=EncryptedExtensions(many))
    assert len(judged(heard, HELLO, TLS13)) == MAX_ANSWERED


@given(st.sampled_from(sorted(EVERYTHING)), st.sampled_from(sorted(MESSAGES)), st.binary(max_size=2000))
def test_any_body_is_told_on_one_bounded_line(code: int, message: str, data: bytes) -> None:
    text = in_words(code, data, message)
    assert "\n" not in text
    assert len(text) < 300


@given(
    st.integers(0, 0xFFFF), st.sampled_from(sorted(MESSAGES)), st.binary(max_size=100), st.sampled_from([TLS12, TLS13])
)
def test_any_extension_is_judged(code: int, message: str, data: bytes, version: int) -> None:
    told = fault_of(Said(message, code, data), EVERYTHING, version)
    assert told is None or told
