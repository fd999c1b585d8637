"""TLS 1.3 behind the ServerHello: HelloRetryRequest, key schedule, the encrypted flight, tickets, key updates, 0-RTT.

Sources: RFC 9846 sections 2, 4, 5 and 7 and appendix E.4, RFC 8879 (certificate compression).
Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``crypto``, ``hello`` and ``handshake``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from tlswire.certificates.compressed import available, decompress
from tlswire.crypto import schedule
from tlswire.crypto.protection import can_protect, protection13
from tlswire.crypto.shares import private_share, supported
from tlswire.crypto.signatures import certificate_verify_signed
from tlswire.crypto.suites import digest_of
from tlswire.handshake.client import (
    DECRYPT_ERROR,
    ILLEGAL_PARAMETER,
    UNEXPECTED_MESSAGE,
    Client,
    RefusedError,
    UnsupportedError,
)
from tlswire.handshake.conversation import MAX_TICKET, Session
from tlswire.handshake.leaf import signature_fault
from tlswire.handshake.offer import COOKIE, EARLY_DATA, bound, encode
from tlswire.hello.edit import KEY_SHARE, PRE_SHARED_KEY, with_extension
from tlswire.registry import CERTIFICATE_COMPRESSION, GROUPS, HANDSHAKE_TYPES, SUITES
from tlswire.wire.cursor import named
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    ENCRYPTED_EXTENSIONS,
    NEW_SESSION_TICKET,
    SERVER_HELLO,
    body_grammar,
    encode_handshake,
    parse_server_hello,
)
from tlswire.wire.primitives import parse
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, fragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.wire.messages import ServerHello
    from tlswire.wire.records import Message

END_OF_EARLY_DATA, CERTIFICATE_VERIFY, FINISHED, KEY_UPDATE, COMPRESSED_CERTIFICATE = 5, 15, 20, 24, 25
COMPRESS_CERTIFICATE = 27
MAX_KEY_UPDATES = 32
MAX_TICKETS = 32

# Which messages of the server may follow one (RFC 9846 section 2): with a PSK the certificate is left out.
_MAY_FOLLOW: dict[int, tuple[int, ...]] = {
    SERVER_HELLO: (ENCRYPTED_EXTENSIONS,),
    ENCRYPTED_EXTENSIONS: (CERTIFICATE_REQUEST, CERTIFICATE, COMPRESSED_CERTIFICATE, FINISHED),
    CERTIFICATE_REQUEST: (CERTIFICATE, COMPRESSED_CERTIFICATE),
    CERTIFICATE: (CERTIFICATE_VERIFY,),
    COMPRESSED_CERTIFICATE: (CERTIFICATE_VERIFY,),
    CERTIFICATE_VERIFY: (FINISHED,),
}


def begin_early_data(client: Client, session: Session) -> None:
    """Queue the client's 0-RTT data behind its hello (RFC 9846 section 4.3.10)."""
    digest = digest_of(session.suite)
    transcript = schedule.transcript_hash(digest, bytes(client.transcript))
    secret = schedule.early(digest, session.secret).client_traffic(transcript)
    client.shown.secrets["CLIENT_EARLY_TRAFFIC_SECRET"] = secret
    change_cipher(client)
    client.sealer = protection13(session.suite, secret)
    if client.early_data:
        client.send(APPLICATION_DATA, client.early_data)


def change_cipher(client: Client) -> None:
    """Queue the one ChangeCipherSpec that keeps middleboxes calm, if there is a session id to echo (appendix E.4)."""
    if not client.changed_cipher and client.hello.session_id:
        client.send_raw(fragment(CHANGE_CIPHER_SPEC, 0x0303, b"\x01"))
    client.changed_cipher = True


class Tls13:
    """The flow of one TLS 1.3 connection."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.last = -1
        self.suite = 0
        self.digest = ""
        self.handshake: schedule.HandshakeSecrets | None = None
        self.resumption = b""
        self.client_secret = b""  # those of the traffic that is under way
        self.server_secret = b""
        self.updates = 0

    def take(self, message: Message) -> None:
        """One message of the server. Raises WireError."""
        if message.content == CHANGE_CIPHER_SPEC:
            return  # RFC 9846 section 5: dropped without further processing
        client, kind = self.client, message.type
        if client.finished:
            self._after(message)
            return
        if self.last < 0:
            self._server_hello(message)
            return
        if kind not in _MAY_FOLLOW.get(self.last, ()):
            name, before = HANDSHAKE_TYPES[kind].name, HANDSHAKE_TYPES[self.last].name
            raise RefusedError(f"handshake message {name} after {before}", UNEXPECTED_MESSAGE)
        # RFC 9846 section 4.5.2: the signature covers what stands before CertificateVerify, as Finished does.
        before_it = bytes(client.transcript)
        client.transcript += encode_handshake(kind, message.body)
        self.last = kind
        self._TAKERS[kind](self, message, before_it)

    def _parsed(self, message: Message) -> Any:
        name = HANDSHAKE_TYPES[message.type].name
        return parse(body_grammar(message.type, 0x0304), message.body, name, message.offset + 4)

    # The hello, and the one that asks for another.

    def _server_hello(self, message: Message) -> None:
        if message.type != SERVER_HELLO:
            name = HANDSHAKE_TYPES[message.type].name
            raise RefusedError(f"handshake message {name} where a ServerHello belongs", UNEXPECTED_MESSAGE)
        client, shown = self.client, self.client.shown
        hello = parse_server_hello(message.body, message.offset + 4)
        encoded = encode_handshake(SERVER_HELLO, message.body)
        shown.version, shown.suite, shown.group = hello.version, hello.suite, hello.group
        if hello.suite not in client.hello.suites:
            shown.hello = None if hello.is_retry else hello
            raise RefusedError(f"answers suite {named(SUITES, hello.suite)} that was not offered", ILLEGAL_PARAMETER)
        if hello.is_retry:
            self._retry(hello, encoded)
            return
        shown.hello, shown.stage = hello, "hello"
        if shown.retry is not None and shown.retry.suite != hello.suite:
            raise RefusedError("answers another suite than its HelloRetryRequest (RFC 9846 4.2.4)", ILLEGAL_PARAMETER)
        client.transcript += encoded
        self.last, self.suite = SERVER_HELLO, hello.suite
        if not can_protect(0x0304, hello.suite):
            raise UnsupportedError(f"the cipher of {named(SUITES, hello.suite)} cannot be computed here")
        self.digest = digest_of(hello.suite)
        self._handshake_keys(self._psk(hello), self._shared(hello))

    def _retry(self, hello: ServerHello, encoded: bytes) -> None:
        client, shown = self.client, self.client.shown
        if shown.retry is not None:
            raise RefusedError("a second HelloRetryRequest (RFC 9846 4.2.4)", UNEXPECTED_MESSAGE)
        shown.retry, shown.early_data = hello, False if client.early else None
        client.sealer = None  # what was sent early is skipped, and nothing more may be (section 4.3.10)
        group, cookie = hello.readable(KEY_SHARE), hello.raw_extension(COOKIE)
        if not isinstance(group, int) and cookie is None:
            raise RefusedError("a HelloRetryRequest that changes nothing (RFC 9846 4.2.4)", ILLEGAL_PARAMETER)
        again = with_extension(client.hello, EARLY_DATA, None)
        keys = dict(client.offer.keys)
        if isinstance(group, int):
            if group not in client.hello.groups or group in client.hello.key_shares:
                raise RefusedError(f"asks for a share of {named(GROUPS, group)} (RFC 9846 4.2.4)", ILLEGAL_PARAMETER)
            if not supported(group):
                raise UnsupportedError(f"a key share of {named(GROUPS, group)}")
            share = private_share(group, client.rng)
            keys = {group: share}
            entry = encode_extension(KEY_SHARE, (KeyShareEntry(group, share.public),), "ch")
            again = with_extension(again, KEY_SHARE, entry)
        if cookie is not None:
            again = with_extension(again, COOKIE, cookie)
        if not can_protect(0x0304, hello.suite):
            raise UnsupportedError(f"the cipher of {named(SUITES, hello.suite)} cannot be computed here")
        digest = digest_of(hello.suite)
        before = schedule.message_hash(digest, bytes(client.transcript)) + encoded
        if client.session is not None and client.session.version >= 0x0304:
            # Section 4.2.4: a PSK of another hash than the suite's can no longer be selected.
            fits = digest_of(client.session.suite) == digest
            again = bound(again, client.session, before) if fits else with_extension(again, PRE_SHARED_KEY, None)
        client.hello, client.offer = again, msgspec.structs.replace(client.offer, keys=keys)
        second = encode(again)
        client.transcript[:] = before + second
        change_cipher(client)
        client.send_raw(fragment(HANDSHAKE, 0x0303, second))

    def _psk(self, hello: ServerHello) -> bytes:
        client, selected = self.client, hello.readable(PRE_SHARED_KEY)
        if selected is None:
            return b""
        session = client.session
        if session is None or selected != 0 or client.hello.raw_extension(PRE_SHARED_KEY) is None:
            raise RefusedError(f"selects PSK {selected} that was not offered (RFC 9846 4.3.11)", ILLEGAL_PARAMETER)
        if digest_of(session.suite) != self.digest:
            raise RefusedError("selects a PSK of another hash than its suite's (RFC 9846 4.3.11)", ILLEGAL_PARAMETER)
        client.shown.resumed = True
        return session.secret

    def _shared(self, hello: ServerHello) -> bytes:
        client, share = self.client, hello.readable(KEY_SHARE)
        if not isinstance(share, KeyShareEntry):
            if hello.raw_extension(KEY_SHARE) is None and client.shown.resumed:
                return b""  # psk_ke: RFC 9846 section 4.3.9
            raise RefusedError("a ServerHello without a key share (RFC 9846 4.2.3)", ILLEGAL_PARAMETER)
        key = client.offer.keys.get(share.group)
        if key is None:
            if share.group in client.hello.key_shares:
                raise UnsupportedError(f"a key share of {named(GROUPS, share.group)}")
            raise RefusedError(f"answers with a share of {named(GROUPS, share.group)} unasked", ILLEGAL_PARAMETER)
        return key.secret(share.key_exchange)

    def _handshake_keys(self, psk: bytes, shared: bytes) -> None:
        client, secrets = self.client, self.client.shown.secrets
        keys = schedule.early(self.digest, psk).handshake(shared, self._transcript())
        self.handshake, self.client_secret, self.server_secret = keys, keys.client, keys.server
        secrets["CLIENT_HANDSHAKE_TRAFFIC_SECRET"] = keys.client
        secrets["SERVER_HANDSHAKE_TRAFFIC_SECRET"] = keys.server
        client.stream.protect(protection13(self.suite, keys.server))
        if client.sealer is None:  # else 0-RTT data still goes out under its own key
            self._own_keys()

    def _own_keys(self) -> None:
        """From here on our side of the handshake goes out under its key."""
        change_cipher(self.client)
        self.client.sealer = protection13(self.suite, self.client_secret)

    def _transcript(self) -> bytes:
        return schedule.transcript_hash(self.digest, bytes(self.client.transcript))

    # The encrypted flight.

    def _encrypted_extensions(self, message: Message, _: bytes) -> None:
        client, shown = self.client, self.client.shown
        shown.encrypted_extensions = value = self._parsed(message)
        accepted = value.raw_extension(EARLY_DATA) is not None
        if accepted and (not client.early or not shown.resumed or shown.retry is not None):
            raise RefusedError("accepts early data that was not offered (RFC 9846 4.3.10)", ILLEGAL_PARAMETER)
        if client.early and shown.early_data is None:
            shown.early_data = accepted
            if not accepted:
                self._own_keys()

    def _request(self, message: Message, _: bytes) -> None:
        self.client.shown.certificate_request = self._parsed(message)

    def _certificate(self, message: Message, _: bytes) -> None:
        shown = self.client.shown
        value = self._parsed(message)
        if message.type == COMPRESSED_CERTIFICATE:
            shown.compression = value.algorithm
            name = named(CERTIFICATE_COMPRESSION, value.algorithm)
            if value.algorithm not in (self.client.hello.readable(COMPRESS_CERTIFICATE) or ()):
                raise RefusedError(f"a certificate compressed by {name} unasked (RFC 8879 4)", ILLEGAL_PARAMETER)
            if value.algorithm not in available():
                raise UnsupportedError(f"a certificate compressed by {name}")
            body = decompress(value.algorithm, value.data, value.length)
            value = parse(body_grammar(CERTIFICATE, 0x0304), body, "certificate")
        shown.entries = value.chain
        shown.chain = tuple(entry.data for entry in value.chain)

    def _verify(self, message: Message, before: bytes) -> None:
        value, shown = self._parsed(message), self.client.shown
        shown.scheme = value.scheme
        signed = certificate_verify_signed(schedule.transcript_hash(self.digest, before))
        shown.signature = signature_fault(shown.chain, value.scheme, signed, value.signature, tls13=True)

    def _finished(self, message: Message, before: bytes) -> None:
        client, shown, handshake = self.client, self.client.shown, self.handshake
        if handshake is None:
            return
        if not shown.resumed and not shown.chain:
            raise RefusedError("Finished without a certificate or a PSK (RFC 9846 4.5.1)", UNEXPECTED_MESSAGE)
        transcript = schedule.transcript_hash(self.digest, before)
        if message.body != schedule.verify_data(self.digest, handshake.server, transcript):
            raise RefusedError("the server's Finished does not verify", DECRYPT_ERROR)
        shown.stage = "flight"
        # RFC 9846 section 7.1: up to the server's Finished, and before our EndOfEarlyData.
        application = handshake.application(self._transcript())
        if shown.early_data:
            client.send_handshake(END_OF_EARLY_DATA, b"")
            self._own_keys()
        shown.secrets["CLIENT_TRAFFIC_SECRET_0"] = application.client
        shown.secrets["SERVER_TRAFFIC_SECRET_0"] = application.server
        shown.secrets["EXPORTER_SECRET"] = application.exporter
        client.stream.protect(protection13(self.suite, application.server))
        request = shown.certificate_request
        if request is not None:
            client.send_handshake(CERTIFICATE, bytes((len(request.context),)) + request.context + bytes(3))
        client.send_handshake(FINISHED, schedule.verify_data(self.digest, handshake.client, self._transcript()))
        self.resumption = application.resumption(self._transcript())
        self.client_secret, self.server_secret = application.client, application.server
        client.sealer = protection13(self.suite, application.client)
        client.finish()

    # What comes after the handshake.

    def _after(self, message: Message) -> None:
        if message.type == NEW_SESSION_TICKET:
            self._ticket(message)
        elif message.type == KEY_UPDATE:
            self._key_update(message)
        else:
            name = HANDSHAKE_TYPES[message.type].name
            raise RefusedError(f"handshake message {name} after the handshake", UNEXPECTED_MESSAGE)

    def _ticket(self, message: Message) -> None:
        shown, value = self.client.shown, self._parsed(message)
        if len(shown.tickets) == MAX_TICKETS:
            raise RefusedError(f"more than {MAX_TICKETS} tickets", UNEXPECTED_MESSAGE)
        shown.tickets += (value,)
        if len(value.ticket) > MAX_TICKET:
            return
        shown.sessions += (
            Session(
                0x0304,
                self.suite,
                schedule.resumption_psk(self.digest, self.resumption, value.nonce),
                ticket=value.ticket,
                lifetime=value.lifetime,
                age_add=value.age_add,
                early_data=value.readable(EARLY_DATA) or 0,
                extended=True,
                alpn=shown.alpn,
            ),
        )

    def _key_update(self, message: Message) -> None:
        client, requested = self.client, self._parsed(message)
        self.updates += 1
        if requested > 1:
            raise RefusedError(f"a KeyUpdate of {requested} (RFC 9846 4.7.3)", ILLEGAL_PARAMETER)
        if self.updates > MAX_KEY_UPDATES:
            raise RefusedError(f"more than {MAX_KEY_UPDATES} KeyUpdates", UNEXPECTED_MESSAGE)
        self.server_secret = schedule.next_secret(self.digest, self.server_secret)
        client.stream.protect(protection13(self.suite, self.server_secret))
        if requested:
            self.update_keys()

    def update_keys(self, *, request: bool = False) -> None:
        """Say KeyUpdate and go on with the next key (RFC 9846 section 4.7.3)."""
        client = self.client
        client.send(HANDSHAKE, encode_handshake(KEY_UPDATE, bytes((request,))))
        self.client_secret = schedule.next_secret(self.digest, self.client_secret)
        client.sealer = protection13(self.suite, self.client_secret)

    _TAKERS: ClassVar[dict[int, Callable[[Tls13, Message, bytes], None]]] = {
        ENCRYPTED_EXTENSIONS: _encrypted_extensions,
        CERTIFICATE_REQUEST: _request,
        CERTIFICATE: _certificate,
        COMPRESSED_CERTIFICATE: _certificate,
        CERTIFICATE_VERIFY: _verify,
        FINISHED: _finished,
    }
