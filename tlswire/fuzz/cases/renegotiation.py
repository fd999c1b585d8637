"""Cases of a hello under the keys of a complete TLS 1.2 handshake: RFC 5246 section 7.4.1.1, RFC 5746 section 3.7.

A server may refuse any of them by no_renegotiation (RFC 5246 section 7.2.2); only those that renegotiate are asked.
Must not import anything of tlswire but ``fuzz``, ``hello``, ``handshake`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.fuzz.cases.rows import OLDER, Made, Rows, sent
from tlswire.fuzz.cases.values import UNKNOWN_SCHEME, code_list, codes, only13, share, vector, with_shares
from tlswire.fuzz.edits import Edit, applied
from tlswire.fuzz.model import (
    ABORT,
    ANYTHING,
    DECODE_ERROR,
    FLIGHT,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    INSUFFICIENT_SECURITY,
    UNEXPECTED_MESSAGE,
    UNSUPPORTED_EXTENSION,
    alerts,
)
from tlswire.fuzz.resumed import Renewing
from tlswire.fuzz.script import GROUPS as BASE_GROUPS
from tlswire.fuzz.script import SUITES13, TLS12, TLS13, X25519, message_of, script_of, tree_of
from tlswire.handshake.offer import encode, offer
from tlswire.handshake.renegotiation import EMPTY_RENEGOTIATION_SCSV, NO_RENEGOTIATION, RENEGOTIATION_INFO
from tlswire.hello.edit import SCHEMES, VERSIONS, with_extension, with_server_name, with_suites

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.script import Ground, Script
    from tlswire.wire.messages import ClientHello

_SCHEMES_CERT = 50
_BOUND = "extensions/renegotiation_info/body/value"
_LIST = "extensions/signature_algorithms/body/value"


def _renewed(change: Callable[[ClientHello, Ground], bytes]) -> Made:
    """A handshake with the older hello, then the message that ``change`` makes of the valid hello that follows it."""

    def make(ground: Ground) -> Script:
        def client() -> Renewing:
            rng = ground.random("renegotiation")
            return Renewing(offer(ground.older, rng), rng, change=lambda hello: change(hello, ground))

        return script_of(ground.older, client=client)

    return sent(make, OLDER)


def _value(change: Callable[[ClientHello, Ground], ClientHello]) -> Made:
    return _renewed(lambda hello, ground: encode(change(hello, ground)))


def _edited(*edits: Edit) -> Made:
    return _renewed(lambda hello, _: message_of(applied(tree_of(hello), edits)))


def _bound(change: Callable[[bytes], bytes]) -> Made:
    """Another renegotiated_connection (RFC 5746 section 3.2) than the verify_data of the client."""

    def changed(hello: ClientHello, _: Ground) -> ClientHello:
        body = hello.raw_extension(RENEGOTIATION_INFO) or b"\0"
        return with_extension(hello, RENEGOTIATION_INFO, vector(1, change(body[1:])))

    return _value(changed)


def _modern(hello: ClientHello, ground: Ground) -> ClientHello:
    """The hello that offers TLS 1.3, too."""
    hello = with_suites(hello, (*SUITES13, *hello.suites))
    hello = with_extension(hello, VERSIONS, vector(1, codes(TLS13, TLS12)))
    return with_shares(hello, BASE_GROUPS, share(ground, X25519))


_REFUSED = (f"alert:{NO_RENEGOTIATION}",)
_GOES_ON = (FLIGHT, *_REFUSED)
_SECURE = "RFC 5746 3.7"

rows = Rows("renegotiation", "RFC 5246 7.4.1.1", ("renegotiation",))
secure = Rows("renegotiation", _SECURE, ("renegotiation", "renegotiation-info"))
CASES = (
    rows.may("N01", "reneg-valid", "a valid hello", _value(lambda hello, _: hello), _GOES_ON, version=TLS12),
    rows.must(
        "N02",
        "reneg-300-suites",
        "the first suite 300 times",
        _value(lambda hello, _: with_suites(hello, (*hello.suites[:1] * 300, *hello.suites))),
        _GOES_ON,
        clause="RFC 5246 7.4.1.2",
        history="CVE-2022-39173 (wolfSSL, in TLS 1.3)",
    ),
    rows.must(
        "N03",
        "reneg-dup-groups",
        "supported_groups twice",
        _edited(Edit("duplicate", "extensions/supported_groups", 1)),
        (*alerts(ILLEGAL_PARAMETER, DECODE_ERROR, UNEXPECTED_MESSAGE, UNSUPPORTED_EXTENSION), *_REFUSED),
        clause="RFC 5246 7.4.1.4; RFC 9846 4.3",
    ),
    rows.free(
        "N04",
        "reneg-sigcert-only",
        "signature_algorithms_cert without signature_algorithms",
        _value(
            lambda hello, _: with_extension(
                with_extension(hello, SCHEMES, None), _SCHEMES_CERT, code_list(0x0403, 0x0401)
            )
        ),
        ANYTHING,
        clause="RFC 5246 7.4.1.4.1; RFC 9846 4.3.3",
        history="CVE-2021-3449 (OpenSSL before 1.1.1k: the server goes down)",
    ),
    rows.must(
        "N05",
        "reneg-sig-empty",
        "signature_algorithms empty list",
        _edited(Edit("data", _LIST, b"")),
        (*alerts(DECODE_ERROR, ILLEGAL_PARAMETER, HANDSHAKE_FAILURE), *_REFUSED),
        clause="RFC 5246 7.4.1.4.1",
        history="CVE-2015-0291 (OpenSSL 1.0.2: the server goes down)",
    ),
    rows.free(
        "N06",
        "reneg-sig-unknown",
        "signature_algorithms only 0x7777",
        _value(lambda hello, _: with_extension(hello, SCHEMES, code_list(UNKNOWN_SCHEME))),
        ANYTHING,
        clause="RFC 5246 7.4.1.4.1",
        history="CVE-2015-0291 (OpenSSL 1.0.2: the server goes down)",
    ),
    rows.must(
        "N07",
        "reneg-sig-odd",
        "signature_algorithms of 3 bytes",
        _edited(Edit("data", _LIST, b"\4\3\4")),
        (*alerts(DECODE_ERROR), *_REFUSED),
        clause="RFC 9846 6; RFC 5246 7.2.2",
    ),
    secure.must(
        "N08",
        "reneg-verify-bit",
        "verify_data wrong by one bit",
        _bound(lambda data: data[:-1] + bytes((data[-1] ^ 1,))),
        ABORT,
    ),
    secure.must("N09", "reneg-verify-empty", "renegotiated_connection empty", _bound(lambda _: b""), ABORT),
    secure.must(
        "N10", "reneg-verify-short", "verify_data without its last byte", _bound(lambda data: data[:-1]), ABORT
    ),
    secure.must(
        "N11", "reneg-verify-long", "verify_data and 12 bytes more", _bound(lambda data: data + bytes(12)), ABORT
    ),
    secure.must("N12", "reneg-verify-zero", "verify_data of zeros", _bound(lambda data: bytes(len(data))), ABORT),
    secure.must(
        "N13",
        "reneg-no-info",
        "no renegotiation_info",
        _value(lambda hello, _: with_extension(hello, RENEGOTIATION_INFO, None)),
        ABORT,
    ),
    secure.must(
        "N14",
        "reneg-scsv",
        "the SCSV beside renegotiation_info",
        _value(lambda hello, _: with_suites(hello, (*hello.suites, EMPTY_RENEGOTIATION_SCSV))),
        ABORT,
    ),
    secure.must(
        "N15",
        "reneg-info-len-lie",
        "renegotiated_connection longer than its extension",
        _edited(Edit("length-by", _BOUND, 1)),
        ABORT,
        clause="RFC 5746 3.2, 3.7",
    ),
    rows.must(
        "N16",
        "reneg-offers-13",
        "TLS 1.3 and 1.2 offered",
        _value(_modern),
        (*_GOES_ON, *ABORT),
        clause="RFC 9846 4.2.2 (RFC 8446 4.1.2)",
        version=TLS12,
    ),
    rows.must(
        "N17",
        "reneg-only-13",
        "TLS 1.3 alone offered",
        _value(lambda hello, ground: only13(_modern(hello, ground))),
        ABORT,
        clause="RFC 9846 4.2.2, 4.3.1 (RFC 8446 4.1.2, 4.2.1)",
    ),
    rows.free(
        "N18",
        "reneg-other-sni",
        "another server name",
        _value(lambda hello, _: with_server_name(hello, b"other.example")),
        ANYTHING,
        clause="RFC 6066 3",
    ),
    rows.must(
        "N19",
        "reneg-no-suite",
        "only a suite that nobody has",
        _value(lambda hello, _: with_suites(hello, (0x7777,))),
        (*alerts(HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY), *_REFUSED),
        clause="RFC 5246 7.4.1.3",
    ),
    rows.must(
        "N20",
        "reneg-overrun",
        "the extensions' length runs past the message",
        _edited(Edit("length-by", "extensions", 1)),
        (*alerts(DECODE_ERROR), *_REFUSED),
        clause="RFC 9846 6; RFC 5246 7.2.2",
    ),
)
