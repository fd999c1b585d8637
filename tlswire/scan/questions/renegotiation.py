"""Does the server renegotiate at the client's wish, and are the handshakes of one connection bound to one another?

One client says renegotiation_info and begins another handshake once the first is complete, another never says it
(RFC 5746 sections 3.4 to 3.7); a third says the signalling suite in its place. Silence and endings are asked again with
more patience before they count as a refusal. TLS 1.3 has no renegotiation. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from tlswire.handshake.renegotiation import (
    EMPTY_RENEGOTIATION_SCSV,
    NO_RENEGOTIATION,
    RENEGOTIATION_INFO,
    Renegotiating,
)
from tlswire.hello.builder import TLS12_VERSION
from tlswire.hello.edit import with_extension
from tlswire.probe.exchange import FAULT, TIMEOUT
from tlswire.probe.transport import DONE
from tlswire.registry import ALERTS, VERSIONS
from tlswire.results.answers.renegotiation import Attempt, Renegotiation
from tlswire.results.scan import Finding
from tlswire.scan.proof import ending_of, proof_of
from tlswire.scan.server import NO_VERDICT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.handshake.conversation import Conversation
    from tlswire.results.answers.renegotiation import Outcome, Signal
    from tlswire.scan.server import Server
    from tlswire.wire.messages import ClientHello, ServerHello

# Seconds of silence that are no answer: at first, and for a server that may only be slow.
WAITS = (1.0, 3.0)
# Both flights of three handshakes: what proves it comes last.
PROOF_BYTES = 1 << 14


async def ask(server: Server) -> Renegotiation:
    """In the newest version before TLS 1.3 whose handshakes can be completed here."""
    older = [code for code in server.versions if code <= TLS12_VERSION]
    if not older:
        return Renegotiation(
            state="not-applicable", notes=["no version older than TLS 1.3 is accepted: no renegotiation"]
        )
    version = next((code for code in older if server.completed(code)), older[0])
    silent = with_extension(server.hello(version), RENEGOTIATION_INFO, None)
    scsv = msgspec.structs.replace(silent, suites=(*silent.suites, EMPTY_RENEGOTIATION_SCSV))
    # Where hellos have no extensions (SSLv3, servers that cannot read them) the suite stands for this one, too.
    says = server.hello(version)
    extended = says.raw_extension(RENEGOTIATION_INFO) is not None
    heard, secure, insecure = await asyncio.gather(
        server.ask(scsv), _attempts(server, says if extended else scsv), _attempts(server, silent)
    )
    extension = _signal(secure[-1].hello) if extended else None
    by_suite = _signal(heard.hello)
    answered = "answered" in {extension, by_suite}
    # Where no hello at all is answered, it is not for want of renegotiation_info that one is refused.
    answers = heard.hello is not None or secure[-1].hello is not None
    attempts = [_attempt(secure, answers=answers) if answered else None, _attempt(insecure, answers=answers)]
    notes = [
        f"renegotiation {'without' if at else 'with'} renegotiation_info is unknown: {attempt.answer}"
        for at, attempt in enumerate(attempts)
        if attempt is not None and attempt.outcome == "unknown"
    ]
    notes += ["no ServerHello to a hello with renegotiation_info"] * ("unknown" in {extension, by_suite})
    return Renegotiation(
        state="incomplete" if notes else "complete",
        version=VERSIONS[version].name,
        extension=extension,
        scsv=by_suite,
        secure=attempts[0],
        insecure=attempts[1],
        notes=notes,
    )


async def _attempts(server: Server, hello: ClientHello) -> list[Conversation]:
    """The conversations, until one of them says something, or two of them end alike."""
    found: list[Conversation] = []
    for wait in WAITS:
        found.append(await server.handshake(hello, client=partial(Renegotiating, wait=wait)))
        if not _doubtful(found[-1]):
            break
    return found


def _doubtful(conversation: Conversation) -> bool:
    return bool(conversation.renegotiations) and _outcome(conversation.renegotiations[-1]) in {"close", "silence"}


def _outcome(later: Conversation) -> Outcome:
    if later.kind == FAULT:
        return "fault"
    if later.finished:
        return "renegotiated"
    if any(alert.description == NO_RENEGOTIATION for alert in later.warnings):
        return "warning"
    if later.alert is not None:
        return "alert"
    return "silence" if later.ending == TIMEOUT else "close"


def _attempt(conversations: list[Conversation], *, answers: bool = True) -> Attempt:
    """What the last of the conversations says, if those before it, which ended, ended alike."""
    last = conversations[-1]
    proof = proof_of(last, PROOF_BYTES)
    if not last.renegotiations:
        if answers and last.hello is None and last.kind not in NO_VERDICT:
            return Attempt("refused", 0, last.label, proof)
        return Attempt("unknown", 0, f"no first handshake: {ending_of(last)}", proof)
    outcomes = [_outcome(each.renegotiations[-1]) for each in conversations if each.renegotiations]
    later = last.renegotiations[-1]
    completed = sum(each.kind != FAULT and each.finished for each in last.renegotiations)
    if _doubtful(last) and set(outcomes) != {outcomes[-1]}:
        return Attempt("unknown", completed, " once, then ".join(outcomes), proof)
    return Attempt(outcomes[-1], completed, _label(later), proof)


def _label(later: Conversation) -> str:
    if later.kind == FAULT:
        return later.reason
    warning = next((alert for alert in later.warnings if alert.description == NO_RENEGOTIATION), None)
    if warning is not None:
        return f"alert:{ALERTS[warning.description].name}"
    return "close_notify" if later.kind == DONE else later.label


def _signal(hello: ServerHello | None) -> Signal:
    """RFC 5746 section 3.6: in the answer to a first hello renegotiated_connection is empty."""
    if hello is None:
        return "unknown"
    body = hello.raw_extension(RENEGOTIATION_INFO)
    return "absent" if body is None else "answered" if body == b"\0" else "wrong"


def findings(answer: Renegotiation) -> Iterator[Finding]:
    """Insecure renegotiation, no secure one, and the cost of any that a client may begin."""
    if not answer.version:
        return
    version = answer.version
    attempts = [attempt for attempt in (answer.secure, answer.insecure) if attempt is not None]
    if answer.insecure is not None and answer.insecure.completed:
        yield Finding(
            "renegotiation-insecure",
            "weak",
            "renegotiates with a client that never said renegotiation_info: what an attacker sent first is taken for"
            " the client's",
            "RFC 5746 1",
            version,
            cve=["CVE-2009-3555"],
            remedy="update the TLS library to one with RFC 5746, and refuse renegotiation without it",
        )
    if "wrong" in {answer.extension, answer.scsv} or any(attempt.outcome == "fault" for attempt in attempts):
        reason = next(
            (attempt.answer for attempt in attempts if attempt.outcome == "fault"), "renegotiation_info is not empty"
        )
        yield Finding(
            "renegotiation-fault",
            "fault",
            f"renegotiation against the protocol: {reason}",
            "RFC 5746 3.6 and 3.7",
            version,
            remedy="update the TLS library",
        )
    signals = {answer.extension, answer.scsv}
    if signals <= {"absent", None}:
        yield Finding(
            "renegotiation-info-missing",
            "legacy",
            "does not answer renegotiation_info: clients cannot tell it from an insecure server, and OpenSSL 3 refuses it",
            "RFC 5746 4.4, RFC 9325 3.5",
            version,
            remedy="update the TLS library to one with RFC 5746",
        )
    elif "absent" in signals:
        missing = "extension" if answer.extension == "absent" else "signalling suite"
        yield Finding(
            "renegotiation-info-half",
            "fault",
            f"answers renegotiation_info to one form of it only, not to the {missing}",
            "RFC 5746 3.6",
            version,
            remedy="update the TLS library",
        )
    completed = max((attempt.completed for attempt in attempts), default=0)
    if completed:
        times = "again and again" if completed > 1 else "once"
        yield Finding(
            "renegotiation-client-initiated",
            "legacy",
            f"clients may renegotiate ({times} on one connection), which costs the server more than them",
            "RFC 9325 3.5",
            version,
            cve=["CVE-2011-1473"],
            remedy="refuse renegotiation begun by clients",
        )
