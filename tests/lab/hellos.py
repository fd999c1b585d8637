"""Small hand-made hellos over ``tlswire.wire``, and a blocking client that sends one and reads what comes back."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.wire import sslv2
from tlswire.wire.extension_bodies import KeyShareEntry, ServerName
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import CLIENT_HELLO, CLIENT_HELLO_BODY, encode_handshake, parse_server_hello
from tlswire.wire.messages import ClientHello, Extension, ServerHello
from tlswire.wire.primitives import build
from tlswire.wire.records import ALERT, HANDSHAKE, Deframer, Message, fragment, sslv2_record

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUPS = (0x11EC, 0x001D, 0x0017, 0x0018, 0x0100)
SCHEMES = (0x0403, 0x0401, 0x0804, 0x0503, 0x0501, 0x0601, 0x0402, 0x0201, 0x0202, 0x0203)
P256 = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
SHARES = (KeyShareEntry(0x001D, bytes([9]) + bytes(31)), KeyShareEntry(0x0017, P256))
ABSENT: Any = object()


def client_hello(version: int, suites: Iterable[int], **extensions: Any) -> ClientHello:
    """A hello for one version; keyword ``e43=value`` replaces or adds an extension by its number, ABSENT removes it."""
    values: dict[int, Any] = {10: GROUPS, 11: (0,), 13: SCHEMES, 23: None, 0xFF01: b""}
    if version == 0x0304:
        values |= {43: (0x0304,), 51: SHARES}
    values |= {int(name[1:]): value for name, value in extensions.items()}
    return ClientHello(
        legacy_version=min(version, 0x0303),
        random=bytes(range(32)),
        session_id=bytes(range(32, 64)) if version == 0x0304 else b"",
        suites=tuple(suites),
        compression=(0,),
        extensions=tuple(
            Extension(code, encode_extension(code, value)) for code, value in values.items() if value is not ABSENT
        )
        if version > 0x0300
        else None,
    )


def named(hello: ClientHello, name: bytes) -> ClientHello:
    """The hello with a server_name."""
    extension = Extension(0, encode_extension(0, (ServerName(0, name),)))
    return msgspec.structs.replace(hello, extensions=(extension, *(hello.extensions or ())))


def wire(hello: ClientHello) -> bytes:
    """The hello in records."""
    return fragment(HANDSHAKE, 0x0301, encode_handshake(CLIENT_HELLO, build(CLIENT_HELLO_BODY, hello)))


def sslv2_wire(kinds: Iterable[int], version: int = 0x0002) -> bytes:
    """An SSLv2 CLIENT-HELLO in its record."""
    value = sslv2.SSLv2ClientHello(version, tuple(kinds), b"", bytes(range(16)))
    return sslv2_record(bytes([sslv2.CLIENT_HELLO]) + build(sslv2.SSLV2_BODIES[sslv2.CLIENT_HELLO], value))


class Answer(msgspec.Struct, frozen=True):
    """What came back: the raw bytes, their messages, the framing error, and how it ended (fin, reset, timeout)."""

    data: bytes
    messages: list[Message]
    error: str
    end: str

    @property
    def hello(self) -> ServerHello | None:
        """The ServerHello, None when there is none in clear."""
        found = (message for message in self.messages if (message.content, message.type) == (HANDSHAKE, 2))
        return next((parse_server_hello(message.body) for message in found), None)

    @property
    def alerts(self) -> list[tuple[int, int]]:
        """Level and description of each alert in clear."""
        return [(message.body[0], message.body[1]) for message in self.messages if message.content == ALERT]

    @property
    def types(self) -> list[int]:
        """Handshake types in order."""
        return [message.type for message in self.messages if message.content == HANDSHAKE]


def ask(port: int, data: bytes, *, patience: float = 0.25, most: int = 1 << 20) -> Answer:
    """Send ``data``, read until the end, silence of ``patience`` seconds, or ``most`` bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        return converse(connection, data, patience=patience, most=most)


def converse(connection: socket.socket, data: bytes, *, patience: float = 0.25, most: int = 1 << 20) -> Answer:
    """As ``ask`` on a connection that stays open."""
    received = b""
    end = "enough"
    try:
        connection.sendall(data)
        connection.settimeout(patience)
        while len(received) < most:
            part = connection.recv(1 << 16)
            if not part:
                end = "fin"
                break
            received += part
    except TimeoutError:
        end = "timeout"
    except (ConnectionResetError, BrokenPipeError):
        end = "reset"
    deframer = Deframer()
    messages = deframer.feed(received)
    return Answer(received, messages, str(deframer.error or ""), end)


def end_with_reset(connection: socket.socket) -> None:
    """Close with RST, so that thousands of connections leave no TIME-WAIT behind."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
