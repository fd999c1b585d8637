"""DOOR: the catalogue, one row a case, one module a group; a new case is a row, a new group a module and a row here.

Ids are unique and stay what they are: findings, fingerprints and comparisons name cases by them.
Must not import anything of tlswire but ``errors``, ``fuzz``, ``hello``, ``wire`` and ``registry``.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from tlswire.errors import UsageError
from tlswire.fuzz.cases import (
    alpn,
    around,
    baseline,
    body,
    ech,
    extensions,
    fallback,
    foreign,
    groups,
    handshake,
    psk,
    record,
    renegotiation,
    resumption,
    retries,
    shares,
    sigalgs,
    sizes,
    sni,
    versions,
)

if TYPE_CHECKING:
    from tlswire.fuzz.model import Case

CASES: tuple[Case, ...] = (
    *baseline.CASES,
    *record.CASES,
    *around.CASES,
    *handshake.CASES,
    *body.CASES,
    *fallback.CASES,
    *versions.CASES,
    *sizes.CASES,
    *foreign.CASES,
    *extensions.CASES,
    *sni.CASES,
    *alpn.CASES,
    *groups.CASES,
    *sigalgs.CASES,
    *shares.CASES,
    *psk.CASES,
    *retries.CASES,
    *resumption.CASES,
    *ech.CASES,
    *renegotiation.CASES,
)


def chosen(patterns: tuple[str, ...]) -> tuple[Case, ...]:
    """The cases whose id, name or group one of the shell patterns matches; all without patterns. Raises UsageError."""
    if not patterns:
        return CASES
    for pattern in patterns:
        if not any(_matches(case, pattern) for case in CASES):
            raise UsageError(ascii(pattern), "matches no case; tlswire fuzz --list shows them")
    return tuple(case for case in CASES if any(_matches(case, pattern) for pattern in patterns))


def case_of(name: str) -> Case:
    """The case with this id or name. Raises UsageError."""
    for case in CASES:
        if name in {case.id, case.name}:
            return case
    raise UsageError(ascii(name), "no such case; tlswire fuzz --list shows them")


def _matches(case: Case, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for text in (case.id, case.name, case.group))
