"""TCP conversations made here, segment by segment, and what is read of them: every number is chosen by the test."""

from __future__ import annotations

import io
import struct
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from captures.packets import ACK, FIN, PSH, RST, SYN, Packet, ethernet, ipv4, ipv6, pcap
from tests.lab.hellos import sslv2_wire
from tlswire.capture.reader import open_reading
from tlswire.capture.stretch import Stretch
from tlswire.hello.builder import Shape, client_hello, encode_client_hello
from tlswire.lab.actions import Send
from tlswire.lab.characters import character
from tlswire.lab.responder import Conversation
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Deframer, fragment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.results.session import Session

CLIENT, SERVER = 0, 1
NOW = 1_700_000_000
TLS12, TLS13 = 0x0303, 0x0304

_TCP = struct.Struct(">HHIIBBHHH")


class Wire:
    """The two ends of a TCP connection: offsets into what a side sends become sequence numbers.

    ``said`` counts what each side sent in order with ``say``; ``isn`` are the initial sequence numbers.
    """

    def __init__(
        self,
        client: str = "10.0.0.1",
        server: str = "192.0.2.1",
        ports: tuple[int, int] = (50000, 443),
        isn: tuple[int, int] = (1000, 5000),
    ) -> None:
        self.addresses = (client, server)
        self.ports = ports
        self.isn = isn
        self.said = [0, 0]

    def segment(self, side: int, at: int, data: bytes = b"", flags: int = ACK, ack: int | None = None) -> bytes:
        """The Ethernet frame of a segment at offset ``at`` of its side's bytes; ``ack`` counts those of the other."""
        ack = self.said[1 - side] if ack is None else ack
        seq = self.isn[side] + 1 + at - bool(flags & SYN)
        acknowledged = self.isn[1 - side] + 1 + ack if flags & ACK else 0
        tcp = _TCP.pack(
            self.ports[side], self.ports[1 - side], seq % 2**32, acknowledged % 2**32, 0x50, flags, 8192, 0, 0
        )
        make = ipv6 if ":" in self.addresses[0] else ipv4
        return ethernet(make(6, self.addresses[side], self.addresses[1 - side], tcp + data))

    def opening(self) -> list[bytes]:
        """The three-way handshake."""
        return [
            self.segment(CLIENT, 0, flags=SYN),
            self.segment(SERVER, 0, flags=SYN | ACK, ack=0),
            self.segment(CLIENT, 0, ack=0),
        ]

    def say(self, side: int, data: bytes, flags: int = PSH | ACK) -> bytes:
        """The next bytes of a side, in order."""
        frame = self.segment(side, self.said[side], data, flags)
        self.said[side] += len(data) + bool(flags & FIN)
        return frame

    def closing(self) -> list[bytes]:
        """FIN of both sides, and the last acknowledgement."""
        return [self.say(CLIENT, b"", FIN | ACK), self.say(SERVER, b"", FIN | ACK), self.segment(CLIENT, self.said[0])]

    def reset(self, side: int) -> bytes:
        """A RST of one side."""
        return self.segment(side, self.said[side], flags=RST | ACK)

    def talk(self, *turns: tuple[int, bytes], size: int = 1400) -> list[bytes]:
        """Each turn in segments of at most ``size`` bytes."""
        return [
            self.say(side, data[at : at + size]) for side, data in turns for at in range(0, len(data), size) if data
        ]


Turn = tuple[int, bytes]


class Read(NamedTuple):
    """What was read of a capture."""

    sessions: list[Session]
    flows: int
    evicted: int
    encrypted_only: int


def read(frames: Iterable[bytes], *, gap: float = 0.001, cut: int = 0) -> Read:
    """The sessions of these frames, ``gap`` seconds apart, each cut to ``cut`` bytes if given."""
    data = pcap(
        Packet(NOW * 10**9 + int(at * gap * 10**9), frame[: cut or None], len(frame)) for at, frame in enumerate(frames)
    )
    with open_reading(io.BytesIO(data)) as reading:
        found = [item.session for item in reading]
        return Read(found, reading.flows, reading.evicted, reading.encrypted_only)


def one(frames: Iterable[bytes], *, gap: float = 0.001, cut: int = 0) -> Session:
    """The only session of these frames."""
    (session,) = read(frames, gap=gap, cut=cut).sessions
    return session


def gist(session: Session) -> Session:
    """A session without what depends on how its bytes were packed: frame numbers."""
    return msgspec.structs.replace(
        session,
        first_frame=0,
        start=0.0,
        hellos=[msgspec.structs.replace(item, frame=0) for item in session.hellos],
        server_hellos=[msgspec.structs.replace(item, frame=0) for item in session.server_hellos],
        certificates=[msgspec.structs.replace(item, frame=0) for item in session.certificates],
        alerts=[msgspec.structs.replace(item, frame=0) for item in session.alerts],
        key_exchange=session.key_exchange and msgspec.structs.replace(session.key_exchange, frame=0),
        certificate_request=session.certificate_request
        and msgspec.structs.replace(session.certificate_request, frame=0),
    )


@cache
def hello(name: bytes = b"www.example.com", seed: int = 0, versions: tuple[int, ...] = (TLS12,)) -> bytes:
    """A ClientHello in its record; offering TLS 1.2 alone, so that the answer is in clear."""
    suites = (0xC02F,) if TLS13 not in versions else (0x1301, 0xC02F)
    return encode_client_hello(
        client_hello(versions, suites, rng=Random(seed), shape=Shape(name, groups=(0x001D, 0x0017)))
    )


@cache
def answer(to: bytes = b"") -> bytes:
    """The first flight of the lab's server: ServerHello, Certificate, ServerKeyExchange, ServerHelloDone."""
    actions = Conversation(character("modern")).receive(to or hello())
    return b"".join(action.data for action in actions if isinstance(action, Send))


def answer_records() -> list[bytes]:
    """The flight with each handshake message in a record of its own."""
    found = Deframer().feed(answer())
    return [
        fragment(HANDSHAKE, TLS12, bytes([item.type]) + len(item.body).to_bytes(3, "big") + item.body) for item in found
    ]


CHANGE = fragment(CHANGE_CIPHER_SPEC, TLS12, b"\1")
KEY_EXCHANGE = fragment(HANDSHAKE, TLS12, b"\x10\0\0\x21\x20" + bytes(range(32)))
FINISHED = fragment(HANDSHAKE, TLS12, bytes(range(0x80, 0xA8)))  # encrypted: 40 bytes that mean nothing
APPLICATION = fragment(APPLICATION_DATA, TLS12, bytes(range(200)))
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
SSLV2_HELLO = sslv2_wire((0x010080, 0x0700C0))
SSLV2_FRAMED = sslv2_wire((0x000035, 0x010080), 0x0301)


def turns(name: bytes = b"www.example.com") -> list[Turn]:
    """A whole TLS 1.2 handshake with its first application data."""
    first = hello(name)
    return [
        (CLIENT, first),
        (SERVER, answer(first)),
        (CLIENT, KEY_EXCHANGE + CHANGE + FINISHED),
        (SERVER, CHANGE + FINISHED),
        (CLIENT, APPLICATION),
        (SERVER, APPLICATION),
    ]


def whole(wire: Wire | None = None) -> list[bytes]:
    """The frames of that handshake, in order."""
    wire = wire or Wire()
    return [*wire.opening(), *wire.talk(*turns()), *wire.closing()]


class Packets:
    """Frames as the walk over a file gives them, one a tick; as many as come."""

    def __init__(self, frames: Iterable[bytes]) -> None:
        self._frames = frames
        self._stretch = Stretch()

    @property
    def frames(self) -> int:
        return self._stretch.frame

    def stretches(self) -> Iterator[Stretch]:
        for number, frame in enumerate(self._frames, 1):
            self._stretch.alone(frame, 0, number)
            yield self._stretch


def packets(frames: Iterable[bytes]) -> Any:
    return Packets(frames)
