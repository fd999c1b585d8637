"""Cases of key_share: RFC 9846 section 4.3.8, RFC 7748, RFC 10024 (X25519MLKEM768).

Shares that a server may go on with are real, so that its flight can be opened.
Must not import anything of tlswire but ``fuzz``, ``hello`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.fuzz.cases.rows import OLDER, Made, Rows, ext, hello, modern
from tlswire.fuzz.cases.values import (
    ECDHE12,
    GREASE,
    UNKNOWN_GROUP,
    code_list,
    entry,
    offered,
    share,
    with_shares,
)
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.model import (
    ASK_AGAIN,
    DECODE_ERROR,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    INSUFFICIENT_SECURITY,
    MISSING_EXTENSION,
    NEGOTIATE,
    alerts,
)
from tlswire.fuzz.script import FFDHE2048, SECP256R1, TLS13, X25519, X25519MLKEM768
from tlswire.hello.edit import GROUPS, KEY_SHARE, with_extension, with_suites
from tlswire.hello.shares import probe_share

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.model import Case
    from tlswire.fuzz.script import Ground

_BODY = "extensions/key_share/body"
_LIST = f"{_BODY}/value"
_LENGTHS = "RFC 9846 6"
_MALFORMED = alerts(ILLEGAL_PARAMETER, DECODE_ERROR)
_NOT_ZERO = "RFC 9846 7.4.2; RFC 7748 6.1"
_POINT = "RFC 9846 4.3.8.2 (RFC 8446 4.2.8.2)"
_FIELD = "RFC 9846 4.3.8.1 (RFC 8446 4.2.8.1)"
_HYBRID = "RFC 10024"
_MLKEM_KEY = 1184  # bytes of an encapsulation key, the first part of the share

# FIPS 186-4 appendix D.1.2.3.
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
# RFC 7748 section 6.1 and the list of points of small order: u of a point of order 8.
_ORDER_8 = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")


def _only(group: int, change: Callable[[bytes], bytes]) -> Made:
    """A hello for ``group`` alone, its key_exchange as ``change`` makes it of a real one."""

    def made(ground: Ground) -> bytes:
        return entry(group, change(share(ground, group)[4:]))

    return hello(lambda value, ground: with_shares(value, (group,), made(ground)))


def _point(change: Callable[[bytes, bytes], bytes]) -> Made:
    """A hello for secp256r1 alone, its point as ``change`` makes it of the coordinates of a real one."""
    return _only(SECP256R1, lambda point: change(point[1:33], point[33:]))


def _overflowing() -> bytes:
    """The uncompressed point of the smallest x, written as x + p: a server that reduces it takes it for one."""
    x = 1
    while True:
        square = (x**3 - 3 * x + _B) % _P
        y = pow(square, (_P + 1) // 4, _P)
        if y * y % _P == square:
            return b"\4" + (x + _P).to_bytes(32, "big") + y.to_bytes(32, "big")
        x += 1


def _others(ground: Ground, *groups: int) -> bytes:
    return b"".join(share(ground, group) for group in groups)


# Shares of one group and which make nothing but an abort: id, name, what is wrong, how it is made, alerts, clause.
_X25519 = (
    ("K09", "ks-x25519-31", "x25519 share of 31 bytes", lambda key: key[:31], _MALFORMED, _POINT),
    ("K10", "ks-x25519-33", "x25519 share of 33 bytes", lambda key: key + b"\0", _MALFORMED, _POINT),
    ("K11", "ks-x25519-1", "x25519 share of 1 bytes", lambda key: key[:1], _MALFORMED, _POINT),
)
_LOW_ORDER = (
    ("K12", "ks-x25519-zero", "x25519 share all zero", bytes(32)),
    ("K13", "ks-x25519-one", "x25519 share u=1 (low order)", b"\1" + bytes(31)),
    ("K14", "ks-x25519-order8", "x25519 share of order 8", _ORDER_8),
)
_BAD_POINTS = (
    ("K17", "ks-p256-off-curve", "P-256 point not on the curve", lambda x, y: b"\4" + x + y[:-1] + bytes((y[-1] ^ 1,))),
    ("K22", "ks-p256-zero", "P-256 point 04 00..00", lambda _, __: b"\4" + bytes(64)),
    ("K23", "ks-p256-x-ge-p", "P-256 x >= p", lambda _, __: _overflowing()),
)
_OTHER_FORMS = (
    ("K18", "ks-p256-compressed", "P-256 compressed point", lambda x, y: bytes((2 + (y[-1] & 1),)) + x),
    ("K19", "ks-p256-infinity", "P-256 point at infinity (00)", lambda _, __: b"\0"),
    ("K20", "ks-p256-64", "P-256 share without 04 prefix", lambda x, y: x + y),
    ("K21", "ks-p256-hybrid", "P-256 hybrid form 07", lambda x, y: bytes((6 + (y[-1] & 1),)) + x + y),
)

rows = Rows("keyshare", "RFC 9846 4.3.8 (RFC 8446 4.2.8)", ("tls13",))


def _rejected_x25519() -> tuple[Case, ...]:
    needs = ("tls13", "x25519")
    return (
        *(
            rows.must(code, name, told, _only(X25519, change), allowed, clause=clause, needs=needs)
            for code, name, told, change, allowed, clause in _X25519
        ),
        *(
            rows.must(
                code,
                name,
                told,
                _only(X25519, lambda _, value=value: value),  # type: ignore[misc]
                alerts(ILLEGAL_PARAMETER, HANDSHAKE_FAILURE),
                clause=_NOT_ZERO,
                needs=needs,
                peers="TLS-Anvil 8446-sa4RjSVVNr; tlsfuzzer test-tls13-crfg-curves",
            )
            for code, name, told, value in _LOW_ORDER
        ),
    )


def _rejected_points() -> tuple[Case, ...]:
    needs = ("tls13", "secp256r1")
    return (
        *(
            rows.must(
                code,
                name,
                told,
                _point(change),
                alerts(ILLEGAL_PARAMETER),
                clause=_POINT,
                needs=needs,
                peers="TLS-Anvil 8446-Pew9n1pYvc; tlsfuzzer test-tls13-ecdhe-curves",
            )
            for code, name, told, change in _BAD_POINTS
        ),
        *(
            rows.must(code, name, told, _point(change), _MALFORMED, clause=_POINT, needs=needs)
            for code, name, told, change in _OTHER_FORMS
        ),
    )


CASES = (
    rows.must(
        "K01",
        "ks-empty",
        "key_share with empty list",
        modern(Edit("data", _LIST, b"")),
        ASK_AGAIN,
        clause="RFC 9846 4.2.1, 4.3.8 (RFC 8446 4.1.1, 4.2.8)",
        version=TLS13,
        peers="TLS-Anvil 8446-7STiGzfK9u",
    ),
    rows.must(
        "K02",
        "ks-missing",
        "no key_share, groups present",
        ext(KEY_SHARE, None),
        alerts(MISSING_EXTENSION),
        clause="RFC 9846 9.2",
        peers="TLS-Anvil 8446-jEEunwNUJ3; tlsfuzzer test-tls13-keyshare-omitted",
    ),
    rows.must(
        "K03",
        "ks-and-groups-missing",
        "neither key_share nor supported_groups",
        offered(lambda value: with_extension(with_extension(value, KEY_SHARE, None), GROUPS, None)),
        alerts(MISSING_EXTENSION),
        clause="RFC 9846 9.2",
        peers="TLS-Anvil 8446-GZpjQTKUD4",
    ),
    rows.must(
        "K04",
        "ks-unknown-only",
        "share only for unknown group, x25519 in groups",
        hello(
            lambda value, _: with_shares(
                value, (UNKNOWN_GROUP, X25519, SECP256R1), entry(UNKNOWN_GROUP, bytes(range(32)))
            )
        ),
        ASK_AGAIN,
        clause="RFC 9846 4.2.1 (RFC 8446 4.1.1)",
        version=TLS13,
    ),
    rows.must(
        "K05",
        "ks-not-in-groups",
        "share for x25519, groups only p256",
        hello(lambda value, ground: with_shares(value, (SECP256R1,), share(ground, X25519))),
        (*ASK_AGAIN, *alerts(ILLEGAL_PARAMETER)),
        needs=("tls13", "secp256r1"),
    ),
    rows.may(
        "K06",
        "ks-dup-same",
        "two x25519 shares, equal",
        hello(lambda value, ground: with_shares(value, (X25519,), _others(ground, X25519, X25519))),
        (*NEGOTIATE, *alerts(ILLEGAL_PARAMETER)),
        needs=("tls13", "x25519"),
    ),
    rows.may(
        "K07",
        "ks-dup-diff",
        "two x25519 shares, different",
        hello(
            lambda value, ground: with_shares(
                value, (X25519,), share(ground, X25519), entry(X25519, probe_share(X25519))
            )
        ),
        (*NEGOTIATE, *alerts(ILLEGAL_PARAMETER)),
        needs=("tls13", "x25519"),
    ),
    rows.may(
        "K08",
        "ks-wrong-order",
        "shares in another order than groups",
        hello(lambda value, ground: with_shares(value, (X25519, SECP256R1), _others(ground, SECP256R1, X25519))),
        (*NEGOTIATE, *alerts(ILLEGAL_PARAMETER)),
        peers="TLS-Anvil 8446-9hMnjrCbMV",
    ),
    *_rejected_x25519(),
    rows.must(
        "K15",
        "ks-x25519-highbit",
        "x25519 share with bit 255 set",
        _only(X25519, lambda key: key[:-1] + bytes((key[-1] | 0x80,))),
        NEGOTIATE,
        clause="RFC 7748 5",
        version=TLS13,
        needs=("tls13", "x25519"),
    ),
    rows.must(
        "K16",
        "ks-p256-ok",
        "valid P-256 share",
        _only(SECP256R1, bytes),
        NEGOTIATE,
        clause=_POINT,
        version=TLS13,
        needs=("tls13", "secp256r1"),
    ),
    *_rejected_points(),
    rows.must(
        "K24",
        "ks-zero-len",
        "x25519 share of 0 bytes",
        _only(X25519, lambda _: b""),
        _MALFORMED,
        needs=("tls13", "x25519"),
    ),
    rows.must(
        "K25",
        "ks-list-len-over",
        "client_shares length too long",
        modern(Edit("length-by", _LIST, 1)),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
    ),
    rows.must(
        "K26",
        "ks-list-len-short",
        "client_shares length too short",
        modern(Edit("length-by", _LIST, -1)),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
        peers="TLS-Anvil XLF-kVXshRHqZy",
    ),
    rows.must(
        "K27",
        "ks-trailing",
        "one byte after the list",
        modern(Edit("append", _BODY, b"\0")),
        alerts(DECODE_ERROR),
        clause="RFC 9846 4.3, 6",
    ),
    rows.must(
        "K28", "ks-zero-body", "key_share with empty body", ext(KEY_SHARE, b""), alerts(DECODE_ERROR), clause=_LENGTHS
    ),
    rows.must(
        "K29",
        "ks-grease",
        "GREASE share of 1 byte first",
        hello(
            lambda value, ground: with_shares(
                value, (GREASE, X25519, SECP256R1), entry(GREASE, b"\0"), _others(ground, X25519, SECP256R1)
            )
        ),
        NEGOTIATE,
        clause="RFC 8701 3.1",
        version=TLS13,
        peers="TLS-Anvil 8701-2XMSQq7p9T",
    ),
    rows.must(
        "K30",
        "ks-unknown-10k",
        "unknown-group share of 10000 bytes first",
        hello(
            lambda value, ground: with_shares(
                value,
                (UNKNOWN_GROUP, X25519, SECP256R1),
                entry(UNKNOWN_GROUP, bytes(10000)),
                _others(ground, X25519, SECP256R1),
            )
        ),
        NEGOTIATE,
        clause="RFC 9846 4.3.8, 9.3 (RFC 8446 4.2.8)",
        version=TLS13,
        history="tldr.fail",
        peers="tlsfuzzer test-tls13-unrecognised-groups",
    ),
    rows.must(
        "K31",
        "ks-200-unknown",
        "200 unknown shares then x25519",
        hello(
            lambda value, ground: with_shares(
                value,
                (*range(0x4000, 0x40C8), X25519, SECP256R1),
                *(entry(group, b"\1" * 16) for group in range(0x4000, 0x40C8)),
                _others(ground, X25519, SECP256R1),
            )
        ),
        NEGOTIATE,
        clause="RFC 9846 4.3.8, 9.3 (RFC 8446 4.2.8)",
        version=TLS13,
    ),
    rows.must(
        "K32",
        "ks-mlkem-short",
        "X25519MLKEM768 share of 1215 bytes",
        _only(X25519MLKEM768, lambda key: key[:-1]),
        _MALFORMED,
        clause=_HYBRID,
        needs=("tls13", "mlkem"),
        peers="tlsfuzzer test-tls13-mlkem",
    ),
    rows.must(
        "K33",
        "ks-mlkem-ff",
        "X25519MLKEM768 encapsulation key with coefficients >= q (all ff)",
        _only(X25519MLKEM768, lambda key: b"\xff" * _MLKEM_KEY + key[_MLKEM_KEY:]),
        alerts(ILLEGAL_PARAMETER),
        clause="FIPS 203 7.2; RFC 10024",
        needs=("tls13", "mlkem"),
    ),
    rows.must(
        "K34",
        "ks-mlkem-zero",
        "X25519MLKEM768 all-zero encapsulation key (valid mod q), x25519 zero",
        _only(X25519MLKEM768, lambda key: bytes(len(key))),
        alerts(ILLEGAL_PARAMETER, HANDSHAKE_FAILURE),
        clause="RFC 10024; RFC 9846 7.4.2",
        needs=("tls13", "mlkem"),
    ),
    rows.must(
        "K35",
        "ks-mlkem-ok-form",
        "X25519MLKEM768 well-formed share",
        hello(
            lambda value, ground: with_shares(value, (X25519MLKEM768, X25519, SECP256R1), share(ground, X25519MLKEM768))
        ),
        NEGOTIATE,
        clause="RFC 10024; RFC 9846 4.2.1 (RFC 8446 4.1.1)",
        version=TLS13,
        history="tldr.fail",
    ),
    rows.must(
        "K36",
        "ks-mlkem-12-only",
        "X25519MLKEM768 as only group, TLS 1.2, ECDHE suites alone",
        offered(lambda value: with_suites(with_extension(value, GROUPS, code_list(X25519MLKEM768)), ECDHE12), OLDER),
        alerts(HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY, ILLEGAL_PARAMETER),
        clause="RFC 10024; RFC 8422 4",
        needs=("ecdhe12",),
        peers="tlsfuzzer test-no-mlkem-in-old-tls",
    ),
    rows.must(
        "K37",
        "ks-ffdhe2048-zero",
        "ffdhe2048 share of zeros",
        _only(FFDHE2048, lambda key: bytes(len(key))),
        alerts(ILLEGAL_PARAMETER),
        clause=_FIELD,
        needs=("tls13", "ffdhe2048"),
        peers="TLS-Anvil 8446-5Vqv9qrKQQ",
    ),
    rows.must(
        "K38",
        "ks-ffdhe2048-short",
        "ffdhe2048 share of 255 bytes",
        _only(FFDHE2048, lambda key: key[1:]),
        alerts(ILLEGAL_PARAMETER, DECODE_ERROR, HANDSHAKE_FAILURE),
        clause=_FIELD,
        needs=("tls13", "ffdhe2048"),
        peers="tlsfuzzer test-tls13-ffdhe-groups",
    ),
)
