"""Protection of QUIC packets with long headers (RFC 9001): of Initials, whose keys anyone has who sees the client's first
connection id (section 5.2), and of Handshake packets under secrets of TLS (section 5.1).

Must not import anything of tlswire but ``errors``, ``wire.quic`` and ``crypto.hkdf``; ``cryptography`` is loaded with the first key.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Protocol

import msgspec

from tlswire.crypto.hkdf import expand_labels, extract
from tlswire.errors import WireError
from tlswire.wire.quic import rules_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

    from tlswire.wire.quic import LongPacket, Rules

# The salt of each row, and what its labels begin with.
_PROTECTION: dict[Rules, tuple[bytes, str]] = {
    # draft-ietf-quic-tls section 5.2, of the first draft that has the salt.
    "draft-22": (bytes.fromhex("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a"), "quic"),
    "draft-23": (bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502"), "quic"),
    "draft-29": (bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"), "quic"),
    # RFC 9001 section 5.2; draft-ietf-quic-tls has it from 33 on.
    "v1": (bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), "quic"),
    # draft-ietf-quic-v2-04 section 3.3.
    "v2-draft": (bytes.fromhex("a707c203a59b47184a1d62ca570406ea7ae3e5d3"), "quicv2"),
    # RFC 9369 section 3.3.
    "v2": (bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), "quicv2"),
}
# TLS_AES_128_GCM_SHA256 and TLS_AES_256_GCM_SHA384: size of the key, and the hash.
_AES_GCM = {0x1301: (16, "sha256"), 0x1302: (32, "sha384")}
CHACHA20_POLY1305 = 0x1303
_TAG = 16
_SAMPLE = 16


class Mask(Protocol):
    """What masks a header (RFC 9001 section 5.4): a sample of 16 bytes in, at least 5 bytes of mask out."""

    def update(self, data: bytes, /) -> bytes:
        """The mask of a sample."""


class Keys(msgspec.Struct, frozen=True):
    """What protects the packets of one direction and level; ``aead`` and ``mask`` are ready ciphers."""

    key: bytes
    iv: bytes
    hp: bytes
    aead: AESGCM | ChaCha20Poly1305
    mask: Mask


class _ChaChaMask:
    """RFC 9001 section 5.4.4."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def update(self, data: bytes, /) -> bytes:
        """The mask of a sample: counter and nonce of the cipher."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms  # noqa: PLC0415 - heavy

        return Cipher(algorithms.ChaCha20(self._key, data), None).encryptor().update(bytes(5))


@lru_cache(maxsize=1024)
def initial_keys(version: int, dcid: bytes, *, server: bool = False) -> Keys | None:
    """The keys of one side for the connection id the client first sent to; None for versions that are unknown.

    Each side's keys are made when they are asked for: of a connection without an answer, the client's only.
    """
    rules = rules_of(version)
    if rules is None:
        return None
    return _aes_keys(_initial_secrets(rules, dcid)[server], _PROTECTION[rules][1], 16, "sha256")


@lru_cache(maxsize=1024)
def _initial_secrets(rules: Rules, dcid: bytes) -> list[bytes]:
    """Those of client and server."""
    return expand_labels(extract(_PROTECTION[rules][0], dcid), (("client in", 32), ("server in", 32)), "sha256")


def _aes_keys(secret: bytes, prefix: str, size: int, digest: str) -> Keys:
    key, iv, hp = expand_labels(secret, _labels(prefix, size), digest)
    aead, mask = _ciphers()
    return Keys(key, iv, hp, aead(key), mask(hp))


@cache
def _ciphers() -> tuple[Callable[[bytes], AESGCM], Callable[[bytes], Mask]]:
    """What makes the ciphers of AES keys: kept, since to import again what is there costs as much as a cipher."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - heavy

    mode = modes.ECB()  # noqa: S305 - RFC 9001 5.4.3
    return AESGCM, lambda key: Cipher(algorithms.AES(key), mode).encryptor()


@cache
def _labels(prefix: str, size: int) -> tuple[tuple[str, int], ...]:
    """The labels of key, IV and header protection key (RFC 9001 section 5.1), and how long these are."""
    return (f"{prefix} key", size), (f"{prefix} iv", 12), (f"{prefix} hp", size)


def secret_keys(version: int, suite: int, secret: bytes) -> Keys | None:
    """The keys under a traffic secret of TLS (RFC 9001 section 5.1); None for suites QUIC has no protection for here."""
    rules = rules_of(version)
    if rules is None:
        return None
    prefix = _PROTECTION[rules][1]
    if suite in _AES_GCM:
        return _aes_keys(secret, prefix, *_AES_GCM[suite])
    if suite != CHACHA20_POLY1305:
        return None
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # noqa: PLC0415 - heavy

    key, iv, hp = expand_labels(secret, _labels(prefix, 32), "sha256")
    return Keys(key, iv, hp, ChaCha20Poly1305(key), _ChaChaMask(hp))


def open_packet(keys: Keys, data: bytes, packet: LongPacket) -> tuple[int, bytes] | None:
    """Packet number and payload of an Initial or Handshake packet; None when these are not its keys (RFC 9001 sections
    5.3 and 5.4).

    The number is the truncated one: these packets come too early for more.
    """
    if packet.end - packet.number < 4 + _SAMPLE:
        return None
    header, value, nonce = _unmask(keys, data, packet)
    try:
        return value, keys.aead.decrypt(nonce, data[packet.start + len(header) : packet.end], header)
    except _invalid_tag():  # asked for only when something was raised
        return None


def _invalid_tag() -> type[Exception]:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - loaded with the keys

    return InvalidTag


def open_cut_initial(keys: Keys, data: bytes, end: int, packet: LongPacket) -> bytes:
    """What was captured, up to ``end``, of the payload of a cut Initial: without its tag, nothing proves it right.

    AES-GCM is counter mode beginning with block 2 (NIST SP 800-38D section 7.2).
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - heavy

    if end - packet.number < 4 + _SAMPLE:
        return b""
    header, _, nonce = _unmask(keys, data, packet)
    counter = modes.CTR(nonce + b"\0\0\0\2")
    sealed = data[packet.start + len(header) : min(end, packet.end - _TAG)]
    return Cipher(algorithms.AES(keys.key), counter).decryptor().update(sealed)


def _unmask(keys: Keys, data: bytes, packet: LongPacket) -> tuple[bytes, int, bytes]:
    """The header in clear, the truncated packet number and the nonce (RFC 9001 section 5.4.1)."""
    at = packet.number
    mask = keys.mask.update(data[at + 4 : at + 4 + _SAMPLE])
    first = data[packet.start] ^ mask[0] & 0x0F
    size = (first & 3) + 1
    value = int.from_bytes(data[at : at + size], "big") ^ int.from_bytes(mask[1 : 1 + size], "big")
    header = bytes((first,)) + data[packet.start + 1 : at] + value.to_bytes(size, "big")
    return header, value, _nonce(keys, value)


def seal_initial(keys: Keys, header: bytes, number: int, payload: bytes) -> bytes:
    """A protected Initial: ``header`` in clear, as ``wire.quic.initial_header`` makes it.

    Raises WireError for a payload too short to be sampled (RFC 9001 section 5.4.2).
    """
    size = (header[0] & 3) + 1
    if len(payload) + size < 4:
        raise WireError(f"a payload of {len(payload)} bytes is too short for header protection", "initial")
    sealed = keys.aead.encrypt(_nonce(keys, number), payload, header)
    mask = keys.mask.update(sealed[4 - size : 4 - size + _SAMPLE])
    tail = bytes(a ^ b for a, b in zip(header[-size:], mask[1:], strict=False))
    return bytes((header[0] ^ mask[0] & 0x0F,)) + header[1:-size] + tail + sealed


def _nonce(keys: Keys, number: int) -> bytes:
    return (int.from_bytes(keys.iv, "big") ^ number).to_bytes(12, "big")
