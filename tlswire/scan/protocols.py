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
from tlswire.scan.heard import SAYS_NOTHING
from tlswire.scan.proof import proof_of
from tlswire.wire.cursor import escaped

if TYPE_CHECKING:
    from tlswire.handshake.conversation import Conversation
    from tlswire.probe.exchange import Answer
    from tlswire.scan.server import Server

NO_APPLICATION_PROTOCOL = 120
# RFC 8701 section 2 registers names that no server may choose; this is one.
NOBODYS = b"\x2a\x2a"
NAMES: tuple[bytes, ...] = tuple(row.raw for row in ALPN if not row.name.startswith("GREASE"))
# A refused list is looked at again in pieces of so many: it may be its length that displeases.
PIECE = 12
_EXTENSION = 16


class Choice(msgspec.Struct, frozen=True):
    """What became of a list of protocols: one chosen, none (the extension ignored), refused, or no answer at all."""

    outcome: Literal["chosen", "none", "refused", "unknown"]
    heard: Answer | Conversation
    name: bytes = b""
    strict: bool = False  # refused for having no protocol in common


class Protocols:
    """The application protocols of one version of one server."""

    def __init__(self, server: Server, version: int) -> None:
        self.server = server
        self.version = version
        self.faults: list[str] = []
        self.unknown = False

    async def run(self) -> Alpn:
        """Ask everything."""
        nobodys = await self._offer((NOBODYS,))
        anything = nobodys.outcome == "chosen"
        whole = nobodys if anything else await self._offer(NAMES)
        found: list[bytes] = []
        if whole.outcome == "chosen" and not anything:
            found = await self._eliminate(NAMES, whole)
        elif whole.outcome == "refused" and not whole.strict:
            for at in range(0, len(NAMES), PIECE):
                found += await self._eliminate(NAMES[at : at + PIECE])
        return Alpn(
            version=VERSIONS[self.version].name,
            protocols=[escaped(name) for name in found],
            preference=await self._preference(found),
            anything=anything,
            no_overlap=_OVERLAP.get(nobodys.outcome, "unknown"),
            refusal=nobodys.heard.label if nobodys.outcome == "refused" else None,
            faults=self.faults,
            unknown=self.unknown,
            proof=proof_of(whole.heard) if whole.outcome != "unknown" else None,
        )

    async def _offer(self, names: tuple[bytes, ...]) -> Choice:
        hello = with_alpn(self.server.hello(self.version), names)
        heard: Answer | Conversation
        if self.version >= TLS13_VERSION:
            heard = await self.server.handshake(hello, client=Brief)
        else:
            heard = await self.server.ask(hello)
        choice = self._choice(heard, names)
        self.unknown = self.unknown or choice.outcome == "unknown"
        return choice

    def _choice(self, heard: Answer | Conversation, names: tuple[bytes, ...]) -> Choice:
        alert = heard.alert
        encrypted = getattr(heard, "encrypted_extensions", None)
        if heard.hello is not None and (encrypted is not None or self.version < TLS13_VERSION):
            message = encrypted or heard.hello
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
        if alert is not None:
            return Choice("refused", heard, strict=alert.description == NO_APPLICATION_PROTOCOL)
        return Choice("unknown" if heard.hello is not None or heard.kind in SAYS_NOTHING else "refused", heard)

    def _fault(self, text: str) -> None:
        if text not in self.faults:
            self.faults.append(text)

    async def _eliminate(self, names: tuple[bytes, ...], first: Choice | None = None) -> list[bytes]:
        """What of a list the server chooses, in the order in which it does."""
        found: list[bytes] = []
        choice = first or await self._offer(names)
        while choice.outcome == "chosen":
            found.append(choice.name)
            left = tuple(name for name in names if name not in found)
            if not left:
                break
            choice = await self._offer(left)
        return found

    async def _preference(self, found: list[bytes]) -> Literal["server", "client", "unknown"]:
        if len(found) < 2:
            return "unknown"
        choice = await self._offer(tuple(reversed(found)))
        if choice.outcome != "chosen":
            return "unknown"
        return "server" if choice.name == found[0] else "client"


_OVERLAP: dict[str, Literal["ignored", "refused"]] = {"none": "ignored", "refused": "refused"}
