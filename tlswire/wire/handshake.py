"""Handshake message bodies, SSLv3 to TLS 1.3: the one declaration that parses and builds each.

Sources: RFC 9846 section 4, RFC 5246 section 7.4, RFC 8422 section 5.4, RFC 4279 section 2, RFC 6066 section 8,
RFC 8879 section 4. Extensions stay raw here; ``wire.extensions`` decodes them on demand.
Must not import anything of tlswire but ``errors``, ``registry`` and the rest of ``wire``; no I/O.
"""

# Construct calls its hooks with fixed names and arguments:
# ruff: noqa: ARG002, D102, SLF001

from __future__ import annotations

import struct
from typing import Any

from tlswire.errors import WireError
from tlswire.registry import (
    CERTIFICATE_COMPRESSION,
    CERTIFICATE_STATUS_TYPES,
    CLIENT_CERTIFICATE_TYPES,
    COMPRESSION_METHODS,
    CURVE_TYPES,
    EXTENSIONS,
    GROUPS,
    HANDSHAKE_TYPES,
    SCHEMES,
    SUITES,
    VERSIONS,
)
from tlswire.wire.cursor import Node, named
from tlswire.wire.messages import (
    HRR_RANDOM,
    Certificate12,
    Certificate13,
    CertificateEntry,
    CertificateRequest10,
    CertificateRequest12,
    CertificateRequest13,
    CertificateStatus,
    ClientHello,
    CompressedCertificate,
    DheParams,
    EcdheParams,
    EcParameters,
    EncryptedExtensions,
    ExplicitPrime,
    Extension,
    Handshake,
    NewSessionTicket12,
    NewSessionTicket13,
    RsaParams,
    ServerHello,
    ServerKeyExchange,
    Signature12,
    SrpParams,
)
from tlswire.wire.primitives import (
    Choice,
    Codes,
    Empty,
    Fixed,
    Grammar,
    Many,
    Maybe,
    Opaque,
    Record,
    Rest,
    UInt,
    Vector,
    build,
    parse,
)

CLIENT_HELLO, SERVER_HELLO, NEW_SESSION_TICKET, ENCRYPTED_EXTENSIONS = 1, 2, 4, 8
CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE = 11, 12, 13, 14

_extension_head = struct.Struct(">HH").unpack_from  # type and length


class Extensions(Grammar):
    """Extension extensions<0..2^16-1>: order, duplicates and unknown ones kept; bodies stay raw.

    When traced, each body is decoded below its extension by the row of its type for ``message``.
    """

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def _parse(self, stream: Any, context: Any, path: str) -> tuple[Extension, ...]:
        total = int.from_bytes(stream.take(2), "big")
        data: bytes = stream.read(total)
        end = len(data)
        begin = stream.offset - end  # of the first extension
        if end != total and stream.node is None:
            raise WireError(f"length says {total} bytes, {end} left", offset=begin - 2)
        found: list[Extension] = []
        at = 0
        while at < end:
            if end - at < 4:
                raise WireError(f"{end - at} bytes cannot hold an extension", f"[{len(found)}]", begin + at)
            kind, length = _extension_head(data, at)
            at += 4
            body = data[at : at + length]
            if len(body) != length:
                reason = f"length says {length} bytes, {len(body)} left"
                raise WireError(reason, f"[{len(found)}]", begin + at - 2)
            if stream.node is not None:
                stream.node.children.append(self._trace(kind, body, begin + at - 4))
            found.append(Extension(kind, body))
            at += length
        if end != total:  # a trace shows the extensions of a message cut short before it fails
            raise WireError(f"length says {total} bytes, {end} left", offset=begin - 2)
        return tuple(found)

    def _trace(self, kind: int, body: bytes, offset: int) -> Node:
        from tlswire.wire.extensions import trace_extension  # noqa: PLC0415 - bodies load only when looked at

        node = trace_extension(kind, body, self.message, offset + 4)
        return Node(named(EXTENSIONS, kind), offset, offset + 4 + len(body), body, f"{len(body)} bytes", [node])

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        try:
            data = b"".join(struct.pack(">HH", item.type, len(item.data)) + item.data for item in obj)
            stream.write(struct.pack(">H", len(data)) + data)
        except struct.error as error:
            raise WireError(f"an extension does not fit: {error}") from None
        return obj

    def describe(self, value: Any) -> str:
        return f"{len(value)} extensions"


def _hello_fields(message: str) -> dict[str, Grammar]:
    return {
        "legacy_version": UInt(2, VERSIONS),
        "random": Fixed(32),
        "session_id": Opaque(1, 0, 32),
    } | (
        {
            "suites": Codes(2, 2, 2, 0xFFFE, table=SUITES),
            "compression": Codes(1, 1, 1, table=COMPRESSION_METHODS),
        }
        if message == "ch"
        else {"suite": UInt(2, SUITES), "compression": UInt(1, COMPRESSION_METHODS)}
    )


class _ServerHelloGrammar(Record):
    """A ServerHello whose extensions are those of a HelloRetryRequest when its random says so.

    Drafts 0 to 21 of TLS 1.3 (version 0x7f00 to 0x7f15) had neither session id nor compression method
    (draft-ietf-tls-tls13-21 section 4.1.3).
    """

    def __init__(self) -> None:
        super().__init__(ServerHello, **_hello_fields("sh"), extensions=Maybe(Extensions("sh")))
        self._retry = Record(ServerHello, **dict(self.fields) | {"extensions": Maybe(Extensions("hrr"))})
        fields = {name: grammar for name, grammar in self.fields if name not in {"session_id", "compression"}}
        self._draft = Record(_draft_server_hello, **fields)

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        head = stream.getvalue()[stream.tell() : stream.tell() + 34]
        if head[2:] == HRR_RANDOM:
            return self._retry._parse(stream, context, path)
        if head[:1] == b"\x7f" and head[1:2] <= b"\x15":
            return self._draft._parse(stream, context, path)
        return super()._parse(stream, context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        if 0x7F00 <= obj.legacy_version <= 0x7F15 and obj.random != HRR_RANDOM:
            return self._draft._build(obj, stream, context, path)
        return super()._build(obj, stream, context, path)


def _draft_server_hello(legacy_version: int, random: bytes, suite: int, extensions: Any) -> ServerHello:
    return ServerHello(legacy_version, random, b"", suite, 0, extensions)


_NAMES = Vector(2, Opaque(2, 1))
_TYPES = Codes(1, 1, 1, table=CLIENT_CERTIFICATE_TYPES)
_SCHEMES = Codes(2, 2, 2, table=SCHEMES)
_EC_PARAMETERS = Record(
    EcParameters,
    type=UInt(1, CURVE_TYPES),
    curve=Choice(
        "type",
        {
            1: Record(ExplicitPrime, **dict.fromkeys(("prime", "a", "b", "base", "order", "cofactor"), Opaque(1, 1))),
            3: UInt(2, GROUPS),
        },
    ),
)
_ECDHE = Record(EcdheParams, parameters=_EC_PARAMETERS, public=Opaque(1, 1))
_DHE = Record(DheParams, prime=Opaque(2, 1), generator=Opaque(2, 1), public=Opaque(2, 1))
_RSA = Record(RsaParams, modulus=Opaque(2, 1), exponent=Opaque(2, 1))
_SRP = Record(SrpParams, prime=Opaque(2, 1), generator=Opaque(2, 1), salt=Opaque(1, 1), public=Opaque(2, 1))
_SIGNED12 = Record(Signature12, scheme=UInt(2, SCHEMES), signature=Opaque(2))
_SIGNED10 = Opaque(2)

CLIENT_HELLO_BODY = Record(ClientHello, **_hello_fields("ch"), extensions=Maybe(Extensions("ch")))
SERVER_HELLO_BODY = _ServerHelloGrammar()


def _key_exchange(params: Grammar | None, *, hint: bool = False, signed: Grammar | None = None) -> Grammar:
    fields: dict[str, Grammar] = {}
    if hint:
        fields["hint"] = Opaque(2)
    if params is not None:
        fields["params"] = params
    if signed is not None:
        fields["signature"] = signed
    return Record(ServerKeyExchange, **fields)


# (kex of the suite, how it is signed) -> the params of its ServerKeyExchange; the rest sends none or is not standard.
_PARAMS: dict[str, Grammar] = {"ECDHE": _ECDHE, "DHE": _DHE, "RSA": _RSA, "SRP": _SRP, "ECDH": _ECDHE, "DH": _DHE}


def server_key_exchange(suite: int, version: int) -> Grammar:
    """The grammar of ServerKeyExchange for a suite and version (RFC 5246 7.4.3, RFC 8422 5.4, RFC 4279 2 to 4).

    ``suite`` and ``version`` are code points. Raises WireError for a key exchange that has no defined message.
    """
    row = SUITES[suite]
    if row.auth == "PSK":
        params = _PARAMS.get(row.kex) if row.kex in {"DHE", "ECDHE"} else None
        return _key_exchange(params, hint=True)
    if row.kex not in _PARAMS:
        raise WireError(f"{row.name} has no ServerKeyExchange with a defined body")
    signed = None if row.anonymous else _SIGNED12 if version >= 0x0303 else _SIGNED10
    if row.kex == "SRP" and row.auth == "SRP":
        signed = None  # RFC 5054 section 2.7: SRP without a certificate is not signed
    return _key_exchange(_PARAMS[row.kex], signed=signed)


_CERTIFICATE_STATUS = Record(
    CertificateStatus,
    type=UInt(1, CERTIFICATE_STATUS_TYPES),
    response=Choice("type", {1: Opaque(3, 1), 2: Vector(3, Opaque(3))}),
)
_CERTIFICATE_ENTRY = Record(CertificateEntry, data=Opaque(3, 1), extensions=Extensions("ct"))

# One row a message: type -> (oldest version it holds for, grammar), newest first. ServerKeyExchange depends on the
# suite too and has its own function above.
BODIES: dict[int, tuple[tuple[int, Grammar], ...]] = {
    0: ((0, Empty()),),
    CLIENT_HELLO: ((0, CLIENT_HELLO_BODY),),
    SERVER_HELLO: ((0, SERVER_HELLO_BODY),),
    NEW_SESSION_TICKET: (
        (
            0x0304,
            Record(
                NewSessionTicket13,
                lifetime=UInt(4),
                age_add=UInt(4),
                nonce=Opaque(1),
                ticket=Opaque(2, 1),
                extensions=Extensions("nst"),
            ),
        ),
        (0, Record(NewSessionTicket12, lifetime=UInt(4), ticket=Opaque(2))),
    ),
    5: ((0, Empty()),),
    ENCRYPTED_EXTENSIONS: ((0, Record(EncryptedExtensions, extensions=Extensions("ee"))),),
    CERTIFICATE: (
        (0x0304, Record(Certificate13, context=Opaque(1), chain=Vector(3, _CERTIFICATE_ENTRY))),
        (0, Record(Certificate12, chain=Vector(3, Opaque(3, 1)))),
    ),
    CERTIFICATE_REQUEST: (
        (0x0304, Record(CertificateRequest13, context=Opaque(1), extensions=Extensions("cr"))),
        (0x0303, Record(CertificateRequest12, types=_TYPES, schemes=_SCHEMES, authorities=_NAMES)),
        (0, Record(CertificateRequest10, types=_TYPES, authorities=_NAMES)),
    ),
    SERVER_HELLO_DONE: ((0, Empty()),),
    15: (
        (0x0303, _SIGNED12),
        (0, _SIGNED10),
    ),
    16: ((0, Rest()),),
    20: ((0, Rest()),),
    22: ((0, _CERTIFICATE_STATUS),),
    24: ((0, UInt(1)),),
    25: (
        (
            0,
            Record(
                CompressedCertificate, algorithm=UInt(2, CERTIFICATE_COMPRESSION), length=UInt(3), data=Opaque(3, 1)
            ),
        ),
    ),
}


def body_grammar(kind: int, version: int = 0x0303, suite: int = 0) -> Grammar:
    """The grammar of a message body; unknown types give ``Rest`` (open codes)."""
    if kind == SERVER_KEY_EXCHANGE:
        try:
            return server_key_exchange(suite, version)
        except WireError:
            return Rest()
    for oldest, grammar in BODIES.get(kind, ()):
        if version >= oldest:
            return grammar
    return Rest()


HANDSHAKE_MESSAGE = Record(Handshake, type=UInt(1, HANDSHAKE_TYPES), body=Opaque(3))
HANDSHAKE_STREAM = Many(HANDSHAKE_MESSAGE)


def encode_handshake(kind: int, body: bytes) -> bytes:
    """A handshake message: type, uint24 length, body (RFC 9846 section 4)."""
    return build(HANDSHAKE_MESSAGE, Handshake(kind, body))


def parse_client_hello(body: bytes, base: int = 0) -> ClientHello:
    """A ClientHello body (without the four header bytes). Raises WireError."""
    value: ClientHello = parse(CLIENT_HELLO_BODY, body, "client_hello", base)
    return value


def parse_server_hello(body: bytes, base: int = 0) -> ServerHello:
    """A ServerHello or HelloRetryRequest body. Raises WireError."""
    value: ServerHello = parse(SERVER_HELLO_BODY, body, "server_hello", base)
    return value
