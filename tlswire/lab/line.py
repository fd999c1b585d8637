"""One connection of the lab, below its handshake: records in and out, the transcript, the request and its answer.

What a version makes of messages is the matter of ``lab.tls12`` and ``lab.tls13``; both say what they have to say here,
and it gathers as actions. Sources: RFC 9846 sections 5 and 6, RFC 6520 section 4, RFC 9113 sections 6.5 and 6.8.
Must not import anything of tlswire but ``errors``, ``wire``, ``crypto``, ``lab.actions``, ``lab.characters`` and
``lab.sessions``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tlswire.crypto.records import RecordStream
from tlswire.lab import flaws
from tlswire.lab.actions import Action, Close, Send, Wait
from tlswire.lab.characters import TLS12
from tlswire.lab.refusals import CLOSE_NOTIFY, RECORD_OVERFLOW, UNEXPECTED_MESSAGE, WARNING, RefusedError
from tlswire.wire.handshake import encode_handshake
from tlswire.wire.records import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HEADER,
    HEARTBEAT,
    MAX_CIPHERTEXT,
    MAX_PLAINTEXT,
    Message,
    fragment,
)

if TYPE_CHECKING:
    from tlswire.crypto.protection import Protection
    from tlswire.lab.characters import Character
    from tlswire.lab.sessions import Sessions

MAX_REQUEST = 1 << 13
_CONTENTS = (CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT)
_ALERT_SIZE = 2
_SSLV2_HELLOS = (b"\1\0\2", b"\1\3")
_REQUEST, _RESPONSE = b"\1", b"\2"  # of heartbeats
_PAGE = b"<html><body>A server of the tlswire lab.</body></html>\r\n"
_HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_PAGE),
    _PAGE,
)
# An empty SETTINGS, then GOAWAY with HTTP_1_1_REQUIRED (RFC 9113 section 7): nothing else of HTTP/2 is spoken here.
_HTTP2 = bytes.fromhex("000000 04 00 00000000 000008 07 00 00000000 00000000 0000000d")
_PAGES = {b"h2": _HTTP2}


class Flow(Protocol):
    """What a version makes of what comes after its first flight."""

    def take(self, message: Message) -> None:
        """One message of the client, alerts left out. Raises WireError, RefusedError where the alert is known."""


def admit(head: bytes) -> None:
    """Look at the first bytes of a record in clear (RFC 9846 sections 5 and 5.1). Raises RefusedError."""
    content = head[0]
    if content & 0x80:
        # An SSLv2 record: type and version of its message come next (SSL 0.2 draft, section 2.5).
        if not any(start.startswith(head[2:]) or head[2:].startswith(start) for start in _SSLV2_HELLOS):
            raise RefusedError(UNEXPECTED_MESSAGE)
        return
    if content not in _CONTENTS:
        raise RefusedError(UNEXPECTED_MESSAGE)
    if len(head) < HEADER.size:
        return
    _, _, length = HEADER.unpack(head)
    # What looks like application data may be 0-RTT data of which nothing is known yet.
    if length > (MAX_CIPHERTEXT if content == APPLICATION_DATA else MAX_PLAINTEXT):
        raise RefusedError(RECORD_OVERFLOW)
    # Alerts are neither cut nor joined.
    if not length or (content == ALERT and length != _ALERT_SIZE):
        raise RefusedError(UNEXPECTED_MESSAGE)


class Line:
    """Both directions of one connection; see the module's text.

    ``version`` is that of records in clear. ``verify_data`` are the bodies of the last Finished of client and server,
    which renegotiation is bound to (RFC 5746 section 3.1). ``limits`` are the most bytes of plaintext that a record of
    ours holds in clear, and protected.
    """

    def __init__(self, character: Character, sessions: Sessions) -> None:
        self.character = character
        self.flaw = character.quirks.flaw
        self.edge = character.quirks.edge
        self.sessions = sessions
        self.stream = RecordStream(admit=admit)
        self.sealer: Protection | None = None
        self.version = TLS12
        self.transcript = bytearray()
        self.established = False
        self.heartbeats = False
        self.alpn: bytes | None = None
        self.verify_data = (b"", b"")
        self.limits = (MAX_PLAINTEXT, MAX_PLAINTEXT)
        self._request = bytearray()
        self._out = bytearray()
        self._actions: list[Action] = []

    # Keys.

    def open_with(self, protection: Protection, *, forgive: int = 0) -> None:
        """From the client's next record on, open with these keys; ``forgive`` is that of RecordStream."""
        self.stream.protect(flaws.opener(self.flaw, protection), forgive=forgive)

    def seal_with(self, protection: Protection) -> None:
        """From our next record on, seal with these keys."""
        self.sealer = flaws.sealer(self.flaw, protection)

    # What is sent.

    def records(self, content: int, data: bytes, size: int = 0) -> bytes:
        """``data`` in records of at most ``size`` bytes (0: as ``limits`` have it), protected once there are keys."""
        size = size or self.limits[self.sealer is not None]
        if self.sealer is None:
            return fragment(content, self.version, data, size)
        return b"".join(self.sealer.seal(content, data[at : at + size]) for at in range(0, len(data) or 1, size))

    def send(self, content: int, data: bytes) -> None:
        """Say ``data``."""
        self._out += self.records(content, data)

    def send_raw(self, data: bytes) -> None:
        """Say bytes as they are."""
        self._out += data

    def send_handshake(self, kind: int, body: bytes) -> None:
        """Say a handshake message, which enters the transcript."""
        message = encode_handshake(kind, body)
        self.transcript += message
        self.send(HANDSHAKE, message)

    def act(self, *actions: Action) -> None:
        """Do something else, after what was said before."""
        if self._out:
            self._actions.append(Send(bytes(self._out)))
            self._out.clear()
        self._actions += actions

    def drip(self, seconds: float) -> None:
        """Say the bytes gathered so far one by one, with a wait behind each."""
        out = bytes(self._out)
        self._out.clear()
        self.act(*(step for byte in out for step in (Send(bytes((byte,))), Wait(seconds))))

    def actions(self) -> list[Action]:
        """What is to be done now, each once."""
        self.act()
        found, self._actions = self._actions, []
        return found

    # What comes when the handshake is over.

    def finish(self, verify_data: tuple[bytes, bytes]) -> None:
        """Both Finished are verified."""
        self.established = True
        self.verify_data = verify_data

    def take_request(self, data: bytes) -> None:
        """Application data: the end of a request's head, or too much of it, is answered, and the connection ended."""
        self._request += data
        if b"\r\n\r\n" in self._request or b"\n\n" in self._request or len(self._request) > MAX_REQUEST:
            self.send(APPLICATION_DATA, _PAGES.get(self.alpn or b"", _HTTP))
            self.say_goodbye()

    def take_heartbeat(self, body: bytes) -> None:
        """A heartbeat message: a request is answered, anything else is nothing to talk about (RFC 6520 section 4)."""
        if not self.heartbeats and not flaws.beats_unasked(self.flaw):
            raise RefusedError(UNEXPECTED_MESSAGE)
        if body[:1] != _REQUEST or len(body) < 3:
            return
        payload = flaws.heartbeat(self.flaw, int.from_bytes(body[1:3]), body[3:])
        if payload is not None:
            self.send(HEARTBEAT, _RESPONSE + len(payload).to_bytes(2) + payload + bytes(16))

    def say_goodbye(self) -> None:
        """close_notify where there are keys, and FIN."""
        if self.sealer is not None:
            self.send(ALERT, bytes((WARNING, CLOSE_NOTIFY)))
        self.act(Close())
