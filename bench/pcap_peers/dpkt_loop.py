"""What a program tuned by hand gets out of dpkt: its reader, byte slices after that, ClientHellos over TCP, JA3.

Segments that come in order are joined; no QUIC, no ServerHello, no certificate, no output but the counts.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from pathlib import Path

import dpkt

GREASE = frozenset(0x0A0A + 0x1010 * index for index in range(16))


def numbers(data: bytes) -> str:
    return "-".join([str(code) for code in struct.unpack(f">{len(data) // 2}H", data) if code not in GREASE])


def ja3(hello: bytes) -> str:
    """Of a ClientHello body without its handshake header."""
    at = 35 + hello[34]
    end = at + 2 + int.from_bytes(hello[at : at + 2])
    suites = hello[at + 2 : end]
    at = end + 1 + hello[end]
    end = at + 2 + int.from_bytes(hello[at : at + 2])
    at += 2
    codes, groups, formats = [], b"", b""
    while at + 4 <= end:
        code, length = struct.unpack_from(">HH", hello, at)
        body = hello[at + 4 : at + 4 + length]
        at += 4 + length
        if code not in GREASE:
            codes.append(str(code))
        if code == 10:
            groups = body[2:]
        elif code == 11:
            formats = body[1:]
    version = int.from_bytes(hello[:2])
    text = f"{version},{numbers(suites)},{'-'.join(codes)},{numbers(groups)},{'-'.join(map(str, formats))}"
    return hashlib.md5(text.encode()).hexdigest()


def main() -> None:
    waiting: dict[bytes, tuple[int, bytes]] = {}
    found = 0
    different = set()
    with Path(sys.argv[1]).open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            kind = frame[12:14]
            if kind == b"\x08\x00" and frame[23] == 6:
                start, end = 14 + (frame[14] & 15) * 4, 14 + int.from_bytes(frame[16:18])
                ends = frame[26:34]
            elif kind == b"\x86\xdd" and frame[20] == 6:
                start, end = 54, 54 + int.from_bytes(frame[18:20])
                ends = frame[22:54]
            else:
                continue
            payload = frame[start + (frame[start + 12] >> 4) * 4 : end]
            if not payload:
                continue
            flow = ends + frame[start : start + 4]
            sequence = int.from_bytes(frame[start + 4 : start + 8])
            if flow in waiting:
                expected, before = waiting[flow]
                if sequence != expected:
                    continue
                payload = before + payload
                sequence = expected - len(before)
            elif payload[0] != 22 or payload[1:2] != b"\x03" or payload[5:6] != b"\x01":
                continue
            if len(payload) < 9 or len(payload) < 9 + int.from_bytes(payload[6:9]):
                waiting[flow] = (sequence + len(payload)) & 0xFFFFFFFF, payload
                continue
            waiting.pop(flow, None)
            try:
                different.add(ja3(payload[9:]))
            except (struct.error, IndexError):
                continue
            found += 1
    print(found, len(different))


if __name__ == "__main__":
    main()
