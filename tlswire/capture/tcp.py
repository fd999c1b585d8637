"""TCP reassembly: segments of one connection in any order, the two byte streams out.

Hot path: a segment that continues its stream goes straight to the consumer. The first copy of a byte wins (as the
receiver of a well-behaved stack sees it, RFC 9293 section 3.10.7.4), a different second copy is noted. Everything that
waits is bounded. Must not import anything of tlswire but types; no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from tlswire.capture.files import Interface
    from tlswire.capture.layers import Origin

FIN, SYN, RST, ACK = 1, 2, 4, 16

# A receiver's window before window scaling; what waits longer than this was lost by the capture.
MAX_WAITING_BYTES = 1 << 18
MAX_WAITING = 128
# The peer acknowledged bytes that we have not seen: after so many of its segments they are not merely late.
PATIENCE = 4
_RECENT = 2

_MASK = 0xFFFFFFFF
_HALF = 1 << 31


class Consumer(Protocol):
    """What becomes of the bytes: ``side`` is 0 or 1, calls come in stream order for each side."""

    done: bool

    def data(self, side: int, data: bytes, frame: int) -> None:
        """The next bytes of one side."""

    def gap(self, side: int, missing: int, frame: int) -> None:
        """So many bytes of one side were not captured."""

    def note(self, text: str) -> None:
        """Something to tell of the connection."""


class _Nobody:
    """Takes the bytes of a flow that has none."""

    done = False

    def data(self, side: int, data: bytes, frame: int) -> None:
        pass

    def gap(self, side: int, missing: int, frame: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass


NOBODY = _Nobody()


class Half(msgspec.Struct, eq=False):
    """One direction. ``next`` is the sequence number expected, None before anything was seen."""

    flow: Flow
    index: int
    key: bytes
    next: int | None = None
    waiting: dict[int, tuple[bytes, int]] | None = None
    recent: list[tuple[int, bytes]] = []
    late: int = 0
    stale: int = 0
    closed: bool = False


class Flow(msgspec.Struct, eq=False):
    """One connection: two halves and what is made of their bytes.

    ``first`` and ``last`` are where it was seen (frame, time high, time low, interface), ``opener`` the side that sent a
    SYN.
    """

    first: tuple[int, int, int, Interface]
    last: tuple[int, int, int, Interface]
    origin: Origin | None
    consumer: Consumer = NOBODY  # until the first payload
    conflict: bool = False
    opener: int | None = None
    bucket: int = 0
    halves: tuple[Half, Half] = ()  # type: ignore[assignment] # they need their flow: ``open_flow`` makes them

    __hash__ = object.__hash__


def open_flow(key: bytes, reverse: bytes, first: tuple[int, int, int, Interface], origin: Origin | None) -> Flow:
    """A new connection with both its directions."""
    flow = Flow(first, first, origin)
    flow.halves = (Half(flow, 0, key), Half(flow, 1, reverse))
    return flow


def synchronise(half: Half, seq: int) -> None:
    """A SYN: the stream begins behind it. Another one before any data (a retry with a new number) wins."""
    if not half.recent:
        half.next = (seq + 1) & _MASK


def segment(half: Half, seq: int, data: bytes, missing: int, frame: int) -> None:
    """One segment's payload, with ``missing`` bytes cut off its end by the capture."""
    consumer = half.flow.consumer
    expected = half.next
    if expected is None:
        expected = half.next = seq
    ahead = (seq - expected) & _MASK
    if ahead:
        if ahead < _HALF:
            _hold(half, seq, data, frame)  # what was cut off is found missing when its turn comes
            return
        old = (-ahead) & _MASK
        if old == 1 == len(data):
            return  # a keep-alive, whose byte may be garbage (RFC 9293 section 3.8.4)
        _compare(half, seq, data)
        if old >= len(data):
            return
        data = data[old:]
        seq = expected
    half.next = (seq + len(data)) & _MASK
    recent = half.recent
    recent.append((seq, data))
    if len(recent) > _RECENT:
        del recent[0]
    consumer.data(half.index, data, frame)
    if missing:
        half.next = (half.next + missing) & _MASK
        consumer.gap(half.index, missing, frame)
    if half.waiting:
        _drain(half, frame)


def acknowledged(half: Half, ack: int, frame: int) -> None:
    """The peer of ``half`` acknowledged up to ``ack``: what it has got and we have not will not come any more."""
    if half.next is None or not 0 < ((ack - half.next) & _MASK) < _HALF:
        return
    half.stale += 1
    if half.stale >= PATIENCE:
        skip(half, frame)


def skip(half: Half, frame: int) -> None:
    """Give up waiting for the missing bytes before the first segment that waits."""
    half.stale = 0
    consumer = half.flow.consumer
    if not half.waiting or half.next is None:
        return
    expected = half.next
    first = min(half.waiting, key=lambda seq: (seq - expected) & _MASK)
    consumer.gap(half.index, (first - expected) & _MASK, frame)
    half.next = first
    _drain(half, frame)


def flush(flow: Flow, frame: int) -> None:
    """The end: everything that waits is delivered behind its gaps."""
    for half in flow.halves:
        while half.waiting and not flow.consumer.done:
            skip(half, frame)


def _hold(half: Half, seq: int, data: bytes, frame: int) -> None:
    if not data:
        return
    if half.waiting is None:
        half.waiting = {}
    held = half.waiting.get(seq)
    if held is None or len(held[0]) < len(data):
        if held is not None and data[: len(held[0])] != held[0]:
            _conflict(half)
            data = held[0] + data[len(held[0]) :]
        half.late += len(data) - (0 if held is None else len(held[0]))
        half.waiting[seq] = (data, frame)
    elif held[0][: len(data)] != data:
        _conflict(half)
    if half.late > MAX_WAITING_BYTES or len(half.waiting) > MAX_WAITING:
        skip(half, frame)


def _drain(half: Half, frame: int) -> None:
    """Deliver what waits and now continues the stream."""
    waiting = half.waiting
    consumer = half.flow.consumer
    while waiting and half.next is not None:
        expected = half.next
        ready = [seq for seq in waiting if ((expected - seq) & _MASK) < _HALF]
        if not ready:
            return
        seq = max(ready, key=lambda number: (expected - number) & _MASK)
        data, _ = waiting.pop(seq)
        half.late -= len(data)
        old = (expected - seq) & _MASK
        _compare(half, seq, data)
        if old < len(data):
            data = data[old:]
            half.recent.append((expected, data))
            half.next = (expected + len(data)) & _MASK
            consumer.data(half.index, data, frame)
    half.stale = 0


def _compare(half: Half, seq: int, data: bytes) -> None:
    """Whether a second copy says something else than the first (an attack, or a broken stack)."""
    if half.flow.conflict:
        return
    for start, seen in half.recent:
        offset = (start - seq) & _MASK
        if offset < len(data):
            same = min(len(data) - offset, len(seen))
            if data[offset : offset + same] != seen[:same]:
                _conflict(half)
                return
        else:
            offset = (seq - start) & _MASK
            if offset < len(seen):
                same = min(len(seen) - offset, len(data))
                if seen[offset : offset + same] != data[:same]:
                    _conflict(half)
                    return


def _conflict(half: Half) -> None:
    flow = half.flow
    if not flow.conflict:
        flow.conflict = True
        flow.consumer.note("overlapping segments differ: the first copy was taken")
