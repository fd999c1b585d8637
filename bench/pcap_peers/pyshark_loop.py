"""pyshark as its documentation has it: a display filter and the fields of each packet; counts ClientHellos."""

from __future__ import annotations

import sys

import pyshark

if __name__ == "__main__":
    found = 0
    with pyshark.FileCapture(sys.argv[1], display_filter="tls.handshake.type", keep_packets=False) as capture:
        for packet in capture:
            for layer in packet.layers:
                found += bool(getattr(layer, "handshake_ja3", None))
    print(found)
