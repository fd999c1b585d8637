"""pcapng: sections, interfaces and packets, block by block (draft-ietf-opsawg-pcapng).

Packets of one interface that stand in a row come out as one stretch, put together. Whatever is broken becomes a line of
``Capture.damage``; after it the walk goes on only at a place where several blocks in a row have equal lengths at both ends.
Must not import anything of tlswire but ``errors``, ``capture.compressed`` and ``capture.stretch``.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from tlswire.capture.stretch import Interface

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.capture.compressed import Source
    from tlswire.capture.files import Capture
    from tlswire.capture.stretch import Stretch

MAGIC = b"\x0a\x0d\x0d\x0a"
ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}

# libpcap writes no packet over 256 KiB; some tools do. Beyond this a length is damage.
MAX_PACKET = 1 << 24
MAX_BLOCK = MAX_PACKET + (1 << 16)
MAX_INTERFACES = 1 << 16
MAX_OPTIONS = 1 << 12
MAX_NAME = 256

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
# Not packets of a network, but tshark numbers them as frames: journal entries, custom blocks, sysdig events.
_COUNTED = frozenset({9, 0xBAD, 0x40000BAD, 0x204, 0x208, 0x216, 0x217, 0x221, 0x222})

WINDOW = 1 << 20  # how far behind a broken place is searched
_IN_A_ROW = 3


class Window:
    """The piece of the stream that is walked: ``base`` is the offset of its first byte in the (decompressed) stream."""

    def __init__(self, source: Source, head: bytes) -> None:
        self.buffer = head
        self.base = 0
        self._read = source.read
        self._back = source.back

    def ensure(self, at: int, need: int) -> int:
        """Read on until ``need`` bytes are there behind ``at``, fewer only at the end; where ``at`` is then."""
        have = len(self.buffer) - at
        if have >= need:
            return at
        pieces = []
        if self._back(have):  # a copy less than joining what is left with what follows
            have = 0
        else:
            pieces.append(self.buffer[at:])
        while have < need and (piece := self._read()):
            pieces.append(piece)
            have += len(piece)
        self.base += at
        self.buffer = b"".join(pieces)
        return 0


class Blocks:
    """The walk over one pcapng file."""

    def __init__(self, capture: Capture, window: Window) -> None:
        self._capture = capture
        self._window = window
        self._interfaces: list[Interface] = []
        self._set_order("<")

    def _set_order(self, order: str) -> None:
        self._order = order
        self._header = struct.Struct(f"{order}II").unpack_from
        self._packet = struct.Struct(f"{order}IIIIII").unpack_from
        self._capture.stretch.set_order(order)
        self._trailer = struct.Struct(f"{order}I").unpack_from

    def walk(self) -> Iterator[Stretch]:
        """Every packet, in stretches of one interface; the same object all the time."""
        stretch = self._capture.stretch
        at = 0
        while True:
            records, at = self._records(at)
            if records:
                stretch.joined(records)
                yield stretch
                continue
            found, at = self._slow(at)
            if at < 0:
                return
            if found:
                yield stretch

    def _records(self, at: int) -> tuple[list[bytes], int]:
        """The enhanced packet blocks without fault that stand in a row at ``at``, of one interface, as a stretch wants
        them (time, length and the length before it was cut, the packet), and where they end.
        """
        buffer, interfaces = self._window.buffer, self._interfaces
        unpack, trailer, count, end = self._packet, self._trailer, len(interfaces), len(buffer)
        records: list[bytes] = []
        stands = -1  # for the interface of them all
        while at + 32 <= end:
            kind, length, number, _, _, captured = unpack(buffer, at)
            stop = at + length
            if kind != _ENHANCED_PACKET or stop > end or captured > length - 32 or number >= count or length & 3:
                break
            if trailer(buffer, stop - 4)[0] != length or (number != stands and records):
                break
            records.append(buffer[at + 12 : at + 28 + captured])
            stands, at = number, stop
        if records:
            self._capture.stretch.interface = interfaces[stands]
        return records, at

    def _slow(self, at: int) -> tuple[bool, int]:
        """Whether the block at ``at`` is a packet, and where the next one is, -1 at the end."""
        capture, window = self._capture, self._window
        at = window.ensure(at, 12)
        if (left := len(window.buffer) - at) < 12:
            capture.ended(window.base + at, left, 12, "block header")
            return False, -1
        if window.buffer.startswith(MAGIC, at):
            mark = window.buffer[at + 8 : at + 12]
            if mark not in ORDERS:
                return False, self._resume(at, f"section with the byte order mark {mark.hex()}")
            self._set_order(ORDERS[mark])
        kind, length = self._header(window.buffer, at)
        if length < 12 or length & 3 or length > MAX_BLOCK:
            return False, self._resume(at, f"block of length {length}")
        at = window.ensure(at, length)
        if (left := len(window.buffer) - at) < length:
            packet = kind in {_ENHANCED_PACKET, _SIMPLE_PACKET, _OLD_PACKET}
            capture.ended(window.base + at, left, length, "" if packet else f"block of type {kind:#x}")
            return False, -1
        (behind,) = self._trailer(window.buffer, at + length - 4)
        if behind != length:
            what = f"block whose lengths differ ({length} and {behind})"
            # The length in front is believed where it leads to another block.
            if not self._chain(at + length, 1):
                at = window.ensure(at, length + WINDOW)
                if not self._chain(at + length, 1):
                    return False, self._resume(at, what)
            self._complain(what, at)
        return self._block(kind, at, length), at + length

    def _resume(self, at: int, what: str) -> int:
        """Report a block after which the next one has to be searched; where it is, -1 where there is none."""
        window = self._window
        known = (_SECTION, _INTERFACE, _SIMPLE_PACKET, _ENHANCED_PACKET)
        marks = re.compile(b"|".join(re.escape(struct.pack(f"{self._order}I", kind)) for kind in known))

        def candidates(buffer: bytes, at: int) -> Iterable[int]:
            # Blocks are aligned to 4 bytes, each being a multiple of it long.
            return (
                found
                for match in marks.finditer(buffer, at + 4, at + WINDOW)
                if not ((found := match.start()) - at) & 3
            )

        return self._capture.resume(window, at, what, candidates, lambda start: self._chain(start, _IN_A_ROW))

    def _chain(self, at: int, count: int) -> bool:
        """Whether ``count`` blocks stand in a row, or fewer (not none) that end with the stream."""
        buffer, order = self._window.buffer, self._order
        size = len(buffer)
        for done in range(count):
            if at == size:
                return done > 0 or count == 1
            if buffer.startswith(MAGIC, at):
                order = ORDERS.get(buffer[at + 8 : at + 12], order)
            if at + 12 > size:
                return False
            (length,) = struct.unpack_from(f"{order}I", buffer, at + 4)
            if length < 12 or length & 3 or at + length > size or length > MAX_BLOCK:
                return False
            if buffer[at + length - 4 : at + length] != buffer[at + 4 : at + 8]:
                return False
            at += length
        return True

    def _block(self, kind: int, at: int, length: int) -> bool:
        """Any whole block; unknown ones are skipped (section 4)."""
        body = length - 12
        if kind == _SECTION:
            self._section(at, body)
        elif kind == _INTERFACE:
            self._interface(at, body)
        elif kind == _SECRETS:
            self._secrets(at, body)
        elif kind in {_ENHANCED_PACKET, _SIMPLE_PACKET, _OLD_PACKET}:
            return self._any_packet(kind, at, body)
        elif kind in _COUNTED:
            self._capture.stretch.frame += 1
        return False

    def _section(self, at: int, body: int) -> None:
        self._interfaces = []
        major = struct.unpack_from(f"{self._order}H", self._window.buffer, at + 12)[0] if body >= 16 else 0
        if major != 1:
            self._complain("section of an unknown version or too short", at)

    def _interface(self, at: int, body: int) -> None:
        if body < 8:
            self._complain("interface description too short", at)
        elif len(self._interfaces) < MAX_INTERFACES:
            buffer, order = self._window.buffer, self._order
            linktype, _, snaplen = struct.unpack_from(f"{order}HHI", buffer, at + 8)
            options = _options(buffer, at + 16, at + 8 + body, order)
            self._interfaces.append(_describe(linktype, snaplen, options, order))

    def _secrets(self, at: int, body: int) -> None:
        kind, length = struct.unpack_from(f"{self._order}II", self._window.buffer, at + 8) if body >= 8 else (0, 1)
        if length > body - 8:
            self._complain("secrets longer than their block", at)
            return
        start = at + 16
        if not self._capture.keep_secrets(kind, self._window.buffer[start : start + length]):
            self._complain(f"secrets over the bound, {length} bytes left out", at)

    def _any_packet(self, kind: int, at: int, body: int) -> bool:
        buffer, order = self._window.buffer, self._order
        high = low = number = 0
        smallest, front = {_ENHANCED_PACKET: (20, 28), _OLD_PACKET: (20, 28), _SIMPLE_PACKET: (4, 12)}[kind]
        if body < smallest:
            self._complain(f"packet in a block of {body + 12} bytes", at, of_frame=True)
            return False
        if kind == _ENHANCED_PACKET:
            number, high, low, captured = struct.unpack_from(f"{order}IIII", buffer, at + 8)
        elif kind == _OLD_PACKET:
            number, high, low, captured = struct.unpack_from(f"{order}HxxIII", buffer, at + 8)
        else:
            (captured,) = struct.unpack_from(f"{order}I", buffer, at + 8)
        if number >= len(self._interfaces):
            self._complain(f"packet of interface {number}, which is not described,", at, of_frame=True)
            return False
        interface = self._interfaces[number]
        if kind == _SIMPLE_PACKET and interface.snaplen:
            # Section 4.4: what was captured is not told but follows from the snap length.
            captured = min(captured, interface.snaplen)
        if captured > body - smallest:
            self._complain(f"packet of {captured} bytes in a block of {body + 12}", at, of_frame=True)
            return False
        self._capture.stretch.interface = interface
        self._capture.stretch.alone(buffer[at + front : at + front + captured], high, low)
        return True

    def _complain(self, what: str, at: int, *, of_frame: bool = False) -> None:
        if of_frame:
            self._capture.stretch.frame += 1
        where = "frame" if of_frame else "after frame"
        self._capture.broken(f"{what} at byte {self._window.base + at}, {where} {self._capture.frames}")


def _options(buffer: bytes, at: int, end: int, order: str) -> dict[int, bytes]:
    """The options of an interface that matter here (section 3.5)."""
    found: dict[int, bytes] = {}
    unpack = struct.Struct(f"{order}HH").unpack_from
    for _ in range(MAX_OPTIONS):
        if at + 4 > end:
            break
        code, length = unpack(buffer, at)
        if code == 0 or at + 4 + length > end:
            break
        if code in {2, 9, 14}:  # if_name, if_tsresol, if_tsoffset
            found[code] = buffer[at + 4 : at + 4 + length]
        at += 4 + (length + 3 & ~3)
    return found


def _describe(linktype: int, snaplen: int, options: dict[int, bytes], order: str) -> Interface:
    resolution = (options.get(9) or b"\x06")[0]
    # if_tsresol: the first bit tells powers of 2 from powers of 10 (section 4.2).
    unit = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    offset = options.get(14, b"")
    seconds = int.from_bytes(offset, "big" if order == ">" else "little", signed=True) if len(offset) == 8 else 0
    name = options.get(2, b"")[:MAX_NAME].rstrip(b"\0").decode("utf-8", "replace")
    return Interface(linktype, name, snaplen, unit, seconds, halves=True)
