"""Transformations of the file around the packets: byte orders, time units, pcapng blocks, compression, cuts."""

from __future__ import annotations

import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

from captures.packets import ETHERNET, RECORDED, Packet, Transformation, pcap, recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BASE = "tls13"
CHAIN = "tls12-ecdhe"
OLDER = "keylog-older"
RAW, NULL = 101, 0
_MAGIC = {"<": 1, ">": 2}


class Ng:
    """A pcapng file in one byte order (draft-ietf-opsawg-pcapng), block by block."""

    def __init__(self, order: str = "<") -> None:
        self.order = order
        self.out: list[bytes] = []
        self.section()

    def section(self, order: str = "", *options: tuple[int, bytes]) -> None:
        """Begin a section, maybe in another order."""
        self.order = order or self.order
        body = struct.pack(self.order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + self.options(*options)
        self.block(0x0A0D0D0A, body)

    def block(self, kind: int, body: bytes) -> None:
        """Any block; the body is padded."""
        body += bytes(-len(body) % 4)
        size = struct.pack(self.order + "I", 12 + len(body))
        self.out.append(struct.pack(self.order + "I", kind) + size + body + size)

    def options(self, *options: tuple[int, bytes]) -> bytes:
        """Options and their end, nothing where there are none."""
        listed = [
            struct.pack(self.order + "HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options
        ]
        return b"".join(listed) + bytes(4) if listed else b""

    def interface(self, linktype: int = ETHERNET, snaplen: int = 0, *options: tuple[int, bytes]) -> None:
        """An interface description block."""
        self.block(1, struct.pack(self.order + "HHI", linktype, 0, snaplen) + self.options(*options))

    def packet(
        self, packet: Packet, interface: int = 0, *options: tuple[int, bytes], ticks: int = 10**6, offset: int = 0
    ) -> None:
        """An enhanced packet block, its time in ``ticks`` a second behind ``offset`` seconds."""
        time = (packet.time - offset * 10**9) * ticks // 10**9
        head = struct.pack(
            self.order + "IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(packet.data), packet.original
        )
        self.block(6, head + packet.data + bytes(-len(packet.data) % 4) + self.options(*options))

    def simple(self, packet: Packet) -> None:
        """A simple packet block: no time, no interface."""
        self.block(3, struct.pack(self.order + "I", packet.original) + packet.data)

    def obsolete(self, packet: Packet) -> None:
        """A packet block of the first drafts."""
        time = packet.time // 1000
        head = struct.pack(
            self.order + "HHIIII", 0, 0xFFFF, time >> 32, time & 0xFFFFFFFF, len(packet.data), packet.original
        )
        self.block(2, head + packet.data)

    def done(self) -> bytes:
        """The file."""
        return b"".join(self.out)


def _plain(order: str) -> bytes:
    file = Ng(order)
    file.interface()
    for packet in recorded(BASE):
        file.packet(packet)
    return file.done()


def _sections() -> bytes:
    file = Ng("<")
    file.interface()
    for packet in recorded(BASE):
        file.packet(packet)
    file.section(">", (1, b"the second section, in the other byte order"))
    file.interface(RAW, 65535)
    for packet in recorded(CHAIN):
        file.packet(packet._replace(data=packet.data[14:]))
    return file.done()


def _interfaces(order: str) -> bytes:
    """Three interfaces of different link types and clocks, their packets one after the other in turn."""
    file = Ng(order)
    file.interface(ETHERNET, 0, (2, b"eth0"), (9, b"\x09"))
    file.interface(RAW, 0, (2, b"utun3"), (9, b"\x94"))
    file.interface(NULL, 0, (2, b"lo0"), (9, b"\x03"))
    family = struct.pack(order + "I", 2)
    queues = [
        [(packet, 0, 10**9) for packet in recorded(BASE)],
        [(packet._replace(data=packet.data[14:]), 1, 2**20) for packet in recorded(CHAIN)],
        [(packet._replace(data=family + packet.data[14:]), 2, 1000) for packet in recorded("tls13-retry")],
    ]
    while any(queues):
        for queue in queues:
            if queue:
                packet, interface, ticks = queue.pop(0)
                file.packet(packet, interface, ticks=ticks)
    return file.done()


def _offset() -> bytes:
    packets = recorded(BASE)
    offset = packets[0].time // 10**9 - 100
    file = Ng()
    file.interface(ETHERNET, 0, (9, b"\x06"), (14, struct.pack("<q", offset)))
    for packet in packets:
        file.packet(packet, offset=offset)
    return file.done()


def _each(add: Callable[[Ng, Packet], None]) -> bytes:
    file = Ng()
    file.interface()
    for packet in recorded(BASE):
        add(file, packet)
    return file.done()


def _keys(file: Ng, data: bytes, kind: int = 0x544C534B) -> None:
    """A decryption secrets block, of TLS unless ``kind`` says what else."""
    file.block(10, struct.pack(file.order + "II", kind, len(data)) + data)


def _keylog(name: str) -> bytes:
    return (RECORDED / f"{name}.keys").read_bytes()


def _secrets(order: str) -> bytes:
    """A decryption secrets block with the key log, before the packets."""
    file = Ng(order)
    file.interface()
    _keys(file, _keylog(BASE))
    for packet in recorded(BASE):
        file.packet(packet)
    return file.done()


def _several_secrets() -> bytes:
    """Secrets of WireGuard, which is not here; a key log in two blocks that have every other line; one more further on."""
    file = Ng()
    file.interface()
    _keys(file, b"LOCAL_STATIC_PRIVATE_KEY = AAAA\n", 0x57474B4C)
    lines = _keylog(BASE).splitlines(keepends=True)
    for half in (lines[::2], lines[1::2]):
        _keys(file, b"".join(half))
    for packet in recorded(BASE):
        file.packet(packet)
    _keys(file, _keylog(OLDER))
    for packet in recorded(OLDER):
        file.packet(packet)
    return file.done()


def _odd_blocks() -> bytes:
    """Blocks a reader has to skip, and options it may show, around every packet."""
    file = Ng()
    file.block(0x0BAD, struct.pack("<I", 32473) + b"a custom block of the example enterprise")
    file.interface(ETHERNET, 0, (1, b"a comment"), (3, b"a description"), (12, b"an operating system"))
    file.block(4, struct.pack("<HH", 1, 18) + b"\x7f\0\0\x01some.example\0\0" + bytes(2) + bytes(4))
    file.block(0x40000BAD, struct.pack("<I", 32473) + b"do not copy")
    for packet in recorded(BASE):
        file.block(0x7FFFFFF0, b"a block nobody knows")
        file.packet(packet, 0, (1, b"a comment on a packet"), (2, struct.pack("<I", 1)), (0x8BAD, b"unknown option"))
    file.block(5, struct.pack("<III", 0, 0, 0) + file.options((1, b"the end")))
    return file.done()


def _zstandard(data: bytes) -> bytes:
    """A Zstandard frame of raw blocks (RFC 8878 section 3.1.1)."""
    out = [struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))]
    for at in range(0, len(data), 1000):
        block = data[at : at + 1000]
        last = at + 1000 >= len(data)
        out += [struct.pack("<I", len(block) << 3 | last)[:3], block]
    return b"".join(out)


def _gzip(data: bytes) -> bytes:
    """A gzip member (RFC 1952) that says nothing of when and where it was made."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    return bytes.fromhex("1f8b08000000000000ff") + body + struct.pack("<II", zlib.crc32(data), len(data))


def _members(data: bytes) -> bytes:
    middle = len(data) // 2
    return _gzip(data[:middle]) + _gzip(data[middle:])


def _classic(name: str = BASE, *, order: str = "<", nano: bool = False, snaplen: int = 262144) -> bytes:
    return pcap(recorded(name), order=order, nano=nano, snaplen=snaplen)


def _cut(data: bytes, back: int) -> bytes:
    return data[:-back]


def _row(
    name: str,
    shows: str,
    make: Callable[[], bytes],
    bases: Sequence[str] = (BASE,),
    *,
    opened: bool = False,
    **changes: Any,
) -> Transformation:
    return Transformation(name, shows, tuple(bases), make, changes, opened)


# ``...`` says that the fact is not there any more.
_PARTIAL: dict[str, Any] = {
    "server_name": ...,
    "version": ...,
    "suite": ...,
    "group": ...,
    "offered_alpn": ...,
    "outcome": ...,
    "resumed": ...,
    "not_resumed": True,
    "partial": True,
}

TRANSFORMATIONS: tuple[Transformation, ...] = (
    _row("big-endian.pcap", "big-endian pcap", partial(_classic, order=">")),
    _row("nanosecond.pcap", "nanosecond pcap", partial(_classic, nano=True)),
    _row("nanosecond-big-endian.pcap", "nanosecond pcap, big endian", partial(_classic, order=">", nano=True)),
    _row("little.pcapng", "pcapng", partial(_plain, "<")),
    _row("big.pcapng", "pcapng, big endian", partial(_plain, ">")),
    _row("sections.pcapng", "two sections in different byte orders and link types", _sections, (BASE, CHAIN)),
    _row(
        "interfaces.pcapng",
        "three interfaces: Ethernet in ns, RAW in 2^-20 s, NULL in ms",
        partial(_interfaces, "<"),
        (BASE, CHAIN, "tls13-retry"),
        start=...,
    ),
    _row(
        "interfaces-big.pcapng",
        "the same, big endian",
        partial(_interfaces, ">"),
        (BASE, CHAIN, "tls13-retry"),
        start=...,
    ),
    _row("offset.pcapng", "if_tsoffset and if_tsresol", _offset),
    _row("simple.pcapng", "simple packet blocks, which have no time", partial(_each, Ng.simple), start=...),
    _row("obsolete.pcapng", "obsolete packet blocks", partial(_each, Ng.obsolete)),
    _row("odd-blocks.pcapng", "custom, unknown, name resolution and statistics blocks; comments", _odd_blocks),
    _row("secrets.pcapng", "a decryption secrets block", partial(_secrets, "<"), opened=True, alerts=...),
    _row(
        "secrets-big.pcapng", "a decryption secrets block, big endian", partial(_secrets, ">"), opened=True, alerts=...
    ),
    _row(
        "secrets-several.pcapng",
        "secrets in three blocks, one of them between two sessions, and a block of secrets of another kind",
        _several_secrets,
        (BASE, OLDER),
        opened=True,
        alerts=...,
    ),
    _row("gzip.pcap.gz", "gzip", lambda: _gzip(_classic())),
    _row("gzip-members.pcapng.gz", "gzip of two members that divide a packet", lambda: _members(_plain("<"))),
    _row("zstandard.pcap.zst", "Zstandard, raw blocks", lambda: _zstandard(_classic())),
    _row("cut.pcap", "the file ends inside a packet", lambda: _cut(_classic(), 200), outcome=...),
    _row("cut.pcapng", "the file ends inside a block", lambda: _cut(_plain("<"), 300), outcome=...),
    _row("cut.pcap.gz", "the compressed file ends early", lambda: _cut(_gzip(_classic()), 60), outcome=...),
    _row("snaplen.pcap", "packets cut to 200 bytes: hellos in parts", partial(_classic, snaplen=200), **_PARTIAL),
    _row(
        "snaplen-certificate.pcap",
        "packets cut to 600 bytes: the hello is whole, the certificate is not",
        partial(_classic, CHAIN, snaplen=600),
        (CHAIN,),
        certificates=...,
        outcome=...,
        group=...,
        resumed=...,
        not_resumed=True,
    ),
)
