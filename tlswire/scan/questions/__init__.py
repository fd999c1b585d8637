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

    ``needs`` are questions whose answers it looks at; they are asked before, and asked when it is. One that is ``last``
    waits for all that are neither last nor in need of others: it looks at everything they heard. ``sends`` is told
    before it is asked, where what it sends looks like an attack.
    """

    name: str
    title: str
    sets: tuple[str, ...] = ("all",)
    most: int = 0
    needs: tuple[str, ...] = ()
    last: bool = False
    sends: str = ""


_DEFAULT = ("default", "all")
_ATTACKS = ("attacks",)

_ROWS: tuple[Question, ...] = (
    Question("certificates", "every chain the server can be made to show, described and validated", _DEFAULT, most=24),
    Question("groups", "every registered group by itself, and the server's order", _DEFAULT, most=200),
    Question("signatures", "every signature scheme the server signs with, and the server's order", _DEFAULT, most=120),
    Question(
        "clientauth", "whether clients are asked for a certificate, of whom, and must have one", _DEFAULT, most=11
    ),
    Question("names", "which certificate or alert each kind of server name gets", _DEFAULT, most=10),
    Question("tolerance", "hellos that are long, split, greased or from the future, and what breaks on them", most=100),
    Question("extensions", "what it answers to every registered extension and protocol", _DEFAULT, most=400),
    Question("resumption", "how sessions are resumed, and whether changes that must stop it do", _DEFAULT, most=60),
    Question("renegotiation", "another handshake under the keys of one: secure, insecure, refused", _DEFAULT, most=8),
    Question("compression", "DEFLATE and LZS, beside no compression and instead of it", _DEFAULT, most=16),
    Question("fallback", "the suite that signals a fallback, and the downgrade marks in randoms", _DEFAULT, most=4),
    Question(
        "ephemeral", "Diffie-Hellman parameters, keys used twice, randoms, session ids", _DEFAULT, most=36, last=True
    ),
    Question(
        "exposure",
        "which known attacks what is accepted opens the door to; asks nothing itself",
        _DEFAULT,
        needs=("signatures", "renegotiation", "compression", "fallback", "ephemeral"),
    ),
    # Opt-in: a patched server refuses or ignores what they send, and nothing they get back is kept or shown.
    Question(
        "heartbleed",
        "whether heartbeats that lie about their length give away memory",
        _ATTACKS,
        most=4,
        sends="one heartbeat that asks for 16 bytes more than it has, and an honest one, after a handshake",
    ),
    Question(
        "ccs",
        "whether a ChangeCipherSpec is taken before there are keys",
        _ATTACKS,
        most=12,
        sends="a ChangeCipherSpec in place of the ClientKeyExchange, with a record behind it, in up to 3 handshakes",
    ),
    Question(
        "robot",
        "whether badly padded blocks of RSA are told from good ones",
        _ATTACKS,
        most=60,
        sends="5 blocks of RSA, 4 of them malformed, in 5 to 30 handshakes that are not completed",
    ),
    Question(
        "ticketbleed",
        "whether session ids of one byte are filled up with memory",
        _ATTACKS,
        most=8,
        sends="a session ticket with a session id of one byte, in up to 3 hellos",
    ),
    Question(
        "padding",
        "whether malformed records of CBC are told apart",
        _ATTACKS,
        most=400,
        sends="7 malformed records for each kind of CBC suite in each version, each after a handshake of its own",
    ),
)

QUESTIONS: dict[str, Question] = {row.name: row for row in _ROWS}
