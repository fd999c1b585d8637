"""One hello out, one answer in: what the server's first flight says, as a value.

``HelloReader`` is sans-IO and bounded: it stops at the first decisive message, or follows a clear-text flight up to
ServerHelloDone. Peer faults are answers here, never exceptions. Must not import ``scan`` or anything above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from tlswire.errors import WireError
from tlswire.probe import transport
from tlswire.registry import HANDSHAKE_TYPES
from tlswire.wire.cursor import escaped
from tlswire.wire.handshake import SERVER_HELLO, SERVER_HELLO_DONE, parse_server_hello
from tlswire.wire.records import ALERT, HANDSHAKE, SSLV2, Alert, Deframer, Message
from tlswire.wire.sslv2 import ERROR as SSLV2_ERROR
from tlswire.wire.sslv2 import SERVER_HELLO as SSLV2_SERVER_HELLO
from tlswire.wire.sslv2 import SSLv2ServerHello, parse_sslv2_server_hello

if TYPE_CHECKING:
    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.opening import Opened, Opening, Transcript
    from tlswire.probe.transport import Address
    from tlswire.wire.messages import ServerHello

MAX_ANSWER = 1 << 18
MAX_WARNINGS = 16

# Kinds of answers. The first six are what a TLS server says; "fault" is one that breaks the protocol.
HELLO, RETRY, ALERTED, FAULT, NOT_TLS = "hello", "retry", "alert", "fault", "not-tls"
CLOSE, RESET, TIMEOUT = transport.CLOSE, transport.RESET, transport.TIMEOUT
REFUSED, UNREACHABLE, EXHAUSTED = transport.REFUSED, transport.UNREACHABLE, transport.EXHAUSTED

# A dialogue before TLS that was answered by no: the hello was never sent.
PROXY, STARTTLS = "proxy", "starttls"

# A time-out in the middle of an answer: the server has begun to speak, so this is no silence.
STALLED = "stalled"
# No connection was made for this hello: the scanner had given the host up.
UNASKED = "unasked"
# Connections were made, but no two of them ended alike.
UNSETTLED = "unsettled"

DECISIVE = frozenset({HELLO, RETRY, ALERTED, FAULT, NOT_TLS})


class Answer(msgspec.Struct, frozen=True):
    """What came back for one hello.

    ``kind`` is hello, retry (HelloRetryRequest), alert, fault (bytes that break the protocol), not-tls, close, reset,
    timeout, stalled (a time-out within an answer), refused, unreachable or exhausted (this machine's own limits), and
    behind an opening also proxy or starttls (it says no). ``reason`` is one escaped line; bytes are as sent and as
    received (at most 256 KiB); ``opening`` is what was said before them; times are seconds.
    """

    kind: str
    hello: ServerHello | None = None
    sslv2: SSLv2ServerHello | None = None
    alert: Alert | None = None
    warnings: tuple[Alert, ...] = ()
    reason: str = ""
    messages: tuple[Message, ...] = ()
    sent: bytes = b""
    received: bytes = b""
    connected: bool = False
    started: float = 0.0
    elapsed: float = 0.0
    local: tuple[str, int] = ("", 0)
    opening: Transcript | None = None

    @property
    def opened(self) -> bool:
        """Whether the connection came as far as the hello; what ended it before says nothing about the hello."""
        return self.opening is None or self.opening.phase == "tls"

    @property
    def decisive(self) -> bool:
        """Whether the server itself said something, rather than the connection ending."""
        return self.kind in DECISIVE

    @property
    def accepts(self) -> bool:
        """Whether this is a ServerHello, a HelloRetryRequest or an SSLv2 SERVER-HELLO that shares a cipher kind."""
        return self.kind in {HELLO, RETRY} and (self.sslv2 is None or bool(self.sslv2.kinds))

    @property
    def label(self) -> str:
        """The answer in the terms of reports: ``alert:handshake_failure``, ``close``, ``timeout`` ..."""
        return f"alert:{self.alert.name}" if self.alert is not None else self.kind


class HelloReader:
    """Reads one server's first flight; ``whole_flight`` goes on to ServerHelloDone (TLS 1.2 and older)."""

    patience: float | None = None

    def __init__(self, *, whole_flight: bool = False) -> None:
        self.received = bytearray()
        self.messages: list[Message] = []
        self.warnings: list[Alert] = []
        self.alert: Alert | None = None
        self.hello: ServerHello | None = None
        self.sslv2: SSLv2ServerHello | None = None
        self.fault = ""
        self.not_tls = False
        self._whole = whole_flight
        self._deframer = Deframer(max_message=MAX_ANSWER)

    def feed(self, data: bytes) -> bool:
        """Take bytes; True when the answer is decided."""
        self.received += data
        for message in self._deframer.feed(data):
            self.messages.append(message)
            try:
                if self._take(message):
                    return True
            except WireError as error:
                self.fault = str(error)
                return True
        broken = self._deframer.error
        if broken is not None:
            self.not_tls = self._deframer.records == 0 and broken.path == "record.type"
            self.fault = str(broken)
            return True
        if len(self.received) > MAX_ANSWER:
            self.fault = f"{len(self.received)} bytes without an answer; stopped reading"
            return True
        return False

    def to_send(self) -> bytes:
        """Nothing: the hello was all there is to say."""
        return b""

    def _take(self, message: Message) -> bool:
        if message.content == ALERT and len(message.body) == 2:
            return self._take_alert(Alert(message.body[0], message.body[1]))
        if message.content == SSLV2:
            return self._take_sslv2(message)
        if message.content != HANDSHAKE:
            return self._unexpected(f"record of content type {message.content}")
        if self.hello is None:
            if message.type == 0 and not message.body:
                return False  # RFC 5246 section 7.4.1.1: a client may ignore HelloRequest
            if message.type != SERVER_HELLO:
                return self._unexpected(f"handshake message {HANDSHAKE_TYPES[message.type].name}")
            self.hello = parse_server_hello(message.body, message.offset + 4)
            return not self._whole or self.hello.version >= 0x0304
        return message.type == SERVER_HELLO_DONE

    def _take_alert(self, alert: Alert) -> bool:
        if alert.fatal:
            self.alert = alert
            return True
        # A flood of warnings is CVE-2016-8610 seen from the client's side: bounded.
        self.warnings.append(alert)
        if len(self.warnings) > MAX_WARNINGS:
            self.fault = f"more than {MAX_WARNINGS} warning alerts"
            return True
        return False

    def _take_sslv2(self, message: Message) -> bool:
        if message.type == SSLV2_SERVER_HELLO:
            self.sslv2 = parse_sslv2_server_hello(message.body, message.offset + 1)
            return True
        if message.type == SSLV2_ERROR:
            self.alert = Alert(2, 40)  # the only SSLv2 error a server may send here is NO-CIPHER-ERROR
            return True
        return self._unexpected(f"SSLv2 message {message.type}")

    def _unexpected(self, what: str) -> bool:
        if self.hello is not None:
            return True
        self.fault = f"{what} where a ServerHello belongs"
        return True

    def answer(self, sent: bytes, outcome: transport.Outcome) -> Answer:
        """The value of everything read, given how the connection ended."""
        kind, reason = outcome.end, outcome.error
        if self.fault:
            kind, reason = (NOT_TLS, described(self.received)) if self.not_tls else (FAULT, self.fault)
        elif self.hello is not None:
            kind = RETRY if self.hello.is_retry else HELLO
        elif self.sslv2 is not None:
            kind = HELLO
        elif self.alert is not None:
            kind = ALERTED
        elif self.received:
            kind = STALLED if kind == TIMEOUT else kind
            reason = f"{len(self.received)} bytes came, no complete message"
        return Answer(
            kind=kind,
            hello=self.hello,
            sslv2=self.sslv2,
            alert=self.alert,
            warnings=tuple(self.warnings),
            reason=reason,
            messages=tuple(self.messages),
            sent=sent,
            received=bytes(self.received),
            connected=outcome.connected > 0,
            started=outcome.started,
            elapsed=outcome.elapsed,
            local=outcome.local,
        )


def described(received: bytearray) -> str:
    """What came instead of TLS, in one escaped line."""
    head = escaped(bytes(received[:48]))
    if received.startswith((b"HTTP/", b"<!", b"<html", b"<HTML")):
        return f"speaks plain HTTP: {head}"
    return f"does not speak TLS: {head}"


async def ask(
    address: Address,
    payload: bytes,
    *,
    opening: Opening | None = None,
    timeout: float = 5.0,
    whole_flight: bool = False,
    want_local: bool = False,
    cuts: transport.Cuts | None = None,
) -> Answer:
    """Send the record bytes ``payload`` to ``address`` (behind ``opening``, whose target it is; in the pieces of
    ``cuts``) and read the answer; at most ``timeout`` seconds in all.
    """
    reader = HelloReader(whole_flight=whole_flight)
    words = payload if cuts is None else cuts.paced(payload)
    outcome, opened = await reach(address, words, reader, opening=opening, timeout=timeout, want_local=want_local)
    return behind(opened, reader.answer(payload, outcome), outcome)


async def reach(
    address: Address,
    words: bytes | transport.Paced,
    reader: transport.Reader,
    *,
    opening: Opening | None,
    timeout: float,
    want_local: bool = False,
) -> tuple[transport.Outcome, Opened | None]:
    """``transport.exchange`` with ``address``, behind ``opening`` where there is one; and the reader that went through it."""
    if opening is None:
        return await transport.exchange(address, words, reader, timeout=timeout, want_local=want_local), None
    from tlswire.probe.opening import Opened  # noqa: PLC0415 - most scans begin with TLS

    opened = Opened(opening, reader, words)
    outcome = await transport.exchange(
        opening.address, opened.to_send(), opened, timeout=timeout, want_local=want_local
    )
    return outcome, opened


A = TypeVar("A", "Answer", "Conversation")


def behind(opened: Opened | None, answer: A, outcome: transport.Outcome) -> A:
    """What came back to the reader behind ``opened`` (None: there was no opening), or what became of that instead."""
    if opened is None:
        return answer
    transcript = opened.transcript()
    kind, reason = answer.kind, answer.reason
    if transcript.phase != "tls":
        reason = opened.explain(outcome)
        if opened.refusal or (transcript.phase == PROXY and kind in {REFUSED, UNREACHABLE}):
            kind = transcript.phase
    elif opened.instead:
        kind, reason = FAULT if opened.refusal else NOT_TLS, opened.instead
    sent = answer.sent if transcript.phase == "tls" else b""
    return msgspec.structs.replace(answer, kind=kind, reason=reason, sent=sent, opening=transcript)
