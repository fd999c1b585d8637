"""Everything a server says to one script, read to the end: the whole flight, with what is encrypted opened by our keys.

``FlightReader`` is a sans-IO reader for ``probe.transport``; ``Heard`` is the value that comes out. It is lenient where
a client is strict: what breaks the protocol is noted and read on as far as it makes sense. Sources: RFC 9846 sections
4.1, 4.2.3, 5 and 6; RFC 5246 sections 7.2 and 7.3.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``crypto``, ``probe.exchange`` and ``fuzz``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.crypto import schedule
from tlswire.crypto.protection import can_protect, protection13
from tlswire.crypto.records import RecordStream
from tlswire.crypto.suites import digest_of
from tlswire.errors import WireError
from tlswire.fuzz.model import CLOSE, FLIGHT, HANG, HELLO_THEN_ABORT, NOT_TLS, RETRY
from tlswire.probe.exchange import PROXY, STARTTLS, described
from tlswire.registry import CONTENT_TYPES, GROUPS, HANDSHAKE_TYPES
from tlswire.wire.cursor import named
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.handshake import (
    ENCRYPTED_EXTENSIONS,
    SERVER_HELLO,
    SERVER_HELLO_DONE,
    body_grammar,
    encode_handshake,
    parse_server_hello,
)
from tlswire.wire.partial import parse_partial_client_hello, parse_partial_server_hello
from tlswire.wire.primitives import parse
from tlswire.wire.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, SSLV2, Message
from tlswire.wire.sslv2 import SERVER_HELLO as SSLV2_SERVER_HELLO

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.crypto.shares import PrivateShare
    from tlswire.fuzz.script import Script
    from tlswire.wire.messages import EncryptedExtensions, ServerHello

MAX_ANSWER = 1 << 18
MAX_EVENTS = 64
FINISHED = 20
TLS13 = 0x0304
KEY_SHARE, PRE_SHARED_KEY = 51, 41
# Seconds without a word that end what cannot be read: a flight under keys that are not ours, or what may follow it.
SETTLED = 0.15

SERVER_HELLO_EVENT, RETRY_EVENT, CLOSE_NOTIFY_EVENT = "server-hello", "hello-retry-request", "close-notify"
# Endings within a dialogue before TLS: the hello was never sent.
_UNSENT = frozenset({PROXY, STARTTLS})
# What ``transport`` calls an end by the peer: FIN and RST are one, for which it is depends on unread bytes.
_CLOSED = frozenset({"close", "reset"})


class Heard(msgspec.Struct, frozen=True):
    """One connection: ``first`` is the first decisive message, ``reaction`` the class of all of it.

    ``flight`` names the messages in order (``server-hello``, ``alert:47``, ``warning:112``, ``close`` ...); ``faults``
    are (kind, one line) pairs of what the reader could not make sense of. ``ending`` is how the transport ended, or
    proxy or starttls where that was before TLS; times are seconds, bytes those of TLS, as sent and received (at most
    256 KiB); ``again`` is the second hello's message, if one was sent.
    """

    first: str
    reaction: str
    flight: tuple[str, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    retry: ServerHello | None = None
    hello: ServerHello | None = None
    encrypted_extensions: EncryptedExtensions | None = None
    resumed: bool = False
    ending: str = ""
    reason: str = ""
    sent: bytes = b""
    received: bytes = b""
    again: bytes = b""
    started: float = 0.0
    elapsed: float = 0.0
    local: tuple[str, int] = ("", 0)

    @property
    def unsent(self) -> bool:
        """Whether the connection did not come as far as the hello, so that nothing is known of what it would draw."""
        return self.ending in _UNSENT

    @property
    def version(self) -> int:
        """What was negotiated: 0 where there was no hello."""
        answer = self.hello or self.retry
        return 0 if answer is None else answer.version


class FlightReader:
    """Reads what a server says to ``script``; ``key`` gives the private half of a share of ours, by group.

    ``settled`` are the seconds of silence behind a flight after which nothing more is expected.
    """

    def __init__(self, script: Script, key: Callable[[int], PrivateShare | None], *, settled: float = SETTLED) -> None:
        self.patience: float | None = None
        self._script = script
        self._key = key
        self._settled = settled
        self._stream = RecordStream(max_message=MAX_ANSWER)
        self._received = bytearray()
        self._sent = bytearray(script.payload)
        self._out = b""
        self._events: list[str] = []
        self._faults: list[tuple[str, str]] = []
        self._transcript = script.message
        offer = parse_partial_client_hello(script.message[4:])
        self._groups = () if offer is None else offer.groups
        self._retry: ServerHello | None = None
        self._hello: ServerHello | None = None
        self._encrypted: EncryptedExtensions | None = None
        self._digest = ""
        self._secrets: schedule.HandshakeSecrets | None = None
        self._resumed = False
        self._sealed = 0  # records that stay closed
        self._changed = False  # TLS 1.2: ChangeCipherSpec came, so what follows is protected
        self._complete = False
        self._again = b""  # the second hello
        self._alert: int | None = None
        self._closing = False
        self._not_tls = False
        self._done = False

    # What the transport asks for.

    def feed(self, data: bytes) -> bool:
        """Take bytes; True when nothing more is needed."""
        self._received += data
        if self._sealed:
            self._sealed += 1
        try:
            for message in self._stream.feed(data):
                self._take(message)
                if self._done:
                    return True
        except WireError as error:
            self._fault("malformed", str(error))
            self._done = True
        if self._stream.error is not None and not self._done:
            self._broken(self._stream.error)
        return self._done or len(self._received) > MAX_ANSWER

    def to_send(self) -> bytes:
        """The second hello, where a HelloRetryRequest asked for one."""
        out, self._out = self._out, b""
        self._sent += out
        return out

    # Messages.

    def _event(self, name: str) -> None:
        if len(self._events) < MAX_EVENTS:
            self._events.append(name)

    def _fault(self, kind: str, text: str) -> None:
        self._faults.append((kind, text))

    def _broken(self, error: WireError) -> None:
        """The records end to make sense: are they none, are they under other keys, or is it a fault?"""
        hello = self._hello
        if error.path == "record.protected" or (hello is not None and hello.version < TLS13 and self._changed):
            self._seal()
            return
        self._not_tls = error.path == "record.type" and not self._events
        self._fault(
            NOT_TLS if self._not_tls else "malformed", described(self._received) if self._not_tls else str(error)
        )
        self._done = True

    def _seal(self) -> None:
        if not self._sealed:
            self._event("encrypted")
        self._sealed += 1
        self.patience = self._settled

    def _take(self, message: Message) -> None:
        content = message.content
        if content == ALERT and len(message.body) == 2:
            self._take_alert(message.body[0], message.body[1])
        elif content == CHANGE_CIPHER_SPEC:
            self._changed = True
        elif content == HANDSHAKE and self._changed and self._hello is not None and self._hello.version < TLS13:
            # The server's Finished of a resumption, the only message of an abbreviated flight under keys.
            self._event("finished")
            self._finish()
        elif content == HANDSHAKE:
            self._take_handshake(message)
        elif content == SSLV2:
            answers = message.type == SSLV2_SERVER_HELLO
            self._event("sslv2-server-hello" if answers else "sslv2-error")
            self._complete = answers
            self._done = True
        elif content in {APPLICATION_DATA, ALERT, HANDSHAKE} and self._hello is not None:
            self._seal()
        else:
            self._event(CONTENT_TYPES[content].name.replace("_", "-"))
            self._fault("unexpected", f"a record of type {CONTENT_TYPES[content].name} for a hello")
            self._done = True

    def _take_alert(self, level: int, description: int) -> None:
        if description == 0:
            self._event(CLOSE_NOTIFY_EVENT)
            self._closing, self.patience = True, self._settled
        elif level == 1 and not (self._hello is not None and self._hello.version >= TLS13):
            self._event(f"warning:{description}")
            if len(self._events) >= MAX_EVENTS:
                self._fault("flood", f"more than {MAX_EVENTS} messages")
                self._done = True
        else:
            # RFC 9846 section 6: in TLS 1.3 all but close_notify and user_canceled are fatal whatever the level says.
            self._event(f"alert:{description}")
            self._alert, self._done = description, True

    def _take_handshake(self, message: Message) -> None:
        name = HANDSHAKE_TYPES[message.type].name.replace("_", "-")
        if message.type == SERVER_HELLO:
            self._take_hello(message)
            return
        self._event(name)
        if message.type == 0 and not message.body:
            return  # HelloRequest: RFC 5246 section 7.4.1.1
        if self._hello is None:
            self._fault("unexpected", f"{name} where a ServerHello belongs")
            self._done = True
            return
        before = self._transcript
        self._transcript += encode_handshake(message.type, message.body)
        if message.type == ENCRYPTED_EXTENSIONS:
            self._encrypted = parse(body_grammar(ENCRYPTED_EXTENSIONS, TLS13), message.body, "encrypted_extensions")
        elif message.type == FINISHED and self._secrets is not None:
            self._check_finished(message.body, before)
            self._finish()
        elif message.type == SERVER_HELLO_DONE:
            self._finish()

    def _finish(self) -> None:
        self._complete = True
        if self._script.tail:
            self.patience = self._settled
            if self._secrets is not None:
                digest = self._digest
                application = self._secrets.application(schedule.transcript_hash(digest, self._transcript))
                suite = self._hello.suite if self._hello is not None else 0
                self._stream.protect(protection13(suite, application.server))
        else:
            self._done = True

    def _check_finished(self, body: bytes, before: bytes) -> None:
        secrets = self._secrets
        if secrets is not None:
            transcript = schedule.transcript_hash(self._digest, before)
            if body != schedule.verify_data(self._digest, secrets.server, transcript):
                self._fault("finished", "the server's Finished does not verify (RFC 9846 4.5.3)")

    # Hellos.

    def _take_hello(self, message: Message) -> None:
        try:
            hello = parse_server_hello(message.body, message.offset + 4)
        except WireError as error:
            self._event(SERVER_HELLO_EVENT)
            self._fault("malformed", str(error))
            self._hello = parse_partial_server_hello(message.body)
            self._complete = self._done = True
            return
        encoded = encode_handshake(SERVER_HELLO, message.body)
        if hello.is_retry:
            self._take_retry(hello, encoded)
            return
        self._event(SERVER_HELLO_EVENT)
        if self._hello is not None:
            self._fault("unexpected", "a second ServerHello")
            self._done = True
            return
        self._hello = hello
        self._transcript += encoded
        if hello.version >= TLS13:
            self._unlock(hello)

    def _take_retry(self, hello: ServerHello, encoded: bytes) -> None:
        self._event(RETRY_EVENT)
        if self._retry is not None:
            self._fault("unexpected", "a second HelloRetryRequest (RFC 9846 4.2.4)")
        unheard = hello.group is not None and hello.group not in self._groups
        if unheard:
            self._fault("group", f"asks for a share of {named(GROUPS, hello.group or 0)} that was not offered")
        if self._retry is not None or self._script.again is None or unheard:
            self._retry = self._retry or hello
            self._done = True
            return
        self._retry = hello
        if can_protect(TLS13, hello.suite):
            before = schedule.message_hash(digest_of(hello.suite), self._transcript)
            self._transcript = before + encoded
        self._out, self._again = self._script.again(hello)
        self._transcript += self._again

    def _unlock(self, hello: ServerHello) -> None:
        """Derive the keys of the flight, if the answer is to a share of ours."""
        share = hello.readable(KEY_SHARE)
        if not can_protect(TLS13, hello.suite) or not self._script.message:
            return
        self._digest = digest_of(hello.suite)
        secret, psk = b"", b""
        session = self._script.session
        if hello.raw_extension(PRE_SHARED_KEY) is not None and session is not None:
            psk, self._resumed = session.secret, True
        if isinstance(share, KeyShareEntry):
            key = self._key(share.group)
            try:
                secret = b"" if key is None else key.secret(share.key_exchange)
            except WireError as error:
                self._fault("key-share", str(error))
            if not secret:
                return
        elif not psk:
            return
        transcript = schedule.transcript_hash(self._digest, self._transcript)
        self._secrets = schedule.early(self._digest, psk).handshake(secret, transcript)
        self._stream.protect(protection13(hello.suite, self._secrets.server))

    # What comes out.

    def heard(self, ending: str, **facts: object) -> Heard:
        """The value of all that was said; ``facts`` are the transport's: reason, started, elapsed, local."""
        closed = ending in _CLOSED
        if closed and not self._not_tls:
            self._event(CLOSE)
        heard = Heard(
            self._first(closed=closed),
            self._reaction(closed=closed),
            tuple(self._events),
            tuple(self._faults),
            self._retry,
            self._hello,
            self._encrypted,
            self._resumed,
            ending,
            sent=bytes(self._sent),
            received=bytes(self._received[:MAX_ANSWER]),
            again=self._again,
        )
        return msgspec.structs.replace(heard, **facts)

    def _first(self, *, closed: bool) -> str:
        if self._not_tls:
            return NOT_TLS
        for event in self._events:
            if event in {SERVER_HELLO_EVENT, "sslv2-server-hello"}:
                return SERVER_HELLO_EVENT
            if event == RETRY_EVENT:
                return RETRY
            if event.startswith("alert:"):
                return event
        return CLOSE if closed or self._closing else "none"

    def _reaction(self, *, closed: bool) -> str:
        closed = closed or self._closing
        if self._not_tls:
            return NOT_TLS
        if self._hello is not None and (self._alert is not None or (closed and not self._ended_well())):
            return HELLO_THEN_ABORT
        if self._alert is not None:
            return f"alert:{self._alert}"
        if self._complete or (self._hello is not None and (self._sealed or self._faults)):
            return FLIGHT
        if self._retry is not None and (self._script.again is None or self._events.count(RETRY_EVENT) > 1):
            return RETRY
        return CLOSE if closed else HANG

    def _ended_well(self) -> bool:
        # Without a tail the reader leaves first, so an end by the server behind a complete flight is not seen.
        return self._complete and not self._script.tail
