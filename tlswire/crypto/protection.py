"""Record protection, both ways, SSLv3 to TLS 1.3: plaintext in, whole records out, and back.

A Protection is one direction of one epoch: keys, sequence number, the state of old ciphers. What a suite needs stands
in ``crypto.suites``; sealing a record twice the same way takes the same caller's randomness.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire.records`` and ``crypto``.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from tlswire.crypto.hkdf import expand_label
from tlswire.crypto.prf import SSL3_PADS, key_block
from tlswire.crypto.suites import AEAD, BLOCK, NULL, STREAM, Cipher, Plan, plan_of
from tlswire.errors import UsageError, WireError
from tlswire.registry import CONTENT_TYPES, SUITES, VERSIONS
from tlswire.wire.records import APPLICATION_DATA, MAX_PLAINTEXT

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from cryptography.hazmat.primitives.ciphers import CipherContext

_HEADER = struct.Struct(">BHH")
_MACED = struct.Struct(">QBHH")  # what a MAC and an AEAD cover before the data (RFC 5246 section 6.2.3.1)
_MACED_SSL3 = struct.Struct(">QBH")  # RFC 6101 section 5.2.3.1: without the version


class Protection(ABC):
    """One direction of one epoch; ``sequence`` is the number of the next record.

    An instance either seals or opens: both count with the same number.
    """

    tls13 = False

    def __init__(self, version: int) -> None:
        self.version = version
        self.sequence = 0

    def seal(self, content: int, data: bytes) -> bytes:
        """The record, header included, of at most 2^14 bytes of plaintext (RFC 9846 section 5.1); else WireError."""
        if len(data) > MAX_PLAINTEXT:
            raise WireError(f"{len(data)} bytes do not fit a record of 2^14", "record.protected")
        record = self._seal(content, data)
        self.sequence += 1
        return record

    def open(self, record_type: int, version: int, fragment: bytes) -> tuple[int, bytes]:
        """Content type and plaintext of the record with this header.

        Raises WireError, with the reason, for a record that does not open or is over 2^14 bytes in clear. It counts
        for nothing then: the sequence number stands, although chained ciphers (RC4, CBC of TLS 1.0) have moved on.
        """
        content, data = self._open(record_type, version, fragment)
        if len(data) > MAX_PLAINTEXT:
            raise _fault(f"plaintext of {len(data)} bytes is over 2^14 (RFC 9846 5.1)")
        self.sequence += 1
        return content, data

    @abstractmethod
    def _seal(self, content: int, data: bytes) -> bytes: ...

    @abstractmethod
    def _open(self, record_type: int, version: int, fragment: bytes) -> tuple[int, bytes]: ...

    def _record(self, content: int, body: bytes) -> bytes:
        return _HEADER.pack(content, self.version, len(body)) + body


def _fault(reason: str) -> WireError:
    return WireError(reason, "record.protected")


def _too_short(fragment: bytes, least: int) -> WireError:
    return _fault(f"{len(fragment)} bytes are too few for a protected record of at least {least}")


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


class _Hmac:
    """The integrity-only "AEAD" of RFC 9150 section 4: data in clear, then an HMAC over nonce, header and data."""

    def __init__(self, key: bytes, digest: str) -> None:
        self._key = key
        self._digest = digest
        self._size = hashlib.new(digest).digest_size

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        return data + hmac.digest(self._key, nonce + (associated_data or b"") + data, self._digest)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - heavy

        plain = data[: -self._size]
        if self.encrypt(nonce, plain, associated_data) != data:
            raise InvalidTag
        return plain


def _aead(cipher: Cipher, key: bytes) -> _Aead:
    from cryptography.hazmat.primitives.ciphers import aead  # noqa: PLC0415 - heavy

    if cipher.algorithm == "AESCCM":
        return aead.AESCCM(key, tag_length=cipher.tag)
    made: _Aead = getattr(aead, cipher.algorithm)(key)
    return made


def _decrypt(aead: _Aead, nonce: bytes, data: bytes, header: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - loaded with the key

    try:
        return aead.decrypt(nonce, data, header)
    except InvalidTag:
        raise _fault("bad tag: the record was changed, or these are not its keys") from None


def _mixed(iv: bytes, sequence: int) -> bytes:
    """The nonce of RFC 9846 section 5.3 and RFC 7905 section 2."""
    return (int.from_bytes(iv, "big") ^ sequence).to_bytes(len(iv), "big")


class _Protection13(Protection):
    """TLS 1.3 (RFC 9846 section 5.2)."""

    tls13 = True

    def __init__(self, aead: _Aead, iv: bytes, tag: int, *, header: bool) -> None:
        super().__init__(0x0303)
        self._aead = aead
        self._iv = iv
        self._tag = tag
        self._covered = 5 if header else 0

    def _seal(self, content: int, data: bytes) -> bytes:
        header = _HEADER.pack(APPLICATION_DATA, self.version, len(data) + 1 + self._tag)
        plain, covered = data + bytes((content,)), header[: self._covered]
        return header + self._aead.encrypt(_mixed(self._iv, self.sequence), plain, covered)

    def _open(self, record_type: int, version: int, fragment: bytes) -> tuple[int, bytes]:
        if record_type != APPLICATION_DATA:
            raise _fault(f"a record of type {CONTENT_TYPES[record_type].name} in clear after the keys")
        if len(fragment) <= self._tag:
            raise _too_short(fragment, self._tag + 1)
        covered = _HEADER.pack(record_type, version, len(fragment))[: self._covered]
        inner = _decrypt(self._aead, _mixed(self._iv, self.sequence), fragment, covered).rstrip(b"\0")
        if not inner:
            raise _fault("all zeros: no content type (RFC 9846 5.4)")
        return inner[-1], inner[:-1]


class _Aead12(Protection):
    """AEADs in TLS 1.2 (RFC 5246 section 6.2.3.3)."""

    def __init__(self, version: int, cipher: Cipher, aead: _Aead, salt: bytes) -> None:
        super().__init__(version)
        self._cipher = cipher
        self._aead = aead
        self._salt = salt

    def _covered(self, content: int, version: int, length: int) -> bytes:
        return _MACED.pack(self.sequence, content, version, length)

    def _seal(self, content: int, data: bytes) -> bytes:
        # The sequence number is the explicit part: RFC 5288 section 3 and RFC 6655 section 3 both allow it.
        explicit = self.sequence.to_bytes(8, "big") if self._cipher.explicit else b""
        nonce = self._salt + explicit if explicit else _mixed(self._salt, self.sequence)
        sealed = self._aead.encrypt(nonce, data, self._covered(content, self.version, len(data)))
        return self._record(content, explicit + sealed)

    def _open(self, record_type: int, version: int, fragment: bytes) -> tuple[int, bytes]:
        at = self._cipher.explicit
        length = len(fragment) - at - self._cipher.tag
        if length < 0:
            raise _too_short(fragment, at + self._cipher.tag)
        nonce = self._salt + fragment[:at] if at else _mixed(self._salt, self.sequence)
        return record_type, _decrypt(self._aead, nonce, fragment[at:], self._covered(record_type, version, length))


class _Maced(Protection):
    """What has a MAC of its own: NULL and stream ciphers here, CBC below (RFC 5246 section 6.2.3.1)."""

    def __init__(self, version: int, mac: str, mac_key: bytes, cipher: Callable[[], CipherContext] | None) -> None:
        super().__init__(version)
        self._mac_name = mac
        self._mac_key = mac_key
        self._mac_size = hashlib.new(mac).digest_size if mac else 0
        self._encrypt = self._decrypt = cipher().update if cipher is not None else bytes

    def _mac(self, content: int, version: int, data: bytes) -> bytes:
        if not self._mac_name:
            return b""
        if self.version == 0x0300:
            pad = SSL3_PADS[self._mac_name]
            covered = _MACED_SSL3.pack(self.sequence, content, len(data)) + data
            inner = hashlib.new(self._mac_name, self._mac_key + b"\x36" * pad + covered).digest()
            return hashlib.new(self._mac_name, self._mac_key + b"\x5c" * pad + inner).digest()
        covered = _MACED.pack(self.sequence, content, version, len(data)) + data
        return hmac.digest(self._mac_key, covered, self._mac_name)

    def checked(self, content: int, version: int, data: bytes) -> bytes:
        """``data`` without the MAC it ends with."""
        at = len(data) - self._mac_size
        if at < 0:
            raise _too_short(data, self._mac_size)
        if self._mac(content, version, data[:at]) != data[at:]:
            raise _fault("bad MAC: the record was changed, or these are not its keys")
        return data[:at]

    def _seal(self, content: int, data: bytes) -> bytes:
        return self._record(content, self._encrypt(data + self._mac(content, self.version, data)))

    def _open(self, record_type: int, version: int, fragment: bytes) -> tuple[int, bytes]:
        return record_type, self.checked(record_type, version, self._decrypt(fragment))


class Cbc(_Maced):
    """CBC: MAC, then padding, then encryption (RFC 5246 section 6.2.3.2), or encryption, then MAC (RFC 7366).

    Until TLS 1.0 a record's last block is the IV of the next (RFC 2246 section 6.2.3.2); later each brings its own.
    """

    def __init__(
        self, version: int, plan: Plan, mac_key: bytes, key: bytes, iv: bytes, encrypt_then_mac: bool, rng: Random
    ) -> None:
        super().__init__(version, plan.mac, mac_key, None)
        self._algorithm = _algorithm(plan.cipher, key)
        self.block = plan.cipher.block
        self._encrypt_then_mac = encrypt_then_mac
        self._rng = rng
        self._explicit = plan.cipher.block if version >= 0x0302 else 0
        self._write_iv = self._read_iv = iv

    def mac(self, content: int, data: bytes) -> bytes:
        """The MAC of the next record with this data."""
        return self._mac(content, self.version, data)

    def seal_blocks(self, content: int, plain: bytes) -> bytes:
        """The record of whole blocks, the caller's MAC and padding in them, whatever these are; without RFC 7366."""
        record = self._sealed(content, plain)
        self.sequence += 1
        return record

    def _seal(self, content: int, data: bytes) -> bytes:
        plain = data if self._encrypt_then_mac else data + self.mac(content, data)
        size = self.block - len(plain) % self.block
        return self._sealed(content, plain + bytes((size - 1,)) * size)

    def _sealed(self, content: int, plain: bytes) -> bytes:
        iv = self._rng.randbytes(self.block) if self._explicit else self._write_iv
        sealed = _cbc(self._algorithm, iv).encryptor().update(plain)
        self._write_iv = sealed[-self.block :]
        body = iv + sealed if self._explicit else sealed
        if self._encrypt_then_mac:
            body += self._mac(content, self.version, body)
        return self._record(content, body)

    def _open(self, record_type: int, version: int, fragment: bytes) -> tuple[int, bytes]:
        if self._encrypt_then_mac:
            fragment = self.checked(record_type, version, fragment)
        plain = self._unpadded(self.open_blocks(fragment))
        return record_type, plain if self._encrypt_then_mac else self.checked(record_type, version, plain)

    def open_blocks(self, fragment: bytes) -> bytes:
        """The blocks of a record in clear, MAC and padding with them. Raises WireError where they are no blocks."""
        if len(fragment) < self._explicit + self.block or len(fragment) % self.block:
            raise _fault(f"{len(fragment)} bytes are no blocks of {self.block}")
        iv = fragment[: self._explicit] if self._explicit else self._read_iv
        sealed = fragment[self._explicit :]
        self._read_iv = sealed[-self.block :]
        plain: bytes = _cbc(self._algorithm, iv).decryptor().update(sealed)
        return plain

    def _unpadded(self, plain: bytes) -> bytes:
        size = plain[-1] + 1
        if size > len(plain):
            raise _fault(f"bad padding: {size} bytes of it in {len(plain)}")
        # RFC 6101 section 5.2.3.2: in SSLv3 padding is less than a block, of any value.
        if self.version == 0x0300:
            if size > self.block:
                raise _fault(f"bad padding: {size} bytes of it with blocks of {self.block} (RFC 6101 5.2.3.2)")
        elif plain[-size:] != plain[-1:] * size:
            raise _fault("bad padding: its bytes are not its length, or these are not the keys")
        return plain[:-size]


def _algorithm(cipher: Cipher, key: bytes) -> Any:
    """The algorithm in ``cryptography``, which moves old ones to ``decrepit`` one by one."""
    from cryptography.hazmat.decrepit.ciphers import algorithms as old  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.ciphers import algorithms as current  # noqa: PLC0415 - heavy

    if cipher.algorithm == "TripleDES" and cipher.key == 8:
        key *= 3  # DES is Triple DES with one key three times (NIST SP 800-67 section 3.2)
    return getattr(old if hasattr(old, cipher.algorithm) else current, cipher.algorithm)(key)


def _cbc(algorithm: Any, iv: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher as Context  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.ciphers import modes  # noqa: PLC0415 - heavy

    return Context(algorithm, modes.CBC(iv))


def can_protect(version: int, suite: int) -> bool:
    """Whether records of this suite can be sealed and opened here in this version, 0x0300 to 0x0304."""
    return plan_of(version, suite) is not None


def _plan(version: int, suite: int) -> Plan:
    plan = plan_of(version, suite)
    if plan is None:
        raise UsageError(SUITES[suite].name, f"{VERSIONS[version].name} records of it cannot be protected here")
    return plan


def protection13(suite: int, secret: bytes, *, header: bool = True) -> Protection:
    """The protection under a traffic secret of TLS 1.3 (RFC 9846 section 7.3); UsageError if it is not done here.

    ``header`` is whether the AEAD covers the record's header, as it does since draft 25.
    """
    plan = _plan(0x0304, suite)
    if plan.cipher.mode == NULL:
        # RFC 9150 section 6: key and nonce are as long as the hash.
        size = tag = plan.mac_size
        key = expand_label(secret, "key", size, b"", plan.digest)
        iv = expand_label(secret, "iv", size, b"", plan.digest)
        return _Protection13(_Hmac(key, plan.mac), iv, tag, header=header)
    key = expand_label(secret, "key", plan.cipher.key, b"", plan.digest)
    iv = expand_label(secret, "iv", 12, b"", plan.digest)
    return _Protection13(_aead(plan.cipher, key), iv, plan.cipher.tag, header=header)


def key_block_sizes(suite: int, version: int) -> tuple[int, int, int]:
    """Bytes of MAC key, key and IV that each side cuts from the key block (RFC 5246 section 6.3)."""
    plan = _plan(version, suite)
    chained = plan.cipher.block if version <= 0x0301 else 0
    return plan.mac_size, plan.cipher.key, plan.cipher.salt or chained


def protection12(
    version: int, suite: int, mac_key: bytes, key: bytes, iv: bytes, *, encrypt_then_mac: bool = False, rng: Random
) -> Protection:
    """The protection with these keys, SSLv3 to TLS 1.2; UsageError if it is not done here.

    ``encrypt_then_mac`` is what was agreed: only CBC cares (RFC 7366 section 3). ``rng`` gives the IVs of CBC.
    """
    plan = _plan(version, suite)
    if plan.cipher.mode == AEAD:
        return _Aead12(version, plan.cipher, _aead(plan.cipher, key), iv)
    if plan.cipher.mode == BLOCK:
        return Cbc(version, plan, mac_key, key, iv, encrypt_then_mac, rng)
    return _Maced(version, plan.mac, mac_key, _stream(plan.cipher, key) if plan.cipher.mode == STREAM else None)


def _stream(cipher: Cipher, key: bytes) -> Callable[[], CipherContext]:
    from cryptography.hazmat.primitives.ciphers import Cipher as Context  # noqa: PLC0415 - heavy

    return Context(_algorithm(cipher, key), None).encryptor


def protections12(
    version: int,
    suite: int,
    master: bytes,
    client_random: bytes,
    server_random: bytes,
    *,
    encrypt_then_mac: bool = False,
    rng: Random,
) -> tuple[Protection, Protection]:
    """What protects what the client sends, and what the server sends, under a master secret."""
    sizes = key_block_sizes(suite, version)
    digest = _plan(version, suite).digest
    block = key_block(version, master, client_random, server_random, 2 * sum(sizes), digest)
    sides: tuple[list[bytes], list[bytes]] = ([], [])
    for size in sizes:
        for side in sides:
            side.append(block[:size])
            block = block[size:]
    client, server = (protection12(version, suite, *side, encrypt_then_mac=encrypt_then_mac, rng=rng) for side in sides)
    return client, server
