"""How rows with a real ticket are made: PSKs of TLS 1.3 with binders right and wrong, session tickets of TLS 1.2.

A ``Change`` is made of the hello before the ticket comes in, a ``Listed`` of what the pre_shared_key lists.
Sources: RFC 9846 section 4.3.11, RFC 5077 section 3.
Must not import anything of tlswire but ``fuzz``, ``hello``, ``handshake`` and, for values, ``wire`` and ``registry``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tlswire.fuzz.cases.psk import EARLY_DATA, arbitrary_binder, identity, psks, unknown_identity
from tlswire.fuzz.cases.retries import second, suite_repeated, updated, without_share
from tlswire.fuzz.cases.rows import OLDER, Made, sent
from tlswire.fuzz.cases.values import vector
from tlswire.fuzz.resumed import before_second, binder, session_of, spare_of, truncated
from tlswire.fuzz.script import TLS12, TLS13, script_of
from tlswire.handshake.offer import resuming
from tlswire.hello.edit import PRE_SHARED_KEY, with_extension, with_server_name, with_suites
from tlswire.wire.records import APPLICATION_DATA, fragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.script import Ground, Script
    from tlswire.handshake.conversation import Session
    from tlswire.wire.messages import ClientHello, ServerHello

    Change = Callable[[ClientHello, Session, Ground], ClientHello]
    # Identities and binders as sent, of the real identity and binder.
    Listed = Callable[[bytes, bytes, Ground], tuple[bytes, bytes]]


def as_is(real: bytes, proof: bytes, _: Ground) -> tuple[bytes, bytes]:
    """The identity and its binder, nothing else."""
    return real, vector(1, proof)


def offering(
    hello: ClientHello,
    session: Session,
    ground: Ground,
    listed: Listed = as_is,
    before: bytes = b"",
    behind: bytes = b"",
) -> ClientHello:
    """``hello`` with the session's PSK as ``listed`` has it, the binder over its own bytes; ``behind`` trails the body.

    The binder is computed over a hello whose binders are as long as those sent (RFC 9846 section 4.3.11.2), so that it
    is right wherever ``listed`` leaves it in its place.
    """
    real = identity(session.ticket, session.age_add)

    def body(proof: bytes) -> tuple[bytes, bytes]:
        identities, binders = listed(real, proof, ground)
        return psks(identities, binders) + behind, vector(2, binders) + behind

    zeros, tail = body(bytes(len(session.secret)))
    partial = truncated(with_extension(hello, PRE_SHARED_KEY, zeros), tail)
    return with_extension(hello, PRE_SHARED_KEY, body(binder(session, before + partial))[0])


def psk(listed: Listed = as_is, change: Change | None = None, behind: bytes = b"") -> Made:
    """The modern hello, changed, that offers the session of TLS 1.3."""

    def make(ground: Ground) -> Script:
        session = session_of(ground, TLS13)
        hello = ground.modern if change is None else change(ground.modern, session, ground)
        return script_of(offering(hello, session, ground, listed, behind=behind), session=session)

    return sent(make)


def retried(change: Change | None = None, listed: Listed = as_is, *, again: bool = True, stale: bool = False) -> Made:
    """A hello with the PSK and no share, and the second hello with its binder anew.

    ``again`` False leaves the PSK out of the second; ``stale`` repeats the first hello's binder.
    """

    def make(ground: Ground) -> Script:
        session = session_of(ground, TLS13)
        base = without_share(ground.modern)
        base = base if change is None else change(base, session, ground)
        first = script_of(offering(base, session, ground))

        def after(retry: ServerHello) -> tuple[bytes, bytes]:
            hello = updated(base, retry, ground)
            if not again:
                return second(hello)
            before = b"" if stale else before_second(first.message, retry)
            return second(offering(hello, session, ground, listed, before))

        return msgspec.structs.replace(first, again=after, session=session)

    return sent(make)


def ticket12(change: Change | None = None, cut: Callable[[bytes], bytes] = bytes) -> Made:
    """The older hello, changed, that offers the ticket of TLS 1.2 as ``cut`` makes it."""

    def make(ground: Ground) -> Script:
        session = session_of(ground, TLS12)
        hello = resuming(ground.older, msgspec.structs.replace(session, ticket=cut(session.ticket)))
        return script_of(hello if change is None else change(hello, session, ground))

    return sent(make, OLDER)


def flipped(data: bytes, at: int = -1) -> bytes:
    """``data`` with one bit another."""
    where = at % len(data)
    return data[:where] + bytes((data[where] ^ 1,)) + data[where + 1 :]


def altered(change: Callable[[bytes], bytes]) -> Listed:
    """The ticket as ``change`` makes it, with the binder of the real one."""

    def listed(real: bytes, proof: bytes, _: Ground) -> tuple[bytes, bytes]:
        return identity(change(real[2:-4]), int.from_bytes(real[-4:], "big")), vector(1, proof)

    return listed


def proof_as(change: Callable[[bytes], bytes]) -> Listed:
    """The real ticket with its binder changed."""
    return lambda real, proof, _: (real, vector(1, change(proof)))


def aged(real: bytes, proof: bytes, _: Ground) -> tuple[bytes, bytes]:
    """The real ticket, said to be six days old."""
    age = (int.from_bytes(real[-4:], "big") + 6 * 24 * 3600 * 1000) & 0xFFFFFFFF
    return real[:-4] + age.to_bytes(4, "big"), vector(1, proof)


def real_first(real: bytes, proof: bytes, ground: Ground) -> tuple[bytes, bytes]:
    """The real identity, then one that no server knows."""
    return real + unknown_identity(ground), vector(1, proof) + arbitrary_binder(ground)


def real_last(real: bytes, proof: bytes, ground: Ground) -> tuple[bytes, bytes]:
    """An identity that no server knows, then the real one."""
    return unknown_identity(ground) + real, arbitrary_binder(ground) + vector(1, proof)


def without(*removed: int) -> Change:
    """The hello without these extensions."""

    def change(hello: ClientHello, _: Session, __: Ground) -> ClientHello:
        for code in removed:
            hello = with_extension(hello, code, None)
        return hello

    return change


def setting(code: int, body: bytes) -> Change:
    """The hello with this extension."""
    return lambda hello, _, __: with_extension(hello, code, body)


def named_otherwise(hello: ClientHello, _: Session, __: Ground) -> ClientHello:
    """The hello for another name."""
    return with_server_name(hello, b"other.example")


def other_suites(hello: ClientHello, session: Session, _: Ground) -> ClientHello:
    """The hello without the session's suite."""
    return with_suites(hello, tuple(code for code in hello.suites if code != session.suite))


def repeated_suites(hello: ClientHello, session: Session, _: Ground) -> ClientHello:
    """The hello that names the session's suite 300 times."""
    return suite_repeated(hello, 300, session.suite)


def not_last(ground: Ground) -> Script:
    """The real PSK before the key_share."""
    session = session_of(ground, TLS13)
    hello = offering(ground.modern, session, ground)
    *others, item = hello.extensions or ()
    share = others.pop()
    return script_of(msgspec.structs.replace(hello, extensions=(*others, item, share)), session=session)


def early(data: int) -> Made:
    """early_data with a ticket, and behind the hello a record of so many bytes that no key opens (0: none)."""

    def make(ground: Ground) -> Script:
        session = spare_of(ground, TLS13)
        hello = offering(with_extension(ground.modern, EARLY_DATA, b""), session, ground)
        script = script_of(hello, session=session)
        behind = fragment(APPLICATION_DATA, TLS12, ground.random("early data").randbytes(data)) if data else b""
        return msgspec.structs.replace(script, payload=script.payload + behind)

    return sent(make)


def crossed(ground: Ground) -> Script:
    """The ticket of TLS 1.2 where an identity of TLS 1.3 belongs."""
    old = session_of(ground, TLS12)
    body = psks(identity(old.ticket, 0x10203040), arbitrary_binder(ground))
    return script_of(with_extension(ground.modern, PRE_SHARED_KEY, body))


def of_older_version(hello: ClientHello, _: Session, __: Ground) -> ClientHello:
    """The hello of TLS 1.1."""
    return msgspec.structs.replace(hello, legacy_version=0x0302)
