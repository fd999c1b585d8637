"""Hellos as results: decoded once for equal bytes, shown as strings that are made once for equal lists.

Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``hello`` and ``results``; no I/O.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from struct import unpack_from
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tlswire.errors import WireError
from tlswire.hello.ech import ECH, ESNI, encrypted_client_hello
from tlswire.hello.fingerprints import ja3_text_of, ja3s_text_of, ja4_of, md5, remembered
from tlswire.registry import GROUPS, SSLV2_KINDS, SUITES, VERSIONS, hex_code
from tlswire.results.session import Ech, Hello, ServerHello
from tlswire.wire.cursor import escaped
from tlswire.wire.extensions import decode_extension
from tlswire.wire.handshake import parse_client_hello, parse_server_hello
from tlswire.wire.partial import has_whole_lists, parse_partial_client_hello, parse_partial_server_hello
from tlswire.wire.sslv2 import parse_sslv2_client_hello

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello
    from tlswire.wire.messages import ServerHello as WireServerHello

_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SCHEMES, _ALPN, _MASTER_SECRET = 0, 10, 11, 13, 16, 23
_SESSION_TICKET, _DRAFT_KEY_SHARE, _PRE_SHARED_KEY, _EARLY_DATA, _SUPPORTED_VERSIONS, _KEY_SHARE = (
    35,
    40,
    41,
    42,
    43,
    51,
)

# Bodies that come again and again (a replayed hello, a scanner) are described once; unlike ones do not fill the memory.
_REMEMBERED = 512
_LONGEST = 4096
_MOST_TYPES = 64  # of an answer that is remembered by what it says; none has as many in earnest
_hellos: dict[tuple[str, bytes, bytes], tuple[tuple[Any, ...], WireError | None]] = {}


def describe_hello(
    frame: int, record_version: int, body: bytes, transport: str, first: bytes = b""
) -> tuple[Hello | None, WireError | None]:
    """A ClientHello body (without header) and what was wrong with it; ``transport`` as in ``ja4``.

    ``first`` is the body of the hello whose retry this one answers. A body that breaks the grammar is described as far
    as it can be read; None when it cannot at all.
    """
    key = (transport, body, first)
    known = _hellos.get(key)
    if known is None:
        try:
            known = _fields(parse_client_hello(body), body, len(body), transport, first=first), None
        except WireError as fault:
            value = parse_partial_client_hello(body)
            if value is None:
                return None, fault
            fields = _fields(value, body, len(body), transport, partial=True, prints=has_whole_lists(body))
            known = fields, fault.with_traceback(None)  # its frames would keep everything they saw
        if len(body) <= _LONGEST:
            if len(_hellos) >= _REMEMBERED:
                del _hellos[next(iter(_hellos))]
            _hellos[key] = known
    return Hello(frame, _version(record_version), *known[0]), known[1]


def describe_client_hello(frame: int, record_version: int, value: ClientHello, body: bytes, transport: str) -> Hello:
    """As ``describe_hello`` for a hello that another grammar has read (DTLS)."""
    return Hello(frame, _version(record_version), *_fields(value, body, len(body), transport))


def describe_partial_hello(frame: int, record_version: int, body: bytes, length: int, transport: str) -> Hello | None:
    """The beginning of a ClientHello of ``length`` bytes; None when it is too short to say anything."""
    value = parse_partial_client_hello(body, cookie=transport == "d")
    if value is None:
        return None
    fields = _fields(value, body, length, transport, partial=True, prints=False)
    return Hello(frame, _version(record_version), *fields)


def describe_sslv2_hello(frame: int, body: bytes) -> Hello:
    """An SSLv2 ClientHello, or one in SSLv2 form that offers SSLv3 or TLS (RFC 5246 appendix E.2). Raises WireError."""
    value = parse_sslv2_client_hello(body)
    return Hello(
        frame=frame,
        record_version="0x0002",
        legacy_version=_version(value.version),
        suites=[SSLV2_KINDS.hex(kind) for kind in value.kinds],
        extensions=[],
        groups=[],
        key_shares=[],
        signature_schemes=[],
        versions=[],
        point_formats=[],
        server_name=None,
        alpn=[],
        ja3=None,
        ja3_text=None,
        ja4=None,
        ja4_r=None,
        ja4_o=None,
        ja4_ro=None,
        partial=False,
        session_id=bool(value.session_id),
        session_ticket=False,
        psk=False,
        early_data=False,
        ech=None,
        length=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
    )


def describe_server_hello(frame: int, record_version: int, body: bytes) -> tuple[ServerHello, WireServerHello]:
    """A ServerHello or HelloRetryRequest, as a result and as read. Raises WireError."""
    read = _read_server_hello if len(body) <= _LONGEST else _read_server_hello.__wrapped__
    kind, fields, value = read(body)
    return ServerHello(frame, kind, _version(record_version), *fields), value


def describe_partial_server_hello(
    frame: int, record_version: int, body: bytes
) -> tuple[ServerHello, WireServerHello] | None:
    """The beginning of a ServerHello; None when it ends before its extensions."""
    value = parse_partial_server_hello(body)
    if value is None:
        return None
    kind, fields = _server_fields(value, partial=True)
    return ServerHello(frame, kind, _version(record_version), *fields), value


@lru_cache(maxsize=_REMEMBERED)
def _read_server_hello(body: bytes) -> tuple[Literal["hello", "retry"], tuple[Any, ...], WireServerHello]:
    value = parse_server_hello(body)
    return *_server_fields(value), value


def _server_fields(
    value: WireServerHello, *, partial: bool = False
) -> tuple[Literal["hello", "retry"], tuple[Any, ...]]:
    """The kind of a ServerHello, and the fields of its result behind ``record_version`` in their order."""
    types = value.extension_types
    name = value.alpn
    usual = len(types) <= _MOST_TYPES and (name is None or len(name) <= _LONGEST_NAME)
    described = _server_row if usual else _server_row.__wrapped__
    return "retry" if value.is_retry else "hello", described(
        value.legacy_version, value.version, value.suite, types, value.group, name, partial
    )


@lru_cache(maxsize=_REMEMBERED)
def _server_row(
    legacy: int,
    version: int,
    suite: int,
    types: tuple[int, ...],
    group: int | None,
    name: bytes | None,
    partial: bool,
) -> tuple[Any, ...]:
    """The fields for what an answer says but for its random and keys: of many answers there are few kinds."""
    text = None if partial else ja3s_text_of(legacy, suite, types)
    return (
        _version(legacy),
        _version(version),
        VERSIONS[version].name,
        _hex(suite),
        SUITES[suite].name,
        _list(types),
        None if group is None else _hex(group),
        None if group is None else GROUPS[group].name,
        None if name is None else _text(name),
        None if text is None else md5(text),
        text,
        _MASTER_SECRET in types,
        _PRE_SHARED_KEY in types,
        partial,
    )


def _fields(
    value: ClientHello,
    body: bytes,
    length: int,
    transport: str,
    *,
    partial: bool = False,
    prints: bool = True,
    first: bytes = b"",
) -> tuple[Any, ...]:
    """The fields of a Hello behind ``record_version``, in their order; without fingerprints unless ``prints``."""
    legacy, suites, types = value.legacy_version, value.suites, value.extension_types
    # The named views of a ClientHello walk its extensions one by one; here all of them are wanted. The first counts.
    bodies = {item.type: item.data for item in reversed(value.extensions or ())}
    groups, formats, schemes = _view(bodies, _GROUPS), _view(bodies, _POINT_FORMATS), _view(bodies, _SCHEMES)
    versions, names = _view(bodies, _SUPPORTED_VERSIONS), _view(bodies, _ALPN)
    shares = _share_groups(bodies.get(_KEY_SHARE, b"")) or _share_groups(bodies.get(_DRAFT_KEY_SHARE, b""))
    name = next((item.name for item in _view(bodies, _SERVER_NAME) if item.type == 0), None)
    text = ja3_text_of(legacy, suites, types, groups, formats) if prints else None
    marks = ja4_of(transport, legacy, versions, suites, types, schemes, names) if prints else None
    ech = None
    if ECH in bodies or ESNI in bodies:
        ech = encrypted_client_hello(value, first=_readable_hello(first), whole=not partial)
    return (
        _version(legacy),
        _codes(suites),
        _list(types),
        _codes(groups),
        _codes(shares),
        _codes(schemes),
        _codes(versions),
        _list(formats),
        None if name is None else _text(name),
        [_text(item) for item in names],
        None if text is None else md5(text),
        text,
        None if marks is None else marks.ja4,
        None if marks is None else marks.r,
        None if marks is None else marks.o,
        None if marks is None else marks.ro,
        partial,
        bool(value.session_id),
        bool(bodies.get(_SESSION_TICKET)),
        _PRE_SHARED_KEY in bodies,
        _EARLY_DATA in bodies,
        None if ech is None else Ech(*msgspec.structs.astuple(ech)),
        length,
        hashlib.sha256(body).hexdigest(),
    )


def _readable_hello(body: bytes) -> ClientHello | None:
    try:
        return parse_client_hello(body) if body else None
    except WireError:
        return None


def _view(bodies: dict[int, bytes], code: int) -> Any:
    """The decoded extension ``code``; nothing where it is absent or does not parse, as in ``ClientHello.readable``."""
    data = bodies.get(code)
    if data is None:
        return ()
    try:
        return decode_extension(code, data, "ch")
    except WireError:
        return ()


def _share_groups(data: bytes) -> tuple[int, ...]:
    """``ClientHello.key_shares`` without the keys, which are long and new in every hello (RFC 9846 section 4.3.8)."""
    found = []
    at = 2
    while at + 4 < len(data):
        group, length = unpack_from(">HH", data, at)
        if not length:
            return ()
        found.append(group)
        at += 4 + length
    return tuple(found) if at == len(data) == 2 + int.from_bytes(data[:2], "big") else ()


# The lists below are shared between results, which nobody changes.


@remembered
def _codes(codes: tuple[int, ...]) -> list[str]:
    return [_hex(code) for code in codes]


@remembered
def _list(codes: tuple[int, ...]) -> list[int]:
    return list(codes)


_LONGEST_NAME = 255  # of a host name or of a protocol (RFC 1035 section 2.3.4, RFC 7301 section 3.1)
_escaped = lru_cache(maxsize=2048)(escaped)


def _text(name: bytes) -> str:
    return _escaped(name) if len(name) <= _LONGEST_NAME else escaped(name)


@lru_cache(maxsize=4096)
def _hex(code: int) -> str:
    return hex_code(code, 4)


_version = _hex
