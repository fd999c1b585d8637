"""The fuzzer's catalogue as bytes and required reactions, as far as a conversation in memory can show it.

Ids are those of the catalogue. What is sent stands in pieces, each its own segment; what is due is a choice of
``hello13``, ``hello12``, ``hello`` (either, or a retry), ``retry``, ``close`` and alerts by number.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from tlswire.crypto.shares import private_share
from tlswire.registry import GREASE
from tlswire.wire.extension_bodies import (
    KeyShareEntry,
    OfferedPsks,
    PskIdentity,
    ServerName,
)
from tlswire.wire.extensions import encode_extension
from tlswire.wire.messages import HRR_RANDOM
from tlswire.wire.records import fragment

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
X25519, P256, FFDHE2048, MLKEM, UNKNOWN_GROUP = 0x001D, 0x0017, 0x0100, 0x11EC, 0x0A00
SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501)
SUITES12 = (0xC02B, 0xC02F, 0xC013, 0x009C, 0x002F)
SHARES = {group: private_share(group, Random(1)).public for group in (X25519, P256, 0x0018, FFDHE2048, MLKEM)}
GREASED = GREASE[3]
FILLERS = tuple(code for code in range(0x2000, 0xB000) if code not in GREASE)[:32766]


def u8(data: bytes) -> bytes:
    return len(data).to_bytes(1) + data


def u16(data: bytes) -> bytes:
    return len(data).to_bytes(2) + data


def codes(*values: int) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


def ext(code: int, value: Any) -> tuple[int, bytes]:
    return code, encode_extension(code, value)


def shares(*entries: tuple[int, bytes]) -> tuple[int, bytes]:
    return ext(51, tuple(KeyShareEntry(*entry) for entry in entries))


class Body(msgspec.Struct, frozen=True):
    """The fields of a hello, vectors with their lengths; ``tail`` stands behind the block of extensions."""

    version: int = 0x0303
    random: bytes = bytes(range(32))
    session_id: bytes = u8(bytes(range(32, 64)))
    suites: bytes = b""
    compression: bytes = b"\1\0"
    extensions: tuple[tuple[int, bytes], ...] | None = ()
    lie: int = 0  # added to the length of the block
    stub: bytes = b""  # at the end of the block
    tail: bytes = b""

    @property
    def raw(self) -> bytes:
        fixed = self.version.to_bytes(2) + self.random + self.session_id + self.suites + self.compression
        if self.extensions is None:
            return fixed + self.tail
        block = b"".join(code.to_bytes(2) + u16(data) for code, data in self.extensions) + self.stub
        return fixed + (len(block) + self.lie).to_bytes(2) + block + self.tail


_COMMON = (ext(0xFF01, b""), ext(23, None), ext(10, (X25519, P256)), ext(11, (0,)), ext(13, SCHEMES))
BASE13 = Body(
    suites=u16(codes(0x1301, 0x1303, *SUITES12)),
    extensions=(*_COMMON, ext(43, (0x0304, 0x0303)), ext(45, (1,)), shares((X25519, SHARES[X25519]))),
)
BASE12 = Body(session_id=b"\0", suites=u16(codes(*SUITES12)), extensions=_COMMON)


def but(base: Body, *extensions: tuple[int, bytes], without: tuple[int, ...] = (), **fields: Any) -> Body:
    """The body with these extensions in the place of those of their type, or at the end, and other fields."""
    new = dict(extensions)
    old = base.extensions or ()
    kept = [(code, new.pop(code, data)) for code, data in old if code not in without]
    return msgspec.structs.replace(base, **{"extensions": (*kept, *new.items())} | fields)


def a13(*extensions: tuple[int, bytes], **fields: Any) -> Body:
    return but(BASE13, *extensions, **fields)


def a12(*extensions: tuple[int, bytes], **fields: Any) -> Body:
    return but(BASE12, *extensions, **fields)


def twice(code: int, base: Body = BASE13, data: bytes = b"") -> Body:
    """The extension two times."""
    held = dict(base.extensions or ()).get(code, data)
    return msgspec.structs.replace(base, extensions=((code, held), *(but(base, (code, held)).extensions or ())))


def message(body: Body | bytes, kind: int = 1, lie: int = 0) -> bytes:
    raw = body if isinstance(body, bytes) else body.raw
    return bytes((kind,)) + (len(raw) + lie).to_bytes(3) + raw


def wire(body: Body | bytes, size: int = 1 << 14, version: int = 0x0301) -> bytes:
    return fragment(HANDSHAKE, version, message(body), size)


def record(content: int, data: bytes, version: int = 0x0301) -> bytes:
    return bytes((content,)) + version.to_bytes(2) + u16(data)


def padded(size: int, base: Body = BASE13) -> Body:
    """The hello as a message of ``size`` bytes."""
    room = size - len(message(base)) - 4
    return but(base, (21, bytes(room)))


def cut(at: int, base: Body = BASE13) -> bytes:
    return wire(base.raw[:at])


def psks(*identities: bytes, binders: tuple[bytes, ...] = (bytes(32),)) -> tuple[int, bytes]:
    return ext(41, OfferedPsks(tuple(PskIdentity(name, 7) for name in identities), binders))


def sni(*names: tuple[int, bytes]) -> Body:
    return a13(ext(0, tuple(ServerName(*name) for name in names)))


GOOD = message(BASE13)
NO_SHARE = a13(shares())
P256_POINT = SHARES[P256]
WARNING, FATAL, CLOSE_NOTIFY = record(ALERT, b"\1\x70"), record(ALERT, b"\2\x28"), record(ALERT, b"\1\0")
CHANGE = record(CCS, b"\1", 0x0303)
ID = b"\x51" * 40

Row = tuple[str, tuple[Body | bytes, ...], str]


def _rows() -> list[Row]:  # noqa: PLR0915 - a table, made in groups
    found: list[Row] = []

    def add(case: str, due: str, *pieces: Body | bytes) -> None:
        found.append((case, pieces, due))

    def each(group: str, first: int, due: str, *bodies: Body | bytes) -> None:
        for place, body in enumerate(bodies):
            add(f"{group}{first + place:02d}", due, body)

    add("B01", "hello13", BASE13)
    add("B02", "hello12", BASE12)

    # Records.
    for case, size in {"R01": 1, "R02": 2, "R05": len(GOOD) // 2 + 1}.items():
        add(case, "hello", wire(BASE13, size))
    for case, size in {"R03": 3, "R04": 4}.items():
        add(case, "hello", record(HANDSHAKE, GOOD[:size]) + record(HANDSHAKE, GOOD[size:]))
    whole = wire(BASE13)
    add("R06", "hello", *(whole[at : at + 1] for at in range(len(whole))))
    add("R07", "hello", whole[:3], whole[3:])
    large = wire(a13(shares((UNKNOWN_GROUP, bytes(1216)), (X25519, SHARES[X25519]))))
    add("R08", "hello", large[:1400], large[1400:])
    empty = record(HANDSHAKE, b"")
    each("R", 9, "10", empty + whole, record(HANDSHAKE, GOOD[:50]) + empty + record(HANDSHAKE, GOOD[50:]))
    add("R11", "10", empty * 100 + whole)
    add("R12", "hello", padded(1 << 14))
    add("R13", "22", record(HANDSHAKE, message(padded((1 << 14) + 1))))
    add("R14", "22", whole[:3] + b"\xff\xff" + GOOD)
    for place, version in enumerate((0x0300, 0x0302, 0x0303, 0x0304, 0x03FF, 0x0400, 0x0200, 0x0000, 0xFFFF)):
        add(f"R{15 + place}", "hello", record(HANDSHAKE, GOOD, version))
    for place, between in enumerate((WARNING, CHANGE, record(DATA, b"data"))):
        add(f"R{24 + place}", "10", record(HANDSHAKE, GOOD[:50]) + between + record(HANDSHAKE, GOOD[50:]))
    each("R", 27, "10", CHANGE + whole, record(DATA, b"data") + whole, record(24, b"\1\0\1a" + bytes(16)) + whole)
    each("R", 30, "10", *(record(content, GOOD) for content in (0, 19, 25, 80, 255)))
    each("R", 35, "10", record(HANDSHAKE, GOOD + b"\0"), record(HANDSHAKE, GOOD * 2))
    add("R37", "hello close", whole * 2)  # the alert behind it is encrypted
    each("R", 38, "hello", WARNING + whole, WARNING * 64 + whole)
    each("R", 40, "close", FATAL, CLOSE_NOTIFY)
    each("R", 42, "10", record(ALERT, b"\1"), record(ALERT, b""))
    add("R44", "close", record(ALERT, b"\xff\x70"))

    # Handshake messages.
    raw = BASE13.raw
    add("H02", "10 47 50", record(HANDSHAKE, message(raw, lie=-1)))
    add("H03", "10 50", record(HANDSHAKE, message(raw, lie=-len(raw))))
    add("H04", "50", wire(b""))
    add("H05", "50", record(HANDSHAKE, b"\1\xff\xff\xff" + raw))
    for place, kind in enumerate((0, 2, 4, 6, 11, 16, 20, 24, 254, 99)):
        add(f"H{6 + place:02d}", "10", record(HANDSHAKE, message(raw, kind)))
    each("H", 16, "50", *(cut(at) for at in (1, 2, 20, 34, 35, 36, 66, 67, 68, 69, 100, 150)))
    each("H", 28, "50", a13(tail=b"\0"), a13(tail=bytes(4096)))

    # Bodies.
    each("C", 1, "hello", *(a13(session_id=u8(bytes(size))) for size in (0, 1, 31, 32)))
    each("C", 5, "47 50", a13(session_id=u8(bytes(33))), a13(session_id=u8(bytes(255))), a13(session_id=b"\x20"))
    add("C08", "47 50", a13(suites=u16(b"")))
    each("C", 9, "50", a13(suites=u16(b"\x13\x01\xc0")), a13(suites=b"\xff\xfe" + codes(0x1301)))
    each("C", 11, "40", a13(suites=u16(codes(0x1399))), a13(suites=u16(codes(0xFF))), a12(suites=u16(codes(0))))
    add("C14", "hello", a13(suites=u16(codes(GREASED, 0x1301, *SUITES12, GREASE[5]))))
    add("C15", "40", a13(suites=u16(codes(*GREASE))))
    add("C16", "hello", a13(suites=u16(BASE13.suites[2:] * 2)))
    add("C17", "hello", a13(suites=u16(codes(*range(0x7000, 0x712C), 0x1301))))
    add("C18", "hello", a13(suites=u16(codes(*FILLERS, 0x1301))))
    each("C", 19, "40", a12(suites=u16(codes(0x1301))), a13(ext(43, (0x0304,)), suites=u16(codes(*SUITES12))))
    add("C21", "86", a12(suites=u16(codes(*SUITES12, 0x5600))))
    add("C22", "hello", a13(suites=u16(codes(0x1301, *SUITES12, 0x5600))))
    add("C23", "hello", a12(suites=u16(codes(*SUITES12, 0xFF))))
    each("C", 24, "40", *(a12(suites=u16(codes(*some))) for some in ((5, 4), (3, 8), (0x34, 0xC018), (0x8C, 0xA8))))
    add("C28", "47 50", a13(compression=b"\0"))
    each("C", 29, "47", a13(compression=b"\1\1"), a13(compression=b"\2\1\0"))
    add("C31", "hello12", a12(compression=b"\2\0\x40"))
    add("C32", "47 50 40", a12(compression=b"\1\1"))
    add("C33", "hello12", a12(compression=u8(bytes(range(255, 0, -1))[:254] + b"\0")))
    add("C34", "50", msgspec.structs.replace(BASE12, compression=b"\xff\0", extensions=None))
    add("C35", "hello12", msgspec.structs.replace(BASE12, extensions=None))
    add("C36", "hello12", msgspec.structs.replace(BASE12, extensions=()))
    add("C37", "50", msgspec.structs.replace(BASE12, extensions=None, tail=b"\0"))
    each("C", 38, "50", a13(lie=1), a13(lie=-1))
    randoms = (bytes(32), HRR_RANDOM, bytes(24) + b"DOWNGRD\1", b"\xff" * 32)
    each("C", 40, "hello", *(a13(random=value) for value in randoms))

    # Versions.
    each("V", 1, "hello12", *(a12(version=code) for code in (0x0304, 0x0305, 0x03FF, 0x0400, 0x0500, 0xFFFF)))
    each("V", 7, "70", *(a12(version=code) for code in (0x0300, 0x0200, 0x0002, 0, 0x02FF)))
    each("V", 12, "hello13", *(a13(version=code) for code in (0x0304, 0x03FF, 0x0500, 0x0301, 0x0302)))
    each("V", 17, "70", a13(version=0x0300))
    each("V", 18, "hello13", a13(version=0))
    bodies = (b"\0", b"", b"\3\3\4\3", b"\6\3\4\3\3", b"\4\3\4\3\3\0")
    each("V", 19, "50", *(a13((43, body)) for body in bodies))
    each("V", 24, "70", a13(ext(43, (0x0305,))), a13(ext(43, GREASE[:3])))
    add("V26", "hello13", a13(ext(43, (GREASED, 0x0304))))
    each("V", 27, "hello12", a13(ext(43, (0x0305, 0x0303))), a13(ext(43, (0x0303,))))
    each("V", 29, "hello13", a13(ext(43, (0x0304,))), a13(ext(43, (0x0303, 0x0304))))
    add("V31", "70", a13(ext(43, (0x7F1C,))))
    each("V", 32, "hello13", a13(ext(43, (*range(0x7000, 0x707E), 0x0304))), a13(ext(43, (0x0304,) * 3)))
    add("V34", "70", a13(ext(43, (0x0300,))))

    # Extensions.
    many = (BASE13.extensions or ()) + tuple((0x4000 + number, b"") for number in range(1000))
    first_and_last = ((GREASED, b""), *(BASE13.extensions or ()), (GREASE[5], b"\0"))
    each("E", 1, "hello", a13((0x1234, b"")), a13((0x1234, bytes(255))), a13((0xFFFF, b"")))
    each("E", 4, "hello", a13(extensions=first_and_last), a13(extensions=many), a13((0x1234, bytes(15000))))
    each("E", 7, "47", twice(0, data=encode_extension(0, (ServerName(0, b"a"),))))
    each("E", 8, "47", *(twice(code) for code in (10, 13, 43, 51, 23, 35)))
    each("E", 14, "47 110", twice(0x1234), twice(GREASED))
    each("E", 16, "50", a13(stub=b"\x12\x34\0\x09\0"), a13(stub=bytes(3)))
    add("E18", "47", a13((48, b"\0\0")))
    add("E19", "hello", a13(extensions=tuple(reversed(BASE13.extensions or ()))))
    each("E", 20, "50", a12((23, b"\0")), a12((22, b"\0")))
    each("E", 22, "40", a12(ext(0xFF01, bytes(12))))
    each("E", 23, "50 40", a12((0xFF01, b"")), a12((0xFF01, b"\5\0")))
    each("E", 25, "hello12", a12((35, bytes(200))), a12((35, b"\1")))
    add("E28", "50", a13((5, b"")))
    add("E29", "hello", a13((5, b"\x63\0\0\0\0")))
    add("E30", "50", a13((5, b"\1\0\x09\0\0\0\0")))
    each("E", 31, "47", *(a13((1, value)) for value in (b"\0", b"\5", b"\xff")))
    add("E34", "hello", a13((1, b"\1")))
    each("E", 35, "50 47", a13((1, b"")), a13((1, b"\1\1")))
    add("E37", "47", a13(ext(28, 63)))
    each("E", 38, "hello", a13(ext(28, 64)), a13(ext(28, 0xFFFF)))
    each("E", 40, "50", a13((28, b"\x40\0\0")))
    each("E", 42, "50", a13((49, b"\0")), a13((27, b"\0")))
    each("E", 44, "hello", a13(ext(27, (99,))))
    each("E", 45, "50", a13((27, b"\3\0\1\0")), a13((47, b"\0\0")))
    add("E49", "50", a13((44, b"\0\0")))
    each("E", 50, "hello", a13((14, b"")), a13((0xFE0D, bytes(150))), a13((57, b"\1\1\0")))
    add("E53", "hello", a12((13172, b"")))
    add("E54", "40", msgspec.structs.replace(BASE12, suites=u16(codes(0x1301, 0x1302)), extensions=None))

    # Names and protocols.
    each("S", 1, "50", a13((0, b"")), a13((0, b"\0\0")), a13((0, b"\0\3\0\0\0")))
    each("S", 4, "47", sni((0, b"a"), (0, b"b")))
    each("S", 5, "hello", sni((7, b"a")), sni((7, b"a"), (0, b"b")))
    add("S07", "47", sni((0, b"a\0b")))
    each("S", 8, "hello", *(sni((0, name)) for name in (b"\xff", b"192.0.2.1", b"a.example.", b"a" * 256)))
    each("S", 12, "hello", *(sni((0, name)) for name in (b"a" * 15000, b"nobody.example")))
    each("S", 14, "50", a13((0, b"\0\4\0\0\1a\0")), a13((0, b"\0\7\0\0\1a")), a13((0, b"\0\4\0\0\x09a")))
    each("S", 17, "hello", sni((0, b"a b/\n")), sni((0, b"EXAMPLE.ORG")))
    each("A", 1, "50", a13((16, b"")), a13((16, b"\0\0")), a13((16, b"\0\1\0")))
    add("A04", "120", a13(ext(16, (b"nothing",))))
    each("A", 5, "50", a13((16, b"\0\3\2h2\0")), a13((16, b"\0\3\x09h2")))
    last = b"http/1.1"
    lists = ((b"\x3a\x3a", last), (b"a" * 255, last), (*(b"%d" % n for n in range(1999)), last), (b"\0\0", last))
    each("A", 7, "hello", *(a13(ext(16, names)) for names in (*lists, (last, last))))

    # Groups and schemes.
    add("G01", "50", a13((10, b"\0\0")))
    each("G", 2, "50", a13((10, b"\0\3\0\x1d\0")), a13((10, b"\0\x09\0\x1d")))
    add("G04", "40", a13(ext(10, (UNKNOWN_GROUP,)), shares((UNKNOWN_GROUP, bytes(32)))))
    add("G05", "109", a13(without=(10,)))
    each("G", 6, "hello", a13(ext(10, (GREASED, X25519))), a13(ext(10, (X25519, X25519))))
    add("G08", "hello", a13(ext(10, (*range(0x3000, 0x37CF), X25519))))
    add("G09", "50", a12((10, b"\0\0")))
    add("G10", "hello12", a12(ext(10, (UNKNOWN_GROUP,))))
    each("G", 11, "50", a13((10, b"\0\2\0\x1d\0")), a12((11, b"\0")))
    add("G13", "47", a12(ext(11, (1,))))
    add("G14", "hello12", a12(ext(11, (200, 0))))
    add("G15", "50", a12((11, b"\5\0")))
    add("G16", "hello", a13(ext(11, (1,))))
    add("D01", "109", a13(ext(43, (0x0304,)), without=(13,)))
    each("D", 2, "50", a13((13, b"\0\0")), a13((13, b"\0\3\4\3\4")))
    each("D", 4, "40", *(a13(ext(43, (0x0304,)), ext(13, some)) for some in ((0x7777,), (0x0401, 0x0501, 0x0601))))
    each("D", 6, "hello", a13(ext(13, (GREASED, *SCHEMES))), a13(ext(13, (*range(0x7000, 0x77CF), *SCHEMES))))
    add("D08", "hello12", a12(without=(13,)))
    each("D", 9, "50", a13((13, b"\0\x09\4\3")), a13((13, b"")))
    add("D11", "40", a12(ext(13, (0x0101,))))
    add("D12", "50", a13((50, b"\0\0")))
    each("D", 13, "hello", a13(ext(50, (0x7777,))), a13(ext(13, (0, *SCHEMES))))

    # Key shares.
    add("K01", "retry", NO_SHARE)
    add("K02", "109", a13(without=(51,)))
    add("K03", "109", a13(without=(10, 51)))
    add("K04", "retry", a13(shares((UNKNOWN_GROUP, bytes(32)))))
    add("K05", "47", a13(ext(10, (P256,))))
    mine = (X25519, SHARES[X25519])
    each("K", 6, "47", a13(shares(mine, mine)), a13(shares(mine, (X25519, bytes(31) + b"\x09"))))
    add("K08", "hello13", a13(ext(10, (P256, X25519)), shares(mine, (P256, P256_POINT))))
    order8 = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
    weak = (*(bytes((9,)) * size for size in (31, 33, 1)), bytes(32), b"\1" + bytes(31), order8)
    each("K", 9, "47", *(a13(shares((X25519, share))) for share in weak))
    high = SHARES[X25519][:31] + bytes((SHARES[X25519][31] | 0x80,))
    each("K", 15, "hello13", a13(shares((X25519, high))), a13(shares((P256, P256_POINT))))
    x, y = P256_POINT[1:33], P256_POINT[33:]
    points = (
        P256_POINT[:-1] + bytes((P256_POINT[-1] ^ 1,)),
        bytes((2 + (y[-1] & 1),)) + x,
        b"\0",
        x + y,
        bytes((6 + (y[-1] & 1),)) + x + y,
        b"\4" + bytes(64),
        b"\4" + b"\xff" * 32 + y,
    )
    each("K", 17, "47", *(a13(shares((P256, point))) for point in points))
    add("K24", "47 50", a13((51, u16(codes(X25519) + b"\0\0"))))
    entry = codes(X25519) + u16(SHARES[X25519])
    lying = ((len(entry) + 1).to_bytes(2) + entry, (len(entry) - 1).to_bytes(2) + entry, u16(entry) + b"\0", b"")
    each("K", 25, "50", *(a13((51, body)) for body in lying))
    add("K29", "hello13", a13(ext(10, (GREASED, X25519)), shares((GREASED, b"\0"), mine)))
    add("K30", "hello13", a13(shares((UNKNOWN_GROUP, bytes(10000)), mine)))
    add("K31", "hello13", a13(shares(*((0x3000 + number, b"\1") for number in range(200)), mine)))
    hybrid = ext(10, (MLKEM, X25519))
    worse = (SHARES[MLKEM][:-1], b"\xff" * 1184 + SHARES[X25519], bytes(1216))
    each("K", 32, "47", *(a13(hybrid, shares((MLKEM, share))) for share in worse))
    add("K35", "hello13", a13(hybrid, shares((MLKEM, SHARES[MLKEM]))))
    add("K36", "hello12", a12(ext(10, (MLKEM,))))
    finite = ext(10, (FFDHE2048, X25519))
    each("K", 37, "47", *(a13(finite, shares((FFDHE2048, bytes(size)))) for size in (256, 255)))

    # PSKs.
    add("P01", "hello13", a13(psks(ID)))
    add("P02", "47", a13(extensions=(psks(ID), *(BASE13.extensions or ()))))
    add("P03", "109", a13(psks(ID), without=(45,)))
    listed, bound = u16(u16(ID) + bytes(4)), u16(u8(bytes(32)))
    offers = (b"\0\0" + bound, listed + b"\0\0", listed + u16(u8(bytes(31))))
    each("P", 4, "47 50", *(a13((41, body)) for body in offers))
    each("P", 7, "47", a13(psks(ID, ID)), a13(psks(ID, binders=(bytes(32),) * 2)))
    add("P09", "47 50", a13((41, u16(u16(b"") + bytes(4)) + bound)))
    add("P10", "47", a13(extensions=(psks(ID), *(BASE13.extensions or ()), psks(ID))))
    add("P11", "hello13", a13(psks(*(ID + bytes((n,)) for n in range(100)), binders=(bytes(32),) * 100)))
    each("P", 12, "50", a13((41, b"\x7f" + listed[1:] + bound)), a13((41, listed + bound + b"\0")))
    add("P14", "47 50", a13((45, b"\0")))
    each("P", 15, "hello13", a13(ext(45, (7,)), psks(ID)), a13(ext(45, (0,)), psks(ID)), a13(ext(42, None)))
    add("P18", "50", a13((42, bytes(4)), psks(ID)))
    add("P19", "hello12", a12(psks(ID)))
    add("P20", "hello13", wire(a13(ext(42, None), psks(ID))) + record(DATA, bytes(200), 0x0303))

    # Sizes.
    small = a13(session_id=b"\0", without=(0xFF01, 23, 11, 45), suites=u16(codes(0x1301, 0x1302, 0x1303)))
    add("Z00", "hello13", small)
    each("Z", 1, "hello", *(padded(size, small) for size in (255, 256, 257, 300, 384, 511, 512, 513)))
    sizes = (1024, 1500, 2048, 4096, 4097, 8192, 12288, 16000, 16385, 20000, 32768, 65535)
    each("Z", 9, "hello", *(padded(size) for size in sizes))
    long = u16(codes(0x1301, *SUITES12, *range(0x3000, 0x3100)))
    add("Z21", "hello", padded(65600, a13(suites=long)))
    add("Z22", "hello", a13((21, bytes(65000)), suites=u16(codes(0x1301, *FILLERS))))

    # What is no hello.
    add("F03", "70", b"\x80\x1c\1\0\2\0\3\0\0\0\x10\1\0\x80" + bytes(16))
    add("F04", "50", b"\x80\x1c\1\0\2\0\x30\0\0\0\x10\1\0\x80" + bytes(16))
    each("F", 5, "10", b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", Random(7).randbytes(1024), bytes(1 << 16))
    dtls = b"\x16\xfe\xfd" + bytes(8) + u16(b"\1" + bytes(11) + raw)
    each("F", 9, "10", dtls, b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + whole)
    add("F16", "10", record(HANDSHAKE, message(bytes(70), 2)))
    add("F17", "hello close", whole + CLOSE_NOTIFY)
    add("F18", "hello close", whole + FATAL)

    # Second hellos.
    again = wire(BASE13, version=0x0303)

    def second(case: str, due: str, *pieces: Body | bytes) -> None:
        add(case, f"retry {due}", NO_SHARE, *pieces)

    second("X01", "hello13", again)
    second("X02", "47", NO_SHARE)
    second("X03", "47", a13(shares((P256, P256_POINT))))
    second("X04", "47", a13(shares(mine, (P256, P256_POINT))))
    second("X05", "47", a13(ext(44, b"cookie")))
    second("X06", "47", a13(suites=u16(codes(0x1303, *SUITES12))))
    second("X07", "hello13", a13(random=bytes(32)))
    second("X08", "hello13", a13(session_id=u8(bytes(32))))
    second("X09", "47 109", a13(without=(43,)))
    second("X10", "47", a13(ext(42, None)))
    second("X11", "hello13", CHANGE + again)
    second("X12", "hello13", CHANGE * 2 + again)
    second("X13", "hello13", wire(BASE13, 1, 0x0303))
    second("X14", "10", record(CCS, b"\2", 0x0303) + again)
    second("X15", "10", record(DATA, bytes(100), 0x0303))
    second("X16", "hello13", sni((0, b"other.example")))
    return found


CASES: dict[str, tuple[tuple[bytes, ...], str]] = {
    case: (tuple(wire(piece) if isinstance(piece, Body) else piece for piece in pieces), due)
    for case, pieces, due in _rows()
}
