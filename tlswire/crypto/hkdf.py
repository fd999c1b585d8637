"""HKDF as TLS 1.3 and QUIC use it: HKDF-Extract and HKDF-Expand-Label (RFC 5869, RFC 9846 section 7.1).

Hot path of captures with QUIC: one call into ``hmac`` where one block is enough. Imports nothing of tlswire.
"""

from __future__ import annotations

import hmac
from functools import lru_cache


def extract(salt: bytes, material: bytes, digest: str = "sha256") -> bytes:
    """HKDF-Extract (RFC 5869 section 2.2); ``digest`` is hashlib's name of the hash."""
    return hmac.digest(salt, material, digest)


def expand_label(secret: bytes, label: str, length: int, context: bytes = b"", digest: str = "sha256") -> bytes:
    """HKDF-Expand-Label of RFC 9846 section 7.1: ``length`` bytes, at most 255 blocks of the hash."""
    # HkdfLabel ends with the context; HKDF-Expand counts its blocks in one byte (RFC 5869 section 2.3).
    info = _info(label, length, len(context)) + context
    block = hmac.digest(secret, info + b"\1", digest)
    found = block
    count = 1
    while len(found) < length:
        count += 1
        block = hmac.digest(secret, block + info + count.to_bytes(1, "big"), digest)
        found += block
    return found[:length]


@lru_cache(maxsize=64)
def _info(label: str, length: int, context: int) -> bytes:
    name = b"tls13 " + label.encode("ascii")
    return length.to_bytes(2, "big") + len(name).to_bytes(1, "big") + name + context.to_bytes(1, "big")
