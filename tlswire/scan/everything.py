"""One version of a server and every registered extension: offered together, and in pieces where that is refused.

Below TLS 1.3 the answer is read in clear, and the hello offers suites with CBC if the server has some, which
encrypt_then_mac and truncated_hmac are for. In TLS 1.3 the hello comes without key shares, so that the server has to
ask for one, and the handshake is completed: HelloRetryRequest, EncryptedExtensions, certificates, CertificateRequest and
tickets count too. What the usual handshake was answered is added. Must not import ``report`` or ``cli``, nor any question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.certificates.compressed import available
from tlswire.errors import WireError
from tlswire.handshake.client import Brief, Client
from tlswire.handshake.leaf import issuer
from tlswire.hello.builder import TLS13_VERSION, encode_client_hello
from tlswire.hello.ech import ECH, hpke_kem, hpke_suite
from tlswire.hello.edit import with_extension
from tlswire.hello.everything import bodies
from tlswire.probe.exchange import TIMEOUT
from tlswire.registry import EXTENSIONS, GROUPS, HEARTBEAT_MODES, SUITES, VERSIONS, hex_code
from tlswire.results.answers.extensions import EchConfiguration, Refused, VersionExtensions
from tlswire.scan.heard import judged
from tlswire.scan.offers import SMALL_HELLO
from tlswire.scan.proof import proof_of
from tlswire.scan.server import is_unknown
from tlswire.wire.cursor import escaped
from tlswire.wire.extension_bodies import EchConfigContents
from tlswire.wire.extensions import decode_extension, encode_extension

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.exchange import Answer
    from tlswire.results.answers.extensions import Answered
    from tlswire.scan.server import Server
    from tlswire.wire.messages import ClientHello

GROUPS_OFFERED, HEARTBEAT, STATUS_REQUEST_V2, SCT, ENCRYPT_THEN_MAC, MASTER_SECRET = 10, 15, 17, 18, 22, 23
COMPRESS_CERTIFICATE, SESSION_TICKET, CERTIFICATE_AUTHORITIES, NEXT_PROTOCOLS, RENEGOTIATION = (
    27,
    35,
    47,
    0x3374,
    0xFF01,
)
# Looking for what is refused ends after so many hellos.
MOST_HELLOS = 48
# Hostile servers: so many of each are told.
MOST_CONFIGURATIONS = 16
MOST_NAMES = 128


class Heard(msgspec.Struct, frozen=True):
    """A hello and what came of it."""

    hello: ClientHello
    answer: Answer | Conversation

    @property
    def taken(self) -> bool:
        """Whether the server went on after its ServerHello; an alert right behind it is a refusal."""
        answer = self.answer
        return answer.hello is not None and not (answer.alert is not None and getattr(answer, "stage", "") == "hello")

    @property
    def known(self) -> bool:
        """Whether the server took the hello or refused it."""
        return not is_unknown(self.answer)


class Everything:
    """All extensions of one version of one server; ``ech`` are its configurations, None where it has no ECH."""

    def __init__(self, server: Server, version: int) -> None:
        self.server = server
        self.version = version
        self.ech: list[EchConfiguration] | None = None
        self._modern = version >= TLS13_VERSION
        self._suites = None if self._modern else self._chained()
        self._bodies = bodies(server.rng())
        if self._modern:  # a certificate that cannot be taken apart here ends the handshake
            self._bodies[COMPRESS_CERTIFICATE] = encode_extension(COMPRESS_CERTIFICATE, available(), "ch")
        self._shares: dict[str, Any] = {"key_shares": ()} if self._modern else {}
        self._taken: list[Heard] = []
        self._refused: dict[int, Answer | Conversation] = {}
        self._unknown: list[int] = []
        self._hellos = 0

    def _chained(self) -> tuple[int, ...] | None:
        cbc = [code for code in self.server.suites.get(self.version, ()) if SUITES[code].enc.endswith("-CBC")]
        elliptic = [code for code in cbc if SUITES[code].kex == "ECDHE"]
        return tuple(elliptic or cbc) or None

    async def run(self) -> VersionExtensions:
        """Offer everything, then what was refused in pieces."""
        usual = await self.server.first(self.version)
        self._trust_issuer(usual)
        codes = tuple(self._bodies)
        first = await self._offer(codes)
        if self._modern and first.known and not first.taken and first.answer.kind != TIMEOUT:
            # There are servers that do not ask for a share.
            asking, self._shares = self._shares, {}
            again = await self._offer(codes)
            if again.taken:
                first = again
            else:
                self._shares = asking
        await self._search(codes, first)
        return self._result(usual)

    def _trust_issuer(self, usual: Conversation) -> None:
        """Name the issuer the server has a certificate of: others may leave it without one to send."""
        try:
            name = issuer(usual.chain[-1])
        except (WireError, IndexError):
            return
        self._bodies[CERTIFICATE_AUTHORITIES] = encode_extension(CERTIFICATE_AUTHORITIES, (name,), "ch")

    def _hello(self, codes: Sequence[int]) -> ClientHello:
        hello = self.server.hello(self.version, self._suites, **self._shares)
        for code in codes:
            hello = with_extension(hello, code, self._bodies[code])
        return hello

    async def _offer(self, codes: Sequence[int]) -> Heard:
        self._hellos += 1
        client = Client if self._hellos == 1 else Brief  # the first waits for tickets
        hello = self._hello(codes)
        if self._modern:
            return Heard(hello, await self.server.handshake(hello, client=client))
        return Heard(hello, await self.server.ask(hello, whole_flight=True))

    def _pieces(self, codes: Sequence[int], heard: Heard) -> list[list[int]]:
        """Halves of what was refused; of a long hello that got no alert, pieces that keep hellos short."""
        room = SMALL_HELLO - len(encode_client_hello(self._hello(())))
        if heard.answer.alert is not None or len(encode_client_hello(heard.hello)) <= SMALL_HELLO or room <= 0:
            return [list(codes[: len(codes) // 2]), list(codes[len(codes) // 2 :])]
        pieces: list[list[int]] = [[]]
        left = room
        for code in codes:
            left -= 4 + len(self._bodies[code])
            if left < 0 and pieces[-1]:
                pieces.append([])
                left = room - 4 - len(self._bodies[code])
            pieces[-1].append(code)
        return pieces

    async def _search(self, codes: Sequence[int], heard: Heard) -> None:
        """Keep what was taken; cut up what was refused until one extension is left."""
        if heard.taken:
            self._taken.append(heard)
        elif not heard.known or self._hellos >= MOST_HELLOS:
            self._unknown += codes
        elif len(codes) == 1:
            self._refused[codes[0]] = heard.answer
        else:
            for piece in self._pieces(codes, heard):
                await self._search(piece, await self._offer(piece))

    def _result(self, usual: Conversation) -> VersionExtensions:
        found: dict[tuple[str, str, str | None], Answered] = {}
        offers = self._taken if usual.offered is None else [*self._taken, Heard(usual.offered, usual)]
        for heard in offers:
            for item in judged(heard.answer, heard.hello, self.version):
                # Key shares and their like differ from answer to answer: one of each message is enough.
                found.setdefault((item.message, item.code, item.fault), item)
        facts = _Facts([heard.answer for heard in offers], found.values())
        self.ech = _configurations(facts.value(ECH)) if facts.has(ECH) else None
        old = not self._modern
        mode = facts.value(HEARTBEAT)
        return VersionExtensions(
            version=VERSIONS[self.version].name,
            offered=len(self._bodies) - len(self._unknown),
            answered=list(found.values()),
            refused=[
                Refused(EXTENSIONS.hex(code), EXTENSIONS[code].name, answer.label, proof_of(answer))
                for code, answer in self._refused.items()
            ],
            unknown=[EXTENSIONS.hex(code) for code in self._unknown],
            proof=proof_of(self._taken[0].answer) if self._taken else None,
            extended_master_secret=facts.has(MASTER_SECRET) if old and offers else None,
            encrypt_then_mac=facts.has(ENCRYPT_THEN_MAC) if old and self._suites and self._taken else None,
            session_ticket=facts.has(SESSION_TICKET) if old and offers else None,
            secure_renegotiation=facts.has(RENEGOTIATION) if old and offers else None,
            status_request_v2=facts.has(STATUS_REQUEST_V2) if old and self._taken else None,
            staple=None if usual.staple is None else len(usual.staple),
            timestamps=_timestamps(usual),
            heartbeat=HEARTBEAT_MODES[mode].name if isinstance(mode, int) else None,
            groups=[GROUPS[code].name for code in facts.value(GROUPS_OFFERED) or ()][:MOST_NAMES],
            early_data=max((session.early_data for session in usual.sessions), default=None) if self._modern else None,
            next_protocols=facts.texts(NEXT_PROTOCOLS) if old else None,
        )


class _Facts:
    """Look-ups over everything a version answered, whichever message it stood in."""

    def __init__(self, answers: Sequence[Answer | Conversation], found: Iterable[Answered]) -> None:
        self._answers = answers
        self._sound = {item.code for item in found if item.fault is None}

    def has(self, code: int) -> bool:
        return EXTENSIONS.hex(code) in self._sound

    def value(self, code: int) -> Any:
        for answer in self._answers:
            for message in (answer.hello, getattr(answer, "encrypted_extensions", None)):
                value = None if message is None else message.readable(code)
                if value is not None:
                    return value
        return None

    def texts(self, code: int) -> list[str] | None:
        value = self.value(code)
        return [escaped(item) for item in value[:MOST_NAMES]] if isinstance(value, tuple) else None


def _timestamps(usual: Conversation) -> int | None:
    value = usual.sct_list
    try:
        return None if value is None else len(decode_extension(SCT, value, "sh"))
    except WireError:
        return None


def _configurations(value: Any) -> list[EchConfiguration]:
    """retry_configs as results have them; an unknown version is all that is known of its configuration."""
    found = []
    for config in value if isinstance(value, tuple) else ():
        version, contents = hex_code(config.version), config.contents
        if isinstance(contents, EchConfigContents):
            suites = ["/".join(hpke_suite(suite)) for suite in contents.suites]
            name, kem = escaped(contents.public_name), hpke_kem(contents.kem)
            known = EchConfiguration(version, contents.config_id, name, kem, suites, contents.maximum_name_length)
            found.append(known)
        else:
            found.append(EchConfiguration(version))
    return found[:MOST_CONFIGURATIONS]
