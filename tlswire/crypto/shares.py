"""Key exchange with real keys: shares of groups, Diffie-Hellman with any parameters, RSA key transport.

Private keys come from the caller's ``random.Random``, so a seed gives the same shares; only ML-KEM encapsulation, the
answering side, takes the system's randomness, since no library lets it be given. Finite fields are computed with
``pow``: parameters that peers make up are no business of ``cryptography``.
Must not import anything of tlswire but ``errors`` and ``registry``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from tlswire.errors import UsageError, WireError
from tlswire.registry import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MAX_PRIME_BITS = 16384
# 400 bits, what RFC 7919 section 5.2 asks for its largest group; it bounds the time of one exchange.
_EXPONENT_SIZE = 50

# RFC 7919 appendix A: each prime is 2^b - 2^(b-64) + (floor(2^(b-130) e) + X) 2^64 - 1, with this X; generator 2.
_FFDHE = {0x0100: 560316, 0x0101: 2625351, 0x0102: 5736041, 0x0103: 15705020, 0x0104: 10965728}
# RFC 10024: shares and secrets both are one part after the other.
_HYBRIDS = {
    0x11EB: (0x0017, 0x0201),
    0x11EC: (0x0201, 0x001D),
    0x11ED: (0x0018, 0x0202),
}
_KEMS = {0x0201: "MLKEM768", 0x0202: "MLKEM1024"}
_XDH = {0x001D, 0x001E}


class _Key(Protocol):
    """A private key: the public value as sent, and the secret with the peer's, or WireError."""

    @property
    def public(self) -> bytes: ...

    def secret(self, peer: bytes) -> bytes: ...


class PrivateShare:
    """A key share we can go on with: ``public`` is the key_exchange of a KeyShareEntry, or a point of TLS 1.2."""

    __slots__ = ("_keys", "group", "public")

    def __init__(self, group: int, keys: tuple[_Key, ...]) -> None:
        self.group = group
        self._keys = keys
        self.public = b"".join(key.public for key in keys)

    def secret(self, peer: bytes) -> bytes:
        """The secret with the server's share or ciphertext (RFC 9846 section 7.4, RFC 10024).

        Raises WireError for a peer's value of the wrong length, or one that no honest peer sends.
        """
        pieces = _split(self.group, peer, answered=True)
        return b"".join(key.secret(piece) for key, piece in zip(self._keys, pieces, strict=True))


class DhPrivate:
    """A private exponent for the parameters of a ServerKeyExchange; ``public`` is as long as the prime."""

    __slots__ = ("_key", "public")

    def __init__(self, key: _Key) -> None:
        self._key = key
        self.public = key.public

    def secret(self, peer: bytes) -> bytes:
        """The premaster secret, its leading zeros left out (RFC 5246 section 8.1.2).

        Raises WireError for a public value that is not between 2 and p-2 (RFC 7919 section 5.1).
        """
        return self._key.secret(peer).lstrip(b"\0")


def supported(group: int) -> bool:
    """Whether there are real shares of this group here."""
    return all(_possible(part) for part in _parts(group))


def private_share(group: int, rng: Random) -> PrivateShare:
    """A share with keys from ``rng``; UsageError for a group that is not ``supported``."""
    return PrivateShare(group, tuple(_key(part, rng.randbytes) for part in _parts(group)))


def answer_share(group: int, peer: bytes, rng: Random) -> tuple[bytes, bytes]:
    """The server's side: the share to send for the client's ``peer``, and the secret.

    Raises WireError as ``PrivateShare.secret`` does, UsageError for a group that is not ``supported``.
    """
    parts = _parts(group)
    answers = [
        _encapsulated(part, piece) if part in _KEMS else _agreed(part, piece, rng)
        for part, piece in zip(parts, _split(group, peer, answered=False), strict=True)
    ]
    return b"".join(public for public, _ in answers), b"".join(secret for _, secret in answers)


def dh_private(prime: int, generator: int, rng: Random) -> DhPrivate:
    """An exponent for these parameters, as TLS 1.2 and older have them in ServerKeyExchange.

    Raises WireError for parameters that give no key exchange: a prime that is even or over 16384 bits, a generator
    that is not between 2 and p-2. Whether the prime is one, and is large enough, is not looked at here.
    """
    if prime.bit_length() > MAX_PRIME_BITS:
        raise WireError(f"a prime of {prime.bit_length()} bits is over the bound of {MAX_PRIME_BITS}", "dh_p")
    if prime < 5 or not prime & 1:
        raise WireError(f"{'an even number' if prime > 4 else prime} is no prime for Diffie-Hellman", "dh_p")
    if not 2 <= generator <= prime - 2:
        raise WireError("the generator is not between 2 and p-2", "dh_g")
    return DhPrivate(_DhKey(prime, generator, rng.randbytes(_EXPONENT_SIZE)))


def ffdhe_prime(group: int) -> int:
    """The prime of a group of RFC 7919, from the formula of its appendix A; the generator is 2."""
    bits = GROUPS[group].bits
    fraction = _e_times_power(bits - 130) + _FFDHE[group]
    return (1 << bits) - (1 << (bits - 64)) + (fraction << 64) - 1


@lru_cache(maxsize=8)
def _e_times_power(bits: int) -> int:
    """floor(2^bits e), from the series of 1/n!, with enough bits to spare for its rounding."""
    term = total = 1 << (bits + 64)
    n = 0
    while term:
        n += 1
        term //= n
        total += term
    return total >> 64


def rsa_encrypt(public_key: RSAPublicKey, message: bytes, rng: Random) -> bytes:
    """``message`` as RSAES-PKCS1-v1_5, its padding from ``rng`` (RFC 8017 section 7.2.1); WireError if it is too long."""
    size = (public_key.key_size + 7) // 8
    room = size - 3 - len(message)
    if room < 8:
        raise WireError(f"an RSA key of {public_key.key_size} bits has no room for {len(message)} bytes", "public_key")
    padding = bytes(rng.randrange(1, 256) for _ in range(room))
    return rsa_block(public_key, b"\0\2" + padding + b"\0" + message)


def rsa_block(public_key: RSAPublicKey, block: bytes) -> bytes:
    """A ready block, padded well or badly, to the power of the key; WireError if it is longer than the modulus."""
    numbers, size = public_key.public_numbers(), (public_key.key_size + 7) // 8
    if len(block) > size:
        raise WireError(f"a block of {len(block)} bytes is longer than the modulus of {size}", "public_key")
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def server_parts(group: int, share: bytes) -> tuple[tuple[int, bytes], ...]:
    """A server's share taken apart: (group, value) of a hybrid's parts, of any other group the share itself.

    Raises WireError for a share of the wrong length.
    """
    return tuple(zip(_parts(group), _split(group, share, answered=True), strict=True))


def _parts(group: int) -> tuple[int, ...]:
    return _HYBRIDS.get(group, (group,))


def _split(group: int, peer: bytes, *, answered: bool) -> list[bytes]:
    """A peer's share cut into those of its parts: the server's if ``answered``, else the client's."""
    rows = [GROUPS[part] for part in _parts(group)]
    sizes = [row.server_share_len if answered else row.client_share_len for row in rows]
    if len(peer) != sum(sizes):
        reason = f"{len(peer)} bytes for {GROUPS[group].name}, which has {sum(sizes)}"
        raise WireError(reason, "key_exchange")
    pieces = []
    for size in sizes:
        pieces.append(peer[:size])
        peer = peer[size:]
    return pieces


def _refused(group: int, reason: str) -> WireError:
    return WireError(f"{GROUPS[group].name}: {reason}", "key_exchange")


class _XdhKey:
    """x25519 and x448 (RFC 7748)."""

    def __init__(self, group: int, seed: bytes) -> None:
        self._group = group
        self._private, self._peer = _xdh(group, seed)
        self.public: bytes = self._private.public_key().public_bytes_raw()

    def secret(self, peer: bytes) -> bytes:
        try:
            secret: bytes = self._private.exchange(self._peer(peer))
        except ValueError:
            raise _refused(self._group, "the secret would be all zeros (RFC 7748 6, RFC 9846 7.4.2)") from None
        return secret


def _xdh(group: int, seed: bytes) -> tuple[Any, Any]:
    from cryptography.hazmat.primitives.asymmetric import x448, x25519  # noqa: PLC0415 - heavy

    if group == 0x001D:
        return x25519.X25519PrivateKey.from_private_bytes(seed), x25519.X25519PublicKey.from_public_bytes
    return x448.X448PrivateKey.from_private_bytes(seed), x448.X448PublicKey.from_public_bytes


class _EcKey:
    """Curves over prime fields, points uncompressed (RFC 8422 section 5.4.1)."""

    def __init__(self, group: int, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - heavy
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - heavy

        self._group = group
        # secp256r1 is SECP256R1, brainpoolP256r1tls13 is BrainpoolP256R1.
        name = GROUPS[group].name.removesuffix("tls13").upper().replace("BRAINPOOL", "Brainpool")
        curve = getattr(ec, name, None)
        if curve is None:
            raise _unsupported(group)
        self._private = ec.derive_private_key(1 + int.from_bytes(seed, "big"), curve())
        self.public = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def secret(self, peer: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - heavy

        if peer[0] != 4:
            raise _refused(
                self._group, f"a point that begins with {peer[0]}, not 4, is not uncompressed (RFC 8422 5.4.1)"
            )
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(self._private.curve, peer)
        except ValueError:
            raise _refused(self._group, "the point is not on the curve (RFC 9846 4.3.8.2)") from None
        return self._private.exchange(ec.ECDH(), point)


class _DhKey:
    """Finite fields; the secret is as long as the prime (RFC 9846 section 7.4.1)."""

    def __init__(self, prime: int, generator: int, seed: bytes) -> None:
        self._prime = prime
        self._exponent = 2 + int.from_bytes(seed, "big") % (prime - 3)
        self._size = (prime.bit_length() + 7) // 8
        self.public = pow(generator, self._exponent, prime).to_bytes(self._size, "big")

    def secret(self, peer: bytes) -> bytes:
        value = int.from_bytes(peer, "big")
        if not 2 <= value <= self._prime - 2:
            shown = value if value < 2 else "p-1" if value == self._prime - 1 else "a number from p on"
            raise WireError(f"public value {shown} is not between 2 and p-2 (RFC 7919 5.1)", "key_exchange")
        return pow(value, self._exponent, self._prime).to_bytes(self._size, "big")


class _KemKey:
    """ML-KEM (FIPS 203): the peer's share is a ciphertext."""

    def __init__(self, group: int, seed: bytes) -> None:
        self._private = getattr(_mlkem(group), f"{_KEMS[group]}PrivateKey").from_seed_bytes(seed)
        self.public: bytes = self._private.public_key().public_bytes_raw()

    def secret(self, peer: bytes) -> bytes:
        # A wrong ciphertext gives another secret, not an error (FIPS 203 section 6.3): Finished will tell.
        secret: bytes = self._private.decapsulate(peer)
        return secret


def _mlkem(group: int) -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import mlkem  # noqa: PLC0415 - heavy
    except ImportError:  # as old as cryptography 44
        raise _unsupported(group) from None
    return mlkem


def _agreed(group: int, peer: bytes, rng: Random) -> tuple[bytes, bytes]:
    key = _key(group, rng.randbytes)
    return key.public, key.secret(peer)


def _encapsulated(group: int, peer: bytes) -> tuple[bytes, bytes]:
    try:
        public = getattr(_mlkem(group), f"{_KEMS[group]}PublicKey").from_public_bytes(peer)
        secret, ciphertext = public.encapsulate()
    except ValueError:
        raise _refused(group, "not an encapsulation key (FIPS 203 7.2)") from None
    return ciphertext, secret


def _key(group: int, draw: Callable[[int], bytes]) -> _Key:
    """A private key from as many bytes of ``draw`` as it takes."""
    row = GROUPS[group]
    if group in _XDH:
        return _XdhKey(group, draw(row.client_share_len))
    if group in _KEMS:
        return _KemKey(group, draw(64))  # FIPS 203 section 7.1: d and z
    if group in _FFDHE:
        return _DhKey(ffdhe_prime(group), 2, draw(_EXPONENT_SIZE))
    if row.kind == "ec":
        # A byte less than the field: below the order of every curve.
        return _EcKey(group, draw((row.bits - 8) // 8))
    raise _unsupported(group)


def _unsupported(group: int) -> UsageError:
    return UsageError(GROUPS[group].name, "no key exchange with this group here")


@lru_cache(maxsize=128)
def _possible(group: int) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy

    try:
        _key(group, lambda size: b"\1" * size)
    except (UsageError, UnsupportedAlgorithm):
        return False
    return True
