"""The flow tables of a capture and their bounds: segments and datagrams in, sessions out.

Must not import anything of tlswire but ``wire``, ``registry``, ``results`` and ``capture``.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.capture import tcp as reassembly
from tlswire.capture.assemble import Found, assemble
from tlswire.capture.tcp import ACK, FIN, MAX_WAITING_BYTES, NOBODY, RST, SYN, Flow, Half
from tlswire.capture.tls import TlsStream, tls_stream
from tlswire.capture.udp import PATIENCE, UdpFlow, is_stun, recognise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.capture.decrypted import Secrets
    from tlswire.capture.layers import Origin
    from tlswire.capture.sessions import SessionBuilder
    from tlswire.capture.stretch import Interface
    from tlswire.capture.udp import Kind

# The flow table is divided so that several processes that share a capture keep and evict the same flows as one.
BUCKETS = 32
MAX_FLOWS = 1024  # a bucket
MAX_SKIPPED = 1024  # a bucket: keys of flows that need no more looking at
MAX_OVER = 256  # a bucket: connections that ended, whose last bytes may come again
MAX_STRANGERS = 256  # a bucket: UDP flows of which nothing was recognised yet

_OPEN_OR_SHUT = SYN | FIN | RST

# Seconds without a segment or datagram after which a handshake is over: servers wait less.
IDLE = 120
MANY = 16  # a bucket: so many flows may be idle for as long as they like


class _Skip:
    """Stands in the table of UDP flows for what needs no more looking at: told, and nothing begins it anew."""

    told = True
    openings: frozenset[int] = frozenset()


SKIP: Any = _Skip()


class Counts(msgspec.Struct):
    """What was met on the way."""

    ignored: Counter[str]
    flows: int = 0
    evicted: int = 0
    encrypted_only: int = 0


class Flows:
    """The flows of one capture; ``ignored`` counts the packets that have no part in any, ``secrets`` open what is
    encrypted.
    """

    def __init__(self, capture: str, ignored: Counter[str], secrets: Secrets | None = None) -> None:
        self.capture = capture
        self._secrets = secrets
        self.counts = Counts(ignored)
        self._tcp: dict[bytes, Half] = {}
        self._udp: dict[bytes, UdpFlow] = {}
        self._live: tuple[dict[Flow | UdpFlow, None], ...] = tuple({} for _ in range(BUCKETS))
        self._done: set[bytes] = set()  # the keys of TCP connections that need no more looking at
        self._closed: set[bytes] = set()  # the other direction's keys of flows that are skipped and half closed
        self._skipped: tuple[deque[bytes], ...] = tuple(deque() for _ in range(BUCKETS))
        self._over: tuple[dict[bytes, int], ...] = tuple({} for _ in range(BUCKETS))
        self._strangers: tuple[dict[bytes, int], ...] = tuple({} for _ in range(BUCKETS))
        self._ready: list[Found] = []

    # TCP

    def _segment(  # noqa: C901, PLR0912 - the rest of the hot path, as ``follow``
        self,
        half: Half | None,
        key: bytes,
        seq: int,
        ack: int,
        flags: int,
        data: bytes,
        missing: int,
        first: tuple[int, int, int, Interface],
        origin: Origin | None,
    ) -> None:
        frame = first[0]
        if (
            half is not None
            and half.next == seq
            and half.flow.calm
            and not (flags & _OPEN_OR_SHUT or missing or origin)
        ):
            # What ``reassembly`` does with a segment that continues its stream, in place: it is nearly every one.
            flow = half.flow
            flow.last = first
            half.next = (seq + len(data)) & 0xFFFFFFFF
            half.previous, half.latest = half.latest, (seq, data)
            consumer = flow.consumer
            if consumer is NOBODY:
                consumer = flow.consumer = tls_stream(self._secrets, midstream=flow.opener is None)
            consumer.data(half.index, data, frame)
            if consumer.done:
                self._end_tcp(flow, None, frame, skip=True)
            return
        if flags & SYN:
            half = self._opened(half, key, seq, flags, first, origin)
            if not (data or missing or origin or flags & (FIN | RST)):
                half.flow.last = first
                return
            seq += 1
        elif half is None:
            half = self._begun(key, seq, flags, data, first, origin)
            if half is None:
                return
        flow = half.flow
        flow.last = first
        if origin is not None and flow.origin is None:
            flow.origin = origin
        if not flow.calm and flags & ACK:
            self._acknowledged(half, ack, frame)
            if flow.consumer.done:
                return
        if data or missing:
            if flow.consumer is NOBODY:
                flow.consumer = tls_stream(self._secrets, midstream=flow.opener is None)
            reassembly.segment(half, seq, data, missing, frame)
            if flow.consumer.done:
                self._end_tcp(flow, None, frame, skip=True)
                return
        if flags & RST:
            self._end_tcp(flow, ("reset by 0", "reset by 1")[half.index], frame)
            return
        if flags & FIN and half.end is None:
            half.end = (seq + len(data) + missing) & 0xFFFFFFFF
            flow.calm = False
        if half.end is not None and half.closed and flow.halves[1 - half.index].closed:
            self._end_tcp(flow, "closed", frame)

    def _begun(
        self,
        key: bytes,
        seq: int,
        flags: int,
        data: bytes,
        first: tuple[int, int, int, Interface],
        origin: Origin | None,
    ) -> Half | None:
        """The half of a segment whose flow is not known; None where there is nothing to follow."""
        if key in self._done:
            self._closing(key, flags)
        elif data and not self._is_over(key, seq):
            return self._open(key, first, origin)
        return None

    def _open(self, key: bytes, first: tuple[int, int, int, Interface], origin: Origin | None) -> Half:
        reverse = _reverse(key)
        flow = reassembly.open_flow(key, reverse, first, origin)
        self._tcp[key], self._tcp[reverse] = flow.halves
        self._admit(flow, key, first[0])
        return flow.halves[0]

    def _opened(
        self,
        half: Half | None,
        key: bytes,
        seq: int,
        flags: int,
        first: tuple[int, int, int, Interface],
        origin: Origin | None,
    ) -> Half:
        """A SYN: of a new connection, of one that takes the ports of an old one, or again."""
        if half is None:
            if key in self._done:
                self._forget(key)
        elif half.latest is not None and not flags & ACK and (seq + 1) & 0xFFFFFFFF != half.start:
            self._end_tcp(half.flow, "replaced", first[0])
            half = None
        if half is None:
            half = self._open(key, first, origin)
        if half.flow.opener is None:
            half.flow.opener = 1 - half.index if flags & ACK else half.index
        reassembly.synchronise(half, seq)
        return half

    def _is_over(self, key: bytes, seq: int) -> bool:
        """Whether a segment is a late copy of what a connection said that has ended."""
        end = self._over[bucket_of(key)].get(key)
        return end is not None and 0 < ((end - seq) & 0xFFFFFFFF) <= MAX_WAITING_BYTES

    def _remember(self, flow: Flow) -> None:
        over = self._over[flow.bucket]
        for half in flow.halves:
            over.pop(half.key, None)
            if half.next is not None:
                over[half.key] = half.next
        while len(over) > MAX_OVER:
            del over[next(iter(over))]

    def _closing(self, key: bytes, flags: int) -> None:
        """A FIN or RST of a flow that is skipped: its place is free after a reset, or after the FIN of both."""
        if flags & RST or key in self._closed:
            self._forget(key)
        elif flags & FIN:
            self._closed.add(_reverse(key))

    def _forget(self, key: bytes) -> None:
        for either in (key, _reverse(key)):
            self._done.discard(either)
            self._closed.discard(either)

    def _acknowledged(self, half: Half, ack: int, frame: int) -> None:
        flow = half.flow
        other = flow.halves[1 - half.index]
        if not other.waiting:
            return
        reassembly.acknowledged(other, ack, frame)
        if flow.consumer.done:
            self._end_tcp(flow, None, frame, skip=True)

    def _end_tcp(self, flow: Flow, how: str | None, frame: int, *, skip: bool = False) -> None:
        """A flow is over, or needs no more looking at (``skip``): its session is told."""
        self._live[flow.bucket].pop(flow, None)
        for key in flow.keys:
            self._tcp.pop(key, None)
        if skip:
            self._done.update(flow.keys)
            self._skip(flow.keys[0], flow.bucket)
        else:
            if not flow.calm:
                reassembly.flush(flow, frame)
            if how not in {"idle", "evicted"}:
                self._remember(flow)
        stream = flow.consumer
        if isinstance(stream, TlsStream):
            self.counts.encrypted_only += stream.encrypted_only
            self._tell(stream.finish(), flow, how, frame)
        del flow.halves  # which know their flow: memory is free at once, not when the collector comes

    # UDP

    def _datagram(
        self,
        flow: UdpFlow | None,
        key: bytes,
        buffer: bytes,
        at: int,
        stop: int,
        missing: int,
        first: tuple[int, int, int, Interface],
        origin: Origin | None,
    ) -> None:
        frame = first[0]
        if flow is None:
            kind = recognise(buffer, at, stop, missing)
            if kind is None:
                self._stranger(key, buffer, at)
                return
            flow = self._open_udp(key, kind, first, origin)
        flow.last = first
        if not flow.datagram(0 if flow.keys[0] == key else 1, buffer, at, stop, missing, frame):
            self._end_udp(flow, frame)
            flow = self._open_udp(key, flow.kind, first, origin)
            flow.datagram(0, buffer, at, stop, missing, frame)
        if flow.done and not flow.told:
            self._tell_udp(flow, frame)

    def _stranger(self, key: bytes, buffer: bytes, at: int) -> None:
        """A datagram that is none of ours; after some of them so is the flow."""
        if is_stun(buffer, at):
            return
        reverse = _reverse(key)
        strangers = self._strangers[bucket_of(key)]
        known = min(key, reverse)
        seen = strangers.pop(known, 0) + 1
        if seen == 1:
            self.counts.flows += 1
        if seen < PATIENCE:
            strangers[known] = seen
            if len(strangers) > MAX_STRANGERS:
                del strangers[next(iter(strangers))]
        else:
            self._udp[key] = self._udp[reverse] = SKIP
            self._skip(key, bucket_of(key))

    def _open_udp(
        self, key: bytes, kind: Kind, first: tuple[int, int, int, Interface], origin: Origin | None
    ) -> UdpFlow:
        reverse = _reverse(key)
        flow = UdpFlow(key, reverse, kind, first, origin, self._secrets)
        self._udp[key] = self._udp[reverse] = flow
        self._admit(flow, key, first[0])
        return flow

    def _tell_udp(self, flow: UdpFlow, frame: int) -> None:
        """Nothing more can be learnt: tell the session, and keep of the flow what recognises the next one."""
        self._tell(flow.finish(), flow, None, frame)
        flow.release()

    def _skip(self, key: bytes, bucket: int) -> None:
        """Remember the key of a flow that needs no more looking at; the oldest of its bucket gives way."""
        skipped = self._skipped[bucket]
        skipped.append(key)
        if len(skipped) > MAX_SKIPPED:
            old = skipped.popleft()
            if old in self._done:
                self._forget(old)
            if self._udp.get(old) is SKIP:
                del self._udp[old]
                self._udp.pop(_reverse(old), None)

    def _end_udp(self, flow: UdpFlow, frame: int) -> None:
        self._live[flow.bucket].pop(flow, None)
        for key in flow.keys:
            self._udp.pop(key, None)
        if not flow.told:
            self._tell(flow.finish(), flow, None, frame)

    def _tell(self, builder: SessionBuilder | None, flow: Flow | UdpFlow, how: str | None, frame: int) -> None:
        """The session of a flow that ended ``how``, where there is one, is ready."""
        if builder is not None and (found := assemble(self.capture, builder, flow, how, frame)) is not None:
            self._ready.append(found)

    # The table

    def _admit(self, flow: Flow | UdpFlow, key: bytes, frame: int) -> None:
        """A new flow; idle ones of its bucket give way, and the oldest when the bucket is full."""
        self.counts.flows += 1
        flow.bucket = bucket = bucket_of(key)
        live = self._live[bucket]
        if len(live) > MANY:
            now = _time(flow)
            while now - _time(oldest := next(iter(live))) > IDLE and len(live) > MANY:
                self._end(oldest, "idle", frame)
            if len(live) >= MAX_FLOWS:
                self.counts.evicted += 1
                self._end(oldest, "evicted", frame)
            else:
                # Looked at again when all others have been: so those that wait longest come first, or nearly so.
                live[oldest] = live.pop(oldest)
        live[flow] = None

    def _end(self, flow: Flow | UdpFlow, how: str, frame: int) -> None:
        if isinstance(flow, Flow):
            ended = all(half.end is not None for half in flow.halves)
            self._end_tcp(flow, "closed" if ended else how, frame)
        else:
            self._end_udp(flow, frame)

    def finish(self, frame: int) -> Iterator[Found]:
        """The sessions still open at the end of the capture, in the order they began."""
        yield from self._ready
        self._ready.clear()
        left = [flow for live in self._live for flow in live]
        for flow in sorted(left, key=lambda flow: flow.first[0]):
            self._end(flow, "end of capture", frame)
            yield from self._ready
            self._ready.clear()


def _time(flow: Flow | UdpFlow) -> float:
    _, high, low, interface = flow.last
    return interface.time(high, low)


# Where each byte of a key comes from in that of the other direction; ``translate`` with the key for a table puts it there.
_SWAPPED4 = bytes((*range(4, 8), *range(4), 10, 11, 8, 9))
_SWAPPED6 = bytes((*range(16, 32), *range(16), 34, 35, 32, 33))
_PADDING4, _PADDING6 = bytes(256 - 12), bytes(256 - 36)


def _reverse(key: bytes) -> bytes:
    """The key of the other direction."""
    if len(key) == 12:
        return _SWAPPED4.translate(key + _PADDING4)
    return _SWAPPED6.translate(key + _PADDING6)


def bucket_of(key: bytes) -> int:
    """Which part of the tables a flow belongs to, the same for both directions: the last bytes of addresses and ports
    folded together, both halves of them, for ports are even more often than odd.
    """
    size = (len(key) - 4) // 2
    folded = key[size - 1] ^ key[2 * size - 1] ^ key[-1] ^ key[-3]
    return (folded ^ folded >> 5) % BUCKETS
