"""Hellos cut short (snaplen, lost bytes): what can be read of their beginning, and nothing invented.

Whole fields, whole items of lists and whole extensions only (RFC 9846 sections 4.2.2 and 4.2.3, RFC 6347 section 4.2.1
for the cookie of DTLS); the grammars in ``wire.handshake`` are strict and stop at the first fault. Never raises. Must not import anything of tlswire but
``errors`` and the rest of ``wire``.
"""

from __future__ import annotations

import struct

from tlswire.wire.messages import HRR_RANDOM, ClientHello, Extension, ServerHello

_RANDOM_END = 34


def parse_partial_client_hello(body: bytes, *, cookie: bool = False) -> ClientHello | None:
    """The readable beginning of a ClientHello body; None when not even version and random are there.

    ``cookie``: the body is one of DTLS, with a cookie between session id and suites.
    """
    if len(body) < _RANDOM_END:
        return None
    session, at, whole = _opaque(body, _RANDOM_END, 1)
    suites = compression = b""
    if not whole:
        session = b""
    elif cookie:
        _, at, whole = _opaque(body, at, 1)
    if whole:
        suites, at, whole = _opaque(body, at, 2)
    if whole:
        compression, at, whole = _opaque(body, at, 1)
    return ClientHello(
        int.from_bytes(body[:2], "big"),
        body[2:_RANDOM_END],
        session,
        struct.unpack_from(f">{len(suites) // 2}H", suites),
        tuple(compression),
        _extensions(body, at) if whole else None,
    )


def parse_partial_server_hello(body: bytes) -> ServerHello | None:
    """The readable beginning of a ServerHello body; None when it ends before its extensions.

    Nothing before them can be left out: a ServerHello without its suite is none.
    """
    if len(body) < _RANDOM_END:
        return None
    version = int.from_bytes(body[:2], "big")
    # draft-ietf-tls-tls13-21 section 4.1.3: neither session id nor compression method. Its HelloRetryRequest was
    # another message, so the random of today's rules a draft out, as it does in the grammar.
    draft = 0x7F00 <= version <= 0x7F15 and body[2:_RANDOM_END] != HRR_RANDOM
    session, at, whole = (b"", _RANDOM_END, True) if draft else _opaque(body, _RANDOM_END, 1)
    end = at + 2 if draft else at + 3
    if not whole or len(body) < end:
        return None
    suite = int.from_bytes(body[at : at + 2], "big")
    return ServerHello(
        version, body[2:_RANDOM_END], session, suite, 0 if draft else body[at + 2], _extensions(body, end)
    )


def has_whole_lists(body: bytes) -> bool:
    """Whether suites and extensions are all there, so that a hello that breaks another rule has its fingerprints.

    ``body`` is as long as its message says: a list before which it ends is absent, not cut.
    """
    _, at, whole = _opaque(body, _RANDOM_END, 1)
    suites, at, listed = _opaque(body, at, 2)
    if not whole or not listed or len(suites) % 2:
        return False
    _, at, _ = _opaque(body, at, 1)
    if at == len(body):
        return True
    block, _, whole = _opaque(body, at, 2)
    return whole and sum(4 + len(item.data) for item in _extensions(body, at) or ()) == len(block)


def _opaque(body: bytes, at: int, width: int) -> tuple[bytes, int, bool]:
    """The bytes behind a length at ``at``, where they end, and whether all of them are there."""
    if len(body) < at + width:
        return b"", len(body), False
    end = at + width + int.from_bytes(body[at : at + width], "big")
    return body[at + width : end], end, len(body) >= end


def _extensions(body: bytes, at: int) -> tuple[Extension, ...] | None:
    """The whole extensions of the block at ``at``; None where not even its length is there."""
    data, _, _ = _opaque(body, at, 2)
    if len(body) < at + 2:
        return None
    found = []
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from(">HH", data, at)
        if at + 4 + length > len(data):
            break
        found.append(Extension(kind, data[at + 4 : at + 4 + length]))
        at += 4 + length
    return tuple(found)
