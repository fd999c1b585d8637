"""Bytes that prove lines of a result, found wherever a value holds them, under a bound for the whole page.

Must not import anything of tlswire but ``results``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.results.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PAGE = 8 << 20  # characters of all proofs of a page
MAX_PROOF = 1 << 14  # of one direction of one proof
MAX_ANSWER = 96  # proofs of one answer
# The fields that say what a value is about.
_LABELS = (
    *("version", "of", "offered_in", "change", "way", "flight", "topic", "title", "kind", "name", "group", "method"),
    "subject",
)


class Evidence(msgspec.Struct, frozen=True):
    """One proof as it is shown: ``cut`` characters of it were left off."""

    label: str
    sent: str
    received: str
    cut: int


class Room:
    """What evidence may still take of a page; ``left_off`` counts the proofs that found no room."""

    def __init__(self, size: int = MAX_PAGE) -> None:
        self._left = size
        self.left_off = 0

    def evidence(self, label: str, proof: Proof) -> Evidence | None:
        """``proof`` as it is shown; None where the page is full."""
        sent, received = proof.sent[:MAX_PROOF], proof.received[:MAX_PROOF]
        size = len(sent) + len(received)
        if size > self._left:
            self.left_off += 1
            return None
        self._left -= size
        return Evidence(label, sent, received, len(proof.sent) + len(proof.received) - size)

    def all_of(self, value: Any) -> list[Evidence]:
        """Every proof inside an answer, or a list of values, each called by what it stands beside."""
        found: list[Evidence] = []
        for label, proof in _proofs(value, ()):
            if len(found) >= MAX_ANSWER:
                self.left_off += 1
            elif (one := self.evidence(label, proof)) is not None:
                found.append(one)
        return found


def _proofs(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Proof]]:
    if isinstance(value, (list, tuple)):
        for member in value:
            yield from _proofs(member, path)
    elif isinstance(value, msgspec.Struct):
        words = (getattr(value, field, None) for field in _LABELS)
        path += tuple(word for word in words if isinstance(word, str) and word and word not in path)
        for field in value.__struct_fields__:
            member = getattr(value, field)
            if isinstance(member, Proof):
                yield ", ".join(path) or field, member
            else:
                # A field that holds one value says what it is: secure, early_data.
                yield from _proofs(member, (*path, field) if isinstance(member, msgspec.Struct) else path)
