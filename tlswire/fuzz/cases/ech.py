"""Cases of encrypted_client_hello that no key opens: GREASE, and what is out of form. RFC 9849 sections 5 to 7.

Whoever does not implement it must ignore all of it; where a body is out of form the rows allow that beside the alert.
Must not import anything of tlswire but ``fuzz``, ``hello`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.cases.retries import second, updated, without_share
from tlswire.fuzz.cases.rows import MODERN, OLDER, Made, Rows, hello, sent
from tlswire.fuzz.cases.values import codes, vector
from tlswire.fuzz.model import (
    DECODE_ERROR,
    FLIGHT,
    ILLEGAL_PARAMETER,
    MISSING_EXTENSION,
    NEGOTIATE,
    UNEXPECTED_MESSAGE,
    UNSUPPORTED_EXTENSION,
    alerts,
)
from tlswire.fuzz.script import TLS12, TLS13, script_of
from tlswire.hello.ech import ECH, grease
from tlswire.hello.edit import with_extension
from tlswire.wire.messages import Extension

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.script import Ground, Script
    from tlswire.wire.messages import ServerHello

_OUTER_EXTENSIONS = 0xFD00
_ENC = 32  # bytes of an X25519 key
_FORM = (*NEGOTIATE, *alerts(DECODE_ERROR))
_VALUE = (*NEGOTIATE, *alerts(ILLEGAL_PARAMETER))


def _outer(ground: Ground, kdf: int = 1, aead: int = 1, enc: int = _ENC, payload: int = 144) -> bytes:
    """An ECHClientHello of the outer form, its random parts as long as said."""
    rng = ground.random("ech")
    return b"\0" + codes(kdf, aead) + b"\x2a" + vector(2, rng.randbytes(enc)) + vector(2, rng.randbytes(payload))


def _with(make: Callable[[Ground], bytes], base: str = MODERN) -> Made:
    return hello(lambda value, ground: with_extension(value, ECH, make(ground)), base)


def _cut(size: int) -> Made:
    """GREASE cut after ``size`` bytes."""
    return _with(lambda ground: _outer(ground)[:size])


def _retried(*, kept: bool) -> Made:
    """GREASE and a HelloRetryRequest; the second hello has it still (section 6.2.1), or not."""

    def make(ground: Ground) -> Script:
        first = without_share(with_extension(ground.modern, ECH, _outer(ground)))

        def again(retry: ServerHello) -> tuple[bytes, bytes]:
            value = updated(first, retry, ground)
            return second(value if kept else with_extension(value, ECH, None))

        return script_of(first, again=again)

    return sent(make)


def _twice(ground: Ground) -> Script:
    item = Extension(ECH, _outer(ground))
    base = ground.modern
    return script_of(msgspec.structs.replace(base, extensions=(*(base.extensions or ()), item, item)))


# Where the body is cut: id, how much is left, what is missing.
_CUTS = (
    ("EC08", 1, "all but the type"),
    ("EC09", 3, "half the suite"),
    ("EC10", 5, "the config id"),
    ("EC11", 7, "half the length of enc"),
    ("EC12", 8, "enc"),
    ("EC13", 8 + _ENC - 1, "the end of enc"),
    ("EC14", 8 + _ENC, "the payload"),
    ("EC15", 8 + _ENC + 2 + 10, "the end of the payload"),
)

rows = Rows("ech", "RFC 9849 5")
CASES = (
    rows.must(
        "EC01",
        "ech-grease-again",
        "GREASE of the usual form",
        _with(lambda ground: grease(ground.random("EC01"))),
        NEGOTIATE,
        clause="RFC 9849 6.2",
        history="Chrome, Firefox and Safari send it to everybody",
    ),
    rows.may("EC02", "ech-empty-payload", "payload of 0 bytes", _with(lambda ground: _outer(ground, payload=0)), _FORM),
    rows.must(
        "EC03",
        "ech-bad-type",
        "type 2",
        _with(lambda ground: b"\2" + _outer(ground)[1:]),
        _VALUE,
        clause="RFC 9849 7",
        history="golang/go#71061",
    ),
    rows.may(
        "EC04",
        "ech-inner-in-clear",
        "type inner in a hello in clear",
        _with(lambda _: b"\1"),
        _VALUE,
        clause="RFC 9849 7, 7.2",
    ),
    rows.may(
        "EC05",
        "ech-inner-trailing",
        "type inner with bytes behind it",
        _with(lambda _: b"\1\0\0"),
        (*NEGOTIATE, *alerts(DECODE_ERROR, ILLEGAL_PARAMETER)),
    ),
    rows.must(
        "EC06",
        "ech-empty-enc",
        "enc of 0 bytes in a first hello",
        _with(lambda ground: _outer(ground, enc=0)),
        NEGOTIATE,
        clause="RFC 9849 7.1",
    ),
    rows.may("EC07", "ech-empty-body", "an empty body", _with(lambda _: b""), _FORM),
    *(rows.may(code, f"ech-cut-{size}", f"cut: {what} is missing", _cut(size), _FORM) for code, size, what in _CUTS),
    rows.may("EC16", "ech-trailing", "a byte behind the payload", _with(lambda ground: _outer(ground) + b"\0"), _FORM),
    rows.may(
        "EC17",
        "ech-twice",
        "GREASE twice, identical",
        sent(_twice),
        (
            *NEGOTIATE,
            *alerts(ILLEGAL_PARAMETER, DECODE_ERROR, UNEXPECTED_MESSAGE, UNSUPPORTED_EXTENSION),
        ),
        clause="RFC 9846 4.3 (RFC 8446 4.2)",
    ),
    rows.may(
        "EC18",
        "ech-outer-extensions",
        "ech_outer_extensions in a hello in clear",
        hello(lambda value, _: with_extension(value, _OUTER_EXTENSIONS, vector(1, codes(10, 51)))),
        _VALUE,
        clause="RFC 9849 5.1",
    ),
    rows.must(
        "EC19",
        "ech-unknown-suite",
        "a KDF and an AEAD that nobody has",
        _with(lambda ground: _outer(ground, kdf=0x7777, aead=0x7777)),
        NEGOTIATE,
        clause="RFC 9849 7.1",
    ),
    rows.must(
        "EC20",
        "ech-large",
        "payload of 12000 bytes",
        _with(lambda ground: _outer(ground, payload=12000)),
        NEGOTIATE,
        clause="RFC 9849 7.1",
    ),
    rows.must(
        "EC21",
        "ech-short",
        "payload of 1 byte",
        _with(lambda ground: _outer(ground, payload=1)),
        NEGOTIATE,
        clause="RFC 9849 7.1",
    ),
    rows.must(
        "EC22",
        "ech-12",
        "GREASE in a hello of TLS 1.2",
        _with(_outer, OLDER),
        NEGOTIATE,
        clause="RFC 5246 7.4.1.2; RFC 9846 9.3",
        version=TLS12,
    ),
    rows.must(
        "EC23",
        "ech-retry",
        "GREASE, a HelloRetryRequest, the same GREASE",
        _retried(kept=True),
        (FLIGHT,),
        clause="RFC 9849 6.2.1, 7.1.1",
        version=TLS13,
        needs=("tls13", "retry"),
    ),
    rows.may(
        "EC24",
        "ech-retry-dropped",
        "GREASE, a HelloRetryRequest, no GREASE any more",
        _retried(kept=False),
        (FLIGHT, *alerts(MISSING_EXTENSION, ILLEGAL_PARAMETER)),
        clause="RFC 9849 7.1.1",
        needs=("tls13", "retry"),
    ),
)
