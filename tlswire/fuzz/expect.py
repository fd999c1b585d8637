"""What a server may make of any hello, derived from its bytes alone: the expectation of what no row of the catalogue names.

The hello is parsed by our own grammar. What breaks there is a fault of its form, and a MUST wherever the server has to
read the field; what is well formed is compared with the valid hello it came from: nothing lost means negotiation,
something lost may mean "nothing in common", and what no clause decides is left open. Sources: RFC 9846 sections 4.2.1,
4.2.2, 4.3, 6.2, 9.2 and appendix E.5, RFC 5246 section 7.4.1 and appendix E.1, RFC 5746 section 3.6, RFC 8422 section 5.1.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire`` and ``fuzz.model``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from tlswire.errors import WireError
from tlswire.fuzz.model import (
    ANYTHING,
    DECODE_ERROR,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    INAPPROPRIATE_FALLBACK,
    INSUFFICIENT_SECURITY,
    MISSING_EXTENSION,
    NEGOTIATE,
    NO_APPLICATION_PROTOCOL,
    PROTOCOL_VERSION,
    RETRY,
    UNEXPECTED_MESSAGE,
    UNRECOGNIZED_NAME,
    UNSUPPORTED_EXTENSION,
    Level,
    alerts,
)
from tlswire.registry import EXTENSIONS, GREASE, GROUPS, SCHEMES, SUITES
from tlswire.wire.handshake import parse_client_hello
from tlswire.wire.partial import parse_partial_client_hello

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlswire.wire.messages import ClientHello

SSLV3, TLS10, TLS11, TLS12, TLS13 = 0x0300, 0x0301, 0x0302, 0x0303, 0x0304
(NAME, FORMATS, GROUPS_EXT, SCHEMES_EXT, ALPN, ETM, EMS) = (0, 11, 10, 13, 16, 22, 23)
(PSK, VERSIONS_EXT, MODES, SHARES, RENEGOTIATION) = (41, 43, 45, 51, 0xFF01)
X25519 = 0x001D
FALLBACK_SCSV, RENEGOTIATION_SCSV = 0x5600, 0x00FF

# Which bodies a server has to read, by the version it negotiates, and the features without which it does not.
# Of TLS 1.3: RFC 9846 section 9.2. What is for TLS 1.2 only may stay unread where TLS 1.3 is negotiated.
READS: dict[int, dict[int, tuple[str, ...]]] = {
    TLS13: {
        **dict.fromkeys((NAME, GROUPS_EXT, SCHEMES_EXT, VERSIONS_EXT, SHARES), ("tls13",)),
        ALPN: ("tls13", "alpn"),
        MODES: ("tls13", "psk13"),
    },
    TLS12: {
        **dict.fromkeys((GROUPS_EXT, FORMATS, SCHEMES_EXT), ("tls12", "ecdhe12")),
        ALPN: ("tls12", "alpn"),
        ETM: ("tls12", "etm"),
        EMS: ("tls12", "ems"),
        RENEGOTIATION: ("tls12", "renegotiation-info"),
    },
}
# What else a body that cannot be read may draw: an empty list is nothing in common, a bad name is not known.
ALSO = {
    NAME: (UNRECOGNIZED_NAME,),
    SCHEMES_EXT: (HANDSHAKE_FAILURE,),
    VERSIONS_EXT: (PROTOCOL_VERSION,),
    RENEGOTIATION: (HANDSHAKE_FAILURE,),  # RFC 5746 section 3.6
}
_FORM = (DECODE_ERROR, ILLEGAL_PARAMETER)
_NOTHING_COMMON = (HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY)
_DUPLICATE = (ILLEGAL_PARAMETER, DECODE_ERROR, UNEXPECTED_MESSAGE, UNSUPPORTED_EXTENSION)
_UNSOLICITED = (*_FORM, UNSUPPORTED_EXTENSION, MISSING_EXTENSION)
_LARGEST_SURE = 1 << 14  # bytes of a hello beyond which stacks have limits of their own, which no clause forbids


class Expected(msgspec.Struct, frozen=True):
    """What a hello may draw, as a row of the catalogue has it (``model.Case``)."""

    allowed: tuple[str, ...]
    clause: str
    level: Level = "MUST"
    needs: tuple[str, ...] = ()
    version: int = 0


class Fault(msgspec.Struct, frozen=True):
    """Something a server may object to by one of ``codes``; ``weight`` says whether it has to.

    ``must``: it has to abort. ``less``: it may find nothing in common, else it negotiates. ``open``: no clause decides.
    ``retry``: it has to ask again, for no share is usable.
    """

    weight: str
    clause: str
    codes: tuple[int, ...] = ()
    needs: tuple[str, ...] = ()


def _must(clause: str, codes: tuple[int, ...], *needs: str) -> Fault:
    return Fault("must", clause, codes, needs)


def _less(clause: str, codes: tuple[int, ...] = _NOTHING_COMMON) -> Fault:
    return Fault("less", clause, codes)


def _open(clause: str, *codes: int) -> Fault:
    return Fault("open", clause, codes)


def expected(body: bytes, base: ClientHello) -> Expected:
    """What the ClientHello ``body`` may draw from a server that negotiates with ``base``, which it was made from."""
    try:
        hello = parse_client_hello(body)
    except WireError:
        return Expected(alerts(*dict.fromkeys((*_FORM, *_met_before(body, base)))), "RFC 9846 6.2")
    era = TLS12
    needs: tuple[str, ...] = ("tls12",)
    if VERSIONS_EXT in hello.extension_types and VERSIONS_EXT in base.extension_types:
        offered = hello.readable(VERSIONS_EXT)
        era = TLS13 if offered is None or TLS13 in offered or TLS12 not in offered else TLS12
        needs = ("tls13",) if era == TLS13 else ("tls13", "tls12")
    faults = [fault for rule in RULES[era] for fault in rule(hello, base, era)]
    return _verdict(faults, needs, era)


def _met_before(body: bytes, base: ClientHello) -> Iterator[int]:
    """What a server that reads as it goes may object to before it comes to where the form breaks."""
    if body[:2] != base.legacy_version.to_bytes(2, "big"):
        yield PROTOCOL_VERSION
    begun = parse_partial_client_hello(body)
    if begun is not None:
        for rule in (_twice, _damaged, _first_handshake):
            yield from (code for fault in rule(begun, base, TLS12) for code in fault.codes)


def _verdict(faults: list[Fault], needs: tuple[str, ...], era: int) -> Expected:
    """All faults weighed together: a server may name any of them, and has to name one where one is a MUST."""
    by = {weight: [fault for fault in faults if fault.weight == weight] for weight in ("must", "open", "retry", "less")}
    codes = tuple(dict.fromkeys(code for fault in faults for code in fault.codes))
    if by["must"]:
        worst = min(by["must"], key=lambda fault: len(fault.needs))
        retry = (RETRY,) if by["retry"] else ()
        return Expected((*retry, *alerts(*codes)), worst.clause, needs=worst.needs or needs)
    if by["open"]:
        return Expected(ANYTHING, by["open"][0].clause, "unspecified", needs)
    refused = alerts(*codes) if by["less"] else ()
    if by["retry"]:
        return Expected((RETRY, *refused), by["retry"][0].clause, needs=(*needs, "retry"), version=era)
    clause = by["less"][0].clause if by["less"] else "RFC 9846 4.2.2" if era == TLS13 else "RFC 5246 7.4.1.2"
    return Expected((*NEGOTIATE, *refused), clause, needs=needs, version=0 if refused else era)


# What holds for every version: bodies that cannot be read, extensions twice, extensions nobody asked for, names.


def _twice(hello: ClientHello, base: ClientHello, era: int) -> Iterator[Fault]:
    types = hello.extension_types
    for code in dict.fromkeys(types):
        if types.count(code) > 1:
            yield _read_by(code, base, era, "RFC 9846 4.3", _DUPLICATE)


def _damaged(hello: ClientHello, base: ClientHello, era: int) -> Iterator[Fault]:
    for code in dict.fromkeys(hello.extension_types):
        if not _reads(hello, code):
            yield _read_by(code, base, era, "RFC 9846 6.2", (*_FORM, *ALSO.get(code, ())))
        elif code not in base.extension_types and code in EXTENSIONS and code not in GREASE:
            yield _open("RFC 9846 4.3", *_UNSOLICITED)


def _read_by(code: int, base: ClientHello, era: int, clause: str, codes: tuple[int, ...]) -> Fault:
    """A fault in an extension: a MUST for those that have to read it, open where it may stay unread."""
    needs = READS[era].get(code) if code in base.extension_types else None
    return _open(clause, *codes) if needs is None else _must(clause, codes, *needs)


def _repeated(hello: ClientHello, _base: ClientHello, _era: int) -> Iterator[Fault]:
    lists: tuple[tuple[object, ...], ...] = (
        *(hello.suites, hello.groups, hello.signature_schemes, hello.point_formats, hello.compression, hello.alpn),
    )
    if any(len(set(codes)) < len(codes) for codes in lists):
        yield _open("no clause forbids a code twice", *_FORM)


def _names(hello: ClientHello, base: ClientHello, _era: int) -> Iterator[Fault]:
    if not _reads(hello, NAME):
        return
    if (hello.server_name or b"").lower() != (base.server_name or b"").lower():
        refusals = (UNRECOGNIZED_NAME, MISSING_EXTENSION, ILLEGAL_PARAMETER, *_NOTHING_COMMON)
        yield _open("RFC 6066 3; RFC 9846 9.2", *refusals)
    elif len(hello.readable(NAME) or ()) != len(base.readable(NAME) or ()):
        yield _open("RFC 6066 3", UNRECOGNIZED_NAME, *_FORM)


def _protocols(hello: ClientHello, base: ClientHello, _era: int) -> Iterator[Fault]:
    if ALPN in hello.extension_types and _reads(hello, ALPN) and not set(base.alpn).issubset(hello.alpn):
        yield _open("RFC 7301 3.2", NO_APPLICATION_PROTOCOL)


def _schemes(hello: ClientHello, base: ClientHello, era: int) -> Iterator[Fault]:
    offered = hello.readable(SCHEMES_EXT)
    if offered is None:
        return
    yield from _lost(offered, base.signature_schemes, "RFC 9846 4.3.3")
    if era == TLS13 and not any(code in SCHEMES for code in offered):
        yield _must("RFC 9846 4.3.3", _NOTHING_COMMON, "tls13")


def _size(hello: ClientHello, _base: ClientHello, _era: int) -> Iterator[Fault]:
    if 2 * len(hello.suites) + sum(4 + len(item.data) for item in hello.extensions or ()) > _LARGEST_SURE:
        yield _open("RFC 9846 4", *_FORM)


def _reads(hello: ClientHello, code: int) -> bool:
    """Whether all bodies of extension ``code`` are well formed (one that is not there is)."""
    from tlswire.wire.extensions import decode_extension  # noqa: PLC0415 - as wire.messages has it

    try:
        for item in hello.extensions or ():
            if item.type == code:
                decode_extension(code, item.data, "ch")
    except WireError:
        return False
    return True


def _lost(offered: Iterable[int], before: Iterable[int], clause: str) -> Iterator[Fault]:
    if not set(before).issubset(offered):
        yield _less(clause)


# What RFC 9846 says of a hello that offers TLS 1.3.


def _legacy_version(hello: ClientHello, _base: ClientHello, _era: int) -> Iterator[Fault]:
    clause = "RFC 9846 E.5 (RFC 8446 D.5)"
    if hello.legacy_version == SSLV3:
        yield _must(clause, (PROTOCOL_VERSION,), "tls13")
    elif hello.legacy_version < SSLV3:  # 4.3.1 says that only the extension counts
        yield _open(clause, PROTOCOL_VERSION)


def _no_compression(hello: ClientHello, _base: ClientHello, _era: int) -> Iterator[Fault]:
    if hello.compression != (0,):
        yield _must("RFC 9846 4.2.2", _FORM, "tls13")


def _mandatory(hello: ClientHello, _base: ClientHello, _era: int) -> Iterator[Fault]:
    types = set(hello.extension_types)
    whole = PSK in types or {GROUPS_EXT, SCHEMES_EXT} <= types
    if not whole or (GROUPS_EXT in types) != (SHARES in types):
        yield _must("RFC 9846 9.2", (MISSING_EXTENSION,), "tls13")


def _psk(hello: ClientHello, _base: ClientHello, _era: int) -> Iterator[Fault]:
    types = hello.extension_types
    if PSK not in types:
        return
    if MODES not in types:
        yield _must("RFC 9846 4.3.9", (MISSING_EXTENSION, *_FORM, HANDSHAKE_FAILURE), "tls13", "psk13")
    if types[-1] != PSK:
        yield _must("RFC 9846 4.3.11", (ILLEGAL_PARAMETER, *_UNSOLICITED), "tls13", "psk13")


def _suites13(hello: ClientHello, base: ClientHello, _era: int) -> Iterator[Fault]:
    if any(_is13(code) for code in hello.suites):
        yield from _lost(hello.suites, filter(_is13, base.suites), "RFC 9846 4.2.1")
    elif TLS12 in hello.versions:  # it may go back to TLS 1.2 or say that there is nothing in common
        yield _open("RFC 9846 4.2.1", *_NOTHING_COMMON)
    else:
        yield _must("RFC 9846 4.2.1", _NOTHING_COMMON, "tls13")


def _is13(suite: int) -> bool:
    return SUITES[suite].min_version == "TLS 1.3"


def _versions(hello: ClientHello, _base: ClientHello, _era: int) -> Iterator[Fault]:
    offered = hello.readable(VERSIONS_EXT)
    if offered is None or TLS13 in offered:
        return
    if {TLS10, TLS11}.intersection(offered):
        yield _open("RFC 9846 4.3.1", PROTOCOL_VERSION)
    else:
        yield _must("RFC 9846 4.3.1", (PROTOCOL_VERSION,), "tls13")


def _groups13(hello: ClientHello, base: ClientHello, _era: int) -> Iterator[Fault]:
    offered = hello.readable(GROUPS_EXT)
    if offered is None:
        return
    yield from _lost(offered, base.groups, "RFC 9846 4.3.7")
    if not any(GROUPS[code].tls13 and code not in GREASE for code in (*offered, *hello.key_shares)):
        yield _must("RFC 9846 4.2.1", (*_NOTHING_COMMON, ILLEGAL_PARAMETER), "tls13")


def _shares(hello: ClientHello, base: ClientHello, _era: int) -> Iterator[Fault]:
    """RFC 9846 section 4.3.8; what is said of groups that the valid hello has no share for is left open."""
    shares = hello.readable(SHARES)
    if shares is None or hello.readable(GROUPS_EXT) is None:
        return
    groups = [share.group for share in shares]
    if not set(groups) <= set(hello.groups) or len(set(groups)) < len(groups):
        yield _open("RFC 9846 4.3.8 (a server may check)", ILLEGAL_PARAMETER)
    known = {code for code in groups if code in GROUPS and code not in GREASE}
    if not known:
        yield Fault("retry", "RFC 9846 4.2.4")
    elif known != {X25519}:
        yield _open("RFC 9846 4.3.8", *_FORM, *_NOTHING_COMMON)
    elif any(len(share.key_exchange) != 32 for share in shares if share.group == X25519):
        # A server that likes another group better may ask for it and never look at this share.
        yield _must("RFC 9846 4.3.8.2", (*_FORM, HANDSHAKE_FAILURE), "tls13", "x25519")
        yield Fault("retry", "RFC 9846 4.2.4")
    elif not set(base.readable(SHARES)) & set(shares):  # another point, or one of low order
        yield _open("RFC 9846 7.4.2", ILLEGAL_PARAMETER, HANDSHAKE_FAILURE)


# What RFC 5246 and its extensions say of a hello for TLS 1.2.


def _version12(hello: ClientHello, base: ClientHello, _era: int) -> Iterator[Fault]:
    version = hello.legacy_version
    if base.versions[0] == TLS13:
        yield _less("RFC 9846 4.3.1", (*_NOTHING_COMMON, *_UNSOLICITED, PROTOCOL_VERSION))
    if VERSIONS_EXT in hello.extension_types:
        return
    if version > TLS12:  # RFC 9846 section 4.3.1: negotiate all the same, or abort
        yield _less("RFC 5246 E.1; RFC 9846 4.3.1", (PROTOCOL_VERSION,))
    elif version <= SSLV3:
        yield _must("RFC 5246 E.1; RFC 9846 E.5 (RFC 8446 D.5)", (PROTOCOL_VERSION,), "tls12")
    elif version < TLS12:
        yield _less("RFC 5246 E.1", (PROTOCOL_VERSION, *_NOTHING_COMMON))


def _null_compression(hello: ClientHello, _base: ClientHello, _era: int) -> Iterator[Fault]:
    if 0 not in hello.compression:
        yield _must("RFC 5246 7.4.1.2", (*_FORM, HANDSHAKE_FAILURE), "tls12")


def _suites12(hello: ClientHello, base: ClientHello, _era: int) -> Iterator[Fault]:
    if any(code in SUITES and code not in GREASE and not _is13(code) for code in hello.suites):
        before = (code for code in base.suites if not _is13(code))
        yield from _lost(hello.suites, before, "RFC 5246 7.4.1.3")
    else:
        yield _must("RFC 5246 7.4.1.3", _NOTHING_COMMON, "tls12")
    if FALLBACK_SCSV in hello.suites:
        yield _less("RFC 7507 3", (INAPPROPRIATE_FALLBACK,))


def _groups12(hello: ClientHello, base: ClientHello, _era: int) -> Iterator[Fault]:
    if _reads(hello, GROUPS_EXT):
        yield from _lost(hello.groups, base.groups, "RFC 8422 4")
    formats = hello.readable(FORMATS)
    if formats is not None and 0 not in formats:  # a client's duty; what a server does about it is not said
        yield _open("RFC 8422 5.1.2", ILLEGAL_PARAMETER, HANDSHAKE_FAILURE)


def _without12(hello: ClientHello, _base: ClientHello, _era: int) -> Iterator[Fault]:
    """Extensions that a server may insist on."""
    types = hello.extension_types
    if SCHEMES_EXT not in types:
        yield _open("RFC 5246 7.4.1.4.1", *_NOTHING_COMMON, MISSING_EXTENSION)
    if RENEGOTIATION not in types and RENEGOTIATION_SCSV not in hello.suites:
        yield _less("RFC 5746 4.3", (HANDSHAKE_FAILURE,))
    if EMS not in types:
        yield _less("RFC 7627 5.3", (HANDSHAKE_FAILURE,))


def _first_handshake(hello: ClientHello, base: ClientHello, era: int) -> Iterator[Fault]:
    if any(item.type == RENEGOTIATION and item.data != b"\0" for item in hello.extensions or ()):
        yield _read_by(RENEGOTIATION, base, era, "RFC 5746 3.6", (HANDSHAKE_FAILURE, *_FORM))


Rule: TypeAlias = "Callable[[ClientHello, ClientHello, int], Iterator[Fault]]"
SHARED: tuple[Rule, ...] = (_twice, _damaged, _repeated, _names, _protocols, _schemes, _first_handshake, _size)
RULES: dict[int, tuple[Rule, ...]] = {
    TLS13: (*SHARED, _legacy_version, _no_compression, _versions, _mandatory, _psk, _suites13, _groups13, _shares),
    TLS12: (*SHARED, _version12, _null_compression, _suites12, _groups12, _without12),
}
