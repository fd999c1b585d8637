"""A usual handshake over TCP, read at once from all that both sides said: one walk over records instead of many calls.

Usual is one hello a side, whole messages in whole records, and nothing to remark upon. Everything else is left to
``capture.tls``, which reads segment by segment and gives the very same result where both can. Must not import anything of
tlswire but ``wire`` and ``capture.sessions``; no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.capture.sessions import ONE_SIDED, SessionBuilder
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, MAX_CIPHERTEXT, in_clear

if TYPE_CHECKING:
    from collections.abc import Sequence

    # Of one side, in stream order: which, its bytes, and the frame that brought them.
    Piece = tuple[int, bytes, int]

# The type of a side's first message -> what else it may say in clear (RFC 5246 section 7.4, RFC 6066 section 8).
_USUAL = {1: frozenset({1, 11, 15, 16}), 2: frozenset({2, 4, 11, 12, 13, 14, 22})}
_FIRST = 5  # where the type of the first message stands


def read_whole(pieces: Sequence[Piece]) -> SessionBuilder | None:
    """The session that both sides' bytes from their hellos on are; None where they are not usual."""
    builder = SessionBuilder("tcp")
    sides = [[piece for piece in pieces if piece[0] == side] for side in (0, 1)]
    # The server first: its certificates come before the client's.
    for side in (0, 1) if sides[0] and sides[0][0][1][_FIRST] == 2 else (1, 0):
        if sides[side] and not _read_side(builder, side, sides[side]):
            return None
    frames = [item.frame for item in builder.certificates]
    if builder.notes or len(builder.hellos) > 1 or len(builder.server_hellos) > 1 or frames != sorted(frames):
        return None
    builder.done = all(builder.encrypted) or builder.records_after > ONE_SIDED
    return builder


def _read_side(builder: SessionBuilder, side: int, pieces: list[Piece]) -> bool:
    """Whether everything that one side said is usual; ``builder`` was told it then."""
    data = pieces[0][1] if len(pieces) == 1 else b"".join([piece for _, piece, _ in pieces])
    usual = _USUAL[data[_FIRST]]
    coming = iter(pieces)
    at, end, known, frame, encrypted = 0, len(data), 0, 0, 0
    while end - at >= 5:
        content, version, length = HEADER.unpack_from(data, at)
        start = at + 5
        stop = start + length
        if stop > end or not 0 < length <= MAX_CIPHERTEXT:
            break
        while known < stop:
            _, piece, frame = next(coming)
            known += len(piece)
        if content == HANDSHAKE and not builder.ccs[side]:
            while start < stop:
                body = start + 4
                kind, start = data[start], body + int.from_bytes(data[start + 1 : body], "big")
                if start > stop or kind not in usual:
                    return False
                builder.handshake(side, version, kind, data[body:start], frame)
        elif content == APPLICATION_DATA or (content == HANDSHAKE and not in_clear(content, data[start : start + 6])):
            encrypted += 1
        elif content == CHANGE_CIPHER_SPEC:
            builder.ccs[side] = True
        else:
            return False
        at = stop
    if encrypted:
        builder.encrypted[side] = True
        builder.records_after += encrypted - 1
    return at == end or encrypted > 0
