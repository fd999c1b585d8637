"""The oracle's own ClientHello and reading of what comes back, by hand with `struct`.

Offers every group and signature scheme there is, so that no suite is refused for the lack of one.
Must not import tlswire: two implementations that agree are evidence, one that is asked twice is not.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

TLS12, TLS13 = 0x0303, 0x0304

# Groups a TLS 1.3 hello may list; tlslite-ng refuses one that lists any other (its RFC 8446 4.2.7 reading).
TLS13_GROUPS = (
    *(29, 23, 24, 25, 30),  # x25519, secp256r1, secp384r1, secp521r1, x448
    *(31, 32, 33),  # brainpool for TLS 1.3
    *(256, 257, 258, 259, 260),  # ffdhe
    *(34, 35, 36, 37, 38, 39, 40, 41),  # GOST, curveSM2
    *(0x0200, 0x0201, 0x0202),  # ML-KEM 512, 768, 1024
    *(0x11EB, 0x11EC, 0x11ED, 0x11EE),  # ECDHE and ML-KEM hybrids
    *(0x6399, 0x639A),  # the Kyber drafts
)
TLS12_GROUPS = (29, 23, 24, 25, 30, 22, 21, 26, 27, 28, *range(1, 21), 256, 257, 258, 259, 260)

# hash (MD5 to SHA-512) x signature (RSA, DSA, ECDSA), then PSS, EdDSA, brainpool, SM2, ML-DSA, GOST.
SIGNATURES = (
    *(hash_ << 8 | kind for hash_ in (4, 5, 6, 3, 2, 1) for kind in (1, 3, 2)),
    *range(0x0804, 0x080C),
    *(0x081A, 0x081B, 0x081C, 0x0708, 0x0904, 0x0905, 0x0906, 0x0840, 0x0841),
)

# The base points: valid on every stack, and the top bit of x25519 is clear, which wolfSSL 5.5 insists on.
X25519_SHARE = bytes([9]) + bytes(31)
P256_SHARE = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)

HANDSHAKE, ALERT = 22, 21
SERVER_HELLO = 2
ENOUGH = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What a ServerHello or HelloRetryRequest chose."""

    version: int
    suite: int


def client_hello(version: int, suites: Sequence[int], server_name: str | None = None) -> bytes:
    """The bytes of one record (or more, for a list beyond 16 KiB) that offer exactly `version` and `suites`."""
    legacy = min(version, TLS12)
    # A session id in TLS 1.3 is the middlebox-compatible form, which every stack understands.
    session = os.urandom(32) if version == TLS13 else b""
    body = struct.pack("!H", legacy) + os.urandom(32) + _vector8(session)
    body += _vector16(struct.pack(f"!{len(suites)}H", *suites)) + b"\x01\x00"
    if extensions := _extensions(version, server_name):
        body += _vector16(extensions)
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    record_version = min(version, 0x0301)
    return b"".join(
        struct.pack("!BHH", HANDSHAKE, record_version, len(part)) + part
        for part in (message[at : at + 0x4000] for at in range(0, len(message), 0x4000))
    )


def read_answer(connection: socket.socket) -> Answer | None:
    """The server's choice, or None for an alert, an orderly close or anything that is not TLS."""
    handshake = b""
    with connection.makefile("rb") as stream:
        while len(handshake) < ENOUGH:
            header = stream.read(5)
            if len(header) < 5:
                return None
            kind, _, length = struct.unpack("!BHH", header)
            payload = stream.read(length)
            if kind == ALERT and payload[:1] == b"\x01" and payload[1:2] != b"\x00":
                continue  # A warning (unrecognized_name, say) may precede the ServerHello.
            if kind != HANDSHAKE or len(payload) < length:
                return None
            handshake += payload
            if len(handshake) >= 4 and len(handshake) >= 4 + (size := int.from_bytes(handshake[1:4], "big")):
                return _server_hello(handshake[4 : 4 + size]) if handshake[0] == SERVER_HELLO else None
    return None


def _server_hello(body: bytes) -> Answer:
    (version,) = struct.unpack_from("!H", body)
    at = 35 + body[34]
    (suite,) = struct.unpack_from("!H", body, at)
    at += 5
    while at + 4 <= len(body):
        kind, length = struct.unpack_from("!HH", body, at)
        if kind == 43 and length == 2:
            (version,) = struct.unpack_from("!H", body, at + 4)
        at += 4 + length
    return Answer(version, suite)


def _extensions(version: int, server_name: str | None) -> bytes:
    if version == 0x0300:
        return b""  # SSL 3.0 has none, and its servers may refuse a hello that goes on after the compressions.
    groups = TLS13_GROUPS if version == TLS13 else TLS12_GROUPS
    found = {
        10: _vector16(struct.pack(f"!{len(groups)}H", *groups)),
        11: _vector8(b"\x00\x01\x02"),
        23: b"",
        0xFF01: b"\x00",
    }
    if server_name is not None:
        found = {0: _vector16(b"\x00" + _vector16(server_name.encode("idna"))), **found}
    if version >= TLS12:
        found[13] = _vector16(struct.pack(f"!{len(SIGNATURES)}H", *SIGNATURES))
    if version == TLS13:
        shares = struct.pack("!H", 29) + _vector16(X25519_SHARE) + struct.pack("!H", 23) + _vector16(P256_SHARE)
        found |= {43: _vector8(struct.pack("!H", TLS13)), 45: _vector8(b"\x01"), 51: _vector16(shares)}
    return b"".join(struct.pack("!H", kind) + _vector16(content) for kind, content in found.items())


def _vector8(content: bytes) -> bytes:
    return bytes([len(content)]) + content


def _vector16(content: bytes) -> bytes:
    return struct.pack("!H", len(content)) + content
