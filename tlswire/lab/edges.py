"""What characters that are wrong at the edge do otherwise: each function is given what a good server would see or send.

Every edge is one fault, and shows with few hellos only: a client of today talks to these servers as to a good one.
``lab.plants`` says which cases of the fuzzer show which. Must not import anything of tlswire but ``errors``,
``registry``, ``wire``, ``lab.quirks`` and ``lab.refusals``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.lab.refusals import (
    DECODE_ERROR,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    MISSING_EXTENSION,
    UNSUPPORTED_EXTENSION,
)
from tlswire.registry import EXTENSIONS, GREASE
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.messages import ClientHello, Extension, ServerHello

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.lab.quirks import Edge

_TLS12 = 0x0303
_KEY_SHARE, _EXTENDED_MASTER_SECRET = 51, 23
_SESSION_ID = 34  # where its length stands in a body: behind version and random
_LONGEST_ID = 32
_LEAK = b"and this is what stood behind it"

# Before a hello is read. Sizes are those of the handshake message.


def swallows(edge: Edge, size: int, *, split: bool) -> bool:
    """Whether a hello of ``size`` bytes, ``split`` over records or not, is never answered."""
    if edge == "hangs-at-256":
        return 256 <= size < 512  # RFC 7685 section 1 tells of such servers
    return edge == "drops-fragments" and split


def dies_of(edge: Edge, body: bytes) -> bool:
    """Whether the server ends with this hello."""
    return edge == "dies-of-session-id" and body[_SESSION_ID : _SESSION_ID + 1] == bytes((_LONGEST_ID + 1,))


def mended(edge: Edge, body: bytes) -> bytes:
    """The body of a hello as a lenient server reads it: with what it overlooks put right, as far as there is such."""
    return _MENDERS[edge](body) if edge in _MENDERS else body


def _behind(body: bytes, at: int, width: int) -> int:
    """Where the field ends whose length of ``width`` bytes stands at ``at``; beyond the body where it runs out."""
    return at + width + int.from_bytes(body[at : at + width])


def _without_trailing(body: bytes) -> bytes:
    compression = _behind(body, _behind(body, _SESSION_ID, 1), 2)
    return body[: _behind(body, _behind(body, compression, 1), 2)]


def _with_short_id(body: bytes) -> bytes:
    end = _behind(body, _SESSION_ID, 1)
    if end - _SESSION_ID - 1 <= _LONGEST_ID or end > len(body):
        return body
    return body[:_SESSION_ID] + bytes((_LONGEST_ID,)) + body[_SESSION_ID + 1 :][:_LONGEST_ID] + body[end:]


def _with_even_suites(body: bytes) -> bytes:
    start = _behind(body, _SESSION_ID, 1)
    end = _behind(body, start, 2)
    size = end - start - 2
    if not size & 1 or end > len(body):
        return body
    return body[:start] + (size - 1).to_bytes(2) + body[start + 2 : end - 1] + body[end:]


def _with_compression(body: bytes) -> bytes:
    at = _behind(body, _behind(body, _SESSION_ID, 1), 2)
    return body[:at] + b"\1\0" + body[at + 1 :] if body[at : at + 1] == b"\0" else body


_MENDERS: dict[Edge, Callable[[bytes], bytes]] = {
    "ignores-trailing": _without_trailing,
    "long-session-id": _with_short_id,
    "odd-suites": _with_even_suites,
    "no-compression": _with_compression,
}


# What is made of it.

_STRANGE: dict[Edge, tuple[int, Callable[[int], bool]]] = {
    "refuses-unknown": (UNSUPPORTED_EXTENSION, lambda code: code not in EXTENSIONS and code not in GREASE),
    "refuses-grease": (ILLEGAL_PARAMETER, lambda code: code in GREASE),
}


def refuses(edge: Edge, hello: ClientHello) -> int | None:
    """The alert for a hello with an extension that the server does not know, None for a good server."""
    if edge not in _STRANGE:
        return None
    alert, strange = _STRANGE[edge]
    return alert if any(strange(code) for code in hello.extension_types) else None


_INSTEAD: dict[Edge, dict[int, int]] = {
    "wrong-alert": {DECODE_ERROR: HANDSHAKE_FAILURE},
    "misses-nothing": {MISSING_EXTENSION: HANDSHAKE_FAILURE},
}


def alert(edge: Edge, due: int) -> int:
    """The alert that is sent where ``due`` is."""
    return _INSTEAD.get(edge, {}).get(due, due)


# What is answered.


def _grease_suite(hello: ClientHello, answer: ServerHello) -> ServerHello:
    suite = next((code for code in hello.suites if code in GREASE), answer.suite)
    return msgspec.structs.replace(answer, suite=suite)


def _grease_group(hello: ClientHello, answer: ServerHello) -> ServerHello:
    share = answer.readable(_KEY_SHARE)
    group = next((code for code in hello.groups if code in GREASE), None)
    if share is None or group is None:
        return answer
    value = encode_extension(_KEY_SHARE, KeyShareEntry(group, share.key_exchange), "sh")
    extensions = (Extension(item.type, value if item.type == _KEY_SHARE else item.data) for item in _of(answer))
    return msgspec.structs.replace(answer, extensions=tuple(extensions))


def _unasked_extension(_: ClientHello, answer: ServerHello) -> ServerHello:
    if answer.version > _TLS12 or _EXTENDED_MASTER_SECRET in answer.extension_types:
        return answer
    return msgspec.structs.replace(answer, extensions=(*_of(answer), Extension(_EXTENDED_MASTER_SECRET, b"")))


def _pads_session_id(hello: ClientHello, answer: ServerHello) -> ServerHello:
    if answer.version <= _TLS12 or not hello.session_id:
        return answer
    return msgspec.structs.replace(answer, session_id=hello.session_id.ljust(_LONGEST_ID, b"\0"))


_ANSWERS: dict[Edge, Callable[[ClientHello, ServerHello], ServerHello]] = {
    "grease-suite": _grease_suite,
    "grease-group": _grease_group,
    "unasked-extension": _unasked_extension,
    "pads-session-id": _pads_session_id,
}


def _of(answer: ServerHello) -> tuple[Extension, ...]:
    return answer.extensions or ()


def answered(edge: Edge, hello: ClientHello, answer: ServerHello) -> ServerHello:
    """The ServerHello."""
    return _ANSWERS[edge](hello, answer) if edge in _ANSWERS else answer


def behind_hello(edge: Edge, hello: ClientHello) -> bytes:
    """What stands behind the extensions in the message of a ServerHello of TLS 1.3."""
    return _LEAK if edge == "leaks-behind-hello" and not hello.session_id else b""


def times_said(edge: Edge, *, retried: bool) -> int:
    """How often the ServerHello of TLS 1.3 is said."""
    return 2 if edge == "two-server-hellos" and retried else 1


def asks_again(edge: Edge, asked: int) -> bool:
    """Whether one more HelloRetryRequest is said when ``asked`` were answered already."""
    return edge == "retries-twice" and asked == 1


_UNCHECKED: dict[Edge, str] = {"off-curve-share": "ec", "zero-secret": "xdh"}


def takes_any_share(edge: Edge, kind: str) -> bool:
    """Whether the server goes on with a share of a group of this ``kind`` that gives no secret."""
    return _UNCHECKED.get(edge) == kind
