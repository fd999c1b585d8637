"""Hellos of real clients made fit to be sent: once more, to another name, in one version only.

What must differ from the hello as it was recorded is replaced, everything else stays byte for byte in place.
Sans-IO; randomness comes from the caller. Sources: RFC 9846 sections 4.2.2 and 4.3, RFC 5077 section 3.4, RFC 5746
section 3.5, RFC 7685 section 4.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire`` and the rest of ``hello``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import UsageError
from tlswire.hello import edit
from tlswire.hello.shares import probe_share
from tlswire.registry import EXTENSIONS, GREASE, GROUPS, SCSV, SUITES, VERSIONS
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import CLIENT_HELLO_BODY
from tlswire.wire.primitives import build

if TYPE_CHECKING:
    from random import Random

    from tlswire.wire.messages import ClientHello

PADDING, SESSION_TICKET, EARLY_DATA, COOKIE, RENEGOTIATION_INFO = 21, 35, 42, 44, 0xFF01
_TLS13 = 0x0304
_GREASE = frozenset(GREASE)
# What a client leaves out that does not do TLS 1.3: BoringSSL's rule, which sends compress_certificate all the same.
_TLS13_ONLY = frozenset(
    {edit.PRE_SHARED_KEY, EARLY_DATA, edit.VERSIONS, COOKIE, 45, 49, edit.KEY_SHARE, 57, 0x4469, 0x44CD, 0xFE0D}
)


def replayed(hello: ClientHello, *, rng: Random, server_name: bytes | None = None) -> ClientHello:
    """A recorded hello fit to be sent again: new random, session id and key shares, and ``server_name`` when given.

    What belongs to the old session goes: pre_shared_key, early_data and cookie, the content of session_ticket, the
    verify_data of renegotiation_info. GREASE values and every other byte stay.
    """
    hello = msgspec.structs.replace(hello, random=rng.randbytes(32), session_id=rng.randbytes(len(hello.session_id)))
    for code in (edit.PRE_SHARED_KEY, EARLY_DATA, COOKIE):
        hello = edit.with_extension(hello, code, None)
    for code, fresh in ((SESSION_TICKET, b""), (RENEGOTIATION_INFO, b"\x00")):
        if hello.raw_extension(code) not in {None, fresh}:
            hello = edit.with_extension(hello, code, fresh)
    shares: tuple[KeyShareEntry, ...] = hello.readable(edit.KEY_SHARE) or ()
    if shares:
        hello = edit.with_extension(
            hello, edit.KEY_SHARE, encode_extension(edit.KEY_SHARE, tuple(map(_fresh, shares)), "ch")
        )
    return hello if server_name is None else padded(edit.with_server_name(hello, server_name))


def _fresh(share: KeyShareEntry) -> KeyShareEntry:
    # A group whose shares have no known form keeps the bytes it came with, and so does GREASE.
    known = GROUPS[share.group].client_share_len
    return KeyShareEntry(share.group, probe_share(share.group)) if known else share


def padded(hello: ClientHello) -> ClientHello:
    """The hello with its padding extension, if it has one, of the length that BoringSSL gives it.

    A message of 256 to 511 bytes grows to 512, which some servers need (RFC 7685 section 4); any other does without.
    """
    if hello.raw_extension(PADDING) is None:
        return hello
    bare = edit.with_extension(hello, PADDING, None)
    length = 4 + len(build(CLIENT_HELLO_BODY, bare, "client_hello"))
    if not 0xFF < length < 0x200:
        return bare
    return edit.with_extension(hello, PADDING, bytes(max(0x200 - length - 4, 1)))


def only_version(hello: ClientHello, version: int) -> ClientHello:
    """The hello as its client sends it when it may do ``version`` (TLS 1.2 or 1.3) and no other.

    Suites, groups and extensions of the others go; below TLS 1.3 there is no session id to echo (RFC 9846 appendix
    E.4). What is left keeps its order. Raises UsageError where the hello does not offer ``version``, or no suite of it.
    """
    if version not in hello.versions:
        raise UsageError(VERSIONS[version].name, "is not among the versions of the hello")
    modern = version >= _TLS13
    suites = tuple(code for code in hello.suites if _suite_of(code, version))
    if not suites:
        raise UsageError(VERSIONS[version].name, "has none of the suites of the hello")
    hello = msgspec.structs.replace(
        hello,
        legacy_version=min(version, 0x0303),
        session_id=hello.session_id if modern else b"",
        suites=suites,
        extensions=tuple(item for item in hello.extensions or () if _extension_of(item.type, modern=modern)) or None,
    )
    groups = tuple(code for code in hello.groups if (GROUPS[code].tls13 if modern else GROUPS[code].tls12))
    if groups != hello.groups:
        # An empty list cannot be written (RFC 8422 section 5.1.1).
        body = encode_extension(edit.GROUPS, groups, "ch") if groups else None
        hello = edit.with_extension(hello, edit.GROUPS, body)
    if modern:
        versions = tuple(code for code in hello.versions if code in _GREASE or code == version)
        hello = edit.with_extension(hello, edit.VERSIONS, encode_extension(edit.VERSIONS, versions, "ch"))
    return padded(hello)


def _suite_of(code: int, version: int) -> bool:
    row = SUITES[code]
    if code in _GREASE or not row.min_version:
        return True
    if code in SCSV:
        return version < _TLS13
    return VERSIONS.find(row.min_version).code <= version <= VERSIONS.find(row.max_version).code


def _extension_of(code: int, *, modern: bool) -> bool:
    if modern:
        return code not in EXTENSIONS or "ch" in EXTENSIONS[code].messages
    return code not in _TLS13_ONLY
