"""QUIC connections under other connection ids, for bench.captures: their Initial packets are opened and sealed again.

Copies with equal connection ids are one connection to a reader that goes by those, as tshark does. Versions 1 and
draft 29 only; what cannot be opened keeps its bytes but for the connection ids.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    # The parts of a hello that a fresh copy replaces: (offset, bytes).
    Changing = Callable[[bytes], Iterator[tuple[int, bytes]]]

SALTS = {
    0x00000001: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
    0xFF00001D: bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899"),
}
INITIAL = 0


class Keys:
    """Initial keys of one side."""

    def __init__(self, version: int, destination: bytes, side: str) -> None:
        secret = hmac.digest(SALTS[version], destination, "sha256")
        secret = _expand(secret, f"{side} in", 32)
        self.aead = AESGCM(_expand(secret, "quic key", 16))
        self.iv = int.from_bytes(_expand(secret, "quic iv", 12))
        self.mask = Cipher(algorithms.AES(_expand(secret, "quic hp", 16)), modes.ECB()).encryptor().update

    def nonce(self, number: bytes) -> bytes:
        """For a packet number as sent: no Initial here is so late that its number is cut."""
        return (self.iv ^ int.from_bytes(number)).to_bytes(12)


@cache
def _info(label: str, length: int) -> bytes:
    return struct.pack(">HB", length, len(label) + 6) + b"tls13 " + label.encode() + b"\0\1"


def _expand(secret: bytes, label: str, length: int) -> bytes:
    return hmac.new(secret, _info(label, length), hashlib.sha256).digest()[:length]


@dataclass(frozen=True, slots=True)
class Initial:
    """An open Initial packet: its header up to the version, after the connection ids, the packet number, the frames."""

    first: int
    version: int
    origin: bytes
    side: str
    destination: bytes
    source: bytes
    rest: bytes
    number: bytes
    frames: bytes
    patches: tuple[tuple[tuple[int, ...], bytes], ...]


Part = bytes | Initial


class Connection:
    """A connection as a template; `datagrams` are the UDP payloads of one flow in order."""

    def __init__(self, datagrams: Sequence[bytes], changing: Changing) -> None:
        self.changing = changing
        self.ids: set[bytes] = set()
        self.origins: list[bytes] = []
        self.datagrams = [tuple(self._parts(datagram)) for datagram in datagrams]

    @classmethod
    def of(cls, datagrams: Sequence[bytes], changing: Changing) -> Connection | None:
        """None where no Initial packet opens."""
        connection = cls(datagrams, changing)
        return connection if connection.origins else None

    def _parts(self, datagram: bytes) -> Iterator[Part]:
        """Packets of a datagram; the connection ids of those that stay closed are parts of their own."""
        at = 0
        while len(datagram) >= at + 7 and datagram[at] & 0x80 and int.from_bytes(datagram[at + 1 : at + 5]) in SALTS:
            destination = datagram[at + 6 : at + 6 + datagram[at + 5]]
            after = at + 6 + len(destination)
            source = datagram[after + 1 : after + 1 + datagram[after]]
            middle = rest = after + 1 + len(source)
            self.ids |= {value for value in (destination, source) if len(value) >= 4}
            kind = datagram[at] >> 4 & 3
            if kind == 3:
                break
            if kind == INITIAL:
                token, rest = _varint(datagram, rest)
                rest += token
            length, rest = _varint(datagram, rest)
            end = rest + length
            opened = (
                self._open(datagram, at, rest, end, datagram[middle:rest], destination, source) if not kind else None
            )
            if opened is None:
                yield datagram[at : at + 6]
                yield destination
                yield datagram[after : after + 1]
                yield source
                yield datagram[middle:end]
            else:
                yield opened
            at = end
        if at == 0 and datagram and not datagram[0] & 0x80:
            yield datagram[:1]
            at = 1
            for value in self.ids:
                if datagram.startswith(value, 1):
                    yield value
                    at += len(value)
                    break
        yield datagram[at:]

    def _open(
        self, datagram: bytes, at: int, body: int, end: int, rest: bytes, destination: bytes, source: bytes
    ) -> Initial | None:
        version = int.from_bytes(datagram[at + 1 : at + 5])
        candidates = [(origin, side) for origin in self.origins for side in ("client", "server")]
        if destination not in self.origins and len(destination) >= 8:
            candidates.append((destination, "client"))
        for origin, side in candidates:
            keys = Keys(version, origin, side)
            mask = keys.mask(datagram[body + 4 : body + 20])
            first = datagram[at] ^ mask[0] & 15
            size = (first & 3) + 1
            number = bytes(a ^ b for a, b in zip(datagram[body : body + size], mask[1:], strict=False))
            header = bytes((first,)) + datagram[at + 1 : body] + number
            try:
                frames = keys.aead.decrypt(keys.nonce(number), datagram[body + size : end], header)
            except InvalidTag:
                continue
            if origin not in self.origins:
                self.origins.append(origin)
            patches = tuple(self._patches(frames))
            return Initial(first, version, origin, side, destination, source, rest, number, frames, patches)
        return None

    def _patches(self, frames: bytes) -> Iterator[tuple[tuple[int, ...], bytes]]:
        """Where in the frames the changing bytes of a hello are, if the hello is whole in this packet."""
        places: dict[int, int] = {}
        at = 0
        while at < len(frames):
            kind = frames[at]
            at += 1
            if kind in {2, 3}:
                _, at = _varint(frames, at)
                _, at = _varint(frames, at)
                ranges, at = _varint(frames, at)
                for _ in range(1 + 2 * ranges + 3 * (kind == 3)):
                    _, at = _varint(frames, at)
            elif kind == 6:
                offset, at = _varint(frames, at)
                length, at = _varint(frames, at)
                places.update(zip(range(offset, offset + length), range(at, at + length), strict=True))
                at += length
            elif kind > 1:
                return
        message = bytes(frames[places[offset]] for offset in range(len(places)) if offset in places)
        if len(message) < 4 or len(message) < len(places) or len(message) < 4 + int.from_bytes(message[1:4]):
            return
        for offset, value in self.changing(b"\x16\x03\x03" + len(message).to_bytes(2) + message):
            yield tuple(places[offset - 5 + index] for index in range(len(value))), value

    def copy(self, values: random.Random, *, fresh: bool) -> list[bytes]:
        """The datagrams under other connection ids; a fresh copy has hellos of its own as well."""
        renewed = {value: values.randbytes(len(value)) for value in sorted(self.ids)}
        replaced: dict[bytes, bytes] = {}
        keys: dict[tuple[int, bytes, str], Keys] = {}
        made = []
        for parts in self.datagrams:
            pieces = []
            for part in parts:
                if isinstance(part, bytes):
                    pieces.append(renewed.get(part, part))
                    continue
                name = part.version, part.origin, part.side
                if name not in keys:
                    keys[name] = Keys(part.version, renewed[part.origin], part.side)
                frames = part.frames
                if fresh and part.patches:
                    frames = _patched(part, replaced, values)
                pieces.append(_sealed(part, keys[name], renewed, frames))
            made.append(b"".join(pieces))
        return made


def _patched(part: Initial, replaced: dict[bytes, bytes], values: random.Random) -> bytes:
    frames = bytearray(part.frames)
    for places, old in part.patches:
        new = replaced.get(old) or replaced.setdefault(old, values.randbytes(len(old)))
        for place, value in zip(places, new, strict=True):
            frames[place] = value
    return bytes(frames)


def _sealed(part: Initial, keys: Keys, renewed: dict[bytes, bytes], frames: bytes) -> bytes:
    ends = (renewed.get(value, value) for value in (part.destination, part.source))
    header = b"".join(
        (
            struct.pack(">BI", part.first, part.version),
            *(bytes((len(value),)) + value for value in ends),
            part.rest,
        )
    )
    # The client tells its own id in its transport parameters, too.
    if len(part.source) >= 8 and part.side == "client":
        frames = frames.replace(part.source, renewed[part.source])
    sealed = keys.aead.encrypt(keys.nonce(part.number), frames, header + part.number)
    size = len(part.number)
    mask = keys.mask(sealed[4 - size : 20 - size])
    number = bytes(a ^ b for a, b in zip(part.number, mask[1:], strict=False))
    return bytes((header[0] ^ mask[0] & 15,)) + header[1:] + number + sealed


def _varint(data: bytes, at: int) -> tuple[int, int]:
    size = 1 << (data[at] >> 6)
    return int.from_bytes(data[at : at + size]) & (1 << 8 * size - 2) - 1, at + size
