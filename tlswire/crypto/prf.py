"""Keys of SSLv3 to TLS 1.2: the PRF and what is made with it (RFC 6101, 2246, 4346, 5246, 7627).

Versions are record versions, 0x0300 to 0x0303. ``digest`` is hashlib's name of the suite's PRF hash; only TLS 1.2
looks at it. Imports nothing of tlswire.
"""

from __future__ import annotations

import hashlib
import hmac

MASTER_SIZE = 48  # RFC 5246 section 8.1
# RFC 6101 section 5.6.9: SSLv3 pads secrets to a block of each hash.
SSL3_PADS = {"md5": 48, "sha1": 40}


def prf(version: int, secret: bytes, label: str, seed: bytes, length: int, digest: str = "sha256") -> bytes:
    """``length`` bytes of the version's pseudorandom function (RFC 5246 section 5, RFC 2246 section 5).

    SSLv3 has no labels (RFC 6101 sections 6.1 and 6.2): its function looks at secret and seed alone, to 416 bytes.
    """
    if version <= 0x0300:
        return _prf_ssl3(secret, seed)[:length]
    seed = label.encode("ascii") + seed
    if version >= 0x0303:
        return _p_hash(digest, secret, seed, length)
    half = (len(secret) + 1) // 2
    left = _p_hash("md5", secret[:half], seed, length)
    right = _p_hash("sha1", secret[len(secret) - half :], seed, length)
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _p_hash(digest: str, secret: bytes, seed: bytes, length: int) -> bytes:
    found, value = b"", seed
    while len(found) < length:
        value = hmac.digest(secret, value, digest)
        found += hmac.digest(secret, value + seed, digest)
    return found[:length]


def _prf_ssl3(secret: bytes, seed: bytes) -> bytes:
    # "A", "BB", "CCC" ... before each block, as far as the alphabet goes.
    salts = (bytes((65 + i,)) * (i + 1) for i in range(26))
    return b"".join(_md5(secret + _sha1(salt + secret + seed)) for salt in salts)


def master_secret(
    version: int, premaster: bytes, client_random: bytes, server_random: bytes, digest: str = "sha256"
) -> bytes:
    """The 48 bytes of the master secret (RFC 5246 section 8.1)."""
    return prf(version, premaster, "master secret", client_random + server_random, MASTER_SIZE, digest)


def extended_master_secret(version: int, premaster: bytes, transcript: bytes, digest: str = "sha256") -> bytes:
    """The master secret of RFC 7627 section 4; ``transcript`` is every handshake message to ClientKeyExchange."""
    session_hash = transcript_hash(version, transcript, digest)
    return prf(version, premaster, "extended master secret", session_hash, MASTER_SIZE, digest)


def key_block(
    version: int, master: bytes, client_random: bytes, server_random: bytes, length: int, digest: str = "sha256"
) -> bytes:
    """The material all keys of a connection are cut from (RFC 5246 section 6.3)."""
    return prf(version, master, "key expansion", server_random + client_random, length, digest)


def verify_data(version: int, master: bytes, transcript: bytes, *, server: bool, digest: str = "sha256") -> bytes:
    """The body of Finished: 12 bytes, 36 in SSLv3 (RFC 5246 section 7.4.9, RFC 6101 section 5.6.9).

    ``transcript`` is every handshake message before this one, with headers, HelloRequests left out.
    """
    if version <= 0x0300:
        sender = b"SRVR" if server else b"CLNT"
        return b"".join(_padded(name, master, transcript + sender) for name in SSL3_PADS)
    label = "server finished" if server else "client finished"
    return prf(version, master, label, transcript_hash(version, transcript, digest), 12, digest)


def _padded(name: str, master: bytes, data: bytes) -> bytes:
    pad = SSL3_PADS[name]
    inner = hashlib.new(name, data + master + b"\x36" * pad).digest()
    return hashlib.new(name, master + b"\x5c" * pad + inner).digest()


def transcript_hash(version: int, transcript: bytes, digest: str = "sha256") -> bytes:
    """What TLS 1.0 to 1.2 hash handshake messages to: MD5 and SHA-1 before TLS 1.2, the PRF's hash in it."""
    if version >= 0x0303:
        return hashlib.new(digest, transcript).digest()
    return _md5(transcript) + _sha1(transcript)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()
