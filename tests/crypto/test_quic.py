"""Initial protection: the samples of the RFCs byte for byte, the drafts' keys, and what damage does."""

from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.crypto.hkdf import expand_label
from tlswire.crypto.quic import Keys, initial_keys, open_cut_initial, open_packet, seal_initial
from tlswire.errors import WireError
from tlswire.wire.quic import V1, V2, V2_DRAFT, initial_header, read_long_packet

from .quic_samples import CLIENT1, CLIENT2, CLIENT_PAYLOAD, DCID, DERIVED, SAMPLES, SERVER1, SERVER2, Derived, Sample

MVFST = 0xFACEB000
KNOWN = (V1, V2, V2_DRAFT, *range(0xFF000016, 0xFF000023), MVFST + 1, MVFST + 2, 0x1A2A3A4A)


def keys_of(version: int, dcid: bytes = DCID, *, server: bool = False) -> Keys:
    keys = initial_keys(version, dcid, server=server)
    assert keys is not None
    return keys


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_sealing_a_sample_gives_its_bytes(sample: Sample) -> None:
    keys = keys_of(sample.version, server=sample.server)
    assert seal_initial(keys, sample.header, sample.number, sample.payload) == sample.packet


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_opening_a_sample_gives_its_frames(sample: Sample) -> None:
    packet = read_long_packet(sample.packet, 0, len(sample.packet))
    keys = keys_of(sample.version, server=sample.server)
    assert open_packet(keys, sample.packet, packet) == (sample.number, sample.payload)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_keys_of_the_other_side_open_nothing(sample: Sample) -> None:
    packet = read_long_packet(sample.packet, 0, len(sample.packet))
    assert open_packet(keys_of(sample.version, server=not sample.server), sample.packet, packet) is None


@pytest.mark.parametrize("derived", DERIVED, ids=lambda row: f"{row.source} {'server' if row.server else 'client'}")
def test_keys_are_those_that_were_printed(derived: Derived) -> None:
    for version in derived.versions:
        keys = keys_of(version, server=derived.server)
        assert (keys.key.hex(), keys.iv.hex(), keys.hp.hex()) == (derived.key, derived.iv, derived.hp)


@pytest.mark.parametrize(
    ("sample", "mask"),
    # RFC 9001 A.2 and A.3, RFC 9369 A.2 and A.3: sample and mask.
    [
        (("RFC 9001 A.2", "d1b1c98dd7689fb8ec11d242b123dc9b"), "437b9aec36"),
        (("RFC 9001 A.3", "2cd0991cd25b0aac406a5816b6394100"), "2ec0d8356a"),
        (("RFC 9369 A.2", "ffe67b6abcdb4298b485dd04de806071"), "94a0c95e80"),
        (("RFC 9369 A.3", "6f05d8a4398c47089698baeea26b91eb"), "4dd92e91ea"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_header_protection_masks_as_printed(sample: tuple[str, str], mask: str) -> None:
    row = SAMPLES[sample[0]]
    assert bytes.fromhex(sample[1]) in row.packet
    assert keys_of(row.version, server=row.server).mask.update(bytes.fromhex(sample[1]))[:5].hex() == mask


def test_draft_22_has_a_salt_of_its_own() -> None:
    # draft-ietf-quic-tls-22 section 5.2; its appendix printed no keys with this salt.
    common = hmac.digest(bytes.fromhex("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a"), DCID, "sha256")

    def expand(secret: bytes, info: str, length: int) -> bytes:
        return HKDFExpand(SHA256(), length, bytes.fromhex(info)).derive(secret)

    # RFC 9001 A.1 prints these labels.
    secret = expand(common, "00200f746c73313320636c69656e7420696e00", 32)
    for version in (0xFF000016, MVFST + 1):
        keys = keys_of(version)
        assert keys.key == expand(secret, "00100e746c7331332071756963206b657900", 16)
        assert keys.iv == expand(secret, "000c0d746c733133207175696320697600", 12)
        assert keys.hp == expand(secret, "00100d746c733133207175696320687000", 16)


def test_mvfst_takes_the_salt_of_draft_23_except_where_it_names_version_1() -> None:
    draft23, version1 = keys_of(0xFF000017), keys_of(V1)
    for low in (2, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x13, 0x15):
        assert keys_of(MVFST + low).key == draft23.key
    for low in (3, 4):
        assert keys_of(MVFST + low).key == version1.key


def test_versions_made_to_be_refused_are_protected_as_version_1() -> None:
    for version in (0x0A0A0A0A, 0x1A2A3A4A, 0xFAFAFAFA):
        assert keys_of(version).key == keys_of(V1).key


@pytest.mark.parametrize("version", [0, 2, 0xFF000015, 0xFF000023, 0xFF010017, 0x51303530, 0x6B3343D0, 0xFFFFFFFF])
def test_unknown_versions_have_no_keys(version: int) -> None:
    assert initial_keys(version, DCID) is None
    assert initial_keys(version, DCID, server=True) is None


def test_labels_are_those_of_the_rfc() -> None:
    # RFC 9001 A.1: initial_secret and client_initial_secret.
    common = bytes.fromhex("7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44")
    client = bytes.fromhex("c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea")
    assert expand_label(common, "client in", 32) == client
    assert expand_label(client, "quic key", 16).hex() == "1f369613dd76d5467730efcbe3b1a22d"


def test_only_the_side_that_is_asked_for_is_derived() -> None:
    initial_keys.cache_clear()
    initial_keys(V1, b"of a client alone")
    assert initial_keys.cache_info().currsize == 1
    initial_keys(V1, b"of a client alone")
    assert initial_keys.cache_info().hits == 1


@given(
    st.sampled_from(KNOWN),
    st.booleans(),
    st.binary(max_size=20),
    st.binary(max_size=20),
    st.binary(max_size=40),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=200),
)
@settings(max_examples=60)
def test_what_is_sealed_opens(
    version: int, server: bool, dcid: bytes, scid: bytes, token: bytes, number: int, payload: bytes
) -> None:
    keys = keys_of(version, dcid, server=server)
    header = initial_header(version, dcid, scid, token, number, len(payload) + 16)
    data = seal_initial(keys, header, number, payload)
    packet = read_long_packet(data, 0, len(data))
    assert (packet.kind, packet.version, packet.dcid, packet.scid, packet.token) == (
        "initial",
        version,
        dcid,
        scid,
        token,
    )
    assert packet.end == len(data)
    assert open_packet(keys, data, packet) == (number, payload)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_packet_numbers_of_every_size_open(size: int) -> None:
    keys = keys_of(V1)
    payload = bytes(range(40))
    length = size + len(payload) + 16
    head = bytes((0xC0 | size - 1,)) + V1.to_bytes(4, "big") + bytes((len(DCID),)) + DCID + b"\0\0" + bytes((length,))
    number = 0x7A7B7C7D & (1 << 8 * size) - 1
    data = seal_initial(keys, head + number.to_bytes(size, "big"), number, payload)
    assert open_packet(keys, data, read_long_packet(data, 0, len(data))) == (number, payload)


@given(st.sampled_from([CLIENT1, CLIENT2, SERVER1, SERVER2]), st.data())
@settings(max_examples=150)
def test_any_flipped_bit_is_noticed(packet: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(packet) - 1))
    damaged = packet[:at] + bytes((packet[at] ^ 1 << data.draw(st.integers(0, 7)),)) + packet[at + 1 :]
    try:
        read = read_long_packet(damaged, 0, len(damaged))
    except WireError:
        return
    keys = initial_keys(read.version, DCID, server=packet in {SERVER1, SERVER2})
    if keys is not None and read.kind == "initial":
        assert open_packet(keys, damaged, read) is None


@given(st.binary(max_size=60), st.integers(0, 60))
@settings(max_examples=80)
def test_random_packets_do_not_open_and_leave_the_keys_whole(junk: bytes, cut: int) -> None:
    keys = keys_of(V1)
    data = initial_header(V1, DCID, b"", b"", 0, len(junk))[:-4] + b"\0\0\0\0" + junk
    packet = read_long_packet(data, 0, len(data))
    assert open_packet(keys, data, packet) is None
    assert len(open_cut_initial(keys, data[: len(data) - cut], len(data) - cut, packet)) <= len(junk) + 3
    good = read_long_packet(CLIENT1, 0, len(CLIENT1))
    assert open_packet(keys, CLIENT1, good) == (2, CLIENT_PAYLOAD)


@pytest.mark.parametrize("end", [0, 21, 22, 37, 38, 39, 100, 1183, 1184, 1190, 1199, 1200])
def test_the_captured_part_of_a_cut_packet_is_the_beginning_of_its_payload(end: int) -> None:
    packet = read_long_packet(CLIENT1, 0, len(CLIENT1))
    opened = open_cut_initial(keys_of(V1), CLIENT1[:end], end, packet)
    assert CLIENT_PAYLOAD.startswith(opened)
    # Header protection samples up to byte 38; the tag, at the end, is no payload.
    assert len(opened) == (0 if end < 38 else min(end - 22, len(CLIENT_PAYLOAD)))


def test_a_payload_too_short_to_sample_is_refused_and_leaves_the_keys_whole() -> None:
    keys = keys_of(V1)
    header = initial_header(V1, DCID, b"", b"", 0, 18)
    short = bytes((header[0] & 0xFC,)) + header[1:-3]
    with pytest.raises(WireError, match="too short"):
        seal_initial(keys, short, 0, b"\0\0")
    assert open_packet(keys, CLIENT1, read_long_packet(CLIENT1, 0, len(CLIENT1))) == (2, CLIENT_PAYLOAD)
