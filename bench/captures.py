"""Big captures out of small ones: `python -m bench.captures --out DIR [--fresh] [--seed N] [handshakes|mixed|mixed4x ...]`.

The flows of third-party captures (../shared/captures, not part of the project) are copied many times, each copy with
addresses of its own, right checksums and a place in time among some fifty others. The result is Ethernet in a classic
little-endian pcap. Nothing of tlswire takes part: what it is measured with must not depend on what is measured.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import json
import random
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.pcap_peers.quic import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
SOURCES = SHARED / "captures"
EXPECTED = SHARED / "expected"

# How the copies are spread in time: this many flows at once, and no longer silence within one than this.
ALIVE = 50
LONGEST_GAP = 200_000
START = 1_700_000_000_000_000

FOXIO, MERCURY, NDPI = "FoxIO-LLC+ja4/pcap", "cisco+mercury/unit_tests/pcaps", "ntop+nDPI/tests/cfgs/default/pcap"
SURICATA, WIRESHARK, ZEEK = (
    "OISF+suricata-verify/tests",
    "wireshark-4.0.17/test/captures",
    "zeek+zeek/testing/btest/Traces",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Copies of each source, times `times`. With `after`, only flows with a hello, cut so many packets past the handshake."""

    copies: Mapping[str, int]
    after: int | None = None
    times: int = 1


HANDSHAKES = {
    f"{MERCURY}/top_100_fingerprints.pcap": 80,
    f"{NDPI}/sites.pcapng": 60,
    f"{FOXIO}/tls-handshake.pcapng": 38,
    f"{FOXIO}/latest.pcapng": 240,
    f"{FOXIO}/tls3.pcapng": 100,
    f"{FOXIO}/browsers-x509.pcapng": 240,
    f"{FOXIO}/http2-with-cookies.pcapng": 250,
    f"{FOXIO}/https-connect.pcap": 60,
    f"{FOXIO}/socks-https-example.pcap": 60,
    f"{SURICATA}/tls/tls-client-hello-frag-01/dump_mtu300.pcap": 60,
    f"{WIRESHARK}/tls12-chacha20poly1305.pcap": 40,
    f"{WIRESHARK}/tls13-20-chacha20poly1305.pcap": 30,
    f"{ZEEK}/tls/hrr.pcap": 30,
    f"{ZEEK}/tls/tls13-ech.pcap": 60,
    f"{ZEEK}/tls/chrome-1250-tls-x25519-kyber.pcap": 100,
    f"{ZEEK}/tls/client-certificate.pcap": 200,
    f"{ZEEK}/tls/ecdsa-cert.pcap": 60,
    f"{ZEEK}/tls/tls-expired-cert.pcap": 30,
    f"{ZEEK}/tls/tls-1.2-handshake-failure.pcap": 30,
    f"{ZEEK}/tls/tls13_psk_succesfull.pcap": 60,
    f"{ZEEK}/tls/smtp-starttls.pcap": 30,
    f"{ZEEK}/tls/imap-starttls.pcap": 30,
    f"{ZEEK}/tls/dtls1_2.pcap": 15,
    f"{ZEEK}/quic/chromium-115.0.5790.110-api-cirrus-com.pcap": 150,
}
MIXED = {
    f"{FOXIO}/http2-with-cookies.pcapng": 45,
    f"{FOXIO}/tls3.pcapng": 35,
    f"{FOXIO}/latest.pcapng": 250,
    f"{FOXIO}/browsers-x509.pcapng": 400,
    f"{FOXIO}/macos_tcp_flags.pcap": 100,
    f"{FOXIO}/chrome-cloudflare-quic-with-secrets.pcapng": 80,
    f"{MERCURY}/top_100_fingerprints.pcap": 36,
    f"{NDPI}/sites.pcapng": 30,
    f"{NDPI}/tls_with_huge_ch.pcapng": 180,
    f"{WIRESHARK}/tls-renegotiation.pcap": 200,
    f"{ZEEK}/tls/ssl.v3.pcap": 30,
    f"{ZEEK}/tls/heartbleed-success.pcap": 10,
    f"{ZEEK}/tls/smtp-starttls.pcap": 30,
    f"{ZEEK}/tls/dtls1_2.pcap": 30,
    f"{ZEEK}/quic/chromium-115.0.5790.110-api-cirrus-com.pcap": 150,
}
RECIPES = {
    "handshakes": Recipe(HANDSHAKES, after=20),
    "mixed": Recipe(MIXED),
    "mixed4x": Recipe(MIXED, times=4),
}


# Reading the sources.


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet of a source: `number` counts from 1, `time` is in microseconds, `cut` are the bytes not captured."""

    number: int
    time: int
    link: int
    data: bytes
    cut: int


def read(path: Path) -> Iterator[Frame]:
    """The packets of a pcap or pcapng file, compressed or not."""
    raw = path.read_bytes()
    if raw.startswith(b"\x1f\x8b"):
        raw = gzip.decompress(raw)
    return _read_blocks(raw) if raw.startswith(b"\x0a\x0d\x0d\x0a") else _read_records(raw)


def _read_records(raw: bytes) -> Iterator[Frame]:
    order = "<" if raw[0] in {0xD4, 0x4D} else ">"
    magic, *_, link = struct.unpack_from(f"{order}IHHiIII", raw)
    unit = 1000 if magic == 0xA1B23C4D else 1
    header = struct.Struct(f"{order}IIII")
    at, number = 24, 0
    while at + 16 <= len(raw):
        seconds, fraction, captured, length = header.unpack_from(raw, at)
        number += 1
        data = raw[at + 16 : at + 16 + captured]
        yield Frame(number, seconds * 1_000_000 + fraction // unit, link & 0xFFFF, data, length - len(data))
        at += 16 + captured


def _read_blocks(raw: bytes) -> Iterator[Frame]:
    at, number, order = 0, 0, "<"
    interfaces: list[tuple[int, int]] = []
    while at + 12 <= len(raw):
        if raw[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if raw[at + 8] == 0x4D else ">"
            interfaces = []
        kind, length = struct.unpack_from(f"{order}II", raw, at)
        body = raw[at + 8 : at + length - 4]
        if kind == 1:
            interfaces.append((struct.unpack_from(f"{order}H", body)[0], _resolution(body[8:], order)))
        elif kind == 6:
            index, high, low, captured, original = struct.unpack_from(f"{order}IIIII", body)
            link, unit = interfaces[index]
            number += 1
            ticks = (high << 32 | low) * 1_000_000 // unit
            yield Frame(number, ticks, link, body[20 : 20 + captured], original - captured)
        at += length


def _resolution(options: bytes, order: str) -> int:
    """Ticks a second of an interface."""
    while len(options) >= 4:
        code, length = struct.unpack_from(f"{order}HH", options)
        if code == 9:
            exponent = options[4]
            return int(2 ** (exponent & 0x7F)) if exponent & 0x80 else int(10**exponent)
        options = options[4 + (length + 3) // 4 * 4 :]
    return 1_000_000


LINK_HEADERS = {0: 4, 1: 14, 12: 0, 101: 0, 108: 4, 113: 16, 276: 20}


# Templates: what of a packet stays, and what each copy puts in between.


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet in pieces: head, the checksum of IPv4, addresses, middle, the checksum of TCP or UDP, tail.

    The sums are of all that stays; None is a checksum that is not there. `patches` are (offset in tail, bytes) of what
    a fresh copy replaces.
    """

    source: int
    destination: int
    head: bytes
    header_sum: int | None
    middle: bytes
    sum: int | None
    tail: bytes
    cut: int
    patches: tuple[tuple[int, bytes], ...]


@dataclass(slots=True)
class Flow:
    """The packets of one 5-tuple, each with the microseconds since the one before, and the frames with a ClientHello."""

    is_udp: bool
    packets: list[tuple[int, Packet]] = field(default_factory=list)
    quic: Connection | None = None
    hellos: int = 0
    dtls_hellos: int = 0
    last_time: int = 0
    handshake: int = 0

    def add(self, frame: Frame, packet: Packet, types: tuple[bool, bool] | None) -> None:
        """Append a packet; `types` as in _handshakes."""
        gap = frame.time - self.last_time if self.packets else 0
        self.last_time = frame.time
        self.packets.append((min(max(gap, 0), LONGEST_GAP), packet))
        if types is not None:
            self.hellos += types[0]
            self.dtls_hellos += types[1]
            self.handshake = len(self.packets)

    @property
    def length(self) -> int:
        """Bytes in the file."""
        return sum(16 + _length(packet) for _, packet in self.packets)


@dataclass(frozen=True, slots=True)
class Source:
    """A source capture as templates; `fixed` are the addresses that all copies share (multicast and broadcast)."""

    flows: tuple[Flow, ...]
    addresses: int
    fixed: Mapping[int, bytes]


def load(name: str, after: int | None) -> Source:
    """Take a source apart; packets other than unfragmented TCP and UDP right over IP are left out."""
    handshakes = _handshakes(name)
    addresses: dict[bytes, int] = {}
    flows: dict[tuple[object, ...], Flow] = {}
    for frame in read(SOURCES / name):
        skip = LINK_HEADERS.get(frame.link)
        if skip is None:
            continue
        ip = frame.data[skip:]
        where = _transport(ip)
        if where is None:
            continue
        packet = _packet(ip, *where, frame.cut, addresses)
        protocol, start, _ = where
        ends = sorted(((packet.source, ip[start : start + 2]), (packet.destination, ip[start + 2 : start + 4])))
        flows.setdefault((protocol, *ends), Flow(protocol == UDP)).add(frame, packet, handshakes.get(frame.number))
    if after is not None:
        flows = {key: flow for key, flow in flows.items() if flow.hellos + flow.dtls_hellos}
        for flow in flows.values():
            del flow.packets[flow.handshake + after :]
    for flow in flows.values():
        if flow.is_udp:
            flow.quic = Connection.of([packet.tail for _, packet in flow.packets], changing)
    fixed = {index: address for address, index in addresses.items() if _is_shared(address)}
    return Source(tuple(flows.values()), len(addresses), fixed)


def _handshakes(name: str) -> dict[int, tuple[bool, bool]]:
    """The frames in which tshark sees handshake messages, and whether one is a ClientHello of TLS or QUIC, of DTLS."""
    text = (EXPECTED / f"{name.replace('/', '__')}.json").read_text(encoding="utf-8")
    found = {}
    for row in json.loads(text)["rows"]:
        types = [row.get(f"{protocol}.handshake.type", "").split(",") for protocol in ("tls", "dtls")]
        if types != [[""], [""]]:
            found[int(row["frame.number"])] = "1" in types[0], "1" in types[1]
    return found


def _is_shared(address: bytes) -> bool:
    return address[0] >= 0xE0 if len(address) == 4 else address[0] == 0xFF


def _transport(ip: bytes) -> tuple[int, int, int] | None:
    """Protocol, where its header starts, and where the packet ends."""
    if len(ip) < 28:
        return None
    if ip[0] >> 4 == 4:
        protocol, start, end = ip[9], (ip[0] & 15) * 4, int.from_bytes(ip[2:4])
        whole = not int.from_bytes(ip[6:8]) & 0x3FFF
    else:
        protocol, start, end = ip[6], 40, 40 + int.from_bytes(ip[4:6])
        whole = ip[0] >> 4 == 6
    header = {TCP: 20, UDP: 8}.get(protocol)
    if not whole or header is None or end < start + header or len(ip) < start + header:
        return None
    return protocol, start, end


TCP, UDP = 6, 17


def _packet(ip: bytes, protocol: int, start: int, end: int, cut: int, addresses: dict[bytes, int]) -> Packet:
    if ip[0] >> 4 == 4:
        ethertype, upto, source, destination = b"\x08\x00", 10, ip[12:16], ip[16:20]
        header_sum = _sum(ip[:10]) + _sum(ip[20:start])
    else:
        ethertype, upto, source, destination = b"\x86\xdd", 8, ip[8:24], ip[24:40]
        header_sum = None
    at = start + (16 if protocol == TCP else 6)
    old = int.from_bytes(ip[at : at + 2])
    sums: int | None
    if protocol == UDP and not old:
        sums = None
    elif len(ip) < end:
        sums = 65535 * 3 - old - _sum(source) - _sum(destination)
    else:
        sums = _sum(ip[start:end]) + 65535 - old + protocol + end - start
    patches: tuple[tuple[int, bytes], ...] = ()
    if protocol == TCP:
        payload = start + (ip[start + 12] >> 4) * 4
        patches = tuple((payload + offset - at - 2, value) for offset, value in changing(ip[payload:end]))
    return Packet(
        source=addresses.setdefault(source, len(addresses)),
        destination=addresses.setdefault(destination, len(addresses)),
        head=MACS + ethertype + ip[:upto],
        header_sum=header_sum,
        middle=ip[20 if header_sum is not None else 40 : at],
        sum=sums,
        tail=ip[at + 2 :],
        cut=cut,
        patches=patches,
    )


MACS = bytes.fromhex("020000000002 020000000001")


def _length(packet: Packet) -> int:
    addresses = 32 if packet.header_sum is None else 10
    return len(packet.head) + addresses + len(packet.middle) + 2 + len(packet.tail)


def _sum(data: bytes) -> int:
    """The Internet checksum's sum of 16-bit words, modulo 65535."""
    return int.from_bytes(data + b"\0" if len(data) & 1 else data) % 65535


# What differs from one hello to the next.

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def changing(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """The random, session id and key shares of each hello that starts in this segment: (offset, bytes)."""
    at = 0
    while len(payload) >= at + 9 and payload[at + 1] == 3 and payload[at] in range(20, 24):
        if payload[at] == 22 and payload[at + 5] in {1, 2}:
            yield from _of_hello(payload, at + 9, client=payload[at + 5] == 1)
        at += 5 + int.from_bytes(payload[at + 3 : at + 5])


def _of_hello(payload: bytes, at: int, *, client: bool) -> Iterator[tuple[int, bytes]]:
    nonce = payload[at + 2 : at + 34]
    if len(nonce) < 32:
        return
    if client:
        yield at + 2, nonce
    elif nonce != RETRY:
        # The last 8 bytes can be the downgrade signal.
        yield at + 2, nonce[:24]
    at += 34
    length = payload[at] if at < len(payload) else 0
    if length == 32 and at + 33 <= len(payload):
        yield at + 1, payload[at + 1 : at + 33]
    elif length:
        # Half a hello, an odd one, or a server's of an early draft of TLS 1.3, which has no session id.
        return
    at += 1 + length
    at += 2 + int.from_bytes(payload[at : at + 2]) if client else 2
    at += 1 + payload[at] if client and at < len(payload) else 1
    end = at + 2 + int.from_bytes(payload[at : at + 2])
    at += 2
    while at + 4 <= min(end, len(payload)):
        code, length = struct.unpack_from(">HH", payload, at)
        at += 4
        if code == 51 and at + length <= len(payload):
            yield from _of_shares(payload, at + 2 if client else at, at + length)
        at += length


def _of_shares(payload: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= end:
        length = int.from_bytes(payload[at + 2 : at + 4])
        # The first byte says how a NIST point is written.
        if 32 <= length <= end - at - 4:
            yield at + 5, payload[at + 5 : at + 4 + length]
        at += 4 + length


# Making the copies.


def make(path: Path, recipe: Recipe, seed: int, *, fresh: bool) -> str:
    """Write one big capture and say what is in it."""
    started = time.perf_counter()
    chance = random.Random(seed)
    deck: list[tuple[Flow, _Addresses]] = []
    first = 1
    for name, copies in recipe.copies.items():
        source = load(name, recipe.after)
        for _ in range(copies * recipe.times):
            addresses = _Addresses(source, first)
            deck += ((flow, addresses) for flow in source.flows)
            first += source.addresses
    chance.shuffle(deck)
    record = struct.Struct("<IIII")
    packets = size = 0
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb", buffering=1 << 20) as file:
        size += file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
        for moment, data, cut in _interleaved(deck, chance, fresh=fresh):
            length = len(data)
            file.write(record.pack(*divmod(moment, 1_000_000), length, length + cut))
            file.write(data)
            packets += 1
            size += 16 + length
    unfinished.replace(path)
    hellos = sum(flow.hellos for flow, _ in deck)
    dtls = sum(flow.dtls_hellos for flow, _ in deck)
    return (
        f"{path}: {size / 1e6:.1f} MB, {packets} packets, {len(deck)} flows, frames with a ClientHello expected: "
        f"{hellos} TLS and QUIC, {dtls} DTLS; {time.perf_counter() - started:.1f} s"
    )


class _Addresses:
    """The addresses of one copy of a source, counted from `first`: 10.0.0.0/8 and 2001:db8::/32."""

    __slots__ = ("first", "source")

    def __init__(self, source: Source, first: int) -> None:
        self.source = source
        self.first = first

    def new(self, index: int, *, four: bool) -> bytes:
        if index in self.source.fixed:
            return self.source.fixed[index]
        number = self.first + index
        return (0x0A000000 + number).to_bytes(4) if four else (0x20010DB8 << 96 | number).to_bytes(16)


def _interleaved(
    deck: list[tuple[Flow, _Addresses]], chance: random.Random, *, fresh: bool
) -> Iterator[tuple[int, bytes, int]]:
    """The packets of all flows in the order of time: a flow starts where one ends. (microseconds, packet, bytes cut)."""
    values = random.Random(chance.random())
    waiting = (_copies(flow, addresses, values, fresh=fresh) for flow, addresses in deck)
    alive: list[tuple[int, int, bytes, int, Iterator[tuple[int, bytes, int]]]] = []
    moment, started = START, 0
    while True:
        while len(alive) < ALIVE and (copies := next(waiting, None)) is not None:
            started += 1
            _, data, cut = next(copies)
            heapq.heappush(alive, (moment + chance.randrange(2000), started, data, cut, copies))
        if not alive:
            return
        moment, number, data, cut, copies = alive[0]
        yield moment, data, cut
        if (step := next(copies, None)) is None:
            heapq.heappop(alive)
        else:
            heapq.heapreplace(alive, (moment + step[0], number, step[1], step[2], copies))


def _copies(
    flow: Flow, addresses: _Addresses, values: random.Random, *, fresh: bool
) -> Iterator[tuple[int, bytes, int]]:
    """One copy of a flow: (microseconds since the packet before, packet, bytes cut)."""
    replaced: dict[bytes, bytes] = {}
    ends: dict[tuple[int, int], tuple[bytes, int]] = {}
    datagrams = flow.quic and iter(flow.quic.copy(values, fresh=fresh))
    for gap, packet in flow.packets:
        four = packet.header_sum is not None
        way = packet.source, packet.destination
        if way not in ends:
            pair = b"".join(addresses.new(index, four=four) for index in way)
            ends[way] = pair, _sum(pair)
        pair, pair_sum = ends[way]
        tail, total = packet.tail, packet.sum
        if datagrams is not None:
            tail = next(datagrams)
            total = None if total is None else total - _sum(packet.tail) + _sum(tail)
        elif fresh and packet.patches:
            tail, total = _patched(packet, replaced, values)
        header = b"" if packet.header_sum is None else _checksum(packet.header_sum + pair_sum)
        checksum = b"\0\0" if total is None else _checksum(total + pair_sum)
        yield gap, b"".join((packet.head, header, pair, packet.middle, checksum, tail)), packet.cut


def _checksum(total: int) -> bytes:
    # 0xFFFF for zero: both are zero in one's complement, and UDP wants it so.
    return (65535 - total % 65535).to_bytes(2)


def _patched(packet: Packet, replaced: dict[bytes, bytes], values: random.Random) -> tuple[bytes, int | None]:
    """The tail with other values, and the sum that goes with it. What was equal stays equal: an echoed session id."""
    tail, total = bytearray(packet.tail), packet.sum
    for at, old in packet.patches:
        new = replaced.get(old) or replaced.setdefault(old, values.randbytes(len(old)))
        tail[at : at + len(old)] = new
        if total is not None:
            shift = bytes(at & 1)
            total += _sum(shift + new) - _sum(shift + old)
    return bytes(tail), total


def main() -> None:
    options = _options()
    if not SOURCES.is_dir() or not EXPECTED.is_dir():
        print(f"the captures to copy are not here: {SOURCES} and {EXPECTED}", file=sys.stderr)
        sys.exit(2)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or RECIPES:
        print(make(options.out / f"{name}.pcap", RECIPES[name], options.seed, fresh=options.fresh), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.captures", description="Make big captures out of small ones."
    )
    parser.add_argument(
        "names", nargs="*", choices=[*RECIPES, []], metavar="NAME", help=f"some of {', '.join(RECIPES)}"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where they go")
    parser.add_argument("--seed", type=int, default=1, help="another order, other fresh values (1)")
    parser.add_argument(
        "--fresh", action="store_true", help="no two TCP ClientHellos are equal: random, session id, keys"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
