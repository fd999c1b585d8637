"""Everything wrong with one path from a leaf to its end (RFC 5280 section 6.1), for a TLS server.

RFC 5280 judges what stands below the anchor; clients judge the anchor's validity, constraints and key, too, and so is
done here. Policies are not processed: a CA that demands them is told. Must not import anything of tlswire but
``certificates``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.certificates.chain import names_issuer
from tlswire.certificates.constraints import name_constraint_problems
from tlswire.certificates.details import details_of
from tlswire.certificates.problems import Problem, problem
from tlswire.certificates.readings import (
    POLICY_CONSTRAINTS,
    extended_key_usage,
    is_authority,
    key_usage,
    path_length,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.certificates.parsed import Parsed
    from tlswire.certificates.signatures import Checks

# Problems of a certificate that break a path it is on; of an anchor only those of its key do.
_OF_KEYS = {
    "weak-rsa-key",
    "rsa-small-factor",
    "rsa-close-primes",
    "rsa-roca",
    "rsa-exponent",
    "weak-dsa-key",
    "weak-ec-key",
}
_BREAKING = _OF_KEYS | {
    "weak-hash",
    "critical-extension",
    "duplicate-extension",
    "too-many-extensions",
    "unreadable-extension",
    "unreadable-field",
    "unknown-key",
    "unknown-curve",
    "unreadable-key",
    "algorithm-mismatch",
    "precertificate",
    "trailing-data",
    "explicit-curve",
}
_SERVER = {"serverAuth", "anyExtendedKeyUsage"}
_TLS_USES = {"digital_signature", "key_encipherment", "key_agreement"}


def path_problems(path: Sequence[Parsed], *, anchored: bool, now: str, checks: Checks) -> list[Problem]:
    """What is wrong with a path, leaf first; ``anchored``: the last is an anchor. ``now`` is RFC 3339 UTC."""
    found: list[Problem] = []
    last = len(path) - 1
    for at, parsed in enumerate(path):
        found += _of_time(parsed, at, now)
        breaking = _OF_KEYS if anchored and at == last else _BREAKING
        found += [msgspec.structs.replace(item, at=at) for item in details_of(parsed).problems if item.id in breaking]
        if at < last:
            found += _of_link(parsed, path[at + 1], at, checks)
        if at:
            found += _of_authority(path, at, anchored=anchored and at == last)
    found += _of_leaf(path[0])
    found += name_constraint_problems(path)
    return found if anchored else [*found, *_of_end(path)]


def _of_time(parsed: Parsed, at: int, now: str) -> Iterator[Problem]:
    start, end = parsed.facts.not_before, parsed.facts.not_after
    if start is not None and now < start:
        yield problem("not-yet-valid", at, subject=parsed.subject, time=start)
    if end is not None and now > end:
        yield problem("expired", at, subject=parsed.subject, time=end)


def _of_link(child: Parsed, issuer: Parsed, at: int, checks: Checks) -> Iterator[Problem]:
    signature, reason = checks.of(child, issuer)
    if signature == "bad":
        yield problem("signature-bad", at, subject=child.subject, issuer=issuer.subject, reason=reason)
    if signature == "unchecked":
        yield problem("signature-unchecked", at, subject=child.subject, reason=reason)
    if not names_issuer(child, issuer):
        yield problem("name-chaining", at, subject=child.subject, issuer=issuer.subject)
    elif child.layout and issuer.layout and child.layout.issuer != issuer.layout.subject:
        yield problem("name-encoding", at, subject=child.subject)


def _of_authority(path: Sequence[Parsed], at: int, *, anchored: bool) -> Iterator[Problem]:
    """RFC 5280 section 6.1.4 (k) to (n), and purposes as nested ones (CA/B Forum TLS BR 7.1.2.10.6)."""
    parsed = path[at]
    # A version 1 certificate can say nothing of the kind; as an anchor it need not.
    if not is_authority(parsed) and not (anchored and parsed.layout and not parsed.layout.version):
        yield problem("not-a-ca", at, subject=parsed.subject)
    allowed = path_length(parsed)
    below = sum(not other.self_issued for other in path[1:at])
    if allowed is not None and below > allowed:
        yield problem("path-length", at, subject=parsed.subject, allowed=allowed, count=below)
    usage = key_usage(parsed)
    if usage is not None and "key_cert_sign" not in usage:
        yield problem("cannot-sign", at, subject=parsed.subject)
    if not anchored:
        yield from _of_purpose(parsed, at)
    policies = parsed.extension(POLICY_CONSTRAINTS)
    if policies is not None and policies.require_explicit_policy is not None:
        yield problem("policy-unchecked", at, subject=parsed.subject)


def _of_purpose(parsed: Parsed, at: int) -> Iterator[Problem]:
    purposes = extended_key_usage(parsed)
    if purposes is not None and _SERVER.isdisjoint(purposes):
        yield problem("purpose", at, subject=parsed.subject, purposes=", ".join(purposes))


def _of_leaf(leaf: Parsed) -> Iterator[Problem]:
    """RFC 5280 sections 4.2.1.3 and 4.2.1.12, RFC 9846 section 4.5.1.2."""
    yield from _of_purpose(leaf, 0)
    usage = key_usage(leaf)
    if usage is not None and _TLS_USES.isdisjoint(usage):
        yield problem("key-purpose", 0, subject=leaf.subject, purposes=", ".join(usage) or "nothing")


def _of_end(path: Sequence[Parsed]) -> Iterator[Problem]:
    end, at = path[-1], len(path) - 1
    if not end.self_issued:
        yield problem("unknown-issuer", at, subject=end.subject, issuer=end.issuer)
    else:
        yield problem("untrusted-root" if at else "self-signed", at, subject=end.subject)
