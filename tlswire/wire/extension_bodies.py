"""Values and grammars of the extension bodies that need more than one primitive.

``wire.extensions`` says which message carries which of them. Every grammar names the RFC section it was written from;
bounds are those of the RFC. Must not import anything of tlswire but ``registry``, ``wire.primitives`` and
``wire.handshake``; no I/O.
"""

# Construct calls its hooks with fixed names and arguments:
# ruff: noqa: ARG002, D102

from __future__ import annotations

from typing import Any

import msgspec

from tlswire.errors import WireError
from tlswire.registry import CERTIFICATE_STATUS_TYPES, EXTENSIONS, GROUPS, SCHEMES, SUITES
from tlswire.wire.messages import Extension
from tlswire.wire.primitives import (
    Choice,
    Codes,
    Empty,
    Fixed,
    Grammar,
    Opaque,
    Prefixed,
    Record,
    Text,
    UInt,
    Vector,
)


class ServerName(msgspec.Struct, frozen=True):
    """ServerName (RFC 6066 section 3); type 0 is host_name."""

    type: int
    name: bytes


class TrustedAuthority(msgspec.Struct, frozen=True):
    """TrustedAuthority (RFC 6066 section 6): None for pre_agreed, a SHA-1 hash, or a DER name."""

    type: int
    identifier: bytes | None


class OcspRequest(msgspec.Struct, frozen=True):
    """OCSPStatusRequest (RFC 6066 section 8): DER responder ids and DER request extensions."""

    responder_ids: tuple[bytes, ...]
    request_extensions: bytes


class StatusRequest(msgspec.Struct, frozen=True):
    """CertificateStatusRequest, version 1 or 2: ``request`` is raw bytes for an unknown type."""

    type: int
    request: OcspRequest | bytes


class UseSrtp(msgspec.Struct, frozen=True):
    """UseSRTPData (RFC 5764 section 4.1.1)."""

    profiles: tuple[int, ...]
    mki: bytes


class TokenBinding(msgspec.Struct, frozen=True):
    """TokenBindingParameters (RFC 8472 section 2)."""

    major: int
    minor: int
    key_parameters: tuple[int, ...]


class CachedObject(msgspec.Struct, frozen=True):
    """CachedObject as a client sends it (RFC 7924 section 3)."""

    type: int
    hash: bytes


class DelegatedCredential(msgspec.Struct, frozen=True):
    """DelegatedCredential (RFC 9345 section 4), its Credential laid flat; ``valid_time`` in seconds."""

    valid_time: int
    certificate_verify_scheme: int
    public_key: bytes
    scheme: int
    signature: bytes


class PskIdentity(msgspec.Struct, frozen=True):
    """PskIdentity (RFC 9846 section 4.3.11)."""

    identity: bytes
    obfuscated_ticket_age: int


class OfferedPsks(msgspec.Struct, frozen=True):
    """OfferedPsks (RFC 9846 section 4.3.11)."""

    identities: tuple[PskIdentity, ...]
    binders: tuple[bytes, ...]


class OidFilter(msgspec.Struct, frozen=True):
    """OIDFilter (RFC 9846 section 4.3.5): DER object identifier and DER values."""

    oid: bytes
    values: bytes


class KeyShareEntry(msgspec.Struct, frozen=True):
    """KeyShareEntry (RFC 9846 section 4.3.8)."""

    group: int
    key_exchange: bytes


class PinningProof(msgspec.Struct, frozen=True):
    """What a server sends in ticket_pinning (RFC 8672 section 3): 0 or 1 of each; ``lifetime`` in seconds."""

    proofs: tuple[bytes, ...]
    tickets: tuple[bytes, ...]
    lifetime: int


class TicketRequest(msgspec.Struct, frozen=True):
    """TicketRequestContents of a client (RFC 9149 section 3)."""

    new_session_count: int
    resumption_count: int


class DnssecChain(msgspec.Struct, frozen=True):
    """DnssecChainExtension of a server (RFC 9102 section 2.2); ``lifetime`` in hours."""

    lifetime: int
    chain: bytes


class HpkeSuite(msgspec.Struct, frozen=True):
    """HpkeSymmetricCipherSuite (RFC 9849 section 4)."""

    kdf: int
    aead: int


class EchOuter(msgspec.Struct, frozen=True):
    """The outer form of ECHClientHello (RFC 9849 section 5)."""

    suite: HpkeSuite
    config_id: int
    enc: bytes
    payload: bytes


class EchClientHello(msgspec.Struct, frozen=True):
    """ECHClientHello (RFC 9849 section 5): ``body`` is None in the inner hello."""

    type: int
    body: EchOuter | bytes | None


class EchConfigContents(msgspec.Struct, frozen=True):
    """ECHConfigContents (RFC 9849 section 4), its HpkeKeyConfig laid flat."""

    config_id: int
    kem: int
    public_key: bytes
    suites: tuple[HpkeSuite, ...]
    maximum_name_length: int
    public_name: bytes
    extensions: tuple[Extension, ...]


class EchConfig(msgspec.Struct, frozen=True):
    """ECHConfig (RFC 9849 section 4): raw ``contents`` for an unknown version."""

    version: int
    contents: EchConfigContents | bytes


class EncryptedSni(msgspec.Struct, frozen=True):
    """ClientEncryptedSNI (draft-ietf-tls-esni-02 section 5)."""

    suite: int
    key_share: KeyShareEntry
    record_digest: bytes
    encrypted: bytes


class PakeShare(msgspec.Struct, frozen=True):
    """PAKEShare (draft-bmw-tls-pake13 section 4)."""

    pake: int
    message: bytes


class PakeOffer(msgspec.Struct, frozen=True):
    """PAKEClientHello (draft-bmw-tls-pake13 section 4)."""

    client_identity: bytes
    server_identity: bytes
    shares: tuple[PakeShare, ...]


class QuicParameter(msgspec.Struct, frozen=True):
    """A QUIC transport parameter (RFC 9000 section 18).

    ``id_size`` and ``length_size`` are the bytes of the two varints as sent, 0 where that is the shortest form:
    RFC 9000 section 16 allows longer ones, and a parsed hello must encode to the same bytes.
    """

    id: int
    value: bytes
    id_size: int = 0
    length_size: int = 0


def read_varint(stream: Any) -> tuple[int, int]:
    """A QUIC variable-length integer and its size in bytes, 0 for the shortest form (RFC 9000 section 16)."""
    first = stream.take(1)[0]
    size = 1 << (first >> 6)
    value = int.from_bytes(bytes((first & 0x3F,)) + stream.take(size - 1), "big")
    return value, 0 if size == _shortest(value) else size


def varint(value: int, size: int = 0) -> bytes:
    """``value`` as a QUIC variable-length integer of ``size`` bytes, 0 for the shortest form. Raises WireError."""
    if not 0 <= value < 1 << 62:
        raise WireError(f"{value} does not fit in a QUIC integer of 62 bits")
    size = size or _shortest(value)
    if size not in _VARINT_SIZES or value >> (8 * size - 2):
        raise WireError(f"{value} does not fit in a QUIC integer of {size} bytes")
    return (value | _VARINT_SIZES.index(size) << (8 * size - 2)).to_bytes(size, "big")


_VARINT_SIZES = (1, 2, 4, 8)


def _shortest(value: int) -> int:
    return next(size for size in _VARINT_SIZES if not value >> (8 * size - 2))


class TransportParameter(Grammar):
    """One transport parameter: id, length and value, both numbers as varints (RFC 9000 section 18)."""

    def _parse(self, stream: Any, context: Any, path: str) -> QuicParameter:
        code, id_size = read_varint(stream)
        length, length_size = read_varint(stream)
        if length > stream.left():
            raise WireError(f"length says {length} bytes, {stream.left()} left", "value", stream.offset)
        return QuicParameter(code, stream.take(length), id_size, length_size)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        stream.write(varint(obj.id, obj.id_size) + varint(len(obj.value), obj.length_size) + obj.value)
        return obj

    def describe(self, value: Any) -> str:
        return f"0x{value.id:02x} {value.value.hex()}".rstrip()


DISTINGUISHED_NAME = Opaque(2, 1)
PROTOCOL_NAMES = Vector(2, Text(1, 1), 2)  # RFC 7301 section 3.1
SIGNATURE_SCHEMES = Codes(2, 2, 2, 0xFFFE, table=SCHEMES)  # RFC 9846 section 4.3.3

# RFC 6066 section 3: every later name type must begin with a 16-bit length too.
SERVER_NAMES = Vector(2, Record(ServerName, type=UInt(1), name=Text(2, 1)), 1)

# RFC 6066 section 6.
TRUSTED_AUTHORITIES = Vector(
    2,
    Record(
        TrustedAuthority,
        type=UInt(1),
        identifier=Choice("type", {0: Empty(), 1: Fixed(20), 2: DISTINGUISHED_NAME, 3: Fixed(20)}),
    ),
)

# RFC 6066 section 8 and RFC 6961 section 2.2 (which adds the length, and ocsp_multi with the same body).
_OCSP_REQUEST = Record(OcspRequest, responder_ids=Vector(2, Opaque(2, 1)), request_extensions=Opaque(2))
_STATUS_TYPE = UInt(1, CERTIFICATE_STATUS_TYPES)
STATUS_REQUEST = Record(StatusRequest, type=_STATUS_TYPE, request=Choice("type", {1: _OCSP_REQUEST}))
STATUS_REQUESTS_V2 = Vector(
    2,
    Record(
        StatusRequest,
        type=_STATUS_TYPE,
        request=Prefixed(2, Choice("type", {1: _OCSP_REQUEST, 2: _OCSP_REQUEST})),
    ),
    1,
)

USE_SRTP = Record(UseSrtp, profiles=Codes(2, 2, 2), mki=Opaque(1))
TOKEN_BINDING = Record(TokenBinding, major=UInt(1), minor=UInt(1), key_parameters=Codes(1, 1, 1))
CACHED_OBJECTS = Vector(2, Record(CachedObject, type=UInt(1), hash=Opaque(1, 1)), 1)

DELEGATED_CREDENTIAL = Record(
    DelegatedCredential,
    valid_time=UInt(4),
    certificate_verify_scheme=UInt(2, SCHEMES),
    public_key=Opaque(3, 1),
    scheme=UInt(2, SCHEMES),
    signature=Opaque(2, 1),
)

# RFC 9846 sections 4.3.11, 4.3.5 and 4.3.8.
OFFERED_PSKS = Record(
    OfferedPsks,
    identities=Vector(2, Record(PskIdentity, identity=Opaque(2, 1), obfuscated_ticket_age=UInt(4)), 7),
    binders=Vector(2, Opaque(1, 32), 33),
)
OID_FILTERS = Vector(2, Record(OidFilter, oid=Opaque(1, 1), values=Opaque(2)))
KEY_SHARE = Record(KeyShareEntry, group=UInt(2, GROUPS), key_exchange=Opaque(2, 1))

PINNING_TICKETS = Vector(2, Opaque(2))  # RFC 8672 section 3: a vector that holds 0 or 1 tickets
PINNING_PROOF = Record(PinningProof, proofs=Vector(1, Opaque(1)), tickets=PINNING_TICKETS, lifetime=UInt(4))
TICKET_REQUEST = Record(TicketRequest, new_session_count=UInt(1), resumption_count=UInt(1))
DNSSEC_CHAIN = Record(DnssecChain, lifetime=UInt(2), chain=Opaque(2, 1))
SERIALIZED_LIST = Vector(2, Opaque(2, 1), 1)  # RFC 6962 section 3.3, RFC 9162 section 6.3

# RFC 9849 sections 4 and 5; the KDF and AEAD numbers are HPKE's (RFC 9180 section 7).
_HPKE_SUITE = Record(HpkeSuite, kdf=UInt(2), aead=UInt(2))
ECH_CLIENT_HELLO = Record(
    EchClientHello,
    type=UInt(1),
    body=Choice(
        "type",
        {
            0: Record(EchOuter, suite=_HPKE_SUITE, config_id=UInt(1), enc=Opaque(2), payload=Opaque(2, 1)),
            1: Empty(),
        },
    ),
)
_ECH_CONTENTS = Record(
    EchConfigContents,
    config_id=UInt(1),
    kem=UInt(2),
    public_key=Opaque(2, 1),
    suites=Vector(2, _HPKE_SUITE, 4, 0xFFFC),
    maximum_name_length=UInt(1),
    public_name=Text(1, 1),
    extensions=Vector(2, Record(Extension, type=UInt(2), data=Opaque(2))),
)
ECH_CONFIGS = Vector(
    2, Record(EchConfig, version=UInt(2), contents=Prefixed(2, Choice("version", {0xFE0D: _ECH_CONTENTS}))), 4
)
OUTER_EXTENSIONS = Codes(1, 2, 2, 254, table=EXTENSIONS)

ENCRYPTED_SNI = Record(
    EncryptedSni, suite=UInt(2, SUITES), key_share=KEY_SHARE, record_digest=Opaque(2), encrypted=Opaque(2)
)

PAKE_SHARE = Record(PakeShare, pake=UInt(2), message=Opaque(2, 1))
PAKE_OFFER = Record(PakeOffer, client_identity=Opaque(2), server_identity=Opaque(2), shares=Vector(2, PAKE_SHARE))
