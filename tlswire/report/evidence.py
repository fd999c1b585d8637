"""Evidence of a campaign: a folder for each finding, from which anybody can see it, decode it and send it again.

``finding.json`` is all of it (``tlswire.finding/1``); beside it stand the bytes as hex and as a capture, the hello field
by field, and a text that says how it is replayed. Must not import anything of tlswire but ``errors``, ``escape``, ``results``,
``wire`` and ``report``.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.report.items import label, typed
from tlswire.report.packets import connection, pcapng
from tlswire.report.trace import hex_lines
from tlswire.results import to_json
from tlswire.wire.records import HANDSHAKE, HEADER
from tlswire.wire.tree import explain, render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tlswire.results.finding import ProvenFinding
    from tlswire.results.scan import Target

FINDING = "finding.json"
MAX_SLUG = 60
# What is explained of a payload; the hex holds all of it.
MAX_EXPLAINED = 1 << 15


class Evidence:
    """The folders of one campaign below ``parent``. A finding of a cause that has one already takes its place.

    What cannot be written ends it: ``failed`` says why, what was written until then stays.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self.folders: dict[str, Path] = {}
        self.failed: UsageError | None = None

    def add(self, finding: ProvenFinding) -> None:
        """Write one finding."""
        if self.failed is not None:
            return
        folder = self._parent / name_of(finding)
        before = self.folders.get(finding.cause)
        try:
            write(folder, finding)
            self.folders[finding.cause] = folder
            if before not in {None, folder}:
                _remove(before)
        except OSError as error:
            self.failed = UsageError(str(folder), f"cannot be written: {error.strerror}", "--evidence")


def name_of(finding: ProvenFinding) -> str:
    """The name of a finding's folder: cause and case, in letters that every file system takes."""
    return f"{_slug(finding.cause)}-{_slug(finding.case)}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", text)[:MAX_SLUG].strip("-") or "x"


def write(folder: Path, finding: ProvenFinding) -> None:
    """Write all files of a finding into ``folder``, ``finding.json`` last: where it is, the rest is. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FINDING).unlink(missing_ok=True)
    for name, content in _files(folder, finding).items():
        (folder / name).write_bytes(content)
    draft = folder / f"{FINDING}.part"
    draft.write_bytes(to_json(finding, indent=2) + b"\n")
    draft.replace(folder / FINDING)


def _remove(folder: Path | None) -> None:
    """Take our own files away, and the folder if that was all."""
    if folder is not None:
        for name in (FINDING, *_NAMES):
            (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


_NAMES = ("README.txt", "hello.txt", "sent.hex", "received.hex", "exchange.pcapng")


def _files(folder: Path, finding: ProvenFinding) -> dict[str, bytes]:
    sent, received = bytes.fromhex(finding.sent), bytes.fromhex(finding.received)
    texts = (
        _readme(folder, finding),
        _explained(finding, sent),
        hex_lines(sent),
        hex_lines(received),
    )
    written = {name: "".join(f"{line}\n" for line in lines) for name, lines in zip(_NAMES, texts, strict=False)}
    return {name: text.encode() for name, text in written.items()} | {_NAMES[-1]: capture(finding)}


def _readme(folder: Path, finding: ProvenFinding) -> list[str]:
    return [*told(finding), "", *_lines(finding), "", replay_line(str(folder), finding.target)]


def told(finding: ProvenFinding) -> Iterator[str]:
    """What a finding says, printable, a line each."""
    yield printable(f"{finding.case} {finding.name}: {finding.text}")
    yield printable(f"{finding.level}, {finding.clause}")
    for difference in finding.differences:
        yield printable(f"difference: {difference}")
    if finding.history:
        yield printable(f"known: {finding.history}")


def _lines(finding: ProvenFinding) -> Iterator[str]:
    reaction = finding.reaction
    target = finding.target
    through = f", through {target.proxy}" if target.proxy else ""
    yield printable(f"target      {label(target)}, server name {target.server_name or '(none)'}{through}")
    yield printable(f"stack       {finding.stack or 'not known'}")
    yield printable(f"reaction    {reaction.reaction} ({', '.join(reaction.flight) or 'nothing'})")
    yield printable(f"allowed     {', '.join(finding.allowed)}")
    yield f"confirmed   {printable(finding.confirmed)}, seen {finding.contacts} times, seed {finding.seed}"
    yield ""
    yield "finding.json     everything, as tlswire.finding/1"
    yield "hello.txt        what was sent, field by field"
    yield "sent.hex         all bytes sent, received.hex all bytes received; tlswire decode explains them"
    yield "exchange.pcapng  the same bytes as packets, made from them"
    yield ""
    yield "To send the same bytes again:"


def replay_line(folder: str, target: Target) -> str:
    """The command that sends the bytes of a finding again."""
    return printable(f"tlswire replay {shlex.quote(folder)} --to {way_there(target)}")


def way_there(target: Target) -> str:
    """A target as the words of a command; who asks the proxy is not known here."""
    words = [typed(target)]
    words += ["--starttls", target.starttls] if target.starttls else []
    words += ["--proxy", target.proxy] if target.proxy else []
    return shlex.join(words)


def _explained(finding: ProvenFinding, sent: bytes) -> list[str]:
    head = [f"# {line}" for line in told(finding)]
    if not sent:
        return [*head, "# nothing was sent"]
    cut = [f"# {len(sent) - MAX_EXPLAINED} bytes more are in sent.hex"] if len(sent) > MAX_EXPLAINED else []
    return [*head, *cut, *render(explain(sent[:MAX_EXPLAINED]))]


def capture(finding: ProvenFinding) -> bytes:
    """The connection as a pcapng whose comment names the case; what came before TLS is left out."""
    script, reaction = finding.script, finding.reaction
    sent, received = bytes.fromhex(finding.sent), bytes.fromhex(finding.received)
    payload = bytes.fromhex(script.payload)
    edges = [0, *script.cuts, len(payload)]
    said = [(True, payload[start:end]) for start, end in pairwise(edges) if start < end]
    if len(sent) > len(payload):  # behind the request for another hello, or in a handshake that was complete
        first = len(received) if script.client else _first_record(received)
        said += [(False, received[:first]), (True, sent[len(payload) :])]
        received = received[first:]
    ended = datetime.fromisoformat(finding.confirmed).timestamp()
    packets = connection(
        (finding.local, finding.local_port),
        (_server(finding), finding.target.port),
        said,
        received,
        ended - reaction.elapsed_s,
        ended,
        half_closed=script.fin,
        end=reaction.ending,
    )
    return pcapng(packets, "\n".join(told(finding)))


def _server(finding: ProvenFinding) -> str:
    """The server's address; one of nobody's (RFC 5737, RFC 3849) where a proxy knows it, or came to it by another family."""
    address, six = finding.target.address, ":" in finding.local
    if address is not None and (":" in address) == six:
        return address
    return "2001:db8::1" if six else "192.0.2.1"


def _first_record(data: bytes) -> int:
    """Where the first record ends, which holds the HelloRetryRequest in all but odd streams."""
    if len(data) < HEADER.size or data[0] != HANDSHAKE:
        return 0
    return HEADER.size + int(HEADER.unpack_from(data)[2])
