"""TLS 1.0 to 1.2 behind the ServerHello: which message may come when, the keys, both Finished, tickets, resumption.

Sources: RFC 5246 sections 7.3 and 7.4, RFC 5077 section 3.3, RFC 7627 sections 4 and 5, RFC 8422 section 5, RFC 7366.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``crypto`` and ``handshake``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tlswire.crypto.prf import extended_master_secret, master_secret, verify_data
from tlswire.crypto.protection import can_protect, protections12
from tlswire.crypto.shares import dh_private, private_share, rsa_encrypt, supported
from tlswire.crypto.signatures import LEGACY, server_params_signed
from tlswire.crypto.suites import digest_of
from tlswire.errors import WireError
from tlswire.handshake.client import (
    DECRYPT_ERROR,
    ILLEGAL_PARAMETER,
    UNEXPECTED_MESSAGE,
    Client,
    RefusedError,
    UnsupportedError,
)
from tlswire.handshake.conversation import EXTENDED_MASTER_SECRET, MAX_TICKET, Session
from tlswire.handshake.leaf import public_key, signature_fault
from tlswire.registry import GROUPS, HANDSHAKE_TYPES, SUITES
from tlswire.wire.cursor import named
from tlswire.wire.handshake import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    NEW_SESSION_TICKET,
    SERVER_HELLO,
    SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE,
    body_grammar,
    encode_handshake,
    parse_server_hello,
)
from tlswire.wire.messages import DheParams, EcdheParams, NewSessionTicket12, ServerKeyExchange
from tlswire.wire.primitives import parse
from tlswire.wire.records import CHANGE_CIPHER_SPEC, Message

if TYPE_CHECKING:
    from collections.abc import Callable

CERTIFICATE_STATUS, CLIENT_KEY_EXCHANGE, FINISHED, ENCRYPT_THEN_MAC = 22, 16, 20, 22

# Which messages of the server may follow one (RFC 5246 section 7.3, RFC 5077 section 3.3, RFC 6066 section 8); what is
# left out of a full handshake depends on the suite.
_MAY_FOLLOW: dict[int, tuple[int, ...]] = {
    SERVER_HELLO: (CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE),
    CERTIFICATE: (CERTIFICATE_STATUS, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE),
    CERTIFICATE_STATUS: (SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE),
    SERVER_KEY_EXCHANGE: (CERTIFICATE_REQUEST, SERVER_HELLO_DONE),
    CERTIFICATE_REQUEST: (SERVER_HELLO_DONE,),
    # From here on after our own Finished.
    SERVER_HELLO_DONE: (NEW_SESSION_TICKET,),
    NEW_SESSION_TICKET: (),
}


class Tls12:
    """The flow of one connection below TLS 1.3."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.last = -1
        self.version = 0
        self.suite = 0
        self.master = b""
        self.ticket: NewSessionTicket12 | None = None
        self.encrypted = False  # the server's ChangeCipherSpec has come
        self.incoming: Any = None  # what opens the server's records from then on
        self.server_verify_data = b""
        self.client_verify_data = b""

    def take(self, message: Message) -> None:
        """One message of the server. Raises WireError."""
        if message.content == CHANGE_CIPHER_SPEC:
            self._change_cipher()
            return
        client = self.client
        if client.finished:
            client.heard(message)
            return
        kind = message.type
        if self.last < 0:
            self._server_hello(message)
        elif kind == FINISHED and self.encrypted:
            self._finished(message)
        elif kind in self._expected() and not self.encrypted:
            client.transcript += encode_handshake(kind, message.body)
            self._TAKERS[kind](self, self._parsed(message), message)
        else:
            name, before = HANDSHAKE_TYPES[kind].name, HANDSHAKE_TYPES[self.last].name
            raise RefusedError(f"handshake message {name} after {before}", UNEXPECTED_MESSAGE)
        self.last = kind

    def _expected(self) -> tuple[int, ...]:
        if self.last == SERVER_HELLO and self.client.shown.resumed:
            return (NEW_SESSION_TICKET,)
        return _MAY_FOLLOW.get(self.last, ())

    def _parsed(self, message: Message) -> Any:
        grammar = body_grammar(message.type, self.version, self.suite)
        return parse(grammar, message.body, HANDSHAKE_TYPES[message.type].name, message.offset + 4)

    # The server's flight.

    def _server_hello(self, message: Message) -> None:
        client, shown = self.client, self.client.shown
        hello = parse_server_hello(message.body, message.offset + 4)
        client.transcript += encode_handshake(SERVER_HELLO, message.body)
        shown.hello, shown.version, shown.suite, shown.stage = hello, hello.version, hello.suite, "hello"
        self.version, self.suite = hello.version, hello.suite
        client.record_version = hello.version
        if hello.suite not in client.hello.suites:
            raise RefusedError(f"answers suite {named(SUITES, hello.suite)} that was not offered", ILLEGAL_PARAMETER)
        if hello.compression:
            if hello.compression not in client.hello.compression:
                raise RefusedError(f"answers compression {hello.compression} that was not offered", ILLEGAL_PARAMETER)
            raise UnsupportedError(f"compression method {hello.compression}")
        session = client.session
        offered = client.hello.session_id
        if session is not None and session.version < 0x0304 and offered and hello.session_id == offered:
            self._resumed(session)

    def _resumed(self, session: Session) -> None:
        self.client.shown.resumed = True
        if (session.version, session.suite) != (self.version, self.suite):
            raise RefusedError("resumes a session with another version or suite (RFC 5246 7.4.1.3)", ILLEGAL_PARAMETER)
        self.master = session.secret
        self._keys()

    def _certificate(self, value: Any, _: Message) -> None:
        self.client.shown.chain = value.chain

    def _status(self, value: Any, _: Message) -> None:
        self.client.shown.status = value

    def _key_exchange(self, value: Any, message: Message) -> None:
        shown = self.client.shown
        if not isinstance(value, ServerKeyExchange):
            return
        shown.key_exchange = value
        if isinstance(value.params, EcdheParams) and isinstance(value.params.parameters.curve, int):
            shown.group = value.params.parameters.curve
        if value.signature is None:
            return
        modern = self.version >= 0x0303
        signature = value.signature.signature if modern else value.signature
        shown.scheme = value.signature.scheme if modern else None
        params = message.body[: -len(signature) - (4 if modern else 2)]
        if value.hint is None and shown.chain and shown.hello is not None:
            signed = server_params_signed(self.client.hello.random, shown.hello.random, params)
            shown.signature = signature_fault(shown.chain, shown.scheme or LEGACY, signed, signature)

    def _request(self, value: Any, _: Message) -> None:
        self.client.shown.certificate_request = value

    def _ticket(self, value: Any, _: Message) -> None:
        self.ticket = value
        self.client.shown.tickets += (value,)

    # Our flight.

    def _done(self, _: Any, __: Message) -> None:
        client = self.client
        client.shown.stage = "flight"
        if not can_protect(self.version, self.suite):
            raise UnsupportedError(f"the cipher of {named(SUITES, self.suite)} cannot be computed here")
        public, premaster = self.exchange_keys()
        if client.shown.certificate_request is not None:
            client.send_handshake(CERTIFICATE, bytes(3))  # RFC 5246 section 7.4.6: none is an empty list
        client.send_handshake(CLIENT_KEY_EXCHANGE, public)
        self._derive(premaster)
        self._keys()
        self.send_finished()

    def exchange_keys(self) -> tuple[bytes, bytes]:
        """The body of our ClientKeyExchange and the premaster secret. Raises UnsupportedError."""
        client = self.client
        exchange = client.shown.key_exchange
        params = None if exchange is None else exchange.params
        row = SUITES[self.suite]
        if row.auth == "PSK":
            raise UnsupportedError(f"the pre-shared key of {row.name}")
        if isinstance(params, EcdheParams) and row.kex == "ECDHE":
            group = params.parameters.curve
            if not isinstance(group, int) or not supported(group):
                what = named(GROUPS, group) if isinstance(group, int) else "an explicit curve"
                raise UnsupportedError(f"key exchange in {what}")
            share = private_share(group, client.rng)
            return bytes((len(share.public),)) + share.public, share.secret(params.public)
        if isinstance(params, DheParams) and row.kex == "DHE":
            private = dh_private(
                int.from_bytes(params.prime, "big"), int.from_bytes(params.generator, "big"), client.rng
            )
            return len(private.public).to_bytes(2, "big") + private.public, private.secret(params.public)
        if row.kex == "RSA" and params is None and row.auth == "RSA":
            # RFC 5246 section 7.4.7.1: the version is the one offered, so that it cannot be rolled back.
            premaster = client.hello.legacy_version.to_bytes(2, "big") + client.rng.randbytes(46)
            sealed = rsa_encrypt(self._server_key(), premaster, client.rng)
            # RFC 6101 section 5.6.7.1: SSLv3 has no length in front of it.
            return (len(sealed).to_bytes(2, "big") if self.version > 0x0300 else b"") + sealed, premaster
        raise UnsupportedError(f"the key exchange of {named(SUITES, self.suite)}")

    @property
    def digest(self) -> str:
        """The hash of the suite's PRF."""
        return digest_of(self.suite)

    def _server_key(self) -> Any:
        chain = self.client.shown.chain
        if not chain:
            raise RefusedError("no certificate to encrypt the premaster secret to (RFC 5246 7.4.2)", UNEXPECTED_MESSAGE)
        return public_key(chain[0])

    def _derive(self, premaster: bytes) -> None:
        client, shown = self.client, self.client.shown
        hello = shown.hello
        if hello is None:
            raise WireError("no ServerHello")
        if hello.raw_extension(EXTENDED_MASTER_SECRET) is not None:
            self.master = extended_master_secret(self.version, premaster, bytes(client.transcript), self.digest)
        else:
            self.master = master_secret(self.version, premaster, client.hello.random, hello.random, self.digest)

    def _keys(self) -> None:
        client, hello = self.client, self.client.shown.hello
        if hello is None:
            raise WireError("no ServerHello")
        if not can_protect(self.version, self.suite):
            raise UnsupportedError(f"the cipher of {named(SUITES, self.suite)} cannot be computed here")
        client.shown.secrets["CLIENT_RANDOM"] = self.master
        self.outgoing, self.incoming = protections12(
            self.version,
            self.suite,
            self.master,
            client.hello.random,
            hello.random,
            encrypt_then_mac=hello.raw_extension(ENCRYPT_THEN_MAC) is not None,
            rng=client.rng,
        )

    def send_finished(self) -> None:
        """Say ChangeCipherSpec, and Finished under the new keys."""
        client = self.client
        self.client_verify_data = self._verify_data(server=False)
        client.send(CHANGE_CIPHER_SPEC, b"\x01")
        client.sealer = self.outgoing
        client.send_handshake(FINISHED, self.client_verify_data)

    def _verify_data(self, *, server: bool) -> bytes:
        transcript = bytes(self.client.transcript)
        return verify_data(self.version, self.master, transcript, server=server, digest=self.digest)

    # The end of the handshake.

    def _change_cipher(self) -> None:
        before = {NEW_SESSION_TICKET, SERVER_HELLO if self.client.shown.resumed else SERVER_HELLO_DONE}
        if self.incoming is None or self.encrypted or self.last not in before:
            raise RefusedError("ChangeCipherSpec where none belongs", UNEXPECTED_MESSAGE)
        self.encrypted = True
        self.client.stream.protect(self.incoming)

    def _finished(self, message: Message) -> None:
        client, shown = self.client, self.client.shown
        self.server_verify_data = self._verify_data(server=True)
        if message.body != self.server_verify_data:
            raise RefusedError("the server's Finished does not verify", DECRYPT_ERROR)
        client.transcript += encode_handshake(FINISHED, message.body)
        if shown.resumed:
            shown.stage = "flight"
            self.send_finished()
        self._remember()
        client.finish()

    def _remember(self) -> None:
        shown = self.client.shown
        hello = shown.hello
        if hello is None:
            return
        extended = hello.raw_extension(EXTENDED_MASTER_SECRET) is not None
        known = (self.version, self.suite, self.master)
        if self.ticket is not None and 0 < len(self.ticket.ticket) <= MAX_TICKET:
            ticket = Session(
                *known, ticket=self.ticket.ticket, lifetime=self.ticket.lifetime, extended=extended, alpn=hello.alpn
            )
            shown.sessions += (ticket,)
        if hello.session_id and not shown.resumed:
            shown.sessions += (Session(*known, session_id=hello.session_id, extended=extended, alpn=hello.alpn),)

    _TAKERS: ClassVar[dict[int, Callable[[Tls12, Any, Message], None]]] = {
        CERTIFICATE: _certificate,
        CERTIFICATE_STATUS: _status,
        SERVER_KEY_EXCHANGE: _key_exchange,
        CERTIFICATE_REQUEST: _request,
        SERVER_HELLO_DONE: _done,
        NEW_SESSION_TICKET: _ticket,
    }
