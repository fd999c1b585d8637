"""Before a server is judged: is it there, what can it do, does it serve one client at a time, what does it resume?

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.fuzz.cases.tickets import retried
from tlswire.fuzz.features import FEATURES
from tlswire.fuzz.model import DEAD, FLIGHT, HANG, NOT_TLS, RETRY
from tlswire.fuzz.resumed import resumption, taken
from tlswire.fuzz.script import GROUPS, TLS12, TLS13, X25519MLKEM768, Ground, Script
from tlswire.handshake.client import Client
from tlswire.handshake.offer import offer
from tlswire.handshake.renegotiation import Renegotiating

if TYPE_CHECKING:
    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.line import Line
    from tlswire.wire.messages import ClientHello

# Seconds a serial server is given to leave one client for another.
_IDLE = 0.6
_ANSWERED = frozenset({FLIGHT, RETRY})
# What else to begin with where the usual hello is refused, and how that is told.
_GROUNDS: dict[str, dict[str, Any]] = {
    "all hellos are without ALPN: the server does not answer them otherwise": {"protocols": ()},
    "all hellos offer X25519MLKEM768, too: the server does not answer them otherwise": {
        "groups": (X25519MLKEM768, *GROUPS)
    },
}


class Known(msgspec.Struct, frozen=True):
    """What is known of a server: ``control`` is a script that it answers by a flight (None: there is none).

    ``error`` says why it cannot be fuzzed; ``there`` whether anything answered; ``serial`` whether it serves one client
    at a time; ``note`` says what is left out of all hellos for it.
    """

    features: frozenset[str]
    control: Script | None
    there: bool
    serial: bool = False
    error: str | None = None
    note: str = ""


async def preflight(line: Line) -> Known:
    """Ask ``line`` for everything in FEATURES; sessions that can be resumed are put into its ground."""
    bases, heard = await _bases(line)
    note = ""
    if heard["tls13"].reaction not in {*_ANSWERED, DEAD, HANG, NOT_TLS}:
        note, bases, heard = await _other_ground(line, bases, heard)
    ground = line.ground
    if heard["tls13"].unsent:
        return Known(frozenset(), None, there=False, error=heard["tls13"].reason)
    if all(one.reaction == DEAD for one in heard.values()):
        return Known(frozenset(), None, there=False, error=f"unreachable: {heard['tls13'].reason or 'no connection'}")
    control = next((bases[name] for name in bases if heard[name].reaction in _ANSWERED), None)
    if control is None:
        return Known(frozenset(), None, there=True, error=_why_not(tuple(heard.values())))
    serial = await _is_serial(line, control)
    if serial:
        line.narrow(1)
    answers = await asyncio.gather(
        *(line.ask(name, row.make(ground), timeout=line.patient) for name, row in FEATURES.items())
    )
    shown = dict(zip(FEATURES, answers, strict=True))
    for name in [name for name, one in shown.items() if one.reaction == HANG or one.unsent]:
        # A server that has its hands full is silent, too: without this it would lack what it has.
        shown[name] = await line.ask(name, FEATURES[name].make(ground), timeout=line.patient)
    found = {name for name, one in shown.items() if FEATURES[name].shown(one)}
    found |= await _by_handshake(line, frozenset(found))
    return Known(frozenset(found), control, there=True, serial=serial, note=note)


async def _bases(line: Line) -> tuple[dict[str, Script], dict[str, Heard]]:
    """The two valid hellos, and what is heard for them."""
    bases = {name: FEATURES[name].make(line.ground) for name in ("tls13", "tls12")}
    heard = {}
    for name, script in bases.items():
        heard[name] = await line.ask(name, script)
        if heard[name].unsent:  # there is no way to TLS, whatever is asked
            break
    return bases, heard


async def _other_ground(
    line: Line, bases: dict[str, Script], heard: dict[str, Heard]
) -> tuple[str, dict[str, Script], dict[str, Heard]]:
    """Another pair of valid hellos for a server that does not answer the usual one; the usual ones where none helps."""
    usual = line.ground
    for note, changes in _GROUNDS.items():
        line.ground = Ground(usual.seed, usual.server_name, **changes)
        others, answers = await _bases(line)
        if answers["tls13"].reaction in _ANSWERED:
            return note, others, answers
    line.ground = usual
    return "", bases, heard


def _why_not(heard: tuple[Heard, ...]) -> str:
    for one in heard:
        if one.reaction == NOT_TLS:
            return next(text for kind, text in one.faults if kind == NOT_TLS)
    if all(one.reaction == HANG for one in heard):
        return "no answer to a valid hello"
    return f"no valid hello is answered: {', '.join(dict.fromkeys(one.reaction for one in heard))}"


async def _is_serial(line: Line, control: Script) -> bool:
    # Half a hello keeps those busy that look at one client until all of it is there.
    half = Script(control.payload[: len(control.payload) // 2])
    idle = asyncio.create_task(line.ask("idle", half, timeout=_IDLE))
    await asyncio.sleep(0.05)
    heard = await line.ask("control", control, timeout=_IDLE / 2)
    idle.cancel()
    await asyncio.wait({idle})
    return heard.reaction == HANG


async def _by_handshake(line: Line, found: frozenset[str]) -> set[str]:
    """What a whole handshake shows: sessions that can be resumed, and renegotiation."""
    more: set[str] = set()
    ground = line.ground
    for version, hello, base in ((TLS13, ground.modern, "tls13"), (TLS12, ground.older, "tls12")):
        if base not in found:
            continue
        shown = await line.converse(partial(_client, ground, version, hello), timeout=line.patient)
        tickets = [one for one in shown.sessions if one.ticket]
        if tickets:
            ground.sessions[version], ground.spares[version] = tickets[0], tickets[-1]
            more.add({TLS13: "psk13", TLS12: "ticket12"}[version])
            if await _resumes(line, version):
                more.add({TLS13: "resumes13", TLS12: "resumes12"}[version])
                if version == TLS13 and await _resumes_retried(line):
                    more.add("resumes13-retry")
    if "tls12" in found and await _renegotiates(line):
        more.add("renegotiation")
    return more


def _client(ground: Ground, version: int, hello: ClientHello) -> Client:
    rng = ground.random(f"handshake {version}")
    return Client(offer(hello, rng), rng)


async def _resumes(line: Line, version: int) -> bool:
    """Whether the ticket is taken more than once, so that a case with it says something."""
    script = resumption(line.ground, version)
    heard = [await line.ask("resumption", script, timeout=line.patient) for _ in range(2)]
    return all(taken(one, script, version) for one in heard)


async def _resumes_retried(line: Line) -> bool:
    heard = await line.ask("resumption", retried().make(line.ground), timeout=line.patient)
    return heard.retry is not None and heard.resumed


async def _renegotiates(line: Line) -> bool:
    def client() -> Renegotiating:
        rng = line.ground.random("renegotiation")
        return Renegotiating(offer(line.ground.older, rng), rng, wait=line.timeout)

    shown = await line.converse(client, timeout=line.patient)
    return any(one.finished for one in shown.renegotiations)
