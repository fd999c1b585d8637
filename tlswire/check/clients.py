"""The hellos of a check: the client's own with parts of it left out, and those of clients that offer more.

Pure. Sources: RFC 9846 sections 4.2.2 and 4.3, RFC 8701. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tlswire.hello.builder import TLS12_VERSION, TLS13_VERSION, Shape, client_hello
from tlswire.hello.edit import KEY_SHARE, with_alpn, with_extension, with_groups, with_schemes, with_suites
from tlswire.hello.replay import padded
from tlswire.registry import GREASE, GROUPS, SCHEMES, SCSV, SUITES
from tlswire.scan.server import groups_of
from tlswire.wire.extensions import encode_extension

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tlswire.wire.messages import ClientHello


def _modern_suite(code: int) -> bool:
    return SUITES[code].max_version == "TLS 1.3"


def _post_quantum(code: int) -> bool:
    return GROUPS[code].kind in {"hybrid", "mlkem"}


def without_post_quantum(hello: ClientHello) -> ClientHello | None:
    """The client's hello without post-quantum groups, which fits one segment; None where it has none."""
    if not any(map(_post_quantum, hello.groups)):
        return None
    shares = tuple(share for share in hello.readable(KEY_SHARE) or () if not _post_quantum(share.group))
    hello = with_groups(hello, tuple(code for code in hello.groups if not _post_quantum(code)))
    return padded(with_extension(hello, KEY_SHARE, encode_extension(KEY_SHARE, shares, "ch")))


def for_http(hello: ClientHello) -> ClientHello:
    """The client's hello with HTTP/1.1 as its only application protocol."""
    return with_alpn(hello, (b"http/1.1",))


@cache
def _schemes(version: int) -> tuple[int, ...]:
    return tuple(row.code for row in SCHEMES if version < TLS13_VERSION or row.tls13 == "Y")


@cache
def extra_suites() -> tuple[int, ...]:
    """Every registered suite of TLS 1.2 and older, the usual first."""
    rows = [row for row in SUITES if not _modern_suite(row.code) and row.code not in {*SCSV, *GREASE}]
    ranked = sorted(rows, key=lambda row: (row.status != "iana", not row.pfs, row.kex not in {"ECDHE", "DHE", "RSA"}))
    return tuple(row.code for row in ranked)


def widened(hello: ClientHello) -> Iterator[tuple[str, ClientHello]]:
    """The client's hello with more of one thing each, by a name, so that what it lacks shows: schemes, groups, suites."""
    versions = [TLS12_VERSION, *([TLS13_VERSION] if TLS13_VERSION in hello.versions else [])]
    yield (
        "the client's hello with more schemes",
        with_schemes(hello, _joined(hello.signature_schemes, *map(_schemes, versions))),
    )
    yield "the client's hello with more groups", with_groups(hello, _joined(hello.groups, *map(groups_of, versions)))
    yield "the client's hello with more suites", with_suites(hello, _joined(hello.suites, *map(_suites, versions)))


def _joined(*lists: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(code for codes in lists for code in codes))


def _suites(version: int) -> tuple[int, ...]:
    """All a version has."""
    return tuple(row.code for row in SUITES if _modern_suite(row.code)) if version >= TLS13_VERSION else extra_suites()


def wide(version: int, server_name: bytes | None, rng: Random) -> ClientHello:
    """A hello of everything a version has that can be completed here."""
    groups = groups_of(version)
    shape = Shape(server_name=server_name, groups=groups, key_shares=(0x001D, 0x0017), schemes=_schemes(version))
    return client_hello(version, _suites(version), rng=rng, shape=shape)
