"""The values of handshake messages, SSLv3 to TLS 1.3: frozen, lossless, with named views computed from raw extensions.

Their grammar stands in ``wire.handshake``. Sources: RFC 9846 section 4, RFC 5246 section 7.4, RFC 8422 section 5.4,
RFC 5054 section 2.8, RFC 5077 section 3.3, RFC 8879 section 4.
Must not import anything of tlswire but ``errors`` and, when an extension is looked at, ``wire.extensions``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

# RFC 9846 section 4.2.3: the random of a ServerHello that is a HelloRetryRequest (SHA-256 of "HelloRetryRequest").
HRR_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


class Extension(msgspec.Struct, frozen=True):
    """One extension as sent: ``data`` is its body without type and length."""

    type: int
    data: bytes


@cache
def _decoder() -> Callable[[int, bytes, str], Any]:
    """What reads the bodies of extensions: kept, since to import again what is there takes longer than most of them."""
    from tlswire.wire.extensions import decode_extension  # noqa: PLC0415 - bodies load only when looked at

    return decode_extension


class _Extended:
    """What every message with extensions offers: raw and decoded look-ups over the ordered tuple."""

    __slots__ = ()

    extensions: tuple[Extension, ...] | None

    @property
    def message(self) -> str:
        """Which column of the extension registry applies."""
        raise NotImplementedError

    def raw_extension(self, code: int) -> bytes | None:
        """The body of the first extension of type ``code``, None when there is none."""
        for item in self.extensions or ():
            if item.type == code:
                return item.data
        return None

    def extension(self, code: int) -> Any:
        """The decoded body of the first extension of type ``code``; None when absent. Raises WireError."""
        data = self.raw_extension(code)
        return None if data is None else _decoder()(code, data, self.message)

    def readable(self, code: int) -> Any:
        """As ``extension``, but a body that does not parse counts as absent: for the named views."""
        try:
            return self.extension(code)
        except WireError:
            return None

    @property
    def extension_types(self) -> tuple[int, ...]:
        """Types in the order sent, duplicates included."""
        return tuple(item.type for item in self.extensions or ())


class ClientHello(msgspec.Struct, _Extended, frozen=True):
    """A ClientHello of SSLv3 to TLS 1.3 (RFC 9846 section 4.2.2), lossless.

    ``extensions`` is None when the message ends after the compression methods (RFC 5246 section 7.4.1.2).
    """

    legacy_version: int
    random: bytes
    session_id: bytes
    suites: tuple[int, ...]
    compression: tuple[int, ...]
    extensions: tuple[Extension, ...] | None = None

    message = "ch"

    @property
    def server_name(self) -> bytes | None:
        """The first host_name of server_name (RFC 6066 section 3)."""
        names = self.readable(0)
        return next((name.name for name in names or () if name.type == 0), None)

    @property
    def groups(self) -> tuple[int, ...]:
        """supported_groups in the order offered."""
        return self.readable(10) or ()

    @property
    def point_formats(self) -> tuple[int, ...]:
        """ec_point_formats in the order offered."""
        return self.readable(11) or ()

    @property
    def signature_schemes(self) -> tuple[int, ...]:
        """signature_algorithms in the order offered."""
        return self.readable(13) or ()

    @property
    def alpn(self) -> tuple[bytes, ...]:
        """ALPN protocol names in the order offered."""
        return self.readable(16) or ()

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions offered: supported_versions, else every one up to legacy_version (RFC 5246 appendix E)."""
        offered: tuple[int, ...] | None = self.readable(43)
        if offered:
            return offered
        return tuple(code for code in (0x0303, 0x0302, 0x0301, 0x0300) if code <= self.legacy_version)

    @property
    def key_shares(self) -> tuple[int, ...]:
        """Groups of the key shares in the order offered; drafts of TLS 1.3 up to 22 sent them as extension 40."""
        return tuple(share.group for share in self.readable(51) or self.readable(40) or ())


class ServerHello(msgspec.Struct, _Extended, frozen=True):
    """A ServerHello or HelloRetryRequest (RFC 9846 sections 4.2.3 and 4.2.4), SSLv3 to TLS 1.3."""

    legacy_version: int
    random: bytes
    session_id: bytes
    suite: int
    compression: int
    extensions: tuple[Extension, ...] | None = None

    @property
    def is_retry(self) -> bool:
        """Whether this is a HelloRetryRequest."""
        return self.random == HRR_RANDOM

    @property
    def message(self) -> str:
        """``sh`` or ``hrr``: which column of the extension registry applies."""
        return "hrr" if self.is_retry else "sh"

    @property
    def version(self) -> int:
        """The version selected: supported_versions where present, else legacy_version."""
        data = self.raw_extension(43)
        return int.from_bytes(data, "big") if data is not None and len(data) == 2 else self.legacy_version

    @property
    def group(self) -> int | None:
        """The group of the key share, or the one a HelloRetryRequest asks for."""
        share = self.readable(51)
        share = self.readable(40) if share is None else share
        return share if share is None or isinstance(share, int) else share.group

    @property
    def alpn(self) -> bytes | None:
        """The protocol selected in clear (TLS 1.2 and older)."""
        names = self.readable(16)
        return names[0] if isinstance(names, tuple) and names else None


class CertificateEntry(msgspec.Struct, _Extended, frozen=True):
    """One certificate of a TLS 1.3 chain (RFC 9846 section 4.5.1)."""

    data: bytes
    extensions: tuple[Extension, ...]

    message = "ct"


class Certificate12(msgspec.Struct, frozen=True):
    """Certificate of SSLv3 to TLS 1.2: DER certificates, leaf first."""

    chain: tuple[bytes, ...]


class Certificate13(msgspec.Struct, frozen=True):
    """Certificate of TLS 1.3."""

    context: bytes
    chain: tuple[CertificateEntry, ...]


class CompressedCertificate(msgspec.Struct, frozen=True):
    """CompressedCertificate (RFC 8879 section 4); ``length`` is the size after decompression."""

    algorithm: int
    length: int
    data: bytes


class CertificateStatus(msgspec.Struct, frozen=True):
    """CertificateStatus (RFC 6066 section 8, RFC 6961 section 2.2)."""

    type: int
    response: Any


class CertificateRequest12(msgspec.Struct, frozen=True):
    """CertificateRequest of TLS 1.2; ``authorities`` are DER distinguished names."""

    types: tuple[int, ...]
    schemes: tuple[int, ...]
    authorities: tuple[bytes, ...]


class CertificateRequest10(msgspec.Struct, frozen=True):
    """CertificateRequest of SSLv3 to TLS 1.1 (no signature algorithms)."""

    types: tuple[int, ...]
    authorities: tuple[bytes, ...]


class CertificateRequest13(msgspec.Struct, _Extended, frozen=True):
    """CertificateRequest of TLS 1.3 (RFC 9846 section 4.4.2)."""

    context: bytes
    extensions: tuple[Extension, ...]

    message = "cr"


class EncryptedExtensions(msgspec.Struct, _Extended, frozen=True):
    """EncryptedExtensions (RFC 9846 section 4.4.1)."""

    extensions: tuple[Extension, ...]

    message = "ee"


class NewSessionTicket12(msgspec.Struct, frozen=True):
    """NewSessionTicket of TLS 1.2 (RFC 5077 section 3.3); ``lifetime`` in seconds."""

    lifetime: int
    ticket: bytes


class NewSessionTicket13(msgspec.Struct, _Extended, frozen=True):
    """NewSessionTicket of TLS 1.3 (RFC 9846 section 4.7.1); ``lifetime`` in seconds."""

    lifetime: int
    age_add: int
    nonce: bytes
    ticket: bytes
    extensions: tuple[Extension, ...]

    message = "nst"


class Signature12(msgspec.Struct, frozen=True):
    """A digitally-signed element of TLS 1.2: scheme and signature (RFC 5246 section 4.7)."""

    scheme: int
    signature: bytes


class EcParameters(msgspec.Struct, frozen=True):
    """ECParameters (RFC 8422 section 5.4): a named group, or the raw explicit curve."""

    type: int
    curve: Any


class ExplicitPrime(msgspec.Struct, frozen=True):
    """explicit_prime of RFC 4492 section 5.4; every field is a big-endian number or a point."""

    prime: bytes
    a: bytes
    b: bytes
    base: bytes
    order: bytes
    cofactor: bytes


class EcdheParams(msgspec.Struct, frozen=True):
    """ServerECDHParams: the curve and the server's public point."""

    parameters: EcParameters
    public: bytes


class DheParams(msgspec.Struct, frozen=True):
    """ServerDHParams: prime, generator, public value, big-endian (RFC 5246 section 7.4.3)."""

    prime: bytes
    generator: bytes
    public: bytes


class RsaParams(msgspec.Struct, frozen=True):
    """ServerRSAParams of the export suites: modulus and exponent (RFC 2246 section 7.4.3)."""

    modulus: bytes
    exponent: bytes


class SrpParams(msgspec.Struct, frozen=True):
    """ServerSRPParams (RFC 5054 section 2.8.1)."""

    prime: bytes
    generator: bytes
    salt: bytes
    public: bytes


class ServerKeyExchange(msgspec.Struct, frozen=True):
    """ServerKeyExchange: ``hint`` only with PSK, ``signature`` None for anon and PSK suites."""

    hint: bytes | None = None
    params: Any = None
    signature: Any = None


class Handshake(msgspec.Struct, frozen=True):
    """A handshake message with its header: ``body`` is raw bytes."""

    type: int
    body: bytes
