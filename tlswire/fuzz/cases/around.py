"""Cases of the record layer, second part: what stands before a hello, inside it and behind it.

Sources: RFC 9846 sections 4, 5, 5.1 and 6; RFC 5246 sections 6 and 7.2; RFC 6520 section 3.
Must not import anything of tlswire but ``fuzz`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.framing import CCS, EMPTY, FATAL, alert, before, behind, between, framed, handshake, record
from tlswire.fuzz.cases.rows import Made, Rows
from tlswire.fuzz.model import (
    ABORT,
    ANYTHING,
    BAD_RECORD_MAC,
    CLOSE,
    DECODE_ERROR,
    HANG,
    NEGOTIATE,
    UNEXPECTED_MESSAGE,
    alerts,
)
from tlswire.fuzz.script import TLS12
from tlswire.wire.records import ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HEARTBEAT

TLS13 = ("tls13",)
# The answer to the hello is a ServerHello, behind which keys change, and no HelloRetryRequest.
ANSWERED = ("tls13", "x25519")
STRANGE = alerts(UNEXPECTED_MESSAGE)
# In clear where records are encrypted: of an unexpected type, or one that no key opens (RFC 9846 sections 5 and 6.2).
UNPROTECTED = alerts(UNEXPECTED_MESSAGE, BAD_RECORD_MAC)
NOT_BEFORE = "RFC 9846 5; RFC 5246 6"


def _content(content: int) -> Made:
    return framed(lambda message: record(content, message))


rows = Rows("record", "RFC 9846 5.1")
_AROUND = (
    rows.must(
        "R24",
        "rec-warn-interleaved",
        "warning alert between two hello fragments",
        between(alert(112)),
        STRANGE,
        needs=TLS13,
        history="TLS-Anvil 8446-EHgkL2huNs",
    ),
    rows.must(
        "R25",
        "rec-ccs-interleaved",
        "CCS between two hello fragments",
        between(CCS),
        STRANGE,
        clause="RFC 9846 5, 5.1",
        needs=TLS13,
    ),
    rows.must(
        "R26",
        "rec-appdata-interleaved",
        "application_data between two hello fragments",
        between(record(APPLICATION_DATA, b"data")),
        STRANGE,
        clause="RFC 9846 5.1, 6.2",
        needs=TLS13,
    ),
    rows.must(
        "R27",
        "ccs-first",
        "change_cipher_spec record before the hello",
        before(CCS),
        STRANGE,
        clause=NOT_BEFORE,
        peers="a stateless server cannot tell this from the record behind its HelloRetryRequest (RFC 9846 4.3.2)",
    ),
    rows.must(
        "R28",
        "appdata-first",
        "application_data record first",
        before(record(APPLICATION_DATA, b"data")),
        STRANGE,
        clause="RFC 9846 6.2; RFC 5246 7.2.2",
    ),
    rows.must(
        "R29",
        "heartbeat-first",
        "heartbeat record (24) first",
        before(record(HEARTBEAT, b"\1\0\2hi" + bytes(16))),
        (*STRANGE, *NEGOTIATE),
        clause="RFC 9846 5; RFC 6520 3",
        peers="RFC 6520 3: one that arrives during a handshake SHOULD be dropped silently",
    ),
    *(
        rows.must(
            id_,
            f"rec-type-{content}",
            f"unknown record content type {content}",
            _content(content),
            # From 128 on it may be the length of an SSLv2 record that has not come yet (RFC 5246 appendix E.2).
            STRANGE if content < 0x80 else (*ABORT, HANG),
            clause=NOT_BEFORE if content < 0x80 else f"{NOT_BEFORE}, E.2",
        )
        for id_, content in (("R30", 0), ("R31", 19), ("R32", 25), ("R33", 80), ("R34", 255))
    ),
    rows.must(
        "R35",
        "hello-plus-garbage-same-record",
        "hello followed by 1 extra byte in the same record",
        framed(lambda message: handshake(message + b"\0"), tail=True),
        STRANGE,
        needs=ANSWERED,
        history="GHSA-2mjx-qc3c-rqvc rustls, GO-2026-4340",
    ),
    rows.must(
        "R36",
        "two-hellos-one-record",
        "two complete ClientHellos in one record",
        framed(lambda message: handshake(message * 2), tail=True),
        STRANGE,
        clause="RFC 9846 5.1, 4.2.2 (RFC 8446 5.1, 4.1.2)",
        needs=ANSWERED,
        history="GHSA-2mjx-qc3c-rqvc rustls, GO-2026-4340",
    ),
    rows.must(
        "R37",
        "two-hellos-two-records",
        "second ClientHello without HelloRetryRequest",
        framed(lambda message: handshake(message) + handshake(message, TLS12), tail=True),
        UNPROTECTED,
        clause="RFC 9846 4.2.2 (RFC 8446 4.1.2)",
        needs=ANSWERED,
        history="TLS-Anvil XSM-FeqjZ8aw4M",
    ),
)

_ALERTS = (
    rows.free(
        "R38",
        "warn-alert-first",
        "warning unrecognized_name before the hello",
        before(alert(112)),
        ANYTHING,
        clause="RFC 9846 6; RFC 5246 7.2.2",
        peers="RFC 9846 6 makes it an error whatever its level, RFC 5246 leaves it to the receiver",
    ),
    rows.free(
        "R39",
        "warn-alert-x64",
        "64 warning alerts before the hello",
        before(*[alert(112)] * 64),
        ANYTHING,
        clause="RFC 9846 6; RFC 5246 7.2.2",
        history="CVE-2016-8610 (SSL Death Alert); tlsfuzzer test-ssl-death-alert",
    ),
    rows.must(
        "R40",
        "fatal-alert-first",
        "fatal handshake_failure as first record",
        before(alert(40, FATAL)),
        (CLOSE,),
        clause="RFC 9846 6, 6.2; RFC 5246 7.2.2",
    ),
    rows.must(
        "R41",
        "close-notify-first",
        "close_notify as first record",
        before(alert(0)),
        (*ABORT, HANG),
        clause="RFC 9846 6.1; RFC 5246 7.2.1",
    ),
    rows.must("R42", "alert-1byte-first", "alert record of 1 byte", before(record(ALERT, b"\1")), ABORT, needs=TLS13),
    rows.must(
        "R43",
        "alert-empty-first",
        "alert record of 0 bytes",
        before(record(ALERT, b"")),
        alerts(UNEXPECTED_MESSAGE, DECODE_ERROR),
        needs=TLS13,
        history="tlsfuzzer test-tls13-empty-alert",
    ),
    rows.must(
        "R44",
        "alert-bad-level",
        "alert with level 255",
        before(alert(40, 255)),
        ABORT,
        clause="RFC 9846 6",
        needs=TLS13,
    ),
)

_FORMS = (
    rows.free(
        "R50",
        "rec-empty-x33-middle",
        "33 zero-length handshake records between two fragments",
        between(*[EMPTY] * 33),
        ANYTHING,
        history="OpenSSL MAX_EMPTY_RECORDS 32",
    ),
    rows.free(
        "R51",
        "rec-empty-last",
        "zero-length handshake record behind the hello",
        behind(handshake(b"", TLS12)),
        ANYTHING,
    ),
    rows.must(
        "R54",
        "rec-ccs-interleaved-0300",
        "CCS of record version 0300 between two fragments of version 0301",
        between(record(CHANGE_CIPHER_SPEC, b"\1", 0x0300)),
        STRANGE,
        clause="RFC 9846 5, 5.1",
        needs=TLS13,
    ),
    rows.must(
        "R55",
        "ccs-behind-hello",
        "change_cipher_spec record behind the hello",
        behind(CCS),
        NEGOTIATE,
        clause="RFC 9846 5",
        needs=TLS13,
    ),
    rows.must(
        "R56",
        "ccs-x3-behind-hello",
        "three change_cipher_spec records behind the hello",
        behind(CCS, CCS, CCS),
        NEGOTIATE,
        clause="RFC 9846 5",
        needs=TLS13,
        history="CVE-2020-12457; tlsfuzzer test-tls13-multiple-ccs-messages",
    ),
    *(
        rows.must(
            id_,
            f"ccs-{name}-behind-hello",
            f"change_cipher_spec record {said} behind the hello",
            behind(record(CHANGE_CIPHER_SPEC, body, TLS12)),
            allowed,
            clause="RFC 9846 5",
            needs=ANSWERED,
        )
        for id_, name, said, body, allowed in (
            ("R57", "value-2", "of value 2", b"\2", STRANGE),
            ("R58", "two-bytes", "of two bytes", b"\1\1", STRANGE),
            ("R59", "empty", "of no byte", b"", alerts(UNEXPECTED_MESSAGE, DECODE_ERROR)),
        )
    ),
    rows.must(
        "R60",
        "appdata-behind-hello",
        "application_data that no key opens behind a hello without early_data",
        behind(record(APPLICATION_DATA, bytes(64), TLS12)),
        alerts(BAD_RECORD_MAC),
        clause="RFC 9846 5.2",
        needs=ANSWERED,
        history="tlsfuzzer test-tls13-0rtt-garbage",
    ),
    rows.must(
        "R61",
        "hello-split-behind-message",
        "HelloRequest and half of the hello in one record, the rest in the next",
        framed(lambda message: handshake(bytes(4) + message[:100]) + handshake(message[100:])),
        STRANGE,
        clause="RFC 9846 4",
    ),
    rows.must(
        "R62",
        "hello-split-before-message",
        "half of the hello in one record; the rest and a Finished in the next",
        framed(
            lambda message: handshake(message[:100]) + handshake(message[100:] + b"\x14\0\0\x20" + bytes(32)), tail=True
        ),
        STRANGE,
        needs=ANSWERED,
        history="GHSA-2mjx-qc3c-rqvc rustls, GO-2026-4340",
    ),
    rows.must(
        "R63",
        "second-hello-split",
        "the hello and half of a second one in one record, its rest in the next",
        framed(lambda message: handshake(message + message[:100]) + handshake(message[100:], TLS12), tail=True),
        UNPROTECTED,
        needs=ANSWERED,
    ),
    rows.must(
        "R64",
        "close-notify-interleaved",
        "close_notify between two hello fragments",
        between(alert(0)),
        (*ABORT, HANG),
        clause="RFC 9846 5.1, 6.1; RFC 5246 7.2.1",
    ),
    rows.must(
        "R65",
        "alert-two-in-one-record",
        "two warnings in one alert record before the hello",
        before(record(ALERT, bytes((1, 112)) * 2)),
        ABORT,
        needs=TLS13,
    ),
    rows.must(
        "R66",
        "alert-error-as-warning",
        "handshake_failure at level warning before the hello",
        before(alert(40)),
        ABORT,
        clause="RFC 9846 6",
        needs=TLS13,
    ),
    rows.must(
        "R67",
        "alert-unknown",
        "alert 200 at level warning before the hello",
        before(alert(200)),
        ABORT,
        clause="RFC 9846 6",
        needs=TLS13,
    ),
    rows.free(
        "R70",
        "user-canceled-first",
        "user_canceled before the hello",
        before(alert(90)),
        ANYTHING,
        clause="RFC 9846 6.1",
    ),
)

CASES = (*_AROUND, *_ALERTS, *_FORMS)
