"""Records and handshake fragments of DTLS laid out by hand (RFC 6347 sections 4.1 and 4.2.2): they may lie."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tlswire.wire.dtls import DTLS12
from tlswire.wire.records import HANDSHAKE

if TYPE_CHECKING:
    from tlswire.wire.dtls import DtlsDeframer
    from tlswire.wire.records import Message


def record(content: int, body: bytes, *, version: int = DTLS12, epoch: int = 0, sequence: int = 0) -> bytes:
    return struct.pack(">BHHHIH", content, version, epoch, sequence >> 32, sequence & 0xFFFFFFFF, len(body)) + body


def piece(kind: int, number: int, length: int, at: int, body: bytes, size: int | None = None) -> bytes:
    """A handshake fragment whose header says what it is told to say."""
    size = len(body) if size is None else size
    return struct.pack(">B3sH3s3s", kind, *(u24(length), number, u24(at), u24(size))) + body


def u24(value: int) -> bytes:
    return value.to_bytes(3, "big")


def datagram(kind: int, number: int, length: int, at: int, body: bytes) -> bytes:
    return record(HANDSHAKE, piece(kind, number, length, at, body))


def whole(kind: int, number: int, body: bytes) -> bytes:
    return datagram(kind, number, len(body), 0, body)


def fragments(kind: int, number: int, body: bytes, size: int, *, version: int = DTLS12) -> list[bytes]:
    """A message in datagrams with so many bytes of it each."""
    starts = range(0, max(len(body), 1), size)
    pieces = (piece(kind, number, len(body), at, body[at : at + size]) for at in starts)
    return [record(HANDSHAKE, item, version=version) for item in pieces]


def bodies(messages: list[Message]) -> list[tuple[int, int, bytes]]:
    """(type, message_seq, body)."""
    return [(message.type, message.offset, message.body) for message in messages]


def feed(deframer: DtlsDeframer, *datagrams: bytes) -> list[Message]:
    return [message for data in datagrams for message in deframer.feed(data)]
