"""What tlswire reads of third-party captures equals what tshark reads, but for written reasons; and what tshark misses.

The captures lie beside the project, in ``../shared``. CI has them: there a missing capture is a failure.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import pytest

import tlswire
from tests.capture.fidelity import DEVIATIONS, SHARED, captures, compare, read

if TYPE_CHECKING:
    from pathlib import Path

FOXIO, SYNTHETIC, WIRESHARK, ZEEK = (
    "FoxIO-LLC+ja4/pcap",
    "synthetic-apple",
    "wireshark-4.0.17/test/captures",
    "zeek+zeek/testing/btest/Traces",
)

pytestmark = pytest.mark.skipif(
    not SHARED.exists() and "TLSWIRE_REQUIRE_STACKS" not in os.environ, reason="../shared is not there"
)


def find(end: str) -> str:
    return next(name for name in captures() if name.endswith(end))


def test_all_captures_are_there() -> None:
    assert len(captures()) == 68


@pytest.mark.parametrize("name", captures())
def test_every_value_is_tsharks_or_differs_for_a_written_reason(name: str) -> None:
    _, differences = compare(name)
    assert [item for item in differences if not item.reason] == []


def test_every_written_reason_is_needed() -> None:
    used = {item.reason for name in captures() for item in compare(name)[1]}
    assert {text for text, _ in DEVIATIONS} - used == set()


def test_hellos_in_ten_byte_records_are_a_thousand() -> None:
    sessions = read(find("tls-fragmented-handshakes.pcap.gz"))
    assert sum(len(session.hellos) for session in sessions) == 1000


def test_a_retry_is_one_session_with_two_hellos_and_says_why() -> None:
    (session,) = read(find("/hrr.pcap"))
    assert len(session.hellos) == 2
    assert [answer.kind for answer in session.server_hellos] == ["retry", "hello"]
    assert session.retry is not None
    assert session.retry.startswith("a key share of ")


def test_a_fragmented_dtls_hello_is_one() -> None:
    sessions = [
        session
        for name in captures()
        if "dtls" in name
        for session in read(name)
        if session.transport == "dtls" and "frag" in name
    ]
    assert sessions
    assert all(len(session.hellos) == 1 for session in sessions)


def test_hellos_in_sslv2_records_are_seen() -> None:
    forms = [
        (hello.record_version, hello.legacy_version)
        for name in captures()
        for session in read(name)
        for hello in session.hellos
        if hello.record_version == "0x0002"
    ]
    assert ("0x0002", "0x0002") in forms
    assert any(legacy > "0x0300" for _, legacy in forms)


def test_a_cut_hello_is_partial_and_has_no_fingerprint() -> None:
    hellos = [hello for session in read(f"{SYNTHETIC}/tls3-snap200.pcap") for hello in session.hellos]
    cut = [hello for hello in hellos if hello.partial]
    assert len(cut) >= 5
    assert all(hello.suites for hello in cut if hello.record_version != "0x0000")
    assert all(hello.ja4 is None and hello.ja3 is None for hello in cut)


@pytest.mark.parametrize("file", ["tls3-pktap-dlt149.pcap", "tls3-pktap-dlt258.pcap", "tls3-pktap-utun-raw.pcap"])
def test_sessions_of_a_packet_tap_name_their_process(file: str) -> None:
    sessions = read(f"{SYNTHETIC}/{file}")
    assert sum(len(session.hellos) for session in sessions) == 13
    assert all(session.process is not None and session.process.pid > 0 and session.process.name for session in sessions)


def test_a_capture_of_rvictl_that_says_ethernet_and_holds_bare_ip(tmp_path: Path) -> None:
    whole = read(f"{FOXIO}/tls3.pcapng")
    bare = tmp_path / "rvictl.pcap"
    bare.write_bytes(without_ethernet((SHARED / "captures" / FOXIO / "tls3.pcapng").read_bytes()))
    sessions = list(tlswire.sessions(bare))
    assert sum(len(session.hellos) for session in sessions) == 13
    assert [hello.ja4 for session in sessions for hello in session.hellos] == [
        hello.ja4 for session in whole for hello in session.hellos
    ]


def without_ethernet(pcapng: bytes) -> bytes:
    """A pcap that says Ethernet, of the IP packets of a little-endian pcapng of Ethernet."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    at = 0
    while at < len(pcapng):
        kind, size = struct.unpack_from("<II", pcapng, at)
        if kind == 6:
            _, high, low, captured, length = struct.unpack_from("<IIIII", pcapng, at + 8)
            frame = pcapng[at + 28 : at + 28 + captured]
            if frame[12:14] in {b"\x08\x00", b"\x86\xdd"}:
                seconds, micro = divmod(high << 32 | low, 10**6)
                out.append(struct.pack("<IIII", seconds, micro, captured - 14, length - 14) + frame[14:])
        at += size
    return b"".join(out)
