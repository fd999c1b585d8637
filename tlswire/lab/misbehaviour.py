"""What awkward characters send in place of a first flight, or spoil in it.

Every answer is bounded: what claims to be endless stops after some MiB and then says FIN.
Must not import anything of tlswire but ``wire``, ``lab.actions``, ``lab.quirks``, ``lab.flaws``, ``lab.edges``
and ``lab.flights``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.lab import edges, flaws
from tlswire.lab.actions import Action, Close, Hold, Send
from tlswire.lab.flights import encode_server_hello
from tlswire.wire.handshake import SERVER_HELLO
from tlswire.wire.messages import ClientHello, Extension, ServerHello
from tlswire.wire.records import HANDSHAKE, MAX_CIPHERTEXT, MAX_PLAINTEXT, fragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.lab.quirks import Quirks

_TLS12 = 0x0303
_MIB = 1 << 20

_PAGE = b"<html><body>The plain HTTP request was sent to HTTP port.</body></html>\r\n"
_HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_PAGE),
    _PAGE,
)


def _flood() -> list[Action]:
    # Complete HelloRequests, which RFC 5246 section 7.4.1.1 lets a client ignore: nothing in them says stop.
    record = fragment(HANDSHAKE, _TLS12, bytes(4) * (MAX_PLAINTEXT // 4))
    return [Send(record, times=8 * _MIB // MAX_PLAINTEXT), Close()]


def _endless_message() -> list[Action]:
    opening = fragment(HANDSHAKE, _TLS12, bytes([SERVER_HELLO, 0xFF, 0xFF, 0xFF]))
    record = fragment(HANDSHAKE, _TLS12, bytes(MAX_PLAINTEXT))
    return [Send(opening), Send(record, times=16 * _MIB // MAX_PLAINTEXT), Close()]


def _zero_record() -> list[Action]:
    return [Send(fragment(HANDSHAKE, _TLS12, b"") * 1024, times=1024), Close()]


def _plain_http() -> list[Action]:
    return [Send(_HTTP), Close()]


# Answers to whatever the client sends first.
TO_ANYTHING: dict[str, Callable[[], list[Action]]] = {"plain-http": _plain_http}

# Answers to any hello.
TO_HELLO: dict[str, Callable[[], list[Action]]] = {
    "flood": _flood,
    "endless-message": _endless_message,
    "zero-record": _zero_record,
}


def _oversized_record(message: bytes) -> list[Action]:
    length = MAX_CIPHERTEXT + 1
    return [Send(fragment(HANDSHAKE, _TLS12, message.ljust(length, b"\x00"), size=length)), Hold()]


def _malformed_hello(message: bytes) -> list[Action]:
    # Byte 38 is the length of the session id: after type, uint24 length, version and random.
    return [Send(fragment(HANDSHAKE, _TLS12, message[:38] + b"\xff" + message[39:])), Hold()]


def _unoffered_version(hello: ClientHello, answer: ServerHello) -> list[Action]:
    wrong = with_unoffered_version(hello, answer)
    return [Send(fragment(HANDSHAKE, _TLS12, encode_server_hello(wrong)))]


# Answers to a hello that would have got a choice; they get the correct ServerHello message.
_TO_CHOICE: dict[str, Callable[[bytes], list[Action]]] = {
    "oversized-record": _oversized_record,
    "malformed-hello": _malformed_hello,
}


def told_instead(quirks: Quirks, hello: ClientHello, answer: ServerHello) -> list[Action] | None:
    """What stands for the whole flight that begins with ``answer``; None for a character that says the flight."""
    if quirks.instead in _TO_CHOICE:
        return _TO_CHOICE[quirks.instead](encode_server_hello(answer))
    return _unoffered_version(hello, answer) if quirks.unoffered == "version" else None


def touched(quirks: Quirks, hello: ClientHello, answer: ServerHello) -> ServerHello:
    """The ServerHello as the character sends it."""
    answer = edges.answered(quirks.edge, hello, flaws.answered(quirks.flaw, answer))
    return with_unoffered_extension(hello, answer) if quirks.unoffered == "extension" else answer


# Extensions with an empty body in a ServerHello: session_ticket, encrypt_then_mac, extended_master_secret; the last
# one is unassigned, for clients that offer all others.
_EMPTY_EXTENSIONS = (35, 22, 23, 0xFE99)


def with_unoffered_extension(hello: ClientHello, answer: ServerHello) -> ServerHello:
    """The ServerHello with an extension that the client did not send (RFC 9846 section 4.3 forbids it)."""
    code = next(code for code in _EMPTY_EXTENSIONS if code not in hello.extension_types)
    return msgspec.structs.replace(answer, extensions=(*(answer.extensions or ()), Extension(code, b"")))


def with_unoffered_version(hello: ClientHello, answer: ServerHello) -> ServerHello:
    """The ServerHello at a version the client did not offer.

    Below one that supported_versions left out, or above legacy_version, which stands for all older ones.
    """
    if hello.raw_extension(43) is None:
        version = hello.legacy_version + 1
    else:
        version = next((code for code in (0x0303, 0x0302, 0x0301, 0x0300) if code not in hello.versions), 0x0305)
    return msgspec.structs.replace(answer, legacy_version=version, extensions=None)
