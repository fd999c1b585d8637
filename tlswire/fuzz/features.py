"""What a server can do, asked before it is judged: a stack is held to a clause only where it has what the clause is about.

A feature is a hello that offers it and a look at the answer; adding one is a row of FEATURES. Those that take a whole
handshake are asked in ``fuzz.preflight``. Sans-IO.
Must not import anything of tlswire but ``registry``, ``wire``, ``hello`` and ``fuzz``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.model import FLIGHT, RETRY
from tlswire.fuzz.script import FFDHE2048, SECP256R1, TLS12, TLS13, X25519, X25519MLKEM768, Script, script_of
from tlswire.hello.edit import KEY_SHARE, with_extension, with_groups, with_suites
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.primitives import build
from tlswire.wire.records import sslv2_record
from tlswire.wire.sslv2 import CLIENT_HELLO, SSLV2_BODIES, SSLv2ClientHello

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.script import Ground
    from tlswire.wire.messages import ClientHello

ECDHE12 = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014)
RSA12 = (0x009C, 0x009D, 0x002F, 0x0035)
CBC12 = (0xC009, 0xC00A, 0xC013, 0xC014, 0x002F, 0x0035)


class Feature(msgspec.Struct, frozen=True):
    """What is sent, and whether the answer shows the feature."""

    make: Callable[[Ground], Script]
    shown: Callable[[Heard], bool]


def _answered(version: int) -> Callable[[Heard], bool]:
    return lambda heard: heard.version == version and heard.reaction in {FLIGHT, RETRY}


def _extension(code: int) -> Callable[[Heard], bool]:
    def shown(heard: Heard) -> bool:
        answers = (heard.hello, heard.encrypted_extensions)
        return any(answer is not None and answer.raw_extension(code) is not None for answer in answers)

    return shown


def _message(name: str) -> Callable[[Heard], bool]:
    return lambda heard: name in heard.flight


def _modern(code: int, body: bytes) -> Callable[[Ground], Script]:
    return lambda ground: script_of(with_extension(ground.modern, code, body))


def _older(code: int, body: bytes) -> Callable[[Ground], Script]:
    return lambda ground: script_of(with_extension(ground.older, code, body))


def _suites(suites: tuple[int, ...]) -> Callable[[Ground], Script]:
    return lambda ground: script_of(with_suites(ground.older, suites))


def only_group(ground: Ground, group: int) -> ClientHello:
    """The modern hello for this group alone, with a share of it (none where it cannot be computed here)."""
    key = ground.key(group)
    shares = () if key is None else (KeyShareEntry(group, key.public),)
    hello = with_extension(ground.modern, KEY_SHARE, encode_extension(KEY_SHARE, shares, "ch"))
    return with_groups(hello, (group,))


def _group(group: int) -> Feature:
    return Feature(
        lambda ground: script_of(only_group(ground, group)),
        lambda heard: heard.version == TLS13 and heard.hello is not None and heard.hello.group == group,
    )


def _no_share(ground: Ground) -> Script:
    return script_of(with_extension(ground.modern, KEY_SHARE, bytes(2)))


def _sslv2(ground: Ground) -> Script:
    hello = SSLv2ClientHello(TLS12, (*RSA12, *ECDHE12, 0x00FF), b"", ground.older.random)
    message = bytes([CLIENT_HELLO]) + build(SSLV2_BODIES[CLIENT_HELLO], hello, "sslv2_client_hello")
    return Script(sslv2_record(message))


FEATURES: dict[str, Feature] = {
    "tls13": Feature(lambda ground: script_of(ground.modern), _answered(TLS13)),
    "tls12": Feature(lambda ground: script_of(ground.older), _answered(TLS12)),
    "retry": Feature(_no_share, lambda heard: heard.retry is not None),
    "x25519": _group(X25519),
    "secp256r1": _group(SECP256R1),
    "ffdhe2048": _group(FFDHE2048),
    "mlkem": _group(X25519MLKEM768),
    "alpn": Feature(lambda ground: script_of(ground.modern), _extension(16)),
    "ems": Feature(lambda ground: script_of(ground.older), _extension(23)),
    "etm": Feature(_suites(CBC12), _extension(22)),
    "mfl": Feature(_modern(1, b"\x04"), _extension(1)),
    "rsl": Feature(_modern(28, b"\x40\x00"), _extension(28)),
    "compcert": Feature(_modern(27, b"\x06\0\1\0\2\0\3"), _message("compressed-certificate")),
    "heartbeat": Feature(_older(15, b"\x01"), _extension(15)),
    "status-request": Feature(_older(5, b"\x01\0\0\0\0"), _message("certificate-status")),
    "ticket12": Feature(lambda ground: script_of(ground.older), _extension(35)),
    "renegotiation-info": Feature(lambda ground: script_of(ground.older), _extension(0xFF01)),
    "npn": Feature(_older(0x3374, b""), _extension(0x3374)),
    "ecdhe12": Feature(_suites(ECDHE12), _answered(TLS12)),
    "rsa12": Feature(_suites(RSA12), _answered(TLS12)),
    "sslv2-hello": Feature(_sslv2, _message("server-hello")),
}
# Asked by whole handshakes.
BY_HANDSHAKE = ("psk13", "resumes13", "resumes13-retry", "resumes12", "renegotiation")
NAMES = frozenset({*FEATURES, *BY_HANDSHAKE})
