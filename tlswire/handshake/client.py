"""One client connection, sans-IO: the hello out, records in and out, until both Finished are verified and the end.

What follows the ServerHello is the matter of ``tls12`` and ``tls13``; this module owns records, alerts, bounds and the
value that comes out. A subclass may do something else where a question needs it: ``enough`` is asked after every
message, ``established`` is called when both Finished are verified, ``heard`` for what comes afterwards, ``warned`` for
warning alerts. Peer faults end the conversation and are told in it; nothing is raised.
Sources: RFC 9846 sections 4, 5, 6 and appendix E.4; RFC 5246 section 7.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``crypto``, ``hello`` and the rest of
``handshake``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tlswire.crypto.records import RecordStream
from tlswire.errors import WireError
from tlswire.handshake.conversation import (
    ALERTED,
    FAULT,
    FINISHED,
    HELLO,
    NOT_TLS,
    Conversation,
    Session,
)
from tlswire.handshake.offer import EARLY_DATA, Offer, bound, encode
from tlswire.registry import CONTENT_TYPES, HANDSHAKE_TYPES
from tlswire.wire.cursor import escaped
from tlswire.wire.handshake import SERVER_HELLO, encode_handshake, parse_server_hello
from tlswire.wire.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    MAX_PLAINTEXT,
    Alert,
    Message,
    fragment,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tlswire.crypto.protection import Protection
    from tlswire.wire.messages import ServerHello

MAX_MESSAGE = 1 << 18
MAX_RECEIVED = 1 << 20
MAX_APPLICATION = 1 << 16
MAX_WARNINGS = 16
MAX_MESSAGES = 64
MAX_SENT = 1 << 18
# Seconds without a word after our last one: a server that has more to say (tickets, an answer) says it by then.
QUIET = 1.0

CLOSE_NOTIFY, UNEXPECTED_MESSAGE, ILLEGAL_PARAMETER, DECODE_ERROR, DECRYPT_ERROR = 0, 10, 47, 50, 51
USER_CANCELED = 90  # comes before close_notify (RFC 9846 section 6.1)
_ALERT_SIZE = 2
# Of a whole ServerHello to the alert of a reader that could not make sense of it.
_ALERT_OF_FAULT = DECODE_ERROR


class RefusedError(WireError):
    """A message that breaks the protocol, and the alert it deserves."""

    def __init__(self, reason: str, alert: int) -> None:
        super().__init__(reason)
        self.alert = alert


class UnsupportedError(WireError):
    """The handshake is in order, but cannot be completed here."""


class Flow(Protocol):
    """What a version makes of the messages behind its ServerHello."""

    def take(self, message: Message) -> None:
        """One handshake message or ChangeCipherSpec of the server. Raises WireError."""


class Client:
    """A TLS client for one connection; see the module's text.

    ``offer`` is what is said first; ``session`` is resumed when the hello offers it (``handshake.offer.resuming``);
    ``request`` is sent once both sides are finished, ``early_data`` behind the hello where the session allows it.
    ``records`` cuts the first hello into records. Without ``request`` the client says close_notify when it is done.
    """

    def __init__(
        self,
        offer: Offer,
        rng: Random,
        *,
        session: Session | None = None,
        request: bytes = b"",
        early_data: bytes = b"",
        records: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self.offer = offer
        self.hello = offer.hello if session is None else bound(offer.hello, session)
        self.rng = rng
        self.session = session
        self.request = request
        self.early = session is not None and self.hello.raw_extension(EARLY_DATA) is not None
        self.early_data = early_data if self.early else b""
        self.patience: float | None = None
        self.shown = Conversation(client_random=self.hello.random, offered=self.hello)
        self.fault: str | None = None
        self.transcript = bytearray()
        self.sealer: Protection | None = None
        self.stream = RecordStream(max_message=MAX_MESSAGE)
        self.flow: Flow | None = None
        self.record_version = min(self.hello.legacy_version, 0x0301)
        self.changed_cipher = False
        self.done = False
        self.secured = False  # once a handshake was complete: application data may come, another handshake or not
        self._records = records
        self._out = bytearray()
        self._received = bytearray()
        self._sent = bytearray()
        self._taken = 0

    @property
    def finished(self) -> bool:
        """Whether both Finished were verified."""
        return self.shown.stage == "finished"

    # What the connection asks for.

    def start(self) -> bytes:
        """The first bytes to send: the hello, and early data where there is some."""
        message = encode(self.hello)
        self.transcript += message
        self._out += self._records(message) if self._records else fragment(HANDSHAKE, self.record_version, message)
        if self.early and self.session is not None:
            from tlswire.handshake.tls13 import begin_early_data  # noqa: PLC0415 - only 0-RTT needs it

            begin_early_data(self, self.session)
        return self.to_send()

    def feed(self, data: bytes) -> bool:
        """Take bytes as they came; True when the conversation is over."""
        over = self.done
        if over:
            return True
        self._taken += len(data)
        self._received += data[: max(0, MAX_RECEIVED - len(self._received))]
        try:
            for message in self.stream.feed(data):
                self._take(message)
                if not self.done and self.enough():
                    self.end()
                if self.done:
                    break
            else:
                self._within_bounds()
        except UnsupportedError as error:
            self.shown.unchecked = str(error)
            self.end()
        except RefusedError as error:
            self.fail(error.reason, error.alert)
        except WireError as error:
            self.fail(str(error), _ALERT_OF_FAULT)
        return self.done

    def to_send(self) -> bytes:
        """What is to be sent now, each byte once."""
        out = bytes(self._out)
        self._out.clear()
        self._sent += out[: max(0, MAX_SENT - len(self._sent))]
        return out

    # What the flows and subclasses say.

    def send(self, content: int, data: bytes) -> None:
        """Queue ``data`` in records, protected once there are keys."""
        if self.sealer is None:
            self._out += fragment(content, self.record_version, data)
            return
        for at in range(0, len(data) or 1, MAX_PLAINTEXT):
            self._out += self.sealer.seal(content, data[at : at + MAX_PLAINTEXT])

    def send_raw(self, data: bytes) -> None:
        """Queue bytes as they are."""
        self._out += data

    def send_handshake(self, kind: int, body: bytes) -> None:
        """Queue a handshake message, which enters the transcript."""
        message = encode_handshake(kind, body)
        self.transcript += message
        self.send(HANDSHAKE, message)

    def finish(self) -> None:
        """Both Finished are verified: say what is to be said, and wait for what the server still has to say."""
        self.shown.stage = "finished"
        self.secured = True
        self.patience = QUIET
        self.established()

    def enough(self) -> bool:
        """Whether what was shown so far is all that is wanted: the client then ends, be the handshake complete or not."""
        return False

    def older_flow(self) -> Flow:
        """What goes on behind a ServerHello below TLS 1.3: a ``Tls12``, be it one that does something else."""
        from tlswire.handshake.tls12 import Tls12  # noqa: PLC0415 - one connection speaks one version

        return Tls12(self)

    def established(self) -> None:
        """What to do once the handshake is complete: the request, or close_notify at once."""
        if self.request:
            self.send(APPLICATION_DATA, self.request)
        else:
            self.end()

    def heard(self, message: Message) -> None:
        """A message of another content than the handshake's after it was completed."""
        if message.content == APPLICATION_DATA:
            shown = self.shown
            shown.application += message.body[: MAX_APPLICATION - len(shown.application)]
            if len(shown.application) == MAX_APPLICATION:
                self.done = True

    def warned(self, alert: Alert) -> None:
        """A warning came, which the conversation keeps already."""

    def end(self) -> None:
        """Say close_notify; the server may go on to its own, or close."""
        self.send(ALERT, bytes((1, CLOSE_NOTIFY)))
        self.patience = QUIET
        if self.shown.stage != "finished":
            self.done = True

    def fail(self, reason: str, alert: int) -> None:
        """The server broke a rule: say so to it, and end."""
        self.fault = reason
        self.send(ALERT, bytes((2, alert)))
        self.done = True

    # Messages.

    def _within_bounds(self) -> None:
        if self.stream.error is not None:
            raise self.stream.error
        if self._taken > MAX_RECEIVED + MAX_APPLICATION:
            raise RefusedError(f"{self._taken} bytes and no end; stopped reading", CLOSE_NOTIFY)

    def _take(self, message: Message) -> None:
        content = message.content
        if content == ALERT:
            self._alert(message.body)
        elif content == HANDSHAKE:
            self._handshake(message)
        elif content == CHANGE_CIPHER_SPEC and self.flow is not None:
            self.flow.take(message)
        elif self.secured:
            self.heard(message)
        else:
            raise RefusedError(f"{CONTENT_TYPES[content].name} record in the handshake", UNEXPECTED_MESSAGE)

    def _handshake(self, message: Message) -> None:
        shown = self.shown
        if len(shown.messages) < MAX_MESSAGES:
            shown.messages += (message,)
        elif shown.stage != "finished":
            raise RefusedError(f"more than {MAX_MESSAGES} handshake messages", UNEXPECTED_MESSAGE)
        if message.type == 0 and not message.body:
            return  # HelloRequest: RFC 5246 section 7.4.1.1 lets a client ignore it, and keeps it out of the hashes
        if self.flow is not None:
            self.flow.take(message)
            return
        if message.type != SERVER_HELLO:
            name = HANDSHAKE_TYPES[message.type].name
            raise RefusedError(f"handshake message {name} where a ServerHello belongs", UNEXPECTED_MESSAGE)
        hello = parse_server_hello(message.body, message.offset + 4)
        self.flow = self._choose(hello)
        self.flow.take(message)

    def _choose(self, hello: ServerHello) -> Flow:
        from tlswire.handshake.tls13 import Tls13  # noqa: PLC0415 - one connection speaks one version

        if hello.version not in self.hello.versions and hello.version > self.hello.legacy_version:
            self.shown.hello = hello
            raise RefusedError(f"answers version 0x{hello.version:04X} that was not offered", ILLEGAL_PARAMETER)
        if hello.version >= 0x0304:
            return Tls13(self)
        if not self.secured:
            self.sealer = None  # 0-RTT data that was sent all the same is lost (RFC 9846 appendix E.3)
        return self.older_flow()

    def _alert(self, body: bytes) -> None:
        if len(body) != _ALERT_SIZE:
            raise RefusedError(f"alert of {len(body)} bytes", DECODE_ERROR)
        alert = Alert(body[0], body[1])
        shown = self.shown
        if alert.description == CLOSE_NOTIFY:
            self.done = True
        elif alert.fatal or (shown.version >= 0x0304 and alert.description != USER_CANCELED):
            # RFC 9846 section 6: every other alert of TLS 1.3 is fatal, whatever its level says.
            shown.alert, shown.alert_encrypted = alert, self.stream.protected
            self.done = True
        else:
            shown.warnings += (alert,)
            self.warned(alert)
            if len(shown.warnings) > MAX_WARNINGS:
                raise RefusedError(f"more than {MAX_WARNINGS} warning alerts", UNEXPECTED_MESSAGE)

    # What comes out.

    def conversation(
        self,
        ending: str,
        *,
        reason: str = "",
        connected: bool = True,
        started: float = 0.0,
        elapsed: float = 0.0,
        local: tuple[str, int] = ("", 0),
    ) -> Conversation:
        """The value of all that was shown, given how the connection ended."""
        shown = self.shown
        shown.kind, shown.ending, shown.reason = ending, ending, reason
        if self.fault is not None:
            error = self.stream.error
            alien = error is not None and error.path == "record.type" and not shown.messages
            told = (NOT_TLS, _describe(self._received)) if alien else (FAULT, self.fault)
            shown.kind, shown.reason = told
        elif shown.alert is not None:
            shown.kind = ALERTED
        elif shown.stage == "finished":
            shown.kind = FINISHED
        elif shown.hello is not None or shown.retry is not None:
            shown.kind = HELLO
        shown.sent, shown.received = bytes(self._sent), bytes(self._received)
        shown.connected, shown.started, shown.elapsed, shown.local = connected, started, elapsed, local
        return shown


class Brief(Client):
    """Ends once both Finished are verified: for who has seen enough by then, and does not wait for tickets."""

    def established(self) -> None:
        """Say close_notify and go."""
        self.end()
        self.done = True


def _describe(received: bytearray) -> str:
    return f"does not speak TLS: {escaped(bytes(received[:48]))}"
