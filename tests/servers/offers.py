"""What a client's hello offers, as far as the awkward proxies and bad servers need it.

Must not import tlswire, nor hellos.py: that one writes, this one reads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

HANDSHAKE = 22
SUPPORTED_VERSIONS = 43


@dataclass(frozen=True, slots=True)
class Offer:
    """One complete hello. `size` counts its bytes on the wire, record headers included."""

    size: int
    version: int
    session_id: bytes
    suites: tuple[int, ...]
    versions: tuple[int, ...]  # the supported_versions extension; empty without one


NOT_TLS = Offer(0, 0, b"", (), ())


def read_offer(data: bytes) -> Offer | None:
    """The hello that `data` starts with, None while it is incomplete, NOT_TLS for anything else."""
    if not data:
        return None
    if data[0] & 0x80:
        return _sslv2(data)
    message, at = b"", 0
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        if at + 5 > len(data):
            return None
        kind, length = data[at], int.from_bytes(data[at + 3 : at + 5], "big")
        if kind != HANDSHAKE:
            return NOT_TLS
        message += data[at + 5 : at + 5 + length]
        at += 5 + length
    return _client_hello(message[4:], at) if at <= len(data) else None


def _sslv2(data: bytes) -> Offer | None:
    size = 2 + (int.from_bytes(data[:2], "big") & 0x7FFF)
    if len(data) < max(size, 11):
        return None
    _, version, specs = struct.unpack_from("!BHH", data, 2)
    kinds = tuple(int.from_bytes(data[at : at + 3], "big") for at in range(11, 11 + specs, 3))
    return Offer(size, version, b"", kinds, ())


def _client_hello(body: bytes, size: int) -> Offer:
    try:
        (version,) = struct.unpack_from("!H", body)
        at = 35 + body[34]
        session_id = body[35:at]
        (length,) = struct.unpack_from("!H", body, at)
        suites = struct.unpack_from(f"!{length // 2}H", body, at + 2)
        at += 2 + length
        at += 1 + body[at] + 2  # compressions, and the length of the extensions
        versions: tuple[int, ...] = ()
        while at + 4 <= len(body):
            kind, length = struct.unpack_from("!HH", body, at)
            if kind == SUPPORTED_VERSIONS:
                versions = struct.unpack_from(f"!{body[at + 4] // 2}H", body, at + 5)
            at += 4 + length
    except (IndexError, struct.error):
        return NOT_TLS
    return Offer(size, version, session_id, suites, versions)
