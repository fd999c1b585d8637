"""Are the server's Diffie-Hellman parameters good, and is what should be drawn anew for every handshake?

Each kind of DHE suite is asked once for its parameters (RFC 5246 section 7.4.3), the commonest exchanges three times
for their public values (RFC 9325 section 7.4). Randoms and session ids come from everything the scan heard before,
which is why this question is asked last. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from tlswire.crypto.primes import known_prime, structure
from tlswire.hello.builder import TLS12_VERSION, TLS13_VERSION
from tlswire.registry import GROUPS, SUITES, VERSIONS
from tlswire.results.answers.ephemeral import DhParameters, Ephemeral, Sessions
from tlswire.results.scan import Finding
from tlswire.scan.proof import ending_of, proof_of
from tlswire.scan.randomness import ENOUGH, gather, key_exchange_of, keys, keys_of, randoms, session_ids
from tlswire.scan.server import groups_of
from tlswire.wire.messages import DheParams

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tlswire.probe.exchange import Answer
    from tlswire.results.answers.ephemeral import Stranger
    from tlswire.scan.randomness import Exchange, Heard
    from tlswire.scan.server import Server

# The parameters of so many kinds of suites are looked at.
MOST_FAMILIES = 10
# The ServerKeyExchange stands behind the chain.
PROOF_BYTES = 1 << 14
# RFC 9325 section 4.2, and what Logjam broke.
STRONG, BROKEN = 2048, 1024
# Beyond, a handshake costs a server what it costs nobody else.
HEAVY = 4096


class Family(msgspec.Struct, frozen=True):
    """Suites that a server may give parameters of their own: servers go by who signs, and by the cipher's strength."""

    auth: str
    export: bool
    strong: bool

    @property
    def name(self) -> str:
        """As it is told."""
        kind = "export " if self.export else ""
        return f"{kind}DHE {self.auth}{' with 256-bit ciphers' if self.strong else ''}"


class Asking(msgspec.Struct, frozen=True):
    """One way to get a flight: ``named`` lists the groups of RFC 7919, which most clients do not."""

    version: int
    suite: int
    named: bool = False


async def ask(server: Server) -> Ephemeral:
    """Parameters, then as many values again as it takes to compare, then what all questions heard."""
    if not server.versions:
        return Ephemeral(state="not-applicable", notes=["no version from SSLv3 on is accepted"])
    found = await asyncio.gather(*(_family(server, asking) for asking in _families(server).values()))
    families = dict(zip(_families(server), found, strict=True))
    notes = [
        f"no parameters of {family.name}: {ending_of(answer)}"
        for family, (_, answer) in families.items()
        if _params(answer) is None
    ]
    parameters = await asyncio.to_thread(_parameters, families)
    named, stranger = await asyncio.gather(_named_groups(server, families), _stranger(server))
    epoch = time.time() - asyncio.get_running_loop().time()
    missing = _missing(server, gather(server, epoch), families)
    again = await asyncio.gather(*(_flight(server, asking) for asking in missing))
    notes += [f"no key to compare: {ending_of(answer)}" for answer in again if not any(keys_of(answer))]
    heard = gather(server, epoch)
    older = any(version <= TLS12_VERSION for version in server.versions)
    ids, given = session_ids(heard)
    if "unknown" in {ids, stranger} and older:
        notes.append("no clear answer to a session id")
    return Ephemeral(
        state="incomplete" if notes else "complete",
        parameters=parameters,
        named_groups=named,
        keys=keys(heard),
        randoms=randoms(heard) if heard else None,
        sessions=Sessions(ids, len(given), sorted({len(value) for value in given}), stranger) if older else None,
        notes=notes,
    )


def _families(server: Server) -> dict[Family, Asking]:
    """A version and a suite for each kind of DHE suites, the newest version that has one."""
    found: dict[Family, Asking] = {}
    for version in server.versions:
        for code in server.suites[version] if version <= TLS12_VERSION else ():
            row = SUITES[code]
            if row.kex == "DHE" or (row.kex == "DH" and row.anonymous):
                found.setdefault(Family(row.auth, row.export, row.bits >= 256), Asking(version, code))
    return dict(list(found.items())[:MOST_FAMILIES])


async def _family(server: Server, asking: Asking) -> tuple[Asking, Answer]:
    """What most clients get, or what those get that list groups where the server does DHE with no others."""
    answer = await _flight(server, asking)
    if answer.hello is None and server.shape.extensions:
        asking = msgspec.structs.replace(asking, named=True)
        answer = await _flight(server, asking)
    return asking, answer


async def _flight(server: Server, asking: Asking) -> Answer:
    version, suite = asking.version, asking.suite
    if version >= TLS13_VERSION:
        # A share in the group that it picks, or asked for: what answers it is a share, not a HelloRetryRequest.
        picked = {each.answer.hello.group for each in server.proofs[version] if each.answer.hello is not None}
        shares = tuple(code for code in groups_of(version) if code in picked)[:1]
        changes = {"groups": shares, "key_shares": shares} if shares else {}
        return await server.ask(server.hello(version, (suite,), **changes))
    groups = tuple(code for code in groups_of(version) if asking.named or GROUPS[code].kind != "ffdhe")
    return await server.ask(server.hello(version, (suite,), groups=groups), whole_flight=True)


def _params(answer: Answer) -> DheParams | None:
    exchange = key_exchange_of(answer)
    params = None if exchange is None else exchange.params
    return params if isinstance(params, DheParams) else None


def _parameters(families: Mapping[Family, tuple[Asking, Answer]]) -> list[DhParameters]:
    """The parameters seen, those of several kinds of suites once."""
    found: dict[tuple[int, int], DhParameters] = {}
    for family, (asking, answer) in families.items():
        params = _params(answer)
        if params is None:
            continue
        prime, generator = int.from_bytes(params.prime, "big"), int.from_bytes(params.generator, "big")
        same = found.get((prime, generator))
        if same is None:
            same = _described(prime, generator, params, family, asking, answer)
        else:
            names = [*same.families, family.name]
            same = msgspec.structs.replace(same, families=names, export=same.export and family.export)
        found[prime, generator] = same
    return list(found.values())


def _described(
    prime: int, generator: int, params: DheParams, family: Family, asking: Asking, answer: Answer
) -> DhParameters:
    known = known_prime(prime)
    public = int.from_bytes(params.public, "big")
    return DhParameters(
        version=VERSIONS[asking.version].name,
        suite=SUITES[asking.suite].name,
        families=[family.name],
        export=family.export,
        bits=prime.bit_length(),
        name="" if known is None else known.name,
        structure=structure(prime),
        prime=f"{prime:x}",
        generator=f"{generator:x}",
        in_range=all(2 <= value <= prime - 2 for value in (generator, public)),
        proof=proof_of(answer, PROOF_BYTES),
    )


async def _named_groups(server: Server, families: Mapping[Family, tuple[Asking, Answer]]) -> bool | None:
    """Whether a client that lists groups of RFC 7919 gets one of them (its section 4)."""
    asking, answer = next((found for family, found in families.items() if not family.export), (None, None))
    if asking is None or answer is None or not server.shape.extensions:
        return None
    if not asking.named:
        answer = await _flight(server, msgspec.structs.replace(asking, named=True))
    params = _params(answer)
    known = None if params is None else known_prime(int.from_bytes(params.prime, "big"))
    return None if params is None else known is not None and known.name.startswith("ffdhe")


async def _stranger(server: Server) -> Stranger:
    version = next((code for code in server.versions if code <= TLS12_VERSION), None)
    if version is None:
        return "unknown"
    hello = server.hello(version, server.suites[version])
    hello = msgspec.structs.replace(hello, session_id=hello.random)
    answer = await server.ask(hello)
    if answer.hello is None:
        return "unknown"
    given = answer.hello.session_id
    return "echoed" if given == hello.session_id else "fresh" if given else "empty"


def _missing(server: Server, heard: list[Heard], families: Mapping[Family, tuple[Asking, Answer]]) -> list[Asking]:
    """The handshakes it takes to have ``ENOUGH`` values of one group of each exchange."""
    seen: dict[Exchange, int] = {}
    for row in keys(heard):
        seen[row.exchange] = max(seen.get(row.exchange, 0), row.seen)
    elliptic = (
        Asking(version, code)
        for version in server.versions
        for code in server.suites[version]
        if version <= TLS12_VERSION and SUITES[code].kex == "ECDHE"
    )
    modern = (Asking(TLS13_VERSION, code) for code in server.suites.get(TLS13_VERSION, ()))
    places: dict[Exchange, Asking | None] = {
        "DHE": next((asking for asking, answer in families.values() if _params(answer) is not None), None),
        "ECDHE": next(elliptic, None),
        "TLS 1.3": next(modern, None),
    }
    return [
        asking
        for exchange, asking in places.items()
        if asking is not None
        for _ in range(max(0, ENOUGH - seen.get(exchange, 0)))
    ]


def findings(answer: Ephemeral) -> Iterator[Finding]:
    """Weak or wrong parameters, and values that come twice."""
    for params in answer.parameters:
        yield from _of_parameters(params)
    for exchange, category, cve in (
        ("DHE", "weak", "CVE-2020-1968"),
        ("ECDHE", "legacy", ""),
        ("TLS 1.3", "legacy", ""),
    ):
        repeated = [row for row in answer.keys if row.exchange == exchange and row.distinct < row.seen]
        if repeated:
            shown = ", ".join(f"{row.group}: {row.distinct} in {row.seen} handshakes" for row in repeated)
            yield Finding(
                "ephemeral-reuse",
                category,
                f"uses {exchange} keys for more than one handshake ({shown})",
                "RFC 9325 7.4",
                cve=[cve] if cve else [],
                remedy="draw a key for every handshake: in OpenSSL SSL_OP_SINGLE_DH_USE and SSL_OP_SINGLE_ECDH_USE",
            )
    randoms_ = answer.randoms
    if randoms_ is not None and (randoms_.distinct < randoms_.seen or randoms_.constant):
        yield Finding(
            "server-random",
            "weak",
            f"server randoms are no randoms: {randoms_.distinct} different in {randoms_.seen} handshakes",
            "RFC 5246 7.4.1.2, RFC 9846 4.2.3",
            remedy="repair the server's random number generator",
        )
    if answer.sessions is not None and answer.sessions.stranger == "echoed":
        yield Finding(
            "session-id-echoed",
            "fault",
            "echoes a session id it never gave, which says that it resumes that session",
            "RFC 5246 7.4.1.3",
            remedy="update the TLS library",
        )


def _of_parameters(params: DhParameters) -> Iterator[Finding]:
    what = f"DHE with {f'the {params.bits} bits of {params.name}' if params.name else f'a prime of {params.bits} bits'}"
    where = (params.version, [params.suite])
    if params.structure == "composite":
        yield Finding("dh-composite", "fault", f"{what}, which is no prime", "RFC 5246 8.1.2", *where, remedy=_GENERATE)
    if not params.in_range:
        text = f"{what}: generator or public value is not between 2 and p-2"
        yield Finding("dh-range", "fault", text, "RFC 7919 5.1", *where, remedy=_GENERATE)
    if params.bits < STRONG:
        broken = params.bits < BROKEN
        cve = ["CVE-2015-4000"] if broken else []
        text = f"{what}{', which anybody can break (Logjam)' if broken else ', fewer than 2048'}"
        yield Finding("dh-weak", "weak", text, "RFC 9325 4.2", *where, cve=cve, remedy=_GENERATE)
    if params.structure == "not-safe":
        text = f"{what} that is not safe: nobody can tell the order of its subgroups"
        yield Finding("dh-not-safe", "legacy", text, "RFC 7919 8.5", *where, remedy=_GENERATE)
    if params.bits > HEAVY:
        text = f"{what}: every handshake that a client begins costs the server an exponentiation of that size"
        remedy = "ffdhe3072, or ECDHE alone"
        yield Finding("dh-heavy", "info", text, "D(HE)at", *where, cve=["CVE-2002-20001"], remedy=remedy)


_GENERATE = "take ffdhe2048 or ffdhe3072 of RFC 7919, or leave DHE out"
