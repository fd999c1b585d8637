"""Servers that are wrong on purpose, one per way to lead a scanner astray: endless, silent, lying, not TLS at all.

Each function gives a Listener: `with flood() as server: ... server.port, server.connections`.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

from .listener import Listener, streamed
from .offers import Offer, read_offer

if TYPE_CHECKING:
    from collections.abc import Callable

ALERT, HANDSHAKE = 21, 22
HELLO_REQUEST, SERVER_HELLO = 0, 2
TLS12, TLS13 = 0x0303, 0x0304
FULL_RECORD = 1 << 14
RSA_WITH_RC4_128_SHA = 0x0005
X25519_SHARE = struct.pack("!HH", 29, 32) + bytes([9]) + bytes(31)


def plain_http() -> Listener:
    """A web server without TLS."""
    page = b"<html><body>The plain HTTP request was sent to HTTP port.</body></html>\r\n"
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return _answering(lambda _: head % len(page) + page, then_close=True)


def closes_at_once() -> Listener:
    """FIN right after accept."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Only our half, and reading on: a full close would answer the hello with RST if it came first.
        writer.write_eof()
        await _until_gone(reader)

    return streamed(handler)


def silent() -> Listener:
    """Accepts, reads everything, says nothing."""

    async def handler(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await _until_gone(reader)

    return streamed(handler)


def flood() -> Listener:
    """Full handshake records without end, each of complete HelloRequests, which RFC 5246 lets a client ignore."""
    return _endless(_record(HANDSHAKE, bytes([HELLO_REQUEST, 0, 0, 0]) * (FULL_RECORD // 4)))


def zero_record() -> Listener:
    """Empty handshake records without end."""
    return _endless(_record(HANDSHAKE, b"") * 1024)


def endless_message() -> Listener:
    """A ServerHello that says it is 16 MiB long, and then is."""
    opening = _record(HANDSHAKE, bytes([SERVER_HELLO, 0xFF, 0xFF, 0xFF]))
    return _endless(_record(HANDSHAKE, bytes(FULL_RECORD)), opening)


def drip(seconds: float = 1.0) -> Listener:
    """A correct ServerHello, one byte every `seconds`."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in _record(HANDSHAKE, _agreeing(await _hello(reader))):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(seconds)
        await _until_gone(reader)

    return streamed(handler)


def malformed_server_hello() -> Listener:
    """A ServerHello whose session id claims 255 bytes where 4 are left."""
    body = struct.pack("!H32xB4x", TLS12, 255)
    return _answering(lambda _: _record(HANDSHAKE, _message(SERVER_HELLO, body)))


def fragmented_alert() -> Listener:
    """A fatal handshake_failure split over two records, then FIN."""
    return _answering(lambda _: _record(ALERT, b"\x02") + _record(ALERT, b"\x28"), then_close=True)


def oversized_record() -> Listener:
    """A correct ServerHello at the head of a record one byte longer than TLS 1.2 ciphertext may be."""
    length = FULL_RECORD + 2049
    return _answering(lambda offer: _record(HANDSHAKE, _agreeing(offer).ljust(length, b"\x00")))


def unoffered_suite() -> Listener:
    """Chooses TLS_RSA_WITH_RC4_128_SHA, whatever was offered, at a version that was offered."""
    return _answering(
        lambda offer: _record(HANDSHAKE, _server_hello(offer, _offered_version(offer), RSA_WITH_RC4_128_SHA))
    )


def unoffered_version() -> Listener:
    """Chooses an offered suite at a version that was not: an older one than a supported_versions list names, or one
    newer than a hello without that list allows."""

    def answer(offer: Offer) -> bytes:
        newer = offer.version + 1
        older = (version for version in (0x0303, 0x0302, 0x0301, 0x0300) if version not in offer.versions)
        version = next(older, newer) if offer.versions else newer
        return _record(HANDSHAKE, _server_hello(offer, version, offer.suites[0], extended=False))

    return _answering(answer)


def _answering(answer: Callable[[Offer], bytes], *, then_close: bool = False) -> Listener:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(await _hello(reader)))
        await writer.drain()
        if not then_close:
            await _until_gone(reader)

    return streamed(handler)


def _endless(block: bytes, opening: bytes = b"") -> Listener:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _hello(reader)
        writer.write(opening)
        while True:
            writer.write(block)
            await writer.drain()
            # drain() alone never yields while the client keeps up, and one client must not starve the others.
            await asyncio.sleep(0)

    return streamed(handler)


async def _hello(reader: asyncio.StreamReader) -> Offer:
    data = b""
    while (offer := read_offer(data)) is None:
        part = await reader.read(1 << 16)
        if not part:
            raise ConnectionResetError
        data += part
    return offer


async def _until_gone(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass


def _offered_version(offer: Offer) -> int:
    return max((version for version in offer.versions if version <= TLS13), default=min(offer.version, TLS12))


def _agreeing(offer: Offer) -> bytes:
    return _server_hello(offer, _offered_version(offer), offer.suites[0] if offer.suites else 0)


def _server_hello(offer: Offer, version: int, suite: int, *, extended: bool = True) -> bytes:
    """A ServerHello message; without `extended` a TLS 1.3 version goes, wrongly, into the legacy field."""
    is_tls13 = extended and version == TLS13
    extensions = b""
    if is_tls13:
        extensions = struct.pack("!HHH", 43, 2, TLS13) + struct.pack("!HH", 51, len(X25519_SHARE)) + X25519_SHARE
    body = struct.pack("!H", TLS12 if is_tls13 else version) + bytes(range(32))
    body += bytes([len(offer.session_id)]) + offer.session_id + struct.pack("!HB", suite & 0xFFFF, 0)
    if extensions:
        body += struct.pack("!H", len(extensions)) + extensions
    return _message(SERVER_HELLO, body)


def _message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("!BHH", kind, TLS12, len(content)) + content
