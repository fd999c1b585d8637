"""Packets as they lie in a row in a piece of a file: what containers give, and the walk over a capture goes over.

Both pcap and pcapng put time and length in front of a packet's bytes, so one ``struct`` call takes them apart together
with the headers of plain Ethernet, IPv4 and TCP. Must not import anything of tlswire.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Packet = tuple[int, int, int, bytes, int, int, "Interface"]

PLAIN = 48  # bytes of Ethernet, IPv4 without options and TCP up to the flags
HEADER = 16
_PADDING = bytes(PLAIN)
_MANY = 1 << 60  # more packets than there are, and no more than a range counts fast


class Interface(msgspec.Struct):
    """What packets were captured on: one a pcap file, one an interface description block.

    ``unit`` is ticks a second, ``offset`` seconds to add to every time.
    """

    linktype: int
    name: str = ""
    snaplen: int = 0
    unit: int = 10**6
    offset: int = 0
    halves: bool = False  # a time is the two halves of one number (pcapng), not seconds and fraction (pcap)

    def time(self, high: int, low: int) -> float:
        """Seconds since 1970 of a packet's two raw numbers; 0 where the packet has no time."""
        if not self.halves:
            return high + low / self.unit + self.offset
        ticks = high << 32 | low
        return (ticks + self.offset * self.unit) / self.unit if ticks else 0.0


class Stretch:
    """Records in ``buffer`` from ``at`` on.

    A record is ``header`` bytes that begin with time high, time low and length, and the packet. ``unpack`` takes those
    three, then type of Ethernet with version and length of IPv4, fragment (none of the bits ``whole`` where it is none),
    protocol, addresses and ports, and flags of TCP, which mean something only where they are there.

    Who walks counts its packets by ``frames``, stops before a record of which no header is there, or that ends behind
    ``limit``, and leaves here where that is and ``frame``, the number of the packet before: frames count from 1.
    """

    __slots__ = (
        "_before",
        "_begin",
        "at",
        "buffer",
        "frame",
        "frames",
        "header",
        "interface",
        "limit",
        "order",
        "unpack",
        "whole",
    )

    def __init__(self) -> None:
        self.interface = Interface(1)
        self.buffer = b""
        self.at = self.limit = self.frame = 0
        self.frames = range(1, 1)
        self._begin = 0
        self._before = (b"", 0, 0)  # buffer, begin and end of the packets before these
        self.set_order("<")

    def set_order(self, order: str, header: int = HEADER) -> None:
        """The byte order of the records' headers, and their size."""
        self.order = order
        self.header = header
        self.unpack: Callable[[bytes, int], tuple[Any, ...]]
        self.unpack = struct.Struct(f"{order}III{header - 12}x12x3s5xHxB2x12s9xB").unpack_from
        self.whole = 0xFF3F if order == "<" else 0x3FFF  # as IPv4's bits are read in this order

    def several(self, buffer: bytes, at: int, most: int) -> None:
        """As many records as there are, with packets of at most ``most`` bytes.

        The limit is that of the first: a later one that reaches behind it, however short, is left to who gave these.
        """
        self._set(buffer, at, min(len(buffer), at + self.header + most), _MANY)

    def single(self, buffer: bytes, at: int) -> None:
        """One record, of which ``header`` bytes and the packet are there."""
        if at + self.header + PLAIN > len(buffer):
            buffer, at = buffer[at:] + _PADDING, 0
        self._set(buffer, at, len(buffer), 1)

    def joined(self, records: list[bytes]) -> None:
        """Records that do not stand in a row where they come from."""
        buffer = b"".join((*records, _PADDING))
        self._set(buffer, 0, len(buffer), len(records))

    def _set(self, buffer: bytes, at: int, limit: int, count: int) -> None:
        if self.at > self._begin:
            self._before = self.buffer, self._begin, self.at
        self.buffer, self.at, self.limit, self._begin = buffer, at, limit, at
        self.frames = range(self.frame + 1, self.frame + count + 1)

    def last(self) -> int:
        """The time high of the packet that was walked last, -1 where there was none: looked for when it is needed."""
        buffer, at, end = (self.buffer, self._begin, self.at) if self.at > self._begin else self._before
        high = -1
        while at < end:
            high, _, length, *_ = self.unpack(buffer, at)
            at += self.header + length
        return high

    def alone(self, packet: bytes, high: int = 0, low: int = 0) -> None:
        """One packet that has no header where it is."""
        header = struct.pack(f"{self.order}III{self.header - 12}x", high, low, len(packet))
        self.single(header + packet + _PADDING, 0)


def each_packet(stretches: Iterable[Stretch]) -> Iterator[Packet]:
    """(frame, time high, time low, buffer, start, end, interface) of every packet."""
    for stretch in stretches:
        for frame in stretch.frames:
            try:
                high, low, length, *_ = stretch.unpack(stretch.buffer, stretch.at)
            except struct.error:
                break
            start = stretch.at + stretch.header
            stop = start + length
            if stop > stretch.limit:
                break
            stretch.frame, stretch.at = frame, stop
            yield frame, high, low, stretch.buffer, start, stop, stretch.interface
