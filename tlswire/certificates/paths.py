"""Paths from a presented certificate to anchors: found among everything presented, judged, and the best one told.

Several paths exist where CAs are cross-signed; a valid one is preferred, then one to an anchor, then the one with the
fewest faults (RFC 4158 section 2.4). The search is bounded, and says when it was cut. Must not import anything of
tlswire but ``certificates``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.certificates.chain import key_id_fits, names_issuer
from tlswire.certificates.details import details_of
from tlswire.certificates.model import PathVerdict, Step
from tlswire.certificates.problems import Problem, problem
from tlswire.certificates.rules import path_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.certificates.parsed import Parsed
    from tlswire.certificates.signatures import Checks
    from tlswire.certificates.stores import Anchors

MAX_DEPTH = 16
MAX_STEPS = 256
MAX_PATHS = 16
_FAILING = {"fault", "weak"}


class _Node(msgspec.Struct, frozen=True):
    """One certificate of a path; ``anchor``: the path ends here."""

    parsed: Parsed
    presented: int | None
    anchor: bool


class _Search:
    """A depth-first search from the first presented certificate; ``cut`` when a bound ended it."""

    def __init__(self, presented: Sequence[Parsed], anchors: Anchors, now: str, checks: Checks) -> None:
        self.presented = presented
        self.anchors = anchors
        self.now = now
        self.checks = checks
        self.steps = 0
        self.cut = False

    def paths(self) -> Iterator[tuple[_Node, ...]]:
        """Paths that end in an anchor or lead no further, the likeliest first."""
        ahead: list[tuple[_Node, ...]] = [(self._node(0, self.presented[0]),)]
        while ahead:
            path = ahead.pop()
            self.steps += 1
            if self.steps > MAX_STEPS:
                self.cut = True
                return
            onward = [] if path[-1].anchor or len(path) > MAX_DEPTH else self._issuers(path)
            if onward:
                ahead += [(*path, node) for node in reversed(onward)]
            else:
                yield path

    def _node(self, at: int | None, parsed: Parsed) -> _Node:
        anchor = self.anchors.find(parsed)
        return _Node(parsed, at, anchor=anchor is not None)

    def _issuers(self, path: tuple[_Node, ...]) -> list[_Node]:
        """Who may have issued the last certificate of a path, the likeliest first.

        Those whose key did not are left out while there are others, or when it signed itself. Where none has the name
        that is wanted, the next one presented may still have signed. Nobody, when the way leads in a circle.
        """
        child = path[-1].parsed
        if child.certificate is None:
            return []
        found = [_Node(parsed, None, anchor=True) for parsed in self.anchors.issuers(child)]
        for at, parsed in reversed(list(enumerate(self.presented))):
            if parsed.certificate is not None and parsed is not child and names_issuer(child, parsed):
                found.append(self._node(at, parsed))
        # What is presented and an anchor, or presented twice, counts where it was presented first.
        unique = {node.parsed.der: node for node in found or self._unnamed(path)}
        ranked = sorted(unique.values(), key=lambda node: self._rank(child, node))
        signed = [node for node in ranked if self.checks.of(child, node.parsed)[0] != "bad"]
        if not signed and not (child.self_issued and self.checks.of(child, child)[0] == "good"):
            signed = ranked[:1]
        return [node for node in signed if not any(_same(node.parsed, other.parsed) for other in path)]

    def _unnamed(self, path: tuple[_Node, ...]) -> list[_Node]:
        child, at = path[-1].parsed, path[-1].presented
        if at is None or at + 1 >= len(self.presented):
            return []
        following = self.presented[at + 1]
        fits = following.certificate is not None and self.checks.of(child, following)[0] == "good"
        return [self._node(at + 1, following)] if fits else []

    def _rank(self, child: Parsed, node: _Node) -> tuple[bool, bool, bool, bool, bool, int]:
        """RFC 4158 section 3.5: what makes an issuer likely, the smallest first."""
        facts = node.parsed.facts
        current = (facts.not_before or "") <= self.now <= (facts.not_after or "")
        signature = self.checks.of(child, node.parsed)[0]
        return (
            signature == "bad",
            signature == "unchecked",
            key_id_fits(child, node.parsed) is False,
            not current,
            not node.anchor,
            node.presented or 0,
        )


def best_path(presented: Sequence[Parsed], anchors: Anchors, now: str, checks: Checks) -> PathVerdict:
    """The best path from the first of ``presented`` to ``anchors`` at ``now`` (RFC 3339 UTC), with all its faults."""
    search = _Search(presented, anchors, now, checks)
    found: list[_Judged] = []
    for path in search.paths():
        found.append(_judged(path, search))
        if found[-1].valid:
            break
        if len(found) == MAX_PATHS:
            search.cut = True
            break
    best = min(found, key=lambda item: item.score)
    return PathVerdict(
        store=anchors.name,
        anchors=len(anchors),
        valid=best.valid,
        path=tuple(map(_step, best.path)),
        problems=(*best.problems, *((problem("search-bounded"),) if search.cut else ())),
        paths=len(found),
    )


class _Judged(msgspec.Struct, frozen=True):
    """A path and what is wrong with it; the smallest ``score`` is the best."""

    path: tuple[_Node, ...]
    problems: list[Problem]

    @property
    def valid(self) -> bool:
        return self.score[:2] == (False, 0)

    @property
    def score(self) -> tuple[bool, int, int]:
        failing = sum(item.category in _FAILING for item in self.problems)
        return not self.path[-1].anchor, failing, len(self.path)


def _judged(path: tuple[_Node, ...], search: _Search) -> _Judged:
    certificates = [node.parsed for node in path]
    found = path_problems(certificates, anchored=path[-1].anchor, now=search.now, checks=search.checks)
    if len(path) > MAX_DEPTH and not path[-1].anchor:
        found.append(problem("path-too-long", bound=MAX_DEPTH))
    return _Judged(path, found)


def _step(node: _Node) -> Step:
    details = details_of(node.parsed)
    return Step(
        details.sha256,
        node.parsed.subject,
        node.presented,
        node.anchor,
        details.not_before,
        details.not_after,
        details.key,
        details.bits,
        details.signature_hash,
    )


def _same(one: Parsed, other: Parsed) -> bool:
    """Whether a path that has one has gone in a circle with the other: name and key are the same (RFC 4158 3.5.1)."""
    if one.layout is None or other.layout is None:
        return one is other
    return (one.layout.subject, one.layout.spki) == (other.layout.subject, other.layout.spki)
