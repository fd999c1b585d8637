"""Packets in, sessions out: the walk over a capture.

The loop of ``Streams.follow`` is the hot path of the project: Ethernet with plain IPv4 is taken apart in place by one
``struct`` call, a flow whose handshake is over costs two look-ups and a skip, everything else is peeled by
``capture.links``. Must not import anything of tlswire but ``capture``.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from tlswire.capture.flows import BUCKETS, SKIP, Flows, bucket_of
from tlswire.capture.links import Peeler
from tlswire.capture.tunnels import OVER_UDP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.capture.assemble import Found
    from tlswire.capture.decrypted import Secrets
    from tlswire.capture.files import Capture
    from tlswire.capture.live import LiveCapture
    from tlswire.capture.stretch import Interface
    from tlswire.capture.udp import UdpFlow

_PLAIN = b"\x08\x00\x45"  # the type of IPv4, its version and a header without options
_SHORTEST = 54  # Ethernet, IPv4 and TCP
# Behind _PLAIN: total length, sequence, acknowledgement, data offset.
_REST = struct.Struct(">H20xIIB")
# Where the payload is behind the beginning of Ethernet, by the byte with TCP's data offset.
_BODIES = tuple(34 + (offset >> 4 << 2) for offset in range(256))
# Type of Ethernet, version, payload length, next header, addresses and ports of IPv6.
_IPV6 = struct.Struct(">2sB3xHBx36s")
_TYPE6 = b"\x86\xdd"
_TCP = struct.Struct(">IIBB")

_MOST_FOREIGN = 1 << 14
_TUNNEL_PORTS = frozenset(port.to_bytes(2, "big") for port in OVER_UDP)


class Streams(Flows):
    """The flows of one capture and the walk over its packets. ``mine`` are the buckets this process looks after."""

    def __init__(self, capture: str, mine: frozenset[int] | None = None, secrets: Secrets | None = None) -> None:
        self._peeler = Peeler()
        super().__init__(capture, self._peeler.ignored, secrets)
        self._mine = mine

    # Branches are spelled out: a call a packet would cost more than what most packets need.
    def follow(self, capture: Capture | LiveCapture) -> Iterator[Found]:  # noqa: C901, PLR0912, PLR0915 - as said above
        """Sessions as they are complete; those still open at the end come last, in the order they began."""
        tcp, udp, done, ready, mine = self._tcp, self._udp, self._done, self._ready, self._mine
        rest, bodies, tunnel_ports, short = _REST.unpack_from, _BODIES, _TUNNEL_PORTS, struct.error
        foreign: list[bytes] = []  # keys of other processes' flows that stand in ``done``
        for stretch in capture.stretches():
            unpack, buffer, header, whole = stretch.unpack, stretch.buffer, stretch.header, stretch.whole
            at, limit, interface = stretch.at, stretch.limit, stretch.interface
            plain = _PLAIN if interface.linktype == 1 else b""
            for frame in stretch.frames:
                try:
                    high, low, length, head, fragment, protocol, key, flags = unpack(buffer, at)
                except short:
                    break
                start = at + header
                at = start + length  # the end of the packet
                if at > limit:
                    at = start - header
                    break
                if head != plain or fragment & whole or length < _SHORTEST:
                    self._other(buffer, start, at, (frame, high, low, interface))
                elif protocol == 6:
                    if key in done and not flags & 7:
                        continue
                    half = tcp.get(key)
                    if (
                        half is None
                        and mine is not None
                        and ((folded := key[3] ^ key[7] ^ key[9] ^ key[11]) ^ folded >> 5) % BUCKETS not in mine
                    ):
                        # bucket_of(key), in place; the next packet of it costs a look-up only.
                        done.add(key)
                        foreign.append(key)
                        if len(foreign) > _MOST_FOREIGN:
                            done.difference_update(foreign)
                            foreign.clear()
                        continue
                    total, seq, ack, offset = rest(buffer, start + 16)
                    body = start + bodies[offset]
                    if total == length - 14 or not total:
                        stop, missing = at, 0
                    else:
                        stop = start + 14 + total
                        missing = max(stop - max(body, at), 0)
                        stop = min(stop, at)
                    if body < stop or missing or flags & 7:
                        first = (frame, high, low, interface)
                        self._segment(half, key, seq, ack, flags, buffer[body:stop], missing, first, None)
                    elif half is not None and not half.flow.calm:
                        self._acknowledged(half, ack, frame)
                    else:
                        continue
                elif protocol == 17:
                    flow = udp.get(key)
                    if flow is not None and flow.told and buffer[start + 42] not in flow.openings:
                        continue  # its first byte behind Ethernet, IPv4 and UDP
                    if flow is None and (key[-2:] in tunnel_ports or key[-4:-2] in tunnel_ports):
                        self._other(buffer, start, at, (frame, high, low, interface))
                    elif flow is not None or mine is None or bucket_of(key) in mine:
                        total = rest(buffer, start + 16)[0]
                        stop = start + 14 + total if total else at
                        self._udp_in(flow, key, buffer, start + 34, stop, at, (frame, high, low, interface))
                else:
                    self._other(buffer, start, at, (frame, high, low, interface))
                if ready:
                    if len(ready) > 1:
                        ready.sort(key=_order)
                    stretch.frame = frame
                    yield from ready
                    ready.clear()
            else:
                frame += 1
            stretch.at, stretch.frame = at, frame - 1  # that frame has yet to come
        yield from self.finish(capture.frames + 1)

    def _udp_in(
        self,
        flow: UdpFlow | None,
        key: bytes,
        buffer: bytes,
        at: int,
        stop: int,
        end: int,
        first: tuple[int, int, int, Interface],
    ) -> None:
        """The datagram whose UDP header is ``at``, up to ``stop`` as IP says, of which all before ``end`` was captured."""
        length = int.from_bytes(buffer[at + 4 : at + 6], "big")
        if 8 <= length < stop - at:
            stop = at + length
        at += 8
        missing = max(stop - end, 0)
        stop = min(stop, end)
        if at < stop and (flow is None or not flow.told or buffer[at] in flow.openings):
            self._datagram(flow, key, buffer, at, stop, missing, first, None)

    def _other(self, buffer: bytes, start: int, end: int, first: tuple[int, int, int, Interface]) -> None:
        """Any packet that is not plain IPv4 in Ethernet: IPv6 in place, everything else from ``capture.links``."""
        if first[3].linktype == 1 and end - start >= 74:
            kind, version, total, protocol, key = _IPV6.unpack_from(buffer, start + 12)
            if kind == _TYPE6 and version >> 4 == 6:
                stop = start + 54 + total if total else end
                if protocol == 6:
                    at = start + 54
                    self._peeled((6, key, buffer, at, min(stop, end), max(stop - end, 0), None), first)
                    return
                flow = self._udp.get(key) if protocol == 17 else None
                tunnel = flow is None and (key[-2:] in _TUNNEL_PORTS or key[-4:-2] in _TUNNEL_PORTS)
                if protocol == 17 and not tunnel:
                    if flow is not SKIP and (flow is not None or self._mine is None or bucket_of(key) in self._mine):
                        self._udp_in(flow, key, buffer, start + 54, stop, end, first)
                    return
        segment = self._peeler.peel(first[3].linktype, buffer, start, end)
        if segment is not None:
            self._peeled(segment, first)

    def _peeled(self, segment: Any, first: tuple[int, int, int, Interface]) -> None:
        """What ``capture.links`` found in a packet."""
        protocol, key, buffer, at, stop, missing, origin = segment
        if self._mine is not None and bucket_of(key) not in self._mine:
            return
        if protocol == 6:
            half = self._tcp.get(key)
            seq, ack, offset, flags = _TCP.unpack_from(buffer, at + 4)
            if half is None and key in self._done and not flags & 7:
                return
            at += (offset >> 4) << 2
            missing -= min(max(at - stop, 0), missing)  # of the header
            if at >= stop and not missing and not flags & 7:
                if half is not None and not half.flow.calm:
                    self._acknowledged(half, ack, first[0])
                return
            self._segment(half, key, seq, ack, flags, buffer[at:stop], missing, first, origin)
        elif at + 8 < stop:
            flow = self._udp.get(key)
            if flow is not SKIP:
                self._datagram(flow, key, buffer, at + 8, stop, missing, first, origin)


def _order(found: Found) -> tuple[int, int]:
    return found.order
