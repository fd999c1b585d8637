"""Key shares for hellos that are never completed: valid public values that need no key and no library.

A probe stops at the ServerHello, so nobody derives a secret: the group's base point is as good as any other public
value, passes every peer's point check (wolfSSL refuses x25519 values whose top bit is set, RFC 7748 section 5), and
keeps hellos deterministic. Must not import anything of tlswire but ``registry``.
"""

from __future__ import annotations

from tlswire.registry import GROUPS

# FIPS 186-4 appendix D.1.2: base points, uncompressed (SEC 1 section 2.3.3).
_P256 = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
_P384 = bytes.fromhex(
    "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"
    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"
)
_P521 = bytes.fromhex(
    "0400c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a"
    "429bf97e7e31c2e5bd66011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013f"
    "ad0761353c7086a272c24088be94769fd16650"
)
_X25519 = (9).to_bytes(32, "little")  # RFC 7748 section 4.1
_X448 = (5).to_bytes(56, "little")  # RFC 7748 section 4.2

# An ML-KEM encapsulation key of zeros passes the modulus check of FIPS 203 section 7.2.
_SHARES: dict[int, bytes] = {
    0x0017: _P256,
    0x0018: _P384,
    0x0019: _P521,
    0x001D: _X25519,
    0x001E: _X448,
    0x11EB: _P256 + bytes(1184),  # RFC 10024: the classical share first in the NIST hybrids,
    0x11EC: bytes(1184) + _X25519,  # last in X25519MLKEM768
    0x11ED: _P384 + bytes(1568),
}


def probe_share(group: int) -> bytes:
    """The ``key_exchange`` bytes of a share for ``group``.

    Finite-field groups get the generator 2 (RFC 7919 appendix A); groups without a known encoding get zeros of the
    registered length, which servers answer with an alert or a HelloRetryRequest, never by using them.
    """
    if group in _SHARES:
        return _SHARES[group]
    row = GROUPS[group]
    if row.kind == "ffdhe":
        return (2).to_bytes(row.client_share_len, "big")
    # RFC 8701 section 3.1: a GREASE share is one byte.
    return bytes(row.client_share_len or 1)
