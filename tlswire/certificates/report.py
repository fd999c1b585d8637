"""Everything a presented chain says, in one call: for the scanner and for policies.

Must not import anything of tlswire but ``errors`` and ``certificates``; knows no clock and no store but what it is given.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from tlswire.certificates.chain import MAX_CERTIFICATES, chain_facts
from tlswire.certificates.details import details_of
from tlswire.certificates.facts import time
from tlswire.certificates.model import ChainReport, HostMatch
from tlswire.certificates.names import match_host
from tlswire.certificates.ocsp import staple_facts
from tlswire.certificates.parsed import Parsed
from tlswire.certificates.paths import best_path
from tlswire.certificates.problems import Problem, problem
from tlswire.certificates.sct import future_scts, read_scts
from tlswire.certificates.signatures import Checks
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from tlswire.certificates.model import ChainFacts, Staple
    from tlswire.certificates.stores import Anchors


def describe_chain(
    ders: Sequence[bytes],
    *,
    now: datetime,
    anchors: Mapping[str, Anchors] | None = None,
    host: str | None = None,
    staple: bytes | None = None,
    tls_scts: bytes | None = None,
) -> ChainReport:
    """What the DER certificates of a Certificate message say, leaf first, at ``now`` (which knows its time zone).

    One verdict for each store of ``anchors``; ``staple`` is the OCSPResponse sent along, ``tls_scts`` the body of the
    signed_certificate_timestamp extension. Never raises for bad bytes: what a server sends is described. UsageError
    where ``now`` has no time zone.
    """
    if now.tzinfo is None:
        raise UsageError(str(now), "has no time zone")
    now = now.astimezone(UTC)
    shown = time(now)
    stores = list((anchors or {}).values())
    presented = [Parsed(der) for der in ders[:MAX_CERTIFICATES]]
    checks = Checks()
    chain = chain_facts(presented, len(ders), stores, checks)
    verdicts = tuple(best_path(presented, store, shown, checks) for store in stores if presented)
    details = tuple(map(details_of, presented))
    stapled = None
    if staple is not None and presented:
        stapled = staple_facts(staple, presented[0], _issuers(presented, chain, stores), now, checks)
    scts, problems = read_scts(tls_scts, "handshake") if tls_scts is not None else ((), [])
    scts = (*(details[0].scts if details else ()), *(stapled.scts if stapled is not None else ()), *scts)
    matched = _match(host, presented) if host is not None and presented else None
    return ChainReport(
        now=shown,
        certificates=details,
        chain=chain,
        host=matched,
        verdicts=verdicts,
        staple=stapled,
        scts=scts,
        problems=(*_of_leaf(presented, matched, stapled), *problems, *future_scts(scts, now)),
    )


def _issuers(presented: Sequence[Parsed], chain: ChainFacts, stores: Sequence[Anchors]) -> list[Parsed]:
    """Who may have issued the leaf: the presented one that did, else anchors of its issuer's name."""
    linked = [presented[link.issuer] for link in chain.links if not link.certificate]
    if chain.self_signed_leaf:
        linked.append(presented[0])
    return linked or [anchor for store in stores for anchor in store.issuers(presented[0])]


def _match(host: str, presented: Sequence[Parsed]) -> HostMatch:
    leaf = presented[0]
    return match_host(host, leaf.names[0], details_of(leaf).common_names)


def _of_leaf(presented: Sequence[Parsed], matched: HostMatch | None, stapled: Staple | None) -> Iterator[Problem]:
    if matched is not None and not matched.ok:
        yield problem("name-mismatch", 0, reason=matched.reason)
    if presented and stapled is None and details_of(presented[0]).must_staple:
        yield problem("staple-missing", 0)
