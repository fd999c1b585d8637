"""What a server of the lab remembers: its sessions, by session id and by ticket, and the hellos it has heard. Bounded.

Tickets are names of what stands here, so nothing of a session leaves the server (RFC 9846 section 4.7.1 allows it).
Must not import anything of tlswire.
"""

from __future__ import annotations

import hashlib

import msgspec

MAX_REMEMBERED = 1 << 12


class Remembered(msgspec.Struct, frozen=True):
    """One session: below TLS 1.3 ``secret`` is its master secret, else the PSK of a ticket.

    ``extended`` tells whether that secret is bound to its handshake (RFC 7627), ``early_data`` how many bytes of 0-RTT
    data the ticket allows.
    """

    version: int
    suite: int
    secret: bytes
    extended: bool = False
    alpn: bytes | None = None
    early_data: int = 0


class Sessions:
    """The sessions of one server, by session id or ticket; the oldest goes first."""

    def __init__(self) -> None:
        self._known: dict[bytes, Remembered] = {}
        self._heard: dict[bytes, int] = {}

    def times(self, hello: bytes) -> int:
        """How often this hello was heard before."""
        name = hashlib.sha256(hello).digest()
        before = self._heard.pop(name, 0)
        self._heard[name] = before + 1
        if len(self._heard) > MAX_REMEMBERED:
            del self._heard[next(iter(self._heard))]
        return before

    def remember(self, name: bytes, session: Remembered) -> None:
        """Keep ``session`` under ``name``."""
        self._known[name] = session
        if len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]

    def recall(self, name: bytes) -> Remembered | None:
        """The session of that name."""
        return self._known.get(name)

    def forget(self, name: bytes) -> None:
        """Take it out, so that it serves once (RFC 9846 section 8.1)."""
        self._known.pop(name, None)
