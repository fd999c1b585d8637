"""Existing ClientHellos with parts of them replaced, everything else left byte for byte in place.

``read_hello`` takes the bytes apart (records, message or body; SSLv2 too) and remembers how they were framed;
``Sample.encode`` puts them together again. Sans-IO. Must not import anything of tlswire but ``errors``, ``registry``,
``wire`` and the rest of ``hello``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tlswire.errors import WireError
from tlswire.hello.shares import probe_share
from tlswire.registry import CONTENT_TYPES
from tlswire.wire import sslv2
from tlswire.wire.extension_bodies import KeyShareEntry, ServerName
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import (
    CLIENT_HELLO,
    CLIENT_HELLO_BODY,
    HANDSHAKE_MESSAGE,
    encode_handshake,
    parse_client_hello,
)
from tlswire.wire.messages import ClientHello, Extension
from tlswire.wire.primitives import build, parse
from tlswire.wire.records import HANDSHAKE, MAX_PLAINTEXT, SSLV2, Deframer, fragment, sslv2_record

if TYPE_CHECKING:
    from collections.abc import Iterator

Layer = Literal["record", "handshake", "body"]

SERVER_NAME, GROUPS, SCHEMES, ALPN, PRE_SHARED_KEY, VERSIONS, KEY_SHARE = 0, 10, 13, 16, 41, 43, 51


class Frame(msgspec.Struct, frozen=True):
    """One record that carried a part of the hello: its version, and how many bytes of the message it held."""

    version: int
    size: int


class Sample(msgspec.Struct, frozen=True):
    """A hello and how it came: ``frames`` are empty below the record layer, ``rest`` is what stood before and after."""

    hello: ClientHello | sslv2.SSLv2ClientHello
    layer: Layer = "record"
    frames: tuple[Frame, ...] = ()
    rest: bytes = b""

    def encode(self, layer: Layer | None = None) -> bytes:
        """The bytes of ``layer`` (None: the one it came in), cut into records as it came. Raises WireError."""
        layer = layer or self.layer
        if isinstance(self.hello, sslv2.SSLv2ClientHello):
            body = build(sslv2.SSLV2_BODIES[sslv2.CLIENT_HELLO], self.hello, "sslv2_client_hello")
            message = bytes([sslv2.CLIENT_HELLO]) + body
            return body if layer == "body" else message if layer == "handshake" else sslv2_record(message)
        body = build(CLIENT_HELLO_BODY, self.hello, "client_hello")
        if layer == "body":
            return body
        message = encode_handshake(CLIENT_HELLO, body)
        return message if layer == "handshake" else b"".join(self._records(message))

    def _records(self, message: bytes) -> Iterator[bytes]:
        frames = self.frames or (Frame(_record_version(self.hello), MAX_PLAINTEXT),)
        for frame in frames[:-1]:
            if message:
                yield fragment(HANDSHAKE, frame.version, message[: frame.size], frame.size)
            message = message[frame.size :]
        if message:
            # One that grew goes on in records like those it came in.
            room = max(frame.size for frame in frames) if len(frames) > 1 else MAX_PLAINTEXT
            yield fragment(HANDSHAKE, frames[-1].version, message, max(room, frames[-1].size))


def read_hello(data: bytes) -> Sample:
    """The ClientHello in ``data``: records, SSLv2 record, handshake message or bare body. Raises WireError."""
    if data[:1] and data[0] in CONTENT_TYPES:
        return _from_records(data)
    if data[:1] and data[0] & 0x80:
        return _from_sslv2(data)
    if data[:2] == b"\x01\x00":
        message = parse(HANDSHAKE_MESSAGE, data)
        return Sample(parse_client_hello(message.body, 4), "handshake")
    if data[:1] != b"\x03":
        raise WireError("neither a record, a handshake message nor a ClientHello begins here", "", 0)
    return Sample(parse_client_hello(data), "body")


def _record_end(data: bytes, at: int) -> int:
    return at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")


def _from_records(data: bytes) -> Sample:
    # The hello that answers a HelloRetryRequest comes after a ChangeCipherSpec (RFC 9846 appendix E.4).
    start = 0
    while start < len(data) and data[start] != HANDSHAKE:
        start = _record_end(data, start)
    frames: list[Frame] = []
    deframer = Deframer()
    at = start
    while at < len(data):
        end = _record_end(data, at)
        found = deframer.feed(data[at:end])
        if deframer.error is not None and not found:
            raise deframer.error.moved(start)
        if end > len(data):
            break
        frames.append(Frame(int.from_bytes(data[at + 1 : at + 3], "big"), end - at - 5))
        at = end
        if found:
            message = found[0]
            if message.content != HANDSHAKE or message.type != CLIENT_HELLO:
                raise WireError("the first message is not a ClientHello", "handshake.type", start + message.offset)
            extra = sum(frame.size for frame in frames) - 4 - len(message.body)
            if extra:
                raise WireError(f"{extra} bytes follow the ClientHello in its record", "record.fragment", end - extra)
            # Where a hello spans records its fields have no single offset: errors count from its first byte.
            base = start + message.offset + 4 if len(frames) == 1 else 0
            return Sample(parse_client_hello(message.body, base), "record", tuple(frames), data[:start] + data[at:])
    raise WireError("the input ends before the ClientHello does", "client_hello", len(data))


def _from_sslv2(data: bytes) -> Sample:
    deframer = Deframer()
    found = deframer.feed(data)
    if not found:
        raise deframer.error or WireError("the input ends before the ClientHello does", "sslv2_client_hello", len(data))
    message = found[0]
    if message.content != SSLV2 or message.type != sslv2.CLIENT_HELLO:
        raise WireError("the first message is not a ClientHello", "sslv2.type", message.offset)
    hello = sslv2.parse_sslv2_client_hello(message.body, message.offset + 1)
    return Sample(hello, "record", rest=data[message.offset + 1 + len(message.body) :])


def _record_version(hello: ClientHello | sslv2.SSLv2ClientHello) -> int:
    # RFC 9846 section 5.1.
    version = hello.legacy_version if isinstance(hello, ClientHello) else hello.version
    return min(version, 0x0301)


def reframed(sample: Sample, *, version: int | None = None, size: int | None = None) -> Sample:
    """The sample in records of another ``version``, or cut anew into fragments of ``size`` bytes."""
    first = _record_version(sample.hello)
    frames = sample.frames or (Frame(first, MAX_PLAINTEXT),)
    if size is not None:
        length = len(sample.encode("handshake"))
        frames = tuple(Frame(frames[0].version, min(size, length - at)) for at in range(0, length, size))
    if version is not None:
        frames = tuple(Frame(version, frame.size) for frame in frames)
    return msgspec.structs.replace(sample, frames=frames)


def with_extension(hello: ClientHello, code: int, body: bytes | None) -> ClientHello:
    """The hello with this body in its extension ``code``; None removes it.

    An extension that is there keeps its place (further ones of its type go: they would still say the old), a new one
    comes last, but before pre_shared_key (RFC 9846 section 4.3.11).
    """
    present = hello.extensions or ()
    place = next((at for at, item in enumerate(present) if item.type == code), None)
    others = [item for item in present if item.type != code]
    if body is None:
        return hello if place is None else msgspec.structs.replace(hello, extensions=tuple(others))
    if place is None:
        place = len(others) - (bool(others) and others[-1].type == PRE_SHARED_KEY)
    others.insert(place, Extension(code, body))
    return msgspec.structs.replace(hello, extensions=tuple(others))


def _with_value(hello: ClientHello, code: int, value: Any) -> ClientHello:
    return with_extension(hello, code, encode_extension(code, value, "ch"))


def with_suites(hello: ClientHello, suites: tuple[int, ...]) -> ClientHello:
    """The hello that offers ``suites``."""
    return msgspec.structs.replace(hello, suites=suites)


def with_versions(hello: ClientHello, versions: tuple[int, ...]) -> ClientHello:
    """The hello that offers ``versions``: supported_versions where there are several or TLS 1.3, or where it had it."""
    newest = max(versions)
    changed = msgspec.structs.replace(hello, legacy_version=min(newest, 0x0303))
    if len(versions) > 1 or newest > 0x0303 or hello.raw_extension(VERSIONS) is not None:
        return _with_value(changed, VERSIONS, versions)
    return changed


def with_server_name(hello: ClientHello, name: bytes) -> ClientHello:
    """The hello for server ``name``; names of other types than host_name stay."""
    names: tuple[ServerName, ...] = hello.readable(SERVER_NAME) or ()
    others = tuple(item for item in names if item.type != 0)
    return _with_value(hello, SERVER_NAME, (ServerName(0, name), *others))


def with_alpn(hello: ClientHello, protocols: tuple[bytes, ...]) -> ClientHello:
    """The hello that offers the application ``protocols``."""
    return _with_value(hello, ALPN, protocols)


def with_groups(hello: ClientHello, groups: tuple[int, ...]) -> ClientHello:
    """The hello whose supported_groups are ``groups``."""
    return _with_value(hello, GROUPS, groups)


def with_schemes(hello: ClientHello, schemes: tuple[int, ...]) -> ClientHello:
    """The hello whose signature_algorithms are ``schemes``."""
    return _with_value(hello, SCHEMES, schemes)


def with_key_shares(hello: ClientHello, groups: tuple[int, ...]) -> ClientHello:
    """The hello with a key share for each of ``groups``: its own where it has one, else that of a probe."""
    present: tuple[KeyShareEntry, ...] = hello.readable(KEY_SHARE) or ()
    own = {share.group: share for share in reversed(present)}
    return _with_value(
        hello, KEY_SHARE, tuple(own.get(code) or KeyShareEntry(code, probe_share(code)) for code in groups)
    )
