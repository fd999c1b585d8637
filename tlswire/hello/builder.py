"""Building ClientHellos: one that offers exactly the given version and suites, with what they need to be judged fairly.

Sans-IO and deterministic: randoms come from the caller's generator. What a hello carries beside its suites is a Shape,
so a scanner can try another one when a server objects. Sources: RFC 9846 section 4.2.2, RFC 8422 section 5.1,
RFC 5054 section 2.5.1 (SRP), RFC 9189 (GOST), RFC 8998 (SM2), RFC 8492 (PWD), RFC 5746 section 3.4.
Must not import anything of tlswire but ``registry``, ``wire`` and ``errors``.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import msgspec

from tlswire.hello.shares import probe_share
from tlswire.registry import GROUPS, SCHEMES, SUITES
from tlswire.wire import sslv2
from tlswire.wire.extension_bodies import KeyShareEntry, ServerName
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import CLIENT_HELLO, CLIENT_HELLO_BODY, encode_handshake
from tlswire.wire.messages import ClientHello, Extension
from tlswire.wire.primitives import build
from tlswire.wire.records import HANDSHAKE, fragment, sslv2_record

if TYPE_CHECKING:
    from random import Random

SSLV2_VERSION, SSLV3_VERSION, TLS12_VERSION, TLS13_VERSION = 0x0002, 0x0300, 0x0303, 0x0304

# Most deployed first: short-sighted servers look only at the head of the list.
_GROUPS_FIRST = (0x001D, 0x0017, 0x0018, 0x0019, 0x11EC, 0x001E)
USUAL_SCHEMES = (
    *(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0603, 0x0807, 0x0808),
    *(0x0809, 0x080A, 0x080B, 0x0201, 0x0203, 0x0402, 0x0202),
)


def _known_groups(version: int) -> tuple[int, ...]:
    # tlslite-ng refuses a TLS 1.3 hello that lists groups only TLS 1.2 has; explicit curves and GREASE offer nothing.
    modern = version >= TLS13_VERSION
    usable = [
        row.code
        for row in GROUPS
        if (row.tls13 if modern else row.tls12) and row.kind not in {"grease", "explicit"} and row.status != "private"
    ]
    return tuple(dict.fromkeys([*(code for code in _GROUPS_FIRST if code in usable), *usable]))


def _known_schemes() -> tuple[int, ...]:
    return tuple(dict.fromkeys([*USUAL_SCHEMES, *(row.code for row in SCHEMES)]))


class Shape(msgspec.Struct, frozen=True):
    """What a probe's hello carries beside version and suites.

    ``groups`` and ``schemes`` None mean every registered one; ``extensions`` False leaves all extensions out where
    the version can do without (TLS 1.2 and older).
    """

    server_name: bytes | None = None
    alpn: tuple[bytes, ...] = ()
    groups: tuple[int, ...] | None = None
    key_shares: tuple[int, ...] = (0x001D, 0x0017)
    schemes: tuple[int, ...] | None = None
    extensions: bool = True


@cache
def _special() -> dict[int, str]:
    """The suites whose key exchange needs an extension of its own: srp, pwd or sm2."""
    needs = {}
    for row in SUITES:
        if row.kex == "SRP":
            needs[row.code] = "srp"
        elif row.kex == "ECCPWD":
            needs[row.code] = "pwd"
        elif row.kex.startswith("SM") or "SM4" in row.enc:
            needs[row.code] = "sm2"
    return needs


@cache
def _elliptic() -> frozenset[int]:
    return frozenset(row.code for row in SUITES if row.kex.startswith("EC"))


@lru_cache(maxsize=256)
def _extensions(versions: tuple[int, ...], shape: Shape, needs: frozenset[str], plain: bool) -> tuple[Extension, ...]:
    if plain:
        return ()
    newest = max(versions)
    modern, tls12, tls, old = (
        newest >= TLS13_VERSION,
        newest >= TLS12_VERSION,
        newest > SSLV3_VERSION,
        min(versions) < TLS13_VERSION,
    )
    groups = _groups(versions, needs) if shape.groups is None else shape.groups
    schemes = _known_schemes() if shape.schemes is None else shape.schemes
    shares = tuple(KeyShareEntry(code, probe_share(code)) for code in shape.key_shares)
    rows: tuple[tuple[bool, int, object], ...] = (
        (shape.server_name is not None, 0, (ServerName(0, shape.server_name or b""),)),
        # renegotiation_info rather than the SCSV: the hello keeps offering one suite and nothing else.
        (old, 0xFF01, b""),
        (old, 23, None),
        (old and tls, 22, None),
        (old and tls, 35, b""),
        (old, 11, (0,)),
        (bool(groups), 10, groups),
        (tls12, 13, schemes),
        (bool(shape.alpn), 16, shape.alpn),
        ("srp" in needs, 12, b"user"),
        ("pwd" in needs, 30, b"user"),
        (modern, 43, versions),
        (modern, 45, (1, 0)),
        (modern, 51, shares),
    )
    return tuple(Extension(code, encode_extension(code, value, "ch")) for wanted, code, value in rows if wanted)


def _groups(versions: tuple[int, ...], needs: frozenset[str]) -> tuple[int, ...]:
    groups = _known_groups(max(versions))
    if TLS13_VERSION in versions and len(versions) > 1:
        groups = (*_GROUPS_FIRST, *_known_groups(TLS12_VERSION), *groups)
    if "sm2" in needs:
        groups = (*groups, 0x0029)  # curveSM2: RFC 8998 section 3.3.2
    return tuple(dict.fromkeys(groups))


def client_hello(
    versions: int | tuple[int, ...], suites: tuple[int, ...], *, rng: Random, shape: Shape | None = None
) -> ClientHello:
    """A ClientHello that offers exactly ``versions`` (SSLv3 to TLS 1.3; newest decides its form) and ``suites``.

    Several versions below TLS 1.3 cannot be offered apart: legacy_version then names the newest. Raises WireError
    when a list is too long for its field.
    """
    offered = (versions,) if isinstance(versions, int) else versions
    newest = max(offered)
    shape = Shape() if shape is None else shape
    # SSLv3 knows no extensions (RFC 6101); servers that do elliptic curves there all the same want to see groups.
    plain = not shape.extensions and newest < TLS13_VERSION
    plain = plain or (newest <= SSLV3_VERSION and _elliptic().isdisjoint(suites))
    special = _special()
    needs = frozenset(special[code] for code in special.keys() & suites)
    extensions = _extensions(offered, shape, needs, plain)
    return ClientHello(
        legacy_version=min(newest, TLS12_VERSION),
        random=rng.randbytes(32),
        # RFC 9846 appendix E.4: a non-empty session id keeps middleboxes calm.
        session_id=rng.randbytes(32) if newest >= TLS13_VERSION else b"",
        suites=suites,
        compression=(0,),
        extensions=extensions or None,
    )


def encode_client_hello(hello: ClientHello, *, record_version: int | None = None, record_size: int = 1 << 14) -> bytes:
    """The records that carry ``hello``: by default version 0x0301, 0x0300 for SSLv3 (RFC 9846 section 5.1)."""
    if record_version is None:
        record_version = min(hello.legacy_version, 0x0301)
    message = encode_handshake(CLIENT_HELLO, build(CLIENT_HELLO_BODY, hello, "client_hello"))
    return fragment(HANDSHAKE, record_version, message, record_size)


def sslv2_client_hello(kinds: tuple[int, ...], *, rng: Random, version: int = SSLV2_VERSION) -> bytes:
    """An SSLv2 record with a CLIENT-HELLO for 24-bit ``kinds``; a TLS ``version`` makes the SSLv2-framed hello
    of RFC 5246 appendix E.2, whose kinds are suites with a leading zero byte.
    """
    hello = sslv2.SSLv2ClientHello(version=version, kinds=kinds, session_id=b"", challenge=rng.randbytes(16))
    return sslv2_record(
        bytes([sslv2.CLIENT_HELLO]) + build(sslv2.SSLV2_BODIES[sslv2.CLIENT_HELLO], hello, "sslv2_client_hello")
    )
