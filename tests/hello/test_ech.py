"""ECH and ESNI from outside: bodies written by hand from RFC 9849 section 5 and draft-ietf-tls-esni-02 section 5."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.values import values
from tlswire.hello.ech import ECH, ESNI, encrypted_client_hello
from tlswire.wire.extension_bodies import ECH_CLIENT_HELLO, ENCRYPTED_SNI
from tlswire.wire.messages import ClientHello, Extension
from tlswire.wire.primitives import build

if TYPE_CHECKING:
    from tlswire.hello.ech import Encrypted

KEY = bytes(range(32))
# RFC 9849 section 5.1: the shortest inner hello, and what RFC 9180 section 7.3 adds to it.
SHORTEST, TAG = 43, 16


def outer(payload: int = 144, *, enc: bytes = KEY, kdf: int = 1, aead: int = 1, config: int = 7) -> Extension:
    data = b"\x00" + struct.pack(">HHB", kdf, aead, config) + struct.pack(">H", len(enc)) + enc
    return Extension(ECH, data + struct.pack(">H", payload) + b"\xee" * payload)


def esni(encrypted: int = 292) -> Extension:
    share = struct.pack(">HH", 0x001D, 32) + KEY
    digest = struct.pack(">H", 32) + KEY
    return Extension(ESNI, b"\x13\x01" + share + digest + struct.pack(">H", encrypted) + b"\xee" * encrypted)


def name(host: bytes) -> Extension:
    entry = b"\x00" + struct.pack(">H", len(host)) + host
    return Extension(0, struct.pack(">H", len(entry)) + entry)


def hello(*extensions: Extension) -> ClientHello:
    return ClientHello(0x0303, bytes(32), b"", (0x1301,), (0,), extensions)


def judged(*extensions: Extension, **options: Any) -> Encrypted:
    found = encrypted_client_hello(hello(*extensions), **options)
    assert found is not None
    return found


def test_hello_that_offers_neither_has_none() -> None:
    assert encrypted_client_hello(hello(name(b"a.example"), Extension(0xFD00, b"\x02\x00\x33"))) is None
    assert encrypted_client_hello(ClientHello(0x0303, bytes(32), b"", (0x1301,), (0,))) is None


@pytest.mark.parametrize(
    ("kdf", "aead", "names"),
    [
        (1, 1, ("HKDF-SHA256", "AES-128-GCM")),
        (2, 2, ("HKDF-SHA384", "AES-256-GCM")),
        (3, 3, ("HKDF-SHA512", "ChaCha20Poly1305")),
        (0xABCD, 0xFFFF, ("0xABCD", "0xFFFF")),
    ],
)
def test_what_stands_in_the_outer_extension_is_told(kdf: int, aead: int, names: tuple[str, str]) -> None:
    found = judged(outer(176, kdf=kdf, aead=aead, config=200), name(b"cover.example"))
    assert (found.protocol, found.public_name) == ("ech", "cover.example")
    assert (found.config_id, found.payload) == (200, 176)
    assert (found.kdf, found.aead) == names


@pytest.mark.parametrize("payload", [144, 176, 208, 240])
def test_payload_of_a_common_size_does_not_tell_grease_from_real(payload: int) -> None:
    assert judged(outer(payload), name(b"site.example")).kind == "unknown"


@pytest.mark.parametrize("host", [b"cloudflare-ech.com", b"Cloudflare-ECH.com", b"cover.defo.ie"])
def test_public_name_of_a_deployment_stands_outside_of_a_real_one(host: bytes) -> None:
    assert judged(outer(), name(host)).kind == "real"


@pytest.mark.parametrize("host", [b"defo.ie", b"www.cloudflare-ech.com", b"cloudflare-ech.com\x00", b""])
def test_other_names_do_not(host: bytes) -> None:
    assert judged(outer(), name(host)).kind == "unknown"


def test_payload_off_the_recommended_padding_is_not_proof_of_grease() -> None:
    # RFC 9849 section 6.1.3 recommends; GREASE pads by the same rule (section 6.2.1).
    found = judged(outer(239))
    assert found.kind == "unknown"
    assert "padded" in found.reason
    assert "padded" not in judged(outer(239, aead=0x1234)).reason


@pytest.mark.parametrize(
    ("payload", "aead", "kind"),
    [
        (SHORTEST + TAG - 1, 1, "grease"),
        (SHORTEST + TAG, 1, "unknown"),
        (1, 3, "grease"),
        # How much an AEAD without a row adds is not known.
        (SHORTEST, 0x1234, "unknown"),
        (SHORTEST - 1, 0x1234, "grease"),
    ],
)
def test_payload_that_cannot_hold_a_hello_is_grease(payload: int, aead: int, kind: str) -> None:
    assert judged(outer(payload, aead=aead)).kind == kind


def test_too_short_a_payload_is_grease_under_any_name_and_without_a_key() -> None:
    assert judged(outer(20), name(b"cloudflare-ech.com")).kind == "grease"
    assert judged(outer(20, enc=b"")).kind == "grease"


def test_second_hello_without_a_key_is_real() -> None:
    # RFC 9849 section 6.1.5: the context is used again and enc is empty; GREASE copies its whole extension (6.2.1).
    first = hello(outer(), name(b"site.example"))
    assert judged(outer(enc=b""), name(b"site.example"), first=first).kind == "real"


def test_second_hello_that_repeats_the_extension_is_grease() -> None:
    first = hello(outer(), name(b"site.example"))
    assert judged(outer(), name(b"site.example"), first=first).kind == "grease"
    assert judged(outer(config=8), name(b"site.example"), first=first).kind == "unknown"


def test_second_hello_that_repeats_it_under_a_public_name_was_refused() -> None:
    # Nothing lets a client that was refused change the extension (RFC 9849 section 6.1.6, RFC 9846 section 4.2.2).
    first = hello(outer(), name(b"cloudflare-ech.com"))
    assert judged(outer(), name(b"cloudflare-ech.com"), first=first).kind == "real"


def test_second_hello_is_not_compared_with_a_first_that_had_none() -> None:
    assert judged(outer(), first=hello(name(b"site.example"))).kind == "unknown"


def test_inner_hello_in_clear_is_named() -> None:
    # What a client-facing server forwards in split mode (RFC 9849 section 3.1).
    found = judged(Extension(ECH, b"\x01"), name(b"hidden.example"))
    assert (found.kind, found.reason) == ("unknown", "an inner hello in clear")
    assert found.public_name == "hidden.example"
    assert (found.config_id, found.kdf, found.aead, found.payload) == (None, None, None, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x01\x00",  # an inner one is empty
        b"\x02",  # no type of RFC 9849 section 5
        b"\xff" * 40,
        outer().data[:-1],
        outer().data + b"\x00",
        outer(0).data,  # payload<1..2^16-1>
    ],
)
@pytest.mark.parametrize("code", [ECH, ESNI])
def test_extension_that_cannot_be_read_is_unknown(code: int, data: bytes) -> None:
    found = judged(Extension(code, data))
    assert (found.kind, found.reason, found.payload) == ("unknown", "the extension cannot be read", None)
    assert found.protocol == ("ech" if code == ECH else "esni")


def test_first_of_two_extensions_counts() -> None:
    assert judged(outer(144, config=1), outer(208, config=2)).config_id == 1


def test_esni_without_server_name_is_real() -> None:
    found = judged(esni(292))
    assert (found.protocol, found.kind, found.payload, found.public_name) == ("esni", "real", 292, None)


@pytest.mark.parametrize("beside", [name(b"dummy.example"), Extension(0, b""), Extension(0, b"\xff")])
def test_esni_beside_server_name_is_unknown(beside: Extension) -> None:
    # The draft allows a dummy (section 5.1), and a client that greases has its true name there, readable or not.
    assert judged(esni(), beside).kind == "unknown"


@pytest.mark.parametrize("beside", [(), (name(b"dummy.example"),)])
def test_nothing_is_concluded_from_what_a_cut_hello_lacks(beside: tuple[Extension, ...]) -> None:
    found = judged(esni(), *beside, whole=False)
    assert found.kind == "unknown"
    assert ("cut" in found.reason) == (not beside)
    assert judged(outer(), *beside, whole=False).kind == "unknown"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        (b"a\x1b[31m.example", "a\\x1b[31m.example"),
        (b"nul\x00.example", "nul\\x00.example"),
        ("b\u00fccher\u202e.example".encode(), "b\\xc3\\xbccher\\xe2\\x80\\xae.example"),
        (b"back\\x41", "back\\x5cx41"),  # an escape that was there is no escape of ours
    ],
)
@pytest.mark.parametrize("extension", [outer(), esni(), Extension(ECH, b"\x02")])
def test_hostile_names_come_out_escaped(host: bytes, shown: str, extension: Extension) -> None:
    assert judged(extension, name(host)).public_name == shown


BODIES = st.one_of(
    values(ECH_CLIENT_HELLO).map(lambda value: build(ECH_CLIENT_HELLO, value)),
    values(ENCRYPTED_SNI).map(lambda value: build(ENCRYPTED_SNI, value)),
    st.binary(max_size=80),
)
EXTENSIONS = st.lists(
    st.builds(Extension, st.sampled_from((ECH, ESNI, 0, 51)), BODIES)
    | st.builds(name, st.binary(max_size=20) | st.sampled_from((b"cloudflare-ech.com", b"cover.defo.ie"))),
    max_size=4,
).map(tuple)


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(extensions=EXTENSIONS, earlier=EXTENSIONS, whole=st.booleans())
def test_any_extensions_are_judged_with_a_printable_reason(
    extensions: tuple[Extension, ...], earlier: tuple[Extension, ...], whole: bool
) -> None:
    value = hello(*extensions)
    found = encrypted_client_hello(value, first=hello(*earlier), whole=whole)
    assert (found is None) == (not {ECH, ESNI} & set(value.extension_types))
    if found is None:
        return
    texts = [item for item in msgspec.structs.astuple(found) if isinstance(item, str)]
    assert all(" " <= char <= "~" for text in texts for char in text)
    assert found.reason
    # A hello cut short never says more than the whole one.
    uncut = encrypted_client_hello(value, first=hello(*earlier))
    assert uncut is not None
    assert found.kind in {uncut.kind, "unknown"}
