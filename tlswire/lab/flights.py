"""The messages of a correct first flight: every ServerHello, what follows it to ServerHelloDone, what looks encrypted.

Everything is built by the grammar of ``wire``; randomness comes from the caller's ``random.Random``. Signatures are
genuine (``lab.keys``), those of look-alike flights too, so that clients read on. Sources: RFC 9846 sections 4.2.3 and
4.4, RFC 5246 section 7.4, RFC 8422 section 5.4, RFC 4279, RFC 5054. Must not import anything of tlswire but
``registry``, ``wire``, ``crypto`` and the rest of ``lab`` but its flows, ``responder`` and ``server``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlswire.crypto.signatures import server_params_signed
from tlswire.lab import flaws, keys
from tlswire.lab.characters import (
    ALPN,
    ENCRYPT_THEN_MAC,
    EXTENDED_MASTER_SECRET,
    HEARTBEAT,
    MAX_FRAGMENT_LENGTH,
    POINT_FORMATS,
    RECORD_SIZE_LIMIT,
    RENEGOTIATION_INFO,
    SCT,
    SERVER_NAME,
    SESSION_TICKET,
    SSLV3,
    STATUS_REQUEST,
    TLS12,
    TLS13,
    Character,
)
from tlswire.lab.checks import FRAGMENT_LENGTHS
from tlswire.lab.negotiation import signs
from tlswire.registry import SUITES
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    SERVER_HELLO,
    SERVER_HELLO_BODY,
    SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE,
    body_grammar,
    encode_handshake,
    server_key_exchange,
)
from tlswire.wire.messages import (
    HRR_RANDOM,
    Certificate12,
    CertificateRequest10,
    CertificateRequest12,
    CertificateStatus,
    Extension,
    ServerHello,
    ServerKeyExchange,
    Signature12,
)
from tlswire.wire.primitives import build
from tlswire.wire.records import APPLICATION_DATA, MAX_PLAINTEXT, fragment
from tlswire.wire.sslv2 import SERVER_HELLO as SSLV2_SERVER_HELLO
from tlswire.wire.sslv2 import SSLV2_BODIES, SSLv2ServerHello

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tlswire.lab.exchange import Exchange
    from tlswire.lab.negotiation import Choice
    from tlswire.wire.messages import ClientHello

# RFC 9846 section 4.2.3: the end of the random of a TLS 1.3 server that negotiates TLS 1.2, or something older.
_DOWNGRADE = {True: b"DOWNGRD\x01", False: b"DOWNGRD\x00"}

PRE_SHARED_KEY, SUPPORTED_VERSIONS, KEY_SHARE = 41, 43, 51

CERTIFICATE_STATUS = 22

_AEAD_TAG_AND_TYPE = 17


def server_hello(
    character: Character,
    hello: ClientHello,
    choice: Choice,
    rng: random.Random,
    *,
    resumed: bytes | None = None,
    bound: bytes = b"",
) -> ServerHello:
    """The ServerHello of a choice before TLS 1.3.

    ``resumed`` is the session id that a resumed session is answered with, ``bound`` what stands in renegotiation_info.
    """
    random_bytes = rng.randbytes(32)
    if TLS13 in character.suites and character.quirks.flaw != "no-sentinel":
        random_bytes = random_bytes[:24] + _DOWNGRADE[choice.version == TLS12]
    return ServerHello(
        legacy_version=choice.version,
        random=random_bytes,
        session_id=rng.randbytes(32) if resumed is None else resumed,
        suite=choice.suite,
        compression=choice.compression,
        # A server that answers nothing ends the message after the compression method (RFC 5246 section 7.4.1.3).
        extensions=_extensions(character, hello, choice, bound, resumed=resumed is not None) or None,
    )


def server_hello13(
    hello: ClientHello, choice: Choice, share: bytes, rng: random.Random, psk: int | None
) -> ServerHello:
    """The ServerHello of a choice of TLS 1.3 with our key share; ``psk`` is the place of the PSK that was taken."""
    entry = KeyShareEntry(choice.group or 0, share)
    extensions = [(SUPPORTED_VERSIONS, TLS13), (KEY_SHARE, entry)] + [(PRE_SHARED_KEY, psk)] * (psk is not None)
    return _hello13(hello, choice, rng.randbytes(32), "sh", extensions)


def retry_request(hello: ClientHello, choice: Choice) -> ServerHello:
    """The HelloRetryRequest of a choice."""
    return _hello13(hello, choice, HRR_RANDOM, "hrr", [(SUPPORTED_VERSIONS, TLS13), (KEY_SHARE, choice.group)])


def _hello13(
    hello: ClientHello, choice: Choice, random_bytes: bytes, message: str, extensions: list[tuple[int, Any]]
) -> ServerHello:
    return ServerHello(
        legacy_version=TLS12,
        random=random_bytes,
        session_id=hello.session_id,
        suite=choice.suite,
        compression=0,
        extensions=tuple(Extension(code, encode_extension(code, value, message)) for code, value in extensions),
    )


# What a server before TLS 1.3 answers: extension -> its value for this choice, or _NO_ANSWER.
_NO_ANSWER: Any = object()


def _point_formats(_: Character, __: ClientHello, choice: Choice) -> Any:
    return (0,) if SUITES[choice.suite].kex in {"ECDHE", "ECDH"} else _NO_ANSWER


def chosen_alpn(character: Character, hello: ClientHello) -> bytes | None:
    """The protocol the character likes best of those offered."""
    return next((name for name in character.alpn if name in hello.alpn), None)


def _alpn(character: Character, hello: ClientHello, _: Choice) -> Any:
    name = chosen_alpn(character, hello)
    return _NO_ANSWER if name is None else (name,)


def _encrypt_then_mac(_: Character, __: ClientHello, choice: Choice) -> Any:
    return None if SUITES[choice.suite].enc.endswith("-CBC") else _NO_ANSWER  # RFC 7366 section 3


# The lab knows no authority: what it says of its certificates is nothing that a client could read.
STAPLE = CertificateStatus(1, b"no OCSPResponse")
SCTS = (b"no SignedCertificateTimestamp",)


def _fragment_length(character: Character, hello: ClientHello, _: Choice) -> Any:
    return _NO_ANSWER if limits_sizes(character, hello) else hello.extension(MAX_FRAGMENT_LENGTH)


def limits_sizes(character: Character, hello: ClientHello) -> bool:
    """Whether record_size_limit is agreed, which max_fragment_length stands back for (RFC 8449 section 5)."""
    return RECORD_SIZE_LIMIT in character.answers and RECORD_SIZE_LIMIT in hello.extension_types


def size_answers(character: Character, hello: ClientHello) -> list[tuple[int, Any]]:
    """What EncryptedExtensions says of sizes: extensions and their values."""
    if limits_sizes(character, hello):
        return [(RECORD_SIZE_LIMIT, MAX_PLAINTEXT + 1)]
    value = hello.extension(MAX_FRAGMENT_LENGTH) if MAX_FRAGMENT_LENGTH in character.answers else None
    return [] if value is None else [(MAX_FRAGMENT_LENGTH, value)]


def size_limits(character: Character, hello: ClientHello, version: int) -> tuple[int, int]:
    """The most bytes of plaintext in a record, in clear and protected, as the client asks (RFC 6066 4, RFC 8449 4)."""
    if limits_sizes(character, hello):
        # In TLS 1.3 the content type counts.
        return MAX_PLAINTEXT, min(hello.extension(RECORD_SIZE_LIMIT) - (version == TLS13), MAX_PLAINTEXT)
    found = dict(size_answers(character, hello)).get(MAX_FRAGMENT_LENGTH)
    size = MAX_PLAINTEXT if found is None else FRAGMENT_LENGTHS[found]
    return size, size


def _always(value: Any) -> Callable[[Character, ClientHello, Choice], Any]:
    return lambda _, __, ___: value


_ANSWERS: dict[int, Callable[[Character, ClientHello, Choice], Any]] = {
    RENEGOTIATION_INFO: _always(b""),  # its body is that of ``bound``
    SERVER_NAME: _always(None),
    MAX_FRAGMENT_LENGTH: _fragment_length,
    RECORD_SIZE_LIMIT: _always(MAX_PLAINTEXT),
    POINT_FORMATS: _point_formats,
    STATUS_REQUEST: _always(None),
    HEARTBEAT: _always(1),
    SCT: _always(SCTS),
    ALPN: _alpn,
    ENCRYPT_THEN_MAC: _encrypt_then_mac,
    EXTENDED_MASTER_SECRET: _always(None),
    SESSION_TICKET: _always(None),
}

_EMPTY_RENEGOTIATION_SCSV = 0x00FF  # RFC 5746 section 3.3: stands for an empty renegotiation_info


# A session that goes on has its name, its certificate and its ticket already (RFC 6066 sections 3 and 8, RFC 5077 3.3).
_FULL_ONLY = frozenset({SERVER_NAME, STATUS_REQUEST, SCT, SESSION_TICKET})


def _extensions(
    character: Character, hello: ClientHello, choice: Choice, bound: bytes, *, resumed: bool
) -> tuple[Extension, ...]:
    asked = set(hello.extension_types)
    if _EMPTY_RENEGOTIATION_SCSV in hello.suites:
        asked.add(RENEGOTIATION_INFO)
    if choice.version == SSLV3:
        asked &= {RENEGOTIATION_INFO}  # RFC 5746 section 4.5: the only extension SSLv3 servers send
    if resumed:
        asked -= _FULL_ONLY
    found = []
    for code, answer in _ANSWERS.items():
        if code in asked and code in character.answers:
            value = bound if code == RENEGOTIATION_INFO else answer(character, hello, choice)
            if value is not _NO_ANSWER:
                found.append(Extension(code, encode_extension(code, value, "sh")))
    return tuple(found)


def encode_server_hello(value: ServerHello, behind: bytes = b"") -> bytes:
    """The handshake message of a ServerHello, ``behind`` as its end."""
    return encode_handshake(SERVER_HELLO, build(SERVER_HELLO_BODY, value) + behind)


def after_hello(
    character: Character, hello: ClientHello, choice: Choice, answer: ServerHello, exchange: Exchange
) -> bytes:
    """The handshake messages between ServerHello and ServerHelloDone, both versions' limits kept (before TLS 1.3)."""
    found = []
    if choice.certificate is not None:
        body = Certificate12(flaws.chain(character.quirks.flaw, keys.certificate(choice.certificate)))
        found.append((CERTIFICATE, build(body_grammar(CERTIFICATE, choice.version), body)))
        if answer.raw_extension(STATUS_REQUEST) is not None:
            found.append((CERTIFICATE_STATUS, build(body_grammar(CERTIFICATE_STATUS), STAPLE)))
    params = _key_exchange(choice, hello, answer, exchange)
    if params is not None:
        found.append((SERVER_KEY_EXCHANGE, params))
    if asks_certificate(character, choice):
        found.append((CERTIFICATE_REQUEST, _certificate_request(character, choice)))
    found.append((SERVER_HELLO_DONE, b""))
    return b"".join(encode_handshake(kind, body) for kind, body in found)


def asks_certificate(character: Character, choice: Choice) -> bool:
    """Whether the flight before TLS 1.3 asks for the client's certificate, which needs one of the server's own."""
    return bool(character.client_certificate) and choice.certificate is not None


def _certificate_request(character: Character, choice: Choice) -> bytes:
    types, authorities = (1, 64), (keys.authority(),)
    value = (
        CertificateRequest12(types, character.schemes, authorities)
        if choice.version >= TLS12
        else CertificateRequest10(types, authorities)
    )
    return build(body_grammar(CERTIFICATE_REQUEST, choice.version), value)


_PSK_HINT = b"tlswire lab"


def _key_exchange(choice: Choice, hello: ClientHello, answer: ServerHello, exchange: Exchange) -> bytes | None:
    """The body of ServerKeyExchange; None for the suites that have none, or none with a defined body."""
    psk = SUITES[choice.suite].auth == "PSK"
    if exchange.params is None and not psk:
        return None
    value = ServerKeyExchange(hint=_PSK_HINT if psk else None, params=exchange.params)
    grammar = server_key_exchange(choice.suite, choice.version)
    if choice.certificate is None or not signs(choice.suite):
        return build(grammar, value)
    named = choice.version >= TLS12
    unsigned = ServerKeyExchange(value.hint, value.params, Signature12(choice.scheme, b"") if named else b"")
    # An empty signature leaves the scheme and a length: what stands before them is what gets signed.
    signed = build(grammar, unsigned)[: -4 if named else -2]
    content = server_params_signed(hello.random, answer.random, signed)
    signature = keys.key(choice.certificate).sign(choice.scheme, content)
    return build(
        grammar,
        ServerKeyExchange(value.hint, value.params, Signature12(choice.scheme, signature) if named else signature),
    )


def encrypted_records(choice: Choice, rng: random.Random) -> bytes:
    """Four records that look like what follows a TLS 1.3 ServerHello; nothing is inside.

    Their sizes are those of EncryptedExtensions, Certificate, CertificateVerify and Finished.
    """
    kind = choice.certificate or ""
    digest = 48 if SUITES[choice.suite].prf == "SHA384" else 32
    signature = {"rsa": 256}.get(kind, 72)
    sizes = (6, 4 + 1 + 3 + 3 + len(keys.certificate(kind)) + 2, 4 + 4 + signature, 4 + digest)
    return b"".join(fragment(APPLICATION_DATA, TLS12, rng.randbytes(size + _AEAD_TAG_AND_TYPE)) for size in sizes)


def sslv2_server_hello(kinds: tuple[int, ...], rng: random.Random) -> bytes:
    """The message (type and body) of an SSLv2 SERVER-HELLO that offers ``kinds``."""
    value = SSLv2ServerHello(0, 1, 0x0002, keys.certificate("rsa"), kinds, rng.randbytes(16))
    return bytes([SSLV2_SERVER_HELLO]) + build(SSLV2_BODIES[SSLV2_SERVER_HELLO], value)
