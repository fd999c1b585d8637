"""Hellos of real clients as data: ``profiles/NAME.toml`` (DOOR) -> Profile -> a ClientHello of any seed and server name.

A profile's hello is a template: GREASE codes are slots, random, session id and key shares place holders. What differs
from one hello of a client to the next is filled in here, by the rules of RFC 8701 section 3.1 as BoringSSL follows
them. docs/profiles.md says what stands in a file. Sans-IO but for reading its own files.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire`` and the rest of ``hello``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from tlswire.errors import LookupFailedError, TlswireError, UsageError
from tlswire.hello import ech, edit
from tlswire.hello.replay import padded
from tlswire.hello.shares import probe_share
from tlswire.registry import (
    ALPN,
    CERTIFICATE_COMPRESSION,
    EXTENSIONS,
    GREASE,
    GROUPS,
    POINT_FORMATS,
    PSK_MODES,
    SCHEMES,
    SUITES,
    VERSIONS,
)
from tlswire.wire.extension_bodies import EchClientHello, EchOuter, HpkeSuite, KeyShareEntry
from tlswire.wire.extensions import decode_extension, encode_extension
from tlswire.wire.messages import ClientHello, Extension

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tlswire.registry import Table

SLOT = GREASE[0]  # stands in a template for any value of RFC 8701


class Fingerprints(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the client is known by when it names a server: of the profile's source, or of a recording. Empty: none known."""

    ja3: str = ""
    ja4: str = ""


class Profile(msgspec.Struct, frozen=True):
    """A client: ``releases`` says of what, ``source`` where its hello was read.

    ``synthetic`` hellos were derived from documents, and never seen on a wire; ``note`` says how, and what is not
    known. ``hello`` is the template of its hellos.
    """

    name: str
    title: str
    platform: str
    releases: str
    source: str
    synthetic: bool
    note: str
    fingerprints: Fingerprints
    hello: ClientHello


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An extension with a body that has no list of its own, in hexadecimal."""

    type: str
    body: str


class _Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[hello] as written: names or numbers of the registry; an extension named alone is empty, or has a list below."""

    session_id: int
    suites: tuple[str, ...]
    extensions: tuple[str | _Body, ...]
    groups: tuple[str, ...] = ()
    key_shares: tuple[str, ...] = ()
    signature_schemes: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    alpn: tuple[str, ...] = ()
    point_formats: tuple[str, ...] = ()
    psk_modes: tuple[str, ...] = ()
    compress_certificate: tuple[str, ...] = ()
    ech_payload: int = 0  # bytes of the payload of encrypted_client_hello


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    platform: str
    releases: str
    source: str
    synthetic: bool
    hello: _Hello
    note: str = ""
    fingerprints: Fingerprints = Fingerprints()


class _List(NamedTuple):
    """How an extension is written that has a list of its own: the key of the list, its table, what is encoded."""

    key: str
    table: Table[Any]
    value: Callable[[tuple[int, ...]], Any] = tuple


def _shares(groups: tuple[int, ...]) -> tuple[KeyShareEntry, ...]:
    return tuple(KeyShareEntry(group, probe_share(group)) for group in groups)


_LISTS: dict[int, _List] = {
    10: _List("groups", GROUPS),
    11: _List("point_formats", POINT_FORMATS),
    13: _List("signature_schemes", SCHEMES),
    27: _List("compress_certificate", CERTIFICATE_COMPRESSION),
    43: _List("versions", VERSIONS),
    45: _List("psk_modes", PSK_MODES),
    51: _List("key_shares", GROUPS, _shares),
}
_ALPN = 16
# Filled in for each hello.
_SERVER_NAME, _PADDING = 0, 21


@cache
def profile_names() -> tuple[str, ...]:
    """The names of the profiles that are shipped, sorted."""
    return tuple(sorted(item.name.removesuffix(".toml") for item in _folder().iterdir() if item.name.endswith(".toml")))


@cache
def profile(name: str) -> Profile:
    """The profile called ``name``. Raises LookupFailedError, with the nearest names."""
    if name in profile_names():
        return read_profile(name, _folder().joinpath(f"{name}.toml").read_bytes())
    import difflib  # noqa: PLC0415 - only a misspelt name needs it

    near = ", ".join(difflib.get_close_matches(name.lower(), profile_names(), n=3, cutoff=0.5))
    raise LookupFailedError(repr(name), "is no profile" + (f"; did you mean {near}?" if near else ""))


def _folder() -> Any:
    from importlib.resources import files  # noqa: PLC0415 - few commands need a profile

    return files("tlswire.hello").joinpath("profiles")


def read_profile(name: str, data: bytes) -> Profile:
    """The profile that a TOML file's ``data`` describe. Raises UsageError that says what is wrong with which key."""
    file = f"{name}.toml"
    try:
        read = msgspec.toml.decode(data, type=_File)
    except msgspec.MsgspecError as error:
        raise UsageError(file, str(error)) from None
    try:
        template = _template(read.hello)
    except (TlswireError, ValueError) as error:
        raise UsageError(file, str(error), "profile") from None
    return Profile(
        name,
        read.title,
        read.platform,
        read.releases,
        read.source,
        read.synthetic,
        read.note,
        read.fingerprints,
        template,
    )


def _template(written: _Hello) -> ClientHello:
    types = {_code(EXTENSIONS, item if isinstance(item, str) else item.type) for item in written.extensions}
    for code, key in [(_ALPN, "alpn"), (ech.ECH, "ech_payload"), *((code, row.key) for code, row in _LISTS.items())]:
        if bool(getattr(written, key)) != (code in types):
            raise UsageError(f"hello.{key}", f"goes with {EXTENSIONS[code].name} among the extensions")
    return ClientHello(
        legacy_version=0x0303,
        random=bytes(32),
        session_id=bytes(written.session_id),
        suites=_codes(SUITES, written.suites),
        compression=(0,),
        extensions=tuple(_extension(item, written) for item in written.extensions),
    )


def _extension(item: str | _Body, written: _Hello) -> Extension:
    code = _code(EXTENSIONS, item if isinstance(item, str) else item.type)
    if isinstance(item, _Body):
        if code in {*_LISTS, _ALPN, ech.ECH, _SERVER_NAME, _PADDING}:
            raise UsageError(item.type, "has no body of its own here")
        data = bytes.fromhex(item.body)
    elif code == _ALPN:
        data = encode_extension(code, tuple(_protocol(name) for name in written.alpn), "ch")
    elif code in _LISTS:
        row = _LISTS[code]
        data = encode_extension(code, row.value(_codes(row.table, getattr(written, row.key))), "ch")
    elif code == ech.ECH:
        outer = EchOuter(HpkeSuite(1, 1), 0, bytes(32), bytes(written.ech_payload))
        data = encode_extension(code, EchClientHello(0, outer), "ch")
    else:
        data = b""
    if code != _SERVER_NAME:
        decode_extension(code, data, "ch")
    return Extension(code, data)


def _codes(table: Table[Any], names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(_code(table, name) for name in names)


def _code(table: Table[Any], name: str) -> int:
    code: int = SLOT if name == "GREASE" else table.find(name).code
    return code


def _protocol(name: str) -> bytes:
    return next((row.raw for row in ALPN if row.name == name), name.encode())


def profile_hello(
    client: Profile, *, rng: Random, server_name: bytes | None, alpn: tuple[bytes, ...] | None = None
) -> ClientHello:
    """A hello as ``client`` sends it: byte-true but for random, session id, key shares, GREASE values and server name.

    ``server_name`` None leaves the extension out, as clients do for an address; ``alpn`` None means the protocols of
    the client, an empty tuple none. Key shares are those of a probe: ``handshake.offer`` makes them real.
    """
    greased = _greased(client.hello, rng)
    hello = msgspec.structs.replace(
        greased, random=rng.randbytes(32), session_id=rng.randbytes(len(greased.session_id))
    )
    encrypted = hello.extension(ech.ECH)
    if encrypted is not None:
        hello = edit.with_extension(hello, ech.ECH, ech.grease(rng, len(encrypted.body.payload)))
    if alpn is not None:
        hello = edit.with_alpn(hello, alpn) if alpn else edit.with_extension(hello, _ALPN, None)
    if server_name is None:
        hello = edit.with_extension(hello, _SERVER_NAME, None)
    else:
        hello = edit.with_server_name(hello, server_name)
    return padded(hello)


def _greased(hello: ClientHello, rng: Random) -> ClientHello:
    """The template with a GREASE value for suites, one for groups and shares, one for versions, two for extensions."""
    suite, group, version, first, second = (rng.choice(GREASE) for _ in range(5))
    if second == first:
        second ^= 0x1010  # RFC 9846 section 4.3: no extension twice; BoringSSL flips these bits, too
    for code, value in ((10, group), (43, version)):
        listed = hello.readable(code)
        if listed:
            hello = edit.with_extension(hello, code, encode_extension(code, _filled(listed, value), "ch"))
    shares: tuple[KeyShareEntry, ...] = hello.readable(51) or ()
    if shares:
        renewed = tuple(
            KeyShareEntry(group if share.group == SLOT else share.group, share.key_exchange) for share in shares
        )
        hello = edit.with_extension(hello, 51, encode_extension(51, renewed, "ch"))
    unused = iter((first, second))
    extensions = tuple(
        Extension(next(unused, second), item.data) if item.type == SLOT else item for item in hello.extensions or ()
    )
    return msgspec.structs.replace(hello, suites=_filled(hello.suites, suite), extensions=extensions)


def _filled(codes: tuple[int, ...], value: int) -> tuple[int, ...]:
    return tuple(value if code == SLOT else code for code in codes)
