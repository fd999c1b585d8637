"""Which chains does the server show, and what is to be said of them?

A server with several certificates picks by the client's signature schemes (RFC 9846 section 4.5.1.2, RFC 5246 section
7.4.2): those of the key it has just shown are taken away until it shows no more. Then another name, and none. Every
chain is described, and validated against each store. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import textwrap
from typing import TYPE_CHECKING

import msgspec

from tlswire.certificates.chain import MAX_CERTIFICATES
from tlswire.certificates.report import describe_chain
from tlswire.hello.builder import TLS12_VERSION, TLS13_VERSION
from tlswire.registry import SCHEMES, SUITES, VERSIONS
from tlswire.results.answers.certificates import Certificates, Occasion, PresentedChain
from tlswire.results.scan import Finding
from tlswire.scan.proof import proof_of
from tlswire.scan.server import UNKNOWN_NAME, is_unknown
from tlswire.scan.trust import usual_stores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tlswire.certificates.stores import Anchors
    from tlswire.handshake.conversation import Conversation
    from tlswire.results.answers.certificates import AskedFor
    from tlswire.results.certificates import CertificateDetails, PathVerdict, Problem
    from tlswire.scan.server import Server

MOST_CHAINS = 16
_SIGNED = frozenset({"ECDHE", "DHE"})


class Album(msgspec.Struct):
    """The chains seen so far, by their bytes, each with its occasions."""

    host: str
    now: dt.datetime
    stores: Mapping[str, Anchors]
    chains: dict[tuple[bytes, ...], PresentedChain] = {}
    notes: list[str] = []

    def add(self, shown: Conversation, name: AskedFor) -> PresentedChain | None:
        """The chain a conversation showed; None where it showed none, or one bound more than are kept."""
        if not shown.chain:
            return None
        occasion = occasion_of(shown, name)
        known = self.chains.get(shown.chain)
        if known is None:
            if len(self.chains) == MOST_CHAINS:
                self.notes.append(f"more than {MOST_CHAINS} chains: the rest was not looked at")
                return None
            known = presented(shown, now=self.now, stores=self.stores, host=self.host, occasions=[])
        if occasion not in known.occasions:
            known = msgspec.structs.replace(known, occasions=[*known.occasions, occasion])
        self.chains[shown.chain] = known
        return known


def presented(
    shown: Conversation, *, now: dt.datetime, stores: Mapping[str, Anchors], host: str, occasions: list[Occasion]
) -> PresentedChain:
    """The chain a conversation showed, described and validated against each of ``stores``."""
    report = describe_chain(
        shown.chain, now=now, anchors=stores, host=host, staple=shown.staple, tls_scts=shown.sct_list
    )
    leaf = report.certificates[0]
    return PresentedChain(
        sha256=leaf.sha256,
        key=_key(leaf),
        trusted=[verdict.store for verdict in report.verdicts if verdict.valid],
        occasions=occasions,
        report=report,
        pem=[_pem(der) for der in shown.chain[:MAX_CERTIFICATES]],
        proof=proof_of(shown),
    )


def occasion_of(shown: Conversation, name: AskedFor) -> Occasion:
    """When a conversation showed its chain."""
    scheme = None if shown.scheme is None else SCHEMES[shown.scheme].name
    return Occasion(VERSIONS[shown.version].name, name, scheme)


async def ask(server: Server) -> Certificates:
    """Every chain of every kind of key, by version, by name."""
    if not server.versions:
        return Certificates(state="not-applicable", notes=["no version was accepted"])
    stores = server.anchors or usual_stores()
    album = Album((server.server_name or b"").decode("ascii") or server.host, dt.datetime.now(dt.UTC), stores)
    newest = server.versions[0]
    older = next((code for code in server.versions if code <= TLS12_VERSION), None)
    wanted = [newest] + ([older] if older not in {None, newest} else [])
    unknown = [not told for told in await asyncio.gather(*(_kinds(server, version, album) for version in wanted))]
    unknown += [not told for told in await asyncio.gather(*(_named(server, name, album) for name in _NAMES))]
    if not album.chains:
        album.notes.append("the server showed no certificate: its suites do without, or it was not answered in time")
    target = [chain for chain in album.chains.values() if chain.occasions[0].server_name == "target"]
    others = [chain for chain in album.chains.values() if chain.occasions[0].server_name != "target"]
    return Certificates(
        state="incomplete" if any(unknown) else "complete" if album.chains else "not-applicable",
        stores=list(stores),
        chains=target + others,
        notes=album.notes,
    )


async def _kinds(server: Server, version: int, album: Album) -> bool:
    """The chains of one version for the target's name, a kind of key after the other; whether all was answered."""
    shown = await server.first(version)
    chain = album.add(shown, "target")
    if is_unknown(shown):
        album.notes.append(f"{VERSIONS[version].name}: the handshake was not answered ({shown.label}: {shown.reason})")
        return False
    suites = _signed_suites(server, version)
    schemes = _schemes(version)
    while chain is not None and suites and version >= TLS12_VERSION:
        leaf = chain.report.certificates[0]
        left = tuple(code for code in schemes if not _serves(leaf, code, version))
        if len(left) == len(schemes):
            album.notes.append(f"{VERSIONS[version].name}: a key of kind {leaf.key_family} was shown again unasked")
            break
        schemes = left
        shown = await server.handshake(server.certificate_hello(version, suites, schemes=schemes))
        if is_unknown(shown):
            return False
        chain = album.add(shown, "target")
    return True


_NAMES: tuple[tuple[AskedFor, bytes | None], ...] = (("none", None), ("unknown", UNKNOWN_NAME))


async def _named(server: Server, name: tuple[AskedFor, bytes | None], album: Album) -> bool:
    """The chain for another name than the target's; whether that was answered."""
    kind, value = name
    if value == server.server_name:
        return True
    shown = await server.named(value)
    album.add(shown, kind)
    return not is_unknown(shown)


def _signed_suites(server: Server, version: int) -> tuple[int, ...]:
    """Those suites whose handshakes the server signs."""
    accepted = server.suites.get(version, ())
    if version >= TLS13_VERSION:
        return server.completed(version) or accepted
    return tuple(code for code in accepted if SUITES[code].kex in _SIGNED and not SUITES[code].anonymous)


def _schemes(version: int) -> tuple[int, ...]:
    return tuple(row.code for row in SCHEMES if version < TLS13_VERSION or row.tls13 == "Y")


def _serves(leaf: CertificateDetails, code: int, version: int) -> bool:
    """Whether the key of ``leaf`` can sign with a scheme: what it has shown need not be asked for again."""
    row = SCHEMES[code]
    family = leaf.key_family or ""
    if family == "EC":
        # TLS 1.3 ties a scheme to a curve (RFC 9846 section 4.3.3), TLS 1.2 only to the hash.
        return row.family == "ecdsa" and (version < TLS13_VERSION or row.key_type == leaf.curve)
    if family == "RSA":
        return row.family.startswith("rsa") and row.key_type != "id-RSASSA-PSS"
    if family == "RSA-PSS":
        return row.key_type == "id-RSASSA-PSS"
    if family == "DSA":
        return row.family == "dsa"
    return row.key_type == (leaf.key or "").lower().replace("-", "")


def _key(leaf: CertificateDetails) -> str:
    if leaf.key_family in {"RSA", "RSA-PSS", "DSA"}:
        return f"{leaf.key_family} {leaf.bits}"
    return f"EC {leaf.curve}" if leaf.key_family == "EC" else leaf.key or "unknown"


def _pem(der: bytes) -> str:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 64))
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def findings(answer: Certificates) -> Iterator[Finding]:
    """What is wrong with the chains for the target's name; of the stores, the best verdict counts."""
    told = set()
    for chain in answer.chains:
        if chain.occasions[0].server_name != "target":
            continue
        for subject, problem in problems(chain):
            text = f"certificate {chain.key}: {subject}{problem.text}"
            if problem.category != "info" and (problem.id, text) not in told:
                told.add((problem.id, text))
                yield Finding(f"certificate-{problem.id}", problem.category, text, problem.source)


def problems(chain: PresentedChain) -> Iterator[tuple[str, Problem]]:
    """Every problem of a chain with the certificate it is about, in words; each once."""
    report = chain.report
    for at, certificate in enumerate(report.certificates):
        for problem in certificate.problems:
            yield _about(report.certificates, at), problem
    verdict = best(report.verdicts)
    parts = [*report.problems, *report.chain.problems, *(report.staple.problems if report.staple else ())]
    for problem in parts:
        yield "" if problem.at is None else _about(report.certificates, problem.at), problem
    for problem in () if verdict is None or verdict.valid else verdict.problems:
        yield f"not trusted ({', '.join(item.store for item in report.verdicts)}): ", problem


def best(verdicts: tuple[PathVerdict, ...]) -> PathVerdict | None:
    """A valid one if there is any, else the one with the fewest problems."""
    return min(verdicts, key=lambda verdict: (not verdict.valid, len(verdict.problems)), default=None)


def _about(certificates: tuple[CertificateDetails, ...], at: int) -> str:
    if at == 0 or at >= len(certificates):
        return ""
    return f"{certificates[at].subject or f'certificate {at}'} "
