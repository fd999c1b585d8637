"""Evidence: every probe of a scan as an annotated hex file and as a packet of one pcap that tshark opens.

The hex files read with ``tlswire decode``; what was said before TLS stands in their comments. The pcap is synthesised from the bytes sent and received: link type RAW,
one TCP connection a probe, true checksums (libpcap's savefile format). Must not import ``scan`` or ``cli``.
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

from tlswire.errors import UsageError
from tlswire.report.packets import LINKTYPE_RAW, connection
from tlswire.wire.cursor import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import BinaryIO, Self


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
        self._pcap.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, LINKTYPE_RAW))

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
            *hex_lines(sent),
            f"# received {len(received)} bytes",
            *hex_lines(received),
        ]
        (self._folder / name).write_text("\n".join(text) + "\n", encoding="ascii")
        began = started + self._offset
        for at, packet in connection(local, self._server, [*before, (True, sent)], received, began, began + elapsed):
            micros = round(at * 1e6)
            self._pcap.write(struct.pack("<IIII", micros // 10**6, micros % 10**6, len(packet), len(packet)) + packet)


def hex_lines(data: bytes) -> list[str]:
    """Bytes as lines of 32 that ``tlswire decode`` reads."""
    return [data[at : at + 32].hex(" ") for at in range(0, len(data), 32)]
