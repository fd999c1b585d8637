from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.dialogues import ENVELOPES, OPENVPN_SERVER, openvpn_packet
from tests.servers.dialogues import OpenVpn as OpenVpnServer
from tlswire.errors import WireError
from tlswire.probe.envelopes import MAX_PACKET, OpenVpn, Tds
from tlswire.probe.negotiations import OPENVPN_SESSION

RESET = openvpn_packet(8, b"\x01" + bytes(4) + OPENVPN_SESSION + bytes(4))
each = pytest.mark.parametrize("name", ["tds", "openvpn-tcp"])


def ours(name: str) -> Tds | OpenVpn:
    return Tds(b"") if name == "tds" else OpenVpn(RESET)


@each
@given(up=st.lists(st.binary(max_size=9000), max_size=4), down=st.binary(max_size=20000), size=st.integers(1, 3000))
def test_both_sides_read_what_the_other_wraps(name: str, up: list[bytes], down: bytes, size: int) -> None:
    client, server = ours(name), ENVELOPES[name]()
    heard = said = b""
    to_server = b"".join(client.wrap(data) for data in up)
    to_client = server.wrap(down)
    while to_server or to_client:
        piece, to_server = to_server[:size], to_server[size:]
        data, back = server.open(piece)
        heard += data
        to_client += back
        piece, to_client = to_client[:size], to_client[size:]
        data, back = client.open(piece)
        said += data
        to_server += back
    assert heard == b"".join(up)
    assert said == down


@each
@given(data=st.lists(st.binary(max_size=60), max_size=6))
def test_random_bytes_are_packets_or_an_error_with_a_line(name: str, data: list[bytes]) -> None:
    client, complaint = ours(name), ""
    try:
        for piece in data:
            client.open(piece)
    except WireError as error:
        complaint = str(error)
    assert complaint.isprintable()


def test_tds_packets_have_the_usual_size_and_an_end() -> None:
    packets = Tds(b"").wrap(bytes(9000))
    assert packets[:2] == b"\x12\x00"
    assert int.from_bytes(packets[2:4], "big") == 4096
    assert packets[4096 : 4096 + 2] == b"\x12\x00"
    assert packets[8192 : 8192 + 2] == b"\x12\x01"


@pytest.mark.parametrize(
    "header", [b"\x16\x03\x01\x00\x05\x01\x00\x00", b"\x12\x01\x00\x07\x00\x00\x00\x00", b"\x12\x01\xff\xff\0\0\0\0"]
)
def test_what_is_no_packet_of_tds(header: bytes) -> None:
    with pytest.raises(WireError, match="no packet of TDS"):
        Tds(b"").open(header)


def test_openvpn_acknowledges_what_it_reads_with_what_it_says() -> None:
    client = OpenVpn(RESET)
    first = client.wrap(b"hello")
    # Length, P_CONTROL_V1, our session, one acknowledgement of 0 with the server's session, number 1, the data.
    assert (
        first
        == struct.pack(">HB", 31, 4 << 3) + OPENVPN_SESSION + b"\x01" + bytes(4) + OPENVPN_SERVER + b"\0\0\0\x01hello"
    )
    data, back = client.open(openvpn_packet(4, b"\x00\0\0\0\x01answer"))
    assert data == b"answer"
    assert back == struct.pack(">HB", 22, 5 << 3) + OPENVPN_SESSION + b"\x01\0\0\0\x01" + OPENVPN_SERVER


def test_openvpn_waits_with_more_than_four_packets_until_they_are_acknowledged() -> None:
    client = OpenVpn(RESET)
    packets = client.wrap(bytes(6 * 1200))
    assert packets.count(OPENVPN_SESSION) == 4
    _, more = client.open(openvpn_packet(5, b"\x02\0\0\0\x01\0\0\0\x02" + OPENVPN_SESSION))
    assert more.count(OPENVPN_SESSION) == 2


def test_openvpn_takes_a_packet_once() -> None:
    client = OpenVpn(RESET)
    packet = openvpn_packet(4, b"\x00\0\0\0\x01abc")
    assert client.open(packet)[0] == b"abc"
    data, back = client.open(packet)
    assert data == b""
    assert back  # the acknowledgement was lost, so it is said again


@pytest.mark.parametrize(
    ("packet", "says"),
    [
        (openvpn_packet(4, b"\x00\0\0\0\x02late"), "packet 2 where 1 belongs"),
        (openvpn_packet(4, b"\xff\0\0\0\x02"), "acknowledges 255"),
        (openvpn_packet(6, b"\x00\0\0\0\x01"), "opcode 6"),
        (openvpn_packet(4, b"\x00\0\0"), "opcode 4 of 12 bytes"),
        (struct.pack(">H", MAX_PACKET), f"{MAX_PACKET} bytes long"),
        (b"\x00\x03abc", "3 bytes long"),
    ],
)
def test_what_is_no_packet_of_openvpn(packet: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        OpenVpn(RESET).open(packet)


def test_the_window_of_the_server_does_not_matter() -> None:
    client, server = OpenVpn(RESET), OpenVpnServer(window=2)
    said, to_client = b"", server.wrap(bytes(range(256)) * 20)
    for _ in range(40):
        data, back = client.open(to_client)
        said += data
        to_client = server.open(back)[1]
    assert said == bytes(range(256)) * 20
