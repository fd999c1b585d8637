"""Results read back from JSON or JSON Lines: what comparisons look at, and no more.

Files outlive versions. So these models have what is compared only, words where the contract has a closed set, and a
default for what an older result may lack; keys that nobody knows are passed over. Must not import anything of tlswire
but ``errors`` and ``results``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from tlswire.errors import UsageError
from tlswire.results.scan import SCAN_SCHEMA
from tlswire.results.verdict import VERDICT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

_OFFSET = re.compile(r" \(byte (\d+)\)")


class Place(msgspec.Struct, frozen=True):
    """Whom the result is about."""

    host: str
    port: int
    address: str | None = None
    starttls: str | None = None


class Suite(msgspec.Struct, frozen=True):
    """An accepted suite."""

    code: str
    name: str = ""
    grade: str = "unrated"


class Version(msgspec.Struct, frozen=True):
    """One version, ``unknown`` the codes of suites without an answer."""

    version: str
    verdict: str = "unknown"
    suites: list[Suite] = []
    candidates: int = 0
    unknown: list[str] = []


class Finding(msgspec.Struct, frozen=True):
    """One finding."""

    id: str
    category: str = ""
    text: str = ""
    version: str | None = None
    question: str | None = None


class Certificate(msgspec.Struct, frozen=True):
    """What one certificate says."""

    sha256: str
    subject: str | None = None
    issuer: str | None = None
    not_after: str | None = None
    key: str | None = None
    bits: int | None = None


class Report(msgspec.Struct, frozen=True):
    """The certificates of a chain, leaf first."""

    certificates: list[Certificate] = []


class Chain(msgspec.Struct, frozen=True):
    """One chain, ``trusted`` the stores that have a path for it."""

    trusted: list[str] = []
    report: Report = Report()


class Chains(msgspec.Struct, frozen=True):
    """The answer to the question ``certificates``."""

    chains: list[Chain] = []


class Rule(msgspec.Struct, frozen=True):
    """What one rule says."""

    id: str
    verdict: str = "unknown"
    title: str = ""


class Node(msgspec.Struct, frozen=True):
    """One address."""

    address: str
    reachable: bool = True
    differs: list[str] = []


class Handshake(msgspec.Struct, frozen=True):
    """What one client got."""

    node: str
    offer: str
    finished: bool = False
    ending: str = ""
    version: str | None = None
    suite: str | None = None
    group: str | None = None


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What all results have."""

    SCHEMA: ClassVar[str]

    target: Place
    complete: bool = True
    reachable: bool = True
    error: str | None = None
    policy: str | None = None


class StoredScan(Stored, frozen=True, kw_only=True):
    """A ``tlswire.scan/1``; ``answers`` by question, still as JSON."""

    SCHEMA = SCAN_SCHEMA

    versions: list[Version] = []
    findings: list[Finding] = []
    answers: dict[str, Any] = {}

    @property
    def chains(self) -> list[Chain] | None:
        """The chains the server shows; None: nobody asked."""
        answer = self.answers.get("certificates")
        return None if answer is None else msgspec.convert(answer, Chains).chains


class StoredVerdict(Stored, frozen=True, kw_only=True):
    """A ``tlswire.verdict/1``."""

    SCHEMA = VERDICT_SCHEMA

    edition: str = ""
    verdict: str = "unknown"
    rules: list[Rule] = []
    nodes: list[Node] = []
    handshakes: list[Handshake] = []
    chains: list[Chain] = []


class _Head(msgspec.Struct, frozen=True):
    schema: str = ""


_KINDS: dict[str, type[StoredScan | StoredVerdict]] = {kind.SCHEMA: kind for kind in (StoredScan, StoredVerdict)}


def read(name: str, data: bytes) -> list[StoredScan] | list[StoredVerdict]:
    """The results in a file, all of one kind, at least one. Raises UsageError with the file's ``name``, the line and the
    byte offset of what is no JSON, of no kind that can be compared, or not as its schema says.
    """
    found: list[Any] = []
    for line, offset, piece in _pieces(data):
        where = f"{name}: line {line}"
        try:
            schema = msgspec.json.decode(piece.decode(), type=_Head).schema
            if schema not in _KINDS:
                raise UsageError(where, f"is {schema or 'nothing'} where {' or '.join(_KINDS)} is needed")
            if found and schema != found[0].SCHEMA:
                raise UsageError(where, f"is {schema}, the results before it are {found[0].SCHEMA}")
            result = msgspec.json.decode(piece, type=_KINDS[schema])
            if isinstance(result, StoredScan):
                _ = result.chains
        except msgspec.ValidationError as error:
            raise UsageError(where, f"is no result: {error}") from None
        except msgspec.DecodeError as error:
            at = _OFFSET.search(str(error))
            byte = offset + (int(at[1]) if at else len(piece))
            raise UsageError(where, f"is no JSON: {_OFFSET.sub('', str(error))} at byte {byte}") from None
        except UnicodeDecodeError as error:
            raise UsageError(where, f"is no UTF-8 at byte {offset + error.start}") from None
        except RecursionError:
            raise UsageError(where, f"is nested too deeply, at byte {offset}") from None
        found.append(result)
    if not found:
        raise UsageError(name, "holds no result")
    return found


def _pieces(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(line, offset, JSON): the whole, or a line each where the first is a value by itself."""
    first, _, rest = data.partition(b"\n")
    try:
        msgspec.json.decode(first, type=msgspec.Raw)
        alone = bool(rest.strip())
    except (msgspec.DecodeError, RecursionError):
        alone = False
    if not alone:
        if data.strip():
            yield 1, 0, data
        return
    offset = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield number, offset, line
        offset += len(line) + 1
