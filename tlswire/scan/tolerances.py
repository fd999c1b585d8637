"""Hellos that every server must bear, as a table: each is one that the server is known to answer, with one thing changed.

Sizes, records and segments, values kept free so that nobody relies on their absence (GREASE, RFC 8701), versions and
codes of the future, long lists. Adding one is a row of CASES; what breaks in the world where a kind of them is not borne
stands in TOPICS. Opens no sockets. Must not import anything of ``scan``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.handshake.offer import encode
from tlswire.hello.builder import encode_client_hello
from tlswire.hello.edit import ALPN, KEY_SHARE, SCHEMES, VERSIONS, with_extension, with_suites
from tlswire.hello.edit import GROUPS as GROUPS_EXTENSION
from tlswire.hello.shares import probe_share
from tlswire.probe.transport import Cuts
from tlswire.registry import EXTENSIONS, GREASE, GROUPS, SUITES
from tlswire.registry import SCHEMES as ALL_SCHEMES
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.extensions import encode_extension
from tlswire.wire.messages import Extension
from tlswire.wire.records import HANDSHAKE, fragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.registry import Table
    from tlswire.wire.messages import ClientHello

PADDING, SESSION_TICKET, ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET = 21, 35, 22, 23
X25519MLKEM768 = 0x11EC
RENEGOTIATION_SCSV, FALLBACK_SCSV = 0x00FF, 0x5600
# Long enough for the first piece to arrive, to be read and to be acted upon before the second comes, in seconds.
PAUSE = 0.2
_HEADER = 4  # of a handshake message, and of an extension


class Sending(msgspec.Struct, frozen=True):
    """A hello as it goes out: its value, its records, and where these are cut into segments."""

    hello: ClientHello
    payload: bytes
    cuts: Cuts | None = None


class Base(msgspec.Struct, frozen=True):
    """What is changed: ``usual`` is the best hello that is answered, ``older`` one of TLS 1.2 or older alone (None: no
    such is answered). ``today`` is what clients of today send, answered or not; ``fillers`` are suites that the server
    does not take, to make lists long with.
    """

    today: ClientHello
    usual: ClientHello
    older: ClientHello | None
    fillers: tuple[int, ...] = ()


class Topic(msgspec.Struct, frozen=True):
    """A kind of cases: what they have in common, who sends such hellos, and why they must be borne."""

    title: str
    breaks: str
    source: str


class Case(msgspec.Struct, frozen=True):
    """One hello. ``make`` gives None where it cannot be made out of a base.

    ``older`` says that it is made of, and compared with, the older hello. ``category`` is that of the finding where it
    is not borne, empty where nobody could expect it.
    """

    name: str
    topic: str
    title: str
    make: Callable[[Base], Sending | None]
    older: bool = False
    category: str = "fault"


TOPICS: dict[str, Topic] = {
    "today": Topic(
        "hellos that offer TLS 1.3 beside older versions",
        "every client of today sends such a hello",
        "RFC 9846 4.3.1 and 9.3",
    ),
    "size": Topic(
        "hellos of a certain size",
        "hellos grow with key shares, tickets and names: some clients connect, others do not",
        "RFC 7685 1, RFC 9846 4.2.2",
    ),
    "large": Topic("very large hellos", "no client of today sends such", "RFC 9846 4"),
    "records": Topic(
        "hellos in several records", "clients and proxies may split a hello between records", "RFC 9846 5.1"
    ),
    "record-version": Topic(
        "record versions", "clients differ in what they write there, and servers must ignore it", "RFC 9846 5.1"
    ),
    "segments": Topic(
        "hellos in several TCP segments",
        "every hello larger than a packet arrives like this, those of Chrome, Firefox and Apple's systems since ML-KEM",
        "tldr.fail, RFC 9846 5.1",
    ),
    "post-quantum": Topic(
        "hellos with an X25519MLKEM768 key share",
        "Chrome 131, Firefox 132 and Apple's iOS 26 and macOS 26 send them first: these and later clients fail or wait",
        "tldr.fail, RFC 9846 4.3.8 and 9.3",
    ),
    "grease": Topic("GREASE", "Chrome and Apple's clients send GREASE in every hello", "RFC 8701 3, RFC 9846 9.3"),
    "versions": Topic(
        "versions of the future",
        "clients of the next version cannot negotiate this one",
        "RFC 9846 4.3.1, RFC 5246 E.1",
    ),
    "legacy-version": Topic(
        "legacy_version above 0x0303 without supported_versions",
        "TLS 1.2 should be the answer; clients of today write 0x0303",
        "RFC 9846 4.3.1, RFC 5246 E.1",
    ),
    "unknown": Topic("unknown codes", "clients with newer extensions, groups or suites fail", "RFC 9846 9.3"),
    "lists": Topic("long lists of suites", "clients that offer everything they can do fail", "RFC 9846 4.2.2"),
    "signals": Topic(
        "signalling suites", "older clients and those that fall back send them", "RFC 5746 3.3, RFC 7507 3"
    ),
    "extensions": Topic("unusual blocks of extensions", "a few old clients send them", "RFC 5246 7.4.1.4"),
}


def case_of(name: str) -> Case:
    """The case called ``name``."""
    return next(case for case in CASES if case.name == name)


def sent(hello: ClientHello | None, cut: Callable[[bytes], tuple[int, ...]] | None = None) -> Sending | None:
    """The hello in one record, or two segments at the offsets that ``cut`` gives."""
    if hello is None:
        return None
    payload = encode_client_hello(hello)
    return Sending(hello, payload, None if cut is None else Cuts(cut(payload), PAUSE))


def length_of(hello: ClientHello) -> int:
    """Bytes of the handshake message; the length of a single record says the same."""
    return len(encode(hello))


# Sizes.


def _sized(size: int) -> Callable[[Base], Sending | None]:
    def make(base: Base) -> Sending | None:
        hello = base.usual
        if hello.extensions is None:
            return None
        # What a hello of 255 bytes can do without.
        for code in (SESSION_TICKET, ENCRYPT_THEN_MAC, ALPN):
            if length_of(hello) + _HEADER > size:
                hello = with_extension(hello, code, None)
        room = size - length_of(hello) - _HEADER
        return None if room < 0 else sent(with_extension(hello, PADDING, bytes(room)))

    return make


# Records and segments.


def _framed(frame: Callable[[bytes], bytes]) -> Callable[[Base], Sending | None]:
    """``frame`` makes records of the handshake message."""
    return lambda base: Sending(base.usual, frame(encode(base.usual)))


def _with_record_version(version: int) -> Callable[[Base], Sending | None]:
    return _framed(lambda message: fragment(HANDSHAKE, version, message))


def _in_two_records(message: bytes) -> bytes:
    return fragment(HANDSHAKE, 0x0301, message, (len(message) + 1) // 2)


def _header_in_bytes(message: bytes) -> bytes:
    head, rest = message[:_HEADER], message[_HEADER:]
    return fragment(HANDSHAKE, 0x0301, head, 1) + fragment(HANDSHAKE, 0x0301, rest)


def _in_two_segments(at: Callable[[bytes], tuple[int, ...]]) -> Callable[[Base], Sending | None]:
    return lambda base: sent(base.usual, at)


def _half(payload: bytes) -> tuple[int, ...]:
    return (len(payload) // 2,)


# The usual hello, changed.


def _changed(change: Callable[[ClientHello], ClientHello | None]) -> Callable[[Base], Sending | None]:
    return lambda base: sent(change(base.usual))


def _ahead(code: int, extra: Any) -> Callable[[ClientHello], ClientHello | None]:
    """``extra`` at the head of the list that extension ``code`` is; None where the hello has no such list."""

    def change(hello: ClientHello) -> ClientHello | None:
        known = hello.readable(code)
        return None if known is None else with_extension(hello, code, encode_extension(code, (extra, *known), "ch"))

    return change


def _suite_ahead(code: int) -> Callable[[ClientHello], ClientHello]:
    return lambda hello: with_suites(hello, (code, *hello.suites))


def _around(first: Extension, last: Extension | None) -> Callable[[ClientHello], ClientHello]:
    def change(hello: ClientHello) -> ClientHello:
        block = (first, *(hello.extensions or ()), *((last,) if last is not None else ()))
        return msgspec.structs.replace(hello, extensions=block)

    return change


def _all(*changes: Callable[[ClientHello], ClientHello | None]) -> Callable[[ClientHello], ClientHello]:
    """All that apply."""

    def change(hello: ClientHello) -> ClientHello:
        for step in changes:
            hello = step(hello) or hello
        return hello

    return change


def _share_ahead(group: int, key: bytes) -> Callable[[ClientHello], ClientHello | None]:
    """The group first in the list, and a share for it first."""

    def change(hello: ClientHello) -> ClientHello | None:
        shares = hello.readable(KEY_SHARE)
        if shares is None or group in hello.key_shares:
            return None if shares is None else hello
        groups = (group, *(code for code in hello.groups if code != group))
        hello = with_extension(hello, GROUPS_EXTENSION, encode_extension(GROUPS_EXTENSION, groups, "ch"))
        entries = (KeyShareEntry(group, key), *shares)
        return with_extension(hello, KEY_SHARE, encode_extension(KEY_SHARE, entries, "ch"))

    return change


# RFC 8701 section 3.1: another value in each place, as clients do.
_GREASE_SUITE = _suite_ahead(GREASE[0])
_GREASE_GROUP = _ahead(GROUPS_EXTENSION, GREASE[1])
_GREASE_SHARE = _share_ahead(GREASE[2], b"\0")
_GREASE_EXTENSIONS = _around(Extension(GREASE[3], b""), Extension(GREASE[4], b"\0"))
_GREASE_VERSION = _ahead(VERSIONS, GREASE[5])
_GREASE_SCHEME = _ahead(SCHEMES, GREASE[6])
_GREASE_PROTOCOL = _ahead(ALPN, GREASE[7].to_bytes(2, "big"))
_ALL_GREASE = _all(_GREASE_SUITE, _GREASE_SHARE, _GREASE_EXTENSIONS, _GREASE_VERSION, _GREASE_SCHEME, _GREASE_PROTOCOL)
_MLKEM = _share_ahead(X25519MLKEM768, probe_share(X25519MLKEM768))


def _unassigned(table: Table[Any], start: int) -> int:
    return next(code for code in range(start, 1 << 16) if code not in table)


def _signals(hello: ClientHello) -> ClientHello:
    # RFC 7507 section 4: nothing is wrong with it while the hello offers the newest version the server has.
    return with_suites(hello, (*hello.suites, RENEGOTIATION_SCSV, FALLBACK_SCSV))


def _empty_last(hello: ClientHello) -> ClientHello:
    return with_extension(with_extension(hello, EXTENDED_MASTER_SECRET, None), EXTENDED_MASTER_SECRET, b"")


def _many(count: int) -> Callable[[Base], Sending | None]:
    def make(base: Base) -> Sending | None:
        suites = (*base.usual.suites, *base.fillers)
        return sent(with_suites(base.usual, suites[:count])) if len(suites) >= count else None

    return make


# The hello of TLS 1.2 and older, changed.


def _older(change: Callable[[ClientHello], ClientHello]) -> Callable[[Base], Sending | None]:
    return lambda base: sent(None if base.older is None else change(base.older))


def _legacy_version(version: int) -> Callable[[Base], Sending | None]:
    def make(base: Base) -> Sending | None:
        if base.older is None:
            return None
        hello = msgspec.structs.replace(base.older, legacy_version=version)
        return Sending(hello, encode_client_hello(hello, record_version=0x0301))

    return make


def _extensions(block: tuple[Extension, ...] | None) -> Callable[[Base], Sending | None]:
    return _older(lambda hello: msgspec.structs.replace(hello, extensions=block))


CASES: tuple[Case, ...] = (
    Case("today", "today", "as they are", lambda base: sent(base.today)),
    Case("size-255", "size", "255 bytes", _sized(255)),
    Case("size-256", "size", "256 bytes", _sized(256)),
    Case("size-300", "size", "300 bytes", _sized(300)),
    Case("size-511", "size", "511 bytes", _sized(511)),
    Case("size-512", "size", "512 bytes", _sized(512)),
    Case("size-513", "size", "513 bytes", _sized(513)),
    Case("size-4096", "size", "4 KiB", _sized(4096)),
    Case("size-16384", "large", "16 KiB", _sized(1 << 14), category="info"),
    Case("size-65536", "large", "64 KiB", _sized(1 << 16), category="info"),
    Case("record-0300", "record-version", "0x0300", _with_record_version(0x0300)),
    Case("record-0301", "record-version", "0x0301", _with_record_version(0x0301)),
    Case("record-0302", "record-version", "0x0302", _with_record_version(0x0302)),
    Case("record-0303", "record-version", "0x0303", _with_record_version(0x0303)),
    Case("record-0304", "record-version", "0x0304", _with_record_version(0x0304)),
    Case("records-two", "records", "two halves", _framed(_in_two_records)),
    Case("records-header", "records", "the header in records of one byte", _framed(_header_in_bytes)),
    Case("segments-two", "segments", "two halves", _in_two_segments(_half)),
    Case("segments-header", "segments", "cut in the record's header", _in_two_segments(lambda _: (3,))),
    Case("mlkem", "post-quantum", "whole", _changed(_MLKEM)),
    Case(
        "mlkem-segments",
        "post-quantum",
        "in two TCP segments",
        lambda base: sent(_MLKEM(base.usual), _half),
    ),
    Case("grease", "grease", "everywhere", _changed(_ALL_GREASE)),
    Case("grease-suite", "grease", "a suite", _changed(_GREASE_SUITE)),
    Case("grease-group", "grease", "a group", _changed(_GREASE_GROUP)),
    Case("grease-share", "grease", "a key share", _changed(_GREASE_SHARE)),
    Case("grease-extensions", "grease", "two extensions", _changed(_GREASE_EXTENSIONS)),
    Case("grease-version", "grease", "a version", _changed(_GREASE_VERSION)),
    Case("grease-scheme", "grease", "a signature scheme", _changed(_GREASE_SCHEME)),
    Case("grease-alpn", "grease", "an application protocol", _changed(_GREASE_PROTOCOL)),
    Case("versions-0305", "versions", "0x0305 in supported_versions", _changed(_ahead(VERSIONS, 0x0305))),
    Case("legacy-0304", "legacy-version", "0x0304", _legacy_version(0x0304), older=True, category="info"),
    Case("legacy-03ff", "legacy-version", "0x03FF", _legacy_version(0x03FF), older=True, category="info"),
    Case("legacy-0404", "legacy-version", "0x0404", _legacy_version(0x0404), older=True, category="info"),
    Case("unknown-suite", "unknown", "a suite", _changed(_suite_ahead(_unassigned(SUITES, 0xD301)))),
    Case("unknown-group", "unknown", "a group", _changed(_ahead(GROUPS_EXTENSION, _unassigned(GROUPS, 0x3301)))),
    Case(
        "unknown-scheme", "unknown", "a signature scheme", _changed(_ahead(SCHEMES, _unassigned(ALL_SCHEMES, 0x0B01)))
    ),
    Case(
        "unknown-extension",
        "unknown",
        "an extension",
        _changed(_around(Extension(_unassigned(EXTENSIONS, 0x7E01), b"tlswire"), None)),
    ),
    Case("suites-64", "lists", "64 suites", _many(64)),
    Case("suites-128", "lists", "128 suites", _many(128)),
    Case("suites-256", "lists", "256 suites", _many(256)),
    Case("signals", "signals", "renegotiation and fallback", _changed(_signals)),
    Case("empty-last", "extensions", "an empty extension last", _changed(_empty_last)),
    Case("extensions-none", "extensions", "none at all", _extensions(None), older=True, category=""),
    Case("extensions-empty", "extensions", "an empty block", _extensions(()), older=True, category=""),
)
