"""Words said to a port without TLS, as something the prober can try, and the first of what comes back.

Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.probe import transport

if TYPE_CHECKING:
    from tlswire.probe.opening import Opening
    from tlswire.probe.transport import Address

# So much is read of an answer.
MAX_ANSWER = 1 << 12


class Heard(msgspec.Struct, frozen=True):
    """What came back; ``kind`` is how it ended, in the words of ``probe.transport``, or plain where something came."""

    kind: str
    sent: bytes = b""
    received: bytes = b""
    reason: str = ""
    connected: bool = False
    started: float = 0.0
    elapsed: float = 0.0
    local: tuple[str, int] = ("", 0)
    opening: Any = None
    accepts: bool = False
    opened: bool = True

    @property
    def decisive(self) -> bool:
        """Whether anything was said."""
        return bool(self.received)

    @property
    def label(self) -> str:
        """The kind, as traces call it."""
        return self.kind


class _Listener:
    """Keeps the first bytes of an answer."""

    patience: float | None = None

    def __init__(self) -> None:
        self.received = b""

    def feed(self, data: bytes) -> bool:
        """Take bytes as they came; True when that is enough."""
        self.received += data
        return len(self.received) >= MAX_ANSWER or b"\r\n\r\n" in self.received

    def to_send(self) -> bytes:
        """Nothing more is said."""
        return b""


class Spoken(msgspec.Struct, frozen=True):
    """``words`` to be said as the first thing on a connection."""

    title: str
    words: bytes
    suites: tuple[int, ...] = ()

    async def put(self, address: Address, *, opening: Opening | None, timeout: float, want_local: bool) -> Heard:
        """Say them to ``address``; what comes before TLS is left out."""
        del opening
        reader = _Listener()
        outcome = await transport.exchange(address, self.words, reader, timeout=timeout, want_local=want_local)
        return Heard(
            "plain" if reader.received else outcome.end,
            self.words,
            reader.received[:MAX_ANSWER],
            outcome.error,
            connected=outcome.connected > 0,
            started=outcome.started,
            elapsed=outcome.elapsed,
            local=outcome.local,
        )

    def nothing(self, kind: str, reason: str) -> Heard:
        """The answer of a connection that was not made."""
        return Heard(kind, self.words, reason=reason)
