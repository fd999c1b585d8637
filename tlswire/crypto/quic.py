"""Protection of QUIC Initials: whoever sees the client's first connection id has the keys (RFC 9001 section 5.2).

Must not import anything of tlswire but ``errors`` and ``wire.quic``; ``cryptography`` is loaded with the first key.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.wire.quic import V2, draft_of

if TYPE_CHECKING:
    from tlswire.wire.quic import LongPacket

# The first draft each salt holds for (draft-ietf-quic-tls of that number, RFC 9001 section 5.2), newest first.
_SALTS = (
    (33, bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")),
    (29, bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")),
    (23, bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")),
    (22, bytes.fromhex("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a")),
)
_SALT2 = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")  # RFC 9369 section 3.3.1
_TAG = 16


class Keys(msgspec.Struct, frozen=True):
    """What protects the Initials of one direction; ``aead`` and ``mask`` are ready ciphers of ``cryptography``."""

    key: bytes
    iv: bytes
    hp: bytes
    aead: Any
    mask: Any


def expand_label(secret: bytes, label: str, length: int) -> bytes:
    """HKDF-Expand-Label of RFC 9846 section 7.1 with SHA-256 and no context; at most 32 bytes."""
    name = b"tls13 " + label.encode("ascii")
    info = length.to_bytes(2, "big") + bytes((len(name),)) + name + b"\0"
    return hmac.digest(secret, info + b"\1", hashlib.sha256)[:length]


@lru_cache(maxsize=1024)
def initial_keys(version: int, dcid: bytes) -> tuple[Keys, Keys] | None:
    """The keys of client and server for the connection id the client first sent to; None for unknown versions."""
    draft = draft_of(version)
    if draft is None:
        return None
    salt = _SALT2 if version == V2 else next(salt for oldest, salt in _SALTS if draft >= oldest)
    secret = hmac.digest(salt, dcid, hashlib.sha256)
    prefix = "quicv2" if version == V2 else "quic"
    return _keys(expand_label(secret, "client in", 32), prefix), _keys(expand_label(secret, "server in", 32), prefix)


def _keys(secret: bytes, prefix: str) -> Keys:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - heavy

    key, iv, hp = (
        expand_label(secret, f"{prefix} {name}", size) for name, size in (("key", 16), ("iv", 12), ("hp", 16))
    )
    return Keys(key, iv, hp, AESGCM(key), Cipher(algorithms.AES(hp), modes.ECB()).encryptor())  # noqa: S305 - RFC 9001 5.4.3


def open_initial(keys: Keys, data: bytes, packet: LongPacket) -> tuple[int, bytes] | None:
    """Packet number and payload of an Initial; None when these are not its keys (RFC 9001 sections 5.3 and 5.4).

    The number is the truncated one: Initials come too early for more.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - loaded with the keys

    at, end = packet.number, packet.end
    if end - at < 4 + _TAG:
        return None
    header, value, nonce = _unmask(keys, data, packet)
    try:
        return value, keys.aead.decrypt(nonce, data[packet.start + len(header) : end], header)
    except InvalidTag:
        return None


def open_cut_initial(keys: Keys, data: bytes, end: int, packet: LongPacket) -> bytes:
    """What was captured, up to ``end``, of the payload of a cut Initial: without its tag, nothing proves it right.

    AES-GCM is counter mode beginning with block 2 (NIST SP 800-38D section 7.2).
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - heavy

    if end - packet.number < 4 + _TAG:
        return b""
    header, _, nonce = _unmask(keys, data, packet)
    counter = modes.CTR(nonce + b"\0\0\0\2")
    return Cipher(algorithms.AES(keys.key), counter).decryptor().update(data[packet.start + len(header) : end])


def _unmask(keys: Keys, data: bytes, packet: LongPacket) -> tuple[bytes, int, bytes]:
    """The header in clear, the truncated packet number and the nonce (RFC 9001 section 5.4.1)."""
    at = packet.number
    mask = keys.mask.update(data[at + 4 : at + 20])
    first = data[packet.start] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    number = bytes(a ^ b for a, b in zip(data[at : at + size], mask[1:], strict=False))
    value = int.from_bytes(number, "big")
    nonce = (int.from_bytes(keys.iv, "big") ^ value).to_bytes(12, "big")
    return bytes((first,)) + data[packet.start + 1 : at] + number, value, nonce


def seal_initial(keys: Keys, header: bytes, number: int, payload: bytes) -> bytes:
    """A protected Initial: ``header`` in clear, as ``wire.quic.initial_header`` makes it."""
    nonce = (int.from_bytes(keys.iv, "big") ^ number).to_bytes(12, "big")
    sealed = keys.aead.encrypt(nonce, payload, header)
    size = (header[0] & 3) + 1
    mask = keys.mask.update(sealed[4 - size : 20 - size])
    tail = bytes(a ^ b for a, b in zip(header[-size:], mask[1:], strict=False))
    return bytes((header[0] ^ mask[0] & 0x0F,)) + header[1:-size] + tail + sealed
