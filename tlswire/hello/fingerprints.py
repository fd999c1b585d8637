"""JA3, JA3S and JA4 with their raw forms: how a client, or an answer, is recognised by what it says.

JA3 and JA3S (Salesforce, 2017, BSD-3) and JA4 for clients (FoxIO, BSD-3, technical_details/JA4.md) are free to
implement; the other JA4+ methods are not (FoxIO License 1.1) and do not belong here. GREASE (RFC 8701) is left out
everywhere, of signature_algorithms too (JA4 since August 2026). The parts of a fingerprint are remembered by the lists
they come from. Must not import anything of tlswire but ``registry`` and ``wire``.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from tlswire.registry import GREASE

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello, ServerHello

_GREASE = frozenset(GREASE)
_SERVER_NAME, _ALPN = 0x0000, 0x0010
_EMPTY_HASH = "0" * 12

_VERSIONS = {
    0x0304: "13",
    0x0303: "12",
    0x0302: "11",
    0x0301: "10",
    0x0300: "s3",
    0x0002: "s2",
    0xFEFF: "d1",
    0xFEFD: "d2",
    0xFEFC: "d3",
}


class Ja4(msgspec.Struct, frozen=True):
    """JA4 and its raw forms: ``r`` sorted, ``o`` hashed in the order sent, ``ro`` raw in the order sent."""

    ja4: str
    r: str
    o: str
    ro: str


def ja3_text(hello: ClientHello) -> str:
    """The text that JA3 hashes: version, suites, extensions, groups and point formats in decimal."""
    return _ja3_text(hello.legacy_version, hello.suites, hello.extension_types, hello.groups, hello.point_formats)[0]


def ja3(hello: ClientHello) -> str:
    """MD5 of ``ja3_text`` in hexadecimal."""
    return _ja3_text(hello.legacy_version, hello.suites, hello.extension_types, hello.groups, hello.point_formats)[1]


@lru_cache(maxsize=4096)
def _ja3_text(
    version: int,
    suites: tuple[int, ...],
    extensions: tuple[int, ...],
    groups: tuple[int, ...],
    formats: tuple[int, ...],
) -> tuple[str, str]:
    text = f"{version},{_dashed(suites)},{_dashed(extensions)},{_dashed(groups)},{'-'.join(map(str, formats))}"
    return text, _md5(text)


def ja3s_text(hello: ServerHello) -> str:
    """The text that JA3S hashes: version, suite and extensions in decimal, nothing left out."""
    return _ja3s_text(hello.legacy_version, hello.suite, hello.extension_types)[0]


def ja3s(hello: ServerHello) -> str:
    """MD5 of ``ja3s_text`` in hexadecimal."""
    return _ja3s_text(hello.legacy_version, hello.suite, hello.extension_types)[1]


@lru_cache(maxsize=4096)
def _ja3s_text(version: int, suite: int, extensions: tuple[int, ...]) -> tuple[str, str]:
    text = f"{version},{suite},{'-'.join(map(str, extensions))}"
    return text, _md5(text)


def ja4(hello: ClientHello, transport: str) -> Ja4:
    """JA4 of a hello sent over ``transport``: t for TCP, q for QUIC, d for DTLS."""
    names = hello.alpn
    return _ja4(
        transport,
        hello.legacy_version,
        hello.readable(43) or (),
        hello.suites,
        hello.extension_types,
        hello.signature_schemes,
        names[0] if names else b"",
    )


@lru_cache(maxsize=4096)
def _ja4(
    transport: str,
    legacy_version: int,
    versions: tuple[int, ...],
    suites: tuple[int, ...],
    extensions: tuple[int, ...],
    schemes: tuple[int, ...],
    protocol: bytes,
) -> Ja4:
    known = [code for code in versions if code not in _GREASE]
    version = _VERSIONS.get(_highest(known) if known else legacy_version, "00")
    ciphers = _hexes(suites)
    types = _hexes(extensions)
    head = (
        f"{transport}{version}{'d' if _SERVER_NAME in extensions else 'i'}"
        f"{min(len(ciphers), 99):02}{min(len(types), 99):02}{_protocol_mark(protocol)}"
    )
    # The sorted forms leave SNI and ALPN out: they depend on the destination, not on the client.
    sorted_ciphers = ",".join(sorted(ciphers))
    sorted_types = ",".join(sorted(item for item in types if item not in {"0000", "0010"}))
    signatures = ",".join(_hexes(schemes))
    tail = f"_{signatures}" if signatures else ""
    sent_ciphers, sent_types = ",".join(ciphers), ",".join(types)
    return Ja4(
        f"{head}_{_sha12(sorted_ciphers)}_{_sha12(sorted_types + tail) if types else _EMPTY_HASH}",
        f"{head}_{sorted_ciphers}_{sorted_types}{tail}",
        f"{head}_{_sha12(sent_ciphers)}_{_sha12(sent_types + tail) if types else _EMPTY_HASH}",
        f"{head}_{sent_ciphers}_{sent_types}{tail}",
    )


def _highest(versions: list[int]) -> int:
    """The newest version: DTLS counts downwards (RFC 9147 section 5.3)."""
    return min(versions) if versions[0] >> 8 == 0xFE else max(versions)


def _protocol_mark(protocol: bytes) -> str:
    """First and last character of the first ALPN value, of its hexadecimal form where one is not alphanumeric."""
    if not protocol:
        return "00"
    first, last = protocol[:1], protocol[-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    digits = protocol.hex()
    return digits[0] + digits[-1]


def _hexes(codes: tuple[int, ...]) -> list[str]:
    return [f"{code:04x}" for code in codes if code not in _GREASE]


def _dashed(codes: tuple[int, ...]) -> str:
    return "-".join([str(code) for code in codes if code not in _GREASE])


def _sha12(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12] if text else _EMPTY_HASH


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("ascii"), usedforsecurity=False).hexdigest()
