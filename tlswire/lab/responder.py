"""The responder without I/O: bytes of one client in, actions out; what it does follows from character and seed.

``respond`` answers one ClientHello, ``Conversation`` a whole connection: a handshake, one request, close_notify. What
follows the ServerHello is the matter of ``lab.tls12`` and ``lab.tls13``. Sources: RFC 9846 sections 4.2.4, 5 and 6, RFC
5246 section 7.2. Must not import anything of tlswire but ``errors``, ``registry``, ``wire`` and the rest of ``lab`` but
``server``.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from tlswire.errors import WireError
from tlswire.lab import edges, flaws, flights, misbehaviour, tls12, tls13
from tlswire.lab.actions import Action, Close, Die, Hold, Reset, Send, Wait
from tlswire.lab.characters import SSLV2, TLS12, TLS13, Character
from tlswire.lab.line import Line
from tlswire.lab.lookalike import LookAlike
from tlswire.lab.negotiation import Choice, Refusal, negotiate
from tlswire.lab.refusals import (
    BAD_RECORD_MAC,
    DECODE_ERROR,
    FATAL,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    PROTOCOL_VERSION,
    RECORD_OVERFLOW,
    UNEXPECTED_MESSAGE,
    UNRECOGNIZED_NAME,
    WARNING,
    RefusedError,
)
from tlswire.lab.sessions import Sessions
from tlswire.wire import sslv2
from tlswire.wire.handshake import CLIENT_HELLO, CLIENT_HELLO_BODY, encode_handshake, parse_client_hello
from tlswire.wire.messages import ClientHello
from tlswire.wire.primitives import build
from tlswire.wire.records import (
    ALERT,
    ALERT_BODY,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEARTBEAT,
    Alert,
    Message,
    sslv2_record,
)
from tlswire.wire.records import SSLV2 as SSLV2_RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.lab.line import Flow

_ALERT_SIZE = 2
# What may be said and changes nothing: user_canceled, no_renegotiation, unrecognized_name (RFC 6066 section 3).
_WARNINGS = frozenset({90, 100, UNRECOGNIZED_NAME})


def greet(character: Character, ordinal: int, recent: int) -> list[Action]:
    """What happens at accept, before the client has said anything; empty for a server that listens.

    ``ordinal`` counts the connections of the server, ``recent`` those of the last second, both with this one.
    """
    quirks = character.quirks
    if quirks.instead == "close":
        return [Close()]
    if quirks.connections_a_second and recent > quirks.connections_a_second:
        return [Reset()]
    if quirks.instead == "mute" or (quirks.connections_served and ordinal > quirks.connections_served):
        return [Hold()]
    return []


def respond(character: Character, hello: ClientHello, *, seed: int = 0, wire_size: int = 0) -> list[Action]:
    """The answer to a ClientHello; ``wire_size`` is its size with record headers.

    The same hello and seed give the same bytes, but for the answers to ML-KEM shares (``crypto.shares``).
    """
    return Conversation(character, seed).answer(
        hello, encode_handshake(CLIENT_HELLO, build(CLIENT_HELLO_BODY, hello)), wire_size
    )


def respond_sslv2(character: Character, hello: sslv2.SSLv2ClientHello, *, seed: int = 0) -> list[Action]:
    """The answer to an SSLv2 CLIENT-HELLO of version 2: a SERVER-HELLO with the common kinds, or an ERROR."""
    common = [kind for kind in character.suites.get(SSLV2, ()) if kind in hello.kinds]
    if not common:
        error = bytes([sslv2.ERROR]) + build(sslv2.SSLV2_BODIES[sslv2.ERROR], sslv2.SSLv2Error(1))
        return [Send(sslv2_record(error)), Close()]
    rng = random.Random(f"{seed} {hello.challenge.hex()} {hello.kinds}")
    return [Send(sslv2_record(flights.sslv2_server_hello(tuple(common), rng)))]


_REFUSALS: dict[str, Callable[[Callable[..., bytes], bytes], list[Action]]] = {
    "alert": lambda records, body: [Send(records(ALERT, body)), Close()],
    "fragmented-alert": lambda records, body: [Send(records(ALERT, body, size=1)), Close()],
    "close": lambda _, __: [Close()],
    "reset": lambda _, __: [Reset()],
    "silence": lambda _, __: [Hold()],
}


class Conversation:
    """One connection: ``receive`` takes what the client sent and returns what to do about it.

    ``sessions`` are those of the server, shared by its connections. Memory is bounded by the RecordStream; after an
    action that ends the connection nothing is read any more.
    """

    def __init__(self, character: Character, seed: int = 0, sessions: Sessions | None = None) -> None:
        self._character = character
        self._seed = seed
        self._line = Line(character, sessions or Sessions())
        self._flow: Flow | None = None
        self._received = 0
        self._retry: Choice | None = None
        self._asked = 0  # HelloRetryRequests said
        self._version = 0
        self._skippable = 0  # bytes of application data that may stand before the second hello
        self._ended = False

    def receive(self, data: bytes) -> list[Action]:
        """The actions that ``data`` causes."""
        if self._ended:
            return []
        self._received += len(data)
        actions = []
        for action in self._actions(data):
            actions.append(action)
            if isinstance(action, Close | Reset | Hold | Die):
                self._ended = True
                break
        return actions

    def _actions(self, data: bytes) -> Iterator[Action]:
        instead = misbehaviour.TO_ANYTHING.get(self._character.quirks.instead)
        if instead is not None:
            yield from instead()
            return
        for message in self._line.stream.feed(data):
            yield from self._guarded(self._take, message)
        error = self._line.stream.error
        if error is not None:
            yield from self._refuse(*_alert_of(error))
        elif self._line.edge == "one-segment" and self._flow is None and self._line.stream.pending:
            yield from self._refuse(DECODE_ERROR)

    def _guarded(self, work: Callable[..., None], *arguments: Any) -> list[Action]:
        """What ``work`` said, and the refusal it ended with."""
        try:
            work(*arguments)
        except WireError as error:
            return self._line.actions() + self._refuse(*_alert_of(error))
        return self._line.actions()

    def _refuse(self, alert: int, refusal: str = "") -> list[Action]:
        """How the character says no: a fatal alert and FIN, unless a quirk has it otherwise."""
        body = build(ALERT_BODY, Alert(FATAL, edges.alert(self._line.edge, alert)))
        return _REFUSALS[refusal or self._character.quirks.refusal](self._line.records, body)

    def _take(self, message: Message) -> None:
        line, content = self._line, message.content
        first = message.type == CLIENT_HELLO and self._flow is None
        if content == ALERT:
            self._take_alert(message.body)
        elif content == HEARTBEAT:
            line.take_heartbeat(message.body)
        elif content == SSLV2_RECORD:
            if first:
                self._sslv2_hello(message)
            else:
                line.act(Close())
        elif content == HANDSHAKE and (first or self._renegotiates(message)):
            self._client_hello(message)
        elif self._flow is not None:
            self._flow.take(message)
        elif self._takes_change(message):
            pass
        elif content == APPLICATION_DATA and len(message.body) <= self._skippable:
            self._skippable -= len(message.body)  # RFC 9846 section 4.3.10: 0-RTT data behind the first hello
        else:
            raise RefusedError(UNEXPECTED_MESSAGE)

    def _takes_change(self, message: Message) -> bool:
        """RFC 9846 appendix E.4: a ChangeCipherSpec stands before the second hello, and before no first one."""
        due = self._retry is not None or self._line.edge == "early-change"
        return due and message.content == CHANGE_CIPHER_SPEC and message.body == b"\x01"

    def _client_hello(self, message: Message) -> None:
        line, edge, body = self._line, self._line.edge, message.body
        encoded = encode_handshake(CLIENT_HELLO, body)
        # RFC 9846 section 5.1: keys change behind it, so that its record ends with it.
        if not line.stream.aligned:
            raise RefusedError(UNEXPECTED_MESSAGE)
        if edges.dies_of(edge, body):
            line.act(Die())
        elif edges.swallows(edge, len(encoded), split=line.stream.position > message.offset + len(encoded)):
            line.act(Hold())
        elif edge == "refuses-record-0303" and message.version == TLS12 and self._retry is None:
            raise RefusedError(PROTOCOL_VERSION)
        else:
            self._hello(parse_client_hello(edges.mended(edge, body)), encoded)

    def _take_alert(self, body: bytes) -> None:
        # RFC 9846 section 6: an error alert is one whatever its level. So is what is encrypted and nobody reads.
        if len(body) != _ALERT_SIZE or Alert(*body).fatal or body[1] not in _WARNINGS:
            self._line.say_goodbye()

    def _renegotiates(self, message: Message) -> bool:
        """Whether this hello begins another handshake inside the connection, which the character takes part in."""
        begins = message.type == CLIENT_HELLO and self._line.established and self._version < TLS13
        return begins and self._character.quirks.renegotiates

    def _sslv2_hello(self, message: Message) -> None:
        hello = sslv2.parse_sslv2_client_hello(message.body)
        if SSLV2 not in self._character.suites:
            raise RefusedError(PROTOCOL_VERSION)
        if hello.version == SSLV2:
            self._flow = LookAlike(self._line)
            self._line.act(*respond_sslv2(self._character, hello, seed=self._seed))
            return
        # RFC 5246 appendix E.2: the challenge is the end of the random, and the message without its length is hashed.
        random_bytes = hello.challenge[-32:].rjust(32, b"\x00")
        value = ClientHello(hello.version, random_bytes, b"", hello.suites, (0,))
        self._hello(value, bytes((message.type,)) + message.body)

    def answer(self, hello: ClientHello, encoded: bytes, wire_size: int = 0) -> list[Action]:
        """The actions that a hello causes; ``encoded`` is its message, ``wire_size`` its size with record headers."""
        self._received = wire_size
        return self._guarded(self._hello, hello, encoded)

    def _hello(self, hello: ClientHello, encoded: bytes) -> None:
        line, quirks = self._line, self._character.quirks
        size, self._received = self._received, 0
        if quirks.wire_limit and size > quirks.wire_limit:
            line.act(Hold())
            return
        if quirks.suite_limit and len(hello.suites) > quirks.suite_limit:
            line.act(Close())
            return
        if quirks.instead in misbehaviour.TO_HELLO:
            line.act(*misbehaviour.TO_HELLO[quirks.instead]())
            return
        if quirks.delay:
            line.act(Wait(quirks.delay))
        self._decide(hello, encoded)

    def _decide(self, hello: ClientHello, encoded: bytes) -> None:
        line, asked, character = self._line, self._retry, self._character
        line.version = min(max(hello.legacy_version, 0x0300), TLS12)
        decision = negotiate(character, hello, None if asked is None else asked.group)
        if isinstance(decision, Refusal):
            raise RefusedError(decision.alert)
        if line.established and decision.version != self._version:
            raise RefusedError(HANDSHAKE_FAILURE)
        if asked is not None and not _repeats(asked, decision, hello):
            raise RefusedError(ILLEGAL_PARAMETER)
        if character.quirks.warns_of_name and asked is None:
            line.send(ALERT, build(ALERT_BODY, Alert(WARNING, UNRECOGNIZED_NAME)))
        # What comes again is answered with other keys, and each time with the same by the same seed.
        drawn_for = b"" if character.quirks.stale else line.sessions.times(encoded).to_bytes(4) + encoded
        rng = random.Random(f"{self._seed} ".encode() + drawn_for)
        self._version = decision.version
        line.version = min(decision.version, TLS12)
        line.transcript[:] = line.transcript + encoded if asked is not None else encoded
        if decision.retry or edges.asks_again(line.edge, self._asked):
            self._retry = decision
            self._asked += 1
            self._skippable = tls13.FORGIVEN if tls13.EARLY_DATA in hello.extension_types else 0
            tls13.ask_again(line, hello, decision)
        elif decision.version == TLS13:
            self._flow = tls13.begin(line, hello, decision, rng, retried=asked is not None)
        else:
            self._flow = tls12.begin(line, hello, decision, rng)
        if character.quirks.pace:
            line.drip(character.quirks.pace)


def _alert_of(error: WireError) -> tuple[int, str]:
    """The alert that a fault of records, or of a message, deserves, and how it is said if not in the usual way."""
    if isinstance(error, RefusedError):
        return error.alert, error.refusal
    if error.path == "record.protected":
        if "in clear" in error.reason:
            return UNEXPECTED_MESSAGE, ""  # RFC 9846 section 5: a record type that may not be there
        return RECORD_OVERFLOW if "2^14" in error.reason else BAD_RECORD_MAC, ""
    return _OF_PATHS.get(error.path, (DECODE_ERROR, ""))


_OF_PATHS = {"key_exchange": (ILLEGAL_PARAMETER, ""), "record.type": (UNEXPECTED_MESSAGE, "")} | flaws.REFUSALS


def _repeats(asked: Choice, decision: Choice, hello: ClientHello) -> bool:
    """Whether the second hello keeps what the HelloRetryRequest had settled (RFC 9846 section 4.2.2)."""
    # 42 and 44: early_data must go, and a cookie was never given.
    settled = (asked.version, asked.suite) == (decision.version, decision.suite)
    return settled and not {42, 44}.intersection(hello.extension_types)
