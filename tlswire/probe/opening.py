"""What comes before TLS on a connection: a proxy, a STARTTLS dialogue, or both; and the reader that goes through it.

``Opened`` stands between ``transport`` and whatever reader reads the answer to a hello: it runs the dialogues, then
sends the hello and hands everything on. Sans-IO and bounded. Must not import ``exchange`` or anything above ``probe``.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import msgspec

from tlswire.errors import WireError
from tlswire.probe import proxy as proxies
from tlswire.probe import starttls as protocols
from tlswire.probe.dialogue import Talk, told
from tlswire.probe.transport import CLOSE, RESET, TIMEOUT, Address, Paced

if TYPE_CHECKING:
    from tlswire.probe.envelopes import Envelope
    from tlswire.probe.proxy import Proxy
    from tlswire.probe.transport import Outcome, Reader

# How far a connection has come.
PROXY, STARTTLS, TLS = "proxy", "starttls", "tls"

# So much may come in clear between a go-ahead and TLS before it is plain that no TLS follows.
MAX_CLEAR = 4096

_ENDS = {CLOSE: "closes the connection", RESET: "resets the connection", TIMEOUT: "says nothing more"}


class Opening(msgspec.Struct, frozen=True):
    """How to get to TLS at ``target``: through ``proxy`` (which is resolved), by the dialogue of the ``starttls``
    protocol, in which the server is called ``name``.
    """

    target: Address
    starttls: str = ""
    name: str = ""
    proxy: Proxy | None = None

    @property
    def address(self) -> Address:
        """What to connect to."""
        return self.target if self.proxy is None or self.proxy.at is None else self.proxy.at

    @property
    def width(self) -> int:
        """How many connections at once such servers take."""
        return protocols.find(self.starttls).width if self.starttls else sys.maxsize

    def without_dialogue(self) -> Opening:
        """The same way without STARTTLS."""
        return msgspec.structs.replace(self, starttls="")

    def talks(self) -> list[tuple[str, Talk]]:
        """The dialogues to go through, each with its phase."""
        found = []
        if self.proxy is not None:
            name = "HTTP" if self.proxy.scheme == "http" else "SOCKS5"
            steps, secrets = proxies.steps(self.proxy, self.target), proxies.secrets(self.proxy)
            found.append((PROXY, Talk(name, steps, secrets=secrets)))
        if self.starttls:
            found.append((STARTTLS, protocols.talk(protocols.find(self.starttls), self.name)))
        return found


async def opening(target: Address, *, starttls: str = "", name: str = "", proxy: Proxy | None = None) -> Opening | None:
    """The opening for ``target``, None when TLS begins with the first byte. Raises UsageError for a protocol that is
    not known and for a proxy whose name does not resolve.
    """
    if starttls:
        protocols.find(starttls)
    if not starttls and proxy is None:
        return None
    return Opening(target, starttls, name, await proxies.resolved(proxy))


class Transcript(msgspec.Struct, frozen=True):
    """How the opening of one connection went.

    ``phase`` is how far it came: proxy, starttls, or tls when the hello was sent. ``said`` are (whether by us, bytes)
    pairs without secrets; ``offered`` is whether the server had offered TLS where its protocol offers it; ``clear`` is
    what it said in clear between its go-ahead and TLS.
    """

    phase: str
    said: tuple[tuple[bool, bytes], ...]
    offered: bool
    clear: bytes


class Opened:
    """A reader behind its opening. ``refusal`` says why a dialogue came to nothing."""

    def __init__(self, opening: Opening, reader: Reader, payload: bytes | Paced) -> None:
        self.refusal = ""
        self._opening = opening
        self._reader = reader
        self._payload = payload
        self._out = bytearray()
        self._later: Paced | None = None  # what follows that, apart from it
        self._past: list[Talk] = []
        self._talks = opening.talks()
        self._envelope: Envelope | None = None
        self._clear = bytearray()
        self._quiet = bool(opening.starttls)  # nothing but text may have come since the go-ahead
        self._onward()

    @property
    def phase(self) -> str:
        """How far the connection has come."""
        return self._talks[0][0] if self._talks else TLS

    @property
    def patience(self) -> float | None:
        """The inner reader's, once it is its turn."""
        return None if self._talks else self._reader.patience

    @property
    def instead(self) -> str:
        """What came after the go-ahead where that is not TLS, in one printable line; empty where it is, or nothing came."""
        if self._talks:
            return ""
        if self._quiet and self._clear.strip():
            return f"goes on in clear after its go-ahead: {told(bytes(self._clear))}"
        return self.refusal

    def feed(self, data: bytes) -> bool:
        """Take bytes as they came; True when the inner reader is done or a dialogue came to nothing."""
        while self._talks:
            phase, talk = self._talks[0]
            over = talk.feed(data)
            if talk.refusal:
                self.refusal = self._whose(phase, talk.refusal)
                return True
            if not over:
                self._out += talk.to_send()
                return False
            data = talk.rest
            try:
                self._onward()
            except WireError as error:
                return self._malformed(error)
            if not data:
                return False
        return self._read(data)

    def to_send(self) -> bytes | Paced:
        """What is to be sent now, each byte once; asked before the first ``feed``, too."""
        out, later = bytes(self._out), self._later
        self._out.clear()
        self._later = None
        return out if later is None else msgspec.structs.replace(later, pieces=(out, *later.pieces))

    def transcript(self) -> Transcript:
        """How it went so far."""
        now = [talk for _, talk in self._talks[:1]]
        said = [words for talk in self._past + now for words in talk.transcript()]
        text = b"" if self._quiet else bytes(self._clear).strip()
        if self._clear:
            said.append((False, bytes(self._clear)))
        return Transcript(self.phase, tuple(said), all(talk.offered for talk in self._past + now), text)

    def explain(self, outcome: Outcome) -> str:
        """Why the connection ended within a dialogue, in one printable line."""
        if self.refusal:
            return self.refusal
        phase, talk = self._talks[0]
        if not outcome.connected:
            where = f" to the proxy {self._opening.proxy}" if phase == PROXY else ""
            return f"cannot connect{where}: {outcome.error or 'no answer within the timeout'}"
        after = f", after: {told(talk.heard)}" if talk.heard else " before it has said anything"
        if outcome.end == TIMEOUT and not talk.heard:
            return self._whose(phase, f"says nothing in the {talk.protocol} dialogue within the timeout")
        return self._whose(phase, f"{_ENDS.get(outcome.end, outcome.end)} in the {talk.protocol} dialogue{after}")

    def _whose(self, phase: str, what: str) -> str:
        return f"the proxy {self._opening.proxy} {what}" if phase == PROXY else what

    def _onward(self) -> None:
        """Take what the dialogue under way says; when it is over go on to the next, and then to TLS."""
        while self._talks:
            _, talk = self._talks[0]
            self._out += talk.to_send()
            if not talk.ready:
                return
            self._past.append(talk)
            del self._talks[0]
        row = protocols.BY_NAME.get(self._opening.starttls)
        if row is not None and row.envelope is not None:
            self._quiet = False
            self._envelope = row.envelope(self._past[-1].last)
        self._say(self._payload)

    def _say(self, words: bytes | Paced) -> None:
        if not isinstance(words, Paced):
            self._out += self._wrapped(words)
            return
        first, *others = map(self._wrapped, words.pieces)
        self._out += first
        # What an envelope has no room for yet it gives when the peer has made some.
        self._later = msgspec.structs.replace(words, pieces=tuple(filter(None, others)))

    def _wrapped(self, data: bytes) -> bytes:
        return data if self._envelope is None or not data else self._envelope.wrap(data)

    def _read(self, data: bytes) -> bool:
        if self._envelope is not None:
            try:
                data, back = self._envelope.open(data)
            except WireError as error:
                return self._malformed(error)
            self._out += back
        elif self._quiet:
            # No record of TLS or SSLv2 begins with a printable byte. What text there is has not been asked for: the
            # client speaks first (RFC 3207 section 4.2 and its like), so it is told and not taken for TLS.
            text = re.match(rb"[\t\r\n\x20-\x7e]*", data)
            length = text.end() if text else 0
            self._clear += data[:length]
            data = data[length:]
            self._quiet = not data
            if len(self._clear) > MAX_CLEAR:
                return True
        if not data:
            return False
        done = self._reader.feed(data)
        self._say(self._reader.to_send())
        return done

    def _malformed(self, error: WireError) -> bool:
        self.refusal = f"breaks the packets of {self._opening.starttls}: {error}"
        return True
