"""JA3, JA3S and JA4 with their raw forms: how a client, or an answer, is recognised by what it says.

JA3 and JA3S (Salesforce, 2017, BSD-3) and JA4 for clients (FoxIO, BSD-3, technical_details/JA4.md) are free to
implement; the other JA4+ methods are not (FoxIO License 1.1) and do not belong here. GREASE (RFC 8701) is left out
everywhere, of signature_algorithms too (JA4 since August 2026). The parts of a fingerprint are remembered one by one by
the lists they come from: a client that shuffles its extensions still has its suites done.
Must not import anything of tlswire but ``registry`` and ``wire``.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from tlswire.registry import GREASE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.wire.messages import ClientHello, ServerHello

T = TypeVar("T")
R = TypeVar("R")

_GREASE = frozenset(GREASE)
_SERVER_NAME, _VERSIONS_OFFERED = 0x0000, 0x002B
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

# A hostile capture can offer 32767 suites in every hello: only lists of a common length are remembered.
_ENTRIES, _LONGEST = 1024, 200


def remembered(function: Callable[[tuple[T, ...]], R]) -> Callable[[tuple[T, ...]], R]:
    """``function`` of a tuple of codes with a bounded memory: so many tuples, none of them long."""
    short = lru_cache(maxsize=_ENTRIES)(function)

    @wraps(function)
    def call(codes: tuple[T, ...]) -> R:
        return short(codes) if len(codes) <= _LONGEST else function(codes)

    return call


class Ja4(msgspec.Struct, frozen=True):
    """JA4 and its raw forms: ``r`` sorted, ``o`` hashed in the order sent, ``ro`` raw in the order sent."""

    ja4: str
    r: str
    o: str
    ro: str


def ja3_text(hello: ClientHello) -> str:
    """The text that JA3 hashes: version, suites, extensions, groups and point formats in decimal."""
    return ja3_text_of(hello.legacy_version, hello.suites, hello.extension_types, hello.groups, hello.point_formats)


def ja3_text_of(
    version: int,
    suites: tuple[int, ...],
    extensions: tuple[int, ...],
    groups: tuple[int, ...],
    formats: tuple[int, ...],
) -> str:
    """``ja3_text`` for a caller that has looked at the lists already."""
    # Point formats are bytes, in which GREASE is not defined (RFC 8701 section 3.1).
    return f"{version},{_dashed(suites)},{_dashed(extensions)},{_dashed(groups)},{'-'.join(map(str, formats))}"


def ja3(hello: ClientHello) -> str:
    """MD5 of ``ja3_text`` in hexadecimal."""
    return md5(ja3_text(hello))


def ja3s_text(hello: ServerHello) -> str:
    """The text that JA3S hashes: version, suite and extensions in decimal, nothing left out."""
    return ja3s_text_of(hello.legacy_version, hello.suite, hello.extension_types)


def ja3s_text_of(version: int, suite: int, extensions: tuple[int, ...]) -> str:
    """``ja3s_text`` for a caller that has looked at the list already."""
    return f"{version},{suite},{'-'.join(map(str, extensions))}"


def ja3s(hello: ServerHello) -> str:
    """MD5 of ``ja3s_text`` in hexadecimal."""
    return md5(ja3s_text(hello))


def md5(text: str) -> str:
    """The hash of JA3 and JA3S: a name for a text, no protection of anything."""
    return hashlib.md5(text.encode("ascii"), usedforsecurity=False).hexdigest()


def ja4(hello: ClientHello, transport: str) -> Ja4:
    """JA4 of a hello sent over ``transport``: t for TCP, q for QUIC, d for DTLS."""
    return ja4_of(
        transport,
        hello.legacy_version,
        hello.readable(_VERSIONS_OFFERED) or (),
        hello.suites,
        hello.extension_types,
        hello.signature_schemes,
        hello.alpn,
    )


def ja4_of(
    transport: str,
    legacy_version: int,
    versions: tuple[int, ...],
    suites: tuple[int, ...],
    extensions: tuple[int, ...],
    schemes: tuple[int, ...],
    names: tuple[bytes, ...],
) -> Ja4:
    """``ja4`` for a caller that has looked at the lists already; ``names`` are those of ALPN."""
    ciphers, types = _list_part(suites), _extension_part(extensions)
    newest = _newest(versions)
    version = _VERSIONS.get(legacy_version if newest is None else newest, "00")
    head = (
        f"{transport}{version}{'d' if _SERVER_NAME in extensions else 'i'}"
        f"{min(ciphers.number, 99):02}{min(types.number, 99):02}{_protocol_mark(names[0]) if names else '00'}"
    )
    signatures = _list_part(schemes).sent
    tail = f"_{signatures}" if signatures else ""
    by_code, sent = types.by_code + tail, types.sent + tail
    return Ja4(
        f"{head}_{ciphers.hash}_{_sha12(by_code)}",
        f"{head}_{ciphers.by_code}_{by_code}",
        f"{head}_{ciphers.sent_hash}_{_sha12(sent)}",
        f"{head}_{ciphers.sent}_{sent}",
    )


class _Part(NamedTuple):
    """A list without GREASE: how many, in hexadecimal by code and as sent, and the hashes of both."""

    number: int
    by_code: str
    sent: str
    hash: str
    sent_hash: str


@remembered
def _list_part(codes: tuple[int, ...]) -> _Part:
    items = _hexes(codes)
    by_code, sent = ",".join(sorted(items)), ",".join(items)
    return _Part(len(items), by_code, sent, _sha12(by_code), _sha12(sent))


@remembered
def _extension_part(codes: tuple[int, ...]) -> _Part:
    items = _hexes(codes)
    # SNI and ALPN depend on the destination, not on the client: the sorted form counts them and leaves them out.
    by_code = ",".join(sorted(item for item in items if item not in {"0000", "0010"}))
    # Both are hashed only together with the signature schemes behind them.
    return _Part(len(items), by_code, ",".join(items), "", "")


@remembered
def _dashed(codes: tuple[int, ...]) -> str:
    return "-".join([str(code) for code in codes if code not in _GREASE])


def _hexes(codes: tuple[int, ...]) -> list[str]:
    return [f"{code:04x}" for code in codes if code not in _GREASE]


@remembered
def _newest(versions: tuple[int, ...]) -> int | None:
    """The newest of those offered, None where there is none."""
    known = [code for code in versions if code not in _GREASE]
    if not known:
        return None
    # DTLS counts downwards (RFC 9147 section 5.3).
    return min(known) if known[0] >> 8 == 0xFE else max(known)


def _protocol_mark(protocol: bytes) -> str:
    """First and last character of the first ALPN value, of its hexadecimal form where one is not alphanumeric."""
    if not protocol:
        return "00"
    first, last = protocol[:1], protocol[-1:]
    if first.isalnum() and last.isalnum():
        return (first + last).decode("ascii")
    digits = protocol.hex()
    return digits[0] + digits[-1]


def _sha12(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12] if text else _EMPTY_HASH
