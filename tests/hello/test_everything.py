from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tlswire.hello.builder import Shape, client_hello
from tlswire.hello.ech import ECH, encrypted_client_hello, grease
from tlswire.hello.edit import with_extension
from tlswire.hello.everything import APART, BUILT, LEFT_OUT, bodies
from tlswire.registry import EXTENSIONS
from tlswire.wire.extensions import decode_extension, encode_extension

if TYPE_CHECKING:
    from tlswire.registry.rows import ExtensionRow

OFFERED = bodies(Random(1))


@pytest.mark.parametrize("row", EXTENSIONS, ids=lambda row: row.name)
def test_every_registered_extension_is_offered_or_there_is_a_reason(row: ExtensionRow) -> None:
    places = [row.code in table for table in (OFFERED, APART, LEFT_OUT, BUILT)]
    assert places.count(True) == 1


@pytest.mark.parametrize("code", OFFERED, ids=lambda code: EXTENSIONS[code].name)
def test_every_body_is_one_that_its_grammar_reads(code: int) -> None:
    value = decode_extension(code, OFFERED[code], "ch")
    assert encode_extension(code, value, "ch") == OFFERED[code]


def test_the_same_seed_gives_the_same_bodies() -> None:
    assert bodies(Random(7)) == bodies(Random(7))
    assert bodies(Random(7)) != bodies(Random(8))


def test_grease_looks_like_an_encrypted_hello() -> None:
    hello = client_hello(0x0304, (0x1301,), rng=Random(1), shape=Shape(server_name=b"a.example"))
    told = encrypted_client_hello(with_extension(hello, ECH, grease(Random(1))))
    assert told is not None
    assert (told.protocol, told.kind, told.kdf, told.aead) == ("ech", "unknown", "HKDF-SHA256", "AES-128-GCM")
    assert told.payload == 144
