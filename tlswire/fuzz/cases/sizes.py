"""Cases of size: hellos of sizes at which servers have stumbled, in one record, many, or records of one byte.

Sources: RFC 9846 sections 4.2.2, 5.1 and 9.3, RFC 7685.
Must not import anything of tlswire but ``fuzz``, ``hello`` and ``wire``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.cases.framing import PADDING, big, sized
from tlswire.fuzz.cases.rows import MODERN, OLDER, Rows, hello
from tlswire.fuzz.model import ANYTHING, NEGOTIATE
from tlswire.fuzz.script import TLS12, TLS13, records
from tlswire.hello.edit import GROUPS as GROUPS_CODE
from tlswire.hello.edit import KEY_SHARE, SCHEMES, VERSIONS, with_extension, with_suites, with_versions
from tlswire.wire.messages import Extension

if TYPE_CHECKING:
    from tlswire.fuzz.cases.rows import Made
    from tlswire.fuzz.script import Ground
    from tlswire.wire.messages import ClientHello

HELLO = "RFC 9846 4.2.2 (RFC 8446 4.1.2)"
PADDED = f"{HELLO}; RFC 7685 4"
LARGE = "RFC 9846 4, 5.1"
IGNORED = "RFC 9846 9.3; RFC 5246 7.4.1.4"
F5 = "F5 BIG-IP 256..511 hang (RFC 7685)"
LIMITS = "tlsfuzzer test-large-hello; limits of implementations"
GREASE_SUITE = 0x0A0A
UNASSIGNED = 0x2000  # extensions from here to 0xfc00 are unassigned but for a few that are far from it


def _sized(size: int, base: str = MODERN) -> Made:
    return hello(lambda value, _: sized(value, size), base)


def _smallest(value: ClientHello, _: Ground) -> ClientHello:
    needed = {GROUPS_CODE, SCHEMES, VERSIONS, KEY_SHARE}
    value = with_versions(value, (TLS13,))
    kept = tuple(item for item in value.extensions or () if item.type in needed)
    return msgspec.structs.replace(value, session_id=b"", suites=value.suites[:3], extensions=kept)


def _largest(value: ClientHello, _: Ground) -> ClientHello:
    value = with_suites(value, (*[GREASE_SUITE] * (32767 - len(value.suites)), *value.suites))
    return with_extension(value, PADDING, bytes(65000))


def _with_unknown(count: int, size: int = 0) -> Made:
    """The hello with so many unknown extensions before its own."""

    def change(value: ClientHello, _: Ground) -> ClientHello:
        unknown = tuple(Extension(UNASSIGNED + place, bytes(size)) for place in range(count))
        return msgspec.structs.replace(value, extensions=(*unknown, *(value.extensions or ())))

    return hello(change)


rows = Rows("size", HELLO)
_SMALL = (
    rows.must(
        "Z00",
        "size-min",
        "smallest TLS 1.3 hello (4 extensions, no session id)",
        hello(_smallest),
        NEGOTIATE,
        version=TLS13,
        needs=("tls13",),
    ),
    *(
        rows.must(
            id_,
            f"size-{size}",
            f"hello of {size} bytes",
            _sized(size),
            NEGOTIATE,
            clause=PADDED,
            history=F5 if 256 <= size < 512 else "",
        )
        for id_, size in (
            ("Z01", 255),
            ("Z02", 256),
            ("Z03", 257),
            ("Z04", 300),
            ("Z05", 384),
            ("Z06", 511),
            ("Z07", 512),
            ("Z08", 513),
        )
    ),
    *(
        rows.must(
            id_,
            f"size-{size}",
            f"hello of {size} bytes, one record",
            _sized(size),
            NEGOTIATE,
            history="tlsfuzzer test-client-hello-max-size",
        )
        for id_, size in (
            ("Z09", 1024),
            ("Z10", 1500),
            ("Z11", 2048),
            ("Z12", 4096),
            ("Z13", 4097),
            ("Z14", 8192),
            ("Z15", 12288),
            ("Z16", 16000),
        )
    ),
)
_LARGE = (
    *(
        rows.should(
            id_,
            f"size-{size}",
            f"hello of {size} bytes in 2^14 records",
            _sized(size),
            NEGOTIATE,
            clause=LARGE,
            history=LIMITS,
        )
        for id_, size in (("Z17", 16385), ("Z18", 20000), ("Z19", 32768), ("Z20", 65535), ("Z21", 65600))
    ),
    rows.should(
        "Z22",
        "size-131k",
        "hello of ~131 KB: 32767 suites + 65000-byte padding",
        hello(_largest),
        NEGOTIATE,
        history=LIMITS,
    ),
)
_MORE = (
    *(
        rows.must(
            id_,
            f"size-{size}-12",
            f"TLS 1.2 hello of {size} bytes",
            _sized(size, OLDER),
            NEGOTIATE,
            clause="RFC 5246 7.4.1.2; RFC 7685 4",
            version=TLS12,
            history=F5 if size < 512 else "",
        )
        for id_, size in (("Z23", 255), ("Z24", 256), ("Z25", 300), ("Z26", 511), ("Z27", 512))
    ),
    rows.must(
        "Z28",
        "size-4096-in-1-byte-records",
        "hello of 4096 bytes in records of one byte",
        big(4096, lambda message: records(message, 1)),
        NEGOTIATE,
        clause="RFC 9846 5.1; RFC 5246 6.2.1",
    ),
    rows.should(
        "Z29",
        "size-65600-in-64-byte-records",
        "hello of 65600 bytes in 1025 records of 64",
        big(65600, lambda message: records(message, 64)),
        NEGOTIATE,
        clause=LARGE,
        history=LIMITS,
    ),
    rows.must(
        "Z30",
        "size-512-in-256-byte-records",
        "hello of 512 bytes in two records of 256",
        big(512, lambda message: records(message, 256)),
        NEGOTIATE,
        clause="RFC 9846 5.1; RFC 5246 6.2.1",
        history=F5,
    ),
    rows.must(
        "Z31",
        "size-1000-extensions",
        "1000 unknown empty extensions before the known",
        _with_unknown(1000),
        NEGOTIATE,
        clause=IGNORED,
        history="tlsfuzzer test-large-number-of-extensions",
    ),
    rows.must(
        "Z32",
        "size-3900-extensions",
        "3900 unknown empty extensions before the known, hello just below 2^14",
        _with_unknown(3900),
        NEGOTIATE,
        clause=IGNORED,
        history="tlsfuzzer test-large-number-of-extensions",
    ),
    rows.should(
        "Z33",
        "size-extension-65000",
        "an unknown extension of 65000 bytes before the known",
        _with_unknown(1, 65000),
        NEGOTIATE,
        clause=f"{IGNORED}; {LARGE}",
        history=LIMITS,
    ),
    rows.free(
        "Z34",
        "size-padding-not-zero",
        "512 bytes of padding that are not zero",
        hello(lambda value, _: with_extension(value, PADDING, b"\xff" * 512)),
        ANYTHING,
        clause="RFC 7685 3",
    ),
)

CASES = (*_SMALL, *_LARGE, *_MORE)
