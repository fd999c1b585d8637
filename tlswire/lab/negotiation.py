"""What a character makes of a ClientHello: a Choice of version, suite, group and signature, or a Refusal.

Pure: the same hello always gives the same answer. Sources: RFC 9846 section 4.2, RFC 5246 section 7.4.1, RFC 8422
sections 4 and 5, RFC 7919 section 4. Must not import anything of tlswire but ``registry``, ``wire``, ``lab.characters``
and ``lab.checks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.lab import checks
from tlswire.lab.characters import TLS12, TLS13, Character, certificate_kind
from tlswire.lab.refusals import HANDSHAKE_FAILURE, ILLEGAL_PARAMETER, PROTOCOL_VERSION
from tlswire.registry import GROUPS, SCHEMES, SCSV, SUITES

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello

_SCHEMES_EXT, _VERSIONS_EXT, _GROUPS_EXT = 13, 43, 10
_EC_CURVE = "secp256r1"  # of the EC certificate; RFC 9846 section 4.3.3 ties each scheme to its curve

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
    alert = checks.first(checks.EVERY, character, hello)
    if alert is not None:
        return Refusal(alert)
    version = choose_version(character, hello)
    if version is None:
        return Refusal(PROTOCOL_VERSION)
    alert = checks.first(checks.TLS13_ONLY if version == TLS13 else checks.OLDER_ONLY, character, hello)
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
        # RFC 9846 section 4.2.2: the second hello holds exactly the share that was asked for.
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
