"""What a hello could still get of a server that keeps a policy: of real clients, and of hellos made to just miss it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import tlswire
from tests.policy.test_sessions import ABOUT_SESSIONS, HELLOS
from tests.report.made import hello
from tlswire.policy.load import read_policy
from tlswire.policy.shipped import shipped
from tlswire.policy.what_if import WhatIf
from tlswire.registry import GROUPS, SCHEMES, SUITES
from tlswire.results.what_if import Prospect

RECORDED = Path(__file__).parents[2] / "captures" / "recorded"
SHARED = Path(__file__).parents[3] / "shared" / "captures"
MDM = WhatIf(shipped("apple-mdm-27"))
OLDEST = ["0x0303", "0x0302", "0x0301", "0x0300"]


def offer(**fields: Any) -> Prospect:
    """What becomes of a usual TLS 1.2 hello with ``fields`` changed."""
    known: dict[str, Any] = {
        "versions": [],
        "suites": ["0xC02F", "0xC013", "0x002F"],
        "groups": ["0x001D", "0x0017"],
        "signature_schemes": ["0x0401", "0x0804", "0x0201"],
        "extensions": [10, 13, 23],
    }
    return MDM(hello(**known | fields))


def got(prospect: Prospect) -> tuple[str | None, ...] | None:
    choice = prospect.choice
    return None if choice is None else (choice.version, choice.suite, choice.group, choice.signature_scheme)


# Changes to the hello -> the choice, or the rules that stand in its way.
@pytest.mark.parametrize(
    ("fields", "choice", "broken"),
    [
        ({}, ("0x0303", "0xC02F", "0x001D", "0x0401"), ""),
        # The order is the client's.
        ({"groups": ["0x0017", "0x001D"]}, ("0x0303", "0xC02F", "0x0017", "0x0401"), ""),
        (
            {"versions": ["0x0303", "0x0304"], "suites": ["0xC02F", "0x1302"]},
            ("0x0304", "0x1302", "0x001D", "0x0804"),
            "",
        ),
        # TLS 1.3 fails for its suite, so TLS 1.2 it is.
        (
            {"versions": ["0x0304", "0x0303"], "suites": ["0x1304", "0xC02F"]},
            ("0x0303", "0xC02F", "0x001D", "0x0401"),
            "",
        ),
        # Of no list of groups any may be chosen (RFC 8422 section 4).
        ({"groups": [], "extensions": [13, 23]}, ("0x0303", "0xC02F", "0x0017", "0x0401"), ""),
        # Who says nothing of schemes takes SHA-1 (RFC 5246 section 7.4.1.4.1).
        ({"signature_schemes": [], "extensions": [10, 23]}, ("0x0303", "0xC02F", "0x001D", "0x0201"), ""),
        ({"extensions": [10, 13]}, None, "ems-tls12"),
        ({"suites": ["0xC013", "0xC02B"]}, None, "suite-fcp"),
        ({"suites": ["0x009C", "0xCCA8"]}, None, "suite-fcp"),
        ({"groups": ["0x001E"]}, None, "group-offered"),
        ({"suites": ["0x002F"], "extensions": []}, None, "suite-fcp ems-tls12"),
        ({"legacy_version": "0x0302"}, None, "version-observed"),
        ({"versions": ["0x0301"]}, None, "version-observed"),
        ({"versions": ["0x0304"], "suites": ["0x1304"]}, None, "suite-fcp"),
        # Nothing fits together, or is known, or was captured.
        ({"suites": ["0xC02B"], "signature_schemes": ["0x0401"], "legacy_version": "0x0303"}, None, ""),
        ({"suites": ["0x0A0A", "0x00FF", "0xFE01"]}, None, ""),
        ({"partial": True}, None, ""),
        ({"legacy_version": "0x0000"}, None, ""),
    ],
)
def test_what_a_server_could_choose(fields: dict[str, Any], choice: tuple[str, ...] | None, broken: str) -> None:
    found = offer(**fields)
    assert got(found) == choice
    assert set(found.broken) == set(broken.split())


def test_no_hello_is_no_answer() -> None:
    assert MDM(None) == Prospect(None)


def test_names_stand_beside_codes() -> None:
    choice = offer().choice
    assert choice is not None
    assert (choice.version_name, choice.suite_name) == ("TLS 1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
    assert (choice.group_name, choice.signature_scheme_name) == ("x25519", "rsa_pkcs1_sha256")
    assert choice.extended_master_secret


def test_dtls_is_told_as_dtls() -> None:
    one = hello(
        versions=[],
        legacy_version="0xFEFD",
        suites=["0xC02B"],
        extensions=[10, 13, 23],
        signature_schemes=["0x0403"],
    )
    choice = MDM(one, "dtls").choice
    assert choice is not None
    assert (choice.version, choice.version_name) == ("0xFEFD", "DTLS 1.2")


# In what follows GCM and CBC, RSA and groups are told apart by nothing but the rules.
OWN = b"""
name = "mine"
title = "Mine"
edition = "today"
[rules.suite-mine]
level = "must"
title = "CBC or nothing"
of = "connection"
when = { version = { at-least = "TLS 1.1" } }
pass = { aead = false }
source = "-"
remedy = "-"
[rules.group-mine]
level = "must"
title = "P-256"
of = "group"
pass = { group = "secp256r1" }
source = "-"
remedy = "-"
[rules.signature-algorithm-mine]
level = "must"
title = "SHA-1"
of = "scheme"
pass = { scheme_hash = "SHA1" }
source = "-"
remedy = "-"
[rules.version-mine]
level = "must"
title = "No TLS 1.0"
of = "version"
when = { version = "TLS 1.0" }
pass = { accepted = false }
source = "-"
remedy = "-"
[rules.suite-nice]
level = "should"
title = "What one may do without"
of = "connection"
pass = { suite = ["TLS_AES_128_GCM_SHA256"] }
source = "-"
remedy = "-"
"""


def test_the_server_is_made_of_the_rules_of_any_policy() -> None:
    what_if = WhatIf(read_policy("mine.toml", OWN))
    known: dict[str, Any] = {"versions": [], "suites": ["0xC02F", "0xC013"], "extensions": [10, 13]}
    # Nothing is as nice as it should be.
    assert what_if(hello(**known, groups=["0x0017"], signature_schemes=["0x0201"])).warnings == ("suite-nice",)
    every = {"groups": ["0x001D", "0x0017"], "signature_schemes": ["0x0401", "0x0201"]}
    assert got(what_if(hello(**known, **every))) == ("0x0303", "0xC013", "0x0017", "0x0201")
    # TLS 1.1 has no schemes to choose from, so SHA-1 is no matter there.
    fewer = {"groups": ["0x001D", "0x0017"], "signature_schemes": ["0x0401"]}
    assert got(what_if(hello(**known, **fewer))) == ("0x0302", "0xC013", "0x0017", None)
    only = {"groups": ["0x001D"], "signature_schemes": ["0x0201"]}
    assert what_if(hello(**known, **only)).broken == ("group-mine",)


@pytest.mark.parametrize(
    ("name", "at", "choice", "broken"),
    [
        ("tls10.pcap", 0, None, "version-observed"),
        ("tlslite-tls12.pcap", 0, None, "suite-fcp"),
        ("boringssl-safari.pcap", 0, ("0x0304", "0x1302", "0x11EC", "0x0403"), ""),
        ("gnutls-tls12.pcap", 0, ("0x0303", "0xC02C", "0x0017", "0x0403"), ""),
        # Clients of 2014 to 2018: TLS 1.2 with GCM, and no extended master secret.
        ("ntop+nDPI/tests/cfgs/default/pcap/6in4tunnel.pcap", 0, None, "ems-tls12"),
        ("FoxIO-LLC+ja4/pcap/https-connect.pcap", 0, None, "ems-tls12"),
        ("zeek+zeek/testing/btest/Traces/tls/ecdsa-cert.pcap", 0, None, "ems-tls12"),
        ("wireshark-4.0.17/test/captures/tls12-chacha20poly1305.pcap", 0, None, "suite-fcp"),
        ("synthetic-apple/tls3-pktap-dlt149.pcap", 0, ("0x0304", "0x1301", "0x001D", "0x0403"), ""),
        # Its server was too old for it; it is not.
        ("FoxIO-LLC+ja4/pcap/browsers-x509.pcapng", 2, ("0x0304", "0x1301", "0x001D", "0x0403"), ""),
    ],
)
def test_real_clients(name: str, at: int, choice: tuple[str, ...] | None, broken: str) -> None:
    path = RECORDED / name if "/" not in name else SHARED / name
    if not path.exists() and "TLSWIRE_REQUIRE_STACKS" not in os.environ:
        pytest.skip("../shared is not there")
    one = list(tlswire.sessions(path))[at]
    found = MDM(one.hellos[0], one.transport)
    assert (got(found), found.broken) == (choice, tuple(broken.split()))


def test_a_hello_of_everything_is_looked_at_in_little_time() -> None:
    every: dict[str, Any] = {
        "versions": ["0x0304", *OLDEST],
        "suites": [SUITES.hex(row.code) for row in SUITES],
        "groups": [GROUPS.hex(row.code) for row in GROUPS if row.kind in {"ffdhe", "ec-binary"}],
        "signature_schemes": [SCHEMES.hex(row.code) for row in SCHEMES],
        "extensions": [10, 13, 23],
    }
    what_if = WhatIf(shipped("apple-mdm-27"))
    assert what_if(hello(**every)).broken == ("group-offered",)
    # Kinds of choices, not choices: there are some 500,000 of those.
    assert len(what_if._faults) < 2_000


def test_what_breaks_no_rule_at_all_comes_before_what_is_warned_of() -> None:
    own = OWN.replace(b"TLS_AES_128_GCM_SHA256", b"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA")
    what_if = WhatIf(read_policy("mine.toml", own))
    known: dict[str, Any] = {
        "groups": ["0x0017"],
        "signature_schemes": ["0x0201"],
        "versions": [],
        "extensions": [10, 13],
    }
    found = what_if(hello(**known, suites=["0xC013", "0xC014"]))
    assert (got(found), found.warnings) == (("0x0303", "0xC014", "0x0017", "0x0201"), ())
    fips = WhatIf(shipped("fips-140-3"))
    both: dict[str, Any] = {"suites": ["0xC02F"], "signature_schemes": ["0x0401"], "extensions": [10, 13, 23]}
    assert got(fips(hello(**both, versions=[], groups=["0x001D", "0x0017"]))) == (
        "0x0303",
        "0xC02F",
        "0x0017",
        "0x0401",
    )
    assert fips(hello(**both, versions=[], groups=["0x001D"])).warnings == ("group-approved",)


ALL = [WhatIf(shipped(name)) for name in ABOUT_SESSIONS]


@given(one=HELLOS)
@settings(max_examples=150, deadline=None)
def test_any_hello_has_an_answer(one: Any) -> None:
    for what_if in ALL:
        found = what_if(one)
        assert found.choice is None or not found.broken
        assert what_if(one) is found or one.partial
