from __future__ import annotations

import pytest

from tlswire.registry import SCSV, SSLV2_KINDS, SUITES
from tlswire.registry.ratings import OLD_VERSIONS, REASONS, grade, reasons_against, suite_row

GRADES = [
    ("TLS_AES_128_GCM_SHA256", "strong", ()),
    ("TLS_CHACHA20_POLY1305_SHA256", "strong", ()),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "strong", ()),
    ("TLS_DHE_RSA_WITH_AES_256_CCM", "strong", ()),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "legacy", ("not-aead",)),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", "legacy", ("no-forward-secrecy",)),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", "legacy", ("no-forward-secrecy", "not-aead")),
    ("TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256", "legacy", ("no-forward-secrecy",)),
    ("TLS_PSK_WITH_AES_128_GCM_SHA256", "legacy", ("no-forward-secrecy",)),
    ("TLS_RSA_WITH_RC4_128_SHA", "weak", ("rc4", "no-forward-secrecy")),
    ("TLS_RSA_WITH_RC4_128_MD5", "weak", ("rc4", "md5", "no-forward-secrecy")),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "weak", ("block64", "no-forward-secrecy", "not-aead")),
    ("TLS_RSA_WITH_IDEA_CBC_SHA", "weak", ("block64", "no-forward-secrecy", "not-aead")),
    ("TLS_RSA_WITH_DES_CBC_SHA", "weak", ("short-key", "no-forward-secrecy", "not-aead")),
    ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", "weak", ("export", "rc4", "md5", "no-forward-secrecy")),
    ("TLS_RSA_WITH_NULL_SHA", "weak", ("null-encryption",)),
    ("TLS_SHA256_SHA256", "weak", ("null-encryption",)),
    ("TLS_DH_anon_WITH_AES_128_GCM_SHA256", "weak", ("anonymous",)),
    ("TLS_ECDH_anon_WITH_AES_128_CBC_SHA", "weak", ("anonymous", "not-aead")),
]


@pytest.mark.parametrize(("name", "expected", "ids"), GRADES)
def test_the_table(name: str, expected: str, ids: tuple[str, ...]) -> None:
    row = SUITES.find(name)
    assert grade(row) == expected
    assert tuple(reason.id for reason in reasons_against(row)) == ids


def test_what_the_names_say_is_rated_so() -> None:
    for row in SUITES:
        if row.code in SCSV:
            continue
        verdict = grade(row)
        if any(
            mark in row.name for mark in ("NULL", "EXPORT", "anon", "RC4", "_DES_", "RC2", "3DES", "IDEA", "FORTEZZA")
        ):
            assert verdict == "weak", row.name
        if verdict == "strong":
            assert row.pfs or row.min_version == "TLS 1.3", row.name
            assert "CBC" not in row.name, row.name
            assert row.bits >= 112, row.name
            assert row.enc not in {"", "NULL"}, row.name


def test_every_grade_but_strong_has_its_reason() -> None:
    for row in SUITES:
        if row.code not in SCSV:
            assert (grade(row) == "strong") == (not reasons_against(row)), row.name


def test_all_of_sslv2_is_weak() -> None:
    assert {grade(suite_row(0x0002, row.code)) for row in SSLV2_KINDS} <= {"weak", "legacy"}
    assert OLD_VERSIONS[0x0002][0] == "weak"


def test_unknown_codes_are_not_rated() -> None:
    assert grade(SUITES[0x0A0B]) == "unrated"
    assert reasons_against(SUITES[0x0A0B]) == ()


def test_the_reasons_are_told_with_their_sources() -> None:
    assert len({reason.id for reason in REASONS}) == len(REASONS)
    for reason in REASONS:
        assert reason.category in {"weak", "legacy", "no-forward-secrecy"}
        assert reason.text
        assert "RFC" in reason.source or "CVE" in reason.source


def test_the_old_versions() -> None:
    assert {code: category for code, (category, _) in OLD_VERSIONS.items()} == {
        0x0002: "weak",
        0x0300: "weak",
        0x0301: "legacy",
        0x0302: "legacy",
    }
