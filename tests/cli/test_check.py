"""``tlswire check``: whom it checks, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]  # has no stubs
import pytest

from tests.check.fleet import fleet
from tests.servers.dialogues import in_front
from tlswire.capture.reader import sessions
from tlswire.hello.profiles import profile_names
from tlswire.lab.server import running
from tlswire.results import json_schema
from tlswire.wire.tree import explain, read_input

from .run import Outcome, refused, run

if TYPE_CHECKING:
    from collections.abc import Sequence

VALIDATOR = jsonschema.Draft202012Validator(json_schema("tlswire.verdict/1"))
# What a run changes from one time to the next.
PASSING = ("started", "elapsed_s")


def verdicts(data: bytes | Path) -> list[dict[str, Any]]:
    """The verdicts of JSON Lines, each checked against the published schema."""
    lines = (data if isinstance(data, bytes) else data.read_bytes()).splitlines()
    found = [json.loads(line) for line in lines]
    for verdict in found:
        VALIDATOR.validate(verdict)
    return found


def lasting(data: bytes | Path) -> list[dict[str, Any]]:
    """The verdicts without what differs between runs: times, and the random bytes of servers."""
    found = verdicts(data)
    for verdict in found:
        verdict.update(dict.fromkeys(PASSING))
        for chain in verdict["chains"]:
            chain["proof"] = chain["report"]["now"] = None
    return found


def listed(path: Path, ports: Sequence[int], role: str = "mdm") -> Path:
    """An inventory of these ports."""
    rows = (f"127.0.0.1,{port},{role},{'staging' if port % 2 else 'production'}\n" for port in ports)
    path.write_text("host,port,role,environment\n" + "".join(rows))
    return path


# Whom it checks, and how it ends.


@pytest.mark.parametrize(
    ("character", "options", "code", "says"),
    [
        ("modern", (), 1, "validity-825"),
        ("legacy-mdm", (), 1, "ems-tls12"),
        ("plain-http", (), 1, "plaintext-http"),
        ("mute", ("--timeout", "0.2"), 4, "says nothing to any hello within the timeout"),
        ("closes-at-once", (), 4, "ends every connection without a word"),
    ],
)
def test_a_verdict_and_an_exit_code(character: str, options: tuple[str, ...], code: int, says: str) -> None:
    with running(character) as lab:
        outcome = run("check", f"127.0.0.1:{lab.port}", *options)
    assert outcome.code == code, outcome
    assert says in outcome.out
    assert outcome.err == ""


def test_a_private_ca_given_as_anchor_passes_with_warnings(tmp_path: Path) -> None:
    with running("modern") as lab:
        run("check", f"127.0.0.1:{lab.port}", "--json", tmp_path / "it.json", "--quiet")
        (chain,) = json.loads((tmp_path / "it.json").read_bytes())["chains"]
        (tmp_path / "ca.pem").write_text(chain["pem"][0])
        outcome = run("check", f"127.0.0.1:{lab.port}", "--anchor", tmp_path / "ca.pem")
    assert outcome.code == 0
    assert outcome.out.startswith("WARN  ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "targets: name hosts, --targets FILE, --inventory FILE or --account, one of them"),
        (("a.example", "--account", "u@a.example"), "targets: name hosts,"),
        (("a.example", "--policy", "mozzarella"), "'mozzarella': is no policy"),
        (("a.example", "--anchor", "{folder}/none.pem"), "anchors: {folder}/none.pem: cannot be read: No such"),
        (("a.example", "--anchor", "{folder}/text"), "anchors: {folder}/text: holds no certificate that can be read"),
        (("a.example", "--as", "ios-99"), "--as: "),
        (("a.example", "--path", "x"), "path 'x': is none"),
        (("a.example", "--resolve", "a.example:443"), "--resolve: 'a.example:443': write HOST:PORT:ADDRESS"),
        (("a.example", "--resolve", "a.example:443:b.example"), "--resolve: "),
        (("a.example", "--resolve", "a.example::127.0.0.1"), "--resolve: "),
        (("a.example", "b.example", "--json", "-"), "--json: holds one result"),
        (("a.example", "--server-name", "x", "--no-server-name"), "--no-server-name: contradicts"),
        (("a.example", "--inventory", "{folder}/none.csv"), "targets: name hosts,"),
        (("--inventory", "{folder}/none.csv"), "--inventory: {folder}/none.csv: cannot be read: No such file"),
        (("--inventory", "{folder}/text"), "{folder}/text:1: columns: there is no host among them"),
        (("a.example", "--resume", "{folder}/text"), "--resume: {folder}/text: is no journal of tlswire"),
        (("--account", "example.com"), "--account: 'example.com': is no account"),
        (("a.example", "--jsonl", "{folder}/no/file"), "{folder}/no/file: cannot be written"),
        (("a.example", "--trace", "{folder}/text"), "--trace: {folder}/text: cannot be written"),
    ],
)
def test_bad_usage_is_one_line(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("just text\n")
    outcome = run("check", *(argument.format(folder=tmp_path) for argument in arguments))
    assert refused(outcome).startswith(says.format(folder=tmp_path))


def test_a_host_that_does_not_resolve_is_told_and_the_others_are_checked() -> None:
    alone = run("check", "nosuch.invalid")
    assert (alone.code, alone.out.splitlines()[0]) == (2, "UNKNOWN  nosuch.invalid:443  apple-mdm-27")
    assert "cannot be resolved" in alone.out
    with running("modern") as lab:
        outcome = run("check", "nosuch.invalid", f"127.0.0.1:{lab.port}", "--jsonl", "-")
    first, second = verdicts(outcome.raw)
    assert (first["verdict"], second["verdict"], outcome.code) == ("unknown", "fail", 3)


def test_many_policies_and_many_targets_in_order(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("{0}\nlocalhost # no port\n")
    with running("modern") as lab:
        (tmp_path / "hosts").write_text(f"127.0.0.1 # the first\nlocalhost:{lab.port}\n")
        options = (
            "--targets",
            tmp_path / "hosts",
            "--port",
            lab.port,
            "--policy",
            "apple-ats",
            "--policy",
            "apple-mdm-27",
        )
        outcome = run(
            "check",
            *map(str, options),
            "--first-address",
            "--resolve",
            f"localhost:{lab.port}:127.0.0.1",
            "--jsonl",
            "-",
        )
    assert [(one["target"]["host"], one["policy"]) for one in verdicts(outcome.raw)] == [
        ("127.0.0.1", "apple-ats"),
        ("127.0.0.1", "apple-mdm-27"),
        ("localhost", "apple-ats"),
        ("localhost", "apple-mdm-27"),
    ]


def test_another_client_gets_what_it_would_get() -> None:
    with running("legacy-mdm") as lab:
        target = f"127.0.0.1:{lab.port}"
        (device,) = verdicts(run("check", target, "--jsonl", "-").raw)
        (old,) = verdicts(run("check", target, "--jsonl", "-", "--as", "ios-12").raw)
    assert device["handshakes"][0]["version"] is None or not device["handshakes"][0]["finished"]
    assert old["handshakes"][0]["finished"]


def test_trace_keylog_and_evidence(tmp_path: Path) -> None:
    with running("modern") as lab:
        target = f"127.0.0.1:{lab.port}"
        options = (
            "--trace",
            tmp_path / "trace",
            "--keylog",
            tmp_path / "keys",
            "--evidence",
            "--jsonl",
            tmp_path / "out",
        )
        outcome = run("check", target, *options)
    (folder,) = (tmp_path / "trace").iterdir()
    texts = sorted(folder.glob("*.txt"))
    (verdict,) = verdicts(tmp_path / "out")
    assert len(texts) == verdict["connections"]
    assert len([*sessions(folder / "scan.pcap")]) == verdict["connections"]
    assert re.search(
        r"^CLIENT_HANDSHAKE_TRAFFIC_SECRET [0-9a-f]{64} [0-9a-f]{64,96}$", (tmp_path / "keys").read_text(), re.MULTILINE
    )
    proofs = [item["proof"] for rule in verdict["rules"] for item in rule["evidence"] if item["proof"]]
    assert proofs
    assert explain(read_input(bytes.fromhex(proofs[0]["sent"])))
    assert proofs[0]["sent"][:60] in outcome.out
    assert proofs[0]["received"][:60] in outcome.out


# Inventories.


def test_an_inventory_is_told_line_by_line_and_summed_up(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.csv"
    with running("modern") as good, running("legacy-mdm") as bad:
        path.write_text(
            "host,port,role,environment,name,owner\n"
            f"127.0.0.1,{good.port},mdm,production,the MDM,me\n"
            f"127.0.0.1,{bad.port},checkin,staging,,me\n"
            "scep.invalid,,scep,production,,\n"
            f"127.0.0.1,{good.port},mdmm,production,,\n"
            "nosuch.invalid,,ddm,production,,\n"
        )
        outcome = run("check", "--inventory", path, "--jsonl", tmp_path / "out")
    assert outcome.code == 3
    assert [line.split(": ", 2)[1].rpartition(":")[2] for line in outcome.err.splitlines()] == ["1", "5"]
    lines = outcome.lines
    assert lines[0] == f"FAIL     127.0.0.1:{good.port}  the MDM  mdm  production  apple-mdm-27  validity-825"
    assert lines[2].startswith("EXEMPT   scep.invalid:443  scep  production  Connections to a SCEP server are exempt")
    assert f"{path}:6: nosuch.invalid: cannot be resolved" in lines[3]
    table = lines[lines.index("Summary") + 1 :][:4]
    assert [line.split() for line in table] == [
        ["fail", "unknown", "warn", "pass", "exempt"],
        ["production", "1", "1", "-", "-", "1"],
        ["staging", "1", "-", "-", "-", "-"],
        ["together", "2", "1", "-", "-", "1"],
    ]
    assert "2 faults in the inventory" in outcome.out
    found = verdicts(tmp_path / "out")
    assert [one["endpoint"]["role"] for one in found] == ["mdm", "checkin", "scep", "ddm"]
    assert [one["verdict"] for one in found] == ["fail", "fail", "exempt", "unknown"]


CHARACTERS = ("modern", "plain", "legacy-mdm", "closes", "resets")
BROKEN = {
    "modern": {"validity-825"},
    "plain": {"validity-825"},
    "legacy-mdm": {"validity-825", "suite-fcp", "ems-tls12"},
    "closes": {"validity-825"},
    "resets": {"validity-825"},
}


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tlswire", "check", *map(str, arguments)]


def test_killed_in_the_middle_and_resumed_is_as_if_nothing_had_happened(tmp_path: Path) -> None:
    count = 200 if os.environ.get("TLSWIRE_SLOW") else 40
    characters = [CHARACTERS[at % len(CHARACTERS)] for at in range(count)]
    journal = tmp_path / "journal"
    with fleet(characters) as ports:
        path = listed(tmp_path / "endpoints.csv", ports)
        began = time.monotonic()
        most = 0
        with subprocess.Popen(_command("--inventory", path, "--jsonl", tmp_path / "whole", "--quiet")) as undisturbed:
            while undisturbed.poll() is None:
                most = max(most, _memory(undisturbed.pid))
                time.sleep(0.01)
        assert time.monotonic() - began < 20
        assert 0 < most < 150 << 10
        options = ("--inventory", path, "--resume", journal, "--hosts", 4)
        with subprocess.Popen(_command(*options, "--jsonl", tmp_path / "first"), stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while _lines(journal) <= count // 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        finished = _lines(journal) - 1
        rest = subprocess.run(_command(*options, "--jsonl", "-"), capture_output=True, check=False)
        # The servers are gone: whatever was asked again would now be unreachable.
    again = subprocess.run(_command(*options, "--jsonl", "-"), capture_output=True, check=False)
    assert count // 2 <= finished < count
    assert undisturbed.returncode == rest.returncode == again.returncode == 1
    assert lasting(rest.stdout) == lasting(tmp_path / "whole")
    assert again.stdout == rest.stdout
    found = verdicts(rest.stdout)
    assert [one["target"]["port"] for one in found] == ports
    broken = [{rule["id"] for rule in one["rules"] if rule["verdict"] == "fail"} for one in found]
    assert broken == [BROKEN[character] for character in characters]


def _memory(pid: int) -> int:
    """The most KiB a process has had since it began its program: what wait4 tells has this process's own in it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_what_is_known_and_what_was_finished_is_kept(
    number: signal.Signals, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    with fleet(["modern", "mute", "mute", "modern"]) as ports:
        path = listed(tmp_path / "endpoints.csv", ports)
        options = ("--inventory", path, "--resume", journal, "--hosts", 2, "--jsonl", tmp_path / "out")
        with subprocess.Popen(_command(*options), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while _lines(journal) < 2:
                time.sleep(0.01)
            time.sleep(0.2)
            process.send_signal(number)
            out, err = process.communicate(timeout=10)
        assert (process.returncode, err) == (3, b"")
        first, *rest = verdicts(tmp_path / "out")
        assert first["verdict"] == "fail"
        assert [one["verdict"] for one in rest] == ["unknown"] * len(rest)
        assert len(rest) < 3
        assert b"Summary" in out
        assert _lines(journal) == 2


# What a person sees.


def test_progress_goes_to_a_terminal(tmp_path: Path) -> None:
    with fleet(["slow", "slow"]) as ports:
        path = listed(tmp_path / "endpoints.csv", ports)
        ours, theirs = pty.openpty()
        with subprocess.Popen(_command("--inventory", path), stdout=subprocess.DEVNULL, stderr=theirs) as process:
            process.wait(30)
        os.close(theirs)
        shown = os.read(ours, 1 << 16)
        os.close(ours)
    assert b"2 endpoints" in shown
    assert b"connections" in shown


def test_quiet_leaves_the_exit_code_and_files(tmp_path: Path) -> None:
    with running("modern") as lab:
        outcome = run("check", f"127.0.0.1:{lab.port}", "--quiet", "--jsonl", tmp_path / "out")
    assert outcome == Outcome(1, b"", "")
    assert len(verdicts(tmp_path / "out")) == 1


def test_more_than_a_few_targets_get_a_line_each_and_whole_reports_with_v() -> None:
    with running("modern") as lab:
        targets = [f"127.0.0.{at}:{lab.port}" for at in range(1, 7)]
        at = [item for name in "abcdef" for item in ("--resolve", f"{name}.example:{lab.port}:127.0.0.1")]
        targets = [f"{name}.example:{lab.port}" for name in "abcdef"]
        brief, long = run("check", *targets, *at), run("check", *targets, *at, "-v")
    assert [line.split()[:2] for line in brief.lines[:6]] == [["FAIL", target] for target in targets]
    assert "Handshakes" not in brief.out
    assert long.out.count("Handshakes") == 6
    assert long.out.count("Summary") == 1


def test_the_matrix_tells_what_each_client_gets(tmp_path: Path) -> None:
    with running("modern") as good, running("legacy-mdm") as bad, running("mlkem-only") as new:
        targets = [f"127.0.0.1:{lab.port}" for lab in (good, bad, new)]
        options = ("--matrix", "--as", "ios-12", "--as", "apple-mdm-27", "--jsonl", tmp_path / "out")
        outcome = run("check", *targets, *options)
        trace = run("check", targets[0], "--matrix", "--trace", tmp_path / "trace", "--json", tmp_path / "one")
    got = [
        [(cell["client"], cell["verdict"], cell["handshake"]["version"], cell["broken"]) for cell in one["matrix"]]
        for one in verdicts(tmp_path / "out")
    ]
    assert got == [
        [("ios-12", "pass", "TLS 1.2", []), ("apple-mdm-27", "pass", "TLS 1.3", [])],
        [
            ("ios-12", "fail", "TLS 1.2", ["suite-fcp", "ems-tls12"]),
            ("apple-mdm-27", "fail", None, ["tolerance-client-hello"]),
        ],
        [("ios-12", "fail", None, ["tolerance-client-hello"]), ("apple-mdm-27", "pass", "TLS 1.3", [])],
    ]
    assert [line.split() for line in outcome.lines[-4:-1]] == [
        targets,
        ["ios-12", "pass", "TLS", "1.2", "fail", "TLS", "1.2", "fail", "-"],
        ["apple-mdm-27", "pass", "TLS", "1.3", "fail", "-", "pass", "TLS", "1.3"],
    ]
    assert trace.code == 1
    one = json.loads((tmp_path / "one").read_bytes())
    VALIDATOR.validate(one)
    assert [cell["client"] for cell in one["matrix"]] == list(profile_names())
    assert len([*(tmp_path / "trace").glob("*/*.txt")]) == one["connections"]
    assert run("check", "a.example", "--as", "ios-12", "--as", "ios-13").code == 2


def test_an_inventory_s_endpoint_may_begin_tls_in_the_middle(tmp_path: Path) -> None:
    with running("modern") as lab, in_front(lab.port, "smtp") as mail:
        (tmp_path / "own.toml").write_text(
            f"[[endpoint]]\nhost = '127.0.0.1'\nport = {mail.port}\nstarttls = 'smtp'\nserver_name = 'mail.example'\n"
        )
        outcome = run("check", "--inventory", tmp_path / "own.toml", "--json", "-")
    verdict = json.loads(outcome.raw)
    assert (verdict["target"]["starttls"], verdict["target"]["server_name"]) == ("smtp", "mail.example")
    assert verdict["handshakes"][0]["finished"]
    assert verdict["http"] == []
