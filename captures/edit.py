"""Transformations of TCP itself: what networks and capture points do to segments, and records as no stack cuts them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from captures.packets import ACK, FIN, PSH, SYN, Packet, Segment, Transformation, frames, pcap, recorded, segments

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "tls12-ecdhe"
_STEP = 1000  # nanoseconds between segments that were one


def _base() -> list[Segment]:
    return segments(recorded(BASE))


def _split(segment: Segment, size: int) -> list[Segment]:
    """A segment in pieces."""
    return [
        segment._replace(
            time=segment.time + at // size * _STEP, seq=segment.seq + at, payload=segment.payload[at : at + size]
        )
        for at in range(0, len(segment.payload), size)
    ] or [segment]


def _is_hello(segment: Segment) -> bool:
    return segment.payload[:1] == b"\x16" and segment.payload[5:6] == b"\x01"


def _is_answer(segment: Segment) -> bool:
    return segment.payload[:1] == b"\x16" and segment.payload[5:6] == b"\x02"


def _each(change: Callable[[Segment], list[Segment]]) -> bytes:
    return pcap(frames(piece for segment in _base() for piece in change(segment)))


def _twice(segment: Segment) -> list[Segment]:
    return [segment, segment._replace(time=segment.time + _STEP)] if segment.payload else [segment]


def _shuffled(segment: Segment) -> list[Segment]:
    pieces = _split(segment, 90)
    times = [piece.time for piece in pieces]
    return [piece._replace(time=time) for piece, time in zip(reversed(pieces), times, strict=True)]


def _answer_first() -> bytes:
    """The capture point saw the server's flight before the hello it answers."""
    chain = _base()
    hello = next(at for at, segment in enumerate(chain) if _is_hello(segment))
    answer = next(at for at, segment in enumerate(chain) if _is_answer(segment))
    chain[hello], chain[answer] = (
        chain[answer]._replace(time=chain[hello].time),
        chain[hello]._replace(time=chain[answer].time),
    )
    return pcap(frames(chain))


def _conflict(segment: Segment) -> list[Segment]:
    """Bytes that were there already come again, other than they were: what came first is what the server read."""
    if not _is_hello(segment):
        return [segment]
    first, *rest = _split(segment, 200)
    liar = first._replace(time=first.time + 10, seq=first.seq + 100, payload=b"\xee" * 100)
    return [first, liar, *rest]


def _without_syn(segment: Segment) -> list[Segment]:
    return [] if segment.flags & SYN else [segment]


def _hole(which: Callable[[Segment], bool], size: int, missing: int) -> Callable[[Segment], list[Segment]]:
    def change(segment: Segment) -> list[Segment]:
        if not which(segment):
            return [segment]
        return [piece for at, piece in enumerate(_split(segment, size)) if at != missing]

    return change


def _on_syn() -> bytes:
    """TCP Fast Open (RFC 7413): the hello travels with the SYN, and the server acknowledges it with its own."""
    chain = _base()
    hello = next(segment for segment in chain if _is_hello(segment))
    found = []
    for segment in chain:
        if segment is hello:
            continue
        if segment.flags & SYN and not segment.flags & ACK:
            found.append(segment._replace(payload=hello.payload))
        elif segment.flags & SYN:
            found.append(segment._replace(ack=segment.ack + len(hello.payload)))
        else:
            found.append(segment)
    return pcap(frames(found))


def _reuse() -> bytes:
    """Two connections of the same ports, one after the other."""
    first, second = _base(), segments(recorded("tls13"))
    port, shift = first[0].sport, first[-1].time + 10**9 - second[0].time
    old = second[0].sport
    moved = [
        segment._replace(
            time=segment.time + shift,
            sport=port if segment.sport == old else segment.sport,
            dport=port if segment.dport == old else segment.dport,
        )
        for segment in second
    ]
    return pcap(frames(first + moved))


def _keep_alives(segment: Segment) -> list[Segment]:
    """One byte before the next, of no meaning (RFC 9293 section 3.8.4), and none at all."""
    if not segment.payload:
        return [segment]
    probe = segment._replace(seq=segment.seq - 1, flags=ACK, payload=b"\0")
    empty = probe._replace(time=segment.time + 1, payload=b"")
    return [probe, empty, segment._replace(time=segment.time + 2)]


def _wrapped() -> bytes:
    """Both sequence numbers pass 2^32 in the middle of the first flights."""
    chain = _base()
    client, server = chain[0].sport, chain[0].dport
    hello = next(segment for segment in chain if _is_hello(segment))
    answer = next(segment for segment in chain if _is_answer(segment))
    shift = {client: -hello.seq - 100, server: -answer.seq - 500}
    found = []
    for segment in chain:
        moved = segment._replace(seq=(segment.seq + shift[segment.sport]) % 2**32)
        if segment.flags & ACK:
            moved = moved._replace(ack=(segment.ack + shift[segment.dport]) % 2**32)
        found += _split(moved, 300)
    return pcap(frames(found))


def _single_bytes(segment: Segment) -> list[Segment]:
    """The hello and the first 200 bytes of its answer, a byte at a time."""
    if _is_hello(segment):
        return _split(segment, 1)
    if _is_answer(segment):
        head = segment._replace(payload=segment.payload[:200])
        rest = segment._replace(time=segment.time + 200 * _STEP, seq=segment.seq + 200, payload=segment.payload[200:])
        return [*_split(head, 1), rest]
    return [segment]


def _conversation(change: Callable[[bytes], bytes]) -> bytes:
    """The same bytes, those of handshake flights changed, in a connection built anew: sequence numbers follow."""
    chain = _base()
    client = chain[0].sport
    following = {client: 1000, chain[0].dport: 500000}
    found = []
    for segment in chain:
        payload = change(segment.payload) if _is_hello(segment) or _is_answer(segment) else segment.payload
        other = segment.dport
        seq = following[segment.sport]
        moved = segment._replace(seq=seq, payload=payload, ack=following[other] if segment.flags & ACK else 0)
        following[segment.sport] = moved.end
        found += _split(moved, 1400)
    return pcap(frames(found))


def _small_records(size: int) -> Callable[[bytes], bytes]:
    """Handshake records of at most ``size`` bytes."""

    def change(payload: bytes) -> bytes:
        out = []
        while payload:
            length = int.from_bytes(payload[3:5], "big")
            head, body, payload = payload[:3], payload[5 : 5 + length], payload[5 + length :]
            out += [
                head + struct.pack(">H", len(body[at : at + size])) + body[at : at + size]
                for at in range(0, length, size)
            ]
        return b"".join(out)

    return change


def _one_record(payload: bytes) -> bytes:
    """All messages of a flight in one record."""
    body = b""
    head = payload[:3]
    while payload:
        length = int.from_bytes(payload[3:5], "big")
        body, payload = body + payload[5 : 5 + length], payload[5 + length :]
    return head + struct.pack(">H", len(body)) + body


def _side(*, client: bool) -> bytes:
    chain = _base()
    return pcap(frames(segment for segment in chain if (segment.sport == chain[0].sport) == client))


def _unfinished(segment: Segment) -> list[Segment]:
    return [segment._replace(flags=segment.flags & ~FIN | PSH)] if segment.flags & FIN else [segment]


def _strangers() -> bytes:
    """Segments of other connections, of nobody, and frames that are no IP, between those of ours."""
    found = []
    for number, packet in enumerate(recorded(BASE)):
        arp = b"\xff" * 6 + b"\2\0\0\0\0\1" + b"\x08\x06" + bytes.fromhex("0001080006040001") + bytes(20)
        segment = segments([packet])[0]
        other = segment._replace(sport=9, dport=9, payload=b"\x16\x03\x01 not TLS at all", seq=number)
        found += [Packet(packet.time, arp), packet, *frames([other])]
    return pcap(found)


_GONE = {"certificates": ..., "outcome": ..., "group": ..., "alpn": ..., "resumed": ..., "not_resumed": True}
_BASES = (BASE,)

TRANSFORMATIONS: tuple[Transformation, ...] = (
    Transformation("tcp-retransmitted.pcap", "every segment with data twice", _BASES, lambda: _each(_twice)),
    Transformation(
        "tcp-out-of-order.pcap", "segments of 90 bytes, each flight backwards", _BASES, lambda: _each(_shuffled)
    ),
    Transformation("tcp-answer-first.pcap", "the answer stands before the hello", _BASES, _answer_first),
    Transformation(
        "tcp-overlap.pcap",
        "bytes of the hello come again with other content",
        _BASES,
        lambda: _each(_conflict),
        {"noted": True},
    ),
    Transformation(
        "tcp-no-syn.pcap",
        "the capture begins after SYN and SYN-ACK",
        _BASES,
        lambda: _each(_without_syn),
        {"start": ...},
    ),
    Transformation(
        "tcp-hole-certificate.pcap",
        "a segment inside Certificate is missing",
        _BASES,
        lambda: _each(_hole(_is_answer, 300, 1)),
        _GONE | {"alpn": "h2", "noted": True},
    ),
    Transformation(
        "tcp-hole-hello.pcap",
        "a segment inside the ClientHello is missing",
        _BASES,
        lambda: _each(_hole(_is_hello, 100, 1)),
        {"server_name": ..., "outcome": ..., "partial": True, "noted": True},
    ),
    Transformation(
        "tcp-hole-end-of-hello.pcap",
        "the last segment of the ClientHello is missing",
        _BASES,
        lambda: _each(_hole(_is_hello, 250, 1)),
        {"outcome": ..., "partial": True},
    ),
    Transformation("tcp-data-on-syn.pcap", "TCP Fast Open", _BASES, _on_syn),
    Transformation("tcp-port-reuse.pcap", "two connections of the same ports", (BASE, "tls13"), _reuse, {"start": ...}),
    Transformation(
        "tcp-keep-alives.pcap",
        "keep-alives of one byte and of none before all data",
        _BASES,
        lambda: _each(_keep_alives),
    ),
    Transformation(
        "tcp-sequence-wrap.pcap", "sequence numbers pass 2^32 inside hello and certificate", _BASES, _wrapped
    ),
    Transformation("tcp-single-bytes.pcap", "hello and answer a byte at a time", _BASES, lambda: _each(_single_bytes)),
    Transformation("tcp-unfinished.pcap", "no FIN", _BASES, lambda: _each(_unfinished)),
    Transformation(
        "tcp-client-only.pcap",
        "only what the client said",
        _BASES,
        lambda: _side(client=True),
        _GONE | {"version": None, "suite": None},
    ),
    Transformation(
        "tcp-server-only.pcap",
        "only what the server said",
        _BASES,
        lambda: _side(client=False),
        {"server_name": None, "hellos": 0, "outcome": ..., "start": ...},
    ),
    Transformation("tcp-strangers.pcap", "ARP and segments of others in between", _BASES, _strangers),
    Transformation("records-10.pcap", "records of 10 bytes", _BASES, lambda: _conversation(_small_records(10))),
    Transformation("records-1.pcap", "records of one byte", _BASES, lambda: _conversation(_small_records(1))),
    Transformation(
        "records-one.pcap", "all messages of a flight in one record", _BASES, lambda: _conversation(_one_record)
    ),
)
