"""Cases of pre_shared_key, psk_key_exchange_modes and early_data with keys that no server has.

Those with a real ticket are in ``resumption``. Source: RFC 9846 sections 4.3.9 to 4.3.11.
Must not import anything of tlswire but ``fuzz``, ``hello`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.cases.rows import MODERN, OLDER, Made, Rows, ext, hello, sent
from tlswire.fuzz.cases.values import vector
from tlswire.fuzz.model import (
    ABORT,
    ANYTHING,
    DECODE_ERROR,
    DECRYPT_ERROR,
    ILLEGAL_PARAMETER,
    NEGOTIATE,
    WAITING,
    alerts,
)
from tlswire.fuzz.script import TLS13, script_of
from tlswire.hello.edit import PRE_SHARED_KEY, with_extension
from tlswire.wire.messages import Extension
from tlswire.wire.records import APPLICATION_DATA, fragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.script import Ground, Script
    from tlswire.wire.messages import ClientHello

MODES, EARLY_DATA = 45, 42
_NEEDS = ("tls13", "psk13")
_MALFORMED = alerts(DECODE_ERROR, ILLEGAL_PARAMETER)
_LENGTHS = "RFC 9846 6"
_MODES_CLAUSE = "RFC 9846 4.3.9 (RFC 8446 4.2.9)"
_EARLY = "RFC 9846 4.3.10 (RFC 8446 4.2.10)"


def identity(name: bytes, age: int = 0) -> bytes:
    """A PskIdentity (RFC 9846 section 4.3.11), well formed or not."""
    return vector(2, name) + age.to_bytes(4, "big")


def psks(identities: bytes, binders: bytes) -> bytes:
    """The body of a pre_shared_key with these identities and binders."""
    return vector(2, identities) + vector(2, binders)


def unknown_identity(ground: Ground, number: int = 0) -> bytes:
    """A PskIdentity that no server knows; its age is not 0, which would call it a key from elsewhere (section 4.3.11)."""
    return identity(ground.random(f"psk identity {number}").randbytes(160), 0x10203040 + number)


def arbitrary_binder(ground: Ground, number: int = 0, size: int = 32) -> bytes:
    """A binder of the right form that fits nothing."""
    return vector(1, ground.random(f"psk binder {number}").randbytes(size))


def _unknown(ground: Ground, identities: int = 1, binders: int = 1) -> bytes:
    return psks(
        b"".join(unknown_identity(ground, number) for number in range(identities)),
        b"".join(arbitrary_binder(ground, number) for number in range(binders)),
    )


def _offers(make: Callable[[Ground], bytes] = _unknown, *, modes: bytes | None = b"\1\1", base: str = MODERN) -> Made:
    """A hello with these modes (None: without) and the pre_shared_key that ``make`` gives."""

    def change(value: ClientHello, ground: Ground) -> ClientHello:
        return with_extension(with_extension(value, MODES, modes), PRE_SHARED_KEY, make(ground))

    return hello(change, base)


def _placed(value: ClientHello, ground: Ground, *, last: bool) -> ClientHello:
    """The hello with a pre_shared_key before its key_share, and one at its end too where ``last``."""
    item = Extension(PRE_SHARED_KEY, _unknown(ground))
    present = value.extensions or ()
    return msgspec.structs.replace(value, extensions=(*present[:-1], item, *present[-1:], *((item,) if last else ())))


def _garbage(ground: Ground) -> Script:
    """A hello with early data nobody can read behind it."""
    offering = with_extension(ground.modern, EARLY_DATA, b"")
    script = script_of(with_extension(offering, PRE_SHARED_KEY, _unknown(ground)))
    data = fragment(APPLICATION_DATA, 0x0303, ground.random("P20").randbytes(100))
    return msgspec.structs.replace(script, payload=script.payload + data)


rows = Rows("psk", "RFC 9846 4.3.11 (RFC 8446 4.2.11)", _NEEDS)
CASES = (
    rows.should(
        "P01",
        "psk-unknown",
        "unknown PSK identity with arbitrary binder",
        _offers(),
        NEGOTIATE,
        version=TLS13,
        needs=("tls13",),
    ),
    rows.must(
        "P02",
        "psk-not-last",
        "pre_shared_key before key_share",
        hello(lambda value, ground: _placed(value, ground, last=False)),
        alerts(ILLEGAL_PARAMETER),
        peers="TLS-Anvil 8446-8RhYHEGBvv",
    ),
    rows.must(
        "P03",
        "psk-no-modes",
        "pre_shared_key without psk_key_exchange_modes",
        _offers(modes=None),
        ABORT,
        clause=_MODES_CLAUSE,
        history="OpenSSL 1.1.1, wolfSSL",
        peers="TLS-Anvil 8446-mwDQtBNg4o",
    ),
    rows.must(
        "P04",
        "psk-empty-identities",
        "identities empty",
        _offers(lambda ground: _unknown(ground, identities=0)),
        _MALFORMED,
    ),
    rows.must(
        "P05",
        "psk-empty-binders",
        "binders empty",
        _offers(lambda ground: _unknown(ground, binders=0)),
        _MALFORMED,
        peers="TLS-Anvil 8446-1SEHo5n8WM",
    ),
    rows.must(
        "P06",
        "psk-binder-31",
        "binder of 31 bytes",
        _offers(lambda ground: psks(unknown_identity(ground), arbitrary_binder(ground, size=31))),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER, DECRYPT_ERROR),
    ),
    rows.must(
        "P07",
        "psk-binder-count",
        "2 identities, 1 binder",
        _offers(lambda ground: _unknown(ground, identities=2)),
        _MALFORMED,
        peers="BoGo TLS13-ExtraPSKIdentity",
    ),
    rows.must(
        "P08",
        "psk-binder-extra",
        "1 identity, 2 binders",
        _offers(lambda ground: _unknown(ground, binders=2)),
        _MALFORMED,
    ),
    rows.must(
        "P09",
        "psk-identity-0",
        "identity of 0 bytes",
        _offers(lambda ground: psks(identity(b""), arbitrary_binder(ground))),
        _MALFORMED,
    ),
    rows.must(
        "P10",
        "psk-dup",
        "pre_shared_key twice, last is last",
        hello(lambda value, ground: _placed(value, ground, last=True)),
        _MALFORMED,
        clause="RFC 9846 4.3, 4.3.11 (RFC 8446 4.2, 4.2.11)",
        peers="TLS-Anvil 8446-K5PYwUqs8E",
    ),
    rows.should(
        "P11",
        "psk-100",
        "100 unknown identities",
        _offers(lambda ground: _unknown(ground, 100, 100)),
        NEGOTIATE,
        version=TLS13,
        needs=("tls13",),
    ),
    rows.must(
        "P12",
        "psk-len-lie",
        "identities length beyond body",
        _offers(lambda ground: b"\x7f\xff" + _unknown(ground)[2:]),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
        history="CVE-2023-6936, CVE-2022-25640 (wolfSSL)",
        peers="TLS-Anvil XLF-kwNxe25ef8",
    ),
    rows.must(
        "P13",
        "psk-trailing",
        "one byte after binders",
        _offers(lambda ground: _unknown(ground) + b"\0"),
        alerts(DECODE_ERROR),
        clause="RFC 9846 4.3, 6",
    ),
    rows.must(
        "P14",
        "pm-empty",
        "psk_key_exchange_modes empty",
        ext(MODES, b"\0"),
        _MALFORMED,
        clause=_MODES_CLAUSE,
    ),
    rows.should(
        "P15",
        "pm-unknown-with-psk",
        "modes [7] only, with PSK",
        _offers(modes=b"\1\7"),
        NEGOTIATE,
        clause=_MODES_CLAUSE,
        version=TLS13,
        needs=("tls13",),
    ),
    rows.free(
        "P16",
        "pm-ke-only",
        "modes [psk_ke] only, with PSK",
        _offers(modes=b"\1\0"),
        ANYTHING,
        clause=_MODES_CLAUSE,
        needs=("tls13",),
    ),
    rows.free(
        "P17",
        "early-data-no-psk",
        "early_data without pre_shared_key",
        ext(EARLY_DATA, b""),
        WAITING,
        clause=_EARLY,
        needs=("tls13",),
        peers="OpenSSL ignores it, others abort",
    ),
    rows.may(
        "P18",
        "early-data-nonempty",
        "early_data with 4 bytes",
        hello(
            lambda value, ground: with_extension(
                with_extension(value, EARLY_DATA, bytes(4)), PRE_SHARED_KEY, _unknown(ground)
            )
        ),
        (*NEGOTIATE, *alerts(DECODE_ERROR)),
        clause="RFC 9846 4.3, 4.3.10 (RFC 8446 4.2.10)",
    ),
    rows.free(
        "P19",
        "psk-13-in-12",
        "pre_shared_key in a hello for 1.2 only",
        _offers(base=OLDER),
        ANYTHING,
        needs=(),
    ),
    rows.must(
        "P20",
        "early-data-garbage",
        "unknown PSK + early_data, then 0-RTT garbage record",
        sent(_garbage),
        NEGOTIATE,
        clause=_EARLY,
        version=TLS13,
        needs=("tls13",),
        peers="tlsfuzzer test-tls13-0rtt-garbage",
    ),
)
