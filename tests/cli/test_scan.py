from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]  # has no stubs
import pytest

from tests.servers.dialogues import in_front
from tests.servers.listener import streamed
from tlswire.capture.reader import sessions
from tlswire.lab.characters import CHARACTERS, accepted
from tlswire.lab.server import Lab, running
from tlswire.probe.exchange import Answer
from tlswire.results import json_schema
from tlswire.wire.tree import explain, read_input

from .run import Outcome, one_line, refused, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.listener import Listener
    from tlswire.probe.transport import Address
    from tlswire.wire.cursor import Node

FEW = ("--versions", "1.2,1.3", "--suites", "0xC02F,0xC030,0x1301,0x002F,0x0005")
FAST = ("--method", "eliminate")
VALIDATOR = jsonschema.Draft202012Validator(json_schema("tlswire.scan/1"))
SUITE_CODE = re.compile(r"0x[0-9A-F]{4}([0-9A-F]{2})?")


def at(lab: Lab | Listener) -> str:
    return f"127.0.0.1:{lab.port}"


def scans(text: str) -> list[dict[str, Any]]:
    """Every line (or the one object) of JSON, checked against the published schema and the contract."""
    objects = [json.loads(text)] if text.startswith("{\n") else [json.loads(line) for line in text.splitlines()]
    for value in objects:
        VALIDATOR.validate(value)
        assert value["schema"] == "tlswire.scan/1"
        assert {"host", "port", "address", "server_name", "starttls", "proxy"} <= set(value["target"])
        assert {"complete", "connections", "elapsed_s"} <= set(value)
        for version in value["versions"]:
            assert {"version", "code", "verdict", "suites", "tried", "unknown"} <= set(version)
            assert version["verdict"] in {"accepted", "rejected", "unknown"}
            assert re.fullmatch(r"0x[0-9A-F]{4}", version["code"])
            for suite in version["suites"]:
                assert {"code", "name", "openssl_name", "verdict"} <= set(suite)
                assert suite["verdict"] == "accepted"
            for code in (*(suite["code"] for suite in version["suites"]), *version["unknown"]):
                assert SUITE_CODE.fullmatch(code)
                assert len(code) == (8 if version["version"] == "SSLv2" else 6)
    return objects


def suites_of(value: dict[str, Any]) -> dict[str, set[int]]:
    return {entry["version"]: {int(suite["code"], 16) for suite in entry["suites"]} for entry in value["versions"]}


def readable(outcome: Outcome) -> list[str]:
    """The lines of stdout, all of them printable."""
    lines = outcome.raw.decode("utf-8").splitlines()
    assert all(line.isprintable() for line in lines)
    return lines


# What it prints, and how it ends.


def test_a_complete_scan_ends_with_0_and_shows_what_matters() -> None:
    with running("legacy-mdm") as lab:
        outcome = run("scan", at(lab))
    assert (outcome.code, outcome.err) == (0, "")
    text = "\n".join(readable(outcome))
    for word in ("TLS 1.0", "RFC 8996", "RC4", "TLS_RSA_WITH_RC4_128_MD5", "forward secrecy", "weak", "complete;"):
        assert word in text
    assert text.index("Problems") < text.index("0x002F")
    assert max(map(len, readable(outcome))) <= 130


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("weak", 1), ("legacy", 1), ("no-forward-secrecy", 1), ("misplaced,fault", 0), ("misplaced, weak", 1)],
)
def test_fail_on(wanted: str, code: int) -> None:
    with running("legacy-mdm") as lab:
        assert run("scan", at(lab), *FAST, *FEW, "--fail-on", wanted).code == code


def test_a_server_s_fault_is_a_finding() -> None:
    with running("unoffered-suite") as lab:
        assert run("scan", at(lab), *FAST, *FEW).code == 0
        outcome = run("scan", at(lab), *FAST, *FEW, "--fail-on", "fault")
    assert outcome.code == 1
    assert "was not offered" in outcome.raw.decode()


@pytest.mark.parametrize("method", ["each", "eliminate"])
@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("mute", 3, "says nothing"),
        ("closes-at-once", 3, "ends every connection"),
        ("plain-http", 4, "plain HTTP"),
        ("flood", 3, "INCOMPLETE"),
        ("zero-record", 3, "INCOMPLETE"),
        ("endless-message", 3, "INCOMPLETE"),
        ("malformed-hello", 3, "INCOMPLETE"),
        ("oversized-record", 3, "INCOMPLETE"),
        ("drip", 3, "INCOMPLETE"),
    ],
)
def test_awkward_servers_end_soon_with_a_clear_line(name: str, method: str, code: int, says: str) -> None:
    began = time.monotonic()
    with running(name) as lab:
        outcome = run("scan", at(lab), "--method", method, *FEW, "--timeout", "0.3", "--deadline", "10")
    assert outcome.code == code
    assert says in "\n".join(readable(outcome))
    assert time.monotonic() - began < 12


def test_nobody_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, not listening: refused for sure
        outcome = run("scan", f"127.0.0.1:{held.getsockname()[1]}")
    assert outcome.code == 4
    assert "cannot connect" in "\n".join(readable(outcome))


@pytest.mark.parametrize("first", [b"S", b"\x1b", b"\x9b", b"\xff"])
def test_hostile_bytes_never_reach_the_terminal(first: bytes, tmp_path: Path) -> None:
    banner = first + b"SH-2.0-\x1b]0;owned\x07\x1b[31m\xe2\x80\xae\xff\x00\r\n"

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(banner)
        await reader.read(1 << 16)

    with streamed(greet) as server:
        outcome = run("scan", at(server), "--json", str(tmp_path / "out.json"), "--timeout", "1")
    assert outcome.code in {3, 4}
    text = "\n".join(readable(outcome))
    assert "before it says anything" not in text  # it said something, be it nonsense
    assert first != b"S" or "does not speak TLS" in text
    assert all(byte >= 0x20 or byte == 0x0A for byte in (tmp_path / "out.json").read_bytes())


def test_help_is_quick_and_plain() -> None:
    for arguments in (("--help",), ("scan", "--help"), ("--version",)):
        outcome = run(*arguments)
        assert (outcome.code, outcome.err) == (0, "")
        assert "tlswire" in outcome.out
    text = run("scan", "--help").out
    for option in [
        "--versions",
        "--suites",
        "--method",
        "--all-codes",
        "--targets",
        "--json",
        "--jsonl",
        "--trace",
        "--fail-on",
    ]:
        assert option in text
    for option in [
        "--concurrency",
        "--max-rate",
        "--timeout",
        "--deadline",
        "--retries",
        "--all-addresses",
        "--server-name",
        "--starttls",
        "--proxy",
    ]:
        assert option in text


# Machine output.


def test_json_to_a_file_beside_the_report(tmp_path: Path) -> None:
    with running("plain") as lab:
        outcome = run("scan", at(lab), *FAST, "--json", str(tmp_path / "scan.json"))
        connections = lab.connections
    assert outcome.code == 0
    assert "TLS 1.3" in "\n".join(readable(outcome))
    (value,) = scans((tmp_path / "scan.json").read_text(encoding="utf-8"))
    assert value["connections"] == connections
    assert value["complete"] is True
    names = ["SSLv2", "SSLv3", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"]
    assert [version["version"] for version in value["versions"]] == names
    truth = accepted(CHARACTERS["plain"])
    codes = {version["version"]: int(version["code"], 16) for version in value["versions"]}
    assert suites_of(value) == {name: set(truth.get(codes[name], ())) for name in names}
    assert (value["target"]["host"], value["target"]["port"]) == ("127.0.0.1", lab.port)


@pytest.mark.parametrize("option", ["--json", "--jsonl"])
def test_json_on_stdout_is_alone_there(option: str) -> None:
    with running("museum") as lab:
        outcome = run("scan", at(lab), *FAST, "--versions", "ssl2,1.3", option, "-")
    assert (outcome.code, outcome.err) == (0, "")
    (value,) = scans(outcome.out)
    assert len(suites_of(value)["SSLv2"]) == 13


def test_json_of_a_dead_end_says_so() -> None:
    with running("plain-http") as lab:
        outcome = run("scan", at(lab), "--json", "-")
    (value,) = scans(outcome.out)
    assert (outcome.code, value["complete"], value["reachable"]) == (4, False, False)
    assert "plain HTTP" in value["error"]


def test_quiet_prints_nothing() -> None:
    with running("plain") as lab:
        outcome = run("scan", at(lab), *FAST, *FEW, "--quiet")
    assert outcome == Outcome(0, b"", "")


# What is asked.


def test_versions_and_suites_narrow_the_work() -> None:
    with running("plain") as lab:
        outcome = run(
            "scan", at(lab), "--versions", "TLS1.2", "--suites", "ECDHE-RSA-AES128-GCM-SHA256,0x0005", "--json", "-"
        )
    (value,) = scans(outcome.out)
    (version,) = value["versions"]
    assert (version["version"], version["tried"]) == ("TLS 1.2", 2)
    assert suites_of(value) == {"TLS 1.2": {0xC02F}}


def test_patterns_name_suites_and_sslv2_kinds() -> None:
    with running("museum") as lab:
        outcome = run("scan", at(lab), *FAST, "--versions", "ssl2,1.0", "--suites", "*rc4*", "--json", "-")
    found = suites_of(scans(outcome.out)[0])
    assert {0x010080, 0x020080} <= found["SSLv2"]
    assert {0x0004, 0x0005, 0xC011} <= found["TLS 1.0"]
    assert 0x002F not in found["TLS 1.0"]


@pytest.mark.parametrize(("options", "name"), [((), None), (("--server-name", "lab.example"), "lab.example")])
def test_the_server_name_sent(options: tuple[str, ...], name: str | None) -> None:
    with running("needs-name") as lab:
        outcome = run("scan", at(lab), *FAST, *FEW, *options, "--json", "-")
    (value,) = scans(outcome.out)
    assert value["target"]["server_name"] == name
    assert bool(suites_of(value)["TLS 1.2"]) == (name is not None)
    assert outcome.code == (0 if name else 3)


def test_no_server_name_for_a_name_that_has_one() -> None:
    with running("plain") as lab:
        named, bare = (
            scans(run("scan", f"localhost:{lab.port}", *FAST, *FEW, *options, "--json", "-").out)[0]
            for options in ((), ("--no-server-name",))
        )
    assert named["target"]["server_name"] == "localhost"
    assert bare["target"]["server_name"] is None


def test_several_targets_from_arguments_and_a_file(tmp_path: Path) -> None:
    with running("plain") as one, running("modern") as two, running("legacy-mdm") as three:
        listed = tmp_path / "targets.txt"
        listed.write_text(f"# ours\n\n  {at(two)}  # the second\n{at(three)}\n{at(two)}\n", encoding="utf-8")
        outcome = run("scan", at(one), "--targets", str(listed), *FAST, "--jsonl", "-", "--hosts", "2")
        wanted = {one.port: "plain", two.port: "modern", three.port: "legacy-mdm"}
    assert outcome.code == 0
    found = {value["target"]["port"]: suites_of(value) for value in scans(outcome.out)}
    assert set(found) == set(wanted)
    for port, name in wanted.items():
        assert found[port]["TLS 1.2"] == accepted(CHARACTERS[name])[0x0303]


def test_a_block_of_addresses() -> None:
    with running("plain") as lab:
        outcome = run("scan", f"127.0.0.0/30:{lab.port}", *FAST, *FEW, "--jsonl", "-")
    found = {value["target"]["address"]: value for value in scans(outcome.out)}
    assert set(found) == {"127.0.0.1", "127.0.0.2"}
    assert found["127.0.0.1"]["complete"]
    assert not found["127.0.0.2"]["reachable"]
    assert outcome.code == 3


@contextlib.contextmanager
def on_ipv6() -> Iterator[Lab]:
    """The plain character on ::1, or a skip where there is no IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on loopback")
    lab = Lab("plain", host="::1")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(lab.__aenter__(), loop).result()
        yield lab
        asyncio.run_coroutine_threadsafe(lab.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_ipv6(tmp_path: Path) -> None:
    with on_ipv6() as lab:
        outcome = run("scan", f"[::1]:{lab.port}", *FAST, *FEW, "--trace", str(tmp_path), "--json", "-")
        report = run("scan", "::1", "--port", str(lab.port), *FAST, *FEW)
    (value,) = scans(outcome.out)
    assert (outcome.code, value["target"]["address"]) == (0, "::1")
    assert f"[::1]:{lab.port}" in "\n".join(readable(report))
    assert any(tmp_path.rglob("scan.pcap"))


def test_all_addresses_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with running("plain") as lab:

        async def getaddrinfo(_: object, host: str, port: int, **__: object) -> list[Any]:
            assert host == "two.example"
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("127.0.0.1", port)), (*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
        both = run("scan", f"two.example:{lab.port}", "--all-addresses", *FAST, *FEW, "--jsonl", "-")
        first = run("scan", f"two.example:{lab.port}", *FAST, *FEW, "--jsonl", "-")
    assert [value["target"]["address"] for value in scans(first.out)] == ["127.0.0.1"]
    assert sorted(value["target"]["address"] for value in scans(both.out)) == ["127.0.0.1", "127.0.0.2"]
    assert (first.code, both.code) == (0, 3)
    assert {value["target"]["server_name"] for value in scans(both.out)} == {"two.example"}


# Behind STARTTLS and proxies.


def test_a_scan_behind_starttls(tmp_path: Path) -> None:
    with running("plain") as lab, in_front(lab.port, "smtp") as server:
        outcome = run("scan", at(server), *FAST, *FEW, "--starttls", "smtp", "--json", str(tmp_path / "out.json"))
    (value,) = scans((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert outcome.code == 0
    assert readable(outcome)[0].endswith("  STARTTLS of smtp")
    assert (value["target"]["starttls"], value["target"]["proxy"]) == ("smtp", None)
    assert suites_of(value) == {"TLS 1.2": {0xC02F, 0xC030, 0x002F}, "TLS 1.3": {0x1301}}


def test_the_port_of_starttls_is_its_own_unless_one_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []

    async def ask(address: Address, *_: object, **__: object) -> Answer:
        seen.append(address.port)
        return Answer("refused")

    monkeypatch.setattr("tlswire.scan.offers.ask", ask)
    listed = tmp_path / "targets.txt"
    listed.write_text("127.0.0.4\n127.0.0.5:7\n", encoding="utf-8")
    run("scan", "127.0.0.1", "127.0.0.2:99", "--targets", listed, "--starttls", "imap")
    run("scan", "127.0.0.1", "--starttls", "imap", "--port", "1143")
    run("scan", "127.0.0.1")
    assert seen == [143, 99, 143, 7, 1143, 443]


@pytest.mark.parametrize(
    ("protocol", "words", "says"),
    [
        ("smtp", b"554 \x1b[31mno\r\n", "refuses STARTTLS (smtp): 554 \\x1b[31mno"),
        ("ftp", b"\x16\x03\x01\x00\x7a", "speaks TLS from the first byte"),
    ],
)
def test_a_dialogue_that_leads_nowhere_ends_with_4(protocol: str, words: bytes, says: str) -> None:
    with running("plain") as lab, in_front(lab.port, protocol, mood=lambda _: words) as server:
        outcome = run("scan", at(server), *FAST, *FEW, "--starttls", protocol)
    assert outcome.code == 4
    assert says in "\n".join(readable(outcome))


def test_words_in_clear_before_tls_can_fail_a_build() -> None:
    with running("plain") as lab, in_front(lab.port, "smtp", in_clear=b"250 injected\r\n") as server:
        options = (at(server), *FAST, *FEW, "--starttls", "smtp")
        assert run("scan", *options).code == 0
        outcome = run("scan", *options, "--fail-on", "fault")
    assert outcome.code == 1
    assert "goes on in clear between its go-ahead and TLS: 250 injected  (RFC 3207 4)" in "\n".join(readable(outcome))


SECRET = "s3same"


@contextlib.contextmanager
def connect_proxy() -> Iterator[Listener]:
    """A proxy that lets ``user`` in with the secret, to loopback only."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        line, _, headers = request.partition("\r\n")
        if base64.b64encode(f"user:{SECRET}".encode()).decode() not in headers:
            writer.write(b"HTTP/1.1 407 Who are you?\r\n\r\n")
            return
        near, far = (
            (reader, writer),
            await asyncio.open_connection("127.0.0.1", int(line.split()[1].rpartition(":")[2])),
        )
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(1 << 16):
                sink.write(data)
            sink.close()

        with contextlib.suppress(OSError):
            await asyncio.gather(pump(near[0], far[1]), pump(far[0], near[1]))

    with streamed(forward) as proxy:
        yield proxy


def test_a_scan_through_a_proxy_keeps_its_secrets(tmp_path: Path) -> None:
    url = "http://{}@localhost:{}"
    with running("plain") as lab, in_front(lab.port, "smtp") as server, connect_proxy() as proxy:
        options = ("--starttls", "smtp", *FAST, *FEW, "--trace", str(tmp_path), "--json", "-")
        arguments = (f"nosuchhost.invalid:{server.port}", *options, "--proxy", url.format(f"user:{SECRET}", proxy.port))
        outcome = run("scan", *arguments)
        report = run("scan", at(server), *FAST, *FEW, "--starttls", "smtp", *arguments[-2:])
        refused_ = run("scan", at(server), *FAST, *FEW, "--proxy", url.format("user:0ther", proxy.port))
    (value,) = scans(outcome.out)
    shown = f"http://localhost:{proxy.port}"
    assert outcome.code == 0
    assert value["target"]["proxy"] == shown
    assert value["target"]["address"] is None  # the proxy knows where that is
    assert suites_of(value)["TLS 1.3"] == {0x1301}
    assert readable(report)[0].endswith(f"  STARTTLS of smtp  through {shown}")
    assert refused_.code == 4
    assert f"the proxy {shown} refuses: HTTP/1.1 407 Who are you?" in "\n".join(readable(refused_))
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    everything = kept + outcome.raw + report.raw + refused_.raw
    for secret in (SECRET, "0ther"):
        assert secret.encode() not in everything
        assert base64.b64encode(f"user:{secret}".encode()) not in everything
    assert kept.count(b"Proxy-Authorization: Basic ***") >= 2 * value["connections"]


@pytest.mark.parametrize(
    "url", ["https://user:s3same@127.0.0.1:1", "http://user:s3same@127.0.0.1", "http://u:s3same@[x:1"]
)
def test_a_bad_proxy_is_refused_without_its_secrets(url: str) -> None:
    line = refused(run("scan", "127.0.0.1:1", "--proxy", url))
    assert SECRET not in line
    assert "socks5h://" in line


# Traces.


def test_a_trace_holds_the_dialogue(tmp_path: Path) -> None:
    with running("plain") as lab, in_front(lab.port, "smtp") as server:
        outcome = run("scan", at(server), *FAST, *FEW, "--starttls", "smtp", "--trace", str(tmp_path), "--json", "-")
    (value,) = scans(outcome.out)
    files = sorted(tmp_path.rglob("*.txt"))
    assert len(files) == value["connections"]
    for path in files:
        text = path.read_text(encoding="ascii")
        assert "# before TLS, the peer: 220-mail.example ESMTP\\x0d\\x0a220 ready" in text
        assert text.index("# before TLS, we: EHLO tlswire.example") < text.index("# before TLS, we: STARTTLS")
        _, sent, _ = halves(text)
        assert not errors(explain(read_input(sent.encode())))
    (capture,) = tmp_path.rglob("scan.pcap")
    found = list(sessions(capture))
    assert len(found) == value["connections"]
    assert {session.protocol for session in found} == {"smtp"}
    assert all(session.hellos for session in found)


def errors(node: Node) -> list[str]:
    return [node.text for _ in (0,) if node.name == "error"] + [
        text for child in node.children for text in errors(child)
    ]


def test_a_trace_holds_every_probe(tmp_path: Path) -> None:
    with running("modern") as lab:
        outcome = run("scan", at(lab), *FAST, "--trace", str(tmp_path), "--json", "-")
    (value,) = scans(outcome.out)
    files = sorted(tmp_path.rglob("*.txt"))
    assert len(files) == value["connections"]
    assert {path.parent for path in files} == {next(tmp_path.rglob("scan.pcap")).parent}
    for path in files:
        head, sent, received = halves(path.read_text(encoding="ascii"))
        assert head
        tree = explain(read_input(sent.encode()))
        assert not errors(tree), path.name
        assert {"client_hello", "sslv2_client_hello"} & tree_names(tree), path.name
        if received:
            assert not errors(explain(read_input(received.encode()))), path.name


def halves(text: str) -> tuple[str, str, str]:
    """The headline, the hex of what was sent and of what was received."""
    head, _, rest = text.partition("\n# sent")
    sent, _, received = rest.partition("\n# received")
    return head, sent.partition("\n")[2], received.partition("\n")[2].strip()


def tree_names(node: Node) -> set[str]:
    return {node.name}.union(*(tree_names(child) for child in node.children))


def test_the_pcap_opens_in_tshark(tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("no tshark on PATH: install apt:tshark")
    with running("plain") as lab:
        outcome = run("scan", at(lab), *FAST, "--versions", "1.0,1.2,1.3", "--trace", str(tmp_path), "--json", "-")
    (value,) = scans(outcome.out)
    (capture,) = tmp_path.rglob("scan.pcap")
    # The lab's port is not among those tshark takes for TLS.
    command = [tshark, "-r", str(capture), "-d", f"tcp.port=={lab.port},tls", "-o", "ip.check_checksum:TRUE"]
    command += ["-o", "tcp.check_checksum:TRUE", "-T", "fields", "-e", "tls.handshake.type"]
    command += [
        "-e",
        "tcp.analysis.flags",
        "-e",
        "ip.checksum.status",
        "-e",
        "tcp.checksum.status",
        "-e",
        "_ws.malformed",
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    rows = [line.split("\t") for line in shown]
    types = [kind for row in rows for kind in row[0].split(",")]
    assert types.count("1") == value["connections"]
    assert types.count("2") > 10
    assert {row[1] for row in rows} == {""}
    assert {row[2] for row in rows} == {"1"}
    assert {row[3] for row in rows} == {"1"}
    assert {row[4] for row in rows} == {""}


# Bad input: one line, exit code 2, no connection.


@pytest.mark.parametrize(
    "target",
    [
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999",
        "127.0.0.1:http",
        "127.0.0.1:",
        "127.0.0.1:-1",
        "127.0.0.1:4 4",
        "127.0.0.1:\uff14\uff14\uff13",
        "[::1]:x",
        "[::1",
        "[::1]443",
        "[]:443",
        "::1::2",
        "999.1.1.1",
        "1.2.3",
        "a b.example",
        "a..example",
        ".example",
        "x" * 64 + ".example",
        "x." * 130 + "example",
        "ex\x1b[31mample",
        "exam\u202eple",
        "",
        " ",
        "10.0.0.0/33",
        "10.0.0.0/",
        "/24",
        "10.0.0.0/8",
        "::/0",
        "10.0.0.0/24:0",
        "a.example/24",
        "https://a.example/",
        "http://a.example",
    ],
)
def test_bad_targets(target: str) -> None:
    with running("plain") as lab:
        line = refused(run("scan", at(lab), "--jsonl", "-", "--", target))
        assert lab.connections == 0
    assert len(line) < 600


@pytest.mark.parametrize(
    "options",
    [
        ("--versions", "TLS 9"),
        ("--versions", ""),
        ("--versions", ","),
        ("--versions", "DTLS 1.2"),
        ("--versions", "0x9999"),
        ("--versions", "\x1b[31m"),
        ("--suites", "NOPE"),
        ("--suites", ""),
        ("--suites", "*NOPE*"),
        ("--suites", "0x10000"),
        ("--suites", "TLS_RSA_WITH_RC4_128_SHAA"),
        ("--suites", "SSL_CK_NOPE"),
        ("--suites", "0xC02F", "--all-codes"),
        ("--method", "guess"),
        ("--port", "0"),
        ("--port", "65536"),
        ("--concurrency", "0"),
        ("--concurrency", "many"),
        ("--max-rate", "-1"),
        ("--max-rate", "nan"),
        ("--timeout", "0"),
        ("--timeout", "-1"),
        ("--timeout", "nan"),
        ("--deadline", "0"),
        ("--deadline", "nan"),
        ("--retries", "-1"),
        ("--hosts", "0"),
        ("--seed", "x"),
        ("--fail-on", "everything"),
        ("--fail-on", ","),
        ("--server-name", "a b"),
        ("--server-name", "a.example", "--no-server-name"),
        ("--starttls", "gopher"),
        ("--starttls", ""),
        ("--proxy", ""),
        ("--proxy", "127.0.0.1:3128"),
        ("--proxy", "https://127.0.0.1:3128"),
        ("--proxy", "http://nosuchhost.invalid:3128"),
        ("--proxy", "http://127.0.0.1:1", "--all-addresses"),
        ("--nonsense",),
        ("--targets", "no-such-file"),
        ("--json", "no/such/folder/out.json"),
        ("--json", "."),
        ("--jsonl", "no/such/folder/out.jsonl"),
        ("--trace", "file.txt"),
        ("--trace", "file.txt/below"),
    ],
)
def test_bad_options(options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("a file", encoding="ascii")
    with running("plain") as lab:
        refused(run("scan", at(lab), *options))
        assert lab.connections == 0


@pytest.mark.parametrize("value", ["inf", "1e308", "1e12"])
@pytest.mark.parametrize("option", ["--timeout", "--deadline"])
def test_endless_patience_is_refused_or_works(option: str, value: str) -> None:
    with running("plain") as lab:
        outcome = run("scan", at(lab), *FAST, *FEW, "--quiet", option, value)
    assert outcome.code in {0, 2}
    assert outcome.code == 0 or one_line(outcome)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no target"),
        (b"\n# nothing but this\n  \n", "no target"),
        (b"\x7fELF\x02\x01\x01\x00\xff\xfe", "not a text file"),
        (b"127.0.0.1\x00:443\n", "not a text file"),
        (b"127.0.0.1\nbad host\n", "list.txt:2"),
        (b"127.0.0.1\n\n127.0.0.1:99999 # far\n", "list.txt:3"),
        (b"\x1b[2J\n", "list.txt:1"),
    ],
)
def test_bad_target_files(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with running("plain") as lab:
        assert says in refused(run("scan", at(lab), "--targets", str(path)))
        assert lab.connections == 0


def test_a_folder_is_no_target_file(tmp_path: Path) -> None:
    refused(run("scan", "--targets", str(tmp_path)))


def test_no_target_at_all() -> None:
    refused(run("scan"))


def test_one_json_holds_one_result() -> None:
    assert "--jsonl" in refused(run("scan", "127.0.0.1:1", "127.0.0.1:2", "--json", "-"))


@pytest.fixture
def no_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(_: object, host: str, *__: object, **___: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {host}")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)


@pytest.mark.usefixtures("no_dns")
def test_an_unknown_host() -> None:
    assert "no-such-host.example" in refused(run("scan", "no-such-host.example"))


@pytest.mark.usefixtures("no_dns")
def test_an_unknown_host_among_others_is_told_and_not_forgotten() -> None:
    with running("plain") as lab:
        outcome = run("scan", at(lab), "no-such-host.example", *FAST, *FEW, "--jsonl", "-")
    found = {value["target"]["host"]: value for value in scans(outcome.out)}
    assert outcome.code == 3
    assert found["127.0.0.1"]["complete"]
    assert (found["no-such-host.example"]["complete"], found["no-such-host.example"]["reachable"]) == (False, False)
    assert "resolved" in found["no-such-host.example"]["error"]


# As a process: signals, terminals, pipes.


COMMAND = (sys.executable, "-m", "tlswire")


@contextlib.contextmanager
def process(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        (*COMMAND, *arguments), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def until(condition: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["slow", "mute"])
def test_an_interrupted_scan_prints_what_it_knows(name: str, sent: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "scan.json"
    with running(name) as lab:
        arguments = ("scan", at(lab), "--concurrency", "2", "--json", str(out), "--versions", "1.2")
        with process(*arguments, stdout=subprocess.PIPE) as scanning:
            until(lambda: lab.connections >= (12 if name == "slow" else 1))
            scanning.send_signal(sent)
            text, complaint = scanning.communicate(timeout=20)
    assert scanning.returncode == 3, complaint
    assert complaint == b""
    assert b"INCOMPLETE" in text
    assert b"interrupted" in text
    (value,) = scans(out.read_text(encoding="utf-8"))
    assert value["complete"] is False
    (version,) = value["versions"]
    known = accepted(CHARACTERS["plain"])[0x0303]
    got = suites_of(value)["TLS 1.2"]
    assert got <= known
    assert known - got <= {int(code, 16) for code in version["unknown"]}
    assert bool(got) == (name == "slow")


def test_an_interrupted_scan_of_many_keeps_what_is_finished() -> None:
    with running("plain") as done, running("mute") as stuck:
        arguments = ("scan", at(done), at(stuck), "--timeout", "30", *FAST, *FEW, "--jsonl", "-")
        with process(*arguments, stdout=subprocess.PIPE) as scanning:
            assert scanning.stdout is not None
            first = scanning.stdout.readline()
            scanning.send_signal(signal.SIGINT)
            rest, _ = scanning.communicate(timeout=20)
    assert scanning.returncode == 3
    found = {value["target"]["port"]: value["complete"] for value in scans((first + rest).decode())}
    assert found == {done.port: True, stuck.port: False}


def test_a_page_is_written_beside_the_report_and_holds_what_was_known_when_it_ended(tmp_path: Path) -> None:
    page = tmp_path / "scan.html"
    with running("plain") as done, running("mute") as stuck:
        arguments = ("scan", at(done), at(stuck), "--hosts", "1", "--timeout", "30", *FAST, *FEW, "--html", str(page))
        with process(*arguments, stdout=subprocess.PIPE) as scanning:
            until(lambda: stuck.connections >= 1)
            scanning.send_signal(signal.SIGINT)
            scanning.communicate(timeout=20)
    assert scanning.returncode == 3
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>")
    assert f"{done.host}:{done.port}" in text
    assert f"{stuck.host}:{stuck.port}" in text
    assert "2 targets" in text


def test_a_page_on_stdout_is_all_that_stands_there() -> None:
    with running("plain") as lab:
        outcome = run("scan", at(lab), *FAST, *FEW, "--html", "-")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.raw.startswith(b"<!doctype html>")
    assert outcome.raw.endswith(b"</html>")


def test_a_page_that_cannot_be_written_is_refused_before_the_first_connection(tmp_path: Path) -> None:
    with running("plain") as lab:
        outcome = run("scan", at(lab), *FAST, *FEW, "--html", tmp_path)
        assert lab.connections == 0
    assert refused(outcome) == f"{tmp_path}: cannot be written: Is a directory"


def on_terminal(arguments: tuple[str, ...], **environment: str) -> bytes:
    """What the command line writes to a terminal that is its stdout."""
    ours, theirs = pty.openpty()
    with process(*arguments, stdout=theirs, env={**os.environ, **environment}) as scanning:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux says EIO at the end
            while part := os.read(ours, 1 << 16):
                shown += part
        scanning.wait(timeout=20)
    os.close(ours)
    assert scanning.returncode == 0
    return shown


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with running("legacy-mdm") as lab:
        arguments = ("scan", at(lab), *FAST, *FEW)
        assert b"\x1b[31m" in on_terminal(arguments, TERM="xterm")
        assert b"\x1b" not in on_terminal(arguments, TERM="xterm", NO_COLOR="1")
        assert b"\x1b" not in run(*arguments).raw


def test_a_reader_that_leaves_early_is_no_error() -> None:
    with running("legacy-mdm") as lab, process("scan", at(lab), *FAST, stdout=subprocess.PIPE) as scanning:
        assert scanning.stdout is not None
        scanning.stdout.close()
        _, complaint = scanning.communicate(timeout=20)
    assert complaint == b""
    assert scanning.returncode in {0, 3}


def test_the_installed_command() -> None:
    command = Path(sys.executable).with_name("tlswire")
    if not command.exists():
        pytest.skip("tlswire is not installed beside this interpreter")
    shown = subprocess.run([str(command), "--help"], capture_output=True, check=True, timeout=20)
    assert shown.stdout.startswith(b"Usage: tlswire")
    assert shown.stderr == b""
