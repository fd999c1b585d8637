"""One UDP flow of QUIC: the handshake messages of its Initials, from both sides.

The keys are those of the connection id that the client used first (RFC 9001 section 5.2), of the server's choice after
a Retry; they stay when ids change. CRYPTO data is put together from any order. Everything kept is bounded. Must not
import anything of tlswire but ``errors``, ``wire`` and ``crypto``; no I/O.
"""

from __future__ import annotations

from tlswire.crypto.quic import Keys, initial_keys, open_cut_initial, open_initial
from tlswire.errors import WireError
from tlswire.wire.cursor import escaped
from tlswire.wire.messages import HRR_RANDOM
from tlswire.wire.quic import CloseFrame, LongPacket, draft_of, is_google, read_frames, read_long_packet
from tlswire.wire.records import HANDSHAKE, Message

MAX_CRYPTO = 1 << 17
MAX_PIECES = 256
MAX_HELD = 4
PATIENCE = 64  # datagrams that bring nothing new

CLIENT_HELLO, SERVER_HELLO = 1, 2


def looks_like_quic(buffer: bytes, start: int, end: int, missing: int = 0) -> bool:
    """Whether a datagram begins with a long header of a known version, with lengths that fit."""
    if end - start < 21 or not buffer[start] & 0x80:
        return False
    version = int.from_bytes(buffer[start + 1 : start + 5], "big")
    if version and draft_of(version) is None and not is_google(version):
        return False
    if is_google(version):
        return buffer[start] & 0x40 != 0
    try:
        packet = read_long_packet(buffer, start, end, missing)
    except WireError:
        return False
    if packet.kind == "negotiation":
        return bool(packet.versions) and any(draft_of(code) is not None for code in packet.versions)
    return packet.kind != "initial" or packet.end - packet.number >= 20


class _Stream:
    """CRYPTO data of one side: ``data`` up to the first hole, what came beyond it in ``later``."""

    __slots__ = ("conflict", "data", "later", "taken")

    def __init__(self) -> None:
        self.data = bytearray()
        self.later: dict[int, bytes] = {}
        self.taken = 0
        self.conflict = False

    def add(self, offset: int, piece: bytes) -> bool:
        """Whether the frame brought anything new; the first copy of a byte wins."""
        end = offset + len(piece)
        if not piece or end > MAX_CRYPTO:
            return False
        have = len(self.data)
        if offset < have:
            known = bytes(self.data[offset : min(end, have)])
            self.conflict = self.conflict or known != piece[: len(known)]
        if end <= have:
            return False
        if offset > have:
            if len(self.later) >= MAX_PIECES or len(self.later.get(offset, b"")) >= len(piece):
                return False
            self.later[offset] = piece
            return True
        self.data += piece[have - offset :]
        while ready := [at for at in self.later if at <= len(self.data)]:
            for at in ready:
                held = self.later.pop(at)
                if at + len(held) > len(self.data):
                    self.data += held[len(self.data) - at :]
        return True

    def messages(self) -> list[Message]:
        """The handshake messages completed since the last call."""
        found = []
        while len(self.data) >= self.taken + 4:
            length = int.from_bytes(self.data[self.taken + 1 : self.taken + 4], "big")
            end = self.taken + 4 + length
            if end > len(self.data):
                break
            body = bytes(self.data[self.taken + 4 : end])
            found.append(Message(HANDSHAKE, 0, self.data[self.taken], body, self.taken))
            self.taken = end
        return found


class QuicFlow:
    """Reads the Initials of one connection; sides are 0 and 1 as the caller numbers them.

    ``client`` is the side that is the client, once known; ``restart`` says that the datagram just given begins another
    connection, for another QuicFlow.
    """

    def __init__(self) -> None:
        self.version: int | None = None
        self.client: int | None = None
        self.done = False
        self.restart = False
        self.retry = False
        self.closed: tuple[int, str] | None = None
        self.notes: list[str] = []
        self._dcid: bytes | None = None
        self._pair: tuple[Keys, Keys] | None = None
        self._retry_scid: bytes | None = None
        self._streams = (_Stream(), _Stream())
        self._held: list[tuple[int, bytes]] = []
        self._idle = 0
        self._hello = False

    def datagram(self, side: int, buffer: bytes, start: int, end: int, missing: int = 0) -> list[tuple[int, Message]]:
        """(side that sent it, message) of every message completed by a datagram.

        ``missing`` bytes of its end were not captured.
        """
        if not buffer[start] & 0x80:
            self._wait()
            return []
        found: list[tuple[int, Message]] = []
        at = start
        known = self._pair is not None
        try:
            while at < end and buffer[at] & 0x80:
                packet = read_long_packet(buffer, at, end, missing)
                if packet.end > end:
                    self._cut(side, buffer, end, packet)
                    break
                self._packet(side, buffer, packet, found)
                if self.restart:
                    return []
                at = packet.end
        except WireError:
            pass  # what is no packet is padding, or another version's
        if not known and self._pair is not None:
            held, self._held = self._held, []
            for sender, data in held:
                found += self.datagram(sender, data, 0, len(data))
        if not found:
            self._wait()
        return found

    def partial(self) -> list[tuple[int, int, int, bytes]]:
        """(side, type, length, body up to the first hole) of messages that are not complete."""
        found = []
        for side, stream in enumerate(self._streams):
            rest = bytes(stream.data[stream.taken :])
            if len(rest) >= 4:
                found.append((side, rest[0], int.from_bytes(rest[1:4], "big"), rest[4:]))
        return found

    def _note(self, text: str) -> None:
        if text not in self.notes and len(self.notes) < 8:
            self.notes.append(text)

    def _wait(self) -> None:
        self._idle += 1
        if self._idle >= PATIENCE:
            self._finish()

    def _finish(self) -> None:
        """Nothing more to learn: what was kept to go on is dropped."""
        self.done = True
        self._held = []
        for side, stream in enumerate(self._streams):
            if stream.later:
                name = "client" if side == self.client else "server"
                self._note(f"{name}: CRYPTO bytes from {len(stream.data)} on were not captured")
            stream.later = {}

    def _packet(self, side: int, buffer: bytes, packet: LongPacket, found: list[tuple[int, Message]]) -> None:
        if packet.kind == "negotiation":
            offered = ", ".join(f"0x{code:08X}" for code in packet.versions[:16])
            self._note(f"Version Negotiation: the server offers {offered}")
        elif packet.kind == "retry":
            self.retry = True
            self._retry_scid = packet.scid
            self._note("Retry: the client had to prove its address (RFC 9000 8.1.2)")
        elif is_google(packet.version):
            self._note(f"{packet.version.to_bytes(4, 'big').decode('ascii', 'replace')} is not read")
            self._finish()
        elif packet.kind == "initial" and (payload := self._open(side, buffer, packet)) is not None:
            self.version = packet.version
            self._frames(side, payload, found)

    def _cut(self, side: int, buffer: bytes, end: int, packet: LongPacket) -> None:
        """An Initial without its end: its connection id still gives the keys, its beginning may be a hello's."""
        if packet.kind != "initial":
            return
        dcid = packet.dcid if self._dcid is None else self._dcid
        pair = initial_keys(packet.version, dcid)
        if pair is None:
            return
        payload = open_cut_initial(pair[self.client is not None and side != self.client], buffer, end, packet)
        try:
            frames = read_frames(payload, cut=True)
        except WireError:
            return
        if self._pair is None:
            if not any(not isinstance(item, CloseFrame) for item in frames):
                return  # other keys give bytes that hardly ever read as frames
            self._pair, self._dcid, self.client = pair, dcid, side
            self.version = packet.version
        for item in frames:
            if not isinstance(item, CloseFrame):
                self._streams[side].add(item.offset, item.data)

    def _open(self, side: int, buffer: bytes, packet: LongPacket) -> bytes | None:
        """The payload of an Initial, with the keys we have or those of its own connection id."""
        if self._pair is not None and self._dcid is not None:
            pair = initial_keys(packet.version, self._dcid)
            if pair is not None:
                opened = open_initial(pair[side != self.client], buffer, packet)
                if opened is not None:
                    return opened[1]
            if side != self.client and not self._retry_scid:
                return None
        elif self.done:
            return None
        pair = initial_keys(packet.version, packet.dcid)
        opened = None if pair is None else open_initial(pair[0], buffer, packet)
        if opened is None:
            if self._pair is None and len(self._held) < MAX_HELD:
                self._held.append((side, buffer[packet.start : packet.end]))
            return None
        if self._pair is not None and packet.dcid != self._retry_scid and (self._hello or self.done):
            self.restart = True
            return None
        self._pair, self._dcid, self.client = pair, packet.dcid, side
        self._retry_scid = None
        return opened[1]

    def _frames(self, side: int, payload: bytes, found: list[tuple[int, Message]]) -> None:
        stream = self._streams[side]
        try:
            frames = read_frames(payload)
        except WireError as error:
            self._note(str(error))
            return
        new = False
        for frame in frames:
            if isinstance(frame, CloseFrame):
                self.closed = self.closed or (frame.error, escaped(frame.reason[:256]))
            else:
                new = stream.add(frame.offset, frame.data) or new
        if new:
            self._idle = 0
        if stream.conflict:
            self._note("overlapping CRYPTO frames differ: the first copy was taken")
        for message in stream.messages():
            found.append((side, message))
            self._hello = self._hello or message.type == CLIENT_HELLO
            if message.type == SERVER_HELLO and message.body[2:34] != HRR_RANDOM and self._hello:
                self._finish()
