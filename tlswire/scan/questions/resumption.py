"""How are sessions resumed: by session id, by ticket, by PSK; how often, and under which changes that must not work?

Sessions come from the usual handshake of a version; each is offered again, alone. Below TLS 1.3 the same one several
times, in TLS 1.3 a fresh ticket each time and one of them twice. Sources: RFC 9846 sections 2.2, 4.3.9 to 4.3.11, 4.7.1
and 8; RFC 5077, RFC 5246 section 7.4.1.3, RFC 7627 section 5.3, RFC 6066 section 3. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.handshake.client import MAX_MESSAGE, Brief, Client
from tlswire.handshake.conversation import EXTENDED_MASTER_SECRET, Session
from tlswire.handshake.offer import SESSION_TICKET
from tlswire.hello.builder import SSLV3_VERSION, TLS12_VERSION, TLS13_VERSION
from tlswire.hello.edit import KEY_SHARE, with_extension
from tlswire.probe.exchange import FAULT
from tlswire.registry import VERSIONS
from tlswire.results.answers.resumption import Crossing, EarlyData, MasterSecret, Resumption, Way
from tlswire.results.scan import Finding
from tlswire.scan.proof import proof_of
from tlswire.scan.server import UNKNOWN_NAME, is_unknown
from tlswire.wire.cursor import escaped
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import CERTIFICATE
from tlswire.wire.records import CHANGE_CIPHER_SPEC, Deframer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.handshake.conversation import Conversation
    from tlswire.results.answers.resumption import Outcome
    from tlswire.scan.server import Server
    from tlswire.wire.messages import ClientHello

PSK_MODES = 45
PSK_KE = 0
# RFC 9846 section 4.7.1: the longest lifetime of a ticket in seconds.
WEEK = 604800
# RFC 5077 section 4 begins a ticket with the name of the key it is under.
_KEY_NAME = 16
_ANSWER = 80


class Ticketed(Client):
    """Ends with the first ticket, instead of waiting for more."""

    def feed(self, data: bytes) -> bool:
        """As Client."""
        over = super().feed(data)
        self.done = over or bool(self.finished and self.shown.sessions)
        return self.done


class Kept(msgspec.Struct, frozen=True):
    """A session, and when its handshake ended, on the loop's clock."""

    session: Session
    ended: float

    @property
    def age(self) -> float:
        """Seconds since then."""
        return asyncio.get_running_loop().time() - self.ended


def sessions_of(heard: Conversation, *, by_ticket: bool) -> list[Kept]:
    """What a conversation gave to resume by."""
    ended = heard.started + heard.elapsed
    return [Kept(session, ended) for session in heard.sessions if bool(session.ticket) == by_ticket]


def outcome_of(heard: Conversation) -> Outcome:
    """What came of an offer to resume."""
    if heard.finished:
        return "resumed" if heard.resumed else "full"
    if heard.hello is not None and heard.alert is None:
        return "full" if heard.unchecked else "unknown"  # it was not completed: by our means, or for no reason told
    return "unknown" if is_unknown(heard) or heard.kind == FAULT else "refused"


def taken(heard: Conversation) -> bool:
    """Whether a server before TLS 1.3 took the session that was offered, whatever our client made of it.

    The echo of the session id says so (RFC 5246 section 7.4.1.3), unless a certificate follows in clear.
    """
    hello, offered = heard.hello, heard.offered
    if hello is None or offered is None or not offered.session_id or hello.session_id != offered.session_id:
        return False
    for message in Deframer(max_message=MAX_MESSAGE).feed(heard.received):
        if message.type == CERTIFICATE or message.content == CHANGE_CIPHER_SPEC:
            return message.content == CHANGE_CIPHER_SPEC
    return True


class Tried(msgspec.Struct):
    """The outcomes of one way, and the last conversation that says something."""

    outcomes: list[Outcome] = []
    proof: Conversation | None = None

    def note(self, heard: Conversation) -> Outcome:
        """Count one connection."""
        outcome = outcome_of(heard)
        self.outcomes.append(outcome)
        if outcome == "resumed" or self.proof is None:
            self.proof = heard
        return outcome

    def way(self, way: Way) -> Way:
        """``way`` with what was counted."""
        return msgspec.structs.replace(
            way,
            tried=len(self.outcomes),
            resumed=self.outcomes.count("resumed"),
            unknown=self.outcomes.count("unknown"),
            proof=None if self.proof is None else proof_of(self.proof),
        )


class Older:
    """Resumption in one version before TLS 1.3."""

    def __init__(self, server: Server, version: int) -> None:
        self.server = server
        self.version = version
        self.name = VERSIONS[version].name
        self.master_secret: list[MasterSecret] = []
        self.crossings: list[Crossing] = []
        self.heard: list[Conversation] = []  # that may hold tickets

    def hello(
        self, *, ticket: bool = True, master_secret: bool = True, version: int = 0, **changes: object
    ) -> ClientHello:
        """The usual hello without what is not wanted."""
        hello = self.server.hello(version or self.version, None, **changes)
        if not ticket:
            hello = with_extension(hello, SESSION_TICKET, None)
        return hello if master_secret else with_extension(hello, EXTENDED_MASTER_SECRET, None)

    async def run(self, modern: Session | None = None) -> list[Way]:
        """Both ways, then what must not work; ``modern`` is a session of TLS 1.3, if there is one."""
        usual = await self.server.first(self.version)
        self.heard.append(usual)
        tickets = sessions_of(usual, by_ticket=True)
        plain = await self.server.handshake(self.hello(ticket=False))
        ids = sessions_of(plain, by_ticket=False)
        ticket, session_id = await self._way("ticket", tickets), await self._way("session id", ids)
        by_ticket = bool(ticket.resumed)
        works = tickets if by_ticket else ids if session_id.resumed else []
        if works:
            session = works[0].session
            other = await self._other_name(session, usual)
            if by_ticket:
                ticket = msgspec.structs.replace(ticket, other_name=other)
            else:
                session_id = msgspec.structs.replace(session_id, other_name=other)
            await self._changed_master_secret(session, usual)
            older = next((code for code in self.server.versions if SSLV3_VERSION < code < self.version), None)
            if older is not None:
                await self._cross(session, self.version, older)
        if modern is not None:
            # A ticket that is taken for one of TLS 1.2 shows in the echo of the session id, whatever the keys.
            await self._cross(msgspec.structs.replace(modern, version=self.version), TLS13_VERSION, self.version)
        return [_with_tickets(ticket, self.heard), session_id]

    async def _way(self, way: Literal["ticket", "session id"], kept: Sequence[Kept]) -> Way:
        tried = Tried()
        for _ in range(self.server.resumptions if kept else 0):
            heard = await self._resume(self.hello(ticket=way == "ticket"), kept[0].session)
            tried.note(heard)
        resumed = tried.outcomes.count("resumed")
        found = Way(self.name, way, offered=bool(kept), reusable=resumed > 1 if resumed else None)
        return tried.way(found)

    async def _resume(self, hello: ClientHello, session: Session) -> Conversation:
        heard = await self.server.handshake(hello, session=session, client=Brief)
        self.heard.append(heard)
        return heard

    async def _other_name(self, session: Session, usual: Conversation) -> Outcome | None:
        if not await _has_another_certificate(self.server, usual):
            return None
        hello = self.hello(ticket=bool(session.ticket), server_name=UNKNOWN_NAME)
        return outcome_of(await self._resume(hello, session))

    async def _changed_master_secret(self, session: Session, usual: Conversation) -> None:
        """RFC 7627 section 5.3, both ways; only of servers that know the extension."""
        if not usual.extended_master_secret:
            return
        by_ticket = bool(session.ticket)
        heard = await self._resume(self.hello(ticket=by_ticket, master_secret=False), session)
        self.master_secret.append(MasterSecret("dropped", self.name, outcome_of(heard), proof_of(heard)))
        old = await self.server.handshake(self.hello(ticket=by_ticket, master_secret=False))
        self.heard.append(old)
        sessions = sessions_of(old, by_ticket=by_ticket)
        if sessions:
            heard = await self._resume(self.hello(ticket=by_ticket), sessions[0].session)
            self.master_secret.append(MasterSecret("added", self.name, outcome_of(heard), proof_of(heard)))

    async def _cross(self, session: Session, of: int, offered_in: int) -> None:
        hello = self.hello(ticket=bool(session.ticket), version=offered_in)
        heard = await self._resume(hello, session)
        # Our client stops where a server takes such a session, or answers in the session's own version.
        outcome: Outcome = "resumed" if heard.kind == FAULT and taken(heard) else outcome_of(heard)
        names = VERSIONS[of].name, VERSIONS[offered_in].name
        self.crossings.append(Crossing(*names, outcome, proof_of(heard)))


class Newer:
    """Resumption in TLS 1.3: every ticket is used once, until it is asked whether one may be used again."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.kept: list[Kept] = []
        self.psk_alone: Conversation | None = None
        self.early_data: EarlyData | None = None

    async def run(self) -> Way:
        """Everything, with as few full handshakes as the tickets allow."""
        usual = await self.server.first(TLS13_VERSION)
        self.kept = sessions_of(usual, by_ticket=True)
        limit = max((kept.session.early_data for kept in self.kept), default=0)
        way = _with_tickets(Way("TLS 1.3", "psk", offered=bool(self.kept)), [usual])
        if not self.kept:
            return way
        heard = [usual]
        tried = Tried()
        used: Kept | None = None
        for _ in range(self.server.resumptions):
            kept = await self._take()
            if kept is None:
                break
            resumed = await self._resume(self.server.hello(TLS13_VERSION), kept)
            used = kept if tried.note(resumed) == "resumed" else used
            heard.append(resumed)
        way = tried.way(_with_tickets(way, heard))
        if used is None:
            return way
        again = outcome_of(await self._resume(self.server.hello(TLS13_VERSION), used))
        other = await self._other_name(usual)
        self.psk_alone = await self._alone()
        if limit:
            self.early_data = await self._early(limit, usual.group)
        reusable = None if again == "unknown" else again == "resumed"
        return msgspec.structs.replace(way, reusable=reusable, other_name=other)

    async def _take(self) -> Kept | None:
        """A ticket nobody used yet."""
        if not self.kept:
            await self._keep(await self.server.handshake(self.server.hello(TLS13_VERSION), client=Ticketed))
        return self.kept.pop(0) if self.kept else None

    async def _keep(self, heard: Conversation) -> Conversation:
        self.kept += sessions_of(heard, by_ticket=True)
        return heard

    async def _resume(self, hello: ClientHello, kept: Kept) -> Conversation:
        return await self._keep(await self.server.handshake(hello, session=kept.session, age=kept.age, client=Ticketed))

    async def _other_name(self, usual: Conversation) -> Outcome | None:
        if not await _has_another_certificate(self.server, usual):
            return None
        kept = await self._take()
        if kept is None:
            return "unknown"
        hello = self.server.hello(TLS13_VERSION, server_name=UNKNOWN_NAME)
        return outcome_of(await self.server.handshake(hello, session=kept.session, age=kept.age, client=Brief))

    async def _alone(self) -> Conversation | None:
        """An offer of psk_ke and nothing else."""
        kept = await self._take()
        if kept is None:
            return None
        modes = encode_extension(PSK_MODES, (PSK_KE,), "ch")
        return await self._resume(with_extension(self.server.hello(TLS13_VERSION), PSK_MODES, modes), kept)

    async def _early(self, limit: int, group: int | None) -> EarlyData:
        """A request that changes nothing, sent with the hello; then the same bytes again.

        The key share is in the server's ``group``: a HelloRetryRequest ends early data.
        """
        kept = await self._take()
        request = b"GET / HTTP/1.0\r\nHost: %s\r\n\r\n" % self.server.host.encode("ascii", "replace")
        if kept is None or kept.session.early_data < len(request):
            return EarlyData(limit)
        changes = {} if group is None else {"key_shares": (group,)}
        hello = self.server.hello(TLS13_VERSION, None, **changes)
        age, seed = kept.age, self.server.rng().random()

        async def send() -> Conversation:
            return await self.server.handshake(
                hello, session=kept.session, age=age, early_data=request, seed=seed, title="0-RTT data"
            )

        heard = await send()
        replayed = (await send()).early_data if heard.early_data else None
        line = escaped(heard.application.split(b"\r\n", 1)[0][:_ANSWER]) or None
        return EarlyData(limit, heard.early_data, replayed, line, proof_of(heard))


async def _has_another_certificate(server: Server, usual: Conversation) -> bool:
    """Whether a name nobody has is answered with another certificate than the server's own."""
    heard = await server.named(UNKNOWN_NAME)
    return bool(heard.chain) and heard.chain[:1] != usual.chain[:1]


def _with_tickets(way: Way, heard: Sequence[Conversation]) -> Way:
    """``way`` with the facts of the tickets that came in these conversations."""
    tickets = [ticket for one in heard for ticket in one.tickets if ticket.ticket]
    if not tickets:
        return way
    names = {ticket.ticket[:_KEY_NAME] for ticket in tickets}
    several = len(tickets) > 1 and len({ticket.ticket for ticket in tickets}) > 1
    return msgspec.structs.replace(
        way,
        tickets=len(heard[0].tickets),
        lifetime=max(ticket.lifetime for ticket in tickets),
        length=len(tickets[0].ticket),
        key_name=names.pop().hex() if len(names) == 1 and several else None,
    )


async def ask(server: Server) -> Resumption:
    """TLS 1.3, and the newest older version."""
    before = next((code for code in server.versions if SSLV3_VERSION < code <= TLS12_VERSION), None)
    if before is None and TLS13_VERSION not in server.versions:
        return Resumption(state="not-applicable", notes=["no version from TLS 1.0 on was accepted"])
    notes: list[str] = []
    newer = Newer(server) if await _completes(server, TLS13_VERSION, notes) else None
    older = Older(server, before) if before is not None and await _completes(server, before, notes) else None
    modern = (await server.first(TLS13_VERSION)).sessions[:1] if newer is not None else ()

    async def new() -> list[Way]:
        return [] if newer is None else [await newer.run()]

    async def old() -> list[Way]:
        return [] if older is None else await older.run(*modern)

    ways = [way for side in await asyncio.gather(new(), old()) for way in side]
    alone = None if newer is None else newer.psk_alone
    answer = Resumption(
        ways=ways,
        psk_alone=None if alone is None else _alone_outcome(alone),
        psk_alone_proof=None if alone is None else proof_of(alone),
        crossings=[] if older is None else older.crossings,
        master_secret=[] if older is None else older.master_secret,
        early_data=None if newer is None else newer.early_data,
    )
    notes += _unknown(answer)
    return msgspec.structs.replace(answer, state="incomplete" if notes else "complete", notes=notes)


async def _completes(server: Server, version: int, notes: list[str]) -> bool:
    """Whether there is a handshake of ``version`` to resume; ``notes`` say why there is none."""
    if version not in server.versions:
        return False
    heard = await server.first(version)
    if heard.finished and heard.alert is None:
        return True
    # An alert comes late where a server wants a certificate (RFC 9846 section 4.5.1.3).
    reason = heard.unchecked or heard.reason or heard.label
    notes.append(f"{VERSIONS[version].name}: no handshake could be completed: {reason}")
    return False


def _unknown(answer: Resumption) -> Iterator[str]:
    """What stayed without an answer."""
    for way in answer.ways:
        if way.unknown or way.other_name == "unknown":
            yield f"{way.version}: some connections that offered a session by {way.way} stayed without an answer"
    if answer.psk_alone == "unknown":
        yield "TLS 1.3: whether a session is resumed without a key exchange is not known"
    for change in answer.master_secret:
        if change.outcome == "unknown":
            yield f"{change.version}: what follows when extended_master_secret is {change.change} is not known"
    for crossing in answer.crossings:
        if crossing.outcome == "unknown":
            yield f"{crossing.offered_in}: whether a session of {crossing.of} is taken is not known"
    if answer.early_data is not None and answer.early_data.accepted is None:
        yield "TLS 1.3: whether early data is taken is not known"


def _alone_outcome(heard: Conversation) -> Outcome:
    """Resumed means resumed as offered: without a key share."""
    outcome = outcome_of(heard)
    shared = heard.hello is not None and heard.hello.raw_extension(KEY_SHARE) is not None
    return "full" if outcome == "resumed" and shared else outcome


def findings(answer: Resumption) -> Iterator[Finding]:
    """What breaks the rules, and what costs forward secrecy or safety against replays."""
    for way in answer.ways:
        yield from _of_way(way)
    if answer.psk_alone == "resumed":
        text = "resumes sessions without a new key exchange (psk_ke): who gets the ticket's key can read them"
        yield Finding(
            "psk-alone", "no-forward-secrecy", text, "RFC 9846 4.3.9, 2.2", "TLS 1.3", remedy="psk_dhe_ke only"
        )
    for change in answer.master_secret:
        if change.outcome == "resumed":
            text = f"resumes a session although extended_master_secret was {change.change} in between"
            yield Finding("resumption-master-secret", "fault", text, "RFC 7627 5.3", change.version)
    for crossing in answer.crossings:
        if crossing.outcome == "resumed":
            text = f"takes a session of {crossing.of} in {crossing.offered_in}"
            yield Finding("resumption-crossed", "fault", text, "RFC 5246 7.4.1.3", crossing.offered_in)
    early = answer.early_data
    if early is not None and early.accepted:
        again = {True: ", and did so again when the same bytes were sent once more", False: "", None: ""}[
            early.replayed
        ]
        text = f"takes 0-RTT data (up to {early.limit} bytes), which others can send again{again}"
        remedy = "only for requests that may come twice; else answer 425 (RFC 8470)"
        yield Finding("early-data", "info", text, "RFC 9846 8", "TLS 1.3", remedy=remedy)


def _of_way(way: Way) -> Iterator[Finding]:
    if way.lifetime is not None and way.lifetime > WEEK:
        modern = way.way == "psk"
        text = f"tickets live for {way.lifetime} seconds, which is over 7 days"
        source = "RFC 9846 4.7.1" if modern else "RFC 9325 3.4"
        yield Finding("ticket-lifetime", "fault" if modern else "legacy", text, source, way.version)
    if way.other_name == "resumed":
        # TLS 1.3 leaves it to clients to mind the name; before, servers must.
        category, source = ("info", "RFC 9846 4.7.1") if way.way == "psk" else ("fault", "RFC 6066 3")
        text = f"resumes by {way.way} under another server name, which has another certificate: is one as trusted?"
        yield Finding("resumption-other-name", category, text, source, way.version)
    if 0 < way.resumed < way.tried - way.unknown:
        text = f"resumes {way.resumed} of {way.tried} sessions by {way.way}: several machines that do not share them?"
        yield Finding("resumption-unreliable", "info", text, "RFC 5077 5.5", way.version)
