"""``tlswire registry``: every table, every row, and every way to ask."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tlswire import registry
from tlswire.cli.registry import FACTS, TABLES, Hit, Kind, _as_json, _as_text, aligned
from tlswire.registry import SUITES, Table

from .run import refused, run

EVERY_TABLE = [table for name in registry.__all__ if isinstance(table := getattr(registry, name), Table)]
BY_OPTION = pytest.mark.parametrize("kind", TABLES, ids=lambda kind: kind.option)


def facts(*arguments: str) -> dict[str, str]:
    """The details of the one row found; lines without a label continue the one above."""
    outcome = run("registry", *arguments)
    assert outcome.code == 0, outcome.err
    found = {"name": outcome.lines[0]}
    for line in outcome.lines[1:]:
        if not line.startswith("  "):
            break
        label, _, text = line[2:].partition("  ")
        key = label or list(found)[-1]
        found[key] = f"{found[key]}; {text.strip()}" if key in found else text.strip()
    return found


def rows(*arguments: str) -> list[dict[str, object]]:
    outcome = run("registry", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    found: list[dict[str, object]] = json.loads(outcome.out)
    return found


def test_every_table_has_an_option() -> None:
    assert {id(kind.table) for kind in TABLES} == {id(table) for table in EVERY_TABLE}
    assert len(TABLES) == len(EVERY_TABLE)


@BY_OPTION
def test_a_table_is_listed_whole_and_in_columns(kind: Kind) -> None:
    outcome = run("registry", f"--{kind.option}")
    title, head, *body = outcome.lines
    assert title == f"{len(kind.table)} {kind.title}s"
    assert len(body) == len(kind.table)
    for column in ("CODE", "NAME"):
        assert column in head
    start = head.index("NAME")
    for line, row in zip(body, kind.table, strict=True):
        assert line[start - 2 : start] == "  "
        assert line[start:].startswith(row.name)
        assert line[:start].strip() == kind.code(row)
    assert len(rows(f"--{kind.option}")) == len(kind.table)


@BY_OPTION
def test_every_row_has_text_and_json(kind: Kind) -> None:
    for row in kind.table:
        lines = _as_text([Hit(kind, row)])
        assert lines[0] == row.name
        assert all(line.isascii() and line.isprintable() for line in lines)
        assert lines[2].split() == ["code", kind.code(row)]
        found = json.loads(json.dumps(_as_json(Hit(kind, row))))
        assert found["known"] is True
        assert found.keys() >= {"table", "code", "name", *(fact.key for fact in FACTS[type(row)])}


@BY_OPTION
def test_the_ends_of_a_table_are_found_by_name_and_code(kind: Kind) -> None:
    for row in (kind.table.rows[0], kind.table.rows[-1]):
        for query in (row.name, kind.code(row)):
            assert [found["name"] for found in rows(f"--{kind.option}", query)] == [row.name]


@BY_OPTION
def test_unknown_codes_are_values_and_unknown_names_are_not(kind: Kind) -> None:
    if kind.option not in {"alpn", "dh-primes"}:
        width = len(kind.table.hex(0)) - 2 if kind.table.hex(0) != "0" else 2
        code = next(code for code in range(16**width - 2, 0, -1) if code not in kind.table)
        (found,) = rows(f"--{kind.option}", hex(code))
        assert found == {
            "table": kind.option,
            "code": kind.table.hex(code),
            "name": kind.table.hex(code),
            "known": False,
            "status": "not assigned",
        }
        assert "not assigned" in run("registry", f"--{kind.option}", hex(code)).out
        assert refused(run("registry", f"--{kind.option}", hex(16**width))).endswith(f"the table of {kind.title}s")
    assert "is not in the table of" in refused(run("registry", f"--{kind.option}", "no-such-name-anywhere"))


@pytest.mark.parametrize(
    "query",
    [
        "0xC02F",
        "49199",
        "{0xC0,0x2F}",
        "0xc0,0x2f",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "tls_ecdhe_rsa_with_aes_128_gcm_sha256",
    ],
)
def test_a_suite_shows_all_its_facts(query: str) -> None:
    assert facts(query) == {
        "name": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "table": "cipher suites",
        "code": "0xC02F",
        "OpenSSL name": "ECDHE-RSA-AES128-GCM-SHA256",
        "versions": "TLS 1.2",
        "key exchange": "ECDHE",
        "authentication": "RSA",
        "encryption": "AES-128-GCM",
        "key bits": "128",
        "MAC": "AEAD",
        "PRF": "SHA256",
        "forward secrecy": "yes",
        "export grade": "no",
        "recommended": "yes",
        "reference": "RFC5289",
        "status": "registered with IANA",
        "rating": "strong",
    }


def test_a_weak_suite_says_why() -> None:
    found = facts("TLS_RSA_WITH_RC4_128_MD5")
    assert found["rating"] == "weak"
    assert found["because"].split("; ") == [
        "RC4 (RFC 7465)",
        "MD5 (RFC 6151)",
        "no forward secrecy (RFC 9325 4.1)",
    ]
    assert found["versions"] == "SSLv3 to TLS 1.2"
    assert found["PRF"] == "MD5 and SHA-1 up to TLS 1.1, SHA-256 in TLS 1.2"


def test_a_signalling_value_is_not_rated() -> None:
    found = facts("TLS_FALLBACK_SCSV")
    assert found["rating"] == "signalling value"
    assert "because" not in found


def test_other_tables_show_what_is_theirs() -> None:
    hybrid = facts("X25519MLKEM768")
    assert (hybrid["client share bytes"], hybrid["server share bytes"]) == ("1216", "1120")
    assert hybrid["TLS versions"] == "TLS 1.3"
    assert facts("server_name")["TLS 1.3 messages"] == "ClientHello, EncryptedExtensions, CertificateRequest"
    assert facts("session_ticket")["TLS 1.3 messages"] == "none (not for TLS 1.3)"
    assert facts("handshake_failure")["TLS 1.2 level"] == "fatal"
    assert facts("rsa_pkcs1_sha256")["TLS 1.3 signature"] == "no, in certificates only"
    assert facts("SSLv3")["rating"] == "weak: RFC 7568, POODLE CVE-2014-3566"
    assert facts("h2")["code"] == "0x6832"
    assert facts("0x010080")["name"] == "SSL_CK_RC4_128_WITH_MD5"


def test_free_text_searches_all_tables_or_the_chosen_ones() -> None:
    everywhere = {row["table"] for row in rows("rsa", "--all")}
    assert everywhere == {"suites", "schemes", "signatures", "client-certificate-types"}
    assert {row["table"] for row in rows("--groups", "--schemes", "mlkem")} == {"groups"}
    assert {row["table"] for row in rows("RC4-MD5")} == {"suites", "sslv2"}
    assert run("registry", "RC4-MD5").lines[0] == "1 cipher suite"


def test_a_whole_name_wins_over_those_that_contain_it() -> None:
    assert [row["name"] for row in rows("--groups", "x25519")] == ["x25519"]
    names = [row["name"] for row in rows("--groups", "x25519", "--all")]
    assert names[0] == "x25519"
    assert "X25519MLKEM768" in names


def test_a_number_is_shown_wherever_it_fits() -> None:
    found = {str(row["table"]): row for row in rows("21")}
    assert found.keys() == {kind.option for kind in TABLES} - {"alpn", "dh-primes"}
    assert found["content-types"]["name"] == "alert"
    assert found["extensions"]["name"] == "padding"
    assert {str(row["table"]) for row in rows("0xC02F")} == {
        "suites", "sslv2", "groups", "schemes", "extensions", "versions",
    }  # fmt: skip
    text = run("registry", "21")
    assert "1 content type\n" in text.out
    assert "Not assigned as SSLv2 cipher kind" in text.out
    assert max(map(len, text.lines)) <= 120


def test_grease_is_called_grease() -> None:
    (suite,) = rows("--suites", "0x2A2A")
    assert str(suite["status"]).startswith("GREASE")
    assert {row["table"] for row in rows("0x2A2A") if row["known"]} == {"groups", "extensions", "alpn"}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA265", "did you mean ECDHE-RSA-AES128-GCM-SHA256"),
        ("handshake_falure", "did you mean handshake_failure"),
        ("c02f", "for the number write 0xC02F"),
        ("", "is not in any of these tables"),
        ("-_-", "is not in any of these tables"),
        ("99999999999", "too large"),
        ("a\x1b[2Jb\n\u202e", "'a\\x1b[2Jb\\n\\u202e': is not in"),
        ("x" * 10_000, "is not in any of these tables"),
    ],
)
def test_unknown_names_are_refused_with_near_ones(query: str, says: str) -> None:
    assert says in refused(run("registry", "--", query))


def test_without_arguments_the_tables_are_shown() -> None:
    outcome = run("registry")
    assert outcome.code == 0
    for kind in TABLES:
        assert f"--{kind.option} " in outcome.out
    assert len(rows()) == sum(len(table) for table in EVERY_TABLE)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert aligned(("A", "BITS", "C"), [("aaa", "1", "x"), ("b", "", ""), ("c", "12345", "y")]) == [
        "A     BITS  C",
        "aaa      1  x",
        "b",
        "c    12345  y",
    ]


def test_the_module_runs() -> None:
    command = [sys.executable, "-W", "error", "-m", "tlswire", "registry", "0x1301", "--suites", "--json"]
    done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    assert done.stderr == b""
    assert json.loads(done.stdout)[0]["name"] == SUITES[0x1301].name
