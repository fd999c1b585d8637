"""Where a handshake cannot be gone on with: the flight looks right, and whoever answers it is told that it is over.

Must not import anything of tlswire but ``wire``, ``lab.line`` and ``lab.negotiation``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.lab.refusals import DECRYPT_ERROR, UNEXPECTED_MESSAGE, RefusedError
from tlswire.wire.records import APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, Message

if TYPE_CHECKING:
    from tlswire.lab.line import Line

# What a client sends in clear after ServerHelloDone: Certificate, CertificateVerify, ClientKeyExchange.
_SECOND_FLIGHT = frozenset({11, 15, 16})


class LookAlike:
    """The flow behind a flight that nobody has the keys to."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def take(self, message: Message) -> None:
        """One message of the client: its second flight is heard out, the rest is refused."""
        if message.content == HANDSHAKE and message.type in _SECOND_FLIGHT:
            return
        encrypted = message.content in {CHANGE_CIPHER_SPEC, APPLICATION_DATA}
        raise RefusedError(DECRYPT_ERROR if encrypted else UNEXPECTED_MESSAGE)
