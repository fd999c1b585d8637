"""Packets from a network interface, through scapy's sockets: the face of a capture file, for as long as it is wanted.

Only bytes are taken from scapy, nothing is dissected by it; it is imported when the first interface is opened. Must not
import anything of tlswire but ``errors`` and ``capture.stretch``.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import struct
import time
import warnings
from typing import TYPE_CHECKING, Any, Self

from tlswire.capture.stretch import Interface, Stretch, each_packet
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.capture.stretch import Packet

# How often the end is looked for while nothing comes.
_PATIENCE = 0.2
_LONGEST = 1 << 18
_BUFFER = 1 << 24
# linux/if_packet.h: what getsockopt tells of packets that found the buffer full.
_SOL_PACKET, _PACKET_STATISTICS = 263, 6

# scapy's class of the first layer -> LINKTYPE (draft-ietf-opsawg-pcaplinktype).
_LINKTYPES = {
    "Ether": 1,
    "Dot3": 1,
    "PPP": 9,
    "Loopback": 0,
    "IP": 101,
    "IPv6": 101,
    "Dot11": 105,
    "CookedLinux": 113,
    "RadioTap": 127,
    "CookedLinuxV2": 276,
}


class LiveCapture:
    """An open interface; iterate ``packets`` once. Raises UsageError where it cannot be opened."""

    def __init__(self, name: str, stop: Callable[[], bool]) -> None:
        self.name = name
        self.size = 0
        self.position = 0
        self._stretch = Stretch()
        self.damage: list[str] = []
        self.secrets: list[tuple[int, bytes]] = []
        self._stop = stop
        self._socket = _opened(name)
        self._closed = False

    @property
    def frames(self) -> int:
        """Packets received so far."""
        return self._stretch.frame

    def packets(self) -> Iterator[Packet]:
        """As ``files.Capture.packets``: what comes in and goes out until ``stop`` says so."""
        return each_packet(self.stretches())

    def stretches(self) -> Iterator[Stretch]:
        """As ``files.Capture.stretches``."""
        stretch = self._stretch
        interfaces: dict[Any, Interface] = {}
        receive, select = self._socket.recv_raw, self._socket.select
        while not self._stop():
            try:
                if not select([self._socket], _PATIENCE):
                    continue
                layer, data, moment = receive(_LONGEST)
            except OSError as error:
                self.damage.append(f"{self.name}: {error.strerror or error}, after frame {self.frames}")
                return
            if not data:
                continue
            interface = interfaces.get(layer)
            if interface is None:
                interface = interfaces[layer] = Interface(_linktype(self.name, layer), self.name)
            seconds = float(moment or time.time())
            self.position += len(data)
            stretch.interface = interface
            stretch.alone(data, int(seconds), int(seconds % 1 * 10**6))
            yield stretch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._closed:
            self._closed = True
            self._count_drops()
            self._socket.close()

    def close(self) -> None:
        """Close the interface; ``damage`` says how many packets were lost."""
        self.__exit__()

    def _count_drops(self) -> None:
        with contextlib.suppress(OSError, AttributeError, struct.error):
            _, dropped = struct.unpack("=II", self._socket.ins.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
            if dropped:
                self.damage.append(f"{self.name}: {dropped} packets were dropped because they came too fast")


def live_packets(name: str, stop: Callable[[], bool]) -> Iterator[Packet]:
    """The packets of an interface until ``stop()``, as ``files.Capture.packets`` gives them. Raises UsageError."""
    with LiveCapture(name, stop) as capture:
        yield from capture.packets()


def interface_names() -> list[str]:
    """The interfaces there are. Raises UsageError without scapy."""
    _scapy()
    return sorted(importlib.import_module("scapy.interfaces").get_if_list())


def _linktype(name: str, layer: Any) -> int:
    kind = getattr(layer, "__name__", str(layer))
    try:
        return _LINKTYPES[kind]
    except KeyError:
        raise UsageError(name, f"its link layer {kind} is none that can be read here") from None


def _opened(name: str) -> Any:
    conf = _scapy()
    known = interface_names()
    if name not in known:
        raise UsageError(repr(name), f"no such interface; there are {', '.join(known) or 'none'}")
    try:
        conf.bufsize = max(conf.bufsize, _BUFFER)
        return conf.L2listen(iface=name)
    except PermissionError:
        raise UsageError(name, _FORBIDDEN) from None
    except (OSError, ValueError, importlib.import_module("scapy.error").Scapy_Exception) as error:
        # On other systems than Linux only the text says what is wrong.
        text = " ".join(str(error).split()) or type(error).__name__
        if "permission" in text.lower() or "not permitted" in text.lower():
            raise UsageError(name, _FORBIDDEN) from None
        raise UsageError(name, f"cannot be opened: {text}") from None


_FORBIDDEN = "capturing is not permitted: run this with sudo, or record with `tcpdump -w FILE` and read the file with `tlswire pcap`"


def _scapy() -> Any:
    """The configuration of scapy, with the link layers it knows."""
    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for module in ("arch", "layers.l2", "layers.inet", "layers.inet6"):
                importlib.import_module(f"scapy.{module}")
            return importlib.import_module("scapy.config").conf
    except ImportError as error:
        raise UsageError("live", f"needs scapy ({error}): pip install 'tlswire[live]'") from None
