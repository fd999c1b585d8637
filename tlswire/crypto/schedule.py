"""The key schedule of TLS 1.3 as values, from a PSK or none to the secrets of the next session (RFC 9846 section 7.1).

``digest`` is hashlib's name of the suite's hash. A ``transcript`` is the Transcript-Hash of the messages named
(section 4.1), made by ``transcript_hash``. Must not import anything of tlswire but ``crypto.hkdf``.
"""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from tlswire.crypto.hkdf import expand_label, extract


class Early(msgspec.Struct, frozen=True):
    """The early secret: of a PSK, or of none."""

    digest: str
    secret: bytes

    def binder_key(self, *, external: bool = False) -> bytes:
        """The key of the PSK's binder; ``external`` for a PSK that no ticket brought."""
        return _derive(self.digest, self.secret, "ext binder" if external else "res binder", _empty(self.digest))

    def client_traffic(self, transcript: bytes) -> bytes:
        """client_early_traffic_secret; the transcript is that of the ClientHello."""
        return _derive(self.digest, self.secret, "c e traffic", transcript)

    def exporter(self, transcript: bytes) -> bytes:
        """early_exporter_secret; the transcript is that of the ClientHello."""
        return _derive(self.digest, self.secret, "e exp master", transcript)

    def handshake(self, shared: bytes, transcript: bytes) -> HandshakeSecrets:
        """The secrets after ServerHello; ``shared`` is the key exchange's secret, empty with a PSK alone."""
        salt = _derive(self.digest, self.secret, "derived", _empty(self.digest))
        secret = extract(salt, shared or _zeros(self.digest), self.digest)
        return HandshakeSecrets(
            self.digest,
            secret,
            _derive(self.digest, secret, "c hs traffic", transcript),
            _derive(self.digest, secret, "s hs traffic", transcript),
        )


class HandshakeSecrets(msgspec.Struct, frozen=True):
    """What protects the handshake: ``client`` and ``server`` are the traffic secrets of what each side sends."""

    digest: str
    secret: bytes
    client: bytes
    server: bytes

    def application(self, transcript: bytes) -> ApplicationSecrets:
        """The secrets after the server's Finished, which the transcript includes."""
        salt = _derive(self.digest, self.secret, "derived", _empty(self.digest))
        secret = extract(salt, _zeros(self.digest), self.digest)
        return ApplicationSecrets(
            self.digest,
            secret,
            _derive(self.digest, secret, "c ap traffic", transcript),
            _derive(self.digest, secret, "s ap traffic", transcript),
            _derive(self.digest, secret, "exp master", transcript),
        )


class ApplicationSecrets(msgspec.Struct, frozen=True):
    """What protects application data; ``secret`` is the main secret, ``exporter`` that of RFC 9846 section 7.5."""

    digest: str
    secret: bytes
    client: bytes
    server: bytes
    exporter: bytes

    def resumption(self, transcript: bytes) -> bytes:
        """resumption_secret; the transcript includes the client's Finished."""
        return _derive(self.digest, self.secret, "res master", transcript)


def early(digest: str, psk: bytes = b"") -> Early:
    """Where every schedule begins; without a PSK, zeros stand for it."""
    return Early(digest, extract(_zeros(digest), psk or _zeros(digest), digest))


def verify_data(digest: str, secret: bytes, transcript: bytes) -> bytes:
    """The body of Finished under a traffic secret, and a binder under a binder key (sections 4.5.3 and 4.3.11.2)."""
    key = expand_label(secret, "finished", _size(digest), b"", digest)
    return hmac.digest(key, transcript, digest)


def next_secret(digest: str, secret: bytes) -> bytes:
    """The traffic secret after a KeyUpdate (section 7.2)."""
    return expand_label(secret, "traffic upd", _size(digest), b"", digest)


def resumption_psk(digest: str, resumption: bytes, nonce: bytes) -> bytes:
    """The PSK a ticket stands for; ``nonce`` is the ticket_nonce of its NewSessionTicket (section 4.7.1)."""
    return expand_label(resumption, "resumption", _size(digest), nonce, digest)


def export(digest: str, exporter: bytes, label: str, context: bytes, length: int) -> bytes:
    """Keying material for others (section 7.5); ``exporter`` is an exporter secret, early or not."""
    secret = _derive(digest, exporter, label, _empty(digest))
    return expand_label(secret, "exporter", length, hashlib.new(digest, context).digest(), digest)


def transcript_hash(digest: str, *messages: bytes) -> bytes:
    """Transcript-Hash of handshake messages with their headers (section 4.1)."""
    return hashlib.new(digest, b"".join(messages)).digest()


def message_hash(digest: str, first_hello: bytes) -> bytes:
    """The message that stands for the first ClientHello in the transcript after a HelloRetryRequest (section 4.1)."""
    return b"\xfe\0\0" + _size(digest).to_bytes(1, "big") + hashlib.new(digest, first_hello).digest()


def _derive(digest: str, secret: bytes, label: str, transcript: bytes) -> bytes:
    return expand_label(secret, label, _size(digest), transcript, digest)


def _size(digest: str) -> int:
    return hashlib.new(digest).digest_size


def _zeros(digest: str) -> bytes:
    return bytes(_size(digest))


def _empty(digest: str) -> bytes:
    return hashlib.new(digest).digest()
