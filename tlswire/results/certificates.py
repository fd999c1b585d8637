"""Certificates and chains in results: the values of ``certificates.model``, which are made where they are known.

Must not import anything of tlswire but ``certificates.facts``, ``certificates.model`` and ``certificates.problems``;
holds no logic.
"""

from __future__ import annotations

from tlswire.certificates.facts import CertificateFacts
from tlswire.certificates.model import (
    AlternativeName,
    CertificateDetails,
    CertificateExtension,
    ChainFacts,
    ChainReport,
    HostMatch,
    Link,
    NameConstraints,
    PathVerdict,
    Sct,
    Staple,
    Step,
)
from tlswire.certificates.problems import Problem

__all__ = [
    "AlternativeName",
    "CertificateDetails",
    "CertificateExtension",
    "CertificateFacts",
    "ChainFacts",
    "ChainReport",
    "HostMatch",
    "Link",
    "NameConstraints",
    "PathVerdict",
    "Problem",
    "Sct",
    "Staple",
    "Step",
]
