"""Hellos cut short: what can be read of a ClientHello whose end was not captured, and nothing invented.

Must not import anything of tlswire but ``errors`` and the rest of ``wire``.
"""

from __future__ import annotations

import struct

from tlswire.wire.messages import ClientHello, Extension


def parse_partial_client_hello(body: bytes) -> ClientHello | None:
    """The whole fields, list items and extensions at the beginning of a ClientHello body (RFC 9846 section 4.1.2).

    None when not even version and random are there.
    """
    if len(body) < 34:
        return None
    version = int.from_bytes(body[:2], "big")
    at = 34
    session, at, whole = _opaque(body, at, 1)
    suites: bytes = b""
    compression: bytes = b""
    if whole:
        suites, at, whole = _opaque(body, at, 2)
    codes = struct.unpack(f">{len(suites) // 2}H", suites[: len(suites) & ~1])
    if whole:
        compression, at, whole = _opaque(body, at, 1)
    extensions = _extensions(body[at + 2 :]) if whole and len(body) >= at + 2 else None
    return ClientHello(version, body[2:34], session, codes, tuple(compression), extensions)


def _opaque(body: bytes, at: int, width: int) -> tuple[bytes, int, bool]:
    """The bytes behind a length at ``at``, where they end, and whether all of them are there."""
    if len(body) < at + width:
        return b"", len(body), False
    end = at + width + int.from_bytes(body[at : at + width], "big")
    return body[at + width : end], end, len(body) >= end


def _extensions(data: bytes) -> tuple[Extension, ...]:
    found = []
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from(">HH", data, at)
        if at + 4 + length > len(data):
            break
        found.append(Extension(kind, data[at + 4 : at + 4 + length]))
        at += 4 + length
    return tuple(found)
