"""Chains as subjects: the chain as a whole, and each certificate of the path a client would take.

Trust is told apart from what has rules of its own (time, keys, hashes, purposes), so that a rule that is broken is named
and no other. Sources: RFC 5280 section 6, RFC 5246 section 7.4.2. Must not import anything of tlswire but ``results``,
``certificates`` and, of policy, ``facts``.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

from tlswire.policy.facts import KINDS, Subject

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tlswire.policy.terms import Value
    from tlswire.results.certificates import CertificateDetails, ChainReport, PathVerdict
    from tlswire.results.proof import Proof

# public: an anchor of a public list; given: one the user gave, as an enrollment profile would; private: none of those.
Anchor = Literal["public", "given", "private"]
# Problems of a path that rules of their own are about.
_OTHER_RULES = frozenset(
    {"expired", "not-yet-valid", "weak-hash", "weak-rsa-key", "weak-ec-key", "weak-dsa-key", "purpose"}
)
# Those that only say that nobody known vouches for the chain.
_NOBODY = frozenset({"unknown-issuer", "untrusted-root", "self-signed"})
_FAILING = frozenset({"fault", "weak"})
SERVER_AUTH, ANY_PURPOSE = "serverAuth", "anyExtendedKeyUsage"
_DAY = 86_400


def chain_subjects(
    report: ChainReport,
    given: Collection[str],
    *,
    offer: str = "client",
    node: str = "",
    proof: Proof | None = None,
) -> Iterator[Subject]:
    """The chain of ``report`` and the certificates of its best path; ``given`` are the names of the user's own stores."""
    best = best_verdict(report, given)
    anchor = _anchor(best, given)
    yield _chain(report, best, anchor, given, offer=offer, node=node, proof=proof)
    for position, details, pinned in _path(report, best):
        yield _certificate(details, position, anchor, report, pinned=pinned, node=node, proof=proof)


def best_verdict(report: ChainReport, given: Collection[str]) -> PathVerdict | None:
    """The verdict that counts: one that leads to an anchor, the user's own before others."""
    return min(
        report.verdicts,
        key=lambda verdict: (bool(_faults(verdict)), verdict.store not in given, len(verdict.problems)),
        default=None,
    )


def issuer_of(report: ChainReport, given: Collection[str]) -> CertificateDetails | None:
    """Who issued the leaf on its best path, where the server showed that certificate."""
    best = best_verdict(report, given)
    step = best.path[1] if best is not None and len(best.path) > 1 else None
    return None if step is None or step.presented is None else report.certificates[step.presented]


def _faults(verdict: PathVerdict) -> list[str]:
    """The problems that make a path none, whatever its time, keys, hashes and purposes."""
    return [item.id for item in verdict.problems if item.category in _FAILING and item.id not in _OTHER_RULES]


def _anchor(best: PathVerdict | None, given: Collection[str]) -> Anchor:
    if best is None or not any(step.anchor for step in best.path):
        return "given" if given else "private"
    return "given" if best.store in given else "public"


def _trusted(report: ChainReport, best: PathVerdict | None, given: Collection[str]) -> tuple[bool | None, str]:
    """Whether the chain leads to an anchor, and why not or why that is not known."""
    if best is None:
        return None, "no certificate was shown"
    faults = [item for item in best.problems if item.id in _faults(best)]
    text = "; ".join(dict.fromkeys(item.text for item in faults))
    if not faults:
        return True, ""
    if any(item.id not in _NOBODY for item in faults):
        return False, text
    missing = next((item for item in report.chain.problems if item.id == "incomplete-chain"), None)
    if missing is not None and _fetched(report, missing.at):
        return None, f"{missing.text}: clients that fetch it may trust it, others do not"
    if given:
        return False, text
    return None, f"{text}: a private CA? Give --anchor with what devices get as anchor in their enrollment profile"


def _fetched(report: ChainReport, at: int | None) -> bool:
    """Whether a certificate says where its issuer is to be had (RFC 5280 section 4.2.2.1)."""
    return at is not None and at < len(report.certificates) and bool(report.certificates[at].ca_issuers)


def _chain(
    report: ChainReport,
    best: PathVerdict | None,
    anchor: Anchor,
    given: Collection[str],
    *,
    offer: str,
    node: str,
    proof: Proof | None,
) -> Subject:
    trusted, why = _trusted(report, best, given)
    matched = report.host
    # Of a private CA that is not known here nobody can tell its root from an intermediate that is missing.
    complete = None if trusted is None and not given and not report.chain.complete else report.chain.complete
    if best is not None and trusted:
        complete = all(step.presented is not None or step.anchor for step in best.path)
    missing = "; ".join(item.text for item in report.chain.problems if item.id == "incomplete-chain")
    return Subject(
        "chain",
        f"chain of {_name(report.certificates[0]) if report.certificates else 'nothing'}",
        {
            "offer": offer,
            "anchor": anchor,
            "trusted": trusted,
            "complete": complete,
            "ordered": report.chain.ordered,
            "matches": None if matched is None else matched.ok,
            "common_name_only": None if matched is None else matched.common_name,
            "length": report.chain.count,
            "scts": len(report.scts),
            "stapled": report.staple is not None,
            "revoked": None if report.staple is None else report.staple.certificate == "revoked",
        },
        node=node,
        notes={
            key: text
            for key, text in (
                ("trusted", why),
                ("matches", matched.reason if matched is not None else ""),
                ("complete", missing),
            )
            if text
        },
        proof=proof,
    )


def _path(report: ChainReport, best: PathVerdict | None) -> Iterator[tuple[str, CertificateDetails, bool]]:
    """The certificates of the path that were presented, each with its position (leaf, issuer or anchor) and whether it
    is itself trusted.
    """
    for at, step in enumerate(() if best is None else best.path):
        if step.presented is None:
            continue
        details = report.certificates[step.presented]
        root = step.anchor or bool(details.signs_itself)
        yield "leaf" if at == 0 else "anchor" if root else "issuer", details, step.anchor


def _name(details: CertificateDetails) -> str:
    return details.subject or next(iter(details.names), "") or f"certificate {details.sha256[:16]}"


def _certificate(
    details: CertificateDetails,
    position: str,
    anchor: Anchor,
    report: ChainReport,
    *,
    pinned: bool,
    node: str = "",
    proof: Proof | None = None,
) -> Subject:
    purposes = details.extended_key_usage
    begins, ends = details.not_before, details.not_after
    known = begins is not None and ends is not None
    values: dict[str, Value | None] = {
        "position": position,
        "anchor": anchor,
        "pinned": pinned,
        "key_family": details.key_family,
        "curve": details.curve or "",
        "bits": details.bits,
        "exponent": details.exponent,
        "signature_family": details.signature_family,
        "signature_hash": details.signature_hash,
        "signature_schemes": tuple(int(code, 16) for code in details.signature_schemes),
        "not_before": begins,
        "not_after": ends,
        "validity_days": details.validity_days,
        "valid_now": begins <= report.now <= ends if begins is not None and ends is not None else None,
        "remaining_days": round(_days(report.now, ends), 2) if known and ends is not None else None,
        "alternative_names": any(name.kind in {"dns", "ip"} for name in details.alternative_names),
        "eku_present": purposes is not None,
        "server_auth": purposes is not None and SERVER_AUTH in purposes,
        "any_purpose": purposes is not None and ANY_PURPOSE in purposes,
        "authority": details.authority,
        "self_signed": details.signs_itself,
        "embedded_scts": sum(sct.origin == "certificate" for sct in details.scts),
        "must_staple": details.must_staple,
    }
    if details.error is not None:
        values = {"position": position, "anchor": anchor}
    return Subject(
        "certificate",
        f"{position} {_name(details)}",
        values,
        node=node,
        notes={} if details.error is None else dict.fromkeys(KINDS["certificate"], details.error),
        proof=proof,
    )


def _days(start: str, end: str) -> float:
    return (dt.datetime.fromisoformat(end) - dt.datetime.fromisoformat(start)).total_seconds() / _DAY
