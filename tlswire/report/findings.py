"""Findings as a person reads them: one that several versions have is told once, with all of them.

Must not import anything of tlswire but ``results``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.results.scan import Finding


class Problem(msgspec.Struct, frozen=True):
    """Like findings of one or more versions. ``source`` names the CVEs, too; ``suites`` are all that are concerned."""

    category: str
    text: str
    source: str
    remedy: str | None
    versions: tuple[str, ...]
    suites: tuple[str, ...]
    question: str | None


def merged(findings: Iterable[Finding]) -> list[Problem]:
    """The problems in the order of the findings. Versions that the text names anyway are left out."""
    same: dict[tuple[str, str, str, str | None], list[Finding]] = {}
    for finding in findings:
        new = [cve for cve in finding.cve if cve not in finding.source]
        source = ", ".join(filter(None, (finding.source, *new)))
        same.setdefault((finding.category, finding.text, source, finding.remedy), []).append(finding)
    return [
        Problem(
            category=category,
            text=text,
            source=source,
            remedy=remedy,
            versions=tuple(sorted({one.version for one in like if one.version and one.version not in one.text})),
            suites=tuple(dict.fromkeys(suite for one in like for suite in one.suites)),
            question=next((one.question for one in like if one.question), None),
        )
        for (category, text, source, remedy), like in same.items()
    ]
