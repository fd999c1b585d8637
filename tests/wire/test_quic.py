"""QUIC headers and frames: what is encoded reads back, what is short or strange is a WireError, nothing else."""

from __future__ import annotations

import struct
from typing import NamedTuple

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.crypto.quic_samples import CLIENT1, CLIENT_CRYPTO, CLIENT_PAYLOAD, DCID, RETRY1, RETRY2, SERVER2, SERVER_SCID
from tlswire.errors import WireError
from tlswire.wire.quic import (
    V1,
    V2,
    V2_DRAFT,
    CloseFrame,
    CryptoFrame,
    LongPacket,
    PacketKind,
    crypto_frame,
    initial_header,
    is_google,
    read_frames,
    read_long_packet,
    read_varint,
    rules_of,
    varint,
)

# RFC 9000 section 17.2 and RFC 9369 section 3.2: kind -> type bits.
TYPES: dict[int, dict[PacketKind, int]] = {
    V1: {"initial": 0, "0-rtt": 1, "handshake": 2, "retry": 3},
    V2: {"initial": 1, "0-rtt": 2, "handshake": 3, "retry": 0},
}
TYPES |= {V2_DRAFT: TYPES[V2], 0xFF00001D: TYPES[V1], 0xFACEB002: TYPES[V1], 0x12345678: TYPES[V1]}

IDS = st.binary(max_size=20)


class Sent(NamedTuple):
    """A packet and what it should read as."""

    data: bytes
    packet: LongPacket


@st.composite
def packets(draw: st.DrawFn) -> Sent:
    """A packet with a long header that says its length, or a Retry."""
    version = draw(st.sampled_from(sorted(TYPES)))
    kind = draw(st.sampled_from(sorted(TYPES[version])))
    dcid, scid, token, rest = draw(IDS), draw(IDS), b"", draw(st.binary(max_size=70))
    first = 0xC0 | TYPES[version][kind] << 4 | draw(st.integers(0, 15))
    head = struct.pack(">BI", first, version) + bytes((len(dcid),)) + dcid + bytes((len(scid),)) + scid
    if kind == "retry":
        token = draw(st.binary(max_size=70))
        data = head + token + bytes(16)
        return Sent(data, LongPacket(kind, version, dcid, scid, token, 0, len(head), len(data)))
    if kind == "initial":
        token = draw(st.binary(max_size=70))
        head += varint(len(token)) + token
    head += varint(len(rest))
    return Sent(head + rest, LongPacket(kind, version, dcid, scid, token, 0, len(head), len(head) + len(rest)))


@pytest.mark.parametrize(
    ("encoded", "value"),
    # RFC 9000 A.1.
    [
        ("c2197c5eff14e88c", 151_288_809_941_952_652),
        ("9d7f3e7d", 494_878_333),
        ("7bbd", 15_293),
        ("25", 37),
        ("4025", 37),
    ],
)
def test_variable_length_integers_are_read_as_the_rfc_shows(encoded: str, value: int) -> None:
    data = bytes.fromhex(encoded)
    assert read_varint(data, 0, len(data)) == (value, len(data))


@given(st.integers(0, (1 << 62) - 1), st.binary(max_size=9), st.binary(max_size=9))
@example(63, b"", b"")
@example(64, b"", b"")
@example(16_383, b"", b"")
@example(16_384, b"", b"")
@example((1 << 30) - 1, b"", b"")
@example(1 << 30, b"", b"")
def test_variable_length_integers_read_back_in_their_shortest_form(value: int, before: bytes, after: bytes) -> None:
    encoded = varint(value)
    assert len(encoded) == next(size for size, bits in ((1, 6), (2, 14), (4, 30), (8, 62)) if value < 1 << bits)
    data = before + encoded + after
    assert read_varint(data, len(before), len(data)) == (value, len(before) + len(encoded))
    for end in range(len(encoded)):
        with pytest.raises(WireError):
            read_varint(data, len(before), len(before) + end)


@pytest.mark.parametrize("value", [-1, 1 << 62, 1 << 64])
def test_integers_that_do_not_fit_are_not_encoded(value: int) -> None:
    with pytest.raises(WireError):
        varint(value)


@given(packets(), st.binary(max_size=5), st.binary(max_size=30))
def test_packets_read_back_at_any_place_of_a_datagram(sent: Sent, before: bytes, after: bytes) -> None:
    assume(not (after and sent.packet.kind == "retry"))  # a Retry has no length: it ends with its datagram
    data = before + sent.data + after
    packet = read_long_packet(data, len(before), len(data))
    read = sent.packet
    moved = tuple(len(before) + at for at in (read.start, read.number, read.end))
    assert (packet.start, packet.number, packet.end) == moved
    assert (packet.kind, packet.version, packet.dcid) == (read.kind, read.version, read.dcid)
    assert (packet.scid, packet.token, packet.versions) == (read.scid, read.token, ())


@given(packets())
@settings(max_examples=50)
def test_a_part_of_a_packet_is_none_unless_the_capture_cut_it(sent: Sent) -> None:
    for end in range(len(sent.data)):
        part = sent.data[:end]
        if sent.packet.kind == "retry" and end >= sent.packet.number + 16:  # it has no length: a shorter token
            assert read_long_packet(part, 0, end).token == sent.packet.token[: end - sent.packet.number - 16]
            continue
        with pytest.raises(WireError) as caught:
            read_long_packet(part, 0, end)
        check_place(caught.value, end)
        if end >= sent.packet.number and sent.packet.kind != "retry":
            assert read_long_packet(part, 0, end, len(sent.data) - end) == sent.packet


@given(st.binary(max_size=60))
def test_random_bytes_are_a_packet_or_a_wire_error(data: bytes) -> None:
    check_bytes(data)


@given(
    st.integers(0x80, 0xFF),
    st.sampled_from([0, *TYPES]),
    st.integers(0, 22),
    st.integers(0, 22),
    st.binary(max_size=90),
)
def test_random_bytes_behind_a_version_are_a_packet_or_a_wire_error(
    first: int, version: int, dcid: int, scid: int, rest: bytes
) -> None:
    check_bytes(struct.pack(">BIB", first, version, dcid) + rest[:dcid] + bytes((scid,)) + rest[dcid:])


@given(packets(), st.data())
def test_a_flipped_byte_is_a_packet_or_a_wire_error(sent: Sent, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(sent.data) - 1))
    check_bytes(sent.data[:at] + bytes((sent.data[at] ^ data.draw(st.integers(1, 255)),)) + sent.data[at + 1 :])


def check_bytes(data: bytes) -> None:
    """Whatever reads, lies within its datagram."""
    for missing in (0, 10):
        try:
            packet = read_long_packet(data, 0, len(data), missing)
        except WireError as error:
            check_place(error, len(data))
        else:
            assert 0 <= packet.number <= len(data)
            assert packet.number <= packet.end <= len(data) + missing


def check_place(error: WireError, size: int) -> None:
    assert error.offset is not None
    assert 0 <= error.offset <= size


def test_samples_read_as_they_were_printed() -> None:
    client = LongPacket("initial", V1, DCID, b"", b"", 0, 18, 1200)
    assert read_long_packet(CLIENT1, 0, len(CLIENT1)) == client
    server = LongPacket("initial", V2, b"", SERVER_SCID, b"", 0, 18, 135)
    assert read_long_packet(SERVER2, 0, len(SERVER2)) == server
    for version, data in ((V1, RETRY1), (V2, RETRY2)):
        retry = read_long_packet(data, 0, len(data))
        assert (retry.kind, retry.version, retry.scid, retry.token) == ("retry", version, SERVER_SCID, b"token")


def test_header_is_that_of_the_sample() -> None:
    # RFC 9001 A.2 and RFC 9369 A.2.
    assert initial_header(V1, DCID, b"", b"", 2, 1178).hex() == "c300000001088394c8f03e5157080000449e00000002"
    assert initial_header(V2, DCID, b"", b"", 2, 1178).hex() == "d36b3343cf088394c8f03e5157080000449e00000002"


def negotiation(dcid: bytes, scid: bytes, *versions: int) -> bytes:
    ids = bytes((len(dcid),)) + dcid + bytes((len(scid),)) + scid
    return b"\x80\0\0\0\0" + ids + struct.pack(f">{len(versions)}I", *versions)


@given(st.binary(max_size=255), st.binary(max_size=255), st.lists(st.integers(0, 0xFFFFFFFF), max_size=9))
@settings(max_examples=60)
def test_version_negotiation_reads_back_with_ids_of_any_length(dcid: bytes, scid: bytes, versions: list[int]) -> None:
    data = negotiation(dcid, scid, *versions)
    packet = read_long_packet(data, 0, len(data))
    assert (packet.kind, packet.dcid, packet.scid, packet.versions) == ("negotiation", dcid, scid, tuple(versions))
    assert packet.end == len(data)


def test_a_version_cut_in_two_is_refused_unless_the_capture_cut_it() -> None:
    data = negotiation(b"client", b"server", V1, V2)
    for end in range(len(data) - 3, len(data)):
        with pytest.raises(WireError, match="list of versions"):
            read_long_packet(data, 0, end)
        assert read_long_packet(data, 0, end, len(data) - end).versions == (V1,)


@pytest.mark.parametrize("length", [21, 64, 255])
def test_ids_longer_than_version_1_allows_are_refused(length: int) -> None:
    for ids in (bytes((length,)) + bytes(length) + b"\0", b"\0" + bytes((length,)) + bytes(length)):
        data = b"\xc0\0\0\0\1" + ids + bytes(40)
        with pytest.raises(WireError, match="connection id"):
            read_long_packet(data, 0, len(data))


@pytest.mark.parametrize("first", [0x00, 0x40, 0x7F])
def test_a_short_header_is_refused(first: int) -> None:
    with pytest.raises(WireError, match="no long header"):
        read_long_packet(bytes((first,)) + CLIENT1[1:], 0, len(CLIENT1))


@pytest.mark.parametrize(
    ("version", "rules"),
    [
        (V1, "v1"),
        (V2, "v2"),
        (V2_DRAFT, "v2-draft"),
        (0xFF000015, None),
        (0xFF000016, "draft-22"),
        *((version, "draft-23") for version in range(0xFF000017, 0xFF00001D)),
        *((version, "draft-29") for version in range(0xFF00001D, 0xFF000021)),
        (0xFF000021, "v1"),
        (0xFF000022, "v1"),
        (0xFF000023, None),
        (0xFACEB001, "draft-22"),
        (0xFACEB002, "draft-23"),
        (0xFACEB003, "v1"),
        (0xFACEB00E, "draft-23"),
        (0x0A1A2A3A, "v1"),
        (0x0A1A2A3B, None),
        (0x51303530, None),
        (0, None),
        (2, None),
    ],
)
def test_versions_have_the_rules_of_their_draft(version: int, rules: str | None) -> None:
    assert rules_of(version) == rules


def test_google_versions_are_told_by_their_letters() -> None:
    assert all(is_google(int.from_bytes(name, "big")) for name in (b"Q043", b"Q046", b"Q050", b"T051"))
    assert not any(is_google(version) for version in (0, V1, V2, 0xFF00001D, 0x51313530))


# Frames


class Frame(NamedTuple):
    """A frame's bytes and what it should read as; None for what says nothing here."""

    data: bytes
    read: CryptoFrame | CloseFrame | None = None


NUMBERS = st.integers(0, (1 << 62) - 1)


@st.composite
def acks(draw: st.DrawFn) -> Frame:
    ecn, ranges = draw(st.booleans()), draw(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=4))
    numbers = [
        draw(NUMBERS),
        draw(NUMBERS),
        len(ranges),
        draw(NUMBERS),
        *(number for pair in ranges for number in pair),
    ]
    if ecn:
        numbers += [draw(NUMBERS), draw(NUMBERS), draw(NUMBERS)]
    return Frame(bytes((3 if ecn else 2,)) + b"".join(map(varint, numbers)))


@st.composite
def cryptos(draw: st.DrawFn) -> Frame:
    frame = CryptoFrame(draw(NUMBERS), draw(st.binary(max_size=70)))
    return Frame(crypto_frame(frame), frame)


@st.composite
def closes(draw: st.DrawFn) -> Frame:
    frame = CloseFrame(draw(NUMBERS), draw(NUMBERS), draw(st.binary(max_size=70)))
    head = b"\x1c" + varint(frame.error) + varint(frame.frame_type)
    return Frame(head + varint(len(frame.reason)) + frame.reason, frame)


FRAMES = st.lists(
    st.one_of(
        st.integers(1, 40).map(lambda count: Frame(bytes(count))), st.just(Frame(b"\1")), acks(), cryptos(), closes()
    ),
    max_size=7,
)


@given(FRAMES)
def test_frames_read_back_in_order(frames: list[Frame]) -> None:
    payload = b"".join(frame.data for frame in frames)
    read = [frame.read for frame in frames if frame.read is not None]
    assert list(read_frames(payload)) == read
    assert list(read_frames(payload, cut=True)) == read


@given(FRAMES, st.data())
def test_a_frame_cut_short_is_a_wire_error_and_of_a_cut_payload_the_last(
    frames: list[Frame], data: st.DataObject
) -> None:
    payload = b"".join(frame.data for frame in frames)
    end = data.draw(st.integers(0, len(payload)))
    starts = [len(b"".join(frame.data for frame in frames[:count])) for count in range(len(frames) + 1)]
    whole = max(count for count, start in enumerate(starts) if start <= end)
    read = [frame.read for frame in frames[:whole] if frame.read is not None]
    frame = frames[whole] if whole < len(frames) else None
    inside = frame is not None and end > starts[whole] and any(frame.data)  # PADDING is a frame a byte

    found: list[CryptoFrame | CloseFrame] = []
    if inside:
        with pytest.raises(WireError) as caught:
            found.extend(read_frames(payload[:end]))
        assert caught.value.offset is not None
        assert starts[whole] < caught.value.offset <= end
    else:
        assert list(read_frames(payload[:end])) == read

    found = list(read_frames(payload[:end], cut=True))
    assert found[: len(read)] == read
    for short in found[len(read) :]:
        assert inside
        assert frame is not None
        check_shortened(short, frame.read)


def check_shortened(short: CryptoFrame | CloseFrame, frame: CryptoFrame | CloseFrame | None) -> None:
    if isinstance(short, CryptoFrame):
        assert isinstance(frame, CryptoFrame)
        assert short.offset == frame.offset
        assert frame.data.startswith(short.data)
    else:
        assert isinstance(frame, CloseFrame)
        assert (short.error, short.frame_type) == (frame.error, frame.frame_type)
        assert frame.reason.startswith(short.reason)


@given(st.binary(max_size=80), st.sampled_from([b"", b"\1", b"\2", b"\3", b"\6", b"\x1c"]))
def test_random_bytes_are_frames_or_a_wire_error(data: bytes, kind: bytes) -> None:
    for cut in (False, True):
        try:
            found = list(read_frames(kind + data, cut=cut))
        except WireError as error:
            check_place(error, len(kind + data))
        else:
            assert sum(len(frame.data if isinstance(frame, CryptoFrame) else frame.reason) for frame in found) <= len(
                data
            )


@given(st.integers(0, len(CLIENT_CRYPTO) - 1), st.integers(1, 255))
def test_a_flipped_byte_gives_frames_or_a_wire_error(at: int, mask: int) -> None:
    flipped = CLIENT_PAYLOAD[:at] + bytes((CLIENT_PAYLOAD[at] ^ mask,)) + CLIENT_PAYLOAD[at + 1 :]
    try:
        found = list(read_frames(flipped))
    except WireError:
        return
    assert all(isinstance(frame, CryptoFrame | CloseFrame) for frame in found)


@pytest.mark.parametrize("kind", sorted(set(range(256)) - {0, 1, 2, 3, 6, 0x1C}))
def test_frames_that_do_not_belong_are_refused_even_in_a_cut_payload(kind: int) -> None:
    good = CryptoFrame(0, b"hello")
    for cut in (False, True):
        frames = read_frames(crypto_frame(good) + bytes((kind,)) + bytes(20), cut=cut)
        assert next(frames) == good
        with pytest.raises(WireError, match=f"0x{kind:02x}"):
            next(frames)


def test_an_ack_that_counts_ranges_without_end_is_refused_at_once() -> None:
    with pytest.raises(WireError):
        list(read_frames(b"\2\0\0" + varint((1 << 62) - 1) + bytes(1200)))


def test_a_close_reason_that_lies_about_its_length_is_refused() -> None:
    with pytest.raises(WireError, match=r"connection_close\.length"):
        list(read_frames(b"\x1c\1\6\x09reason"))
