"""What every answer has. Must not import anything of tlswire."""

from __future__ import annotations

from typing import Literal

import msgspec

# incomplete: something stayed unknown. not-applicable: the server has nothing this could be asked of (``notes`` say why).
State = Literal["complete", "incomplete", "not-applicable"]


class QuestionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers: ``connections`` were made for it, in ``elapsed_s`` seconds, beside what others had asked."""

    state: State = "complete"
    connections: int = 0
    elapsed_s: float = 0.0
    notes: list[str] = []
