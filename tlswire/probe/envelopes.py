"""TLS inside packets of another protocol: what goes on around every record after the dialogue.

Sans-IO and bounded. Must not import anything of tlswire but ``errors`` and ``probe.negotiations``.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import Protocol

from tlswire.errors import WireError
from tlswire.probe.negotiations import ACK, CONTROL, HARD_RESET_SERVER, openvpn_packet, tds_packet

# The largest packet each protocol may have here; the length fields would allow more.
MAX_PACKET = 1 << 15


class Envelope(Protocol):
    """Packets with TLS in them, both ways."""

    def wrap(self, data: bytes) -> bytes:
        """The packets that carry ``data``, as far as they may go now."""

    def open(self, data: bytes) -> tuple[bytes, bytes]:
        """The TLS bytes in what came, and what is to be sent in return. Raises WireError for what is no packet."""


class Tds:
    """MS-TDS 3.2.5.2: during the handshake TLS travels in packets of the type PRELOGIN."""

    _SIZE = 4096 - 8  # the packets of a connection that has not agreed on a size (2.2.3.1.3)

    def __init__(self, _: bytes) -> None:
        self._buffer = bytearray()

    def wrap(self, data: bytes) -> bytes:
        """One message of as many packets as it takes."""
        pieces = [data[at : at + self._SIZE] for at in range(0, len(data), self._SIZE)]
        return b"".join(
            tds_packet(0x12, piece, number, last=number == len(pieces)) for number, piece in enumerate(pieces, 1)
        )

    def open(self, data: bytes) -> tuple[bytes, bytes]:
        """The contents of whole packets; nothing is ever acknowledged."""
        self._buffer += data
        found = bytearray()
        while len(self._buffer) >= 8:
            kind, length = self._buffer[0], int.from_bytes(self._buffer[2:4], "big")
            if kind not in {0x12, 0x04} or not 8 <= length <= MAX_PACKET:
                raise WireError(f"no packet of TDS begins with {self._buffer[:8].hex()}")
            if len(self._buffer) < length:
                break
            found += self._buffer[8:length]
            del self._buffer[:length]
        return bytes(found), b""


class OpenVpn:
    """OpenVPN's control channel without tls-auth: numbered packets that either side acknowledges.

    A packet is opcode, session, the numbers it acknowledges with the other session behind them, its own number (but for
    P_ACK_V1) and its part of the stream. TCP keeps the order, so a number that comes too early is a fault.
    """

    _SIZE = 1200
    _IN_FLIGHT = 4  # below the smallest window any OpenVPN has had
    _ACKS = 4  # as many as one packet may carry

    def __init__(self, reset: bytes) -> None:
        """``reset`` is the server's words up to its hard reset."""
        self._peer = b""
        self._sent = 1  # the hard reset was number 0
        self._flying: set[int] = {0}
        self._waiting: deque[bytes] = deque()
        self._expected = 0
        self._owed: list[int] = []
        self._buffer = bytearray()
        self._read(reset)

    def wrap(self, data: bytes) -> bytes:
        """Control packets, four of them at once at most."""
        self._waiting.extend(data[at : at + self._SIZE] for at in range(0, len(data), self._SIZE))
        return self._go()

    def open(self, data: bytes) -> tuple[bytes, bytes]:
        """The stream in whole packets; what is owed for them and what had to wait goes back."""
        found, back = self._read(data), self._go()
        while self._owed:
            back += openvpn_packet(ACK, self._acknowledge())
        return found, back

    def _read(self, data: bytes) -> bytes:
        self._buffer += data
        found = bytearray()
        while len(self._buffer) >= 2:
            length = 2 + int.from_bytes(self._buffer[:2], "big")
            if not 12 <= length <= MAX_PACKET:
                raise WireError(f"no packet of OpenVPN is {length - 2} bytes long")
            if len(self._buffer) < length:
                break
            found += self._take(bytes(self._buffer[2:length]))
            del self._buffer[:length]
        return bytes(found)

    def _take(self, packet: bytes) -> bytes:
        opcode, count = packet[0] >> 3, packet[9]
        self._peer = self._peer or packet[1:9]
        at = 10 + 4 * count
        if len(packet) < at:
            raise WireError(f"a packet of {len(packet)} bytes acknowledges {count}")
        self._flying.difference_update(struct.unpack_from(f">{count}I", packet, 10))
        if count:
            at += 8
        if opcode == ACK:
            return b""
        if opcode not in {CONTROL, HARD_RESET_SERVER} or len(packet) < at + 4:
            raise WireError(f"opcode {opcode} of {len(packet)} bytes where a control packet belongs")
        number = int.from_bytes(packet[at : at + 4], "big")
        if number > self._expected:
            raise WireError(f"packet {number} where {self._expected} belongs")
        self._owed.append(number)
        if number < self._expected:
            return b""  # sent once more: the acknowledgement came too late
        self._expected += 1
        return packet[at + 4 :]

    def _go(self) -> bytes:
        out = bytearray()
        while self._waiting and len(self._flying) < self._IN_FLIGHT:
            number = struct.pack(">I", self._sent)
            self._flying.add(self._sent)
            self._sent += 1
            out += openvpn_packet(CONTROL, self._acknowledge() + number + self._waiting.popleft())
        return bytes(out)

    def _acknowledge(self) -> bytes:
        """The array of acknowledgements, with the other side's session where it is not empty."""
        acks, self._owed = self._owed[: self._ACKS], self._owed[self._ACKS :]
        return bytes([len(acks)]) + struct.pack(f">{len(acks)}I", *acks) + (self._peer if acks else b"")
