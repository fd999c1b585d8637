"""What encrypted_client_hello and its forerunner tell from outside: whose name stands outside, GREASE or real.

Only the owner of the key can be sure: GREASE is made to look the same (RFC 9849 section 6.2). What the shape says is
given with its reason. Must not import anything of tlswire but ``registry`` and ``wire``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.registry import KDF_IDS
from tlswire.wire.cursor import escaped
from tlswire.wire.extension_bodies import EchClientHello, EchOuter

if TYPE_CHECKING:
    from tlswire.wire.messages import ClientHello

ECH, ESNI = 0xFE0D, 0xFFCE

_AEADS = {1: "AES-128-GCM", 2: "AES-256-GCM", 3: "ChaCha20Poly1305"}  # RFC 9180 section 7.3
# Outer names under which ECH is deployed: the public_name of published configurations.
_PUBLIC_NAMES = ("cloudflare-ech.com", "cloudflare-esni.com", "defo.ie", "tls-ech.dev", "ech.co")


class Encrypted(msgspec.Struct, frozen=True):
    """The extension as sent: ``kind`` is a judgement, ``reason`` what it rests on, ``payload`` bytes."""

    protocol: Literal["ech", "esni"]
    kind: Literal["grease", "real", "unknown"]
    reason: str
    public_name: str | None
    config_id: int | None = None
    kdf: str | None = None
    aead: str | None = None
    payload: int | None = None


def encrypted_client_hello(hello: ClientHello) -> Encrypted | None:
    """What a hello tells of ECH (RFC 9849) or ESNI (draft-ietf-tls-esni-02); None where it offers neither."""
    name = None if hello.server_name is None else escaped(hello.server_name)
    if hello.raw_extension(ESNI) is not None:
        return _esni(hello, name)
    data = hello.raw_extension(ECH)
    if data is None:
        return None
    value = hello.readable(ECH)
    if not isinstance(value, EchClientHello) or not isinstance(value.body, EchOuter):
        inner = isinstance(value, EchClientHello) and value.type == 1
        reason = "an inner hello in clear" if inner else "the extension cannot be read"
        return Encrypted("ech", "unknown", reason, name)
    outer = value.body
    kind, reason = _judge(outer, name)
    aead = _AEADS.get(outer.suite.aead, f"0x{outer.suite.aead:04X}")
    return Encrypted(
        "ech", kind, reason, name, outer.config_id, KDF_IDS[outer.suite.kdf].name, aead, len(outer.payload)
    )


def _judge(outer: EchOuter, name: str | None) -> tuple[Literal["grease", "real", "unknown"], str]:
    if name is not None and name.lower().endswith(_PUBLIC_NAMES):
        return "real", "the outer name is a public name of ECH deployments"
    if not outer.enc:
        return "real", "no key: the second hello after a retry (RFC 9849 6.1.5)"
    # A padded EncodedClientHelloInner is a multiple of 32 plus the tag of 16 (RFC 9849 section 6.1.3); so is GREASE.
    if (len(outer.payload) - 16) % 32:
        return "unknown", "the payload is not padded as RFC 9849 6.1.3 recommends"
    return "unknown", "GREASE and real look the same; the outer name is no known public name"


def _esni(hello: ClientHello, name: str | None) -> Encrypted:
    kind: Literal["real", "unknown"] = "real" if name is None else "unknown"
    reason = "no server_name beside it" if name is None else "server_name stands beside it"
    return Encrypted("esni", kind, reason, name, payload=len(hello.raw_extension(ESNI) or b""))
