"""What a character makes of a ClientHello: a Choice of version, suite, group and signature, or a Refusal.

Pure: the same hello always gives the same answer. Sources: RFC 9846 sections 4.1 to 4.2 and 9.2, RFC 5246 section
7.4.1, RFC 8422 sections 4 and 5, RFC 7919 section 4, RFC 7507 section 3.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire`` and ``lab.characters``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import WireError
from tlswire.lab.characters import ALPN, POINT_FORMATS, TLS12, TLS13, Character, certificate_kind
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

    from tlswire.wire.messages import ClientHello

_GROUPS_EXT, _SCHEMES_EXT, _PSK, _VERSIONS_EXT, _PSK_MODES, _SHARES = 10, 13, 41, 43, 45, 51
_FALLBACK_SCSV = 0x5600
_P256 = 0x0017
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
    if offered is None:
        newest = min(hello.legacy_version, TLS12)
        offered = [version for version in character.suites if 0x0300 <= version <= newest]
    return max((version for version in offered if version in character.suites), default=None)


def _first(
    checks: Iterable[Callable[[Character, ClientHello], int | None]], character: Character, hello: ClientHello
) -> int | None:
    return next((alert for check in checks if (alert := check(character, hello)) is not None), None)


def _client_version(character: Character, hello: ClientHello) -> int | None:
    limit = character.quirks.client_version_limit
    return PROTOCOL_VERSION if limit and hello.legacy_version > limit else None


def _duplicates(_: Character, hello: ClientHello) -> int | None:
    types = hello.extension_types
    return ILLEGAL_PARAMETER if len(set(types)) < len(types) else None


def _bodies(character: Character, hello: ClientHello) -> int | None:
    known = {_GROUPS_EXT, _SCHEMES_EXT, ALPN, *character.answers}
    if TLS13 in character.suites:
        known |= {_VERSIONS_EXT, _SHARES, _PSK, _PSK_MODES, 28, 42, 44, 50}
    try:
        for code in known.intersection(hello.extension_types):
            hello.extension(code)
    except WireError:
        return DECODE_ERROR
    return None


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
    _duplicates,
    _bodies,
    _null_compression,
    _needs_name,
    _needs_alpn,
    _some_alpn,
    _fallback,
)


def _only_null_compression(_: Character, hello: ClientHello) -> int | None:
    return None if hello.compression == (0,) else ILLEGAL_PARAMETER


def _psk_rules(_: Character, hello: ClientHello) -> int | None:
    types = hello.extension_types
    if _PSK not in types:
        return None
    if types[-1] != _PSK:  # RFC 9846 section 4.2.11
        return ILLEGAL_PARAMETER
    return None if _PSK_MODES in types else MISSING_EXTENSION  # RFC 9846 section 4.2.9


def _mandatory(_: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 9.2, for a server that has certificates and no PSK."""
    missing = {_GROUPS_EXT, _SCHEMES_EXT, _SHARES}.difference(hello.extension_types)
    return MISSING_EXTENSION if missing else None


def _shares(character: Character, hello: ClientHello) -> int | None:
    """RFC 9846 section 4.2.8: one share a group, only of groups listed, each as long as its group says."""
    shares = hello.readable(_SHARES)
    groups = [share.group for share in shares]
    if len(set(groups)) < len(groups) or not set(groups) <= set(hello.groups):
        return ILLEGAL_PARAMETER
    for share in shares:
        if share.group not in character.groups:
            continue
        length = GROUPS[share.group].client_share_len
        if (length and len(share.key_exchange) != length) or (
            share.group == _P256 and not _on_p256(share.key_exchange)
        ):
            return ILLEGAL_PARAMETER
    return None


_CHECKS_OLDER = (_point_formats,)  # RFC 8422 section 5.1.2; TLS 1.3 ignores the list
_CHECKS_TLS13 = (_only_null_compression, _psk_rules, _mandatory, _shares)


def _on_p256(point: bytes) -> bool:
    """Whether an uncompressed point satisfies the curve equation (SEC 1 section 3.2.2, FIPS 186-4 D.1.2.3)."""
    p = (1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    return point[0] == 4 and x < p and y < p and (y * y - x * x * x + 3 * x - b) % p == 0


def _choose_tls13(character: Character, hello: ClientHello, retried: int | None) -> Choice | Refusal:
    suites = _in_order(character, hello.suites, character.suites[TLS13])
    signer = _signer_tls13(character, hello)
    common = [group for group in character.groups if group in hello.groups and GROUPS[group].tls13]
    if character.quirks.unoffered == "group":
        common = [_not_offered_group(hello.groups, "tls13")]
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
    offered = (*character.suites[version],) if character.quirks.unoffered == "suite" else hello.suites
    for suite in _in_order(character, offered, character.suites[version]):
        choice = _serve(character, hello, version, suite)
        if choice is not None:
            return choice
        if character.quirks.picks_blindly:
            break
    return Refusal(HANDSHAKE_FAILURE)


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
    if version == TLS12 and kind is not None and signs(suite):
        offered = hello.signature_schemes if _SCHEMES_EXT in hello.extension_types else _SHA1_SCHEMES
        fitting = (code for code in character.schemes if code in offered and SCHEMES[code].family in _FAMILIES[kind])
        scheme = character.quirks.signs_with or next(fitting, 0)
        if not scheme:
            return None
    group = _group(character, hello, suite)
    if group is None:
        return None
    compression = next(method for method in character.compression if method in hello.compression)
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
