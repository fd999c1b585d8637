"""A usual handshake over TCP, read at once from all that both sides said: one walk over records instead of many calls.

Usual is one hello a side, whole messages in whole records, and nothing to remark upon. Everything else is left to
``capture.tls``, which reads segment by segment and gives the very same result where both can. Must not import anything of
tlswire but ``wire`` and ``capture.sessions``; no I/O.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tlswire.capture.sessions import ONE_SIDED, SessionBuilder
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, MAX_CIPHERTEXT, in_clear

if TYPE_CHECKING:
    # Bytes of one side and the frame that brought them.
    Piece = tuple[int, bytes]

# The type of a side's first message -> what else it may say in clear (RFC 5246 section 7.4, RFC 6066 section 8).
_USUAL = {1: frozenset({1, 11, 15, 16}), 2: frozenset({2, 4, 11, 12, 13, 14, 22})}
_FIRST = 5  # where the type of the first message stands
_SERVER = 2

_header = HEADER.unpack_from
_message = struct.Struct(">I").unpack_from  # type and length of a message


def read_whole(sides: tuple[list[Piece], list[Piece]]) -> SessionBuilder | None:
    """The session that both sides' bytes from their hellos on are; None where they are not usual."""
    builder = SessionBuilder("tcp")
    # The server first: its certificates come before the client's.
    first = 0 if sides[0] and sides[0][0][1][_FIRST] == _SERVER else 1
    for side in (first, 1 - first):
        if sides[side] and not _read_side(builder, side, sides[side]):
            return None
    if builder.notes or len(builder.hellos) > 1 or len(builder.server_hellos) > 1:
        return None
    frames = [item.frame for item in builder.certificates]
    if frames and frames != sorted(frames):
        return None
    encrypted = builder.encrypted
    builder.done = (encrypted[0] and encrypted[1]) or builder.records_after > ONE_SIDED
    return builder


def _read_side(builder: SessionBuilder, side: int, pieces: list[Piece]) -> bool:  # noqa: C901, PLR0912 - one walk, few calls
    """Whether everything that one side said is usual; ``builder`` was told it then."""
    frame, data = pieces[0]
    known = len(data)
    coming = iter(pieces)
    if len(pieces) > 1:
        data = b"".join([piece for _, piece in pieces])
        next(coming)
    usual = _USUAL[data[_FIRST]]
    at, end, clear, encrypted = 0, len(data), True, 0
    while at + 5 <= end:
        content, version, length = _header(data, at)
        start = at + 5
        stop = start + length
        if stop > end or length > MAX_CIPHERTEXT or not length:
            break
        at = stop
        if content == APPLICATION_DATA:
            encrypted += 1
        elif content == HANDSHAKE and clear:
            while known < stop:
                frame, piece = next(coming)
                known += len(piece)
            while start < stop:
                body = start + 4
                if body > stop:
                    return False
                (head,) = _message(data, start)
                kind, start = head >> 24, body + (head & 0xFFFFFF)
                if start > stop or kind not in usual:
                    return False
                builder.handshake(side, version, kind, data[body:start], frame)
        elif content == HANDSHAKE and not in_clear(content, data[start : start + 6]):
            encrypted += 1
        elif content == CHANGE_CIPHER_SPEC:
            clear = False
            builder.ccs[side] = True
        else:
            return False
    if encrypted:
        builder.encrypted[side] = True
        builder.records_after += encrypted - 1
    return at == end or encrypted > 0
