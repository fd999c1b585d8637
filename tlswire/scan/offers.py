"""What is offered and what of it an answer honours: probes as values, and the check of every answer against its probe.

Sources: RFC 9846 sections 4.2.3, 4.3 and 4.3.8; RFC 5246 section 7.4.1.3.
Opens no sockets. Must not import anything of ``scan`` but this.
"""

from __future__ import annotations

import random
import struct
import zlib
from typing import TYPE_CHECKING

import msgspec

from tlswire.hello.builder import (
    SSLV2_VERSION,
    USUAL_SCHEMES,
    Shape,
    client_hello,
    encode_client_hello,
    sslv2_client_hello,
)
from tlswire.hello.honoured import dishonoured
from tlswire.probe.dialogue import told
from tlswire.probe.exchange import FAULT, Answer, ask
from tlswire.probe.transport import Cuts  # noqa: TC001 - msgspec reads the annotations
from tlswire.registry import SSLV2_KINDS, SUITES, VERSIONS

if TYPE_CHECKING:
    from tlswire.probe.opening import Opening
    from tlswire.probe.transport import Address
    from tlswire.wire.messages import ClientHello

# Old servers fail on hellos whose length needs more (RFC 7685 section 1; some silently drop everything above).
SMALL_HELLO = 512


class Probe(msgspec.Struct, frozen=True):
    """One hello to send: the versions and suites it offers, its bytes, its value (None for SSLv2).

    ``whole_flight`` reads on to ServerHelloDone where that comes in clear; ``cuts`` send it in pieces.
    """

    versions: tuple[int, ...]
    suites: tuple[int, ...]
    payload: bytes
    hello: ClientHello | None
    whole_flight: bool = False
    cuts: Cuts | None = None

    async def put(self, address: Address, *, opening: Opening | None, timeout: float, want_local: bool) -> Answer:
        """Send it to ``address`` and read the answer."""
        return await ask(
            address,
            self.payload,
            opening=opening,
            timeout=timeout,
            whole_flight=self.whole_flight,
            want_local=want_local,
            cuts=self.cuts,
        )

    def nothing(self, kind: str, reason: str) -> Answer:
        """The answer of a connection that was not made."""
        return Answer(kind, reason=reason, sent=self.payload)

    @property
    def title(self) -> str:
        """A short name for traces and messages."""
        names = "+".join(VERSIONS[code].name for code in self.versions)
        if len(self.suites) == 1:
            table = SSLV2_KINDS if self.versions == (SSLV2_VERSION,) else SUITES
            return f"{names} {table.hex(self.suites[0])}"
        return f"{names} {len(self.suites)} suites"


class ProbeMaker:
    """Makes the probes of one scan: one seed, and the same offer is the same bytes, whatever was asked before it."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        self.shape = shape
        self._seed = seed

    def probe(self, versions: int | tuple[int, ...], suites: tuple[int, ...]) -> Probe:
        """A hello for exactly these versions (or SSLv2 alone) and suites."""
        offered = (versions,) if isinstance(versions, int) else versions
        offer = (*offered, *suites)
        rng = random.Random(self._seed << 32 | zlib.crc32(struct.pack(f">{len(offer)}I", *offer)))
        if offered == (SSLV2_VERSION,):
            return Probe(offered, suites, sslv2_client_hello(suites, rng=rng), None)
        hello = client_hello(offered, suites, rng=rng, shape=self.shape)
        payload = encode_client_hello(hello)
        if len(payload) > SMALL_HELLO and self.shape.key_shares[1:]:
            # The second share and the rare schemes are comforts; a hello that some servers cannot read is none.
            lean = msgspec.structs.replace(self.shape, key_shares=self.shape.key_shares[:1], schemes=USUAL_SCHEMES)
            hello = client_hello(offered, suites, rng=rng, shape=lean)
            payload = encode_client_hello(hello)
        return Probe(offered, suites, payload, hello)


# What is said in clear after a server agreed to TLS: whoever takes it for part of the conversation is deceived.
CLEAR_TEXT = "clear-text"
HANDSHAKE = "handshake"


def faults_of(probe: Probe, answer: Answer) -> tuple[tuple[str, str], ...]:
    """What breaks the protocol in an answer, as (kind, one line) pairs: above all what was never offered.

    Kinds: malformed, suite, version, group, extension, session-id, compression, duplicate-extension, clear-text.
    """
    if answer.opening is not None and answer.opening.clear:
        text = f"goes on in clear between its go-ahead and TLS: {told(answer.opening.clear)}"
        return ((CLEAR_TEXT, text), *_tls_faults(probe, answer))
    return _tls_faults(probe, answer)


def _tls_faults(probe: Probe, answer: Answer) -> tuple[tuple[str, str], ...]:
    if answer.kind == FAULT:
        return (("malformed", answer.reason),)
    if answer.sslv2 is not None:
        return tuple(
            ("suite", f"answers cipher kind {SSLV2_KINDS.hex(kind)} that was not offered")
            for kind in answer.sslv2.kinds
            if kind not in probe.suites
        )
    if answer.hello is None or probe.hello is None:
        return ()
    return dishonoured(probe.hello, answer.hello)
