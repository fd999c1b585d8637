"""What a hello must satisfy before anything is chosen: each check gives the alert that is due, or None.

Pure. Sources: RFC 9846 sections 4.3 and 9.2, RFC 6066 sections 3 and 4, RFC 8422 section 5.1.2, RFC 8449, RFC 7507
section 3. Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``crypto``, ``lab.characters``,
``lab.edges`` and ``lab.refusals``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.crypto.shares import ffdhe_prime
from tlswire.errors import WireError
from tlswire.lab import edges
from tlswire.lab.characters import (
    ALPN,
    MAX_FRAGMENT_LENGTH,
    POINT_FORMATS,
    RECORD_SIZE_LIMIT,
    SERVER_NAME,
    SSLV3,
    TLS13,
    Character,
)
from tlswire.lab.refusals import (
    DECODE_ERROR,
    ILLEGAL_PARAMETER,
    INAPPROPRIATE_FALLBACK,
    MISSING_EXTENSION,
    NO_APPLICATION_PROTOCOL,
    PROTOCOL_VERSION,
    UNRECOGNIZED_NAME,
)
from tlswire.registry import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tlswire.lab.quirks import Edge
    from tlswire.wire.messages import ClientHello

_GROUPS_EXT, _SCHEMES_EXT, _PSK, _VERSIONS_EXT, _PSK_MODES, _SHARES = 10, 13, 41, 43, 45, 51
# What every server of TLS 1.3 has heard of, beside what it answers: record_size_limit, early_data, cookie,
# certificate_authorities, post_handshake_auth, signature_algorithms_cert.
_KNOWN_TLS13 = frozenset({_VERSIONS_EXT, _SHARES, _PSK, _PSK_MODES, 28, 42, 44, 47, 49, 50})
_OID_FILTERS = 48
_FALLBACK_SCSV = 0x5600
FRAGMENT_LENGTHS = {1: 1 << 9, 2: 1 << 10, 3: 1 << 11, 4: 1 << 12}  # RFC 6066 section 4
_LEAST_SIZE_LIMIT = 64
_UNCOMPRESSED = 4


def first(
    checks: Iterable[Callable[[Character, ClientHello], int | None]], character: Character, hello: ClientHello
) -> int | None:
    """The alert of the first check that the hello fails; None where it passes all that the character makes."""
    overlooked = _OVERLOOKED.get(character.quirks.edge, ())
    kept = (check for check in checks if check not in overlooked)
    return next((alert for check in kept if (alert := check(character, hello)) is not None), None)


def _client_version(character: Character, hello: ClientHello) -> int | None:
    limit = character.quirks.client_version_limit
    return PROTOCOL_VERSION if limit and hello.legacy_version > limit else None


def _sslv3(character: Character, hello: ClientHello) -> int | None:
    """RFC 9846 appendix E.5: whoever says 0x0300 is told protocol_version, whatever else it offers."""
    return PROTOCOL_VERSION if hello.legacy_version == SSLV3 and SSLV3 not in character.suites else None


def _strange(character: Character, hello: ClientHello) -> int | None:
    return edges.refuses(character.quirks.edge, hello)


def _duplicates(_: Character, hello: ClientHello) -> int | None:
    types = hello.extension_types
    return ILLEGAL_PARAMETER if len(set(types)) < len(types) else None


def _bodies(character: Character, hello: ClientHello) -> int | None:
    known = {_GROUPS_EXT, _SCHEMES_EXT, ALPN, *character.answers, *character.reads}
    if TLS13 in character.suites:
        known |= _KNOWN_TLS13
    try:
        for code in known.intersection(hello.extension_types):
            hello.extension(code)
    except WireError:
        return DECODE_ERROR
    return None


def _fragment_length(character: Character, hello: ClientHello) -> int | None:
    """RFC 6066 section 4; RFC 8449 section 5: who offers both is not asked for the older."""
    if MAX_FRAGMENT_LENGTH not in character.answers or hello.raw_extension(RECORD_SIZE_LIMIT) is not None:
        return None
    value = hello.extension(MAX_FRAGMENT_LENGTH)
    return None if value is None or value in FRAGMENT_LENGTHS else ILLEGAL_PARAMETER


def _size_limit(character: Character, hello: ClientHello) -> int | None:
    """RFC 8449 section 4."""
    value = hello.extension(RECORD_SIZE_LIMIT) if RECORD_SIZE_LIMIT in character.answers else None
    return None if value is None or value >= _LEAST_SIZE_LIMIT else ILLEGAL_PARAMETER


def _one_name(character: Character, hello: ClientHello) -> int | None:
    """RFC 6066 section 3: one name of a type; a NUL is in no name of a host."""
    names = (hello.readable(SERVER_NAME) if SERVER_NAME in character.answers else None) or ()
    types = [name.type for name in names]
    return ILLEGAL_PARAMETER if len(set(types)) < len(types) or any(b"\0" in name.name for name in names) else None


def _null_compression(_: Character, hello: ClientHello) -> int | None:
    return None if 0 in hello.compression else ILLEGAL_PARAMETER


def _point_formats(_: Character, hello: ClientHello) -> int | None:
    formats = hello.readable(POINT_FORMATS)
    return ILLEGAL_PARAMETER if formats is not None and 0 not in formats else None


def _needs_name(character: Character, hello: ClientHello) -> int | None:
    return UNRECOGNIZED_NAME if character.quirks.needs == "name" and hello.server_name is None else None


def _needs_alpn(character: Character, hello: ClientHello) -> int | None:
    return NO_APPLICATION_PROTOCOL if character.quirks.needs == "alpn" and b"h2" not in hello.alpn else None


def _some_alpn(character: Character, hello: ClientHello) -> int | None:
    fits = not character.alpn or not hello.alpn or set(character.alpn).intersection(hello.alpn)
    return None if fits else NO_APPLICATION_PROTOCOL


def _fallback(character: Character, hello: ClientHello) -> int | None:
    if not character.fallback_scsv or _FALLBACK_SCSV not in hello.suites:
        return None
    return INAPPROPRIATE_FALLBACK if max(character.suites) > max(hello.versions, default=0) else None


EVERY = (
    _client_version,
    _sslv3,
    _strange,
    _duplicates,
    _bodies,
    _null_compression,
    _fragment_length,
    _size_limit,
    _one_name,
    _needs_name,
    _needs_alpn,
    _some_alpn,
    _fallback,
)


def _only_null_compression(_: Character, hello: ClientHello) -> int | None:
    return None if hello.compression == (0,) else ILLEGAL_PARAMETER


def _misplaced(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.3: an extension that is known, and known not to belong into a ClientHello."""
    return ILLEGAL_PARAMETER if _OID_FILTERS in hello.extension_types else None


def _psk_last(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.3.11."""
    types = hello.extension_types
    return ILLEGAL_PARAMETER if _PSK in types and types[-1] != _PSK else None


def _psk_modes(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.3.9."""
    types = hello.extension_types
    return MISSING_EXTENSION if _PSK in types and _PSK_MODES not in types else None


def _psk_binders(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.3.11: a binder for each identity."""
    offered = hello.extension(_PSK)
    return None if offered is None or len(offered.identities) == len(offered.binders) else ILLEGAL_PARAMETER


def _mandatory(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 9.2, for a server that has certificates and no PSK."""
    missing = {_GROUPS_EXT, _SCHEMES_EXT, _SHARES}.difference(hello.extension_types)
    return MISSING_EXTENSION if missing else None


def _listed_once(character: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.3.8: one share a group, only of groups listed; others than ours nobody looks at."""
    groups = [group for group in hello.key_shares if group in character.groups]
    listed = character.quirks.edge == "unlisted-group" or set(groups) <= set(hello.groups)
    return None if listed and len(set(groups)) == len(groups) else ILLEGAL_PARAMETER


def _shares(character: Character, hello: ClientHello) -> int | None:
    """RFC 9846 sections 4.3.8.1 and 4.3.8.2: each share as long as its group says, and an element of it."""
    for share in hello.readable(_SHARES):
        if share.group not in character.groups:
            continue
        length = GROUPS[share.group].client_share_len
        if length and len(share.key_exchange) != length:
            return ILLEGAL_PARAMETER
        if not _is_element(share.group, share.key_exchange, character.quirks.edge):
            return ILLEGAL_PARAMETER
    return None


OLDER_ONLY = (_point_formats,)  # RFC 8422 section 5.1.2; TLS 1.3 ignores the list
TLS13_ONLY = (
    _misplaced,
    _only_null_compression,
    _psk_last,
    _psk_modes,
    _psk_binders,
    _mandatory,
    _listed_once,
    _shares,
)
# What characters that are wrong at the edge do not look at.
_OVERLOOKED: dict[Edge, tuple[Callable[[Character, ClientHello], int | None], ...]] = {
    "ignores-duplicates": (_duplicates,),
    "ignores-compression": (_null_compression, _only_null_compression),
    "ignores-binders": (_psk_binders,),
    "psk-anywhere": (_psk_last,),
}

# FIPS 186-4 D.1.2.3 and D.1.2.4: p and b of the curves y^2 = x^3 - 3x + b.
_CURVE_CONSTANTS = {
    0x0017: (
        (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    ),
    0x0018: (
        (1 << 384) - (1 << 128) - (1 << 96) + (1 << 32) - 1,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    ),
}


def _is_element(group: int, share: bytes, edge: Edge) -> bool:
    """Whether a share of the right length is one of its group, as far as that is seen without an exchange."""
    kind = GROUPS[group].kind
    if kind == "ffdhe":
        return 2 <= int.from_bytes(share) <= ffdhe_prime(group) - 2
    if group not in _CURVE_CONSTANTS:
        return True
    return share[0] == _UNCOMPRESSED and (
        edges.takes_any_share(edge, kind) or _on_curve(*_CURVE_CONSTANTS[group], share)
    )


def _on_curve(p: int, b: int, point: bytes) -> bool:
    """Whether a point, uncompressed, satisfies the curve equation (SEC 1 section 3.2.2)."""
    middle = 1 + len(point) // 2
    x, y = int.from_bytes(point[1:middle]), int.from_bytes(point[middle:])
    return x < p and y < p and (y * y - x * x * x + 3 * x - b) % p == 0
