"""Sessions and captures made by hand, for the tests of what is written of them."""

from __future__ import annotations

import hashlib
import struct
from random import Random
from typing import Any

from tlswire.hello.builder import Shape, client_hello, encode_client_hello
from tlswire.results.session import Alert, Endpoint, Hello, Session

HOSTILE = "=cmd|' /C calc'!A1\x1b[31m\u202e\r\n;\x85"
JA4 = "t13d1516h2_8daaf6152771_e5627efa2ab1"


def hello(**fields: Any) -> Hello:
    known: dict[str, Any] = {
        "frame": 4,
        "record_version": "0x0301",
        "legacy_version": "0x0303",
        "suites": ["0x1301", "0xC02F"],
        "extensions": [0, 43],
        "groups": ["0x001D"],
        "key_shares": ["0x001D"],
        "signature_schemes": ["0x0403"],
        "versions": ["0x2A2A", "0x0304", "0x0303"],
        "point_formats": [0],
        "server_name": "www.example.com",
        "alpn": ["h2"],
        "ja3": "b99319fc585892b70289faa816d76fe9",
        "ja3_text": "771",
        "ja4": JA4,
        "ja4_r": JA4,
        "ja4_o": JA4,
        "ja4_ro": JA4,
        "partial": False,
        "session_id": True,
        "session_ticket": False,
        "psk": False,
        "early_data": False,
        "ech": None,
        "length": 512,
        "sha256": hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest(),
    }
    return Hello(**known | fields)


def session(**fields: Any) -> Session:
    known: dict[str, Any] = {
        "capture": "made.pcap",
        "transport": "tcp",
        "client": Endpoint("10.0.0.1", 50000),
        "server": Endpoint("192.0.2.1", 443),
        "first_frame": 1,
        "start": 1_700_000_000.25,
        "protocol": None,
        "tunnel": None,
        "quic_version": None,
        "server_name": "www.example.com",
        "version": "0x0303",
        "version_name": "TLS 1.2",
        "suite": "0xC02F",
        "suite_name": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "group": "0x001D",
        "group_name": "x25519",
        "alpn": "h2",
        "hellos": [hello()],
        "server_hellos": [],
        "key_exchange": None,
        "certificate_request": None,
        "certificates": [],
        "alerts": [],
        "resumed": False,
        "early_data": False,
        "retry": None,
        "process": None,
        "outcome": "established",
        "weak": [],
        "notes": [],
    }
    return Session(**known | fields)


def refused(**fields: Any) -> Session:
    alerts = [Alert(7, "server", "fatal", "handshake_failure", 40)]
    return session(**UNCHOSEN | {"outcome": "alert", "alerts": alerts} | fields)


UNCHOSEN = dict.fromkeys(("version", "version_name", "suite", "suite_name", "group", "group_name", "alpn"))


def hello_message(name: bytes = b"www.example.com", seed: int = 0) -> bytes:
    value = client_hello((0x0304, 0x0303), (0x1301, 0xC02F), rng=Random(seed), shape=Shape(server_name=name))
    return encode_client_hello(value)[5:]


def record(kind: int, body: bytes) -> bytes:
    return struct.pack(">BHH", kind, 0x0301, len(body)) + body


ALERT = record(21, b"\x02\x28")


def conversation(client: str, server: str, port: int, *turns: tuple[int, bytes]) -> list[bytes]:
    """Ethernet frames of a TCP connection: turns are (side, bytes), side 0 being the client."""
    raw = [bytes(map(int, address.split("."))) for address in (client, server)]
    ports = (40000, port)
    sequence = [1000, 5000]

    def frame(side: int, flags: int, data: bytes = b"") -> bytes:
        tcp = struct.pack(
            ">HHIIBBHHH", ports[side], ports[1 - side], sequence[side], sequence[1 - side], 0x50, flags, 8192, 0, 0
        )
        sequence[side] += len(data) + bool(flags & 3)
        total = 20 + len(tcp) + len(data)
        head = struct.pack(">BBHHHBBH", 0x45, 0, total, 0, 0, 64, 6, 0) + raw[side] + raw[1 - side]
        return bytes(12) + b"\x08\x00" + head + tcp + data

    frames = [frame(0, 2), frame(1, 0x12), frame(0, 0x10)]
    frames += [frame(side, 0x18, data) for side, data in turns]
    return [*frames, frame(0, 0x11), frame(1, 0x11), frame(0, 0x10)]


def pcap(*frames: bytes) -> bytes:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return head + b"".join(
        struct.pack("<IIII", 1_700_000_000 + at, 0, len(data), len(data)) + data for at, data in enumerate(frames)
    )


def capture(names: tuple[bytes, ...] = (b"www.example.com", b"api.example.org"), server: str = "192.0.2.1") -> bytes:
    """A capture of connections whose hellos are refused."""
    frames: list[bytes] = []
    for seed, name in enumerate(names):
        turns = ((0, record(22, hello_message(name, seed))), (1, ALERT))
        frames += conversation(f"10.0.0.{seed + 1}", server, 443 + seed, *turns)
    return pcap(*frames)
