"""Containers of packets: every feature by our own builders, every byte cut or flipped, and tshark's opinion."""

from __future__ import annotations

import builtins
import gzip
import importlib
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.capture import compressed, files
from tlswire.capture.files import MAX_DAMAGE, MAX_SECRETS, Interface, find_captures, is_capture, open_capture
from tlswire.errors import UsageError

LAWS = settings(max_examples=150, deadline=None, database=None, derandomize=True)
SHARED = Path(__file__).parents[3] / "shared" / "captures"
# What is stored beside captures and is none.
BESIDE = {".md", ".txt", ".keys", ".keylog", ".json", ".log", ".yaml", ".py", ".csv"}
FOREIGN = sorted(path for path in SHARED.rglob("*") if path.is_file() and path.suffix not in BESIDE)
NOW = 1_700_000_000


class Read(NamedTuple):
    packets: list[tuple[int, float, bytes, int]]  # frame, time, data, link type
    damage: list[str]
    frames: int
    secrets: list[tuple[int, bytes]]
    interfaces: list[Interface]

    @property
    def data(self) -> list[bytes]:
        return [packet[2] for packet in self.packets]


def read(source: bytes | str | Path | Any) -> Read:
    with open_capture(io.BytesIO(source) if isinstance(source, bytes) else source) as capture:
        packets, interfaces = [], []
        for frame, high, low, buffer, start, end, interface in capture.packets():
            assert 0 <= start <= end <= len(buffer)
            assert capture.frames == frame
            packets.append((frame, interface.time(high, low), buffer[start:end], interface.linktype))
            interfaces.append(interface)
        return Read(packets, capture.damage, capture.frames, capture.secrets, interfaces)


def record(data: bytes, order: str = "<", high: int = NOW, low: int = 5, extra: bytes = b"") -> bytes:
    return struct.pack(f"{order}IIII", high, low, len(data), len(data)) + extra + data


def pcap(records: bytes, order: str = "<", magic: int = 0xA1B2C3D4, linktype: int = 1, snaplen: int = 262144) -> bytes:
    return struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snaplen, linktype) + records


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str = "<", major: int = 1) -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, major, 0, -1), order)


def option(code: int, data: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(data)) + data + bytes(-len(data) % 4)


def described(linktype: int = 1, options: bytes = b"", order: str = "<", snaplen: int = 0) -> bytes:
    return block(1, struct.pack(f"{order}HHI", linktype, 0, snaplen) + options, order)


def enhanced(data: bytes, interface: int = 0, ticks: int = NOW * 10**6, order: str = "<", captured: int = -1) -> bytes:
    captured = len(data) if captured < 0 else captured
    fields = (interface, ticks >> 32, ticks & 0xFFFFFFFF, captured, len(data))
    return block(6, struct.pack(f"{order}IIIII", *fields) + data, order)


def many(count: int, size: int = 60, seed: int = 1) -> list[bytes]:
    dice = random.Random(seed)
    return [dice.randbytes(size) for _ in range(count)]


PACKETS = many(40)
PCAP = pcap(b"".join(record(data, high=NOW + at) for at, data in enumerate(PACKETS)))
PCAPNG = section() + described() + b"".join(map(enhanced, PACKETS))


class Trickle(io.RawIOBase):
    """A pipe that hands out few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step
        self.given = 0

    def read(self, _: int = -1) -> bytes:
        data = self._data.read(self._step)
        self.given += len(data)
        return data


class Failing(Trickle):
    def read(self, _: int = -1) -> bytes:
        data = super().read()
        if not data:
            raise OSError(5, "Input/output error")
        return data


# pcap


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "unit", "extra"), [(0xA1B2C3D4, 10**6, 0), (0xA1B23C4D, 10**9, 0), (0xA1B2CD34, 10**6, 8)]
)
def test_pcap_of_every_magic_and_order(order: str, magic: int, unit: int, extra: int) -> None:
    records = b"".join(record(data, order, extra=bytes(extra)) for data in (b"one", b"", b"three"))
    found = read(pcap(records, order, magic, linktype=113))
    assert found.packets == [(at + 1, NOW + 5 / unit, data, 113) for at, data in enumerate((b"one", b"", b"three"))]
    assert found.interfaces[0] == Interface(113, "", 262144, unit)
    assert not found.damage


def test_link_type_leaves_out_the_check_sequence_and_reserved_bits() -> None:
    assert read(pcap(record(b"x"), linktype=0x5400_0001)).packets[0][3] == 1


@pytest.mark.parametrize("size", [1 << 17, 1 << 18, (1 << 18) + 1, 3 << 20, 1 << 24])
@pytest.mark.parametrize("step", [None, 1 << 16])
def test_packets_longer_than_a_piece(size: int, step: int | None) -> None:
    sizes = [10, size, 20, size, 5]
    data = pcap(b"".join(record(bytes(length)) for length in sizes), snaplen=65535)
    found = read(Trickle(data, step) if step else data)
    assert [len(packet) for packet in found.data] == sizes
    assert not found.damage


@pytest.mark.parametrize("whole", [PCAP, PCAPNG, gzip.compress(PCAP)], ids=["pcap", "pcapng", "gzip"])
@pytest.mark.parametrize("step", [1, 7, 4096])
def test_any_split_of_the_input_gives_the_same(whole: bytes, step: int) -> None:
    assert read(Trickle(whole, step)).data == PACKETS


def test_a_record_cut_in_a_later_piece_ends() -> None:
    # A record whose header is in one piece and whose end is nowhere once made the walk wait for ever.
    data = pcap(record(bytes(60000)) * 10 + struct.pack("<IIII", NOW, 1, 9 << 20, 9 << 20) + bytes(600_000))
    found = read(data)
    assert len(found.packets) == 10
    assert found.damage == [
        f"capture: cut short: ends at byte {len(data)}, frame 11 needs {16 + (9 << 20)} bytes, 600016 left"
    ]


@pytest.mark.parametrize("length", [0xFFFFFFFF, (1 << 24) + 1, 1 << 23])
def test_a_length_that_lies_costs_only_its_packet(length: int) -> None:
    at = 24 + 76 * 10
    # Enough behind it that 8 MiB are there, and lead nowhere.
    data = PCAP[: at + 8] + struct.pack("<I", length) + PCAP[at + 12 :]
    data += record(PACKETS[0], high=NOW + 50) * ((9 << 20) // 76)
    found = read(data)
    assert found.data[:39] == PACKETS[:10] + PACKETS[11:]
    assert found.damage == [f"capture: packet of {length} bytes at byte {at}, after frame 10; 76 bytes skipped"]


def test_the_first_length_lies() -> None:
    found = read(PCAP[:32] + b"\xff" * 4 + PCAP[36:])
    assert found.data == PACKETS[1:]
    assert len(found.damage) == 1


def test_the_walk_goes_on_only_where_several_records_have_times_close_by() -> None:
    broken = record(b"x" * 50) + struct.pack("<IIII", NOW, 0, 0xFFFFFFFF, 0)
    far = b"".join(record(data, high=NOW + 10**6) for data in PACKETS)
    assert len(read(pcap(broken + far)).packets) == 1
    assert len(read(pcap(broken + record(b"x" * 50) + bytes(3))).packets) == 1
    assert len(read(pcap(broken + bytes(1 << 21) + record(b"x" * 50) * 9)).packets) == 1
    assert len(read(pcap(broken + record(b"x" * 50) * 9)).packets) == 10


@pytest.mark.parametrize("size", [4, 10, 23])
def test_a_pcap_header_cut_is_damage(size: int) -> None:
    found = read(PCAP[:size])
    assert found.packets == []
    assert found.damage == [
        f"capture: cut short: ends at byte {size} after frame 0, file header needs 24 bytes, {size} left"
    ]


# pcapng


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_of_both_orders_with_several_interfaces(order: str) -> None:
    offset = struct.pack(f"{order}q", -100)
    data = section(order)
    data += described(1, option(2, b"eth0", order) + option(9, b"\x09", order), order, 65535)
    data += described(101, option(9, b"\x8a", order) + option(14, offset, order) + option(2, b"tun", order), order)
    data += enhanced(b"abc", 0, 1_500_000_000, order) + enhanced(b"defgh", 1, 200 << 10 | 512, order)
    found = read(data)
    assert found.packets == [(1, 1.5, b"abc", 1), (2, 100.5, b"defgh", 101)]
    assert found.interfaces == [
        Interface(1, "eth0", 65535, 10**9, 0, halves=True),
        Interface(101, "tun", 0, 1 << 10, -100, halves=True),
    ]
    assert not found.damage


def test_sections_have_their_own_order_and_interfaces() -> None:
    data = section() + described(1) + described(2) + enhanced(b"a", 1)
    data += section(">") + described(3, order=">") + enhanced(b"b", 0, order=">") + enhanced(b"c", 1, order=">")
    found = read(data)
    assert [(frame, packet, linktype) for frame, _, packet, linktype in found.packets] == [(1, b"a", 2), (2, b"b", 3)]
    where = len(data) - len(enhanced(b"c"))
    assert found.damage == [
        f"capture: packet of interface 1, which is not described, at byte {where}, frame 3",
    ]
    assert found.frames == 3


def test_simple_and_obsolete_packet_blocks() -> None:
    data = section() + described(1, snaplen=8)
    data += block(3, struct.pack("<I", 5) + b"hello")
    data += block(3, struct.pack("<I", 50) + b"12345678")
    data += block(2, struct.pack("<HHIIII", 0, 9, 0, 2_000_000, 3, 3) + b"old")
    found = read(data)
    assert found.packets == [(1, 0.0, b"hello", 1), (2, 0.0, b"12345678", 1), (3, 2.0, b"old", 1)]
    assert not found.damage


def test_what_is_no_packet_is_skipped_and_frames_are_numbered_as_tshark_does() -> None:
    # tshark numbers custom blocks, journal entries and sysdig events; names, statistics and unknown blocks it does not.
    data = section() + described()
    for kind in (4, 5, 0x7777, 0xBAD, 0x40000BAD, 9, 0x204):
        data += block(kind, b"\x01\0\0\0" + bytes(36)) + enhanced(b"p")
    found = read(data)
    assert [packet[0] for packet in found.packets] == [1, 2, 3, 5, 7, 9, 11]
    assert not found.damage


def test_secrets_are_kept_up_to_a_bound() -> None:
    log = b"CLIENT_RANDOM 00 11\n"
    tls = 0x544C534B
    data = section() + described() + block(10, struct.pack("<II", tls, len(log)) + log) + enhanced(b"x")
    assert read(data).secrets == [(tls, log)]
    large = block(10, struct.pack("<II", tls, 1 << 22) + bytes(1 << 22))
    found = read(data + large * 5)
    assert sum(len(secret) for _, secret in found.secrets) <= MAX_SECRETS
    assert len(found.secrets) == 4
    assert len(found.damage) == 2
    lying = block(10, struct.pack("<II", tls, 999) + log)
    assert "longer than their block" in read(data + lying).damage[0]


@pytest.mark.parametrize("resolution", [0, 3, 6, 9, 127, 0x80, 0x80 | 20, 0xFF])
def test_every_resolution(resolution: int) -> None:
    unit = 1 << (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    found = read(section() + described(1, option(9, bytes([resolution]))) + enhanced(b"x", ticks=(1 << 64) - 1))
    assert found.packets[0][1] == pytest.approx(((1 << 64) - 1) / unit)
    assert not found.damage


def test_odd_options_do_no_harm() -> None:
    for options in (
        struct.pack("<HH", 2, 60000),
        option(9, b"") + option(14, b"abc"),
        option(2, b"\xff\xfe\0"),
        option(0, b"") + option(2, b"no"),
        option(2, b"x" * 5000),
    ):
        found = read(section() + described(1, options) + enhanced(b"x"))
        assert len(found.packets) == 1
        assert len(found.interfaces[0].name) <= 256
        assert not found.damage


@pytest.mark.parametrize("length", [0, 8, 11, 93, 0xFFFFFFFC, 48, 1 << 20])
def test_a_block_length_that_lies(length: int) -> None:
    at = len(section() + described()) + 92 * 10
    found = read(PCAPNG[: at + 4] + struct.pack("<I", length) + PCAPNG[at + 8 :])
    assert len(found.damage) == 1
    assert found.data[:10] == PACKETS[:10]
    if length != 1 << 20:  # more than is left looks as a cut does
        assert found.data[10:] == PACKETS[11:]


def test_a_trailer_that_lies_is_told_and_costs_nothing() -> None:
    at = len(section() + described()) + 92 * 10
    for place in (10, 39):
        end = at + 92 * (place - 9)
        found = read(PCAPNG[: end - 4] + b"\x10\0\0\0" + PCAPNG[end:])
        assert found.data == PACKETS
        assert found.damage == [
            f"capture: block whose lengths differ (92 and 16) at byte {end - 92}, after frame {place}"
        ]


def test_a_packet_longer_than_its_block() -> None:
    data = section() + described() + enhanced(b"abcd", captured=5) + enhanced(b"next")
    found = read(data)
    assert found.packets == [(2, float(NOW), b"next", 1)]
    assert "packet of 5 bytes in a block of 36" in found.damage[0]
    for short in (block(6, bytes(16)), block(3, b""), block(2, bytes(16))):
        found = read(section() + described() + short + enhanced(b"next"))
        assert (found.data, found.frames, len(found.damage)) == ([b"next"], 2, 1)


def test_later_section_with_a_broken_mark() -> None:
    bad = section()[:8] + b"abcd" + section()[12:]
    found = read(PCAPNG + bad + described() + enhanced(b"x") * 4)
    assert found.data[:40] == PACKETS
    assert found.damage[0].startswith("capture: section with the byte order mark 61626364")


def test_a_version_nobody_knows_is_told() -> None:
    found = read(section(major=2) + described() + enhanced(b"x"))
    assert (len(found.packets), len(found.damage)) == (1, 1)


def test_damage_is_bounded_and_counted() -> None:
    found = read(section() + described() + enhanced(b"x", 7) * 1000)
    assert len(found.damage) == MAX_DAMAGE + 1
    assert found.damage[-1] == f"capture: and {1000 - MAX_DAMAGE} more"
    assert found.frames == 1000


# What carries them


@pytest.mark.parametrize("whole", [PCAP, PCAPNG])
def test_gzip_members_one_behind_the_other(whole: bytes) -> None:
    half = len(whole) // 2
    for between in (b"", gzip.compress(b"") * 3, bytes(5)):
        assert read(gzip.compress(whole[:half]) + between + gzip.compress(whole[half:]) + bytes(9)) == read(whole)


def test_gzip_keeps_what_came_before_damage() -> None:
    whole = pcap(b"".join(map(record, many(3000, 900))))
    packed = gzip.compress(whole)
    wrong = bytearray(packed)
    wrong[-6] ^= 1
    found = read(bytes(wrong))
    assert len(found.packets) == 3000
    assert found.damage == [
        f"capture: gzip data broken (incorrect data check) at byte {len(whole)}, after frame 3000",
    ]
    for size in (len(packed) - 1, len(packed) - 8, len(packed) // 2):
        found = read(packed[:size])
        assert len(found.packets) >= 3000 * size // len(packed) - 80
        assert len(found.damage) == 1
        assert "gzip data cut at byte" in found.damage[0]
    assert read(packed + b"garbage").damage[0].startswith("capture: what follows the gzip data")


def test_gzip_broken_in_the_middle_keeps_every_byte_before() -> None:
    packed = gzip.compress(pcap(b"".join(record(bytes(900)) for _ in range(3000))))
    place = len(packed) // 2
    reference = zlib.decompressobj(wbits=31).decompress(packed[:place])
    wrong = packed[:place] + bytes(byte ^ 0xFF for byte in packed[place : place + 64]) + packed[place + 64 :]
    found = read(wrong)
    assert len(found.packets) >= (len(reference) - 24) // 916
    assert len(found.damage) == 1


def test_gzip_of_something_else_fails_without_going_on() -> None:
    source = Trickle(gzip.compress(random.Random(1).randbytes(1 << 20)), 4096)
    with pytest.raises(UsageError, match="is no capture: begins with"):
        open_capture(source)  # type: ignore[arg-type]
    assert source.given <= 8192


def test_a_bomb_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "_BOMB_SIZE", 1 << 22)
    packed = gzip.compress(pcap(record(bytes(1 << 20)) * 40), 9)
    found = read(packed)
    assert 4 <= len(found.packets) <= 250 * len(packed) >> 20
    assert len(found.damage) == 1
    assert "decompression bomb" in found.damage[0]


def test_zstd_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r"tlswire\[zstd\]"):
        open_capture(io.BytesIO(compressed.ZSTD + bytes(20)))


def zstd(data: bytes) -> bytes:
    library = pytest.importorskip("zstandard", reason="the extra tlswire[zstd] is not installed")
    return bytes(library.ZstdCompressor(write_checksum=True).compress(data))


def test_zstd_frames_and_frames_to_skip() -> None:
    half = len(PCAP) // 2
    skipped = struct.pack("<II", 0x184D2A53, 5) + b"12345"
    assert read(zstd(PCAP[:half]) + skipped + zstd(PCAP[half:])) == read(PCAP)


def test_zstd_damage() -> None:
    whole = pcap(b"".join(map(record, many(1000, 900))))
    packed = zstd(whole)
    assert read(packed[:-1]).damage == [f"capture: zstd data cut at byte {len(whole)}, after frame 1000"]
    wrong = read(packed[:-1] + bytes([packed[-1] ^ 1]))
    assert (len(wrong.packets), len(wrong.damage)) == (1000, 1)
    assert 300 < len(read(packed[: len(packed) // 2]).packets) < 1000
    assert "not zstd" in read(packed + b"garbage").damage[0]


class _Echo:
    """zstandard with its decoder left out: what is handed to it comes back, so that the walk over frames is seen."""

    class ZstdError(Exception):
        pass

    class ZstdDecompressor:
        def decompressobj(self) -> Any:
            return SimpleNamespace(decompress=lambda piece: b"[" + piece + b"]")


def test_zstd_is_cut_into_headers_blocks_and_checksums() -> None:
    def raw(data: bytes, *, last: bool) -> bytes:
        return (len(data) << 3 | last).to_bytes(3, "little") + data

    run = (1000 << 3 | 1 << 1).to_bytes(3, "little") + b"R"
    header = compressed.ZSTD + b"\x04\x58"  # a checksum, a window, no size
    blocks = [raw(b"abc", last=False), run, raw(b"de", last=True)]
    skipped = struct.pack("<II", 0x184D2A50, 3) + b"xyz"
    sized = compressed.ZSTD + b"\x60" + b"\x05\x00"  # one segment, two bytes of size
    stream = header + b"".join(blocks) + b"SUM4" + skipped + sized + raw(b"", last=True)
    pieces = [header, *blocks, b"SUM4", sized, raw(b"", last=True)]
    for step in (1, 5, 1000):
        source = compressed.Zstd(compressed.Plain(Trickle(stream, step), owned=False), _Echo)  # type: ignore[arg-type]
        found = []
        while piece := source.read():
            found.append(piece[1:-1])
        assert found == pieces
        assert not source.damage
    ends = {0, len(header + b"".join(blocks)) + 4, len(stream) - len(sized) - 3}
    for size in range(1, len(stream)):
        source = compressed.Zstd(compressed.Plain(io.BytesIO(stream[:size]), owned=False), _Echo)
        while source.read():
            pass
        assert bool(source.damage) == (size not in ends)


def test_a_file_that_fails_in_the_middle() -> None:
    found = read(Failing(PCAP[:-10], 512))
    assert found.data == PACKETS[:-1]
    assert len(found.damage) == 1
    assert "cannot be read on: Input/output error" in found.damage[0]
    with pytest.raises(UsageError, match="cannot be read on"):
        open_capture(Failing(b"", 1))  # type: ignore[arg-type]


# Opening


def test_names_sizes_and_positions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(PCAP)
    for data in (PCAP, PCAPNG, packed):
        path = tmp_path / "no-suffix"
        path.write_bytes(data)
        for given_path in (path, str(path)):
            with open_capture(given_path) as capture:
                assert (capture.name, capture.size) == (str(path), len(data))
                assert len(list(capture.packets())) == 40
                assert capture.position == len(data)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(PCAP)))
    with open_capture("-") as capture:
        assert (capture.name, capture.size) == ("stdin", 0)
        assert len(list(capture.packets())) == 40
    assert not sys.stdin.buffer.closed


def test_packets_are_walked_once() -> None:
    capture = open_capture(io.BytesIO(PCAP))
    next(capture.packets())
    assert len(list(capture.packets())) == 39
    assert list(capture.packets()) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\xa1", "is no capture: begins with a1"),
        (b"GET / HTTP/1.1\r\n", "is no capture: begins with 47 45 54 20 2f 20 48 54"),
        (b"\n\r\r\n and then text of no kind", "no byte order mark of pcapng"),
        (gzip.compress(b""), "holds nothing"),
        (b"\x1f\x8b\x08\x00nothing that can be inflated", "gzip data"),
        (b"\x1f\x8b", "gzip data cut"),
    ],
)
def test_what_is_no_capture_is_told_in_one_line(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "given"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        open_capture(path)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        open_capture(tmp_path)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        open_capture(tmp_path / "missing")
    with pytest.raises(UsageError, match="null"):
        open_capture("a\0b")
    path = tmp_path / "x"
    path.write_bytes(PCAP)

    def forbidden(*_: object, **__: object) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(io, "open", forbidden)
    monkeypatch.setattr(builtins, "open", forbidden)
    with pytest.raises(UsageError, match="Permission denied"):
        open_capture(path)
    assert [str(error) for _, error in find_captures([path]) if error] == [f"{path}: cannot be read: Permission denied"]


def test_captures_are_found(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    contents = {
        "a.txt": PCAP,
        "b/deep/x": PCAPNG,
        "b/k.gz": gzip.compress(PCAP),
        "b/readme": b"text",
        "b/empty.pcap": b"",
        ".hidden/x.pcap": PCAP,
        "b/.x.pcap": PCAP,
        "c.pcap": PCAP,
        "d.zst": compressed.ZSTD,
        "b/manual.1.gz": gzip.compress(b"no capture at all"),
        "b/nothing.gz": gzip.compress(b""),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "b" / "round").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "e-pipe")
    found = list(find_captures([tmp_path, tmp_path / "missing", tmp_path / "b" / "readme", "-"]))
    names = [str(path.relative_to(tmp_path)) if isinstance(path, Path) else path for path, error in found if not error]
    assert names == ["a.txt", "b/deep/x", "b/k.gz", "c.pcap", "d.zst", "b/readme", "-"]
    assert [(path, str(error)) for path, error in found if error] == [
        (tmp_path / "missing", f"{tmp_path / 'missing'}: does not exist")
    ]
    assert not is_capture(tmp_path / "b" / "readme")


# Laws


def survives(data: bytes) -> Read | None:
    try:
        found = read(data)
    except UsageError as error:
        lines = str(error).splitlines()
    else:
        return checked(found)
    assert len(lines) == 1
    return None


def checked(found: Read) -> Read:
    frames = [packet[0] for packet in found.packets]
    assert frames == sorted(set(frames))
    assert len(found.damage) <= MAX_DAMAGE + 1
    assert found.frames >= len(frames)
    return found


STARTS = [b"", PCAP[:24], section(), section() + described(), section(">"), b"\x1f\x8b\x08\0\0\0\0\0\0\x03", PCAP[:200]]


@LAWS
@given(st.sampled_from(STARTS), st.binary(max_size=400))
def test_random_bytes_never_crash(start: bytes, rest: bytes) -> None:
    survives(start + rest)
    survives(gzip.compress(start + rest))


WHOLE = {
    "pcap": PCAP,
    "pcapng": PCAPNG,
    "mixed": section() + described() + block(3, struct.pack("<I", 5) + b"hello") + block(5, bytes(8)) + enhanced(b"p"),
    "gzip": gzip.compress(PCAP),
    "members": gzip.compress(PCAPNG[:1000]) + gzip.compress(PCAPNG[1000:]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_every_prefix_gives_a_prefix_of_the_packets_and_one_line(name: str) -> None:
    whole = WHOLE[name]
    packets = read(whole).packets
    clean = 0
    # So many bytes are needed to see a magic number; deflate begins with the tables of its code.
    smallest = {"pcap": 4, "pcapng": 4, "mixed": 4, "gzip": 200, "members": 200}
    for size in range(len(whole)):
        found = survives(whole[:size])
        if found is None:
            assert size < smallest[name]
            continue
        assert found.packets == packets[: len(found.packets)]
        assert len(found.damage) <= 1
        clean += not found.damage
    # A cut between two records or blocks cannot be seen: behind the header or the two first blocks, and each packet.
    boundaries = {"pcap": 40, "pcapng": 41, "mixed": 4, "gzip": 0, "members": 0}
    assert clean == boundaries[name]


@LAWS
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_flipped_bytes_never_crash(name: str, data: st.DataObject) -> None:
    changed = bytearray(WHOLE[name])
    for place in data.draw(st.lists(st.integers(0, len(changed) - 1), min_size=1, max_size=6)):
        changed[place] ^= data.draw(st.integers(1, 255))
    survives(bytes(changed))


@pytest.mark.parametrize("name", ["pcap", "pcapng"])
def test_one_flipped_bit_costs_few_packets(name: str) -> None:
    whole = WHOLE[name]
    start = 24 if name == "pcap" else len(section() + described())
    lost = []
    for place in range(start, len(whole), 3):
        found = survives(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        assert found is not None
        lost.append(len(set(PACKETS) - set(found.data)))
    assert sum(lost) / len(lost) < 3


HOSTILE = {
    "a broken length every five records": pcap(
        (record(b"x" * 60) * 4 + struct.pack("<IIII", NOW, 0, 0xFFFFFFFF, 60)) * 4000
    ),
    "times everywhere": pcap(
        record(b"x") + struct.pack("<IIII", NOW, 0, 0xFFFFFFFF, 60) + struct.pack("<I", NOW) * 300000
    ),
    "packet marks everywhere": section() + described() + b"\x06\0\0\0\x07\0\0\0" * 100000,
    "a million empty members": gzip.compress(PCAP) + gzip.compress(b"") * 50000,
    "interfaces without end": section() + described() * 100000,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("step", [1 << 12, 1 << 20])
def test_searching_is_bounded(name: str, step: int) -> None:
    # Each takes a second at most; minutes where a bound is missing.
    with open_capture(Trickle(HOSTILE[name], step)) as capture:  # type: ignore[arg-type]
        for _ in capture.packets():
            pass
    assert len(capture.damage) <= MAX_DAMAGE + 1
    assert capture._tries >= -1
    assert capture._resumes >= -1


def test_searching_stops_when_enough_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    data = HOSTILE["a broken length every five records"]
    monkeypatch.setattr(files, "_MAX_RESUMES", 3)
    found = read(data)
    assert len(found.packets) == 4 * 4
    assert [line.rpartition("; ")[2] for line in found.damage] == ["16 bytes skipped"] * 3 + [
        "nothing to go on with behind it"
    ]
    monkeypatch.setattr(files, "_MAX_TRIES", 0)
    assert len(read(data).packets) == 4


# tshark's opinion


@pytest.mark.skipif(not FOREIGN, reason="../shared/captures is not there")
@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: str(path.relative_to(SHARED)))
def test_packets_are_those_tshark_sees(path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    fields = ("frame.number", "frame.time_epoch", "frame.cap_len")
    command = [tshark, "-n", "-r", str(path), "-T", "fields", *(part for field in fields for part in ("-e", field))]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    theirs = [line.split("\t") for line in told.splitlines()]
    found = read(path)
    assert not found.damage
    assert [(packet[0], len(packet[2])) for packet in found.packets] == [(int(row[0]), int(row[2])) for row in theirs]
    times = [float(row[1]) for row in theirs]
    assert [packet[1] for packet in found.packets] == pytest.approx(times, abs=1e-5)


@pytest.mark.skipif(not FOREIGN, reason="../shared/captures is not there")
@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: str(path.relative_to(SHARED)))
def test_packets_and_link_types_are_those_scapy_reads(path: Path) -> None:
    utils = pytest.importorskip("scapy.utils", reason="scapy is not installed")
    with utils.RawPcapReader(str(path)) as reader:
        theirs = list(reader)
    found = read(path)
    assert found.data == [bytes(data) for data, _ in theirs]
    told = [getattr(meta, "linktype", None) for _, meta in theirs]
    wanted = [reader.linktype if linktype is None else linktype for linktype in told]
    assert [packet[3] for packet in found.packets] == wanted
