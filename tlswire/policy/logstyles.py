"""The output of ``log show`` as a stream of bytes in, the entries that hold certain words out.

Styles default, compact, syslog, json and ndjson, and rows copied from Console. Most of a log concerns nobody here: a
block without the words is counted and dropped, so that a log of gigabytes costs the search for them and constant
memory. Pure. Must not import anything of tlswire but ``errors``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

# No line of a log and no object of its JSON is nearly as long (os_log cuts messages at 32 KiB).
MAX_LINE = 1 << 20
MAX_PROBLEMS = 20
# As much as it takes to tell a tar archive, and lines enough to tell a log.
_HEAD = 512
_SAMPLE = 500

_TIME = r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[+-]\d{4})?)"
_PROCESS = r"(?P<process>[^\[\]\n]{1,255}?)"
# All bounded: lines may be hostile.
_GAP, _HEX, _PID = r"[ \t]{1,64}", r"0x[0-9a-f]{1,16}", r"(?P<pid>\d{1,10})"
_STYLES = {
    # Time, thread, type, activity, PID and TTL (not in the oldest).
    "default": re.compile(
        rf"{_TIME}{_GAP}{_HEX}{_GAP}\w{{1,32}}{_GAP}{_HEX}{_GAP}{_PID}{_GAP}(?:\d{{1,10}}{_GAP})?"
        r"(?P<process>[^:\n]{1,255}): (?P<message>.*)",
        re.DOTALL,
    ),
    # The type in one or two letters.
    "compact": re.compile(
        rf"{_TIME}{_GAP}\w{{1,2}}{_GAP}{_PROCESS}\[{_PID}:[0-9a-f]{{1,16}}\] (?P<message>.*)", re.DOTALL
    ),
    "syslog": re.compile(rf"{_TIME}{_GAP}\S{{1,255}}{_GAP}{_PROCESS}\[{_PID}\]:? ?(?P<message>.*)", re.DOTALL),
    "console": re.compile(
        r"\w{1,32}\t(?P<time>\d\d:\d\d:\d\d\.\d{1,9}[+-]\d{4})\t(?P<process>[^\t\n]{1,255})\t(?P<message>.*)", re.DOTALL
    ),
    # What Xcode's console shows: the message alone, told by how libboringssl begins it.
    "message": re.compile(r"(?P<message>\w{1,255}\(\d{1,9}\) (?:\[[^\[\]]{1,64}\])?\[0x[0-9a-f]+\] .*)", re.DOTALL),
}
_TITLES = {
    "default": re.compile(r"Timestamp\s+Thread\s+Type"),
    "compact": re.compile(r"Timestamp\s+Ty Process\["),
    "syslog": re.compile(r"Timestamp\s+\(process\)\[PID\]"),
}
# log stream says what it filters by before all else.
_PREAMBLE = re.compile(rb"\s*(?:Filtering [^\n]*\n\s*)*")
# Entries over several lines (log show opens with "[{", jq with "[" and an indented "{"), and one line an entry.
_SPREAD = re.compile(rb"(?:\[\s*\n)?([ \t]*)\[?\{[ \t]*\r?\n")
_COMPACT_JSON = re.compile(rb"\[?\s*\{\s*\"")
_EMPTY = re.compile(rb"\s*\[\s*\]\s*")
_JSON_MARKS = (b'"eventMessage"', b'"finished"')

_ON_A_MAC = "on a Mac, run: log show --archive {archive} --info --debug --style ndjson, and give its output"
# What is given by mistake: where its mark stands, what it is, what to do with it.
_BINARIES: tuple[tuple[int, bytes, str], ...] = (
    (
        0,
        b"\0\x10\0\0\x11\0\0\0",
        "is a binary log (tracev3): " + _ON_A_MAC.format(archive="the .logarchive it is from"),
    ),
    (
        257,
        b"ustar",
        "is an archive, such as a sysdiagnose: unpack it, then "
        + _ON_A_MAC.format(archive="system_logs.logarchive of it"),
    ),
    (0, b"PK\3\4", "is a zip archive: unpack it, then " + _ON_A_MAC.format(archive="the .logarchive in it")),
    (0, b"bplist0", "is a binary property list, not the output of log show"),
    (0, b"\xff\xfe", "is UTF-16, not the UTF-8 that log show writes"),
)
LOGARCHIVE = "is a folder, not the output of log show; of a .logarchive, " + _ON_A_MAC.format(archive="with its path")


class Entry(msgspec.Struct, frozen=True):
    """One entry. ``line`` counts from 1; ``time`` is RFC 3339 (UTC where the log has an offset), ``seconds`` the same
    as a number for differences; both are None, and ``process`` is empty, where the line has no columns.
    """

    line: int
    message: str
    time: str | None = None
    seconds: float | None = None
    process: str = ""
    pid: int | None = None


class _Event(msgspec.Struct):
    """The keys of a JSON entry that are read; whoever wrote the file may have put anything in them."""

    eventMessage: Any = None  # noqa: N815 - Apple's name
    processImagePath: Any = None  # noqa: N815 - as above
    processID: Any = None  # noqa: N815 - as above
    timestamp: Any = None


class LogReader:
    """Reads one log. ``style`` is what it turned out to be, ``lines`` how many there were, ``problems`` what could not
    be read with its line, ``untold`` how many more of these there were.
    """

    def __init__(self, name: str, marks: tuple[bytes, ...]) -> None:
        self.name = name
        self.style = ""
        self.lines = 0
        self.problems: list[str] = []
        self.untold = 0
        self._marks = marks
        self._words = tuple(mark.decode() for mark in marks)
        self._rest = b""
        self._begun = self._known = self._skipping = False
        # How an entry of JSON closes and opens that is spread over lines; empty where a line is an entry.
        self._close = self._open = b""

    def feed(self, data: bytes) -> Iterator[Entry]:
        """The entries that end in ``data`` and hold one of the marks. Raises UsageError for what is no log."""
        self._rest += data
        if self._begun or self._begin(final=False):
            yield from self._drain()

    def finish(self) -> Iterator[Entry]:
        """The entries that are left. Raises UsageError where nothing was like a log."""
        self._begin(final=True)
        if self._rest and not self._close and not self._rest.endswith(b"\n"):
            self._rest += b"\n"
        yield from self._drain()
        if self._close and self._rest.strip().strip(b",]"):
            self.problem(self.lines + 1, "the log ends inside an entry")
        self.lines += self._rest.count(b"\n") + (self._rest[-1:] not in {b"", b"\n"})
        self._rest = b""
        if not self._known:
            raise UsageError(self.name, "is not the output of log show: no line of it is an entry")

    def problem(self, line: int, text: str) -> None:
        """Note something that could not be read."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{self.name}:{line}: {text}")
        else:
            self.untold += 1

    def _begin(self, *, final: bool) -> bool:
        """Tell the style from the first bytes; False while there are too few."""
        if self._begun:
            return True
        head = _PREAMBLE.sub(b"", self._rest, count=1)
        if not final and (len(head) < _HEAD or (head.startswith(b"Filtering") and len(head) < MAX_LINE)):
            return False
        for at, mark, what in _BINARIES:
            if self._rest.startswith(mark, at):
                raise UsageError(self.name, what)
        self._begun = True
        if _EMPTY.fullmatch(head):
            self.style, self._known = "json", True
        elif spread := _SPREAD.match(head):
            self.style = "json"
            self._close, self._open = (b"\n" + spread[1] + brace for brace in (b"}", b"{"))
        elif _COMPACT_JSON.match(head):
            self.style = "ndjson"
        return True

    def _drain(self) -> Iterator[Entry]:
        """Whole entries leave the buffer; what is too long to be one is left out."""
        if self._skipping:
            self._skip()
        end = self._close or b"\n"
        at = -1 if self._skipping else self._rest.rfind(end)
        if at >= 0:
            block, self._rest = self._rest[: at + len(end)], self._rest[at + len(end) :]
            if not self._known:
                self._recognise(block)
            yield from self._entries(block)
            self.lines += block.count(b"\n")
        if len(self._rest) > MAX_LINE and not self._skipping:
            self.problem(self.lines + 1, f"longer than {MAX_LINE >> 20} MiB without an end, left out")
            self._skipping = True
            self._skip()

    def _skip(self) -> None:
        """Drop bytes up to the end of the entry that is left out."""
        end = self._close or b"\n"
        at = self._rest.find(end)
        self._skipping = at < 0
        gone = max(len(self._rest) - len(end), 0) if at < 0 else at + len(end)
        self.lines += self._rest.count(b"\n", 0, gone)
        self._rest = self._rest[gone:]

    def _recognise(self, block: bytes) -> None:
        """Whether these lines are those of a log, and of which style."""
        if self.style:
            self._known = any(mark in block for mark in _JSON_MARKS)
            return
        for raw in block.split(b"\n", _SAMPLE)[:_SAMPLE]:
            line = raw[:_HEAD].decode("utf-8", "replace")
            for style, pattern in (*_TITLES.items(), *_STYLES.items()):
                if pattern.match(line):
                    self.style, self._known = style, True
                    return

    def _entries(self, block: bytes) -> Iterator[Entry]:
        found = sorted({span for mark in self._marks for span in self._around(block, mark)})
        line, counted = self.lines + 1, 0
        for start, end in found:
            line += block.count(b"\n", counted, start)
            counted = start
            if self.style in {"json", "ndjson"}:
                yield from self._events(block[start:end], line)
            else:
                yield self._line(block[start:end], line)

    def _around(self, block: bytes, mark: bytes) -> Iterator[tuple[int, int]]:
        """Where the entries begin and end that hold a mark."""
        at, end = block.find(mark), 0
        while at >= 0:
            if self._close:
                # An entry that was cut has no end: the beginning of the next one is its end as well.
                start = max(block.rfind(edge, end, at) for edge in (self._close, self._open))
                start = max(block.find(b"{", max(start + 1, end), at), 0)
                close = block.find(self._close, at)
                end = block.find(self._open, at, close)
                end = close + len(self._close) if end < 0 else end
            else:
                start, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
            yield start, end
            at = block.find(mark, end)

    def _line(self, raw: bytes, number: int) -> Entry:
        text = raw.rstrip(b"\r").decode("utf-8", "backslashreplace")
        for style, pattern in _STYLES.items():
            if match := pattern.match(text):
                self.style, self._known = self.style or style, True
                columns = match.groupdict()
                time, seconds = _moment(columns.get("time") or "")
                pid = int(columns["pid"]) if columns.get("pid") else None
                return Entry(number, match["message"], time, seconds, (columns.get("process") or "").strip(), pid)
        return Entry(number, text)

    def _events(self, raw: bytes, line: int) -> Iterator[Entry]:
        text = raw.strip().strip(b",").decode("utf-8", "replace")
        try:
            decode = msgspec.json.decode
            events = decode(text, type=list[_Event]) if text.startswith("[") else [decode(text, type=_Event)]
        except (msgspec.MsgspecError, RecursionError) as error:
            self.problem(line, f"an entry is not JSON: {error}")
            return
        for event in events:
            message = event.eventMessage
            # The marks may stand in another key, or in another entry of an array on one line.
            if isinstance(message, str) and any(word in message for word in self._words):
                time, seconds = _moment(event.timestamp if isinstance(event.timestamp, str) else "")
                path = event.processImagePath if isinstance(event.processImagePath, str) else ""
                pid = event.processID if isinstance(event.processID, int) else None
                yield Entry(line, message, time, seconds, path.rpartition("/")[2][:255], pid)


def _moment(text: str) -> tuple[str | None, float | None]:
    """A time as RFC 3339 and in seconds: in UTC where it has an offset. A clock without a day stays as it is."""
    if not text or len(text) > 40:
        return None, None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text, None
    if moment.tzinfo is None:
        return moment.isoformat(), moment.replace(tzinfo=UTC).timestamp()
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return text, None
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z", moment.timestamp()
