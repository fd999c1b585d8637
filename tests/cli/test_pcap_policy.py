"""``tlswire pcap --policy`` and ``--what-if``: where verdicts and prospects are told, and what they make of the exit code."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.report.made import capture
from tlswire.policy.shipped import shipped
from tlswire.results import SESSION_SCHEMA, WHAT_IF_SCHEMA, json_schema

from .run import refused, run

jsonschema = pytest.importorskip("jsonschema")  # it has no types of its own

CAPTURES = Path(__file__).parents[2] / "captures"
RECORDED = CAPTURES / "recorded"
MIXED = ("curl.pcap", "keylog-tls12.pcap", "tls10.pcap", "tls12-ticket.pcap", "unanswered.pcap", "dtls12.pcap")
FILES = [RECORDED / name for name in MIXED]
MDM = ("--policy", "apple-mdm-27")
WHAT_IF = ("--what-if", "apple-mdm-27")
OWN = """
name = "own"
title = "No session passes"
edition = "now"
[rules.suite-none]
level = "must"
title = "A suite that is never chosen"
of = "connection"
pass = { suite = "TLS_NULL_WITH_NULL_NULL" }
source = "-"
remedy = "-"
"""


def lines(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw.splitlines()]


def test_json_lines_have_the_verdict_of_each_session() -> None:
    found = lines(run("pcap", *FILES, *MDM, "--jsonl", "-").raw)
    validator = jsonschema.Draft202012Validator(json_schema(SESSION_SCHEMA))
    for item in found:
        validator.validate(item)
        assert item["policy"]["name"] == "apple-mdm-27"
    by_name = {item["server_name"]: item["policy"] for item in found}
    assert by_name["tls10.example"]["broken"] == ["version-observed"]
    assert by_name["plain-master.example"]["verdict"] == "fail"
    assert by_name["plain-master.example"]["broken"] == ["ems-tls12"]
    assert by_name["curl.example"]["verdict"] == "pass"
    assert "hash-leaf" in by_name["curl.example"]["unseen"]


def test_without_a_policy_there_is_none() -> None:
    assert [item["policy"] for item in lines(run("pcap", FILES[0], "--jsonl", "-").raw)] == [None]


def test_csv_has_its_columns_at_the_end() -> None:
    rows = list(csv.DictReader(io.StringIO(run("pcap", *FILES, *MDM, "--csv", "-").raw.decode(), newline="")))
    (old,) = [row for row in rows if row["server_name"] == "tls10.example"]
    assert list(old)[-5:] == ["policy", "policy_verdict", "policy_broken", "policy_warnings", "policy_unknown"]
    assert (old["policy"], old["policy_verdict"], old["policy_broken"]) == ("apple-mdm-27", "fail", "version-observed")
    assert old["policy_warnings"] == "version-old"
    (plain,) = csv.DictReader(io.StringIO(run("pcap", FILES[0], "--csv", "-").raw.decode(), newline=""))
    assert plain["policy_verdict"] == ""


def test_rows_have_a_column_for_it() -> None:
    rows = run("pcap", *FILES, *MDM, "--sessions").raw.decode().splitlines()
    assert rows[0].endswith("policy")
    assert next(row for row in rows if "rsa-plain-master.example" in row).endswith("fail suite-fcp,ems-tls12")
    assert "fail" not in run("pcap", *FILES, "--sessions").raw.decode()


def test_the_summary_names_servers_that_fail_and_their_clients() -> None:
    text = run("pcap", *FILES, RECORDED.parent / "made" / "link-pktap258.pcap", *MDM).raw.decode()
    begin = text.index("Policy apple-mdm-27, ")
    assert begin < text.index("Weak, ")
    section = text[begin : text.index("\n\n", begin)].splitlines()
    assert section[1].startswith("  8 fail, ")
    # Two broken rules come before one.
    assert section[section.index("  Servers that fail, most broken rules first") + 1].startswith(
        "  rsa-plain-master.example"
    )
    at = next(place for place, line in enumerate(section) if line.startswith("  tls10.example"))
    assert section[at + 1 : at + 3] == ["    version-observed 1", "    from 127.0.0.1"]


def test_the_process_is_told_where_the_capture_names_it(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN)
    made = CAPTURES / "made" / "link-pktap258.pcap"
    (found,) = lines(run("pcap", made, "--jsonl", "-").raw)
    name = found["process"]["name"]
    text = run("pcap", made, "--policy", tmp_path / "own.toml", *WHAT_IF).raw.decode()
    assert f"    from {name}; {found['client']['address']}" in text
    assert f"      from {name}, {found['client']['address']}" in text


def test_fail_on_policy(tmp_path: Path) -> None:
    assert run("pcap", FILES[0], *MDM, "--fail-on", "policy").code == 0
    assert run("pcap", FILES[2], *MDM, "--fail-on", "policy").code == 1
    assert run("pcap", FILES[2], *MDM).code == 0
    # Open questions are no findings.
    assert run("pcap", RECORDED / "unanswered.pcap", *MDM, "--fail-on", "policy").code == 0
    own = tmp_path / "own.toml"
    own.write_text(OWN)
    assert run("pcap", FILES[0], "--policy", own, "--fail-on", "policy").code == 1


def what_if(*arguments: Any) -> dict[str, Any]:
    outcome = run("pcap", *arguments, *WHAT_IF, "--what-if-json", "-")
    found: dict[str, Any] = json.loads(outcome.raw)
    jsonschema.Draft202012Validator(json_schema(WHAT_IF_SCHEMA)).validate(found)
    return found


def test_what_if_as_json() -> None:
    found = what_if(*FILES)
    policy = shipped("apple-mdm-27")
    assert (found["policy"], found["title"], found["edition"]) == (policy.name, policy.title, policy.edition)
    assert found["complete"]
    assert (
        found["sessions"]
        == found["can"] + found["cannot"] + found["unknown"]
        == sum(client["sessions"] for client in found["clients"])
    )
    first = found["clients"][0]
    assert (first["verdict"], first["broken"], first["choice"]) == ("cannot", ["version-observed"], None)
    assert (first["client"][:3], first["sessions"], first["server_names"]) == ("t10", 1, ["tls10.example"])
    assert first["devices"] == [{"name": "127.0.0.1", "sessions": 1, "last_seen": first["last_seen"]}]
    assert first["last_seen"].startswith("2026-")
    can = [client for client in found["clients"] if client["verdict"] == "can"]
    assert {client["choice"]["version_name"] for client in can} == {"TLS 1.3", "DTLS 1.2"}
    assert [client["sessions"] for client in can] == sorted((client["sessions"] for client in can), reverse=True)


def test_what_if_as_text() -> None:
    text = run("pcap", *FILES, *WHAT_IF).raw.decode()
    section = text[text.index("What if servers spoke only what apple-mdm-27 allows") :].split("\n\n")[0].splitlines()
    assert section[1].endswith("could connect, 1 could not")
    at = next(place for place, line in enumerate(section) if line.startswith("    t10"))
    assert section[at - 1].startswith("  Clients that could not connect")
    assert section[at + 1 : at + 3] == ["      stopped by version-observed", "      to tls10.example"]
    assert section[at + 3].split() == ["from", "127.0.0.1", *section[at].split()[1:]]
    assert "      with TLS 1.3 TLS_AES_256_GCM_SHA384 x25519 ecdsa_secp256r1_sha256" in section
    brief = run("pcap", *FILES, *WHAT_IF, "--sessions").raw.decode()
    assert "could connect, 1 could not" in brief
    assert "stopped by" not in brief


def test_filters_count_for_both() -> None:
    assert what_if(*FILES, "--server-name", "tls10.example")["sessions"] == 1
    assert (
        "Policy apple-mdm-27, 1 session\n  1 fail\n"
        in run("pcap", *FILES, *MDM, "--server-name", "tls10.example").raw.decode()
    )


def test_a_capture_without_sessions_has_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "none.pcap"
    path.write_bytes(capture(()))
    found = what_if(path)
    assert (found["policy"], found["sessions"], found["clients"], found["complete"]) == ("apple-mdm-27", 0, [], True)


@pytest.mark.parametrize(
    "options", [[*MDM], [*MDM, "--jsonl", "-"], [*WHAT_IF, "--top", "0"], [*WHAT_IF, "--what-if-json", "-"]]
)
def test_any_number_of_processes_says_the_same(options: list[str]) -> None:
    alone = run("pcap", RECORDED, *options).raw
    # Its own interpreter: processes are forked, and pytest has threads.
    command = [sys.executable, "-m", "tlswire", "pcap", str(RECORDED), *options, "--jobs", "2"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == alone


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--policy", "nobody"], "--policy: 'nobody': is no policy; shipped are "),
        (
            ["--what-if", "apple-account-discovery"],
            "--what-if: apple-account-discovery: has no rule about what sessions",
        ),
        (["--what-if", "/missing.toml"], "--what-if: /missing.toml: cannot be read: No such file or directory"),
        (["--fail-on", "policy"], "--fail-on: policy: needs --policy"),
        (["--what-if-json", "-"], "--what-if-json: -: needs --what-if"),
        ([*WHAT_IF, "--what-if-json", "-", "--csv", "-"], "--what-if-json: -: stdout is taken by --csv -"),
        ([*WHAT_IF, "--what-if-json", "/nonexistent/x"], "--what-if-json: /nonexistent/x: cannot be written"),
    ],
)
def test_wrong_usage_is_one_line(options: list[str], says: str) -> None:
    assert says in refused(run("pcap", FILES[0], *options))


def test_a_broken_policy_is_told_with_its_line(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(OWN.replace('level = "must"', 'level = "maybe"'))
    assert "own.toml:6: rules.suite-none.level: is 'maybe'" in refused(run("pcap", FILES[0], "--policy", own))
