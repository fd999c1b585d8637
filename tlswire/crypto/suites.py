"""What a cipher suite does to records, from the registry's columns: cipher, MAC and hash as numbers and names of code.

Three tables turn the columns ``enc``, ``mac`` and ``prf`` into what the rest of the room works with. A suite that one
of them does not know is not protected here. Must not import anything of tlswire but ``errors`` and ``registry``.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import msgspec

from tlswire.errors import UsageError
from tlswire.registry import SUITES

NULL, STREAM, BLOCK, AEAD = "null", "stream", "block", "aead"


class Cipher(msgspec.Struct, frozen=True):
    """A cipher; ``algorithm`` is its name in ``cryptography``, sizes are bytes.

    ``salt`` is the part of an AEAD's nonce that the key block of TLS 1.2 gives, ``explicit`` the part that each of its
    records carries.
    """

    mode: str
    algorithm: str = ""
    key: int = 0
    block: int = 0
    salt: int = 0
    explicit: int = 0
    tag: int = 16


def _block(algorithm: str, key: int, block: int = 16) -> Cipher:
    return Cipher(BLOCK, algorithm, key, block)


# By the registry's column "enc". Export ciphers have key schedules of their own (RFC 2246 section 6.3.1): not here.
_CIPHERS: dict[str, Cipher] = {
    "NULL": Cipher(NULL),
    "RC4-128": Cipher(STREAM, "ARC4", 16),
    "DES-CBC": _block("TripleDES", 8, 8),
    "3DES-EDE-CBC": _block("TripleDES", 24, 8),
    "IDEA-CBC": _block("IDEA", 16, 8),
    "SEED-CBC": _block("SEED", 16),
    "AES-128-CBC": _block("AES", 16),
    "AES-256-CBC": _block("AES", 32),
    "CAMELLIA-128-CBC": _block("Camellia", 16),
    "CAMELLIA-256-CBC": _block("Camellia", 32),
    # RFC 5288 section 3.
    "AES-128-GCM": Cipher(AEAD, "AESGCM", 16, salt=4, explicit=8),
    "AES-256-GCM": Cipher(AEAD, "AESGCM", 32, salt=4, explicit=8),
    # RFC 6655 section 3.
    "AES-128-CCM": Cipher(AEAD, "AESCCM", 16, salt=4, explicit=8),
    "AES-256-CCM": Cipher(AEAD, "AESCCM", 32, salt=4, explicit=8),
    "AES-128-CCM8": Cipher(AEAD, "AESCCM", 16, salt=4, explicit=8, tag=8),
    "AES-256-CCM8": Cipher(AEAD, "AESCCM", 32, salt=4, explicit=8, tag=8),
    # RFC 7905 section 2.
    "CHACHA20-POLY1305": Cipher(AEAD, "ChaCha20Poly1305", 32, salt=12),
}
# By the columns "mac" and "prf": hashlib's names. DEFAULT is what TLS 1.2 takes where a suite names none (RFC 5246
# section 5); older versions have one PRF for all suites.
_MACS = {
    "HMAC-MD5": "md5",
    "HMAC-SHA1": "sha1",
    "HMAC-SHA256": "sha256",
    "HMAC-SHA384": "sha384",
    "AEAD": "",
    "NULL": "",
}
_HASHES = {"DEFAULT": "sha256", "SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}


class Plan(msgspec.Struct, frozen=True):
    """How a version protects the records of a suite; ``mac`` and ``digest`` are hashlib's names, "" is no MAC."""

    cipher: Cipher
    mac: str
    digest: str

    @property
    def mac_size(self) -> int:
        """Bytes of a record's MAC."""
        return hashlib.new(self.mac).digest_size if self.mac else 0


@lru_cache(maxsize=1024)
def plan_of(version: int, suite: int) -> Plan | None:
    """The plan; None where version and suite do not go together, or something of the suite is not known here.

    A suite of TLS 1.2 that a server wrongly picks in an older version has a plan, if it is not an AEAD.
    """
    row = SUITES[suite]
    cipher, mac, digest = _CIPHERS.get(row.enc), _MACS.get(row.mac), _HASHES.get(row.prf)
    if cipher is None or mac is None or digest is None or row.export:
        return None
    modern = row.min_version == "TLS 1.3"
    if modern or not 0x0300 <= version <= 0x0303:
        return Plan(cipher, mac, digest) if modern and version == 0x0304 else None
    # RFC 6101 section 5.2.3.1: SSLv3 pads secrets to the blocks of MD5 and SHA-1 only.
    if version == 0x0300 and mac not in {"", "md5", "sha1"}:
        return None
    # The AEADs of drafts (0xCC13 and its like) have nonces of their own.
    if row.aead and (version < 0x0303 or row.status != "iana"):
        return None
    return Plan(cipher, mac, digest)


def digest_of(suite: int) -> str:
    """The suite's hash as hashlib names it: of the PRF of TLS 1.2, of everything in TLS 1.3.

    Raises UsageError where it is none of SHA-2.
    """
    row = SUITES[suite]
    if row.prf not in _HASHES:
        raise UsageError(row.name, f"no PRF with the hash {row.prf or 'of an unknown suite'}")
    return _HASHES[row.prf]
