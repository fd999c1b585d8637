"""``scan --policy``: the policies a user named, and what they say of a scan.

What they take loads with the first policy. Must not hold logic of policies or scans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tlswire.policy.model import Policy
    from tlswire.results.scan import Scan
    from tlswire.results.verdict import Verdict


class Judges:
    """The policies of ``texts``, names or files; ``anchors`` are the user's own stores, ``verdict_file`` is where
    verdicts are to go. Raises UsageError.
    """

    def __init__(
        self, texts: Sequence[str] = (), anchors: Sequence[Path] = (), verdict_file: str | None = None
    ) -> None:
        self._policies: list[Policy] = []
        self._given = [str(path) for path in anchors]
        self.questions: tuple[str, ...] = ()
        if texts:
            from tlswire.check.survey import questions_for  # noqa: PLC0415 - only scans with a policy need them
            from tlswire.policy.shipped import policy_of  # noqa: PLC0415 - as above

            self._policies = [policy_of(text) for text in texts]
            self.questions = questions_for(self._policies)
        elif verdict_file is not None:
            raise UsageError("--verdict-jsonl", "needs --policy")

    def verdicts(self, scan: Scan) -> Iterator[Verdict]:
        """What each policy says of ``scan``."""
        if self._policies:
            from tlswire.check.survey import judged  # noqa: PLC0415 - as above

            yield from (judged(policy, scan, self._given) for policy in self._policies)


def told(verdict: Verdict, *, colour: bool, verbose: bool) -> str:
    """A verdict for the terminal."""
    from tlswire.report import verdict as verdict_report  # noqa: PLC0415 - as above

    return verdict_report.render(verdict, colour=colour, verbose=verbose)
