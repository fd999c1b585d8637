"""Sessions of captures under a policy: what is said of real ones, and that nothing in one makes judging fail.

Each verdict of the table was read off the judge and then explained from the session's suite, hello and certificate; of
seven captures the certificates were looked at in detail. What it proves is that these verdicts do not change unnoticed.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tlswire
from tests.report.made import UNCHOSEN, hello, refused, session
from tlswire.crypto.keylog import parse_keylog
from tlswire.errors import UsageError
from tlswire.policy.load import read_policy
from tlswire.policy.observed.sessions import as_tls, key_family, standing, versions_of
from tlswire.policy.sessions import SessionJudge
from tlswire.policy.shipped import names, shipped
from tlswire.results.session import Alert, Certificate, KeyExchange, ServerHello, Session, SessionVerdict

RECORDED = Path(__file__).parents[2] / "captures" / "recorded"
SHARED = Path(__file__).parents[3] / "shared" / "captures"
JA4, ZEEK = "FoxIO-LLC+ja4/pcap", "zeek+zeek/testing/btest/Traces/tls"
WIRESHARK, NDPI = "wireshark-4.0.17/test/captures", "ntop+nDPI/tests/cfgs/default/pcap"

# Valid for 399 days, no extendedKeyUsage, of a private CA: whether that will do depends on the anchor, which no capture
# shows.
OURS = "validity-398 eku-server-auth"
OLD, NOT13, EXTRA = "version-old", "version-tls13", "suite-extra"
# Capture, which session, verdict; the rules broken, those warned of, those of level must that stay open.
ROWS = (
    # TLS 1.3: what was chosen is all one sees.
    ("curl.pcap", 0, "pass", "", "", ""),
    ("boringssl-safari.pcap", 0, "pass", "", "", ""),
    ("tls13-retry.pcap", 0, "pass", "", "", ""),
    ("quic-v2.pcap", 0, "pass", "", "", ""),
    ("tls13-external-psk.pcap", 0, "pass", "", "", ""),
    ("tls13-ffdhe.pcap", 0, "fail", "group-offered", "", ""),
    # TLS 1.2: clients that offer TLS 1.3 get a warning, those that do not get none.
    ("tls12-ecdhe.pcap", 0, "unknown", "", NOT13, OURS),
    ("gnutls-tls12.pcap", 0, "unknown", "", "", OURS),
    ("tls12-ticket.pcap", 1, "warn", "", NOT13, ""),
    ("tls12-rsa.pcap", 0, "fail", "suite-fcp", f"{NOT13} {EXTRA}", OURS),
    ("tls12-dhe.pcap", 0, "fail", "suite-fcp", f"{NOT13} {EXTRA}", OURS),
    ("tls12-psk.pcap", 0, "fail", "suite-fcp", EXTRA, ""),
    ("tls12-anonymous.pcap", 0, "fail", "suite-fcp", EXTRA, ""),
    ("keylog-tls12.pcap", 1, "fail", "suite-fcp", f"{NOT13} {EXTRA}", OURS),
    ("keylog-tls12.pcap", 5, "fail", "ems-tls12", NOT13, OURS),
    ("keylog-tls12.pcap", 7, "fail", "suite-fcp ems-tls12", f"{NOT13} {EXTRA}", OURS),
    # The client asked for localhost, the certificate is for *.example.
    ("botan.pcap", 0, "fail", "name-matches", "", OURS),
    # The certificate is of our test CA, for localhost and 826 days.
    ("server-nginx-b.pcap", 0, "fail", "name-matches", "", "validity-398 validity-825"),
    # Older ones. The certificate of sslv2.pcap is its own issuer: twenty years will do if devices trust it by itself.
    ("tls11.pcap", 0, "fail", "version-observed", OLD, OURS),
    ("tls10-rsa.pcap", 0, "fail", "version-observed", OLD, OURS),
    ("sslv3.pcap", 0, "fail", "version-observed", OLD, OURS),
    ("sslv2.pcap", 0, "fail", "version-observed", f"{OLD} eku-private", "validity-825"),
    ("java-sslv2-hello.pcap", 0, "fail", "version-observed", OLD, OURS),
    # DTLS is judged as the TLS it is made of.
    ("dtls12.pcap", 0, "unknown", "", "", OURS),
    ("dtls10.pcap", 0, "fail", "version-observed", OLD, OURS),
    ("dtls13-nss.pcap", 0, "pass", "", "", ""),
    # Browsers and sites of the world.
    (f"{JA4}/browsers-x509.pcapng", 0, "warn", "", NOT13, ""),
    (f"{JA4}/browsers-x509.pcapng", 2, "fail", "ems-tls12", NOT13, ""),
    (f"{JA4}/latest.pcapng", 1, "pass", "", "", ""),
    (f"{JA4}/badcurveball.pcap", 0, "fail", "ems-tls12", NOT13, ""),
    (f"{JA4}/tls-alpn-h2.pcap", 0, "fail", "suite-fcp ems-tls12", EXTRA, ""),
    # RC4 with a certificate for another name, signed with SHA-1 like its issuer's.
    (f"{JA4}/socks-https-example.pcap", 0, "fail", "version-observed hash-leaf hash-issuer name-matches", OLD, ""),
    # A chain of 2014, all of SHA-1.
    (f"{NDPI}/6in4tunnel.pcap", 0, "fail", "hash-leaf hash-issuer ems-tls12", "", ""),
    (f"{WIRESHARK}/tls12-dsb.pcapng", 0, "pass", "", "", ""),
    # An RSA key of 1024 bits under SSLv3, signed with SHA-1.
    (f"{WIRESHARK}/rsasnakeoil2.pcap", 0, "fail", "version-observed key-size-leaf hash-leaf", OLD, ""),
    (f"{ZEEK}/chrome-1250-tls-x25519-kyber.pcap", 0, "fail", "group-offered", "", ""),
    (f"{ZEEK}/client-certificate.pcap", 0, "warn", "", NOT13, ""),
    # The client offered TLS 1.2, the server chose TLS 1.0; its certificate had expired at that time.
    (
        f"{ZEEK}/tls-expired-cert.pcap",
        0,
        "fail",
        "version-tls12 version-observed hash-leaf hash-issuer validity-now",
        OLD,
        "",
    ),
    (f"{ZEEK}/heartbleed-success.pcap", 0, "fail", "hash-issuer ems-tls12", "", ""),
)


@cache
def read(path: str) -> list[Session]:
    return list(tlswire.sessions(path))


def place(name: str) -> Path:
    path = RECORDED / name if "/" not in name else SHARED / name
    if not path.exists() and "TLSWIRE_REQUIRE_STACKS" not in os.environ:
        pytest.skip("../shared is not there")
    return path


def judged(*sessions: Session, policy: str = "apple-mdm-27") -> list[SessionVerdict]:
    judge = SessionJudge(shipped(policy))
    return [judge(one) for one in sessions]


def musts(rules: list[str]) -> set[str]:
    return {rule.id for rule in shipped("apple-mdm-27").rules if rule.level == "must"} & set(rules)


@pytest.mark.parametrize(
    ("name", "at", "verdict", "broken", "warnings", "unknown"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS]
)
def test_verdicts_of_real_sessions(name: str, at: int, verdict: str, broken: str, warnings: str, unknown: str) -> None:
    (found,) = judged(read(str(place(name)))[at])
    assert (found.verdict, set(found.broken), set(found.warnings)) == (
        verdict,
        set(broken.split()),
        set(warnings.split()),
    )
    assert set(found.unknown) == set(unknown.split())
    assert not musts(found.warnings)
    assert musts(found.broken) == set(found.broken)


def test_a_key_log_shows_the_certificates_that_were_unseen() -> None:
    path = RECORDED / "keylog-tls13.pcap"
    log = parse_keylog(path.with_suffix(".keys").read_bytes())
    closed, opened = next(iter(tlswire.sessions(path))), next(iter(tlswire.sessions(path, keylog=log)))
    before, after = judged(closed, opened)
    assert (before.verdict, before.unknown) == ("pass", [])
    assert {"hash-leaf", "name-matches", "validity-now"} < set(before.unseen)
    assert (after.verdict, after.unseen) == ("unknown", ["signature-algorithm-handshake"])
    assert set(after.unknown) == set(OURS.split())


@pytest.mark.parametrize("outcome", ["alert", "reset", "closed", "unanswered", "incomplete"])
def test_where_nothing_was_chosen_everything_is_open(outcome: str) -> None:
    (found,) = judged(session(**UNCHOSEN, outcome=outcome))
    assert (found.verdict, found.broken, found.warnings, found.unseen) == ("unknown", [], [], [])
    assert {"suite-fcp", "ems-tls12", "hash-leaf"} < set(found.unknown)


def answer(**fields: Any) -> ServerHello:
    known: dict[str, Any] = {
        "frame": 6,
        "kind": "hello",
        "record_version": "0x0303",
        "legacy_version": "0x0303",
        "version": "0x0303",
        "version_name": "TLS 1.2",
        "suite": "0xC02F",
        "suite_name": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "extensions": [23, 65281],
        "group": None,
        "group_name": None,
        "alpn": None,
        "ja3s": None,
        "ja3s_text": None,
        "extended_master_secret": True,
        "psk": False,
    }
    return ServerHello(**known | fields)


def certificate(**fields: Any) -> Certificate:
    known: dict[str, Any] = {
        "frame": 7,
        "sender": "server",
        "sha256": "00" * 32,
        "subject": "CN=www.example.com",
        "issuer": "CN=an issuer",
        "serial": "1",
        "not_before": "2023-09-01T00:00:00Z",
        "not_after": "2023-12-01T00:00:00Z",
        "key": "RSA",
        "bits": 2048,
        "signature_algorithm": "sha256WithRSAEncryption",
        "names": ["*.example.com"],
        "spki_sha256": None,
        "self_signed": False,
        "authority": False,
        "length": 900,
        "signature_hash": "SHA-256",
        "signature_schemes": ("0x0401",),
        "extended_key_usage": ("serverAuth",),
        "embedded_scts": 2,
    }
    return Certificate(**known | fields)


def good(**fields: Any) -> Session:
    known: dict[str, Any] = {
        "hellos": [hello(extensions=[10, 13, 23], versions=["0x0303"], signature_schemes=["0x0401", "0x0804"])],
        "server_hellos": [answer()],
        "key_exchange": KeyExchange(8, "0x001D", "x25519", None, "0x0401", "rsa_pkcs1_sha256"),
        "certificates": [certificate()],
    }
    return session(**known | fields)


ISSUER = certificate(subject="CN=an issuer", issuer="CN=a root", names=[], sha256="01" * 32, authority=True)


@pytest.mark.parametrize(
    ("changed", "verdict", "rules"),
    [
        ({}, "pass", ""),
        ({"server_hellos": [answer(extensions=[65281])]}, "fail", "ems-tls12"),
        ({"server_hellos": [answer(extensions=[], partial=True)]}, "unknown", "ems-tls12"),
        ({"suite": "0xFFFE"}, "fail", "suite-fcp"),
        ({"group": "0x001E"}, "fail", "group-offered"),
        ({"group": None, "key_exchange": None}, "unknown", "group-offered signature-algorithm-handshake"),
        (
            {"key_exchange": KeyExchange(8, "0x001D", None, None, "0x0201", None)},
            "fail",
            "signature-algorithm-handshake",
        ),
        ({"certificates": []}, "unknown", "certificates"),
        ({"certificates": [], "resumed": True, "key_exchange": None}, "pass", ""),
        ({"certificates": [certificate(sender="client")]}, "unknown", "certificates"),
        ({"certificates": [certificate(bits=1024)]}, "fail", "key-size-leaf"),
        ({"certificates": [certificate(key="EC secp192r1", bits=192)]}, "fail", "key-size-leaf"),
        ({"certificates": [certificate(key="Ed25519", bits=256)]}, "pass", ""),
        ({"certificates": [certificate(signature_hash="SHA-1")]}, "fail", "hash-leaf"),
        ({"certificates": [certificate(signature_schemes=("0x0603",))]}, "fail", "signature-algorithm-certificate"),
        ({"certificates": [certificate(names=["example.com"])]}, "fail", "name-matches"),
        ({"certificates": [certificate(names=[])]}, "fail", "name-matches"),
        ({"certificates": [certificate(not_after="2023-11-14T22:13:20Z")]}, "pass", ""),
        ({"certificates": [certificate(not_after="2023-11-14T22:13:19Z")]}, "fail", "validity-now"),
        ({"certificates": [certificate(not_before="2023-11-14T22:13:21Z")]}, "fail", "validity-now"),
        ({"start": 0.0}, "unknown", "validity-now"),
        ({"certificates": [certificate(not_after="2033-12-01T00:00:00Z")]}, "unknown", "validity-398 validity-825"),
        ({"certificates": [certificate(), msgspec.structs.replace(ISSUER, bits=1024)]}, "fail", "key-size-issuer"),
        ({"certificates": [certificate(), msgspec.structs.replace(ISSUER, subject="CN=x", bits=512)]}, "pass", ""),
        ({"certificates": [certificate(error="broken")]}, "unknown", "key-size-leaf"),
        # Without a name in the hello nobody can tell whether the certificate is for it.
        ({"server_name": None, "certificates": [certificate(names=[])]}, "pass", ""),
    ],
)
def test_one_thing_changed_is_one_rule(changed: dict[str, Any], verdict: str, rules: str) -> None:
    (found,) = judged(good(**changed))
    assert found.verdict == verdict
    wrong = set(found.broken if verdict == "fail" else found.unknown)
    if rules == "certificates":
        assert {"hash-leaf", "validity-now", "name-matches"} < wrong
    elif rules == "key-size-leaf" and verdict == "unknown":
        assert {"key-size-leaf", "hash-leaf", "validity-now"} < wrong
    else:
        assert wrong == set(rules.split())


def test_what_a_session_hides_is_unseen_and_does_not_count() -> None:
    modern = answer(version="0x0304", version_name="TLS 1.3", suite="0x1301", group="0x001D", extensions=[43, 51])
    chosen: dict[str, Any] = {"version": "0x0304", "suite": "0x1301", "certificates": [], "key_exchange": None}
    (found,) = judged(good(server_hellos=[modern], **chosen))
    assert (found.verdict, found.unknown) == ("pass", [])
    assert {"signature-algorithm-handshake", "hash-leaf", "validity-825", "name-matches"} < set(found.unseen)
    assert not {"chain-trusted", "nodes-agree", "plaintext-http"} & set(found.unseen)


def test_equal_sessions_are_judged_once_and_others_apart() -> None:
    judge = SessionJudge(shipped("apple-mdm-27"))
    first = judge(good())
    assert judge(good(first_frame=99)) is first
    assert judge(good(certificates=[certificate(sha256="11" * 32, bits=1024)])).verdict == "fail"
    assert judge(good(start=1_800_000_000.0)).broken == ["validity-now"]
    assert judge(good()) is first


OWN = b"""
name = "mine"
title = "Mine"
edition = "today"
[rules.version-mine]
level = "must"
title = "TLS 1.3 is accepted"
of = "version"
need = "any"
when = { version = "TLS 1.3" }
pass = { accepted = true }
source = "-"
remedy = "-"
[rules.suite-mine]
level = "must"
title = "No CBC"
of = "suite"
pass = { aead = true }
source = "-"
remedy = "-"
[rules.validity-mine]
level = "should"
title = "A month is left"
of = "certificate"
pass = { remaining_days = { at-least = 30 } }
source = "-"
remedy = "-"
[rules.feature-mine]
level = "must"
title = "What no session shows"
of = "feature"
pass = { present = true }
source = "-"
remedy = "-"
"""


def test_a_policy_of_ones_own_about_all_a_server_accepts_judges_what_a_session_shows_of_it() -> None:
    judge = SessionJudge(read_policy("mine.toml", OWN))
    # The client did not offer TLS 1.3: whether the server would take it stays out of the verdict.
    found = judge(good())
    assert (found.name, found.verdict, found.broken, found.warnings) == ("mine", "warn", [], ["validity-mine"])
    assert judge(good(suite="0xC013")).broken == ["suite-mine"]
    assert judge(good(hellos=[hello(extensions=[23])])).broken == ["version-mine"]
    assert judge(good(start=1_694_000_000.0)).verdict == "pass"


def test_extensions_and_primes_are_shown_to_policies_that_ask_for_them() -> None:
    judge = SessionJudge(shipped("nist-800-52r2"))
    assert judge(good(group="0x0017")).broken == []
    assert judge(good(group="0x0017", server_hellos=[answer(extensions=[])])).broken == ["ems-tls12"]
    weak = KeyExchange(8, None, None, 1024, "0x0401", "rsa_pkcs1_sha256")
    assert judge(good(suite="0x009F", group=None, key_exchange=weak)).warnings == ["key-size-dhe"]
    offers = [hello(extensions=[10, 13, 22, 23], versions=["0x0303"], signature_schemes=["0x0401"])]
    cbc = {"hellos": offers, "suite": "0xC027", "group": "0x0017"}
    assert judge(good(**cbc)).broken == ["extension-encrypt-then-mac"]
    assert judge(good(**cbc, server_hellos=[answer(extensions=[22, 23])])).broken == []
    # GCM has no use for it (RFC 7366 section 3).
    assert judge(good(hellos=offers, group="0x0017")).broken == []


@pytest.mark.parametrize("name", ["nist-800-52r2", "mozilla-modern", "rfc9325"])
def test_what_wants_any_of_all_a_server_accepts_is_not_broken_by_one_session(name: str) -> None:
    wanted = {rule.id for rule in shipped(name).rules if rule.need == "any" and rule.of != "version"}
    (found,) = judged(good(certificates=[certificate(key="EC secp521r1", bits=521)]), policy=name)
    assert not wanted & {*found.broken, *found.warnings, *found.unknown, *found.unseen}


def test_versions_of_dtls_and_of_drafts_are_those_of_tls() -> None:
    assert [as_tls(code) for code in (0xFEFF, 0xFEFD, 0xFEFC, 0x7F1C, 0xFB1A, 0x0303)] == [
        *(0x0302, 0x0303, 0x0304, 0x0304, 0x0304, 0x0303)
    ]


@pytest.mark.parametrize(
    ("fields", "versions"),
    [
        ({"versions": ["0x2A2A", "0x0304", "0x0303"]}, [0x0304, 0x0303]),
        ({"versions": [], "legacy_version": "0x0303"}, [0x0303, 0x0302, 0x0301, 0x0300]),
        ({"versions": [], "legacy_version": "0xFEFD"}, [0x0303, 0x0302, 0x0301, 0x0300]),
        ({"versions": [], "legacy_version": "0x0399"}, [0x0303, 0x0302, 0x0301, 0x0300]),
        ({"versions": [], "legacy_version": "0x0300", "suites": ["0x010080"]}, [0x0300, 0x0002]),
        ({"versions": [], "legacy_version": "0x0002", "suites": ["0x010080"]}, [0x0002]),
        ({"versions": [], "legacy_version": "0x0000", "suites": ["0x00C02F"]}, []),
    ],
)
def test_versions_that_a_hello_offers(fields: dict[str, Any], versions: list[int]) -> None:
    assert versions_of(hello(**fields)) == versions


def test_keys_by_family() -> None:
    assert [key_family(key) for key in ("RSA", "EC secp256r1", "Ed448", "1.2.840.10045.2.1", "1.2.3", None)] == [
        *("RSA", "EC", "EdDSA", "EC", "1.2.3", None)
    ]


def test_days_that_are_left_are_whole_ones() -> None:
    one = certificate(not_after="2023-12-01T00:00:00Z")
    noon = 1_701_259_200.0  # 2023-11-29T12:00:00Z
    assert standing(one, noon) == (True, 1)
    assert standing(one, noon + 2 * 86_400) == (False, -1)
    assert standing(certificate(not_after=None), noon) == (None, None)


CODES = st.sampled_from(["0x0000", "0x0002", "0x0300", "0x0303", "0x0304", "0xFEFD", "0x7F1C", "0xFFFF", "0x1301"])
WIDE = st.one_of(CODES, st.integers(0, 0xFFFFFF).map(lambda code: f"0x{code:04X}"))
NARROW = st.integers(0, 0xFFFF).map(lambda code: f"0x{code:04X}")
TIMES = st.none() | st.datetimes().map(lambda when: f"{when.replace(microsecond=0).isoformat()}Z")
HELLOS = st.builds(
    hello,
    frame=st.integers(0, 9),
    legacy_version=CODES,
    versions=st.lists(NARROW, max_size=4),
    suites=st.lists(WIDE, max_size=6),
    groups=st.lists(NARROW, max_size=4),
    signature_schemes=st.lists(NARROW, max_size=4),
    extensions=st.lists(st.integers(0, 0xFFFF), max_size=4),
    partial=st.booleans(),
    early_data=st.booleans(),
)
ANSWERS = st.builds(
    answer,
    frame=st.integers(0, 9),
    kind=st.sampled_from(["hello", "retry"]),
    extensions=st.lists(st.integers(0, 0xFFFF), max_size=4),
    partial=st.booleans(),
)
CERTIFICATES = st.builds(
    certificate,
    frame=st.integers(0, 3),
    sender=st.sampled_from(["client", "server"]),
    subject=st.none() | st.text(max_size=3),
    issuer=st.none() | st.text(max_size=3),
    not_before=TIMES,
    not_after=TIMES,
    key=st.none() | st.text(max_size=6),
    bits=st.none() | st.integers(0, 1 << 20),
    names=st.lists(st.text(max_size=8), max_size=3),
    self_signed=st.none() | st.booleans(),
    signature_hash=st.none() | st.text(max_size=4),
    signature_schemes=st.lists(NARROW, max_size=2).map(tuple),
    extended_key_usage=st.none() | st.lists(st.text(max_size=4), max_size=2).map(tuple),
    embedded_scts=st.none() | st.integers(0, 9),
    error=st.none() | st.text(max_size=3),
).map(lambda one: msgspec.structs.replace(one, sha256=hashlib.sha256(repr(one).encode()).hexdigest()))
SESSIONS = st.builds(
    session,
    transport=st.sampled_from(["tcp", "quic", "dtls"]),
    start=st.floats(allow_nan=False, allow_infinity=False, width=32) | st.just(0.0),
    server_name=st.none() | st.text(max_size=12),
    version=st.none() | CODES,
    suite=st.none() | WIDE,
    group=st.none() | NARROW,
    hellos=st.lists(HELLOS, max_size=2),
    server_hellos=st.lists(ANSWERS, max_size=2),
    key_exchange=st.none()
    | st.builds(
        KeyExchange,
        frame=st.just(8),
        group=st.none() | NARROW,
        group_name=st.none(),
        bits=st.none() | st.integers(0, 1 << 16),
        signature_scheme=st.none() | NARROW,
        signature_scheme_name=st.none(),
    ),
    certificates=st.lists(CERTIFICATES, max_size=3),
    alerts=st.lists(st.just(Alert(9, "server", "fatal", "\x1b[2J", 40)), max_size=1),
    resumed=st.none() | st.booleans(),
    encrypted_extensions=st.none() | st.lists(st.integers(0, 60), max_size=2),
    outcome=st.sampled_from(["established", "alert", "reset", "closed", "unanswered", "incomplete"]),
)
# What enrolling devices ask for is spoken in HTTP: no capture shows it.
ABOUT_SESSIONS = [name for name in names() if name != "apple-account-discovery"]
JUDGES = [SessionJudge(shipped(name)) for name in ABOUT_SESSIONS]


def test_a_policy_that_every_session_would_pass_is_refused() -> None:
    with pytest.raises(UsageError, match="no rule about what sessions of captures show"):
        SessionJudge(shipped("apple-account-discovery"))


@given(one=SESSIONS)
@settings(max_examples=150, deadline=None)
def test_judging_never_fails_and_remembers_right(one: Session) -> None:
    for judge in JUDGES:
        found = judge(one)
        assert judge(one) is found
        assert SessionJudge(judge.policy)(one) == found
        assert bool(found.broken) == (found.verdict == "fail")
        assert bool(found.unknown) >= (found.verdict == "unknown")
        asked = [*found.broken, *found.warnings, *found.unknown, *found.unseen]
        assert len(asked) == len(set(asked))


def test_a_refused_session_says_how() -> None:
    assert judged(refused())[0].verdict == "unknown"
