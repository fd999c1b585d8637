"""``--keylog`` of ``pcap`` and ``live``: files that are read, files that are not, and what is told of both."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tlswire.cli import session_options
from tlswire.crypto import keylog

from .run import Outcome, one_line, refused, run

RECORDED = Path(__file__).parents[2] / "captures" / "recorded"
CAPTURE = RECORDED / "keylog-tls13.pcap"
KEYS = RECORDED / "keylog-tls13.keys"
OTHERS = RECORDED / "keylog-older.pcap"
NO_SECRETS = "holds no secrets as SSLKEYLOGFILE has them"


def states(outcome: Outcome) -> list[str | None]:
    return [json.loads(line)["decryption"] for line in outcome.raw.splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "given.keys"


# What is told of sessions


def test_twenty_of_twenty_are_decrypted() -> None:
    outcome = run("pcap", CAPTURE, "--keylog", KEYS, "--jsonl", "-")
    assert (outcome.code, outcome.err) == (0, "")
    assert states(outcome) == ["complete"] * 20


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([CAPTURE], "20 sessions decrypted with key logs"),
        ([CAPTURE, OTHERS], "20 sessions decrypted with key logs, 4 without secrets"),
        ([OTHERS], "0 sessions decrypted with key logs, 4 without secrets"),
    ],
    ids=["all", "some", "none"],
)
def test_the_summary_counts_what_was_decrypted(files: list[Path], says: str) -> None:
    assert f"\n  {says}\n" in run("pcap", *files, "--keylog", KEYS).out


def test_without_key_logs_nothing_is_said_of_them() -> None:
    assert "key log" not in run("pcap", CAPTURE).out


def test_the_summary_names_what_was_opened_in_part_and_what_failed(file: Path) -> None:
    lines = KEYS.read_text().splitlines(keepends=True)
    random = next(line.split()[1] for line in lines if line.startswith("CLIENT_HANDSHAKE"))
    other = next(line for line in lines if line.startswith("SERVER_HANDSHAKE") and random not in line).split()[1]
    kept = [line for line in lines if not (line.startswith("SERVER_HANDSHAKE") and random in line)]
    broken = [" ".join([*line.split()[:2], "00" * 48]) + "\n" if other in line else line for line in kept]
    file.write_text("".join(broken))
    text = run("pcap", CAPTURE, "--keylog", file).out
    assert "  18 sessions decrypted with key logs, 1 in part, 1 with secrets that do not open them\n" in text
    assert "decrypted in part: no Finished of server" in text


def test_csv_has_a_column_for_it() -> None:
    outcome = run("pcap", CAPTURE, OTHERS, "--keylog", KEYS, "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(outcome.raw.decode(), newline="")))
    assert [row["decryption"] for row in rows] == ["complete"] * 20 + ["no-secrets"] * 4


def test_any_number_of_processes_tells_the_same() -> None:
    captures = [CAPTURE, OTHERS, RECORDED / "keylog-quic.pcap", RECORDED.parent / "made" / "secrets-several.pcapng"]
    for given in (captures, captures[:1]):
        found = [
            run(
                "pcap", *given, "--keylog", KEYS, "--keylog", RECORDED / "keylog-quic.keys", "--jsonl", "-", "--jobs", n
            )
            for n in ("1", "2", "5")
        ]
        assert found[0].code == 0
        assert "complete" in states(found[0])
        assert found[0] == found[1] == found[2]
    texts = {run("pcap", *captures, "--keylog", KEYS, "--jobs", jobs).out for jobs in ("1", "2")}
    assert len(texts) == 1


def test_filters_and_categories_see_what_was_opened() -> None:
    outcome = run("pcap", CAPTURE, "--keylog", KEYS, "--fail-on", "refused", "--server-name", "distrusted.example")
    assert outcome.code == 1
    assert "bad_certificate from client" in outcome.out
    assert run("pcap", CAPTURE, "--fail-on", "refused", "--server-name", "distrusted.example").code == 0


# Several files


def test_several_key_logs_are_taken_together(tmp_path: Path) -> None:
    lines = KEYS.read_text().splitlines(keepends=True)
    halves = [tmp_path / "even.keys", tmp_path / "odd.keys"]
    for at, half in enumerate(halves):
        half.write_text("".join(lines[at::2]))
    outcome = run("pcap", CAPTURE, "--keylog", halves[0], "--keylog", halves[1], "--jsonl", "-")
    assert states(outcome) == ["complete"] * 20
    assert "complete" not in states(run("pcap", CAPTURE, "--keylog", halves[0], "--jsonl", "-"))[:7]


def test_of_several_files_the_first_that_has_a_secret_wins(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.keys"
    lines = [line.split() for line in KEYS.read_text().splitlines() if not line.startswith("#")]
    wrong.write_text("".join(f"{label} {random} {'00' * 48}\n" for label, random, _ in lines))
    assert "complete" not in states(run("pcap", CAPTURE, "--keylog", wrong, "--keylog", KEYS, "--jsonl", "-"))
    assert states(run("pcap", CAPTURE, "--keylog", KEYS, "--keylog", wrong, "--jsonl", "-")) == ["complete"] * 20


# Broken files


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n# a comment\n",
        b"no key log at all\nbut a text\n",
        bytes(range(256)) * 64,
        b"\0" * 1000,
        b"SOME_LABEL " + b"00" * 32 + b" " + b"11" * 32 + b"\n",
        b"x" * 300_000,
        "\N{SNOWMAN}".encode("utf-16") * 100,
    ],
    ids=["empty", "comments", "text", "binary", "zeros", "unknown labels", "one long line", "UTF-16"],
)
def test_a_file_without_a_secret_is_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    assert refused(run("pcap", CAPTURE, "--keylog", file)) == f"--keylog: {file}: {NO_SECRETS}"
    assert refused(run("pcap", CAPTURE, "--keylog", KEYS, "--keylog", file)) == f"--keylog: {file}: {NO_SECRETS}"


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    says = refused(run("pcap", CAPTURE, "--keylog", tmp_path / "missing"))
    assert says == f"--keylog: {tmp_path}/missing: cannot be read: No such file or directory"
    assert refused(run("pcap", CAPTURE, "--keylog", tmp_path)).endswith("cannot be read: Is a directory")
    evil = tmp_path / "evil\x1b]0;x\x07\n"
    assert "evil\\x1b]0;x\\x07\\n: cannot be read" in refused(run("pcap", CAPTURE, "--keylog", evil))
    evil.write_bytes(b"junk")
    assert "evil\\x1b]0;x\\x07\\n: holds no secrets" in refused(run("pcap", CAPTURE, "--keylog", evil))


def test_what_is_larger_than_the_bound_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_options, "MAX_KEYLOG", 1 << 20)
    with file.open("wb") as sparse:
        sparse.truncate((1 << 20) + 1)
    assert refused(run("pcap", CAPTURE, "--keylog", file)) == f"--keylog: {file}: is larger than 1 MiB"
    # A device tells no size: it is not read to its end.
    assert refused(run("pcap", CAPTURE, "--keylog", "/dev/zero")) == "--keylog: /dev/zero: is larger than 1 MiB"


def test_a_large_file_takes_little_more_memory_than_itself(file: Path) -> None:
    file.write_bytes(b"NOBODYS_LABEL 00 00\n" * (1 << 15) + KEYS.read_bytes())
    tracemalloc.start()
    outcome = run("pcap", CAPTURE, "--keylog", file, "--jsonl", "-")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert states(outcome) == ["complete"] * 20
    assert most < 3 * file.stat().st_size


def test_lines_beyond_the_bound_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keylog, "MAX_LINES", 20)
    outcome = run("pcap", CAPTURE, "--keylog", KEYS, "--quiet")
    assert outcome.code == 0
    assert one_line(outcome) == f"{KEYS}: only the first 20 lines were read"


BROKEN: dict[str, tuple[str, str]] = {
    "a word is missing": (f"CLIENT_RANDOM {'00' * 32}", "2 words, not a label and two of hexadecimal digits"),
    "a word too many": (f"CLIENT_RANDOM {'00' * 32} 11 22", "4 words, not a label and two of hexadecimal digits"),
    "no digits": (f"CLIENT_RANDOM {'zz' * 32} {'11' * 48}", "not hexadecimal digits in pairs"),
    "half a pair": (f"CLIENT_RANDOM {'00' * 32} 111", "not hexadecimal digits in pairs"),
    "a short random": (f"CLIENT_RANDOM 00 {'11' * 48}", "1 bytes after CLIENT_RANDOM, not 32"),
    "a long line": (f"CLIENT_RANDOM {'00' * 32} {'11' * 70000}", "over 131072 characters"),
}


@pytest.mark.parametrize(("line", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_told_with_its_number_and_costs_only_itself(file: Path, line: str, reason: str) -> None:
    file.write_text(f"# first\n{line}\n{KEYS.read_text()}")
    outcome = run("pcap", CAPTURE, "--keylog", file, "--jsonl", "-")
    assert outcome.code == 0
    assert one_line(outcome) == f"{file}:2: {reason}"
    assert states(outcome) == ["complete"] * 20


def test_the_second_secret_of_a_label_is_told(file: Path) -> None:
    lines = KEYS.read_text().splitlines(keepends=True)
    label, random, secret = next(line for line in lines if line.startswith("CLIENT_HAND")).split()
    file.write_text("".join(lines) + f"{label} {random} {secret[:-2]}00\n{label} {random} {secret}\n")
    outcome = run("pcap", CAPTURE, "--keylog", file, "--jsonl", "-")
    assert one_line(outcome) == f"{file}:{len(lines) + 1}: another secret for what an earlier line has"
    assert states(outcome) == ["complete"] * 20


def test_many_broken_lines_are_counted(file: Path) -> None:
    file.write_text("CLIENT_RANDOM\n" * 1000 + KEYS.read_text())
    outcome = run("pcap", CAPTURE, "--keylog", file, "--jsonl", "-")
    lines = outcome.err.splitlines()
    assert len(lines) == 9
    assert lines[7].startswith(f"tlswire: {file}:8: ")
    assert lines[8] == f"tlswire: {file}: 1,000 broken lines in all"


def test_ends_of_lines_of_every_system_and_unknown_labels_are_fine(file: Path) -> None:
    text = "".join(f"FUTURE_LABEL {line}" for line in KEYS.read_text().splitlines(keepends=True)[:5])
    file.write_bytes((text + KEYS.read_text()).replace("\n", "\r\n").encode() + b"\xff\xfe\0 binary \r\n")
    outcome = run("pcap", CAPTURE, "--keylog", file, "--jsonl", "-")
    assert (outcome.code, outcome.err) == (0, "")
    assert states(outcome) == ["complete"] * 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(KEYS.read_bytes(),))
    writer.start()
    outcome = run("pcap", CAPTURE, "--keylog", pipe, "--jsonl", "-")
    writer.join()
    assert states(outcome) == ["complete"] * 20


# Live


def test_live_opens_sessions_with_secrets_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scapy")
    from captures.packets import recorded  # noqa: PLC0415

    from .test_live import Socket, interface_of  # noqa: PLC0415

    frames: list[Any] = [packet.data for packet in recorded("keylog-tls13")]
    interface_of(monkeypatch, Socket(frames))
    outcome = run("live", "test0", "--max-sessions", "20", "--jsonl", "-", "--keylog", KEYS)
    assert (outcome.code, outcome.err) == (0, "")
    assert states(outcome) == ["complete"] * 20
    assert refused(run("live", "test0", "--keylog", "missing")).startswith("--keylog: missing: cannot be read")
