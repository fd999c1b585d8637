"""What is known of one version while it is being enumerated: accepted, rejected, unknown, and how it was learnt.

A value store without I/O. Must not import ``probe.transport`` or the enumeration itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.probe.exchange import FAULT, STALLED, UNASKED, UNSETTLED, Answer
from tlswire.registry import VERSIONS

if TYPE_CHECKING:
    from tlswire.scan.offers import Probe


UNRECOGNIZED_NAME = 112


class Accepted(msgspec.Struct, frozen=True):
    """A suite taken when offered alone: the hello that proved it and the answer (``retry`` or ``hello``)."""

    suite: int
    probe: Probe
    answer: Answer


class Choice(msgspec.Struct, frozen=True):
    """What the server picked from a list, in the order it was offered."""

    offered: tuple[int, ...]
    picked: int


def says_nothing(answer: Answer) -> bool:
    """Whether an answer leaves the suites of its hello unknown: it cannot be read, breaks off, changes from one try to
    the next, or is about the server name (RFC 6066 section 3: unrecognized_name).
    """
    unnamed = answer.alert is not None and answer.alert.description == UNRECOGNIZED_NAME
    return unnamed or answer.kind in {UNSETTLED, FAULT, STALLED}


class Tally:
    """The state of one version; ``open`` suites are not settled yet."""

    def __init__(self, version: int, candidates: tuple[int, ...]) -> None:
        self.version = version
        self.candidates = candidates
        self.accepted: dict[int, Accepted] = {}
        self.rejected: dict[int, str] = {}
        self.unknown: dict[int, str] = {}
        self.choices: list[Choice] = []
        self.preference = ""
        self.order: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The version's name."""
        return VERSIONS[self.version].name

    @property
    def open(self) -> tuple[int, ...]:
        """Suites that no answer has settled yet, in candidate order."""
        return tuple(
            code
            for code in self.candidates
            if code not in self.accepted and code not in self.rejected and code not in self.unknown
        )

    def picked(self, answer: Answer, offered: tuple[int, ...]) -> int | None:
        """The suite of ``offered`` that the answer selects at exactly this version, else None."""
        if answer.sslv2 is not None:
            return next((kind for kind in answer.sslv2.kinds if kind in offered), None)
        hello = answer.hello
        if hello is None or hello.version != self.version or hello.suite not in offered:
            return None
        return hello.suite

    def refusal(self, answer: Answer) -> str:
        """Why the answer is no acceptance, in a few words: the label of the alert or ending, or what came instead."""
        hello = answer.hello
        if hello is None:
            return "no cipher kind in common" if answer.sslv2 is not None else answer.label
        if hello.version != self.version:
            return f"answers {VERSIONS[hello.version].name}"
        return "answers another suite"

    def settle(self, suite: int, probe: Probe, answer: Answer) -> None:
        """Record the answer to a hello that offered ``suite`` alone; one that was never sent leaves it open."""
        if answer.kind == UNASKED:
            return
        if self.picked(answer, (suite,)) is not None:
            self.accepted[suite] = Accepted(suite, probe, answer)
            self.rejected.pop(suite, None)
        elif says_nothing(answer):
            self.unknown[suite] = answer.reason
        else:
            self.rejected[suite] = self.refusal(answer)

    def settle_all(self, suites: tuple[int, ...], answer: Answer) -> None:
        """Record that a hello offering all of ``suites`` was refused or stayed without an answer."""
        if answer.kind == UNASKED:
            return
        if says_nothing(answer):
            self.unknown.update(dict.fromkeys(suites, answer.reason))
        else:
            self.rejected.update(dict.fromkeys(suites, self.refusal(answer)))
