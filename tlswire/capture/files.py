"""Captures as packets: what is read, told by content, and pcap itself (draft-ietf-opsawg-pcap).

Packets come out as stretches of records in large pieces of the file (``capture.stretch``).
Damage ends or interrupts the walk, is kept as one line each with frame and byte offset, and never raises.
Must not import anything of tlswire but ``errors``, ``capture.compressed`` and ``capture.pcapng``.
"""

from __future__ import annotations

import re
import struct
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from tlswire.capture.compressed import GZIP, ZSTD, open_source
from tlswire.capture.pcapng import MAGIC, MAX_PACKET, ORDERS, WINDOW, Blocks, Window
from tlswire.capture.stretch import Interface, Stretch, each_packet
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlswire.capture.compressed import Source
    from tlswire.capture.stretch import Packet

__all__ = ["MAX_DAMAGE", "MAX_SECRETS", "Capture", "Interface", "find_captures", "is_capture", "open_capture"]

MAX_DAMAGE = 16
MAX_SECRETS = 1 << 24
MAX_SNAPLEN = 1 << 18  # libpcap's MAXIMUM_SNAPLEN: longer packets need a second look

# After so many broken places, or so many looked at in vain, the rest is not worth the time.
_MAX_RESUMES = 256
_MAX_TRIES = 1 << 20
_IN_A_ROW = 4
_NEAR = 86400  # seconds between packets that still belong together

# First four bytes -> byte order, fractions a second, bytes of a record header (a1b2cd34: Kuznetzov's Linux patch).
_PCAP = {
    magic.to_bytes(4, order): (">" if order == "big" else "<", unit, size)
    for order in ("big", "little")
    for magic, unit, size in ((0xA1B2C3D4, 10**6, 16), (0xA1B23C4D, 10**9, 16), (0xA1B2CD34, 10**6, 24))
}


class Capture:
    """One capture; iterate ``stretches`` or ``packets`` once. ``damage`` and ``secrets`` grow while it is read."""

    def __init__(self, name: str, size: int, source: Source) -> None:
        self.name = name
        self.size = size
        self.stretch = Stretch()
        self.damage: list[str] = []
        self.secrets: list[tuple[int, bytes]] = []
        self._source = source
        self._untold = 0
        self._secret_bytes = 0
        self._resumes = _MAX_RESUMES
        self._tries = _MAX_TRIES
        self._walk: Iterator[Stretch] | None = None
        self._head = source.read()
        while 0 < len(self._head) < 24 and (more := source.read()):
            self._head += more
        self._check(self._head)

    def _check(self, head: bytes) -> None:
        if not head:
            raise UsageError(self.name, self._source.damage or "holds nothing")
        if head[:4] not in _PCAP and head[:4] != MAGIC:
            raise UsageError(self.name, f"is no capture: begins with {head[:8].hex(' ')}, not as pcap or pcapng do")
        if head[:4] == MAGIC and len(head) >= 12 and head[8:12] not in ORDERS:
            raise UsageError(self.name, f"is no capture: {head[8:12].hex(' ')} is no byte order mark of pcapng")

    @property
    def frames(self) -> int:
        """Packets read so far."""
        return self.stretch.frame

    @property
    def position(self) -> int:
        """Bytes of the file read so far, compressed ones where it is compressed."""
        return self._source.position

    def watch(self, tell: Callable[[str, int, int], None]) -> None:
        """Have ``tell`` called with name, size and position whenever more of the file was read."""
        self._source = _Watched(self._source, lambda position: tell(self.name, self.size, position))

    def stretches(self) -> Iterator[Stretch]:
        """Every packet, in one ``Stretch`` that is always the same: who walks over it leaves there how far it came."""
        if self._walk is None:
            window = Window(self._source, self._head)
            self._walk = Blocks(self, window).walk() if self._head[:4] == MAGIC else self._pcap(window)
            self._head = b""
        return self._walk

    def packets(self) -> Iterator[Packet]:
        """(frame, time high, time low, buffer, start, end, interface) of every packet, frames counted from 1."""
        return each_packet(self.stretches())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def broken(self, line: str) -> None:
        """Keep a line of damage, or count it where there are many."""
        if len(self.damage) < MAX_DAMAGE:
            self.damage.append(f"{self.name}: {line}")
            return
        self._untold += 1
        self.damage[MAX_DAMAGE:] = [f"{self.name}: and {self._untold} more"]

    def ended(self, offset: int, left: int, need: int, what: str = "") -> None:
        """The bytes are over: damage when some were left of ``what`` (a packet if empty), or when the source broke."""
        frame = self.frames + 1
        missing = f"{what or f'frame {frame}'} needs {need} bytes, {left} left"
        if self._source.damage:
            more = f" ({missing})" if left else ""
            self.broken(f"{self._source.damage} at byte {offset + left}, after frame {self.frames}{more}")
        elif left:
            after = f" after frame {self.frames}" if what else ""
            self.broken(f"cut short: ends at byte {offset + left}{after}, {missing}")

    def keep_secrets(self, kind: int, data: bytes) -> bool:
        """Keep the data of a decryption secrets block; False when there are too many."""
        if self._secret_bytes + len(data) > MAX_SECRETS or len(self.secrets) >= MAX_SECRETS >> 8:
            return False
        self._secret_bytes += len(data)
        self.secrets.append((kind, data))
        return True

    def resume(
        self,
        window: Window,
        at: int,
        what: str,
        candidates: Callable[[bytes, int], Iterable[int]],
        sound: Callable[[int], bool],
    ) -> int:
        """Report ``what`` is broken at ``at`` and search where packets go on; -1 where they do not."""
        place = f"{what} at byte {window.base + at}, after frame {self.frames}"
        at = window.ensure(at, 2 * WINDOW)
        self._resumes -= 1
        if self._resumes >= 0:
            for found in candidates(window.buffer, at):
                self._tries -= 1
                if self._tries < 0:
                    break
                if sound(found):
                    self.broken(f"{place}; {found - at} bytes skipped")
                    return found
        self.broken(f"{place}; nothing to go on with behind it")
        return -1

    def _pcap(self, window: Window) -> Iterator[Stretch]:
        order, unit, header = _PCAP[window.buffer[:4]]
        if len(window.buffer) < 24:
            self.ended(0, len(window.buffer), 24, "file header")
            return
        snaplen, linktype = struct.unpack_from(f"{order}II", window.buffer, 16)
        stretch = self.stretch
        stretch.set_order(order, header)
        # The upper half holds the length of a frame check sequence and reserved bits (section 4).
        stretch.interface = Interface(linktype & 0xFFFF, "", snaplen, unit)
        records = _Records(self, window, order, header, unit, stretch.last)
        at = 24
        while True:
            # Records without fault are taken by who walks, everything else is looked at by records.next.
            stretch.several(window.buffer, at, MAX_SNAPLEN)
            yield stretch
            at, stop = records.next(stretch.at)
            if at < 0:
                return
            if stop:
                stretch.single(window.buffer, at)
                yield stretch
                at = stop


class _Watched:
    """A source that says how far it is: packets without sessions are progress, too."""

    def __init__(self, source: Source, tell: Callable[[int], None]) -> None:
        self._source = source
        self._tell = tell
        self.back = source.back
        self.close = source.close

    @property
    def damage(self) -> str:
        return self._source.damage

    @property
    def position(self) -> int:
        return self._source.position

    def read(self) -> bytes:
        data = self._source.read()
        self._tell(self._source.position)
        return data


class _Records:
    """The records of a pcap file that need a second look: at the end of a piece, short, too long, or broken."""

    def __init__(
        self, capture: Capture, window: Window, order: str, header: int, unit: int, last: Callable[[], int]
    ) -> None:
        self._capture = capture
        self._window = window
        self._last = last  # the time of the packet before, negative where there is none
        self._header = header
        self._unit = unit
        self.unpack = struct.Struct(f"{order}IIII").unpack_from
        self._little = order == "<"
        self._first = -1

    def next(self, at: int) -> tuple[int, int]:
        """Where to walk on, -1 for nowhere, and the end of the record there if it is sound."""
        window, header = self._window, self._header
        if self._first < 0:
            self._first = self._last()
        at = window.ensure(at, header)
        if (left := len(window.buffer) - at) < header:
            frame = self._capture.frames + 1
            self._capture.ended(window.base + at, left, header, f"header of frame {frame}")
            return -1, 0
        length = self.unpack(window.buffer, at)[2]
        if length > MAX_PACKET:
            return self._resume(at, length), 0
        large = length > MAX_SNAPLEN
        need = header + length
        at = window.ensure(at, need + header if large else need)
        if (left := len(window.buffer) - at) < need:
            self._capture.ended(window.base + at, left, need)
            return -1, 0
        # Longer than libpcap allows: believed where it leads to another record or to the end.
        if large and left >= need + header:
            _, low, captured, _ = self.unpack(window.buffer, at + need)
            if low >= self._unit or captured > MAX_PACKET:
                return self._resume(at, length), 0
        return at, at + need

    def _resume(self, at: int, length: int) -> int:
        return self._capture.resume(
            self._window, at, f"packet of {length} bytes", partial(self._candidates, self._last()), self._chain
        )

    def _candidates(self, last: int, buffer: bytes, at: int) -> Iterable[int]:
        """Where a record with a time near to others may begin; anywhere if no time is known yet."""
        self._near = sorted({moment for moment in (self._first, last) if moment >= 0})
        if not self._near:
            return range(at + 1, min(len(buffer), at + WINDOW))
        reach = range(-(_NEAR >> 16) - 1, (_NEAR >> 16) + 2)
        halves = {(moment >> 16) + step for moment in self._near for step in reach}
        marks = [half.to_bytes(2, "little" if self._little else "big") for half in halves if 0 <= half < 1 << 16]
        # Looking for the upper half of the seconds is a search in C; it stands behind the lower one in little endian.
        behind = 2 if self._little else 0
        # Lookahead, because places that overlap are all wanted.
        pattern = re.compile(b"(?=" + b"|".join(map(re.escape, marks)) + b")")
        return (match.start() - behind for match in pattern.finditer(buffer, at + 1 + behind, at + WINDOW))

    def _chain(self, at: int) -> bool:
        """Whether records stand in a row here, or fewer that end with the stream."""
        buffer, header, near = self._window.buffer, self._header, self._near
        size = len(buffer)
        for done in range(_IN_A_ROW):
            if at == size:
                return done > 1
            if at + header > size:
                return False
            high, low, captured, original = self.unpack(buffer, at)
            if low >= self._unit or not 0 < captured <= original <= MAX_PACKET or captured > MAX_SNAPLEN:
                return False
            near = near or [high]
            if all(abs(high - moment) > _NEAR for moment in near):
                return False
            at += header + captured
        return True


def open_capture(path: str | Path | BinaryIO) -> Capture:
    """Begin to read a capture; ``-`` is stdin. Raises UsageError for what is none."""
    name, size, source = open_source(path)
    try:
        return Capture(name, size, source)
    except UsageError:
        source.close()
        raise


def is_capture(path: str | Path) -> bool:
    """Whether a file begins as a capture, also compressed, or is compressed and cannot be looked into."""
    with Path(path).open("rb") as file:
        head = file.read(12)
    if not head.startswith((GZIP, ZSTD)):
        return _begins(head)
    try:
        _, _, source = open_source(path)
    except UsageError:
        return True
    head = b""
    while len(head) < 12 and (more := source.read()):
        head += more
    source.close()
    return _begins(head) or (not head and bool(source.damage))


def _begins(head: bytes) -> bool:
    return head[:4] in _PCAP or (head[:4] == MAGIC and head[8:12] in ORDERS)


def find_captures(paths: Iterable[str | Path]) -> Iterator[tuple[str | Path, UsageError | None]]:
    """Files as given and the captures in folders, in sorted order; what cannot be read comes with its error."""
    for path in paths:
        try:
            if str(path) == "-":
                yield path, None
            elif Path(path).is_dir():
                yield from _in_folder(Path(path))
            else:
                # Only regular files are tried: what is taken from a pipe is gone.
                if Path(path).stat() and Path(path).is_file():
                    Path(path).open("rb").close()
                yield path, None
        except (OSError, ValueError) as error:
            yield path, _unreadable(path, error)


def _in_folder(folder: Path) -> Iterator[tuple[Path, UsageError | None]]:
    """The captures of a folder and its folders. Links to folders are not followed: they may lead round in a circle."""
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        try:
            if path.is_dir():
                inside = sorted((item for item in path.iterdir() if not item.name.startswith(".")), reverse=True)
                waiting += [item for item in inside if not (item.is_symlink() and item.is_dir())]
            elif path.is_file() and is_capture(path):
                yield path, None
        except OSError as error:
            yield path, _unreadable(path, error)


def _unreadable(path: str | Path, error: OSError | ValueError) -> UsageError:
    missing = isinstance(error, FileNotFoundError)
    reason = "does not exist" if missing else f"cannot be read: {getattr(error, 'strerror', None) or error}"
    return UsageError(str(path), reason)
