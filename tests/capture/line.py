"""UDP flows driven as the walk over a capture drives them, without packets around the datagrams."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tlswire.capture.assemble import assemble
from tlswire.capture.stretch import Interface
from tlswire.capture.udp import UdpFlow, recognise

if TYPE_CHECKING:
    from tlswire.capture.udp import Kind
    from tlswire.results.session import Session

ADDRESSES = bytes([10, 0, 0, 1, 10, 0, 0, 2])
KEYS = (ADDRESSES + struct.pack(">HH", 50000, 4433), ADDRESSES[4:] + ADDRESSES[:4] + struct.pack(">HH", 4433, 50000))


class Line:
    """Two peers and an observer, who does with flows what the walk over a capture does."""

    def __init__(self) -> None:
        self.frame = 0
        self.flow: UdpFlow | None = None
        self._told: list[Session] = []

    def send(self, side: int, *datagrams: bytes, missing: int = 0) -> None:
        for data in datagrams:
            self.frame += 1
            buffer = b"\xee" * 3 + data + b"\xee" * 2  # packets are read where they lie in a larger buffer
            self._take(KEYS[side], buffer, 3, 3 + len(data), missing)

    def _take(self, key: bytes, buffer: bytes, start: int, end: int, missing: int) -> None:
        flow = self.flow
        if flow is None:
            kind = recognise(buffer, start, end, missing)
            if kind is None:
                return
            flow = self._open(key, kind)
        if not flow.datagram(flow.keys.index(key), buffer, start, end, missing, self.frame):
            self._tell(flow)
            flow = self._open(key, flow.kind)
            assert flow.datagram(0, buffer, start, end, missing, self.frame)
        if flow.done and not flow.told:
            self._tell(flow)
            flow.release()

    def _open(self, key: bytes, kind: Kind) -> UdpFlow:
        reverse = KEYS[1 - KEYS.index(key)]
        self.flow = UdpFlow(key, reverse, kind, (self.frame, 0, 0, Interface(1)), None)
        return self.flow

    def _tell(self, flow: UdpFlow) -> None:
        builder = None if flow.told else flow.finish()
        found = None if builder is None else assemble("line", builder, flow, None, self.frame)
        if found is not None:
            self._told.append(found.session)

    def sessions(self) -> list[Session]:
        """What was told, and what is told when the capture ends here."""
        if self.flow is not None:
            self._tell(self.flow)
        self.flow = None
        return self._told

    def session(self) -> Session:
        (session,) = self.sessions()
        return session
