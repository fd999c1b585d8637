"""The responder without I/O: bytes of one client in, actions out; what it does follows from character and seed.

``respond`` answers one ClientHello, ``Conversation`` a whole connection up to the second flight, where it gives up:
the lab has no keys to finish a handshake with. Sources: RFC 9846 sections 4.1.4, 5 and 6, RFC 5246 section 7.2.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire`` and the rest of ``lab`` but ``server``.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar

from tlswire.errors import WireError
from tlswire.lab import flights, misbehaviour
from tlswire.lab.actions import Action, Close, Hold, Reset, Send, Wait
from tlswire.lab.characters import SSLV2, TLS12, Character
from tlswire.lab.negotiation import (
    DECODE_ERROR,
    ILLEGAL_PARAMETER,
    PROTOCOL_VERSION,
    UNEXPECTED_MESSAGE,
    UNRECOGNIZED_NAME,
    Choice,
    Refusal,
    negotiate,
)
from tlswire.wire import sslv2
from tlswire.wire.handshake import CLIENT_HELLO, parse_client_hello
from tlswire.wire.messages import ClientHello
from tlswire.wire.primitives import build
from tlswire.wire.records import (
    ALERT,
    ALERT_BODY,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    Alert,
    Deframer,
    Message,
    fragment,
    sslv2_record,
)
from tlswire.wire.records import SSLV2 as SSLV2_RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DECRYPT_ERROR = 51
_WARNING, _FATAL = 1, 2
_ALERT_SIZE = 2

# What a client sends in clear after ServerHelloDone: Certificate, CertificateVerify, ClientKeyExchange.
_SECOND_FLIGHT = frozenset({11, 15, 16})


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


def respond(
    character: Character, hello: ClientHello, *, seed: int = 0, wire_size: int = 0, retried: int | None = None
) -> list[Action]:
    """The answer to a ClientHello.

    ``wire_size`` is its size with record headers, ``retried`` the group an earlier HelloRetryRequest asked for.
    The same hello and seed give the same bytes.
    """
    return _respond(character, hello, seed, wire_size, retried)[0]


def _respond(
    character: Character, hello: ClientHello, seed: int, wire_size: int, retried: int | None
) -> tuple[list[Action], Choice | Refusal | None]:
    """As ``respond``, and what was decided (None when it did not come to that)."""
    quirks = character.quirks
    if quirks.wire_limit and wire_size > quirks.wire_limit:
        return [Hold()], None
    if quirks.suite_limit and len(hello.suites) > quirks.suite_limit:
        return [Close()], None
    if quirks.instead in misbehaviour.TO_HELLO:
        return misbehaviour.TO_HELLO[quirks.instead](), None
    decision = negotiate(character, hello, retried)
    version = min(max(hello.legacy_version, 0x0300), TLS12)
    before: list[Action] = [Wait(quirks.delay)] if quirks.delay else []
    if isinstance(decision, Refusal):
        return before + refuse(character, decision.alert, version), decision
    if quirks.warns_of_name and retried is None:
        before.append(Send(_alert(UNRECOGNIZED_NAME, version, level=_WARNING)))
    rng = random.Random(f"{seed} {hello.random.hex()} {hello.suites} {hello.key_shares}")
    return before + _flight(character, hello, decision, rng), decision


def _flight(character: Character, hello: ClientHello, choice: Choice, rng: random.Random) -> list[Action]:
    quirks = character.quirks
    answer = flights.server_hello(character, hello, choice, rng)
    if quirks.instead in misbehaviour.TO_CHOICE:
        return misbehaviour.TO_CHOICE[quirks.instead](flights.encode_server_hello(answer))
    if quirks.unoffered == "version":
        wrong = misbehaviour.with_unoffered_version(hello, answer)
        return [Send(fragment(HANDSHAKE, TLS12, flights.encode_server_hello(wrong)))]
    if quirks.unoffered == "extension" and not choice.retry:
        answer = misbehaviour.with_unoffered_extension(hello, answer)
    data = flights.first_flight(character, hello, choice, answer, rng)
    if not quirks.pace:
        return [Send(data)]
    return [step for byte in data for step in (Send(bytes([byte])), Wait(quirks.pace))]


def respond_sslv2(character: Character, hello: sslv2.SSLv2ClientHello, *, seed: int = 0) -> list[Action]:
    """The answer to an SSLv2 CLIENT-HELLO of version 2: a SERVER-HELLO with the common kinds, or an ERROR."""
    common = [kind for kind in character.suites.get(SSLV2, ()) if kind in hello.kinds]
    if not common:
        error = bytes([sslv2.ERROR]) + build(sslv2.SSLV2_BODIES[sslv2.ERROR], sslv2.SSLv2Error(1))
        return [Send(sslv2_record(error)), Close()]
    rng = random.Random(f"{seed} {hello.challenge.hex()} {hello.kinds}")
    return [Send(sslv2_record(flights.sslv2_server_hello(tuple(common), rng)))]


def refuse(character: Character, alert: int, version: int = TLS12) -> list[Action]:
    """How the character says no: a fatal alert and FIN, unless a quirk has it otherwise."""
    return _REFUSALS[character.quirks.refusal](_body(alert, _FATAL), version)


def _body(description: int, level: int) -> bytes:
    return build(ALERT_BODY, Alert(level, description))


def _alert(description: int, version: int, level: int) -> bytes:
    return fragment(ALERT, version, _body(description, level))


_REFUSALS: dict[str, Callable[[bytes, int], list[Action]]] = {
    "alert": lambda body, version: [Send(fragment(ALERT, version, body)), Close()],
    "fragmented-alert": lambda body, version: [Send(fragment(ALERT, version, body, size=1)), Close()],
    "close": lambda _, __: [Close()],
    "reset": lambda _, __: [Reset()],
    "silence": lambda _, __: [Hold()],
}


class Conversation:
    """One connection: ``receive`` takes what the client sent and returns what to do about it.

    Memory is bounded by the Deframer; after an action that ends the connection nothing is read any more.
    """

    def __init__(self, character: Character, seed: int = 0) -> None:
        self._character = character
        self._seed = seed
        self._deframer = Deframer()
        self._received = 0
        self._retry: Choice | None = None
        self._answered = False
        self._version = TLS12
        self._ended = False

    def receive(self, data: bytes) -> list[Action]:
        """The actions that ``data`` causes."""
        if self._ended:
            return []
        self._received += len(data)
        actions = []
        for action in self._actions(data):
            actions.append(action)
            if isinstance(action, Close | Reset | Hold):
                self._ended = True
                break
        return actions

    def _actions(self, data: bytes) -> Iterator[Action]:
        instead = misbehaviour.TO_ANYTHING.get(self._character.quirks.instead)
        if instead is not None:
            yield from instead()
            return
        for message in self._deframer.feed(data):
            yield from self._message(message)
        if self._deframer.error is not None:
            yield from self._refuse(DECODE_ERROR if self._deframer.records else UNEXPECTED_MESSAGE)

    def _refuse(self, alert: int) -> list[Action]:
        return refuse(self._character, alert, self._version)

    def _message(self, message: Message) -> list[Action]:
        if message.content == ALERT:
            # A warning in clear changes nothing; anything else, encrypted ones included, is the client's goodbye.
            return [] if len(message.body) == _ALERT_SIZE and not Alert(*message.body).fatal else [Close()]
        if not self._answered and message.type == CLIENT_HELLO and message.content in self._READERS:
            try:
                return self._READERS[message.content](self, message)
            except WireError:
                return self._refuse(DECODE_ERROR)
        if message.content == CHANGE_CIPHER_SPEC and self._retry is not None and not self._answered:
            return []  # RFC 9846 appendix E.4: it stands before the second hello
        if self._answered and message.content == HANDSHAKE and message.type in _SECOND_FLIGHT:
            return []
        if message.content == SSLV2_RECORD:
            return [Close()]
        encrypted = self._answered and message.content in {CHANGE_CIPHER_SPEC, APPLICATION_DATA}
        return self._refuse(DECRYPT_ERROR if encrypted else UNEXPECTED_MESSAGE)

    def _read_hello(self, message: Message) -> list[Action]:
        return self._hello(parse_client_hello(message.body))

    def _read_sslv2_hello(self, message: Message) -> list[Action]:
        hello = sslv2.parse_sslv2_client_hello(message.body)
        if SSLV2 not in self._character.suites:
            return self._refuse(PROTOCOL_VERSION)
        if hello.version == SSLV2:
            self._answered = True
            return respond_sslv2(self._character, hello, seed=self._seed)
        # RFC 5246 appendix E.2: the challenge is the end of the random.
        random_bytes = hello.challenge[-32:].rjust(32, b"\x00")
        return self._hello(ClientHello(hello.version, random_bytes, b"", hello.suites, (0,)))

    _READERS: ClassVar[dict[int, Callable[[Conversation, Message], list[Action]]]] = {
        HANDSHAKE: _read_hello,
        SSLV2_RECORD: _read_sslv2_hello,
    }

    def _hello(self, hello: ClientHello) -> list[Action]:
        asked = self._retry
        retried = None if asked is None else asked.group
        actions, decision = _respond(self._character, hello, self._seed, self._received, retried)
        self._received = 0
        if isinstance(decision, Choice):
            self._version = min(decision.version, TLS12)
        if isinstance(decision, Choice) and asked is not None and not _repeats(asked, decision, hello):
            return self._refuse(ILLEGAL_PARAMETER)
        if isinstance(decision, Choice) and decision.retry:
            self._retry = decision
        else:
            self._answered = True
        return actions


def _repeats(asked: Choice, decision: Choice, hello: ClientHello) -> bool:
    """Whether the second hello keeps what the HelloRetryRequest had settled (RFC 9846 section 4.1.2)."""
    # 42 and 44: early_data must go, and a cookie was never given.
    settled = (asked.version, asked.suite) == (decision.version, decision.suite)
    return settled and not {42, 44}.intersection(hello.extension_types)
