"""Evidence: every probe of a scan as an annotated hex file and as a packet of one pcap that tshark opens.

The hex files read with ``tlswire decode``; what was said before TLS stands in their comments. The pcap is synthesised from the bytes sent and received: link type RAW,
one TCP connection a probe, true checksums (libpcap's savefile format). Must not import ``scan`` or ``cli``.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import TYPE_CHECKING

from tlswire.errors import UsageError
from tlswire.wire.cursor import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO, Self

_LINKTYPE_RAW = 101
_SEGMENT = 16000  # well below the 65,535 bytes of an IP packet
_FIN, _SYN, _PUSH, _ACK = 1, 2, 8, 16


class Trace:
    """A folder for one target: ``00001 TITLE ANSWER.txt`` a probe, and ``scan.pcap``. A context manager."""

    def __init__(self, folder: Path, server: tuple[str, int], clock: float) -> None:
        """``clock`` is the scan's own clock now, so that its times can be told as time of day."""
        self._folder = folder
        self._server = server
        self._offset = time.time() - clock
        self._count = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._pcap: BinaryIO = (folder / "scan.pcap").open("wb")
        except OSError as error:
            raise UsageError(str(folder), f"cannot be written: {error.strerror}") from None
        self._pcap.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, _LINKTYPE_RAW))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pcap.close()

    def add(
        self,
        title: str,
        answer: str,
        sent: bytes,
        received: bytes,
        *,
        started: float,
        elapsed: float,
        local: tuple[str, int],
        before: Sequence[tuple[bool, bytes]] = (),
    ) -> None:
        """Keep one probe: ``started`` is on the scan's clock, ``elapsed`` in seconds, ``local`` our address; ``before``
        is what was said before TLS, as (whether by us, bytes) pairs.
        """
        self._count += 1
        name = f"{self._count:05d} {title} {answer.replace(':', ' ')}.txt"
        text = [
            f"# {title} to {self._server[0]} port {self._server[1]}: {answer} after {elapsed * 1000:.1f} ms",
            *(f"# before TLS, {'we' if ours else 'the peer'}: {escaped(words)}" for ours, words in before),
            f"# sent {len(sent)} bytes",
            *_hex_lines(sent),
            f"# received {len(received)} bytes",
            *_hex_lines(received),
        ]
        (self._folder / name).write_text("\n".join(text) + "\n", encoding="ascii")
        began = started + self._offset
        for at, packet in _packets(local, self._server, [*before, (True, sent)], received, began, began + elapsed):
            micros = round(at * 1e6)
            self._pcap.write(struct.pack("<IIII", micros // 10**6, micros % 10**6, len(packet), len(packet)) + packet)


def _hex_lines(data: bytes) -> list[str]:
    return [data[at : at + 32].hex(" ") for at in range(0, len(data), 32)]


def _packets(
    client: tuple[str, int],
    server: tuple[str, int],
    said: list[tuple[bool, bytes]],
    received: bytes,
    began: float,
    ended: float,
) -> list[tuple[float, bytes]]:
    """A TCP connection as (time, IP packet) pairs: handshake, payloads, and our end of it."""
    if not client[1]:
        return []  # never connected: there is nothing a capture would have seen of a payload
    up, down = _Side(client, server, 1000), _Side(server, client, 2000)
    packets = [(began, up.segment(_SYN, down)), (began, down.segment(_SYN | _ACK, up)), (began, up.segment(_ACK, down))]
    for ours, words in said:
        side, other = (up, down) if ours else (down, up)
        packets += [(began, side.segment(_PUSH | _ACK, other, piece)) for piece in _pieces(words)]
    packets += [(ended, down.segment(_PUSH | _ACK, up, piece)) for piece in _pieces(received)]
    packets.append((ended, up.segment(_FIN | _ACK, down)))
    return packets


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + _SEGMENT] for at in range(0, len(data), _SEGMENT)]


class _Side:
    """One end of a synthesised connection: its addresses and its next sequence number."""

    def __init__(self, own: tuple[str, int], peer: tuple[str, int], sequence: int) -> None:
        self.own = own
        self.peer = peer
        self.sequence = sequence

    def segment(self, flags: int, other: _Side, data: bytes = b"") -> bytes:
        acknowledged = other.sequence if flags & _ACK else 0
        header = struct.pack(
            ">HHIIBBHHH", self.own[1], self.peer[1], self.sequence, acknowledged, 5 << 4, flags, 65535, 0, 0
        )
        self.sequence += len(data) + bool(flags & (_SYN | _FIN))
        return _ip(self.own[0], self.peer[0], header, data)


def _ip(source: str, target: str, header: bytes, data: bytes) -> bytes:
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    addresses = socket.inet_pton(family, source) + socket.inet_pton(family, target)
    segment = header + data
    checksum = _checksum(addresses + struct.pack(">II", len(segment), socket.IPPROTO_TCP) + segment)
    segment = segment[:16] + struct.pack(">H", checksum) + segment[18:]
    if family == socket.AF_INET6:
        return struct.pack(">IHBB", 6 << 28, len(segment), socket.IPPROTO_TCP, 64) + addresses + segment
    fixed = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, socket.IPPROTO_TCP, 0) + addresses
    return fixed[:10] + struct.pack(">H", _checksum(fixed)) + fixed[12:] + segment


def _checksum(data: bytes) -> int:
    # RFC 1071 section 1
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
