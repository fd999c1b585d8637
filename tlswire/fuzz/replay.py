"""A finding as it is kept, and the same bytes sent again: what did the server do then, what does it do now?

Nothing is made anew: payload, cuts and the second hello are those that were sent; only the keys behind the hello follow
from seed and server name. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from tlswire import __version__
from tlswire.errors import UsageError
from tlswire.fuzz.cases import case_of
from tlswire.fuzz.line import Bounds, Line
from tlswire.fuzz.model import DEAD, FLIGHT, RETRY
from tlswire.fuzz.oracle import faults_of
from tlswire.fuzz.script import TLS13, Ground, Script, script_of
from tlswire.handshake.conversation import Session
from tlswire.registry import VERSIONS
from tlswire.results.finding import ProvenFinding, Reaction, Sent
from tlswire.results.scan import Target, Tool
from tlswire.wire.handshake import CLIENT_HELLO, encode_handshake
from tlswire.wire.records import HANDSHAKE, Deframer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.flight import Heard
    from tlswire.fuzz.model import Case
    from tlswire.fuzz.oracle import Judgement
    from tlswire.probe.opening import Opening
    from tlswire.probe.transport import Address
    from tlswire.wire.messages import ServerHello

# Seconds that all pauses of one replay may take.
LONGEST_PAUSE = 60.0


class Origin(msgspec.Struct, frozen=True):
    """Where findings come from: the server, its software if known, what it was judged on, and the ground's seed."""

    target: Target
    seed: int
    features: frozenset[str]
    stack: str | None = None


def proven(
    case: Case,
    script: Script,
    heard: Heard,
    judgement: Judgement,
    differences: tuple[str, ...],
    origin: Origin,
    contacts: int,
) -> ProvenFinding:
    """The finding that ``heard`` shows, with all it takes to send it again."""
    return ProvenFinding(
        cause=judgement.cause,
        level=case.level,
        case=case.id,
        name=case.name,
        group=case.group,
        clause=case.clause,
        text=judgement.reasons[0],
        history=case.history,
        differences=list(differences),
        allowed=list(case.allowed),
        reaction=reaction_of(script, heard, origin.features),
        target=origin.target,
        seed=origin.seed,
        stack=origin.stack,
        features=sorted(origin.features),
        script=_sent(script, heard),
        sent=heard.sent.hex(),
        received=heard.received.hex(),
        local=heard.local[0],
        local_port=heard.local[1],
        confirmed=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        contacts=contacts,
        tool=Tool("tlswire", __version__),
    )


def reaction_of(script: Script, heard: Heard, features: frozenset[str]) -> Reaction:
    """What was heard, without the bytes."""
    return Reaction(
        first=heard.first,
        reaction=heard.reaction,
        flight=list(heard.flight),
        version=VERSIONS[heard.version].name if heard.version else None,
        faults=sorted({kind for kind, _ in faults_of(script, heard, features)}),
        ending=heard.ending,
        elapsed_s=round(heard.elapsed, 6),
    )


def _sent(script: Script, heard: Heard) -> Sent:
    again, message = b"", b""
    if heard.retry is not None and script.again is not None:
        again, message = script.again(heard.retry)
    return Sent(
        payload=script.payload.hex(),
        message=script.message.hex(),
        cuts=list(script.cuts),
        pause=script.pause,
        fin=script.fin,
        tail=script.tail,
        again=again.hex(),
        again_message=message.hex(),
        secret=script.session.secret.hex() if script.session is not None else "",
        client=script.client is not None,
    )


def kept_script(finding: ProvenFinding, ground: Ground) -> Script:
    """The script that sends exactly the bytes of a finding; where those were under keys, what its case sends.

    Raises UsageError for pauses that take too long and for a case that is no more.
    """
    sent = finding.script
    if sent.client:
        return case_of(finding.case).make(ground)
    if sent.pause * len(sent.cuts) > LONGEST_PAUSE:
        raise UsageError("script.pause", f"all pauses take longer than {LONGEST_PAUSE:g} s")
    second = (bytes.fromhex(sent.again), bytes.fromhex(sent.again_message))
    again: Callable[[ServerHello], tuple[bytes, bytes]] | None = (lambda _: second) if sent.again else None
    return Script(
        bytes.fromhex(sent.payload),
        bytes.fromhex(sent.message),
        cuts=tuple(sent.cuts),
        pause=sent.pause,
        fin=sent.fin,
        tail=sent.tail,
        again=again,
        session=Session(0, 0, bytes.fromhex(sent.secret)) if sent.secret else None,
    )


def raw_script(payload: bytes) -> Script:
    """The script that sends these bytes; a hello that stands first in them is read with the answer."""
    first = next(iter(Deframer().feed(payload)), None)
    whole = first is not None and (first.content, first.type) == (HANDSHAKE, CLIENT_HELLO)
    return Script(payload, encode_handshake(CLIENT_HELLO, first.body) if first is not None and whole else b"")


async def replay(
    address: Address, finding: ProvenFinding, *, timeout: float, opening: Opening | None = None
) -> tuple[Heard, Reaction]:
    """Send the bytes of ``finding`` to ``address`` (behind ``opening``, whose target it is) once, and hear what comes
    within ``timeout`` seconds.

    A finding that the server was dead afterwards takes a valid hello behind them. Raises UsageError for a finding that
    cannot be sent.
    """
    ground = ground_of(finding.seed, finding.target.server_name or "")
    script = kept_script(finding, ground)
    line = Line(address, ground, Bounds(timeout=timeout), opening=opening)
    heard = await line.ask(finding.case, script)
    there = heard.reaction != DEAD
    if there and finding.reaction.reaction == DEAD:
        control = await line.ask("control", script_of(ground.modern if "tls13" in finding.features else ground.older))
        if control.reaction not in {FLIGHT, RETRY}:
            heard = msgspec.structs.replace(heard, reaction=DEAD)
    features = frozenset(finding.features)
    if heard.version and heard.version < TLS13:
        # Whether this random needs a mark depends on what this server can do, which may be another than was found.
        modern = await line.ask("control", script_of(ground.modern))
        features -= set() if modern.version == TLS13 else {"tls13"}
    return heard, reaction_of(script, heard, features)


async def send(address: Address, payload: bytes, *, timeout: float, opening: Opening | None = None) -> Heard:
    """Send ``payload`` to ``address`` (behind ``opening``) once; what is encrypted in the answer stays closed."""
    return await Line(address, Ground(), Bounds(timeout=timeout), opening=opening).ask("bytes", raw_script(payload))


def same(one: Reaction, other: Reaction) -> bool:
    """Whether two reactions are the same: class, version and faults; times and ways to end are not compared."""
    return (one.reaction, one.version, one.faults) == (other.reaction, other.version, other.faults)


def ground_of(seed: int, server_name: str) -> Ground:
    """The ground of a seed and a server name as users write it. Raises UsageError."""
    try:
        return Ground(seed, server_name.encode("ascii" if server_name.isascii() else "idna"))
    except UnicodeError:
        raise UsageError(ascii(server_name), "is no host name") from None
