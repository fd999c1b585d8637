"""Inventories: files that list endpoints, as CSV or TOML, read line by line into jobs.

What is wrong with a line is told with file and line, and the rest is done. Memory grows with the file's bytes alone.
Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import csv
import re
import tomllib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tlswire.check.http import path_of
from tlswire.check.journal import rules_of
from tlswire.check.runner import Job
from tlswire.errors import UsageError
from tlswire.policy.shipped import policy_of
from tlswire.probe import starttls as protocols
from tlswire.probe.proxy import parse_proxy
from tlswire.probe.targets import parse_target
from tlswire.results.verdict import Endpoint
from tlswire.scan.trust import read_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tlswire.certificates.stores import Anchors
    from tlswire.check.plan import Plan
    from tlswire.policy.model import Policy

T = TypeVar("T")

# What devices speak to, as KB 126655 divides it.
ROLES = (
    "mdm",
    "checkin",
    "ddm",
    "ade",
    "enrollment-profile",
    "well-known",
    "app-manifest",
    "app-binary",
    "software-update",
    "scep",
    "content-cache",
)
COLUMNS = (
    "host",
    "port",
    "role",
    "environment",
    "name",
    "anchor",
    "starttls",
    "proxy",
    "server_name",
    "path",
    "policy",
)
# Those that may hold several values: lists in TOML, with this between them in CSV.
_LISTS = frozenset({"anchor", "policy"})
_BETWEEN = "|"
MAX_FILE = 1 << 26
MAX_LINE = 1 << 16
MAX_TEXT = 200
MAX_COLUMNS = 256
# So many faults are kept with their words; the others are counted.
MOST_FAULTS = 100
_SECTION = re.compile(rb"^[ \t]*\[\[[ \t]*endpoint[ \t]*\]\][ \t]*(?:#.*)?\r?$", re.MULTILINE)
_DELIMITERS = ",;\t"

# The values of an endpoint as they are written, by column, and where.
_Cells = dict[str, list[str]]


def _starttls(text: str) -> str:
    if text not in protocols.BY_NAME:
        raise UsageError(f"starttls {text!r}", f"is none of {', '.join(protocols.BY_NAME)}")
    return text


def _server_name(text: str) -> str:
    return "" if text == "-" else next(parse_target(text)).host


# Columns that stand for a field of the plan, and what makes its value.
_OWN: dict[str, Callable[[str], Any]] = {
    "starttls": _starttls,
    "proxy": parse_proxy,
    "server_name": _server_name,
    "path": path_of,
}


class Inventory:
    """The endpoints of a file. ``faults`` says what is wrong with lines (the first so many of ``fault_count``), ``count``
    is how many jobs there are, ``mark`` tells the file and the policies it names from others. Raises UsageError for a file
    in which nothing can be read.
    """

    def __init__(self, path: Path, plan: Plan, policies: Sequence[Policy], *, usual_port: int) -> None:
        """``plan`` and ``policies`` are for what an endpoint leaves open."""
        self._name = str(path)
        self._folder = path.parent
        self._plan = plan
        self._policies = tuple(policies)
        self._usual_port = usual_port
        self._data = _read(path)
        self._own: dict[str, Policy] = {}
        self._anchors = lru_cache(maxsize=256)(self._anchors_of)
        self._policy = lru_cache(maxsize=256)(self._policy_of)
        self.faults: list[UsageError] = []
        self.fault_count = 0
        self.count = sum(1 for _ in self._jobs(self._fault))
        if not self.count:
            first = f"; the first fault: {self.faults[0]}" if self.faults else ""
            raise UsageError(self._name, f"no endpoint can be read from it{first}", "--inventory")

    @property
    def mark(self) -> bytes:
        """Bytes that are those of no other inventory."""
        return self._data + rules_of(self._own.values())

    def _fault(self, error: UsageError) -> None:
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(error)

    def jobs(self) -> Iterator[Job]:
        """A job for each endpoint and policy, in the order of the file."""
        return self._jobs(lambda _: None)

    def _jobs(self, fault: Callable[[UsageError], None]) -> Iterator[Job]:
        toml = self._name.lower().endswith(".toml") or _SECTION.search(self._data) is not None
        seen: dict[int, int] = {}
        number = 0
        for line, cells in (_toml if toml else _csv)(self._name, self._data, fault):
            place = f"{self._name}:{line}"
            try:
                jobs = self._endpoint(cells, place)
            except UsageError as error:
                fault(error)
                continue
            # A digest for each line, not the line: they are many.
            first = seen.setdefault(hash(tuple(job.key for job in jobs)), line)
            if first != line:
                fault(UsageError(cells["host"][0], f"is the same as line {first}", place))
                continue
            for job in jobs:
                yield msgspec.structs.replace(job, number=number)
                number += 1

    def _endpoint(self, cells: _Cells, place: str) -> list[Job]:
        """The jobs of one endpoint, one for each policy."""
        one = {column: values[0] for column, values in cells.items() if values and values[0]}
        if "host" not in one:
            raise UsageError("host", "is missing", place)
        role = one.get("role")
        if role is not None and role not in ROLES:
            raise UsageError(f"role {role!r}", f"is none of {', '.join(ROLES)}", place)
        if any(len(one.get(column, "")) > MAX_TEXT for column in ("environment", "name")):
            raise UsageError("environment or name", f"is longer than {MAX_TEXT} characters", place)
        changes = self._changes(one, cells, place)
        starttls = changes.get("starttls", self._plan.starttls)
        usual = protocols.usual_port(starttls) if "starttls" in changes else self._usual_port
        host = f"[{one['host']}]" if one["host"].count(":") > 1 and not one["host"].startswith("[") else one["host"]
        found = list(parse_target(f"{host}:{one['port']}" if "port" in one else host, default_port=usual, where=place))
        if len(found) > 1:
            raise UsageError(repr(one["host"]), "is a block of addresses; an inventory lists endpoints", place)
        endpoint = Endpoint(role, one.get("environment"), one.get("name"))
        policies = [_there(self._policy(text), place) for text in cells.get("policy", ())] or self._policies
        return [
            Job(
                host=found[0].host.lower(),
                port=found[0].port,
                plan=msgspec.structs.replace(self._plan, policy=policy, **changes),
                endpoint=endpoint,
                place=place,
                exempt="" if role is None else policy.exempt.get(role, ""),
            )
            for policy in {policy.name: policy for policy in policies}.values()
        ]

    def _changes(self, one: Mapping[str, str], cells: _Cells, place: str) -> dict[str, Any]:
        """The fields of the plan that are an endpoint's own."""
        try:
            changes = {column: read(one[column]) for column, read in _OWN.items() if column in one}
        except UsageError as error:
            raise UsageError(error.what, error.reason, place) from None
        if cells.get("anchor"):
            changes["given"] = {text: _there(self._anchors(text), place) for text in cells["anchor"]}
        return changes

    def _anchors_of(self, text: str) -> Anchors | UsageError:
        try:
            return read_store(text, self._folder / text)
        except UsageError as error:
            return error

    def _policy_of(self, text: str) -> Policy | UsageError:
        path = self._folder / text
        try:
            policy = policy_of(str(path) if path.is_file() else text)
        except UsageError as error:
            return UsageError(f"policy {text!r}", str(error))
        self._own[text] = policy
        return policy


def _there(found: T | UsageError, place: str) -> T:
    """What a look-up found; its fault is raised anew for this line."""
    if isinstance(found, UsageError):
        raise UsageError(found.what, found.reason, place)
    return found


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE:
            raise UsageError(str(path), f"is larger than {MAX_FILE >> 20} MiB", "--inventory")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror}", "--inventory") from None
    if b"\0" in data[:4096]:
        raise UsageError(str(path), "is not a text file in UTF-8", "--inventory")
    return data.removeprefix(b"\xef\xbb\xbf")


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Numbers and bytes of lines, without the file being split as a whole."""
    start, number = 0, 1
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield number, data[start:end]
        start, number = end + 1, number + 1


# CSV: a line is an endpoint. Fields with line breaks in them would let one stray quote swallow the rest of the file.


def _csv(name: str, data: bytes, fault: Callable[[UsageError], None]) -> Iterator[tuple[int, _Cells]]:
    columns: list[str] = []
    delimiter = ","
    for number, raw in _lines(data):
        place = f"{name}:{number}"
        if not raw.strip() or raw.lstrip().startswith(b"#"):
            continue
        if not columns:
            delimiter = max(_DELIMITERS, key=lambda one: raw.count(one.encode()))
            columns = _header(_fields(raw, delimiter, place), place, fault)
            continue
        try:
            values = _fields(raw, delimiter, place, most=len(columns))
        except UsageError as error:
            fault(error)
            continue
        yield number, {column: _cell(column, value) for column, value in zip(columns, values, strict=False)}


def _cell(column: str, value: str) -> list[str]:
    values = value.split(_BETWEEN) if column in _LISTS else [value]
    return [one.strip() for one in values if one.strip()]


def _fields(raw: bytes, delimiter: str, place: str, most: int = MAX_COLUMNS) -> list[str]:
    if len(raw) > MAX_LINE:
        raise UsageError("line", f"is longer than {MAX_LINE} bytes", place)
    try:
        fields = next(csv.reader([raw.decode()], delimiter=delimiter, strict=True))
    except UnicodeDecodeError:
        raise UsageError("line", "is not UTF-8", place) from None
    except csv.Error as error:
        raise UsageError("line", f"is no CSV: {error}", place) from None
    if len(fields) > most:
        raise UsageError("line", f"has {len(fields)} fields, but there are at most {most} columns", place)
    return fields


def _header(fields: list[str], place: str, fault: Callable[[UsageError], None]) -> list[str]:
    columns = [field.strip().lower().replace("-", "_").replace(" ", "_") for field in fields]
    if "host" not in columns:
        raise UsageError("columns", f"there is no host among them; known are {', '.join(COLUMNS)}", place)
    for column in columns:
        if column not in COLUMNS:
            fault(_unknown(column, place))
        elif columns.count(column) > 1:
            raise UsageError(f"column {column}", "is there twice", place)
    return columns


def _unknown(column: str, place: str) -> UsageError:
    return UsageError(repr(column), f"is not known and left out; known are {', '.join(COLUMNS)}", place)


# TOML: [[endpoint]] begins an endpoint; what stands before the first is what all have in common. Each is read by itself,
# so that a fault of one leaves the others alone.


def _toml(name: str, data: bytes, fault: Callable[[UsageError], None]) -> Iterator[tuple[int, _Cells]]:
    starts = _SECTION.finditer(data)
    start, line = 0, 1
    common: _Cells | None = None
    while start < len(data):
        following = next(starts, None)
        end = len(data) if following is None else following.start()
        section = data[start:end]
        if common is None:
            common = _table(_loaded(section, name, line), f"{name}:{line}", fault)
        else:
            try:
                (written,) = _loaded(section, name, line)["endpoint"]
                cells = _table(written, f"{name}:{line}", fault)
                yield line, common | cells
            except UsageError as error:
                fault(error)
        line += section.count(b"\n")
        start = end


def _loaded(section: bytes, name: str, line: int) -> dict[str, Any]:
    try:
        return tomllib.loads(section.decode().replace("\r\n", "\n"))
    except UnicodeDecodeError:
        raise UsageError("endpoint", "is not UTF-8", f"{name}:{line}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = re.search(r" \(at line (\d+), column \d+\)", str(error))
        where = f"{name}:{line + int(at[1]) - 1 if at else line}"
        raise UsageError("endpoint", f"is no TOML: {re.sub(r' [(]at .*[)]', '', str(error))}", where) from None


def _table(written: dict[str, Any], place: str, fault: Callable[[UsageError], None]) -> _Cells:
    cells: _Cells = {}
    for key, value in written.items():
        if key not in COLUMNS:
            fault(_unknown(key, place))
            continue
        values = value if isinstance(value, list) and key in _LISTS else [value]
        if not all(isinstance(one, str) or (key == "port" and type(one) is int) for one in values):
            raise UsageError(key, "is no number" if key == "port" else "is no text", place)
        cells[key] = [str(one) for one in values]
    return cells
