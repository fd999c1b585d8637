"""HKDF as TLS 1.3 and QUIC use it: HKDF-Extract and HKDF-Expand-Label (RFC 5869, RFC 9846 section 7.1).

Hot path of captures with QUIC, whose keys come by three labels from each secret. Imports nothing of tlswire.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

# What ``expand_labels`` takes: the hash and the size of its block.
_HASHES = {"sha256": (hashlib.sha256, 64), "sha384": (hashlib.sha384, 128)}
# RFC 2104 section 2: the key, with these in every byte, stands before what is hashed.
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


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


def expand_labels(secret: bytes, labels: tuple[tuple[str, int], ...], digest: str) -> list[bytes]:
    """HKDF-Expand-Label, with no context, for labels and their lengths, each at most a block of sha256 or sha384.

    HMAC is spelled out: ``hmac.digest`` takes half as long again, as OpenSSL looks up the hash and pads the key each time.
    """
    new, block = _HASHES[digest]
    key = (secret if len(secret) <= block else new(secret).digest()).ljust(block, b"\0")
    inner, outer = key.translate(_INNER), key.translate(_OUTER)
    return [
        new(outer + new(inner + _info(label, length, 0) + b"\1").digest()).digest()[:length] for label, length in labels
    ]


@lru_cache(maxsize=64)
def _info(label: str, length: int, context: int) -> bytes:
    name = b"tls13 " + label.encode("ascii")
    return length.to_bytes(2, "big") + len(name).to_bytes(1, "big") + name + context.to_bytes(1, "big")
