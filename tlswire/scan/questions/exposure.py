"""DOOR: which known attacks does what the server accepts open the door to? One row a vulnerability; no connections.

A row is judged by versions and suites the enumeration settled, or by the answer to another question. What stayed
unknown there is unknown here: nothing becomes "no" for want of an answer. Whether an implementation makes the mistake
an attack needs is not asked here (``depends``). Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.hello.builder import SSLV2_VERSION, SSLV3_VERSION, TLS12_VERSION, TLS13_VERSION
from tlswire.registry import SCSV, SSLV2_KINDS, SUITES, VERSIONS
from tlswire.results.answers.exposure import Exposure, Vulnerability
from tlswire.results.scan import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tlswire.registry import SuiteRow
    from tlswire.results.answers.base import QuestionAnswer
    from tlswire.results.answers.ephemeral import Ephemeral
    from tlswire.results.answers.exposure import Depends, Exposed
    from tlswire.results.answers.fallback import Fallback
    from tlswire.results.answers.renegotiation import Renegotiation
    from tlswire.results.answers.signatures import Signatures
    from tlswire.results.scan import Verdict
    from tlswire.scan.server import Server

TLS10_VERSION, TLS11_VERSION = 0x0301, 0x0302
OLDER = (SSLV3_VERSION, TLS10_VERSION, TLS11_VERSION, TLS12_VERSION)
ALL = (SSLV2_VERSION, *OLDER, TLS13_VERSION)


class Judgement(msgspec.Struct, frozen=True):
    """Whether an attack finds what it needs, why, and in which suites."""

    exposed: Exposed
    why: str
    suites: tuple[str, ...] = ()


class Facts(msgspec.Struct, frozen=True):
    """What is known: the verdict on (version, suite), that on versions, and the answers to other questions."""

    verdict: Callable[[int, int], Verdict]
    version: Callable[[int], Verdict]
    answers: Mapping[str, QuestionAnswer]

    def unsettled(self, versions: tuple[int, ...]) -> list[str]:
        """The names of those versions of which nothing is known."""
        return [VERSIONS[code].name for code in versions if self.version(code) == "unknown"]


class Row(msgspec.Struct, frozen=True):
    """One vulnerability. It has a finding of its own unless others ``told`` of it: the suites, or another question."""

    name: str
    category: str
    judge: Callable[[Facts], Judgement]
    remedy: str
    source: str
    cve: tuple[str, ...] = ()
    depends: Depends = ""
    told: bool = False


def suites(holds: Callable[[SuiteRow], bool], versions: tuple[int, ...]) -> Callable[[Facts], Judgement]:
    """A judge: exposed where a suite for which ``holds`` is accepted in one of ``versions``."""

    def judge(facts: Facts) -> Judgement:
        pairs = [
            (version, row, facts.verdict(version, row.code))
            for version in versions
            for row in (SSLV2_KINDS if version == SSLV2_VERSION else SUITES)
            if row.code not in SCSV and _possible(row, version) and holds(row)
        ]
        accepted = [(version, row) for version, row, verdict in pairs if verdict == "accepted"]
        if accepted:
            names = tuple(dict.fromkeys(row.name for _, row in accepted))
            return Judgement("yes", f"{_some(names)} in {_list(version for version, _ in accepted)}", names)
        unknown = [version for version, _, verdict in pairs if verdict == "unknown"]
        if unknown:
            return Judgement("unknown", f"{len(unknown)} pairs of version and suite unknown in {_list(unknown)}")
        return Judgement("no", f"no such suite in {_list(versions)}")

    return judge


def _possible(row: SuiteRow, version: int) -> bool:
    # As the scanner asks: older versions everything, TLS 1.3 its own.
    return version != TLS13_VERSION or row.max_version == "TLS 1.3"


def _list(versions: Iterable[int]) -> str:
    """Their names; a row of three or more without a gap by its ends."""
    codes = sorted(set(versions))
    names = [VERSIONS[code].name for code in codes]
    first = ALL.index(codes[0])
    if len(codes) > 2 and tuple(codes) == ALL[first : first + len(codes)]:
        return f"{names[0]} to {names[-1]}"
    return " and ".join(names) if len(names) < 3 else ", ".join(names)


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"


def answer(
    question: str, exposed: Callable[[Any], str], doubtful: Callable[[Any], bool], fine: str
) -> Callable[[Facts], Judgement]:
    """A judge by the answer to ``question``: ``exposed`` says why it is (empty: it is not), ``doubtful`` whether that
    part of it is unknown. A version that nothing is known of may always change it.
    """

    def judge(facts: Facts) -> Judgement:
        found = facts.answers.get(question)
        if found is None:
            return Judgement("unknown", f"no answer to the question {question}")
        why = exposed(found)
        if why:
            return Judgement("yes", why)
        if doubtful(found):
            return Judgement("unknown", f"the answer to the question {question} is incomplete")
        unsettled = facts.unsettled(OLDER)
        if unsettled:
            return Judgement("unknown", f"nothing is known of {', '.join(unsettled)}")
        return Judgement("no", found.notes[0] if found.state == "not-applicable" and found.notes else fine)

    return judge


def _incomplete(found: QuestionAnswer) -> bool:
    return found.state == "incomplete"


# What single rows look at.


def _cbc(row: SuiteRow) -> bool:
    return row.enc.endswith("CBC")


def _export(row: SuiteRow) -> bool:
    return row.kex == "RSA" and row.export


def _finite(row: SuiteRow) -> bool:
    return row.kex == "DHE" or (row.kex == "DH" and row.anonymous)


def _drown(facts: Facts) -> Judgement:
    verdict = facts.version(SSLV2_VERSION)
    if verdict == "rejected":
        return Judgement("no", "SSLv2 is rejected here; another server with the same key was not looked for")
    return Judgement("yes" if verdict == "accepted" else "unknown", f"SSLv2 is {verdict}")


def _logjam(facts: Facts) -> Judgement:
    export = suites(lambda row: _finite(row) and row.export, OLDER)(facts)
    found: Ephemeral | Any = facts.answers.get("ephemeral")
    short = [] if found is None else [params for params in found.parameters if params.bits < 1024]
    if export.exposed == "yes" or (short and export.exposed == "no"):
        return export if export.exposed == "yes" else Judgement("yes", f"a prime of {short[0].bits} bits")
    finite = suites(_finite, OLDER)(facts)
    asked = found is not None and all(not note.startswith("no parameters") for note in found.notes)
    if export.exposed == "unknown" or (finite.exposed == "yes" and not asked):
        return Judgement("unknown", export.why if export.exposed == "unknown" else "the prime of DHE is unknown")
    if finite.exposed == "unknown":
        return finite
    return Judgement("no", "no export suite, no prime below 1024 bits" if finite.exposed == "yes" else "no DHE")


def _raccoon(facts: Facts) -> Judgement:
    static = suites(lambda row: row.kex == "DH" and not row.anonymous, OLDER)(facts)
    found: Ephemeral | Any = facts.answers.get("ephemeral")
    reused = [] if found is None else [row for row in found.keys if row.exchange == "DHE" and row.distinct < row.seen]
    if reused:
        return Judgement("yes", f"a DHE key served {reused[0].seen} handshakes")
    if static.exposed != "no":
        return static
    finite = suites(_finite, OLDER)(facts)
    if finite.exposed == "yes":
        seen = 0 if found is None else max((row.seen for row in found.keys if row.exchange == "DHE"), default=0)
        fresh = Judgement("no", f"{seen} DHE keys, all different")
        return fresh if seen > 1 else Judgement("unknown", "too few DHE keys to compare")
    return Judgement("no", "no static DH, no DHE") if finite.exposed == "no" else finite


def _insecure(found: Renegotiation) -> str:
    completed = found.insecure.completed if found.insecure is not None else 0
    return f"renegotiates without renegotiation_info in {found.version}" if completed else ""


def _insecure_unknown(found: Renegotiation) -> bool:
    return found.insecure is not None and found.insecure.outcome == "unknown"


def _begun(found: Renegotiation) -> str:
    completed = [each.completed for each in (found.secure, found.insecure) if each is not None]
    return f"clients may renegotiate in {found.version}" if any(completed) else ""


def _begun_unknown(found: Renegotiation) -> bool:
    return any(each is not None and each.outcome == "unknown" for each in (found.secure, found.insecure))


def _ignored(found: Fallback) -> str:
    lower = found.lower
    return (
        f"TLS_FALLBACK_SCSV is ignored in {lower.version}" if lower is not None and lower.reaction == "goes-on" else ""
    )


def _compresses(found: Any) -> str:
    versions = [version.version for version in found.versions if version.methods]
    return f"records are compressed in {', '.join(versions)}" if versions else ""


def _md5(found: Signatures) -> str:
    signed = [
        f"{scheme.name} in {version.version}"
        for version in found.versions
        for scheme in (*version.schemes, *version.unoffered)
        if scheme.hash == "MD5"
    ]
    return f"signs with {', '.join(signed)}" if signed else ""


def _missing_13(facts: Facts) -> Judgement:
    verdict = facts.version(TLS13_VERSION)
    exposed: Mapping[Verdict, Exposed] = {"accepted": "no", "rejected": "yes", "unknown": "unknown"}
    return Judgement(exposed[verdict], f"TLS 1.3 is {verdict}")


ROWS: tuple[Row, ...] = (
    Row("DROWN", "weak", _drown, "turn SSLv2 off wherever the key is used", "RFC 6176", ("CVE-2016-0800",)),
    Row("POODLE", "weak", suites(_cbc, (SSLV3_VERSION,)), "turn SSLv3 off", "RFC 7568", ("CVE-2014-3566",)),
    Row("FREAK", "weak", suites(_export, OLDER), "turn the EXPORT suites off", "RFC 9325 4.1", ("CVE-2015-0204",)),
    Row("Logjam", "weak", _logjam, "turn DHE off, or give it ffdhe2048 at least", "RFC 9325 4.2", ("CVE-2015-4000",)),
    Row(
        "SWEET32",
        "weak",
        suites(lambda row: row.enc.startswith(("3DES", "DES", "IDEA", "RC2")), OLDER),
        "turn 3DES, DES, IDEA and RC2 off",
        "RFC 9325 4.1",
        ("CVE-2016-2183", "CVE-2016-6329"),
    ),
    Row(
        "RC4",
        "weak",
        suites(lambda row: row.enc.startswith("RC4"), OLDER),
        "turn RC4 off",
        "RFC 7465",
        ("CVE-2013-2566", "CVE-2015-2808"),
    ),
    Row(
        "CRIME",
        "weak",
        answer("compression", _compresses, _incomplete, "no compression"),
        "turn TLS compression off",
        "RFC 7457 2.6",
        ("CVE-2012-4929",),
        told=True,
    ),
    Row(
        "SLOTH",
        "weak",
        answer("signatures", _md5, _incomplete, "signs with nothing that has MD5"),
        "leave schemes with MD5 out of the server's signature algorithms",
        "RFC 9155",
        ("CVE-2015-7575",),
        told=True,
    ),
    Row(
        "insecure renegotiation",
        "weak",
        answer("renegotiation", _insecure, _insecure_unknown, "refused"),
        "update the TLS library to one with RFC 5746",
        "RFC 5746 1",
        ("CVE-2009-3555",),
        told=True,
    ),
    Row(
        "renegotiation load",
        "legacy",
        answer("renegotiation", _begun, _begun_unknown, "clients may not renegotiate"),
        "refuse renegotiation begun by clients",
        "RFC 9325 3.5",
        ("CVE-2011-1473",),
        told=True,
    ),
    Row(
        "forced fallback",
        "legacy",
        answer("fallback", _ignored, _incomplete, "TLS_FALLBACK_SCSV is honoured"),
        "accept the best version only, or update the TLS library to one with RFC 7507",
        "RFC 7507",
        depends="client",
        told=True,
    ),
    Row(
        "Raccoon",
        "legacy",
        _raccoon,
        "turn DH off, and use no DHE key twice",
        "RFC 9325 7.4",
        ("CVE-2020-1968",),
        "implementation",
    ),
    Row(
        "BEAST",
        "legacy",
        suites(_cbc, (SSLV3_VERSION, TLS10_VERSION)),
        "turn TLS 1.0 and SSLv3 off",
        "RFC 7457 2.3",
        ("CVE-2011-3389",),
        "client",
    ),
    Row(
        "Lucky Thirteen",
        "legacy",
        suites(_cbc, OLDER),
        "offer AEAD suites only",
        "RFC 7457 2.5",
        ("CVE-2013-0169",),
        "implementation",
    ),
    Row(
        "ROBOT",
        "no-forward-secrecy",
        suites(lambda row: row.kex == "RSA", OLDER),
        "turn suites with RSA key exchange off",
        "RFC 9325 4.1, VU#144389",
        depends="implementation",
    ),
    Row(
        "no forward secrecy",
        "no-forward-secrecy",
        suites(lambda row: not row.pfs and row.kex not in {"", "any", "NULL"}, OLDER),
        "offer ECDHE suites and TLS 1.3 only",
        "RFC 9325 4.1",
        told=True,
    ),
    Row("TLS 1.3 missing", "info", _missing_13, "turn TLS 1.3 on", "RFC 9325 3.1.1"),
)


async def ask(server: Server, others: Mapping[str, QuestionAnswer]) -> Exposure:
    """Judge every row by what is known."""
    return exposure(Facts(server.verdict, server.version_verdict, others))


def exposure(facts: Facts) -> Exposure:
    """The answer that follows from the facts. Pure."""
    judged = [(row, row.judge(facts)) for row in ROWS]
    notes = [f"{row.name}: {found.why}" for row, found in judged if found.exposed == "unknown"]
    return Exposure(
        state="incomplete" if notes else "complete",
        vulnerabilities=[
            Vulnerability(
                name=row.name,
                category=row.category,
                cve=list(row.cve),
                exposed=found.exposed,
                depends=row.depends,
                why=found.why,
                suites=list(found.suites),
                remedy=row.remedy,
            )
            for row, found in judged
        ],
        notes=notes,
    )


def findings(found: Exposure) -> Iterator[Finding]:
    """A finding for every exposure that nothing else tells of."""
    rows = {row.name: row for row in ROWS}
    for each in found.vulnerabilities:
        row = rows[each.name]
        if each.exposed == "yes" and not row.told:
            yield Finding(
                f"exposure-{re.sub('[^a-z0-9]+', '-', each.name.lower())}",
                each.category,
                f"{each.name}{_PLAY_ALONG[each.depends]}: {each.why}",
                row.source,
                None,
                each.suites,
                cve=each.cve,
                remedy=each.remedy,
            )


_PLAY_ALONG = {
    "": "",
    "client": ", if clients take part",
    "implementation": ", if the implementation makes the mistake",
}
