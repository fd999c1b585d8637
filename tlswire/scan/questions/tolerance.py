"""Does the server bear hellos that are correct but unusual: long, split, greased, from the future?

``scan.tolerances`` has them. Each is compared with the unchanged hello's choice of version and suite. Silence and
closed connections are believed only between hellos that work, as everywhere, so a server that drops some of them takes
the whole timeout for each. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from tlswire.hello.builder import SSLV3_VERSION, TLS12_VERSION, TLS13_VERSION
from tlswire.probe.exchange import ALERTED, CLOSE, FAULT, HELLO, NOT_TLS, RESET, STALLED, TIMEOUT
from tlswire.registry import SCSV, SUITES, VERSIONS
from tlswire.results.answers.tolerance import Tolerance, Tolerated
from tlswire.results.scan import Finding
from tlswire.scan.preflight import ALPN, NO_APPLICATION_PROTOCOL
from tlswire.scan.proof import proof_of
from tlswire.scan.tolerances import CASES, TOPICS, Base, case_of, length_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.probe.exchange import Answer
    from tlswire.results.answers.tolerance import Verdict
    from tlswire.scan.server import Server
    from tlswire.scan.tolerances import Case
    from tlswire.wire.messages import ClientHello, ServerHello

# Hellos are kept short, so that every case but the long ones stays below what servers of old can read.
_SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201)
_GROUPS = (0x001D, 0x0017, 0x0018, 0x0019)
_SUITES_OF_A_VERSION = 5
_TLS13_SUITES = (0x1301, 0x1302, 0x1303)
# Asked once it is known whether this one is borne.
_AFTER = {"size-16384": "size-4096", "size-65536": "size-4096"}
_MOST_PROVEN = 2048
_VERDICTS: dict[str, Verdict] = {
    ALERTED: "refused",
    CLOSE: "refused",
    RESET: "refused",
    TIMEOUT: "silent",
    STALLED: "silent",
    FAULT: "broken",
    NOT_TLS: "broken",
}

_ENDS = frozenset({CLOSE, RESET})

Chosen = tuple[int, int]


class Reference(msgspec.Struct, frozen=True):
    """A hello that is answered, and the version and suite it gets."""

    hello: ClientHello
    chosen: Chosen


async def ask(server: Server) -> Tolerance:
    """All cases side by side, the longest after them; what an answer says against the server is asked again, alone."""
    versions, suites = _today(server)
    modern, older = await asyncio.gather(_modern(server, versions, suites), _older(server))
    usual = modern or older
    if usual is None:
        return Tolerance(state="not-applicable", notes=["no hello that could be changed is answered"])
    base = Base(server.hello(versions, suites), usual.hello, None if older is None else older.hello, _fillers(server))
    notes = [] if modern is not None else ["hellos that offer TLS 1.3 are not answered: asked with those that do not"]
    first = [case for case in CASES if case.name not in _AFTER]
    found = dict(
        zip(
            [case.name for case in first],
            await asyncio.gather(*(_try(server, case, base, usual, older) for case in first)),
            strict=True,
        )
    )
    for name, before in _AFTER.items():
        case = case_of(name)
        if found[before].borne:
            found[name] = await _try(server, case, base, usual, older)
        else:
            found[name] = _unasked(case, f"not asked: {case_of(before).title} are not borne")
    for case in CASES:
        # The prober has looked twice at silence and closed connections, but not at what servers say under load.
        if not found[case.name].borne and found[case.name].verdict != "silent" and found[case.name].answer not in _ENDS:
            found[case.name] = await _try(server, case, base, usual, older)
    cases = [found[case.name] for case in CASES]
    unknown = [case for case in cases if case.verdict == "unknown"]
    notes += [f"{TOPICS[case.topic].title}, {case.title}: {case.answer}" for case in unknown]
    return Tolerance(
        state="incomplete" if unknown else "complete",
        notes=notes,
        usual=_told(usual.chosen),
        older="" if older is None else _told(older.chosen),
        cases=cases,
    )


def _today(server: Server) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The versions and some suites of a client of today that has what this server needs."""
    old = tuple(code for code in server.versions if SSLV3_VERSION < code < TLS12_VERSION)
    versions = (TLS13_VERSION, TLS12_VERSION, *old)
    taken = server.suites
    lists = (taken.get(version, _TLS13_SUITES if version == TLS13_VERSION else ()) for version in versions)
    return versions, tuple(dict.fromkeys(code for codes in lists for code in codes[:_SUITES_OF_A_VERSION]))


async def _modern(server: Server, versions: tuple[int, ...], suites: tuple[int, ...]) -> Reference | None:
    """A hello as clients of today send it, with ALPN where that changes nothing."""
    plain = await _reference(server, versions, suites)
    if plain is None or server.shape.alpn:
        return plain
    named = await _reference(server, versions, suites, alpn=ALPN)
    return named if named is not None and named.chosen == plain.chosen else plain


async def _older(server: Server) -> Reference | None:
    """A hello of the newest version below TLS 1.3 that is accepted."""
    version = next((code for code in server.versions if SSLV3_VERSION < code <= TLS12_VERSION), None)
    if version is None:
        return None
    return await _reference(server, (version,), server.suites[version][: 2 * _SUITES_OF_A_VERSION])


async def _reference(
    server: Server, versions: tuple[int, ...], suites: tuple[int, ...], alpn: tuple[bytes, ...] = ()
) -> Reference | None:
    """A hello that is answered, with a share of the group the server wants: a short one if that gets the same."""
    named = {"alpn": alpn} if alpn else {}
    full = server.hello(versions, suites, key_shares=_GROUPS[:1], **named)
    answer = await server.ask(full)
    if answer.hello is None or not answer.accepts or not _taken(server, answer.hello):
        return None
    chosen = (answer.hello.version, answer.hello.suite)
    wanted = (answer.hello.group or _GROUPS[0],)
    groups = tuple(dict.fromkeys((*_GROUPS, *wanted)))
    shapes: tuple[dict[str, object], ...] = (
        {"key_shares": _GROUPS[:1], "groups": _GROUPS, "schemes": _SCHEMES},
        {"key_shares": wanted, "groups": groups, "schemes": _SCHEMES},
        {"key_shares": wanted},
    )
    for shape in shapes:
        hello = server.hello(versions, suites, **shape, **named)
        answer = await server.ask(hello)
        if answer.hello is not None and answer.kind == HELLO and (answer.hello.version, answer.hello.suite) == chosen:
            return Reference(hello, chosen)
    return Reference(full, chosen)


def _taken(server: Server, hello: ServerHello) -> bool:
    """Whether the server takes this version and suite when they are offered alone."""
    return hello.suite in server.suites.get(hello.version, ())


def _fillers(server: Server) -> tuple[int, ...]:
    """Suites that the server does not take in any version: registered ones, then some that nobody has."""
    taken = set().union(*server.suites.values()) | SCSV
    known = (row.code for row in SUITES if row.code not in taken)
    return (*known, *(code for code in range(0xD301, 0xD401) if code not in SUITES))


async def _try(server: Server, case: Case, base: Base, modern: Reference | None, older: Reference | None) -> Tolerated:
    sending = case.make(base)
    reference = older if case.older or modern is None else modern
    if sending is None or reference is None:
        return _unasked(case, "such a hello cannot be made for this server")
    if sending.cuts is not None and server.prober.opening is not None:
        return _unasked(case, "not asked: behind a dialogue or a proxy segments are not ours to cut")
    answer = await server.ask(sending.hello, payload=sending.payload, cuts=sending.cuts)
    return _judged(server, case, sending.hello, answer, reference.chosen)


def _judged(server: Server, case: Case, hello: ClientHello, answer: Answer, expected: Chosen) -> Tolerated:
    got = answer.hello
    chosen = None if got is None else (got.version, got.suite)
    verdict: Verdict = _VERDICTS.get(answer.kind, "unknown")
    borne = verdict == "unknown"
    if got is not None and chosen is not None and answer.accepts:
        verdict = "same" if chosen == expected else "other"
        # Another suite may be as good; an older version, or what the server does not take by itself, is not.
        borne = chosen[0] >= expected[0] and _taken(server, got)
    proof = proof_of(answer)
    return Tolerated(
        name=case.name,
        topic=case.topic,
        title=case.title,
        size=length_of(hello),
        verdict=verdict,
        borne=borne or not case.category or _no_protocol(answer),
        category=case.category,
        answer=answer.reason if verdict in {"unknown", "broken"} and answer.reason else answer.label,
        chosen="" if chosen is None else _told(chosen),
        proof=msgspec.structs.replace(proof, sent=proof.sent[: 2 * _MOST_PROVEN]),
    )


def _no_protocol(answer: Answer) -> bool:
    """Whether it is the protocols offered that displease, which RFC 7301 section 3.2 allows."""
    return answer.alert is not None and answer.alert.description == NO_APPLICATION_PROTOCOL


def _unasked(case: Case, why: str) -> Tolerated:
    return Tolerated(
        name=case.name,
        topic=case.topic,
        title=case.title,
        size=0,
        verdict="unasked",
        borne=True,
        category=case.category,
        answer=why,
        chosen="",
        proof=None,
    )


def _told(chosen: Chosen) -> str:
    version, suite = chosen
    return f"{VERSIONS[version].name} {SUITES[suite].name}"


_HOW = {
    "refused": "are refused ({answer})",
    "silent": "are never answered",
    "broken": "are answered against the protocol ({answer})",
    "other": "get {chosen} instead",
}


def findings(answer: Tolerance) -> Iterator[Finding]:
    """What is not borne, a finding for each topic and way in which it is not."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for case in answer.cases:
        if not case.borne:
            how = _HOW[case.verdict].format(answer=case.answer.removeprefix("alert:"), chosen=case.chosen)
            groups.setdefault((case.topic, how, case.category), []).append(case.title)
    for (name, how, category), titles in groups.items():
        topic = TOPICS[name]
        yield Finding(
            f"tolerance-{name}",
            category,
            f"{topic.title} ({', '.join(titles)}) {how}: {topic.breaks}",
            topic.source,
            remedy="update what ends TLS here; look at load balancers, firewalls and proxies in front of it, too",
        )
