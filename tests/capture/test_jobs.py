"""Any number of processes: the same sessions in the same order, a death is told, and the progress is heard of."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.made import ALERT, conversation, hello_message, pcap, record
from tlswire.capture.jobs import _AHEAD, _LOOK, Report, _Feed, _merged, read_captures
from tlswire.errors import UsageError

from . import hostile

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = [1, 2, 3, 4]
OWN = hostile.OWN / "recorded"
# Several sessions at once, datagrams, a capture with tunnels, one that is cut and one of another container.
FILES = [
    OWN / "many.pcap",
    OWN / "java.pcap",
    OWN / "quic-retry.pcap",
    hostile.OWN / "made" / "tunnel-vxlan.pcap",
    hostile.OWN / "made" / "cut.pcapng",
    hostile.OWN / "made" / "gzip-members.pcapng.gz",
    hostile.OWN / "made" / "interfaces.pcapng",
    OWN / "dtls12.pcap",
]


LONG = "." * 4000  # the results of a thousand sessions are more than a pipe holds


class Lines:
    """Work that keeps a line of every session and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, found: Any) -> str | None:
        self.count += 1
        session = found.session
        return f"{session.capture} {session.first_frame} {session.client.port} {session.server_name} {session.outcome} {LONG}"

    def close(self) -> int:
        count, self.count = self.count, 0
        return count


def plain(item: Any) -> Any:
    """A report as what can be compared: sums are those of one process or of several."""
    if not isinstance(item, Report):
        return item
    told = {name: getattr(item, name) for name in Report.__struct_fields__}
    return told | {"sums": sum(item.sums), "error": str(item.error)}


def big(path: Path, sessions: int = 3000) -> Path:
    """More results than a pipe holds: whoever is ahead has to wait."""
    turns = (0, record(22, hello_message())), (1, ALERT)
    frames = [
        frame
        for number in range(sessions)
        for frame in conversation(f"10.1.{number >> 8}.{number & 255}", "192.0.2.1", 443, *turns)
    ]
    path.write_bytes(pcap(*frames))
    return path


def script(*lines: str, **options: Any) -> str:
    """What a program prints in an interpreter of its own: processes are forked, and pytest may have threads."""
    head = """
        import os, sys
        from tests.capture.test_jobs import *
    """
    program = textwrap.dedent(head) + "\n".join(map(textwrap.dedent, lines))
    command = [sys.executable, "-W", "error", "-c", program]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=hostile.HERE, **options
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def told(paths: list[Path], *jobs: int) -> list[list[Any]]:
    """What comes of ``paths`` with so many processes each, read in an interpreter of its own."""
    names = [str(path) for path in paths]
    out = script(
        f"""
        for jobs in {jobs!r}:
            print(json.dumps([plain(item) for item in read_captures({names!r}, Lines, jobs=jobs)]))
        """
    )
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="module")
def shared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return big(tmp_path_factory.mktemp("jobs") / "big.pcap")


# The same of everything


@pytest.mark.parametrize("count", [1, 2, len(FILES)])
def test_any_number_of_processes_gives_the_same_in_the_same_order(count: int) -> None:
    files = FILES[:count]
    alone = [plain(item) for item in read_captures(files, Lines)]
    names = [item["name"] for item in alone if isinstance(item, dict)]
    assert names == [str(path) for path in files]
    assert any(isinstance(item, str) for item in alone)
    assert told(files, *JOBS[1:]) == [alone] * 3


def test_a_file_with_more_results_than_a_pipe_holds(shared_file: Path) -> None:
    alone = [plain(item) for item in read_captures([shared_file, FILES[0]], Lines)]
    assert len(alone) > 3000
    assert told([shared_file, FILES[0]], 2, 3) == [alone] * 2
    many = [FILES[0], shared_file, FILES[1], shared_file, FILES[2]]
    assert told(many, 2) == [[plain(item) for item in read_captures(many, Lines)]]


@given(st.lists(st.integers(0, 3), max_size=600), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_what_several_found_is_merged_by_order(finders: list[int], batch: int) -> None:
    found: list[list[tuple[tuple[int, int], int]]] = [[] for _ in range(4)]
    for number, finder in enumerate(finders):
        found[finder].append(((number // 3, number), number))
    reports: list[Report] = []
    feeds, senders = [], []
    for items in found[1:]:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        senders.append(sender)
        for at in range(0, len(items) + 1, batch):  # now and then an empty one
            sender.send((("", 0, 0), items[at : at + batch]))
        sender.send(Report("made"))
        feeds.append(_Feed(receiver, "made", reports, None))
    try:
        assert list(_merged(iter(found[0]), feeds)) == list(range(len(finders)))
        assert len(reports) == 3
    finally:
        for pipe in (*senders, *(feed._pipe for feed in feeds)):
            pipe.close()


@pytest.mark.parametrize("count", [_LOOK, 10 * _AHEAD])
def test_who_merges_works_on_while_another_is_silent_but_not_for_ever(count: int) -> None:
    made: list[int] = []

    def own() -> Iterator[tuple[tuple[int, int], int]]:
        for number in range(1, count + 1):
            made.append(number)
            yield (number, 0), number

    class Silent(_Feed):
        """Says nothing until it is waited for."""

        def _receive(self) -> None:
            assert len(made) == min(count, _AHEAD + _LOOK)
            self.items.append(((0, 0), 0))
            self._over = True

    receiver, sender = multiprocessing.Pipe(duplex=False)
    with receiver, sender:
        assert list(_merged(own(), [Silent(receiver, "made", [], None)])) == list(range(count + 1))


def test_files_that_cannot_be_read_stand_in_their_place(tmp_path: Path) -> None:
    empty, junk, cut = tmp_path / "empty", tmp_path / "junk", tmp_path / "cut.gz"
    empty.touch()
    junk.write_bytes(b"junk that is no capture")
    cut.write_bytes(gzip.compress(FILES[0].read_bytes())[:-20])
    files = [empty, FILES[0], junk, cut, tmp_path / "missing", tmp_path / "a\0b", FILES[1]]
    alone = [plain(item) for item in read_captures(files, Lines)]
    reports = [item for item in alone if isinstance(item, dict)]
    assert [bool(item["failed"]) for item in reports] == [True, False, True, False, True, True, False]
    assert reports[0]["error"] == f"{empty}: is empty"
    assert "gzip data cut" in reports[3]["damage"][0]
    assert told(files, *JOBS[1:]) == [alone] * 3


def test_errors_are_exceptions_that_say_what_and_why(tmp_path: Path) -> None:
    (report,) = read_captures([tmp_path / "missing"], Lines, jobs=2)
    assert isinstance(report.error, UsageError)
    assert (report.error.what, report.error.reason) == (report.name, report.failed)


@pytest.mark.parametrize("jobs", [1, 3])
def test_stdin_is_read_by_one_process_whatever_was_asked_for(shared_file: Path, jobs: int) -> None:
    program = (
        f"print(sum(isinstance(item, str) for item in read_captures(['-', {str(FILES[0])!r}], Lines, jobs={jobs})))"
    )
    with shared_file.open("rb") as stdin:
        assert script(program, stdin=stdin).split() == ["3012"]


def test_a_named_pipe_is_read_by_one_process(tmp_path: Path, shared_file: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["/bin/sh", "-c", 'exec cat "$0" >"$1"', str(shared_file), str(pipe)]):
        command = [sys.executable, "-m", "tlswire", "pcap", str(pipe), "--jobs", "3", "--jsonl", "-"]
        done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert len(done.stdout.splitlines()) == 3000


def test_nobody_who_reads_on_leaves_no_process_behind(shared_file: Path) -> None:
    out = script(
        f"""
        import multiprocessing
        reading = read_captures([{str(shared_file)!r}] * 4, Lines, jobs=2)
        next(reading)
        print(len(multiprocessing.active_children()) > 0)
        reading.close()
        print(multiprocessing.active_children())
        """
    )
    assert out.split() == ["True", "[]"]


def test_a_reader_that_goes_away_ends_it(shared_file: Path) -> None:
    command = [sys.executable, "-m", "tlswire", "pcap", str(shared_file), "--jobs", "3", "--jsonl", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert b"Traceback" not in process.stderr.read()


# Death


KILLED = """
    import multiprocessing, signal
    reading = read_captures({paths!r}, Lines, jobs={jobs})
    items = [next(reading)]
    children = multiprocessing.active_children()
    time.sleep(0.5)  # until the pipe is full and half a message is in it
    os.kill(children[{which}].pid, signal.SIGKILL)
    children[{which}].join()
    items += reading
    print(json.dumps([plain(item) for item in items]))
"""


@pytest.mark.parametrize(("jobs", "which"), [(2, 0), (3, -1)])
def test_a_process_that_is_killed_is_told_and_the_others_go_on(shared_file: Path, jobs: int, which: int) -> None:
    out = script(KILLED.format(paths=[str(shared_file)], jobs=jobs, which=which))
    found: list[Any] = json.loads(out)
    lines, reports = (
        [item for item in found if isinstance(item, str)],
        [item for item in found if isinstance(item, dict)],
    )
    (report,) = reports
    assert "died" in report["failed"]
    assert report["name"] == str(shared_file)
    alone = [plain(item) for item in read_captures([shared_file], Lines)]
    assert 0 < len(lines) < 3000
    # What is left is in the order of the whole.
    rest = iter(alone)
    assert all(line in rest for line in lines)
    # Those who live have counted what is everybody's.
    assert report["frames"] == alone[-1]["frames"]


def test_a_death_among_many_files_costs_the_files_of_the_dead(shared_file: Path) -> None:
    paths = [str(shared_file)] * 3 + [str(FILES[0])] * 3
    out = script(KILLED.format(paths=paths, jobs=2, which=0))
    reports = [item for item in json.loads(out) if isinstance(item, dict)]
    assert [item["name"] for item in reports] == paths
    assert {bool(item["failed"]) for item in reports} == {True, False}


def test_the_command_line_tells_a_death_and_exits_with_2(shared_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-m", "tlswire", "pcap", str(shared_file), "--jobs", "2", "--jsonl"]
    os.mkfifo(out)
    # Nobody reads the pipe yet, so that the processes are alive and waiting when one is killed.
    with subprocess.Popen([*command, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with out.open("rb") as reader:
            first = reader.readline()
            victim = next(iter(children(process.pid)))
            os.kill(victim, signal.SIGKILL)
            rest = reader.read()
        text, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors == f"tlswire: {shared_file}: a process that read it died: sessions are missing\n"
    assert 0 < len((first + rest).splitlines()) < 3000
    assert all(json.loads(line) for line in (first + rest).splitlines())
    assert "1 file could not be read" in text


def children(pid: int) -> Iterator[int]:
    """The processes that ``pid`` started; waits for one."""
    deadline = time.monotonic() + 20
    found: list[str] = []
    while not found and time.monotonic() < deadline:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    yield from map(int, found)


# Progress


@pytest.mark.parametrize("jobs", [1, 3])
def test_progress_is_told_for_every_piece_also_without_sessions(tmp_path: Path, jobs: int) -> None:
    path = tmp_path / "nothing.pcap"
    path.write_bytes(pcap(*[bytes(60_000)] * 80))
    size = path.stat().st_size
    out = script(
        f"""
        seen = []
        reports = list(read_captures([{str(path)!r}], Lines, jobs={jobs}, progress=lambda *news: seen.append(news)))
        print(len(reports), {{(name, size) for name, size, _ in seen}} == {{({str(path)!r}, {size})}})
        print(len(set(seen)), min(seen)[2], max(seen)[2])
        """
    ).split()
    assert out[:2] == ["1", "True"]
    pieces, first, last = map(int, out[2:])
    # Pieces of a mebibyte, of which the first is read when the file is opened.
    assert pieces >= size >> 20
    assert first <= 2 << 20
    assert last == size


def test_progress_of_compressed_files_is_that_of_the_file(tmp_path: Path, shared_file: Path) -> None:
    path = tmp_path / "packed.pcap.gz"
    path.write_bytes(gzip.compress(shared_file.read_bytes()))
    seen: list[tuple[str, int, int]] = []
    list(read_captures([path], Lines, progress=lambda *news: seen.append(news)))
    positions = [position for _, _, position in seen]
    assert positions == sorted(positions)
    assert positions[-1] == path.stat().st_size


def test_no_process_is_forked_while_a_thread_draws(shared_file: Path) -> None:
    """A fork beside a thread may copy a lock that nobody will ever open."""
    out = script(
        f"""
        import threading
        import tlswire.cli.pcap as cli
        cli._PATIENCE = 60
        counts = []
        os.register_at_fork(before=lambda: counts.append(threading.active_count()))
        paths = [{str(shared_file)!r}, {str(FILES[0])!r}] * 3
        threads = set()
        with cli.CaptureProgress(paths, enabled=True) as progress:
            for item in read_captures(paths, Lines, jobs=3, progress=progress):
                threads.add(threading.active_count())
        print(max(counts), len(counts), max(threads) > 1)
        """,
        env=os.environ | {"TERM": "dumb"},
    )
    assert out.split() == ["1", "3", "True"]
