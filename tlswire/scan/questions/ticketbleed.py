"""Does a ticket with a session id of one byte get 32 bytes back (CVE-2016-9244)?

A server that takes a ticket sends the client's session id back (RFC 5077 section 3.4). F5's answered a short one with
32 bytes, the rest being memory. What comes back is counted, not kept. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.handshake.client import Client
from tlswire.hello.edit import with_extension
from tlswire.registry import VERSIONS
from tlswire.results.answers.ticketbleed import Ticketbleed
from tlswire.results.scan import Finding
from tlswire.scan.attacks import older
from tlswire.scan.proof import proof_of
from tlswire.scan.server import is_unknown
from tlswire.wire.handshake import CERTIFICATE, SERVER_HELLO_DONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.handshake.conversation import Session
    from tlswire.probe.exchange import Answer
    from tlswire.scan.server import Server

SESSION_TICKET = 35
SHORT_ID = b"\xab"
FULL_ID = 32
# A full handshake's id begins with this byte once in 256 times: so many in a row are no chance.
REPEATED = 3


class Ticket(Client):
    """Ends when the ticket has come."""

    def established(self) -> None:
        """The ticket stands before Finished."""
        self.end()
        self.done = True


async def ask(server: Server) -> Ticketbleed:
    """A handshake for the ticket, and one or three hellos with it."""
    version = older(server)
    if version is None:
        return Ticketbleed(state="not-applicable", notes=["no version below TLS 1.3 was accepted"])
    name, suites = VERSIONS[version].name, server.completed(version)
    hello = server.hello(version, suites)
    if not suites or hello.extensions is None:
        return Ticketbleed(state="not-applicable", notes=[f"{name}: no handshake with tickets can be completed"])
    shown = await server.handshake(with_extension(hello, SESSION_TICKET, b""), client=Ticket)
    session = next((one for one in shown.sessions if one.ticket), None)
    if not shown.finished:
        note = f"{name}: the handshake was not completed ({shown.label}{f': {shown.reason}' if shown.reason else ''})"
        return Ticketbleed(state="incomplete", version=name, notes=[note])
    if session is None:
        return Ticketbleed(state="not-applicable", version=name, notes=[f"{name}: the server gives no tickets"])
    for _ in range(REPEATED):
        answer = await _with(server, version, session)
        if is_unknown(answer):
            return Ticketbleed(state="incomplete", version=name, notes=[f"{name}: no answer to the ticket"])
        leaked = _leaked(answer)
        if not leaked:
            break
    return Ticketbleed(
        version=name,
        vulnerable=leaked > 0,
        taken=leaked > 0 or (answer.hello is not None and answer.hello.session_id == SHORT_ID),
        leaked=leaked,
        proof=msgspec.structs.replace(proof_of(answer), received=""),
    )


async def _with(server: Server, version: int, session: Session) -> Answer:
    hello = with_extension(server.hello(version, (session.suite,)), SESSION_TICKET, session.ticket)
    return await server.ask(msgspec.structs.replace(hello, session_id=SHORT_ID), whole_flight=True)


def _leaked(answer: Answer) -> int:
    """Bytes of the session id that were not sent: of a short handshake, which shows no certificate."""
    hello = answer.hello
    if hello is None or {CERTIFICATE, SERVER_HELLO_DONE}.intersection(message.type for message in answer.messages):
        return 0
    longer = hello.session_id.startswith(SHORT_ID) and len(hello.session_id) == FULL_ID
    return FULL_ID - len(SHORT_ID) if longer else 0


def findings(answer: Ticketbleed) -> Iterator[Finding]:
    """Memory that came back."""
    if answer.vulnerable:
        yield Finding(
            "ticketbleed",
            "weak",
            f"Ticketbleed: fills up short session ids with {answer.leaked} bytes of memory",
            "CVE-2016-9244, RFC 5077 3.4",
            answer.version,
            cve=["CVE-2016-9244"],
            remedy="update the server (F5 BIG-IP), or give no tickets",
        )
