"""One UDP flow read for DTLS or QUIC: told by content, on any port, also behind STUN and in TURN channels.

Must not import anything of tlswire but ``wire``, ``registry`` and the rest of ``capture``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tlswire.capture.quic import QuicFlow, looks_like_quic
from tlswire.capture.sessions import SessionBuilder
from tlswire.registry import ALERTS
from tlswire.wire.dtls import DtlsDeframer, begun_hello, looks_like_dtls

if TYPE_CHECKING:
    from tlswire.capture.decrypted import Secrets
    from tlswire.capture.layers import Origin
    from tlswire.capture.stretch import Interface

# So many datagrams that are none of ours (STUN not counted), and the flow is somebody else's.
PATIENCE = 4
_STUN_COOKIE = b"\x21\x12\xa4\x42"

Kind = Literal["dtls", "quic"]

# The first bytes of datagrams that may begin another session behind a finished one: a handshake record, maybe in a TURN
# channel, or a long header.
_OPENINGS: dict[Kind, frozenset[int]] = {
    "dtls": frozenset({22, *range(0x40, 0x50)}),
    "quic": frozenset({22, *range(0xC0, 0x100)}),
}


# Those of datagrams that may begin a session: no others need a closer look.
_FIRST = frozenset({22, *range(0x40, 0x50), *range(0x80, 0x100)})


def recognise(buffer: bytes, start: int, end: int, missing: int) -> Kind | None:
    """What a datagram of an unknown flow begins: ``dtls``, ``quic``, or nothing of ours."""
    if buffer[start] not in _FIRST:
        return None
    at, stop, lost = _channel_data(buffer, start, end, missing)
    if looks_like_dtls(buffer, at, stop, lost):
        return "dtls"
    return "quic" if looks_like_quic(buffer, start, end, missing) else None


def is_stun(buffer: bytes, start: int) -> bool:
    """Whether a datagram is one of those that may go on for long before DTLS begins (RFC 8489 section 5)."""
    if 0x40 <= buffer[start] <= 0x4F:
        start += 4  # in a channel, whose peers make sure of each other first
    return buffer[start + 4 : start + 8] == _STUN_COOKIE


class UdpFlow:
    """One pair of addresses and ports; ``keys`` are the two directions' keys, the first packet's first."""

    __slots__ = (
        "bucket",
        "builder",
        "deframers",
        "done",
        "first",
        "frames",
        "keys",
        "kind",
        "last",
        "opener",
        "opening",
        "openings",
        "origin",
        "quic",
        "told",
    )

    def __init__(
        self,
        key: bytes,
        reverse: bytes,
        kind: Kind,
        first: tuple[int, int, int, Interface],
        origin: Origin | None,
        secrets: Secrets | None = None,
    ) -> None:
        self.keys = (key, reverse)
        self.kind = kind
        self.openings = _OPENINGS[kind]
        self.first = self.last = first
        self.origin = origin
        self.opener: int | None = None  # UDP has no SYN
        self.bucket = 0
        self.done = False  # nothing more can be learnt of the session
        self.told = False  # the session was handed out
        self.builder: SessionBuilder | None = SessionBuilder(kind)
        self.quic = QuicFlow(secrets) if kind == "quic" else None
        self.deframers = (DtlsDeframer(), DtlsDeframer()) if kind == "dtls" else None
        self.frames = [0, 0]  # the last of each side
        self.opening: tuple[int, bytes] | None = None  # who sent the first hello of DTLS, and its random

    def datagram(self, side: int, buffer: bytes, start: int, end: int, missing: int, frame: int) -> bool:
        """One datagram's payload, of which ``missing`` bytes were not captured. False: it begins another session, for which the caller makes another flow."""
        self.frames[side] = frame
        if self.kind == "quic":
            return self._quic(side, buffer, start, end, missing, frame)
        start, end, missing = _channel_data(buffer, start, end, missing)
        return not self._opens_another(side, buffer, start, end, missing) and self._dtls(
            side, buffer[start:end], missing, frame
        )

    def finish(self) -> SessionBuilder | None:
        """The flow ended: the builder with what was incomplete; None where nothing was found or it was told."""
        builder = self.builder
        if builder is None:
            return None
        if self.quic is not None:
            self._finish_quic(builder, self.quic)
        elif self.deframers is not None:
            for side, deframer in enumerate(self.deframers):
                if not builder.encrypted[side]:
                    for kind, length, body in deframer.pending():
                        builder.partial(side, deframer.version, kind, length, body, self.frames[side])
        return builder if builder.messages or builder.notes else None

    def release(self) -> None:
        """Told: only what recognises another session on the same ports stays."""
        self.told = self.done = True
        self.builder = None
        self.deframers = None

    def _opens_another(self, side: int, buffer: bytes, start: int, end: int, missing: int) -> bool:
        """Whether a datagram begins with the hello of another handshake than ours: one with another random.

        Ours keeps its random when a HelloVerifyRequest or HelloRetryRequest makes the client say it again, with the next
        message_seq (RFC 6347 sections 4.2.1 and 4.2.2, RFC 9846 section 4.2.2): either of them tells ours.
        """
        begun = begun_hello(buffer, start, end, missing)
        if begun is None:
            return False
        number, random = begun
        if self.opening is None:
            self.opening = side, random
            return self.told
        opener, known = self.opening
        if known.startswith(random) or random.startswith(known):
            return False
        return self.told or (side == opener and not number)

    def _dtls(self, side: int, data: bytes, missing: int, frame: int) -> bool:
        builder = self.builder
        if builder is not None and self.deframers is not None:
            deframer = self.deframers[side]
            for message in deframer.feed(data, missing):
                builder.message(side, message, frame)
            if deframer.error is not None:
                if 20 <= data[0] < 64:  # else STUN or media, which share the ports (RFC 7983)
                    builder.fault(side, str(deframer.error), frame)
                deframer.error = None
            self.done = builder.done
        return True

    def _quic(self, side: int, buffer: bytes, start: int, end: int, missing: int, frame: int) -> bool:
        quic, builder = self.quic, self.builder
        if quic is None:
            return True
        found = quic.datagram(side, buffer, start, end, missing)
        if quic.restart:
            return False
        if builder is None:
            return True
        for sender, message, opened in found:
            builder.opened[sender] = opened
            if opened:
                builder.hidden(sender)
            builder.message(sender, message, frame)
        self.done = quic.done
        return True

    def _finish_quic(self, builder: SessionBuilder, quic: QuicFlow) -> None:
        if builder.client is None:
            builder.client = quic.client
        builder.quic_version = quic.version
        builder.decryption = quic.decryption
        for side, kind, length, body in quic.partial():
            builder.partial(side, 0, kind, length, body, self.frames[side])
        for note in quic.notes:
            builder.note(note)
        if quic.closed is not None:
            code, reason, opened = quic.closed
            # RFC 9001 section 4.8: a TLS alert closes the connection with 0x0100 plus its description.
            name = ALERTS[code - 0x100].name if 0x100 <= code <= 0x1FF else f"0x{code:x}"
            where = "a Handshake packet" if opened else "an Initial"
            builder.note(f"connection closed in {where}: {name}{': ' + reason if reason else ''}")


def _channel_data(buffer: bytes, start: int, end: int, missing: int) -> tuple[int, int, int]:
    """What a TURN ChannelData message carries (RFC 8656 section 12.4): where, and how much of it is missing."""
    if not 0x40 <= buffer[start] <= 0x4F or end - start < 4:
        return start, end, missing
    stop = start + 4 + int.from_bytes(buffer[start + 2 : start + 4], "big")
    # Padding to a multiple of four is optional over UDP.
    if not 0 <= end + missing - stop < 4:
        return start, end, missing
    return start + 4, min(stop, end), max(stop - end, 0)
