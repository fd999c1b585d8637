"""One address visited as a policy's client would: few connections, each asked for a rule, and what they showed.

First the client's own hello. Where it gets a handshake, that connection is what counts, and the rest is asked for
warnings: the same hello for TLS 1.2 alone, old versions, suites nobody needs, a hello in two segments. Where it gets
none, wider hellos find out what the server would do instead, so that the broken rule can be named. Everything goes
through the prober: an ending without a word is believed only when it repeats itself.
Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from tlswire.check import fetch, http
from tlswire.check.clients import extra_suites, wide, widened, without_post_quantum
from tlswire.check.plain import Spoken
from tlswire.escape import printable
from tlswire.handshake.client import Brief, Client
from tlswire.handshake.offer import offer
from tlswire.hello.builder import SSLV3_VERSION, TLS12_VERSION, TLS13_VERSION, Shape, client_hello, encode_client_hello
from tlswire.hello.replay import only_version
from tlswire.policy.facts import KINDS, Facts, Subject
from tlswire.policy.observed.chains import chain_subjects, issuer_of
from tlswire.policy.observed.handshakes import OFFERS, attempt, suite_parts
from tlswire.probe.exchange import NOT_TLS, PROXY, REFUSED, STALLED, STARTTLS, TIMEOUT, UNREACHABLE
from tlswire.probe.transport import Cuts
from tlswire.registry import GROUPS, SCHEMES, SUITES, VERSIONS
from tlswire.results.verdict import Handshake, Hop
from tlswire.scan.attempts import Attempt
from tlswire.scan.offers import Probe
from tlswire.scan.proof import ending_of, proof_of
from tlswire.scan.questions.certificates import occasion_of, presented
from tlswire.scan.server import is_unknown

if TYPE_CHECKING:
    from tlswire.check.plan import Plan
    from tlswire.handshake.conversation import Conversation
    from tlswire.policy.terms import Value
    from tlswire.probe.exchange import Answer
    from tlswire.results.answers.certificates import PresentedChain
    from tlswire.results.certificates import CertificateDetails
    from tlswire.scan.prober import Prober
    from tlswire.wire.messages import ClientHello

# Where the hello is cut, and how long the pieces are apart in seconds: less than a full segment of Ethernet.
CUT, PAUSE = 1200, 0.02
# No server is asked more often, whatever it does.
MOST_CONNECTIONS = 25
_NOBODY = frozenset({REFUSED, UNREACHABLE, PROXY, STARTTLS})
_SILENCE = frozenset({TIMEOUT, STALLED})
# A hello that nobody finds too long or too new has so many suites and one of these versions.
MODEST, _MODEST_VERSIONS = 20, (TLS12_VERSION, 0x0301)
_OLD = (0x0302, 0x0301, SSLV3_VERSION)
PLAIN_HTTP = "plain-http"


class Seen(msgspec.Struct):
    """What a visit showed: facts for the policy, and what a reader wants to see of them. ``error``: why there is nothing."""

    address: str
    facts: Facts = msgspec.field(default_factory=Facts)
    handshakes: list[Handshake] = []
    chains: dict[tuple[bytes, ...], PresentedChain] = {}
    hops: list[Hop] = []
    error: str | None = None
    reachable: bool = True


class Visit:
    """One visit under way; see the module's text. ``hello`` is the client's, made for this host."""

    def __init__(self, prober: Prober, plan: Plan, host: str, server_name: bytes | None, hello: ClientHello) -> None:
        self.prober = prober
        self.plan = plan
        self.host = host
        self.server_name = server_name
        self.hello = hello
        self.now = plan.now or dt.datetime.now(dt.UTC)
        self.seen = Seen(prober.address.host)
        self._accepted: dict[int, bool | None] = {}

    async def run(self) -> Seen:
        """Ask everything, in the order of what matters most."""
        shown = await self._handshake("client", self.hello)
        if shown.finished:
            await self._granted(shown)
        else:
            await self._denied(shown)
        self.seen.facts.add(
            Subject("version", "", {"version": code, "accepted": accepted}, node=self.seen.address)
            for code, accepted in sorted(self._accepted.items(), reverse=True)
        )
        return self.seen

    async def fetch(self) -> Seen:
        """Ask for nothing but one answer over HTTP."""
        await self._get()
        return self.seen

    def interrupted(self) -> None:
        """Say of every kind of fact that it was not all asked."""
        for kind in KINDS:
            self.seen.facts.gaps.setdefault(kind, "interrupted")

    # The client got a handshake.

    async def _granted(self, shown: Conversation, *, large: bool = True) -> None:
        newest, forced = shown.version, None
        if TLS13_VERSION in self.hello.versions:
            self._accepted[TLS13_VERSION] = newest >= TLS13_VERSION
        if newest >= TLS13_VERSION:
            forced = await self._handshake("tls12", only_version(self.hello, TLS12_VERSION))
        if self.plan.http and not self.plan.starttls:
            await self._get()
        if large:
            self._tolerates("a hello with a post-quantum share", tolerated=True)
            await self._in_segments()
        await self._others()
        if forced is not None and not forced.accepts and self._accepted.get(TLS12_VERSION) is False:
            # Who has no TLS 1.2 at all cannot be forced to it.
            self.seen.facts.subjects = [
                one for one in self.seen.facts.subjects if (one.kind, one.get("offer")) != ("attempt", "tls12")
            ]

    async def _in_segments(self) -> None:
        """The same hello in two pieces, as links whose segments are shorter than it deliver it."""
        payload = encode_client_hello(self.hello)
        if len(payload) <= CUT or self.prober.opening is not None:
            return
        probe = Probe(self.hello.versions, self.hello.suites, payload, self.hello, cuts=Cuts((CUT,), PAUSE))
        answer = await self.prober.ask(probe)
        if not is_unknown(answer):
            self._tolerates("a hello in two segments", tolerated=answer.accepts, answer=answer)

    def _tolerates(self, case: str, *, tolerated: bool, answer: Answer | Conversation | None = None) -> None:
        post_quantum = any(GROUPS[code].kind == "hybrid" for code in self.hello.key_shares)
        if not post_quantum:
            return
        values: dict[str, Value | None] = {"case": case, "tolerated": tolerated}
        proof = None if answer is None or not self.plan.proofs else proof_of(answer)
        self.seen.facts.add([Subject("tolerance", case, values, node=self.seen.address, proof=proof)])

    # The client got none.

    async def _denied(self, shown: Conversation) -> None:
        if shown.kind in _NOBODY or not shown.connected:
            self.seen.error = f"cannot connect: {shown.reason or 'no answer within the timeout'}"
            self.seen.reachable = False
            return
        if (shown.kind == NOT_TLS or not shown.received) and await self._plain_http(shown):
            return
        if shown.kind == NOT_TLS:
            self.seen.error, self.seen.reachable = shown.reason, False
            return
        if not self.prober.answered and shown.kind in _SILENCE and not await self._stirs():
            self._wordless("says nothing to any hello within the timeout")
            return
        small = without_post_quantum(self.hello)
        if small is not None and shown.hello is None:
            again = await self._handshake("small", small)
            if again.finished:
                self._tolerates("a hello with a post-quantum share", tolerated=False, answer=shown)
                await self._granted(again, large=False)
                return
        await self._instead()
        if not self.prober.answered:
            self._wordless("ends every connection without a word")
        elif self.prober.control is None and shown.kind in _SILENCE:
            # Without a hello that is known to work silence is no refusal.
            why = f"no hello is known to work, and the client's was met by silence ({shown.reason or shown.label})"
            self.seen.facts.gaps |= dict.fromkeys(("attempt", "connection"), why)
            self._accepted = {version: accepted or None for version, accepted in self._accepted.items()}
            self.seen.error = why

    async def _stirs(self) -> bool:
        """Whether a server that met the client's hello with silence says anything to others, all sent at once."""
        rng = self._rng("stirring")
        shape = Shape(server_name=self.server_name)
        hellos = [wide(version, self.server_name, rng) for version in (TLS13_VERSION, TLS12_VERSION)]
        hellos += [client_hello(version, extra_suites()[:MODEST], rng=rng, shape=shape) for version in _MODEST_VERSIONS]
        probes = [Probe(hello.versions, hello.suites, encode_client_hello(hello), hello) for hello in hellos]
        answers = await asyncio.gather(*map(self.prober.once, probes))
        return any(answer.decisive for answer in answers)

    def _wordless(self, what: str) -> None:
        """Silence is no answer: of who never says a word nothing is known."""
        self.seen.error, self.seen.reachable = f"accepts connections, but {what}", False

    async def _instead(self) -> None:
        """What the server does for those who offer more, first of one thing only, then of everything."""
        rng = self._rng("wide")
        for title, hello in widened(self.hello):
            shown = await self._handshake("wide", hello, title)
            if shown.accepts:
                self._accepted[TLS13_VERSION] = shown.version >= TLS13_VERSION
                await self._others()
                return
        for version in (TLS13_VERSION, TLS12_VERSION):
            shown = await self._handshake("wide", wide(version, self.server_name, rng))
            self._accepted[version] = None if is_unknown(shown) else shown.version == version
            if shown.accepts:
                break
        await self._others()
        if not any(self._accepted.values()) and all(one is not None for one in self._accepted.values()):
            self.seen.error = "refuses every hello of every version"

    async def _plain_http(self, shown: Conversation) -> bool:
        """Whether the port answers in plain HTTP; told as a fact where it does."""
        data = shown.received
        if not data.startswith(b"HTTP/"):
            url = http.url_of(self.host, self.prober.address.port, self.plan.path, scheme="http")
            said = await self.prober.once(Spoken("plain HTTP", http.request(url)))
            data = said.received
        plain = data.startswith(b"HTTP/")
        if plain:
            self._speaks(plain=True)
        return plain

    def _speaks(self, *, plain: bool) -> None:
        values: dict[str, Value | None] = {"feature": PLAIN_HTTP, "present": plain}
        self.seen.facts.add([Subject("feature", "the port", values, node=self.seen.address)])

    # Everybody else.

    async def _others(self) -> None:
        """What the server accepts from those who offer less: old versions, and suites outside the policy."""
        rng = self._rng("others")
        shape = Shape(server_name=self.server_name)
        for version in _OLD:
            if self._spent():
                break
            hello = client_hello(version, extra_suites(), rng=rng, shape=shape)
            answer = await self.prober.ask(Probe((version,), hello.suites, encode_client_hello(hello), hello))
            chosen = answer.hello
            self._accepted[version] = None if is_unknown(answer) else chosen is not None and chosen.version == version
        await self._extra(shape, rng)

    async def _extra(self, shape: Shape, rng: random.Random) -> None:
        """One suite of each kind that TLS 1.2 takes beside those of the client; first whether it takes any."""
        offered = frozenset(self.hello.suites)
        left = [code for code in extra_suites() if code not in offered]
        while left:
            if self._spent():
                self._accepted.setdefault(TLS12_VERSION, None)
                return
            hello = client_hello(TLS12_VERSION, tuple(left), rng=rng, shape=shape)
            answer = await self.prober.ask(Probe((TLS12_VERSION,), hello.suites, encode_client_hello(hello), hello))
            chosen = answer.hello
            if is_unknown(answer):
                self.seen.facts.gaps.setdefault("suite", f"suites of TLS 1.2: {answer.reason or answer.label}")
                self._accepted.setdefault(TLS12_VERSION, None)
            if chosen is None or chosen.version != TLS12_VERSION or chosen.suite not in left:
                break
            self._accepted[TLS12_VERSION] = True
            kind = _kind(chosen.suite)
            values = {"offer": "sample", "version": TLS12_VERSION, "suite": chosen.suite, **suite_parts(chosen.suite)}
            proof = proof_of(answer) if self.plan.proofs else None
            self.seen.facts.add([Subject("suite", "", values, node=self.seen.address, proof=proof)])
            left = [code for code in left if _kind(code) != kind]
        self._accepted.setdefault(TLS12_VERSION, False)

    def _spent(self) -> bool:
        if not self.prober.over:
            return False
        self.seen.facts.gaps.setdefault("suite", f"not asked: {self.prober.over}")
        return True

    async def _get(self) -> None:
        """What the server answers to one GET, above all where it redirects to."""
        url = http.url_of(self.host, self.prober.address.port, self.plan.path)
        shown = await self.prober.ask(fetch.get(url, self.hello, self._rng("http").random()))
        hop = http.Response(url, shown.application).hop
        self.seen.hops.append(hop)
        self.seen.facts.add(http.subjects(hop, self.seen.address))

    # One handshake.

    async def _handshake(self, kind: str, hello: ClientHello, title: str = "") -> Conversation:
        title = title or OFFERS[kind]
        seed = self._rng(kind).random()

        def make() -> Client:
            rng = random.Random(seed)
            return Brief(offer(hello, rng), rng)

        shown = await self.prober.ask(Attempt(title, make))
        if shown.version:
            self._accepted[shown.version] = True
        if shown.hello is not None and not any(self.seen.facts.of("feature")):
            self._speaks(plain=False)
        if kind == "tls12" and is_unknown(shown):
            self._accepted[TLS12_VERSION] = None
        self._keep(kind, title, shown)
        return shown

    def _keep(self, kind: str, title: str, shown: Conversation) -> None:
        chain = self._chain(shown)
        leaf = None if chain is None else chain.report.certificates[0]
        issuer = None if chain is None else issuer_of(chain.report, self.plan.given)
        proof = proof_of(shown) if self.plan.proofs else None
        seen, node = self.seen, self.seen.address
        if is_unknown(shown):
            seen.facts.gaps.setdefault("attempt", f"{title}: {shown.reason or shown.label}")
            seen.facts.gaps.setdefault("connection", f"{title}: {shown.reason or shown.label}")
        elif shown.connected:
            schemes = self.hello.signature_schemes
            told = attempt(
                shown,
                kind,
                title,
                leaf=leaf,
                issuer=issuer,
                schemes=schemes,
                node=node,
                proof=proof,
                ending=ending_of(shown),
            )
            seen.facts.add(told)
        seen.handshakes.append(handshake_of(kind, title, shown, node, leaf))

    def _chain(self, shown: Conversation) -> PresentedChain | None:
        """The chain a handshake showed, described once; its subjects are those of the first that showed it."""
        if not shown.chain:
            return None
        known = self.seen.chains.get(shown.chain)
        if known is not None:
            return known
        anchors = {**self.plan.given, "public": self.plan.public}
        name = (self.server_name or b"").decode("ascii") or self.host
        occasions = [occasion_of(shown, "target")]
        known = presented(shown, now=self.now, stores=anchors, host=name, occasions=occasions)
        self.seen.chains[shown.chain] = known
        self.seen.facts.add(chain_subjects(known.report, self.plan.given, node=self.seen.address))
        return known

    def _rng(self, what: str) -> random.Random:
        return random.Random(f"{self.plan.seed} {what}")


@cache
def _kind(code: int) -> tuple[str, str]:
    """What kind of suite it is, for who wants to hear of one of each: its key exchange and its cipher."""
    row = SUITES[code]
    mode = row.enc.rsplit("-", 1)[-1] if row.enc.startswith(("AES", "CAMELLIA", "ARIA")) else row.enc
    return row.kex, mode


def handshake_of(kind: str, title: str, shown: Conversation, node: str, leaf: CertificateDetails | None) -> Handshake:
    """A handshake for the reader."""
    known = shown.hello is not None
    return Handshake(
        node=node,
        offer=kind,
        title=title,
        finished=shown.finished,
        ending=printable(ending_of(shown)),
        version=VERSIONS[shown.version].name if known else None,
        version_code=VERSIONS.hex(shown.version) if known else None,
        suite=SUITES[shown.suite].name if known else None,
        suite_code=SUITES.hex(shown.suite) if known else None,
        group=None if shown.group is None else GROUPS[shown.group].name,
        group_code=None if shown.group is None else GROUPS.hex(shown.group),
        signature_scheme=None if shown.scheme is None else SCHEMES[shown.scheme].name,
        extended_master_secret=shown.extended_master_secret if known else None,
        alpn=None if shown.alpn is None else printable(shown.alpn.decode("latin-1")),
        certificate=None if leaf is None else leaf.sha256,
    )
