"""Cases of signature_algorithms and signature_algorithms_cert: RFC 9846 section 4.3.3, RFC 5246 section 7.4.1.4.1.

Must not import anything of tlswire but ``fuzz``, ``hello`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from tlswire.fuzz.cases.rows import OLDER, Rows, ext, modern
from tlswire.fuzz.cases.values import ECDHE12, GREASE, UNKNOWN_SCHEME, added, code_list, codes, offered, strict
from tlswire.fuzz.edits import Edit
from tlswire.fuzz.model import (
    ANYTHING,
    DECODE_ERROR,
    HANDSHAKE_FAILURE,
    ILLEGAL_PARAMETER,
    INSUFFICIENT_SECURITY,
    MISSING_EXTENSION,
    NEGOTIATE,
    alerts,
)
from tlswire.fuzz.script import SCHEMES as BASE_SCHEMES
from tlswire.hello.edit import with_schemes, with_suites

_CODE, _CERT = 13, 50
_BODY = "extensions/signature_algorithms/body"
_LIST = f"{_BODY}/value"
_LENGTHS = "RFC 9846 6"
_NEEDS = ("tls13",)
_NO_OVERLAP = alerts(HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY)
# Codes nobody has: their first byte is no hash of TLS 1.2, and none is GREASE.
_MANY = tuple(range(0x3000, 0x3000 + 1999))

rows = Rows("sigalgs", "RFC 9846 4.3.3 (RFC 8446 4.2.3)")
CASES = (
    rows.must(
        "D01",
        "sig-missing-13",
        "no signature_algorithms, 1.3 only",
        strict(_CODE, None),
        alerts(MISSING_EXTENSION),
        clause="RFC 9846 4.3.3, 9.2 (RFC 8446 4.2.3)",
        needs=_NEEDS,
        peers="TLS-Anvil 8446-kAJgkp7NBf",
    ),
    rows.must(
        "D02",
        "sig-empty",
        "signature_algorithms empty list",
        modern(Edit("data", _LIST, b"")),
        alerts(DECODE_ERROR, ILLEGAL_PARAMETER, HANDSHAKE_FAILURE),
    ),
    rows.must(
        "D03",
        "sig-odd",
        "list of 3 bytes",
        modern(Edit("data", _LIST, b"\4\3\4")),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
        peers="tlsfuzzer test-sig-algs",
    ),
    rows.must(
        "D04",
        "sig-only-unknown",
        "only 0x7777, 1.3 only",
        strict(_CODE, code_list(UNKNOWN_SCHEME)),
        _NO_OVERLAP,
        clause="RFC 9846 4.2.1, 4.5.1.2 (RFC 8446 4.1.1, 4.4.2.2)",
        needs=_NEEDS,
    ),
    rows.must(
        "D05",
        "sig-only-pkcs1-13",
        "only rsa_pkcs1_*, 1.3 only",
        strict(_CODE, code_list(0x0401, 0x0501, 0x0601)),
        _NO_OVERLAP,
        needs=_NEEDS,
        peers="TLS-Anvil 8446-3WqNtgoV2Z",
    ),
    rows.must(
        "D06",
        "sig-grease",
        "GREASE first",
        modern(Edit("insert", _LIST, codes(GREASE))),
        NEGOTIATE,
        clause="RFC 8701 3.1",
        peers="TLS-Anvil 8701-ek86W17BUz",
    ),
    rows.must(
        "D07",
        "sig-2000",
        "2000 schemes, those of the base last",
        modern(Edit("insert", _LIST, codes(*_MANY[: 2000 - len(BASE_SCHEMES)]))),
        NEGOTIATE,
        clause="RFC 9846 4.3.3, 9.3 (RFC 8446 4.2.3)",
        peers="tlsfuzzer test-sig-algs (up to 2^15-2)",
    ),
    rows.free(
        "D08",
        "sig-missing-12",
        "no signature_algorithms, TLS 1.2 (default sha1)",
        ext(_CODE, None, OLDER),
        ANYTHING,
        clause="RFC 5246 7.4.1.4.1; RFC 9155 2",
    ),
    rows.must(
        "D09",
        "sig-len-over",
        "list length too long",
        modern(Edit("length-by", _LIST, 2)),
        alerts(DECODE_ERROR),
        clause=_LENGTHS,
    ),
    rows.must("D10", "sig-zero-body", "extension without body", ext(_CODE, b""), alerts(DECODE_ERROR), clause=_LENGTHS),
    # With the suites of RSA key transport a server could go on without any signature.
    rows.must(
        "D11",
        "sig-md5-only-12",
        "only rsa_md5 (0x0101), TLS 1.2, ECDHE suites alone",
        offered(lambda value: with_suites(with_schemes(value, (0x0101,)), ECDHE12), OLDER),
        alerts(HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY, ILLEGAL_PARAMETER),
        clause="RFC 9846 4.3.3 (RFC 8446 4.2.3); RFC 5246 7.4.1.4.1; RFC 9155 4",
        needs=("ecdhe12",),
        history="SLOTH (CVE-2015-7575)",
        peers="tlsfuzzer test-clienthello-md5",
    ),
    rows.must(
        "D12",
        "sigcert-empty",
        "signature_algorithms_cert empty list",
        added((_CERT, bytes(2))),
        alerts(DECODE_ERROR),
        needs=_NEEDS,
        history="CVE-2020-1967, CVE-2021-3449 (OpenSSL, signature_algorithms_cert)",
    ),
    rows.free(
        "D13",
        "sigcert-unknown-only",
        "signature_algorithms_cert only 0x7777",
        added((_CERT, code_list(UNKNOWN_SCHEME))),
        ANYTHING,
        clause="RFC 9846 4.5.1.2 (RFC 8446 4.4.2.2)",
        history="CVE-2020-1967 (OpenSSL)",
    ),
    rows.must(
        "D14",
        "sig-all-zero",
        "scheme 0x0000 plus known",
        modern(Edit("insert", _LIST, codes(0))),
        NEGOTIATE,
        clause="RFC 9846 4.3.3, 9.3 (RFC 8446 4.2.3)",
    ),
)
