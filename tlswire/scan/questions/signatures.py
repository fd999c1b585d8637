"""Which signature schemes does the server sign its handshakes with, and in whose order?

Those in use are offered one by one, MD5 and SHA-1 among them; all others in lists, where what is picked is taken away
and confirmed alone. A signature by a scheme that was not offered tells a server that ignores the
extension from one that refuses (RFC 5246 section 7.4.3, RFC 9846 section 4.5.2). The message is the ServerKeyExchange
of TLS 1.2 and the CertificateVerify of TLS 1.3; what older versions sign with is not negotiated (RFC 4346 section
7.4.3). Every signature is verified. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.certificates.facts import certificate_facts
from tlswire.crypto.signatures import UNCHECKED
from tlswire.handshake.client import Client
from tlswire.hello.builder import TLS12_VERSION, TLS13_VERSION, USUAL_SCHEMES
from tlswire.hello.edit import with_extension
from tlswire.probe.exchange import CLOSE, HELLO
from tlswire.registry import SCHEMES, SUITES, VERSIONS
from tlswire.results.answers.signatures import Signature, Signatures, VersionSignatures
from tlswire.results.scan import Finding
from tlswire.scan.proof import proof_of
from tlswire.scan.server import NO_ANSWER
from tlswire.wire.extensions import encode_extension

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tlswire.handshake.conversation import Conversation
    from tlswire.registry import SchemeRow
    from tlswire.scan.server import Server

# Schemes that are not expected are offered in lists of so many.
PIECE = 32
SIGNATURE_ALGORITHMS_CERT = 50
# How the certificates may be signed is not asked here, so it must not decide (RFC 9846 section 4.3.3).
_IN_CERTIFICATES = (*USUAL_SCHEMES, 0x0101, 0x0301, 0x0303)
# Who signs, as suites before TLS 1.3 name it (RFC 8422 section 2.1: EdDSA stands under ECDSA).
_AUTH = {"rsa-pkcs1": "RSA", "rsa-pss": "RSA", "ecdsa": "ECDSA", "eddsa": "ECDSA", "dsa": "DSS"}
# Of TLS 1.3 those for RSA, ECDSA and EdDSA keys, and SHA-1, which nobody may sign with any more.
_LIKELY_TLS13 = (0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0807, 0x0808, 0x0201, 0x0203)
# Schemes of TLS 1.3 that are TLS 1.2's, too (RFC 9846 section 4.3.3, RFC 8422 section 5.1.3).
_KEYS_OF_TLS12 = frozenset({"rsaEncryption", "secp256r1", "secp384r1", "secp521r1", "ed25519", "ed448"})
_SIGNED = frozenset({"ECDHE", "DHE"})


class Glance(Client):
    """Goes no further than the server's signature."""

    def enough(self) -> bool:
        """Whether it has come."""
        return self.shown.scheme is not None


class Pick(msgspec.Struct, frozen=True):
    """What a hello came to: the scheme signed with, offered or not (None: refused), or no answer at all."""

    offered: tuple[int, ...]
    conversation: Conversation
    scheme: int | None
    known: bool

    @property
    def taken(self) -> int | None:
        """The scheme signed with, if it was offered."""
        return self.scheme if self.scheme in self.offered else None


class Search:
    """The schemes of one version of one server."""

    def __init__(self, server: Server, version: int) -> None:
        self.server = server
        self.version = version
        self.modern = version >= TLS13_VERSION
        self.suites = server.completed(version) if self.modern else _signed(server.suites.get(version, ()))
        self.picks: list[Pick] = []

    @property
    def candidates(self) -> tuple[int, ...]:
        """Every registered scheme."""
        return tuple(row.code for row in SCHEMES)

    @property
    def likely(self) -> tuple[int, ...]:
        """Those that certificates in use sign with: there are servers that fail a whole list for the one scheme in it
        that they would pick and cannot sign with.
        """
        if self.modern:
            return _LIKELY_TLS13
        auths = {SUITES[code].auth for code in self.suites}
        return tuple(row.code for row in SCHEMES if _AUTH.get(row.family) in auths and _of_tls12(row))

    async def sign(self, schemes: tuple[int, ...]) -> Pick:
        """Offer exactly ``schemes`` and see what the server signs with."""
        hello = self.server.hello(self.version, self._suites(schemes), schemes=schemes)
        hello = with_extension(
            hello, SIGNATURE_ALGORITHMS_CERT, encode_extension(SIGNATURE_ALGORITHMS_CERT, _IN_CERTIFICATES, "ch")
        )
        conversation = await self.server.handshake(hello, client=Glance)
        ours = conversation.version == self.version
        scheme = conversation.scheme if ours else None
        silent = conversation.kind in NO_ANSWER or (
            # A ServerHello, and then not even an end.
            scheme is None and ours and conversation.kind == HELLO and conversation.ending != CLOSE
        )
        pick = Pick(schemes, conversation, scheme, known=not silent)
        self.picks.append(pick)
        return pick

    def _suites(self, schemes: tuple[int, ...]) -> tuple[int, ...]:
        # There are servers that pick a suite first and then find that its certificate has no scheme.
        auths = {_AUTH.get(SCHEMES[code].family) for code in schemes}
        fitting = tuple(code for code in self.suites if SUITES[code].auth in auths)
        return self.suites if self.modern else fitting or self.suites

    async def run(self) -> VersionSignatures:
        """The likely ones alone, the others in lists; then the order."""
        candidates, likely = self.candidates, self.likely
        rest = tuple(code for code in candidates if code not in likely)
        pieces = [rest[at : at + PIECE] for at in range(0, len(rest), PIECE)]
        lists = await asyncio.gather(*(self._eliminate(piece) for piece in pieces))
        alone = await self._alone([*likely, *(code for found, _ in lists for code in found)])
        taken = [pick.taken for pick in alone if pick.taken is not None]
        preference, order = await self._order(taken)
        by_scheme = {pick.taken: pick for pick in alone}
        unknown = {pick.offered[0] for pick in alone if not pick.known}.union(*(left for _, left in lists))
        unoffered = {pick.scheme: pick for pick in self.picks if pick.scheme not in (None, *pick.offered)}
        refused = {pick.conversation.label for pick in self.picks if pick.scheme is None and pick.known}
        return VersionSignatures(
            version=VERSIONS[self.version].name,
            message="CertificateVerify" if self.modern else "ServerKeyExchange",
            behaviour="ignores" if unoffered else "honours" if taken and not unknown else "unknown",
            preference=preference,
            schemes=[_signature(by_scheme[code]) for code in order],
            unoffered=[_signature(pick) for pick in unoffered.values()],
            refusals=sorted(refused),
            tried=len(candidates),
            unknown=[SCHEMES.hex(code) for code in sorted(unknown)],
        )

    async def _alone(self, schemes: Iterable[int]) -> list[Pick]:
        return list(await asyncio.gather(*(self.sign((code,)) for code in schemes)))

    async def _eliminate(self, schemes: tuple[int, ...]) -> tuple[list[int], tuple[int, ...]]:
        """The schemes of a list that the server signs with, in the order in which it picks them; and those that stayed
        without an answer.
        """
        found: list[int] = []
        left = schemes
        while left:
            pick = await self.sign(left)
            if pick.taken is None:
                return found, () if pick.known else left
            found.append(pick.taken)
            left = tuple(code for code in left if code not in found)
        return found, ()

    async def _order(self, taken: list[int]) -> tuple[Literal["server", "client", "unknown"], list[int]]:
        """Whose order decides, and the schemes in the server's where it has one.

        Looked at for each family by itself: which certificate is used is another choice, made by the suite before TLS 1.3.
        """
        families: dict[str, list[int]] = {}
        for code in taken:
            families.setdefault(SCHEMES[code].family.partition("-")[0], []).append(code)
        several = [tuple(codes) for codes in families.values() if len(codes) > 1]
        deciding = await asyncio.gather(*(self._decides(codes) for codes in several))
        orders = dict(zip(several, deciding, strict=True))
        order = [code for codes in families.values() for code in orders.get(tuple(codes), ("", codes))[1] or codes]
        said = {who for who, _ in deciding}
        return said.pop() if len(said) == 1 else "unknown", order

    async def _decides(self, codes: tuple[int, ...]) -> tuple[Literal["server", "client", "unknown"], list[int]]:
        forward, backward = await asyncio.gather(self.sign(codes), self.sign(codes[::-1]))
        if forward.taken is None or backward.taken is None:
            return "unknown", []
        if forward.taken != backward.taken:
            return "client", []
        first = forward.taken
        found, _ = await self._eliminate(tuple(code for code in codes if code != first))
        order = [first, *found]
        return "server", order if len(order) == len(codes) else []


async def ask(server: Server) -> Signatures:
    """The schemes of TLS 1.3 and of TLS 1.2."""
    searches: list[Search] = []
    notes: list[str] = []
    if TLS13_VERSION in server.versions:
        searches.append(Search(server, TLS13_VERSION))
    if TLS12_VERSION in server.versions:
        searches.append(Search(server, TLS12_VERSION))
    asked = [search for search in searches if search.suites]
    for search in searches:
        if not search.suites:
            why = "that can be computed here" if search.modern else "whose key exchange is signed"
            notes.append(f"{VERSIONS[search.version].name}: no suite {why}")
    if any(code < TLS12_VERSION for code in server.versions):
        notes.append("what TLS 1.1 and older sign with is not negotiated: MD5 and SHA-1 (RFC 4346 7.4.3)")
    if not asked:
        return Signatures(state="not-applicable", notes=notes or ["no version that negotiates signature schemes"])
    versions = list(await asyncio.gather(*(search.run() for search in asked)))
    for search, version in zip(asked, versions, strict=True):
        if version.unknown:
            notes.append(f"{version.version}: {_why(search.picks)}")
    incomplete = any(version.unknown for version in versions) or any(search.modern for search in searches[len(asked) :])
    return Signatures(state="incomplete" if incomplete else "complete", versions=versions, notes=notes)


def _why(picks: list[Pick]) -> str:
    silent = next(pick.conversation for pick in picks if not pick.known)
    return silent.reason or silent.unchecked or f"no signature, but {silent.ending or silent.kind}"


def _of_tls12(row: SchemeRow) -> bool:
    return row.tls13 != "client-only" and (row.tls13 != "Y" or row.key_type in _KEYS_OF_TLS12)


def _signed(suites: Iterable[int]) -> tuple[int, ...]:
    return tuple(code for code in suites if SUITES[code].kex in _SIGNED and SUITES[code].auth in _AUTH.values())


def _signature(pick: Pick) -> Signature:
    conversation = pick.conversation
    row = SCHEMES[conversation.scheme or 0]
    fault = conversation.signature
    facts = certificate_facts(conversation.chain[0]) if conversation.chain else None
    key = "" if facts is None or facts.key is None else facts.key
    return Signature(
        code=SCHEMES.hex(row.code),
        name=row.name,
        hash=row.hash,
        key=f"{key} {facts.bits}" if facts is not None and key in {"RSA", "DSA"} else key,
        check="verified" if not fault else "unchecked" if fault.startswith(UNCHECKED) else "bad",
        reason=fault,
        proof=proof_of(conversation),
    )


def findings(answer: Signatures) -> Iterator[Finding]:
    """Hashes that collide, schemes nobody offered, signatures that do not hold."""
    for version in answer.versions:
        used = (*version.schemes, *version.unoffered)
        where = f"the {version.message} of {version.version}"
        for digest, cve in (("MD5", ["CVE-2015-7575"]), ("SHA1", [])):
            names = dict.fromkeys(scheme.name for scheme in used if scheme.hash == digest)
            if names:
                yield Finding(
                    f"signature-{digest.lower()}",
                    "weak",
                    f"signs {where} with {', '.join(names)}: collisions of the hash can be made",
                    "RFC 9155",
                    version.version,
                    cve=cve,
                    remedy="leave schemes with MD5 and SHA-1 out of the server's signature algorithms",
                )
        if version.unoffered:
            names = dict.fromkeys(scheme.name for scheme in version.unoffered)
            text = f"signs {where} with {', '.join(names)} where that was not offered"
            source = "RFC 5246 7.4.3" if version.version == "TLS 1.2" else "RFC 9846 4.5.2"
            yield Finding("signature-unoffered", "fault", text, source, version.version)
        for scheme in used:
            if scheme.check == "bad":
                text = f"the signature of {where} with {scheme.name}: {scheme.reason}"
                yield Finding("signature-bad", "fault", text, "RFC 9846 4.5.2, RFC 5246 7.4.3", version.version)
