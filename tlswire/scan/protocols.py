"""Which application protocols a server has, in whose order, and what it does with those it has not (RFC 7301).

One version at a time: a protocol nobody can have is offered first, then every registered one, and what the server
chooses is taken away until it chooses nothing more. Must not import ``report`` or ``cli``, nor any question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.handshake.client import Brief
from tlswire.hello.builder import TLS13_VERSION
from tlswire.hello.edit import with_alpn
from tlswire.registry import ALPN, VERSIONS
from tlswire.results.answers.extensions import Alpn
from tlswire.scan.proof import proof_of
from tlswire.scan.server import is_unknown
from tlswire.wire.cursor import escaped

if TYPE_CHECKING:
    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.exchange import Answer
    from tlswire.scan.server import Server
    from tlswire.wire.messages import ClientHello

# How RFC 7301 section 3.2 wants a list refused of which a server has nothing.
STRICT = "alert:no_application_protocol"
# RFC 8701 section 2 registers names that no server may choose; this is one.
NOBODYS = b"\x2a\x2a"
NAMES: tuple[bytes, ...] = tuple(row.raw for row in ALPN if not row.name.startswith("GREASE"))
_EXTENSION = 16


class Choice(msgspec.Struct, frozen=True):
    """What became of a list of protocols: one chosen, none (the extension ignored), refused, or no answer at all."""

    outcome: Literal["chosen", "none", "refused", "unknown"]
    heard: Answer | Conversation
    name: bytes = b""

    @property
    def refusal(self) -> str:
        """How the hello was refused: the alert, or how the connection ended."""
        heard = self.heard
        return heard.label if heard.alert is not None else getattr(heard, "ending", heard.kind)


class Protocols:
    """The application protocols of one version of one server."""

    def __init__(self, server: Server, version: int) -> None:
        self.server = server
        self.version = version
        self.found: list[bytes] = []
        self.refused: list[bytes] = []
        self.refusal: str | None = None
        self.faults: list[str] = []
        self.unknown = False

    async def run(self) -> Alpn:
        """Ask everything."""
        nobodys = await self._offer((NOBODYS,))
        anything = nobodys.outcome == "chosen"
        self.refusal = nobodys.refusal if nobodys.outcome == "refused" else None
        whole = nobodys if anything else await self._offer(NAMES)
        if not anything:
            await self._search(NAMES, whole)
        return Alpn(
            version=VERSIONS[self.version].name,
            protocols=[escaped(name) for name in self.found],
            preference=await self._preference(),
            anything=anything,
            no_overlap=_OVERLAP.get(nobodys.outcome, "unknown"),
            refusal=self.refusal,
            refused=[escaped(name) for name in self.refused],
            faults=self.faults,
            unknown=self.unknown,
            proof=proof_of(whole.heard) if whole.outcome != "unknown" else None,
        )

    async def _offer(self, names: tuple[bytes, ...]) -> Choice:
        hello = with_alpn(self.server.hello(self.version), names)
        choice = self._choice(await self._heard(hello), names)
        if choice.outcome == "unknown" and choice.heard.hello is not None:
            # A handshake that breaks off is no answer; one that does it again is.
            again = self._choice(await self._heard(hello), names)
            broken = again.outcome == "unknown" and again.heard.kind == choice.heard.kind
            choice = Choice("refused", again.heard) if broken else again
        self.unknown = self.unknown or choice.outcome == "unknown"
        return choice

    async def _heard(self, hello: ClientHello) -> Answer | Conversation:
        if self.version >= TLS13_VERSION:
            return await self.server.handshake(hello, client=Brief)
        return await self.server.ask(hello)

    def _choice(self, heard: Answer | Conversation, names: tuple[bytes, ...]) -> Choice:
        encrypted = getattr(heard, "encrypted_extensions", None)
        message = heard.hello if self.version < TLS13_VERSION else encrypted
        if message is None:
            nothing = heard.alert is None and (heard.hello is not None or is_unknown(heard))
            return Choice("unknown" if nothing else "refused", heard)
        if message.raw_extension(_EXTENSION) is None:
            return Choice("none", heard)
        chosen = message.readable(_EXTENSION)
        if not isinstance(chosen, tuple) or len(chosen) != 1:
            self._fault("answers with something else than one protocol (RFC 7301 3.1)")
            return Choice("none", heard)
        if chosen[0] not in names:
            self._fault(f"answers protocol {escaped(chosen[0])} that was not offered (RFC 7301 3.2)")
            return Choice("none", heard)
        return Choice("chosen", heard, chosen[0])

    def _fault(self, text: str) -> None:
        if text not in self.faults:
            self.faults.append(text)

    async def _search(self, names: tuple[bytes, ...], choice: Choice) -> None:
        """What of a list the server chooses, in the order in which it does; halves of what it refuses for one of them."""
        while choice.outcome == "chosen":
            self.found.append(choice.name)
            names = tuple(name for name in names if name not in self.found)
            if not names:
                return
            choice = await self._offer(names)
        # What meets the fate of a protocol that does not exist is refused because the server has none of it.
        if choice.outcome != "refused" or choice.refusal in {self.refusal, STRICT}:
            return
        if len(names) == 1:
            self.refused += names
            return
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            await self._search(half, await self._offer(half))

    async def _preference(self) -> Literal["server", "client", "unknown"]:
        if len(self.found) < 2:
            return "unknown"
        choice = await self._offer(tuple(reversed(self.found)))
        if choice.outcome != "chosen":
            return "unknown"
        return "server" if choice.name == self.found[0] else "client"


_OVERLAP: dict[str, Literal["ignored", "refused"]] = {"none": "ignored", "refused": "refused"}
