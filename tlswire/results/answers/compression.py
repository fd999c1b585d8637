"""The answer to ``compression``. Must not import anything of tlswire but ``results``; holds no logic."""

from __future__ import annotations

from typing import Literal

import msgspec

from tlswire.results.answers.base import QuestionAnswer
from tlswire.results.proof import Proof  # noqa: TC001 - msgspec reads the annotations

# To a hello that offers a method and not null, which every hello must: the method is chosen, null is, another one, no
# method at all (``answer`` says how), or nothing is known.
Reaction = Literal["chosen", "null", "other", "refused", "unknown"]


class Method(msgspec.Struct, frozen=True):
    """A compression method the server chose beside null."""

    code: str
    name: str
    proof: Proof


class VersionCompression(msgspec.Struct, frozen=True):
    """The methods of one version; ``unknown`` stayed without an answer."""

    version: str
    methods: list[Method]
    unknown: list[str]


class WithoutNull(msgspec.Struct, frozen=True):
    """What the server made of a hello that offers ``method`` alone; ``answer`` is its alert or ending."""

    version: str
    method: str
    reaction: Reaction
    answer: str
    proof: Proof


class Compression(QuestionAnswer, frozen=True, kw_only=True):
    """Compression of records, by version; TLS 1.3 has none."""

    versions: list[VersionCompression] = msgspec.field(default_factory=list)
    without_null: list[WithoutNull] = msgspec.field(default_factory=list)
