"""Does the server notice that a client was pushed to an older version?

TLS_FALLBACK_SCSV (RFC 7507) in a hello one version below the best should be answered with inappropriate_fallback, in
the best version not at all. And every ServerHello of a lower version ends its random in a mark (RFC 9846 section
4.2.3): for those, what the enumeration heard is enough. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from tlswire.hello.builder import SSLV3_VERSION, TLS12_VERSION, TLS13_VERSION
from tlswire.registry import VERSIONS
from tlswire.results.answers.fallback import Fallback, Mark, Signal
from tlswire.results.scan import Finding
from tlswire.scan.proof import ending_of, proof_of
from tlswire.scan.server import NO_VERDICT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.results.answers.fallback import Marks, Reaction
    from tlswire.scan.server import Server

FALLBACK_SCSV = 0x5600
INAPPROPRIATE_FALLBACK = 86
# By the version that was chosen: TLS 1.2 has a mark of its own, all that is older another one.
_OLDER = b"DOWNGRD\x00"
_MARKS = {TLS12_VERSION: b"DOWNGRD\x01"}


async def ask(server: Server) -> Fallback:
    """The signal in the best version and the next one; the marks in all that are lower than the best."""
    if len(server.versions) < 2:
        many = "only one version is" if server.versions else "no version from SSLv3 on is"
        return Fallback(state="not-applicable", notes=[f"{many} accepted: nothing to fall back to"])
    best, lower = server.versions[:2]
    signals = await asyncio.gather(_signal(server, best), _signal(server, lower))
    marks = [_mark(server, version, best) for version in server.versions[1:]] if best >= TLS12_VERSION else []
    notes = [
        f"no clear answer to TLS_FALLBACK_SCSV in {signal.version}: {signal.answer}"
        for signal in signals
        if signal.reaction == "unknown"
    ]
    return Fallback(
        state="incomplete" if notes else "complete",
        best_version=VERSIONS[best].name,
        best=signals[0],
        lower=signals[1],
        marks=[mark for mark in marks if mark is not None],
        notes=notes,
    )


async def _signal(server: Server, version: int) -> Signal:
    hello = server.hello(version, server.suites[version])
    answer = await server.ask(msgspec.structs.replace(hello, suites=(*hello.suites, FALLBACK_SCSV)))
    reaction: Reaction = "other"
    if answer.hello is not None and answer.hello.version == version:
        reaction = "goes-on"
    elif answer.alert is not None and answer.alert.description == INAPPROPRIATE_FALLBACK:
        reaction = "inappropriate-fallback"
    elif answer.kind in NO_VERDICT:
        reaction = "unknown"
    label = "" if reaction == "goes-on" else ending_of(answer)
    return Signal(VERSIONS[version].name, reaction, label, proof_of(answer))


def _mark(server: Server, version: int, best: int) -> Mark | None:
    heard = [
        (each.answer.hello.random[-8:], each.answer)
        for each in server.proofs.get(version, ())
        if each.answer.hello is not None
    ]
    if not heard:
        return None
    wanted = _MARKS.get(version, _OLDER)
    marked = sum(end == wanted for end, _ in heard)
    strange = sum(end != wanted and end.startswith(_OLDER[:7]) for end, _ in heard)
    marks: Marks = "present" if marked == len(heard) else "mixed" if marked else "wrong" if strange else "absent"
    shown = next((answer for end, answer in heard if end != wanted), heard[0][1])
    return Mark(VERSIONS[version].name, marks, best >= TLS13_VERSION, len(heard), marked, proof_of(shown))


def findings(answer: Fallback) -> Iterator[Finding]:
    """The signal ignored, or refused where it must not be; marks that are missing or wrong."""
    lower, best = answer.lower, answer.best
    if lower is not None and lower.reaction in {"goes-on", "other"}:
        poodle = any(mark.version == VERSIONS[SSLV3_VERSION].name for mark in answer.marks)
        poodle = poodle or lower.version == VERSIONS[SSLV3_VERSION].name
        yield Finding(
            "fallback-signal",
            "legacy" if lower.reaction == "goes-on" else "info",
            f"goes on in {lower.version} with a client that says it fell back from something newer"
            if lower.reaction == "goes-on"
            else f"refuses a client that fell back to {lower.version} by {lower.answer}, not inappropriate_fallback",
            "RFC 7507 3",
            lower.version,
            cve=["CVE-2014-3566"] if poodle and lower.reaction == "goes-on" else [],
            remedy=f"accept no version but {answer.best_version}, or update the TLS library to one with RFC 7507",
        )
    if best is not None and best.reaction in {"inappropriate-fallback", "other"}:
        yield Finding(
            "fallback-signal-best",
            "fault",
            f"refuses TLS_FALLBACK_SCSV in {best.version}, its best version ({best.answer})",
            "RFC 7507 3",
            best.version,
            remedy="update the TLS library",
        )
    wrong = [mark for mark in answer.marks if mark.marks == "wrong"]
    if wrong:
        names = ", ".join(mark.version for mark in wrong)
        yield Finding(
            "downgrade-mark-wrong",
            "fault",
            f"ServerHellos of {names} end in the downgrade mark of another version",
            "RFC 9846 4.2.3",
            remedy="update the TLS library",
        )
    missing = [mark for mark in answer.marks if mark.marks in {"absent", "mixed"}]
    for required in (True, False):
        names = ", ".join(mark.version for mark in missing if mark.required == required)
        if names:
            yield Finding(
                "downgrade-mark-missing",
                "legacy" if required else "info",
                f"ServerHellos of {names} lack the downgrade mark, by which clients notice who pushed them there",
                "RFC 9846 4.2.3",
                remedy=f"accept no version but {answer.best_version}, or update the TLS library",
            )
