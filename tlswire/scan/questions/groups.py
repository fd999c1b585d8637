"""Which groups does the server do its key exchange in, and in whose order?

Groups are offered in lists, what the server picks is taken away until it refuses the rest, and every group found is
confirmed alone. A TLS 1.3 hello may come without key shares: the server then names its choice in a HelloRetryRequest
(RFC 9846 section 4.3.8), so nothing but the group's number is needed. Below TLS 1.3 the ServerKeyExchange tells
(RFC 8422 section 5.4). Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.certificates.facts import certificate_facts
from tlswire.errors import WireError
from tlswire.hello.builder import TLS12_VERSION, TLS13_VERSION
from tlswire.registry import GROUPS, SUITES, VERSIONS
from tlswire.results.answers.groups import Group, Groups, VersionGroups
from tlswire.results.scan import Finding
from tlswire.scan.proof import proof_of
from tlswire.scan.server import NO_ANSWER
from tlswire.wire.handshake import CERTIFICATE, SERVER_KEY_EXCHANGE, body_grammar
from tlswire.wire.messages import EcdheParams, ServerKeyExchange
from tlswire.wire.primitives import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.probe.exchange import Answer
    from tlswire.registry import GroupRow
    from tlswire.scan.server import Server

# A refused list is looked at again in pieces of so many groups: some servers refuse a list for its length or its head.
PIECE = 40
# NIST SP 800-57 part 1 table 2: 112 bits of security need 224 bits of a curve or 2048 of a field.
_WEAK_BITS = {"ffdhe": 2048}
_WEAK_CURVE = 224
_POST_QUANTUM = frozenset({"kem", "hybrid"})


class Pick(msgspec.Struct, frozen=True):
    """What the server did with a list of groups: the one it picked (None: refused), or no answer at all."""

    group: int | None
    answer: Answer
    known: bool = True


class Search:
    """The groups of one version of one server."""

    def __init__(self, server: Server, version: int) -> None:
        self.server = server
        self.version = version
        self.modern = version >= TLS13_VERSION
        self.suites = self._suites()
        # An ECDSA certificate is only used when its own curve is offered, too (RFC 8422 section 5.1.1).
        self.companion: int | None = None
        self.notes: list[str] = []

    def _suites(self) -> tuple[int, ...]:
        accepted = self.server.suites.get(self.version, ())
        if self.modern:
            return accepted
        elliptic = [code for code in accepted if SUITES[code].kex == "ECDHE"]
        return tuple([code for code in elliptic if SUITES[code].auth == "RSA"] or elliptic)

    @property
    def candidates(self) -> tuple[int, ...]:
        """Every registered group the version knows, the likeliest first; those of finite fields have DHE suites."""
        rows = [
            row
            for row in GROUPS
            if row.kind not in {"grease", "explicit"}
            and (row.tls13 or row.status != "iana" if self.modern else row.tls12 and row.kind != "ffdhe")
        ]
        return tuple(row.code for row in sorted(rows, key=lambda row: (row.recommended != "Y", row.code)))

    async def pick(self, groups: tuple[int, ...], shares: tuple[int, ...] = ()) -> Pick:
        """Offer exactly ``groups`` (and the companion) and see what becomes of them."""
        offered = groups if self.companion is None else tuple(dict.fromkeys((*groups, self.companion)))
        hello = self.server.hello(self.version, self.suites, groups=offered, key_shares=shares)
        answer = await self.server.ask(hello, whole_flight=not self.modern)
        if answer.kind in NO_ANSWER:
            return Pick(None, answer, known=False)
        group = self._group(answer)
        return Pick(group if group in groups else None, answer)

    def _group(self, answer: Answer) -> int | None:
        hello = answer.hello
        if hello is None or hello.version != self.version:
            return None
        if self.modern:
            return hello.group
        for message in answer.messages:
            if message.type == SERVER_KEY_EXCHANGE:
                try:
                    value = parse(body_grammar(SERVER_KEY_EXCHANGE, self.version, hello.suite), message.body)
                except WireError:
                    return None
                if isinstance(value, ServerKeyExchange) and isinstance(value.params, EcdheParams):
                    curve = value.params.parameters.curve
                    return curve if isinstance(curve, int) else None
        return None

    async def run(self) -> VersionGroups:
        """Eliminate, look again at what was refused, confirm alone."""
        candidates = self.candidates
        first = await self.pick(candidates)
        if not self.modern and any(SUITES[code].auth != "RSA" for code in self.suites):
            self.companion = _curve(first.answer)
        lists = first.group is not None
        found = await self._eliminate(candidates, first) if lists else []
        left = tuple(code for code in candidates if code not in found)
        if lists:
            pieces = [left[at : at + PIECE] for at in range(0, len(left), PIECE)]
            for more in await asyncio.gather(*(self._eliminate(piece) for piece in pieces)):
                found += more
            alone = await asyncio.gather(*(self._alone(code) for code in found))
        else:  # the server cannot do with a hello without shares
            alone = await asyncio.gather(*(self._alone(code) for code in candidates))
        preference = await self._preference(found)
        taken = [pick.group for pick in alone if pick.group is not None]
        unknown = [code for code, pick in zip(found if lists else candidates, alone, strict=True) if not pick.known]
        if preference == "client":
            rank = {code: at for at, code in enumerate(candidates)}
            alone = sorted(alone, key=lambda pick: rank.get(pick.group or 0, 0))
        return VersionGroups(
            version=VERSIONS[self.version].name,
            preference=preference if len(taken) > 1 else "unknown",
            groups=[_result(pick) for pick in alone if pick.group is not None],
            tried=len(candidates),
            unknown=[GROUPS.hex(code) for code in unknown],
        )

    async def _eliminate(self, groups: tuple[int, ...], first: Pick | None = None) -> list[int]:
        """The groups of a list that the server picks, in the order in which it does."""
        found: list[int] = []
        pick = first or await self.pick(groups)
        while pick.group is not None:
            found.append(pick.group)
            left = tuple(code for code in groups if code not in found)
            if not left:
                break
            pick = await self.pick(left)
        return found

    async def _alone(self, code: int) -> Pick:
        """One group by itself, with a share of its own; a HelloRetryRequest proves it where no share can be made."""
        pick = await self.pick((code,), (code,) if self.modern else ())
        if pick.group is None and pick.known and self.modern:
            return await self.pick((code,))
        return pick

    async def _preference(self, found: list[int]) -> Literal["server", "client", "unknown"]:
        if len(found) < 2:
            return "unknown"
        pick = await self.pick(tuple(reversed(found)))
        return "unknown" if pick.group is None else "server" if pick.group == found[0] else "client"


async def ask(server: Server) -> Groups:
    """The groups under TLS 1.3, and under the newest older version that does elliptic curves."""
    older = next((Search(server, code) for code in server.versions if code <= TLS12_VERSION), None)
    searches = [Search(server, TLS13_VERSION)] if TLS13_VERSION in server.versions else []
    if older is not None and older.suites:
        searches.append(older)
    if not searches:
        return Groups(state="not-applicable", notes=["no version that was accepted does its key exchange in a group"])
    versions = list(await asyncio.gather(*(search.run() for search in searches)))
    unknown = any(version.unknown for version in versions)
    return Groups(
        state="incomplete" if unknown else "complete",
        versions=versions,
        notes=[note for search in searches for note in search.notes],
    )


def findings(answer: Groups) -> Iterator[Finding]:
    """Groups of less than 112 bits of security."""
    for version in answer.versions:
        weak = [group.name for group in version.groups if _weak(GROUPS.find(group.name))]
        if weak:
            text = f"groups of less than 112 bits of security: {', '.join(weak)}"
            yield Finding("group-weak", "weak", text, "NIST SP 800-57 part 1 table 2, RFC 8422 5.1.1", version.version)


def _weak(row: GroupRow) -> bool:
    return 0 < row.bits < _WEAK_BITS.get(row.kind, _WEAK_CURVE)


def _result(pick: Pick) -> Group:
    row = GROUPS[pick.group or 0]
    return Group(
        code=GROUPS.hex(row.code),
        name=row.name,
        kind=row.kind,
        bits=row.bits,
        post_quantum=row.kind in _POST_QUANTUM,
        answer="retry" if pick.answer.kind == "retry" else "hello",
        proof=proof_of(pick.answer),
    )


def _curve(answer: Answer) -> int | None:
    """The curve of the leaf in a flight in clear."""
    hello = answer.hello
    for message in answer.messages:
        if message.type == CERTIFICATE and hello is not None:
            try:
                chain = parse(body_grammar(CERTIFICATE, hello.version), message.body).chain
            except WireError:
                return None
            key = certificate_facts(chain[0]).key if chain else None
            name = (key or "").removeprefix("EC ")
            return GROUPS.find(name).code if key and key.startswith("EC ") else None
    return None
