"""Is a ChangeCipherSpec taken before there are keys (CVE-2014-0224)?

Behind the server's flight a ChangeCipherSpec goes out where a ClientKeyExchange belongs, and a record that nothing
opens. Who refuses the first says unexpected_message (RFC 5246 section 7.1) and never reads the second; who took it
stumbles over the second with bad_record_mac. Then a record under the keys of an empty secret: who takes that in another
way had those keys. Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from tlswire.crypto.protection import can_protect
from tlswire.handshake.tls12 import Tls12
from tlswire.registry import VERSIONS
from tlswire.results.answers.ccs import Ccs
from tlswire.results.scan import Finding
from tlswire.scan.attacks import QUIET, UNKNOWN, Deviating, older, reaction
from tlswire.scan.proof import proof_of
from tlswire.wire.handshake import SERVER_HELLO_DONE
from tlswire.wire.records import CHANGE_CIPHER_SPEC, HANDSHAKE, Message, fragment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tlswire.handshake.conversation import Conversation
    from tlswire.scan.server import Server

Behind = Literal["garbage", "sealed", "alone"]
_FINISHED = 20
# What is said of a record that does not open; decrypt_error is of handshakes, but not everybody knows.
_UNOPENED = frozenset({"bad_record_mac", "decryption_failed", "decrypt_error"})
_ENDED = frozenset({"close", "reset", "close_notify"})


class Early(Deviating):
    """Says a ChangeCipherSpec too early, and what stands ``behind`` it."""

    def __init__(self, behind: Behind, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.behind = behind

    def older_flow(self) -> Tls12:
        """The flow that does it."""
        return _EarlyFlow(self)


class _EarlyFlow(Tls12):
    client: Early

    def take(self, message: Message) -> None:
        """As ever, but for the end of the server's flight."""
        if message.content == HANDSHAKE and message.type == SERVER_HELLO_DONE:
            self.client.shown.stage = "flight"
            self._deviate()
        else:
            super().take(message)

    def _deviate(self) -> None:
        client = self.client
        client.send(CHANGE_CIPHER_SPEC, b"\x01")
        if client.behind == "garbage":
            client.send_raw(fragment(HANDSHAKE, self.version, client.rng.randbytes(64)))
        elif client.behind == "sealed":
            self.master = b""
            self._keys()
            client.sealer = self.outgoing
            client.send(HANDSHAKE, bytes((_FINISHED, 0, 0, 12)) + bytes(12))
        client.wait()


async def ask(server: Server) -> Ccs:
    """One connection where the message is refused by its name, three where it is not."""
    version = older(server)
    if version is None:
        return Ccs(state="not-applicable", notes=["no version below TLS 1.3 was accepted"])
    suites = tuple(code for code in server.suites[version] if can_protect(version, code))
    if not suites:
        return Ccs(state="not-applicable", notes=["no suite below TLS 1.3 can be computed here"])
    reactions: dict[str, str] = {}

    async def seen(behind: Behind) -> Conversation:
        shown = await server.handshake(server.hello(version, suites), client=partial(Early, behind), unhurried=True)
        reactions[behind] = reaction(shown)
        return shown

    shown = await seen("garbage")
    vulnerable = _judged(reactions)
    for behind in ("sealed", "alone") if vulnerable is None and reactions["garbage"] != UNKNOWN else ():
        await seen(behind)
        vulnerable = _judged(reactions)
        if vulnerable is not None:
            break
    note = f"reactions that say neither yes nor no: {', '.join(f'{name}: {how}' for name, how in reactions.items())}"
    return Ccs(
        state="incomplete" if vulnerable is None else "complete",
        notes=[note] if vulnerable is None else [],
        version=VERSIONS[version].name,
        vulnerable=vulnerable,
        reactions=reactions,
        proof=proof_of(shown),
    )


def _judged(reactions: dict[str, str]) -> bool | None:
    """Whether the message is taken, as far as the reactions seen so far tell; None while they do not."""
    garbage, sealed, alone = (reactions.get(name) for name in ("garbage", "sealed", "alone"))
    if UNKNOWN in reactions.values():
        return None
    if garbage not in _UNOPENED | _ENDED | {QUIET}:
        return False
    if sealed is None:
        return None
    if sealed != garbage and garbage in _UNOPENED:
        return True
    # The same to all three, the message alone among them: it is the message that is refused.
    return False if alone == garbage != QUIET else None


def findings(answer: Ccs) -> Iterator[Finding]:
    """Keys that a third party knows, too."""
    if answer.vulnerable:
        yield Finding(
            "ccs-injection",
            "weak",
            "takes a ChangeCipherSpec before there are keys: a third party can read and change connections",
            "CVE-2014-0224, RFC 5246 7.1",
            answer.version,
            cve=["CVE-2014-0224"],
            remedy="update the TLS library (OpenSSL: 0.9.8za, 1.0.0m, 1.0.1h or later)",
        )
