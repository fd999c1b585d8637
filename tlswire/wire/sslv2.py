"""SSLv2 messages that travel in clear: ClientHello, ServerHello, Error (SSL 0.2 draft, section 2; RFC 6101 appendix E).

The ClientHello is also the one SSLv3 and TLS clients once sent to old servers: ``version`` is then 0x0300 and up and
``kinds`` holds TLS suites as three-byte numbers that begin with a zero byte (RFC 5246 appendix E.2). Bodies stand
without the message type, as the Deframer hands them out. Must not import anything of tlswire but ``errors``,
``registry`` and ``wire.primitives``; no I/O.
"""

# Construct calls its hooks with fixed names and arguments:
# ruff: noqa: ARG002, D102, SLF001

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.errors import WireError
from tlswire.registry import SSLV2_KINDS, SUITES, VERSIONS
from tlswire.wire.cursor import Cursor, traced
from tlswire.wire.primitives import (
    Grammar,
    Many,
    Rest,
    UInt,
    build,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ERROR, CLIENT_HELLO, SERVER_HELLO = 0, 1, 4

# SSL 0.2 draft, section 2.7 (error codes).
ERRORS = {
    1: "no_cipher",
    2: "no_certificate",
    4: "bad_certificate",
    6: "unsupported_certificate_type",
}


class SSLv2ClientHello(msgspec.Struct, frozen=True):
    """CLIENT-HELLO; ``kinds`` are three-byte cipher kinds in the order offered."""

    version: int
    kinds: tuple[int, ...]
    session_id: bytes
    challenge: bytes

    @property
    def suites(self) -> tuple[int, ...]:
        """The TLS suites among the kinds: those that begin with a zero byte (RFC 5246 appendix E.2)."""
        return tuple(kind for kind in self.kinds if kind <= 0xFFFF)


class SSLv2ServerHello(msgspec.Struct, frozen=True):
    """SERVER-HELLO; ``certificate`` is DER when ``certificate_type`` is 1 (X.509)."""

    session_id_hit: int
    certificate_type: int
    version: int
    certificate: bytes
    kinds: tuple[int, ...]
    connection_id: bytes


class SSLv2Error(msgspec.Struct, frozen=True):
    """ERROR: a two-byte code."""

    code: int

    @property
    def name(self) -> str:
        """The name of the code in the SSL 0.2 draft; the number where it has none."""
        return ERRORS.get(self.code, str(self.code))


class _Kind(UInt):
    """A cipher kind: a TLS suite when its first byte is zero, else SSLv2's own."""

    def __init__(self) -> None:
        super().__init__(3, SSLV2_KINDS)

    def describe(self, value: Any) -> str:
        return super().describe(value) if value > 0xFFFF else f"0x{value:06X} {SUITES[value].name}"


class _Sized(Grammar):
    """A field whose length stood earlier: it must fill exactly that many bytes."""

    def __init__(self, length: int, item: Grammar) -> None:
        super().__init__()
        self.length = length
        self.item = item

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        start = stream.offset
        return self.item._parse(Cursor(stream.take(self.length), start, stream.node), context, path)

    def describe(self, value: Any) -> str:
        return self.item.describe(value)


class LengthsFirst(Grammar):
    """An SSLv2 message: fixed fields, then the two-byte lengths of the sized fields, then those fields.

    ``sized`` names the fields whose lengths stand together; each takes everything its length covers.
    """

    def __init__(self, make: Callable[..., Any], fixed: dict[str, Grammar], sized: dict[str, Grammar]) -> None:
        super().__init__()
        self.make = make
        self.fixed = fixed
        self.sized = sized

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        values = {name: _field(grammar, stream, name) for name, grammar in self.fixed.items()}
        lengths = [_field(UInt(2), stream, f"{name}_length") for name in self.sized]
        for length, (name, grammar) in zip(lengths, self.sized.items(), strict=True):
            values[name] = _field(_Sized(length, grammar), stream, name)
        return self.make(**values)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        for name, grammar in self.fixed.items():
            stream.write(build(grammar, getattr(obj, name), name))
        pieces = [build(grammar, getattr(obj, name), name) for name, grammar in self.sized.items()]
        for name, piece in zip(self.sized, pieces, strict=True):
            stream.write(build(UInt(2), len(piece), f"{name}_length"))
        stream.write(b"".join(pieces))
        return obj

    def describe(self, value: Any) -> str:
        return ""


def _field(grammar: Grammar, stream: Any, name: str) -> Any:
    try:
        return grammar._parse(stream, {}, "") if stream.node is None else traced(grammar, stream, name)
    except WireError as error:
        raise error.moved(0, name) from None


_KINDS = Many(_Kind())

# One row a message that is sent in clear; the others are encrypted or hold only a key.
SSLV2_BODIES: dict[int, Grammar] = {
    ERROR: LengthsFirst(SSLv2Error, {"code": UInt(2)}, {}),
    CLIENT_HELLO: LengthsFirst(
        SSLv2ClientHello,
        {"version": UInt(2, VERSIONS)},
        {"kinds": _KINDS, "session_id": Rest(), "challenge": Rest()},
    ),
    SERVER_HELLO: LengthsFirst(
        SSLv2ServerHello,
        {"session_id_hit": UInt(1), "certificate_type": UInt(1), "version": UInt(2, VERSIONS)},
        {"certificate": Rest(), "kinds": _KINDS, "connection_id": Rest()},
    ),
}


def parse_sslv2_client_hello(body: bytes, base: int = 0) -> SSLv2ClientHello:
    """A ClientHello body, without record header and message type. Raises WireError."""
    value: SSLv2ClientHello = parse(SSLV2_BODIES[CLIENT_HELLO], body, "sslv2_client_hello", base)
    return value


def parse_sslv2_server_hello(body: bytes, base: int = 0) -> SSLv2ServerHello:
    """A ServerHello body, without record header and message type. Raises WireError."""
    value: SSLv2ServerHello = parse(SSLV2_BODIES[SERVER_HELLO], body, "sslv2_server_hello", base)
    return value
