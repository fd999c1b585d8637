"""Cases of the record layer: how a hello lies in records and segments, and what stands around it.

Sources: RFC 9846 sections 5, 5.1 and 6; RFC 5246 sections 6.2.1 and 7.2; RFC 9293.
Must not import anything of tlswire but ``fuzz`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tlswire.fuzz.cases.framing import (
    EMPTY,
    SEGMENT_PAUSE,
    before,
    between,
    big,
    framed,
    handshake,
    record,
    segments,
)
from tlswire.fuzz.cases.rows import Made, Rows
from tlswire.fuzz.model import (
    ANYTHING,
    DECODE_ERROR,
    HANG,
    NEGOTIATE,
    RECORD_OVERFLOW,
    UNEXPECTED_MESSAGE,
    alerts,
)
from tlswire.fuzz.script import GROUPS, RECORD_VERSION, Script, message_of, records, tree_of
from tlswire.hello.edit import KEY_SHARE, with_extension, with_groups
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.records import HANDSHAKE, HEADER

if TYPE_CHECKING:
    from tlswire.fuzz.script import Ground
    from tlswire.wire.messages import ClientHello

UNKNOWN_GROUP = 0x0A99  # unassigned
TLS13 = ("tls13",)
# The answer to the hello is a ServerHello, behind which keys change, and no HelloRetryRequest.
ANSWERED = ("tls13", "x25519")
STRANGE = alerts(UNEXPECTED_MESSAGE)
OVERFLOW = alerts(RECORD_OVERFLOW)
NOT_BEFORE = "RFC 9846 5; RFC 5246 6"
MALFORMED_ALERT = alerts(UNEXPECTED_MESSAGE, DECODE_ERROR)


def _cut(*ends: int) -> Made:
    """The hello in records that end at these bytes of it."""

    def wire(message: bytes) -> bytes:
        edges = (0, *ends, len(message))
        return b"".join(handshake(message[start:end]) for start, end in pairwise(edges))

    return framed(wire)


def _in_records(size: int) -> Made:
    return framed(lambda message: records(message, size))


def _in_versions(versions: tuple[int, ...], size: int) -> Made:
    """The hello in records of ``size`` bytes that take these versions in turn."""

    def wire(message: bytes) -> bytes:
        starts = range(0, len(message), size)
        return b"".join(
            handshake(message[start : start + size], versions[turn % len(versions)])
            for turn, start in enumerate(starts)
        )

    return framed(wire)


def _version(version: int) -> Made:
    return framed(lambda message: handshake(message, version))


def _content(content: int) -> Made:
    return framed(lambda message: record(content, message))


def _with_long_share(value: ClientHello, ground: Ground) -> ClientHello:
    shares = value.extension(KEY_SHARE)
    long_one = KeyShareEntry(UNKNOWN_GROUP, ground.random("long share").randbytes(1216))
    value = with_groups(value, (UNKNOWN_GROUP, *GROUPS))
    return with_extension(value, KEY_SHARE, encode_extension(KEY_SHARE, (long_one, *shares), "ch"))


def _long_in_two(ground: Ground) -> Script:
    tree = tree_of(_with_long_share(ground.modern, ground))
    message = message_of(tree)
    return Script(records(message), message, tree, (1400,), 0.05)


def _misaligned() -> Made:
    return framed(lambda message: records(message, 100), cuts=tuple(range(77, 280, 77)), pause=SEGMENT_PAUSE)


rows = Rows("record", "RFC 9846 5.1")
_SPLIT = (
    rows.must(
        "R01",
        "rec-1byte",
        "hello in 1-byte records, one TCP write",
        _in_records(1),
        NEGOTIATE,
        clause="RFC 9846 5.1; RFC 5246 6.2.1",
        history="TLS-Anvil 5246-M5X6WTePcK; mbedTLS 2.x; CVE-2014-3511",
    ),
    rows.must("R02", "rec-2byte", "hello in 2-byte records", _in_records(2), NEGOTIATE),
    rows.must(
        "R03",
        "rec-split-in-hs-header",
        "first record carries 3 bytes of the 4-byte handshake header",
        _cut(3),
        NEGOTIATE,
        history="RUSTSEC-2024-0399",
    ),
    rows.must("R04", "rec-split-after-hs-header", "first record carries only the handshake header", _cut(4), NEGOTIATE),
    rows.must("R05", "rec-split-half", "two records of equal size", _cut(130), NEGOTIATE, history="CVE-2014-3511"),
    rows.must(
        "R06",
        "tcp-1byte",
        "one record, every byte its own TCP segment",
        segments(range(1, 259), 0.0005),
        NEGOTIATE,
        clause="RFC 9293 3.8",
    ),
    rows.must(
        "R07",
        "tcp-split-in-rec-header",
        "TCP pause of 50 ms inside the 5-byte record header",
        segments((3,), 0.05),
        NEGOTIATE,
        clause="RFC 9293 3.8",
    ),
    rows.must(
        "R08",
        "tcp-split-1400-pq",
        "1.7 KB hello (unknown 1216-byte share first) split at 1400 bytes with 50 ms pause",
        Made("TLS 1.3+1.2", _long_in_two),
        NEGOTIATE,
        clause="RFC 9293 3.8; RFC 9846 4.3.8 (RFC 8446 4.2.8)",
        history="tldr.fail",
    ),
    rows.free("R09", "rec-empty-first", "zero-length handshake record before the hello", before(EMPTY), ANYTHING),
    rows.free(
        "R10",
        "rec-empty-middle",
        "zero-length handshake record between two fragments",
        between(EMPTY),
        ANYTHING,
        peers="TLS-Anvil 8446-HWUJWNwjoA wants an alert; the text forbids to send it and names no reaction",
    ),
    rows.free(
        "R11",
        "rec-empty-x100",
        "100 zero-length handshake records then hello",
        before(*[EMPTY] * 100),
        ANYTHING,
        history="Go maxUselessRecords, OpenSSL MAX_EMPTY_RECORDS 32",
    ),
    rows.must("R12", "rec-16384", "record of exactly 2^14 bytes", big(1 << 14, handshake), NEGOTIATE),
    rows.must(
        "R13",
        "rec-16385",
        "plaintext record of 2^14+1 bytes",
        big((1 << 14) + 1, handshake),
        OVERFLOW,
        needs=TLS13,
        history="TLS-Anvil 5246-oqJiBwUXN8",
    ),
    rows.must(
        "R14",
        "rec-len-ffff",
        "record header length 0xffff, only hello bytes follow",
        framed(lambda message: HEADER.pack(HANDSHAKE, RECORD_VERSION, 0xFFFF) + message),
        (*OVERFLOW, HANG),
    ),
)

_ANVIL = {"history": "TLS-Anvil 8446-UCLQ6PhSyy"}
_E = "RFC 9846 5.1, E.2 (RFC 8446 5.1, D.2)"
_VERSIONS = (
    *(
        rows.must(
            id_,
            f"rec-version-{version:04x}",
            f"record version {version:04x}",
            _version(version),
            NEGOTIATE,
            clause=f"{_E}; RFC 5246 E.1",
            **_ANVIL,
        )
        for id_, version in (("R15", 0x0300), ("R16", 0x0302), ("R17", 0x0303), ("R18", 0x0304), ("R19", 0x03FF))
    ),
    *(
        rows.must(
            id_,
            f"rec-version-{version:04x}",
            f"record version {version:04x}",
            _version(version),
            NEGOTIATE,
            clause=_E,
            needs=TLS13,
            peers="servers that keep to RFC 5246 E.1 take {03,XX} alone",
            **_ANVIL,
        )
        for id_, version in (("R20", 0x0400), ("R23", 0xFFFF))
    ),
    *(
        rows.free(
            id_,
            f"rec-version-{version:04x}",
            f"record version {version:04x}",
            _version(version),
            ANYTHING,
            clause="RFC 9846 5.1, E.5 (RFC 8446 5.1, D.5)",
            peers="5.1: ignored for all purposes; E.5: records below 0x0300 SHOULD NOT be accepted",
            **_ANVIL,
        )
        for id_, version in (("R21", 0x0200), ("R22", 0x0000))
    ),
)

_OVERSIZED = tuple(
    rows.must(id_, f"rec-{size}", difference, big(size, handshake), OVERFLOW, clause=clause, needs=needs)
    for id_, size, difference, clause, needs in (
        ("R45", 0xFFFF, "record of 65535 bytes, all of them there", "RFC 9846 5.1; RFC 5246 6.2.3, 7.2.2", ()),
        ("R46", (1 << 14) + 256, "plaintext record of 2^14+256 bytes, a ciphertext's bound", "RFC 9846 5.1", TLS13),
        ("R47", (1 << 14) + 257, "record of 2^14+257 bytes, over a ciphertext's bound", "RFC 9846 5.1, 5.2", TLS13),
        ("R48", (1 << 14) + 2048, "plaintext record of 2^14+2048 bytes, TLS 1.2's bound", "RFC 9846 5.1", TLS13),
        ("R49", (1 << 14) + 2049, "record of 2^14+2049 bytes, over TLS 1.2's bound", "RFC 5246 6.2.3, 7.2.2", ()),
    )
)

_FORMS = (
    rows.must(
        "R52",
        "rec-versions-alternate",
        "hello in records of 40 bytes, versions 0301 and 0303 in turn",
        _in_versions((0x0301, 0x0303), 40),
        NEGOTIATE,
        clause=f"{_E}; RFC 5246 E.1",
    ),
    rows.must(
        "R53",
        "rec-versions-many",
        "hello in records of 30 bytes, versions 0300 to 0307 and 03ff",
        _in_versions((*range(0x0300, 0x0308), 0x03FF), 30),
        NEGOTIATE,
        clause=f"{_E}; RFC 5246 E.1",
    ),
    rows.must(
        "R68",
        "tcp-cut-everywhere-in-rec-header",
        "TCP segments of one byte through the record header",
        segments(range(1, 6)),
        NEGOTIATE,
        clause="RFC 9293 3.8",
    ),
    rows.must(
        "R69",
        "tcp-across-records",
        "records of 100 bytes in TCP segments of 77",
        _misaligned(),
        NEGOTIATE,
        clause="RFC 9293 3.8; RFC 9846 5.1",
    ),
)

CASES = (*_SPLIT, *_VERSIONS, *_OVERSIZED, *_FORMS)
