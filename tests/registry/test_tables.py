from __future__ import annotations

import shutil
import subprocess

import pytest

from tlswire import registry
from tlswire.errors import LookupFailedError
from tlswire.registry import EXTENSIONS, GROUPS, SSLV2_KINDS, SUITES, VERSIONS, Table

TABLES = {name: value for name, value in vars(registry).items() if isinstance(value, Table)}

# Where scapy and tlslite-ng spell a suite otherwise than IANA, or use a code that never was registered.
SPELT_OTHERWISE = {
    0x0026: "scapy writes DES40_CBC for IANA's DES_CBC_40",
    0x0029: "scapy writes DES40_CBC for IANA's DES_CBC_40",
    0xC0AA: "IANA's own name is TLS_PSK_DHE_WITH_AES_128_CCM_8",
    0xC0AB: "IANA's own name is TLS_PSK_DHE_WITH_AES_256_CCM_8",
    0xCCA1: "a draft's code; the table appends DRAFT00",
    0xCCA2: "a draft's code; the table appends DRAFT00",
    0xCCA3: "a draft's code; the table appends DRAFT00",
}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_loads_with_unique_codes_and_names(name: str) -> None:
    table = TABLES[name]
    assert len(table) > 0
    assert len({row.code for row in table}) == len(table)
    assert len({row.name for row in table}) == len(table)
    for row in table:
        assert table[row.code] is row
        assert table.find(row.name).code == row.code


@pytest.mark.parametrize("table", [SUITES, SSLV2_KINDS], ids=["suites", "kinds"])
def test_openssl_names_lead_to_the_same_row(table: Table[registry.SuiteRow]) -> None:
    for row in table:
        if row.openssl_name:
            assert table.find(row.openssl_name).openssl_name == row.openssl_name


def test_unknown_codes_are_values() -> None:
    row = SUITES[0xFFFE]
    assert (row.code, row.name, row.status) == (0xFFFE, "0xFFFE", "unknown")
    assert GROUPS[0xFFF1].name == "0xFFF1"
    assert 0xFFFE not in SUITES


@pytest.mark.parametrize("text", ["0xC02F", "0xc0,0x2f", "{0xC0,0x2F}", "49199"])
def test_numbers_in_any_notation(text: str) -> None:
    assert SUITES.find(text).name == "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"


@pytest.mark.parametrize("text", ["", "-", "TLS_NOPE", "0x10000", "-1"])
def test_what_is_no_suite_is_refused(text: str) -> None:
    with pytest.raises(LookupFailedError):
        SUITES.find(text)


def test_a_misspelt_name_is_told_its_neighbours() -> None:
    with pytest.raises(LookupFailedError, match="did you mean TLS_RSA_WITH_RC4_128_SHA"):
        SUITES.find("TLS_RSA_WITH_RC4_128_SHAA")


def test_search_folds_case_and_punctuation() -> None:
    assert {row.name for row in GROUPS.search("x25519-mlkem768")} == {"X25519MLKEM768"}
    assert GROUPS.search("") == ()


def test_versions_named_by_suites_exist() -> None:
    for row in SUITES:
        assert VERSIONS.find(row.min_version).code <= VERSIONS.find(row.max_version).code


def test_extensions_know_their_messages() -> None:
    assert EXTENSIONS[51].messages == {"ch", "sh", "hrr"}
    assert EXTENSIONS[35].messages == frozenset()


def test_agrees_with_openssl() -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on PATH")
    command = ["openssl", "ciphers", "-V", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) > 50
    for line in lines:
        code, _, name = line.split()[:3]
        assert SUITES.find(code).openssl_name == name


def test_agrees_with_tlslite() -> None:
    constants = pytest.importorskip("tlslite.constants")
    for code, name in constants.CipherSuite.ietfNames.items():
        if code not in SPELT_OTHERWISE:
            table = SUITES if code < 0x10000 else SSLV2_KINDS
            assert table[code].name.lower() == name.lower()


def test_agrees_with_scapy() -> None:
    suites = pytest.importorskip("scapy.layers.tls.crypto.suites")._tls_cipher_suites
    assert len(suites) > 250
    for code, name in suites.items():
        if code not in SPELT_OTHERWISE:
            table = SUITES if code < 0x10000 else SSLV2_KINDS
            assert table[code].name.lower() == name.lower()
