"""QUIC flows of packets sealed here: however the handshake is cut, ordered or disturbed, its messages come out once."""

from __future__ import annotations

import random
import struct
from itertools import count, pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlswire
from captures.packets import Packet, ethernet, ipv4, pcap, udp
from tests.crypto.quic_samples import CLIENT1, CLIENT2, CLIENT_CRYPTO, RETRY1, SERVER1, SERVER2, SERVER_PAYLOAD
from tlswire.capture.quic import MAX_CRYPTO, MAX_HELD, MAX_PIECES, PATIENCE, QuicFlow, _Stream, looks_like_quic
from tlswire.crypto.quic import initial_keys, seal_initial
from tlswire.wire.extension_bodies import KeyShareEntry, ServerName
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import CLIENT_HELLO, CLIENT_HELLO_BODY, encode_handshake
from tlswire.wire.messages import HRR_RANDOM, ClientHello, Extension
from tlswire.wire.primitives import build
from tlswire.wire.quic import V1, V2, CryptoFrame, crypto_frame, initial_header, varint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

CLIENT, SERVER = 0, 1
# RFC 9001 A.2 and A.3: the messages in the samples' CRYPTO frames.
HELLO = CLIENT_CRYPTO[4:]
ANSWER = SERVER_PAYLOAD[9:]
OTHER_HELLO = HELLO[:20] + bytes((HELLO[20] ^ 1,)) + HELLO[21:]
# A HelloRetryRequest that asks for secp256r1 (RFC 9846 section 4.2.4).
HRR = (
    bytes.fromhex("020000380303")
    + HRR_RANDOM
    + bytes.fromhex("00130100")
    + bytes.fromhex("0010002b000203040033000200170000")
)
HRR = HRR[:1] + (len(HRR) - 4).to_bytes(3, "big") + HRR[4:]
PING, PADDING = b"\1", b"\0"
ACK = b"\2\0\0\0\0"
ACK_ECN = b"\3\5\x40\x80\1\0\2\1\7\x40\x40\0"

FIRST, CHOSEN, LATER = b"first-id", b"chosen by the server", b"later-id"

Datagram = tuple[int, bytes]
Read = list[tuple[int, int, bytes]]


def crypto(offset: int, data: bytes) -> bytes:
    return crypto_frame(CryptoFrame(offset, data))


def close(error: int, reason: bytes) -> bytes:
    return b"\x1c" + varint(error) + b"\6" + varint(len(reason)) + reason


class Talk:
    """Both ends of one connection; ``origin`` is the id that its keys come from."""

    def __init__(self, version: int = V1, origin: bytes = FIRST) -> None:
        self.version = version
        self.origin = origin
        self.numbers = (count(), count())

    def client(
        self, *frames: bytes, dcid: bytes | None = None, version: int = 0, token: bytes = b"", size: int = 1200
    ) -> Datagram:
        """An Initial of the client, padded as RFC 9000 section 14.1 wants it."""
        dcid = self.origin if dcid is None else dcid
        return CLIENT, self.initial(CLIENT, b"".join(frames), version or self.version, dcid, b"client", token, size)

    def server(self, *frames: bytes, version: int = 0, size: int = 0) -> Datagram:
        """An Initial of the server."""
        return SERVER, self.initial(SERVER, b"".join(frames), version or self.version, b"client", b"server", b"", size)

    def initial(
        self, side: int, payload: bytes, version: int, dcid: bytes, scid: bytes, token: bytes, size: int
    ) -> bytes:
        keys = initial_keys(version, self.origin, server=side == SERVER)
        assert keys is not None
        number = next(self.numbers[side])
        bare = len(initial_header(version, dcid, scid, token, number, size)) + 16
        payload = payload.ljust(max(size - bare, 4), b"\0")
        header = initial_header(version, dcid, scid, token, number, len(payload) + 16)
        return seal_initial(keys, header, number, payload)


def retry(scid: bytes = CHOSEN, version: int = V1) -> Datagram:
    first = {V1: 0xF0, V2: 0xC0}[version]
    ids = b"\6client" + bytes((len(scid),)) + scid
    return SERVER, bytes((first,)) + version.to_bytes(4, "big") + ids + b"token" + bytes(16)


def negotiation(*versions: int, scid: bytes = FIRST) -> Datagram:
    ids = b"\6client" + bytes((len(scid),)) + scid
    return SERVER, b"\xca\0\0\0\0" + ids + struct.pack(f">{len(versions)}I", *versions)


def handshake_packet(version: int = V1) -> bytes:
    """Nothing of it can be read, but its length."""
    first = {V1: 0xE0, V2: 0xF0}[version]
    return bytes((first,)) + version.to_bytes(4, "big") + b"\6client\6server" + varint(300) + bytes(range(100)) * 3


def short_packet(side: int) -> Datagram:
    return side, b"\x43" + bytes(60)


def feed(flow: QuicFlow, datagrams: Iterable[Datagram]) -> Read:
    found: Read = []
    for side, data in datagrams:
        for sender, message, _ in flow.datagram(side, data, 0, len(data)):
            found.append((sender, message.type, message.body))
        assert not flow.restart
    return found


def said(*messages: tuple[int, bytes]) -> Read:
    return [(side, data[0], data[4:]) for side, data in messages]


HANDSHAKE = said((CLIENT, HELLO), (SERVER, ANSWER))


def cut(message: bytes, *places: int) -> list[bytes]:
    """CRYPTO frames that carry a message, cut at these places."""
    return [crypto(start, message[start:end]) for start, end in pairwise((0, *places, len(message)))]


# What a flow reads


@pytest.mark.parametrize(("client", "server"), [(CLIENT1, SERVER1), (CLIENT2, SERVER2)], ids=["version 1", "version 2"])
def test_samples_of_the_rfcs_give_their_messages(client: bytes, server: bytes) -> None:
    flow = QuicFlow()
    assert looks_like_quic(client, 0, len(client))
    assert looks_like_quic(server, 0, len(server))
    assert feed(flow, [(CLIENT, client), (SERVER, server)]) == HANDSHAKE
    assert (flow.client, flow.done, flow.notes, flow.partial()) == (CLIENT, True, [], [])


@pytest.mark.parametrize(
    "version", [V1, V2, 0x709A50C4, *range(0xFF000016, 0xFF000023), 0xFACEB001, 0xFACEB002, 0x8A8A8A8A]
)
def test_every_known_version_is_read(version: int) -> None:
    flow, talk = QuicFlow(), Talk(version)
    datagrams = [talk.client(*cut(HELLO)), talk.server(*cut(ANSWER))]
    assert all(looks_like_quic(data, 0, len(data)) for _, data in datagrams)
    assert feed(flow, datagrams) == HANDSHAKE
    assert flow.version == version


def test_client_may_be_either_side() -> None:
    flow, talk = QuicFlow(), Talk()
    datagrams = [(1 - side, data) for side, data in (talk.client(*cut(HELLO)), talk.server(*cut(ANSWER)))]
    assert feed(flow, datagrams) == said((SERVER, HELLO), (CLIENT, ANSWER))
    assert flow.client == SERVER


@given(st.data())
@settings(max_examples=120)
def test_hello_in_any_pieces_and_order_comes_out_once(data: st.DataObject) -> None:
    talk = Talk()
    places = sorted(data.draw(st.sets(st.integers(1, len(HELLO) - 1), max_size=8)))
    pieces = data.draw(st.permutations(cut(HELLO, *places)))
    for _ in range(data.draw(st.integers(0, 3))):  # sent again, cut elsewhere
        start = data.draw(st.integers(0, len(HELLO) - 1))
        again = crypto(start, HELLO[start : data.draw(st.integers(start, len(HELLO)))])
        pieces = data.draw(st.permutations([*pieces, again]))
    mixed = [
        frame
        for piece in pieces
        for frame in (data.draw(st.sampled_from([b"", PING, ACK, ACK_ECN, PADDING * 9])), piece)
    ]
    ends = sorted(data.draw(st.sets(st.integers(1, len(mixed)), max_size=4)) | {len(mixed)})
    packets = [talk.client(*mixed[start:end], size=0) for start, end in pairwise((0, *ends))]
    together = data.draw(st.booleans())
    datagrams = [(CLIENT, b"".join(packet for _, packet in packets))] if together else packets

    flow = QuicFlow()
    assert feed(flow, datagrams) == said((CLIENT, HELLO))
    assert flow.notes == []
    assert feed(flow, [talk.server(ACK, *cut(ANSWER))]) == said((SERVER, ANSWER))
    assert flow.done


def test_packets_behind_an_initial_in_its_datagram_are_skipped() -> None:
    flow, talk = QuicFlow(), Talk()
    (_, first), (_, second) = talk.client(*cut(HELLO, 100)[:1], size=0), talk.client(*cut(HELLO, 100)[1:], size=0)
    (_, answer) = talk.server(ACK, *cut(ANSWER))
    datagrams = [(CLIENT, first + second + bytes(200)), (SERVER, answer + handshake_packet() + b"\x43" + bytes(40))]
    assert feed(flow, datagrams) == HANDSHAKE


def test_client_goes_on_to_the_id_the_server_chose() -> None:
    flow, talk = QuicFlow(), Talk()
    first, second = cut(HELLO, 150)
    datagrams = [talk.client(first), talk.server(ACK), talk.client(ACK, second, dcid=LATER), talk.server(*cut(ANSWER))]
    assert feed(flow, datagrams) == HANDSHAKE
    assert flow.notes == []


def test_second_hello_after_a_hello_retry_request_is_another_message() -> None:
    flow, talk = QuicFlow(), Talk()
    again = crypto(len(HELLO), OTHER_HELLO)
    datagrams = [
        talk.client(*cut(HELLO)),
        talk.server(*cut(HRR)),
        talk.client(ACK, again, dcid=b"server"),
        talk.server(crypto(len(HRR), ANSWER)),
    ]
    expected = said((CLIENT, HELLO), (SERVER, HRR), (CLIENT, OTHER_HELLO), (SERVER, ANSWER))
    assert feed(flow, datagrams) == expected
    assert flow.done


def test_answer_captured_before_its_hello_is_kept() -> None:
    flow, talk = QuicFlow(), Talk()
    assert feed(flow, [talk.server(*cut(ANSWER)), talk.client(*cut(HELLO))]) == HANDSHAKE
    assert flow.client == CLIENT


def test_hello_of_post_quantum_size_comes_in_three_packets() -> None:
    flow, talk = QuicFlow(), Talk()
    hello = mlkem_hello(b"pq.example")
    pieces = cut(hello, 1100, 2200)
    assert len(hello) > 2200
    assert feed(flow, [talk.client(piece) for piece in (pieces[2], pieces[0])]) == []
    assert feed(flow, [talk.client(pieces[1])]) == said((CLIENT, hello))


# The client begins anew


def test_keys_follow_the_id_of_a_retry() -> None:
    flow, talk, after = QuicFlow(), Talk(), Talk(origin=CHOSEN)
    datagrams = [
        talk.client(*cut(HELLO)),
        retry(),
        after.client(*cut(HELLO), token=b"token"),
        after.server(*cut(ANSWER)),
    ]
    assert feed(flow, datagrams) == HANDSHAKE  # the same hello is one hello
    assert flow.retry
    assert flow.notes == ["Retry: the client had to prove its address (RFC 9000 8.1.2)"]


def test_hello_that_is_new_after_a_retry_is_a_second_one() -> None:
    flow, talk, after = QuicFlow(), Talk(), Talk(origin=CHOSEN)
    datagrams = [talk.client(*cut(HELLO)), retry(), after.client(*cut(OTHER_HELLO)), after.server(*cut(ANSWER))]
    assert feed(flow, datagrams) == said((CLIENT, HELLO), (CLIENT, OTHER_HELLO), (SERVER, ANSWER))
    assert not any("overlapping" in note for note in flow.notes)


def test_half_a_hello_before_a_retry_does_not_spoil_the_whole_one_behind() -> None:
    flow, talk, after = QuicFlow(), Talk(), Talk(origin=CHOSEN)
    datagrams = [
        talk.client(cut(OTHER_HELLO, 120)[0]),
        retry(),
        *(after.client(frame) for frame in reversed(cut(HELLO, 90, 180))),
        after.server(*cut(ANSWER)),
    ]
    assert feed(flow, datagrams) == HANDSHAKE


def test_a_server_that_sends_a_retry_for_every_packet_has_one_session() -> None:
    flow, talk, after = QuicFlow(), Talk(), Talk(origin=CHOSEN)
    first, second = cut(HELLO, 130)
    datagrams = [
        *(talk.client(first), talk.client(second)),
        *(retry(CHOSEN), retry(b"not taken")),
        *(after.client(first), after.client(second), after.server(*cut(ANSWER))),
    ]
    assert feed(flow, datagrams) == HANDSHAKE


def test_a_packet_of_before_the_retry_that_comes_late_begins_nothing() -> None:
    flow, talk, after = QuicFlow(), Talk(), Talk(origin=CHOSEN)
    datagrams = [
        talk.client(*cut(HELLO)),
        retry(),
        after.client(*cut(HELLO)),
        talk.client(*cut(HELLO)),
        after.server(*cut(ANSWER)),
    ]
    assert feed(flow, datagrams) == HANDSHAKE
    assert len(flow.notes) == 1


@pytest.mark.parametrize("forged", [(CLIENT, retry()[1]), (SERVER, b"\xf0\x12\x34\x56\x78" + retry()[1][5:])])
def test_retry_that_no_server_sends_is_not_told(forged: Datagram) -> None:
    flow, talk = QuicFlow(), Talk()
    assert feed(flow, [talk.client(*cut(HELLO)), forged, talk.server(*cut(ANSWER)), retry()]) == HANDSHAKE
    assert (flow.retry, flow.notes) == (False, [])


def test_retry_without_the_packet_before_it_is_read() -> None:
    flow, after = QuicFlow(), Talk(origin=CHOSEN)
    assert feed(flow, [(SERVER, RETRY1), after.client(*cut(HELLO)), after.server(*cut(ANSWER))]) == HANDSHAKE
    assert flow.retry


@pytest.mark.parametrize(("first", "second"), [(V1, V2), (V2, V1)])
def test_compatible_negotiation_changes_the_version_and_not_the_id(first: int, second: int) -> None:
    flow, talk = QuicFlow(), Talk(first)
    datagrams = [
        talk.client(*cut(HELLO)),
        talk.server(ACK, *cut(ANSWER), version=second),
        talk.client(ACK, dcid=b"server", version=second),
    ]
    assert feed(flow, datagrams) == HANDSHAKE
    assert (flow.version, flow.notes) == (second, [])


def test_compatible_negotiation_seen_from_the_client_alone() -> None:
    flow, talk = QuicFlow(), Talk(V1)
    first, second = cut(HELLO, 130)
    datagrams = [talk.client(first), talk.client(ACK, second, dcid=b"server", version=V2)]
    assert feed(flow, datagrams) == said((CLIENT, HELLO))


@pytest.mark.parametrize("origin", [FIRST, LATER], ids=["same id", "new id"])
def test_version_negotiation_is_noted_and_the_next_attempt_is_of_the_same_session(origin: bytes) -> None:
    flow, talk, after = QuicFlow(), Talk(V2), Talk(V1, origin)
    datagrams = [
        talk.client(*cut(HELLO)),
        negotiation(V1, 0xFF00001D),
        talk.client(*cut(HELLO)),  # sent again before the refusal was read
        after.client(*cut(OTHER_HELLO)),
        talk.client(*cut(HELLO)),  # overtaken
        after.server(*cut(ANSWER)),
    ]
    assert feed(flow, datagrams) == said((CLIENT, HELLO), (CLIENT, OTHER_HELLO), (SERVER, ANSWER))
    assert flow.notes == ["Version Negotiation: the server offers 0x00000001, 0xFF00001D"]
    assert flow.version == V1


@pytest.mark.parametrize("forged", [negotiation(V2, scid=b"no such"), (CLIENT, negotiation(V2)[1])])
def test_version_negotiation_that_a_client_would_not_heed_changes_nothing(forged: Datagram) -> None:
    flow, talk = QuicFlow(), Talk()
    assert feed(flow, [talk.client(*cut(HELLO)), forged, talk.server(*cut(ANSWER))]) == HANDSHAKE
    assert flow.notes == []


def test_version_negotiation_behind_an_answer_changes_nothing() -> None:
    flow, talk = QuicFlow(), Talk()
    first, second = cut(ANSWER, 40)
    assert feed(flow, [talk.client(*cut(HELLO)), talk.server(first), negotiation(V2), talk.server(second)]) == HANDSHAKE
    assert flow.notes == []


def test_compatible_change_behind_a_refusal_is_no_further_attempt() -> None:
    flow, talk, after = QuicFlow(), Talk(0xFF00001D), Talk(V1, LATER)
    first, second = cut(OTHER_HELLO, 100)
    datagrams = [
        *(talk.client(*cut(HELLO)), negotiation(V1, V2), after.client(first)),
        *(after.client(second, dcid=b"server", version=V2), after.server(*cut(ANSWER), version=V2)),
    ]
    assert feed(flow, datagrams) == said((CLIENT, HELLO), (CLIENT, OTHER_HELLO), (SERVER, ANSWER))


def test_google_versions_are_named_and_not_read() -> None:
    for first in (b"\xc3", b"\xd3", b"\xf3"):
        flow, data = QuicFlow(), first + b"Q050\x08" + FIRST + b"\0" + bytes(60)
        assert looks_like_quic(data, 0, len(data))
        assert feed(flow, [(CLIENT, data)]) == []
        assert (flow.notes, flow.done, flow.retry) == (["Q050 is not read"], True, False)


# Another connection on the same ports


@pytest.mark.parametrize("sender", [CLIENT, SERVER], ids=["same client", "sides changed"])
@pytest.mark.parametrize("answered", [True, False])
def test_a_hello_with_keys_of_its_own_begins_another_connection(sender: int, answered: bool) -> None:
    flow, talk, other = QuicFlow(), Talk(), Talk(origin=LATER)
    feed(flow, [talk.client(*cut(HELLO)), *([talk.server(*cut(ANSWER))] if answered else [])])
    _, data = other.client(*cut(OTHER_HELLO))
    assert flow.datagram(sender, data, 0, len(data)) == []
    assert flow.restart


def test_half_a_hello_is_not_completed_by_another_connection() -> None:
    flow, talk, other = QuicFlow(), Talk(), Talk(origin=LATER)
    feed(flow, [talk.client(cut(HELLO, 100)[0])])
    _, data = other.client(cut(OTHER_HELLO, 100)[1])
    assert flow.datagram(CLIENT, data, 0, len(data)) == []
    assert flow.restart
    assert flow.partial() == [(CLIENT, 1, len(HELLO) - 4, HELLO[4:100])]


def test_second_connection_in_one_datagram_is_ignored() -> None:
    # RFC 9000 section 12.2.
    flow, talk, other = QuicFlow(), Talk(), Talk(origin=LATER)
    (_, first), (_, second) = talk.client(*cut(HELLO)), other.client(*cut(OTHER_HELLO))
    assert feed(flow, [(CLIENT, first + second)]) == said((CLIENT, HELLO))


def test_a_finished_connection_reads_no_more_of_itself() -> None:
    flow, talk = QuicFlow(), Talk()
    feed(flow, [talk.client(*cut(HELLO)), talk.server(*cut(ANSWER))])
    side, damaged = talk.client(*cut(HELLO))
    more = [
        talk.client(*cut(OTHER_HELLO)),
        talk.server(close(0x128, b"late")),
        short_packet(CLIENT),
        (side, damaged[:-1] + bytes((damaged[-1] ^ 1,))),
    ]
    assert feed(flow, more) == []
    assert (flow.closed, flow.notes, flow.partial()) == (None, [], [])


# Parts, damage, lies


@pytest.mark.parametrize("size", range(0, 1201, 7))
def test_a_cut_packet_gives_the_beginning_of_the_hello_or_nothing(size: int) -> None:
    flow, talk = QuicFlow(), Talk()
    _, data = talk.client(PING, *cut(HELLO))
    found = flow.datagram(CLIENT, data[:size], 0, size, len(data) - size) if size else []
    # 28 bytes of header, one of PING, four of the CRYPTO frame's head.
    captured = max(size - 33, 0)
    if captured >= len(HELLO):
        assert [(message.type, message.body) for _, message, _ in found] == [(1, HELLO[4:])]
    elif size >= 44:  # the sample of header protection ends there
        assert found == []
        assert flow.partial() == [(CLIENT, 1, len(HELLO) - 4, HELLO[4:captured])]
    else:
        assert (found, flow.partial()) == ([], [])
    assert flow.notes == []


def test_cut_packets_of_both_sides_give_what_is_whole_in_them() -> None:
    flow, talk = QuicFlow(), Talk()
    (_, first), (_, answer) = talk.client(*cut(HELLO)), talk.server(ACK, *cut(ANSWER), size=1200)
    found = [message.type for _, message, _ in flow.datagram(CLIENT, first[:400], 0, 400, 800)]
    found += [message.type for _, message, _ in flow.datagram(SERVER, answer[:200], 0, 200, 1000)]
    assert found == [1, 2]
    assert flow.done


def test_frames_before_the_cut_count_though_the_cut_goes_through_a_number() -> None:
    flow, talk = QuicFlow(), Talk()
    _, data = talk.client(crypto(0, HELLO[:100]), ACK_ECN, crypto(100, HELLO[100:]))
    end = 28 + 4 + 100 + 5  # in the middle of ACK_ECN
    assert flow.datagram(CLIENT, data[:end], 0, end, len(data) - end) == []
    assert flow.partial() == [(CLIENT, 1, len(HELLO) - 4, HELLO[4:100])]


def test_cut_packets_after_a_retry_are_read_with_its_id() -> None:
    flow, talk, after = QuicFlow(), Talk(), Talk(origin=CHOSEN)
    first, second = (packet[1][:500] for packet in (talk.client(*cut(HELLO)), after.client(*cut(OTHER_HELLO))))
    assert len(flow.datagram(CLIENT, first, 0, 500, 700)) == 1
    feed(flow, [retry()])
    assert [message.body for _, message, _ in flow.datagram(CLIENT, second, 0, 500, 700)] == [OTHER_HELLO[4:]]


def test_an_answer_cut_without_its_hello_is_not_taken_for_one() -> None:
    taken = 0
    for number in range(1000):
        flow, talk = QuicFlow(), Talk(origin=number.to_bytes(8, "big"))
        _, data = talk.server(*cut(ANSWER), size=1200)
        flow.datagram(SERVER, data[:120], 0, 120, len(data) - 120)
        taken += flow.client is not None
    assert taken <= 5  # wrong keys give random bytes: few of them read as CRYPTO


def test_a_packet_cut_before_its_sample_tells_nothing_of_the_sides() -> None:
    flow, talk = QuicFlow(), Talk()
    _, answer = talk.server(*cut(ANSWER))
    for end in range(1, 44):
        assert flow.datagram(SERVER, answer[:end], 0, end, len(answer) - end) == []
    assert flow._held == []
    assert feed(flow, [talk.client(*cut(HELLO)), (SERVER, answer)]) == HANDSHAKE


def test_a_packet_of_which_only_padding_was_captured_gives_the_keys() -> None:
    flow, talk = QuicFlow(), Talk()
    _, data = talk.client(PADDING * 500, *cut(HELLO))
    assert flow.datagram(CLIENT, data[:300], 0, 300, 900) == []
    assert feed(flow, [talk.server(*cut(ANSWER))]) == said((SERVER, ANSWER))
    assert flow.client == CLIENT


def test_initials_of_unknown_versions_are_not_kept() -> None:
    flow = QuicFlow()
    _, data = Talk().client(*cut(HELLO))
    assert feed(flow, [(CLIENT, data[:1] + b"\x12\x34\x56\x78" + data[5:])]) == []
    assert flow._held == []


def test_a_hole_in_the_hello_is_told_with_what_stands_before_it() -> None:
    flow, talk = QuicFlow(), Talk()
    first, _, third = cut(HELLO, 80, 160)
    assert feed(flow, [talk.client(first), talk.client(third)]) == []
    assert flow.partial() == [(CLIENT, 1, len(HELLO) - 4, HELLO[4:80])]
    assert flow.notes == ["client: CRYPTO bytes from 80 on were not captured"]


def test_damaged_packets_are_noted_and_others_read() -> None:
    flow, talk = QuicFlow(), Talk()
    first, second = cut(HELLO, 100)
    side, damaged = talk.client(second)
    damaged = damaged[:500] + bytes((damaged[500] ^ 1,)) + damaged[501:]
    datagrams = [talk.client(first), (side, damaged), talk.client(second), talk.server(*cut(ANSWER))]
    assert feed(flow, datagrams) == HANDSHAKE
    assert flow.notes == ["client: an Initial that the connection's keys do not open"]


def test_scrambled_packets_alone_give_nothing() -> None:
    flow, rng = QuicFlow(), random.Random(5)
    for _ in range(2 * MAX_HELD):
        _, data = Talk().client(*cut(HELLO))
        data = data[:40] + rng.randbytes(len(data) - 40)
        assert feed(flow, [(CLIENT, data)]) == []
    assert len(flow._held) == MAX_HELD
    assert flow.partial() == []
    assert flow._held == []


def test_frames_before_a_frame_that_does_not_belong_are_read_and_it_is_noted() -> None:
    flow, talk = QuicFlow(), Talk()
    stream_frame = b"\x08\0\0\0"
    assert feed(flow, [talk.client(*cut(HELLO), stream_frame)]) == said((CLIENT, HELLO))
    assert len(flow.notes) == 1
    assert "0x08" in flow.notes[0]


def test_copies_that_differ_are_noted_and_the_first_counts() -> None:
    flow, talk = QuicFlow(), Talk()
    first, second = cut(HELLO, 200)
    evil = bytes(byte ^ 0xFF for byte in HELLO[150:220])
    assert feed(flow, [talk.client(second), talk.client(crypto(150, evil)), talk.client(first)]) == said(
        (CLIENT, HELLO[:150] + evil[:50] + HELLO[200:])
    )
    assert flow.notes == ["overlapping CRYPTO frames differ: the first copy was taken"]


def test_an_alert_that_closes_the_connection_in_an_initial_is_told() -> None:
    flow, talk = QuicFlow(), Talk()
    feed(flow, [talk.client(*cut(HELLO)), talk.server(ACK, close(0x128, b"no \x1b[31mway"))])
    assert flow.closed is not None
    code, reason, opened = flow.closed
    assert (code, opened) == (0x128, False)
    assert "\x1b" not in reason
    feed(flow, [talk.server(close(1, b"again"))])
    assert flow.closed == (code, reason, opened)


def test_a_flow_that_brings_nothing_new_is_given_up() -> None:
    flow, talk = QuicFlow(), Talk()
    feed(flow, [talk.client(cut(HELLO, 50)[0])])
    feed(flow, [short_packet(SERVER)] * PATIENCE)
    assert flow.done
    assert flow.partial() == [(CLIENT, 1, len(HELLO) - 4, HELLO[4:50])]


def test_a_connection_after_a_flow_was_given_up_begins_another() -> None:
    flow = QuicFlow()
    feed(flow, [short_packet(SERVER)] * PATIENCE)
    _, data = Talk().client(*cut(HELLO))
    assert flow.datagram(CLIENT, data, 0, len(data)) == []
    assert flow.restart


# Bounds


def kept(flow: QuicFlow) -> int:
    """Bytes a flow holds on to."""
    streams = sum(len(stream.data) + sum(len(held) for _, held in stream.later) for stream in flow._streams)
    return streams + sum(len(data) for _, data in flow._held) + len(flow._hello or b"")


@pytest.mark.parametrize("offset", [MAX_CRYPTO - 1, MAX_CRYPTO, 1 << 20, 1 << 40, (1 << 62) - 1])
def test_data_far_ahead_costs_no_memory(offset: int) -> None:
    flow, talk = QuicFlow(), Talk()
    assert feed(flow, [talk.client(crypto(offset, b"far")), talk.client(*cut(HELLO))]) == said((CLIENT, HELLO))
    assert kept(flow) < 3 * len(HELLO)
    assert flow.notes == ["CRYPTO frames too far ahead or too scattered were dropped"]


def test_data_in_a_thousand_pieces_is_bounded_and_the_message_before_it_read() -> None:
    flow, talk = QuicFlow(), Talk()
    scattered = [crypto(1000 + 3 * number, b"xy") for number in range(4 * MAX_PIECES)]
    feed(flow, [talk.client(*scattered[start : start + 100]) for start in range(0, len(scattered), 100)])
    assert len(flow._streams[CLIENT].later) == MAX_PIECES
    assert feed(flow, [talk.client(*cut(HELLO))]) == said((CLIENT, HELLO))


def test_overlapping_data_is_kept_once() -> None:
    flow, talk = QuicFlow(), Talk()
    feed(flow, [talk.client(crypto(5000 + number, bytes(1000))) for number in range(200)])
    assert kept(flow) == 1199


def test_a_message_without_end_is_bounded() -> None:
    flow, talk = QuicFlow(), Talk()
    endless = b"\1\xff\xff\xff" + bytes(MAX_CRYPTO)
    feed(flow, [talk.client(crypto(at, endless[at : at + 1100])) for at in range(0, len(endless), 1100)])
    assert kept(flow) <= MAX_CRYPTO
    assert any("too far" in note for note in flow.notes)


def test_a_finished_flow_keeps_nothing() -> None:
    flow, talk = QuicFlow(), Talk()
    feed(flow, [talk.client(*cut(HELLO), crypto(500, b"ahead")), talk.server(*cut(ANSWER))])
    assert kept(flow) == 0


def test_retries_without_end_are_bounded() -> None:
    flow, talk = QuicFlow(), Talk()
    feed(flow, [talk.client(*cut(HELLO)), *(retry(number.to_bytes(8, "big")) for number in range(200))])
    assert len(flow._retries) < 20
    assert len(flow.notes) == 1


@given(st.lists(st.tuples(st.integers(0, 60), st.binary(min_size=1, max_size=12)), max_size=30))
def test_first_copy_of_every_byte_wins(pieces: list[tuple[int, bytes]]) -> None:
    stream, model, conflict = _Stream(), dict[int, int](), False
    for offset, piece in pieces:
        fresh = {offset + at: byte for at, byte in enumerate(piece)}
        conflict = conflict or any(model.get(at, byte) != byte for at, byte in fresh.items())
        assert stream.add(offset, piece) == bool(fresh.keys() - model.keys())
        model = fresh | model
    end = next(at for at in count() if at not in model)
    assert bytes(stream.data) == bytes(model[at] for at in range(end))
    assert sum(len(held) for _, held in stream.later) == len(model) - end
    assert stream.conflict == conflict


@given(st.data())
def test_the_frames_of_a_packet_are_taken_as_one_by_one(data: st.DataObject) -> None:
    # Pieces of one stream, some of them again or changed, in any order, strewn over packets.
    whole = data.draw(st.binary(min_size=1, max_size=60))
    places = st.tuples(st.integers(0, len(whole)), st.integers(0, 12), st.booleans())
    packets, alone = _Stream(), _Stream()
    for packet in data.draw(st.lists(st.lists(places, max_size=8), max_size=8)):
        pieces = [
            (at, whole[at : at + size].swapcase() if other else whole[at : at + size]) for at, size, other in packet
        ]
        new = [alone.add(offset, piece) for offset, piece in pieces]
        assert packets.extend(pieces) == any(new)
        assert (packets.data, packets.later) == (alone.data, alone.later)
        assert (packets.conflict, packets.dropped) == (alone.conflict, alone.dropped)


# Any bytes


@given(st.data())
@settings(max_examples=150)
def test_flipped_bytes_are_never_more_than_a_loss(data: st.DataObject) -> None:
    talk, after = Talk(), Talk(origin=CHOSEN)
    first, second = cut(HELLO, 100)
    datagrams = [talk.client(first), retry(), after.client(first), after.client(second), after.server(*cut(ANSWER))]
    flow = QuicFlow()
    for side, whole in datagrams:
        sent = whole
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(0, len(sent) - 1))
            sent = sent[:at] + bytes((sent[at] ^ data.draw(st.integers(1, 255)),)) + sent[at + 1 :]
        end = data.draw(st.integers(1, len(sent)) | st.just(len(sent)))
        missing = data.draw(st.sampled_from([0, len(sent) - end]))
        for _, message, _ in flow.datagram(side, sent[:end], 0, end, missing):
            assert message.type in {1, 2} or missing
    flow.partial()


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=80), st.integers(0, 40)), max_size=8))
def test_random_datagrams_never_crash(datagrams: list[tuple[bool, bytes, int]]) -> None:
    flow = QuicFlow()
    for side, data, missing in datagrams:
        for start in (data, b"\xc0\0\0\0\1\0\0\0" + data):
            looks_like_quic(start, 0, len(start), missing)
            flow.datagram(side, start, 0, len(start), missing)
    flow.partial()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        CLIENT1[:20],
        b"\x43" + CLIENT1[1:],
        b"\xc3\0\0\0\2" + CLIENT1[5:],
        CLIENT1[:16] + b"\x4f\xff" + CLIENT1[18:],
        b"\xc3\0\0\0\1\x15" + CLIENT1[6:],
        negotiation()[1],
        negotiation(0x12345678, 0xBABABABB)[1],
        b"\x83Q050\x08" + FIRST + bytes(60),
        b"\xc3\0\0\0\1\x08" + FIRST + b"\0\0\x0a" + bytes(60),
    ],
    ids=[
        "empty",
        "short",
        "short header",
        "version",
        "length",
        "id",
        "no versions",
        "unknown versions",
        "no fixed bit",
        "no tag",
    ],
)
def test_what_is_no_quic_is_told(data: bytes) -> None:
    assert not looks_like_quic(data, 0, len(data))


# Through a capture


def mlkem_hello(name: bytes) -> bytes:
    """A hello with key shares of ML-KEM's size, some of them twice as a careful client might."""
    shares = tuple(KeyShareEntry(group, bytes(range(256)) * 4 + bytes(192)) for group in (0x11EC, 0x6399))
    values = {0: (ServerName(0, name),), 10: (0x11EC, 0x6399), 13: (0x0403,), 43: (0x0304,), 51: shares}
    hello = ClientHello(
        legacy_version=0x0303,
        random=bytes(range(32)),
        session_id=b"",
        suites=(0x1301, 0x1302),
        compression=(0,),
        extensions=tuple(Extension(code, encode_extension(code, value)) for code, value in values.items()),
    )
    return encode_handshake(CLIENT_HELLO, build(CLIENT_HELLO_BODY, hello))


def written(path: Path, datagrams: Iterable[Datagram], snaplen: int = 262144) -> Path:
    ports, addresses = (50000, 443), ("192.0.2.1", "192.0.2.2")
    packets = []
    for number, (side, data) in enumerate(datagrams):
        packet = ipv4(17, addresses[side], addresses[1 - side], udp(ports[side], ports[1 - side], data))
        packets.append(Packet(10**18 + number * 10**6, ethernet(packet), 14 + len(packet)))
    path.write_bytes(pcap(packets, snaplen=snaplen))
    return path


def test_session_of_a_capture_has_the_hello_of_three_packets(tmp_path: Path) -> None:
    talk = Talk(V2)
    pieces = cut(mlkem_hello(b"pq.example"), 1100, 2200)
    datagrams = [*(talk.client(piece) for piece in reversed(pieces)), talk.server(ACK, *cut(ANSWER))]
    (session,) = tlswire.sessions(written(tmp_path / "pq.pcap", datagrams))
    assert (session.transport, session.quic_version, session.server_name) == ("quic", "0x6B3343CF", "pq.example")
    assert session.hellos[0].key_shares == ["0x11EC", "0x6399"]
    assert session.hellos[0].ja4 is not None
    assert session.hellos[0].ja4.startswith("q13d0205")
    assert (session.hellos[0].frame, session.server_hellos[0].frame) == (3, 4)
    assert (session.suite, session.outcome, session.notes) == ("0x1301", "established", [])


def test_sessions_on_the_same_ports_are_told_apart(tmp_path: Path) -> None:
    first, second = Talk(), Talk(origin=LATER)
    datagrams = [
        *(first.client(*cut(HELLO)), first.server(*cut(ANSWER)), short_packet(CLIENT), short_packet(SERVER)),
        *(second.client(*cut(mlkem_hello(b"next.example")[:2000], 1000)), second.server(close(0x128, b"no"))),
    ]
    found = list(tlswire.sessions(written(tmp_path / "two.pcap", datagrams)))
    assert [session.first_frame for session in found] == [1, 5]
    assert [session.server_name for session in found] == ["example.com", "next.example"]
    assert found[1].hellos[0].partial
    assert "connection closed in an Initial: handshake_failure: no" in found[1].notes


def test_session_of_a_cut_capture_says_so(tmp_path: Path) -> None:
    talk = Talk()
    path = written(tmp_path / "cut.pcap", [talk.client(*cut(HELLO)), talk.server(*cut(ANSWER))], snaplen=200)
    (session,) = tlswire.sessions(path)
    assert session.hellos[0].partial
    assert any("bytes of the ClientHello were captured" in note for note in session.notes)
