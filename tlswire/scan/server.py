"""One server under questioning: what the enumeration found out, and the ways to ask it more.

Everything goes through the prober, so pacing, doubt and control hellos hold for questions as for suites, and every
connection is counted. Must not import ``report`` or ``cli``, nor any question.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Generic

import msgspec

from tlswire.crypto.protection import can_protect
from tlswire.crypto.shares import supported
from tlswire.handshake.client import Client
from tlswire.handshake.offer import offer, resuming
from tlswire.hello.builder import (
    SSLV3_VERSION,
    TLS12_VERSION,
    TLS13_VERSION,
    USUAL_SCHEMES,
    Shape,
    client_hello,
    encode_client_hello,
)
from tlswire.hello.edit import with_extension
from tlswire.probe.exchange import FAULT, NOT_TLS, UNASKED, UNSETTLED
from tlswire.registry import GROUPS, SUITES, VERSIONS
from tlswire.scan.attempts import Attempt
from tlswire.scan.offers import Probe
from tlswire.scan.preflight import COMMON
from tlswire.scan.prober import A, Prober, Try
from tlswire.wire.extension_bodies import OcspRequest, StatusRequest
from tlswire.wire.extensions import encode_extension

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tlswire.certificates.stores import Anchors
    from tlswire.handshake.conversation import Conversation, Session
    from tlswire.probe.exchange import Answer
    from tlswire.probe.opening import Opening
    from tlswire.probe.transport import Address, Cuts
    from tlswire.results.scan import Verdict
    from tlswire.scan.tally import Accepted, Tally
    from tlswire.wire.messages import ClientHello

STATUS_REQUEST, SCT = 5, 18
# Key exchanges that ``handshake`` completes below TLS 1.3.
_COMPLETED = frozenset({"ECDHE", "DHE", "RSA"})


@cache
def groups_of(version: int) -> tuple[int, ...]:
    """The groups that can be computed here, the most deployed first; of TLS 1.3 or of what came before it."""
    modern = version >= TLS13_VERSION
    rows = [row for row in GROUPS if (row.tls13 if modern else row.tls12) and supported(row.code)]
    first = (0x001D, 0x0017, 0x0018, 0x0019, 0x11EC, 0x001E)
    rank = {code: at for at, code in enumerate(first)}
    return tuple(row.code for row in sorted(rows, key=lambda row: rank.get(row.code, len(rank))))


# RFC 6761 section 6.4: nobody has this name.
UNKNOWN_NAME = b"unknown.invalid"

# No connection was made, or no two of them agree: nothing follows from such an answer. Every other is the server's.
_UNKNOWN = frozenset({UNASKED, UNSETTLED})
# What a question cannot judge: also a server that broke off in a way of its own; and one that answered without TLS.
NO_ANSWER = _UNKNOWN | {FAULT}
NO_VERDICT = NO_ANSWER | {NOT_TLS}


def is_unknown(answer: Answer | Conversation) -> bool:
    """Whether an answer leaves everything open, rather than being a refusal in whatever way."""
    return answer.kind in _UNKNOWN


class Known(msgspec.Struct):
    """What all questions of one scan share: conversations already had, and everything heard, for those who compare.

    ``faults`` are the reasons for which usual handshakes failed, each with the versions chosen, once for each connection.
    ``staples``: hellos with status_request are answered, as far as is known (wolfSSL under lighttpd closes).
    """

    staples: bool = True
    first: dict[int, asyncio.Task[Conversation]] = {}
    named: dict[bytes | None, asyncio.Task[Conversation]] = {}
    answers: list[tuple[Probe, Answer]] = []
    conversations: list[Conversation] = []
    faults: defaultdict[str, list[int]] = msgspec.field(default_factory=lambda: defaultdict(list))


# Where a fault was, which is another place in every conversation.
_OFFSET = re.compile(r" at byte \d+$")


class Server:
    """One server as one question sees it; ``connections`` counts those made for this question."""

    def __init__(
        self,
        prober: Prober,
        shape: Shape,
        tallies: Sequence[Tally],
        *,
        host: str,
        resumptions: int,
        seed: int = 0,
        anchors: Mapping[str, Anchors] | None = None,
        question: str = "",
        known: Known | None = None,
    ) -> None:
        self.prober = prober
        self.shape = shape
        self.host = host
        self.seed = seed
        self.anchors = anchors
        self.resumptions = resumptions
        self.question = question
        self.known = Known() if known is None else known
        self.connections = 0
        self._tallies = tallies
        self._made = 0

    def asked_by(self, question: str) -> Server:
        """The same server for ``question``, counting its connections apart."""
        return Server(
            self.prober,
            self.shape,
            self._tallies,
            host=self.host,
            seed=self.seed,
            anchors=self.anchors,
            resumptions=self.resumptions,
            question=question,
            known=self.known,
        )

    # What is known.

    @property
    def server_name(self) -> bytes | None:
        """The server name that hellos send."""
        return self.shape.server_name

    @property
    def suites(self) -> Mapping[int, tuple[int, ...]]:
        """Version code -> the suites it accepts, the server's favourite first where it has one; SSLv2's kinds too."""
        return {
            tally.version: tally.order or tuple(code for code in tally.candidates if code in tally.accepted)
            for tally in self._tallies
            if tally.accepted
        }

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions accepted, SSLv3 to TLS 1.3, newest first."""
        return tuple(sorted((code for code in self.suites if code >= SSLV3_VERSION), reverse=True))

    @property
    def proofs(self) -> Mapping[int, tuple[Accepted, ...]]:
        """Version code -> the hellos that proved its suites, and the answers."""
        return {tally.version: tuple(tally.accepted.values()) for tally in self._tallies if tally.accepted}

    def verdict(self, version: int, suite: int) -> Verdict:
        """Of a suite (SSLv2: a cipher kind) in a version; unknown also where nobody asked."""
        tally = next((tally for tally in self._tallies if tally.version == version), None)
        if tally is None:
            return "unknown"
        return "accepted" if suite in tally.accepted else "rejected" if suite in tally.rejected else "unknown"

    def version_verdict(self, version: int) -> Verdict:
        """Of a version as a whole; unknown also where nobody asked."""
        tally = next((tally for tally in self._tallies if tally.version == version), None)
        if tally is None:
            return "unknown"
        return "accepted" if tally.accepted else "unknown" if tally.unknown or tally.open else "rejected"

    def completed(self, version: int) -> tuple[int, ...]:
        """Those suites of ``version`` whose handshakes can be completed here."""
        return tuple(
            code
            for code in self.suites.get(version, ())
            if can_protect(version, code)
            and (version >= TLS13_VERSION or (SUITES[code].kex in _COMPLETED and SUITES[code].auth != "PSK"))
        )

    # How to ask.

    def rng(self) -> random.Random:
        """A generator of its own for every hello: the same seed and question give the same bytes."""
        self._made += 1
        return random.Random(f"{self.seed} {self.question} {self._made}")

    def hello(
        self, versions: int | tuple[int, ...], suites: tuple[int, ...] | None = None, **changes: object
    ) -> ClientHello:
        """A hello of the shape the server is known to answer, for the suites it accepts; ``changes`` are fields of
        ``Shape``. It lists the groups that can be completed here and the usual schemes.
        """
        offered = (versions,) if isinstance(versions, int) else versions
        if suites is None:
            newest = sorted(offered, reverse=True)
            suites = tuple(
                dict.fromkeys(code for one in newest for code in self.completed(one) or self.suites.get(one, ()))
            )
        usual = Shape(
            server_name=self.shape.server_name,
            alpn=self.shape.alpn,
            groups=tuple(dict.fromkeys(code for one in offered for code in groups_of(one))),
            schemes=USUAL_SCHEMES,
            extensions=self.shape.extensions,
        )
        return client_hello(offered, suites, rng=self.rng(), shape=msgspec.structs.replace(usual, **changes))

    async def ask(
        self,
        hello: ClientHello,
        *,
        whole_flight: bool = False,
        payload: bytes | None = None,
        cuts: Cuts | None = None,
    ) -> Answer:
        """The answer to ``hello`` alone (``payload``: its records, where they are not the usual ones), which goes out in
        the pieces of ``cuts``.
        """
        payload = payload or encode_client_hello(hello)
        probe = Probe(hello.versions, hello.suites, payload, hello, whole_flight=whole_flight, cuts=cuts)
        answer = await self._counted(probe)
        self.known.answers.append((probe, answer))
        return answer

    async def handshake(
        self,
        hello: ClientHello,
        *,
        session: Session | None = None,
        age: float = 0.0,
        request: bytes = b"",
        early_data: bytes = b"",
        client: Callable[..., Client] = Client,
        title: str = "",
        seed: float | None = None,
        unhurried: bool = False,
    ) -> Conversation:
        """A whole handshake that begins with ``hello``, its key shares made real; resuming ``session`` where given.

        ``client`` may be a subclass of Client that does something else at the end. The same ``seed`` and arguments
        give the same bytes: a replay. ``unhurried`` gives the user's whole timeout to a client that waits for silence.
        """
        if session is not None:
            hello = resuming(hello, session, age=age, early_data=bool(early_data))
        seed = self.rng().random() if seed is None else seed

        def make() -> Client:
            rng = random.Random(seed)
            return client(offer(hello, rng), rng, session=session, request=request, early_data=early_data)

        name = "+".join(VERSIONS[code].name for code in hello.versions)
        least = self.prober.limits.timeout if unhurried else 0.0
        conversation = await self._counted(Attempt(title or f"{self.question} {name} handshake", make, least=least))
        self.known.conversations.append(conversation)
        # A session that is offered, or a client of another kind, may provoke what it meets; its question judges that.
        if conversation.kind == FAULT and session is None and client is Client:
            self.known.faults[_OFFSET.sub("", conversation.reason)].append(conversation.version or hello.versions[0])
        return conversation

    async def first(self, version: int) -> Conversation:
        """The usual handshake of ``version``, with what certificates come with asked for; made once for all questions."""
        task = self.known.first.get(version)
        if task is None:
            task = self.known.first[version] = asyncio.create_task(self._first(version))
        return await asyncio.shield(task)

    def usual_offer(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Versions and suites of a usual client that wants another host than the target: TLS 1.2 beside TLS 1.3, and
        usual suites beside those accepted, for that host may have another certificate and another configuration.
        """
        newest = self.versions[0]
        versions = (newest, TLS12_VERSION) if newest >= TLS13_VERSION else (newest,)
        known = [code for one in versions for code in self.completed(one) or self.suites.get(one, ())]
        return versions, tuple(dict.fromkeys((*known, *COMMON)))

    async def named(self, name: bytes | None) -> Conversation:
        """The handshake of a usual client that wants another host, or none; made once for all questions."""
        task = self.known.named.get(name)
        if task is None:
            hello = self.certificate_hello(*self.usual_offer(), server_name=name)
            task = self.known.named[name] = asyncio.create_task(self.handshake(hello))
        return await asyncio.shield(task)

    async def _first(self, version: int) -> Conversation:
        title = f"{VERSIONS[version].name} handshake"
        asked = self.known.staples
        shown = await self.handshake(self.certificate_hello(version), title=title)
        if shown.accepts or is_unknown(shown) or not asked:
            return shown
        self.known.staples = False
        again = await self.handshake(self.certificate_hello(version), title=title)
        self.known.staples = not again.accepts
        return again if again.accepts else shown

    def certificate_hello(
        self, version: int | tuple[int, ...], suites: tuple[int, ...] | None = None, **changes: object
    ) -> ClientHello:
        """A hello that asks for what may come with a certificate, too: an OCSP staple and SCTs."""
        hello = self.hello(version, suites, **changes)
        if hello.extensions is None:
            return hello
        if self.known.staples:
            status = StatusRequest(1, OcspRequest((), b""))
            hello = with_extension(hello, STATUS_REQUEST, encode_extension(STATUS_REQUEST, status, "ch"))
        return with_extension(hello, SCT, b"")

    async def _counted(self, what: Try[A]) -> A:
        return await self.prober.ask(_Counted(what, self))


class _Counted(Generic[A]):
    """A try whose connections are counted, repetitions included."""

    def __init__(self, what: Try[A], server: Server) -> None:
        self._what = what
        self._server = server
        self.title = what.title
        self.suites = what.suites

    async def put(self, address: Address, *, opening: Opening | None, timeout: float, want_local: bool) -> A:
        """One connection."""
        self._server.connections += 1
        return await self._what.put(address, opening=opening, timeout=timeout, want_local=want_local)

    def nothing(self, kind: str, reason: str) -> A:
        """No connection."""
        return self._what.nothing(kind, reason)
