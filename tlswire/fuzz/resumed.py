"""Scripts that go on where a connection before left off: tickets with their binders, and hellos under its keys.

A binder is made here for any number of identities, right or wrong; ``Renewing`` is a client that completes a handshake
and renegotiates with the hello it is told; ``heard`` makes of its conversation what the oracle judges.
Sources: RFC 9846 section 4.3.11, RFC 5077 section 3, RFC 5746 section 3.5.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``crypto``, ``hello``, ``handshake`` and
``fuzz``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.crypto import schedule
from tlswire.crypto.suites import digest_of
from tlswire.fuzz.flight import Heard
from tlswire.fuzz.model import CLOSE, DEAD, FLIGHT, HANG, HELLO_THEN_ABORT, NOT_TLS
from tlswire.fuzz.script import TLS12, TLS13, Script, script_of
from tlswire.handshake.conversation import FAULT, Session
from tlswire.handshake.offer import bound, encode, resuming
from tlswire.handshake.renegotiation import NO_RENEGOTIATION, Renegotiating
from tlswire.registry import HANDSHAKE_TYPES
from tlswire.wire.handshake import SERVER_HELLO, SERVER_HELLO_BODY, encode_handshake
from tlswire.wire.primitives import build

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.script import Ground
    from tlswire.handshake.conversation import Conversation
    from tlswire.wire.messages import ClientHello, ServerHello

# What stands for a session where the ground has none, so that the catalogue's bytes follow from the seed alone.
_STAND_INS = {
    TLS13: Session(TLS13, 0x1301, bytes(range(32)), ticket=b"tlswire ticket " * 12, lifetime=7200, age_add=0x01020304),
    TLS12: Session(TLS12, 0xC02F, bytes(range(48)), ticket=b"tlswire ticket " * 12, lifetime=7200, extended=True),
}
_CLOSED = frozenset({"close", "reset"})
_GONE = frozenset({"refused", "unreachable"})


def session_of(ground: Ground, version: int) -> Session:
    """The session of ``version`` that the server gave, or one it never saw."""
    return ground.sessions.get(version) or _STAND_INS[version]


def spare_of(ground: Ground, version: int) -> Session:
    """As ``session_of``, but one that other cases do without: early data uses it up."""
    return ground.spares.get(version) or session_of(ground, version)


def resumption(ground: Ground, version: int) -> Script:
    """The valid hello that resumes the session of ``version``."""
    session = session_of(ground, version)
    hello = resuming(ground.modern if version >= TLS13 else ground.older, session)
    return script_of(bound(hello, session), session=session if version >= TLS13 else None)


def taken(heard: Heard, script: Script, version: int) -> bool:
    """Whether the answer to ``resumption`` resumes the session."""
    if version >= TLS13:
        return heard.resumed
    # RFC 5077 section 3.4: the echo of the session id tells. It stands behind version and random.
    session_id = script.message[4 + 35 : 4 + 35 + script.message[4 + 34]]
    return heard.hello is not None and bool(session_id) and heard.hello.session_id == session_id


def binder(session: Session, transcript: bytes) -> bytes:
    """The binder over ``transcript``, which ends where the list of binders begins (RFC 9846 section 4.3.11.2)."""
    digest = digest_of(session.suite)
    key = schedule.early(digest, session.secret).binder_key()
    return schedule.verify_data(digest, key, schedule.transcript_hash(digest, transcript))


def truncated(hello: ClientHello, binders: bytes) -> bytes:
    """The message of a hello up to its ``binders``, the bytes of the list with its length, which come last."""
    return encode(hello)[: -len(binders)]


def before_second(first: bytes, retry: ServerHello) -> bytes:
    """The transcript before the second hello: the hash of the ``first`` message, and the HelloRetryRequest."""
    encoded = encode_handshake(SERVER_HELLO, build(SERVER_HELLO_BODY, retry, "server_hello"))
    return schedule.message_hash(digest_of(retry.suite), first) + encoded


class Renewing(Renegotiating):
    """Completes a handshake, then says once more a hello, whose message ``change`` makes of the valid one."""

    def __init__(self, *arguments: Any, change: Callable[[ClientHello], bytes], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._change = change

    def renewed(self, hello: ClientHello) -> bytes:
        """The message that is sent for ``hello``."""
        return self._change(hello)

    def established(self) -> None:
        """Renegotiate once, then go."""
        if self._earlier:
            self.end()
            self.done = True
        else:
            super().established()


def heard(conversation: Conversation) -> Heard:
    """What was said to the hello of a ``Renewing`` client.

    A refusal by no_renegotiation (RFC 5246 section 7.2.2) counts as that alert, whatever its level. Where the first
    handshake did not complete the reaction is that to it, and ``faults`` say so.
    """
    shown = conversation.renegotiations[0] if conversation.renegotiations else conversation
    closed = conversation.ending in _CLOSED
    refused = any(alert.description == NO_RENEGOTIATION for alert in shown.warnings)
    said = [HANDSHAKE_TYPES[message.type].name.replace("_", "-") for message in shown.messages]
    said += [f"warning:{alert.description}" for alert in shown.warnings]
    if shown.alert is not None:
        said.append(f"alert:{shown.alert.description}")
    elif closed:
        said.append(CLOSE)
    faults = [("handshake", shown.reason)] if shown.kind == FAULT else []
    if not conversation.renegotiations:
        faults.append(("first-handshake", "the handshake before the renegotiation did not complete"))
    reaction = _reaction(shown, closed=closed, refused=refused)
    if conversation.ending in _GONE and not conversation.connected:
        reaction = DEAD
    first = "server-hello" if shown.hello is not None else "none" if reaction in {HANG, DEAD} else reaction
    return msgspec.structs.replace(
        Heard(first, reaction, tuple(said), tuple(faults)),
        hello=shown.hello,
        ending=conversation.ending,
        reason=conversation.reason,
        sent=conversation.sent,
        received=conversation.received,
        started=conversation.started,
        elapsed=conversation.elapsed,
        local=conversation.local,
    )


def _reaction(shown: Conversation, *, closed: bool, refused: bool) -> str:
    if shown.kind == NOT_TLS:
        return NOT_TLS
    if shown.hello is not None:
        ended = shown.alert is not None or (closed and shown.stage == "hello")
        return HELLO_THEN_ABORT if ended else FLIGHT if shown.stage != "hello" else HANG
    if shown.alert is not None or refused:
        return f"alert:{shown.alert.description if shown.alert is not None else NO_RENEGOTIATION}"
    return CLOSE if closed else HANG
