"""The server of SSLv3 to TLS 1.2 from its ServerHello on: both Finished, session ids, tickets, client certificates.

A suite whose records or key exchange are beyond ``crypto`` gets a flight that ends where the client would go on
(``lab.lookalike``). Sources: RFC 5246 sections 7.3 and 7.4, RFC 5077 section 3, RFC 5746 section 3, RFC 7366,
RFC 7627 section 5. Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``crypto`` and the rest
of ``lab`` but ``responder`` and ``server``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from tlswire.crypto.prf import extended_master_secret, master_secret, verify_data
from tlswire.crypto.protection import can_protect, protections12
from tlswire.crypto.suites import digest_of
from tlswire.lab import flaws, flights, misbehaviour
from tlswire.lab.characters import (
    ENCRYPT_THEN_MAC,
    EXTENDED_MASTER_SECRET,
    HEARTBEAT,
    RENEGOTIATION_INFO,
    SESSION_TICKET,
)
from tlswire.lab.exchange import Exchange, key_exchange
from tlswire.lab.lookalike import LookAlike
from tlswire.lab.refusals import (
    DECRYPT_ERROR,
    HANDSHAKE_FAILURE,
    NO_RENEGOTIATION,
    UNEXPECTED_MESSAGE,
    WARNING,
    RefusedError,
)
from tlswire.lab.sessions import Remembered
from tlswire.wire.handshake import CERTIFICATE, CLIENT_HELLO, NEW_SESSION_TICKET, body_grammar, encode_handshake
from tlswire.wire.messages import NewSessionTicket12
from tlswire.wire.primitives import build, parse
from tlswire.wire.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tlswire.lab.line import Flow, Line
    from tlswire.lab.negotiation import Choice
    from tlswire.wire.messages import ClientHello, ServerHello

CERTIFICATE_VERIFY, CLIENT_KEY_EXCHANGE, FINISHED = 15, 16, 20
TICKET_LIFETIME = 7200  # seconds
TICKET_SIZE = 32
_KEYS = -1  # stands for ChangeCipherSpec, which is no handshake message, among their types


def begin(line: Line, hello: ClientHello, choice: Choice, rng: Random) -> Flow:
    """Say the first flight of a choice, whose hello is the transcript of ``line`` so far; what goes on from there.

    Raises RefusedError.
    """
    character = line.character
    _check_renegotiation(line, hello)
    session = _resumable(line, hello, choice)
    if session is not None:
        choice = msgspec.structs.replace(choice, suite=session.suite, compression=0)
    answer = flights.server_hello(
        character,
        hello,
        choice,
        rng,
        resumed=None if session is None else flaws.session_id(line.flaw, hello.session_id),
        bound=b"".join(line.verify_data),
    )
    line.version = choice.version
    line.limits = flights.size_limits(character, hello, choice.version)
    told = misbehaviour.told_instead(character.quirks, hello, answer)
    if told is not None:
        line.act(*told)
        return LookAlike(line)
    said = misbehaviour.touched(character.quirks, hello, answer)
    line.alpn, line.heartbeats = answer.alpn, said.raw_extension(HEARTBEAT) is not None
    if session is not None:
        return _resume(line, hello, choice, said, session, rng)
    exchange = key_exchange(character, choice, hello.legacy_version, rng)
    messages = flights.encode_server_hello(said) + flights.after_hello(character, hello, choice, said, exchange)
    line.transcript += messages
    line.send(HANDSHAKE, messages)
    if choice.compression or not can_protect(choice.version, choice.suite) or exchange.premaster is None:
        return LookAlike(line)
    return Tls12(line, hello, choice, said, rng, exchange)


def _check_renegotiation(line: Line, hello: ClientHello) -> None:
    """RFC 5746 sections 3.6 and 3.7: what the client binds the handshake to is what it had said before, or nothing."""
    bound = hello.readable(RENEGOTIATION_INFO)
    if RENEGOTIATION_INFO not in line.character.answers or (bound is None and not line.established):
        return
    if bound != line.verify_data[0]:
        raise RefusedError(HANDSHAKE_FAILURE)


def _resumable(line: Line, hello: ClientHello, choice: Choice) -> Remembered | None:
    """The session the client wants to go on with, if it can (RFC 5246 section 7.4.1.2, RFC 5077 section 3.4)."""
    tickets = SESSION_TICKET in line.character.answers
    name = (hello.raw_extension(SESSION_TICKET) if tickets else None) or hello.session_id
    session = line.sessions.recall(name[:TICKET_SIZE]) if name and not line.established else None
    if session is None or session.version != choice.version or session.suite not in hello.suites:
        return None
    extended = EXTENDED_MASTER_SECRET in hello.extension_types
    if session.extended and not extended:
        raise RefusedError(HANDSHAKE_FAILURE)  # RFC 7627 section 5.3
    return session if session.extended == extended else None


def _resume(
    line: Line, hello: ClientHello, choice: Choice, answer: ServerHello, session: Remembered, rng: Random
) -> Flow:
    flow = Tls12(line, hello, choice, answer, rng)
    message = flights.encode_server_hello(answer)
    line.transcript += message
    line.send(HANDSHAKE, message)
    flow.resume(session.secret)
    return flow


class Tls12:
    """The flow of one handshake before TLS 1.3; ``exchange`` is None where a session is resumed."""

    def __init__(
        self,
        line: Line,
        hello: ClientHello,
        choice: Choice,
        answer: ServerHello,
        rng: Random,
        exchange: Exchange | None = None,
    ) -> None:
        self.line = line
        self.hello = hello
        self.choice = choice
        self.answer = answer
        self.rng = rng
        self.exchange = exchange
        self.digest = digest_of(choice.suite)
        self.master = b""
        self.last = CLIENT_HELLO
        self.asks = exchange is not None and flights.asks_certificate(line.character, choice)
        self.certificate = False  # the client has shown one, and proves in CertificateVerify that it is its own
        self.server_verify_data = b""

    def resume(self, secret: bytes) -> None:
        """Go on with a session: our Finished comes first (RFC 5246 section 7.3)."""
        self._derive(secret)
        self._send_finished()

    # What the client says.

    def take(self, message: Message) -> None:
        """One message of the client. Raises WireError, RefusedError."""
        content = message.content
        if self.line.established and content == APPLICATION_DATA:
            self.line.take_request(message.body)
        elif self.line.established and content == HANDSHAKE and message.type == CLIENT_HELLO:
            self.line.send(ALERT, bytes((WARNING, NO_RENEGOTIATION)))  # RFC 5246 section 7.2.2
        elif content == CHANGE_CIPHER_SPEC and message.body == b"\x01" and self._keys_are_due():
            self.line.open_with(self.incoming)
            self.last = _KEYS
        elif content == HANDSHAKE and message.type in self._expected():
            self._TAKERS[message.type](self, message)
            self.last = message.type
        else:
            raise RefusedError(UNEXPECTED_MESSAGE)

    def _expected(self) -> tuple[int, ...]:
        if self.last == CLIENT_HELLO and self.exchange is not None:
            return (CERTIFICATE,) if self.asks else (CLIENT_KEY_EXCHANGE,)
        if self.last == CERTIFICATE:
            return (CLIENT_KEY_EXCHANGE,)
        if self.last == CLIENT_KEY_EXCHANGE and self.certificate:
            return (CERTIFICATE_VERIFY,)
        return (FINISHED,) if self.last == _KEYS else ()

    def _keys_are_due(self) -> bool:
        if self.line.flaw == "early-ccs" and not self.master:
            self._derive(b"")  # CVE-2014-0224: there is no secret yet, which does not stop it
            return True
        if self.exchange is None:
            return self.last == CLIENT_HELLO
        return self.last == (CERTIFICATE_VERIFY if self.certificate else CLIENT_KEY_EXCHANGE)

    def _take_certificate(self, message: Message) -> None:
        value = parse(body_grammar(CERTIFICATE, self.choice.version), message.body)
        self.certificate = bool(value.chain)  # whose it is nobody looks at
        if not self.certificate and self.line.character.client_certificate == "required":
            raise RefusedError(HANDSHAKE_FAILURE)  # RFC 5246 section 7.4.6
        self._heard(message)

    def _take_exchange(self, message: Message) -> None:
        if self.exchange is None or self.exchange.premaster is None:
            raise RefusedError(UNEXPECTED_MESSAGE)
        premaster = self.exchange.premaster(message.body)
        self._heard(message)
        version, digest = self.choice.version, self.digest
        if self.extended:
            master = extended_master_secret(version, premaster, bytes(self.line.transcript), digest)
        else:
            master = master_secret(version, premaster, self.hello.random, self.answer.random, digest)
        self._derive(master)

    def _take_verify(self, message: Message) -> None:
        parse(body_grammar(CERTIFICATE_VERIFY, self.choice.version), message.body)
        self._heard(message)

    def _take_finished(self, message: Message) -> None:
        line = self.line
        if message.body != self._verify_data(server=False):
            raise RefusedError(DECRYPT_ERROR)
        self._heard(message)
        if self.exchange is not None:
            self._remember()
            self._send_finished()
        line.finish((message.body, self.server_verify_data))

    def _heard(self, message: Message) -> None:
        self.line.transcript += encode_handshake(message.type, message.body)

    # What we make of it.

    @property
    def extended(self) -> bool:
        """Whether the master secret is bound to the handshake (RFC 7627)."""
        return self._agreed(EXTENDED_MASTER_SECRET)

    def _agreed(self, code: int) -> bool:
        return code in self.hello.extension_types and code in self.answer.extension_types

    def _derive(self, master: bytes) -> None:
        self.master = master
        self.incoming, self.outgoing = protections12(
            self.choice.version,
            self.choice.suite,
            master,
            self.hello.random,
            self.answer.random,
            encrypt_then_mac=self._agreed(ENCRYPT_THEN_MAC),
            rng=self.rng,
        )

    def _verify_data(self, *, server: bool) -> bytes:
        transcript = bytes(self.line.transcript)
        return verify_data(self.choice.version, self.master, transcript, server=server, digest=self.digest)

    def _send_finished(self) -> None:
        line = self.line
        line.send(CHANGE_CIPHER_SPEC, b"\x01")
        line.seal_with(self.outgoing)
        self.server_verify_data = flaws.finished(line.flaw, self._verify_data(server=True))
        line.send_handshake(FINISHED, self.server_verify_data)

    def _remember(self) -> None:
        """Keep the session for another time, under its id and under a ticket (RFC 5077 section 3.3)."""
        line, choice = self.line, self.choice
        session = Remembered(choice.version, choice.suite, self.master, extended=self.extended, alpn=line.alpn)
        if line.character.session_ids:
            line.sessions.remember(self.answer.session_id, session)
        if self._agreed(SESSION_TICKET):
            name = self.rng.randbytes(TICKET_SIZE)
            line.sessions.remember(name, session)
            ticket = flaws.ticket(line.flaw, name)
            grammar = body_grammar(NEW_SESSION_TICKET, choice.version)
            line.send_handshake(NEW_SESSION_TICKET, build(grammar, NewSessionTicket12(TICKET_LIFETIME, ticket)))

    _TAKERS: ClassVar[dict[int, Callable[[Tls12, Message], None]]] = {
        CERTIFICATE: _take_certificate,
        CLIENT_KEY_EXCHANGE: _take_exchange,
        CERTIFICATE_VERIFY: _take_verify,
        FINISHED: _take_finished,
    }
