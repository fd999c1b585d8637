"""What a reaction means: whether the clause allows it, and whether the hello in it keeps to what was offered.

Sources: RFC 9846 sections 4.2.3 (downgrade sentinel, echo, compression), 4.2.4, 4.3 (which extension may stand where)
and 6; RFC 8701 section 3.1. Sans-IO.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``hello`` and ``fuzz``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.fuzz.fields import encode
from tlswire.fuzz.model import ANY_ALERT, FLIGHT, HELLO_THEN_ABORT, RETRY, permits
from tlswire.hello.honoured import dishonoured
from tlswire.registry import ALERTS, EXTENSIONS, VERSIONS
from tlswire.wire.cursor import named
from tlswire.wire.partial import parse_partial_client_hello

if TYPE_CHECKING:
    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.model import Case
    from tlswire.fuzz.script import Script
    from tlswire.wire.messages import ClientHello, ServerHello

Verdict = Literal["conforms", "deviates", "not-applicable", "unknown"]
CONFORMS: Verdict = "conforms"
DEVIATES: Verdict = "deviates"
NOT_APPLICABLE: Verdict = "not-applicable"
UNKNOWN: Verdict = "unknown"

GENERATED = "generated"
TLS12, TLS13 = 0x0303, 0x0304
# RFC 9846 section 4.2.3: the last eight bytes of a random below what the server can do.
SENTINELS = {TLS12: b"DOWNGRD\x01"}
SENTINEL_OLDER = b"DOWNGRD\x00"
SUPPORTED_VERSIONS, KEY_SHARE, PRE_SHARED_KEY, COOKIE, ECH = 43, 51, 41, 44, 0xFE0D
# RFC 9846 section 4.3: what may stand in a ServerHello and a HelloRetryRequest of TLS 1.3.
_IN_HELLO = frozenset({SUPPORTED_VERSIONS, KEY_SHARE, PRE_SHARED_KEY})
_IN_RETRY = frozenset({SUPPORTED_VERSIONS, KEY_SHARE, COOKIE, ECH})


class Judgement(msgspec.Struct, frozen=True):
    """A verdict and its reasons, a line each; ``cause`` is what findings of one kind have in common."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    cause: str = ""


def offered_by(script: Script) -> ClientHello | None:
    """What a script's hello offers, as far as it can be read; None where it offers nothing readable."""
    if script.message:
        return parse_partial_client_hello(script.message[4:])
    return None if script.tree is None else parse_partial_client_hello(encode(script.tree))


def judge(case: Case, script: Script, heard: Heard, features: frozenset[str]) -> Judgement:
    """Whether the reaction to ``case`` conforms, given what the server is known to be able to do."""
    if heard.unsent:
        return Judgement(UNKNOWN, (f"not sent: {heard.reason}",))
    reasons: list[str] = []
    causes: list[str] = []
    if not permits(case.allowed, heard.reaction, heard.flight):
        allowed = ", ".join(map(in_words, case.allowed))
        reasons.append(f"{told(heard)}; {case.clause} allows {allowed}")
        causes.append(f"{place_of(case)}: {heard.reaction} where {', '.join(case.allowed)} is due")
    elif case.version and heard.reaction in {FLIGHT, RETRY} and heard.version != case.version:
        chosen, wanted = named(VERSIONS, heard.version), VERSIONS[case.version].name
        reasons.append(f"negotiates {chosen}; {case.clause} wants {wanted}")
        causes.append(f"version {chosen}")
    for kind, text in faults_of(script, heard, features):
        reasons.append(text)
        causes.append(kind)
    return Judgement(DEVIATES if reasons else CONFORMS, tuple(reasons), causes[0] if causes else "")


def place_of(case: Case) -> str:
    """What a case is about: its group, or the field that is bent first where the grammar made it."""
    if case.group != GENERATED:
        return case.group
    kind, _, path = case.name.partition("+")[0].partition(":")
    return f"{kind} {path.partition('/')[0]}"


def faults_of(script: Script, heard: Heard, features: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """What is wrong with the answer itself, whatever it answers, as (kind, one line) pairs."""
    found = [fault for fault in heard.faults if fault[0] != "not-tls"]
    offer = offered_by(script)
    for answer in (heard.retry, heard.hello):
        if answer is None or answer.version < TLS12:
            continue
        if offer is not None and script.session is None and (answer is heard.retry or heard.retry is None):
            found += dishonoured(offer, answer)
        if answer.version >= TLS13:
            found += _misplaced(answer)
        elif "tls13" in features and answer.random[-8:] != SENTINELS[TLS12]:
            found.append(("sentinel", "answers TLS 1.2 without the downgrade sentinel (RFC 9846 4.2.3)"))
    if _changes_suite(heard):
        found.append(("suite", "answers another suite than its HelloRetryRequest (RFC 9846 4.2.4)"))
    if heard.encrypted_extensions is not None and offer is not None:
        found += [
            ("extension", f"answers extension {named(EXTENSIONS, code)} in EncryptedExtensions that was not offered")
            for code in heard.encrypted_extensions.extension_types
            if code not in offer.extension_types
        ]
    return tuple(dict.fromkeys(found))


def _changes_suite(heard: Heard) -> bool:
    """Whether another suite is chosen than in the retry, though the second hello still offers that."""
    if heard.hello is None or heard.retry is None or heard.hello.suite == heard.retry.suite:
        return False
    second = parse_partial_client_hello(heard.again[4:])
    return second is not None and heard.retry.suite in second.suites


def _misplaced(answer: ServerHello) -> list[tuple[str, str]]:
    allowed = _IN_RETRY if answer.is_retry else _IN_HELLO
    where = "HelloRetryRequest" if answer.is_retry else "ServerHello"
    found = [
        ("misplaced-extension", f"extension {named(EXTENSIONS, code)} in a {where} (RFC 9846 4.3)")
        for code in answer.extension_types
        if code not in allowed and code in EXTENSIONS
    ]
    if answer.legacy_version != TLS12:
        found.append(("legacy-version", f"legacy_version {named(VERSIONS, answer.legacy_version)} (RFC 9846 4.2.3)"))
    return found


def in_words(reaction: str) -> str:
    """A reaction with its alert by name: ``alert decode_error (50)``."""
    kind, _, code = reaction.partition(":")
    return f"{kind} {ALERTS[int(code)].name} ({code})" if code else "any alert" if kind == ANY_ALERT else kind


def told(heard: Heard) -> str:
    """What was heard in one line: ``hello-then-abort (server-hello, alert illegal_parameter (47))``."""
    if heard.reaction == HELLO_THEN_ABORT:
        return f"{heard.reaction} ({', '.join(map(in_words, heard.flight[-4:]))})"
    return in_words(heard.reaction)
