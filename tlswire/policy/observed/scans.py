"""A scan as subjects: everything it enumerated and everything its questions were answered.

What was not asked has no subjects and a gap, so that its rules stay unknown. Must not import anything of tlswire but
``registry``, ``results`` and, of policy, ``facts`` and its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.policy.facts import Facts, Subject
from tlswire.policy.observed.chains import chain_subjects
from tlswire.policy.observed.handshakes import group_parts, suite_parts
from tlswire.registry import EXTENSIONS, GROUPS, SCHEMES, VERSIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tlswire.policy.terms import Value
    from tlswire.results.answers import Answers
    from tlswire.results.answers.base import QuestionAnswer
    from tlswire.results.answers.extensions import VersionExtensions
    from tlswire.results.proof import Proof
    from tlswire.results.scan import Scan, Version

# Kind of subject -> the question whose answer shows it.
QUESTION_OF_KIND = {
    "certificate": "certificates",
    "chain": "certificates",
    "group": "groups",
    "scheme": "signatures",
    "extension": "extensions",
    "dh": "ephemeral",
    "ticket": "resumption",
}
# Feature -> the same.
QUESTION_OF_FEATURE = {
    "compression": "compression",
    "fallback-signal": "fallback",
    "downgrade-marks": "fallback",
    "secure-renegotiation": "renegotiation",
    "insecure-renegotiation": "renegotiation",
    "client-renegotiation": "renegotiation",
    "session-ids": "resumption",
    "tickets": "resumption",
    "psk": "resumption",
    "psk-alone": "resumption",
    "early-data": "resumption",
    "early-data-replay": "resumption",
    "repeated-keys": "ephemeral",
    "alpn": "extensions",
    "alpn-strict": "extensions",
    "strict-names": "names",
}
# What a scan does not show, and ``derived`` does not work out of it.
NOT_SCANNED = ("http", "tolerance")
# Questions whose answers tell what a client would get.
QUESTIONS_OF_CLIENTS = ("certificates", "groups", "extensions")
# Extensions a server answers in ways that a scan tells as a fact of a version.
_TOLD = {22: "encrypt_then_mac", 23: "extended_master_secret", 35: "session_ticket", 0xFF01: "secure_renegotiation"}
_WAYS = {"session id": "session-ids", "ticket": "tickets", "psk": "psk"}
_REFUSED = frozenset({"alert", "close", "warning", "refused", "fault"})
_VERDICTS = {"accepted": True, "rejected": False, "unknown": None}


def facts_of(scan: Scan, given: Collection[str] = (), *, node: str = "") -> Facts:
    """The facts of one scan; ``given`` are the names of the user's own stores among those of its chains."""
    facts = Facts()
    facts.add(_versions(scan, node))
    facts.add(_suites(scan, node))
    facts.add(_certificates(scan.answers, given, node))
    facts.add(_groups(scan.answers, node))
    facts.add(_schemes(scan.answers, node))
    facts.add(_extensions(scan.answers, node))
    facts.add(_parameters(scan.answers, node))
    facts.add(_tickets(scan.answers, node))
    facts.add(_features(scan, node))
    facts.gaps |= _gaps(scan)
    return facts


def _gaps(scan: Scan) -> dict[str, str]:
    """Why not everything of a kind is known: what was not asked, or stayed without an answer."""
    gaps = {}
    unknown = [f"{version.version}: {len(version.unknown)}" for version in scan.versions if version.unknown]
    if unknown:
        gaps["suite"] = f"suites without an answer: {', '.join(unknown)}"
    for kind, question in QUESTION_OF_KIND.items():
        why = _missing(scan.answers, question)
        if why:
            gaps[kind] = why
    return gaps


def _missing(answers: Answers, question: str) -> str:
    """Why a question's answer is not the whole one; empty where it is."""
    answer: QuestionAnswer | None = getattr(answers, question)
    if answer is None:
        return f"the question {question} was not asked"
    if answer.state == "incomplete":
        return f"{question}: {'; '.join(answer.notes) or 'something stayed unknown'}"
    return ""


def _versions(scan: Scan, node: str) -> Iterator[Subject]:
    for version in reversed(scan.versions):
        values: dict[str, Value | None] = {
            "version": int(version.code, 16),
            "accepted": _VERDICTS[version.verdict],
            "preference": _preference(version),
        }
        proof = version.suites[0].proof if version.suites else None
        yield Subject("version", "", values, node=node, proof=proof)


def _preference(version: Version) -> str | None:
    """Whose order decides; of one suite there is no order that a server could insist on."""
    if len(version.suites) < 2:
        return "client"
    return None if version.preference == "unknown" else version.preference


def _suites(scan: Scan, node: str) -> Iterator[Subject]:
    for version in reversed(scan.versions):
        for suite in version.suites:
            code = int(suite.code, 16)
            values: dict[str, Value | None] = {
                "offer": "scan",
                "version": int(version.code, 16),
                "suite": code,
                "key_exchange": suite.key_exchange,
                "authentication": suite.authentication,
                "encryption": suite.encryption,
                "bits": suite.bits,
                "forward_secrecy": suite.forward_secrecy,
                **suite_parts(code),
            }
            yield Subject("suite", version.version, values, node=node, proof=suite.proof)


def _certificates(answers: Answers, given: Collection[str], node: str) -> Iterator[Subject]:
    """The chains that the target's own name gets; what other names get is not what a policy is about."""
    for chain in answers.certificates.chains if answers.certificates is not None else ():
        if any(occasion.server_name == "target" for occasion in chain.occasions):
            yield from chain_subjects(chain.report, given, offer="scan", node=node, proof=chain.proof)


def _groups(answers: Answers, node: str) -> Iterator[Subject]:
    for version in answers.groups.versions if answers.groups is not None else ():
        for group in version.groups:
            values = {"version": VERSIONS.find(version.version).code, **group_parts(GROUPS.find(group.code).code)}
            yield Subject("group", version.version, values, node=node, proof=group.proof)


def _schemes(answers: Answers, node: str) -> Iterator[Subject]:
    for version in answers.signatures.versions if answers.signatures is not None else ():
        for scheme in [*version.schemes, *version.unoffered]:
            code = int(scheme.code, 16)
            values: dict[str, Value | None] = {
                "version": VERSIONS.find(version.version).code,
                "scheme": code,
                "scheme_hash": SCHEMES[code].hash or None,
            }
            yield Subject("scheme", version.version, values, node=node, proof=scheme.proof)


def _extensions(answers: Answers, node: str) -> Iterator[Subject]:
    """Every extension that was answered, and those of which a scan knows that they were not."""
    for version in answers.extensions.versions if answers.extensions is not None else ():
        for code, supported in _answered(version).items():
            values: dict[str, Value | None] = {
                "version": VERSIONS.find(version.version).code,
                "extension": code,
                "supported": supported,
            }
            name = f"{version.version}, {EXTENSIONS[code].name}"
            yield Subject("extension", name, values, node=node, proof=version.proof)


def _answered(version: VersionExtensions) -> dict[int, bool]:
    found = {code: told for code, fact in _TOLD.items() if (told := getattr(version, fact)) is not None}
    return found | {int(item.code, 16): True for item in version.answered if item.fault is None}


def _parameters(answers: Answers, node: str) -> Iterator[Subject]:
    for item in answers.ephemeral.parameters if answers.ephemeral is not None else ():
        values: dict[str, Value | None] = {
            "version": VERSIONS.find(item.version).code,
            "bits": item.bits,
            "prime": item.name,
            "structure": None if item.structure == "unchecked" else item.structure,
            "export": item.export,
        }
        yield Subject("dh", f"{item.version}, {', '.join(item.families)}", values, node=node, proof=item.proof)


def _tickets(answers: Answers, node: str) -> Iterator[Subject]:
    for way in answers.resumption.ways if answers.resumption is not None else ():
        if way.lifetime is not None and way.tickets:
            values: dict[str, Value | None] = {"version": VERSIONS.find(way.version).code, "lifetime": way.lifetime}
            yield Subject("ticket", f"{way.version} {way.way}", values, node=node, proof=way.proof)


def _features(scan: Scan, node: str) -> Iterator[Subject]:
    answers = scan.answers
    rows = [*_renegotiation(answers), *_fallback(answers), *_resumption(answers), *_rest(answers)]
    if any(version.verdict == "accepted" for version in scan.versions):
        rows.append(("plain-http", "", False, None))
    for feature, version, present, proof in rows:
        values: dict[str, Value | None] = {"feature": feature, "present": present}
        if version:
            values["version"] = VERSIONS.find(version).code
        yield Subject("feature", f"{version or 'the server'}, {feature}", values, node=node, proof=proof)
    shown = {feature for feature, *_ in rows}
    for feature, question in QUESTION_OF_FEATURE.items():
        why = _missing(answers, question)
        if why and feature not in shown:
            yield Subject("feature", feature, {"feature": feature}, node=node, notes={"present": why})


# Feature, version (empty: of no one version), whether it is there, what proves it.
_Row = tuple[str, str, bool | None, "Proof | None"]


def _renegotiation(answers: Answers) -> Iterator[_Row]:
    answer = answers.renegotiation
    if answer is None or answer.state == "not-applicable":
        return
    signals = {signal for signal in (answer.extension, answer.scsv) if signal is not None}
    if signals:
        known = signals == {"answered"} or bool(signals & {"absent", "wrong"})
        yield "secure-renegotiation", answer.version, signals == {"answered"} if known else None, None
    attempts = {"insecure-renegotiation": [answer.insecure], "client-renegotiation": [answer.secure, answer.insecure]}
    for feature, tried in attempts.items():
        made = [one for one in tried if one is not None]
        outcomes = {one.outcome for one in made}
        if made:
            present = True if "renegotiated" in outcomes else False if outcomes <= _REFUSED else None
            yield feature, answer.version, present, made[0].proof


def _fallback(answers: Answers) -> Iterator[_Row]:
    answer = answers.fallback
    if answer is None:
        return
    if answer.lower is not None:
        refused = {"inappropriate-fallback": True, "goes-on": False}.get(answer.lower.reaction)
        yield "fallback-signal", answer.lower.version, refused, answer.lower.proof
    for mark in answer.marks:
        yield "downgrade-marks", mark.version, mark.marks == "present", mark.proof


def _resumption(answers: Answers) -> Iterator[_Row]:
    answer = answers.resumption
    if answer is None:
        return
    for way in answer.ways:
        present = way.resumed > 0 or (None if way.unknown else False)
        yield _WAYS[way.way], way.version, present, way.proof
    if answer.psk_alone is not None:
        alone = None if answer.psk_alone == "unknown" else answer.psk_alone == "resumed"
        yield "psk-alone", "TLS 1.3", alone, answer.psk_alone_proof
    if answer.early_data is not None:
        yield "early-data", "TLS 1.3", answer.early_data.limit > 0, answer.early_data.proof
        if answer.early_data.limit:
            yield "early-data-replay", "TLS 1.3", answer.early_data.replayed, answer.early_data.proof


def _rest(answers: Answers) -> Iterable[_Row]:
    for methods in answers.compression.versions if answers.compression is not None else ():
        present = True if methods.methods else None if methods.unknown else False
        yield "compression", methods.version, present, methods.methods[0].proof if methods.methods else None
    for keys in answers.ephemeral.keys if answers.ephemeral is not None else ():
        if keys.seen > 1:
            yield "repeated-keys", "", keys.distinct < keys.seen, None
    for alpn in answers.extensions.alpn if answers.extensions is not None else ():
        protocols = bool(alpn.protocols) or alpn.anything
        yield "alpn", alpn.version, protocols or (None if alpn.unknown else False), alpn.proof
        strict = None if alpn.no_overlap == "unknown" else alpn.no_overlap == "refused"
        if protocols:
            yield "alpn-strict", alpn.version, strict, alpn.proof
    if answers.names is not None and answers.names.state != "not-applicable":
        unknown = next((name for name in answers.names.names if name.kind == "unknown"), None)
        if unknown is not None:
            refused = None if unknown.outcome == "unknown" else unknown.outcome == "refused"
            yield "strict-names", "", refused, unknown.proof
