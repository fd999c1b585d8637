"""A chain as it was presented: who issued whom, in which order, what is missing and what is too much.

No time and no trust: those are judged in ``paths``. Sources: RFC 5246 section 7.4.2, RFC 9846 section 4.5.1.
Must not import anything of tlswire but ``certificates``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.certificates.model import ChainFacts, Link
from tlswire.certificates.problems import Problem, problem
from tlswire.certificates.readings import (
    CA_ISSUERS,
    access,
    authority_key_id,
    is_authority,
    subject_key_id,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.certificates.parsed import Parsed
    from tlswire.certificates.signatures import Checks
    from tlswire.certificates.stores import Anchors

# Chains in use have five; RFC 9846 section 4.5.1 bounds the bytes only.
MAX_CERTIFICATES = 64
_RANK = {"good": 0, "unchecked": 1, "bad": 2}


def chain_facts(presented: Sequence[Parsed], count: int, anchors: Sequence[Anchors], checks: Checks) -> ChainFacts:
    """The facts of a chain of ``count`` certificates, of which the ``presented`` ones were read."""
    first: dict[bytes, int] = {}
    for at, parsed in enumerate(presented):
        first.setdefault(parsed.der, at)
    distinct = sorted(first.values())
    links = {at: found for at in distinct if (found := _links(presented, at, distinct, checks))}
    walk = _walk(links)
    reached = _reached(links)
    readable = {at for at in distinct if presented[at].certificate is not None}
    roots = [at for at in distinct if at in reached and at and _signs_itself(presented[at], checks)]
    complete = _complete(presented, walk, reached, anchors, checks) if presented else False
    facts = ChainFacts(
        count=count,
        read=len(presented),
        ordered=walk == sorted(walk) and bool(presented),
        complete=complete,
        links=tuple(found[0] for found in links.values()),
        duplicates=tuple(at for at in range(len(presented)) if at not in distinct),
        extra=tuple(at for at in distinct if at in readable - reached and 0 in readable),
        roots=tuple(roots),
        self_signed_leaf=bool(presented) and _signs_itself(presented[0], checks),
        problems=(),
    )
    return msgspec.structs.replace(facts, problems=tuple(_problems(facts, presented, walk, first)))


def key_id_fits(child: Parsed, issuer: Parsed) -> bool | None:
    """Whether the key a certificate names (RFC 5280 section 4.2.1.1) is the issuer's; None: not both say."""
    wanted, has = authority_key_id(child), subject_key_id(issuer)
    return None if wanted is None or has is None else wanted == has


def names_issuer(child: Parsed, issuer: Parsed) -> bool:
    """Whether a certificate's issuer is the other's subject (RFC 5280 sections 6.1.3 (a)(4) and 7.1)."""
    if child.layout is None or issuer.layout is None:
        return False
    if child.layout.issuer == issuer.layout.subject:
        return True
    return child.canonical_issuer == issuer.canonical_subject


def _links(presented: Sequence[Parsed], at: int, others: Sequence[int], checks: Checks) -> list[Link]:
    """The certificates that may have issued the one at ``at``, the likeliest first; empty for what issued itself.

    Where none is named so, the next one may still have signed it.
    """
    child = presented[at]
    if child.certificate is None or _signs_itself(child, checks):
        return []
    named = [other for other in others if other != at and names_issuer(child, presented[other])]
    keyed = [other for other in named if key_id_fits(child, presented[other]) is not False]
    found = [_link(presented, at, other, checks, name=True) for other in keyed or named]
    if not found and at + 1 < len(presented):
        found = [link for link in [_link(presented, at, at + 1, checks, name=False)] if link.signature == "good"]
    return sorted(found, key=lambda link: (_RANK[link.signature], link.key_id is False, abs(link.issuer - at - 1)))


def _link(presented: Sequence[Parsed], at: int, other: int, checks: Checks, *, name: bool) -> Link:
    child, issuer = presented[at], presented[other]
    return Link(at, other, name, key_id_fits(child, issuer), *checks.of(child, issuer))


def _signs_itself(parsed: Parsed, checks: Checks) -> bool:
    if not parsed.self_issued or parsed.certificate is None or key_id_fits(parsed, parsed) is False:
        return False
    return checks.of(parsed, parsed)[0] != "bad"


def _walk(links: dict[int, list[Link]]) -> list[int]:
    """From the first certificate from issuer to issuer, until there is none or a loop."""
    walk = [0]
    while walk[-1] in links and (at := links[walk[-1]][0].issuer) not in walk:
        walk.append(at)
    return walk


def _reached(links: dict[int, list[Link]]) -> set[int]:
    """Every certificate on any way up from the first."""
    reached, ahead = {0}, [0]
    while ahead:
        for link in links.get(ahead.pop(), ()):
            if link.issuer not in reached:
                reached.add(link.issuer)
                ahead.append(link.issuer)
    return reached


def _complete(
    presented: Sequence[Parsed], walk: list[int], reached: set[int], anchors: Sequence[Anchors], checks: Checks
) -> bool | None:
    if _signs_itself(presented[walk[-1]], checks):
        return True
    if not anchors:
        return None
    return any(store.find(presented[at]) or store.issuers(presented[at]) for store in anchors for at in reached)


def _problems(
    facts: ChainFacts, presented: Sequence[Parsed], walk: list[int], first: dict[bytes, int]
) -> Iterator[Problem]:
    if not presented:
        yield problem("no-certificates")
        return
    if facts.count > facts.read:
        yield problem("too-many-certificates", count=facts.count, bound=facts.read)
    if not facts.ordered:
        yield problem("wrong-order")
    for at in facts.duplicates:
        yield problem("duplicate-certificate", at, other=first[presented[at].der])
    for at in facts.extra:
        yield problem("extra-certificate", at)
    for at in facts.roots:
        yield problem("root-included", at)
    for link in facts.links:
        yield from _of_link(link, presented[link.issuer].subject)
    linked = {link.certificate for link in facts.links}
    if facts.complete is False and presented[walk[-1]].certificate is not None and walk[-1] not in linked:
        places = access(presented[walk[-1]], CA_ISSUERS)
        hint = f"; it is at {places[0]}" if places else ""
        yield problem("incomplete-chain", walk[-1], issuer=presented[walk[-1]].issuer, hint=hint)
    yield from _of_leaf(facts, presented)


def _of_link(link: Link, issuer: str) -> Iterator[Problem]:
    if link.signature == "bad":
        yield problem("link-signature", link.certificate, issuer=issuer, reason=link.reason)
    if link.signature == "unchecked":
        yield problem("link-unchecked", link.certificate, reason=link.reason)
    if link.key_id is False:
        yield problem("link-key-id", link.certificate, issuer=issuer)
    if not link.name:
        yield problem("link-name", link.certificate, issuer=issuer)


def _of_leaf(facts: ChainFacts, presented: Sequence[Parsed]) -> Iterator[Problem]:
    if is_authority(presented[0]):
        others = (at for at in range(1, len(presented)) if presented[at].certificate is not None)
        leaf = next((at for at in others if not is_authority(presented[at])), None)
        if leaf is not None:
            yield problem("leaf-not-first", 0, other=leaf)
            return
        yield problem("leaf-is-ca", 0)
    if facts.self_signed_leaf:
        yield problem("self-signed-leaf", 0)
