"""What the rows of several groups put into hellos: vectors, key shares, the versions, extensions one by one.

Must not import anything of tlswire but ``fuzz``, ``hello``, ``wire`` and ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.cases.rows import MODERN, Made, hello
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.script import TLS13
from tlswire.hello.edit import GROUPS, KEY_SHARE, VERSIONS, with_extension
from tlswire.hello.shares import probe_share
from tlswire.wire.messages import Extension

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.script import Ground
    from tlswire.wire.messages import ClientHello

# Codes nobody has: an extension, a group, a scheme, a suite. GREASE is that of RFC 8701 section 2.
UNKNOWN_EXTENSION, UNKNOWN_GROUP, UNKNOWN_SCHEME = 0x1234, 0x4444, 0x7777
GREASE = 0x3A3A
ECDHE12 = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014)
RSA12 = (0x009C, 0x009D, 0x002F, 0x0035)


def vector(width: int, data: bytes) -> bytes:
    """``data`` behind its length of ``width`` bytes."""
    return len(data).to_bytes(width, "big") + data


def codes(*values: int) -> bytes:
    """Codes of two bytes, one after the other."""
    return b"".join(value.to_bytes(2, "big") for value in values)


def code_list(*values: int) -> bytes:
    """A list of two-byte codes behind a length of two bytes: of groups, of signature schemes."""
    return vector(2, codes(*values))


def entry(group: int, key_exchange: bytes) -> bytes:
    """A KeyShareEntry (RFC 9846 section 4.3.8), well formed or not."""
    return codes(group) + vector(2, key_exchange)


def share(ground: Ground, group: int) -> bytes:
    """The KeyShareEntry of ``group`` that the ground holds the key to, or that of a probe where none can be computed."""
    key = ground.key(group)
    return entry(group, probe_share(group) if key is None else key.public)


def with_shares(value: ClientHello, groups: tuple[int, ...], *entries: bytes) -> ClientHello:
    """A hello for ``groups`` with these KeyShareEntries."""
    return with_extension(with_extension(value, GROUPS, code_list(*groups)), KEY_SHARE, vector(2, b"".join(entries)))


def only13(value: ClientHello) -> ClientHello:
    """The hello that offers TLS 1.3 alone, so that a server cannot go back to another version."""
    return with_extension(value, VERSIONS, vector(1, codes(TLS13)))


def strict(code: int, body: bytes | None) -> Made:
    """The hello of TLS 1.3 alone with ``body`` in its extension ``code`` (None removes it)."""
    return hello(lambda value, _: only13(with_extension(value, code, body)))


def added(*extensions: tuple[int, bytes], first: tuple[tuple[int, bytes], ...] = (), base: str = MODERN) -> Made:
    """A base with extensions put behind its own (and ``first`` before them), whatever it has already."""
    front = tuple(Extension(*item) for item in first)
    back = tuple(Extension(*item) for item in extensions)
    return hello(
        lambda value, _: msgspec.structs.replace(value, extensions=(*front, *(value.extensions or ()), *back)), base
    )


def twice(name: str) -> Edit:
    """The extension ``name`` once more, behind itself."""
    return Edit("duplicate", f"extensions/{name}", 1)


def offered(change: Callable[[ClientHello], ClientHello], base: str = MODERN) -> Made:
    """A base changed by ``change``, which needs no ground."""
    return hello(lambda value, _: change(value), base)
