"""What a server should draw anew for every handshake, gathered from everything a scan heard of it, and compared.

Sources: RFC 5246 sections 7.4.1.2 and 7.4.1.3, RFC 9325 section 7.4. Pure but for ``gather``'s look at a Server's
memory. Must not import ``report`` or ``cli``, nor any question.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.crypto.shares import server_parts
from tlswire.errors import WireError
from tlswire.hello.builder import TLS13_VERSION
from tlswire.registry import GROUPS
from tlswire.results.answers.ephemeral import Keys, Randoms
from tlswire.wire.extension_bodies import KeyShareEntry
from tlswire.wire.handshake import SERVER_KEY_EXCHANGE, body_grammar
from tlswire.wire.messages import DheParams, EcdheParams, ServerHello, ServerKeyExchange
from tlswire.wire.primitives import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.exchange import Answer
    from tlswire.results.answers.ephemeral import SessionIds
    from tlswire.scan.server import Server

Exchange = Literal["DHE", "ECDHE", "TLS 1.3"]
KEY_SHARE = 51
# So many values tell use from reuse, and so many randoms a clock from a chance.
ENOUGH = 3
# Seconds by which a clock may seem to differ from one hello to another: it counts whole ones, and answers take time.
TOLERANCE = 3.0


class Key(msgspec.Struct, frozen=True):
    """One public value of the server."""

    exchange: Exchange
    group: str
    public: bytes


class Heard(msgspec.Struct, frozen=True):
    """One ServerHello: the session id the client sent (None: not kept), and the seconds since 1970 when it had come."""

    hello: ServerHello
    keys: tuple[Key, ...]
    offered_id: bytes | None
    at: float


def gather(server: Server, epoch: float) -> list[Heard]:
    """Every ServerHello of a scan so far; ``epoch`` is the time in seconds since 1970 when the loop's clock was 0."""
    pairs = [(each.probe, each.answer) for proofs in server.proofs.values() for each in proofs]
    found = []
    for probe, answer in (*pairs, *server.known.answers):
        if answer.hello is not None and not answer.hello.is_retry:
            offered = None if probe.hello is None else probe.hello.session_id
            at = epoch + answer.started + answer.elapsed
            found.append(Heard(answer.hello, tuple(keys_of(answer)), offered, at))
    for conversation in server.known.conversations:
        if conversation.hello is not None:
            offered = None if conversation.offered is None else conversation.offered.session_id
            at = epoch + conversation.started
            found.append(Heard(conversation.hello, tuple(keys_of(conversation)), offered, at))
    return found


def key_exchange_of(answer: Answer | Conversation) -> ServerKeyExchange | None:
    """The ServerKeyExchange of a flight in clear; None where there is none, or none that can be read."""
    hello = answer.hello
    for message in answer.messages:
        if message.type == SERVER_KEY_EXCHANGE and hello is not None and hello.version < TLS13_VERSION:
            try:
                value = parse(body_grammar(SERVER_KEY_EXCHANGE, hello.version, hello.suite), message.body)
            except WireError:
                return None
            return value if isinstance(value, ServerKeyExchange) else None
    return None


def keys_of(answer: Answer | Conversation) -> Iterator[Key]:
    """The server's public values in an answer; a hybrid share has two."""
    hello = answer.hello
    if hello is None:
        return
    share = hello.readable(KEY_SHARE)
    if isinstance(share, KeyShareEntry):
        try:
            parts = server_parts(share.group, share.key_exchange)
        except WireError:
            parts = ((share.group, share.key_exchange),)
        yield from (Key("TLS 1.3", GROUPS[group].name, value) for group, value in parts)
    exchange = key_exchange_of(answer)
    params = None if exchange is None else exchange.params
    if isinstance(params, DheParams):
        bits = int.from_bytes(params.prime, "big").bit_length()
        yield Key("DHE", f"{bits} bits", params.prime + params.public)
    elif isinstance(params, EcdheParams):
        curve = params.parameters.curve
        yield Key("ECDHE", GROUPS[curve].name if isinstance(curve, int) else "explicit curve", params.public)


def keys(heard: Iterable[Heard]) -> list[Keys]:
    """How many public values of each group are distinct, the most seen first."""
    values: defaultdict[tuple[Exchange, str], list[bytes]] = defaultdict(list)
    for each in heard:
        for key in each.keys:
            values[key.exchange, key.group].append(key.public)
    rows = [Keys(exchange, group, len(seen), len(set(seen))) for (exchange, group), seen in values.items()]
    return sorted(rows, key=lambda row: (row.exchange, -row.seen))


def randoms(heard: Iterable[Heard]) -> Randoms:
    """Whether randoms repeat, are no randoms, or begin with the time (RFC 5246 section 7.4.1.2: gmt_unix_time)."""
    values = [(each.hello.random, each.at) for each in heard]
    early = [int.from_bytes(random[:4], "big") - at for random, at in values]
    middle = median(early) if len(early) >= ENOUGH else None
    clock = None if middle is None else sum(abs(ahead - middle) <= TOLERANCE for ahead in early) > 0.9 * len(early)
    return Randoms(
        seen=len(values),
        distinct=len({random for random, _ in values}),
        constant=sum(len(set(random)) == 1 for random, _ in values),
        clock=clock,
        skew_s=round(middle, 1) if clock and middle is not None else None,
    )


def session_ids(heard: Iterable[Heard]) -> tuple[SessionIds, list[bytes]]:
    """What the session ids are that clients without one get before TLS 1.3, and the ids."""
    ids = [each.hello.session_id for each in heard if each.offered_id == b"" and each.hello.version < TLS13_VERSION]
    given = [value for value in ids if value]
    if not ids:
        return "unknown", ids
    if not given:
        return "empty", ids
    if len(set(given)) < len(given):
        return "repeated", ids
    return "fresh" if len(given) == len(ids) else "mixed", ids
