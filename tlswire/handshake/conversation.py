"""What one completed or broken handshake showed, and what a later one needs to resume it.

Sources: RFC 9846 sections 4 and 4.7.1, RFC 5246 section 7.4, RFC 5077 section 3.3.
Must not import anything of tlswire but ``registry`` and ``wire``.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tlswire.registry import ALERTS
from tlswire.wire.messages import (  # noqa: TC001 - msgspec reads the annotations
    CertificateEntry,
    ClientHello,
    EncryptedExtensions,
    NewSessionTicket12,
    NewSessionTicket13,
    ServerHello,
    ServerKeyExchange,
)
from tlswire.wire.records import Alert, Message  # noqa: TC001 - as above

# How far a handshake came: nothing, a ServerHello, the server's whole flight, both Finished verified.
Stage = Literal["none", "hello", "flight", "finished"]

# Kinds beside the endings of ``probe.transport``: the first three are what a TLS server says.
FINISHED, HELLO, ALERTED, FAULT, NOT_TLS = "finished", "hello", "alert", "fault", "not-tls"
DECISIVE = frozenset({FINISHED, HELLO, ALERTED, FAULT, NOT_TLS})

# A longer ticket leaves no room for the rest of a hello, whose extensions are at most 2^16-1 bytes (RFC 9846 4.2.2).
MAX_TICKET = 1 << 15

STATUS_REQUEST, ALPN, SCT, EXTENDED_MASTER_SECRET = 5, 16, 18, 23


class Session(msgspec.Struct, frozen=True):
    """What resumes a session: of TLS 1.2 and older the master secret, of TLS 1.3 the key of one ticket.

    ``lifetime`` is seconds as the server announced it; ``early_data`` the most bytes of 0-RTT data (TLS 1.3).
    """

    version: int
    suite: int
    secret: bytes
    session_id: bytes = b""
    ticket: bytes = b""
    lifetime: int = 0
    age_add: int = 0
    early_data: int = 0
    extended: bool = False
    alpn: bytes | None = None


class Conversation(msgspec.Struct, kw_only=True, eq=False):
    """One connection, from the hello to its end. The client fills it in; once handed out nobody changes it.

    ``kind`` is finished (both Finished verified), alert, fault (``reason`` says which rule the server broke), not-tls,
    hello (a ServerHello, then ``ending``), or how the connection ended before any answer: close, reset, timeout,
    refused, unreachable, exhausted, unasked, unsettled. ``messages`` are the server's handshake messages, decrypted; ``chain``
    is DER, leaf first; ``unchecked`` says what could not be checked here, ``signature`` why the server's signature does
    not hold; ``renegotiations`` are the handshakes that followed on the same connection. ``offered`` is the first hello.
    Bytes are as sent and as received (bounded); times are seconds.
    """

    kind: str = ""
    ending: str = ""
    reason: str = ""
    stage: Stage = "none"
    offered: ClientHello | None = None
    retry: ServerHello | None = None
    hello: ServerHello | None = None
    version: int = 0
    suite: int = 0
    group: int | None = None
    resumed: bool = False
    encrypted_extensions: EncryptedExtensions | None = None
    chain: tuple[bytes, ...] = ()
    entries: tuple[CertificateEntry, ...] = ()
    compression: int | None = None
    status: Any = None
    key_exchange: ServerKeyExchange | None = None
    scheme: int | None = None
    signature: str = ""
    unchecked: str = ""
    certificate_request: Any = None
    tickets: tuple[NewSessionTicket12 | NewSessionTicket13, ...] = ()
    sessions: tuple[Session, ...] = ()
    early_data: bool | None = None
    alert: Alert | None = None
    alert_encrypted: bool = False
    warnings: tuple[Alert, ...] = ()
    application: bytes = b""
    renegotiations: tuple[Conversation, ...] = ()
    secrets: dict[str, bytes] = {}
    client_random: bytes = b""
    messages: tuple[Message, ...] = ()
    sent: bytes = b""
    received: bytes = b""
    connected: bool = False
    started: float = 0.0
    elapsed: float = 0.0
    local: tuple[str, int] = ("", 0)
    opening: Any = None

    @property
    def opened(self) -> bool:
        """Whether the connection came as far as the hello; what ended it before says nothing about the hello."""
        return self.opening is None or self.opening.phase == "tls"

    @property
    def decisive(self) -> bool:
        """Whether the server itself said something, rather than the connection ending."""
        return self.kind in DECISIVE

    @property
    def accepts(self) -> bool:
        """Whether a ServerHello came."""
        return self.hello is not None

    @property
    def finished(self) -> bool:
        """Whether both Finished messages were verified."""
        return self.stage == "finished"

    @property
    def label(self) -> str:
        """The kind in the terms of reports: ``alert:handshake_failure``, ``close``, ``finished`` ..."""
        return f"alert:{ALERTS[self.alert.description].name}" if self.alert is not None else self.kind

    def answered(self, code: int) -> bytes | None:
        """The body of extension ``code`` in ServerHello or EncryptedExtensions; None when neither has it."""
        for message in (self.hello, self.encrypted_extensions):
            body = None if message is None else message.raw_extension(code)
            if body is not None:
                return body
        return None

    @property
    def alpn(self) -> bytes | None:
        """The application protocol the server chose."""
        for message in (self.hello, self.encrypted_extensions):
            names = None if message is None else message.readable(ALPN)
            if isinstance(names, tuple) and names:
                return bytes(names[0])
        return None

    @property
    def extended_master_secret(self) -> bool:
        """Whether the keys are bound to the handshake: always in TLS 1.3 (RFC 7627, RFC 9846 appendix E)."""
        return self.version >= 0x0304 or self.answered(EXTENDED_MASTER_SECRET) is not None

    @property
    def staple(self) -> bytes | None:
        """The DER OCSP response for the leaf, from CertificateStatus or the leaf's entry (RFC 9846 section 4.5.1.1)."""
        status = self.status
        if status is None and self.entries:
            status = self.entries[0].readable(STATUS_REQUEST)
        response = getattr(status, "response", None)
        if isinstance(response, tuple):
            response = response[0] if response else None
        return response if isinstance(response, bytes) else None

    @property
    def sct_list(self) -> bytes | None:
        """The SignedCertificateTimestampList of the TLS extension (RFC 6962 section 3.3), as sent."""
        body = None if self.hello is None else self.hello.raw_extension(SCT)
        return self.entries[0].raw_extension(SCT) if body is None and self.entries else body
