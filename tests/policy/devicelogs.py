"""Logs as Apple's ``log show`` writes them, in every style, made of messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlswire.policy.applelog import Collector
from tlswire.policy.applewords import MARKS
from tlswire.policy.logstyles import LogReader
from tlswire.results.applelog import AppleLog, Log
from tlswire.results.scan import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SENDER = "(libboringssl.dylib) [com.apple.network:boringssl] "


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a process."""

    message: str
    process: str = "mdmclient"
    pid: int = 732
    second: int = 1


def _day(said: Said) -> str:
    return f"2026-10-06 10:41:{said.second:02}"


def default(messages: Sequence[Said]) -> bytes:
    rows = ["Timestamp                       Thread     Type        Activity             PID    TTL  "]
    rows += [
        f"{_day(said)}.125000+0200 0x7bb0     Error       0x0                  {said.pid:<6} 0    "
        f"{said.process}: {SENDER}{said.message}"
        for said in messages
    ]
    return "\n".join(rows).encode() + b"\n"


def compact(messages: Sequence[Said]) -> bytes:
    rows = ["Timestamp               Ty Process[PID:TID]"]
    rows += [f"{_day(said)}.125 E  {said.process}[{said.pid}:5a8b53a] {SENDER}{said.message}" for said in messages]
    return "\n".join(rows).encode() + b"\n"


def syslog(messages: Sequence[Said]) -> bytes:
    rows = ["Timestamp                       (process)[PID]    "]
    rows += [
        f"{_day(said)}.125000+0200  localhost {said.process}[{said.pid}]: {SENDER}{said.message}" for said in messages
    ]
    return "\n".join(rows).encode() + b"\n"


def console(messages: Sequence[Said]) -> bytes:
    rows = [f"error\t10:41:{said.second:02}.125000+0200\t{said.process}\t{said.message}" for said in messages]
    return "\n".join(rows).encode() + b"\n"


def events(messages: Sequence[Said]) -> list[dict[str, object]]:
    return [
        {
            "traceID": 4928246544425287684,
            "eventMessage": said.message,
            "eventType": "logEvent",
            "source": None,
            "formatString": "Error [ATS violation]: %{public}s" if "iolation]" in said.message else "%{public}s",
            "subsystem": "com.apple.network",
            "backtrace": {"frames": [{"imageOffset": 28940}, {"imageOffset": 1}]},
            "processImagePath": f"/usr/libexec/{said.process}",
            "timestamp": f"{_day(said)}.125000+0200",
            "processID": said.pid,
        }
        for said in messages
    ]


def ndjson(messages: Sequence[Said]) -> bytes:
    lines = [json.dumps(event, separators=(",", ":")) for event in events(messages)]
    return "\n".join([*lines, f'{{"count":{len(lines)},"finished":1}}']).encode() + b"\n"


def spread(messages: Sequence[Said]) -> bytes:
    """As log show writes an array: braces at the margin, a space on both sides of colons."""
    objects = [json.dumps(event, indent=2, separators=(",", " : ")) for event in events(messages)]
    return f"[{','.join(objects)}]\n".encode()


def jq(messages: Sequence[Said]) -> bytes:
    return json.dumps(events(messages), indent=2).encode() + b"\n"


def one_line(messages: Sequence[Said]) -> bytes:
    return json.dumps(events(messages), separators=(",", ":")).encode() + b"\n"


STYLES: dict[str, tuple[str, Callable[[Sequence[Said]], bytes]]] = {
    "default": ("default", default),
    "compact": ("compact", compact),
    "syslog": ("syslog", syslog),
    "console": ("console", console),
    "ndjson": ("ndjson", ndjson),
    "json": ("json", spread),
    "json of jq": ("json", jq),
    "json of jq -c": ("ndjson", one_line),
}


def read(*logs: bytes, step: int = 1 << 18) -> AppleLog:
    """What comes of logs, read in pieces of ``step`` bytes."""
    collector = Collector()
    read_logs = []
    for number, data in enumerate(logs, 1):
        reader = LogReader(f"log{number}", MARKS)
        collector.begin(reader.name)
        for at in range(0, len(data), step):
            for entry in reader.feed(data[at : at + step]):
                collector.add(entry)
        for entry in reader.finish():
            collector.add(entry)
        read_logs.append(Log(reader.name, reader.style, reader.lines, reader.problems, reader.untold))
    return collector.result(read_logs, Tool("tlswire", "0"), complete=True)
