"""Packets as values: classic pcap in and out, and the few headers the transformations take apart and build.

Pure ``struct``; must not import anything else of the project, so that a mistake of its reader cannot hide here.
"""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RECORDED = Path(__file__).with_name("recorded")

ETHERNET = 1
MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class Packet(NamedTuple):
    """One packet: nanoseconds since 1970, what was captured, and how long it was where it was cut."""

    time: int
    data: bytes
    length: int = 0

    @property
    def original(self) -> int:
        """Bytes on the wire."""
        return self.length or len(self.data)


class Transformation(NamedTuple):
    """A capture made from recordings: ``made/NAME``.

    What it holds is what its ``bases`` hold, with ``changes``; a change to ``...`` says that the fact is gone. ``opened``
    says that the secrets are inside: what only the key log shows of a recording is there.
    """

    name: str
    shows: str
    bases: tuple[str, ...]
    make: Callable[[], bytes]
    changes: dict[str, Any] = {}  # noqa: RUF012 - never changed
    opened: bool = False


def recorded(name: str) -> list[Packet]:
    """The packets of a recording."""
    return read_pcap(RECORDED / f"{name}.pcap")


def read_pcap(path: Path) -> list[Packet]:
    """The packets of a little-endian microsecond pcap, the only kind our recorder writes."""
    raw = path.read_bytes()
    if raw[:4] != struct.pack("<I", MICRO):
        raise ValueError(f"{path.name} is not from our recorder")
    found = []
    at = 24
    while at < len(raw):
        seconds, micros, size, length = struct.unpack_from("<IIII", raw, at)
        at += 16
        found.append(Packet(seconds * 10**9 + micros * 1000, raw[at : at + size], length))
        at += size
    return found


def pcap(
    packets: Iterable[Packet], linktype: int = ETHERNET, *, order: str = "<", nano: bool = False, snaplen: int = 262144
) -> bytes:
    """A classic pcap file."""
    unit = 1 if nano else 1000
    out = [struct.pack(order + "IHHiIII", NANO if nano else MICRO, 2, 4, 0, 0, snaplen, linktype)]
    for packet in packets:
        data = packet.data[:snaplen]
        seconds, rest = divmod(packet.time, 10**9)
        out += [struct.pack(order + "IIII", seconds, rest // unit, len(data), packet.original), data]
    return b"".join(out)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(protocol: int, source: str, destination: str, payload: bytes, *, ident: int = 0, fragment: int = 0) -> bytes:
    """An IPv4 packet; ``fragment`` is the field of flags and offset."""
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(destination).packed
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(payload), ident, fragment, 64, protocol)
    return start + struct.pack(">H", checksum(start + b"\0\0" + addresses)) + addresses + payload


def ipv6(header: int, source: str, destination: str, payload: bytes) -> bytes:
    """An IPv6 packet whose next header is ``header``."""
    addresses = ipaddress.IPv6Address(source).packed + ipaddress.IPv6Address(destination).packed
    return struct.pack(">IHBB", 6 << 28, len(payload), header, 64) + addresses + payload


def udp(source: int, destination: int, payload: bytes) -> bytes:
    """A UDP datagram without checksum, as IPv4 allows."""
    return struct.pack(">HHHH", source, destination, 8 + len(payload), 0) + payload


def ethernet(payload: bytes, kind: int | None = None) -> bytes:
    """A frame between two made-up, locally administered stations; IP says itself which it is."""
    ethertype = kind if kind is not None else (0x86DD if payload[0] >> 4 == 6 else 0x0800)
    return bytes.fromhex("020000000002020000000001") + struct.pack(">H", ethertype) + payload


class Segment(NamedTuple):
    """A TCP segment over IPv4, with its time."""

    time: int
    source: str
    destination: str
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int
    window: int
    options: bytes
    payload: bytes

    @property
    def end(self) -> int:
        """The sequence number behind it."""
        return (self.seq + len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)) % 2**32


def segments(packets: Iterable[Packet]) -> list[Segment]:
    """The TCP segments of Ethernet frames that hold IPv4."""
    found = []
    for packet in packets:
        ip = packet.data[14:]
        if packet.data[12:14] != b"\x08\x00" or ip[9] != 6:
            continue
        tcp = ip[(ip[0] & 15) * 4 : int.from_bytes(ip[2:4], "big")]
        sport, dport, seq, ack, offset, flags, window = struct.unpack_from(">HHIIBBH", tcp)
        size = (offset >> 4) * 4
        source, destination = (str(ipaddress.IPv4Address(ip[at : at + 4])) for at in (12, 16))
        found.append(
            Segment(packet.time, source, destination, sport, dport, seq, ack, flags, window, tcp[20:size], tcp[size:])
        )
    return found


def tcp_packet(segment: Segment) -> bytes:
    """The IP packet of a segment, with right checksums; IPv6 where the addresses are."""
    size = 20 + len(segment.options)
    start = struct.pack(
        ">HHIIBBH",
        segment.sport,
        segment.dport,
        segment.seq % 2**32,
        segment.ack % 2**32,
        size << 2,
        segment.flags,
        segment.window,
    )
    rest = b"\0\0" + segment.options + segment.payload
    source, destination = ipaddress.ip_address(segment.source), ipaddress.ip_address(segment.destination)
    pseudo = source.packed + destination.packed + struct.pack(">HH", 6, size + len(segment.payload))
    body = start + struct.pack(">H", checksum(pseudo + start + b"\0\0" + rest)) + rest
    if source.version == 6:
        return ipv6(6, segment.source, segment.destination, body)
    return ipv4(6, segment.source, segment.destination, body, fragment=0x4000)


def frames(chain: Iterable[Segment]) -> list[Packet]:
    """Segments as Ethernet frames."""
    return [Packet(segment.time, ethernet(tcp_packet(segment))) for segment in chain]
