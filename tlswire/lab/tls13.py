"""The server of TLS 1.3 from its ServerHello on: key share, PSK, 0-RTT, the encrypted flight, tickets, KeyUpdate.

A suite or group that is beyond ``crypto`` gets a flight that merely looks encrypted (``lab.lookalike``). Sources: RFC
9846 sections 2, 4, 5 and 7 and appendix E.4. Must not import anything of tlswire but ``errors``, ``registry``, ``wire``,
``crypto`` and the rest of ``lab`` but ``responder`` and ``server``.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, ClassVar

from tlswire.crypto import schedule
from tlswire.crypto.protection import can_protect, protection13
from tlswire.crypto.shares import answer_share, supported
from tlswire.crypto.signatures import certificate_verify_signed
from tlswire.crypto.suites import digest_of
from tlswire.errors import WireError
from tlswire.lab import edges, flaws, flights, keys, misbehaviour
from tlswire.lab.characters import ALPN, COMPRESS_CERTIFICATE, SCT, SERVER_NAME, STATUS_REQUEST, TLS12, TLS13
from tlswire.lab.exchange import look_alike_share
from tlswire.lab.lookalike import LookAlike
from tlswire.lab.refusals import (
    CERTIFICATE_REQUIRED,
    DECRYPT_ERROR,
    ILLEGAL_PARAMETER,
    UNEXPECTED_MESSAGE,
    RefusedError,
)
from tlswire.lab.sessions import Remembered
from tlswire.registry import GROUPS
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CLIENT_HELLO,
    ENCRYPTED_EXTENSIONS,
    NEW_SESSION_TICKET,
    body_grammar,
    encode_handshake,
)
from tlswire.wire.messages import (
    Certificate13,
    CertificateEntry,
    CertificateRequest13,
    CompressedCertificate,
    EncryptedExtensions,
    Extension,
    NewSessionTicket13,
    Signature12,
)
from tlswire.wire.primitives import build, parse
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Message, fragment

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tlswire.lab.line import Flow, Line
    from tlswire.lab.negotiation import Choice
    from tlswire.wire.messages import ClientHello

END_OF_EARLY_DATA, CERTIFICATE_VERIFY, FINISHED, KEY_UPDATE, COMPRESSED_CERTIFICATE = 5, 15, 20, 24, 25
_ZLIB = 1  # RFC 8879 section 7.3
_SCHEMES, _PRE_SHARED_KEY, EARLY_DATA, _PSK_MODES, _KEY_SHARE = 13, 41, 42, 45, 51
_PSK_DHE_KE = 1
TICKET_LIFETIME = 7200  # seconds
TICKET_SIZE = 32
NO_SECRET = bytes(32)  # of an exchange that gave none, and that a server of the edge goes on with
# What is skipped of early data that was not accepted: more than any server here allows.
FORGIVEN = 1 << 15


def ask_again(line: Line, hello: ClientHello, choice: Choice) -> None:
    """Say the HelloRetryRequest of a choice, and what stands for the first hello from then on (section 4.1)."""
    message = flights.encode_server_hello(flights.retry_request(hello, choice))
    if can_protect(TLS13, choice.suite):
        line.transcript[:] = schedule.message_hash(digest_of(choice.suite), bytes(line.transcript))
    line.transcript += message
    line.send(HANDSHAKE, message)
    _calm(line, hello)


def _calm(line: Line, hello: ClientHello) -> None:
    # Appendix E.4: only a client that sent a session id wants the compatibility record.
    if hello.session_id:
        line.send_raw(fragment(CHANGE_CIPHER_SPEC, TLS12, b"\x01"))


def begin(line: Line, hello: ClientHello, choice: Choice, rng: Random, *, retried: bool = False) -> Flow:
    """Say the first flight of a choice, whose hello ends the transcript of ``line``; what goes on from there.

    Raises RefusedError.
    """
    group = choice.group or 0
    peer = _share_of(hello, group) if can_protect(TLS13, choice.suite) and supported(group) else None
    session = None if peer is None else _resumable(line, hello, choice)
    share, shared = (look_alike_share(group, rng), b"") if peer is None else _answered(line, group, peer, rng)
    share = flaws.share(line.flaw, group, share)
    answer = flights.server_hello13(hello, choice, share, rng, None if session is None else 0)
    told = misbehaviour.told_instead(line.character.quirks, hello, answer)
    if told is not None:
        line.act(*told)
        return LookAlike(line)
    answer = misbehaviour.touched(line.character.quirks, hello, answer)
    line.limits = flights.size_limits(line.character, hello, TLS13)
    before = bytes(line.transcript)
    message = flights.encode_server_hello(answer, edges.behind_hello(line.edge, hello))
    line.transcript += message
    line.send(HANDSHAKE, message * edges.times_said(line.edge, retried=retried))
    if not retried:
        _calm(line, hello)
    line.alpn = flights.chosen_alpn(line.character, hello)
    if peer is None:
        line.send_raw(flights.encrypted_records(choice, rng))
        return LookAlike(line)
    flow = Tls13(line, hello, choice, rng, session)
    flow.open(before, shared, retried=retried)
    return flow


def _share_of(hello: ClientHello, group: int | None) -> bytes | None:
    shares = hello.readable(_KEY_SHARE) or ()
    return next((share.key_exchange for share in shares if share.group == group), None)


def _answered(line: Line, group: int, peer: bytes, rng: Random) -> tuple[bytes, bytes]:
    try:
        return answer_share(group, peer, flaws.key_rng(line.flaw, rng))
    except WireError:
        if edges.takes_any_share(line.edge, GROUPS[group].kind):
            return look_alike_share(group, rng), NO_SECRET
        raise RefusedError(ILLEGAL_PARAMETER) from None


def _resumable(line: Line, hello: ClientHello, choice: Choice) -> Remembered | None:
    """The session of the first PSK, if it is known here; its binder must hold (section 4.3.11)."""
    offered, modes = hello.readable(_PRE_SHARED_KEY), hello.readable(_PSK_MODES) or ()
    if offered is None or _PSK_DHE_KE not in modes:
        return None
    session = line.sessions.recall(offered.identities[0].identity[:TICKET_SIZE])
    digest = digest_of(choice.suite)
    if session is None or session.version != TLS13 or digest_of(session.suite) != digest:
        return None
    # The transcript ends with the list of binders, which is what they do not cover.
    size = 2 + sum(1 + len(value) for value in offered.binders)
    transcript = schedule.transcript_hash(digest, bytes(line.transcript[:-size]))
    expected = schedule.verify_data(digest, schedule.early(digest, session.secret).binder_key(), transcript)
    if not hmac.compare_digest(expected, offered.binders[0]):
        raise RefusedError(DECRYPT_ERROR)
    return session


class Tls13:
    """The flow of one handshake of TLS 1.3; ``session`` is what it resumes."""

    def __init__(self, line: Line, hello: ClientHello, choice: Choice, rng: Random, session: Remembered | None) -> None:
        self.line = line
        self.hello = hello
        self.choice = choice
        self.rng = rng
        self.session = session
        self.digest = digest_of(choice.suite)
        self.last = CLIENT_HELLO
        self.asks = session is None and bool(line.character.client_certificate)
        self.certificate = False  # the client has shown one, and proves in CertificateVerify that it is its own
        self.early = False  # 0-RTT data was accepted
        self.early_data = bytearray()
        self.early_left = 0  # bytes of it that may still come
        self.server_secret = b""  # those of the traffic that is under way
        self.client_secret = b""

    # Our flight.

    def open(self, before: bytes, shared: bytes, *, retried: bool) -> None:
        """Say everything behind the ServerHello; ``before`` is the transcript up to it."""
        line, digest = self.line, self.digest
        early = schedule.early(digest, b"" if self.session is None else self.session.secret)
        self.handshake = early.handshake(shared, self._transcript())
        line.seal_with(protection13(self.choice.suite, self.handshake.server))
        self._take_early_data(retried=retried)
        line.send_handshake(ENCRYPTED_EXTENSIONS, self._encrypted_extensions())
        if self.session is None:
            self._authenticate()
        verify_data = schedule.verify_data(digest, self.handshake.server, self._transcript())
        line.send_handshake(FINISHED, flaws.finished(line.flaw, verify_data))
        self.application = self.handshake.application(self._transcript())
        self.server_secret, self.client_secret = self.application.server, self.application.client
        line.seal_with(protection13(self.choice.suite, self.server_secret))
        if self.early:
            secret = early.client_traffic(schedule.transcript_hash(digest, before))
            line.open_with(protection13(self.choice.suite, secret))
        else:
            skipped = FORGIVEN if EARLY_DATA in self.hello.extension_types else 0
            line.open_with(protection13(self.choice.suite, self.handshake.client), forgive=skipped)

    def _take_early_data(self, *, retried: bool) -> None:
        """Accept 0-RTT data where the ticket allows it, once (sections 4.3.10 and 8.1)."""
        session, line = self.session, self.line
        if session is None or retried or EARLY_DATA not in self.hello.extension_types:
            return
        if (session.suite, session.alpn) == (self.choice.suite, line.alpn):
            self.early, self.early_left = session.early_data > 0, session.early_data
            line.sessions.forget(self.hello.readable(_PRE_SHARED_KEY).identities[0].identity[:TICKET_SIZE])

    def _encrypted_extensions(self) -> bytes:
        line, hello = self.line, self.hello
        found: list[tuple[int, Any]] = []
        if SERVER_NAME in hello.extension_types and SERVER_NAME in line.character.answers:
            found.append((SERVER_NAME, None))
        found += flights.size_answers(line.character, hello)
        if line.alpn is not None:
            found.append((ALPN, (line.alpn,)))
        if self.early:
            found.append((EARLY_DATA, None))
        return self._built(ENCRYPTED_EXTENSIONS, EncryptedExtensions(_encoded(found, "ee")))

    def _authenticate(self) -> None:
        line, kind = self.line, self.choice.certificate or ""
        if self.asks:
            request = CertificateRequest13(b"", _encoded([(_SCHEMES, line.character.schemes)], "cr"))
            line.send_handshake(CERTIFICATE_REQUEST, self._built(CERTIFICATE_REQUEST, request))
        leaf, *others = flaws.chain(line.flaw, keys.certificate(kind))
        chain = (CertificateEntry(leaf, self._status()), *(CertificateEntry(other, ()) for other in others))
        self._send_chain(self._built(CERTIFICATE, Certificate13(b"", chain)))
        signature = keys.key(kind).sign(self.choice.scheme, certificate_verify_signed(self._transcript()))
        value = Signature12(self.choice.scheme, signature)
        line.send_handshake(CERTIFICATE_VERIFY, self._built(CERTIFICATE_VERIFY, value))

    def _status(self) -> tuple[Extension, ...]:
        """What is said of the leaf where the client asks (sections 4.5.1.1 and 4.5.1)."""
        values = {STATUS_REQUEST: flights.STAPLE, SCT: flights.SCTS}
        asked = set(self.hello.extension_types).intersection(self.line.character.answers)
        return _encoded([(code, value) for code, value in values.items() if code in asked], "ct")

    def _send_chain(self, body: bytes) -> None:
        line = self.line
        algorithms = self.hello.readable(COMPRESS_CERTIFICATE) or ()
        if COMPRESS_CERTIFICATE not in line.character.answers or _ZLIB not in algorithms:
            line.send_handshake(CERTIFICATE, body)
            return
        value = CompressedCertificate(_ZLIB, *flaws.compressed(line.flaw, body))
        line.send_handshake(COMPRESSED_CERTIFICATE, self._built(COMPRESSED_CERTIFICATE, value))

    def _built(self, kind: int, value: Any) -> bytes:
        return build(body_grammar(kind, TLS13), value)

    def _transcript(self) -> bytes:
        return schedule.transcript_hash(self.digest, bytes(self.line.transcript))

    # What the client says.

    def take(self, message: Message) -> None:
        """One message of the client. Raises WireError, RefusedError."""
        if message.content == APPLICATION_DATA and self.line.established:
            self.line.take_request(message.body)
        elif message.content == APPLICATION_DATA and len(message.body) <= self.early_left:
            self.early_left -= len(message.body)
            self.early_data += message.body
        elif message.content == HANDSHAKE and message.type in self._expected():
            self._TAKERS[message.type](self, message)
            self.last = message.type
        else:
            raise RefusedError(UNEXPECTED_MESSAGE)

    def _expected(self) -> tuple[int, ...]:
        if self.line.established:
            return (KEY_UPDATE,)
        if self.last == CLIENT_HELLO and self.early:
            return (END_OF_EARLY_DATA,)
        if self.last in {CLIENT_HELLO, END_OF_EARLY_DATA} and self.asks:
            return (CERTIFICATE,)
        return (CERTIFICATE_VERIFY,) if self.last == CERTIFICATE and self.certificate else (FINISHED,)

    def _end_early_data(self, message: Message) -> None:
        self._heard(message)
        self.line.open_with(protection13(self.choice.suite, self.handshake.client))

    def _take_certificate(self, message: Message) -> None:
        value = parse(body_grammar(CERTIFICATE, TLS13), message.body)
        self.certificate = bool(value.chain)  # whose it is nobody looks at
        if not self.certificate and self.line.character.client_certificate == "required":
            raise RefusedError(CERTIFICATE_REQUIRED)  # section 4.5.1.3
        self._heard(message)

    def _take_verify(self, message: Message) -> None:
        parse(body_grammar(CERTIFICATE_VERIFY, TLS13), message.body)
        self._heard(message)

    def _take_finished(self, message: Message) -> None:
        line = self.line
        if message.body != schedule.verify_data(self.digest, self.handshake.client, self._transcript()):
            raise RefusedError(DECRYPT_ERROR)
        self._heard(message)
        line.open_with(protection13(self.choice.suite, self.client_secret))
        line.established = True
        if _PSK_DHE_KE in (self.hello.readable(_PSK_MODES) or ()):
            resumption = self.application.resumption(self._transcript())
            many = flaws.ENDLESS if line.flaw == "endless-tickets" else line.character.tickets
            for nonce in range(many):
                self._send_ticket(resumption, nonce.to_bytes(2))
        for _ in range(flaws.ENDLESS if line.flaw == "endless-key-updates" else 0):
            self._update_ours()
        if self.early_data:
            line.take_request(bytes(self.early_data))

    def _heard(self, message: Message) -> None:
        self.line.transcript += encode_handshake(message.type, message.body)

    # What comes after the handshake.

    def _send_ticket(self, resumption: bytes, nonce: bytes) -> None:
        line, choice = self.line, self.choice
        size, name = line.character.early_data, self.rng.randbytes(TICKET_SIZE)
        psk = schedule.resumption_psk(self.digest, resumption, nonce)
        session = Remembered(TLS13, choice.suite, psk, extended=True, alpn=line.alpn, early_data=size)
        line.sessions.remember(name, session)
        extensions = _encoded([(EARLY_DATA, size)] if size else [], "nst")
        ticket = flaws.ticket(line.flaw, name)
        value = NewSessionTicket13(TICKET_LIFETIME, self.rng.getrandbits(32), nonce, ticket, extensions)
        line.send(HANDSHAKE, encode_handshake(NEW_SESSION_TICKET, self._built(NEW_SESSION_TICKET, value)))

    def _update_keys(self, message: Message) -> None:
        """Section 4.7.3: the client goes on with its next key, and so do we where it asks."""
        line = self.line
        if message.body not in {b"\0", b"\1"}:
            raise RefusedError(ILLEGAL_PARAMETER)
        self.client_secret = schedule.next_secret(self.digest, self.client_secret)
        line.open_with(protection13(self.choice.suite, self.client_secret))
        if message.body == b"\1":
            self._update_ours()

    def _update_ours(self) -> None:
        line = self.line
        line.send(HANDSHAKE, encode_handshake(KEY_UPDATE, b"\0"))
        self.server_secret = schedule.next_secret(self.digest, self.server_secret)
        line.seal_with(protection13(self.choice.suite, self.server_secret))

    _TAKERS: ClassVar[dict[int, Callable[[Tls13, Message], None]]] = {
        END_OF_EARLY_DATA: _end_early_data,
        CERTIFICATE: _take_certificate,
        CERTIFICATE_VERIFY: _take_verify,
        FINISHED: _take_finished,
        KEY_UPDATE: _update_keys,
    }


def _encoded(extensions: list[tuple[int, Any]], message: str) -> tuple[Extension, ...]:
    return tuple(Extension(code, encode_extension(code, value, message)) for code, value in extensions)
