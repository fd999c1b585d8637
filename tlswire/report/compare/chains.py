"""What changed between the certificates of two results. Must not import anything of tlswire but ``report``, ``results``.

Certificates are paired by hash, then by the kind of their key: a server has one of each kind, and renews it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.results.diff import Change

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.report.compare.stored import Certificate, Chain
    from tlswire.results.diff import Direction


def chain_changes(old: Sequence[Chain], new: Sequence[Chain], *, whole: bool) -> Iterator[Change]:
    """The changes of chains; those that only one result has are a change when both are ``whole``."""
    before, after = ({chain.report.certificates[0].sha256: chain for chain in chains if chain.report.certificates}
                     for chains in (old, new))  # fmt: skip
    gone = [chain for sha256, chain in before.items() if sha256 not in after]
    come = [chain for sha256, chain in after.items() if sha256 not in before]
    for sha256, chain in before.items():
        if sha256 in after:
            yield from _same(chain, after[sha256])
    for chain in list(gone):
        like = [other for other in come if _leaf(other).key == _leaf(chain).key]
        if like:
            gone.remove(chain)
            come.remove(like[0])
            yield _renewed(_leaf(chain), _leaf(like[0]))
            yield from _trust(chain, like[0])
    direction: Direction = "neutral" if whole else "unknown"
    for chains, state in ((gone, "no longer shown"), (come, "shown now")):
        for leaf in map(_leaf, chains):
            text = f"{_named(leaf)} is {state}"
            yield Change(direction=direction, about="certificate", subject=_named(leaf), text=text)


def _leaf(chain: Chain) -> Certificate:
    return chain.report.certificates[0]


def _named(leaf: Certificate) -> str:
    return f"{leaf.key or 'unknown key'} certificate {leaf.subject or leaf.sha256}"


def _same(old: Chain, new: Chain) -> Iterator[Change]:
    yield from _trust(old, new)
    before, after = ([item.sha256 for item in chain.report.certificates] for chain in (old, new))
    if before != after:
        text = f"{_named(_leaf(new))} comes with other issuers ({len(after) - 1}, before {len(before) - 1})"
        yield Change(direction="neutral", about="certificate", subject=_named(_leaf(new)), text=text)


def _renewed(old: Certificate, new: Certificate) -> Change:
    said = [] if old.subject == new.subject else [f"subject was {old.subject}"]
    said += [] if old.issuer == new.issuer else [f"issuer {new.issuer}, was {old.issuer}"]
    word = "changed" if said else "renewed"
    direction: Direction = "neutral"
    if old.bits is not None and new.bits is not None and old.bits != new.bits:
        said.append(f"{new.bits} bits, was {old.bits}")
        direction = "regression" if new.bits < old.bits else "neutral"
    # RFC 3339 UTC: the order of the texts is that of the times.
    if old.not_after and new.not_after and new.not_after < old.not_after:
        said.append(f"expires sooner: {new.not_after}, was {old.not_after}")
        direction = "regression"
    else:
        said.append(f"expires {new.not_after}")
    return Change(
        direction=direction,
        about="certificate",
        subject=_named(new),
        text=f"{_named(new)} {word}: {'; '.join(said)}",
        old=old.sha256,
        new=new.sha256,
    )


def _trust(old: Chain, new: Chain) -> Iterator[Change]:
    lost, won = sorted({*old.trusted} - {*new.trusted}), sorted({*new.trusted} - {*old.trusted})
    subject = _named(_leaf(new))
    states = {"old": ", ".join(old.trusted) or None, "new": ", ".join(new.trusted) or None}
    if lost:
        text = f"{subject} is no longer trusted by {', '.join(lost)}"
        yield Change(direction="regression", about="certificate", subject=subject, text=text, **states)
    if won:
        text = f"{subject} is now trusted by {', '.join(won)}"
        yield Change(direction="improvement", about="certificate", subject=subject, text=text, **states)
