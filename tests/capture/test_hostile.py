"""Damaged captures, and what is no capture: told in one line each, and whatever came before the damage is kept."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.run import Outcome, one_line, refused, run
from tests.report.made import ALERT, capture, conversation, hello_message, pcap, record

from . import hostile
from .test_files import block, described, enhanced, section

if TYPE_CHECKING:
    from pathlib import Path

SLOW = os.environ.get("TLSWIRE_SLOW") == "1"
CUTS, FLIPS = (hostile.CUTS, hostile.MUTANTS) if SLOW else (30, 4)
CAPTURES = hostile.captures(hostile.OWN) + hostile.captures(hostile.SHARED)
NAMES = (b"www.example.com", b"api.example.org", b"shop.example.net")
MADE = capture(NAMES)


def frames(name: bytes = NAMES[0], port: int = 443) -> list[bytes]:
    return conversation("10.0.0.1", "192.0.2.1", port, (0, record(22, hello_message(name))), (1, ALERT))


def names(outcome: Outcome) -> list[str]:
    return [json.loads(line)["server_name"] for line in outcome.raw.splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "given.pcap"


# Every capture


def test_the_third_party_captures_are_there() -> None:
    count = len(hostile.captures(hostile.SHARED))
    if not count and os.environ.get("TLSWIRE_REQUIRE_STACKS") != "1":
        pytest.skip("../shared/captures is not there")
    assert count == 68


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_cut_and_changed_captures_give_what_came_before_the_damage(path: Path) -> None:
    if path.suffix == ".zst":
        pytest.importorskip("zstandard", reason="the extra tlswire[zstd] is not installed")
    seen, _ = hostile.torture(path, CUTS, FLIPS)
    # Most places are inside a packet, where a cut is seen; small packets are mostly ends and beginnings.
    assert seen >= CUTS * 3 // 4


@pytest.mark.parametrize("form", ["pcap", "pcapng", "gzip"])
def test_every_cut_of_a_small_capture(form: str) -> None:
    packets = frames()
    data = {
        "pcap": pcap(*packets),
        "pcapng": section() + described() + b"".join(map(enhanced, packets)),
        "gzip": gzip.compress(pcap(*packets)),
    }[form]
    whole = hostile.read(data)
    assert len(whole.found) == 1
    for size in range(len(data)):
        hostile.check_cut(data, whole, size)
    # The alert is what ends the session: it is there as soon as its frame is, however much is missing behind it.
    cut = hostile.check_cut(data, whole, len(data) - 1)
    assert cut.found == whole.found


# What is said of it


def test_a_cut_capture_says_the_byte_and_the_frame(path: Path) -> None:
    path.write_bytes(MADE[:-7])
    outcome = run("pcap", path, "--jsonl", "-")
    assert outcome.code == 3
    assert len(names(outcome)) == 3
    assert one_line(outcome) == (
        f"{path}: cut short: ends at byte {len(MADE) - 7}, frame 24 needs {16 + 54} bytes, {16 + 54 - 7} left"
    )


def test_a_broken_block_costs_what_it_held(path: Path) -> None:
    packets = [packet for at, name in enumerate(NAMES) for packet in frames(name, 443 + at)]
    blocks = [enhanced(packet) for packet in packets]
    head = section() + described()
    # The second hello: the fourth frame of the second connection.
    at = len(head) + sum(map(len, blocks[:11]))
    blocks[11] = blocks[11][:4] + b"\xff\xff\xff\x7f" + blocks[11][8:]
    path.write_bytes(head + b"".join(blocks))
    outcome = run("pcap", path, "--jsonl", "-")
    assert outcome.code == 3
    assert names(outcome)[0] == "www.example.com"
    assert names(outcome)[-1] == "shop.example.net"
    assert one_line(outcome) == (
        f"{path}: block of length 2147483647 at byte {at}, after frame 11; {len(blocks[11])} bytes skipped"
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\xd4\xc3", "is no capture: begins with d4 c3"),
        (b"PK\x03\x04 a zip\x1b[2J", "is no capture: begins with 50 4b 03 04 20 61 20 7a"),
        (b"%PDF-1.7\n", "is no capture"),
        (gzip.compress(b""), "holds nothing"),
        (gzip.compress(b"text"), "is no capture: begins with 74 65 78 74"),
        (gzip.compress(MADE)[:10], "gzip data cut"),
        (b"\n\r\r\n\x1c\0\0\0" + bytes(20), "is no byte order mark of pcapng"),
    ],
    ids=["empty", "two bytes", "zip", "pdf", "gzip of nothing", "gzip of text", "gzip header", "pcapng without order"],
)
def test_what_is_no_capture_is_one_line(path: Path, data: bytes, says: str) -> None:
    path.write_bytes(data)
    line = refused(run("pcap", path))
    assert line.startswith(f"{path}: ")
    assert says in line


def test_unreadable_files_among_many_cost_only_themselves(tmp_path: Path) -> None:
    good = [tmp_path / f"{number}.pcap" for number in range(3)]
    for file in good:
        file.write_bytes(MADE)
    bad = {"empty": b"", "text": b"hello\n", "cut.gz": gzip.compress(MADE)[:20], "bomb": bytes(100)}
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    given = [good[0], *(tmp_path / name for name in bad), tmp_path / "missing", good[1], tmp_path, good[2]]
    for jobs in ("1", "2", "3"):
        outcome = run("pcap", *given, "--jsonl", "-", "--jobs", jobs)
        assert outcome.code == 2
        assert len(names(outcome)) == 9
        lines = outcome.err.splitlines()
        # The folder names the truncated file again, which is the same one; the others do not look like captures.
        assert len(lines) == len(bad) + 1
        assert all(line.startswith(f"tlswire: {tmp_path}/") and line.isprintable() for line in lines)


def test_a_truncated_gzip_keeps_what_it_gave(path: Path) -> None:
    packed = gzip.compress(MADE)
    path.write_bytes(packed[:-9])
    outcome = run("pcap", path, "--jsonl", "-")
    assert outcome.code == 3
    assert names(outcome)[:2] == ["www.example.com", "api.example.org"]
    assert "gzip data cut at byte " in one_line(outcome)


def test_a_truncated_zstd_keeps_what_it_gave(path: Path) -> None:
    zstandard = pytest.importorskip("zstandard", reason="the extra tlswire[zstd] is not installed")
    whole = zstandard.ZstdCompressor(write_checksum=True).compress(MADE)
    path.write_bytes(whole)
    assert names(run("pcap", path, "--jsonl", "-")) == [name.decode() for name in NAMES]
    path.write_bytes(whole[:-2])
    outcome = run("pcap", path, "--jsonl", "-")
    assert (outcome.code, len(names(outcome))) == (3, 3)
    assert f"zstd data cut at byte {len(MADE)}, after frame 24" in one_line(outcome)


def bomb(kind: str, size: int) -> bytes:
    """Packets of zeros behind a good session, far smaller than they are."""
    filler = struct.pack("<IIII", 1_700_000_100, 0, 1 << 18, 1 << 18) + bytes(1 << 18)
    count = size >> 18
    if kind == "zstd":
        library = pytest.importorskip("zstandard", reason="the extra tlswire[zstd] is not installed")
        packer = library.ZstdCompressor(level=3).compressobj()
        pieces = [packer.compress(MADE), *(packer.compress(filler) for _ in range(count)), packer.flush()]
        return b"".join(pieces)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as file:
        file.write(MADE)
        for _ in range(count):
            file.write(filler)
    return packed.getvalue()


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_bomb_is_stopped_in_little_memory(path: Path, kind: str) -> None:
    data = bomb(kind, 640 << 20)
    assert len(data) < 1 << 20
    path.write_bytes(data)
    tracemalloc.start()
    try:
        outcome = run("pcap", path, "--jsonl", "-")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert outcome.code == 3
    assert len(names(outcome)) == 3
    line = one_line(outcome)
    assert "taken for a decompression bomb, stopped at byte " in line
    # Twice the look-ahead and its pieces, whatever the size of the bomb.
    assert most < 16 << 20


# Link types


def test_an_unknown_link_type_is_named_and_counted_and_the_rest_goes_on(path: Path) -> None:
    packets = frames()
    data = section() + described(1) + described(147) + described(195)
    data += enhanced(b"\x01\x02\x03\x04", 1) * 3 + enhanced(bytes(40), 2)
    data += b"".join(map(enhanced, packets)) + block(0x7777, b"who") + enhanced(b"x", 1)
    path.write_bytes(data)
    outcome = run("pcap", path)
    text = outcome.raw.decode()
    assert outcome.code == 0
    assert "  1 session: 1 refused\n" in text
    assert "  4 frames not read: link type 147" in text
    assert "  1 frame not read: link type 195 (IEEE 802.15.4)" in text


def test_a_capture_of_nothing_but_an_unknown_link_type(path: Path) -> None:
    path.write_bytes(MADE[:20] + struct.pack("<I", 230) + MADE[24:])
    text = run("pcap", path).raw.decode()
    assert "no TLS, DTLS or QUIC session" in text
    assert "  24 frames not read: link type 230" in text


@pytest.mark.parametrize("cut", [1, 12, 13, 14, 20, 33, 34, 40, 53])
def test_packets_cut_anywhere_are_counted_or_read(path: Path, cut: int) -> None:
    packets = frames()
    path.write_bytes(pcap(*(packet[:cut] for packet in packets)))
    outcome = run("pcap", path)
    assert outcome.code == 0
    assert "no TLS, DTLS or QUIC session" in outcome.raw.decode()


def test_names_of_files_reach_stderr_escaped(tmp_path: Path) -> None:
    evil: Any = tmp_path / "evil\x1b]0;x\x07\n.pcap"
    evil.write_bytes(MADE[:-3])
    assert "evil\\x1b]0;x\\x07\\n.pcap: cut short" in one_line(run("pcap", evil, "--csv", "-"))
    evil.write_bytes(b"junk")
    assert "evil\\x1b]0;x\\x07\\n.pcap: is no capture" in refused(run("pcap", evil))
