"""A ClientHello made fit to be completed: real key shares, a real binder, a ticket to resume with.

Whatever a hello is (built, captured, mutated), its order and its other bytes stay. Randomness comes from the caller.
Sources: RFC 9846 sections 4.2.2, 4.3.8 and 4.3.11, RFC 5077 section 3.4.
Must not import anything of tlswire but ``registry``, ``wire``, ``crypto`` and ``hello``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.crypto import schedule
from tlswire.crypto.shares import private_share, supported
from tlswire.crypto.suites import digest_of
from tlswire.hello.edit import KEY_SHARE, PRE_SHARED_KEY, with_extension
from tlswire.wire.extension_bodies import KeyShareEntry, OfferedPsks, PskIdentity
from tlswire.wire.extensions import encode_extension
from tlswire.wire.handshake import CLIENT_HELLO, CLIENT_HELLO_BODY, encode_handshake
from tlswire.wire.primitives import build

if TYPE_CHECKING:
    from random import Random

    from tlswire.crypto.shares import PrivateShare
    from tlswire.handshake.conversation import Session
    from tlswire.wire.messages import ClientHello

SESSION_TICKET, EARLY_DATA, COOKIE = 35, 42, 44


class Offer(msgspec.Struct, frozen=True):
    """A hello and the private halves of its key shares, by group."""

    hello: ClientHello
    keys: dict[int, PrivateShare]


def encode(hello: ClientHello) -> bytes:
    """The handshake message of a hello, header included."""
    return encode_handshake(CLIENT_HELLO, build(CLIENT_HELLO_BODY, hello, "client_hello"))


def offer(hello: ClientHello, rng: Random) -> Offer:
    """``hello`` with a share of our own for every group it has one for and that can be computed here."""
    shares: tuple[KeyShareEntry, ...] = hello.readable(KEY_SHARE) or ()
    keys = {share.group: private_share(share.group, rng) for share in shares if supported(share.group)}
    if not keys:
        return Offer(hello, {})
    renewed = tuple(
        KeyShareEntry(share.group, keys[share.group].public) if share.group in keys else share for share in shares
    )
    return Offer(with_extension(hello, KEY_SHARE, encode_extension(KEY_SHARE, renewed, "ch")), keys)


def resuming(hello: ClientHello, session: Session, *, age: float = 0.0, early_data: bool = False) -> ClientHello:
    """``hello`` that offers to resume ``session``, obtained ``age`` seconds ago; a PSK gets its binder by ``bound``.

    A ticket of TLS 1.2 goes with the hello's own session id, whose echo tells that it was taken (RFC 5077 section 3.4).
    """
    if session.version >= 0x0304:
        if early_data:
            hello = with_extension(hello, EARLY_DATA, b"")
        obfuscated = (int(age * 1000) + session.age_add) & 0xFFFFFFFF
        psks = OfferedPsks((PskIdentity(session.ticket, obfuscated),), (bytes(len(session.secret)),))
        hello = with_extension(hello, PRE_SHARED_KEY, None)
        return with_extension(hello, PRE_SHARED_KEY, encode_extension(PRE_SHARED_KEY, psks, "ch"))
    if session.ticket:
        hello = msgspec.structs.replace(hello, session_id=hello.session_id or hello.random)
        return with_extension(hello, SESSION_TICKET, session.ticket)
    return msgspec.structs.replace(hello, session_id=session.session_id)


def bound(hello: ClientHello, session: Session, before: bytes = b"") -> ClientHello:
    """``hello`` with the binder of its only PSK (RFC 9846 section 4.3.11.2); ``before`` is the transcript up to it."""
    psks = hello.readable(PRE_SHARED_KEY)
    if not isinstance(psks, OfferedPsks) or session.version < 0x0304:
        return hello
    size = 2 + sum(1 + len(value) for value in psks.binders)
    digest = digest_of(session.suite)
    transcript = schedule.transcript_hash(digest, before, encode(hello)[:-size])
    value = schedule.verify_data(digest, schedule.early(digest, session.secret).binder_key(), transcript)
    renewed = OfferedPsks(psks.identities, (value,))
    return with_extension(hello, PRE_SHARED_KEY, encode_extension(PRE_SHARED_KEY, renewed, "ch"))
