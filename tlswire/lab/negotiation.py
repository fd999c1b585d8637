"""What a character makes of a ClientHello: a Choice of version, suite, group and signature, or a Refusal.

Pure: the same hello always gives the same answer. Sources: RFC 9846 sections 4.1 to 4.2 and 9.2, RFC 5246 section
7.4.1, RFC 8422 sections 4 and 5, RFC 7919 section 4, RFC 7507 section 3.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``crypto``, ``lab.characters`` and
``lab.edges``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

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
    TLS12,
    TLS13,
    Character,
    certificate_kind,
)
from tlswire.lab.refusals import (
    DECODE_ERROR,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    INAPPROPRIATE_FALLBACK,
    MISSING_EXTENSION,
    NO_APPLICATION_PROTOCOL,
    PROTOCOL_VERSION,
    UNRECOGNIZED_NAME,
)
from tlswire.registry import GROUPS, SCHEMES, SCSV, SUITES

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
_EC_CURVE = "secp256r1"  # of the EC certificate; RFC 9846 section 4.2.3 ties each scheme to its curve

_FAMILIES = {"rsa": frozenset({"rsa-pkcs1", "rsa-pss"}), "ec": frozenset({"ecdsa"}), "dsa": frozenset({"dsa"})}
_SHA1_SCHEMES = (0x0201, 0x0202, 0x0203)  # RFC 5246 section 7.4.1.4.1: what a hello without the extension offers


class Choice(msgspec.Struct, frozen=True):
    """What the server settled on; ``group`` and ``certificate`` are None, ``scheme`` is 0 where none is used.

    ``retry`` asks for a share in ``group`` (HelloRetryRequest).
    """

    version: int
    suite: int
    compression: int = 0
    group: int | None = None
    certificate: str | None = None
    scheme: int = 0
    retry: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """Why the server says no, as an alert description."""

    alert: int


def signs(suite: int) -> bool:
    """Whether the ServerKeyExchange of a suite with a certificate is signed (RFC 5246 7.4.3, RFC 5054 2.8.1)."""
    row = SUITES[suite]
    ephemeral = row.kex in {"DHE", "ECDHE", "SRP"} or (row.kex == "RSA" and row.export)
    return ephemeral and row.auth in {"RSA", "DSS", "ECDSA"}


def negotiate(character: Character, hello: ClientHello, retried: int | None = None) -> Choice | Refusal:
    """The character's decision; ``retried`` is the group a HelloRetryRequest has already asked for."""
    alert = _first(_CHECKS, character, hello)
    if alert is not None:
        return Refusal(alert)
    version = choose_version(character, hello)
    if version is None:
        return Refusal(PROTOCOL_VERSION)
    alert = _first(_CHECKS_TLS13 if version == TLS13 else _CHECKS_OLDER, character, hello)
    if alert is not None:
        return Refusal(alert)
    return _choose_tls13(character, hello, retried) if version == TLS13 else _choose(character, hello, version)


def choose_version(character: Character, hello: ClientHello) -> int | None:
    """The highest version both sides have, None without one.

    A server without TLS 1.3 was written before supported_versions and goes by legacy_version alone.
    """
    offered = hello.readable(_VERSIONS_EXT) if TLS13 in character.suites else None
    if offered is None or (character.quirks.edge == "by-legacy-version" and hello.legacy_version != TLS12):
        newest = min(hello.legacy_version, TLS12)
        offered = [version for version in character.suites if 0x0300 <= version <= newest]
    return max((version for version in offered if version in character.suites), default=None)


def _first(
    checks: Iterable[Callable[[Character, ClientHello], int | None]], character: Character, hello: ClientHello
) -> int | None:
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


def _one_name(_: Character, hello: ClientHello) -> int | None:
    """RFC 6066 section 3: one name of a type, in ASCII and without NUL."""
    names = hello.readable(SERVER_NAME) or ()
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


_CHECKS = (
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
    """RFC 9846 section 4.2: an extension that is known, and known not to belong into a ClientHello."""
    return ILLEGAL_PARAMETER if _OID_FILTERS in hello.extension_types else None


def _psk_last(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.2.11."""
    types = hello.extension_types
    return ILLEGAL_PARAMETER if _PSK in types and types[-1] != _PSK else None


def _psk_modes(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.2.9."""
    types = hello.extension_types
    return MISSING_EXTENSION if _PSK in types and _PSK_MODES not in types else None


def _psk_binders(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.2.11: a binder for each identity."""
    offered = hello.extension(_PSK)
    return None if offered is None or len(offered.identities) == len(offered.binders) else ILLEGAL_PARAMETER


def _mandatory(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 9.2, for a server that has certificates and no PSK."""
    missing = {_GROUPS_EXT, _SCHEMES_EXT, _SHARES}.difference(hello.extension_types)
    return MISSING_EXTENSION if missing else None


def _listed_once(character: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.2.8: one share a group, only of groups listed; others than ours nobody looks at."""
    groups = [group for group in hello.key_shares if group in character.groups]
    listed = character.quirks.edge == "unlisted-group" or set(groups) <= set(hello.groups)
    return None if listed and len(set(groups)) == len(groups) else ILLEGAL_PARAMETER


def _shares(character: Character, hello: ClientHello) -> int | None:
    """RFC 9846 sections 4.2.8.1 and 4.2.8.2: each share as long as its group says, and an element of it."""
    for share in hello.readable(_SHARES):
        if share.group not in character.groups:
            continue
        length = GROUPS[share.group].client_share_len
        if length and len(share.key_exchange) != length:
            return ILLEGAL_PARAMETER
        if not _is_element(share.group, share.key_exchange, character.quirks.edge):
            return ILLEGAL_PARAMETER
    return None


_CHECKS_OLDER = (_point_formats,)  # RFC 8422 section 5.1.2; TLS 1.3 ignores the list
_CHECKS_TLS13 = (
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
    if edges.takes_any_share(edge, kind):
        return True
    if kind == "ffdhe":
        return 2 <= int.from_bytes(share) <= ffdhe_prime(group) - 2
    return group not in _CURVE_CONSTANTS or _on_curve(*_CURVE_CONSTANTS[group], share)


def _on_curve(p: int, b: int, point: bytes) -> bool:
    """Whether an uncompressed point satisfies the curve equation (SEC 1 section 3.2.2)."""
    middle = 1 + len(point) // 2
    x, y = int.from_bytes(point[1:middle]), int.from_bytes(point[middle:])
    return point[0] == 4 and x < p and y < p and (y * y - x * x * x + 3 * x - b) % p == 0


def _choose_tls13(character: Character, hello: ClientHello, retried: int | None) -> Choice | Refusal:
    suites = _suites(character, hello, TLS13)
    signer = _signer_tls13(character, hello)
    common = [group for group in character.groups if group in hello.groups and GROUPS[group].tls13]
    if character.quirks.unoffered == "group":
        common = [_not_offered_group(hello.groups, "tls13")]
    if character.quirks.edge == "unlisted-group":
        common = [group for group in character.groups if group in hello.key_shares] or common
    if not suites or signer is None or not common:
        return Refusal(HANDSHAKE_FAILURE)
    kind, scheme = signer
    shared = [group for group in common if group in hello.key_shares]
    choice = Choice(TLS13, suites[0], group=common[0], certificate=kind, scheme=scheme)
    if character.quirks.unoffered == "group":
        return choice
    if retried is not None:
        # RFC 9846 section 4.1.2: the second hello holds exactly the share that was asked for.
        return choice if hello.key_shares == (retried,) else Refusal(ILLEGAL_PARAMETER)
    return msgspec.structs.replace(choice, group=shared[0] if shared else common[0], retry=not shared)


def _signer_tls13(character: Character, hello: ClientHello) -> tuple[str, int] | None:
    for scheme in character.schemes:
        row = SCHEMES[scheme]
        for kind in character.certificates:
            fits = row.family in _FAMILIES[kind] and (kind != "ec" or row.key_type == _EC_CURVE)
            if scheme in hello.signature_schemes and row.tls13 == "Y" and fits:
                return kind, scheme
    return None


def _choose(character: Character, hello: ClientHello, version: int) -> Choice | Refusal:
    for suite in _suites(character, hello, version):
        choice = _serve(character, hello, version, suite)
        if choice is not None:
            return choice
        if character.quirks.picks_blindly:
            break
    return Refusal(HANDSHAKE_FAILURE)


def _suites(character: Character, hello: ClientHello, version: int) -> list[int]:
    """The suites to choose from, best first."""
    configured, quirks = character.suites[version], character.quirks
    found = _in_order(character, configured if quirks.unoffered == "suite" else hello.suites, configured)
    return list(configured) if quirks.edge == "suite-of-its-own" and not found else found


def _in_order(character: Character, offered: tuple[int, ...], configured: tuple[int, ...]) -> list[int]:
    first, second = (configured, offered) if character.preference == "server" else (offered, configured)
    wanted = frozenset(second)
    return [suite for suite in first if suite in wanted and suite not in SCSV]


def _serve(character: Character, hello: ClientHello, version: int, suite: int) -> Choice | None:
    """The choice of ``suite`` before TLS 1.3, None when certificate, signature scheme or group are lacking."""
    kind = certificate_kind(suite)
    if kind is not None and kind not in character.certificates:
        return None
    scheme = 0
    listed = _SCHEMES_EXT in hello.extension_types
    # RFC 5246 section 7.4.2: what is not signed with its key still comes with a certificate, which is signed.
    if version == TLS12 and kind is not None and (listed or signs(suite)):
        offered = hello.signature_schemes if listed else _SHA1_SCHEMES
        fitting = (code for code in character.schemes if code in offered and SCHEMES[code].family in _FAMILIES[kind])
        scheme = character.quirks.signs_with or next(fitting, 0)
        if not scheme:
            return None
        scheme = scheme if signs(suite) else 0
    group = _group(character, hello, suite)
    if group is None:
        return None
    compression = next((method for method in character.compression if method in hello.compression), 0)
    return Choice(version, suite, compression, group or None, kind, scheme)


def _group(character: Character, hello: ClientHello, suite: int) -> int | None:
    """The group of the key exchange of ``suite``, 0 when it needs none, None when there is no common one."""
    row = SUITES[suite]
    listed = _GROUPS_EXT in hello.extension_types
    if row.kex == "ECDHE" or (row.kex == "ECDH" and row.anonymous):
        if character.quirks.unoffered == "group":
            return _not_offered_group(hello.groups, "tls12")
        curves = [code for code in character.groups if GROUPS[code].tls12 and GROUPS[code].kind in _CURVES]
        return next((code for code in curves if not listed or code in hello.groups), None)
    if row.kex == "DHE":
        # RFC 7919 section 4: a client that lists FFDHE groups wants one of them; servers without any do not know.
        finite = [code for code in hello.groups if GROUPS[code].kind == "ffdhe"]
        own = [code for code in character.groups if GROUPS[code].kind == "ffdhe"]
        return None if finite and own and not set(finite).intersection(own) else 0
    return 0


_CURVES = frozenset({"ec", "ec-binary", "xdh"})
_RARE_GROUPS = {"tls12": (0x0016, 0x0019, 0x001E, 0x0018), "tls13": (0x0019, 0x001E, 0x0018, 0x0200)}


def _not_offered_group(offered: tuple[int, ...], era: str) -> int:
    """A group the client did not list; when it listed all of them, one that nobody has assigned."""
    return next((code for code in _RARE_GROUPS[era] if code not in offered), 0xFE99)
