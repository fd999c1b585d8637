"""What encrypted_client_hello and its forerunner tell from outside: whose name stands outside, GREASE or real; and GREASE
of our own.

Only the owner of the key can be sure: GREASE is made to look the same (RFC 9849 section 6.2). What the shape says is
given with its reason. Must not import anything of tlswire but ``wire``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.wire.cursor import escaped
from tlswire.wire.extension_bodies import EchClientHello, EchOuter, EncryptedSni, HpkeSuite
from tlswire.wire.extensions import encode_extension

if TYPE_CHECKING:
    from random import Random

    from tlswire.wire.messages import ClientHello

ECH, ESNI = 0xFE0D, 0xFFCE
_SERVER_NAME = 0

# Numbers of HPKE (RFC 9180 sections 7.2 and 7.3): the KDF identifiers of TLS (RFC 9258) are another registry.
_KDFS = {1: "HKDF-SHA256", 2: "HKDF-SHA384", 3: "HKDF-SHA512"}
_AEADS = {1: "AES-128-GCM", 2: "AES-256-GCM", 3: "ChaCha20Poly1305"}
_KEMS = {0x10: "P-256", 0x11: "P-384", 0x12: "P-521", 0x20: "X25519", 0x21: "X448"}
# The public_name of published configurations. Whole names: a visit to https://defo.ie itself carries GREASE.
_PUBLIC_NAMES = frozenset({"cloudflare-ech.com", "cloudflare-esni.com", "cover.defo.ie", "public.tls-ech.dev"})
_TAG = 16  # bytes each of the three AEADs adds (RFC 9180 section 7.3)
# An inner hello without session id, with one suite and one compression method, even before its extensions
# (RFC 9849 section 5.1): version, random, session id, suites, compression, length of the extensions.
_SMALLEST = 2 + 32 + 1 + 4 + 2 + 2


class Encrypted(msgspec.Struct, frozen=True):
    """The extension as sent: ``kind`` is a judgement, ``reason`` what it rests on, ``payload`` its encrypted bytes."""

    protocol: Literal["ech", "esni"]
    kind: Literal["grease", "real", "unknown"]
    reason: str
    public_name: str | None
    config_id: int | None = None
    kdf: str | None = None
    aead: str | None = None
    payload: int | None = None


def encrypted_client_hello(
    hello: ClientHello, *, first: ClientHello | None = None, whole: bool = True
) -> Encrypted | None:
    """What a hello tells of ECH (RFC 9849) or ESNI (draft-ietf-tls-esni-02); None where it offers neither.

    ``first`` is the hello before a HelloRetryRequest that ``hello`` answers. ``whole`` False says that extensions of
    ``hello`` may be missing: then nothing is concluded from those that are.
    """
    types = hello.extension_types
    if ECH not in types and ESNI not in types:
        return None
    host = hello.server_name
    name = None if host is None else escaped(host)
    if ESNI in types:
        return _esni(hello, name, whole=whole)
    value = hello.readable(ECH)
    if not isinstance(value, EchClientHello) or not isinstance(value.body, EchOuter):
        inner = isinstance(value, EchClientHello) and value.type == 1
        reason = "an inner hello in clear" if inner else "the extension cannot be read"
        return Encrypted("ech", "unknown", reason, name)
    outer = value.body
    repeated = first is not None and hello.raw_extension(ECH) == first.raw_extension(ECH)
    kind, reason = _judge(outer, name, repeated=repeated)
    return Encrypted("ech", kind, reason, name, outer.config_id, *hpke_suite(outer.suite), len(outer.payload))


def hpke_suite(suite: HpkeSuite) -> tuple[str, str]:
    """The names of KDF and AEAD of a suite; a number for one without a name."""
    return _KDFS.get(suite.kdf, f"0x{suite.kdf:04X}"), _AEADS.get(suite.aead, f"0x{suite.aead:04X}")


def hpke_kem(code: int) -> str:
    """The group of a KEM (RFC 9180 section 7.1); its number where it has no name here."""
    return _KEMS.get(code, f"0x{code:04X}")


def grease(rng: Random, payload: int = 4 * 32 + _TAG) -> bytes:
    """The body of an encrypted_client_hello that offers nothing and looks as if (RFC 9849 section 6.2).

    A server with ECH answers with the configurations it has (section 7.1). By default the ``payload`` is as long as
    that of a padded inner hello.
    """
    # Any 32 bytes are an X25519 key.
    outer = EchOuter(HpkeSuite(1, 1), rng.randrange(256), rng.randbytes(32), rng.randbytes(payload))
    return encode_extension(ECH, EchClientHello(0, outer), "ch")


def _judge(outer: EchOuter, name: str | None, *, repeated: bool) -> tuple[Literal["grease", "real", "unknown"], str]:
    # What another AEAD adds is not known, so nothing is concluded from it.
    known = outer.suite.aead in _AEADS
    inner = len(outer.payload) - (_TAG if known else 0)
    if inner < _SMALLEST:
        return "grease", "the payload is too short to hold a hello"
    if not outer.enc:
        return (
            "real",
            "no key: only the second hello after a retry has none, and GREASE repeats its key (RFC 9849 6.1.5)",
        )
    if name is not None and name.lower() in _PUBLIC_NAMES:
        return "real", "the outer name is a public name of ECH deployments"
    if repeated:
        # Section 6.2.1 takes it as proof, yet a client whose offer was refused changes nothing either (6.1.6).
        return (
            "grease",
            "the hello after the retry repeats it as GREASE does (RFC 9849 6.2.1), or the offer was refused",
        )
    if known and inner % 32:
        return "unknown", "the payload is not padded as RFC 9849 6.1.3 recommends"
    return "unknown", "GREASE and real look the same; no known public name stands outside"


def _esni(hello: ClientHello, name: str | None, *, whole: bool) -> Encrypted:
    value = hello.readable(ESNI)
    if not isinstance(value, EncryptedSni):
        return Encrypted("esni", "unknown", "the extension cannot be read", name)
    payload = len(value.encrypted)
    if _SERVER_NAME in hello.extension_types:
        # The draft allows a dummy beside a real one (section 5.1).
        return Encrypted("esni", "unknown", "server_name stands beside it", name, payload=payload)
    if not whole:
        reason = "the hello is cut: whether server_name stood beside it is open"
        return Encrypted("esni", "unknown", reason, name, payload=payload)
    # A client that only greases has no other place for the name of its server.
    return Encrypted("esni", "real", "no server_name beside it", name, payload=payload)
