"""Containers of packets: pcap and pcapng of any byte order and resolution, told by content.

Packets come out as plain tuples over large pieces of the file, walked with ``struct``: it is the hot path of the room.
Damage ends or interrupts the walk, is kept as one line each with frame and byte offset, and never raises.
Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. Must not import anything of tlswire but ``errors`` and
``capture.sources``.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import msgspec

from tlswire.capture.sources import GZIP, ZSTD, open_source
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.capture.sources import Source

    Packet = tuple[int, int, int, bytes, int, int, "Interface"]

# libpcap writes no packet over 256 KiB; some tools do. Beyond this a length is damage.
MAX_PACKET = 1 << 24
MAX_SECRETS = 1 << 24
MAX_INTERFACES = 1 << 12
MAX_DAMAGE = 16

# First four bytes -> byte order, fractions a second, bytes of a record header (a1b2cd34: Kuznetzov's Linux patch).
_PCAP = {
    magic.to_bytes(4, order): (">" if order == "big" else "<", unit, size)
    for order in ("big", "little")
    for magic, unit, size in ((0xA1B2C3D4, 10**6, 16), (0xA1B23C4D, 10**9, 16), (0xA1B2CD34, 10**6, 24))
}
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
_PEN_LINKTYPE = 0xFFFF


class Interface(msgspec.Struct):
    """What packets were captured on: ``unit`` is ticks a second, ``offset`` seconds to add."""

    linktype: int
    name: str = ""
    snaplen: int = 0
    unit: int = 10**6
    offset: int = 0
    halves: bool = False  # a time is the two halves of one number (pcapng), not seconds and fraction (pcap)

    def time(self, high: int, low: int) -> float:
        """Seconds since 1970 of a packet's two raw numbers; 0 where the packet has no time."""
        if self.halves:
            ticks = high << 32 | low
            return ticks / self.unit + self.offset if ticks else 0.0
        return high + low / self.unit


class Capture:
    """One capture; iterate ``packets`` once. ``damage`` and ``secrets`` grow while it is read."""

    def __init__(self, name: str, size: int, source: Source) -> None:
        self.name = name
        self.size = size
        self.frames = 0
        self.damage: list[str] = []
        self.secrets: list[tuple[int, bytes]] = []
        self._source = source
        self._untold = 0
        self._secret_bytes = 0
        self._head = source.read()
        while 0 < len(self._head) < 24 and (more := source.read()):
            self._head += more
        if not self._head:
            raise UsageError(name, source.damage or "is empty")
        if self._head[:4] not in _PCAP and self._head[:4] != _PCAPNG:
            raise UsageError(name, f"is no capture: begins with {self._head[:8].hex(' ')}, not as pcap or pcapng do")

    @property
    def position(self) -> int:
        """Bytes of the file read so far."""
        return self._source.position

    def packets(self) -> Iterator[Packet]:
        """(frame, time high, time low, buffer, start, end, interface) of every packet, frames counted from 1."""
        return self._pcapng() if self._head[:4] == _PCAPNG else self._pcap()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def _broken(self, what: str, offset: int) -> None:
        if len(self.damage) < MAX_DAMAGE:
            self.damage.append(f"{self.name}: {what} at byte {offset}, after frame {self.frames}")
        else:
            self._untold += 1
            del self.damage[MAX_DAMAGE:]
            self.damage.append(f"{self.name}: damaged in {self._untold} more places")

    def _ended(self, offset: int, left: int, needed: str) -> None:
        """The end of the bytes; damage when something was left over, or when the source broke."""
        if self._source.damage:
            self._broken(self._source.damage, offset)
        elif left:
            self._broken(f"cut short: {left} bytes left of {needed}", offset)

    def _pcap(self) -> Iterator[Packet]:
        order, unit, header = _PCAP[self._head[:4]]
        if len(self._head) < 24:
            self._broken(f"cut short: a file header of 24 bytes, {len(self._head)} left", 0)
            return
        snaplen, linktype = struct.unpack_from(f"{order}II", self._head, 16)
        # The upper bits hold the length of a frame check sequence (draft-ietf-opsawg-pcap section 4).
        interface = Interface(linktype & 0xFFFF, "", snaplen, unit)
        unpack = struct.Struct(f"{order}III").unpack_from
        read = self._source.read
        buffer, at, base = self._head, 24, 0
        end = len(buffer)
        frame = 0
        while True:
            while at + header <= end:
                high, low, length = unpack(buffer, at)
                stop = at + header + length
                if stop > end:
                    break
                frame += 1
                self.frames = frame
                yield frame, high, low, buffer, at + header, stop, interface
                at = stop
            else:
                length = 0
            if length > MAX_PACKET:
                self._broken(f"a packet of {length} bytes", base + at + 8)
                found = _resynchronise(buffer, at + 1, order, header)
                if found is None:
                    return
                at = found
                continue
            more = read()
            while more and len(more) + end - at < header + length:
                more += read() or b""
                if self._source.damage:
                    break
            if not more:
                needed = f"a packet of {length} bytes and its header" if end - at >= header else "a packet header"
                self._ended(base + at, end - at, needed)
                return
            base += at
            buffer = buffer[at:] + more
            at, end = 0, len(buffer)

    def _pcapng(self) -> Iterator[Packet]:
        read = self._source.read
        buffer, at, base = self._head, 0, 0
        end = len(buffer)
        order = ""
        interfaces: list[Interface] = []
        unpack_block = struct.Struct("<II").unpack_from
        unpack_packet = struct.Struct("<IIII").unpack_from
        while True:
            if end - at >= 12:
                kind, length = unpack_block(buffer, at)
                if kind == _SECTION:
                    magic = buffer[at + 8 : at + 12]
                    order = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}.get(magic, "")
                    if not order:
                        self._broken(f"a section whose byte order {magic.hex()} is none", base + at)
                        return
                    unpack_block = struct.Struct(f"{order}II").unpack_from
                    unpack_packet = struct.Struct(f"{order}IIII").unpack_from
                    interfaces = []
                    kind, length = unpack_block(buffer, at)
                if length < 12 or length % 4 or length > MAX_PACKET + 1024:
                    self._broken(f"a block of length {length}", base + at + 4)
                    return
                stop = at + length
                if stop <= end:
                    if kind == _ENHANCED_PACKET and length >= 32:
                        number, high, low, captured = unpack_packet(buffer, at + 8)
                        self.frames += 1
                        if number >= len(interfaces):
                            self._broken(f"a packet of interface {number}, which is not described", base + at + 8)
                        elif captured > length - 32:
                            self._broken(f"a packet of {captured} bytes in a block of {length}", base + at + 20)
                        else:
                            start = at + 28
                            yield self.frames, high, low, buffer, start, start + captured, interfaces[number]
                    else:
                        yield from self._other(kind, buffer, at, stop, base, order, interfaces)
                    if buffer[stop - 4 : stop] != buffer[at + 4 : at + 8]:
                        self._broken("a block whose two lengths differ", base + stop - 4)
                        return
                    at = stop
                    continue
            else:
                length = 12
            more = read()
            while more and len(more) + end - at < length:
                following = read()
                if not following:
                    break
                more += following
            if not more:
                self._ended(base + at, end - at, f"a block of {length} bytes")
                return
            base += at
            buffer = buffer[at:] + more
            at, end = 0, len(buffer)

    def _other(
        self, kind: int, buffer: bytes, at: int, stop: int, base: int, order: str, interfaces: list[Interface]
    ) -> Iterator[Packet]:
        """Every block but the enhanced packet block; unknown ones are skipped (pcapng section 4.1)."""
        body = stop - at - 12
        if kind == _INTERFACE and body >= 8:
            linktype, _, snaplen = struct.unpack_from(f"{order}HHI", buffer, at + 8)
            if len(interfaces) < MAX_INTERFACES:
                interfaces.append(_interface(linktype, snaplen, _options(buffer, at + 16, stop - 4, order), order))
        elif kind == _SIMPLE_PACKET and body >= 4:
            self.frames += 1
            (original,) = struct.unpack_from(f"{order}I", buffer, at + 8)
            if not interfaces:
                self._broken("a packet before its interface is described", base + at)
                return
            captured = min(original, body - 4, interfaces[0].snaplen or original)
            yield self.frames, 0, 0, buffer, at + 12, at + 12 + captured, interfaces[0]
        elif kind == _OLD_PACKET and body >= 20:
            self.frames += 1
            number, _, high, low, captured = struct.unpack_from(f"{order}HHIII", buffer, at + 8)
            if number >= len(interfaces) or captured > body - 20:
                self._broken("a packet block that contradicts itself", base + at + 8)
                return
            yield self.frames, high, low, buffer, at + 28, at + 28 + captured, interfaces[number]
        elif kind == _SECRETS and body >= 8:
            secret, length = struct.unpack_from(f"{order}II", buffer, at + 8)
            self._secret_bytes += length
            if length <= body - 8 and self._secret_bytes <= MAX_SECRETS:
                self.secrets.append((secret, buffer[at + 16 : at + 16 + length]))


def _options(buffer: bytes, at: int, end: int, order: str) -> dict[int, bytes]:
    """The options of a block, the last of each code (pcapng section 3.5)."""
    found = {}
    while at + 4 <= end:
        code, length = struct.unpack_from(f"{order}HH", buffer, at)
        if code == 0 or at + 4 + length > end:
            break
        found[code] = buffer[at + 4 : at + 4 + length]
        at += 4 + (length + 3 & ~3)
    return found


def _interface(linktype: int, snaplen: int, options: dict[int, bytes], order: str) -> Interface:
    resolution = options.get(9, b"\x06")[:1] or b"\x06"
    power = resolution[0] & 0x7F
    # if_tsresol: the first bit tells powers of 2 from powers of 10 (pcapng section 4.2).
    unit = 2**power if resolution[0] & 0x80 else 10**power
    offset = options.get(14, b"")
    seconds = int.from_bytes(offset, "big" if order == ">" else "little", signed=True) if len(offset) == 8 else 0
    name = options.get(2, b"").decode("utf-8", "replace")
    return Interface(linktype, name, snaplen, unit, seconds, halves=True)


def _resynchronise(buffer: bytes, at: int, order: str, header: int) -> int | None:
    """Where records go on behind a broken one: three headers in a row, with times within a day of each other."""
    unpack = struct.Struct(f"{order}IIII").unpack_from
    last = min(len(buffer) - header, at + (1 << 18))
    for start in range(at, last):
        position, first, count = start, None, 0
        while position + header <= len(buffer) and count < 3:
            seconds, fraction, captured, original = unpack(buffer, position)
            first = seconds if first is None else first
            if fraction >= 10**9 or not 14 <= captured <= original <= 1 << 18 or abs(seconds - first) > 86400:
                break
            position += header + captured
            count += 1
        if count == 3:
            return start
    return None


def open_capture(path: str | Path | BinaryIO) -> Capture:
    """Begin to read a capture; ``-`` is stdin. Raises UsageError for what is none."""
    return Capture(*open_source(path))


def is_capture(path: Path) -> bool:
    """Whether a file begins as a capture, or as something compressed that may hold one."""
    with path.open("rb") as file:
        head = file.read(4)
    return head in _PCAP or head == _PCAPNG or head[:2] == GZIP or head == ZSTD


def find_captures(paths: Iterable[str | Path]) -> Iterator[tuple[str | Path, UsageError | None]]:
    """Files as given and the captures in folders, in sorted order; what cannot be read comes with its error."""
    for path in paths:
        if str(path) == "-" or not Path(path).is_dir():
            missing = str(path) != "-" and not Path(path).exists()
            yield path, UsageError(str(path), "does not exist") if missing else None
            continue
        for file in sorted(Path(path).rglob("*")):
            if any(part.startswith(".") for part in file.relative_to(path).parts) or not file.is_file():
                continue
            try:
                if is_capture(file):
                    yield file, None
            except OSError as error:
                yield file, UsageError(str(file), f"cannot be read: {error.strerror or error}")
