"""Every flawed character does what its row says, and its twin, the plain server, has none of it."""

from __future__ import annotations

import zlib
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tlswire.crypto.protection import Cbc, protections12
from tlswire.handshake.client import Client
from tlswire.handshake.leaf import public_key
from tlswire.handshake.offer import encode
from tlswire.hello.edit import with_extension
from tlswire.lab import flaws, keys
from tlswire.lab.actions import Close, Hold, Send
from tlswire.lab.characters import CHARACTERS, character
from tlswire.lab.quirks import Flaw
from tlswire.lab.responder import Conversation
from tlswire.lab.sessions import Sessions
from tlswire.wire.extension_bodies import OcspRequest, StatusRequest
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import encode_handshake, parse_server_hello
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, HEARTBEAT, Deframer, Message, fragment

from .handshakes import REQUEST, complete, hello_for

if TYPE_CHECKING:
    from tlswire.handshake.conversation import Conversation as Shown
    from tlswire.lab.actions import Action
    from tlswire.wire.messages import ClientHello, ServerHello

TLS10, TLS12, TLS13 = 0x0301, 0x0303, 0x0304
ECDHE_GCM, ECDHE_CBC, RSA_CBC, DHE_GCM, AES128_13 = 0xC02F, 0xC013, 0x002F, 0x009E, 0x1301
HELLO = {TLS12: hello_for(TLS12, (ECDHE_GCM,)), TLS13: hello_for(TLS13, (AES128_13,))}
BOTH = pytest.mark.parametrize("version", [TLS12, TLS13])


def offering(hello: ClientHello, code: int, value: Any) -> ClientHello:
    return with_extension(hello, code, encode_extension(code, value, "ch"))


def test_every_flaw_has_a_character() -> None:
    of_rows = {it.quirks.flaw for it in CHARACTERS.values()} - {""}
    assert of_rows == set(Flaw.__args__) - {""}  # type: ignore[attr-defined]


# Heartbeats.


class Beating(Client):
    """Says heartbeats after its handshake, and keeps what comes back."""

    bodies: tuple[bytes, ...] = ()

    def established(self) -> None:
        self.beats: list[bytes] = []
        Beating.last = self
        for body in self.bodies:
            self.send(HEARTBEAT, body)
        super().established()

    def heard(self, message: Message) -> None:
        if message.content == HEARTBEAT:
            self.beats.append(message.body)
        else:
            super().heard(message)

    last: Beating


def beats(name: str, *bodies: bytes, offered: bool = True) -> tuple[Shown, list[bytes]]:
    hello = offering(HELLO[TLS12], 15, 1) if offered else HELLO[TLS12]
    shown = complete(name, hello, make=type("Beats", (Beating,), {"bodies": bodies}))
    return shown, Beating.last.beats


GOOD_BEAT = b"\1\0\4ping" + bytes(16)
LYING_BEAT = b"\1\0\x14ping"


def test_heartbleed() -> None:
    shown, answers = beats("heartbleed", LYING_BEAT, GOOD_BEAT)
    assert shown.label == "finished"
    assert answers == [b"\2\0\x14ping" + flaws.MEMORY[:16] + bytes(16), b"\2\0\4ping" + bytes(16)]


def test_heartbeats_of_a_good_server() -> None:
    good = msgspec.structs.replace(character("plain"), answers=(*character("plain").answers, 15))
    shown = complete(
        good,
        offering(HELLO[TLS12], 15, 1),
        make=type("B", (Beating,), {"bodies": (LYING_BEAT, GOOD_BEAT, b"\2\0\0", b"\1")}),
    )
    assert shown.label == "finished"
    assert Beating.last.beats == [b"\2\0\4ping" + bytes(16)]
    for offered in (True, False):
        shown, answers = beats("plain", GOOD_BEAT, offered=offered)
        assert (shown.label, answers) == ("alert:unexpected_message", [])
    assert len(beats("heartbleed", GOOD_BEAT, offered=False)[1]) == 1


def test_heartbleed_before_there_are_keys() -> None:
    conversation = Conversation(character("heartbleed"))
    conversation.answer(offering(HELLO[TLS12], 15, 1), b"")
    (answer,) = conversation.receive(fragment(HEARTBEAT, TLS12, LYING_BEAT))
    assert isinstance(answer, Send)
    assert answer.data[5:].startswith(b"\2\0\x14ping")


# Keys before their time, and blocks of RSA.


def opened(name: str, hello: ClientHello) -> tuple[Conversation, ServerHello]:
    """A conversation after the first flight."""
    conversation = Conversation(character(name))
    (flight,) = conversation.answer(hello, encode(hello))
    assert isinstance(flight, Send)
    return conversation, parse_server_hello(Deframer().feed(flight.data)[0].body)


@pytest.mark.parametrize("suite", [ECDHE_GCM, RSA_CBC])
def test_an_early_change_of_keys(suite: int) -> None:
    hello = hello_for(TLS12, (suite,))
    early = fragment(CHANGE_CIPHER_SPEC, TLS12, b"\1")
    unexpected, bad_mac = (Send(bytes((21, 3, 3, 0, 2, 2, code))) for code in (10, 20))
    assert opened("plain", hello)[0].receive(early) == [unexpected, Close()]
    conversation, answer = opened("ccs-injection", hello)
    assert conversation.receive(early) == []
    writer, _ = protections12(TLS12, suite, b"", hello.random, answer.random, rng=Random(0))
    assert conversation.receive(writer.seal(APPLICATION_DATA, b"x")) == [unexpected, Close()]
    conversation, _ = opened("ccs-injection", hello)
    assert conversation.receive(early + fragment(APPLICATION_DATA, TLS12, bytes(64))) == [bad_mac, Close()]


BLOCKS = {
    "good": b"\0\2" + b"\x11" * 205 + b"\0\3\3" + bytes(46),
    "version": b"\0\2" + b"\x11" * 205 + b"\0\2\2" + bytes(46),
    "begin": b"\x41\x17" + b"\x11" * 205 + b"\0\3\3" + bytes(46),
    "misplaced": b"\0\2" + b"\x11" * 204 + b"\0\3\3" + b"\x11" * 47,
    "none": b"\0\2" + b"\x11" * 254,
}


def told(name: str, block: bytes, *, whole: bool = True) -> list[Action]:
    """What comes of a ClientKeyExchange with this block, and of a bad Finished behind it."""
    conversation, _ = opened(name, hello_for(TLS12, (RSA_CBC,)))
    numbers = public_key(keys.certificate("rsa")).public_numbers()
    sealed = pow(int.from_bytes(block), numbers.e, numbers.n).to_bytes(256)
    said = fragment(HANDSHAKE, TLS12, encode_handshake(16, b"\1\0" + sealed))
    if whole:
        said += fragment(CHANGE_CIPHER_SPEC, TLS12, b"\1") + fragment(HANDSHAKE, TLS12, bytes(64))
    return conversation.receive(said)


BAD_MAC = [Send(b"\x15\3\3\0\2\2\x14"), Close()]
DECRYPT = [Send(b"\x15\3\3\0\2\2\x33"), Close()]


@pytest.mark.parametrize(
    ("name", "whole", "different", "how"),
    [
        ("plain", True, (), BAD_MAC),
        ("plain", False, (), []),
        ("robot", True, ("begin",), DECRYPT),
        ("robot-weak", True, ("begin", "misplaced", "none"), DECRYPT),
        ("robot-close", True, ("begin",), [Close()]),
        ("robot-silent", True, ("begin",), [Hold()]),
        ("robot-short", True, (), BAD_MAC),
        ("robot-short", False, ("begin",), BAD_MAC),
    ],
)
def test_robot(name: str, whole: bool, different: tuple[str, ...], how: list[Action]) -> None:
    usual = BAD_MAC if whole else []
    assert {fault: told(name, block, whole=whole) for fault, block in BLOCKS.items()} == {
        fault: how if fault in different else usual for fault in BLOCKS
    }


# Session ids.


def test_ticketbleed() -> None:
    sessions = Sessions()
    session = next(one for one in complete("ticketbleed", HELLO[TLS12], sessions=sessions).sessions if one.ticket)
    for name, size in (("ticketbleed", 32), ("modern", 1)):
        hello = msgspec.structs.replace(with_extension(HELLO[TLS12], 35, session.ticket), session_id=b"\xab")
        conversation = Conversation(character(name), sessions=sessions)
        (flight,) = conversation.answer(hello, encode(hello))
        assert isinstance(flight, Send)
        answer = parse_server_hello(Deframer().feed(flight.data)[0].body)
        assert (answer.session_id[:1], len(answer.session_id)) == (b"\xab", size)


# Records of CBC.


class Malformed(Client):
    """Says one record, made from its data, MAC and block size, after its handshake."""

    data = REQUEST

    def plain(self, mac: bytes, block: int) -> bytes:
        raise NotImplementedError

    def established(self) -> None:
        sealer = self.sealer
        assert isinstance(sealer, Cbc)
        mac = sealer.mac(APPLICATION_DATA, self.data)
        self.send_raw(sealer.seal_blocks(APPLICATION_DATA, self.plain(mac, sealer.block)))


def padding(size: int, block: int) -> bytes:
    short = block - size % block
    return bytes((short - 1,)) * short


class BadMac(Malformed):
    def plain(self, mac: bytes, block: int) -> bytes:
        text = self.data + bytes((mac[0] ^ 1,)) + mac[1:]
        return text + padding(len(text), block)


class BadPadding(Malformed):
    def plain(self, mac: bytes, block: int) -> bytes:
        text = self.data + mac
        good = padding(len(text) + block, block)
        return text + bytes(block) + bytes((good[0] ^ 1,)) * (len(good) - 1) + bytes((len(good) + block - 1,))


class Empty(BadMac):
    data = b""


def reaction(name: str, make: type[Malformed], version: int) -> str:
    shown = complete(name, hello_for(version, (ECDHE_CBC,)), make=make)
    return "page" if shown.application else shown.alert.name if shown.alert else shown.ending


@pytest.mark.parametrize("version", [TLS10, 0x0302, TLS12])
@pytest.mark.parametrize(
    ("name", "of_mac", "of_padding", "of_empty"),
    [
        ("plain", "bad_record_mac", "bad_record_mac", "bad_record_mac"),
        ("padding-oracle", "bad_record_mac", "decryption_failed", "bad_record_mac"),
        ("poodle-tls", "bad_record_mac", "page", "bad_record_mac"),
        ("zombie-poodle", "bad_record_mac", "close", "bad_record_mac"),
        ("zero-length", "bad_record_mac", "bad_record_mac", "close"),
    ],
)
def test_malformed_records(name: str, version: int, of_mac: str, of_padding: str, of_empty: str) -> None:
    assert [reaction(name, make, version) for make in (BadMac, BadPadding, Empty)] == [of_mac, of_padding, of_empty]


@pytest.mark.parametrize("name", ["padding-oracle", "poodle-tls", "zombie-poodle", "zero-length"])
def test_good_records_are_taken_all_the_same(name: str) -> None:
    for suite in (ECDHE_CBC, ECDHE_GCM):
        assert complete(name, hello_for(TLS12, (suite,))).application


# What a handshake shows by itself.


def test_no_sentinel() -> None:
    marked = opened("plain", HELLO[TLS12])[1].random, opened("no-sentinel", HELLO[TLS12])[1].random
    assert [random[24:31] == b"DOWNGRD" for random in marked] == [True, False]


def share_of(shown: Shown) -> bytes | None:
    if shown.key_exchange is not None:
        public: bytes = shown.key_exchange.params.public
        return public
    return None if shown.hello is None else shown.hello.raw_extension(51)


@pytest.mark.parametrize("suite", [ECDHE_GCM, DHE_GCM, AES128_13])
def test_static_keys(suite: int) -> None:
    version = TLS13 if suite == AES128_13 else TLS12

    def shares(name: str) -> int:
        shown = [complete(name, hello_for(version, (suite,), seed=seed)) for seed in (1, 2)]
        assert all(one.label == "finished" for one in shown)
        return len({share_of(one) for one in shown})

    assert (shares("static-keys"), shares("plain")) == (1, 2)


@BOTH
def test_same_random(version: int) -> None:
    suite = AES128_13 if version == TLS13 else ECDHE_GCM

    def randoms(name: str) -> int:
        hellos = [complete(name, hello_for(version, (suite,), seed=seed)).hello for seed in (1, 2)]
        return len({hello.random for hello in hellos if hello is not None})

    assert (randoms("same-random"), randoms("plain")) == (1, 2)


@BOTH
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("short-share", r"31 bytes for x25519"),
        ("off-curve", r"x25519: the secret would be all zeros"),
        ("bad-finished", "the server's Finished does not verify"),
        ("garbage-records", "record.protected"),
    ],
)
def test_what_our_client_finds_wrong(name: str, says: str, version: int) -> None:
    shown = complete(name, HELLO[version])
    assert shown.kind == "fault"
    assert says in shown.reason
    assert shown.stage in {"hello", "flight"}


@pytest.mark.parametrize("name", ["short-share", "off-curve"])
def test_points_that_are_none(name: str) -> None:
    shown = complete(name, hello_for(TLS13, (AES128_13,), groups=(0x17,), key_shares=(0x17,)))
    assert shown.reason.startswith("key_exchange: ")
    assert ("not on the curve" in shown.reason) == (name == "off-curve")


@BOTH
def test_garbage_status(version: int) -> None:
    hello = offering(with_extension(HELLO[version], 18, b""), 5, StatusRequest(1, OcspRequest((), b"")))
    shown = complete("garbage-status", hello)
    assert shown.label == "finished"
    assert shown.staple == b"no OCSPResponse"
    assert shown.sct_list is not None
    assert complete("garbage-status", HELLO[version]).staple is None
    assert complete("plain", hello).staple is None


# What tries the bounds of a client.


def test_compressed_certificates() -> None:
    hello = offering(HELLO[TLS13], 27, (1, 2))
    shown = complete("compresses", hello)
    assert (shown.label, shown.compression, len(shown.chain)) == ("finished", 1, 1)
    assert complete("compresses", HELLO[TLS13]).compression is None
    assert complete("compresses", offering(HELLO[TLS13], 27, (2, 3))).compression is None
    bomb = complete("certificate-bomb", hello)
    assert bomb.kind == "fault"
    assert f"{flaws.BOMB_SIZE} bytes" in bomb.reason
    assert len(bomb.received) < 1 << 15
    length, data = flaws.compressed("certificate-bomb", b"")
    assert len(zlib.decompress(data)) == length


@BOTH
@pytest.mark.parametrize(("name", "least"), [("huge-chain", 3_000_000), ("huge-certificate", (1 << 24) - 32)])
def test_huge_messages(name: str, least: int, version: int) -> None:
    shown = complete(name, HELLO[version])
    assert shown.kind == "fault"
    length = int(shown.reason.split("length ")[1].split()[0])
    assert least <= length < 1 << 24
    assert len(complete("plain", HELLO[version]).received) < 3000


@BOTH
def test_huge_tickets(version: int) -> None:
    sessions = Sessions()
    shown = complete("huge-tickets", HELLO[version], sessions=sessions)
    assert shown.label == "finished"
    assert {len(ticket.ticket) for ticket in shown.tickets} == {flaws.LONGEST_TICKET}
    assert not [session for session in shown.sessions if session.ticket]  # no hello has room for them


@pytest.mark.parametrize(
    ("name", "says"), [("endless-tickets", "more than 32 tickets"), ("endless-key-updates", "KeyUpdate")]
)
def test_what_never_ends(name: str, says: str) -> None:
    shown = complete(name, HELLO[TLS13])
    assert says in shown.reason
    assert complete(name, HELLO[TLS12]).label == "finished"


def test_our_client_survives_every_character() -> None:
    for name, it in CHARACTERS.items():
        for version, suites in it.suites.items():
            if version > 0x0002 and suites:
                shown = complete(name, hello_for(version, suites[:20], alpn=(b"h2", b"http/1.1")))
                assert shown.kind
