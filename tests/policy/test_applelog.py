from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.policy import applelog
from tlswire.policy.applelog import servers
from tlswire.policy.applewords import CHECKS, ERRORS, PREDICATE, ROWS, STATUSES
from tlswire.policy.shipped import shipped
from tlswire.results import json_schema
from tlswire.results.applelog import AppleLog, Counted

from .devicelogs import STYLES, Said, default, ndjson, read

if TYPE_CHECKING:
    from tlswire.results.applelog import LogFinding

jsonschema = pytest.importorskip("jsonschema")  # it has no types of its own

HOST = "mdm.example.com"
PREFIX = "boringssl_context_evaluate_trust_async_external_block_invoke_3(1204) [C13.1.1.1:2][0x11c0539e0] "
CONFIGURED = (
    "boringssl_session_apply_protocol_options_for_transport_block_invoke_2(2367) [C13.1.1.1:2][0x11c0539e0] TLS "
    "configured [server(0) min_version(0x0303) max_version(0x0304) name(mdm.example.com) tickets(false) "
    "enforce_ats({}) ats_non_pfs_ciphersuite_allowed(false) pqtls(true), pake(false) skip_ats_trust(false)]"
)
FAILED = (
    "Task <04FBDE69-24A9-4805-A342-FBD680887F86>.<4> finished with error [{}] Error Domain=NSURLErrorDomain Code={} "
    '"A TLS error caused the secure connection to fail." UserInfo={{_kCFStreamErrorCodeKey={}, '
    "NSErrorFailingURLStringKey=https://{}/mdm, _kCFStreamErrorDomainKey=3}}"
)

# Message -> kind of line, rule, phase, details.
LINES: list[tuple[str, str, str | None, str, list[str]]] = [
    (
        PREFIX + "Warning [ATS FCPv2.1 violation]: Ciphersuite(ECDHE-RSA-AES128-SHA) not offered in ATS FCP_v2.1 mode "
        "negotiated for server: mdm.example.com",
        "fcp-suite",
        "suite-fcp",
        "audit",
        ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"],
    ),
    (
        PREFIX + "Warning [ATS FCPv2.1 violation]: Ciphersuite(TLS_NEVER_HEARD_OF) not offered in ATS FCP_v2.1 mode "
        "negotiated for server: mdm.example.com",
        "fcp-suite",
        "suite-fcp",
        "audit",
        ["TLS_NEVER_HEARD_OF"],
    ),
    (
        PREFIX + "Error [ATS FCPv2.1 violation]: TLS 1.2 negotiated without extended master secret (EMS) for server: "
        "mdm.example.com",
        "fcp-ems",
        "ems-tls12",
        "enforced",
        [],
    ),
    (
        PREFIX + "Error [ATS FCPv2.1 violation]: Server certificate signed using signature algorithm "
        "ecdsa_secp521r1_sha512 not advertised in client hello for server: mdm.example.com",
        "fcp-signature",
        "signature-algorithm-certificate",
        "enforced",
        ["ecdsa_secp521r1_sha512"],
    ),
    (
        PREFIX + "Error [ATS Violation]: ATS certificate trust requirement not satisfied for server: mdm.example.com",
        "ats-trust",
        "chain-trusted",
        "enforced",
        [],
    ),
    (
        PREFIX + "Error [ATS violation]: RSA key size 1024 bits is less than minimum 2048 bits for server: "
        "mdm.example.com",
        "ats-key-rsa",
        "key-size-leaf",
        "enforced",
        ["RSA, 1024 bits, at least 2048"],
    ),
    (
        PREFIX + "Warning [ATS violation]: ECDSA key size 224 bits is less than minimum 256 bits for server: "
        "MDM.example.com.",
        "ats-key-ecdsa",
        "key-size-leaf",
        "audit",
        ["ECDSA, 224 bits, at least 256"],
    ),
    (
        PREFIX + "Error [ATS violation]: Leaf certificate hash algorithm (4) is not at least SHA-256 for server: "
        "mdm.example.com",
        "ats-hash",
        "hash-leaf",
        "enforced",
        ["SHA-1"],
    ),
    (
        PREFIX + "Error [ATS violation]: Leaf certificate hash algorithm (77) is not at least SHA-256 for server: "
        "mdm.example.com",
        "ats-hash",
        "hash-leaf",
        "enforced",
        ["hash 77"],
    ),
    (
        PREFIX + "Error [ATS violation]: Leaf certificate is absent for server: mdm.example.com",
        "ats-no-leaf",
        "chain-trusted",
        "enforced",
        [],
    ),
    (
        PREFIX + "Error [ATS violation]: Peer public key not set for server: mdm.example.com",
        "ats-no-key",
        "chain-trusted",
        "enforced",
        [],
    ),
    (
        "[ATS violation] Did not use TLS when connecting to server: mdm.example.com",
        "ats-plaintext",
        "plaintext-http",
        "unknown",
        [],
    ),
    (
        PREFIX + "Error [ATS FCPv2.2 violation]: Something new for server: mdm.example.com",
        "other",
        None,
        "enforced",
        ["Something new for server: mdm.example.com"],
    ),
    (FAILED.format(-1022, -1022, 0, HOST), "error-1022", "plaintext-http", "enforced", []),
    (
        FAILED.format(-1200, -1200, -9884, HOST),
        "error-1200",
        "hash-leaf",
        "enforced",
        ["OSStatus -9884 errSSLATSLeafCertificateHashAlgorithmViolation"],
    ),
    (FAILED.format(-1200, -1200, -9816, HOST), "error-1200", None, "unknown", ["OSStatus -9816"]),
]
OLDER: list[tuple[str, str, str, list[str]]] = [
    (
        "ATS violation: RSA key size 1024 less than minimum bound 2048",
        "old-key-rsa",
        "key-size-leaf",
        ["RSA, 1024 bits, at least 2048"],
    ),
    (
        "ATS violation: EC key size 192 less than minimum bound 256",
        "old-key-ec",
        "key-size-leaf",
        ["ECDSA, 192 bits, at least 256"],
    ),
    (
        "ATS violation: Leaf certificate hash algorithm (3) is not at least SHA-256",
        "old-hash",
        "hash-leaf",
        ["MD5"],
    ),
    ("ATS violation: Leaf certificate is absent", "old-no-leaf", "chain-trusted", []),
    (
        "FCS TLS v2 compliance error: leaf cert signature algorithm not in offered signature algorithms",
        "old-fcs-signature",
        "signature-algorithm-certificate",
        [],
    ),
    ("ATS violation: something of long ago", "other", "", ["something of long ago"]),
]


def only(log: AppleLog, server: str | None = HOST) -> LogFinding:
    (found,) = log.servers
    assert found.server == server
    (finding,) = found.findings
    return finding


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("message", "kind", "rule", "phase", "details"), LINES, ids=lambda value: str(value)[-40:])
def test_every_line_in_every_style(
    style: str, message: str, kind: str, rule: str | None, phase: str, details: list[str]
) -> None:
    name, write = STYLES[style]
    log = read(write([Said("nothing of interest"), Said(message), Said("and more")]))
    finding = only(log)
    assert (finding.id, finding.rule, finding.phase, finding.count) == (kind, rule, phase, 1)
    assert [item.text for item in finding.details] == details
    assert finding.processes == [Counted("mdmclient", 1)]
    assert log.logs[0].style == name
    assert log.logs[0].problems == []
    assert finding.first == finding.last
    expected = {
        "compact": "2026-10-06T10:41:01.125000",
        "console": "10:41:01.125000+0200",
    }
    assert finding.first == expected.get(name, "2026-10-06T08:41:01.125000Z")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("message", "kind", "rule", "details"), OLDER)
def test_older_lines_get_their_server_from_the_connection(
    style: str, message: str, kind: str, rule: str, details: list[str]
) -> None:
    said = [Said(CONFIGURED.format("true")), Said(PREFIX + message)]
    finding = only(read(STYLES[style][1](said)))
    assert (finding.id, finding.rule or "", finding.phase) == (kind, rule, "enforced")
    assert [item.text for item in finding.details] == details


def test_an_older_line_of_another_connection_or_process_names_no_server() -> None:
    line = "f(1) [C14:1][0x22] ATS violation: Leaf certificate is absent"
    other = Said(PREFIX + "ATS violation: Leaf certificate is absent", pid=4)
    log = read(default([Said(CONFIGURED.format("true")), Said(line), other]))
    finding = only(log, None)
    assert (finding.count, finding.phase) == (2, "unknown")


def test_a_connection_without_enforcement_does_not_say_what_the_device_did() -> None:
    said = [Said(CONFIGURED.format("false")), Said(PREFIX + OLDER[0][0])]
    assert only(read(default(said))).phase == "unknown"


@pytest.mark.parametrize("kind", [row.id for row in (*ROWS, *ERRORS.values())])
def test_every_row_has_a_line_in_the_tables(kind: str) -> None:
    assert kind in {row[1] for row in (*LINES, *OLDER)}


def test_rules_are_those_of_the_policy() -> None:
    rules = {rule.id for rule in shipped("apple-mdm-27").rules} | {None}
    assert {row.rule for row in (*ROWS, *ERRORS.values())} <= rules
    assert {rule for _, rule, _ in STATUSES.values()} <= rules
    assert {rule for leaf, issuer, _ in CHECKS.values() for rule in (leaf, issuer)} <= rules
    assert all(row.rule or row.remedy for row in (*ROWS, *ERRORS.values()))
    assert len({row.id for row in (*ROWS, *ERRORS.values())}) == len(ROWS) + len(ERRORS)


def test_the_document_has_the_codes_the_rules_and_the_predicate() -> None:
    text = (Path(__file__).parents[2] / "docs" / "applelog.md").read_text(encoding="utf-8")
    codes = re.findall(r"^\| (-\d+) \| `(\w+)` \| `?([\w-]+)`? \|$", text, re.MULTILINE)
    assert codes == [(str(code), name, rule or "none") for code, (name, rule, _) in STATUSES.items()]
    lines = text.partition("## Lines")[2].partition("| OSStatus")[0]
    assert {row.rule for row in (*ROWS, *ERRORS.values()) if row.rule} <= set(re.findall(r"\| `([\w-]+)` \|", lines))
    assert all(row.sureness in lines for row in ROWS)
    assert PREDICATE in " ".join(text.split())


TRUST = "Error [ATS Violation]: ATS certificate trust requirement not satisfied for server: mdm.example.com"
EVALUATED = "Trust evaluate failure: [leaf AnchorTrusted SSLHostname] [ca1 WeakKeySize NewCheck]"


@pytest.mark.parametrize("style", STYLES)
def test_a_failed_trust_evaluation_explains_the_violation_behind_it(style: str) -> None:
    finding = only(read(STYLES[style][1]([Said(EVALUATED), Said(PREFIX + TRUST, second=3)])))
    assert [(item.at, item.check, item.rule) for item in finding.reasons] == [
        ("leaf", "AnchorTrusted", "chain-trusted"),
        ("leaf", "SSLHostname", "name-matches"),
        ("ca1", "WeakKeySize", "key-size-issuer"),
        ("ca1", "NewCheck", None),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Said(EVALUATED, pid=4), Said(PREFIX + TRUST)),
        (Said(EVALUATED, second=1), Said(PREFIX + TRUST, second=30)),
        (Said("f(1) [C14:1][0x22] " + EVALUATED), Said(PREFIX + TRUST)),
        (Said(EVALUATED), Said(PREFIX + LINES[2][0])),
    ],
    ids=["another process", "long before", "another connection", "another violation"],
)
def test_a_failed_trust_evaluation_explains_nothing_else(before: Said, after: Said) -> None:
    assert only(read(default([before, after]))).reasons == []


def test_a_failed_trust_evaluation_alone_is_no_finding() -> None:
    assert read(default([Said(EVALUATED, process="codesign")])).servers == []


def test_an_error_gets_its_server_from_the_lines_that_follow() -> None:
    text = (
        b"2026-10-06 10:41:01.125 E  mdmclient[732:5a] Task <A>.<1> finished with error [-1200] Error "
        b"Domain=NSURLErrorDomain Code=-1200 UserInfo={NSErrorPeerCertificateChainKey=(\n"
        b'    "<cert(0x12bbf4000) s: *.example.com i: CA>"\n'
        b"), NSErrorFailingURLKey=https://user:secret@[2001:db8::1]:8443/checkin, _kCFStreamErrorCodeKey=-9886}\n"
    )
    finding = only(read(text), "2001:db8::1")
    assert (finding.rule, finding.count, finding.where) == ("chain-trusted", 1, "log1:1")


def test_an_error_whose_url_never_comes_is_told_all_the_same() -> None:
    bare = Said("Task <A>.<1> finished with error [-1200] Error Domain=NSURLErrorDomain")
    assert only(read(default([bare])), None).count == 1
    assert only(read(default([bare, bare, Said("other NSErrorFailingURLKey=https://x.example/")])), None).count == 2


def test_counts_times_processes_and_details_are_summed_up() -> None:
    line = (
        "Warning [ATS FCPv2.1 violation]: Ciphersuite({}) not offered in ATS FCP_v2.1 mode negotiated for server: a.b"
    )
    said = [
        Said(line.format("AES128-SHA"), second=9),
        Said(line.format("AES128-SHA"), "profiled", 5, 3),
        Said(line.format("AES256-SHA"), second=5),
    ]
    finding = only(read(default(said), ndjson(said)), "a.b")
    assert (finding.count, finding.first, finding.last) == (
        6,
        "2026-10-06T08:41:03.125000Z",
        "2026-10-06T08:41:09.125000Z",
    )
    assert finding.processes == [Counted("mdmclient", 4), Counted("profiled", 2)]
    assert finding.details == [
        Counted("TLS_RSA_WITH_AES_128_CBC_SHA", 4),
        Counted("TLS_RSA_WITH_AES_256_CBC_SHA", 2),
    ]
    assert finding.where == "log1:2"


def test_the_worst_server_comes_first_and_what_was_refused_before_what_was_warned_of() -> None:
    many = [Said(LINES[0][0].replace(HOST, "warned.example"))] * 5
    few = [Said(LINES[0][0]), Said(LINES[2][0])]
    log = read(default(many + few))
    assert [item.server for item in log.servers] == [HOST, "warned.example"]
    assert [finding.phase for finding in log.servers[0].findings] == ["enforced", "audit"]


def test_hidden_names_are_one_server_and_none_to_ask() -> None:
    line = "Error [ATS violation]: Leaf certificate is absent for server: "
    hidden = [Said(line + name) for name in ("<private>", "(null)", "redacted", "<mask.hash:'x'>")]
    log = read(default(hidden))
    assert only(log, None).count == 4
    assert servers(log) == []


def test_only_hosts_are_servers_to_ask() -> None:
    names = ["b.example", "10.0.0.1", "2001:db8::1", "a\x1b[2J.example", "--help", "x;id", "a_b.example", "ü.example"]
    log = read(
        ndjson([Said(f"Error [ATS violation]: Leaf certificate is absent for server: {name}") for name in names])
    )
    assert len(log.servers) == len(names)
    assert sorted(servers(log)) == ["10.0.0.1", "2001:db8::1", "a_b.example", "b.example"]


def test_servers_processes_and_details_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applelog, "MAX_SERVERS", 3)
    line = "Error [ATS violation]: RSA key size {} bits is less than minimum 2048 bits for server: {}.example"
    log = read(default([Said(line.format(number, number % 5), f"p{number}") for number in range(100)]))
    assert len(log.servers) == 3
    assert (log.dropped, log.complete) == (40, False)
    assert "40 lines" in log.notes[0]
    for server in log.servers:
        (finding,) = server.findings
        assert len(finding.details) == len(finding.processes) == applelog.MAX_VALUES + 1
        assert Counted("…", 4) in finding.details
        assert finding.count == 20


def test_connections_are_forgotten_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applelog, "MAX_CONNECTIONS", 2)
    configured = "f(1) [0x{}] TLS configured [name(host{}.example) enforce_ats(1)]"
    said = [Said(configured.format(number, number)) for number in range(4)]
    said += [Said(f"f(1) [0x{number}] ATS violation: Leaf certificate is absent") for number in range(4)]
    assert {item.server for item in read(default(said)).servers} == {None, "host2.example", "host3.example"}


def test_nothing_found_says_how_little_that_proves() -> None:
    log = read(default([Said("nothing")]))
    assert (log.servers, log.complete) == ([], True)
    assert "Silence proves little" in log.notes[0]


WORDS = st.sampled_from(
    [message for message, *_ in LINES]
    + [PREFIX + message for message, *_ in OLDER]
    + [
        CONFIGURED.format("true"),
        EVALUATED,
        "server: ",
        "\n",
        "\x00",
        "\x1b[2J",
        '"',
        "{",
        "}",
        "\\",
        "[ATS violation]: ",
    ]
)
MESSAGES = st.lists(WORDS | st.text(max_size=20), max_size=4).map("".join)


@given(messages=st.lists(MESSAGES, max_size=6), step=st.sampled_from([7, 100, 1 << 18]))
@settings(max_examples=60, deadline=None)
def test_any_messages_give_the_same_from_every_json_style(messages: list[str], step: int) -> None:
    said = [Said(message) for message in messages]
    results = [
        [[(item.id, item.count, item.details) for item in server.findings] for server in log.servers]
        for name, (_, write) in STYLES.items()
        if "json" in name
        for log in [read(write(said), step=step)]
    ]
    assert all(result == results[0] for result in results)


@given(messages=st.lists(MESSAGES, max_size=6), style=st.sampled_from(sorted(STYLES)))
@settings(max_examples=60, deadline=None)
def test_results_keep_to_their_schema(messages: list[str], style: str) -> None:
    log = read(STYLES[style][1]([Said("x"), *(Said(message) for message in messages)]))
    data = msgspec.json.encode(log)
    jsonschema.validate(msgspec.json.decode(data), json_schema("tlswire.applelog/1"))
    assert msgspec.json.decode(data, type=AppleLog) == log
