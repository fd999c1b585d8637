"""The records of a usual handshake, taken as they come: one walk over a segment, and nothing made on the way.

Usual are whole handshake messages in whole records, ChangeCipherSpec, and what is encrypted behind it. Everything else is
left to ``wire.records.Deframer``, from the first record on that is not usual, and gives the very same result. Must not
import anything of tlswire but ``wire`` and ``capture.sessions``; no I/O.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import msgspec

from tlswire.wire.records import (
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER,
    MAX_CIPHERTEXT,
    Deframer,
    in_clear,
)

if TYPE_CHECKING:
    from tlswire.capture.sessions import SessionBuilder

_USUAL = frozenset({CHANGE_CIPHER_SPEC, HANDSHAKE, APPLICATION_DATA})

_header = HEADER.unpack_from
_message = struct.Struct(">BBH").unpack_from  # type and length of a message, whose upper byte is 0 within one record


class UsualRecords(msgspec.Struct, eq=False):
    """One direction: ``pieces`` of a record that needs so many bytes more, ``consumed`` are those of whole records.

    ``clear`` ends with ChangeCipherSpec.
    """

    clear: bool = True
    need: int = 0
    consumed: int = 0
    pieces: list[bytes] = []

    def feed(  # noqa: C901, PLR0912 - one walk over most bytes of a handshake, without calls
        self, builder: SessionBuilder, side: int, data: bytes, frame: int
    ) -> bytes:
        """Tell ``builder`` of every message; what is left from the first record on that is not usual."""
        if self.pieces:
            self.pieces.append(data)
            if len(data) < self.need:
                self.need -= len(data)
                return b""
            data = b"".join(self.pieces)
            self.pieces.clear()
        at, end, clear = 0, len(data), self.clear
        while at + 5 <= end:
            content, version, length = _header(data, at)
            start = at + 5
            stop = start + length
            if stop > end or length > MAX_CIPHERTEXT or not length:
                break
            if content == APPLICATION_DATA:
                builder.sealed(side)
            elif content == HANDSHAKE and clear:
                if length < 4:
                    break
                kind, upper, size = _message(data, start)
                if size + 4 == length and kind and not upper:
                    builder.handshake(side, version, kind, data[start + 4 : stop], frame)
                else:
                    messages = _several(data, start, stop)
                    if not messages:
                        break
                    for kind, begin, over in messages:
                        builder.handshake(side, version, kind, data[begin:over], frame)
            elif content == HANDSHAKE and not in_clear(content, data[start : start + 6]):
                builder.sealed(side)
            elif content == CHANGE_CIPHER_SPEC:
                self.clear = clear = False
                builder.ccs[side] = True
            else:
                break
            at = stop
        self.consumed += at
        return b"" if at == end else self._keep(data[at:])

    def _keep(self, rest: bytes) -> bytes:
        """Wait for the end of a record that may be usual; give back what is not."""
        need = 5 if len(rest) < 5 else 5 + int.from_bytes(rest[3:5], "big")
        if need <= len(rest) or need > 5 + MAX_CIPHERTEXT or rest[0] not in _USUAL:
            return rest
        self.need = need - len(rest)
        self.pieces.append(rest)
        return b""

    def deframer(self) -> Deframer:
        """What reads on from the next record, and what there is of it."""
        deframer = Deframer(consumed=self.consumed, protected=not self.clear)
        for piece in self.pieces:
            deframer.feed(piece)
        return deframer


def _several(data: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """Type, begin and end of the bodies in a record; nothing where one is not whole, or of type 0."""
    found = []
    while at + 4 <= end:
        kind, upper, size = _message(data, at)
        begin = at + 4
        at = begin + size
        if not kind or upper:
            return []
        found.append((kind, begin, at))
    return found if at == end else []
