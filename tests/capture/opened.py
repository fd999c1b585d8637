"""Recordings with their key logs taken apart, and TLS 1.3 connections under secrets that the test chooses."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import tlswire
from captures.packets import Packet, Segment, frames, pcap, recorded, segments
from tlswire.crypto.keylog import KeyLog, format_line, parse_keylog
from tlswire.crypto.protection import Protection, protection13
from tlswire.wire.handshake import encode_handshake
from tlswire.wire.records import APPLICATION_DATA, HANDSHAKE, Deframer, fragment

from .made import CLIENT, SERVER, Wire, hello

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.results.session import Session

RECORDED = Path(__file__).parents[2] / "captures" / "recorded"
PORT = 4433
SUITE = 0x1301


class Recording(NamedTuple):
    """A recording: the segments of each connection in turn, and its key log."""

    connections: list[list[Segment]]
    log: KeyLog

    def secrets(self, number: int) -> dict[str, bytes]:
        """Those of one connection by label."""
        return dict(self.log.of(self.random(number)))

    def random(self, number: int) -> bytes:
        """The client's of one connection."""
        first = next(item.payload for item in self.connections[number] if item.payload and item.dport == PORT)
        return Deframer().feed(first)[0].body[2:34]


@cache
def recording(name: str) -> Recording:
    """A recording over TCP."""
    found: dict[int, list[Segment]] = {}
    for item in segments(recorded(name)):
        found.setdefault(item.sport if item.dport == PORT else item.dport, []).append(item)
    return Recording(list(found.values()), parse_keylog((RECORDED / f"{name}.keys").read_bytes()))


def keylog(*logs: tuple[bytes, dict[str, bytes]]) -> str:
    """The text of a key log: secrets by label of each client random."""
    return "".join(format_line(label, random, secret) for random, known in logs for label, secret in known.items())


def read(packets: Iterable[Packet], log: KeyLog | str) -> list[Session]:
    """The sessions of packets."""
    return list(tlswire.sessions(io.BytesIO(pcap(packets)), keylog=log))


def one(chain: Iterable[Segment], log: KeyLog | str) -> Session:
    """The session of a connection's segments."""
    (session,) = read(frames(chain), log)
    return session


def with_extension(message: bytes, kind: int) -> bytes:
    """A ClientHello in one record with one more extension, which is empty."""
    body = message[9:]
    at = 35 + body[34]
    at += 2 + int.from_bytes(body[at : at + 2], "big")
    at += 1 + body[at]
    listed = body[at + 2 :] + kind.to_bytes(2, "big") + b"\0\0"
    return fragment(HANDSHAKE, 0x0301, encode_handshake(1, body[:at] + len(listed).to_bytes(2, "big") + listed))


class Talk:
    """A connection of TLS 1.3 whose secrets are four numbers: what each side says, in frames.

    ``say`` protects a record under the keys of the side, ``plain`` sends bytes as they are. ``early`` says that the hello
    offers early data, of which ``before`` are the records; ``hidden`` protects what else of it there is.
    """

    def __init__(self, *, early: bool = False, before: Iterable[bytes] = ()) -> None:
        self.wire = Wire()
        self.frames = self.wire.opening()
        first = hello(versions=(0x0304, 0x0303))
        if early:
            first = with_extension(first, 0x002A)
        self.random = Deframer().feed(first)[0].body[2:34]
        self.secrets = {
            label: bytes((number,)) * 32
            for number, label in enumerate(
                (
                    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                    "CLIENT_TRAFFIC_SECRET_0",
                    "SERVER_TRAFFIC_SECRET_0",
                )
            )
        }
        self.keys: list[Protection] = []
        self.change(CLIENT, "CLIENT_HANDSHAKE_TRAFFIC_SECRET")
        self.change(SERVER, "SERVER_HANDSHAKE_TRAFFIC_SECRET")
        self.plain(CLIENT, first)
        self.hidden = protection13(SUITE, b"the early secret of that hello..")
        for data in before:
            self.plain(CLIENT, self.hidden.seal(APPLICATION_DATA, data))
        versions = b"\x00\x2b\x00\x02\x03\x04"
        share = b"\x00\x33\x00\x24\x00\x1d\x00\x20" + bytes(range(32))
        body = b"\x03\x03" + bytes(range(32)) + b"\0" + SUITE.to_bytes(2, "big") + b"\0"
        body += len(versions + share).to_bytes(2, "big") + versions + share
        self.plain(SERVER, fragment(HANDSHAKE, 0x0303, encode_handshake(2, body)))

    def change(self, side: int, label: str) -> None:
        """New keys for a side, under a secret of the log."""
        self.keys[side : side + 1] = [protection13(SUITE, self.secrets[label])]

    def plain(self, side: int, data: bytes) -> None:
        """Bytes as they are."""
        self.frames += self.wire.talk((side, data))

    def say(self, side: int, content: int, data: bytes) -> None:
        """A protected record."""
        self.plain(side, self.keys[side].seal(content, data))

    def finish(self, side: int) -> None:
        """A Finished, and the keys of what follows it."""
        self.say(side, HANDSHAKE, encode_handshake(20, bytes(32)))
        self.change(side, ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0")[side])

    def session(self, *without: str) -> Session:
        """What is read of it, ``without`` some secrets."""
        known = {label: secret for label, secret in self.secrets.items() if label not in without}
        packets = [Packet(at * 10**6, frame, len(frame)) for at, frame in enumerate(self.frames)]
        (session,) = read(packets, keylog((self.random, known)))
        return session
