"""Hellos as results: decoded once for equal bytes, shown as strings that are made once for equal lists.

Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``hello`` and ``results``; no I/O.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.errors import WireError
from tlswire.hello.ech import encrypted_client_hello
from tlswire.hello.fingerprints import ja3, ja3_text, ja3s, ja3s_text, ja4
from tlswire.registry import GROUPS, SSLV2_KINDS, SUITES, VERSIONS, hex_code
from tlswire.results.session import Ech, Hello, ServerHello
from tlswire.wire.cursor import escaped
from tlswire.wire.handshake import parse_client_hello, parse_server_hello
from tlswire.wire.partial import parse_partial_client_hello
from tlswire.wire.sslv2 import parse_sslv2_client_hello

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello
    from tlswire.wire.messages import ServerHello as WireServerHello

_SESSION_TICKET, _PRE_SHARED_KEY, _EARLY_DATA, _MASTER_SECRET = 35, 41, 42, 23

# Bodies that come again and again (a replayed hello, a scanner) are described once; unlike ones do not fill the memory.
_REMEMBERED = 512
_LONGEST = 4096
_hellos: dict[tuple[str, bytes], tuple[Any, ...]] = {}


def describe_hello(frame: int, record_version: int, body: bytes, transport: str) -> tuple[Hello | None, WireError | None]:
    """A ClientHello body (without header) and what was wrong with it; ``transport`` as in ``ja4``."""
    key = (transport, body)
    fields = _hellos.get(key)
    error: WireError | None = None
    if fields is None:
        try:
            fields = _fields(parse_client_hello(body), body, len(body), transport)
        except WireError as fault:
            error = fault
            value = parse_partial_client_hello(body)
            if value is None:
                return None, error
            return Hello(frame, _version(record_version), *_fields(value, body, len(body), transport, partial=True)), error
        if len(body) <= _LONGEST:
            if len(_hellos) >= _REMEMBERED:
                del _hellos[next(iter(_hellos))]
            _hellos[key] = fields
    return Hello(frame, _version(record_version), *fields), error


def describe_client_hello(frame: int, record_version: int, value: ClientHello, body: bytes, transport: str) -> Hello:
    """As ``describe_hello`` for a hello that another grammar has read (DTLS)."""
    return Hello(frame, _version(record_version), *_fields(value, body, len(body), transport))


def describe_partial_hello(
    frame: int, record_version: int, body: bytes, length: int, transport: str
) -> Hello | None:
    """The beginning of a ClientHello of ``length`` bytes; None when it is too short to say anything."""
    value = parse_partial_client_hello(body)
    if value is None:
        return None
    return Hello(frame, _version(record_version), *_fields(value, body, length, transport, partial=True))


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
    value = parse_server_hello(body)
    types = value.extension_types
    group, version, name = value.group, value.version, value.alpn
    result = ServerHello(
        frame=frame,
        kind="retry" if value.is_retry else "hello",
        record_version=_version(record_version),
        legacy_version=_version(value.legacy_version),
        version=_version(version),
        version_name=VERSIONS[version].name,
        suite=SUITES.hex(value.suite),
        suite_name=SUITES[value.suite].name,
        extensions=_list(types),
        group=None if group is None else _hex(group),
        group_name=None if group is None else GROUPS[group].name,
        alpn=None if name is None else escaped(name),
        ja3s=ja3s(value),
        ja3s_text=ja3s_text(value),
        extended_master_secret=_MASTER_SECRET in types,
        psk=_PRE_SHARED_KEY in types,
    )
    return result, value


def _fields(value: ClientHello, body: bytes, length: int, transport: str, *, partial: bool = False) -> tuple[Any, ...]:
    """The fields of a Hello behind ``record_version``, in their order."""
    types = value.extension_types
    name = value.server_name
    prints = None if partial else ja4(value, transport)
    ech = encrypted_client_hello(value)
    return (
        _version(value.legacy_version),
        _codes(value.suites),
        _list(types),
        _codes(value.groups),
        _codes(value.key_shares),
        _codes(value.signature_schemes),
        _codes(value.readable(43) or ()),
        _list(value.point_formats),
        None if name is None else escaped(name),
        _names(value.alpn),
        None if prints is None else ja3(value),
        None if prints is None else ja3_text(value),
        None if prints is None else prints.ja4,
        None if prints is None else prints.r,
        None if prints is None else prints.o,
        None if prints is None else prints.ro,
        partial,
        bool(value.session_id),
        bool(value.raw_extension(_SESSION_TICKET)),
        _PRE_SHARED_KEY in types,
        _EARLY_DATA in types,
        None if ech is None else Ech(*msgspec.structs.astuple(ech)),
        length,
        hashlib.sha256(body).hexdigest(),
    )


# The lists below are shared between results, which nobody changes.


@lru_cache(maxsize=2048)
def _codes(codes: tuple[int, ...]) -> list[str]:
    return [_hex(code) for code in codes]


@lru_cache(maxsize=2048)
def _list(codes: tuple[int, ...]) -> list[int]:
    return list(codes)


@lru_cache(maxsize=512)
def _names(names: tuple[bytes, ...]) -> list[str]:
    return [escaped(name) for name in names]


@lru_cache(maxsize=4096)
def _hex(code: int) -> str:
    return hex_code(code, 4)


_version = _hex
