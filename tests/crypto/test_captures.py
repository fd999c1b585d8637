"""Captures of others with key logs beside them: what they hold opens, to the last record."""

from __future__ import annotations

import struct
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest

from tlswire.crypto import prf, schedule
from tlswire.crypto.keylog import MASTER, parse_keylog
from tlswire.crypto.protection import protection13, protections12
from tlswire.crypto.records import RecordStream
from tlswire.crypto.suites import digest_of
from tlswire.wire.handshake import encode_handshake, parse_client_hello, parse_server_hello
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Message

WIRESHARK = Path(__file__).parents[3] / "shared" / "captures" / "wireshark-4.0.17" / "test"
pytestmark = pytest.mark.skipif(not WIRESHARK.exists(), reason="../shared/captures is not there")

Side = tuple[int, int]


def streams(name: str) -> dict[Side, bytes]:
    """What each side sent, by its port and its peer's; Ethernet, IPv4, every segment once and in order."""
    data = (WIRESHARK / "captures" / name).read_bytes()
    found: dict[Side, bytes] = defaultdict(bytes)
    at = 24
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        ip = data[at + 30 : at + 16 + size]
        at += 16 + size
        segment = ip[(ip[0] & 15) * 4 : int.from_bytes(ip[2:4], "big")]
        source, target = struct.unpack_from(">HH", segment)
        found[source, target] += segment[(segment[12] >> 4) * 4 :]
    return found


def conversations(name: str) -> list[tuple[bytes, bytes]]:
    """Client's and server's bytes of every connection."""
    sides = streams(name)
    return [(sides[source, target], sides[target, source]) for source, target in sides if target == 443]


def first(data: bytes, count: int = 1) -> list[Message]:
    found = list(RecordStream().feed(data))
    assert found[0].content == HANDSHAKE
    return found[:count]


TLS13 = conversations("tls13-rfc8446.pcap") if WIRESHARK.exists() else []


def test_what_is_there() -> None:
    assert len(TLS13) == 2
    assert len(conversations("tls12-chacha20poly1305.pcap")) == 7


def opened(data: bytes, suite: int, keys: list[tuple[int, bytes]], transcript: bytes) -> tuple[dict[int, bytes], bytes]:
    """Application data by how many keys had been taken up, and the transcript; each key comes after a message type."""
    digest = digest_of(suite)
    said: dict[int, bytes] = defaultdict(bytes)
    reader, taken = RecordStream(), 0
    for message in reader.feed(data):
        if message.content == APPLICATION_DATA:
            said[taken] += message.body
        if message.content != HANDSHAKE:
            continue
        if message.type == 20:
            assert message.body == schedule.verify_data(
                digest, keys[taken - 1][1], schedule.transcript_hash(digest, transcript)
            )
        if message.type in {5, 8, 11, 15, 20}:
            transcript += encode_handshake(message.type, message.body)
        if taken < len(keys) and message.type == keys[taken][0]:
            reader.protect(protection13(suite, keys[taken][1]))
            taken += 1
    assert (reader.error, reader.pending, taken) == (None, 0, len(keys))
    return said, transcript


@pytest.mark.parametrize("number", [0, 1], ids=["full", "resumed with early data"])
def test_tls_1_3_opens_and_its_finished_verify(number: int) -> None:
    log = parse_keylog((WIRESHARK / "keys" / "tls13-rfc8446.keys").read_bytes())
    client, server = TLS13[number]
    hello, answer = first(client)[0], first(server)[0]
    suite = parse_server_hello(answer.body).suite
    secrets = log.of(parse_client_hello(hello.body).random)
    transcript = encode_handshake(1, hello.body) + encode_handshake(2, answer.body)
    keys = [(2, secrets["SERVER_HANDSHAKE_TRAFFIC_SECRET"]), (20, secrets["SERVER_TRAFFIC_SECRET_0"])]
    said, transcript = opened(server, suite, keys, transcript)
    assert said[2]
    early = secrets.get("CLIENT_EARLY_TRAFFIC_SECRET")
    keys = (
        [(1, early), (5, secrets["CLIENT_HANDSHAKE_TRAFFIC_SECRET"])]
        if early
        else [(1, secrets["CLIENT_HANDSHAKE_TRAFFIC_SECRET"])]
    )
    said, _ = opened(client, suite, [*keys, (20, secrets["CLIENT_TRAFFIC_SECRET_0"])], transcript)
    assert bool(early) == (number == 1)
    assert said[len(keys) + 1]
    assert bool(said[1]) == (number == 1)


def test_early_data_without_its_key_is_skipped() -> None:
    log = parse_keylog((WIRESHARK / "keys" / "tls13-rfc8446.keys").read_bytes())
    client, server = TLS13[1]
    suite = parse_server_hello(first(server)[0].body).suite
    secrets = log.of(parse_client_hello(first(client)[0].body).random)
    kinds = []
    reader = RecordStream(forgive=1 << 14)
    for message in reader.feed(client):
        kinds.append(message.type)
        if message.content == HANDSHAKE and message.type in {1, 20}:
            label = "CLIENT_HANDSHAKE_TRAFFIC_SECRET" if message.type == 1 else "CLIENT_TRAFFIC_SECRET_0"
            reader.protect(protection13(suite, secrets[label]))
    assert reader.error is None
    assert reader.skipped > 0
    assert 20 in kinds


def test_tls_1_2_opens_and_its_finished_verify() -> None:
    log = parse_keylog((WIRESHARK / "keys" / "tls12-chacha20poly1305.keys").read_bytes())
    suites = set()
    for sides in conversations("tls12-chacha20poly1305.pcap"):
        client_hello, server_hello = (
            parse_client_hello(first(sides[0])[0].body),
            parse_server_hello(first(sides[1])[0].body),
        )
        secrets = log.of(client_hello.random)
        master = secrets.get(MASTER)
        if master is None:
            continue  # with a pre-shared key, which is not in the log
        suite = server_hello.suite
        suites.add(suite)
        keys = protections12(0x0303, suite, master, client_hello.random, server_hello.random, rng=Random(1))
        data = []
        finished = []
        for number, side in enumerate(sides):
            reader, protected = RecordStream(), False
            for message in reader.feed(side):
                if message.content == CHANGE_CIPHER_SPEC:
                    reader.protect(keys[number])
                    protected = True
                elif protected and message.content == HANDSHAKE:
                    finished.append(message.body)
                elif protected and message.content == APPLICATION_DATA:
                    data.append(message.body)
            assert (reader.error, reader.pending) == (None, 0)
        assert data
        # Both sides' messages in the order of a full handshake: hello, the server's flight, the client's.
        ours = [message for message in RecordStream().feed(sides[0]) if message.content == HANDSHAKE and message.type]
        theirs = [message for message in RecordStream().feed(sides[1]) if message.content == HANDSHAKE and message.type]
        flight = [*ours[:1], *[message for message in theirs if message.type != 4], *ours[1:]]
        transcript = b"".join(encode_handshake(message.type, message.body) for message in flight)
        assert finished[0] == prf.verify_data(0x0303, master, transcript, server=False, digest=digest_of(suite))
    assert len(suites) >= 5
