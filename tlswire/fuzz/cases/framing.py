"""How cases put a hello on the wire when they do so unusually: records by hand, records around it, messages changed.

Sources: RFC 9846 sections 4 and 5.1, RFC 7685 section 3.
Must not import anything of tlswire but ``fuzz``, ``hello`` and ``wire``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlswire.fuzz.cases.rows import MODERN, Made, base_of
from tlswire.fuzz.script import RECORD_VERSION, TLS12, Script, message_of, records, tree_of
from tlswire.hello.edit import with_extension
from tlswire.wire.records import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tlswire.wire.messages import ClientHello

WARNING, FATAL = 1, 2
ALPN, PADDING = 16, 21
SEGMENT_PAUSE = 0.02  # seconds in which a server sees one TCP segment without the next


def record(content: int, body: bytes, version: int = RECORD_VERSION) -> bytes:
    """One record, of any length up to 65535."""
    return HEADER.pack(content, version, len(body)) + body


def handshake(body: bytes, version: int = RECORD_VERSION) -> bytes:
    """One handshake record."""
    return record(HANDSHAKE, body, version)


def alert(description: int, level: int = WARNING, version: int = RECORD_VERSION) -> bytes:
    """One alert record."""
    return record(ALERT, bytes((level, description)), version)


CCS = record(CHANGE_CIPHER_SPEC, b"\1", TLS12)
EMPTY = handshake(b"")


def framed(wire: Callable[[bytes], bytes], base: str = MODERN, **more: Any) -> Made:
    """The base's hello, put on the wire by ``wire``, which is given the handshake message; ``more`` as in Script."""

    def make(ground: Any) -> Script:
        tree = tree_of(base_of(ground, base))
        message = message_of(tree)
        return Script(wire(message), message, tree, **more)

    return Made(base, make)


def before(*alien: bytes) -> Made:
    """Records in front of the hello."""
    return framed(lambda message: b"".join(alien) + records(message))


def between(*alien: bytes) -> Made:
    """Records between the two halves of the hello."""
    return framed(lambda message: b"".join((handshake(message[:100]), *alien, handshake(message[100:]))))


def behind(*alien: bytes) -> Made:
    """Records behind the hello, sent with it: of version 0x0303, as RFC 9846 section 5.1 wants all but the first."""
    return framed(lambda message: records(message) + b"".join(alien), tail=True)


def spoken(change: Callable[[bytes], bytes], base: str = MODERN) -> Made:
    """The handshake message as ``change`` makes it, in true records; it is no ClientHello any more."""

    def make(ground: Any) -> Script:
        message = change(message_of(tree_of(base_of(ground, base))))
        return Script(records(message), message)

    return Made(base, make)


def sized(value: ClientHello, size: int) -> ClientHello:
    """The hello with padding (RFC 7685 section 3) that makes its handshake message ``size`` bytes; without its ALPN
    where there is no other room.
    """
    room = size - len(message_of(tree_of(value)))
    if room == 0:
        return value
    if room < 4:
        return sized(with_extension(value, ALPN, None), size)
    return with_extension(value, PADDING, bytes(room - 4))


def big(size: int, wire: Callable[[bytes], bytes], base: str = MODERN, **more: Any) -> Made:
    """As ``framed``, with a hello of ``size`` bytes."""

    def make(ground: Any) -> Script:
        tree = tree_of(sized(base_of(ground, base), size))
        message = message_of(tree)
        return Script(wire(message), message, tree, **more)

    return Made(base, make)


def segments(ends: Iterable[int], pause: float = SEGMENT_PAUSE) -> Made:
    """The hello in one record, cut into TCP segments at ``ends``."""
    return framed(records, cuts=tuple(ends), pause=pause)
