from __future__ import annotations

import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from tlswire.report.trace import Trace

if TYPE_CHECKING:
    from pathlib import Path

HELLO = bytes.fromhex("160301002d010000290303" + "00" * 32 + "00" + "0002c02f" + "0100")[:50]


@pytest.mark.parametrize(("client", "server"), [("127.0.0.1", "127.0.0.2"), ("::1", "::2")])
def test_hex_and_pcap(tmp_path: Path, client: str, server: str) -> None:
    with Trace(tmp_path / "trace", (server, 443), 0.0) as trace:
        for number in range(3):
            trace.add(
                "TLS 1.2 0xC02F",
                "alert:x",
                HELLO,
                b"\x15\x03\x03\x00\x02\x02\x28",
                started=number,
                elapsed=0.1,
                local=(client, 5000 + number),
            )
        trace.add("TLS 1.2 0xC030", "refused", HELLO, b"", started=9, elapsed=0.1, local=("", 0))
    files = sorted((tmp_path / "trace").glob("*.txt"))
    assert next(file.name for file in files) == "00001 TLS 1.2 0xC02F alert x.txt"
    assert len(files) == 4
    text = files[0].read_text(encoding="ascii")
    assert HELLO.hex(" ")[:60] in text
    assert "15 03 03 00 02 02 28" in text
    pcap = (tmp_path / "trace" / "scan.pcap").read_bytes()
    assert struct.unpack_from("<IHH", pcap) == (0xA1B2C3D4, 2, 4)


def test_tshark_finds_every_hello_and_no_bad_checksum(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark on PATH")
    long = bytes([0x16, 3, 1]) + struct.pack(">H", 16000) + bytes(16000)
    for client, server in (("127.0.0.1", "127.0.0.2"), ("::1", "::2")):
        with Trace(tmp_path / client.replace(":", "."), (server, 443), 0.0) as trace:
            trace.add("a", "b", HELLO, long * 2, started=0, elapsed=0.1, local=(client, 5000))
        command = [
            "tshark",
            "-r",
            str(tmp_path / client.replace(":", ".") / "scan.pcap"),
            "-o",
            "tcp.check_checksum:TRUE",
        ]
        fields = ["-T", "fields", "-e", "tls.handshake.type", "-e", "tcp.checksum.status", "-e", "_ws.malformed"]
        lines = subprocess.run([*command, *fields], capture_output=True, text=True, check=True).stdout.splitlines()
        assert sum(line.startswith("1\t") for line in lines) == 1
        assert {line.split("\t")[1] for line in lines} == {"1"}
