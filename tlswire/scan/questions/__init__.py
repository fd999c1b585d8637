"""DOOR: the questions of a scan beside its suites. One file each here, under its own name, and one row below.

A question's file has ``async def ask(server: Server) -> ItsAnswer`` and, where something is to be said of the answer,
``def findings(answer: ItsAnswer) -> Iterator[Finding]``. Its answer is a model of ``results.answers``, its lines for a
person a function of ``report.answers``, both under the same name. This module imports none of them: ``--questions``
loads what it asks.
"""

from __future__ import annotations

import msgspec


class Question(msgspec.Struct, frozen=True):
    """One question: its name, what it asks in one line, the sets it belongs to, and the most connections it makes.

    ``needs`` are questions whose answers it looks at; they are asked before, and asked when it is.
    """

    name: str
    title: str
    sets: tuple[str, ...] = ("all",)
    most: int = 0
    needs: tuple[str, ...] = ()


_DEFAULT = ("default", "all")

_ROWS: tuple[Question, ...] = (
    Question("certificates", "every chain the server can be made to show, described and validated", _DEFAULT, most=24),
    Question("groups", "every registered group by itself, and the server's order", _DEFAULT, most=200),
    Question("signatures", "every signature scheme the server signs with, and the server's order", _DEFAULT, most=120),
    Question(
        "clientauth", "whether clients are asked for a certificate, of whom, and must have one", _DEFAULT, most=11
    ),
    Question("names", "which certificate or alert each kind of server name gets", _DEFAULT, most=10),
    Question("extensions", "what it answers to every registered extension and protocol", _DEFAULT, most=400),
    Question("resumption", "how sessions are resumed, and whether changes that must stop it do", _DEFAULT, most=60),
)

QUESTIONS: dict[str, Question] = {row.name: row for row in _ROWS}
