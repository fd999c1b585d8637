"""scapy as its documentation has it: sniff a file with TCPSession and the TLS layer; counts ClientHellos."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from scapy.layers.tls.all import TLS, TLSClientHello
from scapy.main import load_layer
from scapy.sendrecv import sniff
from scapy.sessions import TCPSession

if TYPE_CHECKING:
    from scapy.packet import Packet


def hellos(packet: Packet) -> int:
    found = 0
    layer = packet.getlayer(TLS)
    while layer is not None:
        found += sum(isinstance(message, TLSClientHello) for message in layer.msg)
        layer = layer.payload.getlayer(TLS)
    return found


if __name__ == "__main__":
    counts: list[int] = []
    load_layer("tls")
    sniff(offline=sys.argv[1], session=TCPSession, prn=lambda packet: counts.append(hellos(packet)), store=False)
    print(sum(counts))
