"""TCP reassembly: segments of one connection in any order, the two byte streams out.

A segment that continues its stream goes straight to the consumer (``flows`` does that in place while a flow is calm).
The first copy of a byte wins (as the receiver of a well-behaved stack sees it, RFC 9293 section 3.10.7.4), a different
second copy is noted. Everything that waits is bounded. Must not import anything of tlswire but types; no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from tlswire.capture.layers import Origin
    from tlswire.capture.stretch import Interface

FIN, SYN, RST, ACK = 1, 2, 4, 16

# A receiver's window before window scaling; what waits longer than this was lost by the capture.
MAX_WAITING_BYTES = 1 << 18
MAX_WAITING = 128
# The peer acknowledged bytes that we have not seen: after so many of its segments they are not merely late.
PATIENCE = 4

_CONFLICT = "overlapping segments differ: the first copy was taken"

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
        """Something to tell of the connection, perhaps more than once."""


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
    """One direction. ``next`` is the sequence number expected, None before anything was seen.

    ``start`` is that of the first byte, ``end`` that of a FIN. ``waiting`` are ``late`` bytes from beyond a hole, by their
    sequence numbers, none of them twice. ``latest`` and ``previous`` are the last segments that were delivered.
    """

    flow: Flow
    index: int
    key: bytes
    next: int | None = None
    start: int | None = None
    end: int | None = None
    waiting: dict[int, bytes] | None = None
    latest: tuple[int, bytes] | None = None
    previous: tuple[int, bytes] | None = None
    late: int = 0
    stale: int = 0

    @property
    def recent(self) -> tuple[tuple[int, bytes], ...]:
        """The last two segments: a copy that says something else comes soon after the first."""
        return tuple(one for one in (self.previous, self.latest) if one is not None)

    @property
    def closed(self) -> bool:
        """Whether everything before the FIN has come."""
        return self.end is not None and (self.next is None or self.next == self.end)


class Flow(msgspec.Struct, eq=False):
    """One connection: two halves and what is made of their bytes; ``keys`` are the two directions'.

    ``first`` and ``last`` are where it was seen (frame, time high, time low, interface), ``opener`` the side that sent a
    SYN. It is ``calm`` as long as nothing has waited, no copy differed and no FIN came.
    """

    keys: tuple[bytes, bytes]
    first: tuple[int, int, int, Interface]
    last: tuple[int, int, int, Interface]
    origin: Origin | None
    consumer: Consumer = NOBODY  # until the first payload
    conflict: bool = False
    opener: int | None = None
    bucket: int = 0
    calm: bool = True
    halves: tuple[Half, Half] = ()  # type: ignore[assignment] # they need their flow: ``open_flow`` makes them

    __hash__ = object.__hash__


def open_flow(key: bytes, reverse: bytes, first: tuple[int, int, int, Interface], origin: Origin | None) -> Flow:
    """A new connection with both its directions."""
    flow = Flow((key, reverse), first, first, origin)
    flow.halves = (Half(flow, 0, key), Half(flow, 1, reverse))
    return flow


def synchronise(half: Half, seq: int) -> None:
    """A SYN: the stream begins behind it. Another one before any data (a retry with a new number) wins."""
    if half.latest is None:
        half.start = half.next = (seq + 1) & _MASK


def segment(half: Half, seq: int, data: bytes, missing: int, frame: int) -> None:
    """One segment's payload, with ``missing`` bytes cut off its end by the capture."""
    expected = half.next
    if seq == expected and not half.waiting and not missing:
        _deliver(half, data, frame)
        return
    if expected is None:
        expected = half.start = half.next = seq & _MASK
    ahead = (seq - expected) & _MASK
    if ahead:
        if ahead < _HALF:
            _hold(half, ahead, data)  # what was cut off is found missing when its turn comes
            if half.late > MAX_WAITING_BYTES or (half.waiting and len(half.waiting) > MAX_WAITING):
                skip(half, frame)
            return
        old = (-ahead) & _MASK
        if old == 1 == len(data):
            return  # a keep-alive, whose byte may be garbage (RFC 9293 section 3.8.4)
        _compare(half, seq, data)
        if old >= len(data):
            return
        data = data[old:]
    if half.waiting:
        _hold(half, 0, data)
        _drain(half, frame)
    else:
        _deliver(half, data, frame)
    if missing:
        _lose(half, expected + len(data) + missing, frame)


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
    if half.waiting and half.next is not None:
        expected = half.next
        _lose(half, expected + min((seq - expected) & _MASK for seq in half.waiting), frame)


def flush(flow: Flow, frame: int) -> None:
    """The end: everything that waits is delivered behind its gaps."""
    for half in flow.halves:
        while half.waiting and not flow.consumer.done:
            skip(half, frame)


def _deliver(half: Half, data: bytes, frame: int) -> None:
    """Give the consumer what continues the stream."""
    seq = half.next or 0
    half.next = (seq + len(data)) & _MASK
    half.previous, half.latest = half.latest, (seq, data)
    flow = half.flow
    flow.consumer.data(half.index, data, frame)
    if flow.conflict:
        flow.consumer.note(_CONFLICT)  # again: until now it may not have known that the connection matters


def _hold(half: Half, ahead: int, data: bytes) -> None:
    """Keep what is new of a segment: where bytes of it wait already, that first copy stays."""
    expected = half.next or 0
    if half.waiting is None:
        half.waiting = {}
    waiting = half.waiting
    end = ahead + len(data)
    known = sorted(
        (start, held)
        for seq, held in waiting.items()
        if (start := (seq - expected) & _MASK) < end and start + len(held) > ahead
    )
    for start, held in known:
        stop = start + len(held)
        first = max(start, ahead)
        if held[first - start : end - start] != data[first - ahead : stop - ahead]:
            _conflict(half)
        if ahead < start:
            _keep(half, expected + ahead, data[: start - ahead])
        data = data[stop - ahead :]
        ahead = stop
    if data:
        _keep(half, expected + ahead, data)


def _keep(half: Half, seq: int, data: bytes) -> None:
    if half.waiting is not None:
        half.waiting[seq & _MASK] = data
        half.late += len(data)
        half.flow.calm = False


def _drain(half: Half, frame: int) -> None:
    """Deliver what waits and now continues the stream."""
    waiting = half.waiting
    while waiting and half.next is not None and (data := waiting.pop(half.next, None)) is not None:
        half.late -= len(data)
        half.stale = 0
        _deliver(half, data, frame)


def _lose(half: Half, end: int, frame: int) -> None:
    """The bytes up to ``end`` will not come: gaps, but for those of which a copy waits."""
    while half.next is not None and 0 < (left := (end - half.next) & _MASK) < _HALF:
        expected = half.next
        size = min([left, *((seq - expected) & _MASK for seq in half.waiting or ())])
        half.next = (expected + size) & _MASK
        half.flow.consumer.gap(half.index, size, frame)
        _drain(half, frame)


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
        flow.conflict, flow.calm = True, False
        flow.consumer.note(_CONFLICT)
