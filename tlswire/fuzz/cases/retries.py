"""Cases of HelloRetryRequest: a first hello without a share, and what the second one does with what was asked; suites repeated.

Source: RFC 9846 sections 4.2.2, 4.2.4 and 5.
Must not import anything of tlswire but ``errors``, ``fuzz``, ``hello`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.cases.rows import Made, Rows, sent
from tlswire.fuzz.cases.values import share, vector
from tlswire.fuzz.model import (
    ABORT,
    ANYTHING,
    BAD_RECORD_MAC,
    FLIGHT,
    NEGOTIATE,
    UNEXPECTED_MESSAGE,
    alerts,
)
from tlswire.fuzz.script import GROUPS, TLS12, TLS13, X25519, message_of, records, script_of, tree_of
from tlswire.hello.edit import KEY_SHARE, VERSIONS, with_extension, with_server_name, with_suites
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, fragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.script import Ground, Script
    from tlswire.wire.messages import ClientHello, ServerHello

COOKIE, EARLY_DATA = 44, 42
CCS = fragment(CHANGE_CIPHER_SPEC, TLS12, b"\1")


def without_share(hello: ClientHello) -> ClientHello:
    """The hello that asks for a HelloRetryRequest."""
    return with_extension(hello, KEY_SHARE, bytes(2))


def updated(first: ClientHello, retry: ServerHello, ground: Ground) -> ClientHello:
    """The second hello as RFC 9846 section 4.2.2 wants it: the share asked for, the cookie given, nothing else."""
    if isinstance(retry.group, int):
        first = with_extension(first, KEY_SHARE, vector(2, share(ground, retry.group)))
    cookie = retry.raw_extension(COOKIE)
    return first if cookie is None else with_extension(first, COOKIE, cookie)


def second(hello: ClientHello, before: bytes = b"", size: int = 1 << 14) -> tuple[bytes, bytes]:
    """What ``Script.again`` gives for a second hello, ``before`` in front of it."""
    message = message_of(tree_of(hello))
    return before + records(message, size, TLS12), message


def _retried(change: Callable[[ClientHello, ServerHello, Ground], ClientHello] | None = None, **more: object) -> Made:
    """A hello without a share, then the correct second one, changed by ``change``; ``more`` as for ``second``."""

    def make(ground: Ground) -> Script:
        first = without_share(ground.modern)

        def again(retry: ServerHello) -> tuple[bytes, bytes]:
            hello = updated(first, retry, ground)
            return second(hello if change is None else change(hello, retry, ground), **more)  # type: ignore[arg-type]

        return script_of(first, again=again)

    return sent(make)


def _instead(data: bytes) -> Made:
    """``data`` where the second hello belongs."""
    return sent(lambda ground: script_of(without_share(ground.modern), again=lambda _: (data, b"")))


def _another(hello: ClientHello, retry: ServerHello, ground: Ground) -> ClientHello:
    group = next(code for code in GROUPS if code != retry.group)
    return with_extension(hello, KEY_SHARE, vector(2, share(ground, group)))


def _both(hello: ClientHello, retry: ServerHello, ground: Ground) -> ClientHello:
    asked = retry.group if isinstance(retry.group, int) else X25519
    offered = hello.groups
    groups = sorted((asked, next(code for code in GROUPS if code != asked)), key=offered.index)
    return with_extension(hello, KEY_SHARE, vector(2, b"".join(share(ground, group) for group in groups)))


def _cookie(hello: ClientHello, retry: ServerHello, _: Ground) -> ClientHello:
    given = retry.raw_extension(COOKIE)
    altered = vector(2, bytes(32)) if given is None else given[:-1] + bytes((given[-1] ^ 1,))
    return with_extension(hello, COOKIE, altered)


def _other_random(hello: ClientHello, _: ServerHello, ground: Ground) -> ClientHello:
    return msgspec.structs.replace(hello, random=ground.random("X07").randbytes(32))


def _other_session(hello: ClientHello, _: ServerHello, ground: Ground) -> ClientHello:
    return msgspec.structs.replace(hello, session_id=ground.random("X08").randbytes(32))


def _other_suites(hello: ClientHello, retry: ServerHello, _: Ground) -> ClientHello:
    return msgspec.structs.replace(hello, suites=tuple(code for code in hello.suites if code != retry.suite))


def suite_repeated(hello: ClientHello, times: int, suite: int | None = None) -> ClientHello:
    """The hello with ``suite`` (None: its first) so many times before its own."""
    return with_suites(hello, (*(hello.suites[0] if suite is None else suite,) * times, *hello.suites))


def _repeating(times: int, *, again: bool) -> Made:
    """The first suite so often in the first hello, and in the second where ``again``."""

    def make(ground: Ground) -> Script:
        first = without_share(suite_repeated(ground.modern, times))

        def after(retry: ServerHello) -> tuple[bytes, bytes]:
            return second(updated(first if again else without_share(ground.modern), retry, ground))

        return script_of(first, again=after)

    return sent(make)


_SAME = "RFC 9846 4.2.2 (RFC 8446 4.1.2)"
_DROPPED = "RFC 9846 5, E.4 (RFC 8446 5, D.4)"

# Nothing forbids a suite to be named twice; who counts them into a list of his own had better count right.
repeated = Rows("duplicates", "RFC 9846 4.2.2 (RFC 8446 4.1.2)", ("tls13", "retry"))
_REPEATED = (
    repeated.free(
        "U01",
        "suites-300-twice",
        "one suite 300 times in both hellos of a retry",
        _repeating(300, again=True),
        ANYTHING,
        history="CVE-2022-39173 (wolfSSL before 5.5.1)",
    ),
    repeated.free(
        "U02",
        "suites-300-first",
        "one suite 300 times in the first hello alone",
        _repeating(300, again=False),
        ANYTHING,
    ),
    repeated.free("U03", "suites-2-twice", "one suite twice in both hellos", _repeating(2, again=True), ANYTHING),
    repeated.must(
        "U04",
        "one-suite-300",
        "one suite 300 times, no retry",
        sent(lambda ground: script_of(suite_repeated(ground.modern, 300))),
        NEGOTIATE,
        needs=(),
    ),
)

rows = Rows("hrr", "RFC 9846 4.2.4 (RFC 8446 4.1.4)", ("tls13", "retry"))
CASES = (
    rows.must(
        "X01",
        "ch2-good",
        "correct second hello",
        _retried(),
        (FLIGHT,),
        version=TLS13,
        peers="TLS-Anvil 8446-7STiGzfK9u",
    ),
    rows.must(
        "X02",
        "ch2-same",
        "second hello repeats the first (no share)",
        _retried(lambda value, _, __: without_share(value)),
        ABORT,
        clause="RFC 9846 4.2.4, 4.3.8 (RFC 8446 4.1.4, 4.2.8)",
    ),
    rows.must(
        "X03",
        "ch2-wrong-group",
        "share for another group than asked",
        _retried(_another),
        ABORT,
        clause="RFC 9846 4.2.1, 4.3.8 (RFC 8446 4.2.8)",
        peers="tlsfuzzer test-tls13-hrr",
    ),
    # X04 to X08, X10, X16: section 4.2.2 says what the client may change, and nothing of a server that looks.
    rows.free("X04", "ch2-two-shares", "asked share plus another", _retried(_both), ANYTHING, clause=_SAME),
    rows.free(
        "X05",
        "ch2-unsolicited-cookie",
        "cookie although none was given (or altered)",
        _retried(_cookie),
        ANYTHING,
        clause=_SAME,
    ),
    rows.free(
        "X06",
        "ch2-suites-changed",
        "suite list changed, selected one removed",
        _retried(_other_suites),
        ANYTHING,
        clause=_SAME,
    ),
    rows.free("X07", "ch2-random-changed", "random changed", _retried(_other_random), ANYTHING, clause=_SAME),
    rows.free("X08", "ch2-sid-changed", "session id changed", _retried(_other_session), ANYTHING, clause=_SAME),
    rows.must(
        "X09",
        "ch2-no-sv",
        "supported_versions removed",
        _retried(lambda value, _, __: with_extension(value, VERSIONS, None)),
        ABORT,
    ),
    rows.free(
        "X10",
        "ch2-early-data",
        "early_data in second hello",
        _retried(lambda value, _, __: with_extension(value, EARLY_DATA, b"")),
        ANYTHING,
        clause="RFC 9846 4.2.2, 4.3.10 (RFC 8446 4.1.2, 4.2.10)",
    ),
    rows.must(
        "X11",
        "ch2-ccs-before",
        "CCS before second hello",
        _retried(before=CCS),
        (FLIGHT,),
        clause=_DROPPED,
        version=TLS13,
    ),
    rows.must(
        "X12",
        "ch2-two-ccs",
        "two CCS before second hello",
        _retried(before=CCS * 2),
        (FLIGHT,),
        clause=_DROPPED,
        version=TLS13,
        history="CVE-2020-12457 (wolfSSL)",
        peers="tlsfuzzer test-tls13-multiple-ccs-messages",
    ),
    rows.must(
        "X13",
        "ch2-fragmented",
        "second hello in 1-byte records",
        _retried(size=1),
        (FLIGHT,),
        clause="RFC 9846 5.1",
        version=TLS13,
    ),
    rows.must(
        "X14",
        "ch2-bad-ccs",
        "CCS with value 2",
        _retried(before=fragment(CHANGE_CIPHER_SPEC, TLS12, b"\2")),
        alerts(UNEXPECTED_MESSAGE),
        clause="RFC 9846 5",
        peers="tlsfuzzer test-tls13-ccs",
    ),
    rows.must(
        "X15",
        "ch2-appdata",
        "application data instead of second hello",
        _instead(fragment(APPLICATION_DATA, TLS12, bytes(64))),
        alerts(UNEXPECTED_MESSAGE, BAD_RECORD_MAC),
        clause="RFC 9846 4.2.4, 5, 6.2 (RFC 8446 4.1.4, 5)",
    ),
    rows.free(
        "X16",
        "ch2-sni-changed",
        "server_name changed",
        _retried(lambda value, _, __: with_server_name(value, b"other.example")),
        ANYTHING,
        clause=_SAME,
    ),
    *_REPEATED,
)
