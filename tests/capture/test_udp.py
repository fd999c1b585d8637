"""UDP flows of DTLS: what is told of handshakes in any shape. Driven as the walk over a capture drives them."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlswire
from tests.capture.line import Line
from tests.wire.dtls_made import fragments, record
from tlswire.capture.udp import is_stun, recognise
from tlswire.hello.builder import Shape, client_hello
from tlswire.wire.dtls import DTLS10, DTLS12, DTLS13, encode_dtls_client_hello
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import SERVER_HELLO_BODY
from tlswire.wire.messages import HRR_RANDOM, ClientHello, Extension, ServerHello
from tlswire.wire.primitives import build

if TYPE_CHECKING:
    from collections.abc import Iterable


SHARED = Path(__file__).parents[3] / "shared" / "captures"
CLIENT, SERVER = 0, 1
NAME = "dtls.example"
COOKIE = b"\x5c" * 20
STUN = struct.pack(">HHI12s", 0x0001, 0, 0x2112A442, b"transaction!")  # RFC 8489 section 5: a Binding request


def handshake(kind: int, number: int, body: bytes, *, version: int = DTLS12) -> bytes:
    (data,) = fragments(kind, number, body, len(body) or 1, version=version)
    return data


def hello(seed: int = 1, version: int = 0x0303, *, legacy: int = DTLS12) -> ClientHello:
    shape = Shape(server_name=NAME.encode(), groups=(0x001D, 0x0017), key_shares=(0x001D,))
    suites = (0x1301, 0x1303) if version == 0x0304 else (0xC02B, 0xC02F)
    made = client_hello(version, suites, rng=Random(seed), shape=shape)
    return msgspec.structs.replace(made, legacy_version=legacy)


def server_hello(*extensions: Extension, suite: int = 0xC02B, random: bytes = b"S" * 32) -> bytes:
    return build(SERVER_HELLO_BODY, ServerHello(DTLS12, random, b"", suite, 0, extensions or None))


def verify_request(version: int = DTLS12) -> bytes:
    body = struct.pack(">HB", DTLS10, len(COOKIE)) + COOKIE
    return handshake(3, 0, body, version=version)


HELLO = encode_dtls_client_hello(hello())
AGAIN = encode_dtls_client_hello(hello(), COOKIE)
CCS = record(20, b"\x01")
FINISHED = record(22, b"\x99" * 40, epoch=1)
DATA = record(23, b"\x99" * 40, epoch=1)
HELLO_13 = hello(3, 0x0304)
SELECTED_13 = Extension(43, struct.pack(">H", DTLS13))
SHARE_13 = Extension(51, encode_extension(51, KeyShareEntry(0x001D, bytes(32)), "sh"))
SEALED_13 = b"\x2d" + b"\x77" * 40  # unified header, epoch 1


def finish(line: Line, number: int = 1) -> None:
    """The rest of a handshake of DTLS 1.2 behind its last hello."""
    line.send(SERVER, handshake(2, number, server_hello()), handshake(14, number + 1, b""))
    line.send(CLIENT, handshake(16, number + 1, b"key"), CCS, FINISHED)
    line.send(SERVER, CCS, FINISHED)


def test_handshake_with_a_cookie_is_one_session_with_two_hellos() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO, version=DTLS10))
    line.send(SERVER, verify_request(DTLS10))
    line.send(CLIENT, handshake(1, 1, AGAIN, version=DTLS10))
    finish(line)
    session = line.session()
    assert session.transport == "dtls"
    assert (session.client.address, session.client.port) == ("10.0.0.1", 50000)
    assert (session.server.address, session.server.port) == ("10.0.0.2", 4433)
    assert [(item.frame, item.record_version, item.legacy_version) for item in session.hellos] == [
        (1, "0xFEFF", "0xFEFD"),
        (3, "0xFEFF", "0xFEFD"),
    ]
    assert session.hellos[0].ja4 == session.hellos[1].ja4
    assert (session.hellos[0].ja4 or "").startswith("dd2d")
    assert session.server_name == NAME
    assert (session.version, session.version_name, session.suite) == ("0xFEFD", "DTLS 1.2", "0xC02B")
    assert session.outcome == "established"
    assert session.notes == []
    assert session.retry is None


@pytest.mark.parametrize(("code", "name", "weak"), [(DTLS10, "DTLS 1.0", True), (DTLS12, "DTLS 1.2", False)])
def test_version_that_is_selected_is_told_and_judged(code: int, name: str, weak: bool) -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, encode_dtls_client_hello(hello(legacy=code)), version=code))
    answer = ServerHello(code, b"S" * 32, b"", 0xC009, 0)
    line.send(SERVER, handshake(2, 0, build(SERVER_HELLO_BODY, answer), version=code))
    session = line.session()
    assert (session.version, session.version_name) == (f"0x{code:04X}", name)
    assert any("1.0" in reason or "1.1" in reason for reason in session.weak) is weak
    assert session.outcome == "incomplete"


def test_dtls_13_with_a_retry_is_one_session() -> None:
    second = msgspec.structs.replace(HELLO_13, extensions=(*(HELLO_13.extensions or ()), Extension(44, b"\0\4cook")))
    asked = server_hello(SELECTED_13, Extension(44, b"\0\4cook"), suite=0x1301, random=HRR_RANDOM)
    line = Line()
    line.send(CLIENT, handshake(1, 0, encode_dtls_client_hello(HELLO_13)))
    line.send(SERVER, handshake(2, 0, asked))
    line.send(CLIENT, handshake(1, 1, encode_dtls_client_hello(second)))
    line.send(SERVER, handshake(2, 1, server_hello(SELECTED_13, SHARE_13, suite=0x1301)) + SEALED_13)
    line.send(CLIENT, SEALED_13)
    session = line.session()
    assert [(item.frame, item.kind) for item in session.server_hellos] == [(2, "retry"), (4, "hello")]
    assert [44 in item.extensions for item in session.hellos] == [False, True]
    assert (session.version, session.version_name, session.group_name) == ("0xFEFC", "DTLS 1.3", "x25519")
    assert session.retry == "a cookie"
    assert session.outcome == "established"
    assert session.weak == []


def test_acknowledgement_in_clear_is_no_encryption() -> None:
    # RFC 9147 section 7: of a hello of which a fragment was lost.
    ack = record(26, b"\0\0")
    line = Line()
    first, *_, last = fragments(1, 0, encode_dtls_client_hello(HELLO_13), 100)
    line.send(CLIENT, first)
    line.send(SERVER, ack)
    line.send(CLIENT, last, ack)
    session = line.session()
    assert session.outcome == "unanswered"
    assert [item.partial for item in session.hellos] == [True]


def test_connection_ids_end_a_handshake_as_other_encryption_does() -> None:
    # RFC 9146: a record of type 25 with an id of two bytes.
    sealed = bytes.fromhex("19 fefd 0001 000000000001 abcd 0020") + bytes(32)
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO))
    line.send(SERVER, handshake(2, 0, server_hello()))
    line.send(CLIENT, CCS + sealed)
    line.send(SERVER, CCS + sealed)
    assert line.session().outcome == "established"


@pytest.mark.parametrize("size", [1, 40, 99, 150])
def test_hello_in_many_datagrams_counts_at_the_last(size: int) -> None:
    line = Line()
    pieces = fragments(1, 0, HELLO, size)
    # The first datagram of a flow must hold what tells the flow; the others come as they like.
    line.send(CLIENT, pieces[0], *reversed(pieces[1:]), *pieces)
    (found,) = line.session().hellos
    assert (found.frame, found.partial, found.length) == (len(pieces), False, len(HELLO))
    assert found.server_name == NAME


def test_hello_whose_first_fragment_comes_last_is_whole() -> None:
    line = Line()
    line.send(CLIENT, *reversed(fragments(1, 0, HELLO, 50)))
    assert [item.partial for item in line.session().hellos] == [False]


@given(st.data())
@settings(max_examples=40, deadline=None, database=None, derandomize=True)
def test_loss_repetition_and_reordering_change_nothing_but_frames(data: st.DataObject) -> None:
    flight = fragments(2, 1, server_hello(), 20)
    sent = [(CLIENT, item) for item in fragments(1, 0, HELLO, 60)] + [(SERVER, item) for item in flight]
    order = data.draw(st.permutations(sent + data.draw(st.lists(st.sampled_from(sent), max_size=10))))
    line = Line()
    for side, item in order:
        line.send(side, item)
    session = line.session()
    assert [(item.partial, item.length) for item in session.hellos] == [(False, len(HELLO))]
    assert [item.suite for item in session.server_hellos] == ["0xC02B"]
    assert session.client.port == 50000
    assert session.notes == []


def test_repeated_hello_is_one_hello() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO), handshake(1, 0, HELLO), *fragments(1, 0, HELLO, 100))
    session = line.session()
    assert len(session.hellos) == 1
    assert session.outcome == "unanswered"


def test_part_of_a_repeated_hello_is_no_hello_cut_short() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO), *fragments(1, 0, HELLO, 100)[:-1])
    session = line.session()
    assert [item.partial for item in session.hellos] == [False]
    assert session.notes == []


def test_hello_cut_short_is_partial_and_says_so() -> None:
    line = Line()
    line.send(CLIENT, *fragments(1, 0, HELLO, 90)[:-1])
    session = line.session()
    kept = (len(HELLO) - 1) // 90 * 90
    assert [(item.partial, item.length, item.suites) for item in session.hellos] == [
        (True, len(HELLO), ["0xC02B", "0xC02F"])
    ]
    assert session.notes == [
        f"frame {line.frame}, client: {kept} of {len(HELLO)} bytes of the ClientHello were captured"
    ]


@pytest.mark.parametrize("kept", [60, 100, 140])
def test_datagram_cut_by_the_snaplen_gives_the_beginning_of_its_hello(kept: int) -> None:
    data = handshake(1, 0, HELLO)
    line = Line()
    line.send(CLIENT, data[:kept], missing=len(data) - kept)
    session = line.session()
    assert [item.partial for item in session.hellos] == [True]
    assert session.notes == [f"frame 1, client: {kept - 25} of {len(HELLO)} bytes of the ClientHello were captured"]


def test_answer_cut_by_the_snaplen_is_told_as_far_as_it_goes() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO))
    answer = handshake(2, 0, server_hello(Extension(23, b""), Extension(0xFF01, b"\0")))
    line.send(SERVER, answer[:-3], missing=3)
    session = line.session()
    assert [(item.partial, item.extensions) for item in session.server_hellos] == [(True, [23])]
    assert session.suite == "0xC02B"


def test_cut_alert_is_not_taken_for_an_encrypted_one() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO))
    line.send(SERVER, record(21, b"\x02\x28")[:-1], missing=1)
    assert line.session().outcome == "unanswered"


def test_alert_in_clear_ends_a_session() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO))
    line.send(SERVER, record(21, b"\x02\x28"))
    session = line.session()
    assert session.outcome == "alert"
    assert [(item.frame, item.sender, item.description) for item in session.alerts] == [
        (2, "server", "handshake_failure")
    ]


def test_second_handshake_on_the_same_ports_is_a_second_session() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO))
    finish(line, 0)
    line.send(CLIENT, DATA, DATA)
    line.send(CLIENT, handshake(1, 0, encode_dtls_client_hello(hello(2))))
    finish(line, 0)
    first, second = line.sessions()
    assert (first.outcome, second.outcome) == ("established", "established")
    assert (first.first_frame, second.first_frame) == (1, 11)
    assert first.hellos[0].sha256 != second.hellos[0].sha256
    assert second.client.port == 50000


def test_second_handshake_after_a_refusal_is_a_second_session() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO))
    line.send(SERVER, record(21, b"\x02\x46"))
    line.send(CLIENT, *fragments(1, 0, encode_dtls_client_hello(hello(2)), 60))
    finish(line, 0)
    first, second = line.sessions()
    assert (first.outcome, second.outcome) == ("alert", "established")
    assert [item.partial for item in second.hellos] == [False]


def test_peers_may_change_their_roles_for_the_second_handshake() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO))
    finish(line, 0)
    line.send(SERVER, *fragments(1, 0, encode_dtls_client_hello(hello(2)), 100))
    assert [item.client.port for item in line.sessions()] == [50000, 4433]


def test_late_copies_of_hellos_begin_no_session() -> None:
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO))
    line.send(SERVER, verify_request())
    line.send(CLIENT, handshake(1, 1, AGAIN))
    finish(line)
    line.send(CLIENT, handshake(1, 1, AGAIN), handshake(1, 0, HELLO), *fragments(1, 1, AGAIN, 60))
    line.send(SERVER, handshake(2, 1, server_hello()))
    assert len(line.sessions()) == 1


def test_capture_that_begins_behind_the_hello_tells_the_answer_and_the_next_session() -> None:
    line = Line()
    line.send(SERVER, handshake(2, 1, server_hello()), handshake(14, 2, b""))
    line.send(CLIENT, CCS, FINISHED)
    line.send(SERVER, CCS, FINISHED)
    line.send(CLIENT, handshake(1, 0, HELLO))
    first, second = line.sessions()
    assert (len(first.hellos), first.suite, first.outcome) == (0, "0xC02B", "established")
    assert (len(second.hellos), second.outcome) == (1, "unanswered")
    assert first.client == second.client


def channel(data: bytes, *, padded: bool = False, number: int = 0x4001) -> bytes:
    """RFC 8656 section 12.4."""
    filling = b"\0" * (-len(data) % 4) if padded else b""
    return struct.pack(">HH", number, len(data)) + data + filling


@pytest.mark.parametrize("padded", [False, True])
def test_handshake_in_a_turn_channel_behind_stun(padded: bool) -> None:
    assert is_stun(STUN, 0)
    assert is_stun(channel(STUN), 0)
    assert not is_stun(handshake(1, 0, HELLO), 0)
    line = Line()
    line.send(CLIENT, *[STUN, channel(STUN)] * 10)
    line.send(CLIENT, *(channel(item, padded=padded) for item in fragments(1, 0, HELLO, 101)), STUN)
    line.send(SERVER, channel(handshake(2, 0, server_hello()), padded=padded), STUN)
    line.send(CLIENT, channel(CCS + FINISHED, padded=padded))
    line.send(SERVER, channel(CCS + FINISHED, padded=padded))
    session = line.session()
    assert session.outcome == "established"
    assert session.server_name == NAME
    assert session.notes == []


def test_channel_cut_by_the_snaplen() -> None:
    data = channel(handshake(1, 0, HELLO), padded=True)
    line = Line()
    line.send(CLIENT, data[:120], missing=len(data) - 120)
    assert [item.partial for item in line.session().hellos] == [True]


def test_channel_that_lies_about_its_length_is_none() -> None:
    data = handshake(1, 0, HELLO)
    for size in (len(data) - 4, len(data) + 1, 0):
        wrapped = struct.pack(">HH", 0x4000, size) + data
        assert recognise(wrapped, 0, len(wrapped), 0) is None


@pytest.mark.parametrize(
    "data", [b"\x40", b"\x40\0\0", b"\x40\0\0\0", b"\x16", b"\x16\xfe\xfd" + bytes(30), b"\x00" * 40, STUN]
)
def test_what_is_none_of_ours_is_told_so(data: bytes) -> None:
    assert recognise(data, 0, len(data), 0) is None


def test_media_and_stun_among_the_handshake_are_passed_over() -> None:
    media = b"\x80\x60" + bytes(100)  # RTP shares the ports in WebRTC (RFC 7983)
    line = Line()
    line.send(CLIENT, handshake(1, 0, HELLO), media, STUN)
    line.send(SERVER, STUN, handshake(2, 0, server_hello()), media)
    line.send(CLIENT, CCS, FINISHED, media)
    line.send(SERVER, media, CCS, FINISHED)
    session = line.session()
    assert session.outcome == "established"
    assert session.notes == []


def mangled(source: st.DataObject, data: bytes) -> bytes:
    changed = bytearray(data)
    for at, value in source.draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=3)):
        changed[at] = value
    return bytes(changed[: source.draw(st.integers(1, len(changed)))])


@given(st.data())
@settings(max_examples=100, deadline=None, database=None, derandomize=True)
def test_damaged_datagrams_never_raise(data: st.DataObject) -> None:
    certificate = handshake(11, 2, b"\0\0\7\0\0\4\x30\2\5\0")
    sent: Iterable[tuple[int, bytes]] = [
        (CLIENT, handshake(1, 0, HELLO)),
        (SERVER, verify_request()),
        *((CLIENT, item) for item in fragments(1, 1, AGAIN, 90)),
        (
            SERVER,
            handshake(2, 1, server_hello()) + certificate + handshake(12, 3, bytes(40)) + handshake(13, 4, bytes(5)),
        ),
        (CLIENT, CCS + FINISHED),
        (SERVER, CCS + FINISHED),
    ]
    line = Line()
    for side, item in sent:
        line.send(side, mangled(data, item), missing=data.draw(st.sampled_from([0, 0, 40])))
    assert all(item.transport == "dtls" for item in line.sessions())


# What tshark 4.4 shows of them: (frame of each hello), (frame of each ServerHello), version, suite, certificates.
CAPTURES = {
    "cisco+mercury/unit_tests/pcaps/dtls_fragmented_client_hello.pcap": ([2], [], None, None, 0),
    "zeek+zeek/testing/btest/Traces/tls/dtls13-wolfssl.pcap": ([1, 3], [2, 4], "0xFEFC", "0x1301", 0),
    "zeek+zeek/testing/btest/Traces/tls/dtls1_0.pcap": ([2, 5], [6], "0xFEFF", "0xC014", 1),
    "zeek+zeek/testing/btest/Traces/tls/dtls1_2.pcap": ([2, 5], [6], "0xFEFD", "0xC030", 1),
    "wireshark-4.0.17/test/captures/dtls12-aes128ccm8-dsb.pcapng": ([1, 3], [4], "0xFEFD", "0xC0A8", 0),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_of_others(name: str) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared captures are not here")
    hellos, answers, version, suite, certificates = CAPTURES[name]
    (session,) = tlswire.sessions(path)
    assert [item.frame for item in session.hellos] == hellos
    assert [item.frame for item in session.server_hellos] == answers
    assert (session.version, session.suite, len(session.certificates)) == (version, suite, certificates)
    assert not any(item.partial for item in session.hellos)
    assert session.outcome == ("unanswered" if not answers else "established")
