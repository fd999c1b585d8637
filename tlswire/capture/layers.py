"""What the layers below TCP and UDP share: the packet being peeled, and how one layer names the next.

A layer is a function that takes a ``Packet``, moves it behind its own header, and returns the key of the next layer, a
table and a number: what a header says of its payload is just that. ``None`` ends the peeling, with ``packet.reason``
set where the packet holds no segment. A header that is cut short raises IndexError or struct.error, which
``capture.links`` counts. Must not import anything of tlswire.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec

# The tables of keys: link types, Ethernet types, IP protocols, PPP protocols.
LINK, ETHERTYPE, IP, PPP = range(4)

ETHERNET = (LINK, 1)
PPP_FRAME = (LINK, 9)
BARE_IP = (LINK, 101)
IPV4 = (ETHERTYPE, 0x0800)
IPV6 = (ETHERTYPE, 0x86DD)

Key = tuple[int, int]

# Tunnels within tunnels; deeper ones are an attack on readers.
MAX_TUNNELS = 8


class Origin(msgspec.Struct, frozen=True):
    """Where a segment came from: the tunnels around it, outermost first, and the process Apple's PKTAP names."""

    tunnel: str | None = None
    pid: int | None = None
    process: str | None = None


@lru_cache(maxsize=1024)
def origin(tunnel: str | None, pid: int | None, process: str | None) -> Origin:
    """The one value of these facts."""
    return Origin(tunnel, pid, process)


class Packet(msgspec.Struct, eq=False, gc=False):
    """``buffer[at:end]`` is what is left to peel; ``missing`` bytes behind ``end`` were not captured."""

    buffer: bytes
    at: int
    end: int
    missing: int = 0
    padded: bool = False  # 802.11 headers may be filled up to a multiple of four
    addresses: bytes = b""
    key: bytes = b""  # addresses and ports
    protocol: int = 0  # 6 or 17 once a segment is reached
    tunnels: tuple[str, ...] = ()
    pid: int | None = None
    process: str | None = None
    reason: str | None = None

    def tunnel(self, name: str, header: int, key: Key) -> Key | None:
        """What follows a tunnel's ``header`` bytes."""
        if len(self.tunnels) == MAX_TUNNELS:
            return self.ignore(f"more than {MAX_TUNNELS} tunnels in one another")
        self.tunnels += (name,)
        self.at += header
        return key

    def ignore(self, reason: str) -> Key | None:
        """The packet holds nothing for us."""
        self.reason = reason
        return None


Layer = Callable[[Packet], Key | None]


def nibble(packet: Packet, offset: int = 0) -> Key | None:
    """IPv4 or IPv6 as the first four bits say (RFC 791, RFC 8200); None for neither."""
    return _VERSIONS.get(packet.buffer[packet.at + offset] >> 4)


_VERSIONS: dict[int, Key] = {4: IPV4, 6: IPV6}


def bare_ip(packet: Packet) -> Key | None:
    """A packet that is IP without more ado."""
    key = _VERSIONS.get(packet.buffer[packet.at] >> 4)
    return key or packet.ignore("neither IPv4 nor IPv6 behind a header that promises IP")
