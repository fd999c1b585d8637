"""What a server says in clear besides its hello, as results: certificates, key exchange, requests, SSLv2 answers.

Must not import anything of tlswire but ``registry``, ``wire``, ``certificates`` and ``results``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.certificates.compressed import decompress
from tlswire.certificates.facts import certificate_facts
from tlswire.registry import GROUPS, SCHEMES, SSLV2_KINDS, VERSIONS
from tlswire.results.session import Certificate, CertificateRequest, KeyExchange, Peer, ServerHello
from tlswire.wire.handshake import body_grammar, server_key_exchange
from tlswire.wire.messages import DheParams, EcdheParams
from tlswire.wire.primitives import parse
from tlswire.wire.sslv2 import parse_sslv2_server_hello

if TYPE_CHECKING:
    from tlswire.certificates.facts import CertificateFacts
    from tlswire.wire.messages import EncryptedExtensions

_ENCRYPTED_EXTENSIONS, _CERTIFICATE, _COMPRESSED_CERTIFICATE = 8, 11, 25
_CACHED_CHAIN = 1 << 15
_CACHED_EXCHANGE = 1 << 12


class Chain(msgspec.Struct, frozen=True, eq=False):
    """Certificates that came together, leaf first: one object for equal bytes, so that it can stand for them."""

    certificates: tuple[CertificateFacts, ...]


def chain(body: bytes) -> Chain:
    """What a Certificate message of TLS 1.2 or older holds. Raises WireError."""
    return _remembered(body) if len(body) <= _CACHED_CHAIN else _read_chain(body)


def _read_chain(body: bytes) -> Chain:
    return Chain(tuple(map(certificate_facts, parse(body_grammar(_CERTIFICATE), body, "certificate").chain)))


_remembered = lru_cache(maxsize=256)(_read_chain)


def chain13(body: bytes) -> Chain:
    """What a Certificate message of TLS 1.3 holds. Raises WireError."""
    value = parse(body_grammar(_CERTIFICATE, 0x0304), body, "certificate")
    return Chain(tuple(certificate_facts(entry.data) for entry in value.chain))


def compressed_chain(body: bytes) -> Chain:
    """What a CompressedCertificate holds (RFC 8879 section 4). Raises WireError."""
    value = parse(body_grammar(_COMPRESSED_CERTIFICATE), body, "compressed_certificate")
    return chain13(decompress(value.algorithm, value.data, value.length))


def encrypted_extensions(body: bytes) -> EncryptedExtensions:
    """The EncryptedExtensions of a session that was decrypted. Raises WireError."""
    value: EncryptedExtensions = parse(body_grammar(_ENCRYPTED_EXTENSIONS), body, "encrypted_extensions")
    return value


def certificate(frame: int, sender: Peer, facts: CertificateFacts) -> Certificate:
    """One certificate as a result."""
    return Certificate(
        frame,
        sender,
        facts.sha256,
        facts.subject,
        facts.issuer,
        facts.serial,
        facts.not_before,
        facts.not_after,
        facts.key,
        facts.bits,
        facts.signature_algorithm,
        facts.names,
        facts.spki_sha256,
        facts.self_signed,
        facts.authority,
        facts.length,
        facts.error,
        facts.signature_hash,
        facts.signature_schemes,
        facts.extended_key_usage,
        facts.embedded_scts,
    )


def key_exchange(frame: int, suite: int, version: int, body: bytes) -> KeyExchange:
    """A ServerKeyExchange: its group or prime, and the scheme of its signature (RFC 5246 7.4.3). Raises WireError."""
    read = _remembered_exchange if len(body) <= _CACHED_EXCHANGE else _read_exchange
    return KeyExchange(frame, *read(suite, version, body))


def _read_exchange(suite: int, version: int, body: bytes) -> tuple[Any, ...]:
    value = parse(server_key_exchange(suite, version), body, "server_key_exchange")
    params: Any = value.params
    group: int | None = None
    bits: int | None = None
    if isinstance(params, EcdheParams) and isinstance(params.parameters.curve, int):
        group = params.parameters.curve
    elif isinstance(params, DheParams):
        bits = int.from_bytes(params.prime, "big").bit_length()
    scheme: int | None = getattr(value.signature, "scheme", None)
    return (
        None if group is None else GROUPS.hex(group),
        None if group is None else GROUPS[group].name,
        bits,
        None if scheme is None else SCHEMES.hex(scheme),
        None if scheme is None else SCHEMES[scheme].name,
    )


_remembered_exchange = lru_cache(maxsize=512)(_read_exchange)


def certificate_request(frame: int, version: int, body: bytes) -> CertificateRequest:
    """A CertificateRequest of TLS 1.2 or older. Raises WireError."""
    # TLS 1.3 encrypts its own: whatever comes in clear there can only be read as an older one.
    value = parse(body_grammar(13, min(version or 0x0303, 0x0303)), body, "certificate_request")
    schemes = getattr(value, "schemes", ())
    return CertificateRequest(frame, list(value.types), list(map(SCHEMES.hex, schemes)), len(value.authorities))


def certificate_request13(frame: int, body: bytes) -> CertificateRequest:
    """A CertificateRequest of TLS 1.3 that was decrypted: no types, the rest in extensions. Raises WireError."""
    value = parse(body_grammar(13, 0x0304), body, "certificate_request")
    schemes, names = value.readable(13) or (), value.readable(47) or ()
    return CertificateRequest(frame, [], list(map(SCHEMES.hex, schemes)), len(names))


def sslv2_server(frame: int, body: bytes) -> tuple[ServerHello | None, Chain]:
    """An SSLv2 ServerHello; it lists kinds rather than choosing one, unless only one is left. Raises WireError."""
    value = parse_sslv2_server_hello(body)
    presented = Chain((certificate_facts(value.certificate),) if value.certificate else ())
    kinds = value.kinds
    if not kinds:
        return None, presented
    hello = ServerHello(
        frame=frame,
        kind="hello",
        record_version="0x0002",
        legacy_version=VERSIONS.hex(value.version),
        version=VERSIONS.hex(value.version),
        version_name=VERSIONS[value.version].name,
        suite=SSLV2_KINDS.hex(kinds[0]),
        suite_name=SSLV2_KINDS[kinds[0]].name,
        extensions=[],
        group=None,
        group_name=None,
        alpn=None,
        ja3s=None,
        ja3s_text=None,
        extended_master_secret=False,
        psk=False,
    )
    return hello, presented
