"""The bytes of a correct first flight: ServerHello to ServerHelloDone, or ServerHello and what looks encrypted.

Everything is built by the grammar of ``wire``; randomness comes from the caller's ``random.Random``. Signatures are
genuine (``lab.keys``), so that clients read on; shared secrets do not exist. Sources: RFC 9846 sections 4.1.3 and 4.3,
RFC 5246 section 7.4, RFC 8422 section 5.4, RFC 4279, RFC 5054. Must not import anything of tlswire but ``registry``,
``wire`` and the rest of ``lab`` but ``responder`` and ``server``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlswire.lab import keys
from tlswire.lab.characters import (
    ALPN,
    ENCRYPT_THEN_MAC,
    EXTENDED_MASTER_SECRET,
    HEARTBEAT,
    POINT_FORMATS,
    RENEGOTIATION_INFO,
    SERVER_NAME,
    SESSION_TICKET,
    SSLV3,
    TLS12,
    TLS13,
    Character,
)
from tlswire.lab.negotiation import signs
from tlswire.registry import GROUPS, SUITES
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
    DheParams,
    EcdheParams,
    EcParameters,
    Extension,
    RsaParams,
    ServerHello,
    ServerKeyExchange,
    Signature12,
    SrpParams,
)
from tlswire.wire.primitives import build
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, fragment
from tlswire.wire.sslv2 import SERVER_HELLO as SSLV2_SERVER_HELLO
from tlswire.wire.sslv2 import SSLV2_BODIES, SSLv2ServerHello

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tlswire.lab.negotiation import Choice
    from tlswire.wire.messages import ClientHello

# RFC 9846 section 4.1.3: the end of the random of a TLS 1.3 server that negotiates TLS 1.2, or something older.
_DOWNGRADE = {True: b"DOWNGRD\x01", False: b"DOWNGRD\x00"}

_AEAD_TAG_AND_TYPE = 17


def server_hello(character: Character, hello: ClientHello, choice: Choice, rng: random.Random) -> ServerHello:
    """The ServerHello or HelloRetryRequest of a choice."""
    random_bytes = rng.randbytes(32)
    if choice.version == TLS13:
        return ServerHello(
            legacy_version=TLS12,
            random=HRR_RANDOM if choice.retry else random_bytes,
            session_id=hello.session_id,
            suite=choice.suite,
            compression=0,
            extensions=_extensions_tls13(choice, rng),
        )
    if TLS13 in character.suites:
        random_bytes = random_bytes[:24] + _DOWNGRADE[choice.version == TLS12]
    return ServerHello(
        legacy_version=choice.version,
        random=random_bytes,
        session_id=rng.randbytes(32),
        suite=choice.suite,
        compression=choice.compression,
        # A server that answers nothing ends the message after the compression method (RFC 5246 section 7.4.1.3).
        extensions=_extensions(character, hello, choice) or None,
    )


def _extensions_tls13(choice: Choice, rng: random.Random) -> tuple[Extension, ...]:
    message = "hrr" if choice.retry else "sh"
    group = choice.group or 0
    share = group if choice.retry else KeyShareEntry(group, _public(group, rng))
    return (
        Extension(43, encode_extension(43, TLS13, message)),
        Extension(51, encode_extension(51, share, message)),
    )


def _public(group: int, rng: random.Random) -> bytes:
    """A public value of ``group``: a point on the curve where we have one, else bytes of the right length."""
    row = GROUPS[group]
    if group in keys.points():
        return keys.points()[group]
    value = rng.randbytes(row.server_share_len or 32)
    return b"\x04" + value[1:] if row.kind.startswith("ec") else value


# What a server before TLS 1.3 answers: extension -> its value for this choice, or _NO_ANSWER.
_NO_ANSWER: Any = object()


def _point_formats(_: Character, __: ClientHello, choice: Choice) -> Any:
    return (0,) if SUITES[choice.suite].kex in {"ECDHE", "ECDH"} else _NO_ANSWER


def _alpn(character: Character, hello: ClientHello, _: Choice) -> Any:
    return next(((name,) for name in character.alpn if name in hello.alpn), _NO_ANSWER)


def _encrypt_then_mac(_: Character, __: ClientHello, choice: Choice) -> Any:
    return None if SUITES[choice.suite].enc.endswith("-CBC") else _NO_ANSWER  # RFC 7366 section 3


def _always(value: Any) -> Callable[[Character, ClientHello, Choice], Any]:
    return lambda _, __, ___: value


_ANSWERS: dict[int, Callable[[Character, ClientHello, Choice], Any]] = {
    RENEGOTIATION_INFO: _always(b""),
    SERVER_NAME: _always(None),
    POINT_FORMATS: _point_formats,
    HEARTBEAT: _always(1),
    ALPN: _alpn,
    ENCRYPT_THEN_MAC: _encrypt_then_mac,
    EXTENDED_MASTER_SECRET: _always(None),
    SESSION_TICKET: _always(None),
}

_EMPTY_RENEGOTIATION_SCSV = 0x00FF  # RFC 5746 section 3.3: stands for an empty renegotiation_info


def _extensions(character: Character, hello: ClientHello, choice: Choice) -> tuple[Extension, ...]:
    asked = set(hello.extension_types)
    if _EMPTY_RENEGOTIATION_SCSV in hello.suites:
        asked.add(RENEGOTIATION_INFO)
    if choice.version == SSLV3:
        asked &= {RENEGOTIATION_INFO}  # RFC 5746 section 4.5: the only extension SSLv3 servers send
    found = []
    for code, answer in _ANSWERS.items():
        if code in asked and code in character.answers:
            value = answer(character, hello, choice)
            if value is not _NO_ANSWER:
                found.append(Extension(code, encode_extension(code, value, "sh")))
    return tuple(found)


def encode_server_hello(value: ServerHello) -> bytes:
    """The handshake message of a ServerHello."""
    return encode_handshake(SERVER_HELLO, build(SERVER_HELLO_BODY, value))


def after_hello(
    character: Character, hello: ClientHello, choice: Choice, answer: ServerHello, rng: random.Random
) -> bytes:
    """The handshake messages between ServerHello and ServerHelloDone, both versions' limits kept (before TLS 1.3)."""
    found = []
    if choice.certificate is not None:
        body = Certificate12((keys.certificate(choice.certificate),))
        found.append((CERTIFICATE, build(body_grammar(CERTIFICATE, choice.version), body)))
    exchange = _key_exchange(character, hello, choice, answer, rng)
    if exchange is not None:
        found.append((SERVER_KEY_EXCHANGE, exchange))
    if character.asks_certificate and choice.certificate is not None:
        found.append((CERTIFICATE_REQUEST, _certificate_request(character, choice)))
    found.append((SERVER_HELLO_DONE, b""))
    return b"".join(encode_handshake(kind, body) for kind, body in found)


def _certificate_request(character: Character, choice: Choice) -> bytes:
    types, authorities = (1, 64), (keys.authority(),)
    value = (
        CertificateRequest12(types, character.schemes, authorities)
        if choice.version >= TLS12
        else CertificateRequest10(types, authorities)
    )
    return build(body_grammar(CERTIFICATE_REQUEST, choice.version), value)


def _export_bits(suite: int) -> int:
    return 1024 if "EXPORT1024" in SUITES[suite].name else 512


def _ecdhe(_: Character, choice: Choice, rng: random.Random) -> EcdheParams:
    group = choice.group or 0
    return EcdheParams(EcParameters(3, group), _public(group, rng))


def _dhe(character: Character, choice: Choice, rng: random.Random) -> DheParams:
    bits = _export_bits(choice.suite) if SUITES[choice.suite].export else character.dh_bits
    prime = keys.dh_prime(bits)
    return DheParams(prime, b"\x02", _below(prime, rng))


def _srp(_: Character, __: Choice, rng: random.Random) -> SrpParams:
    prime = keys.dh_prime(2048)
    return SrpParams(prime, b"\x02", rng.randbytes(16), _below(prime, rng))


def _rsa(_: Character, choice: Choice, __: random.Random) -> RsaParams:
    return RsaParams(keys.export_modulus(_export_bits(choice.suite)), b"\x01\x00\x01")


def _below(prime: bytes, rng: random.Random) -> bytes:
    return rng.randrange(2, int.from_bytes(prime) - 1).to_bytes(len(prime))


_PARAMS: dict[str, Callable[[Character, Choice, random.Random], Any]] = {
    "ECDHE": _ecdhe,
    "ECDH": _ecdhe,
    "DHE": _dhe,
    "DH": _dhe,
    "SRP": _srp,
    "RSA": _rsa,
}

_PSK_HINT = b"tlswire lab"


def _key_exchange(
    character: Character, hello: ClientHello, choice: Choice, answer: ServerHello, rng: random.Random
) -> bytes | None:
    """The body of ServerKeyExchange; None for the suites that have none, or none with a defined body."""
    row = SUITES[choice.suite]
    psk = row.auth == "PSK"
    params = _PARAMS.get(row.kex)
    if psk and row.kex in {"PSK", "RSA"}:
        params = None
    elif params is None or not (row.kex in {"DHE", "ECDHE", "SRP"} or row.anonymous or signs(choice.suite)):
        return None
    value = ServerKeyExchange(
        hint=_PSK_HINT if psk else None, params=None if params is None else params(character, choice, rng)
    )
    grammar = server_key_exchange(choice.suite, choice.version)
    if choice.certificate is None or not signs(choice.suite):
        return build(grammar, value)
    named = choice.version >= TLS12
    unsigned = ServerKeyExchange(value.hint, value.params, Signature12(choice.scheme, b"") if named else b"")
    # An empty signature leaves the scheme and a length: what stands before them is what gets signed.
    signed = build(grammar, unsigned)[: -4 if named else -2]
    content = hello.random + answer.random + signed
    signature = keys.key(choice.certificate).sign(choice.scheme, content)
    return build(
        grammar,
        ServerKeyExchange(value.hint, value.params, Signature12(choice.scheme, signature) if named else signature),
    )


def encrypted_flight(choice: Choice, hello: ClientHello, rng: random.Random) -> bytes:
    """What follows a TLS 1.3 ServerHello, as an observer sees it: ChangeCipherSpec and four encrypted records.

    Their sizes are those of EncryptedExtensions, Certificate, CertificateVerify and Finished; nothing is inside.
    """
    kind = choice.certificate or ""
    digest = 48 if SUITES[choice.suite].prf == "SHA384" else 32
    signature = {"rsa": 256}.get(kind, 72)
    sizes = (6, 4 + 1 + 3 + 3 + len(keys.certificate(kind)) + 2, 4 + 4 + signature, 4 + digest)
    # RFC 9846 appendix E.4: only a client that sent a session id wants the compatibility record.
    change = fragment(CHANGE_CIPHER_SPEC, TLS12, b"\x01") if hello.session_id else b""
    return change + b"".join(
        fragment(APPLICATION_DATA, TLS12, rng.randbytes(size + _AEAD_TAG_AND_TYPE)) for size in sizes
    )


def first_flight(
    character: Character, hello: ClientHello, choice: Choice, answer: ServerHello, rng: random.Random
) -> bytes:
    """Every record of the first flight of a choice, which begins with ``answer``."""
    message = encode_server_hello(answer)
    if choice.version < TLS13:
        message += after_hello(character, hello, choice, answer, rng)
        return fragment(HANDSHAKE, choice.version, message)
    records = fragment(HANDSHAKE, TLS12, message)
    if choice.retry:
        return records + (fragment(CHANGE_CIPHER_SPEC, TLS12, b"\x01") if hello.session_id else b"")
    return records + encrypted_flight(choice, hello, rng)


def sslv2_server_hello(kinds: tuple[int, ...], rng: random.Random) -> bytes:
    """The message (type and body) of an SSLv2 SERVER-HELLO that offers ``kinds``."""
    value = SSLv2ServerHello(0, 1, 0x0002, keys.certificate("rsa"), kinds, rng.randbytes(16))
    return bytes([SSLV2_SERVER_HELLO]) + build(SSLV2_BODIES[SSLV2_SERVER_HELLO], value)
