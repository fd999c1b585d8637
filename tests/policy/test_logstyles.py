from __future__ import annotations

import contextlib
import time
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlswire.errors import UsageError
from tlswire.policy import logstyles
from tlswire.policy.applewords import MARKS
from tlswire.policy.logstyles import MAX_LINE, MAX_PROBLEMS, Entry, LogReader

from .devicelogs import STYLES, Said, compact, default, jq, ndjson, one_line, read, spread

if TYPE_CHECKING:
    from collections.abc import Callable

LINE = "Error [ATS violation]: Leaf certificate is absent for server: mdm.example.com"
STEPS = [1, 13, 511, 1 << 18]


def entries(data: bytes, step: int = 1 << 18) -> tuple[list[Entry], LogReader]:
    reader = LogReader("log", MARKS)
    found = [entry for at in range(0, len(data), step) for entry in reader.feed(data[at : at + step])]
    return found + list(reader.finish()), reader


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\n"], ids=["no newline", "newline", "more newlines"])
def test_pieces_of_any_size_give_the_same(style: str, step: int, end: bytes) -> None:
    data = STYLES[style][1]([Said("nothing"), Said(LINE), Said("x", pid=9), Said(LINE, "Self Service", 8)]) + end
    found, reader = entries(data, step)
    assert [(entry.process, entry.message.endswith(LINE)) for entry in found] == [
        ("mdmclient", True),
        ("Self Service", True),
    ]
    assert [entry.pid for entry in found] == ([None, None] if style == "console" else [732, 8])
    assert reader.lines == data.count(b"\n") + (not data.endswith(b"\n"))
    assert reader.problems == []
    if "jq -c" not in style:
        lines = data.split(b"\n")
        for entry in found:
            # An entry of JSON begins some lines before its message.
            assert any(b"Leaf certificate" in line for line in lines[entry.line - 1 : entry.line + 3])


@pytest.mark.parametrize("style", STYLES)
def test_an_empty_log_is_a_log(style: str) -> None:
    if style == "console":
        return  # which has no title
    found, reader = entries(STYLES[style][1]([]))
    assert found == []
    assert reader.problems == []


def test_what_a_log_is_filtered_by_may_stand_before_it() -> None:
    for write in (default, ndjson, spread):
        data = b'Filtering the log data using "eventMessage CONTAINS x"\n' + write([Said(LINE)])
        for step in STEPS:
            assert len(entries(data, step)[0]) == 1


def test_the_message_alone_is_enough_where_the_library_begins_it() -> None:
    (entry,), reader = entries(f"boringssl_f(12) [C1:2][0x12] {LINE}\n".encode())
    assert (entry.time, entry.process, reader.style) == (None, "", "message")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            b"\0\x10\0\0\x11\0\0\0\xd0\0\0\0\0\0\0\0" + bytes(600),
            "log: is a binary log (tracev3): on a Mac, run: log show --archive",
        ),
        (bytes(257) + b"ustar\x0000" + bytes(600), "log: is an archive, such as a sysdiagnose: unpack it, then"),
        (b"PK\3\4" + bytes(600), "log: is a zip archive"),
        (b"bplist00" + bytes(600), "log: is a binary property list"),
        ("Timestamp".encode("utf-16"), "log: is UTF-16"),
        (b"# Notes\nATS violation]: nothing\n", "log: is not the output of log show"),
        (Random(1).randbytes(5000), "log: is not the output of log show"),
        (b'{"a": 1}\n{"b": 2}\n', "log: is not the output of log show"),
        (b"", "log: is not the output of log show"),
        (b"x" * (3 * MAX_LINE), "log: is not the output of log show"),
    ],
    ids=["tracev3", "tar", "zip", "plist", "utf-16", "text", "noise", "other json", "nothing", "one line"],
)
def test_what_is_no_log_is_refused_with_a_line(data: bytes, says: str) -> None:
    with pytest.raises(UsageError) as refusal:
        entries(data)
    assert str(refusal.value).startswith(says)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("write", [spread, jq, ndjson])
def test_an_entry_that_is_broken_costs_itself_only(write: Callable[[list[Said]], bytes]) -> None:
    good = write([Said(LINE), Said(LINE + ".cut"), Said(LINE)])
    found, reader = entries(good.replace(b'.cut"', b".cut"))
    assert len(found) == 2
    (problem,) = reader.problems
    place, _, reason = problem.partition(": ")
    number = int(place.removeprefix("log:"))
    assert any(b".cut" in line for line in good.split(b"\n")[number - 1 : number + 3])
    assert reason.startswith("an entry is not JSON: ")


def test_an_entry_that_was_cut_ends_where_the_next_begins() -> None:
    lines = jq([Said(LINE)] * 3).split(b"\n")
    begins = [number for number, line in enumerate(lines) if line == b"  {"]
    found, reader = entries(b"\n".join(lines[: begins[1] + 5] + lines[begins[2] :]))
    assert len(found) == 2
    assert [problem.partition(": ")[0] for problem in reader.problems] == [f"log:{begins[1] + 1}"]


def test_a_log_that_ends_inside_an_entry_says_so() -> None:
    data = spread([Said(LINE), Said(LINE)])
    found, reader = entries(data[: len(data) * 3 // 4])
    assert len(found) == 1
    assert reader.problems == [f"log:{data[: data.index(b'},{')].count(bytes([10])) + 1}: the log ends inside an entry"]


def test_a_line_that_is_too_long_is_left_out_and_told() -> None:
    data = default([Said(LINE)]) + b"y" * (MAX_LINE * 2) + LINE.encode() + b"\n" + default([Said(LINE)])
    found, reader = entries(data)
    assert reader.problems == ["log:3: longer than 1 MiB without an end, left out"]
    assert [entry.line for entry in found] == [2, 5]
    assert reader.lines == 5


def test_an_entry_that_is_too_long_is_left_out_and_told() -> None:
    data = spread([Said(LINE), Said("z" * (MAX_LINE * 2)), Said(LINE)])
    found, reader = entries(data)
    assert len(found) == 2
    assert len(reader.problems) == 1
    assert reader.lines == data.count(b"\n")


def test_an_array_on_one_line_beyond_the_bound_is_told() -> None:
    found, reader = entries(one_line([Said("x" * 1000)] * 2000 + [Said(LINE)]) + ndjson([Said(LINE)]))
    assert len(found) == 1
    assert len(reader.problems) == 1


def test_problems_are_bounded_and_counted() -> None:
    data = ndjson([Said(LINE)]) + b'{"eventMessage":"iolation]\n' * 100
    _, reader = entries(data)
    assert (len(reader.problems), reader.untold) == (MAX_PROBLEMS, 100 - MAX_PROBLEMS)


def test_a_json_entry_of_other_types_and_depths_is_no_crash() -> None:
    wild = [
        b'{"eventMessage":["iolation]"]}',
        b'{"eventMessage":"iolation]","processID":"a","timestamp":7,"processImagePath":{}}',
        b'{"eventMessage":"iolation]","timestamp":"0001-01-01 00:00:00+2359"}',
        b'{"eventMessage":"iolation]","timestamp":"' + b"9" * 100 + b'"}',
        b'{"eventMessage":"iolation] \\ud800"}',
        b'{"eventMessage":' + b"[" * 5000 + b'"iolation]"' + b"]" * 5000 + b"}",
        b'["iolation]"]',
        b'"iolation]"',
    ]
    found, reader = entries(ndjson([Said(LINE)]) + b"\n".join(wild))
    assert len(found) + len(reader.problems) >= 7
    assert all(entry.message.encode() for entry in found)


def test_bytes_that_are_no_text_and_nul_stay_in_their_line() -> None:
    data = compact([Said("x"), Said(LINE + "\0")]).replace(b"mdm.example", b"\xff\xfe\0.example")
    (entry,), _ = entries(data)
    assert "server: \\xff\\xfe\x00.example.com\x00" in entry.message


@pytest.mark.parametrize(
    "line",
    [
        b"2026-10-06 10:41:01.125 x" + b" " * 900_000 + b"iolation]",
        b"2026-10-06 10:41:01.125 " + b"x" * 900_000 + b" iolation]",
        b"[" * 900_000 + b"iolation]",
        b"Trust evaluate failure: [" + b"[leaf " * 150_000 + b"]",
        b"finished with error [-1200] " + b"NSErrorFailingURLKey=https://" * 30_000,
        b"iolation]: Ciphersuite(" * 40_000,
        b"[ATS violation]: server: " * 35_000,
        b"TLS configured [0x1] name(" * 35_000,
    ],
    ids=range(8),
)
def test_hostile_lines_take_no_time(line: bytes) -> None:
    began = time.process_time()
    read(default([Said("x")]) + line + b"\n")
    assert time.process_time() - began < 1


@given(
    data=st.binary(max_size=400)
    | st.lists(st.sampled_from([*MARKS, b"[{\n", b"\n}", b",{", b'"', b"\n"])).map(b"".join)
)
@settings(max_examples=200, deadline=None)
def test_no_bytes_behind_a_log_crash(data: bytes) -> None:
    for write in (default, ndjson, spread):
        for step in (17, 1 << 18):
            entries(write([Said(LINE)]) + data, step)
    with contextlib.suppress(UsageError):
        entries(data)


def test_memory_does_not_follow_the_log() -> None:
    reader = LogReader("log", MARKS)
    block = default([Said("nothing of interest")] * 2000)
    for _ in range(50):
        assert list(reader.feed(block)) == []
        assert len(reader._rest) <= logstyles.MAX_LINE
    assert reader.lines == 50 * 2001
